/* format/csv/csv_sample.c - names and types of one object from its first records.
 *
 * Reads windows until enough records or bytes were seen. Records with a wrong number of cells are
 * passed over: what to do with them is the reader's business.
 */
#include "format/csv/csv_internal.h"

static int see_rows(struct csv_tokens *t, struct hr_infer_column *columns, int64_t count,
                    struct hr_buf *scratch, struct hr_error *err) {
    const struct csv_dialect *d = t->d;
    for (size_t c = 0; c < t->n_columns; c++) {
        for (int64_t r = 0; r < count; r++) {
            const uint32_t start = csv_start(&t->rows, r, c);
            struct hr_slice value;
            bool quoted;
            const int rc = hr_csv_cell(
                d, t->in.charset, hr_slice_of(t->in.text + start, csv_end(&t->rows, r, c) - start),
                scratch, &value, &quoted, err);
            if (rc != 0) {
                return rc;
            }
            if (value.len == 0 || hr_csv_is_null(d, value.ptr, value.len)) {
                columns[c].nulls++;
                continue;
            }
            const char *text = (const char *)value.ptr;
            hr_infer_add(
                &columns[c], text, value.len,
                hr_infer_bool(text, value.len, &d->opts->true_values, &d->opts->false_values) >= 0);
        }
    }
    return 0;
}

static int sample(struct csv_tokens *t, const struct hr_infer_params *params,
                  struct hr_infer_column *columns, struct hr_error *err) {
    const size_t bytes_max = params->bytes_max ? params->bytes_max : (size_t)4 << 20;
    int64_t left = params->rows > 0 ? params->rows : 1000;
    const int64_t begin = t->in.base;
    struct hr_buf scratch;
    hr_buf_init(&scratch, 0);
    int rc = 0;
    while (rc == 0 && left > 0 && (size_t)(t->in.base - begin) < bytes_max) {
        rc = hr_csv_tokens_next(t, err);
        if (rc == 0) {
            const int64_t n = t->rows.count < left ? t->rows.count : left;
            rc = see_rows(t, columns, n, &scratch, err);
            left -= n;
        }
    }
    hr_buf_release(&scratch);
    /* A record too long or cut short behind good ones is the reader's to report. */
    const bool seen = left < (params->rows > 0 ? params->rows : 1000);
    return rc == HR_END || ((rc == HR_E_CORRUPT || rc == HR_E_BOUND) && seen) ? 0 : rc;
}

static int build_schema(const struct csv_names *names, const struct hr_infer_column *columns,
                        bool types, struct hr_schema **out, struct hr_error *err) {
    struct hr_schema *schema = hr_schema_new((int)names->count);
    int rc = schema != NULL ? 0 : HR_E_NOMEM;
    for (size_t i = 0; rc == 0 && i < names->count; i++) {
        const struct hr_type type = types ? hr_infer_result(&columns[i])
                                          : hr_type(columns[i].values > 0 ? HR_T_UTF8 : HR_T_NULL);
        rc = hr_field_init(&schema->fields[i], names->items[i], strlen(names->items[i]), type, 0);
    }
    if (rc != 0) {
        hr_schema_unref(schema);
        return hr_fail(err, HR_E_NOMEM, "could not allocate a schema of %zu columns", names->count);
    }
    *out = schema;
    return 0;
}

int hr_csv_infer(struct hr_source *src, const struct hr_format_opts *opts,
                 const struct hr_infer_params *params, const char *delimiter,
                 struct hr_schema **out, struct hr_error *err) {
    const struct hr_read_params read = {.split_end = -1};
    struct csv_dialect dialect;
    struct csv_tokens tokens;
    struct csv_names names = {0};
    struct hr_infer_column *columns = NULL;
    *out = NULL;
    int rc = hr_csv_dialect_init(&dialect, &opts->csv, delimiter, err);
    if (rc == 0) {
        rc = hr_csv_tokens_open(&tokens, src, &dialect, &read, err);
    }
    if (rc != 0) {
        return rc;
    }
    tokens.sampling = true;
    rc = hr_csv_names_read(&tokens, &read, &names, err);
    tokens.finished = rc == HR_END;
    rc = rc == HR_END ? 0 : rc;
    if (rc == 0) {
        columns = hr_calloc(names.count + 1, sizeof(*columns));
        rc = columns != NULL ? 0 : hr_fail(err, HR_E_NOMEM, "could not allocate columns");
    }
    for (size_t i = 0; rc == 0 && i < names.count; i++) {
        columns[i].decimal = params->decimal;
    }
    if (rc == 0) {
        rc = sample(&tokens, params, columns, err);
    }
    if (rc == 0) {
        rc = build_schema(&names, columns, params->types, out, err);
    }
    hr_free(columns);
    hr_csv_names_release(&names);
    hr_csv_tokens_close(&tokens);
    return rc;
}
