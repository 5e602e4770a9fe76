/* format/parquet/pq_wput.h - between pq_wput.c (levels) and pq_wput_values.c (values). */
#ifndef HR_FORMAT_PARQUET_PQ_WPUT_H
#define HR_FORMAT_PARQUET_PQ_WPUT_H

#include "format/parquet/pq_write_internal.h"

/* Append values [from, to), all valid, converted to the leaf's physical form. HR_E_SCHEMA: a value
 * that it cannot hold. */
int hr_pqw_put_values(struct hr_pqw_col *col, const struct hr_vec *vec, int64_t from, int64_t to,
                      struct hr_error *err);
/* Only those of [from, to) whose validity bit is set; the bitmap exists. */
int hr_pqw_put_valid_values(struct hr_pqw_col *col, const struct hr_vec *vec, int64_t from,
                            int64_t to, struct hr_error *err);

#endif
