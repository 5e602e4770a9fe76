/* batch/schema.c - schemas and fields: life, comparison, text forms. */
#include "batch/schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"

#define TYPE_DEPTH_MAX 64

struct hr_schema *hr_schema_new(int n_fields) {
    struct hr_schema *schema = hr_calloc(1, sizeof(*schema));
    if (schema == NULL) {
        return NULL;
    }
    schema->fields = hr_calloc((size_t)n_fields, sizeof(*schema->fields));
    if (schema->fields == NULL) {
        hr_free(schema);
        return NULL;
    }
    schema->refs = 1;
    schema->n_fields = n_fields;
    return schema;
}

struct hr_schema *hr_schema_ref(struct hr_schema *schema) {
    if (schema != NULL) {
        __atomic_fetch_add(&schema->refs, 1, __ATOMIC_RELAXED);
    }
    return schema;
}

void hr_schema_unref(struct hr_schema *schema) {
    if (schema == NULL || __atomic_sub_fetch(&schema->refs, 1, __ATOMIC_ACQ_REL) > 0) {
        return;
    }
    for (int i = 0; i < schema->n_fields; i++) {
        hr_field_release(&schema->fields[i]);
    }
    hr_free(schema->fields);
    hr_free(schema);
}

int hr_schema_find(const struct hr_schema *schema, const char *name, size_t len) {
    for (int i = 0; i < schema->n_fields; i++) {
        const char *have = schema->fields[i].name;
        if (strncmp(have, name, len) == 0 && have[len] == '\0') {
            return i;
        }
    }
    return -1;
}

bool hr_schema_equal(const struct hr_schema *a, const struct hr_schema *b) {
    if (a == b) {
        return true;
    }
    if (a->n_fields != b->n_fields) {
        return false;
    }
    for (int i = 0; i < a->n_fields; i++) {
        if (!hr_field_equal(&a->fields[i], &b->fields[i])) {
            return false;
        }
    }
    return true;
}

int hr_field_init(struct hr_field *field, const char *name, size_t len, struct hr_type type,
                  int n_children) {
    *field =
        (struct hr_field){.type = type, .nullable = true, .field_id = -1, .n_children = n_children};
    field->name = hr_strndup(name, len);
    if (field->name == NULL) {
        field->n_children = 0;
        return HR_E_NOMEM;
    }
    if (n_children > 0) {
        field->children = hr_calloc((size_t)n_children, sizeof(*field->children));
        if (field->children == NULL) {
            field->n_children = 0;
            hr_field_release(field);
            return HR_E_NOMEM;
        }
    }
    return 0;
}

void hr_field_release(struct hr_field *field) {
    for (int i = 0; i < field->n_children; i++) {
        hr_field_release(&field->children[i]);
    }
    hr_free(field->children);
    hr_free(field->name);
    *field = (struct hr_field){.field_id = -1};
}

int hr_field_copy(struct hr_field *dst, const struct hr_field *src) {
    int rc = hr_field_init(dst, src->name, strlen(src->name), src->type, src->n_children);
    dst->nullable = src->nullable;
    dst->field_id = src->field_id;
    for (int i = 0; rc == 0 && i < src->n_children; i++) {
        rc = hr_field_copy(&dst->children[i], &src->children[i]);
    }
    if (rc != 0) {
        hr_field_release(dst);
    }
    return rc;
}

bool hr_type_equal(struct hr_type a, struct hr_type b) {
    return a.id == b.id && a.unit == b.unit && a.utc == b.utc && a.precision == b.precision &&
           a.scale == b.scale && a.width == b.width;
}

bool hr_field_equal(const struct hr_field *a, const struct hr_field *b) {
    if (strcmp(a->name, b->name) != 0 || !hr_type_equal(a->type, b->type) ||
        a->nullable != b->nullable || a->n_children != b->n_children) {
        return false;
    }
    for (int i = 0; i < a->n_children; i++) {
        if (!hr_field_equal(&a->children[i], &b->children[i])) {
            return false;
        }
    }
    return true;
}

int hr_type_width(struct hr_type type) {
    switch ((enum hr_type_id)type.id) {
    case HR_T_I8:
    case HR_T_U8: return 1;
    case HR_T_I16:
    case HR_T_U16:
    case HR_T_F16: return 2;
    case HR_T_I32:
    case HR_T_U32:
    case HR_T_F32:
    case HR_T_DATE32:
    case HR_T_TIME32: return 4;
    case HR_T_I64:
    case HR_T_U64:
    case HR_T_F64:
    case HR_T_TIME64:
    case HR_T_TS: return 8;
    case HR_T_DEC128: return 16;
    case HR_T_DEC256: return 32;
    case HR_T_FIXED: return type.width;
    default: return 0;
    }
}

