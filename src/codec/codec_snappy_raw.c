/* codec/codec_snappy_raw.c - bare snappy blocks (format_description.txt in libsnappy), as Parquet
 * and Avro use them, and in Hadoop's framing.
 *
 * A block starts with its inflated length, so a cut is noticed; there is no checksum. As a stream
 * it is decoded element by element in a 64 KiB window: every encoder works on fragments of at most
 * that size, a reference further back is refused. */
#include "codec/leaves.h"

#include <snappy-c.h>

/* ---- blocks ---- */

/* A two-byte element makes at most 11 bytes, a three-byte one 64: nothing grows more than 22 times.
 */
static bool snappy_plausible(size_t in_len, size_t out_len) {
    return out_len / 32 <= in_len;
}

static int snappy_raw_decode_block(struct hr_slice in, uint8_t *out, size_t *out_len,
                                   struct hr_error *err) {
    size_t n = 0;
    const char *ptr = (const char *)in.ptr;
    if (in.len == 0) {
        return hr_codec_fail_early(err, "snappy-raw");
    }
    if (snappy_uncompressed_length(ptr, in.len, &n) != SNAPPY_OK) {
        return hr_codec_fail_data(err, "snappy-raw", "no length at its start");
    }
    if (n > *out_len) {
        return hr_codec_fail_room(err, "snappy-raw", *out_len);
    }
    if (!hr_snappy_block(in, out, n)) {
        return hr_codec_fail_data(err, "snappy-raw", "cut short or an invalid element");
    }
    *out_len = n;
    return 0;
}

static size_t snappy_raw_block_len(struct hr_slice in) {
    size_t n = 0;
    bool told = snappy_uncompressed_length((const char *)in.ptr, in.len, &n) == SNAPPY_OK;
    return told && snappy_plausible(in.len, n) ? n : 0;
}

static size_t snappy_raw_bound(size_t in_len) {
    return snappy_max_compressed_length(in_len);
}

static int snappy_raw_encode_block(struct hr_slice in, int level, uint8_t *out, size_t *out_len,
                                   struct hr_error *err) {
    (void)level;
    size_t made = snappy_raw_bound(in.len);
    if (in.len > UINT32_MAX) {
        return hr_fail(err, HR_E_BOUND, "a block of %zu bytes is too long for snappy", in.len);
    }
    if (snappy_compress((const char *)in.ptr, in.len, (char *)out, &made) != SNAPPY_OK) {
        return hr_fail(err, HR_E_INTERNAL, "snappy output is over its bound");
    }
    *out_len = made;
    return 0;
}

/* ---- a bare block as a stream ---- */

enum snappy_at { AT_LENGTH, AT_TAG, AT_EXTRA, AT_LITERAL, AT_COPY };

struct snappy_stream {
    enum snappy_at at;
    int shift;       /* of the length varint */
    uint64_t length; /* inflated bytes in all */
    uint8_t tag;
    int extra_want, extra_have;
    uint32_t extra; /* little-endian bytes behind the tag */
    uint32_t distance;
    uint64_t left;
    struct hr_lz lz;
};

int hr_snappy_bare_begin(void **ctx, struct hr_error *err) {
    struct snappy_stream *dec = hr_malloc(sizeof(*dec));
    if (dec == NULL) {
        return hr_fail(err, HR_E_NOMEM, "out of memory for a decompressor");
    }
    memset(dec, 0, offsetof(struct snappy_stream, lz));
    dec->lz.total = 0;
    *ctx = dec;
    return 0;
}

void hr_snappy_bare_end(void *ctx) {
    hr_free(ctx);
}

/* The tag and its extra bytes are there: set up the literal or the copy. */
static int snappy_element(struct snappy_stream *dec, struct hr_error *err) {
    uint32_t high = dec->tag >> 2;
    switch (dec->tag & 3) {
    case 0:
        dec->left = (uint64_t)(high < 60 ? high : dec->extra) + 1;
        dec->at = AT_LITERAL;
        break;
    case 1:
        dec->left = (high & 7) + 4;
        dec->distance = (high >> 3) << 8 | dec->extra;
        dec->at = AT_COPY;
        break;
    default:
        dec->left = high + 1;
        dec->distance = dec->extra;
        dec->at = AT_COPY;
        break;
    }
    if (dec->left > dec->length - dec->lz.total) {
        return hr_codec_fail_data(err, "snappy-raw", "more bytes than its length says");
    }
    if (dec->at == AT_COPY && !hr_lz_reaches(&dec->lz, dec->distance)) {
        return hr_codec_fail_data(err, "snappy-raw", "a reference before the start or over 64 KiB");
    }
    return 0;
}

