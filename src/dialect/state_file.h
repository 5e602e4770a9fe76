/* dialect/state_file.h - state.json in Olake's shape, which the native dialect uses too.
 *
 *   {"type": "STREAM", "version": 7, "streams": [
 *     {"stream": "users", "namespace": "s3", "sync_mode": "",
 *      "state": {"_last_modified_time": "2025-01-01T00:00:00Z", "chunks": [],
 *                "_headrace": {"v": 2, "namespace": "s3", "stream": "users", ..., "seal": ...}}}]}
 *
 * The functions are the state slots of struct hr_dialect; see there.
 */
#ifndef HR_DIALECT_STATE_FILE_H
#define HR_DIALECT_STATE_FILE_H

#include "dialect/dialect.h"

#define HR_STATE_VERSION 7
#define HR_STATE_OWN_KEY "_headrace"
#define HR_STATE_OWN_VERSION 2

int hr_state_file_read(struct hr_slice text, const char *name, struct hr_state_doc **out,
                       struct hr_error *err);
int hr_state_file_get(const struct hr_state_doc *doc, const char *namespace_, const char *stream,
                      struct hr_stream_state *out, struct hr_error *err);
int hr_state_file_set(struct hr_state_doc *doc, const char *namespace_, const char *stream,
                      const struct hr_stream_state *state, struct hr_error *err);
int hr_state_file_write(const struct hr_state_doc *doc, struct hr_buf *out, struct hr_error *err);
int hr_state_file_each(const struct hr_state_doc *doc,
                       int (*each)(void *user, const char *namespace_, const char *stream,
                                   struct hr_error *err),
                       void *user, struct hr_error *err);
int hr_state_file_hash(const struct hr_stream_state *state, char out[33], struct hr_error *err);
void hr_state_file_free(struct hr_state_doc *doc);

#endif
