/* Bit unpacking, the RLE hybrid, delta integers, UTF-8 and big-endian decimals: the vector kernel
 * and its portable twin against a reference written bit by bit, on random input. */
#include "base/cpu.h"
#include "format/parquet/pq_bits.h"
#include "format/parquet/pq_bound.h"
#include "format/parquet/pq_delta.h"
#include "format/parquet/pq_leaf.h"
#include "format/parquet/pq_xxh64.h"
#include "support.h"

#define N 1000

static uint8_t bytes[N * 8 + 256];

static void fill_random(uint64_t *seed) {
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)test_rand(seed);
    }
}

/* Bits [at, at + width) of a little-endian stream. */
static uint64_t bits_at(const uint8_t *in, size_t at, unsigned width) {
    uint64_t v = 0;
    for (unsigned b = 0; b < width; b++) {
        v |= (uint64_t)(in[(at + b) / 8] >> ((at + b) % 8) & 1) << b;
    }
    return v;
}

static void test_unpack(void **state) {
    (void)state;
    static uint32_t got[N + HR_PQ_UNPACK_SLACK], twin[N + HR_PQ_UNPACK_SLACK];
    static uint64_t wide[N];
    uint64_t seed = 1;
    fill_random(&seed);
    for (unsigned width = 0; width <= 32; width++) {
        for (size_t n = 0; n < 100; n += 1 + n / 7) {
            hr_pq_unpack32(bytes, width, got, n);
            hr_pq_unpack32_scalar(bytes, width, twin, n);
            uint32_t most = 0;
            for (size_t i = 0; i < n; i++) {
                assert_int_equal(got[i], bits_at(bytes, i * width, width));
                assert_int_equal(twin[i], got[i]);
                most = got[i] > most ? got[i] : most;
            }
            assert_int_equal(hr_pq_max32(got, n), most);
        }
    }
    for (unsigned width = 0; width <= 64; width++) {
        hr_pq_unpack64(bytes, width, wide, N);
        for (size_t i = 0; i < N; i++) {
            assert_true(wide[i] == bits_at(bytes, i * width, width));
        }
    }
    uint8_t level;
    for (unsigned width = 1; width <= 8; width++) {
        for (size_t i = 0; i < 200; i++) {
            unsigned want = 0;
            for (unsigned b = 0; b < width; b++) { /* most significant bit first */
                const size_t at = i * width + b;
                want = want << 1 | (bytes[at / 8] >> (7 - at % 8) & 1);
            }
            hr_pq_unpack_msb(bytes, width, &level, i, 1);
            assert_int_equal(level, want);
        }
    }
}

static void test_bitmaps(void **state) {
    (void)state;
    uint64_t seed = 2;
    fill_random(&seed);
    for (int round = 0; round < 2000; round++) {
        uint8_t dst[64], want[64];
        const size_t from = test_rand(&seed) % 70, to = test_rand(&seed) % 70;
        const size_t n = test_rand(&seed) % 300;
        for (size_t i = 0; i < sizeof(dst); i++) {
            dst[i] = want[i] = (uint8_t)test_rand(&seed);
        }
        size_t ones = 0;
        const bool copy = test_rand(&seed) % 2, value = test_rand(&seed) % 2;
        for (size_t i = 0; i < n; i++) {
            const bool bit = copy ? bits_at(bytes, from + i, 1) : value;
            want[(to + i) / 8] &= (uint8_t) ~(1u << (to + i) % 8);
            want[(to + i) / 8] |= (uint8_t)(bit << (to + i) % 8);
            ones += bit;
        }
        if (copy) {
            assert_int_equal(hr_pq_copy_bits(dst, to, bytes, from, n), ones);
        } else {
            hr_pq_set_bits(dst, to, n, value);
        }
        assert_memory_equal(dst, want, sizeof(dst));
    }
}

/* ---- the hybrid -------------------------------------------------------------------------------
 */

static size_t put_varint(uint8_t *out, uint64_t v) {
    size_t n = 0;
    for (; v >= 0x80; v >>= 7) {
        out[n++] = (uint8_t)(v | 0x80);
    }
    out[n++] = (uint8_t)v;
    return n;
}

