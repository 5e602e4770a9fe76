/* CSV reading: quoting, line ends, headers, nulls, types, misfits, bad records, splits. */
#include <stdio.h>
#include <string.h>

#include "base/cpu.h"
#include "format_support.h"

static struct hr_format_opts opts;

static int setup(void **state) {
    (void)state;
    struct hr_error err;
    assert_rc(hr_format_opts_init(&opts, &err), 0, &err);
    return 0;
}
static int teardown(void **state) {
    (void)state;
    hr_format_opts_release(&opts);
    hr_cpu_override(NULL);
    return 0;
}

static void set_list(struct hr_strlist *list, size_t n, const char *const *items) {
    list->items = hr_calloc(n, sizeof(char *));
    list->count = n;
    for (size_t i = 0; i < n; i++) {
        list->items[i] = hr_strdup(items[i]);
    }
}

static void set_text(char **field, const char *text) {
    hr_free(*field);
    *field = hr_strdup(text);
}

static const struct hr_cpu SCALAR = {0};
static const struct hr_cpu AVX2 = {.avx2 = true};

/* Every machine form, every slice size: the same rows and the same end. */
static int read_params(const char *text, size_t len, const struct hr_read_params *params,
                       struct hr_buf *out, struct test_counts *counts, struct hr_error *err) {
    static const size_t chunks[] = {0, 1, 3, 7};
    const struct hr_cpu *const cpus[] = {NULL, &AVX2, &SCALAR};
    const int rc =
        test_read_all(&hr_format_csv, &opts, params, hr_slice_of(text, len), 0, out, counts, err);
    for (size_t i = 0; i < 12; i++) {
        struct hr_buf other;
        struct hr_error other_err;
        const struct hr_cpu *cpu = cpus[i % 3];
        if (cpu == &AVX2 && !hr_cpu_get()->avx2) {
            continue;
        }
        hr_cpu_override(cpu);
        const int got = test_read_all(&hr_format_csv, &opts, params, hr_slice_of(text, len),
                                      chunks[i / 3], &other, NULL, &other_err);
        hr_cpu_override(NULL);
        assert_int_equal(got, rc);
        assert_string_equal(hr_buf_cstr(&other), hr_buf_cstr(out));
        if (rc < 0) {
            assert_string_equal(other_err.message, err->message);
        }
        hr_buf_release(&other);
    }
    return rc;
}

static void expect_schema(const char *text, const char *want, const char *rows) {
    struct hr_buf out;
    struct hr_error err;
    struct hr_read_params params = {.want = test_schema_of(want), .split_end = -1};
    assert_rc(read_params(text, strlen(text), &params, &out, NULL, &err), HR_END, &err);
    assert_string_equal(hr_buf_cstr(&out), rows);
    hr_buf_release(&out);
    hr_schema_unref(params.want);
}

static const char *infer(const char *text) {
    struct hr_schema *schema;
    struct hr_error err;
    const struct hr_infer_params ip = {.rows = 1000, .types = true};
    struct hr_source *src = hr_source_mem("test", text, strlen(text), 5);
    assert_rc(hr_format_csv.infer(src, &opts, &ip, &schema, &err), 0, &err);
    hr_source_close(src);
    const char *shown = test_schema_text(schema);
    hr_schema_unref(schema);
    return shown;
}

static void test_plain(void **state) {
    (void)state;
    expect_schema("a,b,c\n1,x,2.5\n2,y,-0.125\n", "a: int64, b: utf8, c: double",
                  "1|x|2.5\n2|y|-0.125\n");
    expect_schema("a,b,c\r\n1,x,2.5\r\n2,y,1\r\n", "a: int64, b: utf8, c: double",
                  "1|x|2.5\n2|y|1.0\n");
    expect_schema("a,b\r1,x\r2,y\r", "a: int64, b: utf8", "1|x\n2|y\n");
    expect_schema("a,b\n1,x\n2,y", "b: utf8, a: int64", "x|1\ny|2\n");
    expect_schema("\xef\xbb\xbf"
                  "a,b\n1,x\n",
                  "a: int64, b: utf8", "1|x\n");
    expect_schema("a,b\n1,x\n", "b: utf8, zz: int64", "x|<null>\n");
    expect_schema("a,b\n", "a: utf8", "");
    expect_schema("", "a: utf8", "");
    expect_schema("a,b\n\n1,2\n\n\n3,4\n\n", "a: int64, b: int64", "1|2\n3|4\n");
}

