/* format/parquet/thrift.h - the compact protocol of Apache Thrift, as far as Parquet uses it.
 *
 * https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md. No generated
 * code and no objects: a reader walks fields and lists over a byte slice, a writer appends to a
 * buf. Both carry a sticky failure, so that a caller checks once per struct and not per value.
 */
#ifndef HR_FORMAT_PARQUET_THRIFT_H
#define HR_FORMAT_PARQUET_THRIFT_H

#include "base/slice.h"

enum hr_thrift_type { /* wire types; a boolean field carries its value in the type */
                      HR_THRIFT_STOP = 0,
                      HR_THRIFT_TRUE = 1,
                      HR_THRIFT_FALSE = 2,
                      HR_THRIFT_I8 = 3,
                      HR_THRIFT_I16 = 4,
                      HR_THRIFT_I32 = 5,
                      HR_THRIFT_I64 = 6,
                      HR_THRIFT_DOUBLE = 7,
                      HR_THRIFT_BINARY = 8,
                      HR_THRIFT_LIST = 9,
                      HR_THRIFT_SET = 10,
                      HR_THRIFT_MAP = 11,
                      HR_THRIFT_STRUCT = 12,
                      HR_THRIFT_UUID = 13
};

/* ---- reading (thrift_read.c) ------------------------------------------------------------------
 */

struct hr_thrift_in {
    const uint8_t *begin, *ptr, *end;
    const char *bad; /* first failure as a sentence fragment, NULL: none; all calls then answer 0 */
    bool cut;        /* the failure was running out of bytes */
    bool no_memory;  /* the failure was ours */
    int depth;       /* structs and lists open while skipping */
};

struct hr_thrift_field {
    int type; /* enum hr_thrift_type */
    int id;
};

void hr_thrift_in_init(struct hr_thrift_in *in, struct hr_slice bytes);
/* The next field of the struct being read; f->id must be 0 before the first call. False at the stop
 * mark and on failure. The value must then be read or skipped. */
bool hr_thrift_field(struct hr_thrift_in *in, struct hr_thrift_field *f);
/* Skip the value of a field just announced (or a list element of that type). */
void hr_thrift_skip(struct hr_thrift_in *in, int type);
/* Values. One of another type than asked for is skipped and reads as 0 / NULL / false, as generated
 * readers do; as a list element it fails, and so does an i32 out of range. */
bool hr_thrift_bool(struct hr_thrift_in *in, const struct hr_thrift_field *f);
int32_t hr_thrift_i32(struct hr_thrift_in *in, const struct hr_thrift_field *f); /* i8, i16, i32 */
int64_t hr_thrift_i64(struct hr_thrift_in *in, const struct hr_thrift_field *f); /* any integer */
struct hr_slice hr_thrift_bytes(struct hr_thrift_in *in, const struct hr_thrift_field *f);
bool hr_thrift_is_struct(struct hr_thrift_in *in,
                         const struct hr_thrift_field *f); /* fails if not */
/* List header: count of elements, and their type in f->type (f->id 0), so that the value calls work
 * on elements too. Fails unless count <= bytes left (every element takes at least one). */
size_t hr_thrift_list(struct hr_thrift_in *in, const struct hr_thrift_field *f,
                      struct hr_thrift_field *element);
/* One boolean list element (one byte). */
bool hr_thrift_list_bool(struct hr_thrift_in *in);
void hr_thrift_fail(struct hr_thrift_in *in, const char *why);

/* ---- writing (thrift_write.c) -----------------------------------------------------------------
 * Fields must come in ascending order of id within a struct. `rc` is the first failure (HR_E_NOMEM,
 * HR_E_BOUND), after which every call does nothing; check it once at the end. */

#define HR_THRIFT_DEPTH 12

struct hr_thrift_out {
    struct hr_buf *buf; /* appended to */
    int rc;
    int depth;
    int last[HR_THRIFT_DEPTH]; /* last field id of each open struct */
};

void hr_thrift_out_init(struct hr_thrift_out *out, struct hr_buf *buf); /* opens the outer struct */
void hr_thrift_put_end(struct hr_thrift_out *out);                      /* closes the open struct */
void hr_thrift_put_bool(struct hr_thrift_out *out, int id, bool v);
void hr_thrift_put_i8(struct hr_thrift_out *out, int id, int v);
void hr_thrift_put_i16(struct hr_thrift_out *out, int id, int v);
void hr_thrift_put_i32(struct hr_thrift_out *out, int id, int32_t v);
void hr_thrift_put_i64(struct hr_thrift_out *out, int id, int64_t v);
void hr_thrift_put_bytes(struct hr_thrift_out *out, int id, const void *ptr, size_t len);
void hr_thrift_put_struct(struct hr_thrift_out *out, int id); /* then its fields, then put_end */
/* A list's header; then exactly `count` items of `type` (enum hr_thrift_type). */
void hr_thrift_put_list(struct hr_thrift_out *out, int id, int type, size_t count);
void hr_thrift_item_bool(struct hr_thrift_out *out, bool v);
void hr_thrift_item_i32(struct hr_thrift_out *out, int32_t v);
void hr_thrift_item_i64(struct hr_thrift_out *out, int64_t v);
void hr_thrift_item_bytes(struct hr_thrift_out *out, const void *ptr, size_t len);
void hr_thrift_item_struct(struct hr_thrift_out *out); /* then its fields, then put_end */
/* Bytes encoded before, verbatim: whole list items (last_id 0), or fields of the open struct of
 * which the last has id `last_id`. */
void hr_thrift_put_raw(struct hr_thrift_out *out, const void *ptr, size_t len, int last_id);

#endif
