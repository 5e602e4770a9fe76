/* transform/transform.c - alignment, filtering and output columns (see transform.h). Values of the
 * generated columns are in generate.c. */
#include "transform/transform.h"

#include <string.h>

#include "batch/rounded.h"
#include "transform/generate.h"

void hr_transform_spec_release(struct hr_transform_spec *spec) {
    for (size_t i = 0; i < spec->count; i++) {
        hr_free(spec->columns[i].name);
        hr_free(spec->columns[i].source);
        hr_free(spec->columns[i].text);
    }
    hr_free(spec->columns);
    hr_strlist_release(&spec->drop);
    hr_strlist_release(&spec->id_keys);
    *spec = (struct hr_transform_spec){0};
}

int hr_transform_spec_add(struct hr_transform_spec *spec, const char *name, int kind,
                          const char *source, const char *text, int64_t time_us,
                          struct hr_error *err) {
    struct hr_out_column *grown =
        hr_reallocarray(spec->columns, spec->count + 1, sizeof(*spec->columns));
    if (grown == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate the output columns");
    }
    spec->columns = grown;
    struct hr_out_column *column = &grown[spec->count];
    *column = (struct hr_out_column){.name = hr_strdup(name),
                                     .kind = kind,
                                     .source = hr_strdup(source),
                                     .text = hr_strdup(text),
                                     .time_us = time_us};
    spec->count++;
    if (column->name == NULL || (source && !column->source) || (text && !column->text)) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate the output columns");
    }
    return 0;
}

bool hr_transform_wants_rows(const struct hr_transform_spec *spec) {
    for (size_t i = 0; i < spec->count; i++) {
        const int kind = spec->columns[i].kind;
        if (kind == HR_OUT_ROW || kind == HR_OUT_OFFSET || kind == HR_OUT_ROW_ID) {
            return true;
        }
    }
    return false;
}

static bool takes_every_column(const struct hr_transform_spec *spec) {
    for (size_t i = 0; i < spec->count; i++) {
        const int kind = spec->columns[i].kind;
        if (kind == HR_OUT_OLAKE_MD5 || kind == HR_OUT_RAW_JSON) {
            return true;
        }
    }
    return spec->all_data;
}

/* Ask for one column, or a member of one, in `wanted`; *n of them so far. */
static int want_one(const struct hr_schema *have, const char *name, struct hr_schema *wanted,
                    int *n) {
    struct hr_member member;
    if (!hr_member_find(have, name, &member, NULL)) {
        return 0;
    }
    const struct hr_field *field = &have->fields[member.column];
    struct hr_field *at = NULL;
    for (int i = 0; i < *n && at == NULL; i++) {
        at = strcmp(wanted->fields[i].name, field->name) == 0 ? &wanted->fields[i] : NULL;
    }
    const bool is_new = at == NULL;
    if (is_new) {
        at = &wanted->fields[*n];
        if (hr_field_init(at, field->name, strlen(field->name), field->type, 0) != 0) {
            return HR_E_NOMEM;
        }
        ++*n;
    }
    return hr_member_keep(at, is_new, field, &member);
}

int hr_transform_wanted(const struct hr_transform_spec *spec, const struct hr_schema *have,
                        struct hr_schema **out, struct hr_error *err) {
    *out = NULL;
    if (takes_every_column(spec)) {
        return 0;
    }
    size_t n_filtered = 0;
    int n = 0;
    const char *const *filtered =
        spec->filter ? hr_filter_columns(spec->filter, &n_filtered) : NULL;
    struct hr_schema *wanted = hr_schema_new((int)(spec->count + n_filtered));
    int rc = wanted ? 0 : HR_E_NOMEM;
    for (size_t i = 0; rc == 0 && i < spec->count; i++) {
        if (spec->columns[i].kind == HR_OUT_DATA) {
            rc = want_one(have, spec->columns[i].source, wanted, &n);
        }
    }
    for (size_t i = 0; rc == 0 && i < n_filtered; i++) {
        rc = want_one(have, filtered[i], wanted, &n);
    }
    if (rc != 0) {
        hr_schema_unref(wanted);
        return hr_fail(err, HR_E_NOMEM, "could not allocate a schema");
    }
    wanted->n_fields = n;
    *out = wanted;
    return 0;
}

