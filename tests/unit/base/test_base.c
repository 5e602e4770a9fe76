/* Errors, memory, slices, arenas, hashes, time, sources. */
#include "support.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/cpu.h"
#include "base/hash.h"
#include "base/io.h"
#include "base/log.h"
#include "base/time.h"

/* What hr_hash64 and hr_hash128 gave on the day the state format was fixed. */
#define HASH_SUM "819325763553b1d9"

static void error_codes(void **state) {
    (void)state;
    assert_string_equal(hr_code_name(HR_E_FORMAT), "FORMAT");
    assert_string_equal(hr_code_name(HR_WIDEN), "WIDEN");
    assert_string_equal(hr_code_name(-9999), "INTERNAL");
    assert_int_equal(hr_code_exit(HR_E_CONFIG), 2);
    assert_int_equal(hr_code_exit(HR_E_AUTH), 3);
    assert_int_equal(hr_code_exit(HR_E_NO_BUCKET), 4);
    assert_int_equal(hr_code_exit(HR_E_CORRUPT), 5);
    assert_int_equal(hr_code_exit(HR_E_LIMIT), 6);
    assert_int_equal(hr_code_exit(HR_E_LOCKED), 7);
    assert_int_equal(hr_code_exit(HR_OK), 0);
    assert_int_equal(hr_code_class(HR_E_TIMEOUT), HR_CLASS_TRANSIENT);
    assert_string_equal(hr_code_sentence(HR_E_NOMEM), "out of memory");
}

static void error_record(void **state) {
    (void)state;
    struct hr_error err;
    assert_int_equal(hr_fail(&err, HR_E_FORMAT, "could not read '%s'", "x"), HR_E_FORMAT);
    hr_error_hint(&err, "do %d", 7);
    hr_error_detail(&err, "more");
    hr_error_object(&err, "a/b\x01\n");
    hr_error_object(&err, "second is ignored");
    hr_error_place(&err, 10, 3, "col");
    hr_error_place(&err, -1, -1, NULL);
    char text[2000];
    hr_error_format(&err, text, sizeof(text));
    assert_non_null(strstr(text, "could not read 'x'"));
    assert_non_null(strstr(text, "object: a/b\\x01\\x0a"));
    assert_non_null(strstr(text, "line: 3"));
    assert_non_null(strstr(text, "byte: 10"));
    assert_non_null(strstr(text, "column: col"));
    assert_non_null(strstr(text, "hint: do 7"));
    char tiny[8];
    hr_error_format(&err, tiny, sizeof(tiny));
    assert_true(strlen(tiny) < sizeof(tiny));
    assert_int_equal(hr_fail_errno(&err, ENOSPC, "could not write"), HR_E_NOSPACE);
    assert_true(err.hint[0] != '\0');
    assert_int_equal(hr_fail_errno(&err, ENOENT, "x"), HR_E_NO_OBJECT);
    assert_int_equal(hr_fail_errno(NULL, EACCES, "x"), HR_E_FORBIDDEN);
    assert_int_equal(hr_fail_errno(NULL, ENOMEM, "x"), HR_E_NOMEM);
    assert_int_equal(hr_fail_errno(NULL, EEXIST, "x"), HR_E_EXISTS);
    assert_int_equal(hr_fail(NULL, HR_E_IO, "x"), HR_E_IO);
    hr_fail(&err, HR_E_FORMAT, "x");
    hr_error_hint_damaged(&err); /* says nothing of other codes, nor over a hint */
    assert_string_equal(err.hint, "");
    hr_fail(&err, HR_E_CORRUPT, "x");
    hr_error_hint_damaged(&err);
    assert_non_null(strstr(err.hint, "damaged"));
    hr_error_hint(&err, "own");
    hr_error_hint_damaged(&err);
    assert_string_equal(err.hint, "own");
    hr_error_hint_damaged(NULL);
    hr_fail(&err, HR_E_FORMAT, "could not read line 3: 'line 3' is bad");
    hr_error_place(&err, 10, 3, NULL);
    hr_error_move_line(&err, 0);
    assert_int_equal(err.line, 3);
    hr_error_move_line(&err, 100);
    assert_int_equal(err.line, 103);
    assert_string_equal(err.message, "could not read line 103: 'line 3' is bad");
    hr_fail(&err, HR_E_FORMAT, "could not read line 31");
    hr_error_place(&err, 10, 3, NULL);
    hr_error_move_line(&err, 100);
    assert_string_equal(err.message, "could not read line 31");
    hr_error_move_line(NULL, 100);
    hr_error_clear(NULL);
    hr_error_hint(NULL, "x");
    hr_error_detail(NULL, "x");
    hr_error_object(NULL, "x");
    hr_error_place(NULL, 1, 1, "x");
}

