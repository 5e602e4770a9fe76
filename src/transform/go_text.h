/* transform/go_text.h - values as Go prints them: what Olake's ids are hashes of, and what its raw
 * records look like.
 *
 * Ids are made of fmt.Sprint: 1234567.0 is 1.234567e+06, null <nil>, a time
 * 2024-02-29 12:30:01.5 +0000 UTC, an object map[a:1 b:x]. Records are encoding/json: numbers in
 * exponent form below 1e-6 and from 1e21 only, times RFC 3339 with the digits they need. Level 3.
 */
#ifndef HR_TRANSFORM_GO_TEXT_H
#define HR_TRANSFORM_GO_TEXT_H

#include "batch/vec.h"

/* fmt.Sprint of a value, appended. as_doubles: integers print as the doubles Olake decodes from
 * text files; decimals always do. */
int hr_go_sprint(const struct hr_vec *vec, int64_t i, bool as_doubles, struct hr_buf *out,
                 struct hr_error *err);
/* encoding/json of a value, appended, without the escapes for HTML. Integers and decimals keep all
 * their digits, objects the order of their members, times of day are text. */
int hr_go_json(const struct hr_vec *vec, int64_t i, struct hr_buf *out, struct hr_error *err);

#endif
