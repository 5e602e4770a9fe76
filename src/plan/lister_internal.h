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

/* How many LISTs at a time the server rewards: starts with allowed = 2, the rest zero. */
struct hr_list_pace {
    int allowed, in_flight;
    int64_t alone_ns; /* time of a page asked for alone, smoothed; 0: none yet */
    int judged;       /* pages of this round asked for beside others */
    double quick;     /* their sum: 1 for a page as quick as one alone */
    int since;        /* pages since a round that did not pay */
};
/* A page came after `ns` nanoseconds, asked for with `beside` requests under way (itself too). */
void hr_list_pace_page(struct hr_list_pace *pace, int width, int beside, int64_t ns);

#endif
