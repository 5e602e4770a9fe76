/* Config documents: JSON and YAML by content, variables, bounds, and where errors are said to be.
 */
#include <stdlib.h>

#include "config/load.h"
#include "support.h"

static json_t *parse(const char *text, unsigned flags, int want, struct hr_error *err) {
    json_t *doc = NULL;
    hr_error_clear(err);
    assert_rc(hr_config_parse(hr_slice_str(text), "c.yml", flags, &doc, err), want, err);
    assert_true(want == 0 || doc == NULL);
    return doc;
}

static void same(const char *text, const char *json) {
    struct hr_error err;
    json_t *doc = parse(text, 0, 0, &err);
    json_t *want = json_loads(json, JSON_DECODE_ANY, NULL);
    assert_non_null(want);
    if (!json_equal(doc, want)) {
        char *got = json_dumps(doc, JSON_ENCODE_ANY);
        print_error("%s\ngave %s\n", text, got);
        free(got);
        fail();
    }
    json_decref(doc);
    json_decref(want);
}

static void test_yaml_is_json(void **state) {
    (void)state;
    same("{\"a\": [1, 2.5, null, true], \"b\": {\"c\": \"x\"}}",
         "{\"a\":[1,2.5,null,true],\"b\":{\"c\":\"x\"}}");
    same("a: 1\nb: [x, 2.5, ~, true, no]\nc:\n  d: \"5\"\n  e: 'it''s'\n",
         "{\"a\":1,\"b\":[\"x\",2.5,null,true,\"no\"],\"c\":{\"d\":\"5\",\"e\":\"it's\"}}");
    same("sources:\n  s3_data:\n    connector: s3\n    key: data/file.csv\n",
         "{\"sources\":{\"s3_data\":{\"connector\":\"s3\",\"key\":\"data/file.csv\"}}}");
    same("month: 01\nzero: 0\nhalf: 0.5\nbig: 99999999999999999999\nempty:\n",
         "{\"month\":\"01\",\"zero\":0,\"half\":0.5,\"big\":\"99999999999999999999\",\"empty\":"
         "null}");
    same("x: !!str 12\n", "{\"x\":\"12\"}");
    same("base: &b {k: 1}\nuse: *b\n", "{\"base\":{\"k\":1},\"use\":{\"k\":1}}");
    same("text: |\n  one\n  two\n", "{\"text\":\"one\\ntwo\\n\"}");
    same("\xEF\xBB\xBF{\"a\": 1}", "{\"a\":1}");
    same("# only a comment\n---\na: 1\n...\n", "{\"a\":1}");
}

static void test_variables(void **state) {
    (void)state;
    struct hr_error err;
    setenv("HR_TEST_ONE", "first", 1);
    setenv("HR_TEST_EMPTY", "", 1);
    unsetenv("HR_TEST_NONE");
    same("a: ${HR_TEST_ONE}\nb: x-${HR_TEST_NONE:-dflt}-y\nc: ${HR_TEST_EMPTY:-e}\nd: $$5 $x $\n",
         "{\"a\":\"first\",\"b\":\"x-dflt-y\",\"c\":\"e\",\"d\":\"$5 $x $\"}");
    same("a: ${HR_TEST_EMPTY}\n", "{\"a\":\"\"}");
    json_decref(parse("a: ${HR_TEST_NONE}\n", 0, HR_E_CONFIG, &err));
    assert_non_null(strstr(err.message, "HR_TEST_NONE"));
    json_decref(parse("a: ${un closed\n", 0, HR_E_CONFIG, &err));
    json_decref(parse("a: ${1x}\n", 0, HR_E_CONFIG, &err));
    same("{\"a\": \"${HR_TEST_ONE}\"}", "{\"a\":\"${HR_TEST_ONE}\"}"); /* JSON only when asked */
    json_t *doc = parse("{\"a\": [\"${HR_TEST_ONE}\"]}", HR_LOAD_ENV, 0, &err);
    assert_string_equal(json_string_value(json_array_get(json_object_get(doc, "a"), 0)), "first");
    json_decref(doc);
}

