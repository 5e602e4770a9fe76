/* cli/progress.c - one line that moves on a terminal, a line every 10 s on a pipe, the summary. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/time.h"
#include "cli/cli.h"

struct hr_cli_progress {
    struct hr_progress *figures;
    enum hr_progress_mode mode;
    const char *what;
    int64_t started;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t stop_cond;
    bool stop, terminal, drawn;
};

void hr_cli_size(double bytes, char *out, size_t size) {
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB"};
    size_t unit = 0;
    while (bytes >= 999.5 && unit + 1 < HR_COUNTOF(units)) {
        bytes /= 1000;
        unit++;
    }
    snprintf(out, size, unit == 0 || bytes >= 100 ? "%.0f %s" : "%.1f %s", bytes, units[unit]);
}

static enum hr_progress_mode mode_of(const struct hr_cli *cli) {
    if (cli->progress == NULL || strcmp(cli->progress, "auto") == 0) {
        return HR_PROGRESS_AUTO;
    }
    return strcmp(cli->progress, "always") == 0 ? HR_PROGRESS_ALWAYS
           : strcmp(cli->progress, "json") == 0 ? HR_PROGRESS_JSON
                                                : HR_PROGRESS_NEVER;
}

bool hr_cli_quiet(const struct hr_cli *cli) {
    return mode_of(cli) == HR_PROGRESS_NEVER;
}

static void draw_bar(char *out, size_t size, double share) {
    const int width = 24;
    const int full = (int)(share * width + 0.5);
    size_t n = 0;
    for (int i = 0; i < width && n + 4 < size; i++) {
        n += (size_t)snprintf(out + n, size - n, "%s", i < full ? "\xe2\x96\x88" : "\xe2\x96\x91");
    }
}

static void report(struct hr_cli_progress *p) {
    const int64_t bytes = atomic_load(&p->figures->bytes_in);
    const int64_t total = atomic_load(&p->figures->bytes_total);
    const int64_t rows = atomic_load(&p->figures->rows_out);
    const int64_t objects = atomic_load(&p->figures->objects);
    const double seconds = (double)(hr_monotonic_nanos() - p->started) / 1e9;
    char size[32];
    char rate[32];
    hr_cli_size((double)bytes, size, sizeof(size));
    hr_cli_size(seconds > 0 ? (double)bytes / seconds : 0, rate, sizeof(rate));
    if (p->mode == HR_PROGRESS_JSON) {
        fprintf(stderr,
                "{\"type\":\"progress\",\"what\":\"%s\",\"bytes\":%lld,\"rows\":%lld,"
                "\"objects\":%lld,\"seconds\":%.3f}\n",
                p->what, (long long)bytes, (long long)rows, (long long)objects, seconds);
        return;
    }
    char bar[128] = "";
    char left[48] = "";
    if (total > 0 && bytes <= total) {
        const double share = (double)bytes / (double)total;
        draw_bar(bar, sizeof(bar), share);
        if (bytes > 0) {
            snprintf(left, sizeof(left), ", %.0f s left", seconds / share - seconds);
        }
    }
    fprintf(stderr, "%s%s %s %s, %lld objects, %lld rows, %s/s%s%s", p->terminal ? "\r" : "",
            p->what, bar, size, (long long)objects, (long long)rows, rate, left,
            p->terminal ? "\x1b[K" : "\n");
    p->drawn = true;
}

static void *progress_main(void *arg) {
    struct hr_cli_progress *p = arg;
    pthread_mutex_lock(&p->lock);
    while (!p->stop) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        const int64_t step = p->terminal ? 150000000LL : 10000000000LL;
        until.tv_nsec += step % 1000000000;
        until.tv_sec += step / 1000000000 + until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&p->stop_cond, &p->lock, &until);
        if (!p->stop) {
            report(p);
        }
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

struct hr_cli_progress *hr_cli_progress_start(const struct hr_cli *cli,
                                              struct hr_progress *progress, const char *what) {
    const enum hr_progress_mode mode = mode_of(cli);
    if (mode == HR_PROGRESS_NEVER) {
        return NULL;
    }
    struct hr_cli_progress *p = hr_calloc(1, sizeof(*p));
    if (p == NULL) {
        return NULL; /* progress is a courtesy */
    }
    p->figures = progress;
    p->mode = mode;
    p->what = what;
    p->started = hr_monotonic_nanos();
    p->terminal = mode != HR_PROGRESS_JSON && isatty(STDERR_FILENO);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->stop_cond, NULL);
    if (pthread_create(&p->thread, NULL, progress_main, p) != 0) {
        hr_free(p);
        return NULL;
    }
    return p;
}

void hr_cli_progress_stop(struct hr_cli_progress *p) {
    if (p == NULL) {
        return;
    }
    pthread_mutex_lock(&p->lock);
    p->stop = true;
    pthread_cond_signal(&p->stop_cond);
    pthread_mutex_unlock(&p->lock);
    pthread_join(p->thread, NULL);
    if (p->terminal && p->drawn) {
        fprintf(stderr, "\r\x1b[K");
    }
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->stop_cond);
    hr_free(p);
}

/* The kernel's high-water mark of this program; 0: not told. ru_maxrss would begin with the peak of
 * whatever program started this one. */
