/* Reading what our own writer made: row numbers, row group ranges, large strings, memory,
 * checksums. */
#include "pq_canon.h"
#include "pq_drain.h"
#include "table_support.h"

static void write_table(struct hr_schema *schema, struct hr_batch *batch, int64_t group_rows,
                        const char *codec, struct hr_buf *out) {
    struct hr_write_opts w;
    hr_write_opts_init(&w);
    w.row_group_rows = group_rows;
    w.row_group_bytes = (uint64_t)1 << 40;
    w.codec = codec != NULL ? hr_codec_by_name(codec, strlen(codec)) : NULL;
    test_write_file_of(&hr_format_parquet, schema, &w, &batch, 1, out);
}

static struct hr_batch *numbers(struct hr_schema *schema, int64_t n) {
    struct hr_batch *batch;
    assert_int_equal(hr_batch_new(schema, &batch, NULL), 0);
    for (int64_t i = 0; i < n; i++) {
        char text[32];
        const int len = snprintf(text, sizeof(text), "row %lld", (long long)i);
        assert_int_equal(hr_vec_append_i64(&batch->vecs[0], i, NULL), 0);
        assert_int_equal(hr_vec_append_bytes(&batch->vecs[1], text, (size_t)len, NULL), 0);
    }
    batch->len = n;
    return batch;
}

/* Row numbers count from the start of the file, whatever range of row groups is read. */
static void test_groups_and_rows(void **state) {
    (void)state;
    struct hr_schema *schema = test_schema_of("id: int64, text: utf8");
    struct hr_batch *batch = numbers(schema, 1000);
    const struct hr_format_opts opts = {0};
    struct hr_buf file;
    struct hr_error err;
    write_table(schema, batch, 130, "zstd", &file); /* 8 groups: 7 x 130, 90 */
    for (int64_t begin = 0; begin < 8; begin++) {
        for (int64_t end = begin + 1; end <= 9; end++) {
            const struct hr_read_params params = {
                .group_begin = begin, .group_end = end, .batch_rows = 50, .want_rows = true};
            struct hr_source *src = hr_source_mem("own", file.ptr, file.len, 0);
            struct hr_reader *reader;
            struct hr_batch *got;
            int64_t at = begin * 130;
            assert_rc(hr_format_parquet.open(src, &opts, &params, &reader, &err), 0, &err);
            while (hr_reader_next(reader, &got, &err) == 0) {
                for (int64_t i = 0; i < got->len; i++, at++) {
                    assert_int_equal(hr_vec_i64(&got->vecs[0], i), at);
                    assert_int_equal(got->row_offsets[i], at);
                    assert_int_equal(got->row_lines[i], at + 1);
                }
            }
            assert_int_equal(at, end >= 8 ? 1000 : end * 130);
            assert_int_equal(reader->rows, at - begin * 130);
            hr_reader_close(reader);
            hr_source_close(src);
        }
    }
    hr_buf_release(&file);
    hr_batch_free(batch);
    hr_schema_unref(schema);
}

/* No column wanted: rows are still counted. */
static void test_no_columns(void **state) {
    (void)state;
    struct hr_schema *schema = test_schema_of("id: int64, text: utf8");
    struct hr_schema *none = hr_schema_new(0);
    struct hr_batch *batch = numbers(schema, 1000);
    const struct hr_read_params params = {.group_end = -1, .want = none};
    struct hr_buf file;
    write_table(schema, batch, 300, NULL, &file);
    struct hr_source *src = hr_source_mem("own", file.ptr, file.len, 0);
    const struct drain_result res = drain(src, &params);
    assert_int_equal(res.rc, 0);
    assert_int_equal(res.rows, 1000);
    hr_source_close(src);
    hr_buf_release(&file);
    hr_batch_free(batch);
    hr_schema_unref(none);
    hr_schema_unref(schema);
}

/* Strings from nothing to 3 MB beside numbers, nulls and lists: batches are cut early, what other
 * columns read too far comes in the next one, and nothing is lost or doubled. */
