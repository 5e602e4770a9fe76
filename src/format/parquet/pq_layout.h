/* format/parquet/pq_layout.h - the layout slot of the Parquet leaf. */
#ifndef HR_FORMAT_PARQUET_PQ_LAYOUT_H
#define HR_FORMAT_PARQUET_PQ_LAYOUT_H

#include "format/format.h"

int hr_parquet_layout(struct hr_source *src, const struct hr_format_opts *opts,
                      struct hr_layout *out, struct hr_error *err);

#endif
