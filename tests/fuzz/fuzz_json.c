/* tests/fuzz/fuzz_json - any bytes as JSON: every engine, whole and cut into slices, must end the
 * same way with the same rows; what is read is written and read again to the same rows.
 *
 * The first byte chooses options, the second the slice size; the rest is the text. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "format/json/json_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
    int rc;
    int64_t offset, line;
    struct hr_buf rows;
    int64_t n_rows, rejected, nulled;
};

static void must(bool ok, const char *what) {
    if (!ok) {
        fprintf(stderr, "fuzz_json: %s\n", what);
        abort();
    }
}

static int count_reject(void *user, const struct hr_reject *what, struct hr_error *err) {
    struct outcome *o = user;
    return hr_buf_printf(&o->rows, err, "reject %lld %s\n", (long long)what->byte_offset,
                         what->reason);
}

static void add_batch(struct outcome *o, const struct hr_batch *batch) {
    for (int64_t i = 0; i < batch->len; i++) {
        for (int c = 0; c < batch->schema->n_fields; c++) {
            must(hr_vec_json(&batch->vecs[c], i, &o->rows, NULL) == 0, "row does not render");
            hr_buf_append_byte(&o->rows, ',', NULL);
        }
        hr_buf_append_byte(&o->rows, '\n', NULL);
    }
    o->n_rows += batch->len;
}

static struct outcome read_all(struct hr_slice text, size_t chunk,
                               const struct hr_format_opts *opts, struct hr_read_params params,
                               const struct hr_j_engine *engine) {
    struct outcome o = {0};
    struct hr_error err;
    struct hr_reader *reader = NULL;
    struct hr_source *src = hr_source_mem("fuzz", text.ptr, text.len, chunk);
    hr_buf_init(&o.rows, 0);
    params.reject_user = &o;
    hr_error_clear(&err);
    o.rc = hr_j_open(src, opts, &params, engine, &reader, &err);
    while (o.rc == 0) {
        struct hr_batch *batch;
        o.rc = hr_reader_next(reader, &batch, &err);
        if (o.rc == 0) {
            add_batch(&o, batch);
        }
    }
    if (o.rc == HR_WIDEN) {
        must(reader->needs != NULL, "HR_WIDEN without needs");
        must(!hr_schema_equal(reader->needs, params.want), "HR_WIDEN that asks for the same");
        for (int i = 0; i < reader->needs->n_fields; i++) {
            hr_buf_printf(&o.rows, NULL, "needs %s ", reader->needs->fields[i].name);
            hr_field_type_text(&reader->needs->fields[i], &o.rows, NULL);
        }
    }
    o.offset = o.rc < 0 ? err.byte_offset : 0;
    o.line = o.rc < 0 ? err.line : 0;
    o.rejected = reader->rejected;
    o.nulled = reader->nulled;
    hr_reader_close(reader);
    hr_source_close(src);
    return o;
}

static void same(const struct outcome *a, const struct outcome *b) {
    must(a->rc == b->rc, "results differ");
    must(a->offset == b->offset && a->line == b->line, "places differ");
    must(a->n_rows == b->n_rows && a->rejected == b->rejected && a->nulled == b->nulled,
         "counts differ");
    must(hr_slice_eq(hr_buf_slice(&a->rows), hr_buf_slice(&b->rows)), "rows differ");
}

/* Rows -> JSON lines by our writer -> rows. */
static void write_and_read(struct hr_slice text, const struct hr_format_opts *opts,
                           const struct hr_read_params *params) {
    struct hr_write_opts write = {0};
    struct hr_reader *reader;
    struct hr_encoder *enc;
    struct hr_batch *batch;
    struct hr_block block = {0};
    struct hr_error err;
    struct outcome first = {0};
    hr_buf_init(&first.rows, 0);
    struct hr_source *src = hr_source_mem("fuzz", text.ptr, text.len, 0);
    must(hr_j_open(src, opts, params, NULL, &reader, &err) == 0, "does not open again");
    must(hr_j_encoder(params->want, &write, false, &enc, &err) == 0, "no encoder");
    while (hr_reader_next(reader, &batch, &err) == 0) {
        add_batch(&first, batch);
        must(enc->ops->put(enc, batch, &err) == 0, "row does not encode");
    }
    must(enc->ops->finish(enc, &err) == 0, "block does not finish");
    if (enc->ops->pop(enc, &block, &err) == 0) {
        struct hr_format_opts lines = *opts;
        struct hr_read_params again = *params;
        lines.json.lines = 1;
        lines.json.flatten = false; /* the columns are named as they are */
        lines.json.nested_text = true;
        again.reject = NULL;
        struct outcome second =
            read_all(hr_slice_of(block.data, block.len), 0, &lines, again, NULL);
        must(second.rc == HR_END, "what was written does not read");
        must(hr_slice_eq(hr_buf_slice(&first.rows), hr_buf_slice(&second.rows)),
             "what was written reads differently");
        hr_buf_release(&second.rows);
        hr_big_free(block.data);
    }
    enc->ops->close(enc);
    hr_reader_close(reader);
    hr_source_close(src);
    hr_buf_release(&first.rows);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct hr_j_engine *const engines[] = {&hr_j_engine_general, &hr_j_engine_scalar,
                                                        &hr_j_engine_avx2};
    static char dot[] = ".";
    const size_t n_engines = hr_cpu_get()->avx2 ? 3 : 2;
    if (size < 2) {
        return 0;
    }
    const uint8_t option = data[0];
    const size_t chunk = data[1];
    const struct hr_slice text = hr_slice_of(data + 2, size - 2);
    const struct hr_format_opts opts = {.json = {.nested_text = (option & 1) != 0,
                                                 .flatten = (option & 2) != 0,
                                                 .allow_nan = (option & 4) != 0,
                                                 .separator = dot,
                                                 .max_depth = 2}};
    struct hr_read_params params = {.split_end = -1,
                                    .want_all = (option & 8) != 0,
                                    .misfit = (enum hr_misfit)(option >> 4 & 3),
                                    .reject = (option & 64) != 0 ? count_reject : NULL,
                                    .json_depth_max = 40};
    const struct hr_infer_params infer = {.rows = 2, .types = true};
    struct hr_source *src = hr_source_mem("fuzz", text.ptr, text.len, chunk);
    struct hr_schema *schema = NULL;
    struct hr_error err;
    const int rc = hr_j_infer(src, &opts, &infer, &schema, &err);
    hr_source_close(src);
    if (rc != 0) {
        must(schema == NULL && rc < 0, "a failed inference gave a schema");
        return 0;
    }
    params.want = schema;
    struct outcome first = read_all(text, 0, &opts, params, engines[0]);
    for (size_t e = 0; e < n_engines; e++) {
        struct outcome other = read_all(text, chunk, &opts, params, engines[e]);
        same(&first, &other);
        hr_buf_release(&other.rows);
    }
    if (first.rc == HR_END) {
        params.reject = params.reject ? count_reject : NULL;
        params.reject_user = &first;
        write_and_read(text, &opts, &params);
    }
    hr_buf_release(&first.rows);
    hr_schema_unref(schema);
    return 0;
}