static void test_quotes(void **state) {
    (void)state;
    expect_schema("a,b\n\"x,y\",\"1\"\n\"he said \"\"no\"\"\",2\n", "a: utf8, b: int64",
                  "x,y|1\nhe said \"no\"|2\n");
    expect_schema("a,b\n\"two\nlines\",\"\"\n\"\"\"\"\"\",\n", "a: utf8, b: utf8",
                  "two\nlines|\n\"\"|<null>\n");
    expect_schema("a,b\r\n\"two\r\nlines\",\"x\"\r\n", "a: utf8, b: utf8", "two\r\nlines|x\n");
    /* Quotes where RFC 4180 has none. */
    expect_schema("a,b\n5\" pipe,1\nx,2\n", "a: utf8, b: int64", "5\" pipe|1\nx|2\n");
    expect_schema("a,b\n\"abc\"def,1\n\"x\" \"y\",2\n", "a: utf8, b: int64",
                  "abcdef|1\nx \"y\"|2\n");
    set_text(&opts.csv.quote, "'");
    expect_schema("a,b\n'x,\"y',1\n", "a: utf8, b: int64", "x,\"y|1\n");
    set_text(&opts.csv.quote, "");
    expect_schema("a,b\n\"x,1\n", "a: utf8, b: int64", "\"x|1\n");
}

static void test_dialects(void **state) {
    (void)state;
    set_text(&opts.csv.delimiter, "||");
    expect_schema("a||b\n\"x||y\"||1\nz|w||2\n", "a: utf8, b: int64", "x||y|1\nz|w|2\n");
    set_text(&opts.csv.delimiter, "\\t");
    expect_schema("a\tb\nx y\t1\n", "a: utf8, b: int64", "x y|1\n");
    set_text(&opts.csv.delimiter, "\xc2\xa7");
    expect_schema("a\xc2\xa7"
                  "b\nx\xc2\xa7"
                  "1\n",
                  "a: utf8, b: int64", "x|1\n");
    set_text(&opts.csv.delimiter, ",");
    set_text(&opts.csv.escape, "\\");
    expect_schema("a,b\n\"x\\\"y\",1\np\\,q,2\nr\\\ns,3\n", "a: utf8, b: int64",
                  "x\"y|1\np,q|2\nr\ns|3\n");
    set_text(&opts.csv.escape, "");
    opts.csv.double_quote = false;
    expect_schema("a,b\n\"x\"\"y\",1\n", "a: utf8, b: int64", "x\"y\"|1\n");
    opts.csv.double_quote = true;
    set_text(&opts.csv.comment, "#");
    expect_schema("# it's \"odd\na,b\n#x\nx#,1\n#", "a: utf8, b: int64", "x#|1\n");
    set_text(&opts.csv.comment, "");
    opts.csv.trim = true;
    expect_schema(" a , b\n x y , 1\t\n \"p, q\" ,2\n  \n", "a: utf8, b: int64", "x y|1\np, q|2\n");
}

