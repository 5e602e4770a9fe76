/* config/load_internal.h - between load.c and load_yaml.c. */
#ifndef HR_CONFIG_LOAD_INTERNAL_H
#define HR_CONFIG_LOAD_INTERNAL_H

#include "config/load.h"

/* One YAML document as JSON, variables filled in. New reference. */
int hr_config_parse_yaml(struct hr_slice text, const char *name, json_t **out,
                         struct hr_error *err);
/* Append text with ${VAR}, ${VAR:-default} and $$ replaced. */
int hr_config_expand(const char *text, size_t len, const char *name, struct hr_buf *out,
                     struct hr_error *err);

#endif
