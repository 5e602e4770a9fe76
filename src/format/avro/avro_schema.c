/* format/avro/avro_schema.c - compiles the JSON of an Avro schema into columns and decoder nodes.
 *
 * Runs once per file, before its first block. Two walks: one collects the named types (record,
 * enum, fixed; specification, "Names"), one builds hr_field and hr_avro_node side by side,
 * expanding each reference in place. An expansion that meets itself is recursion, which columns
 * cannot hold. */
#include "format/avro/avro_schema.h"

#include <jansson.h>

#include "base/mem.h"

struct named {
    const char *space, *name; /* space "" when none; both inside the JSON */
    size_t space_len, name_len;
    const json_t *def;
    bool open; /* being expanded */
};

struct build {
    struct hr_avro_schema *out;
    struct named *names;
    size_t n_names, names_cap;
    bool reader; /* keep aliases and defaults */
    struct hr_error *err;
};

/* A namespace in force. */
struct space {
    const char *ptr;
    size_t len;
};

static int build_type(struct build *b, const json_t *type, struct space space, int depth,
                      struct hr_slice name, struct hr_field *field, struct hr_avro_node *node);

static int refuse(struct build *b, const char *why) {
    return hr_fail(b->err, HR_E_CORRUPT, "its schema is wrong: %s", why);
}

static int no_memory(struct build *b) {
    return hr_fail(b->err, HR_E_NOMEM, "out of memory for its schema");
}

static const char *text_of(const json_t *object, const char *key) {
    return json_string_value(json_object_get(object, key));
}

/* ---- names ---- */

/* Split a full name; a name without dots belongs to `space`. */
static void split_name(const char *text, size_t len, struct space *space, const char **name,
                       size_t *name_len) {
    const char *dot = memrchr(text, '.', len);
    if (dot != NULL) {
        *space = (struct space){text, (size_t)(dot - text)};
        text = dot + 1;
        len -= space->len + 1;
    }
    *name = text;
    *name_len = len;
}

static struct named *find_exact(struct build *b, struct space space, const char *name, size_t len) {
    for (size_t i = 0; i < b->n_names; i++) {
        struct named *n = &b->names[i];
        if (n->name_len == len && n->space_len == space.len && memcmp(n->name, name, len) == 0 &&
            (space.len == 0 || memcmp(n->space, space.ptr, space.len) == 0)) {
            return n;
        }
    }
    return NULL;
}

static struct named *find_name(struct build *b, struct space space, const char *text) {
    const char *name;
    size_t len;
    split_name(text, strlen(text), &space, &name, &len);
    struct named *found = find_exact(b, space, name, len);
    return found != NULL ? found : find_exact(b, (struct space){"", 0}, name, len);
}

static bool is_named(const char *type) {
    return strcmp(type, "record") == 0 || strcmp(type, "error") == 0 || strcmp(type, "enum") == 0 ||
           strcmp(type, "fixed") == 0;
}

/* The namespace of a named definition, and its name. */
static bool name_of(const json_t *def, struct space *space, const char **name, size_t *len) {
    const char *text = text_of(def, "name");
    const char *own = text_of(def, "namespace");
    if (text == NULL) {
        return false;
    }
    if (own != NULL) {
        *space = (struct space){own, strlen(own)};
    }
    split_name(text, strlen(text), space, name, len);
    return true;
}

static int collect(struct build *b, const json_t *type, struct space space, int depth);

static int collect_named(struct build *b, const json_t *def, const char *kind, struct space space,
                         int depth) {
    struct named named = {.def = def};
    if (!name_of(def, &space, &named.name, &named.name_len)) {
        return refuse(b, "a record, enum or fixed has no name");
    }
    named.space = space.ptr;
    named.space_len = space.len;
    if (b->n_names == b->names_cap) {
        size_t cap = b->names_cap != 0 ? b->names_cap * 2 : 16;
        struct named *grown = hr_reallocarray(b->names, cap, sizeof(*grown));
        if (grown == NULL) {
            return no_memory(b);
        }
        b->names = grown;
        b->names_cap = cap;
    }
    if (b->n_names >= HR_AVRO_NAMES_MAX) {
        return refuse(b, "it has more than 10,000 named types");
    }
    b->names[b->n_names++] = named; /* of two with one name the first is what references mean */
    if (strcmp(kind, "enum") == 0 || strcmp(kind, "fixed") == 0) {
        return 0;
    }
    size_t i;
    json_t *field;
    int rc = 0;
    json_array_foreach(json_object_get(def, "fields"), i, field) {
        rc = rc != 0 ? rc : collect(b, json_object_get(field, "type"), space, depth + 1);
    }
    return rc;
}

