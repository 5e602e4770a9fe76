/* format/csv/csv_index.c - where cells end: one pass over the bytes, 64 at a time.
 *
 * Each 64 bytes become bit masks: delimiters, newlines, quotes. The prefix-xor of the quote mask
 * (a carry-less multiplication by all ones) has a bit set for every byte inside quotes, the opening
 * quote included and the closing one not, so "" inside quotes closes and opens again and needs no
 * care. Delimiters and newlines outside are written out as positions. Quotes that RFC 4180 does not
 * know - one that opens in the middle of a cell, one that closes in front of more text - are only
 * noticed (`odd`): that window is cut again by the exact engine in csv_tokens.c.
 *
 * Three forms of the same function: portable, AVX2 (positions one by one, the first twelve
 * without a branch), AVX-512 (positions by one compress). The tests hold them equal on every input.
 */
#include "format/csv/csv_internal.h"

#if HR_X86
#include <immintrin.h>
#endif

/* The masks of 64 bytes. */
struct masks {
    uint64_t delim, newline, quote, carriage;
};

/* Everything after the compares; inlined into each form so that it is compiled for its machine.
 * `prefix` is the prefix-xor of m.quote, `keep` has a bit for each byte that counts. Returns the
 * mask of cell ends. */
static inline __attribute__((always_inline)) uint64_t
settle(struct masks m, uint64_t prefix, uint64_t keep, struct csv_index_state *s) {
    const uint64_t inside = prefix ^ s->inside;
    const uint64_t ends = (m.delim | m.newline) & ~inside;
    const uint64_t boundary = ends | m.quote;
    const uint64_t may_open = boundary << 1 | s->boundary;
    const uint64_t closing = m.quote & ~inside;
    const uint64_t behind = closing << 1 | s->closed;
    s->odd |= (m.quote & inside & ~may_open) |
              (behind & keep & ~(m.delim | m.newline | m.quote | m.carriage));
    s->boundary = boundary >> 63;
    s->closed = closing >> 63;
    s->inside = (uint64_t)((int64_t)inside >> 63);
    s->newlines += (size_t)__builtin_popcountll(m.newline & ~inside);
    s->all_newlines += (size_t)__builtin_popcountll(m.newline);
    return ends;
}

static inline struct masks cut(struct masks m, uint64_t keep) {
    return (struct masks){m.delim & keep, m.newline & keep, m.quote & keep, m.carriage & keep};
}

/* ---- portable ---- */

/* One bit for each of eight bytes that equals the byte `what` is made of. Exact: no carry crosses a
 * byte. */
static inline uint64_t equal8(uint64_t v, uint64_t what) {
    const uint64_t low = 0x7f7f7f7f7f7f7f7fULL;
    const uint64_t x = v ^ what;
    const uint64_t zero = ~(((x & low) + low) | x | low); /* 0x80 where the byte is zero */
    return ((zero >> 7) * 0x0102040810204080ULL) >> 56;
}

static struct masks masks_scalar(const uint8_t *p, size_t len, const struct csv_marks *marks,
                                 uint64_t *high) {
    const uint64_t ones = 0x0101010101010101ULL;
    struct masks m = {0};
    for (unsigned i = 0; i < len; i += 8) {
        uint64_t v;
        memcpy(&v, p + i, 8); /* there is padding behind the window */
        m.delim |= equal8(v, marks->delim * ones) << i;
        m.newline |= equal8(v, marks->newline * ones) << i;
        m.quote |= equal8(v, marks->quote * ones) << i;
        m.carriage |= equal8(v, '\r' * ones) << i;
        *high |= len - i >= 8 ? v & (0x80 * ones) : 0;
    }
    for (size_t i = len & ~(size_t)7; i < len; i++) {
        *high |= p[i] & 0x80;
    }
    return m;
}

static uint64_t prefix_scalar(uint64_t v) {
    for (unsigned shift = 1; shift < 64; shift *= 2) {
        v ^= v << shift;
    }
    return v;
}

