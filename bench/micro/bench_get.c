/* bench/micro/bench_get.c - what transport costs this process: large and small GETs through the
 * feed, uploads, LIST pages, against a real MinIO on loopback (its own CPU is not counted).
 *
 * Takes the server from HEADRACE_MINIO or the cache folder tools/get-minio fills; without one it
 * says SKIPPED. Prints `name value unit [floor]`; the floors are libcurl's in docs/internals. */
#include <arpa/inet.h>
#include <glob.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/io.h"

enum { LARGE = 6, LARGE_LEN = 64 << 20, SMALL = 4000, SMALL_LEN = 10000, RUNS = 5 };

static double clock_of(clockid_t id) {
    struct timespec ts;
    clock_gettime(id, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static void must(int rc, const struct hr_error *err) {
    if (rc < 0) {
        char text[3000];
        hr_error_format(err, text, sizeof(text));
        fprintf(stderr, "%s\n", text);
        exit(1);
    }
}

/* ---- server --------------------------------------------------------------------------------- */

static char folder[64];
static pid_t server;

static void stop_server(void) {
    char command[100];
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    if (system(command) != 0) {
        fprintf(stderr, "could not remove %s\n", folder);
    }
}

static int free_port(void) {
    struct sockaddr_in addr = {.sin_family = AF_INET};
    socklen_t len = sizeof(addr);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0 ||
        getsockname(fd, (struct sockaddr *)&addr, &len) != 0) {
        exit(1);
    }
    close(fd);
    return ntohs(addr.sin_port);
}

static bool start_server(int port) {
    char pattern[1000];
    char address[32];
    char bucket[80];
    const char *named = getenv("HEADRACE_MINIO");
    const char *cache = getenv("XDG_CACHE_HOME");
    const char *home = getenv("HOME");
    snprintf(pattern, sizeof(pattern), "%s%s/headrace/bin/minio*",
             cache  ? cache
             : home ? home
                    : "",
             cache ? "" : "/.cache");
    glob_t found;
    if (named == NULL && (glob(pattern, 0, NULL, &found) != 0 || found.gl_pathc == 0)) {
        return false;
    }
    const char *binary = named ? named : found.gl_pathv[found.gl_pathc - 1];
    snprintf(folder, sizeof(folder), "%s/headrace-bench-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (mkdtemp(folder) == NULL) {
        return false;
    }
    snprintf(bucket, sizeof(bucket), "%s/bench", folder);
    mkdir(bucket, 0777);
    snprintf(address, sizeof(address), "127.0.0.1:%d", port);
    fflush(stdout);
    server = fork();
    if (server == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        setenv("MINIO_ROOT_USER", "benchbench", 1);
        setenv("MINIO_ROOT_PASSWORD", "benchbench", 1);
        setenv("MINIO_BROWSER", "off", 1);
        if (freopen("/dev/null", "w", stdout) == NULL) {
            _exit(127);
        }
        execl(binary, binary, "server", "--quiet", "--address", address, folder, (char *)NULL);
        _exit(127);
    }
    atexit(stop_server);
    return true;
}

static struct hr_store *open_store(int port) {
    struct hr_store *store;
    struct hr_error err;
    char url[64];
    snprintf(url, sizeof(url), "http://127.0.0.1:%d", port);
    struct hr_store_conf conf = {
        .scheme = "s3",
        .bucket = "bench",
        .endpoint_url = url,
        .region = "us-east-1",
        .path_style = -1,
        .access_key_id = "benchbench",
        .secret_access_key = "benchbench",
        .retry_count = 12,
    };
    must(hr_store_open(&conf, &store, &err), &err);
    return store;
}

/* ---- works ---------------------------------------------------------------------------------- */

static void put_large(struct hr_store *store, const char *key, const uint8_t *data) {
    struct hr_error err;
    struct hr_upload_out *up;
    const struct hr_part *parts;
    size_t n;
    int64_t bytes;
    char *id = NULL;
    must(store->driver->mp_create(store, key, NULL, &id, &err), &err);
    must(hr_upload_open(store, NULL, key, id, 0, 4, &up, &err), &err);
    for (size_t at = 0; at < LARGE_LEN; at += 1 << 20) {
        must(hr_out_write(hr_upload_as_out(up), data + at, 1 << 20, &err), &err);
    }
    must(hr_upload_finish(up, &parts, &n, &bytes, &err), &err);
    must(store->driver->mp_complete(store, key, id, parts, n, NULL, NULL, &err), &err);
    hr_upload_close(up);
    hr_free(id);
}

static void read_all(struct hr_store *store, const struct hr_split *splits, size_t count,
                     int parts_ahead, int objects_ahead, int64_t want) {
    struct hr_feed_conf conf = {
        .store = store,
        .parts_ahead = parts_ahead,
        .objects_ahead = objects_ahead,
    };
    struct hr_feed *feed;
    struct hr_error err;
    const struct hr_split *split;
    struct hr_source *src;
    struct hr_slice got;
    int64_t bytes = 0;
    must(hr_feed_open(&conf, splits, count, &feed, &err), &err);
    while (hr_feed_next(feed, &split, &src, &err) == 0) {
        int rc;
        while ((rc = hr_source_next(src, &got, &err)) == 0) {
            bytes += (int64_t)got.len;
        }
        must(rc, &err);
    }
    hr_feed_close(feed);
    if (bytes != want) {
        fprintf(stderr, "read %lld bytes\n", (long long)bytes);
        exit(1);
    }
}

static void list_all(struct hr_store *store, int rounds) {
    struct hr_list_page page = {0};
    struct hr_error err;
    for (int i = 0; i < rounds; i++) {
        struct hr_list_query q = {.prefix = "s/"};
        must(store->driver->list(store, &q, &page, &err), &err);
        if (page.count != 1000) {
            exit(1);
        }
    }
    hr_list_page_release(&page);
}

struct timing {
    double cpu, wall;
};
static struct timing best;
static double cpu_start, wall_start;

static void begin(void) {
    cpu_start = clock_of(CLOCK_PROCESS_CPUTIME_ID);
    wall_start = clock_of(CLOCK_MONOTONIC);
}
static void end(int run) {
    double cpu = clock_of(CLOCK_PROCESS_CPUTIME_ID) - cpu_start;
    double wall = clock_of(CLOCK_MONOTONIC) - wall_start;
    best.cpu = run == 0 || cpu < best.cpu ? cpu : best.cpu;
    best.wall = run == 0 || wall < best.wall ? wall : best.wall;
}

int main(void) {
    int port = free_port();
    if (!start_server(port)) {
        printf("SKIPPED get: no MinIO (see tools/get-minio)\n");
        return 0;
    }
    struct hr_store *store = open_store(port);
    struct hr_error err;
    static struct hr_split large[LARGE];
    static struct hr_split small[SMALL];
    static char names[SMALL + LARGE][24];
    uint8_t *data = hr_big_alloc(LARGE_LEN, &(size_t){0});
    uint64_t seed = 1;
    for (size_t i = 0; i < LARGE_LEN / 8; i++) {
        seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
        memcpy(data + i * 8, &seed, 8);
    }
    const double gb = (double)LARGE * LARGE_LEN / 1e9;
    const int64_t large_bytes = (int64_t)LARGE * LARGE_LEN;
    for (int i = 0; i < LARGE; i++) {
        snprintf(names[i], sizeof(names[i]), "l/%d", i);
        large[i] = (struct hr_split){.key = names[i], .size = LARGE_LEN, .end = -1};
    }
    for (int run = 0; run < 2; run++) {
        begin();
        for (int i = 0; i < LARGE; i++) {
            put_large(store, names[i], data);
        }
        end(run);
    }
    printf("put.8MiB_parts %.3f cpu_s/GB 0.255\n", best.cpu / gb);
    for (int i = 0; i < SMALL; i++) {
        char *name = names[LARGE + i];
        snprintf(name, sizeof(names[0]), "s/%06d", i);
        small[i] = (struct hr_split){.key = name, .size = SMALL_LEN, .end = -1};
        must(store->driver->put(store, name, hr_slice_of(data, SMALL_LEN), NULL, NULL, &err), &err);
    }
    for (int run = 0; run < RUNS; run++) {
        begin();
        read_all(store, large, LARGE, 8, 32, large_bytes);
        end(run);
    }
    printf("get.8MiB_parts_8_ahead %.3f cpu_s/GB 0.136\n", best.cpu / gb);
    printf("get.8MiB_parts_8_ahead_rate %.2f GB/s\n", gb / best.wall);
    for (int run = 0; run < RUNS; run++) {
        begin();
        read_all(store, large, LARGE, 3, 32, large_bytes);
        end(run);
    }
    printf("get.8MiB_parts_3_ahead %.3f cpu_s/GB 0.136\n", best.cpu / gb);
    printf("get.8MiB_parts_3_ahead_rate %.2f GB/s\n", gb / best.wall);
    static const int ahead[] = {4, 16, 32};
    for (size_t k = 0; k < 3; k++) {
        for (int run = 0; run < RUNS; run++) {
            begin();
            read_all(store, small, SMALL, 3, ahead[k], (int64_t)SMALL * SMALL_LEN);
            end(run);
        }
        printf("get.10kB_%d_ahead %.1f cpu_us/req 46\n", ahead[k], best.cpu / SMALL * 1e6);
        printf("get.10kB_%d_ahead_rate %.0f req/s\n", ahead[k], SMALL / best.wall);
    }
    for (int run = 0; run < RUNS; run++) {
        begin();
        list_all(store, 20);
        end(run);
    }
    printf("list.page_of_1000 %.0f cpu_us/page 277\n", best.cpu / 20 * 1e6);
    hr_big_free(data);
    hr_store_close(store);
    return 0;
}