static int collect(struct build *b, const json_t *type, struct space space, int depth) {
    if (depth > HR_AVRO_DEPTH_MAX) {
        return hr_fail(b->err, HR_E_BOUND, "its schema is nested deeper than %d levels",
                       HR_AVRO_DEPTH_MAX);
    }
    int rc = 0;
    if (json_is_array(type)) {
        size_t i;
        json_t *branch;
        json_array_foreach(type, i, branch) {
            rc = rc != 0 ? rc : collect(b, branch, space, depth + 1);
        }
        return rc;
    }
    const json_t *inner = json_object_get(type, "type");
    const char *kind = json_string_value(inner);
    if (kind == NULL) { /* {"type": {...}} wraps a type */
        return inner != NULL ? collect(b, inner, space, depth + 1) : 0;
    }
    if (is_named(kind)) {
        return collect_named(b, type, kind, space, depth);
    }
    rc = collect(b, json_object_get(type, "items"), space, depth + 1);
    return rc != 0 ? rc : collect(b, json_object_get(type, "values"), space, depth + 1);
}

/* ---- leaves ---- */

struct primitive {
    const char *name;
    enum hr_avro_kind kind;
    enum hr_type_id id;
    uint32_t min_bytes;
};

static const struct primitive primitives[] = {
    {"null", HR_AVRO_NULL, HR_T_NULL, 0},     {"boolean", HR_AVRO_BOOL, HR_T_BOOL, 1},
    {"int", HR_AVRO_INT, HR_T_I32, 1},        {"long", HR_AVRO_LONG, HR_T_I64, 1},
    {"float", HR_AVRO_FLOAT, HR_T_F32, 4},    {"double", HR_AVRO_DOUBLE, HR_T_F64, 8},
    {"bytes", HR_AVRO_BYTES, HR_T_BINARY, 1}, {"string", HR_AVRO_BYTES, HR_T_UTF8, 1},
};

static const struct primitive *find_primitive(const char *name) {
    for (size_t i = 0; i < sizeof(primitives) / sizeof(primitives[0]); i++) {
        if (strcmp(primitives[i].name, name) == 0) {
            return &primitives[i];
        }
    }
    return NULL;
}

/* Logical types that only rename an int or a long. */
static const struct {
    const char *name;
    enum hr_avro_kind kind;
    struct hr_type type;
} logicals[] = {
    {"date", HR_AVRO_INT, {.id = HR_T_DATE32}},
    {"time-millis", HR_AVRO_INT, {.id = HR_T_TIME32, .unit = HR_U_MS}},
    {"time-micros", HR_AVRO_LONG, {.id = HR_T_TIME64, .unit = HR_U_US}},
    {"timestamp-millis", HR_AVRO_LONG, {.id = HR_T_TS, .unit = HR_U_MS, .utc = 1}},
    {"timestamp-micros", HR_AVRO_LONG, {.id = HR_T_TS, .unit = HR_U_US, .utc = 1}},
    {"timestamp-nanos", HR_AVRO_LONG, {.id = HR_T_TS, .unit = HR_U_NS, .utc = 1}},
    {"local-timestamp-millis", HR_AVRO_LONG, {.id = HR_T_TS, .unit = HR_U_MS}},
    {"local-timestamp-micros", HR_AVRO_LONG, {.id = HR_T_TS, .unit = HR_U_US}},
    {"local-timestamp-nanos", HR_AVRO_LONG, {.id = HR_T_TS, .unit = HR_U_NS}},
};

#define DURATION(in)                                                                               \
    { .id = HR_T_I64, .unit = (in), .ext = HR_EXT_DURATION }

/* What our writer noted about a type Avro has no name for. Only pairs the writer makes are taken
 * up. */
