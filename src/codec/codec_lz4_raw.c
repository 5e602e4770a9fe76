/* codec/codec_lz4_raw.c - bare lz4 blocks (lz4_Block_format.md): as Parquet's LZ4_RAW pages, and in
 * Hadoop's framing, which Parquet calls LZ4 and Hadoop's own files carry.
 *
 * A bare block says neither how long it is nor whether it is whole. As a page it is checked against
 * the announced size; as a stream it is decoded sequence by sequence in a 64 KiB window, and a cut
 * between two sequences cannot be noticed. */
#include "codec/leaves.h"

#include <limits.h>
#include <lz4.h>
#include <lz4hc.h>

/* ---- blocks ---- */

static int lz4_raw_decode_block(struct hr_slice in, uint8_t *out, size_t *out_len,
                                struct hr_error *err) {
    if (in.len == 0 || in.len > INT_MAX) {
        return hr_codec_fail_early(err, "lz4-raw");
    }
    int room = *out_len < INT_MAX ? (int)*out_len : INT_MAX;
    int made = LZ4_decompress_safe((const char *)in.ptr, (char *)out, (int)in.len, room);
    if (made < 0) {
        return hr_codec_fail_data(err, "lz4-raw", "an invalid sequence, or more than announced");
    }
    *out_len = (size_t)made;
    return 0;
}

static size_t lz4_raw_bound(size_t in_len) {
    return in_len + in_len / 255 + 16; /* LZ4_compressBound without its int */
}

static int lz4_raw_encode_block(struct hr_slice in, int level, uint8_t *out, size_t *out_len,
                                struct hr_error *err) {
    if (in.len > LZ4_MAX_INPUT_SIZE) {
        return hr_fail(err, HR_E_BOUND, "a block of %zu bytes is too long for lz4", in.len);
    }
    size_t bound = lz4_raw_bound(in.len);
    int room = bound < INT_MAX ? (int)bound : INT_MAX;
    level = hr_codec_level(&hr_codec_lz4_raw, level);
    int made = level <= 2
                   ? LZ4_compress_default((const char *)in.ptr, (char *)out, (int)in.len, room)
                   : LZ4_compress_HC((const char *)in.ptr, (char *)out, (int)in.len, room, level);
    if (made <= 0) {
        return hr_fail(err, HR_E_NOMEM, "out of memory for lz4");
    }
    *out_len = (size_t)made;
    return 0;
}

/* ---- a bare block as a stream ---- */

enum lz4_at {
    AT_TOKEN,
    AT_LITERAL_LEN, /* more length bytes follow while they are 255 */
    AT_LITERALS,
    AT_OFFSET,
    AT_OFFSET_HIGH,
    AT_MATCH_LEN,
    AT_MATCH
};

struct lz4_stream {
    enum lz4_at at;
    uint8_t token;
    bool any;
    uint64_t left; /* of the literals or the match */
    uint32_t distance;
    struct hr_lz lz;
};

static int lz4_raw_decode_begin(void **ctx, struct hr_error *err) {
    struct lz4_stream *dec = hr_malloc(sizeof(*dec));
    if (dec == NULL) {
        return hr_fail(err, HR_E_NOMEM, "out of memory for a decompressor");
    }
    dec->at = AT_TOKEN;
    dec->any = false;
    dec->left = 0;
    dec->distance = 0;
    dec->token = 0;
    dec->lz.total = 0;
    *ctx = dec;
    return 0;
}

static void lz4_raw_decode_end(void *ctx) {
    hr_free(ctx);
}

/* One byte of a sequence's head. */
static int lz4_head_byte(struct lz4_stream *dec, uint8_t byte, struct hr_error *err) {
    switch (dec->at) {
    case AT_TOKEN:
        dec->token = byte;
        dec->left = byte >> 4;
        dec->at = dec->left == 15 ? AT_LITERAL_LEN : AT_LITERALS;
        return 0;
    case AT_LITERAL_LEN:
        dec->left += byte;
        dec->at = byte == 255 ? AT_LITERAL_LEN : AT_LITERALS;
        return 0;
    case AT_OFFSET:
        dec->distance = byte;
        dec->at = AT_OFFSET_HIGH;
        return 0;
    case AT_OFFSET_HIGH:
        dec->distance |= (uint32_t)byte << 8;
        if (!hr_lz_reaches(&dec->lz, dec->distance)) {
            return hr_codec_fail_data(err, "lz4-raw", "a reference before the start");
        }
        dec->left = (dec->token & 15u) + 4u;
        dec->at = (dec->token & 15) == 15 ? AT_MATCH_LEN : AT_MATCH;
        return 0;
    default: /* AT_MATCH_LEN */
        dec->left += byte;
        dec->at = byte == 255 ? AT_MATCH_LEN : AT_MATCH;
        return 0;
    }
}

