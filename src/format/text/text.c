/* format/text/text.c - the text leaf: one row per line, one utf8 column named `line`. Read only.
 *
 * Lines end at LF, a CR in front of it is dropped; a file without any LF may end its lines with CR.
 * Every line is a row, empty ones too; a last line without an end counts, nothing behind a last end
 * does. The encoding is csv_encoding's. A line that is not valid in it is a bad record.
 */
#include <stdio.h>

#include "base/utf8.h"
#include "format/format.h"
#include "format/textin.h"

#define WINDOW ((size_t)256 << 10)
#define BATCH_ROWS 8192
#define BATCH_BYTES ((size_t)8 << 20)
#define COLUMN "line"

struct text_reader {
    struct hr_reader base;
    const struct hr_read_params *params;
    struct hr_textin in;
    struct hr_batch *batch;
    struct hr_vec *vec; /* where lines go; NULL: nobody wants them */
    struct hr_buf scratch;
    size_t line_max;
    size_t at;    /* bytes of the window taken */
    int64_t line; /* number of the line at `at` */
    uint8_t newline;
    int failed; /* given on the next call */
    struct hr_error failed_err;
};

/* ---- lines ---- */

/* The next whole line as it stands, the window moved on behind it. HR_END: no more. */
static int next_line(struct text_reader *r, struct hr_slice *out, int64_t *offset,
                     struct hr_error *err) {
    size_t want = WINDOW;
    size_t seen = 0; /* bytes of the line already searched */
    for (;;) {
        const uint8_t *from = r->in.text + r->at;
        const size_t left = r->in.len - r->at;
        const uint8_t *end = left > seen ? memchr(from + seen, r->newline, left - seen) : NULL;
        if (end != NULL || (r->in.eof && left > 0)) {
            const size_t len = end != NULL ? (size_t)(end - from) : left;
            *out = hr_slice_of(from, len);
            *offset = r->in.base + (int64_t)r->at;
            r->at += len + (end != NULL);
            r->line++;
            return 0;
        }
        if (r->in.eof) {
            return HR_END;
        }
        if (left > r->line_max) {
            hr_fail(err, HR_E_BOUND, "could not read line %lld: it is longer than %zu bytes",
                    (long long)r->line, r->line_max);
            hr_error_place(err, r->in.base + (int64_t)r->at, r->line, NULL);
            hr_error_object(err, r->in.src->name);
            return HR_E_BOUND;
        }
        seen = left;
        hr_textin_drop(&r->in, r->at);
        r->at = 0;
        want = left * 2 > want ? left * 2 : want;
        const int rc = hr_textin_fill(&r->in, want, err);
        if (rc != 0) {
            return rc;
        }
    }
}

static int bad_line(struct text_reader *r, struct hr_slice line, int64_t offset,
                    struct hr_error *err) {
    char reason[120];
    snprintf(reason, sizeof(reason), "it is not valid %s text (see csv_encoding)",
             r->in.charset != NULL ? r->in.encoding : "UTF-8");
    const struct hr_reject what = {.byte_offset = offset,
                                   .line = r->line - 1,
                                   .reason = reason,
                                   .raw = {line.ptr, line.len < 65536 ? line.len : 65536}};
    if (r->params->reject != NULL) {
        r->base.rejected++;
        return r->params->reject(r->params->reject_user, &what, err);
    }
    char shown[100];
    hr_fail(err, HR_E_FORMAT, "could not read line %lld: %s", (long long)what.line, reason);
    hr_error_detail(err, "the line begins: %s", hr_printable(line, 80, shown, sizeof(shown)));
    hr_error_hint(err, "set csv_encoding, for example latin1 or cp1252, or set on_error to skip or "
                       "quarantine");
    hr_error_place(err, offset, what.line, COLUMN);
    hr_error_object(err, r->in.src->name);
    return HR_E_FORMAT;
}

static int append_line(struct text_reader *r, struct hr_slice line, struct hr_error *err) {
    if (r->in.charset != NULL) { /* what looks like UTF-8 is not meant so */
        hr_buf_clear(&r->scratch);
        const int rc = hr_charset_append(r->in.charset, line, &r->scratch, err);
        if (rc != 0) {
            return rc;
        }
        line = hr_buf_slice(&r->scratch);
    }
    return hr_vec_append_bytes(r->vec, line.ptr, line.len, err);
}

static bool line_ok(const struct text_reader *r, struct hr_slice line) {
    return r->in.charset != NULL ? hr_charset_valid(r->in.charset, line)
                                 : hr_utf8_valid(line.ptr, line.len);
}

