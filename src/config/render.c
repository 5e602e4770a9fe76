/* config/render.c - option rows as --help text, roff, Markdown and JSON Schema.
 *
 * One small writer per form. All share row_facts, so that a default or a range is spelt the same
 * everywhere.
 */
#include "config/render.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/num.h"

static const char *type_word(const struct hr_option *row) {
    switch (row->type) {
    case HR_OPT_BOOL: return "boolean";
    case HR_OPT_INT: return "integer";
    case HR_OPT_DOUBLE: return "number";
    case HR_OPT_SIZE: return "size";
    case HR_OPT_STRING: return "text";
    case HR_OPT_ENUM: return "choice";
    case HR_OPT_LIST: return "list";
    case HR_OPT_JSON: return "JSON";
    }
    return "text";
}

/* "Default: x. Range: a to b. Unit. Also: old names. Not built yet: …" */
static int row_facts(const struct hr_option *row, struct hr_buf *out, struct hr_error *err) {
    int rc = hr_buf_append_str(out, row->text, err);
    if (rc == 0 && row->values) {
        rc = hr_buf_append_str(out, " One of ", err);
        for (const char *p = row->values; rc == 0 && *p;) {
            size_t n = strcspn(p, "|");
            rc = hr_buf_printf(out, err, "%.*s%s", (int)n, p, p[n] ? ", " : ".");
            p += n + (p[n] == '|');
        }
    }
    if (rc == 0 && (row->flags & HR_OPT_RANGE)) {
        rc = row->max >= 9e15 ? hr_buf_printf(out, err, " At least %.15g.", row->min)
                              : hr_buf_printf(out, err, " %.15g to %.15g.", row->min, row->max);
    }
    if (rc == 0 && row->unit) {
        rc = hr_buf_printf(out, err, " Unit: %s.", row->unit);
    }
    if (rc == 0 && row->aliases) {
        rc = hr_buf_append_str(out, " Also accepted as ", err);
        for (const char *p = row->aliases; rc == 0 && *p;) {
            size_t n = strcspn(p, "|");
            rc = hr_buf_printf(out, err, "%.*s%s", (int)n, p, p[n] ? ", " : ".");
            p += n + (p[n] == '|');
        }
    }
    if (rc == 0 && row->depends) {
        rc = hr_buf_printf(out, err, " Only with %s.", row->depends);
    }
    if (rc == 0 && (row->flags & HR_OPT_SECRET)) {
        rc =
            hr_buf_append_str(out, " Secret: never printed, not taken from the command line.", err);
    }
    if (rc == 0 && (row->flags & HR_OPT_HIDDEN)) {
        rc = hr_buf_append_str(out, " For tests and repair.", err);
    }
    if (rc == 0 && row->missing && row->missing_values) {
        rc = hr_buf_printf(out, err, " Not built yet: %s (%s)", row->missing_values, row->missing);
    } else if (rc == 0 && row->missing) {
        rc = hr_buf_printf(out, err, " Not built yet: %s", row->missing);
    }
    return rc;
}

static const char *shown_default(const struct hr_option *row) {
    return row->def == NULL ? "none" : row->def[0] == 0 ? "empty" : row->def;
}

/* Wrap text to width with an indent on every line. */
static int wrap(struct hr_buf *out, const char *text, int indent, int width, struct hr_error *err) {
    int column = 0;
    int rc = 0;
    while (*text && rc == 0) {
        size_t n = strcspn(text, " ");
        if (column && column + 1 + (int)n > width) {
            rc = hr_buf_append_byte(out, '\n', err);
            column = 0;
        }
        if (rc == 0) {
            rc = column ? hr_buf_append_byte(out, ' ', err)
                        : hr_buf_printf(out, err, "%*s", indent, "");
            column += column ? 1 : indent;
        }
        if (rc == 0) {
            rc = hr_buf_append(out, text, n, err);
            column += (int)n;
        }
        text += n + strspn(text + n, " ");
    }
    return rc ? rc : hr_buf_append_byte(out, '\n', err);
}

