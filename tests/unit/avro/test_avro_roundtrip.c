/* tests/unit/avro/test_avro_roundtrip.c - what the Avro writer writes the reader reads: generated
 * tables of every type, all codecs, any slices, projections, splits, and the same bytes however the
 * rows were batched. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "format/format.h"
#include "tables.h"

/* "name type" texts as a schema; "!" in front of a type: not null. */
static struct hr_schema *schema_of(const char *const *columns, size_t count) {
    struct hr_schema *schema = hr_schema_new((int)count);
    assert_non_null(schema);
    for (size_t i = 0; i < count; i++) {
        struct hr_field *field = &schema->fields[i];
        const char *type = strchr(columns[i], ' ') + 1;
        struct hr_error err;
        assert_rc(hr_field_parse_type(field, type + (*type == '!'), &err), 0, &err);
        hr_free(field->name);
        field->name = hr_strndup(columns[i], (size_t)(type - columns[i]) - 1);
        field->nullable = *type != '!';
    }
    return schema;
}

/* ---- writing and reading in memory ---- */

static struct hr_write_opts write_opts(const char *codec) {
    struct hr_write_opts opts;
    hr_write_opts_init(&opts);
    opts.codec = codec != NULL ? hr_codec_by_name(codec, strlen(codec)) : NULL;
    return opts;
}

/* All rows of batch, `step` rows a put (0: the batch itself); the file's bytes to out. */
static int write_file(const struct hr_batch *batch, const struct hr_write_opts *opts, int64_t step,
                      struct hr_buf *out, struct hr_error *err) {
    struct hr_encoder *enc = NULL;
    struct hr_file_writer *fw = NULL;
    struct hr_out *dst = hr_out_buf(out);
    int rc = dst == NULL ? HR_E_NOMEM : hr_format_avro.encoder(batch->schema, opts, &enc, err);
    if (rc == 0) {
        rc = hr_format_avro.file_writer(batch->schema, opts, dst, &fw, err);
    }
    if (rc == 0 && step == 0) {
        rc = enc->ops->put(enc, batch, err);
    }
    for (int64_t at = 0; rc == 0 && step > 0 && at < batch->len; at += step) {
        int64_t end = at + step < batch->len ? at + step : batch->len;
        struct hr_batch *part = test_slice(batch, at, end);
        rc = enc->ops->put(enc, part, err);
        hr_batch_free(part);
    }
    if (rc == 0) {
        rc = enc->ops->finish(enc, err);
    }
    while (rc == 0) {
        struct hr_block block;
        rc = enc->ops->pop(enc, &block, err);
        if (rc == 0) {
            rc = fw->ops->add(fw, &block, err);
            hr_block_release(&block);
        }
    }
    if (rc == HR_END) {
        rc = fw->ops->finish(fw, err);
    }
    if (fw != NULL) {
        fw->ops->close(fw);
    }
    if (enc != NULL) {
        enc->ops->close(enc);
    }
    hr_out_close(dst);
    return rc;
}

/* All rows a reader gives, appended to `all` (made from the reader's schema when NULL). */
static int read_part(struct hr_slice bytes, size_t chunk, const struct hr_read_params *params,
                     struct hr_batch **all, struct hr_reader *facts, struct hr_error *err) {
    struct hr_reader *reader = NULL;
    struct hr_batch *batch = NULL;
    int64_t from = params->split_begin > 0 ? params->split_begin - 1 : 0;
    struct hr_source *src =
        hr_source_mem("t.avro", bytes.ptr + from, bytes.len - (size_t)from, chunk);
    if (src == NULL) {
        return HR_E_NOMEM;
    }
    src->size = (int64_t)bytes.len;
    int rc = hr_format_avro.open(src, NULL, params, &reader, err);
    if (rc != 0) {
        hr_source_close(src);
        return rc;
    }
    if (*all == NULL) {
        rc = hr_batch_new(reader->schema, all, err);
    }
    while (rc == 0) {
        rc = hr_reader_next(reader, &batch, err);
        for (int c = 0; rc == 0 && c < batch->schema->n_fields; c++) {
            rc = hr_vec_append_range(&(*all)->vecs[c], &batch->vecs[c], 0, batch->len, err);
        }
        if (rc == 0) {
            assert_true(batch->len > 0);
            (*all)->len += batch->len;
        }
    }
    if (facts != NULL) {
        *facts = *reader;
    }
    hr_reader_close(reader);
    hr_source_close(src);
    return rc == HR_END ? 0 : rc;
}

