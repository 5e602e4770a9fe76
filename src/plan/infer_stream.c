/* plan/infer_stream.c - the schema of a stream from its samples.
 *
 * Samples of all streams are looked at by a few threads, one object each at a time; a format reads
 * no more of an object than it needs. The schemas of a stream's samples meet in key order, so the
 * result does not depend on who was faster. What the option `schema` says is put over it.
 */
#include <pthread.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "plan/sample.h"

#define WIDTH_MAX 64

/* ---- one sample ------------------------------------------------------------------------------ */

void hr_sample_piece(const struct hr_sample *sample, struct hr_piece *out) {
    *out = (struct hr_piece){
        .key = sample->key,
        .size = sample->info.size,
        .mtime_us = sample->info.mtime_us,
        .format = sample->format,
        .codec = sample->codec,
        .codec_auto = sample->codec_auto,
        .end = -1,
        .group_end = -1,
        .first = true,
        .last = true,
    };
    memcpy(out->etag, sample->info.etag, sizeof out->etag);
}

/* A source that owns another below it. */
struct owning_source {
    struct hr_source base;
    struct hr_source *top, *below;
};

static int owning_next(struct hr_source *src, struct hr_slice *out, struct hr_error *err) {
    return hr_source_next(((struct owning_source *)src)->top, out, err);
}
static int owning_read_at(struct hr_source *src, int64_t offset, size_t len, uint8_t *dst,
                          struct hr_error *err) {
    return hr_source_read_at(((struct owning_source *)src)->top, offset, len, dst, err);
}
static void owning_hint(struct hr_source *src, const struct hr_range *ranges, size_t count) {
    hr_source_hint(((struct owning_source *)src)->top, ranges, count);
}
static void owning_close(struct hr_source *src) {
    struct owning_source *s = (struct owning_source *)src;
    hr_source_close(s->top);
    hr_source_close(s->below);
    hr_free(s);
}

int hr_open_sample(struct hr_store *store, const struct hr_settings *settings,
                   const struct hr_sample *sample, size_t window,
                   const struct hr_format **out_format, struct hr_source **out,
                   struct hr_error *err) {
    static const struct hr_source_ops ops = {
        .next = owning_next, .read_at = owning_read_at, .hint = owning_hint, .close = owning_close};
    struct hr_piece piece;
    hr_sample_piece(sample, &piece);
    struct owning_source *s = hr_calloc(1, sizeof *s);
    int rc = s ? hr_object_source(store, sample->key, sample->info.etag, sample->info.size, window,
                                  &s->below, err)
               : hr_fail(err, HR_E_NOMEM, "out of memory for a sample");
    if (rc == 0) {
        rc = hr_piece_source(settings, &piece, s->below, out_format, &s->top, err);
    }
    if (rc) {
        if (s) {
            hr_source_close(s->below);
        }
        hr_free(s);
        return rc;
    }
    s->base = (struct hr_source){
        .ops = &ops, .name = s->top->name, .size = s->top->size, .random = s->top->random};
    *out = &s->base;
    return 0;
}

static int infer_sample(struct hr_store *store, const struct hr_settings *settings,
                        const struct hr_format_opts *opts, const struct hr_sample *sample,
                        struct hr_schema **out, struct hr_error *err) {
    const struct hr_format *format = NULL;
    struct hr_source *src = NULL;
    struct hr_infer_params params;
    hr_settings_infer_params(settings, &params);
    int rc = hr_open_sample(store, settings, sample, 0, &format, &src, err);
    if (rc == 0 && format->infer == NULL) {
        rc = hr_fail(err, HR_E_UNSUPPORTED, "could not read \"%s\": the format %s is not built yet",
                     sample->key, format->name);
    }
    if (rc == 0) {
        rc = format->infer(src, opts, &params, out, err);
    }
    if (rc) {
        hr_error_object(err, sample->key);
    }
    hr_source_close(src);
    return rc;
}

/* ---- many samples by a few threads ----------------------------------------------------------- */

struct answer {
    struct hr_schema *schema;
    int rc;
    struct hr_error err;
};

struct pool {
    struct hr_store *store;
    const struct hr_settings *settings;
    struct hr_format_opts opts; /* shallow copy; nested values keep their types */
    struct hr_infer_job *jobs;
    size_t n_jobs;
    struct answer *answers; /* all samples of all jobs in order */
    size_t next_job, next_sample, next_answer;
    pthread_mutex_t lock;
};

