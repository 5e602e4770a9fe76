/* Filters: grammar, binding, three-valued logic, pruning form, the JSON form. */
#include "support.h"

#include <string.h>

#include "transform/filter.h"

static struct hr_schema *schema;
static struct hr_batch *batch;

static int setup(void **state) {
    (void)state;
    static const char *const columns[][2] = {{"id", "int64"},
                                             {"name", "utf8"},
                                             {"price", "double"},
                                             {"day", "date"},
                                             {"ok", "bool"},
                                             {"dec", "decimal(10,2)"},
                                             {"at", "timestamp[us, utc]"},
                                             {"two words", "int32"}};
    schema = hr_schema_new(8);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(hr_field_init(&schema->fields[i], columns[i][0], strlen(columns[i][0]),
                                       hr_type(HR_T_NULL), 0),
                         0);
        assert_int_equal(hr_field_parse_type(&schema->fields[i], columns[i][1], NULL), 0);
    }
    assert_int_equal(hr_batch_new(schema, &batch, NULL), 0);
    for (int i = 0; i < 10; i++) { /* row 9 is all null */
        static const char *const names[] = {"a", "b", "it's", "", "é", "b", "zz", "a", "c", ""};
        if (i == 9) {
            for (int k = 0; k < 8; k++) {
                assert_int_equal(hr_vec_append_null(&batch->vecs[k], NULL), 0);
            }
            continue;
        }
        const __int128 dec = i * 150 - 300;
        assert_int_equal(hr_vec_append_i64(&batch->vecs[0], i, NULL), 0);
        assert_int_equal(hr_vec_append_bytes(&batch->vecs[1], names[i], strlen(names[i]), NULL), 0);
        assert_int_equal(hr_vec_append_f64(&batch->vecs[2], i / 2.0, NULL), 0);
        assert_int_equal(hr_vec_append_i64(&batch->vecs[3], 19782 + i, NULL), 0);
        assert_int_equal(hr_vec_append_i64(&batch->vecs[4], i % 2, NULL), 0);
        assert_int_equal(hr_vec_append_bytes(&batch->vecs[5], &dec, 16, NULL), 0);
        assert_int_equal(
            hr_vec_append_i64(&batch->vecs[6], (19782LL + i) * 86400000000LL + 1, NULL), 0);
        assert_int_equal(hr_vec_append_i64(&batch->vecs[7], -i, NULL), 0);
    }
    batch->len = 10;
    return 0;
}

static int teardown(void **state) {
    (void)state;
    hr_batch_free(batch);
    hr_schema_unref(schema);
    return 0;
}

/* Kept rows as digits. */
static void check_filter(struct hr_filter *filter, const char *want) {
    struct hr_error err;
    struct hr_bound_filter *bound = NULL;
    uint8_t keep[80];
    int64_t kept = 0;
    assert_rc(hr_filter_bind(filter, schema, &bound, &err), 0, &err);
    assert_rc(hr_bound_filter_run(bound, batch->vecs, 10, keep, &kept, &err), 0, &err);
    char got[16] = "";
    size_t n = 0;
    for (int i = 0; i < 10; i++) {
        if (hr_bit_get(keep, i)) {
            got[n++] = (char)('0' + i);
        }
    }
    assert_string_equal(got, want);
    assert_int_equal(kept, strlen(want));
    hr_bound_filter_free(bound);
}

static void check(const char *text, const char *want) {
    struct hr_error err;
    struct hr_filter *filter = NULL;
    assert_rc(hr_filter_parse(text, &filter, &err), 0, &err);
    check_filter(filter, want);
    hr_filter_free(filter);
}

static void comparisons(void **state) {
    (void)state;
    check("id = 3", "3");
    check("id == 3 ", "3");
    check("id <> 3", "01245678");
    check("id >= 7", "78");
    check("id < 1.5", "01");
}

/* memcmp answers any number; texts whose first difference is two apart were taken for NaN. */
static void text_order(void **state) {
    (void)state;
    check("name > 'g'", "246");
    check("name <= 'd'", "013578");
    check("name <> 'k'", "012345678");
}

