/* Lines of text as rows: line ends, splits at every byte, encodings, bad lines. */
#include <string.h>

#include "format_support.h"

static const struct hr_format_opts OPTS = {0};

static void expect(const char *text, size_t len, const char *rows) {
    struct hr_read_params params = {.want = test_schema_of("line: utf8"), .split_end = -1};
    for (size_t chunk = 0; chunk < 5; chunk++) {
        struct hr_buf out;
        struct hr_error err;
        assert_rc(test_read_all(&hr_format_text, &OPTS, &params, hr_slice_of(text, len), chunk,
                                &out, NULL, &err),
                  HR_END, &err);
        assert_string_equal(hr_buf_cstr(&out), rows);
        hr_buf_release(&out);
    }
    hr_schema_unref(params.want);
}

static void test_lines(void **state) {
    (void)state;
    expect("", 0, "");
    expect("\n", 1, "\n");
    expect("a\nb", 3, "a\nb\n");
    expect("a,b\r\n\r\n\"c\n", 10, "a,b\n\n\"c\n");
    expect("a\rb\r", 4, "a\nb\n");
    expect("\xef\xbb\xbf"
           "a\n",
           5, "a\n");
    expect("\xff\xfe"
           "a\0\n\0b\0",
           8, "a\nb\n");
}

static void test_splits(void **state) {
    (void)state;
    const char *text = "one\ntwo\r\n\nfour\nfive";
    const int64_t n = (int64_t)strlen(text);
    struct hr_read_params params = {.want = test_schema_of("line: utf8"), .split_end = -1};
    for (int64_t cut = 1; cut < n; cut++) {
        struct hr_buf a;
        struct hr_buf b;
        struct hr_error err;
        struct test_counts first;
        struct test_counts second;
        params.split_begin = 0;
        params.split_end = cut;
        assert_rc(
            test_read_all(&hr_format_text, &OPTS, &params, hr_slice_str(text), 2, &a, &first, &err),
            HR_END, &err);
        params.split_begin = cut;
        params.split_end = -1;
        assert_rc(test_read_all(&hr_format_text, &OPTS, &params, hr_slice_str(text + cut - 1), 2,
                                &b, &second, &err),
                  HR_END, &err);
        if (second.first_record >= 0) {
            assert_int_equal(first.end_record, second.first_record);
        }
        assert_int_equal(second.end_record, n);
        assert_int_equal(hr_buf_append(&a, b.ptr, b.len, NULL), 0);
        assert_string_equal(hr_buf_cstr(&a), "one\ntwo\n\nfour\nfive\n");
        hr_buf_release(&a);
        hr_buf_release(&b);
    }
    hr_schema_unref(params.want);
}

static void test_schema_rules(void **state) {
    (void)state;
    struct hr_buf out;
    struct hr_error err;
    struct test_counts counts;
    struct hr_read_params params = {.want = test_schema_of("x: int64"), .split_end = -1};
    assert_rc(test_read_all(&hr_format_text, &OPTS, &params, hr_slice_str("a\nb\n"), 0, &out,
                            &counts, &err),
              HR_END, &err);
    assert_string_equal(hr_buf_cstr(&out), "<null>\n<null>\n");
    hr_buf_release(&out);
    params.want_all = true;
    assert_rc(
        test_read_all(&hr_format_text, &OPTS, &params, hr_slice_str("a\n"), 0, &out, &counts, &err),
        HR_WIDEN, &err);
    assert_string_equal(counts.needs, "x: int64, line: utf8");
    hr_buf_release(&out);
    hr_schema_unref(params.want);
}

static void test_bad(void **state) {
    (void)state;
    struct hr_buf out;
    struct hr_error err;
    struct hr_read_params params = {.want = test_schema_of("line: utf8"), .split_end = -1};
    assert_rc(test_read_all(&hr_format_text, &OPTS, &params,
                            hr_slice_str("ok\nb\xff"
                                         "d\n"),
                            0, &out, NULL, &err),
              HR_E_FORMAT, &err);
    assert_string_equal(hr_buf_cstr(&out), "ok\n");
    assert_int_equal(err.line, 2);
    assert_int_equal(err.byte_offset, 3);
    hr_buf_release(&out);
    params.cell_max = 300000;
    struct hr_buf big;
    hr_buf_init(&big, 0);
    for (int i = 0; i < 1000000; i++) {
        assert_int_equal(hr_buf_append_byte(&big, 'x', NULL), 0);
    }
    assert_rc(
        test_read_all(&hr_format_text, &OPTS, &params, hr_buf_slice(&big), 0, &out, NULL, &err),
        HR_E_BOUND, &err);
    hr_buf_release(&big);
    hr_buf_release(&out);
    hr_schema_unref(params.want);
}

/* A one-byte encoding is taken at its word, and what a mark says is known to the first split only.
 */
static void test_declared_encoding(void **state) {
    (void)state;
    static char latin1[] = "latin1";
    const struct hr_format_opts opts = {.csv = {.encoding = latin1}};
    const struct hr_slice text = hr_slice_str("\xc3\xbc\n\xfc\n");
    static const char *const files[] = {"a\nb\n", "\xef\xbb\xbf"
                                                  "a\nb\n"};
    struct hr_buf out;
    struct hr_error err;
    struct hr_read_params params = {.want = test_schema_of("line: utf8"), .split_end = -1};
    assert_rc(test_read_all(&hr_format_text, &opts, &params, text, 0, &out, NULL, &err), HR_END,
              &err);
    assert_string_equal(hr_buf_cstr(&out), "\xc3\x83\xc2\xbc\n\xc3\xbc\n");
    hr_buf_release(&out);
    for (int i = 0; i < 2; i++) {
        struct hr_layout layout;
        struct hr_source *src = hr_source_mem("t", files[i], strlen(files[i]), 0);
        assert_rc(hr_format_text.layout(src, &opts, &layout, &err), 0, &err);
        assert_int_equal(layout.splittable, i == 0);
        hr_layout_release(&layout);
        hr_source_close(src);
        src = hr_source_mem("t", files[i], strlen(files[i]), 0);
        assert_rc(hr_format_csv.layout(src, &opts, &layout, &err), 0, &err);
        assert_int_equal(layout.splittable, i == 0);
        hr_layout_release(&layout);
        hr_source_close(src);
    }
    hr_schema_unref(params.want);
}

static void test_allocations(void **state) {
    (void)state;
    for (uint64_t nth = 1; nth < 60; nth++) {
        struct hr_error err;
        struct hr_read_params params = {.want = test_schema_of("line: utf8, x: int64"),
                                        .split_end = -1};
        const int64_t live = hr_mem_live();
        struct hr_source *src = hr_source_mem("test", "a\nb\n", 4, 0);
        struct hr_reader *reader = NULL;
        struct hr_batch *batch;
        hr_mem_fail_at(nth, 0);
        int rc = hr_format_text.open(src, &OPTS, &params, &reader, &err);
        while (rc == 0) {
            rc = hr_reader_next(reader, &batch, &err);
        }
        hr_mem_fail_at(0, 0);
        assert_true(rc == HR_END || rc == HR_E_NOMEM);
        hr_reader_close(reader);
        hr_source_close(src);
        assert_int_equal(hr_mem_live(), live);
        hr_schema_unref(params.want);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_splits),
        cmocka_unit_test(test_schema_rules),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_declared_encoding),
        cmocka_unit_test(test_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
