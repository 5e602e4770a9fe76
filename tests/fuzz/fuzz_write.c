/* tests/fuzz/fuzz_write.c - tables made of any bytes through every writer and back.
 *
 * The first bytes choose the format, its codec, how blocks, row groups and pages are cut, and up to
 * six columns; the rest are the values. What is read must be what was written, nulls and all.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "table_support.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct feed {
    const uint8_t *at, *end;
};

static const struct target {
    const struct hr_format *format;
    const char *codecs[6]; /* by its own names; the first is none */
    size_t n_codecs;
    int flat; /* nested columns are text in it */
} TARGETS[] = {
    {&hr_format_parquet, {"", "snappy-raw", "gzip", "zstd", "lz4-raw", "brotli"}, 6, 0},
    {&hr_format_avro, {"", "snappy", "gzip", "zstd", "bzip2"}, 5, 0},
    {&hr_format_csv, {""}, 1, 1},
    {&hr_format_tsv, {""}, 1, 1},
    {&hr_format_jsonl, {""}, 1, 0},
    {&hr_format_json, {""}, 1, 0},
};

static const char *const TYPES[] = {
    "bool",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint64",
    "float",
    "double",
    "utf8",
    "binary",
    "date",
    "timestamp[us]",
    "time[us]",
    "timestamp[ms, utc]",
    "decimal(9,2)",
    "decimal(18,4)",
    "decimal(38,10)",
    "fixed(3)",
    "utf8",
    "list<int32>",
    "list<utf8>",
    "map<utf8, int64>",
    "struct<a: int64, b: utf8>",
    "list<struct<x: list<bool>, y: decimal(20,3)>>",
};
enum { N_TYPES = sizeof(TYPES) / sizeof(TYPES[0]), N_FLAT = 20, ROWS_MAX = 2000 };

static void must(bool ok, const char *what, const char *detail) {
    if (!ok) {
        fprintf(stderr, "fuzz_write: %s: %s\n", what, detail);
        abort();
    }
}

static uint8_t next(struct feed *f) {
    return f->at < f->end ? *f->at++ : 0;
}

static int64_t number(struct feed *f, int bytes) {
    uint64_t v = 0;
    for (int i = 0; i < bytes; i++) {
        v = v << 8 | next(f);
    }
    const int shift = 64 - 8 * bytes;
    return (int64_t)(v << shift) >> shift;
}

/* Text of ASCII and, for bytes above it, of longer characters. */
static void put_text(struct hr_vec *vec, struct feed *f) {
    static const char *const wide[] = {"\xc3\xbc", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\"\""};
    char text[64 * 4];
    size_t n = 0;
    for (int left = next(f) % 60; left > 0; left--) {
        const uint8_t b = next(f);
        const char *piece = wide[b % 4];
        const size_t len = b < 128 ? 1 : strlen(piece);
        memcpy(text + n, b < 128 ? (const char *)&b : piece, len);
        n += len;
    }
    must(hr_vec_append_bytes(vec, text, n, NULL) == 0, "append", "text");
}

static void put_double(struct hr_vec *vec, struct feed *f) {
    double d;
    const int64_t bits = number(f, 8);
    memcpy(&d, &bits, sizeof(d));
    d = isfinite(d) ? d : 0.5;
    if (vec->field->type.id == HR_T_F32) {
        d = fabs(d) > 1e38 ? 0.25 : (double)(float)d;
    }
    must(hr_vec_append_f64(vec, d, NULL) == 0, "append", "double");
}

static void put_bytes(struct hr_vec *vec, struct feed *f) {
    const struct hr_type t = vec->field->type;
    uint8_t bytes[64] = {0};
    size_t n = t.id == HR_T_FIXED ? (size_t)t.width : next(f) % sizeof(bytes);
    if (t.id == HR_T_DEC128) {
        const int64_t v = number(f, t.precision < 18 ? 3 : 7);
        n = 16;
        memset(bytes, v < 0 ? 0xff : 0, n);
        memcpy(bytes, &v, sizeof(v));
    } else {
        for (size_t i = 0; i < n; i++) {
            bytes[i] = next(f);
        }
    }
    must(hr_vec_append_bytes(vec, bytes, n, NULL) == 0, "append", "bytes");
}

