/* base/time.c - calendar arithmetic, date text, clocks.
 *
 * Civil-from-days works in 400-year eras of a year that begins in March (the leap day comes last),
 * as published by Howard Hinnant in "chrono-Compatible Low-Level Date Algorithms".
 */
#include "base/time.h"

#include <stdatomic.h>
#include <string.h>
#include <time.h>

int64_t hr_days_from_civil(int64_t year, int month, int day) {
    const int64_t y = year - (month <= 2);
    const int64_t era = (y >= 0 ? y : y - 399) / 400;
    const int64_t yoe = y - era * 400;
    const int64_t doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    const int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return era * 146097 + doe - 719468;
}

void hr_civil_from_days(int64_t days, int64_t *year, int *month, int *day) {
    const int64_t z = days + 719468;
    const int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    const int64_t doe = z - era * 146097;
    const int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    const int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    const int64_t mp = (5 * doy + 2) / 153;
    *day = (int)(doy - (153 * mp + 2) / 5 + 1);
    *month = (int)(mp < 10 ? mp + 3 : mp - 9);
    *year = yoe + era * 400 + (*month <= 2);
}

/* `n` digits at p, or -1. */
static int digits(const char *p, int n) {
    int v = 0;
    for (int i = 0; i < n; i++) {
        const unsigned d = (unsigned)(unsigned char)p[i] - '0';
        if (d > 9) {
            return -1;
        }
        v = v * 10 + (int)d;
    }
    return v;
}

static bool valid_day(int year, int month, int day) {
    static const uint8_t last[13] = {0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (month < 1 || month > 12 || day < 1) {
        return false;
    }
    const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return day <= last[month] + (month == 2 && leap);
}

bool hr_parse_date(const char *text, size_t len, int32_t *out_days) {
    if (len != 10 || text[4] != '-' || text[7] != '-') {
        return false;
    }
    const int year = digits(text, 4);
    const int month = digits(text + 5, 2);
    const int day = digits(text + 8, 2);
    if (year < 0 || !valid_day(year, month, day)) {
        return false;
    }
    *out_days = (int32_t)hr_days_from_civil(year, month, day);
    return true;
}

/* .f{1,9} at text[pos]; returns the position behind it, 0 on bad text. */
static size_t parse_fraction(const char *text, size_t pos, size_t len, int32_t *nanos,
                             int *out_digits) {
    *nanos = 0;
    *out_digits = 0;
    if (pos >= len || (text[pos] != '.' && text[pos] != ',')) {
        return pos;
    }
    pos++;
    int n = 0;
    while (pos < len && n < 9 && text[pos] >= '0' && text[pos] <= '9') {
        *nanos = *nanos * 10 + (text[pos] - '0');
        pos++;
        n++;
    }
    if (n == 0) {
        return 0;
    }
    *out_digits = n;
    for (; n < 9; n++) {
        *nanos *= 10;
    }
    return pos;
}

/* hh:mm[:ss[.f]] from pos; returns the end or 0. */
static size_t parse_clock(const char *text, size_t pos, size_t len, int *seconds, int32_t *nanos,
                          int *out_digits) {
    *nanos = 0;
    *out_digits = 0;
    if (len - pos < 5 || text[pos + 2] != ':') {
        return 0;
    }
    const int hour = digits(text + pos, 2);
    const int minute = digits(text + pos + 3, 2);
    int second = 0;
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59) {
        return 0;
    }
    pos += 5;
    if (pos < len && text[pos] == ':') {
        if (len - pos < 3 || (second = digits(text + pos + 1, 2)) < 0 || second > 59) {
            return 0;
        }
        pos = parse_fraction(text, pos + 3, len, nanos, out_digits);
    }
    *seconds = hour * 3600 + minute * 60 + second;
    return pos;
}

