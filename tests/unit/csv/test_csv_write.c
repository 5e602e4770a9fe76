/* What the CSV encoder writes, against the rules said plainly: each value as hr_vec_text shows it,
 * quotes where something calls for them. Random tables, texts of all lengths, dialects. */
#include <stdio.h>
#include <string.h>

#include "format/csv/csv_internal.h"
#include "format_support.h"

struct rules {
    struct hr_csv_opts opts;
    const char *delimiter;
    int quote, escape;
};

static bool calls_for_quotes(const struct rules *r, const uint8_t *p, size_t len, bool first) {
    bool needs = r->opts.always_quote || len == 0;
    for (size_t i = 0; i < len; i++) {
        needs |= p[i] == (uint8_t)r->delimiter[0] || p[i] == '\n' || p[i] == '\r' ||
                 p[i] == r->quote || p[i] == r->escape;
    }
    for (size_t k = 0; k < r->opts.null_values.count; k++) {
        const char *word = r->opts.null_values.items[k];
        needs |= len == strlen(word) && memcmp(p, word, len) == 0;
    }
    needs |= len > 0 && first && r->opts.comment != NULL && p[0] == (uint8_t)r->opts.comment[0];
    return needs || (len > 0 && r->opts.trim &&
                     (p[0] == ' ' || p[0] == '\t' || p[len - 1] == ' ' || p[len - 1] == '\t'));
}

static void put_byte(struct hr_buf *out, int c) {
    assert_int_equal(hr_buf_append_byte(out, (uint8_t)c, NULL), 0);
}

static void put_plainly(const struct rules *r, const uint8_t *p, size_t len, bool first,
                        struct hr_buf *out) {
    if (!calls_for_quotes(r, p, len, first)) {
        assert_int_equal(hr_buf_append(out, p, len, NULL), 0);
        return;
    }
    put_byte(out, r->quote);
    for (size_t i = 0; i < len; i++) {
        if (p[i] == r->escape) {
            put_byte(out, r->escape);
        } else if (p[i] == r->quote) {
            put_byte(out, r->opts.double_quote ? r->quote : r->escape);
        }
        put_byte(out, p[i]);
    }
    put_byte(out, r->quote);
}

static void row_plainly(const struct rules *r, const struct hr_batch *batch, int64_t row,
                        struct hr_buf *out) {
    struct hr_buf text;
    hr_buf_init(&text, 0);
    const int n = batch->schema->n_fields;
    for (int c = 0; c < n; c++) {
        const struct hr_vec *vec = &batch->vecs[c];
        if (c > 0) {
            assert_int_equal(hr_buf_append_str(out, r->delimiter, NULL), 0);
        }
        if (!hr_vec_valid(vec, row)) {
            if (n == 1 && vec->field->type.id != HR_T_UTF8) {
                put_byte(out, r->quote);
                put_byte(out, r->quote);
            }
            continue;
        }
        hr_buf_clear(&text);
        assert_int_equal(hr_vec_text(vec, row, &text, NULL), 0);
        put_plainly(r, text.ptr, text.len, c == 0, out);
    }
    put_byte(out, '\n');
    hr_buf_release(&text);
}

static void add_text(struct hr_vec *vec, uint64_t *seed, bool specials) {
    static const char any[] = "ab c,d\"e\n\r\t;|\\#x-'";
    char text[150];
    const size_t len = test_rand(seed) % (test_rand(seed) % 8 == 0 ? sizeof(text) : 40);
    for (size_t i = 0; i < len; i++) {
        const bool special = specials && test_rand(seed) % 24 == 0;
        text[i] =
            special ? any[test_rand(seed) % (sizeof(any) - 1)] : (char)('a' + test_rand(seed) % 26);
    }
    if (len > 0 && specials && test_rand(seed) % 8 == 0) { /* where blocks of 16 begin and end */
        text[(len - 1) & ~(size_t)15] = ',';
    }
    assert_int_equal(hr_vec_append_bytes(vec, text, len, NULL), 0);
}

static void add_value(struct hr_vec *vec, uint64_t *seed, bool specials) {
    const uint64_t r = test_rand(seed);
    const uint64_t bits = test_rand(seed) >> (r / 16 % 64);
    if (r % 9 == 0) {
        assert_int_equal(hr_vec_append_null(vec, NULL), 0);
        return;
    }
    switch ((enum hr_type_id)vec->field->type.id) {
    case HR_T_UTF8: add_text(vec, seed, specials); return;
    case HR_T_F64: {
        double v = (double)(int64_t)bits / (r % 3 ? 100 : 1);
        if (r % 5 == 0) {
            memcpy(&v, &bits, sizeof(v));
        }
        assert_int_equal(hr_vec_append_f64(vec, v, NULL), 0);
        return;
    }
    case HR_T_DATE32:
        assert_int_equal(hr_vec_append_i64(vec, (int64_t)(bits % 4000000) - 800000, NULL), 0);
        return;
    case HR_T_I16: assert_int_equal(hr_vec_append_i64(vec, (int16_t)bits, NULL), 0); return;
    default: assert_int_equal(hr_vec_append_i64(vec, (int64_t)bits, NULL), 0); return;
    }
}

