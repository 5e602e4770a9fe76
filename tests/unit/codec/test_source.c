/* tests/unit/codec/test_source.c - the inflating source: what its errors say, and its caps. */
#include "support.h"

#include "codec/codec.h"

static struct hr_buf gz(const char *unit, int times) {
    struct hr_buf text, out;
    struct hr_error err;
    hr_buf_init(&text, 0);
    hr_buf_init(&out, 0);
    for (int i = 0; i < times; i++) {
        assert_int_equal(hr_buf_append_str(&text, unit, NULL), 0);
    }
    const struct hr_codec *gzip = hr_codec_by_name("gzip", 4);
    assert_rc(hr_codec_encode(gzip, 1, hr_buf_slice(&text), &out, &err), 0, &err);
    hr_buf_release(&text);
    return out;
}

static int slurp(struct hr_slice in, const struct hr_codec_limits *limits, struct hr_buf *out,
                 struct hr_error *err) {
    struct hr_source *src = NULL;
    struct hr_source *inner = hr_source_mem("data/x.csv.gz", in.ptr, in.len, 100);
    hr_buf_init(out, 0);
    assert_rc(hr_codec_source(hr_codec_by_name("gzip", 4), inner, limits, &src, err), 0, err);
    int rc = hr_source_slurp(src, out, err);
    struct hr_slice slice;
    struct hr_error again;
    assert_int_equal(hr_source_next(src, &slice, &again), rc == 0 ? HR_END : rc); /* for good */
    hr_source_close(src);
    return rc;
}

static void test_cut_short(void **state) {
    (void)state;
    struct hr_buf packed = gz("1,two,three\n", 20000);
    struct hr_buf out;
    struct hr_error err;
    assert_int_equal(slurp(hr_slice_of(packed.ptr, 500), NULL, &out, &err), HR_E_CORRUPT);
    assert_string_equal(err.message, "could not inflate 'data/x.csv.gz': the gzip stream ends "
                                     "early at compressed byte 500");
    assert_non_null(strstr(err.hint, "truncated"));
    assert_string_equal(err.object, "data/x.csv.gz");
    assert_true(out.len > 0); /* what came before the cut was handed out */
    hr_buf_release(&out);
    hr_buf_release(&packed);
}

static void test_empty(void **state) {
    (void)state;
    struct hr_buf out;
    struct hr_error err;
    assert_int_equal(slurp(hr_slice_of("", 0), NULL, &out, &err), HR_E_CORRUPT);
    assert_string_equal(err.message, "could not inflate 'data/x.csv.gz': it is empty, which no "
                                     "gzip stream is");
    hr_buf_release(&out);
}

static void test_not_gzip(void **state) {
    (void)state;
    struct hr_buf out;
    struct hr_error err;
    assert_int_equal(slurp(hr_slice_str("a,b,c\n1,2,3\n"), NULL, &out, &err), HR_E_CORRUPT);
    assert_non_null(strstr(err.message, "the data does not start as a gzip stream"));
    hr_buf_release(&out);
}

static void test_junk(void **state) {
    (void)state;
    struct hr_buf packed = gz("x", 10);
    struct hr_buf out;
    struct hr_error err;
    assert_int_equal(hr_buf_append_str(&packed, "<html>", NULL), 0);
    assert_int_equal(slurp(hr_buf_slice(&packed), NULL, &out, &err), HR_E_CORRUPT);
    assert_non_null(strstr(err.message, "follow the end of the gzip stream at compressed byte 3"));
    assert_int_equal(out.len, 10);
    hr_buf_release(&out);
    hr_buf_release(&packed);
}

static void test_ratio(void **state) {
    (void)state;
    struct hr_buf packed = gz("0000000000000000000000000000000000000000", 400000); /* 16 MB */
    struct hr_buf out;
    struct hr_error err;
    const struct hr_codec_limits late = {.ratio = 100, .ratio_after = 4 << 20};
    assert_int_equal(slurp(hr_buf_slice(&packed), &late, &out, &err), HR_E_BOUND);
    assert_true(out.len >= (4u << 20) && out.len <= (5u << 20));
    assert_non_null(strstr(err.message, "more than 100 times as much"));
    hr_buf_release(&out);
    const struct hr_codec_limits wide = {.ratio = 2000, .ratio_after = 4 << 20};
    assert_rc(slurp(hr_buf_slice(&packed), &wide, &out, &err), 0, &err);
    hr_buf_release(&out);
    assert_rc(slurp(hr_buf_slice(&packed), NULL, &out, &err), 0, &err); /* below 256 MiB */
    assert_int_equal(out.len, 16000000);
    hr_buf_release(&out);
    hr_buf_release(&packed);
}

static void test_output_cap(void **state) {
    (void)state;
    struct hr_buf packed = gz("abcdefghij", 100000);
    struct hr_buf out;
    struct hr_error err;
    const struct hr_codec_limits exact = {.output_max = 1000000};
    assert_rc(slurp(hr_buf_slice(&packed), &exact, &out, &err), 0, &err);
    hr_buf_release(&out);
    const struct hr_codec_limits less = {.output_max = 999999};
    assert_int_equal(slurp(hr_buf_slice(&packed), &less, &out, &err), HR_E_BOUND);
    hr_buf_release(&out);
    hr_buf_release(&packed);
}

/* An inner source that fails: its error goes through as it is. */
struct failing {
    struct hr_source base;
    int calls;
};
static int failing_next(struct hr_source *src, struct hr_slice *out, struct hr_error *err) {
    struct failing *f = (struct failing *)src;
    if (f->calls++ == 0) {
        *out = hr_slice_of("\x1f\x8b\x08\0\0\0\0\0\0\3", 10);
        return 0;
    }
    return hr_fail(err, HR_E_NETWORK, "the line is dead");
}
static void failing_close(struct hr_source *src) {
    (void)src;
}

static void test_inner_error(void **state) {
    (void)state;
    static const struct hr_source_ops ops = {.next = failing_next, .close = failing_close};
    struct failing inner = {.base = {.ops = &ops, .name = "k", .size = -1}};
    struct hr_source *src = NULL;
    struct hr_slice slice;
    struct hr_error err;
    assert_rc(hr_codec_source(hr_codec_by_name("gz", 2), &inner.base, NULL, &src, &err), 0, &err);
    assert_int_equal(hr_source_next(src, &slice, &err), HR_E_NETWORK);
    assert_string_equal(err.message, "the line is dead");
    assert_int_equal(hr_source_next(src, &slice, NULL), HR_E_NETWORK);
    hr_source_close(src);
}

static int teardown(void **state) {
    (void)state;
    hr_codec_thread_release();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cut_short),   cmocka_unit_test(test_empty),
        cmocka_unit_test(test_not_gzip),    cmocka_unit_test(test_junk),
        cmocka_unit_test(test_ratio),       cmocka_unit_test(test_output_cap),
        cmocka_unit_test(test_inner_error),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
