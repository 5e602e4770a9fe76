/* format/parquet/pq_bits.c - unpacks bit-packed integers and reads the RLE hybrid.
 *
 * Levels and dictionary indexes are stored as a mix of runs of one value and groups of eight
 * bit-packed values. Packed groups are what most bytes of real files are, so they have two kernels:
 * AVX2, which places the window of each of eight values with one byte shuffle and aligns it with
 * one variable shift, for any width up to 25; and a portable one, 32 values straight-line for each
 * width as a compile-time constant.
 */
#include "format/parquet/pq_bits.h"

#include "base/cpu.h"

#if HR_X86
#include <immintrin.h>
#endif

/* ---- portable kernels -------------------------------------------------------------------------
 */

static inline uint64_t load64(const uint8_t *ptr) {
    uint64_t value;
    memcpy(&value, ptr, sizeof(value));
    return value;
}

/* 32 values of a width known at compile time: 32 loads at constant places. */
static inline __attribute__((always_inline)) void unpack_block(const uint8_t *in, uint32_t *out,
                                                               const unsigned width) {
    const uint64_t mask = (UINT64_C(1) << width) - 1;
#pragma GCC unroll 32
    for (unsigned i = 0; i < 32; i++) {
        out[i] = (uint32_t)(load64(in + (i * width >> 3)) >> (i * width & 7) & mask);
    }
}

#define WIDTHS(X)                                                                                  \
    X(0)                                                                                           \
    X(1)                                                                                           \
    X(2)                                                                                           \
    X(3)                                                                                           \
    X(4)                                                                                           \
    X(5)                                                                                           \
    X(6)                                                                                           \
    X(7)                                                                                           \
    X(8)                                                                                           \
    X(9)                                                                                           \
    X(10)                                                                                          \
    X(11)                                                                                          \
    X(12)                                                                                          \
    X(13)                                                                                          \
    X(14)                                                                                          \
    X(15)                                                                                          \
    X(16)                                                                                          \
    X(17) X(18) X(19) X(20) X(21) X(22) X(23) X(24) X(25) X(26) X(27) X(28) X(29) X(30) X(31) X(32)

#define KERNEL(w)                                                                                  \
    static void unpack_##w(const uint8_t *in, uint32_t *out, size_t blocks) {                      \
        for (; blocks > 0; blocks--, in += 4 * (w), out += 32) {                                   \
            unpack_block(in, out, (w));                                                            \
        }                                                                                          \
    }
WIDTHS(KERNEL)
#undef KERNEL

typedef void (*unpack_fn)(const uint8_t *in, uint32_t *out, size_t blocks);
#define ENTRY(w) unpack_##w,
static const unpack_fn unpack_table[33] = {WIDTHS(ENTRY)};
#undef ENTRY

/* Values whose window fits eight bytes from the first on; for what a kernel leaves over. */
static void unpack_tail(const uint8_t *in, unsigned width, uint32_t *out, size_t count) {
    const uint64_t mask = (UINT64_C(1) << width) - 1;
    for (size_t i = 0, bit = 0; i < count; i++, bit += width) {
        out[i] = (uint32_t)(load64(in + (bit >> 3)) >> (bit & 7) & mask);
    }
}

void hr_pq_unpack32_scalar(const uint8_t *in, unsigned width, uint32_t *out, size_t count) {
    const size_t blocks = count / 32;
    unpack_table[width](in, out, blocks);
    unpack_tail(in + blocks * 4 * width, width, out + blocks * 32, count % 32);
}

/* ---- AVX2 -------------------------------------------------------------------------------------
 */

#if HR_X86
#define AVX2_WIDTH_MAX 25u /* a value and its shift of up to 7 bits fit a 32-bit lane */

