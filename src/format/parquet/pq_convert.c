/* format/parquet/pq_convert.c - values as Parquet stores them to values as Arrow has them.
 *
 * Called by the value decoders for blocks of PLAIN values, and once per dictionary entry. Also the
 * UTF-8 check for string columns: a page of ASCII costs one pass at memory speed.
 */
#include <math.h>

#include "base/cpu.h"
#include "base/num.h"
#include "format/parquet/pq_leaf.h"

#if HR_X86
#include <immintrin.h>
#endif

#define JULIAN_EPOCH 2440588 /* Julian day number of 1970-01-01 */
#define DAY_US INT64_C(86400000000)
#define DAY_NS INT64_C(86400000000000)

static inline int32_t load_i32(const uint8_t *ptr) {
    int32_t v;
    memcpy(&v, ptr, sizeof(v));
    return v;
}

static inline int64_t load_i64(const uint8_t *ptr) {
    int64_t v;
    memcpy(&v, ptr, sizeof(v));
    return v;
}

static void narrow8(const uint8_t *src, size_t n, uint8_t *dst) {
    for (size_t i = 0; i < n; i++) {
        dst[i] = src[i * 4];
    }
}

static void narrow16(const uint8_t *src, size_t n, uint8_t *dst) {
    for (size_t i = 0; i < n; i++) {
        memcpy(dst + i * 2, src + i * 4, 2);
    }
}

static inline __attribute__((always_inline)) void widen(const uint8_t *src, size_t n, uint8_t *dst,
                                                        const size_t from, const size_t words) {
    for (size_t i = 0; i < n; i++) {
        const int64_t v = from == 4 ? load_i32(src + i * 4) : load_i64(src + i * 8);
        const int64_t sign = v >> 63;
        memcpy(dst + i * words * 8, &v, 8);
        for (size_t w = 1; w < words; w++) {
            memcpy(dst + (i * words + w) * 8, &sign, 8);
        }
    }
}

