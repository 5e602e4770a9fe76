/* The engines of CSV against one another and against a plain definition: index forms on random and
 * adversarial bytes, the exact engine, number kernels, the calendar, windows larger than a window.
 */
#include <stdio.h>
#include <string.h>

#include "base/time.h"
#include "format/csv/csv_dates.h"
#include "format/csv/csv_internal.h"
#include "format_support.h"

static const struct hr_cpu SCALAR = {0};
static const struct hr_cpu AVX2 = {.avx2 = true};

/* ---- the index ---- */

/* What csv_index.c promises, byte by byte. */
static void index_plain(const uint8_t *text, size_t len, const struct csv_marks *m, uint32_t *ends,
                        struct csv_index_state *s) {
    bool inside = false;
    bool boundary = true;
    bool closed = false;
    *s = (struct csv_index_state){0};
    for (size_t i = 0; i < len; i++) {
        const uint8_t c = text[i];
        const bool quote = m->quoting && c == m->quote;
        const bool mark = c == m->delim || c == m->newline;
        bool closes = false;
        s->high |= c >= 0x80;
        s->all_newlines += c == m->newline;
        if (closed && !mark && !quote && c != '\r') {
            s->odd = 1;
        }
        if (quote) {
            s->odd |= !inside && !boundary;
            closes = inside;
            inside = !inside;
        }
        const bool end = mark && !inside && !quote;
        if (end) {
            ends[s->ends++] = (uint32_t)i;
            s->newlines += c == m->newline;
        }
        boundary = end || quote;
        closed = closes;
    }
    s->inside = inside;
}

static void check_index(const uint8_t *text, size_t len, const struct csv_marks *m, size_t step,
                        csv_index_fn index) {
    static uint32_t want[4200];
    static uint32_t got[4200];
    static uint8_t padded[4096 + 64];
    struct csv_index_state a;
    struct csv_index_state b = CSV_INDEX_START;
    memcpy(padded, text, len);
    memset(padded + len, '"', 64); /* what is behind must not matter */
    index_plain(text, len, m, want, &a);
    for (size_t at = 0; at < len; at += step) {
        index(padded, at, len - at < step ? len : at + step, m, got, &b);
    }
    assert_int_equal(a.ends, b.ends);
    assert_memory_equal(want, got, a.ends * sizeof(*want));
    assert_int_equal(a.newlines, b.newlines);
    assert_int_equal(a.all_newlines, b.all_newlines);
    assert_int_equal(a.odd != 0, b.odd != 0);
    assert_int_equal(a.high != 0, b.high != 0);
    if (len % 64 == 0) {
        assert_int_equal(a.inside, b.inside != 0);
    }
}

static void check_all_forms(const uint8_t *text, size_t len, const struct csv_marks *m) {
    static const size_t steps[] = {64, 192, 4096};
    for (size_t i = 0; i < 3; i++) {
        check_index(text, len, m, steps[i], hr_csv_index_scalar);
#if HR_X86
        if (hr_cpu_get()->avx2) {
            check_index(text, len, m, steps[i], hr_csv_index_avx2);
        }
        if (hr_cpu_get()->avx512) {
            check_index(text, len, m, steps[i], hr_csv_index_avx512);
        }
#endif
    }
}

static void test_index_random(void **state) {
    (void)state;
    static const char alphabet[] = "\",\n\r\"\"ab,\n\"\xff;0";
    uint64_t seed = 1;
    uint8_t text[1000];
    for (int round = 0; round < 20000; round++) {
        const struct csv_marks marks = {.delim = ',',
                                        .quote = '"',
                                        .newline = round % 5 == 0 ? '\r' : '\n',
                                        .quoting = round % 7 != 0};
        const size_t len = test_rand(&seed) % sizeof(text);
        const size_t kinds = 2 + test_rand(&seed) % (sizeof(alphabet) - 2);
        const uint64_t rare = test_rand(&seed) % 20;
        for (size_t i = 0; i < len; i++) {
            text[i] =
                test_rand(&seed) % 20 < rare ? 'x' : (uint8_t)alphabet[test_rand(&seed) % kinds];
        }
        check_all_forms(text, len, &marks);
    }
}

