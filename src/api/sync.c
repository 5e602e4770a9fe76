/* api/sync.c - streams to tables, checkpoint by checkpoint (see sync.h).
 *
 * One plan lists the source once and hands out tasks stream by stream. Each stream has its band
 * (what was read), its commit (lineage and SEQ) and its folder at the destination. At a checkpoint
 * the inputs are noted in the band, the state document is written with it, and outputs and state
 * become permanent together. A full refresh publishes and replaces only at its end.
 */
#include "api/sync.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/drift.h"
#include "api/pending.h"
#include "api/sync_spec.h"
#include "api/watch.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/time.h"
#include "state/band.h"
#include "state/manifest.h"
#include "state/state.h"

/* What a run knows of one selected stream. */
struct table {
    struct hr_stream_state state; /* as read */
    struct hr_band *band;         /* NULL: not selected */
    char lineage[33];
    uint64_t seq;
    bool backfill, dress, visited;
    bool begun; /* the band knows of this run's listing */
    bool wrote; /* the lineage has files at the destination */
};

struct sync {
    const struct hr_sync_conf *conf;
    struct hr_store *src, *dst;
    struct hr_watch *watch;
    struct hr_budget *budget;
    struct hr_state *state;
    struct hr_state_doc *doc;
    struct table *tables; /* one per catalog stream */
    struct hr_plan *plan;
    struct hr_task *pending;   /* first task of the next stream */
    struct hr_pending unread;  /* given to workers since the last checkpoint */
    pthread_mutex_t plan_lock; /* plan and unread: workers ask for tasks while a checkpoint looks
                                  ahead */
    int64_t run_us, list_ns;   /* list_ns: monotonic, when listing began */
    struct hr_summary *out;
    /* the stream that runs now */
    long current;
    struct hr_commit *commit;
    struct hr_sink *sink;
    struct hr_write_opts write;
    struct hr_put_opts put;
    struct hr_null_counts nulls;
};

static bool incremental(const struct hr_stream *stream) {
    return stream->sync_mode == HR_SYNC_INCREMENTAL;
}

static bool overwrites(const struct hr_stream *stream) {
    return !incremental(stream) && !stream->append_mode;
}

static void warn(const struct sync *s, const char *text) {
    if (s->conf->warn != NULL) {
        s->conf->warn(s->conf->user, text);
    }
}

/* ---- names ---- */

char *hr_sync_folder(const struct hr_sync_conf *conf, const struct hr_stream *stream,
                     struct hr_error *err) {
    struct hr_buf out;
    const char *prefix = conf->settings->dest.place.prefix;
    hr_buf_init(&out, 4096);
    int rc = hr_buf_append_str(&out, prefix ? prefix : "", err);
    const size_t before = out.len;
    if (rc == 0) {
        rc = conf->dialect->stream_folder(stream, conf->settings, &out, err);
    }
    if (rc == 0 && out.len > before) {
        rc = hr_buf_append_byte(&out, '/', err);
    }
    if (rc != 0) {
        hr_buf_release(&out);
        return NULL;
    }
    return hr_buf_detach(&out);
}

static size_t put_cursor(int64_t us, char *out) {
    const size_t n = hr_format_timestamp(us / 1000000, 0, 0, 'T', "Z", out);
    out[n] = '\0';
    return n;
}

/* ---- loading state ---- */

/* The other program only moves the cursor on: without one, or with an earlier one, the file was
 * damaged or edited, and going by it would load again what was loaded. */
static int check_cursor(const struct sync *s, const struct hr_stream *stream, const struct table *t,
                        struct hr_error *err) {
    const json_t *newest = json_object_get(t->state.headrace, "newest");
    int64_t seconds;
    int32_t nanos;
    bool zone;
    int digits;
    if (!json_is_integer(newest)) {
        return 0;
    }
    if (t->state.cursor != NULL &&
        hr_parse_timestamp(t->state.cursor, strlen(t->state.cursor), &seconds, &nanos, &zone,
                           &digits) &&
        seconds >= json_integer_value(newest) / 1000000) {
        return 0;
    }
    hr_fail(err, HR_E_STATE,
            "could not use the state \"%s\": the cursor of stream '%s' is %s, behind what was read",
            hr_state_name(s->state), stream->name, t->state.cursor ? t->state.cursor : "missing");
    hr_error_object(err, hr_state_name(s->state));
    hr_error_hint(err, "Restore the file from a backup. To go back on purpose remove the member "
                       "\"_headrace\" of the stream, or `headrace state reset` to load it again.");
    return HR_E_STATE;
}

