/* batch/text.c - single values as text (what CSV shows) and as JSON. */
#include <math.h>
#include <string.h>

#include "base/num.h"
#include "base/time.h"
#include "batch/vec.h"

static const int64_t PER_SECOND[] = {1, 1000, 1000000, 1000000000};
static const int UNIT_DIGITS[] = {0, 3, 6, 9};

static size_t put_time(const struct hr_vec *vec, int64_t i, char *out) {
    const struct hr_type t = vec->field->type;
    const int64_t nanos = hr_vec_i64(vec, i) * (1000000000 / PER_SECOND[t.unit]);
    return hr_format_time(nanos, UNIT_DIGITS[t.unit], out);
}

/* `iso`: 2024-01-02T03:04:05Z as JSON has it, otherwise with a blank as CSV shows it. */
static size_t put_timestamp(const struct hr_vec *vec, int64_t i, bool iso, char *out) {
    const struct hr_type t = vec->field->type;
    const int64_t v = hr_vec_i64(vec, i);
    const int64_t per = PER_SECOND[t.unit];
    int64_t seconds = v / per;
    int64_t rest = v % per;
    if (rest < 0) {
        rest += per;
        seconds--;
    }
    const int32_t nanos = (int32_t)(rest * (1000000000 / per));
    return hr_format_timestamp(seconds, nanos, -1, iso ? 'T' : ' ', t.utc ? "Z" : "", out);
}

static size_t put_decimal(const struct hr_vec *vec, int64_t i, char *out) {
    const struct hr_type t = vec->field->type;
    if (t.id == HR_T_DEC128) {
        hr_i128 v;
        memcpy(&v, vec->data + i * 16, sizeof(v));
        return hr_format_decimal(v, t.scale, out);
    }
    uint64_t words[4];
    memcpy(words, vec->data + i * 32, sizeof(words));
    return hr_format_decimal256(words, t.scale, out);
}

static size_t put_uuid(const uint8_t *p, char *out) {
    static const char digits[] = "0123456789abcdef";
    size_t n = 0;
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            out[n++] = '-';
        }
        out[n++] = digits[p[i] >> 4];
        out[n++] = digits[p[i] & 15];
    }
    return n;
}

static double float_at(const struct hr_vec *vec, int64_t i) {
    if (vec->field->type.id == HR_T_F64) {
        double v;
        memcpy(&v, vec->data + i * 8, sizeof(v));
        return v;
    }
    if (vec->field->type.id == HR_T_F32) {
        float v;
        memcpy(&v, vec->data + i * 4, sizeof(v));
        return (double)v;
    }
    uint16_t half;
    memcpy(&half, vec->data + i * 2, sizeof(half));
    return hr_half_to_double(half);
}

static size_t put_float(const struct hr_vec *vec, int64_t i, char *out) {
    const double v = float_at(vec, i);
    return vec->field->type.id == HR_T_F64 ? hr_format_double(v, true, out)
                                           : hr_format_float((float)v, true, out);
}

/* Scalars of bounded length; 0 for the others. Room 128. */
static size_t put_scalar(const struct hr_vec *vec, int64_t i, bool iso, char *out) {
    const struct hr_type t = vec->field->type;
    switch ((enum hr_type_id)t.id) {
    case HR_T_BOOL: {
        const bool v = hr_bit_get(vec->data, i);
        memcpy(out, v ? "true" : "false", 5);
        return v ? 4 : 5;
    }
    case HR_T_U64: return hr_format_u64((uint64_t)hr_vec_i64(vec, i), out);
    case HR_T_F16:
    case HR_T_F32:
    case HR_T_F64: return put_float(vec, i, out);
    case HR_T_DEC128:
    case HR_T_DEC256: return put_decimal(vec, i, out);
    case HR_T_DATE32: return hr_format_date(hr_vec_i64(vec, i), out);
    case HR_T_TIME32:
    case HR_T_TIME64: return put_time(vec, i, out);
    case HR_T_TS: return put_timestamp(vec, i, iso, out);
    case HR_T_FIXED:
        return t.ext == HR_EXT_UUID && t.width == 16 ? put_uuid(vec->data + i * 16, out) : 0;
    case HR_T_I8:
    case HR_T_I16:
    case HR_T_I32:
    case HR_T_I64:
    case HR_T_U8:
    case HR_T_U16:
    case HR_T_U32: return hr_format_i64(hr_vec_i64(vec, i), out);
    default: return 0;
    }
}

