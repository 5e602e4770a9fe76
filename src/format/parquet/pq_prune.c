/* format/parquet/pq_prune.c - narrows a row group to the rows that can match a filter.
 *
 * The filter is an OR of ANDs. For each row group the ANDs are tried against statistics, then bloom
 * filters and dictionaries (equality only), then the column index page by page; what cannot be
 * decided stays. Nothing here is needed for a right answer, so damaged helpers are ignored.
 */
#include "format/parquet/pq_prune.h"

#include "base/mem.h"
#include "batch/member.h"
#include "format/parquet/pq_bound.h"
#include "format/parquet/pq_xxh64.h"

#define DICT_READ_MAX (1 << 20) /* a dictionary larger than this is not read just to prune */
#define BLOOM_HEADER 64

struct conjunction {
    struct hr_pq_term *terms;
    size_t count;
    bool alive; /* may match the row group being planned */
};

struct hr_pq_prune {
    struct conjunction *ands;
    size_t count;
    struct hr_arena arena;
};

static int no_memory(struct hr_error *err) {
    return hr_fail(err, HR_E_NOMEM, "could not allocate the pruning of a Parquet file");
}

/* ---- binding ----------------------------------------------------------------------------------
 */

static bool is_text(struct hr_type t) {
    return t.id == HR_T_UTF8 || t.id == HR_T_BINARY;
}

/* True when the term can be decided from metadata. */
static int bind_term(struct hr_pq_prune *p, const struct hr_pq_file *file,
                     const struct hr_prune_term *src, const struct hr_schema *want,
                     struct hr_pq_term *out, bool *usable, struct hr_error *err) {
    struct hr_pq_found_leaf leaf = {0};
    struct hr_member member;
    const struct hr_field *field = NULL; /* as the rows will be compared */
    const bool null_test = src->cmp == HR_CMP_NULL || src->cmp == HR_CMP_NOT_NULL;
    if (want != NULL && hr_member_find(want, src->column, &member, NULL)) {
        field = member.field;
    }
    /* A column of that very name wins in the whole run: then a member of this file is another. */
    const bool members = field == NULL || member.depth > 0;
    const int ordinal = hr_pq_schema_find_leaf(file, src->column, members, &leaf);
    const struct hr_pq_element *element = leaf.element;
    *usable = false;
    if (ordinal < 0 || (element->type == HR_PQ_FIXED && element->type_length <= 0) ||
        (field != NULL && leaf.member != (member.depth > 0)) ||
        (field == NULL && leaf.member && src->cmp == HR_CMP_NULL)) {
        return 0;
    }
    *out = (struct hr_pq_term){.cmp = src->cmp, .count = null_test ? 0 : src->count};
    hr_pq_pcolumn_init(&out->column, file, ordinal, element);
    out->column.nullable = leaf.nullable;
    if (!null_test && (src->count == 0 || out->column.how == HR_PQ_HOW_NONE ||
                       (field != NULL && is_text(field->type) != is_text(out->column.type)))) {
        return 0;
    }
    out->values = hr_arena_calloc(&p->arena, out->count, sizeof(*out->values));
    if (out->values == NULL) {
        return no_memory(err);
    }
    for (size_t i = 0; i < out->count; i++) {
        if (!hr_pq_literal(&out->column, src->values[i], &out->values[i])) {
            return 0;
        }
    }
    *usable = true;
    return 0;
}

static int bind_and(struct hr_pq_prune *p, const struct hr_pq_file *file,
                    const struct hr_prune_and *src, const struct hr_schema *want,
                    struct conjunction *out, struct hr_error *err) {
    out->terms = hr_arena_calloc(&p->arena, src->count, sizeof(*out->terms));
    if (out->terms == NULL) {
        return no_memory(err);
    }
    for (size_t i = 0; i < src->count; i++) {
        bool usable;
        int rc = bind_term(p, file, &src->terms[i], want, &out->terms[out->count], &usable, err);
        if (rc != 0) {
            return rc;
        }
        out->count += usable;
    }
    return 0;
}

int hr_pq_prune_bind(const struct hr_pq_file *file, const struct hr_prune *prune,
                     const struct hr_schema *want, struct hr_pq_prune **out, struct hr_error *err) {
    struct hr_pq_prune *p = hr_calloc(1, sizeof(*p));
    bool useful = prune->count > 0;
    int rc = 0;
    *out = NULL;
    if (p == NULL) {
        return no_memory(err);
    }
    hr_arena_init(&p->arena, (size_t)64 << 20);
    p->ands = hr_arena_calloc(&p->arena, prune->count, sizeof(*p->ands));
    if (p->ands == NULL) {
        rc = no_memory(err);
    }
    for (size_t i = 0; i < prune->count && rc == 0; i++) {
        rc = bind_and(p, file, &prune->groups[i], want, &p->ands[p->count], err);
        /* An AND of nothing we can decide matches everything, and so does the whole. */
        useful = useful && rc == 0 && p->ands[p->count].count > 0;
        p->count++;
    }
    if (rc != 0 || !useful) {
        hr_pq_prune_free(p);
        return rc;
    }
    *out = p;
    return 0;
}

