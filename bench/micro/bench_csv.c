/* bench/micro/bench_csv - the stages of CSV beside their floors.
 *
 *   bench_csv FILE.csv [runs]
 *
 * Reads FILE into memory and prints, for each machine form: the index alone over windows of 256 KiB
 * (ns per value, GB/s), text to typed columns in slices of 256 KiB (CPU-s per GB of 10^9 bytes, ns
 * per value), columns back to text, and what opening a two-line object costs. Best of `runs` (5).
 * Floors for TPC-H lineitem with AVX2: index 0.85 ns a value, columns 0.479 CPU-s/GB, 3.79 ns. */
#include "bench_text.h"

#include "format/csv/csv_internal.h"

static void bench_index(const char *name, csv_index_fn index, const uint8_t *ptr, size_t len,
                        int runs) {
    uint32_t *ends = hr_big_alloc((SLICE + 128) * sizeof(uint32_t), NULL);
    const struct csv_marks marks = {',', '"', '\n', true};
    double best = 1e9;
    size_t values = 0;
    /* Memory takes some passes to come up to speed behind a slower form. */
    for (int i = 0; i < 4 * runs && ends != NULL; i++) {
        const double begin = cpu_now();
        struct csv_index_state s = CSV_INDEX_START;
        values = 0;
        for (size_t at = 0; at < len; at += SLICE) {
            s.ends = 0;
            index(ptr + at, 0, len - at < SLICE ? len - at : SLICE, &marks, ends, &s);
            values += s.ends;
        }
        const double t = cpu_now() - begin;
        best = t < best ? t : best;
    }
    printf("index %-8s %6.2f ns/value %7.2f GB/s\n", name, best * 1e9 / (double)values,
           (double)len / best * 1e-9);
    hr_big_free(ends);
}

struct pass {
    int64_t rows;
    double write;
    size_t written;
};

static int drain(struct hr_encoder *enc, size_t *bytes, struct hr_error *err) {
    struct hr_block block;
    int rc;
    while ((rc = enc->ops->pop(enc, &block, err)) == 0) {
        *bytes += block.len;
        hr_block_release(&block);
    }
    return rc == HR_END ? 0 : rc;
}

/* Read all; with `enc` render what was read, timed apart. */
static int one_pass(const uint8_t *ptr, size_t len, const struct hr_format_opts *opts,
                    struct hr_schema *schema, struct hr_encoder *enc, struct pass *out,
                    struct hr_error *err) {
    struct slices src = source_of(ptr, len);
    const struct hr_read_params params = {.want = schema, .split_end = -1};
    struct hr_reader *reader;
    struct hr_batch *batch;
    int rc = hr_format_csv.open(&src.base, opts, &params, &reader, err);
    if (rc != 0) {
        return rc;
    }
    *out = (struct pass){0};
    while ((rc = hr_reader_next(reader, &batch, err)) == 0) {
        out->rows += batch->len;
        if (enc != NULL) {
            const double begin = cpu_now();
            rc = enc->ops->put(enc, batch, err);
            rc = rc == 0 ? drain(enc, &out->written, err) : rc;
            out->write += cpu_now() - begin;
        }
        if (rc != 0) {
            break;
        }
    }
    if (rc == HR_WIDEN) {
        rc = hr_fail(err, HR_E_SCHEMA, "the sample's schema does not hold the whole file");
    }
    hr_reader_close(reader);
    return rc == HR_END ? 0 : rc;
}

static int bench_columns(const char *name, const struct hr_cpu *cpu, const uint8_t *ptr, size_t len,
                         const struct hr_format_opts *opts, struct hr_schema *schema, int runs) {
    struct hr_error err;
    struct pass pass = {0};
    double best = 1e9;
    hr_cpu_override(cpu);
    for (int i = 0; i < runs; i++) {
        const double begin = cpu_now();
        if (one_pass(ptr, len, opts, schema, NULL, &pass, &err) != 0) {
            return die(&err);
        }
        const double t = cpu_now() - begin;
        best = t < best ? t : best;
    }
    hr_cpu_override(NULL);
    printf("columns %-8s %6.3f CPU-s/GB %6.2f ns/value (%lld rows)\n", name,
           best / (double)len * 1e9, best * 1e9 / (double)(pass.rows * schema->n_fields),
           (long long)pass.rows);
    return 0;
}

