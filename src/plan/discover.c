/* plan/discover.c - what is there: every stream of a source with its columns.
 *
 * One scan over the source; each stream's samples are kept while it goes by and looked at together
 * at the end. Streams come in scan order.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "plan/sample.h"

struct found_stream {
    long number; /* of the scan */
    struct hr_sample *samples;
    size_t n_samples;
};

struct discovery {
    struct hr_scan *scan;
    struct found_stream *streams;
    size_t count;
    struct hr_sampler *sampler; /* of the stream going by */
    long current;
};

static int nomem(struct hr_error *err) {
    return hr_fail(err, HR_E_NOMEM, "out of memory while discovering streams");
}

/* The stream that went by is complete. */
static int close_stream(struct discovery *d, struct hr_error *err) {
    if (d->sampler == NULL) {
        return 0;
    }
    struct found_stream *grown = hr_reallocarray(d->streams, d->count + 1, sizeof *grown);
    if (grown == NULL) {
        return nomem(err);
    }
    d->streams = grown;
    struct found_stream *stream = &grown[d->count];
    *stream = (struct found_stream){.number = d->current};
    int rc = hr_samples_copy(d->sampler, &stream->samples, &stream->n_samples, err);
    hr_sampler_free(d->sampler);
    d->sampler = NULL;
    d->count += rc == 0;
    return rc;
}

static int next_stream(struct discovery *d, long stream, const struct hr_settings *settings,
                       struct hr_error *err) {
    int rc = close_stream(d, err);
    if (rc) {
        return rc;
    }
    d->sampler = hr_sampler_new(settings->schema.infer_files);
    d->current = stream;
    return d->sampler ? 0 : nomem(err);
}

static int collect(struct discovery *d, const struct hr_settings *settings, struct hr_error *err) {
    const struct hr_object *object = NULL;
    int rc = 0;
    while ((rc = hr_scan_next(d->scan, &object, err)) == 0) {
        if (d->sampler == NULL || object->stream != d->current) {
            rc = next_stream(d, object->stream, settings, err);
        }
        if (rc == 0) {
            rc = hr_sampler_add(d->sampler, object, err);
        }
        if (rc) {
            return rc;
        }
    }
    return rc == HR_END ? close_stream(d, err) : rc;
}

/* "listed 12 objects: 3 folder, 9 format" */
static int nothing_found(const struct hr_store *store, const struct hr_settings *settings,
                         const struct hr_selection *selection, struct hr_error *err) {
    char counts[200] = "";
    size_t len = 0;
    uint64_t listed = 0;
    for (int i = 1; i < HR_SKIP_COUNT; i++) {
        listed += selection->objects[i];
        if (selection->objects[i] && len < sizeof counts - 40) {
            len += (size_t)snprintf(counts + len, sizeof counts - len, "%s%llu %s", len ? ", " : "",
                                    (unsigned long long)selection->objects[i],
                                    hr_skip_name((enum hr_skip)i));
        }
    }
    const char *place = settings->place.object ? settings->place.object : settings->place.prefix;
    int rc = hr_fail(err, HR_E_NO_OBJECT, "no files to read were found in %s%s%.200s",
                     store->label ? store->label : "the store", *place ? "/" : "", place);
    if (listed) {
        hr_error_detail(err, "%llu objects were listed and left out: %s",
                        (unsigned long long)listed, counts);
        hr_error_hint(err, "Check file_format, compression and the file pattern.");
    } else {
        hr_error_detail(err, "the listing is empty");
        hr_error_hint(err, "Check the bucket and the path prefix.");
    }
    return rc;
}

/* Name of the only stream of a source: the last folder or the bucket. */
static char *single_name(const struct hr_settings *settings) {
    const struct hr_place *place = &settings->place;
    const char *path = place->object ? place->object : place->prefix;
    size_t end = strlen(path);
    while (end && path[end - 1] == '/') {
        end--;
    }
    if (end == 0) {
        path = place->root;
        end = strlen(path);
        while (end && path[end - 1] == '/') {
            end--;
        }
    }
    size_t begin = end;
    while (begin && path[begin - 1] != '/') {
        begin--;
    }
    return end > begin ? hr_strndup(path + begin, end - begin) : hr_strdup("data");
}

static int add_stream(const struct discovery *d, size_t index, const struct hr_infer_job *job,
                      const struct hr_settings *settings, struct hr_catalog *out,
                      struct hr_error *err) {
    const char *name = hr_scan_stream_name(d->scan, d->streams[index].number);
    char *single = settings->files.stream_by == HR_STREAM_BY_ALL ? single_name(settings) : NULL;
    struct hr_stream *stream = NULL;
    int rc = hr_catalog_add(out, single ? single : name, "s3", &stream, err);
    hr_free(single);
    if (rc == 0 && job->rc) {
        if (err) {
            *err = job->err;
        }
        return job->rc;
    }
    if (rc == 0 && job->schema) {
        rc = hr_stream_set_schema(stream, job->schema, err);
    }
    return rc;
}

static int infer_all(const struct discovery *d, struct hr_store *store,
                     const struct hr_settings *settings, int width, struct hr_catalog *out,
                     struct hr_error *err) {
    struct hr_infer_job *jobs = hr_calloc(d->count, sizeof *jobs);
    if (jobs == NULL) {
        return nomem(err);
    }
    for (size_t i = 0; i < d->count; i++) {
        jobs[i].samples = d->streams[i].samples;
        jobs[i].n_samples = d->streams[i].n_samples;
        jobs[i].keep_nested = true;
    }
    int rc = hr_infer_jobs(store, settings, jobs, d->count, width, err);
    for (size_t i = 0; i < d->count; i++) {
        if (rc == 0) {
            rc = add_stream(d, i, &jobs[i], settings, out, err);
        }
        hr_schema_unref(jobs[i].schema);
    }
    hr_free(jobs);
    return rc;
}

int hr_discover(struct hr_store *store, const struct hr_settings *settings, int width,
                struct hr_catalog *out, struct hr_selection *selection, struct hr_error *err) {
    struct discovery d = {0};
    struct hr_scan_conf conf = {.store = store, .settings = settings};
    hr_catalog_init(out);
    int rc = hr_scan_open(&conf, &d.scan, err);
    if (rc == 0) {
        rc = collect(&d, settings, err);
    }
    if (rc == 0 && selection) {
        *selection = *hr_scan_selection(d.scan);
    }
    if (rc == 0 && d.count == 0) {
        rc = nothing_found(store, settings, hr_scan_selection(d.scan), err);
    }
    if (rc == 0) {
        rc = infer_all(&d, store, settings, width, out, err);
    }
    if (rc) {
        hr_catalog_release(out);
    }
    hr_sampler_free(d.sampler);
    for (size_t i = 0; i < d.count; i++) {
        hr_samples_free(d.streams[i].samples, d.streams[i].n_samples);
    }
    hr_free(d.streams);
    hr_scan_close(d.scan);
    return rc;
}
