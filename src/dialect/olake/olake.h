/* dialect/olake/olake.h - the parts of the Olake leaf (seed: the S3 source driver's README; checked
 * against Olake 0.9): source.json, destination.json, specification and messages. Catalog and state
 * are shared with the native dialect (dialect/streams_file.h, dialect/state_file.h). */
#ifndef HR_DIALECT_OLAKE_H
#define HR_DIALECT_OLAKE_H

#include "dialect/alias.h"
#include "dialect/dialect.h"

int hr_olake_detect(const json_t *config);
int hr_olake_configure(const json_t *config, const char *config_path, struct hr_settings *settings,
                       struct hr_error *err);
int hr_olake_configure_destination(const json_t *config, const char *config_path,
                                   struct hr_settings *settings, struct hr_error *err);
int hr_olake_spec(const char *destination, struct hr_buf *out, struct hr_error *err);
int hr_olake_message_catalog(struct hr_slice catalog_text, enum hr_log_shape shape,
                             struct hr_buf *out, struct hr_error *err);
int hr_olake_message_status(bool ok, const char *why, enum hr_log_shape shape, struct hr_buf *out,
                            struct hr_error *err);

/* The rows of source.json and of destination.json's writer. */
const struct hr_alias *hr_olake_source_rows(size_t *out_count);
const struct hr_alias *hr_olake_writer_rows(size_t *out_count);

/* The slot writes_file: YYYY-M-D_H-M-S_ULID.parquet. */
bool hr_olake_writes_file(const char *name, size_t len);

#endif
