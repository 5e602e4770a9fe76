/* tests/fuzz/fuzz_time.c - any bytes as a date, a time, a timestamp and an HTTP date: never read
 * beyond their end, and what is taken is written and read again to the same instant. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/time.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok) {
    if (!ok) {
        abort();
    }
}

static void try_timestamp(const char *text, size_t len) {
    int64_t seconds;
    int64_t again_s;
    int32_t nanos;
    int32_t again_n;
    bool zone;
    int digits;
    char out[48];
    if (!hr_parse_timestamp(text, len, &seconds, &nanos, &zone, &digits)) {
        return;
    }
    must(nanos >= 0 && nanos < 1000000000 && digits >= 0 && digits <= 9);
    int64_t year;
    int month;
    int day;
    hr_civil_from_days(seconds / 86400 - (seconds % 86400 < 0), &year, &month, &day);
    if (year < 1 || year > 9999) {
        return; /* a zone took it over the edge of what can be written */
    }
    const size_t n = hr_format_timestamp(seconds, nanos, -1, 'T', "Z", out);
    must(n <= sizeof(out));
    must(hr_parse_timestamp(out, n, &again_s, &again_n, &zone, &digits) && zone);
    must(again_s == seconds && again_n == nanos);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char out[48];
    int32_t days;
    int32_t again_days;
    int64_t value;
    int64_t again;
    if (size > 100) {
        return 0;
    }
    char *text = hr_malloc(size); /* exactly: reading on is seen */
    if (size > 0) {
        memcpy(text, data, size);
    }
    if (hr_parse_date(text, size, &days)) {
        const size_t n = hr_format_date(days, out);
        must(n == size && memcmp(out, text, n) == 0);
        must(hr_parse_date(out, n, &again_days) && again_days == days);
    }
    if (hr_parse_time(text, size, &value)) {
        must(value >= 0 && value < INT64_C(86400000000000));
        const size_t n = hr_format_time(value, -1, out);
        must(hr_parse_time(out, n, &again) && again == value);
    }
    (void)hr_parse_http_date(text, size, &value);
    try_timestamp(text, size);
    hr_free(text);
    return 0;
}
