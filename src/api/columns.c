/* api/columns.c - a schema as JSON and back (see columns.h).
 *
 * Types are spelled as everywhere; what the spelling leaves out (what bytes mean, the width of a
 * decimal) stands beside it. Fields of structs are objects of their own, as their names may hold
 * any character. Untrusted input: every member's type is checked, depth is bounded.
 */
#include "api/columns.h"

#include <string.h>

#include "base/mem.h"

#define DEPTH_MAX 64
#define COLUMNS_MAX 100000u

static json_t *field_json(const struct hr_field *field);

static int fields_json(const struct hr_field *fields, int count, json_t *into) {
    for (int i = 0; i < count; i++) {
        json_t *name = json_string(fields[i].name);
        if (name == NULL) { /* no text: it is found anew in each run, as before */
            continue;
        }
        json_decref(name);
        json_t *one = field_json(&fields[i]);
        if (one == NULL || json_array_append_new(into, one) != 0) {
            return HR_E_NOMEM;
        }
    }
    return 0;
}

/* The head of a nested type; NULL for the others. */
static const char *nested_name(struct hr_type type) {
    static const char *const names[] = {"list", "struct", "map"};
    return hr_type_nested(type) ? names[type.id - HR_T_LIST] : NULL;
}

static json_t *field_json(const struct hr_field *field) {
    struct hr_buf text;
    hr_buf_init(&text, 0);
    const char *nested = nested_name(field->type);
    const int rc =
        nested ? hr_buf_append_str(&text, nested, NULL) : hr_field_type_text(field, &text, NULL);
    json_t *out =
        rc == 0 ? json_pack("{s:s,s:s}", "name", field->name, "type", hr_buf_cstr(&text)) : NULL;
    hr_buf_release(&text);
    int bad = out == NULL;
    if (!bad && field->type.ext != HR_EXT_NONE) {
        bad = json_object_set_new(out, "ext", json_integer(field->type.ext)) != 0;
    }
    if (!bad && field->type.id == HR_T_DEC256) {
        bad = json_object_set_new(out, "wide", json_true()) != 0;
    }
    if (!bad && nested != NULL) {
        json_t *kids = json_array();
        bad = json_object_set_new(out, "fields", kids) != 0 ||
              fields_json(field->children, field->n_children, kids) != 0;
    }
    if (bad) {
        json_decref(out);
        return NULL;
    }
    return out;
}

json_t *hr_columns_to_json(const struct hr_schema *schema) {
    json_t *out = json_array();
    if (out != NULL && fields_json(schema->fields, schema->n_fields, out) != 0) {
        json_decref(out);
        return NULL;
    }
    return out;
}

/* ---- reading ---- */

static int damaged(const char *name, struct hr_error *err) {
    hr_fail(err, HR_E_STATE, "could not use the state in '%s': its list of columns is damaged",
            name);
    hr_error_object(err, name);
    hr_error_hint(err, "restore the file from a copy, or `headrace state reset` to read every "
                       "object again");
    return HR_E_STATE;
}

static int read_field(const json_t *json, const char *name, int depth, struct hr_field *out,
                      struct hr_error *err);

static int read_nested(const json_t *json, const char *name, int depth, struct hr_field *out,
                       struct hr_error *err) {
    const json_t *kids = json_object_get(json, "fields");
    const char *column = json_string_value(json_object_get(json, "name"));
    const char *text = json_string_value(json_object_get(json, "type"));
    const enum hr_type_id id = text[0] == 'l' ? HR_T_LIST : text[0] == 's' ? HR_T_STRUCT : HR_T_MAP;
    const size_t n = json_array_size(kids);
    if (!json_is_array(kids) || depth >= DEPTH_MAX || n > COLUMNS_MAX ||
        (id != HR_T_STRUCT && n != 1)) {
        return damaged(name, err);
    }
    /* Children are counted as they are filled, so that a failure releases those there are. */
    int rc = hr_field_init(out, column, strlen(column), hr_type(id), (int)n);
    if (rc != 0) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate the columns");
    }
    out->n_children = 0;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        out->children[i] = (struct hr_field){.field_id = -1};
        rc = read_field(json_array_get(kids, i), name, depth + 1, &out->children[i], err);
        out->n_children += rc == 0;
    }
    /* A map's one child is a struct of key and value. */
    if (rc == 0 && id == HR_T_MAP &&
        (out->children[0].type.id != HR_T_STRUCT || out->children[0].n_children != 2)) {
        rc = damaged(name, err);
    }
    if (rc == 0 && id == HR_T_MAP) {
        out->children[0].nullable = out->children[0].children[0].nullable = false;
    }
    return rc;
}

static int read_scalar(const json_t *json, const char *name, struct hr_field *out,
                       struct hr_error *err) {
    const char *column = json_string_value(json_object_get(json, "name"));
    const char *text = json_string_value(json_object_get(json, "type"));
    const json_int_t ext = json_integer_value(json_object_get(json, "ext"));
    if (hr_field_init(out, column, strlen(column), hr_type(HR_T_NULL), 0) != 0) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate the columns");
    }
    const int rc = hr_field_parse_type(out, text, err);
    if (rc != 0 || hr_type_nested(out->type) || ext < 0 || ext > HR_EXT_DURATION) {
        return rc == HR_E_NOMEM ? rc : damaged(name, err);
    }
    out->type.ext = (uint8_t)ext;
    if (out->type.id == HR_T_DEC128 && json_is_true(json_object_get(json, "wide"))) {
        out->type.id = HR_T_DEC256;
    }
    return 0;
}

static int read_field(const json_t *json, const char *name, int depth, struct hr_field *out,
                      struct hr_error *err) {
    const char *text = json_string_value(json_object_get(json, "type"));
    if (json_string_value(json_object_get(json, "name")) == NULL || text == NULL) {
        return damaged(name, err);
    }
    const bool nested =
        strcmp(text, "list") == 0 || strcmp(text, "struct") == 0 || strcmp(text, "map") == 0;
    const int rc =
        nested ? read_nested(json, name, depth, out, err) : read_scalar(json, name, out, err);
    if (rc != 0) {
        hr_field_release(out);
        return rc;
    }
    out->nullable = true;
    return 0;
}

int hr_columns_from_json(const json_t *json, const char *name, struct hr_schema **out,
                         struct hr_error *err) {
    *out = NULL;
    if (json == NULL) {
        return 0;
    }
    const size_t n = json_array_size(json);
    if (!json_is_array(json) || n > COLUMNS_MAX) {
        return damaged(name, err);
    }
    struct hr_schema *schema = hr_schema_new((int)n);
    if (schema == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate the columns");
    }
    int rc = 0;
    schema->n_fields = 0;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        schema->fields[i] = (struct hr_field){.field_id = -1};
        rc = read_field(json_array_get(json, i), name, 0, &schema->fields[i], err);
        schema->n_fields += rc == 0;
    }
    if (rc != 0) {
        hr_schema_unref(schema);
        return rc;
    }
    *out = schema;
    return 0;
}
