/* pipeline/work.c - one task from start to end: fetch, inflate, decode, transform, encode. Runs in
 * a worker's thread and shares nothing but the store and the budget. */
#include "pipeline/work.h"

#include <stdio.h>
#include <string.h>

/* A task is started over at most so often: columns x steps of the lattice are bounded by this in
 * practice, and a schema that keeps widening is a file gone wrong. */
#define RESTARTS_MAX 200
#define CHANGES_MAX 3

/* So much of its blocks is no longer in memory. */
static void let_go(struct hr_result *r, size_t bytes) {
    if (r->all != NULL) {
        atomic_fetch_sub(&r->all->bytes, bytes);
    }
    r->held -= bytes;
}

static void free_blocks(struct hr_result *r) {
    for (size_t i = 0; i < r->n_blocks; i++) {
        hr_block_release(&r->blocks[i]);
    }
    r->n_blocks = 0;
    let_go(r, r->held);
    hr_spool_empty(&r->spool);
    hr_arena_reset(&r->names);
}

void hr_result_release(struct hr_result *r) {
    free_blocks(r);
    hr_rejects_release(&r->rejects);
    hr_free(r->blocks);
    hr_free(r->folders);
    hr_free(r->places);
    hr_spool_close(&r->spool);
    hr_arena_release(&r->names);
    hr_free(r->borders);
    hr_free(r->nulls);
    hr_free(r->rounded);
    hr_schema_unref(r->null_schema);
    hr_schema_unref(r->seen);
    hr_free(r->gone);
    hr_schema_unref(r->base);
    hr_schema_unref(r->final);
    hr_schema_unref(r->out_schema);
    *r = (struct hr_result){0};
}

void hr_worker_release(struct hr_worker *w) {
    if (w->encoder != NULL) {
        w->encoder->ops->close(w->encoder);
    }
    hr_schema_unref(w->encoder_schema);
    hr_partition_free(w->partition);
    hr_transform_free(w->transform);
    hr_schema_unref(w->transform_schema);
    *w = (struct hr_worker){.conf = w->conf};
}

/* ---- a task's run ---- */

struct run {
    struct hr_worker *worker;
    const struct hr_pipeline_conf *conf;
    struct hr_task *task;
    struct hr_schema *schema; /* read schema of this attempt */
    struct hr_schema *wanted; /* projection for self-describing formats, NULL all */
    struct hr_result *result;
    struct hr_schema *needs; /* after HR_WIDEN */
    size_t piece;
};

static int make_room(struct hr_result *r, struct hr_error *err) {
    if (r->n_blocks < r->blocks_cap) {
        return 0;
    }
    const size_t cap = r->blocks_cap ? r->blocks_cap * 2 : 8;
    struct hr_block *blocks = hr_reallocarray(r->blocks, cap, sizeof(*blocks));
    r->blocks = blocks ? blocks : r->blocks;
    const char **folders = hr_reallocarray(r->folders, cap, sizeof(*folders));
    r->folders = folders ? folders : r->folders;
    int64_t *places = hr_reallocarray(r->places, cap, sizeof(*places));
    r->places = places ? places : r->places;
    if (blocks == NULL || folders == NULL || places == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate a list of blocks");
    }
    r->blocks_cap = cap;
    return 0;
}

/* All blocks that are in memory go to disk. */
static int spill(struct hr_result *r, struct hr_error *err) {
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < r->n_blocks; i++) {
        struct hr_block *b = &r->blocks[i];
        if (b->data != NULL) {
            rc = hr_spool_append(&r->spool, hr_slice_of(b->data, b->len), &r->places[i], err);
            if (rc == 0) {
                hr_big_free(b->data);
                b->data = NULL;
                let_go(r, b->len);
            }
        }
    }
    return rc;
}

