/* pipeline/pipeline.h - the only place that wires the stages: tasks in, blocks to a sink, in order.
 *
 *            next_task                 blocks, counts            sink.put / cut
 *   plan ──────────────► workers (N) ───────────────► assembler ────────────────► checkpoint()
 *                 fetch, inflate, decode,      in task order
 *                 transform, encode
 *
 * One run is the tasks of one stream. Workers run whole tasks; the caller's thread assembles. With
 * one worker everything runs in the caller's thread. Same tasks, same options: same blocks, in the
 * same order, at any number of workers. Level 6.
 */
#ifndef HR_PIPELINE_PIPELINE_H
#define HR_PIPELINE_PIPELINE_H

#include <stdatomic.h>

#include "pipeline/nulls.h"
#include "plan/plan.h"
#include "sink/sink.h"
#include "transform/partition.h"

/* Set from signal handlers: 1 = stop at the next safe point. */
extern volatile int hr_cancelled;

/* Figures others may read while a run goes on. */
struct hr_progress {
    atomic_int_fast64_t bytes_in; /* stored bytes of finished pieces */
    atomic_int_fast64_t objects;  /* objects read to their end */
    atomic_int_fast64_t rows_in, rows_out;
    atomic_int_fast64_t bytes_total, objects_total; /* -1 unknown; set by the driver */
};

/* What one run read and found, complete up to the last checkpoint given to the callback. */
struct hr_run_counts {
    int64_t objects, bytes, rows_in, rows_out;
    int64_t nulled;   /* values that became null (schema_evolution ignore) */
    int64_t rounded;  /* values that a double does not hold where columns met at it; the caller's to
                         add up, from `nulls` */
    int64_t rejected; /* records skipped */
    int64_t deleted;  /* objects gone since they were listed */
    int64_t replaced; /* objects read again under a new ETag */
};

struct hr_checkpoint_info {
    const struct hr_input *inputs; /* objects read since the checkpoint before */
    size_t n_inputs;
    const struct hr_run_counts *counts; /* of the whole run so far */
    int64_t seq;                        /* of its last task in the plan; -1: it has none */
    bool last;                          /* the stream's last */
    const struct hr_schema *schema;     /* the widest read schema so far */
};

struct hr_pipeline_conf {
    struct hr_store *store;
    struct hr_budget *budget;
    const struct hr_settings *settings;
    int workers;                                                              /* >= 1 */
    int (*next_task)(void *user, struct hr_task **out, struct hr_error *err); /* called by one
                                                    worker at a time; HR_END: no more */
    void *task_user;
    struct hr_schema *read_schema; /* columns of the files as known before the run */
    bool catalog;                  /* a catalog named them; false: inferred from these files */
    const struct hr_transform_spec *spec;
    const struct hr_partition_spec *partition; /* folders by the rows' values; NULL: none */
    const struct hr_format *out_format;        /* encoder; NULL with a sink that wants no blocks */
    const struct hr_write_opts *write;
    struct hr_sink *sink;
    /* Called after sink.cut at every checkpoint. NULL: none, the sink is cut at the end only. */
    int (*checkpoint)(void *user, const struct hr_checkpoint_info *info, struct hr_error *err);
    /* An object was replaced or deleted while rows of it were in finished tasks. Everything since
     * the last checkpoint is forgotten (counts, rejects, what the sink was given); tasks that were
     * given out since are void. Called between, while no worker runs: plan them again, with this
     * object as it is now (*gone: without it). NULL: the run fails with HR_E_CHANGED. */
    int (*redo)(void *user, const char *key, bool *gone, struct hr_error *err);
    void *user;
    bool cut_when_interrupted;    /* what was assembled of whole objects becomes a checkpoint */
    bool more_follows;            /* no checkpoint at the end: another run goes on with this sink */
    struct hr_progress *progress; /* NULL allowed */
    struct hr_schema **seen;      /* becomes where the types of all files that say theirs meet (a
                                     reference, *seen NULL to start); NULL: nobody asks */
    struct hr_null_counts *nulls; /* added to, complete up to the task assembled last; NULL: none */
};

/* HR_WIDEN: a destination of one file must be started over; *out_schema then (and after success)
 * holds a reference to the widest read schema met. HR_E_CANCELLED when hr_cancelled was set. The
 * sink is not aborted on failure: the caller decides. HR_E_CHANGED: an object was replaced or
 * deleted half way, and could not be read again. */
int hr_pipeline_run(const struct hr_pipeline_conf *conf, struct hr_run_counts *counts,
                    struct hr_schema **out_schema, struct hr_error *err);

/* Workers to use: the option when it was set, else at most the processors there are; no more than
 * memory_limit_mb has room for. */
int hr_pipeline_workers(const struct hr_settings *settings);

#endif
