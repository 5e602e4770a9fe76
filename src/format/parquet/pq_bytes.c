/* format/parquet/pq_bytes.c - byte arrays of a data page: PLAIN, DELTA_LENGTH, DELTA_BYTE_ARRAY.
 *
 * Called by pq_leaf.c for string and binary columns (values appended to the column's bytes and
 * offsets) and by pq_values.c for decimals stored as byte arrays (values as slices). Lengths of the
 * delta encodings are decoded 256 at a time; what a caller does not take stays for the next call.
 */
#include "format/parquet/pq_leaf.h"

#define SHORT HR_PAD /* values up to this length are copied with one over-long move */

static int corrupt(struct hr_error *err, const char *why) {
    return hr_fail(err, HR_E_CORRUPT, "%s", why);
}

static int over_cell(const struct hr_pq_leaf *leaf, uint64_t len, struct hr_error *err) {
    int rc = hr_fail(err, HR_E_BOUND, "a value of %llu bytes is over the bound of %zu for a cell",
                     (unsigned long long)len, leaf->cell_max);
    hr_error_hint(err, "raise the bound on cell size if the file can be trusted");
    return rc;
}

static inline uint32_t load32(const uint8_t *ptr) {
    uint32_t v;
    memcpy(&v, ptr, sizeof(v));
    return v;
}

/* ---- PLAIN ------------------------------------------------------------------------------------
 */

/* Length of the value at ptr, checked; -1: it does not fit. */
static inline int64_t plain_len(const uint8_t *ptr, const uint8_t *end) {
    if (end - ptr < 4) {
        return -1;
    }
    const uint32_t len = load32(ptr);
    return len <= (uint64_t)(end - ptr - 4) ? (int64_t)len : -1;
}

static int append_plain(struct hr_pq_leaf *leaf, struct hr_vec *vec, size_t n, size_t stop,
                        size_t *got, struct hr_error *err) {
    const uint8_t *ptr = leaf->val;
    int32_t *offsets = vec->offsets + vec->len + 1;
    uint8_t *data = vec->data;
    size_t used = vec->data_len, cap = vec->data_cap, i = 0;
    int rc = 0;
    for (; i < n && (used < stop || i == 0); i++) {
        const int64_t len = plain_len(ptr, leaf->val_end);
        if (len < 0) {
            rc = corrupt(err, "a byte array reaches beyond its page");
            break;
        }
        if ((size_t)len > leaf->cell_max) {
            rc = over_cell(leaf, (uint64_t)len, err);
            break;
        }
        if ((size_t)len > cap - used) {
            vec->data_len = used;
            rc = hr_vec_reserve_bytes(vec, (size_t)len, err);
            if (rc != 0) {
                break;
            }
            data = vec->data;
            cap = vec->data_cap;
        }
        if (len > SHORT) {
            memcpy(data + used, ptr + 4, (size_t)len);
        } else if (data != NULL) {
            memcpy(data + used, ptr + 4, SHORT);
        }
        used += (size_t)len;
        ptr += 4 + len;
        offsets[i] = (int32_t)used;
    }
    leaf->val = ptr;
    vec->data_len = used;
    *got = i;
    return rc;
}

static int slices_plain(struct hr_pq_leaf *leaf, size_t n, struct hr_slice *out,
                        struct hr_error *err) {
    for (size_t i = 0; i < n; i++) {
        const int64_t len = plain_len(leaf->val, leaf->val_end);
        if (len < 0) {
            return corrupt(err, "a byte array reaches beyond its page");
        }
        out[i] = hr_slice_of(leaf->val + 4, (size_t)len);
        leaf->val += 4 + len;
    }
    return 0;
}

/* ---- lengths of the delta encodings -----------------------------------------------------------
 */

/* At least one and at most n decoded lengths (prefix lengths too) from len_pos on. */
static int need_lengths(struct hr_pq_leaf *leaf, size_t n, struct hr_error *err) {
    if (leaf->len_pos < leaf->len_n) {
        return 0;
    }
    n = n < HR_PQ_LENGTHS ? n : HR_PQ_LENGTHS;
    if (!hr_pq_delta_read32(leaf->delta, leaf->lengths, n) ||
        (leaf->encoding == HR_PQ_DELTA_BYTE_ARRAY &&
         !hr_pq_delta_read32(leaf->delta2, leaf->lengths + HR_PQ_LENGTHS, n))) {
        return corrupt(err, "the lengths of byte arrays are damaged or too few");
    }
    leaf->len_pos = 0;
    leaf->len_n = n;
    return 0;
}

