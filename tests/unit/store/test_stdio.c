/* Standard input as an object: a pipe is kept and read in any order, a file behind `<` is read
 * where it lies from where it was handed over, bounds, a cancel wakes who waits, failures of
 * memory. */
#include "support.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/store.h"

static int saved; /* the standard input of this program */

static int setup(void **state) {
    (void)state;
    saved = dup(STDIN_FILENO);
    return saved < 0;
}

static int teardown(void **state) {
    (void)state;
    dup2(saved, STDIN_FILENO);
    close(saved);
    return 0;
}

/* Standard input becomes a pipe; returns the end to write to. */
static int make_pipe(void) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
    close(ends[0]);
    return ends[1];
}

static void fill_pipe(const char *text) {
    const int fd = make_pipe();
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static struct hr_store *open_stdio(int64_t spill_max) {
    struct hr_store *store = NULL;
    struct hr_error err;
    const struct hr_store_conf conf = {.scheme = "stdio", .bucket = "-", .spill_max = spill_max};
    hr_error_clear(&err);
    assert_int_equal(hr_store_open(&conf, &store, &err), 0);
    return store;
}

static void assert_range(struct hr_store *store, int64_t at, int64_t len, const char *want) {
    struct hr_buf buf;
    struct hr_object_info info = {0};
    struct hr_error err;
    hr_error_clear(&err);
    hr_buf_init(&buf, 0);
    const int rc = hr_store_get(store, "-", at, len, NULL, &buf, &info, &err);
    if (rc != 0) {
        fail_msg("%s", err.message);
    }
    assert_string_equal(hr_buf_cstr(&buf), want);
    assert_int_equal(info.size, 10);
    hr_buf_release(&buf);
}

static void check_ranges(struct hr_store *store) {
    struct hr_object_info info;
    struct hr_error err;
    assert_int_equal(store->driver->stat(store, "-", &info, NULL, &err), 0);
    assert_int_equal(info.size, 10);
    assert_true(info.mtime_us > 1500000000000000LL);
    assert_range(store, 7, 2, "78");
    assert_range(store, 0, 3, "012");
    assert_range(store, -1, 4, "6789");
    assert_range(store, -1, 40, "0123456789");
    assert_range(store, 8, 40, "89");
    assert_range(store, 20, 3, "");
}

static void test_pipe_in_any_order(void **state) {
    (void)state;
    fill_pipe("0123456789");
    struct hr_store *store = open_stdio(10);
    check_ranges(store);
    hr_store_close(store);
}

static void test_read_before_stat(void **state) {
    (void)state;
    fill_pipe("0123456789");
    struct hr_store *store = open_stdio(0);
    assert_range(store, -1, 4, "6789");
    hr_store_close(store);
}

static void test_listed_under_its_name(void **state) {
    (void)state;
    struct hr_list_page page = {0};
    struct hr_error err;
    fill_pipe("0123456789");
    struct hr_store *store = open_stdio(0);
    const struct hr_list_query all = {.prefix = ""};
    assert_int_equal(store->driver->list(store, &all, &page, &err), 0);
    assert_int_equal(page.count, 1);
    assert_string_equal(page.items[0].key, "-");
    assert_int_equal(page.items[0].info.size, 10);
    hr_list_page_release(&page);
    hr_store_close(store);
}

/* What stands before the offset was read by somebody else (`{ read header; headrace …; } < file`).
 */
static void test_file_from_where_it_stands(void **state) {
    (void)state;
    char path[] = "/tmp/hr-stdio-XXXXXX";
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "head\n0123456789", 15), 15);
    assert_int_equal(lseek(fd, 5, SEEK_SET), 5);
    dup2(fd, STDIN_FILENO);
    struct hr_store *store = open_stdio(1); /* a file is not copied: the bound does not count */
    check_ranges(store);
    assert_int_equal(lseek(fd, 0, SEEK_CUR), 5);

    /* It grows while it is read: found, and taken as it is now when asked again. */
    struct hr_buf buf;
    struct hr_error err;
    struct hr_object_info info;
    hr_buf_init(&buf, 0);
    assert_int_equal(ftruncate(fd, 9), 0);
    assert_int_equal(hr_store_get(store, "-", 0, 4, NULL, &buf, &info, &err), HR_E_CHANGED);
    assert_int_equal(store->driver->stat(store, "-", &info, NULL, &err), 0);
    assert_int_equal(info.size, 4);
    hr_buf_clear(&buf);
    assert_int_equal(hr_store_get(store, "-", 0, 4, NULL, &buf, &info, &err), 0);
    assert_string_equal(hr_buf_cstr(&buf), "0123");
    hr_buf_release(&buf);
    hr_store_close(store);
    close(fd);
    unlink(path);
}

