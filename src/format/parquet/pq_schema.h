/* format/parquet/pq_schema.h - from the flat Parquet schema to columns of the batch: Arrow types,
 * nesting, levels.
 *
 * LogicalTypes.md gives the types and the rules by which old lists and maps are recognised; levels
 * are those of the Dremel paper. A *slot* is a place for one value of a node: a row at the top, an
 * element inside a list. For an entry (def, rep) of a leaf below the node, the entry opens a slot
 * when rep <= slot_rep and def >= slot_def, and the slot holds a value when def >= valid_def.
 */
#ifndef HR_FORMAT_PARQUET_PQ_SCHEMA_H
#define HR_FORMAT_PARQUET_PQ_SCHEMA_H

#include "batch/schema.h"
#include "format/format.h"
#include "format/parquet/pq_meta.h"

#define HR_PQ_DEPTH_MAX 60 /* elements on a path; keeps recursion and levels small */

/* How a value of the physical type becomes a value of the Arrow type. */
enum hr_pq_conv {
    HR_PQ_C_NULL, /* every value is null whatever the pages hold */
    HR_PQ_C_BOOL,
    HR_PQ_C_COPY,   /* same bytes */
    HR_PQ_C_I32_I8, /* low byte of four */
    HR_PQ_C_I32_I16,
    HR_PQ_C_I32_DEC128,
    HR_PQ_C_I64_DEC128,
    HR_PQ_C_I32_DEC256,
    HR_PQ_C_I64_DEC256,
    HR_PQ_C_BE_DEC128, /* big-endian two's complement of any length */
    HR_PQ_C_BE_DEC256,
    HR_PQ_C_I32_F64, /* decimal as double */
    HR_PQ_C_I64_F64,
    HR_PQ_C_BE_F64,
    HR_PQ_C_INT96_NS,
    HR_PQ_C_INT96_US,
    HR_PQ_C_BYTES /* variable length */
};

struct hr_pq_leaf_info {
    int ordinal; /* index of its chunk in a row group */
    const struct hr_pq_element *element;
    const struct hr_field *field;
    char *path;          /* dotted, for messages; owned */
    int conv;            /* enum hr_pq_conv */
    uint32_t phys_width; /* bytes of a PLAIN value; 0: variable or bits */
    uint32_t out_width;  /* bytes of an Arrow value; 0: variable or bits */
    uint8_t max_def, max_rep;
    uint8_t slot_def; /* see above; slot_rep is max_rep */
    bool nested;      /* below a list, map or struct, or repeated itself */
    int scale;        /* decimal as double */
};

enum hr_pq_node_kind { HR_PQ_N_LEAF, HR_PQ_N_STRUCT, HR_PQ_N_LIST, HR_PQ_N_MAP };

struct hr_pq_node {
    int kind;
    uint8_t slot_rep, slot_def, valid_def;
    uint8_t elem_def; /* LIST, MAP: an entry with def >= elem_def holds an element */
    int leaf;         /* first leaf at or below it (index into leaves) */
    int n_leaves;
    int n_children;
    struct hr_pq_node *children; /* as the field's children */
};

struct hr_pq_schema {
    struct hr_schema *schema; /* the batch's columns */
    struct hr_pq_node *nodes; /* one per column */
    struct hr_pq_leaf_info *leaves;
    int n_leaves;
    int n_file_leaves; /* in the file, wanted or not */
};

/* Build the columns named in `want` (NULL: all), in the file's order. HR_E_CORRUPT when the tree is
 * damaged, HR_E_UNSUPPORTED for what has no Arrow type here. `file` must outlive the result. */
int hr_pq_schema_build(const struct hr_pq_file *file, const struct hr_parquet_opts *opts,
                       const struct hr_schema *want, struct hr_pq_schema *out,
                       struct hr_error *err);
void hr_pq_schema_release(struct hr_pq_schema *schema);

/* Ordinal of the leaf column of this name: a top-level one, with `members` also one inside structs
 * (`a.b`). -1 when there is none, when there are two, or when it is a list, a map or a struct: for
 * pruning, whether projected or not. */
struct hr_pq_found_leaf {
    const struct hr_pq_element *element;
    bool nullable; /* it or a struct around it */
    bool member;   /* it is inside a struct */
};
int hr_pq_schema_find_leaf(const struct hr_pq_file *file, const char *name, bool members,
                           struct hr_pq_found_leaf *out);
/* The Arrow schema that the file's writer left, where it did (pq_arrow.c): it knows durations. */
struct hr_pq_arrow {
    uint8_t *bytes; /* NULL: none */
    size_t skip, len, fields;
};
int hr_pq_arrow_open(const struct hr_pq_file *file, struct hr_pq_arrow *out, struct hr_error *err);
/* Correct the type of the file's top-level column of this number. */
void hr_pq_arrow_apply(const struct hr_pq_arrow *arrow, size_t column, struct hr_field *field);
void hr_pq_arrow_close(struct hr_pq_arrow *arrow);

/* The Arrow type of a leaf, its conversion and widths (pq_types.c). */
void hr_pq_leaf_type(const struct hr_pq_element *element, const struct hr_parquet_opts *opts,
                     bool int96_us, struct hr_type *type, struct hr_pq_leaf_info *out);
/* True when the file's INT96 timestamps have whole microseconds (Spark wrote it). */
bool hr_pq_int96_is_micros(const struct hr_pq_file *file);

#endif