/* Each column alone: what its kind costs on top of the index. */
static int bench_each(const uint8_t *ptr, size_t len, const struct hr_format_opts *opts,
                      const struct hr_schema *schema, int runs) {
    for (int c = -1; c < schema->n_fields; c++) {
        struct hr_schema *one = hr_schema_new(c < 0 ? 0 : 1);
        struct hr_error err;
        struct pass pass = {0};
        double best = 1e9;
        if (one == NULL || (c >= 0 && hr_field_copy(&one->fields[0], &schema->fields[c]) != 0)) {
            return 1;
        }
        for (int i = 0; i < runs; i++) {
            const double begin = cpu_now();
            if (one_pass(ptr, len, opts, one, NULL, &pass, &err) != 0) {
                return die(&err);
            }
            const double t = cpu_now() - begin;
            best = t < best ? t : best;
        }
        printf("  %-24s %6.2f ns/row\n", c < 0 ? "(no column)" : schema->fields[c].name,
               best * 1e9 / (double)pass.rows);
        hr_schema_unref(one);
    }
    return 0;
}

static int bench_write(const uint8_t *ptr, size_t len, const struct hr_format_opts *opts,
                       struct hr_schema *schema, int runs) {
    struct hr_error err;
    struct hr_encoder *enc;
    struct hr_write_opts w;
    struct pass pass = {0};
    double best = 1e9;
    hr_write_opts_init(&w);
    if (hr_format_csv.encoder(schema, &w, &enc, &err) != 0) {
        return die(&err);
    }
    for (int i = 0; i < runs; i++) {
        if (one_pass(ptr, len, opts, schema, enc, &pass, &err) != 0) {
            return die(&err);
        }
        enc->ops->reset(enc);
        best = pass.write < best ? pass.write : best;
    }
    enc->ops->close(enc);
    printf("write            %6.3f CPU-s/GB %6.2f ns/value\n", best / (double)pass.written * 1e9,
           best * 1e9 / (double)(pass.rows * schema->n_fields));
    return 0;
}

static int bench_open(const uint8_t *ptr, size_t len, const struct hr_format_opts *opts,
                      struct hr_schema *schema, int runs) {
    const uint8_t *end = memchr(ptr, '\n', len);
    end = end != NULL ? memchr(end + 1, '\n', len - (size_t)(end + 1 - ptr)) : NULL;
    struct hr_error err;
    struct pass pass;
    double best = 1e9;
    for (int i = 0; i < runs && end != NULL; i++) {
        const double begin = cpu_now();
        for (int k = 0; k < 10000; k++) {
            if (one_pass(ptr, (size_t)(end + 1 - ptr), opts, schema, NULL, &pass, &err) != 0) {
                return die(&err);
            }
        }
        const double t = (cpu_now() - begin) / 10000;
        best = t < best ? t : best;
    }
    printf("two-line object  %6.2f us open to close\n", best * 1e6);
    return 0;
}

int main(int argc, char **argv) {
    const int runs = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 5;
    size_t len = 0;
    uint8_t *ptr = argc > 1 ? load(argv[1], &len) : NULL;
    if (ptr == NULL || len == 0 || runs < 1) {
        fprintf(stderr, "usage: bench_csv FILE.csv [runs]\n");
        return 2;
    }
    struct hr_format_opts opts;
    struct hr_schema *schema;
    struct hr_error err;
    const struct hr_infer_params ip = {.rows = 1000, .types = true};
    struct slices src = source_of(ptr, len);
    if (hr_format_opts_init(&opts, &err) != 0 ||
        hr_format_csv.infer(&src.base, &opts, &ip, &schema, &err) != 0) {
        return die(&err);
    }
    const struct hr_cpu scalar = {0};
    const struct hr_cpu avx2 = {.avx2 = true};
    bench_index("scalar", hr_csv_index_scalar, ptr, len, runs);
#if HR_X86
    if (hr_cpu_get()->avx2) {
        bench_index("avx2", hr_csv_index_avx2, ptr, len, runs);
    }
    if (hr_cpu_get()->avx512) {
        bench_index("avx512", hr_csv_index_avx512, ptr, len, runs);
    }
#endif
    int rc = bench_columns("scalar", &scalar, ptr, len, &opts, schema, runs);
    if (rc == 0 && hr_cpu_get()->avx2) {
        rc = bench_columns("avx2", &avx2, ptr, len, &opts, schema, runs);
    }
    if (rc == 0 && hr_cpu_get()->avx512) {
        rc = bench_columns("avx512", NULL, ptr, len, &opts, schema, runs);
    }
    rc = rc == 0 ? bench_each(ptr, len, &opts, schema, runs) : rc;
    rc = rc == 0 ? bench_write(ptr, len, &opts, schema, runs) : rc;
    rc = rc == 0 ? bench_open(ptr, len, &opts, schema, runs) : rc;
    hr_schema_unref(schema);
    hr_format_opts_release(&opts);
    hr_big_free(ptr);
    return rc;
}
