/* format/parquet/pq_wschema.c - from a batch's schema to a Parquet schema, for writing.
 *
 * Every field becomes a SchemaElement (LogicalTypes.md; the older ConvertedType beside it where one
 * means the same), lists and maps in the three-level form; every leaf gets the way its values are
 * kept, compared and reached, with the levels of that way counted.
 */
#include "format/parquet/pq_write_internal.h"

#define DEPTH_MAX 120 /* levels are kept in bytes: a list adds two */

struct builder {
    struct hr_pqw_wschema *ws;
    const struct hr_strlist *bloom;
    struct hr_error *err;
    int column;
    int depth;
    struct hr_pqw_step steps[2 * DEPTH_MAX + 4];
    struct hr_slice path[3 * DEPTH_MAX + 4];
    int n_steps, n_path;
    int max_def, max_rep;
};

/* ---- leaf types ---- */

struct leaf_type {
    int type, width;
    enum hr_pqw_keep keep;
    enum hr_pqw_sort sort;
    int converted;
    struct hr_pq_logical_type logical;
};

static struct leaf_type integer(int bits, bool is_signed) {
    static const int conv_signed[] = {HR_PQ_CONV_INT_8, HR_PQ_CONV_INT_16, HR_PQ_CONV_NONE,
                                      HR_PQ_CONV_NONE};
    static const int conv_unsigned[] = {HR_PQ_CONV_UINT_8, HR_PQ_CONV_UINT_16, HR_PQ_CONV_UINT_32,
                                        HR_PQ_CONV_UINT_64};
    const int k = bits == 8 ? 0 : bits == 16 ? 1 : bits == 32 ? 2 : 3;
    struct leaf_type t = {.converted = is_signed ? conv_signed[k] : conv_unsigned[k]};
    t.type = bits == 64 ? HR_PQ_INT64 : HR_PQ_INT32;
    t.width = bits == 64 ? 8 : 4;
    t.keep = bits == 64 ? HR_PQW_KEEP_8 : HR_PQW_KEEP_4;
    t.sort = bits == 64 ? (is_signed ? HR_PQW_SORT_I64 : HR_PQW_SORT_U64)
                        : (is_signed ? HR_PQW_SORT_I32 : HR_PQW_SORT_U32);
    if (t.converted != HR_PQ_CONV_NONE) { /* plain int32 and int64 need no annotation */
        t.logical.id = HR_PQ_LOG_INTEGER;
        t.logical.bit_width = bits;
        t.logical.is_signed = is_signed;
    }
    return t;
}

static struct leaf_type bytes(int type, int width, int converted, int logical) {
    return (struct leaf_type){.type = type,
                              .width = width,
                              .keep = width > 0 ? HR_PQW_KEEP_FIXED : HR_PQW_KEEP_BYTES,
                              .sort = HR_PQW_SORT_BYTES,
                              .converted = converted,
                              .logical = {.id = logical}};
}

static struct leaf_type decimal(struct hr_type type) {
    struct leaf_type t;
    if (type.precision <= 18) {
        t = integer(type.precision <= 9 ? 32 : 64, true);
    } else { /* the fewest bytes that hold 10^precision - 1 with its sign */
        t = bytes(HR_PQ_FIXED, (int)((type.precision * 3.3219280948873623 + 1.0) / 8.0) + 1,
                  HR_PQ_CONV_NONE, 0);
        t.sort = HR_PQW_SORT_DECIMAL;
    }
    t.converted = HR_PQ_CONV_DECIMAL;
    t.logical = (struct hr_pq_logical_type){
        .id = HR_PQ_LOG_DECIMAL, .precision = type.precision, .scale = type.scale};
    return t;
}

static int pq_unit(int unit) {
    return unit == HR_U_NS ? HR_PQ_NANOS : unit == HR_U_US ? HR_PQ_MICROS : HR_PQ_MILLIS;
}

/* Seconds do not exist in Parquet: they are kept as milliseconds. */
static struct leaf_type time_of(struct hr_type type) {
    struct leaf_type t = integer(type.id == HR_T_TIME32 ? 32 : 64, true);
    t.converted = HR_PQ_CONV_NONE;
    t.logical = (struct hr_pq_logical_type){.unit = pq_unit(type.unit)};
    if (type.id != HR_T_TS) { /* the converted types mean UTC, which our times do not */
        t.logical.id = HR_PQ_LOG_TIME;
        return t;
    }
    t.logical.id = HR_PQ_LOG_TIMESTAMP;
    t.logical.utc = type.utc != 0;
    if (type.utc && t.logical.unit != HR_PQ_NANOS) {
        t.converted = t.logical.unit == HR_PQ_MILLIS ? HR_PQ_CONV_TIMESTAMP_MILLIS
                                                     : HR_PQ_CONV_TIMESTAMP_MICROS;
    }
    return t;
}

