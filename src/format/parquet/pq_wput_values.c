/* format/parquet/pq_wput_values.c - copies values of a batch into a leaf column, converted to what
 * Parquet stores: small integers widened, decimals narrowed to the integer their precision allows
 * or turned big-endian, seconds to milliseconds, bits to bytes. Nulls are left out.
 *
 * The usual widths have a branch-free compaction; the rest goes run by run of valid values.
 */
#include "format/parquet/pq_wput.h"

#include "base/num.h"

static int misfit(const struct hr_pqw_col *col, int64_t row, const char *why,
                  struct hr_error *err) {
    char name[120];
    hr_printable(hr_slice_str(col->leaf->name), 80, name, sizeof(name));
    const int rc = hr_fail(err, HR_E_SCHEMA,
                           "could not write a value of column \"%s\" to Parquet: %s", name, why);
    hr_error_place(err, -1, row + 1, name);
    return rc;
}

/* ---- dense runs ---- */

static void widen_small(const struct hr_vec *vec, int64_t from, int64_t n, int32_t *out) {
    switch (vec->field->type.id) {
    case HR_T_I8:
        for (int64_t i = 0; i < n; i++) {
            out[i] = ((const int8_t *)vec->data)[from + i];
        }
        break;
    case HR_T_U8:
        for (int64_t i = 0; i < n; i++) {
            out[i] = vec->data[from + i];
        }
        break;
    case HR_T_I16:
        for (int64_t i = 0; i < n; i++) {
            out[i] = ((const int16_t *)(const void *)vec->data)[from + i];
        }
        break;
    default:
        for (int64_t i = 0; i < n; i++) {
            out[i] = ((const uint16_t *)(const void *)vec->data)[from + i];
        }
        break;
    }
}

static int seconds(struct hr_pqw_col *col, const struct hr_vec *vec, int64_t from, int64_t n,
                   uint8_t *out, struct hr_error *err) {
    for (int64_t i = 0; i < n; i++) {
        if (vec->field->type.id == HR_T_TIME32) {
            int32_t v = ((const int32_t *)(const void *)vec->data)[from + i];
            if (__builtin_mul_overflow(v, 1000, &v)) {
                return misfit(col, from + i, "the time is out of range", err);
            }
            memcpy(out + 4 * i, &v, 4);
        } else {
            int64_t v = ((const int64_t *)(const void *)vec->data)[from + i];
            if (__builtin_mul_overflow(v, 1000, &v)) {
                return misfit(col, from + i, "the time is out of range in milliseconds", err);
            }
            memcpy(out + 8 * i, &v, 8);
        }
    }
    return 0;
}

/* Decimals: `width` low bytes of a little-endian number, the rest must be its sign. */
static int narrow_decimal(struct hr_pqw_col *col, const struct hr_vec *vec, int64_t from, int64_t n,
                          uint8_t *out, struct hr_error *err) {
    const int have = vec->field->type.id == HR_T_DEC256 ? 32 : 16;
    const int width = col->leaf->width;
    const bool swap = col->leaf->keep == HR_PQW_KEEP_FIXED;
    for (int64_t i = 0; i < n; i++, out += width) {
        const uint8_t *v = vec->data + (from + i) * have;
        const uint8_t sign = (uint8_t)(v[width - 1] & 0x80 ? 0xff : 0);
        uint8_t other = 0;
        for (int k = width; k < have; k++) {
            other = (uint8_t)(other | (v[k] ^ sign));
        }
        if (other != 0) {
            return misfit(col, from + i, "the number has more digits than the declared precision",
                          err);
        }
        if (swap) {
            for (int k = 0; k < width; k++) {
                out[k] = v[width - 1 - k];
            }
        } else {
            memcpy(out, v, (size_t)width);
        }
    }
    return 0;
}

