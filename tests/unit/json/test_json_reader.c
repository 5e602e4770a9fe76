/* tests/unit/json/test_json_reader - what is read from which text: framing, types, nested values,
 * misfits, bad records, splits, places. Every case runs in every engine and cut into slices. */
#include "json_test.h"

/* Infer, then read, in all engines and slice sizes; all must agree with what is expected. */
static void expect_opts(const char *text, struct how how, const char *schema, const char *rows) {
    static const size_t chunks[] = {0, 1, 5, 64};
    const size_t len = strlen(text);
    for (size_t e = 0; e < n_engines(); e++) {
        for (size_t c = 0; c < HR_COUNTOF(chunks); c++) {
            struct hr_error err;
            struct hr_schema *found = NULL;
            char got[2000];
            how.engine = engines[e];
            how.chunk = chunks[c];
            assert_rc(infer_text(text, len, how, &found, &err), 0, &err);
            schema_text(found, got, sizeof(got));
            assert_string_equal(got, schema);
            struct reading r = read_text(text, len, found, how);
            assert_rc(r.rc, HR_END, &r.err);
            assert_string_equal(hr_buf_cstr(&r.rows), rows);
            reading_release(&r);
            hr_schema_unref(found);
        }
    }
}

static void expect(const char *text, const char *schema, const char *rows) {
    expect_opts(text, how_default(), schema, rows);
}

/* Read with this schema in all engines and slices; returns the last reading for more checks. */
static struct reading expect_read(const char *text, const char *schema, struct how how, int rc,
                                  const char *rows) {
    static const size_t chunks[] = {1, 7, 0};
    struct reading r = {0};
    for (size_t e = 0; e < n_engines(); e++) {
        for (size_t c = 0; c < HR_COUNTOF(chunks); c++) {
            if (e + c > 0) {
                reading_release(&r);
            }
            struct hr_schema *want = schema_of(schema);
            how.engine = engines[e];
            how.chunk = chunks[c];
            r = read_text(text, strlen(text), want, how);
            assert_rc(r.rc, rc, &r.err);
            if (rows != NULL) {
                assert_string_equal(hr_buf_cstr(&r.rows), rows);
            }
            hr_schema_unref(want);
        }
    }
    return r;
}

static void framings(void **state) {
    (void)state;
    static const char rows[] = "{\"a\":1,\"b\":\"x\"}\n{\"a\":2,\"b\":null}\n";
    static const char *const texts[] = {
        "{\"a\":1,\"b\":\"x\"}\n{\"a\":2,\"b\":null}\n",
        "{\"a\":1,\"b\":\"x\"}\r\n{\"a\":2}\r\n",
        "{\"a\":1,\"b\":\"x\"}\n{\"a\":2}", /* no newline at the end */
        "\xef\xbb\xbf{\"a\":1,\"b\":\"x\"}\n\n  \n{\"a\":2}\n\n",
        "[{\"a\":1,\"b\":\"x\"},{\"a\":2}]",
        "\xef\xbb\xbf\n [ {\"a\":1,\"b\":\"x\"} ,\n {\"a\":2} ] \n",
        "{\n  \"a\": 1,\n  \"b\": \"x\"\n}\n{\n  \"a\": 2\n}\n",
        "{\"a\":1,\"b\":\"x\"}{\"a\":2}",
        "{\"a\":1,\"b\":\"x\"} {\"a\":2}\n",
        "{\"a\":1,\"b\":\"x\"}\r{\"a\":2}\r",
        " {\"a\" :1 ,\t\"b\": \"x\" } \n{\"a\":2}\n",
    };
    for (size_t i = 0; i < HR_COUNTOF(texts); i++) {
        expect(texts[i], "a: int64, b: utf8", rows);
    }
    expect("{\"a\":1}", "a: int64", "{\"a\":1}\n");
    expect("{}\n{}\n", "", "{}\n{}\n");
    expect("[]", "", "");
    expect("[1,2.5,null]", "value: double", "{\"value\":1.0}\n{\"value\":2.5}\n{\"value\":null}\n");
    expect("[[1 ],{ }]", "@value: utf8", "{\"value\":[1]}\n{\"value\":null}\n");
    expect("\"x\"", "value: utf8", "{\"value\":\"x\"}\n");
    expect("", "", "");
    expect(" \n\t\r\n", "", "");
    expect("\xef\xbb\xbf", "", "");
}

