/* bench/micro/bench_avro.c - nanoseconds per value for Avro decode and encode.
 *
 * A table like TPC-H lineitem (4 int64, 4 doubles, 3 dates, 5 texts; once with all columns
 * nullable), written to memory and read back. Prints `name value unit [goal]`; the goal of decode
 * is 10 ns. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "format/format.h"

enum { ROWS = 500000, COLUMNS = 16, RUNS = 5, BATCH = 8192 };

static double cpu_now(void) {
    struct timespec ts;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static void must(int rc, const struct hr_error *err) {
    if (rc < 0) {
        fprintf(stderr, "bench_avro: %s\n", err->message);
        exit(1);
    }
}

static struct hr_schema *make_schema(bool nullable) {
    static const char *const names[COLUMNS] = {"orderkey",    "partkey",  "suppkey",  "linenumber",
                                               "quantity",    "price",    "discount", "tax",
                                               "flag",        "status",   "shipdate", "commitdate",
                                               "receiptdate", "instruct", "mode",     "comment"};
    struct hr_schema *schema = hr_schema_new(COLUMNS);
    for (int i = 0; schema != NULL && i < COLUMNS; i++) {
        enum hr_type_id id = i < 4                ? HR_T_I64
                             : i < 8              ? HR_T_F64
                             : i >= 10 && i <= 12 ? HR_T_DATE32
                                                  : HR_T_UTF8;
        if (hr_field_init(&schema->fields[i], names[i], strlen(names[i]), hr_type(id), 0) != 0) {
            exit(1);
        }
        schema->fields[i].nullable = nullable;
    }
    return schema;
}

static uint64_t seed = 42;
static unsigned below(unsigned n) {
    uint64_t z = (seed += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    return (unsigned)((z >> 20) % n);
}

static void fill(struct hr_batch *batch, int64_t from, int64_t rows) {
    static const char *const texts[] = {"DELIVER IN PERSON", "COLLECT COD", "NONE",
                                        "TAKE BACK RETURN"};
    static const char comment[] = "furiously regular packages sleep across the even deposits";
    struct hr_error err;
    for (int64_t r = 0; r < rows; r++) {
        struct hr_vec *v = batch->vecs;
        const int64_t ints[] = {(from + r) / 4 + 1, 1 + below(200000), 1 + below(10000),
                                1 + below(7)};
        for (int i = 0; i < 4; i++) {
            must(hr_vec_append_i64(&v[i], ints[i], &err), &err);
            must(hr_vec_append_f64(&v[4 + i], (double)below(10000000) / 100, &err), &err);
        }
        must(hr_vec_append_bytes(&v[8], &"NAR"[below(3)], 1, &err), &err);
        must(hr_vec_append_bytes(&v[9], &"OF"[below(2)], 1, &err), &err);
        for (int i = 10; i < 13; i++) {
            must(hr_vec_append_i64(&v[i], 8000 + below(2500), &err), &err);
        }
        const char *text = texts[below(4)];
        must(hr_vec_append_bytes(&v[13], text, strlen(text), &err), &err);
        must(hr_vec_append_bytes(&v[14], "TRUCK", 3 + below(3), &err), &err);
        must(hr_vec_append_bytes(&v[15], comment + below(10), 10 + below(34), &err), &err);
    }
    batch->len += rows;
}

/* Encode everything; the file to `file`. */
static double encode(struct hr_schema *schema, struct hr_batch **batches, int count,
                     const struct hr_codec *codec, struct hr_buf *file) {
    struct hr_write_opts opts;
    struct hr_error err;
    struct hr_encoder *enc = NULL;
    struct hr_file_writer *fw = NULL;
    struct hr_block block;
    hr_write_opts_init(&opts);
    opts.codec = codec;
    hr_buf_clear(file);
    struct hr_out *out = hr_out_buf(file);
    must(hr_format_avro.encoder(schema, &opts, &enc, &err), &err);
    must(hr_format_avro.file_writer(schema, &opts, out, &fw, &err), &err);
    double spent = 0;
    for (int i = 0; i <= count; i++) {
        double start = cpu_now();
        must(i < count ? enc->ops->put(enc, batches[i], &err) : enc->ops->finish(enc, &err), &err);
        spent += cpu_now() - start;
        while (enc->ops->pop(enc, &block, &err) == 0) {
            must(fw->ops->add(fw, &block, &err), &err);
            hr_block_release(&block);
        }
    }
    must(fw->ops->finish(fw, &err), &err);
    fw->ops->close(fw);
    enc->ops->close(enc);
    hr_out_close(out);
    return spent;
}

