/* format/parquet/pq_enc_rle.c - bit packing and the RLE / bit-packing hybrid, for dictionary
 * indexes, levels and booleans (Encodings.md, "Run Length Encoding / Bit-Packing Hybrid").
 *
 * The stream is a row of runs: varint(count << 1) and the value in whole bytes, or
 * varint(groups << 1 | 1) and groups of 8 packed values. The input is walked in blocks of 32; a
 * block of equal values starts an RLE run when that saves space, which then goes on for as long as
 * the value repeats; everything between RLE runs is packed, so every packed run but the last is a
 * multiple of 32 values.
 */
#include "format/parquet/pq_enc.h"

#include "format/parquet/pq_enc_pack.h"

#define RUN_GROUPS_MAX 8188u /* of 8 values: 2 header bytes, a multiple of 4 groups */

#if HR_X86
HR_TARGET_AVX2 static uint8_t *pack_avx2(const uint32_t *v, size_t n, int width, uint8_t *out) {
    return hr_pqw_pack32_avx2(v, n, width, out);
}
#endif

size_t hr_pqw_pack32(const uint32_t *v, size_t n, int width, uint8_t *out) {
#if HR_X86
    if (hr_cpu_get()->avx2) {
        return (size_t)(pack_avx2(v, n, width, out) - out);
    }
#endif
    return (size_t)(hr_pqw_pack32_scalar(v, n, width, out) - out);
}

size_t hr_pqw_rle32_bound(size_t n, int width) {
    return (n / 32 + 1) * (4 * (size_t)width + 12) + 64;
}

size_t hr_pqw_rle_run(uint32_t value, size_t n, int width, uint8_t *out) {
    size_t len = hr_pqw_put_varint(out, (uint64_t)n << 1);
    for (int bits = width; bits > 0; bits -= 8) {
        out[len++] = (uint8_t)value;
        value >>= 8;
    }
    return len;
}

/* An RLE run costs about 3 bytes and splits the packed run around it. */
HR_PQW_INLINE bool run_pays(size_t n, int width) {
    return n * (size_t)width >= 64;
}

/* ---- 32-bit values ---- */

typedef uint8_t *pack_fn(const uint32_t *v, size_t n, int width, uint8_t *out);
typedef bool equal_fn(const uint32_t *v);

HR_PQW_INLINE bool equal32_scalar(const uint32_t *v) {
    uint32_t diff = 0;
    for (int i = 1; i < 32; i++) {
        diff |= v[i] ^ v[0];
    }
    return diff == 0;
}

HR_PQW_INLINE uint8_t *packed_runs(const uint32_t *v, size_t n, int width, uint8_t *out,
                                   pack_fn pack) {
    while (n >= 8) {
        size_t groups = n / 8;
        if (groups > RUN_GROUPS_MAX) {
            groups = RUN_GROUPS_MAX;
        } else if (n % 8 != 0 && groups >= 4) {
            groups = groups / 4 * 4; /* the last, odd groups get their own run below */
        }
        if (groups * 8 == n || groups >= 4) {
            out += hr_pqw_put_varint(out, groups << 1 | 1);
            out = pack(v, groups * 8, width, out);
            v += groups * 8;
            n -= groups * 8;
        } else {
            break;
        }
    }
    if (n > 0) { /* fewer than 32 values, the end of the stream: padded with zeros */
        uint32_t last[32] = {0};
        memcpy(last, v, n * sizeof(*v));
        const size_t groups = (n + 7) / 8;
        out += hr_pqw_put_varint(out, groups << 1 | 1);
        out = pack(last, groups * 8, width, out);
    }
    return out;
}

HR_PQW_INLINE size_t rle32_body(const uint32_t *v, size_t n, int width, uint8_t *out, pack_fn pack,
                                equal_fn equal) {
    uint8_t *const begin = out;
    size_t from = 0, p = 0; /* [from, p) waits to be packed */
    while (p + 32 <= n) {
        if (hr_likely(v[p] != v[p + 31]) || !equal(v + p)) {
            p += 32;
            continue;
        }
        size_t end = p + 32;
        while (end + 32 <= n && v[end] == v[p] && equal(v + end)) {
            end += 32;
        }
        while (end < n && v[end] == v[p]) {
            end++;
        }
        if (!run_pays(end - p, width)) {
            p += 32;
            continue;
        }
        out = packed_runs(v + from, p - from, width, out, pack);
        out += hr_pqw_rle_run(v[p], end - p, width, out);
        from = p = end;
    }
    out = packed_runs(v + from, n - from, width, out, pack);
    return (size_t)(out - begin);
}

#if HR_X86
HR_PQW_INLINE HR_TARGET_AVX2 bool equal32_avx2(const uint32_t *v) {
    const __m256i first = _mm256_set1_epi32((int)v[0]);
    __m256i diff = _mm256_setzero_si256();
    for (int i = 0; i < 32; i += 8) {
        const __m256i x = _mm256_loadu_si256((const __m256i *)(const void *)(v + i));
        diff = _mm256_or_si256(diff, _mm256_xor_si256(x, first));
    }
    return _mm256_testz_si256(diff, diff) != 0;
}

HR_TARGET_AVX2 static size_t rle32_avx2(const uint32_t *v, size_t n, int width, uint8_t *out) {
    return rle32_body(v, n, width, out, hr_pqw_pack32_avx2, equal32_avx2);
}
#endif

