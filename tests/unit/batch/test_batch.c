/* Schemas, the lattice, columns, conversions, text and the Arrow export. */
#include "support.h"

#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "batch/vec.h"

static struct hr_field make(const char *name, const char *type) {
    struct hr_field f = {0};
    struct hr_error err;
    assert_int_equal(hr_field_init(&f, name, strlen(name), hr_type(HR_T_NULL), 0), 0);
    assert_rc(hr_field_parse_type(&f, type, &err), 0, &err);
    return f;
}

static void check_text(const struct hr_field *f, const char *want) {
    struct hr_buf buf;
    hr_buf_init(&buf, 0);
    assert_int_equal(hr_field_type_text(f, &buf, NULL), 0);
    assert_string_equal(hr_buf_cstr(&buf), want);
    hr_buf_release(&buf);
}

static void type_texts(void **state) {
    (void)state;
    static const char *const same[] = {"null",
                                       "bool",
                                       "int8",
                                       "uint64",
                                       "float16",
                                       "float",
                                       "double",
                                       "decimal(12,2)",
                                       "decimal(60,3)",
                                       "utf8",
                                       "binary",
                                       "fixed(5)",
                                       "uuid",
                                       "date",
                                       "time[us]",
                                       "time[ms]",
                                       "timestamp[ns, utc]",
                                       "timestamp[s]",
                                       "list<int32>",
                                       "struct<a: int64, b: list<utf8>>",
                                       "map<utf8, struct<x: double>>"};
    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
        struct hr_field f = make("x", same[i]);
        check_text(&f, same[i]);
        hr_field_release(&f);
    }
    static const char *const bad[] = {"",
                                      "foo",
                                      "decimal",
                                      "decimal(0,1)",
                                      "decimal(80,1)",
                                      "timestamp[xx]",
                                      "list<",
                                      "list<int32",
                                      "map<int32>",
                                      "struct<a>",
                                      "int32 x",
                                      "fixed(0)",
                                      "timestamp[us, cet]"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct hr_field f = {0};
        struct hr_error err;
        assert_int_equal(hr_field_parse_type(&f, bad[i], &err), HR_E_CONFIG);
        hr_field_release(&f);
    }
    char deep[2000] = "";
    for (size_t i = 0; i < 200; i++) {
        memcpy(deep + 5 * i, "list<", 6);
    }
    struct hr_field f = {0};
    assert_int_equal(hr_field_parse_type(&f, deep, NULL), HR_E_CONFIG);
    hr_field_release(&f);
}

static void check_meet(const char *a, const char *b, const char *want) {
    struct hr_field fa = make("x", a);
    struct hr_field fb = make("x", b);
    struct hr_field out;
    assert_int_equal(hr_field_meet(&fa, &fb, &out), 0);
    check_text(&out, want);
    assert_string_equal(out.name, "x");
    /* The meet holds both. */
    if (out.type.id != HR_T_F64) {
        assert_true(hr_field_fits(&fa, &out));
        assert_true(hr_field_fits(&fb, &out));
    }
    struct hr_field back;
    assert_int_equal(hr_field_meet(&fb, &fa, &back), 0);
    if (out.type.id != HR_T_STRUCT) {
        check_text(&back, want);
    }
    hr_field_release(&fa);
    hr_field_release(&fb);
    hr_field_release(&out);
    hr_field_release(&back);
}

static void lattice(void **state) {
    (void)state;
    check_meet("null", "int64", "int64");
    check_meet("int8", "int32", "int32");
    check_meet("uint8", "int8", "int16");
    check_meet("uint32", "int8", "int64");
    check_meet("uint64", "int64", "decimal(20,0)");
    check_meet("int64", "double", "double");
    check_meet("int32", "decimal(12,2)", "decimal(12,2)");
    check_meet("int64", "decimal(12,2)", "decimal(21,2)");
    check_meet("decimal(12,2)", "decimal(10,4)", "decimal(14,4)");
    check_meet("decimal(38,0)", "decimal(38,10)", "double");
    check_meet("decimal(38,0)", "decimal(40,10)", "decimal(48,10)");
    check_meet("float", "double", "double");
    check_meet("bool", "int64", "utf8");
    check_meet("date", "timestamp[us]", "timestamp[us]");
    check_meet("timestamp[ms]", "timestamp[ns]", "timestamp[ns]");
    check_meet("timestamp[us]", "timestamp[us, utc]", "utf8");
    check_meet("time[ms]", "time[us]", "time[us]");
    check_meet("date", "int32", "utf8");
    check_meet("fixed(4)", "binary", "binary");
    check_meet("list<int32>", "list<int64>", "list<int64>");
    check_meet("list<int32>", "int32", "utf8");
    check_meet("struct<a: int32, b: utf8>", "struct<b: utf8, c: bool>",
               "struct<a: int32, b: utf8, c: bool>");
    check_meet("map<utf8, int32>", "map<utf8, double>", "map<utf8, double>");
}

