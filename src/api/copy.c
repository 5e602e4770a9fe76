/* api/copy.c - copy: every source is planned, their schemas meet, one pipeline run each feeds the
 * same sink, and everything is published at the end. A destination of one file starts over with
 * the wider schema when a late value needs it: nothing was visible yet. */
#include "api/copy.h"

#include <stdio.h>
#include <string.h>

#include "api/watch.h"
#include "base/log.h"
#include "base/time.h"

#define RESTARTS_MAX 64
#define CHANGES_MAX 3 /* of objects replaced or deleted half way */

struct source {
    const struct hr_settings *settings;
    struct hr_store *store;
    struct hr_catalog catalog;
    struct hr_plan *plan;
    struct hr_task *first; /* pulled to learn the schema */
    bool ended;
};

struct copy {
    const struct hr_copy_conf *conf;
    const struct hr_settings *settings; /* of the first source */
    struct source *sources;
    struct hr_store *dst;
    struct hr_budget *budget;
    struct hr_commit *commit;
    struct hr_sink *sink;
    struct hr_filter *filter;
    struct hr_transform_spec spec;
    struct hr_partition_spec *partition;
    struct hr_write_opts write;
    struct hr_put_opts put;
    const struct hr_format *format;
    struct hr_schema *schema; /* read schema all sources share */
    struct hr_null_counts nulls;
    struct hr_summary *out;
};

static void close_source(struct source *s) {
    hr_task_free(s->first);
    s->first = NULL;
    if (s->plan != NULL) {
        hr_plan_close(s->plan);
        s->plan = NULL;
    }
    hr_catalog_release(&s->catalog);
    hr_catalog_init(&s->catalog);
    s->ended = false;
}

/* Plan one source up to its first task, whose schema is known then. */
static int open_source(struct source *s, struct hr_error *err) {
    struct hr_stream *stream;
    hr_catalog_init(&s->catalog);
    int rc = hr_catalog_add(&s->catalog, "", "", &stream, err);
    if (rc != 0) {
        return rc;
    }
    stream->sync_mode = HR_SYNC_FULL_REFRESH;
    const struct hr_plan_conf conf = {
        .store = s->store, .settings = s->settings, .catalog = &s->catalog};
    rc = hr_plan_open(&conf, &s->plan, err);
    if (rc == 0) {
        rc = hr_plan_next(s->plan, &s->first, err);
    }
    s->ended = rc == HR_END;
    return rc == HR_END ? 0 : rc;
}

/* Names the place and what stood there instead of objects to read. */
static int nothing_found(const struct copy *c, struct hr_error *err) {
    const struct source *s = &c->sources[0];
    const struct hr_selection *sel = hr_scan_selection(hr_plan_scan(s->plan));
    uint64_t seen = 0;
    char why[200] = "";
    size_t n = 0;
    for (int i = 0; i < HR_SKIP_COUNT; i++) {
        seen += sel->objects[i];
        if (i > 0 && sel->objects[i] > 0 && n < sizeof(why)) {
            n += (size_t)snprintf(why + n, sizeof(why) - n, "%s%s %llu", n ? ", " : "",
                                  hr_skip_name((enum hr_skip)i),
                                  (unsigned long long)sel->objects[i]);
        }
    }
    const char *object = s->settings->place.object;
    const struct hr_codec *codec =
        object != NULL ? hr_codec_by_key(object, strlen(object), NULL) : NULL;
    if (codec != NULL && codec->missing != NULL) {
        hr_fail(err, HR_E_UNSUPPORTED, "could not read '%s': %s", object, codec->missing);
        hr_error_object(err, object);
        return HR_E_UNSUPPORTED;
    }
    if (s->settings->place.scheme != NULL && strcmp(s->settings->place.scheme, "stdio") == 0) {
        return hr_fail(err, HR_E_NO_OBJECT, "could not find anything to read: %s is empty",
                       s->store->label);
    }
    const char *prefix = s->settings->place.prefix ? s->settings->place.prefix : "";
    hr_fail(err, HR_E_NO_OBJECT, "could not find anything to read in '%s/%s'", s->store->label,
            prefix);
    hr_error_object(err, s->settings->place.object);
    if (seen > 0) {
        hr_error_detail(err, "%llu objects are there, left out by: %s", (unsigned long long)seen,
                        why);
        hr_error_hint(err, "check the pattern and the format (--set file_format=…)");
    } else {
        hr_error_hint(err, "check the bucket, the folder and the pattern: `headrace ls` shows what "
                           "is there");
    }
    return HR_E_NO_OBJECT;
}