static void test_headers(void **state) {
    (void)state;
    assert_string_equal(infer("a,,a,b,a_1\n1,2,3,4,5\n"),
                        "a: int64, column_1: int64, a_2: int64, b: int64, a_1: int64");
    opts.csv.header = false;
    assert_string_equal(infer("1,x\n2,y\n"), "column_0: int64, column_1: utf8");
    set_list(&opts.csv.columns, 1, (const char *[]){"id"});
    assert_string_equal(infer("1,x\n2,y\n"), "id: int64, column_1: utf8");
    expect_schema("1,x\n2,y\n", "column_1: utf8, id: int64", "x|1\ny|2\n");
    opts.csv.header = true;
    assert_string_equal(infer("p,q\n1,x\n2,y\n"), "id: int64, q: utf8");
    opts.csv.skip_rows = 2;
    opts.csv.skip_rows_after_header = 1;
    assert_string_equal(infer("made by\nsomebody, \"\n\np,q\n---\n1,x\n"), "id: int64, q: utf8");
    expect_schema("made by\nsomebody\np,q\n---\n1,x\n", "id: int64, q: utf8", "1|x\n");
    hr_strlist_release(&opts.csv.columns);
    set_list(&opts.csv.columns, 3, (const char *[]){"a", "b", "c"});
    struct hr_buf out;
    struct hr_error err;
    struct hr_read_params params = {.want = test_schema_of("a: utf8"), .split_end = -1};
    opts.csv.skip_rows = 0;
    assert_rc(test_read_all(&hr_format_csv, &opts, &params, hr_slice_str("p,q\n1,2\n"), 0, &out,
                            NULL, &err),
              HR_E_CONFIG, &err);
    hr_schema_unref(params.want);
    hr_buf_release(&out);
}

/* Ten thousand columns of one name: unique names, and not by trying all numbers for each. */
static void test_equal_names(void **state) {
    (void)state;
    struct hr_buf text;
    struct hr_schema *schema;
    struct hr_error err;
    const struct hr_infer_params ip = {.rows = 10, .types = true};
    hr_buf_init(&text, 0);
    for (int i = 0; i < 10000; i++) {
        assert_int_equal(hr_buf_append_str(&text, i ? ",a" : "a", NULL), 0);
    }
    struct hr_source *src = hr_source_mem("test", text.ptr, text.len, 0);
    assert_rc(hr_format_csv.infer(src, &opts, &ip, &schema, &err), 0, &err);
    assert_int_equal(schema->n_fields, 10000);
    assert_string_equal(schema->fields[0].name, "a");
    assert_string_equal(schema->fields[9999].name, "a_9999");
    hr_schema_unref(schema);
    hr_source_close(src);
    hr_buf_release(&text);
}

static void test_inference(void **state) {
    (void)state;
    assert_string_equal(infer("i,z,f,b,d,t,u,s,n,big\n"
                              "1,007,1,true,2024-01-02,2024-01-02 03:04,2024-01-02T03:04:05Z,x,,1\n"
                              ",01,2.5,FALSE,,2024-01-02,2024-01-02T03:04:05+01:00,1,,"
                              "12345678901234567890\n"),
                        "i: int64, z: utf8, f: double, b: bool, d: date, t: timestamp[us], "
                        "u: timestamp[us, utc], s: utf8, n: null, big: decimal(38,0)");
    assert_string_equal(infer("a,b\n1,2\nragged\n3,4\n"), "a: int64, b: int64");
    assert_string_equal(infer("a\n1\n\n3\n"), "a: int64");
    assert_string_equal(infer("a,b"), "a: null, b: null");
    assert_string_equal(infer(""), "");
    set_list(&opts.csv.true_values, 1, (const char *[]){"1"});
    set_list(&opts.csv.false_values, 1, (const char *[]){"0"});
    set_list(&opts.csv.null_values, 2, (const char *[]){"-", "NA"});
    assert_string_equal(infer("a,b,c\n1,5,NA\n0,1,-\n"), "a: bool, b: int64, c: null");
}