int hr_result_take_block(struct hr_result *r, size_t i, struct hr_block *out,
                         struct hr_error *err) {
    struct hr_block *b = &r->blocks[i];
    int rc = 0;
    if (b->data == NULL && b->len > 0) {
        b->data = hr_big_alloc(b->len, NULL);
        rc = b->data ? hr_spool_read(&r->spool, r->places[i], b->data, b->len, err)
                     : hr_fail(err, HR_E_NOMEM, "could not allocate a block of output");
    } else {
        let_go(r, b->len);
    }
    if (rc == 0) {
        *out = *b;
        *b = (struct hr_block){0};
    }
    return rc;
}

static int keep_block(struct hr_result *r, struct hr_block *block, const char *folder,
                      struct hr_error *err) {
    int rc = make_room(r, err);
    const char *name = "";
    if (rc == 0 && folder[0] != '\0') {
        const char *before = r->n_blocks > 0 ? r->folders[r->n_blocks - 1] : "";
        name = strcmp(before, folder) == 0 ? before
                                           : hr_arena_strndup(&r->names, folder, strlen(folder));
        rc = name ? 0 : hr_fail(err, HR_E_NOMEM, "could not allocate a list of blocks");
    }
    if (rc != 0) {
        hr_block_release(block);
        return rc;
    }
    r->folders[r->n_blocks] = name;
    r->blocks[r->n_blocks++] = *block;
    r->held += block->len;
    return atomic_fetch_add(&r->all->bytes, block->len) + block->len > r->all->max ? spill(r, err)
                                                                                   : 0;
}

/* An encoder reserves for a whole row group; a folder's share may be tiny and waits for long. */
static void trim(struct hr_block *block) {
    uint8_t *small = hr_big_alloc(block->len, NULL);
    if (small != NULL) {
        memcpy(small, block->data, block->len);
        hr_big_free(block->data);
        block->data = small;
    }
}

int hr_work_take_blocks(struct hr_worker *worker, struct hr_result *result, const char *folder,
                        struct hr_error *err) {
    struct hr_encoder *enc = worker->encoder;
    for (;;) {
        struct hr_block block;
        int rc = enc->ops->pop(enc, &block, err);
        if (rc == HR_END) {
            return 0;
        }
        if (rc == 0) {
            if (worker->partition != NULL) {
                trim(&block);
            }
            rc = keep_block(result, &block, folder, err);
        }
        if (rc != 0) {
            return rc;
        }
    }
}

static int on_reject(void *user, const struct hr_reject *what, struct hr_error *err) {
    struct run *run = user;
    struct hr_result *r = run->result;
    if (run->conf->settings->schema.on_error == HR_ON_ERROR_FAIL) {
        const char *key = run->task->pieces[run->piece].key;
        char shown[120];
        hr_printable(what->raw, 80, shown, sizeof(shown));
        hr_fail(err, HR_E_FORMAT, "could not read a record of '%s': %s", key, what->reason);
        hr_error_object(err, key);
        hr_error_place(err, what->byte_offset, what->line, NULL);
        hr_error_detail(err, "record: %s", shown);
        hr_error_hint(err, "repair the file, or use --set on_error=skip (or quarantine) to go on "
                           "without such records");
        return HR_E_FORMAT;
    }
    const int rc = hr_rejects_add(&r->rejects, run->conf->settings, run->piece, what, err);
    r->counts.rejected += rc == 0;
    return rc;
}

/* out: NULL when the filter left nothing. */
static void count_values(struct run *run, const struct hr_batch *out) {
    struct hr_result *r = run->result;
    if (run->conf->nulls == NULL) {
        return;
    }
    for (int i = 0; i < r->null_schema->n_fields; i++) {
        r->nulls[i] += out != NULL ? out->vecs[i].nulls : 0;
        r->rounded[i] += hr_transform_rounded(run->worker->transform, i);
    }
}