static void types(void **state) {
    (void)state;
    expect("{\"a\":1}\n{\"a\":2.5}\n", "a: double", "{\"a\":1.0}\n{\"a\":2.5}\n");
    expect("{\"a\":true}\n{\"a\":false}\n{\"a\":null}\n", "a: bool",
           "{\"a\":true}\n{\"a\":false}\n{\"a\":null}\n");
    expect("{\"a\":\"2024-02-29\"}\n{\"a\":\"0001-01-01\"}\n{\"a\":\"9999-12-31\"}\n", "a: date",
           "{\"a\":\"2024-02-29\"}\n{\"a\":\"0001-01-01\"}\n{\"a\":\"9999-12-31\"}\n");
    expect("{\"a\":\"2024-02-30\"}\n", "a: utf8", "{\"a\":\"2024-02-30\"}\n");
    expect("{\"a\":\"2024-02-29\"}\n{\"a\":\"2024-02-29T10:11:12.5\"}\n", "a: timestamp[us]",
           "{\"a\":\"2024-02-29T00:00:00\"}\n{\"a\":\"2024-02-29T10:11:12.500\"}\n");
    expect("{\"a\":\"2024-02-29T10:11:12Z\"}\n{\"a\":\"2024-02-29T10:11:12+02:00\"}\n",
           "a: timestamp[us, utc]",
           "{\"a\":\"2024-02-29T10:11:12Z\"}\n{\"a\":\"2024-02-29T08:11:12Z\"}\n");
    expect("{\"a\":\"12\"}\n", "a: utf8", "{\"a\":\"12\"}\n"); /* digits in quotes are text */
    expect("{\"a\":\"2024-01-15-ABC\"}\n", "a: utf8", "{\"a\":\"2024-01-15-ABC\"}\n");
    expect("{\"a\":\"2024-01-15\"}\n{\"a\":\"x\"}\n", "a: utf8",
           "{\"a\":\"2024-01-15\"}\n{\"a\":\"x\"}\n");
    expect("{\"a\":9223372036854775807}\n{\"a\":-9223372036854775808}\n", "a: int64",
           "{\"a\":9223372036854775807}\n{\"a\":-9223372036854775808}\n");
    expect("{\"a\":9223372036854775808}\n{\"a\":-1}\n", "a: decimal(38,0)",
           "{\"a\":9223372036854775808}\n{\"a\":-1}\n");
    expect("{\"a\":123456789012345678901234567890123456789}\n{\"a\":1}\n", "a: utf8",
           "{\"a\":\"123456789012345678901234567890123456789\"}\n{\"a\":\"1\"}\n");
    expect("{\"a\":1e400}\n{\"a\":1.50}\n", "a: utf8", "{\"a\":\"1e400\"}\n{\"a\":\"1.50\"}\n");
    expect("{\"a\":1}\n{\"a\":\"x\"}\n{\"a\":true}\n{\"a\":1.50}\n{\"a\":[1, 2]}\n", "a: utf8",
           "{\"a\":\"1\"}\n{\"a\":\"x\"}\n{\"a\":\"true\"}\n{\"a\":\"1.50\"}\n{\"a\":\"[1,2]\"}\n");
    expect("{\"a\":-0}\n{\"a\":0}\n", "a: int64", "{\"a\":0}\n{\"a\":0}\n");
    expect("{\"a\":-0.0}\n{\"a\":1E2}\n{\"a\":12345678901234567}\n", "a: double",
           "{\"a\":-0.0}\n{\"a\":100.0}\n{\"a\":1.2345678901234568e+16}\n");
    expect("{\"a\":null}\n", "a: null", "{\"a\":null}\n");
}

