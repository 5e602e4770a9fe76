/* format/parquet/pq_enc.h - Parquet's value encodings, writing side.
 *
 * https://github.com/apache/parquet-format/blob/master/Encodings.md. Plain functions over plain
 * arrays: each encodes n values into `out`, which has at least the bytes its _bound function says
 * (plus HR_PAD, which may be over-written), and returns the bytes used. No allocation, no failure.
 * Where a vector version exists it gives the same bytes as the portable one.
 */
#ifndef HR_FORMAT_PARQUET_PQ_ENC_H
#define HR_FORMAT_PARQUET_PQ_ENC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- bit packing and the RLE / bit-packing hybrid (pq_enc_rle.c) ------------------------------
 */

/* Pack n values (n a multiple of 8, each < 2^width) of `width` bits (0..32), least significant bit
 * first. n * width / 8 bytes. */
size_t hr_pqw_pack32(const uint32_t *v, size_t n, int width, uint8_t *out);

/* RLE/bit-packed hybrid without a length in front. Runs of equal values become RLE runs where that
 * is shorter. `width` 0..32. */
size_t hr_pqw_rle32_bound(size_t n, int width);
size_t hr_pqw_rle32(const uint32_t *v, size_t n, int width, uint8_t *out);
/* The same for levels kept as bytes; width 0..8. Bound: hr_pqw_rle32_bound. */
size_t hr_pqw_rle8(const uint8_t *v, size_t n, int width, uint8_t *out);
/* The same for width 1 kept as a bitmap: bits [from, from + n). 8 bytes behind the last are
 * readable. Bound: hr_pqw_rle32_bound(n, 1). */
size_t hr_pqw_rle_bits(const uint8_t *bits, size_t from, size_t n, uint8_t *out);
/* One run of n equal values. At most 9 bytes. */
size_t hr_pqw_rle_run(uint32_t value, size_t n, int width, uint8_t *out);
/* Bits needed for values 0..max. */
static inline int hr_pqw_bits(uint64_t max) {
    return max == 0 ? 0 : 64 - __builtin_clzll(max);
}

/* ---- DELTA_BINARY_PACKED (pq_enc_delta.c): blocks of 128 in 4 miniblocks -----------------------
 */

size_t hr_pqw_delta_bound(size_t n, int value_width); /* value_width 4 or 8 */
size_t hr_pqw_delta32(const int32_t *v, size_t n, uint8_t *out);
size_t hr_pqw_delta64(const int64_t *v, size_t n, uint8_t *out);
/* What they would return, found from at most 32 evenly spaced blocks: exact up to 4,096 values. */
size_t hr_pqw_delta32_estimate(const int32_t *v, size_t n);
size_t hr_pqw_delta64_estimate(const int64_t *v, size_t n);

/* ---- byte arrays (pq_enc_bytes.c); value i is bytes[offsets[i], offsets[i+1]) -------------------
 */

size_t hr_pqw_plain_bytes_bound(const uint32_t *offsets, size_t n);
size_t hr_pqw_plain_bytes(const uint8_t *bytes, const uint32_t *offsets, size_t n, uint8_t *out);
/* `tmp` holds 2 * n numbers. */
size_t hr_pqw_delta_length_bound(const uint32_t *offsets, size_t n);
size_t hr_pqw_delta_length(const uint8_t *bytes, const uint32_t *offsets, size_t n, int32_t *tmp,
                           uint8_t *out);
size_t hr_pqw_delta_bytes_bound(const uint32_t *offsets, size_t n);
size_t hr_pqw_delta_bytes(const uint8_t *bytes, const uint32_t *offsets, size_t n, int32_t *tmp,
                          uint8_t *out);
/* Bytes the first n values share with their predecessors. */
uint64_t hr_pqw_shared_prefix(const uint8_t *bytes, const uint32_t *offsets, size_t n);

/* ---- fixed width (pq_enc_split.c) ---------------------------------------------------------------
 */

/* BYTE_STREAM_SPLIT: n * width bytes. */
void hr_pqw_split(const uint8_t *v, size_t n, int width, uint8_t *out);
/* PLAIN booleans from bytes 0/1: (n + 7) / 8 bytes. */
size_t hr_pqw_plain_bools(const uint8_t *v, size_t n, uint8_t *out);

#endif
