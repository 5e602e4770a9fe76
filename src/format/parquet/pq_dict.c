/* format/parquet/pq_dict.c - dictionary pages, and gathering values by index.
 *
 * A dictionary is converted once to the Arrow form of the column; data pages then hold only
 * indexes, bit-packed or in runs. Indexes are unpacked a block at a time into the first-level
 * cache, checked with one maximum, and the values gathered behind them.
 */
#include "format/parquet/pq_leaf.h"

#define RUN_MIN 32u /* runs from this length on are filled, not gathered */
#define SHORT 32u

struct entry {
    uint32_t offset, len;
};

static int corrupt(struct hr_error *err, const char *why) {
    return hr_fail(err, HR_E_CORRUPT, "%s", why);
}

/* ---- loading ----------------------------------------------------------------------------------
 */

static int load_strings(struct hr_pq_leaf *leaf, struct hr_slice body, struct hr_error *err) {
    struct hr_pq_dict *dict = &leaf->dict;
    /* Lengths below 128 are ASCII too, so one look at the whole page is mostly enough. */
    const bool text =
        leaf->info->field->type.id == HR_T_UTF8 && !hr_pq_is_ascii(body.ptr, body.len);
    if (dict->count > body.len / 4) {
        return corrupt(err, "a dictionary holds fewer values than its header says");
    }
    int rc = hr_pq_mem_need(&dict->data, 0, body.len, err);
    if (rc == 0) {
        rc = hr_pq_mem_need(&dict->entries, 0, dict->count * sizeof(struct entry), err);
    }
    if (rc != 0) {
        return rc;
    }
    memcpy(dict->data.ptr, body.ptr, body.len);
    size_t at = 0;
    dict->max_len = 0;
    dict->same_len = true;
    for (uint32_t i = 0; i < dict->count; i++) {
        struct entry e;
        if (body.len - at < 4) {
            return corrupt(err, "a dictionary value reaches beyond its page");
        }
        memcpy(&e.len, body.ptr + at, 4);
        at += 4;
        e.offset = (uint32_t)at;
        if (e.len > body.len - at) {
            return corrupt(err, "a dictionary value reaches beyond its page");
        }
        if (e.len > leaf->cell_max) {
            return hr_fail(err, HR_E_BOUND,
                           "a value of %u bytes is over the bound of %zu for a cell", e.len,
                           leaf->cell_max);
        }
        if (text && !hr_pq_utf8_valid(body.ptr + at, e.len)) {
            char shown[200];
            return hr_fail(
                err, HR_E_CORRUPT, "the text '%s' is not valid UTF-8",
                hr_printable(hr_slice_of(body.ptr + at, e.len), 80, shown, sizeof(shown)));
        }
        memcpy(dict->entries.ptr + i * sizeof(e), &e, sizeof(e));
        at += e.len;
        dict->same_len = dict->same_len && (i == 0 || e.len == dict->max_len);
        dict->max_len = e.len > dict->max_len ? e.len : dict->max_len;
    }
    return 0;
}

static int load_fixed(struct hr_pq_leaf *leaf, struct hr_slice body, struct hr_error *err) {
    struct hr_pq_dict *dict = &leaf->dict;
    const struct hr_pq_leaf_info *info = leaf->info;
    const size_t least = info->phys_width > 0 ? info->phys_width : 4;
    if (dict->count > body.len / least) {
        return corrupt(err, "a dictionary holds fewer values than its header says");
    }
    int rc = hr_pq_mem_need(&dict->data, 0, (size_t)dict->count * info->out_width, err);
    if (rc != 0) {
        return rc;
    }
    if (info->phys_width > 0) {
        const char *why = hr_pq_convert(info, body.ptr, dict->count, dict->data.ptr);
        return why == NULL ? 0 : hr_pq_convert_fail(info, why, err);
    }
    const uint8_t *ptr = body.ptr, *end = body.ptr + body.len;
    for (uint32_t i = 0; i < dict->count; i++) {
        uint32_t len;
        if (end - ptr < 4) {
            return corrupt(err, "a dictionary value reaches beyond its page");
        }
        memcpy(&len, ptr, 4);
        ptr += 4;
        if (len > (size_t)(end - ptr)) {
            return corrupt(err, "a dictionary value reaches beyond its page");
        }
        const char *why =
            hr_pq_convert_be(info, hr_slice_of(ptr, len), dict->data.ptr + i * info->out_width);
        if (why != NULL) {
            return corrupt(err, why);
        }
        ptr += len;
    }
    return 0;
}

