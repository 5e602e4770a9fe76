/* format/csv/csv_eight_avx2.c - numbers and dates, eight cells at a time, for AVX2.
 *
 * As in csv_kernels_avx2.c the 16 bytes that END with a cell are loaded, but cells i and i + 4 of
 * eight share a register, so that the packs and multiply-adds, which work on halves, leave values
 * in the cells' order. What is asked of a byte (is it in the cell, the sign, a digit, the point) is
 * a byte of all ones; what is wrong anywhere in a cell is packed down to one bit of it. Nothing
 * branches on a value.
 *
 * A cell's start and end are loaded as one, so this is for records that lie as the index left
 * them (each cell starts behind the end of the one in front); csv_kernels_avx2.c calls it for those
 * and takes the others, and what is left of a run behind the last whole eight, one by one.
 */
#include "format/csv/csv_dates.h"
#include "format/csv/csv_internal.h"

#if HR_X86
#include <immintrin.h>

/* gcc would call the larger ones, with their vectors through memory. */
#define INLINE HR_TARGET_AVX2 __attribute__((always_inline))

/* The number of each byte in its half of a register. */
INLINE static inline __m256i places(void) {
    return _mm256_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5,
                            6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
}

/* All ones in the last byte of each half, the one in front of the cell's delimiter. */
INLINE static inline __m256i last_places(void) {
    return _mm256_cmpeq_epi8(places(), _mm256_set1_epi8(15));
}

INLINE static inline __m128i load_two(const uint32_t *at, size_t step) {
    const __m128i one = _mm_loadl_epi64((const __m128i *)(const void *)at);
    const __m128i two = _mm_loadl_epi64((const __m128i *)(const void *)(at + step));
    return _mm_unpacklo_epi64(one, two);
}

/* The lengths of eight cells, in order; `at` is the entry in front of the first one's end. */
INLINE static inline __m256i lengths(const uint32_t *at, size_t step, uint32_t delta) {
    const __m256i a = _mm256_inserti128_si256(_mm256_castsi128_si256(load_two(at, step)),
                                              load_two(at + 4 * step, step), 1);
    const __m256i b = _mm256_inserti128_si256(_mm256_castsi128_si256(load_two(at + 2 * step, step)),
                                              load_two(at + 6 * step, step), 1);
    const __m256 x = _mm256_castsi256_ps(a);
    const __m256 y = _mm256_castsi256_ps(b);
    const __m256i starts = _mm256_castps_si256(_mm256_shuffle_ps(x, y, 0x88));
    const __m256i ends = _mm256_castps_si256(_mm256_shuffle_ps(x, y, 0xdd));
    return _mm256_sub_epi32(_mm256_sub_epi32(ends, starts), _mm256_set1_epi32((int)delta));
}

/* 16 bytes at each of two places. */
INLINE static inline __m256i load_pair(const uint8_t *low, const uint8_t *high) {
    const __m128i a = _mm_loadu_si128((const __m128i *)(const void *)low);
    const __m128i b = _mm_loadu_si128((const __m128i *)(const void *)high);
    return _mm256_inserti128_si256(_mm256_castsi128_si256(a), b, 1);
}

/* Four registers of two cells each down to eight dwords in order: non-zero where any byte is. */
INLINE static inline __m256i pack_cells(__m256i a, __m256i b, __m256i c, __m256i d) {
    return _mm256_packs_epi16(_mm256_packs_epi16(a, b), _mm256_packs_epi16(c, d));
}

INLINE static inline __m256i is_zero(__m256i v) {
    return _mm256_cmpeq_epi32(v, _mm256_setzero_si256());
}

INLINE static inline unsigned bits_of(__m256i v) {
    return (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(v));
}

/* Two cells: the values of their digits, zero elsewhere, and what was found out about them. */
struct two {
    __m256i digits;
    __m256i minus; /* ones in the byte that is one */
    __m256i odd;   /* any bit: for the exact path */
    __m256i point; /* in each qword: 16 + the point's place, 0: no point */
};

