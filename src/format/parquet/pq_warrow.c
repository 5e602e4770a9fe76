/* format/parquet/pq_warrow.c - the Arrow schema of a file, as Arrow's own writers leave it under
 * the key ARROW:schema: an IPC Schema message in base64. With it readers built on Arrow give back
 * the exact types Parquet alone cannot say (seconds, decimal256, a zone's name).
 *
 * The message is a FlatBuffer (https://flatbuffers.dev/internals/, Arrow's format/Message.fbs and
 * Schema.fbs), written front to back: a table is a vtable of 16-bit field positions, then the table
 * with its fields; whatever a field refers to follows later, and the 32-bit distance to it is
 * patched in. Tables are aligned to 8 bytes, strings and vectors to 4.
 */
#include "format/parquet/pq_write_internal.h"

enum { /* the Type union of Schema.fbs */
       FB_NULL = 1,
       FB_INT = 2,
       FB_FLOAT = 3,
       FB_BINARY = 4,
       FB_UTF8 = 5,
       FB_BOOL = 6,
       FB_DECIMAL = 7,
       FB_DATE = 8,
       FB_TIME = 9,
       FB_TIMESTAMP = 10,
       FB_LIST = 12,
       FB_STRUCT = 13,
       FB_FIXED = 15,
       FB_MAP = 17,
       FB_DURATION = 18
};

#define SLOTS_MAX 7

struct slot { /* a field of a table; size 0: left out */
    int size; /* 1, 2, 4; an offset is 4 and patched later */
    int32_t value;
};

struct builder {
    struct hr_buf buf;
    int rc;
};

static void put(struct builder *b, const void *ptr, size_t len) {
    b->rc = b->rc != 0 ? b->rc : hr_buf_append(&b->buf, ptr, len, NULL);
}

static void put_number(struct builder *b, uint32_t v, int size) {
    uint8_t bytes[4];
    for (int i = 0; i < 4; i++) {
        bytes[i] = (uint8_t)(v >> (8 * i));
    }
    put(b, bytes, (size_t)size);
}

static void align(struct builder *b, size_t to, size_t with) {
    static const uint8_t zeros[8] = {0};
    put(b, zeros, (to - (b->buf.len + with) % to) % to);
}

static size_t align_up(size_t v, size_t to) {
    return (v + to - 1) / to * to;
}

/* The number at `at` becomes the distance to where the buffer ends now. */
static void patch(struct builder *b, size_t at) {
    const size_t distance = b->buf.len - at;
    for (unsigned i = 0; b->rc == 0 && i < 4; i++) {
        b->buf.ptr[at + i] = (uint8_t)(distance >> (8 * i));
    }
}

/* A table; at[i] is where field i stands. `from`: the offset field that refers to it. */
static void put_table(struct builder *b, size_t from, const struct slot *slots, int n, size_t *at) {
    static const uint8_t zeros[64] = {0};
    size_t place[SLOTS_MAX] = {0};
    size_t size = 4;
    for (int width = 4; width > 0; width /= 2) {
        for (int i = 0; i < n; i++) {
            if (slots[i].size == width) {
                place[i] = align_up(size, (size_t)width);
                size = place[i] + (size_t)width;
            }
        }
    }
    const size_t vtable = 4 + 2 * (size_t)n;
    align(b, 8, vtable);
    put_number(b, (uint32_t)vtable, 2);
    put_number(b, (uint32_t)size, 2);
    for (int i = 0; i < n; i++) {
        put_number(b, (uint32_t)place[i], 2);
    }
    const size_t begin = b->buf.len;
    patch(b, from);
    put(b, zeros, size);
    if (b->rc != 0) {
        return;
    }
    b->buf.ptr[begin] = (uint8_t)vtable; /* the vtable lies this far before the table */
    for (int i = 0; i < n; i++) {
        for (int k = 0; k < slots[i].size; k++) {
            b->buf.ptr[begin + place[i] + (size_t)k] =
                (uint8_t)((uint32_t)slots[i].value >> (8 * k));
        }
        if (at != NULL) {
            at[i] = begin + place[i];
        }
    }
}

