/* base/num_float.c - shortest digits of a float, and floats from digits.
 *
 * Writing is Schubfach: Raffaello Giulietti, "The Schubfach way to render doubles" (2021). The
 * value and both ends of the interval that rounds to it are scaled by one power of ten, rounded to
 * odd (so that later comparisons see whether anything was cut off), and the few candidates are
 * compared.
 * Reading is Daniel Lemire, "Number parsing at a gigabyte per second" (2021), after Michael Eisel:
 * the product of digits and power decides the rounding; one more multiplication settles the cases
 * where the table's cut could matter.
 */
#include "base/num_float.h"

#include <math.h>
#include <string.h>

#include "base/num_pow10.h"

typedef unsigned __int128 u128;

struct pow10 {
    uint64_t high, low;
};

static struct pow10 power_cut(int k) {
    const uint64_t *row = hr_pow10_128[k - HR_POW10_FIRST];
    return (struct pow10){row[0], row[1]};
}

/* Rounded up, as Schubfach wants it. */
static struct pow10 power_up(int k) {
    struct pow10 p = power_cut(k);
    const bool exact = k >= 0 && k <= HR_POW10_EXACT;
    p.low += !exact;
    p.high += !exact && p.low == 0;
    return p;
}

/* floor(log2(10^k)), |k| <= 1233 */
static int log2_pow10(int k) {
    return (k * 1741647) >> 19;
}

/* floor(log10(2^q)), or of 3/4 of it where the interval below is half as wide */
static int log10_pow2(int q, bool narrow) {
    return (q * 1262611 - (narrow ? 524031 : 0)) >> 22;
}

/* ---- digits of a float ---- */

static struct hr_decimal_float strip_zeros(uint64_t digits, int exponent) {
    while (digits % 100 == 0) {
        digits /= 100;
        exponent += 2;
    }
    if (digits % 10 == 0) {
        digits /= 10;
        exponent++;
    }
    return (struct hr_decimal_float){digits, exponent};
}

/* Four times the value (vb) and the ends of its interval, ends included when the mantissa is even;
 * all in units of 10^k. */
static struct hr_decimal_float choose(uint64_t vbl, uint64_t vb, uint64_t vbr, bool even, int k) {
    const uint64_t lower = vbl + !even;
    const uint64_t upper = vbr - !even;
    const uint64_t s = vb / 4;
    if (s >= 10) {
        const uint64_t tens = s / 10;
        const bool below = lower <= 40 * tens;
        const bool above = 40 * tens + 40 <= upper;
        if (below != above) {
            return strip_zeros(tens + above, k + 1);
        }
    }
    const bool below = lower <= 4 * s;
    const bool above = 4 * s + 4 <= upper;
    if (below != above) {
        return strip_zeros(s + above, k);
    }
    const uint64_t middle = 4 * s + 2;
    return strip_zeros(s + (vb > middle || (vb == middle && (s & 1) != 0)), k);
}

static uint64_t odd_product(struct pow10 g, uint64_t cp) {
    const u128 low = (u128)g.low * cp;
    const u128 high = (u128)g.high * cp + (uint64_t)(low >> 64);
    return (uint64_t)(high >> 64) | ((uint64_t)high > 1);
}

struct hr_decimal_float hr_shortest_double(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    const uint64_t fraction = bits & ((1ULL << 52) - 1);
    const int biased = (int)(bits >> 52) & 2047;
    const uint64_t c = biased != 0 ? fraction | 1ULL << 52 : fraction;
    const int q = (biased != 0 ? biased : 1) - 1075;
    if (q <= 0 && q > -53 && (c & ((1ULL << -q) - 1)) == 0) {
        return strip_zeros(c >> -q, 0); /* a whole number below 2^53 */
    }
    const bool narrow = fraction == 0 && biased > 1;
    const int k = log10_pow2(q, narrow);
    const int h = q + log2_pow10(-k) + 1;
    const struct pow10 g = power_up(-k);
    return choose(odd_product(g, (4 * c - 2 + narrow) << h), odd_product(g, (4 * c) << h),
                  odd_product(g, (4 * c + 2) << h), c % 2 == 0, k);
}

static uint64_t odd_product32(uint64_t g, uint64_t cp) {
    const u128 product = (u128)g * cp;
    return (uint64_t)(product >> 64) | ((uint32_t)((uint64_t)product >> 32) > 1);
}

struct hr_decimal_float hr_shortest_float(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    const uint32_t fraction = bits & ((1U << 23) - 1);
    const int biased = (int)(bits >> 23) & 255;
    const uint64_t c = biased != 0 ? fraction | 1U << 23 : fraction;
    const int q = (biased != 0 ? biased : 1) - 150;
    if (q <= 0 && q > -24 && (c & ((1ULL << -q) - 1)) == 0) {
        return strip_zeros(c >> -q, 0);
    }
    const bool narrow = fraction == 0 && biased > 1;
    const int k = log10_pow2(q, narrow);
    const int h = q + log2_pow10(-k) + 1;
    const struct pow10 p = power_cut(-k);
    const uint64_t g = p.high + (-k < 0 || p.low != 0);
    return choose(odd_product32(g, (4 * c - 2 + narrow) << h), odd_product32(g, (4 * c) << h),
                  odd_product32(g, (4 * c + 2) << h), c % 2 == 0, k);
}

/* ---- a float from digits ---- */

static double from_parts(uint64_t mantissa, int biased) {
    const uint64_t bits = (mantissa & ((1ULL << 52) - 1)) | (uint64_t)biased << 52;
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

static double subnormal(uint64_t mantissa, int shift) {
    if (shift >= 64) {
        return 0;
    }
    mantissa >>= shift;
    mantissa = (mantissa + (mantissa & 1)) >> 1;
    return from_parts(mantissa, mantissa >= 1ULL << 52);
}

double hr_double_of(uint64_t digits, int64_t exponent) {
    if (digits == 0 || exponent < HR_POW10_FIRST) {
        return 0;
    }
    if (exponent > 308) {
        return (double)INFINITY;
    }
    const int q = (int)exponent;
    const int zeros = __builtin_clzll(digits);
    const uint64_t w = digits << zeros;
    /* Rounded up where a product can be halfway exactly, so that it does not fall just short. */
    const struct pow10 g = q < 0 && q >= -27 ? power_up(q) : power_cut(q);
    const u128 first = (u128)w * g.high;
    uint64_t high = (uint64_t)(first >> 64);
    uint64_t low = (uint64_t)first;
    if ((high & 511) == 511) { /* the bits below the mantissa could still carry */
        const uint64_t more = (uint64_t)(((u128)w * g.low) >> 64);
        low += more;
        high += low < more;
    }
    const int top = (int)(high >> 63);
    const int shift = top + 64 - 52 - 3;
    uint64_t mantissa = high >> shift;
    const int biased = log2_pow10(q) + 63 + top - zeros + 1023;
    if (biased <= 0) {
        return subnormal(mantissa, 1 - biased);
    }
    /* Halfway exactly: to even. Only these powers can give one. */
    if (low <= 1 && q >= -4 && q <= 23 && (mantissa & 3) == 1 && mantissa << shift == high) {
        mantissa &= ~(uint64_t)1;
    }
    mantissa = (mantissa + (mantissa & 1)) >> 1;
    const int carried = mantissa >= 1ULL << 53;
    if (biased + carried >= 2047) {
        return (double)INFINITY;
    }
    return from_parts(carried ? 0 : mantissa, biased + carried);
}
