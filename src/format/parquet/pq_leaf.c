/* format/parquet/pq_leaf.c - drives one leaf column: pages in order, levels, rows out.
 *
 * For a flat column the definition levels of a page are a bitmap in disguise (one bit each): a run
 * of "all present" decodes the values straight to their place, packed levels become the validity
 * bits, and the values are decoded densely and then spread apart. Nested leaves decode levels ahead
 * into two byte arrays and share the value decoders; pq_nested.c makes lists and structs of the
 * levels.
 */
#include "format/parquet/pq_leaf.h"

#include "base/mem.h"

#define RUN_WORTH 64u /* present runs from here on skip the bitmap */

static int corrupt(struct hr_error *err, const char *why) {
    return hr_fail(err, HR_E_CORRUPT, "%s", why);
}

int hr_pq_leaf_blame(const struct hr_pq_leaf *leaf, int rc, struct hr_error *err) {
    if (rc >= 0 || err == NULL || rc == HR_E_NOMEM) {
        return rc;
    }
    switch (hr_code_class(rc)) {
    case HR_CLASS_DATA:
    case HR_CLASS_LIMIT: break;
    default: return rc; /* the network's or the disk's words say it best */
    }
    struct hr_error why = *err;
    hr_fail(err, rc, "could not read column '%.100s' of row group %lld of '%.200s': %.160s",
            leaf->info->path, (long long)leaf->group, leaf->object, why.message);
    if (why.hint[0] != '\0') {
        hr_error_hint(err, "%s", why.hint);
    }
    hr_error_hint_damaged(err);
    hr_error_object(err, leaf->object);
    hr_error_place(err, leaf->page.offset, -1, leaf->info->path);
    return rc;
}

/* ---- opening ----------------------------------------------------------------------------------
 */

int hr_pq_leaf_open(struct hr_pq_leaf *leaf, const struct hr_pq_leaf_info *info,
                    const struct hr_pq_leaf_open *open, struct hr_error *err) {
    leaf->info = info;
    leaf->object = open->object;
    leaf->group = open->group;
    leaf->cell_max = open->cell_max;
    leaf->plan = open->plan;
    leaf->started = false;
    leaf->plan_at = SIZE_MAX;
    leaf->chunk_begin = open->chunk_begin;
    leaf->entries_left = open->column->num_values;
    leaf->row = 0;
    leaf->page_left = 0;
    leaf->page = (struct hr_pq_page){.offset = open->chunk_begin};
    leaf->dict.loaded = false;
    leaf->lv_pos = leaf->lv_len = 0;
    leaf->sub_len = 0;
    leaf->chunk.page_max = open->page_max;
    leaf->chunk.window_size = open->window_size;
    leaf->chunk.ahead = open->ahead;
    leaf->chunk.verify_crc = open->verify_crc;
    leaf->chunk.object = open->object;
    leaf->chunk.column = info->path;
    leaf->chunk.crc_told = false;
    if (info->nested && leaf->lv_def == NULL) {
        leaf->lv_def = hr_malloc(2 * HR_PQ_LEVELS);
        if (leaf->lv_def == NULL) {
            return hr_fail(err, HR_E_NOMEM, "could not allocate a column");
        }
        leaf->lv_rep = leaf->lv_def + HR_PQ_LEVELS;
    }
    int rc = hr_pq_chunk_open(&leaf->chunk, open->input, open->column->codec, open->ranges,
                              open->n_ranges, err);
    return hr_pq_leaf_blame(leaf, rc, err);
}

void hr_pq_leaf_release(struct hr_pq_leaf *leaf) {
    hr_pq_chunk_release(&leaf->chunk);
    hr_pq_mem_release(&leaf->dict.data);
    hr_pq_mem_release(&leaf->dict.entries);
    hr_pq_mem_release(&leaf->last);
    hr_pq_mem_release(&leaf->scratch);
    hr_pq_mem_release(&leaf->sub_def);
    hr_pq_mem_release(&leaf->sub_rep);
    hr_free(leaf->delta);
    hr_free(leaf->delta2);
    hr_free(leaf->lengths);
    hr_free(leaf->lv_def);
    if (leaf->trash_ready) {
        hr_vec_release(&leaf->trash);
    }
    *leaf = (struct hr_pq_leaf){0};
}