void hr_csv_index_scalar(const uint8_t *text, size_t from, size_t to, const struct csv_marks *marks,
                         uint32_t *ends, struct csv_index_state *state) {
    for (size_t at = from; at < to; at += 64) {
        const size_t len = to - at < 64 ? to - at : 64;
        struct masks m = masks_scalar(text + at, len, marks, &state->high);
        const uint64_t keep = ~(uint64_t)0 >> (64 - len);
        m = cut(m, keep);
        if (!marks->quoting) {
            m.quote = 0;
        }
        uint64_t bits = settle(m, prefix_scalar(m.quote), keep, state);
        for (; bits != 0; bits &= bits - 1) {
            ends[state->ends++] = (uint32_t)at + (uint32_t)__builtin_ctzll(bits);
        }
    }
}

size_t hr_csv_count(const uint8_t *text, size_t len, uint8_t byte) {
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        n += text[i] == byte;
    }
    return n;
}

#if HR_X86

/* ---- AVX2 ---- */

HR_TARGET_AVX2 static inline uint64_t equal64(__m256i a, __m256i b, uint8_t byte) {
    const __m256i what = _mm256_set1_epi8((char)byte);
    const uint32_t low = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(a, what));
    const uint32_t high = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(b, what));
    return low | (uint64_t)high << 32;
}

HR_TARGET_AVX2 static inline uint64_t prefix_clmul(uint64_t v) {
    const __m128i ones = _mm_set1_epi8((char)0xff);
    return (uint64_t)_mm_cvtsi128_si64(
        _mm_clmulepi64_si128(_mm_set_epi64x(0, (int64_t)v), ones, 0));
}

/* Positions of the set bits: UNASKED of them without asking, because how many there are changes
 * from block to block and a wrong guess costs more than writing a few too many (64 bytes of numbers
 * have about eight); the rest one by one. */
#define UNASKED 12
HR_TARGET_AVX2 static inline uint32_t *write_bits(uint32_t *out, uint32_t base, uint64_t bits) {
    const unsigned n = (unsigned)_mm_popcnt_u64(bits);
    for (unsigned i = 0; i < UNASKED; i++) {
        out[i] = base + (uint32_t)_tzcnt_u64(bits);
        bits = _blsr_u64(bits);
    }
    for (unsigned i = UNASKED; hr_unlikely(i < n); i++) {
        out[i] = base + (uint32_t)_tzcnt_u64(bits);
        bits = _blsr_u64(bits);
    }
    return out + n;
}

HR_TARGET_AVX2 void hr_csv_index_avx2(const uint8_t *text, size_t from, size_t to,
                                      const struct csv_marks *marks, uint32_t *ends,
                                      struct csv_index_state *state) {
    struct csv_index_state s = *state;
    uint32_t *out = ends + s.ends;
    const uint64_t quoting = marks->quoting ? ~(uint64_t)0 : 0;
    __m256i high = _mm256_setzero_si256();
    for (size_t at = from; at < to; at += 64) {
        const __m256i a = _mm256_loadu_si256((const __m256i *)(const void *)(text + at));
        const __m256i b = _mm256_loadu_si256((const __m256i *)(const void *)(text + at + 32));
        struct masks m = {equal64(a, b, marks->delim), equal64(a, b, marks->newline),
                          equal64(a, b, marks->quote) & quoting, equal64(a, b, '\r')};
        uint64_t keep = ~(uint64_t)0;
        if (hr_unlikely(to - at < 64)) {
            keep >>= 64 - (to - at);
            m = cut(m, keep);
            for (size_t i = at; i < to; i++) {
                s.high |= text[i] & 0x80;
            }
        } else {
            high = _mm256_or_si256(high, _mm256_or_si256(a, b));
        }
        out = write_bits(out, (uint32_t)at, settle(m, prefix_clmul(m.quote), keep, &s));
    }
    s.high |= (uint64_t)(uint32_t)_mm256_movemask_epi8(high);
    s.ends = (size_t)(out - ends);
    *state = s;
}

/* ---- AVX-512 ---- */

/* Sixteen of the byte positions as entries. (maskz forms: gcc 12 warns about the plain ones.) */
HR_TARGET_AVX512 static inline void write_sixteen(uint32_t *out, __m512i base, __m128i at) {
    const __m512i wide = _mm512_maskz_cvtepu8_epi32(0xffff, at);
    _mm512_storeu_si512(out, _mm512_add_epi32(base, wide));
}

