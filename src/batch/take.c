/* batch/take.c - rows picked one by one from a column: what splits a batch by the value of a row.
 *
 * Fixed widths and texts have loops of their own; nested values, which are rare here, go row by row
 * through hr_vec_append_range.
 */
#include "batch/vec.h"

#define TAKE_FIXED(type_)                                                                          \
    do {                                                                                           \
        const type_ *from = (const type_ *)(const void *)src->data;                                \
        type_ *to = (type_ *)(void *)dst->data + dst->len;                                         \
        for (size_t i = 0; i < n; i++) {                                                           \
            to[i] = from[rows[i]];                                                                 \
        }                                                                                          \
    } while (0)

static void take_fixed(struct hr_vec *dst, const struct hr_vec *src, const uint32_t *rows, size_t n,
                       size_t width) {
    switch (width) {
    case 1: TAKE_FIXED(uint8_t); return;
    case 2: TAKE_FIXED(uint16_t); return;
    case 4: TAKE_FIXED(uint32_t); return;
    case 8: TAKE_FIXED(uint64_t); return;
    default: break;
    }
    for (size_t i = 0; i < n; i++) {
        memcpy(dst->data + ((size_t)dst->len + i) * width, src->data + (size_t)rows[i] * width,
               width);
    }
}

static int take_bytes(struct hr_vec *dst, const struct hr_vec *src, const uint32_t *rows, size_t n,
                      struct hr_error *err) {
    size_t bytes = 0;
    for (size_t i = 0; i < n; i++) {
        bytes += (size_t)(src->offsets[rows[i] + 1] - src->offsets[rows[i]]);
    }
    const int rc = hr_vec_reserve_bytes(dst, bytes, err);
    if (rc != 0) {
        return rc;
    }
    size_t at = dst->data_len;
    for (size_t i = 0; i < n; i++) {
        const int32_t begin = src->offsets[rows[i]];
        const size_t len = (size_t)(src->offsets[rows[i] + 1] - begin);
        if (len > 0) {
            memcpy(dst->data + at, src->data + begin, len);
        }
        at += len;
        dst->offsets[dst->len + (int64_t)i + 1] = (int32_t)at;
    }
    dst->data_len = at;
    return 0;
}

static void take_bits(uint8_t *dst, int64_t at, const uint8_t *src, const uint32_t *rows,
                      size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (src == NULL || hr_bit_get(src, rows[i])) {
            hr_bit_set(dst, at + (int64_t)i);
        } else {
            hr_bit_clear(dst, at + (int64_t)i);
        }
    }
}

static int take_validity(struct hr_vec *dst, const struct hr_vec *src, const uint32_t *rows,
                         size_t n, struct hr_error *err) {
    if (src->validity == NULL && dst->validity == NULL) {
        return 0;
    }
    const int rc = hr_vec_need_validity(dst, n, err);
    if (rc != 0) {
        return rc;
    }
    take_bits(dst->validity, dst->len, src->validity, rows, n);
    for (size_t i = 0; src->validity != NULL && i < n; i++) {
        dst->nulls += !hr_bit_get(src->validity, rows[i]);
    }
    return 0;
}

int hr_vec_append_rows(struct hr_vec *dst, const struct hr_vec *src, const uint32_t *rows, size_t n,
                       struct hr_error *err) {
    const struct hr_type type = src->field->type;
    int rc = 0;
    if (hr_type_nested(type)) {
        for (size_t i = 0; rc == 0 && i < n; i++) {
            rc = hr_vec_append_range(dst, src, rows[i], 1, err);
        }
        return rc;
    }
    rc = hr_vec_reserve(dst, n, err);
    if (rc == 0) {
        rc = take_validity(dst, src, rows, n, err);
    }
    if (rc != 0) {
        return rc;
    }
    if (hr_type_bytes(type)) {
        rc = take_bytes(dst, src, rows, n, err);
    } else if (type.id == HR_T_BOOL) {
        take_bits(dst->data, dst->len, src->data, rows, n);
    } else if (type.id != HR_T_NULL) {
        take_fixed(dst, src, rows, n, (size_t)hr_type_width(type));
    }
    dst->len += rc == 0 ? (int64_t)n : 0;
    return rc;
}