static void large_unsigned(void **state) {
    (void)state;
    const uint64_t values[] = {13585581216546911563u, 13585581216546911564u, UINT64_MAX, 5};
    static const struct {
        const char *text;
        int64_t kept;
    } cases[] = {{"u = 13585581216546911564", 1},       {"u <> 13585581216546911564", 3},
                 {"u > 13585581216546911563", 2},       {"u = 18446744073709551615", 1},
                 {"u in (13585581216546911563, 5)", 2}, {"u < 9223372036854775808", 1}};
    struct hr_error err;
    struct hr_schema *one = hr_schema_new(1);
    struct hr_batch *rows;
    assert_int_equal(hr_field_init(&one->fields[0], "u", 1, hr_type(HR_T_U64), 0), 0);
    assert_rc(hr_batch_new(one, &rows, &err), 0, &err);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(hr_vec_append_i64(&rows->vecs[0], (int64_t)values[i], NULL), 0);
    }
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hr_filter *filter;
        struct hr_bound_filter *bound;
        uint8_t keep[8];
        int64_t kept;
        assert_rc(hr_filter_parse(cases[i].text, &filter, &err), 0, &err);
        assert_rc(hr_filter_bind(filter, one, &bound, &err), 0, &err);
        assert_rc(hr_bound_filter_run(bound, rows->vecs, 4, keep, &kept, &err), 0, &err);
        assert_int_equal(kept, cases[i].kept);
        hr_bound_filter_free(bound);
        hr_filter_free(filter);
    }
    hr_batch_free(rows);
    hr_schema_unref(one);
}

static void grammar(void **state) {
    (void)state;
    check("id between 2 and 4", "234");
    check("id not between 2 and 4", "015678");
    check("not (id between 2 and 4)", "015678");
    check("id in (1, 3, 99)", "13");
    check("id not in (1,3)", "0245678");
    check("name = 'it''s'", "2");
    check("name = ''", "3");
    check("name > 'b'", "2468");
    check("name is null", "9");
    check("name is not null and id <= 1", "01");
    check("not name is null and id <= 1", "01");
    check("id = 1 or id = 2 and price > 100", "1");
    check("(id = 1 or id = 2) and price > 0.9", "2");
    check("NOT (id = 1 OR id = 2)", "0345678");
    check("not not id = 1", "1");
    check("\"two words\" = -4", "4");
    check("day = '2024-03-01'", "1");
    check("day between '2024-03-01' and '2024-03-03'", "123");
    check("at > '2024-03-01'", "12345678");
    check("at >= '2024-03-01T00:00:00.000002Z' and at < '2024-03-03 00:00:00'", "2");
    check("ok = true", "1357");
    check("ok = false and id > 5", "68");
    check("dec = -1.5", "1");
    check("dec > 0", "345678");
    check("dec >= 1.499", "345678");
    check("price = 1.5 or price = 1e0", "23");
}

static int errors_of(const char *text) {
    struct hr_error err;
    struct hr_filter *filter = NULL;
    int rc = hr_filter_parse(text, &filter, &err);
    if (rc == 0) {
        struct hr_bound_filter *bound = NULL;
        rc = hr_filter_bind(filter, schema, &bound, &err);
        hr_bound_filter_free(bound);
        hr_filter_free(filter);
    }
    assert_true(rc == 0 || err.message[0] != '\0');
    return rc;
}

static void refusals(void **state) {
    (void)state;
    static const char *const bad[] = {"",
                                      "id",
                                      "id =",
                                      "= 3",
                                      "id = 3 and",
                                      "(id = 3",
                                      "id = 3)",
                                      "id in ()",
                                      "id in (1",
                                      "id between 1",
                                      "id between 1 and",
                                      "id is",
                                      "id is nul",
                                      "id = 'x",
                                      "id ~ 3",
                                      "id not 3",
                                      "nope = 1",
                                      "id = 'abc'",
                                      "day = 5",
                                      "ok = 3",
                                      "at = 'yesterday'",
                                      "id = 3 4",
                                      "id = null"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(errors_of(bad[i]), HR_E_USAGE);
    }
    char deep[1000] = "";
    memset(deep, '(', 150);
    memcpy(deep + 150, "id = 1", 7);
    assert_int_equal(errors_of(deep), HR_E_USAGE);
}

