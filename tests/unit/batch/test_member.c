/* Columns inside structs: found by dotted names (whole names first, names with dots in them), asked
 * for from readers, taken out with the nulls of the structs around them. */
#include "support.h"

#include <string.h>

#include "batch/member.h"
#include "format_support.h"

static struct hr_schema *sample(void) {
    return test_schema_of("id: int64, a: struct<b: int64, c: struct<d: utf8, e: double>, l: "
                          "list<int64>>, a.c: utf8, s: utf8");
}

static void assert_found(const struct hr_schema *schema, const char *path, int column, int depth,
                         int last) {
    struct hr_member m;
    assert_true(hr_member_find(schema, path, &m, NULL));
    assert_int_equal(m.column, column);
    assert_int_equal(m.depth, depth);
    if (depth > 0) {
        assert_int_equal(m.steps[depth - 1], last);
    }
}

static void test_find(void **state) {
    (void)state;
    struct hr_schema *schema = sample();
    struct hr_member m;
    const struct hr_field *stopped = NULL;
    assert_found(schema, "id", 0, 0, 0);
    assert_found(schema, "a.b", 1, 1, 0);
    assert_found(schema, "a.c", 2, 0, 0); /* the whole name wins */
    assert_found(schema, "a.c.e", 1, 2, 1);
    assert_false(hr_member_find(schema, "a.x", &m, &stopped));
    assert_null(stopped);
    assert_false(hr_member_find(schema, "a.l.item", &m, &stopped));
    assert_string_equal(stopped->name, "l");
    assert_false(hr_member_find(schema, "s.x", &m, &stopped));
    assert_string_equal(stopped->name, "s");
    assert_false(hr_member_find(schema, "a.", &m, &stopped));
    assert_false(hr_member_find(schema, "", &m, &stopped));
    hr_schema_unref(schema);
}

/* A field asking for these members, as text. */
static void assert_kept(const char *const *paths, size_t n, const char *want) {
    struct hr_schema *schema = sample();
    const struct hr_field *have = &schema->fields[1];
    struct hr_field field;
    struct hr_buf text;
    assert_int_equal(hr_field_init(&field, "a", 1, have->type, 0), 0);
    for (size_t i = 0; i < n; i++) {
        struct hr_member m;
        assert_true(hr_member_find(schema, paths[i], &m, NULL));
        assert_int_equal(hr_member_keep(&field, i == 0, have, &m), 0);
    }
    hr_buf_init(&text, 0);
    assert_int_equal(hr_field_type_text(&field, &text, NULL), 0);
    assert_string_equal(hr_buf_cstr(&text), want);
    hr_buf_release(&text);
    hr_field_release(&field);
    hr_schema_unref(schema);
}

static void test_keep(void **state) {
    (void)state;
    assert_kept((const char *[]){"a.b"}, 1, "struct<b: int64>");
    assert_kept((const char *[]){"a.c.e", "a.b"}, 2, "struct<c: struct<e: double>, b: int64>");
    assert_kept((const char *[]){"a.c.e", "a.c.d"}, 2, "struct<c: struct<e: double, d: utf8>>");
    assert_kept((const char *[]){"a.c.e", "a"}, 2, "struct<>"); /* whole */
    assert_kept((const char *[]){"a", "a.c.e"}, 2, "struct<>");
}

static void test_view(void **state) {
    (void)state;
    struct hr_schema *schema = test_schema_of("a: struct<b: struct<c: int64>>");
    struct hr_batch *batch;
    struct hr_member m;
    struct hr_vec out;
    uint8_t *bits = NULL;
    struct hr_error err;
    assert_int_equal(hr_batch_new(schema, &batch, &err), 0);
    struct hr_vec *a = &batch->vecs[0];
    struct hr_vec *b = &a->children[0];
    assert_true(hr_member_find(schema, "a.b.c", &m, NULL));
    for (int64_t i = 0; i < 21; i++) {
        assert_int_equal(hr_vec_append_i64(&b->children[0], i, &err), 0);
        assert_int_equal(hr_vec_append_struct_end(b, &err), 0);
        assert_int_equal(hr_vec_append_struct_end(a, &err), 0);
    }
    /* No nulls: no bitmap is made. */
    assert_int_equal(hr_member_view(a, &m, m.field, &out, &bits, &err), 0);
    assert_null(bits);
    assert_int_equal(out.len, 21);
    assert_int_equal(out.nulls, 0);
    assert_int_equal(hr_vec_i64(&out, 20), 20);
    /* Nulls of both structs around it, though the values below were left standing. */
    assert_int_equal(hr_vec_need_validity(a, 0, &err), 0);
    assert_int_equal(hr_vec_need_validity(b, 0, &err), 0);
    hr_bit_clear(a->validity, 3);
    hr_bit_clear(b->validity, 20);
    assert_int_equal(hr_member_view(a, &m, m.field, &out, &bits, &err), 0);
    assert_int_equal(out.nulls, 2);
    for (int64_t i = 0; i < 21; i++) {
        assert_int_equal(hr_vec_valid(&out, i), i != 3 && i != 20);
    }
    hr_big_free(bits);
    hr_batch_free(batch);
    hr_schema_unref(schema);
}

static void test_failed_allocations(void **state) {
    (void)state;
    bool done = false;
    for (uint64_t nth = 1; !done; nth++) {
        struct hr_schema *schema = sample();
        struct hr_member m[2];
        struct hr_field field;
        assert_true(nth < 20);
        assert_true(hr_member_find(schema, "a.c.e", &m[0], NULL));
        assert_true(hr_member_find(schema, "a.b", &m[1], NULL));
        assert_int_equal(hr_field_init(&field, "a", 1, schema->fields[1].type, 0), 0);
        hr_mem_fail_at(nth, 0);
        int rc = hr_member_keep(&field, true, &schema->fields[1], &m[0]);
        if (rc == 0) {
            rc = hr_member_keep(&field, false, &schema->fields[1], &m[1]);
        }
        hr_mem_fail_at(0, 0);
        assert_true(rc == 0 || rc == HR_E_NOMEM);
        done = rc == 0;
        hr_field_release(&field);
        hr_schema_unref(schema);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_keep),
        cmocka_unit_test(test_view),
        cmocka_unit_test(test_failed_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