int hr_render_help(const struct hr_option_group *groups, size_t count, int width,
                   struct hr_buf *out, struct hr_error *err) {
    int rc = 0;
    width = width > 40 ? width : 80;
    for (size_t g = 0; g < count && rc == 0; g++) {
        rc = hr_buf_printf(out, err, "%s%s:\n", g ? "\n" : "", groups[g].title);
        for (size_t i = 0; i < groups[g].count && rc == 0; i++) {
            const struct hr_option *row = &groups[g].rows[i];
            if (row->flags & HR_OPT_HIDDEN) {
                continue;
            }
            struct hr_buf facts;
            hr_buf_init(&facts, 8192);
            rc = row_facts(row, &facts, err);
            if (rc == 0) {
                rc = hr_buf_printf(out, err, "  %s  <%s>  (%s)\n", row->name, type_word(row),
                                   shown_default(row));
            }
            if (rc == 0) {
                rc = wrap(out, hr_buf_cstr(&facts), 6, width, err);
            }
            hr_buf_release(&facts);
        }
    }
    return rc;
}

int hr_render_roff(const char *text, struct hr_buf *out, struct hr_error *err) {
    int rc = 0;
    if (*text == '.' || *text == '\'') {
        rc = hr_buf_append_str(out, "\\&", err);
    }
    for (; *text && rc == 0; text++) {
        rc = *text == '\\'  ? hr_buf_append_str(out, "\\e", err)
             : *text == '-' ? hr_buf_append_str(out, "\\-", err)
                            : hr_buf_append_byte(out, (uint8_t)*text, err);
    }
    return rc;
}

int hr_render_man(const struct hr_option_group *groups, size_t count, struct hr_buf *out,
                  struct hr_error *err) {
    int rc = 0;
    for (size_t g = 0; g < count && rc == 0; g++) {
        rc = hr_buf_printf(out, err, ".SS %s\n", groups[g].title);
        for (size_t i = 0; i < groups[g].count && rc == 0; i++) {
            const struct hr_option *row = &groups[g].rows[i];
            if (row->flags & HR_OPT_HIDDEN) {
                continue;
            }
            struct hr_buf facts;
            hr_buf_init(&facts, 8192);
            rc = hr_buf_printf(&facts, err, "(%s, default: %s) ", type_word(row),
                               shown_default(row));
            if (rc == 0) {
                rc = row_facts(row, &facts, err);
            }
            if (rc == 0) {
                rc = hr_buf_printf(out, err, ".TP\n.B %s\n", row->name);
            }
            if (rc == 0) {
                rc = hr_render_roff(hr_buf_cstr(&facts), out, err);
            }
            if (rc == 0) {
                rc = hr_buf_append_byte(out, '\n', err);
            }
            hr_buf_release(&facts);
        }
    }
    return rc;
}

/* A table cell: bars end it, angle brackets would be HTML. */
static int append_cell(struct hr_buf *out, const char *text, struct hr_error *err) {
    int rc = 0;
    for (; *text && rc == 0; text++) {
        rc = *text == '|'   ? hr_buf_append_str(out, "\\|", err)
             : *text == '<' ? hr_buf_append_str(out, "&lt;", err)
             : *text == '*' ? hr_buf_append_str(out, "\\*", err)
                            : hr_buf_append_byte(out, (uint8_t)*text, err);
    }
    return rc;
}

static int markdown_row(const struct hr_option *row, struct hr_buf *out, struct hr_error *err) {
    struct hr_buf facts;
    hr_buf_init(&facts, 8192);
    int rc = row_facts(row, &facts, err);
    if (rc == 0) {
        rc = hr_buf_printf(out, err, "| `%s` | %s | ", row->name, type_word(row));
    }
    if (rc == 0) {
        rc = row->def && row->def[0] ? hr_buf_printf(out, err, "`%s`", row->def)
                                     : hr_buf_append_str(out, row->def ? "empty" : "", err);
    }
    if (rc == 0) {
        rc = hr_buf_append_str(out, " | ", err);
    }
    if (rc == 0) {
        rc = append_cell(out, hr_buf_cstr(&facts), err);
    }
    if (rc == 0) {
        rc = hr_buf_append_str(out, " |\n", err);
    }
    hr_buf_release(&facts);
    return rc;
}

int hr_render_markdown(const struct hr_option_group *groups, size_t count, struct hr_buf *out,
                       struct hr_error *err) {
    int rc = 0;
    for (size_t g = 0; g < count && rc == 0; g++) {
        rc = hr_buf_printf(out, err,
                           "%s## %s\n\n| option | type | default | |\n| --- | --- | --- | --- |\n",
                           g ? "\n" : "", groups[g].title);
        for (size_t i = 0; i < groups[g].count && rc == 0; i++) {
            rc = markdown_row(&groups[g].rows[i], out, err);
        }
    }
    return rc;
}

