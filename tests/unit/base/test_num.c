/* Numbers from and to text: exactness, bounds, round trips. */
#include "support.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"

static void integers(void **state) {
    (void)state;
    int64_t v;
    assert_true(hr_parse_i64("0", 1, &v) && v == 0);
    assert_true(hr_parse_i64("-9223372036854775808", 20, &v) && v == INT64_MIN);
    assert_true(hr_parse_i64("9223372036854775807", 19, &v) && v == INT64_MAX);
    assert_true(hr_parse_i64("+7", 2, &v) && v == 7);
    static const char *const bad[] = {"",
                                      "-",
                                      "+",
                                      "9223372036854775808",
                                      "-9223372036854775809",
                                      " 1",
                                      "1 ",
                                      "1.0",
                                      "0x10",
                                      "-+1",
                                      "--1",
                                      "1e3",
                                      "99999999999999999999999"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(hr_parse_i64(bad[i], strlen(bad[i]), &v));
    }
    uint64_t u;
    assert_true(hr_parse_u64("18446744073709551615", 20, &u) && u == UINT64_MAX);
    assert_false(hr_parse_u64("18446744073709551616", 20, &u));
    assert_false(hr_parse_u64("-1", 2, &u));
}

static void padded_integers_agree(void **state) {
    (void)state;
    uint64_t seed = 1;
    for (int i = 0; i < 20000; i++) {
        char text[64] = {0};
        const uint64_t r = test_rand(&seed);
        int n = snprintf(text, sizeof(text), "%lld", (long long)(int64_t)(r >> (r & 63)));
        if (i % 5 == 0) { /* spoil one byte */
            text[r % (uint64_t)n] = (char)(test_rand(&seed) & 0x7f);
        }
        memset(text + n, (int)(r & 0x7f),
               sizeof(text) - (size_t)n); /* what follows must not matter */
        int64_t a = 0;
        int64_t b = 0;
        const bool ok_a = hr_parse_i64(text, (size_t)n, &a);
        const bool ok_b = hr_parse_i64_pad(text, (size_t)n, &b);
        assert_int_equal(ok_a, ok_b);
        if (ok_a) {
            assert_int_equal(a, b);
        }
    }
}

static void check_double(const char *text) {
    double v = 0;
    assert_true(hr_parse_double(text, strlen(text), false, &v));
    const double want = strtod(text, NULL);
    assert_memory_equal(&v, &want, sizeof(v));
}

static void doubles(void **state) {
    (void)state;
    static const char *const good[] = {"0",
                                       "-0",
                                       "1.5",
                                       ".5",
                                       "5.",
                                       "1e10",
                                       "1E-10",
                                       "+2.25",
                                       "123456789012345678901234567890",
                                       "0.1",
                                       "2.2250738585072014e-308",
                                       "4.9e-324",
                                       "1.7976931348623157e308",
                                       "9007199254740993",
                                       "0.000000000000000000000000000001",
                                       "1e-400",
                                       "6.0221407623e+23",
                                       "12345678901234567.1234567890123456789"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        check_double(good[i]);
    }
    static const char *const bad[] = {"",   ".",   "-",   "e5",    "1e",  "1e+",   "1.2.3", " 1",
                                      "1 ", "nan", "inf", "0x1p3", "1,5", "1e999", "--1",   "1f"};
    double v;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(hr_parse_double(bad[i], strlen(bad[i]), false, &v));
    }
    assert_true(hr_parse_double("NaN", 3, true, &v) && isnan(v));
    assert_true(hr_parse_double("-Infinity", 9, true, &v) && isinf(v) && v < 0);
    assert_true(hr_parse_double("1e999", 5, true, &v) && isinf(v));
}

static void doubles_round_trip(void **state) {
    (void)state;
    uint64_t seed = 2;
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = test_rand(&seed);
        double v;
        memcpy(&v, &bits, sizeof(v));
        if (i % 3 == 0) { /* what data looks like */
            v = (double)(int64_t)(bits % 100000000) / 100;
        }
        if (!isfinite(v)) {
            continue;
        }
        char text[40];
        const size_t n = hr_format_double(v, i % 2 == 0, text);
        assert_true(n <= 32);
        double back = 0;
        assert_true(hr_parse_double(text, n, false, &back));
        assert_memory_equal(&v, &back, sizeof(v));
        float f = (float)v;
        if (isfinite(f)) {
            const size_t m = hr_format_float(f, true, text);
            text[m] = '\0';
            const float again = strtof(text, NULL);
            assert_memory_equal(&f, &again, sizeof(f));
        }
    }
}

