/* format/parquet/pq_reader.c - reads the row groups of one file, batch by batch.
 *
 * open reads the footer and builds the columns; next advances through the row groups (pq_prune.c
 * says which rows of each can matter), opens a leaf per column chunk, hints the source at the bytes
 * and fills a batch column by column. All columns of a batch must end at the same row: when one
 * stops early because its strings grew large, what the columns before it read too far is carried
 * into the next batch.
 */
#include "format/parquet/pq_reader.h"

#include "base/mem.h"
#include "format/parquet/pq_footer.h"
#include "format/parquet/pq_leaf.h"
#include "format/parquet/pq_prune.h"

#define BATCH_ROWS 8192
#define BATCH_BYTES ((size_t)8 << 20)
#define CELL_MAX ((size_t)128 << 20)
#define PAGE_FLOOR ((size_t)64 << 20)    /* a page may always be this large */
#define WINDOWS_BYTES ((size_t)16 << 20) /* windows of all columns together */
#define WINDOW_MIN ((size_t)16 << 10)
#define WINDOW_MAX ((size_t)256 << 10)
#define AHEAD_BYTES ((size_t)32 << 20) /* hinted ahead of all columns together */
#define AHEAD_MIN ((size_t)64 << 10)
#define AHEAD_MAX ((size_t)4 << 20)

struct reader {
    struct hr_reader base;
    const struct hr_read_params *params;
    struct hr_pq_footer footer;
    struct hr_pq_schema schema;
    struct hr_pq_prune *prune; /* NULL: none */
    struct hr_pq_leaf *leaves;
    int verify_crc;
    size_t cell_max, page_max, window_size;
    int64_t batch_rows;

    int64_t group, group_end; /* current row group, and where to stop */
    int64_t hinted_group;     /* row groups before this one were hinted whole */
    bool group_open;
    bool carried;            /* the spare batch holds the first rows of the next */
    int64_t group_first_row; /* of the current group, in the file */
    int64_t batch_target;    /* rows of a batch that make about BATCH_BYTES */
    struct hr_pq_group_plan plan;
    size_t range;           /* of plan.rows being read */
    int64_t row;            /* next row to give, in the row group */
    struct hr_batch *batch; /* being filled; may hold rows carried over */
    struct hr_batch *spare; /* the other one, made when first needed */
};

/* ---- a row group ------------------------------------------------------------------------------
 */

static struct hr_pq_row_group *group_of(struct reader *r) {
    return &r->footer.file.groups[r->group];
}

static int blame_chunk(struct reader *r, const struct hr_pq_leaf_info *leaf, int code,
                       struct hr_error *err, const char *why) {
    int rc = hr_fail(err, code, "could not read column '%.100s' of row group %lld of '%.200s': %s",
                     leaf->path, (long long)r->group, r->footer.input.src->name, why);
    hr_error_hint_damaged(err);
    hr_error_object(err, r->footer.input.src->name);
    hr_error_place(err, -1, -1, leaf->path);
    return rc;
}

/* The footer's word on a chunk, before a byte of it is read. */
static int check_chunk(struct reader *r, const struct hr_pq_leaf_info *leaf,
                       const struct hr_pq_column *c, struct hr_error *err) {
    const int64_t rows = group_of(r)->num_rows;
    if (c->encrypted || (r->footer.file.encrypted && !c->has_meta)) {
        int rc = blame_chunk(r, leaf, HR_E_UNSUPPORTED, err, "it is encrypted");
        hr_error_hint(err, "decrypt the file first; Parquet encryption is not supported");
        return rc;
    }
    if (!c->has_meta) {
        return blame_chunk(r, leaf, HR_E_CORRUPT, err, "the footer does not describe it");
    }
    if (c->file_path.len > 0) {
        return blame_chunk(r, leaf, HR_E_UNSUPPORTED, err, "its bytes are in another file");
    }
    if (c->codec == HR_PQ_LZO) {
        int rc = blame_chunk(r, leaf, HR_E_UNSUPPORTED, err, "compression LZO is not supported");
        hr_error_hint(err, "rewrite the file with snappy, zstd, gzip, lz4_raw or brotli");
        return rc;
    }
    if (c->type != leaf->element->type) {
        return blame_chunk(r, leaf, HR_E_CORRUPT, err, "its type is not the one of the schema");
    }
    if (c->num_values < 0 || (leaf->max_rep == 0 && c->num_values != rows)) {
        return blame_chunk(r, leaf, HR_E_CORRUPT, err,
                           "it does not have as many values as the row group has rows");
    }
    if (hr_pq_chunk_begin(c) < 0 || c->total_compressed_size < 0 ||
        hr_pq_chunk_begin(c) > r->footer.input.data_end ||
        (c->num_values > 0 &&
         c->total_compressed_size > r->footer.input.data_end - hr_pq_chunk_begin(c) + 1024)) {
        return blame_chunk(r, leaf, HR_E_CORRUPT, err, "its place is outside the file");
    }
    return 0;
}