static void apply_own_type(const json_t *def, struct hr_type *type, struct hr_avro_node *node) {
    static const struct {
        const char *text;
        enum hr_avro_kind from, to;
        struct hr_type type;
    } own[] = {
        {"int8", HR_AVRO_INT, HR_AVRO_NARROW, {.id = HR_T_I8}},
        {"int16", HR_AVRO_INT, HR_AVRO_NARROW, {.id = HR_T_I16}},
        {"uint8", HR_AVRO_INT, HR_AVRO_NARROW, {.id = HR_T_U8}},
        {"uint16", HR_AVRO_INT, HR_AVRO_NARROW, {.id = HR_T_U16}},
        {"uint32", HR_AVRO_LONG, HR_AVRO_NARROW, {.id = HR_T_U32}},
        {"uint64", HR_AVRO_DEC_BYTES, HR_AVRO_DEC_BYTES, {.id = HR_T_U64}},
        {"json", HR_AVRO_BYTES, HR_AVRO_BYTES, {.id = HR_T_UTF8, .ext = HR_EXT_JSON}},
        {"enum", HR_AVRO_BYTES, HR_AVRO_BYTES, {.id = HR_T_UTF8, .ext = HR_EXT_ENUM}},
        {"bson", HR_AVRO_BYTES, HR_AVRO_BYTES, {.id = HR_T_BINARY, .ext = HR_EXT_BSON}},
        {"float16", HR_AVRO_FLOAT, HR_AVRO_HALF, {.id = HR_T_F16}},
        {"duration[s]", HR_AVRO_LONG, HR_AVRO_LONG, DURATION(HR_U_S)},
        {"duration[ms]", HR_AVRO_LONG, HR_AVRO_LONG, DURATION(HR_U_MS)},
        {"duration[us]", HR_AVRO_LONG, HR_AVRO_LONG, DURATION(HR_U_US)},
        {"duration[ns]", HR_AVRO_LONG, HR_AVRO_LONG, DURATION(HR_U_NS)},
        {"time[s]", HR_AVRO_INT, HR_AVRO_THOUSAND, {.id = HR_T_TIME32, .unit = HR_U_S}},
        {"time[ns]", HR_AVRO_LONG, HR_AVRO_LONG, {.id = HR_T_TIME64, .unit = HR_U_NS}},
        {"timestamp[s]", HR_AVRO_LONG, HR_AVRO_THOUSAND, {.id = HR_T_TS, .unit = HR_U_S}},
        {"timestamp[s, utc]",
         HR_AVRO_LONG,
         HR_AVRO_THOUSAND,
         {.id = HR_T_TS, .unit = HR_U_S, .utc = 1}},
    };
    const char *text = text_of(def, "headrace-type");
    for (size_t i = 0; text != NULL && i < sizeof(own) / sizeof(own[0]); i++) {
        bool fits = own[i].from == (enum hr_avro_kind)node->kind &&
                    (node->kind != HR_AVRO_BYTES || own[i].type.id == type->id);
        if (fits && strcmp(own[i].text, text) == 0) {
            *type = own[i].type;
            node->kind = (uint8_t)own[i].to;
        }
    }
}

static bool apply_decimal(const json_t *def, uint32_t fixed, struct hr_type *type) {
    const json_t *precision = json_object_get(def, "precision");
    const json_t *scale = json_object_get(def, "scale");
    json_int_t p = json_integer_value(precision);
    json_int_t s = json_integer_value(scale);
    if (p < 1 || p > 76 || s < 0 || s > p || (scale != NULL && !json_is_integer(scale))) {
        return false;
    }
    if (fixed > 0 && fixed < 32 && p > (json_int_t)((fixed * 8 - 1) * 30103 / 100000)) {
        return false; /* more digits than so many bytes hold: the specification says ignore */
    }
    *type = (struct hr_type){
        .id = p <= 38 ? HR_T_DEC128 : HR_T_DEC256, .precision = (int16_t)p, .scale = (int16_t)s};
    return true;
}

static void apply_logical(const json_t *def, struct hr_type *type, struct hr_avro_node *node) {
    const char *logical = text_of(def, "logicalType");
    if (logical == NULL) {
        return;
    }
    for (size_t i = 0; i < sizeof(logicals) / sizeof(logicals[0]); i++) {
        if (strcmp(logicals[i].name, logical) == 0 &&
            logicals[i].kind == (enum hr_avro_kind)node->kind) {
            *type = logicals[i].type;
            return;
        }
    }
    if (strcmp(logical, "decimal") == 0) {
        if (type->id == HR_T_BINARY && apply_decimal(def, 0, type)) {
            node->kind = HR_AVRO_DEC_BYTES;
        } else if (node->kind == HR_AVRO_FIXED && apply_decimal(def, node->fixed, type)) {
            node->kind = HR_AVRO_DEC_FIXED;
        }
    } else if (strcmp(logical, "uuid") == 0 && node->kind == HR_AVRO_FIXED && node->fixed == 16) {
        type->ext = HR_EXT_UUID;
    } else if (strcmp(logical, "duration") == 0 && node->kind == HR_AVRO_FIXED &&
               node->fixed == 12) {
        type->ext = HR_EXT_INTERVAL;
    }
}

