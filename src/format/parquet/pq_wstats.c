/* format/parquet/pq_wstats.c - smallest and largest values, for Statistics and the ColumnIndex.
 *
 * The order is the one parquet.thrift's ColumnOrder defines for the type (TYPE_ORDER). NaN takes no
 * part; a zero is written as -0.0 where it is the minimum and +0.0 where it is the maximum, because
 * readers may compare either way. Byte arrays longer than HR_PQW_STAT_MAX are cut: a minimum may
 * be any prefix, a maximum is a prefix whose last character is raised.
 */
#include "base/cpu.h"
#include "base/num.h"
#include "format/parquet/pq_enc_pack.h"
#include "format/parquet/pq_write_internal.h"

/* ---- numbers ---- */

/* Plain loops: gcc and clang turn them into vector code for the build they are inlined in. */
#define INT_LOOP(name, ctype)                                                                      \
    HR_PQW_INLINE void name(const void *values, size_t n, uint64_t *lo, uint64_t *hi) {            \
        const ctype *v = values;                                                                   \
        ctype min = v[0], max = v[0];                                                              \
        for (size_t i = 0; i < n; i++) {                                                           \
            min = v[i] < min ? v[i] : min;                                                         \
            max = v[i] > max ? v[i] : max;                                                         \
        }                                                                                          \
        *lo = (uint64_t)min;                                                                       \
        *hi = (uint64_t)max;                                                                       \
    }
INT_LOOP(loop_u8, uint8_t)
INT_LOOP(loop_i32, int32_t)
INT_LOOP(loop_u32, uint32_t)
INT_LOOP(loop_i64, int64_t)
INT_LOOP(loop_u64, uint64_t)

/* Floats: eight running minima (the comparisons of NaN are false, so it never gets in), which the
 * compiler may keep in vectors without changing the result. */
#define FLOAT_LOOP(name, ctype, bits_t)                                                            \
    HR_PQW_INLINE bool name(const void *values, size_t n, uint64_t *lo, uint64_t *hi) {            \
        const ctype *v = values;                                                                   \
        ctype min[8], max[8];                                                                      \
        for (int k = 0; k < 8; k++) {                                                              \
            min[k] = (ctype)__builtin_inf();                                                       \
            max[k] = -(ctype)__builtin_inf();                                                      \
        }                                                                                          \
        size_t i = 0;                                                                              \
        for (; i + 8 <= n; i += 8) {                                                               \
            for (int k = 0; k < 8; k++) {                                                          \
                min[k] = v[i + (size_t)k] < min[k] ? v[i + (size_t)k] : min[k];                    \
                max[k] = v[i + (size_t)k] > max[k] ? v[i + (size_t)k] : max[k];                    \
            }                                                                                      \
        }                                                                                          \
        for (; i < n; i++) {                                                                       \
            min[0] = v[i] < min[0] ? v[i] : min[0];                                                \
            max[0] = v[i] > max[0] ? v[i] : max[0];                                                \
        }                                                                                          \
        for (int k = 1; k < 8; k++) {                                                              \
            min[0] = min[k] < min[0] ? min[k] : min[0];                                            \
            max[0] = max[k] > max[0] ? max[k] : max[0];                                            \
        }                                                                                          \
        bits_t a, b;                                                                               \
        memcpy(&a, &min[0], sizeof(a));                                                            \
        memcpy(&b, &max[0], sizeof(b));                                                            \
        *lo = a;                                                                                   \
        *hi = b;                                                                                   \
        return min[0] <= max[0]; /* false: nothing but NaN */                                      \
    }
FLOAT_LOOP(loop_f32, float, uint32_t)
FLOAT_LOOP(loop_f64, double, uint64_t)

