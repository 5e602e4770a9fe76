/* Option rows: what values look like, what is refused and with which words, and that nothing leaks
 * when memory runs out. */
#include "config/option.h"
#include "config/render.h"
#include "support.h"

struct thing {
    bool flag;
    int64_t count;
    double share;
    uint64_t size;
    char *text, *secret, *json;
    int kind;
    struct hr_strlist list;
    int64_t later;
};

#define AT(f) .name = #f, .offset = offsetof(struct thing, f)
static const struct hr_option rows[] = {
    {AT(flag), .type = HR_OPT_BOOL, .def = "true", .text = "A flag."},
    {AT(count), .type = HR_OPT_INT, .def = "auto", .flags = HR_OPT_RANGE, .min = 1, .max = 64,
     .aliases = "number|n", .unit = "rows", .text = "How many."},
    {AT(share), .type = HR_OPT_DOUBLE, .def = "0.5", .text = "A share."},
    {AT(size), .type = HR_OPT_SIZE, .def = "8M", .text = "A size."},
    {AT(text), .type = HR_OPT_STRING, .text = "A text | with a bar."},
    {AT(secret), .type = HR_OPT_STRING, .flags = HR_OPT_SECRET, .text = "A secret."},
    {AT(json), .type = HR_OPT_JSON, .text = "Any JSON."},
    {AT(kind), .type = HR_OPT_ENUM, .def = "one", .values = "one|two|three",
     .missing_values = "three", .missing = "Use two.", .text = "A kind."},
    {AT(list), .type = HR_OPT_LIST, .def = "[\"\"]", .text = "A list."},
    {AT(later), .type = HR_OPT_INT, .def = "7", .missing = "Do it by hand.", .text = "Later."},
};
#define N (sizeof rows / sizeof *rows)

static const struct hr_option *row(const char *name) {
    const struct hr_option *found = hr_option_find(rows, N, name);
    assert_non_null(found);
    return found;
}

static void init(struct thing *t) {
    memset(t, 0xAA, sizeof *t);
    struct hr_error err;
    assert_rc(hr_options_defaults(rows, N, t, &err), 0, &err);
}

static void test_defaults(void **state) {
    (void)state;
    struct thing t;
    init(&t);
    assert_true(t.flag);
    assert_int_equal(t.count, 0);
    assert_true(t.share > 0.49 && t.share < 0.51);
    assert_int_equal(t.size, 8 << 20);
    assert_null(t.text);
    assert_int_equal(t.kind, 0);
    assert_int_equal(t.list.count, 1);
    assert_string_equal(t.list.items[0], "");
    for (size_t i = 0; i < N; i++) {
        assert_true(hr_option_is_default(&rows[i], &t));
    }
    hr_options_release(rows, N, &t);
}

static void set(struct thing *t, const char *name, const char *json, int want) {
    struct hr_error err;
    json_t *value = json_loads(json, JSON_DECODE_ANY, NULL);
    assert_non_null(value);
    hr_error_clear(&err);
    assert_rc(hr_option_set_json(row(name), t, value, &err), want, &err);
    json_decref(value);
}

static void test_values(void **state) {
    (void)state;
    struct thing t;
    init(&t);
    set(&t, "flag", "false", 0);
    assert_false(t.flag);
    set(&t, "flag", "\"Yes\"", 0);
    assert_true(t.flag);
    set(&t, "flag", "0", 0);
    assert_false(t.flag);
    set(&t, "flag", "\"maybe\"", HR_E_CONFIG);
    set(&t, "count", "\"12\"", 0);
    assert_int_equal(t.count, 12);
    set(&t, "number", "13.0", 0);
    assert_int_equal(t.count, 13);
    set(&t, "n", "1e1", 0);
    assert_int_equal(t.count, 10);
    set(&t, "count", "0", HR_E_CONFIG);
    set(&t, "count", "65", HR_E_CONFIG);
    set(&t, "count", "1.5", HR_E_CONFIG);
    set(&t, "count", "{}", HR_E_CONFIG);
    assert_int_equal(t.count, 10); /* a refused value leaves the old one */
    set(&t, "count", "\"auto\"", 0);
    assert_int_equal(t.count, 0);
    set(&t, "size", "\"64K\"", 0);
    assert_int_equal(t.size, 65536);
    set(&t, "size", "1000", 0);
    assert_int_equal(t.size, 1000);
    set(&t, "text", "2024", 0);
    assert_string_equal(t.text, "2024");
    set(&t, "text", "null", 0);
    assert_null(t.text);
    set(&t, "kind", "\"TWO\"", 0);
    assert_int_equal(t.kind, 1);
    set(&t, "kind", "\"four\"", HR_E_CONFIG);
    set(&t, "json", "{\"a\": [1, 2]}", 0);
    assert_string_equal(t.json, "{\"a\":[1,2]}");
    set(&t, "list", "[\"a\", 1, true]", 0);
    assert_int_equal(t.list.count, 3);
    assert_string_equal(t.list.items[1], "1");
    set(&t, "list", "\"x, y ,z\"", 0);
    assert_int_equal(t.list.count, 3);
    assert_string_equal(t.list.items[1], "y");
    set(&t, "list", "\"{a,b}*.csv,[x,y]?\"", 0); /* commas inside globs stay */
    assert_int_equal(t.list.count, 2);
    assert_string_equal(t.list.items[0], "{a,b}*.csv");
    set(&t, "list", "[[1]]", HR_E_CONFIG);
    hr_options_release(rows, N, &t);
}

