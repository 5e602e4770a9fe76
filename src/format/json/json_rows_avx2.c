/* format/json/json_rows_avx2.c - the predicting engine for AVX2: 32 bytes of key or text at a time,
 * numbers of up to 15 digits by shuffle and multiply-add. The twin of json_rows_scalar.c. */
#include "base/cpu.h"
#include "format/json/json_read.h"

#if HR_X86
#include <immintrin.h>

#define JK(name) name##_avx2
#define JT HR_TARGET_AVX2

static const double POW10[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                               1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};

JT static inline bool same_bytes_avx2(const uint8_t *p, const struct hr_j_slot *slot) {
    const __m256i text = _mm256_loadu_si256((const __m256i *)(const void *)p);
    const __m256i want = _mm256_loadu_si256((const __m256i *)(const void *)slot->pattern);
    const uint32_t same = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(text, want));
    return (same & slot->mask) == slot->mask;
}

/* Bytes that end a plain run: quote, backslash, control. */
JT static inline uint32_t stops_avx2(__m256i v) {
    const __m256i control = _mm256_cmpeq_epi8(_mm256_min_epu8(v, _mm256_set1_epi8(0x1f)), v);
    const __m256i quote = _mm256_cmpeq_epi8(v, _mm256_set1_epi8('"'));
    const __m256i slash = _mm256_cmpeq_epi8(v, _mm256_set1_epi8('\\'));
    return (uint32_t)_mm256_movemask_epi8(_mm256_or_si256(control, _mm256_or_si256(quote, slash)));
}

/* Over a string of plain ASCII; NULL when it holds anything else or does not end before `end`. */
JT static inline const uint8_t *pass_string_avx2(const uint8_t *p, const uint8_t *end) {
    while (p < end) {
        const __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)p);
        const uint32_t stop = stops_avx2(v);
        const uint32_t high = (uint32_t)_mm256_movemask_epi8(v);
        if ((stop | high) != 0) {
            p += _tzcnt_u32(stop | high);
            return *p == '"' ? p + 1 : NULL;
        }
        p += 32;
    }
    return NULL;
}

JT static inline const uint8_t *take_string_avx2(const struct hr_json *json, struct hr_j_col *col,
                                                 int64_t idx, const uint8_t *p) {
    const uint8_t *end = json->frame.lex.end;
    if (col->cap == 0) {
        return NULL;
    }
    const size_t at = (size_t)col->offsets[idx];
    const size_t room = col->cap - at; /* and HR_PAD behind it */
    uint8_t *dst = col->data + at;
    size_t n = 0;
    uint32_t high = 0;
    for (;;) {
        const __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)(p + n));
        const uint32_t stop = stops_avx2(v);
        const uint32_t upper = (uint32_t)_mm256_movemask_epi8(v);
        _mm256_storeu_si256((__m256i *)(void *)(dst + n), v);
        if (stop != 0) {
            const uint32_t k = _tzcnt_u32(stop);
            high |= upper & ((1u << k) - 1);
            n += k;
            break;
        }
        high |= upper;
        n += 32;
        if (n > room || p + n >= end) {
            return NULL;
        }
    }
    if (p[n] != '"' || n > room || (high != 0 && hr_j_utf8_bad(p, p + n) != NULL)) {
        return NULL;
    }
    col->offsets[idx + 1] = (int32_t)(at + n);
    return p + n + 1;
}

/* RIGHT + n selects n leading bytes, right-aligned in 16; the others become 0. */
static const int8_t RIGHT[32] = {-128, -128, -128, -128, -128, -128, -128, -128, -128, -128, -128,
                                 -128, -128, -128, -128, -128, 0,    1,    2,    3,    4,    5,
                                 6,    7,    8,    9,    10,   11,   12,   13,   14,   15};

/* Sixteen digits, most significant first, to their value. */
JT static inline uint64_t sixteen_avx2(__m128i d) {
    const __m128i tens = _mm_set_epi8(1, 10, 1, 10, 1, 10, 1, 10, 1, 10, 1, 10, 1, 10, 1, 10);
    const __m128i hundreds = _mm_set_epi16(1, 100, 1, 100, 1, 100, 1, 100);
    const __m128i myriads = _mm_set_epi16(1, 10000, 1, 10000, 1, 10000, 1, 10000);
    __m128i v = _mm_maddubs_epi16(d, tens);
    v = _mm_madd_epi16(v, hundreds);
    v = _mm_packus_epi32(v, v);
    v = _mm_madd_epi16(v, myriads);
    const uint64_t both = (uint64_t)_mm_cvtsi128_si64(v);
    return (both & 0xffffffffu) * 100000000u + (both >> 32);
}

/* Digits at p as values 0..9 and 0 for every other byte; a bit for each of the sixteen that is one.
 */
