/* format/parquet/pq_enc_bytes.c - byte arrays: PLAIN, DELTA_LENGTH_BYTE_ARRAY, DELTA_BYTE_ARRAY
 * (Encodings.md).
 *
 * PLAIN puts a 4-byte length before every value. DELTA_LENGTH puts all lengths first, delta coded,
 * and then the bytes exactly as they lie. DELTA_BYTE_ARRAY also leaves out what each value shares
 * with the start of the one before it: prefix lengths, then the suffixes as DELTA_LENGTH.
 */
#include "format/parquet/pq_enc.h"

#include <string.h>

#include "base/mem.h"
#include "format/parquet/pq_enc_pack.h"

size_t hr_pqw_plain_bytes_bound(const uint32_t *offsets, size_t n) {
    return 4 * n + (offsets[n] - offsets[0]);
}

size_t hr_pqw_plain_bytes(const uint8_t *bytes, const uint32_t *offsets, size_t n, uint8_t *out) {
    uint8_t *const begin = out;
    for (size_t i = 0; i < n; i++) {
        const uint8_t *src = bytes + offsets[i];
        const uint32_t len = offsets[i + 1] - offsets[i];
        hr_pqw_put64(out, len);
        out += 4;
        if (hr_likely(len <= HR_PAD)) { /* no call, and no guess at a length that changes */
            memcpy(out, src, HR_PAD);
        } else {
            memcpy(out, src, len);
        }
        out += len;
    }
    return (size_t)(out - begin);
}

size_t hr_pqw_delta_length_bound(const uint32_t *offsets, size_t n) {
    return hr_pqw_delta_bound(n, 4) + (offsets[n] - offsets[0]);
}

size_t hr_pqw_delta_length(const uint8_t *bytes, const uint32_t *offsets, size_t n, int32_t *tmp,
                           uint8_t *out) {
    for (size_t i = 0; i < n; i++) {
        tmp[i] = (int32_t)(offsets[i + 1] - offsets[i]);
    }
    const size_t head = hr_pqw_delta32(tmp, n, out);
    const size_t len = offsets[n] - offsets[0];
    memcpy(out + head, bytes + offsets[0], len);
    return head + len;
}

/* How many leading bytes a and b share, at most max. */
static size_t shared(const uint8_t *a, const uint8_t *b, size_t max) {
    size_t i = 0;
    while (i + 8 <= max) {
        const uint64_t diff = hr_pqw_get64(a + i) ^ hr_pqw_get64(b + i);
        if (diff != 0) {
            return i + (size_t)__builtin_ctzll(diff) / 8;
        }
        i += 8;
    }
    while (i < max && a[i] == b[i]) {
        i++;
    }
    return i;
}

static size_t shared_with_last(const uint8_t *bytes, const uint32_t *offsets, size_t i) {
    const size_t len = offsets[i + 1] - offsets[i], last = offsets[i] - offsets[i - 1];
    return shared(bytes + offsets[i - 1], bytes + offsets[i], len < last ? len : last);
}

uint64_t hr_pqw_shared_prefix(const uint8_t *bytes, const uint32_t *offsets, size_t n) {
    uint64_t sum = 0;
    for (size_t i = 1; i < n; i++) {
        sum += shared_with_last(bytes, offsets, i);
    }
    return sum;
}

size_t hr_pqw_delta_bytes_bound(const uint32_t *offsets, size_t n) {
    return 2 * hr_pqw_delta_bound(n, 4) + (offsets[n] - offsets[0]);
}

size_t hr_pqw_delta_bytes(const uint8_t *bytes, const uint32_t *offsets, size_t n, int32_t *tmp,
                          uint8_t *out) {
    int32_t *prefix = tmp, *suffix = tmp + n;
    for (size_t i = 0; i < n; i++) {
        const size_t same = i == 0 ? 0 : shared_with_last(bytes, offsets, i);
        prefix[i] = (int32_t)same;
        suffix[i] = (int32_t)(offsets[i + 1] - offsets[i] - same);
    }
    uint8_t *const begin = out;
    out += hr_pqw_delta32(prefix, n, out);
    out += hr_pqw_delta32(suffix, n, out);
    for (size_t i = 0; i < n; i++) {
        memcpy(out, bytes + offsets[i] + prefix[i], (size_t)suffix[i]);
        out += suffix[i];
    }
    return (size_t)(out - begin);
}
