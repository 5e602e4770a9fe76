/* transform/filter.h - row filters: `--filter`, `parquet_filters`, Olake's filter_config.
 *
 *   expr  := and ("or" and)*          and := not ("and" not)*       not := "not" not | term
 *   term  := "(" expr ")" | column op value | column ["not"] "between" value "and" value
 *          | column ["not"] "in" "(" value ("," value)* ")" | column "is" ["not"] "null"
 *   op    := = == != <> < <= > >=     column := name | "quoted name"
 *   value := number | 'text' | true | false
 * Words are case-insensitive. NULL compared with anything is not true, as in SQL.
 *
 * A filter is used twice: as hint for pruning (hr_filter_prune) and exactly, row by row. Level 3.
 */
#ifndef HR_TRANSFORM_FILTER_H
#define HR_TRANSFORM_FILTER_H

#include <jansson.h>

#include "base/arena.h"
#include "batch/predicate.h"
#include "batch/vec.h"
#include "config/option.h"

struct hr_filter;

/* Parse. HR_E_USAGE names the position. */
int hr_filter_parse(const char *text, struct hr_filter **out, struct hr_error *err);
/* `[["col", ">=", v], …]` (AND), `[[["a","=",1]], [["b","=",2]]]` (OR of ANDs); ops as above and
 * "in", "not in". */
int hr_filter_from_json(const json_t *json, struct hr_filter **out, struct hr_error *err);
/* Both must hold. Takes both (either may be NULL), answers the one that is left. */
int hr_filter_and(struct hr_filter *a, struct hr_filter *b, struct hr_filter **out,
                  struct hr_error *err);
void hr_filter_free(struct hr_filter *filter); /* NULL allowed */

/* OR of ANDs for readers that can skip; NULL when the filter is too wide for that. Lives as long as
 * the filter; any thread may ask. */
const struct hr_prune *hr_filter_prune(const struct hr_filter *filter);

/* Names of the columns it looks at; count by reference. */
const char *const *hr_filter_columns(const struct hr_filter *filter, size_t *out_count);

/* Resolve columns and literals against a schema: HR_E_USAGE for an unknown column (the hint lists
 * what there is) or a literal that is not of the column's type. */
struct hr_bound_filter;
int hr_filter_bind(const struct hr_filter *filter, const struct hr_schema *schema,
                   struct hr_bound_filter **out, struct hr_error *err);
void hr_bound_filter_free(struct hr_bound_filter *bound);
/* keep: bitmap of rows (bytes_for(rows) + HR_PAD), every bit written. Returns how many are kept in
 * *out_kept. vecs follow the bound schema. */
int hr_bound_filter_run(struct hr_bound_filter *bound, const struct hr_vec *vecs, int64_t rows,
                        uint8_t *keep, int64_t *out_kept, struct hr_error *err);

#endif
