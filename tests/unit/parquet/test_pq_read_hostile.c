/* Damaged Parquet: every corpus file cut and with bytes flipped, and out of memory at every turn.
 *
 * HEADRACE_SOAK=1 tries 100 places a file instead of 10. */
#include <stdlib.h>

#include "pq_drain.h"

static const char corpus[] = "parquet-testing";

/* Bounds small enough that damage cannot ask for much memory. */
static const struct hr_read_params tight = {.group_end = -1, .cell_max = 1 << 20};

struct hostile {
    uint64_t seed;
    int places;
    int files, cases, refused;
};

static struct drain_result try_bytes(const uint8_t *ptr, size_t len) {
    struct hr_source *src = hr_source_mem("hostile.parquet", ptr, len, 0);
    assert_non_null(src);
    struct drain_result res = drain(src, &tight);
    hr_source_close(src);
    if (res.rc < 0) {
        assert_true(res.err.message[0] != '\0');
        assert_true(hr_code_class(res.rc) == HR_CLASS_DATA);
    }
    return res;
}

static bool is_parquet(const char *path) {
    return strstr(path, ".parquet") != NULL && strstr(path, ".json") == NULL;
}

static void cut(const char *path, void *user) {
    struct hostile *h = user;
    struct hr_buf buf;
    if (!is_parquet(path)) {
        return;
    }
    test_read_file(path, &buf);
    for (int i = 0; i < h->places; i++) {
        const size_t len = test_rand(&h->seed) % buf.len;
        const struct drain_result res = try_bytes(buf.ptr, len);
        assert_true(res.rc < 0); /* never fewer rows without a word */
        h->refused++;
        h->cases++;
    }
    h->files++;
    hr_buf_release(&buf);
}

/* Half of the flips go where they hurt: into the footer. */
static size_t place(struct hostile *h, const struct hr_buf *buf, int i) {
    const size_t tail = buf->len < 2000 ? buf->len : 2000;
    return i % 2 ? test_rand(&h->seed) % buf->len : buf->len - 1 - test_rand(&h->seed) % tail;
}

static void flip(const char *path, void *user) {
    struct hostile *h = user;
    struct hr_buf buf;
    if (!is_parquet(path)) {
        return;
    }
    test_read_file(path, &buf);
    for (int i = 0; i < h->places; i++) {
        const size_t at = place(h, &buf, i);
        const uint8_t was = buf.ptr[at];
        buf.ptr[at] = (uint8_t)(was ^ (1 + test_rand(&h->seed) % 255));
        h->refused += try_bytes(buf.ptr, buf.len).rc < 0;
        buf.ptr[at] = was;
        h->cases++;
    }
    h->files++;
    hr_buf_release(&buf);
}

static void over_corpus(void (*fn)(const char *, void *), const char *what) {
    const char *soak = getenv("HEADRACE_SOAK");
    struct hostile h = {.seed = 20261121, .places = soak != NULL && soak[0] == '1' ? 100 : 10};
    const char *dir = test_corpus(corpus);
    if (dir == NULL) {
        test_skip_corpus(corpus, 960);
        return;
    }
    char path[1024];
    snprintf(path, sizeof(path), "%s", dir);
    const int64_t live = hr_mem_live();
    test_each_file(path, fn, &h);
    printf("%s: %d files, %d cases, %d refused, %d read\n", what, h.files, h.cases, h.refused,
           h.cases - h.refused);
    assert_true(h.files > 90);
    assert_int_equal(hr_mem_live(), live);
}

static void test_cut(void **state) {
    (void)state;
    over_corpus(cut, "cut");
}

static void test_flip(void **state) {
    (void)state;
    over_corpus(flip, "flipped");
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
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_flip),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
