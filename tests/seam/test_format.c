/* One suite for every format: a random table written and read back is the same table, however it is
 * cut into batches, slices, splits and projections; a damaged file is an error or a table, never a
 * crash. A new leaf is one line in LEAVES.
 */
#include <stdio.h>
#include <string.h>

#include "table_support.h"

/* What a leaf can hold, as a schema; columns it would turn into something else are left out. */
struct leaf {
    const struct hr_format *format;
    const char *columns;
    bool specials;  /* NaN and infinities survive */
    int clean_cuts; /* how many ways to cut a file may read as whole: -1 any (a line's end is no
                       mistake), 1 between header and rows (two gzip members; Avro, which is cut
                       between two blocks without a trace: there is no count and no footer) */
    const char *codec;
};

#define NUMBERS                                                                                    \
    "c0: int64, c1: int8, c2: int16, c3: int32, c4: uint8, c5: uint16, c6: uint32, c7: uint64, "   \
    "c8: double, c9: float, "
#define TEXT_TYPES                                                                                 \
    NUMBERS "c10: bool, c11: utf8, c12: utf8, c13: decimal(9,2), c14: decimal(38,10), c15: date, " \
            "c16: timestamp[us], c17: timestamp[ms, utc], c18: timestamp[ns], c19: timestamp[s], " \
            "c20: time[us], c21: time[ms], c22: binary, c23: uuid, c24: fixed(5), c25: float16, "  \
            "c26: decimal(76,20), c27: utf8"

/* Parquet has no seconds. */
#define PARQUET_TYPES                                                                              \
    NUMBERS "c10: bool, c11: utf8, c12: utf8, c13: decimal(9,2), c14: decimal(38,10), c15: date, " \
            "c16: timestamp[us], c17: timestamp[ms, utc], c18: timestamp[ns], "                    \
            "c20: time[us], c21: time[ms], c22: binary, c23: uuid, c24: fixed(5), c25: float16, "  \
            "c26: decimal(76,20), c27: decimal(18,4), c28: time[ns]"
#define NESTED_TYPES                                                                               \
    "c0: int64, c1: list<int32>, c2: struct<a: int64, b: utf8>, c3: map<utf8, double>, "           \
    "c4: list<list<utf8>>, c5: list<struct<x: bool, y: list<decimal(20,3)>>>, "                    \
    "c6: struct<s: struct<t: list<binary>>, u: float>, c7: map<int32, list<date>>"

/* JSON has no half floats. */
#define JSON_TYPES                                                                                 \
    NUMBERS "c10: bool, c11: utf8, c12: utf8, c13: decimal(9,2), c14: decimal(38,10), c15: date, " \
            "c16: timestamp[us], c17: timestamp[ms, utc], c18: timestamp[ns], c19: timestamp[s], " \
            "c20: time[us], c21: time[ms], c22: binary, c23: uuid, c24: fixed(5), "                \
            "c26: decimal(76,20), c27: utf8"

static const struct leaf LEAVES[] = {
    {&hr_format_csv, TEXT_TYPES, true, -1, NULL},
    {&hr_format_tsv, TEXT_TYPES, true, -1, NULL},
    {&hr_format_csv, TEXT_TYPES, true, 1, "gzip"},
    {&hr_format_csv, "only: utf8", true, -1, NULL},
    {&hr_format_csv, "only: int64", true, -1, NULL},
    {&hr_format_csv, "only: binary", true, -1, NULL},
    {&hr_format_parquet, PARQUET_TYPES, true, 0, NULL},
    {&hr_format_parquet, PARQUET_TYPES, true, 0, "snappy-raw"},
    {&hr_format_parquet, NESTED_TYPES, true, 0, "zstd"},
    {&hr_format_jsonl, JSON_TYPES, false, -1, NULL},
    {&hr_format_jsonl, NESTED_TYPES, false, -1, NULL},
    {&hr_format_json, JSON_TYPES, false, -1, NULL},
    {&hr_format_avro, TEXT_TYPES, true, 1, NULL},
    {&hr_format_avro, TEXT_TYPES, true, 1, "snappy"},
    {&hr_format_avro, NESTED_TYPES, true, 1, "zstd"},
};
#define N_LEAVES (sizeof(LEAVES) / sizeof(*LEAVES))

