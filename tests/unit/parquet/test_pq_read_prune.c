/* Pruning never loses a row: random filters read with and without it keep the same rows; and it
 * does prune: sorted columns, bloom filters and page indexes let most bytes be. */
#include <math.h>

#include "pq_canon.h"
#include "table_support.h"
#include "transform/filter.h"

/* ---- a source that counts ---------------------------------------------------------------------
 */

struct counting {
    struct hr_source base;
    struct hr_slice bytes;
    int64_t read;
};

static int counting_read_at(struct hr_source *src, int64_t offset, size_t len, uint8_t *dst,
                            struct hr_error *err) {
    struct counting *c = (struct counting *)(void *)src;
    if (offset < 0 || len > c->bytes.len || (size_t)offset > c->bytes.len - len) {
        return hr_fail(err, HR_E_CORRUPT, "read beyond the end");
    }
    memcpy(dst, c->bytes.ptr + offset, len);
    c->read += (int64_t)len;
    return 0;
}

static void counting_close(struct hr_source *src) {
    (void)src;
}

static const struct hr_source_ops counting_ops = {.read_at = counting_read_at,
                                                  .close = counting_close};

/* ---- reading with a filter --------------------------------------------------------------------
 */

struct kept {
    int rc;
    int64_t rows_read, rows_kept, bytes;
    char sha256[65];
    struct hr_error err;
};

static struct kept read_filtered(struct hr_slice file, struct hr_filter *filter, bool prune,
                                 int64_t batch_rows) {
    const struct hr_format_opts opts = {0};
    const struct hr_read_params params = {
        .group_end = -1, .batch_rows = batch_rows, .prune = prune ? hr_filter_prune(filter) : NULL};
    struct counting src = {.base = {.ops = &counting_ops,
                                    .name = "counted.parquet",
                                    .size = (int64_t)file.len,
                                    .random = true},
                           .bytes = file};
    struct kept res = {0};
    struct hr_reader *reader = NULL;
    struct hr_bound_filter *bound = NULL;
    struct hr_batch *batch;
    struct hr_buf text;
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    EVP_DigestInit_ex(md, EVP_sha256(), NULL);
    hr_buf_init(&text, (size_t)1 << 30);
    res.rc = hr_format_parquet.open(&src.base, &opts, &params, &reader, &res.err);
    if (res.rc == 0) {
        res.rc = hr_filter_bind(filter, reader->schema, &bound, &res.err);
    }
    while (res.rc == 0 && (res.rc = hr_reader_next(reader, &batch, &res.err)) == 0) {
        uint8_t keep[8192 / 8 + HR_PAD];
        int64_t n = 0;
        assert_true(batch->len <= 8192);
        res.rc = hr_bound_filter_run(bound, batch->vecs, batch->len, keep, &n, &res.err);
        res.rows_read += batch->len;
        hr_buf_clear(&text);
        for (int64_t i = 0; i < batch->len; i++) {
            if (hr_bit_get(keep, i)) {
                canon_row(batch, i, &text);
                res.rows_kept++;
            }
        }
        EVP_DigestUpdate(md, text.ptr, text.len);
    }
    res.rc = res.rc == HR_END ? 0 : res.rc;
    res.bytes = src.read;
    canon_sha(md, res.sha256);
    hr_reader_close(reader);
    hr_bound_filter_free(bound);
    hr_buf_release(&text);
    EVP_MD_CTX_free(md);
    return res;
}

/* ---- random filters ---------------------------------------------------------------------------
 */

static bool filterable(struct hr_type t) {
    return !hr_type_nested(t) && t.id != HR_T_FIXED && t.id != HR_T_DEC256 && t.id != HR_T_NULL &&
           t.id != HR_T_BINARY;
}

static void add_literal(const struct hr_vec *vec, int64_t row, struct hr_buf *out) {
    struct hr_buf value;
    hr_buf_init(&value, 1 << 20);
    assert_int_equal(hr_vec_text(vec, row, &value, NULL), 0);
    hr_buf_append_byte(out, '\'', NULL);
    for (size_t i = 0; i < value.len; i++) {
        hr_buf_append_str(out, value.ptr[i] == '\'' ? "'" : "", NULL);
        hr_buf_append_byte(out, value.ptr[i], NULL);
    }
    hr_buf_append_byte(out, '\'', NULL);
    hr_buf_release(&value);
}