/* ---- output schema ---- */

/* The field of a data column at the destination. */
static int out_field(const struct hr_transform_spec *spec, const struct hr_field *src,
                     const char *name, struct hr_field *dst) {
    int rc;
    if (spec->nested_text && hr_type_nested(src->type)) {
        const struct hr_type json = {.id = HR_T_UTF8, .ext = HR_EXT_JSON};
        rc = hr_field_init(dst, name, strlen(name), json, 0);
    } else {
        rc = hr_field_copy(dst, src);
        if (rc == 0 && strcmp(name, src->name) != 0) {
            char *copy = hr_strdup(name);
            if (copy == NULL) {
                hr_field_release(dst);
                return HR_E_NOMEM;
            }
            hr_free(dst->name);
            dst->name = copy;
        }
        if (rc == 0 && dst->type.id == HR_T_NULL) {
            dst->type = hr_type(HR_T_UTF8);
        }
    }
    if (rc == 0) {
        dst->nullable = true;
    }
    return rc;
}

/* Lower case, everything but a-z and 0-9 as '_', rune by rune: Olake's rule for names. */
static char *normalized_name(const char *name, bool normalize) {
    char *copy = hr_strdup(name);
    if (copy == NULL || !normalize) {
        return copy;
    }
    size_t n = 0;
    for (size_t i = 0; copy[i] != '\0'; i++) {
        const unsigned char c = (unsigned char)copy[i];
        if ((c & 0xc0) == 0x80) {
            continue; /* the rest of a rune that already gave its '_' */
        }
        const bool keep = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        copy[n++] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : keep ? (char)c : '_';
    }
    copy[n] = '\0';
    return copy;
}

static bool listed(const struct hr_transform_spec *spec, const char *name) {
    for (size_t i = 0; i < spec->count; i++) {
        const struct hr_out_column *column = &spec->columns[i];
        if (column->kind == HR_OUT_DATA && !column->hidden && strcmp(column->source, name) == 0) {
            return true;
        }
    }
    return false;
}

