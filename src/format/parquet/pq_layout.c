/* format/parquet/pq_layout.c - sizes of the row groups, for the planner: files are cut between
 * them. */
#include "format/parquet/pq_layout.h"
#include "base/mem.h"
#include "format/parquet/pq_footer.h"

/* Stored bytes of a group: what it says, else the sum over its columns. */
static int64_t stored_bytes(const struct hr_pq_row_group *group) {
    int64_t sum = 0;
    for (size_t i = 0; i < group->n_columns; i++) {
        const int64_t bytes = group->columns[i].total_compressed_size;
        sum += bytes > 0 && sum < INT64_MAX / 4 ? bytes : 0;
    }
    return sum > 0 ? sum : group->total_compressed_size > 0 ? group->total_compressed_size : 0;
}

int hr_parquet_layout(struct hr_source *src, const struct hr_format_opts *opts,
                      struct hr_layout *out, struct hr_error *err) {
    (void)opts;
    struct hr_pq_footer footer;
    *out = (struct hr_layout){0};
    int rc = hr_pq_footer_read(src, &footer, err);
    if (rc != 0) {
        return rc;
    }
    const size_t n = footer.file.n_groups;
    out->group_bytes = hr_calloc(n ? n : 1, sizeof(*out->group_bytes));
    out->group_rows = hr_calloc(n ? n : 1, sizeof(*out->group_rows));
    if (out->group_bytes == NULL || out->group_rows == NULL) {
        hr_layout_release(out);
        rc = hr_fail(err, HR_E_NOMEM, "could not read '%s': out of memory", src->name);
    }
    for (size_t i = 0; rc == 0 && i < n; i++) {
        out->group_bytes[i] = stored_bytes(&footer.file.groups[i]);
        out->group_rows[i] = footer.file.groups[i].num_rows;
    }
    out->n_groups = rc == 0 ? (int64_t)n : 0;
    out->splittable = n > 1;
    hr_pq_footer_release(&footer);
    return rc;
}
