/* tests/unit/json/test_json_writer - generated tables of all types written and read back equal,
 * rows as hr_vec_json gives them, blocks cut by rows alone, whole files with every codec. */
#include "base/num.h"
#include "format/json/json_render.h"
#include "json_test.h"

static uint64_t pick(uint64_t *seed, uint64_t n) {
    return test_rand(seed) % n;
}

static const char all_types[] =
    "n: null, b: bool, i8: int8, i16: int16, i32: int32, i64: int64, u8: uint8, u16: uint16, "
    "u32: uint32, u64: uint64, f: float, d: double, dec: decimal(20,4), wide: decimal(60,10), "
    "s: utf8, @j: utf8, bin: binary, date: date, t: time[us], ts: timestamp[us], "
    "tz: timestamp[ns, utc], l: list<int64>, st: struct<x: utf8, y: list<struct<z: double>>>, "
    "m: map<utf8, int32>, mi: map<int64, list<utf8>>";

static void append_text(struct hr_vec *vec, uint64_t *seed) {
    static const char *const parts[] = {"a",
                                        "\"",
                                        "\\",
                                        "\n",
                                        "\x01",
                                        "\x7f",
                                        "/",
                                        " ",
                                        "\xc3\xa9",
                                        "\xf0\x9f\x98\x80",
                                        "0123456789abcdef0123456789",
                                        "{}",
                                        "\xe2\x80\xa8"};
    char text[400];
    size_t n = 0;
    for (uint64_t k = pick(seed, 9); k > 0; k--) {
        const char *part = parts[pick(seed, HR_COUNTOF(parts))];
        memcpy(text + n, part, strlen(part));
        n += strlen(part);
    }
    assert_int_equal(hr_vec_append_bytes(vec, text, n, NULL), 0);
}

static void append_json(struct hr_vec *vec, uint64_t *seed) {
    static const char *const texts[] = {
        "{\"a\":[1,2.50,null]}", "[]", "12", "\"x\\n\"", "true", "{}"};
    const char *text = texts[pick(seed, HR_COUNTOF(texts))];
    assert_int_equal(hr_vec_append_bytes(vec, text, strlen(text), NULL), 0);
}

static double some_double(uint64_t *seed) {
    switch (pick(seed, 4)) {
    case 0: return (double)(int64_t)pick(seed, 100000) / 100;
    case 1: return (double)(int64_t)pick(seed, 10) - 5;
    case 2: return (double)test_rand(seed) * 1e-300;
    default: return -(double)test_rand(seed) / 3;
    }
}

static void append_decimal(struct hr_vec *vec, uint64_t *seed) {
    uint64_t words[4] = {test_rand(seed), 0, 0, 0};
    if (vec->field->type.id == HR_T_DEC256) {
        words[1] = test_rand(seed);
        words[2] = test_rand(seed) >> 20;
        assert_int_equal(hr_vec_append_bytes(vec, words, 32, NULL), 0);
        return;
    }
    const hr_i128 v = pick(seed, 2) ? -(hr_i128)words[0] : (hr_i128)words[0];
    assert_int_equal(hr_vec_append_bytes(vec, &v, 16, NULL), 0);
}

static void append_value(struct hr_vec *vec, uint64_t *seed);

static void append_items(struct hr_vec *vec, uint64_t *seed) {
    struct hr_vec *child = &vec->children[0];
    const bool map = vec->field->type.id == HR_T_MAP;
    for (uint64_t n = pick(seed, 4), k = 0; k < n; k++) {
        if (!map) {
            append_value(child, seed);
            continue;
        }
        struct hr_vec *key = &child->children[0];
        if (key->field->type.id == HR_T_UTF8) {
            append_text(key, seed);
        } else {
            assert_int_equal(hr_vec_append_i64(key, (int64_t)test_rand(seed), NULL), 0);
        }
        append_value(&child->children[1], seed);
        assert_int_equal(hr_vec_append_struct_end(child, NULL), 0);
    }
    assert_int_equal(hr_vec_append_list_end(vec, NULL), 0);
}

static int64_t in_range(uint8_t id, uint64_t *seed) {
    static const int bits[] = {8, 16, 32, 64, 8, 16, 32, 64};
    const int b = bits[id - HR_T_I8];
    const uint64_t v = test_rand(seed) >> (64 - b);
    return id <= HR_T_I64 ? (int64_t)(v << (64 - b)) >> (64 - b) : (int64_t)v;
}

