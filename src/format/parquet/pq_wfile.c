/* format/parquet/pq_wfile.c - the file writer: "PAR1", row groups as they come, ColumnIndexes,
 * OffsetIndexes, FileMetaData, its length, "PAR1".
 *
 * A block's offsets are relative; add() knows where it lands and encodes at once what the footer
 * will say of it. What cannot be known before the end (where the page indexes stand) are four
 * numbers per chunk, kept apart. So the writer holds the encoded footer and indexes and little
 * else, and pending() is its size.
 */
#include "format/parquet/pq_write.h"
#include "format/parquet/pq_write_internal.h"

#ifndef HR_VERSION
#define HR_VERSION "0.1.0"
#endif
#define CREATED_BY "headrace version " HR_VERSION " (build release)"

static const uint8_t magic[4] = {'P', 'A', 'R', '1'};

struct chunk_end { /* of one chunk in `chunks`, in order */
    size_t len;    /* bytes of its ColumnChunk so far: file_offset and meta_data, last field 3 */
    size_t column_index_len, offset_index_len; /* 0: none */
};

struct group_end {
    int64_t rows, uncompressed, compressed, offset;
    int sorted; /* the first column the rows are sorted by, -1 none found */
};

struct file_writer {
    struct hr_file_writer base;
    struct hr_out *dst;
    struct hr_pqw_conf conf;
    struct hr_pqw_wschema ws;
    int64_t offset; /* bytes of the file so far */
    int64_t rows;
    struct hr_buf chunks, column_indexes, offset_indexes; /* encoded */
    struct hr_buf chunk_ends, group_ends;                 /* arrays of the structs above */
    size_t n_chunks, n_groups;
};

static int emit(struct file_writer *fw, const void *ptr, size_t len, struct hr_error *err) {
    const int rc = len > 0 ? hr_out_write(fw->dst, ptr, len, err) : 0;
    fw->offset += rc == 0 ? (int64_t)len : 0;
    return rc;
}

static int begin_file(struct file_writer *fw, struct hr_error *err) {
    return fw->offset == 0 ? emit(fw, magic, sizeof(magic), err) : 0;
}

/* ---- add ---- */

static void put_encodings(struct hr_thrift_out *t, const struct hr_pqw_leaf *leaf,
                          const struct hr_pqw_chunk_meta *m) {
    int list[3];
    size_t n = 0;
    if (m->dictionary && m->encoding != HR_PQ_PLAIN_DICTIONARY) {
        list[n++] = HR_PQ_PLAIN; /* of the dictionary page */
    }
    list[n++] = m->encoding;
    if ((leaf->max_def > 0 || leaf->max_rep > 0) && m->encoding != HR_PQ_RLE) {
        list[n++] = HR_PQ_RLE; /* of the levels */
    }
    hr_thrift_put_list(t, 2, HR_THRIFT_I32, n);
    for (size_t i = 0; i < n; i++) {
        hr_thrift_item_i32(t, list[i]);
    }
}

static void put_page_stats(struct hr_thrift_out *t, int page_type, int encoding, size_t count) {
    hr_thrift_item_struct(t);
    hr_thrift_put_i32(t, 1, page_type);
    hr_thrift_put_i32(t, 2, encoding);
    hr_thrift_put_i32(t, 3, (int32_t)count);
    hr_thrift_put_end(t);
}

static void put_encoding_stats(struct hr_thrift_out *t, const struct hr_pqw_chunk_meta *m) {
    hr_thrift_put_list(t, 13, HR_THRIFT_STRUCT, m->dictionary ? 2 : 1);
    if (m->dictionary) {
        const int encoding =
            m->encoding == HR_PQ_PLAIN_DICTIONARY ? HR_PQ_PLAIN_DICTIONARY : HR_PQ_PLAIN;
        put_page_stats(t, HR_PQ_DICTIONARY_PAGE, encoding, 1);
    }
    put_page_stats(t, m->page_type, m->encoding, m->n_pages);
}

/* ColumnChunk up to and including field 3, with offsets of the file. */
static void put_counts(struct hr_thrift_out *t, int id, const int64_t *counts, int max) {
    if (counts != NULL) {
        hr_thrift_put_list(t, id, HR_THRIFT_I64, (size_t)max + 1);
        for (int i = 0; i <= max; i++) {
            hr_thrift_item_i64(t, counts[i]);
        }
    }
}

