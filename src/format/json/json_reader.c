/* format/json/json_reader.c - JSON text to batches, one record after another.
 *
 * The frame finds a record, the engine writes its values straight into the columns, the frame
 * checks what follows, misfits are judged, and the row counts. A record that does not fit the
 * window is parsed again from its start with a longer one; a bad one is dropped (lines) or ends the
 * reading. No tree of a record is ever built.
 */
#include <stdio.h>

#include "base/cpu.h"
#include "base/mem.h"
#include "format/json/json_read.h"

#define AHEAD 2048
#define BATCH_ROWS 8192
#define BATCH_BYTES (8 << 20)
#define RECORD_MAX ((size_t)128 << 20)

static struct hr_json *json_of(struct hr_reader *reader) {
    return (struct hr_json *)(void *)reader;
}

/* ---- one record ---- */

static void forget_record(struct hr_json *json) {
    for (int i = 0; i < json->n_cols; i++) {
        hr_j_col_reset(&json->cols[i], json->row);
    }
    json->n_misfits = 0;
    json->record_nulled = 0;
    json->inner = NULL;
}

/* A record at p that is no object. */
static const uint8_t *parse_bare(struct hr_json *json, struct hr_j_scope *scope, const uint8_t *p) {
    struct hr_j_lex *lex = &json->frame.lex;
    if (json->bare != NULL && json->frame.framing == HR_J_DOCUMENT) {
        return hr_j_slot_value(json, scope, &json->root, json->bare, p);
    }
    struct hr_j_token token;
    const uint8_t *q = hr_j_value(lex, p, &token);
    q = q ? hr_j_frame_tail(&json->frame, q) : NULL;
    if (q == NULL) {
        return NULL;
    }
    static const char *const why[] = {"a record is null, not an object",
                                      "a record is a boolean, not an object",
                                      "a record is a boolean, not an object",
                                      "a record is a number, not an object",
                                      "a record is a number, not an object",
                                      "a record is a string, not an object",
                                      "a record is an object",
                                      "a record is an array, not an object"};
    json->no_object = (size_t)(q - p);
    lex->status = HR_J_BAD;
    lex->at = p;
    lex->why = why[token.kind];
    return NULL;
}

/* Ask for the bytes a few records on, as many as the last record had: text straight from memory
 * costs half as much again without it, since the hardware starts anew at every page. */
static inline void fetch_ahead(const uint8_t *p, size_t len) {
    const uintptr_t from = (uintptr_t)p + AHEAD; /* may lie behind the window: nothing is read */
    for (uintptr_t at = from; at < from + (len < AHEAD ? len : AHEAD); at += 64) {
        __builtin_prefetch((const void *)at);
    }
}

/* Parse the open record into row json->row. Returns its tail, NULL with the lexer's answer. */
static const uint8_t *parse(struct hr_json *json) {
    struct hr_j_lex *lex = &json->frame.lex;
    const uint8_t *p = json->frame.p;
    struct hr_j_scope scope = {
        .id = ++json->ids, .idx = json->row, .cols = json->cols, .n_cols = json->n_cols};
    fetch_ahead(p, json->last);
    lex->depth = 0;
    json->no_object = 0;
    if (*p == '{') {
        lex->depth = 1;
        p = json->engine->object(json, &scope, &json->root, p);
    } else {
        p = parse_bare(json, &scope, p);
    }
    if (p != NULL && hr_j_frame_too_long(&json->frame, p)) {
        return hr_j_bad(lex, p, "");
    }
    p = p ? hr_j_frame_tail(&json->frame, p) : NULL;
    if (p == NULL) {
        return NULL;
    }
    int rc = hr_j_scope_fill(json, &scope);
    if (rc == 0 && json->n_misfits > 0) {
        rc = hr_j_misfits_judge(json, lex->err);
        json->n_misfits = 0;
    }
    return rc == 0 ? p : hr_j_fail(lex, rc);
}

static int code_of(enum hr_j_status status) {
    return status == HR_J_CUT ? HR_E_CORRUPT : status == HR_J_BOUND ? HR_E_BOUND : HR_E_FORMAT;
}