int hr_pq_dict_load(struct hr_pq_leaf *leaf, const struct hr_pq_page *page, struct hr_error *err) {
    struct hr_pq_dict *dict = &leaf->dict;
    const int encoding = page->header.encoding;
    int rc = 0;
    if (dict->loaded) {
        return corrupt(err, "it has a second dictionary page");
    }
    if (encoding != HR_PQ_PLAIN && encoding != HR_PQ_PLAIN_DICTIONARY) {
        return hr_fail(err, HR_E_UNSUPPORTED, "a dictionary encoded as %s (%d) is not supported",
                       hr_pq_encoding_name(encoding), encoding);
    }
    dict->count = (uint32_t)page->header.num_values;
    if (leaf->info->conv == HR_PQ_C_BYTES) {
        rc = load_strings(leaf, page->body, err);
    } else if (leaf->info->conv == HR_PQ_C_BOOL) {
        return corrupt(err, "a boolean column has a dictionary");
    } else if (leaf->info->conv != HR_PQ_C_NULL) {
        rc = load_fixed(leaf, page->body, err);
    }
    dict->loaded = rc == 0;
    return rc;
}

/* ---- gathering --------------------------------------------------------------------------------
 */

static inline __attribute__((always_inline)) void
gather(const uint8_t *values, const uint32_t *index, size_t n, uint8_t *dst, const size_t width) {
    for (size_t i = 0; i < n; i++) {
        memcpy(dst + i * width, values + (size_t)index[i] * width, width);
    }
}

static void gather_any(const uint8_t *values, const uint32_t *index, size_t n, uint8_t *dst,
                       size_t width) {
    switch (width) {
    case 1: gather(values, index, n, dst, 1); break;
    case 2: gather(values, index, n, dst, 2); break;
    case 4: gather(values, index, n, dst, 4); break;
    case 8: gather(values, index, n, dst, 8); break;
    case 16: gather(values, index, n, dst, 16); break;
    case 32: gather(values, index, n, dst, 32); break;
    default: gather(values, index, n, dst, width); break;
    }
}

static void fill(const uint8_t *value, size_t n, uint8_t *dst, size_t width) {
    static const uint32_t zeros[HR_PQ_BLOCK];
    for (size_t i = 0; i < n; i += HR_PQ_BLOCK) {
        gather_any(value, zeros, n - i < HR_PQ_BLOCK ? n - i : HR_PQ_BLOCK, dst + i * width, width);
    }
}

static int bad_index(const struct hr_pq_leaf *leaf, struct hr_error *err) {
    return hr_fail(err, HR_E_CORRUPT, "a dictionary index is beyond the %u values there are",
                   leaf->dict.count);
}

/* Read up to n indexes, checked. */
static int read_indexes(struct hr_pq_leaf *leaf, uint32_t *index, size_t n, struct hr_error *err) {
    if (hr_pq_rle_read32(&leaf->rle, index, n) != n) {
        return corrupt(err, "a page holds fewer dictionary indexes than its header says");
    }
    return hr_pq_max32(index, n) < leaf->dict.count ? 0 : bad_index(leaf, err);
}

int hr_pq_dict_fixed(struct hr_pq_leaf *leaf, size_t n, uint8_t *dst, struct hr_error *err) {
    uint32_t index[HR_PQ_BLOCK + HR_PQ_UNPACK_SLACK];
    const size_t width = leaf->info->out_width;
    struct hr_pq_rle *rle = &leaf->rle;
    while (n > 0) {
        const uint64_t run = hr_pq_rle_run(rle);
        size_t take;
        if (!rle->packed && run >= RUN_MIN) {
            take = n < run ? n : (size_t)run;
            if (rle->value >= leaf->dict.count) {
                return bad_index(leaf, err);
            }
            fill(leaf->dict.data.ptr + (size_t)rle->value * width, take, dst, width);
            hr_pq_rle_skip(rle, take);
        } else {
            take = n < HR_PQ_BLOCK ? n : HR_PQ_BLOCK;
            int rc = read_indexes(leaf, index, take, err);
            if (rc != 0) {
                return rc;
            }
            gather_any(leaf->dict.data.ptr, index, take, dst, width);
        }
        dst += take * width;
        n -= take;
    }
    return 0;
}

