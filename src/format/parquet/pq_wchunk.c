/* format/parquet/pq_wchunk.c - one leaf column of a row group to a column chunk: pages cut,
 * encoding chosen, dictionary page, data pages, statistics, ColumnIndex, bloom filter.
 */
#include "format/parquet/pq_enc.h"
#include "format/parquet/pq_write_internal.h"

#define TRY_AGAIN                                                                                  \
    4u /* a page that did not shrink lets this many go uncompressed before a new try */

struct chunk {
    const struct hr_pqw_conf *conf;
    const struct hr_pqw_col *col;
    struct hr_pqw_scratch *s;
    struct hr_pqw_room *data;
    struct hr_arena *arena;
    struct hr_pqw_chunk_meta *meta;
    struct hr_pqw_cut *cuts;
    size_t n_cuts;
    struct hr_pqw_minmax whole;
    size_t skip; /* data pages still to leave uncompressed (v2) */
    bool any_compressed;
    enum hr_pqw_compress v1_compress;
    struct hr_error *err;
};

void hr_pqw_scratch_release(struct hr_pqw_scratch *s) {
    hr_pqw_dict_release(&s->dict);
    hr_pqw_room_release(&s->cuts);
    hr_pqw_room_release(&s->seen);
    hr_pqw_room_release(&s->levels);
    hr_pqw_room_release(&s->body);
    hr_pqw_room_release(&s->whole);
    hr_pqw_room_release(&s->trial);
    hr_pqw_room_release(&s->tmp);
    hr_buf_release(&s->thrift);
}

static int no_memory(struct chunk *c) {
    return hr_fail(c->err, HR_E_NOMEM, "could not allocate the metadata of a Parquet row group");
}

/* ---- statistics of pages and chunk ---- */

static bool kept_as_numbers(const struct hr_pqw_leaf *leaf) {
    return leaf->keep != HR_PQW_KEEP_BYTES && leaf->keep != HR_PQW_KEEP_FIXED;
}

static void minmax_of_pages(struct chunk *c) {
    for (size_t i = 0; i < c->n_cuts; i++) {
        hr_pqw_minmax(c->col, c->cuts[i].value, c->cuts[i].n_values, &c->cuts[i].minmax);
    }
}

/* With a dictionary only its entries are compared, each once a page. */
static int minmax_of_dict_pages(struct chunk *c) {
    const size_t bytes = c->s->dict.count * sizeof(uint32_t);
    c->s->seen.len = 0;
    const int rc = hr_pqw_room_reserve(&c->s->seen, bytes, c->err);
    if (rc != 0) {
        return rc;
    }
    uint32_t *seen = (uint32_t *)(void *)c->s->seen.ptr;
    memset(seen, 0xff, bytes);
    for (size_t i = 0; i < c->n_cuts; i++) {
        hr_pqw_minmax_dict(c->col->leaf, &c->s->dict,
                           hr_pqw_dict_index(&c->s->dict) + c->cuts[i].value, c->cuts[i].n_values,
                           seen, (uint32_t)i, &c->cuts[i].minmax);
    }
    return 0;
}

static void merge_pages(struct chunk *c) {
    c->whole = (struct hr_pqw_minmax){0};
    for (size_t i = 0; i < c->n_cuts; i++) {
        hr_pqw_minmax_merge(c->col->leaf, &c->whole, &c->cuts[i].minmax);
    }
}

/* The thrift scratch as bytes in the arena. */
static int keep_thrift(struct chunk *c, const struct hr_thrift_out *t, struct hr_slice *out) {
    const struct hr_buf *buf = t->buf;
    uint8_t *copy = t->rc == 0 ? hr_arena_alloc(c->arena, buf->len) : NULL;
    if (copy == NULL) {
        return no_memory(c);
    }
    memcpy(copy, buf->ptr, buf->len);
    *out = hr_slice_of(copy, buf->len);
    return 0;
}

/* Statistics of the chunk. */
static int put_stats(struct chunk *c) {
    struct hr_thrift_out t;
    hr_buf_clear(&c->s->thrift);
    hr_thrift_out_init(&t, &c->s->thrift);
    hr_thrift_put_i64(&t, 3, (int64_t)(c->col->n_levels - c->col->n_values));
    const bool floating =
        c->col->leaf->sort >= HR_PQW_SORT_F16 && c->col->leaf->sort <= HR_PQW_SORT_F64;
    if (c->meta->dictionary && !floating) { /* of floats, bits differ where values may not */
        hr_thrift_put_i64(&t, 4, (int64_t)c->s->dict.count);
    }
    if (c->whole.any) {
        struct hr_pqw_bound min, max;
        hr_pqw_bound_min(c->col->leaf, &c->whole, &min);
        hr_pqw_bound_max(c->col->leaf, &c->whole, &max);
        if (min.value.ptr != NULL && max.value.ptr != NULL) {
            hr_thrift_put_bytes(&t, 5, max.value.ptr, max.value.len);
            hr_thrift_put_bytes(&t, 6, min.value.ptr, min.value.len);
            hr_thrift_put_bool(&t, 7, max.exact);
            hr_thrift_put_bool(&t, 8, min.exact);
        }
    }
    hr_thrift_put_end(&t);
    return keep_thrift(c, &t, &c->meta->stats);
}

