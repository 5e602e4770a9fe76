/* bench/micro/bench_parquet_write.c - Parquet encoding of a table shaped like TPC-H lineitem: as
 * many rows as one file of 95 MB of CSV has (737,280; six row groups, all of the same rows), column
 * by column beside the measured floors, then all sixteen at once.
 *
 * Batches of 8,192 rows, as a pipeline worker would hand them over. CPU time of the process, best
 * of seven. Prints `name value unit [floor]`; the floors are of the machine
 * they were measured on. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "format/parquet/pq_write.h"

enum { ROWS = 6 * 122880, GROUP = 122880, BATCH = 8192, RUNS = 7 };

static double cpu_now(void) {
    struct timespec ts;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static uint64_t seed = 42;
static uint64_t next_random(void) {
    uint64_t z = (seed += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}
static int64_t below(int64_t n) {
    return (int64_t)(next_random() % (uint64_t)n);
}

struct column {
    const char *name, *type;
    double floor; /* ns per value, classic encodings with snappy, where measured */
    double floor_auto;
};
static const struct column columns[] = {
    {"orderkey", "int64", 8.7, 1.6},     {"partkey", "int64", 10.9, 0.8},
    {"suppkey", "int64", 1.5, 0.8},      {"linenumber", "int64", 1.0, 1.0},
    {"quantity", "double", 1.0, 1.0},    {"extendedprice", "double", 13.8, 13.8},
    {"discount", "double", 1.0, 1.0},    {"tax", "double", 1.0, 1.0},
    {"returnflag", "utf8", 2.4, 2.4},    {"linestatus", "utf8", 2.4, 2.4},
    {"shipdate", "date", 0.64, 0.64},    {"commitdate", "date", 0.64, 0.64},
    {"receiptdate", "date", 0.64, 0.64}, {"shipinstruct", "utf8", 7.2, 7.2},
    {"shipmode", "utf8", 2.4, 2.4},      {"comment", "utf8", 50.4, 39.4},
};
#define N_COLUMNS ((int)(sizeof(columns) / sizeof(columns[0])))

static void check(int rc, const struct hr_error *err) {
    if (rc < 0) {
        fprintf(stderr, "%s\n", err->message);
        exit(1);
    }
}

static void put_text(struct hr_vec *vec, const char *text, struct hr_error *err) {
    check(hr_vec_append_bytes(vec, text, strlen(text), err), err);
}

static void put_comment(struct hr_vec *vec, struct hr_error *err) {
    static const char *const words[] = {
        "furiously ", "carefully ", "quickly ",   "special ",   "requests ",    "deposits ",
        "accounts ",  "packages ",  "regular ",   "express ",   "pending ",     "ironic ",
        "final ",     "blithely ",  "slyly ",     "even ",      "theodolites ", "instructions ",
        "sleep ",     "haggle ",    "nag ",       "among ",     "the ",         "above ",
        "across ",    "according ", "to ",        "foxes ",     "ideas ",       "dependencies ",
        "pinto ",     "beans ",     "platelets ", "asymptotes "};
    char text[128] = "";
    const size_t want = 10 + (size_t)below(34);
    size_t len = 0;
    while (len < want) {
        const char *word = words[below(34)];
        memcpy(text + len, word, strlen(word));
        len += strlen(word);
    }
    /* the texts of the benchmark are cut out of a long one: they start and end anywhere */
    check(hr_vec_append_bytes(vec, text + below(4), want - 4, err), err);
}

static void put_row(struct hr_batch *batch, int64_t *key, struct hr_error *err) {
    static const char *const modes[] = {"TRUCK", "MAIL", "REG AIR", "AIR", "FOB", "RAIL", "SHIP"};
    static const char *const instr[] = {"DELIVER IN PERSON", "COLLECT COD", "NONE",
                                        "TAKE BACK RETURN"};
    static const char *const flags[] = {"N", "A", "R"};
    struct hr_vec *v = batch->vecs;
    *key += below(4) == 0 ? (below(8) == 0 ? 25 : 1) : 0;
    const int64_t part = 1 + below(200000), quantity = 1 + below(50);
    const int64_t date = 8035 + *key * 7919 % 2405 + below(120);
    check(hr_vec_append_i64(&v[0], *key, err), err);
    check(hr_vec_append_i64(&v[1], part, err), err);
    check(hr_vec_append_i64(&v[2], 1 + below(10000), err), err);
    check(hr_vec_append_i64(&v[3], 1 + below(7), err), err);
    check(hr_vec_append_f64(&v[4], (double)quantity, err), err);
    check(
        hr_vec_append_f64(
            &v[5], (double)(quantity * (90000 + part / 10 % 20001 + part % 1000 * 100)) / 100, err),
        err);
    check(hr_vec_append_f64(&v[6], (double)below(11) / 100, err), err);
    check(hr_vec_append_f64(&v[7], (double)below(9) / 100, err), err);
    put_text(&v[8], flags[below(3)], err);
    put_text(&v[9], below(2) ? "O" : "F", err);
    check(hr_vec_append_i64(&v[10], date, err), err);
    check(hr_vec_append_i64(&v[11], date + below(90) - 45, err), err);
    check(hr_vec_append_i64(&v[12], date + 1 + below(30), err), err);
    put_text(&v[13], instr[below(4)], err);
    put_text(&v[14], modes[below(7)], err);
    put_comment(&v[15], err);
}

