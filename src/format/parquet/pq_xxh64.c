/* format/parquet/pq_xxh64.c - XXH64, written from its specification: four lanes over stripes of 32
 * bytes, merged, then the rest by 8, 4 and 1 bytes and a final avalanche. */
#include "format/parquet/pq_xxh64.h"

#include <string.h>

#define P1 0x9E3779B185EBCA87ULL
#define P2 0xC2B2AE3D27D4EB4FULL
#define P3 0x165667B19E3779F9ULL
#define P4 0x85EBCA77C2B2AE63ULL
#define P5 0x27D4EB2F165667C5ULL

static uint64_t rotate(uint64_t v, int by) {
    return v << by | v >> (64 - by);
}

static uint64_t read64(const uint8_t *p) {
    uint64_t v;
    memcpy(&v, p, 8);
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
    v = __builtin_bswap64(v);
#endif
    return v;
}

static uint64_t read32(const uint8_t *p) {
    return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24;
}

static uint64_t lane(uint64_t acc, uint64_t input) {
    return rotate(acc + input * P2, 31) * P1;
}

static uint64_t merge(uint64_t acc, uint64_t v) {
    return (acc ^ lane(0, v)) * P1 + P4;
}

uint64_t hr_pqw_xxh64(const void *ptr, size_t len) {
    const uint8_t *p = ptr;
    size_t left = len;
    uint64_t acc = P5;
    if (len >= 32) {
        uint64_t v[4] = {P1 + P2, P2, 0, 0 - P1};
        for (; left >= 32; left -= 32, p += 32) {
            for (int i = 0; i < 4; i++) {
                v[i] = lane(v[i], read64(p + 8 * i));
            }
        }
        acc = rotate(v[0], 1) + rotate(v[1], 7) + rotate(v[2], 12) + rotate(v[3], 18);
        for (int i = 0; i < 4; i++) {
            acc = merge(acc, v[i]);
        }
    }
    acc += len;
    for (; left >= 8; left -= 8, p += 8) {
        acc = rotate(acc ^ lane(0, read64(p)), 27) * P1 + P4;
    }
    if (left >= 4) {
        acc = rotate(acc ^ (read32(p) * P1), 23) * P2 + P3;
        left -= 4;
        p += 4;
    }
    for (; left > 0; left--, p++) {
        acc = rotate(acc ^ (*p * P5), 11) * P1;
    }
    acc = (acc ^ acc >> 33) * P2;
    acc = (acc ^ acc >> 29) * P3;
    return acc ^ acc >> 32;
}
