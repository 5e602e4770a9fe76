/* batch/vec.c - growing columns in Arrow layout, and batches of them. */
#include "batch/vec.h"

#include <string.h>

static bool has_offsets(struct hr_type type) {
    return hr_type_bytes(type) || type.id == HR_T_LIST || type.id == HR_T_MAP;
}

int hr_vec_init(struct hr_vec *vec, const struct hr_field *field, struct hr_error *err) {
    *vec = (struct hr_vec){.field = field};
    if (field->n_children == 0) {
        return 0;
    }
    vec->children = hr_calloc((size_t)field->n_children, sizeof(*vec->children));
    if (vec->children == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate columns");
    }
    vec->n_children = field->n_children;
    int rc = 0;
    for (int i = 0; i < field->n_children; i++) {
        vec->children[i].field = &field->children[i];
    }
    for (int i = 0; rc == 0 && i < field->n_children; i++) {
        rc = hr_vec_init(&vec->children[i], &field->children[i], err);
    }
    if (rc != 0) {
        hr_vec_release(vec);
    }
    return rc;
}

void hr_vec_release(struct hr_vec *vec) {
    for (int i = 0; i < vec->n_children; i++) {
        hr_vec_release(&vec->children[i]);
    }
    hr_free(vec->children);
    hr_big_free(vec->validity);
    hr_big_free(vec->data);
    hr_big_free(vec->offsets);
    *vec = (struct hr_vec){.field = vec->field};
}

void hr_vec_clear(struct hr_vec *vec) {
    vec->len = 0;
    vec->nulls = 0;
    vec->data_len = 0;
    /* The bitmap goes back to "all valid"; its memory returns to the pool and comes back cheaply.
     */
    hr_big_free(vec->validity);
    vec->validity = NULL;
    vec->validity_cap = 0;
    for (int i = 0; i < vec->n_children; i++) {
        hr_vec_clear(&vec->children[i]);
    }
}

static int no_memory(struct hr_error *err, size_t bytes) {
    return hr_fail(err, HR_E_NOMEM, "could not allocate %zu bytes for a column", bytes);
}

/* Room for `need` bytes, growing by at least half. */
static int grow(uint8_t **ptr, size_t used, size_t need, size_t *cap, struct hr_error *err) {
    if (need <= *cap) {
        return 0;
    }
    size_t want = *cap + *cap / 2;
    if (want < need) {
        want = need;
    }
    size_t got;
    uint8_t *grown = hr_big_grow(*ptr, used, want, &got);
    if (grown == NULL) {
        return no_memory(err, want);
    }
    *ptr = grown;
    *cap = got;
    return 0;
}

static int reserve_offsets(struct hr_vec *vec, size_t extra, struct hr_error *err) {
    uint8_t *ptr = (uint8_t *)vec->offsets;
    size_t cap = vec->offsets_cap * sizeof(int32_t);
    const bool fresh = ptr == NULL;
    const size_t used = fresh ? 0 : ((size_t)vec->len + 1) * sizeof(int32_t);
    const int rc = grow(&ptr, used, ((size_t)vec->len + extra + 1) * sizeof(int32_t), &cap, err);
    if (rc != 0) {
        return rc;
    }
    vec->offsets = (int32_t *)(void *)ptr;
    vec->offsets_cap = cap / sizeof(int32_t);
    if (fresh) {
        vec->offsets[0] = 0;
    }
    return 0;
}

static size_t bits_bytes(size_t bits) {
    return (bits + 7) / 8;
}

int hr_vec_need_validity(struct hr_vec *vec, size_t extra, struct hr_error *err) {
    const bool fresh = vec->validity == NULL;
    const size_t used = bits_bytes((size_t)vec->len);
    const int rc = grow(&vec->validity, fresh ? 0 : used, bits_bytes((size_t)vec->len + extra) + 8,
                        &vec->validity_cap, err);
    if (rc == 0 && fresh) {
        memset(vec->validity, 0xff, used);
    }
    return rc;
}

int hr_vec_reserve(struct hr_vec *vec, size_t extra, struct hr_error *err) {
    const struct hr_type type = vec->field->type;
    const size_t len = (size_t)vec->len;
    int rc = 0;
    if (has_offsets(type)) {
        rc = reserve_offsets(vec, extra, err);
    } else if (type.id == HR_T_BOOL) {
        rc = grow(&vec->data, bits_bytes(len), bits_bytes(len + extra) + 8, &vec->data_cap, err);
    } else {
        const size_t width = (size_t)hr_type_width(type);
        if (width > 0) {
            size_t bytes;
            if (__builtin_mul_overflow(len + extra, width, &bytes)) {
                return no_memory(err, SIZE_MAX);
            }
            rc = grow(&vec->data, len * width, bytes, &vec->data_cap, err);
        }
    }
    if (rc == 0 && vec->validity != NULL) {
        rc = hr_vec_need_validity(vec, extra, err);
    }
    return rc;
}

