/* api/sync_state.c - a sync's streams and the state document: what it says of each at the start,
 * what it shall say after a commit (see sync_internal.h).
 *
 * Our own part of an entry counts when it is whole and nobody wrote the entry since; otherwise the
 * other program's cursor and chunks do.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/columns.h"
#include "api/sync_internal.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/time.h"

void hr_sync_warn(const struct hr_sync_run *s, const char *text) {
    if (s->conf->warn != NULL) {
        s->conf->warn(s->conf->user, text);
    }
}

static size_t put_cursor(int64_t us, char *out) {
    const size_t n = hr_format_timestamp(us / 1000000, 0, 0, 'T', "Z", out);
    out[n] = '\0';
    return n;
}

/* ---- loading state ---- */

/* The other program only moves the cursor on: without one, or with an earlier one, the file was
 * damaged or edited, and going by it would load again what was loaded. */
static int check_cursor(const struct hr_sync_run *s, const struct hr_stream *stream,
                        const struct hr_sync_table *t, struct hr_error *err) {
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

static void adopt_olake(struct hr_sync_run *s, const struct hr_stream *stream,
                        struct hr_sync_table *t) {
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
    hr_sync_warn(s, text);
}

static int mark_chunks(struct hr_sync_table *t, struct hr_error *err) {
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
static int load_band(struct hr_sync_run *s, const struct hr_stream *stream, struct hr_sync_table *t,
                     struct hr_error *err) {
    const int64_t lookback = s->conf->settings->sync.lookback_seconds;
    const json_t *own = t->state.headrace;
    const char *hash = json_string_value(json_object_get(own, "hash"));
    t->backfill = true;
    if (own == NULL || hash == NULL || strcmp(hash, t->state.hash) != 0) {
        int rc = hr_sync_incremental(stream) ? check_cursor(s, stream, t, err) : 0;
        if (rc == 0) {
            rc = hr_band_new(lookback, &t->band, err);
        }
        if (rc == 0 && t->state.present && hr_sync_incremental(stream)) {
            adopt_olake(s, stream, t);
            rc = mark_chunks(t, err);
        }
        return rc;
    }
    if (!hr_sync_incremental(stream)) {
        return hr_band_new(lookback, &t->band, err); /* everything is read again */
    }
    const int rc = hr_band_from_json(own, lookback, hr_state_name(s->state), &t->band, err);
    t->backfill = rc == 0 && hr_band_watermark(t->band) == INT64_MIN;
    return rc;
}

/* What earlier selections took, so that what none of them did can be told, or read. */
static int load_reselect(struct hr_sync_run *s, const struct hr_stream *stream,
                         struct hr_sync_table *t, struct hr_error *err) {
    const struct hr_reselect_conf conf = {
        .settings = s->conf->settings,
        .place = s->src->label,
        .kept =
            hr_sync_incremental(stream) ? json_object_get(t->state.headrace, "selections") : NULL,
        .state_name = hr_state_name(s->state),
        .edge_us = hr_band_edge(t->band),
        .backfill = s->conf->settings->sync.backfill,
        .all_read = hr_band_adopted(t->band)};
    const int rc = hr_reselect_new(&conf, &t->reselect, err);
    if (rc == 0 && hr_reselect_changed(t->reselect) && hr_band_watermark(t->band) == INT64_MIN &&
        hr_band_sweeping(t->band)) {
        char text[400];
        snprintf(text, sizeof(text),
                 "stream '%s': prefix, patterns, format, dates or bucket of the source changed in "
                 "the middle of its first load: old objects in front of the last key read count as "
                 "read; to load all again: headrace state reset",
                 stream->name);
        hr_sync_warn(s, text);
    }
    if (rc == 0 && hr_sync_incremental(stream)) {
        hr_band_unread(t->band, hr_reselect_unread, t->reselect, hr_reselect_takes(t->reselect));
    }
    return rc;
}

static int load_lineage(struct hr_sync_run *s, struct hr_sync_table *t, struct hr_error *err) {
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

/* Files of one table shall not differ in type from run to run: where the catalog has no columns,
 * those of the last run hold, and only widen. A table that is replaced begins anew, and raw records
 * have no types. */
static int load_floor(struct hr_sync_run *s, const struct hr_stream *stream,
                      struct hr_sync_table *t, struct hr_error *err) {
    if (!t->dress || hr_sync_overwrites(stream) || stream->normalization == HR_NO) {
        return 0;
    }
    return hr_columns_from_json(json_object_get(t->state.headrace, "columns"),
                                hr_state_name(s->state), &t->floor, err);
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

/* A chosen name that is no column, which would be left out of every file without a word. Names that
 * other programs add are theirs. */
static void warn_of_chosen(const struct hr_sync_run *s, const struct hr_stream *stream) {
    static const char *const theirs[] = {"_cdc_timestamp", "_olake_id", "_olake_timestamp",
                                         "_op_type", "_last_modified_time"};
    for (size_t i = 0; stream->n_columns > 0 && i < stream->chosen.count; i++) {
        const char *name = stream->chosen.items[i];
        bool known = hr_stream_column(stream, name) != NULL;
        for (size_t k = 0; k < HR_COUNTOF(theirs); k++) {
            known = known || strcmp(name, theirs[k]) == 0;
        }
        if (!known) {
            char shown[120];
            char text[600];
            hr_printable(hr_slice_str(name), 80, shown, sizeof shown);
            snprintf(text, sizeof text,
                     "stream '%.200s': selected_columns names '%s', which is no column of it",
                     stream->name, shown);
            hr_sync_warn(s, text);
        }
    }
}

void hr_sync_warn_catalog(const struct hr_sync_run *s) {
    const struct hr_catalog *catalog = s->conf->catalog;
    for (size_t i = 0; i < catalog->count; i++) {
        const struct hr_stream *stream = &catalog->streams[i];
        const char *cursor = stream->cursor_field;
        if (!stream->selected) {
            continue;
        }
        warn_of_chosen(s, stream);
        if (hr_sync_incremental(stream) && cursor != NULL && *cursor != 0 &&
            strcmp(cursor, "_last_modified_time") != 0) {
            char shown[120];
            char text[600];
            hr_printable(hr_slice_str(cursor), 80, shown, sizeof shown);
            snprintf(text, sizeof text,
                     "stream '%.200s': a cursor that is a column ('%s') is not built yet: files "
                     "that were not read before are read, with all their rows",
                     stream->name, shown);
            hr_sync_warn(s, text);
        }
    }
}

int hr_sync_check_mode(const struct hr_sync_run *s, struct hr_error *err) {
    const struct hr_settings *settings = s->conf->settings;
    const struct hr_catalog *catalog = s->conf->catalog;
    const int mode = settings->dest.mode;
    const bool append = mode == HR_MODE_APPEND;
    if (!hr_settings_given(settings, "destination.mode")) {
        return 0;
    }
    if (!append && mode != HR_MODE_OVERWRITE) {
        hr_fail(err, HR_E_CONFIG, "could not sync with destination.mode %s: it is for copy",
                mode == HR_MODE_ERROR ? "error" : "replace");
        hr_error_hint(err, "leave it out: sync_mode and append_mode of each stream in the catalog "
                           "say whether files are added or replaced");
        return HR_E_CONFIG;
    }
    for (size_t i = 0; i < catalog->count; i++) {
        const struct hr_stream *stream = &catalog->streams[i];
        if (stream->selected && hr_sync_overwrites(stream) == append) {
            hr_fail(err, HR_E_CONFIG,
                    "could not sync stream '%.200s' with destination.mode %s: the catalog says "
                    "that its files are %s",
                    stream->name, append ? "append" : "overwrite", append ? "replaced" : "added");
            hr_error_hint(err,
                          "leave destination.mode out, or set \"append_mode\": %s for the "
                          "stream in selected_streams",
                          append ? "true" : "false and sync_mode full_refresh");
            return HR_E_CONFIG;
        }
    }
    return 0;
}

/* Two streams in one table: a full refresh of one would take away what the other wrote. */
int hr_sync_check_tables(const struct hr_sync_run *s, struct hr_error *err) {
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
        refreshed = refreshed || hr_sync_overwrites(places[i].stream);
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

int hr_sync_load_tables(struct hr_sync_run *s, struct hr_error *err) {
    const struct hr_catalog *catalog = s->conf->catalog;
    s->tables = hr_calloc(catalog->count, sizeof(*s->tables));
    if (s->tables == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate the streams");
    }
    int rc = 0;
    size_t selected = 0;
    for (size_t i = 0; rc == 0 && i < catalog->count; i++) {
        const struct hr_stream *stream = &catalog->streams[i];
        struct hr_sync_table *t = &s->tables[i];
        if (!stream->selected) {
            continue;
        }
        selected++;
        rc = s->conf->dialect->state_get(s->doc, stream->namespace_, stream->name, &t->state, err);
        if (rc == 0) {
            rc = load_band(s, stream, t, err);
        }
        if (rc == 0) {
            rc = load_reselect(s, stream, t, err);
        }
        if (rc == 0) {
            rc = load_lineage(s, t, err);
        }
        if (rc == 0) {
            t->dress = !stream->has_schema;
            rc = load_floor(s, stream, t, err);
        }
    }
    if (rc == 0 && selected == 0) {
        hr_fail(err, HR_E_NO_STREAM, "could not sync: no stream is selected in the catalog");
        hr_error_hint(err, "name streams under selected_streams, or run discover");
        return HR_E_NO_STREAM;
    }
    return rc;
}

/* ---- saving state ---- */

struct difference {
    const struct hr_sync_run *sync;
    const struct hr_stream *stream;
};

static void report_day(void *user, const char *day, int64_t kept, int64_t listed) {
    const struct difference *d = user;
    char text[600];
    snprintf(
        text, sizeof(text),
        "stream '%s': objects of %s differ from what was read (%lld read, %lld there): files "
        "were moved in with old times or replaced, or prefix or patterns were changed; to read "
        "one: headrace state replay KEY, all again: headrace state reset",
        d->stream->name, day, (long long)kept, (long long)listed);
    hr_sync_warn(d->sync, text);
}

/* Of another selection than before: what it brings in that is too old to be found new. */
static void report_unread(const struct hr_sync_run *s, struct hr_sync_table *t,
                          const struct hr_stream *stream) {
    const unsigned long long n = hr_reselect_count(t->reselect);
    const bool took = hr_reselect_takes(t->reselect);
    char text[700];
    char at[48] = "";
    if (hr_reselect_finish(t->reselect)) {
        put_cursor(hr_band_edge(t->band), at);
        snprintf(
            text, sizeof(text),
            "stream '%s': prefix, patterns, format, dates or bucket of the source changed: %llu "
            "objects up to %s, which earlier runs did not select, were not read; to read "
            "them: --set backfill=true, one alone: headrace state replay KEY",
            stream->name, n, at);
        hr_sync_warn(s, text);
    } else if (took || hr_reselect_changed(t->reselect)) {
        hr_log(HR_LOG_INFO,
               "stream '%s': another selection than before; %llu older objects of it were read",
               stream->name, took ? n : 0ULL);
    }
}

size_t hr_sync_report_days(struct hr_sync_run *s, struct hr_sync_table *t,
                           const struct hr_stream *stream) {
    struct difference d = {s, stream};
    report_unread(s, t, stream);
    return hr_band_differences(t->band, report_day, &d);
}

static int pass_over(void *user, const struct hr_object *object, struct hr_error *err) {
    (void)user;
    (void)object;
    (void)err;
    return 0;
}

/* What Olake sees of the entry: a cursor up to which all is read, but for the keys in chunks. */
static int seen_by_olake(struct hr_sync_run *s, const struct hr_sync_table *t, bool last,
                         struct hr_stream_state *out, struct hr_error *err) {
    char cursor[48];
    int64_t newest = hr_band_newest(t->band);
    int rc = 0;
    if (last && !hr_sync_whole(s)) {
        return 0; /* what a limit left is named nowhere */
    }
    if (last) {
        out->chunks = json_array();
    } else {
        rc = hr_pending_chunks(&s->unread, s->plan, s->current, &out->chunks, &newest, err);
        if (rc == 0 && out->chunks == NULL) {
            /* Too many to name, or the listing was interrupted: neither cursor nor chunks. What
             * another program read is noted while it is listed: all of it must have been. */
            return hr_band_adopted(t->band)
                       ? hr_plan_ahead(s->plan, s->current, SIZE_MAX, pass_over, NULL, err)
                       : 0;
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

/* The columns as they are now; those of the run before where this one wrote none. */
static int keep_columns(const struct hr_sync_run *s, const struct hr_sync_table *t,
                        const struct hr_schema *schema, json_t *into, struct hr_error *err) {
    const struct hr_stream *stream = &s->conf->catalog->streams[s->current];
    json_t *former = json_object_get(t->state.headrace, "columns");
    const bool written = schema != NULL && stream->normalization != HR_NO;
    if (!written && former == NULL) {
        return 0;
    }
    json_t *columns = written ? hr_columns_to_json(schema) : json_incref(former);
    return columns != NULL && json_object_set_new(into, "columns", columns) == 0
               ? 0
               : hr_fail(err, HR_E_NOMEM, "could not allocate the state");
}

int hr_sync_next_entry(struct hr_sync_run *s, struct hr_sync_table *t,
                       const struct hr_checkpoint_info *info, struct hr_stream_state *out,
                       struct hr_error *err) {
    const bool last = info == NULL || info->last;
    *out = (struct hr_stream_state){.present = true};
    int rc = seen_by_olake(s, t, last, out, err);
    out->headrace = json_object();
    if (rc == 0 && out->headrace == NULL) {
        rc = hr_fail(err, HR_E_NOMEM, "could not allocate the state");
    }
    if (rc == 0) {
        rc = hr_band_to_json(t->band, out->headrace, err);
    }
    if (rc == 0) {
        rc = keep_columns(s, t, info ? info->schema : NULL, out->headrace, err);
    }
    if (rc == 0) {
        json_t *selections = hr_reselect_to_json(t->reselect);
        if (selections == NULL ||
            json_object_set_new(out->headrace, "selections", selections) != 0) {
            rc = hr_fail(err, HR_E_NOMEM, "could not allocate the state");
        }
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
