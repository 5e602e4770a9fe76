/* format/json/json_misfit.c - values that do not fit the wanted schema.
 *
 * The converters leave null and a note; here the notes of a record are judged once the record is
 * known to be whole and sound, so that a bad record never widens anything. `widen` collects what
 * all values of the batch need in a type tree and ends in a schema; the other ways act at once.
 */
#include "base/mem.h"
#include "format/json/json_read.h"

#define MISFITS_MAX (1u << 20) /* of one record */

struct hr_j_rules hr_j_rules_of(const struct hr_json_opts *opts) {
    return (struct hr_j_rules){.strings = true,
                               .nested_text = opts->nested_text,
                               .flatten = opts->flatten,
                               .flatten_max = (int)opts->max_depth,
                               .separator = opts->separator ? opts->separator : "."};
}

int hr_j_misfit_add(struct hr_json *json, struct hr_j_slot *slot, struct hr_j_col *col,
                    const struct hr_j_token *token, const uint8_t *at) {
    struct hr_error *err = json->frame.lex.err;
    if (json->n_misfits == json->cap_misfits) {
        const size_t cap = json->cap_misfits ? 2 * json->cap_misfits : 16;
        if (cap > MISFITS_MAX) {
            return hr_fail(err, HR_E_BOUND, "could not read JSON: a record has over %u new keys",
                           MISFITS_MAX / 2);
        }
        struct hr_j_misfit *grown = hr_reallocarray(json->misfits, cap, sizeof(*grown));
        if (grown == NULL) {
            return hr_fail(err, HR_E_NOMEM, "could not allocate a JSON reader");
        }
        json->misfits = grown;
        json->cap_misfits = cap;
    }
    json->misfits[json->n_misfits++] =
        (struct hr_j_misfit){.slot = slot, .col = col, .token = *token, .at = at};
    return 0;
}

/* The raw text of the value, quotes included. */
static struct hr_slice raw_text(const struct hr_j_token *token) {
    return token->kind == HR_J_STRING ? hr_slice_of(token->text.ptr - 1, token->text.len + 2)
                                      : token->text;
}

static int strict(struct hr_json *json, const struct hr_j_misfit *m, struct hr_error *err) {
    char value[400];
    int64_t column;
    const struct hr_slice raw = raw_text(&m->token);
    const struct hr_slice inner = hr_slice_of(m->at, (size_t)(raw.ptr + raw.len - m->at));
    hr_printable(m->at > raw.ptr ? inner : raw, 80, value, sizeof(value));
    const int64_t line = hr_j_frame_line(&json->frame, m->at, &column);
    if (m->col == NULL) {
        hr_fail(err, HR_E_SCHEMA,
                "could not read JSON: key '%.100s' is not in the schema (value %s)", m->slot->path,
                value);
    } else {
        struct hr_buf type;
        hr_buf_init(&type, 4096);
        const int rc = hr_field_type_text(m->col->vec->field, &type, NULL);
        hr_fail(err, HR_E_SCHEMA, "could not read column '%.100s' as %.120s: the value is %s",
                m->slot->path, rc == 0 ? hr_buf_cstr(&type) : "its type", value);
        hr_buf_release(&type);
    }
    hr_error_hint(err, "schema_evolution: widen takes the value, rescue keeps it apart, ignore "
                       "makes it null");
    hr_error_object(err, json->frame.src->name);
    hr_error_place(err, hr_j_frame_offset(&json->frame, m->at), line, m->slot->path);
    return HR_E_SCHEMA;
}

/* All misfits of the record as one JSON object into the _rescued_data column. */
static int rescue(struct hr_json *json, struct hr_error *err) {
    struct hr_buf *out = &json->scratch;
    struct hr_j_col *col = &json->cols[json->rescued];
    hr_buf_clear(out);
    int rc = hr_buf_append_byte(out, '{', err);
    for (size_t i = 0; rc == 0 && i < json->n_misfits; i++) {
        const struct hr_j_misfit *m = &json->misfits[i];
        const struct hr_slice raw = raw_text(&m->token);
        const size_t room = HR_J_COMPACT_ROOM(raw.len);
        rc = i > 0 ? hr_buf_append_byte(out, ',', err) : 0;
        rc = rc ? rc : hr_buf_append_json(out, hr_slice_str(m->slot->path), err);
        rc = rc ? rc : hr_buf_append_byte(out, ':', err);
        rc = rc ? rc : hr_buf_reserve(out, room, err);
        if (rc == 0) {
            out->len += hr_j_compact(raw, out->ptr + out->len);
        }
    }
    rc = rc ? rc : hr_buf_append_byte(out, '}', err);
    rc = rc ? rc : hr_j_col_bytes(col, json->row, out->len, err);
    if (rc == 0) {
        hr_j_col_reset(col, json->row);
        memcpy(col->data + col->offsets[json->row], out->ptr, out->len);
        col->offsets[json->row + 1] = col->offsets[json->row] + (int32_t)out->len;
    }
    return rc;
}