bool hr_transform_drops(const struct hr_transform_spec *spec, const char *name) {
    for (size_t i = 0; i < spec->drop.count; i++) {
        if (strcmp(spec->drop.items[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static int add_out(struct hr_transform *t, const struct hr_out_column *column, int source,
                   struct hr_schema *schema, const char *name) {
    struct hr_field *field = &schema->fields[t->n_outs];
    struct out_op *op = &t->outs[t->n_outs];
    op->kind = column ? column->kind : HR_OUT_DATA;
    op->column = column;
    op->source = source;
    t->n_outs++;
    if (op->kind == HR_OUT_DATA) {
        return out_field(t->spec, &t->view->fields[source], name, field);
    }
    return hr_generated_field(op->kind, name, field);
}

/* Is the name that of a column we make? Then a file's column of that name gives way, as in Olake:
 * two columns of one name make a file that few can read. */
static bool made_here(const struct hr_transform_spec *spec, const char *name) {
    for (size_t i = 0; i < spec->count; i++) {
        if (spec->columns[i].kind != HR_OUT_DATA && strcmp(spec->columns[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* all_data columns first (they are the table), then what the spec lists in its order. */
static int build_outs(struct hr_transform *t, struct hr_schema *schema) {
    int rc = 0;
    if (t->spec->all_data) {
        for (int i = 0; rc == 0 && i < t->read_schema->n_fields; i++) {
            const char *name = t->read_schema->fields[i].name;
            if (!listed(t->spec, name) && !hr_transform_drops(t->spec, name)) {
                char *dest = normalized_name(name, t->spec->olake_normalize);
                if (dest == NULL) {
                    rc = HR_E_NOMEM;
                } else if (!made_here(t->spec, dest)) {
                    rc = add_out(t, NULL, i, schema, dest);
                }
                hr_free(dest);
            }
        }
    }
    for (size_t i = 0; rc == 0 && i < t->spec->count; i++) {
        const struct hr_out_column *column = &t->spec->columns[i];
        int source = -1;
        if (column->kind == HR_OUT_DATA) {
            source = hr_schema_find(t->view, column->source, strlen(column->source));
            if (source < 0 || made_here(t->spec, column->name)) {
                continue; /* not in any file so far, or ours stands */
            }
        }
        rc = add_out(t, column, source, schema, column->name);
    }
    schema->n_fields = t->n_outs;
    return rc;
}

int hr_transform_new(const struct hr_transform_spec *spec, struct hr_schema *read_schema,
                     struct hr_transform **out, struct hr_error *err) {
    *out = NULL;
    struct hr_transform *t = hr_calloc(1, sizeof(*t));
    if (t == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate a transform");
    }
    t->spec = spec;
    t->read_schema = hr_schema_ref(read_schema);
    int rc = hr_members_open(t, err);
    if (rc != 0) {
        hr_transform_free(t);
        return rc;
    }
    const size_t n_read = (size_t)t->view->n_fields;
    const size_t max_outs = n_read + spec->count;
    t->outs = hr_calloc(max_outs, sizeof(*t->outs));
    t->source_of = hr_calloc(n_read, sizeof(*t->source_of));
    t->aligned = hr_calloc(n_read, sizeof(*t->aligned));
    t->absent = hr_calloc(n_read, sizeof(*t->absent));
    t->rounded = hr_calloc(n_read, sizeof(*t->rounded));
    t->casts = hr_calloc(n_read, sizeof(*t->casts));
    t->selected = hr_calloc(n_read, sizeof(*t->selected));
    struct hr_schema *schema = hr_schema_new((int)max_outs);
    rc = t->outs && t->source_of && t->aligned && t->absent && t->rounded && t->casts &&
                 t->selected && schema
             ? 0
             : HR_E_NOMEM;
    if (rc == 0) {
        for (size_t i = 0; i < n_read; i++) {
            t->casts[i].field = t->selected[i].field = &t->view->fields[i];
        }
        rc = build_outs(t, schema);
    }
    if (rc != 0) {
        hr_fail(err, rc, "could not allocate a transform");
    }
    t->out_schema = schema;
    if (rc == 0) {
        rc = hr_batch_new(schema, &t->generated, err);
    }
    if (rc == 0) {
        t->out.schema = schema;
        t->out.vecs = hr_calloc((size_t)schema->n_fields, sizeof(*t->out.vecs));
        rc = t->out.vecs ? 0 : hr_fail(err, HR_E_NOMEM, "could not allocate a transform");
    }
    if (rc == 0 && spec->filter != NULL) {
        rc = hr_filter_bind(spec->filter, t->view, &t->filter, err);
    }
    if (rc != 0) {
        hr_transform_free(t);
        return rc;
    }
    *out = t;
    return 0;
}

void hr_transform_free(struct hr_transform *t) {
    if (t == NULL) {
        return;
    }
    for (int i = 0; t->view != NULL && i < t->view->n_fields; i++) {
        if (t->casts != NULL) {
            hr_vec_release(&t->casts[i]);
        }
        if (t->selected != NULL) {
            hr_vec_release(&t->selected[i]);
        }
    }
    hr_free(t->casts);
    hr_free(t->selected);
    hr_free(t->outs);
    hr_free(t->source_of);
    hr_free(t->aligned);
    hr_free(t->absent);
    hr_free(t->rounded);
    hr_free(t->out.vecs);
    hr_batch_free(t->generated);
    hr_bound_filter_free(t->filter);
    hr_big_free(t->keep);
    hr_free(t->filter_vecs);
    hr_free(t->needed_after_filter);
    hr_free(t->filtered);
    hr_big_free(t->kept_offsets);
    hr_big_free(t->kept_lines);
    hr_buf_release(&t->scratch);
    hr_free(t->order);
    hr_free(t->extras);
    hr_members_close(t);
    hr_schema_unref(t->out_schema);
    hr_schema_unref(t->read_schema);
    hr_free(t);
}

struct hr_schema *hr_transform_schema(const struct hr_transform *t) {
    return t->out_schema;
}

int64_t hr_transform_nulled(const struct hr_transform *t) {
    return t->nulled;
}

int64_t hr_transform_rounded(const struct hr_transform *t, int out) {
    return t->outs[out].kind == HR_OUT_DATA ? t->rounded[t->outs[out].source] : 0;
}

void hr_transform_object(struct hr_transform *t, const struct hr_object_facts *facts) {
    t->facts = *facts;
    t->object_hash =
        hr_hash128(facts->key, strlen(facts->key), hr_hash64(facts->etag, strlen(facts->etag), 0));
    t->mtime_len = hr_format_timestamp(facts->mtime_us / 1000000, 0, 0, 'T', "Z", t->mtime_text);
}

/* ---- alignment ---- */

static int misfit_error(const struct hr_field *have, const struct hr_field *want,
                        struct hr_error *err) {
    struct hr_buf a;
    struct hr_buf b;
    hr_buf_init(&a, 4096);
    hr_buf_init(&b, 4096);
    (void)hr_field_type_text(have, &a, NULL);
    if (want != NULL) {
        (void)hr_field_type_text(want, &b, NULL);
        hr_fail(err, HR_E_SCHEMA, "could not use column '%s': the file has %s, the schema %s",
                have->name, hr_buf_cstr(&a), hr_buf_cstr(&b));
    } else {
        hr_fail(err, HR_E_SCHEMA, "could not use column '%s' (%s): the schema does not have it",
                have->name, hr_buf_cstr(&a));
    }
    hr_error_hint(err, "set schema_evolution to widen, or run discover again");
    hr_error_place(err, -1, -1, have->name);
    hr_buf_release(&a);
    hr_buf_release(&b);
    return HR_E_SCHEMA;
}

/* What the lattice widened to is as far as it goes, though int64 -> double is not exact: to ask for
 * more would ask for ever. */
static bool is_met(const struct hr_field *have, const struct hr_field *want) {
    struct hr_field met;
    if (hr_field_meet(have, want, &met) != 0) {
        return false;
    }
    const bool same = hr_field_fits(&met, want) && hr_field_fits(want, &met);
    hr_field_release(&met);
    return same;
}

/* Nested values become text later anyway; nullability of the file does not matter here. */
bool hr_transform_fits(const struct hr_transform *t, const struct hr_field *have,
                       const struct hr_field *want) {
    if (hr_field_fits(have, want)) {
        return true;
    }
    struct hr_field relaxed = *want;
    relaxed.nullable = true;
    return hr_field_fits(have, &relaxed) ||
           (t->spec->misfit == HR_MISFIT_WIDEN && is_met(have, &relaxed));
}

/* Which read columns the filter looks at, and which anything behind it. */
static int mark_needed(struct hr_transform *t, struct hr_error *err) {
    const size_t n_read = (size_t)t->view->n_fields;
    if (t->filtered != NULL) {
        return 0;
    }
    t->needed_after_filter = hr_calloc(n_read, 1);
    t->filtered = hr_calloc(n_read, 1);
    if (t->needed_after_filter == NULL || t->filtered == NULL) {
        hr_free(t->needed_after_filter);
        hr_free(t->filtered);
        t->needed_after_filter = t->filtered = NULL;
        return hr_fail(err, HR_E_NOMEM, "could not allocate a filter");
    }
    for (int i = 0; i < t->n_outs; i++) {
        if (t->outs[i].kind == HR_OUT_OLAKE_MD5 || t->outs[i].kind == HR_OUT_RAW_JSON) {
            memset(t->needed_after_filter, 1, n_read);
        } else if (t->outs[i].kind == HR_OUT_DATA) {
            t->needed_after_filter[t->outs[i].source] = true;
        }
    }
    size_t n = 0;
    const char *const *names = t->spec->filter ? hr_filter_columns(t->spec->filter, &n) : NULL;
    for (size_t i = 0; i < n; i++) {
        const int k = hr_schema_find(t->view, names[i], strlen(names[i]));
        if (k >= 0) {
            t->filtered[k] = true;
        }
    }
    return 0;
}

/* A struct of which only members are taken may be anything else. */
static bool is_asked_for(const struct hr_transform *t, int column) {
    return t->n_members == 0 || t->needed_after_filter[column] || t->filtered[column];
}

int hr_transform_bind(struct hr_transform *t, const struct hr_schema *have,
                      struct hr_schema **needs, struct hr_error *err) {
    *needs = NULL;
    const struct hr_schema *want = t->read_schema;
    int rc = mark_needed(t, err);
    if (rc != 0) {
        return rc;
    }
    for (int i = 0; i < want->n_fields; i++) {
        t->source_of[i] = -1;
    }
    bool widen = false;
    t->rescues = false;
    for (int i = 0; i < have->n_fields; i++) {
        const struct hr_field *field = &have->fields[i];
        const int k = i < want->n_fields && strcmp(want->fields[i].name, field->name) == 0
                          ? i
                          : hr_schema_find(want, field->name, strlen(field->name));
        const bool ok =
            k >= 0 && (hr_transform_fits(t, field, &want->fields[k]) || !is_asked_for(t, k));
        if (k >= 0 &&
            (ok || t->spec->misfit == HR_MISFIT_IGNORE || t->spec->misfit == HR_MISFIT_RESCUE)) {
            t->source_of[k] = i;
            t->rescues = t->rescues || !ok;
        }
        const bool needed =
            k >= 0 ? !ok : t->spec->new_columns && !hr_transform_drops(t->spec, field->name);
        if (!needed) {
            continue;
        }
        if (t->spec->misfit == HR_MISFIT_STRICT) {
            return misfit_error(field, k >= 0 ? &want->fields[k] : NULL, err);
        }
        widen = widen || t->spec->misfit == HR_MISFIT_WIDEN;
    }
    t->bound_to = have;
    const struct hr_field *odd_want = NULL;
    const struct hr_field *odd = hr_members_bind(t, have, &odd_want);
    if (odd != NULL && t->spec->misfit == HR_MISFIT_STRICT) {
        return misfit_error(odd, odd_want, err);
    }
    widen = widen || (odd != NULL && t->spec->misfit == HR_MISFIT_WIDEN);
    if (!widen) {
        t->rescues = t->rescues || (odd != NULL && t->spec->misfit == HR_MISFIT_RESCUE);
        rc = hr_rescue_bind(t, have, err);
        t->rescues = t->rescued >= 0 && (t->rescues || t->n_extras > 0);
        return rc;
    }
    if (hr_schema_meet(want, have, needs) != 0) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate a schema");
    }
    return HR_WIDEN;
}

/* A double that a float does not hold is a misfit like any other. */
static bool exact(const struct hr_vec *from, const struct hr_vec *made) {
    if (from->field->type.id != HR_T_F64 || made->field->type.id != HR_T_F32 ||
        !hr_vec_valid(from, 0)) {
        return true;
    }
    double wide;
    float narrow;
    memcpy(&wide, from->data, sizeof(wide));
    memcpy(&narrow, made->data, sizeof(narrow));
    const double back = (double)narrow;
    return memcmp(&back, &wide, sizeof(wide)) == 0 || wide != wide;
}

/* Values that do not convert become null, one by one: the slow path of `ignore` and `rescue`. A
 * nested value is rescued as a whole: a conversion drops the members it does not know. */
static int cast_lossy(struct hr_transform *t, struct hr_vec *dst, const struct hr_vec *src,
                      struct hr_error *err) {
    struct hr_vec one;
    struct hr_vec made;
    const bool whole = t->rescued >= 0 && hr_type_nested(src->field->type);
    int rc = hr_vec_init(&one, src->field, err);
    if (rc != 0) {
        return rc;
    }
    rc = hr_vec_init(&made, dst->field, err);
    for (int64_t i = 0; rc == 0 && i < src->len; i++) {
        hr_vec_clear(&made); /* a failed conversion leaves parts behind */
        hr_vec_clear(&one);
        rc = hr_vec_append_range(&one, src, i, 1, err);
        if (rc != 0) {
            break;
        }
        const int cast = whole ? HR_E_SCHEMA : hr_vec_cast(&made, &one, err);
        if (cast == 0 && exact(&one, &made)) {
            rc = hr_vec_append_range(dst, &made, 0, 1, err);
        } else if (cast == HR_E_NOMEM) {
            rc = cast;
        } else {
            t->nulled += hr_vec_valid(&one, 0);
            rc = hr_vec_append_null(dst, err);
        }
    }
    hr_vec_release(&one);
    hr_vec_release(&made);
    if (rc == 0 && err != NULL) {
        hr_error_clear(err);
    }
    return rc;
}

/* Values of the file as they are: a flat column that only lacks nulls needs no conversion. */
static bool same_values(const struct hr_field *want, const struct hr_field *have) {
    return hr_field_equal(want, have) ||
           (!hr_type_nested(want->type) && hr_type_equal(want->type, have->type));
}

/* Of view column `i`: the values of the file, NULL when it has none. */
static int source_vec(struct hr_transform *t, int i, const struct hr_batch *in,
                      const struct hr_vec **out, struct hr_error *err) {
    if (i >= t->read_schema->n_fields) {
        return hr_members_take(t, i, in, out, err);
    }
    const int k = t->source_of[i];
    *out = k < 0 ? NULL : &in->vecs[k];
    return 0;
}

static int align(struct hr_transform *t, struct hr_batch *in, struct hr_error *err) {
    int rc = 0;
    for (int i = 0; rc == 0 && i < t->view->n_fields; i++) {
        struct hr_vec *cast = &t->casts[i];
        const struct hr_vec *src = NULL;
        rc = source_vec(t, i, in, &src, err);
        t->absent[i] = src == NULL || src->missing;
        t->rounded[i] = 0;
        if (src != NULL && same_values(cast->field, src->field)) {
            t->aligned[i] = src;
            continue;
        }
        if (cast->n_children != cast->field->n_children) {
            rc = hr_vec_init(cast, &t->view->fields[i], err);
        }
        hr_vec_clear(cast);
        if (!t->needed_after_filter[i] && !t->filtered[i] && !t->rescues) {
            /* nobody asks: stays empty */
        } else if (rc == 0 && src == NULL) {
            rc = hr_vec_append_nulls(cast, (size_t)in->len, err);
        } else if (rc == 0 && hr_transform_fits(t, src->field, cast->field)) {
            rc = hr_vec_cast(cast, src, err);
            t->rounded[i] = rc == 0 && !hr_field_fits(src->field, cast->field)
                                ? hr_vec_count_rounded(src, cast->field)
                                : 0;
        } else if (rc == 0) {
            rc = cast_lossy(t, cast, src, err);
        }
        t->aligned[i] = cast;
    }
    return rc == 0 && t->rescues ? hr_rescue_rows(t, in, err) : rc;
}

/* ---- filter ---- */

static int keep_rows(struct hr_transform *t, const struct hr_batch *in, struct hr_error *err) {
    const size_t bytes = (size_t)in->len * sizeof(int64_t);
    if (in->row_offsets == NULL) {
        return 0;
    }
    t->kept_offsets = hr_big_grow(t->kept_offsets, 0, bytes, NULL);
    t->kept_lines = hr_big_grow(t->kept_lines, 0, bytes, NULL);
    if (t->kept_offsets == NULL || t->kept_lines == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate row positions");
    }
    int64_t n = 0;
    for (int64_t i = 0; i < in->len; i++) {
        if (hr_bit_get(t->keep, i)) {
            t->kept_offsets[n] = in->row_offsets[i];
            t->kept_lines[n++] = in->row_lines[i];
        }
    }
    t->row_offsets = t->kept_offsets;
    t->row_lines = t->kept_lines;
    return 0;
}

static int run_filter(struct hr_transform *t, const struct hr_batch *in, int64_t *rows,
                      struct hr_error *err) {
    if (t->filter == NULL) {
        return 0;
    }
    /* The filter runs over columns as the read schema orders them. */
    uint8_t *keep = hr_big_grow(t->keep, 0, (size_t)in->len / 8 + 8, NULL);
    if (keep == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate a filter mask");
    }
    t->keep = keep;
    if (t->filter_vecs == NULL) {
        t->filter_vecs = hr_calloc((size_t)t->view->n_fields, sizeof(*t->filter_vecs));
        if (t->filter_vecs == NULL) {
            return hr_fail(err, HR_E_NOMEM, "could not allocate a filter");
        }
    }
    for (int i = 0; i < t->view->n_fields; i++) {
        t->filter_vecs[i] = *t->aligned[i];
    }
    int64_t kept;
    int rc = hr_bound_filter_run(t->filter, t->filter_vecs, in->len, keep, &kept, err);
    *rows = kept;
    if (rc != 0 || kept == in->len || kept == 0) {
        return rc;
    }
    for (int i = 0; rc == 0 && i < t->view->n_fields; i++) {
        if (!t->needed_after_filter[i]) {
            continue;
        }
        struct hr_vec *sel = &t->selected[i];
        if (sel->n_children != sel->field->n_children) {
            rc = hr_vec_init(sel, &t->view->fields[i], err);
        }
        hr_vec_clear(sel);
        if (rc == 0) {
            rc = hr_vec_append_selected(sel, t->aligned[i], keep, err);
        }
        t->aligned[i] = sel;
    }
    return rc == 0 ? keep_rows(t, in, err) : rc;
}

/* ---- output ---- */

static int data_out(struct hr_transform *t, int out, int64_t rows, struct hr_error *err) {
    const struct hr_vec *src = t->aligned[t->outs[out].source];
    const struct hr_field *want = &t->out_schema->fields[out];
    if (hr_type_equal(src->field->type, want->type) &&
        !(hr_type_nested(want->type) && !hr_field_equal(src->field, want) &&
          strcmp(src->field->name, want->name) == 0 && src->field->nullable == want->nullable)) {
        t->out.vecs[out] = *src;
        t->out.vecs[out].field = want;
        return 0;
    }
    struct hr_vec *made = &t->generated->vecs[out];
    hr_vec_clear(made);
    int rc = 0;
    if (src->field->type.id == HR_T_NULL) {
        rc = hr_vec_append_nulls(made, (size_t)rows, err);
    } else {
        rc = hr_vec_cast(made, src, err);
    }
    t->out.vecs[out] = *made;
    return rc;
}

int hr_transform_run(struct hr_transform *t, struct hr_batch *in, const struct hr_batch **out,
                     struct hr_schema **needs, struct hr_error *err) {
    *out = NULL;
    *needs = NULL;
    int rc = 0;
    if (t->bound_to != in->schema) {
        rc = hr_transform_bind(t, in->schema, needs, err);
    }
    if (rc == 0) {
        rc = align(t, in, err);
    }
    int64_t rows = in->len;
    t->row_offsets = in->row_offsets;
    t->row_lines = in->row_lines;
    if (rc == 0) {
        rc = run_filter(t, in, &rows, err);
    }
    if (rc != 0 || rows == 0) {
        return rc;
    }
    for (int i = 0; rc == 0 && i < t->n_outs; i++) {
        if (t->outs[i].kind == HR_OUT_DATA) {
            rc = data_out(t, i, rows, err);
        } else {
            rc = hr_generate(t, i, rows, err);
            t->out.vecs[i] = t->generated->vecs[i];
        }
    }
    t->out.len = rows;
    *out = &t->out;
    return rc;
}
