/* transform/generate.c - columns no file holds: object facts, constants, row ids, Olake's forms. */
#include "transform/generate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"

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

#define CURSOR_NAME "_last_modified_time"

/* Go's %v of a double: shortest digits, exponent form below 1e-4 and from 1e21, two exponent
 * digits. */
static size_t go_double(double v, char *out) {
    if (isnan(v)) {
        memcpy(out, "NaN", 3);
        return 3;
    }
    if (isinf(v)) {
        memcpy(out, v < 0 ? "-Inf" : "+Inf", 4);
        return 4;
    }
    const double abs = fabs(v);
    if (abs >= 1e16 && abs < 1e21) {
        /* Plain digits where our own form is exponential already. */
        char tmp[48];
        const size_t n = hr_format_double(abs, false, tmp); /* d.ddde+xx */
        char digits[32];
        size_t k = 0;
        long exponent = 0;
        for (size_t i = 0; i < n; i++) {
            if (tmp[i] == 'e') {
                tmp[n] = '\0';
                exponent = strtol(tmp + i + 1, NULL, 10);
                break;
            }
            if (tmp[i] != '.') {
                digits[k++] = tmp[i];
            }
        }
        size_t len = 0;
        if (v < 0) {
            out[len++] = '-';
        }
        for (long i = 0; i <= exponent; i++) {
            out[len++] = (size_t)i < k ? digits[i] : '0';
        }
        return len;
    }
    if (abs > 0 && abs < 1e-4 && abs >= 1e-5) {
        /* 0.00001234 -> 1.234e-05 */
        char digits[32];
        const size_t m = hr_format_double(abs, false, digits); /* 0.0000ddd */
        size_t i = 2;
        while (i < m && digits[i] == '0') {
            i++;
        }
        size_t len = 0;
        if (v < 0) {
            out[len++] = '-';
        }
        out[len++] = digits[i];
        if (i + 1 < m) {
            out[len++] = '.';
            memcpy(out + len, digits + i + 1, m - i - 1);
            len += m - i - 1;
        }
        memcpy(out + len, "e-05", 4);
        return len + 4;
    }
    return hr_format_double(v, false, out);
}

static int go_value(const struct hr_vec *vec, int64_t i, struct hr_buf *out, struct hr_error *err) {
    if (vec->field->type.id == HR_T_NULL || !hr_vec_valid(vec, i)) {
        return hr_buf_append(out, "<nil>", 5, err);
    }
    char text[64];
    switch ((enum hr_type_id)vec->field->type.id) {
    case HR_T_F64: {
        double v;
        memcpy(&v, vec->data + i * 8, sizeof(v));
        return hr_buf_append(out, text, go_double(v, text), err);
    }
    case HR_T_DATE32: {
        size_t n = hr_format_date(hr_vec_i64(vec, i), text);
        memcpy(text + n, " 00:00:00 +0000 UTC", 19);
        return hr_buf_append(out, text, n + 19, err);
    }
    case HR_T_TS: {
        const int rc = hr_vec_text(vec, i, out, err);
        if (rc == 0 && out->ptr[out->len - 1] == 'Z') {
            out->len--;
        }
        return rc == 0 ? hr_buf_append(out, " +0000 UTC", 10, err) : rc;
    }
    default: return hr_vec_text(vec, i, out, err);
    }
}

/* Values in key order, each followed by '|'. */
static int md5_row(struct hr_transform *t, int64_t row, uint8_t digest[16], struct hr_error *err) {
    hr_buf_clear(&t->scratch);
    bool cursor_done = false;
    int rc = 0;
    for (int i = 0; rc == 0 && i <= t->read_schema->n_fields; i++) {
        const int column = i < t->read_schema->n_fields ? t->order[i] : -1;
        if (!cursor_done &&
            (column < 0 || strcmp(t->read_schema->fields[column].name, CURSOR_NAME) > 0)) {
            rc = hr_buf_append(&t->scratch, t->mtime_text, t->mtime_len, err);
            if (rc == 0) {
                rc = hr_buf_append_byte(&t->scratch, '|', err);
            }
            cursor_done = true;
        }
        if (rc == 0 && column >= 0) {
            rc = go_value(t->aligned[column], row, &t->scratch, err);
            if (rc == 0) {
                rc = hr_buf_append_byte(&t->scratch, '|', err);
            }
        }
    }
    if (rc == 0) {
        hr_md5(t->scratch.ptr, t->scratch.len, digest);
    }
    return rc;
}

static int olake_ids(struct hr_transform *t, struct hr_vec *vec, int64_t rows,
                     struct hr_error *err) {
    int rc = sort_columns(t, err);
    for (int64_t i = 0; rc == 0 && i < rows; i++) {
        uint8_t digest[16];
        char hex[33];
        rc = md5_row(t, i, digest, err);
        if (rc == 0) {
            hr_hex(digest, 16, hex);
            rc = hr_vec_append_bytes(vec, hex, 32, err);
        }
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

/* Go's encoder also escapes <, > and & so that the text can stand in HTML. */
static int append_html_safe(struct hr_vec *vec, const struct hr_buf *json, struct hr_error *err) {
    size_t extra = 0;
    for (size_t i = 0; i < json->len; i++) {
        const uint8_t c = json->ptr[i];
        extra += c == '<' || c == '>' || c == '&' ? 5 : 0;
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
    uint8_t *p = vec->data + vec->data_len;
    for (size_t i = 0; i < json->len; i++) {
        const uint8_t c = json->ptr[i];
        if (c == '<' || c == '>' || c == '&') {
            memcpy(p, c == '<' ? "\\u003c" : c == '>' ? "\\u003e" : "\\u0026", 6);
            p += 6;
        } else {
            *p++ = c;
        }
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
            rc = raw_member(&t->scratch, CURSOR_NAME, first, err);
            if (rc == 0) {
                rc = hr_buf_append_json(&t->scratch, hr_slice_of(t->mtime_text, t->mtime_len), err);
            }
            cursor_done = true;
            first = false;
        }
        if (rc == 0 && name != NULL) {
            rc = raw_member(&t->scratch, name, first, err);
            if (rc == 0) {
                rc = hr_vec_json(t->aligned[column], row, &t->scratch, err);
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