/* Strings of one length (flags, codes): plain arithmetic makes the offsets. */
static size_t gather_same(const struct hr_pq_dict *dict, const uint32_t *index, size_t n,
                          uint8_t *data, size_t used, int32_t *offsets) {
    const size_t len = dict->max_len, stride = len + 4; /* each entry has its length before it */
    const uint8_t *first = dict->data.ptr + 4;
    if (len == 1) {
        for (size_t i = 0; i < n; i++) {
            data[used + i] = first[index[i] * stride];
        }
    } else {
        for (size_t i = 0; i < n; i++) {
            memcpy(data + used + i * len, first + index[i] * stride, SHORT);
        }
    }
    for (size_t i = 0; i < n; i++) {
        offsets[i] = (int32_t)(used + (i + 1) * len);
    }
    return used + n * len;
}

/* Append the strings of `n` indexes; room for them is there. Short ones by over-long moves. */
static inline __attribute__((always_inline)) size_t
gather_upto(const struct hr_pq_dict *dict, const uint32_t *index, size_t n, uint8_t *data,
            size_t used, int32_t *offsets, const size_t move, const bool all) {
    const uint8_t *bytes = dict->data.ptr, *entries = dict->entries.ptr;
    for (size_t i = 0; i < n; i++) {
        struct entry e;
        memcpy(&e, entries + (size_t)index[i] * sizeof(e), sizeof(e));
        if (all || e.len <= move) {
            memcpy(data + used, bytes + e.offset, move);
        } else {
            memcpy(data + used, bytes + e.offset, e.len);
        }
        used += e.len;
        offsets[i] = (int32_t)used;
    }
    return used;
}

static size_t gather_strings(const struct hr_pq_dict *dict, const uint32_t *index, size_t n,
                             uint8_t *data, size_t used, int32_t *offsets) {
    if (dict->max_len <= 16) {
        return gather_upto(dict, index, n, data, used, offsets, 16, true);
    }
    if (dict->max_len <= SHORT) {
        return gather_upto(dict, index, n, data, used, offsets, SHORT, true);
    }
    return gather_upto(dict, index, n, data, used, offsets, HR_PAD, dict->max_len <= HR_PAD);
}

static size_t total_len(const struct hr_pq_dict *dict, const uint32_t *index, size_t n) {
    size_t total = 0;
    for (size_t i = 0; i < n; i++) {
        struct entry e;
        memcpy(&e, dict->entries.ptr + (size_t)index[i] * sizeof(e), sizeof(e));
        total += e.len;
    }
    return total;
}

int hr_pq_dict_bytes(struct hr_pq_leaf *leaf, struct hr_vec *vec, size_t n, size_t stop_bytes,
                     size_t *got, struct hr_error *err) {
    uint32_t index[HR_PQ_BLOCK + HR_PQ_UNPACK_SLACK];
    const struct hr_pq_dict *dict = &leaf->dict;
    size_t done = 0;
    int rc = 0;
    while (done < n && (done == 0 || vec->data_len < stop_bytes)) {
        /* So few at once that the longest of them cannot pass the stop by more than one. */
        const size_t room = stop_bytes > vec->data_len ? stop_bytes - vec->data_len : 0;
        const size_t fit = room / (dict->max_len > 0 ? dict->max_len : 1) + 1;
        size_t take = n - done < HR_PQ_BLOCK ? n - done : HR_PQ_BLOCK;
        take = take < fit ? take : fit;
        rc = read_indexes(leaf, index, take, err);
        if (rc == 0) {
            /* Short strings: the most they can be is good enough, and needs no pass of its own. */
            const size_t bytes =
                dict->max_len <= 2 * SHORT ? take * dict->max_len : total_len(dict, index, take);
            rc = hr_vec_reserve_bytes(vec, bytes + 1, err);
        }
        if (rc != 0) {
            break;
        }
        const bool same = dict->same_len && dict->max_len <= SHORT;
        vec->data_len = (same ? gather_same : gather_strings)(
            dict, index, take, vec->data, vec->data_len, vec->offsets + vec->len + 1 + done);
        done += take;
    }
    *got = done;
    return rc;
}
