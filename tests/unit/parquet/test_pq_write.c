/* The Parquet writer against our own reader: every type, codec, page version and encoding comes
 * back equal; the bytes do not depend on how batches are cut; bad values and failing memory are
 * errors. */
#include "format/parquet/pq_write.h"

#include <math.h>

#include "base/cpu.h"
#include "base/num.h"
#include "pq_round.h"

static struct hr_batch *new_batch(struct hr_schema *schema) {
    struct hr_batch *batch = NULL;
    assert_int_equal(hr_batch_new(schema, &batch, NULL), 0);
    return batch;
}

static void check_round(struct hr_batch *batch, const struct hr_write_opts *opts) {
    struct hr_buf file;
    struct hr_error err;
    hr_buf_init(&file, (size_t)1 << 30);
    assert_rc(round_write(batch->schema, &batch, 1, opts, &file, &err), 0, &err);
    struct hr_batch *back = round_read(hr_buf_slice(&file));
    test_assert_same(batch, back);
    hr_batch_free(back);
    hr_buf_release(&file);
}

static void every_codec_and_version(void **state) {
    (void)state;
    static const char *const codecs[] = {NULL, "snappy", "zstd", "gzip", "lz4", "brotli"};
    struct hr_schema *schema = test_schema_no_seconds();
    for (size_t i = 0; i < 18; i++) {
        uint64_t seed = 1000 + i;
        struct hr_batch *batch = new_batch(schema);
        struct hr_write_opts opts = round_options(codecs[i / 3]);
        test_fill(batch, i % 2 == 0 ? 777 : 2100, &seed);
        opts.classic = i % 3 == 1;
        opts.parquet_version = i % 3 == 2 ? 1 : 2;
        opts.page_crc = i % 2 == 0;
        opts.page_bytes = i % 4 == 0 ? 100 : 4096;
        check_round(batch, &opts);
        hr_batch_free(batch);
    }
    hr_schema_unref(schema);
}

static void every_kind_of_values(void **state) {
    (void)state;
    static const int nulls[] = {0, 5, 128, 256};
    struct hr_schema *schema = test_schema_no_seconds();
    for (int i = 0; i < 32; i++) {
        uint64_t seed = 50 + (uint64_t)i;
        struct hr_batch *batch = new_batch(schema);
        struct hr_write_opts opts = round_options(i % 5 == 0 ? NULL : "snappy");
        test_fill_as(batch, 1500, &seed, (enum test_values)(i % 4), nulls[i / 4 % 4]);
        opts.dictionary = i < 16;
        check_round(batch, &opts);
        hr_batch_free(batch);
    }
    hr_schema_unref(schema);
}

/* Past the sample of the dictionary, over several pages of the row limit. */
static void long_columns(void **state) {
    (void)state;
    static const char *const columns[] = {"a int64", "b !int32", "c utf8", "d double",
                                          "e bool",  "f date",   "g uuid", "h list<int64>"};
    struct hr_schema *schema = test_schema(columns, 8);
    for (int v = 0; v < TEST_VALUES_COUNT; v++) {
        uint64_t seed = 5;
        struct hr_batch *batch = new_batch(schema);
        struct hr_write_opts opts = round_options("snappy");
        opts.row_group_rows = 40000;
        opts.page_bytes = 1u << 20;
        test_fill_as(batch, 50000, &seed, (enum test_values)v, v * 20);
        check_round(batch, &opts);
        opts.classic = true;
        check_round(batch, &opts);
        hr_batch_free(batch);
    }
    hr_schema_unref(schema);
}

static void few_rows(void **state) {
    (void)state;
    struct hr_schema *schema = test_schema_no_seconds();
    for (int64_t rows = 0; rows < 70; rows++) {
        uint64_t seed = 9 + (uint64_t)rows;
        struct hr_batch *batch = new_batch(schema);
        struct hr_write_opts opts = round_options("snappy");
        test_fill(batch, rows, &seed);
        check_round(batch, &opts);
        hr_batch_free(batch);
    }
    hr_schema_unref(schema);
}

