/* tests/fuzz/fuzz_avro_block.c - any bytes as the rows of a block, under schemas that reach every
 * kind of node, in a container whose frame is whole. Rows are decoded, passed over, and decoded
 * with another schema to read with; where all of them are decoded, all of them can be passed over.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "format/format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define RECORD(fields) "{\"type\":\"record\",\"name\":\"r\",\"fields\":[" fields "]}"
#define FIELD(name, type) "{\"name\":\"" name "\",\"type\":" type "}"

static const struct {
    const char *file, *reader;
} schemas[] = {
    {RECORD(FIELD("a", "\"long\"") "," FIELD("b", "\"string\"") "," FIELD("c", "\"double\"")),
     RECORD(FIELD("b", "\"bytes\"") "," FIELD("a", "\"double\""))},
    {RECORD(FIELD("a", "[\"null\",\"int\"]") "," FIELD("b", "[\"string\",\"null\"]") "," FIELD(
         "c", "\"boolean\"") "," FIELD("d", "\"float\"")),
     RECORD(FIELD("a", "[\"null\",\"long\",\"string\"]") "," FIELD("d", "\"double\""))},
    {RECORD(FIELD("a", "{\"type\":\"array\",\"items\":[\"null\",\"string\"]}") "," FIELD(
         "b", "{\"type\":\"map\",\"values\":\"long\"}")),
     RECORD(FIELD("b", "{\"type\":\"map\",\"values\":\"double\"}"))},
    {RECORD(FIELD("a", "{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":30,"
                       "\"scale\":3}") "," FIELD("b", "{\"type\":\"fixed\",\"name\":\"f\","
                                                      "\"size\":12,\"logicalType\":"
                                                      "\"duration\"}") "," FIELD("c", "{\"type\":"
                                                                                      "\"enum\","
                                                                                      "\"name\":"
                                                                                      "\"e\","
                                                                                      "\"symbols\":"
                                                                                      "[\"A\","
                                                                                      "\"B\"]}")),
     RECORD(FIELD("c", "{\"type\":\"enum\",\"name\":\"e\",\"symbols\":[\"B\"],\"default\":"
                       "\"B\"}"))},
    {RECORD(FIELD("a", "[\"null\",\"int\",\"string\",{\"type\":\"array\",\"items\":\"null\"}]")),
     RECORD(FIELD("a", "[\"string\",\"null\",\"long\"]"))},
    {RECORD(FIELD("a", "{\"type\":\"array\",\"items\":{\"type\":\"record\",\"name\":\"s\","
                       "\"fields\":[" FIELD("x", "[\"null\",{\"type\":\"array\",\"items\":"
                                                 "\"bytes\"}]") "," FIELD("y", "{\"type\":\"int\","
                                                                               "\"logicalType\":"
                                                                               "\"date\"}") "]}}")),
     RECORD(FIELD("a", "{\"type\":\"array\",\"items\":{\"type\":\"record\",\"name\":\"s\","
                       "\"fields\":[" FIELD("y", "\"int\"") "]}}"))},
};

static void must(bool ok) {
    if (!ok) {
        abort();
    }
}

static void put_long(struct hr_buf *out, int64_t v) {
    uint64_t u = (uint64_t)v << 1 ^ (uint64_t)(v >> 63);
    while (u > 127) {
        must(hr_buf_append_byte(out, (uint8_t)(u | 128), NULL) == 0);
        u >>= 7;
    }
    must(hr_buf_append_byte(out, (uint8_t)u, NULL) == 0);
}

static void put_text(struct hr_buf *out, const char *text) {
    put_long(out, (int64_t)strlen(text));
    must(hr_buf_append_str(out, text, NULL) == 0);
}

static void make_file(struct hr_buf *out, const char *schema, int64_t rows, struct hr_slice body) {
    static const char sync[] = "0123456789abcdef";
    must(hr_buf_append(out, "Obj\x01", 4, NULL) == 0);
    put_long(out, 1);
    put_text(out, "avro.schema");
    put_text(out, schema);
    put_long(out, 0);
    must(hr_buf_append_str(out, sync, NULL) == 0);
    put_long(out, rows);
    put_long(out, (int64_t)body.len);
    must(hr_buf_append(out, body.ptr, body.len, NULL) == 0);
    must(hr_buf_append_str(out, sync, NULL) == 0);
}

/* Rows read; -1: refused. */
static int64_t count_rows(struct hr_slice file, const struct hr_format_opts *opts,
                          const struct hr_read_params *params) {
    struct hr_reader *reader = NULL;
    struct hr_batch *batch;
    struct hr_error err;
    int64_t rows = 0;
    hr_error_clear(&err);
    struct hr_source *src = hr_source_mem("fuzz", file.ptr, file.len, 0);
    int rc = hr_format_avro.open(src, opts, params, &reader, &err);
    while (rc == 0 && (rc = hr_reader_next(reader, &batch, &err)) == 0) {
        rows += batch->len;
        for (int c = 0; c < batch->schema->n_fields; c++) {
            must(batch->vecs[c].len == batch->len);
        }
    }
    must(rc == HR_END || (rc < 0 && rc != HR_E_INTERNAL && err.message[0] != '\0'));
    hr_reader_close(reader);
    hr_source_close(src);
    return rc == HR_END ? rows : -1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct hr_format_opts opts;
    struct hr_buf file;
    if (size < 2 || size > 16384) {
        return 0;
    }
    const size_t pick = data[0] % (sizeof(schemas) / sizeof(schemas[0]));
    must(hr_format_opts_init(&opts, NULL) == 0);
    hr_buf_init(&file, 0);
    make_file(&file, schemas[pick].file, data[1], hr_slice_of(data + 2, size - 2));
    struct hr_schema *none = hr_schema_new(0);
    const struct hr_read_params all = {
        .split_end = -1, .batch_rows = data[0] & 64 ? 3 : 0, .cell_max = 1 << 20};
    const struct hr_read_params bare = {.want = none, .split_end = -1, .cell_max = 1 << 20};
    const int64_t rows = count_rows(hr_buf_slice(&file), &opts, &all);
    must(rows < 0 || rows == data[1]);
    must(rows < 0 || count_rows(hr_buf_slice(&file), &opts, &bare) == rows);
    opts.avro.schema = hr_strdup(schemas[pick].reader);
    (void)count_rows(hr_buf_slice(&file), &opts, &all);
    hr_schema_unref(none);
    hr_buf_release(&file);
    hr_format_opts_release(&opts);
    return 0;
}