/* SizeStatistics: what the values take without encoding, how many there are at each level. */
static void put_sizes(struct hr_thrift_out *t, const struct hr_pqw_leaf *leaf,
                      const struct hr_pqw_chunk_meta *m) {
    if (m->byte_array_bytes < 0 && m->def_counts == NULL && m->rep_counts == NULL) {
        return;
    }
    hr_thrift_put_struct(t, 16);
    if (m->byte_array_bytes >= 0) {
        hr_thrift_put_i64(t, 1, m->byte_array_bytes);
    }
    put_counts(t, 2, m->rep_counts, leaf->max_rep);
    put_counts(t, 3, m->def_counts, leaf->max_def);
    hr_thrift_put_end(t);
}

static void put_chunk(struct hr_thrift_out *t, const struct hr_pqw_leaf *leaf,
                      const struct hr_pqw_chunk_meta *m, int64_t base) {
    hr_thrift_put_i64(t, 2, 0); /* file_offset: deprecated, 0 where the metadata is only here */
    hr_thrift_put_struct(t, 3);
    hr_thrift_put_i32(t, 1, leaf->type);
    put_encodings(t, leaf, m);
    hr_thrift_put_list(t, 3, HR_THRIFT_BINARY, (size_t)leaf->n_path);
    for (int i = 0; i < leaf->n_path; i++) {
        hr_thrift_item_bytes(t, leaf->path[i].ptr, leaf->path[i].len);
    }
    hr_thrift_put_i32(t, 4, m->codec);
    hr_thrift_put_i64(t, 5, m->n_levels);
    hr_thrift_put_i64(t, 6, m->uncompressed);
    hr_thrift_put_i64(t, 7, m->compressed);
    hr_thrift_put_i64(t, 9, base + m->data_offset);
    if (m->dictionary) {
        hr_thrift_put_i64(t, 11, base + m->offset);
    }
    if (m->stats.len > 0) {
        hr_thrift_put_struct(t, 12);
        hr_thrift_put_raw(t, m->stats.ptr, m->stats.len - 1, 0); /* put_end writes the stop */
        hr_thrift_put_end(t);
    }
    put_encoding_stats(t, m);
    if (m->bloom_offset >= 0) {
        hr_thrift_put_i64(t, 14, base + m->bloom_offset);
        hr_thrift_put_i32(t, 15, m->bloom_len);
    }
    put_sizes(t, leaf, m);
    hr_thrift_put_end(t);
}

static void put_offset_index(struct hr_thrift_out *t, const struct hr_pqw_chunk_meta *m,
                             int64_t base) {
    hr_thrift_put_list(t, 1, HR_THRIFT_STRUCT, m->n_pages);
    for (size_t i = 0; i < m->n_pages; i++) {
        hr_thrift_item_struct(t);
        hr_thrift_put_i64(t, 1, base + m->pages[i].offset);
        hr_thrift_put_i32(t, 2, m->pages[i].size);
        hr_thrift_put_i64(t, 3, m->pages[i].first_row);
        hr_thrift_put_end(t);
    }
    hr_thrift_put_end(t);
}

static int add_chunk(struct file_writer *fw, const struct hr_pqw_leaf *leaf,
                     const struct hr_pqw_chunk_meta *m, int64_t base, struct hr_error *err) {
    struct chunk_end end = {0};
    struct hr_thrift_out t;
    size_t before = fw->chunks.len;
    hr_thrift_out_init(&t, &fw->chunks);
    put_chunk(&t, leaf, m, base);
    end.len = fw->chunks.len - before;
    int rc = t.rc;
    if (rc == 0 && fw->conf.page_index) {
        before = fw->offset_indexes.len;
        hr_thrift_out_init(&t, &fw->offset_indexes);
        put_offset_index(&t, m, base);
        end.offset_index_len = fw->offset_indexes.len - before;
        end.column_index_len = m->column_index.len;
        rc = t.rc;
        if (rc == 0 && end.column_index_len > 0) {
            rc = hr_buf_append(&fw->column_indexes, m->column_index.ptr, m->column_index.len, NULL);
        }
    }
    rc = rc != 0 ? rc : hr_buf_append(&fw->chunk_ends, &end, sizeof(end), NULL);
    fw->n_chunks += rc == 0;
    return rc == 0 ? 0 : hr_fail(err, rc, "could not keep the footer of a Parquet file in memory");
}

