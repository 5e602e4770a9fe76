/* Bytes that wait on disk come back as they were; limits and full or absent folders are errors. */
#include "base/spool.h"

#include <dirent.h>

#include "support.h"

static void test_round_trip(void **state) {
    (void)state;
    struct hr_spool spool = {.dir = test_tmpdir()};
    struct hr_error err;
    int64_t at[3];
    uint8_t back[16];
    for (int round = 0; round < 2; round++) {
        assert_rc(hr_spool_append(&spool, hr_slice_str("first"), &at[0], &err), 0, &err);
        assert_rc(hr_spool_append(&spool, hr_slice_str(""), &at[1], &err), 0, &err);
        assert_rc(hr_spool_append(&spool, hr_slice_str("second!"), &at[2], &err), 0, &err);
        assert_rc(hr_spool_read(&spool, at[2], back, 7, &err), 0, &err);
        assert_memory_equal(back, "second!", 7);
        assert_rc(hr_spool_read(&spool, at[0], back, 5, &err), 0, &err);
        assert_memory_equal(back, "first", 5);
        assert_int_equal(spool.end, 12);
        assert_true(hr_spool_read(&spool, at[2], back, 8, &err) < 0); /* there is no 13th byte */
        hr_spool_empty(&spool);
        assert_int_equal(spool.end, 0);
    }
    DIR *dir = opendir(test_tmpdir());
    int seen = 0;
    for (const struct dirent *e; (e = readdir(dir)) != NULL;) {
        seen += e->d_name[0] != '.' || strncmp(e->d_name, ".headrace", 9) == 0;
    }
    closedir(dir);
    assert_int_equal(seen, 0); /* nobody sees the file */
    hr_spool_close(&spool);
}

static void test_limit(void **state) {
    (void)state;
    struct hr_spool spool = {.dir = test_tmpdir(), .max = 10};
    struct hr_error err;
    int64_t at;
    assert_rc(hr_spool_append(&spool, hr_slice_str("0123456789"), &at, &err), 0, &err);
    assert_rc(hr_spool_append(&spool, hr_slice_str("0"), &at, &err), HR_E_BOUND, &err);
    assert_non_null(strstr(err.hint, "spill_limit_gb"));
    hr_spool_close(&spool);
}

static void test_no_folder(void **state) {
    (void)state;
    struct hr_spool spool = {.dir = "/nonexistent/folder"};
    struct hr_error err;
    int64_t at;
    assert_true(hr_spool_append(&spool, hr_slice_str("x"), &at, &err) < 0);
    assert_non_null(strstr(err.message, "/nonexistent/folder"));
    assert_non_null(strstr(err.hint, "spill_dir"));
    hr_spool_empty(&spool);
    hr_spool_close(&spool);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_no_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