/* ---- text forms ---- */

static const char *const PLAIN_NAMES[HR_T_COUNT] = {
    [HR_T_NULL] = "null",  [HR_T_BOOL] = "bool",  [HR_T_I8] = "int8",       [HR_T_I16] = "int16",
    [HR_T_I32] = "int32",  [HR_T_I64] = "int64",  [HR_T_U8] = "uint8",      [HR_T_U16] = "uint16",
    [HR_T_U32] = "uint32", [HR_T_U64] = "uint64", [HR_T_F16] = "float16",   [HR_T_F32] = "float",
    [HR_T_F64] = "double", [HR_T_UTF8] = "utf8",  [HR_T_BINARY] = "binary", [HR_T_DATE32] = "date"};

static const char *const UNIT_NAMES[] = {"s", "ms", "us", "ns"};

static int text_of_params(const struct hr_field *field, struct hr_buf *out, struct hr_error *err) {
    const struct hr_type t = field->type;
    switch ((enum hr_type_id)t.id) {
    case HR_T_DEC128:
    case HR_T_DEC256: return hr_buf_printf(out, err, "decimal(%d,%d)", t.precision, t.scale);
    case HR_T_FIXED:
        return t.ext == HR_EXT_UUID ? hr_buf_append_str(out, "uuid", err)
                                    : hr_buf_printf(out, err, "fixed(%d)", t.width);
    case HR_T_TIME32:
    case HR_T_TIME64: return hr_buf_printf(out, err, "time[%s]", UNIT_NAMES[t.unit]);
    case HR_T_I64:
        return t.ext == HR_EXT_DURATION
                   ? hr_buf_printf(out, err, "duration[%s]", UNIT_NAMES[t.unit])
                   : hr_buf_append_str(out, "int64", err);
    case HR_T_TS:
        return hr_buf_printf(out, err, "timestamp[%s%s]", UNIT_NAMES[t.unit], t.utc ? ", utc" : "");
    default: return hr_buf_append_str(out, PLAIN_NAMES[t.id], err);
    }
}

int hr_field_type_text(const struct hr_field *field, struct hr_buf *out, struct hr_error *err) {
    static const char *const heads[] = {"list<", "struct<", "map<"};
    if (!hr_type_nested(field->type)) {
        return text_of_params(field, out, err);
    }
    int rc = hr_buf_append_str(out, heads[field->type.id - HR_T_LIST], err);
    const struct hr_field *kids = field;
    if (field->type.id == HR_T_MAP && field->n_children == 1) {
        kids = &field->children[0];
    }
    for (int i = 0; rc == 0 && i < kids->n_children; i++) {
        if (i > 0) {
            rc = hr_buf_append_str(out, ", ", err);
        }
        if (rc == 0 && field->type.id == HR_T_STRUCT) {
            rc = hr_buf_printf(out, err, "%s: ", kids->children[i].name);
        }
        if (rc == 0) {
            rc = hr_field_type_text(&kids->children[i], out, err);
        }
    }
    return rc == 0 ? hr_buf_append_byte(out, '>', err) : rc;
}

struct name_row {
    const char *name;
    struct hr_type type;
};

static const struct name_row NAMES[] = {
    {"null", {.id = HR_T_NULL}},
    {"bool", {.id = HR_T_BOOL}},
    {"boolean", {.id = HR_T_BOOL}},
    {"int8", {.id = HR_T_I8}},
    {"tinyint", {.id = HR_T_I8}},
    {"int16", {.id = HR_T_I16}},
    {"smallint", {.id = HR_T_I16}},
    {"int32", {.id = HR_T_I32}},
    {"int", {.id = HR_T_I32}},
    {"int64", {.id = HR_T_I64}},
    {"integer", {.id = HR_T_I64}},
    {"bigint", {.id = HR_T_I64}},
    {"long", {.id = HR_T_I64}},
    {"uint8", {.id = HR_T_U8}},
    {"uint16", {.id = HR_T_U16}},
    {"uint32", {.id = HR_T_U32}},
    {"uint64", {.id = HR_T_U64}},
    {"float16", {.id = HR_T_F16}},
    {"float", {.id = HR_T_F32}},
    {"float32", {.id = HR_T_F32}},
    {"double", {.id = HR_T_F64}},
    {"float64", {.id = HR_T_F64}},
    {"number", {.id = HR_T_F64}},
    {"utf8", {.id = HR_T_UTF8}},
    {"string", {.id = HR_T_UTF8}},
    {"text", {.id = HR_T_UTF8}},
    {"varchar", {.id = HR_T_UTF8}},
    {"binary", {.id = HR_T_BINARY}},
    {"date", {.id = HR_T_DATE32}},
    {"date32", {.id = HR_T_DATE32}},
    {"time", {.id = HR_T_TIME64, .unit = HR_U_US}},
    {"duration", {.id = HR_T_I64, .unit = HR_U_US, .ext = HR_EXT_DURATION}},
    {"timestamp", {.id = HR_T_TS, .unit = HR_U_US}},
    {"timestamptz", {.id = HR_T_TS, .unit = HR_U_US, .utc = 1}},
    {"uuid", {.id = HR_T_FIXED, .width = 16, .ext = HR_EXT_UUID}},
    {"json", {.id = HR_T_UTF8, .ext = HR_EXT_JSON}}};

