/* The lister: every key once and in order at any width, within its budget of requests, also over a
 * store that ignores start-after, that fails, and when memory runs out. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "plan/lister_internal.h"
#include "store/page.h"
#include "support.h"

/* A store of sorted keys that only lists. */
struct fake {
    struct hr_store base;
    char **keys;
    size_t count;
    bool ignore_start_after;
    int fail_at; /* request number that fails, 0 never */
    int requests;
    int by_prefix;        /* listings of a folder deeper than the year */
    int started_after;    /* those that begin behind a key */
    size_t hold_at;       /* a page from this key on waits for the first of those; 0 none does */
    bool hold_for_prefix; /* only by_prefix counts */
    pthread_cond_t changed;
    pthread_mutex_t lock;
};

static size_t first_above(const struct fake *f, const char *key) {
    size_t low = 0;
    size_t high = f->count;
    while (key && low < high) {
        size_t mid = (low + high) / 2;
        if (strcmp(f->keys[mid], key) <= 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return key ? low : 0;
}

static int fake_list(struct hr_store *store, const struct hr_list_query *q,
                     struct hr_list_page *page, struct hr_error *err) {
    struct fake *f = (struct fake *)store;
    pthread_mutex_lock(&f->lock);
    int number = ++f->requests;
    if (strstr(q->prefix, "month=")) {
        f->by_prefix++;
        pthread_cond_broadcast(&f->changed);
    }
    if (q->start_after) {
        f->started_after++;
        pthread_cond_broadcast(&f->changed);
    }
    while (f->hold_at && q->token && strtoul(q->token, NULL, 10) >= f->hold_at && !f->by_prefix &&
           (f->hold_for_prefix || !f->started_after)) {
        pthread_cond_wait(&f->changed, &f->lock);
    }
    pthread_mutex_unlock(&f->lock);
    if (number == f->fail_at) {
        return hr_fail(err, HR_E_STORE, "could not list: told to fail");
    }
    size_t prefix_len = strlen(q->prefix);
    size_t at = q->token ? (size_t)strtoul(q->token, NULL, 10)
                         : first_above(f, f->ignore_start_after ? NULL : q->start_after);
    size_t skip = first_above(f, q->prefix);
    at = at < skip && !q->token ? skip - (skip > 0 && strcmp(f->keys[skip - 1], q->prefix) == 0)
                                : at;
    char last[1200] = "";
    size_t i = at;
    struct hr_object_info info = {.size = 1};
    int rc = hr_page_begin(page, 4096, err);
    for (; rc == 0 && i < f->count && page->count < (size_t)q->page_size; i++) {
        const char *key = f->keys[i];
        if (strncmp(key, q->prefix, prefix_len) != 0) {
            break;
        }
        const char *slash = q->delimiter ? strchr(key + prefix_len, '/') : NULL;
        size_t len = slash ? (size_t)(slash - key) + 1 : strlen(key);
        if (slash && strlen(last) == len && memcmp(last, key, len) == 0) {
            continue;
        }
        memcpy(last, key, len);
        last[len] = 0;
        rc = hr_page_add(page, key, len, slash != NULL, &info, err);
    }
    bool more = i < f->count && strncmp(f->keys[i], q->prefix, prefix_len) == 0;
    char token[32];
    size_t token_len = (size_t)snprintf(token, sizeof token, "%zu", i);
    return rc ? rc : hr_page_finish(page, more ? token : NULL, token_len, err);
}

static const struct hr_store_driver fake_driver = {.name = "fake", .list = fake_list};

static int by_text(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void fake_init(struct fake *f, size_t count, void (*make)(size_t i, char *out)) {
    memset(f, 0, sizeof *f);
    f->base.driver = &fake_driver;
    f->base.caps = HR_CAP_ORDERED | HR_CAP_START_AFTER;
    f->keys = calloc(count, sizeof *f->keys);
    f->count = count;
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->changed, NULL);
    for (size_t i = 0; i < count; i++) {
        char key[200];
        make(i, key);
        f->keys[i] = strdup(key);
    }
    qsort(f->keys, count, sizeof *f->keys, by_text);
}

static void fake_free(struct fake *f) {
    for (size_t i = 0; i < f->count; i++) {
        free(f->keys[i]);
    }
    free(f->keys);
    pthread_cond_destroy(&f->changed);
    pthread_mutex_destroy(&f->lock);
}

static void flat_numbers(size_t i, char *out) {
    snprintf(out, 200, "flat/file-%08zu.csv", i);
}
static void flat_hex(size_t i, char *out) {
    uint64_t state = i + 1;
    snprintf(out, 200, "flat/%016llx", (unsigned long long)test_rand(&state));
}
static void flat_words(size_t i, char *out) {
    static const char *const words[] = {"alpha", "beta", "gamma", "delta"};
    snprintf(out, 200, "flat/%s %zu (copy).txt", words[i % 4], i);
}
static void in_folders(size_t i, char *out) {
    size_t day = i / 300;
    snprintf(out, 200, "lake/year=2024/month=%02zu/day=%02zu/part-%05zu.csv", 1 + day / 28,
             1 + day % 28, i % 300);
}

/* Folders of many pages, each with a key of its own name. */
static void big_folders(size_t i, char *out) {
    const size_t month = i / 8000;
    int n = snprintf(out, 200, "lake/year=2024/month=%02zu/", 1 + month);
    if (i % 8000 != 0) {
        snprintf(out + n, 200 - (size_t)n, "day=%02zu/%05zu", i % 28, i);
    }
}
/* A large folder, then thousands with a key or two, then a large one. */
static void uneven_folders(size_t i, char *out) {
    if (i < 9000 || i >= 16000) {
        snprintf(out, 200, "lake/%s/%06zu", i < 9000 ? "a" : "z", i);
    } else {
        snprintf(out, 200, "lake/user-%05zu/%s", i / 2, i % 2 ? "file" : "");
    }
}
/* Large folders with keys between them whose names sort around the slash. */
static void loose_keys(size_t i, char *out) {
    if (i % 500 == 0) {
        snprintf(out, 200, "lake/d%zu%s", i / 6000, i % 1000 ? ".txt" : i % 1500 ? "0" : "");
        snprintf(out + strlen(out), 40, "%zu", i);
    } else {
        snprintf(out, 200, "lake/d%zu/%05zu", i / 6000, i);
    }
}

/* Every page comes at once: what the width is does not depend on how busy the machine is. */
static int64_t still(void) {
    return 0;
}

/* List all; checks order and completeness. */
static struct hr_lister_stats list_all(struct fake *f, const char *prefix, int width) {
    struct hr_error err;
    struct hr_lister *lister = NULL;
    struct hr_lister_conf conf = {
        .store = &f->base, .prefix = prefix, .width = width, .clock = still};
    assert_rc(hr_lister_open(&conf, &lister, &err), 0, &err);
    size_t n = 0;
    const struct hr_list_item *item = NULL;
    int rc = 0;
    while ((rc = hr_lister_next(lister, &item, &err)) == 0) {
        assert_true(n < f->count);
        assert_string_equal(item->key, f->keys[n]);
        n++;
    }
    assert_rc(rc, HR_END, &err);
    assert_int_equal(n, f->count);
    struct hr_lister_stats stats;
    hr_lister_get_stats(lister, &stats);
    hr_lister_close(lister);
    assert_int_equal(stats.keys, n);
    return stats;
}

static void test_all_keys_at_any_width(void **state) {
    (void)state;
    static void (*const shapes[])(size_t, char *) = {
        flat_numbers, flat_hex, flat_words, in_folders, big_folders, uneven_folders, loose_keys};
    static const size_t counts[] = {0, 1, 999, 1000, 1001, 5000, 23456};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
            struct fake f;
            fake_init(&f, counts[c], shapes[s]);
            for (int width = 1; width <= 8; width += 7) {
                list_all(&f, s >= 3 ? "lake/" : "flat/", width);
                list_all(&f, "", width);
            }
            fake_free(&f);
        }
    }
}

