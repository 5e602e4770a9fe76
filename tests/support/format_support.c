/* tests/support/format_support.c - formats in tests. */
#include "format_support.h"

#include <stdio.h>
#include <string.h>

struct hr_schema *test_schema_of(const char *text) {
    char spec[4000];
    snprintf(spec, sizeof(spec), "struct<%s>", text);
    struct hr_field field;
    struct hr_error err;
    assert_int_equal(hr_field_init(&field, "", 0, hr_type(HR_T_NULL), 0), 0);
    assert_rc(hr_field_parse_type(&field, spec, &err), 0, &err);
    struct hr_schema *schema = hr_schema_new(field.n_children);
    assert_non_null(schema);
    for (int i = 0; i < field.n_children; i++) {
        assert_int_equal(hr_field_copy(&schema->fields[i], &field.children[i]), 0);
    }
    hr_field_release(&field);
    return schema;
}

const char *test_schema_text(const struct hr_schema *schema) {
    static char text[4000];
    struct hr_buf buf;
    hr_buf_init(&buf, 0);
    for (int i = 0; i < schema->n_fields; i++) {
        assert_int_equal(hr_buf_printf(&buf, NULL, "%s%s: ", i ? ", " : "", schema->fields[i].name),
                         0);
        assert_int_equal(hr_field_type_text(&schema->fields[i], &buf, NULL), 0);
    }
    snprintf(text, sizeof(text), "%s", hr_buf_cstr(&buf));
    hr_buf_release(&buf);
    return text;
}

void test_dump_batch(const struct hr_batch *batch, struct hr_buf *out) {
    for (int64_t r = 0; r < batch->len; r++) {
        for (int c = 0; c < batch->schema->n_fields; c++) {
            const struct hr_vec *vec = &batch->vecs[c];
            assert_int_equal(vec->len, batch->len);
            if (c > 0) {
                assert_int_equal(hr_buf_append_byte(out, '|', NULL), 0);
            }
            if (vec->field->type.id == HR_T_NULL || !hr_vec_valid(vec, r)) {
                assert_int_equal(hr_buf_append_str(out, "<null>", NULL), 0);
            } else {
                assert_int_equal(hr_vec_text(vec, r, out, NULL), 0);
            }
        }
        assert_int_equal(hr_buf_append_byte(out, '\n', NULL), 0);
    }
}

static void check_nulls(const struct hr_vec *vec) {
    int64_t nulls = 0;
    for (int64_t i = 0; i < vec->len && vec->field->type.id != HR_T_NULL; i++) {
        nulls += !hr_vec_valid(vec, i);
    }
    if (vec->field->type.id != HR_T_NULL) {
        assert_int_equal(nulls, vec->nulls);
    }
}

int test_read_all(const struct hr_format *format, const struct hr_format_opts *opts,
                  const struct hr_read_params *params, struct hr_slice text, size_t chunk,
                  struct hr_buf *out, struct test_counts *counts, struct hr_error *err) {
    struct hr_read_params p = *params;
    struct hr_schema *inferred = NULL;
    struct test_counts c = {0};
    hr_buf_init(out, (size_t)1 << 32);
    hr_error_clear(err);
    if (p.want == NULL) {
        const struct hr_infer_params ip = {.rows = 1000, .types = true};
        struct hr_source *src = hr_source_mem("test", text.ptr, text.len, chunk);
        assert_non_null(src);
        const int rc = format->infer(src, opts, &ip, &inferred, err);
        hr_source_close(src);
        if (rc != 0) {
            return rc;
        }
        p.want = inferred;
    }
    struct hr_source *src = hr_source_mem("test", text.ptr, text.len, chunk);
    assert_non_null(src);
    struct hr_reader *reader;
    int rc = format->open(src, opts, &p, &reader, err);
    while (rc == 0) {
        struct hr_batch *batch;
        rc = hr_reader_next(reader, &batch, err);
        if (rc == 0) {
            assert_true(batch->len > 0);
            test_dump_batch(batch, out);
            for (int i = 0; i < batch->schema->n_fields; i++) {
                check_nulls(&batch->vecs[i]);
            }
            c.batches++;
        }
    }
    if (reader != NULL) {
        c.rows = reader->rows;
        c.nulled = reader->nulled;
        c.rejected = reader->rejected;
        c.first_record = reader->first_record;
        c.end_record = reader->end_record;
        if (rc == HR_WIDEN) {
            assert_non_null(reader->needs);
            snprintf(c.needs, sizeof(c.needs), "%s", test_schema_text(reader->needs));
        }
        hr_reader_close(reader);
    }
    hr_source_close(src);
    hr_schema_unref(inferred);
    if (counts != NULL) {
        *counts = c;
    }
    return rc;
}

static bool children_equal(const struct hr_vec *a, int64_t i, const struct hr_vec *b, int64_t k);

static bool value_equal(const struct hr_vec *a, int64_t i, const struct hr_vec *b, int64_t k) {
    if (a->field->type.id == HR_T_NULL) {
        return true;
    }
    if (hr_vec_valid(a, i) != hr_vec_valid(b, k)) {
        return false;
    }
    if (!hr_vec_valid(a, i)) {
        return true;
    }
    if (hr_type_nested(a->field->type)) {
        return children_equal(a, i, b, k);
    }
    if (hr_type_bytes(a->field->type)) {
        return hr_slice_eq(hr_vec_slice(a, i), hr_vec_slice(b, k));
    }
    if (a->field->type.id == HR_T_BOOL) {
        return hr_bit_get(a->data, i) == hr_bit_get(b->data, k);
    }
    const size_t width = (size_t)hr_type_width(a->field->type);
    return memcmp(a->data + (size_t)i * width, b->data + (size_t)k * width, width) == 0;
}

static bool children_equal(const struct hr_vec *a, int64_t i, const struct hr_vec *b, int64_t k) {
    if (a->field->type.id == HR_T_STRUCT) {
        for (int c = 0; c < a->n_children; c++) {
            if (!value_equal(&a->children[c], i, &b->children[c], k)) {
                return false;
            }
        }
        return true;
    }
    const int32_t n = a->offsets[i + 1] - a->offsets[i];
    if (n != b->offsets[k + 1] - b->offsets[k]) {
        return false;
    }
    for (int32_t j = 0; j < n; j++) {
        if (!value_equal(&a->children[0], a->offsets[i] + j, &b->children[0], b->offsets[k] + j)) {
            return false;
        }
    }
    return true;
}

bool test_vec_equal(const struct hr_vec *a, const struct hr_vec *b) {
    if (a->len != b->len || !hr_type_equal(a->field->type, b->field->type)) {
        return false;
    }
    for (int64_t i = 0; i < a->len; i++) {
        if (!value_equal(a, i, b, i)) {
            return false;
        }
    }
    return true;
}
