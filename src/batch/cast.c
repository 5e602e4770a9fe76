/* batch/cast.c - whole columns from one type to a wider one (see meet.c), and anything to text. */
#include <math.h>
#include <string.h>

#include "base/num.h"
#include "batch/vec.h"

static bool is_int_like(int id) {
    return (id >= HR_T_I8 && id <= HR_T_U64) || id == HR_T_BOOL;
}

static int no_fit(const struct hr_vec *src, const struct hr_vec *dst, int64_t row,
                  struct hr_error *err) {
    struct hr_buf text;
    struct hr_buf type;
    hr_buf_init(&text, 0);
    hr_buf_init(&type, 0);
    char shown[120] = "";
    if (hr_vec_text(src, row, &text, NULL) == 0 &&
        hr_field_type_text(dst->field, &type, NULL) == 0) {
        hr_printable(hr_buf_slice(&text), 80, shown, sizeof(shown));
    }
    hr_fail(err, HR_E_SCHEMA, "could not convert '%s' to %s", shown, hr_buf_cstr(&type));
    hr_error_place(err, -1, row + 1, dst->field->name);
    hr_buf_release(&text);
    hr_buf_release(&type);
    return HR_E_SCHEMA;
}

/* Everything to utf8 (or binary). */
static int cast_text(struct hr_vec *dst, const struct hr_vec *src, struct hr_error *err) {
    struct hr_buf text;
    hr_buf_init(&text, INT32_MAX - 1);
    int rc = 0;
    for (int64_t i = 0; rc == 0 && i < src->len; i++) {
        if (src->field->type.id == HR_T_NULL || !hr_vec_valid(src, i)) {
            rc = hr_vec_append_null(dst, err);
            continue;
        }
        hr_buf_clear(&text);
        rc = hr_vec_text(src, i, &text, err);
        if (rc == 0) {
            rc = hr_vec_append_bytes(dst, text.ptr, text.len, err);
        }
    }
    hr_buf_release(&text);
    return rc;
}

double hr_vec_f64(const struct hr_vec *vec, int64_t i) {
    const struct hr_type t = vec->field->type;
    switch ((enum hr_type_id)t.id) {
    case HR_T_F64: {
        double v;
        memcpy(&v, vec->data + i * 8, sizeof(v));
        return v;
    }
    case HR_T_F32: {
        float v;
        memcpy(&v, vec->data + i * 4, sizeof(v));
        return (double)v;
    }
    case HR_T_F16: {
        uint16_t half;
        memcpy(&half, vec->data + i * 2, sizeof(half));
        return hr_half_to_double(half);
    }
    case HR_T_U64: return (double)(uint64_t)hr_vec_i64(vec, i);
    case HR_T_DEC128:
    case HR_T_DEC256: {
        /* Through text: correctly rounded. */
        char text[100];
        size_t n;
        if (t.id == HR_T_DEC128) {
            hr_i128 v;
            memcpy(&v, vec->data + i * 16, sizeof(v));
            n = hr_format_decimal(v, t.scale, text);
        } else {
            uint64_t words[4];
            memcpy(words, vec->data + i * 32, sizeof(words));
            n = hr_format_decimal256(words, t.scale, text);
        }
        double v = 0;
        return hr_parse_double(text, n, true, &v) ? v : (double)NAN;
    }
    default: return (double)hr_vec_i64(vec, i);
    }
}

static int cast_float(struct hr_vec *dst, const struct hr_vec *src, struct hr_error *err) {
    int rc = 0;
    for (int64_t i = 0; rc == 0 && i < src->len; i++) {
        rc = hr_vec_valid(src, i) ? hr_vec_append_f64(dst, hr_vec_f64(src, i), err)
                                  : hr_vec_append_null(dst, err);
    }
    return rc;
}

