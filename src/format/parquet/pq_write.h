/* format/parquet/pq_write.h - the two writing slots of hr_format_parquet (see format/format.h). */
#ifndef HR_FORMAT_PARQUET_PQ_WRITE_H
#define HR_FORMAT_PARQUET_PQ_WRITE_H

#include "format/format.h"

/* Batches to row groups. A row group ends with the row that makes it row_group_rows rows or
 * row_group_bytes of values, wherever batches are cut. HR_E_UNSUPPORTED names a column that Parquet
 * cannot hold (struct without fields, nesting over 120 levels), HR_E_CONFIG an unusable codec. */
int hr_parquet_encoder_open(struct hr_schema *schema, const struct hr_write_opts *opts,
                            struct hr_encoder **out, struct hr_error *err);

/* Row groups to a file: magic, blocks, page indexes, footer. Blocks must come from an encoder of
 * the same schema and options. */
int hr_parquet_file_writer_open(struct hr_schema *schema, const struct hr_write_opts *opts,
                                struct hr_out *dst, struct hr_file_writer **out,
                                struct hr_error *err);

#endif