static void append_value(struct hr_vec *vec, uint64_t *seed) {
    const uint8_t id = vec->field->type.id;
    if (id == HR_T_NULL || pick(seed, 6) == 0) {
        assert_int_equal(hr_vec_append_null(vec, NULL), 0);
        return;
    }
    int rc = 0;
    switch ((enum hr_type_id)id) {
    case HR_T_BOOL: rc = hr_vec_append_i64(vec, (int64_t)pick(seed, 2), NULL); break;
    case HR_T_F32:
        rc = hr_vec_append_f64(vec, (double)(float)some_double(seed) * 1e-5, NULL);
        break;
    case HR_T_F64: rc = hr_vec_append_f64(vec, some_double(seed), NULL); break;
    case HR_T_DEC128:
    case HR_T_DEC256: append_decimal(vec, seed); break;
    case HR_T_UTF8:
        if (vec->field->type.ext == HR_EXT_JSON) {
            append_json(vec, seed);
        } else {
            append_text(vec, seed);
        }
        break;
    case HR_T_BINARY: {
        const uint64_t v = test_rand(seed);
        rc = hr_vec_append_bytes(vec, &v, pick(seed, 9), NULL);
        break;
    }
    case HR_T_DATE32:
        rc = hr_vec_append_i64(vec, (int64_t)pick(seed, 3652059) - 719162, NULL);
        break;
    case HR_T_TIME64: rc = hr_vec_append_i64(vec, (int64_t)pick(seed, 86400000000), NULL); break;
    case HR_T_TS:
        rc = hr_vec_append_i64(vec,
                               (int64_t)pick(seed, 4000000000000000) *
                                       (vec->field->type.unit == HR_U_NS ? 1001 : 1) -
                                   1000000000000000,
                               NULL);
        break;
    case HR_T_LIST:
    case HR_T_MAP: append_items(vec, seed); break;
    case HR_T_STRUCT:
        for (int i = 0; i < vec->n_children; i++) {
            append_value(&vec->children[i], seed);
        }
        rc = hr_vec_append_struct_end(vec, NULL);
        break;
    default: rc = hr_vec_append_i64(vec, in_range(id, seed), NULL); break;
    }
    assert_int_equal(rc, 0);
}

static struct hr_batch *random_batch(struct hr_schema *schema, int64_t rows, uint64_t *seed) {
    struct hr_batch *batch;
    assert_int_equal(hr_batch_new(schema, &batch, NULL), 0);
    for (int c = 0; c < schema->n_fields; c++) {
        for (int64_t i = 0; i < rows; i++) {
            append_value(&batch->vecs[c], seed);
        }
    }
    batch->len = rows;
    return batch;
}

/* The rows as hr_vec_json writes them. */
static void plain_rows(const struct hr_batch *batch, struct hr_buf *out) {
    struct reading r = {0};
    assert_int_equal(append_rows(&r, batch, false), 0);
    assert_int_equal(hr_buf_append(out, r.rows.ptr, r.rows.len, NULL), 0);
    hr_buf_release(&r.rows);
}

/* All blocks of the batches, appended to `out` through a file writer. */
static int write_file(struct hr_batch *const *batches, size_t n, const struct hr_format *format,
                      const struct hr_write_opts *opts, struct hr_buf *out, int *out_blocks,
                      struct hr_error *err) {
    struct hr_encoder *enc = NULL;
    struct hr_file_writer *fw = NULL;
    struct hr_out *dst = hr_out_buf(out);
    struct hr_schema *schema = batches[0]->schema;
    *out_blocks = 0;
    int rc = dst ? format->encoder(schema, opts, &enc, err) : HR_E_NOMEM;
    rc = rc ? rc : format->file_writer(schema, opts, dst, &fw, err);
    for (size_t i = 0; rc == 0 && i <= n; i++) {
        rc = i < n ? enc->ops->put(enc, batches[i], err) : enc->ops->finish(enc, err);
        struct hr_block block;
        while (rc == 0 && enc->ops->pop(enc, &block, err) == 0) {
            rc = fw->ops->add(fw, &block, err);
            hr_big_free(block.data);
            ++*out_blocks;
        }
    }
    rc = rc ? rc : fw->ops->finish(fw, err);
    if (fw != NULL) {
        assert_true(fw->ops->pending(fw) < 1000);
        fw->ops->close(fw);
    }
    if (enc != NULL) {
        enc->ops->close(enc);
    }
    hr_out_close(dst);
    return rc;
}