/* ---- hints ------------------------------------------------------------------------------------
 */

static int64_t ranges_bytes(const struct hr_range *ranges, size_t n) {
    int64_t bytes = 0;
    for (size_t i = 0; i < n; i++) {
        bytes += ranges[i].len;
    }
    return bytes;
}

/* Bytes of row group `g` that all wanted columns take when read whole. */
static int64_t group_bytes(struct reader *r, int64_t g) {
    const struct hr_pq_row_group *group = &r->footer.file.groups[g];
    int64_t bytes = 0;
    for (int i = 0; i < r->schema.n_leaves; i++) {
        const size_t ordinal = (size_t)r->schema.leaves[i].ordinal;
        if (ordinal < group->n_columns && group->columns[ordinal].total_compressed_size > 0) {
            bytes += group->columns[ordinal].total_compressed_size;
        }
    }
    return bytes;
}

static void add_hint(struct reader *r, struct hr_range *ranges, size_t *n, int64_t offset,
                     int64_t len) {
    const int64_t end = r->footer.input.tail_offset;
    if (offset > 0 && len > 0 && offset < end) {
        ranges[(*n)++] = (struct hr_range){offset, offset + len < end ? len : end - offset};
    }
}

/* Hint all chunks of a row group that is small enough to come whole. */
static int hint_whole(struct reader *r, int64_t g, struct hr_error *err) {
    const struct hr_pq_row_group *group = &r->footer.file.groups[g];
    size_t n = 0;
    struct hr_range *ranges = hr_calloc((size_t)r->schema.n_leaves, sizeof(*ranges));
    if (ranges == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate read hints");
    }
    for (int i = 0; i < r->schema.n_leaves; i++) {
        const size_t ordinal = (size_t)r->schema.leaves[i].ordinal;
        if (ordinal < group->n_columns) {
            const struct hr_pq_column *c = &group->columns[ordinal];
            add_hint(r, ranges, &n, hr_pq_chunk_begin(c), c->total_compressed_size);
        }
    }
    hr_source_hint(r->footer.input.src, ranges, n);
    hr_free(ranges);
    return 0;
}

/* Hint what the plan of the current row group needs first: all of it, or its first bytes. */
static int hint_plan(struct reader *r, size_t ahead, struct hr_error *err) {
    size_t n = 0, max = 0;
    for (int i = 0; i < r->schema.n_leaves; i++) {
        max += r->plan.leaves[i].n_ranges;
    }
    struct hr_range *ranges = hr_calloc(max, sizeof(*ranges));
    if (ranges == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate read hints");
    }
    for (int i = 0; i < r->schema.n_leaves; i++) {
        const struct hr_pq_leaf_plan *leaf = &r->plan.leaves[i];
        for (size_t k = 0; k < leaf->n_ranges && (ahead == 0 || k == 0); k++) {
            const int64_t len = leaf->ranges[k].len;
            add_hint(r, ranges, &n, leaf->ranges[k].offset,
                     ahead == 0 || len < (int64_t)ahead ? len : (int64_t)ahead);
        }
    }
    hr_source_hint(r->footer.input.src, ranges, n);
    hr_free(ranges);
    return 0;
}