static int pass_batch(struct run *run, struct hr_batch *in, struct hr_error *err) {
    const struct hr_batch *out;
    int rc = hr_transform_run(run->worker->transform, in, &out, &run->needs, err);
    if (rc != 0) {
        return rc;
    }
    run->result->counts.rows_in += in->len;
    count_values(run, out);
    if (out == NULL) {
        return 0;
    }
    run->result->counts.rows_out += out->len;
    struct hr_worker *w = run->worker;
    if (w->encoder == NULL) {
        return 0;
    }
    if (w->partition != NULL) {
        rc = hr_partition_put(w->partition, out, err);
        const bool full = rc == 0 && hr_partition_full(w->partition);
        return full ? hr_work_write_staged(w, run->result, err) : rc;
    }
    rc = w->encoder->ops->put(w->encoder, out, err);
    return rc == 0 ? hr_work_take_blocks(w, run->result, "", err) : rc;
}

static struct hr_read_params params_for(struct run *run, const struct hr_piece *piece,
                                        const struct hr_format *format) {
    const bool inside = (format->flags & HR_FMT_SCHEMA) != 0;
    return (struct hr_read_params){
        .want = inside ? run->wanted : run->schema,
        .declared = run->conf->settings->schema.schema != NULL,
        .times_utc = run->conf->catalog || run->conf->settings->schema.schema != NULL,
        .infer_text = !run->conf->settings->schema.infer_types,
        .infer_decimal = run->conf->settings->schema.infer_decimal,
        .want_all = !inside && run->conf->spec->new_columns,
        .misfit = run->conf->spec->misfit,
        .batch_rows = run->conf->settings->work.batch_size,
        .want_rows = hr_transform_wants_rows(run->conf->spec),
        .split_begin = piece->begin,
        .split_end = piece->end,
        .split_exact = piece->exact,
        .group_begin = piece->group_begin,
        .group_end = piece->group_end,
        .header = piece->header,
        .prune = run->conf->spec->filter ? hr_filter_prune(run->conf->spec->filter) : NULL,
        .reject = on_reject,
        .reject_user = run};
}

static int read_rows(struct run *run, struct hr_reader *reader, struct hr_error *err) {
    for (;;) {
        struct hr_batch *batch;
        if (hr_cancelled) {
            return hr_fail(err, HR_E_CANCELLED, "interrupted");
        }
        int rc = hr_reader_next(reader, &batch, err);
        if (rc == HR_END) {
            return 0;
        }
        if (rc == HR_WIDEN) {
            run->needs = hr_schema_ref(reader->needs);
            return rc;
        }
        if (rc == 0) {
            rc = pass_batch(run, batch, err);
        }
        if (rc != 0) {
            return rc;
        }
        if (run->worker->head != NULL && *run->worker->head) {
            hr_feed_set_head(run->worker->feed);
        }
    }
}

/* The types of one more file, for who compares them with a catalog's. */
static int see_types(struct run *run, struct hr_schema *file, struct hr_error *err) {
    return run->conf->seen != NULL && hr_schema_see(&run->result->seen, file) != 0
               ? hr_fail(err, HR_E_NOMEM, "could not allocate a schema")
               : 0;
}

static int read_piece(struct run *run, struct hr_source *inner, struct hr_error *err) {
    const struct hr_piece *piece = &run->task->pieces[run->piece];
    const struct hr_format *format;
    struct hr_source *src = NULL;
    struct hr_reader *reader = NULL;
    const struct hr_object_facts facts = {piece->key, piece->etag, piece->size, piece->mtime_us};
    int rc = hr_piece_source(run->conf->settings, piece, inner, &format, &src, err);
    if (rc != 0) {
        return rc;
    }
    hr_transform_object(run->worker->transform, &facts);
    const int64_t nulled_before = hr_transform_nulled(run->worker->transform);
    const struct hr_read_params params = params_for(run, piece, format);
    rc = format->open(src, &run->conf->settings->format, &params, &reader, err);
    if (rc == 0 && (format->flags & HR_FMT_SCHEMA) != 0) {
        rc = hr_transform_bind(run->worker->transform, reader->schema, &run->needs, err);
        rc = rc == 0 ? see_types(run, reader->schema, err) : rc;
    }
    if (rc == 0) {
        rc = read_rows(run, reader, err);
    }
    if (reader != NULL) { /* also when it failed: a wrong guess is judged by where it began */
        run->result->borders[run->piece] =
            (struct hr_piece_border){reader->first_record, rc == 0 ? reader->end_record : -1,
                                     rc == 0 ? reader->end_line : 0};
    }
    if (rc == 0) {
        run->result->counts.nulled +=
            reader->nulled + hr_transform_nulled(run->worker->transform) - nulled_before;
    }
    hr_reader_close(reader);
    if (rc == 0 && piece->frames.count > 0) {
        rc = hr_codec_frames_settle(src, err);
    }
    hr_source_close(src);
    if (rc < 0 && err != NULL) {
        hr_error_object(err, piece->key);
    }
    return rc;
}