/* `begin`: in each byte 15 less the cell's length, so that begin + 1 is the place of its first. */
INLINE static inline struct two two_of(__m256i v, __m256i begin, bool decimal) {
    const __m256i keep = _mm256_cmpgt_epi8(places(), begin);
    const __m256i first = _mm256_cmpeq_epi8(_mm256_sub_epi8(places(), _mm256_set1_epi8(1)), begin);
    const __m256i minus = _mm256_and_si256(first, _mm256_cmpeq_epi8(v, _mm256_set1_epi8('-')));
    const __m256i body = _mm256_xor_si256(keep, minus);
    const __m256i digits = _mm256_and_si256(body, _mm256_sub_epi8(v, _mm256_set1_epi8('0')));
    /* The first byte that is no sign, and whether it is a zero with more behind it. */
    const __m256i lead =
        _mm256_or_si256(_mm256_xor_si256(first, minus), _mm256_bslli_epi128(minus, 1));
    __m256i zero = _mm256_and_si256(lead, _mm256_cmpeq_epi8(digits, last_places()));
    struct two t = {.digits = digits, .minus = minus};
    __m256i whole = body; /* what must hold the last place */
    __m256i wide = _mm256_setzero_si256();
    if (decimal) {
        const __m256i points = _mm256_and_si256(body, _mm256_cmpeq_epi8(v, _mm256_set1_epi8('.')));
        const __m256i where =
            _mm256_and_si256(points, _mm256_add_epi8(places(), _mm256_set1_epi8(16)));
        const __m256i half = _mm256_sad_epu8(where, _mm256_setzero_si256());
        t.point = _mm256_add_epi64(half, _mm256_shuffle_epi32(half, 0x4e));
        /* What stands in front of the point moves up by one. Of several points one goes at most,
         * and another is no digit. */
        const __m256i up = _mm256_cmpgt_epi8(_mm256_shuffle_epi8(t.point, _mm256_setzero_si256()),
                                             _mm256_add_epi8(places(), _mm256_set1_epi8(15)));
        t.digits = _mm256_blendv_epi8(digits, _mm256_bslli_epi128(digits, 1), up);
        zero = _mm256_andnot_si256(_mm256_bsrli_epi128(points, 1), zero);
        /* A point at the very end is left; so are 16 digits. */
        whole = _mm256_andnot_si256(points, body);
        wide = _mm256_andnot_si256(
            up, _mm256_and_si256(body, _mm256_cmpeq_epi8(places(), _mm256_setzero_si256())));
    }
    t.odd = _mm256_or_si256(_mm256_or_si256(_mm256_subs_epu8(t.digits, _mm256_set1_epi8(9)), zero),
                            _mm256_or_si256(_mm256_andnot_si256(whole, last_places()), wide));
    return t;
}

/* Eight cells. Of the values, `a` has cells 0, 1, 4, 5 and `b` 2, 3, 6, 7. */
struct numbers {
    __m256i a, b;             /* uint64 */
    __m256i point_a, point_b; /* as above, in the same order */
    __m256i plus;             /* eight dwords in order: ones where there is no minus */
    unsigned odd;
};

INLINE static inline __m256i fours_of(__m256i digits) {
    const __m256i pairs = _mm256_maddubs_epi16(digits, _mm256_set1_epi16(0x010a)); /* 10, 1 */
    return _mm256_madd_epi16(pairs, _mm256_set1_epi32(0x00010064));                /* 100, 1 */
}

INLINE static inline __m256i values_of(__m256i x, __m256i y) {
    const __m256i packed = _mm256_packus_epi32(fours_of(x), fours_of(y));
    const __m256i eights = _mm256_madd_epi16(packed, _mm256_set1_epi32(0x00012710)); /* 10000, 1 */
    return _mm256_add_epi64(_mm256_mul_epu32(eights, _mm256_set1_epi64x(100000000)),
                            _mm256_srli_epi64(eights, 32));
}

/* The cells whose ends are at[1], at[1 + step], … */
INLINE static inline struct numbers eight_of(const struct csv_run *run, const uint32_t *at,
                                             bool decimal) {
    const size_t step = run->end_stride;
    const uint8_t *text = run->text - 16;
    const uint32_t *end = at + 1;
    const __m256i len = lengths(at, step, run->delta);
    const __m256i most = _mm256_set1_epi32(16);
    const __m256i begin = _mm256_sub_epi32(_mm256_set1_epi32(15), _mm256_min_epu32(len, most));
    /* A cell's byte in all 16 of its half. */
    const __m256i pick = _mm256_setzero_si256();
    const __m256i next = _mm256_set1_epi8(4);
    const __m256i pick1 = _mm256_add_epi8(pick, next);
    const __m256i pick2 = _mm256_add_epi8(pick1, next);
    const __m256i pick3 = _mm256_add_epi8(pick2, next);
    const struct two p = two_of(load_pair(text + end[0], text + end[4 * step]),
                                _mm256_shuffle_epi8(begin, pick), decimal);
    const struct two q = two_of(load_pair(text + end[step], text + end[5 * step]),
                                _mm256_shuffle_epi8(begin, pick1), decimal);
    const struct two r = two_of(load_pair(text + end[2 * step], text + end[6 * step]),
                                _mm256_shuffle_epi8(begin, pick2), decimal);
    const struct two s = two_of(load_pair(text + end[3 * step], text + end[7 * step]),
                                _mm256_shuffle_epi8(begin, pick3), decimal);
    struct numbers n = {.a = values_of(p.digits, q.digits),
                        .b = values_of(r.digits, s.digits),
                        .plus = is_zero(pack_cells(p.minus, q.minus, r.minus, s.minus))};
    const __m256i sound = is_zero(
        _mm256_or_si256(pack_cells(p.odd, q.odd, r.odd, s.odd), _mm256_cmpgt_epi32(len, most)));
    n.odd = bits_of(sound) ^ 0xff;
    if (decimal) {
        n.point_a = _mm256_unpacklo_epi64(p.point, q.point);
        n.point_b = _mm256_unpacklo_epi64(r.point, s.point);
    }
    return n;
}

