/* plan/lister_internal.h - where to cut a key space nobody has seen whole; between lister.c and
 * lister_split.c. */
#ifndef HR_PLAN_LISTER_INTERNAL_H
#define HR_PLAN_LISTER_INTERNAL_H

#include "plan/plan.h"

#define HR_KEY_MAX 1100

/* A key between `last` (the newest key known, `first` one page before it) and `end` (NULL: open):
 * about `ahead` pages further on when the end is open, half way otherwise. False: keys of this
 * shape give none. */
bool hr_guess_split(const char *first, const char *last, const char *end, double ahead,
                    char out[HR_KEY_MAX]);

#endif
