/* format/parquet/pq_enc_delta.c - DELTA_BINARY_PACKED for integers (Encodings.md, "Delta
 * Encoding").
 *
 * Header: varints block size (128), miniblocks (4), count, zigzag first value. A block: zigzag
 * smallest delta, one width byte per miniblock of 32, then each miniblock's deltas minus the
 * smallest, bit-packed. All arithmetic wraps in the type's own width, as the specification says. A
 * last, partial miniblock is padded with zeros; miniblocks behind it have width 0 and no bytes.
 */
#include "format/parquet/pq_enc.h"

#include "format/parquet/pq_enc_pack.h"

#define BLOCK 128u
#define MINI 32u
#define SAMPLE_BLOCKS 32u

typedef uint8_t *pack_fn(const uint32_t *v, size_t n, int width, uint8_t *out);

size_t hr_pqw_delta_bound(size_t n, int value_width) {
    return 40 + (n / BLOCK + 1) * (14 + BLOCK * (size_t)value_width);
}

HR_PQW_INLINE size_t put_header(size_t n, int64_t first, uint8_t *out) {
    size_t len = hr_pqw_put_varint(out, BLOCK);
    len += hr_pqw_put_varint(out + len, BLOCK / MINI);
    len += hr_pqw_put_varint(out + len, n);
    return len + hr_pqw_put_varint(out + len, hr_pqw_zigzag(first));
}

/* ---- 64 bit ---- */

struct block64 {
    uint64_t d[BLOCK]; /* deltas minus their smallest */
    int64_t min;
    int width[BLOCK / MINI];
};

/* Deltas of v[0..m) to their predecessors (v[-1] exists), m <= 128. */
HR_PQW_INLINE void block64(const int64_t *v, size_t m, struct block64 *b) {
    int64_t min = INT64_MAX;
    for (size_t i = 0; i < m; i++) {
        b->d[i] = (uint64_t)v[i] - (uint64_t)v[(ptrdiff_t)i - 1];
    }
    for (size_t i = 0; i < m; i++) {
        min = (int64_t)b->d[i] < min ? (int64_t)b->d[i] : min;
    }
    for (size_t i = m; i < BLOCK; i++) {
        b->d[i] = (uint64_t)min;
    }
    for (size_t k = 0; k < BLOCK / MINI; k++) {
        uint64_t all = 0;
        for (size_t i = k * MINI; i < (k + 1) * MINI; i++) {
            b->d[i] -= (uint64_t)min;
            all |= b->d[i];
        }
        b->width[k] = hr_pqw_bits(all);
    }
    b->min = min;
}

/* The widths and miniblocks of a block whose deltas are in b->d. */
HR_PQW_INLINE uint8_t *put_block64(const struct block64 *b, uint8_t *out, pack_fn pack) {
    out += hr_pqw_put_varint(out, hr_pqw_zigzag(b->min));
    for (size_t k = 0; k < BLOCK / MINI; k++) {
        *out++ = (uint8_t)b->width[k];
    }
    for (size_t k = 0; k < BLOCK / MINI; k++) {
        if (b->width[k] > 32) {
            out = hr_pqw_pack64_scalar(b->d + k * MINI, MINI, b->width[k], out);
        } else {
            uint32_t narrow[MINI];
            for (size_t i = 0; i < MINI; i++) {
                narrow[i] = (uint32_t)b->d[k * MINI + i];
            }
            out = pack(narrow, MINI, b->width[k], out);
        }
    }
    return out;
}

static size_t delta64_scalar(const int64_t *v, size_t n, uint8_t *out) {
    uint8_t *const begin = out;
    struct block64 b;
    out += put_header(n, n > 0 ? v[0] : 0, out);
    for (size_t at = 1; at < n; at += BLOCK) {
        block64(v + at, n - at >= BLOCK ? BLOCK : n - at, &b);
        out = put_block64(&b, out, hr_pqw_pack32_scalar);
    }
    return (size_t)(out - begin);
}

#if HR_X86
/* A whole block: deltas and their minimum in one pass; then, per miniblock, the bits in use and the
 * low halves side by side, ready to be packed. Deltas over 32 bits take the general way. */
