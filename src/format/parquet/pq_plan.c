/* format/parquet/pq_plan.c - the reading plan of a row group: row ranges and byte ranges.
 *
 * pq_prune.c narrows the rows; here they become pages and the pages become byte ranges, column by
 * column, through each column's offset index.
 */
#include "format/parquet/pq_prune.h"

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

/* The whole chunk, front to back. */
static int plan_chunk(const struct hr_pq_column *c, const struct hr_pq_footer *footer,
                      struct hr_pq_group_plan *plan, struct hr_pq_leaf_plan *leaf,
                      struct hr_error *err) {
    leaf->ranges = hr_arena_calloc(&plan->arena, 1, sizeof(*leaf->ranges));
    if (leaf->ranges == NULL) {
        return no_memory(err);
    }
    const int64_t begin = hr_pq_chunk_begin(c), room = footer->input.data_end - begin;
    const int64_t len = c->total_compressed_size < room ? c->total_compressed_size : room;
    leaf->ranges[0] = (struct hr_range){begin, len};
    leaf->n_ranges = 1;
    return 0;
}

int hr_pq_plan_group(struct hr_pq_prune *prune, struct hr_pq_footer *footer,
                     const struct hr_pq_schema *schema, int64_t group,
                     struct hr_pq_group_plan *plan, struct hr_error *err) {
    const struct hr_pq_row_group *g = &footer->file.groups[group];
    int rc = 0;
    (void)prune;
    hr_pq_group_plan_release(plan);
    hr_arena_init(&plan->arena, (size_t)256 << 20);
    plan->rows = hr_arena_calloc(&plan->arena, 1, sizeof(*plan->rows));
    plan->leaves = hr_arena_calloc(&plan->arena, (size_t)schema->n_leaves, sizeof(*plan->leaves));
    if (plan->rows == NULL || plan->leaves == NULL) {
        return no_memory(err);
    }
    plan->rows[0] = (struct hr_pq_rows){0, g->num_rows};
    plan->n_rows = 1;
    for (int i = 0; i < schema->n_leaves && rc == 0; i++) {
        const struct hr_pq_column *c = &g->columns[schema->leaves[i].ordinal];
        rc = plan_chunk(c, footer, plan, &plan->leaves[i], err);
    }
    return rc;
}

void hr_pq_group_plan_release(struct hr_pq_group_plan *plan) {
    hr_arena_release(&plan->arena);
    plan->rows = NULL;
    plan->leaves = NULL;
    plan->n_rows = 0;
}
