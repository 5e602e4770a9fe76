/* format/json/json_shape.c - the keys of objects: looked up once, then predicted.
 *
 * hr_j_key is the general way over `,"key":`, any blanks and escapes included. It finds the slot of
 * the key and remembers the bytes it passed over and which key came before, so that the next object
 * of the same shape needs one comparison a key. Shapes grow with the keys met, up to a bound: an
 * object that is really a map with millions of keys costs time, not memory.
 */
#include "base/cpu.h"
#include "base/hash.h"
#include "format/json/json_read.h"

#define SLOTS_MAX 16384 /* remembered keys of one reader, judged between records */
#define KEYS_BYTES_MAX ((size_t)256 << 20) /* keys of one record */
#define INDEX_START 32

/* ---- columns by name ---- */

static uint32_t name_hash(const char *name, size_t len) {
    return (uint32_t)hr_hash64(name, len, 0);
}

static int index_columns(struct hr_json *json) {
    const struct hr_schema *want = json->base.schema;
    uint32_t size = 16;
    while (size < 2 * (uint32_t)want->n_fields) {
        size *= 2;
    }
    json->names = hr_arena_calloc(&json->arena, size, sizeof(*json->names));
    if (json->names == NULL) {
        return HR_E_NOMEM;
    }
    json->names_mask = size - 1;
    for (int i = 0; i < want->n_fields; i++) {
        const char *name = want->fields[i].name;
        uint32_t at = name_hash(name, strlen(name)) & json->names_mask;
        while (json->names[at] != 0) {
            at = (at + 1) & json->names_mask;
        }
        json->names[at] = (uint32_t)i + 1;
    }
    return 0;
}

static struct hr_j_col *record_column(const struct hr_json *json, const char *name, size_t len) {
    const struct hr_schema *want = json->base.schema;
    uint32_t at = name_hash(name, len) & json->names_mask;
    for (; json->names[at] != 0; at = (at + 1) & json->names_mask) {
        const int i = (int)json->names[at] - 1;
        const char *have = want->fields[i].name;
        if (strncmp(have, name, len) == 0 && have[len] == '\0') {
            return i == json->rescued ? NULL : &json->cols[i];
        }
    }
    return NULL;
}

static struct hr_j_col *find_column(const struct hr_json *json, const struct hr_j_shape *shape,
                                    const char *path, const char *name, size_t name_len) {
    if (shape->fields == NULL) {
        return record_column(json, path, strlen(path));
    }
    for (int i = 0; i < shape->n_cols; i++) {
        const char *have = shape->fields[i].name;
        if (strncmp(have, name, name_len) == 0 && have[name_len] == '\0') {
            return &shape->cols[i];
        }
    }
    return NULL;
}

/* ---- slots ---- */

static int grow_index(struct hr_json *json, struct hr_j_shape *shape) {
    const uint32_t size = shape->index ? 2 * (shape->index_mask + 1) : INDEX_START;
    struct hr_j_slot **index = hr_arena_calloc(&json->keys, size, sizeof(struct hr_j_slot *));
    if (index == NULL) {
        return HR_E_NOMEM;
    }
    for (uint32_t i = 0; shape->index != NULL && i <= shape->index_mask; i++) {
        struct hr_j_slot *slot = shape->index[i];
        if (slot != NULL) {
            uint32_t at = name_hash(slot->name, slot->name_len) & (size - 1);
            while (index[at] != NULL) {
                at = (at + 1) & (size - 1);
            }
            index[at] = slot;
        }
    }
    shape->index = index;
    shape->index_mask = size - 1;
    return 0;
}

static bool takes_objects(const struct hr_j_col *col) {
    const struct hr_type type = col->vec->field->type;
    return type.id == HR_T_STRUCT || type.id == HR_T_MAP ||
           (type.id == HR_T_UTF8 && type.ext == HR_EXT_JSON);
}

static struct hr_j_slot *new_slot(struct hr_json *json, struct hr_j_shape *shape, const char *name,
                                  size_t len) {
    const size_t prefix_len = strlen(shape->prefix);
    struct hr_j_slot *slot = hr_arena_calloc(&json->keys, 1, sizeof(*slot));
    char *path = hr_arena_alloc(&json->keys, prefix_len + len + 1);
    if (slot == NULL || path == NULL) {
        return NULL;
    }
    memcpy(path, shape->prefix, prefix_len);
    memcpy(path + prefix_len, name, len);
    path[prefix_len + len] = '\0';
    slot->path = path;
    slot->name = path + prefix_len;
    slot->name_len = len;
    slot->col = find_column(json, shape, path, slot->name, len);
    slot->flat = shape->flatten && !(slot->col != NULL && takes_objects(slot->col));
    return slot;
}

