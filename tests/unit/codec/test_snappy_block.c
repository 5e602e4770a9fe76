/* tests/unit/codec/test_snappy_block.c - our inflating of snappy blocks against blocks whose text
 * is known element by element, and against libsnappy on damaged ones. */
#include "support.h"

#include <stdlib.h>
#include <string.h>

#include <snappy-c.h>

#include "base/mem.h"
#include "codec/leaves.h"

#define TEXT_MAX 5000u

/* A block being made together with the text it stands for. */
struct block {
    uint8_t packed[4 * TEXT_MAX];
    size_t n;
    uint8_t text[TEXT_MAX];
    size_t len;
};

static void put(struct block *b, uint64_t value, int bytes) {
    for (int i = 0; i < bytes; i++) {
        b->packed[b->n++] = (uint8_t)(value >> (8 * i));
    }
}

static void literal(struct block *b, size_t len, uint64_t *seed) {
    const int behind = len <= 60 ? 0 : len <= 256 ? 1 : 2 + (int)(test_rand(seed) % 3);
    put(b, behind ? (59u + (unsigned)behind) << 2 : (len - 1) << 2, 1);
    put(b, len - 1, behind);
    for (size_t i = 0; i < len; i++) {
        const uint8_t c = (uint8_t)test_rand(seed);
        b->text[b->len++] = c;
        put(b, c, 1);
    }
}

static void copy(struct block *b, size_t distance, size_t len, uint64_t *seed) {
    const unsigned kind = 1 + (unsigned)(test_rand(seed) % 3);
    if (kind == 1 && len >= 4 && len <= 11 && distance < 2048) {
        put(b, 1 | (len - 4) << 2 | distance >> 8 << 5, 1);
        put(b, distance, 1);
    } else if (kind == 3) {
        put(b, 3 | (len - 1) << 2, 1);
        put(b, distance, 4);
    } else {
        put(b, 2 | (len - 1) << 2, 1);
        put(b, distance, 2);
    }
    for (size_t i = 0; i < len; i++, b->len++) {
        b->text[b->len] = b->text[b->len - distance];
    }
}

/* Elements of every kind: about `want` bytes of text behind a length of two bytes. */
static void make_block(struct block *b, size_t want, uint64_t *seed) {
    b->n = 2;
    b->len = 0;
    while (b->len < want) {
        const size_t room = want - b->len;
        const uint64_t dice = test_rand(seed) % 16;
        size_t len = 1 + test_rand(seed) % (dice == 0 ? 700 : dice < 8 ? 12 : 64);
        len = len < room ? len : room;
        if (b->len == 0 || dice % 2 == 0) {
            literal(b, len, seed);
        } else {
            const size_t near = dice < 12 ? 20 : b->len;
            const size_t most = near < b->len ? near : b->len;
            copy(b, 1 + test_rand(seed) % most, len, seed);
        }
    }
    b->packed[0] = (uint8_t)(b->len | 0x80);
    b->packed[1] = (uint8_t)(b->len >> 7);
}

/* Inflates from and to memory of exactly the size, so that a step too far is found. */
static bool inflate_exact(const uint8_t *packed, size_t n, uint8_t *out, size_t len) {
    uint8_t *in = malloc(n + 1);
    uint8_t *made = malloc(len + 1);
    memcpy(in + 1, packed, n);
    made[len] = 0xa5;
    const bool good = hr_snappy_block(hr_slice_of(in + 1, n), made, len);
    assert_int_equal(made[len], 0xa5);
    memcpy(out, made, len);
    free(in);
    free(made);
    return good;
}

static void test_every_kind_of_element(void **state) {
    (void)state;
    static struct block b;
    static uint8_t out[TEXT_MAX];
    uint64_t seed = 11;
    for (size_t i = 0; i < 3000; i++) {
        make_block(&b, i < 300 ? i : test_rand(&seed) % (TEXT_MAX - 100), &seed);
        assert_true(inflate_exact(b.packed, b.n, out, b.len));
        assert_memory_equal(out, b.text, b.len);
        assert_false(b.len > 0 && inflate_exact(b.packed, b.n, out, b.len - 1));
    }
}

/* Every repeated pattern, everywhere in the text. */
static void test_patterns(void **state) {
    (void)state;
    static struct block b;
    static uint8_t out[TEXT_MAX];
    uint64_t seed = 5;
    for (size_t distance = 1; distance <= 70; distance++) {
        for (size_t len = 1; len <= 64; len++) {
            b.n = 2;
            b.len = 0;
            literal(&b, distance, &seed);
            copy(&b, distance, len, &seed);
            for (int i = 0; i < 3; i++) { /* with room behind it, and without */
                b.packed[0] = (uint8_t)(b.len | 0x80);
                b.packed[1] = (uint8_t)(b.len >> 7);
                assert_true(inflate_exact(b.packed, b.n, out, b.len));
                assert_memory_equal(out, b.text, b.len);
                literal(&b, 60, &seed);
            }
        }
    }
}

/* Damaged blocks: refused where libsnappy refuses, the same text where it does not. */
static void test_damage(void **state) {
    (void)state;
    static struct block b;
    static uint8_t out[TEXT_MAX], theirs[TEXT_MAX];
    uint64_t seed = 3;
    size_t refused = 0;
    for (size_t i = 0; i < 40000; i++) {
        make_block(&b, 1 + test_rand(&seed) % 600, &seed);
        size_t n = b.n;
        if (i % 4 == 0) {
            n = 2 + test_rand(&seed) % (n - 2);
        } else {
            b.packed[2 + test_rand(&seed) % (n - 2)] = (uint8_t)test_rand(&seed);
        }
        size_t made = sizeof(theirs);
        const bool good =
            snappy_uncompress((const char *)b.packed, n, (char *)theirs, &made) == SNAPPY_OK;
        assert_int_equal(inflate_exact(b.packed, n, out, b.len), good);
        if (good) {
            assert_memory_equal(out, theirs, b.len);
        }
        refused += !good;
    }
    assert_true(refused > 10000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kind_of_element),
        cmocka_unit_test(test_patterns),
        cmocka_unit_test(test_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
