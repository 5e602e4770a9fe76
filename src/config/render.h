/* config/render.h - option rows as text: --help, man page, docs/OPTIONS.md and JSON Schema.
 *
 * Level 1. All of them are pure functions of the rows, so what is printed cannot differ from what
 * is parsed.
 */
#ifndef HR_CONFIG_RENDER_H
#define HR_CONFIG_RENDER_H

#include "config/option.h"

/* Lines for a terminal: name, type and default, the wrapped text. width 0: 80. */
int hr_render_help(const struct hr_option_group *groups, size_t count, int width,
                   struct hr_buf *out, struct hr_error *err);
/* Text for roff, where a leading dot or quote and every backslash would be commands. */
int hr_render_roff(const char *text, struct hr_buf *out, struct hr_error *err);
/* roff (man macros), one .SS per group. */
int hr_render_man(const struct hr_option_group *groups, size_t count, struct hr_buf *out,
                  struct hr_error *err);
/* Markdown, one table per group. */
int hr_render_markdown(const struct hr_option_group *groups, size_t count, struct hr_buf *out,
                       struct hr_error *err);
/* One option as a JSON Schema property (new reference); NULL: no memory. */
json_t *hr_render_schema_property(const struct hr_option *row, int order);
/* {"type": "object", "properties": {...}} over the groups (new reference); NULL: no memory. */
json_t *hr_render_schema(const struct hr_option_group *groups, size_t count);

#endif
