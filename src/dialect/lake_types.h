/* dialect/lake_types.h - the type names of Olake-shaped catalogs and ours, both ways.
 *
 * A property's "type" is a set of names, "null" for nullable. Several others meet in the tree
 *   string ← { number ← { integer ← integer_small ← boolean, number_small },
 *              timestamp_nano ← timestamp_micro ← timestamp_milli ← timestamp }
 * and at string where nothing else holds both.
 */
#ifndef HR_DIALECT_LAKE_TYPES_H
#define HR_DIALECT_LAKE_TYPES_H

#include "batch/schema.h"

enum hr_lake_type {
    HR_LAKE_NULL,
    HR_LAKE_BOOLEAN,
    HR_LAKE_INTEGER_SMALL,
    HR_LAKE_INTEGER,
    HR_LAKE_NUMBER_SMALL,
    HR_LAKE_NUMBER,
    HR_LAKE_STRING,
    HR_LAKE_OBJECT,
    HR_LAKE_ARRAY,
    HR_LAKE_TIMESTAMP,
    HR_LAKE_TIMESTAMP_MILLI,
    HR_LAKE_TIMESTAMP_MICRO,
    HR_LAKE_TIMESTAMP_NANO,
    HR_LAKE_UNKNOWN,
    HR_LAKE_TYPE_COUNT
};

const char *hr_lake_type_name(enum hr_lake_type type);
/* -1: no such name. */
int hr_lake_type_by_name(const char *name);
/* The narrowest type that holds both; HR_LAKE_NULL is below all. */
enum hr_lake_type hr_lake_type_meet(enum hr_lake_type a, enum hr_lake_type b);
/* What a column of this name becomes when the catalog says no more: an instant is timestamp[us,
 * utc], nested values are JSON text. */
struct hr_type hr_lake_to_type(enum hr_lake_type type);
/* The name for one of our columns. loose: as Olake's own program would have inferred it from text
 * (every number a "number", dates and times "timestamp"). */
enum hr_lake_type hr_lake_from_field(const struct hr_field *field, bool loose);

/* Lower case, everything but a-z and 0-9 as '_', one for each character. hr_free; NULL: no memory.
 */
char *hr_lake_name(const char *text, size_t len);

#endif
