/* format/csv/csv_convert.c - the cells of a window, column by column, into typed columns.
 *
 * Runs of 64 cells go through a kernel; what it leaves (nulls, quotes, odd spellings, misfits) is
 * settled here one by one, exactly. A value that does not fit its column's type is treated as
 * hr_misfit says: the column's need is widened, the first one in row order is kept as the error, it
 * becomes null, or it becomes null and is put aside for _rescued_data.
 */
#include <stdlib.h>

#include "format/csv/csv_internal.h"

static struct csv_run run_of(const struct csv_tokens *t, size_t column, int64_t from,
                             int64_t count) {
    const struct csv_rows *rows = &t->rows;
    const size_t at = (size_t)from * rows->stride + column;
    struct csv_run run = {.text = t->in.text,
                          .starts = rows->starts + at,
                          .ends = rows->ends + at,
                          .delta = rows->delta,
                          .start_stride = rows->stride,
                          .end_stride = rows->stride,
                          .count = (unsigned)(count < 64 ? count : 64)};
    if (rows->last_ends != NULL && column + 1 == rows->stride) {
        run.ends = rows->last_ends + from;
        run.end_stride = 1;
    }
    return run;
}

static struct hr_slice cell_of(const struct csv_tokens *t, size_t column, int64_t row) {
    const uint32_t start = csv_start(&t->rows, row, column);
    return hr_slice_of(t->in.text + start, csv_end(&t->rows, row, column) - start);
}

static int cell_text(struct csv_convert *cv, size_t column, int64_t row, struct hr_slice *out,
                     bool *quoted, struct hr_error *err) {
    const struct csv_tokens *t = cv->tokens;
    return hr_csv_cell(cv->d, t->in.charset, cell_of(t, column, row), &cv->scratch, out, quoted,
                       err);
}

/* ---- nulls ---- */

/* Ones for [at, at + count). */
static void set_bits(uint8_t *bits, int64_t at, int64_t count) {
    int64_t i = 0;
    for (; i < count && ((at + i) & 7) != 0; i++) {
        hr_bit_set(bits, at + i);
    }
    memset(bits + ((at + i) >> 3), 0xff, (size_t)((count - i) >> 3));
    for (i += (count - i) & ~(int64_t)7; i < count; i++) {
        hr_bit_set(bits, at + i);
    }
}

/* The column is being given `count` values from vec->len on; the one at `index` is null. */
static int set_null(struct hr_vec *vec, int64_t index, int64_t count, struct hr_error *err) {
    if (vec->validity == NULL) {
        const int rc = hr_vec_need_validity(vec, (size_t)count, err);
        if (rc != 0) {
            return rc;
        }
        set_bits(vec->validity, vec->len, count);
    }
    hr_bit_clear(vec->validity, index);
    vec->nulls++;
    return 0;
}

static int begin_run(struct hr_vec *vec, int64_t count, struct hr_error *err) {
    const int rc = hr_vec_reserve(vec, (size_t)count, err);
    if (rc == 0 && vec->validity != NULL) {
        set_bits(vec->validity, vec->len, count);
    }
    return rc;
}

/* ---- misfits ---- */

static int keep_rescue(struct csv_convert *cv, int column, int64_t row, struct hr_slice value,
                       struct hr_error *err) {
    if (cv->n_rescues == cv->rescues_cap) {
        const size_t cap = cv->rescues_cap ? cv->rescues_cap * 2 : 64;
        struct csv_rescue *grown = hr_reallocarray(cv->rescues, cap, sizeof(*grown));
        if (grown == NULL) {
            return hr_fail(err, HR_E_NOMEM, "could not allocate room for rescued values");
        }
        cv->rescues = grown;
        cv->rescues_cap = cap;
    }
    const size_t at = cv->rescued.len;
    cv->rescues[cv->n_rescues++] =
        (struct csv_rescue){.row = row, .column = column, .at = at, .len = value.len};
    return hr_buf_append(&cv->rescued, value.ptr, value.len, err);
}