static void double_text(void **state) {
    (void)state;
    static const struct {
        double v;
        const char *dot, *plain;
    } rows[] = {{0, "0.0", "0"},
                {1, "1.0", "1"},
                {-2.5, "-2.5", "-2.5"},
                {100, "100.0", "100"},
                {0.1, "0.1", "0.1"},
                {1e15, "1000000000000000.0", "1000000000000000"},
                {1e16, "1e+16", "1e+16"},
                {1.5e300, "1.5e+300", "1.5e+300"},
                {0.00001, "0.00001", "0.00001"},
                {0.000001, "1e-06", "1e-06"},
                {123456.789, "123456.789", "123456.789"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[40];
        text[hr_format_double(rows[i].v, true, text)] = '\0';
        assert_string_equal(text, rows[i].dot);
        text[hr_format_double(rows[i].v, false, text)] = '\0';
        assert_string_equal(text, rows[i].plain);
    }
    char text[40];
    text[hr_format_double((double)NAN, true, text)] = '\0';
    assert_string_equal(text, "nan");
    text[hr_format_double(-(double)INFINITY, true, text)] = '\0';
    assert_string_equal(text, "-inf");
    text[hr_format_float(0.1f, true, text)] = '\0';
    assert_string_equal(text, "0.1");
}

static void check_decimal(const char *text, int precision, int scale, const char *want) {
    hr_i128 v = 0;
    const bool ok = hr_parse_decimal(text, strlen(text), precision, scale, &v);
    if (want == NULL) {
        assert_false(ok);
        return;
    }
    assert_true(ok);
    char out[50];
    out[hr_format_decimal(v, scale, out)] = '\0';
    assert_string_equal(out, want);
}

static void decimals(void **state) {
    (void)state;
    check_decimal("12.34", 10, 2, "12.34");
    check_decimal("-0.5", 10, 3, "-0.500");
    check_decimal("7", 10, 2, "7.00");
    check_decimal("7.100", 10, 1, "7.1");
    check_decimal("7.11", 10, 1, NULL);
    check_decimal("99999", 4, 0, NULL);
    check_decimal("1.5e3", 10, 0, "1500");
    check_decimal("1500e-3", 10, 1, "1.5");
    check_decimal("1234e-2", 10, 2, "12.34");
    check_decimal("1200e-4", 10, 2, "0.12");
    check_decimal("1234e-4", 10, 2, NULL);
    check_decimal("0", 5, 2, "0.00");
    check_decimal("99999999999999999999999999999999999999", 38, 0,
                  "99999999999999999999999999999999999999");
    check_decimal("100000000000000000000000000000000000000", 38, 0, NULL);
    check_decimal("0.00000000000000000000000000000000000001", 38, 38,
                  "0.00000000000000000000000000000000000001");
    check_decimal("abc", 10, 2, NULL);
    check_decimal("1e40", 38, 0, NULL);
    char out[100];
    const uint64_t minus_one[4] = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
    out[hr_format_decimal256(minus_one, 2, out)] = '\0';
    assert_string_equal(out, "-0.01");
    const uint64_t big[4] = {0, 0, 1, 0}; /* 2^128 */
    out[hr_format_decimal256(big, 0, out)] = '\0';
    assert_string_equal(out, "340282366920938463463374607431768211456");
}

static void sizes(void **state) {
    (void)state;
    uint64_t v;
    assert_true(hr_parse_size("8M", &v) && v == 8u << 20);
    assert_true(hr_parse_size("64 MiB", &v) && v == 64u << 20);
    assert_true(hr_parse_size("1.5G", &v) && v == 3ull << 29);
    assert_true(hr_parse_size("1000", &v) && v == 1000);
    assert_true(hr_parse_size("2kb", &v) && v == 2048);
    assert_false(hr_parse_size("", &v));
    assert_false(hr_parse_size("-1", &v));
    assert_false(hr_parse_size("1X", &v));
    assert_false(hr_parse_size("99999999999P", &v));
    assert_false(hr_parse_size("1M!", &v));
}

static void halves(void **state) {
    (void)state;
    assert_true(fabs(hr_half_to_double(0x3c00) - 1.0) < DBL_EPSILON);
    assert_true(fabs(hr_half_to_double(0xc000) + 2.0) < DBL_EPSILON);
    assert_true(isinf(hr_half_to_double(0x7c00)));
    assert_true(isnan(hr_half_to_double(0x7e00)));
    assert_true(fabs(hr_half_to_double(0x0001) - ldexp(1, -24)) < 1e-20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers),    cmocka_unit_test(padded_integers_agree),
        cmocka_unit_test(doubles),     cmocka_unit_test(doubles_round_trip),
        cmocka_unit_test(double_text), cmocka_unit_test(decimals),
        cmocka_unit_test(sizes),       cmocka_unit_test(halves)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
