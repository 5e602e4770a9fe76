/* pipeline/reject.h - records that could not be read: kept with their task, judged in task order.
 *
 * A worker keeps what its task rejected; the assembler judges it against max_errors and
 * max_error_ratio and hands it on to the quarantine. What counts as a bad record:
 * docs/internals/bad-records.md. */
#ifndef HR_PIPELINE_REJECT_H
#define HR_PIPELINE_REJECT_H

#include "pipeline/pipeline.h"

/* One record that was dropped. */
struct hr_kept_reject {
    size_t piece; /* of its task */
    int64_t byte_offset, line;
    char *reason;
    struct hr_buf raw; /* empty unless on_error is quarantine */
    bool cut;          /* the record went on */
};

/* What one task rejected. Zeroed to start. */
struct hr_rejects {
    struct hr_kept_reject *items;
    size_t n, cap;
    size_t bytes;  /* held by items */
    int64_t count; /* rejected, also those no longer kept */
};

/* Keep one. What the settings do not need is only counted. HR_E_BOUND when a quarter of
 * memory_limit_mb is full of bad records: then nearly all of the task is bad. */
int hr_rejects_add(struct hr_rejects *rejects, const struct hr_settings *settings, size_t piece,
                   const struct hr_reject *what, struct hr_error *err);
/* By place: readers may find a record bad after ones that follow it. */
void hr_rejects_sort(struct hr_rejects *rejects);
void hr_rejects_release(struct hr_rejects *rejects); /* empty afterwards, usable again */

/* Counts and names the first ones over a run. Zeroed to start. */
struct hr_judge {
    int64_t count;
    int named;
    char first[240]; /* "'a.csv' line 3: …; 'b.csv' line 9: …" */
};
/* One task's, in task order: threshold, then the quarantine. */
int hr_judge_task(struct hr_judge *judge, const struct hr_pipeline_conf *conf,
                  const struct hr_task *task, const struct hr_rejects *rejects,
                  struct hr_error *err);
/* max_error_ratio, at a checkpoint, over the rows of the run so far. */
int hr_judge_ratio(const struct hr_judge *judge, const struct hr_pipeline_conf *conf,
                   int64_t rows_in, struct hr_error *err);

#endif
