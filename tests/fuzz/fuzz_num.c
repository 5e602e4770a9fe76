/* tests/fuzz/fuzz_num.c - any bytes as a number of every kind: the quick forms and the exact ones
 * agree, doubles are those of strtod, and what is written reads back the same. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok) {
    if (!ok) {
        abort();
    }
}

static bool same_bits(double a, double b) {
    return memcmp(&a, &b, sizeof(a)) == 0;
}

static void try_integers(const char *text, const char *padded, size_t len) {
    char out[24];
    int64_t i;
    int64_t again;
    uint64_t u;
    uint64_t again_u;
    const bool ok = hr_parse_i64(text, len, &i);
    must(hr_parse_i64_pad(padded, len, &again) == ok && (!ok || again == i));
    if (ok) {
        must(hr_parse_i64(out, hr_format_i64(i, out), &again) && again == i);
    }
    if (hr_parse_u64(text, len, &u)) {
        must(hr_parse_u64(out, hr_format_u64(u, out), &again_u) && again_u == u);
    }
}

static void try_doubles(const char *text, const char *padded, size_t len) {
    char out[32];
    double d;
    double again;
    const bool ok = hr_parse_double(text, len, false, &d);
    if (ok) {
        must(isfinite(d) && same_bits(strtod(padded, NULL), d));
        must(hr_parse_double(out, hr_format_double(d, false, out), false, &again));
        must(same_bits(d, again));
        const float f = (float)d;
        if (isfinite(f)) {
            must(hr_parse_double(out, hr_format_float(f, true, out), false, &again));
            must((float)again == f);
        }
    }
    (void)hr_parse_double(text, len, true, &d);
}

static void try_decimals(const char *text, size_t len) {
    static const int shapes[][2] = {{9, 2}, {18, 18}, {38, 0}, {38, 10}, {38, 38}, {1, 0}};
    char out[48];
    hr_i128 v;
    hr_i128 again;
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        if (hr_parse_decimal(text, len, shapes[i][0], shapes[i][1], &v)) {
            const size_t n = hr_format_decimal(v, shapes[i][1], out);
            must(n <= sizeof(out));
            must(hr_parse_decimal(out, n, shapes[i][0], shapes[i][1], &again) && again == v);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size > 2000) {
        return 0;
    }
    char *text = hr_malloc(size); /* exactly: reading on is seen */
    char *padded = hr_calloc(1, size + HR_PAD);
    if (size > 0) {
        memcpy(text, data, size);
        memcpy(padded, data, size);
    }
    try_integers(text, padded, size);
    try_doubles(text, padded, size);
    try_decimals(text, size);
    uint64_t bytes;
    if (strlen(padded) == size) {
        (void)hr_parse_size(padded, &bytes);
    }
    if (size >= 32) {
        char out[96];
        uint64_t words[4];
        memcpy(words, data, 32);
        must(hr_format_decimal256(words, data[0] % 77, out) <= sizeof(out));
    }
    hr_free(text);
    hr_free(padded);
    return 0;
}