static struct hr_format_opts opts;
static struct hr_write_opts write_opts;

static int setup(void **state) {
    (void)state;
    struct hr_error err;
    assert_rc(hr_format_opts_init(&opts, &err), 0, &err);
    hr_write_opts_init(&write_opts);
    return 0;
}
static int teardown(void **state) {
    (void)state;
    hr_format_opts_release(&opts);
    return 0;
}

static struct hr_batch *table(struct hr_schema *schema, const struct leaf *leaf, int64_t rows,
                              uint64_t seed) {
    const struct test_table_conf conf = {.specials = leaf->specials, .null_rate = 30};
    struct hr_batch *batch;
    struct hr_error err;
    assert_rc(hr_batch_new(schema, &batch, &err), 0, &err);
    test_fill_batch(batch, rows, &conf, &seed);
    return batch;
}

static void write_table(const struct leaf *leaf, struct hr_schema *schema, struct hr_batch *batch,
                        struct hr_buf *out) {
    struct hr_write_opts w = write_opts;
    w.codec = leaf->codec != NULL ? hr_codec_by_name(leaf->codec, strlen(leaf->codec)) : NULL;
    test_write_file_of(leaf->format, schema, &w, &batch, 1, out);
}

/* A source over the file, inflated when the leaf compresses. */
static struct hr_source *source_of(const struct leaf *leaf, struct hr_slice file, size_t chunk) {
    struct hr_source *src = hr_source_mem("file", file.ptr, file.len, chunk);
    assert_non_null(src);
    if (leaf->codec != NULL && (leaf->format->flags & HR_FMT_CODEC_INSIDE) == 0) {
        struct hr_source *inner = src;
        struct hr_error err;
        assert_rc(hr_codec_source(hr_codec_by_name(leaf->codec, strlen(leaf->codec)), inner, NULL,
                                  &src, &err),
                  0, &err);
    }
    return src;
}

/* Read all rows and append them, cast to `schema`, to one batch. Returns the end code. */
static int read_into(const struct leaf *leaf, struct hr_slice file, size_t chunk,
                     const struct hr_read_params *params, struct hr_batch *all,
                     struct hr_error *err) {
    struct hr_source *src = source_of(leaf, file, chunk);
    struct hr_reader *reader = NULL;
    int rc = leaf->format->open(src, &opts, params, &reader, err);
    while (rc == 0) {
        struct hr_batch *batch;
        rc = hr_reader_next(reader, &batch, err);
        for (int c = 0; rc == 0 && c < all->schema->n_fields; c++) {
            const char *name = all->schema->fields[c].name;
            const int k = hr_schema_find(batch->schema, name, strlen(name));
            if (k < 0) { /* a bit of its name flipped */
                rc = hr_fail(err, HR_E_SCHEMA, "column %s is missing", name);
            } else if (hr_field_equal(batch->vecs[k].field, all->vecs[c].field)) {
                rc = hr_vec_append_range(&all->vecs[c], &batch->vecs[k], 0, batch->len, err);
            } else {
                rc = hr_vec_cast(&all->vecs[c], &batch->vecs[k], err);
            }
        }
        if (rc == 0) {
            all->len += batch->len;
        }
    }
    hr_reader_close(reader);
    hr_source_close(src);
    return rc;
}

static void assert_same(const struct hr_batch *got, const struct hr_batch *want) {
    for (int c = 0; c < got->schema->n_fields; c++) {
        const char *name = got->schema->fields[c].name;
        const int k = hr_schema_find(want->schema, name, strlen(name));
        if (!test_vec_equal(&got->vecs[c], &want->vecs[k])) {
            fail_msg("column %s differs (%lld and %lld rows)", name, (long long)got->vecs[c].len,
                     (long long)want->vecs[k].len);
        }
    }
}

static struct hr_batch *empty(struct hr_schema *schema) {
    struct hr_batch *batch;
    struct hr_error err;
    assert_rc(hr_batch_new(schema, &batch, &err), 0, &err);
    return batch;
}

/* ---- cases ---- */

