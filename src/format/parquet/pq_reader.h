/* format/parquet/pq_reader.h - row groups of a Parquet file to batches: the open slot of the
 * format. */
#ifndef HR_FORMAT_PARQUET_PQ_READER_H
#define HR_FORMAT_PARQUET_PQ_READER_H

#include "format/format.h"

/* hr_format.open for Parquet. */
int hr_parquet_reader_open(struct hr_source *src, const struct hr_format_opts *opts,
                           const struct hr_read_params *params, struct hr_reader **out,
                           struct hr_error *err);
/* hr_format.infer: the schema in the footer. */
int hr_parquet_infer(struct hr_source *src, const struct hr_format_opts *opts,
                     const struct hr_infer_params *params, struct hr_schema **out,
                     struct hr_error *err);

#endif
