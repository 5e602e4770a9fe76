/* format/parquet/pq_leaf.h - one leaf column of one row group, decoded into Arrow columns.
 *
 * A leaf pulls pages from its chunk and hands out rows. Columns without nesting go through
 * hr_pq_leaf_read_flat straight into the batch's column; leaves below lists and structs give their
 * entries (definition and repetition levels) to pq_nested.c and their values to the leaf's column.
 */
#ifndef HR_FORMAT_PARQUET_PQ_LEAF_H
#define HR_FORMAT_PARQUET_PQ_LEAF_H

#include "batch/vec.h"
#include "format/parquet/pq_bits.h"
#include "format/parquet/pq_delta.h"
#include "format/parquet/pq_page.h"
#include "format/parquet/pq_schema.h"

#define HR_PQ_BLOCK 1024u  /* values decoded at once where a scratch block is needed */
#define HR_PQ_LEVELS 4096u /* entries of levels kept decoded */
#define HR_PQ_LENGTHS 256u /* lengths of byte arrays kept decoded */

/* Levels of the current page. */
struct hr_pq_levels {
    enum { HR_PQ_LV_NONE, HR_PQ_LV_RLE, HR_PQ_LV_MSB } kind; /* NONE: all are zero / all are max */
    struct hr_pq_rle rle;
    const uint8_t *msb; /* deprecated packing */
    size_t msb_taken;
    unsigned width;
};

/* A dictionary in the form values are gathered from. */
struct hr_pq_dict {
    bool loaded;
    uint32_t count;
    struct hr_pq_mem data;    /* Arrow values of out_width bytes, or the bytes of all strings */
    struct hr_pq_mem entries; /* strings: pairs of uint32 offset, length */
    uint32_t max_len;         /* of a string */
    bool same_len;            /* all strings have max_len bytes */
};

/* Where the wanted pages of the chunk are, when an offset index is used. */
struct hr_pq_page_plan {
    const struct hr_pq_page_location *pages; /* all of the chunk; NULL: read from the front */
    size_t n_pages;
    int64_t n_rows; /* of the row group */
};

struct hr_pq_leaf {
    const struct hr_pq_leaf_info *info;
    const char *object; /* for messages */
    int64_t group;      /* row group number, for messages */
    size_t cell_max;
    struct hr_pq_chunk chunk;
    struct hr_pq_page_plan plan;
    bool started;   /* planned: the dictionary was looked for */
    size_t plan_at; /* planned: index of the current page, SIZE_MAX none yet */
    int64_t chunk_begin;
    int64_t entries_left; /* of the chunk, in pages not yet loaded */
    int64_t row;          /* row the next read starts at, when planned */

    /* the current page */
    struct hr_pq_page page;
    int64_t page_left; /* entries not yet consumed */
    int encoding;
    struct hr_pq_levels rep, def;
    const uint8_t *val, *val_end;       /* PLAIN and data behind lengths */
    size_t bit;                         /* PLAIN booleans: next bit */
    size_t split_at, split_n;           /* BYTE_STREAM_SPLIT: next value, values in the page */
    struct hr_pq_rle rle;               /* dictionary indexes, RLE booleans */
    struct hr_pq_delta *delta, *delta2; /* integers or lengths; prefix lengths use delta2 */
    struct hr_pq_dict dict;
    uint32_t *lengths; /* HR_PQ_LENGTHS suffix lengths and as many prefix lengths */
    size_t len_pos, len_n;
    struct hr_pq_mem last; /* DELTA_BYTE_ARRAY: the value before */
    size_t last_len;
    struct hr_pq_mem scratch;

    /* levels decoded ahead (nested leaves) */
    uint8_t *lv_def, *lv_rep; /* HR_PQ_LEVELS entries each */
    size_t lv_pos, lv_len;
    /* levels of the rows just read, for pq_nested.c */
    struct hr_pq_mem sub_def, sub_rep;
    size_t sub_len;
    struct hr_vec trash; /* where skipped values go */
    bool trash_ready;
};

struct hr_pq_leaf_open {
    struct hr_pq_input *input;
    const struct hr_pq_column *column;
    const char *object;
    int64_t group;
    size_t cell_max, page_max, window_size;
    size_t ahead;   /* see hr_pq_chunk */
    int verify_crc; /* enum hr_verify_crc: WARN, ERROR or OFF */
    struct hr_pq_page_plan plan;
    const struct hr_range *ranges;
    size_t n_ranges;
    int64_t chunk_begin;
};

