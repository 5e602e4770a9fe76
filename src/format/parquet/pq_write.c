/* format/parquet/pq_write.c - the encoder: takes batches, cuts row groups, hands out blocks.
 *
 * put() copies the rows of a batch column by column into the leaves (pq_wput.c); when the row group
 * is full, every leaf becomes a column chunk (pq_wchunk.c), one after another in one large buffer:
 * the block. Where a group ends depends on the rows alone: each row has a size (the bytes of its
 * values as Arrow holds them), and the group ends with the row that reaches the limit of rows or
 * bytes. Sizes add up over any run of rows in O(columns), so the cut is found by bisection.
 */
#include "format/parquet/pq_write.h"

#include "format/parquet/pq_write_internal.h"

#define GROUP_BYTES_MAX ((uint64_t)1 << 30) /* keeps every offset of a group below 4 GiB */

/* ---- options ---- */

struct codec_name {
    const char *ours;  /* as options spell it */
    const char *block; /* the codec of a page */
    int id;
};
static const struct codec_name codec_names[] = {
    {"snappy", "snappy-raw", HR_PQ_SNAPPY}, {"snappy-raw", "snappy-raw", HR_PQ_SNAPPY},
    {"gzip", "gzip", HR_PQ_GZIP},           {"zstd", "zstd", HR_PQ_ZSTD},
    {"lz4", "lz4-raw", HR_PQ_LZ4_RAW},      {"lz4-raw", "lz4-raw", HR_PQ_LZ4_RAW},
    {"brotli", "brotli", HR_PQ_BROTLI},
};

static int conf_codec(struct hr_pqw_conf *conf, const struct hr_write_opts *opts,
                      struct hr_error *err) {
    if (opts->codec == NULL) {
        return 0;
    }
    for (size_t i = 0; i < HR_COUNTOF(codec_names); i++) {
        if (strcmp(opts->codec->name, codec_names[i].ours) == 0) {
            const char *name = codec_names[i].block;
            conf->codec = hr_codec_by_name(name, strlen(name));
            conf->codec_id = codec_names[i].id;
        }
    }
    if (conf->codec == NULL || conf->codec->encode_block == NULL) {
        const int rc = hr_fail(err, HR_E_CONFIG, "could not write Parquet with compression \"%s\"",
                               opts->codec->name);
        hr_error_hint(err, "Parquet knows snappy, zstd, gzip, lz4, brotli and none.");
        return rc;
    }
    conf->level = opts->codec_level != 0 ? opts->codec_level : conf->codec->level_default;
    return 0;
}

int hr_pqw_conf_init(struct hr_pqw_conf *conf, const struct hr_write_opts *opts,
                     struct hr_error *err) {
    *conf = (struct hr_pqw_conf){
        .group_rows = opts->row_group_rows > 0 ? opts->row_group_rows : 122880,
        .group_bytes = opts->row_group_bytes > 0 ? opts->row_group_bytes : (uint64_t)64 << 20,
        .page_bytes = opts->page_bytes > 0 ? (size_t)opts->page_bytes : (size_t)1 << 20,
        .dictionary = opts->dictionary,
        .statistics = opts->statistics,
        .page_index = opts->page_index,
        .page_crc = opts->page_crc,
        .classic = opts->classic || opts->parquet_version == 1,
        .v2 = !opts->classic && opts->parquet_version != 1,
        .plain_dictionary = opts->parquet_version == 1};
    if (conf->group_bytes > GROUP_BYTES_MAX) {
        conf->group_bytes = GROUP_BYTES_MAX;
    }
    if (conf->group_rows > INT32_MAX) {
        conf->group_rows = INT32_MAX;
    }
    return conf_codec(conf, opts, err);
}

/* ---- the encoder ---- */

struct ready {
    struct ready *next;
    struct hr_block block;
};

struct encoder {
    struct hr_encoder base;
    struct hr_pqw_conf conf;
    struct hr_pqw_wschema ws;
    struct hr_pqw_col *cols; /* one per leaf */
    int64_t rows;            /* in the open row group */
    uint64_t bytes;
    struct hr_pqw_scratch scratch;
    size_t last_len; /* of the last block: what the next one will need, about */
    struct ready *first, **last;
};

static void free_meta(void *meta) {
    struct hr_pqw_block_meta *m = meta;
    if (m != NULL) {
        hr_arena_release(&m->arena);
        hr_free(m);
    }
}