/* No record starts in a piece of frames: they are still to be what the table says, as what follows
 * them is placed by it. */
static int pass_frames(struct run *run, struct hr_source *inner, struct hr_error *err) {
    const struct hr_piece *piece = &run->task->pieces[run->piece];
    const struct hr_format *format;
    struct hr_source *src = NULL;
    int rc = hr_piece_source(run->conf->settings, piece, inner, &format, &src, err);
    if (rc == 0) {
        rc = hr_codec_frames_settle(src, err);
        hr_source_close(src);
    }
    return rc;
}

/* Encoder and transform for this read schema; kept when it is the same as last time. */
static int prepare_worker(struct run *run, struct hr_error *err) {
    struct hr_worker *w = run->worker;
    int rc = 0;
    if (w->transform == NULL || !hr_schema_equal(w->transform_schema, run->schema)) {
        hr_transform_free(w->transform);
        w->transform = NULL;
        hr_schema_unref(w->transform_schema);
        w->transform_schema = hr_schema_ref(run->schema);
        rc = hr_transform_new(run->conf->spec, run->schema, &w->transform, err);
        if (rc == 0) {
            rc = hr_work_partition(w, err);
        }
        if (rc != 0) {
            hr_transform_free(w->transform);
            w->transform = NULL;
        }
    }
    if (w->partition != NULL) {
        hr_partition_reset(w->partition);
    }
    if (rc != 0 || run->conf->out_format == NULL || !run->conf->sink->wants_blocks) {
        return rc;
    }
    struct hr_schema *out = hr_work_out_schema(w);
    if (w->encoder != NULL && !hr_schema_equal(w->encoder_schema, out)) {
        w->encoder->ops->close(w->encoder);
        w->encoder = NULL;
    }
    if (w->encoder != NULL) {
        w->encoder->ops->reset(w->encoder);
        return 0;
    }
    hr_schema_unref(w->encoder_schema);
    w->encoder_schema = hr_schema_ref(out);
    return run->conf->out_format->encoder(w->encoder_schema, run->conf->write, &w->encoder, err);
}

/* Fewer than half of the columns, or not all rows: what is left over is not worth fetching. */
static bool reads_a_part(const struct run *run) {
    return run->conf->spec->filter != NULL ||
           (run->wanted != NULL && run->wanted->n_fields * 2 < run->schema->n_fields);
}

static int open_feed(struct run *run, struct hr_split **out_splits, struct hr_error *err) {
    struct hr_split *splits = hr_calloc(run->task->n_pieces, sizeof(*splits));
    if (splits == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate the pieces of a task");
    }
    for (size_t i = 0; i < run->task->n_pieces; i++) {
        const struct hr_piece *p = &run->task->pieces[i];
        splits[i] = (struct hr_split){.key = p->key,
                                      .size = p->size,
                                      /* one byte before: is it a line end? (format.h) */
                                      .begin = p->begin > 0 ? p->begin - 1 : 0,
                                      .end = p->end,
                                      .random = p->format != NULL &&
                                                (p->format->flags & HR_FMT_RANDOM) != 0,
                                      .sparse = reads_a_part(run)};
        memcpy(splits[i].etag, p->etag, sizeof(splits[i].etag));
        if (p->frames.count > 0) {
            splits[i].begin = p->frames.begin;
            splits[i].end = p->frames.end;
            splits[i].size = p->frames.stop; /* the table behind the frames is nobody's text */
        }
    }
    const struct hr_feed_conf conf = {.store = run->conf->store,
                                      .budget = run->conf->budget,
                                      .part_size = (size_t)run->conf->settings->work.part_size_mb
                                                   << 20};
    const int rc = hr_feed_open(&conf, splits, run->task->n_pieces, &run->worker->feed, err);
    if (rc != 0) {
        hr_free(splits);
        return rc;
    }
    *out_splits = splits;
    return 0;
}

