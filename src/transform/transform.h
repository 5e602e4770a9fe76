/* transform/transform.h - from the batches a reader gives to the batches a destination wants.
 *
 *   reader batch ─► bind/align (by name, cast, nulls) ─► filter ─► output columns (data, metadata,
 *   constants, row ids, raw JSON)
 *
 * Unchanged columns pass through without a copy. One transform belongs to one worker. Level 3.
 */
#ifndef HR_TRANSFORM_TRANSFORM_H
#define HR_TRANSFORM_TRANSFORM_H

#include "batch/vec.h"
#include "config/option.h"
#include "transform/filter.h"

/* Takes what does not fit with schema_evolution=rescue. */
#define HR_RESCUED_NAME "_rescued_data"

/* Where an output column's values come from. */
enum hr_out_kind {
    HR_OUT_DATA,       /* column `source` of the file */
    HR_OUT_TEXT,       /* the same text in every row (`text`) */
    HR_OUT_TIME,       /* the same instant in every row (`time_us`), timestamp[us, utc] */
    HR_OUT_NULL,       /* null, type utf8 */
    HR_OUT_NULL_TIME,  /* null, type timestamp[us, utc] */
    HR_OUT_KEY,        /* object key, utf8 */
    HR_OUT_MTIME_TEXT, /* object time, utf8 YYYY-MM-DDTHH:MM:SSZ (whole seconds, cut down) */
    HR_OUT_MTIME,      /* object time, timestamp[us, utc] */
    HR_OUT_ETAG,
    HR_OUT_SIZE,
    HR_OUT_ROW,       /* 1-based row or line in the object, int64 */
    HR_OUT_OFFSET,    /* byte offset of the record in the inflated object, int64 */
    HR_OUT_ROW_ID,    /* utf8: 32 hex digits of hash(key, ETag, position); stable across runs */
    HR_OUT_OLAKE_MD5, /* utf8: Olake's MD5 of the values in key order, or its primary key */
    HR_OUT_RAW_JSON /* utf8/JSON: the record as Olake's JSON, keys sorted, nulls kept, columns that
                       the file lacks and those in `drop` left out */
};

struct hr_out_column {
    char *name;      /* at the destination */
    int kind;        /* enum hr_out_kind */
    char *source;    /* HR_OUT_DATA: column of the file, or a member of a struct (`a.b`, see
                        batch/member.h) when no column has that name */
    char *text;      /* HR_OUT_TEXT */
    int64_t time_us; /* HR_OUT_TIME */
    bool hidden;     /* HR_OUT_DATA beside the output: all_data takes its source all the same */
};

/* What the output looks like; read-only while transforms use it. */
struct hr_transform_spec {
    struct hr_out_column *columns;
    size_t count;
    bool all_data;          /* every data column of the read schema that is not named above, placed
                               where the first HR_OUT_DATA column would stand: before the others */
    struct hr_strlist drop; /* columns of files that are never taken; owned */
    bool nested_text;       /* nested values become JSON text */
    struct hr_filter *filter; /* borrowed, NULL none; over read-schema names */
    enum hr_misfit misfit;
    bool members; /* columns were chosen by a person: one that is no member of a struct any more,
                     after a file widened it, is an error */
    bool new_columns;          /* a file's column that the read schema lacks widens it (with
                                  HR_MISFIT_WIDEN) instead of being dropped */
    struct hr_strlist id_keys; /* HR_OUT_OLAKE_MD5: columns of the primary key, in order of their
                                  names; empty: the whole record; owned */
    bool text_numbers; /* HR_OUT_OLAKE_MD5: integers count as the doubles Olake reads from text */
    bool olake_normalize; /* names of new columns lower-cased, other bytes than a-z0-9 as '_' */
};
void hr_transform_spec_release(struct hr_transform_spec *spec);
/* Is the column of that name left out (`drop`)? */
bool hr_transform_drops(const struct hr_transform_spec *spec, const char *name);
/* Append a column; texts are copied, NULL allowed for source and text. */
int hr_transform_spec_add(struct hr_transform_spec *spec, const char *name, int kind,
                          const char *source, const char *text, int64_t time_us,
                          struct hr_error *err);
/* Columns of the file that the output and the filter need, out of `have`: what to ask a
 * self-describing reader for; structs of which only members are needed have those children, one
 * without children is needed whole. NULL result with 0: all of them. */
int hr_transform_wanted(const struct hr_transform_spec *spec, const struct hr_schema *have,
                        struct hr_schema **out, struct hr_error *err);
/* True when rows need their offset or line (params.want_rows). */
bool hr_transform_wants_rows(const struct hr_transform_spec *spec);

struct hr_transform;
/* read_schema: the columns of files, widened so far. The output schema follows from it.
 * HR_E_SCHEMA: see `members`. */
int hr_transform_new(const struct hr_transform_spec *spec, struct hr_schema *read_schema,
                     struct hr_transform **out, struct hr_error *err);
void hr_transform_free(struct hr_transform *t);                      /* NULL allowed */
struct hr_schema *hr_transform_schema(const struct hr_transform *t); /* borrowed */

/* Values that became null because they did not fit, since the transform was made. */
int64_t hr_transform_nulled(const struct hr_transform *t);

/* Of output column `out`, in the batch run last: values read that a double did not hold. */
int64_t hr_transform_rounded(const struct hr_transform *t, int out);

/* A new object begins. Strings are borrowed until the next call. */
struct hr_object_facts {
    const char *key, *etag;
    int64_t size, mtime_us;
};
void hr_transform_object(struct hr_transform *t, const struct hr_object_facts *facts);

/* A reader with this schema begins: resolves columns by name. HR_WIDEN when the file has columns or
 * types the read schema does not hold (`needs`, a new reference, is the meet). HR_E_SCHEMA with
 * misfit strict. */
int hr_transform_bind(struct hr_transform *t, const struct hr_schema *have,
                      struct hr_schema **needs, struct hr_error *err);

/* One batch. *out is borrowed until the next call, its columns may be those of `in`; *out is NULL
 * when no row is left. HR_WIDEN as for bind, when a value needs it. */
int hr_transform_run(struct hr_transform *t, struct hr_batch *in, const struct hr_batch **out,
                     struct hr_schema **needs, struct hr_error *err);

#endif