HR_PQW_INLINE HR_TARGET_AVX2 uint8_t *block64_avx2(const int64_t *v, uint8_t *out) {
    uint64_t d[BLOCK];
    __m256i low = _mm256_set1_epi64x(INT64_MAX);
    for (size_t i = 0; i < BLOCK; i += 4) {
        const __m256i x = _mm256_loadu_si256((const __m256i *)(const void *)(v + i));
        const __m256i last = _mm256_loadu_si256((const __m256i *)(const void *)(v + i - 1));
        const __m256i delta = _mm256_sub_epi64(x, last);
        _mm256_storeu_si256((__m256i *)(void *)(d + i), delta);
        low = _mm256_blendv_epi8(low, delta, _mm256_cmpgt_epi64(low, delta));
    }
    int64_t lane[4];
    _mm256_storeu_si256((__m256i *)(void *)lane, low);
    const int64_t a = lane[0] < lane[1] ? lane[0] : lane[1];
    const int64_t b = lane[2] < lane[3] ? lane[2] : lane[3];
    const __m256i min = _mm256_set1_epi64x(a < b ? a : b);
    uint32_t narrow[BLOCK];
    struct block64 wide = {.min = a < b ? a : b};
    uint64_t most = 0;
    const __m256i even = _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6);
    for (size_t k = 0; k < BLOCK / MINI; k++) {
        __m256i all = _mm256_setzero_si256();
        for (size_t i = k * MINI; i < (k + 1) * MINI; i += 4) {
            const __m256i x =
                _mm256_sub_epi64(_mm256_loadu_si256((const __m256i *)(const void *)(d + i)), min);
            all = _mm256_or_si256(all, x);
            _mm_storeu_si128((__m128i *)(void *)(narrow + i),
                             _mm256_castsi256_si128(_mm256_permutevar8x32_epi32(x, even)));
        }
        const __m128i half =
            _mm_or_si128(_mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1));
        const uint64_t bits =
            (uint64_t)_mm_extract_epi64(half, 0) | (uint64_t)_mm_extract_epi64(half, 1);
        wide.width[k] = hr_pqw_bits(bits);
        most |= bits;
    }
    if (hr_unlikely(most > UINT32_MAX)) {
        for (size_t i = 0; i < BLOCK; i++) {
            wide.d[i] = d[i] - (uint64_t)wide.min;
        }
        return put_block64(&wide, out, hr_pqw_pack32_avx2);
    }
    out += hr_pqw_put_varint(out, hr_pqw_zigzag(wide.min));
    for (size_t k = 0; k < BLOCK / MINI; k++) {
        *out++ = (uint8_t)wide.width[k];
    }
    for (size_t k = 0; k < BLOCK / MINI; k++) {
        out = hr_pqw_pack32_avx2(narrow + k * MINI, MINI, wide.width[k], out);
    }
    return out;
}

HR_TARGET_AVX2 static size_t delta64_avx2(const int64_t *v, size_t n, uint8_t *out) {
    uint8_t *const begin = out;
    struct block64 b;
    out += put_header(n, n > 0 ? v[0] : 0, out);
    size_t at = 1;
    for (; at + BLOCK <= n; at += BLOCK) {
        out = block64_avx2(v + at, out);
    }
    if (at < n) {
        block64(v + at, n - at, &b);
        out = put_block64(&b, out, hr_pqw_pack32_avx2);
    }
    return (size_t)(out - begin);
}
#endif

/* ---- 32 bit ---- */

struct block32 {
    uint32_t d[BLOCK];
    int32_t min;
    int width[BLOCK / MINI];
};

HR_PQW_INLINE void block32(const int32_t *v, size_t m, struct block32 *b) {
    int32_t min = INT32_MAX;
    for (size_t i = 0; i < m; i++) {
        b->d[i] = (uint32_t)v[i] - (uint32_t)v[(ptrdiff_t)i - 1];
    }
    for (size_t i = 0; i < m; i++) {
        min = (int32_t)b->d[i] < min ? (int32_t)b->d[i] : min;
    }
    for (size_t i = m; i < BLOCK; i++) {
        b->d[i] = (uint32_t)min;
    }
    for (size_t k = 0; k < BLOCK / MINI; k++) {
        uint32_t all = 0;
        for (size_t i = k * MINI; i < (k + 1) * MINI; i++) {
            b->d[i] -= (uint32_t)min;
            all |= b->d[i];
        }
        b->width[k] = hr_pqw_bits(all);
    }
    b->min = min;
}