static void drop_ready(struct encoder *enc) {
    while (enc->first != NULL) {
        struct ready *r = enc->first;
        enc->first = r->next;
        hr_big_free(r->block.data);
        free_meta(r->block.meta);
        hr_free(r);
    }
    enc->last = &enc->first;
}

static void clear_group(struct encoder *enc) {
    for (int i = 0; i < enc->ws.n_leaves; i++) {
        hr_pqw_col_clear(&enc->cols[i]);
    }
    enc->rows = 0;
    enc->bytes = 0;
}

static struct hr_pqw_block_meta *new_meta(const struct encoder *enc, struct hr_error *err) {
    struct hr_pqw_block_meta *meta = hr_calloc(1, sizeof(*meta));
    if (meta != NULL) {
        hr_arena_init(&meta->arena, 0);
        meta->rows = enc->rows;
        meta->n_chunks = enc->ws.n_leaves;
        meta->chunks =
            hr_arena_calloc(&meta->arena, (size_t)enc->ws.n_leaves + 1, sizeof(*meta->chunks));
    }
    if (meta == NULL || meta->chunks == NULL) {
        free_meta(meta);
        hr_fail(err, HR_E_NOMEM, "could not allocate the metadata of a Parquet row group");
        return NULL;
    }
    return meta;
}

/* The open row group becomes a block. */
static int flush(struct encoder *enc, struct hr_error *err) {
    if (enc->rows == 0) {
        return 0;
    }
    struct hr_pqw_room data = {0};
    struct ready *r = NULL;
    struct hr_pqw_block_meta *meta = new_meta(enc, err);
    int rc = meta == NULL ? HR_E_NOMEM : 0;
    rc = rc != 0 ? rc : hr_pqw_room_reserve(&data, enc->last_len + enc->last_len / 8 + 65536, err);
    for (int i = 0; rc == 0 && i < enc->ws.n_leaves; i++) {
        rc = hr_pqw_chunk(&enc->conf, &enc->cols[i], &enc->scratch, &data, &meta->arena,
                          &meta->chunks[i], err);
    }
    if (rc == 0) {
        r = hr_calloc(1, sizeof(*r));
        rc = r == NULL ? hr_fail(err, HR_E_NOMEM, "could not queue a Parquet row group") : 0;
    }
    if (rc != 0) {
        hr_pqw_room_release(&data);
        free_meta(meta);
        return rc;
    }
    enc->last_len = data.len;
    r->block = (struct hr_block){
        .data = data.ptr, .len = data.len, .rows = enc->rows, .meta = meta, .free_meta = free_meta};
    *enc->last = r;
    enc->last = &r->next;
    clear_group(enc);
    return 0;
}

/* ---- where a row group ends ---- */

/* Bytes of elements [from, to), additive over ranges. */
static uint64_t vec_bytes(const struct hr_vec *vec, int64_t from, int64_t to) {
    const uint64_t n = (uint64_t)(to - from);
    uint64_t sum = 0;
    switch (vec->field->type.id) {
    case HR_T_UTF8:
    case HR_T_BINARY: return n == 0 ? 0 : 4 * n + (uint64_t)(vec->offsets[to] - vec->offsets[from]);
    case HR_T_LIST:
    case HR_T_MAP:
        return n == 0 ? 0
                      : 4 * n + vec_bytes(&vec->children[0], vec->offsets[from], vec->offsets[to]);
    case HR_T_STRUCT:
        for (int i = 0; i < vec->n_children; i++) {
            sum += vec_bytes(&vec->children[i], from, to);
        }
        return sum;
    case HR_T_NULL:
    case HR_T_BOOL: return n;
    default: return n * (uint64_t)hr_type_width(vec->field->type);
    }
}

static uint64_t rows_bytes(const struct hr_batch *batch, int64_t from, int64_t to) {
    uint64_t sum = 0;
    for (int i = 0; i < batch->schema->n_fields; i++) {
        sum += vec_bytes(&batch->vecs[i], from, to);
    }
    return sum;
}

/* How many of the rows from `from` on still belong to the open group (at least one); *full when it
 * ends with them. */
