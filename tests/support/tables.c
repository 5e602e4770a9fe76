/* tests/support/tables.c - generated tables: every type, nulls, nesting. */
#include "tables.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "support.h"

/* ---- schemas ---- */

static bool take_word(struct hr_field *field, const char *name, const char *word,
                      const char *type) {
    static const struct {
        const char *word;
        struct hr_type type;
    } rows[] = {
        {"interval", {.id = HR_T_FIXED, .width = 12, .ext = HR_EXT_INTERVAL}},
        {"enum", {.id = HR_T_UTF8, .ext = HR_EXT_ENUM}},
        {"bson", {.id = HR_T_BINARY, .ext = HR_EXT_BSON}},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strcmp(type, rows[i].word) == 0) {
            assert_int_equal(hr_field_init(field, name, (size_t)(word - name), rows[i].type, 0), 0);
            return true;
        }
    }
    return false;
}

struct hr_schema *test_schema(const char *const *columns, size_t count) {
    struct hr_schema *schema = hr_schema_new((int)count);
    assert_non_null(schema);
    for (size_t i = 0; i < count; i++) {
        struct hr_field *field = &schema->fields[i];
        const char *blank = strchr(columns[i], ' ');
        assert_non_null(blank);
        const char *type = blank + 1;
        const bool required = *type == '!';
        type += required;
        if (!take_word(field, columns[i], blank, type)) {
            struct hr_error err;
            assert_rc(hr_field_parse_type(field, type, &err), 0, &err);
            hr_free(field->name);
            field->name = hr_strndup(columns[i], (size_t)(blank - columns[i]));
            assert_non_null(field->name);
        }
        field->nullable = !required;
        field->field_id = -1;
    }
    return schema;
}

static const char *const all_columns[] = {
    "c_null null",
    "c_bool bool",
    "c_i8 int8",
    "c_i16 int16",
    "c_i32 int32",
    "c_i64 int64",
    "c_u8 uint8",
    "c_u16 uint16",
    "c_u32 uint32",
    "c_u64 uint64",
    "c_f16 float16",
    "c_f32 float",
    "c_f64 double",
    "c_dec5 decimal(5,2)",
    "c_dec18 decimal(18,4)",
    "c_dec38 decimal(38,10)",
    "c_dec60 decimal(60,5)",
    "c_utf8 utf8",
    "c_json json",
    "c_enum enum",
    "c_binary binary",
    "c_bson bson",
    "c_fixed fixed(5)",
    "c_uuid uuid",
    "c_interval interval",
    "c_date date",
    "c_time_s time[s]",
    "c_time_ms time[ms]",
    "c_time_us time[us]",
    "c_time_ns time[ns]",
    "c_ts_s timestamp[s]",
    "c_ts_ms timestamp[ms]",
    "c_ts_us timestamp[us]",
    "c_ts_ns timestamp[ns]",
    "c_tz_s timestamp[s, utc]",
    "c_tz_ms timestamp[ms, utc]",
    "c_tz_us timestamp[us, utc]",
    "c_tz_ns timestamp[ns, utc]",
    "r_i64 !int64",
    "r_utf8 !utf8",
    "l_i32 list<int32>",
    "l_utf8 list<utf8>",
    "l_l_i64 list<list<int64>>",
    "l_l_l_bool list<list<list<bool>>>",
    "s_flat struct<a: int32, b: utf8, c: bool>",
    "s_deep struct<x: struct<y: struct<z: double>>, w: date>",
    "m_int map<utf8, int64>",
    "m_list map<int32, list<utf8>>",
    "l_struct list<struct<p: int64, q: list<decimal(20,3)>>>",
    "s_list struct<u: list<uint16>, v: map<utf8, struct<k: binary>>>",
    "r_list !list<int64>",
    "r_struct !struct<a: int32, b: utf8>",
};
#define N_COLUMNS (sizeof(all_columns) / sizeof(all_columns[0]))

struct hr_schema *test_schema_all(void) {
    return test_schema(all_columns, N_COLUMNS);
}

static struct hr_schema *without(const char *const *words, size_t n_words) {
    const char *columns[N_COLUMNS];
    size_t n = 0;
    for (size_t i = 0; i < N_COLUMNS; i++) {
        bool keep = true;
        for (size_t w = 0; w < n_words; w++) {
            keep = keep && strstr(all_columns[i], words[w]) == NULL;
        }
        if (keep) {
            columns[n++] = all_columns[i];
        }
    }
    return test_schema(columns, n);
}

