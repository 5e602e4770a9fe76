/* pipeline/work.h - one task's work and its result; shared by pipeline.c and work.c only. */
#ifndef HR_PIPELINE_WORK_H
#define HR_PIPELINE_WORK_H

#include "pipeline/pipeline.h"

/* One record that was dropped, kept until its task is assembled. */
struct hr_kept_reject {
    struct hr_kept_reject *next;
    size_t piece;
    int64_t byte_offset, line;
    char *reason;
    struct hr_buf raw;
};

/* How one text split met its borders, for the assembler to verify. */
struct hr_piece_border {
    int64_t first_record, end_record; /* -1 unknown */
};

struct hr_result {
    int rc;
    struct hr_error err;
    struct hr_schema *base;  /* read schema the task was started with */
    struct hr_schema *final; /* after widening; equals base mostly */
    struct hr_schema *out_schema;
    struct hr_block *blocks;
    size_t n_blocks, blocks_cap;
    struct hr_run_counts counts;
    struct hr_kept_reject *rejects, **rejects_tail;
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
    struct hr_schema *transform_schema; /* read schema it was made for */
    struct hr_feed *feed;               /* while a task runs */
    volatile bool *head;                /* this task is the head of line now */
};
void hr_worker_release(struct hr_worker *worker);

/* Run a task from start to end with this read schema, widening and starting over as needed. All
 * outcomes are in result (rc included); result is initialised here. */
void hr_work_task(struct hr_worker *worker, struct hr_task *task, struct hr_schema *base,
                  struct hr_result *result);

#endif