/* The slot of this name; NULL: no memory or too many. */
static struct hr_j_slot *slot_of(struct hr_json *json, struct hr_j_shape *shape, const char *name,
                                 size_t len) {
    if (2 * (uint32_t)shape->n_slots >= shape->index_mask && grow_index(json, shape) != 0) {
        return NULL;
    }
    uint32_t at = name_hash(name, len) & shape->index_mask;
    for (; shape->index[at] != NULL; at = (at + 1) & shape->index_mask) {
        struct hr_j_slot *slot = shape->index[at];
        if (slot->name_len == len && memcmp(slot->name, name, len) == 0) {
            return slot;
        }
    }
    struct hr_j_slot *slot = new_slot(json, shape, name, len);
    if (slot != NULL) {
        shape->index[at] = slot;
        shape->n_slots++;
        json->n_slots++;
    }
    return slot;
}

/* Remember the bytes [from, to) that led to the slot. */
static void learn(struct hr_json *json, struct hr_j_slot *slot, const uint8_t *from,
                  const uint8_t *to) {
    const size_t len = (size_t)(to - from);
    if (len > HR_J_PATTERN_MAX) {
        slot->pattern_len = 0;
        return;
    }
    if (len > HR_J_PATTERN) {
        if (slot->long_pattern == NULL) {
            slot->long_pattern = hr_arena_alloc(&json->keys, HR_J_PATTERN_MAX);
        }
        if (slot->long_pattern == NULL) {
            slot->pattern_len = 0;
            return;
        }
        memcpy(slot->long_pattern, from, len);
    }
    const size_t first = len < HR_J_PATTERN ? len : HR_J_PATTERN;
    memcpy(slot->pattern, from, first);
    slot->mask = first == 32 ? UINT32_MAX : (1u << first) - 1;
    slot->pattern_len = (uint32_t)len;
}

static void link_slot(struct hr_j_link *link, struct hr_j_slot *slot) {
    if (slot->pattern_len == 0 || link->next == slot) {
        return;
    }
    link->other = link->next;
    link->next = slot;
}

/* ---- the general way over a key ---- */

/* From the byte behind the last value (or at '{') to the opening quote of a key; over '}':
 * *out_end. */
static const uint8_t *to_key(struct hr_j_lex *lex, const uint8_t *p, bool first, bool *out_end) {
    *out_end = false;
    if (first) {
        p = hr_j_blank(lex, p + 1);
    } else {
        p = hr_j_blank(lex, p);
        if (p < lex->end && *p == ',') {
            p = hr_j_blank(lex, p + 1);
            first = false;
        } else if (p < lex->end && *p == '}') {
            *out_end = true;
            return p + 1;
        } else {
            return p < lex->end ? hr_j_bad(lex, p, "',' or '}' was expected in an object")
                                : hr_j_cut(lex, "an object is not closed");
        }
    }
    if (p >= lex->end) {
        return hr_j_cut(lex, "an object is not closed");
    }
    if (first && *p == '}') {
        *out_end = true;
        return p + 1;
    }
    return *p == '"' ? p : hr_j_bad(lex, p, "a key in quotes was expected");
}

static const uint8_t *over_colon(struct hr_j_lex *lex, const uint8_t *p) {
    p = hr_j_blank(lex, p);
    if (p >= lex->end || *p != ':') {
        return p < lex->end ? hr_j_bad(lex, p, "':' was expected behind a key")
                            : hr_j_cut(lex, "an object is not closed");
    }
    p = hr_j_blank(lex, p + 1);
    return p < lex->end ? p : hr_j_cut(lex, "a value is missing");
}

static int no_slot(const struct hr_json *json, struct hr_error *err) {
    if (json->keys.used < KEYS_BYTES_MAX / 2) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate a JSON key");
    }
    hr_fail(err, HR_E_BOUND, "could not read JSON: a record has too many different keys");
    hr_error_hint(err, "keys that are data belong in an array of values");
    return HR_E_BOUND;
}

