/* UTF-8 validation: known good and bad sequences at every offset, vector form against the walk. */
#include <string.h>

#include "base/cpu.h"
#include "base/utf8.h"
#include "support.h"

static const char *const GOOD[] = {"",
                                   "a",
                                   "\x7f",
                                   "\xc2\x80",
                                   "\xdf\xbf",
                                   "\xe0\xa0\x80",
                                   "\xed\x9f\xbf",
                                   "\xee\x80\x80",
                                   "\xef\xbf\xbf",
                                   "\xf0\x90\x80\x80",
                                   "\xf4\x8f\xbf\xbf",
                                   "h\xc3\xa9llo \xe2\x82\xac \xf0\x9f\x98\x80 end"};
static const char *const BAD[] = {"\x80",
                                  "\xbf",
                                  "\xc0\x80",
                                  "\xc1\xbf",
                                  "\xc2",
                                  "\xc2\x41",
                                  "\xe0\x9f\xbf",
                                  "\xe0\xa0",
                                  "\xed\xa0\x80",
                                  "\xed\xbf\xbf",
                                  "\xef\xbf",
                                  "\xf0\x8f\xbf\xbf",
                                  "\xf0\x90\x80",
                                  "\xf4\x90\x80\x80",
                                  "\xf5\x80\x80\x80",
                                  "\xff",
                                  "\xfe",
                                  "\xe2\x28\xa1",
                                  "\xf0\x9f\x41\x80",
                                  "\xc3\xa9\xa9"};

static const struct hr_cpu SCALAR = {0};

/* `text` behind `before` filler bytes and in front of `after`: the answer of both forms. */
static void check_at(const char *text, size_t before, size_t after, bool good) {
    uint8_t buf[512];
    const size_t n = strlen(text);
    memset(buf, 'x', sizeof(buf));
    memcpy(buf + before, text, n);
    const size_t len = before + n + after;
    const size_t vector = hr_utf8_valid_len(buf, len);
    hr_cpu_override(&SCALAR);
    const size_t scalar = hr_utf8_valid_len(buf, len);
    hr_cpu_override(NULL);
    assert_int_equal(vector, scalar);
    if (good) {
        assert_int_equal(vector, len);
    } else {
        assert_true(vector >= before && vector < before + n);
    }
}

static void test_known(void **state) {
    (void)state;
    for (size_t before = 0; before < 140; before++) {
        for (size_t after = 0; after < 70; after += 7) {
            for (size_t i = 0; i < sizeof(GOOD) / sizeof(*GOOD); i++) {
                check_at(GOOD[i], before, after, true);
            }
            for (size_t i = 0; i < sizeof(BAD) / sizeof(*BAD); i++) {
                check_at(BAD[i], before, after, false);
            }
        }
    }
}

static void test_random_agrees(void **state) {
    (void)state;
    uint64_t seed = 7;
    uint8_t buf[300];
    for (int round = 0; round < 20000; round++) {
        const size_t len = test_rand(&seed) % sizeof(buf);
        for (size_t i = 0; i < len;) {
            const uint64_t r = test_rand(&seed);
            uint32_t code = (uint32_t)(r >> 8) % (r % 3 == 0   ? 0x80
                                                  : r % 3 == 1 ? 0xd800
                                                               : 0x110000);
            uint8_t out[4];
            const size_t n = hr_utf8_put(code, out);
            for (size_t k = 0; k < n && i < len; k++) {
                buf[i++] = out[k];
            }
        }
        if (len > 0 && round % 2) {
            buf[test_rand(&seed) % len] = (uint8_t)test_rand(&seed);
        }
        const size_t vector = hr_utf8_valid_len(buf, len);
        hr_cpu_override(&SCALAR);
        assert_int_equal(vector, hr_utf8_valid_len(buf, len));
        hr_cpu_override(NULL);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),
        cmocka_unit_test(test_random_agrees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
