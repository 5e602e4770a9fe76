/* base/time.h - calendar arithmetic, text forms of dates, and the clock (which tests may set). */
#ifndef HR_BASE_TIME_H
#define HR_BASE_TIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Proleptic Gregorian calendar. Days since 1970-01-01; month 1..12, day 1..31. */
int64_t hr_days_from_civil(int64_t year, int month, int day);
void hr_civil_from_days(int64_t days, int64_t *year, int *month, int *day);

/* YYYY-MM-DD, exactly 10 bytes, day checked against the month. */
bool hr_parse_date(const char *text, size_t len, int32_t *out_days);

/* YYYY-MM-DD[T ]hh:mm[:ss[.f{1,9}]][ ]?[Z|±hh[:?mm]] -> nanoseconds are given apart so that years
 * 0001..9999 fit: seconds since the epoch (UTC when a zone was given) and nanoseconds 0..999999999.
 * out_zone: whether an offset or Z was present; out_digits: fraction digits seen. All outs
 * required. */
bool hr_parse_timestamp(const char *text, size_t len, int64_t *out_seconds, int32_t *out_nanos,
                        bool *out_zone, int *out_digits);
/* hh:mm:ss[.f{1,9}] -> nanoseconds since midnight. */
bool hr_parse_time(const char *text, size_t len, int64_t *out_nanos);

/* Writers: no NUL, return the length. */
size_t hr_format_date(int64_t days, char *out); /* room 16 */
/* seconds since the epoch + nanos; fraction digits 0, 3, 6 or 9 (-1: as many as needed of those);
 * sep 'T' or ' '; suffix e.g. "Z" or "". Room 48. */
size_t hr_format_timestamp(int64_t seconds, int32_t nanos, int digits, char sep, const char *suffix,
                           char *out);
size_t hr_format_time(int64_t nanos, int digits, char *out); /* room 24 */

/* HTTP date (RFC 9110, IMF-fixdate) and ISO 8601 basic as S3 uses it. */
bool hr_parse_http_date(const char *text, size_t len, int64_t *out_seconds);
size_t hr_format_amz_date(int64_t seconds, char *out); /* YYYYMMDDTHHMMSSZ, 16 bytes */

/* The clocks. Wall time can be pinned for tests and with `run_time`. */
int64_t hr_now_micros(void); /* since the epoch */
int64_t hr_monotonic_nanos(void);
void hr_clock_set(int64_t micros_or_minus_1); /* -1: the real clock again */

#endif
