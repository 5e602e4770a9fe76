/* format/parquet/pq_delta.c - reads DELTA_BINARY_PACKED: blocks of miniblocks of bit-packed deltas.
 *
 * header: block size, miniblocks per block, values in all, first value (varints, the last zigzag)
 * block:  min delta (zigzag), one bit width per miniblock, the miniblocks
 * Used for INT32 and INT64 columns and for the lengths in the two delta byte array encodings.
 * Values are decoded 128 at a time into a small buffer, from which callers take any amount.
 */
#include "format/parquet/pq_delta.h"

#include "format/parquet/pq_bits.h"

static bool read_varint(struct hr_pq_delta *d, uint64_t *out) {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 70 && d->ptr < d->end; shift += 7) {
        const uint8_t byte = *d->ptr++;
        value |= shift < 64 ? (uint64_t)(byte & 0x7f) << shift : 0;
        if (byte < 0x80) {
            *out = value;
            return true;
        }
    }
    return false;
}

static bool read_zigzag(struct hr_pq_delta *d, uint64_t *out) {
    uint64_t raw;
    if (!read_varint(d, &raw)) {
        return false;
    }
    *out = raw >> 1 ^ (0 - (raw & 1));
    return true;
}

bool hr_pq_delta_init(struct hr_pq_delta *d, struct hr_slice bytes) {
    uint64_t block;
    d->ptr = bytes.ptr;
    d->end = bytes.ptr + bytes.len;
    d->buf_pos = d->buf_len = 0;
    if (!read_varint(d, &block) || !read_varint(d, &d->minis) || !read_varint(d, &d->total) ||
        !read_zigzag(d, &d->last)) {
        return false;
    }
    if (block == 0 || block > INT32_MAX || d->minis == 0 || d->minis > block ||
        block % d->minis != 0 || d->total > INT32_MAX) {
        return false;
    }
    d->mini_len = block / d->minis;
    if (d->mini_len % 8 != 0) {
        return false; /* miniblocks end on byte boundaries */
    }
    d->left = d->total;
    d->mini = d->minis; /* no block loaded */
    d->mini_taken = d->mini_len;
    if (d->left > 0) {
        d->buf[0] = d->last; /* the first value stands in the header */
        d->buf_len = 1;
        d->left--;
    }
    return true;
}

/* Bytes of a miniblock; the last one of a stream may be cut to the values it must hold. */
static bool open_mini(struct hr_pq_delta *d) {
    const unsigned width = d->widths[d->mini];
    const uint64_t room = (uint64_t)(d->end - d->ptr);
    const uint64_t full = d->mini_len / 8 * width;
    const uint64_t needed = d->left < d->mini_len ? (d->left * width + 7) / 8 : full;
    if (width > 64 || needed > room) {
        return false;
    }
    d->mini_ptr = d->ptr;
    d->mini_taken = 0;
    d->ptr += full < room ? full : room;
    return true;
}

static bool next_mini(struct hr_pq_delta *d) {
    d->mini++;
    if (d->mini >= d->minis) {
        if (!read_zigzag(d, &d->min_delta) || (uint64_t)(d->end - d->ptr) < d->minis) {
            return false;
        }
        d->widths = d->ptr;
        d->ptr += d->minis;
        d->mini = 0;
    }
    return open_mini(d);
}

static void unpack(const uint8_t *in, unsigned width, uint64_t *out, size_t count) {
    if (width > 32) {
        hr_pq_unpack64(in, width, out, count);
        return;
    }
    uint32_t narrow[HR_PQ_DELTA_BUF + HR_PQ_UNPACK_SLACK];
    hr_pq_unpack32(in, width, narrow, count);
    for (size_t i = 0; i < count; i++) {
        out[i] = narrow[i];
    }
}

/* Decode the next values of the current miniblock into buf. */
static bool refill(struct hr_pq_delta *d) {
    if (d->left == 0) {
        return false;
    }
    if (d->mini_taken == d->mini_len && !next_mini(d)) {
        return false;
    }
    uint64_t n = d->mini_len - d->mini_taken;
    n = n < d->left ? n : d->left;
    n = n < HR_PQ_DELTA_BUF ? n : HR_PQ_DELTA_BUF; /* a multiple of 8, unless it is the last */
    const unsigned width = d->widths[d->mini];
    unpack(d->mini_ptr + d->mini_taken / 8 * width, width, d->buf, (size_t)n);
    uint64_t last = d->last;
    for (size_t i = 0; i < n; i++) {
        last += d->min_delta + d->buf[i];
        d->buf[i] = last;
    }
    d->last = last;
    d->mini_taken += n;
    d->left -= n;
    d->buf_pos = 0;
    d->buf_len = (size_t)n;
    return true;
}

bool hr_pq_delta_read64(struct hr_pq_delta *d, uint64_t *out, size_t n) {
    while (n > 0) {
        if (d->buf_pos == d->buf_len && !refill(d)) {
            return false;
        }
        const size_t have = d->buf_len - d->buf_pos;
        const size_t take = n < have ? n : have;
        memcpy(out, d->buf + d->buf_pos, take * sizeof(*out));
        d->buf_pos += take;
        out += take;
        n -= take;
    }
    return true;
}

bool hr_pq_delta_read32(struct hr_pq_delta *d, uint32_t *out, size_t n) {
    while (n > 0) {
        if (d->buf_pos == d->buf_len && !refill(d)) {
            return false;
        }
        const size_t have = d->buf_len - d->buf_pos;
        const size_t take = n < have ? n : have;
        for (size_t i = 0; i < take; i++) {
            out[i] = (uint32_t)d->buf[d->buf_pos + i];
        }
        d->buf_pos += take;
        out += take;
        n -= take;
    }
    return true;
}

const uint8_t *hr_pq_delta_end(struct hr_slice bytes) {
    struct hr_pq_delta d;
    if (!hr_pq_delta_init(&d, bytes)) {
        return NULL;
    }
    while (d.left > 0) {
        if (!next_mini(&d)) {
            return NULL;
        }
        d.left -= d.left < d.mini_len ? d.left : d.mini_len;
    }
    return d.ptr;
}