static int boundary_order(const struct chunk *c) {
    const struct hr_pqw_minmax *last = NULL;
    bool up = true, down = true;
    for (size_t i = 0; i < c->n_cuts; i++) {
        const struct hr_pqw_minmax *m = &c->cuts[i].minmax;
        if (!m->any) {
            continue;
        }
        if (last != NULL) {
            const int a = hr_pqw_compare_min(c->col->leaf, last, m);
            const int b = hr_pqw_compare_max(c->col->leaf, last, m);
            up = up && a <= 0 && b <= 0;
            down = down && a >= 0 && b >= 0;
        }
        last = m;
    }
    return up ? HR_PQ_ASCENDING : down ? HR_PQ_DESCENDING : HR_PQ_UNORDERED;
}

/* One list of lower or upper bounds; false: a page has values but no bound. */
static bool put_bounds(const struct chunk *c, struct hr_thrift_out *t, int id) {
    hr_thrift_put_list(t, id, HR_THRIFT_BINARY, c->n_cuts);
    for (size_t i = 0; i < c->n_cuts; i++) {
        const struct hr_pqw_cut *cut = &c->cuts[i];
        struct hr_pqw_bound bound;
        if (cut->n_values == 0) {
            hr_thrift_item_bytes(t, NULL, 0);
            continue;
        }
        if (!cut->minmax.any) {
            return false;
        }
        if (id == 2) {
            hr_pqw_bound_min(c->col->leaf, &cut->minmax, &bound);
        } else {
            hr_pqw_bound_max(c->col->leaf, &cut->minmax, &bound);
        }
        if (bound.value.ptr == NULL) {
            return false;
        }
        hr_thrift_item_bytes(t, bound.value.ptr, bound.value.len);
    }
    return true;
}

/* ColumnIndex; none where a page has values without an order (all NaN, intervals). */
static int put_column_index(struct chunk *c) {
    struct hr_thrift_out t;
    hr_buf_clear(&c->s->thrift);
    hr_thrift_out_init(&t, &c->s->thrift);
    hr_thrift_put_list(&t, 1, HR_THRIFT_TRUE, c->n_cuts);
    for (size_t i = 0; i < c->n_cuts; i++) {
        hr_thrift_item_bool(&t, c->cuts[i].n_values == 0);
    }
    if (!put_bounds(c, &t, 2) || !put_bounds(c, &t, 3)) {
        return t.rc == 0 ? 0 : no_memory(c);
    }
    hr_thrift_put_i32(&t, 4, boundary_order(c));
    hr_thrift_put_list(&t, 5, HR_THRIFT_I64, c->n_cuts);
    for (size_t i = 0; i < c->n_cuts; i++) {
        hr_thrift_item_i64(&t, (int64_t)(c->cuts[i].n_levels - c->cuts[i].n_values));
    }
    hr_thrift_put_end(&t);
    return keep_thrift(c, &t, &c->meta->column_index);
}

/* ---- levels ---- */

static void put_length(uint8_t *at, size_t len) {
    for (unsigned i = 0; i < 4; i++) {
        at[i] = (uint8_t)(len >> (8 * i));
    }
}

static size_t put_defs(const struct hr_pqw_col *col, const struct hr_pqw_cut *cut, uint8_t *out) {
    const int width = hr_pqw_bits(col->leaf->max_def);
    if (!hr_pqw_flat(col->leaf)) {
        return hr_pqw_rle8(col->defs.ptr + cut->level, cut->n_levels, width, out);
    }
    if (!col->has_nulls) {
        return hr_pqw_rle_run(1, cut->n_levels, width, out);
    }
    return hr_pqw_rle_bits(col->defs.ptr, cut->level, cut->n_levels, out);
}

