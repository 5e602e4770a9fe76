/* codec/hadoop_framing.c - Hadoop's BlockCompressorStream framing around raw snappy or lz4 blocks.
 *
 * A file is a run of records: uint32 big-endian, the inflated length of the record; then chunks of
 * uint32 big-endian compressed length and that many bytes, until the inflated length is reached.
 * There is no magic, no checksum and no end mark (org.apache.hadoop.io.compress). Files of Hadoop,
 * Hive and Spark named .snappy and .lz4, and Parquet's old LZ4 pages, are written so.
 *
 * Records are written with one chunk of at most 192 KiB, which fits Hadoop's 256 KiB buffers even
 * when nothing shrinks. */
#include "codec/leaves.h"

enum { HADOOP_CHUNK_MAX = 64 << 20, HADOOP_WRITE = 192 << 10 };

static uint32_t be32(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void put_be32(uint8_t *p, size_t v) {
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}

bool hr_hadoop_probe(const uint8_t *head, size_t len) {
    if (len < 8) {
        return len == 4 && be32(head) == 0; /* an empty file of Hadoop's */
    }
    uint32_t total = be32(head);
    uint32_t chunk = be32(head + 4);
    return total > 0 && total <= HADOOP_CHUNK_MAX && chunk > 0 &&
           chunk <= (uint64_t)total + total / 6 + 32;
}

/* Room the next chunk needs when `left` bytes of the record are still to come; 0: damaged. */
static size_t hadoop_room(const struct hr_hadoop_ops *ops, struct hr_slice chunk, uint32_t left) {
    size_t n = ops->inflated(chunk);
    if (n == 0) { /* not told: an lz4 byte makes at most 255 */
        n = chunk.len > HADOOP_CHUNK_MAX / 255 ? HADOOP_CHUNK_MAX : chunk.len * 255;
        return n < left ? n : left;
    }
    return n > left || n > HADOOP_CHUNK_MAX ? 0 : n;
}

/* ---- decoding a stream ---- */

enum hadoop_at { AT_TOTAL, AT_LENGTH, AT_CHUNK };

struct hadoop_decoder {
    const struct hr_hadoop_ops *ops;
    enum hadoop_at at;
    bool any;
    uint32_t left; /* inflated bytes the record still owes */
    uint32_t want; /* compressed bytes of the chunk */
    struct hr_gather gather;
    uint8_t *out;
    size_t out_cap;
    struct hr_held held;
};

int hr_hadoop_decode_begin(const struct hr_hadoop_ops *ops, void **ctx, struct hr_error *err) {
    struct hadoop_decoder *dec = hr_calloc(1, sizeof(*dec));
    if (dec == NULL) {
        return hr_fail(err, HR_E_NOMEM, "out of memory for a decompressor");
    }
    dec->ops = ops;
    hr_buf_init(&dec->gather.buf, HADOOP_CHUNK_MAX + 16);
    *ctx = dec;
    return 0;
}

void hr_hadoop_decode_end(void *ctx) {
    struct hadoop_decoder *dec = ctx;
    if (dec != NULL) {
        hr_buf_release(&dec->gather.buf);
        hr_big_free(dec->out);
        hr_free(dec);
    }
}

static int hadoop_chunk(struct hadoop_decoder *dec, struct hr_slice chunk, struct hr_codec_io *io,
                        struct hr_error *err) {
    size_t n = hadoop_room(dec->ops, chunk, dec->left);
    if (n == 0) {
        return hr_codec_fail_data(err, dec->ops->name, "a chunk is longer than its record");
    }
    bool direct = io->out_len >= n;
    if (!direct && dec->out_cap < n) {
        hr_big_free(dec->out);
        dec->out_cap = 0;
        dec->out = hr_big_alloc(n, &dec->out_cap);
        if (dec->out == NULL) {
            return hr_fail(err, HR_E_NOMEM, "out of memory for a decompressor");
        }
    }
    int rc = dec->ops->inflate(chunk, direct ? io->out : dec->out, &n, err);
    if (rc != 0) {
        return rc;
    }
    if (n == 0 || n > dec->left) {
        return hr_codec_fail_data(err, dec->ops->name, "a chunk of the wrong length");
    }
    dec->left -= (uint32_t)n;
    if (direct) {
        io->out += n;
        io->out_len -= n;
    } else {
        dec->held = (struct hr_held){.ptr = dec->out, .len = n};
    }
    return 0;
}

/* Use one whole piece: a length or a chunk. */
static int hadoop_piece(struct hadoop_decoder *dec, const uint8_t *piece, struct hr_codec_io *io,
                        struct hr_error *err) {
    int rc = 0;
    dec->any = true;
    if (dec->at == AT_TOTAL) {
        dec->left = be32(piece);
    } else if (dec->at == AT_LENGTH) {
        dec->want = be32(piece);
        dec->at = AT_CHUNK;
        if (dec->want == 0 || dec->want > HADOOP_CHUNK_MAX) {
            rc = hr_codec_fail_data(err, dec->ops->name, "an impossible chunk length");
        }
        return rc;
    } else {
        rc = hadoop_chunk(dec, hr_slice_of(piece, dec->want), io, err);
    }
    dec->at = dec->left > 0 ? AT_LENGTH : AT_TOTAL;
    return rc;
}

int hr_hadoop_decode_step(void *ctx, struct hr_codec_io *io, bool eof, struct hr_error *err) {
    struct hadoop_decoder *dec = ctx;
    for (;;) {
        if (hr_held_drain(&dec->held, io) || io->out_len == 0) {
            return 0;
        }
        if (io->in_len == 0) {
            if (!eof) {
                return 0;
            }
            return dec->at == AT_TOTAL && dec->any && dec->gather.buf.len == 0
                       ? HR_END
                       : hr_codec_fail_early(err, dec->ops->name);
        }
        const uint8_t *piece = NULL;
        size_t want = dec->at == AT_CHUNK ? dec->want : 4;
        switch (hr_gather_take(&dec->gather, io, want, &piece, err)) {
        case HR_GATHER_FAILED: return HR_E_NOMEM;
        case HR_GATHER_MORE: continue;
        case HR_GATHER_DONE: break;
        }
        int rc = hadoop_piece(dec, piece, io, err);
        if (rc != 0) {
            return rc;
        }
    }
}

/* ---- encoding a stream ---- */

struct hadoop_encoder {
    const struct hr_hadoop_ops *ops;
    struct hr_chunker chunker;
    int level;
};

int hr_hadoop_encode_begin(const struct hr_hadoop_ops *ops, int level, void **ctx,
                           struct hr_error *err) {
    struct hadoop_encoder *enc = hr_calloc(1, sizeof(*enc));
    if (enc == NULL) {
        return hr_fail(err, HR_E_NOMEM, "out of memory for a compressor");
    }
    enc->ops = ops;
    enc->level = level;
    int rc = hr_chunker_init(&enc->chunker, HADOOP_WRITE, ops->bound(HADOOP_WRITE) + 8, err);
    if (rc != 0) {
        hr_free(enc);
        return rc;
    }
    *ctx = enc;
    return 0;
}

void hr_hadoop_encode_end(void *ctx) {
    struct hadoop_encoder *enc = ctx;
    if (enc != NULL) {
        hr_chunker_release(&enc->chunker);
        hr_free(enc);
    }
}

static int hadoop_record(const struct hr_hadoop_ops *ops, struct hr_slice in, int level,
                         uint8_t *out, size_t *out_len, struct hr_error *err) {
    size_t made = 0;
    put_be32(out, in.len);
    *out_len = 4;
    if (in.len == 0) {
        return 0;
    }
    int rc = ops->deflate(in, level, out + 8, &made, err);
    put_be32(out + 4, made);
    *out_len = made + 8;
    return rc;
}

static int hadoop_pack(void *ctx, const uint8_t *in, size_t len, bool first, bool last,
                       uint8_t *out, size_t *out_len, struct hr_error *err) {
    const struct hadoop_encoder *enc = ctx;
    (void)first;
    (void)last;
    return hadoop_record(enc->ops, hr_slice_of(in, len), enc->level, out, out_len, err);
}

int hr_hadoop_encode_step(void *ctx, struct hr_codec_io *io, bool finish, struct hr_error *err) {
    static const struct hr_chunk_ops ops = {.pack = hadoop_pack};
    struct hadoop_encoder *enc = ctx;
    return hr_chunker_step(&enc->chunker, &ops, enc, io, finish, err);
}

/* ---- blocks ---- */

size_t hr_hadoop_bound(const struct hr_hadoop_ops *ops, size_t in_len) {
    size_t records = in_len / HADOOP_WRITE + 1;
    return records * (ops->bound(HADOOP_WRITE) + 8);
}

int hr_hadoop_encode_block(const struct hr_hadoop_ops *ops, struct hr_slice in, int level,
                           uint8_t *out, size_t *out_len, struct hr_error *err) {
    size_t made = 0;
    do {
        size_t take = in.len < HADOOP_WRITE ? in.len : HADOOP_WRITE;
        size_t n = 0;
        int rc = hadoop_record(ops, hr_slice_of(in.ptr, take), level, out + made, &n, err);
        if (rc != 0) {
            return rc;
        }
        made += n;
        in = hr_slice_of(in.ptr + take, in.len - take);
    } while (in.len > 0);
    *out_len = made;
    return 0;
}
