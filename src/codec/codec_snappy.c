/* codec/codec_snappy.c - the snappy framing format (framing_format.txt in libsnappy): chunks of at
 * most 64 KiB with a type byte, a 24-bit little-endian length and a masked CRC-32C of the inflated
 * bytes.
 *
 * Objects named .snappy that Hadoop or Spark wrote carry Hadoop's framing, others a bare block;
 * what an object is shows in its first bytes: the stream identifier, a plausible pair of Hadoop
 * lengths, or neither. The codec of one chunk is libsnappy's. */
#include "codec/leaves.h"

#include <snappy-c.h>

#include "base/hash.h"

enum {
    CHUNK_COMPRESSED = 0x00,
    CHUNK_PLAIN = 0x01,
    CHUNK_FIRST_SKIPPABLE = 0x80,
    CHUNK_IDENTIFIER = 0xff,
    PIECE = 65536,        /* inflated bytes of a chunk, at most */
    BODY_MAX = 76490 + 4, /* snappy_max_compressed_length(65536) and the checksum */
    IDENTIFIER_LEN = 10
};

static const uint8_t identifier[IDENTIFIER_LEN] = {0xff, 6, 0, 0, 's', 'N', 'a', 'P', 'p', 'Y'};

static bool snappy_probe(const uint8_t *head, size_t len) {
    return len >= IDENTIFIER_LEN && memcmp(head, identifier, IDENTIFIER_LEN) == 0;
}

static uint32_t masked_crc(const uint8_t *ptr, size_t len) {
    uint32_t crc = hr_crc32c(0, ptr, len);
    return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
}

/* ---- decoding ---- */

struct snappy_decoder {
    bool in_body;
    bool any; /* the identifier was seen */
    uint8_t type;
    uint32_t want; /* bytes of the body */
    uint32_t skip; /* bytes of a skippable chunk still to pass over */
    struct hr_gather gather;
    struct hr_held held;
    uint8_t out[PIECE];
};

static int framed_decode_begin(void **ctx, struct hr_error *err) {
    struct snappy_decoder *dec = hr_malloc(sizeof(*dec));
    if (dec == NULL) {
        return hr_fail(err, HR_E_NOMEM, "out of memory for a decompressor");
    }
    memset(dec, 0, offsetof(struct snappy_decoder, out));
    hr_buf_init(&dec->gather.buf, BODY_MAX + 16);
    *ctx = dec;
    return 0;
}

static void framed_decode_end(void *ctx) {
    struct snappy_decoder *dec = ctx;
    if (dec != NULL) {
        hr_buf_release(&dec->gather.buf);
        hr_free(dec);
    }
}

static int framed_header(struct snappy_decoder *dec, const uint8_t *head, struct hr_error *err) {
    dec->type = head[0];
    dec->want = (uint32_t)head[1] | (uint32_t)head[2] << 8 | (uint32_t)head[3] << 16;
    if (!dec->any && dec->type != CHUNK_IDENTIFIER) {
        return hr_fail(err, HR_E_CORRUPT, "the data does not start as a snappy stream");
    }
    if (dec->type == CHUNK_COMPRESSED || dec->type == CHUNK_PLAIN) {
        if (dec->want < 4 || dec->want > BODY_MAX ||
            (dec->type == CHUNK_PLAIN && dec->want > PIECE + 4)) {
            return hr_codec_fail_data(err, "snappy", "an impossible chunk length");
        }
    } else if (dec->type == CHUNK_IDENTIFIER) {
        if (dec->want != IDENTIFIER_LEN - 4) {
            return hr_codec_fail_data(err, "snappy", "a wrong stream identifier");
        }
    } else if (dec->type >= CHUNK_FIRST_SKIPPABLE) {
        dec->skip = dec->want;
        return 0;
    } else {
        return hr_codec_fail_data(err, "snappy",
                                  "a chunk of an unknown kind that may not be skipped");
    }
    dec->in_body = true;
    return 0;
}

