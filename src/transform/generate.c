/* transform/generate.c - columns no file holds: object facts, constants, row ids, Olake's forms. */
#include "transform/generate.h"

#include <stdlib.h>
#include <string.h>

#include "transform/go_text.h"

int hr_generated_field(int kind, const char *name, struct hr_field *out) {
    struct hr_type type = hr_type(HR_T_UTF8);
    switch (kind) {
    case HR_OUT_TIME:
    case HR_OUT_NULL_TIME:
    case HR_OUT_MTIME: type = (struct hr_type){.id = HR_T_TS, .unit = HR_U_US, .utc = 1}; break;
    case HR_OUT_SIZE:
    case HR_OUT_ROW:
    case HR_OUT_OFFSET: type = hr_type(HR_T_I64); break;
    case HR_OUT_RAW_JSON: type.ext = HR_EXT_JSON; break;
    default: break;
    }
    const int rc = hr_field_init(out, name, strlen(name), type, 0);
    if (rc == 0 && kind == HR_OUT_RAW_JSON) {
        out->nullable = false;
    }
    return rc;
}

static int same_text(struct hr_vec *vec, const char *text, size_t len, int64_t rows,
                     struct hr_error *err) {
    int rc = hr_vec_reserve(vec, (size_t)rows, err);
    if (rc == 0) {
        rc = hr_vec_reserve_bytes(vec, (size_t)rows * len, err);
    }
    if (rc != 0) {
        return rc;
    }
    for (int64_t i = 0; i < rows; i++) {
        memcpy(vec->data + (size_t)i * len, text, len);
        vec->offsets[i + 1] = (int32_t)((size_t)(i + 1) * len);
    }
    vec->data_len = (size_t)rows * len;
    vec->len = rows;
    return 0;
}

static int same_i64(struct hr_vec *vec, int64_t value, int64_t rows, struct hr_error *err) {
    const int rc = hr_vec_reserve(vec, (size_t)rows, err);
    if (rc != 0) {
        return rc;
    }
    int64_t *p = (int64_t *)(void *)vec->data;
    for (int64_t i = 0; i < rows; i++) {
        p[i] = value;
    }
    vec->len = rows;
    return 0;
}

static int row_numbers(struct hr_vec *vec, const int64_t *values, int64_t rows,
                       struct hr_error *err) {
    if (values == NULL) {
        return hr_fail(err, HR_E_INTERNAL, "could not number rows: the reader kept no positions");
    }
    const int rc = hr_vec_reserve(vec, (size_t)rows, err);
    if (rc == 0) {
        memcpy(vec->data, values, (size_t)rows * sizeof(*values));
        vec->len = rows;
    }
    return rc;
}

/* 32 hex digits of hash(object, position): known without any other task. */
static int row_ids(struct hr_transform *t, struct hr_vec *vec, int64_t rows, struct hr_error *err) {
    if (t->row_offsets == NULL) {
        return hr_fail(err, HR_E_INTERNAL, "could not identify rows: no positions were kept");
    }
    int rc = hr_vec_reserve(vec, (size_t)rows, err);
    if (rc == 0) {
        rc = hr_vec_reserve_bytes(vec, (size_t)rows * 32 + 1, err);
    }
    if (rc != 0) {
        return rc;
    }
    static const char hex[] = "0123456789abcdef";
    for (int64_t i = 0; i < rows; i++) {
        const uint64_t pos = (uint64_t)t->row_offsets[i];
        const uint64_t words[2] = {hr_hash_u64(t->object_hash.lo ^ hr_hash_u64(pos + 1)),
                                   hr_hash_u64(t->object_hash.hi + hr_hash_u64(~pos))};
        uint8_t *p = vec->data + (size_t)i * 32;
        for (int k = 0; k < 32; k++) {
            p[k] = (uint8_t)hex[(words[k >> 4] >> (60 - 4 * (k & 15))) & 15];
        }
        vec->offsets[i + 1] = (int32_t)((i + 1) * 32);
    }
    vec->data_len = (size_t)rows * 32;
    vec->len = rows;
    return 0;
}

/* ---- Olake's forms: every value of the record, keys in byte order ---- */

#define CURSOR_NAME "_last_modified_time"

static int compare_names(const void *a, const void *b, void *user) {
    const struct hr_schema *schema = user;
    return strcmp(schema->fields[*(const int *)a].name, schema->fields[*(const int *)b].name);
}

/* Read columns in key order; the place of `_last_modified_time` among them is found while walking.
 */
static int sort_columns(struct hr_transform *t, struct hr_error *err) {
    if (t->order != NULL) {
        return 0;
    }
    const int n = t->read_schema->n_fields;
    t->order = hr_malloc((size_t)n * sizeof(*t->order));
    if (t->order == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate a column order");
    }
    for (int i = 0; i < n; i++) {
        t->order[i] = i;
    }
    qsort_r(t->order, (size_t)n, sizeof(*t->order), compare_names, t->read_schema);
    return 0;
}

