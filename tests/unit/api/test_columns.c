/* Columns in the state and back: every kind of type, names of any characters, whatever is not what
 * we write, every allocation that fails. */
#include "api/columns.h"
#include "config/option.h"
#include "support.h"

static struct hr_error err;

static const struct hr_type TYPES[] = {
    {.id = HR_T_BOOL},
    {.id = HR_T_I8},
    {.id = HR_T_I64},
    {.id = HR_T_U64},
    {.id = HR_T_F16},
    {.id = HR_T_F32},
    {.id = HR_T_F64},
    {.id = HR_T_DEC128, .precision = 12, .scale = 2},
    {.id = HR_T_DEC256, .precision = 12, .scale = 2},
    {.id = HR_T_DEC256, .precision = 70, .scale = 3},
    {.id = HR_T_UTF8},
    {.id = HR_T_UTF8, .ext = HR_EXT_JSON},
    {.id = HR_T_UTF8, .ext = HR_EXT_ENUM},
    {.id = HR_T_BINARY},
    {.id = HR_T_BINARY, .ext = HR_EXT_BSON},
    {.id = HR_T_FIXED, .width = 12, .ext = HR_EXT_INTERVAL},
    {.id = HR_T_FIXED, .width = 16, .ext = HR_EXT_UUID},
    {.id = HR_T_DATE32},
    {.id = HR_T_TIME32, .unit = HR_U_MS},
    {.id = HR_T_TIME64, .unit = HR_U_NS},
    {.id = HR_T_TS, .unit = HR_U_S},
    {.id = HR_T_TS, .unit = HR_U_NS, .utc = 1},
};

static void named(struct hr_field *field, const char *name, struct hr_type type, int kids) {
    assert_int_equal(hr_field_init(field, name, strlen(name), type, kids), 0);
}

/* Every type above, then list<struct<odd name: int64>> and map<utf8, double>. */
static struct hr_schema *every_type(void) {
    const int n = (int)HR_COUNTOF(TYPES);
    struct hr_schema *schema = hr_schema_new(n + 2);
    assert_non_null(schema);
    for (int i = 0; i < n; i++) {
        char name[16];
        snprintf(name, sizeof(name), "c%d", i);
        named(&schema->fields[i], name, TYPES[i], 0);
    }
    struct hr_field *list = &schema->fields[n];
    named(list, "", hr_type(HR_T_LIST), 1);
    named(&list->children[0], "item", hr_type(HR_T_STRUCT), 1);
    named(&list->children[0].children[0], "a: b, \"c\"> \xc3\xa4", hr_type(HR_T_I64), 0);
    struct hr_field *map = &schema->fields[n + 1];
    named(map, "m", hr_type(HR_T_MAP), 1);
    named(&map->children[0], "entries", hr_type(HR_T_STRUCT), 2);
    named(&map->children[0].children[0], "key", hr_type(HR_T_UTF8), 0);
    named(&map->children[0].children[1], "value", hr_type(HR_T_F64), 0);
    map->children[0].nullable = map->children[0].children[0].nullable = false;
    return schema;
}

static void test_every_type_comes_back(void **state) {
    (void)state;
    struct hr_schema *schema = every_type();
    struct hr_schema *back = NULL;
    json_t *json = hr_columns_to_json(schema);
    assert_non_null(json);
    assert_rc(hr_columns_from_json(json, "state.json", &back, &err), 0, &err);
    assert_true(hr_schema_equal(schema, back));
    for (size_t i = 0; i < HR_COUNTOF(TYPES); i++) {
        assert_int_equal(back->fields[i].type.ext, TYPES[i].ext);
    }
    json_decref(json);
    hr_schema_unref(schema);
    hr_schema_unref(back);
}