static int add_row(struct text_reader *r, struct hr_slice line, int64_t offset,
                   struct hr_error *err) {
    struct hr_batch *batch = r->batch;
    int rc = 0;
    if (r->newline == '\n' && line.len > 0 && line.ptr[line.len - 1] == '\r') {
        line.len--;
    }
    if (!line_ok(r, line)) {
        return bad_line(r, line, offset, err);
    }
    if (r->params->want_rows) {
        rc = hr_batch_reserve_rows(batch, (size_t)batch->len + 1, err);
        if (rc == 0) {
            batch->row_offsets[batch->len] = offset;
            batch->row_lines[batch->len] = r->line - 1;
        }
    }
    if (rc == 0 && r->vec != NULL) {
        rc = append_line(r, line, err);
    }
    batch->len += rc == 0;
    return rc;
}

/* ---- the seam's slots ---- */

static bool past_split(const struct text_reader *r) {
    const int64_t end = r->params->split_end;
    return end >= 0 && r->in.base + (int64_t)r->at >= end;
}

static int fill_batch(struct text_reader *r, struct hr_error *err) {
    const int64_t max = r->params->batch_rows > 0 ? r->params->batch_rows : BATCH_ROWS;
    size_t bytes = 0;
    while (r->batch->len < max && bytes < BATCH_BYTES) {
        struct hr_slice line;
        int64_t offset;
        int rc = past_split(r) ? HR_END : next_line(r, &line, &offset, err);
        if (rc == 0) {
            bytes += line.len;
            rc = add_row(r, line, offset, err);
        }
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

static int give_failure(struct text_reader *r, struct hr_error *err) {
    if (r->failed == HR_END) {
        r->base.end_record = r->in.base + (int64_t)r->at;
        r->base.end_line = r->line;
    } else if (err != NULL) {
        *err = r->failed_err;
    }
    return r->failed;
}

static int text_next(struct hr_reader *reader, struct hr_batch **out, struct hr_error *err) {
    struct text_reader *r = (struct text_reader *)reader;
    struct hr_error local;
    if (r->base.needs != NULL) {
        return HR_WIDEN;
    }
    if (r->failed != 0) {
        return give_failure(r, err);
    }
    hr_batch_clear(r->batch);
    hr_error_clear(&local);
    int rc = fill_batch(r, &local);
    if (rc != 0) {
        r->failed = rc;
        r->failed_err = local;
        if (r->batch->len == 0 || rc == HR_E_NOMEM) {
            return give_failure(r, err);
        }
    }
    for (int i = 0; i < r->batch->schema->n_fields; i++) {
        struct hr_vec *vec = &r->batch->vecs[i];
        if (vec != r->vec) {
            rc = hr_vec_append_nulls(vec, (size_t)r->batch->len, err);
            if (rc != 0) {
                return rc;
            }
        }
    }
    r->base.rows += r->batch->len;
    *out = r->batch;
    return 0;
}

static void text_close(struct hr_reader *reader) {
    struct text_reader *r = (struct text_reader *)reader;
    hr_textin_close(&r->in);
    hr_buf_release(&r->scratch);
    hr_batch_free(r->batch);
    hr_schema_unref(r->base.schema);
    hr_schema_unref(r->base.needs);
    hr_free(r);
}

static const struct hr_reader_ops OPS = {.next = text_next, .close = text_close};

/* The column `want` must get. */
static int widen(struct text_reader *r, struct hr_error *err) {
    struct hr_schema *line = hr_schema_new(1);
    int rc = line != NULL ? 0 : HR_E_NOMEM;
    if (rc == 0) {
        rc = hr_field_init(&line->fields[0], COLUMN, strlen(COLUMN), hr_type(HR_T_UTF8), 0);
    }
    if (rc == 0) {
        rc = hr_schema_meet(r->params->want, line, &r->base.needs);
    }
    hr_schema_unref(line);
    return rc == 0 ? 0 : hr_fail(err, HR_E_NOMEM, "could not allocate a wider schema");
}

static int bind_column(struct text_reader *r, struct hr_error *err) {
    const struct hr_schema *want = r->params->want;
    const int i = hr_schema_find(want, COLUMN, strlen(COLUMN));
    const enum hr_misfit misfit = r->params->misfit;
    if (i >= 0 && want->fields[i].type.id == HR_T_UTF8) {
        r->vec = &r->batch->vecs[i];
        return 0;
    }
    if ((i >= 0 || r->params->want_all) && misfit == HR_MISFIT_WIDEN) {
        return widen(r, err);
    }
    if ((i >= 0 || r->params->want_all) && misfit == HR_MISFIT_STRICT) {
        hr_fail(err, HR_E_SCHEMA,
                "could not read lines of text: the schema has no utf8 column \"" COLUMN "\"");
        hr_error_place(err, -1, -1, COLUMN);
        hr_error_object(err, r->in.src->name);
        return HR_E_SCHEMA;
    }
    return 0;
}

/* Look at the first window: how lines end, and where the split's first line begins. */
static int enter(struct text_reader *r, struct hr_error *err) {
    const int64_t begin = r->params->split_begin;
    int rc = hr_textin_fill(&r->in, WINDOW, err);
    if (rc != 0) {
        return rc;
    }
    const bool lf = r->in.len > 0 && memchr(r->in.text, '\n', r->in.len) != NULL;
    const bool cr = r->in.len > 0 && memchr(r->in.text, '\r', r->in.len) != NULL;
    r->newline = begin == 0 && !lf && cr ? '\r' : '\n'; /* only files with LF are split */
    if (begin > 0 && r->params->split_exact) {
        r->at = r->in.len > 0;
    } else if (begin > 0) {
        struct hr_slice unused;
        int64_t offset;
        rc = next_line(r, &unused, &offset, err);
        rc = rc == HR_END ? 0 : rc;
    }
    r->line = 1;
    const bool none = past_split(r) || (r->in.eof && r->at == r->in.len);
    r->base.first_record = none ? -1 : r->in.base + (int64_t)r->at;
    r->base.end_record = -1;
    return rc;
}

static int refuse_split(const struct text_reader *r, struct hr_error *err) {
    hr_fail(err, HR_E_UNSUPPORTED, "could not read a part of a file in %s: only whole ones",
            r->in.encoding);
    hr_error_object(err, r->in.src->name);
    return HR_E_UNSUPPORTED;
}

static int text_open(struct hr_source *src, const struct hr_format_opts *opts,
                     const struct hr_read_params *params, struct hr_reader **out,
                     struct hr_error *err) {
    struct text_reader *r = hr_calloc(1, sizeof(*r));
    *out = NULL;
    if (r == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate a text reader");
    }
    r->base.ops = &OPS;
    r->base.schema = hr_schema_ref(params->want);
    r->params = params;
    r->line_max = params->cell_max ? params->cell_max : (size_t)128 << 20;
    int rc = hr_batch_new(params->want, &r->batch, err);
    if (rc == 0) {
        const int64_t base = params->split_begin > 0 ? params->split_begin - 1 : 0;
        rc = hr_textin_open(&r->in, src, opts->csv.encoding, base, r->line_max * 2 + 4 * WINDOW,
                            err);
    }
    if (rc == 0 && r->in.cd != NULL && (params->split_begin > 0 || params->split_end >= 0)) {
        rc = refuse_split(r, err);
    }
    if (rc == 0) {
        rc = enter(r, err);
    }
    if (rc == 0) {
        rc = bind_column(r, err);
    }
    if (rc != 0) {
        text_close(&r->base);
        return rc;
    }
    *out = &r->base;
    return 0;
}

/* Always the same schema; the sample is not even read. */
static int text_infer(struct hr_source *src, const struct hr_format_opts *opts,
                      const struct hr_infer_params *params, struct hr_schema **out,
                      struct hr_error *err) {
    (void)src;
    (void)opts;
    (void)params;
    struct hr_schema *schema = hr_schema_new(1);
    *out = NULL;
    if (schema == NULL ||
        hr_field_init(&schema->fields[0], COLUMN, strlen(COLUMN), hr_type(HR_T_UTF8), 0) != 0) {
        hr_schema_unref(schema);
        return hr_fail(err, HR_E_NOMEM, "could not allocate a schema");
    }
    *out = schema;
    return 0;
}

/* Anything that is text may be lines of it: the lowest bid there is. */
static int text_probe(const uint8_t *head, size_t len) {
    return len > 0 && memchr(head, 0, len) == NULL ? 1 : 0;
}

static const char *const SUFFIXES[] = {".txt", ".text", ".log", NULL};

/* One small read: the mark in front may say UTF-16. */
static int text_layout(struct hr_source *src, const struct hr_format_opts *opts,
                       struct hr_layout *out, struct hr_error *err) {
    struct hr_slice head = {0};
    const int rc = hr_source_next(src, &head, err);
    *out = (struct hr_layout){0};
    out->splittable = rc == 0 && hr_text_splittable(opts->csv.encoding, head.ptr, head.len) &&
                      memchr(head.ptr, '\n', head.len) != NULL;
    return rc == HR_END ? 0 : rc;
}

const struct hr_format hr_format_text = {
    .name = "text",
    .suffixes = SUFFIXES,
    .flags = HR_FMT_SPLIT,
    .probe = text_probe,
    .infer = text_infer,
    .open = text_open,
    .layout = text_layout,
};