/* The object was replaced since it was listed: take its new facts. Only whole objects can be read
 * again here; a piece of a larger one has rows in other tasks. */
static int take_new_version(struct run *run, struct hr_error *err) {
    struct hr_piece *piece = &run->task->pieces[run->piece];
    struct hr_object_info info;
    if (!piece->first || !piece->last) {
        return HR_E_CHANGED;
    }
    int rc = run->conf->store->driver->stat(run->conf->store, piece->key, &info, NULL, err);
    if (rc == HR_E_NO_OBJECT) {
        return HR_E_CHANGED; /* the next attempt finds it gone */
    }
    if (rc != 0) {
        return rc;
    }
    memcpy(piece->etag, info.etag, sizeof(piece->etag));
    piece->size = info.size;
    piece->mtime_us = info.mtime_us;
    return 0;
}

static int run_pieces(struct run *run, struct hr_error *err) {
    struct hr_split *splits = NULL;
    int rc = open_feed(run, &splits, err);
    if (rc != 0) {
        return rc;
    }
    for (run->piece = 0; rc == 0 && run->piece < run->task->n_pieces; run->piece++) {
        const struct hr_piece *piece = &run->task->pieces[run->piece];
        const struct hr_split *split;
        struct hr_source *src;
        run->result->borders[run->piece] = (struct hr_piece_border){-1, -1, 0};
        const int64_t rows_before = run->result->counts.rows_in;
        rc = hr_feed_next(run->worker->feed, &split, &src, err);
        /* One record may swallow a whole split: nothing starts in it then. */
        const bool swallowed = piece->exact && piece->end >= 0 && piece->begin >= piece->end;
        if (rc == 0 && !swallowed) {
            rc = read_piece(run, src, err);
        } else if (rc == 0 && piece->frames.count > 0) {
            rc = pass_frames(run, src, err);
        }
        if (rc == HR_E_NO_OBJECT && run->result->counts.rows_in == rows_before && piece->first) {
            run->result->gone[run->piece] = true;
            run->result->counts.deleted += piece->last;
            rc = 0;
            continue;
        }
        if (rc == 0) {
            run->result->counts.bytes += hr_piece_stored(piece);
            run->result->counts.objects += piece->last;
        }
    }
    if (rc != 0) {
        run->piece--;
    }
    hr_feed_close(run->worker->feed);
    run->worker->feed = NULL;
    hr_free(splits);
    return rc;
}

static int run_once(struct run *run, struct hr_error *err) {
    struct hr_result *r = run->result;
    free_blocks(r);
    hr_rejects_release(&r->rejects);
    hr_schema_unref(r->seen);
    r->seen = NULL;
    const int64_t replaced = r->counts.replaced;
    r->counts = (struct hr_run_counts){.replaced = replaced};
    memset(r->gone, 0, run->task->n_pieces);
    int rc = prepare_worker(run, err);
    if (rc == 0 && run->conf->nulls != NULL) {
        hr_schema_unref(r->null_schema);
        r->null_schema = hr_schema_ref(hr_transform_schema(run->worker->transform));
        hr_free(r->nulls);
        hr_free(r->rounded);
        r->nulls = hr_calloc((size_t)r->null_schema->n_fields + 1, sizeof(*r->nulls));
        r->rounded = hr_calloc((size_t)r->null_schema->n_fields + 1, sizeof(*r->rounded));
        rc = r->nulls && r->rounded ? 0 : hr_fail(err, HR_E_NOMEM, "could not count nulls");
    }
    if (rc == 0) {
        rc = hr_transform_wanted(run->conf->spec, run->schema, &run->wanted, err);
    }
    if (rc == 0) {
        rc = run_pieces(run, err);
    }
    if (rc == 0 && run->worker->partition != NULL) {
        rc = hr_work_write_staged(run->worker, r, err);
    } else if (rc == 0 && run->worker->encoder != NULL) {
        rc = run->worker->encoder->ops->finish(run->worker->encoder, err);
        if (rc == 0) {
            rc = hr_work_take_blocks(run->worker, r, "", err);
        }
    }
    hr_schema_unref(run->wanted);
    run->wanted = NULL;
    return rc;
}

