/* api/drift.c - the sentence about changed columns at the end of a stream (see drift.h). */
#include "api/drift.h"

#include <string.h>

#define ROWS_MIN 100 /* fewer rows have no rate worth telling */
#define JUMP 100     /* of 1000 */

/* Append one fact; facts are separated by "; ". */
static int fact(struct hr_buf *out, const char *what, const char *name, struct hr_error *err) {
    char shown[120];
    hr_printable(hr_slice_str(name), 80, shown, sizeof(shown));
    return hr_buf_printf(out, err, "%s%s%s%s", out->len > 0 ? "; " : "", what,
                         what[0] != '\0' ? " " : "", shown);
}

static int type_of(const struct hr_field *field, const char *before, struct hr_buf *out,
                   struct hr_error *err) {
    const int rc = hr_buf_append_str(out, before, err);
    return rc ? rc : hr_field_type_text(field, out, err);
}

static int changed_columns(const struct hr_drift *d, struct hr_buf *out, struct hr_error *err) {
    int rc = 0;
    for (int i = 0; rc == 0 && i < d->after->n_fields; i++) {
        const struct hr_field *now = &d->after->fields[i];
        const int k = hr_schema_find(d->before, now->name, strlen(now->name));
        if (k < 0 && d->left_out && d->left_out(d->user, now->name)) {
            continue;
        }
        if (k < 0) {
            rc = fact(out, "added", now->name, err);
            rc = rc ? rc : type_of(now, " (", out, err);
            rc = rc ? rc : hr_buf_append_byte(out, ')', err);
        } else if (!hr_type_equal(d->before->fields[k].type, now->type) ||
                   !hr_field_equal(&d->before->fields[k], now)) {
            rc = fact(out, "widened", now->name, err);
            rc = rc ? rc : type_of(&d->before->fields[k], ": ", out, err);
            rc = rc ? rc : type_of(now, " -> ", out, err);
        }
    }
    return rc;
}

static int per_mille(const struct hr_null_count *c) {
    return c->rows > 0 ? (int)((double)c->nulls * 1000 / (double)c->rows + 0.5) : 0;
}

static int changed_rates(const struct hr_drift *d, struct hr_buf *out, struct hr_error *err) {
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < d->nulls->n; i++) {
        const struct hr_null_count *c = &d->nulls->items[i];
        const json_t *known = json_object_get(d->former, c->name);
        const int now = per_mille(c);
        const int then = json_is_integer(known) ? (int)json_integer_value(known) : -1;
        if (c->rows < ROWS_MIN || then < 0) {
            continue;
        }
        if (c->nulls == c->rows && then < 1000) {
            rc = fact(out, "only nulls now:", c->name, err);
        } else if (now - then >= JUMP) {
            rc = fact(out, "nulls of", c->name, err);
            rc = rc ? rc : hr_buf_printf(out, err, " %.1f%% -> %.1f%%", then / 10.0, now / 10.0);
        }
    }
    return rc;
}

int hr_drift_narrowed(const struct hr_schema *before, const struct hr_schema *seen,
                      struct hr_buf *out, struct hr_error *err) {
    int rc = 0;
    for (int i = 0; rc == 0 && seen != NULL && i < seen->n_fields; i++) {
        const struct hr_field *now = &seen->fields[i];
        const int k = hr_schema_find(before, now->name, strlen(now->name));
        if (k < 0 || now->type.id == HR_T_NULL || hr_field_fits(&before->fields[k], now)) {
            continue;
        }
        struct hr_field then = before->fields[k];
        then.nullable = now->nullable; /* that a column has no nulls now narrows nothing */
        if (hr_field_fits(now, &then) && !hr_field_fits(&then, now)) {
            rc = fact(out, "", now->name, err);
            rc = rc ? rc : type_of(&before->fields[k], ": ", out, err);
            rc = rc ? rc : type_of(now, " -> ", out, err);
        }
    }
    return rc;
}

int hr_drift_text(const struct hr_drift *drift, struct hr_buf *out, struct hr_error *err) {
    const int rc = changed_columns(drift, out, err);
    return rc ? rc : changed_rates(drift, out, err);
}

json_t *hr_drift_rates(const struct hr_null_counts *nulls, const json_t *former) {
    json_t *rates = json_is_object(former) ? json_deep_copy(former) : json_object();
    bool whole = rates != NULL;
    for (size_t i = 0; whole && i < nulls->n; i++) {
        if (nulls->items[i].rows > 0) {
            whole = json_object_set_new(rates, nulls->items[i].name,
                                        json_integer(per_mille(&nulls->items[i]))) == 0;
        }
    }
    if (!whole) {
        json_decref(rates);
        return NULL;
    }
    return rates;
}
