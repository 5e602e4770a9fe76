/* format/parquet/pq_plan.c - the reading plan of a row group: row ranges and byte ranges.
 *
 * pq_prune.c narrows the rows; here they become pages and the pages become byte ranges, column by
 * column, through each column's offset index. A column without one is read from the front, its
 * unwanted rows decoded and dropped.
 */
#include "format/parquet/pq_prune.h"

#include <string.h>

#define END_SLACK 100        /* bytes, more than any header of a dictionary page */
#define INDEX_MAX (64 << 20) /* bytes of one index; a larger one is not used */

int64_t hr_pq_chunk_begin(const struct hr_pq_column *c) {
    /* Some writers put 0 for "no dictionary"; the magic stands there, so no page can. */
    if (c->dictionary_page_offset > 0 && c->dictionary_page_offset < c->data_page_offset) {
        return c->dictionary_page_offset;
    }
    return c->data_page_offset > 0 ? c->data_page_offset : -1;
}

static int no_memory(struct hr_error *err) {
    return hr_fail(err, HR_E_NOMEM, "could not allocate the plan of a row group");
}

/* ---- page index -------------------------------------------------------------------------------
 */

/* Bytes of an index structure, in the plan's arena; ptr NULL when there is none to be used. */
static int read_index(struct hr_pq_footer *footer, int64_t offset, int32_t len,
                      struct hr_pq_group_plan *plan, struct hr_slice *out, struct hr_error *err) {
    *out = (struct hr_slice){0};
    if (offset <= 0 || len <= 0 || len > INDEX_MAX || offset > footer->input.size - len) {
        return 0;
    }
    uint8_t *bytes = hr_arena_alloc(&plan->arena, (size_t)len);
    if (bytes == NULL) {
        return no_memory(err);
    }
    int rc = hr_pq_input_read(&footer->input, offset, (size_t)len, bytes, err);
    *out = hr_slice_of(bytes, (size_t)len);
    return rc;
}

/* Pages must follow one another in rows and in bytes, inside the file. */
static bool pages_sound(const struct hr_pq_offset_index *index, const struct hr_pq_column *chunk,
                        int64_t rows, int64_t data_end) {
    int64_t at = hr_pq_chunk_begin(chunk), row = -1;
    for (size_t i = 0; i < index->n_pages; i++) {
        const struct hr_pq_page_location *p = &index->pages[i];
        if (p->offset < at || p->offset > data_end || p->compressed_size <= 0 ||
            p->compressed_size > data_end - p->offset || p->first_row <= row ||
            p->first_row >= rows || (i == 0 && p->first_row != 0)) {
            return false;
        }
        at = p->offset + p->compressed_size;
        row = p->first_row;
    }
    return index->n_pages > 0;
}

/* A failure of memory is one; damage only means there is no index. */
static int decoded(int rc, bool *good) {
    *good = rc == 0;
    return rc == HR_E_NOMEM ? rc : 0;
}

int hr_pq_index_load(struct hr_pq_footer *footer, int64_t group, int ordinal, bool bounds,
                     struct hr_pq_group_plan *plan, struct hr_pq_index **out,
                     struct hr_error *err) {
    const struct hr_pq_row_group *g = &footer->file.groups[group];
    const struct hr_pq_column *c = &g->columns[ordinal];
    struct hr_slice bytes;
    for (*out = plan->indexes; *out != NULL; *out = (*out)->next) {
        if ((*out)->ordinal == ordinal) {
            return 0; /* bounds are asked for first */
        }
    }
    struct hr_pq_index *index = hr_arena_calloc(&plan->arena, 1, sizeof(*index));
    if (index == NULL) {
        return no_memory(err);
    }
    index->ordinal = ordinal;
    int rc = read_index(footer, c->offset_index_offset, c->offset_index_length, plan, &bytes, err);
    if (rc == 0 && bytes.ptr != NULL) {
        rc = decoded(hr_pq_offset_index_decode(bytes, &plan->arena, &index->pages, err),
                     &index->has_pages);
        index->has_pages =
            index->has_pages && pages_sound(&index->pages, c, g->num_rows, footer->input.data_end);
    }
    if (rc == 0 && bounds && index->has_pages) {
        rc = read_index(footer, c->column_index_offset, c->column_index_length, plan, &bytes, err);
        if (rc == 0 && bytes.ptr != NULL) {
            rc = decoded(hr_pq_column_index_decode(bytes, &plan->arena, &index->bounds, err),
                         &index->has_bounds);
            index->has_bounds = index->has_bounds && index->bounds.n_pages == index->pages.n_pages;
        }
    }
    if (rc == 0) {
        index->next = plan->indexes;
        plan->indexes = index;
        *out = index;
    }
    return rc;
}