static int writer_add(struct hr_file_writer *base, const struct hr_block *block,
                      struct hr_error *err) {
    struct file_writer *fw = (struct file_writer *)base;
    const struct hr_pqw_block_meta *meta = block->meta;
    if (meta->n_chunks != fw->ws.n_leaves) {
        return hr_fail(err, HR_E_INTERNAL,
                       "could not add a Parquet row group of %d columns to a file of %d",
                       meta->n_chunks, fw->ws.n_leaves);
    }
    int rc = begin_file(fw, err);
    struct group_end end = {.rows = meta->rows, .offset = fw->offset, .sorted = -1};
    for (int i = 0; rc == 0 && i < meta->n_chunks; i++) {
        end.uncompressed += meta->chunks[i].uncompressed;
        end.compressed += meta->chunks[i].compressed;
        end.sorted = end.sorted < 0 && meta->chunks[i].sorted ? i : end.sorted;
        rc = add_chunk(fw, &fw->ws.leaves[i], &meta->chunks[i], fw->offset, err);
    }
    rc = rc != 0 ? rc : hr_buf_append(&fw->group_ends, &end, sizeof(end), err);
    rc = rc != 0 ? rc : emit(fw, block->data, block->len, err);
    if (rc == 0) {
        fw->n_groups++;
        fw->rows += meta->rows;
    }
    return rc;
}

/* ---- finish ---- */

struct index_places { /* where the next chunk's indexes stand */
    int64_t column_index, offset_index;
};

static void put_chunks(struct file_writer *fw, struct hr_thrift_out *t, size_t first,
                       const uint8_t **bytes, struct index_places *at) {
    const struct chunk_end *ends = (const struct chunk_end *)(const void *)fw->chunk_ends.ptr;
    hr_thrift_put_list(t, 1, HR_THRIFT_STRUCT, (size_t)fw->ws.n_leaves);
    for (size_t i = first; i < first + (size_t)fw->ws.n_leaves; i++) {
        hr_thrift_item_struct(t);
        hr_thrift_put_raw(t, *bytes, ends[i].len, 3);
        *bytes += ends[i].len;
        if (ends[i].offset_index_len > 0) {
            hr_thrift_put_i64(t, 4, at->offset_index);
            hr_thrift_put_i32(t, 5, (int32_t)ends[i].offset_index_len);
            at->offset_index += (int64_t)ends[i].offset_index_len;
        }
        if (ends[i].column_index_len > 0) {
            hr_thrift_put_i64(t, 6, at->column_index);
            hr_thrift_put_i32(t, 7, (int32_t)ends[i].column_index_len);
            at->column_index += (int64_t)ends[i].column_index_len;
        }
        hr_thrift_put_end(t);
    }
}

static void put_groups(struct file_writer *fw, struct hr_thrift_out *t, struct index_places *at) {
    const struct group_end *ends = (const struct group_end *)(const void *)fw->group_ends.ptr;
    const uint8_t *bytes = fw->chunks.ptr;
    hr_thrift_put_list(t, 4, HR_THRIFT_STRUCT, fw->n_groups);
    for (size_t g = 0; g < fw->n_groups; g++) {
        hr_thrift_item_struct(t);
        put_chunks(fw, t, g * (size_t)fw->ws.n_leaves, &bytes, at);
        hr_thrift_put_i64(t, 2, ends[g].uncompressed);
        hr_thrift_put_i64(t, 3, ends[g].rows);
        if (ends[g].sorted >= 0) {
            hr_thrift_put_list(t, 4, HR_THRIFT_STRUCT, 1);
            hr_thrift_item_struct(t);
            hr_thrift_put_i32(t, 1, ends[g].sorted);
            hr_thrift_put_bool(t, 2, false); /* descending */
            hr_thrift_put_bool(t, 3, false); /* nulls first: there are none */
            hr_thrift_put_end(t);
        }
        hr_thrift_put_i64(t, 5, ends[g].offset);
        hr_thrift_put_i64(t, 6, ends[g].compressed);
        if (g <= INT16_MAX) {
            hr_thrift_put_i16(t, 7, (int)g);
        }
        hr_thrift_put_end(t);
    }
}

static int put_key_values(struct file_writer *fw, struct hr_thrift_out *t, struct hr_error *err) {
    struct hr_buf text;
    hr_buf_init(&text, 0);
    const int rc = hr_pqw_arrow_schema(fw->ws.schema, &text, err);
    if (rc == 0) {
        hr_thrift_put_list(t, 5, HR_THRIFT_STRUCT, 1);
        hr_thrift_item_struct(t);
        hr_thrift_put_bytes(t, 1, "ARROW:schema", 12);
        hr_thrift_put_bytes(t, 2, text.ptr, text.len);
        hr_thrift_put_end(t);
    }
    hr_buf_release(&text);
    return rc;
}

