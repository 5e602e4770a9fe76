/* format/csv/csv_kernels_avx512.c - numbers and dates, eight cells at a time.
 *
 * As in csv_kernels_avx2.c the 16 bytes that END with a cell are loaded, but four cells share a
 * register and everything that is asked of a byte (is it in the cell, the sign, a digit, the point)
 * is one bit of a 64-bit mask, 16 bits to a cell. Questions to a cell are answered for four at once
 * by arithmetic on such masks that carries from no cell into the next. Even cells lie in one
 * register and odd ones in another, so that the packing of the multiply-adds brings them in order.
 * Timestamps, text and the cells behind the last whole eight, go the way of AVX2.
 */
#include "format/csv/csv_dates.h"
#include "format/csv/csv_internal.h"

#if HR_X86
#include <immintrin.h>

/* gcc would call the larger ones, with their masks and vectors through memory. */
#define INLINE HR_TARGET_AVX512 __attribute__((always_inline))

#define FIRST 0x0001000100010001ULL /* each cell's first byte of 16 */
#define LAST 0x8000800080008000ULL  /* and the one in front of its delimiter */

/* For each cell LAST's bit when any of its bits is set. */
static inline uint64_t any_bit(uint64_t m) {
    return (((m & ~LAST) + ~LAST) | m) & LAST;
}

/* Bits of LAST of the even and odd cells as eight bits in the cells' order. */
INLINE static inline unsigned in_order(uint64_t even, uint64_t odd) {
    return (unsigned)_pext_u64(even >> 15 | odd >> 14, 0x0003000300030003ULL);
}

/* Where a run stands. */
struct eight {
    const uint8_t *text;
    const uint32_t *start, *end;
    size_t start_step, end_step;
    uint32_t delta;
    __m256i start_at, end_at; /* steps of the eight cells */
};

INLINE static inline struct eight eight_of(const struct csv_run *run) {
    const __m256i numbers = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return (struct eight){
        .text = run->text,
        .start = run->starts,
        .end = run->ends,
        .start_step = run->start_stride,
        .end_step = run->end_stride,
        .delta = run->delta,
        .start_at = _mm256_mullo_epi32(numbers, _mm256_set1_epi32((int)run->start_stride)),
        .end_at = _mm256_mullo_epi32(numbers, _mm256_set1_epi32((int)run->end_stride))};
}

INLINE static inline __m256i lengths(const struct eight *w) {
    const __m256i starts = _mm256_i32gather_epi32((const int *)w->start, w->start_at, 4);
    const __m256i ends = _mm256_i32gather_epi32((const int *)w->end, w->end_at, 4);
    return _mm256_sub_epi32(_mm256_sub_epi32(ends, starts), _mm256_set1_epi32((int)w->delta));
}

static inline void advance(struct eight *w) {
    w->start += 8 * w->start_step;
    w->end += 8 * w->end_step;
}

INLINE static inline __m512i with_cell(__m512i v, __mmask16 where, const uint8_t *p) {
    return _mm512_mask_broadcast_i32x4(v, where, _mm_loadu_si128((const __m128i *)(const void *)p));
}

/* The 16 bytes at text + (at + add) for each second `at`; the sum is one of 32 bits, because the
 * first start of a window is -1. */
INLINE static inline __m512i load_four(const uint8_t *text, const uint32_t *at, size_t step,
                                       uint32_t add) {
    __m512i v = _mm512_maskz_broadcast_i32x4(
        0xffff, _mm_loadu_si128((const __m128i *)(const void *)(text + (uint32_t)(at[0] + add))));
    v = with_cell(v, 0x00f0, text + (uint32_t)(at[2 * step] + add));
    v = with_cell(v, 0x0f00, text + (uint32_t)(at[4 * step] + add));
    return with_cell(v, 0xf000, text + (uint32_t)(at[6 * step] + add));
}

/* Four cells: their digits' values, zero elsewhere, and what was found out about them. */
struct four {
    __m512i digits;
    uint64_t minus; /* LAST's bit: there is one */
    uint64_t odd;   /* any bit: for the exact path */
    uint64_t point; /* the first point of each cell */
};