/* The next sample to look at; false: none is left. */
static bool take(struct pool *pool, const struct hr_sample **out, struct answer **out_answer) {
    bool found = false;
    pthread_mutex_lock(&pool->lock);
    while (!found && pool->next_job < pool->n_jobs) {
        const struct hr_infer_job *job = &pool->jobs[pool->next_job];
        if (pool->next_sample < job->n_samples) {
            *out = &job->samples[pool->next_sample++];
            *out_answer = &pool->answers[pool->next_answer++];
            found = true;
        } else {
            pool->next_job++;
            pool->next_sample = 0;
        }
    }
    pthread_mutex_unlock(&pool->lock);
    return found;
}

static void *pool_thread(void *user) {
    struct pool *pool = user;
    const struct hr_sample *sample = NULL;
    struct answer *answer = NULL;
    while (take(pool, &sample, &answer)) {
        hr_error_clear(&answer->err);
        answer->rc = infer_sample(pool->store, pool->settings, &pool->opts, sample, &answer->schema,
                                  &answer->err);
    }
    return NULL;
}

static void run_pool(struct pool *pool, int width, size_t samples) {
    pthread_t threads[WIDTH_MAX];
    int started = 0;
    size_t wanted = width < 1 ? 1 : width > WIDTH_MAX ? WIDTH_MAX : (size_t)width;
    wanted = wanted > samples ? samples : wanted;
    pthread_mutex_init(&pool->lock, NULL);
    while ((size_t)started + 1 < wanted &&
           pthread_create(&threads[started], NULL, pool_thread, pool) == 0) {
        started++;
    }
    pool_thread(pool); /* this thread works too */
    for (int i = 0; i < started; i++) {
        pthread_join(threads[i], NULL);
    }
    pthread_mutex_destroy(&pool->lock);
}

/* ---- putting answers together ---------------------------------------------------------------- */

static int set_text(struct hr_field *field, uint8_t ext) {
    struct hr_field text = {0};
    struct hr_type type = hr_type(HR_T_UTF8);
    type.ext = ext;
    if (hr_field_init(&text, field->name, strlen(field->name), type, 0)) {
        return HR_E_NOMEM;
    }
    text.field_id = field->field_id;
    hr_field_release(field);
    *field = text;
    return 0;
}

/* Nested columns become JSON text where the run wants them so. */
static int settle_nested(struct hr_schema *schema) {
    int rc = 0;
    for (int i = 0; i < schema->n_fields && rc == 0; i++) {
        if (hr_type_nested(schema->fields[i].type)) {
            rc = set_text(&schema->fields[i], HR_EXT_JSON);
        }
    }
    return rc;
}

/* Columns without a value become text. */
static int settle_nulls(struct hr_schema *schema) {
    int rc = 0;
    for (int i = 0; i < schema->n_fields && rc == 0; i++) {
        if (schema->fields[i].type.id == HR_T_NULL) {
            rc = set_text(&schema->fields[i], HR_EXT_NONE);
        }
        schema->fields[i].nullable = true;
    }
    return rc;
}

/* A copy nobody shares. */
static struct hr_schema *own_copy(const struct hr_schema *schema) {
    struct hr_schema *copy = hr_schema_new(schema->n_fields);
    for (int i = 0; copy && i < schema->n_fields; i++) {
        if (hr_field_copy(&copy->fields[i], &schema->fields[i])) {
            hr_schema_unref(copy);
            return NULL;
        }
    }
    return copy;
}

static int meet_answer(struct hr_schema **sum, struct hr_schema *next) {
    if (*sum == NULL) {
        *sum = hr_schema_ref(next);
        return 0;
    }
    struct hr_schema *meet = NULL;
    int rc = hr_schema_meet(*sum, next, &meet);
    if (rc == 0) {
        hr_schema_unref(*sum);
        *sum = meet;
    }
    return rc;
}

/* What was inferred over what was known before: a column that is only nulls this time keeps its
 * type. */
static int meet_floor(const struct hr_schema *floor, struct hr_schema **schema) {
    struct hr_schema *meet = NULL;
    int rc = hr_schema_meet(floor, *schema, &meet);
    if (rc == 0) {
        hr_schema_unref(*schema);
        *schema = own_copy(meet);
        hr_schema_unref(meet);
        rc = *schema ? 0 : HR_E_NOMEM;
    }
    return rc;
}

/* A table of one column whose name holds what often stands between fields was cut at the wrong
 * character, which no reader can know. */
