/* format/json/json_writer.c - batches to JSON lines or one JSON array.
 *
 * The encoder turns rows into blocks of about 8 MiB that end with a row; where a block is cut
 * depends on the rows alone. Lines: every row ends in a newline. Array: ",\n" stands between rows,
 * and the file writer puts '[', ",\n" and ']' around and between blocks. With a codec whose streams
 * may be concatenated every block (and each of those small pieces) is a member of its own, made by
 * the workers; with others the file writer compresses the whole as one stream.
 */
#include "base/mem.h"
#include "format/json/json_read.h"
#include "format/json/json_render.h"

#define BLOCK_BYTES ((size_t)8 << 20)
#define STREAM_ROOM ((size_t)64 << 10)

static bool by_members(const struct hr_codec *codec) {
    return codec != NULL && (codec->flags & HR_CODEC_CONCAT) != 0;
}

/* ---- encoder ---- */

struct encoder {
    struct hr_encoder base;
    struct hr_schema *schema;
    const struct hr_codec *codec; /* NULL: blocks stay plain */
    int level;
    bool array;
    size_t block_bytes;
    struct hr_j_text text; /* the block being written */
    int64_t rows;          /* in it */
    struct hr_j_key *keys; /* of each column */
    struct hr_buf key_text;
    struct hr_buf packed;
    struct hr_block *ready; /* finished blocks, [first, count) */
    size_t first, count, cap;
};

static struct encoder *encoder_of(struct hr_encoder *enc) {
    return (struct encoder *)(void *)enc;
}

static int room_for_block(struct encoder *e, struct hr_error *err) {
    if (e->first == e->count) {
        e->first = e->count = 0;
    }
    if (e->count < e->cap) {
        return 0;
    }
    const size_t cap = e->cap ? 2 * e->cap : 8;
    struct hr_block *grown = hr_reallocarray(e->ready, cap, sizeof(*grown));
    if (grown == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate a JSON block");
    }
    e->ready = grown;
    e->cap = cap;
    return 0;
}

/* The rows so far become a block. */
static int cut(struct encoder *e, struct hr_error *err) {
    if (e->rows == 0) {
        return 0;
    }
    struct hr_block block = {.rows = e->rows};
    int rc = room_for_block(e, err);
    if (rc == 0 && e->codec == NULL) {
        block.data = e->text.ptr;
        block.len = e->text.len;
        e->text.ptr = NULL;
        e->text.cap = 0;
        e->text.first = block.len + block.len / 16; /* the next block will be as long */
    } else if (rc == 0) {
        hr_buf_clear(&e->packed);
        rc = hr_codec_encode(e->codec, e->level, hr_slice_of(e->text.ptr, e->text.len), &e->packed,
                             err);
        block.data = rc == 0 ? hr_big_alloc(e->packed.len, NULL) : NULL;
        block.len = e->packed.len;
        if (rc == 0 && block.data == NULL) {
            rc = hr_fail(err, HR_E_NOMEM, "could not allocate a JSON block");
        }
        if (rc == 0) {
            memcpy(block.data, e->packed.ptr, e->packed.len);
        }
    }
    if (rc == 0) {
        e->ready[e->count++] = block;
        e->text.len = 0;
        e->rows = 0;
    }
    return rc;
}

static int put_row(struct encoder *e, const struct hr_batch *batch, int64_t row,
                   struct hr_error *err) {
    struct hr_j_text *text = &e->text;
    const int n = e->schema->n_fields;
    int rc = hr_j_text_room(text, 8, err);
    if (rc != 0) {
        return rc;
    }
    if (e->array && e->rows > 0) {
        memcpy(text->ptr + text->len, ",\n", 2);
        text->len += 2;
    }
    if (n == 0) {
        text->ptr[text->len++] = '{';
    }
    rc = hr_j_text_row(text, e->keys, batch->vecs, n, row, err);
    rc = rc ? rc : hr_j_text_room(text, 2, err);
    if (rc != 0) {
        return rc;
    }
    text->ptr[text->len++] = '}';
    if (!e->array) {
        text->ptr[text->len++] = '\n';
    }
    e->rows++;
    return 0;
}