static bool int_in_range(int64_t v, bool is_u64, int id) {
    const bool big = is_u64 && v < 0;
    switch (id) {
    case HR_T_I8: return !big && v >= INT8_MIN && v <= INT8_MAX;
    case HR_T_I16: return !big && v >= INT16_MIN && v <= INT16_MAX;
    case HR_T_I32: return !big && v >= INT32_MIN && v <= INT32_MAX;
    case HR_T_I64: return !big;
    case HR_T_U8: return !big && v >= 0 && v <= UINT8_MAX;
    case HR_T_U16: return !big && v >= 0 && v <= UINT16_MAX;
    case HR_T_U32: return !big && v >= 0 && v <= UINT32_MAX;
    case HR_T_BOOL: return v == 0 || v == 1;
    default: return big || v >= 0;
    }
}

static int cast_int(struct hr_vec *dst, const struct hr_vec *src, struct hr_error *err) {
    const bool is_u64 = src->field->type.id == HR_T_U64;
    int rc = 0;
    for (int64_t i = 0; rc == 0 && i < src->len; i++) {
        if (!hr_vec_valid(src, i)) {
            rc = hr_vec_append_null(dst, err);
            continue;
        }
        const int64_t v = hr_vec_i64(src, i);
        rc = int_in_range(v, is_u64, dst->field->type.id) ? hr_vec_append_i64(dst, v, err)
                                                          : no_fit(src, dst, i, err);
    }
    return rc;
}

static hr_i128 unscaled_at(const struct hr_vec *src, int64_t i) {
    if (src->field->type.id == HR_T_DEC128) {
        hr_i128 v;
        memcpy(&v, src->data + i * 16, sizeof(v));
        return v;
    }
    return src->field->type.id == HR_T_U64 ? (hr_i128)(uint64_t)hr_vec_i64(src, i)
                                           : (hr_i128)hr_vec_i64(src, i);
}

/* The first number with more digits than the type. */
static hr_i128 decimal_bound(struct hr_type type) {
    hr_i128 bound = 1;
    for (int k = 0; k < type.precision; k++) {
        bound *= 10;
    }
    return bound;
}

static int cast_decimal(struct hr_vec *dst, const struct hr_vec *src, struct hr_error *err) {
    const struct hr_type from = src->field->type;
    const int up = dst->field->type.scale - (from.id == HR_T_DEC128 ? from.scale : 0);
    const hr_i128 bound = decimal_bound(dst->field->type);
    int rc = 0;
    for (int64_t i = 0; rc == 0 && i < src->len; i++) {
        if (!hr_vec_valid(src, i)) {
            rc = hr_vec_append_null(dst, err);
            continue;
        }
        hr_i128 v = unscaled_at(src, i);
        bool ok = up >= 0;
        for (int k = 0; ok && k < up; k++) {
            ok = !__builtin_mul_overflow(v, 10, &v);
        }
        rc = ok && v < bound && v > -bound ? hr_vec_append_bytes(dst, &v, sizeof(v), err)
                                           : no_fit(src, dst, i, err);
    }
    return rc;
}

/* ---- 256 bits: little-endian words ---- */

static void words_negate(uint64_t w[4]) {
    bool carry = true;
    for (int k = 0; k < 4; k++) {
        w[k] = ~w[k] + carry;
        carry = carry && w[k] == 0;
    }
}

/* False: it takes more than 255 bits. */
static bool words_times_ten(uint64_t w[4]) {
    hr_u128 carry = 0;
    for (int k = 0; k < 4; k++) {
        carry += (hr_u128)w[k] * 10;
        w[k] = (uint64_t)carry;
        carry >>= 64;
    }
    return carry == 0 && w[3] >> 63 == 0;
}

static bool words_less(const uint64_t a[4], const uint64_t b[4]) {
    int k = 3;
    while (k > 0 && a[k] == b[k]) {
        k--;
    }
    return a[k] < b[k];
}

static void words_at(const struct hr_vec *src, int64_t i, uint64_t out[4]) {
    if (src->field->type.id == HR_T_DEC256) {
        memcpy(out, src->data + i * 32, 32);
        return;
    }
    const hr_i128 v = unscaled_at(src, i);
    memcpy(out, &v, sizeof(v));
    out[2] = out[3] = v < 0 ? UINT64_MAX : 0;
}