HR_PQW_INLINE bool numbers_body(enum hr_pqw_sort sort, const void *v, size_t n, uint64_t *lo,
                                uint64_t *hi) {
    switch (sort) {
    case HR_PQW_SORT_BOOL: loop_u8(v, n, lo, hi); return true;
    case HR_PQW_SORT_I32: loop_i32(v, n, lo, hi); return true;
    case HR_PQW_SORT_U32: loop_u32(v, n, lo, hi); return true;
    case HR_PQW_SORT_I64: loop_i64(v, n, lo, hi); return true;
    case HR_PQW_SORT_U64: loop_u64(v, n, lo, hi); return true;
    case HR_PQW_SORT_F32: return loop_f32(v, n, lo, hi);
    default: return loop_f64(v, n, lo, hi);
    }
}

#if HR_X86
HR_TARGET_AVX2 static bool numbers_avx2(enum hr_pqw_sort sort, const void *v, size_t n,
                                        uint64_t *lo, uint64_t *hi) {
    return numbers_body(sort, v, n, lo, hi);
}
#endif

#if HR_X86 /* has a minimum of 64-bit integers */
HR_TARGET_AVX512 static bool numbers_avx512(enum hr_pqw_sort sort, const void *v, size_t n,
                                            uint64_t *lo, uint64_t *hi) {
    return numbers_body(sort, v, n, lo, hi);
}
#endif

static bool numbers(enum hr_pqw_sort sort, const void *v, size_t n, uint64_t *lo, uint64_t *hi) {
#if HR_X86
    if (hr_cpu_get()->avx512) {
        return numbers_avx512(sort, v, n, lo, hi);
    }
    if (hr_cpu_get()->avx2) {
        return numbers_avx2(sort, v, n, lo, hi);
    }
#endif
    return numbers_body(sort, v, n, lo, hi);
}

/* Blocks of values without a branch inside, so that sorted columns go at the speed of memory and
 * others end in the first block. */
#define ASCENDING(name, ctype)                                                                     \
    static bool name(const void *values, size_t n) {                                               \
        const ctype *v = values;                                                                   \
        for (size_t i = 1; i < n;) {                                                               \
            const size_t end = n - i < 256 ? n : i + 256;                                          \
            unsigned down = 0;                                                                     \
            for (; i < end; i++) {                                                                 \
                down |= v[i] < v[i - 1];                                                           \
            }                                                                                      \
            if (down != 0) {                                                                       \
                return false;                                                                      \
            }                                                                                      \
        }                                                                                          \
        return true;                                                                               \
    }
ASCENDING(ascending_i32, int32_t)
ASCENDING(ascending_u32, uint32_t)
ASCENDING(ascending_i64, int64_t)
ASCENDING(ascending_u64, uint64_t)

bool hr_pqw_ascending(const struct hr_pqw_col *col) {
    switch (col->leaf->sort) {
    case HR_PQW_SORT_I32: return ascending_i32(col->values.ptr, col->n_values);
    case HR_PQW_SORT_U32: return ascending_u32(col->values.ptr, col->n_values);
    case HR_PQW_SORT_I64: return ascending_i64(col->values.ptr, col->n_values);
    case HR_PQW_SORT_U64: return ascending_u64(col->values.ptr, col->n_values);
    default: return false;
    }
}

static int compare_u64(uint64_t a, uint64_t b) {
    return (a > b) - (a < b);
}

static int compare_double(double a, double b) {
    return (a > b) - (a < b);
}

static double as_double(enum hr_pqw_sort sort, uint64_t bits) {
    if (sort == HR_PQW_SORT_F32) {
        const uint32_t narrow = (uint32_t)bits;
        float f;
        memcpy(&f, &narrow, sizeof(f));
        return (double)f;
    }
    double d;
    memcpy(&d, &bits, sizeof(d));
    return d;
}

static int compare_numbers(enum hr_pqw_sort sort, uint64_t a, uint64_t b) {
    switch (sort) {
    case HR_PQW_SORT_I32:
    case HR_PQW_SORT_I64: /* 32-bit values were sign-extended */
        return ((int64_t)a > (int64_t)b) - ((int64_t)a < (int64_t)b);
    case HR_PQW_SORT_F32:
    case HR_PQW_SORT_F64: return compare_double(as_double(sort, a), as_double(sort, b));
    default: return compare_u64(a, b);
    }
}