/* ---- byte ranges ------------------------------------------------------------------------------
 */

/* A number up to `*at`'s next other byte, at most 99; steps over the byte behind it. */
static unsigned version_part(struct hr_slice text, size_t *at) {
    unsigned value = 0;
    for (; *at < text.len && text.ptr[*at] >= '0' && text.ptr[*at] <= '9'; ++*at) {
        value = value * 10 + (unsigned)(text.ptr[*at] - '0');
        value = value < 99 ? value : 99;
    }
    ++*at;
    return value;
}

/* How far pages may pass their chunk's declared end: parquet-mr before 1.2.9 (and when it did not
 * yet tell its version) left the header of the dictionary page out of a chunk's size. */
static int64_t end_slack(struct hr_slice created_by) {
    static const char writer[] = "parquet-mr", version[] = "parquet-mr version ";
    const size_t n = sizeof(writer) - 1;
    if (created_by.len < n || memcmp(created_by.ptr, writer, n) != 0) {
        return 0;
    }
    size_t at = sizeof(version) - 1;
    if (created_by.len <= at || memcmp(created_by.ptr, version, at) != 0) {
        return END_SLACK;
    }
    const unsigned major = version_part(created_by, &at), minor = version_part(created_by, &at);
    const unsigned patch = version_part(created_by, &at);
    return major * 10000 + minor * 100 + patch < 10209 ? END_SLACK : 0;
}

/* The whole chunk, front to back. */
static int plan_chunk(const struct hr_pq_column *c, const struct hr_pq_footer *footer,
                      struct hr_pq_group_plan *plan, struct hr_pq_leaf_plan *leaf,
                      struct hr_error *err) {
    leaf->ranges = hr_arena_calloc(&plan->arena, 1, sizeof(*leaf->ranges));
    if (leaf->ranges == NULL) {
        return no_memory(err);
    }
    const int64_t begin = hr_pq_chunk_begin(c), room = footer->input.data_end - begin;
    const int64_t slack = end_slack(footer->file.created_by);
    const int64_t size = c->total_compressed_size;
    leaf->ranges[0] = (struct hr_range){begin, size < room - slack ? size + slack : room};
    leaf->n_ranges = 1;
    return 0;
}

static void add_range(struct hr_pq_leaf_plan *leaf, int64_t begin, int64_t end) {
    struct hr_range *last = leaf->n_ranges > 0 ? &leaf->ranges[leaf->n_ranges - 1] : NULL;
    if (last != NULL && last->offset + last->len == begin) {
        last->len = end - last->offset;
    } else if (end > begin) {
        leaf->ranges[leaf->n_ranges++] = (struct hr_range){begin, end - begin};
    }
}

/* The pages that hold any of the plan's rows, and the dictionary before them. */
static int plan_pages(const struct hr_pq_column *c, const struct hr_pq_offset_index *index,
                      int64_t rows, struct hr_pq_group_plan *plan, struct hr_pq_leaf_plan *leaf,
                      struct hr_error *err) {
    leaf->ranges = hr_arena_calloc(&plan->arena, index->n_pages + 1, sizeof(*leaf->ranges));
    if (leaf->ranges == NULL) {
        return no_memory(err);
    }
    leaf->pages = (struct hr_pq_page_plan){index->pages, index->n_pages, rows};
    add_range(leaf, hr_pq_chunk_begin(c), index->pages[0].offset);
    size_t at = 0;
    for (size_t i = 0; i < index->n_pages; i++) {
        const struct hr_pq_page_location *p = &index->pages[i];
        const int64_t end = i + 1 < index->n_pages ? index->pages[i + 1].first_row : rows;
        while (at < plan->n_rows && plan->rows[at].end <= p->first_row) {
            at++;
        }
        if (at < plan->n_rows && plan->rows[at].begin < end) {
            add_range(leaf, p->offset, p->offset + p->compressed_size);
        }
    }
    return 0;
}