static int framed_body(struct snappy_decoder *dec, const uint8_t *body, struct hr_codec_io *io,
                       struct hr_error *err) {
    if (dec->type == CHUNK_IDENTIFIER) {
        if (memcmp(body, identifier + 4, IDENTIFIER_LEN - 4) != 0) {
            return hr_codec_fail_data(err, "snappy", "a wrong stream identifier");
        }
        dec->any = true;
        return 0;
    }
    uint32_t crc = (uint32_t)body[0] | (uint32_t)body[1] << 8 | (uint32_t)body[2] << 16 |
                   (uint32_t)body[3] << 24;
    const uint8_t *data = body + 4;
    size_t len = dec->want - 4;
    size_t n = len;
    bool direct = io->out_len >= PIECE;
    uint8_t *out = direct ? io->out : dec->out;
    if (dec->type == CHUNK_PLAIN) {
        memcpy(out, data, len);
    } else if (snappy_uncompressed_length((const char *)data, len, &n) != SNAPPY_OK || n > PIECE ||
               !hr_snappy_block(hr_slice_of(data, len), out, n)) {
        return hr_codec_fail_data(err, "snappy", "an invalid chunk");
    }
    if (masked_crc(out, n) != crc) {
        return hr_codec_fail_data(err, "snappy", "the checksum is wrong");
    }
    if (direct) {
        io->out += n;
        io->out_len -= n;
    } else {
        dec->held = (struct hr_held){.ptr = dec->out, .len = n};
    }
    return 0;
}

/* Chunks that are not for us. */
static void framed_skip(struct snappy_decoder *dec, struct hr_codec_io *io) {
    size_t skip = dec->skip < io->in_len ? dec->skip : io->in_len;
    io->in += skip;
    io->in_len -= skip;
    dec->skip -= (uint32_t)skip;
}

static int framed_decode_step(void *ctx, struct hr_codec_io *io, bool eof, struct hr_error *err) {
    struct snappy_decoder *dec = ctx;
    for (;;) {
        framed_skip(dec, io);
        if (hr_held_drain(&dec->held, io) || io->out_len == 0) {
            return 0;
        }
        if (io->in_len == 0) {
            if (!eof) {
                return 0;
            }
            bool whole = dec->any && !dec->in_body && dec->skip == 0 && dec->gather.buf.len == 0;
            return whole ? HR_END : hr_codec_fail_early(err, "snappy");
        }
        const uint8_t *piece = NULL;
        size_t want = dec->in_body ? dec->want : 4;
        switch (hr_gather_take(&dec->gather, io, want, &piece, err)) {
        case HR_GATHER_FAILED: return HR_E_NOMEM;
        case HR_GATHER_MORE: continue;
        case HR_GATHER_DONE: break;
        }
        int rc = 0;
        if (dec->in_body) {
            dec->in_body = false;
            rc = framed_body(dec, piece, io, err);
        } else {
            rc = framed_header(dec, piece, err);
        }
        if (rc != 0) {
            return rc;
        }
    }
}

/* ---- framings under the name .snappy ---- */

static bool framed_probe(const uint8_t *head, size_t len) {
    size_t n = len < IDENTIFIER_LEN ? len : IDENTIFIER_LEN;
    return memcmp(head, identifier, n) == 0; /* a cut identifier is a cut stream */
}

/* A bare block: its length, then a literal. */
static bool bare_probe(const uint8_t *head, size_t len) {
    size_t i = 0;
    uint64_t length = 0;
    while (i < len && i < 5 && (head[i] & 0x80)) {
        length |= (uint64_t)(head[i] & 0x7f) << (7 * i);
        i++;
    }
    if (i + 1 >= len || i == 5) {
        return false;
    }
    length |= (uint64_t)head[i] << (7 * i);
    return length > 0 && length <= UINT32_MAX && (head[i + 1] & 3) == 0;
}

static int snappy_decode_begin(void **ctx, struct hr_error *err) {
    static const struct hr_sniff_choice choices[] = {
        {framed_probe, framed_decode_begin, framed_decode_step, framed_decode_end},
        {hr_hadoop_probe, hr_snappy_hadoop_begin, hr_hadoop_decode_step, hr_hadoop_decode_end},
        {bare_probe, hr_snappy_bare_begin, hr_snappy_bare_step, hr_snappy_bare_end},
        {NULL, framed_decode_begin, framed_decode_step, framed_decode_end},
    };
    return hr_sniff_begin(choices, sizeof(choices) / sizeof(choices[0]), ctx, err);
}