struct hr_schema *test_schema_common(void) {
    static const char *const words[] = {"bson", "interval", "decimal(60"};
    return without(words, 3);
}

struct hr_schema *test_schema_no_seconds(void) {
    static const char *const words[] = {"[s"};
    return without(words, 1);
}

/* ---- values ---- */

struct maker {
    uint64_t *seed;
    enum test_values values;
    int nulls; /* of 256 */
    uint64_t last, step;
};

static uint64_t draw(struct maker *m) {
    const uint64_t r = test_rand(m->seed);
    switch (m->values) {
    case TEST_FEW: return (r % 7) * 0x0123456789abcdefULL;
    case TEST_SORTED: m->last += r % 4; return m->last;
    case TEST_RUNS:
        if (m->step == 0) {
            m->step = 1 + r % 100;
            m->last = test_rand(m->seed) % 1000;
        }
        m->step--;
        return m->last;
    default: return r;
    }
}

static bool draw_null(const struct maker *m, const struct hr_field *field) {
    return field->nullable && (int)(test_rand(m->seed) % 256) < m->nulls;
}

static void wide_decimal(const struct hr_field *field, uint64_t v, uint8_t out[32]) {
    int64_t limit = 1;
    const int digits = field->type.precision < 18 ? field->type.precision : 18;
    for (int i = 0; i < digits; i++) {
        limit *= 10;
    }
    hr_i128 value = (hr_i128)((int64_t)v % limit);
    if (field->type.precision >= 36) {
        value *= 1000000000000000000LL;
    }
    memset(out, value < 0 ? 0xff : 0, 32);
    memcpy(out, &value, 16);
}

static int put_text(struct hr_vec *vec, struct maker *m, struct hr_error *err) {
    static const char *const words[] = {
        "",       "a",    "été",   "carefully final requests haggle ",
        "日本語", "x\ny", "\"q\"", "0123456789abcdef"};
    char text[400];
    const uint64_t v = draw(m);
    size_t len = 0;
    if (vec->field->type.ext == HR_EXT_JSON) {
        len =
            (size_t)snprintf(text, sizeof(text), "{\"k\":%llu}", (unsigned long long)(v % 100000));
    } else if (m->values == TEST_SORTED) {
        len = (size_t)snprintf(text, sizeof(text), "https://example.org/items/%010llu",
                               (unsigned long long)v);
    } else {
        for (uint64_t k = 0; k < v % 5; k++) {
            const char *word = words[(v >> (8 + 4 * k)) % 8];
            memcpy(text + len, word, strlen(word));
            len += strlen(word);
        }
        if (m->values == TEST_MANY && v % 4 != 0) {
            len += (size_t)snprintf(text + len, 24, "%llu", (unsigned long long)(v >> 30));
        }
        if (v % 97 == 3) {
            while (len < 300) {
                text[len++] = (char)('a' + v % 26);
            }
        }
    }
    return hr_vec_append_bytes(vec, text, len, err);
}

static int put_bytes(struct hr_vec *vec, struct maker *m, struct hr_error *err) {
    uint8_t bytes[64];
    const uint64_t v = draw(m);
    const bool fixed = vec->field->type.id == HR_T_FIXED;
    const size_t len = fixed ? (size_t)vec->field->type.width : v % 40;
    for (size_t i = 0; i < len; i++) {
        bytes[i] = (uint8_t)(v >> (8 * (i % 8)));
    }
    return hr_vec_append_bytes(vec, bytes, len, err);
}

static int64_t day_seconds(uint64_t v) {
    return (int64_t)(v % 86400);
}

static const int64_t per_second[] = {1, 1000, 1000000, 1000000000};

/* Years 1900 to 2200, so that every unit holds it. */
static int64_t instant(uint64_t v, int unit) {
    const int64_t seconds = (int64_t)(v % 9000000000ULL) - 2000000000;
    return seconds * per_second[unit] + (unit > 0 ? (int64_t)(v >> 20) % per_second[unit] : 0);
}