/* Is the column a key of Olake's record? What the file lacks is none, and the object's time takes
 * the place of a column of its name. */
static bool in_record(const struct hr_transform *t, int column) {
    return !t->absent[column] && strcmp(t->read_schema->fields[column].name, CURSOR_NAME) != 0;
}

static int put_mtime(struct hr_transform *t, struct hr_error *err) {
    const int rc = hr_buf_append(&t->scratch, t->mtime_text, t->mtime_len, err);
    return rc == 0 ? hr_buf_append_byte(&t->scratch, '|', err) : rc;
}

/* Every value of the record in key order, each followed by '|'. */
static int record_text(struct hr_transform *t, int64_t row, struct hr_error *err) {
    bool cursor_done = false;
    int rc = 0;
    for (int i = 0; rc == 0 && i <= t->read_schema->n_fields; i++) {
        const int column = i < t->read_schema->n_fields ? t->order[i] : -1;
        if (!cursor_done &&
            (column < 0 || strcmp(t->read_schema->fields[column].name, CURSOR_NAME) > 0)) {
            rc = put_mtime(t, err);
            cursor_done = true;
        }
        if (rc == 0 && column >= 0 && in_record(t, column)) {
            rc = hr_go_sprint(t->aligned[column], row, t->spec->text_numbers, &t->scratch, err);
            if (rc == 0) {
                rc = hr_buf_append_byte(&t->scratch, '|', err);
            }
        }
    }
    return rc;
}

static int key_value(struct hr_transform *t, const char *name, int64_t row, struct hr_error *err) {
    if (strcmp(name, CURSOR_NAME) == 0) {
        return hr_buf_append(&t->scratch, t->mtime_text, t->mtime_len, err);
    }
    const int column = hr_schema_find(t->read_schema, name, strlen(name));
    return column < 0 || !in_record(t, column)
               ? hr_buf_append(&t->scratch, "<nil>", 5, err)
               : hr_go_sprint(t->aligned[column], row, t->spec->text_numbers, &t->scratch, err);
}

/* The values of a primary key of several columns, names in order. */
static int keys_text(struct hr_transform *t, int64_t row, struct hr_error *err) {
    const struct hr_strlist *keys = &t->spec->id_keys;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < keys->count; i++) {
        rc = key_value(t, keys->items[i], row, err);
        if (rc == 0) {
            rc = hr_buf_append_byte(&t->scratch, '|', err);
        }
    }
    return rc;
}

static bool has_key(const struct hr_transform *t, const char *name) {
    const int column = hr_schema_find(t->read_schema, name, strlen(name));
    return strcmp(name, CURSOR_NAME) == 0 || (column >= 0 && in_record(t, column));
}

/* One primary key column: its text. Several: MD5 of their values. None: MD5 of the record. */
static int olake_id(struct hr_transform *t, int64_t row, struct hr_vec *vec, struct hr_error *err) {
    const struct hr_strlist *keys = &t->spec->id_keys;
    hr_buf_clear(&t->scratch);
    if (keys->count == 1 && has_key(t, keys->items[0])) {
        const int rc = key_value(t, keys->items[0], row, err);
        return rc == 0 ? hr_vec_append_bytes(vec, t->scratch.ptr, t->scratch.len, err) : rc;
    }
    uint8_t digest[16];
    char hex[33];
    const int rc = keys->count > 0 ? keys_text(t, row, err) : record_text(t, row, err);
    if (rc != 0) {
        return rc;
    }
    hr_md5(t->scratch.ptr, t->scratch.len, digest);
    hr_hex(digest, 16, hex);
    return hr_vec_append_bytes(vec, hex, 32, err);
}

static int olake_ids(struct hr_transform *t, struct hr_vec *vec, int64_t rows,
                     struct hr_error *err) {
    int rc = sort_columns(t, err);
    for (int64_t i = 0; rc == 0 && i < rows; i++) {
        rc = olake_id(t, i, vec, err);
    }
    return rc;
}

static int raw_member(struct hr_buf *out, const char *name, bool first, struct hr_error *err) {
    int rc = first ? 0 : hr_buf_append_byte(out, ',', err);
    if (rc == 0) {
        rc = hr_buf_append_json(out, hr_slice_str(name), err);
    }
    return rc == 0 ? hr_buf_append_byte(out, ':', err) : rc;
}

/* Bytes that Go's encoder writes as \uXXXX so that the text can stand in HTML and JavaScript: < > &
 * and the separators U+2028 and U+2029 (E2 80 A8, E2 80 A9). NULL: no such byte here. */