static void there_and_back(void **state) {
    (void)state;
    uint64_t seed = 11;
    struct hr_schema *schema = schema_of(all_types);
    for (int round = 0; round < 60; round++) {
        struct hr_batch *batch = random_batch(schema, (int64_t)pick(&seed, 20) + 1, &seed);
        struct hr_buf want;
        struct hr_buf file;
        struct hr_json_opts json = {.array = round % 2 != 0};
        struct hr_write_opts opts = {.json = &json, .row_group_bytes = 1 + pick(&seed, 5000)};
        struct hr_error err;
        int blocks;
        hr_buf_init(&want, 0);
        hr_buf_init(&file, 0);
        plain_rows(batch, &want);
        assert_rc(write_file(&batch, 1, &hr_format_json, &opts, &file, &blocks, &err), 0, &err);
        if (!json.array) {
            assert_string_equal(hr_buf_cstr(&file), hr_buf_cstr(&want));
        }
        struct how how = how_default();
        how.engine = engines[(size_t)round % n_engines()];
        how.chunk = pick(&seed, 100);
        struct reading r = read_text(file.ptr, file.len, schema, how);
        assert_rc(r.rc, HR_END, &r.err);
        assert_string_equal(hr_buf_cstr(&r.rows), hr_buf_cstr(&want));
        reading_release(&r);
        hr_buf_release(&want);
        hr_buf_release(&file);
        hr_batch_free(batch);
    }
    hr_schema_unref(schema);
}

static void blocks_and_files(void **state) {
    (void)state;
    uint64_t seed = 5;
    struct hr_schema *schema = schema_of("a: int64, s: utf8");
    struct hr_batch *all = random_batch(schema, 200, &seed);
    struct hr_batch *parts[20];
    for (int i = 0; i < 20; i++) {
        assert_int_equal(hr_batch_new(schema, &parts[i], NULL), 0);
        for (int c = 0; c < 2; c++) {
            assert_int_equal(
                hr_vec_append_range(&parts[i]->vecs[c], &all->vecs[c], i * 10, 10, NULL), 0);
        }
        parts[i]->len = 10;
    }
    static const char *const codecs[] = {NULL, "gzip", "zstd", "bzip2", "lz4", "snappy", "brotli"};
    for (size_t c = 0; c < HR_COUNTOF(codecs); c++) {
        for (int array = 0; array < 2; array++) {
            struct hr_json_opts json = {.array = array != 0};
            struct hr_write_opts opts = {.json = &json, .row_group_bytes = 1000};
            struct hr_buf one;
            struct hr_buf many;
            struct hr_error err;
            int blocks_one;
            int blocks_many;
            opts.codec = codecs[c] ? hr_codec_by_name(codecs[c], strlen(codecs[c])) : NULL;
            hr_buf_init(&one, 0);
            hr_buf_init(&many, 0);
            assert_rc(write_file(&all, 1, &hr_format_json, &opts, &one, &blocks_one, &err), 0,
                      &err);
            assert_rc(write_file(parts, 20, &hr_format_json, &opts, &many, &blocks_many, &err), 0,
                      &err);
            assert_true(blocks_one > 3); /* how rows come in batches decides nothing */
            assert_int_equal(blocks_one, blocks_many);
            assert_true(hr_slice_eq(hr_buf_slice(&one), hr_buf_slice(&many)));
            struct hr_source *src = hr_source_mem("x", one.ptr, one.len, 0);
            if (opts.codec != NULL) {
                struct hr_source *inner = src;
                assert_rc(hr_codec_source(opts.codec, inner, NULL, &src, &err), 0, &err);
            }
            struct hr_buf text;
            struct hr_buf want;
            hr_buf_init(&text, 0);
            hr_buf_init(&want, 0);
            assert_rc(hr_source_slurp(src, &text, &err), 0, &err);
            hr_source_close(src);
            plain_rows(all, &want);
            struct reading r = read_text(text.ptr, text.len, schema, how_default());
            assert_rc(r.rc, HR_END, &r.err);
            assert_string_equal(hr_buf_cstr(&r.rows), hr_buf_cstr(&want));
            assert_int_equal(text.ptr[0], array ? '[' : '{');
            reading_release(&r);
            hr_buf_release(&text);
            hr_buf_release(&want);
            hr_buf_release(&one);
            hr_buf_release(&many);
        }
    }
    for (int i = 0; i < 20; i++) {
        hr_batch_free(parts[i]);
    }
    hr_batch_free(all);
    hr_schema_unref(schema);
}

