/* format/parquet/pq_enc_pack.h - the bit-packing kernels, inline for the encoders that loop over
 * them (pq_enc_rle.c, pq_enc_delta.c). */
#ifndef HR_FORMAT_PARQUET_PQ_ENC_PACK_H
#define HR_FORMAT_PARQUET_PQ_ENC_PACK_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/cpu.h"
#include "base/num.h"

#if HR_X86
#include <immintrin.h>
#endif

#define HR_PQW_INLINE static inline __attribute__((always_inline))

HR_PQW_INLINE void hr_pqw_put64(uint8_t *out, uint64_t v) {
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
    v = __builtin_bswap64(v);
#endif
    memcpy(out, &v, 8);
}

HR_PQW_INLINE uint64_t hr_pqw_get64(const uint8_t *in) {
    uint64_t v;
    memcpy(&v, in, 8);
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
    v = __builtin_bswap64(v);
#endif
    return v;
}

HR_PQW_INLINE size_t hr_pqw_put_varint(uint8_t *out, uint64_t v) {
    size_t n = 0;
    while (v >= 0x80) {
        out[n++] = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    out[n++] = (uint8_t)v;
    return n;
}

HR_PQW_INLINE uint64_t hr_pqw_zigzag(int64_t v) {
    return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
}

/* n a multiple of 8; writes up to 8 bytes beyond the packed end. */
HR_PQW_INLINE uint8_t *hr_pqw_pack32_scalar(const uint32_t *v, size_t n, int width, uint8_t *out) {
    uint64_t acc = 0;
    int fill = 0;
    if (width == 0) {
        return out;
    }
    for (size_t i = 0; i < n; i++) {
        acc |= (uint64_t)v[i] << fill;
        fill += width;
        if (fill >= 32) {
            hr_pqw_put64(out, acc);
            out += 4;
            acc >>= 32;
            fill -= 32;
        }
    }
    hr_pqw_put64(out, acc); /* 8 values are whole bytes, so fill is a multiple of 8 here */
    return out + fill / 8;
}

/* Any n; the last byte is padded with zero bits. */
HR_PQW_INLINE uint8_t *hr_pqw_pack64_scalar(const uint64_t *v, size_t n, int width, uint8_t *out) {
    hr_u128 acc = 0;
    int fill = 0;
    for (size_t i = 0; i < n; i++) {
        acc |= (hr_u128)v[i] << fill;
        fill += width;
        if (fill >= 64) {
            hr_pqw_put64(out, (uint64_t)acc);
            out += 8;
            acc >>= 64;
            fill -= 64;
        }
    }
    hr_pqw_put64(out, (uint64_t)acc);
    return out + (fill + 7) / 8;
}

#if HR_X86
/* Eight values at once: neighbours are merged in 64-bit lanes (2 x width bits), those in 128-bit
 * lanes (4 x width), and the two halves by scalar shifts. Writes up to 32 bytes beyond. */
HR_PQW_INLINE HR_TARGET_AVX2 __m256i hr_pqw_pairs(__m256i v, __m128i width) {
    const __m256i low = _mm256_set1_epi64x(0xffffffff);
    const __m256i even = _mm256_and_si256(v, low);
    return _mm256_or_si256(even, _mm256_sll_epi64(_mm256_srli_epi64(v, 32), width));
}

HR_PQW_INLINE HR_TARGET_AVX2 uint8_t *hr_pqw_pack16_avx2(const uint32_t *v, size_t n, int width,
                                                         uint8_t *out) {
    const __m128i one = _mm_cvtsi32_si128(width), two = _mm_cvtsi32_si128(2 * width);
    const int four = 4 * width;
    for (size_t i = 0; i < n; i += 8) {
        const __m256i p = hr_pqw_pairs(_mm256_loadu_si256((const void *)(v + i)), one);
        const __m256i odd = _mm256_unpackhi_epi64(p, p);
        const __m256i q = _mm256_or_si256(p, _mm256_sll_epi64(odd, two));
        const uint64_t x = (uint64_t)_mm256_extract_epi64(q, 0);
        const uint64_t y = (uint64_t)_mm256_extract_epi64(q, 2);
        if (width <= 8) {
            hr_pqw_put64(out, x | (four < 64 ? y << four : 0));
        } else if (width < 16) {
            hr_pqw_put64(out, x | (y << (four & 63)));
            hr_pqw_put64(out + 8, y >> ((64 - four) & 63));
        } else {
            hr_pqw_put64(out, x);
            hr_pqw_put64(out + 8, y);
        }
        out += width;
    }
    return out;
}

/* 17..29 bits: each merged pair (up to 58 bits) is shifted to its place in its first byte and
 * stored with what the pair before left for that byte. */
HR_PQW_INLINE HR_TARGET_AVX2 uint8_t *hr_pqw_pack29_avx2(const uint32_t *v, size_t n, int width,
                                                         uint8_t *out) {
    const __m128i one = _mm_cvtsi32_si128(width);
    const int two = 2 * width;
    const int b1 = two / 8, b2 = 2 * two / 8, b3 = 3 * two / 8;
    const __m256i place = _mm256_setr_epi64x(0, two % 8, 2 * two % 8, 3 * two % 8);
    for (size_t i = 0; i < n; i += 8) {
        __m256i p = hr_pqw_pairs(_mm256_loadu_si256((const __m256i *)(const void *)(v + i)), one);
        p = _mm256_sllv_epi64(p, place);
        const __m128i low = _mm256_castsi256_si128(p), high = _mm256_extracti128_si256(p, 1);
        const uint64_t w0 = (uint64_t)_mm_cvtsi128_si64(low);
        const uint64_t w1 = (uint64_t)_mm_extract_epi64(low, 1) | w0 >> (8 * b1);
        const uint64_t w2 = (uint64_t)_mm_cvtsi128_si64(high) | w1 >> (8 * (b2 - b1));
        const uint64_t w3 = (uint64_t)_mm_extract_epi64(high, 1) | w2 >> (8 * (b3 - b2));
        hr_pqw_put64(out, w0);
        hr_pqw_put64(out + b1, w1);
        hr_pqw_put64(out + b2, w2);
        hr_pqw_put64(out + b3, w3);
        out += width;
    }
    return out;
}

/* 30 and 31 bits. */
HR_PQW_INLINE HR_TARGET_AVX2 uint8_t *hr_pqw_pack31_avx2(const uint32_t *v, size_t n, int width,
                                                         uint8_t *out) {
    const __m128i one = _mm_cvtsi32_si128(width);
    const int whole = 4 * width / 8, odd = 4 * width % 8;
    for (size_t i = 0; i < n; i += 8) {
        const __m256i p = hr_pqw_pairs(_mm256_loadu_si256((const void *)(v + i)), one);
        const hr_u128 a = (uint64_t)_mm256_extract_epi64(p, 0) |
                          (hr_u128)(uint64_t)_mm256_extract_epi64(p, 1) << (2 * width);
        const hr_u128 b = (uint64_t)_mm256_extract_epi64(p, 2) |
                          (hr_u128)(uint64_t)_mm256_extract_epi64(p, 3) << (2 * width);
        const hr_u128 c = b << odd | a >> (8 * whole);
        memcpy(out, &a, 16);
        memcpy(out + whole, &c, 16);
        out += width;
    }
    return out;
}

HR_PQW_INLINE HR_TARGET_AVX2 uint8_t *hr_pqw_pack32_avx2(const uint32_t *v, size_t n, int width,
                                                         uint8_t *out) {
    if (width == 0) {
        return out;
    }
    if (width <= 8) { /* the width classes stand apart so that each loop is straight-line */
        return hr_pqw_pack16_avx2(v, n, width, out);
    }
    if (width < 16) {
        return hr_pqw_pack16_avx2(v, n, width, out);
    }
    if (width == 16) {
        return hr_pqw_pack16_avx2(v, n, 16, out);
    }
    if (width < 30) {
        return hr_pqw_pack29_avx2(v, n, width, out);
    }
    if (width < 32) {
        return hr_pqw_pack31_avx2(v, n, width, out);
    }
    memcpy(out, v, 4 * n);
    return out + 4 * n;
}
#endif

#endif
