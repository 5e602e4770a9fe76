/* api/drift.h - how a stream's data differ from what the catalog and the run before knew. Level 8.
 */
#ifndef HR_API_DRIFT_H
#define HR_API_DRIFT_H

#include <jansson.h>

#include "pipeline/nulls.h"

struct hr_drift {
    const struct hr_schema *before, *after; /* columns of the files: as the catalog has them, and as
                                               they were when the run ended */
    const struct hr_null_counts *nulls;     /* of this run */
    bool (*left_out)(const void *user, const char *name); /* a column of the catalog that nobody
                                                             chose is not new; NULL: none is */
    const void *user;
    const json_t *former; /* {"column": nulls per 1000 rows} of the run before; NULL: none known */
};
/* "id: int64 -> int32; …": columns whose files (`seen`: where their types meet; NULL: they say
 * none) had a narrower type than `before`; nothing when none had. A column of nulls alone is not
 * told. */
int hr_drift_narrowed(const struct hr_schema *before, const struct hr_schema *seen,
                      struct hr_buf *out, struct hr_error *err);

/* "added more (utf8); widened id: int64 -> double; only nulls now: gone; nulls of price 2% -> 41%";
 * nothing when nothing changed. Rates are compared from 100 rows on and told from 10 points on. */
int hr_drift_text(const struct hr_drift *drift, struct hr_buf *out, struct hr_error *err);

/* The rates of a run for the next one's `former`: those of the run before where this one had no
 * rows. NULL: no memory. A new reference. */
json_t *hr_drift_rates(const struct hr_null_counts *nulls, const json_t *former);

#endif
