/* tests/unit/json/test_json_faults - memory that runs out at every allocation, text cut at every
 * byte, single bytes flipped: an error or a right answer, nothing leaked, never fewer rows in
 * silence. */
#include "json_test.h"

static const char lines[] = "{\"a\":1,\"b\":\"x\",\"c\":{\"d\":[1,2],\"e\":null}}\n"
                            "{\"a\":2.5,\"b\":\"\\u00e9\",\"c\":{\"d\":[]},\"f\":\"2024-01-01\"}\n"
                            "{\"b\":null,\"a\":3,\"g\":true}\n";
static const char array[] =
    "[{\"a\":1,\"b\":\"x\"},\n {\"a\":2,\"b\":null} , {\"b\":\"\xc3\xa9\"}\n]";
static const char pretty[] = "{\n  \"a\": 1,\n  \"b\": [\n    1\n  ]\n}\n{\n  \"a\": 2\n}";

/* Infer, then read; 0 or the code that ended it. */
static int whole_run(const char *text, size_t len, struct how how, struct reading *out) {
    struct hr_schema *schema;
    struct hr_error err;
    *out = (struct reading){0};
    const int rc = infer_text(text, len, how, &schema, &err);
    if (rc != 0) {
        out->err = err;
        return rc;
    }
    *out = read_text(text, len, schema, how);
    hr_schema_unref(schema);
    return out->rc;
}

static void infer_and_widen(const char *text, const char *narrow, struct how how, int *out_rc) {
    struct hr_schema *want = schema_of(narrow);
    struct hr_format_opts opts = {.json = how.json};
    struct hr_infer_params infer = {.rows = 10, .types = true};
    struct hr_schema *schema = NULL;
    struct hr_reader *reader = NULL;
    struct hr_batch *batch;
    struct hr_source *src = hr_source_mem("test.json", text, strlen(text), 40);
    struct hr_source *again = hr_source_mem("test.json", text, strlen(text), 40);
    how.params.want = want;
    hr_mem_fail_at(*out_rc > 0 ? (uint64_t)*out_rc : 0, 0);
    int rc = hr_j_infer(src, &opts, &infer, &schema, NULL);
    if (rc == 0) {
        rc = hr_j_open(again, &opts, &how.params, how.engine, &reader, NULL);
    }
    while (rc == 0) {
        rc = hr_reader_next(reader, &batch, NULL);
    }
    hr_mem_fail_at(0, 0);
    hr_reader_close(reader);
    hr_source_close(src);
    hr_source_close(again);
    hr_schema_unref(schema);
    hr_schema_unref(want);
    *out_rc = rc;
}

static void out_of_memory(void **state) {
    (void)state;
    const char *const texts[] = {lines, array, pretty};
    static const char *const narrow[] = {"a: int64, c: struct<d: list<utf8>>", "b: utf8",
                                         "a: utf8, b: list<int8>"};
    for (size_t t = 0; t < HR_COUNTOF(texts); t++) {
        for (int option = 0; option < 8; option++) {
            struct how how = how_default();
            how.json.flatten = (option & 1) != 0;
            how.json.nested_text = (option & 2) != 0;
            how.params.want_all = (option & 4) != 0;
            how.engine = engines[(size_t)option % n_engines()];
            int want = 0;
            infer_and_widen(texts[t], narrow[t], how, &want);
            assert_true(want == HR_END || want == HR_WIDEN);
            int rc = HR_E_NOMEM;
            int nth = 1;
            for (; rc == HR_E_NOMEM; nth++) {
                const int64_t live = hr_mem_live();
                rc = nth;
                infer_and_widen(texts[t], narrow[t], how, &rc);
                assert_int_equal(hr_mem_live(), live);
                assert_true(rc == HR_E_NOMEM || rc == want);
                assert_true(nth < 10000);
            }
            assert_true(nth > 10);
        }
    }
}

/* Is a text of lines cut here still whole? */
static bool record_end(const char *text, size_t len) {
    return len == 0 || text[len - 1] == '\n' || text[len - 1] == '}';
}

