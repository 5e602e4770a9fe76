/* format/json/json_read.h - the reader's own structures: columns being filled, shapes of objects,
 * engines.
 *
 * A *shape* is one kind of object (a record, a flattened child, a struct column) with a *slot* for
 * every key met in it. A slot holds where its value goes and the exact bytes that stood before the
 * value last time: the engines compare those bytes and, when they are equal, are at the value.
 * Level 3, private to this folder (and its tests).
 */
#ifndef HR_FORMAT_JSON_READ_H
#define HR_FORMAT_JSON_READ_H

#include "base/arena.h"
#include "format/format.h"
#include "format/json/json_frame.h"
#include "format/json/json_types.h"

struct hr_json;
struct hr_j_shape;

/* The types the engines convert themselves; the rest goes through hr_j_put. */
enum hr_j_kind_of_column { HR_JC_OTHER, HR_JC_I64, HR_JC_F64, HR_JC_UTF8, HR_JC_DATE, HR_JC_BOOL };

/* A column being filled: raw pointers into its vec, rebound whenever the vec grows. Positions are
 * given by the caller, so dropping a half-read record needs no bookkeeping but for null bits. */
struct hr_j_col {
    uint8_t kind;   /* enum hr_j_kind_of_column */
    bool times_utc; /* times without an offset count as UTC */
    bool wide;      /* a value did not fit; the batch ends in HR_WIDEN */
    uint64_t stamp; /* the object that set it last */
    uint8_t *data;
    int32_t *offsets;
    uint8_t *validity; /* bits are 1 beyond the values written */
    size_t cap;        /* of UTF8 and BINARY data: bytes */
    int64_t room;      /* values that fit */
    int64_t high;      /* null bits may be cleared below this */
    struct hr_vec *vec;
    struct hr_j_col *children;
    int n_children;
    struct hr_j_shape *shape; /* STRUCT */
};

#define HR_J_PATTERN 32 /* bytes compared at once */
#define HR_J_PATTERN_MAX 255

struct hr_j_slot;
/* What came after a key so far: two guesses. */
struct hr_j_link {
    struct hr_j_slot *next, *other;
};

struct hr_j_slot {
    uint8_t pattern[HR_J_PATTERN]; /* `,"key":` with the blanks as they stood; also '{' in front */
    uint32_t mask;                 /* bits of pattern that count */
    uint32_t pattern_len;          /* 0: none */
    struct hr_j_link after;
    struct hr_j_col *col;     /* NULL: nobody wants it */
    struct hr_j_shape *child; /* objects here are flattened into this shape */
    uint8_t *long_pattern;    /* all of it, when longer than HR_J_PATTERN */
    bool flat;                /* objects here are flattened */
    size_t name_len;
    char *name; /* the key as a name */
    char *path; /* the column's whole name */
};

struct hr_j_shape {
    struct hr_j_link first;
    struct hr_j_slot **index; /* open addressing */
    uint32_t index_mask;
    int n_slots;
    int level;    /* 0: a record */
    bool flatten; /* children objects of this shape are flattened */
    const struct hr_field
        *fields; /* STRUCT: where names are looked up; NULL: the record's columns */
    struct hr_j_col *cols;
    int n_cols;
    const char *prefix; /* "a.b." */
};

/* One object being read into row `idx` of its columns. */
struct hr_j_scope {
    uint64_t id;
    int64_t idx;
    int set; /* columns set so far */
    struct hr_j_col *cols;
    int n_cols;
};

/* A value that does not fit, or whose key is not in the schema; judged when its record is complete.
 */
struct hr_j_misfit {
    struct hr_j_slot *slot;
    struct hr_j_col *col; /* NULL: a new column */
    struct hr_j_token token;
    const uint8_t *at; /* the value itself (inside a nested one) */
};

struct hr_j_engine {
    const char *name;
    /* An object whose '{' is at p; returns behind its '}'. */
    const uint8_t *(*object)(struct hr_json *json, struct hr_j_scope *scope,
                             struct hr_j_shape *shape, const uint8_t *p);
    /* A scalar of the common shape for this column; NULL: take hr_j_put. */
    const uint8_t *(*scalar)(struct hr_json *json, struct hr_j_col *col, int64_t idx,
                             const uint8_t *p);
    bool predict;
};
extern const struct hr_j_engine hr_j_engine_general, hr_j_engine_scalar, hr_j_engine_avx2;

struct hr_json {
    struct hr_reader base;
    struct hr_j_frame frame;
    const struct hr_j_engine *engine;
    const struct hr_json_opts *opts;
    const struct hr_read_params *params;
    struct hr_batch *batch;
    struct hr_j_col *cols; /* of the record */
    int n_cols;
    int rescued; /* index of _rescued_data, -1 */
    int n_slots; /* in all shapes */
    struct hr_j_shape root;
    struct hr_j_slot *bare; /* where records that are no objects go; NULL: they are bad records */
    uint32_t *names;        /* index of the record's columns by name */
    uint32_t names_mask;
    struct hr_arena arena; /* columns, shapes of structs */
    struct hr_arena keys;  /* slots, flattened shapes */

