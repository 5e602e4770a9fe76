/* batch/rounded.h - how many values a conversion to double cannot keep. Level 1. */
#ifndef HR_BATCH_ROUNDED_H
#define HR_BATCH_ROUNDED_H

#include "batch/vec.h"

/* Values of src, at any depth, that are no longer the same number once they are a double of
 * `to`: integers that a double does not hold, decimals whose digits at their scale do not come
 * back. 0 where nothing becomes a double. */
int64_t hr_vec_count_rounded(const struct hr_vec *src, const struct hr_field *to);

#endif
