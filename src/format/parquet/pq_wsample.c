/* format/parquet/pq_wsample.c - how many distinct values and runs a column chunk has, estimated.
 *
 * 2,048 values, scattered over the chunk, are counted in a small hash table. With f1 values met
 * once and f2 met twice there are about d + f1 (f1 - 1) / (2 (f2 + 1)) in all (A. Chao, 1984):
 * integer arithmetic, so the answer is the same on every machine.
 */
#include "base/hash.h"
#include "format/parquet/pq_enc_pack.h"
#include "format/parquet/pq_write_internal.h"

#define SAMPLE 2048u
#define SLOTS 4096u
#define MIX 0x9e3779b97f4a7c15ULL

/* Long byte arrays by length, both ends and the middle: enough for an estimate. */
static uint64_t hash_bytes(const uint8_t *p, size_t len) {
    uint64_t h = len * MIX;
    if (len <= 8) {
        for (size_t i = 0; i < len; i++) {
            h = (h ^ p[i]) * MIX;
        }
        return h ^ h >> 32;
    }
    const uint64_t parts[3] = {hr_pqw_get64(p), hr_pqw_get64(p + (len - 8) / 2),
                               hr_pqw_get64(p + len - 8)};
    for (int i = 0; i < 3; i++) {
        h = (h ^ parts[i]) * MIX;
        h ^= h >> 29;
    }
    return h;
}

static uint64_t hash_at(const struct hr_pqw_col *col, size_t i) {
    const size_t width = (size_t)col->leaf->width;
    if (col->leaf->keep == HR_PQW_KEEP_BYTES) {
        const uint32_t *offsets = hr_pqw_offsets(col);
        return hash_bytes(col->values.ptr + offsets[i], offsets[i + 1] - offsets[i]);
    }
    if (col->leaf->keep == HR_PQW_KEEP_FIXED) {
        return hash_bytes(col->values.ptr + i * width, width);
    }
    uint64_t v = 0;
    memcpy(&v, col->values.ptr + i * width, width);
    v *= MIX;
    return v ^ v >> 32;
}

size_t hr_pqw_distinct(const struct hr_pqw_col *col) {
    uint32_t tags[SLOTS];
    uint16_t counts[SLOTS];
    size_t distinct = 0, once = 0, twice = 0;
    memset(counts, 0, sizeof(counts));
    for (size_t s = 0; s < SAMPLE; s++) {
        /* scattered, not evenly spaced: even steps would never meet a short run twice */
        const uint64_t at_random = (hr_hash_u64(s + 1) >> 32) * col->n_values >> 32;
        const uint64_t hash = hash_at(col, (size_t)at_random) * MIX;
        const uint32_t tag = (uint32_t)hash;
        size_t at = (size_t)(hash >> 52);
        while (counts[at] > 0 && tags[at] != tag) {
            at = (at + 1) % SLOTS;
        }
        tags[at] = tag;
        counts[at]++;
        distinct += counts[at] == 1;
        once += counts[at] == 1;
        once -= counts[at] == 2;
        twice += counts[at] == 2;
        twice -= counts[at] == 3;
    }
    return distinct + (once > 0 ? once * (once - 1) / (2 * (twice + 1)) : 0);
}

/* Slices of consecutive values, compared with their predecessors. */
#define SLICES 16u
#define SLICE 512u

size_t hr_pqw_changes(const struct hr_pqw_col *col) {
    const size_t n = col->n_values, width = (size_t)col->leaf->width;
    const size_t slices = n <= SLICES * SLICE ? 1 : SLICES, len = slices == 1 ? n : SLICE;
    size_t changes = 0;
    for (size_t s = 0; s < slices; s++) {
        const uint8_t *v = col->values.ptr + s * (n / slices) * width;
        if (width == 8) {
            for (size_t i = 1; i < len; i++) {
                changes += hr_pqw_get64(v + 8 * i) != hr_pqw_get64(v + 8 * i - 8);
            }
        } else {
            for (size_t i = 1; i < len; i++) {
                changes += memcmp(v + 4 * i, v + 4 * i - 4, 4) != 0;
            }
        }
    }
    return changes * n / (slices * len);
}