static void memory_can_fail(void **state) {
    (void)state;
    const int64_t live = hr_mem_live();
    hr_mem_fail_at(2, 0);
    void *a = hr_malloc(10);
    assert_non_null(a);
    assert_null(hr_malloc(10));
    void *b = hr_calloc(3, 4);
    assert_non_null(b);
    assert_int_equal(hr_mem_count(), 3);
    hr_mem_fail_at(1, 1);
    assert_null(hr_strdup("x"));
    assert_null(hr_realloc(a, 100));
    assert_null(hr_big_alloc(1 << 20, NULL));
    hr_mem_fail_at(0, 0);
    assert_null(hr_reallocarray(NULL, SIZE_MAX, 2));
    hr_free(a);
    hr_free(b);
    hr_free(NULL);
    char *secret = hr_strdup("hunter2");
    hr_free_secret(secret);
    hr_free_secret(NULL);
    assert_null(hr_strdup(NULL));
    assert_int_equal(hr_mem_live(), live);
}

static void big_buffers(void **state) {
    (void)state;
    static const size_t sizes[] = {0, 1, 4096, 5000, 65536, 100000, 1 << 20, 3 << 20, 40 << 20};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        size_t cap = 0;
        uint8_t *p = hr_big_alloc(sizes[i], &cap);
        assert_non_null(p);
        assert_true(cap >= sizes[i]);
        memset(p, 7, cap + HR_PAD);
        uint8_t *grown = hr_big_grow(p, sizes[i], cap + 1, &cap);
        assert_non_null(grown);
        for (size_t k = 0; k < sizes[i]; k += 1 + sizes[i] / 7) {
            assert_int_equal(grown[k], 7);
        }
        assert_ptr_equal(hr_big_grow(grown, 0, 1, NULL), grown);
        hr_big_free(grown);
    }
    assert_null(hr_big_alloc(SIZE_MAX / 2, NULL));
    assert_true(hr_big_cached() > 0);
    hr_big_trim();
    assert_int_equal(hr_big_cached(), 0);
    assert_int_equal(hr_big_in_use(), 0);
    hr_big_free(NULL);
}

static void buffers(void **state) {
    (void)state;
    struct hr_buf buf;
    struct hr_error err;
    hr_buf_init(&buf, 20);
    assert_string_equal(hr_buf_cstr(&buf), "");
    assert_int_equal(hr_buf_append_str(&buf, "hello ", &err), 0);
    assert_int_equal(hr_buf_printf(&buf, &err, "%d", 42), 0);
    assert_int_equal(hr_buf_append_byte(&buf, '!', &err), 0);
    assert_string_equal(hr_buf_cstr(&buf), "hello 42!");
    assert_int_equal(hr_buf_append(&buf, "0123456789ab", 12, &err), HR_E_BOUND);
    assert_true(hr_slice_eq_str(hr_buf_slice(&buf), "hello 42!"));
    assert_int_equal(hr_buf_reserve(&buf, SIZE_MAX, &err), HR_E_BOUND);
    char *text = hr_buf_detach(&buf);
    assert_string_equal(text, "hello 42!");
    hr_free(text);
    text = hr_buf_detach(&buf);
    assert_string_equal(text, "");
    hr_free(text);
    hr_buf_clear(&buf);
    hr_buf_release(&buf);
}

