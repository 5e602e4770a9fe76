/* tests/unit/parquet/pq_round.h - batches to a Parquet file in memory and back. */
#ifndef HR_TEST_PQ_ROUND_H
#define HR_TEST_PQ_ROUND_H

#include "format/format.h"
#include "support.h"
#include "tables.h"

static inline struct hr_write_opts round_options(const char *codec) {
    return (struct hr_write_opts){.codec =
                                      codec == NULL ? NULL : hr_codec_by_name(codec, strlen(codec)),
                                  .row_group_rows = 500,
                                  .row_group_bytes = 64u << 20,
                                  .page_bytes = 2048,
                                  .dictionary = true,
                                  .statistics = true,
                                  .page_index = true,
                                  .parquet_version = 2};
}

/* Hand all finished blocks to the file writer. */
static inline int round_move(struct hr_encoder *enc, struct hr_file_writer *fw,
                             struct hr_error *err) {
    struct hr_block block;
    int rc;
    while ((rc = enc->ops->pop(enc, &block, err)) == 0) {
        rc = fw->ops->add(fw, &block, err);
        hr_big_free(block.data);
        block.free_meta(block.meta);
        if (rc != 0) {
            return rc;
        }
    }
    return rc == HR_END ? 0 : rc;
}

/* The file of the batches, put in order; appended to `file`. */
static inline int round_write(struct hr_schema *schema, struct hr_batch *const *batches,
                              size_t count, const struct hr_write_opts *opts, struct hr_buf *file,
                              struct hr_error *err) {
    struct hr_encoder *enc = NULL;
    struct hr_file_writer *fw = NULL;
    struct hr_out *out = hr_out_buf(file);
    int rc = out == NULL ? hr_fail(err, HR_E_NOMEM, "no memory") : 0;
    rc = rc != 0 ? rc : hr_format_parquet.encoder(schema, opts, &enc, err);
    rc = rc != 0 ? rc : hr_format_parquet.file_writer(schema, opts, out, &fw, err);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        rc = enc->ops->put(enc, batches[i], err);
        rc = rc != 0 ? rc : round_move(enc, fw, err);
    }
    rc = rc != 0 ? rc : enc->ops->finish(enc, err);
    rc = rc != 0 ? rc : round_move(enc, fw, err);
    rc = rc != 0 ? rc : fw->ops->finish(fw, err);
    if (fw != NULL) {
        fw->ops->close(fw);
    }
    if (enc != NULL) {
        enc->ops->close(enc);
    }
    hr_out_close(out);
    return rc;
}

/* The file as one batch. */
static inline struct hr_batch *round_read(struct hr_slice file) {
    static const struct hr_format_opts opts = {.parquet = {.verify_crc = true}};
    const struct hr_read_params params = {.group_end = -1, .split_end = -1};
    struct hr_source *src = hr_source_mem("file", file.ptr, file.len, 0);
    struct hr_reader *reader = NULL;
    struct hr_batch *all = NULL, *batch;
    struct hr_error err;
    int rc;
    assert_non_null(src);
    assert_rc(hr_format_parquet.open(src, &opts, &params, &reader, &err), 0, &err);
    assert_rc(hr_batch_new(reader->schema, &all, &err), 0, &err);
    while ((rc = hr_reader_next(reader, &batch, &err)) == 0) {
        for (int c = 0; c < all->schema->n_fields; c++) {
            assert_rc(hr_vec_append_range(&all->vecs[c], &batch->vecs[c], 0, batch->len, &err), 0,
                      &err);
        }
        all->len += batch->len;
    }
    assert_rc(rc, HR_END, &err);
    hr_reader_close(reader);
    hr_source_close(src);
    return all;
}

#endif