static int snappy_decode_block(struct hr_slice in, uint8_t *out, size_t *out_len,
                               struct hr_error *err) {
    return hr_codec_stream_decode_block(&hr_codec_snappy, in, out, out_len, err);
}

/* ---- encoding ---- */

struct snappy_encoder {
    struct hr_chunker chunker;
};

/* One chunk; out has room for BODY_MAX + 4. */
static size_t framed_chunk(const uint8_t *in, size_t len, uint8_t *out) {
    size_t made = BODY_MAX - 4;
    uint8_t type = CHUNK_COMPRESSED;
    if (snappy_compress((const char *)in, len, (char *)out + 8, &made) != SNAPPY_OK ||
        made >= len - len / 8) { /* the format's own advice: keep what hardly shrinks */
        memcpy(out + 8, in, len);
        made = len;
        type = CHUNK_PLAIN;
    }
    uint32_t crc = masked_crc(in, len);
    size_t body = made + 4;
    out[0] = type;
    for (int i = 0; i < 3; i++) {
        out[1 + i] = (uint8_t)(body >> (8 * i));
    }
    for (int i = 0; i < 4; i++) {
        out[4 + i] = (uint8_t)(crc >> (8 * i));
    }
    return made + 8;
}

static int snappy_pack(void *ctx, const uint8_t *in, size_t len, bool first, bool last,
                       uint8_t *out, size_t *out_len, struct hr_error *err) {
    (void)ctx;
    (void)last;
    (void)err;
    size_t made = 0;
    if (first) {
        memcpy(out, identifier, IDENTIFIER_LEN);
        made = IDENTIFIER_LEN;
    }
    if (len > 0) {
        made += framed_chunk(in, len, out + made);
    }
    *out_len = made;
    return 0;
}

static int snappy_encode_begin(void **ctx, int level, struct hr_error *err) {
    (void)level;
    struct snappy_encoder *enc = hr_calloc(1, sizeof(*enc));
    if (enc == NULL) {
        return hr_fail(err, HR_E_NOMEM, "out of memory for a compressor");
    }
    int rc = hr_chunker_init(&enc->chunker, PIECE, BODY_MAX + 4 + IDENTIFIER_LEN, err);
    if (rc != 0) {
        hr_free(enc);
        return rc;
    }
    *ctx = enc;
    return 0;
}

static int snappy_encode_step(void *ctx, struct hr_codec_io *io, bool finish,
                              struct hr_error *err) {
    static const struct hr_chunk_ops ops = {.pack = snappy_pack};
    struct snappy_encoder *enc = ctx;
    return hr_chunker_step(&enc->chunker, &ops, enc, io, finish, err);
}

static void snappy_encode_end(void *ctx) {
    struct snappy_encoder *enc = ctx;
    if (enc != NULL) {
        hr_chunker_release(&enc->chunker);
        hr_free(enc);
    }
}

static size_t snappy_bound(size_t in_len) {
    return IDENTIFIER_LEN + (in_len / PIECE + 1) * (size_t)(BODY_MAX + 4);
}

static int snappy_encode_block(struct hr_slice in, int level, uint8_t *out, size_t *out_len,
                               struct hr_error *err) {
    (void)level;
    (void)err;
    memcpy(out, identifier, IDENTIFIER_LEN);
    size_t made = IDENTIFIER_LEN;
    while (in.len > 0) {
        size_t n = in.len < PIECE ? in.len : PIECE;
        made += framed_chunk(in.ptr, n, out + made);
        in = hr_slice_of(in.ptr + n, in.len - n);
    }
    *out_len = made;
    return 0;
}

static const char *const snappy_suffixes[] = {".sz", ".snappy", NULL};

const struct hr_codec hr_codec_snappy = {
    .name = "snappy",
    .suffixes = snappy_suffixes,
    .flags = HR_CODEC_CONCAT | HR_CODEC_BLOCK | HR_CODEC_MEMBER | HR_CODEC_FORMS,
    .probe = snappy_probe,
    .decode_begin = snappy_decode_begin,
    .decode_step = hr_sniff_step,
    .decode_end = hr_sniff_end,
    .encode_begin = snappy_encode_begin,
    .encode_step = snappy_encode_step,
    .encode_end = snappy_encode_end,
    .decode_block = snappy_decode_block,
    .bound = snappy_bound,
    .encode_block = snappy_encode_block,
};