static void round_trip(const struct leaf *leaf, int64_t rows, uint64_t seed, size_t chunk,
                       int64_t batch_rows) {
    struct hr_schema *schema = test_schema_of(leaf->columns);
    struct hr_batch *want = table(schema, leaf, rows, seed);
    struct hr_batch *got = empty(schema);
    struct hr_buf file;
    struct hr_error err;
    write_table(leaf, schema, want, &file);
    const struct hr_read_params params = {.want = schema,
                                          .split_end = -1,
                                          .group_end = -1,
                                          .misfit = HR_MISFIT_STRICT,
                                          .batch_rows = batch_rows};
    assert_rc(read_into(leaf, hr_buf_slice(&file), chunk, &params, got, &err), HR_END, &err);
    assert_int_equal(got->len, rows);
    assert_same(got, want);
    hr_buf_release(&file);
    hr_batch_free(want);
    hr_batch_free(got);
    hr_schema_unref(schema);
}

static void test_round_trip(void **state) {
    (void)state;
    for (size_t i = 0; i < N_LEAVES; i++) {
        round_trip(&LEAVES[i], 0, 1, 0, 0);
        round_trip(&LEAVES[i], 1, 2, 1, 0);
        round_trip(&LEAVES[i], 700, 3, 0, 0);
        round_trip(&LEAVES[i], 700, 3, 13, 64);
        round_trip(&LEAVES[i], 9000, 4, 100000, 1000);
    }
}

/* Any subset of columns, in any order, holds what the full read holds. */
static void test_projection(void **state) {
    (void)state;
    for (size_t i = 0; i < N_LEAVES; i++) {
        const struct leaf *leaf = &LEAVES[i];
        struct hr_schema *schema = test_schema_of(leaf->columns);
        struct hr_batch *want = table(schema, leaf, 500, 5);
        struct hr_buf file;
        uint64_t seed = 6;
        write_table(leaf, schema, want, &file);
        for (int round = 0; round < 20; round++) {
            const int n = 1 + (int)(test_rand(&seed) % 3);
            struct hr_schema *some = hr_schema_new(n);
            for (int c = 0; c < n; c++) {
                const uint64_t k =
                    (test_rand(&seed) % 97 + (uint64_t)c) % (uint64_t)schema->n_fields;
                assert_int_equal(hr_field_copy(&some->fields[c], &schema->fields[k]), 0);
            }
            struct hr_batch *got = empty(some);
            struct hr_error err;
            const struct hr_read_params params = {
                .want = some, .split_end = -1, .group_end = -1, .misfit = HR_MISFIT_STRICT};
            assert_rc(read_into(leaf, hr_buf_slice(&file), 0, &params, got, &err), HR_END, &err);
            assert_same(got, want);
            hr_batch_free(got);
            hr_schema_unref(some);
        }
        hr_buf_release(&file);
        hr_batch_free(want);
        hr_schema_unref(schema);
    }
}

/* Rows put in any number of batches give the same bytes. */
static void test_same_bytes(void **state) {
    (void)state;
    for (size_t i = 0; i < N_LEAVES; i++) {
        const struct leaf *leaf = &LEAVES[i];
        struct hr_schema *schema = test_schema_of(leaf->columns);
        struct hr_batch *whole = table(schema, leaf, 1000, 7);
        struct hr_buf want;
        struct hr_write_opts w = write_opts;
        w.codec = leaf->codec != NULL ? hr_codec_by_name(leaf->codec, strlen(leaf->codec)) : NULL;
        w.row_group_bytes = 30000;
        w.row_group_rows = 170;
        test_write_file_of(leaf->format, schema, &w, &whole, 1, &want);
        uint64_t seed = 8;
        for (int round = 0; round < 4; round++) {
            struct hr_batch *parts[1000];
            size_t n = 0;
            for (int64_t at = 0; at < whole->len;) {
                const int64_t left = whole->len - at;
                const int64_t take = 1 + (int64_t)(test_rand(&seed) % 300);
                const int64_t count = take < left ? take : left;
                parts[n] = empty(schema);
                for (int c = 0; c < schema->n_fields; c++) {
                    assert_int_equal(
                        hr_vec_append_range(&parts[n]->vecs[c], &whole->vecs[c], at, count, NULL),
                        0);
                }
                parts[n++]->len = count;
                at += count;
            }
            struct hr_buf got;
            test_write_file_of(leaf->format, schema, &w, parts, n, &got);
            assert_int_equal(got.len, want.len);
            assert_memory_equal(got.ptr, want.ptr, want.len);
            hr_buf_release(&got);
            for (size_t p = 0; p < n; p++) {
                hr_batch_free(parts[p]);
            }
        }
        hr_buf_release(&want);
        hr_batch_free(whole);
        hr_schema_unref(schema);
    }
}