static int fixed_run(struct hr_pqw_col *col, const struct hr_vec *vec, int64_t from, int64_t to,
                     struct hr_error *err) {
    const struct hr_pqw_leaf *leaf = col->leaf;
    const int64_t n = to - from;
    const size_t size = (size_t)n * (size_t)leaf->width;
    int rc = hr_pqw_room_reserve(&col->values, size, err);
    if (rc != 0) {
        return rc;
    }
    uint8_t *out = col->values.ptr + col->values.len;
    switch (vec->field->type.id) {
    case HR_T_BOOL:
        for (int64_t i = 0; i < n; i++) {
            out[i] = hr_bit_get(vec->data, from + i);
        }
        break;
    case HR_T_I8:
    case HR_T_U8:
    case HR_T_I16:
    case HR_T_U16: widen_small(vec, from, n, (int32_t *)(void *)out); break;
    case HR_T_DEC128:
    case HR_T_DEC256: rc = narrow_decimal(col, vec, from, n, out, err); break;
    case HR_T_TIME32:
    case HR_T_TS:
        if (vec->field->type.unit == HR_U_S) {
            rc = seconds(col, vec, from, n, out, err);
            break;
        }
        memcpy(out, vec->data + (size_t)from * (size_t)leaf->width, size);
        break;
    default: memcpy(out, vec->data + (size_t)from * (size_t)leaf->width, size); break;
    }
    if (rc == 0) {
        col->values.len += size;
        col->n_values += (size_t)n;
    }
    return rc;
}

/* ---- byte arrays ---- */

static int bytes_room(struct hr_pqw_col *col, size_t n, size_t bytes, struct hr_error *err) {
    int rc = hr_pqw_room_reserve(&col->offsets, (n + 1) * sizeof(uint32_t), err);
    rc = rc != 0 ? rc : hr_pqw_room_reserve(&col->values, bytes + 1, err); /* never NULL */
    if (rc == 0 && bytes > UINT32_MAX - col->values.len) {
        rc = hr_fail(err, HR_E_BOUND,
                     "could not write a Parquet row group with over 4 GiB in column \"%s\"",
                     col->leaf->name);
    }
    if (rc == 0 && col->offsets.len == 0) {
        memset(col->offsets.ptr, 0, sizeof(uint32_t));
        col->offsets.len = sizeof(uint32_t);
    }
    return rc;
}

static void append_bytes(struct hr_pqw_col *col, const uint8_t *data, int32_t from, size_t n) {
    if (n > 0) { /* a column of empty texts may have no bytes at all */
        memcpy(col->values.ptr + col->values.len, data + from, n);
        col->values.len += n;
    }
}

static int bytes_run(struct hr_pqw_col *col, const struct hr_vec *vec, int64_t from, int64_t to,
                     struct hr_error *err) {
    const size_t n = (size_t)(to - from);
    const int32_t *src = vec->offsets + from;
    const size_t bytes = (size_t)(src[n] - src[0]);
    const int rc = bytes_room(col, n, bytes, err);
    if (rc != 0) {
        return rc;
    }
    uint32_t *out = (uint32_t *)(void *)(col->offsets.ptr + col->offsets.len);
    const uint32_t shift = (uint32_t)col->values.len - (uint32_t)src[0];
    for (size_t i = 0; i < n; i++) {
        out[i] = (uint32_t)src[i + 1] + shift;
    }
    append_bytes(col, vec->data, src[0], bytes);
    col->offsets.len += n * sizeof(uint32_t);
    col->n_values += n;
    return 0;
}

/* Nulls are of length 0 in every batch built here, so the bytes of a range can be copied as they
 * lie; where a null does hide bytes, value by value. */
