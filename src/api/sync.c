/* api/sync.c - streams to tables, checkpoint by checkpoint (see sync.h).
 *
 * One plan lists the source once and hands out tasks stream by stream. Each stream has its band
 * (what was read), its commit (lineage and SEQ) and its folder at the destination. At a checkpoint
 * the inputs are noted in the band, the state document is written with it, and outputs and state
 * become permanent together. A full refresh publishes and replaces only at its end.
 */
#include "api/sync.h"

#include <string.h>

#include "api/sync_internal.h"
#include "api/sync_spec.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/time.h"
#include "state/manifest.h"

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

/* When the listing began, by the store's clock: known with the first answer. Objects that were
 * written since then may be missing in it. */
static int64_t listing_began(const struct hr_sync_run *s) {
    const struct hr_store *src = s->src;
    const int64_t date = src->driver->clock_us ? src->driver->clock_us(s->src) : 0;
    return (date > 0 ? date : hr_now_micros()) - (hr_monotonic_nanos() - s->list_ns) / 1000;
}

static bool is_fresh(void *user, long stream, const struct hr_list_item *item) {
    struct hr_sync_run *s = user;
    struct hr_sync_table *t = &s->tables[stream];
    if (t->band != NULL && !t->begun) {
        t->begun = true;
        hr_band_begin(t->band, listing_began(s));
    }
    return t->band == NULL || hr_band_fresh(t->band, item->key, item->key_len, &item->info);
}

/* ---- saving state ---- */

