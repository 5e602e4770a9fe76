/* base/num.c - numbers from text and to text.
 *
 * Doubles of up to 19 digits are read by Clinger's fast path or num_float.c, longer ones too when
 * the digits behind the nineteenth decide nothing; the rest goes to strtod in the C locale, which
 * glibc rounds correctly. Doubles are written with the shortest digits that read back equal.
 */
#include "base/num.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/num_float.h"

static inline unsigned digit_at(const char *p) {
    return (unsigned)(unsigned char)*p - '0';
}

bool hr_parse_u64(const char *text, size_t len, uint64_t *out) {
    size_t i = len > 0 && text[0] == '+';
    if (i == len) {
        return false;
    }
    uint64_t v = 0;
    for (; i < len; i++) {
        const unsigned d = digit_at(text + i);
        if (d > 9 || __builtin_mul_overflow(v, 10u, &v) || __builtin_add_overflow(v, d, &v)) {
            return false;
        }
    }
    *out = v;
    return true;
}

bool hr_parse_i64(const char *text, size_t len, int64_t *out) {
    const bool minus = len > 0 && text[0] == '-';
    uint64_t v;
    if (minus && len > 1 && text[1] == '+') {
        return false;
    }
    if (!hr_parse_u64(text + minus, len - minus, &v) || v > (uint64_t)INT64_MAX + minus) {
        return false;
    }
    *out = minus ? (int64_t)(0 - v) : (int64_t)v;
    return true;
}

/* Eight ASCII digits in memory order to their value; false in *ok when one is not a digit. */
static inline uint64_t eight_digits(uint64_t v, bool *ok) {
    const uint64_t sub = v - 0x3030303030303030ULL;
    *ok = (((v + 0x4646464646464646ULL) | sub) & 0x8080808080808080ULL) == 0;
    v = (sub * 10) + (sub >> 8);
    return (((v & 0x000000ff000000ffULL) * 0x000f424000000064ULL) +
            (((v >> 16) & 0x000000ff000000ffULL) * 0x0000271000000001ULL)) >>
           32;
}

bool hr_parse_i64_pad(const char *text, size_t len, int64_t *out) {
    const bool minus = len > 0 && text[0] == '-';
    const char *p = text + minus;
    const size_t n = len - minus;
    if (n == 0 || n > 8) {
        return hr_parse_i64(text, len, out);
    }
    uint64_t v;
    memcpy(&v, p, 8);
    if (n < 8) {
        v = (v << (64 - 8 * n)) | (0x3030303030303030ULL >> (8 * n));
    }
    bool ok;
    const uint64_t value = eight_digits(v, &ok);
    if (!ok) {
        return hr_parse_i64(text, len, out);
    }
    *out = minus ? -(int64_t)value : (int64_t)value;
    return true;
}

static const double POW10[23] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                 1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* The parts of a decimal float. `digits` is exact when n_digits <= 19. */
struct decimal_text {
    bool minus;
    uint64_t digits;
    int n_digits;     /* significant digits seen, leading zeros not counted */
    int64_t exponent; /* value = digits * 10^exponent, while n_digits <= 19 */
};

static size_t scan_digits(const char *text, size_t i, size_t len, struct decimal_text *d,
                          int64_t step) {
    for (; i < len; i++) {
        const unsigned digit = digit_at(text + i);
        if (digit > 9) {
            break;
        }
        if (d->n_digits < 19) {
            d->digits = d->digits * 10 + digit;
        }
        d->n_digits += d->n_digits > 0 || digit != 0;
        d->exponent += step;
    }
    return i;
}

static size_t scan_exponent(const char *text, size_t i, size_t len, int64_t *out) {
    const size_t start = i;
    const bool minus = i < len && text[i] == '-';
    i += i < len && (text[i] == '-' || text[i] == '+');
    const size_t first = i;
    int64_t e = 0;
    for (; i < len && digit_at(text + i) <= 9; i++) {
        if (e < 100000000) { /* more digits than any text has */
            e = e * 10 + digit_at(text + i);
        }
    }
    *out = minus ? -e : e;
    return i == first ? start : i;
}

/* Whole grammar check; false when the text is not a decimal float. */
static bool scan_decimal(const char *text, size_t len, struct decimal_text *d) {
    size_t i = 0;
    *d = (struct decimal_text){0};
    if (len > 0 && (text[0] == '-' || text[0] == '+')) {
        d->minus = text[0] == '-';
        i++;
    }
    const size_t int_start = i;
    i = scan_digits(text, i, len, d, 0);
    size_t count = i - int_start;
    if (i < len && text[i] == '.') {
        const size_t frac_start = ++i;
        i = scan_digits(text, i, len, d, -1);
        count += i - frac_start;
    }
    if (count == 0) {
        return false;
    }
    if (i < len && (text[i] == 'e' || text[i] == 'E')) {
        int64_t e;
        const size_t next = scan_exponent(text, i + 1, len, &e);
        if (next == i + 1) {
            return false;
        }
        d->exponent += e;
        i = next;
    }
    return i == len;
}

