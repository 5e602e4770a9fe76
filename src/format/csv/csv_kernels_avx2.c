/* format/csv/csv_kernels_avx2.c - runs of cells into values, 16 or 32 bytes at a time.
 *
 * Numbers and dates go eight cells at a time where they can (csv_eight_avx2.c); here is the form
 * for one cell. Numbers: the 16 bytes that END with the cell are loaded (there is padding in front
 * of the window), bytes in front of the cell masked off, and three multiply-adds make pairs, fours
 * and eights of digits. A double's point is shuffled out and the integer divided by a power of ten:
 * with at most 15 digits both are exact, so the one rounding is right (Clinger). Nothing branches
 * on a value: what does not fit is a bit in a mask for the exact path. Text: 32 or 64 bytes are
 * copied whatever the length; the next cell overwrites the rest.
 */
#include "format/csv/csv_dates.h"
#include "format/csv/csv_internal.h"

#if HR_X86
#include <immintrin.h>

/* The 16 bytes from n on keep the last n of 16; from 16 on all. */
static const uint8_t KEEP[48] = {0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,
                                 0,   0,   0,   0,   255, 255, 255, 255, 255, 255, 255, 255,
                                 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
                                 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255};

/* Shuffles that take out the byte at `row` and move what is in front of it up; row 16: none. */
static const uint8_t NO_POINT[17][16] = {{0x80, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
                                         {0x80, 0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
                                         {0x80, 0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
                                         {0x80, 0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
                                         {0x80, 0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
                                         {0x80, 0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
                                         {0x80, 0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15},
                                         {0x80, 0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15},
                                         {0x80, 0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15},
                                         {0x80, 0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15},
                                         {0x80, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15},
                                         {0x80, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13, 14, 15},
                                         {0x80, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15},
                                         {0x80, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 15},
                                         {0x80, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 15},
                                         {0x80, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14},
                                         {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}};

/* 10^(digits behind the point), by the point's place among 16 bytes; 16: no point. */
static const double BY_PLACE[17] = {1e15, 1e14, 1e13, 1e12, 1e11, 1e10, 1e9, 1e8, 1e7,
                                    1e6,  1e5,  1e4,  1e3,  1e2,  1e1,  1e0, 1e0};

/* A run's arrays in registers: stores through out pointers could alias the struct. */
struct walk {
    const uint8_t *text;
    const uint32_t *start, *end;
    size_t start_step, end_step;
    uint32_t delta;
    unsigned count;
};

static inline struct walk walk_of(const struct csv_run *run, unsigned from) {
    return (struct walk){run->text,
                         run->starts + from * run->start_stride,
                         run->ends + from * run->end_stride,
                         run->start_stride,
                         run->end_stride,
                         run->delta,
                         run->count};
}

/* How many cells from the first on may go eight at a time. */
static inline unsigned in_eights(const struct csv_run *run) {
    const bool joined = run->starts + 1 == run->ends && run->start_stride == run->end_stride;
    return joined ? run->count & ~7u : 0;
}

struct cell {
    const uint8_t *p, *end;
    size_t len;
};

static inline struct cell next_cell(struct walk *w) {
    const uint32_t start = *w->start + w->delta;
    const uint32_t end = *w->end;
    w->start += w->start_step;
    w->end += w->end_step;
    return (struct cell){w->text + start, w->text + end, end - start};
}

/* 16 digit values (0..9), most significant first, as one number. */
HR_TARGET_AVX2 static inline uint64_t sixteen(__m128i d) {
    const __m128i tens = _mm_set1_epi16(0x010a);         /* 10, 1 */
    const __m128i hundreds = _mm_set1_epi32(0x00010064); /* 100, 1 */
    const __m128i myriads = _mm_set1_epi32(0x00012710);  /* 10000, 1 */
    const __m128i pairs = _mm_maddubs_epi16(d, tens);
    const __m128i fours = _mm_madd_epi16(pairs, hundreds);
    const __m128i packed = _mm_packus_epi32(fours, fours);
    const uint64_t eights = (uint64_t)_mm_cvtsi128_si64(_mm_madd_epi16(packed, myriads));
    return (eights & 0xffffffff) * 100000000 + (eights >> 32);
}

HR_TARGET_AVX2 static inline bool any_above_nine(__m128i d) {
    const __m128i over = _mm_subs_epu8(d, _mm_set1_epi8(9));
    return !_mm_testz_si128(over, over);
}

/* The last n bytes in front of `end` less '0'; n is taken modulo 32. */
HR_TARGET_AVX2 static inline __m128i last_bytes(const uint8_t *end, size_t n) {
    const __m128i keep = _mm_loadu_si128((const __m128i *)(const void *)(KEEP + (n & 31)));
    const __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(end - 16));
    return _mm_and_si128(_mm_sub_epi8(v, _mm_set1_epi8('0')), keep);
}

HR_TARGET_AVX2 static uint64_t i64_avx2(const struct csv_run *run, int64_t *out) {
    const unsigned done = in_eights(run);
    struct walk w = walk_of(run, done);
    uint64_t slow = hr_csv_eight_i64(run, done, out);
    for (unsigned i = done; i < w.count; i++) {
        const struct cell c = next_cell(&w);
        const size_t minus = c.p[0] == '-';
        const size_t n = c.len - minus;
        const __m128i d = last_bytes(c.end, n);
        const unsigned lead = (unsigned)c.p[minus] - '1'; /* 0 stands alone or not at all */
        const bool odd = (n - 1 > 15) | any_above_nine(d) | ((lead > 8) & (n != 1));
        const uint64_t v = sixteen(d);
        out[i] = (int64_t)((v ^ (0 - (uint64_t)minus)) + minus);
        slow |= (uint64_t)odd << i;
    }
    return slow;
}

/* -?digits[.digits]: the digits as an integer, the point's place among the 16 bytes (16 none). */
struct decimal {
    uint64_t mantissa;
    unsigned place;
    size_t minus;
    bool odd;
};

HR_TARGET_AVX2 static inline struct decimal decimal_of(struct cell c) {
    const size_t minus = c.p[0] == '-';
    const size_t n = c.len - minus;
    const __m128i kept = last_bytes(c.end, n);
    const __m128i point = _mm_cmpeq_epi8(kept, _mm_set1_epi8('.' - '0'));
    const unsigned place = (unsigned)_tzcnt_u32((unsigned)_mm_movemask_epi8(point) | 0x10000u);
    const __m128i d =
        _mm_shuffle_epi8(kept, _mm_loadu_si128((const __m128i *)(const void *)NO_POINT[place]));
    /* 1..15 digits: 1..15 bytes, or 2..16 with a point. */
    const size_t count = n - (place < 16);
    const bool odd = (n > 16) | (count - 1 > 14) | any_above_nine(d) |
                     ((c.p[minus] == '0') & (n > 1) & (c.p[minus + 1] != '.'));
    return (struct decimal){sixteen(d), place, minus, odd};
}

HR_TARGET_AVX2 static uint64_t f64_avx2(const struct csv_run *run, double *out) {
    const unsigned done = in_eights(run);
    struct walk w = walk_of(run, done);
    uint64_t slow = hr_csv_eight_f64(run, done, out);
    for (unsigned i = done; i < w.count; i++) {
        const struct decimal d = decimal_of(next_cell(&w));
        const double v = (double)(int64_t)d.mantissa / BY_PLACE[d.place];
        uint64_t bits;
        memcpy(&bits, &v, sizeof(bits));
        bits |= (uint64_t)d.minus << 63;
        memcpy(&out[i], &bits, sizeof(bits));
        slow |= (uint64_t)d.odd << i;
    }
    return slow;
}

HR_TARGET_AVX2 static uint64_t dec_avx2(const struct csv_run *run, int scale, int64_t *out) {
    static const uint64_t up[8] = {1, 10, 100, 1000, 0, 0, 0, 0};
    const unsigned done = in_eights(run);
    struct walk w = walk_of(run, done);
    uint64_t slow = hr_csv_eight_dec(run, done, scale, out);
    for (unsigned i = done; i < w.count; i++) {
        const struct decimal d = decimal_of(next_cell(&w));
        const int missing = scale - (d.place < 16 ? 15 - (int)d.place : 0);
        /* 15 digits and three more fit an int64. */
        const bool odd = d.odd | ((unsigned)missing > 3);
        const uint64_t v = d.mantissa * up[missing & 7];
        out[i] = (int64_t)((v ^ (0 - (uint64_t)d.minus)) + d.minus);
        slow |= (uint64_t)odd << i;
    }
    return slow;
}

/* ---- dates ---- */

/* Days of the YYYY-MM-DD at p; *odd when it is none. Reads 16 bytes. Year and month-day each find
 * their part in a table (csv_dates.h). */
HR_TARGET_AVX2 static inline int32_t date_of(const uint8_t *p, bool *odd) {
    const __m128i form =
        _mm_setr_epi8('0', '0', '0', '0', '-', '0', '0', '-', '0', '0', 0, 0, 0, 0, 0, 0);
    const __m128i most = _mm_setr_epi8(9, 9, 9, 9, 0, 9, 9, 0, 9, 9, -1, -1, -1, -1, -1, -1);
    const __m128i order = _mm_setr_epi8(0, 1, 2, 3, 5, 6, 8, 9, -1, -1, -1, -1, -1, -1, -1, -1);
    const __m128i tens = _mm_set1_epi16(0x010a); /* 10, 1 */
    const __m128i join = _mm_setr_epi16(100, 1, 100, 1, 0, 0, 0, 0);
    const __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
    const __m128i d = _mm_xor_si128(v, form); /* digits 0..9, dashes 0 */
    const __m128i over = _mm_subs_epu8(d, most);
    const __m128i pairs = _mm_maddubs_epi16(_mm_shuffle_epi8(d, order), tens);
    const uint64_t both = (uint64_t)_mm_cvtsi128_si64(_mm_madd_epi16(pairs, join));
    const uint32_t year = (uint32_t)both < 10000 ? (uint32_t)both : 0;
    const uint32_t month_day = (both >> 32) < 1300 ? (uint32_t)(both >> 32) : 0;
    const int32_t begin = hr_csv_years[year]; /* twice the days, plus 1 in a leap year */
    const uint16_t day = hr_csv_days[begin & 1][month_day];
    *odd = !_mm_testz_si128(over, over) | (day == UINT16_MAX);
    return (begin >> 1) + day;
}

HR_TARGET_AVX2 static uint64_t date_avx2(const struct csv_run *run, int32_t *out) {
    const unsigned done = in_eights(run);
    struct walk w = walk_of(run, done);
    uint64_t slow = hr_csv_eight_date(run, done, out);
    for (unsigned i = done; i < w.count; i++) {
        const struct cell c = next_cell(&w);
        bool odd;
        out[i] = date_of(c.p, &odd);
        slow |= (uint64_t)(odd | (c.len != 10)) << i;
    }
    return slow;
}

/* hh:mm:ss at p in seconds. Reads 8 bytes. */
static inline uint32_t clock_of(const uint8_t *p, bool *odd) {
    uint64_t v;
    memcpy(&v, p, 8);
    const uint64_t d = v ^ 0x30303a30303a3030ULL;          /* digits 0..9, colons 0 */
    const uint64_t over = (d + 0x7676007676007676ULL) | d; /* 10 and more set the high bit */
    const uint64_t colons = d & 0x0000ff0000ff0000ULL;
    const uint32_t hour = (uint32_t)(d & 15) * 10 + (uint32_t)((d >> 8) & 15);
    const uint32_t minute = (uint32_t)((d >> 24) & 15) * 10 + (uint32_t)((d >> 32) & 15);
    const uint32_t second = (uint32_t)((d >> 48) & 15) * 10 + (uint32_t)((d >> 56) & 15);
    *odd = ((over & 0x8080808080808080ULL) != 0) | (colons != 0) | (hour > 23) | (minute > 59) |
           (second > 59);
    return hour * 3600 + minute * 60 + second;
}

/* The `n` (1..6) digits at p in millionths. */
static inline uint32_t micros_of(const uint8_t *p, size_t n, bool *odd) {
    static const uint32_t up[7] = {0, 100000, 10000, 1000, 100, 10, 1};
    uint32_t v = 0;
    bool bad = false;
    for (size_t i = 0; i < n; i++) {
        const unsigned d = p[i] - (unsigned)'0';
        bad |= d > 9;
        v = v * 10 + d;
    }
    *odd = bad;
    return v * up[n];
}

/* YYYY-MM-DD[T ]hh:mm:ss[.f{1,6}], and Z when `utc`; s, ms or us. */
HR_TARGET_AVX2 static inline int64_t ts_of(struct cell c, bool utc, int64_t per_second, bool *odd) {
    const size_t len = c.len - utc;
    if (c.len < 19u + utc || len > 26 || (utc && c.end[-1] != 'Z') || per_second > 1000000) {
        *odd = true;
        return 0;
    }
    bool bad_date;
    bool bad_clock;
    const int64_t days = date_of(c.p, &bad_date);
    const int64_t seconds = days * 86400 + clock_of(c.p + 11, &bad_clock);
    bool bad = bad_date | bad_clock | ((c.p[10] != 'T') & (c.p[10] != ' '));
    int64_t micros = 0;
    if (len > 19) {
        bool bad_fraction = true;
        if (len > 20) {
            micros = micros_of(c.p + 20, len - 20, &bad_fraction);
        }
        bad |= bad_fraction | (c.p[19] != '.');
    }
    *odd = bad;
    if (per_second == 1000000) {
        return seconds * 1000000 + micros;
    }
    const int64_t per_unit = 1000000 / per_second;
    *odd |= micros % per_unit != 0;
    return seconds * per_second + micros / per_unit;
}

HR_TARGET_AVX2 static uint64_t ts_avx2(const struct csv_run *run, bool utc, int64_t per_second,
                                       int64_t *out) {
    struct walk w = walk_of(run, 0);
    uint64_t slow = 0;
    for (unsigned i = 0; i < w.count; i++) {
        bool odd;
        out[i] = ts_of(next_cell(&w), utc, per_second, &odd);
        slow |= (uint64_t)odd << i;
    }
    return slow;
}

/* ---- text ---- */

/* 64 bytes. Lengths of sentences change from cell to cell: no branch on them. */
HR_TARGET_AVX2 static inline void copy64(uint8_t *out, const uint8_t *p) {
    const __m256i a = _mm256_loadu_si256((const __m256i *)(const void *)p);
    const __m256i b = _mm256_loadu_si256((const __m256i *)(const void *)(p + 32));
    _mm256_storeu_si256((__m256i *)(void *)out, a);
    _mm256_storeu_si256((__m256i *)(void *)(out + 32), b);
}

/* Is `byte` among the first n (<= 64) bytes at p? Reads 64. */
HR_TARGET_AVX2 static inline bool among64(const uint8_t *p, size_t n, int byte) {
    const __m256i what = _mm256_set1_epi8((char)byte);
    const __m256i a = _mm256_loadu_si256((const __m256i *)(const void *)p);
    const __m256i b = _mm256_loadu_si256((const __m256i *)(const void *)(p + 32));
    const uint32_t low = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(a, what));
    const uint32_t high = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(b, what));
    return _bzhi_u64(low | (uint64_t)high << 32, (unsigned)n) != 0;
}

HR_TARGET_AVX2 static unsigned text_avx2(const struct csv_run *run, unsigned from,
                                         struct csv_text_out *out, uint64_t *empty) {
    struct walk w = walk_of(run, from);
    uint8_t *data = out->data;
    int32_t *offsets = out->offsets + 1;
    size_t pos = out->pos;
    const size_t cap = out->cap;
    const int quote = out->quote;
    const uint64_t slow_lens = out->slow_lens;
    const uint64_t slow_firsts = out->slow_firsts;
    uint64_t none = *empty;
    unsigned i = from;
    for (; i < w.count; i++) {
        struct cell c = next_cell(&w);
        size_t few = 32; /* as long as words are */
        if (c.p[0] == quote && c.len > 0) {
            const size_t inner = c.len - 2;
            if (c.len < 2 || c.end[-1] != quote ||
                (inner <= 64 ? among64(c.p + 1, inner, quote)
                             : memchr(c.p + 1, quote, inner) != NULL)) {
                break;
            }
            c.p++;
            c.len = inner;
            few = 0;
        } else {
            none |= (uint64_t)(c.len == 0) << i;
            if (((slow_lens >> (c.len < 63 ? c.len : 63)) & 1) &&
                ((slow_firsts >> (c.p[0] & 63)) & 1)) {
                break;
            }
        }
        if (pos + c.len > cap) {
            break;
        }
        if (c.len <= few) {
            _mm256_storeu_si256((__m256i *)(void *)(data + pos),
                                _mm256_loadu_si256((const __m256i *)(const void *)c.p));
        } else if (hr_likely(c.len <= 64)) {
            copy64(data + pos, c.p);
        } else {
            memcpy(data + pos, c.p, c.len);
        }
        pos += c.len;
        offsets[i] = (int32_t)pos;
    }
    out->pos = pos;
    *empty = none;
    return i;
}

const struct csv_kernels hr_csv_kernels_avx2 = {
    .i64 = i64_avx2,
    .f64 = f64_avx2,
    .dec = dec_avx2,
    .date = date_avx2,
    .ts = ts_avx2,
    .text = text_avx2,
};
#endif