static int encoder_put(struct hr_encoder *enc, const struct hr_batch *batch, struct hr_error *err) {
    struct encoder *e = encoder_of(enc);
    int rc = 0;
    for (int64_t row = 0; rc == 0 && row < batch->len; row++) {
        rc = put_row(e, batch, row, err);
        if (rc == 0 && e->text.len >= e->block_bytes) {
            rc = cut(e, err);
        }
    }
    return rc;
}

static int encoder_finish(struct hr_encoder *enc, struct hr_error *err) {
    return cut(encoder_of(enc), err);
}

static int encoder_pop(struct hr_encoder *enc, struct hr_block *out, struct hr_error *err) {
    struct encoder *e = encoder_of(enc);
    (void)err;
    if (e->first == e->count) {
        return HR_END;
    }
    *out = e->ready[e->first++];
    return 0;
}

static void encoder_reset(struct hr_encoder *enc) {
    struct encoder *e = encoder_of(enc);
    for (; e->first < e->count; e->first++) {
        hr_big_free(e->ready[e->first].data);
    }
    e->first = e->count = 0;
    e->text.len = 0;
    e->rows = 0;
}

static void encoder_close(struct hr_encoder *enc) {
    struct encoder *e = encoder_of(enc);
    encoder_reset(enc);
    hr_j_text_release(&e->text);
    hr_buf_release(&e->key_text);
    hr_buf_release(&e->packed);
    hr_free(e->keys);
    hr_free(e->ready);
    hr_schema_unref(e->schema);
    hr_free(e);
}

/* `{"first":`, `,"second":` … one after another in key_text. */
static int make_keys(struct encoder *e, struct hr_error *err) {
    const int n = e->schema->n_fields;
    e->keys = hr_calloc((size_t)n, sizeof(*e->keys));
    if (e->keys == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate a JSON writer");
    }
    int rc = 0;
    for (int i = 0; rc == 0 && i < n; i++) {
        const size_t from = e->key_text.len;
        rc = hr_buf_append_byte(&e->key_text, i == 0 ? '{' : ',', err);
        rc = rc ? rc
                : hr_buf_append_json(&e->key_text, hr_slice_str(e->schema->fields[i].name), err);
        rc = rc ? rc : hr_buf_append_byte(&e->key_text, ':', err);
        e->keys[i].len = e->key_text.len - from;
    }
    rc = rc ? rc : hr_buf_reserve(&e->key_text, HR_PAD, err);
    size_t at = 0;
    for (int i = 0; rc == 0 && i < n; i++) {
        e->keys[i].ptr = e->key_text.ptr + at;
        at += e->keys[i].len;
    }
    return rc;
}

int hr_j_encoder(struct hr_schema *schema, const struct hr_write_opts *opts, bool array,
                 struct hr_encoder **out, struct hr_error *err) {
    static const struct hr_encoder_ops ops = {.put = encoder_put,
                                              .finish = encoder_finish,
                                              .pop = encoder_pop,
                                              .reset = encoder_reset,
                                              .close = encoder_close};
    *out = NULL;
    struct encoder *e = hr_calloc(1, sizeof(*e));
    if (e == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate a JSON writer");
    }
    e->base.ops = &ops;
    e->schema = hr_schema_ref(schema);
    e->codec = by_members(opts->codec) ? opts->codec : NULL;
    e->level = opts->codec_level;
    e->array = array;
    const uint64_t bytes = opts->row_group_bytes;
    e->block_bytes = bytes > 0 && bytes < BLOCK_BYTES ? (size_t)bytes : BLOCK_BYTES;
    hr_buf_init(&e->packed, (size_t)INT32_MAX);
    int rc = hr_j_text_init(&e->text, err);
    rc = rc ? rc : make_keys(e, err);
    if (rc != 0) {
        encoder_close(&e->base);
        return rc;
    }
    *out = &e->base;
    return 0;
}

/* ---- file writer ---- */

struct writer {
    struct hr_file_writer base;
    struct hr_out *dst;
    const struct hr_codec *codec;
    int level;
    bool array;
    bool begun;    /* a block was written */
    void *stream;  /* codecs that need one stream for all */
    uint8_t *room; /* its output */
    size_t room_cap;
    struct hr_buf packed;
    uint8_t piece[8 + HR_PAD];
};