static void no_rows(void **state) {
    (void)state;
    struct hr_schema *schema = schema_of("a: int64");
    struct hr_batch *batch;
    assert_int_equal(hr_batch_new(schema, &batch, NULL), 0);
    static const char *const codecs[] = {NULL, "gzip", "brotli"};
    for (size_t c = 0; c < HR_COUNTOF(codecs); c++) {
        for (int array = 0; array < 2; array++) {
            struct hr_json_opts json = {.array = array != 0};
            struct hr_write_opts opts = {.json = &json};
            struct hr_buf file;
            struct hr_buf text;
            struct hr_error err;
            int blocks;
            opts.codec = codecs[c] ? hr_codec_by_name(codecs[c], strlen(codecs[c])) : NULL;
            hr_buf_init(&file, 0);
            hr_buf_init(&text, 0);
            assert_rc(write_file(&batch, 1, &hr_format_json, &opts, &file, &blocks, &err), 0, &err);
            assert_int_equal(blocks, 0);
            struct hr_source *src = hr_source_mem("x", file.ptr, file.len, 0);
            if (opts.codec != NULL) {
                struct hr_source *inner = src;
                assert_rc(hr_codec_source(opts.codec, inner, NULL, &src, &err), 0, &err);
            }
            assert_rc(hr_source_slurp(src, &text, &err), 0, &err);
            assert_string_equal(hr_buf_cstr(&text), array ? "[]\n" : "");
            hr_source_close(src);
            hr_buf_release(&file);
            hr_buf_release(&text);
        }
    }
    hr_batch_free(batch);
    hr_schema_unref(schema);
}

/* Text of a JSON column is embedded only when it is JSON, and compact then. */
static void json_columns(void **state) {
    (void)state;
    static const struct {
        const char *text, *written;
    } cases[] = {
        {"{ \"a\" : [ 1 ,\n2 ] }", "{\"a\":[1,2]}"},
        {" 5 ", "5"},
        {"not json", "\"not json\""},
        {"{\"a\":1} x", "\"{\\\"a\\\":1} x\""},
        {"", "\"\""},
        {"{\"a\":\"line\nbreak\"}", "\"{\\\"a\\\":\\\"line\\nbreak\\\"}\""},
        {"\"\xff\"", "\"\\\"\xef\xbf\xbd\\\"\""},
    };
    struct hr_schema *schema = schema_of("@j: utf8");
    for (size_t i = 0; i < HR_COUNTOF(cases); i++) {
        struct hr_batch *batch;
        struct hr_j_text text;
        struct hr_error err;
        assert_int_equal(hr_batch_new(schema, &batch, NULL), 0);
        assert_int_equal(
            hr_vec_append_bytes(&batch->vecs[0], cases[i].text, strlen(cases[i].text), NULL), 0);
        assert_rc(hr_j_text_init(&text, &err), 0, &err);
        assert_rc(hr_j_text_value(&text, &batch->vecs[0], 0, &err), 0, &err);
        assert_int_equal(text.len, strlen(cases[i].written));
        assert_memory_equal(text.ptr, cases[i].written, text.len);
        hr_j_text_release(&text);
        hr_batch_free(batch);
    }
    hr_schema_unref(schema);
}

/* The two ways to copy plain text stop at the same byte. */
static void twins(void **state) {
    (void)state;
    uint64_t seed = 2;
    uint8_t src[200 + HR_PAD] = {0};
    uint8_t a[200 + HR_PAD];
    uint8_t b[200 + HR_PAD];
    if (n_engines() < 3) {
        return;
    }
    for (int round = 0; round < 20000; round++) {
        const size_t len = pick(&seed, 200);
        for (size_t i = 0; i < len; i++) {
            src[i] = pick(&seed, 60) ? (uint8_t)('a' + pick(&seed, 26)) : (uint8_t)test_rand(&seed);
        }
        const size_t n = hr_j_copy_plain_scalar(a, src, len);
        assert_int_equal(hr_j_copy_plain_avx2(b, src, len), n);
        assert_memory_equal(a, b, n);
    }
}