JT static inline uint32_t digits_avx2(const uint8_t *p, __m128i *d) {
    const __m128i text = _mm_loadu_si128((const __m128i *)(const void *)p);
    const __m128i value = _mm_sub_epi8(text, _mm_set1_epi8('0'));
    const __m128i is = _mm_cmpeq_epi8(_mm_min_epu8(value, _mm_set1_epi8(9)), value);
    *d = _mm_and_si128(value, is);
    return (uint32_t)_mm_movemask_epi8(is);
}

/* A minus sign is taken as one digit more in front, of value 0: then nothing waits for it. */
JT static inline const uint8_t *take_i64_avx2(const uint8_t *p, int64_t *out) {
    __m128i d;
    const uint32_t minus = *p == '-';
    const uint32_t n = _tzcnt_u32(~(digits_avx2(p, &d) | minus));
    if (n <= minus || n >= 16 || p[n] == '.' || (p[n] | 0x20) == 'e' ||
        (p[minus] == '0' && n > 1 + minus)) {
        return NULL;
    }
    const __m128i order = _mm_loadu_si128((const __m128i *)(const void *)(RIGHT + n));
    const int64_t v = (int64_t)sixteen_avx2(_mm_shuffle_epi8(d, order));
    *out = minus ? -v : v;
    return p + n;
}

JT static inline const uint8_t *take_f64_avx2(const uint8_t *p, double *out) {
    __m128i d;
    const uint32_t minus = *p == '-';
    const uint32_t others = ~(digits_avx2(p, &d) | minus);
    const uint32_t whole = _tzcnt_u32(others);
    if (whole <= minus || whole >= 16 || (p[minus] == '0' && whole > 1 + minus)) {
        return NULL;
    }
    uint32_t fraction = 0;
    uint32_t span = whole;
    __m128i order = _mm_loadu_si128((const __m128i *)(const void *)(RIGHT + whole));
    if (p[whole] == '.') {
        span = _tzcnt_u32(others & (others - 1)); /* the second byte that is no digit */
        fraction = span - whole - 1;
        if (fraction == 0 || span >= 16) {
            return NULL;
        }
        order = _mm_loadu_si128((const __m128i *)(const void *)(RIGHT + span - 1));
        /* step over the point */
        order = _mm_sub_epi8(order, _mm_cmpgt_epi8(order, _mm_set1_epi8((char)(whole - 1))));
    }
    if ((p[span] | 0x20) == 'e') {
        return NULL;
    }
    /* at most 15 digits and 10^15: both exact, so the quotient is the correctly rounded value */
    const double v = (double)(int64_t)sixteen_avx2(_mm_shuffle_epi8(d, order)) / POW10[fraction];
    *out = minus ? -v : v;
    return p + span;
}

/* "YYYY-MM-DD" with its quotes, years 1 to 9999. */
JT static inline const uint8_t *take_date_avx2(const uint8_t *p, int32_t *out) {
    static const uint8_t last[16] = {0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    static const uint16_t before[16] = {0, 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    __m128i d;
    const uint32_t digits = digits_avx2(p, &d);
    const __m128i text = _mm_loadu_si128((const __m128i *)(const void *)p);
    const __m128i form = _mm_setr_epi8('"', 0, 0, 0, 0, '-', 0, 0, '-', 0, 0, '"', 0, 0, 0, 0);
    const uint32_t marks = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(text, form));
    if (((digits & 0x6de) | (marks & 0x921)) != 0xfff) {
        return NULL;
    }
    const __m128i order =
        _mm_set_epi8(-128, -128, -128, -128, -128, -128, -128, -128, 10, 9, 7, 6, 4, 3, 2, 1);
    const __m128i tens = _mm_set_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 10, 1, 10, 1, 10, 1, 10);
    const uint64_t parts =
        (uint64_t)_mm_cvtsi128_si64(_mm_maddubs_epi16(_mm_shuffle_epi8(d, order), tens));
    const uint32_t year = (uint32_t)(parts & 0xffff) * 100 + (uint32_t)(parts >> 16 & 0xffff);
    const uint32_t month = (uint32_t)(parts >> 32 & 0xffff);
    const uint32_t day = (uint32_t)(parts >> 48);
    if (month - 1 > 11 || day - 1 >= last[month] || year == 0) {
        return NULL; /* no date, or the 29th of February */
    }
    const uint32_t y = year - (month <= 2); /* leap days before this year's end of February */
    const uint32_t century = y / 100;
    *out = (int32_t)(year * 365 + y / 4 - century + century / 4 + before[month] + day) - 719528;
    return p + 12;
}

#include "format/json/json_rows.h"

const struct hr_j_engine hr_j_engine_avx2 = {
    .name = "avx2", .object = object_avx2, .scalar = scalar_within_avx2, .predict = true};
#else
const struct hr_j_engine hr_j_engine_avx2 = {.name = "none"};
#endif
