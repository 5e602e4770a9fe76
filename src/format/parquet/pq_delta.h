/* format/parquet/pq_delta.h - DELTA_BINARY_PACKED integers (Encodings.md, "Delta Encoding"). */
#ifndef HR_FORMAT_PARQUET_PQ_DELTA_H
#define HR_FORMAT_PARQUET_PQ_DELTA_H

#include "base/slice.h"

#define HR_PQ_DELTA_BUF 128u

struct hr_pq_delta {
    const uint8_t *ptr, *end;
    uint64_t mini_len; /* values of a miniblock */
    uint64_t minis;    /* miniblocks of a block */
    uint64_t total;    /* values the stream says it holds */
    uint64_t left;     /* of those, not yet decoded into buf */
    uint64_t last;     /* value before the next delta; arithmetic wraps, as the spec says */
    uint64_t min_delta;
    const uint8_t *widths;   /* of the current block */
    uint64_t mini;           /* current miniblock in the block */
    const uint8_t *mini_ptr; /* its bits */
    uint64_t mini_taken;     /* values taken from it */
    uint64_t buf[HR_PQ_DELTA_BUF + 32];
    size_t buf_pos, buf_len;
};

/* Read the stream's header. False: damaged. */
bool hr_pq_delta_init(struct hr_pq_delta *d, struct hr_slice bytes);
/* Exactly n values; false when there are fewer or the stream is damaged. */
bool hr_pq_delta_read64(struct hr_pq_delta *d, uint64_t *out, size_t n);
bool hr_pq_delta_read32(struct hr_pq_delta *d, uint32_t *out, size_t n);
/* Where the stream in `bytes` ends, without decoding values; NULL: damaged. */
const uint8_t *hr_pq_delta_end(struct hr_slice bytes);

#endif
