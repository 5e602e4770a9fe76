/* format/parquet/pq_bloom.c - asking split block bloom filters (BloomFilter.md).
 *
 * A filter is an array of 32-byte blocks; the upper half of a value's hash picks the block, the
 * lower half sets one bit in each of its eight words. A clear bit means the value is surely absent.
 */
#include <math.h>

#include "format/parquet/pq_bound.h"

bool hr_pq_bloom_block_has(const uint8_t block[32], uint64_t hash) {
    static const uint32_t salt[8] = {0x47b6137bU, 0x44974d91U, 0x8824ad5bU, 0xa2b7289dU,
                                     0x705495c7U, 0x2df1424bU, 0x9efc4947U, 0x5c6bfb31U};
    const uint32_t key = (uint32_t)hash;
    for (int i = 0; i < 8; i++) {
        uint32_t word;
        memcpy(&word, block + 4 * i, 4);
        if (!(word >> (key * salt[i] >> 27) & 1)) {
            return false;
        }
    }
    return true;
}

/* A whole number within the physical type, as its little-endian bytes. */
static bool whole(const struct hr_pq_pcolumn *c, long double v, uint8_t *room, size_t width) {
    const long double low = c->is_signed ? (width == 4 ? -2147483648.0L : -0x1p63L) : 0;
    const long double high = c->is_signed ? (width == 4 ? 2147483647.0L : 0x1p63L - 1)
                                          : (width == 4 ? 4294967295.0L : 0x1p64L - 1);
    if (!(v >= low && v <= high) || floorl(v) < v) {
        return false;
    }
    const uint64_t bits = v < 0 ? (uint64_t)(int64_t)v : (uint64_t)v;
    memcpy(room, &bits, width);
    return true;
}

bool hr_pq_plain_bytes(const struct hr_pq_pcolumn *c, const struct hr_pq_value *value,
                       uint8_t room[32], struct hr_slice *out) {
    const int type = c->element->type;
    if (c->how == HR_PQ_HOW_BYTES) {
        *out = value->bytes;
        return type == HR_PQ_BYTE_ARRAY;
    }
    const size_t width = type == HR_PQ_INT32 || type == HR_PQ_FLOAT ? 4 : 8;
    *out = hr_slice_of(room, width);
    if (c->how == HR_PQ_HOW_WIDE) { /* byte arrays may be padded in many ways: only integers */
        const hr_i128 least = width == 4 ? INT32_MIN : INT64_MIN;
        const hr_i128 most = width == 4 ? INT32_MAX : INT64_MAX;
        memcpy(room, &value->wide, 8);
        return (type == HR_PQ_INT32 || type == HR_PQ_INT64) && value->wide >= least &&
               value->wide <= most;
    }
    if (c->how != HR_PQ_HOW_REAL) {
        return false;
    }
    if (type == HR_PQ_INT32 || type == HR_PQ_INT64) {
        return whole(c, value->real, room, width);
    }
    if (!(value->real < 0 || value->real > 0)) {
        return false; /* zero has two bit patterns */
    }
    if (type == HR_PQ_FLOAT) {
        const float f = (float)value->real;
        memcpy(room, &f, 4);
        return !((long double)f < value->real || (long double)f > value->real);
    }
    const double d = (double)value->real;
    memcpy(room, &d, 8);
    return type == HR_PQ_DOUBLE && !((long double)d < value->real || (long double)d > value->real);
}
