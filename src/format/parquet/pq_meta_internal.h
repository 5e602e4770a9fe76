/* format/parquet/pq_meta_internal.h - what the two metadata decoders share. */
#ifndef HR_FORMAT_PARQUET_PQ_META_INTERNAL_H
#define HR_FORMAT_PARQUET_PQ_META_INTERNAL_H

#include "format/parquet/pq_meta.h"
#include "format/parquet/thrift.h"

/* A zeroed array of `count` items from the arena; NULL (and `in` failed) when it does not fit. */
void *hr_pq_list(struct hr_thrift_in *in, struct hr_arena *arena, size_t count, size_t size);
/* True while `in` is good and the list's elements are structs. */
bool hr_pq_item_struct(struct hr_thrift_in *in, const struct hr_thrift_field *item);
void hr_pq_read_stats(struct hr_thrift_in *in, struct hr_pq_stats *out);
/* 0, or the sticky failure of `in` as HR_E_CORRUPT naming `what`. */
int hr_pq_finish(const struct hr_thrift_in *in, const char *what, struct hr_error *err);
/* A list of i64; *out_count how many. */
int64_t *hr_pq_read_counts(struct hr_thrift_in *in, const struct hr_thrift_field *field,
                           struct hr_arena *arena, size_t *out_count);

#endif
