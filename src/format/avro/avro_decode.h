/* format/avro/avro_decode.h - rows of one inflated block into columns. */
#ifndef HR_AVRO_DECODE_H
#define HR_AVRO_DECODE_H

#include "format/avro/avro_schema.h"

enum { HR_AVRO_WEIGHTLESS_MAX = 16 << 20 }; /* values that take no bytes, in a block or batch */

/* State of one reader's decoding. `at` and `end` move through the block; HR_PAD bytes behind end
 * are readable. */
struct hr_avro_decoder {
    const uint8_t *at, *end;
    size_t cell_max;
    size_t bytes;         /* of variable length put into the batch since its start */
    uint64_t weightless;  /* items met since the batch's start that take no bytes in the file */
    int column;           /* being decoded, for messages */
    struct hr_error *err; /* where a value's failure is described; a reason without place */
    int rc;
};

/* Zigzag varint at p, which may be over-read by 10 bytes. NULL when it is longer than 64 bits. */
const uint8_t *hr_avro_long(const uint8_t *p, int64_t *out);

/* Point the nodes at a batch's vecs; `columns` maps the root's children to batch columns, -1: skip.
 */
void hr_avro_bind(struct hr_avro_node *root, struct hr_batch *batch, const int *columns);

/* Room for `rows` more rows in all bound columns. */
int hr_avro_reserve(struct hr_avro_node *root, size_t rows, struct hr_error *err);

/* Decode up to `rows` rows (room was reserved), stopping early once the batch holds about bytes_max
 * of variable-length data. *done: rows decoded. On failure dec->err has the reason, dec->column the
 * column, and the batch is unusable. */
int hr_avro_decode_rows(struct hr_avro_decoder *dec, struct hr_avro_node *root, int64_t rows,
                        size_t bytes_max, int64_t *done, struct hr_error *err);

/* Pass over `rows` rows without storing anything. */
int hr_avro_skip_rows(struct hr_avro_decoder *dec, struct hr_avro_node *root, int64_t rows,
                      struct hr_error *err);

/* After the last row of a batch: drop bitmaps without a null, prove text to be UTF-8. On failure
 * *row is the row of the batch when it is known, else -1, and *column the column. */
int hr_avro_finish_batch(struct hr_avro_node *root, int *column, int64_t *row,
                         struct hr_error *err);

#endif
