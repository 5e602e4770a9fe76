/* tests/unit/parquet/pq_build.h - Parquet files put together by hand, page by page, so that tests
 * can have what no writer of today makes: old encodings, odd metadata, lies. */
#ifndef HR_TEST_PQ_BUILD_H
#define HR_TEST_PQ_BUILD_H

#include "format/parquet/pq_meta.h"
#include "format/parquet/thrift.h"
#include "support.h"

struct pb_element { /* one schema element below the root */
    const char *name;
    int type, repetition; /* type -1: a group */
    int children;
    int converted; /* -1 none */
    int length, scale, precision;
};

struct pb_column {
    int type;
    const char *name;
    int64_t num_values, offset, size;
    int codec;
    const char *file_path;
    bool encrypted;
};

struct pb_file {
    struct hr_buf bytes;
    struct pb_element elements[16];
    int n_elements, root_children;
    struct pb_column columns[8];
    int n_columns;
    int64_t file_rows;      /* of the whole file, when not those of its row group */
    const char *created_by; /* NULL none */
    const char *key;        /* a key-value pair, NULL none */
};

static inline void pb_begin(struct pb_file *f) {
    *f = (struct pb_file){0};
    hr_buf_init(&f->bytes, 0);
    hr_buf_append_str(&f->bytes, "PAR1", NULL);
}

static inline void pb_element(struct pb_file *f, struct pb_element e) {
    f->elements[f->n_elements++] = e;
}

/* Begin a column chunk; its pages follow. */
static inline struct pb_column *pb_column(struct pb_file *f, const char *name, int type,
                                          int64_t num_values) {
    struct pb_column *c = &f->columns[f->n_columns++];
    *c = (struct pb_column){
        .type = type, .name = name, .num_values = num_values, .offset = (int64_t)f->bytes.len};
    return c;
}

/* One page of the column begun last. rep_encoding: levels of v1 pages. */
static inline void pb_page(struct pb_file *f, int type, int32_t values, int encoding,
                           int level_encoding, const void *payload, size_t len) {
    struct hr_thrift_out t;
    hr_thrift_out_init(&t, &f->bytes);
    hr_thrift_put_i32(&t, 1, type);
    hr_thrift_put_i32(&t, 2, (int32_t)len);
    hr_thrift_put_i32(&t, 3, (int32_t)len);
    hr_thrift_put_struct(&t, type == HR_PQ_DICTIONARY_PAGE ? 7 : 5);
    hr_thrift_put_i32(&t, 1, values);
    hr_thrift_put_i32(&t, 2, encoding);
    if (type == HR_PQ_DATA_PAGE) {
        hr_thrift_put_i32(&t, 3, level_encoding);
        hr_thrift_put_i32(&t, 4, level_encoding);
    }
    hr_thrift_put_end(&t);
    hr_thrift_put_end(&t);
    assert_int_equal(t.rc, 0);
    hr_buf_append(&f->bytes, payload, len, NULL);
    struct pb_column *c = &f->columns[f->n_columns - 1];
    c->size = (int64_t)f->bytes.len - c->offset;
}

static inline void pb_put_element(struct hr_thrift_out *t, const struct pb_element *e) {
    hr_thrift_item_struct(t);
    if (e->type >= 0) {
        hr_thrift_put_i32(t, 1, e->type);
    }
    if (e->length > 0) {
        hr_thrift_put_i32(t, 2, e->length);
    }
    hr_thrift_put_i32(t, 3, e->repetition);
    hr_thrift_put_bytes(t, 4, e->name, strlen(e->name));
    if (e->type < 0) {
        hr_thrift_put_i32(t, 5, e->children);
    }
    if (e->converted >= 0) {
        hr_thrift_put_i32(t, 6, e->converted);
    }
    if (e->precision > 0) {
        hr_thrift_put_i32(t, 7, e->scale);
        hr_thrift_put_i32(t, 8, e->precision);
    }
    hr_thrift_put_end(t);
}

static inline void pb_put_column(struct hr_thrift_out *t, const struct pb_column *c) {
    hr_thrift_item_struct(t);
    if (c->file_path != NULL) {
        hr_thrift_put_bytes(t, 1, c->file_path, strlen(c->file_path));
    }
    hr_thrift_put_i64(t, 2, c->offset);
    hr_thrift_put_struct(t, 3);
    hr_thrift_put_i32(t, 1, c->type);
    hr_thrift_put_list(t, 2, HR_THRIFT_I32, 1);
    hr_thrift_item_i32(t, HR_PQ_PLAIN);
    hr_thrift_put_list(t, 3, HR_THRIFT_BINARY, 1);
    hr_thrift_item_bytes(t, c->name, strlen(c->name));
    hr_thrift_put_i32(t, 4, c->codec);
    hr_thrift_put_i64(t, 5, c->num_values);
    hr_thrift_put_i64(t, 6, c->size);
    hr_thrift_put_i64(t, 7, c->size);
    hr_thrift_put_i64(t, 9, c->offset);
    hr_thrift_put_end(t);
    if (c->encrypted) {
        hr_thrift_put_struct(t, 8);
        hr_thrift_put_struct(t, 1);
        hr_thrift_put_end(t);
        hr_thrift_put_end(t);
    }
    hr_thrift_put_end(t);
}

/* Footer and end mark: one row group of num_rows rows. */
static inline struct hr_slice pb_finish(struct pb_file *f, int64_t num_rows) {
    struct hr_thrift_out t;
    const size_t start = f->bytes.len;
    hr_thrift_out_init(&t, &f->bytes);
    hr_thrift_put_i32(&t, 1, 1);
    hr_thrift_put_list(&t, 2, HR_THRIFT_STRUCT, (size_t)f->n_elements + 1);
    pb_put_element(&t, &(struct pb_element){"root", -1, 0, f->root_children, -1, 0, 0, 0});
    for (int i = 0; i < f->n_elements; i++) {
        pb_put_element(&t, &f->elements[i]);
    }
    hr_thrift_put_i64(&t, 3, f->file_rows > 0 ? f->file_rows : num_rows);
    hr_thrift_put_list(&t, 4, HR_THRIFT_STRUCT, 1);
    hr_thrift_item_struct(&t);
    hr_thrift_put_list(&t, 1, HR_THRIFT_STRUCT, (size_t)f->n_columns);
    for (int i = 0; i < f->n_columns; i++) {
        pb_put_column(&t, &f->columns[i]);
    }
    hr_thrift_put_i64(&t, 2, (int64_t)start);
    hr_thrift_put_i64(&t, 3, num_rows);
    hr_thrift_put_end(&t);
    if (f->key != NULL) {
        hr_thrift_put_list(&t, 5, HR_THRIFT_STRUCT, 1);
        hr_thrift_item_struct(&t);
        hr_thrift_put_bytes(&t, 1, f->key, strlen(f->key));
        hr_thrift_put_end(&t);
    }
    if (f->created_by != NULL) {
        hr_thrift_put_bytes(&t, 6, f->created_by, strlen(f->created_by));
    }
    hr_thrift_put_end(&t);
    assert_int_equal(t.rc, 0);
    const uint32_t len = (uint32_t)(f->bytes.len - start);
    hr_buf_append(&f->bytes, &len, 4, NULL);
    hr_buf_append_str(&f->bytes, "PAR1", NULL);
    return hr_buf_slice(&f->bytes);
}

#endif