static struct hr_batch *read_file(const struct hr_buf *file, size_t chunk, int64_t batch_rows) {
    struct hr_batch *all = NULL;
    struct hr_error err;
    const struct hr_read_params params = {.split_end = -1, .batch_rows = batch_rows};
    assert_rc(read_part(hr_buf_slice(file), chunk, &params, &all, NULL, &err), 0, &err);
    return all;
}

static struct hr_batch *table(struct hr_schema *schema, int64_t rows, uint64_t seed) {
    struct hr_batch *batch = NULL;
    struct hr_error err;
    assert_rc(hr_batch_new(schema, &batch, &err), 0, &err);
    test_fill(batch, rows, &seed);
    return batch;
}

static const char *const codecs[] = {NULL, "gzip", "deflate-raw", "snappy", "zstd", "bzip2"};

/* ---- the tests ---- */

static void test_all_types(void **state) {
    (void)state;
    struct hr_schema *schema = test_schema_all();
    for (int64_t rows = 0; rows < 4000; rows = rows * 5 + 1) {
        struct hr_batch *want = table(schema, rows, (uint64_t)rows);
        for (size_t c = 0; c < sizeof(codecs) / sizeof(codecs[0]); c++) {
            struct hr_write_opts opts = write_opts(codecs[c]);
            struct hr_buf file;
            struct hr_error err;
            hr_buf_init(&file, 0);
            assert_rc(write_file(want, &opts, 100000, &file, &err), 0, &err);
            struct hr_batch *got = read_file(&file, c == 0 ? 0 : 777, 0);
            assert_true(hr_schema_equal(got->schema, schema));
            test_assert_same(want, got);
            hr_batch_free(got);
            hr_buf_release(&file);
        }
        hr_batch_free(want);
    }
    hr_schema_unref(schema);
}

static void test_every_chunk_and_batch_size(void **state) {
    (void)state;
    struct hr_schema *schema = test_schema_all();
    struct hr_batch *want = table(schema, 300, 3);
    struct hr_write_opts opts = write_opts("snappy");
    struct hr_buf file;
    struct hr_error err;
    hr_buf_init(&file, 0);
    opts.row_group_rows = 37;
    assert_rc(write_file(want, &opts, 1000, &file, &err), 0, &err);
    for (size_t chunk = 1; chunk < 40; chunk += 3) {
        struct hr_batch *got = read_file(&file, chunk, (int64_t)chunk);
        test_assert_same(want, got);
        hr_batch_free(got);
    }
    hr_buf_release(&file);
    hr_batch_free(want);
    hr_schema_unref(schema);
}

static void test_bytes_do_not_depend_on_batches(void **state) {
    (void)state;
    struct hr_schema *schema = test_schema_all();
    struct hr_batch *want = table(schema, 2500, 8);
    struct hr_write_opts opts = write_opts("zstd");
    struct hr_buf first;
    struct hr_error err;
    hr_buf_init(&first, 0);
    opts.row_group_bytes = 300 << 10;
    assert_rc(write_file(want, &opts, 2500, &first, &err), 0, &err);
    static const int64_t steps[] = {1, 7, 1000};
    for (size_t i = 0; i < 3; i++) {
        struct hr_buf again;
        hr_buf_init(&again, 0);
        assert_rc(write_file(want, &opts, steps[i], &again, &err), 0, &err);
        assert_true(hr_slice_eq(hr_buf_slice(&first), hr_buf_slice(&again)));
        hr_buf_release(&again);
    }
    hr_buf_release(&first);
    hr_batch_free(want);
    hr_schema_unref(schema);
}

