/* format/parquet/pq_prune.c - binds pruning terms to a file. Until statistics are compared no term
 * is used and every row group is read, which is always right. */
#include "format/parquet/pq_prune.h"

int hr_pq_prune_bind(const struct hr_pq_file *file, const struct hr_prune *prune,
                     struct hr_pq_prune **out, struct hr_error *err) {
    (void)file;
    (void)prune;
    (void)err;
    *out = NULL;
    return 0;
}

void hr_pq_prune_free(struct hr_pq_prune *prune) {
    (void)prune;
}
