/* Parquet's encoders: each is decoded by a small, slow reader written here from Encodings.md, and
 * the vector build must give the bytes of the scalar one. */
#include "base/cpu.h"
#include "format/parquet/pq_enc.h"
#include "format/parquet/pq_enc_dict.h"
#include "format/parquet/pq_xxh64.h"
#include "support.h"

static const struct hr_cpu scalar_only = {.avx2 = false};

/* ---- slow decoders ---- */

struct bytes {
    const uint8_t *at, *end;
};

static uint64_t take_varint(struct bytes *b) {
    uint64_t v = 0;
    for (int shift = 0;; shift += 7) {
        assert_true(b->at < b->end && shift < 64);
        const uint8_t byte = *b->at++;
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            return v;
        }
    }
}

static int64_t take_zigzag(struct bytes *b) {
    const uint64_t v = take_varint(b);
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

static uint64_t bits_at(const uint8_t *p, size_t bit, int width) {
    uint64_t v = 0;
    for (int i = 0; i < width; i++) {
        v |= (uint64_t)((p[(bit + (size_t)i) / 8] >> ((bit + (size_t)i) % 8)) & 1) << i;
    }
    return v;
}

/* Decodes exactly n values and expects all bytes to be used. */
static void read_hybrid(const uint8_t *p, size_t len, int width, size_t n, uint32_t *out) {
    struct bytes b = {p, p + len};
    size_t done = 0;
    while (done < n) {
        const uint64_t head = take_varint(&b);
        if ((head & 1) != 0) {
            const size_t values = (size_t)(head >> 1) * 8;
            const size_t size = (size_t)(head >> 1) * (size_t)width;
            assert_true(size <= (size_t)(b.end - b.at) && values > 0);
            for (size_t i = 0; i < values; i++) {
                const uint64_t v = bits_at(b.at, i * (size_t)width, width);
                if (done < n) {
                    out[done++] = (uint32_t)v;
                } else {
                    assert_int_equal(v, 0);
                }
            }
            b.at += size;
        } else {
            const size_t run = (size_t)(head >> 1), size = (size_t)(width + 7) / 8;
            assert_true(run > 0 && run <= n - done && size <= (size_t)(b.end - b.at));
            const uint32_t v = (uint32_t)bits_at(b.at, 0, (int)size * 8);
            b.at += size;
            for (size_t i = 0; i < run; i++) {
                out[done++] = v;
            }
        }
    }
    assert_ptr_equal(b.at, b.end);
}

static void read_delta(const uint8_t *p, size_t len, size_t n, uint64_t *out) {
    struct bytes b = {p, p + len};
    const uint64_t block = take_varint(&b), minis = take_varint(&b);
    assert_int_equal(block % 128, 0);
    assert_int_equal(block / minis % 32, 0);
    assert_int_equal(take_varint(&b), n);
    uint64_t last = (uint64_t)take_zigzag(&b);
    size_t done = 0;
    if (n > 0) {
        out[done++] = last;
    }
    while (done < n) {
        const uint64_t min = (uint64_t)take_zigzag(&b);
        const uint8_t *widths = b.at;
        b.at += minis;
        for (uint64_t k = 0; k < minis; k++) {
            const size_t per = block / minis;
            if (done == n) {
                assert_int_equal(widths[k], 0);
                continue;
            }
            assert_true(per * widths[k] / 8 <= (size_t)(b.end - b.at));
            for (size_t i = 0; i < per && done < n; i++) {
                last += min + bits_at(b.at, i * widths[k], widths[k]);
                out[done++] = last;
            }
            b.at += per * widths[k] / 8;
        }
    }
    assert_ptr_equal(b.at, b.end);
}

/* ---- bit packing and runs ---- */

static void packing_every_width(void **state) {
    (void)state;
    uint32_t v[256];
    uint8_t fast[256 * 4 + 64], slow[256 * 4 + 64];
    uint64_t seed = 1;
    for (int width = 0; width <= 32; width++) {
        for (size_t n = 8; n <= 256; n += 8) {
            for (size_t i = 0; i < n; i++) {
                v[i] = width == 0 ? 0 : (uint32_t)test_rand(&seed) >> (32 - width);
                v[i] = i % 11 == 0 && width > 0 ? (uint32_t)(~0ULL >> (64 - width)) : v[i];
            }
            const size_t len = hr_pqw_pack32(v, n, width, fast);
            assert_int_equal(len, n * (size_t)width / 8);
            hr_cpu_override(&scalar_only);
            assert_int_equal(hr_pqw_pack32(v, n, width, slow), len);
            hr_cpu_override(NULL);
            assert_memory_equal(fast, slow, len);
            for (size_t i = 0; i < n; i++) {
                assert_int_equal(bits_at(fast, i * (size_t)width, width), v[i]);
            }
        }
    }
}

/* Runs of random lengths of random values below 2^width. */
static void make_runs(uint32_t *v, size_t n, int width, uint64_t longest, uint64_t *seed) {
    for (size_t i = 0; i < n;) {
        size_t run = 1 + test_rand(seed) % longest;
        const uint32_t value = width == 0 ? 0 : (uint32_t)test_rand(seed) >> (32 - width);
        for (; run > 0 && i < n; run--) {
            v[i++] = value;
        }
    }
}

enum { RUN_VALUES = 5000 };

static void check_hybrid(size_t n, int width, uint64_t longest, uint64_t *seed) {
    static uint32_t v[RUN_VALUES], back[RUN_VALUES];
    static uint8_t levels[RUN_VALUES + 64], bits[RUN_VALUES / 8 + 80];
    const size_t bound = hr_pqw_rle32_bound(n, width);
    uint8_t *out = hr_malloc(bound + HR_PAD), *twin = hr_malloc(bound + HR_PAD);
    make_runs(v, n, width, longest, seed);
    const size_t len = hr_pqw_rle32(v, n, width, out);
    assert_true(len <= bound);
    read_hybrid(out, len, width, n, back);
    assert_memory_equal(v, back, n * sizeof(*v));
    hr_cpu_override(&scalar_only);
    assert_int_equal(hr_pqw_rle32(v, n, width, twin), len);
    hr_cpu_override(NULL);
    assert_memory_equal(out, twin, len);
    if (width <= 8) {
        for (size_t i = 0; i < n; i++) {
            levels[i] = (uint8_t)v[i];
        }
        const size_t short_len = hr_pqw_rle8(levels, n, width, out);
        assert_true(short_len <= bound);
        read_hybrid(out, short_len, width, n, back);
        assert_memory_equal(v, back, n * sizeof(*v));
    }
    if (width == 1) {
        const size_t from = (size_t)(test_rand(seed) % 64);
        memset(bits, (int)(test_rand(seed) & 0xff), sizeof(bits));
        for (size_t i = 0; i < n; i++) {
            const size_t at = from + i;
            bits[at / 8] = (uint8_t)((bits[at / 8] & ~(1u << at % 8)) | v[i] << at % 8);
        }
        const size_t bit_len = hr_pqw_rle_bits(bits, from, n, out);
        assert_true(bit_len <= bound);
        read_hybrid(out, bit_len, 1, n, back);
        assert_memory_equal(v, back, n * sizeof(*v));
    }
    hr_free(out);
    hr_free(twin);
}

static void runs_of_every_width(void **state) {
    (void)state;
    static const uint64_t longest[] = {1, 3, 40, 200, 3000};
    uint64_t seed = 2;
    for (int width = 0; width <= 20; width++) {
        for (size_t k = 0; k < 5; k++) {
            for (int turn = 0; turn < 4; turn++) {
                const size_t n = test_rand(&seed) % (turn == 0 ? 70 : RUN_VALUES - 100);
                check_hybrid(n, width, longest[k], &seed);
            }
        }
    }
}

/* A packed run longer than its two-byte header can say is split. */
static void very_long_packed_run(void **state) {
    (void)state;
    const size_t n = 200003;
    uint32_t *v = hr_malloc(n * sizeof(*v)), *back = hr_malloc(n * sizeof(*v));
    uint8_t *levels = hr_malloc(n + 64), *out = hr_malloc(hr_pqw_rle32_bound(n, 2) + HR_PAD);
    uint64_t seed = 3;
    for (size_t i = 0; i < n; i++) {
        v[i] = test_rand(&seed) % 4;
        levels[i] = (uint8_t)v[i];
    }
    read_hybrid(out, hr_pqw_rle32(v, n, 2, out), 2, n, back);
    assert_memory_equal(v, back, n * sizeof(*v));
    read_hybrid(out, hr_pqw_rle8(levels, n, 2, out), 2, n, back);
    assert_memory_equal(v, back, n * sizeof(*v));
    hr_free(v);
    hr_free(back);
    hr_free(levels);
    hr_free(out);
}

/* ---- delta ---- */

enum { DELTA_VALUES = 2000 };

static void fill_delta(int64_t *v, size_t n, int kind, uint64_t *seed) {
    int64_t last = (int64_t)test_rand(seed);
    for (size_t i = 0; i < n; i++) {
        const uint64_t r = test_rand(seed);
        switch (kind) {
        case 0: v[i] = (int64_t)r; break;
        case 1: v[i] = (int64_t)((uint64_t)last + i * 3); break;
        case 2: v[i] = (int64_t)(r % 1000); break;
        case 3: v[i] = last = (int64_t)((uint64_t)last + (r & 0xffffffffffULL)); break;
        case 4: v[i] = r & 1 ? INT64_MAX : INT64_MIN; break;
        default: v[i] = 42; break;
        }
    }
}

static void deltas_of_64_bits(void **state) {
    (void)state;
    static int64_t v[DELTA_VALUES];
    static uint64_t back[DELTA_VALUES];
    const size_t bound = hr_pqw_delta_bound(DELTA_VALUES, 8);
    uint8_t *out = hr_malloc(bound + HR_PAD), *twin = hr_malloc(bound + HR_PAD);
    uint64_t seed = 4;
    for (int kind = 0; kind < 6; kind++) {
        for (size_t n = 0; n <= DELTA_VALUES; n += n < 300 ? 1 : 171) {
            fill_delta(v, n, kind, &seed);
            const size_t len = hr_pqw_delta64(v, n, out);
            assert_true(len <= hr_pqw_delta_bound(n, 8));
            read_delta(out, len, n, back);
            assert_memory_equal(v, back, n * sizeof(*v));
            assert_int_equal(hr_pqw_delta64_estimate(v, n), len);
            hr_cpu_override(&scalar_only);
            assert_int_equal(hr_pqw_delta64(v, n, twin), len);
            hr_cpu_override(NULL);
            assert_memory_equal(out, twin, len);
        }
    }
    hr_free(out);
    hr_free(twin);
}

static void deltas_of_32_bits(void **state) {
    (void)state;
    static int64_t wide[DELTA_VALUES];
    static int32_t v[DELTA_VALUES];
    static uint64_t back[DELTA_VALUES];
    const size_t bound = hr_pqw_delta_bound(DELTA_VALUES, 4);
    uint8_t *out = hr_malloc(bound + HR_PAD), *twin = hr_malloc(bound + HR_PAD);
    uint64_t seed = 5;
    for (int kind = 0; kind < 6; kind++) {
        for (size_t n = 0; n <= DELTA_VALUES; n += n < 300 ? 1 : 171) {
            fill_delta(wide, n, kind, &seed);
            for (size_t i = 0; i < n; i++) {
                v[i] = (int32_t)(kind == 4 ? wide[i] >> 32 : wide[i]);
            }
            const size_t len = hr_pqw_delta32(v, n, out);
            assert_true(len <= hr_pqw_delta_bound(n, 4));
            read_delta(out, len, n, back);
            for (size_t i = 0; i < n; i++) {
                assert_int_equal((int32_t)back[i], v[i]);
            }
            assert_int_equal(hr_pqw_delta32_estimate(v, n), len);
            hr_cpu_override(&scalar_only);
            assert_int_equal(hr_pqw_delta32(v, n, twin), len);
            hr_cpu_override(NULL);
            assert_memory_equal(out, twin, len);
        }
    }
    hr_free(out);
    hr_free(twin);
}

/* ---- fixed width ---- */

static void streams_are_split(void **state) {
    (void)state;
    static uint8_t v[1000 * 8], out[1000 * 8 + HR_PAD];
    uint64_t seed = 6;
    static const int widths[] = {4, 8, 2, 5};
    for (size_t i = 0; i < sizeof(v); i++) {
        v[i] = (uint8_t)test_rand(&seed);
    }
    for (int twin = 0; twin < 2; twin++) {
        hr_cpu_override(twin == 1 ? &scalar_only : NULL);
        for (int w = 0; w < 4; w++) {
            const size_t width = (size_t)widths[w];
            for (size_t n = 0; n < 100; n++) {
                hr_pqw_split(v, n, widths[w], out);
                for (size_t i = 0; i < n * width; i++) {
                    assert_int_equal(out[i % width * n + i / width], v[i]);
                }
            }
        }
    }
    hr_cpu_override(NULL);
}

static void booleans_are_packed(void **state) {
    (void)state;
    uint8_t v[200] = {0}, out[64];
    uint64_t seed = 7;
    for (size_t n = 0; n < 200; n++) {
        for (size_t i = 0; i < n; i++) {
            v[i] = test_rand(&seed) & 1;
        }
        memset(out, 0xaa, sizeof(out));
        assert_int_equal(hr_pqw_plain_bools(v, n, out), (n + 7) / 8);
        for (size_t i = 0; i < (n + 7) / 8 * 8; i++) {
            assert_int_equal(bits_at(out, i, 1), i < n ? v[i] : 0);
        }
    }
}

/* ---- dictionaries ---- */

static const struct hr_pqw_dict_limit no_limit = {SIZE_MAX, SIZE_MAX};

/* Numbers in order of first occurrence, and every value found again. */
static void check_numbers(const struct hr_pqw_dict *dict, const uint8_t *v, size_t n,
                          size_t width) {
    const uint32_t *index = hr_pqw_dict_index(dict);
    size_t seen = 0;
    for (size_t i = 0; i < n; i++) {
        assert_true(index[i] <= seen);
        seen += index[i] == seen;
        assert_memory_equal(dict->values.ptr + index[i] * width, v + i * width, width);
    }
    assert_int_equal(seen, dict->count);
    assert_int_equal(dict->values.len, dict->count * width);
}

static void numbers_in_a_dictionary(void **state) {
    (void)state;
    static uint64_t v[40000];
    static uint32_t narrow[40000];
    static const uint64_t distinct[] = {1, 2, 50, 3000, 20000};
    struct hr_pqw_dict dict = {0};
    struct hr_error err;
    uint64_t seed = 8;
    for (size_t k = 0; k < 5; k++) {
        for (size_t i = 0; i < 40000; i++) {
            const uint64_t r = test_rand(&seed) % distinct[k];
            v[i] = k % 2 == 0 ? r * 0x9e3779b97f4a7c15ULL : r;
            narrow[i] = (uint32_t)r + 4294960000u; /* wraps */
        }
        assert_rc(hr_pqw_dict_hash(&dict, v, 8, 40000, &no_limit, &err), 0, &err);
        check_numbers(&dict, (const uint8_t *)v, 40000, 8);
        assert_rc(hr_pqw_dict_hash(&dict, narrow, 4, 40000, &no_limit, &err), 0, &err);
        check_numbers(&dict, (const uint8_t *)narrow, 40000, 4);
        const size_t count = dict.count;
        assert_rc(hr_pqw_dict_direct(&dict, narrow, 4, 40000, 4294960000u, distinct[k] - 1,
                                     &no_limit, &err),
                  0, &err);
        check_numbers(&dict, (const uint8_t *)narrow, 40000, 4);
        assert_int_equal(dict.count, count);
    }
    hr_pqw_dict_release(&dict);
}

static void dictionaries_give_up(void **state) {
    (void)state;
    static uint64_t v[40000];
    struct hr_pqw_dict dict = {0};
    struct hr_error err;
    const struct hr_pqw_dict_limit sample = {100, SIZE_MAX}, count = {SIZE_MAX, 30000};
    for (size_t i = 0; i < 40000; i++) {
        v[i] = i;
    }
    assert_rc(hr_pqw_dict_hash(&dict, v, 8, 40000, &sample, &err), HR_END, &err);
    assert_rc(hr_pqw_dict_hash(&dict, v, 8, 40000, &count, &err), HR_END, &err);
    assert_rc(hr_pqw_dict_hash(&dict, v, 8, 30000, &count, &err), 0, &err);
    assert_rc(hr_pqw_dict_direct(&dict, v, 8, 40000, 0, 39999, &sample, &err), HR_END, &err);
    assert_rc(hr_pqw_dict_direct(&dict, v, 8, 40000, 0, 39999, &count, &err), HR_END, &err);
    assert_rc(hr_pqw_dict_direct(&dict, v, 8, 30000, 0, 39999, &count, &err), 0, &err);
    hr_pqw_dict_release(&dict);
}

/* Keys made so that all fall into one slot must not make it slow: it gives up. */
static void colliding_keys_give_up(void **state) {
    (void)state;
    static uint64_t v[20000];
    struct hr_pqw_dict dict = {0};
    struct hr_error err;
    uint64_t inverse = 1; /* of the multiplier, modulo 2^64, by Newton's iteration */
    for (int i = 0; i < 6; i++) {
        inverse *= 2 - 0x9e3779b97f4a7c15ULL * inverse;
    }
    for (size_t i = 0; i < 20000; i++) {
        v[i] = (i + 1) * inverse; /* times the multiplier: i + 1, whose upper bits are zero */
    }
    assert_rc(hr_pqw_dict_hash(&dict, v, 8, 20000, &no_limit, &err), HR_END, &err);
    hr_pqw_dict_release(&dict);
}

static void texts_in_a_dictionary(void **state) {
    (void)state;
    enum { N = 30000 };
    static uint32_t offsets[N + 1];
    uint8_t *bytes = hr_malloc(N * 60 + HR_PAD);
    struct hr_pqw_dict dict = {0};
    struct hr_error err;
    for (uint64_t distinct = 1; distinct < 10000; distinct *= 7) {
        uint64_t seed = 11;
        for (size_t i = 0; i < N; i++) {
            uint64_t which = test_rand(&seed) % distinct; /* value and length follow from it */
            const size_t len = which * 7 % 60;
            for (size_t k = 0; k < len; k++) {
                bytes[offsets[i] + k] = (uint8_t)(which >> (8 * (k % 3)));
            }
            offsets[i + 1] = offsets[i] + (uint32_t)len;
        }
        assert_rc(hr_pqw_dict_bytes(&dict, bytes, offsets, 0, N, &no_limit, &err), 0, &err);
        const uint32_t *index = hr_pqw_dict_index(&dict);
        const uint32_t *places = (const uint32_t *)(const void *)dict.offsets.ptr;
        size_t seen = 0;
        for (size_t i = 0; i < N; i++) {
            assert_true(index[i] <= seen);
            seen += index[i] == seen;
            const size_t len = offsets[i + 1] - offsets[i];
            assert_int_equal(places[index[i] + 1] - places[index[i]], len);
            assert_memory_equal(dict.values.ptr + places[index[i]], bytes + offsets[i], len);
        }
        assert_int_equal(seen, dict.count);
        for (size_t a = 1; a < dict.count && distinct < 100; a++) { /* no entry comes twice */
            for (size_t b = 0; b < a; b++) {
                const size_t len = places[a + 1] - places[a];
                assert_false(
                    len == places[b + 1] - places[b] &&
                    memcmp(dict.values.ptr + places[a], dict.values.ptr + places[b], len) == 0);
            }
        }
    }
    assert_rc(hr_pqw_dict_bytes(&dict, bytes, NULL, 12, N, &no_limit, &err), 0, &err);
    check_numbers(&dict, bytes, N, 12);
    hr_pqw_dict_release(&dict);
    hr_free(bytes);
}

/* ---- hash ---- */

static void known_hashes(void **state) {
    (void)state;
    static const char text[] = "Nobody inspects the spammish repetition";
    assert_true(hr_pqw_xxh64("", 0) == 0xef46db3751d8e999ULL);
    assert_true(hr_pqw_xxh64("a", 1) == 0xd24ec4f1a98c6e5bULL);
    assert_true(hr_pqw_xxh64("abc", 3) == 0x44bc2cf5ad770999ULL);
    assert_true(hr_pqw_xxh64("xxhash", 6) == 0x32dd38952c4bc720ULL);
    assert_true(hr_pqw_xxh64(text, sizeof(text) - 1) == 0xfbcea83c8a378bf1ULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packing_every_width),   cmocka_unit_test(runs_of_every_width),
        cmocka_unit_test(very_long_packed_run),  cmocka_unit_test(deltas_of_64_bits),
        cmocka_unit_test(deltas_of_32_bits),     cmocka_unit_test(streams_are_split),
        cmocka_unit_test(booleans_are_packed),   cmocka_unit_test(numbers_in_a_dictionary),
        cmocka_unit_test(dictionaries_give_up),  cmocka_unit_test(colliding_keys_give_up),
        cmocka_unit_test(texts_in_a_dictionary), cmocka_unit_test(known_hashes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
