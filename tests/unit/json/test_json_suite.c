/* tests/unit/json/test_json_suite - JSONTestSuite: y_ files are read, n_ files refused with a
 * place, i_ files either way; and what our reader makes of the documents parsers disagree about. */
#include "json_test.h"

struct tally {
    int yes, no, either_read, either_refused, wrong;
};

/* Blanks alone are no rows, as an empty file is. */
static bool no_data(const char *name) {
    return strcmp(name, "n_structure_no_data.json") == 0 ||
           strcmp(name, "n_single_space.json") == 0 ||
           strcmp(name, "n_structure_UTF8_BOM_no_data.json") == 0;
}

static int read_file_as(const struct hr_buf *text, struct how how, struct hr_error *err) {
    struct hr_schema *schema;
    int rc = infer_text(text->ptr, text->len, how, &schema, err);
    if (rc != 0) {
        return rc;
    }
    how.params.want_all = true;
    struct reading r = read_text(text->ptr, text->len, schema, how);
    rc = r.rc;
    *err = r.err;
    reading_release(&r);
    hr_schema_unref(schema);
    return rc;
}

static void one_file(const char *path, void *user) {
    struct tally *tally = user;
    const char *name = strrchr(path, '/') + 1;
    struct hr_buf text;
    test_read_file(path, &text);
    for (int i = 0; i < 2 * 3 * 3; i++) {
        static const size_t chunks[] = {0, 1, 7};
        struct how how = how_default();
        struct hr_error err;
        how.json.lines = i % 2 ? 2 : 0;
        how.chunk = chunks[i / 2 % 3];
        how.engine = engines[i / 6 % (int)n_engines()];
        const int rc = read_file_as(&text, how, &err);
        if (name[0] == 'i') {
            tally->either_read += i == 0 && rc == HR_END;
            tally->either_refused += i == 0 && rc < 0;
            assert_true(rc == HR_END || rc < 0);
            continue;
        }
        bool right = name[0] == 'y' ? rc == HR_END : rc < 0 && err.byte_offset >= 0 && err.line > 0;
        if (no_data(name)) {
            right = rc == HR_END;
        }
        if (!right) {
            char message[2000] = "";
            hr_error_format(&err, message, sizeof(message));
            printf("%s: rc %d (chunk %zu, engine %s) %s\n", name, rc, how.chunk, how.engine->name,
                   rc < 0 ? message : "");
            tally->wrong++;
        }
    }
    tally->yes += name[0] == 'y';
    tally->no += name[0] == 'n';
    hr_buf_release(&text);
}

static void parsing(void **state) {
    (void)state;
    const char *dir = test_corpus("json-test-suite/test_parsing");
    if (dir == NULL) {
        test_skip_corpus("json-test-suite", 318);
        return;
    }
    char path[4096];
    snprintf(path, sizeof(path), "%s", dir);
    struct tally tally = {0};
    test_each_file(path, one_file, &tally);
    printf("JSONTestSuite: %d y_ accepted, %d n_ refused, i_ %d read and %d refused, %d wrong\n",
           tally.yes, tally.no, tally.either_read, tally.either_refused, tally.wrong);
    assert_int_equal(tally.wrong, 0);
    assert_true(tally.yes >= 95 && tally.no >= 188);
}

/* What we answer where parsers differ: exact numbers, last of equal keys, U+FFFD for half pairs. */
static const struct {
    const char *name, *schema, *rows;
} transforms[] = {
    {"number_-9223372036854775808.json", "value: int64", "{\"value\":-9223372036854775808}\n"},
    {"number_-9223372036854775809.json", "value: decimal(38,0)",
     "{\"value\":-9223372036854775809}\n"},
    {"number_1.0.json", "value: double", "{\"value\":1.0}\n"},
    {"number_1.000000000000000005.json", "value: double", "{\"value\":1.0}\n"},
    {"number_1000000000000000.json", "value: int64", "{\"value\":1000000000000000}\n"},
    {"number_10000000000000000999.json", "value: decimal(38,0)",
     "{\"value\":10000000000000000999}\n"},
    {"number_1e-999.json", "value: double", "{\"value\":0.0}\n"},
    {"number_1e6.json", "value: double", "{\"value\":1000000.0}\n"},
    {"number_9223372036854775807.json", "value: int64", "{\"value\":9223372036854775807}\n"},
    {"number_9223372036854775808.json", "value: decimal(38,0)",
     "{\"value\":9223372036854775808}\n"},
    {"object_key_nfc_nfd.json", "\xc3\xa9: utf8, e\xcc\x81: utf8",
     "{\"\xc3\xa9\":\"NFC\",\"e\xcc\x81\":\"NFD\"}\n"},
    {"object_key_nfd_nfc.json", "e\xcc\x81: utf8, \xc3\xa9: utf8",
     "{\"e\xcc\x81\":\"NFD\",\"\xc3\xa9\":\"NFC\"}\n"},
    {"object_same_key_different_values.json", "a: int64", "{\"a\":2}\n"},
    {"object_same_key_same_value.json", "a: int64", "{\"a\":1}\n"},
    {"object_same_key_unclear_values.json", "a: int64", "{\"a\":0}\n"},
    {"string_1_escaped_invalid_codepoint.json", "value: utf8", "{\"value\":\"\xef\xbf\xbd\"}\n"},
    {"string_2_escaped_invalid_codepoints.json", "value: utf8",
     "{\"value\":\"\xef\xbf\xbd\xef\xbf\xbd\"}\n"},
    {"string_3_escaped_invalid_codepoints.json", "value: utf8",
     "{\"value\":\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"}\n"},
    {"string_with_escaped_NULL.json", "value: utf8", "{\"value\":\"A\\u0000B\"}\n"},
    {"string_1_invalid_codepoint.json", NULL, NULL}, /* invalid UTF-8: refused */
    {"string_2_invalid_codepoints.json", NULL, NULL},
    {"string_3_invalid_codepoints.json", NULL, NULL},
};

static void transform(void **state) {
    (void)state;
    if (test_corpus("json-test-suite/test_transform") == NULL) {
        test_skip_corpus("json-test-suite", 22);
        return;
    }
    for (size_t i = 0; i < HR_COUNTOF(transforms); i++) {
        char relative[300];
        snprintf(relative, sizeof(relative), "json-test-suite/test_transform/%s",
                 transforms[i].name);
        struct hr_buf text;
        struct hr_error err;
        struct hr_schema *schema;
        struct how how = how_default();
        test_read_file(test_corpus(relative), &text);
        const int rc = infer_text(text.ptr, text.len, how, &schema, &err);
        if (transforms[i].rows == NULL) {
            assert_int_equal(rc, HR_E_FORMAT);
            hr_buf_release(&text);
            continue;
        }
        assert_rc(rc, 0, &err);
        char got[300];
        schema_text(schema, got, sizeof(got));
        assert_string_equal(got, transforms[i].schema);
        struct reading r = read_text(text.ptr, text.len, schema, how);
        assert_rc(r.rc, HR_END, &r.err);
        assert_string_equal(hr_buf_cstr(&r.rows), transforms[i].rows);
        reading_release(&r);
        hr_schema_unref(schema);
        hr_buf_release(&text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(parsing), cmocka_unit_test(transform)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