static locale_t c_locale;
static pthread_once_t c_locale_once = PTHREAD_ONCE_INIT;

static void make_c_locale(void) {
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

static double slow_double(const char *text, size_t len) {
    char local[512];
    char *copy = local;
    pthread_once(&c_locale_once, make_c_locale);
    if (len >= sizeof(local)) {
        /* Very long digit strings: correct rounding still needs all of them. */
        copy = hr_strndup(text, len);
        if (copy == NULL) {
            return (double)NAN;
        }
    } else {
        memcpy(copy, text, len);
        copy[len] = '\0';
    }
    const double v = strtod_l(copy, NULL, c_locale);
    if (copy != local) {
        hr_free(copy);
    }
    return v;
}

static bool parse_special(const char *text, size_t len, double *out) {
    const bool minus = len > 0 && text[0] == '-';
    const size_t skip = len > 0 && (text[0] == '-' || text[0] == '+');
    const char *p = text + skip;
    const size_t n = len - skip;
    if (n == 3 && strncasecmp(p, "nan", 3) == 0) {
        *out = (double)NAN;
        return true;
    }
    if ((n == 3 && strncasecmp(p, "inf", 3) == 0) ||
        (n == 8 && strncasecmp(p, "infinity", 8) == 0)) {
        *out = minus ? -(double)INFINITY : (double)INFINITY;
        return true;
    }
    return false;
}

/* False when digits behind the nineteenth decide the rounding. */
static bool quick_double(const struct decimal_text *d, double *out) {
    const int dropped = d->n_digits > 19 ? d->n_digits - 19 : 0;
    const double low = hr_double_of(d->digits, d->exponent + dropped);
    if (dropped > 0) {
        const double high = hr_double_of(d->digits + 1, d->exponent + dropped);
        if (memcmp(&low, &high, sizeof(low)) != 0) {
            return false;
        }
    }
    *out = d->minus ? -low : low;
    return true;
}

bool hr_parse_double(const char *text, size_t len, bool special, double *out) {
    struct decimal_text d;
    if (!scan_decimal(text, len, &d)) {
        return special && parse_special(text, len, out);
    }
    if (d.n_digits <= 19 && d.digits <= (1ULL << 53) && d.exponent >= -22 && d.exponent <= 22) {
        double v = (double)d.digits;
        v = d.exponent < 0 ? v / POW10[-d.exponent] : v * POW10[d.exponent];
        *out = d.minus ? -v : v;
        return true;
    }
    double v;
    if (!quick_double(&d, &v)) {
        v = slow_double(text, len);
    }
    if (isinf(v) && !special) {
        return false;
    }
    *out = v;
    return !isnan(v);
}

bool hr_parse_decimal(const char *text, size_t len, int precision, int scale, hr_i128 *out) {
    size_t i = len > 0 && (text[0] == '-' || text[0] == '+');
    const bool minus = i && text[0] == '-';
    struct decimal_text shape;
    if (!scan_decimal(text, len, &shape)) {
        return false;
    }
    /* Position of the decimal point after the exponent was applied, counted in digits. */
    int64_t exponent = 0;
    size_t end = len;
    for (size_t k = i; k < len; k++) {
        if (text[k] == 'e' || text[k] == 'E') {
            scan_exponent(text, k + 1, len, &exponent);
            end = k;
            break;
        }
    }
    hr_u128 v = 0;
    int64_t fraction = 0;
    int n = 0;
    bool point = false;
    for (; i < end; i++) {
        if (text[i] == '.') {
            point = true;
            continue;
        }
        const unsigned digit = digit_at(text + i);
        if (point && fraction - exponent >= scale) { /* behind the last digit kept */
            if (digit != 0) {
                return false;
            }
            continue;
        }
        fraction += point;
        n += n > 0 || digit != 0;
        if (n > 38) {
            return false;
        }
        v = v * 10 + digit;
    }
    for (int64_t drop = fraction - exponent; drop > scale && v != 0;
         drop--) { /* 1200e-4, scale 2 */
        if (v % 10 != 0) {
            return false;
        }
        v /= 10;
        n -= n > 0;
        fraction--;
    }
    for (int64_t add = scale - (fraction - exponent); add > 0 && v != 0; add--) {
        if (++n > 38) {
            return false;
        }
        v *= 10;
    }
    if (n > precision) {
        return false;
    }
    *out = minus ? -(hr_i128)v : (hr_i128)v;
    return true;
}

static const char PAIRS[201] = "00010203040506070809101112131415161718192021222324252627282930"
                               "31323334353637383940414243444546474849505152535455565758596061"
                               "62636465666768697071727374757677787980818283848586878889909192"
                               "93949596979899";

static size_t digits_of(uint64_t v) {
    static const uint64_t least[20] = {0,
                                       10,
                                       100,
                                       1000,
                                       10000,
                                       100000,
                                       1000000,
                                       10000000,
                                       100000000,
                                       1000000000,
                                       10000000000,
                                       100000000000,
                                       1000000000000,
                                       10000000000000,
                                       100000000000000,
                                       1000000000000000,
                                       10000000000000000,
                                       100000000000000000,
                                       1000000000000000000,
                                       10000000000000000000U};
    /* bits * log10(2), rounded down: that many digits or one more */
    const unsigned about = (unsigned)(64 - __builtin_clzll(v | 1)) * 1233 >> 12;
    return about + (v >= least[about]);
}

size_t hr_format_u64(uint64_t value, char *out) {
    const size_t n = digits_of(value);
    size_t at = n;
    for (; value >= 100; value /= 100) {
        at -= 2;
        memcpy(out + at, PAIRS + 2 * (value % 100), 2);
    }
    if (value >= 10) {
        memcpy(out, PAIRS + 2 * value, 2);
    } else {
        out[0] = (char)('0' + value);
    }
    return n;
}

size_t hr_format_i64(int64_t value, char *out) {
    if (value < 0) {
        out[0] = '-';
        return 1 + hr_format_u64(0 - (uint64_t)value, out + 1);
    }
    return hr_format_u64((uint64_t)value, out);
}

/* n (1..17) digits, the last `frac` of them behind the point; at most four zeros follow a point.
 * `digits` has 32 bytes. Copies are of fixed sizes, which beats calls, and stay within the 31 bytes
 * that are left behind a sign. */
static size_t put_fixed(const char *digits, size_t n, size_t frac, bool dot, char *out) {
    if (frac == 0) {
        memcpy(out, digits, 24);
        if (dot) {
            memcpy(out + n, ".0", 2);
        }
        return n + (dot ? 2 : 0);
    }
    if (n <= frac) {
        memcpy(out, "0.0000", 6);
        memcpy(out + 2 + frac - n, digits, 24);
        return 2 + frac;
    }
    memcpy(out, digits, 16); /* at least one of 17 is behind the point */
    out[n - frac] = '.';
    memcpy(out + n - frac + 1, digits + n - frac, 8);
    if (frac > 8) {
        memcpy(out + n - frac + 9, digits + n - frac + 8, 8);
    }
    return n + 1;
}

/* n digits, the first standing before the point, times 10^exponent. */
static size_t put_exponent(const char *digits, size_t n, int exponent, char *out) {
    size_t len = 0;
    out[len++] = digits[0];
    if (n > 1) {
        out[len++] = '.';
        memcpy(out + len, digits + 1, n - 1);
        len += n - 1;
    }
    out[len++] = 'e';
    out[len++] = exponent < 0 ? '-' : '+';
    const uint64_t e = (uint64_t)(exponent < 0 ? -exponent : exponent);
    if (e < 10) {
        out[len++] = '0';
    }
    return len + hr_format_u64(e, out + len);
}

static size_t format_special(double value, char *out) {
    const char *text = isnan(value) ? "nan" : value < 0 ? "-inf" : "inf";
    const size_t n = strlen(text);
    memcpy(out, text, n);
    return n;
}

/* Values of few decimals, which is what data holds: m / 10^k is rounded correctly while m < 2^53
 * and k <= 22, so equality proves that m and k are the digits; below 15 digits they are the only
 * ones. False: not such a value. */
static bool few_decimals(double abs, struct hr_decimal_float *out) {
    static const int tries[] = {2, 6};
    for (size_t i = 0; i < sizeof(tries) / sizeof(*tries); i++) {
        const double scaled = abs * POW10[tries[i]];
        if (!(scaled < 1e15)) {
            return false;
        }
        uint64_t digits = (uint64_t)(int64_t)(scaled + 0.5);
        const double back = (double)digits / POW10[tries[i]];
        if (memcmp(&back, &abs, sizeof(abs)) != 0) {
            continue;
        }
        int exponent = -tries[i];
        while (exponent < 0 && digits % 10 == 0) {
            digits /= 10;
            exponent++;
        }
        *out = (struct hr_decimal_float){digits, exponent};
        return true;
    }
    return false;
}

static size_t put_shortest(struct hr_decimal_float d, bool dot, char *out) {
    char digits[32] = {0};
    const size_t n = hr_format_u64(d.digits, digits);
    const int exponent = d.exponent + (int)n - 1;
    if (exponent < -5 || exponent >= 16) {
        return put_exponent(digits, n, exponent, out);
    }
    if (d.exponent <= 0) {
        return put_fixed(digits, n, (size_t)-d.exponent, dot, out);
    }
    memset(digits + n, '0', (size_t)d.exponent); /* 1e15 has 16 digits */
    return put_fixed(digits, n + (size_t)d.exponent, 0, dot, out);
}

size_t hr_format_double(double value, bool dot, char *out) {
    if (!isfinite(value)) {
        return format_special(value, out);
    }
    char *p = out;
    if (signbit(value)) {
        *p++ = '-';
    }
    const double abs = fabs(value);
    struct hr_decimal_float d;
    if (!few_decimals(abs, &d)) { /* zero is one */
        d = hr_shortest_double(abs);
    }
    return (size_t)(p - out) + put_shortest(d, dot, p);
}

size_t hr_format_float(float value, bool dot, char *out) {
    if (!isfinite(value)) {
        return format_special((double)value, out);
    }
    char *p = out;
    if (signbit(value)) {
        *p++ = '-';
    }
    const float abs = fabsf(value);
    const struct hr_decimal_float d =
        abs < FLT_TRUE_MIN ? (struct hr_decimal_float){0} : hr_shortest_float(abs);
    return (size_t)(p - out) + put_shortest(d, dot, p);
}

/* Decimal digits, most significant first in tmp (n of them), placed with `scale` behind the dot. */
static size_t place_dot(const char *tmp, size_t n, int scale, bool minus, char *out) {
    size_t len = 0;
    if (minus) {
        out[len++] = '-';
    }
    const size_t frac = (size_t)scale;
    if (n > frac) {
        memcpy(out + len, tmp, n - frac);
        len += n - frac;
    } else {
        out[len++] = '0';
    }
    if (frac > 0) {
        out[len++] = '.';
        const size_t have = n < frac ? n : frac;
        memset(out + len, '0', frac - have);
        len += frac - have;
        memcpy(out + len, tmp + n - have, have);
        len += have;
    }
    return len;
}

size_t hr_format_decimal(hr_i128 unscaled, int scale, char *out) {
    const bool minus = unscaled < 0;
    hr_u128 v = minus ? 0 - (hr_u128)unscaled : (hr_u128)unscaled;
    char tmp[40];
    size_t pos = sizeof(tmp);
    do {
        tmp[--pos] = (char)('0' + (unsigned)(v % 10));
        v /= 10;
    } while (v != 0);
    return place_dot(tmp + pos, sizeof(tmp) - pos, scale, minus, out);
}

size_t hr_format_decimal256(const uint64_t words[4], int scale, char *out) {
    uint64_t w[4];
    memcpy(w, words, sizeof(w));
    const bool minus = (w[3] >> 63) != 0;
    if (minus) {
        unsigned __int128 carry = 1;
        for (int i = 0; i < 4; i++) {
            carry += (unsigned __int128)~w[i];
            w[i] = (uint64_t)carry;
            carry >>= 64;
        }
    }
    char tmp[80];
    size_t pos = sizeof(tmp);
    do {
        unsigned __int128 rest = 0;
        for (int i = 3; i >= 0; i--) {
            rest = (rest << 64) | w[i];
            w[i] = (uint64_t)(rest / 10);
            rest %= 10;
        }
        tmp[--pos] = (char)('0' + (unsigned)rest);
    } while ((w[0] | w[1] | w[2] | w[3]) != 0);
    return place_dot(tmp + pos, sizeof(tmp) - pos, scale, minus, out);
}

bool hr_parse_size(const char *text, uint64_t *out) {
    char *end;
    pthread_once(&c_locale_once, make_c_locale);
    if (text[0] < '0' || text[0] > '9') {
        return false;
    }
    const double v = strtod_l(text, &end, c_locale);
    while (*end == ' ') {
        end++;
    }
    static const char units[] = "KMGTP";
    double scale = 1;
    if (*end != '\0' && *end != 'B' && *end != 'b') {
        const char upper = (char)(*end & ~0x20);
        const char *unit = strchr(units, upper);
        if (unit == NULL || upper == '\0') {
            return false;
        }
        for (long i = unit - units; i >= 0; i--) {
            scale *= 1024;
        }
        end++;
        end += *end == 'i';
    }
    end += *end == 'B' || *end == 'b';
    if (*end != '\0' || !(v * scale < 9.2e18)) {
        return false;
    }
    *out = (uint64_t)(v * scale);
    return true;
}

double hr_half_to_double(uint16_t half) {
    const int sign = half >> 15;
    const int exponent = (half >> 10) & 31;
    const int fraction = half & 1023;
    double v;
    if (exponent == 31) {
        v = fraction ? (double)NAN : (double)INFINITY;
    } else if (exponent == 0) {
        v = ldexp((double)fraction, -24);
    } else {
        v = ldexp((double)(fraction + 1024), exponent - 25);
    }
    return sign ? -v : v;
}
