/* format/parquet/pq_values.c - the values of a data page: which decoder, and those of fixed width.
 *
 * Encodings.md is the specification. Fixed-width values go to their final place in the column;
 * where the Arrow type differs from the stored one they pass through a block on the stack or are
 * converted from the page as they lie. Byte arrays are in pq_bytes.c, dictionaries in pq_dict.c.
 */
#include "base/cpu.h"
#include "base/mem.h"
#include "format/parquet/pq_leaf.h"

#if HR_X86
#include <emmintrin.h>
#endif

/* ---- choosing the decoder ---------------------------------------------------------------------
 */

static int bad_encoding(const struct hr_pq_leaf *leaf, struct hr_error *err) {
    return hr_fail(err, HR_E_UNSUPPORTED, "encoding %s (%d) of %s values is not supported",
                   hr_pq_encoding_name(leaf->encoding), leaf->encoding,
                   hr_pq_type_name(leaf->info->element->type));
}

static int corrupt(struct hr_error *err, const char *why) {
    return hr_fail(err, HR_E_CORRUPT, "%s", why);
}

static int begin_delta(struct hr_pq_delta **delta, struct hr_slice body, struct hr_error *err) {
    if (*delta == NULL) {
        *delta = hr_malloc(sizeof(**delta));
        if (*delta == NULL) {
            return hr_fail(err, HR_E_NOMEM, "could not allocate a decoder");
        }
    }
    return hr_pq_delta_init(*delta, body) ? 0 : corrupt(err, "a delta header is damaged");
}

static int begin_lengths(struct hr_pq_leaf *leaf, struct hr_slice body, struct hr_error *err) {
    if (leaf->lengths == NULL) {
        leaf->lengths = hr_malloc(2 * HR_PQ_LENGTHS * sizeof(*leaf->lengths));
        if (leaf->lengths == NULL) {
            return hr_fail(err, HR_E_NOMEM, "could not allocate a decoder");
        }
    }
    leaf->len_pos = leaf->len_n = 0;
    leaf->last_len = 0;
    if (leaf->encoding == HR_PQ_DELTA_BYTE_ARRAY) { /* prefix lengths come first */
        int rc = begin_delta(&leaf->delta2, body, err);
        const uint8_t *end = rc == 0 ? hr_pq_delta_end(body) : NULL;
        if (end == NULL) {
            return rc != 0 ? rc : corrupt(err, "the prefix lengths are damaged");
        }
        body = hr_slice_of(end, (size_t)(body.ptr + body.len - end));
    }
    int rc = begin_delta(&leaf->delta, body, err);
    const uint8_t *end = rc == 0 ? hr_pq_delta_end(body) : NULL;
    if (end == NULL) {
        return rc != 0 ? rc : corrupt(err, "the lengths of byte arrays are damaged");
    }
    leaf->val = end;
    leaf->val_end = body.ptr + body.len;
    return 0;
}

static int begin_rle_bool(struct hr_pq_leaf *leaf, struct hr_slice body, struct hr_error *err) {
    uint32_t len;
    if (body.len < 4) {
        return corrupt(err, "a run-length page is cut short");
    }
    memcpy(&len, body.ptr, 4);
    if (len > body.len - 4) {
        return corrupt(err, "a run-length page is cut short");
    }
    hr_pq_rle_init(&leaf->rle, hr_slice_of(body.ptr + 4, len), 1);
    return 0;
}

static int begin_dict(struct hr_pq_leaf *leaf, struct hr_slice body, struct hr_error *err) {
    if (!leaf->dict.loaded) {
        return corrupt(err, "a page needs a dictionary, but none came before it");
    }
    if (body.ptr[0] > 32) {
        return corrupt(err, "dictionary indexes are wider than 32 bits");
    }
    hr_pq_rle_init(&leaf->rle, hr_slice_of(body.ptr + 1, body.len - 1), body.ptr[0]);
    return 0;
}

static int begin_split(struct hr_pq_leaf *leaf, struct hr_slice body, struct hr_error *err) {
    const size_t width = leaf->info->phys_width;
    if (body.len % width != 0) {
        return corrupt(err, "a page of byte streams is no whole number of values");
    }
    leaf->split_at = 0;
    leaf->split_n = body.len / width;
    return 0;
}