/* Recursive descent over the type text; `pos` moves. */
struct type_parser {
    const char *text;
    size_t pos;
    int depth;
    struct hr_error *err;
};

static void skip_blanks(struct type_parser *p) {
    while (p->text[p->pos] == ' ') {
        p->pos++;
    }
}

static bool accept(struct type_parser *p, char c) {
    skip_blanks(p);
    if (p->text[p->pos] != c) {
        return false;
    }
    p->pos++;
    return true;
}

static int type_fail(struct type_parser *p) {
    hr_fail(p->err, HR_E_CONFIG, "could not understand the type '%.80s' at position %zu", p->text,
            p->pos + 1);
    hr_error_hint(p->err, "types are bool, int8 … int64, uint8 … uint64, float, double, "
                          "decimal(p,s), utf8, binary, date, time, timestamp[us], "
                          "timestamp[us, utc], list<…>, struct<name: …>, map<…, …>");
    return HR_E_CONFIG;
}

static int parse_type(struct type_parser *p, const char *name, size_t name_len,
                      struct hr_field *field);

static int parse_int(struct type_parser *p, long *out) {
    skip_blanks(p);
    char *end;
    *out = strtol(p->text + p->pos, &end, 10);
    if (end == p->text + p->pos || *out < 0 || *out > 1 << 20) {
        return type_fail(p);
    }
    p->pos = (size_t)(end - p->text);
    return 0;
}

static int parse_decimal_args(struct type_parser *p, struct hr_type *type) {
    long precision;
    long scale = 0;
    if (!accept(p, '(') || parse_int(p, &precision) != 0) {
        return type_fail(p);
    }
    if (accept(p, ',') && parse_int(p, &scale) != 0) {
        return HR_E_CONFIG;
    }
    if (!accept(p, ')') || precision < 1 || precision > 76 || scale > precision) {
        return type_fail(p);
    }
    *type = (struct hr_type){.id = (uint8_t)(precision > 38 ? HR_T_DEC256 : HR_T_DEC128),
                             .precision = (int16_t)precision,
                             .scale = (int16_t)scale};
    return 0;
}

static int parse_unit_args(struct type_parser *p, struct hr_type *type) {
    if (!accept(p, '[')) {
        return 0;
    }
    skip_blanks(p);
    int unit = -1;
    for (int i = 0; i < 4; i++) {
        const size_t n = strlen(UNIT_NAMES[i]);
        if (strncmp(p->text + p->pos, UNIT_NAMES[i], n) == 0) {
            unit = i;
            p->pos += n;
            break;
        }
    }
    if (unit < 0) {
        return type_fail(p);
    }
    type->unit = (uint8_t)unit;
    if (type->id == HR_T_TIME64 && unit <= HR_U_MS) {
        type->id = HR_T_TIME32;
    }
    if (accept(p, ',')) {
        skip_blanks(p);
        if (strncasecmp(p->text + p->pos, "utc", 3) != 0 || type->id != HR_T_TS) {
            return type_fail(p);
        }
        p->pos += 3;
        type->utc = 1;
    }
    return accept(p, ']') ? 0 : type_fail(p);
}