static void test_bound(void **state) {
    (void)state;
    struct hr_object_info info;
    struct hr_error err;
    fill_pipe("0123456789");
    struct hr_store *store = open_stdio(9);
    assert_int_equal(store->driver->stat(store, "-", &info, NULL, &err), HR_E_BOUND);
    assert_non_null(strstr(err.message, "standard input"));
    assert_non_null(strstr(err.message, "spill_limit_gb"));
    hr_store_close(store);
}

static void test_closed(void **state) {
    (void)state;
    struct hr_object_info info;
    struct hr_error err;
    close(STDIN_FILENO);
    struct hr_store *store = open_stdio(0);
    assert_true(store->driver->stat(store, "-", &info, NULL, &err) < 0);
    hr_store_close(store);
}

static void *cancel(void *arg) {
    struct hr_store *store = arg;
    store->driver->cancel(store);
    return NULL;
}

/* Nobody ever writes: whether the cancel comes before the wait or in it, it ends it. */
static void test_cancel(void **state) {
    (void)state;
    struct hr_object_info info;
    struct hr_error err;
    pthread_t thread;
    const int fd = make_pipe();
    struct hr_store *store = open_stdio(0);
    assert_int_equal(pthread_create(&thread, NULL, cancel, store), 0);
    assert_int_equal(store->driver->stat(store, "-", &info, NULL, &err), HR_E_CANCELLED);
    pthread_join(thread, NULL);
    struct hr_buf buf;
    hr_buf_init(&buf, 0);
    assert_int_equal(hr_store_get(store, "-", 0, 4, NULL, &buf, &info, &err), HR_E_CANCELLED);
    hr_buf_release(&buf);
    hr_store_close(store);
    close(fd);
}

static void test_failed_allocations(void **state) {
    (void)state;
    const struct hr_store_conf conf = {.scheme = "stdio", .bucket = "-"};
    bool done = false;
    for (uint64_t nth = 1; !done; nth++) {
        assert_true(nth < 100);
        struct hr_store *store = NULL;
        struct hr_object_info info;
        struct hr_error err;
        fill_pipe("0123456789");
        const int64_t live = hr_mem_live();
        hr_mem_fail_at(nth, 0);
        int rc = hr_store_open(&conf, &store, &err);
        if (rc == 0) {
            rc = store->driver->stat(store, "-", &info, NULL, &err);
        }
        hr_mem_fail_at(0, 0);
        assert_true(rc == 0 || rc == HR_E_NOMEM);
        done = rc == 0;
        hr_store_close(store);
        assert_int_equal(hr_mem_live(), live);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_pipe_in_any_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_read_before_stat, setup, teardown),
        cmocka_unit_test_setup_teardown(test_listed_under_its_name, setup, teardown),
        cmocka_unit_test_setup_teardown(test_file_from_where_it_stands, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bound, setup, teardown),
        cmocka_unit_test_setup_teardown(test_closed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cancel, setup, teardown),
        cmocka_unit_test_setup_teardown(test_failed_allocations, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
