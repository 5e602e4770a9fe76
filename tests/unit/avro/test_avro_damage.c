/* tests/unit/avro/test_avro_damage.c - damaged Avro files: cut at every byte, flipped, and written
 * to deceive. An error or a right prefix, in bounded memory; never a crash, never other rows. */
#include "support.h"

#include <stdio.h>

#include "format/format.h"
#include "tables.h"

/* Read everything; the rows so far stay in *all (NULL: nothing was opened). */
static int read_all(struct hr_slice bytes, struct hr_batch **all, struct hr_error *err) {
    struct hr_reader *reader = NULL;
    struct hr_batch *batch;
    *all = NULL;
    hr_error_clear(err);
    struct hr_source *src = hr_source_mem("t.avro", bytes.ptr, bytes.len, 5000);
    assert_non_null(src);
    const struct hr_read_params params = {.split_end = -1, .batch_rows = 10};
    int rc = hr_format_avro.open(src, NULL, &params, &reader, err);
    if (rc == 0) {
        assert_int_equal(hr_batch_new(reader->schema, all, NULL), 0);
    }
    while (rc == 0) {
        rc = hr_reader_next(reader, &batch, err);
        for (int c = 0; rc == 0 && c < batch->schema->n_fields; c++) {
            assert_int_equal(
                hr_vec_append_range(&(*all)->vecs[c], &batch->vecs[c], 0, batch->len, NULL), 0);
        }
        (*all)->len += rc == 0 ? batch->len : 0;
    }
    hr_reader_close(reader);
    hr_source_close(src);
    if (rc < 0) {
        assert_int_equal(err->code, rc);
        assert_non_null(strstr(err->message, "t.avro"));
    }
    return rc;
}

static const char *const files[] = {
    "tests/data/avro/types.avro", "tests/data/avro/types.snappy.avro",
    "tests/data/avro/types.deflate.avro", "tests/data/avro/types.zstandard.avro",
    "tests/data/avro/types.bzip2.avro"};

static void assert_prefix(const struct hr_batch *whole, const struct hr_batch *part) {
    assert_true(part->len <= whole->len);
    struct hr_batch *same = test_slice(whole, 0, part->len);
    test_assert_same(same, part);
    hr_batch_free(same);
}

static void test_cut_at_every_byte(void **state) {
    (void)state;
    for (size_t f = 0; f < sizeof(files) / sizeof(files[0]); f++) {
        struct hr_buf bytes;
        struct hr_error err;
        struct hr_batch *whole, *part;
        int ends = 0;
        test_read_file(files[f], &bytes);
        assert_rc(read_all(hr_buf_slice(&bytes), &whole, &err), HR_END, &err);
        assert_int_equal(whole->len, 40);
        for (size_t len = 0; len < bytes.len; len += f == 0 ? 1 : 5) {
            int rc = read_all(hr_slice_of(bytes.ptr, len), &part, &err);
            if (part != NULL) {
                assert_prefix(whole, part);
            }
            /* Only a cut between two blocks leaves a whole file; nothing in the format tells. */
            assert_true(rc == HR_E_CORRUPT || rc == HR_END);
            ends += rc == HR_END;
            hr_batch_free(part);
        }
        assert_true(ends <= 8);
        hr_batch_free(whole);
        hr_buf_release(&bytes);
    }
}

static void test_flips(void **state) {
    (void)state;
    for (size_t f = 0; f < sizeof(files) / sizeof(files[0]); f++) {
        struct hr_buf bytes;
        struct hr_error err;
        struct hr_batch *part;
        uint64_t seed = f + 1;
        int refused = 0;
        test_read_file(files[f], &bytes);
        for (int i = 0; i < 1500; i++) {
            size_t at = (size_t)test_rand(&seed) % bytes.len;
            uint8_t bit = (uint8_t)(1u << (test_rand(&seed) % 8));
            bytes.ptr[at] ^= bit;
            int rc = read_all(hr_buf_slice(&bytes), &part, &err);
            assert_true(rc == HR_END || (rc < 0 && rc != HR_E_INTERNAL && rc != HR_E_NOMEM));
            refused += rc < 0;
            hr_batch_free(part);
            bytes.ptr[at] ^= bit;
        }
        assert_true(refused > 150);
        hr_buf_release(&bytes);
    }
}

/* ---- files made to deceive ---- */

static void put_long(struct hr_buf *buf, int64_t v) {
    uint64_t z = ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
    while (z >= 0x80) {
        assert_int_equal(hr_buf_append_byte(buf, (uint8_t)(z | 0x80), NULL), 0);
        z >>= 7;
    }
    assert_int_equal(hr_buf_append_byte(buf, (uint8_t)z, NULL), 0);
}

static void put_text(struct hr_buf *buf, const char *text) {
    put_long(buf, (int64_t)strlen(text));
    assert_int_equal(hr_buf_append_str(buf, text, NULL), 0);
}