static int open_sources(struct copy *c, struct hr_error *err) {
    int rc = 0;
    bool any = false;
    struct hr_schema *all = NULL;
    for (size_t i = 0; rc == 0 && i < c->conf->n_sources; i++) {
        struct source *s = &c->sources[i];
        close_source(s);
        rc = open_source(s, err);
        if (rc != 0 || s->ended) {
            continue;
        }
        any = true;
        struct hr_schema *one = NULL;
        rc = hr_stream_schema(&s->catalog.streams[0], false, &one, err);
        if (rc == 0 && all == NULL) {
            all = one;
            continue;
        }
        if (rc == 0) {
            struct hr_schema *met;
            rc = hr_schema_meet(all, one, &met);
            hr_schema_unref(all);
            all = met;
            if (rc != 0) {
                hr_fail(err, rc, "could not allocate a schema");
            }
        }
        hr_schema_unref(one);
    }
    if (rc == 0 && !any) {
        rc = nothing_found(c, err);
    }
    if (rc == 0 && c->schema == NULL) {
        c->schema = hr_schema_ref(all);
        rc = hr_run_rescue(c->settings, &c->schema, &c->spec, err);
    }
    hr_schema_unref(all);
    return rc;
}

static int next_task(void *user, struct hr_task **out, struct hr_error *err) {
    struct source *s = user;
    if (s->first != NULL) {
        *out = s->first;
        s->first = NULL;
        return 0;
    }
    return s->ended ? HR_END : hr_plan_next(s->plan, out, err);
}

/* Folders by value need a destination of many files. */
static int open_partition(struct copy *c, struct hr_error *err) {
    const struct hr_dest *dest = &c->settings->dest;
    int rc = hr_run_partition(c->settings, NULL, hr_run_time_us(c->settings), &c->spec,
                              &c->partition, err);
    if (rc != 0 || c->partition == NULL) {
        return rc;
    }
    if (c->conf->stream_fd >= 0 || dest->place.object != NULL) {
        hr_fail(err, HR_E_USAGE, "could not partition the output: the destination is one file");
        hr_error_hint(err, "name a folder: end it in '/'");
        return HR_E_USAGE;
    }
    return 0;
}

/* Files are added to a folder; what else was asked for is done or refused, not forgotten. */
static int check_mode(const struct copy *c, struct hr_error *err) {
    const struct hr_dest *dest = &c->settings->dest;
    if (dest->place.object != NULL || !hr_settings_given(c->settings, "destination.mode")) {
        return 0;
    }
    if (dest->mode == HR_MODE_OVERWRITE || dest->mode == HR_MODE_REPLACE) {
        hr_fail(err, HR_E_USAGE,
                "could not replace what is in the folder '%s' of %s: copy adds "
                "files to a folder",
                dest->place.prefix, c->dst->label);
        hr_error_hint(err, "name one file, empty the folder before, or use sync, which knows what "
                           "it wrote");
        return HR_E_USAGE;
    }
    if (dest->mode != HR_MODE_ERROR) {
        return 0;
    }
    struct hr_list_page page = {0};
    const struct hr_list_query q = {.prefix = dest->place.prefix, .page_size = 1};
    int rc = c->dst->driver->list(c->dst, &q, &page, err);
    if (rc == 0 && page.count > 0) {
        rc = hr_fail(err, HR_E_EXISTS, "could not write into the folder '%s' of %s: '%s' is there",
                     dest->place.prefix, c->dst->label, page.items[0].key);
        hr_error_hint(err, "choose an empty folder, or mode append");
    } else if (rc == HR_E_NO_OBJECT) {
        hr_error_clear(err);
        rc = 0;
    }
    hr_list_page_release(&page);
    return rc;
}