HR_TARGET_AVX2 static void unpack_avx2(const uint8_t *in, unsigned width, uint32_t *out,
                                       size_t count) {
    /* Values 0..3 come from 16 bytes at the group's start, 4..7 from 16 bytes at `high`. */
    const unsigned high = 4 * width / 8;
    const __m256i index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    const __m256i base =
        _mm256_setr_epi32(0, 0, 0, 0, (int)high * 8, (int)high * 8, (int)high * 8, (int)high * 8);
    const __m256i bit =
        _mm256_sub_epi32(_mm256_mullo_epi32(index, _mm256_set1_epi32((int)width)), base);
    const __m256i byte = _mm256_srli_epi32(bit, 3);
    const __m256i shuffle = _mm256_add_epi32(
        _mm256_mullo_epi32(byte, _mm256_set1_epi32(0x01010101)), _mm256_set1_epi32(0x03020100));
    const __m256i shift = _mm256_and_si256(bit, _mm256_set1_epi32(7));
    const __m256i mask = _mm256_set1_epi32((int)((UINT32_C(1) << width) - 1));
    for (size_t i = 0; i < count; i += 8, in += width) {
        __m128i lo = _mm_loadu_si128((const __m128i *)(const void *)in);
        __m128i hi = _mm_loadu_si128((const __m128i *)(const void *)(in + high));
        __m256i both = _mm256_inserti128_si256(_mm256_castsi128_si256(lo), hi, 1);
        __m256i words = _mm256_srlv_epi32(_mm256_shuffle_epi8(both, shuffle), shift);
        _mm256_storeu_si256((__m256i *)(void *)(out + i), _mm256_and_si256(words, mask));
    }
}

HR_TARGET_AVX2 static uint32_t max_avx2(const uint32_t *values, size_t count) {
    __m256i best = _mm256_setzero_si256();
    size_t i = 0;
    for (; i + 8 <= count; i += 8) {
        best =
            _mm256_max_epu32(best, _mm256_loadu_si256((const __m256i *)(const void *)(values + i)));
    }
    uint32_t lanes[8];
    _mm256_storeu_si256((__m256i *)(void *)lanes, best);
    uint32_t top = 0;
    for (int lane = 0; lane < 8; lane++) {
        top = lanes[lane] > top ? lanes[lane] : top;
    }
    for (; i < count; i++) {
        top = values[i] > top ? values[i] : top;
    }
    return top;
}
#endif

void hr_pq_unpack32(const uint8_t *in, unsigned width, uint32_t *out, size_t count) {
#if HR_X86
    if (width > 0 && width <= AVX2_WIDTH_MAX && hr_cpu_get()->avx2) {
        unpack_avx2(in, width, out, count);
        return;
    }
#endif
    hr_pq_unpack32_scalar(in, width, out, count);
}

uint32_t hr_pq_max32(const uint32_t *values, size_t count) {
#if HR_X86
    if (hr_cpu_get()->avx2) {
        return max_avx2(values, count);
    }
#endif
    uint32_t top = 0;
    for (size_t i = 0; i < count; i++) {
        top = values[i] > top ? values[i] : top;
    }
    return top;
}

void hr_pq_unpack64(const uint8_t *in, unsigned width, uint64_t *out, size_t count) {
    const uint64_t mask = width == 64 ? UINT64_MAX : (UINT64_C(1) << width) - 1;
    for (size_t i = 0; i < count; i++) {
        const size_t bit = i * width;
        const unsigned shift = bit & 7;
        uint64_t value = load64(in + (bit >> 3)) >> shift;
        if (shift + width > 64) {
            value |= (uint64_t)in[(bit >> 3) + 8] << (64 - shift);
        }
        out[i] = value & mask;
    }
}

void hr_pq_unpack_msb(const uint8_t *in, unsigned width, uint8_t *out, size_t from, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const size_t bit = (from + i) * width;
        const unsigned pair = (unsigned)in[bit >> 3] << 8 | in[(bit >> 3) + 1];
        out[i] = (uint8_t)(pair >> (16 - (bit & 7) - width) & ((1u << width) - 1));
    }
}

/* Counted in bytes, 255 rounds at a time, so that the compiler can use whole vectors. */
size_t hr_pq_count_eq(const uint8_t *bytes, size_t n, uint8_t value) {
    size_t total = 0;
    for (size_t at = 0; at < n; at += 255) {
        const size_t end = n - at < 255 ? n : at + 255;
        uint8_t count = 0;
        for (size_t i = at; i < end; i++) {
            count = (uint8_t)(count + (bytes[i] == value));
        }
        total += count;
    }
    return total;
}

