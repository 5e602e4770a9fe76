/* format/avro/avro_resolve.c - schema resolution, column by column.
 *
 * The decoder fills columns as the file was written; where a reader's schema is given (option
 * avro_schema) every batch passes through here once more: fields are found by name or alias,
 * numbers promoted, what the file lacks takes its default. Columns are of equal length at each
 * level, so a record is resolved child by child over the whole batch and lists keep their offsets.
 */
#include "format/avro/avro_resolve.h"

#include <jansson.h>

#include "base/mem.h"
#include "base/utf8.h"

enum how {
    HOW_COPY,    /* the same type */
    HOW_WIDEN,   /* int and long to long, float, double; float to double */
    HOW_BYTES,   /* bytes and string */
    HOW_RAW,     /* the same bits under another logical type */
    HOW_CAST,    /* what batch/ can widen: decimals, finer times */
    HOW_SYMBOL,  /* enum: symbols the reader does not have */
    HOW_FIELDS,  /* record */
    HOW_ITEMS,   /* array */
    HOW_ENTRIES, /* map */
    HOW_BRANCH,  /* a branch of the reader's union */
    HOW_MEMBERS, /* union to union, by the names of the branches */
    HOW_DEFAULT
};

struct ctx {
    struct hr_arena *arena;
    struct hr_error *err;
};

static int no_memory(struct hr_error *err) {
    return hr_fail(err, HR_E_NOMEM, "out of memory for its resolution");
}

/* ---- defaults ------------------------------------------------------------------------------- */

static int append_default(const struct hr_avro_node *node, const struct hr_field *field,
                          struct hr_vec *vec, const json_t *json, struct hr_error *err);

static int wrong_default(const struct hr_field *field, struct hr_error *err) {
    char shown[120];
    hr_printable(hr_slice_str(field->name), 80, shown, sizeof(shown));
    return hr_fail(err, HR_E_CONFIG, "avro_schema: the default of '%s' is not of its type", shown);
}

/* Bytes stand in JSON as characters 0 to 255, here in UTF-8. `out` has room for len bytes. */
static bool latin1(const char *text, size_t len, uint8_t *out, size_t *out_len) {
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        uint8_t c = (uint8_t)text[i];
        if (c >= 0x80) {
            if ((c & 0xfe) != 0xc2 || i + 1 >= len) {
                return false;
            }
            c = (uint8_t)((c & 3) << 6 | ((uint8_t)text[++i] & 0x3f));
        }
        out[n++] = c;
    }
    *out_len = n;
    return true;
}

static int default_bytes(const struct hr_avro_node *node, const struct hr_field *field,
                         struct hr_vec *vec, const json_t *json, struct hr_error *err) {
    const char *text = json_string_value(json);
    const size_t len = json_string_length(json);
    size_t n = 0;
    int rc;
    if (text == NULL) {
        return wrong_default(field, err);
    }
    if (field->type.id == HR_T_UTF8) {
        return hr_vec_append_bytes(vec, text, len, err);
    }
    uint8_t *raw = hr_malloc(len + 1);
    if (raw == NULL) {
        return no_memory(err);
    }
    if (!latin1(text, len, raw, &n) ||
        (field->type.id == HR_T_FIXED && n != (size_t)field->type.width)) {
        rc = wrong_default(field, err);
    } else if (node->kind == HR_AVRO_DEC_BYTES || node->kind == HR_AVRO_DEC_FIXED) {
        uint8_t value[32]; /* little-endian, sign extended */
        memset(value, n > 0 && (raw[0] & 0x80) ? 0xff : 0, sizeof(value));
        for (size_t i = 0; i < n && i < sizeof(value); i++) {
            value[i] = raw[n - 1 - i];
        }
        rc = n > node->width ? wrong_default(field, err)
                             : hr_vec_append_bytes(vec, value, node->width, err);
    } else {
        rc = hr_vec_append_bytes(vec, raw, n, err);
    }
    hr_free(raw);
    return rc;
}