int hr_pq_leaf_open(struct hr_pq_leaf *leaf, const struct hr_pq_leaf_info *info,
                    const struct hr_pq_leaf_open *open, struct hr_error *err);
void hr_pq_leaf_release(struct hr_pq_leaf *leaf);

/* Flat leaves: append up to n rows to vec, stopping early (after at least one) once its bytes reach
 * stop_bytes. *got: rows appended. HR_E_CORRUPT when the chunk ends before. */
int hr_pq_leaf_read_flat(struct hr_pq_leaf *leaf, struct hr_vec *vec, size_t n, size_t stop_bytes,
                         size_t *got, struct hr_error *err);

/* All rows of the row group were read: a repeated column must have no entry left. */
int hr_pq_leaf_end(const struct hr_pq_leaf *leaf, struct hr_error *err);
/* Nested leaves: how many rows are known to start in the levels decoded ahead (at least 1). */
int hr_pq_leaf_rows_ready(struct hr_pq_leaf *leaf, size_t *rows, struct hr_error *err);
/* Read n whole rows: entries to sub_def / sub_rep (replaced), values and nulls of its slots to vec.
 * HR_E_BOUND when they need over max_bytes. */
int hr_pq_leaf_read_nested(struct hr_pq_leaf *leaf, struct hr_vec *vec, size_t n, size_t max_bytes,
                           struct hr_error *err);

/* Go to this row of the row group (planned leaves only; never backwards). */
int hr_pq_leaf_seek(struct hr_pq_leaf *leaf, int64_t row, struct hr_error *err);

/* Message with object, row group, column and page around the reason already in err. */
int hr_pq_leaf_blame(const struct hr_pq_leaf *leaf, int rc, struct hr_error *err);

/* ---- pq_values.c, pq_bytes.c, pq_dict.c: values of the current page ---- */

/* Set up the decoder of the page's values (levels already cut off). */
int hr_pq_values_begin(struct hr_pq_leaf *leaf, struct hr_slice body, struct hr_error *err);
/* The next n values, converted, n * out_width bytes at dst (may over-write by HR_PAD). */
int hr_pq_values_fixed(struct hr_pq_leaf *leaf, size_t n, uint8_t *dst, struct hr_error *err);
/* The next n booleans at a bit position of dst. */
int hr_pq_values_bits(struct hr_pq_leaf *leaf, size_t n, uint8_t *dst, size_t dst_bit,
                      struct hr_error *err);
/* The next values appended to vec's bytes and offsets [vec->len + 1 …), at most n, at least 1;
 * vec's len stays. Stops once vec->data_len >= stop_bytes. */
int hr_pq_values_bytes(struct hr_pq_leaf *leaf, struct hr_vec *vec, size_t n, size_t stop_bytes,
                       size_t *got, struct hr_error *err);
/* The next n (at most HR_PQ_LENGTHS) byte arrays as slices, valid until the next call. */
int hr_pq_values_slices(struct hr_pq_leaf *leaf, size_t n, struct hr_slice *out,
                        struct hr_error *err);
int hr_pq_dict_load(struct hr_pq_leaf *leaf, const struct hr_pq_page *page, struct hr_error *err);
int hr_pq_dict_fixed(struct hr_pq_leaf *leaf, size_t n, uint8_t *dst, struct hr_error *err);
int hr_pq_dict_bytes(struct hr_pq_leaf *leaf, struct hr_vec *vec, size_t n, size_t stop_bytes,
                     size_t *got, struct hr_error *err);

/* ---- pq_convert.c ---- */

/* n PLAIN values of phys_width bytes at src to Arrow values at dst. NULL, or why it cannot be. */
const char *hr_pq_convert(const struct hr_pq_leaf_info *info, const uint8_t *src, size_t n,
                          uint8_t *dst);
/* One big-endian decimal of any length. */
const char *hr_pq_convert_be(const struct hr_pq_leaf_info *info, struct hr_slice value,
                             uint8_t *dst);
/* HR_E_CORRUPT for what the two answered. */
int hr_pq_convert_fail(const struct hr_pq_leaf_info *info, const char *why, struct hr_error *err);
bool hr_pq_utf8_valid(const uint8_t *ptr, size_t len);
bool hr_pq_is_ascii(const uint8_t *ptr, size_t len);

/* pq_nested.c: append up to n rows of column `node` to vec. */
struct hr_pq_node;
int hr_pq_nested_read(const struct hr_pq_node *node, struct hr_pq_leaf *leaves, struct hr_vec *vec,
                      size_t n, size_t stop_bytes, size_t *got, struct hr_error *err);

#endif