/* Tell the source what will be read. Small row groups whole, the next one too, so that its bytes
 * travel while this one is decoded; of a large one the first bytes of every column, whose chunks
 * hint on as they are read. *ahead: how far (0: all was hinted). */
static int hint_group(struct reader *r, size_t *ahead, struct hr_error *err) {
    int rc = 0;
    *ahead = 0;
    if (r->footer.input.tail_offset == 0 || r->footer.input.src->ops->hint == NULL) {
        return 0; /* the whole file is here already, or nobody listens */
    }
    int64_t bytes = 0;
    for (int i = 0; i < r->schema.n_leaves; i++) {
        bytes += ranges_bytes(r->plan.leaves[i].ranges, r->plan.leaves[i].n_ranges);
    }
    if (bytes > (int64_t)AHEAD_BYTES) {
        size_t each = AHEAD_BYTES / (size_t)r->schema.n_leaves;
        each = each < AHEAD_MIN ? AHEAD_MIN : each;
        *ahead = each > AHEAD_MAX ? AHEAD_MAX : each;
        return hint_plan(r, *ahead, err);
    }
    if (r->prune != NULL) {
        return hint_plan(r, 0, err);
    }
    for (int64_t g = r->group; g <= r->group + 1 && g < r->group_end && rc == 0; g++) {
        if (g >= r->hinted_group && group_bytes(r, g) <= (int64_t)AHEAD_BYTES) {
            rc = hint_whole(r, g, err);
            r->hinted_group = g + 1;
        }
    }
    return rc;
}

/* Rows of a batch that make about BATCH_BYTES, going by the footer. */
static int64_t target_rows(struct reader *r) {
    const struct hr_pq_row_group *g = group_of(r);
    uint64_t bytes = 0;
    for (int i = 0; i < r->schema.n_leaves; i++) {
        const struct hr_pq_leaf_info *leaf = &r->schema.leaves[i];
        const struct hr_pq_column *c = &g->columns[leaf->ordinal];
        const uint64_t stored =
            c->total_uncompressed_size > 0 ? (uint64_t)c->total_uncompressed_size : 0;
        uint64_t decoded = (uint64_t)c->num_values * (leaf->out_width + 1u);
        if (c->sizes.bytes > 0) { /* what a dictionary does not show */
            decoded += (uint64_t)c->sizes.bytes;
        }
        bytes += stored > decoded ? stored : decoded;
    }
    const uint64_t rows = g->num_rows > 0 ? (uint64_t)g->num_rows : 1;
    const uint64_t each = bytes / rows + 1;
    const uint64_t fit = BATCH_BYTES / each;
    return fit < 1 ? 1 : fit < (uint64_t)r->batch_rows ? (int64_t)fit : r->batch_rows;
}

static int open_leaf(struct reader *r, int i, size_t ahead, struct hr_error *err) {
    const struct hr_pq_leaf_info *info = &r->schema.leaves[i];
    const struct hr_pq_leaf_plan *plan = &r->plan.leaves[i];
    const struct hr_pq_column *column = &group_of(r)->columns[info->ordinal];
    const struct hr_pq_leaf_open open = {.input = &r->footer.input,
                                         .column = column,
                                         .object = r->footer.input.src->name,
                                         .group = r->group,
                                         .cell_max = r->cell_max,
                                         .page_max = r->page_max,
                                         .window_size = r->window_size,
                                         .ahead = ahead,
                                         .verify_crc = r->verify_crc,
                                         .plan = plan->pages,
                                         .ranges = plan->ranges,
                                         .n_ranges = plan->n_ranges,
                                         .chunk_begin = hr_pq_chunk_begin(column)};
    return hr_pq_leaf_open(&r->leaves[i], info, &open, err);
}