/* Move on to the wider schema. HR_E_INTERNAL when nothing widened: would loop. */
static int widen(struct run *run, struct hr_error *err) {
    struct hr_schema *needs = run->needs;
    run->needs = NULL;
    if (needs == NULL || hr_schema_equal(needs, run->schema)) {
        hr_schema_unref(needs);
        return hr_fail(err, HR_E_INTERNAL, "could not widen the schema for '%s'",
                       run->task->pieces[run->piece].key);
    }
    if (needs->n_fields > run->conf->settings->schema.max_columns) {
        hr_fail(err, HR_E_BOUND, "could not hold more than %lld columns",
                (long long)run->conf->settings->schema.max_columns);
        hr_error_hint(err, "raise max_columns, or set schema_evolution=ignore");
        hr_error_object(err, run->task->pieces[run->piece].key);
        hr_schema_unref(needs);
        return HR_E_BOUND;
    }
    hr_schema_unref(run->schema);
    run->schema = needs;
    return 0;
}

void hr_work_task(struct hr_worker *worker, struct hr_task *task, struct hr_schema *base,
                  struct hr_result *result) {
    const struct hr_work_opts *work = &worker->conf->settings->work;
    *result = (struct hr_result){
        .base = hr_schema_ref(base),
        .spool = {.dir = work->spill_dir, .max = (int64_t)(work->spill_limit_gb * (1 << 30))}};
    hr_arena_init(&result->names, 0);
    result->all = worker->held;
    hr_error_clear(&result->err);
    result->borders = hr_calloc(task->n_pieces, sizeof(*result->borders));
    result->gone = hr_calloc(task->n_pieces, sizeof(*result->gone));
    struct run run = {.worker = worker,
                      .conf = worker->conf,
                      .task = task,
                      .schema = hr_schema_ref(base),
                      .result = result};
    int changes = 0;
    int restarts = 0;
    int rc = result->borders && result->gone
                 ? 0
                 : hr_fail(&result->err, HR_E_NOMEM, "could not allocate a task");
    while (rc == 0) {
        rc = run_once(&run, &result->err);
        if (rc == HR_WIDEN && ++restarts <= RESTARTS_MAX) {
            rc = widen(&run, &result->err);
        } else if (rc == HR_E_CHANGED && ++changes <= CHANGES_MAX) {
            rc = take_new_version(&run, &result->err);
            result->counts.replaced += rc == 0;
        } else {
            break;
        }
    }
    if (rc == HR_WIDEN) {
        rc = hr_fail(&result->err, HR_E_SCHEMA, "could not find a schema that holds '%s'",
                     task->pieces[run.piece].key);
    }
    result->rc = rc;
    result->piece = run.piece;
    hr_rejects_sort(&result->rejects);
    if (rc == 0) {
        result->final = hr_schema_ref(run.schema);
        result->out_schema = hr_schema_ref(hr_work_out_schema(worker));
    } else {
        free_blocks(result);
        if (worker->encoder != NULL) {
            worker->encoder->ops->reset(worker->encoder);
        }
    }
    hr_schema_unref(run.needs);
    hr_schema_unref(run.schema);
}