/* A random hybrid stream of `width` bits; its values to `values`. Returns the bytes. */
static size_t random_hybrid(unsigned width, uint8_t *out, uint32_t *values, size_t *count,
                            uint64_t *seed) {
    const uint32_t mask = width == 32 ? UINT32_MAX : (1u << width) - 1;
    size_t len = 0;
    *count = 0;
    for (int run = 0; run < 12; run++) {
        const size_t n = 1 + test_rand(seed) % 5;
        if (test_rand(seed) % 2) {
            const size_t reps = 1 + test_rand(seed) % 70;
            const uint32_t v = (uint32_t)test_rand(seed) & mask;
            len += put_varint(out + len, reps << 1);
            memcpy(out + len, &v, 4);
            len += (width + 7) / 8;
            for (size_t i = 0; i < reps; i++) {
                values[(*count)++] = v;
            }
            continue;
        }
        len += put_varint(out + len, n << 1 | 1);
        memset(out + len, 0, n * width + 8);
        for (size_t i = 0; i < n * 8; i++) {
            const uint32_t v = (uint32_t)test_rand(seed) & mask;
            for (unsigned b = 0; b < width; b++) {
                out[len + (i * width + b) / 8] |= (uint8_t)((v >> b & 1) << (i * width + b) % 8);
            }
            values[(*count)++] = v;
        }
        len += n * width;
    }
    return len;
}

static void read_hybrid(unsigned width, const uint8_t *in, size_t len, const uint32_t *want,
                        size_t count, uint64_t *seed) {
    struct hr_pq_rle rle;
    uint32_t got[200 + HR_PQ_UNPACK_SLACK];
    uint8_t small[200];
    size_t at = 0;
    hr_pq_rle_init(&rle, hr_slice_of(in, len), width);
    while (at < count) {
        size_t n = test_rand(seed) % 90;
        const size_t left = count - at, fit = n < left ? n : left;
        switch (test_rand(seed) % 4) {
        case 0: assert_int_equal(hr_pq_rle_skip(&rle, n), fit); break;
        case 1:
            if (width <= 8) {
                assert_int_equal(hr_pq_rle_read8(&rle, small, n), fit);
                for (size_t i = 0; i < fit; i++) {
                    assert_int_equal(small[i], want[at + i]);
                }
                break;
            }
            __attribute__((fallthrough));
        case 2:
            assert_int_equal(hr_pq_rle_read32(&rle, got, n), fit);
            for (size_t i = 0; i < fit; i++) {
                assert_int_equal(got[i], want[at + i]);
            }
            break;
        default: {
            uint8_t bits[32] = {0};
            size_t ones = 0;
            if (width != 1) {
                n = 0;
                break;
            }
            assert_int_equal(hr_pq_rle_read_bits(&rle, bits, 3, n, &ones), fit);
            for (size_t i = 0; i < fit; i++) {
                assert_int_equal(bits_at(bits, 3 + i, 1), want[at + i]);
                ones -= want[at + i];
            }
            assert_int_equal(ones, 0);
            break;
        }
        }
        at += n < left ? n : left;
    }
    assert_int_equal(hr_pq_rle_run(&rle), 0);
}

static void test_hybrid(void **state) {
    (void)state;
    static uint32_t values[4000];
    static uint8_t stream[16384 + HR_PAD];
    uint64_t seed = 3;
    for (int round = 0; round < 400; round++) {
        const unsigned width = (unsigned)(round % 33);
        size_t count;
        const size_t len = random_hybrid(width, stream, values, &count, &seed);
        read_hybrid(width, stream, len, values, count, &seed);
        /* Cut anywhere: fewer values, never others. */
        struct hr_pq_rle rle;
        static uint32_t got[4000 + HR_PQ_UNPACK_SLACK];
        hr_pq_rle_init(&rle, hr_slice_of(stream, test_rand(&seed) % (len + 1)), width);
        const size_t n = hr_pq_rle_read32(&rle, got, count);
        assert_true(n <= count);
        assert_memory_equal(got, values, n * sizeof(*got));
    }
}

/* ---- delta ------------------------------------------------------------------------------------
 */

