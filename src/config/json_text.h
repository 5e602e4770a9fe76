/* config/json_text.h - a JSON document as compact text in a buffer of ours. Level 1. */
#ifndef HR_CONFIG_JSON_TEXT_H
#define HR_CONFIG_JSON_TEXT_H

#include <jansson.h>

#include "base/slice.h"

/* Append; json NULL (a failed build-up) is HR_E_NOMEM. */
int hr_json_text(const json_t *json, struct hr_buf *out, struct hr_error *err);
/* The same with flags of jansson's (JSON_SORT_KEYS, JSON_INDENT(2) …). json_dump_callback itself is
 * not to be used: jansson passes over failures of the callback. */
int hr_json_dump(const json_t *json, size_t flags, struct hr_buf *out, struct hr_error *err);

/* jansson's copies pass over members for which there was no memory; these answer NULL then. New
 * references; NULL in, NULL out. */
json_t *hr_json_copy(const json_t *json); /* shallow */
json_t *hr_json_deep_copy(const json_t *json);

/* A key as JSON: keys are bytes, JSON text is UTF-8, so what is not becomes {"hex": "…"}. New
 * reference; NULL: no memory. */
json_t *hr_json_bytes(const char *text);
/* Back again, hr_free; NULL: no memory or neither of the two. */
char *hr_json_bytes_copy(const json_t *value);

#endif