size_t hr_pqw_rle32(const uint32_t *v, size_t n, int width, uint8_t *out) {
    if (width == 0) {
        return n > 0 ? hr_pqw_rle_run(0, n, 0, out) : 0;
    }
#if HR_X86
    if (hr_cpu_get()->avx2) {
        return rle32_avx2(v, n, width, out);
    }
#endif
    return rle32_body(v, n, width, out, hr_pqw_pack32_scalar, equal32_scalar);
}

/* ---- levels: one byte each ---- */

/* Squeeze 8 bytes below 2^width to 8 * width bits. */
HR_PQW_INLINE uint64_t squeeze8(uint64_t x, int width) {
    const uint64_t w = (uint64_t)width;
    const uint64_t mask1 = (1u << w) - 1;
    uint64_t packed = 0;
    for (int i = 0; i < 8; i++) {
        packed |= ((x >> (8 * i)) & mask1) << ((unsigned)i * w);
    }
    return packed;
}

HR_PQW_INLINE uint8_t *pack8_runs(const uint8_t *v, size_t n, int width, uint8_t *out) {
    while (n > 0) {
        size_t groups = (n + 7) / 8;
        if (groups > RUN_GROUPS_MAX) {
            groups = RUN_GROUPS_MAX;
        }
        out += hr_pqw_put_varint(out, groups << 1 | 1);
        for (size_t g = 0; g < groups; g++) {
            uint64_t x = 0;
            if (n >= 8) {
                x = hr_pqw_get64(v);
                v += 8;
                n -= 8;
            } else {
                for (size_t i = 0; i < n; i++) {
                    x |= (uint64_t)v[i] << (8 * i);
                }
                n = 0;
            }
            hr_pqw_put64(out, squeeze8(x, width));
            out += width;
        }
    }
    return out;
}

HR_PQW_INLINE bool equal8(const uint8_t *v) { /* 32 levels */
    const uint64_t first = hr_pqw_get64(v);
    return first == v[0] * 0x0101010101010101ULL && hr_pqw_get64(v + 8) == first &&
           hr_pqw_get64(v + 16) == first && hr_pqw_get64(v + 24) == first;
}

size_t hr_pqw_rle8(const uint8_t *v, size_t n, int width, uint8_t *out) {
    uint8_t *const begin = out;
    size_t from = 0, p = 0;
    if (width == 0) {
        return n > 0 ? hr_pqw_rle_run(0, n, 0, out) : 0;
    }
    while (p + 32 <= n) {
        if (!equal8(v + p)) {
            p += 32;
            continue;
        }
        size_t end = p + 32;
        while (end + 32 <= n && v[end] == v[p] && equal8(v + end)) {
            end += 32;
        }
        while (end < n && v[end] == v[p]) {
            end++;
        }
        if (!run_pays(end - p, width)) {
            p += 32;
            continue;
        }
        out = pack8_runs(v + from, p - from, width, out);
        out += hr_pqw_rle_run(v[p], end - p, width, out);
        from = p = end;
    }
    out = pack8_runs(v + from, n - from, width, out);
    return (size_t)(out - begin);
}

/* ---- bitmaps ---- */

/* 64 bits from bit `at`; bits behind the bitmap are whatever lies there. */
HR_PQW_INLINE uint64_t bits64(const uint8_t *bits, size_t at) {
    const unsigned shift = at & 7;
    const uint64_t low = hr_pqw_get64(bits + (at >> 3)) >> shift;
    return shift == 0 ? low : low | (uint64_t)bits[(at >> 3) + 8] << (64 - shift);
}

static uint8_t *pack_bits(const uint8_t *bits, size_t at, size_t n, uint8_t *out) {
    while (n > 0) {
        size_t groups = (n + 7) / 8;
        if (groups > RUN_GROUPS_MAX) {
            groups = RUN_GROUPS_MAX / 8 * 8;
        }
        out += hr_pqw_put_varint(out, groups << 1 | 1);
        size_t take = groups * 8 < n ? groups * 8 : n;
        n -= take;
        for (; take >= 64; take -= 64, at += 64, out += 8) {
            hr_pqw_put64(out, bits64(bits, at));
        }
        if (take > 0) {
            hr_pqw_put64(out, bits64(bits, at) & (~0ULL >> (64 - take)));
            at += take;
            out += (take + 7) / 8;
        }
    }
    return out;
}

/* How many bits from `at` on, at most n, equal the one there. */
static size_t bits_run(const uint8_t *bits, size_t at, size_t n) {
    const uint64_t flip = (bits[at >> 3] >> (at & 7)) & 1 ? ~0ULL : 0;
    size_t run = 0;
    while (run < n) {
        const uint64_t other = bits64(bits, at + run) ^ flip;
        if (other != 0) {
            run += (size_t)__builtin_ctzll(other);
            break;
        }
        run += 64;
    }
    return run < n ? run : n;
}

size_t hr_pqw_rle_bits(const uint8_t *bits, size_t from, size_t n, uint8_t *out) {
    uint8_t *const begin = out;
    size_t packed = 0, p = 0; /* [packed, p) waits to be packed */
    while (p + 64 <= n) {
        const uint64_t word = bits64(bits, from + p);
        if (word != 0 && ~word != 0) {
            p += 64;
            continue;
        }
        const size_t run = bits_run(bits, from + p, n - p);
        out = pack_bits(bits, from + packed, p - packed, out);
        out += hr_pqw_rle_run(word != 0, run, 1, out);
        packed = p = p + run;
    }
    out = pack_bits(bits, from + packed, n - packed, out);
    return (size_t)(out - begin);
}