static void put_orders(const struct file_writer *fw, struct hr_thrift_out *t) {
    hr_thrift_put_list(t, 7, HR_THRIFT_STRUCT, (size_t)fw->ws.n_leaves);
    for (int i = 0; i < fw->ws.n_leaves; i++) {
        hr_thrift_item_struct(t); /* ColumnOrder: a union with TYPE_ORDER */
        hr_thrift_put_struct(t, 1);
        hr_thrift_put_end(t);
        hr_thrift_put_end(t);
    }
}

static int put_footer(struct file_writer *fw, struct index_places at, struct hr_buf *buf,
                      struct hr_error *err) {
    struct hr_thrift_out t;
    hr_thrift_out_init(&t, buf);
    hr_thrift_put_i32(&t, 1, fw->conf.plain_dictionary ? 1 : 2);
    hr_pqw_wschema_put(&fw->ws, &t, 2);
    hr_thrift_put_i64(&t, 3, fw->rows);
    put_groups(fw, &t, &at);
    const int rc = put_key_values(fw, &t, err);
    hr_thrift_put_bytes(&t, 6, CREATED_BY, sizeof(CREATED_BY) - 1);
    put_orders(fw, &t);
    hr_thrift_put_end(&t);
    if (rc != 0 || t.rc == 0) {
        return rc;
    }
    return hr_fail(err, t.rc, "could not hold the footer of a Parquet file in memory");
}

static int writer_finish(struct hr_file_writer *base, struct hr_error *err) {
    struct file_writer *fw = (struct file_writer *)base;
    struct hr_buf footer;
    hr_buf_init(&footer, INT32_MAX);
    int rc = begin_file(fw, err);
    const struct index_places at = {.column_index = fw->offset,
                                    .offset_index = fw->offset + (int64_t)fw->column_indexes.len};
    rc = rc != 0 ? rc : put_footer(fw, at, &footer, err);
    rc = rc != 0 ? rc : emit(fw, fw->column_indexes.ptr, fw->column_indexes.len, err);
    rc = rc != 0 ? rc : emit(fw, fw->offset_indexes.ptr, fw->offset_indexes.len, err);
    const size_t len = footer.len;
    for (unsigned i = 0; rc == 0 && i < 4; i++) {
        rc = hr_buf_append_byte(&footer, (uint8_t)(len >> (8 * i)), err);
    }
    rc = rc != 0 ? rc : hr_buf_append(&footer, magic, sizeof(magic), err);
    rc = rc != 0 ? rc : emit(fw, footer.ptr, footer.len, err);
    hr_buf_release(&footer);
    return rc;
}

static size_t writer_pending(const struct hr_file_writer *base) {
    const struct file_writer *fw = (const struct file_writer *)base;
    return fw->chunks.len + fw->column_indexes.len + fw->offset_indexes.len + 16 * fw->n_chunks +
           64 * fw->n_groups + 64 * (size_t)fw->ws.n_elements + 512;
}

static void writer_close(struct hr_file_writer *base) {
    struct file_writer *fw = (struct file_writer *)base;
    if (fw == NULL) {
        return;
    }
    hr_buf_release(&fw->chunks);
    hr_buf_release(&fw->column_indexes);
    hr_buf_release(&fw->offset_indexes);
    hr_buf_release(&fw->chunk_ends);
    hr_buf_release(&fw->group_ends);
    hr_pqw_wschema_release(&fw->ws);
    hr_free(fw);
}

static const struct hr_file_writer_ops writer_ops = {
    .add = writer_add, .finish = writer_finish, .pending = writer_pending, .close = writer_close};

int hr_parquet_file_writer_open(struct hr_schema *schema, const struct hr_write_opts *opts,
                                struct hr_out *dst, struct hr_file_writer **out,
                                struct hr_error *err) {
    *out = NULL;
    struct file_writer *fw = hr_calloc(1, sizeof(*fw));
    if (fw == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate a Parquet file writer");
    }
    fw->base.ops = &writer_ops;
    fw->dst = dst;
    int rc = hr_pqw_wschema_init(&fw->ws, schema, NULL, err);
    rc = rc != 0 ? rc : hr_pqw_conf_init(&fw->conf, opts, err);
    if (rc != 0) {
        writer_close(&fw->base);
        return rc;
    }
    *out = &fw->base;
    return 0;
}