static int publish(struct hr_sync_run *s, const struct hr_checkpoint_info *info,
                   struct hr_error *err) {
    const struct hr_stream *stream = &s->conf->catalog->streams[s->current];
    struct hr_sync_table *t = &s->tables[s->current];
    struct hr_stream_state entry;
    struct hr_buf text;
    hr_buf_init(&text, (size_t)256 << 20);
    pthread_mutex_lock(&s->plan_lock);
    int rc = hr_sync_next_entry(s, t, info, &entry, err);
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

/* Everything of the stream that the listing showed is read: nothing was left for the next run. */
bool hr_sync_whole(const struct hr_sync_run *s) {
    const struct hr_selection *sel = hr_scan_stream_selection(hr_plan_scan(s->plan), s->current);
    return sel == NULL || sel->objects[HR_SKIP_LIMIT] == 0;
}

/* What a checkpoint read, into the band and off the lists of what waits. Below the lock: workers
 * ask for tasks, and so ask the band, at the same time. */
static int note_inputs(struct hr_sync_run *s, struct hr_sync_table *t,
                       const struct hr_checkpoint_info *info, struct hr_error *err) {
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
    if (rc == 0 && info->last && hr_sync_whole(s)) {
        hr_sync_report_days(s, t, &s->conf->catalog->streams[s->current]);
        rc = hr_band_finish(t->band, err);
    }
    return rc;
}

static int at_checkpoint(void *user, const struct hr_checkpoint_info *info, struct hr_error *err) {
    struct hr_sync_run *s = user;
    const struct hr_stream *stream = &s->conf->catalog->streams[s->current];
    pthread_mutex_lock(&s->plan_lock);
    const int rc = note_inputs(s, &s->tables[s->current], info, err);
    pthread_mutex_unlock(&s->plan_lock);
    /* A full refresh shows nothing before its end. */
    if (rc != 0 || (!hr_sync_incremental(stream) && !info->last)) {
        return rc;
    }
    if (!hr_sync_incremental(stream) && info->counts->objects == 0 &&
        !s->conf->settings->sync.allow_empty) {
        char text[300];
        snprintf(
            text, sizeof(text),
            "stream '%s': every object was deleted before it could be read; the table stays as "
            "it was",
            stream->name);
        hr_sync_warn(s, text);
        return 0;
    }
    return publish(s, info, err);
}

/* ---- one stream ---- */

static int next_task(void *user, struct hr_task **out, struct hr_error *err) {
    struct hr_sync_run *s = user;
    pthread_mutex_lock(&s->plan_lock);
    int rc = s->pending == NULL ? hr_plan_next(s->plan, &s->pending, err) : 0;
    if (rc == 0 && s->pending->stream != s->current) {
        rc = HR_END;
    }
    if (rc == 0 && hr_sync_incremental(&s->conf->catalog->streams[s->current])) {
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
    struct hr_sync_run *s = user;
    pthread_mutex_lock(&s->plan_lock);
    hr_task_free(s->pending);
    s->pending = NULL;
    hr_pending_release(&s->unread);
    const int rc = hr_plan_redo(s->plan, key, gone, err);
    pthread_mutex_unlock(&s->plan_lock);
    return rc;
}

/* What the state and the folder say of each other before rows are added. An emptied or another
 * folder and a new state are the user's right, but rows are missing or doubled then. */
static void warn_of_home(const struct hr_sync_run *s, const struct hr_stream *stream, bool wrote,
                         const char *folder) {
    char text[600];
    if (wrote) {
        snprintf(text, sizeof(text),
                 "stream '%s': what this pipeline wrote before is not in '%s' of the destination "
                 "any more; only what is new goes there: to load all again use headrace state "
                 "reset",
                 stream->name, folder);
    } else {
        snprintf(text, sizeof(text),
                 "stream '%s': another pipeline or an earlier state wrote into '%s' of the "
                 "destination; rows it read too will stand there twice: to begin anew use "
                 "headrace clear-destination",
                 stream->name, folder);
    }
    hr_sync_warn(s, text);
}

/* A state that wrote elsewhere, beside the files of another one: two state files were exchanged, or
 * the destination was. */
static int check_home(struct hr_sync_run *s, const struct hr_stream *stream,
                      const struct hr_sync_table *t, const char *folder, struct hr_error *err) {
    bool own = false;
    bool others = false;
    const int rc = hr_manifest_look(s->dst, folder, t->lineage, &own, &others, err);
    const bool told = t->wrote ? !own && !others : others;
    if (rc == 0 && told && !hr_sync_overwrites(stream)) {
        warn_of_home(s, stream, t->wrote, folder);
    }
    if (rc != 0 || own || !others || !t->wrote) {
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

static int open_table(struct hr_sync_run *s, const struct hr_stream *stream,
                      struct hr_sync_table *t, bool partitioned, struct hr_error *err) {
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
                                          .overwrite = hr_sync_overwrites(stream),
                                          .folder = folder,
                                          .put = &s->put,
                                          .also_owns = s->conf->dialect->writes_file};
    int rc = check_home(s, stream, t, folder, err);
    if (rc == 0) {
        rc = hr_commit_begin(&commit, &s->commit, err);
    }
    const struct hr_object_sink_conf sink = {
        .commit = s->commit,
        .format = hr_settings_dest_format(settings),
        .write = &s->write,
        .prefix = folder,
        .max_file_bytes = (int64_t)(settings->dest.max_file_size_mb * 1024 * 1024)};
    if (rc == 0) {
        rc = hr_run_object_sink(settings, &sink, partitioned, &s->sink, err);
    }
    hr_free(folder);
    return rc;
}

static void close_table(struct hr_sync_run *s) {
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

static bool left_out(const void *user, const char *name) {
    const struct hr_column *column = hr_stream_column(user, name);
    return column != NULL && !column->selected;
}

/* Say how the stream's columns differ from the catalog's and the last run's. */
static int report_drift(struct hr_sync_run *s, const struct hr_stream *stream,
                        const struct hr_schema *before, const struct hr_schema *after,
                        struct hr_error *err) {
    const struct hr_drift drift = {
        .before = before,
        .after = after,
        .nulls = &s->nulls,
        .left_out = left_out,
        .user = stream,
        .former = json_object_get(s->tables[s->current].state.headrace, "nulls")};
    struct hr_buf text;
    struct hr_buf line;
    hr_buf_init(&text, 0);
    hr_buf_init(&line, 0);
    int rc = hr_drift_text(&drift, &text, err);
    if (rc == 0 && text.len > 0) {
        rc = hr_buf_printf(&line, err, "stream '%s': columns changed: %s", stream->name,
                           hr_buf_cstr(&text));
        if (rc == 0) {
            hr_sync_warn(s, hr_buf_cstr(&line));
        }
    }
    hr_buf_release(&text);
    hr_buf_release(&line);
    return rc;
}

/* Files narrower than the catalog lose nothing; who wonders about them asks for --log-level info.
 */
static int report_narrowed(const struct hr_stream *stream, const struct hr_schema *before,
                           const struct hr_schema *seen, struct hr_error *err) {
    struct hr_buf text;
    hr_buf_init(&text, 0);
    const int rc = hr_drift_narrowed(before, seen, &text, err);
    if (rc == 0 && text.len > 0) {
        hr_log(HR_LOG_INFO, "stream '%s': columns are narrower in this run's files: %s",
               stream->name, hr_buf_cstr(&text));
    }
    hr_buf_release(&text);
    return rc;
}

static void report_rounded(struct hr_sync_run *s, const struct hr_stream *stream,
                           const char *text) {
    char line[800];
    snprintf(line, sizeof(line), "stream '%.200s': %s", stream->name, text);
    hr_sync_warn(s, line);
}

static int run_table(struct hr_sync_run *s, struct hr_error *err) {
    const struct hr_stream *stream = &s->conf->catalog->streams[s->current];
    struct hr_sync_table *t = &s->tables[s->current];
    struct hr_transform_spec spec = {0};
    struct hr_partition_spec *partition = NULL;
    struct hr_filter *filter = NULL;
    struct hr_schema *schema = NULL;
    struct hr_schema *widest = NULL;
    struct hr_schema *seen = NULL;
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
                                          .cut_when_interrupted = hr_sync_incremental(stream),
                                          .user = s,
                                          .nulls = &s->nulls,
                                          .seen = &seen,
                                          .progress = s->conf->progress};
    if (rc == 0) {
        rc = hr_pipeline_run(&conf, &counts, &widest, err);
    }
    if (rc == 0) {
        rc = report_drift(s, stream, t->floor ? t->floor : schema, widest, err);
    }
    if (rc == 0) {
        rc = report_narrowed(stream, t->floor ? t->floor : schema, seen, err);
    }
    hr_schema_unref(seen);
    for (size_t i = 0; i < s->nulls.n; i++) {
        char text[500];
        counts.rounded += s->nulls.items[i].rounded;
        if (hr_rounded_text(&s->nulls.items[i], text, sizeof(text))[0] != '\0') {
            report_rounded(s, stream, text);
        }
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
static int rest_table(struct hr_sync_run *s, struct hr_error *err) {
    const struct hr_stream *stream = &s->conf->catalog->streams[s->current];
    struct hr_sync_table *t = &s->tables[s->current];
    const struct hr_run_counts none = {0};
    int rc = 0;
    if (!t->begun) {
        char text[400];
        snprintf(
            text, sizeof(text),
            "stream '%s': there is nothing to read: no object of it, or none that the source's "
            "format, patterns and dates let through; its table stays as it is",
            stream->name);
        hr_sync_warn(s, text);
    }
    if (hr_sync_incremental(stream) && hr_sync_whole(s)) {
        const bool differs = hr_sync_report_days(s, t, stream) > 0;
        const bool reselected = t->reselect != NULL && hr_reselect_changed(t->reselect);
        const bool changed =
            differs || reselected || t->state.headrace == NULL || hr_band_sweeping(t->band);
        const int64_t before = hr_band_watermark(t->band);
        rc = hr_band_finish(t->band, err);
        if (rc == 0 && t->state.present && changed &&
            (differs || reselected || before != hr_band_watermark(t->band))) {
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

static int plan_and_run(struct hr_sync_run *s, struct hr_error *err) {
    const struct hr_plan_conf conf = {.store = s->src,
                                      .settings = s->conf->settings,
                                      .catalog = s->conf->catalog,
                                      .fresh = is_fresh,
                                      .fresh_user = s,
                                      .floors = s->floors,
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

static int run_streams(struct hr_sync_run *s, struct hr_error *err) {
    const size_t n = s->conf->catalog->count;
    s->floors = hr_calloc(n + 1, sizeof(struct hr_schema *));
    if (s->floors == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate the streams");
    }
    for (size_t i = 0; i < n; i++) {
        s->floors[i] = s->tables[i].floor;
    }
    return plan_and_run(s, err);
}

static void release(struct hr_sync_run *s) {
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
        hr_schema_unref(s->tables[i].floor);
        hr_reselect_free(s->tables[i].reselect);
        s->out->streams += s->conf->catalog->streams[i].selected;
    }
    hr_free(s->tables);
    hr_free(s->floors);
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
    struct hr_sync_run *s = user;
    hr_watch_also(s->watch, store);
    if (store == NULL) {
        hr_run_add_counters(s->state_store, &s->out->state);
    }
    s->state_store = store;
}

/* with_source: not for what only changes the destination. */
static int open_all(struct hr_sync_run *s, bool with_source, struct hr_error *err) {
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
                                       .ask_when_lost = settings->sync.lost_upload == HR_LOST_ASK,
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
    struct hr_sync_run s = {.conf = conf, .out = out};
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
        rc = hr_sync_check_mode(&s, err);
    }
    if (rc == 0) {
        rc = hr_sync_check_tables(&s, err);
    }
    if (rc == 0) {
        hr_sync_warn_catalog(&s);
        rc = hr_sync_load_tables(&s, err);
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

static int clear_folder(struct hr_sync_run *s, const char *folder, int64_t *removed,
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
    struct hr_sync_run s = {.conf = conf, .out = &out};
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
