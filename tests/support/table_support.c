/* tests/support/table_support.c - random tables, and whole files of them. */
#include "table_support.h"

#include <math.h>
#include <string.h>

#include "base/num.h"

static int64_t random_int(uint64_t *seed, int bits, bool is_signed) {
    const uint64_t r = test_rand(seed);
    const uint64_t mask = bits == 64 ? ~(uint64_t)0 : ((uint64_t)1 << bits) - 1;
    const uint64_t high = (uint64_t)1 << (bits - 1);
    switch (r % 5) {
    case 0: return 0;
    case 1: return is_signed ? -1 : (int64_t)mask;
    case 2: return is_signed ? (int64_t)(high - 1) : 1;
    case 3: return (int64_t)((r >> 8) % 1000 & (mask >> 1));
    default: break;
    }
    const uint64_t v = test_rand(seed) & mask;
    return is_signed && (v & high) != 0 ? (int64_t)(v | ~mask) : (int64_t)v;
}

static double random_double(uint64_t *seed, bool specials) {
    const uint64_t r = test_rand(seed);
    switch (r % 8) {
    case 0: return 0.0;
    case 1: return (double)(int64_t)(test_rand(seed) % 2000000) / 100.0 - 10000.0;
    case 2: return specials ? (double)INFINITY : 1e300;
    case 3: return specials ? -(double)INFINITY : -1e-300;
    case 4: return specials ? (double)NAN : 0.1;
    case 5: return -0.0;
    default: break;
    }
    for (;;) {
        const uint64_t bits = test_rand(seed);
        double v;
        memcpy(&v, &bits, sizeof(v));
        if (isfinite(v)) {
            return v;
        }
    }
}

static size_t random_text(uint64_t *seed, uint8_t *out) {
    static const char *const pieces[] = {
        "a",  "bc",   "hello", ",",          "\"",
        "\n", "\r\n", " ",     "\t",         "é",
        "€",  "😀",    "null",  "true",       "007",
        "\\", "{",    "}",     "2024-01-01", "x,y",
        "''", "#",    "-1.5",  "\\n",        "a long piece of text that is over thirty-two bytes"};
    const uint64_t r = test_rand(seed);
    size_t n = 0;
    for (uint64_t k = r % 5; k > 0; k--) {
        const char *piece = pieces[test_rand(seed) % (sizeof(pieces) / sizeof(*pieces))];
        memcpy(out + n, piece, strlen(piece));
        n += strlen(piece);
    }
    return n;
}

/* A decimal of at most `precision` digits as little-endian two's complement. */
static void random_decimal(uint64_t *seed, int precision, size_t width, uint8_t *out) {
    uint64_t words[4] = {0};
    const int digits = (int)(test_rand(seed) % (uint64_t)(precision + 1));
    for (int i = 0; i < digits; i++) {
        hr_u128 carry = test_rand(seed) % 10;
        for (int k = 0; k < 4; k++) {
            carry += (hr_u128)words[k] * 10;
            words[k] = (uint64_t)carry;
            carry >>= 64;
        }
    }
    if (test_rand(seed) % 2) {
        hr_u128 carry = 1;
        for (int k = 0; k < 4; k++) {
            carry += (uint64_t)~words[k];
            words[k] = (uint64_t)carry;
            carry >>= 64;
        }
    }
    memcpy(out, words, width);
}

static int64_t random_time(uint64_t *seed, struct hr_type type) {
    static const int64_t per_second[] = {1, 1000, 1000000, 1000000000};
    const int64_t per = per_second[type.unit];
    if (type.id == HR_T_TIME32 || type.id == HR_T_TIME64) {
        return (int64_t)(test_rand(seed) % (uint64_t)(86400 * per));
    }
    /* 1700..2200 fits every unit. */
    const int64_t seconds = (int64_t)(test_rand(seed) % 15778800000ULL) - 8520336000LL;
    return seconds * per + (test_rand(seed) % 3 ? 0 : (int64_t)(test_rand(seed) % (uint64_t)per));
}

static void fill_value(struct hr_vec *vec, const struct test_table_conf *conf, uint64_t *seed);

static void fill_nested(struct hr_vec *vec, const struct test_table_conf *conf, uint64_t *seed) {
    if (vec->field->type.id == HR_T_STRUCT) {
        for (int c = 0; c < vec->n_children; c++) {
            fill_value(&vec->children[c], conf, seed);
        }
        assert_int_equal(hr_vec_append_struct_end(vec, NULL), 0);
        return;
    }
    for (uint64_t k = test_rand(seed) % 4; k > 0; k--) {
        fill_value(&vec->children[0], conf, seed);
    }
    assert_int_equal(hr_vec_append_list_end(vec, NULL), 0);
}