/* Read one split of the file and append its rows; where its last record ended. */
static int64_t read_split(const struct leaf *leaf, struct hr_slice file,
                          const struct hr_read_params *params, struct hr_batch *got) {
    const int64_t skip = params->split_begin > 0 ? params->split_begin - 1 : 0;
    struct hr_source *src = hr_source_mem("file", file.ptr + skip, file.len - (size_t)skip, 0);
    struct hr_reader *reader;
    struct hr_batch *batch;
    struct hr_error err;
    int rc;
    assert_non_null(src);
    src->size = (int64_t)file.len; /* the object's, wherever reading begins */
    assert_rc(leaf->format->open(src, &opts, params, &reader, &err), 0, &err);
    while ((rc = hr_reader_next(reader, &batch, &err)) == 0) {
        for (int c = 0; c < got->schema->n_fields; c++) {
            const char *name = got->schema->fields[c].name;
            const int k = hr_schema_find(batch->schema, name, strlen(name));
            assert_true(k >= 0);
            assert_int_equal(
                hr_vec_append_range(&got->vecs[c], &batch->vecs[k], 0, batch->len, NULL), 0);
        }
        got->len += batch->len;
    }
    assert_rc(rc, HR_END, &err);
    const int64_t end = reader->end_record;
    hr_reader_close(reader);
    hr_source_close(src);
    return end;
}

/* Text splits at random places, each entered exactly where the one before ended; Avro's begin
 * wherever the one before was to end. */
static void split_bytes(const struct leaf *leaf, const struct hr_batch *want, struct hr_slice file,
                        const struct hr_strlist *header, uint64_t *seed) {
    const bool exact = (leaf->format->flags & HR_FMT_SCHEMA) == 0;
    struct hr_batch *got = empty(want->schema);
    const int64_t n = (int64_t)file.len;
    int64_t begin = 0;
    while (begin >= 0 && begin < n) {
        int64_t end = begin + 1 + (int64_t)(test_rand(seed) % (uint64_t)(n / 3));
        end = end < n ? end : -1;
        const struct hr_read_params params = {.want = want->schema,
                                              .split_begin = begin,
                                              .split_end = end,
                                              .split_exact = exact,
                                              .group_end = -1,
                                              .header = begin > 0 ? header : NULL,
                                              .misfit = HR_MISFIT_STRICT};
        const int64_t stop = read_split(leaf, file, &params, got);
        assert_true(!exact || end < 0 || stop >= end);
        begin = exact ? stop : end;
    }
    assert_same(got, want);
    hr_batch_free(got);
}

/* Row groups, cut into runs of any length. */
static void split_groups(const struct leaf *leaf, const struct hr_batch *want, struct hr_slice file,
                         int64_t groups, uint64_t *seed) {
    struct hr_batch *got = empty(want->schema);
    assert_true(groups > 3);
    for (int64_t begin = 0; begin < groups;) {
        const int64_t take = begin + 1 + (int64_t)(test_rand(seed) % 4);
        const int64_t end = take < groups ? take : groups;
        const struct hr_read_params params = {
            .want = want->schema, .split_end = -1, .group_begin = begin, .group_end = end};
        read_split(leaf, file, &params, got);
        begin = end;
    }
    assert_same(got, want);
    hr_batch_free(got);
}

