/* tests/support/minio.c - starts and stops a MinIO server for tests. */
#include "minio.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <glob.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "support.h"

#define PASSWORD "headracesecret"
#define STARTS 5        /* another program may be quicker to take the port */
#define START_TRIES 600 /* of 0.2 s and a request */
#define BUCKET "lake"

struct test_minio {
    pid_t pid;
    int port;
    char user[40]; /* no other server knows it */
    char dir[1100];
    char endpoint[64];
};

static bool bind_port(int fd, int port) {
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return bind(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0;
}

int test_refusing_port(int *fd) {
    struct sockaddr_in addr;
    socklen_t len = sizeof(addr);
    *fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(bind_port(*fd, 0));
    assert_int_equal(getsockname(*fd, (struct sockaddr *)&addr, &len), 0);
    return ntohs(addr.sin_port);
}

/* One that is free just now, of those the kernel gives to nobody unasked. */
static int free_port(void) {
    uint64_t seed = (uint64_t)getpid() * 1000003 + (uint64_t)time(NULL);
    for (;;) {
        const int port = 16384 + (int)(test_rand(&seed) % 16384);
        const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const bool free = bind_port(fd, port);
        close(fd);
        if (free) {
            return port;
        }
    }
}

static bool find_binary(char *out, size_t size) {
    const char *named = getenv("HEADRACE_MINIO");
    if (named != NULL && named[0] != '\0') {
        snprintf(out, size, "%s", named);
        return access(out, X_OK) == 0;
    }
    char pattern[1000];
    const char *cache = getenv("XDG_CACHE_HOME");
    const char *home = getenv("HOME");
    if (cache != NULL && cache[0] != '\0') {
        snprintf(pattern, sizeof(pattern), "%s/headrace/bin/minio*", cache);
    } else {
        snprintf(pattern, sizeof(pattern), "%s/.cache/headrace/bin/minio*", home ? home : "");
    }
    glob_t found;
    bool ok = glob(pattern, 0, NULL, &found) == 0 && found.gl_pathc > 0;
    if (ok) {
        snprintf(out, size, "%s", found.gl_pathv[found.gl_pathc - 1]);
        ok = access(out, X_OK) == 0;
    }
    globfree(&found);
    return ok;
}

/* It answers a request that is signed with its own keys: its other signs of health come before it
 * can, and whoever else got the port does not know them. */
static bool ready(const struct test_minio *m) {
    struct hr_store_conf conf = test_minio_conf(m);
    struct hr_store *store;
    struct hr_error err;
    struct hr_list_page page = {0};
    const struct hr_list_query all = {0};
    conf.retry_count = 0;
    if (hr_store_open(&conf, &store, &err) != 0) {
        return false;
    }
    const int rc = store->driver->list(store, &all, &page, &err);
    hr_list_page_release(&page);
    hr_store_close(store);
    return rc == 0;
}

static void nap_ms(long ms) {
    struct timespec ts = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&ts, NULL);
}

static void run_server(const struct test_minio *m, const char *binary) {
    char address[32];
    snprintf(address, sizeof(address), "127.0.0.1:%d", m->port);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setenv("MINIO_ROOT_USER", m->user, 1);
    setenv("MINIO_ROOT_PASSWORD", PASSWORD, 1);
    setenv("MINIO_BROWSER", "off", 1);
    setenv("MINIO_DOMAIN", "localhost", 1); /* BUCKET.localhost is virtual-host style */
    setenv("MINIO_UPDATE", "off", 1);
    /* A slow disk or many requests at once are no reasons to refuse any. */
    setenv("MINIO_API_REQUESTS_MAX", "400", 1);
    setenv("MINIO_API_REQUESTS_DEADLINE", "5m", 1);
    setenv("MINIO_DRIVE_MAX_TIMEOUT", "10m", 1);
    setenv("_MINIO_DRIVE_ACTIVE_MONITORING", "off", 1);
    if (freopen("/dev/null", "w", stdout) == NULL) {
        _exit(127);
    }
    execl(binary, binary, "server", "--quiet", "--address", address, m->dir, (char *)NULL);
    _exit(127);
}

static bool start(struct test_minio *m, const char *binary) {
    m->pid = fork();
    if (m->pid == 0) {
        run_server(m, binary);
    }
    for (int i = 0; i < START_TRIES; i++) {
        if (ready(m)) {
            return true;
        }
        if (waitpid(m->pid, NULL, WNOHANG) == m->pid) {
            return false;
        }
        nap_ms(200);
    }
    kill(m->pid, SIGKILL);
    waitpid(m->pid, NULL, 0);
    return false;
}

struct test_minio *test_minio_start(void) {
    char binary[1100];
    if (!find_binary(binary, sizeof(binary))) {
        return NULL;
    }
    curl_global_init(CURL_GLOBAL_DEFAULT);
    struct test_minio *m = calloc(1, sizeof(*m));
    snprintf(m->user, sizeof(m->user), "headrace%d", (int)getpid());
    snprintf(m->dir, sizeof(m->dir), "%s", test_tmpdir());
    test_minio_bucket(m, BUCKET);
    for (int i = 0; i < STARTS; i++) {
        m->port = free_port();
        snprintf(m->endpoint, sizeof(m->endpoint), "http://localhost:%d", m->port);
        if (start(m, binary)) {
            return m;
        }
    }
    fail_msg("%s did not start", binary);
    return NULL;
}

void test_minio_stop(struct test_minio *m) {
    if (m != NULL) {
        kill(m->pid, SIGKILL);
        waitpid(m->pid, NULL, 0);
        free(m);
    }
}

/* A folder of the server's only drive is a bucket. */
void test_minio_bucket(const struct test_minio *m, const char *name) {
    char path[sizeof(m->dir) + 100];
    snprintf(path, sizeof(path), "%s/%s", m->dir, name);
    assert_int_equal(mkdir(path, 0777), 0);
}

struct hr_store_conf test_minio_conf(const struct test_minio *m) {
    return (struct hr_store_conf){
        .scheme = "s3",
        .bucket = BUCKET,
        .endpoint_url = m->endpoint,
        .region = "us-east-1",
        .path_style = -1,
        .access_key_id = m->user,
        .secret_access_key = PASSWORD,
        .retry_count = 2,
        .backoff_ms = 10,
        .timeout_seconds = 240,
    };
}

int test_minio_port(const struct test_minio *m) {
    return m->port;
}