static int leaf_field(struct build *b, struct hr_slice name, struct hr_type type,
                      struct hr_field *field, struct hr_avro_node *node) {
    int rc = hr_field_init(field, (const char *)name.ptr, name.len, type, 0);
    field->nullable = type.id == HR_T_NULL;
    node->width = (uint8_t)(type.id == HR_T_FIXED ? 0 : hr_type_width(type));
    return rc != 0 ? no_memory(b) : 0;
}

static int build_primitive(struct build *b, const struct primitive *prim, const json_t *def,
                           struct hr_slice name, struct hr_field *field,
                           struct hr_avro_node *node) {
    struct hr_type type = hr_type(prim->id);
    node->kind = (uint8_t)prim->kind;
    node->min_bytes = prim->min_bytes;
    apply_logical(def, &type, node);
    apply_own_type(def, &type, node);
    return leaf_field(b, name, type, field, node);
}

static int build_fixed(struct build *b, const json_t *def, struct hr_slice name,
                       struct hr_field *field, struct hr_avro_node *node) {
    json_int_t size = json_integer_value(json_object_get(def, "size"));
    if (!json_is_integer(json_object_get(def, "size")) || size < 0 || size > (1 << 24)) {
        return refuse(b, "a fixed type has no size, or one over 16 MiB");
    }
    struct hr_type type = {.id = HR_T_FIXED, .width = (int32_t)size};
    node->kind = HR_AVRO_FIXED;
    node->fixed = (uint32_t)size;
    node->min_bytes = (uint32_t)size;
    apply_logical(def, &type, node);
    return leaf_field(b, name, type, field, node);
}

static struct hr_slice keep_text(struct build *b, const char *text, size_t len) {
    const char *copy = hr_arena_strndup(&b->out->arena, text, len);
    return copy != NULL ? hr_slice_of(copy, len) : (struct hr_slice){0};
}

static int build_enum(struct build *b, const json_t *def, struct hr_slice name,
                      struct hr_field *field, struct hr_avro_node *node) {
    const json_t *symbols = json_object_get(def, "symbols");
    size_t count = json_array_size(symbols);
    if (!json_is_array(symbols) || count > 1000000) {
        return refuse(b, "an enum has no symbols, or more than a million");
    }
    struct hr_slice *list = hr_arena_calloc(&b->out->arena, count + 1, sizeof(*list));
    if (list == NULL) {
        return no_memory(b);
    }
    for (size_t i = 0; i < count; i++) {
        const char *text = json_string_value(json_array_get(symbols, i));
        if (text == NULL) {
            return refuse(b, "a symbol of an enum is no text");
        }
        size_t len = strlen(text);
        char *copy = hr_arena_strndup(&b->out->arena, text, len);
        if (copy == NULL) {
            return no_memory(b);
        }
        list[i] = hr_slice_of(copy, len);
    }
    const char *fallback = b->reader ? text_of(def, "default") : NULL;
    if (fallback != NULL) {
        node->fallback = keep_text(b, fallback, strlen(fallback));
        if (node->fallback.ptr == NULL) {
            return no_memory(b);
        }
    }
    node->kind = HR_AVRO_ENUM;
    node->fixed = (uint32_t)count;
    node->symbols = list;
    node->min_bytes = 1;
    /* Plain text: as ENUM in Parquet, pyarrow would give the symbols back as bytes. */
    return leaf_field(b, name, hr_type(HR_T_UTF8), field, node);
}

/* ---- nested types ---- */