/* DELTA_BINARY_PACKED of the values, written plainly. Returns the bytes. */
static size_t put_delta(const int64_t *values, size_t n, size_t block, size_t minis, uint8_t *out) {
    size_t len = put_varint(out, block);
    const size_t mini = block / minis;
    len += put_varint(out + len, minis);
    len += put_varint(out + len, n);
    len += put_varint(out + len, ((uint64_t)values[0] << 1) ^ (uint64_t)(values[0] >> 63));
    for (size_t at = 1; at < n; at += block) {
        uint64_t least = 0;
        for (size_t i = at; i < n && i < at + block; i++) {
            const uint64_t d = (uint64_t)values[i] - (uint64_t)values[i - 1];
            least = i == at || (int64_t)d < (int64_t)least ? d : least;
        }
        len += put_varint(out + len, (least << 1) ^ (uint64_t)((int64_t)least >> 63));
        uint8_t *widths = out + len;
        memset(widths, 0, minis);
        len += minis;
        for (size_t m = 0; m < minis && at + m * mini < n; m++) {
            uint64_t all = 0;
            for (size_t i = 0; i < mini && at + m * mini + i < n; i++) {
                const size_t k = at + m * mini + i;
                all |= (uint64_t)values[k] - (uint64_t)values[k - 1] - least;
            }
            const unsigned width = all == 0 ? 0 : 64 - (unsigned)__builtin_clzll(all);
            widths[m] = (uint8_t)width;
            memset(out + len, 0, mini / 8 * width + 8);
            for (size_t i = 0; i < mini && at + m * mini + i < n; i++) {
                const size_t k = at + m * mini + i;
                const uint64_t d = (uint64_t)values[k] - (uint64_t)values[k - 1] - least;
                for (unsigned b = 0; b < width; b++) {
                    out[len + (i * width + b) / 8] |=
                        (uint8_t)((d >> b & 1) << (i * width + b) % 8);
                }
            }
            len += mini / 8 * width;
        }
    }
    return len;
}

static void test_delta(void **state) {
    (void)state;
    static int64_t values[1200];
    static uint64_t got[1200];
    static uint32_t narrow[1200];
    static uint8_t stream[32768 + HR_PAD];
    static const size_t shapes[][2] = {{128, 4}, {256, 8}, {128, 1}, {1024, 4}, {64, 2}, {8, 1}};
    struct hr_pq_delta d;
    uint64_t seed = 4;
    for (int round = 0; round < 200; round++) {
        const size_t n = 1 + test_rand(&seed) % 1200;
        const unsigned magnitude = (unsigned)(round % 64);
        for (size_t i = 0; i < n; i++) {
            values[i] = (int64_t)test_rand(&seed) >> magnitude;
        }
        const size_t *shape = shapes[round % 6];
        const size_t len = put_delta(values, n, shape[0], shape[1], stream);
        const struct hr_slice in = hr_slice_of(stream, len);
        assert_true(hr_pq_delta_end(in) == stream + len);
        assert_true(hr_pq_delta_init(&d, in));
        for (size_t at = 0; at < n;) {
            const size_t take = 1 + test_rand(&seed) % (n - at);
            assert_true(hr_pq_delta_read64(&d, got + at, take));
            at += take;
        }
        assert_memory_equal(got, values, n * 8);
        assert_false(hr_pq_delta_read64(&d, got, 1));
        assert_true(hr_pq_delta_init(&d, in));
        assert_true(hr_pq_delta_read32(&d, narrow, n));
        for (size_t i = 0; i < n; i++) {
            assert_int_equal(narrow[i], (uint32_t)values[i]);
        }
        /* Cut: refused, not over-read. */
        const struct hr_slice cut = hr_slice_of(stream, test_rand(&seed) % len);
        if (hr_pq_delta_init(&d, cut)) {
            hr_pq_delta_read64(&d, got, n);
        }
    }
}

/* ---- conversions ------------------------------------------------------------------------------
 */