static void json_and_printable(void **state) {
    (void)state;
    struct hr_buf buf;
    hr_buf_init(&buf, 0);
    const char raw[] = "a\"\\\b\t\n\x01é\xff\xed\xa0\x80z";
    assert_int_equal(hr_buf_append_json(&buf, hr_slice_of(raw, sizeof(raw) - 1), NULL), 0);
    assert_string_equal(hr_buf_cstr(&buf), "\"a\\\"\\\\\\b\\t\\n\\u0001é\xef\xbf\xbd\xef\xbf\xbd"
                                           "\xef\xbf\xbd\xef\xbf\xbdz\"");
    hr_buf_release(&buf);
    char out[64];
    hr_printable(hr_slice_str("ab\x1b[31mé\xff"), 80, out, sizeof(out));
    assert_string_equal(out, "ab\\x1b[31mé\\xff");
    hr_printable(hr_slice_str("0123456789"), 4, out, sizeof(out));
    assert_string_equal(out, "0123\xe2\x80\xa6");
    char tiny[4];
    hr_printable(hr_slice_str("0123456789"), 10, tiny, sizeof(tiny));
    assert_true(strlen(tiny) < sizeof(tiny));
}

static void arenas(void **state) {
    (void)state;
    struct hr_arena arena;
    hr_arena_init(&arena, 100000);
    char *text = hr_arena_strndup(&arena, "hello", 3);
    assert_string_equal(text, "hel");
    for (int i = 0; i < 100; i++) {
        uint8_t *p = hr_arena_calloc(&arena, 10, 50);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 16, 0);
        assert_int_equal(p[499], 0);
    }
    assert_null(hr_arena_alloc(&arena, 60000));
    assert_null(hr_arena_alloc(&arena, SIZE_MAX));
    assert_null(hr_arena_calloc(&arena, SIZE_MAX, 2));
    hr_arena_reset(&arena);
    assert_non_null(hr_arena_alloc(&arena, 90000));
    hr_arena_release(&arena);
}

static void digests(void **state) {
    (void)state;
    uint8_t out[32];
    char hex[65];
    hr_sha256("abc", 3, out);
    hr_hex(out, 32, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    hr_hmac_sha256("key", 3, "The quick brown fox jumps over the lazy dog", 43, out);
    hr_hex(out, 32, hex);
    assert_string_equal(hex, "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8");
    hr_md5("x|2|1e+21|true|<nil>|1970-01-01 00:00:00 +0000 UTC|", 51, out);
    hr_hex(out, 16, hex);
    assert_string_equal(hex, "0135c6ef862b850e7fdbf62e52c14b3f");
    assert_int_equal(hr_crc32(0, "123456789", 9), 0xcbf43926u);
    assert_int_equal(hr_crc32c(0, "123456789", 9), 0xe3069283u);
    assert_true(hr_crc64nvme(0, "123456789", 9) == 0xae8b14860a799888ULL);
    uint8_t raw[3];
    assert_int_equal(hr_unhex("00fFa1", raw, 3), 0);
    assert_int_equal(raw[1], 0xff);
    assert_int_equal(hr_unhex("00fF", raw, 3), -1);
    assert_int_equal(hr_unhex("00fFa1aa", raw, 3), -1);
    assert_int_equal(hr_unhex("zz0000", raw, 3), -1);
}

/* These values are in state files: a change needs a new state version. */
static void hashes_are_stable(void **state) {
    (void)state;
    assert_true(hr_hash64("headrace", 8, 1) == hr_hash64("headrace", 8, 1));
    assert_true(hr_hash64("headrace", 8, 1) != hr_hash64("headrace", 8, 2));
    uint8_t bytes[100];
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)i;
    }
    uint64_t sum = 0;
    for (size_t n = 0; n <= sizeof(bytes); n++) {
        sum = sum * 31 + hr_hash64(bytes, n, n);
        const struct hr_hash128 h = hr_hash128(bytes, n, n);
        sum = sum * 31 + (h.lo ^ h.hi);
        bytes[n % 100] ^= 1;
        assert_true(n == 0 || n == 100 || hr_hash64(bytes, n + 1, n) != hr_hash64(bytes, n, n));
        bytes[n % 100] ^= 1;
    }
    char text[32];
    snprintf(text, sizeof(text), "%016llx", (unsigned long long)sum);
    assert_string_equal(text, HASH_SUM);
}