static struct hr_batch *random_batch(struct hr_schema *schema, uint64_t *seed) {
    struct hr_batch *batch;
    assert_int_equal(hr_batch_new(schema, &batch, NULL), 0);
    const bool specials = test_rand(seed) % 3 != 0;
    batch->len = (int64_t)(test_rand(seed) % 200);
    for (int64_t row = 0; row < batch->len; row++) {
        for (int c = 0; c < schema->n_fields; c++) {
            add_value(&batch->vecs[c], seed, specials);
        }
    }
    return batch;
}

static void drain(struct hr_encoder *enc, struct hr_buf *out) {
    struct hr_block block;
    while (enc->ops->pop(enc, &block, NULL) == 0) {
        assert_int_equal(hr_buf_append(out, block.data, block.len, NULL), 0);
        hr_block_release(&block);
    }
}

static void check(const struct rules *r, struct hr_schema *schema, uint64_t *seed) {
    struct rules own = *r;
    struct hr_encoder *enc;
    struct hr_error err;
    struct hr_write_opts w;
    struct hr_buf want;
    struct hr_buf got;
    hr_write_opts_init(&w);
    w.csv = &own.opts;
    w.row_group_bytes = 3000;
    hr_buf_init(&want, 0);
    hr_buf_init(&got, 0);
    assert_rc(hr_format_csv.encoder(schema, &w, &enc, &err), 0, &err);
    for (int b = 0; b < 3; b++) {
        struct hr_batch *batch = random_batch(schema, seed);
        for (int64_t row = 0; row < batch->len; row++) {
            row_plainly(r, batch, row, &want);
        }
        assert_rc(enc->ops->put(enc, batch, &err), 0, &err);
        drain(enc, &got);
        hr_batch_free(batch);
    }
    assert_rc(enc->ops->finish(enc, &err), 0, &err);
    drain(enc, &got);
    assert_string_equal(hr_buf_cstr(&got), hr_buf_cstr(&want));
    enc->ops->close(enc);
    hr_buf_release(&want);
    hr_buf_release(&got);
}

static void test_random_tables(void **state) {
    (void)state;
    static const char *const schemas[] = {
        "a: int64, b: utf8, c: double, d: date, e: utf8, f: int16", "a: utf8", "a: utf8, b: uint64",
        "a: int64", "a: double, b: bool, c: timestamp[us], d: uint32, e: utf8"};
    static char comma[] = ",", pair[] = "||", minus[] = "-", quote[] = "\"", single[] = "'";
    static char backslash[] = "\\", hash[] = "#", one[] = "1";
    static char *nulls[] = {backslash, one};
    uint64_t seed = 5;
    for (int round = 0; round < 400; round++) {
        char *const delims[] = {comma, comma, pair, minus};
        struct rules r = {.delimiter = delims[test_rand(&seed) % 4], .quote = '"', .escape = -1};
        r.opts = (struct hr_csv_opts){.delimiter = delims[0],
                                      .quote = quote,
                                      .double_quote = true,
                                      .always_quote = test_rand(&seed) % 6 == 0,
                                      .trim = test_rand(&seed) % 4 == 0};
        for (size_t i = 0; i < 4; i++) {
            r.opts.delimiter = delims[i] == r.delimiter ? delims[i] : r.opts.delimiter;
        }
        if (test_rand(&seed) % 4 == 0) {
            r.opts.quote = single;
            r.quote = '\'';
        }
        if (test_rand(&seed) % 4 == 0) {
            r.opts.escape = backslash;
            r.escape = '\\';
            r.opts.double_quote = test_rand(&seed) % 2 == 0;
        }
        r.opts.comment = test_rand(&seed) % 4 == 0 ? hash : NULL;
        if (test_rand(&seed) % 4 == 0) {
            r.opts.null_values = (struct hr_strlist){.items = nulls + 1, .count = 1};
        }
        struct hr_schema *schema =
            test_schema_of(schemas[test_rand(&seed) % (sizeof(schemas) / sizeof(*schemas))]);
        check(&r, schema, &seed);
        hr_schema_unref(schema);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_tables)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