static void test_flat_budget(void **state) {
    (void)state;
    static void (*const shapes[])(size_t, char *) = {flat_numbers, flat_hex, flat_words};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        struct fake f;
        fake_init(&f, 100000, shapes[s]);
        f.hold_at = s == 2 ? 0 : 50000; /* words give no guess */
        struct hr_lister_stats stats = list_all(&f, "flat/", 8);
        print_message("shape %zu: %llu requests, split %d\n", s, (unsigned long long)stats.requests,
                      stats.split);
        assert_true(stats.requests <= 105);
        assert_true(s == 2 || stats.split);
        f.hold_at = 0;
        stats = list_all(&f, "flat/", 1);
        assert_int_equal(stats.requests, 100);
        fake_free(&f);
    }
}

static void test_folders_split(void **state) {
    (void)state;
    struct fake f;
    fake_init(&f, 100000, in_folders);
    f.hold_at = 50000;
    struct hr_lister_stats stats = list_all(&f, "lake/", 8);
    assert_true(stats.split);
    assert_true(stats.requests <= 130);
    fake_free(&f);
}

/* Folders of many pages are asked for by their prefix: the plain walk is held until one is. */
static void test_folders_by_prefix(void **state) {
    (void)state;
    struct fake f;
    fake_init(&f, 96000, big_folders);
    f.hold_at = 5000;
    f.hold_for_prefix = true;
    struct hr_lister_stats stats = list_all(&f, "lake/", 8);
    assert_true(stats.split);
    assert_true(f.by_prefix > 0);
    assert_true(stats.requests <= 96 + 24); /* width, probes and an eighth of the pages */
    fake_free(&f);
}