static const char sync_marker[] = "0123456789abcdef";

static void begin_file(struct hr_buf *buf, const char *schema) {
    hr_buf_init(buf, 0);
    assert_int_equal(hr_buf_append(buf, "Obj\1", 4, NULL), 0);
    put_long(buf, 1);
    put_text(buf, "avro.schema");
    put_text(buf, schema);
    put_long(buf, 0);
    assert_int_equal(hr_buf_append(buf, sync_marker, 16, NULL), 0);
}

static void add_block(struct hr_buf *buf, int64_t rows, const void *data, size_t len) {
    put_long(buf, rows);
    put_long(buf, (int64_t)len);
    assert_int_equal(hr_buf_append(buf, data, len, NULL), 0);
    assert_int_equal(hr_buf_append(buf, sync_marker, 16, NULL), 0);
}

/* One block of `rows` rows with these bytes under the schema: what comes of it. */
static int one_block(const char *schema, int64_t rows, const void *data, size_t len,
                     struct hr_error *err, int64_t *out_rows) {
    struct hr_buf file;
    struct hr_batch *got;
    begin_file(&file, schema);
    add_block(&file, rows, data, len);
    int rc = read_all(hr_buf_slice(&file), &got, err);
    *out_rows = got != NULL ? got->len : -1;
    hr_batch_free(got);
    hr_buf_release(&file);
    return rc;
}

#define ARRAY_OF(type) "{\"type\":\"array\",\"items\":" type "}"

static void test_deceit(void **state) {
    (void)state;
    static const struct {
        const char *schema;
        int64_t rows;
        const char *data;
        size_t len;
        int code;
        const char *word;
    } cases[] = {
        {"\"int\"", 2, "\2", 1, HR_E_CORRUPT, "more rows than its bytes"},
        {"\"int\"", 1, "\2\4", 2, HR_E_CORRUPT, "more bytes than its rows"},
        {"\"int\"", 1, "\x80", 1, HR_E_CORRUPT, "beyond the end"},
        {"\"int\"", 1, "\x80\x80\x80\x80\x10", 5, HR_E_CORRUPT, "out of the range of an int"},
        {"\"long\"", 1, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10, HR_E_CORRUPT, "64 bits"},
        {"\"long\"", 1, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11, HR_E_CORRUPT,
         "64 bits"},
        {"\"boolean\"", 1, "\2", 1, HR_E_CORRUPT, "for a boolean"},
        {"\"double\"", 1, "1234567", 7, HR_E_CORRUPT, "more rows"},
        {"[\"null\",\"double\"]", 1, "\0021234567", 8, HR_E_CORRUPT, "beyond the end"},
        {"[\"null\",\"double\"]", 1, "\4", 1, HR_E_CORRUPT, "branch 2 of a union"},
        {"[\"null\",\"double\"]", 1, "\1", 1, HR_E_CORRUPT, "branch -1 of a union"},
        {"[\"int\"]", 1, "\1\0", 2, HR_E_CORRUPT, "branch -1 of a union"},
        {"[\"int\",\"string\"]", 1, "\4\0", 2, HR_E_CORRUPT, "branch 2 of a union"},
        {"\"string\"", 1, "\x14xyz", 4, HR_E_CORRUPT, "a length of 10 bytes where 3 remain"},
        {"\"string\"", 1, "\1", 1, HR_E_CORRUPT, "negative"},
        {"\"bytes\"", 1, "\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10, HR_E_CORRUPT, "remain"},
        {"\"string\"", 2, "\2\xc3\2\xa9", 4, HR_E_CORRUPT, "not valid UTF-8"},
        {"\"string\"", 1, "\4\xff\xfe", 3, HR_E_CORRUPT, "not valid UTF-8"},
        {"{\"type\":\"map\",\"values\":\"int\"}", 1, "\2\2\xff\2\0", 5, HR_E_CORRUPT, "UTF-8"},
        {"{\"type\":\"enum\",\"name\":\"e\",\"symbols\":[\"a\"]}", 1, "\2", 1, HR_E_CORRUPT,
         "symbol 1"},
        {"{\"type\":\"enum\",\"name\":\"e\",\"symbols\":[\"a\"]}", 1, "\1", 1, HR_E_CORRUPT,
         "symbol -1"},
        {ARRAY_OF("\"int\""), 1, "\xc8\1\2", 3, HR_E_CORRUPT, "100 items where 1 bytes"},
        {ARRAY_OF("\"int\""), 1, "\2\4", 2, HR_E_CORRUPT, "beyond the end"},
        {ARRAY_OF("\"int\""), 1, "\1\x64\2\0", 4, HR_E_CORRUPT, "a length of 50 bytes"},
        {ARRAY_OF("\"int\""), 1, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\1", 10, HR_E_CORRUPT,
         "out of range"},
        {ARRAY_OF("\"null\""), 1, "\xfe\xff\xff\xff\xff\x0f\0", 7, HR_E_BOUND, "take no bytes"},
        {"\"null\"", (int64_t)1 << 40, "", 0, HR_E_CORRUPT, "more rows"},
        {"{\"type\":\"record\",\"name\":\"r\",\"fields\":[]}", (int64_t)1 << 62, "", 0,
         HR_E_CORRUPT, "more rows"},
        {"{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":2}", 1, "\2\x64", 2,
         HR_E_CORRUPT, "more digits"},
        {"{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":38}", 1,
         "\x22\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 18, HR_E_CORRUPT, "more digits"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hr_error err;
        int64_t rows;
        int rc =
            one_block(cases[i].schema, cases[i].rows, cases[i].data, cases[i].len, &err, &rows);
        if (rc != cases[i].code || strstr(err.message, cases[i].word) == NULL) {
            fail_msg("case %zu: %d %s", i, rc, err.message);
        }
    }
}