static void test_index_dense(void **state) {
    (void)state;
    const struct csv_marks marks = {',', '"', '\n', true};
    uint8_t text[512];
    for (size_t len = 0; len < 200; len++) {
        memset(text, ',', len);
        check_all_forms(text, len, &marks);
        memset(text, '"', len);
        check_all_forms(text, len, &marks);
        for (size_t at = 0; at < len; at++) { /* one quote anywhere among delimiters */
            memset(text, ',', len);
            text[at] = '"';
            check_all_forms(text, len, &marks);
        }
    }
}

/* ---- index against exact engine ---- */

struct tape {
    struct hr_buf out;
    int rejected;
};

static int on_reject(void *user, const struct hr_reject *what, struct hr_error *err) {
    struct tape *tape = user;
    tape->rejected++;
    return hr_buf_printf(&tape->out, err, "<%lld %lld %s>", (long long)what->byte_offset,
                         (long long)what->line, what->reason);
}

static void record(struct tape *tape, const struct csv_tokens *t) {
    struct hr_buf scratch;
    hr_buf_init(&scratch, 0);
    for (int64_t r = 0; r < t->rows.count; r++) {
        assert_int_equal(hr_buf_printf(&tape->out, NULL,
                                       "%lld@%lld:", (long long)hr_csv_row_offset(t, r),
                                       (long long)hr_csv_row_line(t, r)),
                         0);
        for (size_t c = 0; c < t->n_columns; c++) {
            const uint32_t start = csv_start(&t->rows, r, c);
            struct hr_slice value;
            bool quoted;
            assert_int_equal(
                hr_csv_cell(t->d, NULL,
                            hr_slice_of(t->in.text + start, csv_end(&t->rows, r, c) - start),
                            &scratch, &value, &quoted, NULL),
                0);
            assert_int_equal(hr_buf_append_byte(&tape->out, quoted ? 'Q' : 'U', NULL), 0);
            assert_int_equal(hr_buf_append(&tape->out, value.ptr, value.len, NULL), 0);
            assert_int_equal(hr_buf_append_byte(&tape->out, 0x1f, NULL), 0);
        }
        assert_int_equal(hr_buf_append_byte(&tape->out, '\n', NULL), 0);
    }
    hr_buf_release(&scratch);
}

/* All that the tokens of a text say, as one text. */
static void play(const char *text, size_t len, size_t chunk, bool exact_only, size_t columns,
                 const struct hr_csv_opts *opts, struct tape *tape) {
    struct csv_dialect d;
    struct csv_tokens t;
    struct hr_error err;
    *tape = (struct tape){0};
    hr_buf_init(&tape->out, 0);
    struct hr_read_params params = {.split_end = -1, .reject = on_reject, .reject_user = tape};
    struct hr_source *src = hr_source_mem("t", text, len, chunk);
    assert_rc(hr_csv_dialect_init(&d, opts, ",", &err), 0, &err);
    assert_rc(hr_csv_tokens_open(&t, src, &d, &params, &err), 0, &err);
    t.exact_only = exact_only;
    t.n_columns = columns;
    int rc;
    while ((rc = hr_csv_tokens_next(&t, &err)) == 0) {
        record(tape, &t);
    }
    assert_int_equal(hr_buf_printf(&tape->out, NULL, "end %d %lld", rc,
                                   (long long)(rc == HR_END ? t.in.base : 0)),
                     0);
    if (rc < 0) {
        assert_int_equal(hr_buf_append_str(&tape->out, err.message, NULL), 0);
    }
    hr_csv_tokens_close(&t);
    hr_source_close(src);
}

static void test_engines_agree(void **state) {
    (void)state;
    static const char *const pieces[] = {",", ",",   "\n",  "\r\n", "\"", "\"\"", "a",   "bc",
                                         " ", "\"x", "y\"", "1.5",  "\r", "é",    "\xff"};
    uint64_t seed = 2;
    for (int round = 0; round < 6000; round++) {
        const struct hr_csv_opts opts = {
            .header = true, .double_quote = true, .trim = round % 4 == 0};
        char text[400];
        size_t len = 0;
        const uint64_t n = test_rand(&seed) % 60;
        const size_t kinds = 4 + test_rand(&seed) % 12;
        for (uint64_t i = 0; i < n; i++) {
            const char *piece = pieces[test_rand(&seed) % (kinds < 15 ? kinds : 15)];
            memcpy(text + len, piece, strlen(piece));
            len += strlen(piece);
        }
        const size_t columns = 1 + test_rand(&seed) % 4;
        struct tape want;
        play(text, len, 0, true, columns, &opts, &want);
        const struct hr_cpu *const cpus[] = {NULL, &AVX2, &SCALAR};
        for (size_t i = 0; i < 6; i++) {
            if (i % 3 == 1 && !hr_cpu_get()->avx2) {
                continue;
            }
            struct tape got;
            hr_cpu_override(cpus[i % 3]);
            play(text, len, i < 3 ? 0 : 1 + test_rand(&seed) % 9, false, columns, &opts, &got);
            hr_cpu_override(NULL);
            assert_string_equal(hr_buf_cstr(&got.out), hr_buf_cstr(&want.out));
            assert_int_equal(got.rejected, want.rejected);
            hr_buf_release(&got.out);
        }
        hr_buf_release(&want.out);
    }
}