static int parse_struct(struct type_parser *p, struct hr_field *field) {
    while (!accept(p, '>')) {
        if (field->n_children > 0 && !accept(p, ',')) {
            return type_fail(p);
        }
        skip_blanks(p);
        const size_t start = p->pos;
        while (p->text[p->pos] != ':' && p->text[p->pos] != '\0') {
            p->pos++;
        }
        const size_t len = p->pos - start;
        if (!accept(p, ':')) {
            return type_fail(p);
        }
        struct hr_field *grown = hr_reallocarray(field->children, (size_t)field->n_children + 1,
                                                 sizeof(*field->children));
        if (grown == NULL) {
            return hr_fail(p->err, HR_E_NOMEM, "could not allocate a type");
        }
        field->children = grown;
        memset(&grown[field->n_children], 0, sizeof(*grown));
        field->n_children++;
        const int rc = parse_type(p, p->text + start, len, &grown[field->n_children - 1]);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

static int parse_nested(struct type_parser *p, enum hr_type_id id, const char *name, size_t len,
                        struct hr_field *field) {
    int rc = hr_field_init(field, name, len, hr_type(id), id == HR_T_STRUCT ? 0 : 1);
    if (rc != 0) {
        return hr_fail(p->err, rc, "could not allocate a type");
    }
    if (!accept(p, '<')) {
        return type_fail(p);
    }
    if (id == HR_T_STRUCT) {
        return parse_struct(p, field);
    }
    if (id == HR_T_LIST) {
        rc = parse_type(p, "item", 4, &field->children[0]);
        return rc != 0 ? rc : accept(p, '>') ? 0 : type_fail(p);
    }
    struct hr_field *entries = &field->children[0];
    rc = hr_field_init(entries, "entries", 7, hr_type(HR_T_STRUCT), 2);
    if (rc != 0) {
        return hr_fail(p->err, rc, "could not allocate a type");
    }
    entries->nullable = false;
    rc = parse_type(p, "key", 3, &entries->children[0]);
    if (rc == 0) {
        entries->children[0].nullable = false;
        rc = accept(p, ',') ? parse_type(p, "value", 5, &entries->children[1]) : type_fail(p);
    }
    return rc != 0 ? rc : accept(p, '>') ? 0 : type_fail(p);
}

static int parse_named(struct type_parser *p, const char *word, size_t n, const char *name,
                       size_t len, struct hr_field *field) {
    struct hr_type type = {0};
    int rc = 0;
    if (n == 7 && strncasecmp(word, "decimal", 7) == 0) {
        rc = parse_decimal_args(p, &type);
    } else if (n == 5 && strncasecmp(word, "fixed", 5) == 0) {
        long width;
        if (!accept(p, '(') || parse_int(p, &width) != 0 || !accept(p, ')') || width < 1) {
            return type_fail(p);
        }
        type = (struct hr_type){.id = HR_T_FIXED, .width = (int32_t)width};
    } else {
        size_t i = 0;
        while (i < sizeof(NAMES) / sizeof(NAMES[0]) &&
               (strlen(NAMES[i].name) != n || strncasecmp(NAMES[i].name, word, n) != 0)) {
            i++;
        }
        if (i == sizeof(NAMES) / sizeof(NAMES[0])) {
            return type_fail(p);
        }
        type = NAMES[i].type;
        if (type.id == HR_T_TS || type.id == HR_T_TIME64 || type.ext == HR_EXT_DURATION) {
            rc = parse_unit_args(p, &type);
        }
    }
    if (rc == 0 && hr_field_init(field, name, len, type, 0) != 0) {
        return hr_fail(p->err, HR_E_NOMEM, "could not allocate a type");
    }
    return rc;
}

static int parse_type(struct type_parser *p, const char *name, size_t name_len,
                      struct hr_field *field) {
    if (p->depth >= TYPE_DEPTH_MAX) {
        return type_fail(p);
    }
    skip_blanks(p);
    const char *word = p->text + p->pos;
    const size_t n = strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");
    p->pos += n;
    p->depth++;
    int rc;
    if (n == 4 && strncasecmp(word, "list", 4) == 0) {
        rc = parse_nested(p, HR_T_LIST, name, name_len, field);
    } else if (n == 6 && strncasecmp(word, "struct", 6) == 0) {
        rc = parse_nested(p, HR_T_STRUCT, name, name_len, field);
    } else if (n == 3 && strncasecmp(word, "map", 3) == 0) {
        rc = parse_nested(p, HR_T_MAP, name, name_len, field);
    } else {
        rc = parse_named(p, word, n, name, name_len, field);
    }
    p->depth--;
    return rc;
}

int hr_field_parse_type(struct hr_field *field, const char *text, struct hr_error *err) {
    struct type_parser p = {.text = text, .err = err};
    struct hr_field parsed = {.field_id = -1};
    const char *name = field->name ? field->name : "";
    int rc = parse_type(&p, name, strlen(name), &parsed);
    skip_blanks(&p);
    if (rc == 0 && p.text[p.pos] != '\0') {
        rc = type_fail(&p);
    }
    if (rc != 0) {
        hr_field_release(&parsed);
        return rc;
    }
    hr_field_release(field);
    *field = parsed;
    return 0;
}