/* A source over the file in 8 MiB slices, without hr_source_mem's copies. */
struct slices {
    struct hr_source base;
    const uint8_t *ptr;
    size_t len;
};
static int slices_next(struct hr_source *src, struct hr_slice *out, struct hr_error *err) {
    struct slices *s = (struct slices *)src;
    (void)err;
    size_t n = s->len < (8u << 20) ? s->len : (8u << 20);
    *out = hr_slice_of(s->ptr, n);
    s->ptr += n;
    s->len -= n;
    return n > 0 ? 0 : HR_END;
}

static double decode(const struct hr_buf *file, struct hr_schema *want) {
    static const struct hr_source_ops ops = {.next = slices_next};
    struct slices src = {.base = {.ops = &ops, .name = "bench", .size = (int64_t)file->len},
                         .ptr = file->ptr,
                         .len = file->len};
    const struct hr_read_params params = {.want = want, .split_end = -1};
    struct hr_error err;
    struct hr_reader *reader = NULL;
    struct hr_batch *batch;
    int64_t rows = 0;
    double start = cpu_now();
    must(hr_format_avro.open(&src.base, NULL, &params, &reader, &err), &err);
    int rc;
    while ((rc = hr_reader_next(reader, &batch, &err)) == 0) {
        rows += batch->len;
    }
    must(rc, &err);
    hr_reader_close(reader);
    double spent = cpu_now() - start;
    if (rows != ROWS) {
        fprintf(stderr, "bench_avro: %lld rows\n", (long long)rows);
        exit(1);
    }
    return spent;
}

static void bench(bool nullable, const char *codec_name) {
    struct hr_schema *schema = make_schema(nullable);
    struct hr_schema *two = hr_schema_new(2);
    int count = (ROWS + BATCH - 1) / BATCH;
    struct hr_batch **batches = calloc((size_t)count, sizeof(struct hr_batch *));
    const struct hr_codec *codec = hr_codec_by_name(codec_name, strlen(codec_name));
    struct hr_error err;
    struct hr_buf file;
    hr_buf_init(&file, (size_t)1 << 30);
    must(hr_buf_reserve(&file, (size_t)256 << 20, &err), &err);
    seed = 42;
    for (int i = 0; i < count; i++) {
        int64_t from = (int64_t)i * BATCH;
        must(hr_batch_new(schema, &batches[i], &err), &err);
        fill(batches[i], from, ROWS - from < BATCH ? ROWS - from : BATCH);
    }
    must(hr_field_copy(&two->fields[0], &schema->fields[4]), &err);
    must(hr_field_copy(&two->fields[1], &schema->fields[5]), &err);
    double enc = 1e9, dec = 1e9, cols = 1e9;
    for (int run = 0; run < RUNS; run++) {
        double t = encode(schema, batches, count, codec, &file);
        enc = t < enc ? t : enc;
        t = decode(&file, NULL);
        dec = t < dec ? t : dec;
        t = decode(&file, two);
        cols = t < cols ? t : cols;
    }
    const double values = (double)ROWS * COLUMNS / 1e9;
    const char *kind = nullable ? "nullable" : "required";
    printf("avro.decode.%s.%s %.2f ns/value 10\n", kind, codec_name, dec / values);
    printf("avro.decode_2_of_16.%s.%s %.2f ns/value-in-file\n", kind, codec_name, cols / values);
    printf("avro.encode.%s.%s %.2f ns/value\n", kind, codec_name, enc / values);
    printf("avro.bytes.%s.%s %.1f MB\n", kind, codec_name, (double)file.len / 1e6);
    for (int i = 0; i < count; i++) {
        hr_batch_free(batches[i]);
    }
    free(batches);
    hr_buf_release(&file);
    hr_schema_unref(two);
    hr_schema_unref(schema);
}

int main(void) {
    bench(false, "none");
    bench(true, "none");
    bench(true, "snappy");
    bench(true, "gzip");
    bench(true, "zstd");
    hr_codec_thread_release();
    return 0;
}