static void strings(void **state) {
    (void)state;
    expect("{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"}\n", "a: utf8",
           "{\"a\":\"\\\"\\\\/\\b\\f\\n\\r\\t\"}\n");
    expect("{\"a\":\"\\u00e9\\ud834\\udd1e\\u0041\"}\n", "a: utf8",
           "{\"a\":\"\xc3\xa9\xf0\x9d\x84\x9e"
           "A\"}\n");
    expect("{\"a\":\"\\ud834x\\udd1e\"}\n", "a: utf8", "{\"a\":\"\xef\xbf\xbdx\xef\xbf\xbd\"}\n");
    expect("{\"\\u0061\":1}\n{\"a\":2}\n", "a: int64", "{\"a\":1}\n{\"a\":2}\n");
    expect("{\"a\\u0000b\":1}\n",
           "a\xef\xbf\xbd"
           "b: int64",
           "{\"a\xef\xbf\xbd"
           "b\":1}\n");
    expect("{\"\":1}\n", ": int64", "{\"\":1}\n");
    expect("{\"a\":\"0123456789012345678901234567890123456789\xe2\x82\xac!\"}\n", "a: utf8",
           "{\"a\":\"0123456789012345678901234567890123456789\xe2\x82\xac!\"}\n");
    expect("{\"a key that is longer than thirty-two bytes\":1,\"b\":2}\n"
           "{\"a key that is longer than thirty-two bytes\":3,\"b\":4}\n"
           "{\"a key that is longer than thirty-two xytes\":5,\"b\":6}\n",
           "a key that is longer than thirty-two bytes: int64, b: int64, "
           "a key that is longer than thirty-two xytes: int64",
           "{\"a key that is longer than thirty-two bytes\":1,\"b\":2,"
           "\"a key that is longer than thirty-two xytes\":null}\n"
           "{\"a key that is longer than thirty-two bytes\":3,\"b\":4,"
           "\"a key that is longer than thirty-two xytes\":null}\n"
           "{\"a key that is longer than thirty-two bytes\":null,\"b\":6,"
           "\"a key that is longer than thirty-two xytes\":5}\n");
}

static void keys(void **state) {
    (void)state;
    /* any order, missing, repeated: the last counts, also when it is null or the first was */
    expect("{\"a\":1,\"b\":2}\n{\"b\":3,\"a\":4}\n{\"a\":5}\n{\"b\":6}\n{}\n{\"a\":7,\"b\":8}\n",
           "a: int64, b: int64",
           "{\"a\":1,\"b\":2}\n{\"a\":4,\"b\":3}\n{\"a\":5,\"b\":null}\n{\"a\":null,\"b\":6}\n"
           "{\"a\":null,\"b\":null}\n{\"a\":7,\"b\":8}\n");
    expect("{\"a\":1,\"a\":2}\n{\"a\":1,\"a\":null}\n{\"a\":null,\"a\":3}\n{\"a\":4}\n", "a: int64",
           "{\"a\":2}\n{\"a\":null}\n{\"a\":3}\n{\"a\":4}\n");
    expect("{\"a\":\"xyz\",\"a\":\"u\"}\n{\"a\":\"v\"}\n", "a: utf8",
           "{\"a\":\"u\"}\n{\"a\":\"v\"}\n");
}

static void nested(void **state) {
    (void)state;
    const char *text = "{\"a\": {\"x\" : 1 , \"y\": [ 1.50, \"p q\", {} ] }, \"b\":[ ]}\n"
                       "{\"a\":null,\"b\":[ null, true ]}\n{\"a\":{\"x\":2}}\n";
    expect(text, "@a: utf8, @b: utf8",
           "{\"a\":{\"x\":1,\"y\":[1.50,\"p q\",{}]},\"b\":[]}\n"
           "{\"a\":null,\"b\":[null,true]}\n{\"a\":{\"x\":2},\"b\":null}\n");
    struct how typed = how_default();
    typed.json.nested_text = false;
    expect_opts("{\"a\":{\"x\":1,\"y\":[1,null,2]}}\n{\"a\":null}\n{\"a\":{\"y\":[]}}\n{}\n"
                "{\"a\":{\"y\":null,\"x\":3,\"x\":4}}\n",
                typed, "a: struct<x: int64, y: list<int64>>",
                "{\"a\":{\"x\":1,\"y\":[1,null,2]}}\n{\"a\":null}\n{\"a\":{\"x\":null,\"y\":[]}}\n"
                "{\"a\":null}\n{\"a\":{\"x\":4,\"y\":null}}\n");
    expect_opts("{\"l\":[{\"k\":\"a\",\"v\":[[1],[2,3]]},{\"v\":[]}]}\n{\"l\":[]}\n"
                "{\"l\":[null,{\"k\":\"b\"}]}\n",
                typed, "l: list<struct<k: utf8, v: list<list<int64>>>>",
                "{\"l\":[{\"k\":\"a\",\"v\":[[1],[2,3]]},{\"k\":null,\"v\":[]}]}\n{\"l\":[]}\n"
                "{\"l\":[null,{\"k\":\"b\",\"v\":null}]}\n");
    struct how flat = how_default();
    flat.json.flatten = true;
    expect_opts("{\"a\":{\"b\":1,\"c\":{\"d\":\"x\",\"e\":[1,{\"f\":2}]}},\"g\":true}\n"
                "{\"g\":false,\"a\":{\"c\":{\"d\":\"y\"}}}\n{\"a\":null}\n{\"a\":{}}\n",
                flat, "a.b: int64, a.c.d: utf8, @a.c.e: utf8, g: bool",
                "{\"a.b\":1,\"a.c.d\":\"x\",\"a.c.e\":[1,{\"f\":2}],\"g\":true}\n"
                "{\"a.b\":null,\"a.c.d\":\"y\",\"a.c.e\":null,\"g\":false}\n"
                "{\"a.b\":null,\"a.c.d\":null,\"a.c.e\":null,\"g\":null}\n"
                "{\"a.b\":null,\"a.c.d\":null,\"a.c.e\":null,\"g\":null}\n");
    flat.json.max_depth = 1;
    flat.json.separator = (char[]){"_"};
    expect_opts("{\"a\":{\"b\":{\"c\": 1}}}\n{\"a\":5}\n", flat, "a: int64, @a_b: utf8",
                "{\"a\":null,\"a_b\":{\"c\":1}}\n{\"a\":5,\"a_b\":null}\n");
}

