/* tests/fuzz/fuzz_cast.c - values of any type into any other: refused with a message, or as many
 * values as there were, each of them shown as text, as JSON and as Go prints it. What fits by its
 * type is never refused, but for days and instants too far away. Input: two bytes choose the types,
 * the rest are the values. */
#include <stdlib.h>
#include <string.h>

#include "table_support.h"
#include "transform/go_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const TYPES[] = {
    "null",
    "bool",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "float",
    "double",
    "utf8",
    "binary",
    "date",
    "time[ms]",
    "time[us]",
    "time[ns]",
    "timestamp[s]",
    "timestamp[ms, utc]",
    "timestamp[us]",
    "timestamp[ns, utc]",
    "decimal(9,2)",
    "decimal(38,10)",
    "decimal(76,20)",
    "fixed(3)",
    "list<int32>",
    "list<utf8>",
    "map<utf8, int64>",
    "struct<a: int64, b: utf8>",
};
enum { N_TYPES = sizeof(TYPES) / sizeof(TYPES[0]), ROWS = 7 };

static void must(bool ok) {
    if (!ok) {
        abort();
    }
}

static struct hr_batch *batch_of(const char *type) {
    struct hr_schema *schema = hr_schema_new(1);
    struct hr_batch *batch = NULL;
    must(schema != NULL && hr_field_init(&schema->fields[0], "x", 1, hr_type(HR_T_NULL), 0) == 0);
    must(hr_field_parse_type(&schema->fields[0], type, NULL) == 0);
    must(hr_batch_new(schema, &batch, NULL) == 0);
    hr_schema_unref(schema);
    return batch;
}

/* The values' own bytes over those made, where any bytes are a value. */
static void put_bytes(struct hr_vec *vec, const uint8_t *data, size_t size) {
    const struct hr_type t = vec->field->type;
    const size_t width = (size_t)hr_type_width(t);
    const bool any = (t.id >= HR_T_I8 && t.id <= HR_T_F64) || t.id == HR_T_FIXED ||
                     t.id == HR_T_DATE32 || t.id == HR_T_TS;
    if (any && vec->len > 0) {
        const size_t room = width * (size_t)vec->len;
        memcpy(vec->data, data, size < room ? size : room);
    }
}

static void show(const struct hr_vec *vec) {
    struct hr_buf out;
    hr_buf_init(&out, 0);
    for (int64_t i = 0; i < vec->len; i++) {
        must(hr_vec_text(vec, i, &out, NULL) == 0 && hr_vec_json(vec, i, &out, NULL) == 0);
        (void)hr_go_sprint(vec, i, (i & 1) != 0, &out, NULL);
        (void)hr_go_json(vec, i, &out, NULL);
    }
    hr_buf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const struct test_table_conf conf = {.specials = true, .null_rate = 20};
    struct hr_error err;
    if (size < 10 || size > 2000) {
        return 0;
    }
    hr_error_clear(&err);
    uint64_t seed;
    memcpy(&seed, data + 2, sizeof(seed));
    struct hr_batch *from = batch_of(TYPES[data[0] % N_TYPES]);
    struct hr_batch *to = batch_of(TYPES[data[1] % N_TYPES]);
    struct hr_vec *src = &from->vecs[0];
    struct hr_vec *dst = &to->vecs[0];
    if (src->field->type.id == HR_T_UTF8) { /* texts of numbers and dates, as files have them */
        for (size_t i = 10; i < size;) {
            const uint8_t *end = memchr(data + i, '\n', size - i);
            const size_t n = end != NULL ? (size_t)(end - data) - i : size - i;
            must(hr_vec_append_bytes(src, data + i, n, NULL) == 0);
            i += n + 1;
        }
        from->len = src->len;
    } else {
        test_fill_batch(from, ROWS, &conf, &seed);
        put_bytes(src, data + 10, size - 10);
    }
    if (hr_vec_cast(dst, src, &err) == 0) {
        must(dst->len == src->len);
        show(dst);
    } else {
        must(err.code < 0 && err.message[0] != '\0');
        /* A day or an instant can be too far away for the finer unit. */
        const struct hr_type t = src->field->type;
        must(t.id == HR_T_DATE32 || t.id == HR_T_TS || !hr_field_fits(src->field, dst->field));
    }
    show(src);
    hr_batch_free(from);
    hr_batch_free(to);
    return 0;
}
