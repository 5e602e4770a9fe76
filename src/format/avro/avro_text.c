/* format/avro/avro_text.c - the schema an Avro file of given columns carries, as JSON text.
 *
 * Names become what Avro allows ([A-Za-z_][A-Za-z0-9_]*), unique within their record; where that
 * changes one, the column's own name stays in the property "headrace-name". Types Avro has no name
 * for carry "headrace-type" (avro_schema.h). Named types get a running number, so that none is
 * defined twice. The text depends on the columns alone: the sync marker is made from it. */
#include "format/avro/avro_schema.h"

#include <stdio.h>

#include "base/mem.h"

struct text {
    struct hr_buf *out;
    struct hr_error *err;
    int serial; /* of named types */
};

static int put_type(struct text *t, const struct hr_field *field);

static int put(struct text *t, const char *text) {
    return hr_buf_append_str(t->out, text, t->err);
}

/* ---- names ---- */

/* `text` as an Avro name; out has room for 2 bytes more than its length. */
static void clean_name(const char *text, char *out) {
    size_t n = 0;
    if (text[0] == '\0' || (text[0] >= '0' && text[0] <= '9')) {
        out[n++] = '_';
    }
    for (const char *p = text; *p != '\0'; p++) {
        bool fine = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
                    (*p >= '0' && *p <= '9') || *p == '_';
        out[n++] = *p;
        if (!fine) {
            out[n - 1] = '_';
        }
    }
    out[n] = '\0';
}

/* The names of one record's fields. */
struct names {
    char **items;
    int count;
};

