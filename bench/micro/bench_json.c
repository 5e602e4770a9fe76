/* bench/micro/bench_json - JSON to columns, and columns to JSON, beside their floors.
 *
 *   bench_json FILE.jsonl [runs] [general|scalar|avx2]
 *
 * Reads FILE into memory, infers its schema, then reads it `runs` times (default 5) in slices of
 * 256 KiB as a decoder would hand them out, and renders what was read as JSON lines. Prints the
 * best CPU time of each in seconds per GB (10^9 bytes) of JSON and nanoseconds a value. The floor
 * for TPC-H lineitem with AVX2 is 0.233 CPU-s/GB, 5.3 ns a value. */
#include "bench_text.h"

#include "format/json/json_read.h"

struct run {
    double read, write;
    int64_t rows;
    size_t written;
};

static int one_run(const uint8_t *ptr, size_t len, struct hr_schema *schema,
                   const struct hr_j_engine *engine, bool render, struct run *out,
                   struct hr_error *err) {
    struct hr_format_opts opts = {0};
    struct hr_write_opts write = {0};
    struct hr_read_params params = {.want = schema, .split_end = -1, .want_all = true};
    struct slices src = source_of(ptr, len);
    struct hr_reader *reader;
    struct hr_encoder *enc;
    opts.json.nested_text = true;
    int rc = hr_j_open(&src.base, &opts, &params, engine, &reader, err);
    if (rc != 0) {
        return rc;
    }
    rc = hr_format_jsonl.encoder(schema, &write, &enc, err);
    while (rc == 0) {
        struct hr_batch *batch;
        const double t0 = cpu_now();
        rc = hr_reader_next(reader, &batch, err);
        const double t1 = cpu_now();
        out->read += t1 - t0;
        const bool last = rc == HR_END;
        if (rc == 0) {
            out->rows += batch->len;
            rc = render ? enc->ops->put(enc, batch, err) : 0;
        } else if (last) {
            rc = enc->ops->finish(enc, err);
        }
        struct hr_block block;
        while (rc == 0 && enc->ops->pop(enc, &block, err) == 0) {
            out->written += block.len;
            hr_big_free(block.data);
        }
        out->write += cpu_now() - t1;
        rc = rc == 0 && last ? HR_END : rc;
    }
    enc->ops->close(enc);
    hr_reader_close(reader);
    return rc == HR_END ? 0 : rc == HR_WIDEN ? hr_fail(err, HR_E_SCHEMA, "needs widening") : rc;
}

int main(int argc, char **argv) {
    struct hr_error err;
    size_t len = 0;
    const int runs = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 5;
    const char *name = argc > 3 ? argv[3] : "";
    const struct hr_j_engine *engine = strcmp(name, "general") == 0  ? &hr_j_engine_general
                                       : strcmp(name, "scalar") == 0 ? &hr_j_engine_scalar
                                       : strcmp(name, "avx2") == 0   ? &hr_j_engine_avx2
                                                                     : NULL;
    uint8_t *ptr = argc > 1 ? load(argv[1], &len) : NULL;
    if (ptr == NULL) {
        fprintf(stderr, "usage: bench_json FILE.jsonl [runs] [general|scalar|avx2]\n");
        return 2;
    }
    struct slices src = source_of(ptr, len);
    const struct hr_infer_params infer = {.rows = 1000, .types = true};
    struct hr_format_opts opts = {0};
    struct hr_schema *schema;
    opts.json.nested_text = true;
    if (hr_format_jsonl.infer(&src.base, &opts, &infer, &schema, &err) != 0) {
        return die(&err);
    }
    struct run best = {0};
    for (int i = 0; i < 2 * runs; i++) {
        const bool render = i >= runs;
        struct run run = {0};
        if (one_run(ptr, len, schema, engine, render, &run, &err) != 0) {
            return die(&err);
        }
        best.rows = run.rows;
        best.written = run.written;
        if (!render && (i == 0 || run.read < best.read)) {
            best.read = run.read;
        } else if (render && (i == runs || run.write < best.write)) {
            best.write = run.write;
        }
    }
    const double values = (double)best.rows * schema->n_fields;
    printf("read  %9lld rows %8.1f MB  %.4f s  %.3f CPU-s/GB  %.2f ns/value\n",
           (long long)best.rows, (double)len / 1e6, best.read, best.read / ((double)len / 1e9),
           best.read * 1e9 / values);
    printf("write %9lld rows %8.1f MB  %.4f s  %.3f CPU-s/GB  %.2f ns/value\n",
           (long long)best.rows, (double)best.written / 1e6, best.write,
           best.write / ((double)best.written / 1e9), best.write * 1e9 / values);
    hr_schema_unref(schema);
    hr_big_free(ptr);
    return 0;
}