/* Z | ±hh[:?mm] from pos to the end of the text. */
static bool parse_zone(const char *text, size_t pos, size_t len, int *offset_seconds) {
    if (text[pos] == 'Z' || text[pos] == 'z') {
        *offset_seconds = 0;
        return pos + 1 == len;
    }
    if ((text[pos] != '+' && text[pos] != '-') || len - pos < 3) {
        return false;
    }
    const int hours = digits(text + pos + 1, 2);
    int minutes = 0;
    size_t at = pos + 3;
    if (at < len) {
        at += text[at] == ':';
        if (len - at != 2) {
            return false;
        }
        minutes = digits(text + at, 2);
    }
    if (hours < 0 || hours > 18 || minutes < 0 || minutes > 59) {
        return false;
    }
    *offset_seconds = (hours * 3600 + minutes * 60) * (text[pos] == '-' ? -1 : 1);
    return true;
}

bool hr_parse_timestamp(const char *text, size_t len, int64_t *out_seconds, int32_t *out_nanos,
                        bool *out_zone, int *out_digits) {
    int32_t days;
    int clock;
    int offset = 0;
    if (len < 16 || (text[10] != 'T' && text[10] != ' ' && text[10] != 't') ||
        !hr_parse_date(text, 10, &days)) {
        return false;
    }
    size_t pos = parse_clock(text, 11, len, &clock, out_nanos, out_digits);
    if (pos == 0) {
        return false;
    }
    *out_zone = pos < len;
    if (pos < len) {
        if (text[pos] == ' ') {
            pos++;
        }
        if (pos >= len || !parse_zone(text, pos, len, &offset)) {
            return false;
        }
    }
    *out_seconds = (int64_t)days * 86400 + clock - offset;
    return true;
}

bool hr_parse_time(const char *text, size_t len, int64_t *out_nanos) {
    int seconds;
    int32_t nanos;
    int n_digits;
    if (len < 8 || text[5] != ':' ||
        parse_clock(text, 0, len, &seconds, &nanos, &n_digits) != len) {
        return false;
    }
    *out_nanos = (int64_t)seconds * 1000000000 + nanos;
    return true;
}

static char *put_digits(char *out, int64_t value, int n) {
    for (int i = n - 1; i >= 0; i--) {
        out[i] = (char)('0' + value % 10);
        value /= 10;
    }
    return out + n;
}

/* v < 100, as two digits in one store: tens by v / 10 = v * 103 >> 10. */
static void put_pair(char *out, uint32_t v) {
    const uint32_t tens = v * 103 >> 10;
    const uint32_t pair = 0x3030 + tens + ((v - 10 * tens) << 8);
    const uint8_t bytes[2] = {(uint8_t)pair, (uint8_t)(pair >> 8)};
    memcpy(out, bytes, 2);
}

/* The years people use, 0001 to 9999. Days to a date as in C. Neri and L. Schneider, "Euclidean
 * affine functions and their application to calendar algorithms": years begin in March, divisions
 * by constants only. */
static size_t put_plain_date(int32_t days, char *out) {
    const uint32_t n1 = 4 * (uint32_t)(days + 719468) + 3; /* days since 0000-03-01 */
    const uint32_t century = n1 / 146097;
    const uint32_t n2 = (n1 % 146097) | 3;
    const uint64_t p2 = (uint64_t)2939745 * n2;
    const uint32_t day_of_year = (uint32_t)p2 / 2939745 / 4;
    const uint32_t n3 = 2141 * day_of_year + 197913;
    const bool next = day_of_year >= 306; /* January and February */
    const uint32_t year = 100 * century + (uint32_t)(p2 >> 32) + next;
    put_pair(out, year / 100);
    put_pair(out + 2, year % 100);
    out[4] = '-';
    put_pair(out + 5, (n3 >> 16) - (next ? 12 : 0));
    out[7] = '-';
    put_pair(out + 8, (n3 & 0xffff) / 2141 + 1);
    return 10;
}

