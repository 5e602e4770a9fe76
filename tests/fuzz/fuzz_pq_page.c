/* tests/fuzz/fuzz_pq_page.c - any bytes as the pages of one column, in a file whose metadata is
 * whole: every encoding, type, repetition and page version is reached at once, where whole files of
 * any bytes seldom pass their footers. Read by the vector kernels in large batches and by the
 * portable ones in small batches: both must end alike with the same values. What is read is handed
 * out as Arrow arrays too.
 *
 * Input: HEAD bytes that choose, then the dictionary's bytes, then the data page's. */
#include "base/cpu.h"
#include "format/parquet/pq_meta.h"
#include "format/parquet/thrift.h"
#include "parquet_fuzz.h"

enum { HEAD = 8 };

struct choice {
    int type, converted, encoding, fixed, codec;
    bool optional, repeated, v2, dictionary;
    int values, rows, nulls, def_len, rep_len;
    struct hr_slice dict, page;
};

static const struct {
    int type, converted, fixed;
} kinds[] = {
    {HR_PQ_BOOLEAN, -1, 0},
    {HR_PQ_INT32, -1, 0},
    {HR_PQ_INT32, HR_PQ_CONV_DATE, 0},
    {HR_PQ_INT32, HR_PQ_CONV_INT_8, 0},
    {HR_PQ_INT32, HR_PQ_CONV_UINT_16, 0},
    {HR_PQ_INT64, -1, 0},
    {HR_PQ_INT64, HR_PQ_CONV_TIMESTAMP_MICROS, 0},
    {HR_PQ_INT64, HR_PQ_CONV_DECIMAL, 0},
    {HR_PQ_INT96, -1, 0},
    {HR_PQ_FLOAT, -1, 0},
    {HR_PQ_DOUBLE, -1, 0},
    {HR_PQ_BYTE_ARRAY, -1, 0},
    {HR_PQ_BYTE_ARRAY, HR_PQ_CONV_UTF8, 0},
    {HR_PQ_BYTE_ARRAY, HR_PQ_CONV_DECIMAL, 0},
    {HR_PQ_FIXED, -1, 5},
    {HR_PQ_FIXED, HR_PQ_CONV_DECIMAL, 9},
    {HR_PQ_FIXED, HR_PQ_CONV_INTERVAL, 12},
};

static struct choice choose(const uint8_t *data, size_t size) {
    static const int encodings[] = {HR_PQ_PLAIN,
                                    HR_PQ_RLE_DICTIONARY,
                                    HR_PQ_RLE,
                                    HR_PQ_DELTA_BINARY_PACKED,
                                    HR_PQ_DELTA_LENGTH_BYTE_ARRAY,
                                    HR_PQ_DELTA_BYTE_ARRAY,
                                    HR_PQ_BYTE_STREAM_SPLIT,
                                    HR_PQ_PLAIN_DICTIONARY};
    const size_t kind = data[0] % (sizeof(kinds) / sizeof(kinds[0]));
    const size_t body = size - HEAD;
    struct choice c = {.type = kinds[kind].type,
                       .converted = kinds[kind].converted,
                       .fixed = kinds[kind].fixed,
                       .encoding = encodings[data[1] & 7],
                       .optional = (data[2] & 1) != 0,
                       .repeated = (data[2] & 2) != 0,
                       .v2 = (data[2] & 4) != 0,
                       .values = data[3] | (data[2] & 0x30) << 4,
                       .nulls = data[4] & 15,
                       .def_len = data[4] >> 4,
                       .rep_len = data[5] & 15};
    c.rows = c.repeated ? 1 + data[6] % 16 : c.values;
    c.dictionary = c.encoding == HR_PQ_RLE_DICTIONARY || c.encoding == HR_PQ_PLAIN_DICTIONARY;
    const size_t cut = c.dictionary ? body * (data[5] >> 4) / 16 : 0;
    c.dict = hr_slice_of(data + HEAD, cut);
    c.page = hr_slice_of(data + HEAD + cut, body - cut);
    return c;
}

static void put_page(struct hr_buf *file, const struct choice *c, bool dictionary) {
    struct hr_thrift_out t;
    const struct hr_slice body = dictionary ? c->dict : c->page;
    hr_thrift_out_init(&t, file);
    hr_thrift_put_i32(&t, 1,
                      dictionary ? HR_PQ_DICTIONARY_PAGE
                      : c->v2    ? HR_PQ_DATA_PAGE_V2
                                 : HR_PQ_DATA_PAGE);
    hr_thrift_put_i32(&t, 2, (int32_t)body.len);
    hr_thrift_put_i32(&t, 3, (int32_t)body.len);
    hr_thrift_put_struct(&t, dictionary ? 7 : c->v2 ? 8 : 5);
    if (dictionary) {
        hr_thrift_put_i32(&t, 1, c->nulls * 4);
        hr_thrift_put_i32(&t, 2, HR_PQ_PLAIN);
    } else if (c->v2) {
        hr_thrift_put_i32(&t, 1, c->values);
        hr_thrift_put_i32(&t, 2, c->optional ? c->nulls : 0);
        hr_thrift_put_i32(&t, 3, c->rows);
        hr_thrift_put_i32(&t, 4, c->encoding);
        hr_thrift_put_i32(&t, 5, c->def_len);
        hr_thrift_put_i32(&t, 6, c->rep_len);
        hr_thrift_put_bool(&t, 7, false);
    } else {
        hr_thrift_put_i32(&t, 1, c->values);
        hr_thrift_put_i32(&t, 2, c->encoding);
        hr_thrift_put_i32(&t, 3, HR_PQ_RLE);
        hr_thrift_put_i32(&t, 4, HR_PQ_RLE);
    }
    hr_thrift_put_end(&t);
    hr_thrift_put_end(&t);
    must(t.rc == 0 && hr_buf_append(file, body.ptr, body.len, NULL) == 0, "no memory");
}