/* ---- levels -----------------------------------------------------------------------------------
 */

static unsigned bits_for(unsigned max) {
    unsigned bits = 0;
    while (max >> bits) {
        bits++;
    }
    return bits;
}

/* v1: the levels stand at the head of the body; cut them off. */
static int cut_levels(struct hr_pq_levels *lv, unsigned max, int encoding, int64_t entries,
                      struct hr_slice *body, struct hr_error *err) {
    lv->kind = HR_PQ_LV_NONE;
    lv->width = bits_for(max);
    if (max == 0) {
        return 0;
    }
    if (encoding == HR_PQ_BIT_PACKED) {
        const uint64_t bytes = ((uint64_t)entries * lv->width + 7) / 8;
        if (bytes > body->len) {
            return corrupt(err, "the levels of a page are cut short");
        }
        lv->kind = HR_PQ_LV_MSB;
        lv->msb = body->ptr;
        lv->msb_taken = 0;
        *body = hr_slice_of(body->ptr + bytes, body->len - (size_t)bytes);
        return 0;
    }
    uint32_t len;
    if (encoding != HR_PQ_RLE) {
        return hr_fail(err, HR_E_UNSUPPORTED, "levels encoded as %s (%d) are not supported",
                       hr_pq_encoding_name(encoding), encoding);
    }
    if (body->len < 4) {
        return corrupt(err, "the levels of a page are cut short");
    }
    memcpy(&len, body->ptr, 4);
    if (len > body->len - 4) {
        return corrupt(err, "the levels of a page are cut short");
    }
    lv->kind = HR_PQ_LV_RLE;
    hr_pq_rle_init(&lv->rle, hr_slice_of(body->ptr + 4, len), lv->width);
    *body = hr_slice_of(body->ptr + 4 + len, body->len - 4 - len);
    return 0;
}

static void v2_levels(struct hr_pq_levels *lv, unsigned max, struct hr_slice bytes) {
    lv->width = bits_for(max);
    lv->kind = max == 0 ? HR_PQ_LV_NONE : HR_PQ_LV_RLE;
    hr_pq_rle_init(&lv->rle, bytes, lv->width);
}

/* n levels as bytes; false when there are too few or one is over `max`. */
static bool read_levels(struct hr_pq_levels *lv, unsigned max, uint8_t *out, size_t n) {
    if (lv->kind == HR_PQ_LV_NONE) {
        memset(out, (int)max, n);
        return true;
    }
    if (lv->kind == HR_PQ_LV_MSB) {
        hr_pq_unpack_msb(lv->msb, lv->width, out, lv->msb_taken, n);
        lv->msb_taken += n;
    } else if (hr_pq_rle_read8(&lv->rle, out, n) != n) {
        return false;
    }
    uint8_t top = 0;
    for (size_t i = 0; i < n; i++) {
        top = out[i] > top ? out[i] : top;
    }
    return top <= max;
}

/* ---- pages ------------------------------------------------------------------------------------
 */

/* A page of a planned read must be the one the offset index says, with as many rows. */
static int check_plan(struct hr_pq_leaf *leaf, struct hr_error *err) {
    const struct hr_pq_page_plan *plan = &leaf->plan;
    leaf->plan_at++;
    if (leaf->plan_at >= plan->n_pages || leaf->page.offset != plan->pages[leaf->plan_at].offset) {
        return corrupt(err, "its pages are not where the offset index says");
    }
    const int64_t end =
        leaf->plan_at + 1 < plan->n_pages ? plan->pages[leaf->plan_at + 1].first_row : plan->n_rows;
    if (leaf->info->max_rep == 0 &&
        leaf->page.header.num_values != end - plan->pages[leaf->plan_at].first_row) {
        return corrupt(err, "a page does not have the rows that the offset index says");
    }
    return 0;
}

