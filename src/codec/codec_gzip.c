/* codec/codec_gzip.c - gzip (RFC 1952): members one after another, each with header, deflate data,
 * CRC-32 and length; zero padding behind the last one is tolerated as gzip(1) does.
 *
 * Read by ISA-L as a stream or by libdeflate as a block (codec_deflate.c). Written as independent
 * members of 1 MiB of text by libdeflate: the same bytes at any worker count and on any CPU, and
 * whole members are what tasks string together. A member costs 18 bytes and an empty window, 0.1%
 * of the size at 1 MiB. */
#include "codec/deflate_engine.h"

enum { GZIP_CHUNK = 1 << 20 };

static bool gzip_probe(const uint8_t *head, size_t len) {
    return len >= 3 && head[0] == 0x1f && head[1] == 0x8b && head[2] == 8;
}

static int gzip_decode_begin(void **ctx, struct hr_error *err) {
    return hr_inflate_begin(HR_WRAP_GZIP, ctx, err);
}

static int gzip_decode_block(struct hr_slice in, uint8_t *out, size_t *out_len,
                             struct hr_error *err) {
    const size_t room = *out_len;
    size_t made = 0;
    bool first = true;
    *out_len = 0;
    if (in.len == 0) {
        return hr_codec_fail_early(err, "gzip");
    }
    while (in.len > 0 && (first || in.ptr[0] != 0)) {
        size_t used = 0;
        size_t n = room - made;
        int rc = hr_inflate_block(HR_WRAP_GZIP, in, &used, out + made, &n, err);
        if (rc != 0) {
            return rc;
        }
        in = hr_slice_of(in.ptr + used, in.len - used);
        made += n;
        first = false;
    }
    for (size_t i = 0; i < in.len; i++) {
        if (in.ptr[i] != 0) {
            return hr_codec_fail_junk(err, "gzip");
        }
    }
    *out_len = made;
    return 0;
}

static size_t gzip_bound(size_t in_len) {
    return hr_deflate_bound(HR_WRAP_GZIP, in_len);
}

static int gzip_encode_block(struct hr_slice in, int level, uint8_t *out, size_t *out_len,
                             struct hr_error *err) {
    level = hr_codec_level(&hr_codec_gzip, level);
    return hr_deflate_block(HR_WRAP_GZIP, in, level, out, out_len, err);
}

struct gzip_encoder {
    struct hr_chunker chunker;
    int level;
};

static int gzip_encode_begin(void **ctx, int level, struct hr_error *err) {
    struct gzip_encoder *enc = hr_calloc(1, sizeof(*enc));
    if (enc == NULL) {
        return hr_fail(err, HR_E_NOMEM, "out of memory for a compressor");
    }
    enc->level = hr_codec_level(&hr_codec_gzip, level);
    int rc = hr_chunker_init(&enc->chunker, GZIP_CHUNK, gzip_bound(GZIP_CHUNK), err);
    if (rc != 0) {
        hr_free(enc);
        return rc;
    }
    *ctx = enc;
    return 0;
}

static int gzip_pack(void *ctx, const uint8_t *in, size_t len, bool first, bool last, uint8_t *out,
                     size_t *out_len, struct hr_error *err) {
    const struct gzip_encoder *enc = ctx;
    (void)first;
    (void)last;
    return hr_deflate_block(HR_WRAP_GZIP, hr_slice_of(in, len), enc->level, out, out_len, err);
}

static int gzip_encode_step(void *ctx, struct hr_codec_io *io, bool finish, struct hr_error *err) {
    static const struct hr_chunk_ops ops = {.pack = gzip_pack};
    struct gzip_encoder *enc = ctx;
    return hr_chunker_step(&enc->chunker, &ops, enc, io, finish, err);
}

static void gzip_encode_end(void *ctx) {
    struct gzip_encoder *enc = ctx;
    if (enc != NULL) {
        hr_chunker_release(&enc->chunker);
        hr_free(enc);
    }
}

static const char *const gzip_suffixes[] = {".gz", ".gzip", NULL};

const struct hr_codec hr_codec_gzip = {
    .name = "gzip",
    .suffixes = gzip_suffixes,
    .flags = HR_CODEC_CONCAT | HR_CODEC_BLOCK | HR_CODEC_MEMBER,
    .level_min = 1,
    .level_max = 12,
    .level_default = 3,
    .probe = gzip_probe,
    .decode_begin = gzip_decode_begin,
    .decode_step = hr_inflate_step,
    .decode_end = hr_inflate_end,
    .encode_begin = gzip_encode_begin,
    .encode_step = gzip_encode_step,
    .encode_end = gzip_encode_end,
    .decode_block = gzip_decode_block,
    .bound = gzip_bound,
    .encode_block = gzip_encode_block,
};