static int bytes_valid(struct hr_pqw_col *col, const struct hr_vec *vec, int64_t from, int64_t to,
                       struct hr_error *err) {
    const int32_t *src = vec->offsets;
    const size_t bytes = (size_t)(src[to] - src[from]);
    int rc = bytes_room(col, (size_t)(to - from), bytes, err);
    if (rc != 0) {
        return rc;
    }
    uint32_t *const offsets = (uint32_t *)(void *)(col->offsets.ptr + col->offsets.len);
    uint32_t *out = offsets;
    const uint32_t shift = (uint32_t)col->values.len - (uint32_t)src[from];
    int32_t hidden = 0;
    for (int64_t i = from; i < to; i++) {
        const bool valid = hr_bit_get(vec->validity, i);
        *out = (uint32_t)src[i + 1] + shift;
        out += valid;
        hidden |= valid ? 0 : src[i + 1] - src[i];
    }
    const size_t n = (size_t)(out - offsets);
    if (hidden == 0) {
        append_bytes(col, vec->data, src[from], bytes);
        col->offsets.len += n * sizeof(uint32_t);
        col->n_values += n;
        return 0;
    }
    for (int64_t i = from; rc == 0 && i < to; i++) {
        if (hr_bit_get(vec->validity, i)) {
            rc = bytes_run(col, vec, i, i + 1, err);
        }
    }
    return rc;
}

/* ---- either ---- */

int hr_pqw_put_values(struct hr_pqw_col *col, const struct hr_vec *vec, int64_t from, int64_t to,
                      struct hr_error *err) {
    return col->leaf->keep == HR_PQW_KEEP_BYTES ? bytes_run(col, vec, from, to, err)
                                                : fixed_run(col, vec, from, to, err);
}

static int valid_runs(struct hr_pqw_col *col, const struct hr_vec *vec, int64_t from, int64_t to,
                      struct hr_error *err) {
    int rc = 0;
    while (rc == 0 && from < to) {
        while (from < to && !hr_bit_get(vec->validity, from)) {
            from++;
        }
        int64_t end = from;
        while (end < to && hr_bit_get(vec->validity, end)) {
            end++;
        }
        rc = from < end ? fixed_run(col, vec, from, end, err) : 0;
        from = end;
    }
    return rc;
}

/* True when the physical value is the Arrow value as it lies. */
static bool copied_as_is(const struct hr_vec *vec, const struct hr_pqw_leaf *leaf) {
    const struct hr_type t = vec->field->type;
    if (hr_type_width(t) != leaf->width || t.id == HR_T_DEC128 || t.id == HR_T_DEC256) {
        return false;
    }
    return !((t.id == HR_T_TIME32 || t.id == HR_T_TS) && t.unit == HR_U_S);
}

int hr_pqw_put_valid_values(struct hr_pqw_col *col, const struct hr_vec *vec, int64_t from,
                            int64_t to, struct hr_error *err) {
    const struct hr_pqw_leaf *leaf = col->leaf;
    if (leaf->keep == HR_PQW_KEEP_BYTES) {
        return bytes_valid(col, vec, from, to, err);
    }
    if ((leaf->width != 4 && leaf->width != 8) || !copied_as_is(vec, leaf)) {
        return valid_runs(col, vec, from, to, err);
    }
    const int rc =
        hr_pqw_room_reserve(&col->values, (size_t)(to - from) * (size_t)leaf->width, err);
    if (rc != 0) {
        return rc;
    }
    uint8_t *const begin = col->values.ptr + col->values.len;
    size_t n = 0;
    if (leaf->width == 8) {
        uint64_t *out = (uint64_t *)(void *)begin;
        const uint64_t *src = (const uint64_t *)(const void *)vec->data;
        for (int64_t i = from; i < to; i++) {
            out[n] = src[i];
            n += hr_bit_get(vec->validity, i);
        }
    } else {
        uint32_t *out = (uint32_t *)(void *)begin;
        const uint32_t *src = (const uint32_t *)(const void *)vec->data;
        for (int64_t i = from; i < to; i++) {
            out[n] = src[i];
            n += hr_bit_get(vec->validity, i);
        }
    }
    col->values.len += n * (size_t)leaf->width;
    col->n_values += n;
    return 0;
}
