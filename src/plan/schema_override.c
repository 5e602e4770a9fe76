/* plan/schema_override.c - the option `schema`: names and types the user knows better than a
 * sample.
 *
 * {"id": "int64", ...} or [{"name": "id", "type": "int64"}, ...]. Named columns get the type,
 * columns the sample did not have are added behind the others.
 */
#include <string.h>

#include "base/mem.h"
#include "plan/sample.h"

/* One column into the schema; the schema is nobody else's. */
static int override_one(struct hr_schema *schema, const char *name, const char *type,
                        struct hr_error *err) {
    struct hr_field field = {0};
    int at = hr_schema_find(schema, name, strlen(name));
    if (hr_field_init(&field, name, strlen(name), hr_type(HR_T_UTF8), 0)) {
        return hr_fail(err, HR_E_NOMEM, "out of memory for a schema");
    }
    int rc = hr_field_parse_type(&field, type, err);
    if (rc) {
        hr_field_release(&field);
        return rc;
    }
    field.nullable = true;
    if (at < 0) {
        struct hr_field *grown =
            hr_reallocarray(schema->fields, (size_t)schema->n_fields + 1, sizeof *schema->fields);
        if (grown == NULL) {
            hr_field_release(&field);
            return hr_fail(err, HR_E_NOMEM, "out of memory for a schema");
        }
        schema->fields = grown;
        schema->fields[schema->n_fields++] = field;
        return 0;
    }
    hr_field_release(&schema->fields[at]);
    schema->fields[at] = field;
    return 0;
}

static int bad_shape(struct hr_error *err) {
    int rc = hr_fail(err, HR_E_CONFIG, "option \"schema\" is not a list of names and types");
    hr_error_hint(err, "Write {\"id\": \"int64\", \"price\": \"decimal(12,2)\"}.");
    return rc;
}

int hr_schema_override(const struct hr_settings *settings, struct hr_schema **schema,
                       struct hr_error *err) {
    const char *text = settings->schema.schema;
    json_t *doc = text ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
    int rc = 0;
    if (text == NULL) {
        return 0;
    }
    if (!json_is_object(doc) && !json_is_array(doc)) {
        rc = bad_shape(err);
    }
    const char *name = NULL;
    json_t *type = NULL;
    json_object_foreach(doc, name, type) {
        if (rc == 0) {
            rc = json_is_string(type) ? override_one(*schema, name, json_string_value(type), err)
                                      : bad_shape(err);
        }
    }
    for (size_t i = 0; i < json_array_size(doc) && rc == 0; i++) {
        const json_t *item = json_array_get(doc, i);
        name = json_string_value(json_object_get(item, "name"));
        const char *wanted = json_string_value(json_object_get(item, "type"));
        rc = name && wanted ? override_one(*schema, name, wanted, err) : bad_shape(err);
    }
    json_decref(doc);
    return rc;
}
