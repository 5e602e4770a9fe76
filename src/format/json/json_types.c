/* format/json/json_types.c - which types values have.
 *
 * The rungs are those of format/infer.h: numbers without fraction and exponent are int64, then
 * decimal(38,0), then text; others double (or decimals on request), text when no double holds them.
 * Strings are dates or timestamps when they read as such from end to end, otherwise text: a number
 * in quotes stays text. Types meet by the lattice of batch/meet.c. Values arrive checked by
 * json_lex.c, so walking them again needs no further checks.
 */
#include "format/json/json_types.h"

#include "base/hash.h"
#include "base/mem.h"
#include "format/infer.h"

#define INDEX_FROM 16 /* members before a hash index pays */

void hr_j_types_release(struct hr_j_types *types) {
    if (types->item != NULL) {
        hr_j_types_release(types->item);
        hr_free(types->item);
    }
    for (int i = 0; i < types->n_members; i++) {
        hr_j_types_release(&types->members[i]->types);
        hr_free(types->members[i]);
    }
    hr_free(types->members);
    hr_free(types->index);
    *types = (struct hr_j_types){0};
}

/* ---- members ---- */

static void index_put(struct hr_j_types *types, int i) {
    const struct hr_j_member *m = types->members[i];
    uint32_t at = (uint32_t)hr_hash64(m->name, m->name_len, 0) & types->index_mask;
    while (types->index[at] != 0) {
        at = (at + 1) & types->index_mask;
    }
    types->index[at] = (uint32_t)i + 1;
}

static bool reindex(struct hr_j_types *types) {
    uint32_t size = 4 * INDEX_FROM;
    while (size < 2 * (uint32_t)types->cap_members) {
        size *= 2;
    }
    uint32_t *index = hr_calloc(size, sizeof(*index));
    if (index == NULL) {
        return false;
    }
    hr_free(types->index);
    types->index = index;
    types->index_mask = size - 1;
    for (int i = 0; i < types->n_members; i++) {
        index_put(types, i);
    }
    return true;
}

static struct hr_j_member *find(const struct hr_j_types *types, const char *name, size_t len) {
    if (types->index == NULL) {
        for (int i = 0; i < types->n_members; i++) {
            struct hr_j_member *m = types->members[i];
            if (m->name_len == len && memcmp(m->name, name, len) == 0) {
                return m;
            }
        }
        return NULL;
    }
    uint32_t at = (uint32_t)hr_hash64(name, len, 0) & types->index_mask;
    for (; types->index[at] != 0; at = (at + 1) & types->index_mask) {
        struct hr_j_member *m = types->members[types->index[at] - 1];
        if (m->name_len == len && memcmp(m->name, name, len) == 0) {
            return m;
        }
    }
    return NULL;
}

struct hr_j_types *hr_j_types_member(struct hr_j_types *types, const char *name, size_t len) {
    struct hr_j_member *m = find(types, name, len);
    if (m != NULL) {
        return &m->types;
    }
    if (types->n_members == types->cap_members) {
        const int cap = types->cap_members ? 2 * types->cap_members : 8;
        struct hr_j_member **grown =
            hr_reallocarray(types->members, (size_t)cap, sizeof(struct hr_j_member *));
        if (grown == NULL) {
            return NULL;
        }
        types->members = grown;
        types->cap_members = cap;
        if (cap > INDEX_FROM && !reindex(types)) {
            return NULL;
        }
    }
    m = hr_calloc(1, sizeof(*m) + len + 1);
    if (m == NULL) {
        return NULL;
    }
    memcpy(m->name, name, len);
    m->name_len = len;
    types->members[types->n_members++] = m;
    if (types->index != NULL) {
        index_put(types, types->n_members - 1);
    }
    return &m->types;
}

size_t hr_j_key_name(const struct hr_j_token *key, char *dst) {
    size_t len = key->text.len;
    if (!key->escaped) {
        memcpy(dst, key->text.ptr, len);
        return len;
    }
    len = hr_j_unescape(key->text, (uint8_t *)dst);
    for (size_t i = 0; i < len; i++) {
        if (dst[i] == '\0') {
            memmove(dst + i + 3, dst + i + 1, len - i - 1);
            memcpy(dst + i, "\xef\xbf\xbd", 3);
            len += 2;
        }
    }
    return len;
}

/* ---- scalars ---- */

struct hr_type hr_j_scalar_type(const struct hr_j_token *token, const struct hr_j_rules *rules) {
    switch (token->kind) {
    case HR_J_NULL: return hr_type(HR_T_NULL);
    case HR_J_FALSE:
    case HR_J_TRUE: return hr_type(HR_T_BOOL);
    case HR_J_NAN: return hr_type(HR_T_F64);
    case HR_J_NUMBER:
        return hr_infer_text((const char *)token->text.ptr, token->text.len, rules->decimal);
    case HR_J_STRING:
        return rules->strings && !token->escaped
                   ? hr_infer_time((const char *)token->text.ptr, token->text.len)
                   : hr_type(HR_T_UTF8);
    case HR_J_OBJECT:
    case HR_J_ARRAY: break;
    }
    return (struct hr_type){.id = HR_T_UTF8, .ext = HR_EXT_JSON};
}