static void cut_everywhere(void **state) {
    (void)state;
    for (size_t e = 0; e < n_engines(); e++) {
        struct how how = how_default();
        struct reading r;
        how.engine = engines[e];
        for (size_t len = 0; len < sizeof(lines) - 1; len++) {
            const int rc = whole_run(lines, len, how, &r);
            int64_t depth = 0;
            for (size_t i = 0; i < len; i++) {
                depth += (lines[i] == '{') - (lines[i] == '}');
            }
            const bool whole = depth == 0 && record_end(lines, len);
            assert_int_equal(rc == HR_END, whole);
            assert_true(whole || (rc < 0 && r.err.byte_offset >= 0));
            reading_release(&r);
        }
        for (size_t len = 1; len < sizeof(array) - 1; len++) {
            assert_true(whole_run(array, len, how, &r) < 0);
            assert_true(r.err.byte_offset >= 0 && r.err.line > 0);
            reading_release(&r);
        }
        for (size_t len = 1; len < sizeof(pretty) - 1; len++) {
            const int rc = whole_run(pretty, len, how, &r);
            const bool whole =
                pretty[len - 1] == '}' || (pretty[len - 1] == '\n' && pretty[len - 2] == '}');
            assert_int_equal(rc == HR_END, whole);
            reading_release(&r);
        }
    }
}

/* A flipped byte may turn one sound text into another: what counts is that all ways agree. */
static void flip_everywhere(void **state) {
    (void)state;
    const char *const texts[] = {lines, array, pretty};
    uint64_t seed = 3;
    for (size_t t = 0; t < HR_COUNTOF(texts); t++) {
        const size_t len = strlen(texts[t]);
        char *copy = hr_strndup(texts[t], len);
        for (size_t i = 0; i < len; i++) {
            const char old = copy[i];
            copy[i] = (char)(old ^ (1 << (test_rand(&seed) & 7)));
            struct how how = how_default();
            struct reading a;
            how.engine = engines[0];
            const int rc = whole_run(copy, len, how, &a);
            assert_true(rc == HR_END || rc < 0);
            for (size_t e = 1; e < n_engines(); e++) {
                struct reading b;
                how.engine = engines[e];
                how.chunk = i % 9;
                assert_int_equal(whole_run(copy, len, how, &b), rc);
                assert_string_equal(hr_buf_cstr(&a.rows), hr_buf_cstr(&b.rows));
                reading_release(&b);
            }
            reading_release(&a);
            copy[i] = old;
        }
        hr_free(copy);
    }
}

/* A source that fails in the middle. */
struct failing {
    struct hr_source base;
    const char *text;
    int calls;
};

static int failing_next(struct hr_source *src, struct hr_slice *out, struct hr_error *err) {
    struct failing *f = (struct failing *)(void *)src;
    static char room[64 + HR_PAD];
    if (f->calls++ == 2) {
        return hr_fail(err, HR_E_NETWORK, "could not read: the line is down");
    }
    memcpy(room, f->text, strlen(f->text));
    *out = hr_slice_of(room, strlen(f->text));
    return 0;
}

static void failing_source(void **state) {
    (void)state;
    static const struct hr_source_ops ops = {.next = failing_next};
    static const char *const texts[] = {"{\"a\":1}\n{\"a\"", "{\"a\":1}\n"};
    for (size_t t = 0; t < HR_COUNTOF(texts); t++) {
        struct failing src = {.base = {.ops = &ops, .name = "down"}, .text = texts[t]};
        struct how how = how_default();
        struct hr_format_opts opts = {.json = how.json};
        struct hr_error err;
        struct hr_reader *reader;
        struct hr_batch *batch;
        how.params.want = schema_of("a: int64");
        assert_rc(hr_j_open(&src.base, &opts, &how.params, NULL, &reader, &err), 0, &err);
        assert_int_equal(hr_reader_next(reader, &batch, &err), HR_E_NETWORK);
        assert_string_equal(err.object, "down");
        assert_int_equal(hr_reader_next(reader, &batch, &err), HR_END); /* and stays finished */
        hr_reader_close(reader);
        hr_schema_unref(how.params.want);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(out_of_memory), cmocka_unit_test(cut_everywhere),
        cmocka_unit_test(flip_everywhere), cmocka_unit_test(failing_source)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