/* Many small folders behind a large one do not cost a request each. */
static void test_uneven_folders(void **state) {
    (void)state;
    struct fake f;
    fake_init(&f, 25000, uneven_folders);
    struct hr_lister_stats stats = list_all(&f, "lake/", 8);
    assert_true(stats.requests <= 25 + 17);
    fake_free(&f);
}

static void test_ignored_start_after(void **state) {
    (void)state;
    static void (*const shapes[])(size_t, char *) = {flat_numbers, flat_hex, in_folders,
                                                     big_folders, uneven_folders};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        struct fake f;
        fake_init(&f, 30000, shapes[s]);
        f.ignore_start_after = true;
        struct hr_lister_stats stats = list_all(&f, "", 8);
        assert_true(stats.serial || f.started_after == 0); /* folders by their prefix are right */
        f.base.caps &= ~(unsigned)HR_CAP_START_AFTER;
        stats = list_all(&f, "", 8);
        assert_false(stats.split);
        assert_int_equal(stats.requests, 30);
        fake_free(&f);
    }
}

static void test_failures_end_the_listing(void **state) {
    (void)state;
    struct fake f;
    fake_init(&f, 9000, flat_numbers);
    for (int width = 1; width <= 4; width += 3) {
        for (int fail = 1; fail <= 9; fail++) {
            struct hr_error err;
            struct hr_lister *lister = NULL;
            struct hr_lister_conf conf = {.store = &f.base, .prefix = "", .width = width};
            f.requests = 0;
            f.fail_at = fail;
            assert_rc(hr_lister_open(&conf, &lister, &err), 0, &err);
            const struct hr_list_item *item = NULL;
            size_t n = 0;
            int rc = 0;
            while ((rc = hr_lister_next(lister, &item, &err)) == 0) {
                assert_string_equal(item->key, f.keys[n]);
                n++;
            }
            if (rc == HR_END) { /* the failing request was one nobody needed */
                assert_int_equal(n, f.count);
            } else {
                assert_int_equal(rc, HR_E_STORE);
                assert_int_equal(hr_lister_next(lister, &item, &err), HR_E_STORE);
            }
            hr_lister_close(lister);
        }
    }
    fake_free(&f);
}

static void test_close_early(void **state) {
    (void)state;
    struct fake f;
    fake_init(&f, 20000, flat_numbers);
    for (size_t stop = 0; stop < 3000; stop += 1499) {
        struct hr_error err;
        struct hr_lister *lister = NULL;
        struct hr_lister_conf conf = {.store = &f.base, .prefix = "", .width = 8};
        assert_rc(hr_lister_open(&conf, &lister, &err), 0, &err);
        const struct hr_list_item *item = NULL;
        for (size_t i = 0; i < stop; i++) {
            assert_rc(hr_lister_next(lister, &item, &err), 0, &err);
        }
        hr_lister_close(lister);
    }
    fake_free(&f);
}

static void test_no_memory(void **state) {
    (void)state;
    struct fake f;
    fake_init(&f, 2500, flat_numbers);
    int64_t live = hr_mem_live();
    for (uint64_t nth = 1; nth < 200; nth++) {
        struct hr_error err;
        struct hr_lister *lister = NULL;
        struct hr_lister_conf conf = {.store = &f.base, .prefix = "", .width = 1};
        hr_mem_fail_at(nth, 0);
        int rc = hr_lister_open(&conf, &lister, &err);
        const struct hr_list_item *item = NULL;
        size_t n = 0;
        while (rc == 0 && (rc = hr_lister_next(lister, &item, &err)) == 0) {
            n++;
        }
        bool reached = hr_mem_count() >= nth;
        hr_mem_fail_at(0, 0);
        hr_lister_close(lister);
        assert_int_equal(hr_mem_live(), live);
        if (rc == HR_END) {
            assert_int_equal(n, f.count);
        } else {
            assert_int_equal(rc, HR_E_NOMEM);
        }
        if (!reached) {
            break;
        }
    }
    fake_free(&f);
}