/* How many of the next lengths (at most n) are taken so that their sum stays below `room` or just
 * passes it; the sum. */
static int plan_lengths(struct hr_pq_leaf *leaf, size_t n, size_t room, size_t *count,
                        size_t *total, struct hr_error *err) {
    const bool front = leaf->encoding == HR_PQ_DELTA_BYTE_ARRAY;
    const size_t have = leaf->len_n - leaf->len_pos;
    uint64_t left = (uint64_t)(leaf->val_end - leaf->val), sum = 0, last = leaf->last_len;
    size_t i = 0;
    n = n < have ? n : have;
    for (; i < n && (sum < room || i == 0); i++) {
        const uint64_t suffix = leaf->lengths[leaf->len_pos + i];
        const uint64_t prefix = front ? leaf->lengths[HR_PQ_LENGTHS + leaf->len_pos + i] : 0;
        if (suffix > left || prefix > last) {
            return corrupt(err, "a byte array reaches beyond its page");
        }
        last = prefix + suffix;
        if (last > leaf->cell_max) {
            return over_cell(leaf, last, err);
        }
        left -= suffix;
        sum += last;
    }
    *count = i;
    *total = (size_t)sum;
    return 0;
}

/* Write `count` values one behind the other to dst: a prefix of the value before and a suffix. */
static int expand_front(struct hr_pq_leaf *leaf, size_t count, uint8_t *dst, struct hr_error *err) {
    const uint8_t *last = leaf->last.ptr;
    size_t last_len = leaf->last_len;
    for (size_t i = 0; i < count; i++, leaf->len_pos++) {
        const size_t suffix = leaf->lengths[leaf->len_pos];
        const size_t prefix = leaf->lengths[HR_PQ_LENGTHS + leaf->len_pos];
        if (prefix > SHORT) {
            memcpy(dst, last, prefix);
        } else if (prefix > 0) {
            memmove(dst, last, SHORT); /* its tail is overwritten, but may overlap */
        }
        if (suffix > SHORT) {
            memcpy(dst + prefix, leaf->val, suffix);
        } else {
            memcpy(dst + prefix, leaf->val, SHORT);
        }
        leaf->val += suffix;
        last = dst;
        last_len = prefix + suffix;
        dst += last_len;
    }
    int rc = hr_pq_mem_need(&leaf->last, 0, last_len + 1, err);
    if (rc == 0 && last_len > 0 && last != leaf->last.ptr) {
        memcpy(leaf->last.ptr, last, last_len);
    }
    leaf->last_len = last_len;
    return rc;
}

static int append_delta(struct hr_pq_leaf *leaf, struct hr_vec *vec, size_t n, size_t stop,
                        size_t *got, struct hr_error *err) {
    size_t count, total;
    const size_t room = stop > vec->data_len ? stop - vec->data_len : 0;
    int rc = need_lengths(leaf, n, err);
    if (rc == 0) {
        rc = plan_lengths(leaf, n, room, &count, &total, err);
    }
    if (rc == 0) {
        rc = hr_vec_reserve_bytes(vec, total, err);
    }
    if (rc != 0) {
        return rc;
    }
    size_t used = vec->data_len;
    const bool front = leaf->encoding == HR_PQ_DELTA_BYTE_ARRAY;
    for (size_t i = 0; i < count; i++) {
        used += leaf->lengths[leaf->len_pos + i];
        used += front ? leaf->lengths[HR_PQ_LENGTHS + leaf->len_pos + i] : 0;
        vec->offsets[(size_t)vec->len + 1 + i] = (int32_t)used;
    }
    if (front && total > 0) {
        rc = expand_front(leaf, count, vec->data + vec->data_len, err);
    } else {
        if (total > 0) {
            memcpy(vec->data + vec->data_len, leaf->val, total);
        }
        leaf->val += total;
        leaf->len_pos += count;
        leaf->last_len = 0;
    }
    vec->data_len = used;
    *got = count;
    return rc;
}