/* Any choice of columns gives what the full read gives for them. */
static void test_projection(void **state) {
    (void)state;
    struct hr_schema *schema = test_schema_all();
    struct hr_batch *want = table(schema, 400, 21);
    struct hr_write_opts opts = write_opts(NULL);
    struct hr_buf file;
    struct hr_error err;
    uint64_t seed = 5;
    hr_buf_init(&file, 0);
    assert_rc(write_file(want, &opts, 400, &file, &err), 0, &err);
    for (int round = 0; round < 60; round++) {
        int picks[200];
        int n = 0;
        for (int i = 0; i < schema->n_fields; i++) {
            if (round == 0                  ? false
                : round <= schema->n_fields ? i == round - 1
                                            : test_rand(&seed) % 3 == 0) {
                picks[n++] = i;
            }
        }
        struct hr_schema *some = hr_schema_new(n);
        for (int i = 0; i < n; i++) {
            assert_int_equal(hr_field_copy(&some->fields[i], &schema->fields[picks[n - 1 - i]]), 0);
        }
        const struct hr_read_params params = {.want = some, .split_end = -1, .batch_rows = 33};
        struct hr_batch *got = NULL;
        assert_rc(read_part(hr_buf_slice(&file), 500, &params, &got, NULL, &err), 0, &err);
        assert_int_equal(got->len, want->len); /* also without a single column */
        assert_int_equal(got->schema->n_fields, n);
        for (int i = 0; i < n; i++) {
            assert_string_equal(got->schema->fields[i].name, schema->fields[picks[i]].name);
            struct hr_schema *one = hr_schema_new(1);
            assert_int_equal(hr_field_copy(&one->fields[0], &schema->fields[picks[i]]), 0);
            struct hr_batch a = {.schema = one, .len = want->len, .vecs = &want->vecs[picks[i]]};
            struct hr_batch b = {.schema = one, .len = got->len, .vecs = &got->vecs[i]};
            test_assert_same(&a, &b);
            hr_schema_unref(one);
        }
        hr_batch_free(got);
        hr_schema_unref(some);
    }
    hr_buf_release(&file);
    hr_batch_free(want);
    hr_schema_unref(schema);
}

/* Splits that meet read every row once, in order, and agree on their borders. */
static void test_splits(void **state) {
    (void)state;
    static const char *const columns[] = {"a int64", "b utf8", "c list<int32>"};
    struct hr_schema *schema = schema_of(columns, 3);
    struct hr_batch *want = table(schema, 3000, 99);
    struct hr_write_opts opts = write_opts("snappy");
    struct hr_buf file;
    struct hr_error err;
    struct hr_layout layout = {0};
    hr_buf_init(&file, 0);
    opts.row_group_rows = 100;
    assert_rc(write_file(want, &opts, 3000, &file, &err), 0, &err);
    struct hr_source *src = hr_source_mem("t.avro", file.ptr, file.len, 100);
    assert_rc(hr_format_avro.layout(src, NULL, &layout, &err), 0, &err);
    hr_source_close(src);
    assert_true(layout.splittable);
    for (int64_t size = 1; size < (int64_t)file.len; size = size * 2 + 13) {
        struct hr_batch *got = NULL;
        int64_t border = -1;
        for (int64_t at = 0; at < (int64_t)file.len; at += size) {
            struct hr_reader facts = {.rows = 0};
            struct hr_read_params params = {.split_begin = at,
                                            .split_end = at + size,
                                            .batch_rows = 64,
                                            .header = at > 0 ? &layout.header : NULL};
            int64_t before = got != NULL ? got->len : 0;
            assert_rc(read_part(hr_buf_slice(&file), 200, &params, &got, &facts, &err), 0, &err);
            assert_int_equal(facts.rows, got->len - before);
            if (facts.rows > 0) {
                assert_true(border < 0 || facts.first_record == border);
                border = facts.end_record;
            } else {
                assert_int_equal(facts.first_record, -1);
            }
        }
        test_assert_same(want, got);
        hr_batch_free(got);
    }
    hr_layout_release(&layout);
    hr_buf_release(&file);
    hr_batch_free(want);
    hr_schema_unref(schema);
}

