/* bench/micro/bench_parquet_read.c - Parquet pages to Arrow columns, beside the floors.
 *
 * usage: bench_parquet_read FILE...   (or the paths in HEADRACE_BENCH_PARQUET, separated by colons)
 * The floors are for the lineitem table of TPC-H as written by tpchgen-cli (snappy, dictionaries):
 * fetching and decompressing pages, and decoding them; ns per value, minimum of 7 runs, CPU time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "format/format.h"
#include "format/parquet/pq_footer.h"
#include "format/parquet/pq_prune.h"

#define RUNS 7

static double cpu_now(void) {
    struct timespec ts;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static struct hr_buf load(const char *path) {
    struct hr_buf buf;
    hr_buf_init(&buf, (size_t)8 << 30);
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        exit(1);
    }
    uint8_t chunk[65536];
    size_t got;
    while ((got = fread(chunk, 1, sizeof(chunk), file)) > 0) {
        if (hr_buf_append(&buf, chunk, got, NULL) != 0) {
            exit(1);
        }
    }
    fclose(file);
    return buf;
}

/* Read all of the file (or one column of it); values seen. */
static int64_t scan(struct hr_source *src, struct hr_schema *want) {
    const struct hr_format_opts opts = {0};
    const struct hr_read_params params = {.want = want, .group_end = -1};
    struct hr_reader *reader = NULL;
    struct hr_batch *batch;
    struct hr_error err;
    int64_t values = 0;
    int rc = hr_format_parquet.open(src, &opts, &params, &reader, &err);
    while (rc == 0) {
        rc = hr_reader_next(reader, &batch, &err);
        values += rc == 0 ? batch->len * batch->schema->n_fields : 0;
    }
    if (rc != HR_END) {
        fprintf(stderr, "%s\n", err.message);
        exit(1);
    }
    hr_reader_close(reader);
    return values;
}

/* Fetch and decompress all pages (of column `only`, -1: all), decoding nothing. */
static void inflate_pages(struct hr_source *src, int only) {
    struct hr_pq_footer footer;
    struct hr_pq_chunk chunk = {.page_max = SIZE_MAX, .window_size = 1 << 18};
    struct hr_pq_page page;
    if (hr_pq_footer_read(src, 0, INT64_MAX, &footer, NULL) != 0) {
        exit(1);
    }
    for (size_t g = 0; g < footer.file.n_groups; g++) {
        for (size_t c = 0; c < footer.file.groups[g].n_columns; c++) {
            if (only >= 0 && c != (size_t)only) {
                continue;
            }
            const struct hr_pq_column *col = &footer.file.groups[g].columns[c];
            const struct hr_range range = {hr_pq_chunk_begin(col), col->total_compressed_size};
            int rc = hr_pq_chunk_open(&chunk, &footer.input, col->codec, &range, 1, NULL);
            while (rc == 0 && (rc = hr_pq_chunk_header(&chunk, &page, NULL)) == 0) {
                rc = hr_pq_chunk_body(&chunk, &page, NULL);
            }
        }
    }
    hr_pq_chunk_release(&chunk);
    hr_pq_footer_release(&footer);
}

static double best(struct hr_source **files, int n, struct hr_schema *want, bool pages_only,
                   int only, int64_t *values) {
    double least = 1e9;
    for (int run = 0; run < RUNS; run++) {
        const double start = cpu_now();
        *values = 0;
        for (int i = 0; i < n; i++) {
            if (pages_only) {
                inflate_pages(files[i], only);
            } else {
                *values += scan(files[i], want);
            }
        }
        const double spent = cpu_now() - start;
        least = spent < least ? spent : least;
    }
    return least;
}

static void per_column(struct hr_source **files, int n) {
    const struct hr_format_opts opts = {0};
    const struct hr_infer_params infer = {0};
    struct hr_schema *all;
    if (hr_format_parquet.infer(files[0], &opts, &infer, &all, NULL) != 0) {
        exit(1);
    }
    for (int i = 0; i < all->n_fields; i++) {
        struct hr_schema *one = hr_schema_new(1);
        int64_t values;
        if (one == NULL || hr_field_copy(&one->fields[0], &all->fields[i]) != 0) {
            exit(1);
        }
        int64_t none;
        const double s = best(files, n, one, false, i, &values);
        const double pages = best(files, n, one, true, i, &none);
        printf("parquet_read.column.%s %.2f ns/value, %.2f of it pages\n", all->fields[i].name,
               s * 1e9 / (double)values, pages * 1e9 / (double)values);
        hr_schema_unref(one);
    }
    hr_schema_unref(all);
}

static struct hr_source *open_file(const char *path) {
    const struct hr_buf buf = load(path);
    return hr_source_mem(path, buf.ptr, buf.len, 0);
}

int main(int argc, char **argv) {
    struct hr_source *files[64];
    int n = 0;
    const char *list = getenv("HEADRACE_BENCH_PARQUET");
    if (argc < 2 && list != NULL) {
        for (const char *at = list; *at != '\0' && n < 64;) {
            const size_t len = strcspn(at, ":");
            char *path = strndup(at, len);
            files[n++] = open_file(path);
            at += len + (at[len] == ':');
        }
    }
    for (int i = 1; i < argc && n < 64; i++) {
        files[n++] = open_file(argv[i]);
    }
    if (n == 0) {
        printf("parquet_read: name Parquet files (lineitem) as arguments or in "
               "HEADRACE_BENCH_PARQUET\n");
        return 0;
    }
    int64_t values, none;
    const double total = best(files, n, NULL, false, -1, &values);
    const double pages = best(files, n, NULL, true, -1, &none);
    printf("parquet_read.scan %.2f ns/value 3.16\n", total * 1e9 / (double)values);
    printf("parquet_read.pages %.2f ns/value 2.09\n", pages * 1e9 / (double)values);
    printf("parquet_read.decode %.2f ns/value 1.07\n", (total - pages) * 1e9 / (double)values);
    per_column(files, n);
    return 0;
}
