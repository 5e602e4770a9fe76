/* format/parquet/pq_enc_split.c - BYTE_STREAM_SPLIT and PLAIN booleans (Encodings.md).
 *
 * Byte k of every value goes to the k-th of `width` streams, laid one after another: the exponents
 * of floating-point numbers come to lie together, where a codec finds them.
 */
#include "format/parquet/pq_enc.h"

#include "format/parquet/pq_enc_pack.h"

static void split_scalar(const uint8_t *v, size_t from, size_t n, int width, uint8_t *out) {
    for (int k = 0; k < width; k++) {
        for (size_t i = from; i < n; i++) {
            out[(size_t)k * n + i] = v[i * (size_t)width + (size_t)k];
        }
    }
}

#if HR_X86
/* SSE2 is part of x86-64. A 16 x width byte matrix is transposed by interleaving the two halves of
 * the registers log2(16) times: each round moves one index bit. */
static size_t split8_sse2(const uint8_t *v, size_t n, uint8_t *out) {
    const size_t whole = n & ~(size_t)15;
    for (size_t i = 0; i < whole; i += 16) {
        __m128i a[8], b[8];
        for (int r = 0; r < 8; r++) {
            a[r] = _mm_loadu_si128((const __m128i *)(const void *)(v + i * 8) + r);
        }
        for (int round = 0; round < 4; round++) {
            for (int r = 0; r < 4; r++) {
                b[2 * r] = _mm_unpacklo_epi8(a[r], a[r + 4]);
                b[2 * r + 1] = _mm_unpackhi_epi8(a[r], a[r + 4]);
            }
            memcpy(a, b, sizeof(a));
        }
        for (int r = 0; r < 8; r++) {
            _mm_storeu_si128((__m128i *)(void *)(out + (size_t)r * n + i), a[r]);
        }
    }
    return whole;
}

static size_t split4_sse2(const uint8_t *v, size_t n, uint8_t *out) {
    const size_t whole = n & ~(size_t)15;
    for (size_t i = 0; i < whole; i += 16) {
        __m128i a[4], b[4];
        for (int r = 0; r < 4; r++) {
            a[r] = _mm_loadu_si128((const __m128i *)(const void *)(v + i * 4) + r);
        }
        for (int round = 0; round < 4; round++) {
            for (int r = 0; r < 2; r++) {
                b[2 * r] = _mm_unpacklo_epi8(a[r], a[r + 2]);
                b[2 * r + 1] = _mm_unpackhi_epi8(a[r], a[r + 2]);
            }
            memcpy(a, b, sizeof(a));
        }
        for (int r = 0; r < 4; r++) {
            _mm_storeu_si128((__m128i *)(void *)(out + (size_t)r * n + i), a[r]);
        }
    }
    return whole;
}
#endif

void hr_pqw_split(const uint8_t *v, size_t n, int width, uint8_t *out) {
    size_t done = 0;
#if HR_X86
    if (hr_cpu_get()->avx2) {
        done = width == 8 ? split8_sse2(v, n, out) : width == 4 ? split4_sse2(v, n, out) : 0;
    }
#endif
    split_scalar(v, done, n, width, out);
}

size_t hr_pqw_plain_bools(const uint8_t *v, size_t n, uint8_t *out) {
    const size_t len = (n + 7) / 8;
    size_t i = 0;
    for (; i + 8 <= n; i += 8) { /* gather the low bits of 8 bytes by one multiplication */
        out[i / 8] = (uint8_t)((hr_pqw_get64(v + i) * 0x0102040810204080ULL) >> 56);
    }
    if (i < n) {
        out[i / 8] = 0;
        for (; i < n; i++) {
            out[i / 8] = (uint8_t)(out[i / 8] | (v[i] << (i & 7)));
        }
    }
    return len;
}