static const char *escape_of(const uint8_t *p, const uint8_t *end, size_t *out_len) {
    *out_len = 1;
    switch (*p) {
    case '<': return "\\u003c";
    case '>': return "\\u003e";
    case '&': return "\\u0026";
    case 0xe2:
        if (end - p < 3 || p[1] != 0x80 || (p[2] != 0xa8 && p[2] != 0xa9)) {
            return NULL;
        }
        *out_len = 3;
        return p[2] == 0xa8 ? "\\u2028" : "\\u2029";
    default: return NULL;
    }
}

static int append_html_safe(struct hr_vec *vec, const struct hr_buf *json, struct hr_error *err) {
    const uint8_t *end = json->ptr + json->len;
    size_t extra = 0;
    for (const uint8_t *p = json->ptr; p < end; p++) {
        size_t len;
        extra += escape_of(p, end, &len) != NULL ? 6 - len : 0;
    }
    if (extra == 0) {
        return hr_vec_append_bytes(vec, json->ptr, json->len, err);
    }
    int rc = hr_vec_reserve(vec, 1, err);
    if (rc == 0) {
        rc = hr_vec_reserve_bytes(vec, json->len + extra, err);
    }
    if (rc != 0) {
        return rc;
    }
    uint8_t *out = vec->data + vec->data_len;
    for (const uint8_t *p = json->ptr; p < end;) {
        size_t len;
        const char *escape = escape_of(p, end, &len);
        memcpy(out, escape ? (const void *)escape : p, escape ? 6 : 1);
        out += escape ? 6 : 1;
        p += len;
    }
    vec->data_len += json->len + extra;
    vec->offsets[++vec->len] = (int32_t)vec->data_len;
    return 0;
}

static int raw_row(struct hr_transform *t, int64_t row, struct hr_error *err) {
    hr_buf_clear(&t->scratch);
    bool cursor_done = false;
    bool first = true;
    int rc = hr_buf_append_byte(&t->scratch, '{', err);
    for (int i = 0; rc == 0 && i <= t->read_schema->n_fields; i++) {
        const int column = i < t->read_schema->n_fields ? t->order[i] : -1;
        const char *name = column >= 0 ? t->read_schema->fields[column].name : NULL;
        if (!cursor_done && (name == NULL || strcmp(name, CURSOR_NAME) > 0)) {
            cursor_done = true;
            if (!hr_transform_drops(t->spec, CURSOR_NAME)) {
                rc = raw_member(&t->scratch, CURSOR_NAME, first, err);
                if (rc == 0) {
                    rc = hr_buf_append_json(&t->scratch, hr_slice_of(t->mtime_text, t->mtime_len),
                                            err);
                }
                first = false;
            }
        }
        if (rc == 0 && name != NULL && in_record(t, column) && !hr_transform_drops(t->spec, name)) {
            rc = raw_member(&t->scratch, name, first, err);
            if (rc == 0) {
                rc = hr_go_json(t->aligned[column], row, &t->scratch, err);
            }
            first = false;
        }
    }
    return rc == 0 ? hr_buf_append_byte(&t->scratch, '}', err) : rc;
}

static int raw_json(struct hr_transform *t, struct hr_vec *vec, int64_t rows,
                    struct hr_error *err) {
    int rc = sort_columns(t, err);
    for (int64_t i = 0; rc == 0 && i < rows; i++) {
        rc = raw_row(t, i, err);
        if (rc == 0) {
            rc = append_html_safe(vec, &t->scratch, err);
        }
    }
    return rc;
}

int hr_generate(struct hr_transform *t, int out, int64_t rows, struct hr_error *err) {
    struct hr_vec *vec = &t->generated->vecs[out];
    const struct out_op *op = &t->outs[out];
    hr_vec_clear(vec);
    switch (op->kind) {
    case HR_OUT_TEXT: return same_text(vec, op->column->text, strlen(op->column->text), rows, err);
    case HR_OUT_TIME: return same_i64(vec, op->column->time_us, rows, err);
    case HR_OUT_NULL_TIME:
    case HR_OUT_NULL: return hr_vec_append_nulls(vec, (size_t)rows, err);
    case HR_OUT_KEY: return same_text(vec, t->facts.key, strlen(t->facts.key), rows, err);
    case HR_OUT_ETAG: return same_text(vec, t->facts.etag, strlen(t->facts.etag), rows, err);
    case HR_OUT_MTIME_TEXT: return same_text(vec, t->mtime_text, t->mtime_len, rows, err);
    case HR_OUT_MTIME: return same_i64(vec, t->facts.mtime_us, rows, err);
    case HR_OUT_SIZE: return same_i64(vec, t->facts.size, rows, err);
    case HR_OUT_ROW: return row_numbers(vec, t->row_lines, rows, err);
    case HR_OUT_OFFSET: return row_numbers(vec, t->row_offsets, rows, err);
    case HR_OUT_ROW_ID: return row_ids(t, vec, rows, err);
    case HR_OUT_OLAKE_MD5: return olake_ids(t, vec, rows, err);
    default: return raw_json(t, vec, rows, err);
    }
}