static void put_string(struct builder *b, size_t from, const char *text) {
    align(b, 4, 0);
    patch(b, from);
    put_number(b, (uint32_t)strlen(text), 4);
    put(b, text, strlen(text) + 1);
}

/* A vector of n offsets; where the first stands. */
static size_t put_vector(struct builder *b, size_t from, int n) {
    align(b, 4, 0);
    patch(b, from);
    put_number(b, (uint32_t)n, 4);
    const size_t first = b->buf.len;
    for (int i = 0; i < n; i++) {
        put_number(b, 0, 4);
    }
    return first;
}

/* ---- types ---- */

static int type_number(struct hr_type type) {
    switch (type.id) {
    case HR_T_NULL: return FB_NULL;
    case HR_T_BOOL: return FB_BOOL;
    case HR_T_F16:
    case HR_T_F32:
    case HR_T_F64: return FB_FLOAT;
    case HR_T_DEC128:
    case HR_T_DEC256: return FB_DECIMAL;
    case HR_T_UTF8: return FB_UTF8;
    case HR_T_BINARY: return FB_BINARY;
    case HR_T_FIXED: return FB_FIXED;
    case HR_T_DATE32: return FB_DATE;
    case HR_T_TIME32:
    case HR_T_TIME64: return FB_TIME;
    case HR_T_TS: return FB_TIMESTAMP;
    case HR_T_LIST: return FB_LIST;
    case HR_T_STRUCT: return FB_STRUCT;
    case HR_T_MAP: return FB_MAP;
    default: return type.ext == HR_EXT_DURATION ? FB_DURATION : FB_INT;
    }
}

static int int_bits(struct hr_type type) {
    switch (type.id) {
    case HR_T_I8:
    case HR_T_U8: return 8;
    case HR_T_I16:
    case HR_T_U16: return 16;
    case HR_T_I32:
    case HR_T_U32: return 32;
    default: return 64;
    }
}

static bool is_unsigned(struct hr_type type) {
    return type.id == HR_T_U8 || type.id == HR_T_U16 || type.id == HR_T_U32 || type.id == HR_T_U64;
}

static void put_type(struct builder *b, size_t from, struct hr_type t) {
    struct slot slots[3] = {{0, 0}, {0, 0}, {0, 0}};
    size_t at[3] = {0};
    int n = 1;
    switch (type_number(t)) {
    case FB_INT:
        slots[0] = (struct slot){4, int_bits(t)};
        slots[1] = (struct slot){1, !is_unsigned(t)};
        n = 2;
        break;
    case FB_FLOAT: /* half, single, double */
        slots[0] = (struct slot){2, t.id == HR_T_F16 ? 0 : t.id == HR_T_F32 ? 1 : 2};
        break;
    case FB_DECIMAL:
        slots[0] = (struct slot){4, t.precision};
        slots[1] = (struct slot){4, t.scale};
        slots[2] = (struct slot){4, t.id == HR_T_DEC256 ? 256 : 128};
        n = 3;
        break;
    case FB_DATE: slots[0] = (struct slot){2, 0}; break; /* days */
    case FB_TIME:
        slots[0] = (struct slot){2, t.unit};
        slots[1] = (struct slot){4, t.id == HR_T_TIME32 ? 32 : 64};
        n = 2;
        break;
    case FB_DURATION: slots[0] = (struct slot){2, t.unit}; break;
    case FB_TIMESTAMP:
        slots[0] = (struct slot){2, t.unit};
        slots[1] = (struct slot){t.utc ? 4 : 0, 0};
        n = 2;
        break;
    case FB_FIXED: slots[0] = (struct slot){4, t.width}; break;
    case FB_MAP: slots[0] = (struct slot){1, 0}; break; /* keys not sorted */
    default: n = 0; break;
    }
    put_table(b, from, slots, n, at);
    if (t.id == HR_T_TS && t.utc) {
        put_string(b, at[1], "UTC");
    }
}