static void test_splits(void **state) {
    (void)state;
    for (size_t i = 0; i < N_LEAVES; i++) {
        const struct leaf *leaf = &LEAVES[i];
        const bool inside = (leaf->format->flags & HR_FMT_CODEC_INSIDE) != 0;
        if ((leaf->codec != NULL && !inside) || (leaf->format->flags & HR_FMT_SPLIT) == 0) {
            continue;
        }
        struct hr_schema *schema = test_schema_of(leaf->columns);
        struct hr_batch *want = table(schema, leaf, inside ? 2000 : 300, 9);
        struct hr_layout layout = {0};
        struct hr_buf file;
        struct hr_error err;
        struct hr_write_opts w = write_opts;
        uint64_t seed = 10;
        w.codec = leaf->codec != NULL ? hr_codec_by_name(leaf->codec, strlen(leaf->codec)) : NULL;
        w.row_group_rows = inside ? 150 : w.row_group_rows;
        test_write_file_of(leaf->format, schema, &w, &want, 1, &file);
        struct hr_source *src = hr_source_mem("file", file.ptr, file.len, 0);
        assert_rc(leaf->format->layout(src, &opts, &layout, &err), 0, &err);
        hr_source_close(src);
        for (int round = 0; round < 20; round++) {
            if ((leaf->format->flags & HR_FMT_RANDOM) != 0) {
                split_groups(leaf, want, hr_buf_slice(&file), layout.n_groups, &seed);
            } else {
                split_bytes(leaf, want, hr_buf_slice(&file), &layout.header, &seed);
            }
        }
        hr_layout_release(&layout);
        hr_buf_release(&file);
        hr_batch_free(want);
        hr_schema_unref(schema);
    }
}

/* Cut at every byte: an error, or (text, where a cut can fall behind a line) no more rows than
 * there were; never a crash. */
static void test_truncation(void **state) {
    (void)state;
    for (size_t i = 0; i < N_LEAVES; i++) {
        const struct leaf *leaf = &LEAVES[i];
        struct hr_schema *schema = test_schema_of(leaf->columns);
        struct hr_batch *want = table(schema, leaf, 12, 11);
        struct hr_buf file;
        write_table(leaf, schema, want, &file);
        int clean = 0;
        for (size_t cut = 0; cut < file.len; cut++) {
            struct hr_batch *got = empty(schema);
            struct hr_error err;
            const struct hr_read_params params = {
                .want = schema, .split_end = -1, .group_end = -1, .misfit = HR_MISFIT_IGNORE};
            const int rc = read_into(leaf, hr_slice_of(file.ptr, cut), 0, &params, got, &err);
            assert_true(rc == HR_END || rc < 0);
            assert_true(got->len <= want->len);
            clean += rc == HR_END;
            assert_true(rc == HR_END || err.message[0] != '\0');
            hr_batch_free(got);
        }
        assert_true(leaf->clean_cuts < 0 || clean <= leaf->clean_cuts);
        hr_buf_release(&file);
        hr_batch_free(want);
        hr_schema_unref(schema);
    }
}

/* One bit wrong anywhere: an error or a table. */
static void test_bit_flips(void **state) {
    (void)state;
    for (size_t i = 0; i < N_LEAVES; i++) {
        const struct leaf *leaf = &LEAVES[i];
        struct hr_schema *schema = test_schema_of(leaf->columns);
        struct hr_batch *want = table(schema, leaf, 40, 12);
        struct hr_buf file;
        uint64_t seed = 13;
        write_table(leaf, schema, want, &file);
        for (int round = 0; round < 300; round++) {
            const size_t at = test_rand(&seed) % file.len;
            const uint8_t bit = (uint8_t)(1u << (test_rand(&seed) % 8));
            file.ptr[at] ^= bit;
            struct hr_batch *got = empty(schema);
            struct hr_error err;
            const struct hr_read_params params = {
                .want = schema, .split_end = -1, .group_end = -1, .misfit = HR_MISFIT_IGNORE};
            const int rc = read_into(leaf, hr_buf_slice(&file), 0, &params, got, &err);
            assert_true(rc == HR_END || rc < 0);
            file.ptr[at] ^= bit;
            hr_batch_free(got);
        }
        hr_buf_release(&file);
        hr_batch_free(want);
        hr_schema_unref(schema);
    }
}