static void note_strict(struct csv_convert *cv, const struct csv_column *column, int number,
                        int64_t row, struct hr_slice value) {
    if (cv->strict.row >= 0 &&
        (cv->strict.row < row || (cv->strict.row == row && cv->strict.column < number))) {
        return;
    }
    char shown[100];
    struct hr_buf type;
    hr_buf_init(&type, 0);
    const struct hr_field field = {.name = NULL, .type = column->type};
    const bool named = hr_field_type_text(&field, &type, NULL) == 0;
    struct hr_error *e = &cv->strict.err;
    hr_fail(e, HR_E_SCHEMA, "could not read \"%s\" as %s",
            hr_printable(value, 80, shown, sizeof(shown)), named ? hr_buf_cstr(&type) : "its type");
    hr_error_hint(e, "correct the value, give the column a wider type, or set schema_evolution to "
                     "widen, rescue or ignore");
    hr_error_place(e, hr_csv_row_offset(cv->tokens, row), hr_csv_row_line(cv->tokens, row),
                   column->name);
    hr_error_object(e, cv->tokens->in.src->name);
    hr_buf_release(&type);
    cv->strict.row = row;
    cv->strict.column = number;
}

static bool is_decimal(struct hr_type type) {
    return type.id == HR_T_DEC128 || type.id == HR_T_DEC256;
}

/* What the column must become to hold this text too. */
static void note_need(struct csv_convert *cv, struct csv_column *column, struct hr_slice value) {
    const struct hr_type has = column->need.id != HR_T_NULL ? column->need : column->type;
    const struct hr_type met = hr_infer_text((const char *)value.ptr, value.len,
                                             cv->params->infer_decimal || is_decimal(has));
    struct hr_type need = hr_type_meet(has, met);
    if (hr_type_equal(need, column->type)) {
        need = hr_type(HR_T_UTF8); /* a value of that type that does not fit: no way but text */
    }
    column->need = need;
    cv->widen = true;
}

static int misfit(struct csv_convert *cv, struct csv_column *column, int number, int64_t row,
                  int64_t batch_row, struct hr_slice value, struct hr_error *err) {
    switch (cv->params->misfit) {
    case HR_MISFIT_WIDEN: note_need(cv, column, value); return 0;
    case HR_MISFIT_STRICT: note_strict(cv, column, number, row, value); return 0;
    case HR_MISFIT_RESCUE: cv->nulled++; return keep_rescue(cv, number, batch_row, value, err);
    case HR_MISFIT_IGNORE:
    default: cv->nulled++; return 0;
    }
}

/* ---- fixed-width columns ---- */

static unsigned leniency(const struct csv_convert *cv) {
    return (cv->params->declared ? HR_LENIENT_NUMBERS : 0u) |
           (cv->params->times_utc ? HR_LENIENT_TIMES : 0u);
}

/* One cell the kernel left, into dst; *null when it is (or becomes) null. */
static int exact_value(struct csv_convert *cv, struct csv_column *column, int number, int64_t row,
                       int64_t batch_row, union hr_cell *out, bool *null, struct hr_error *err) {
    struct hr_slice value;
    bool quoted;
    int rc = cell_text(cv, (size_t)column->file, row, &value, &quoted, err);
    if (rc != 0) {
        return rc;
    }
    const char *text = (const char *)value.ptr;
    memset(out, 0, sizeof(*out));
    *null = value.len == 0 || hr_csv_is_null(cv->d, value.ptr, value.len);
    if (*null) {
        return 0;
    }
    if (column->type.id == HR_T_BOOL) {
        const int word =
            hr_infer_bool(text, value.len, &cv->d->opts->true_values, &cv->d->opts->false_values);
        out->i64 = word > 0;
        *null = word < 0;
    } else {
        *null = !hr_infer_convert(column->type, text, value.len, leniency(cv), out);
    }
    return *null ? misfit(cv, column, number, row, batch_row, value, err) : 0;
}

