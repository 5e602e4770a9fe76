/* api/reselect.h - what a changed selection (prefix, patterns, format, dates) brings in that no run
 * of this state can have read.
 *
 * Below the lookback a state keeps no keys, only sums: it cannot tell a file that was read from one
 * that was never selected. But the selections themselves are kept, in `_headrace.selections`, and
 * none of them took a key that its rules leave out. So such an object is certainly unread, and
 * `backfill` reads it; where any earlier selection may have taken it, it counts as read. Level 8.
 * One thread at a time.
 */
#ifndef HR_API_RESELECT_H
#define HR_API_RESELECT_H

#include <jansson.h>

#include "plan/plan.h"

struct hr_reselect;
struct hr_reselect_conf {
    const struct hr_settings *settings; /* finished; borrowed until free */
    const char *place;                  /* the source's label; borrowed during new */
    const json_t *kept;                 /* `selections` of the state; NULL: it has none */
    const char *state_name;             /* for messages; borrowed during new */
    int64_t edge_us; /* no keys are kept at or before it; INT64_MIN: nothing was forgotten yet */
    bool backfill;   /* read what is certainly unread */
    bool all_read;   /* another program ran: who knows by what selection */
};
/* HR_E_STATE: `kept` is not what hr_reselect_to_json writes. */
int hr_reselect_new(const struct hr_reselect_conf *conf, struct hr_reselect **out,
                    struct hr_error *err);
/* The selection is another one than in the run before. */
bool hr_reselect_changed(const struct hr_reselect *r);
/* Will unread objects be read? Otherwise they are only counted. */
bool hr_reselect_takes(const struct hr_reselect *r);
/* An object below the edge, not known by its key: true when no selection so far can have taken it.
 * For hr_band_unread. */
bool hr_reselect_unread(void *user, const char *key, size_t key_len,
                        const struct hr_object_info *info);
/* How many answers were true. */
uint64_t hr_reselect_count(const struct hr_reselect *r);
/* The sweep has ended: what was to be read is. True: tell of what was counted (once). */
bool hr_reselect_finish(struct hr_reselect *r);
/* A new reference; NULL: no memory. */
json_t *hr_reselect_to_json(const struct hr_reselect *r);
void hr_reselect_free(struct hr_reselect *r); /* NULL allowed */

#endif