static void put_schema(struct hr_thrift_out *t, const struct choice *c) {
    hr_thrift_put_list(t, 2, HR_THRIFT_STRUCT, 2);
    hr_thrift_item_struct(t);
    hr_thrift_put_bytes(t, 4, "root", 4);
    hr_thrift_put_i32(t, 5, 1);
    hr_thrift_put_end(t);
    hr_thrift_item_struct(t);
    hr_thrift_put_i32(t, 1, c->type);
    if (c->fixed > 0) {
        hr_thrift_put_i32(t, 2, c->fixed);
    }
    hr_thrift_put_i32(t, 3,
                      c->repeated   ? HR_PQ_REPEATED
                      : c->optional ? HR_PQ_OPTIONAL
                                    : HR_PQ_REQUIRED);
    hr_thrift_put_bytes(t, 4, "x", 1);
    if (c->converted >= 0) {
        hr_thrift_put_i32(t, 6, c->converted);
    }
    if (c->converted == HR_PQ_CONV_DECIMAL) {
        hr_thrift_put_i32(t, 7, 2);
        hr_thrift_put_i32(t, 8, 18);
    }
    hr_thrift_put_end(t);
}

static void put_column(struct hr_thrift_out *t, const struct choice *c, int64_t data_page,
                       int64_t end) {
    hr_thrift_put_list(t, 1, HR_THRIFT_STRUCT, 1);
    hr_thrift_item_struct(t);
    hr_thrift_put_i64(t, 2, 4);
    hr_thrift_put_struct(t, 3);
    hr_thrift_put_i32(t, 1, c->type);
    hr_thrift_put_list(t, 2, HR_THRIFT_I32, 1);
    hr_thrift_item_i32(t, c->encoding);
    hr_thrift_put_list(t, 3, HR_THRIFT_BINARY, 1);
    hr_thrift_item_bytes(t, "x", 1);
    hr_thrift_put_i32(t, 4, HR_PQ_UNCOMPRESSED);
    hr_thrift_put_i64(t, 5, c->values);
    hr_thrift_put_i64(t, 6, end - 4);
    hr_thrift_put_i64(t, 7, end - 4);
    hr_thrift_put_i64(t, 9, data_page);
    if (c->dictionary) {
        hr_thrift_put_i64(t, 11, 4);
    }
    hr_thrift_put_end(t);
    hr_thrift_put_end(t);
}

static void make_file(const struct choice *c, struct hr_buf *file) {
    struct hr_thrift_out t;
    must(hr_buf_append_str(file, "PAR1", NULL) == 0, "no memory");
    if (c->dictionary) {
        put_page(file, c, true);
    }
    const int64_t data_page = (int64_t)file->len;
    put_page(file, c, false);
    const int64_t end = (int64_t)file->len;
    hr_thrift_out_init(&t, file);
    hr_thrift_put_i32(&t, 1, 1);
    put_schema(&t, c);
    hr_thrift_put_i64(&t, 3, c->rows);
    hr_thrift_put_list(&t, 4, HR_THRIFT_STRUCT, 1);
    hr_thrift_item_struct(&t);
    put_column(&t, c, data_page, end);
    hr_thrift_put_i64(&t, 2, end - 4);
    hr_thrift_put_i64(&t, 3, c->rows);
    hr_thrift_put_end(&t);
    hr_thrift_put_end(&t);
    const uint32_t len = (uint32_t)(file->len - (size_t)end);
    must(t.rc == 0 && hr_buf_append(file, &len, 4, NULL) == 0 &&
             hr_buf_append_str(file, "PAR1", NULL) == 0,
         "no memory");
}

/* The batches handed over as Arrow arrays: as long, and released once. */
static void export_all(const uint8_t *data, size_t size) {
    const struct hr_format_opts opts = {0};
    const struct hr_read_params params = {.group_end = -1, .cell_max = 1 << 20};
    struct hr_reader *reader = NULL;
    struct hr_batch *batch;
    struct hr_error err;
    struct hr_source *src = hr_source_mem("fuzz", data, size, 0);
    int rc = hr_format_parquet.open(src, &opts, &params, &reader, &err);
    while (rc == 0 && (rc = hr_reader_next(reader, &batch, &err)) == 0) {
        struct ArrowArray array;
        const int64_t rows = batch->len;
        must(hr_batch_export(batch, &array, &err) == 0, "a batch is not exported");
        must(array.length == rows && array.release != NULL, "an export of another length");
        array.release(&array);
    }
    hr_reader_close(reader);
    hr_source_close(src);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct hr_cpu scalar;
    struct hr_buf file;
    if (size < HEAD || size > 16384) {
        return 0;
    }
    const struct choice c = choose(data, size);
    hr_buf_init(&file, 0);
    make_file(&c, &file);
    const struct outcome a = read_all(file.ptr, file.len, 0, NULL);
    hr_cpu_override(&scalar);
    const struct outcome b = read_all(file.ptr, file.len, 3, NULL);
    hr_cpu_override(NULL);
    must((a.rc < 0) == (b.rc < 0), "ends differ");
    must(a.rc < 0 || (a.rows == b.rows && a.sum == b.sum), "values differ");
    if (a.rc == HR_END) {
        must(a.rows == c.rows, "rows are missing");
        export_all(file.ptr, file.len);
    }
    hr_buf_release(&file);
    return 0;
}