static void adopt_olake(struct sync *s, const struct hr_stream *stream, struct table *t) {
    int64_t seconds;
    int32_t nanos;
    bool zone;
    int digits;
    if (t->state.cursor == NULL || !hr_parse_timestamp(t->state.cursor, strlen(t->state.cursor),
                                                       &seconds, &nanos, &zone, &digits)) {
        return;
    }
    hr_band_adopt(t->band, seconds * 1000000 + 999999);
    t->backfill = false;
    char text[300];
    snprintf(text, sizeof(text),
             "stream '%s': state was written by another program; everything up to %s counts as "
             "read, files that arrived within that second may have been missed by it",
             stream->name, t->state.cursor);
    warn(s, text);
}

static int mark_chunks(struct table *t, struct hr_error *err) {
    size_t i;
    json_t *chunk;
    json_array_foreach(t->state.chunks, i, chunk) {
        size_t k;
        json_t *key;
        json_array_foreach(json_object_get(chunk, "min"), k, key) {
            const char *text = json_string_value(key);
            if (text != NULL) {
                const int rc = hr_band_mark_pending(t->band, text, json_string_length(key), err);
                if (rc != 0) {
                    return rc;
                }
            }
        }
    }
    return 0;
}

/* Our own part of the entry, when it is whole and nobody wrote the entry since. */
static int load_band(struct sync *s, const struct hr_stream *stream, struct table *t,
                     struct hr_error *err) {
    const int64_t lookback = s->conf->settings->sync.lookback_seconds;
    const json_t *own = t->state.headrace;
    const char *hash = json_string_value(json_object_get(own, "hash"));
    t->backfill = true;
    if (own == NULL || hash == NULL || strcmp(hash, t->state.hash) != 0) {
        int rc = incremental(stream) ? check_cursor(s, stream, t, err) : 0;
        if (rc == 0) {
            rc = hr_band_new(lookback, &t->band, err);
        }
        if (rc == 0 && t->state.present && incremental(stream)) {
            adopt_olake(s, stream, t);
            rc = mark_chunks(t, err);
        }
        return rc;
    }
    if (!incremental(stream)) {
        return hr_band_new(lookback, &t->band, err); /* everything is read again */
    }
    const int rc = hr_band_from_json(own, lookback, hr_state_name(s->state), &t->band, err);
    t->backfill = rc == 0 && hr_band_watermark(t->band) == INT64_MIN;
    return rc;
}

static int load_lineage(struct sync *s, struct table *t, struct hr_error *err) {
    const json_t *own = t->state.headrace;
    const char *lineage = json_string_value(json_object_get(own, "lineage"));
    const json_int_t seq = json_integer_value(json_object_get(own, "seq"));
    if (lineage == NULL) {
        hr_run_lineage(s->conf->settings, t->lineage);
        t->seq = 1;
        return 0;
    }
    if (strlen(lineage) > 32 || seq < 0) {
        hr_fail(err, HR_E_STATE, "could not use the state in '%s': lineage or seq is damaged",
                hr_state_name(s->state));
        hr_error_hint(err, "restore the file from a copy, or `headrace state reset`");
        return HR_E_STATE;
    }
    snprintf(t->lineage, sizeof(t->lineage), "%s", lineage);
    t->wrote = json_is_true(json_object_get(own, "wrote"));
    t->seq = (uint64_t)seq + 1;
    return 0;
}

struct place {
    char *folder;
    const struct hr_stream *stream;
};

static int compare_places(const void *a, const void *b) {
    return strcmp(((const struct place *)a)->folder, ((const struct place *)b)->folder);
}

static int same_table(const struct place *a, const struct place *b, struct hr_error *err) {
    hr_fail(err, HR_E_CONFIG, "could not sync: the streams '%s' and '%s' have the same table '%s'",
            a->stream->name, b->stream->name, a->folder);
    hr_error_hint(err, "give one another destination_table in the catalog, or sync both "
                       "incrementally");
    return HR_E_CONFIG;
}

