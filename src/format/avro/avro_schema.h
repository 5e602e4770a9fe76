/* format/avro/avro_schema.h - an Avro schema as columns and as the tree a decoder walks.
 *
 * Avro's types become columns so (Avro 1.12 specification, "Schema Declaration", "Logical Types"):
 *   null, boolean, int, long, float, double, bytes, string   the Arrow type of that name
 *   enum       utf8, its symbols          fixed        fixed binary
 *   array      list                       map          map<utf8, …>
 *   record     struct                     [null, T]    T, nullable, wherever null stands
 *   [int, long]                           int64
 *   other unions    a struct with one nullable member per branch, named by its type; exactly one is
 * set date, time-*, timestamp-*, local-timestamp-*, decimal (bytes, fixed; to 76 digits), uuid
 * (fixed of 16 bytes), duration    the Arrow type; an annotation that does not fit its type is
 * ignored A field's property "headrace-name" gives the column's name back when our writer had to
 * change it, "headrace-type" the type that Avro has no name for.
 */
#ifndef HR_AVRO_SCHEMA_H
#define HR_AVRO_SCHEMA_H

#include "base/arena.h"
#include "batch/vec.h"

/* A nullable column is three nodes: 10,000 of them fit. */
enum { HR_AVRO_DEPTH_MAX = 64, HR_AVRO_NODES_MAX = 40000, HR_AVRO_NAMES_MAX = 10000 };

enum hr_avro_kind {
    HR_AVRO_NULL,
    HR_AVRO_BOOL,
    HR_AVRO_INT,      /* int, date, time-millis: zigzag, 32 bits */
    HR_AVRO_LONG,     /* long, times and timestamps: zigzag, 64 bits */
    HR_AVRO_NARROW,   /* int or long stored in the field's narrower type */
    HR_AVRO_THOUSAND, /* milliseconds to be stored as seconds */
    HR_AVRO_FLOAT,
    HR_AVRO_DOUBLE,
    HR_AVRO_HALF,  /* float stored as binary16 */
    HR_AVRO_BYTES, /* bytes, string */
    HR_AVRO_FIXED,
    HR_AVRO_DEC_BYTES, /* decimal of any length */
    HR_AVRO_DEC_FIXED,
    HR_AVRO_ENUM,
    HR_AVRO_RECORD,
    HR_AVRO_ARRAY,
    HR_AVRO_MAP,
    HR_AVRO_PAIRS, /* an array of key-value records stored as a map */
    HR_AVRO_UNION
};

struct hr_avro_node {
    uint8_t kind;        /* enum hr_avro_kind */
    uint8_t width;       /* bytes of a value as stored; 0 for nested, bytes and bits */
    bool bits;           /* a validity bitmap must exist: it or a struct around it may be null */
    bool skipped;        /* a member of a record that nobody wants: its vec stays NULL */
    int32_t n_branches;  /* of the union it stands in, 0: none */
    int32_t null_branch; /* which of them is null, -1 none */
    uint32_t fixed; /* bytes of FIXED and DEC_FIXED; symbols of ENUM; children of UNION count all
                       branches */
    uint32_t min_bytes; /* the fewest bytes a value takes */
    struct hr_vec *vec; /* where values go; NULL: skipped. Bound to a batch */
    int32_t
        n_children; /* RECORD: fields; ARRAY, MAP: 1; PAIRS: 2; UNION: members that are not null */
    struct hr_avro_node *children;
    const struct hr_slice *symbols;
    const int32_t *members; /* UNION: branch -> child, -1 null */
    /* Of a reader's schema only (hr_avro_schema_parse_reader). */
    const struct hr_slice *aliases; /* other names of the field it is */
    size_t n_aliases;
    struct hr_slice value;    /* the field's default as JSON; ptr NULL: none */
    struct hr_slice fallback; /* ENUM: the symbol for those it does not know; ptr NULL: none */
};

struct hr_avro_schema {
    struct hr_arena arena;
    struct hr_schema *schema; /* all columns */
    struct hr_avro_node root; /* a RECORD of the columns; a bare schema is one column "value" */
    int nodes;
};

/* Parse `json` (as in a file's metadata). Refuses recursion, more than 64 levels and more than
 * 10,000 types with a sentence; the message is a reason without the object. Release also after
 * failure. */
int hr_avro_schema_parse(struct hr_slice json, struct hr_avro_schema *out, struct hr_error *err);
/* The same with aliases and defaults: a schema files are read with, not written with. */
int hr_avro_schema_parse_reader(struct hr_slice json, struct hr_avro_schema *out,
                                struct hr_error *err);
void hr_avro_schema_release(struct hr_avro_schema *schema);

/* The reverse: the text of the file's schema for these columns. HR_E_UNSUPPORTED names a column
 * that has no Avro type. */
int hr_avro_schema_text(const struct hr_schema *schema, struct hr_buf *out, struct hr_error *err);

#endif