/* Integers at the ends of their range: deltas wrap. */
static void extreme_numbers(void **state) {
    (void)state;
    static const char *const columns[] = {"a int64", "b int32",  "c uint64",       "d uint32",
                                          "e int8",  "f uint16", "g timestamp[ns]"};
    static const int64_t wide[] = {INT64_MIN, INT64_MAX, 0, -1, 1, INT64_MIN + 1, INT64_MAX - 1};
    struct hr_schema *schema = test_schema(columns, 7);
    struct hr_batch *batch = new_batch(schema);
    uint64_t seed = 3;
    for (int i = 0; i < 3000; i++) {
        const int64_t v = wide[test_rand(&seed) % 7];
        for (int c = 0; c < 7; c++) {
            const int64_t narrow = c == 1   ? (int32_t)(v >> 16)
                                   : c == 3 ? (uint32_t)(v >> 16)
                                   : c == 4 ? (int8_t)(v >> 40)
                                   : c == 5 ? (uint16_t)(v >> 40)
                                            : v;
            assert_int_equal(hr_vec_append_i64(&batch->vecs[c], narrow, NULL), 0);
        }
        batch->len++;
    }
    struct hr_write_opts opts = round_options(NULL);
    check_round(batch, &opts);
    opts.dictionary = false;
    check_round(batch, &opts);
    hr_batch_free(batch);
    hr_schema_unref(schema);
}

/* Floats by their bits: NaN, infinities and both zeros. */
static void odd_floats(void **state) {
    (void)state;
    static const char *const columns[] = {"a double", "b float"};
    const double odd[] = {(double)NAN, (double)INFINITY, -(double)INFINITY, 0.0, -0.0, 1e308,
                          5e-324};
    struct hr_schema *schema = test_schema(columns, 2);
    struct hr_batch *batch = new_batch(schema);
    uint64_t seed = 3;
    for (int i = 0; i < 2500; i++) {
        const double v = odd[test_rand(&seed) % 7];
        assert_int_equal(hr_vec_append_f64(&batch->vecs[0], v, NULL), 0);
        assert_int_equal(hr_vec_append_f64(&batch->vecs[1], i < 1000 ? (double)NAN : v, NULL), 0);
        batch->len++;
    }
    struct hr_write_opts opts = round_options("zstd");
    struct hr_buf file;
    struct hr_error err;
    hr_buf_init(&file, 0);
    assert_rc(round_write(schema, &batch, 1, &opts, &file, &err), 0, &err);
    struct hr_batch *back = round_read(hr_buf_slice(&file));
    assert_memory_equal(batch->vecs[0].data, back->vecs[0].data, 8 * 2500);
    assert_memory_equal(batch->vecs[1].data, back->vecs[1].data, 4 * 2500);
    hr_batch_free(back);
    hr_buf_release(&file);
    hr_batch_free(batch);
    hr_schema_unref(schema);
}

/* ---- the same bytes ---- */

static void cut_anyhow(struct hr_batch *batch, const struct hr_write_opts *opts,
                       const struct hr_buf *whole, uint64_t *seed) {
    struct hr_batch *parts[3000];
    size_t count = 0;
    struct hr_buf file;
    struct hr_error err;
    hr_buf_init(&file, (size_t)1 << 30);
    const int64_t most = 1 + (int64_t)(test_rand(seed) % 700);
    for (int64_t from = 0; from < batch->len; count++) {
        int64_t n = 1 + (int64_t)(test_rand(seed) % (uint64_t)most);
        n = n < batch->len - from ? n : batch->len - from;
        assert_true(count < 3000);
        parts[count] = test_slice(batch, from, from + n);
        from += n;
    }
    assert_rc(round_write(batch->schema, parts, count, opts, &file, &err), 0, &err);
    assert_int_equal(file.len, whole->len);
    assert_memory_equal(file.ptr, whole->ptr, whole->len);
    for (size_t i = 0; i < count; i++) {
        hr_batch_free(parts[i]);
    }
    hr_buf_release(&file);
}