static void test_a_name_that_is_no_text_is_left_out(void **state) {
    (void)state;
    struct hr_schema *schema = hr_schema_new(2);
    named(&schema->fields[0], "\xff", hr_type(HR_T_I64), 0);
    named(&schema->fields[1], "b", hr_type(HR_T_I64), 0);
    json_t *json = hr_columns_to_json(schema);
    assert_int_equal(json_array_size(json), 1);
    json_decref(json);
    hr_schema_unref(schema);
}

static void test_nothing_known(void **state) {
    (void)state;
    struct hr_schema *back = every_type();
    struct hr_schema *before = back;
    assert_rc(hr_columns_from_json(NULL, "state.json", &back, &err), 0, &err);
    assert_null(back);
    hr_schema_unref(before);
}

static void test_what_we_do_not_write_is_refused(void **state) {
    (void)state;
    static const char *const texts[] = {
        "{}",
        "[1]",
        "[{}]",
        "[{\"name\":\"a\"}]",
        "[{\"name\":1,\"type\":\"int64\"}]",
        "[{\"name\":\"a\",\"type\":\"int65\"}]",
        "[{\"name\":\"a\",\"type\":\"\"}]",
        "[{\"name\":\"a\",\"type\":\"list<int64>\"}]",
        "[{\"name\":\"a\",\"type\":\"list\"}]",
        "[{\"name\":\"a\",\"type\":\"list\",\"fields\":[]}]",
        "[{\"name\":\"a\",\"type\":\"map\",\"fields\":[{\"name\":\"b\",\"type\":\"int64\"}]}]",
        "[{\"name\":\"a\",\"type\":\"struct\",\"fields\":[{\"name\":\"b\",\"type\":\"int64\"},2]}]",
        "[{\"name\":\"a\",\"type\":\"utf8\",\"ext\":99}]",
        "[{\"name\":\"a\",\"type\":\"utf8\",\"ext\":-1}]",
    };
    for (size_t i = 0; i < HR_COUNTOF(texts); i++) {
        struct hr_schema *back = NULL;
        json_t *json = json_loads(texts[i], 0, NULL);
        assert_non_null(json);
        hr_error_clear(&err);
        assert_int_equal(hr_columns_from_json(json, "state.json", &back, &err), HR_E_STATE);
        assert_non_null(strstr(err.message, "state.json"));
        assert_null(back);
        json_decref(json);
    }
}

/* A type nested deeper than any we write ends, whatever the depth. */
static void test_depth_is_bounded(void **state) {
    (void)state;
    json_t *json = json_pack("{s:s,s:s}", "name", "a", "type", "int64");
    for (int i = 0; i < 200; i++) {
        json = json_pack("{s:s,s:s,s:[o]}", "name", "a", "type", "list", "fields", json);
    }
    json_t *all = json_pack("[o]", json);
    struct hr_schema *back = NULL;
    assert_non_null(all);
    assert_int_equal(hr_columns_from_json(all, "state.json", &back, &err), HR_E_STATE);
    json_decref(all);
}

static void test_every_allocation_may_fail(void **state) {
    (void)state;
    struct hr_schema *schema = every_type();
    json_t *json = hr_columns_to_json(schema);
    int rc = HR_E_NOMEM;
    for (uint64_t n = 1; rc == HR_E_NOMEM; n++) {
        struct hr_schema *back = NULL;
        assert_true(n < 10000);
        hr_mem_fail_at(n, 0);
        rc = hr_columns_from_json(json, "state.json", &back, &err);
        hr_mem_fail_at(0, 0);
        assert_true((rc == 0) == (back != NULL));
        hr_schema_unref(back);
    }
    assert_rc(rc, 0, &err);
    json_decref(json);
    hr_schema_unref(schema);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_type_comes_back),
        cmocka_unit_test(test_a_name_that_is_no_text_is_left_out),
        cmocka_unit_test(test_nothing_known),
        cmocka_unit_test(test_what_we_do_not_write_is_refused),
        cmocka_unit_test(test_depth_is_bounded),
        cmocka_unit_test(test_every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