void hr_pq_prune_free(struct hr_pq_prune *prune) {
    if (prune != NULL) {
        hr_arena_release(&prune->arena);
        hr_free(prune);
    }
}

/* ---- bloom filters ----------------------------------------------------------------------------
 */

/* Metadata that is damaged is no reason to fail; the network or memory is. */
static bool tolerable(int rc) {
    return rc > 0 || rc == HR_E_CORRUPT || rc == HR_E_UNSUPPORTED || rc == HR_E_BOUND;
}

static int bloom_may_match(struct hr_pq_footer *footer, const struct hr_pq_column *chunk,
                           const struct hr_pq_term *term, bool *may, struct hr_error *err) {
    struct hr_pq_input *in = &footer->input;
    uint8_t head[BLOOM_HEADER], block[32], room[32];
    struct hr_pq_bloom_header h;
    size_t used = 0;
    *may = true;
    if (chunk->bloom_filter_offset <= 0 || chunk->bloom_filter_offset > in->size - BLOOM_HEADER) {
        return 0;
    }
    int rc = hr_pq_input_read(in, chunk->bloom_filter_offset, sizeof(head), head, err);
    if (rc != 0) {
        return rc;
    }
    if (hr_pq_bloom_header_decode(hr_slice_of(head, sizeof(head)), &h, &used, NULL) != 0 ||
        !h.known || h.num_bytes < 32 || h.num_bytes % 32 != 0) {
        return 0;
    }
    const int64_t bits = chunk->bloom_filter_offset + (int64_t)used;
    if (h.num_bytes > in->size - bits) {
        return 0;
    }
    for (size_t i = 0; i < term->count; i++) {
        struct hr_slice bytes;
        if (!hr_pq_plain_bytes(&term->column, &term->values[i], room, &bytes)) {
            return 0;
        }
        const uint64_t hash = hr_pqw_xxh64(bytes.ptr, bytes.len);
        const uint64_t at = hr_pq_bloom_block_of(hash, (uint32_t)h.num_bytes / 32);
        rc = hr_pq_input_read(in, bits + (int64_t)at * 32, sizeof(block), block, err);
        if (rc != 0 || hr_pq_bloom_block_has(block, hash)) {
            return rc;
        }
    }
    *may = false;
    return 0;
}

/* ---- dictionaries -----------------------------------------------------------------------------
 */

static bool is_dictionary(int encoding) {
    return encoding == HR_PQ_PLAIN_DICTIONARY || encoding == HR_PQ_RLE_DICTIONARY;
}

/* Whether every data page of the chunk is known to use the dictionary. */
static bool only_dictionary(const struct hr_pq_column *c) {
    bool data = false, plain_dictionary = false;
    for (size_t i = 0; i < c->n_encoding_stats; i++) {
        const struct hr_pq_page_encoding_stats *s = &c->encoding_stats[i];
        if (s->page_type == HR_PQ_DATA_PAGE || s->page_type == HR_PQ_DATA_PAGE_V2) {
            if (!is_dictionary(s->encoding) && s->count != 0) {
                return false;
            }
            data = true;
        }
    }
    if (c->n_encoding_stats > 0) {
        return data;
    }
    /* Version 1 writers list PLAIN only when they fell back from the dictionary. */
    for (size_t i = 0; i < c->n_encodings; i++) {
        const int e = c->encodings[i];
        plain_dictionary = plain_dictionary || e == HR_PQ_PLAIN_DICTIONARY;
        if (e != HR_PQ_PLAIN_DICTIONARY && e != HR_PQ_RLE && e != HR_PQ_BIT_PACKED) {
            return false;
        }
    }
    return plain_dictionary;
}