/* Cells 0, 1, 4, 5 and 2, 3, 6, 7 of 8 bytes to out[0 … 7]. */
INLINE static inline void store_eight(uint8_t *out, __m256i a, __m256i b) {
    __m256i *to = (__m256i *)(void *)out;
    _mm256_storeu_si256(to, _mm256_permute2x128_si256(a, b, 0x20));
    _mm256_storeu_si256(to + 1, _mm256_permute2x128_si256(a, b, 0x31));
}

/* 64-bit `v` less where `minus` has ones. */
INLINE static inline __m256i negate(__m256i v, __m256i minus) {
    return _mm256_sub_epi64(_mm256_xor_si256(v, minus), minus);
}

INLINE static inline __m256i minus_of(const struct numbers *n) {
    return _mm256_xor_si256(n->plus, _mm256_set1_epi32(-1));
}

HR_TARGET_AVX2 uint64_t hr_csv_eight_i64(const struct csv_run *run, unsigned count, int64_t *out) {
    const uint32_t *at = run->starts;
    uint64_t slow = 0;
    for (unsigned i = 0; i < count; i += 8, at += 8 * run->end_stride) {
        const struct numbers n = eight_of(run, at, false);
        const __m256i minus = minus_of(&n);
        store_eight((uint8_t *)(out + i), negate(n.a, _mm256_unpacklo_epi32(minus, minus)),
                    negate(n.b, _mm256_unpackhi_epi32(minus, minus)));
        slow |= (uint64_t)n.odd << i;
    }
    return slow;
}

/* 10^(digits behind the point), by 16 + the point's place; 0: no point. */
static const double BY_POINT[32] = {1e0, 0,   0,   0,   0,   0,    0,    0,    0,    0,    0,
                                    0,   0,   0,   0,   0,   1e15, 1e14, 1e13, 1e12, 1e11, 1e10,
                                    1e9, 1e8, 1e7, 1e6, 1e5, 1e4,  1e3,  1e2,  1e1,  1e0};

/* The values over their powers of ten; below 2^52 an integer is the low bits of 2^52 + itself. */
INLINE static inline __m256i quotients(__m256i v, __m256i point) {
    const __m256i big = _mm256_set1_epi64x(0x4330000000000000);
    const __m256i at = _mm256_and_si256(point, _mm256_set1_epi64x(31));
    const __m256d power = _mm256_i64gather_pd(BY_POINT, at, 8);
    const __m256d whole =
        _mm256_sub_pd(_mm256_castsi256_pd(_mm256_or_si256(v, big)), _mm256_castsi256_pd(big));
    return _mm256_castpd_si256(_mm256_div_pd(whole, power));
}

HR_TARGET_AVX2 uint64_t hr_csv_eight_f64(const struct csv_run *run, unsigned count, double *out) {
    const uint32_t *at = run->starts;
    uint64_t slow = 0;
    for (unsigned i = 0; i < count; i += 8, at += 8 * run->end_stride) {
        const struct numbers n = eight_of(run, at, true);
        const __m256i sign = _mm256_slli_epi32(minus_of(&n), 31);
        const __m256i none = _mm256_setzero_si256();
        store_eight((uint8_t *)(out + i),
                    _mm256_or_si256(quotients(n.a, n.point_a), _mm256_unpacklo_epi32(none, sign)),
                    _mm256_or_si256(quotients(n.b, n.point_b), _mm256_unpackhi_epi32(none, sign)));
        slow |= (uint64_t)n.odd << i;
    }
    return slow;
}

HR_TARGET_AVX2 uint64_t hr_csv_eight_dec(const struct csv_run *run, unsigned count, int scale,
                                         int64_t *out) {
    static const uint64_t up[8] = {1, 10, 100, 1000, 0, 0, 0, 0};
    const uint32_t *at = run->starts;
    uint64_t slow = 0;
    for (unsigned i = 0; i < count; i += 8, at += 8 * run->end_stride) {
        const struct numbers n = eight_of(run, at, true);
        const __m256i minus = minus_of(&n);
        uint64_t point[8];
        store_eight((uint8_t *)(out + i), negate(n.a, _mm256_unpacklo_epi32(minus, minus)),
                    negate(n.b, _mm256_unpackhi_epi32(minus, minus)));
        store_eight((uint8_t *)point, n.point_a, n.point_b);
        slow |= (uint64_t)n.odd << i;
        for (unsigned k = 0; k < 8; k++) {
            const int missing = scale - (point[k] != 0 ? 31 - (int)point[k] : 0);
            /* 15 digits and three more fit an int64. */
            slow |= (uint64_t)((unsigned)missing > 3) << (i + k);
            out[i + k] = (int64_t)((uint64_t)out[i + k] * up[missing & 7]);
        }
    }
    return slow;
}