size_t hr_format_date(int64_t days, char *out) {
    if (days >= -719162 && days <= 2932896) {
        return put_plain_date((int32_t)days, out);
    }
    int64_t year;
    int month;
    int day;
    char *p = out;
    hr_civil_from_days(days, &year, &month, &day);
    if (year < 0) {
        *p++ = '-';
        year = -year;
    }
    int width = 4;
    for (int64_t limit = 10000; year >= limit && width < 10; limit *= 10) {
        width++;
    }
    p = put_digits(p, year, width);
    *p++ = '-';
    p = put_digits(p, month, 2);
    *p++ = '-';
    p = put_digits(p, day, 2);
    return (size_t)(p - out);
}

static char *put_clock(char *p, int64_t seconds, int32_t nanos, int n_digits) {
    p = put_digits(p, seconds / 3600, 2);
    *p++ = ':';
    p = put_digits(p, seconds / 60 % 60, 2);
    *p++ = ':';
    p = put_digits(p, seconds % 60, 2);
    if (n_digits < 0) {
        n_digits = nanos == 0 ? 0 : nanos % 1000000 == 0 ? 3 : nanos % 1000 == 0 ? 6 : 9;
    }
    if (n_digits > 0) {
        static const int32_t scale[10] = {1000000000, 100000000, 10000000, 1000000, 100000,
                                          10000,      1000,      100,      10,      1};
        *p++ = '.';
        p = put_digits(p, nanos / scale[n_digits], n_digits);
    }
    return p;
}

size_t hr_format_timestamp(int64_t seconds, int32_t nanos, int n_digits, char sep,
                           const char *suffix, char *out) {
    int64_t days = seconds / 86400;
    int64_t rest = seconds % 86400;
    if (rest < 0) {
        rest += 86400;
        days--;
    }
    char *p = out + hr_format_date(days, out);
    *p++ = sep;
    p = put_clock(p, rest, nanos, n_digits);
    const size_t suffix_len = strlen(suffix);
    memcpy(p, suffix, suffix_len);
    return (size_t)(p - out) + suffix_len;
}

size_t hr_format_time(int64_t nanos, int n_digits, char *out) {
    const int64_t seconds = nanos / 1000000000;
    return (size_t)(put_clock(out, seconds, (int32_t)(nanos % 1000000000), n_digits) - out);
}

bool hr_parse_http_date(const char *text, size_t len, int64_t *out_seconds) {
    /* Sun, 06 Nov 1994 08:49:37 GMT */
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    if (len != 29 || memcmp(text + 25, " GMT", 4) != 0 || text[3] != ',') {
        return false;
    }
    int month = 0;
    while (month < 12 && memcmp(months + (size_t)month * 3, text + 8, 3) != 0) {
        month++;
    }
    const int day = digits(text + 5, 2);
    const int year = digits(text + 12, 4);
    int seconds;
    int32_t nanos;
    int n_digits;
    if (month == 12 || year < 0 || !valid_day(year, month + 1, day) ||
        parse_clock(text, 17, 25, &seconds, &nanos, &n_digits) != 25) {
        return false;
    }
    *out_seconds = hr_days_from_civil(year, month + 1, day) * 86400 + seconds;
    return true;
}

size_t hr_format_amz_date(int64_t seconds, char *out) {
    int64_t year;
    int month;
    int day;
    const int64_t days = seconds / 86400;
    const int64_t rest = seconds % 86400;
    hr_civil_from_days(days, &year, &month, &day);
    char *p = put_digits(out, year, 4);
    p = put_digits(p, month, 2);
    p = put_digits(p, day, 2);
    *p++ = 'T';
    p = put_digits(p, rest / 3600, 2);
    p = put_digits(p, rest / 60 % 60, 2);
    p = put_digits(p, rest % 60, 2);
    *p = 'Z';
    return 16;
}

static atomic_int_fast64_t pinned = -1;

int64_t hr_now_micros(void) {
    const int64_t fixed = atomic_load(&pinned);
    if (fixed >= 0) {
        return fixed;
    }
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t hr_monotonic_nanos(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void hr_clock_set(int64_t micros_or_minus_1) {
    atomic_store(&pinned, micros_or_minus_1);
}