static void test_large_strings(void **state) {
    (void)state;
    struct hr_schema *schema = test_schema_of(
        "id: int64, flag: bool, big: utf8, part: int32, again: binary, list: list<utf8>, "
        "s: struct<x: int64, t: utf8>");
    struct hr_batch *batch;
    uint64_t seed = 8;
    assert_int_equal(hr_batch_new(schema, &batch, NULL), 0);
    uint8_t *text = hr_malloc(3 << 20);
    for (size_t i = 0; i < 3 << 20; i++) {
        text[i] = (uint8_t)('a' + i % 26);
    }
    for (int64_t i = 0; i < 1500; i++) {
        struct hr_vec *v = batch->vecs;
        const size_t size = i % 300 < 290 ? test_rand(&seed) % 50 : test_rand(&seed) % (3 << 20);
        assert_int_equal(hr_vec_append_i64(&v[0], i, NULL), 0);
        assert_int_equal(hr_vec_append_i64(&v[1], (int64_t)(test_rand(&seed) % 2), NULL), 0);
        assert_int_equal(test_rand(&seed) % 4 ? hr_vec_append_bytes(&v[2], text, size, NULL)
                                              : hr_vec_append_null(&v[2], NULL),
                         0);
        assert_int_equal(test_rand(&seed) % 3 ? hr_vec_append_i64(&v[3], i, NULL)
                                              : hr_vec_append_null(&v[3], NULL),
                         0);
        assert_int_equal(hr_vec_append_bytes(&v[4], text, i % 500 == 7 ? 2 << 20 : 9, NULL), 0);
        for (uint64_t k = test_rand(&seed) % 4; k > 0; k--) {
            const size_t n = test_rand(&seed) % (i % 400 > 395 ? 1 << 20 : 40);
            assert_int_equal(hr_vec_append_bytes(&v[5].children[0], text, n, NULL), 0);
        }
        assert_int_equal(hr_vec_append_list_end(&v[5], NULL), 0);
        assert_int_equal(hr_vec_append_i64(&v[6].children[0], -i, NULL), 0);
        assert_int_equal(hr_vec_append_bytes(&v[6].children[1], text, (size_t)(i % 10), NULL), 0);
        assert_int_equal(hr_vec_append_struct_end(&v[6], NULL), 0);
    }
    batch->len = 1500;
    struct hr_buf file;
    write_table(schema, batch, 1500, "snappy", &file);
    const struct hr_read_params params = {.group_end = -1};
    const struct hr_format_opts opts = {0};
    struct hr_source *src = hr_source_mem("own", file.ptr, file.len, 0);
    struct hr_reader *reader;
    struct hr_batch *got;
    struct hr_error err;
    int64_t at = 0, batches = 0;
    int rc;
    assert_rc(hr_format_parquet.open(src, &opts, &params, &reader, &err), 0, &err);
    while ((rc = hr_reader_next(reader, &got, &err)) == 0) {
        for (int c = 0; c < schema->n_fields; c++) {
            struct hr_vec want;
            assert_int_equal(got->vecs[c].len, got->len);
            assert_int_equal(hr_vec_init(&want, &schema->fields[c], NULL), 0);
            assert_int_equal(hr_vec_append_range(&want, &batch->vecs[c], at, got->len, NULL), 0);
            assert_true(test_vec_equal(&got->vecs[c], &want));
            hr_vec_release(&want);
        }
        at += got->len;
        batches++;
        assert_true(hr_batch_bytes(got) < (size_t)40 << 20);
    }
    assert_rc(rc, HR_END, &err);
    assert_int_equal(at, 1500);
    assert_true(batches > 3);
    hr_reader_close(reader);
    hr_source_close(src);
    hr_buf_release(&file);
    hr_batch_free(batch);
    hr_schema_unref(schema);
    hr_free(text);
}

