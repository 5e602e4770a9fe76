/* batch/vec.h - columns of values in Arrow's memory layout, and batches of them.
 *
 * A vec is one column being built or read. Its buffers are Arrow buffers as they are: validity
 * bitmap (NULL while there are no nulls), fixed-width values, int32 offsets (n+1) with bytes, child
 * columns. A batch owns one vec per schema column. Decoders fill batches, encoders read them; the
 * same batch is cleared and reused, so buffers are allocated once per worker. Export to the Arrow C
 * Data Interface moves the buffers out without a copy.
 *
 * Bits are least significant first. Buffers come from hr_big_alloc / hr_malloc and always have
 * HR_PAD spare bytes behind the capacity, so vector code may over-write that far.
 */
#ifndef HR_BATCH_VEC_H
#define HR_BATCH_VEC_H

#include "base/mem.h"
#include "batch/schema.h"
#include "headrace/arrow.h"

struct hr_vec {
    const struct hr_field *field; /* borrowed from the schema */
    int64_t len;                  /* values appended */
    int64_t nulls;
    uint8_t *validity;   /* 1 = valid; NULL: all valid */
    size_t validity_cap; /* bytes */
    uint8_t *data;       /* values, bits (BOOL) or the bytes of UTF8/BINARY */
    size_t data_len;     /* UTF8/BINARY: bytes used; otherwise unused */
    size_t data_cap;     /* bytes */
    int32_t *offsets;    /* UTF8, BINARY, LIST, MAP: len + 1 entries, offsets[0] == 0 */
    size_t offsets_cap;  /* entries */
    bool missing;        /* the file has no such column: that is why all is null */
    int n_children;
    struct hr_vec *children; /* LIST, MAP: 1; STRUCT: one per field */
};

struct hr_batch {
    struct hr_schema *schema; /* a reference */
    int64_t len;              /* rows */
    struct hr_vec *vecs;      /* schema->n_fields */
    /* Where each row stood, when the reader was asked for it; NULL otherwise. */
    int64_t
        *row_offsets;   /* byte offset of the record in the inflated text, or row number in file */
    int64_t *row_lines; /* 1-based line (text) or row number */
    size_t row_cap;     /* entries of both */
};

int hr_vec_init(struct hr_vec *vec, const struct hr_field *field, struct hr_error *err);
void hr_vec_release(struct hr_vec *vec);
void hr_vec_clear(struct hr_vec *vec); /* len 0, keeps buffers */

int hr_batch_new(struct hr_schema *schema, struct hr_batch **out, struct hr_error *err);
void hr_batch_free(struct hr_batch *batch); /* NULL allowed */
void hr_batch_clear(struct hr_batch *batch);
/* Room for `rows` entries in row_offsets and row_lines. */
int hr_batch_reserve_rows(struct hr_batch *batch, size_t rows, struct hr_error *err);
/* Bytes of all values (not capacities). */
size_t hr_batch_bytes(const struct hr_batch *batch);

/* Room for `extra` more values: data of fixed types, bits, offsets and, when it exists, validity.
 * After it the caller may write values [len, len+extra) and set len itself. */
int hr_vec_reserve(struct hr_vec *vec, size_t extra, struct hr_error *err);
/* Room for `extra` more bytes in data of UTF8/BINARY. HR_E_BOUND over 2 GiB - 1. */
int hr_vec_reserve_bytes(struct hr_vec *vec, size_t extra, struct hr_error *err);
/* Make the bitmap exist (all ones up to len) with room for len + extra. */
int hr_vec_need_validity(struct hr_vec *vec, size_t extra, struct hr_error *err);

/* Checked appends: slow path and tests. A null appends a zero value (empty string, empty list;
 * children of a struct get nulls too). */
int hr_vec_append_null(struct hr_vec *vec, struct hr_error *err);
int hr_vec_append_nulls(struct hr_vec *vec, size_t count, struct hr_error *err);
int hr_vec_append_i64(struct hr_vec *vec, int64_t v,
                      struct hr_error *err); /* BOOL, ints, dates, times: narrowed unchecked */
