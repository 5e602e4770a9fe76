/* format/csv/csv_kernels.c - runs of cells into values, portable form.
 *
 * A kernel converts up to 64 cells of one column and says which of them it leaves to the exact path
 * (csv_convert.c): nulls, quotes, odd spellings, misfits. It may leave more than another form does,
 * never convert differently; so the forms agree in what a reader returns.
 */
#include "base/time.h"
#include "format/csv/csv_internal.h"

struct cell {
    const char *p;
    size_t len;
};

static inline struct cell cell_at(const struct csv_run *run, unsigned i) {
    const uint32_t start = run->starts[(size_t)i * run->start_stride] + run->delta;
    const uint32_t end = run->ends[(size_t)i * run->end_stride];
    return (struct cell){(const char *)run->text + start, end - start};
}

/* Digits [at, len) as a number; false when one is none or there are none or more than 18. */
static bool digits(const char *p, size_t n, int64_t *out) {
    int64_t v = 0;
    if (n == 0 || n > 18) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        const unsigned d = (unsigned)(unsigned char)p[i] - '0';
        if (d > 9) {
            return false;
        }
        v = v * 10 + (int64_t)d;
    }
    *out = v;
    return true;
}

static uint64_t i64_scalar(const struct csv_run *run, int64_t *out) {
    uint64_t slow = 0;
    for (unsigned i = 0; i < run->count; i++) {
        const struct cell c = cell_at(run, i);
        const size_t minus = c.len > 0 && c.p[0] == '-';
        int64_t v = 0;
        if (!digits(c.p + minus, c.len - minus, &v) || (c.len - minus > 1 && c.p[minus] == '0')) {
            slow |= (uint64_t)1 << i;
        }
        out[i] = minus ? -v : v;
    }
    return slow;
}

/* -?digits[.digits] with at most 15 digits and no leading zero: the digits as an integer and how
 * many stand behind the point. */
static bool plain_decimal(struct cell c, int64_t *mantissa, unsigned *fraction, bool *minus) {
    *minus = c.len > 0 && c.p[0] == '-';
    const char *p = c.p + *minus;
    const size_t n = c.len - *minus;
    int64_t v = 0;
    size_t point = n;
    if (n == 0 || n > 16 || (n > 1 && p[0] == '0' && p[1] != '.')) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        const unsigned d = (unsigned)(unsigned char)p[i] - '0';
        if (d <= 9) {
            v = v * 10 + (int64_t)d;
        } else if (p[i] == '.' && point == n) {
            point = i;
        } else {
            return false;
        }
    }
    const size_t count = n - (point < n);
    *mantissa = v;
    *fraction = (unsigned)(point < n ? n - 1 - point : 0);
    return count >= 1 && count <= 15;
}

static const double POWERS[16] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                  1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};

static uint64_t f64_scalar(const struct csv_run *run, double *out) {
    uint64_t slow = 0;
    for (unsigned i = 0; i < run->count; i++) {
        const struct cell c = cell_at(run, i);
        int64_t mantissa = 0;
        unsigned fraction = 0;
        bool minus;
        if (!plain_decimal(c, &mantissa, &fraction, &minus)) {
            slow |= (uint64_t)1 << i;
            fraction = 0;
        }
        const double v = (double)mantissa / POWERS[fraction];
        out[i] = minus ? -v : v;
    }
    return slow;
}

static uint64_t dec_scalar(const struct csv_run *run, int scale, int64_t *out) {
    static const int64_t up[] = {1, 10, 100, 1000, 10000, 100000, 1000000};
    uint64_t slow = 0;
    for (unsigned i = 0; i < run->count; i++) {
        const struct cell c = cell_at(run, i);
        int64_t mantissa = 0;
        unsigned fraction = 0;
        bool minus;
        int64_t v = 0;
        const bool ok = plain_decimal(c, &mantissa, &fraction, &minus);
        const int missing = scale - (int)fraction;
        if (!ok || missing < 0 || missing > 6 ||
            __builtin_mul_overflow(mantissa, up[missing], &v)) {
            slow |= (uint64_t)1 << i;
            v = 0;
        }
        out[i] = minus ? -v : v;
    }
    return slow;
}

static uint64_t date_scalar(const struct csv_run *run, int32_t *out) {
    uint64_t slow = 0;
    for (unsigned i = 0; i < run->count; i++) {
        const struct cell c = cell_at(run, i);
        out[i] = 0;
        slow |= (uint64_t)!hr_parse_date(c.p, c.len, &out[i]) << i;
    }
    return slow;
}

/* All left: the exact path is the portable form. */
static uint64_t ts_scalar(const struct csv_run *run, bool utc, int64_t per_second, int64_t *out) {
    (void)utc;
    (void)per_second;
    memset(out, 0, run->count * sizeof(*out));
    return ~(uint64_t)0 >> (64 - run->count);
}

static unsigned text_scalar(const struct csv_run *run, unsigned from, struct csv_text_out *out,
                            uint64_t *empty) {
    for (unsigned i = from; i < run->count; i++) {
        struct cell c = cell_at(run, i);
        if (c.len == 0) {
            *empty |= (uint64_t)1 << i;
        } else if (c.p[0] == out->quote) {
            if (c.len < 2 || c.p[c.len - 1] != out->quote ||
                memchr(c.p + 1, out->quote, c.len - 2) != NULL) {
                return i;
            }
            c.p++;
            c.len -= 2;
        } else if (((out->slow_lens >> (c.len < 63 ? c.len : 63)) & 1) &&
                   ((out->slow_firsts >> (c.p[0] & 63)) & 1)) {
            return i;
        }
        if (out->pos + c.len > out->cap) {
            return i;
        }
        memcpy(out->data + out->pos, c.p, c.len);
        out->pos += c.len;
        out->offsets[i + 1] = (int32_t)out->pos;
    }
    return run->count;
}

const struct csv_kernels hr_csv_kernels_scalar = {
    .i64 = i64_scalar,
    .f64 = f64_scalar,
    .dec = dec_scalar,
    .date = date_scalar,
    .ts = ts_scalar,
    .text = text_scalar,
};

const struct csv_kernels *hr_csv_kernels_pick(void) {
#if HR_X86
    if (hr_cpu_get()->avx512) {
        return &hr_csv_kernels_avx512;
    }
    if (hr_cpu_get()->avx2) {
        return &hr_csv_kernels_avx2;
    }
#endif
    return &hr_csv_kernels_scalar;
}