/* Data that holds the file's own sync marker does not lead a split astray. */
static void test_marker_in_the_data(void **state) {
    (void)state;
    static const char *const columns[] = {"a binary"};
    struct hr_schema *schema = schema_of(columns, 1);
    struct hr_write_opts opts = write_opts(NULL);
    struct hr_batch *want = NULL;
    struct hr_error err;
    struct hr_buf probe, file;
    hr_buf_init(&probe, 0);
    hr_buf_init(&file, 0);
    assert_rc(hr_batch_new(schema, &want, &err), 0, &err);
    assert_rc(write_file(want, &opts, 1, &probe, &err), 0, &err);
    const uint8_t *sync = probe.ptr + probe.len - 16;
    uint64_t seed = 1;
    for (int i = 0; i < 500; i++) {
        uint8_t cell[40];
        for (size_t k = 0; k < sizeof(cell); k++) {
            cell[k] = (uint8_t)test_rand(&seed);
        }
        memcpy(cell + i % 24, sync, 16);
        assert_int_equal(hr_vec_append_bytes(&want->vecs[0], cell, sizeof(cell), NULL), 0);
        want->len++;
    }
    opts.row_group_rows = 50;
    assert_rc(write_file(want, &opts, 500, &file, &err), 0, &err);
    char hex[4096];
    assert_true(2 * probe.len < sizeof(hex));
    hr_hex(probe.ptr, probe.len, hex);
    char *items[] = {hex};
    const struct hr_strlist header = {.items = items, .count = 1};
    struct hr_batch *got = NULL;
    for (int64_t at = 0; at < (int64_t)file.len; at += 333) {
        const struct hr_read_params params = {
            .split_begin = at, .split_end = at + 333, .header = at > 0 ? &header : NULL};
        assert_rc(read_part(hr_buf_slice(&file), 0, &params, &got, NULL, &err), 0, &err);
    }
    test_assert_same(want, got);
    hr_batch_free(got);
    hr_batch_free(want);
    hr_buf_release(&probe);
    hr_buf_release(&file);
    hr_schema_unref(schema);
}

/* Rows know where they stood, each at a place of its own. */
static void test_row_places(void **state) {
    (void)state;
    static const char *const columns[] = {"a int64"};
    struct hr_schema *schema = schema_of(columns, 1);
    struct hr_batch *want = table(schema, 500, 2);
    struct hr_write_opts opts = write_opts(NULL);
    struct hr_buf file;
    struct hr_error err;
    struct hr_reader *reader = NULL;
    struct hr_batch *batch;
    hr_buf_init(&file, 0);
    opts.row_group_rows = 100;
    assert_rc(write_file(want, &opts, 500, &file, &err), 0, &err);
    struct hr_source *src = hr_source_mem("t.avro", file.ptr, file.len, 0);
    const struct hr_read_params params = {.split_end = -1, .batch_rows = 64, .want_rows = true};
    assert_rc(hr_format_avro.open(src, NULL, &params, &reader, &err), 0, &err);
    int64_t last = -1;
    int64_t row = 0;
    while (hr_reader_next(reader, &batch, &err) == 0) {
        for (int64_t i = 0; i < batch->len; i++) {
            assert_true(batch->row_offsets[i] > last);
            last = batch->row_offsets[i];
            assert_int_equal(batch->row_lines[i], ++row);
        }
    }
    assert_int_equal(row, 500);
    hr_reader_close(reader);
    hr_source_close(src);
    hr_buf_release(&file);
    hr_batch_free(want);
    hr_schema_unref(schema);
}

