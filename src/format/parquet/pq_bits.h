/* format/parquet/pq_bits.h - bit-packed integers and the RLE / bit-packing hybrid.
 *
 * Encodings.md, "Run Length Encoding / Bit-Packing Hybrid (RLE = 3)" and "Bit-packed (Deprecated)".
 * Input may be over-read by HR_PAD bytes: pages always have that much readable behind them.
 */
#ifndef HR_FORMAT_PARQUET_PQ_BITS_H
#define HR_FORMAT_PARQUET_PQ_BITS_H

#include "base/slice.h"

/* `count` values of `width` (0..32) bits each, least significant bit first, from `in` on. Writes up
 * to 31 values beyond out[count - 1]: give it that room. */
void hr_pq_unpack32(const uint8_t *in, unsigned width, uint32_t *out, size_t count);
void hr_pq_unpack32_scalar(const uint8_t *in, unsigned width, uint32_t *out, size_t count);
/* The same for widths up to 64, one value at a time; in has ceil(count * width / 8) bytes. */
void hr_pq_unpack64(const uint8_t *in, unsigned width, uint64_t *out, size_t count);
/* Deprecated level encoding: most significant bit first, 8 bits at most. */
void hr_pq_unpack_msb(const uint8_t *in, unsigned width, uint8_t *out, size_t from, size_t count);
#define HR_PQ_UNPACK_SLACK 32u

/* Largest of count values (0 for none). */
uint32_t hr_pq_max32(const uint32_t *values, size_t count);

/* How many of n bytes are `value`; are `value` or more. */
size_t hr_pq_count_eq(const uint8_t *bytes, size_t n, uint8_t value);
size_t hr_pq_count_ge(const uint8_t *bytes, size_t n, uint8_t value);

/* Copy n bits between bitmaps (least significant first); returns how many are set. */
size_t hr_pq_copy_bits(uint8_t *dst, size_t dst_bit, const uint8_t *src, size_t src_bit, size_t n);
void hr_pq_set_bits(uint8_t *dst, size_t dst_bit, size_t n, bool value);

/* Reader of one hybrid stream. Widths up to 32. */
struct hr_pq_rle {
    const uint8_t *ptr, *end;
    unsigned width;
    bool packed;         /* the current run */
    uint64_t left;       /* values left in the current run */
    uint32_t value;      /* run of one value */
    const uint8_t *bits; /* packed run: its first byte, and values taken so far */
    uint64_t taken;
};

void hr_pq_rle_init(struct hr_pq_rle *rle, struct hr_slice bytes, unsigned width);
/* Values left in the current run, the next one being loaded when it is spent; 0: no more data. */
uint64_t hr_pq_rle_run(struct hr_pq_rle *rle);
/* Up to n values; fewer only at the end of the data. out needs n + HR_PQ_UNPACK_SLACK entries. */
size_t hr_pq_rle_read32(struct hr_pq_rle *rle, uint32_t *out, size_t n);
/* The same into bytes, for widths up to 8 (levels). */
size_t hr_pq_rle_read8(struct hr_pq_rle *rle, uint8_t *out, size_t n);
/* Width 1 only: values as bits into a bitmap; *ones grows by how many are set. */
size_t hr_pq_rle_read_bits(struct hr_pq_rle *rle, uint8_t *dst, size_t dst_bit, size_t n,
                           size_t *ones);
/* Drop up to n values; returns how many there were. */
uint64_t hr_pq_rle_skip(struct hr_pq_rle *rle, uint64_t n);

#endif