/* A source that remembers what it was told to fetch. */
struct told {
    struct hr_source base;
    struct hr_slice bytes;
    struct hr_range ranges[4096];
    size_t n;
    int64_t most;   /* longest hint */
    int64_t untold; /* bytes read that no hint announced, the first read (footer) apart */
    int reads;
};

static bool was_told(const struct told *t, int64_t offset) {
    for (size_t i = 0; i < t->n; i++) {
        if (offset >= t->ranges[i].offset && offset < t->ranges[i].offset + t->ranges[i].len) {
            return true;
        }
    }
    return false;
}

static int told_read_at(struct hr_source *src, int64_t offset, size_t len, uint8_t *dst,
                        struct hr_error *err) {
    struct told *t = (struct told *)(void *)src;
    (void)err;
    assert_true(offset >= 0 && (size_t)offset + len <= t->bytes.len);
    if (t->reads++ > 0 && !(was_told(t, offset) && was_told(t, offset + (int64_t)len - 1))) {
        t->untold += (int64_t)len;
    }
    memcpy(dst, t->bytes.ptr + offset, len);
    return 0;
}

static void told_hint(struct hr_source *src, const struct hr_range *ranges, size_t count) {
    struct told *t = (struct told *)(void *)src;
    for (size_t i = 0; i < count; i++) {
        assert_true(t->n < 4096 && ranges[i].offset >= 0 && ranges[i].len > 0);
        assert_true(ranges[i].offset + ranges[i].len <= (int64_t)t->bytes.len);
        t->most = ranges[i].len > t->most ? ranges[i].len : t->most;
        t->ranges[t->n++] = ranges[i];
    }
}

static const struct hr_source_ops told_ops = {.read_at = told_read_at, .hint = told_hint};

static struct told *read_told(struct hr_slice file, int64_t *rows, size_t *memory) {
    const struct hr_read_params params = {.group_end = -1};
    const struct hr_format_opts opts = {0};
    struct told *t = hr_calloc(1, sizeof(*t));
    struct hr_reader *reader;
    struct hr_batch *batch;
    struct hr_error err;
    const size_t before = hr_big_in_use();
    assert_non_null(t);
    t->base = (struct hr_source){
        .ops = &told_ops, .name = "told", .size = (int64_t)file.len, .random = true};
    t->bytes = file;
    *memory = 0;
    assert_rc(hr_format_parquet.open(&t->base, &opts, &params, &reader, &err), 0, &err);
    while (hr_reader_next(reader, &batch, &err) == 0) {
        const size_t now = hr_big_in_use() - before;
        *memory = now > *memory ? now : *memory;
    }
    *rows = reader->rows;
    hr_reader_close(reader);
    return t;
}

static struct hr_batch *random_rows(struct hr_schema *schema, int64_t n) {
    struct hr_batch *batch;
    uint64_t seed = 9;
    assert_int_equal(hr_batch_new(schema, &batch, NULL), 0);
    for (int64_t i = 0; i < n; i++) {
        uint8_t text[48];
        for (size_t k = 0; k < sizeof(text); k++) {
            text[k] = (uint8_t)('a' + test_rand(&seed) % 26);
        }
        assert_int_equal(hr_vec_append_i64(&batch->vecs[0], (int64_t)test_rand(&seed), NULL), 0);
        assert_int_equal(hr_vec_append_f64(&batch->vecs[1], (double)test_rand(&seed), NULL), 0);
        assert_int_equal(hr_vec_append_bytes(&batch->vecs[2], text, sizeof(text), NULL), 0);
    }
    batch->len = n;
    return batch;
}

/* One row group of any size needs a page and a window per column, not the row group; and every byte
 * is announced before it is read, a stretch at a time when the row group is large. */
