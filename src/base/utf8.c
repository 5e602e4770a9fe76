/* base/utf8.c - UTF-8 validation (RFC 3629).
 *
 * The scalar walk is the definition. The vector form classifies every byte pair by three 16-entry
 * table look-ups whose intersection is non-zero exactly for forbidden pairs, as published by Keiser
 * and Lemire, "Validating UTF-8 in less than one instruction per byte" (2021). It answers only yes
 * or no; the place of a fault is found by the scalar walk.
 */
#include "base/utf8.h"

#include <string.h>

#include "base/cpu.h"

#if HR_X86
#include <immintrin.h>
#endif

/* Length of the sequence at p (n bytes are there), 0 when it is bad or cut. */
static size_t sequence(const uint8_t *p, size_t n) {
    const uint8_t c = p[0];
    if (c < 0x80) {
        return 1;
    }
    if (c < 0xc2 || c > 0xf4) {
        return 0;
    }
    const size_t len = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    if (n < len) {
        return 0;
    }
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    const bool overlong = (c == 0xe0 && p[1] < 0xa0) || (c == 0xf0 && p[1] < 0x90);
    const bool surrogate = c == 0xed && p[1] > 0x9f;
    const bool above = c == 0xf4 && p[1] > 0x8f;
    return overlong || surrogate || above ? 0 : len;
}

static size_t walk(const uint8_t *ptr, size_t from, size_t len) {
    size_t i = from;
    while (i < len) {
        uint64_t eight;
        if (len - i >= 8 && (memcpy(&eight, ptr + i, 8), (eight & 0x8080808080808080ULL) == 0)) {
            i += 8;
            continue;
        }
        const size_t step = sequence(ptr + i, len - i);
        if (step == 0) {
            break;
        }
        i += step;
    }
    return i;
}

#if HR_X86

enum {
    TOO_SHORT = 1,
    TOO_LONG = 2,
    OVERLONG_3 = 4,
    TOO_LARGE = 8,
    SURROGATE = 16,
    OVERLONG_2 = 32,
    TOO_LARGE_1000 = 64,
    OVERLONG_4 = 64,
    TWO_CONTS = 128,
    CARRY = TOO_SHORT | TOO_LONG | TWO_CONTS
};

/* clang-format off */
static const uint8_t FIRST_HIGH[16] = {
    TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG,
    TWO_CONTS, TWO_CONTS, TWO_CONTS, TWO_CONTS,
    TOO_SHORT | OVERLONG_2, TOO_SHORT, TOO_SHORT | OVERLONG_3 | SURROGATE,
    TOO_SHORT | TOO_LARGE | TOO_LARGE_1000 | OVERLONG_4};
static const uint8_t FIRST_LOW[16] = {
    CARRY | OVERLONG_3 | OVERLONG_2 | OVERLONG_4, CARRY | OVERLONG_2, CARRY, CARRY,
    CARRY | TOO_LARGE,
    CARRY | TOO_LARGE | TOO_LARGE_1000, CARRY | TOO_LARGE | TOO_LARGE_1000,
    CARRY | TOO_LARGE | TOO_LARGE_1000, CARRY | TOO_LARGE | TOO_LARGE_1000,
    CARRY | TOO_LARGE | TOO_LARGE_1000, CARRY | TOO_LARGE | TOO_LARGE_1000,
    CARRY | TOO_LARGE | TOO_LARGE_1000, CARRY | TOO_LARGE | TOO_LARGE_1000,
    CARRY | TOO_LARGE | TOO_LARGE_1000 | SURROGATE,
    CARRY | TOO_LARGE | TOO_LARGE_1000, CARRY | TOO_LARGE | TOO_LARGE_1000};
static const uint8_t SECOND_HIGH[16] = {
    TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT,
    TOO_LONG | OVERLONG_2 | TWO_CONTS | OVERLONG_3 | TOO_LARGE_1000 | OVERLONG_4,
    TOO_LONG | OVERLONG_2 | TWO_CONTS | OVERLONG_3 | TOO_LARGE,
    TOO_LONG | OVERLONG_2 | TWO_CONTS | SURROGATE | TOO_LARGE,
    TOO_LONG | OVERLONG_2 | TWO_CONTS | SURROGATE | TOO_LARGE,
    TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT};
/* clang-format on */

HR_TARGET_AVX2 static __m256i table256(const uint8_t *table) {
    return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)table));
}

/* Error bits of 32 bytes given the 32 before them. */
HR_TARGET_AVX2 static __m256i errors_of(__m256i in, __m256i before) {
    const __m256i low = _mm256_set1_epi8(0x0f);
    const __m256i cross = _mm256_permute2x128_si256(before, in, 0x21);
    const __m256i prev1 = _mm256_alignr_epi8(in, cross, 15);
    const __m256i prev2 = _mm256_alignr_epi8(in, cross, 14);
    const __m256i prev3 = _mm256_alignr_epi8(in, cross, 13);
    const __m256i prev_high = _mm256_and_si256(_mm256_srli_epi16(prev1, 4), low);
    const __m256i in_high = _mm256_and_si256(_mm256_srli_epi16(in, 4), low);
    const __m256i special = _mm256_and_si256(
        _mm256_and_si256(_mm256_shuffle_epi8(table256(FIRST_HIGH), prev_high),
                         _mm256_shuffle_epi8(table256(FIRST_LOW), _mm256_and_si256(prev1, low))),
        _mm256_shuffle_epi8(table256(SECOND_HIGH), in_high));
    const __m256i third = _mm256_subs_epu8(prev2, _mm256_set1_epi8(0xe0 - 0x80));
    const __m256i fourth = _mm256_subs_epu8(prev3, _mm256_set1_epi8((char)(0xf0 - 0x80)));
    const __m256i must =
        _mm256_and_si256(_mm256_or_si256(third, fourth), _mm256_set1_epi8((char)0x80));
    return _mm256_xor_si256(must, special);
}

/* How many leading bytes are known to be whole and valid; a multiple of 32 less at most 3, or 0
 * when a fault was seen anywhere. */
HR_TARGET_AVX2 static size_t valid_avx2(const uint8_t *ptr, size_t len) {
    __m256i error = _mm256_setzero_si256();
    __m256i before = _mm256_setzero_si256();
    size_t i = 0;
    bool ascii_before = true;
    for (; i + 32 <= len; i += 32) {
        const __m256i in = _mm256_loadu_si256((const __m256i *)(const void *)(ptr + i));
        const bool ascii = _mm256_movemask_epi8(in) == 0;
        if (!ascii || !ascii_before) {
            error = _mm256_or_si256(error, errors_of(in, before));
        }
        ascii_before = ascii;
        before = in;
    }
    if (!_mm256_testz_si256(error, error)) {
        return 0;
    }
    /* A sequence cut by the last full block is walked again with the tail. */
    for (size_t back = 1; back <= 3 && back <= i; back++) {
        const uint8_t c = ptr[i - back];
        if (c >= 0xc0) {
            return i - back;
        }
        if (c < 0x80) {
            break;
        }
    }
    return i;
}
#endif

size_t hr_utf8_valid_len(const uint8_t *ptr, size_t len) {
    size_t from = 0;
#if HR_X86
    if (len >= 32 && hr_cpu_get()->avx2) {
        from = valid_avx2(ptr, len);
    }
#endif
    return walk(ptr, from, len);
}
