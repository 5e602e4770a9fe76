/* base/crc64.c - CRC-64/NVME, the checksum uploads carry.
 *
 * ISA-L 2.30 does not have this polynomial. Two twins: slicing by 8 over tables, and folding with
 * carry-less multiplication (Gopal and others, "Fast CRC Computation for Generic Polynomials Using
 * PCLMULQDQ Instruction", Intel 2009), which runs at the speed of memory. Tables and constants are
 * made at start, from the polynomial alone. */
#include "base/hash.h"

#include <string.h>

#include "base/cpu.h"

#if HR_X86
#include <immintrin.h>
#endif

#define POLY 0xad93d23594c93659ULL      /* x^64 left out */
#define REFLECTED 0x9a6c9329ac4bc9b5ULL /* the same, lowest coefficient in the highest bit */

static uint64_t table[8][256];
/* Multipliers that move 128 bits by 512 and by 128 bits; [0] for the half that came first. */
static uint64_t fold_512[2], fold_128[2];

static uint64_t reflect(uint64_t v) {
    uint64_t out = 0;
    for (int i = 0; i < 64; i++, v >>= 1) {
        out = out << 1 | (v & 1);
    }
    return out;
}

/* x^n mod P in the bit order of the data. */
static uint64_t power(int n) {
    uint64_t v = 1;
    for (; n > 0; n--) {
        v = v << 1 ^ (v >> 63 ? POLY : 0);
    }
    return reflect(v);
}

__attribute__((constructor)) static void crc64_init(void) {
    for (unsigned i = 0; i < 256; i++) {
        uint64_t crc = i;
        for (int bit = 0; bit < 8; bit++) {
            crc = crc & 1 ? (crc >> 1) ^ REFLECTED : crc >> 1;
        }
        table[0][i] = crc;
    }
    for (unsigned i = 0; i < 256; i++) {
        for (int k = 1; k < 8; k++) {
            const uint64_t prev = table[k - 1][i];
            table[k][i] = table[0][prev & 0xff] ^ (prev >> 8);
        }
    }
    /* A product of two reflected halves comes out one bit low, hence the - 1. */
    fold_512[0] = power(512 + 64 - 1);
    fold_512[1] = power(512 - 1);
    fold_128[0] = power(128 + 64 - 1);
    fold_128[1] = power(128 - 1);
}

/* The register without the complement at both ends. */
static uint64_t update_scalar(uint64_t crc, const uint8_t *p, size_t len) {
    for (; len >= 8; len -= 8, p += 8) {
        uint64_t v;
        memcpy(&v, p, sizeof(v));
        v ^= crc;
        crc = table[7][v & 0xff] ^ table[6][(v >> 8) & 0xff] ^ table[5][(v >> 16) & 0xff] ^
              table[4][(v >> 24) & 0xff] ^ table[3][(v >> 32) & 0xff] ^ table[2][(v >> 40) & 0xff] ^
              table[1][(v >> 48) & 0xff] ^ table[0][v >> 56];
    }
    for (; len > 0; len--, p++) {
        crc = table[0][(crc ^ *p) & 0xff] ^ (crc >> 8);
    }
    return crc;
}

#if HR_X86
HR_TARGET_AVX2 static inline __m128i fold(__m128i acc, __m128i k, __m128i data) {
    const __m128i first = _mm_clmulepi64_si128(acc, k, 0x00);
    const __m128i second = _mm_clmulepi64_si128(acc, k, 0x11);
    return _mm_xor_si128(_mm_xor_si128(first, second), data);
}

HR_TARGET_AVX2 static inline __m128i load(const uint8_t *p) {
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

/* len >= 64. The 128 bits that remain stand for all before them; the table finishes. */
HR_TARGET_AVX2 static uint64_t update_fold(uint64_t crc, const uint8_t *p, size_t len) {
    const __m128i k512 = _mm_set_epi64x((long long)fold_512[1], (long long)fold_512[0]);
    const __m128i k128 = _mm_set_epi64x((long long)fold_128[1], (long long)fold_128[0]);
    __m128i a = _mm_xor_si128(load(p), _mm_set_epi64x(0, (long long)crc));
    __m128i b = load(p + 16);
    __m128i c = load(p + 32);
    __m128i d = load(p + 48);
    for (p += 64, len -= 64; len >= 64; p += 64, len -= 64) {
        a = fold(a, k512, load(p));
        b = fold(b, k512, load(p + 16));
        c = fold(c, k512, load(p + 32));
        d = fold(d, k512, load(p + 48));
    }
    a = fold(fold(fold(a, k128, b), k128, c), k128, d);
    for (; len >= 16; p += 16, len -= 16) {
        a = fold(a, k128, load(p));
    }
    uint8_t rest[16];
    _mm_storeu_si128((__m128i *)(void *)rest, a);
    return update_scalar(update_scalar(0, rest, sizeof(rest)), p, len);
}
#endif

uint64_t hr_crc64nvme(uint64_t seed, const void *ptr, size_t len) {
    const uint64_t crc = ~seed;
#if HR_X86
    if (len >= 64 && hr_cpu_get()->avx2) {
        return ~update_fold(crc, ptr, len);
    }
#endif
    return ~update_scalar(crc, ptr, len);
}

void hr_crc64_text(uint64_t crc, char out[17]) {
    uint8_t raw[8];
    for (int i = 0; i < 8; i++) {
        raw[i] = (uint8_t)(crc >> (56 - 8 * i));
    }
    hr_hex(raw, sizeof(raw), out);
}

bool hr_crc64_parse(const char *text, uint64_t *out) {
    uint8_t raw[8];
    if (text == NULL || hr_unhex(text, raw, sizeof(raw)) != 0) {
        return false;
    }
    *out = 0;
    for (int i = 0; i < 8; i++) {
        *out = *out << 8 | raw[i];
    }
    return true;
}
