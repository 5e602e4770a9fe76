/* format/parquet/pq_enc_dict.h - finds the distinct values of a column chunk and numbers them in
 * order of first occurrence. Gives up early where that does not pay. */
#ifndef HR_FORMAT_PARQUET_PQ_ENC_DICT_H
#define HR_FORMAT_PARQUET_PQ_ENC_DICT_H

#include "format/parquet/pq_room.h"

#define HR_PQW_DICT_SAMPLE 16384u             /* values before the first look at whether it pays */
#define HR_PQW_DICT_BYTES ((size_t)1 << 20)   /* largest dictionary page */
#define HR_PQW_DICT_RANGE ((uint64_t)1 << 18) /* widest value range for the direct table */

/* A lookup that has to try more slots than this gives the dictionary up: no input, however it was
 * made, turns hashing into a quadratic search. */
#define HR_PQW_DICT_PROBES 512u

struct hr_pqw_dict {
    struct hr_pqw_room index;   /* uint32_t: number of each value */
    struct hr_pqw_room values;  /* the distinct values: fixed width, or bytes back to back */
    struct hr_pqw_room offsets; /* byte arrays: uint32_t, count + 1 */
    struct hr_pqw_room table;   /* hash slots, or the direct table */
    size_t count;               /* distinct values */
};

/* When to give up. */
struct hr_pqw_dict_limit {
    size_t sample_max; /* more distinct values than this among the first HR_PQW_DICT_SAMPLE */
    size_t count_max;  /* more distinct values than this in all */
};

void hr_pqw_dict_release(struct hr_pqw_dict *dict);

/* All: 0 done, HR_END gave up (a limit, or the dictionary grew over HR_PQW_DICT_BYTES; index and
 * values are then of no use), HR_E_NOMEM. n > 0. */

/* n values of 4 or 8 bytes, told apart by their bits. */
int hr_pqw_dict_hash(struct hr_pqw_dict *dict, const void *v, int width, size_t n,
                     const struct hr_pqw_dict_limit *limit, struct hr_error *err);
/* The same with a table over [min, min + range] (modulo 2^(8 width)), range < HR_PQW_DICT_RANGE. */
int hr_pqw_dict_direct(struct hr_pqw_dict *dict, const void *v, int width, size_t n, uint64_t min,
                       uint64_t range, const struct hr_pqw_dict_limit *limit, struct hr_error *err);
/* Byte arrays; value i is bytes[offsets[i], offsets[i+1]), or with offsets NULL bytes[i * width,
 * (i + 1) * width) (dict->offsets is filled all the same). */
int hr_pqw_dict_bytes(struct hr_pqw_dict *dict, const uint8_t *bytes, const uint32_t *offsets,
                      size_t width, size_t n, const struct hr_pqw_dict_limit *limit,
                      struct hr_error *err);

static inline const uint32_t *hr_pqw_dict_index(const struct hr_pqw_dict *dict) {
    return (const uint32_t *)(const void *)dict->index.ptr;
}

#endif