static double power10(int n) {
    static const double table[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                   1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                   1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    return n <= 22 ? table[n] : pow(10, n);
}

static void to_double(const uint8_t *src, size_t n, uint8_t *dst, size_t from, int scale) {
    const double divisor = power10(scale);
    for (size_t i = 0; i < n; i++) {
        const int64_t raw = from == 4 ? load_i32(src + i * 4) : load_i64(src + i * 8);
        const double v = (double)raw / divisor;
        memcpy(dst + i * 8, &v, 8);
    }
}

/* 8 bytes nanoseconds of the day, 4 bytes Julian day. */
static const char *int96_nanos(const uint8_t *src, size_t n, uint8_t *dst) {
    for (size_t i = 0; i < n; i++) {
        const int64_t nanos = load_i64(src + i * 12);
        const int64_t day = (int64_t)load_i32(src + i * 12 + 8) - JULIAN_EPOCH;
        int64_t v;
        if (__builtin_mul_overflow(day, DAY_NS, &v) || __builtin_add_overflow(v, nanos, &v)) {
            return "an INT96 timestamp is outside the years 1677 to 2262 that nanoseconds reach";
        }
        memcpy(dst + i * 8, &v, 8);
    }
    return NULL;
}

/* Spark's own arithmetic, which wraps: values it wrote wrapped come back as it reads them. */
static void int96_micros(const uint8_t *src, size_t n, uint8_t *dst) {
    for (size_t i = 0; i < n; i++) {
        const int64_t nanos = load_i64(src + i * 12);
        const int64_t day = (int64_t)load_i32(src + i * 12 + 8) - JULIAN_EPOCH;
        const uint64_t v = (uint64_t)day * (uint64_t)DAY_US + (uint64_t)(nanos / 1000);
        memcpy(dst + i * 8, &v, 8);
    }
}

/* Big-endian two's complement to `out_len` little-endian bytes; false when it does not fit. */
static bool be_to_le(struct hr_slice value, uint8_t *dst, size_t out_len) {
    const uint8_t sign = value.len > 0 && (value.ptr[0] & 0x80) ? 0xff : 0;
    size_t len = value.len;
    const uint8_t *ptr = value.ptr;
    while (len > out_len) {
        if (*ptr != sign) {
            return false;
        }
        ptr++;
        len--;
    }
    memset(dst, sign, out_len);
    for (size_t i = 0; i < len; i++) {
        dst[i] = ptr[len - 1 - i];
    }
    return len < out_len || len == 0 || (dst[out_len - 1] & 0x80) == (sign & 0x80);
}

const char *hr_pq_convert_be(const struct hr_pq_leaf_info *info, struct hr_slice value,
                             uint8_t *dst) {
    static const char too_large[] = "a decimal has more digits than its type can hold";
    uint8_t le[32];
    if (info->conv == HR_PQ_C_BE_DEC128) {
        return be_to_le(value, dst, 16) ? NULL : too_large;
    }
    if (!be_to_le(value, le, 32)) {
        return too_large;
    }
    if (info->conv == HR_PQ_C_BE_DEC256) {
        memcpy(dst, le, 32);
        return NULL;
    }
    double v;
    const hr_i128 low =
        (hr_i128)((hr_u128)(uint64_t)load_i64(le + 8) << 64 | (uint64_t)load_i64(le));
    if (load_i64(le + 16) == load_i64(le + 24) && load_i64(le + 16) == (int64_t)(low >> 127)) {
        v = (double)low / power10(info->scale);
    } else {
        const double high = (double)load_i64(le + 24) * 0x1p128 * 0x1p64;
        const double mid = (double)(uint64_t)load_i64(le + 16) * 0x1p128;
        v = (high + mid + (double)(hr_u128)low) / power10(info->scale);
    }
    memcpy(dst, &v, 8);
    return NULL;
}

/* Up to 16 bytes: over-read 16, swap, and let a shift drop what is not ours and extend the sign. */
static void short_be_dec128(const uint8_t *src, size_t n, size_t width, uint8_t *dst) {
    const unsigned shift = 8 * (16 - (unsigned)width);
    for (size_t i = 0; i < n; i++) {
        const uint64_t high = __builtin_bswap64((uint64_t)load_i64(src + i * width));
        const uint64_t low = __builtin_bswap64((uint64_t)load_i64(src + i * width + 8));
        const hr_i128 v = (hr_i128)((hr_u128)high << 64 | low) >> shift;
        memcpy(dst + i * 16, &v, 16);
    }
}

const char *hr_pq_convert(const struct hr_pq_leaf_info *info, const uint8_t *src, size_t n,
                          uint8_t *dst) {
    const size_t width = info->phys_width;
    const char *why = NULL;
    switch (info->conv) {
    case HR_PQ_C_COPY: memcpy(dst, src, n * width); break;
    case HR_PQ_C_I32_I8: narrow8(src, n, dst); break;
    case HR_PQ_C_I32_I16: narrow16(src, n, dst); break;
    case HR_PQ_C_I32_DEC128: widen(src, n, dst, 4, 2); break;
    case HR_PQ_C_I64_DEC128: widen(src, n, dst, 8, 2); break;
    case HR_PQ_C_I32_DEC256: widen(src, n, dst, 4, 4); break;
    case HR_PQ_C_I64_DEC256: widen(src, n, dst, 8, 4); break;
    case HR_PQ_C_I32_F64: to_double(src, n, dst, 4, info->scale); break;
    case HR_PQ_C_I64_F64: to_double(src, n, dst, 8, info->scale); break;
    case HR_PQ_C_INT96_NS: return int96_nanos(src, n, dst);
    case HR_PQ_C_INT96_US: int96_micros(src, n, dst); break;
    case HR_PQ_C_BE_DEC128:
        if (width <= 16) {
            short_be_dec128(src, n, width, dst);
            break;
        }
        __attribute__((fallthrough));
    default:
        for (size_t i = 0; i < n && why == NULL; i++) {
            why = hr_pq_convert_be(info, hr_slice_of(src + i * width, width),
                                   dst + i * info->out_width);
        }
        break;
    }
    return why;
}

int hr_pq_convert_fail(const struct hr_pq_leaf_info *info, const char *why, struct hr_error *err) {
    const int rc = hr_fail(err, HR_E_CORRUPT, "%s", why);
    if (info->conv == HR_PQ_C_INT96_NS) {
        hr_error_hint(err, "set parquet_int96_unit to us");
    }
    return rc;
}

/* ---- UTF-8 ------------------------------------------------------------------------------------
 */

/* Bytes of leading ASCII, in whole words. */
static size_t ascii_scalar(const uint8_t *ptr, size_t len) {
    size_t i = 0;
    for (; i + 8 <= len; i += 8) {
        if ((uint64_t)load_i64(ptr + i) & UINT64_C(0x8080808080808080)) {
            break;
        }
    }
    return i;
}

#if HR_X86
HR_TARGET_AVX2 static size_t ascii_avx2(const uint8_t *ptr, size_t len) {
    size_t i = 0;
    for (; i + 128 <= len; i += 128) {
        const __m256i a = _mm256_loadu_si256((const __m256i *)(const void *)(ptr + i));
        const __m256i b = _mm256_loadu_si256((const __m256i *)(const void *)(ptr + i + 32));
        const __m256i c = _mm256_loadu_si256((const __m256i *)(const void *)(ptr + i + 64));
        const __m256i d = _mm256_loadu_si256((const __m256i *)(const void *)(ptr + i + 96));
        if (_mm256_movemask_epi8(_mm256_or_si256(_mm256_or_si256(a, b), _mm256_or_si256(c, d)))) {
            break;
        }
    }
    return i;
}
#endif

/* Length of the well-formed sequence at ptr (RFC 3629), 0 when it is none. */
static size_t sequence(const uint8_t *ptr, size_t len) {
    const uint8_t a = ptr[0];
    if (a < 0x80) {
        return 1;
    }
    const size_t n = a >= 0xf0 ? 4 : a >= 0xe0 ? 3 : 2;
    if (a < 0xc2 || a > 0xf4 || n > len) {
        return 0;
    }
    const uint8_t low = a == 0xe0 ? 0xa0 : a == 0xf0 ? 0x90 : 0x80;
    const uint8_t high = a == 0xed ? 0x9f : a == 0xf4 ? 0x8f : 0xbf;
    if (ptr[1] < low || ptr[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < n; i++) {
        if ((ptr[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return n;
}

/* Whole words or blocks of ASCII at the start. */
static size_t ascii_prefix(const uint8_t *ptr, size_t len) {
    size_t i = 0;
#if HR_X86
    if (len >= 128 && hr_cpu_get()->avx2) {
        i = ascii_avx2(ptr, len);
    }
#endif
    return i + ascii_scalar(ptr + i, len - i);
}

bool hr_pq_is_ascii(const uint8_t *ptr, size_t len) {
    size_t i = ascii_prefix(ptr, len);
    while (i < len && ptr[i] < 0x80) {
        i++;
    }
    return i == len;
}

bool hr_pq_utf8_valid(const uint8_t *ptr, size_t len) {
    size_t i = 0;
    while (i < len) {
        i += ascii_prefix(ptr + i, len - i);
        /* Beyond the run of ASCII go some sequences one by one, before trying words again. */
        for (size_t k = 0; k < 16 && i < len; k++) {
            const size_t n = sequence(ptr + i, len - i);
            if (n == 0) {
                return false;
            }
            i += n;
        }
    }
    return true;
}