/* Narrow integers from a run of int64; cells out of range are left. */
static uint64_t narrow(enum hr_type_id id, const int64_t *in, unsigned count, uint8_t *out) {
    static const int64_t min[] = {INT8_MIN, INT16_MIN, INT32_MIN, 0, 0, 0, 0};
    static const int64_t max[] = {INT8_MAX,  INT16_MAX,  INT32_MAX, 0,
                                  UINT8_MAX, UINT16_MAX, UINT32_MAX};
    static const uint8_t width[] = {1, 2, 4, 8, 1, 2, 4};
    const unsigned k = (unsigned)id - HR_T_I8;
    uint64_t slow = 0;
    for (unsigned i = 0; i < count; i++) {
        slow |= (uint64_t)(in[i] < min[k] || in[i] > max[k]) << i;
        memcpy(out + (size_t)i * width[k], &in[i], width[k]);
    }
    return slow;
}

static uint64_t decimals(const struct csv_kernels *kernels, const struct csv_run *run,
                         struct hr_type type, uint8_t *out) {
    static const int64_t limit[] = {1,
                                    10,
                                    100,
                                    1000,
                                    10000,
                                    100000,
                                    1000000,
                                    10000000,
                                    100000000,
                                    1000000000,
                                    10000000000,
                                    100000000000,
                                    1000000000000,
                                    10000000000000,
                                    100000000000000,
                                    1000000000000000,
                                    10000000000000000,
                                    100000000000000000,
                                    1000000000000000000};
    int64_t values[64];
    uint64_t slow = kernels->dec(run, type.scale, values);
    for (unsigned i = 0; i < run->count; i++) {
        if (type.precision <= 18 &&
            (values[i] >= limit[type.precision] || values[i] <= -limit[type.precision])) {
            slow |= (uint64_t)1 << i;
        }
        const hr_i128 wide = values[i];
        memcpy(out + (size_t)i * 16, &wide, 16);
    }
    return slow;
}

/* Through the kernel of the type; returns which cells are left, all where there is no kernel. */
static uint64_t convert_run(const struct csv_convert *cv, const struct csv_run *run,
                            struct hr_type type, uint8_t *out) {
    static const int64_t per_second[] = {1, 1000, 1000000, 1000000000};
    const struct csv_kernels *k = cv->kernels;
    const uint64_t all = ~(uint64_t)0 >> (64 - run->count);
    if (!cv->d->null_plain) {
        return all;
    }
    switch ((enum hr_type_id)type.id) {
    case HR_T_I64: return k->i64(run, (int64_t *)(void *)out);
    case HR_T_F64: return k->f64(run, (double *)(void *)out);
    case HR_T_DATE32: return k->date(run, (int32_t *)(void *)out);
    case HR_T_TS: return k->ts(run, type.utc, per_second[type.unit], (int64_t *)(void *)out);
    case HR_T_DEC128: return decimals(k, run, type, out);
    case HR_T_I8:
    case HR_T_I16:
    case HR_T_I32:
    case HR_T_U8:
    case HR_T_U16:
    case HR_T_U32: {
        int64_t values[64];
        const uint64_t slow = k->i64(run, values);
        return slow | narrow((enum hr_type_id)type.id, values, run->count, out);
    }
    case HR_T_F32: {
        double values[64];
        const uint64_t slow = k->f64(run, values);
        for (unsigned i = 0; i < run->count; i++) {
            ((float *)(void *)out)[i] = (float)values[i];
        }
        return slow;
    }
    default: return all;
    }
}

static int fixed_column(struct csv_convert *cv, struct csv_column *column, int number, int64_t from,
                        int64_t count, struct hr_error *err) {
    struct hr_vec *vec = column->vec;
    const size_t width = (size_t)hr_type_width(column->type);
    int rc = begin_run(vec, count, err);
    for (int64_t g = 0; rc == 0 && g < count; g += 64) {
        const struct csv_run run = run_of(cv->tokens, (size_t)column->file, from + g, count - g);
        uint8_t *out = vec->data + (size_t)(vec->len + g) * width;
        uint64_t left = convert_run(cv, &run, column->type, out);
        for (; rc == 0 && left != 0; left &= left - 1) {
            const unsigned i = (unsigned)__builtin_ctzll(left);
            union hr_cell cell = {0};
            bool null = true;
            if (run.starts[i * run.start_stride] + run.delta != run.ends[i * run.end_stride]) {
                rc = exact_value(cv, column, number, from + g + i, cv->batch_row + g + i, &cell,
                                 &null, err);
            }
            memcpy(out + i * width, cell.bytes, width);
            if (rc == 0 && null) {
                rc = set_null(vec, vec->len + g + i, count, err);
            }
        }
    }
    if (rc == 0) {
        vec->len += count;
    }
    return rc;
}