/* ---- JSON Schema ----------------------------------------------------------------------------- */

static json_t *default_json(const struct hr_option *row) {
    int64_t whole = 0;
    double real = 0;
    size_t len = strlen(row->def);
    switch (row->type) {
    case HR_OPT_BOOL: return json_boolean(strcmp(row->def, "true") == 0);
    case HR_OPT_INT:
        return hr_parse_i64(row->def, len, &whole) ? json_integer(whole) : json_string(row->def);
    case HR_OPT_DOUBLE:
        return hr_parse_double(row->def, len, false, &real) ? json_real(real)
                                                            : json_string(row->def);
    case HR_OPT_LIST:
        return row->def[0] == '[' ? json_loads(row->def, 0, NULL) : json_pack("[s]", row->def);
    default: return json_string(row->def);
    }
}

static json_t *value_list(const char *values) {
    json_t *list = json_array();
    for (const char *p = values; list && *p;) {
        size_t n = strcspn(p, "|");
        if (json_array_append_new(list, json_stringn(p, n))) {
            json_decref(list);
            return NULL;
        }
        p += n + (p[n] == '|');
    }
    return list;
}

static int set_limits(json_t *property, const struct hr_option *row) {
    bool whole = row->type == HR_OPT_INT;
    if (!(row->flags & HR_OPT_RANGE) || row->type == HR_OPT_SIZE) {
        return 0;
    }
    int rc = json_object_set_new(property, "minimum",
                                 whole ? json_integer((json_int_t)row->min) : json_real(row->min));
    if (rc == 0 && row->max < 9e15) {
        rc = json_object_set_new(property, "maximum",
                                 whole ? json_integer((json_int_t)row->max) : json_real(row->max));
    }
    return rc;
}

json_t *hr_render_schema_property(const struct hr_option *row, int order) {
    static const char *const types[] = {"boolean", "integer", "number", "string",
                                        "string",  "string",  "array",  NULL};
    const char *type = types[row->type];
    json_t *property = json_object();
    int rc = property ? 0 : -1;
    if (rc == 0 && type) {
        rc = json_object_set_new(property, "type", json_string(type));
    }
    if (rc == 0) {
        rc = json_object_set_new(property, "description", json_string(row->text));
    }
    if (rc == 0 && row->def && row->type != HR_OPT_JSON) {
        rc = json_object_set_new(property, "default", default_json(row));
    }
    if (rc == 0 && row->values) {
        rc = json_object_set_new(property, "enum", value_list(row->values));
    }
    if (rc == 0 && row->type == HR_OPT_LIST) {
        rc = json_object_set_new(property, "items", json_pack("{ss}", "type", "string"));
    }
    if (rc == 0) {
        rc = set_limits(property, row);
    }
    if (rc == 0 && (row->flags & HR_OPT_SECRET)) {
        rc = json_object_set_new(property, "format", json_string("password"));
    }
    if (rc == 0 && order >= 0) {
        rc = json_object_set_new(property, "order", json_integer(order));
    }
    if (rc) {
        json_decref(property);
        return NULL;
    }
    return property;
}

json_t *hr_render_schema(const struct hr_option_group *groups, size_t count) {
    json_t *properties = json_object();
    json_t *required = json_array();
    int order = 0;
    int rc = properties && required ? 0 : -1;
    for (size_t g = 0; g < count && rc == 0; g++) {
        for (size_t i = 0; i < groups[g].count && rc == 0; i++) {
            const struct hr_option *row = &groups[g].rows[i];
            if (row->flags & HR_OPT_HIDDEN) {
                continue;
            }
            rc =
                json_object_set_new(properties, row->name, hr_render_schema_property(row, order++));
            if (rc == 0 && (row->flags & HR_OPT_REQUIRED)) {
                rc = json_array_append_new(required, json_string(row->name));
            }
        }
    }
    if (rc) {
        json_decref(properties);
        json_decref(required);
        return NULL;
    }
    return json_pack("{ss ss so so}", "$schema", "http://json-schema.org/draft-07/schema#", "type",
                     "object", "required", required, "properties", properties);
}