static void schema_meets(void **state) {
    (void)state;
    struct hr_schema *a = hr_schema_new(2);
    struct hr_schema *b = hr_schema_new(2);
    a->fields[0] = make("id", "int32");
    a->fields[1] = make("v", "date");
    b->fields[0] = make("new", "utf8");
    b->fields[1] = make("id", "int64");
    struct hr_schema *out = NULL;
    assert_int_equal(hr_schema_meet(a, b, &out), 0);
    assert_int_equal(out->n_fields, 3);
    check_text(&out->fields[0], "int64");
    assert_string_equal(out->fields[2].name, "new");
    assert_int_equal(hr_schema_find(out, "v", 1), 1);
    assert_int_equal(hr_schema_find(out, "vv", 2), -1);
    assert_false(hr_schema_equal(a, b));
    assert_true(hr_schema_equal(a, a));
    for (uint64_t nth = 1; nth < 40; nth++) {
        struct hr_schema *again = NULL;
        const int64_t live = hr_mem_live();
        hr_mem_fail_at(nth, 0);
        const int rc = hr_schema_meet(a, b, &again);
        hr_mem_fail_at(0, 0);
        if (rc == 0) {
            hr_schema_unref(again);
        }
        assert_int_equal(hr_mem_live(), live);
    }
    hr_schema_unref(hr_schema_ref(out));
    hr_schema_unref(out);
    hr_schema_unref(a);
    hr_schema_unref(b);
    hr_schema_unref(NULL);
}

static void check_cast(const char *from, const char *to, const char *const *want, int rows,
                       void (*fill)(struct hr_vec *)) {
    struct hr_field a = make("x", from);
    struct hr_field b = make("x", to);
    struct hr_vec src;
    struct hr_vec dst;
    struct hr_error err;
    assert_int_equal(hr_vec_init(&src, &a, &err), 0);
    assert_int_equal(hr_vec_init(&dst, &b, &err), 0);
    fill(&src);
    const int rc = hr_vec_cast(&dst, &src, &err);
    if (want == NULL) {
        assert_int_equal(rc, HR_E_SCHEMA);
        assert_true(err.message[0] != '\0');
    } else {
        assert_rc(rc, 0, &err);
        assert_int_equal(dst.len, rows);
        for (int i = 0; i < rows; i++) {
            struct hr_buf text;
            hr_buf_init(&text, 0);
            assert_int_equal(hr_vec_json(&dst, i, &text, NULL), 0);
            assert_string_equal(hr_buf_cstr(&text), want[i]);
            hr_buf_release(&text);
        }
    }
    hr_vec_release(&src);
    hr_vec_release(&dst);
    hr_field_release(&a);
    hr_field_release(&b);
}

