/* Shortest digits and reading by multiplication, held to printf and strtod of the C library. */
#include "support.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"

/* The digits of a printed number, without sign, point, exponent and zeros at either end. */
static void digits_of(const char *text, char *out) {
    size_t n = 0;
    for (; *text != '\0' && *text != 'e'; text++) {
        if (*text >= '0' && *text <= '9' && (n > 0 || *text != '0')) {
            out[n++] = *text;
        }
    }
    while (n > 0 && out[n - 1] == '0') {
        n--;
    }
    out[n] = '\0';
}

static bool same(double a, double b) {
    return memcmp(&a, &b, sizeof(a)) == 0;
}

/* Reads back, no shorter one does, and it is the nearest of its length. */
static void check_double(double v) {
    char text[40];
    const size_t len = hr_format_double(v, false, text);
    assert_true(len <= 32);
    text[len] = '\0';
    if (!same(strtod(text, NULL), v)) {
        fail_msg("%.17g was written as %s", v, text);
    }
    double back = 0;
    if (!hr_parse_double(text, len, false, &back) || !same(back, v)) {
        fail_msg("%s was read as %.17g", text, back);
    }
    char mine[40];
    char theirs[40];
    char printed[40];
    digits_of(text, mine);
    const int n = (int)strlen(mine);
    if (n > 1) {
        snprintf(printed, sizeof(printed), "%.*e", n - 2, v);
        if (same(strtod(printed, NULL), v)) {
            fail_msg("%s is longer than %s", text, printed);
        }
    }
    int exponent;
    if (n > 0 && fabs(frexp(v, &exponent)) > 0.5) { /* powers of two: the interval is lopsided */
        snprintf(printed, sizeof(printed), "%.*e", n - 1, v);
        digits_of(printed, theirs);
        if (strcmp(mine, theirs) != 0 && same(strtod(printed, NULL), v)) {
            fail_msg("%s is not the nearest: %s", text, printed);
        }
    }
}

static double of_bits(uint64_t bits) {
    double v;
    memcpy(&v, &bits, sizeof(v));
    return v;
}

/* Every exponent with the mantissas where carries and ties are. */
static void edges(void **state) {
    (void)state;
    const uint64_t all = (1ULL << 52) - 1;
    for (uint64_t e = 0; e < 2047; e++) {
        const uint64_t mantissas[] = {0,       1,        2,          3,     all,
                                      all - 1, all >> 1, 1ULL << 51, 12345, 0x5555555555555ULL};
        for (size_t i = 0; i < sizeof(mantissas) / sizeof(*mantissas); i++) {
            check_double(of_bits(e << 52 | mantissas[i]));
        }
    }
    for (int e = -330; e <= 308; e++) { /* powers of ten and their neighbours */
        char text[20];
        snprintf(text, sizeof(text), "1e%d", e);
        const double v = strtod(text, NULL);
        check_double(v);
        check_double(nextafter(v, (double)INFINITY));
        check_double(nextafter(v, 0));
    }
    check_double(DBL_MAX);
    check_double(DBL_MIN);
    check_double(DBL_TRUE_MIN);
    check_double(-9007199254740993.0);
    check_double(9.5367431640625e-7);
}

static void random_doubles(void **state) {
    (void)state;
    uint64_t seed = 11;
    const char *rounds = getenv("HR_TEST_FLOATS");
    const long n = rounds != NULL ? strtol(rounds, NULL, 10) : 60000;
    for (long i = 0; i < n; i++) {
        const uint64_t r = test_rand(&seed);
        double v = of_bits(r);
        if (i % 4 == 1) { /* what data looks like: a few decimals */
            v = (double)(int64_t)(r % 1000000000000) / (double)((r >> 60) + 1);
        } else if (i % 4 == 2) { /* decimals whose digits end exactly */
            v = (double)(r % 100000000) / 10000;
        }
        if (isfinite(v)) {
            check_double(v);
        }
    }
}

static void check_text(const char *text) {
    double v = 0;
    const double want = strtod(text, NULL);
    const bool ok = hr_parse_double(text, strlen(text), true, &v);
    if (!ok || !same(v, want)) {
        fail_msg("%s was read as %.17g, not %.17g", text, v, want);
    }
    assert_int_equal(hr_parse_double(text, strlen(text), false, &v), isfinite(want));
}

