/* transform/generate.h - the inside of a transform, shared by transform.c and generate.c only. */
#ifndef HR_TRANSFORM_GENERATE_H
#define HR_TRANSFORM_GENERATE_H

#include "base/hash.h"
#include "base/time.h"
#include "batch/member.h"
#include "transform/transform.h"

struct out_op {
    int kind;
    const struct hr_out_column *column; /* NULL for all_data columns */
    int source;                         /* column of the view, HR_OUT_DATA */
};

/* A column inside structs that the output or the filter names. */
struct member_op {
    struct hr_member at;  /* in the bound file; at.column -1: it has none */
    struct hr_vec vec;    /* of this batch, borrowed */
    struct hr_field have; /* the file's field under the whole name, shallow */
    uint8_t *bits;
};

/* "Per read column" below counts the members behind the columns of the read schema: `view` is both.
 */
struct hr_transform {
    const struct hr_transform_spec *spec;
    struct hr_schema *read_schema, *out_schema;
    struct hr_schema *view;
    struct member_op *members;
    int n_members;
    struct out_op *outs;
    int n_outs;

    const struct hr_schema *bound_to; /* identity only */
    int *source_of;                   /* per read column: column of the reader, -1 missing */
    const struct hr_vec **aligned;    /* per read column: the values of this batch */
    int64_t *rounded;                 /* per read column: values of this batch a double lost */
    bool *absent;                     /* per read column: the file has none */
    struct hr_vec *casts;             /* storage where alignment converts */
    struct hr_vec *selected;          /* storage where the filter drops rows */
    struct hr_bound_filter *filter;
    struct hr_vec *filter_vecs;
    bool *needed_after_filter; /* per read column: made into output */
    bool *filtered;            /* per read column: the filter looks at it */
    uint8_t *keep;
    int64_t *kept_offsets, *kept_lines;
    const int64_t *row_offsets, *row_lines; /* of the rows that are left */

    struct hr_batch *generated; /* storage of made columns, one per output column */
    struct hr_batch out;        /* what run answers: shallow copies */

    struct hr_object_facts facts;
    struct hr_hash128 object_hash;
    char mtime_text[48];
    size_t mtime_len;
    struct hr_buf scratch;
    int rescued;  /* read column _rescued_data, -1: nothing is rescued here */
    bool rescues; /* the bound file has something to rescue, maybe */
    int *extras;  /* columns of the file that the read schema lacks */
    int n_extras;
    int64_t nulled; /* values that became null */
    int *order;     /* read columns sorted by name, for the raw form and MD5 */
};

/* Type and name of a generated column. 0 or HR_E_NOMEM. */
int hr_generated_field(int kind, const char *name, struct hr_field *out);
/* The column that takes what does not fit; -1: the schema has none. */
int hr_rescue_column(const struct hr_schema *schema);
/* A file with this schema begins: which of its columns have no place. */
int hr_rescue_bind(struct hr_transform *t, const struct hr_schema *have, struct hr_error *err);
/* members.c: the view over the read schema (t->read_schema is set): its columns, and the members
 * of structs that `spec` names and that are no columns. HR_E_SCHEMA: a member there was is gone. */
int hr_members_open(struct hr_transform *t, struct hr_error *err);
void hr_members_close(struct hr_transform *t);
/* A file with this schema begins. The first member that is of another type there, or no struct's
 * any more (then the column itself), and what it should be; NULL: all are as they should be. */
const struct hr_field *hr_members_bind(struct hr_transform *t, const struct hr_schema *have,
                                       const struct hr_field **want);
/* Can a column of the file become one of the read schema, losing nothing but what was agreed on. */
bool hr_transform_fits(const struct hr_transform *t, const struct hr_field *have,
                       const struct hr_field *want);
/* The values of the member behind view column `i` in this batch; NULL: the file has none. */
int hr_members_take(struct hr_transform *t, int i, const struct hr_batch *in,
                    const struct hr_vec **out, struct hr_error *err);
/* Fill the column of an aligned batch. */
int hr_rescue_rows(struct hr_transform *t, const struct hr_batch *in, struct hr_error *err);
/* Fill generated->vecs[out] with `rows` values. */
int hr_generate(struct hr_transform *t, int out, int64_t rows, struct hr_error *err);

#endif