/* Two streams in one table: a full refresh of one would take away what the other wrote. */
static int check_tables(const struct sync *s, struct hr_error *err) {
    const struct hr_catalog *catalog = s->conf->catalog;
    struct place *places = hr_calloc(catalog->count + 1, sizeof(*places));
    size_t n = 0;
    int rc = places ? 0 : hr_fail(err, HR_E_NOMEM, "could not allocate the tables");
    for (size_t i = 0; rc == 0 && i < catalog->count; i++) {
        if (catalog->streams[i].selected) {
            places[n].stream = &catalog->streams[i];
            places[n].folder = hr_sync_folder(s->conf, places[n].stream, err);
            rc = places[n].folder ? 0 : HR_E_CONFIG;
            n += rc == 0;
        }
    }
    if (n > 1) {
        qsort(places, n, sizeof(*places), compare_places);
    }
    /* A table's streams stand together; the first of a run is compared with each. */
    size_t first = 0;
    bool refreshed = false;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        if (strcmp(places[i].folder, places[first].folder) != 0) {
            first = i;
            refreshed = false;
        }
        refreshed = refreshed || overwrites(places[i].stream);
        if (i > first && refreshed) {
            rc = same_table(&places[first], &places[i], err);
        }
    }
    for (size_t i = 0; i < n; i++) {
        hr_free(places[i].folder);
    }
    hr_free(places);
    return rc;
}

static int load_tables(struct sync *s, struct hr_error *err) {
    const struct hr_catalog *catalog = s->conf->catalog;
    s->tables = hr_calloc(catalog->count, sizeof(*s->tables));
    if (s->tables == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate the streams");
    }
    int rc = 0;
    size_t selected = 0;
    for (size_t i = 0; rc == 0 && i < catalog->count; i++) {
        const struct hr_stream *stream = &catalog->streams[i];
        struct table *t = &s->tables[i];
        if (!stream->selected) {
            continue;
        }
        selected++;
        rc = s->conf->dialect->state_get(s->doc, stream->namespace_, stream->name, &t->state, err);
        if (rc == 0) {
            rc = load_band(s, stream, t, err);
        }
        if (rc == 0) {
            rc = load_lineage(s, t, err);
        }
        if (rc == 0) {
            t->dress = !stream->has_schema;
        }
    }
    if (rc == 0 && selected == 0) {
        hr_fail(err, HR_E_NO_STREAM, "could not sync: no stream is selected in the catalog");
        hr_error_hint(err, "name streams under selected_streams, or run discover");
        return HR_E_NO_STREAM;
    }
    return rc;
}

/* When the listing began, by the store's clock: known with the first answer. Objects that were
 * written since then may be missing in it. */
static int64_t listing_began(const struct sync *s) {
    const struct hr_store *src = s->src;
    const int64_t date = src->driver->clock_us ? src->driver->clock_us(s->src) : 0;
    return (date > 0 ? date : hr_now_micros()) - (hr_monotonic_nanos() - s->list_ns) / 1000;
}

static bool is_fresh(void *user, long stream, const struct hr_list_item *item) {
    struct sync *s = user;
    struct table *t = &s->tables[stream];
    if (t->band != NULL && !t->begun) {
        t->begun = true;
        hr_band_begin(t->band, listing_began(s));
    }
    return t->band == NULL || hr_band_fresh(t->band, item->key, item->key_len, &item->info);
}

/* ---- saving state ---- */

struct difference {
    const struct sync *sync;
    const struct hr_stream *stream;
};

static void report_day(void *user, const char *day, int64_t kept, int64_t listed) {
    const struct difference *d = user;
    char text[400];
    snprintf(text, sizeof(text),
             "stream '%s': objects of %s differ from what was read (%lld read, %lld there): files "
             "were moved in with old times or replaced; to read them: headrace state reset",
             d->stream->name, day, (long long)kept, (long long)listed);
    warn(d->sync, text);
}

