/* dialect/olake/olake_spec.c - `spec` in Olake's form: a JSON Schema (draft 7) with one block per
 * file format hanging off dependencies.file_format.oneOf, and a UI schema. All of it is made from
 * the alias rows.
 */
#include <stdio.h>
#include <strings.h>

#include "config/json_text.h"
#include "dialect/olake/olake.h"

static json_t *required_names(const struct hr_alias *rows, size_t count) {
    json_t *names = json_array();
    for (size_t i = 0; i < count && names; i++) {
        if (rows[i].block == NULL && (rows[i].row.flags & HR_OPT_REQUIRED) &&
            json_array_append_new(names, json_string(rows[i].row.name))) {
            json_decref(names);
            return NULL;
        }
    }
    return names;
}

/* {"properties": {"file_format": {"const": "csv"}, "csv": {...}}} */
static json_t *format_choice(const char *format) {
    size_t count = 0;
    const struct hr_alias *rows = hr_olake_source_rows(&count);
    return json_pack("{s{s{ss} s{ss ss so}}}", "properties", "file_format", "const", format, format,
                     "type", "object", "title", format, "properties",
                     hr_alias_schema(rows, count, format));
}

static json_t *source_schema(void) {
    size_t count = 0;
    const struct hr_alias *rows = hr_olake_source_rows(&count);
    return json_pack("{ss ss ss so so s{s{s[o o o]}}}", "$schema",
                     "http://json-schema.org/draft-07/schema#", "title", "S3", "type", "object",
                     "required", required_names(rows, count), "properties",
                     hr_alias_schema(rows, count, NULL), "dependencies", "file_format", "oneOf",
                     format_choice("csv"), format_choice("json"), format_choice("parquet"));
}

static json_t *parquet_schema(void) {
    size_t count = 0;
    const struct hr_alias *rows = hr_olake_writer_rows(&count);
    return json_pack("{ss ss ss s[ss] s{s{ss ss} s{ss so}}}", "$schema",
                     "http://json-schema.org/draft-07/schema#", "title", "Parquet", "type",
                     "object", "required", "type", "writer", "properties", "type", "type", "string",
                     "const", "PARQUET", "writer", "type", "object", "properties",
                     hr_alias_schema(rows, count, NULL));
}

/* Secrets are password fields; nothing else needs saying. */
static json_t *ui_schema(const struct hr_alias *rows, size_t count) {
    json_t *ui = json_object();
    for (size_t i = 0; i < count && ui; i++) {
        if ((rows[i].row.flags & HR_OPT_SECRET) &&
            json_object_set_new(ui, rows[i].row.name, json_pack("{ss}", "ui:widget", "password"))) {
            json_decref(ui);
            return NULL;
        }
    }
    return ui;
}

int hr_olake_spec(const char *destination, struct hr_buf *out, struct hr_error *err) {
    size_t count = 0;
    if (destination && strcasecmp(destination, "parquet") != 0) {
        char shown[60];
        hr_printable(hr_slice_str(destination), 40, shown, sizeof shown);
        int rc = hr_fail(err, HR_E_USAGE, "the destination type \"%s\" is not built yet", shown);
        hr_error_hint(err, "Use parquet.");
        return rc;
    }
    const struct hr_alias *rows =
        destination ? hr_olake_writer_rows(&count) : hr_olake_source_rows(&count);
    json_t *doc =
        json_pack("{so so}", "jsonschema", destination ? parquet_schema() : source_schema(),
                  "uischema", ui_schema(rows, count));
    int rc = doc && hr_json_dump(doc, JSON_COMPACT, out, NULL) == 0
                 ? hr_buf_append_byte(out, '\n', err)
                 : hr_fail(err, HR_E_NOMEM, "out of memory for the specification");
    json_decref(doc);
    return rc;
}
