/* dialect/alias.h - alias rows: a dialect's names and values onto the native options.
 *
 * A row describes the dialect's option as its own program documents it (name, kind, default,
 * values, text; from these the dialect's `spec` is made) and says which native option it becomes.
 * Values that need more than a new name have a function.
 */
#ifndef HR_DIALECT_ALIAS_H
#define HR_DIALECT_ALIAS_H

#include <jansson.h>

#include "plan/settings.h"

struct hr_alias {
    struct hr_option row; /* offset is unused */
    const char *block;    /* name of the nested object the option stands in; NULL: the top level */
    const char *native;   /* native option; NULL: accepted without effect (say why in row.text) */
    /* Instead of setting `native` to the value as it is. Never called with null. */
    int (*set)(struct hr_settings *settings, const struct hr_alias *alias, const json_t *value,
               struct hr_error *err);
};

/* Apply every member of the config. Names without a row: native options are accepted under their
 * own name when `native_too`, anything else is HR_E_CONFIG naming the nearest name. title: whose
 * config, for messages ("Olake source"). */
int hr_alias_apply(const struct hr_alias *rows, size_t count, const json_t *config,
                   const char *title, bool native_too, struct hr_settings *settings,
                   struct hr_error *err);

/* Check a value against the row (kind, values, range) without storing it. */
int hr_alias_check(const struct hr_alias *alias, const json_t *value, struct hr_error *err);

/* JSON Schema property of every row of one block, in order (new reference); NULL: no memory. */
json_t *hr_alias_schema(const struct hr_alias *rows, size_t count, const char *block);

#endif