/* What is unusual but right. */
static void test_odd_but_right(void **state) {
    (void)state;
    static const struct {
        const char *schema;
        int64_t rows;
        const char *data;
        size_t len;
    } cases[] = {
        {ARRAY_OF("\"int\""), 2, "\3\4\2\4\2\6\0\0", 8}, /* runs with their length, several runs */
        {ARRAY_OF("\"null\""), 1, "\xc8\1\0", 3},
        {"\"null\"", 1000, "", 0},
        {"\"int\"", 0, "", 0},
        {"\"long\"", 1, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\1", 10},
        {"{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":2}", 3, "\0\2\xff\6\0\0\5",
         7},
        {"\"string\"", 1, "\4\xc3\xa9", 3},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hr_error err;
        int64_t rows;
        int rc =
            one_block(cases[i].schema, cases[i].rows, cases[i].data, cases[i].len, &err, &rows);
        assert_rc(rc, HR_END, &err);
        assert_int_equal(rows, cases[i].rows);
    }
}

/* An error says where: object, block, row and column. */
static void test_messages(void **state) {
    (void)state;
    struct hr_error err;
    struct hr_batch *got;
    struct hr_buf file;
    begin_file(&file,
               "{\"type\":\"record\",\"name\":\"r\",\"fields\":[{\"name\":\"a\",\"type\":\"int\"},"
               "{\"name\":\"b\",\"type\":\"string\"}]}");
    add_block(&file, 2, "\2\2x\4\2y", 6);
    int64_t second = (int64_t)file.len;
    add_block(&file, 2, "\2\2x\4\x40y", 6);
    assert_int_equal(read_all(hr_buf_slice(&file), &got, &err), HR_E_CORRUPT);
    char want[200];
    snprintf(
        want, sizeof(want),
        "could not read 't.avro': row 2 of the block at byte %lld: a length of 32 bytes where 1 "
        "remain",
        (long long)second);
    assert_string_equal(err.message, want);
    assert_string_equal(err.column, "b");
    assert_string_equal(err.object, "t.avro");
    assert_int_equal(err.byte_offset, second);
    hr_batch_free(got);
    file.len -= 5;
    assert_int_equal(read_all(hr_buf_slice(&file), &got, &err), HR_E_CORRUPT);
    assert_non_null(strstr(err.hint, "truncated"));
    hr_batch_free(got);
    hr_buf_release(&file);
}

/* The corpus, cut and flipped. */
static void damage_file(const char *path, void *user) {
    int *count = user;
    size_t n = strlen(path);
    if (n < 5 || strcmp(path + n - 5, ".avro") != 0) {
        return;
    }
    struct hr_buf bytes;
    struct hr_error err;
    struct hr_batch *part;
    uint64_t seed = n;
    test_read_file(path, &bytes);
    for (int i = 0; i < 100; i++) {
        read_all(hr_slice_of(bytes.ptr, bytes.len * (size_t)i / 100), &part, &err);
        hr_batch_free(part);
        size_t at = (size_t)test_rand(&seed) % bytes.len;
        uint8_t byte = bytes.ptr[at];
        bytes.ptr[at] = (uint8_t)test_rand(&seed);
        read_all(hr_buf_slice(&bytes), &part, &err);
        hr_batch_free(part);
        bytes.ptr[at] = byte;
        (*count)++;
    }
    hr_buf_release(&bytes);
}

static void test_corpus_damaged(void **state) {
    (void)state;
    const char *dir = test_corpus("avro-interop");
    if (dir == NULL) {
        test_skip_corpus("avro-interop", 14);
        return;
    }
    char copy[4096];
    int count = 0;
    snprintf(copy, sizeof(copy), "%s", dir);
    test_each_file(copy, damage_file, &count);
    assert_int_equal(count, 1400);
}

static int teardown(void **state) {
    (void)state;
    hr_codec_thread_release();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cut_at_every_byte),
        cmocka_unit_test(test_flips),
        cmocka_unit_test(test_deceit),
        cmocka_unit_test(test_odd_but_right),
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_corpus_damaged),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
