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

#define USER "headracetest"
#define PASSWORD "headracesecret"
#define BUCKET "lake"

struct test_minio {
    pid_t pid;
    int port;
    char dir[400];
    char endpoint[64];
};

int test_free_port(void) {
    struct sockaddr_in addr = {.sin_family = AF_INET};
    socklen_t len = sizeof(addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
    close(fd);
    return ntohs(addr.sin_port);
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

static bool ready(const struct test_minio *m) {
    char url[128];
    long status = 0;
    snprintf(url, sizeof(url), "%s/minio/health/ready", m->endpoint);
    CURL *curl = curl_easy_init();
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 5L);
    if (curl_easy_perform(curl) == CURLE_OK) {
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    }
    curl_easy_cleanup(curl);
    return status == 200;
}

static void nap_ms(long ms) {
    struct timespec ts = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&ts, NULL);
}

static void run_server(const struct test_minio *m, const char *binary) {
    char address[32];
    snprintf(address, sizeof(address), "127.0.0.1:%d", m->port);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setenv("MINIO_ROOT_USER", USER, 1);
    setenv("MINIO_ROOT_PASSWORD", PASSWORD, 1);
    setenv("MINIO_BROWSER", "off", 1);
    setenv("MINIO_DOMAIN", "localhost", 1); /* BUCKET.localhost is virtual-host style */
    setenv("MINIO_UPDATE", "off", 1);
    setenv("MINIO_API_REQUESTS_MAX", "400", 1);
    if (freopen("/dev/null", "w", stdout) == NULL) {
        _exit(127);
    }
    execl(binary, binary, "server", "--quiet", "--address", address, m->dir, (char *)NULL);
    _exit(127);
}

struct test_minio *test_minio_start(void) {
    char binary[1100];
    if (!find_binary(binary, sizeof(binary))) {
        return NULL;
    }
    curl_global_init(CURL_GLOBAL_DEFAULT);
    struct test_minio *m = calloc(1, sizeof(*m));
    m->port = test_free_port();
    snprintf(m->dir, sizeof(m->dir), "%s", test_tmpdir());
    snprintf(m->endpoint, sizeof(m->endpoint), "http://localhost:%d", m->port);
    test_minio_bucket(m, BUCKET);
    m->pid = fork();
    if (m->pid == 0) {
        run_server(m, binary);
    }
    for (int i = 0; i < 600; i++) {
        if (ready(m)) {
            return m;
        }
        if (waitpid(m->pid, NULL, WNOHANG) == m->pid) {
            break;
        }
        nap_ms(50);
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
    char path[600];
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
        .access_key_id = USER,
        .secret_access_key = PASSWORD,
        .retry_count = 2,
        .backoff_ms = 10,
        .timeout_seconds = 30,
    };
}

int test_minio_port(const struct test_minio *m) {
    return m->port;
}
