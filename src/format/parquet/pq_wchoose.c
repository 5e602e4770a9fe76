/* format/parquet/pq_wchoose.c - which encoding the data pages of a chunk get, and the encoding
 * itself. Decided from the chunk's own values, so the same rows always give the same bytes.
 *
 *   numbers       dictionary, DELTA_BINARY_PACKED (integers) or PLAIN, by size; dictionary building
 *                 is given up as soon as the others must win
 *   floating      dictionary; else BYTE_STREAM_SPLIT where the codec makes a sample smaller; PLAIN
 *   byte arrays   dictionary; else DELTA_BYTE_ARRAY where a sample gains from shared prefixes;
 *                 DELTA_LENGTH_BYTE_ARRAY
 *   `classic`     dictionary where it is smaller, else PLAIN
 */
#include "base/num.h"
#include "format/parquet/pq_enc.h"
#include "format/parquet/pq_write_internal.h"

#define SAMPLE_SLICES 4u /* of a trial, spread over the chunk */
#define SAMPLE_VALUES 2048u

static bool is_integer(const struct hr_pqw_leaf *leaf) {
    return leaf->type == HR_PQ_INT32 || leaf->type == HR_PQ_INT64;
}

static size_t plain_size(const struct hr_pqw_col *col) {
    if (col->leaf->keep == HR_PQW_KEEP_BYTES) {
        return 4 * col->n_values + col->values.len;
    }
    return col->n_values * (size_t)col->leaf->width;
}

/* What decides the size of dictionary indexes. */
struct shape {
    size_t n;       /* values */
    size_t changes; /* values unlike the one before, about */
};

/* Bytes of dictionary page and index pages for `count` entries of `bytes` in all. Where runs are
 * long most of the indexes become RLE runs of about 4 bytes and an eighth stays packed. */
static size_t dict_size(const struct shape *shape, size_t count, size_t bytes) {
    const size_t packed = (shape->n * (size_t)hr_pqw_bits(count > 1 ? count - 1 : 1) + 7) / 8;
    const size_t runs = 4 * shape->changes + packed / 8;
    return bytes + (shape->changes < shape->n / 32 && runs < packed ? runs : packed);
}

/* ---- encoding values ---- */

static int encode_dict(struct hr_pqw_scratch *s, struct hr_pqw_room *room, size_t from, size_t n,
                       struct hr_slice *out, struct hr_error *err) {
    const int width = hr_pqw_bits(s->dict.count > 1 ? s->dict.count - 1 : 1);
    const int rc = hr_pqw_room_reserve(room, 1 + hr_pqw_rle32_bound(n, width), err);
    if (rc != 0) {
        return rc;
    }
    room->ptr[0] = (uint8_t)width;
    const size_t len = hr_pqw_rle32(hr_pqw_dict_index(&s->dict) + from, n, width, room->ptr + 1);
    *out = hr_slice_of(room->ptr, 1 + len);
    return 0;
}

static int encode_delta(const struct hr_pqw_col *col, struct hr_pqw_room *room, size_t from,
                        size_t n, struct hr_slice *out, struct hr_error *err) {
    const int width = col->leaf->width;
    const int rc = hr_pqw_room_reserve(room, hr_pqw_delta_bound(n, width), err);
    if (rc != 0) {
        return rc;
    }
    const uint8_t *v = col->values.ptr + from * (size_t)width;
    const size_t len = width == 8 ? hr_pqw_delta64((const int64_t *)(const void *)v, n, room->ptr)
                                  : hr_pqw_delta32((const int32_t *)(const void *)v, n, room->ptr);
    *out = hr_slice_of(room->ptr, len);
    return 0;
}

static int encode_bytes(const struct hr_pqw_col *col, struct hr_pqw_scratch *s,
                        struct hr_pqw_room *room, int encoding, size_t from, size_t n,
                        struct hr_slice *out, struct hr_error *err) {
    static const uint32_t none[2] = {0, 0};
    const uint32_t *offsets = n > 0 ? hr_pqw_offsets(col) + from : none;
    const uint8_t *bytes = col->values.ptr;
    const size_t bound = encoding == HR_PQ_PLAIN ? hr_pqw_plain_bytes_bound(offsets, n)
                         : encoding == HR_PQ_DELTA_BYTE_ARRAY
                             ? hr_pqw_delta_bytes_bound(offsets, n)
                             : hr_pqw_delta_length_bound(offsets, n);
    s->tmp.len = 0;
    int rc = hr_pqw_room_reserve(room, bound, err);
    rc = rc != 0 ? rc : hr_pqw_room_reserve(&s->tmp, 2 * n * sizeof(int32_t), err);
    if (rc != 0) {
        return rc;
    }
    int32_t *tmp = (int32_t *)(void *)s->tmp.ptr;
    size_t len;
    if (encoding == HR_PQ_PLAIN) {
        len = hr_pqw_plain_bytes(bytes, offsets, n, room->ptr);
    } else if (encoding == HR_PQ_DELTA_BYTE_ARRAY) {
        len = hr_pqw_delta_bytes(bytes, offsets, n, tmp, room->ptr);
    } else {
        len = hr_pqw_delta_length(bytes, offsets, n, tmp, room->ptr);
    }
    *out = hr_slice_of(room->ptr, len);
    return 0;
}