/* Repetition and definition levels of a page; v1 puts each one's length before it. */
static int put_levels(struct chunk *c, const struct hr_pqw_cut *cut, struct hr_pqw_page *page) {
    const struct hr_pqw_leaf *leaf = c->col->leaf;
    const int def_width = hr_pqw_bits(leaf->max_def), rep_width = hr_pqw_bits(leaf->max_rep);
    const size_t head = c->conf->v2 ? 0 : 4;
    c->s->levels.len = 0;
    const int rc = hr_pqw_room_reserve(&c->s->levels,
                                       8 + hr_pqw_rle32_bound(cut->n_levels, def_width) +
                                           hr_pqw_rle32_bound(cut->n_levels, rep_width),
                                       c->err);
    if (rc != 0) {
        return rc;
    }
    uint8_t *const begin = c->s->levels.ptr;
    uint8_t *at = begin;
    if (leaf->max_rep > 0) {
        const size_t len =
            hr_pqw_rle8(c->col->reps.ptr + cut->level, cut->n_levels, rep_width, at + head);
        if (head > 0) {
            put_length(at, len);
        }
        at += head + len;
    }
    page->rep_len = (size_t)(at - begin);
    if (leaf->max_def > 0) {
        const size_t len = put_defs(c->col, cut, at + head);
        if (head > 0) {
            put_length(at, len);
        }
        at += head + len;
    }
    page->levels = hr_slice_of(begin, (size_t)(at - begin));
    return 0;
}

/* ---- pages ---- */

static int add_page(struct chunk *c, struct hr_pqw_page *page) {
    const int rc = hr_pqw_page(c->conf, c->s, c->data, page, c->err);
    if (rc == 0) {
        c->any_compressed = c->any_compressed || page->compressed;
        c->meta->uncompressed += (int64_t)page->raw_size;
        c->meta->compressed += (int64_t)page->size;
    }
    return rc;
}

static int dictionary_page(struct chunk *c) {
    const struct hr_pqw_dict *dict = &c->s->dict;
    struct hr_pqw_page page = {.type = HR_PQ_DICTIONARY_PAGE,
                               .encoding = c->meta->encoding == HR_PQ_PLAIN_DICTIONARY
                                               ? HR_PQ_PLAIN_DICTIONARY
                                               : HR_PQ_PLAIN,
                               .n_values = dict->count,
                               .values = hr_slice_of(dict->values.ptr, dict->values.len),
                               .compress = HR_PQW_COMPRESS_MUST};
    if (c->col->leaf->keep == HR_PQW_KEEP_BYTES) {
        const uint32_t *offsets = (const uint32_t *)(const void *)dict->offsets.ptr;
        c->s->body.len = 0;
        const int rc = hr_pqw_room_reserve(&c->s->body,
                                           hr_pqw_plain_bytes_bound(offsets, dict->count), c->err);
        if (rc != 0) {
            return rc;
        }
        page.values = hr_slice_of(c->s->body.ptr, hr_pqw_plain_bytes(dict->values.ptr, offsets,
                                                                     dict->count, c->s->body.ptr));
    }
    c->meta->dictionary = true;
    return add_page(c, &page);
}

/* v2 pages each decide for themselves; after one that does not shrink some are left alone. In v1
 * the first page decides for the chunk, unless a dictionary page already did. */
static enum hr_pqw_compress how_to_compress(struct chunk *c, size_t i) {
    if (c->conf->codec == NULL) {
        return HR_PQW_COMPRESS_NO;
    }
    if (!c->conf->v2) {
        return c->meta->dictionary ? HR_PQW_COMPRESS_MUST
               : i == 0            ? HR_PQW_COMPRESS_TRY
                                   : c->v1_compress;
    }
    if (c->skip > 0) {
        c->skip--;
        return HR_PQW_COMPRESS_NO;
    }
    return HR_PQW_COMPRESS_TRY;
}

static int data_page(struct chunk *c, size_t i) {
    const struct hr_pqw_cut *cut = &c->cuts[i];
    struct hr_pqw_page page = {.type = c->meta->page_type,
                               .encoding = c->meta->encoding,
                               .n_levels = cut->n_levels,
                               .n_values = cut->n_values,
                               .n_rows = cut->n_rows,
                               .compress = how_to_compress(c, i)};
    int rc = put_levels(c, cut, &page);
    rc = rc != 0 ? rc
                 : hr_pqw_encode_values(c->col, c->s, &c->s->body, c->meta->encoding, cut->value,
                                        cut->n_values, &page.values, c->err);
    const int64_t offset = (int64_t)c->data->len;
    rc = rc != 0 ? rc : add_page(c, &page);
    if (rc != 0) {
        return rc;
    }
    c->meta->pages[i] = (struct hr_pqw_page_place){
        .offset = offset, .size = (int32_t)page.size, .first_row = cut->row};
    if (i == 0) {
        c->v1_compress = page.compressed ? HR_PQW_COMPRESS_MUST : HR_PQW_COMPRESS_NO;
    }
    if (page.compress == HR_PQW_COMPRESS_TRY && !page.compressed) {
        c->skip = TRY_AGAIN;
    }
    return 0;
}

