/* format/parquet/thrift_read.c - reads the compact protocol of Apache Thrift.
 *
 * The metadata decoders (pq_meta*.c) drive it field by field. Everything that the bytes claim is
 * checked against what is left before it is believed; nesting while skipping is bounded. The first
 * failure sticks: later calls answer zero and do not move.
 */
#include "format/parquet/thrift.h"

#define SKIP_DEPTH_MAX 64

void hr_thrift_in_init(struct hr_thrift_in *in, struct hr_slice bytes) {
    *in = (struct hr_thrift_in){.begin = bytes.ptr, .ptr = bytes.ptr, .end = bytes.ptr + bytes.len};
}

void hr_thrift_fail(struct hr_thrift_in *in, const char *why) {
    if (in->bad == NULL) {
        in->bad = why;
    }
}

static void fail_cut(struct hr_thrift_in *in) {
    if (in->bad == NULL) {
        in->bad = "it is cut short";
        in->cut = true;
    }
}

static uint8_t read_byte(struct hr_thrift_in *in) {
    if (in->bad != NULL) {
        return 0;
    }
    if (in->ptr == in->end) {
        fail_cut(in);
        return 0;
    }
    return *in->ptr++;
}

static uint64_t read_varint(struct hr_thrift_in *in) {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        uint8_t byte = read_byte(in);
        if (in->bad != NULL) {
            return 0;
        }
        if (shift == 63 && byte > 1) {
            break;
        }
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            return value;
        }
    }
    hr_thrift_fail(in, "a number has more than 64 bits");
    return 0;
}

static int64_t read_zigzag(struct hr_thrift_in *in) {
    uint64_t raw = read_varint(in);
    return (int64_t)(raw >> 1) ^ -(int64_t)(raw & 1);
}

bool hr_thrift_field(struct hr_thrift_in *in, struct hr_thrift_field *f) {
    uint8_t head = read_byte(in);
    f->type = head & 15;
    if (in->bad != NULL || head == HR_THRIFT_STOP) {
        return false;
    }
    if (f->type == HR_THRIFT_STOP || f->type > HR_THRIFT_UUID) {
        hr_thrift_fail(in, "a field has an unknown type");
        return false;
    }
    if (head >> 4) {
        f->id += head >> 4;
    } else {
        int64_t id = read_zigzag(in);
        if (id < INT16_MIN || id > INT16_MAX) {
            hr_thrift_fail(in, "a field number is out of range");
        }
        f->id = (int)id;
    }
    if (f->id > INT16_MAX) {
        hr_thrift_fail(in, "a field number is out of range");
    }
    return in->bad == NULL;
}

static void advance(struct hr_thrift_in *in, uint64_t count) {
    if (in->bad != NULL) {
        return;
    }
    if (count > (uint64_t)(in->end - in->ptr)) {
        fail_cut(in);
        return;
    }
    in->ptr += count;
}

static size_t list_header(struct hr_thrift_in *in, int *out_type) {
    uint8_t head = read_byte(in);
    uint64_t count = head >> 4;
    if (count == 15) {
        count = read_varint(in);
    }
    *out_type = head & 15;
    if (in->bad != NULL) {
        return 0;
    }
    if (count > INT32_MAX || *out_type > HR_THRIFT_UUID || (*out_type == 0 && count > 0)) {
        hr_thrift_fail(in, "a list header is damaged");
        return 0;
    }
    if (count > (uint64_t)(in->end - in->ptr)) {
        fail_cut(in);
        return 0;
    }
    return (size_t)count;
}

/* A boolean inside a list or map, unlike a field, has a byte of its own. */
static void skip_element(struct hr_thrift_in *in, int type) {
    if (type == HR_THRIFT_TRUE || type == HR_THRIFT_FALSE) {
        advance(in, 1);
    } else {
        hr_thrift_skip(in, type);
    }
}

static void skip_map(struct hr_thrift_in *in) {
    uint64_t count = read_varint(in);
    if (in->bad != NULL || count == 0) {
        return;
    }
    uint8_t types = read_byte(in);
    for (uint64_t i = 0; i < count && in->bad == NULL; i++) {
        skip_element(in, types >> 4);
        skip_element(in, types & 15);
    }
}