/* One term about a random column, its literals taken from random rows. False: nothing to compare.
 */
static bool add_term(const struct hr_batch *rows, uint64_t *seed, struct hr_buf *out) {
    static const char *const ops[] = {"=", "!=", "<", "<=", ">", ">=", "=", "="};
    const int column = (int)(test_rand(seed) % (uint64_t)rows->schema->n_fields);
    const struct hr_vec *vec = &rows->vecs[column];
    const int64_t a = (int64_t)(test_rand(seed) % (uint64_t)rows->len);
    const int64_t b = (int64_t)(test_rand(seed) % (uint64_t)rows->len);
    if (!filterable(vec->field->type)) {
        return false;
    }
    hr_buf_printf(out, NULL, "\"%s\" ", vec->field->name);
    if (!hr_vec_valid(vec, a) || !hr_vec_valid(vec, b) || test_rand(seed) % 12 == 0) {
        hr_buf_append_str(out, test_rand(seed) % 2 ? "is null" : "is not null", NULL);
        return true;
    }
    switch (test_rand(seed) % 3) {
    case 0:
        hr_buf_append_str(out, "between ", NULL);
        add_literal(vec, a, out);
        hr_buf_append_str(out, " and ", NULL);
        add_literal(vec, b, out);
        break;
    case 1:
        hr_buf_append_str(out, test_rand(seed) % 3 ? "in (" : "not in (", NULL);
        add_literal(vec, a, out);
        hr_buf_append_str(out, ", ", NULL);
        add_literal(vec, b, out);
        hr_buf_append_str(out, ")", NULL);
        break;
    default:
        hr_buf_printf(out, NULL, "%s ", ops[test_rand(seed) % 8]);
        add_literal(vec, a, out);
        break;
    }
    return true;
}

static struct hr_filter *random_filter(const struct hr_batch *rows, uint64_t *seed,
                                       struct hr_buf *text) {
    struct hr_filter *filter = NULL;
    hr_buf_clear(text);
    const int terms = 1 + (int)(test_rand(seed) % 3);
    for (int i = 0; i < terms; i++) {
        const size_t mark = text->len;
        hr_buf_append_str(text, i == 0 ? "" : test_rand(seed) % 2 ? " and " : " or ", NULL);
        if (!add_term(rows, seed, text)) {
            text->len = mark;
        }
    }
    hr_buf_append_byte(text, 0, NULL);
    if (text->len < 4 || strncmp((char *)text->ptr, " and", 4) == 0 ||
        strncmp((char *)text->ptr, " or ", 4) == 0) {
        return NULL;
    }
    return hr_filter_parse((char *)text->ptr, &filter, NULL) == 0 ? filter : NULL;
}

struct tally {
    int filters;
    int64_t rows_full, rows_pruned, bytes_full, bytes_pruned;
};

static void check_filters(const char *name, struct hr_slice file, const struct hr_batch *rows,
                          int rounds, uint64_t *seed, struct tally *t) {
    struct hr_buf text;
    hr_buf_init(&text, 1 << 20);
    for (int i = 0; i < rounds; i++) {
        struct hr_filter *filter = random_filter(rows, seed, &text);
        if (filter == NULL) {
            continue;
        }
        const struct kept full = read_filtered(file, filter, false, 0);
        const struct kept some = read_filtered(file, filter, true, i % 2 ? 100 : 0);
        if (full.rc == 0 && (some.rc != 0 || strcmp(full.sha256, some.sha256) != 0)) {
            fail_msg("%s, filter %s: %lld rows kept in full, %lld when pruned (rc %d %s)", name,
                     (char *)text.ptr, (long long)full.rows_kept, (long long)some.rows_kept,
                     some.rc, some.rc < 0 ? some.err.message : "");
        }
        if (full.rc == 0) {
            t->filters++;
            t->rows_full += full.rows_read;
            t->rows_pruned += some.rows_read;
            t->bytes_full += full.bytes;
            t->bytes_pruned += some.bytes;
        }
        hr_filter_free(filter);
    }
    hr_buf_release(&text);
}

/* ---- a table of our own -----------------------------------------------------------------------
 */