static int default_record(const struct hr_avro_node *node, const struct hr_field *field,
                          struct hr_vec *vec, const json_t *json, struct hr_error *err) {
    int rc = json_is_object(json) ? 0 : wrong_default(field, err);
    for (int i = 0; rc == 0 && i < node->n_children; i++) {
        const struct hr_avro_node *child = &node->children[i];
        const json_t *value = json_object_get(json, field->children[i].name);
        json_t *own = NULL;
        if (value == NULL && child->value.ptr != NULL) {
            value = own = json_loadb((const char *)child->value.ptr, child->value.len,
                                     JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        }
        rc = value != NULL
                 ? append_default(child, &field->children[i], &vec->children[i], value, err)
                 : wrong_default(field, err);
        json_decref(own);
    }
    return rc == 0 ? hr_vec_append_struct_end(vec, err) : rc;
}

static int default_list(const struct hr_avro_node *node, const struct hr_field *field,
                        struct hr_vec *vec, const json_t *json, struct hr_error *err) {
    int rc = json_is_array(json) ? 0 : wrong_default(field, err);
    size_t i;
    json_t *item;
    json_array_foreach(json, i, item) {
        rc = rc != 0 ? rc
                     : append_default(&node->children[0], &field->children[0], &vec->children[0],
                                      item, err);
    }
    return rc == 0 ? hr_vec_append_list_end(vec, err) : rc;
}

static int default_map(const struct hr_avro_node *node, const struct hr_field *field,
                       struct hr_vec *vec, json_t *json, struct hr_error *err) {
    struct hr_vec *entries = &vec->children[0];
    int rc = json_is_object(json) ? 0 : wrong_default(field, err);
    const char *key;
    json_t *value;
    json_object_foreach(json, key, value) {
        rc = rc != 0 ? rc : hr_vec_append_bytes(&entries->children[0], key, strlen(key), err);
        rc = rc != 0 ? rc
                     : append_default(&node->children[0], &field->children[0].children[1],
                                      &entries->children[1], value, err);
        rc = rc != 0 ? rc : hr_vec_append_struct_end(entries, err);
    }
    return rc == 0 ? hr_vec_append_list_end(vec, err) : rc;
}

/* The default of a union is of its first branch. */
static int default_union(const struct hr_avro_node *node, const struct hr_field *field,
                         struct hr_vec *vec, const json_t *json, struct hr_error *err) {
    const int pick = node->members[0] >= 0 ? node->members[0] : 0;
    int rc = 0;
    for (int i = 0; rc == 0 && i < node->n_children; i++) {
        rc = i == pick ? append_default(&node->children[i], &field->children[i], &vec->children[i],
                                        json, err)
                       : hr_vec_append_null(&vec->children[i], err);
    }
    return rc == 0 ? hr_vec_append_struct_end(vec, err) : rc;
}

static int append_default(const struct hr_avro_node *node, const struct hr_field *field,
                          struct hr_vec *vec, const json_t *json, struct hr_error *err) {
    if (json_is_null(json)) {
        return field->nullable ? hr_vec_append_null(vec, err) : wrong_default(field, err);
    }
    switch ((enum hr_avro_kind)node->kind) {
    case HR_AVRO_BOOL:
        return json_is_boolean(json) ? hr_vec_append_i64(vec, json_is_true(json), err)
                                     : wrong_default(field, err);
    case HR_AVRO_INT:
    case HR_AVRO_LONG:
        return json_is_integer(json) ? hr_vec_append_i64(vec, json_integer_value(json), err)
                                     : wrong_default(field, err);
    case HR_AVRO_FLOAT:
    case HR_AVRO_DOUBLE:
        return json_is_number(json) ? hr_vec_append_f64(vec, json_number_value(json), err)
                                    : wrong_default(field, err);
    case HR_AVRO_BYTES:
    case HR_AVRO_FIXED:
    case HR_AVRO_DEC_BYTES:
    case HR_AVRO_DEC_FIXED:
    case HR_AVRO_ENUM: return default_bytes(node, field, vec, json, err);
    case HR_AVRO_RECORD: return default_record(node, field, vec, json, err);
    case HR_AVRO_ARRAY: return default_list(node, field, vec, json, err);
    case HR_AVRO_MAP: return default_map(node, field, vec, (json_t *)(uintptr_t)json, err);
    case HR_AVRO_UNION: return default_union(node, field, vec, json, err);
    default: return wrong_default(field, err);
    }
}

static int make_default(struct ctx *c, struct hr_avro_link *link) {
    json_t *json = json_loadb((const char *)link->node->value.ptr, link->node->value.len,
                              JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    link->how = HOW_DEFAULT;
    link->from = -1;
    link->value = hr_calloc(1, sizeof(*link->value));
    int rc = json != NULL && link->value != NULL ? hr_vec_init(link->value, link->field, c->err)
                                                 : no_memory(c->err);
    rc = rc == 0 ? append_default(link->node, link->field, link->value, json, c->err) : rc;
    json_decref(json);
    return rc;
}

/* ---- linking -------------------------------------------------------------------------------- */

static int link_types(struct ctx *c, struct hr_avro_link *link);

static int cannot(struct ctx *c, const struct hr_avro_link *link) {
    struct hr_buf from, to;
    char shown[120];
    hr_buf_init(&from, 4096);
    hr_buf_init(&to, 4096);
    (void)hr_field_type_text(link->file_field, &from, NULL);
    (void)hr_field_type_text(link->field, &to, NULL);
    hr_printable(hr_slice_str(link->field->name), 80, shown, sizeof(shown));
    hr_fail(c->err, HR_E_SCHEMA, "its '%s' is %.100s, which avro_schema's %.100s cannot be read of",
            shown, hr_buf_cstr(&from), hr_buf_cstr(&to));
    hr_error_hint(c->err, "Avro promotes int to long, float and double, long to float and double, "
                          "float to double, string to bytes and bytes to string");
    hr_buf_release(&from);
    hr_buf_release(&to);
    return HR_E_SCHEMA;
}

static int find_field(const struct hr_field *fields, int n, const char *name, size_t len) {
    for (int i = 0; i < n; i++) {
        if (strlen(fields[i].name) == len && memcmp(fields[i].name, name, len) == 0) {
            return i;
        }
    }
    return -1;
}

static int find_source(const struct hr_avro_link *link, const struct hr_field *fields, int n) {
    int found = find_field(fields, n, link->field->name, strlen(link->field->name));
    for (size_t i = 0; found < 0 && i < link->node->n_aliases; i++) {
        const struct hr_slice alias = link->node->aliases[i];
        found = find_field(fields, n, (const char *)alias.ptr, alias.len);
    }
    return found;
}

/* The fields of a record: those of the file under these names, or defaults. */
static int link_fields(struct ctx *c, const struct hr_avro_node *node,
                       const struct hr_field *fields, const struct hr_avro_node *file,
                       const struct hr_field *file_fields, struct hr_avro_link **out) {
    struct hr_avro_link *links =
        hr_arena_calloc(c->arena, (size_t)node->n_children + 1, sizeof(*links));
    int rc = links != NULL ? 0 : no_memory(c->err);
    *out = links;
    for (int i = 0; rc == 0 && i < node->n_children; i++) {
        struct hr_avro_link *link = &links[i];
        link->node = &node->children[i];
        link->field = &fields[i];
        link->from = find_source(link, file_fields, file->n_children);
        if (link->from >= 0) {
            link->file = &file->children[link->from];
            link->file_field = &file_fields[link->from];
            rc = link_types(c, link);
        } else if (link->node->value.ptr != NULL) {
            rc = make_default(c, link);
        } else {
            char shown[120];
            hr_printable(hr_slice_str(link->field->name), 80, shown, sizeof(shown));
            rc = hr_fail(c->err, HR_E_SCHEMA,
                         "it has no '%s', for which avro_schema has no default", shown);
            hr_error_hint(c->err, "give the field a default in avro_schema, or an alias");
        }
    }
    return rc;
}

/* One child: the item of an array, the value of a map, the branch of a union. */
static int link_child(struct ctx *c, struct hr_avro_link *link, int how,
                      const struct hr_avro_node *node, const struct hr_field *field,
                      const struct hr_avro_node *file, const struct hr_field *file_field) {
    struct hr_avro_link *child = hr_arena_calloc(c->arena, 1, sizeof(*child));
    if (child == NULL) {
        return no_memory(c->err);
    }
    *child =
        (struct hr_avro_link){.node = node, .field = field, .file = file, .file_field = file_field};
    link->how = (uint8_t)how;
    link->children = child;
    link->n_children = 1;
    return link_types(c, child);
}

/* The reader's union of one that is none in the file: the branch of its own type, else the first
 * that it can be promoted to. */
static int link_branch(struct ctx *c, struct hr_avro_link *link) {
    for (int exact = 1; exact >= 0; exact--) {
        for (int i = 0; i < link->node->n_children; i++) {
            const struct hr_field *branch = &link->field->children[i];
            if (exact && !hr_type_equal(branch->type, link->file_field->type)) {
                continue;
            }
            struct hr_error quiet;
            struct ctx trial = {.arena = c->arena, .err = &quiet};
            hr_error_clear(&quiet);
            link->pick = i;
            const int rc = link_child(&trial, link, HOW_BRANCH, &link->node->children[i], branch,
                                      link->file, link->file_field);
            if (rc == 0 || rc == HR_E_NOMEM) {
                return rc == 0 ? 0 : no_memory(c->err);
            }
        }
    }
    return cannot(c, link);
}

/* Union to union: branches of one name. What the reader lacks is an error where it is met. */
static int link_members(struct ctx *c, struct hr_avro_link *link) {
    const int n = link->node->n_children;
    struct hr_avro_link *links = hr_arena_calloc(c->arena, (size_t)n + 1, sizeof(*links));
    int rc = links != NULL ? 0 : no_memory(c->err);
    link->how = HOW_MEMBERS;
    link->children = links;
    link->n_children = n;
    for (int i = 0; rc == 0 && i < n; i++) {
        const char *name = link->field->children[i].name;
        links[i].node = &link->node->children[i];
        links[i].field = &link->field->children[i];
        links[i].how = HOW_DEFAULT;
        links[i].from =
            find_field(link->file_field->children, link->file->n_children, name, strlen(name));
        if (links[i].from >= 0) {
            links[i].file = &link->file->children[links[i].from];
            links[i].file_field = &link->file_field->children[links[i].from];
            rc = link_types(c, &links[i]);
        }
    }
    return rc;
}

static bool has_symbol(const struct hr_avro_node *node, struct hr_slice text) {
    for (uint32_t i = 0; i < node->fixed; i++) {
        if (node->symbols[i].len == text.len &&
            memcmp(node->symbols[i].ptr, text.ptr, text.len) == 0) {
            return true;
        }
    }
    return false;
}

static int link_enum(struct hr_avro_link *link) {
    link->how = HOW_COPY;
    for (uint32_t i = 0; i < link->file->fixed; i++) {
        if (!has_symbol(link->node, link->file->symbols[i])) {
            link->how = HOW_SYMBOL;
        }
    }
    return 0;
}

static bool plain_int(struct hr_type t) {
    return t.id == HR_T_I32 || t.id == HR_T_I64;
}

static int link_scalars(struct ctx *c, struct hr_avro_link *link) {
    const struct hr_type from = link->file_field->type, to = link->field->type;
    const int f = link->file->kind, t = link->node->kind;
    if (f == HR_AVRO_ENUM || t == HR_AVRO_ENUM) {
        return f == t ? link_enum(link) : cannot(c, link);
    }
    if (hr_type_equal(from, to)) {
        link->how = HOW_COPY;
    } else if ((plain_int(from) && (to.id == HR_T_F32 || to.id == HR_T_F64)) ||
               (from.id == HR_T_I32 && to.id == HR_T_I64) ||
               (from.id == HR_T_F32 && to.id == HR_T_F64)) {
        link->how = HOW_WIDEN;
    } else if (hr_type_bytes(from) && hr_type_bytes(to)) {
        link->how = HOW_BYTES;
    } else if ((f == HR_AVRO_INT || f == HR_AVRO_LONG) && f == t &&
               (plain_int(from) || plain_int(to))) {
        link->how = HOW_RAW;
    } else if (from.id != HR_T_NULL && to.id != HR_T_UTF8 &&
               hr_type_nested(from) == hr_type_nested(to)) {
        struct hr_field a = *link->file_field, b = *link->field;
        a.nullable = b.nullable;
        link->how = HOW_CAST;
        return hr_field_fits(&a, &b) ? 0 : cannot(c, link);
    } else {
        return from.id == HR_T_NULL && link->field->nullable ? (link->how = HOW_CAST, 0)
                                                             : cannot(c, link);
    }
    return 0;
}

static int link_types(struct ctx *c, struct hr_avro_link *link) {
    const int f = link->file->kind, t = link->node->kind;
    const struct hr_field *field = link->field, *file_field = link->file_field;
    link->require = file_field->nullable && !field->nullable;
    if (t == HR_AVRO_UNION) {
        return f == HR_AVRO_UNION ? link_members(c, link) : link_branch(c, link);
    }
    if (f == HR_AVRO_UNION || (f == HR_AVRO_PAIRS) != (t == HR_AVRO_PAIRS)) {
        return cannot(c, link);
    }
    if (f == HR_AVRO_RECORD && t == HR_AVRO_RECORD) {
        link->how = HOW_FIELDS;
        link->n_children = link->node->n_children;
        return link_fields(c, link->node, field->children, link->file, file_field->children,
                           &link->children);
    }
    if (f == HR_AVRO_ARRAY && t == HR_AVRO_ARRAY) {
        return link_child(c, link, HOW_ITEMS, &link->node->children[0], &field->children[0],
                          &link->file->children[0], &file_field->children[0]);
    }
    if (f == HR_AVRO_MAP && t == HR_AVRO_MAP) {
        return link_child(c, link, HOW_ENTRIES, &link->node->children[0],
                          &field->children[0].children[1], &link->file->children[0],
                          &file_field->children[0].children[1]);
    }
    if (hr_type_nested(field->type) || hr_type_nested(file_field->type)) {
        link->how = HOW_COPY;
        return hr_field_equal(field, file_field) ? 0 : cannot(c, link);
    }
    return link_scalars(c, link);
}

int hr_avro_resolver_init(struct hr_avro_resolver *r, const char *json,
                          const struct hr_avro_schema *file, struct hr_error *err) {
    *r = (struct hr_avro_resolver){0};
    struct hr_error why;
    hr_error_clear(&why);
    int rc = hr_avro_schema_parse_reader(hr_slice_str(json), &r->reader, &why);
    if (rc != 0) {
        rc = rc == HR_E_NOMEM ? rc : HR_E_CONFIG;
        hr_fail(err, rc, "avro_schema cannot be used: %.300s", why.message);
        if (why.hint[0] != '\0') {
            hr_error_hint(err, "%s", why.hint);
        }
        return rc;
    }
    struct ctx c = {.arena = &r->reader.arena, .err = err};
    return link_fields(&c, &r->reader.root, r->reader.schema->fields, &file->root,
                       file->schema->fields, &r->links);
}

static void free_values(struct hr_avro_link *links, int n) {
    for (int i = 0; links != NULL && i < n; i++) {
        if (links[i].value != NULL) {
            hr_vec_release(links[i].value);
            hr_free(links[i].value);
        }
        free_values(links[i].children, links[i].n_children);
    }
}

void hr_avro_resolver_release(struct hr_avro_resolver *r) {
    free_values(r->links, r->reader.root.n_children);
    hr_avro_schema_release(&r->reader);
    r->links = NULL;
}

/* ---- values --------------------------------------------------------------------------------- */

static int misfit(const struct hr_avro_link *link, int64_t row, const char *what,
                  struct hr_error *err) {
    char shown[120];
    hr_printable(hr_slice_str(link->field->name), 80, shown, sizeof(shown));
    hr_fail(err, HR_E_SCHEMA, "'%s' holds %s, which avro_schema does not allow", shown, what);
    hr_error_place(err, -1, row + 1, link->field->name);
    return HR_E_SCHEMA;
}

/* A null that the reader's schema forbids, unless it stands below a null. */
static int check_nulls(const struct hr_avro_link *link, const struct hr_vec *src,
                       const struct hr_vec *above, struct hr_error *err) {
    for (int64_t i = 0; link->require && src->nulls > 0 && i < src->len; i++) {
        if (!hr_vec_valid(src, i) && (above == NULL || hr_vec_valid(above, i))) {
            return misfit(link, i, "a null", err);
        }
    }
    return 0;
}

/* Validity and length of values that were put into dst's buffers. dst was empty. */
static int take_shape(struct hr_vec *dst, const struct hr_vec *src, struct hr_error *err) {
    if (src->validity != NULL) {
        const int rc = hr_vec_need_validity(dst, (size_t)src->len, err);
        if (rc != 0) {
            return rc;
        }
        memcpy(dst->validity, src->validity, (size_t)(src->len + 7) / 8);
    }
    dst->nulls = src->nulls;
    dst->len = src->len;
    return 0;
}

static double number_at(const struct hr_vec *src, int64_t i) {
    float f;
    if (src->field->type.id != HR_T_F32) {
        return (double)hr_vec_i64(src, i);
    }
    memcpy(&f, src->data + i * 4, sizeof(f));
    return (double)f;
}

static int widen(struct hr_vec *dst, const struct hr_vec *src, struct hr_error *err) {
    const int to = dst->field->type.id;
    int rc = 0;
    for (int64_t i = 0; rc == 0 && i < src->len; i++) {
        if (!hr_vec_valid(src, i)) {
            rc = hr_vec_append_null(dst, err);
        } else if (to == HR_T_I64) {
            rc = hr_vec_append_i64(dst, hr_vec_i64(src, i), err);
        } else {
            rc = hr_vec_append_f64(dst, number_at(src, i), err);
        }
    }
    return rc;
}

static int bytes(const struct hr_avro_link *link, struct hr_vec *dst, const struct hr_vec *src,
                 struct hr_error *err) {
    int rc = 0;
    for (int64_t i = 0; rc == 0 && i < src->len; i++) {
        const struct hr_slice s = hr_vec_slice(src, i);
        if (!hr_vec_valid(src, i)) {
            rc = hr_vec_append_null(dst, err);
        } else if (dst->field->type.id == HR_T_UTF8 && !hr_utf8_valid(s.ptr, s.len)) {
            rc = misfit(link, i, "bytes that are no text", err);
        } else {
            rc = hr_vec_append_bytes(dst, s.ptr, s.len, err);
        }
    }
    return rc;
}

static int raw(struct hr_vec *dst, const struct hr_vec *src, struct hr_error *err) {
    int rc = hr_vec_reserve(dst, (size_t)src->len, err);
    if (rc == 0 && src->len > 0) {
        memcpy(dst->data, src->data, (size_t)src->len * (size_t)hr_type_width(src->field->type));
    }
    return rc == 0 ? take_shape(dst, src, err) : rc;
}

static int symbols(const struct hr_avro_link *link, struct hr_vec *dst, const struct hr_vec *src,
                   struct hr_error *err) {
    int rc = 0;
    for (int64_t i = 0; rc == 0 && i < src->len; i++) {
        struct hr_slice s = hr_vec_slice(src, i);
        if (!hr_vec_valid(src, i)) {
            rc = hr_vec_append_null(dst, err);
            continue;
        }
        if (!has_symbol(link->node, s)) {
            s = link->node->fallback;
        }
        rc = s.ptr != NULL ? hr_vec_append_bytes(dst, s.ptr, s.len, err)
                           : misfit(link, i, "a symbol", err);
    }
    return rc;
}

static int resolve(const struct hr_avro_link *link, struct hr_vec *dst, const struct hr_vec *src,
                   const struct hr_vec *above, int64_t rows, struct hr_error *err);

static int fields(const struct hr_avro_link *link, struct hr_vec *dst, const struct hr_vec *src,
                  struct hr_error *err) {
    int rc = 0;
    for (int i = 0; rc == 0 && i < link->n_children; i++) {
        const struct hr_avro_link *child = &link->children[i];
        rc = resolve(child, &dst->children[i],
                     child->from >= 0 ? &src->children[child->from] : NULL, src, src->len, err);
    }
    return rc == 0 ? take_shape(dst, src, err) : rc;
}

static int items(const struct hr_avro_link *link, struct hr_vec *dst, const struct hr_vec *src,
                 struct hr_error *err) {
    const struct hr_vec *inner = &src->children[0];
    struct hr_vec *to = &dst->children[0];
    int rc = hr_vec_reserve(dst, (size_t)src->len, err);
    if (rc == 0 && link->how == HOW_ENTRIES) {
        rc = hr_vec_append_range(&to->children[0], &inner->children[0], 0, inner->len, err);
        rc = rc == 0 ? resolve(&link->children[0], &to->children[1], &inner->children[1], NULL,
                               inner->len, err)
                     : rc;
        rc = rc == 0 ? take_shape(to, inner, err) : rc;
    } else if (rc == 0) {
        rc = resolve(&link->children[0], to, inner, NULL, inner->len, err);
    }
    if (rc == 0) {
        memcpy(dst->offsets, src->offsets, (size_t)(src->len + 1) * sizeof(*dst->offsets));
        rc = take_shape(dst, src, err);
    }
    return rc;
}

static int branch(const struct hr_avro_link *link, struct hr_vec *dst, const struct hr_vec *src,
                  struct hr_error *err) {
    int rc = 0;
    for (int i = 0; rc == 0 && i < link->node->n_children; i++) {
        rc = i == link->pick
                 ? resolve(&link->children[0], &dst->children[i], src, NULL, src->len, err)
                 : hr_vec_append_nulls(&dst->children[i], (size_t)src->len, err);
    }
    return rc == 0 ? take_shape(dst, src, err) : rc;
}

static bool taken(const struct hr_avro_link *link, int member) {
    for (int i = 0; i < link->n_children; i++) {
        if (link->children[i].from == member) {
            return true;
        }
    }
    return false;
}

static int members(const struct hr_avro_link *link, struct hr_vec *dst, const struct hr_vec *src,
                   struct hr_error *err) {
    int rc = 0;
    for (int i = 0; rc == 0 && i < src->n_children; i++) {
        const struct hr_vec *member = &src->children[i];
        for (int64_t k = 0; rc == 0 && !taken(link, i) && k < member->len; k++) {
            const bool null = member->field->type.id == HR_T_NULL || !hr_vec_valid(member, k);
            rc = null ? 0 : misfit(link, k, "a value of a type", err);
        }
    }
    for (int i = 0; rc == 0 && i < link->n_children; i++) {
        const int from = link->children[i].from;
        rc = from >= 0 ? resolve(&link->children[i], &dst->children[i], &src->children[from], NULL,
                                 src->len, err)
                       : hr_vec_append_nulls(&dst->children[i], (size_t)src->len, err);
    }
    return rc == 0 ? take_shape(dst, src, err) : rc;
}

static int repeat(struct hr_vec *dst, const struct hr_vec *value, int64_t rows,
                  struct hr_error *err) {
    int rc = 0;
    if (value == NULL || !hr_vec_valid(value, 0) || value->field->type.id == HR_T_NULL) {
        return hr_vec_append_nulls(dst, (size_t)rows, err);
    }
    for (int64_t i = 0; rc == 0 && i < rows; i++) {
        rc = hr_vec_append_range(dst, value, 0, 1, err);
    }
    return rc;
}

static int resolve(const struct hr_avro_link *link, struct hr_vec *dst, const struct hr_vec *src,
                   const struct hr_vec *above, int64_t rows, struct hr_error *err) {
    if (link->how == HOW_DEFAULT) {
        return repeat(dst, link->value, rows, err);
    }
    const int rc = check_nulls(link, src, above, err);
    if (rc != 0) {
        return rc;
    }
    switch ((enum how)link->how) {
    case HOW_WIDEN: return widen(dst, src, err);
    case HOW_BYTES: return bytes(link, dst, src, err);
    case HOW_RAW: return raw(dst, src, err);
    case HOW_CAST: return hr_vec_cast(dst, src, err);
    case HOW_SYMBOL: return symbols(link, dst, src, err);
    case HOW_FIELDS: return fields(link, dst, src, err);
    case HOW_ITEMS:
    case HOW_ENTRIES: return items(link, dst, src, err);
    case HOW_BRANCH: return branch(link, dst, src, err);
    case HOW_MEMBERS: return members(link, dst, src, err);
    default: return hr_vec_append_range(dst, src, 0, src->len, err);
    }
}

int hr_avro_resolve(const struct hr_avro_link *link, struct hr_vec *dst, const struct hr_vec *src,
                    int64_t rows, struct hr_error *err) {
    return resolve(link, dst, src, NULL, rows, err);
}