static struct leaf_type text_or_binary(struct hr_type type) {
    const bool text = type.id == HR_T_UTF8;
    switch (type.ext) {
    case HR_EXT_JSON: return bytes(HR_PQ_BYTE_ARRAY, 0, HR_PQ_CONV_JSON, HR_PQ_LOG_JSON);
    case HR_EXT_BSON: return bytes(HR_PQ_BYTE_ARRAY, 0, HR_PQ_CONV_BSON, HR_PQ_LOG_BSON);
    case HR_EXT_ENUM: return bytes(HR_PQ_BYTE_ARRAY, 0, HR_PQ_CONV_ENUM, HR_PQ_LOG_ENUM);
    default: break;
    }
    return bytes(HR_PQ_BYTE_ARRAY, 0, text ? HR_PQ_CONV_UTF8 : HR_PQ_CONV_NONE,
                 text ? HR_PQ_LOG_STRING : HR_PQ_LOG_NONE);
}

static struct leaf_type fixed(struct hr_type type) {
    if (type.ext == HR_EXT_UUID && type.width == 16) {
        return bytes(HR_PQ_FIXED, 16, HR_PQ_CONV_NONE, HR_PQ_LOG_UUID);
    }
    struct leaf_type t = bytes(HR_PQ_FIXED, type.width, HR_PQ_CONV_NONE, HR_PQ_LOG_NONE);
    if (type.ext == HR_EXT_INTERVAL && type.width == 12) {
        t.converted = HR_PQ_CONV_INTERVAL;
        t.sort = HR_PQW_SORT_NONE; /* months, days and milliseconds have no common order */
    }
    return t;
}

static struct leaf_type leaf_type(struct hr_type type) {
    struct leaf_type t;
    switch (type.id) {
    case HR_T_NULL:
        t = integer(32, true);
        t.logical.id = HR_PQ_LOG_UNKNOWN;
        t.sort = HR_PQW_SORT_NONE;
        return t;
    case HR_T_BOOL:
        t = integer(32, true);
        t.type = HR_PQ_BOOLEAN;
        t.width = 1;
        t.keep = HR_PQW_KEEP_BOOL;
        t.sort = HR_PQW_SORT_BOOL;
        return t;
    case HR_T_I8: return integer(8, true);
    case HR_T_I16: return integer(16, true);
    case HR_T_I32: return integer(32, true);
    case HR_T_I64: return integer(64, true);
    case HR_T_U8: return integer(8, false);
    case HR_T_U16: return integer(16, false);
    case HR_T_U32: return integer(32, false);
    case HR_T_U64: return integer(64, false);
    case HR_T_F16:
        t = bytes(HR_PQ_FIXED, 2, HR_PQ_CONV_NONE, HR_PQ_LOG_FLOAT16);
        t.sort = HR_PQW_SORT_F16;
        return t;
    case HR_T_F32:
        t = integer(32, true);
        t.type = HR_PQ_FLOAT;
        t.sort = HR_PQW_SORT_F32;
        return t;
    case HR_T_F64:
        t = integer(64, true);
        t.type = HR_PQ_DOUBLE;
        t.sort = HR_PQW_SORT_F64;
        return t;
    case HR_T_DEC128:
    case HR_T_DEC256: return decimal(type);
    case HR_T_DATE32:
        t = integer(32, true);
        t.converted = HR_PQ_CONV_DATE;
        t.logical.id = HR_PQ_LOG_DATE;
        return t;
    case HR_T_TIME32:
    case HR_T_TIME64:
    case HR_T_TS: return time_of(type);
    case HR_T_FIXED: return fixed(type);
    default: return text_or_binary(type);
    }
}

/* ---- walking the fields ---- */

static int no_memory(struct builder *b) {
    return hr_fail(b->err, HR_E_NOMEM, "could not allocate the Parquet schema");
}