HR_PQW_INLINE size_t delta32_body(const int32_t *v, size_t n, uint8_t *out, pack_fn pack) {
    uint8_t *const begin = out;
    struct block32 b;
    out += put_header(n, n > 0 ? v[0] : 0, out);
    for (size_t at = 1; at < n; at += BLOCK) {
        if (n - at >= BLOCK) {
            block32(v + at, BLOCK, &b);
        } else {
            block32(v + at, n - at, &b);
        }
        out += hr_pqw_put_varint(out, hr_pqw_zigzag(b.min));
        for (size_t k = 0; k < BLOCK / MINI; k++) {
            *out++ = (uint8_t)b.width[k];
        }
        for (size_t k = 0; k < BLOCK / MINI; k++) {
            out = pack(b.d + k * MINI, MINI, b.width[k], out);
        }
    }
    return (size_t)(out - begin);
}

/* ---- estimates ---- */

HR_PQW_INLINE size_t block_size(int64_t min, const int width[BLOCK / MINI]) {
    uint8_t scratch[16];
    size_t size = hr_pqw_put_varint(scratch, hr_pqw_zigzag(min)) + BLOCK / MINI;
    for (size_t k = 0; k < BLOCK / MINI; k++) {
        size += MINI / 8 * (size_t)width[k];
    }
    return size;
}

/* Which block the s-th sampled one is. */
HR_PQW_INLINE size_t sampled(size_t s, size_t samples, size_t blocks) {
    return s * blocks / samples;
}

HR_PQW_INLINE size_t estimate64_body(const int64_t *v, size_t n) {
    const size_t blocks = (n - 1 + BLOCK - 1) / BLOCK;
    const size_t samples = blocks < SAMPLE_BLOCKS ? blocks : SAMPLE_BLOCKS;
    struct block64 b;
    size_t size = 0;
    for (size_t s = 0; s < samples; s++) {
        const size_t at = 1 + sampled(s, samples, blocks) * BLOCK;
        block64(v + at, n - at < BLOCK ? n - at : BLOCK, &b);
        size += block_size(b.min, b.width);
    }
    return samples == 0 ? 0 : size * blocks / samples;
}

HR_PQW_INLINE size_t estimate32_body(const int32_t *v, size_t n) {
    const size_t blocks = (n - 1 + BLOCK - 1) / BLOCK;
    const size_t samples = blocks < SAMPLE_BLOCKS ? blocks : SAMPLE_BLOCKS;
    struct block32 b;
    size_t size = 0;
    for (size_t s = 0; s < samples; s++) {
        const size_t at = 1 + sampled(s, samples, blocks) * BLOCK;
        block32(v + at, n - at < BLOCK ? n - at : BLOCK, &b);
        size += block_size(b.min, b.width);
    }
    return samples == 0 ? 0 : size * blocks / samples;
}

/* ---- the two builds of each ---- */

#if HR_X86
HR_TARGET_AVX2 static size_t delta32_avx2(const int32_t *v, size_t n, uint8_t *out) {
    return delta32_body(v, n, out, hr_pqw_pack32_avx2);
}
#endif

size_t hr_pqw_delta64(const int64_t *v, size_t n, uint8_t *out) {
#if HR_X86
    if (hr_cpu_get()->avx2) {
        return delta64_avx2(v, n, out);
    }
#endif
    return delta64_scalar(v, n, out);
}

size_t hr_pqw_delta32(const int32_t *v, size_t n, uint8_t *out) {
#if HR_X86
    if (hr_cpu_get()->avx2) {
        return delta32_avx2(v, n, out);
    }
#endif
    return delta32_body(v, n, out, hr_pqw_pack32_scalar);
}

size_t hr_pqw_delta64_estimate(const int64_t *v, size_t n) {
    uint8_t head[40];
    return put_header(n, n > 0 ? v[0] : 0, head) + (n > 1 ? estimate64_body(v, n) : 0);
}

size_t hr_pqw_delta32_estimate(const int32_t *v, size_t n) {
    uint8_t head[40];
    return put_header(n, n > 0 ? v[0] : 0, head) + (n > 1 ? estimate32_body(v, n) : 0);
}
