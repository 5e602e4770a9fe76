/* pipeline/work_partition.c - a task's rows to the folders of their values: rows are staged behind
 * the transform and encoded folder by folder, each run of a folder into blocks of its own (see
 * transform/partition.h). Where staging is cut depends on rows and options alone. */
#include "pipeline/work.h"

/* At least so many bytes of rows are staged before they are encoded. */
#define STAGED_MIN ((size_t)4 << 20)

int hr_work_partition(struct hr_worker *w, struct hr_error *err) {
    hr_partition_free(w->partition);
    w->partition = NULL;
    if (w->conf->partition == NULL || !w->conf->sink->wants_blocks) {
        return 0;
    }
    /* An eighth of the memory (an option, so the same everywhere), no more than a row group. */
    size_t bytes = (size_t)w->conf->settings->work.memory_limit_mb << 17;
    bytes = bytes > w->conf->write->row_group_bytes ? w->conf->write->row_group_bytes : bytes;
    bytes = bytes < STAGED_MIN ? STAGED_MIN : bytes;
    return hr_partition_new(w->conf->partition, hr_transform_schema(w->transform), bytes,
                            &w->partition, err);
}

struct hr_schema *hr_work_out_schema(const struct hr_worker *w) {
    return w->partition ? hr_partition_schema(w->partition) : hr_transform_schema(w->transform);
}

int hr_work_write_staged(struct hr_worker *w, struct hr_result *result, struct hr_error *err) {
    struct hr_encoder *enc = w->encoder;
    for (;;) {
        const char *folder;
        const struct hr_batch *batch;
        bool last;
        int rc = hr_partition_next(w->partition, &folder, &batch, &last, err);
        if (rc == HR_END) {
            return 0;
        }
        if (rc == 0) {
            rc = enc->ops->put(enc, batch, err);
        }
        if (rc == 0 && last) {
            rc = enc->ops->finish(enc, err);
        }
        if (rc == 0) {
            rc = hr_work_take_blocks(w, result, folder, err);
        }
        if (rc == 0 && last) {
            enc->ops->reset(enc);
        }
        if (rc != 0) {
            return rc;
        }
    }
}