static void batches_may_be_cut_anywhere(void **state) {
    (void)state;
    struct hr_schema *schema = test_schema_all();
    for (int i = 0; i < 6; i++) {
        uint64_t seed = 70 + (uint64_t)i;
        struct hr_batch *batch = new_batch(schema);
        struct hr_write_opts opts = round_options("snappy");
        struct hr_buf whole;
        struct hr_error err;
        hr_buf_init(&whole, (size_t)1 << 30);
        opts.row_group_bytes = i % 2 == 0 ? 64u << 20 : 300000; /* groups of about 200 rows */
        test_fill(batch, 2600, &seed);
        assert_rc(round_write(schema, &batch, 1, &opts, &whole, &err), 0, &err);
        for (int turn = 0; turn < 3; turn++) {
            cut_anyhow(batch, &opts, &whole, &seed);
        }
        hr_buf_release(&whole);
        hr_batch_free(batch);
    }
    hr_schema_unref(schema);
}

static struct hr_buf encode_with(struct hr_encoder *enc, const struct hr_batch *batch) {
    struct hr_buf bytes;
    struct hr_error err;
    struct hr_block block;
    hr_buf_init(&bytes, (size_t)1 << 30);
    assert_rc(enc->ops->put(enc, batch, &err), 0, &err);
    assert_rc(enc->ops->finish(enc, &err), 0, &err);
    while (enc->ops->pop(enc, &block, &err) == 0) {
        assert_int_equal(hr_buf_append(&bytes, block.data, block.len, NULL), 0);
        hr_big_free(block.data);
        block.free_meta(block.meta);
    }
    return bytes;
}

/* What an encoder did before leaves no trace, and vector code gives the bytes of its scalar twin.
 */
static void the_same_bytes_again(void **state) {
    (void)state;
    static const struct hr_cpu scalar = {.avx2 = false};
    static const struct hr_cpu avx2 = {.avx2 = true};
    struct hr_schema *schema = test_schema_all();
    struct hr_batch *one = new_batch(schema), *two = new_batch(schema);
    struct hr_write_opts opts = round_options("zstd");
    struct hr_encoder *enc = NULL;
    struct hr_error err;
    uint64_t seed = 12;
    test_fill(one, 2500, &seed);
    test_fill(two, 1300, &seed);
    assert_rc(hr_parquet_encoder_open(schema, &opts, &enc, &err), 0, &err);
    struct hr_buf first = encode_with(enc, two);
    enc->ops->reset(enc);
    assert_rc(enc->ops->put(enc, one, &err), 0, &err); /* left unfinished */
    enc->ops->reset(enc);
    for (int twin = 0; twin < 3; twin++) {
        if (twin > 0 && hr_cpu_get()->avx2) {
            hr_cpu_override(twin == 1 ? &scalar : &avx2);
        }
        struct hr_buf again = encode_with(enc, two);
        hr_cpu_override(NULL);
        assert_int_equal(again.len, first.len);
        assert_memory_equal(again.ptr, first.ptr, first.len);
        hr_buf_release(&again);
        enc->ops->reset(enc);
    }
    hr_buf_release(&first);
    enc->ops->close(enc);
    hr_batch_free(one);
    hr_batch_free(two);
    hr_schema_unref(schema);
}

/* ---- what cannot be written ---- */

static int put_one(const char *column, int64_t v, struct hr_error *err) {
    struct hr_schema *schema = test_schema(&column, 1);
    struct hr_batch *batch = new_batch(schema);
    struct hr_write_opts opts = round_options(NULL);
    struct hr_buf file;
    hr_buf_init(&file, 0);
    if (schema->fields[0].type.id == HR_T_DEC128) {
        const hr_i128 wide = v;
        assert_int_equal(hr_vec_append_bytes(&batch->vecs[0], &wide, 16, NULL), 0);
    } else {
        assert_int_equal(hr_vec_append_i64(&batch->vecs[0], v, NULL), 0);
    }
    batch->len = 1;
    const int rc = round_write(schema, &batch, 1, &opts, &file, err);
    hr_buf_release(&file);
    hr_batch_free(batch);
    hr_schema_unref(schema);
    return rc;
}