/* The open record is bad: hand it to the caller's reject, or fail. */
static int reject(struct hr_json *json, int code, const uint8_t *at, const char *why,
                  struct hr_error *err) {
    struct hr_j_frame *frame = &json->frame;
    const bool lines = frame->framing == HR_J_LINES;
    if (json->params->reject == NULL || (!lines && json->no_object == 0)) {
        hr_j_frame_fail(frame, code, at, why, err);
        if (lines || json->no_object > 0) {
            hr_error_hint(err, "correct the record, or set on_error to skip or quarantine to go on "
                               "without records like it");
        }
        return code;
    }
    int64_t column;
    struct hr_reject what = {.byte_offset = hr_j_frame_offset(frame, frame->p),
                             .line = hr_j_frame_line(frame, frame->p, &column),
                             .reason = json->reason};
    hr_j_frame_reason(frame, &at, why, json->reason, sizeof(json->reason));
    if (json->no_object > 0) {
        const uint8_t *begin = frame->p;
        const uint8_t *end = begin + json->no_object;
        while (end > begin && (end[-1] == '\n' || end[-1] == '\r')) {
            end--;
        }
        const size_t len = (size_t)(end - begin);
        what.raw = hr_slice_of(begin, len < 65536 ? len : 65536);
        hr_j_frame_done(frame, begin + json->no_object);
    } else {
        const int rc = hr_j_frame_drop(frame, &what.raw, err);
        if (rc != 0) {
            return rc;
        }
    }
    const int rc = json->params->reject(json->params->reject_user, &what, err);
    json->base.rejected += rc == 0;
    return rc;
}

static int add_row(struct hr_json *json, const uint8_t *tail, struct hr_error *err) {
    struct hr_j_frame *frame = &json->frame;
    if (json->params->want_rows) {
        int64_t column;
        json->batch->row_offsets[json->row] = hr_j_frame_offset(frame, frame->p);
        json->batch->row_lines[json->row] = hr_j_frame_line(frame, frame->p, &column);
    }
    json->last = (size_t)(tail - frame->p);
    hr_j_frame_done(frame, tail);
    json->row++;
    json->base.rows++;
    json->base.nulled += json->record_nulled;
    json->record_nulled = 0;
    return hr_j_shapes_trim(json, err);
}

/* The open record is over the bound: so it is in a window of any length. */
static int over_bound(struct hr_json *json, struct hr_error *err) {
    snprintf(json->bound, sizeof(json->bound), "a record is longer than %zu bytes",
             json->frame.record_max);
    json->no_object = 0;
    return reject(json, HR_E_BOUND, json->frame.p, json->bound, err);
}

/* The open record: into a row, or rejected. */
static int take_record(struct hr_json *json, struct hr_error *err) {
    struct hr_j_frame *frame = &json->frame;
    const struct hr_j_lex *lex = &frame->lex;
    for (;;) {
        const uint8_t *tail = parse(json);
        if (tail != NULL) {
            return add_row(json, tail, err);
        }
        forget_record(json);
        if (lex->status == HR_J_ERROR) {
            return lex->rc;
        }
        if (lex->status != HR_J_MORE) {
            if (json->widening) {
                return HR_WIDEN;
            }
            return hr_j_frame_too_long(frame, lex->at)
                       ? over_bound(json, err)
                       : reject(json, code_of(lex->status), lex->at, lex->why, err);
        }
        if (hr_j_frame_too_long(frame, lex->end)) {
            return json->widening ? HR_WIDEN : over_bound(json, err);
        }
        const int rc = hr_j_frame_more(frame, err);
        if (rc != 0) {
            return rc;
        }
    }
}

/* ---- batches ---- */

static int64_t leaves(const struct hr_field *fields, int n) {
    int64_t count = 0;
    for (int i = 0; i < n; i++) {
        count += 1 + leaves(fields[i].children, fields[i].n_children);
    }
    return count;
}

static void unroom(struct hr_j_col *cols, int n) {
    for (int i = 0; i < n; i++) {
        cols[i].room = 0;
        cols[i].high = 0;
        unroom(cols[i].children, cols[i].n_children);
    }
}

/* Rows for which there is room already: few for small objects, all of a batch after that. */
static int room_for(struct hr_json *json, int64_t rows, struct hr_error *err) {
    int rc = json->params->want_rows ? hr_batch_reserve_rows(json->batch, (size_t)rows, err) : 0;
    for (int i = 0; rc == 0 && i < json->n_cols; i++) {
        rc = hr_j_col_room(&json->cols[i], json->row, rows, err);
    }
    json->row_room = rows;
    return rc;
}

static int begin_batch(struct hr_json *json, struct hr_error *err) {
    hr_batch_clear(json->batch);
    unroom(json->cols, json->n_cols);
    json->row = 0;
    return room_for(json, json->row_max < BATCH_ROWS ? json->row_max : BATCH_ROWS, err);
}

