/* tests/support/support.c - files, folders and the corpus for C tests. */
#include "support.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Nothing of the surroundings may decide a test: keys, endpoints and proxies of whoever runs it. */
__attribute__((constructor)) static void forget_surroundings(void) {
    static const char *const all[] = {"AWS_", "MINIO_"};
    static const char *const names[] = {"http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY",
                                        "all_proxy",  "ALL_PROXY",  "no_proxy",    "NO_PROXY"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        unsetenv(names[i]);
    }
    for (char **at = environ; *at != NULL;) {
        char name[256];
        const size_t len = strcspn(*at, "=");
        bool ours = false;
        for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
            ours = ours || strncmp(*at, all[i], strlen(all[i])) == 0;
        }
        if (ours && len < sizeof(name)) {
            memcpy(name, *at, len);
            name[len] = '\0';
            unsetenv(name); /* moves the rest up */
        } else {
            at++;
        }
    }
}

const char *test_corpus(const char *relative) {
    static char path[4096];
    const char *root = getenv("HEADRACE_CORPUS");
    if (root == NULL || root[0] == '\0') {
        root = "../shared/corpus";
    }
    snprintf(path, sizeof(path), "%s/%s", root, relative);
    return access(path, R_OK) == 0 ? path : NULL;
}

void test_skip_corpus(const char *name, int cases) {
    printf("SKIPPED %d cases: corpus %s is absent\n", cases, name);
}

void test_read_file(const char *path, struct hr_buf *buf) {
    hr_buf_init(buf, (size_t)4 << 30);
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        fail_msg("could not open '%s': %s", path, strerror(errno));
        return;
    }
    uint8_t chunk[65536];
    size_t got;
    while ((got = fread(chunk, 1, sizeof(chunk), file)) > 0) {
        assert_int_equal(hr_buf_append(buf, chunk, got, NULL), 0);
    }
    fclose(file);
}

void test_write_file(const char *path, const void *ptr, size_t len) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(ptr, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

static int skip_dots(const struct dirent *entry) {
    return entry->d_name[0] != '.';
}

int test_each_file(const char *dir, void (*fn)(const char *path, void *user), void *user) {
    struct dirent **names = NULL;
    int n = scandir(dir, &names, skip_dots, alphasort);
    int count = 0;
    for (int i = 0; i < n; i++) {
        char path[4096];
        snprintf(path, sizeof(path), "%s/%s", dir, names[i]->d_name);
        free(names[i]);
        struct stat st;
        if (stat(path, &st) != 0) {
            continue;
        }
        if (S_ISDIR(st.st_mode)) {
            count += test_each_file(path, fn, user);
        } else if (S_ISREG(st.st_mode)) {
            fn(path, user);
            count++;
        }
    }
    free(names);
    return count;
}

static char tmp_path[1024];

static void remove_tmp(void) {
    char command[sizeof(tmp_path) + 20];
    snprintf(command, sizeof(command), "rm -rf '%s'", tmp_path);
    if (system(command) != 0) {
        fprintf(stderr, "could not remove %s\n", tmp_path);
    }
}

const char *test_tmpdir(void) {
    static char sub[sizeof(tmp_path) + 20];
    static int serial = 0;
    if (tmp_path[0] == '\0') {
        const char *base = getenv("TMPDIR");
        snprintf(tmp_path, sizeof(tmp_path), "%s/headrace-test-XXXXXX", base ? base : "/tmp");
        assert_non_null(mkdtemp(tmp_path));
        atexit(remove_tmp);
    }
    snprintf(sub, sizeof(sub), "%s/%d", tmp_path, serial++);
    assert_int_equal(mkdir(sub, 0700), 0);
    return sub;
}

uint64_t test_rand(uint64_t *state) {
    uint64_t z = (*state += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

void test_assert_rc(int rc, int want, const struct hr_error *err, const char *file, int line) {
    if (rc == want) {
        return;
    }
    char text[3000] = "";
    if (err != NULL && rc < 0) {
        hr_error_format(err, text, sizeof(text));
    }
    fprintf(stderr, "result %d (%s), wanted %d\n%s\n", rc, hr_code_name(rc), want, text);
    _fail(file, line);
}