static long own_peak_kb(void) {
    char line[128];
    long kb = 0;
    FILE *status = fopen("/proc/self/status", "re");
    while (status != NULL && kb == 0 && fgets(line, sizeof(line), status) != NULL) {
        if (strncmp(line, "VmHWM:", 6) == 0) {
            kb = strtol(line + 6, NULL, 10);
        }
    }
    if (status != NULL) {
        fclose(status);
    }
    return kb;
}

static double cpu_seconds(long *out_peak_kb) {
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    const long own = own_peak_kb();
    *out_peak_kb = own > 0 ? own : use.ru_maxrss;
    return (double)use.ru_utime.tv_sec + (double)use.ru_stime.tv_sec +
           (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
}

/* What bills name apart, over all stores of a run. */
struct requests {
    unsigned long long lists, reads, writes, retries;
};

static struct requests requests_of(const struct hr_summary *s) {
    const struct hr_store_counters *const all[] = {&s->src, &s->dst, &s->state};
    struct requests sum = {0};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        const struct hr_store_counters *c = all[i];
        sum.lists += c->list;
        sum.reads += c->get + c->head;
        sum.writes += c->put + c->part + c->create + c->complete;
        sum.retries += c->retries;
    }
    return sum;
}

/* The summary for programs: one JSON object and a line end. */
static int summary_json(const struct hr_summary *s, const char *what, struct hr_buf *out,
                        struct hr_error *err) {
    long peak_kb;
    const double cpu = cpu_seconds(&peak_kb);
    const struct requests r = requests_of(s);
    return hr_buf_printf(
        out, err,
        "{\"type\":\"summary\",\"verb\":\"%s\",\"objects\":%lld,\"bytes_in\":%lld,\"rows_in\":%lld,"
        "\"rows_out\":%lld,\"files\":%lld,\"bytes_out\":%lld,\"rejected\":%lld,\"nulled\":%lld,"
        "\"rounded\":%lld,\"deleted\":%lld,\"replaced\":%lld,\"requests\":{\"list\":%llu,\"get\":%"
        "llu,\"put\":%llu,"
        "\"retries\":%llu},\"usd\":%.6f,\"seconds\":%.3f,\"cpu_seconds\":%.3f,\"peak_kb\":%ld}\n",
        what, (long long)s->counts.objects, (long long)s->counts.bytes,
        (long long)s->counts.rows_in, (long long)s->counts.rows_out, (long long)s->files,
        (long long)s->bytes_out, (long long)s->counts.rejected, (long long)s->counts.nulled,
        (long long)s->counts.rounded, (long long)s->counts.deleted, (long long)s->counts.replaced,
        r.lists, r.reads, r.writes, r.retries, s->usd, s->seconds, cpu, peak_kb);
}

static int write_summary(const struct hr_cli *cli, const struct hr_summary *s, const char *what,
                         struct hr_error *err) {
    struct hr_buf text;
    hr_buf_init(&text, 1 << 16);
    int rc = summary_json(s, what, &text, err);
    if (rc == 0 && cli->json) {
        fputs(hr_buf_cstr(&text), stderr);
    }
    if (rc == 0 && cli->summary != NULL) {
        rc = hr_file_replace(cli->summary, hr_buf_slice(&text), err);
    }
    hr_buf_release(&text);
    return rc;
}

static void show_summary(const struct hr_cli *cli, const struct hr_summary *s, const char *what) {
    long peak_kb;
    const double cpu = cpu_seconds(&peak_kb);
    const struct requests r = requests_of(s);
    if (hr_cli_quiet(cli)) {
        return;
    }
    char in[32];
    char out[32];
    hr_cli_size((double)s->counts.bytes, in, sizeof(in));
    hr_cli_size((double)s->bytes_out, out, sizeof(out));
    fprintf(stderr, "%s: %lld objects (%s), %lld rows -> %lld files (%s), %lld rows\n", what,
            (long long)s->counts.objects, in, (long long)s->counts.rows_in, (long long)s->files,
            out, (long long)s->counts.rows_out);
    if (s->counts.rejected || s->counts.nulled || s->counts.deleted || s->counts.replaced) {
        fprintf(
            stderr,
            "  %lld bad records left out, %lld values null, %lld objects gone, %lld read again\n",
            (long long)s->counts.rejected, (long long)s->counts.nulled,
            (long long)s->counts.deleted, (long long)s->counts.replaced);
    }
    if (s->counts.rounded) {
        fprintf(stderr, "  %lld values rounded to what a double holds\n",
                (long long)s->counts.rounded);
    }
    fprintf(stderr,
            "  %llu LIST, %llu GET, %llu PUT requests (%llu retries); %.2f s, %.2f CPU-s, %ld MiB "
            "at most\n",
            r.lists, r.reads, r.writes, r.retries, s->seconds, cpu, peak_kb / 1024);
}

int hr_cli_summary(const struct hr_cli *cli, const struct hr_summary *s, const char *what,
                   struct hr_error *err) {
    if (!cli->json) {
        show_summary(cli, s, what);
    }
    return cli->json || cli->summary != NULL ? write_summary(cli, s, what, err) : 0;
}
