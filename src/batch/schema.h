/* batch/schema.h - column types and schemas, and the lattice by which types meet. */
#ifndef HR_BATCH_SCHEMA_H
#define HR_BATCH_SCHEMA_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

/* Arrow's logical types, those this project moves. Physical layout is Arrow's (see vec.h). */
enum hr_type_id {
    HR_T_NULL, /* no values seen yet */
    HR_T_BOOL, /* bit-packed, least significant bit first */
    HR_T_I8,
    HR_T_I16,
    HR_T_I32,
    HR_T_I64,
    HR_T_U8,
    HR_T_U16,
    HR_T_U32,
    HR_T_U64,
    HR_T_F16, /* IEEE binary16 bits in uint16 */
    HR_T_F32,
    HR_T_F64,
    HR_T_DEC128, /* precision 1..38, scale >= 0, 16 bytes little-endian two's complement */
    HR_T_DEC256, /* precision 1..76, 32 bytes */
    HR_T_UTF8,   /* int32 offsets + bytes, valid UTF-8 */
    HR_T_BINARY, /* int32 offsets + bytes */
    HR_T_FIXED,  /* `width` bytes a value; UUID is FIXED(16) with `ext` HR_EXT_UUID */
    HR_T_DATE32, /* int32 days */
    HR_T_TIME32, /* int32, unit s or ms, since midnight */
    HR_T_TIME64, /* int64, unit us or ns */
    HR_T_TS,     /* int64 since the epoch in `unit`; utc: an instant, else a local wall time */
    HR_T_LIST,   /* int32 offsets, children[0] is the item */
    HR_T_STRUCT, /* children */
    HR_T_MAP,    /* int32 offsets, children[0] is a non-null STRUCT of key and value */
    HR_T_COUNT
};

enum hr_unit { HR_U_S, HR_U_MS, HR_U_US, HR_U_NS };

/* What the bytes mean beyond their type; kept for writers and messages, ignored by the lattice but
 * that durations of two units meet at the finer one (and a duration and a number at the number). */
enum hr_ext {
    HR_EXT_NONE,
    HR_EXT_UUID,
    HR_EXT_JSON,
    HR_EXT_INTERVAL,
    HR_EXT_ENUM,
    HR_EXT_BSON,
    HR_EXT_DURATION /* I64: a span of time in `unit` */
};

struct hr_type {
    uint8_t id;        /* enum hr_type_id */
    uint8_t unit;      /* enum hr_unit: TIME32, TIME64, TS, durations */
    uint8_t utc;       /* TS only: 1 instant (Arrow zone "UTC"), 0 no zone */
    uint8_t ext;       /* enum hr_ext */
    int16_t precision; /* decimals */
    int16_t scale;
    int32_t width; /* FIXED */
};

struct hr_field {
    char *name; /* never NULL, may be "" */
    struct hr_type type;
    bool nullable;
    int field_id; /* Parquet field id, -1 none */
    int n_children;
    struct hr_field *children;
};

/* Immutable once shared; counted. */
struct hr_schema {
    int refs;
    int n_fields;
    struct hr_field *fields;
};

struct hr_schema *
hr_schema_new(int n_fields); /* fields zeroed: names NULL, fill them; NULL: no memory */
struct hr_schema *hr_schema_ref(struct hr_schema *schema);
void hr_schema_unref(struct hr_schema *schema); /* NULL allowed */
/* Index of the column with this exact name, -1 none. */
int hr_schema_find(const struct hr_schema *schema, const char *name, size_t len);
bool hr_schema_equal(const struct hr_schema *a, const struct hr_schema *b);

/* Field helpers: a field owns its name and children. */
int hr_field_init(struct hr_field *field, const char *name, size_t len, struct hr_type type,
                  int n_children); /* 0 or HR_E_NOMEM; nullable, field_id -1 */
void hr_field_release(struct hr_field *field);
int hr_field_copy(struct hr_field *dst, const struct hr_field *src);
bool hr_field_equal(const struct hr_field *a,
                    const struct hr_field *b); /* name, type, nullable, children */

static inline struct hr_type hr_type(enum hr_type_id id) {
    return (struct hr_type){.id = (uint8_t)id};
}
bool hr_type_equal(struct hr_type a, struct hr_type b); /* ext is ignored */
/* Bytes of one value for fixed-width types (BOOL 0), 0 for the others. */
int hr_type_width(struct hr_type type);
static inline bool hr_type_nested(struct hr_type t) {
    return t.id == HR_T_LIST || t.id == HR_T_STRUCT || t.id == HR_T_MAP;
}
static inline bool hr_type_bytes(struct hr_type t) {
    return t.id == HR_T_UTF8 || t.id == HR_T_BINARY;
}

/* "int64", "decimal(12,2)", "timestamp[us, utc]", "list<int32>", "struct<a: int64, b: utf8>" … */
int hr_field_type_text(const struct hr_field *field, struct hr_buf *out, struct hr_error *err);
/* The reverse (also: string, double, bool, bigint, long, float …), as `schema:` options spell it.
 */
int hr_field_parse_type(struct hr_field *field, const char *text, struct hr_error *err);

/* The lattice. out becomes the narrowest type that holds both: null < anything; bool alone;
 * integers by width and sign; int < decimal < double; date < timestamp, finer unit wins; struct by
 * field name, list by item; everything else meets at utf8. out may not alias a or b. */
int hr_field_meet(const struct hr_field *a, const struct hr_field *b, struct hr_field *out);
/* The same for two scalar types, without fields (nested types meet at utf8). */
struct hr_type hr_type_meet(struct hr_type a, struct hr_type b);
/* By name: columns of a in order, then those only in b. */
int hr_schema_meet(const struct hr_schema *a, const struct hr_schema *b, struct hr_schema **out);
/* *met (a reference, replaced; NULL: nothing so far) becomes what it was met with `one`. */
int hr_schema_see(struct hr_schema **met, struct hr_schema *one);
/* True when every value of `from` is a value of `to` without loss (int32 -> int64 …). */
bool hr_field_fits(const struct hr_field *from, const struct hr_field *to);

/* What to do with a value that does not fit the wanted schema (schema_evolution). */
enum hr_misfit {
    HR_MISFIT_WIDEN,  /* stop with HR_WIDEN and say what is needed */
    HR_MISFIT_STRICT, /* fail, naming the place */
    HR_MISFIT_IGNORE, /* null, counted */
    HR_MISFIT_RESCUE  /* null, and the value goes to the _rescued_data column of `want` as JSON */
};

#endif