static void doubt_delimiter(const struct hr_settings *settings, const struct hr_infer_job *job,
                            const struct hr_schema *schema) {
    const char *told = settings->format.csv.delimiter;
    if (schema->n_fields != 1 || (told != NULL && *told) || job->n_samples == 0) {
        return;
    }
    const char *mark = strpbrk(schema->fields[0].name, ";\t|,");
    if (mark != NULL) {
        char shown[100];
        hr_printable(hr_slice_str(schema->fields[0].name), 80, shown, sizeof shown);
        hr_log(HR_LOG_WARN,
               "the only column of '%.200s' is \"%s\": if fields end at %s, set "
               "csv_delimiter to \"%.*s\"",
               job->samples[0].key, shown,
               *mark == '\t'  ? "tabs"
               : *mark == ';' ? "semicolons"
               : *mark == '|' ? "bars"
                              : "commas",
               *mark == '\t' ? 2 : 1, *mark == '\t' ? "\\t" : mark);
    }
}

/* sum NULL: nothing was seen, the floor alone counts. */
static int finish_schema(const struct hr_settings *settings, struct hr_infer_job *job,
                         const struct hr_schema *sum) {
    struct hr_schema *schema = own_copy(sum ? sum : job->floor);
    bool nested_text = settings->format.json.nested_text && !job->keep_nested;
    int rc = schema ? 0 : HR_E_NOMEM;
    if (rc == 0 && nested_text) {
        rc = settle_nested(schema);
    }
    if (rc == 0 && job->floor) {
        rc = meet_floor(job->floor, &schema);
    }
    if (rc == 0) {
        rc = settle_nulls(schema);
    }
    if (rc) {
        rc = hr_fail(&job->err, HR_E_NOMEM, "out of memory for a schema");
    } else if (schema->n_fields > settings->schema.max_columns) {
        rc = hr_fail(&job->err, HR_E_BOUND, "%d columns were found, at most %lld are allowed",
                     schema->n_fields, (long long)settings->schema.max_columns);
        hr_error_hint(&job->err,
                      "Raise max_columns, or look whether the files are what you think.");
    } else {
        rc = hr_schema_override(settings, &schema, &job->err);
    }
    if (rc) {
        hr_schema_unref(schema);
        return rc;
    }
    doubt_delimiter(settings, job, schema);
    job->schema = schema;
    return 0;
}

/* A sample deleted since it was listed is passed over; any other failure is the job's. */
static void finish_job(const struct hr_settings *settings, struct hr_infer_job *job,
                       const struct answer *answers) {
    struct hr_schema *sum = NULL;
    job->rc = 0;
    job->schema = NULL;
    hr_error_clear(&job->err);
    for (size_t i = 0; i < job->n_samples && job->rc == 0; i++) {
        if (answers[i].rc == HR_E_NO_OBJECT || answers[i].rc == HR_END) {
            continue;
        }
        if (answers[i].rc) {
            job->rc = answers[i].rc;
            job->err = answers[i].err;
        } else if (answers[i].schema && meet_answer(&sum, answers[i].schema)) {
            job->rc = hr_fail(&job->err, HR_E_NOMEM, "out of memory for a schema");
        }
    }
    if (job->rc == 0 && (sum || job->floor)) {
        job->rc = finish_schema(settings, job, sum);
    }
    hr_schema_unref(sum);
}

int hr_infer_jobs(struct hr_store *store, const struct hr_settings *settings,
                  struct hr_infer_job *jobs, size_t count, int width, struct hr_error *err) {
    struct pool pool = {.store = store,
                        .settings = settings,
                        .opts = settings->format,
                        .jobs = jobs,
                        .n_jobs = count};
    size_t samples = 0;
    for (size_t i = 0; i < count; i++) {
        samples += jobs[i].n_samples;
    }
    pool.opts.json.nested_text = false;
    pool.answers = hr_calloc(samples ? samples : 1, sizeof *pool.answers);
    if (pool.answers == NULL) {
        return hr_fail(err, HR_E_NOMEM, "out of memory for samples");
    }
    if (samples) {
        run_pool(&pool, width, samples);
    }
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        finish_job(settings, &jobs[i], &pool.answers[at]);
        at += jobs[i].n_samples;
    }
    for (size_t i = 0; i < samples; i++) {
        hr_schema_unref(pool.answers[i].schema);
    }
    hr_free(pool.answers);
    return 0;
}