static struct hr_batch *sample_table(struct hr_schema *schema, int64_t n) {
    struct hr_batch *batch;
    struct hr_vec *v;
    uint64_t seed = 4711;
    assert_int_equal(hr_batch_new(schema, &batch, NULL), 0);
    v = batch->vecs;
    for (int64_t i = 0; i < n; i++) {
        char text[64];
        const int64_t r = (int64_t)(test_rand(&seed) % 1000);
        assert_int_equal(hr_vec_append_i64(&v[0], i * 3, NULL), 0); /* sorted */
        assert_int_equal(hr_vec_append_i64(&v[1], r - 500, NULL), 0);
        if (i / 700 % 3 == 1 || r % 5 == 0) { /* stretches of nulls */
            assert_int_equal(hr_vec_append_null(&v[2], NULL), 0);
        } else {
            assert_int_equal(hr_vec_append_i64(&v[2], i / 100, NULL), 0);
        }
        int len = snprintf(text, sizeof(text), "key-%06d", (int)i);
        assert_int_equal(hr_vec_append_bytes(&v[3], text, (size_t)len, NULL), 0);
        len = snprintf(text, sizeof(text), "%d of many", (int)(r * r % 7919));
        assert_int_equal(hr_vec_append_bytes(&v[4], text, (size_t)len, NULL), 0);
        const double d = r % 97 == 0 ? (double)NAN : r % 50 == 0 ? -0.0 : (double)(i - n / 2) / 8;
        assert_int_equal(hr_vec_append_f64(&v[5], d, NULL), 0);
        const hr_i128 dec = (hr_i128)(i - 100) * 1000003;
        assert_int_equal(hr_vec_append_bytes(&v[6], &dec, 16, NULL), 0);
        assert_int_equal(hr_vec_append_i64(&v[7], 18000 + i / 40, NULL), 0);
        assert_int_equal(hr_vec_append_i64(&v[8], 1700000000000000 + i * 1000003, NULL), 0);
        assert_int_equal(hr_vec_append_i64(&v[9], i / 1000 % 2, NULL), 0);
        assert_int_equal(hr_vec_append_i64(&v[10], (int64_t)(uint32_t)(i * 800000), NULL), 0);
        for (int64_t k = 0; k < r % 4; k++) {
            assert_int_equal(hr_vec_append_i64(&v[11].children[0], i + k, NULL), 0);
        }
        assert_int_equal(hr_vec_append_list_end(&v[11], NULL), 0);
    }
    batch->len = n;
    return batch;
}

static void write_sample(struct hr_schema *schema, struct hr_batch *batch, bool index,
                         struct hr_buf *out) {
    struct hr_write_opts w;
    char *bloom[] = {(char *)(uintptr_t) "few", (char *)(uintptr_t) "rand"};
    hr_write_opts_init(&w);
    w.row_group_rows = 2000;
    w.page_bytes = 1024;
    w.page_index = index;
    w.codec = hr_codec_by_name("snappy", 6);
    w.bloom_columns = (struct hr_strlist){bloom, 2};
    test_write_file_of(&hr_format_parquet, schema, &w, &batch, 1, out);
}

static const char columns[] =
    "id: int64, rand: int32, part: int64, key: utf8, few: utf8, dbl: double, dec: decimal(20,3), "
    "day: date, at: timestamp[us, utc], flag: bool, unsigned: uint32, list: list<int64>";

static void test_own_table(void **state) {
    (void)state;
    struct hr_schema *schema = test_schema_of(columns);
    struct hr_batch *batch = sample_table(schema, 9000);
    for (int index = 0; index < 2; index++) {
        struct hr_buf file;
        struct tally t = {0};
        uint64_t seed = 99;
        write_sample(schema, batch, index == 1, &file);
        check_filters("own", hr_buf_slice(&file), batch, 80, &seed, &t);
        printf("own table, page index %d: %d filters, rows %lld -> %lld, bytes %lld -> %lld\n",
               index, t.filters, (long long)t.rows_full, (long long)t.rows_pruned,
               (long long)t.bytes_full, (long long)t.bytes_pruned);
        assert_true(t.filters > 50);
        assert_true(t.rows_pruned * 10 < t.rows_full * 9);
        hr_buf_release(&file);
    }
    hr_batch_free(batch);
    hr_schema_unref(schema);
}