static struct hr_pq_element *add_element(struct builder *b, struct hr_slice name, int repetition) {
    struct hr_pq_element *e = &b->ws->elements[b->ws->n_elements++];
    *e = (struct hr_pq_element){
        .type = -1, .repetition = repetition, .name = name, .converted = HR_PQ_CONV_NONE};
    return e;
}

static void push_step(struct builder *b, const struct hr_field *field, bool nullable) {
    b->steps[b->n_steps++] = (struct hr_pqw_step){.id = field->type.id, .nullable = nullable};
    b->max_def += nullable;
}

static const char *dotted(struct builder *b) {
    size_t len = 0;
    for (int i = 0; i < b->n_path; i++) {
        len += b->path[i].len + 1;
    }
    char *text = hr_arena_alloc(&b->ws->arena, len + 1);
    char *at = text;
    for (int i = 0; text != NULL && i < b->n_path; i++) {
        if (i > 0) {
            *at++ = '.';
        }
        memcpy(at, b->path[i].ptr, b->path[i].len);
        at += b->path[i].len;
    }
    if (text != NULL) {
        *at = '\0';
    }
    return text;
}

static bool wants_bloom(const struct builder *b, const char *dotted_name) {
    const char *top = b->ws->schema->fields[b->column].name;
    for (size_t i = 0; b->bloom != NULL && i < b->bloom->count; i++) {
        if (strcmp(b->bloom->items[i], dotted_name) == 0 || strcmp(b->bloom->items[i], top) == 0) {
            return true;
        }
    }
    return false;
}

/* A step is flat when neither it nor any step after it repeats. */
static void mark_flat(struct hr_pqw_step *steps, int n) {
    bool flat = true;
    for (int i = n - 1; i >= 0; i--) {
        flat = flat && steps[i].rep == 0;
        steps[i].flat = flat;
    }
}

static int add_leaf(struct builder *b, const struct hr_field *field, struct hr_pq_element *e) {
    struct hr_arena *arena = &b->ws->arena;
    const struct leaf_type t = leaf_type(field->type);
    struct hr_pqw_leaf *leaf = &b->ws->leaves[b->ws->n_leaves++];
    *leaf = (struct hr_pqw_leaf){.field = field,
                                 .column = b->column,
                                 .type = t.type,
                                 .width = t.width,
                                 .keep = t.keep,
                                 .sort = t.sort,
                                 .utf8 = field->type.id == HR_T_UTF8,
                                 .max_def = (uint8_t)b->max_def,
                                 .max_rep = (uint8_t)b->max_rep,
                                 .n_steps = b->n_steps,
                                 .n_path = b->n_path};
    const size_t steps = (size_t)b->n_steps * sizeof(*leaf->steps);
    const size_t path = (size_t)b->n_path * sizeof(*leaf->path);
    leaf->steps = hr_arena_alloc(arena, steps);
    leaf->path = hr_arena_alloc(arena, path);
    leaf->name = dotted(b);
    if (leaf->steps == NULL || leaf->path == NULL || leaf->name == NULL) {
        return no_memory(b);
    }
    memcpy(leaf->steps, b->steps, steps);
    memcpy(leaf->path, b->path, path);
    mark_flat(leaf->steps, leaf->n_steps);
    leaf->bloom =
        leaf->keep != HR_PQW_KEEP_BOOL && field->type.id != HR_T_NULL && wants_bloom(b, leaf->name);
    e->type = t.type;
    e->type_length = t.type == HR_PQ_FIXED ? t.width : 0;
    e->converted = t.converted;
    e->logical = t.logical;
    e->precision = t.logical.precision;
    e->scale = t.logical.scale;
    return 0;
}

static int refuse(struct builder *b, const struct hr_field *field, const char *why) {
    char name[120];
    hr_printable(hr_slice_str(field->name), 80, name, sizeof(name));
    const int rc = hr_fail(b->err, HR_E_UNSUPPORTED, "could not write column \"%s\" to Parquet: %s",
                           name, why);
    hr_error_place(b->err, -1, -1, name);
    return rc;
}

static int check_type(struct builder *b, const struct hr_field *field) {
    const struct hr_type t = field->type;
    if (t.id == HR_T_FIXED && t.width <= 0) {
        return refuse(b, field, "fixed-size values of 0 bytes do not exist in it");
    }
    if ((t.id == HR_T_DEC128 || t.id == HR_T_DEC256) && (t.scale > t.precision || t.scale < 0)) {
        return refuse(b, field, "the scale of a decimal must lie between 0 and its precision");
    }
    if (t.id == HR_T_STRUCT && field->n_children == 0) {
        return refuse(b, field, "a struct without fields has no place in it");
    }
    if (b->depth >= DEPTH_MAX) {
        return refuse(b, field, "it is nested over 120 levels deep");
    }
    return 0;
}

