/* api/columns.h - the columns of a table's last files, kept in the state: the floor under the types
 * of the next run. Level 8. */
#ifndef HR_API_COLUMNS_H
#define HR_API_COLUMNS_H

#include <jansson.h>

#include "batch/schema.h"

/* [{"name": "id", "type": "int64"}, …], nested types with "fields"; a new reference. A column whose
 * name is not valid UTF-8 is left out. NULL: no memory. */
json_t *hr_columns_to_json(const struct hr_schema *schema);
/* The reverse. NULL json: *out is NULL, nothing is known. HR_E_STATE for what hr_columns_to_json
 * does not write; `name` is the state's, for the message. */
int hr_columns_from_json(const json_t *json, const char *name, struct hr_schema **out,
                         struct hr_error *err);

#endif