/* ---- values ---- */

static size_t odd_number(uint64_t *seed, char *out) {
    static const char *const samples[] = {"0",
                                          "-0",
                                          "00",
                                          "007",
                                          "-7",
                                          "+7",
                                          "1.5",
                                          "-.5",
                                          ".5",
                                          "5.",
                                          ".",
                                          "-",
                                          "",
                                          "1e5",
                                          "1.2.3",
                                          "--1",
                                          "9007199254740993",
                                          "0.1",
                                          "0.30",
                                          "123456789012345",
                                          "1234567890123456",
                                          "999999999999999.9",
                                          "1234567890.12345",
                                          "0.000000000000001",
                                          "9223372036854775807",
                                          "9223372036854775808",
                                          "-9223372036854775808",
                                          "nan",
                                          "inf",
                                          "\"5\"",
                                          "\"\"",
                                          "1 ",
                                          " 1",
                                          "1x",
                                          "x1",
                                          "00.5",
                                          "-0.0",
                                          "0.",
                                          "12:30",
                                          "1/2",
                                          "2024-02-29",
                                          "2023-02-29",
                                          "2024-13-01",
                                          "0000-01-01",
                                          "9999-12-31",
                                          "2024-1-01",
                                          "2024-01-1x",
                                          "2024-01-01 00:00:00",
                                          "2024-01-01T23:59:59",
                                          "2024-01-01 24:00:00",
                                          "2024-01-01 23:59:60",
                                          "2024-01-01 00:00:00.1",
                                          "2024-01-01 00:00:00.123456",
                                          "2024-01-01 00:00:00.1234567",
                                          "2024-01-01 00:00:00.",
                                          "2024-01-01 00:00:00Z",
                                          "2024-01-01T00:00:00.5Z",
                                          "2024-01-01 00:00",
                                          "2024-01-01x00:00:00",
                                          "2024-01-01 0a:00:00",
                                          "2024-01-01 00-00-00",
                                          "2024/01/01",
                                          "20240101xx"};
    const uint64_t r = test_rand(seed);
    if (r % 3 != 0) {
        const char *s = samples[test_rand(seed) % (sizeof(samples) / sizeof(*samples))];
        size_t n = strlen(s);
        memcpy(out, s, n);
        if (r % 3 == 1 && n > 0 && s[0] != '"') { /* one byte of it changed */
            static const char bytes[] = "0123456789.-: /\tTZ~\x7f";
            out[test_rand(seed) % n] = bytes[test_rand(seed) % (sizeof(bytes) - 1)];
        }
        return n;
    }
    const int digits = 1 + (int)(test_rand(seed) % 20);
    size_t n = 0;
    if (test_rand(seed) % 3 == 0) {
        out[n++] = '-';
    }
    const int point = (int)(test_rand(seed) % 30);
    for (int i = 0; i < digits; i++) {
        if (i == point) {
            out[n++] = '.';
        }
        out[n++] = (char)('0' + test_rand(seed) % 10);
    }
    return n;
}

static size_t line_len(const char *p) {
    const char *end = strchr(p, '\n');
    return end != NULL ? (size_t)(end - p) : strlen(p);
}

/* Line by line, so that a failure shows the one cell. */
static void assert_same_rows(const char *type, const struct hr_buf *text, const struct hr_buf *a,
                             const struct hr_buf *b) {
    const char *cell = hr_buf_cstr(text);
    const char *x = hr_buf_cstr(a);
    const char *y = hr_buf_cstr(b);
    cell += line_len(cell) + 1;
    while (*x != '\0') {
        const size_t n = line_len(x);
        if (line_len(y) != n || memcmp(x, y, n) != 0) {
            fail_msg("%s: '%.*s' is %.*s and %.*s", type, (int)line_len(cell), cell, (int)n, x,
                     (int)line_len(y), y);
        }
        x += n + 1;
        y += n + 1;
        cell += line_len(cell) + 1;
    }
    assert_int_equal(*y, 0);
}

