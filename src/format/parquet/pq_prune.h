/* format/parquet/pq_prune.h - which rows of a row group can matter, and where their bytes are.
 *
 * Pruning is advice turned into less reading: whatever is not certain is read. Rows are filtered
 * exactly later, by somebody else.
 */
#ifndef HR_FORMAT_PARQUET_PQ_PRUNE_H
#define HR_FORMAT_PARQUET_PQ_PRUNE_H

#include "format/parquet/pq_footer.h"
#include "format/parquet/pq_leaf.h"

struct hr_pq_rows { /* rows [begin, end) of a row group */
    int64_t begin, end;
};

struct hr_pq_leaf_plan {
    struct hr_pq_page_plan pages; /* pages.pages NULL: the chunk is read from its front */
    struct hr_range *ranges;      /* bytes to fetch, ascending */
    size_t n_ranges;
};

struct hr_pq_group_plan {
    struct hr_pq_rows *rows; /* ascending, not touching; n_rows 0: nothing can match */
    size_t n_rows;
    struct hr_pq_leaf_plan *leaves; /* one per wanted leaf */
    struct hr_pq_index *indexes;    /* read so far */
    struct hr_arena arena;          /* all of the above */
};

struct hr_pq_prune;

/* Bind the terms of `prune` to the file's columns; terms that cannot be used are dropped, and *out
 * is NULL when nothing useful is left. `want` (NULL: unknown) tells how the rows will be typed when
 * they are filtered: a column that becomes text then compares differently and is not pruned by.
 * Arguments are borrowed. */
int hr_pq_prune_bind(const struct hr_pq_file *file, const struct hr_prune *prune,
                     const struct hr_schema *want, struct hr_pq_prune **out, struct hr_error *err);
void hr_pq_prune_free(struct hr_pq_prune *prune); /* NULL allowed */

/* Plan one row group, reading indexes, dictionaries and bloom filters where they may help. prune
 * NULL: everything is read. The plan is replaced. */
int hr_pq_plan_group(struct hr_pq_prune *prune, struct hr_pq_footer *footer,
                     const struct hr_pq_schema *schema, int64_t group,
                     struct hr_pq_group_plan *plan, struct hr_error *err);
void hr_pq_group_plan_release(struct hr_pq_group_plan *plan);

/* ---- between pq_plan.c and pq_prune.c ---- */

/* The page index of one column chunk, as far as it could be used. */
struct hr_pq_index {
    struct hr_pq_index *next;
    int ordinal;
    bool has_pages, has_bounds;
    struct hr_pq_offset_index pages;
    struct hr_pq_column_index bounds;
};
/* Read (once per plan) the offset index and, with `bounds`, the column index. What is missing or
 * damaged is left out: only I/O fails. */
int hr_pq_index_load(struct hr_pq_footer *footer, int64_t group, int ordinal, bool bounds,
                     struct hr_pq_group_plan *plan, struct hr_pq_index **out, struct hr_error *err);
/* Narrow plan->rows (one range with all rows on entry) to those that may match. */
int hr_pq_prune_rows(struct hr_pq_prune *prune, struct hr_pq_footer *footer, int64_t group,
                     struct hr_pq_group_plan *plan, struct hr_error *err);

/* First byte of a chunk: its dictionary or first data page. -1: the footer's offsets are damaged.
 */
int64_t hr_pq_chunk_begin(const struct hr_pq_column *column);

#endif