static void meet_scalar(struct hr_type *into, struct hr_type type) {
    if (into->id != HR_T_UTF8 && memcmp(into, &type, sizeof(type)) != 0) {
        *into = hr_type_meet(*into, type);
    }
}

/* ---- nested ---- */

static int note_array(struct hr_j_types *types, const struct hr_j_rules *rules, int level,
                      struct hr_j_lex *lex, const uint8_t *p, struct hr_error *err) {
    if (types->item == NULL) {
        types->item = hr_calloc(1, sizeof(*types->item));
        if (types->item == NULL) {
            return hr_fail(err, HR_E_NOMEM, "could not allocate while inferring types");
        }
    }
    p = hr_j_blank(lex, p + 1);
    while (*p != ']') {
        struct hr_j_token token;
        p = hr_j_value(lex, p, &token);
        const int rc = p ? hr_j_types_note(types->item, rules, level + 1, lex, &token, err)
                         : hr_fail(err, HR_E_INTERNAL, "could not walk a checked JSON value");
        if (rc != 0) {
            return rc;
        }
        p = hr_j_blank(lex, p);
        if (*p == ',') {
            p = hr_j_blank(lex, p + 1);
        }
    }
    return 0;
}

static int note_member(struct hr_j_types *types, const struct hr_j_token *key,
                       struct hr_j_types **out, struct hr_error *err) {
    char local[256];
    char *name = local;
    if (key->text.len > 80) {
        name = hr_malloc(3 * key->text.len + 1);
    }
    *out = NULL;
    if (name != NULL) {
        *out = hr_j_types_member(types, name, hr_j_key_name(key, name));
    }
    if (name != local) {
        hr_free(name);
    }
    return *out ? 0 : hr_fail(err, HR_E_NOMEM, "could not allocate while inferring types");
}

static int note_object(struct hr_j_types *types, const struct hr_j_rules *rules, int level,
                       struct hr_j_lex *lex, const uint8_t *p, struct hr_error *err) {
    p = hr_j_blank(lex, p + 1);
    while (*p != '}') {
        struct hr_j_token key;
        struct hr_j_token token;
        struct hr_j_types *member = NULL;
        p = hr_j_string(lex, p + 1, &key);
        p = p ? hr_j_blank(lex, p) : NULL;
        p = p ? hr_j_value(lex, hr_j_blank(lex, p + 1), &token) : NULL;
        int rc = p ? note_member(types, &key, &member, err)
                   : hr_fail(err, HR_E_INTERNAL, "could not walk a checked JSON value");
        if (rc == 0) {
            rc = hr_j_types_note(member, rules, level + 1, lex, &token, err);
        }
        if (rc != 0) {
            return rc;
        }
        if (level > 0 && types->n_members > HR_J_MEMBERS_MAX) {
            types->opaque = true;
            return 0;
        }
        if (types->n_members > HR_J_COLUMNS_MAX) {
            hr_fail(err, HR_E_BOUND, "could not infer a schema: the records have more than %d keys",
                    HR_J_COLUMNS_MAX);
            hr_error_hint(err, "keys that are data belong in a nested object or an array");
            return HR_E_BOUND;
        }
        p = hr_j_blank(lex, p);
        if (*p == ',') {
            p = hr_j_blank(lex, p + 1);
        }
    }
    return 0;
}

int hr_j_types_note(struct hr_j_types *types, const struct hr_j_rules *rules, int level,
                    struct hr_j_lex *lex, const struct hr_j_token *token, struct hr_error *err) {
    if (token->kind != HR_J_OBJECT && token->kind != HR_J_ARRAY) {
        types->null |= token->kind == HR_J_NULL;
        meet_scalar(&types->scalar, hr_j_scalar_type(token, rules));
        return 0;
    }
    const bool object = token->kind == HR_J_OBJECT;
    const bool flat = object && rules->flatten && level <= rules->flatten_max;
    types->object |= object;
    types->array |= !object;
    if (level > 0 && !flat && (rules->nested_text || level > HR_J_LEVELS_MAX)) {
        types->opaque = true;
    }
    if (types->opaque && !flat) {
        return 0;
    }
    return object ? note_object(types, rules, level, lex, token->text.ptr, err)
                  : note_array(types, rules, level, lex, token->text.ptr, err);
}

/* ---- to fields ---- */

static int no_memory(struct hr_error *err) {
    return hr_fail(err, HR_E_NOMEM, "could not allocate a schema");
}

static int nested_field(const struct hr_j_types *types, const struct hr_j_rules *rules,
                        const char *name, struct hr_field *out, struct hr_error *err) {
    const int n = types->array ? 1 : types->n_members;
    const struct hr_type type = hr_type(types->array ? HR_T_LIST : HR_T_STRUCT);
    if (hr_field_init(out, name, strlen(name), type, n) != 0) {
        return no_memory(err);
    }
    int rc = 0;
    for (int i = 0; rc == 0 && i < n; i++) {
        rc = types->array ? hr_j_types_field(types->item, rules, "item", &out->children[i], err)
                          : hr_j_types_field(&types->members[i]->types, rules,
                                             types->members[i]->name, &out->children[i], err);
    }
    if (rc != 0) {
        hr_field_release(out);
    }
    return rc;
}