static void test_memory_is_flat(void **state) {
    (void)state;
    struct hr_schema *schema = test_schema_of("a: int64, b: double, c: utf8");
    struct hr_batch *batch = random_rows(schema, 560000);
    struct hr_buf file;
    int64_t rows;
    size_t memory;
    write_table(schema, batch, 1 << 30, NULL, &file);
    assert_true(file.len > 33 << 20);
    struct told *t = read_told(hr_buf_slice(&file), &rows, &memory);
    printf("row group of %zu MiB: %zu KiB of buffers, %d reads, %zu hints\n", file.len >> 20,
           memory >> 10, t->reads, t->n);
    assert_int_equal(rows, 560000);
    assert_true(memory < 10 << 20);
    assert_int_equal(t->untold, 0);
    assert_true(t->most <= 4 << 20);
    hr_free(t);
    hr_buf_release(&file);
    write_table(schema, batch, 100000, NULL, &file); /* small ones: whole chunks, the next too */
    t = read_told(hr_buf_slice(&file), &rows, &memory);
    assert_int_equal(rows, 560000);
    assert_int_equal(t->untold, 0);
    assert_int_equal(t->n, 6 * 3);
    hr_free(t);
    hr_buf_release(&file);
    hr_batch_free(batch);
    hr_schema_unref(schema);
}

static void test_checksums(void **state) {
    (void)state;
    static const struct {
        const char *name;
        bool right;
    } files[] = {
        {"parquet-testing/data/datapage_v1-corrupt-checksum.parquet", false},
        {"parquet-testing/data/rle-dict-uncompressed-corrupt-checksum.parquet", false},
        {"parquet-testing/data/datapage_v1-snappy-compressed-checksum.parquet", true},
        {"parquet-testing/data/datapage_v1-uncompressed-checksum.parquet", true},
        {"parquet-testing/data/plain-dict-uncompressed-checksum.parquet", true},
        {"parquet-testing/data/rle-dict-snappy-checksum.parquet", true},
    };
    const struct hr_format_opts verify = {.parquet = {.verify_crc = true}};
    const struct hr_read_params params = {.group_end = -1};
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        const char *path = test_corpus(files[i].name);
        struct hr_buf buf;
        if (path == NULL) {
            test_skip_corpus("parquet-testing", 6);
            return;
        }
        test_read_file(path, &buf);
        struct hr_source *src = hr_source_mem(files[i].name, buf.ptr, buf.len, 0);
        struct canon_result res = canon_read(src, &verify, &params);
        if (files[i].right) {
            assert_rc(res.rc, 0, &res.err);
        } else {
            assert_int_equal(res.rc, HR_E_CORRUPT);
            assert_non_null(strstr(res.err.message, "checksum"));
        }
        hr_source_close(src);
        hr_buf_release(&buf);
    }
}

/* The schema of infer is the schema of the batches, without a page being read. */
static void test_infer(void **state) {
    (void)state;
    static const char text[] =
        "i: int32, d: decimal(50,3), t: timestamp[ms, utc], l: list<struct<a: utf8>>, "
        "m: map<utf8, int8>, u: uuid";
    struct hr_schema *schema = test_schema_of(text), *got;
    const struct test_table_conf conf = {.null_rate = 20};
    const struct hr_format_opts opts = {0};
    const struct hr_infer_params infer = {0};
    struct hr_batch *batch;
    struct hr_error err;
    struct hr_buf file;
    uint64_t seed = 3;
    assert_int_equal(hr_batch_new(schema, &batch, NULL), 0);
    test_fill_batch(batch, 50, &conf, &seed);
    write_table(schema, batch, 100, "zstd", &file);
    memset(file.ptr + 4, 0xff, 16); /* pages do not matter */
    struct hr_source *src = hr_source_mem("own", file.ptr, file.len, 0);
    assert_rc(hr_format_parquet.infer(src, &opts, &infer, &got, &err), 0, &err);
    assert_true(hr_schema_equal(schema, got));
    hr_schema_unref(got);
    hr_source_close(src);
    hr_buf_release(&file);
    hr_batch_free(batch);
    hr_schema_unref(schema);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_groups_and_rows), cmocka_unit_test(test_no_columns),
        cmocka_unit_test(test_large_strings),   cmocka_unit_test(test_memory_is_flat),
        cmocka_unit_test(test_checksums),       cmocka_unit_test(test_infer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