static void test_nulls(void **state) {
    (void)state;
    expect_schema("a,b,c,d\n,,,\n1,x,1,true\n\"\",\"\",\"\",\"\"\n",
                  "a: int64, b: utf8, c: double, d: bool",
                  "<null>|<null>|<null>|<null>\n1|x|1.0|true\n<null>||<null>|<null>\n");
    expect_schema("a\n\n1\n", "a: int64", "<null>\n1\n");
    set_list(&opts.csv.null_values, 2, (const char *[]){"NA", "-999"});
    expect_schema("a,b,c\nNA,NA,\n-999,-999,\"NA\"\n,,x\n", "a: int64, b: utf8, c: utf8",
                  "<null>|<null>|\n<null>|<null>|NA\n<null>||x\n");
}

static void test_types(void **state) {
    (void)state;
    expect_schema("a,b,c,d,e\n-128,255,65535,-32768,4294967295\n",
                  "a: int8, b: uint8, c: uint16, d: int16, e: uint32",
                  "-128|255|65535|-32768|4294967295\n");
    expect_schema("a,b,c,d\n9223372036854775807,18446744073709551615,1.5,-0.0001\n",
                  "a: int64, b: uint64, c: float, d: double",
                  "9223372036854775807|18446744073709551615|1.5|-0.0001\n");
    expect_schema("a,b,c\n12.5,-0.01,123456789012345678901234567890.12\n1,2,3\n",
                  "a: decimal(12,2), b: decimal(3,2), c: decimal(38,2)",
                  "12.50|-0.01|123456789012345678901234567890.12\n1.00|2.00|3.00\n");
    expect_schema(
        "a,b,c,d\n2024-02-29,2024-02-29 23:59:59.123456,2024-02-29T00:00:00Z,10:11:12.5\n",
        "a: date, b: timestamp[us], c: timestamp[ms, utc], d: time[us]",
        "2024-02-29|2024-02-29 23:59:59.123456|2024-02-29 00:00:00Z|10:11:12.500000\n");
    expect_schema("a,b,c\nTWFu,00112233-4455-6677-8899-aabbccddeeff,1e300\n,,nan\n",
                  "a: binary, b: uuid, c: double",
                  "TWFu|00112233-4455-6677-8899-aabbccddeeff|1e+300\n<null>|<null>|nan\n");
}

static int widen(const char *text, const char *want, bool all, char *needs) {
    struct hr_buf out;
    struct hr_error err;
    struct test_counts counts;
    struct hr_read_params params = {
        .want = test_schema_of(want), .split_end = -1, .want_all = all, .misfit = HR_MISFIT_WIDEN};
    const int rc = read_params(text, strlen(text), &params, &out, &counts, &err);
    memcpy(needs, counts.needs, sizeof(counts.needs));
    hr_buf_release(&out);
    hr_schema_unref(params.want);
    return rc;
}

static void test_widen(void **state) {
    (void)state;
    char needs[2000];
    assert_int_equal(
        widen("a,b,c\n1,2,3\nx,2.5,007\n", "a: int64, b: int64, c: int64", false, needs), HR_WIDEN);
    assert_string_equal(needs, "a: utf8, b: double, c: utf8");
    assert_int_equal(
        widen("a,b\n2024-01-01 10:00:00,99999999999\n", "a: date, b: int32", false, needs),
        HR_WIDEN);
    assert_string_equal(needs, "a: timestamp[us], b: int64");
    assert_int_equal(widen("a,b,c\n1,2.5,\n", "a: int64", true, needs), HR_WIDEN);
    assert_string_equal(needs, "a: int64, b: double, c: null");
    assert_int_equal(widen("a,b\n1,5\n", "a: int64, b: null", false, needs), HR_WIDEN);
    assert_string_equal(needs, "a: int64, b: int64");
    assert_int_equal(widen("a\n2300-01-01 00:00:00\n", "a: timestamp[ns]", false, needs), HR_WIDEN);
    assert_string_equal(needs, "a: utf8");
    assert_int_equal(widen("a\n1\n", "a: int64", true, needs), HR_END);
}