static int nest(struct build *b, enum hr_avro_kind kind, struct hr_type type, struct hr_slice name,
                size_t children, struct hr_field *field, struct hr_avro_node *node) {
    if (children > HR_AVRO_NODES_MAX) {
        return hr_fail(b->err, HR_E_BOUND, "its schema has more than %d fields, items and branches",
                       HR_AVRO_NODES_MAX);
    }
    node->kind = (uint8_t)kind;
    node->n_children = (int32_t)children;
    node->children = hr_arena_calloc(&b->out->arena, children + 1, sizeof(*node->children));
    if (node->children == NULL ||
        hr_field_init(field, (const char *)name.ptr, name.len, type, (int)children) != 0) {
        return no_memory(b);
    }
    field->nullable = false;
    return 0;
}

static uint32_t add_min(uint32_t a, uint32_t c) {
    return a > UINT32_MAX - c ? UINT32_MAX : a + c;
}

static struct hr_slice column_name(const json_t *field) {
    const char *own = text_of(field, "headrace-name");
    return hr_slice_str(own != NULL ? own : text_of(field, "name"));
}

/* What resolution needs to know of a reader's field. */
static int keep_resolution(struct build *b, const json_t *field, struct hr_avro_node *node) {
    const json_t *aliases = json_object_get(field, "aliases");
    const json_t *value = json_object_get(field, "default");
    const size_t n = json_array_size(aliases);
    struct hr_slice *list = hr_arena_calloc(&b->out->arena, n + 1, sizeof(*list));
    if (list == NULL) {
        return no_memory(b);
    }
    for (size_t i = 0; i < n; i++) {
        const char *text = json_string_value(json_array_get(aliases, i));
        if (text == NULL) {
            return refuse(b, "an alias is no text");
        }
        list[i] = keep_text(b, text, strlen(text));
        if (list[i].ptr == NULL) {
            return no_memory(b);
        }
    }
    node->aliases = list;
    node->n_aliases = n;
    if (value != NULL) {
        const size_t flags = JSON_ENCODE_ANY | JSON_COMPACT;
        const size_t len = json_dumpb(value, NULL, 0, flags);
        char *text = hr_arena_alloc(&b->out->arena, len + 1);
        if (text == NULL || json_dumpb(value, text, len, flags) != len) {
            return no_memory(b);
        }
        node->value = hr_slice_of(text, len);
    }
    return 0;
}

static int build_fields(struct build *b, const json_t *fields, struct space space, int depth,
                        struct hr_field *out, struct hr_avro_node *node) {
    for (int32_t i = 0; i < node->n_children; i++) {
        const json_t *field = json_array_get(fields, (size_t)i);
        struct hr_slice name = column_name(field);
        if (name.ptr == NULL) {
            return refuse(b, "a field has no name");
        }
        struct hr_avro_node *child = &node->children[i];
        int rc =
            build_type(b, json_object_get(field, "type"), space, depth + 1, name, &out[i], child);
        rc = rc == 0 && b->reader ? keep_resolution(b, field, child) : rc;
        if (rc != 0) {
            return rc;
        }
        node->min_bytes = add_min(node->min_bytes, child->min_bytes);
    }
    return 0;
}

static int build_record(struct build *b, const json_t *def, struct space space, int depth,
                        struct hr_slice name, struct hr_field *field, struct hr_avro_node *node) {
    const json_t *fields = json_object_get(def, "fields");
    if (!json_is_array(fields)) {
        return refuse(b, "a record has no list of fields");
    }
    int rc =
        nest(b, HR_AVRO_RECORD, hr_type(HR_T_STRUCT), name, json_array_size(fields), field, node);
    return rc != 0 ? rc : build_fields(b, fields, space, depth, field->children, node);
}

static int build_array(struct build *b, const json_t *def, struct space space, int depth,
                       struct hr_slice name, struct hr_field *field, struct hr_avro_node *node) {
    int rc = nest(b, HR_AVRO_ARRAY, hr_type(HR_T_LIST), name, 1, field, node);
    if (rc == 0) {
        rc = build_type(b, json_object_get(def, "items"), space, depth + 1, hr_slice_str("item"),
                        &field->children[0], &node->children[0]);
    }
    node->min_bytes = 1;
    return rc;
}

/* Our writer's form of a map whose keys are no text: an array of records of key and value. */
static bool is_pairs(const json_t *def, const struct hr_field *list) {
    const char *text = text_of(def, "headrace-type");
    const struct hr_field *item = &list->children[0];
    return text != NULL && strcmp(text, "map") == 0 && item->type.id == HR_T_STRUCT &&
           !item->nullable && item->n_children == 2 && !item->children[0].nullable;
}