static bool taken(const struct names *names, const char *name) {
    for (int i = 0; i < names->count; i++) {
        if (strcmp(names->items[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static int add_name(struct text *t, struct names *names, const char *column) {
    size_t len = strlen(column);
    char *name = hr_malloc(len + 16);
    if (name == NULL) {
        return hr_fail(t->err, HR_E_NOMEM, "out of memory for an Avro schema");
    }
    clean_name(column, name);
    size_t base = strlen(name);
    for (int n = 2; taken(names, name); n++) {
        snprintf(name + base, 14, "_%d", n);
    }
    names->items[names->count++] = name;
    return 0;
}

static void release_names(struct names *names) {
    for (int i = 0; i < names->count; i++) {
        hr_free(names->items[i]);
    }
    hr_free(names->items);
}

/* ---- types ---- */

static int put_fields(struct text *t, const struct hr_field *fields, int count) {
    struct names names = {.items = hr_calloc((size_t)count + 1, sizeof(char *))};
    int rc = names.items != NULL ? put(t, "\"fields\":[")
                                 : hr_fail(t->err, HR_E_NOMEM, "out of memory for an Avro schema");
    for (int i = 0; rc == 0 && i < count; i++) {
        rc = add_name(t, &names, fields[i].name);
        if (rc == 0) {
            rc = hr_buf_printf(t->out, t->err, "%s{\"name\":\"%s\",", i > 0 ? "," : "",
                               names.items[i]);
        }
        if (rc == 0 && strcmp(names.items[i], fields[i].name) != 0) {
            rc = put(t, "\"headrace-name\":");
            rc = rc == 0 ? hr_buf_append_json(t->out, hr_slice_str(fields[i].name), t->err) : rc;
            rc = rc == 0 ? put(t, ",") : rc;
        }
        rc = rc == 0 ? put(t, "\"type\":") : rc;
        rc = rc == 0 ? put_type(t, &fields[i]) : rc;
        rc = rc == 0 ? put(t, "}") : rc;
    }
    release_names(&names);
    return rc == 0 ? put(t, "]") : rc;
}

static int put_record(struct text *t, const char *name, const struct hr_field *fields, int count) {
    int rc = hr_buf_printf(t->out, t->err, "{\"type\":\"record\",\"name\":\"%s\",", name);
    rc = rc == 0 ? put_fields(t, fields, count) : rc;
    return rc == 0 ? put(t, "}") : rc;
}

static int put_fixed(struct text *t, const struct hr_type type) {
    const char *logical = type.ext == HR_EXT_UUID && type.width == 16 ? ",\"logicalType\":\"uuid\""
                          : type.ext == HR_EXT_INTERVAL && type.width == 12
                              ? ",\"logicalType\":\"duration\""
                              : "";
    return hr_buf_printf(t->out, t->err, "{\"type\":\"fixed\",\"name\":\"fixed_%d\",\"size\":%d%s}",
                         ++t->serial, type.width, logical);
}

static int put_time(struct text *t, const struct hr_type type) {
    static const char *const texts[][4] = {
        {"{\"type\":\"int\",\"logicalType\":\"time-millis\",\"headrace-type\":\"time[s]\"}",
         "{\"type\":\"int\",\"logicalType\":\"time-millis\"}",
         "{\"type\":\"long\",\"logicalType\":\"time-micros\"}",
         "{\"type\":\"long\",\"headrace-type\":\"time[ns]\"}"},
        {"{\"type\":\"long\",\"logicalType\":\"local-timestamp-millis\","
         "\"headrace-type\":\"timestamp[s]\"}",
         "{\"type\":\"long\",\"logicalType\":\"local-timestamp-millis\"}",
         "{\"type\":\"long\",\"logicalType\":\"local-timestamp-micros\"}",
         "{\"type\":\"long\",\"logicalType\":\"local-timestamp-nanos\"}"},
        {"{\"type\":\"long\",\"logicalType\":\"timestamp-millis\","
         "\"headrace-type\":\"timestamp[s, utc]\"}",
         "{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}",
         "{\"type\":\"long\",\"logicalType\":\"timestamp-micros\"}",
         "{\"type\":\"long\",\"logicalType\":\"timestamp-nanos\"}"}};
    return put(t, texts[type.id != HR_T_TS ? 0 : type.utc ? 2 : 1][type.unit]);
}

static int put_map(struct text *t, const struct hr_field *field) {
    const struct hr_field *pair = field->children[0].children;
    int rc;
    if (pair[0].type.id == HR_T_UTF8) {
        rc = put(t, "{\"type\":\"map\",\"values\":");
        rc = rc == 0 ? put_type(t, &pair[1]) : rc;
        return rc == 0 ? put(t, "}") : rc;
    }
    char name[32];
    snprintf(name, sizeof(name), "entry_%d", ++t->serial);
    rc = put(t, "{\"type\":\"array\",\"headrace-type\":\"map\",\"items\":");
    rc = rc == 0 ? put_record(t, name, pair, 2) : rc;
    return rc == 0 ? put(t, "}") : rc;
}

/* Text and bytes that are more than that. */
static int put_marked(struct text *t, const struct hr_type type) {
    const char *mark = type.ext == HR_EXT_JSON   ? "json"
                       : type.ext == HR_EXT_ENUM ? "enum"
                       : type.ext == HR_EXT_BSON ? "bson"
                                                 : "";
    return hr_buf_printf(t->out, t->err, "{\"type\":\"%s\",\"headrace-type\":\"%s\"}",
                         type.id == HR_T_UTF8 ? "string" : "bytes", mark);
}

static int put_plain(struct text *t, const struct hr_field *field) {
    static const char *const texts[HR_T_COUNT] = {
        [HR_T_NULL] = "\"null\"",
        [HR_T_BOOL] = "\"boolean\"",
        [HR_T_I8] = "{\"type\":\"int\",\"headrace-type\":\"int8\"}",
        [HR_T_I16] = "{\"type\":\"int\",\"headrace-type\":\"int16\"}",
        [HR_T_I32] = "\"int\"",
        [HR_T_I64] = "\"long\"",
        [HR_T_U8] = "{\"type\":\"int\",\"headrace-type\":\"uint8\"}",
        [HR_T_U16] = "{\"type\":\"int\",\"headrace-type\":\"uint16\"}",
        [HR_T_U32] = "{\"type\":\"long\",\"headrace-type\":\"uint32\"}",
        [HR_T_U64] = "{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":20,\"scale\":0,"
                     "\"headrace-type\":\"uint64\"}",
        [HR_T_F16] = "{\"type\":\"float\",\"headrace-type\":\"float16\"}",
        [HR_T_F32] = "\"float\"",
        [HR_T_F64] = "\"double\"",
        [HR_T_UTF8] = "\"string\"",
        [HR_T_BINARY] = "\"bytes\"",
        [HR_T_DATE32] = "{\"type\":\"int\",\"logicalType\":\"date\"}",
    };
    const struct hr_type type = field->type;
    int rc;
    if (hr_type_bytes(type) && type.ext != HR_EXT_NONE) {
        return put_marked(t, type);
    }
    if (type.ext == HR_EXT_DURATION) {
        static const char *const units[] = {"s", "ms", "us", "ns"};
        return hr_buf_printf(t->out, t->err,
                             "{\"type\":\"long\",\"headrace-type\":\"duration[%s]\"}",
                             units[type.unit]);
    }
    switch ((enum hr_type_id)type.id) {
    case HR_T_DEC128:
    case HR_T_DEC256:
        return hr_buf_printf(t->out, t->err,
                             "{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":%d,"
                             "\"scale\":%d}",
                             type.precision, type.scale);
    case HR_T_FIXED: return put_fixed(t, type);
    case HR_T_TIME32:
    case HR_T_TIME64:
    case HR_T_TS: return put_time(t, type);
    case HR_T_MAP: return put_map(t, field);
    case HR_T_LIST:
        rc = put(t, "{\"type\":\"array\",\"items\":");
        rc = rc == 0 ? put_type(t, &field->children[0]) : rc;
        return rc == 0 ? put(t, "}") : rc;
    case HR_T_STRUCT: {
        char name[32];
        snprintf(name, sizeof(name), "record_%d", ++t->serial);
        return put_record(t, name, field->children, field->n_children);
    }
    default: break;
    }
    if (type.id >= HR_T_COUNT || texts[type.id] == NULL) {
        hr_fail(t->err, HR_E_UNSUPPORTED, "could not write a column as Avro: it has no such type");
        hr_error_place(t->err, -1, -1, field->name);
        return HR_E_UNSUPPORTED;
    }
    return put(t, texts[type.id]);
}

static int put_type(struct text *t, const struct hr_field *field) {
    if (!field->nullable || field->type.id == HR_T_NULL) {
        return put_plain(t, field);
    }
    int rc = put(t, "[\"null\",");
    rc = rc == 0 ? put_plain(t, field) : rc;
    return rc == 0 ? put(t, "]") : rc;
}

int hr_avro_schema_text(const struct hr_schema *schema, struct hr_buf *out, struct hr_error *err) {
    struct text t = {.out = out, .err = err};
    return put_record(&t, "row", schema->fields, schema->n_fields);
}
