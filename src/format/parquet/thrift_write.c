/* format/parquet/thrift_write.c - writes the compact protocol: page headers, page indexes, footers.
 *
 * A struct is a run of fields, each a byte `delta of id << 4 | type` (or the type and a zigzag id
 * when the delta is over 15), and a zero byte at its end. Integers are zigzag varints, byte strings
 * a varint length and the bytes, a list a byte `count << 4 | type` (or 0xf0 | type and a varint).
 * Only hr_pq code writes with it, so misuse is an assert and only memory can fail.
 */
#include <assert.h>

#include "format/parquet/thrift.h"

static void put(struct hr_thrift_out *out, const void *ptr, size_t len) {
    if (out->rc == 0) {
        out->rc = hr_buf_append(out->buf, ptr, len, NULL);
    }
}

static void put_varint(struct hr_thrift_out *out, uint64_t v) {
    uint8_t bytes[10];
    size_t n = 0;
    while (v >= 0x80) {
        bytes[n++] = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    bytes[n++] = (uint8_t)v;
    put(out, bytes, n);
}

static void put_zigzag(struct hr_thrift_out *out, int64_t v) {
    put_varint(out, ((uint64_t)v << 1) ^ (uint64_t)(v >> 63));
}

static void put_head(struct hr_thrift_out *out, int id, int type) {
    int *last = &out->last[out->depth];
    const int delta = id - *last;
    assert(delta > 0);
    *last = id;
    if (delta <= 15) {
        const uint8_t head = (uint8_t)((delta << 4) | type);
        put(out, &head, 1);
    } else {
        const uint8_t head = (uint8_t)type;
        put(out, &head, 1);
        put_zigzag(out, id);
    }
}

static void open_struct(struct hr_thrift_out *out) {
    assert(out->depth + 1 < HR_THRIFT_DEPTH);
    out->last[++out->depth] = 0;
}

void hr_thrift_out_init(struct hr_thrift_out *out, struct hr_buf *buf) {
    *out = (struct hr_thrift_out){.buf = buf};
}

void hr_thrift_put_end(struct hr_thrift_out *out) {
    const uint8_t stop = HR_THRIFT_STOP;
    put(out, &stop, 1);
    if (out->depth > 0) {
        out->depth--;
    }
}

void hr_thrift_put_bool(struct hr_thrift_out *out, int id, bool v) {
    put_head(out, id, v ? HR_THRIFT_TRUE : HR_THRIFT_FALSE);
}

void hr_thrift_put_i8(struct hr_thrift_out *out, int id, int v) {
    const uint8_t byte = (uint8_t)v;
    put_head(out, id, HR_THRIFT_I8);
    put(out, &byte, 1);
}

void hr_thrift_put_i16(struct hr_thrift_out *out, int id, int v) {
    put_head(out, id, HR_THRIFT_I16);
    put_zigzag(out, v);
}

void hr_thrift_put_i32(struct hr_thrift_out *out, int id, int32_t v) {
    put_head(out, id, HR_THRIFT_I32);
    put_zigzag(out, v);
}

void hr_thrift_put_i64(struct hr_thrift_out *out, int id, int64_t v) {
    put_head(out, id, HR_THRIFT_I64);
    put_zigzag(out, v);
}

void hr_thrift_put_bytes(struct hr_thrift_out *out, int id, const void *ptr, size_t len) {
    put_head(out, id, HR_THRIFT_BINARY);
    hr_thrift_item_bytes(out, ptr, len);
}

void hr_thrift_put_struct(struct hr_thrift_out *out, int id) {
    put_head(out, id, HR_THRIFT_STRUCT);
    open_struct(out);
}

void hr_thrift_put_list(struct hr_thrift_out *out, int id, int type, size_t count) {
    put_head(out, id, HR_THRIFT_LIST);
    const uint8_t head = (uint8_t)(((count < 15 ? count : 15) << 4) | (unsigned)type);
    put(out, &head, 1);
    if (count >= 15) {
        put_varint(out, count);
    }
}

void hr_thrift_item_bool(struct hr_thrift_out *out, bool v) {
    const uint8_t byte = v ? HR_THRIFT_TRUE : HR_THRIFT_FALSE;
    put(out, &byte, 1);
}

void hr_thrift_item_i32(struct hr_thrift_out *out, int32_t v) {
    put_zigzag(out, v);
}

void hr_thrift_item_i64(struct hr_thrift_out *out, int64_t v) {
    put_zigzag(out, v);
}

void hr_thrift_item_bytes(struct hr_thrift_out *out, const void *ptr, size_t len) {
    put_varint(out, len);
    put(out, ptr, len);
}

void hr_thrift_item_struct(struct hr_thrift_out *out) {
    open_struct(out);
}

void hr_thrift_put_raw(struct hr_thrift_out *out, const void *ptr, size_t len, int last_id) {
    put(out, ptr, len);
    if (last_id > 0) {
        out->last[out->depth] = last_id;
    }
}
