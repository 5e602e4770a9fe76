/* format/csv/csv_reader.c - the seam's reader: windows of records into batches.
 *
 * next() takes windows from csv_tokens and lets csv_convert append their cells to the batch, until
 * the batch has enough rows. An error behind good rows is kept until these were handed out, so a
 * reader gives every row in front of the first fault.
 */
#include "base/hash.h"
#include "format/csv/csv_internal.h"

#define BATCH_ROWS 8192
#define BATCH_BYTES ((size_t)8 << 20)
#define PASS_ROWS                                                                                  \
    256 /* converted column by column: their text and index stay in the first cache                \
         */

struct csv_reader {
    struct hr_reader base;
    struct csv_dialect dialect;
    struct csv_tokens tokens;
    struct csv_convert convert;
    const struct hr_read_params *params;
    struct hr_batch *batch;
    struct csv_names names;
    struct csv_column *columns; /* one per wanted field, then the file's others when asked for */
    int n_wanted, n_columns;
    int rescued;        /* the wanted column that takes rescued values, -1 none */
    bool *text_columns; /* per file column: must it be valid text? */
    int64_t row;        /* next row of the current window */
    int failed;         /* an error to give on the next call */
    struct hr_error failed_err;
};

/* ---- columns ---- */

/* Where a name stands, guessing that files have their columns in the schema's order. */
static int find_name(const struct csv_names *names, const char *name, size_t guess) {
    for (size_t k = 0; k < names->count; k++) {
        const size_t i = guess + k < names->count ? guess + k : guess + k - names->count;
        if (strcmp(names->items[i], name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

static int refuse_type(const struct csv_reader *r, const struct hr_field *field,
                       struct hr_error *err) {
    hr_fail(err, HR_E_SCHEMA, "could not read a column of CSV as a list, struct or map");
    hr_error_hint(err, "give the column a scalar type, or utf8 to keep its text");
    hr_error_place(err, -1, -1, field->name);
    hr_error_object(err, r->tokens.in.src->name);
    return HR_E_SCHEMA;
}

static int bind_wanted(struct csv_reader *r, bool *taken, struct hr_error *err) {
    const struct hr_schema *want = r->params->want;
    for (int i = 0; i < want->n_fields; i++) {
        const struct hr_field *field = &want->fields[i];
        struct csv_column *column = &r->columns[i];
        *column = (struct csv_column){
            .file = -1, .type = field->type, .vec = &r->batch->vecs[i], .name = field->name};
        if (r->params->misfit == HR_MISFIT_RESCUE && strcmp(field->name, "_rescued_data") == 0 &&
            field->type.id == HR_T_UTF8) {
            r->rescued = i;
            continue;
        }
        column->file = r->names.count > 0 ? find_name(&r->names, field->name,
                                                      (size_t)i < r->names.count ? (size_t)i : 0)
                                          : -1;
        column->seen.decimal = r->params->infer_decimal;
        if (column->file >= 0 && hr_type_nested(field->type)) {
            return refuse_type(r, field, err);
        }
        if (column->file >= 0) {
            taken[column->file] = true;
            r->text_columns[column->file] |= field->type.id == HR_T_UTF8;
        }
    }
    return 0;
}

static int unknown_column(const struct csv_reader *r, const char *name, struct hr_error *err) {
    hr_fail(err, HR_E_SCHEMA, "could not place the column \"%.100s\": the schema does not have it",
            name);
    hr_error_hint(err, "add it to the schema, or set schema_evolution to widen, rescue or ignore");
    hr_error_place(err, -1, -1, name);
    hr_error_object(err, r->tokens.in.src->name);
    return HR_E_SCHEMA;
}

/* The file's columns that nobody asked for by name. */
static int bind_others(struct csv_reader *r, const bool *taken, struct hr_error *err) {
    const enum hr_misfit misfit = r->params->misfit;
    if (!r->params->want_all || misfit == HR_MISFIT_IGNORE) {
        return 0;
    }
    for (size_t i = 0; i < r->names.count; i++) {
        if (taken[i]) {
            continue;
        }
        if (misfit == HR_MISFIT_STRICT) {
            return unknown_column(r, r->names.items[i], err);
        }
        r->columns[r->n_columns++] =
            (struct csv_column){.file = (int)i,
                                .type = hr_type(HR_T_NULL),
                                .seen = {.decimal = r->params->infer_decimal},
                                .name = r->names.items[i]};
        r->text_columns[i] = true;
    }
    return 0;
}

static int bind_columns(struct csv_reader *r, struct hr_error *err) {
    const size_t n = r->names.count;
    r->n_wanted = r->n_columns = r->params->want->n_fields;
    r->rescued = -1;
    r->columns = hr_calloc((size_t)r->n_wanted + n, sizeof(*r->columns));
    r->text_columns = hr_calloc(n * 2 + 1, sizeof(bool));
    if (r->columns == NULL || r->text_columns == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate %zu columns", n);
    }
    bool *taken = r->text_columns + n;
    int rc = bind_wanted(r, taken, err);
    if (rc == 0) {
        rc = bind_others(r, taken, err);
    }
    r->tokens.text_columns = r->text_columns;
    return rc;
}

/* ---- batches ---- */

static int note_rows(struct csv_reader *r, int64_t count, struct hr_error *err) {
    struct hr_batch *batch = r->batch;
    const struct csv_tokens *t = &r->tokens;
    const int rc = hr_batch_reserve_rows(batch, (size_t)(batch->len + count), err);
    if (rc != 0) {
        return rc;
    }
    int64_t line = hr_csv_row_line(t, r->row);
    uint32_t at = csv_start(&t->rows, r->row, 0);
    for (int64_t i = 0; i < count; i++) {
        const uint32_t start = csv_start(&t->rows, r->row + i, 0);
        line += (int64_t)hr_csv_count(t->in.text + at, start - at, t->marks.newline);
        at = start;
        batch->row_offsets[batch->len + i] = t->in.base + start;
        batch->row_lines[batch->len + i] = line;
    }
    return 0;
}

/* Append `count` rows of the window to the batch. */
static int convert_rows(struct csv_reader *r, int64_t count, struct hr_error *err) {
    int rc = r->params->want_rows ? note_rows(r, count, err) : 0;
    r->convert.batch_row = r->batch->len;
    for (int i = 0; rc == 0 && i < r->n_wanted; i++) {
        if (i != r->rescued) {
            rc = hr_csv_convert(&r->convert, &r->columns[i], i, r->row, count, err);
        }
    }
    for (int i = r->n_wanted; rc == 0 && i < r->n_columns; i++) {
        rc = hr_csv_convert_extra(&r->convert, &r->columns[i], i, r->row, count, err);
    }
    if (rc == 0 && r->convert.strict.row >= 0) {
        if (err != NULL) {
            *err = r->convert.strict.err;
        }
        rc = HR_E_SCHEMA;
    }
    r->batch->len += count;
    r->row += count;
    return rc;
}

/* Fill the batch. HR_END: nothing follows it. */
static int fill_batch(struct csv_reader *r, struct hr_error *err) {
    const int64_t max = r->params->batch_rows > 0 ? r->params->batch_rows : BATCH_ROWS;
    size_t bytes = 0;
    while (r->batch->len < max && bytes < BATCH_BYTES) {
        if (r->row >= r->tokens.rows.count) {
            r->row = 0;
            const int rc = hr_csv_tokens_next(&r->tokens, err);
            if (rc != 0) {
                return rc;
            }
            bytes += r->tokens.rows.used;
        }
        const int64_t there = r->tokens.rows.count - r->row;
        const int64_t room = max - r->batch->len;
        const int64_t count = there < room ? there : room;
        const int rc = convert_rows(r, count < PASS_ROWS ? count : PASS_ROWS, err);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

/* ---- widening ---- */

static struct hr_type need_of(const struct csv_reader *r, const struct csv_column *column) {
    if (column->need.id != HR_T_NULL) {
        return column->need;
    }
    if (column->vec == NULL && r->params->infer_text) {
        return hr_type(HR_T_UTF8);
    }
    return column->type.id == HR_T_NULL ? hr_infer_result(&column->seen) : column->type;
}

/* The schema that holds `want` and all that was met. */
static int build_needs(struct csv_reader *r, struct hr_error *err) {
    const struct hr_schema *want = r->params->want;
    struct hr_schema *needs = hr_schema_new(r->n_columns);
    int rc = needs != NULL ? 0 : HR_E_NOMEM;
    for (int i = 0; rc == 0 && i < r->n_columns; i++) {
        const struct csv_column *column = &r->columns[i];
        if (i < r->n_wanted) {
            rc = hr_field_copy(&needs->fields[i], &want->fields[i]);
        } else {
            rc = hr_field_init(&needs->fields[i], column->name, strlen(column->name),
                               hr_type(HR_T_NULL), 0);
        }
        if (rc == 0 && !hr_type_nested(needs->fields[i].type)) {
            const struct hr_type type = need_of(r, column);
            if (!hr_type_equal(type, needs->fields[i].type)) {
                needs->fields[i].type = type;
            }
        }
    }
    if (rc != 0) {
        hr_schema_unref(needs);
        return hr_fail(err, HR_E_NOMEM, "could not allocate a wider schema");
    }
    r->base.needs = needs;
    return HR_WIDEN;
}

static bool must_widen(const struct csv_reader *r) {
    return r->convert.widen || (r->params->misfit == HR_MISFIT_WIDEN && r->n_columns > r->n_wanted);
}

/* ---- the seam's slots ---- */

static int finish(struct csv_reader *r) {
    r->base.end_record = r->tokens.in.base;
    r->base.end_line = r->tokens.line;
    return HR_END;
}

/* Remember an error for the next call when there are rows to give first. */
static int postpone(struct csv_reader *r, int rc, const struct hr_error *err) {
    if (rc == 0 || r->batch->len == 0 || r->convert.strict.row >= 0) {
        return rc;
    }
    r->failed = rc;
    if (err != NULL) {
        r->failed_err = *err;
    }
    return 0;
}

static int csv_next(struct hr_reader *reader, struct hr_batch **out, struct hr_error *err) {
    struct csv_reader *r = (struct csv_reader *)reader;
    if (r->base.needs != NULL) {
        return HR_WIDEN;
    }
    if (r->failed != 0) {
        if (err != NULL && r->failed < 0) {
            *err = r->failed_err;
        }
        return r->failed == HR_END ? finish(r) : r->failed;
    }
    hr_batch_clear(r->batch);
    int rc = fill_batch(r, err);
    r->base.rejected = r->tokens.rejected;
    r->base.nulled = r->convert.nulled;
    if (rc == HR_E_NOMEM) {
        return rc;
    }
    if (must_widen(r) && r->batch->len > 0) {
        return build_needs(r, err);
    }
    rc = postpone(r, rc, err);
    if (rc != 0) {
        r->failed = rc;
        if (err != NULL && rc < 0) {
            r->failed_err = *err;
        }
        return rc == HR_END ? finish(r) : rc;
    }
    if (r->rescued >= 0) {
        rc = hr_csv_rescue_rows(&r->convert, r->columns, &r->batch->vecs[r->rescued], r->batch->len,
                                err);
        if (rc != 0) {
            return rc;
        }
    }
    r->base.rows += r->batch->len;
    *out = r->batch;
    return 0;
}

static void csv_close(struct hr_reader *reader) {
    struct csv_reader *r = (struct csv_reader *)reader;
    hr_csv_convert_release(&r->convert);
    hr_csv_tokens_close(&r->tokens);
    hr_csv_names_release(&r->names);
    hr_batch_free(r->batch);
    hr_schema_unref(r->base.schema);
    hr_schema_unref(r->base.needs);
    hr_free(r->columns);
    hr_free(r->text_columns);
    hr_free(r);
}

static const struct hr_reader_ops OPS = {.next = csv_next, .close = csv_close};

/* Where the split's first record starts, if one does. */
static int64_t first_record(const struct csv_tokens *t) {
    const bool none = t->in.len == 0 || (t->split_end >= 0 && t->in.base >= t->split_end);
    return none ? -1 : t->in.base;
}

static int open_reader(struct csv_reader *r, struct hr_source *src, struct hr_error *err) {
    int rc = hr_batch_new(r->params->want, &r->batch, err);
    if (rc == 0) {
        rc = hr_csv_tokens_open(&r->tokens, src, &r->dialect, r->params, err);
    }
    if (rc != 0) {
        return rc;
    }
    rc = hr_csv_names_read(&r->tokens, r->params, &r->names, err);
    if (rc == HR_END) {
        r->tokens.finished = true;
        rc = 0;
    }
    if (rc == 0) {
        rc = bind_columns(r, err);
    }
    r->base.first_record = first_record(&r->tokens);
    r->base.end_record = -1;
    return rc;
}

int hr_csv_open(struct hr_source *src, const struct hr_format_opts *opts,
                const struct hr_read_params *params, const char *delimiter, struct hr_reader **out,
                struct hr_error *err) {
    struct csv_reader *r = hr_calloc(1, sizeof(*r));
    *out = NULL;
    if (r == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate a CSV reader");
    }
    r->base.ops = &OPS;
    r->params = params;
    r->base.schema = hr_schema_ref(params->want);
    r->convert = (struct csv_convert){.d = &r->dialect,
                                      .kernels = hr_csv_kernels_pick(),
                                      .params = params,
                                      .tokens = &r->tokens,
                                      .strict = {.row = -1}};
    int rc = hr_csv_dialect_init(&r->dialect, &opts->csv, delimiter, err);
    if (rc == 0) {
        rc = open_reader(r, src, err);
    }
    if (rc != 0) {
        csv_close(&r->base);
        return rc;
    }
    *out = &r->base;
    return 0;
}