/* -1: not plainly one of the default words. */
static int plain_word(struct hr_slice s) {
    if (s.len == 4 && memcmp(s.ptr, "true", 4) == 0) {
        return 1;
    }
    return s.len == 5 && memcmp(s.ptr, "false", 5) == 0 ? 0 : -1;
}

static int bool_column(struct csv_convert *cv, struct csv_column *column, int number, int64_t from,
                       int64_t count, struct hr_error *err) {
    struct hr_vec *vec = column->vec;
    int rc = begin_run(vec, count, err);
    for (int64_t i = 0; rc == 0 && i < count; i++) {
        const struct hr_slice raw = cell_of(cv->tokens, (size_t)column->file, from + i);
        union hr_cell cell = {.i64 = cv->d->bool_plain ? plain_word(raw) : -1};
        if (cell.i64 < 0) {
            bool null = true;
            cell.i64 = 0;
            if (raw.len > 0) {
                rc =
                    exact_value(cv, column, number, from + i, cv->batch_row + i, &cell, &null, err);
            }
            if (rc == 0 && null) {
                rc = set_null(vec, vec->len + i, count, err);
            }
        }
        if (cell.i64 != 0) {
            hr_bit_set(vec->data, vec->len + i);
        } else {
            hr_bit_clear(vec->data, vec->len + i);
        }
    }
    if (rc == 0) {
        vec->len += count;
    }
    return rc;
}

/* ---- text ---- */

/* Room for `extra` bytes behind out->pos. */
static int grow_text(struct hr_vec *vec, struct csv_text_out *out, size_t extra,
                     struct hr_error *err) {
    vec->data_len = out->pos;
    const int rc = hr_vec_reserve_bytes(vec, extra, err);
    out->data = vec->data;
    out->cap = vec->data_cap < INT32_MAX ? vec->data_cap : INT32_MAX;
    return rc;
}

/* The cell the text kernel stopped at. */
static int exact_text(struct csv_convert *cv, struct csv_column *column, int number, int64_t row,
                      int64_t batch_row, unsigned i, struct csv_text_out *out, bool *null,
                      struct hr_error *err) {
    struct hr_slice value;
    bool quoted;
    int rc = cell_text(cv, (size_t)column->file, row, &value, &quoted, err);
    if (rc != 0) {
        return rc;
    }
    *null = !quoted && hr_csv_is_null(cv->d, value.ptr, value.len);
    const size_t need = *null ? 0 : value.len;
    if (out->pos + need + 64 > out->cap) {
        rc = grow_text(column->vec, out, need + 4096, err);
        if (rc != 0) {
            return rc;
        }
    }
    if (column->type.id == HR_T_UTF8) {
        if (need > 0) {
            memcpy(out->data + out->pos, value.ptr, need);
        }
        out->pos += need;
    } else if (!*null && value.len > 0) {
        /* BINARY: base64, appended through the shared converter. */
        const struct hr_type type = column->type;
        const struct hr_field field = {.name = NULL, .type = type};
        struct hr_vec one = {.field = &field};
        rc = hr_infer_append(&one, (const char *)value.ptr, value.len, leniency(cv), err);
        if (rc == 0) {
            memcpy(out->data + out->pos, one.data, one.data_len); /* shorter than its base64 */
            out->pos += one.data_len;
        } else if (rc == HR_MORE) {
            *null = true;
            rc = misfit(cv, column, number, row, batch_row, value, err);
        }
        hr_vec_release(&one);
    }
    out->offsets[i + 1] = (int32_t)out->pos;
    return rc;
}