/* What Olake sees of the entry: a cursor up to which all is read, but for the keys in chunks. */
static int seen_by_olake(struct sync *s, const struct table *t, bool last,
                         struct hr_stream_state *out, struct hr_error *err) {
    char cursor[48];
    int64_t newest = hr_band_newest(t->band);
    int rc = 0;
    if (last) {
        out->chunks = json_array();
    } else {
        rc = hr_pending_chunks(&s->unread, s->plan, s->current, &out->chunks, &newest, err);
        if (rc == 0 && out->chunks == NULL) {
            return 0; /* too many to name: neither cursor nor chunks */
        }
    }
    out->cursor_field = hr_strdup("_last_modified_time");
    if (newest != INT64_MIN) {
        put_cursor(newest, cursor);
        out->cursor = hr_strdup(cursor);
    }
    const bool whole = out->cursor_field && out->chunks && (newest == INT64_MIN || out->cursor);
    return rc != 0 || whole ? rc : hr_fail(err, HR_E_NOMEM, "could not allocate the state");
}

/* The entry as it shall be after this commit; last: the stream's load is complete with it. Below
 * the lock. */
static int next_entry(struct sync *s, struct table *t, bool last, struct hr_stream_state *out,
                      struct hr_error *err) {
    *out = (struct hr_stream_state){.present = true};
    int rc = seen_by_olake(s, t, last, out, err);
    out->headrace = json_object();
    if (rc == 0 && out->headrace == NULL) {
        rc = hr_fail(err, HR_E_NOMEM, "could not allocate the state");
    }
    if (rc == 0) {
        rc = hr_band_to_json(t->band, out->headrace, err);
    }
    char hash[33];
    if (rc == 0) {
        rc = s->conf->dialect->state_hash(out, hash, err);
    }
    if (rc == 0) {
        t->wrote = t->wrote || (s->sink != NULL && s->sink->files > 0);
        json_object_set_new(out->headrace, "lineage", json_string(t->lineage));
        json_object_set_new(out->headrace, "wrote", json_boolean(t->wrote));
        json_object_set_new(out->headrace, "seq",
                            json_integer((json_int_t)hr_commit_seq(s->commit)));
        json_object_set_new(out->headrace, "hash", json_string(hash));
        json_t *rates = hr_drift_rates(&s->nulls, json_object_get(t->state.headrace, "nulls"));
        if (rates == NULL || json_object_set_new(out->headrace, "nulls", rates) != 0) {
            rc = hr_fail(err, HR_E_NOMEM, "could not allocate the state");
        }
    }
    return rc;
}

static int publish(struct sync *s, const struct hr_checkpoint_info *info, struct hr_error *err) {
    const struct hr_stream *stream = &s->conf->catalog->streams[s->current];
    struct table *t = &s->tables[s->current];
    struct hr_stream_state entry;
    struct hr_buf text;
    hr_buf_init(&text, (size_t)256 << 20);
    pthread_mutex_lock(&s->plan_lock);
    int rc = next_entry(s, t, info == NULL || info->last, &entry, err);
    pthread_mutex_unlock(&s->plan_lock);
    if (rc == 0) {
        rc = s->conf->dialect->state_set(s->doc, stream->namespace_, stream->name, &entry, err);
    }
    if (rc == 0) {
        rc = s->conf->dialect->state_write(s->doc, &text, err);
    }
    if (rc == 0) {
        const struct hr_publish what = {.next_state = hr_buf_slice(&text),
                                        .inputs = info ? info->inputs : NULL,
                                        .n_inputs = info ? info->n_inputs : 0};
        rc = hr_commit_publish(s->commit, &what, err);
    }
    hr_buf_release(&text);
    hr_stream_state_release(&entry);
    return rc;
}

/* What a checkpoint read, into the band and off the lists of what waits. Below the lock: workers
 * ask for tasks, and so ask the band, at the same time. */
