/* format/parquet/pq_layout.c - sizes of the row groups, for the planner: files are cut between
 * them. */
#include "format/parquet/pq_layout.h"
#include "base/mem.h"
#include "format/parquet/pq_footer.h"

int hr_parquet_layout(struct hr_source *src, const struct hr_format_opts *opts,
                      struct hr_layout *out, struct hr_error *err) {
    (void)opts;
    struct hr_pq_footer footer;
    *out = (struct hr_layout){0};
    int rc = hr_pq_footer_read(src, 0, 0, &footer, err);
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
        out->group_bytes[i] = footer.file.groups[i].stored;
        out->group_rows[i] = footer.file.groups[i].num_rows;
    }
    out->n_groups = rc == 0 ? (int64_t)n : 0;
    out->splittable = n > 1;
    hr_pq_footer_release(&footer);
    return rc;
}