/* `begin`: for each byte of a cell 16 less its length. */
INLINE static inline struct four four_of(__m512i v, __m512i begin, bool decimal) {
    const __m512i place = _mm512_set4_epi32(0x0f0e0d0c, 0x0b0a0908, 0x07060504, 0x03020100);
    const uint64_t keep = _mm512_cmpge_epu8_mask(place, begin);
    const uint64_t first = _mm512_cmpeq_epi8_mask(place, begin);
    const uint64_t minus = _mm512_mask_cmpeq_epi8_mask(first, v, _mm512_set1_epi8('-'));
    const uint64_t body = keep & ~minus;
    const uint64_t zero = _mm512_mask_cmpeq_epi8_mask(body, v, _mm512_set1_epi8('0'));
    /* A shift out of a cell lands where the next one has no zero that leads. */
    const uint64_t lead = (first | minus << 1) & zero & ~LAST;
    struct four f = {.minus = any_bit(minus), .odd = ~body & LAST};
    f.digits = _mm512_maskz_sub_epi8(body, v, _mm512_set1_epi8('0'));
    if (decimal) {
        const uint64_t points = _mm512_mask_cmpeq_epi8_mask(body, v, _mm512_set1_epi8('.'));
        const uint64_t has = any_bit(points) >> 15;
        f.point = points & ~(points - has);
        /* What stands in front of the point moves up by one. */
        f.digits =
            _mm512_mask_mov_epi8(f.digits, (f.point << 1) - has, _mm512_bslli_epi128(f.digits, 1));
        /* 16 digits are too many, a point alone is none, 0.5 is no leading zero. */
        f.odd |= (body & FIRST & ~has) | (lead & ~(f.point >> 1)) |
                 (f.point & LAST & ~((body << 1) & LAST));
    } else {
        f.odd |= lead;
    }
    f.odd |= _mm512_cmpgt_epu8_mask(f.digits, _mm512_set1_epi8(9));
    return f;
}

/* Eight cells: their digits as numbers and bits in the cells' order. */
struct numbers {
    __m512i value;    /* uint64 */
    __m512i fraction; /* digits behind the point */
    unsigned minus, odd;
};

INLINE static inline __m512i fours_of(__m512i digits) {
    const __m512i pairs = _mm512_maddubs_epi16(digits, _mm512_set1_epi16(0x010a));
    return _mm512_madd_epi16(pairs, _mm512_set1_epi32(0x00010064));
}

/* In each cell's first 8 bytes and its last 8 the digits behind the point, in one of the two. */
INLINE static inline __m512i behind_point(uint64_t point) {
    const __m512i behind = _mm512_set4_epi32(0x00010203, 0x04050607, 0x08090a0b, 0x0c0d0e0f);
    return _mm512_sad_epu8(_mm512_maskz_mov_epi8(point, behind), _mm512_setzero_si512());
}

INLINE static inline struct numbers next_eight(struct eight *w, bool decimal) {
    const __m256i len = lengths(w);
    const __m256i sixteen = _mm256_set1_epi32(16);
    const __m512i begin =
        _mm512_castsi256_si512(_mm256_sub_epi32(sixteen, _mm256_min_epu32(len, sixteen)));
    /* A cell's dword in all 16 bytes of its place. */
    const __m512i pick = _mm512_set_epi32(
        0x18181818, 0x18181818, 0x18181818, 0x18181818, 0x10101010, 0x10101010, 0x10101010,
        0x10101010, 0x08080808, 0x08080808, 0x08080808, 0x08080808, 0, 0, 0, 0);
    const __m512i pick_odd = _mm512_add_epi8(pick, _mm512_set1_epi8(4));
    const struct four a =
        four_of(load_four(w->text - 16, w->end, w->end_step, 0),
                _mm512_maskz_permutexvar_epi8(~(uint64_t)0, pick, begin), decimal);
    const struct four b =
        four_of(load_four(w->text - 16, w->end + w->end_step, w->end_step, 0),
                _mm512_maskz_permutexvar_epi8(~(uint64_t)0, pick_odd, begin), decimal);
    const __m512i packed = _mm512_packus_epi32(fours_of(a.digits), fours_of(b.digits));
    const __m512i eights = _mm512_madd_epi16(packed, _mm512_set1_epi32(0x00012710));
    struct numbers n = {
        .value =
            _mm512_add_epi64(_mm512_maskz_mul_epu32(0xff, eights, _mm512_set1_epi64(100000000)),
                             _mm512_maskz_srli_epi64(0xff, eights, 32)),
        .minus = in_order(a.minus, b.minus),
        .odd = in_order(any_bit(a.odd), any_bit(b.odd)) | _mm256_cmpgt_epu32_mask(len, sixteen)};
    if (decimal) {
        const __m512i x = behind_point(a.point);
        const __m512i y = behind_point(b.point);
        n.fraction = _mm512_add_epi64(_mm512_maskz_unpacklo_epi64(0xff, x, y),
                                      _mm512_maskz_unpackhi_epi64(0xff, x, y));
    }
    advance(w);
    return n;
}