static int make_pairs(struct build *b, struct hr_field *field, struct hr_avro_node *node) {
    char *name = hr_strdup("entries");
    if (name == NULL) {
        return no_memory(b);
    }
    hr_free(field->children[0].name);
    field->children[0].name = name;
    field->type = hr_type(HR_T_MAP);
    node->kind = HR_AVRO_PAIRS;
    return 0;
}

static int build_map(struct build *b, const json_t *def, struct space space, int depth,
                     struct hr_slice name, struct hr_field *field, struct hr_avro_node *node) {
    int rc = nest(b, HR_AVRO_MAP, hr_type(HR_T_MAP), name, 1, field, node);
    node->min_bytes = 1;
    if (rc != 0) {
        return rc;
    }
    struct hr_field *entries = &field->children[0];
    if (hr_field_init(entries, "entries", 7, hr_type(HR_T_STRUCT), 2) != 0 ||
        hr_field_init(&entries->children[0], "key", 3, hr_type(HR_T_UTF8), 0) != 0) {
        return no_memory(b);
    }
    entries->nullable = false;
    entries->children[0].nullable = false;
    return build_type(b, json_object_get(def, "values"), space, depth + 1, hr_slice_str("value"),
                      &entries->children[1], &node->children[0]);
}

/* ---- unions ---- */

static const char *branch_name(const json_t *branch) {
    const char *text = json_string_value(branch);
    if (text != NULL) {
        return text;
    }
    const char *type = text_of(branch, "type");
    if (type == NULL) {
        return "value";
    }
    const char *name = is_named(type) ? text_of(branch, "name") : NULL;
    return name != NULL ? name : type;
}

static bool is_null(const json_t *branch) {
    const char *name = branch_name(branch);
    return strcmp(name, "null") == 0;
}

/* An int or a long without a logical type. */
static bool is_integer(const json_t *branch, const char *which) {
    const char *name = branch_name(branch);
    return strcmp(name, which) == 0 &&
           (json_is_string(branch) ||
            (text_of(branch, "logicalType") == NULL && text_of(branch, "headrace-type") == NULL));
}

/* The one branch that can stand for all that are not null: the only one, or the long beside an int.
 */
static const json_t *lone_branch(const json_t *type, size_t others) {
    const json_t *pick = NULL;
    bool integers = true;
    size_t i;
    json_t *branch;
    json_array_foreach(type, i, branch) {
        if (is_null(branch)) {
            continue;
        }
        integers = integers && (is_integer(branch, "int") || is_integer(branch, "long"));
        pick = pick == NULL || is_integer(branch, "long") ? branch : pick;
    }
    return others == 1 || (others == 2 && integers) ? pick : NULL;
}

static int build_members(struct build *b, const json_t *type, struct space space, int depth,
                         struct hr_slice name, size_t others, struct hr_field *field,
                         struct hr_avro_node *node) {
    size_t count = json_array_size(type);
    int rc = nest(b, HR_AVRO_UNION, hr_type(HR_T_STRUCT), name, others, field, node);
    int32_t *members = hr_arena_calloc(&b->out->arena, count, sizeof(*members));
    if (rc != 0 || members == NULL) {
        return rc != 0 ? rc : no_memory(b);
    }
    int32_t next = 0;
    for (size_t i = 0; i < count; i++) {
        const json_t *branch = json_array_get(type, i);
        members[i] = is_null(branch) ? -1 : next;
        if (members[i] < 0) {
            continue;
        }
        const char *label = branch_name(branch);
        const char *dot = strrchr(label, '.');
        struct hr_field *member = &field->children[next];
        rc = build_type(b, branch, space, depth + 1, hr_slice_str(dot != NULL ? dot + 1 : label),
                        member, &node->children[next]);
        if (rc != 0) {
            return rc;
        }
        member->nullable = true;
        next++;
    }
    node->members = members;
    node->fixed = (uint32_t)count;
    return 0;
}