static int slices_delta(struct hr_pq_leaf *leaf, size_t n, struct hr_slice *out,
                        struct hr_error *err) {
    size_t done = 0, used = 0;
    int rc = 0;
    /* Two rounds at most: what an earlier call left, then fresh lengths. */
    while (done < n && rc == 0) {
        size_t count, total;
        rc = need_lengths(leaf, n - done, err);
        if (rc == 0) {
            rc = plan_lengths(leaf, n - done, SIZE_MAX, &count, &total, err);
        }
        if (rc == 0) {
            rc = hr_pq_mem_need(&leaf->scratch, used, used + total + 1, err);
        }
        if (rc != 0) {
            break;
        }
        const bool front = leaf->encoding == HR_PQ_DELTA_BYTE_ARRAY;
        for (size_t i = 0; i < count; i++) {
            out[done + i].len = leaf->lengths[leaf->len_pos + i];
            out[done + i].len += front ? leaf->lengths[HR_PQ_LENGTHS + leaf->len_pos + i] : 0;
        }
        if (front) {
            rc = expand_front(leaf, count, leaf->scratch.ptr + used, err);
        } else {
            memcpy(leaf->scratch.ptr + used, leaf->val, total);
            leaf->val += total;
            leaf->len_pos += count;
        }
        done += count;
        used += total;
    }
    const uint8_t *ptr = leaf->scratch.ptr;
    for (size_t i = 0; i < done; i++) {
        out[i].ptr = ptr;
        ptr += out[i].len;
    }
    return rc;
}

int hr_pq_values_slices(struct hr_pq_leaf *leaf, size_t n, struct hr_slice *out,
                        struct hr_error *err) {
    return leaf->encoding == HR_PQ_PLAIN ? slices_plain(leaf, n, out, err)
                                         : slices_delta(leaf, n, out, err);
}

/* ---- UTF-8 ------------------------------------------------------------------------------------
 */

/* Values from offsets[vec->len] on: the bytes must be UTF-8 and no value may start inside a
 * sequence. */
static int check_text(const struct hr_vec *vec, size_t from, size_t count, struct hr_error *err) {
    const uint8_t *data = vec->data;
    if (vec->data_len == from || hr_pq_is_ascii(data + from, vec->data_len - from)) {
        return 0;
    }
    bool good = hr_pq_utf8_valid(data + from, vec->data_len - from);
    const int32_t *offsets = vec->offsets + vec->len;
    size_t i = 0, begin = from;
    for (; good && i < count; i++) {
        good = (size_t)offsets[i + 1] == begin || (data[begin] & 0xc0) != 0x80;
        begin = (size_t)offsets[i + 1];
    }
    if (good) {
        return 0;
    }
    /* Which one? */
    begin = from;
    for (i = 0; i + 1 < count; i++) {
        if (!hr_pq_utf8_valid(data + begin, (size_t)offsets[i + 1] - begin)) {
            break;
        }
        begin = (size_t)offsets[i + 1];
    }
    char text[200];
    const struct hr_slice value = hr_slice_of(data + begin, (size_t)offsets[i + 1] - begin);
    return hr_fail(err, HR_E_CORRUPT, "the text '%s' is not valid UTF-8",
                   hr_printable(value, 80, text, sizeof(text)));
}

int hr_pq_values_bytes(struct hr_pq_leaf *leaf, struct hr_vec *vec, size_t n, size_t stop_bytes,
                       size_t *got, struct hr_error *err) {
    const size_t from = vec->data_len;
    int rc;
    *got = 0;
    if (n == 0) {
        return 0;
    }
    if (leaf->encoding == HR_PQ_RLE_DICTIONARY) {
        return hr_pq_dict_bytes(leaf, vec, n, stop_bytes, got, err);
    }
    rc = leaf->encoding == HR_PQ_PLAIN ? append_plain(leaf, vec, n, stop_bytes, got, err)
                                       : append_delta(leaf, vec, n, stop_bytes, got, err);
    if (rc == 0 && vec->field->type.id == HR_T_UTF8) {
        rc = check_text(vec, from, *got, err);
    }
    return rc;
}