int hr_vec_append_f64(struct hr_vec *vec, double v, struct hr_error *err); /* F32, F64 */
int hr_vec_append_bytes(struct hr_vec *vec, const void *ptr, size_t len,
                        struct hr_error *err); /* UTF8, BINARY, FIXED, DEC* */
/* Close one list/map value whose items were appended to children[0]. */
int hr_vec_append_list_end(struct hr_vec *vec, struct hr_error *err);
/* Close one struct value whose fields were appended to every child. */
int hr_vec_append_struct_end(struct hr_vec *vec, struct hr_error *err);

static inline bool hr_vec_valid(const struct hr_vec *vec, int64_t i) {
    return vec->validity == NULL || ((vec->validity[i >> 3] >> (i & 7)) & 1);
}
static inline bool hr_bit_get(const uint8_t *bits, int64_t i) {
    return (bits[i >> 3] >> (i & 7)) & 1;
}
static inline void hr_bit_set(uint8_t *bits, int64_t i) {
    bits[i >> 3] = (uint8_t)(bits[i >> 3] | (1u << (i & 7)));
}
static inline void hr_bit_clear(uint8_t *bits, int64_t i) {
    bits[i >> 3] = (uint8_t)(bits[i >> 3] & ~(1u << (i & 7)));
}
/* Integer at i of any integer, date, time or timestamp column, sign- or zero-extended. */
int64_t hr_vec_i64(const struct hr_vec *vec, int64_t i);
/* Any number at i as a double, rounded once. */
double hr_vec_f64(const struct hr_vec *vec, int64_t i);
static inline struct hr_slice hr_vec_slice(const struct hr_vec *vec, int64_t i) {
    const uint8_t *data = vec->data; /* NULL while every text is empty */
    return hr_slice_of(data != NULL ? data + vec->offsets[i] : data,
                       (size_t)(vec->offsets[i + 1] - vec->offsets[i]));
}

/* Append src[from, from+count) to dst; the types must be equal. */
int hr_vec_append_range(struct hr_vec *dst, const struct hr_vec *src, int64_t from, int64_t count,
                        struct hr_error *err);
/* Append the rows of src whose bit is set in `keep`. */
int hr_vec_append_selected(struct hr_vec *dst, const struct hr_vec *src, const uint8_t *keep,
                           struct hr_error *err);
/* Append the rows of src with these numbers, in this order; the types must be equal. */
int hr_vec_append_rows(struct hr_vec *dst, const struct hr_vec *src, const uint32_t *rows, size_t n,
                       struct hr_error *err);
/* Append all of src to dst converting: widening (as hr_field_fits), anything to UTF8 (text as CSV
 * would show it, nested as JSON), nested by field name. HR_E_SCHEMA where a value does not fit,
 * with err->line = 1-based row. */
int hr_vec_cast(struct hr_vec *dst, const struct hr_vec *src, struct hr_error *err);

/* One value as text / JSON appended to out. Text: what CSV writes, null is nothing. JSON: RFC 8259;
 * int64 exact, doubles shortest, NaN and infinities as null, binary as base64, dates and times as
 * ISO 8601 strings, decimals as numbers, maps as objects with the key's text. */
int hr_vec_text(const struct hr_vec *vec, int64_t i, struct hr_buf *out, struct hr_error *err);
int hr_vec_json(const struct hr_vec *vec, int64_t i, struct hr_buf *out, struct hr_error *err);

/* Arrow C Data. Export moves the buffers out (the batch is empty and reusable afterwards); the
 * exported array must be released by its consumer. */
int hr_batch_export(struct hr_batch *batch, struct ArrowArray *out, struct hr_error *err);
int hr_schema_export(const struct hr_schema *schema, struct ArrowSchema *out, struct hr_error *err);

#endif
