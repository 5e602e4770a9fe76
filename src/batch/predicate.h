/* batch/predicate.h - predicates on columns in a form that knows no syntax and no file format.
 *
 * transform/ parses filters into them, readers use them to leave out row groups and pages. They are
 * for pruning only: rows are filtered exactly later. All borrowed from whoever made them.
 */
#ifndef HR_BATCH_PREDICATE_H
#define HR_BATCH_PREDICATE_H

#include <stddef.h>

enum hr_cmp {
    HR_CMP_EQ,
    HR_CMP_NE,
    HR_CMP_LT,
    HR_CMP_LE,
    HR_CMP_GT,
    HR_CMP_GE,
    HR_CMP_IN,
    HR_CMP_NULL,
    HR_CMP_NOT_NULL
};
struct hr_prune_term {
    const char *column;
    enum hr_cmp cmp;
    const char *const *values; /* as text; IN may have several */
    size_t count;
};
/* OR of ANDs. */
struct hr_prune_and {
    const struct hr_prune_term *terms;
    size_t count;
};
struct hr_prune {
    const struct hr_prune_and *groups;
    size_t count;
};

#endif
