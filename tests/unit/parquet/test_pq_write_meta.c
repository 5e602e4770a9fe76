/* What the Parquet writer says about its pages: statistics, page index, bloom filters, checksums,
 * encodings, read back with the decoders of the metadata and compared with the values. */
#include <math.h>
#include <stdio.h>

#include "base/hash.h"
#include "format/parquet/pq_bound.h"
#include "format/parquet/pq_meta.h"
#include "format/parquet/pq_xxh64.h"
#include "pq_round.h"

struct file {
    struct hr_buf bytes;
    struct hr_arena arena;
    struct hr_pq_file meta;
};

/* Of row groups outside a range only what the planner wants to know is kept. */
static void check_range(struct hr_slice footer, const struct hr_pq_file *whole) {
    struct hr_arena arena;
    struct hr_pq_file some;
    struct hr_error err;
    hr_arena_init(&arena, 0);
    const int64_t end = (int64_t)whole->n_groups;
    assert_rc(hr_pq_file_decode_groups(footer, end - 1, end, &arena, &some, &err), 0, &err);
    assert_int_equal(some.n_groups, whole->n_groups);
    for (int64_t i = 0; i < end; i++) {
        assert_int_equal(some.groups[i].num_rows, whole->groups[i].num_rows);
        assert_int_equal(some.groups[i].stored, whole->groups[i].stored);
        assert_true(whole->groups[i].stored > 0);
        assert_int_equal(some.groups[i].n_columns, i == end - 1 ? whole->groups[i].n_columns : 0);
    }
    hr_arena_release(&arena);
}

static void file_open(struct file *f, struct hr_batch *batch, const struct hr_write_opts *opts) {
    struct hr_error err;
    hr_buf_init(&f->bytes, (size_t)1 << 30);
    hr_arena_init(&f->arena, 0);
    assert_rc(round_write(batch->schema, &batch, 1, opts, &f->bytes, &err), 0, &err);
    const uint8_t *end = f->bytes.ptr + f->bytes.len - 8;
    const size_t len = (size_t)end[0] | (size_t)end[1] << 8 | (size_t)end[2] << 16;
    assert_true(len < f->bytes.len);
    assert_rc(hr_pq_file_decode(hr_slice_of(end - len, len), &f->arena, &f->meta, &err), 0, &err);
    check_range(hr_slice_of(end - len, len), &f->meta);
}

static void file_close(struct file *f) {
    hr_buf_release(&f->bytes);
    hr_arena_release(&f->arena);
}

static struct hr_slice part(const struct file *f, int64_t offset, int64_t len) {
    assert_true(offset > 0 && len > 0 && (size_t)(offset + len) <= f->bytes.len);
    return hr_slice_of(f->bytes.ptr + offset, (size_t)len);
}

static const struct hr_pq_column *column(const struct file *f, size_t group, size_t col) {
    return &f->meta.groups[group].columns[col];
}

static struct hr_batch *one_column(const char *type, struct hr_schema **schema) {
    char text[100];
    const char *columns[] = {text};
    struct hr_batch *batch = NULL;
    snprintf(text, sizeof(text), "c %s", type);
    *schema = test_schema(columns, 1);
    assert_int_equal(hr_batch_new(*schema, &batch, NULL), 0);
    return batch;
}

static void done(struct hr_batch *batch, struct hr_schema *schema) {
    hr_batch_free(batch);
    hr_schema_unref(schema);
}

/* ---- statistics ---- */

static void assert_bound(struct hr_slice got, const void *want, size_t len) {
    assert_int_equal(got.len, len);
    assert_memory_equal(got.ptr, want, len);
}

static void check_numbers(const char *type, const int64_t *values, size_t n, const void *min,
                          const void *max, size_t width) {
    struct hr_schema *schema;
    struct hr_batch *batch = one_column(type, &schema);
    struct hr_write_opts opts = round_options("snappy");
    struct file f;
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(hr_vec_append_i64(&batch->vecs[0], values[i], NULL), 0);
        assert_int_equal(hr_vec_append_null(&batch->vecs[0], NULL), 0);
    }
    batch->len = 2 * (int64_t)n;
    file_open(&f, batch, &opts);
    const struct hr_pq_stats *s = &column(&f, 0, 0)->stats;
    assert_true(column(&f, 0, 0)->has_stats);
    assert_int_equal(s->null_count, n);
    assert_bound(s->min_value, min, width);
    assert_bound(s->max_value, max, width);
    assert_int_equal(s->min_exact, 1);
    assert_int_equal(s->max_exact, 1);
    file_close(&f);
    done(batch, schema);
}