const uint8_t *hr_j_key(struct hr_json *json, struct hr_j_shape *shape, struct hr_j_link *link,
                        const uint8_t *p, struct hr_j_slot **out) {
    struct hr_j_lex *lex = &json->frame.lex;
    const uint8_t *from = p;
    struct hr_j_token key;
    bool end;
    *out = NULL;
    p = to_key(lex, p, link == &shape->first, &end);
    if (p == NULL || end) {
        return p;
    }
    p = hr_j_string(lex, p + 1, &key);
    p = p ? over_colon(lex, p) : NULL;
    if (p == NULL) {
        return NULL;
    }
    const char *name = (const char *)key.text.ptr;
    size_t name_len = key.text.len;
    if (key.escaped) {
        hr_buf_clear(&json->scratch);
        const int rc = hr_buf_reserve(&json->scratch, 3 * key.text.len, lex->err);
        if (rc != 0) {
            return hr_j_fail(lex, rc);
        }
        name = (const char *)json->scratch.ptr;
        name_len = hr_j_key_name(&key, (char *)json->scratch.ptr);
    }
    *out = slot_of(json, shape, name, name_len);
    if (*out == NULL) {
        return hr_j_fail(lex, no_slot(json, lex->err));
    }
    if (json->engine->predict) {
        learn(json, *out, from, p);
        link_slot(link, *out);
    }
    return p;
}

/* ---- shapes ---- */

int hr_j_shape_child(struct hr_json *json, const struct hr_j_shape *parent,
                     struct hr_j_slot *slot) {
    const char *separator = hr_j_rules_of(json->opts).separator;
    const size_t path_len = strlen(slot->path);
    const size_t sep_len = strlen(separator);
    struct hr_j_shape *child = hr_arena_calloc(&json->keys, 1, sizeof(*child));
    char *prefix = hr_arena_alloc(&json->keys, path_len + sep_len + 1);
    if (child == NULL || prefix == NULL) {
        return HR_E_NOMEM;
    }
    memcpy(prefix, slot->path, path_len);
    memcpy(prefix + path_len, separator, sep_len + 1);
    child->prefix = prefix;
    child->level = parent->level + 1;
    child->flatten = child->level < json->opts->max_depth;
    slot->child = child;
    return 0;
}

int hr_j_shape_struct(struct hr_json *json, struct hr_j_col *col) {
    struct hr_j_shape *shape = hr_arena_calloc(&json->arena, 1, sizeof(*shape));
    if (shape == NULL) {
        return HR_E_NOMEM;
    }
    shape->fields = col->vec->field->children;
    shape->cols = col->children;
    shape->n_cols = col->n_children;
    shape->prefix = "";
    col->shape = shape;
    return 0;
}

/* Between records: when keys that are data have filled the memory of keys, start it anew. */
static void forget_keys(struct hr_j_col *cols, int n) {
    for (int i = 0; i < n; i++) {
        if (cols[i].shape != NULL) {
            cols[i].shape->index = NULL;
            cols[i].shape->index_mask = 0;
            cols[i].shape->n_slots = 0;
            cols[i].shape->first = (struct hr_j_link){0};
        }
        forget_keys(cols[i].children, cols[i].n_children);
    }
}

static int open_root(struct hr_json *json) {
    json->root = (struct hr_j_shape){.prefix = "",
                                     .flatten = json->opts->flatten && json->opts->max_depth > 0};
    json->n_slots = 0;
    json->bare = NULL;
    const int n_fields = json->base.schema->n_fields;
    if (n_fields - (json->rescued >= 0) == 1 && record_column(json, "value", 5) != NULL) {
        json->bare = slot_of(json, &json->root, "value", 5);
        return json->bare ? 0 : HR_E_NOMEM;
    }
    return 0;
}

int hr_j_shapes_trim(struct hr_json *json, struct hr_error *err) {
    if (json->n_slots <= SLOTS_MAX + json->n_cols) {
        return 0;
    }
    hr_arena_reset(&json->keys);
    forget_keys(json->cols, json->n_cols);
    return open_root(json) == 0 ? 0 : hr_fail(err, HR_E_NOMEM, "could not allocate a JSON key");
}

int hr_j_shapes_open(struct hr_json *json, struct hr_error *err) {
    hr_arena_init(&json->keys, KEYS_BYTES_MAX);
    int rc = index_columns(json);
    if (rc == 0) {
        rc = open_root(json);
    }
    return rc == 0 ? 0 : hr_fail(err, HR_E_NOMEM, "could not allocate a JSON reader");
}