static int snappy_head_byte(struct snappy_stream *dec, uint8_t byte, struct hr_error *err) {
    static const int copy_extra[4] = {0, 1, 2, 4};
    if (dec->at == AT_LENGTH) {
        dec->length |= (uint64_t)(byte & 0x7f) << dec->shift;
        dec->shift += 7;
        if ((byte & 0x80) == 0) {
            dec->at = AT_TAG;
        }
        if (dec->length > UINT32_MAX || (dec->at == AT_LENGTH && dec->shift > 28)) {
            return hr_codec_fail_data(err, "snappy-raw", "no length at its start");
        }
        return 0;
    }
    if (dec->at == AT_TAG) {
        uint32_t high = byte >> 2;
        dec->tag = byte;
        dec->extra = 0;
        dec->extra_have = 0;
        dec->extra_want = (byte & 3) != 0 ? copy_extra[byte & 3] : high >= 60 ? (int)high - 59 : 0;
        dec->at = AT_EXTRA;
    } else {
        dec->extra |= (uint32_t)byte << (8 * dec->extra_have);
        dec->extra_have++;
    }
    return dec->extra_have == dec->extra_want ? snappy_element(dec, err) : 0;
}

int hr_snappy_bare_step(void *ctx, struct hr_codec_io *io, bool eof, struct hr_error *err) {
    struct snappy_stream *dec = ctx;
    for (;;) {
        if (dec->at == AT_LITERAL || dec->at == AT_COPY) {
            if (dec->at == AT_LITERAL) {
                hr_lz_literals(&dec->lz, io, &dec->left);
            } else {
                hr_lz_copy(&dec->lz, io, dec->distance, &dec->left);
            }
            if (dec->left == 0) {
                dec->at = AT_TAG;
            } else if (io->out_len == 0) {
                return 0;
            }
        }
        if (dec->at == AT_TAG && dec->lz.total == dec->length) {
            if (io->in_len > 0) {
                return hr_codec_fail_junk(err, "snappy-raw");
            }
            return eof ? HR_END : 0;
        }
        if (io->in_len == 0) {
            return eof ? hr_codec_fail_early(err, "snappy-raw") : 0;
        }
        if (dec->at == AT_LENGTH || dec->at == AT_TAG || dec->at == AT_EXTRA) {
            int rc = snappy_head_byte(dec, *io->in, err);
            if (rc != 0) {
                return rc;
            }
            io->in++;
            io->in_len--;
        }
    }
}

/* ---- Hadoop's framing ---- */

static size_t snappy_inflated(struct hr_slice in) {
    size_t n = 0;
    if (snappy_uncompressed_length((const char *)in.ptr, in.len, &n) != SNAPPY_OK || n == 0 ||
        !snappy_plausible(in.len, n)) {
        return SIZE_MAX;
    }
    return n;
}

static const struct hr_hadoop_ops snappy_hadoop = {
    .name = "snappy-hadoop",
    .inflated = snappy_inflated,
    .inflate = snappy_raw_decode_block,
    .bound = snappy_raw_bound,
    .deflate = snappy_raw_encode_block,
};

int hr_snappy_hadoop_begin(void **ctx, struct hr_error *err) {
    return hr_hadoop_decode_begin(&snappy_hadoop, ctx, err);
}

static int snappy_hadoop_decode_block(struct hr_slice in, uint8_t *out, size_t *out_len,
                                      struct hr_error *err) {
    return hr_codec_stream_decode_block(&hr_codec_snappy_hadoop, in, out, out_len, err);
}

static size_t snappy_hadoop_bound(size_t in_len) {
    return hr_hadoop_bound(&snappy_hadoop, in_len);
}

static int snappy_hadoop_encode_block(struct hr_slice in, int level, uint8_t *out, size_t *out_len,
                                      struct hr_error *err) {
    return hr_hadoop_encode_block(&snappy_hadoop, in, level, out, out_len, err);
}

static int snappy_hadoop_encode_begin(void **ctx, int level, struct hr_error *err) {
    return hr_hadoop_encode_begin(&snappy_hadoop, level, ctx, err);
}

static const char *const no_suffixes[] = {NULL};

const struct hr_codec hr_codec_snappy_raw = {
    .name = "snappy-raw",
    .suffixes = no_suffixes,
    .flags = HR_CODEC_BLOCK | HR_CODEC_NO_MAGIC,
    .decode_begin = hr_snappy_bare_begin,
    .decode_step = hr_snappy_bare_step,
    .decode_end = hr_snappy_bare_end,
    .decode_block = snappy_raw_decode_block,
    .block_len = snappy_raw_block_len,
    .bound = snappy_raw_bound,
    .encode_block = snappy_raw_encode_block,
};

const struct hr_codec hr_codec_snappy_hadoop = {
    .name = "snappy-hadoop",
    .suffixes = no_suffixes,
    .flags = HR_CODEC_CONCAT | HR_CODEC_BLOCK | HR_CODEC_NO_MAGIC,
    .decode_begin = hr_snappy_hadoop_begin,
    .decode_step = hr_hadoop_decode_step,
    .decode_end = hr_hadoop_decode_end,
    .encode_begin = snappy_hadoop_encode_begin,
    .encode_step = hr_hadoop_encode_step,
    .encode_end = hr_hadoop_encode_end,
    .decode_block = snappy_hadoop_decode_block,
    .bound = snappy_hadoop_bound,
    .encode_block = snappy_hadoop_encode_block,
};