static int encode_bools(const struct hr_pqw_col *col, struct hr_pqw_room *room, int encoding,
                        size_t from, size_t n, struct hr_slice *out, struct hr_error *err) {
    const int rc = hr_pqw_room_reserve(room, 4 + hr_pqw_rle32_bound(n, 1), err);
    if (rc != 0) {
        return rc;
    }
    /* A page of nulls alone has no values, maybe no memory for them either. */
    const uint8_t *v = n > 0 ? col->values.ptr + from : room->ptr;
    size_t len;
    if (encoding == HR_PQ_RLE) { /* the only values with a length in front */
        len = hr_pqw_rle8(v, n, 1, room->ptr + 4);
        for (unsigned i = 0; i < 4; i++) {
            room->ptr[i] = (uint8_t)(len >> (8 * i));
        }
        len += 4;
    } else {
        len = hr_pqw_plain_bools(v, n, room->ptr);
    }
    *out = hr_slice_of(room->ptr, len);
    return 0;
}

int hr_pqw_encode_values(const struct hr_pqw_col *col, struct hr_pqw_scratch *s,
                         struct hr_pqw_room *room, int encoding, size_t from, size_t n,
                         struct hr_slice *out, struct hr_error *err) {
    const size_t width = (size_t)col->leaf->width;
    room->len = 0;
    if (encoding == HR_PQ_RLE_DICTIONARY || encoding == HR_PQ_PLAIN_DICTIONARY) {
        return encode_dict(s, room, from, n, out, err);
    }
    if (encoding == HR_PQ_DELTA_BINARY_PACKED) {
        return encode_delta(col, room, from, n, out, err);
    }
    if (col->leaf->keep == HR_PQW_KEEP_BYTES) {
        return encode_bytes(col, s, room, encoding, from, n, out, err);
    }
    if (col->leaf->keep == HR_PQW_KEEP_BOOL) {
        return encode_bools(col, room, encoding, from, n, out, err);
    }
    if (encoding == HR_PQ_BYTE_STREAM_SPLIT) {
        const int rc = hr_pqw_room_reserve(room, n * width, err);
        if (rc == 0) {
            hr_pqw_split(col->values.ptr + from * width, n, (int)width, room->ptr);
            *out = hr_slice_of(room->ptr, n * width);
        }
        return rc;
    }
    *out = hr_slice_of(n > 0 ? col->values.ptr + from * width : NULL, n * width);
    return 0;
}

/* ---- trials ---- */

/* Bytes of a sample of the chunk in `encoding`, before and behind the codec. */
static int trial(const struct hr_pqw_conf *conf, const struct hr_pqw_col *col,
                 struct hr_pqw_scratch *s, int encoding, size_t *raw, size_t *packed,
                 struct hr_error *err) {
    const size_t slices = col->n_values <= SAMPLE_SLICES * SAMPLE_VALUES ? 1 : SAMPLE_SLICES;
    *raw = *packed = 0;
    for (size_t k = 0; k < slices; k++) {
        const size_t from = k * (col->n_values / slices);
        const size_t left = col->n_values - from;
        const size_t most = slices == 1 ? SAMPLE_SLICES * SAMPLE_VALUES : SAMPLE_VALUES;
        struct hr_slice values;
        int rc = hr_pqw_encode_values(col, s, &s->body, encoding, from, left < most ? left : most,
                                      &values, err);
        if (rc != 0) {
            return rc;
        }
        size_t len = values.len;
        if (conf->codec != NULL && values.len > 0) {
            s->trial.len = 0;
            rc = hr_pqw_room_reserve(&s->trial, conf->codec->bound(values.len), err);
            len = s->trial.cap;
            rc = rc != 0 ? rc
                         : conf->codec->encode_block(values, conf->level, s->trial.ptr, &len, err);
            if (rc != 0) {
                return rc;
            }
        }
        *raw += values.len;
        *packed += len < values.len ? len : values.len;
    }
    return 0;
}

