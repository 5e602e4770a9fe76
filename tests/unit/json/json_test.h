/* tests/unit/json/json_test.h - reading JSON text in tests: whole, in slices, by any engine. */
#ifndef HR_TEST_JSON_H
#define HR_TEST_JSON_H

#include <stdio.h>
#include <string.h>

#include "base/cpu.h"
#include "format/json/json_read.h"
#include "support.h"

/* One reading: rows as JSON lines, rejects as "line:offset:reason" lines. */
struct reading {
    int rc; /* HR_END, HR_WIDEN or an error */
    struct hr_error err;
    struct hr_buf rows, rejects;
    struct hr_schema *needs;
    int64_t n_rows, nulled, rejected, batches;
    int64_t first_record, end_record;
};

static inline int note_reject(void *user, const struct hr_reject *what, struct hr_error *err) {
    struct reading *r = user;
    char raw[200];
    hr_printable(what->raw, 60, raw, sizeof(raw));
    return hr_buf_printf(&r->rejects, err, "%lld:%lld:%s|%s\n", (long long)what->line,
                         (long long)what->byte_offset, what->reason, raw);
}

static inline int append_rows(struct reading *r, const struct hr_batch *batch, bool places) {
    for (int64_t i = 0; i < batch->len; i++) {
        if (places) {
            hr_buf_printf(&r->rows, NULL, "%lld@%lld ", (long long)batch->row_lines[i],
                          (long long)batch->row_offsets[i]);
        }
        hr_buf_append_byte(&r->rows, '{', NULL);
        for (int c = 0; c < batch->schema->n_fields; c++) {
            if (c > 0) {
                hr_buf_append_byte(&r->rows, ',', NULL);
            }
            hr_buf_append_json(&r->rows, hr_slice_str(batch->schema->fields[c].name), NULL);
            hr_buf_append_byte(&r->rows, ':', NULL);
            const int rc = hr_vec_json(&batch->vecs[c], i, &r->rows, NULL);
            if (rc != 0) {
                return rc;
            }
        }
        hr_buf_append_str(&r->rows, "}\n", NULL);
    }
    r->n_rows += batch->len;
    r->batches++;
    return 0;
}

static inline void reading_release(struct reading *r) {
    hr_buf_release(&r->rows);
    hr_buf_release(&r->rejects);
    hr_schema_unref(r->needs);
}

/* Nulls and lengths of a vec as its values say. */
static inline void check_vec(const struct hr_vec *vec, int64_t len) {
    assert_int_equal(vec->len, len);
    int64_t nulls = 0;
    for (int64_t i = 0; i < len && vec->field->type.id != HR_T_NULL; i++) {
        nulls += !hr_vec_valid(vec, i);
    }
    if (vec->field->type.id == HR_T_NULL) {
        nulls = len;
    }
    assert_int_equal(vec->nulls, nulls);
    const bool lists = vec->field->type.id == HR_T_LIST || vec->field->type.id == HR_T_MAP;
    for (int c = 0; c < vec->n_children; c++) {
        check_vec(&vec->children[c], !lists ? len : len > 0 ? vec->offsets[len] : 0);
    }
}

struct how {
    struct hr_json_opts json;
    struct hr_read_params params; /* want and reject are filled in by read_text */
    const struct hr_j_engine *engine;
    size_t chunk;
    bool rejects; /* collect bad records instead of failing */
};

static inline struct how how_default(void) {
    return (struct how){.json = {.nested_text = true, .max_depth = 10},
                        .params = {.split_end = -1}};
}