static void test_places_of_errors(void **state) {
    (void)state;
    static const struct {
        const char *text, *place;
    } bad[] = {
        {"{\"a\": 1,\n \"b\" 2}", "c.yml:2:"}, {"{\"a\": 1, \"a\": 2}", "c.yml:1:"},
        {"a: 1\nb: 2\na: 3\n", "c.yml:3:1"},   {"a: [1, 2\n", "c.yml:2:"},
        {"a: !!binary xyz\n", "c.yml:1:4"},    {"<<: {a: 1}\n", "c.yml:1:1"},
        {"a: *nowhere\n", "c.yml:1:4"},        {"? [x]\n: 1\n", "c.yml:1:3"},
        {"a: 1\n---\nb: 2\n", "c.yml:2:1"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct hr_error err;
        json_decref(parse(bad[i].text, 0, HR_E_CONFIG, &err));
        if (strstr(err.message, bad[i].place) == NULL) {
            print_error("case %zu: %s\n", i, err.message);
            fail();
        }
    }
}

static void test_secrets_stay_out_of_messages(void **state) {
    (void)state;
    struct hr_error err;
    json_decref(parse("{\"secret_access_key\" \"hunter2\"}", 0, HR_E_CONFIG, &err));
    char text[3000];
    hr_error_format(&err, text, sizeof text);
    assert_null(strstr(text, "hunter2"));
}

static void test_bounds(void **state) {
    (void)state;
    struct hr_error err;
    char deep[400];
    memset(deep, '[', 199);
    deep[0] = '-';
    deep[1] = ' ';
    deep[199] = 0;
    json_decref(parse(deep, 0, HR_E_CONFIG, &err));
    /* Each line doubles what the line before means. */
    struct hr_buf laughs;
    hr_buf_init(&laughs, 0);
    assert_int_equal(hr_buf_append_str(&laughs, "a0: &a0 [x, x]\n", NULL), 0);
    for (int i = 1; i < 60; i++) {
        assert_int_equal(
            hr_buf_printf(&laughs, NULL, "a%d: &a%d [*a%d, *a%d]\n", i, i, i - 1, i - 1), 0);
    }
    json_decref(parse(hr_buf_cstr(&laughs), 0, HR_E_CONFIG, &err));
    assert_non_null(strstr(err.message, "too large"));
    hr_buf_release(&laughs);
    json_decref(parse("  \n", 0, HR_E_CONFIG, &err));
    assert_null(parse("  \n", HR_LOAD_EMPTY, 0, &err));
}

static void test_files(void **state) {
    (void)state;
    struct hr_error err;
    json_t *doc = NULL;
    char path[400];
    snprintf(path, sizeof path, "%s/x.json", test_tmpdir());
    assert_rc(hr_config_load(path, 0, &doc, &err), HR_E_CONFIG, &err);
    assert_int_equal(err.code, HR_E_CONFIG);
    assert_non_null(strstr(err.message, "x.json"));
    assert_rc(hr_config_load(path, HR_LOAD_OPTIONAL, &doc, &err), 0, &err);
    assert_null(doc);
    test_write_file(path, "{\"a\": 1}", 8);
    assert_rc(hr_config_load(path, 0, &doc, &err), 0, &err);
    assert_int_equal(json_integer_value(json_object_get(doc, "a")), 1);
    json_decref(doc);
    assert_rc(hr_config_load(test_tmpdir(), 0, &doc, &err), HR_E_IO, &err);
    char *dir = hr_config_dir("/a/b/c.json");
    assert_string_equal(dir, "/a/b");
    hr_free(dir);
    dir = hr_config_dir("c.json");
    assert_string_equal(dir, ".");
    hr_free(dir);
    dir = hr_config_dir("/c.json");
    assert_string_equal(dir, "/");
    hr_free(dir);
}

static void test_every_cut_is_an_answer(void **state) {
    (void)state;
    static const char text[] = "a: &x {k: [1, 2.5, 'q', \"d\\n\"]}\nb: *x\nc: |\n  t\n  u\n";
    static const char json[] = "{\"a\": {\"k\": [1, 2.5, \"q\\u00e9\"]}, \"b\": null}";
    const char *const texts[] = {text, json};
    for (size_t t = 0; t < 2; t++) {
        for (size_t len = 0; len <= strlen(texts[t]); len++) {
            struct hr_error err;
            json_t *doc = NULL;
            int rc = hr_config_parse(hr_slice_of(texts[t], len), "cut", 0, &doc, &err);
            assert_true(rc == 0 || rc == HR_E_CONFIG);
            json_decref(doc);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_yaml_is_json),
        cmocka_unit_test(test_variables),
        cmocka_unit_test(test_places_of_errors),
        cmocka_unit_test(test_secrets_stay_out_of_messages),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_every_cut_is_an_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