static struct writer *writer_of(struct hr_file_writer *fw) {
    return (struct writer *)(void *)fw;
}

static int stream_step(struct writer *w, struct hr_slice in, bool finish, struct hr_error *err) {
    struct hr_codec_io io = {.in = in.ptr, .in_len = in.len};
    int rc = 0;
    while (rc == 0 && (io.in_len > 0 || finish)) {
        io.out = w->room;
        io.out_len = w->room_cap;
        rc = w->codec->encode_step(w->stream, &io, finish, err);
        const size_t n = w->room_cap - io.out_len;
        if (rc >= 0 && n > 0) {
            const int failed = hr_out_write(w->dst, w->room, n, err);
            rc = failed ? failed : rc;
        }
    }
    return rc == HR_END ? 0 : rc;
}

/* A piece between blocks, not compressed yet. */
static int write_piece(struct writer *w, const char *piece, struct hr_error *err) {
    const struct hr_slice text = hr_slice_of(w->piece, strlen(piece));
    memcpy(w->piece, piece, text.len);
    if (w->codec == NULL) {
        return hr_out_write(w->dst, text.ptr, text.len, err);
    }
    if (w->stream != NULL) {
        return stream_step(w, text, false, err);
    }
    hr_buf_clear(&w->packed);
    const int rc = hr_codec_encode(w->codec, w->level, text, &w->packed, err);
    return rc ? rc : hr_out_write(w->dst, w->packed.ptr, w->packed.len, err);
}

static int writer_add(struct hr_file_writer *fw, const struct hr_block *block,
                      struct hr_error *err) {
    struct writer *w = writer_of(fw);
    int rc = 0;
    if (w->array) {
        rc = write_piece(w, w->begun ? ",\n" : "[\n", err);
    }
    w->begun = true;
    if (rc == 0) {
        rc = w->stream != NULL ? stream_step(w, hr_slice_of(block->data, block->len), false, err)
                               : hr_out_write(w->dst, block->data, block->len, err);
    }
    return rc;
}

static int writer_finish(struct hr_file_writer *fw, struct hr_error *err) {
    struct writer *w = writer_of(fw);
    int rc = 0;
    if (w->array) {
        rc = write_piece(w, w->begun ? "\n]\n" : "[]\n", err);
    } else if (!w->begun && w->codec != NULL && w->stream == NULL) {
        rc = write_piece(w, "", err); /* no rows, yet a whole compressed file */
    }
    if (rc == 0 && w->stream != NULL) {
        rc = stream_step(w, hr_slice_of(w->piece, 0), true, err);
    }
    return rc;
}

static size_t writer_pending(const struct hr_file_writer *fw) {
    (void)fw;
    return 64; /* the closing bracket and an end of stream */
}

static void writer_close(struct hr_file_writer *fw) {
    struct writer *w = writer_of(fw);
    if (w->stream != NULL) {
        w->codec->encode_end(w->stream);
    }
    hr_big_free(w->room);
    hr_buf_release(&w->packed);
    hr_free(w);
}

int hr_j_file_writer(const struct hr_write_opts *opts, bool array, struct hr_out *dst,
                     struct hr_file_writer **out, struct hr_error *err) {
    static const struct hr_file_writer_ops ops = {.add = writer_add,
                                                  .finish = writer_finish,
                                                  .pending = writer_pending,
                                                  .close = writer_close};
    *out = NULL;
    struct writer *w = hr_calloc(1, sizeof(*w));
    if (w == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate a JSON writer");
    }
    w->base.ops = &ops;
    w->dst = dst;
    w->codec = opts->codec;
    w->level = opts->codec_level;
    w->array = array;
    hr_buf_init(&w->packed, (size_t)INT32_MAX);
    int rc = 0;
    if (w->codec != NULL && !by_members(w->codec)) {
        w->room = hr_big_alloc(STREAM_ROOM, &w->room_cap);
        rc = w->room ? w->codec->encode_begin(&w->stream, w->level, err)
                     : hr_fail(err, HR_E_NOMEM, "could not allocate a JSON writer");
    }
    if (rc != 0) {
        writer_close(&w->base);
        return rc;
    }
    *out = &w->base;
    return 0;
}