static int note_inputs(struct sync *s, struct table *t, const struct hr_checkpoint_info *info,
                       struct hr_error *err) {
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < info->n_inputs; i++) {
        const struct hr_input *in = &info->inputs[i];
        struct hr_object_info facts = {.size = in->size, .mtime_us = in->mtime_us};
        memcpy(facts.etag, in->etag, sizeof(facts.etag));
        rc = hr_band_note(t->band, in->key, &facts, err);
    }
    hr_pending_read(&s->unread, info->inputs, info->n_inputs);
    hr_plan_done(s->plan, info->seq);
    if (rc == 0 && info->n_inputs > 0) {
        rc = hr_band_checkpoint(t->band, info->inputs[info->n_inputs - 1].key, err);
    }
    if (rc == 0 && info->last) {
        struct difference d = {s, &s->conf->catalog->streams[s->current]};
        hr_band_differences(t->band, report_day, &d);
        rc = hr_band_finish(t->band, err);
    }
    return rc;
}

static int at_checkpoint(void *user, const struct hr_checkpoint_info *info, struct hr_error *err) {
    struct sync *s = user;
    const struct hr_stream *stream = &s->conf->catalog->streams[s->current];
    pthread_mutex_lock(&s->plan_lock);
    const int rc = note_inputs(s, &s->tables[s->current], info, err);
    pthread_mutex_unlock(&s->plan_lock);
    /* A full refresh shows nothing before its end. */
    if (rc != 0 || (!incremental(stream) && !info->last)) {
        return rc;
    }
    return publish(s, info, err);
}

/* ---- one stream ---- */

static int next_task(void *user, struct hr_task **out, struct hr_error *err) {
    struct sync *s = user;
    pthread_mutex_lock(&s->plan_lock);
    int rc = s->pending == NULL ? hr_plan_next(s->plan, &s->pending, err) : 0;
    if (rc == 0 && s->pending->stream != s->current) {
        rc = HR_END;
    }
    if (rc == 0 && incremental(&s->conf->catalog->streams[s->current])) {
        rc = hr_pending_given(&s->unread, s->pending, err);
    }
    if (rc == 0) {
        *out = s->pending;
        s->pending = NULL;
    }
    pthread_mutex_unlock(&s->plan_lock);
    return rc;
}

/* An object changed half way: what was given out since the last checkpoint is planned again. */
static int redo(void *user, const char *key, bool *gone, struct hr_error *err) {
    struct sync *s = user;
    pthread_mutex_lock(&s->plan_lock);
    hr_task_free(s->pending);
    s->pending = NULL;
    hr_pending_release(&s->unread);
    const int rc = hr_plan_redo(s->plan, key, gone, err);
    pthread_mutex_unlock(&s->plan_lock);
    return rc;
}

/* A state that wrote elsewhere, beside the files of another one: two state files were exchanged, or
 * the destination was. An empty or moved folder is none of our business. */
static int check_home(struct sync *s, const struct table *t, const char *folder,
                      struct hr_error *err) {
    bool foreign = false;
    const int rc = t->wrote ? hr_manifest_foreign(s->dst, folder, t->lineage, &foreign, err) : 0;
    if (rc != 0 || !foreign) {
        return rc;
    }
    hr_fail(
        err, HR_E_STATE,
        "could not use the state \"%s\": its files of lineage %s are not in '%s' of %s, those of "
        "another pipeline are",
        hr_state_name(s->state), t->lineage, folder, s->dst->label);
    hr_error_object(err, hr_state_name(s->state));
    hr_error_hint(err,
                  "start with the state and the destination that belong together; to load into "
                  "this one from the beginning: headrace state reset");
    return HR_E_STATE;
}

static int open_table(struct sync *s, const struct hr_stream *stream, struct table *t,
                      bool partitioned, struct hr_error *err) {
    const struct hr_settings *settings = s->conf->settings;
    char *folder = hr_sync_folder(s->conf, stream, err);
    if (folder == NULL) {
        return HR_E_NOMEM;
    }
    const struct hr_commit_conf commit = {.store = s->dst,
                                          .budget = s->budget,
                                          .state = s->state,
                                          .lineage = t->lineage,
                                          .seq = t->seq,
                                          .part_size = (size_t)settings->work.part_size_mb << 20,
                                          .overwrite = overwrites(stream),
                                          .folder = folder,
                                          .put = &s->put,
                                          .also_owns = s->conf->dialect->writes_file};
    int rc = check_home(s, t, folder, err);
    if (rc == 0) {
        rc = hr_commit_begin(&commit, &s->commit, err);
    }
    const struct hr_object_sink_conf sink = {
        .commit = s->commit,
        .format = hr_settings_dest_format(settings),
        .write = &s->write,
        .prefix = folder,
        .quarantine = settings->schema.on_error == HR_ON_ERROR_QUARANTINE,
        .max_file_bytes = (int64_t)(settings->dest.max_file_size_mb * 1024 * 1024)};
    if (rc == 0) {
        rc = hr_run_object_sink(settings, &sink, partitioned, &s->sink, err);
    }
    hr_free(folder);
    return rc;
}