/* Our own dates and integers against those of base. */
static void same_text(struct hr_j_text *text, const struct hr_vec *vec) {
    struct hr_buf want;
    hr_buf_init(&want, 0);
    for (int64_t i = 0; i < vec->len; i++) {
        hr_buf_clear(&want);
        text->len = 0;
        assert_int_equal(hr_vec_json(vec, i, &want, NULL), 0);
        assert_int_equal(hr_j_text_value(text, vec, i, NULL), 0);
        if (text->len != want.len || memcmp(text->ptr, want.ptr, want.len) != 0) {
            fail_msg("%.*s is not %s", (int)text->len, (const char *)text->ptr, hr_buf_cstr(&want));
        }
    }
    hr_buf_release(&want);
}

static void dates_and_integers(void **state) {
    (void)state;
    struct hr_schema *schema = schema_of("d: date, i: int64");
    struct hr_batch *batch;
    struct hr_j_text text;
    uint64_t seed = 4;
    assert_int_equal(hr_batch_new(schema, &batch, NULL), 0);
    assert_int_equal(hr_j_text_init(&text, NULL), 0);
    for (int64_t day = -720000; day < 2933500; day += day % 5 + 3) {
        assert_int_equal(hr_vec_append_i64(&batch->vecs[0], day, NULL), 0);
    }
    static const int64_t edges[] = {INT32_MIN, INT32_MAX, -719163, -719162, 2932896, 2932897};
    for (size_t i = 0; i < HR_COUNTOF(edges); i++) {
        assert_int_equal(hr_vec_append_i64(&batch->vecs[0], edges[i], NULL), 0);
    }
    for (int64_t p = 1, k = 0; k < 18; k++, p *= 10) {
        for (int64_t near = -2; near <= 2; near++) {
            assert_int_equal(hr_vec_append_i64(&batch->vecs[1], p + near, NULL), 0);
            assert_int_equal(hr_vec_append_i64(&batch->vecs[1], -p + near, NULL), 0);
        }
    }
    assert_int_equal(hr_vec_append_i64(&batch->vecs[1], INT64_MIN, NULL), 0);
    assert_int_equal(hr_vec_append_i64(&batch->vecs[1], INT64_MAX, NULL), 0);
    for (int i = 0; i < 20000; i++) {
        const int64_t v = (int64_t)(test_rand(&seed) >> pick(&seed, 64));
        assert_int_equal(hr_vec_append_i64(&batch->vecs[1], v, NULL), 0);
    }
    same_text(&text, &batch->vecs[0]);
    same_text(&text, &batch->vecs[1]);
    hr_j_text_release(&text);
    hr_batch_free(batch);
    hr_schema_unref(schema);
}

static void out_of_memory(void **state) {
    (void)state;
    uint64_t seed = 9;
    struct hr_schema *schema = schema_of(all_types);
    struct hr_batch *batch = random_batch(schema, 30, &seed);
    /* not brotli: its library ends the process when an encoder finds no memory */
    static const char *const codecs[] = {NULL, "gzip", "zstd"};
    for (size_t c = 0; c < HR_COUNTOF(codecs); c++) {
        struct hr_json_opts json = {.array = true};
        struct hr_write_opts opts = {.json = &json, .row_group_bytes = 3000};
        opts.codec = codecs[c] ? hr_codec_by_name(codecs[c], strlen(codecs[c])) : NULL;
        int rc = HR_E_NOMEM;
        uint64_t nth = 1;
        for (; rc == HR_E_NOMEM; nth++) {
            struct hr_buf file;
            int blocks;
            hr_buf_init(&file, 0);
            hr_codec_thread_release();
            const int64_t live = hr_mem_live();
            hr_mem_fail_at(nth, 0);
            rc = write_file(&batch, 1, &hr_format_json, &opts, &file, &blocks, NULL);
            hr_mem_fail_at(0, 0);
            hr_buf_release(&file);
            hr_codec_thread_release();
            assert_int_equal(hr_mem_live(), live);
            assert_true(nth < 100000);
        }
        assert_int_equal(rc, 0);
        assert_true(nth > 10);
    }
    hr_batch_free(batch);
    hr_schema_unref(schema);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back), cmocka_unit_test(blocks_and_files),
        cmocka_unit_test(no_rows),        cmocka_unit_test(json_columns),
        cmocka_unit_test(twins),          cmocka_unit_test(dates_and_integers),
        cmocka_unit_test(out_of_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
