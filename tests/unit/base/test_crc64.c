/* tests/unit/base/test_crc64.c - CRC-64/NVME: known values, and both twins on every length. */
#include <string.h>

#include "base/cpu.h"
#include "base/hash.h"
#include "support.h"

/* One bit at a time, from the definition. */
static uint64_t plain(uint64_t seed, const uint8_t *p, size_t len) {
    uint64_t crc = ~seed;
    for (size_t i = 0; i < len; i++) {
        crc ^= p[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = crc & 1 ? (crc >> 1) ^ 0x9a6c9329ac4bc9b5ULL : crc >> 1;
        }
    }
    return ~crc;
}

static void test_known(void **state) {
    (void)state;
    uint8_t zeros[4096] = {0};
    uint8_t ones[4096];
    memset(ones, 0xff, sizeof(ones));
    /* NVM Express NVM Command Set specification, "64b CRC" test cases. */
    assert_int_equal(hr_crc64nvme(0, "123456789", 9), 0xae8b14860a799888ULL);
    assert_int_equal(hr_crc64nvme(0, zeros, 4096), 0x6482d367eb22b64eULL);
    assert_int_equal(hr_crc64nvme(0, ones, 4096), 0xc0ddba7302eca3acULL);
    assert_int_equal(hr_crc64nvme(0, "", 0), 0);
}

static void test_twins(void **state) {
    (void)state;
    static uint8_t data[700];
    static const struct hr_cpu scalar;
    uint64_t seed = 9;
    for (size_t i = 0; i < sizeof(data); i++) {
        data[i] = (uint8_t)test_rand(&seed);
    }
    for (int twin = 0; twin < 2; twin++) {
        hr_cpu_override(twin ? &scalar : NULL);
        for (size_t len = 0; len < 600; len++) {
            size_t at = len % 70;
            uint64_t want = plain(0, data + at, len);
            assert_int_equal(hr_crc64nvme(0, data + at, len), want);
            size_t cut = len / 3; /* and in two pieces */
            assert_int_equal(
                hr_crc64nvme(hr_crc64nvme(0, data + at, cut), data + at + cut, len - cut), want);
        }
    }
    hr_cpu_override(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_known), cmocka_unit_test(test_twins)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
