/* api/lake_filter.h - the two filter forms of an Olake catalog as one filter over rows. Level 8. */
#ifndef HR_API_LAKE_FILTER_H
#define HR_API_LAKE_FILTER_H

#include "plan/catalog.h"
#include "transform/filter.h"

/* `filter_config`, else the older text `filter`, which the original reads and then passes over for
 * files. *out is NULL with 0 when the stream has neither. HR_E_CONFIG or HR_E_USAGE name what
 * cannot be read. */
int hr_lake_filter(const struct hr_stream *stream, struct hr_filter **out, struct hr_error *err);

#endif