/* Plan and open the current row group; r->plan.n_rows == 0 when nothing of it can match. */
static int open_group(struct reader *r, struct hr_error *err) {
    struct hr_pq_row_group *g = group_of(r);
    int rc = 0;
    r->plan.n_rows = 0;
    if (g->num_rows == 0) {
        return 0; /* whatever else it says */
    }
    if (g->n_columns != (size_t)r->schema.n_file_leaves) {
        rc = hr_fail(err, HR_E_CORRUPT,
                     "could not read row group %lld of '%.200s': it has %zu columns, the schema %d",
                     (long long)r->group, r->footer.input.src->name, g->n_columns,
                     r->schema.n_file_leaves);
        hr_error_object(err, r->footer.input.src->name);
        return rc;
    }
    for (int i = 0; i < r->schema.n_leaves && rc == 0; i++) {
        const struct hr_pq_leaf_info *leaf = &r->schema.leaves[i];
        rc = check_chunk(r, leaf, &g->columns[leaf->ordinal], err);
    }
    if (rc == 0) {
        rc = hr_pq_plan_group(r->prune, &r->footer, &r->schema, r->group, &r->plan, err);
    }
    if (rc != 0 || r->plan.n_rows == 0) {
        return rc;
    }
    size_t ahead;
    r->batch_target = target_rows(r);
    rc = hint_group(r, &ahead, err);
    for (int i = 0; i < r->schema.n_leaves && rc == 0; i++) {
        rc = open_leaf(r, i, ahead, err);
    }
    r->range = 0;
    r->row = r->plan.rows[0].begin;
    return rc;
}

/* ---- a batch ----------------------------------------------------------------------------------
 */

static int seek_leaves(struct reader *r, int64_t row, struct hr_error *err) {
    int rc = 0;
    for (int i = 0; i < r->schema.n_leaves && rc == 0; i++) {
        rc = hr_pq_leaf_seek(&r->leaves[i], row, err);
    }
    return rc;
}

static int fill_column(struct reader *r, int column, int64_t n, struct hr_error *err) {
    const struct hr_pq_node *node = &r->schema.nodes[column];
    struct hr_vec *vec = &r->batch->vecs[column];
    size_t got = 0;
    if (vec->len >= n) {
        return 0;
    }
    const size_t want = (size_t)(n - vec->len);
    if (node->kind == HR_PQ_N_LEAF) {
        return hr_pq_leaf_read_flat(&r->leaves[node->leaf], vec, want, BATCH_BYTES, &got, err);
    }
    return hr_pq_nested_read(node, r->leaves, vec, want, BATCH_BYTES, &got, err);
}

/* Drop the rows from n on, which the caller copied away. */
static void truncate_vec(struct hr_vec *vec, int64_t n) {
    if (vec->validity != NULL) {
        int64_t nulls = 0;
        for (int64_t i = 0; i < n; i++) {
            nulls += !hr_bit_get(vec->validity, i);
        }
        vec->nulls = nulls;
    } else {
        vec->nulls = 0;
    }
    vec->len = n;
    if (vec->field->type.id == HR_T_STRUCT) {
        for (int i = 0; i < vec->n_children; i++) {
            truncate_vec(&vec->children[i], n);
        }
    } else if (vec->field->type.id == HR_T_LIST || vec->field->type.id == HR_T_MAP) {
        truncate_vec(&vec->children[0], vec->offsets[n]);
    } else if (hr_type_bytes(vec->field->type)) {
        vec->data_len = (size_t)vec->offsets[n];
    }
}

/* Move what columns hold beyond row n to the spare batch. */
static int carry_over(struct reader *r, int64_t n, struct hr_error *err) {
    int rc = 0;
    if (r->spare == NULL) {
        rc = hr_batch_new(r->base.schema, &r->spare, err);
        if (rc != 0) {
            return rc;
        }
    }
    hr_batch_clear(r->spare);
    for (int i = 0; i < r->base.schema->n_fields && rc == 0; i++) {
        struct hr_vec *vec = &r->batch->vecs[i];
        if (vec->len > n) {
            rc = hr_vec_append_range(&r->spare->vecs[i], vec, n, vec->len - n, err);
            truncate_vec(vec, n);
        }
    }
    return rc;
}