/* `other` when its sample is smaller than that of `base` by a twentieth. */
static int smaller_of(const struct hr_pqw_conf *conf, const struct hr_pqw_col *col,
                      struct hr_pqw_scratch *s, int base, int other, int *out,
                      struct hr_error *err) {
    size_t raw, size_base = 0, size_other = 0;
    int rc = trial(conf, col, s, base, &raw, &size_base, err);
    rc = rc != 0 ? rc : trial(conf, col, s, other, &raw, &size_other, err);
    *out = size_other < size_base - size_base / 20 ? other : base;
    return rc;
}

/* ---- choosing ---- */

static int dict_encoding(const struct hr_pqw_conf *conf) {
    return conf->plain_dictionary ? HR_PQ_PLAIN_DICTIONARY : HR_PQ_RLE_DICTIONARY;
}

/* Integers whose range allows it go by table, everything else by hash. */
static int build_dict(const struct hr_pqw_col *col, const struct hr_pqw_minmax *whole,
                      struct hr_pqw_scratch *s, const struct hr_pqw_dict_limit *limit,
                      struct hr_error *err) {
    const struct hr_pqw_leaf *leaf = col->leaf;
    if (leaf->keep == HR_PQW_KEEP_BYTES || leaf->keep == HR_PQW_KEEP_FIXED) {
        const bool fixed = leaf->keep == HR_PQW_KEEP_FIXED;
        return hr_pqw_dict_bytes(&s->dict, col->values.ptr, fixed ? NULL : hr_pqw_offsets(col),
                                 (size_t)leaf->width, col->n_values, limit, err);
    }
    const uint64_t range = whole->hi - whole->lo;
    if (is_integer(leaf) && whole->any && range < HR_PQW_DICT_RANGE && range / 16 < col->n_values) {
        return hr_pqw_dict_direct(&s->dict, col->values.ptr, leaf->width, col->n_values, whole->lo,
                                  range, limit, err);
    }
    return hr_pqw_dict_hash(&s->dict, col->values.ptr, leaf->width, col->n_values, limit, err);
}

/* The most entries with which a dictionary is still smaller than `other` bytes: found by bisection,
 * the size grows with the count. `entry` are the bytes of one entry. */