static void test_misfits(void **state) {
    (void)state;
    struct hr_buf out;
    struct hr_error err;
    struct test_counts counts;
    const char *text = "a,b,x\n1,2,p\nbad,3,q\n4,worse,r\n5,6,\n";
    struct hr_read_params params = {
        .want = test_schema_of("b: int64, a: int64"), .split_end = -1, .misfit = HR_MISFIT_STRICT};
    assert_rc(read_params(text, strlen(text), &params, &out, &counts, &err), HR_E_SCHEMA, &err);
    assert_string_equal(err.message, "could not read \"bad\" as int64");
    assert_string_equal(err.column, "a");
    assert_int_equal(err.line, 3);
    assert_int_equal(err.byte_offset, 12);
    hr_buf_release(&out);
    params.misfit = HR_MISFIT_IGNORE;
    assert_rc(read_params(text, strlen(text), &params, &out, &counts, &err), HR_END, &err);
    assert_string_equal(hr_buf_cstr(&out), "2|1\n3|<null>\n<null>|4\n6|5\n");
    assert_int_equal(counts.nulled, 2);
    hr_buf_release(&out);
    hr_schema_unref(params.want);
    params.want = test_schema_of("b: int64, a: int64, _rescued_data: utf8");
    params.misfit = HR_MISFIT_RESCUE;
    params.want_all = true;
    assert_rc(read_params(text, strlen(text), &params, &out, &counts, &err), HR_END, &err);
    assert_string_equal(hr_buf_cstr(&out),
                        "2|1|{\"x\":\"p\"}\n3|<null>|{\"a\":\"bad\",\"x\":\"q\"}\n"
                        "<null>|4|{\"b\":\"worse\",\"x\":\"r\"}\n6|5|<null>\n");
    hr_buf_release(&out);
    hr_schema_unref(params.want);
}

struct seen {
    int count;
    int64_t lines[10], offsets[10];
    char reason[10][200], raw[10][100];
};

static int on_reject(void *user, const struct hr_reject *what, struct hr_error *err) {
    struct seen *seen = user;
    (void)err;
    assert_true(seen->count < 10);
    seen->lines[seen->count] = what->line;
    seen->offsets[seen->count] = what->byte_offset;
    snprintf(seen->reason[seen->count], 200, "%s", what->reason);
    snprintf(seen->raw[seen->count], 100, "%.*s", (int)what->raw.len, (const char *)what->raw.ptr);
    seen->count++;
    return 0;
}

static void test_bad_records(void **state) {
    (void)state;
    struct hr_buf out;
    struct hr_error err;
    struct test_counts counts;
    struct hr_read_params params = {.want = test_schema_of("a: utf8, b: utf8"), .split_end = -1};
    const char *text = "a,b\n\"x\ny\",2\nonly\np,q,r\nq,\xff\n4,5\n";
    assert_rc(read_params(text, strlen(text), &params, &out, &counts, &err), HR_E_FORMAT, &err);
    assert_string_equal(hr_buf_cstr(&out), "x\ny|2\n");
    assert_int_equal(err.line, 4);
    assert_non_null(strstr(err.message, "line 4: it has 1 field where 2 are expected"));
    assert_string_equal(err.object, "test");
    hr_buf_release(&out);
    struct seen seen = {0};
    params.reject = on_reject;
    params.reject_user = &seen;
    assert_rc(
        test_read_all(&hr_format_csv, &opts, &params, hr_slice_str(text), 0, &out, &counts, &err),
        HR_END, &err);
    assert_string_equal(hr_buf_cstr(&out), "x\ny|2\n4|5\n");
    assert_int_equal(counts.rejected, 3);
    assert_int_equal(seen.count, 3);
    assert_int_equal(seen.lines[0], 4);
    assert_int_equal(seen.offsets[1], 17);
    assert_string_equal(seen.raw[1], "p,q,r");
    assert_string_equal(seen.raw[2], "q,\xff");
    assert_non_null(strstr(seen.reason[2], "field 2 is not valid UTF-8"));
    hr_buf_release(&out);
    params.reject = NULL;
    /* A quote that never ends; rows in front of it are given. */
    text = "a,b\n1,2\n3,4\n5,\"x\n7,8\n";
    assert_rc(read_params(text, strlen(text), &params, &out, &counts, &err), HR_E_CORRUPT, &err);
    assert_string_equal(hr_buf_cstr(&out), "1|2\n3|4\n");
    assert_int_equal(err.line, 4);
    assert_int_equal(err.byte_offset, 14);
    hr_buf_release(&out);
    hr_schema_unref(params.want);
}

