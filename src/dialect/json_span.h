/* dialect/json_span.h - where the values of a valid JSON text begin and end, so that what a program
 * does not own can be written back byte for byte. The text must have passed a parser before. */
#ifndef HR_DIALECT_JSON_SPAN_H
#define HR_DIALECT_JSON_SPAN_H

#include "base/slice.h"

/* Walks the members of an object or the items of an array. */
struct hr_json_walk {
    const uint8_t *at, *end;
    bool object;
};

/* text: an object or array, blanks around it allowed. False when it is neither. */
bool hr_json_walk_begin(struct hr_json_walk *walk, struct hr_slice text);
/* The next member or item; key (with its quotes, escapes as written) is empty for items. False at
 * the end. */
bool hr_json_walk_next(struct hr_json_walk *walk, struct hr_slice *key, struct hr_slice *value);

#endif