static void numbers_in_their_order(void **state) {
    (void)state;
    static const int64_t v[] = {5, -3, 7, -100, 100, 0};
    check_numbers("int32", v, 6, &(int32_t){-100}, &(int32_t){100}, 4);
    check_numbers("int64", v, 6, &(int64_t){-100}, &(int64_t){100}, 8);
    check_numbers("int8", v, 6, &(int32_t){-100}, &(int32_t){100}, 4);
    check_numbers("timestamp[us]", v, 6, &(int64_t){-100}, &(int64_t){100}, 8);
    check_numbers("timestamp[s]", v, 6, &(int64_t){-100000}, &(int64_t){100000}, 8);
    /* unsigned: the negative numbers are the largest */
    check_numbers("uint32", v, 6, &(int32_t){0}, &(int32_t){-3}, 4);
    check_numbers("uint64", v, 6, &(int64_t){0}, &(int64_t){-3}, 8);
    check_numbers("bool", (const int64_t[]){1, 0, 1}, 3, "\0", "\1", 1);
    check_numbers("bool", (const int64_t[]){1, 1}, 2, "\1", "\1", 1);
}

static void check_doubles(const double *v, size_t n, const double *min, const double *max) {
    struct hr_schema *schema;
    struct hr_batch *batch = one_column("double", &schema);
    struct hr_write_opts opts = round_options(NULL);
    struct file f;
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(hr_vec_append_f64(&batch->vecs[0], v[i], NULL), 0);
    }
    batch->len = (int64_t)n;
    file_open(&f, batch, &opts);
    const struct hr_pq_column *c = column(&f, 0, 0);
    if (min == NULL) {
        assert_null(c->stats.min_value.ptr);
        assert_null(c->stats.max_value.ptr);
        assert_int_equal(c->column_index_offset, -1);
    } else {
        assert_bound(c->stats.min_value, min, 8);
        assert_bound(c->stats.max_value, max, 8);
        assert_true(c->column_index_offset > 0);
    }
    file_close(&f);
    done(batch, schema);
}

static void floats_and_their_oddities(void **state) {
    (void)state;
    const double nan = (double)NAN, inf = (double)INFINITY;
    check_doubles((const double[]){3, nan, -2, nan}, 4, &(double){-2}, &(double){3});
    check_doubles((const double[]){nan, nan}, 2, NULL, NULL);
    check_doubles((const double[]){nan, 1}, 2, &(double){1}, &(double){1});
    check_doubles((const double[]){0.0, 0.0}, 2, &(double){-0.0}, &(double){0.0});
    check_doubles((const double[]){-0.0, 5}, 2, &(double){-0.0}, &(double){5});
    check_doubles((const double[]){-5, -0.0}, 2, &(double){-5}, &(double){0.0});
    check_doubles((const double[]){inf, -inf, nan}, 3, &(double){-inf}, &(double){inf});
    check_doubles((const double[]){inf}, 1, &(double){inf}, &(double){inf});
}

static void check_texts(const char *type, const char *const *texts, size_t n, const char *min,
                        bool min_exact, const char *max, bool max_exact) {
    for (int dictionary = 0; dictionary < 2; dictionary++) {
        struct hr_schema *schema;
        struct hr_batch *batch = one_column(type, &schema);
        struct hr_write_opts opts = round_options("snappy");
        struct file f;
        opts.dictionary = dictionary == 1;
        for (size_t i = 0; i < 4 * n; i++) {
            const char *text = texts[i % n];
            assert_int_equal(hr_vec_append_bytes(&batch->vecs[0], text, strlen(text), NULL), 0);
        }
        batch->len = 4 * (int64_t)n;
        file_open(&f, batch, &opts);
        const struct hr_pq_stats *s = &column(&f, 0, 0)->stats;
        assert_bound(s->min_value, min, strlen(min));
        assert_bound(s->max_value, max, strlen(max));
        assert_int_equal(s->min_exact, min_exact);
        assert_int_equal(s->max_exact, max_exact);
        file_close(&f);
        done(batch, schema);
    }
}

#define A60 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define F64                                                                                        \
    "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"     \
    "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"     \
    "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"