static int64_t narrow(struct hr_type type, uint64_t v) {
    switch (type.id) {
    case HR_T_BOOL: return (int64_t)(v & 1);
    case HR_T_I8: return (int8_t)v;
    case HR_T_I16: return (int16_t)v;
    case HR_T_I32: return (int32_t)v;
    case HR_T_U8: return (uint8_t)v;
    case HR_T_U16: return (uint16_t)v;
    case HR_T_U32: return (uint32_t)v;
    case HR_T_DATE32: return (int64_t)(v % 80000) - 20000;
    case HR_T_TIME32:
    case HR_T_TIME64:
        return day_seconds(v) * per_second[type.unit] +
               (type.unit > 0 ? (int64_t)(v >> 20) % per_second[type.unit] : 0);
    case HR_T_TS: return instant(v, type.unit);
    default: return (int64_t)v;
    }
}

static int put_value(struct hr_vec *vec, struct maker *m, int depth, struct hr_error *err);

static int put_list(struct hr_vec *vec, struct maker *m, int depth, struct hr_error *err) {
    const uint64_t items = test_rand(m->seed) % (depth == 0 ? 6 : 4);
    const bool map = vec->field->type.id == HR_T_MAP;
    int rc = 0;
    for (uint64_t i = 0; rc == 0 && i < items; i++) {
        struct hr_vec *item = &vec->children[0];
        if (!map) {
            rc = put_value(item, m, depth + 1, err);
            continue;
        }
        char key[32]; /* keys differ within a map */
        const int len = snprintf(key, sizeof(key), "key %llu", (unsigned long long)i);
        rc = item->children[0].field->type.id == HR_T_UTF8
                 ? hr_vec_append_bytes(&item->children[0], key, (size_t)len, err)
                 : hr_vec_append_i64(&item->children[0], (int64_t)i * 3, err);
        rc = rc != 0 ? rc : put_value(&item->children[1], m, depth + 1, err);
        rc = rc != 0 ? rc : hr_vec_append_struct_end(item, err);
    }
    return rc != 0 ? rc : hr_vec_append_list_end(vec, err);
}

static int put_value(struct hr_vec *vec, struct maker *m, int depth, struct hr_error *err) {
    const struct hr_field *field = vec->field;
    uint8_t wide[32];
    if (field->type.id == HR_T_NULL || draw_null(m, field)) {
        return hr_vec_append_null(vec, err);
    }
    int rc = 0;
    switch (field->type.id) {
    case HR_T_F16: { /* bits of small numbers: no infinity, no NaN */
        const uint16_t half = (uint16_t)(draw(m) & 0xbbff);
        rc = hr_vec_reserve(vec, 1, err);
        if (rc == 0) {
            memcpy(vec->data + 2 * vec->len, &half, 2);
            if (vec->validity != NULL) {
                rc = hr_vec_need_validity(vec, 1, err);
                hr_bit_set(vec->validity, vec->len);
            }
            vec->len++;
        }
        return rc;
    }
    case HR_T_F32:
    case HR_T_F64: return hr_vec_append_f64(vec, (double)(int32_t)draw(m) / 128.0, err);
    case HR_T_DEC128:
    case HR_T_DEC256:
        wide_decimal(field, draw(m), wide);
        return hr_vec_append_bytes(vec, wide, field->type.id == HR_T_DEC128 ? 16 : 32, err);
    case HR_T_UTF8: return put_text(vec, m, err);
    case HR_T_BINARY:
    case HR_T_FIXED: return put_bytes(vec, m, err);
    case HR_T_LIST:
    case HR_T_MAP: return put_list(vec, m, depth, err);
    case HR_T_STRUCT:
        for (int i = 0; rc == 0 && i < vec->n_children; i++) {
            rc = put_value(&vec->children[i], m, depth + 1, err);
        }
        return rc != 0 ? rc : hr_vec_append_struct_end(vec, err);
    default: return hr_vec_append_i64(vec, narrow(field->type, draw(m)), err);
    }
}

static void fill_column(struct hr_vec *vec, int64_t rows, struct maker *m) {
    struct hr_error err;
    hr_error_clear(&err);
    for (int64_t i = 0; i < rows; i++) {
        assert_rc(put_value(vec, m, 0, &err), 0, &err);
    }
}