static int lz4_raw_decode_step(void *ctx, struct hr_codec_io *io, bool eof, struct hr_error *err) {
    struct lz4_stream *dec = ctx;
    for (;;) {
        if (dec->at == AT_LITERALS) {
            hr_lz_literals(&dec->lz, io, &dec->left);
            if (dec->left == 0) {
                dec->at = AT_OFFSET; /* or the end: a block ends with literals */
            }
        } else if (dec->at == AT_MATCH) {
            hr_lz_copy(&dec->lz, io, dec->distance, &dec->left);
            if (dec->left == 0) {
                dec->at = AT_TOKEN;
            }
        } else if (io->in_len > 0) {
            dec->any = true;
            int rc = lz4_head_byte(dec, *io->in, err);
            if (rc != 0) {
                return rc;
            }
            io->in++;
            io->in_len--;
            continue;
        }
        if (io->out_len == 0 && (dec->at == AT_LITERALS || dec->at == AT_MATCH)) {
            return 0;
        }
        if (io->in_len == 0 && dec->at != AT_MATCH) {
            if (!eof) {
                return 0;
            }
            return dec->at == AT_OFFSET && dec->any ? HR_END : hr_codec_fail_early(err, "lz4-raw");
        }
    }
}

/* ---- Hadoop's framing ---- */

static size_t lz4_inflated(struct hr_slice in) {
    (void)in;
    return 0; /* a bare block does not say */
}

static const struct hr_hadoop_ops lz4_hadoop = {
    .name = "lz4-hadoop",
    .inflated = lz4_inflated,
    .inflate = lz4_raw_decode_block,
    .bound = lz4_raw_bound,
    .deflate = lz4_raw_encode_block,
};

int hr_lz4_hadoop_begin(void **ctx, struct hr_error *err) {
    return hr_hadoop_decode_begin(&lz4_hadoop, ctx, err);
}

/* Parquet's LZ4 pages as found in the wild: Hadoop's framing (parquet-mr), a bare block
 * (parquet-cpp before 0.15), an lz4 frame. They are told apart by which of them makes sense. */
static int lz4_hadoop_decode_block(struct hr_slice in, uint8_t *out, size_t *out_len,
                                   struct hr_error *err) {
    const size_t room = *out_len;
    const int rc = hr_codec_stream_decode_block(&hr_codec_lz4_hadoop, in, out, out_len, err);
    if (rc == 0 || rc == HR_E_NOMEM) {
        return rc;
    }
    hr_error_clear(err);
    *out_len = room;
    if (in.len >= 4 && hr_codec_lz4.probe(in.ptr, in.len)) {
        return hr_codec_lz4.decode_block(in, out, out_len, err);
    }
    return lz4_raw_decode_block(in, out, out_len, err);
}

static size_t lz4_hadoop_bound(size_t in_len) {
    return hr_hadoop_bound(&lz4_hadoop, in_len);
}

static int lz4_hadoop_encode_block(struct hr_slice in, int level, uint8_t *out, size_t *out_len,
                                   struct hr_error *err) {
    return hr_hadoop_encode_block(&lz4_hadoop, in, level, out, out_len, err);
}

static int lz4_hadoop_encode_begin(void **ctx, int level, struct hr_error *err) {
    return hr_hadoop_encode_begin(&lz4_hadoop, level, ctx, err);
}

static const char *const no_suffixes[] = {NULL};

const struct hr_codec hr_codec_lz4_raw = {
    .name = "lz4-raw",
    .suffixes = no_suffixes,
    .flags = HR_CODEC_BLOCK | HR_CODEC_NO_MAGIC,
    .level_min = 1,
    .level_max = LZ4HC_CLEVEL_MAX,
    .level_default = 1,
    .decode_begin = lz4_raw_decode_begin,
    .decode_step = lz4_raw_decode_step,
    .decode_end = lz4_raw_decode_end,
    .decode_block = lz4_raw_decode_block,
    .bound = lz4_raw_bound,
    .encode_block = lz4_raw_encode_block,
};

const struct hr_codec hr_codec_lz4_hadoop = {
    .name = "lz4-hadoop",
    .suffixes = no_suffixes,
    .flags = HR_CODEC_CONCAT | HR_CODEC_BLOCK | HR_CODEC_NO_MAGIC,
    .level_min = 1,
    .level_max = LZ4HC_CLEVEL_MAX,
    .level_default = 1,
    .decode_begin = hr_lz4_hadoop_begin,
    .decode_step = hr_hadoop_decode_step,
    .decode_end = hr_hadoop_decode_end,
    .encode_begin = lz4_hadoop_encode_begin,
    .encode_step = hr_hadoop_encode_step,
    .encode_end = hr_hadoop_encode_end,
    .decode_block = lz4_hadoop_decode_block,
    .bound = lz4_hadoop_bound,
    .encode_block = lz4_hadoop_encode_block,
};