static void test_not_built(void **state) {
    (void)state;
    struct thing t;
    struct hr_error err;
    init(&t);
    assert_rc(hr_option_set_text(row("kind"), &t, "three", &err), HR_E_CONFIG, &err);
    assert_string_equal(err.hint, "Use two.");
    assert_rc(hr_option_set_text(row("kind"), &t, "two", &err), 0, &err);
    assert_rc(hr_option_set_text(row("later"), &t, "7", &err), 0, &err);
    assert_rc(hr_option_set_text(row("later"), &t, "8", &err), HR_E_CONFIG, &err);
    assert_non_null(strstr(err.message, "not built yet"));
    assert_string_equal(err.hint, "Do it by hand.");
    hr_options_release(rows, N, &t);
}

static void test_messages(void **state) {
    (void)state;
    struct thing t;
    struct hr_error err;
    init(&t);
    assert_rc(hr_option_set_text(row("count"), &t, "99", &err), HR_E_CONFIG, &err);
    assert_string_equal(err.message,
                        "option \"count\" cannot be \"99\": a value from 1 to 64 is needed");
    set(&t, "secret", "\"hunter2\"", 0);
    struct hr_buf buf;
    hr_buf_init(&buf, 0);
    assert_true(hr_option_get_text(row("secret"), &t, &buf));
    assert_string_equal(hr_buf_cstr(&buf), "***");
    hr_buf_release(&buf);
    hr_buf_init(&buf, 0);
    assert_false(hr_option_get_text(row("text"), &t, &buf));
    assert_true(hr_option_get_text(row("kind"), &t, &buf));
    assert_true(hr_option_get_text(row("size"), &t, &buf));
    assert_string_equal(hr_buf_cstr(&buf), "one8388608");
    hr_buf_release(&buf);
    hr_options_release(rows, N, &t);
}

static void test_nearest(void **state) {
    (void)state;
    static const char *const names[] = {"access_key_id", "secret_access_key", "path_prefix",
                                        "region"};
    assert_string_equal(hr_nearest_name("acess_key_id", names, 4), "access_key_id");
    assert_string_equal(hr_nearest_name("AccessKeyId", names, 4), "access_key_id");
    assert_string_equal(hr_nearest_name("path_perfix", names, 4), "path_prefix");
    assert_string_equal(hr_nearest_name("regoin", names, 4), "region");
    assert_null(hr_nearest_name("compression", names, 4));
    assert_null(hr_nearest_name("", names, 0));
    char longest[5000];
    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = 0;
    assert_null(hr_nearest_name(longest, names, 4));
}

static void test_render(void **state) {
    (void)state;
    const struct hr_option_group group = {"g", "Group", rows, N, 0};
    struct hr_buf buf;
    struct hr_error err;
    hr_buf_init(&buf, 0);
    assert_rc(hr_render_help(&group, 1, 60, &buf, &err), 0, &err);
    for (const char *p = hr_buf_cstr(&buf); *p;) {
        size_t n = strcspn(p, "\n");
        assert_true(n <= 60);
        p += n + (p[n] == '\n');
    }
    assert_non_null(strstr(hr_buf_cstr(&buf), "count"));
    assert_non_null(strstr(hr_buf_cstr(&buf), "1 to 64"));
    hr_buf_clear(&buf);
    assert_rc(hr_render_markdown(&group, 1, &buf, &err), 0, &err);
    assert_non_null(strstr(hr_buf_cstr(&buf), "A text \\| with a bar."));
    hr_buf_clear(&buf);
    assert_rc(hr_render_man(&group, 1, &buf, &err), 0, &err);
    assert_non_null(strstr(hr_buf_cstr(&buf), ".TP\n.B flag\n"));
    hr_buf_release(&buf);
    json_t *schema = hr_render_schema(&group, 1);
    assert_non_null(schema);
    const json_t *count = json_object_get(json_object_get(schema, "properties"), "count");
    assert_string_equal(json_string_value(json_object_get(count, "type")), "integer");
    assert_int_equal(json_integer_value(json_object_get(count, "maximum")), 64);
    const json_t *kind = json_object_get(json_object_get(schema, "properties"), "kind");
    assert_int_equal(json_array_size(json_object_get(kind, "enum")), 3);
    json_decref(schema);
}

static void test_no_memory(void **state) {
    (void)state;
    int64_t live = hr_mem_live();
    for (uint64_t nth = 1; nth < 40; nth++) {
        struct thing t = {0};
        hr_mem_fail_at(nth, 0);
        int rc = hr_options_defaults(rows, N, &t, NULL);
        if (rc == 0) {
            rc = hr_option_set_text(row("list"), &t, "a,b,c", NULL);
            rc = rc ? rc : hr_option_set_text(row("text"), &t, "hello", NULL);
            hr_options_release(rows, N, &t);
        }
        hr_mem_fail_at(0, 0);
        assert_true(rc == 0 || rc == HR_E_NOMEM);
        assert_int_equal(hr_mem_live(), live);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),  cmocka_unit_test(test_values),
        cmocka_unit_test(test_not_built), cmocka_unit_test(test_messages),
        cmocka_unit_test(test_nearest),   cmocka_unit_test(test_render),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