static void calendar(void **state) {
    (void)state;
    for (int64_t day = -800000; day < 3000000; day += 977) {
        int64_t y;
        int m;
        int d;
        hr_civil_from_days(day, &y, &m, &d);
        assert_int_equal(hr_days_from_civil(y, m, d), day);
    }
    int32_t days;
    assert_true(hr_parse_date("2024-02-29", 10, &days) && days == 19782);
    assert_false(hr_parse_date("2023-02-29", 10, &days));
    assert_false(hr_parse_date("2024-13-01", 10, &days));
    assert_false(hr_parse_date("2024-00-01", 10, &days));
    assert_false(hr_parse_date("2024-1-011", 10, &days));
    assert_false(hr_parse_date("2024-01-15-ABC", 14, &days));
    char out[48];
    out[hr_format_date(19782, out)] = '\0';
    assert_string_equal(out, "2024-02-29");
    out[hr_format_date(-719529, out)] = '\0';
    assert_string_equal(out, "-0001-12-31");
    out[hr_format_date(hr_days_from_civil(12345, 6, 7), out)] = '\0';
    assert_string_equal(out, "12345-06-07");
}

static void check_ts(const char *text, const char *want) {
    int64_t s;
    int32_t ns;
    bool zone;
    int digits;
    const bool ok = hr_parse_timestamp(text, strlen(text), &s, &ns, &zone, &digits);
    if (want == NULL) {
        assert_false(ok);
        return;
    }
    assert_true(ok);
    char out[64];
    out[hr_format_timestamp(s, ns, -1, 'T', zone ? "Z" : "", out)] = '\0';
    assert_string_equal(out, want);
}