/* The Nth allocation fails: HR_E_NOMEM, nothing leaks. */
static void test_allocations(void **state) {
    (void)state;
    for (size_t i = 0; i < N_LEAVES; i++) {
        const struct leaf *leaf = &LEAVES[i];
        struct hr_schema *schema = test_schema_of(leaf->columns);
        struct hr_batch *want = table(schema, leaf, 20, 14);
        struct hr_buf file;
        write_table(leaf, schema, want, &file);
        const struct hr_read_params params = {
            .want = schema, .split_end = -1, .group_end = -1, .misfit = HR_MISFIT_STRICT};
        int rc = HR_E_NOMEM;
        for (uint64_t nth = 1; rc == HR_E_NOMEM; nth++) {
            struct hr_source *src = source_of(leaf, hr_buf_slice(&file), 0);
            struct hr_reader *reader = NULL;
            struct hr_batch *batch;
            struct hr_error err;
            const int64_t live = hr_mem_live();
            hr_mem_fail_at(nth, 0);
            rc = leaf->format->open(src, &opts, &params, &reader, &err);
            while (rc == 0) {
                rc = hr_reader_next(reader, &batch, &err);
            }
            hr_mem_fail_at(0, 0);
            hr_reader_close(reader);
            assert_true(rc == HR_E_NOMEM || rc == HR_END);
            /* What the source allocated lazily is its own. */
            hr_source_close(src);
            assert_true(hr_mem_live() <= live);
        }
        hr_buf_release(&file);
        hr_batch_free(want);
        hr_schema_unref(schema);
    }
}

static int encode_all(const struct leaf *leaf, struct hr_schema *schema, struct hr_batch *batch,
                      struct hr_out *dst, struct hr_error *err) {
    struct hr_write_opts w = write_opts;
    struct hr_encoder *enc = NULL;
    struct hr_file_writer *fw = NULL;
    struct hr_block block;
    w.codec = leaf->codec != NULL ? hr_codec_by_name(leaf->codec, strlen(leaf->codec)) : NULL;
    w.row_group_bytes = 2000;
    int rc = leaf->format->encoder(schema, &w, &enc, err);
    rc = rc == 0 ? leaf->format->file_writer(schema, &w, dst, &fw, err) : rc;
    rc = rc == 0 ? enc->ops->put(enc, batch, err) : rc;
    rc = rc == 0 ? enc->ops->finish(enc, err) : rc;
    while (rc == 0) {
        rc = enc->ops->pop(enc, &block, err);
        if (rc == 0) {
            rc = fw->ops->add(fw, &block, err);
            hr_block_release(&block);
        }
    }
    rc = rc == HR_END ? fw->ops->finish(fw, err) : rc;
    if (fw != NULL) {
        fw->ops->close(fw);
    }
    if (enc != NULL) {
        enc->ops->close(enc);
    }
    return rc;
}

static void test_write_allocations(void **state) {
    (void)state;
    for (size_t i = 0; i < N_LEAVES; i++) {
        const struct leaf *leaf = &LEAVES[i];
        struct hr_schema *schema = test_schema_of(leaf->columns);
        struct hr_batch *want = table(schema, leaf, 20, 15);
        int rc = HR_E_NOMEM;
        for (uint64_t nth = 1; rc == HR_E_NOMEM; nth++) {
            struct hr_buf file;
            struct hr_error err;
            hr_buf_init(&file, 0);
            struct hr_out *dst = hr_out_buf(&file);
            const int64_t live = hr_mem_live();
            hr_mem_fail_at(nth, 0);
            rc = encode_all(leaf, schema, want, dst, &err);
            hr_mem_fail_at(0, 0);
            hr_buf_release(&file);
            assert_true(rc == HR_E_NOMEM || rc == 0);
            assert_true(hr_mem_live() <= live);
            hr_out_close(dst);
        }
        hr_batch_free(want);
        hr_schema_unref(schema);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
        cmocka_unit_test_setup_teardown(test_projection, setup, teardown),
        cmocka_unit_test_setup_teardown(test_same_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_splits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_truncation, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bit_flips, setup, teardown),
        cmocka_unit_test_setup_teardown(test_allocations, setup, teardown),
        cmocka_unit_test_setup_teardown(test_write_allocations, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