static int open_sink(struct copy *c, struct hr_error *err) {
    const struct hr_dest *dest = &c->settings->dest;
    if (c->conf->drain) {
        return hr_sink_null(&c->sink, err);
    }
    int rc = open_partition(c, err);
    if (rc != 0) {
        return rc;
    }
    rc = hr_settings_write_opts(c->settings, &c->write, err);
    c->format = hr_settings_dest_format(c->settings);
    if (rc != 0) {
        return rc;
    }
    if (c->format == NULL || c->format->encoder == NULL) {
        hr_fail(err, HR_E_CONFIG, "could not write %s: it is a format that is only read",
                c->format ? c->format->name : "this format");
        hr_error_hint(err, "write parquet, csv, tsv, json, jsonl or avro");
        return HR_E_CONFIG;
    }
    if (c->conf->stream_fd >= 0 && hr_settings_quarantines(c->settings)) {
        hr_fail(err, HR_E_USAGE, "could not put bad records beside standard output");
        hr_error_hint(err, "write to a file or folder, or use --set on_error=skip");
        return HR_E_USAGE;
    }
    if (c->conf->stream_fd >= 0) {
        return hr_sink_stream(c->conf->stream_fd, c->format, &c->write, &c->sink, err);
    }
    rc = hr_run_open_store(c->settings, &dest->place, false, &c->dst, err);
    rc = rc == 0 ? check_mode(c, err) : rc;
    char lineage[33];
    hr_run_lineage(c->settings, lineage);
    c->put = hr_run_put_opts(c->settings);
    const struct hr_commit_conf commit = {
        .store = c->dst,
        .budget = c->budget,
        .lineage = lineage,
        .seq = 1,
        .part_size = (size_t)c->settings->work.part_size_mb << 20,
        .replace = dest->place.object != NULL &&
                   (!hr_settings_given(c->settings, "destination.mode") ||
                    dest->mode == HR_MODE_REPLACE || dest->mode == HR_MODE_OVERWRITE),
        .put = &c->put};
    if (rc == 0) {
        rc = hr_commit_begin(&commit, &c->commit, err);
    }
    const struct hr_object_sink_conf sink = {.commit = c->commit,
                                             .format = c->format,
                                             .write = &c->write,
                                             .prefix = dest->place.prefix,
                                             .key = dest->place.object,
                                             .max_file_bytes =
                                                 (int64_t)(dest->max_file_size_mb * 1024 * 1024),
                                             .empty_file = true};
    return rc == 0 ? hr_run_object_sink(c->settings, &sink, c->partition != NULL, &c->sink, err)
                   : rc;
}

static int run_sources(struct copy *c, struct hr_error *err) {
    int rc = 0;
    struct hr_run_counts sum = {0};
    for (size_t i = 0; rc == 0 && i < c->conf->n_sources; i++) {
        struct source *s = &c->sources[i];
        struct hr_schema *widened = NULL;
        struct hr_run_counts counts;
        const struct hr_pipeline_conf conf = {.store = s->store,
                                              .budget = c->budget,
                                              .settings = s->settings,
                                              .workers = c->conf->workers,
                                              .next_task = next_task,
                                              .task_user = s,
                                              .read_schema = c->schema,
                                              .spec = &c->spec,
                                              .partition = c->partition,
                                              .out_format = c->format,
                                              .write = &c->write,
                                              .sink = c->sink,
                                              .more_follows = i + 1 < c->conf->n_sources,
                                              .nulls = &c->nulls,
                                              .progress = c->conf->progress};
        rc = hr_pipeline_run(&conf, &counts, &widened, err);
        hr_run_add_counts(&sum, &counts);
        hr_schema_unref(c->schema);
        c->schema = widened;
    }
    c->out->counts = sum;
    return rc;
}

/* From the beginning; nothing was visible yet. */
static int start_over(struct copy *c, const char *why, struct hr_error *err) {
    hr_log(HR_LOG_INFO, "%s: starting over, nothing was visible yet", why);
    hr_nulls_release(&c->nulls);
    c->sink->ops->abort(c->sink);
    if (c->commit != NULL) {
        hr_commit_abort(c->commit);
    }
    return open_sources(c, err);
}