static void skip_list(struct hr_thrift_in *in) {
    int type;
    size_t count = list_header(in, &type);
    for (size_t i = 0; i < count && in->bad == NULL; i++) {
        skip_element(in, type);
    }
}

static void skip_struct(struct hr_thrift_in *in) {
    struct hr_thrift_field f = {0};
    while (hr_thrift_field(in, &f)) {
        hr_thrift_skip(in, f.type);
    }
}

void hr_thrift_skip(struct hr_thrift_in *in, int type) {
    if (in->bad != NULL) {
        return;
    }
    if (++in->depth > SKIP_DEPTH_MAX) {
        hr_thrift_fail(in, "it is nested too deep");
    }
    switch (type) {
    case HR_THRIFT_TRUE:
    case HR_THRIFT_FALSE: break;
    case HR_THRIFT_I8: advance(in, 1); break;
    case HR_THRIFT_I16:
    case HR_THRIFT_I32:
    case HR_THRIFT_I64: read_varint(in); break;
    case HR_THRIFT_DOUBLE: advance(in, 8); break;
    case HR_THRIFT_BINARY: advance(in, read_varint(in)); break;
    case HR_THRIFT_LIST:
    case HR_THRIFT_SET: skip_list(in); break;
    case HR_THRIFT_MAP: skip_map(in); break;
    case HR_THRIFT_STRUCT: skip_struct(in); break;
    case HR_THRIFT_UUID: advance(in, 16); break;
    default: hr_thrift_fail(in, "a field has an unknown type"); break;
    }
    in->depth--;
}

/* A value of a type other than the schema's: generated readers skip it, and some writers count on
 * that; in a list nothing can be made of it. */
static bool wants(struct hr_thrift_in *in, const struct hr_thrift_field *f, bool right) {
    if (in->bad == NULL && !right) {
        if (f->id == 0) {
            hr_thrift_fail(in, "a list has elements of an unexpected type");
        } else {
            hr_thrift_skip(in, f->type);
        }
        return false;
    }
    return in->bad == NULL;
}

bool hr_thrift_bool(struct hr_thrift_in *in, const struct hr_thrift_field *f) {
    return wants(in, f, f->type == HR_THRIFT_TRUE || f->type == HR_THRIFT_FALSE) &&
           f->type == HR_THRIFT_TRUE;
}

int64_t hr_thrift_i64(struct hr_thrift_in *in, const struct hr_thrift_field *f) {
    if (f->type == HR_THRIFT_I8) {
        return (int8_t)read_byte(in);
    }
    if (!wants(in, f, f->type >= HR_THRIFT_I16 && f->type <= HR_THRIFT_I64)) {
        return 0;
    }
    return read_zigzag(in);
}

int32_t hr_thrift_i32(struct hr_thrift_in *in, const struct hr_thrift_field *f) {
    int64_t value = hr_thrift_i64(in, f);
    if (value < INT32_MIN || value > INT32_MAX) {
        hr_thrift_fail(in, "a number is out of range");
        return 0;
    }
    return (int32_t)value;
}

struct hr_slice hr_thrift_bytes(struct hr_thrift_in *in, const struct hr_thrift_field *f) {
    struct hr_slice none = {NULL, 0};
    if (!wants(in, f, f->type == HR_THRIFT_BINARY)) {
        return none;
    }
    uint64_t len = read_varint(in);
    const uint8_t *at = in->ptr;
    advance(in, len);
    return in->bad == NULL ? hr_slice_of(at, (size_t)len) : none;
}

bool hr_thrift_is_struct(struct hr_thrift_in *in, const struct hr_thrift_field *f) {
    return wants(in, f, f->type == HR_THRIFT_STRUCT);
}

size_t hr_thrift_list(struct hr_thrift_in *in, const struct hr_thrift_field *f,
                      struct hr_thrift_field *element) {
    *element = (struct hr_thrift_field){0};
    if (!wants(in, f, f->type == HR_THRIFT_LIST || f->type == HR_THRIFT_SET)) {
        return 0;
    }
    return list_header(in, &element->type);
}

bool hr_thrift_list_bool(struct hr_thrift_in *in) {
    return read_byte(in) == HR_THRIFT_TRUE;
}