int hr_vec_reserve_bytes(struct hr_vec *vec, size_t extra, struct hr_error *err) {
    const size_t need = vec->data_len + extra;
    if (need > INT32_MAX) {
        hr_fail(err, HR_E_BOUND, "could not hold %zu bytes of text in one batch", need);
        hr_error_place(err, -1, -1, vec->field->name);
        return HR_E_BOUND;
    }
    /* Memory even for nothing: callers add to the pointer. */
    return grow(&vec->data, vec->data_len, need > 0 ? need : 1, &vec->data_cap, err);
}

/* ---- appends ---- */

/* Mark the value just being added as valid in an existing bitmap. */
static void mark_valid(struct hr_vec *vec) {
    if (vec->validity != NULL) {
        hr_bit_set(vec->validity, vec->len);
    }
}

static void clear_bits(uint8_t *bits, int64_t from, int64_t count) {
    int64_t i = from;
    const int64_t end = from + count;
    for (; i < end && (i & 7) != 0; i++) {
        hr_bit_clear(bits, i);
    }
    const int64_t whole = (end - i) >> 3;
    memset(bits + (i >> 3), 0, (size_t)whole);
    for (i += whole << 3; i < end; i++) {
        hr_bit_clear(bits, i);
    }
}

int hr_vec_append_nulls(struct hr_vec *vec, size_t count, struct hr_error *err) {
    int rc = hr_vec_reserve(vec, count, err);
    if (rc == 0) {
        rc = hr_vec_need_validity(vec, count, err);
    }
    if (rc == 0 && vec->field->type.id == HR_T_STRUCT) {
        for (int i = 0; rc == 0 && i < vec->n_children; i++) {
            rc = hr_vec_append_nulls(&vec->children[i], count, err);
        }
    }
    if (rc != 0) {
        return rc;
    }
    const size_t width = (size_t)hr_type_width(vec->field->type);
    if (width > 0) {
        memset(vec->data + (size_t)vec->len * width, 0, count * width);
    }
    clear_bits(vec->validity, vec->len, (int64_t)count);
    if (vec->field->type.id == HR_T_BOOL) {
        clear_bits(vec->data, vec->len, (int64_t)count);
    }
    if (vec->offsets != NULL) {
        const int32_t end = vec->offsets[vec->len];
        int32_t *offsets = vec->offsets + vec->len + 1;
        for (size_t i = 0; i < count; i++) {
            offsets[i] = end;
        }
    }
    vec->len += (int64_t)count;
    vec->nulls += (int64_t)count;
    return 0;
}

int hr_vec_append_null(struct hr_vec *vec, struct hr_error *err) {
    return hr_vec_append_nulls(vec, 1, err);
}

int hr_vec_append_i64(struct hr_vec *vec, int64_t v, struct hr_error *err) {
    const int rc = hr_vec_reserve(vec, 1, err);
    if (rc != 0) {
        return rc;
    }
    if (vec->field->type.id == HR_T_BOOL) {
        if (v != 0) {
            hr_bit_set(vec->data, vec->len);
        } else {
            hr_bit_clear(vec->data, vec->len);
        }
    } else {
        /* Little endian: the low bytes are the narrow value. */
        const size_t width = (size_t)hr_type_width(vec->field->type);
        memcpy(vec->data + (size_t)vec->len * width, &v, width);
    }
    mark_valid(vec);
    vec->len++;
    return 0;
}

int hr_vec_append_f64(struct hr_vec *vec, double v, struct hr_error *err) {
    const int rc = hr_vec_reserve(vec, 1, err);
    if (rc != 0) {
        return rc;
    }
    if (vec->field->type.id == HR_T_F32) {
        const float f = (float)v;
        memcpy(vec->data + (size_t)vec->len * sizeof(f), &f, sizeof(f));
    } else {
        memcpy(vec->data + (size_t)vec->len * sizeof(v), &v, sizeof(v));
    }
    mark_valid(vec);
    vec->len++;
    return 0;
}

int hr_vec_append_bytes(struct hr_vec *vec, const void *ptr, size_t len, struct hr_error *err) {
    int rc = hr_vec_reserve(vec, 1, err);
    if (rc != 0) {
        return rc;
    }
    if (hr_type_bytes(vec->field->type)) {
        rc = hr_vec_reserve_bytes(vec, len, err);
        if (rc != 0) {
            return rc;
        }
        if (len > 0) {
            memcpy(vec->data + vec->data_len, ptr, len);
        }
        vec->data_len += len;
        vec->offsets[vec->len + 1] = (int32_t)vec->data_len;
    } else {
        memcpy(vec->data + (size_t)vec->len * len, ptr, len);
    }
    mark_valid(vec);
    vec->len++;
    return 0;
}

