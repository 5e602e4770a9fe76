/* cli/stats.c - Olake's stats.json: what its platform shows while a sync goes on.
 *
 * The keys, units and number forms are the original's. The time that is left is told from bytes
 * where their sum is known (the original counts files and records as if they were one).
 */
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/time.h"
#include "cli/job.h"

#define EVERY_S 2

struct hr_cli_stats {
    char *path;
    struct hr_progress *figures;
    int writers;
    int64_t started, last_ns;
    double last_cpu, cpu; /* seconds used; share of all processors since the last time */
    bool failed;          /* said once */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t stop_cond;
    bool stop;
};

/* Resident bytes now, not at most. */
static int64_t resident(void) {
    long long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file != NULL) {
        if (fscanf(file, "%*d %lld", &pages) != 1) {
            pages = 0;
        }
        fclose(file);
    }
    return pages * sysconf(_SC_PAGESIZE);
}

static void measure_cpu(struct hr_cli_stats *s, int64_t now) {
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    const double cpu = (double)use.ru_utime.tv_sec + (double)use.ru_stime.tv_sec +
                       (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
    const long processors = sysconf(_SC_NPROCESSORS_ONLN);
    const double wall = (double)(now - s->last_ns) / 1e9;
    if (wall > 0.01) {
        const double share = (cpu - s->last_cpu) / wall / (double)(processors > 0 ? processors : 1);
        s->cpu = share < 1 ? share : 1;
        s->last_cpu = cpu;
        s->last_ns = now;
    }
}

static void write_now(struct hr_cli_stats *s, bool finished) {
    struct hr_error err;
    struct hr_buf text;
    char left[40] = "Not Determined";
    const int64_t now = hr_monotonic_nanos();
    const double seconds = (double)(now - s->started) / 1e9;
    const int64_t rows = atomic_load(&s->figures->rows_out);
    const int64_t bytes = atomic_load(&s->figures->bytes_in);
    const int64_t total = atomic_load(&s->figures->bytes_total);
    measure_cpu(s, now);
    if (finished) {
        snprintf(left, sizeof(left), "0.00 s");
    } else if (bytes > 0 && total >= bytes) {
        snprintf(left, sizeof(left), "%.2f s", seconds * (double)(total - bytes) / (double)bytes);
    }
    hr_error_clear(&err);
    hr_buf_init(&text, 4096);
    int rc = hr_buf_printf(
        &text, &err,
        "{\"Bytes Read\":%lld,\"CPU Utilization\":%.4f,\"Estimated Remaining Time\":\"%s\","
        "\"Memory Usage Bytes\":%lld,\"Seconds Elapsed\":\"%.2f\",\"Speed\":\"%.2f rps\","
        "\"Synced Records\":%lld,\"Writer Threads\":%d}\n",
        (long long)bytes, s->cpu, left, (long long)resident(), seconds,
        seconds > 0 ? (double)rows / seconds : 0.0, (long long)rows, finished ? 0 : s->writers);
    if (rc == 0) {
        rc = hr_job_write(s->path, hr_buf_slice(&text), &err);
    }
    if (rc != 0 && !s->failed) { /* figures are a courtesy: the sync goes on */
        s->failed = true;
        hr_log(HR_LOG_WARN, "%s", err.message);
    }
    hr_buf_release(&text);
}

static void *stats_main(void *arg) {
    struct hr_cli_stats *s = arg;
    pthread_mutex_lock(&s->lock);
    while (!s->stop) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += EVERY_S;
        int rc = 0;
        while (!s->stop && rc == 0) {
            rc = pthread_cond_timedwait(&s->stop_cond, &s->lock, &until);
        }
        if (!s->stop) {
            write_now(s, false);
        }
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

static void release(struct hr_cli_stats *s) {
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->stop_cond);
    hr_free(s->path);
    hr_free(s);
}

struct hr_cli_stats *hr_cli_stats_start(const char *folder, struct hr_progress *figures,
                                        int writers) {
    static const char name[] = "/stats.json";
    struct hr_cli_stats *s = hr_calloc(1, sizeof(*s));
    const size_t len = strlen(folder);
    char *path = s != NULL ? hr_malloc(len + sizeof(name)) : NULL;
    if (path == NULL) {
        hr_free(s);
        return NULL;
    }
    memcpy(path, folder, len);
    memcpy(path + len, name, sizeof(name));
    s->path = path;
    s->figures = figures;
    s->writers = writers;
    s->started = s->last_ns = hr_monotonic_nanos();
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->stop_cond, &attr);
    pthread_condattr_destroy(&attr);
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int rc = pthread_create(&s->thread, NULL, stats_main, s);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0) {
        release(s);
        return NULL;
    }
    return s;
}

void hr_cli_stats_stop(struct hr_cli_stats *stats, bool finished) {
    if (stats == NULL) {
        return;
    }
    pthread_mutex_lock(&stats->lock);
    stats->stop = true;
    pthread_cond_signal(&stats->stop_cond);
    pthread_mutex_unlock(&stats->lock);
    pthread_join(stats->thread, NULL);
    write_now(stats, finished);
    release(stats);
}