static void close_table(struct sync *s) {
    if (s->sink != NULL) {
        s->out->files += s->sink->files;
        s->out->bytes_out += s->sink->bytes;
        s->out->rows_written += s->sink->rows;
    }
    hr_sink_close(s->sink);
    hr_commit_end(s->commit);
    s->sink = NULL;
    s->commit = NULL;
}

/* Say how the stream's columns differ from the catalog's and the last run's. */
static int report_drift(struct sync *s, const struct hr_stream *stream,
                        const struct hr_schema *before, const struct hr_schema *after,
                        struct hr_error *err) {
    const struct hr_drift drift = {before, after, &s->nulls,
                                   json_object_get(s->tables[s->current].state.headrace, "nulls")};
    struct hr_buf text;
    struct hr_buf line;
    hr_buf_init(&text, 0);
    hr_buf_init(&line, 0);
    int rc = hr_drift_text(&drift, &text, err);
    if (rc == 0 && text.len > 0) {
        rc = hr_buf_printf(&line, err, "stream '%s': columns changed: %s", stream->name,
                           hr_buf_cstr(&text));
        if (rc == 0) {
            warn(s, hr_buf_cstr(&line));
        }
    }
    hr_buf_release(&text);
    hr_buf_release(&line);
    return rc;
}

static int run_table(struct sync *s, struct hr_error *err) {
    const struct hr_stream *stream = &s->conf->catalog->streams[s->current];
    struct table *t = &s->tables[s->current];
    struct hr_transform_spec spec = {0};
    struct hr_partition_spec *partition = NULL;
    struct hr_filter *filter = NULL;
    struct hr_schema *schema = NULL;
    struct hr_schema *widest = NULL;
    struct hr_run_counts counts = {0};
    t->visited = true;
    int rc = hr_sync_spec(s->conf, stream, t->dress, t->backfill, s->run_us, &spec, &filter, err);
    if (rc == 0) {
        rc = hr_sync_read_schema(s->conf, stream, &schema, err);
    }
    if (rc == 0 && stream->normalization != HR_NO) {
        rc = hr_run_rescue(s->conf->settings, &schema, &spec, err);
    }
    if (rc == 0) {
        rc = hr_run_partition(s->conf->settings, stream->partition_regex, s->run_us, &spec,
                              &partition, err);
    }
    if (rc == 0) {
        rc = open_table(s, stream, t, partition != NULL, err);
    }
    const struct hr_pipeline_conf conf = {.store = s->src,
                                          .budget = s->budget,
                                          .settings = s->conf->settings,
                                          .workers = s->conf->workers,
                                          .next_task = next_task,
                                          .task_user = s,
                                          .read_schema = schema,
                                          .catalog = !t->dress,
                                          .spec = &spec,
                                          .partition = partition,
                                          .out_format = hr_settings_dest_format(s->conf->settings),
                                          .write = &s->write,
                                          .sink = s->sink,
                                          .checkpoint = at_checkpoint,
                                          .redo = redo,
                                          .cut_when_interrupted = incremental(stream),
                                          .user = s,
                                          .nulls = &s->nulls,
                                          .progress = s->conf->progress};
    if (rc == 0) {
        rc = hr_pipeline_run(&conf, &counts, &widest, err);
    }
    if (rc == 0) {
        rc = report_drift(s, stream, schema, widest, err);
    }
    hr_nulls_release(&s->nulls);
    hr_pending_release(&s->unread);
    hr_run_add_counts(&s->out->counts, &counts);
    const int64_t files = s->sink ? s->sink->files : 0;
    close_table(s);
    if (rc == 0 && s->conf->stream_done != NULL) {
        s->conf->stream_done(s->conf->user, stream, &counts, files);
    }
    hr_transform_spec_release(&spec);
    hr_partition_spec_free(partition);
    hr_filter_free(filter);
    hr_schema_unref(schema);
    hr_schema_unref(widest);
    return rc;
}