/* What is left of the run behind its cells [0, done). */
static inline struct csv_run rest_of(const struct csv_run *run, unsigned done) {
    struct csv_run rest = *run;
    rest.starts += done * rest.start_stride;
    rest.ends += done * rest.end_stride;
    rest.count -= done;
    return rest;
}

HR_TARGET_AVX512 static uint64_t i64_avx512(const struct csv_run *run, int64_t *out) {
    const unsigned count = run->count & ~7u;
    struct eight w = eight_of(run);
    uint64_t slow = 0;
    for (unsigned i = 0; i < count; i += 8) {
        const struct numbers n = next_eight(&w, false);
        _mm512_storeu_si512(out + i, _mm512_mask_sub_epi64(n.value, (__mmask8)n.minus,
                                                           _mm512_setzero_si512(), n.value));
        slow |= (uint64_t)n.odd << i;
    }
    if (count < run->count) {
        const struct csv_run rest = rest_of(run, count);
        slow |= hr_csv_kernels_avx2.i64(&rest, out + count) << count;
    }
    return slow;
}

HR_TARGET_AVX512 static uint64_t f64_avx512(const struct csv_run *run, double *out) {
    const __m512d low = _mm512_setr_pd(1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7);
    const __m512d high = _mm512_setr_pd(1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15);
    const unsigned count = run->count & ~7u;
    struct eight w = eight_of(run);
    uint64_t slow = 0;
    for (unsigned i = 0; i < count; i += 8) {
        const struct numbers n = next_eight(&w, true);
        const __m512d power = _mm512_permutex2var_pd(low, n.fraction, high);
        const __m512d v = _mm512_div_pd(_mm512_maskz_cvtepi64_pd(0xff, n.value), power);
        const __m512i bits = _mm512_castpd_si512(v);
        _mm512_storeu_si512(out + i, _mm512_mask_or_epi64(bits, (__mmask8)n.minus, bits,
                                                          _mm512_set1_epi64(INT64_MIN)));
        slow |= (uint64_t)n.odd << i;
    }
    if (count < run->count) {
        const struct csv_run rest = rest_of(run, count);
        slow |= hr_csv_kernels_avx2.f64(&rest, out + count) << count;
    }
    return slow;
}

HR_TARGET_AVX512 static uint64_t dec_avx512(const struct csv_run *run, int scale, int64_t *out) {
    const __m512i up = _mm512_setr_epi64(1, 10, 100, 1000, 0, 0, 0, 0);
    const unsigned count = run->count & ~7u;
    struct eight w = eight_of(run);
    uint64_t slow = 0;
    for (unsigned i = 0; i < count; i += 8) {
        const struct numbers n = next_eight(&w, true);
        const __m512i missing = _mm512_sub_epi64(_mm512_set1_epi64(scale), n.fraction);
        /* 15 digits and three more fit an int64. */
        const unsigned far = _mm512_cmpgt_epu64_mask(missing, _mm512_set1_epi64(3));
        const __m512i v =
            _mm512_mullo_epi64(n.value, _mm512_maskz_permutexvar_epi64(0xff, missing, up));
        _mm512_storeu_si512(out + i,
                            _mm512_mask_sub_epi64(v, (__mmask8)n.minus, _mm512_setzero_si512(), v));
        slow |= (uint64_t)(n.odd | far) << i;
    }
    if (count < run->count) {
        const struct csv_run rest = rest_of(run, count);
        slow |= hr_csv_kernels_avx2.dec(&rest, scale, out + count) << count;
    }
    return slow;
}

/* ---- dates ---- */

/* Four of YYYY-MM-DD at every second start: in each cell's first 8 bytes the year and month * 100 +
 * day; *odd gets bits in the cells that are no dates by their bytes. */