static void texts_are_cut(void **state) {
    (void)state;
    check_texts("utf8", (const char *const[]){"b", "", "abc", "b\x7f"}, 4, "", true, "b\x7f", true);
    check_texts("utf8", (const char *const[]){"same prefix 1", "same prefix 2", "same prefix"}, 3,
                "same prefix", true, "same prefix 2", true);
    /* 64 bytes stay whole, more are cut, the last character raised */
    check_texts("utf8", (const char *const[]){A60 "aaaa"}, 1, A60 "aaaa", true, A60 "aaaa", true);
    check_texts("utf8", (const char *const[]){A60 "aaaaa"}, 1, A60 "aaaa", false, A60 "aaab",
                false);
    /* never inside a character: é is two bytes, € three, U+1F600 four */
    check_texts("utf8", (const char *const[]){A60 "aaa\xc3\xa9zz"}, 1, A60 "aaa", false, A60 "aab",
                false);
    check_texts("utf8", (const char *const[]){A60 "a\xe2\x82\xacz"}, 1, A60 "a\xe2\x82\xac", false,
                A60 "a\xe2\x82\xad", false);
    check_texts("utf8", (const char *const[]){A60 "aaa\xf0\x9f\x98\x80"}, 1, A60 "aaa", false,
                A60 "aab", false);
    /* a character that cannot be raised in its length is dropped */
    check_texts("utf8", (const char *const[]){A60 "aaa\x7fz"}, 1, A60 "aaa\x7f", false, A60 "aab",
                false);
    check_texts("utf8", (const char *const[]){A60 "aa\xdf\xbfz"}, 1, A60 "aa\xdf\xbf", false,
                A60 "ab", false);
    check_texts("utf8", (const char *const[]){A60 "a\xed\x9f\xbfz"}, 1, A60 "a\xed\x9f\xbf", false,
                A60 "a\xee\x80\x80", false); /* past the surrogates */
    check_texts("utf8", (const char *const[]){A60 "\xf4\x8f\xbf\xbfz"}, 1, A60 "\xf4\x8f\xbf\xbf",
                false, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", false);
    /* bytes: raised by one, 0xff dropped; nothing larger exists above all 0xff */
    check_texts("binary", (const char *const[]){A60 "aa\xff\xff\xff"}, 1, A60 "aa\xff\xff", false,
                A60 "ab", false);
    check_texts("binary", (const char *const[]){F64 "a"}, 1, F64, false, F64 "a", true);
}

static void decimals_in_their_order(void **state) {
    (void)state;
    static const char *const types[] = {"decimal(9,2)", "decimal(18,2)", "decimal(38,2)"};
    static const int64_t v[] = {0, -1, 100, -1000, 99, 12345};
    for (int k = 0; k < 3; k++) {
        struct hr_schema *schema;
        struct hr_batch *batch = one_column(types[k], &schema);
        struct hr_write_opts opts = round_options(NULL);
        struct file f;
        for (int i = 0; i < 6; i++) {
            const int64_t wide[2] = {v[i], v[i] < 0 ? -1 : 0};
            assert_int_equal(hr_vec_append_bytes(&batch->vecs[0], wide, 16, NULL), 0);
        }
        batch->len = 6;
        file_open(&f, batch, &opts);
        const struct hr_pq_stats *s = &column(&f, 0, 0)->stats;
        if (k < 2) {
            assert_memory_equal(s->min_value.ptr, &(int64_t){-1000}, k == 0 ? 4 : 8);
            assert_memory_equal(s->max_value.ptr, &(int64_t){12345}, k == 0 ? 4 : 8);
        } else { /* big-endian */
            assert_int_equal(s->min_value.len, 16);
            assert_memory_equal(s->min_value.ptr + 12, "\xff\xff\xfc\x18", 4);
            assert_memory_equal(s->max_value.ptr + 12, "\x00\x00\x30\x39", 4);
        }
        file_close(&f);
        done(batch, schema);
    }
}

static const struct hr_pq_row_group *group_of(struct file *f, const char *type,
                                              enum test_values values, int nulls) {
    struct hr_schema *schema;
    struct hr_batch *batch = one_column(type, &schema);
    struct hr_write_opts opts = round_options(NULL);
    uint64_t seed = 6;
    test_fill_as(batch, 900, &seed, values, nulls);
    file_open(f, batch, &opts);
    done(batch, schema);
    return &f->meta.groups[0];
}

static void sorted_rows_are_declared(void **state) {
    (void)state;
    static const struct {
        const char *type;
        enum test_values values;
        int nulls;
        size_t sorting;
    } cases[] = {{"int64", TEST_SORTED, 0, 1}, {"int64", TEST_SORTED, 20, 0},
                 {"int64", TEST_MANY, 0, 0},   {"uint32", TEST_SORTED, 0, 1},
                 {"utf8", TEST_SORTED, 0, 0},  {"list<int64>", TEST_SORTED, 0, 0}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct file f;
        const struct hr_pq_row_group *g =
            group_of(&f, cases[i].type, cases[i].values, cases[i].nulls);
        assert_int_equal(g->n_sorting, cases[i].sorting);
        if (g->n_sorting == 1) {
            assert_int_equal(g->sorting[0].column_idx, 0);
            assert_false(g->sorting[0].descending);
        }
        file_close(&f);
    }
}

static void distinct_values_are_counted(void **state) {
    (void)state;
    struct file f;
    const struct hr_pq_row_group *g = group_of(&f, "int64", TEST_FEW, 0);
    assert_int_equal(g->columns[0].stats.distinct_count, 7);
    file_close(&f);
    g = group_of(&f, "int64", TEST_MANY, 0);
    assert_int_equal(g->columns[0].stats.distinct_count, -1);
    file_close(&f);
    g = group_of(&f, "double", TEST_FEW, 0);
    assert_int_equal(g->columns[0].stats.distinct_count, -1);
    file_close(&f);
}

/* ---- page index and pages ---- */

/* Every page lies where the indexes say, decodes, has the rows and nulls they say and, where asked,
 * a right checksum. */
static void check_pages(const struct file *f, const struct hr_pq_column *c, int64_t rows,
                        bool crc) {
    struct hr_arena arena;
    struct hr_error err;
    struct hr_pq_offset_index oi;
    struct hr_pq_column_index ci;
    hr_arena_init(&arena, 0);
    assert_rc(hr_pq_offset_index_decode(part(f, c->offset_index_offset, c->offset_index_length),
                                        &arena, &oi, &err),
              0, &err);
    assert_rc(hr_pq_column_index_decode(part(f, c->column_index_offset, c->column_index_length),
                                        &arena, &ci, &err),
              0, &err);
    assert_int_equal(ci.n_pages, oi.n_pages);
    int64_t values = 0, at = c->data_page_offset, row = 0;
    for (size_t i = 0; i < oi.n_pages; i++) {
        struct hr_pq_page_header h;
        size_t used;
        assert_int_equal(oi.pages[i].offset, at);
        assert_int_equal(oi.pages[i].first_row, row);
        const struct hr_slice page = part(f, at, oi.pages[i].compressed_size);
        assert_rc(hr_pq_page_header_decode(page, &h, &used, &err), 0, &err);
        assert_int_equal(used + (size_t)h.compressed_size, page.len);
        assert_int_equal(h.type, HR_PQ_DATA_PAGE_V2);
        assert_int_equal(h.num_nulls, ci.null_counts[i]);
        assert_int_equal(ci.null_pages[i], h.num_nulls == h.num_values);
        assert_int_equal(h.has_crc, crc);
        if (crc) {
            assert_int_equal(h.crc, hr_crc32(0, page.ptr + used, page.len - used));
        }
        values += h.num_values;
        row += h.num_rows;
        at += (int64_t)page.len;
    }
    assert_int_equal(values, c->num_values);
    assert_int_equal(row, rows);
    hr_arena_release(&arena);
}

static void pages_are_where_the_index_says(void **state) {
    (void)state;
    struct hr_schema *schema = test_schema_common();
    struct hr_batch *batch = NULL;
    struct hr_write_opts opts = round_options("snappy");
    struct file f;
    uint64_t seed = 31;
    assert_int_equal(hr_batch_new(schema, &batch, NULL), 0);
    test_fill_as(batch, 2500, &seed, TEST_MANY, 30);
    opts.page_bytes = 1500;
    opts.row_group_rows = 1000;
    for (int crc = 0; crc < 2; crc++) {
        opts.page_crc = crc == 1;
        file_open(&f, batch, &opts);
        assert_int_equal(f.meta.n_groups, 3);
        assert_int_equal(f.meta.num_rows, 2500);
        for (size_t g = 0; g < f.meta.n_groups; g++) {
            const struct hr_pq_row_group *group = &f.meta.groups[g];
            int64_t size = 0, raw = 0;
            assert_int_equal(group->ordinal, g);
            for (size_t c = 0; c < group->n_columns; c++) {
                size += group->columns[c].total_compressed_size;
                raw += group->columns[c].total_uncompressed_size;
                if (group->columns[c].column_index_offset >= 0) {
                    check_pages(&f, &group->columns[c], group->num_rows, crc == 1);
                }
            }
            assert_int_equal(group->total_compressed_size, size);
            assert_int_equal(group->total_byte_size, raw);
        }
        file_close(&f);
    }
    done(batch, schema);
}

static int boundary_order_of(enum test_values values, bool reverse) {
    struct hr_schema *schema;
    struct hr_batch *batch = one_column("int64", &schema);
    struct hr_write_opts opts = round_options(NULL);
    struct hr_arena arena;
    struct hr_error err;
    struct hr_pq_column_index ci;
    struct file f;
    uint64_t seed = 5;
    opts.page_bytes = 800;
    opts.row_group_rows = 1000;
    test_fill_as(batch, 1000, &seed, values, 20);
    for (int64_t i = 0; reverse && i < 1000; i++) {
        int64_t *v = (int64_t *)(void *)batch->vecs[0].data;
        v[i] = -v[i];
    }
    file_open(&f, batch, &opts);
    hr_arena_init(&arena, 0);
    const struct hr_pq_column *c = column(&f, 0, 0);
    assert_rc(hr_pq_column_index_decode(part(&f, c->column_index_offset, c->column_index_length),
                                        &arena, &ci, &err),
              0, &err);
    assert_true(ci.n_pages >= 10);
    const int order = ci.boundary_order;
    hr_arena_release(&arena);
    file_close(&f);
    done(batch, schema);
    return order;
}

static void boundary_orders(void **state) {
    (void)state;
    assert_int_equal(boundary_order_of(TEST_SORTED, false), HR_PQ_ASCENDING);
    assert_int_equal(boundary_order_of(TEST_SORTED, true), HR_PQ_DESCENDING);
    assert_int_equal(boundary_order_of(TEST_MANY, false), HR_PQ_UNORDERED);
}

/* ---- bloom filters ---- */

static bool bloom_has(struct hr_slice filter, const void *value, size_t len) {
    const uint64_t hash = hr_pqw_xxh64(value, len);
    const uint64_t block = (hash >> 32) * (filter.len / 32) >> 32;
    return hr_pq_bloom_block_has(filter.ptr + 32 * block, hash);
}

static void check_bloom(const char *type, enum test_values values) {
    struct hr_schema *schema;
    struct hr_batch *batch = one_column(type, &schema);
    struct hr_write_opts opts = round_options("snappy");
    struct hr_pq_bloom_header header;
    struct hr_error err;
    struct file f;
    char name[] = "c";
    char *names[] = {name};
    size_t used, wrong = 0;
    uint64_t seed = 15;
    opts.bloom_columns = (struct hr_strlist){names, 1};
    opts.row_group_rows = 100000;
    test_fill_as(batch, 8000, &seed, values, 20);
    file_open(&f, batch, &opts);
    const struct hr_pq_column *c = column(&f, 0, 0);
    struct hr_slice bytes = part(&f, c->bloom_filter_offset, c->bloom_filter_length);
    assert_rc(hr_pq_bloom_header_decode(bytes, &header, &used, &err), 0, &err);
    assert_true(header.known);
    assert_int_equal(used + (size_t)header.num_bytes, bytes.len);
    const struct hr_slice filter = hr_slice_of(bytes.ptr + used, bytes.len - used);
    const struct hr_vec *vec = &batch->vecs[0];
    for (int64_t i = 0; i < vec->len; i++) {
        const struct hr_slice v = hr_type_bytes(vec->field->type)
                                      ? hr_vec_slice(vec, i)
                                      : hr_slice_of(vec->data + 8 * i, 8);
        assert_true(!hr_vec_valid(vec, i) || bloom_has(filter, v.ptr, v.len));
    }
    for (int i = 0; i < 10000; i++) {
        const uint64_t other = test_rand(&seed);
        wrong += bloom_has(filter, &other, 8);
    }
    assert_true(wrong < 300); /* 1% were asked for */
    file_close(&f);
    done(batch, schema);
}

static void bloom_filters_know_their_values(void **state) {
    (void)state;
    check_bloom("int64", TEST_MANY);
    check_bloom("int64", TEST_FEW);
    check_bloom("utf8", TEST_MANY);
    check_bloom("utf8", TEST_SORTED);
    check_bloom("double", TEST_RUNS);
}

/* ---- encodings ---- */

static const struct hr_pq_column *encoded(struct file *f, const char *type, enum test_values values,
                                          const struct hr_write_opts *opts) {
    struct hr_schema *schema;
    struct hr_batch *batch = one_column(type, &schema);
    uint64_t seed = 77;
    test_fill_as(batch, 20000, &seed, values, 0);
    file_open(f, batch, opts);
    done(batch, schema);
    return column(f, 0, 0);
}

static void check_encoding(const char *type, enum test_values values,
                           const struct hr_write_opts *opts, int want) {
    struct file f;
    const struct hr_pq_column *c = encoded(&f, type, values, opts);
    bool found = false;
    for (size_t i = 0; i < c->n_encodings; i++) {
        found = found || c->encodings[i] == want;
    }
    if (!found) {
        fail_msg("%s, values %d: wanted %s, got %s", type, (int)values, hr_pq_encoding_name(want),
                 hr_pq_encoding_name(c->encodings[0]));
    }
    file_close(&f);
}

static void encodings_by_the_values(void **state) {
    (void)state;
    struct hr_write_opts opts = round_options("snappy");
    opts.row_group_rows = 100000;
    opts.page_bytes = 1u << 20;
    check_encoding("int64", TEST_FEW, &opts, HR_PQ_RLE_DICTIONARY);
    check_encoding("int64", TEST_RUNS, &opts, HR_PQ_RLE_DICTIONARY);
    check_encoding("int64", TEST_SORTED, &opts, HR_PQ_DELTA_BINARY_PACKED);
    check_encoding("int64", TEST_MANY, &opts, HR_PQ_PLAIN);
    check_encoding("timestamp[ms]", TEST_MANY, &opts, HR_PQ_DELTA_BINARY_PACKED);
    check_encoding("double", TEST_FEW, &opts, HR_PQ_RLE_DICTIONARY);
    check_encoding("double", TEST_MANY, &opts, HR_PQ_BYTE_STREAM_SPLIT);
    check_encoding("utf8", TEST_FEW, &opts, HR_PQ_RLE_DICTIONARY);
    check_encoding("utf8", TEST_SORTED, &opts, HR_PQ_DELTA_BYTE_ARRAY);
    check_encoding("utf8", TEST_MANY, &opts, HR_PQ_DELTA_LENGTH_BYTE_ARRAY);
    check_encoding("bool", TEST_MANY, &opts, HR_PQ_PLAIN);
    opts.dictionary = false;
    check_encoding("int64", TEST_FEW, &opts, HR_PQ_PLAIN);
    check_encoding("utf8", TEST_FEW, &opts, HR_PQ_DELTA_LENGTH_BYTE_ARRAY);
    opts.dictionary = true;
    opts.classic = true;
    check_encoding("int64", TEST_FEW, &opts, HR_PQ_RLE_DICTIONARY);
    check_encoding("timestamp[ms]", TEST_MANY, &opts, HR_PQ_PLAIN);
    check_encoding("double", TEST_MANY, &opts, HR_PQ_PLAIN);
    check_encoding("utf8", TEST_MANY, &opts, HR_PQ_PLAIN);
    opts.parquet_version = 1;
    check_encoding("int64", TEST_FEW, &opts, HR_PQ_PLAIN_DICTIONARY);
}

/* Only these two may be met in files for old readers. */
static void classic_files_hold_nothing_new(void **state) {
    (void)state;
    struct hr_schema *schema = test_schema_common();
    for (int version = 1; version <= 2; version++) {
        struct hr_batch *batch = NULL;
        struct hr_write_opts opts = round_options("snappy");
        struct file f;
        uint64_t seed = 8;
        assert_int_equal(hr_batch_new(schema, &batch, NULL), 0);
        test_fill(batch, 1500, &seed);
        opts.classic = version == 2;
        opts.parquet_version = version;
        file_open(&f, batch, &opts);
        assert_int_equal(f.meta.version, version);
        for (size_t c = 0; c < f.meta.groups[0].n_columns; c++) {
            const struct hr_pq_column *col = column(&f, 0, c);
            for (size_t i = 0; i < col->n_encodings; i++) {
                const int e = col->encodings[i];
                assert_true(e == HR_PQ_PLAIN || e == HR_PQ_RLE ||
                            e == (version == 1 ? HR_PQ_PLAIN_DICTIONARY : HR_PQ_RLE_DICTIONARY));
            }
            for (size_t i = 0; i < col->n_encoding_stats; i++) {
                assert_true(col->encoding_stats[i].page_type != HR_PQ_DATA_PAGE_V2);
            }
        }
        file_close(&f);
        hr_batch_free(batch);
    }
    hr_schema_unref(schema);
}

/* What the codec does not make smaller is left as it is, and said so. */
static void noise_is_not_compressed(void **state) {
    (void)state;
    struct hr_write_opts opts = round_options("snappy");
    struct file f;
    opts.row_group_rows = 100000;
    const struct hr_pq_column *c = encoded(&f, "int64", TEST_MANY, &opts);
    assert_int_equal(c->codec, HR_PQ_UNCOMPRESSED);
    assert_int_equal(c->total_compressed_size, c->total_uncompressed_size);
    file_close(&f);
    c = encoded(&f, "utf8", TEST_MANY, &opts);
    assert_int_equal(c->codec, HR_PQ_SNAPPY);
    assert_true(c->total_compressed_size < c->total_uncompressed_size);
    file_close(&f);
}

/* list<utf8>: [a, null], null, [], [bcd] */
static void sizes_and_levels_are_counted(void **state) {
    (void)state;
    struct hr_schema *schema;
    struct hr_batch *batch = one_column("list<utf8>", &schema);
    struct hr_write_opts opts = round_options("snappy");
    struct hr_vec *list = &batch->vecs[0];
    struct file f;
    assert_int_equal(hr_vec_append_bytes(&list->children[0], "a", 1, NULL), 0);
    assert_int_equal(hr_vec_append_null(&list->children[0], NULL), 0);
    assert_int_equal(hr_vec_append_list_end(list, NULL), 0);
    assert_int_equal(hr_vec_append_null(list, NULL), 0);
    assert_int_equal(hr_vec_append_list_end(list, NULL), 0);
    assert_int_equal(hr_vec_append_bytes(&list->children[0], "bcd", 3, NULL), 0);
    assert_int_equal(hr_vec_append_list_end(list, NULL), 0);
    batch->len = 4;
    file_open(&f, batch, &opts);
    const struct hr_pq_size_stats *s = &column(&f, 0, 0)->sizes;
    static const int64_t reps[] = {4, 1}, defs[] = {1, 1, 1, 2};
    assert_int_equal(s->bytes, 4);
    assert_int_equal(s->n_reps, 2);
    assert_int_equal(s->n_defs, 4);
    assert_memory_equal(s->reps, reps, sizeof(reps));
    assert_memory_equal(s->defs, defs, sizeof(defs));
    file_close(&f);
    done(batch, schema);
}

static void the_footer_names_its_writer(void **state) {
    (void)state;
    struct hr_write_opts opts = round_options(NULL);
    struct file f;
    encoded(&f, "int64", TEST_FEW, &opts);
    char text[100] = "";
    memcpy(text, f.meta.created_by.ptr, f.meta.created_by.len);
    int major, minor, patch, len = 0;
    sscanf(text, "headrace version %d.%d.%d (build %*[^)])%n", &major, &minor, &patch, &len);
    assert_int_equal(len, strlen(text));
    assert_int_equal(f.meta.n_column_orders, 1);
    assert_int_equal(f.meta.column_orders[0], HR_PQ_ORDER_TYPE);
    assert_int_equal(f.meta.n_key_values, 1);
    assert_true(hr_slice_eq_str(f.meta.key_values[0].key, "ARROW:schema"));
    file_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_in_their_order),
        cmocka_unit_test(floats_and_their_oddities),
        cmocka_unit_test(texts_are_cut),
        cmocka_unit_test(decimals_in_their_order),
        cmocka_unit_test(sorted_rows_are_declared),
        cmocka_unit_test(distinct_values_are_counted),
        cmocka_unit_test(pages_are_where_the_index_says),
        cmocka_unit_test(boundary_orders),
        cmocka_unit_test(bloom_filters_know_their_values),
        cmocka_unit_test(encodings_by_the_values),
        cmocka_unit_test(classic_files_hold_nothing_new),
        cmocka_unit_test(noise_is_not_compressed),
        cmocka_unit_test(sizes_and_levels_are_counted),
        cmocka_unit_test(the_footer_names_its_writer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