static void put(struct hr_vec *vec, struct feed *f) {
    const struct hr_type t = vec->field->type;
    int rc = 0;
    if (vec->field->nullable && next(f) % 8 == 0) {
        rc = hr_vec_append_null(vec, NULL);
    } else if (t.id == HR_T_STRUCT) {
        for (int c = 0; c < vec->n_children; c++) {
            put(&vec->children[c], f);
        }
        rc = hr_vec_append_struct_end(vec, NULL);
    } else if (hr_type_nested(t)) {
        for (int left = next(f) % 4; left > 0; left--) {
            put(&vec->children[0], f);
        }
        rc = hr_vec_append_list_end(vec, NULL);
    } else if (t.id == HR_T_UTF8) {
        put_text(vec, f);
    } else if (t.id == HR_T_F32 || t.id == HR_T_F64) {
        put_double(vec, f);
    } else if (t.id == HR_T_BINARY || t.id == HR_T_FIXED || t.id == HR_T_DEC128) {
        put_bytes(vec, f);
    } else if (t.id == HR_T_BOOL) {
        rc = hr_vec_append_i64(vec, next(f) & 1, NULL);
    } else if (t.id == HR_T_TIME64) {
        rc = hr_vec_append_i64(vec, number(f, 4) & INT32_MAX, NULL);
    } else if (t.id == HR_T_DATE32) {
        rc = hr_vec_append_i64(vec, number(f, 2) * 8, NULL);
    } else if (t.id == HR_T_TS) {
        rc = hr_vec_append_i64(vec, number(f, 5), NULL);
    } else {
        rc = hr_vec_append_i64(vec, number(f, hr_type_width(t)), NULL);
    }
    must(rc == 0, "append", "value");
}

static struct hr_schema *columns(struct feed *f, const struct target *t) {
    const int n = 1 + next(f) % 6;
    struct hr_schema *schema = hr_schema_new(n);
    must(schema != NULL, "schema", "memory");
    for (int c = 0; c < n; c++) {
        char name[16];
        const char *type = TYPES[next(f) % (t->flat ? N_FLAT : N_TYPES)];
        snprintf(name, sizeof(name), "c%d", c);
        struct hr_field *field = &schema->fields[c];
        must(hr_field_init(field, name, strlen(name), hr_type(HR_T_NULL), 0) == 0, "field", type);
        must(hr_field_parse_type(field, type, NULL) == 0, "type", type);
    }
    return schema;
}

static void write_options(struct feed *f, const struct target *t, struct hr_write_opts *w) {
    const uint8_t bits = next(f);
    const char *codec = t->codecs[next(f) % t->n_codecs];
    hr_write_opts_init(w);
    w->codec = codec[0] ? hr_codec_by_name(codec, strlen(codec)) : NULL;
    w->row_group_rows = 1 + next(f) * 8;
    w->row_group_bytes = 200 + next(f) * 500u;
    w->page_bytes = 16 + next(f) * 40u;
    w->dictionary = bits & 1;
    w->statistics = bits & 2;
    w->page_index = bits & 4;
    w->page_crc = bits & 8;
    w->classic = bits & 16;
    w->parquet_version = bits & 32 ? 2 : 1;
}

static void read_back(const struct target *t, struct hr_slice file, const struct hr_batch *want) {
    const struct hr_read_params params = {.want = want->schema,
                                          .split_end = -1,
                                          .group_end = -1,
                                          .misfit = HR_MISFIT_STRICT,
                                          .batch_rows = 1 + (int64_t)(file.len % 100)};
    struct hr_format_opts opts;
    struct hr_batch *got = NULL;
    struct hr_batch *batch;
    struct hr_reader *reader = NULL;
    struct hr_error err;
    hr_error_clear(&err);
    must(hr_format_opts_init(&opts, &err) == 0, "options", err.message);
    must(hr_batch_new(want->schema, &got, &err) == 0, "batch", err.message);
    struct hr_source *src = hr_source_mem("fuzz", file.ptr, file.len, 1 + file.len % 997);
    int rc = t->format->open(src, &opts, &params, &reader, &err);
    while (rc == 0 && (rc = hr_reader_next(reader, &batch, &err)) == 0) {
        for (int c = 0; rc == 0 && c < want->schema->n_fields; c++) {
            const char *name = want->schema->fields[c].name;
            const int k = hr_schema_find(batch->schema, name, strlen(name));
            must(k >= 0, "a column is gone", name);
            rc = hr_vec_append_range(&got->vecs[c], &batch->vecs[k], 0, batch->len, &err);
        }
    }
    must(rc == HR_END, t->format->name, err.message);
    for (int c = 0; c < want->schema->n_fields; c++) {
        must(test_vec_equal(&got->vecs[c], &want->vecs[c]), t->format->name,
             want->schema->fields[c].name);
    }
    hr_reader_close(reader);
    hr_source_close(src);
    hr_batch_free(got);
    hr_format_opts_release(&opts);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct feed f = {data, data + size};
    const struct target *t = &TARGETS[next(&f) % (sizeof(TARGETS) / sizeof(TARGETS[0]))];
    struct hr_write_opts w;
    struct hr_batch *table = NULL;
    struct hr_buf file;
    write_options(&f, t, &w);
    struct hr_schema *schema = columns(&f, t);
    must(hr_batch_new(schema, &table, NULL) == 0, "batch", "memory");
    while (f.at < f.end && table->len < ROWS_MAX) {
        for (int c = 0; c < schema->n_fields; c++) {
            put(&table->vecs[c], &f);
        }
        table->len++;
    }
    test_write_file_of(t->format, schema, &w, &table, 1, &file);
    read_back(t, hr_buf_slice(&file), table);
    hr_buf_release(&file);
    hr_batch_free(table);
    hr_schema_unref(schema);
    return 0;
}