static int fill_batch(struct hr_json *json, struct hr_error *err) {
    struct hr_j_frame *frame = &json->frame;
    int64_t start = -1;
    while (json->row < json->row_max) {
        if (json->row > 0 && hr_j_frame_offset(frame, frame->p) - start >= BATCH_BYTES) {
            return 0;
        }
        int rc = hr_j_frame_next(frame, err);
        if (rc != 0) {
            return rc;
        }
        const int64_t offset = hr_j_frame_offset(frame, frame->p);
        if (json->base.first_record < 0) {
            json->base.first_record = frame->framing == HR_J_LINES ? frame->line_start : offset;
        }
        if (start < 0) {
            start = offset;
        }
        if (json->row == json->row_room) {
            const int64_t rows = 2 * json->row_room;
            json->batch->len = json->row; /* what reserving keeps of the row places */
            rc = room_for(json, rows < json->row_max ? rows : json->row_max, err);
        }
        rc = rc ? rc : take_record(json, err);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

static int json_next(struct hr_reader *reader, struct hr_batch **out, struct hr_error *err) {
    struct hr_json *json = json_of(reader);
    *out = NULL;
    if (json->finished) {
        return HR_END;
    }
    json->frame.lex.err = err;
    int rc = begin_batch(json, err);
    if (rc == 0) {
        rc = fill_batch(json, err);
    }
    if (rc < 0) {
        hr_error_object(err, json->frame.src->name);
        json->finished = true;
        return rc;
    }
    if (json->widening) {
        json->finished = true;
        rc = hr_j_misfit_needs(json, err);
        return rc == 0 ? HR_WIDEN : rc;
    }
    if (rc == HR_END) {
        reader->end_record = json->frame.framing == HR_J_LINES
                                 ? json->frame.line_start
                                 : hr_j_frame_offset(&json->frame, json->frame.p);
        reader->end_line = json->frame.line;
    }
    if (json->row == 0) {
        return HR_END;
    }
    for (int i = 0; i < json->n_cols; i++) {
        hr_j_col_finish(&json->cols[i], json->row);
    }
    json->batch->len = json->row;
    *out = json->batch;
    return 0;
}

static void json_close(struct hr_reader *reader) {
    struct hr_json *json = json_of(reader);
    hr_j_frame_close(&json->frame);
    hr_j_lex_release(&json->frame.lex);
    hr_j_types_release(&json->need);
    hr_buf_release(&json->scratch);
    hr_batch_free(json->batch);
    hr_arena_release(&json->arena);
    hr_arena_release(&json->keys);
    hr_free(json->misfits);
    hr_schema_unref(json->base.needs);
    hr_schema_unref(json->base.schema);
    hr_free(json);
}

/* ---- open ---- */

static const struct hr_j_engine *best_engine(void) {
    return hr_cpu_get()->avx2 ? &hr_j_engine_avx2 : &hr_j_engine_scalar;
}

static int open_columns(struct hr_json *json, struct hr_error *err) {
    struct hr_schema *want = json->base.schema;
    json->n_cols = want->n_fields;
    json->rescued =
        json->params->misfit == HR_MISFIT_RESCUE ? hr_schema_find(want, "_rescued_data", 13) : -1;
    if (json->rescued >= 0 && want->fields[json->rescued].type.id != HR_T_UTF8) {
        json->rescued = -1;
    }
    int rc = hr_batch_new(want, &json->batch, err);
    if (rc != 0) {
        return rc;
    }
    json->cols = hr_arena_calloc(&json->arena, (size_t)json->n_cols, sizeof(*json->cols));
    if (json->cols == NULL ||
        hr_j_cols_bind(json, json->cols, json->batch->vecs, json->n_cols) != 0) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate a JSON reader");
    }
    const int64_t rows = json->params->batch_rows > 0 ? json->params->batch_rows : BATCH_ROWS;
    const int64_t values = leaves(want->fields, want->n_fields);
    const int64_t most = (BATCH_BYTES / 8) / (values > 0 ? values : 1);
    json->row_max = rows < most ? rows : most > 64 ? most : rows < 64 ? rows : 64;
    return hr_j_shapes_open(json, err);
}

int hr_j_open(struct hr_source *src, const struct hr_format_opts *opts,
              const struct hr_read_params *params, const struct hr_j_engine *engine,
              struct hr_reader **out, struct hr_error *err) {
    static const struct hr_reader_ops ops = {.next = json_next, .close = json_close};
    *out = NULL;
    if (params->want == NULL) {
        return hr_fail(err, HR_E_INTERNAL, "could not read JSON without a schema");
    }
    struct hr_json *json = hr_calloc(1, sizeof(*json));
    if (json == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate a JSON reader");
    }
    json->base = (struct hr_reader){
        .ops = &ops, .schema = hr_schema_ref(params->want), .first_record = -1, .end_record = -1};
    json->engine = engine ? engine : best_engine();
    json->opts = &opts->json;
    json->params = params;
    hr_arena_init(&json->arena, 0);
    hr_buf_init(&json->scratch, 0);
    struct hr_j_frame *frame = &json->frame;
    int rc = hr_j_lex_init(&frame->lex, params->json_depth_max, err);
    if (rc == 0) {
        rc = open_columns(json, err);
    }
    if (rc != 0) {
        json_close(&json->base);
        return rc;
    }
    frame->lex.allow_nan = opts->json.allow_nan;
    frame->record_max = params->cell_max ? params->cell_max : RECORD_MAX;
    hr_j_frame_open(frame, src, (enum hr_j_framing)opts->json.lines, params->split_begin,
                    params->split_end > 0 ? params->split_end : -1, params->split_exact);
    *out = &json->base;
    return 0;
}