/* The converter of a nested column wants typed contents whatever new columns would become. */
static struct hr_j_rules rules_for(const struct hr_json *json, const struct hr_j_misfit *m) {
    struct hr_j_rules rules = hr_j_rules_of(json->opts);
    rules.flatten = false; /* an object that flattens never comes here whole */
    if (m->col != NULL) {
        const struct hr_type type = m->col->vec->field->type;
        rules.decimal = type.id == HR_T_DEC128 || type.id == HR_T_DEC256;
        rules.nested_text = rules.nested_text && !hr_type_nested(type);
    }
    return rules;
}

static int note_need(struct hr_json *json, const struct hr_j_misfit *m, struct hr_error *err) {
    const struct hr_j_rules rules = rules_for(json, m);
    struct hr_j_types *types = hr_j_types_member(&json->need, m->slot->path, strlen(m->slot->path));
    if (types == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate while widening the schema");
    }
    if (json->need.n_members + json->n_cols > HR_J_COLUMNS_MAX) {
        hr_fail(err, HR_E_BOUND, "could not widen the schema: more than %d columns",
                HR_J_COLUMNS_MAX);
        hr_error_hint(err, "keys that are data belong in a nested object or an array");
        return HR_E_BOUND;
    }
    json->widening = true;
    return hr_j_types_note(types, &rules, 1, &json->frame.lex, &m->token, err);
}

int hr_j_misfits_judge(struct hr_json *json, struct hr_error *err) {
    int rc = 0;
    switch (json->params->misfit) {
    case HR_MISFIT_STRICT: return strict(json, &json->misfits[0], err);
    case HR_MISFIT_WIDEN:
        for (size_t i = 0; rc == 0 && i < json->n_misfits; i++) {
            rc = note_need(json, &json->misfits[i], err);
        }
        return rc;
    case HR_MISFIT_RESCUE: rc = json->rescued >= 0 ? rescue(json, err) : 0; break;
    case HR_MISFIT_IGNORE: break;
    }
    json->record_nulled += (int64_t)json->n_misfits;
    return rc;
}

/* The column of `want` widened by what was met; text when the lattice cannot hold the value (a
 * number no double holds, a time out of range): meeting again would ask for ever. */
static int widened(const struct hr_field *want, const struct hr_field *need, struct hr_field *out) {
    int rc = hr_field_meet(want, need, out);
    if (rc == 0 && hr_field_equal(want, out)) {
        hr_field_release(out);
        rc = hr_field_init(out, want->name, strlen(want->name), hr_type(HR_T_UTF8), 0);
        if (rc == 0) {
            out->field_id = want->field_id;
        }
    }
    return rc;
}

static int need_column(struct hr_json *json, const struct hr_j_member *m, struct hr_schema *schema,
                       int *n, struct hr_error *err) {
    const struct hr_schema *want = json->base.schema;
    const int i = hr_schema_find(want, m->name, m->name_len);
    struct hr_j_rules rules = hr_j_rules_of(json->opts);
    if (i >= 0) {
        rules.nested_text = rules.nested_text && !hr_type_nested(want->fields[i].type);
    }
    struct hr_field need;
    int rc = hr_j_types_field(&m->types, &rules, m->name, &need, err);
    if (rc != 0) {
        return rc;
    }
    if (i < 0) {
        schema->fields[(*n)++] = need;
        return 0;
    }
    struct hr_field met;
    rc = widened(&want->fields[i], &need, &met);
    hr_field_release(&need);
    if (rc == 0) {
        hr_field_release(&schema->fields[i]);
        schema->fields[i] = met;
    }
    return rc == 0 ? 0 : hr_fail(err, HR_E_NOMEM, "could not allocate a schema");
}

int hr_j_misfit_needs(struct hr_json *json, struct hr_error *err) {
    const struct hr_schema *want = json->base.schema;
    struct hr_schema *schema = hr_schema_new(want->n_fields + json->need.n_members);
    if (schema == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate a schema");
    }
    int n = want->n_fields;
    int rc = 0;
    for (int i = 0; rc == 0 && i < n; i++) {
        rc = hr_field_copy(&schema->fields[i], &want->fields[i]);
    }
    if (rc != 0) {
        rc = hr_fail(err, HR_E_NOMEM, "could not allocate a schema");
    }
    for (int i = 0; rc == 0 && i < json->need.n_members; i++) {
        rc = need_column(json, json->need.members[i], schema, &n, err);
    }
    /* Places for new columns that turned out to exist stay empty: give them up. */
    schema->n_fields = n;
    if (rc != 0) {
        hr_schema_unref(schema);
        return rc;
    }
    json->base.needs = schema;
    return 0;
}