static void values_that_do_not_fit(void **state) {
    (void)state;
    struct hr_error err;
    assert_rc(put_one("amount decimal(9,2)", INT32_MAX, &err), 0, &err);
    assert_rc(put_one("amount decimal(9,2)", (int64_t)INT32_MAX + 1, &err), HR_E_SCHEMA, &err);
    assert_non_null(strstr(err.message, "amount"));
    assert_string_equal(err.column, "amount");
    assert_int_equal(err.line, 1);
    assert_rc(put_one("at timestamp[s]", INT64_MAX / 1000, &err), 0, &err);
    assert_rc(put_one("at timestamp[s]", INT64_MAX / 1000 + 1, &err), HR_E_SCHEMA, &err);
    assert_rc(put_one("at time[s]", 86399, &err), 0, &err);
    assert_rc(put_one("at time[s]", INT32_MAX, &err), HR_E_SCHEMA, &err);
}

static void nulls_where_none_may_be(void **state) {
    (void)state;
    static const char *const columns[] = {"id !int64", "pair !struct<a: int32>",
                                          "list !list<utf8>"};
    struct hr_error err;
    for (int c = 0; c < 3; c++) {
        struct hr_schema *schema = test_schema(&columns[c], 1);
        struct hr_batch *batch = new_batch(schema);
        struct hr_write_opts opts = round_options(NULL);
        struct hr_buf file;
        hr_buf_init(&file, 0);
        assert_int_equal(hr_vec_append_null(&batch->vecs[0], NULL), 0);
        batch->len = 1;
        assert_rc(round_write(schema, &batch, 1, &opts, &file, &err), HR_E_SCHEMA, &err);
        assert_non_null(strstr(err.message, "not null"));
        hr_buf_release(&file);
        hr_batch_free(batch);
        hr_schema_unref(schema);
    }
}

static void schemas_that_do_not_fit(void **state) {
    (void)state;
    static const char *const columns[] = {"empty struct<>"};
    struct hr_schema *schema = test_schema(columns, 1);
    struct hr_write_opts opts = round_options(NULL);
    struct hr_encoder *enc = NULL;
    struct hr_error err;
    assert_rc(hr_parquet_encoder_open(schema, &opts, &enc, &err), HR_E_UNSUPPORTED, &err);
    assert_non_null(strstr(err.message, "empty"));
    assert_null(enc);
    hr_schema_unref(schema);
    schema = test_schema(&(const char *){"a int64"}, 1);
    opts.codec = hr_codec_by_name("bzip2", 5);
    assert_rc(hr_parquet_encoder_open(schema, &opts, &enc, &err), HR_E_CONFIG, &err);
    assert_non_null(strstr(err.hint, "snappy"));
    hr_schema_unref(schema);
}

/* A deep nesting is written to the depth that levels allow, and refused beyond it. */
static void deep_nesting(void **state) {
    (void)state;
    for (int depth = 1; depth < 200; depth += depth < 110 ? 27 : 1) {
        struct hr_schema *schema = hr_schema_new(1);
        struct hr_field *field = &schema->fields[0];
        for (int i = 0; i < depth; i++) {
            assert_int_equal(hr_field_init(field, "f", 1,
                                           hr_type(i + 1 < depth ? HR_T_LIST : HR_T_I32),
                                           i + 1 < depth),
                             0);
            field = i + 1 < depth ? &field->children[0] : field;
        }
        struct hr_batch *batch = new_batch(schema);
        struct hr_error err;
        struct hr_buf file;
        struct hr_write_opts opts = round_options("snappy");
        hr_buf_init(&file, 0);
        struct hr_vec *vecs[200];
        vecs[0] = &batch->vecs[0];
        for (int i = 1; i < depth; i++) {
            vecs[i] = &vecs[i - 1]->children[0];
        }
        assert_int_equal(hr_vec_append_i64(vecs[depth - 1], 42, NULL), 0);
        for (int i = depth - 2; i >= 0; i--) {
            assert_int_equal(hr_vec_append_list_end(vecs[i], NULL), 0);
        }
        batch->len = 1;
        const int rc = round_write(schema, &batch, 1, &opts, &file, &err);
        assert_rc(rc, depth <= 120 ? 0 : HR_E_UNSUPPORTED, &err);
        hr_buf_release(&file);
        hr_batch_free(batch);
        hr_schema_unref(schema);
    }
}