static void test_guesses_lie_between(void **state) {
    (void)state;
    char out[HR_KEY_MAX];
    assert_true(hr_guess_split("a/file-000000.csv", "a/file-000999.csv", NULL, 8, out));
    assert_true(strcmp(out, "a/file-008") > 0 && strcmp(out, "a/file-010") < 0);
    assert_true(hr_guess_split("a/file-000000.csv", "a/file-000999.csv", "a/file-100", 8, out));
    assert_true(strcmp(out, "a/file-04") > 0 && strcmp(out, "a/file-06") < 0);
    assert_true(hr_guess_split("00ab34", "0312ff", NULL, 8, out));
    assert_true(out[0] >= '1' && out[0] <= '2');
    assert_false(hr_guess_split("same", "same", NULL, 8, out));
    assert_false(hr_guess_split("a b", "a c!", NULL, 8, out) && strcmp(out, "a c!") <= 0);
    uint64_t seed = 7;
    for (int i = 0; i < 20000; i++) { /* whatever the keys: a guess is above last and below end */
        char keys[3][24];
        for (int k = 0; k < 3; k++) {
            size_t len = 1 + test_rand(&seed) % 20;
            for (size_t c = 0; c < len; c++) {
                keys[k][c] = (char)(1 + test_rand(&seed) % 255);
                if (test_rand(&seed) % 2) {
                    keys[k][c] = (char)('0' + test_rand(&seed) % 10);
                }
            }
            keys[k][len] = 0;
        }
        if (strcmp(keys[0], keys[1]) < 0 &&
            hr_guess_split(keys[0], keys[1], strcmp(keys[1], keys[2]) < 0 ? keys[2] : NULL, 8,
                           out)) {
            assert_true(strcmp(out, keys[1]) > 0);
        }
    }
}

#define MS 1000000LL

/* A round of pages: as many as are allowed, all under way at once. */
static void pace_round(struct hr_list_pace *pace, int width, int64_t ns) {
    int pages = pace->allowed;
    for (int i = 0; i < pages; i++) {
        hr_list_pace_page(pace, width, pages, ns);
    }
}

/* Width grows while it pays, is given up where it does not, and is tried again later. */
static void test_pace(void **state) {
    (void)state;
    struct hr_list_pace pace = {.allowed = 2};
    hr_list_pace_page(&pace, 16, 1, 100 * MS);
    for (int round = 0; round < 3; round++) { /* a server with room: 2, 4, 8, 16 */
        pace_round(&pace, 16, 110 * MS);
    }
    assert_int_equal(pace.allowed, 16);
    pace_round(&pace, 16, 110 * MS);
    assert_int_equal(pace.allowed, 16);
    pace_round(&pace, 16, 180 * MS); /* not as quick as one, but more of them: stay */
    assert_int_equal(pace.allowed, 16);
    for (int round = 0; round < 4; round++) { /* n requests take longer than n times one */
        pace_round(&pace, 16, pace.allowed * 110 * MS);
    }
    assert_int_equal(pace.allowed, 1);
    for (int i = 0; i < 200 && pace.allowed == 1; i++) {
        hr_list_pace_page(&pace, 16, 1, 100 * MS);
    }
    assert_int_equal(pace.allowed, 2);
    struct hr_list_pace quick = {.allowed = 2};
    hr_list_pace_page(&quick, 8, 1, MS / 10);
    pace_round(&quick, 8, MS);
    pace_round(&quick, 8, MS);
    assert_int_equal(quick.allowed, 8);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_keys_at_any_width),
        cmocka_unit_test(test_flat_budget),
        cmocka_unit_test(test_folders_split),
        cmocka_unit_test(test_folders_by_prefix),
        cmocka_unit_test(test_uneven_folders),
        cmocka_unit_test(test_ignored_start_after),
        cmocka_unit_test(test_failures_end_the_listing),
        cmocka_unit_test(test_close_early),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_guesses_lie_between),
        cmocka_unit_test(test_pace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