static int cast_decimal256(struct hr_vec *dst, const struct hr_vec *src, struct hr_error *err) {
    const struct hr_type from = src->field->type;
    const struct hr_type to = dst->field->type;
    const bool decimal = from.id == HR_T_DEC128 || from.id == HR_T_DEC256;
    const int up = to.scale - (decimal ? from.scale : 0);
    uint64_t bound[4] = {1, 0, 0, 0}; /* 10^76 takes 253 bits */
    for (int k = 0; k < to.precision; k++) {
        (void)words_times_ten(bound);
    }
    int rc = 0;
    for (int64_t i = 0; rc == 0 && i < src->len; i++) {
        if (!hr_vec_valid(src, i)) {
            rc = hr_vec_append_null(dst, err);
            continue;
        }
        uint64_t w[4];
        words_at(src, i, w);
        const bool negative = w[3] >> 63 != 0;
        if (negative) {
            words_negate(w);
        }
        bool ok = up >= 0 && words_less(w, bound);
        for (int k = 0; ok && k < up; k++) {
            ok = words_times_ten(w);
        }
        ok = ok && words_less(w, bound);
        if (negative) {
            words_negate(w);
        }
        rc = ok ? hr_vec_append_bytes(dst, w, sizeof(w), err) : no_fit(src, dst, i, err);
    }
    return rc;
}

/* Date, time and timestamp to a finer unit. */
static int cast_time(struct hr_vec *dst, const struct hr_vec *src, struct hr_error *err) {
    static const int64_t per_second[] = {1, 1000, 1000000, 1000000000};
    int64_t factor;
    if (src->field->type.id == HR_T_DATE32) {
        factor = 86400 * per_second[dst->field->type.unit];
    } else if (dst->field->type.unit >= src->field->type.unit) {
        factor = per_second[dst->field->type.unit] / per_second[src->field->type.unit];
    } else {
        return no_fit(src, dst, 0, err);
    }
    int rc = 0;
    for (int64_t i = 0; rc == 0 && i < src->len; i++) {
        int64_t v;
        if (!hr_vec_valid(src, i)) {
            rc = hr_vec_append_null(dst, err);
        } else if (__builtin_mul_overflow(hr_vec_i64(src, i), factor, &v)) {
            rc = no_fit(src, dst, i, err);
        } else {
            rc = hr_vec_append_i64(dst, v, err);
        }
    }
    return rc;
}

/* Copy validity and (for lists) offsets of src for values appended to nested children already. */
static int append_shape(struct hr_vec *dst, const struct hr_vec *src, int64_t child_base,
                        struct hr_error *err) {
    const size_t n = (size_t)src->len;
    int rc = hr_vec_reserve(dst, n, err);
    if (rc == 0 && (src->validity != NULL || dst->validity != NULL)) {
        rc = hr_vec_need_validity(dst, n, err);
    }
    if (rc != 0) {
        return rc;
    }
    for (int64_t i = 0; i < src->len; i++) {
        if (dst->validity != NULL) {
            if (hr_vec_valid(src, i)) {
                hr_bit_set(dst->validity, dst->len + i);
            } else {
                hr_bit_clear(dst->validity, dst->len + i);
                dst->nulls++;
            }
        }
        if (src->offsets != NULL) {
            dst->offsets[dst->len + i + 1] =
                (int32_t)(child_base + src->offsets[i + 1] - src->offsets[0]);
        }
    }
    dst->len += src->len;
    return 0;
}

static int cast_struct(struct hr_vec *dst, const struct hr_vec *src, struct hr_error *err) {
    int rc = 0;
    for (int c = 0; rc == 0 && c < dst->n_children; c++) {
        int k = 0;
        while (k < src->n_children &&
               strcmp(src->children[k].field->name, dst->children[c].field->name) != 0) {
            k++;
        }
        rc = k < src->n_children ? hr_vec_cast(&dst->children[c], &src->children[k], err)
                                 : hr_vec_append_nulls(&dst->children[c], (size_t)src->len, err);
    }
    return rc == 0 ? append_shape(dst, src, 0, err) : rc;
}