int hr_vec_append_list_end(struct hr_vec *vec, struct hr_error *err) {
    const int rc = hr_vec_reserve(vec, 1, err);
    if (rc != 0) {
        return rc;
    }
    if (vec->children[0].len > INT32_MAX) {
        return hr_fail(err, HR_E_BOUND, "could not hold more than 2^31 list items in one batch");
    }
    vec->offsets[vec->len + 1] = (int32_t)vec->children[0].len;
    mark_valid(vec);
    vec->len++;
    return 0;
}

int hr_vec_append_struct_end(struct hr_vec *vec, struct hr_error *err) {
    const int rc = hr_vec_reserve(vec, 1, err);
    if (rc == 0) {
        mark_valid(vec);
        vec->len++;
    }
    return rc;
}

int64_t hr_vec_i64(const struct hr_vec *vec, int64_t i) {
    const uint8_t *p = vec->data;
    switch ((enum hr_type_id)vec->field->type.id) {
    case HR_T_BOOL: return hr_bit_get(p, i);
    case HR_T_I8: return ((const int8_t *)p)[i];
    case HR_T_U8: return p[i];
    case HR_T_I16: return ((const int16_t *)(const void *)p)[i];
    case HR_T_F16:
    case HR_T_U16: return ((const uint16_t *)(const void *)p)[i];
    case HR_T_I32:
    case HR_T_DATE32:
    case HR_T_TIME32: return ((const int32_t *)(const void *)p)[i];
    case HR_T_U32: return ((const uint32_t *)(const void *)p)[i];
    default: return ((const int64_t *)(const void *)p)[i];
    }
}

/* ---- ranges ---- */

static void copy_bits(uint8_t *dst, int64_t dst_at, const uint8_t *src, int64_t src_at,
                      int64_t count) {
    int64_t i = 0;
    if ((dst_at & 7) == 0 && (src_at & 7) == 0) {
        memcpy(dst + (dst_at >> 3), src + (src_at >> 3), (size_t)(count >> 3));
        i = count & ~(int64_t)7;
    }
    for (; i < count; i++) {
        if (hr_bit_get(src, src_at + i)) {
            hr_bit_set(dst, dst_at + i);
        } else {
            hr_bit_clear(dst, dst_at + i);
        }
    }
}

static int64_t count_nulls(const uint8_t *bits, int64_t at, int64_t count) {
    int64_t valid = 0;
    for (int64_t i = 0; i < count; i++) {
        valid += hr_bit_get(bits, at + i);
    }
    return count - valid;
}

static int copy_validity(struct hr_vec *dst, const struct hr_vec *src, int64_t from, int64_t count,
                         struct hr_error *err) {
    if (src->validity == NULL && dst->validity == NULL) {
        return 0;
    }
    const int rc = hr_vec_need_validity(dst, (size_t)count, err);
    if (rc != 0) {
        return rc;
    }
    if (src->validity == NULL) {
        for (int64_t i = 0; i < count; i++) {
            hr_bit_set(dst->validity, dst->len + i);
        }
    } else {
        copy_bits(dst->validity, dst->len, src->validity, from, count);
        dst->nulls += count_nulls(src->validity, from, count);
    }
    return 0;
}

static int copy_var(struct hr_vec *dst, const struct hr_vec *src, int64_t from, int64_t count,
                    struct hr_error *err) {
    const int32_t begin = src->offsets[from];
    const int32_t end = src->offsets[from + count];
    int64_t base;
    int rc;
    if (hr_type_bytes(src->field->type)) {
        base = (int64_t)dst->data_len;
        rc = hr_vec_reserve_bytes(dst, (size_t)(end - begin), err);
        if (rc == 0 && end > begin) {
            memcpy(dst->data + dst->data_len, src->data + begin, (size_t)(end - begin));
            dst->data_len += (size_t)(end - begin);
        }
    } else {
        base = dst->children[0].len;
        rc = hr_vec_append_range(&dst->children[0], &src->children[0], begin, end - begin, err);
    }
    if (rc != 0) {
        return rc;
    }
    const int32_t shift = (int32_t)(base - begin);
    for (int64_t i = 1; i <= count; i++) {
        dst->offsets[dst->len + i] = src->offsets[from + i] + shift;
    }
    return 0;
}

