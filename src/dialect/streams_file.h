/* dialect/streams_file.h - streams.json: the Olake-shaped catalog, which the native dialect uses
 * too.
 *
 * The functions are the catalog slots of struct hr_dialect; see there. What Olake's shape cannot
 * say of a type (a date, a decimal) stands in a property's own key "headrace_type", which Olake
 * passes over and which is ignored as soon as it contradicts "type".
 */
#ifndef HR_DIALECT_STREAMS_FILE_H
#define HR_DIALECT_STREAMS_FILE_H

#include "dialect/dialect.h"

#define HR_LAKE_NAMESPACE "s3"
#define HR_LAKE_CURSOR "_last_modified_time"
#define HR_LAKE_TYPE_KEY "headrace_type"

int hr_streams_dress(struct hr_catalog *catalog, const struct hr_settings *settings,
                     struct hr_error *err);
int hr_streams_read(const json_t *doc, const char *name, const struct hr_settings *settings,
                    struct hr_catalog *out, struct hr_error *err);
int hr_streams_write(const struct hr_catalog *catalog, const struct hr_settings *settings,
                     struct hr_buf *out, struct hr_error *err);
int hr_streams_merge(const struct hr_catalog *old, struct hr_catalog *fresh, struct hr_error *err);
int hr_streams_difference(const struct hr_catalog *old, const struct hr_catalog *fresh,
                          struct hr_catalog *out, struct hr_error *err);
/* "DATABASE/TABLE" below the destination, both normalised; the slot stream_folder. */
int hr_streams_folder(const struct hr_stream *stream, const struct hr_settings *settings,
                      struct hr_buf *out, struct hr_error *err);

/* The four added columns (and for the cursor its kind); shared by dress and read. */
int hr_streams_add_columns(struct hr_stream *stream, struct hr_error *err);
/* HR_COL_DATA for a name that is none of the added ones. */
int hr_streams_column_kind(const char *name);
/* Give every stream a table of its own: where two would share one, the later in the catalog gets
 * NAME_2, NAME_3 … fixed: which streams keep theirs, one flag each; NULL: none has to. */
int hr_streams_unique_tables(struct hr_catalog *catalog, const bool *fixed, struct hr_error *err);
/* Give every column a destination name of its own where two would collide. */
int hr_streams_unique_names(struct hr_stream *stream, struct hr_error *err);

#endif
