/* pipeline/reject.c - bad records kept by a worker and judged by the assembler (see reject.h). */
#include "pipeline/reject.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RAW_MAX ((size_t)1 << 16) /* readers hand out no more (format.h) */
#define NAMED_MAX 3

/* Are `n` enough? The first of them name the fault, one over max_errors proves it. */
static bool enough(const struct hr_settings *settings, size_t n) {
    const int64_t max = settings->schema.max_errors;
    if (hr_settings_quarantines(settings)) {
        return false;
    }
    return max > 0 ? (int64_t)n > max : n >= NAMED_MAX;
}

static int too_many(const struct hr_settings *settings, struct hr_error *err) {
    hr_fail(err, HR_E_BOUND, "could not keep more than %lld MiB of bad records of one task",
            (long long)settings->work.memory_limit_mb / 4);
    hr_error_hint(err, "nearly every record is bad: check file_format, csv_delimiter and "
                       "csv_encoding, or set max_errors");
    return HR_E_BOUND;
}

int hr_rejects_add(struct hr_rejects *rejects, const struct hr_settings *settings, size_t piece,
                   const struct hr_reject *what, struct hr_error *err) {
    if (enough(settings, rejects->n)) {
        rejects->count++;
        return 0;
    }
    if (rejects->n == rejects->cap) {
        const size_t cap = rejects->cap ? rejects->cap * 2 : 16;
        struct hr_kept_reject *grown = hr_reallocarray(rejects->items, cap, sizeof(*grown));
        if (grown == NULL) {
            return hr_fail(err, HR_E_NOMEM, "could not keep a bad record");
        }
        rejects->items = grown;
        rejects->cap = cap;
    }
    const size_t len = what->raw.len < RAW_MAX ? what->raw.len : RAW_MAX;
    struct hr_kept_reject kept = {.piece = piece,
                                  .byte_offset = what->byte_offset,
                                  .line = what->line,
                                  .cut = what->raw.len >= RAW_MAX};
    hr_buf_init(&kept.raw, RAW_MAX + 1);
    kept.reason = hr_strdup(what->reason);
    int rc = kept.reason != NULL ? 0 : HR_E_NOMEM;
    if (rc == 0 && hr_settings_quarantines(settings)) {
        rc = hr_buf_append(&kept.raw, what->raw.ptr, len, NULL);
        rejects->bytes += len + sizeof(kept) + strlen(kept.reason);
    }
    if (rc != 0) {
        hr_free(kept.reason);
        return hr_fail(err, HR_E_NOMEM, "could not keep a bad record");
    }
    rejects->items[rejects->n++] = kept;
    rejects->count++;
    return rejects->bytes > (size_t)settings->work.memory_limit_mb << 18 ? too_many(settings, err)
                                                                         : 0;
}

static int by_place(const void *a, const void *b) {
    const struct hr_kept_reject *x = a;
    const struct hr_kept_reject *y = b;
    if (x->piece != y->piece) {
        return x->piece < y->piece ? -1 : 1;
    }
    return x->byte_offset < y->byte_offset ? -1 : x->byte_offset > y->byte_offset;
}

void hr_rejects_sort(struct hr_rejects *rejects) {
    if (rejects->n > 1) {
        qsort(rejects->items, rejects->n, sizeof(*rejects->items), by_place);
    }
}

void hr_rejects_release(struct hr_rejects *rejects) {
    for (size_t i = 0; i < rejects->n; i++) {
        hr_free(rejects->items[i].reason);
        hr_buf_release(&rejects->items[i].raw);
    }
    hr_free(rejects->items);
    *rejects = (struct hr_rejects){0};
}

/* ---- judging ---- */

static void name_one(struct hr_judge *judge, const struct hr_rejected *what) {
    const size_t n = strlen(judge->first);
    char where[64] = "";
    if (judge->named == NAMED_MAX) {
        return;
    }
    judge->named++;
    if (what->line >= 0) {
        snprintf(where, sizeof(where), " line %lld", (long long)what->line);
    } else if (what->byte_offset >= 0) {
        snprintf(where, sizeof(where), " at byte %lld", (long long)what->byte_offset);
    }
    snprintf(judge->first + n, sizeof(judge->first) - n, "%s'%.60s'%s: %.50s",
             n ? "; " : "first: ", what->key, where, what->reason);
}

static int over_max(const struct hr_judge *judge, int64_t max, const struct hr_rejected *what,
                    struct hr_error *err) {
    hr_fail(err, HR_E_BAD_RECORDS,
            "could not go on: more than %lld bad records, the last in '%s': %s", (long long)max,
            what->key, what->reason);
    hr_error_object(err, what->key);
    hr_error_place(err, what->byte_offset, what->line, NULL);
    hr_error_detail(err, "%s", judge->first);
    hr_error_hint(err, "raise max_errors, or repair the files");
    return HR_E_BAD_RECORDS;
}

int hr_judge_task(struct hr_judge *judge, const struct hr_pipeline_conf *conf,
                  const struct hr_task *task, const struct hr_rejects *rejects,
                  struct hr_error *err) {
    const int64_t max = conf->settings->schema.max_errors;
    const int64_t before = judge->count;
    struct hr_sink *sink = conf->sink;
    judge->count += rejects->count;
    for (size_t i = 0; i < rejects->n; i++) {
        const struct hr_kept_reject *k = &rejects->items[i];
        const struct hr_rejected what = {.key = task->pieces[k->piece].key,
                                         .byte_offset = k->byte_offset,
                                         .line = k->line,
                                         .reason = k->reason,
                                         .raw = hr_buf_slice(&k->raw),
                                         .cut = k->cut};
        name_one(judge, &what);
        if (max > 0 && before + (int64_t)i + 1 > max) {
            return over_max(judge, max, &what, err);
        }
        const int rc =
            hr_settings_quarantines(conf->settings) ? sink->ops->reject(sink, &what, err) : 0;
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

int hr_judge_ratio(const struct hr_judge *judge, const struct hr_pipeline_conf *conf,
                   int64_t rows_in, struct hr_error *err) {
    const double max = conf->settings->schema.max_error_ratio;
    const int64_t all = rows_in + judge->count;
    if (max <= 0 || judge->count == 0 || (double)judge->count <= max * (double)all) {
        return 0;
    }
    hr_fail(err, HR_E_BAD_RECORDS, "could not go on: %lld of %lld records are bad",
            (long long)judge->count, (long long)all);
    hr_error_detail(err, "%s", judge->first);
    hr_error_hint(err, "raise max_error_ratio, or repair the files");
    return HR_E_BAD_RECORDS;
}