/* ---- row groups ---- */

static void groups_end_by_bytes(void **state) {
    (void)state;
    struct hr_schema *schema = test_schema(&(const char *){"t utf8"}, 1);
    struct hr_batch *batch = new_batch(schema);
    struct hr_write_opts opts = round_options(NULL);
    struct hr_encoder *enc = NULL;
    struct hr_error err;
    struct hr_block block;
    static const char text[1000] = {'x'};
    opts.row_group_rows = 1000000;
    opts.row_group_bytes = 10 * 1004; /* ten rows with their offsets */
    for (int i = 0; i < 25; i++) {
        assert_int_equal(hr_vec_append_bytes(&batch->vecs[0], text, sizeof(text), NULL), 0);
    }
    batch->len = 25;
    assert_rc(hr_parquet_encoder_open(schema, &opts, &enc, &err), 0, &err);
    assert_rc(enc->ops->put(enc, batch, &err), 0, &err);
    assert_rc(enc->ops->finish(enc, &err), 0, &err);
    static const int64_t rows[] = {10, 10, 5};
    for (int i = 0; i < 3; i++) {
        assert_rc(enc->ops->pop(enc, &block, &err), 0, &err);
        assert_int_equal(block.rows, rows[i]);
        hr_big_free(block.data);
        block.free_meta(block.meta);
    }
    assert_rc(enc->ops->pop(enc, &block, &err), HR_END, &err);
    enc->ops->close(enc);
    hr_batch_free(batch);
    hr_schema_unref(schema);
}

/* ---- memory ---- */

static void every_allocation_may_fail(void **state) {
    (void)state;
    struct hr_schema *schema = test_schema_all();
    struct hr_batch *batch = new_batch(schema);
    uint64_t seed = 21;
    test_fill_as(batch, 60, &seed, TEST_FEW, 40);
    char *blooms[] = {(char[]){"c_i64"}, (char[]){"c_utf8"}};
    struct hr_write_opts opts = round_options("snappy");
    opts.bloom_columns = (struct hr_strlist){blooms, 2};
    opts.row_group_rows = 40;
    const int64_t live = hr_mem_live();
    int rc = HR_E_NOMEM;
    for (uint64_t nth = 1; rc != 0; nth += 1 + nth / 50) {
        struct hr_buf file;
        struct hr_error err;
        hr_buf_init(&file, 0);
        hr_mem_fail_at(nth, (int)(nth & 1));
        rc = round_write(schema, &batch, 1, &opts, &file, &err);
        hr_mem_fail_at(0, 0);
        hr_buf_release(&file);
        assert_true(rc == 0 || rc == HR_E_NOMEM);
        assert_int_equal(hr_mem_live(), live);
        assert_true(nth < 200000);
    }
    hr_batch_free(batch);
    hr_schema_unref(schema);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_codec_and_version),
        cmocka_unit_test(every_kind_of_values),
        cmocka_unit_test(long_columns),
        cmocka_unit_test(few_rows),
        cmocka_unit_test(extreme_numbers),
        cmocka_unit_test(odd_floats),
        cmocka_unit_test(batches_may_be_cut_anywhere),
        cmocka_unit_test(the_same_bytes_again),
        cmocka_unit_test(values_that_do_not_fit),
        cmocka_unit_test(nulls_where_none_may_be),
        cmocka_unit_test(schemas_that_do_not_fit),
        cmocka_unit_test(deep_nesting),
        cmocka_unit_test(groups_end_by_bytes),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
