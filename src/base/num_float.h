/* base/num_float.h - the arithmetic under num.c: binary floats to decimal digits and back.
 *
 * Both ways need one table of 128-bit powers of ten and one or two multiplications. */
#ifndef HR_BASE_NUM_FLOAT_H
#define HR_BASE_NUM_FLOAT_H

#include <stdbool.h>
#include <stdint.h>

/* digits * 10^exponent, digits without trailing zeros. */
struct hr_decimal_float {
    uint64_t digits;
    int exponent;
};

/* The shortest decimal that reads back as `value`, the nearest to it when several are; value is
 * finite and above zero. */
struct hr_decimal_float hr_shortest_double(double value);
struct hr_decimal_float hr_shortest_float(float value);

/* digits * 10^exponent correctly rounded; infinity where it overflows. */
double hr_double_of(uint64_t digits, int64_t exponent);

#endif