static int cast_list(struct hr_vec *dst, const struct hr_vec *src, struct hr_error *err) {
    const int64_t base = dst->children[0].len;
    if (src->len == 0) {
        return 0;
    }
    if (src->offsets[0] != 0 || src->offsets[src->len] != src->children[0].len) {
        return hr_fail(err, HR_E_INTERNAL, "could not convert a sliced list column");
    }
    const int rc = hr_vec_cast(&dst->children[0], &src->children[0], err);
    return rc == 0 ? append_shape(dst, src, base, err) : rc;
}

static bool is_time_like(int id) {
    return id == HR_T_DATE32 || id == HR_T_TIME32 || id == HR_T_TIME64 || id == HR_T_TS;
}

static int cast_scalar(struct hr_vec *dst, const struct hr_vec *src, struct hr_error *err) {
    const int from = src->field->type.id;
    const int to = dst->field->type.id;
    if (to == HR_T_UTF8 || (to == HR_T_BINARY && from == HR_T_UTF8)) {
        return cast_text(dst, src, err);
    }
    if (src->field->type.ext == HR_EXT_DURATION && dst->field->type.ext == HR_EXT_DURATION) {
        return cast_time(dst, src, err);
    }
    if (is_int_like(from) && is_int_like(to)) {
        return cast_int(dst, src, err);
    }
    const bool number = is_int_like(from) || (from >= HR_T_F16 && from <= HR_T_DEC256);
    if (number && (to == HR_T_F32 || to == HR_T_F64)) {
        return cast_float(dst, src, err);
    }
    if ((is_int_like(from) || from == HR_T_DEC128) && to == HR_T_DEC128) {
        return cast_decimal(dst, src, err);
    }
    if ((is_int_like(from) || from == HR_T_DEC128 || from == HR_T_DEC256) && to == HR_T_DEC256) {
        return cast_decimal256(dst, src, err);
    }
    if (is_time_like(from) && is_time_like(to) &&
        (from == HR_T_DATE32 ? to == HR_T_TS : (from == HR_T_TS) == (to == HR_T_TS))) {
        return cast_time(dst, src, err);
    }
    return no_fit(src, dst, 0, err);
}

/* FIXED values into a BINARY column keep their bytes. */
static int cast_binary(struct hr_vec *dst, const struct hr_vec *src, struct hr_error *err) {
    const size_t width = (size_t)src->field->type.width;
    int rc = 0;
    for (int64_t i = 0; rc == 0 && i < src->len; i++) {
        rc = hr_vec_valid(src, i)
                 ? hr_vec_append_bytes(dst, src->data + (size_t)i * width, width, err)
                 : hr_vec_append_null(dst, err);
    }
    return rc;
}

int hr_vec_cast(struct hr_vec *dst, const struct hr_vec *src, struct hr_error *err) {
    const struct hr_type from = src->field->type;
    const struct hr_type to = dst->field->type;
    if (src->len == 0) {
        return 0;
    }
    if (from.id == HR_T_NULL) {
        return hr_vec_append_nulls(dst, (size_t)src->len, err);
    }
    if (hr_type_nested(from) && from.id == to.id) {
        return from.id == HR_T_STRUCT ? cast_struct(dst, src, err) : cast_list(dst, src, err);
    }
    if (!hr_type_nested(from) && hr_type_equal(from, to)) {
        return hr_vec_append_range(dst, src, 0, src->len, err);
    }
    if (from.id == HR_T_FIXED && to.id == HR_T_BINARY) {
        return cast_binary(dst, src, err);
    }
    if (hr_type_nested(to)) {
        return no_fit(src, dst, 0, err);
    }
    return cast_scalar(dst, src, err);
}