static int begin_page(struct hr_pq_leaf *leaf, struct hr_error *err) {
    const struct hr_pq_leaf_info *info = leaf->info;
    const struct hr_pq_page_header *h = &leaf->page.header;
    struct hr_slice body = leaf->page.body;
    const int64_t entries = h->num_values;
    int rc = 0;
    if (leaf->plan.pages == NULL) {
        if (entries > leaf->entries_left) {
            return corrupt(err, "its pages hold more values than the footer says");
        }
        leaf->entries_left -= entries;
    } else {
        rc = check_plan(leaf, err);
    }
    if (rc != 0) {
        return rc;
    }
    if (h->type == HR_PQ_DATA_PAGE_V2) {
        v2_levels(&leaf->rep, info->max_rep, leaf->page.rep);
        v2_levels(&leaf->def, info->max_def, leaf->page.def);
    } else {
        rc = cut_levels(&leaf->rep, info->max_rep, h->rep_encoding, entries, &body, err);
        if (rc == 0) {
            rc = cut_levels(&leaf->def, info->max_def, h->def_encoding, entries, &body, err);
        }
    }
    leaf->encoding = h->encoding;
    if (rc == 0 && info->conv != HR_PQ_C_NULL) {
        rc = hr_pq_values_begin(leaf, body, err);
    }
    leaf->lv_pos = leaf->lv_len = 0;
    leaf->page_left = rc == 0 ? entries : 0;
    return rc;
}

