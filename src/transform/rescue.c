/* transform/rescue.c - values of self-describing files that the read schema does not hold, put
 * aside as JSON in the column _rescued_data. Text readers do the same while they convert
 * (format/csv, format/json); here it is Parquet and Avro, after alignment.
 *
 * A cell of the column is null, or an object of what its row lost: {"price":"n/a","extra":[1,2]}.
 */
#include <string.h>

#include "transform/generate.h"

int hr_rescue_column(const struct hr_schema *schema) {
    const int k = hr_schema_find(schema, HR_RESCUED_NAME, strlen(HR_RESCUED_NAME));
    return k >= 0 && schema->fields[k].type.id == HR_T_UTF8 ? k : -1;
}

int hr_rescue_bind(struct hr_transform *t, const struct hr_schema *have, struct hr_error *err) {
    t->n_extras = 0;
    t->rescued = t->spec->misfit == HR_MISFIT_RESCUE ? hr_rescue_column(t->read_schema) : -1;
    if (t->rescued < 0 || !t->spec->new_columns) {
        return 0;
    }
    int *extras = hr_reallocarray(t->extras, (size_t)have->n_fields + 1, sizeof(*extras));
    if (extras == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate room for rescued values");
    }
    t->extras = extras;
    for (int i = 0; i < have->n_fields; i++) {
        const char *name = have->fields[i].name;
        if (hr_schema_find(t->read_schema, name, strlen(name)) < 0 &&
            !hr_transform_drops(t->spec, name)) {
            t->extras[t->n_extras++] = i;
        }
    }
    return 0;
}

/* ,"name":value, or {"name":value where it is the first. */
static int add_member(struct hr_buf *out, const struct hr_vec *vec, int64_t row,
                      struct hr_error *err) {
    int rc = hr_buf_append_byte(out, out->len > 0 ? ',' : '{', err);
    rc = rc ? rc : hr_buf_append_json(out, hr_slice_str(vec->field->name), err);
    rc = rc ? rc : hr_buf_append_byte(out, ':', err);
    return rc ? rc : hr_vec_json(vec, row, out, err);
}

/* What this row lost, as an object; nothing lost leaves the buffer empty. */
static int collect(struct hr_transform *t, const struct hr_batch *in, int64_t row,
                   struct hr_error *err) {
    int rc = 0;
    hr_buf_clear(&t->scratch);
    for (int i = 0; rc == 0 && i < t->read_schema->n_fields; i++) {
        const int k = t->source_of[i];
        if (i != t->rescued && k >= 0 && t->aligned[i] == &t->casts[i] &&
            !hr_vec_valid(t->aligned[i], row) && hr_vec_valid(&in->vecs[k], row)) {
            rc = add_member(&t->scratch, &in->vecs[k], row, err);
        }
    }
    for (int i = 0; rc == 0 && i < t->n_extras; i++) {
        const struct hr_vec *vec = &in->vecs[t->extras[i]];
        if (hr_vec_valid(vec, row)) {
            rc = add_member(&t->scratch, vec, row, err);
        }
    }
    const int own = t->source_of[t->rescued]; /* a file written by such a run before */
    const bool had = own >= 0 && hr_vec_valid(&in->vecs[own], row);
    if (rc == 0 && t->scratch.len > 0) {
        rc = had ? add_member(&t->scratch, &in->vecs[own], row, err) : 0;
        return rc ? rc : hr_buf_append_byte(&t->scratch, '}', err);
    }
    return rc == 0 && had ? hr_vec_text(&in->vecs[own], row, &t->scratch, err) : rc;
}

int hr_rescue_rows(struct hr_transform *t, const struct hr_batch *in, struct hr_error *err) {
    struct hr_vec *vec = &t->casts[t->rescued];
    int rc = 0;
    hr_vec_clear(vec);
    for (int64_t row = 0; rc == 0 && row < in->len; row++) {
        rc = collect(t, in, row, err);
        if (rc == 0) {
            rc = t->scratch.len > 0 ? hr_vec_append_bytes(vec, t->scratch.ptr, t->scratch.len, err)
                                    : hr_vec_append_null(vec, err);
        }
    }
    t->aligned[t->rescued] = vec;
    return rc;
}
