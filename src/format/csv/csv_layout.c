/* format/csv/csv_layout.c - what the planner must know to cut a large CSV file: its names and
 * whether records can be found from any byte, from the first window. */
#include "format/csv/csv_internal.h"

int hr_csv_layout(struct hr_source *src, const struct hr_format_opts *opts, const char *delimiter,
                  struct hr_layout *out, struct hr_error *err) {
    const struct hr_read_params read = {.split_end = -1};
    struct csv_dialect dialect;
    struct csv_tokens tokens;
    struct csv_names names = {0};
    *out = (struct hr_layout){0};
    int rc = hr_csv_dialect_init(&dialect, &opts->csv, delimiter, err);
    if (rc == 0) {
        rc = hr_csv_tokens_open(&tokens, src, &dialect, &read, err);
    }
    if (rc != 0) {
        return rc;
    }
    tokens.sampling = true;
    rc = hr_csv_names_read(&tokens, &read, &names, err);
    if (rc == 0) {
        /* Made-up names travel too: every split then expects as many cells as the first record. */
        out->splittable = hr_textin_splittable(&tokens.in, opts->csv.encoding);
        out->has_header = true;
        out->header = (struct hr_strlist){names.items, names.count};
        names = (struct csv_names){0};
    }
    hr_csv_names_release(&names);
    hr_csv_tokens_close(&tokens);
    return rc == HR_END ? 0 : rc;
}