int hr_pq_values_begin(struct hr_pq_leaf *leaf, struct hr_slice body, struct hr_error *err) {
    const int type = leaf->info->element->type;
    const bool integer = type == HR_PQ_INT32 || type == HR_PQ_INT64;
    leaf->val = body.ptr;
    leaf->val_end = body.ptr + body.len;
    leaf->bit = 0;
    if (body.len == 0) {
        leaf->encoding = HR_PQ_PLAIN; /* all null: nothing to set up */
        return 0;
    }
    switch (leaf->encoding) {
    case HR_PQ_PLAIN: return 0;
    case HR_PQ_PLAIN_DICTIONARY:
    case HR_PQ_RLE_DICTIONARY:
        leaf->encoding = HR_PQ_RLE_DICTIONARY;
        return type == HR_PQ_BOOLEAN ? bad_encoding(leaf, err) : begin_dict(leaf, body, err);
    case HR_PQ_RLE:
        return type == HR_PQ_BOOLEAN ? begin_rle_bool(leaf, body, err) : bad_encoding(leaf, err);
    case HR_PQ_DELTA_BINARY_PACKED:
        return integer ? begin_delta(&leaf->delta, body, err) : bad_encoding(leaf, err);
    case HR_PQ_DELTA_LENGTH_BYTE_ARRAY:
        return type == HR_PQ_BYTE_ARRAY ? begin_lengths(leaf, body, err) : bad_encoding(leaf, err);
    case HR_PQ_DELTA_BYTE_ARRAY:
        return type == HR_PQ_BYTE_ARRAY || type == HR_PQ_FIXED ? begin_lengths(leaf, body, err)
                                                               : bad_encoding(leaf, err);
    case HR_PQ_BYTE_STREAM_SPLIT:
        return leaf->info->phys_width > 0 && type != HR_PQ_INT96 ? begin_split(leaf, body, err)
                                                                 : bad_encoding(leaf, err);
    default: return bad_encoding(leaf, err);
    }
}

/* ---- BYTE_STREAM_SPLIT ------------------------------------------------------------------------
 */

static void join_scalar(const uint8_t *src, size_t stride, size_t width, size_t n, uint8_t *dst) {
    for (size_t k = 0; k < width; k++) {
        const uint8_t *stream = src + k * stride;
        for (size_t i = 0; i < n; i++) {
            dst[i * width + k] = stream[i];
        }
    }
}

#if HR_X86
static __m128i load16(const uint8_t *ptr) {
    return _mm_loadu_si128((const __m128i *)(const void *)ptr);
}

static void store16(uint8_t *ptr, __m128i v) {
    _mm_storeu_si128((__m128i *)(void *)ptr, v);
}

/* Interleave four streams of 16 bytes into 16 values. */
static void join4(const uint8_t *src, size_t stride, uint8_t *dst) {
    const __m128i a = load16(src), b = load16(src + stride);
    const __m128i c = load16(src + 2 * stride), d = load16(src + 3 * stride);
    const __m128i ab0 = _mm_unpacklo_epi8(a, b), ab1 = _mm_unpackhi_epi8(a, b);
    const __m128i cd0 = _mm_unpacklo_epi8(c, d), cd1 = _mm_unpackhi_epi8(c, d);
    store16(dst, _mm_unpacklo_epi16(ab0, cd0));
    store16(dst + 16, _mm_unpackhi_epi16(ab0, cd0));
    store16(dst + 32, _mm_unpacklo_epi16(ab1, cd1));
    store16(dst + 48, _mm_unpackhi_epi16(ab1, cd1));
}

static void join8(const uint8_t *src, size_t stride, uint8_t *dst) {
    uint8_t low[64], high[64];
    join4(src, stride, low);
    join4(src + 4 * stride, stride, high);
    for (size_t i = 0; i < 64; i += 16) {
        const __m128i lo = load16(low + i), hi = load16(high + i);
        store16(dst + 2 * i, _mm_unpacklo_epi32(lo, hi));
        store16(dst + 2 * i + 16, _mm_unpackhi_epi32(lo, hi));
    }
}
#endif

/* n values of `width` bytes whose k-th bytes lie at src + k * stride. */
static void join(const uint8_t *src, size_t stride, size_t width, size_t n, uint8_t *dst) {
    size_t i = 0;
#if HR_X86
    if (width == 4 || width == 8) {
        for (; i + 16 <= n; i += 16) {
            if (width == 4) {
                join4(src + i, stride, dst + i * 4);
            } else {
                join8(src + i, stride, dst + i * 8);
            }
        }
    }
#endif
    join_scalar(src + i, stride, width, n - i, dst + i * width);
}

/* ---- values of fixed width --------------------------------------------------------------------
 */

static int convert(struct hr_pq_leaf *leaf, const uint8_t *src, size_t n, uint8_t *dst,
                   struct hr_error *err) {
    const char *why = hr_pq_convert(leaf->info, src, n, dst);
    return why == NULL ? 0 : hr_pq_convert_fail(leaf->info, why, err);
}

static int fixed_plain(struct hr_pq_leaf *leaf, size_t n, uint8_t *dst, struct hr_error *err) {
    const size_t width = leaf->info->phys_width;
    if (n > (size_t)(leaf->val_end - leaf->val) / width) {
        return corrupt(err, "a page holds fewer values than its header says");
    }
    const uint8_t *src = leaf->val;
    leaf->val += n * width;
    return convert(leaf, src, n, dst, err);
}