static void fill_ints(struct hr_vec *v) {
    assert_int_equal(hr_vec_append_i64(v, 1, NULL), 0);
    assert_int_equal(hr_vec_append_null(v, NULL), 0);
    assert_int_equal(hr_vec_append_i64(v, -120, NULL), 0);
}
static void fill_date(struct hr_vec *v) {
    assert_int_equal(hr_vec_append_i64(v, 19782, NULL), 0);
}
static void fill_list(struct hr_vec *v) {
    assert_int_equal(hr_vec_append_i64(&v->children[0], 5, NULL), 0);
    assert_int_equal(hr_vec_append_i64(&v->children[0], 6, NULL), 0);
    assert_int_equal(hr_vec_append_list_end(v, NULL), 0);
    assert_int_equal(hr_vec_append_null(v, NULL), 0);
    assert_int_equal(hr_vec_append_list_end(v, NULL), 0);
}
static void fill_struct(struct hr_vec *v) {
    assert_int_equal(hr_vec_append_i64(&v->children[0], 5, NULL), 0);
    assert_int_equal(hr_vec_append_bytes(&v->children[1], "q\"", 2, NULL), 0);
    assert_int_equal(hr_vec_append_struct_end(v, NULL), 0);
    assert_int_equal(hr_vec_append_null(v, NULL), 0);
}
static void fill_text(struct hr_vec *v) {
    assert_int_equal(hr_vec_append_bytes(v, "abc", 3, NULL), 0);
}
static void fill_fixed(struct hr_vec *v) {
    assert_int_equal(hr_vec_append_bytes(v, "ab", 2, NULL), 0);
}

static void fill_large(struct hr_vec *v) {
    assert_int_equal(hr_vec_append_i64(v, INT64_MAX, NULL), 0);
    assert_int_equal(hr_vec_append_i64(v, INT64_MIN, NULL), 0);
}
/* 10^38 - 1 and its negative. */
static void fill_dec128(struct hr_vec *v) {
    hr_i128 n;
    assert_true(hr_parse_decimal("99999999999999999999999999999999999999", 38, 38, 0, &n));
    assert_int_equal(hr_vec_append_bytes(v, &n, 16, NULL), 0);
    n = -n;
    assert_int_equal(hr_vec_append_bytes(v, &n, 16, NULL), 0);
}
static void fill_dec256(struct hr_vec *v) {
    const uint64_t more[4] = {0, 0, 1, 0}; /* 2^128 */
    const uint64_t less[4] = {0, 0, UINT64_MAX, UINT64_MAX};
    assert_int_equal(hr_vec_append_bytes(v, more, 32, NULL), 0);
    assert_int_equal(hr_vec_append_bytes(v, less, 32, NULL), 0);
}

static void casts_to_256_bits(void **state) {
    (void)state;
    static const char *const large[] = {"9223372036854775807.00000000000000000000",
                                        "-9223372036854775808.00000000000000000000"};
    check_cast("int64", "decimal(76,20)", large, 2, fill_large);
    check_cast("int64", "decimal(39,20)", large, 2, fill_large);
    static const char *const nines[] = {"99999999999999999999999999999999999999.00",
                                        "-99999999999999999999999999999999999999.00"};
    check_cast("decimal(38,0)", "decimal(40,2)", nines, 2, fill_dec128);
    check_cast("decimal(38,0)", "decimal(40,3)", NULL, 0, fill_dec128); /* 41 digits */
    check_cast("decimal(38,2)", "decimal(40,1)", NULL, 0, fill_dec128); /* loses digits */
    static const char *const wide[] = {"34028236692093846346337460743176821145.600",
                                       "-34028236692093846346337460743176821145.600"};
    check_cast("decimal(60,1)", "decimal(62,3)", wide, 2, fill_dec256);
    check_cast("decimal(60,1)", "decimal(40,3)", NULL, 0, fill_dec256);
    check_cast("decimal(60,1)", "decimal(38,1)", NULL, 0, fill_dec256);
}

static void casts(void **state) {
    (void)state;
    static const char *const ints[] = {"1", "null", "-120"};
    check_cast("int8", "int64", ints, 3, fill_ints);
    check_cast("int32", "decimal(12,0)", ints, 3, fill_ints);
    static const char *const texts[] = {"\"1\"", "null", "\"-120\""};
    check_cast("int64", "utf8", texts, 3, fill_ints);
    static const char *const floats[] = {"1.0", "null", "-120.0"};
    check_cast("int16", "double", floats, 3, fill_ints);
    static const char *const decs[] = {"1.00", "null", "-120.00"};
    check_cast("int64", "decimal(20,2)", decs, 3, fill_ints);
    check_cast("int64", "decimal(60,2)", decs, 3, fill_ints);
    check_cast("int64", "uint8", NULL, 0, fill_ints);
    check_cast("utf8", "int64", NULL, 0, fill_text);
    static const char *const date[] = {"\"2024-02-29T00:00:00Z\""};
    check_cast("date", "timestamp[us, utc]", date, 1, fill_date);
    static const char *const lists[] = {"[5,6]", "null", "[]"};
    check_cast("list<int32>", "list<int64>", lists, 3, fill_list);
    static const char *const list_text[] = {"\"[5,6]\"", "null", "\"[]\""};
    check_cast("list<int32>", "utf8", list_text, 3, fill_list);
    static const char *const structs[] = {"{\"b\":\"q\\\"\",\"a\":5,\"c\":null}", "null"};
    check_cast("struct<a: int32, b: utf8>", "struct<b: utf8, a: int64, c: bool>", structs, 2,
               fill_struct);
    static const char *const fixed[] = {"\"YWI=\""};
    check_cast("fixed(2)", "binary", fixed, 1, fill_fixed);
}