static void declared_types(void **state) {
    (void)state;
    struct how how = how_default();
    struct reading r = expect_read(
        "{\"a\":-128,\"b\":255,\"c\":1.5,\"d\":12.340,\"e\":\"10:11:12.5\",\"f\":\"AP8=\","
        "\"g\":\"2024-01-02\",\"h\":18446744073709551615,\"m\":{\"7\":1,\"8\":null},\"n\":\"\"}\n",
        "a: int8, b: uint8, c: float, d: decimal(10,3), e: time[us], f: binary, "
        "g: timestamp[s, utc], h: uint64, m: map<int32, int64>, n: binary",
        how, HR_END,
        "{\"a\":-128,\"b\":255,\"c\":1.5,\"d\":12.340,\"e\":\"10:11:12.500000\",\"f\":\"AP8=\","
        "\"g\":\"2024-01-02T00:00:00Z\",\"h\":18446744073709551615,"
        "\"m\":{\"7\":1,\"8\":null},\"n\":\"\"}\n");
    reading_release(&r);
    how.json.allow_nan = true;
    r = expect_read("{\"a\":NaN,\"b\":-Infinity,\"c\":[NaN,-Infinity, 1]}\n{\"a\":Infinity}\n",
                    "a: double, b: utf8, @c: utf8", how, HR_END,
                    "{\"a\":null,\"b\":\"-Infinity\",\"c\":[null,null,1]}\n"
                    "{\"a\":null,\"b\":null,\"c\":null}\n");
    reading_release(&r);
}

static void check_needs(const struct reading *r, const char *want) {
    char got[2000];
    assert_non_null(r->needs);
    schema_text(r->needs, got, sizeof(got));
    assert_string_equal(got, want);
}