void test_fill(struct hr_batch *batch, int64_t rows, uint64_t *seed) {
    static const int nulls[] = {0, 10, 128, 256};
    const uint64_t turn = test_rand(seed);
    for (int c = 0; c < batch->schema->n_fields; c++) {
        const uint64_t pick = turn + (uint64_t)c * 5;
        struct maker m = {.seed = seed,
                          .values = (enum test_values)(pick % TEST_VALUES_COUNT),
                          .nulls = nulls[pick / TEST_VALUES_COUNT % 11 % 4],
                          .last = 1000};
        fill_column(&batch->vecs[c], rows, &m);
    }
    batch->len += rows;
}

void test_fill_as(struct hr_batch *batch, int64_t rows, uint64_t *seed, enum test_values values,
                  int nulls) {
    for (int c = 0; c < batch->schema->n_fields; c++) {
        struct maker m = {.seed = seed, .values = values, .nulls = nulls, .last = 1000};
        fill_column(&batch->vecs[c], rows, &m);
    }
    batch->len += rows;
}

struct hr_batch *test_slice(const struct hr_batch *src, int64_t from, int64_t to) {
    struct hr_batch *batch = NULL;
    struct hr_error err;
    assert_rc(hr_batch_new(src->schema, &batch, &err), 0, &err);
    for (int c = 0; c < src->schema->n_fields; c++) {
        assert_rc(hr_vec_append_range(&batch->vecs[c], &src->vecs[c], from, to - from, &err), 0,
                  &err);
    }
    batch->len = to - from;
    return batch;
}

/* ---- comparing ---- */

static bool same_value(const struct hr_vec *a, int64_t i, const struct hr_vec *b, int64_t k) {
    if (a->field->type.id == HR_T_NULL) {
        return true;
    }
    const bool valid = hr_vec_valid(a, i);
    if (valid != hr_vec_valid(b, k) || !valid) {
        return !valid && !hr_vec_valid(b, k);
    }
    const struct hr_type t = a->field->type;
    const size_t width = (size_t)hr_type_width(t);
    double x, y;
    switch (t.id) {
    case HR_T_BOOL: return hr_bit_get(a->data, i) == hr_bit_get(b->data, k);
    case HR_T_UTF8:
    case HR_T_BINARY: return hr_slice_eq(hr_vec_slice(a, i), hr_vec_slice(b, k));
    case HR_T_F64:
        memcpy(&x, a->data + 8 * i, 8);
        memcpy(&y, b->data + 8 * k, 8);
        return (x != x && y != y) || memcmp(a->data + 8 * i, b->data + 8 * k, 8) == 0;
    case HR_T_LIST:
    case HR_T_MAP:
        if (a->offsets[i + 1] - a->offsets[i] != b->offsets[k + 1] - b->offsets[k]) {
            return false;
        }
        for (int32_t n = 0; n < a->offsets[i + 1] - a->offsets[i]; n++) {
            if (!same_value(&a->children[0], a->offsets[i] + n, &b->children[0],
                            b->offsets[k] + n)) {
                return false;
            }
        }
        return true;
    case HR_T_STRUCT:
        for (int c = 0; c < a->n_children; c++) {
            if (!same_value(&a->children[c], i, &b->children[c], k)) {
                return false;
            }
        }
        return true;
    default: return memcmp(a->data + (size_t)i * width, b->data + (size_t)k * width, width) == 0;
    }
}

static void show(const char *side, const struct hr_vec *vec, int64_t row) {
    struct hr_buf buf;
    hr_buf_init(&buf, 0);
    if (hr_vec_json(vec, row, &buf, NULL) == 0) {
        fprintf(stderr, "%s: %s\n", side, hr_buf_cstr(&buf));
    }
    hr_buf_release(&buf);
}

void test_assert_same(const struct hr_batch *a, const struct hr_batch *b) {
    assert_int_equal(a->schema->n_fields, b->schema->n_fields);
    assert_int_equal(a->len, b->len);
    for (int c = 0; c < a->schema->n_fields; c++) {
        assert_true(hr_type_equal(a->schema->fields[c].type, b->schema->fields[c].type));
        for (int64_t i = 0; i < a->len; i++) {
            if (!same_value(&a->vecs[c], i, &b->vecs[c], i)) {
                show("wanted", &a->vecs[c], i);
                show("got", &b->vecs[c], i);
                fail_msg("column %s differs in row %lld", a->schema->fields[c].name, (long long)i);
            }
        }
    }
}