static int run_until_it_fits(struct copy *c, struct hr_error *err) {
    int changes = 0;
    for (int attempt = 0;; attempt++) {
        int rc = run_sources(c, err);
        if (rc == HR_WIDEN) {
            if (attempt == RESTARTS_MAX) {
                return hr_fail(err, HR_E_SCHEMA, "could not find a schema that holds every file");
            }
            rc = start_over(c, "a value needs a wider schema", err);
        } else if (rc == HR_E_CHANGED && c->conf->stream_fd < 0 && changes++ < CHANGES_MAX) {
            rc = start_over(c, "an object changed while it was read", err);
        } else {
            return rc;
        }
        if (rc != 0) {
            return rc;
        }
    }
}

static int finish(struct copy *c, struct hr_error *err) {
    if (c->commit != NULL) {
        const struct hr_publish what = {0};
        const int rc = hr_commit_publish(c->commit, &what, err);
        if (rc != 0) {
            return rc;
        }
    }
    for (size_t i = 0; i < c->nulls.n; i++) {
        char text[500];
        c->out->counts.rounded += c->nulls.items[i].rounded;
        if (hr_rounded_text(&c->nulls.items[i], text, sizeof(text))[0] != '\0') {
            hr_log(HR_LOG_WARN, "%s", text);
        }
    }
    c->out->files = c->sink->files;
    c->out->bytes_out = c->sink->bytes;
    c->out->rows_written = c->sink->rows;
    return 0;
}

static void release(struct copy *c) {
    hr_sink_close(c->sink);
    hr_commit_end(c->commit);
    for (size_t i = 0; c->sources != NULL && i < c->conf->n_sources; i++) {
        struct source *s = &c->sources[i];
        if (s->plan != NULL) {
            struct hr_plan_totals totals;
            hr_plan_get_totals(s->plan, &totals);
            c->out->usd += totals.usd;
        }
        close_source(s);
        hr_run_add_counters(s->store, &c->out->src);
        hr_store_close(s->store);
    }
    hr_run_add_counters(c->dst, &c->out->dst);
    hr_store_close(c->dst);
    hr_free(c->sources);
    hr_nulls_release(&c->nulls);
    hr_transform_spec_release(&c->spec);
    hr_partition_spec_free(c->partition);
    hr_filter_free(c->filter);
    hr_schema_unref(c->schema);
    hr_budget_free(c->budget);
}

static void cancel_sources(void *user) {
    struct copy *c = user;
    for (size_t i = 0; i < c->conf->n_sources; i++) {
        hr_watch_cancel_store(c->sources[i].store);
    }
}

int hr_copy(const struct hr_copy_conf *conf, struct hr_summary *out, struct hr_error *err) {
    struct copy c = {.conf = conf, .settings = &conf->sources[0], .out = out};
    const int64_t started = hr_monotonic_nanos();
    struct hr_watch *watch = NULL;
    *out = (struct hr_summary){.streams = 1};
    c.sources = hr_calloc(conf->n_sources, sizeof(*c.sources));
    c.budget = hr_run_budget(c.settings);
    int rc = c.sources && c.budget ? 0 : hr_fail(err, HR_E_NOMEM, "could not allocate a copy");
    for (size_t i = 0; rc == 0 && i < conf->n_sources; i++) {
        c.sources[i].settings = &conf->sources[i];
        hr_catalog_init(&c.sources[i].catalog);
        rc = hr_run_open_store(&conf->sources[i], &conf->sources[i].place, true,
                               &c.sources[i].store, err);
    }
    if (rc == 0) {
        /* The destination opens later; a copy that is interrupted leaves nothing visible there. */
        watch = hr_watch_start(cancel_sources, &c, NULL, 0);
        rc = hr_run_filter(c.settings, &c.filter, err);
    }
    if (rc == 0) {
        c.spec.filter = c.filter;
        rc = hr_run_copy_spec(c.settings, &c.spec, err);
    }
    if (rc == 0) {
        rc = open_sources(&c, err);
    }
    if (rc == 0) {
        rc = hr_run_check_columns(&c.spec, c.schema, err);
    }
    if (rc == 0) {
        rc = open_sink(&c, err);
    }
    if (rc == 0) {
        rc = run_until_it_fits(&c, err);
    }
    if (rc == 0) {
        rc = finish(&c, err);
    }
    hr_watch_stop(watch);
    release(&c);
    out->seconds = (double)(hr_monotonic_nanos() - started) / 1e9;
    return rc;
}