/* A stream without tasks: a full refresh of nothing is not an order to empty the table; an
 * incremental one may still have days to report and a watermark to keep. */
static int rest_table(struct sync *s, struct hr_error *err) {
    const struct hr_stream *stream = &s->conf->catalog->streams[s->current];
    struct table *t = &s->tables[s->current];
    const struct hr_run_counts none = {0};
    struct difference d = {s, stream};
    int rc = 0;
    if (incremental(stream)) {
        const bool differs = hr_band_differences(t->band, report_day, &d) > 0;
        const bool changed = differs || t->state.headrace == NULL || hr_band_sweeping(t->band);
        const int64_t before = hr_band_watermark(t->band);
        rc = hr_band_finish(t->band, err);
        if (rc == 0 && t->state.present && changed &&
            (differs || before != hr_band_watermark(t->band))) {
            const struct hr_commit_conf commit = {
                .store = s->dst, .state = s->state, .lineage = t->lineage, .seq = t->seq};
            rc = hr_commit_begin(&commit, &s->commit, err);
            if (rc == 0) {
                rc = publish(s, NULL, err);
            }
            close_table(s);
        }
    }
    if (rc == 0 && s->conf->stream_done != NULL) {
        s->conf->stream_done(s->conf->user, stream, &none, 0);
    }
    return rc;
}

static int run_streams(struct sync *s, struct hr_error *err) {
    const struct hr_plan_conf conf = {.store = s->src,
                                      .settings = s->conf->settings,
                                      .catalog = s->conf->catalog,
                                      .fresh = is_fresh,
                                      .fresh_user = s,
                                      .redo = true};
    s->list_ns = hr_monotonic_nanos();
    int rc = hr_plan_open(&conf, &s->plan, err);
    while (rc == 0) {
        if (s->pending == NULL) {
            rc = hr_plan_next(s->plan, &s->pending, err);
            if (rc != 0) {
                break;
            }
        }
        s->current = s->pending->stream;
        rc = run_table(s, err);
    }
    if (rc == HR_END) {
        rc = 0;
    }
    for (size_t i = 0; rc == 0 && i < s->conf->catalog->count; i++) {
        if (s->conf->catalog->streams[i].selected && !s->tables[i].visited) {
            s->current = (long)i;
            rc = rest_table(s, err);
        }
    }
    return rc;
}

static void release(struct sync *s) {
    hr_watch_stop(s->watch);
    s->watch = NULL;
    hr_task_free(s->pending);
    if (s->plan != NULL) {
        struct hr_plan_totals totals;
        hr_plan_get_totals(s->plan, &totals);
        s->out->usd = totals.usd;
        s->out->selection = *hr_scan_selection(hr_plan_scan(s->plan));
        hr_plan_close(s->plan);
    }
    for (size_t i = 0; s->tables != NULL && i < s->conf->catalog->count; i++) {
        hr_band_free(s->tables[i].band);
        hr_stream_state_release(&s->tables[i].state);
        s->out->streams += s->conf->catalog->streams[i].selected;
    }
    hr_free(s->tables);
    if (s->doc != NULL) {
        s->conf->dialect->state_free(s->doc);
    }
    hr_state_close(s->state);
    hr_run_add_counters(s->src, &s->out->src);
    hr_run_add_counters(s->dst, &s->out->dst);
    hr_store_close(s->src);
    hr_store_close(s->dst);
    hr_budget_free(s->budget);
}

static void state_store(void *user, struct hr_store *store) {
    struct sync *s = user;
    hr_watch_also(s->watch, store);
}