static void widening(void **state) {
    (void)state;
    struct how how = how_default();
    how.params.want_all = true;
    static const struct {
        const char *want, *text, *needs;
    } cases[] = {
        {"a: int64", "{\"a\":1}\n{\"a\":1.0}\n", "a: double"},
        {"a: int64", "{\"a\":\"x\"}\n", "a: utf8"},
        {"a: int64", "{\"a\":9223372036854775808}\n", "a: decimal(38,0)"},
        {"a: int32", "{\"a\":5}\n{\"a\":2147483648}\n", "a: int64"},
        {"a: double", "{\"a\":1e999}\n", "a: utf8"},
        {"a: date", "{\"a\":\"2024-01-01 10:00\"}\n", "a: timestamp[us]"},
        {"a: timestamp[us]", "{\"a\":\"2024-01-01T10:00Z\"}\n", "a: utf8"},
        {"a: timestamp[ms]", "{\"a\":\"2024-01-01T10:00:00.000001\"}\n", "a: timestamp[us]"},
        {"a: bool", "{\"a\":1}\n", "a: utf8"},
        {"a: decimal(5,2)", "{\"a\":1234.5}\n{\"a\":1.234}\n", "a: decimal(18,3)"},
        {"a: list<int64>", "{\"a\":[1.5]}\n", "a: list<double>"},
        {"a: list<int64>", "{\"a\":{}}\n", "a: utf8"},
        {"a: struct<x: int64>", "{\"a\":{\"x\":1,\"y\":[true]}}\n",
         "a: struct<x: int64, y: list<bool>>"},
        {"a: null", "{\"a\":null}\n{\"a\":3}\n", "a: int64"},
        /* all of a batch at once: new columns in the order met, with their types */
        {"a: int64", "{\"a\":1,\"b\":\"x\"}\n{\"c\":[1 ,2],\"b\":null}\n{\"a\":2.5,\"d\":null}\n",
         "a: double, b: utf8, @c: utf8, d: null"},
        {"a: int64", "{\"a\":\"x\",\"a\":1,\"b\":true}\n", "a: int64, b: bool"},
    };
    for (size_t i = 0; i < HR_COUNTOF(cases); i++) {
        struct reading r = expect_read(cases[i].text, cases[i].want, how, HR_WIDEN, NULL);
        check_needs(&r, cases[i].needs);
        reading_release(&r);
    }
    how.json.flatten = true;
    struct reading r =
        expect_read("{\"a\":{\"b\":1,\"c\":{\"d\":2}}}\n", "a.b: int64", how, HR_WIDEN, NULL);
    check_needs(&r, "a.b: int64, a.c.d: int64");
    reading_release(&r);
    /* a bad record widens nothing; without want_all new keys are passed over */
    how = how_default();
    how.params.want_all = true;
    how.rejects = true;
    r = expect_read("{\"a\":\"x\",]\n{\"a\":1}\n", "a: int64", how, HR_END, "{\"a\":1}\n");
    reading_release(&r);
    how = how_default();
    r = expect_read("{\"b\":\"x\",\"a\":1,\"c\":{\"d\":[]}}\n", "a: int64", how, HR_END,
                    "{\"a\":1}\n");
    reading_release(&r);
}

static void evolution(void **state) {
    (void)state;
    static const char text[] =
        "{\"a\":1,\"b\":2}\n{\"a\":\"x\\n\",\"b\":3,\"c\":[ 1 ]}\n{\"a\":4}\n";
    struct how how = how_default();
    how.params.want_all = true;
    how.params.misfit = HR_MISFIT_IGNORE;
    struct reading r =
        expect_read(text, "a: int64, b: int64", how, HR_END,
                    "{\"a\":1,\"b\":2}\n{\"a\":null,\"b\":3}\n{\"a\":4,\"b\":null}\n");
    assert_int_equal(r.nulled, 2);
    reading_release(&r);
    how.params.misfit = HR_MISFIT_RESCUE;
    r = expect_read(text, "a: int64, _rescued_data: utf8, b: int64", how, HR_END,
                    "{\"a\":1,\"_rescued_data\":null,\"b\":2}\n"
                    "{\"a\":null,\"_rescued_data\":\"{\\\"a\\\":\\\"x\\\\n\\\",\\\"c\\\":[1]}\","
                    "\"b\":3}\n{\"a\":4,\"_rescued_data\":null,\"b\":null}\n");
    assert_int_equal(r.nulled, 2);
    reading_release(&r);
    how.params.misfit = HR_MISFIT_STRICT;
    r = expect_read(text, "a: int64, b: int64, c: utf8", how, HR_E_SCHEMA, NULL);
    assert_string_equal(r.err.column, "a");
    assert_int_equal(r.err.line, 2);
    assert_int_equal(r.err.byte_offset, 19);
    assert_non_null(strstr(r.err.message, "\"x\\n\""));
    assert_string_equal(r.err.object, "test.json");
    reading_release(&r);
    r = expect_read("{\"a\":1,\"d\":5}\n", "a: int64", how, HR_E_SCHEMA, NULL);
    assert_string_equal(r.err.column, "d");
    reading_release(&r);
    how.params.misfit = HR_MISFIT_IGNORE;
    r = expect_read("{\"a\":[1,\"x\",2]}\n", "a: list<int64>", how, HR_END, "{\"a\":[1,null,2]}\n");
    assert_int_equal(r.nulled, 1);
    reading_release(&r);
}