static void test_places(void **state) {
    (void)state;
    const char *text = "a,b\n\"x\ny\",2\n\n3,4\n";
    struct hr_error err;
    struct hr_read_params params = {
        .want = test_schema_of("a: utf8"), .split_end = -1, .want_rows = true};
    struct hr_source *src = hr_source_mem("test", text, strlen(text), 0);
    struct hr_reader *reader;
    struct hr_batch *batch;
    assert_rc(hr_format_csv.open(src, &opts, &params, &reader, &err), 0, &err);
    assert_rc(hr_reader_next(reader, &batch, &err), 0, &err);
    assert_int_equal(batch->len, 2);
    assert_int_equal(batch->row_offsets[0], 4);
    assert_int_equal(batch->row_lines[0], 2);
    assert_int_equal(batch->row_offsets[1], 13);
    assert_int_equal(batch->row_lines[1], 5);
    hr_reader_close(reader);
    hr_source_close(src);
    hr_schema_unref(params.want);
}

/* Every way to cut a text in two or three splits gives the whole's rows, and the borders agree. */
static void check_splits(const char *text, const char *want, bool exact) {
    const int64_t n = (int64_t)strlen(text);
    struct hr_buf whole;
    struct hr_error err;
    struct hr_read_params params = {.want = test_schema_of(want), .split_end = -1};
    char *names[] = {(char *)(uintptr_t) "a", (char *)(uintptr_t) "b"};
    const struct hr_strlist header = {names, 2};
    assert_rc(
        test_read_all(&hr_format_csv, &opts, &params, hr_slice_str(text), 0, &whole, NULL, &err),
        HR_END, &err);
    params.header = &header;
    for (int64_t cut = 1; cut < n; cut++) {
        struct hr_buf parts[2];
        struct test_counts counts[2];
        params.split_begin = 0;
        params.split_end = cut;
        params.split_exact = false;
        assert_rc(test_read_all(&hr_format_csv, &opts, &params, hr_slice_str(text), 0, &parts[0],
                                &counts[0], &err),
                  HR_END, &err);
        params.split_begin = exact ? counts[0].end_record : cut;
        params.split_end = -1;
        params.split_exact = exact;
        if (params.split_begin >= n) {
            assert_string_equal(hr_buf_cstr(&parts[0]), hr_buf_cstr(&whole));
            hr_buf_release(&parts[0]);
            continue;
        }
        const struct hr_slice rest =
            hr_slice_of(text + params.split_begin - 1, (size_t)(n - params.split_begin + 1));
        assert_rc(
            test_read_all(&hr_format_csv, &opts, &params, rest, 0, &parts[1], &counts[1], &err),
            HR_END, &err);
        if (counts[1].first_record >= 0) {
            assert_int_equal(counts[0].end_record, counts[1].first_record);
        }
        assert_int_equal(counts[1].end_record, n);
        assert_int_equal(hr_buf_append(&parts[0], parts[1].ptr, parts[1].len, NULL), 0);
        assert_string_equal(hr_buf_cstr(&parts[0]), hr_buf_cstr(&whole));
        hr_buf_release(&parts[0]);
        hr_buf_release(&parts[1]);
    }
    hr_buf_release(&whole);
    hr_schema_unref(params.want);
}