INLINE static inline __m512i four_dates(const struct eight *w, const uint32_t *starts,
                                        uint64_t *odd) {
    const __m512i form = _mm512_set4_epi32(0, 0x00003030, 0x2d30302d, 0x30303030);
    const __m512i most = _mm512_set4_epi32(-1, (int)0xffff0909, 0x00090900, 0x09090909);
    const __m512i order = _mm512_set4_epi32(-1, -1, 0x09080605, 0x03020100);
    const __m512i join = _mm512_set4_epi32(0, 0, 0x00010064, 0x00010064);
    const __m512i digits =
        _mm512_xor_si512(load_four(w->text, starts, w->start_step, w->delta), form);
    *odd = _mm512_cmpgt_epu8_mask(digits, most);
    const __m512i eight = _mm512_maskz_shuffle_epi8(~(uint64_t)0, digits, order);
    return _mm512_madd_epi16(_mm512_maddubs_epi16(eight, _mm512_set1_epi16(0x010a)), join);
}

/* As in csv_kernels_avx2.c: year and month-day each find their part in a table. */
INLINE static inline __m256i days_of(__m512i parts, unsigned *odd) {
    const __m256i year = _mm512_maskz_cvtepi64_epi32(0xff, parts);
    const __m256i day = _mm512_maskz_cvtepi64_epi32(0xff, _mm512_maskz_srli_epi64(0xff, parts, 32));
    const __m256i year_at =
        _mm256_maskz_mov_epi32(_mm256_cmplt_epu32_mask(year, _mm256_set1_epi32(10000)), year);
    const __m256i begin = _mm256_i32gather_epi32((const int *)hr_csv_years, year_at, 4);
    const __m256i leap = _mm256_and_si256(begin, _mm256_set1_epi32(1));
    const __m256i day_at = _mm256_add_epi32(
        _mm256_maskz_mov_epi32(_mm256_cmplt_epu32_mask(day, _mm256_set1_epi32(1300)), day),
        _mm256_mullo_epi32(leap, _mm256_set1_epi32(1300)));
    /* Two entries of 16 bits at a time: nothing behind the table is read. */
    const __m256i pair = _mm256_i32gather_epi32((const int *)(const void *)hr_csv_days,
                                                _mm256_srli_epi32(day_at, 1), 4);
    const __m256i shift = _mm256_slli_epi32(_mm256_and_si256(day_at, _mm256_set1_epi32(1)), 4);
    const __m256i none = _mm256_set1_epi32(UINT16_MAX);
    const __m256i days = _mm256_and_si256(_mm256_srlv_epi32(pair, shift), none);
    *odd = _mm256_cmpeq_epi32_mask(days, none);
    return _mm256_add_epi32(_mm256_srai_epi32(begin, 1), days);
}

HR_TARGET_AVX512 static uint64_t date_avx512(const struct csv_run *run, int32_t *out) {
    const unsigned count = run->count & ~7u;
    struct eight w = eight_of(run);
    uint64_t slow = 0;
    for (unsigned i = 0; i < count; i += 8) {
        uint64_t odd_a;
        uint64_t odd_b;
        unsigned no_day;
        const __m512i a = four_dates(&w, w.start, &odd_a);
        const __m512i b = four_dates(&w, w.start + w.start_step, &odd_b);
        const __m256i len = lengths(&w);
        const __m256i days = days_of(_mm512_maskz_unpacklo_epi64(0xff, a, b), &no_day);
        _mm256_storeu_si256((__m256i *)(void *)(out + i), days);
        const unsigned odd = in_order(any_bit(odd_a), any_bit(odd_b)) | no_day |
                             _mm256_cmpneq_epi32_mask(len, _mm256_set1_epi32(10));
        slow |= (uint64_t)odd << i;
        advance(&w);
    }
    if (count < run->count) {
        const struct csv_run rest = rest_of(run, count);
        slow |= hr_csv_kernels_avx2.date(&rest, out + count) << count;
    }
    return slow;
}

static uint64_t ts_avx512(const struct csv_run *run, bool utc, int64_t per_second, int64_t *out) {
    return hr_csv_kernels_avx2.ts(run, utc, per_second, out);
}

static unsigned text_avx512(const struct csv_run *run, unsigned from, struct csv_text_out *out,
                            uint64_t *empty) {
    return hr_csv_kernels_avx2.text(run, from, out, empty);
}

const struct csv_kernels hr_csv_kernels_avx512 = {
    .i64 = i64_avx512,
    .f64 = f64_avx512,
    .dec = dec_avx512,
    .date = date_avx512,
    .ts = ts_avx512,
    .text = text_avx512,
};
#endif