/* ---- dates ---- */

/* Two of YYYY-MM-DD: in each half's first 8 bytes the year and month * 100 + day; *odd gets bits in
 * those that are no dates by their bytes. */
INLINE static inline __m256i two_dates(const uint8_t *low, const uint8_t *high, __m256i *odd) {
    const __m256i form =
        _mm256_broadcastsi128_si256(_mm_setr_epi32(0x30303030, 0x2d30302d, 0x00003030, 0));
    const __m256i most =
        _mm256_broadcastsi128_si256(_mm_setr_epi32(0x09090909, 0x00090900, (int)0xffff0909, -1));
    const __m256i order =
        _mm256_broadcastsi128_si256(_mm_setr_epi32(0x03020100, 0x09080605, -1, -1));
    const __m256i join = _mm256_set1_epi32(0x00010064); /* 100, 1 */
    const __m256i digits = _mm256_xor_si256(load_pair(low, high), form);
    *odd = _mm256_subs_epu8(digits, most);
    const __m256i eight = _mm256_shuffle_epi8(digits, order);
    return _mm256_madd_epi16(_mm256_maddubs_epi16(eight, _mm256_set1_epi16(0x010a)), join);
}

/* As in csv_kernels_avx2.c: year and month-day each find their part in a table. What is beyond a
 * table has odd bytes, or meets the table's last entry, which is no day. */
INLINE static inline __m256i days_of(__m256i year, __m256i day, __m256i *none) {
    const __m256i begin = _mm256_i32gather_epi32(
        (const int *)hr_csv_years, _mm256_min_epu32(year, _mm256_set1_epi32(9999)), 4);
    const __m256i leap = _mm256_and_si256(begin, _mm256_set1_epi32(1));
    const __m256i at = _mm256_add_epi32(_mm256_min_epu32(day, _mm256_set1_epi32(1299)),
                                        _mm256_mullo_epi32(leap, _mm256_set1_epi32(1300)));
    /* Two entries of 16 bits at a time: nothing behind the table is read. */
    const __m256i pair =
        _mm256_i32gather_epi32((const int *)(const void *)hr_csv_days, _mm256_srli_epi32(at, 1), 4);
    const __m256i shift = _mm256_slli_epi32(_mm256_and_si256(at, _mm256_set1_epi32(1)), 4);
    const __m256i absent = _mm256_set1_epi32(UINT16_MAX);
    const __m256i days = _mm256_and_si256(_mm256_srlv_epi32(pair, shift), absent);
    *none = _mm256_cmpeq_epi32(days, absent);
    return _mm256_add_epi32(_mm256_srai_epi32(begin, 1), days);
}

HR_TARGET_AVX2 uint64_t hr_csv_eight_date(const struct csv_run *run, unsigned count, int32_t *out) {
    const uint32_t *at = run->starts;
    const size_t step = run->end_stride;
    const uint32_t delta = run->delta;
    const uint8_t *text = run->text;
    uint64_t slow = 0;
    for (unsigned i = 0; i < count; i += 8, at += 8 * step) {
        __m256i odd[4];
        __m256i parts[4];
        __m256i none;
        for (size_t k = 0; k < 4; k++) { /* the first start of a window is -1: sums of 32 bits */
            parts[k] = two_dates(text + (uint32_t)(at[k * step] + delta),
                                 text + (uint32_t)(at[(k + 4) * step] + delta), &odd[k]);
        }
        const __m256 a = _mm256_castsi256_ps(_mm256_unpacklo_epi64(parts[0], parts[1]));
        const __m256 b = _mm256_castsi256_ps(_mm256_unpacklo_epi64(parts[2], parts[3]));
        const __m256i days = days_of(_mm256_castps_si256(_mm256_shuffle_ps(a, b, 0x88)),
                                     _mm256_castps_si256(_mm256_shuffle_ps(a, b, 0xdd)), &none);
        _mm256_storeu_si256((__m256i *)(void *)(out + i), days);
        const __m256i ten = _mm256_cmpeq_epi32(lengths(at, step, delta), _mm256_set1_epi32(10));
        const __m256i sound =
            is_zero(_mm256_or_si256(pack_cells(odd[0], odd[1], odd[2], odd[3]), none));
        slow |= (uint64_t)(bits_of(_mm256_and_si256(sound, ten)) ^ 0xff) << i;
    }
    return slow;
}
#endif