static int64_t rows_that_fit(const struct encoder *enc, const struct hr_batch *batch, int64_t from,
                             uint64_t *bytes, bool *full) {
    int64_t n = enc->conf.group_rows - enc->rows;
    const uint64_t room = enc->conf.group_bytes - enc->bytes;
    *full = n <= batch->len - from;
    n = *full ? n : batch->len - from;
    *bytes = rows_bytes(batch, from, from + n);
    if (*bytes >= room) {
        int64_t low = 0, high = n; /* low rows do not reach the limit, high rows do */
        while (high - low > 1) {
            const int64_t middle = low + (high - low) / 2;
            if (rows_bytes(batch, from, from + middle) >= room) {
                high = middle;
            } else {
                low = middle;
            }
        }
        n = high;
        *bytes = rows_bytes(batch, from, from + n);
        *full = true;
    }
    return n;
}

static int put_rows(struct encoder *enc, const struct hr_batch *batch, int64_t from, int64_t to,
                    struct hr_error *err) {
    int rc = 0;
    for (int i = 0; rc == 0 && i < enc->ws.n_leaves; i++) {
        struct hr_pqw_col *col = &enc->cols[i];
        rc = hr_pqw_put(col, &batch->vecs[col->leaf->column], from, to, err);
    }
    return rc;
}

static int encoder_put(struct hr_encoder *base, const struct hr_batch *batch,
                       struct hr_error *err) {
    struct encoder *enc = (struct encoder *)base;
    int64_t from = 0;
    int rc = 0;
    while (rc == 0 && from < batch->len) {
        uint64_t bytes;
        bool full;
        const int64_t n = rows_that_fit(enc, batch, from, &bytes, &full);
        rc = put_rows(enc, batch, from, from + n, err);
        if (rc == 0) {
            enc->rows += n;
            enc->bytes += bytes;
            from += n;
            rc = full ? flush(enc, err) : 0;
        }
    }
    return rc;
}

static int encoder_finish(struct hr_encoder *base, struct hr_error *err) {
    return flush((struct encoder *)base, err);
}

static int encoder_pop(struct hr_encoder *base, struct hr_block *out, struct hr_error *err) {
    (void)err;
    struct encoder *enc = (struct encoder *)base;
    struct ready *r = enc->first;
    if (r == NULL) {
        return HR_END;
    }
    enc->first = r->next;
    if (enc->first == NULL) {
        enc->last = &enc->first;
    }
    *out = r->block;
    hr_free(r);
    return 0;
}

static void encoder_reset(struct hr_encoder *base) {
    struct encoder *enc = (struct encoder *)base;
    drop_ready(enc);
    clear_group(enc);
}

static void encoder_close(struct hr_encoder *base) {
    struct encoder *enc = (struct encoder *)base;
    if (enc == NULL) {
        return;
    }
    drop_ready(enc);
    for (int i = 0; enc->cols != NULL && i < enc->ws.n_leaves; i++) {
        hr_pqw_col_release(&enc->cols[i]);
    }
    hr_free(enc->cols);
    hr_pqw_scratch_release(&enc->scratch);
    hr_pqw_wschema_release(&enc->ws);
    hr_free(enc);
}

static const struct hr_encoder_ops encoder_ops = {.put = encoder_put,
                                                  .finish = encoder_finish,
                                                  .pop = encoder_pop,
                                                  .reset = encoder_reset,
                                                  .close = encoder_close};

int hr_parquet_encoder_open(struct hr_schema *schema, const struct hr_write_opts *opts,
                            struct hr_encoder **out, struct hr_error *err) {
    *out = NULL;
    struct encoder *enc = hr_calloc(1, sizeof(*enc));
    if (enc == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate a Parquet encoder");
    }
    enc->base.ops = &encoder_ops;
    enc->last = &enc->first;
    int rc = hr_pqw_wschema_init(&enc->ws, schema, &opts->bloom_columns, err);
    rc = rc != 0 ? rc : hr_pqw_conf_init(&enc->conf, opts, err);
    if (rc == 0) {
        enc->cols = hr_calloc((size_t)enc->ws.n_leaves, sizeof(*enc->cols));
        rc = enc->cols == NULL ? hr_fail(err, HR_E_NOMEM, "could not allocate a Parquet encoder")
                               : 0;
    }
    for (int i = 0; rc == 0 && i < enc->ws.n_leaves; i++) {
        enc->cols[i].leaf = &enc->ws.leaves[i];
    }
    if (rc != 0) {
        encoder_close(&enc->base);
        return rc;
    }
    *out = &enc->base;
    return 0;
}