/* One run, whose first cell is row `from` of the window and row `batch_row` of the batch. */
static int text_run(struct csv_convert *cv, struct csv_column *column, int number, int64_t from,
                    int64_t batch_row, const struct csv_run *run, bool plain,
                    struct csv_text_out *out, uint64_t *nulls, struct hr_error *err) {
    uint64_t empty = 0;
    for (unsigned i = 0; i < run->count; i++) {
        if (plain) {
            i = cv->kernels->text(run, i, out, &empty);
            if (i == run->count) {
                break;
            }
        }
        bool null = false;
        const int rc = exact_text(cv, column, number, from + i, batch_row + i, i, out, &null, err);
        if (rc != 0) {
            return rc;
        }
        empty &= ~((uint64_t)1 << i);
        *nulls |= (uint64_t)null << i;
    }
    if (cv->d->empty_null) {
        *nulls |= empty;
    }
    return 0;
}

static int text_column(struct csv_convert *cv, struct csv_column *column, int number, int64_t from,
                       int64_t count, struct hr_error *err) {
    struct hr_vec *vec = column->vec;
    const struct csv_dialect *d = cv->d;
    const bool plain = column->type.id == HR_T_UTF8 && d->escape < 0 && !d->trim &&
                       (cv->tokens->in.charset == NULL || cv->tokens->rows.ascii);
    struct csv_text_out out = {.data = vec->data,
                               .pos = vec->data_len,
                               .slow_lens = d->null_lens & ~(uint64_t)1,
                               .slow_firsts = d->null_firsts,
                               .quote = d->quote};
    int rc = begin_run(vec, count, err);
    if (rc == 0) {
        rc = grow_text(vec, &out, (size_t)count * 8 + 4096, err);
    }
    for (int64_t g = 0; rc == 0 && g < count; g += 64) {
        const struct csv_run run = run_of(cv->tokens, (size_t)column->file, from + g, count - g);
        uint64_t nulls = 0;
        out.offsets = vec->offsets + vec->len + g;
        rc = text_run(cv, column, number, from + g, cv->batch_row + g, &run, plain, &out, &nulls,
                      err);
        for (; rc == 0 && nulls != 0; nulls &= nulls - 1) {
            rc = set_null(vec, vec->len + g + __builtin_ctzll(nulls), count, err);
        }
    }
    vec->data_len = out.pos;
    if (rc == 0) {
        vec->len += count;
    }
    return rc;
}

/* ---- columns without a type yet ---- */

/* Show the non-null cells to inference. */
static int see_column(struct csv_convert *cv, struct csv_column *column, int64_t from,
                      int64_t count, struct hr_error *err) {
    for (int64_t i = 0; i < count; i++) {
        struct hr_slice value;
        bool quoted;
        const int rc = cell_text(cv, (size_t)column->file, from + i, &value, &quoted, err);
        if (rc != 0) {
            return rc;
        }
        if (value.len == 0 || hr_csv_is_null(cv->d, value.ptr, value.len)) {
            column->seen.nulls++;
            continue;
        }
        const char *text = (const char *)value.ptr;
        hr_infer_add(&column->seen, text, value.len,
                     hr_infer_bool(text, value.len, &cv->d->opts->true_values,
                                   &cv->d->opts->false_values) >= 0);
    }
    return 0;
}

static int rescue_column(struct csv_convert *cv, struct csv_column *column, int number,
                         int64_t from, int64_t count, struct hr_error *err) {
    int rc = 0;
    for (int64_t i = 0; rc == 0 && i < count; i++) {
        struct hr_slice value;
        bool quoted;
        rc = cell_text(cv, (size_t)column->file, from + i, &value, &quoted, err);
        if (rc == 0 && value.len > 0 && !hr_csv_is_null(cv->d, value.ptr, value.len)) {
            rc = keep_rescue(cv, number, cv->batch_row + i, value, err);
        }
    }
    return rc;
}

static int null_column(struct csv_convert *cv, struct csv_column *column, int number, int64_t from,
                       int64_t count, struct hr_error *err) {
    int rc = hr_vec_append_nulls(column->vec, (size_t)count, err);
    if (rc != 0) {
        return rc;
    }
    if (cv->params->misfit == HR_MISFIT_WIDEN) {
        const int64_t before = column->seen.values;
        rc = see_column(cv, column, from, count, err);
        cv->widen |= column->seen.values > before;
        return rc;
    }
    for (int64_t i = 0; rc == 0 && i < count; i++) {
        struct hr_slice value;
        bool quoted;
        rc = cell_text(cv, (size_t)column->file, from + i, &value, &quoted, err);
        if (rc == 0 && value.len > 0 && !hr_csv_is_null(cv->d, value.ptr, value.len)) {
            rc = misfit(cv, column, number, from + i, cv->batch_row + i, value, err);
        }
    }
    return rc;
}