static void test_splits(void **state) {
    (void)state;
    check_splits("a,b\n1,x\n22,y\n333,zzz\n4,\n5,w", "a: int64, b: utf8", false);
    check_splits("a,b\r\n1,x\r\n22,y\r\n\r\n333,zzz\r\n4,\r\n", "a: int64, b: utf8", false);
    check_splits("a,b\r1,x\r22,y\r333,zzz\r4,\r", "a: int64, b: utf8", false);
    check_splits("a,b\n1,\"x\n2,\"\n22,\"y\n\"\"q\n\"\n3,z\n", "a: int64, b: utf8", true);
}

static void test_encodings(void **state) {
    (void)state;
    struct hr_buf out;
    struct hr_error err;
    struct hr_read_params params = {.want = test_schema_of("n\xc3\xa4me: utf8, b: int64"),
                                    .split_end = -1};
    const char latin[] = "n\xe4me,b\nJos\xe9,1\n\"\xfc\"\"x\",2\n";
    set_text(&opts.csv.encoding, "latin1");
    assert_rc(read_params(latin, sizeof(latin) - 1, &params, &out, NULL, &err), HR_END, &err);
    assert_string_equal(hr_buf_cstr(&out), "Jos\xc3\xa9|1\n\xc3\xbc\"x|2\n");
    hr_buf_release(&out);
    static const char wide[] = "\xff\xfen\0\xe4\0m\0e\0,\0b\0\n\0x\0,\0001\0\n\0";
    assert_rc(read_params(wide, sizeof(wide) - 1, &params, &out, NULL, &err), HR_END, &err);
    assert_string_equal(hr_buf_cstr(&out), "x|1\n");
    hr_buf_release(&out);
    assert_rc(read_params(wide, sizeof(wide) - 2, &params, &out, NULL, &err), HR_E_FORMAT, &err);
    hr_buf_release(&out);
    set_text(&opts.csv.encoding, "shift_jis");
    static const char jis[] = "b\n\x83\x65\x83\x58\x83\x67\n";
    hr_schema_unref(params.want);
    params.want = test_schema_of("b: utf8");
    assert_rc(read_params(jis, sizeof(jis) - 1, &params, &out, NULL, &err), HR_END, &err);
    assert_string_equal(hr_buf_cstr(&out), "\xe3\x83\x86\xe3\x82\xb9\xe3\x83\x88\n");
    hr_buf_release(&out);
    set_text(&opts.csv.encoding, "cp1252");
    static const char hole[] = "b\nx\x80\n\x81\n";
    assert_rc(read_params(hole, sizeof(hole) - 1, &params, &out, NULL, &err), HR_E_FORMAT, &err);
    assert_string_equal(hr_buf_cstr(&out), "x\xe2\x82\xac\n");
    hr_buf_release(&out);
    set_text(&opts.csv.encoding, "no-such");
    assert_rc(
        test_read_all(&hr_format_csv, &opts, &params, hr_slice_str("b\n"), 0, &out, NULL, &err),
        HR_E_CONFIG, &err);
    hr_schema_unref(params.want);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_plain, setup, teardown),
        cmocka_unit_test_setup_teardown(test_quotes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_dialects, setup, teardown),
        cmocka_unit_test_setup_teardown(test_headers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_equal_names, setup, teardown),
        cmocka_unit_test_setup_teardown(test_inference, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nulls, setup, teardown),
        cmocka_unit_test_setup_teardown(test_types, setup, teardown),
        cmocka_unit_test_setup_teardown(test_widen, setup, teardown),
        cmocka_unit_test_setup_teardown(test_misfits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_records, setup, teardown),
        cmocka_unit_test_setup_teardown(test_places, setup, teardown),
        cmocka_unit_test_setup_teardown(test_splits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_encodings, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