static int fill_rows(struct reader *r, int64_t n, struct hr_error *err) {
    struct hr_batch *b = r->batch;
    b->len = n;
    if (!r->params->want_rows) {
        return 0;
    }
    int rc = hr_batch_reserve_rows(b, (size_t)n, err);
    for (int64_t i = 0; rc == 0 && i < n; i++) {
        b->row_offsets[i] = r->group_first_row + r->row + i;
        b->row_lines[i] = b->row_offsets[i] + 1;
    }
    return rc;
}

/* Fill the batch with the next rows of the current range; *carried: the spare holds some. */
static int fill_batch(struct reader *r, bool *carried, struct hr_error *err) {
    const int64_t left = r->plan.rows[r->range].end - r->row;
    int64_t n = left < r->batch_target ? left : r->batch_target, longest = 0;
    int rc = 0;
    for (int i = 0; i < r->base.schema->n_fields && rc == 0; i++) {
        rc = fill_column(r, i, n, err);
        const int64_t len = r->batch->vecs[i].len;
        n = rc == 0 && len < n ? len : n;
        longest = len > longest ? len : longest;
    }
    *carried = rc == 0 && longest > n;
    if (*carried) {
        rc = carry_over(r, n, err);
    }
    return rc == 0 ? fill_rows(r, n, err) : rc;
}

/* Move to the next row group that has rows to read. HR_END after the last. */
static int next_group(struct reader *r, struct hr_error *err) {
    while (!r->group_open) {
        if (r->group >= r->group_end) {
            return HR_END;
        }
        int rc = open_group(r, err);
        if (rc != 0) {
            return rc;
        }
        r->group_open = r->plan.n_rows > 0;
        if (!r->group_open) {
            r->group_first_row += group_of(r)->num_rows;
            r->group++;
        } else {
            rc = seek_leaves(r, r->row, err);
            if (rc != 0) {
                return rc;
            }
        }
    }
    return 0;
}

/* The rows up to `row` were given: on to the next range or row group. */
static int advance(struct reader *r, int64_t row, struct hr_error *err) {
    r->row = row;
    if (row < r->plan.rows[r->range].end) {
        return 0;
    }
    r->range++;
    if (r->range < r->plan.n_rows) {
        r->row = r->plan.rows[r->range].begin;
        return seek_leaves(r, r->row, err);
    }
    int rc = 0;
    for (int i = 0; i < r->schema.n_leaves && rc == 0 && row == group_of(r)->num_rows; i++) {
        rc = hr_pq_leaf_end(&r->leaves[i], err);
    }
    r->group_open = false;
    r->group_first_row += group_of(r)->num_rows;
    r->group++;
    return rc;
}

static int reader_next(struct hr_reader *base, struct hr_batch **out, struct hr_error *err) {
    struct reader *r = (struct reader *)base;
    int rc;
    if (r->carried) {
        struct hr_batch *given = r->batch;
        r->batch = r->spare;
        r->spare = given;
        r->carried = false;
    } else {
        hr_batch_clear(r->batch);
    }
    rc = next_group(r, err);
    if (rc == 0) {
        rc = fill_batch(r, &r->carried, err);
    }
    if (rc != 0) {
        return rc;
    }
    r->base.rows += r->batch->len;
    rc = advance(r, r->row + r->batch->len, err);
    *out = r->batch;
    return rc;
}

/* ---- opening and closing ----------------------------------------------------------------------
 */

static void reader_close(struct hr_reader *base) {
    struct reader *r = (struct reader *)base;
    for (int i = 0; r->leaves != NULL && i < r->schema.n_leaves; i++) {
        hr_pq_leaf_release(&r->leaves[i]);
    }
    hr_free(r->leaves);
    hr_batch_free(r->batch);
    hr_batch_free(r->spare);
    hr_pq_group_plan_release(&r->plan);
    hr_pq_prune_free(r->prune);
    hr_pq_schema_release(&r->schema);
    hr_pq_footer_release(&r->footer);
    hr_free(r);
}