static int add_field(struct builder *b, const struct hr_field *field, struct hr_slice name,
                     bool nullable);

static int add_struct(struct builder *b, const struct hr_field *field, int step) {
    int rc = 0;
    for (int i = 0; rc == 0 && i < field->n_children; i++) {
        b->steps[step].child = i;
        rc = add_field(b, &field->children[i], hr_slice_str(field->children[i].name),
                       field->children[i].nullable);
    }
    return rc;
}

/* optional group name (LIST) { repeated group list { T element } } */
static int add_list(struct builder *b, const struct hr_field *field, struct hr_pq_element *e,
                    int step) {
    e->converted = HR_PQ_CONV_LIST;
    e->logical.id = HR_PQ_LOG_LIST;
    e->num_children = 1;
    struct hr_pq_element *middle = add_element(b, hr_slice_str("list"), HR_PQ_REPEATED);
    middle->num_children = 1;
    b->path[b->n_path++] = middle->name;
    b->steps[step].rep = (uint8_t)++b->max_rep;
    b->max_def++;
    const int rc =
        add_field(b, &field->children[0], hr_slice_str("element"), field->children[0].nullable);
    b->max_def--;
    b->max_rep--;
    b->n_path--;
    return rc;
}

/* optional group name (MAP) { repeated group key_value { required K key; V value } } */
static int add_map(struct builder *b, const struct hr_field *field, struct hr_pq_element *e,
                   int step) {
    const struct hr_field *entry = &field->children[0];
    e->converted = HR_PQ_CONV_MAP;
    e->logical.id = HR_PQ_LOG_MAP;
    e->num_children = 1;
    struct hr_pq_element *middle = add_element(b, hr_slice_str("key_value"), HR_PQ_REPEATED);
    middle->num_children = 2;
    b->path[b->n_path++] = middle->name;
    b->steps[step].rep = (uint8_t)++b->max_rep;
    b->max_def++;
    const int pair = b->n_steps;
    push_step(b, entry, false);
    b->steps[pair].child = 0;
    int rc = add_field(b, &entry->children[0], hr_slice_str("key"), false);
    b->steps[pair].child = 1;
    rc = rc != 0 ? rc
                 : add_field(b, &entry->children[1], hr_slice_str("value"),
                             entry->children[1].nullable);
    b->n_steps = pair;
    b->max_def--;
    b->max_rep--;
    b->n_path--;
    return rc;
}

static int add_field(struct builder *b, const struct hr_field *field, struct hr_slice name,
                     bool nullable) {
    int rc = check_type(b, field);
    if (rc != 0) {
        return rc;
    }
    nullable = nullable || field->type.id == HR_T_NULL;
    struct hr_pq_element *e = add_element(b, name, nullable ? HR_PQ_OPTIONAL : HR_PQ_REQUIRED);
    e->has_field_id = field->field_id >= 0;
    e->field_id = field->field_id;
    b->path[b->n_path++] = name;
    b->depth++;
    const int step = b->n_steps;
    push_step(b, field, nullable);
    switch (field->type.id) {
    case HR_T_LIST: rc = add_list(b, field, e, step); break;
    case HR_T_MAP: rc = add_map(b, field, e, step); break;
    case HR_T_STRUCT:
        e->num_children = field->n_children;
        rc = add_struct(b, field, step);
        break;
    default: rc = add_leaf(b, field, e); break;
    }
    b->n_steps = step;
    b->max_def -= nullable;
    b->depth--;
    b->n_path--;
    return rc;
}

/* Elements needed at most, and leaves. */
static void count_fields(const struct hr_field *field, size_t *elements, size_t *leaves) {
    *elements += field->type.id == HR_T_LIST || field->type.id == HR_T_MAP ? 2u : 1u;
    *leaves += field->n_children == 0;
    for (int i = 0; i < field->n_children; i++) {
        count_fields(&field->children[i], elements, leaves);
    }
}