static void bad_lines(void **state) {
    (void)state;
    static const char text[] = "{\"a\":1}\n"
                               "{\"a\":}\n"
                               "null\n"
                               "[1,2]\n"
                               "{\"a\":2} x\n"
                               "{\"a\":\"\xff\"}\n"
                               "{\"a\":3\n"
                               "{\"a\":\"x\ty\"}\n"
                               "{\"a\":4}\n"
                               "{\"a\":5";
    struct how how = how_default();
    how.rejects = true;
    struct reading r = expect_read(text, "a: int64", how, HR_END, "{\"a\":1}\n{\"a\":4}\n");
    assert_int_equal(r.rejected, 8);
    assert_string_equal(
        hr_buf_cstr(&r.rejects),
        "2:8:a value was expected (column 6, at '}')|{\"a\":}\n"
        "3:15:a record is null, not an object (column 1, at 'null')|null\n"
        "4:20:a record is an array, not an object (column 1, at '[1,2]')|[1,2]\n"
        "5:26:text follows the record on its line (column 9, at 'x')|{\"a\":2} x\n"
        "6:36:text is not valid UTF-8 (column 7, at '\\xff\"}')|{\"a\":\"\\xff\"}\n"
        "7:46:',' or '}' was expected in an object (column 7, at the end of the line)|{\"a\":3\n"
        "8:53:a control character inside a string (column 8, at '\\x09y\"}')|{\"a\":\"x\\x09y\"}\n"
        "10:73:an object is not closed (column 7, at the end of the text)|{\"a\":5\n");
    reading_release(&r);
    how.rejects = false;
    r = expect_read(text, "a: int64", how, HR_E_FORMAT, NULL);
    assert_int_equal(r.err.line, 2);
    assert_int_equal(r.err.byte_offset, 13);
    assert_string_equal(r.err.object, "test.json");
    assert_true(r.err.hint[0] != '\0');
    reading_release(&r);
    r = expect_read("{\"a\":1}\n{\"a\":", "a: int64", how, HR_E_CORRUPT, NULL); /* torn */
    assert_int_equal(r.err.line, 2);
    reading_release(&r);
}

static void bad_documents(void **state) {
    (void)state;
    struct how how = how_default();
    how.rejects = true; /* resynchronising is impossible: an error all the same */
    struct reading r = expect_read("[{\"a\":1},\n {\"a\" 2}]", "a: int64", how, HR_E_FORMAT, NULL);
    assert_int_equal(r.err.line, 2);
    assert_int_equal(r.err.byte_offset, 16);
    assert_non_null(strstr(r.err.message, "line 2"));
    assert_non_null(strstr(r.err.message, "column 7"));
    reading_release(&r);
    r = expect_read("[{\"a\":1},3,{\"a\":2},null]", "a: int64, b: int64", how, HR_END,
                    "{\"a\":1,\"b\":null}\n{\"a\":2,\"b\":null}\n");
    assert_string_equal(
        hr_buf_cstr(&r.rejects),
        "1:9:a record is a number, not an object (column 10, at '3,{\"a\":2},null]')|3\n"
        "1:19:a record is null, not an object (column 20, at 'null]')|null\n");
    reading_release(&r);
    static const struct {
        const char *text;
        int code;
    } cases[] = {
        {"[{\"a\":1}", HR_E_CORRUPT},
        {"[{\"a\":1},", HR_E_CORRUPT},
        {"[", HR_E_CORRUPT},
        {"[{\"a\":1},]", HR_E_FORMAT},
        {"[{\"a\":1}]]", HR_E_FORMAT},
        {"[{\"a\":1}] {}", HR_E_FORMAT},
        {"[{\"a\":1} {}]", HR_E_FORMAT},
        {"{\"a\":\n1}}", HR_E_FORMAT},
        {"{\"a\":\n1", HR_E_CORRUPT},
        {"{\n\"a\":1,}", HR_E_FORMAT},
        {"\xff\xfe{", HR_E_FORMAT},
    };
    for (size_t i = 0; i < HR_COUNTOF(cases); i++) {
        r = expect_read(cases[i].text, "a: int64", how, cases[i].code, NULL);
        assert_true(r.err.byte_offset >= 0 && r.err.line > 0);
        reading_release(&r);
    }
}