static int fixed_delta(struct hr_pq_leaf *leaf, size_t n, uint8_t *dst, struct hr_error *err) {
    const bool wide = leaf->info->phys_width == 8;
    uint64_t block[HR_PQ_BLOCK];
    int rc = 0;
    while (n > 0 && rc == 0) {
        const size_t take = n < HR_PQ_BLOCK ? n : HR_PQ_BLOCK;
        const bool good = wide ? hr_pq_delta_read64(leaf->delta, block, take)
                               : hr_pq_delta_read32(leaf->delta, (uint32_t *)(void *)block, take);
        rc = good ? convert(leaf, (const uint8_t *)block, take, dst, err)
                  : corrupt(err, "delta-encoded values are damaged or too few");
        dst += take * leaf->info->out_width;
        n -= take;
    }
    return rc;
}

static int fixed_split(struct hr_pq_leaf *leaf, size_t n, uint8_t *dst, struct hr_error *err) {
    const size_t width = leaf->info->phys_width;
    int rc = 0;
    if (n > leaf->split_n - leaf->split_at) {
        return corrupt(err, "a page holds fewer values than its header says");
    }
    if (leaf->info->conv == HR_PQ_C_COPY) {
        join(leaf->val + leaf->split_at, leaf->split_n, width, n, dst);
        leaf->split_at += n;
        return 0;
    }
    while (n > 0 && rc == 0) {
        const size_t take = n < HR_PQ_BLOCK ? n : HR_PQ_BLOCK;
        rc = hr_pq_mem_need(&leaf->scratch, 0, take * width, err);
        if (rc == 0) {
            join(leaf->val + leaf->split_at, leaf->split_n, width, take, leaf->scratch.ptr);
            rc = convert(leaf, leaf->scratch.ptr, take, dst, err);
        }
        leaf->split_at += take;
        dst += take * leaf->info->out_width;
        n -= take;
    }
    return rc;
}

/* Fixed-width results from byte arrays: decimals of variable length, DELTA_BYTE_ARRAY of FIXED. */
static int fixed_slices(struct hr_pq_leaf *leaf, size_t n, uint8_t *dst, struct hr_error *err) {
    const struct hr_pq_leaf_info *info = leaf->info;
    struct hr_slice values[HR_PQ_LENGTHS];
    int rc = 0;
    while (n > 0 && rc == 0) {
        const size_t take = n < HR_PQ_LENGTHS ? n : HR_PQ_LENGTHS;
        rc = hr_pq_values_slices(leaf, take, values, err);
        for (size_t i = 0; i < take && rc == 0; i++, dst += info->out_width) {
            const char *why = NULL;
            if (info->phys_width > 0 && values[i].len != info->phys_width) {
                why = "a value does not have the column's fixed length";
            } else if (info->phys_width > 0) {
                why = hr_pq_convert(info, values[i].ptr, 1, dst);
            } else {
                why = hr_pq_convert_be(info, values[i], dst);
            }
            rc = why == NULL ? 0 : corrupt(err, why);
        }
        n -= take;
    }
    return rc;
}

int hr_pq_values_fixed(struct hr_pq_leaf *leaf, size_t n, uint8_t *dst, struct hr_error *err) {
    if (n == 0) {
        return 0;
    }
    switch (leaf->encoding) {
    case HR_PQ_PLAIN:
        return leaf->info->phys_width > 0 ? fixed_plain(leaf, n, dst, err)
                                          : fixed_slices(leaf, n, dst, err);
    case HR_PQ_RLE_DICTIONARY: return hr_pq_dict_fixed(leaf, n, dst, err);
    case HR_PQ_DELTA_BINARY_PACKED: return fixed_delta(leaf, n, dst, err);
    case HR_PQ_BYTE_STREAM_SPLIT: return fixed_split(leaf, n, dst, err);
    default: return fixed_slices(leaf, n, dst, err);
    }
}

int hr_pq_values_bits(struct hr_pq_leaf *leaf, size_t n, uint8_t *dst, size_t dst_bit,
                      struct hr_error *err) {
    static const char few[] = "a page holds fewer values than its header says";
    if (leaf->encoding == HR_PQ_RLE) {
        size_t ones = 0;
        return hr_pq_rle_read_bits(&leaf->rle, dst, dst_bit, n, &ones) == n ? 0 : corrupt(err, few);
    }
    if (n > (size_t)(leaf->val_end - leaf->val) * 8 - leaf->bit) {
        return corrupt(err, few);
    }
    hr_pq_copy_bits(dst, dst_bit, leaf->val, leaf->bit, n);
    leaf->bit += n;
    return 0;
}