/* with_source: not for what only changes the destination. */
static int open_all(struct sync *s, bool with_source, struct hr_error *err) {
    const struct hr_settings *settings = s->conf->settings;
    int rc = hr_settings_write_opts(settings, &s->write, err);
    s->put = hr_run_put_opts(settings);
    if (rc == 0 && with_source) {
        rc = hr_run_open_store(settings, &settings->place, true, &s->src, err);
    }
    if (rc == 0) {
        rc = hr_run_open_store(settings, &settings->dest.place, false, &s->dst, err);
    }
    if (rc == 0) {
        s->watch = hr_watch_start(with_source ? hr_watch_cancel_store : NULL, s->src, s->dst, 0);
    }
    struct hr_store_conf access;
    const struct hr_state_conf conf = {.path = s->conf->state_path,
                                       .dst = s->dst,
                                       .destination = s->dst ? s->dst->label : "",
                                       .access = hr_run_state_access(settings, &access),
                                       .lease_seconds = (int)settings->sync.state_lease_seconds,
                                       .store_is = state_store,
                                       .user = s};
    if (rc == 0) {
        rc = hr_state_open(&conf, &s->state, err);
    }
    if (rc == 0) {
        rc = s->conf->dialect->state_read(hr_state_text(s->state), hr_state_name(s->state), &s->doc,
                                          err);
    }
    return rc;
}

int hr_sync(const struct hr_sync_conf *conf, struct hr_summary *out, struct hr_error *err) {
    struct sync s = {.conf = conf, .out = out};
    const int64_t started = hr_monotonic_nanos();
    pthread_mutex_init(&s.plan_lock, NULL);
    *out = (struct hr_summary){0};
    s.run_us = hr_run_time_us(conf->settings);
    s.budget = hr_run_budget(conf->settings);
    int rc = s.budget ? 0 : hr_fail(err, HR_E_NOMEM, "could not allocate a budget");
    if (rc == 0) {
        rc = open_all(&s, true, err);
    }
    if (rc == 0) {
        rc = check_tables(&s, err);
    }
    if (rc == 0) {
        rc = load_tables(&s, err);
    }
    if (rc == 0) {
        rc = run_streams(&s, err);
    }
    if (rc < 0 && s.state != NULL) {
        /* Another run that took over aborts our uploads: say that, not what came of it. */
        struct hr_error lost;
        if (hr_state_hold(s.state, &lost) == HR_E_LOCKED) {
            rc = HR_E_LOCKED;
            if (err != NULL) {
                *err = lost;
            }
        }
    }
    close_table(&s);
    release(&s);
    pthread_mutex_destroy(&s.plan_lock);
    out->seconds = (double)(hr_monotonic_nanos() - started) / 1e9;
    return rc;
}

/* ---- clear-destination ---- */

static int clear_folder(struct sync *s, const char *folder, int64_t *removed,
                        struct hr_error *err) {
    struct hr_lister *lister = NULL;
    const struct hr_lister_conf conf = {.store = s->dst, .prefix = folder, .width = 1};
    int rc = hr_lister_open(&conf, &lister, err);
    while (rc == 0) {
        const struct hr_list_item *item;
        rc = hr_lister_next(lister, &item, err);
        if (rc == 0) {
            rc = s->dst->driver->remove(s->dst, item->key, err);
            *removed += rc == 0;
        }
    }
    hr_lister_close(lister);
    return rc == HR_END ? 0 : rc;
}

int hr_sync_clear(const struct hr_sync_conf *conf, int64_t *out_removed, struct hr_error *err) {
    struct hr_summary out = {0};
    struct sync s = {.conf = conf, .out = &out};
    struct hr_buf text;
    *out_removed = 0;
    hr_buf_init(&text, (size_t)256 << 20);
    int rc = open_all(&s, false, err);
    for (size_t i = 0; rc == 0 && i < conf->catalog->count; i++) {
        const struct hr_stream *stream = &conf->catalog->streams[i];
        if (!stream->selected) {
            continue;
        }
        char *folder = hr_sync_folder(conf, stream, err);
        rc = folder ? clear_folder(&s, folder, out_removed, err) : HR_E_CONFIG;
        hr_free(folder);
        const struct hr_stream_state none = {0};
        if (rc == 0) {
            rc = conf->dialect->state_set(s.doc, stream->namespace_, stream->name, &none, err);
        }
    }
    if (rc == 0) {
        rc = conf->dialect->state_write(s.doc, &text, err);
    }
    if (rc == 0) {
        rc = hr_state_save(s.state, hr_buf_slice(&text), err);
    }
    hr_buf_release(&text);
    release(&s);
    return rc;
}