static void test_big_endian(void **state) {
    (void)state;
    uint64_t seed = 5;
    for (int round = 0; round < 3000; round++) {
        const size_t len = 1 + test_rand(&seed) % 20;
        const struct hr_pq_leaf_info info = {
            .conv = HR_PQ_C_BE_DEC128, .phys_width = (uint32_t)len, .out_width = 16};
        uint8_t value[20 + HR_PAD] = {0};
        for (size_t i = 0; i < len; i++) {
            value[i] = (uint8_t)test_rand(&seed);
        }
        const uint8_t sign = value[0] & 0x80 ? 0xff : 0;
        bool fits = true;
        if (len > 16) { /* half of them sign-extended, so that they fit */
            for (size_t i = 0; i < len - 16; i++) {
                value[i] = round % 2 ? sign : value[i];
                fits = fits && value[i] == sign;
            }
            fits = fits && (value[len - 16] & 0x80) == (sign & 0x80);
        }
        hr_u128 want = sign ? ~(hr_u128)0 : 0;
        for (size_t i = 0; i < len; i++) {
            want = want << 8 | value[i];
        }
        hr_u128 got = 0, bulk = 0;
        const char *why = hr_pq_convert_be(&info, hr_slice_of(value, len), (uint8_t *)&got);
        assert_int_equal(why == NULL, fits);
        assert_int_equal(hr_pq_convert(&info, value, 1, (uint8_t *)&bulk) == NULL, fits);
        if (fits) {
            assert_true(got == want);
            assert_true(bulk == want);
        }
    }
}

static void test_utf8(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool valid;
    } cases[] = {
        {"", true},
        {"plain", true},
        {"\xc3\xa9t\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", true},
        {"\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf", true},
        {"\x80", false},
        {"\xc3", false},
        {"\xc0\xaf", false},         /* overlong */
        {"\xe0\x9f\xbf", false},     /* overlong */
        {"\xf0\x8f\xbf\xbf", false}, /* overlong */
        {"\xed\xa0\x80", false},     /* surrogate */
        {"\xf4\x90\x80\x80", false}, /* beyond U+10FFFF */
        {"\xf5\x80\x80\x80", false},
        {"\xe2\x82", false},
        {"\xe2\x28\xa1", false},
    };
    const struct hr_cpu *cpus[2] = {&(const struct hr_cpu){0}, NULL};
    for (int c = 0; c < 2; c++) {
        hr_cpu_override(cpus[c]);
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
            for (size_t lead = 0; lead < 300; lead += 37) { /* behind ASCII of any length */
                char text[400];
                memset(text, 'a', sizeof(text));
                const size_t n = strlen(cases[i].text);
                memcpy(text + lead, cases[i].text, n);
                const uint8_t *ptr = (const uint8_t *)text;
                assert_int_equal(hr_pq_utf8_valid(ptr, lead + n), cases[i].valid);
                if (cases[i].valid) {
                    assert_true(hr_pq_utf8_valid(ptr, sizeof(text)));
                }
                assert_int_equal(hr_pq_is_ascii(ptr, lead + n), i < 2);
            }
        }
    }
    hr_cpu_override(NULL);
}

/* A filter built by hand from the specification's insertion has what was put in. */
static void test_bloom_block(void **state) {
    (void)state;
    static const uint32_t salt[8] = {0x47b6137bU, 0x44974d91U, 0x8824ad5bU, 0xa2b7289dU,
                                     0x705495c7U, 0x2df1424bU, 0x9efc4947U, 0x5c6bfb31U};
    uint8_t filter[64][32] = {{0}};
    int false_hits = 0;
    for (int i = 0; i < 200; i++) {
        const uint64_t hash = hr_pqw_xxh64(&i, sizeof(i));
        uint32_t words[8];
        uint8_t *block = filter[hr_pq_bloom_block_of(hash, 64)];
        memcpy(words, block, 32);
        for (int w = 0; w < 8; w++) {
            words[w] |= UINT32_C(1) << ((uint32_t)hash * salt[w] >> 27);
        }
        memcpy(block, words, 32);
    }
    for (int i = 0; i < 2000; i++) {
        const uint64_t hash = hr_pqw_xxh64(&i, sizeof(i));
        const bool has = hr_pq_bloom_block_has(filter[hr_pq_bloom_block_of(hash, 64)], hash);
        assert_true(has || i >= 200);
        false_hits += has && i >= 200;
    }
    assert_true(false_hits < 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unpack),      cmocka_unit_test(test_bitmaps),
        cmocka_unit_test(test_hybrid),      cmocka_unit_test(test_delta),
        cmocka_unit_test(test_big_endian),  cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_bloom_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