static void timestamps(void **state) {
    (void)state;
    check_ts("2024-01-02T03:04:05Z", "2024-01-02T03:04:05Z");
    check_ts("2024-01-02 03:04:05", "2024-01-02T03:04:05");
    check_ts("2024-01-02 03:04", "2024-01-02T03:04:00");
    check_ts("2024-01-02T03:04:05.1", "2024-01-02T03:04:05.100");
    check_ts("2024-01-02T03:04:05.123456789+02:00", "2024-01-02T01:04:05.123456789Z");
    check_ts("2024-01-01T00:30:00-0130", "2024-01-01T02:00:00Z");
    check_ts("2024-01-01T00:30:00+01", "2023-12-31T23:30:00Z");
    check_ts("2024-01-02 03:04:05 Z", "2024-01-02T03:04:05Z");
    check_ts("1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59.500Z");
    check_ts("2024-01-02T25:04:05Z", NULL);
    check_ts("2024-01-02T03:60:05Z", NULL);
    check_ts("2024-01-02T03:04:05.Z", NULL);
    check_ts("2024-01-02T03:04:05X", NULL);
    check_ts("2024-01-02T03:04:05+9", NULL);
    check_ts("2024-01-02T03:04:05 ", NULL);
    check_ts("2024-01-02", NULL);
    int64_t nanos;
    assert_true(hr_parse_time("01:02:03.5", 10, &nanos) && nanos == 3723500000000LL);
    assert_false(hr_parse_time("01:02", 5, &nanos));
    char out[64];
    out[hr_format_time(3723500000000LL, 3, out)] = '\0';
    assert_string_equal(out, "01:02:03.500");
    int64_t s;
    assert_true(hr_parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT", 29, &s) && s == 784111777);
    assert_false(hr_parse_http_date("Sun, 06 Foo 1994 08:49:37 GMT", 29, &s));
    assert_int_equal(hr_format_amz_date(784111777, out), 16);
    assert_memory_equal(out, "19941106T084937Z", 16);
    hr_clock_set(5);
    assert_int_equal(hr_now_micros(), 5);
    hr_clock_set(-1);
    assert_true(hr_now_micros() > 1600000000000000LL);
    assert_true(hr_monotonic_nanos() > 0);
}

static void sources(void **state) {
    (void)state;
    struct hr_error err;
    struct hr_source *src = hr_source_mem("obj", "hello world", 11, 4);
    struct hr_buf buf;
    hr_buf_init(&buf, 0);
    assert_int_equal(hr_source_slurp(src, &buf, &err), 0);
    assert_string_equal(hr_buf_cstr(&buf), "hello world");
    uint8_t part[5];
    assert_int_equal(hr_source_read_at(src, 6, 5, part, &err), 0);
    assert_memory_equal(part, "world", 5);
    assert_int_equal(hr_source_read_at(src, 7, 5, part, &err), HR_E_CORRUPT);
    assert_int_equal(hr_source_read_at(src, -1, 1, part, &err), HR_E_CORRUPT);
    hr_source_hint(src, NULL, 0);
    hr_source_close(src);
    hr_source_close(NULL);
    hr_buf_clear(&buf);
    struct hr_out *out = hr_out_buf(&buf);
    assert_int_equal(hr_out_write(out, "abc", 3, &err), 0);
    assert_int_equal(out->written, 3);
    hr_out_close(out);
    hr_out_close(NULL);
    assert_string_equal(hr_buf_cstr(&buf), "abc");
    hr_buf_release(&buf);
}

static void on_log(void *user, enum hr_log_level level, const char *text) {
    assert_int_equal(level, HR_LOG_WARN);
    snprintf(user, 64, "%s", text);
}

static void logging(void **state) {
    (void)state;
    char got[64] = "";
    hr_log(HR_LOG_ERROR, "nowhere");
    hr_log_set(on_log, got, HR_LOG_WARN);
    hr_log(HR_LOG_INFO, "not this");
    hr_log(HR_LOG_WARN, "n %d", 3);
    assert_string_equal(got, "n 3");
    assert_false(hr_log_enabled(HR_LOG_DEBUG));
    hr_log_set(NULL, NULL, HR_LOG_ERROR);
    const struct hr_cpu none = {0};
    hr_cpu_override(&none);
    assert_false(hr_cpu_get()->avx2);
    hr_cpu_override(NULL);
    assert_true(hr_cpu_get()->avx2 || !hr_cpu_get()->avx512);
}

/* Every day of the years 1 to 9999, and a few beyond, is written as the date it is. */
static void every_date(void **state) {
    (void)state;
    for (int64_t days = -719162 - 400; days <= 2932896 + 400; days++) {
        char text[20];
        char want[40];
        int64_t year;
        int month;
        int day;
        text[hr_format_date(days, text)] = '\0';
        hr_civil_from_days(days, &year, &month, &day);
        if (days % 97 == 0 || day == 1 || year < 1 || year > 9999) {
            snprintf(want, sizeof(want), "%s%04lld-%02d-%02d", year < 0 ? "-" : "",
                     (long long)(year < 0 ? -year : year), month, day);
            assert_string_equal(text, want);
        }
        int32_t back;
        if (year >= 1 && year <= 9999) {
            assert_true(hr_parse_date(text, strlen(text), &back));
            assert_int_equal(back, days);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_date),
                                       cmocka_unit_test(error_codes),
                                       cmocka_unit_test(error_record),
                                       cmocka_unit_test(memory_can_fail),
                                       cmocka_unit_test(big_buffers),
                                       cmocka_unit_test(buffers),
                                       cmocka_unit_test(json_and_printable),
                                       cmocka_unit_test(arenas),
                                       cmocka_unit_test(digests),
                                       cmocka_unit_test(hashes_are_stable),
                                       cmocka_unit_test(calendar),
                                       cmocka_unit_test(timestamps),
                                       cmocka_unit_test(sources),
                                       cmocka_unit_test(logging)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