size_t hr_pq_count_ge(const uint8_t *bytes, size_t n, uint8_t value) {
    size_t total = 0;
    for (size_t at = 0; at < n; at += 255) {
        const size_t end = n - at < 255 ? n : at + 255;
        uint8_t count = 0;
        for (size_t i = at; i < end; i++) {
            count = (uint8_t)(count + (bytes[i] >= value));
        }
        total += count;
    }
    return total;
}

/* ---- bitmaps ----------------------------------------------------------------------------------
 */

/* Write the low n (1..56) bits of `bits` at dst_bit. */
static void put_bits(uint8_t *dst, size_t dst_bit, uint64_t bits, unsigned n) {
    const unsigned shift = dst_bit & 7;
    const unsigned bytes = (shift + n + 7) / 8;
    const uint64_t mask = ((UINT64_C(1) << n) - 1) << shift;
    uint64_t word = 0;
    memcpy(&word, dst + (dst_bit >> 3), bytes);
    word = (word & ~mask) | (bits << shift & mask);
    memcpy(dst + (dst_bit >> 3), &word, bytes);
}

size_t hr_pq_copy_bits(uint8_t *dst, size_t dst_bit, const uint8_t *src, size_t src_bit, size_t n) {
    size_t ones = 0;
    while (n > 0) {
        const unsigned take = n < 56 ? (unsigned)n : 56;
        const uint64_t bits =
            load64(src + (src_bit >> 3)) >> (src_bit & 7) & ((UINT64_C(1) << take) - 1);
        ones += (size_t)__builtin_popcountll(bits);
        put_bits(dst, dst_bit, bits, take);
        src_bit += take;
        dst_bit += take;
        n -= take;
    }
    return ones;
}

void hr_pq_set_bits(uint8_t *dst, size_t dst_bit, size_t n, bool value) {
    const uint64_t fill = value ? UINT64_MAX : 0;
    while (n > 0 && (dst_bit & 7) != 0) {
        const unsigned take = n < 8 - (dst_bit & 7) ? (unsigned)n : 8 - (unsigned)(dst_bit & 7);
        put_bits(dst, dst_bit, fill, take);
        dst_bit += take;
        n -= take;
    }
    memset(dst + (dst_bit >> 3), value ? 0xff : 0, n / 8);
    if (n % 8 != 0) {
        put_bits(dst, dst_bit + n / 8 * 8, fill, (unsigned)(n % 8));
    }
}

/* ---- the hybrid -------------------------------------------------------------------------------
 */

void hr_pq_rle_init(struct hr_pq_rle *rle, struct hr_slice bytes, unsigned width) {
    *rle = (struct hr_pq_rle){.ptr = bytes.ptr, .end = bytes.ptr + bytes.len, .width = width};
}

/* Run header: a varint, its low bit telling packed groups from a repeated value. */
static bool read_header(struct hr_pq_rle *rle, uint64_t *out) {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && rle->ptr < rle->end; shift += 7) {
        const uint8_t byte = *rle->ptr++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *out = value;
            return true;
        }
    }
    rle->ptr = rle->end;
    return false;
}

/* A packed run whose last group is cut off (some writers do not pad) gives what is there. */
static void start_packed(struct hr_pq_rle *rle, uint64_t groups) {
    const uint64_t room = (uint64_t)(rle->end - rle->ptr);
    uint64_t bytes = room;
    if (rle->width == 0) {
        rle->left = groups * 8;
        bytes = 0;
    } else if (groups <= room / rle->width) {
        bytes = groups * rle->width;
        rle->left = groups * 8;
    } else {
        rle->left = room * 8 / rle->width;
    }
    rle->packed = true;
    rle->bits = rle->ptr;
    rle->taken = 0;
    rle->ptr += bytes;
}

static void start_repeat(struct hr_pq_rle *rle, uint64_t count) {
    const unsigned bytes = (rle->width + 7) / 8;
    if ((size_t)(rle->end - rle->ptr) < bytes) {
        rle->ptr = rle->end;
        return;
    }
    uint32_t value = 0;
    memcpy(&value, rle->ptr, bytes);
    if (rle->width < 32 && value >> rle->width != 0) {
        rle->ptr = rle->end; /* wider than the width says: damaged, the values end here */
        return;
    }
    rle->ptr += bytes;
    rle->packed = false;
    rle->value = value;
    rle->left = count;
}