/* Load pages until one with entries is open. HR_END: the chunk is over. */
static int next_page(struct hr_pq_leaf *leaf, struct hr_error *err) {
    while (leaf->page_left == 0) {
        if (leaf->plan.pages == NULL && leaf->entries_left == 0) {
            return HR_END;
        }
        int rc = hr_pq_chunk_header(&leaf->chunk, &leaf->page, err);
        if (rc == HR_END && leaf->plan.pages == NULL) {
            return corrupt(err, "its pages hold fewer values than the footer says");
        }
        if (rc != 0) {
            return rc;
        }
        const int type = leaf->page.header.type;
        const bool data = type == HR_PQ_DATA_PAGE || type == HR_PQ_DATA_PAGE_V2;
        if (!data && type != HR_PQ_DICTIONARY_PAGE) {
            hr_pq_chunk_skip(&leaf->chunk, &leaf->page);
            continue;
        }
        rc = hr_pq_chunk_body(&leaf->chunk, &leaf->page, err);
        if (rc == 0) {
            rc = data ? begin_page(leaf, err) : hr_pq_dict_load(leaf, &leaf->page, err);
        }
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

/* ---- slots: values with nulls between them ----------------------------------------------------
 */

/* Move n_valid dense values of `width` bytes at base apart, to the places whose bit is set; the
 * others become zero. From the back, without a branch on the bits: a missing value reads its
 * neighbour and is masked away. */
static inline __attribute__((always_inline)) void
spread(uint8_t *base, const size_t width, const uint8_t *valid, size_t slots, size_t n_valid) {
    size_t from = n_valid;
    for (size_t i = slots; i > from; i--) {
        const unsigned bit = hr_bit_get(valid, (int64_t)i - 1);
        from -= bit;
        if (width > 0 && width % 8 == 0) {
            const uint64_t mask = 0 - (uint64_t)bit;
            for (size_t w = 0; w < width; w += 8) {
                uint64_t v;
                memcpy(&v, base + from * width + w, 8);
                v &= mask;
                memcpy(base + (i - 1) * width + w, &v, 8);
            }
        } else if (width == 4) {
            uint32_t v;
            memcpy(&v, base + from * width, 4);
            v &= 0 - bit;
            memcpy(base + (i - 1) * width, &v, 4);
        } else if (bit) {
            memmove(base + (i - 1) * width, base + from * width, width);
        } else {
            memset(base + (i - 1) * width, 0, width);
        }
    }
}

static void spread_wide(uint8_t *base, size_t width, const uint8_t *valid, size_t slots,
                        size_t n_valid) {
    switch (width) {
    case 1: spread(base, 1, valid, slots, n_valid); break;
    case 2: spread(base, 2, valid, slots, n_valid); break;
    case 4: spread(base, 4, valid, slots, n_valid); break;
    case 8: spread(base, 8, valid, slots, n_valid); break;
    case 16: spread(base, 16, valid, slots, n_valid); break;
    default: spread(base, width, valid, slots, n_valid); break;
    }
}

/* offsets[1..n_valid] hold ends of dense values; give each slot its end, nulls the one before. */
static void spread_offsets(int32_t *offsets, const uint8_t *valid, size_t slots, size_t n_valid) {
    size_t from = n_valid;
    for (size_t i = slots; i > from; i--) {
        offsets[i] = offsets[from];
        from -= hr_bit_get(valid, (int64_t)i - 1);
    }
}

static int slots_bits(struct hr_pq_leaf *leaf, struct hr_vec *vec, size_t slots,
                      const uint8_t *valid, size_t n_valid, struct hr_error *err) {
    if (valid == NULL) {
        return hr_pq_values_bits(leaf, slots, vec->data, (size_t)vec->len, err);
    }
    uint8_t dense[HR_PQ_LEVELS / 8 + 8];
    int rc = hr_pq_values_bits(leaf, n_valid, dense, 0, err);
    int64_t from = 0;
    for (size_t i = 0; rc == 0 && i < slots; i++) {
        if (hr_bit_get(valid, (int64_t)i) && hr_bit_get(dense, from++)) {
            hr_bit_set(vec->data, vec->len + (int64_t)i);
        } else {
            hr_bit_clear(vec->data, vec->len + (int64_t)i);
        }
    }
    return rc;
}

/* Slots before the (n + 1)-th present one. */
static size_t slots_before(const uint8_t *valid, size_t slots, size_t n) {
    size_t i = 0;
    for (; i < slots; i++) {
        if (hr_bit_get(valid, (int64_t)i)) {
            if (n == 0) {
                break;
            }
            n--;
        }
    }
    return i;
}

static int slots_bytes(struct hr_pq_leaf *leaf, struct hr_vec *vec, size_t *slots,
                       const uint8_t *valid, size_t *n_valid, size_t stop, struct hr_error *err) {
    const int64_t len = vec->len;
    size_t done = 0;
    int rc = 0;
    vec->offsets[len] = (int32_t)vec->data_len;
    while (done < *n_valid && rc == 0 && (done == 0 || vec->data_len < stop)) {
        size_t got = 0;
        rc = hr_pq_values_bytes(leaf, vec, *n_valid - done, stop, &got, err);
        done += got;
        vec->len += (int64_t)got; /* where the decoder puts the next offset */
    }
    vec->len = len;
    if (rc == 0 && done < *n_valid) {
        *slots = valid == NULL ? done : slots_before(valid, *slots, done);
        *n_valid = done;
    }
    if (rc == 0 && valid != NULL) {
        spread_offsets(vec->offsets + len, valid, *slots, done);
    }
    return rc;
}

/* Append `*slots` slots, `*n_valid` of them with a value (valid: which; NULL: all; otherwise at
 * most HR_PQ_LEVELS slots). Both are lowered when strings stop early. */
static int append_slots(struct hr_pq_leaf *leaf, struct hr_vec *vec, size_t *slots,
                        const uint8_t *valid, size_t *n_valid, size_t stop, struct hr_error *err) {
    const struct hr_pq_leaf_info *info = leaf->info;
    if (info->conv == HR_PQ_C_NULL) {
        return hr_vec_append_nulls(vec, *slots, err);
    }
    int rc = hr_vec_reserve(vec, *slots, err);
    if (rc == 0 && valid != NULL) {
        rc = hr_vec_need_validity(vec, *slots, err);
    }
    if (rc != 0) {
        return rc;
    }
    if (info->conv == HR_PQ_C_BYTES) {
        rc = slots_bytes(leaf, vec, slots, valid, n_valid, stop, err);
    } else if (info->conv == HR_PQ_C_BOOL) {
        rc = slots_bits(leaf, vec, *slots, valid, *n_valid, err);
    } else {
        uint8_t *base = vec->data + (size_t)vec->len * info->out_width;
        rc = hr_pq_values_fixed(leaf, *n_valid, base, err);
        if (rc == 0 && valid != NULL) {
            spread_wide(base, info->out_width, valid, *slots, *n_valid);
        }
    }
    if (rc != 0) {
        return rc;
    }
    if (valid != NULL) {
        hr_pq_copy_bits(vec->validity, (size_t)vec->len, valid, 0, *slots);
    } else if (vec->validity != NULL) {
        hr_pq_set_bits(vec->validity, (size_t)vec->len, *slots, true);
    }
    vec->len += (int64_t)*slots;
    vec->nulls += (int64_t)(*slots - *n_valid);
    return 0;
}

/* ---- flat columns -----------------------------------------------------------------------------
 */

/* How many of the next n entries are known to be present without looking at bits. */
static size_t present_run(struct hr_pq_leaf *leaf, size_t n) {
    if (leaf->info->max_def == 0) {
        return n;
    }
    if (leaf->def.kind != HR_PQ_LV_RLE) {
        return 0;
    }
    const uint64_t run = hr_pq_rle_run(&leaf->def.rle);
    if (leaf->def.rle.packed || leaf->def.rle.value != 1) {
        return 0;
    }
    return run < n ? (size_t)run : n;
}

/* The next n (at most HR_PQ_BLOCK) levels of a flat column as bits. */
static int present_bits(struct hr_pq_leaf *leaf, size_t n, uint8_t *bits, size_t *ones,
                        struct hr_error *err) {
    *ones = 0;
    if (leaf->def.kind == HR_PQ_LV_RLE) {
        if (hr_pq_rle_read_bits(&leaf->def.rle, bits, 0, n, ones) != n) {
            return corrupt(err, "a page holds fewer levels than its header says");
        }
        return 0;
    }
    uint8_t levels[HR_PQ_BLOCK];
    hr_pq_unpack_msb(leaf->def.msb, 1, levels, leaf->def.msb_taken, n);
    leaf->def.msb_taken += n;
    memset(bits, 0, (n + 7) / 8);
    for (size_t i = 0; i < n; i++) {
        bits[i >> 3] = (uint8_t)(bits[i >> 3] | levels[i] << (i & 7));
        *ones += levels[i];
    }
    return 0;
}

/* Levels read ahead of a string column that stopped early wait here: rewind to `taken`. */
struct level_mark {
    struct hr_pq_rle rle;
    size_t msb_taken;
};

static int flat_block(struct hr_pq_leaf *leaf, struct hr_vec *vec, size_t n, size_t stop,
                      size_t *got, struct hr_error *err) {
    uint8_t bits[HR_PQ_BLOCK / 8 + 8];
    size_t slots = present_run(leaf, n), ones = slots;
    const uint8_t *valid = NULL;
    int rc = 0;
    const struct level_mark mark = {leaf->def.rle, leaf->def.msb_taken};
    if (slots >= RUN_WORTH || slots == n) {
        rc = append_slots(leaf, vec, &slots, NULL, &ones, stop, err);
        if (leaf->info->max_def > 0) {
            hr_pq_rle_skip(&leaf->def.rle, slots);
        }
        *got = slots;
        return rc;
    }
    slots = n < HR_PQ_BLOCK ? n : HR_PQ_BLOCK;
    rc = present_bits(leaf, slots, bits, &ones, err);
    if (rc != 0) {
        return rc;
    }
    const size_t all = slots;
    valid = ones == slots ? NULL : bits;
    rc = append_slots(leaf, vec, &slots, valid, &ones, stop, err);
    if (rc == 0 && slots < all) { /* give back the levels that were not used */
        leaf->def.rle = mark.rle;
        leaf->def.msb_taken = mark.msb_taken + slots;
        if (leaf->def.kind == HR_PQ_LV_RLE) {
            hr_pq_rle_skip(&leaf->def.rle, slots);
        }
    }
    *got = slots;
    return rc;
}

int hr_pq_leaf_read_flat(struct hr_pq_leaf *leaf, struct hr_vec *vec, size_t n, size_t stop_bytes,
                         size_t *got, struct hr_error *err) {
    size_t done = 0;
    int rc = 0;
    while (done < n && rc == 0 && (done == 0 || vec->data_len < stop_bytes)) {
        rc = next_page(leaf, err);
        if (rc != 0) {
            rc = rc == HR_END ? corrupt(err, "it has fewer rows than the row group") : rc;
            break;
        }
        size_t take = n - done, taken = 0;
        take = (uint64_t)leaf->page_left < take ? (size_t)leaf->page_left : take;
        rc = flat_block(leaf, vec, take, stop_bytes, &taken, err);
        leaf->page_left -= (int64_t)taken;
        done += taken;
    }
    leaf->row += (int64_t)done;
    *got = done;
    return hr_pq_leaf_blame(leaf, rc, err);
}

/* ---- nested leaves ----------------------------------------------------------------------------
 */

/* Have at least one entry decoded. HR_END: the chunk is over. */
static int need_levels(struct hr_pq_leaf *leaf, struct hr_error *err) {
    if (leaf->lv_pos < leaf->lv_len) {
        return 0;
    }
    int rc = next_page(leaf, err);
    if (rc != 0) {
        return rc;
    }
    const size_t n =
        leaf->page_left < (int64_t)HR_PQ_LEVELS ? (size_t)leaf->page_left : HR_PQ_LEVELS;
    if (!read_levels(&leaf->rep, leaf->info->max_rep, leaf->lv_rep, n) ||
        !read_levels(&leaf->def, leaf->info->max_def, leaf->lv_def, n)) {
        return corrupt(err, "the levels of a page are damaged or too few");
    }
    if (leaf->info->max_rep == 0) {
        memset(leaf->lv_rep, 0, n);
    }
    leaf->lv_pos = 0;
    leaf->lv_len = n;
    return 0;
}

int hr_pq_leaf_end(const struct hr_pq_leaf *leaf, struct hr_error *err) {
    const bool whole = leaf->plan.pages == NULL && leaf->info->max_rep > 0;
    if (!whole || (leaf->page_left == 0 && leaf->entries_left == 0)) {
        return 0;
    }
    return hr_pq_leaf_blame(leaf, corrupt(err, "it has more rows than the row group"), err);
}

int hr_pq_leaf_rows_ready(struct hr_pq_leaf *leaf, size_t *rows, struct hr_error *err) {
    int rc = need_levels(leaf, err);
    size_t n = 0;
    if (rc == HR_END) {
        rc = corrupt(err, "it has fewer rows than the row group");
    }
    if (rc == 0 && leaf->info->max_rep == 0) {
        n = leaf->lv_len - leaf->lv_pos;
    } else if (rc == 0) {
        n = hr_pq_count_eq(leaf->lv_rep + leaf->lv_pos, leaf->lv_len - leaf->lv_pos, 0);
    }
    *rows = n > 0 ? n : 1;
    return hr_pq_leaf_blame(leaf, rc, err);
}

/* Entries from lv_pos that belong to the next *rows rows; *rows is lowered by those that start. */
static size_t take_entries(const struct hr_pq_leaf *leaf, size_t *rows) {
    size_t i = leaf->lv_pos, left = *rows;
    if (leaf->info->max_rep == 0) {
        const size_t have = leaf->lv_len - leaf->lv_pos, take = left < have ? left : have;
        *rows = left - take;
        return take;
    }
    for (; i < leaf->lv_len; i++) {
        if (leaf->lv_rep[i] == 0) {
            if (left == 0) {
                break;
            }
            left--;
        }
    }
    *rows = left;
    return i - leaf->lv_pos;
}

static int keep_levels(struct hr_pq_leaf *leaf, size_t n, struct hr_error *err) {
    const size_t want = leaf->sub_len + n;
    size_t room = leaf->sub_def.cap;
    if (want > room) {
        room = want + want / 2;
        int rc = hr_pq_mem_need(&leaf->sub_def, leaf->sub_len, room, err);
        if (rc == 0) {
            rc = hr_pq_mem_need(&leaf->sub_rep, leaf->sub_len, leaf->sub_def.cap, err);
        }
        if (rc != 0) {
            return rc;
        }
    }
    memcpy(leaf->sub_def.ptr + leaf->sub_len, leaf->lv_def + leaf->lv_pos, n);
    memcpy(leaf->sub_rep.ptr + leaf->sub_len, leaf->lv_rep + leaf->lv_pos, n);
    leaf->sub_len = want;
    return 0;
}

/* Append the slots among the next n entries, and their values. */
static int entries_to_slots(struct hr_pq_leaf *leaf, struct hr_vec *vec, size_t n, size_t stop,
                            struct hr_error *err) {
    const uint8_t *def = leaf->lv_def + leaf->lv_pos;
    const uint8_t slot_def = leaf->info->slot_def, max_def = leaf->info->max_def;
    uint8_t bits[HR_PQ_LEVELS / 8 + 8];
    size_t slots = hr_pq_count_ge(def, n, slot_def), ones = hr_pq_count_eq(def, n, max_def);
    if (ones < slots) { /* entries below slot_def are no slots: an empty or missing list */
        size_t at = 0;
        memset(bits, 0, slots / 8 + 1);
        for (size_t i = 0; i < n; i++) {
            bits[at >> 3] = (uint8_t)(bits[at >> 3] | (def[i] == max_def) << (at & 7));
            at += def[i] >= slot_def;
        }
    }
    const size_t want = slots;
    int rc = slots == 0
                 ? 0
                 : append_slots(leaf, vec, &slots, ones < slots ? bits : NULL, &ones, stop, err);
    if (rc == 0 && slots < want) {
        rc = hr_fail(err, HR_E_BOUND, "the values of a few rows need over %zu bytes", stop);
        hr_error_hint(err, "raise the bound on cell size if the file can be trusted");
    }
    return rc;
}

/* Rows may reach over pages only in version 1 pages without an offset index. */
static bool row_ends_with_page(const struct hr_pq_leaf *leaf) {
    return leaf->plan.pages != NULL || leaf->page.header.type == HR_PQ_DATA_PAGE_V2;
}

int hr_pq_leaf_read_nested(struct hr_pq_leaf *leaf, struct hr_vec *vec, size_t n, size_t max_bytes,
                           struct hr_error *err) {
    const size_t stop = vec->data_len + max_bytes;
    size_t rows = n;
    int rc = 0;
    leaf->sub_len = 0;
    for (;;) {
        if (rows == 0 && leaf->page_left == 0 && row_ends_with_page(leaf)) {
            break;
        }
        rc = need_levels(leaf, err);
        if (rc == HR_END && rows == 0) {
            rc = 0;
            break;
        }
        if (rc != 0) {
            rc = rc == HR_END ? corrupt(err, "it has fewer rows than the row group") : rc;
            break;
        }
        if (leaf->sub_len == 0 && leaf->lv_rep[leaf->lv_pos] != 0) {
            rc = corrupt(err, "a row starts inside a list");
            break;
        }
        const size_t take = take_entries(leaf, &rows);
        if (take == 0) {
            break; /* the next row starts here */
        }
        if (leaf->sub_len + take > max_bytes) {
            rc = hr_fail(err, HR_E_BOUND, "a list of over %zu items is over the bound for a cell",
                         max_bytes);
            break;
        }
        rc = entries_to_slots(leaf, vec, take, stop, err);
        if (rc == 0) {
            rc = keep_levels(leaf, take, err);
        }
        if (rc != 0) {
            break;
        }
        leaf->lv_pos += take;
        leaf->page_left -= (int64_t)take;
    }
    leaf->row += (int64_t)n;
    return hr_pq_leaf_blame(leaf, rc, err);
}

/* ---- going to a row ---------------------------------------------------------------------------
 */

static size_t find_page(const struct hr_pq_page_plan *plan, int64_t row) {
    size_t low = 0, high = plan->n_pages;
    while (high - low > 1) {
        const size_t mid = low + (high - low) / 2;
        if (plan->pages[mid].first_row <= row) {
            low = mid;
        } else {
            high = mid;
        }
    }
    return low;
}

/* Read the dictionary, which lies before the first data page. */
static int load_dict_before(struct hr_pq_leaf *leaf, int64_t first_page, struct hr_error *err) {
    hr_pq_chunk_seek(&leaf->chunk, leaf->chunk_begin);
    while (leaf->chunk.pos < first_page && !leaf->dict.loaded) {
        int rc = hr_pq_chunk_header(&leaf->chunk, &leaf->page, err);
        if (rc != 0) {
            return rc == HR_END ? 0 : rc;
        }
        if (leaf->page.header.type != HR_PQ_DICTIONARY_PAGE) {
            return 0;
        }
        rc = hr_pq_chunk_body(&leaf->chunk, &leaf->page, err);
        if (rc == 0) {
            rc = hr_pq_dict_load(leaf, &leaf->page, err);
        }
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

static int drop_rows(struct hr_pq_leaf *leaf, int64_t n, struct hr_error *err) {
    int rc = 0;
    if (!leaf->trash_ready) {
        rc = hr_vec_init(&leaf->trash, leaf->info->field, err);
        leaf->trash_ready = rc == 0;
    }
    while (n > 0 && rc == 0) {
        size_t take = n < (int64_t)HR_PQ_BLOCK ? (size_t)n : HR_PQ_BLOCK, got = take;
        hr_vec_clear(&leaf->trash);
        if (!leaf->info->nested) {
            rc = hr_pq_leaf_read_flat(leaf, &leaf->trash, take, (size_t)8 << 20, &got, err);
        } else {
            rc = hr_pq_leaf_read_nested(leaf, &leaf->trash, take, INT32_MAX, err);
        }
        n -= (int64_t)got;
    }
    return rc;
}

int hr_pq_leaf_seek(struct hr_pq_leaf *leaf, int64_t row, struct hr_error *err) {
    const struct hr_pq_page_plan *plan = &leaf->plan;
    int rc = 0;
    if (plan->pages != NULL && (!leaf->started || row != leaf->row)) {
        const size_t at = find_page(plan, row);
        if (!leaf->started && plan->pages[0].offset > leaf->chunk_begin) {
            rc = hr_pq_leaf_blame(leaf, load_dict_before(leaf, plan->pages[0].offset, err), err);
        }
        if (!leaf->started || at != leaf->plan_at || leaf->page_left == 0) {
            hr_pq_chunk_seek(&leaf->chunk, plan->pages[at].offset);
            leaf->plan_at = at - 1; /* loading a page counts up; before page 0 that wraps */
            leaf->page_left = 0;
            leaf->lv_pos = leaf->lv_len = 0;
            leaf->row = plan->pages[at].first_row;
        }
        leaf->started = true;
    }
    return rc == 0 && row > leaf->row ? drop_rows(leaf, row - leaf->row, err) : rc;
}
