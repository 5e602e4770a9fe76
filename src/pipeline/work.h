/* pipeline/work.h - one task's work and its result; shared by pipeline.c and work.c only. */
#ifndef HR_PIPELINE_WORK_H
#define HR_PIPELINE_WORK_H

#include "base/arena.h"
#include "base/spool.h"
#include "pipeline/reject.h"

/* How one text split met its borders, for the assembler to verify. */
struct hr_piece_border {
    int64_t first_record, end_record; /* -1 unknown */
    int64_t end_line;                 /* hr_reader.end_line */
};

#include <stdatomic.h>

/* Finished blocks that all tasks of a run hold in memory. A task that takes them over the limit
 * puts its own on disk: one object, even one row group, may be of any size, and so may the output
 * of any number of workers. Ordinary tasks stay below it. */
struct hr_held_blocks {
    atomic_size_t bytes;
    size_t max;
};

struct hr_result {
    int rc;
    struct hr_error err;
    size_t piece;            /* which of the task's failed */
    struct hr_schema *base;  /* read schema the task was started with */
    struct hr_schema *final; /* after widening; equals base mostly */
    struct hr_schema *out_schema;
    struct hr_block *blocks;
    const char **folders;       /* of each block, "" without partitions */
    int64_t *places;            /* of each block whose data is NULL: where it is in the spool */
    size_t held;                /* bytes of blocks in memory */
    struct hr_held_blocks *all; /* of all tasks */
    struct hr_spool spool;      /* those beyond its limit */
    struct hr_arena names;      /* holds them */
    size_t n_blocks, blocks_cap;
    struct hr_run_counts counts;
    struct hr_schema *null_schema; /* the rows', before a partition takes columns off */
    int64_t *nulls;                /* per field of null_schema; NULL: not counted */
    int64_t *rounded;              /* likewise */
    struct hr_schema *seen; /* where the types of all files that say theirs meet; NULL: none did */
    struct hr_rejects rejects;
    struct hr_piece_border *borders; /* one per piece */
    bool *gone;                      /* per piece: the object was deleted */
};
void hr_result_release(struct hr_result *result);

/* A worker's own things, reused from task to task. */
struct hr_worker {
    const struct hr_pipeline_conf *conf;
    struct hr_encoder *encoder;
    struct hr_schema *encoder_schema;
    struct hr_transform *transform;
    struct hr_partition *partition;     /* NULL: rows go to one folder */
    struct hr_schema *transform_schema; /* read schema it was made for */
    struct hr_feed *feed;               /* while a task runs */
    atomic_bool *head;                  /* this task is the head of line now */
    struct hr_held_blocks *held;        /* of all workers */
};
void hr_worker_release(struct hr_worker *worker);

/* Run a task from start to end with this read schema, widening and starting over as needed. All
 * outcomes are in result (rc included); result is initialised here. */
void hr_work_task(struct hr_worker *worker, struct hr_task *task, struct hr_schema *base,
                  struct hr_result *result);

/* Block i with its bytes, out of the result: the caller's now. */
int hr_result_take_block(struct hr_result *result, size_t i, struct hr_block *out,
                         struct hr_error *err);

/* Keep the blocks the encoder has ready, for this folder. */
int hr_work_take_blocks(struct hr_worker *worker, struct hr_result *result, const char *folder,
                        struct hr_error *err);

/* ---- partitions (work_partition.c) ---- */

/* A partition for the transform's output as it is now; NULL without partitions. Replaces the
 * worker's. */
int hr_work_partition(struct hr_worker *worker, struct hr_error *err);
/* The schema of the files: the transform's without what became folders. Borrowed. */
struct hr_schema *hr_work_out_schema(const struct hr_worker *worker);
/* Encode every staged row, folder by folder, into blocks of their own. */
int hr_work_write_staged(struct hr_worker *worker, struct hr_result *result, struct hr_error *err);

#endif