static void bounds(void **state) {
    (void)state;
    struct how how = how_default();
    char deep[1200];
    memset(deep, 0, sizeof(deep));
    memcpy(deep, "{\"a\":", 5);
    memset(deep + 5, '[', 255);
    memset(deep + 260, ']', 255);
    memcpy(deep + 515, "}\n", 2);
    struct reading r = expect_read(deep, "a: utf8", how, HR_END, NULL);
    reading_release(&r);
    how.params.json_depth_max = 255;
    r = expect_read(deep, "a: utf8", how, HR_E_BOUND, NULL);
    assert_int_equal(r.err.byte_offset, 5 + 254);
    reading_release(&r);
    how.params.json_depth_max = 3; /* typed recursion keeps the same bound */
    r = expect_read("{\"a\":[[1]]}\n", "a: list<list<int64>>", how, HR_END, "{\"a\":[[1]]}\n");
    reading_release(&r);
    how.params.json_depth_max = 2;
    r = expect_read("{\"a\":[[1]]}\n", "a: list<list<int64>>", how, HR_E_BOUND, NULL);
    reading_release(&r);
    /* a record over the bound: dropped when lines, whatever its length */
    how = how_default();
    how.rejects = true;
    how.params.cell_max = 5000;
    struct hr_buf text;
    hr_buf_init(&text, 0);
    hr_buf_append_str(&text, "{\"a\":1}\n{\"b\":\"", NULL);
    for (int i = 0; i < 20000; i++) {
        hr_buf_append_byte(&text, 'x', NULL);
    }
    hr_buf_append_str(&text, "\"}\n{\"a\":2}\n", NULL);
    how.chunk = 100;
    struct hr_schema *want = schema_of("a: int64");
    r = read_text(text.ptr, text.len, want, how);
    assert_rc(r.rc, HR_END, &r.err);
    assert_string_equal(hr_buf_cstr(&r.rows), "{\"a\":1}\n{\"a\":2}\n");
    assert_non_null(strstr(hr_buf_cstr(&r.rejects), "longer than 5000 bytes"));
    assert_int_equal(r.rejected, 1);
    reading_release(&r);
    how.json.lines = 2;
    r = read_text(text.ptr, text.len, want, how);
    assert_rc(r.rc, HR_E_BOUND, &r.err);
    reading_release(&r);
    hr_schema_unref(want);
    hr_buf_release(&text);
}

static void places(void **state) {
    (void)state;
    struct how how = how_default();
    how.params.want_rows = true;
    struct reading r = expect_read("\n{\"a\":1}\n  \n {\"a\":2}\n{\"a\":3}", "a: int64", how,
                                   HR_END, "2@1 {\"a\":1}\n4@13 {\"a\":2}\n5@21 {\"a\":3}\n");
    reading_release(&r);
    r = expect_read("[{\"a\":\n1},\n\n {\"a\":2},{\"a\":3}\n]", "a: int64", how, HR_END,
                    "1@1 {\"a\":1}\n4@13 {\"a\":2}\n4@21 {\"a\":3}\n");
    reading_release(&r);
}