int hr_csv_convert_extra(struct csv_convert *cv, struct csv_column *column, int number,
                         int64_t from, int64_t count, struct hr_error *err) {
    if (cv->params->misfit == HR_MISFIT_RESCUE) {
        return rescue_column(cv, column, number, from, count, err);
    }
    return see_column(cv, column, from, count, err);
}

int hr_csv_convert(struct csv_convert *cv, struct csv_column *column, int number, int64_t from,
                   int64_t count, struct hr_error *err) {
    if (column->file < 0) {
        column->vec->missing = true;
        return hr_vec_append_nulls(column->vec, (size_t)count, err);
    }
    switch ((enum hr_type_id)column->type.id) {
    case HR_T_NULL: return null_column(cv, column, number, from, count, err);
    case HR_T_BOOL: return bool_column(cv, column, number, from, count, err);
    case HR_T_UTF8:
    case HR_T_BINARY: return text_column(cv, column, number, from, count, err);
    default: return fixed_column(cv, column, number, from, count, err);
    }
}

/* ---- rescued values ---- */

static int by_row(const void *a, const void *b) {
    const struct csv_rescue *x = a;
    const struct csv_rescue *y = b;
    if (x->row != y->row) {
        return x->row < y->row ? -1 : 1;
    }
    return x->column < y->column ? -1 : x->column > y->column;
}

/* {"column":"text", …} of the rescues [i, end). */
static int rescue_json(const struct csv_convert *cv, const struct csv_column *columns, size_t i,
                       size_t end, struct hr_buf *out, struct hr_error *err) {
    int rc = hr_buf_append_byte(out, '{', err);
    for (size_t k = i; rc == 0 && k < end; k++) {
        const struct csv_rescue *r = &cv->rescues[k];
        rc = k > i ? hr_buf_append_byte(out, ',', err) : 0;
        if (rc == 0) {
            rc = hr_buf_append_json(out, hr_slice_str(columns[r->column].name), err);
        }
        if (rc == 0) {
            rc = hr_buf_append_byte(out, ':', err);
        }
        if (rc == 0) {
            rc = hr_buf_append_json(out, hr_slice_of(cv->rescued.ptr + r->at, r->len), err);
        }
    }
    return rc == 0 ? hr_buf_append_byte(out, '}', err) : rc;
}

int hr_csv_rescue_rows(struct csv_convert *cv, const struct csv_column *columns, struct hr_vec *vec,
                       int64_t rows, struct hr_error *err) {
    int rc = 0;
    if (cv->n_rescues > 1) {
        qsort(cv->rescues, cv->n_rescues, sizeof(*cv->rescues), by_row);
    }
    for (size_t i = 0; rc == 0 && i < cv->n_rescues;) {
        const int64_t row = cv->rescues[i].row;
        size_t end = i + 1;
        while (end < cv->n_rescues && cv->rescues[end].row == row) {
            end++;
        }
        if (row > vec->len) {
            rc = hr_vec_append_nulls(vec, (size_t)(row - vec->len), err);
        }
        hr_buf_clear(&cv->scratch);
        if (rc == 0) {
            rc = rescue_json(cv, columns, i, end, &cv->scratch, err);
        }
        if (rc == 0) {
            rc = hr_vec_append_bytes(vec, cv->scratch.ptr, cv->scratch.len, err);
        }
        i = end;
    }
    if (rc == 0 && vec->len < rows) {
        rc = hr_vec_append_nulls(vec, (size_t)(rows - vec->len), err);
    }
    cv->n_rescues = 0;
    hr_buf_clear(&cv->rescued);
    return rc;
}

void hr_csv_convert_release(struct csv_convert *cv) {
    hr_buf_release(&cv->scratch);
    hr_buf_release(&cv->rescued);
    hr_free(cv->rescues);
    cv->rescues = NULL;
}
