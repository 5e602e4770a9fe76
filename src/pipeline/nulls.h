/* pipeline/nulls.h - how many values of each output column were null, or were rounded, over a run
 * whose schema may change on its way. Level 6. */
#ifndef HR_PIPELINE_NULLS_H
#define HR_PIPELINE_NULLS_H

#include "batch/vec.h"

struct hr_null_count {
    char *name;
    int64_t rows, nulls; /* rows: of the files that had the column in their schema */
    int64_t rounded;     /* values read that a double does not hold */
};
/* Zeroed to start. */
struct hr_null_counts {
    struct hr_null_count *items;
    size_t n, cap;
};
/* A task wrote `rows` rows of this schema, nulls[i] of field i null, and rounded rounded[i]. */
int hr_nulls_add(struct hr_null_counts *counts, const struct hr_schema *schema,
                 const int64_t *nulls, const int64_t *rounded, int64_t rows, struct hr_error *err);
/* `to` becomes a copy of `from`. */
int hr_nulls_copy(struct hr_null_counts *to, const struct hr_null_counts *from,
                  struct hr_error *err);
/* What is to be said of column `item`; "" when it lost nothing. Into text. */
const char *hr_rounded_text(const struct hr_null_count *item, char *text, size_t size);
void hr_nulls_release(struct hr_null_counts *counts);

#endif