/* Random digits, around halfway points and at the ends of the range too. */
static void random_texts(void **state) {
    (void)state;
    uint64_t seed = 12;
    char text[120];
    for (int i = 0; i < 60000; i++) {
        const uint64_t r = test_rand(&seed);
        const uint64_t m = test_rand(&seed) >> (r & 63);
        const int e = (int)((r >> 32) % 345);
        switch (i % 4) {
        case 0: snprintf(text, sizeof(text), "%llue%d", (unsigned long long)m, e - 20); break;
        case 1:
            snprintf(text, sizeof(text), "%llu.%llue-%d", (unsigned long long)m,
                     (unsigned long long)r, e);
            break;
        case 2: /* all digits of a double, or of the middle between two floats */
            snprintf(text, sizeof(text), "%.60f",
                     of_bits((r >> 12) | (uint64_t)(1010 + i % 40) << 52));
            break;
        default: snprintf(text, sizeof(text), "-0.%017llue+%d", (unsigned long long)m, e); break;
        }
        check_text(text);
    }
    static const char *const halves[] = {"9007199254740993",
                                         "9007199254740993.0000000000000000000000000001",
                                         "9007199254740992.9999999999999999999999999999",
                                         "9007199254740995",
                                         "4503599627370496.5",
                                         "4503599627370497.5",
                                         "4503599627370497.49999999999999999999",
                                         "1.00000000000000011102230246251565404236316680908203125",
                                         "1.00000000000000011102230246251565404236316680908203124",
                                         "1.00000000000000011102230246251565404236316680908203126",
                                         "2.4703282292062327208e-324",
                                         "2.4703282292062327209e-324",
                                         "2.2250738585072011e-308",
                                         "2.2250738585072012e-308",
                                         "2.2250738585072013e-308",
                                         "1.7976931348623158e308",
                                         "1.7976931348623159e308",
                                         "179769313486231580793e289",
                                         "0e999999",
                                         "0.000e-999999",
                                         "1e-999999999",
                                         "1e99999999999999999999",
                                         "0.1234567890123456789012345678901234567890e-300",
                                         "18446744073709551615e-5",
                                         "18446744073709551616",
                                         "99999999999999999999999",
                                         "1e23",
                                         "8.5e22",
                                         "9.5e22"};
    for (size_t i = 0; i < sizeof(halves) / sizeof(*halves); i++) {
        check_text(halves[i]);
    }
}

static void check_float(float v) {
    char text[40];
    const size_t len = hr_format_float(v, true, text);
    text[len] = '\0';
    const float back = strtof(text, NULL);
    if (memcmp(&back, &v, sizeof(v)) != 0) {
        fail_msg("%.9g was written as %s", (double)v, text);
    }
    char mine[40];
    char printed[40];
    digits_of(text, mine);
    const int n = (int)strlen(mine);
    if (n > 1) {
        snprintf(printed, sizeof(printed), "%.*e", n - 2, (double)v);
        const float shorter = strtof(printed, NULL);
        if (memcmp(&shorter, &v, sizeof(v)) == 0) {
            fail_msg("%s is longer than %s", text, printed);
        }
    }
}

static void floats(void **state) {
    (void)state;
    for (uint32_t e = 0; e < 255; e++) {
        const uint32_t mantissas[] = {0, 1, 2, 0x7fffff, 0x7ffffe, 0x400000, 0x2aaaaa, 12345};
        for (size_t i = 0; i < sizeof(mantissas) / sizeof(*mantissas); i++) {
            const uint32_t bits = e << 23 | mantissas[i];
            float v;
            memcpy(&v, &bits, sizeof(v));
            check_float(v);
        }
    }
    uint64_t seed = 13;
    for (int i = 0; i < 60000; i++) {
        const uint32_t bits = (uint32_t)test_rand(&seed);
        float v;
        memcpy(&v, &bits, sizeof(v));
        if (isfinite(v)) {
            check_float(v);
        }
    }
}

/* An exponent of any size costs no more than the text is long. */
static void decimals_with_exponents(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int precision, scale;
        const char *want; /* NULL: refused */
    } rows[] = {{"0e-99999999", 38, 2, "0.00"},
                {"0e99999999", 38, 2, "0.00"},
                {"0.000e-99999999", 5, 0, "0"},
                {"1e-99999999", 38, 2, NULL},
                {"1e99999999", 38, 2, NULL},
                {"100e-2", 38, 0, "1"},
                {"1.50e1", 38, 0, "15"},
                {"1200e-4", 38, 2, "0.12"},
                {"1201e-4", 38, 2, NULL},
                {"-0", 5, 1, "0.0"},
                {"00000000000000000000000000000000000000000000012.5", 5, 1, "12.5"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        hr_i128 v = -1;
        const bool ok = hr_parse_decimal(rows[i].text, strlen(rows[i].text), rows[i].precision,
                                         rows[i].scale, &v);
        assert_int_equal(ok, rows[i].want != NULL);
        if (ok) {
            char out[50];
            out[hr_format_decimal(v, rows[i].scale, out)] = '\0';
            assert_string_equal(out, rows[i].want);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(edges), cmocka_unit_test(random_doubles),
                                       cmocka_unit_test(random_texts), cmocka_unit_test(floats),
                                       cmocka_unit_test(decimals_with_exponents)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