static int build_union(struct build *b, const json_t *type, struct space space, int depth,
                       struct hr_slice name, struct hr_field *field, struct hr_avro_node *node) {
    size_t count = json_array_size(type);
    int32_t null_branch = -1;
    size_t others = 0;
    if (count == 0 || count > HR_AVRO_NODES_MAX) {
        return refuse(b, "a union has no branches, or too many");
    }
    for (size_t i = 0; i < count; i++) {
        const json_t *branch = json_array_get(type, i);
        if (json_is_array(branch)) {
            return refuse(b, "a union stands directly in a union");
        }
        if (is_null(branch)) {
            null_branch = (int32_t)i;
        } else {
            others++;
        }
    }
    const json_t *lone = others == 0 ? json_array_get(type, 0) : lone_branch(type, others);
    int rc = lone != NULL ? build_type(b, lone, space, depth + 1, name, field, node)
                          : build_members(b, type, space, depth, name, others, field, node);
    if (rc != 0) {
        return rc;
    }
    if (lone != NULL) {
        node->n_branches = (int32_t)count;
        node->null_branch = null_branch;
    }
    node->min_bytes = add_min(null_branch >= 0 || lone == NULL ? 0 : node->min_bytes, 1);
    field->nullable = null_branch >= 0;
    return 0;
}

/* ---- dispatch ---- */

static int build_reference(struct build *b, const char *text, struct space space, int depth,
                           struct hr_slice name, struct hr_field *field,
                           struct hr_avro_node *node) {
    struct named *named = find_name(b, space, text);
    if (named == NULL) {
        char shown[120];
        hr_printable(hr_slice_str(text), 80, shown, sizeof(shown));
        return hr_fail(b->err, HR_E_CORRUPT, "its schema names an unknown type '%s'", shown);
    }
    return build_type(b, named->def, (struct space){named->space, named->space_len}, depth, name,
                      field, node);
}

/* A record, enum or fixed; records are marked while they are open. */
static int build_named(struct build *b, const json_t *def, const char *kind, struct space space,
                       int depth, struct hr_slice name, struct hr_field *field,
                       struct hr_avro_node *node) {
    if (strcmp(kind, "enum") == 0) {
        return build_enum(b, def, name, field, node);
    }
    if (strcmp(kind, "fixed") == 0) {
        return build_fixed(b, def, name, field, node);
    }
    const char *own;
    size_t len;
    struct named *named = NULL;
    if (name_of(def, &space, &own, &len)) {
        named = find_exact(b, space, own, len);
    }
    if (named == NULL) {
        return refuse(b, "a record has no name");
    }
    if (named->def != def) { /* a second definition of the name: expand what stands here */
        return build_record(b, def, space, depth, name, field, node);
    }
    if (named->open) {
        char shown[120];
        hr_printable(hr_slice_of(own, len), 80, shown, sizeof(shown));
        hr_fail(b->err, HR_E_UNSUPPORTED,
                "its record type '%s' contains itself, and columns cannot hold recursion", shown);
        hr_error_hint(b->err, "convert the file with a schema whose nesting ends");
        return HR_E_UNSUPPORTED;
    }
    named->open = true;
    int rc = build_record(b, def, space, depth, name, field, node);
    named->open = false;
    return rc;
}

static int build_object(struct build *b, const json_t *type, struct space space, int depth,
                        struct hr_slice name, struct hr_field *field, struct hr_avro_node *node) {
    const json_t *inner = json_object_get(type, "type");
    const char *kind = json_string_value(inner);
    if (kind == NULL) {
        return build_type(b, inner, space, depth + 1, name, field, node);
    }
    const struct primitive *prim = find_primitive(kind);
    if (prim != NULL) {
        return build_primitive(b, prim, type, name, field, node);
    }
    if (is_named(kind)) {
        return build_named(b, type, kind, space, depth, name, field, node);
    }
    if (strcmp(kind, "array") == 0) {
        int rc = build_array(b, type, space, depth, name, field, node);
        return rc == 0 && is_pairs(type, field) ? make_pairs(b, field, node) : rc;
    }
    if (strcmp(kind, "map") == 0) {
        return build_map(b, type, space, depth, name, field, node);
    }
    return build_reference(b, kind, space, depth + 1, name, field, node);
}