static const struct hr_reader_ops reader_ops = {.next = reader_next, .close = reader_close};

static void set_bounds(struct reader *r, const struct hr_read_params *params) {
    r->cell_max = params->cell_max > 0 ? params->cell_max : CELL_MAX;
    r->page_max = r->cell_max < SIZE_MAX / 4 ? r->cell_max * 4 : SIZE_MAX;
    r->page_max = r->page_max > PAGE_FLOOR ? r->page_max : PAGE_FLOOR;
    r->batch_rows = params->batch_rows > 0 ? params->batch_rows : BATCH_ROWS;
    const size_t leaves = (size_t)(r->schema.n_leaves > 0 ? r->schema.n_leaves : 1);
    size_t window = WINDOWS_BYTES / leaves;
    window = window < WINDOW_MIN ? WINDOW_MIN : window;
    r->window_size = window > WINDOW_MAX ? WINDOW_MAX : window;
}

static void set_groups(struct reader *r, const struct hr_read_params *params) {
    const int64_t n = (int64_t)r->footer.file.n_groups;
    r->group_end = params->group_end <= 0 || params->group_end > n ? n : params->group_end;
    const int64_t begin = params->group_begin > 0 ? params->group_begin : 0;
    for (r->group = 0; r->group < begin && r->group < n; r->group++) {
        r->group_first_row += group_of(r)->num_rows;
    }
}

int hr_parquet_reader_open(struct hr_source *src, const struct hr_format_opts *opts,
                           const struct hr_read_params *params, struct hr_reader **out,
                           struct hr_error *err) {
    struct reader *r = hr_calloc(1, sizeof(*r));
    if (r == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate a Parquet reader");
    }
    r->base.ops = &reader_ops;
    r->base.first_record = -1;
    r->params = params;
    const int crc = opts->parquet.verify_crc;
    r->verify_crc = crc == HR_CRC_TRUE ? HR_CRC_ERROR : crc == HR_CRC_FALSE ? HR_CRC_OFF : crc;
    int rc =
        hr_pq_footer_read(src, params->group_begin > 0 ? params->group_begin : 0,
                          params->group_end > 0 ? params->group_end : INT64_MAX, &r->footer, err);
    if (rc != 0) {
        hr_free(r);
        return rc;
    }
    rc = hr_pq_schema_build(&r->footer.file, &opts->parquet, params->want, &r->schema, err);
    if (rc == 0) {
        r->base.schema = r->schema.schema;
        r->leaves = hr_calloc((size_t)r->schema.n_leaves, sizeof(*r->leaves));
        rc = r->leaves == NULL ? hr_fail(err, HR_E_NOMEM, "could not allocate columns")
                               : hr_batch_new(r->base.schema, &r->batch, err);
    }
    if (rc == 0 && params->prune != NULL) {
        rc = hr_pq_prune_bind(&r->footer.file, params->prune, params->want, &r->prune, err);
    }
    if (rc != 0) {
        hr_error_object(err, src->name);
        reader_close(&r->base);
        return rc;
    }
    set_bounds(r, params);
    set_groups(r, params);
    *out = &r->base;
    return 0;
}

int hr_parquet_infer(struct hr_source *src, const struct hr_format_opts *opts,
                     const struct hr_infer_params *params, struct hr_schema **out,
                     struct hr_error *err) {
    struct hr_pq_footer footer;
    struct hr_pq_schema schema;
    (void)params; /* the schema is in the footer: nothing is sampled */
    int rc = hr_pq_footer_read(src, 0, 0, &footer, err);
    if (rc != 0) {
        return rc;
    }
    rc = hr_pq_schema_build(&footer.file, &opts->parquet, NULL, &schema, err);
    if (rc == 0) {
        *out = hr_schema_ref(schema.schema);
        hr_pq_schema_release(&schema);
    } else {
        hr_error_object(err, src->name);
    }
    hr_pq_footer_release(&footer);
    return rc;
}