/* Vector and portable kernels, and the plain converter of infer.h, give the same column. */
static void test_kernels_agree(void **state) {
    (void)state;
    static const char *const types[] = {"int64",         "int16",        "uint8",
                                        "double",        "float",        "decimal(9,2)",
                                        "decimal(18,4)", "date",         "timestamp[us]",
                                        "timestamp[ms]", "timestamp[s]", "timestamp[us, utc]",
                                        "timestamp[ns]", "bool",         "utf8"};
    uint64_t seed = 3;
    struct hr_format_opts opts;
    struct hr_error err;
    assert_rc(hr_format_opts_init(&opts, &err), 0, &err);
    for (int round = 0; round < 300; round++) {
        struct hr_buf text;
        hr_buf_init(&text, 0);
        assert_int_equal(hr_buf_append_str(&text, "a,b\n", NULL), 0);
        for (int r = 0; r < 200; r++) {
            char cell[64];
            const size_t n = odd_number(&seed, cell);
            assert_int_equal(hr_buf_append(&text, cell, n, NULL), 0);
            assert_int_equal(hr_buf_append_str(&text, ",x\n", NULL), 0);
        }
        char want[60];
        snprintf(want, sizeof(want), "a: %s",
                 types[(size_t)round % (sizeof(types) / sizeof(*types))]);
        const struct hr_read_params params = {.want = test_schema_of(want),
                                              .split_end = -1,
                                              .misfit = HR_MISFIT_IGNORE,
                                              .declared = round % 2 == 0};
        struct hr_buf a;
        struct test_counts ca;
        const struct hr_cpu *const cpus[] = {NULL, &AVX2};
        const size_t n_cpus = hr_cpu_get()->avx2 ? 2 : 1;
        hr_cpu_override(&SCALAR);
        assert_rc(
            test_read_all(&hr_format_csv, &opts, &params, hr_buf_slice(&text), 0, &a, &ca, &err),
            HR_END, &err);
        for (size_t i = 0; i < n_cpus; i++) {
            struct hr_buf b;
            struct test_counts cb;
            hr_cpu_override(cpus[i]);
            assert_rc(test_read_all(&hr_format_csv, &opts, &params, hr_buf_slice(&text), 0, &b, &cb,
                                    &err),
                      HR_END, &err);
            assert_same_rows(want, &text, &b, &a);
            assert_int_equal(ca.nulled, cb.nulled);
            hr_buf_release(&b);
        }
        hr_cpu_override(NULL);
        hr_buf_release(&a);
        hr_buf_release(&text);
        hr_schema_unref(params.want);
    }
    hr_format_opts_release(&opts);
}

static void test_calendar(void **state) {
    (void)state;
    for (int year = 0; year < 10000; year++) {
        const int32_t begin = hr_csv_years[year];
        assert_int_equal(begin >> 1, hr_days_from_civil(year, 1, 1));
        const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        assert_int_equal(begin & 1, leap);
    }
    for (int leap = 0; leap < 2; leap++) {
        for (int month = 0; month < 13; month++) {
            for (int day = 0; day < 100; day++) {
                char text[40];
                int32_t days;
                snprintf(text, sizeof(text), "%04d-%02d-%02d", leap ? 2024 : 2023, month, day);
                const bool ok = hr_parse_date(text, 10, &days);
                const uint16_t got = hr_csv_days[leap][month * 100 + day];
                assert_int_equal(got != UINT16_MAX, ok);
                if (ok) {
                    assert_int_equal(got, days - hr_days_from_civil(leap ? 2024 : 2023, 1, 1));
                }
            }
        }
    }
}

/* ---- sizes ---- */

