/* Parquet read while memory runs out at every turn. Damaged files are tests/seam/test_hostile.c's.
 */
#include "pq_drain.h"

static const char corpus[] = "parquet-testing";

/* Bounds small enough that damage cannot ask for much memory. */
static const struct hr_read_params tight = {.group_end = -1, .cell_max = 1 << 20};

struct hostile {
    int files, cases;
};

static bool is_parquet(const char *path) {
    return strstr(path, ".parquet") != NULL && strstr(path, ".json") == NULL;
}

/* Fail each allocation in turn until the file is read without a failure. */
static void starve(const char *path, void *user) {
    struct hostile *h = user;
    struct hr_buf buf;
    if (!is_parquet(path)) {
        return;
    }
    test_read_file(path, &buf);
    if (buf.len > 2000 || strstr(path, "bad_data") != NULL) {
        hr_buf_release(&buf);
        return;
    }
    struct hr_source *src = hr_source_mem("starved.parquet", buf.ptr, buf.len, 0);
    const struct drain_result want = drain(src, &tight);
    for (uint64_t n = 1; want.rc == 0; n++) {
        const int64_t live = hr_mem_live();
        hr_mem_fail_at(n, 0);
        const struct drain_result res = drain(src, &tight);
        const bool failed = hr_mem_count() >= n;
        hr_mem_fail_at(0, 0);
        assert_int_equal(hr_mem_live(), live);
        if (!failed) {
            assert_int_equal(res.rc, 0);
            break;
        }
        /* A decoder's own fallback may get by without the memory; then the rows must be right. */
        if (res.rc == 0) {
            assert_int_equal(res.rows, want.rows);
            assert_true(res.sum == want.sum);
        } else {
            assert_rc(res.rc, HR_E_NOMEM, &res.err);
        }
        h->cases++;
        assert_true(n < 100000);
    }
    h->files++;
    hr_source_close(src);
    hr_buf_release(&buf);
}

static void test_out_of_memory(void **state) {
    (void)state;
    struct hostile h = {0};
    const char *dir = test_corpus(corpus);
    if (dir == NULL) {
        test_skip_corpus(corpus, 40);
        return;
    }
    char path[1024];
    snprintf(path, sizeof(path), "%s", dir);
    test_each_file(path, starve, &h);
    printf("out of memory: %d files, %d failing allocations\n", h.files, h.cases);
    assert_true(h.cases > 100);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
