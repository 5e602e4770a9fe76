/* transform/members.c - columns inside structs (`a.b`) as columns of their own.
 *
 * The output and the filter may name them. They stand behind the columns of the read schema in the
 * transform's view, and from there on they are columns like any other: aligned, filtered, cast. A
 * reader of a self-describing file is asked for these members alone (hr_transform_wanted). */
#include <string.h>

#include "transform/generate.h"

/* The name of a data column or of the filter, by number; NULL behind the last. */
static const char *name_at(const struct hr_transform_spec *spec, size_t i) {
    size_t n = 0;
    const char *const *filtered = spec->filter ? hr_filter_columns(spec->filter, &n) : NULL;
    if (i < spec->count) {
        return spec->columns[i].kind == HR_OUT_DATA ? spec->columns[i].source : "";
    }
    return i - spec->count < n ? filtered[i - spec->count] : NULL;
}

static bool known(const struct hr_schema *view, int n, const char *name) {
    for (int i = 0; i < n; i++) {
        if (strcmp(view->fields[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static int add_member(struct hr_transform *t, const char *path, const struct hr_field *leaf) {
    struct hr_field *field = &t->view->fields[t->read_schema->n_fields + t->n_members];
    int rc = hr_field_copy(field, leaf);
    char *name = rc == 0 ? hr_strdup(path) : NULL;
    t->n_members += rc == 0;
    if (name == NULL) {
        return HR_E_NOMEM;
    }
    hr_free(field->name);
    field->name = name;
    field->nullable = true;
    return 0;
}

/* A later file met at a type without members: then the column is gone, and nobody said so. */
static int gone(const char *name, const struct hr_field *stopped, struct hr_error *err) {
    struct hr_buf type;
    hr_buf_init(&type, 4096);
    (void)hr_field_type_text(stopped, &type, NULL);
    hr_fail(err, HR_E_SCHEMA, "could not take '%s' of every file: '%s' is %s in some", name,
            stopped->name, hr_buf_cstr(&type));
    hr_error_hint(err, "choose '%s' whole, or only files where it is a struct", stopped->name);
    hr_buf_release(&type);
    return HR_E_SCHEMA;
}

static int open_view(struct hr_transform *t, struct hr_error *err) {
    const struct hr_schema *read = t->read_schema;
    int names = 0;
    int rc = 0;
    while (name_at(t->spec, (size_t)names) != NULL) {
        names++;
    }
    t->view = hr_schema_new(read->n_fields + names);
    if (t->view == NULL) {
        return HR_E_NOMEM;
    }
    for (int i = 0; rc == 0 && i < read->n_fields; i++) {
        rc = hr_field_copy(&t->view->fields[i], &read->fields[i]);
    }
    for (int i = 0; rc == 0 && i < names; i++) {
        const char *name = name_at(t->spec, (size_t)i);
        const struct hr_field *stopped = NULL;
        struct hr_member member;
        if (strchr(name, '.') == NULL || known(t->view, read->n_fields + t->n_members, name)) {
            continue;
        }
        if (hr_member_find(read, name, &member, &stopped)) {
            rc = add_member(t, name, member.field);
        } else if (stopped != NULL && t->spec->members) {
            rc = gone(name, stopped, err);
        }
    }
    /* Fields behind the last were never filled. */
    t->view->n_fields = rc == 0 ? read->n_fields + t->n_members : t->view->n_fields;
    return rc;
}

int hr_members_open(struct hr_transform *t, struct hr_error *err) {
    int rc = open_view(t, err);
    if (rc == HR_E_SCHEMA) {
        return rc;
    }
    if (rc == 0) {
        t->members = hr_calloc((size_t)t->n_members + 1, sizeof(*t->members));
        rc = t->members ? 0 : HR_E_NOMEM;
    }
    return rc == 0 ? 0 : hr_fail(err, rc, "could not allocate a transform");
}

void hr_members_close(struct hr_transform *t) {
    for (int i = 0; t->members != NULL && i < t->n_members; i++) {
        hr_big_free(t->members[i].bits);
    }
    hr_free(t->members);
    hr_schema_unref(t->view);
}

const struct hr_field *hr_members_bind(struct hr_transform *t, const struct hr_schema *have,
                                       const struct hr_field **want) {
    const struct hr_field *odd = NULL;
    for (int i = 0; i < t->n_members; i++) {
        struct member_op *op = &t->members[i];
        const struct hr_field *field = &t->view->fields[t->read_schema->n_fields + i];
        const struct hr_field *stopped = NULL;
        if (hr_member_find(have, field->name, &op->at, &stopped)) {
            op->have = *op->at.field;
            op->have.name = field->name;
            stopped = hr_transform_fits(t, &op->have, field) ? NULL : &op->have;
        } else {
            op->at.column = -1;
            stopped = stopped != NULL && stopped->type.id == HR_T_NULL ? NULL : stopped;
        }
        if (odd == NULL && stopped != NULL) {
            odd = stopped;
            *want = field;
        }
    }
    return odd;
}

int hr_members_take(struct hr_transform *t, int i, const struct hr_batch *in,
                    const struct hr_vec **out, struct hr_error *err) {
    struct member_op *op = &t->members[i - t->read_schema->n_fields];
    *out = NULL;
    if (op->at.column < 0) {
        return 0;
    }
    *out = &op->vec;
    return hr_member_view(&in->vecs[op->at.column], &op->at, &op->have, &op->vec, &op->bits, err);
}