static void json_form(void **state) {
    (void)state;
    static const struct {
        const char *json, *want;
    } rows[] = {{"[[\"id\", \">=\", 7]]", "78"},
                {"[[\"id\", \">=\", 2], [\"id\", \"<\", 4]]", "23"},
                {"[[[\"id\", \"=\", 1]], [[\"name\", \"=\", \"zz\"]]]", "16"},
                {"[[\"id\", \"in\", [1, 5]]]", "15"},
                {"[[\"id\", \"not in\", [1, 5]], [\"ok\", \"=\", true]]", "37"},
                {"[[\"price\", \"<\", 0.75]]", "01"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct hr_error err;
        struct hr_filter *filter = NULL;
        json_t *json = json_loads(rows[i].json, 0, NULL);
        assert_rc(hr_filter_from_json(json, &filter, &err), 0, &err);
        check_filter(filter, rows[i].want);
        hr_filter_free(filter);
        json_decref(json);
    }
    static const char *const bad[] = {"[]",
                                      "{}",
                                      "[1]",
                                      "[[\"id\"]]",
                                      "[[\"id\", \"~\", 1]]",
                                      "[[\"id\", \"=\", null]]",
                                      "[[\"id\", \"=\", [1, 2]]]",
                                      "[[[]]]",
                                      "[[\"id\", \"in\", []]]"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct hr_filter *filter = NULL;
        json_t *json = json_loads(bad[i], 0, NULL);
        assert_int_equal(hr_filter_from_json(json, &filter, NULL), HR_E_CONFIG);
        json_decref(json);
    }
}

static void pruning_form(void **state) {
    (void)state;
    struct hr_filter *filter = NULL;
    assert_int_equal(hr_filter_parse("(a = 1 or b > 2) and c in (1,2)", &filter, NULL), 0);
    const struct hr_prune *prune = hr_filter_prune(filter);
    assert_non_null(prune);
    assert_int_equal(prune->count, 2);
    assert_int_equal(prune->groups[1].count, 2);
    assert_string_equal(prune->groups[1].terms[0].column, "b");
    assert_ptr_equal(hr_filter_prune(filter), prune);
    size_t n;
    const char *const *names = hr_filter_columns(filter, &n);
    assert_int_equal(n, 3);
    assert_string_equal(names[2], "c");
    hr_filter_free(filter);
    /* Too wide to prune with: 2^5 groups. */
    assert_int_equal(hr_filter_parse("(a=1 or a=2) and (b=1 or b=2) and (c=1 or c=2) and (d=1 or "
                                     "d=2) and (e=1 or e=2)",
                                     &filter, NULL),
                     0);
    assert_null(hr_filter_prune(filter));
    hr_filter_free(filter);
    struct hr_filter *a = NULL;
    struct hr_filter *b = NULL;
    struct hr_filter *both = NULL;
    assert_int_equal(hr_filter_parse("id > 3", &a, NULL), 0);
    assert_int_equal(hr_filter_parse("id < 6 or name = 'a'", &b, NULL), 0);
    assert_int_equal(hr_filter_and(a, b, &both, NULL), 0);
    check_filter(both, "457");
    prune = hr_filter_prune(both);
    assert_non_null(prune);
    assert_int_equal(prune->count, 2);
    assert_int_equal(prune->groups[0].count, 2);
    assert_int_equal(hr_filter_and(both, NULL, &a, NULL), 0);
    assert_ptr_equal(a, both);
    hr_filter_free(a);
}

static void memory_fails(void **state) {
    (void)state;
    const int64_t live = hr_mem_live();
    for (uint64_t nth = 1; nth < 30; nth++) {
        struct hr_filter *filter = NULL;
        struct hr_bound_filter *bound = NULL;
        hr_mem_fail_at(nth, 0);
        int rc = hr_filter_parse("id in (1,2,3,4,5,6,7,8,9,10) and not (name = 'x' or ok = true)",
                                 &filter, NULL);
        if (rc == 0) {
            (void)hr_filter_prune(filter);
            rc = hr_filter_bind(filter, schema, &bound, NULL);
        }
        hr_mem_fail_at(0, 0);
        hr_bound_filter_free(bound);
        hr_filter_free(filter);
        assert_int_equal(hr_mem_live(), live);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comparisons),    cmocka_unit_test(text_order),
        cmocka_unit_test(large_unsigned), cmocka_unit_test(grammar),
        cmocka_unit_test(refusals),       cmocka_unit_test(json_form),
        cmocka_unit_test(pruning_form),   cmocka_unit_test(memory_fails)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
