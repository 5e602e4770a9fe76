/* base/num.h - numbers from text and to text, locale-free, exact.
 *
 * Parsers take pointer and length, never read past `len` (unless named _pad: those may read HR_PAD
 * bytes beyond), accept the whole text or fail: no leading or trailing blanks. */
#ifndef HR_BASE_NUM_H
#define HR_BASE_NUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef __int128 hr_i128;
typedef unsigned __int128 hr_u128;

/* [+-]?digits, in range. Leading zeros are accepted here; inference refuses them itself. */
bool hr_parse_i64(const char *text, size_t len, int64_t *out);
bool hr_parse_u64(const char *text, size_t len, uint64_t *out);
/* Same, digits at text[0..len), text may be over-read by 16 bytes: the fast path of CSV and JSON.
 */
bool hr_parse_i64_pad(const char *text, size_t len, int64_t *out);

/* Decimal float, correctly rounded: [+-]?(digits[.digits]|.digits)([eE][+-]?digits)?. With
 * `special`: also nan, inf, infinity in any case. Overflow gives infinity only with `special`,
 * otherwise fails. */
bool hr_parse_double(const char *text, size_t len, bool special, double *out);

/* Fixed-point decimal of the given scale as a 128-bit integer; fails on more fraction digits than
 * `scale` that are not zero, or more than `precision` digits in all. Exponents are accepted. */
bool hr_parse_decimal(const char *text, size_t len, int precision, int scale, hr_i128 *out);

/* Writers: no NUL, return the length. Room needed: i64 20, double 32, decimal 48 (128 bit). */
size_t hr_format_i64(int64_t value, char *out);
size_t hr_format_u64(uint64_t value, char *out);
/* Shortest text that reads back to the same double: 1.5, 100.0 -> "100.0" with `dot`, else "100";
 * exponent form below 1e-5 and from 1e16; nan, inf, -inf. */
size_t hr_format_double(double value, bool dot, char *out);
size_t hr_format_float(float value, bool dot, char *out);
size_t hr_format_decimal(hr_i128 unscaled, int scale, char *out);
/* 256-bit two's complement, four little-endian 64-bit words; room 96. */
size_t hr_format_decimal256(const uint64_t words[4], int scale, char *out);

/* "8M", "64 MiB", "1.5G", "1000" -> bytes (powers of 1024). */
bool hr_parse_size(const char *text, uint64_t *out);

double hr_half_to_double(uint16_t half); /* IEEE binary16 */

#endif