static int pages(struct chunk *c) {
    struct hr_pqw_chunk_meta *meta = c->meta;
    int rc = meta->encoding == HR_PQ_RLE_DICTIONARY || meta->encoding == HR_PQ_PLAIN_DICTIONARY
                 ? dictionary_page(c)
                 : 0;
    meta->data_offset = (int64_t)c->data->len;
    meta->n_pages = c->n_cuts;
    meta->pages = hr_arena_calloc(c->arena, c->n_cuts, sizeof(*meta->pages));
    if (meta->pages == NULL) {
        return no_memory(c);
    }
    for (size_t i = 0; rc == 0 && i < c->n_cuts; i++) {
        rc = data_page(c, i);
    }
    meta->codec = c->any_compressed ? c->conf->codec_id : HR_PQ_UNCOMPRESSED;
    return rc;
}

static int64_t *count_levels(struct chunk *c, const uint8_t *levels, int max) {
    int64_t *counts = hr_arena_calloc(c->arena, (size_t)max + 1, sizeof(*counts));
    for (size_t i = 0; counts != NULL && i < c->col->n_levels; i++) {
        counts[levels[i]]++;
    }
    return counts;
}

/* The histograms of SizeStatistics, where the levels say more than the null count. */
static int level_counts(struct chunk *c) {
    const struct hr_pqw_leaf *leaf = c->col->leaf;
    if (hr_pqw_flat(leaf)) {
        return 0;
    }
    c->meta->def_counts = count_levels(c, c->col->defs.ptr, leaf->max_def);
    if (leaf->max_rep > 0) {
        c->meta->rep_counts = count_levels(c, c->col->reps.ptr, leaf->max_rep);
    }
    return c->meta->def_counts == NULL || (leaf->max_rep > 0 && c->meta->rep_counts == NULL)
               ? no_memory(c)
               : 0;
}

static int bloom(struct chunk *c) {
    if (!c->col->leaf->bloom || c->col->n_values == 0) {
        return 0;
    }
    const size_t before = c->data->len;
    const int rc =
        hr_pqw_bloom(c->col, c->meta->dictionary ? &c->s->dict : NULL, c->s, c->data, c->err);
    c->meta->bloom_offset = (int64_t)before;
    c->meta->bloom_len = (int32_t)(c->data->len - before);
    return rc;
}

int hr_pqw_chunk(const struct hr_pqw_conf *conf, const struct hr_pqw_col *col,
                 struct hr_pqw_scratch *s, struct hr_pqw_room *data, struct hr_arena *arena,
                 struct hr_pqw_chunk_meta *meta, struct hr_error *err) {
    struct chunk c = {
        .conf = conf, .col = col, .s = s, .data = data, .arena = arena, .meta = meta, .err = err};
    const bool bytes = col->leaf->keep == HR_PQW_KEEP_BYTES;
    *meta = (struct hr_pqw_chunk_meta){.n_levels = (int64_t)col->n_levels,
                                       .byte_array_bytes = bytes ? (int64_t)col->values.len : -1,
                                       .page_type = conf->v2 ? HR_PQ_DATA_PAGE_V2 : HR_PQ_DATA_PAGE,
                                       .offset = (int64_t)data->len,
                                       .bloom_offset = -1};
    int rc = hr_pqw_cut_pages(conf, col, &s->cuts, &c.n_cuts, err);
    c.cuts = (struct hr_pqw_cut *)(void *)s->cuts.ptr;
    const bool want = conf->statistics || conf->page_index;
    if (rc == 0 && kept_as_numbers(col->leaf)) {
        minmax_of_pages(&c);
        merge_pages(&c);
        meta->sorted = col->leaf->max_rep == 0 && col->n_values == col->n_levels && c.whole.any &&
                       c.whole.lo != c.whole.hi && hr_pqw_ascending(col);
    }
    rc = rc != 0 ? rc : hr_pqw_choose(conf, col, &c.whole, s, &meta->encoding, err);
    rc = rc != 0 ? rc : pages(&c);
    if (rc == 0 && want && !kept_as_numbers(col->leaf)) {
        if (meta->dictionary) {
            rc = minmax_of_dict_pages(&c);
        } else {
            minmax_of_pages(&c);
        }
        merge_pages(&c);
    }
    rc = rc != 0 || !conf->statistics ? rc : put_stats(&c);
    rc = rc != 0 || !conf->page_index ? rc : put_column_index(&c);
    rc = rc != 0 || !conf->statistics ? rc : level_counts(&c);
    return rc != 0 ? rc : bloom(&c);
}