int hr_vec_append_range(struct hr_vec *dst, const struct hr_vec *src, int64_t from, int64_t count,
                        struct hr_error *err) {
    if (count == 0) {
        return 0;
    }
    int rc = hr_vec_reserve(dst, (size_t)count, err);
    if (rc == 0) {
        rc = copy_validity(dst, src, from, count, err);
    }
    const struct hr_type type = src->field->type;
    if (rc == 0 && has_offsets(type)) {
        rc = copy_var(dst, src, from, count, err);
    } else if (rc == 0 && type.id == HR_T_STRUCT) {
        for (int i = 0; rc == 0 && i < src->n_children; i++) {
            rc = hr_vec_append_range(&dst->children[i], &src->children[i], from, count, err);
        }
    } else if (rc == 0 && type.id == HR_T_BOOL) {
        copy_bits(dst->data, dst->len, src->data, from, count);
    } else if (rc == 0 && type.id != HR_T_NULL) {
        const size_t width = (size_t)hr_type_width(type);
        memcpy(dst->data + (size_t)dst->len * width, src->data + (size_t)from * width,
               (size_t)count * width);
    }
    if (rc == 0) {
        dst->len += count;
    }
    return rc;
}

int hr_vec_append_selected(struct hr_vec *dst, const struct hr_vec *src, const uint8_t *keep,
                           struct hr_error *err) {
    int64_t i = 0;
    while (i < src->len) {
        if (!hr_bit_get(keep, i)) {
            i++;
            continue;
        }
        int64_t end = i + 1;
        while (end < src->len && hr_bit_get(keep, end)) {
            end++;
        }
        const int rc = hr_vec_append_range(dst, src, i, end - i, err);
        if (rc != 0) {
            return rc;
        }
        i = end;
    }
    return 0;
}

/* ---- batches ---- */

int hr_batch_new(struct hr_schema *schema, struct hr_batch **out, struct hr_error *err) {
    struct hr_batch *batch = hr_calloc(1, sizeof(*batch));
    *out = NULL;
    if (batch == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate a batch");
    }
    batch->vecs = hr_calloc((size_t)schema->n_fields, sizeof(*batch->vecs));
    if (batch->vecs == NULL) {
        hr_free(batch);
        return hr_fail(err, HR_E_NOMEM, "could not allocate a batch");
    }
    batch->schema = hr_schema_ref(schema);
    int rc = 0;
    for (int i = 0; rc == 0 && i < schema->n_fields; i++) {
        rc = hr_vec_init(&batch->vecs[i], &schema->fields[i], err);
    }
    if (rc != 0) {
        hr_batch_free(batch);
        return rc;
    }
    *out = batch;
    return 0;
}

void hr_batch_free(struct hr_batch *batch) {
    if (batch == NULL) {
        return;
    }
    for (int i = 0; i < batch->schema->n_fields; i++) {
        hr_vec_release(&batch->vecs[i]);
    }
    hr_free(batch->vecs);
    hr_big_free(batch->row_offsets);
    hr_big_free(batch->row_lines);
    hr_schema_unref(batch->schema);
    hr_free(batch);
}

void hr_batch_clear(struct hr_batch *batch) {
    for (int i = 0; i < batch->schema->n_fields; i++) {
        hr_vec_clear(&batch->vecs[i]);
    }
    batch->len = 0;
}

int hr_batch_reserve_rows(struct hr_batch *batch, size_t rows, struct hr_error *err) {
    if (rows <= batch->row_cap && batch->row_offsets != NULL) {
        return 0;
    }
    const size_t used = (size_t)batch->len * sizeof(int64_t);
    size_t cap_a;
    size_t cap_b;
    int64_t *offsets = hr_big_grow(batch->row_offsets, batch->row_offsets ? used : 0,
                                   rows * sizeof(int64_t), &cap_a);
    if (offsets == NULL) {
        return no_memory(err, rows * sizeof(int64_t));
    }
    batch->row_offsets = offsets;
    int64_t *lines =
        hr_big_grow(batch->row_lines, batch->row_lines ? used : 0, rows * sizeof(int64_t), &cap_b);
    if (lines == NULL) {
        return no_memory(err, rows * sizeof(int64_t));
    }
    batch->row_lines = lines;
    batch->row_cap = (cap_a < cap_b ? cap_a : cap_b) / sizeof(int64_t);
    return 0;
}

static size_t vec_bytes(const struct hr_vec *vec) {
    size_t bytes = vec->validity ? bits_bytes((size_t)vec->len) : 0;
    if (vec->offsets != NULL) {
        bytes += ((size_t)vec->len + 1) * sizeof(int32_t) + vec->data_len;
    } else if (vec->field->type.id == HR_T_BOOL) {
        bytes += bits_bytes((size_t)vec->len);
    } else {
        bytes += (size_t)vec->len * (size_t)hr_type_width(vec->field->type);
    }
    for (int i = 0; i < vec->n_children; i++) {
        bytes += vec_bytes(&vec->children[i]);
    }
    return bytes;
}

size_t hr_batch_bytes(const struct hr_batch *batch) {
    size_t bytes = 0;
    for (int i = 0; i < batch->schema->n_fields; i++) {
        bytes += vec_bytes(&batch->vecs[i]);
    }
    return bytes;
}