static void ranges(void **state) {
    (void)state;
    uint64_t seed = 3;
    struct hr_field fields[] = {make("a", "int32"), make("b", "utf8"), make("c", "bool"),
                                make("d", "list<int64>"), make("e", "struct<x: utf8, y: bool>")};
    for (size_t f = 0; f < 5; f++) {
        struct hr_vec src;
        struct hr_vec dst;
        struct hr_vec kept;
        uint8_t keep[200] = {0};
        assert_int_equal(hr_vec_init(&src, &fields[f], NULL), 0);
        assert_int_equal(hr_vec_init(&dst, &fields[f], NULL), 0);
        assert_int_equal(hr_vec_init(&kept, &fields[f], NULL), 0);
        for (int i = 0; i < 1000; i++) {
            const uint64_t r = test_rand(&seed);
            if (r % 5 == 0) {
                assert_int_equal(hr_vec_append_null(&src, NULL), 0);
            } else if (f == 1) {
                assert_int_equal(hr_vec_append_bytes(&src, "abcdefghij", r % 10, NULL), 0);
            } else if (f == 3) {
                for (uint64_t k = 0; k < r % 4; k++) {
                    assert_int_equal(hr_vec_append_i64(&src.children[0], (int64_t)k, NULL), 0);
                }
                assert_int_equal(hr_vec_append_list_end(&src, NULL), 0);
            } else if (f == 4) {
                assert_int_equal(hr_vec_append_bytes(&src.children[0], "xyz", r % 3, NULL), 0);
                assert_int_equal(hr_vec_append_i64(&src.children[1], (int64_t)(r & 1), NULL), 0);
                assert_int_equal(hr_vec_append_struct_end(&src, NULL), 0);
            } else {
                assert_int_equal(hr_vec_append_i64(&src, (int64_t)(r & 0xff), NULL), 0);
            }
            if (r & 64) {
                hr_bit_set(keep, i);
            }
        }
        for (int64_t at = 0; at < src.len;) { /* copied piecewise, equal as a whole */
            int64_t n = 1 + (int64_t)(test_rand(&seed) % 97);
            n = at + n > src.len ? src.len - at : n;
            assert_int_equal(hr_vec_append_range(&dst, &src, at, n, NULL), 0);
            at += n;
        }
        assert_int_equal(hr_vec_append_selected(&kept, &src, keep, NULL), 0);
        int64_t k = 0;
        for (int64_t i = 0; i < src.len; i++) {
            struct hr_buf a;
            struct hr_buf b;
            hr_buf_init(&a, 0);
            hr_buf_init(&b, 0);
            assert_int_equal(hr_vec_json(&src, i, &a, NULL), 0);
            assert_int_equal(hr_vec_json(&dst, i, &b, NULL), 0);
            assert_string_equal(hr_buf_cstr(&a), hr_buf_cstr(&b));
            if (hr_bit_get(keep, i)) {
                hr_buf_clear(&b);
                assert_int_equal(hr_vec_json(&kept, k++, &b, NULL), 0);
                assert_string_equal(hr_buf_cstr(&a), hr_buf_cstr(&b));
            }
            hr_buf_release(&a);
            hr_buf_release(&b);
        }
        assert_int_equal(kept.len, k);
        assert_int_equal(src.nulls, dst.nulls);
        hr_vec_release(&src);
        hr_vec_release(&dst);
        hr_vec_release(&kept);
        hr_field_release(&fields[f]);
    }
}