HR_TARGET_AVX512 static inline uint32_t *write_bits_512(uint32_t *out, uint32_t base,
                                                        uint64_t bits) {
    const __m512i numbers = _mm512_set_epi8(
        63, 62, 61, 60, 59, 58, 57, 56, 55, 54, 53, 52, 51, 50, 49, 48, 47, 46, 45, 44, 43, 42, 41,
        40, 39, 38, 37, 36, 35, 34, 33, 32, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18,
        17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    const __m512i at = _mm512_maskz_compress_epi8(bits, numbers);
    const __m512i add = _mm512_set1_epi32((int)base);
    const unsigned n = (unsigned)_mm_popcnt_u64(bits);
    write_sixteen(out, add, _mm512_maskz_extracti32x4_epi32(0xf, at, 0));
    if (hr_unlikely(n > 16)) {
        write_sixteen(out + 16, add, _mm512_maskz_extracti32x4_epi32(0xf, at, 1));
        write_sixteen(out + 32, add, _mm512_maskz_extracti32x4_epi32(0xf, at, 2));
        write_sixteen(out + 48, add, _mm512_maskz_extracti32x4_epi32(0xf, at, 3));
    }
    return out + n;
}

/* One block; inlined twice, so that whole ones need no mask. */
HR_TARGET_AVX512 static inline __attribute__((always_inline)) uint32_t *
index_block_512(__m512i v, uint32_t at, uint64_t keep, const struct csv_marks *marks, uint32_t *out,
                struct csv_index_state *s) {
    const uint64_t quoting = marks->quoting ? ~(uint64_t)0 : 0;
    const struct masks m = {
        _mm512_mask_cmpeq_epi8_mask(keep, v, _mm512_set1_epi8((char)marks->delim)),
        _mm512_mask_cmpeq_epi8_mask(keep, v, _mm512_set1_epi8((char)marks->newline)),
        _mm512_mask_cmpeq_epi8_mask(keep, v, _mm512_set1_epi8((char)marks->quote)) & quoting,
        _mm512_mask_cmpeq_epi8_mask(keep, v, _mm512_set1_epi8('\r'))};
    const __m128i ones = _mm_set1_epi8((char)0xff);
    const uint64_t prefix = (uint64_t)_mm_cvtsi128_si64(
        _mm_clmulepi64_si128(_mm_set_epi64x(0, (int64_t)m.quote), ones, 0));
    return write_bits_512(out, at, settle(m, prefix, keep, s));
}

HR_TARGET_AVX512 void hr_csv_index_avx512(const uint8_t *text, size_t from, size_t to,
                                          const struct csv_marks *marks, uint32_t *ends,
                                          struct csv_index_state *state) {
    struct csv_index_state s = *state;
    const struct csv_marks own = *marks; /* stores to `ends` could alias the caller's */
    uint32_t *out = ends + s.ends;
    __m512i high = _mm512_setzero_si512();
    size_t at = from;
    for (; at + 64 <= to; at += 64) {
        const __m512i v = _mm512_loadu_si512(text + at);
        high = _mm512_or_si512(high, v);
        out = index_block_512(v, (uint32_t)at, ~(uint64_t)0, &own, out, &s);
    }
    if (at < to) {
        const uint64_t keep = ((uint64_t)1 << (to - at)) - 1;
        const __m512i v = _mm512_maskz_loadu_epi8(keep, text + at);
        high = _mm512_or_si512(high, v);
        out = index_block_512(v, (uint32_t)at, keep, &own, out, &s);
    }
    s.high |= _mm512_movepi8_mask(high);
    s.ends = (size_t)(out - ends);
    *state = s;
}
#endif

csv_index_fn hr_csv_index_pick(void) {
#if HR_X86
    const struct hr_cpu *cpu = hr_cpu_get();
    if (cpu->avx512) {
        return hr_csv_index_avx512;
    }
    if (cpu->avx2) {
        return hr_csv_index_avx2;
    }
#endif
    return hr_csv_index_scalar;
}