static int append_base64(struct hr_slice in, struct hr_buf *out, struct hr_error *err) {
    static const char table[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    int rc = hr_buf_reserve(out, (in.len + 2) / 3 * 4, err);
    if (rc != 0) {
        return rc;
    }
    uint8_t *p = out->ptr + out->len;
    for (size_t i = 0; i < in.len; i += 3) {
        const size_t left = in.len - i;
        const uint32_t v = (uint32_t)in.ptr[i] << 16 |
                           (left > 1 ? (uint32_t)in.ptr[i + 1] << 8 : 0) |
                           (left > 2 ? (uint32_t)in.ptr[i + 2] : 0);
        *p++ = (uint8_t)table[v >> 18];
        *p++ = (uint8_t)table[(v >> 12) & 63];
        *p++ = left > 1 ? (uint8_t)table[(v >> 6) & 63] : '=';
        *p++ = left > 2 ? (uint8_t)table[v & 63] : '=';
    }
    out->len = (size_t)(p - out->ptr);
    out->ptr[out->len] = '\0';
    return 0;
}

static struct hr_slice bytes_at(const struct hr_vec *vec, int64_t i) {
    if (vec->field->type.id == HR_T_FIXED) {
        const int32_t width = vec->field->type.width;
        return hr_slice_of(vec->data + i * width, (size_t)width);
    }
    return hr_vec_slice(vec, i);
}

int hr_vec_text(const struct hr_vec *vec, int64_t i, struct hr_buf *out, struct hr_error *err) {
    if (vec->field->type.id == HR_T_NULL || !hr_vec_valid(vec, i)) {
        return 0;
    }
    char local[128];
    const size_t n = put_scalar(vec, i, false, local);
    if (n > 0) {
        return hr_buf_append(out, local, n, err);
    }
    switch ((enum hr_type_id)vec->field->type.id) {
    case HR_T_UTF8: {
        const struct hr_slice s = hr_vec_slice(vec, i);
        return hr_buf_append(out, s.ptr, s.len, err);
    }
    case HR_T_BINARY:
    case HR_T_FIXED: return append_base64(bytes_at(vec, i), out, err);
    default: return hr_vec_json(vec, i, out, err);
    }
}

static int json_list(const struct hr_vec *vec, int64_t i, struct hr_buf *out,
                     struct hr_error *err) {
    int rc = hr_buf_append_byte(out, '[', err);
    for (int32_t k = vec->offsets[i]; rc == 0 && k < vec->offsets[i + 1]; k++) {
        if (k > vec->offsets[i]) {
            rc = hr_buf_append_byte(out, ',', err);
        }
        if (rc == 0) {
            rc = hr_vec_json(&vec->children[0], k, out, err);
        }
    }
    return rc == 0 ? hr_buf_append_byte(out, ']', err) : rc;
}

static int json_struct(const struct hr_vec *vec, int64_t i, struct hr_buf *out,
                       struct hr_error *err) {
    int rc = hr_buf_append_byte(out, '{', err);
    for (int c = 0; rc == 0 && c < vec->n_children; c++) {
        if (c > 0) {
            rc = hr_buf_append_byte(out, ',', err);
        }
        if (rc == 0) {
            rc = hr_buf_append_json(out, hr_slice_str(vec->children[c].field->name), err);
        }
        if (rc == 0) {
            rc = hr_buf_append_byte(out, ':', err);
        }
        if (rc == 0) {
            rc = hr_vec_json(&vec->children[c], i, out, err);
        }
    }
    return rc == 0 ? hr_buf_append_byte(out, '}', err) : rc;
}

/* {"key text": value, …}; keys that are not text are shown as their text. */
static int json_map(const struct hr_vec *vec, int64_t i, struct hr_buf *out, struct hr_error *err) {
    const struct hr_vec *entries = &vec->children[0];
    struct hr_buf key;
    hr_buf_init(&key, out->max);
    int rc = hr_buf_append_byte(out, '{', err);
    for (int32_t k = vec->offsets[i]; rc == 0 && k < vec->offsets[i + 1]; k++) {
        if (k > vec->offsets[i]) {
            rc = hr_buf_append_byte(out, ',', err);
        }
        hr_buf_clear(&key);
        if (rc == 0) {
            rc = hr_vec_text(&entries->children[0], k, &key, err);
        }
        if (rc == 0) {
            rc = hr_buf_append_json(out, hr_buf_slice(&key), err);
        }
        if (rc == 0) {
            rc = hr_buf_append_byte(out, ':', err);
        }
        if (rc == 0) {
            rc = entries->n_children > 1 ? hr_vec_json(&entries->children[1], k, out, err)
                                         : hr_buf_append_str(out, "null", err);
        }
    }
    hr_buf_release(&key);
    return rc == 0 ? hr_buf_append_byte(out, '}', err) : rc;
}

static bool quoted_in_json(struct hr_type t) {
    return t.id == HR_T_DATE32 || t.id == HR_T_TIME32 || t.id == HR_T_TIME64 || t.id == HR_T_TS ||
           t.id == HR_T_FIXED;
}

int hr_vec_json(const struct hr_vec *vec, int64_t i, struct hr_buf *out, struct hr_error *err) {
    const struct hr_type t = vec->field->type;
    if (t.id == HR_T_NULL || !hr_vec_valid(vec, i)) {
        return hr_buf_append(out, "null", 4, err);
    }
    if ((t.id == HR_T_F16 || t.id == HR_T_F32 || t.id == HR_T_F64) && !isfinite(float_at(vec, i))) {
        return hr_buf_append(out, "null", 4, err);
    }
    char local[130];
    const size_t n = put_scalar(vec, i, true, local + 1);
    if (n > 0 && !quoted_in_json(t)) {
        return hr_buf_append(out, local + 1, n, err);
    }
    if (n > 0) {
        local[0] = local[n + 1] = '"';
        return hr_buf_append(out, local, n + 2, err);
    }
    switch ((enum hr_type_id)t.id) {
    case HR_T_LIST: return json_list(vec, i, out, err);
    case HR_T_STRUCT: return json_struct(vec, i, out, err);
    case HR_T_MAP: return json_map(vec, i, out, err);
    case HR_T_UTF8: {
        const struct hr_slice s = hr_vec_slice(vec, i);
        return t.ext == HR_EXT_JSON && s.len > 0 ? hr_buf_append(out, s.ptr, s.len, err)
                                                 : hr_buf_append_json(out, s, err);
    }
    default: break;
    }
    int rc = hr_buf_append_byte(out, '"', err);
    if (rc == 0) {
        rc = append_base64(bytes_at(vec, i), out, err);
    }
    return rc == 0 ? hr_buf_append_byte(out, '"', err) : rc;
}
