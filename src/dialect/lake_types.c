/* dialect/lake_types.c - type names of Olake-shaped catalogs, the tree in which they meet, and the
 * one normaliser for column, table and database names. */
#include "dialect/lake_types.h"

#include <string.h>

#include "base/mem.h"

static const char *const type_names[HR_LAKE_TYPE_COUNT] = {
    [HR_LAKE_NULL] = "null",
    [HR_LAKE_BOOLEAN] = "boolean",
    [HR_LAKE_INTEGER_SMALL] = "integer_small",
    [HR_LAKE_INTEGER] = "integer",
    [HR_LAKE_NUMBER_SMALL] = "number_small",
    [HR_LAKE_NUMBER] = "number",
    [HR_LAKE_STRING] = "string",
    [HR_LAKE_OBJECT] = "object",
    [HR_LAKE_ARRAY] = "array",
    [HR_LAKE_TIMESTAMP] = "timestamp",
    [HR_LAKE_TIMESTAMP_MILLI] = "timestamp_milli",
    [HR_LAKE_TIMESTAMP_MICRO] = "timestamp_micro",
    [HR_LAKE_TIMESTAMP_NANO] = "timestamp_nano",
    [HR_LAKE_UNKNOWN] = "unknown",
};

/* The parent of each type; STRING is the root. */
static const enum hr_lake_type parents[HR_LAKE_TYPE_COUNT] = {
    [HR_LAKE_NULL] = HR_LAKE_STRING, /* never walked: null is below all */
    [HR_LAKE_BOOLEAN] = HR_LAKE_INTEGER_SMALL,
    [HR_LAKE_INTEGER_SMALL] = HR_LAKE_INTEGER,
    [HR_LAKE_INTEGER] = HR_LAKE_NUMBER,
    [HR_LAKE_NUMBER_SMALL] = HR_LAKE_NUMBER,
    [HR_LAKE_NUMBER] = HR_LAKE_STRING,
    [HR_LAKE_STRING] = HR_LAKE_STRING,
    [HR_LAKE_OBJECT] = HR_LAKE_STRING,
    [HR_LAKE_ARRAY] = HR_LAKE_STRING,
    [HR_LAKE_TIMESTAMP] = HR_LAKE_TIMESTAMP_MILLI,
    [HR_LAKE_TIMESTAMP_MILLI] = HR_LAKE_TIMESTAMP_MICRO,
    [HR_LAKE_TIMESTAMP_MICRO] = HR_LAKE_TIMESTAMP_NANO,
    [HR_LAKE_TIMESTAMP_NANO] = HR_LAKE_STRING,
    [HR_LAKE_UNKNOWN] = HR_LAKE_STRING,
};

const char *hr_lake_type_name(enum hr_lake_type type) {
    return type_names[type];
}

int hr_lake_type_by_name(const char *name) {
    for (int i = 0; i < HR_LAKE_TYPE_COUNT; i++) {
        if (strcmp(type_names[i], name) == 0) {
            return i;
        }
    }
    return -1;
}

enum hr_lake_type hr_lake_type_meet(enum hr_lake_type a, enum hr_lake_type b) {
    if (a == HR_LAKE_NULL || b == HR_LAKE_NULL) {
        return a == HR_LAKE_NULL ? b : a;
    }
    for (enum hr_lake_type x = a;; x = parents[x]) {
        for (enum hr_lake_type y = b;; y = parents[y]) {
            if (x == y) {
                return x;
            }
            if (y == HR_LAKE_STRING) {
                break;
            }
        }
        if (x == HR_LAKE_STRING) {
            return HR_LAKE_STRING;
        }
    }
}

static struct hr_type instant(enum hr_unit unit) {
    struct hr_type type = hr_type(HR_T_TS);
    type.unit = (uint8_t)unit;
    type.utc = 1;
    return type;
}

struct hr_type hr_lake_to_type(enum hr_lake_type type) {
    struct hr_type text = hr_type(HR_T_UTF8);
    switch (type) {
    case HR_LAKE_BOOLEAN: return hr_type(HR_T_BOOL);
    case HR_LAKE_INTEGER_SMALL: return hr_type(HR_T_I32);
    case HR_LAKE_INTEGER: return hr_type(HR_T_I64);
    case HR_LAKE_NUMBER_SMALL: return hr_type(HR_T_F32);
    case HR_LAKE_NUMBER: return hr_type(HR_T_F64);
    case HR_LAKE_TIMESTAMP:
    case HR_LAKE_TIMESTAMP_MILLI:
    case HR_LAKE_TIMESTAMP_MICRO: return instant(HR_U_US);
    case HR_LAKE_TIMESTAMP_NANO: return instant(HR_U_NS);
    case HR_LAKE_OBJECT:
    case HR_LAKE_ARRAY: text.ext = HR_EXT_JSON; return text;
    case HR_LAKE_NULL:
    case HR_LAKE_STRING:
    case HR_LAKE_UNKNOWN:
    case HR_LAKE_TYPE_COUNT: break;
    }
    return text;
}

static enum hr_lake_type from_timestamp(const struct hr_field *field) {
    switch (field->type.unit) {
    case HR_U_S: return HR_LAKE_TIMESTAMP;
    case HR_U_MS: return HR_LAKE_TIMESTAMP_MILLI;
    case HR_U_US: return HR_LAKE_TIMESTAMP_MICRO;
    default: return HR_LAKE_TIMESTAMP_NANO;
    }
}

enum hr_lake_type hr_lake_from_field(const struct hr_field *field, bool loose) {
    switch ((enum hr_type_id)field->type.id) {
    case HR_T_BOOL: return HR_LAKE_BOOLEAN;
    case HR_T_I8:
    case HR_T_I16:
    case HR_T_I32:
    case HR_T_U8:
    case HR_T_U16: return loose ? HR_LAKE_NUMBER : HR_LAKE_INTEGER_SMALL;
    case HR_T_I64:
    case HR_T_U32:
    case HR_T_U64: return loose ? HR_LAKE_NUMBER : HR_LAKE_INTEGER;
    case HR_T_F16:
    case HR_T_F32: return loose ? HR_LAKE_NUMBER : HR_LAKE_NUMBER_SMALL;
    case HR_T_F64:
    case HR_T_DEC128:
    case HR_T_DEC256: return HR_LAKE_NUMBER;
    case HR_T_DATE32: return HR_LAKE_TIMESTAMP;
    case HR_T_TIME32:
    case HR_T_TIME64: return loose ? HR_LAKE_STRING : HR_LAKE_INTEGER;
    case HR_T_TS: return from_timestamp(field);
    case HR_T_LIST: return HR_LAKE_ARRAY;
    case HR_T_STRUCT:
    case HR_T_MAP: return HR_LAKE_OBJECT;
    default: return HR_LAKE_STRING;
    }
}

char *hr_lake_name(const char *text, size_t len) {
    char *out = hr_malloc(len + 1);
    if (out == NULL) {
        return NULL;
    }
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if ((c & 0xC0) == 0x80) {
            continue; /* the rest of a character that already gave its '_' */
        }
        if (c >= 'A' && c <= 'Z') {
            c = (unsigned char)(c - 'A' + 'a');
        }
        bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        out[n++] = plain ? (char)c : '_';
    }
    out[n] = 0;
    return out;
}