/* Rows, quoted newlines and single cells much longer than a window, in slices of any size. */
static void test_long_things(void **state) {
    (void)state;
    struct hr_format_opts opts;
    struct hr_error err;
    struct hr_buf text;
    struct hr_buf want;
    uint64_t seed = 4;
    assert_rc(hr_format_opts_init(&opts, &err), 0, &err);
    hr_buf_init(&text, 0);
    hr_buf_init(&want, 0);
    assert_int_equal(hr_buf_append_str(&text, "a,b\n", NULL), 0);
    for (int r = 0; r < 60; r++) {
        const size_t n = test_rand(&seed) % (r % 10 == 0 ? 900000 : 9000);
        assert_int_equal(hr_buf_printf(&text, NULL, "%d,\"", r), 0);
        assert_int_equal(hr_buf_printf(&want, NULL, "%d|", r), 0);
        for (size_t i = 0; i < n; i++) {
            const char c = "abc,\n;\r\n\xc3\xa9"[test_rand(&seed) % 8];
            assert_int_equal(hr_buf_append_byte(&text, (uint8_t)c, NULL), 0);
            assert_int_equal(hr_buf_append_byte(&want, (uint8_t)c, NULL), 0);
        }
        assert_int_equal(hr_buf_append_str(&text, "\"\n", NULL), 0);
        assert_int_equal(hr_buf_append_str(&want, "\n", NULL), 0);
    }
    static const size_t chunks[] = {0, 999, 65536, 262144, 262145};
    for (size_t i = 0; i < 5; i++) {
        struct hr_buf got;
        const struct hr_read_params params = {.want = test_schema_of("a: int64, b: utf8"),
                                              .split_end = -1,
                                              .batch_rows = i == 1 ? 7 : 0};
        assert_rc(test_read_all(&hr_format_csv, &opts, &params, hr_buf_slice(&text), chunks[i],
                                &got, NULL, &err),
                  HR_END, &err);
        assert_int_equal(got.len, want.len);
        assert_memory_equal(got.ptr, want.ptr, want.len);
        hr_buf_release(&got);
        hr_schema_unref(params.want);
    }
    hr_buf_release(&text);
    hr_buf_release(&want);
    hr_format_opts_release(&opts);
}

static void test_bounds(void **state) {
    (void)state;
    struct hr_format_opts opts;
    struct hr_error err;
    struct hr_buf text;
    struct hr_buf out;
    struct hr_read_params params = {
        .want = test_schema_of("a: utf8"), .split_end = -1, .cell_max = 100000};
    assert_rc(hr_format_opts_init(&opts, &err), 0, &err);
    hr_buf_init(&text, 0);
    assert_int_equal(hr_buf_append_str(&text, "a\nx\n\"", NULL), 0);
    for (int i = 0; i < 3000000; i++) {
        assert_int_equal(hr_buf_append_byte(&text, (uint8_t)(i % 80 ? 'y' : '\n'), NULL), 0);
    }
    /* A quote that never closes ends at the bound, not at the end of memory. */
    assert_rc(
        test_read_all(&hr_format_csv, &opts, &params, hr_buf_slice(&text), 0, &out, NULL, &err),
        HR_E_BOUND, &err);
    assert_string_equal(hr_buf_cstr(&out), "x\n");
    assert_int_equal(err.line, 3);
    hr_buf_release(&out);
    /* A cell over the bound in a record that is whole. */
    text.len = 150000;
    assert_int_equal(hr_buf_append_str(&text, "\"\nz\n", NULL), 0);
    assert_rc(
        test_read_all(&hr_format_csv, &opts, &params, hr_buf_slice(&text), 0, &out, NULL, &err),
        HR_E_FORMAT, &err);
    assert_non_null(strstr(err.message, "longer than 100000 bytes"));
    hr_buf_release(&out);
    /* More columns than allowed, found before they fill memory. */
    text.len = 0;
    for (int i = 0; i < 2000000; i++) {
        assert_int_equal(hr_buf_append_byte(&text, ',', NULL), 0);
    }
    assert_rc(
        test_read_all(&hr_format_csv, &opts, &params, hr_buf_slice(&text), 0, &out, NULL, &err),
        HR_E_BOUND, &err);
    assert_non_null(strstr(err.message, "more than 10000 fields"));
    hr_buf_release(&out);
    hr_buf_release(&text);
    hr_schema_unref(params.want);
    hr_format_opts_release(&opts);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_index_random),  cmocka_unit_test(test_index_dense),
        cmocka_unit_test(test_engines_agree), cmocka_unit_test(test_kernels_agree),
        cmocka_unit_test(test_calendar),      cmocka_unit_test(test_long_things),
        cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