static void fill_scalar(struct hr_vec *vec, const struct test_table_conf *conf, uint64_t *seed) {
    const struct hr_type t = vec->field->type;
    uint8_t bytes[600] = {0};
    switch ((enum hr_type_id)t.id) {
    case HR_T_BOOL:
        assert_int_equal(hr_vec_append_i64(vec, (int64_t)(test_rand(seed) % 2), NULL), 0);
        return;
    case HR_T_F32: {
        const float f = (float)random_double(seed, conf->specials);
        const double d = isinf(f) && !conf->specials ? 1.5 : (double)f;
        assert_int_equal(hr_vec_append_f64(vec, d, NULL), 0);
        return;
    }
    case HR_T_F64:
        assert_int_equal(hr_vec_append_f64(vec, random_double(seed, conf->specials), NULL), 0);
        return;
    case HR_T_F16: {
        const uint16_t half = (uint16_t)(test_rand(seed) & 0xbbff); /* finite */
        assert_int_equal(hr_vec_append_bytes(vec, &half, 2, NULL), 0);
        return;
    }
    case HR_T_UTF8:
        assert_int_equal(hr_vec_append_bytes(vec, bytes, random_text(seed, bytes), NULL), 0);
        return;
    case HR_T_BINARY:
    case HR_T_FIXED: {
        const size_t n = t.id == HR_T_FIXED ? (size_t)t.width : test_rand(seed) % 40;
        for (size_t i = 0; i < n; i++) {
            bytes[i] = (uint8_t)test_rand(seed);
        }
        assert_int_equal(hr_vec_append_bytes(vec, bytes, n, NULL), 0);
        return;
    }
    case HR_T_DEC128:
    case HR_T_DEC256: {
        const size_t width = t.id == HR_T_DEC128 ? 16 : 32;
        random_decimal(seed, t.precision, width, bytes);
        assert_int_equal(hr_vec_append_bytes(vec, bytes, width, NULL), 0);
        return;
    }
    case HR_T_DATE32:
        assert_int_equal(hr_vec_append_i64(vec, (int64_t)(test_rand(seed) % 200000) - 100000, NULL),
                         0);
        return;
    case HR_T_TIME32:
    case HR_T_TIME64:
    case HR_T_TS: assert_int_equal(hr_vec_append_i64(vec, random_time(seed, t), NULL), 0); return;
    default: {
        const int bits = hr_type_width(t) * 8;
        const bool is_signed = t.id <= HR_T_I64;
        assert_int_equal(hr_vec_append_i64(vec, random_int(seed, bits, is_signed), NULL), 0);
    }
    }
}

static void fill_value(struct hr_vec *vec, const struct test_table_conf *conf, uint64_t *seed) {
    const bool null = vec->field->type.id == HR_T_NULL ||
                      (vec->field->nullable && (int)(test_rand(seed) % 100) < conf->null_rate);
    if (null) {
        assert_int_equal(hr_vec_append_null(vec, NULL), 0);
    } else if (hr_type_nested(vec->field->type)) {
        fill_nested(vec, conf, seed);
    } else {
        fill_scalar(vec, conf, seed);
    }
}

void test_fill_batch(struct hr_batch *batch, int64_t rows, const struct test_table_conf *conf,
                     uint64_t *seed) {
    for (int c = 0; c < batch->schema->n_fields; c++) {
        struct test_table_conf local = *conf;
        local.null_rate = batch->schema->n_fields > 1 && c % 3 == 0 ? 0
                          : c % 7 == 5                              ? 100
                                                                    : conf->null_rate;
        for (int64_t r = 0; r < rows; r++) {
            fill_value(&batch->vecs[c], &local, seed);
        }
    }
    batch->len = rows;
}

static void add_ready(struct hr_encoder *enc, struct hr_file_writer *fw) {
    struct hr_block block;
    struct hr_error err;
    int rc;
    while ((rc = enc->ops->pop(enc, &block, &err)) == 0) {
        assert_rc(fw->ops->add(fw, &block, &err), 0, &err);
        hr_block_release(&block);
    }
    assert_rc(rc, HR_END, &err);
}

void test_write_file_of(const struct hr_format *format, struct hr_schema *schema,
                        const struct hr_write_opts *opts, struct hr_batch *const *batches,
                        size_t count, struct hr_buf *out) {
    struct hr_error err;
    struct hr_encoder *enc;
    struct hr_file_writer *fw;
    hr_buf_init(out, (size_t)1 << 32);
    struct hr_out *dst = hr_out_buf(out);
    assert_non_null(dst);
    assert_rc(format->encoder(schema, opts, &enc, &err), 0, &err);
    assert_rc(format->file_writer(schema, opts, dst, &fw, &err), 0, &err);
    for (size_t i = 0; i < count; i++) {
        assert_rc(enc->ops->put(enc, batches[i], &err), 0, &err);
        add_ready(enc, fw);
    }
    assert_rc(enc->ops->finish(enc, &err), 0, &err);
    add_ready(enc, fw);
    assert_rc(fw->ops->finish(fw, &err), 0, &err);
    fw->ops->close(fw);
    enc->ops->close(enc);
    hr_out_close(dst);
}
