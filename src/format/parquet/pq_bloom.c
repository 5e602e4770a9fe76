/* format/parquet/pq_bloom.c - split block bloom filters (BloomFilter.md) and their hash, XXH64.
 *
 * A filter is an array of 32-byte blocks; the upper half of a value's hash picks the block, the
 * lower half sets one bit in each of its eight words. A clear bit means the value is surely absent.
 * XXH64: https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md
 */
#include <math.h>

#include "format/parquet/pq_bound.h"

#define P1 UINT64_C(0x9E3779B185EBCA87)
#define P2 UINT64_C(0xC2B2AE3D27D4EB4F)
#define P3 UINT64_C(0x165667B19E3779F9)
#define P4 UINT64_C(0x85EBCA77C2B2AE63)
#define P5 UINT64_C(0x27D4EB2F165667C5)

static uint64_t rotl(uint64_t v, unsigned n) {
    return v << n | v >> (64 - n);
}

static uint64_t lane(uint64_t acc, uint64_t input) {
    return rotl(acc + input * P2, 31) * P1;
}

static uint64_t load64(const uint8_t *ptr) {
    uint64_t v;
    memcpy(&v, ptr, 8);
    return v;
}

static uint64_t long_input(const uint8_t *ptr, size_t blocks) {
    uint64_t acc[4] = {P1 + P2, P2, 0, 0 - P1};
    for (; blocks > 0; blocks--, ptr += 32) {
        for (int i = 0; i < 4; i++) {
            acc[i] = lane(acc[i], load64(ptr + 8 * i));
        }
    }
    uint64_t hash = rotl(acc[0], 1) + rotl(acc[1], 7) + rotl(acc[2], 12) + rotl(acc[3], 18);
    for (int i = 0; i < 4; i++) {
        hash = (hash ^ lane(0, acc[i])) * P1 + P4;
    }
    return hash;
}

uint64_t hr_pq_xxh64(const void *data, size_t len) {
    const uint8_t *ptr = data;
    uint64_t hash = P5;
    size_t left = len;
    if (left >= 32) {
        hash = long_input(ptr, left / 32);
        ptr += left / 32 * 32;
        left %= 32;
    }
    hash += len;
    for (; left >= 8; left -= 8, ptr += 8) {
        hash = rotl(hash ^ lane(0, load64(ptr)), 27) * P1 + P4;
    }
    if (left >= 4) {
        uint32_t word;
        memcpy(&word, ptr, 4);
        hash = rotl(hash ^ word * P1, 23) * P2 + P3;
        left -= 4;
        ptr += 4;
    }
    for (; left > 0; left--, ptr++) {
        hash = rotl(hash ^ *ptr * P5, 11) * P1;
    }
    hash = (hash ^ hash >> 33) * P2;
    hash = (hash ^ hash >> 29) * P3;
    return hash ^ hash >> 32;
}

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