struct data {
    struct hr_schema *schema;
    struct hr_batch **batches;
    size_t count;
};

static struct data make(void) {
    struct hr_error err;
    struct data d = {.schema = hr_schema_new(N_COLUMNS)};
    for (int i = 0; i < N_COLUMNS; i++) {
        struct hr_field *f = &d.schema->fields[i];
        check(hr_field_parse_type(f, columns[i].type, &err), &err);
        hr_free(f->name);
        f->name = hr_strdup(columns[i].name);
    }
    d.count = GROUP / BATCH;
    d.batches = hr_calloc(d.count, sizeof(*d.batches));
    int64_t key = 1;
    for (size_t b = 0; b < d.count; b++) {
        check(hr_batch_new(d.schema, &d.batches[b], &err), &err);
        for (; d.batches[b]->len < BATCH; d.batches[b]->len++) {
            put_row(d.batches[b], &key, &err);
        }
    }
    return d;
}

/* Encode the columns from `first` on; bytes out through *bytes. CPU seconds. */
static double run(const struct data *d, int first, struct hr_encoder *enc, struct hr_schema *schema,
                  size_t *bytes) {
    struct hr_error err;
    struct hr_block block;
    *bytes = 0;
    const double begin = cpu_now();
    for (size_t b = 0; b < ROWS / BATCH; b++) {
        struct hr_batch part = {
            .schema = schema, .len = BATCH, .vecs = &d->batches[b % d->count]->vecs[first]};
        check(enc->ops->put(enc, &part, &err), &err);
        while (enc->ops->pop(enc, &block, &err) == 0) {
            *bytes += block.len;
            hr_big_free(block.data);
            block.free_meta(block.meta);
        }
    }
    return cpu_now() - begin;
}

static double best(const struct data *d, int first, int n, const struct hr_write_opts *opts,
                   size_t *bytes) {
    struct hr_error err;
    struct hr_encoder *enc = NULL;
    struct hr_schema *schema = hr_schema_new(n);
    double least = 1e9;
    for (int i = 0; i < n; i++) {
        check(hr_field_copy(&schema->fields[i], &d->schema->fields[first + i]), &err);
    }
    check(hr_parquet_encoder_open(schema, opts, &enc, &err), &err);
    for (int r = 0; r < RUNS; r++) {
        const double s = run(d, first, enc, schema, bytes);
        least = s < least ? s : least;
        enc->ops->reset(enc);
    }
    enc->ops->close(enc);
    hr_schema_unref(schema);
    return least;
}

int main(int argc, char **argv) {
    const char *only = argc > 1 ? argv[1] : NULL;   /* a mode */
    const char *column = argc > 2 ? argv[2] : NULL; /* or "file": all at once */
    const struct data d = make();
    static const struct {
        const char *name;
        const char *codec;
        bool classic;
        double floor; /* CPU seconds of the encode and codec stage for one file */
    } modes[] = {{"classic-none", NULL, true, 0.0224},
                 {"classic-snappy", "snappy", true, 0.0802},
                 {"auto-none", NULL, false, 0},
                 {"auto-snappy", "snappy", false, 0.0667},
                 {"auto-zstd", "zstd", false, 0}};
    for (size_t m = 0; m < sizeof(modes) / sizeof(modes[0]); m++) {
        struct hr_write_opts opts = {.row_group_rows = 122880,
                                     .row_group_bytes = 64u << 20,
                                     .page_bytes = 1u << 20,
                                     .dictionary = true,
                                     .statistics = true,
                                     .page_index = true,
                                     .classic = modes[m].classic,
                                     .parquet_version = 2};
        if (only != NULL && strcmp(only, modes[m].name) != 0) {
            continue;
        }
        opts.codec =
            modes[m].codec ? hr_codec_by_name(modes[m].codec, strlen(modes[m].codec)) : NULL;
        size_t bytes = 0;
        for (int c = 0; c < N_COLUMNS; c++) {
            if (column != NULL && strcmp(column, columns[c].name) != 0) {
                continue;
            }
            const double s = best(&d, c, 1, &opts, &bytes);
            const double floor = modes[m].classic ? columns[c].floor : columns[c].floor_auto;
            printf("pq-write-%s-%s %.2f ns/value %.2f (%.2f MB)\n", modes[m].name, columns[c].name,
                   s * 1e9 / ROWS, floor, (double)bytes / 1e6);
        }
        if (column != NULL && strcmp(column, "file") != 0) {
            continue;
        }
        const double s = best(&d, 0, N_COLUMNS, &opts, &bytes);
        printf("pq-write-%s-file %.4f CPU-s %.4f (%.2f MB)\n", modes[m].name, s, modes[m].floor,
               (double)bytes / 1e6);
    }
    for (size_t b = 0; b < d.count; b++) {
        hr_batch_free(d.batches[b]);
    }
    hr_free(d.batches);
    hr_schema_unref(d.schema);
    return 0;
}
