/* config/json_text.h - a JSON document as compact text in a buffer of ours. Level 1. */
#ifndef HR_CONFIG_JSON_TEXT_H
#define HR_CONFIG_JSON_TEXT_H

#include <jansson.h>

#include "base/slice.h"

/* Append; json NULL (a failed build-up) is HR_E_NOMEM. */
int hr_json_text(const json_t *json, struct hr_buf *out, struct hr_error *err);

#endif