static void put_field(struct builder *b, size_t from, const struct hr_field *field, bool nullable) {
    const bool map = field->type.id == HR_T_MAP;
    const struct slot slots[6] = {{4, 0}, {1, nullable}, {1, type_number(field->type)},
                                  {4, 0}, {0, 0},        {4, 0}};
    size_t at[6] = {0};
    put_table(b, from, slots, 6, at);
    put_string(b, at[0], field->name);
    put_type(b, at[3], field->type);
    const size_t children = put_vector(b, at[5], field->n_children);
    for (int i = 0; i < field->n_children; i++) {
        const struct hr_field *child = &field->children[i];
        if (!map) {
            put_field(b, children + 4 * (size_t)i, child, child->nullable);
            continue;
        }
        /* the entries of a map and its keys are never null, whatever the field says */
        const struct slot entry[6] = {{4, 0}, {1, 0}, {1, FB_STRUCT}, {4, 0}, {0, 0}, {4, 0}};
        size_t entry_at[6] = {0};
        put_table(b, children, entry, 6, entry_at);
        put_string(b, entry_at[0], child->name);
        put_type(b, entry_at[3], child->type);
        const size_t pair = put_vector(b, entry_at[5], 2);
        put_field(b, pair, &child->children[0], false);
        put_field(b, pair + 4, &child->children[1], child->children[1].nullable);
    }
}

static void put_schema(struct builder *b, const struct hr_schema *schema) {
    const struct slot message[4] = {{2, 4}, {1, 1}, {4, 0}, {0, 0}}; /* V5, Schema, header */
    const struct slot slots[2] = {{2, 0}, {4, 0}};                   /* little-endian, fields */
    size_t message_at[4] = {0}, at[2] = {0};
    put_number(b, 0, 4); /* the root */
    put_table(b, 0, message, 4, message_at);
    put_table(b, message_at[2], slots, 2, at);
    const size_t fields = put_vector(b, at[1], schema->n_fields);
    for (int i = 0; i < schema->n_fields; i++) {
        put_field(b, fields + 4 * (size_t)i, &schema->fields[i], schema->fields[i].nullable);
    }
    align(b, 8, 0);
}

static int put_base64(struct hr_slice in, struct hr_buf *out, struct hr_error *err) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const int rc = hr_buf_reserve(out, (in.len + 2) / 3 * 4, err);
    if (rc != 0) {
        return rc;
    }
    uint8_t *to = out->ptr + out->len;
    for (size_t i = 0; i < in.len; i += 3) {
        const size_t n = in.len - i < 3 ? in.len - i : 3;
        uint32_t v = (uint32_t)in.ptr[i] << 16;
        v |= n > 1 ? (uint32_t)in.ptr[i + 1] << 8 : 0;
        v |= n > 2 ? (uint32_t)in.ptr[i + 2] : 0;
        *to++ = (uint8_t)digits[v >> 18];
        *to++ = (uint8_t)digits[v >> 12 & 63];
        *to++ = n > 1 ? (uint8_t)digits[v >> 6 & 63] : '=';
        *to++ = n > 2 ? (uint8_t)digits[v & 63] : '=';
    }
    out->len = (size_t)(to - out->ptr);
    return 0;
}

int hr_pqw_arrow_schema(const struct hr_schema *schema, struct hr_buf *out, struct hr_error *err) {
    struct builder b = {.rc = 0};
    struct builder whole = {.rc = 0};
    hr_buf_init(&b.buf, 0);
    hr_buf_init(&whole.buf, 0);
    put_schema(&b, schema);
    put_number(&whole, 0xffffffff, 4); /* an encapsulated message: mark, length, FlatBuffer */
    put_number(&whole, (uint32_t)b.buf.len, 4);
    put(&whole, b.buf.ptr, b.buf.len);
    int rc = b.rc != 0 ? b.rc : whole.rc;
    if (rc != 0) {
        rc = hr_fail(err, rc, "could not hold the Arrow schema of a Parquet file in memory");
    } else {
        rc = put_base64(hr_buf_slice(&whole.buf), out, err);
    }
    hr_buf_release(&b.buf);
    hr_buf_release(&whole.buf);
    return rc;
}