int hr_j_types_field(const struct hr_j_types *types, const struct hr_j_rules *rules,
                     const char *name, struct hr_field *out, struct hr_error *err) {
    const bool nested = types->object || types->array;
    struct hr_type type = types->scalar;
    if (type.id == HR_T_DEC128) {
        type.precision = type.precision <= 18 ? 18 : 38; /* room, as inference gives text */
    }
    if (nested && type.id != HR_T_NULL) {
        type = hr_type(HR_T_UTF8); /* an object here, a scalar there: text */
    } else if (nested && (types->opaque || (types->object && types->array) ||
                          (types->object && types->n_members == 0))) {
        type = (struct hr_type){.id = HR_T_UTF8, .ext = HR_EXT_JSON};
    } else if (nested) {
        return nested_field(types, rules, name, out, err);
    }
    return hr_field_init(out, name, strlen(name), type, 0) == 0 ? 0 : no_memory(err);
}

struct columns {
    struct hr_field *fields;
    int n, cap;
};

static int add_column(struct columns *cols, const struct hr_j_types *types,
                      const struct hr_j_rules *rules, const char *name, struct hr_error *err) {
    if (cols->n == HR_J_COLUMNS_MAX) {
        return hr_fail(err, HR_E_BOUND, "could not infer a schema: more than %d columns",
                       HR_J_COLUMNS_MAX);
    }
    if (cols->n == cols->cap) {
        const int cap = cols->cap ? 2 * cols->cap : 16;
        struct hr_field *grown = hr_reallocarray(cols->fields, (size_t)cap, sizeof(*grown));
        if (grown == NULL) {
            return no_memory(err);
        }
        cols->fields = grown;
        cols->cap = cap;
    }
    const int rc = hr_j_types_field(types, rules, name, &cols->fields[cols->n], err);
    cols->n += rc == 0;
    return rc;
}

/* Two spellings of one name ("a.b" as a key and a → b) are one column. */
static int merge_column(struct columns *cols, const struct hr_j_types *types,
                        const struct hr_j_rules *rules, const char *name, struct hr_error *err) {
    const bool twice = rules->flatten && strstr(name, rules->separator) != NULL;
    for (int i = 0; twice && i < cols->n; i++) {
        if (strcmp(cols->fields[i].name, name) == 0) {
            struct hr_field field;
            struct hr_field met;
            int rc = hr_j_types_field(types, rules, name, &field, err);
            if (rc == 0) {
                rc = hr_field_meet(&cols->fields[i], &field, &met) == 0 ? 0 : no_memory(err);
                hr_field_release(&field);
            }
            if (rc == 0) {
                hr_field_release(&cols->fields[i]);
                cols->fields[i] = met;
            }
            return rc;
        }
    }
    return add_column(cols, types, rules, name, err);
}

static int flatten(struct columns *cols, const struct hr_j_types *types,
                   const struct hr_j_rules *rules, int level, struct hr_buf *prefix,
                   struct hr_error *err) {
    const size_t mark = prefix->len;
    int rc = 0;
    for (int i = 0; rc == 0 && i < types->n_members; i++) {
        const struct hr_j_member *m = types->members[i];
        prefix->len = mark;
        rc = hr_buf_append(prefix, m->name, m->name_len, err);
        if (rc != 0) {
            break;
        }
        struct hr_j_types own = m->types; /* a view: what stays in this column */
        const bool deeper = rules->flatten && level < rules->flatten_max && own.object;
        if (deeper) {
            own.object = false;
            own.opaque = own.array && own.opaque;
            own.members = NULL;
            own.n_members = 0;
        }
        if (!deeper || own.array || own.scalar.id != HR_T_NULL || m->types.n_members == 0) {
            rc = merge_column(cols, &own, rules, hr_buf_cstr(prefix), err);
        }
        if (rc == 0 && deeper) {
            rc = hr_buf_append_str(prefix, rules->separator, err);
            rc = rc ? rc : flatten(cols, &m->types, rules, level + 1, prefix, err);
        }
    }
    prefix->len = mark;
    return rc;
}

int hr_j_types_schema(const struct hr_j_types *types, const struct hr_j_rules *rules,
                      struct hr_schema **out, struct hr_error *err) {
    struct columns cols = {0};
    struct hr_buf prefix;
    hr_buf_init(&prefix, 1 << 20);
    struct hr_schema *schema = NULL;
    int rc = flatten(&cols, types, rules, 0, &prefix, err);
    if (rc == 0) {
        schema = hr_schema_new(cols.n);
        rc = schema ? 0 : no_memory(err);
    }
    for (int i = 0; i < cols.n; i++) {
        if (rc == 0) {
            schema->fields[i] = cols.fields[i];
        } else {
            hr_field_release(&cols.fields[i]);
        }
    }
    hr_free(cols.fields);
    hr_buf_release(&prefix);
    *out = schema;
    return rc;
}