/* Names that are none in Avro, doubled ones among them, come back. */
static void test_names(void **state) {
    (void)state;
    static const char *const columns[] = {
        "a-b int64",  "a_b utf8", "a+b bool",   "1st int32",
        "größe int8", "_ float",  "a_b_2 date", "s struct<x-y: int32, x_y: int32>"};
    struct hr_schema *schema = schema_of(columns, sizeof(columns) / sizeof(columns[0]));
    struct hr_batch *want = table(schema, 20, 2);
    struct hr_write_opts opts = write_opts(NULL);
    struct hr_buf file;
    struct hr_error err;
    hr_buf_init(&file, 0);
    assert_rc(write_file(want, &opts, 20, &file, &err), 0, &err);
    struct hr_batch *got = read_file(&file, 0, 0);
    assert_true(hr_schema_equal(schema, got->schema));
    test_assert_same(want, got);
    hr_batch_free(got);
    hr_buf_release(&file);
    hr_batch_free(want);
    hr_schema_unref(schema);
}

static void test_what_cannot_be_written(void **state) {
    (void)state;
    static const char *const columns[] = {"a !int64", "t timestamp[s]"};
    struct hr_schema *schema = schema_of(columns, 2);
    struct hr_batch *batch = NULL;
    struct hr_error err;
    struct hr_buf file;
    struct hr_write_opts opts = write_opts("brotli");
    hr_buf_init(&file, 0);
    assert_rc(hr_batch_new(schema, &batch, &err), 0, &err);
    assert_int_equal(write_file(batch, &opts, 1, &file, &err), HR_E_UNSUPPORTED);
    assert_non_null(strstr(err.message, "brotli"));
    opts = write_opts(NULL);
    assert_int_equal(hr_vec_append_i64(&batch->vecs[0], 1, NULL), 0);
    assert_int_equal(hr_vec_append_i64(&batch->vecs[1], INT64_MAX / 10, NULL), 0);
    batch->len = 1;
    assert_int_equal(write_file(batch, &opts, 1, &file, &err), HR_E_BOUND);
    assert_string_equal(err.column, "t");
    hr_batch_clear(batch);
    assert_int_equal(hr_vec_append_null(&batch->vecs[0], NULL), 0);
    assert_int_equal(hr_vec_append_null(&batch->vecs[1], NULL), 0);
    batch->len = 1;
    assert_int_equal(write_file(batch, &opts, 1, &file, &err), HR_E_SCHEMA);
    assert_string_equal(err.column, "a");
    hr_buf_release(&file);
    hr_batch_free(batch);
    hr_schema_unref(schema);
}

static void test_failing_memory(void **state) {
    (void)state;
    struct hr_schema *schema = test_schema_all();
    struct hr_batch *want = table(schema, 50, 4);
    struct hr_write_opts opts = write_opts("zstd");
    int64_t live = hr_mem_live();
    int failed = 0;
    for (uint64_t nth = 1;; nth += nth < 200 ? 1 : 7) {
        struct hr_buf file;
        struct hr_error err;
        struct hr_batch *got = NULL;
        const struct hr_read_params params = {.split_end = -1};
        hr_buf_init(&file, 0);
        hr_mem_fail_at(nth, 0);
        int rc = write_file(want, &opts, 0, &file, &err);
        if (rc == 0) {
            rc = read_part(hr_buf_slice(&file), 100, &params, &got, NULL, &err);
        }
        bool over = hr_mem_count() < nth;
        hr_mem_fail_at(0, 0);
        if (rc == 0) {
            test_assert_same(want, got);
        } else {
            assert_int_equal(rc, HR_E_NOMEM);
            failed++;
        }
        hr_batch_free(got);
        hr_buf_release(&file);
        assert_int_equal(hr_mem_live(), live);
        if (over) {
            break;
        }
    }
    assert_true(failed > 100);
    hr_batch_free(want);
    hr_schema_unref(schema);
}

static int teardown(void **state) {
    (void)state;
    hr_codec_thread_release();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_types),
        cmocka_unit_test(test_every_chunk_and_batch_size),
        cmocka_unit_test(test_bytes_do_not_depend_on_batches),
        cmocka_unit_test(test_projection),
        cmocka_unit_test(test_splits),
        cmocka_unit_test(test_marker_in_the_data),
        cmocka_unit_test(test_row_places),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_what_cannot_be_written),
        cmocka_unit_test(test_failing_memory),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