static inline struct reading read_text(const void *ptr, size_t len, struct hr_schema *want,
                                       struct how how) {
    struct reading r = {.first_record = -1, .end_record = -1};
    struct hr_format_opts opts = {.json = how.json};
    how.params.want = want;
    if (how.rejects) {
        how.params.reject = note_reject;
        how.params.reject_user = &r;
    }
    hr_error_clear(&r.err);
    hr_buf_init(&r.rows, 0);
    hr_buf_init(&r.rejects, 0);
    struct hr_source *src = hr_source_mem("test.json", ptr, len, how.chunk);
    assert_non_null(src);
    struct hr_reader *reader = NULL;
    r.rc = hr_j_open(src, &opts, &how.params, how.engine, &reader, &r.err);
    while (r.rc == 0) {
        struct hr_batch *batch;
        r.rc = hr_reader_next(reader, &batch, &r.err);
        if (r.rc == 0) {
            assert_true(batch->len > 0);
            for (int c = 0; c < batch->schema->n_fields; c++) {
                check_vec(&batch->vecs[c], batch->len);
            }
            assert_int_equal(append_rows(&r, batch, how.params.want_rows), 0);
        }
    }
    if (reader != NULL) {
        r.needs = hr_schema_ref(reader->needs);
        r.nulled = reader->nulled;
        r.rejected = reader->rejected;
        r.first_record = reader->first_record;
        r.end_record = reader->end_record;
        if (r.rc == HR_END) {
            assert_int_equal(reader->rows, r.n_rows);
        }
    }
    hr_reader_close(reader);
    hr_source_close(src);
    return r;
}

/* "a: int64, b: list<utf8>" (type names as hr_field_parse_type) -> schema. '@' in front of a name:
 * a JSON text column. */
static inline struct hr_schema *schema_of(const char *text) {
    struct hr_field holder = {.field_id = -1};
    char spec[4000];
    struct hr_error err;
    snprintf(spec, sizeof(spec), "struct<%s>", text);
    assert_int_equal(hr_field_init(&holder, "", 0, hr_type(HR_T_NULL), 0), 0);
    const int rc = hr_field_parse_type(&holder, spec, &err);
    assert_rc(rc, 0, &err);
    struct hr_schema *schema = hr_schema_new(holder.n_children);
    assert_non_null(schema);
    for (int i = 0; i < holder.n_children; i++) {
        assert_int_equal(hr_field_copy(&schema->fields[i], &holder.children[i]), 0);
        if (schema->fields[i].name[0] == '@') {
            memmove(schema->fields[i].name, schema->fields[i].name + 1,
                    strlen(schema->fields[i].name));
            schema->fields[i].type.ext = HR_EXT_JSON;
        }
    }
    hr_field_release(&holder);
    return schema;
}

/* A schema as "a: int64, b: utf8"; JSON text columns with '@'. */
static inline void schema_text(const struct hr_schema *schema, char *out, size_t size) {
    struct hr_buf buf;
    hr_buf_init(&buf, 0);
    for (int i = 0; i < schema->n_fields; i++) {
        const struct hr_field *f = &schema->fields[i];
        assert_int_equal(hr_buf_printf(&buf, NULL, "%s%s%s: ", i ? ", " : "",
                                       f->type.ext == HR_EXT_JSON ? "@" : "", f->name),
                         0);
        assert_int_equal(hr_field_type_text(f, &buf, NULL), 0);
    }
    snprintf(out, size, "%s", hr_buf_cstr(&buf));
    hr_buf_release(&buf);
}

static inline int infer_text(const void *ptr, size_t len, struct how how, struct hr_schema **out,
                             struct hr_error *err) {
    const struct hr_format_opts opts = {.json = how.json};
    const struct hr_infer_params params = {.rows = 1000, .types = true};
    struct hr_source *src = hr_source_mem("test.json", ptr, len, how.chunk);
    assert_non_null(src);
    const int rc = hr_j_infer(src, &opts, &params, out, err);
    hr_source_close(src);
    return rc;
}

static const struct hr_j_engine *const engines[] = {&hr_j_engine_general, &hr_j_engine_scalar,
                                                    &hr_j_engine_avx2};

/* How many of `engines` this machine can run. */
static inline size_t n_engines(void) {
    return hr_j_engine_avx2.object != NULL && hr_cpu_get()->avx2 ? 3 : 2;
}

#endif
