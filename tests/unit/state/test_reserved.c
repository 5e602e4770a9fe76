/* Names of outputs drawn ahead: every file that is opened is in the ledger before, thousands of
 * them in a few writes of it; names are those of files opened one by one; rollback, other folders,
 * the claim that was lost meanwhile, every allocation that fails. */
#include "support.h"

#include <stdio.h>
#include <string.h>

#include "state/commit.h"
#include "state/reserved.h"
#include "state/state.h"
#include "store/mem/mem_store.h"

static struct hr_error err;
static struct hr_store *dst, *state_store;
static struct hr_state *state;
static struct hr_commit *commit;

static void store_is(void *user, struct hr_store *store) {
    (void)user;
    state_store = store;
}

static int setup(void **unused) {
    (void)unused;
    const struct hr_store_conf conf = {.scheme = "mem", .bucket = "reserved"};
    const struct hr_state_conf state_conf = {.path = "mem:reserved-state/state.json",
                                             .destination = "mem:reserved",
                                             .lease_seconds = 36000, /* none is renewed */
                                             .store_is = store_is};
    hr_error_clear(&err);
    assert_rc(hr_store_open(&conf, &dst, &err), 0, &err);
    struct hr_state_conf with = state_conf;
    with.dst = dst;
    assert_rc(hr_state_open(&with, &state, &err), 0, &err);
    const struct hr_commit_conf c = {
        .store = dst, .state = state, .lineage = "abc", .seq = 7, .part_size = 1 << 16};
    assert_rc(hr_commit_begin(&c, &commit, &err), 0, &err);
    return 0;
}

static int teardown(void **unused) {
    (void)unused;
    hr_commit_end(commit);
    hr_state_close(state);
    hr_store_close(dst);
    hr_mem_store_drop("reserved");
    hr_mem_store_drop("reserved-state");
    return 0;
}

static int64_t state_puts(void) {
    struct hr_store_counters c;
    state_store->driver->counters(state_store, &c);
    return (int64_t)c.put;
}

struct look {
    const char *key;
    size_t found, all;
};

static int on_key(void *user, const char *key, struct hr_error *unused) {
    struct look *look = user;
    (void)unused;
    look->all++;
    look->found += strcmp(key, look->key) == 0;
    return 0;
}

static struct look in_ledger(const char *key) {
    struct look look = {.key = key};
    assert_rc(hr_state_each_intent(state, on_key, &look, &err), 0, &err);
    return look;
}

/* One small file there; its key stays in `key`. */
static void write_file(const char *folder, char key[1200]) {
    struct hr_output *out;
    assert_rc(hr_commit_next_key(commit, folder, ".csv", key, 1200, &err), 0, &err);
    assert_rc(hr_commit_open_output(commit, key, &out, &err), 0, &err);
    assert_rc(hr_out_write(hr_output_out(out), "x", 1, &err), 0, &err);
    assert_rc(hr_output_finish(out, 1, &err), 0, &err);
}

static void many_files_of_one_folder(void **unused) {
    (void)unused;
    enum { FILES = 1000 };
    const int64_t before = state_puts();
    char key[1200];
    for (int i = 0; i < FILES; i++) {
        char want[64];
        write_file("t/", key);
        snprintf(want, sizeof(want), "t/abc-000007-%04d.csv", i);
        assert_string_equal(key, want);
        if (i % 97 == 0) {
            assert_int_equal(in_ledger(key).found, 1);
        }
    }
    /* 1 1 2 4 … 256, then 256 each time. */
    assert_in_range(state_puts() - before, 8, 14);
    assert_in_range(in_ledger(key).all, FILES, 2 * FILES);
}

static void many_folders(void **unused) {
    (void)unused;
    enum { FOLDERS = 100 };
    const int64_t before = state_puts();
    const char *names[FOLDERS];
    char room[FOLDERS][32];
    char key[1200];
    for (int i = 0; i < FOLDERS; i++) {
        snprintf(room[i], sizeof(room[i]), "t/p=%d/", i);
        names[i] = room[i];
    }
    assert_rc(hr_commit_reserve(commit, names, FOLDERS, ".csv", &err), 0, &err);
    assert_int_equal(state_puts() - before, 1);
    /* Taken in any order, each folder has its own; a second file there is noted by itself. */
    for (int i = FOLDERS - 1; i >= 0; i--) {
        char want[64];
        write_file(names[i], key);
        snprintf(want, sizeof(want), "t/p=%d/abc-000007-%04d.csv", i, i);
        assert_string_equal(key, want);
    }
    assert_int_equal(state_puts() - before, 1);
    write_file(names[5], key);
    assert_string_equal(key, "t/p=5/abc-000007-0100.csv");
    assert_int_equal(in_ledger(key).found, 1);
    assert_int_equal(state_puts() - before, 2);
}

static void after_a_rollback_and_a_publish(void **unused) {
    (void)unused;
    char key[1200];
    write_file("t/", key);
    hr_commit_mark(commit);
    for (int i = 0; i < 5; i++) {
        write_file("t/", key);
    }
    hr_commit_rollback(commit);
    write_file("t/", key);
    assert_string_equal(key, "t/abc-000007-0001.csv");
    const struct hr_publish what = {.next_state = hr_slice_str("{}")};
    assert_rc(hr_commit_publish(commit, &what, &err), 0, &err);
    assert_int_equal(in_ledger("").all, 0);
    write_file("t/", key); /* the old ledger is gone: what it named is not noted any more */
    assert_string_equal(key, "t/abc-000008-0000.csv");
    assert_int_equal(in_ledger(key).found, 1);
}

static void a_name_too_long_is_not_noted(void **unused) {
    (void)unused;
    char folder[1100];
    char key[1200];
    memset(folder, 'f', sizeof(folder) - 2);
    folder[sizeof(folder) - 2] = '/';
    folder[sizeof(folder) - 1] = '\0';
    assert_int_equal(hr_commit_next_key(commit, folder, ".csv", key, sizeof(key), &err),
                     HR_E_CONFIG);
    assert_int_equal(in_ledger("").all, 0);
}

static void every_allocation_fails(void **unused) {
    (void)unused;
    struct hr_reserved r = {0};
    for (uint64_t n = 1; n < 60; n++) {
        hr_mem_fail_at(n, 0);
        int rc = 0;
        for (int i = 0; rc == 0 && i < 40; i++) {
            rc = hr_reserved_add(&r, i % 2 ? "a/" : "b/", "n", &err);
        }
        hr_mem_fail_at(0, 0);
        assert_true(rc == 0 || rc == HR_E_NOMEM);
        char *first = hr_reserved_take(&r, "a/");
        assert_true(first == NULL || strcmp(first, "a/n") == 0);
        hr_free(first);
        assert_null(hr_reserved_take(&r, "a"));
        hr_reserved_clear(&r);
        assert_null(hr_reserved_take(&r, "b/"));
    }
    hr_reserved_release(&r);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(many_files_of_one_folder),           TEST(many_folders),
        TEST(after_a_rollback_and_a_publish),     TEST(a_name_too_long_is_not_noted),
        cmocka_unit_test(every_allocation_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