int hr_pqw_wschema_init(struct hr_pqw_wschema *ws, struct hr_schema *schema,
                        const struct hr_strlist *bloom_columns, struct hr_error *err) {
    *ws = (struct hr_pqw_wschema){.schema = hr_schema_ref(schema)};
    hr_arena_init(&ws->arena, 0);
    size_t elements = 1, leaves = 0;
    for (int i = 0; i < schema->n_fields; i++) {
        count_fields(&schema->fields[i], &elements, &leaves);
    }
    struct builder *b = hr_arena_alloc(&ws->arena, sizeof(*b));
    ws->elements = hr_arena_alloc(&ws->arena, elements * sizeof(*ws->elements));
    ws->leaves = hr_arena_alloc(&ws->arena, leaves * sizeof(*ws->leaves));
    if (b == NULL || ws->elements == NULL || ws->leaves == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate the Parquet schema");
    }
    *b = (struct builder){.ws = ws, .bloom = bloom_columns, .err = err};
    struct hr_pq_element *root = add_element(b, hr_slice_str("schema"), -1);
    root->num_children = schema->n_fields;
    int rc = 0;
    for (int i = 0; rc == 0 && i < schema->n_fields; i++) {
        b->column = i;
        rc = add_field(b, &schema->fields[i], hr_slice_str(schema->fields[i].name),
                       schema->fields[i].nullable);
    }
    return rc;
}

void hr_pqw_wschema_release(struct hr_pqw_wschema *ws) {
    hr_schema_unref(ws->schema);
    hr_arena_release(&ws->arena);
    *ws = (struct hr_pqw_wschema){0};
}

/* ---- as Thrift ---- */

static void put_unit(struct hr_thrift_out *t, const struct hr_pq_logical_type *l) {
    hr_thrift_put_bool(t, 1, l->utc);
    hr_thrift_put_struct(t, 2); /* TimeUnit, a union of empty structs */
    hr_thrift_put_struct(t, l->unit);
    hr_thrift_put_end(t);
    hr_thrift_put_end(t);
}

static void put_logical(struct hr_thrift_out *t, const struct hr_pq_logical_type *l) {
    hr_thrift_put_struct(t, 10); /* LogicalType, a union */
    hr_thrift_put_struct(t, l->id);
    switch (l->id) {
    case HR_PQ_LOG_DECIMAL:
        hr_thrift_put_i32(t, 1, l->scale);
        hr_thrift_put_i32(t, 2, l->precision);
        break;
    case HR_PQ_LOG_TIME:
    case HR_PQ_LOG_TIMESTAMP: put_unit(t, l); break;
    case HR_PQ_LOG_INTEGER:
        hr_thrift_put_i8(t, 1, l->bit_width);
        hr_thrift_put_bool(t, 2, l->is_signed);
        break;
    default: break;
    }
    hr_thrift_put_end(t);
    hr_thrift_put_end(t);
}

static void put_element(struct hr_thrift_out *t, const struct hr_pq_element *e) {
    hr_thrift_item_struct(t);
    if (e->type >= 0) {
        hr_thrift_put_i32(t, 1, e->type);
    }
    if (e->type_length > 0) {
        hr_thrift_put_i32(t, 2, e->type_length);
    }
    if (e->repetition >= 0) {
        hr_thrift_put_i32(t, 3, e->repetition);
    }
    hr_thrift_put_bytes(t, 4, e->name.ptr, e->name.len);
    if (e->type < 0) {
        hr_thrift_put_i32(t, 5, e->num_children);
    }
    if (e->converted != HR_PQ_CONV_NONE) {
        hr_thrift_put_i32(t, 6, e->converted);
    }
    if (e->converted == HR_PQ_CONV_DECIMAL) {
        hr_thrift_put_i32(t, 7, e->scale);
        hr_thrift_put_i32(t, 8, e->precision);
    }
    if (e->has_field_id) {
        hr_thrift_put_i32(t, 9, e->field_id);
    }
    if (e->logical.id != HR_PQ_LOG_NONE) {
        put_logical(t, &e->logical);
    }
    hr_thrift_put_end(t);
}

void hr_pqw_wschema_put(const struct hr_pqw_wschema *ws, struct hr_thrift_out *t, int id) {
    hr_thrift_put_list(t, id, HR_THRIFT_STRUCT, (size_t)ws->n_elements);
    for (int i = 0; i < ws->n_elements; i++) {
        put_element(t, &ws->elements[i]);
    }
}