/* Runs of nulls that begin and end anywhere in a byte of the bitmap, after valid values. */
static void null_runs(void **state) {
    (void)state;
    static const char *const types[] = {"bool", "int64", "utf8"};
    for (size_t t = 0; t < 3; t++) {
        for (int before = 0; before < 10; before++) {
            for (int count = 1; count < 40; count += 3) {
                struct hr_field f = make("c", types[t]);
                struct hr_vec v;
                assert_int_equal(hr_vec_init(&v, &f, NULL), 0);
                for (int i = 0; i < before + 2; i++) {
                    if (i == before) {
                        assert_int_equal(hr_vec_append_nulls(&v, (size_t)count, NULL), 0);
                    }
                    assert_int_equal(t == 2 ? hr_vec_append_bytes(&v, "x", 1, NULL)
                                            : hr_vec_append_i64(&v, 1, NULL),
                                     0);
                }
                assert_int_equal(v.len, before + count + 2);
                assert_int_equal(v.nulls, count);
                for (int i = 0; i < v.len; i++) {
                    const bool null = i >= before && i < before + count;
                    assert_int_equal(hr_vec_valid(&v, i), !null);
                    if (t == 0) {
                        assert_int_equal(hr_bit_get(v.data, i), !null);
                    } else if (t == 2) {
                        assert_int_equal(v.offsets[i + 1] - v.offsets[i], null ? 0 : 1);
                    }
                }
                hr_vec_release(&v);
                hr_field_release(&f);
            }
        }
    }
}

static void export_moves(void **state) {
    (void)state;
    struct hr_schema *schema = hr_schema_new(3);
    schema->fields[0] = make("id", "int64");
    schema->fields[1] = make("name", "utf8");
    schema->fields[2] = make("tags", "list<utf8>");
    struct hr_batch *batch = NULL;
    assert_int_equal(hr_batch_new(schema, &batch, NULL), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(hr_vec_append_i64(&batch->vecs[0], i, NULL), 0);
        assert_int_equal(hr_vec_append_bytes(&batch->vecs[1], "abc", (size_t)i, NULL), 0);
        assert_int_equal(hr_vec_append_bytes(&batch->vecs[2].children[0], "t", 1, NULL), 0);
        assert_int_equal(hr_vec_append_list_end(&batch->vecs[2], NULL), 0);
    }
    batch->len = 3;
    assert_true(hr_batch_bytes(batch) > 24);
    assert_int_equal(hr_batch_reserve_rows(batch, 100, NULL), 0);
    struct ArrowSchema as;
    struct ArrowArray aa;
    assert_int_equal(hr_schema_export(schema, &as, NULL), 0);
    assert_string_equal(as.format, "+s");
    assert_string_equal(as.children[2]->format, "+l");
    assert_string_equal(as.children[2]->children[0]->format, "u");
    as.release(&as);
    const int64_t live = hr_mem_live();
    for (uint64_t nth = 1; nth < 30; nth++) { /* a failed export leaves the batch whole */
        hr_mem_fail_at(nth, 0);
        const int rc = hr_batch_export(batch, &aa, NULL);
        hr_mem_fail_at(0, 0);
        if (rc == 0) {
            break;
        }
        assert_int_equal(batch->vecs[0].len, 3);
        assert_int_equal(hr_mem_live(), live);
    }
    assert_int_equal(aa.length, 3);
    assert_int_equal(((const int64_t *)aa.children[0]->buffers[1])[2], 2);
    assert_int_equal(((const int32_t *)aa.children[1]->buffers[1])[3], 3);
    assert_int_equal(aa.children[2]->children[0]->length, 3);
    assert_int_equal(batch->vecs[0].len, 0);
    aa.release(&aa);
    hr_batch_clear(batch);
    hr_batch_free(batch);
    hr_batch_free(NULL);
    hr_schema_unref(schema);
    assert_int_equal(hr_mem_live(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(type_texts),        cmocka_unit_test(lattice),
        cmocka_unit_test(schema_meets),      cmocka_unit_test(casts),
        cmocka_unit_test(casts_to_256_bits), cmocka_unit_test(ranges),
        cmocka_unit_test(null_runs),         cmocka_unit_test(export_moves)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