/* ---- bytes ---- */

static double half_of(const uint8_t *p) {
    return hr_half_to_double((uint16_t)(p[0] | p[1] << 8));
}

/* Plain unsigned order. */
static int compare_bytes(struct hr_slice a, struct hr_slice b) {
    const size_t n = a.len < b.len ? a.len : b.len;
    const int order = n == 0 ? 0 : memcmp(a.ptr, b.ptr, n);
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static int compare_slices(enum hr_pqw_sort sort, struct hr_slice a, struct hr_slice b) {
    if (sort == HR_PQW_SORT_F16) {
        return compare_double(half_of(a.ptr), half_of(b.ptr));
    }
    if (sort == HR_PQW_SORT_DECIMAL && (a.ptr[0] ^ b.ptr[0]) >= 0x80) {
        return a.ptr[0] >= 0x80 ? -1 : 1; /* the signs differ */
    }
    return compare_bytes(a, b);
}

static bool is_nan(enum hr_pqw_sort sort, struct hr_slice v) {
    if (sort != HR_PQW_SORT_F16) {
        return false;
    }
    const double d = half_of(v.ptr);
    return d != d;
}

static void take(enum hr_pqw_sort sort, struct hr_pqw_minmax *m, struct hr_slice v) {
    if (is_nan(sort, v)) {
        m->nan_only = !m->any;
        return;
    }
    if (!m->any) {
        m->any = true;
        m->nan_only = false;
        m->min = m->max = v;
        return;
    }
    if (compare_slices(sort, v, m->min) < 0) {
        m->min = v;
    } else if (compare_slices(sort, v, m->max) > 0) {
        m->max = v;
    }
}

/* The first 8 bytes as a number that orders like them; shorter values are filled with zeros. */
HR_PQW_INLINE uint64_t head_of(const uint8_t *p, size_t len) {
    const uint64_t head = __builtin_bswap64(hr_pqw_get64(p));
    return len >= 8 ? head : len == 0 ? 0 : head & (~0ULL << (64 - 8 * len));
}

/* Most values are told from both bounds by their first 8 bytes. */
static void byte_arrays(const struct hr_pqw_col *col, size_t from, size_t n,
                        struct hr_pqw_minmax *m) {
    const uint32_t *offsets = hr_pqw_offsets(col) + from;
    const uint8_t *bytes = col->values.ptr;
    uint64_t lo = 0, hi = 0;
    for (size_t i = 0; i < n; i++) {
        const uint8_t *p = bytes + offsets[i];
        const size_t len = offsets[i + 1] - offsets[i];
        const uint64_t head = head_of(p, len);
        if (hr_unlikely(head <= lo || head >= hi || i == 0)) {
            take(HR_PQW_SORT_BYTES, m, hr_slice_of(p, len));
            lo = head_of(m->min.ptr, m->min.len);
            hi = head_of(m->max.ptr, m->max.len);
        }
    }
}

void hr_pqw_minmax(const struct hr_pqw_col *col, size_t from, size_t n, struct hr_pqw_minmax *out) {
    const struct hr_pqw_leaf *leaf = col->leaf;
    *out = (struct hr_pqw_minmax){0};
    if (n == 0 || leaf->sort == HR_PQW_SORT_NONE) {
        return;
    }
    if (leaf->keep == HR_PQW_KEEP_BYTES) {
        byte_arrays(col, from, n, out);
        return;
    }
    const size_t width = (size_t)leaf->width;
    const uint8_t *v = col->values.ptr + from * width;
    if (leaf->keep != HR_PQW_KEEP_FIXED) {
        out->any = numbers(leaf->sort, v, n, &out->lo, &out->hi);
        out->nan_only = !out->any;
        return;
    }
    for (size_t i = 0; i < n; i++) {
        take(leaf->sort, out, hr_slice_of(v + i * width, width));
    }
}

void hr_pqw_minmax_dict(const struct hr_pqw_leaf *leaf, const struct hr_pqw_dict *dict,
                        const uint32_t *index, size_t n, uint32_t *seen, uint32_t mark,
                        struct hr_pqw_minmax *out) {
    const uint32_t *offsets = (const uint32_t *)(const void *)dict->offsets.ptr;
    *out = (struct hr_pqw_minmax){0};
    if (leaf->sort == HR_PQW_SORT_NONE) {
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const uint32_t k = index[i];
        if (hr_unlikely(seen[k] != mark)) {
            seen[k] = mark;
            take(leaf->sort, out,
                 hr_slice_of(dict->values.ptr + offsets[k], offsets[k + 1] - offsets[k]));
        }
    }
}

static bool is_number(const struct hr_pqw_leaf *leaf) {
    return leaf->keep != HR_PQW_KEEP_BYTES && leaf->keep != HR_PQW_KEEP_FIXED;
}

int hr_pqw_compare_min(const struct hr_pqw_leaf *leaf, const struct hr_pqw_minmax *a,
                       const struct hr_pqw_minmax *b) {
    return is_number(leaf) ? compare_numbers(leaf->sort, a->lo, b->lo)
                           : compare_slices(leaf->sort, a->min, b->min);
}

int hr_pqw_compare_max(const struct hr_pqw_leaf *leaf, const struct hr_pqw_minmax *a,
                       const struct hr_pqw_minmax *b) {
    return is_number(leaf) ? compare_numbers(leaf->sort, a->hi, b->hi)
                           : compare_slices(leaf->sort, a->max, b->max);
}

void hr_pqw_minmax_merge(const struct hr_pqw_leaf *leaf, struct hr_pqw_minmax *into,
                         const struct hr_pqw_minmax *other) {
    if (!other->any) {
        into->nan_only = into->nan_only || (other->nan_only && !into->any);
        return;
    }
    if (!into->any) {
        *into = *other;
        return;
    }
    if (hr_pqw_compare_min(leaf, other, into) < 0) {
        into->lo = other->lo;
        into->min = other->min;
    }
    if (hr_pqw_compare_max(leaf, other, into) > 0) {
        into->hi = other->hi;
        into->max = other->max;
    }
}

/* ---- bounds as stored ---- */

/* Zero has two forms: the minimum takes the one with the sign, the maximum the one without. */
static void signed_zero(enum hr_pqw_sort sort, bool minimum, uint8_t *bytes, size_t width) {
    const bool is_float =
        sort == HR_PQW_SORT_F16 || sort == HR_PQW_SORT_F32 || sort == HR_PQW_SORT_F64;
    if (!is_float || (bytes[width - 1] & 0x7f) != 0) {
        return;
    }
    for (size_t i = 0; i + 1 < width; i++) {
        if (bytes[i] != 0) {
            return;
        }
    }
    bytes[width - 1] = minimum ? 0x80 : 0;
}

static void number_bound(const struct hr_pqw_leaf *leaf, uint64_t bits, bool minimum,
                         struct hr_pqw_bound *out) {
    hr_pqw_put64(out->bytes, bits);
    out->value = hr_slice_of(out->bytes, (size_t)leaf->width);
    out->exact = true;
    signed_zero(leaf->sort, minimum, out->bytes, (size_t)leaf->width);
}

/* True when the value can be given as it is, or not at all. */
static bool whole_bound(const struct hr_pqw_leaf *leaf, struct hr_slice v, bool minimum,
                        struct hr_pqw_bound *out) {
    if (leaf->keep == HR_PQW_KEEP_FIXED && v.len > HR_PQW_STAT_WHOLE) {
        *out = (struct hr_pqw_bound){0};
        return true;
    }
    if (leaf->keep == HR_PQW_KEEP_FIXED) {
        memcpy(out->bytes, v.ptr, v.len);
        signed_zero(leaf->sort, minimum, out->bytes, v.len);
        out->value = hr_slice_of(out->bytes, v.len);
        out->exact = true;
        return true;
    }
    if (v.len <= HR_PQW_STAT_MAX) {
        out->value = v;
        out->exact = true;
        return true;
    }
    return false;
}

static bool continues(uint8_t byte) {
    return (byte & 0xc0) == 0x80;
}

/* Where to cut so that no character is split, counted from the start; HR_PQW_STAT_MAX for text
 * that is not UTF-8 after all. */
static size_t cut_at(struct hr_slice v, bool utf8) {
    size_t len = HR_PQW_STAT_MAX;
    if (utf8) {
        while (len > HR_PQW_STAT_MAX - 4 && continues(v.ptr[len])) {
            len--;
        }
        len = continues(v.ptr[len]) ? HR_PQW_STAT_MAX : len;
    }
    return len;
}

void hr_pqw_bound_min(const struct hr_pqw_leaf *leaf, const struct hr_pqw_minmax *m,
                      struct hr_pqw_bound *out) {
    if (is_number(leaf)) {
        number_bound(leaf, m->lo, true, out);
    } else if (!whole_bound(leaf, m->min, true, out)) {
        out->value = hr_slice_of(m->min.ptr, cut_at(m->min, leaf->utf8));
        out->exact = false;
    }
}

/* Raise bytes[0..len) to the next larger string of at most that length; its length, 0: there is
 * none. */
static size_t raise_bytes(uint8_t *bytes, size_t len) {
    while (len > 0 && bytes[len - 1] == 0xff) {
        len--;
    }
    if (len > 0) {
        bytes[len - 1]++;
    }
    return len;
}

/* The same in whole characters: the last one that has a successor of its own length is raised. */
static size_t raise_utf8(uint8_t *bytes, size_t len) {
    while (len > 0) {
        size_t start = len - 1;
        while (start > 0 && continues(bytes[start])) {
            start--;
        }
        const uint8_t lead = bytes[start];
        const size_t n = len - start;
        static const uint8_t first[5] = {0, 0, 0xc2, 0xe0, 0xf0};
        static const uint8_t last[5] = {0, 0x7f, 0xdf, 0xef, 0xf4};
        if (n > 4 || lead < first[n] || lead > last[n]) {
            return 0; /* not UTF-8 */
        }
        uint32_t c = n == 1 ? lead : lead & (0x7fu >> n);
        for (size_t i = start + 1; i < len; i++) {
            c = c << 6 | (bytes[i] & 0x3f);
        }
        static const uint32_t most[5] = {0, 0x7f, 0x7ff, 0xffff, 0x10ffff};
        if (c < most[n]) {
            c = c == 0xd7ff ? 0xe000 : c + 1; /* surrogates are no characters */
            for (size_t i = len - 1; i > start; i--) {
                bytes[i] = (uint8_t)(0x80 | (c & 0x3f));
                c >>= 6;
            }
            static const uint8_t mark[5] = {0, 0, 0xc0, 0xe0, 0xf0};
            bytes[start] = (uint8_t)(mark[n] | c);
            return len;
        }
        len = start;
    }
    return 0;
}

void hr_pqw_bound_max(const struct hr_pqw_leaf *leaf, const struct hr_pqw_minmax *m,
                      struct hr_pqw_bound *out) {
    if (is_number(leaf)) {
        number_bound(leaf, m->hi, false, out);
        return;
    }
    if (whole_bound(leaf, m->max, false, out)) {
        return;
    }
    const size_t cut = cut_at(m->max, leaf->utf8);
    memcpy(out->bytes, m->max.ptr, cut);
    const size_t len = leaf->utf8 ? raise_utf8(out->bytes, cut) : raise_bytes(out->bytes, cut);
    out->exact = false;
    out->value = hr_slice_of(out->bytes, len);
    if (len == 0) { /* nothing shorter is larger: the value itself, while that is bearable */
        out->exact = true;
        out->value = m->max.len <= HR_PQW_STAT_WHOLE ? m->max : hr_slice_of(NULL, 0);
    }
}