static bool wanted_value(const struct hr_pq_term *term, struct hr_slice raw) {
    struct hr_pq_value v;
    if (!hr_pq_stat_value(&term->column, raw, &v)) {
        return false; /* NaN equals nothing */
    }
    for (size_t i = 0; i < term->count; i++) {
        if (hr_pq_value_order(&term->column, &v, &term->values[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* Whether a dictionary page holds one of the literals; true when in doubt. */
static bool dictionary_has(const struct hr_pq_term *term, const struct hr_pq_page *page) {
    static const size_t widths[] = {0, 4, 8, 0, 4, 8, 0, 0};
    const struct hr_pq_element *e = term->column.element;
    const size_t width = e->type == HR_PQ_FIXED ? (size_t)e->type_length : widths[e->type];
    const uint8_t *ptr = page->body.ptr, *end = ptr + page->body.len;
    if (width == 0 && e->type != HR_PQ_BYTE_ARRAY) {
        return true;
    }
    for (int32_t i = 0; i < page->header.num_values; i++) {
        uint32_t len = (uint32_t)width;
        if (width == 0) {
            if (end - ptr < 4) {
                return true;
            }
            memcpy(&len, ptr, 4);
            ptr += 4;
        }
        if (len > (size_t)(end - ptr)) {
            return true;
        }
        if (wanted_value(term, hr_slice_of(ptr, len))) {
            return true;
        }
        ptr += len;
    }
    return false;
}

static int dict_may_match(struct hr_pq_footer *footer, const struct hr_pq_column *chunk,
                          const struct hr_pq_term *term, bool *may, struct hr_error *err) {
    const int64_t begin = hr_pq_chunk_begin(chunk), len = chunk->data_page_offset - begin;
    struct hr_pq_chunk pages = {.page_max = (size_t)64 << 20,
                                .window_size = DICT_READ_MAX,
                                .verify_crc = HR_CRC_ERROR}; /* no rows are dropped on its word */
    const struct hr_range range = {begin, len};
    struct hr_pq_page page;
    *may = true;
    if (begin < 0 || len <= 0 || len > DICT_READ_MAX || !only_dictionary(chunk)) {
        return 0;
    }
    int rc = hr_pq_chunk_open(&pages, &footer->input, chunk->codec, &range, 1, err);
    if (rc == 0) {
        rc = hr_pq_chunk_header(&pages, &page, err);
    }
    if (rc == 0 && page.header.type == HR_PQ_DICTIONARY_PAGE) {
        rc = hr_pq_chunk_body(&pages, &page, err);
        *may = rc != 0 || dictionary_has(term, &page);
    }
    hr_pq_chunk_release(&pages);
    return tolerable(rc) ? 0 : rc;
}

/* ---- row groups -------------------------------------------------------------------------------
 */

static bool usable_chunk(const struct hr_pq_row_group *g, const struct hr_pq_term *term) {
    const size_t ordinal = (size_t)term->column.ordinal;
    return ordinal < g->n_columns && g->columns[ordinal].has_meta &&
           !g->columns[ordinal].encrypted &&
           g->columns[ordinal].type == term->column.element->type &&
           g->columns[ordinal].file_path.len == 0;
}

static int try_and(struct conjunction *and_, struct hr_pq_footer *footer,
                   const struct hr_pq_row_group *g, struct hr_error *err) {
    and_->alive = true;
    for (size_t i = 0; i < and_->count && and_->alive; i++) {
        struct hr_pq_bounds bounds;
        if (usable_chunk(g, &and_->terms[i])) {
            hr_pq_chunk_bounds(&and_->terms[i].column, &g->columns[and_->terms[i].column.ordinal],
                               &bounds);
            and_->alive = hr_pq_may_match(&and_->terms[i], &bounds);
        }
    }
    for (size_t i = 0; i < and_->count && and_->alive; i++) {
        const struct hr_pq_term *term = &and_->terms[i];
        if ((term->cmp != HR_CMP_EQ && term->cmp != HR_CMP_IN) || !usable_chunk(g, term)) {
            continue;
        }
        const struct hr_pq_column *chunk = &g->columns[term->column.ordinal];
        bool may;
        int rc = bloom_may_match(footer, chunk, term, &may, err);
        if (rc == 0 && may && chunk->bloom_filter_offset <= 0) {
            rc = dict_may_match(footer, chunk, term, &may, err);
        }
        if (rc != 0) {
            return rc;
        }
        and_->alive = may;
    }
    return 0;
}

/* ---- pages ------------------------------------------------------------------------------------
 */

struct rows {
    struct hr_pq_rows *at;
    size_t n;
};

static bool push(struct rows *r, size_t room, int64_t begin, int64_t end) {
    if (begin >= end) {
        return true;
    }
    if (r->n > 0 && r->at[r->n - 1].end >= begin) {
        struct hr_pq_rows *last = &r->at[r->n - 1];
        last->end = last->end > end ? last->end : end;
        return true;
    }
    if (r->n == room) {
        return false;
    }
    r->at[r->n++] = (struct hr_pq_rows){begin, end};
    return true;
}

static int alloc_rows(struct hr_pq_group_plan *plan, struct rows *r, size_t room,
                      struct hr_error *err) {
    *r = (struct rows){.at = hr_arena_calloc(&plan->arena, room, sizeof(*r->at))};
    return r->at == NULL ? no_memory(err) : 0;
}

/* Rows of the pages in which the term may be true. */
static int term_rows(const struct hr_pq_term *term, const struct hr_pq_index *index, int64_t rows,
                     struct hr_pq_group_plan *plan, struct rows *out, struct hr_error *err) {
    const size_t n = index->pages.n_pages;
    int rc = alloc_rows(plan, out, n, err);
    for (size_t i = 0; i < n && rc == 0; i++) {
        struct hr_pq_bounds bounds;
        const int64_t end = i + 1 < n ? index->pages.pages[i + 1].first_row : rows;
        hr_pq_page_bounds(&term->column, &index->bounds, i, end - index->pages.pages[i].first_row,
                          &bounds);
        if (hr_pq_may_match(term, &bounds)) {
            push(out, n, index->pages.pages[i].first_row, end);
        }
    }
    return rc;
}

static int intersect(struct hr_pq_group_plan *plan, const struct rows *a, const struct rows *b,
                     struct rows *out, struct hr_error *err) {
    const size_t room = a->n + b->n;
    int rc = alloc_rows(plan, out, room, err);
    for (size_t i = 0, k = 0; rc == 0 && i < a->n && k < b->n;) {
        const int64_t begin = a->at[i].begin > b->at[k].begin ? a->at[i].begin : b->at[k].begin;
        const int64_t end = a->at[i].end < b->at[k].end ? a->at[i].end : b->at[k].end;
        push(out, room, begin, end);
        if (a->at[i].end < b->at[k].end) {
            i++;
        } else {
            k++;
        }
    }
    return rc;
}

static int unite(struct hr_pq_group_plan *plan, const struct rows *a, const struct rows *b,
                 struct rows *out, struct hr_error *err) {
    const size_t room = a->n + b->n;
    int rc = alloc_rows(plan, out, room, err);
    for (size_t i = 0, k = 0; rc == 0 && (i < a->n || k < b->n);) {
        const bool first = k == b->n || (i < a->n && a->at[i].begin <= b->at[k].begin);
        const struct hr_pq_rows next = first ? a->at[i++] : b->at[k++];
        push(out, room, next.begin, next.end);
    }
    return rc;
}

static int and_rows(const struct conjunction *and_, struct hr_pq_footer *footer, int64_t group,
                    struct hr_pq_group_plan *plan, struct rows *out, struct hr_error *err) {
    const struct hr_pq_row_group *g = &footer->file.groups[group];
    int rc = alloc_rows(plan, out, 1, err);
    if (rc == 0) {
        push(out, 1, 0, g->num_rows);
    }
    for (size_t i = 0; i < and_->count && rc == 0; i++) {
        struct hr_pq_index *index;
        struct rows one, both;
        if (!usable_chunk(g, &and_->terms[i])) {
            continue;
        }
        rc =
            hr_pq_index_load(footer, group, and_->terms[i].column.ordinal, true, plan, &index, err);
        if (rc != 0 || !index->has_pages || !index->has_bounds) {
            continue;
        }
        rc = term_rows(&and_->terms[i], index, g->num_rows, plan, &one, err);
        if (rc == 0) {
            rc = intersect(plan, out, &one, &both, err);
        }
        if (rc == 0) {
            *out = both;
        }
    }
    return rc;
}

int hr_pq_prune_rows(struct hr_pq_prune *prune, struct hr_pq_footer *footer, int64_t group,
                     struct hr_pq_group_plan *plan, struct hr_error *err) {
    const struct hr_pq_row_group *g = &footer->file.groups[group];
    struct rows all = {0};
    bool alive = false;
    int rc = 0;
    for (size_t i = 0; i < prune->count && rc == 0; i++) {
        rc = try_and(&prune->ands[i], footer, g, err);
        alive = alive || prune->ands[i].alive;
    }
    for (size_t i = 0; i < prune->count && rc == 0 && alive; i++) {
        struct rows one, both;
        if (!prune->ands[i].alive) {
            continue;
        }
        rc = and_rows(&prune->ands[i], footer, group, plan, &one, err);
        if (rc == 0) {
            rc = unite(plan, &all, &one, &both, err);
        }
        if (rc == 0) {
            all = both;
        }
    }
    if (rc == 0) {
        plan->rows = all.at;
        plan->n_rows = all.n;
    }
    return rc;
}
