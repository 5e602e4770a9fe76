/* Writes Parquet files in every variety beside what is in them as JSON lines, for
 * tests/integration/test_parquet_write.py, where other programs read them. The folder is
 * HEADRACE_PARQUET_OUT, else a temporary one; here only the frame of each file is checked. */
#include <stdio.h>
#include <stdlib.h>

#include "pq_round.h"

static const char *folder(void) {
    const char *dir = getenv("HEADRACE_PARQUET_OUT");
    return dir != NULL ? dir : test_tmpdir();
}

static void write_rows(const struct hr_batch *batch, const char *path) {
    struct hr_buf text;
    hr_buf_init(&text, (size_t)1 << 30);
    for (int64_t row = 0; row < batch->len; row++) {
        for (int c = 0; c < batch->schema->n_fields; c++) {
            assert_int_equal(hr_buf_append_byte(&text, c == 0 ? '[' : ',', NULL), 0);
            assert_int_equal(hr_vec_json(&batch->vecs[c], row, &text, NULL), 0);
        }
        assert_int_equal(hr_buf_append_str(&text, "]\n", NULL), 0);
    }
    test_write_file(path, text.ptr == NULL ? "" : (const char *)text.ptr, text.len);
    hr_buf_release(&text);
}

static void write_case(const char *dir, const char *name, struct hr_batch *batch,
                       const struct hr_write_opts *opts) {
    char path[4096];
    struct hr_buf file;
    struct hr_error err;
    hr_buf_init(&file, (size_t)1 << 30);
    assert_rc(round_write(batch->schema, &batch, 1, opts, &file, &err), 0, &err);
    assert_true(file.len > 12);
    assert_memory_equal(file.ptr, "PAR1", 4);
    assert_memory_equal(file.ptr + file.len - 4, "PAR1", 4);
    snprintf(path, sizeof(path), "%s/%s.parquet", dir, name);
    test_write_file(path, file.ptr, file.len);
    snprintf(path, sizeof(path), "%s/%s.jsonl", dir, name);
    write_rows(batch, path);
    hr_buf_release(&file);
}

static struct hr_batch *table(struct hr_schema *schema, int64_t rows, uint64_t seed) {
    struct hr_batch *batch = NULL;
    assert_int_equal(hr_batch_new(schema, &batch, NULL), 0);
    hr_schema_unref(schema);
    test_fill(batch, rows, &seed);
    return batch;
}

static void all_codecs(void **state) {
    (void)state;
    static const char *const codecs[] = {"none", "snappy", "zstd", "gzip", "lz4", "brotli"};
    const char *dir = folder();
    for (size_t i = 0; i < sizeof(codecs) / sizeof(codecs[0]); i++) {
        struct hr_batch *batch = table(test_schema_common(), 1200, 100 + i);
        struct hr_write_opts opts = round_options(i == 0 ? NULL : codecs[i]);
        char name[64];
        opts.page_crc = i % 2 == 0;
        snprintf(name, sizeof(name), "auto-%s", codecs[i]);
        write_case(dir, name, batch, &opts);
        opts.classic = true;
        snprintf(name, sizeof(name), "classic-%s", codecs[i]);
        write_case(dir, name, batch, &opts);
        opts.parquet_version = 1;
        opts.page_crc = !opts.page_crc;
        snprintf(name, sizeof(name), "v1-%s", codecs[i]);
        write_case(dir, name, batch, &opts);
        hr_batch_free(batch);
    }
}

static void all_values(void **state) {
    (void)state;
    static const char *const names[] = {"few", "many", "sorted", "runs"};
    const char *dir = folder();
    for (int v = 0; v < TEST_VALUES_COUNT; v++) {
        struct hr_schema *schema = test_schema_common();
        struct hr_batch *batch = NULL;
        uint64_t seed = 7;
        assert_int_equal(hr_batch_new(schema, &batch, NULL), 0);
        hr_schema_unref(schema);
        test_fill_as(batch, 1500, &seed, (enum test_values)v, v == 1 ? 20 : 0);
        struct hr_write_opts opts = round_options("snappy");
        char name[64];
        opts.row_group_rows = 100000;
        snprintf(name, sizeof(name), "values-%s", names[v]);
        write_case(dir, name, batch, &opts);
        opts.dictionary = false;
        opts.codec = hr_codec_by_name("zstd", 4);
        snprintf(name, sizeof(name), "nodict-%s", names[v]);
        write_case(dir, name, batch, &opts);
        hr_batch_free(batch);
    }
}

static void odd_sizes(void **state) {
    (void)state;
    static const int64_t sizes[] = {0, 1, 2, 8, 31, 129};
    const char *dir = folder();
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct hr_batch *batch = table(test_schema_common(), sizes[i], 55 + i);
        struct hr_write_opts opts = round_options("snappy");
        char name[64];
        snprintf(name, sizeof(name), "rows-%d", (int)sizes[i]);
        write_case(dir, name, batch, &opts);
        hr_batch_free(batch);
    }
}

static void bloom_and_bare(void **state) {
    (void)state;
    const char *dir = folder();
    struct hr_batch *batch = table(test_schema_common(), 1200, 3);
    struct hr_write_opts opts = round_options("zstd");
    char *blooms[] = {(char[]){"c_i64"}, (char[]){"c_utf8"}, (char[]){"c_uuid"}, (char[]){"r_i64"}};
    opts.bloom_columns = (struct hr_strlist){blooms, 4};
    write_case(dir, "bloom", batch, &opts);
    opts.bloom_columns.count = 0;
    opts.statistics = opts.page_index = false;
    write_case(dir, "bare", batch, &opts);
    hr_batch_free(batch);
}

/* BSON, intervals and wide decimals too. */
static void rare_types(void **state) {
    (void)state;
    struct hr_batch *batch = table(test_schema_all(), 500, 9);
    struct hr_write_opts opts = round_options("snappy");
    write_case(folder(), "rare", batch, &opts);
    hr_batch_free(batch);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_codecs),     cmocka_unit_test(all_values), cmocka_unit_test(odd_sizes),
        cmocka_unit_test(bloom_and_bare), cmocka_unit_test(rare_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