static struct kept read_text(struct hr_slice file, const char *text, bool prune) {
    struct hr_filter *filter;
    struct hr_error err;
    assert_rc(hr_filter_parse(text, &filter, &err), 0, &err);
    struct kept res = read_filtered(file, filter, prune, 0);
    assert_rc(res.rc, 0, &res.err);
    hr_filter_free(filter);
    return res;
}

/* What must not be read. */
static void test_reads_little(void **state) {
    (void)state;
    struct hr_schema *schema = test_schema_of(columns);
    struct hr_batch *batch = sample_table(schema, 9000);
    struct hr_buf buf;
    write_sample(schema, batch, true, &buf);
    const struct hr_slice file = hr_buf_slice(&buf);
    const struct kept full = read_text(file, "id between 15000 and 15030", false);
    const struct kept some = read_text(file, "id between 15000 and 15030", true);
    assert_int_equal(full.rows_kept, 11);
    assert_int_equal(some.rows_kept, 11);
    assert_true(some.rows_read < 2000); /* pages, not only row groups */
    assert_true(some.bytes - 65536 < (full.bytes - 65536) / 3);
    /* Equality on a value inside the range of every group: only the bloom filter knows. */
    const struct kept none = read_text(file, "few = '5000 of many'", true);
    assert_int_equal(none.rows_kept, 0);
    assert_int_equal(none.rows_read, 0);
    assert_int_equal(read_text(file, "id < 0 or id > 26997", true).rows_read, 0);
    assert_int_equal(read_text(file, "part is null and part is not null", false).rows_kept, 0);
    assert_int_equal(read_text(file, "id is null", true).rows_read, 0);
    hr_buf_release(&buf);
    hr_batch_free(batch);
    hr_schema_unref(schema);
}

/* ---- the corpus -------------------------------------------------------------------------------
 */

static struct hr_batch *read_rows(struct hr_slice file) {
    const struct hr_format_opts opts = {0};
    const struct hr_read_params params = {.group_end = -1, .cell_max = 1 << 20};
    struct hr_source *src = hr_source_mem("corpus.parquet", file.ptr, file.len, 0);
    struct hr_reader *reader = NULL;
    struct hr_batch *batch = NULL, *copy = NULL;
    if (hr_format_parquet.open(src, &opts, &params, &reader, NULL) == 0 &&
        hr_reader_next(reader, &batch, NULL) == 0 &&
        hr_batch_new(reader->schema, &copy, NULL) == 0) {
        for (int i = 0; i < batch->schema->n_fields; i++) {
            assert_int_equal(
                hr_vec_append_range(&copy->vecs[i], &batch->vecs[i], 0, batch->len, NULL), 0);
        }
        copy->len = batch->len;
    }
    hr_reader_close(reader);
    hr_source_close(src);
    return copy;
}

static void corpus_file(const char *path, void *user) {
    struct tally *t = user;
    struct hr_buf buf;
    uint64_t seed = 5;
    /* In the corrupt files pages were changed behind the back of their statistics. */
    if (strstr(path, ".parquet") == NULL || strstr(path, "large_string_map") != NULL ||
        strstr(path, "corrupt") != NULL) {
        return;
    }
    test_read_file(path, &buf);
    struct hr_batch *rows = read_rows(hr_buf_slice(&buf));
    if (rows != NULL) {
        check_filters(path, hr_buf_slice(&buf), rows, buf.len < 20000 ? 40 : 4, &seed, t);
    }
    hr_batch_free(rows);
    hr_buf_release(&buf);
}

static void test_corpus_filters(void **state) {
    (void)state;
    struct tally t = {0};
    char path[1024];
    const char *dir = test_corpus("parquet-testing/data");
    if (dir == NULL) {
        test_skip_corpus("parquet-testing", 70);
        return;
    }
    snprintf(path, sizeof(path), "%s", dir);
    test_each_file(path, corpus_file, &t);
    printf("corpus: %d filters, rows %lld -> %lld\n", t.filters, (long long)t.rows_full,
           (long long)t.rows_pruned);
    assert_true(t.filters > 500);
    assert_true(t.rows_pruned < t.rows_full);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own_table),
        cmocka_unit_test(test_reads_little),
        cmocka_unit_test(test_corpus_filters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