static int build_type(struct build *b, const json_t *type, struct space space, int depth,
                      struct hr_slice name, struct hr_field *field, struct hr_avro_node *node) {
    if (depth > HR_AVRO_DEPTH_MAX) {
        return hr_fail(b->err, HR_E_BOUND, "its schema is nested deeper than %d levels",
                       HR_AVRO_DEPTH_MAX);
    }
    if (++b->out->nodes > HR_AVRO_NODES_MAX) {
        return hr_fail(b->err, HR_E_BOUND, "its schema has more than %d fields, items and branches",
                       HR_AVRO_NODES_MAX);
    }
    node->null_branch = -1;
    if (json_is_array(type)) {
        return build_union(b, type, space, depth, name, field, node);
    }
    if (json_is_object(type)) {
        return build_object(b, type, space, depth, name, field, node);
    }
    const char *text = json_string_value(type);
    if (text == NULL) {
        return refuse(b, "a type is neither text, object nor list");
    }
    const struct primitive *prim = find_primitive(text);
    return prim != NULL ? build_primitive(b, prim, NULL, name, field, node)
                        : build_reference(b, text, space, depth + 1, name, field, node);
}

/* ---- the whole ---- */

/* Where a bitmap must stand ready: below a nullable struct everything may be null. */
static void mark_bits(const struct hr_field *field, struct hr_avro_node *node, bool above) {
    node->bits = field->nullable || above;
    switch ((enum hr_avro_kind)node->kind) {
    case HR_AVRO_RECORD:
    case HR_AVRO_UNION:
        for (int32_t i = 0; i < node->n_children; i++) {
            mark_bits(&field->children[i], &node->children[i], node->bits);
        }
        break;
    case HR_AVRO_ARRAY:
    case HR_AVRO_PAIRS: mark_bits(&field->children[0], &node->children[0], false); break;
    case HR_AVRO_MAP: mark_bits(&field->children[0].children[1], &node->children[0], false); break;
    default: break;
    }
}

/* Turn the top type into columns: a record's fields, or one column `value`. */
static int build_top(struct build *b, const json_t *json) {
    struct hr_avro_schema *out = b->out;
    struct hr_field top = {0};
    struct hr_avro_node node = {0};
    int rc = build_type(b, json, (struct space){"", 0}, 0, hr_slice_str("value"), &top, &node);
    if (rc == 0) {
        bool record = node.kind == HR_AVRO_RECORD && node.n_branches == 0;
        out->schema = hr_schema_new(record ? node.n_children : 1);
        out->root = node;
        if (!record && out->schema != NULL) {
            out->root = (struct hr_avro_node){.kind = HR_AVRO_RECORD,
                                              .n_children = 1,
                                              .null_branch = -1,
                                              .min_bytes = node.min_bytes};
            out->root.children = hr_arena_calloc(&out->arena, 1, sizeof(node));
        }
        if (out->schema == NULL || out->root.children == NULL) {
            rc = no_memory(b);
        } else if (record) {
            for (int32_t i = 0; i < node.n_children; i++) {
                out->schema->fields[i] = top.children[i];
                top.children[i] = (struct hr_field){0};
            }
        } else {
            out->root.children[0] = node;
            out->schema->fields[0] = top;
            top = (struct hr_field){0};
        }
    }
    for (int i = 0; rc == 0 && i < out->schema->n_fields; i++) {
        mark_bits(&out->schema->fields[i], &out->root.children[i], false);
    }
    hr_field_release(&top);
    return rc;
}

static int parse(struct hr_slice text, bool reader, struct hr_avro_schema *out,
                 struct hr_error *err) {
    struct build b = {.out = out, .reader = reader, .err = err};
    json_error_t why;
    *out = (struct hr_avro_schema){.schema = NULL};
    hr_arena_init(&out->arena, (size_t)256 << 20);
    /* The default of a fixed or of bytes may well hold the character 0. */
    json_t *json =
        json_loadb((const char *)text.ptr, text.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &why);
    if (json == NULL) {
        return hr_fail(err, HR_E_CORRUPT, "its schema is no JSON: %s at byte %d", why.text,
                       why.position);
    }
    int rc = collect(&b, json, (struct space){"", 0}, 0);
    if (rc == 0) {
        rc = build_top(&b, json);
    }
    hr_free(b.names);
    json_decref(json);
    return rc;
}

int hr_avro_schema_parse(struct hr_slice text, struct hr_avro_schema *out, struct hr_error *err) {
    return parse(text, false, out, err);
}

int hr_avro_schema_parse_reader(struct hr_slice text, struct hr_avro_schema *out,
                                struct hr_error *err) {
    return parse(text, true, out, err);
}

void hr_avro_schema_release(struct hr_avro_schema *schema) {
    hr_schema_unref(schema->schema);
    hr_arena_release(&schema->arena);
    schema->schema = NULL;
}
