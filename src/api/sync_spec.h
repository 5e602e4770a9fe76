/* api/sync_spec.h - a stream's output columns and filter, from its catalog entry; sync's own. */
#ifndef HR_API_SYNC_SPEC_H
#define HR_API_SYNC_SPEC_H

#include "api/sync.h"

/* dress: the stream came without columns, so the dialect's own are added here. backfill decides
 * `_op_type`. spec is zeroed by the caller; filter is owned by the caller. */
int hr_sync_spec(const struct hr_sync_conf *conf, const struct hr_stream *stream, bool dress,
                 bool backfill, int64_t run_us, struct hr_transform_spec *spec,
                 struct hr_filter **filter, struct hr_error *err);

/* Columns read from files: those of the catalog that are not left out. */
int hr_sync_read_schema(const struct hr_sync_conf *conf, const struct hr_stream *stream,
                        struct hr_schema **out, struct hr_error *err);

#endif