/* Every way to cut lines in two or three splits gives each row once. */
static void splits(void **state) {
    (void)state;
    static const char text[] = "{\"a\":1}\n\n{\"a\":22}\r\n{\"a\":333}\n  {\"a\":4}";
    const size_t len = sizeof(text) - 1;
    struct hr_schema *want = schema_of("a: int64");
    struct how how = how_default();
    how.params.want_rows = true;
    for (size_t e = 0; e < n_engines(); e++) {
        for (size_t cut = 1; cut < len; cut++) {
            for (size_t next = cut; next < len; next += 3) {
                const size_t ends[] = {0, cut, next, len};
                struct hr_buf all;
                hr_buf_init(&all, 0);
                for (int k = 0; k < 3; k++) {
                    if (ends[k] == ends[k + 1]) {
                        continue;
                    }
                    const size_t from = ends[k] > 0 ? ends[k] - 1 : 0;
                    how.engine = engines[e];
                    how.chunk = 3;
                    how.params.split_begin = (int64_t)ends[k];
                    how.params.split_end = k == 2 ? -1 : (int64_t)ends[k + 1];
                    struct reading r = read_text(text + from, len - from, want, how);
                    assert_rc(r.rc, HR_END, &r.err);
                    if (r.n_rows > 0) {
                        assert_true(r.first_record >= (int64_t)ends[k]);
                        assert_true(r.end_record > r.first_record);
                    }
                    /* line numbers are the split's own: keep offset and value */
                    for (const char *p = hr_buf_cstr(&r.rows); *p != '\0';
                         p = strchr(p, '\n') + 1) {
                        const char *at = strchr(p, '@');
                        hr_buf_append(&all, at, (size_t)(strchr(p, '\n') + 1 - at), NULL);
                    }
                    reading_release(&r);
                }
                assert_string_equal(hr_buf_cstr(&all), "@0 {\"a\":1}\n@9 {\"a\":22}\n"
                                                       "@19 {\"a\":333}\n@31 {\"a\":4}\n");
                hr_buf_release(&all);
            }
        }
    }
    how.params.split_begin = 9;
    how.params.split_end = 10;
    how.params.split_exact = true;
    struct reading r = read_text(text + 8, len - 8, want, how);
    assert_string_equal(hr_buf_cstr(&r.rows), "1@9 {\"a\":22}\n");
    assert_int_equal(r.first_record, 9);
    assert_int_equal(r.end_record, 19);
    reading_release(&r);
    hr_schema_unref(want);
}

static void batches(void **state) {
    (void)state;
    struct hr_buf text;
    hr_buf_init(&text, 0);
    for (int i = 0; i < 1000; i++) {
        hr_buf_printf(&text, NULL, "{\"a\":%d,\"b\":\"%*d\"}\n", i, i % 50, i);
    }
    struct how how = how_default();
    how.params.batch_rows = 7;
    struct reading r = expect_read(hr_buf_cstr(&text), "a: int64, b: utf8", how, HR_END, NULL);
    assert_int_equal(r.n_rows, 1000);
    assert_int_equal(r.batches, 143);
    reading_release(&r);
    how.params.batch_rows = 100000; /* the columns grow inside a batch */
    r = expect_read(hr_buf_cstr(&text), "a: int64, b: utf8", how, HR_END, NULL);
    assert_int_equal(r.batches, 1);
    reading_release(&r);
    hr_buf_release(&text);
}

/* Objects that are maps in disguise: memory of keys is given back between records. */
static void many_keys(void **state) {
    (void)state;
    struct hr_buf text;
    hr_buf_init(&text, 0);
    for (int i = 0; i < 4000; i++) {
        hr_buf_printf(&text, NULL, "{\"k%d\":1,\"a\":%d,\"x%d\":{\"y\":[]},\"z%d\":null}\n", i, i,
                      7 * i, i);
    }
    for (int i = 0; i < 1000; i++) {
        hr_buf_printf(&text, NULL, "%s\"m%d\":%d", i ? "," : "{", i, i);
    }
    hr_buf_append_str(&text, ",\"a\":5}\n", NULL);
    struct how how = how_default();
    how.chunk = 0;
    struct hr_schema *want = schema_of("a: int64, m999: int64");
    for (size_t e = 0; e < n_engines(); e++) {
        how.engine = engines[e];
        struct reading r = read_text(text.ptr, text.len, want, how);
        assert_rc(r.rc, HR_END, &r.err);
        assert_int_equal(r.n_rows, 4001);
        assert_non_null(strstr(hr_buf_cstr(&r.rows), "{\"a\":5,\"m999\":999}\n"));
        reading_release(&r);
    }
    hr_schema_unref(want);
    how.params.want_all = true;
    want = schema_of("a: int64");
    struct reading r = read_text(text.ptr, text.len, want, how);
    assert_rc(r.rc, HR_E_BOUND, &r.err); /* 12,000 new columns */
    reading_release(&r);
    hr_schema_unref(want);
    hr_buf_release(&text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(framings),  cmocka_unit_test(types),
        cmocka_unit_test(strings),   cmocka_unit_test(keys),
        cmocka_unit_test(nested),    cmocka_unit_test(declared_types),
        cmocka_unit_test(widening),  cmocka_unit_test(evolution),
        cmocka_unit_test(bad_lines), cmocka_unit_test(bad_documents),
        cmocka_unit_test(bounds),    cmocka_unit_test(places),
        cmocka_unit_test(splits),    cmocka_unit_test(batches),
        cmocka_unit_test(many_keys)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