static size_t most_entries(const struct shape *shape, size_t entry, size_t other) {
    size_t low = 0, high = shape->n + 1; /* low is smaller (0 by definition), high is not */
    while (high - low > 1) {
        const size_t middle = low + (high - low) / 2;
        if (dict_size(shape, middle, middle * entry) < other) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

/* More distinct values than this among the first ones, and the estimate was wrong. */
static size_t sample_limit(size_t n) {
    const size_t sample = n < HR_PQW_DICT_SAMPLE ? n : HR_PQW_DICT_SAMPLE;
    return sample - sample / 8;
}

/* Whether a dictionary can be expected to be smaller than the values in `encoding`, which take
 * `other` bytes. A sample tells how many distinct values there are. Where the answer is near, the
 * codec has its say: what it makes of a sample of the values. Numbers are seldom smaller for it in
 * a dictionary, where none comes twice; byte arrays are. */
static int dict_expected(const struct hr_pqw_conf *conf, const struct hr_pqw_col *col,
                         struct hr_pqw_scratch *s, const struct shape *shape, int encoding,
                         size_t entry, size_t other, bool *out, struct hr_error *err) {
    *out = true;
    if (shape->n <= HR_PQW_SAMPLE_MIN) {
        return 0;
    }
    size_t distinct = hr_pqw_distinct(col);
    distinct = distinct < shape->n ? distinct : shape->n;
    size_t values = distinct * entry;
    const size_t size = dict_size(shape, distinct, values);
    *out = size < other - other / 8;
    if (!*out || conf->codec == NULL || size < other / 3) {
        return 0;
    }
    size_t raw = 0, packed = 0;
    const int rc = trial(conf, col, s, encoding, &raw, &packed, err);
    if (raw > 0) {
        other = (size_t)((hr_u128)other * packed / raw);
        if (col->leaf->keep == HR_PQW_KEEP_BYTES) {
            values = (size_t)((hr_u128)values * packed / raw);
        }
        *out = dict_size(shape, distinct, values) < other;
    }
    return rc;
}

static int choose_number(const struct hr_pqw_conf *conf, const struct hr_pqw_col *col,
                         const struct hr_pqw_minmax *whole, struct hr_pqw_scratch *s, int *out,
                         struct hr_error *err) {
    const size_t n = col->n_values, width = (size_t)col->leaf->width;
    size_t best = n * width;
    *out = HR_PQ_PLAIN;
    if (!conf->classic && is_integer(col->leaf)) {
        const size_t delta =
            width == 8 ? hr_pqw_delta64_estimate((const int64_t *)(const void *)col->values.ptr, n)
                       : hr_pqw_delta32_estimate((const int32_t *)(const void *)col->values.ptr, n);
        if (delta < best - best / 10) {
            best = delta;
            *out = HR_PQ_DELTA_BINARY_PACKED;
        }
    }
    bool expected = conf->dictionary;
    const struct shape shape = {.n = n, .changes = hr_pqw_changes(col)};
    int rc = expected ? dict_expected(conf, col, s, &shape, *out, width, best, &expected, err) : 0;
    if (rc != 0 || !expected) {
        return rc;
    }
    const size_t most = most_entries(&shape, width, best);
    const struct hr_pqw_dict_limit limit = {.sample_max = sample_limit(n), .count_max = most};
    if (most == 0) {
        return 0;
    }
    rc = build_dict(col, whole, s, &limit, err);
    if (rc == 0) {
        *out = dict_encoding(conf);
    }
    return rc == HR_END ? 0 : rc;
}

static int choose_floating(const struct hr_pqw_conf *conf, const struct hr_pqw_col *col,
                           struct hr_pqw_scratch *s, int *out, struct hr_error *err) {
    if (conf->classic || *out != HR_PQ_PLAIN || conf->codec == NULL || col->n_values < 64) {
        return 0;
    }
    return smaller_of(conf, col, s, HR_PQ_PLAIN, HR_PQ_BYTE_STREAM_SPLIT, out, err);
}

static int choose_bytes(const struct hr_pqw_conf *conf, const struct hr_pqw_col *col,
                        struct hr_pqw_scratch *s, int *out, struct hr_error *err) {
    const size_t n = col->n_values, plain = plain_size(col);
    const bool fixed = col->leaf->keep == HR_PQW_KEEP_FIXED;
    /* what a dictionary has to beat: lengths take about a byte where they are delta coded, and
     * looking every value up must be worth it */
    const size_t rival = (conf->classic || fixed ? plain : plain - 3 * n) / 8 * 7;
    *out = HR_PQ_PLAIN;
    bool expected = conf->dictionary;
    const struct shape shape = {.n = n, .changes = n};
    int rc =
        expected ? dict_expected(conf, col, s, &shape, *out, plain / n, rival, &expected, err) : 0;
    if (rc == 0 && expected) {
        const struct hr_pqw_dict_limit limit = {.sample_max = sample_limit(n), .count_max = n};
        rc = build_dict(col, NULL, s, &limit, err);
        if (rc < 0) {
            return rc;
        }
        const size_t heads = fixed ? 0 : 4 * s->dict.count;
        if (rc == 0 && dict_size(&shape, s->dict.count, s->dict.values.len + heads) < rival) {
            *out = dict_encoding(conf);
            return 0;
        }
    }
    if (rc < 0 || conf->classic || fixed) {
        return rc < 0 ? rc : 0;
    }
    *out = HR_PQ_DELTA_LENGTH_BYTE_ARRAY;
    const size_t look = n < SAMPLE_VALUES ? n : SAMPLE_VALUES;
    if (hr_pqw_shared_prefix(col->values.ptr, hr_pqw_offsets(col), look) / 4 < look) {
        return 0; /* values share less than 4 bytes with their neighbours */
    }
    return smaller_of(conf, col, s, HR_PQ_DELTA_LENGTH_BYTE_ARRAY, HR_PQ_DELTA_BYTE_ARRAY, out,
                      err);
}

/* RLE pays where booleans come in runs: sampled as changes from one value to the next. */
static int choose_bool(const struct hr_pqw_conf *conf, const struct hr_pqw_col *col) {
    if (conf->classic || !conf->v2) {
        return HR_PQ_PLAIN;
    }
    const size_t look = col->n_values < HR_PQW_DICT_SAMPLE ? col->n_values : HR_PQW_DICT_SAMPLE;
    size_t changes = 0;
    for (size_t i = 1; i < look; i++) {
        changes += col->values.ptr[i] != col->values.ptr[i - 1];
    }
    return changes < look / 256 ? HR_PQ_RLE : HR_PQ_PLAIN;
}

int hr_pqw_choose(const struct hr_pqw_conf *conf, const struct hr_pqw_col *col,
                  const struct hr_pqw_minmax *whole, struct hr_pqw_scratch *s, int *out,
                  struct hr_error *err) {
    const struct hr_pqw_leaf *leaf = col->leaf;
    *out = HR_PQ_PLAIN;
    if (col->n_values == 0) {
        return 0;
    }
    if (leaf->keep == HR_PQW_KEEP_BOOL) {
        *out = choose_bool(conf, col);
        return 0;
    }
    if (leaf->keep == HR_PQW_KEEP_BYTES || leaf->keep == HR_PQW_KEEP_FIXED) {
        return choose_bytes(conf, col, s, out, err);
    }
    const int rc = choose_number(conf, col, whole, s, out, err);
    if (rc == 0 && !is_integer(leaf)) {
        return choose_floating(conf, col, s, out, err);
    }
    return rc;
}