uint64_t hr_pq_rle_run(struct hr_pq_rle *rle) {
    uint64_t header;
    while (rle->left == 0 && read_header(rle, &header)) {
        const uint64_t count = header >> 1;
        if (count > INT32_MAX) {
            rle->ptr = rle->end; /* no page has that many values: damaged */
        } else if (header & 1) {
            start_packed(rle, count);
        } else {
            start_repeat(rle, count);
        }
    }
    return rle->left;
}

static void advance(struct hr_pq_rle *rle, size_t n) {
    rle->left -= n;
    rle->taken += n;
}

/* n values of the current packed run. Values before the next byte boundary go one by one. */
static void take_packed(struct hr_pq_rle *rle, uint32_t *out, size_t n) {
    const size_t skew = rle->taken % 8;
    size_t at = 0;
    if (skew != 0) {
        const uint8_t *group = rle->bits + rle->taken / 8 * rle->width;
        const uint64_t mask = (UINT64_C(1) << rle->width) - 1;
        for (; at < n && skew + at < 8; at++) {
            const size_t bit = (skew + at) * rle->width;
            out[at] = (uint32_t)(load64(group + (bit >> 3)) >> (bit & 7) & mask);
        }
    }
    if (at < n) {
        hr_pq_unpack32(rle->bits + (rle->taken + at) / 8 * rle->width, rle->width, out + at,
                       n - at);
    }
    advance(rle, n);
}

size_t hr_pq_rle_read32(struct hr_pq_rle *rle, uint32_t *out, size_t n) {
    size_t done = 0;
    while (done < n) {
        const uint64_t run = hr_pq_rle_run(rle);
        if (run == 0) {
            break;
        }
        const size_t take = n - done < run ? n - done : (size_t)run;
        if (rle->packed) {
            take_packed(rle, out + done, take);
        } else {
            for (size_t i = 0; i < take; i++) {
                out[done + i] = rle->value;
            }
            advance(rle, take);
        }
        done += take;
    }
    return done;
}

size_t hr_pq_rle_read8(struct hr_pq_rle *rle, uint8_t *out, size_t n) {
    uint32_t block[256 + HR_PQ_UNPACK_SLACK];
    size_t done = 0;
    while (done < n) {
        const uint64_t run = hr_pq_rle_run(rle);
        if (run == 0) {
            break;
        }
        size_t take = n - done < run ? n - done : (size_t)run;
        if (rle->packed) {
            take = take < 256 ? take : 256;
            take_packed(rle, block, take);
            for (size_t i = 0; i < take; i++) {
                out[done + i] = (uint8_t)block[i];
            }
        } else {
            memset(out + done, (int)(rle->value & 0xff), take);
            advance(rle, take);
        }
        done += take;
    }
    return done;
}

size_t hr_pq_rle_read_bits(struct hr_pq_rle *rle, uint8_t *dst, size_t dst_bit, size_t n,
                           size_t *ones) {
    size_t done = 0;
    while (done < n) {
        const uint64_t run = hr_pq_rle_run(rle);
        if (run == 0) {
            break;
        }
        const size_t take = n - done < run ? n - done : (size_t)run;
        if (rle->packed) {
            *ones += hr_pq_copy_bits(dst, dst_bit + done, rle->bits, rle->taken, take);
        } else {
            hr_pq_set_bits(dst, dst_bit + done, take, rle->value & 1);
            *ones += rle->value & 1 ? take : 0;
        }
        advance(rle, take);
        done += take;
    }
    return done;
}

uint64_t hr_pq_rle_skip(struct hr_pq_rle *rle, uint64_t n) {
    uint64_t done = 0;
    while (done < n) {
        const uint64_t run = hr_pq_rle_run(rle);
        if (run == 0) {
            break;
        }
        const uint64_t take = n - done < run ? n - done : run;
        advance(rle, (size_t)take);
        done += take;
    }
    return done;
}