    int64_t row, row_max, row_room;
    uint64_t ids;
    int64_t record_nulled;
    bool widening;
    bool finished;
    const uint8_t *inner; /* a value inside a nested one did not fit */
    struct hr_j_misfit *misfits;
    size_t n_misfits, cap_misfits;
    struct hr_j_types need; /* by column name: what the values seen need */
    struct hr_buf scratch;  /* decoded keys, rescued values */
    size_t no_object;       /* the record was sound JSON but no object: its length */
    size_t last;            /* length of the last record */
    char reason[400];
    char bound[64];
};

/* ---- json_cols.c: storage ---- */
int hr_j_cols_bind(struct hr_json *json, struct hr_j_col *cols, struct hr_vec *vecs, int n);
/* Room for `rows` values, of which `used` are written. */
int hr_j_col_room(struct hr_j_col *col, int64_t used, int64_t rows, struct hr_error *err);
/* Room for `extra` bytes behind value idx of UTF8 or BINARY. */
int hr_j_col_bytes(struct hr_j_col *col, int64_t idx, size_t extra, struct hr_error *err);
int hr_j_col_null(struct hr_j_col *col, int64_t idx, struct hr_error *err);
/* Forget what was written at idx and behind. */
void hr_j_col_reset(struct hr_j_col *col, int64_t idx);
/* Set lengths and null counts of the vec: `len` values. */
void hr_j_col_finish(struct hr_j_col *col, int64_t len);
/* Columns of the scope that this object did not set become null. */
int hr_j_scope_fill(struct hr_json *json, struct hr_j_scope *scope);

/* ---- json_shape.c: keys ---- */
/* Over `{"key":` or `,"key":` to the value, or over the closing '}' with *out NULL. Learns. */
const uint8_t *hr_j_key(struct hr_json *json, struct hr_j_shape *shape, struct hr_j_link *link,
                        const uint8_t *p, struct hr_j_slot **out);
int hr_j_shape_child(struct hr_json *json, const struct hr_j_shape *parent, struct hr_j_slot *slot);
int hr_j_shape_struct(struct hr_json *json, struct hr_j_col *col);
int hr_j_shapes_open(struct hr_json *json, struct hr_error *err);
/* Between records: keeps the memory of keys bounded. */
int hr_j_shapes_trim(struct hr_json *json, struct hr_error *err);

/* ---- json_put.c: values, exactly ---- */
/* Any value at p into column position idx; *fits false: it was read but the type cannot hold it. */
const uint8_t *hr_j_put(struct hr_json *json, struct hr_j_col *col, int64_t idx, const uint8_t *p,
                        bool *fits);
/* Any value at p into the slot, with all that may happen to it. Claims the column. */
const uint8_t *hr_j_slot_value(struct hr_json *json, struct hr_j_scope *scope,
                               struct hr_j_shape *shape, struct hr_j_slot *slot, const uint8_t *p);

/* The slot's column is about to be set by this object: a second time, when a key repeats. */
void hr_j_claim_again(struct hr_json *json, struct hr_j_scope *scope, struct hr_j_col *col);
static inline void hr_j_claim(struct hr_json *json, struct hr_j_scope *scope,
                              struct hr_j_col *col) {
    if (col->stamp == scope->id) {
        hr_j_claim_again(json, scope, col);
        return;
    }
    col->stamp = scope->id;
    scope->set++;
}

/* ---- json_reader.c ---- */
/* As hr_format_json.open, with the engine chosen (NULL: the best of this machine). */
int hr_j_open(struct hr_source *src, const struct hr_format_opts *opts,
              const struct hr_read_params *params, const struct hr_j_engine *engine,
              struct hr_reader **out, struct hr_error *err);
/* ---- json_misfit.c: values that do not fit ---- */
int hr_j_misfit_add(struct hr_json *json, struct hr_j_slot *slot, struct hr_j_col *col,
                    const struct hr_j_token *token, const uint8_t *at);
/* The record is complete: judge its misfits by params->misfit. */
int hr_j_misfits_judge(struct hr_json *json, struct hr_error *err);
/* After a batch that needs a wider schema: reader->needs. */
int hr_j_misfit_needs(struct hr_json *json, struct hr_error *err);
struct hr_j_rules hr_j_rules_of(const struct hr_json_opts *opts);

/* ---- json_infer.c, json_writer.c ---- */
int hr_j_layout(struct hr_source *src, const struct hr_format_opts *opts, struct hr_layout *out,
                struct hr_error *err);
int hr_j_infer(struct hr_source *src, const struct hr_format_opts *opts,
               const struct hr_infer_params *params, struct hr_schema **out, struct hr_error *err);
int hr_j_encoder(struct hr_schema *schema, const struct hr_write_opts *opts, bool array,
                 struct hr_encoder **out, struct hr_error *err);
int hr_j_file_writer(const struct hr_write_opts *opts, bool array, struct hr_out *dst,
                     struct hr_file_writer **out, struct hr_error *err);

#endif