static int plan_leaf(struct hr_pq_footer *footer, int64_t group, int ordinal,
                     struct hr_pq_group_plan *plan, struct hr_pq_leaf_plan *leaf,
                     struct hr_error *err) {
    const struct hr_pq_row_group *g = &footer->file.groups[group];
    const struct hr_pq_column *c = &g->columns[ordinal];
    const bool whole =
        plan->n_rows == 1 && plan->rows[0].begin == 0 && plan->rows[0].end == g->num_rows;
    struct hr_pq_index *index;
    if (whole) {
        return plan_chunk(c, footer, plan, leaf, err);
    }
    int rc = hr_pq_index_load(footer, group, ordinal, false, plan, &index, err);
    if (rc != 0) {
        return rc;
    }
    return index->has_pages ? plan_pages(c, &index->pages, g->num_rows, plan, leaf, err)
                            : plan_chunk(c, footer, plan, leaf, err);
}

/* The indexes of all columns lie together: let them come in one piece. */
static void hint_indexes(const struct hr_pq_footer *footer, const struct hr_pq_row_group *g) {
    int64_t begin = INT64_MAX, end = 0;
    for (size_t i = 0; i < g->n_columns; i++) {
        const struct hr_pq_column *c = &g->columns[i];
        if (c->offset_index_offset > 0 && c->offset_index_length > 0) {
            const int64_t stop = c->offset_index_offset + c->offset_index_length;
            begin = c->offset_index_offset < begin ? c->offset_index_offset : begin;
            end = stop > end ? stop : end;
        }
    }
    if (begin < end && begin < footer->input.tail_offset && end - begin < INDEX_MAX) {
        const struct hr_range all = {begin, end - begin};
        hr_source_hint(footer->input.src, &all, 1);
    }
}

int hr_pq_plan_group(struct hr_pq_prune *prune, struct hr_pq_footer *footer,
                     const struct hr_pq_schema *schema, int64_t group,
                     struct hr_pq_group_plan *plan, struct hr_error *err) {
    const struct hr_pq_row_group *g = &footer->file.groups[group];
    int rc = 0;
    hr_pq_group_plan_release(plan);
    hr_arena_init(&plan->arena, (size_t)1 << 30);
    plan->rows = hr_arena_calloc(&plan->arena, 1, sizeof(*plan->rows));
    plan->leaves = hr_arena_calloc(&plan->arena, (size_t)schema->n_leaves, sizeof(*plan->leaves));
    if (plan->rows == NULL || plan->leaves == NULL) {
        return no_memory(err);
    }
    plan->rows[0] = (struct hr_pq_rows){0, g->num_rows};
    plan->n_rows = 1;
    if (prune != NULL) {
        rc = hr_pq_prune_rows(prune, footer, group, plan, err);
        if (rc == 0 && plan->n_rows > 0 && plan->indexes != NULL) {
            hint_indexes(footer, g);
        }
    }
    for (int i = 0; i < schema->n_leaves && rc == 0 && plan->n_rows > 0; i++) {
        rc = plan_leaf(footer, group, schema->leaves[i].ordinal, plan, &plan->leaves[i], err);
    }
    return rc;
}

void hr_pq_group_plan_release(struct hr_pq_group_plan *plan) {
    hr_arena_release(&plan->arena);
    plan->rows = NULL;
    plan->leaves = NULL;
    plan->indexes = NULL;
    plan->n_rows = 0;
}
