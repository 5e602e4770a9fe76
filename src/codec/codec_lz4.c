/* codec/codec_lz4.c - the lz4 frame format (lz4_Frame_format.md 1.6) by liblz4: frames one after
 * another, linked or independent blocks, skippable frames, header, block and content checksums
 * verified. Objects named .lz4 that Hadoop wrote carry Hadoop's framing instead (hadoop_framing.c),
 * those of `lz4 -l` the legacy frame (codec_lz4_legacy.c); their first bytes tell.
 *
 * Written with independent blocks of 256 KiB, which inflate straight into a slice, and a content
 * checksum, so that the output does not depend on how the input was cut. */
#define LZ4F_STATIC_LINKING_ONLY /* custom allocators at creation */
#include "codec/leaves.h"

#include <lz4frame.h>
#include <lz4hc.h>

static bool lz4_probe(const uint8_t *head, size_t len) {
    return len >= 4 &&
           ((head[0] == 0x04 && head[1] == 0x22 && head[2] == 0x4d && head[3] == 0x18) ||
            hr_lz4_legacy_probe(head, len));
}

static bool lz4_skippable(const uint8_t *head, size_t len) {
    return len >= 4 && (head[0] & 0xf0) == 0x50 && head[1] == 0x2a && head[2] == 0x4d &&
           head[3] == 0x18;
}

static int lz4_fail(size_t code, bool again, struct hr_error *err) {
    const char *why = LZ4F_getErrorName(code);
    if (strstr(why, "allocation") != NULL) {
        return hr_fail(err, HR_E_NOMEM, "out of memory for lz4");
    }
    if (strstr(why, "frameType") != NULL) {
        return again ? hr_codec_fail_junk(err, "lz4")
                     : hr_fail(err, HR_E_CORRUPT, "the data does not start as an lz4 stream");
    }
    return hr_codec_fail_data(err, "lz4", why);
}

/* ---- decoding ---- */

#if LZ4_VERSION_NUMBER >= 10904
static void *lz4_alloc(void *opaque, size_t size) {
    (void)opaque;
    return hr_malloc(size);
}
static void *lz4_calloc(void *opaque, size_t size) {
    (void)opaque;
    return hr_calloc(1, size);
}
static void lz4_free(void *opaque, void *ptr) {
    (void)opaque;
    hr_free(ptr);
}
static const LZ4F_CustomMem lz4_mem = {
    .customAlloc = lz4_alloc, .customCalloc = lz4_calloc, .customFree = lz4_free};
#endif

struct lz4_decoder {
    LZ4F_dctx *dctx;
    bool any, inside; /* a frame ended before; a frame is open */
};

static int frame_decode_begin(void **ctx, struct hr_error *err) {
    struct lz4_decoder *dec = hr_calloc(1, sizeof(*dec));
    if (dec == NULL) {
        return hr_fail(err, HR_E_NOMEM, "out of memory for a decompressor");
    }
#if LZ4_VERSION_NUMBER >= 10904
    dec->dctx = LZ4F_createDecompressionContext_advanced(lz4_mem, LZ4F_VERSION);
#else
    if (LZ4F_isError(LZ4F_createDecompressionContext(&dec->dctx, LZ4F_VERSION))) {
        dec->dctx = NULL;
    }
#endif
    if (dec->dctx == NULL) {
        hr_free(dec);
        return hr_fail(err, HR_E_NOMEM, "out of memory for a decompressor");
    }
    *ctx = dec;
    return 0;
}

static int frame_decode_step(void *ctx, struct hr_codec_io *io, bool eof, struct hr_error *err) {
    struct lz4_decoder *dec = ctx;
    for (;;) {
        if (io->in_len == 0 && !dec->inside) {
            return !eof ? 0 : dec->any ? HR_END : hr_codec_fail_early(err, "lz4");
        }
        size_t used = io->in_len;
        size_t made = io->out_len;
        size_t rc = LZ4F_decompress(dec->dctx, io->out, &made, io->in, &used, NULL);
        if (LZ4F_isError(rc)) {
            return lz4_fail(rc, dec->any, err);
        }
        io->in += used;
        io->in_len -= used;
        io->out += made;
        io->out_len -= made;
        dec->inside = rc != 0;
        dec->any = dec->any || rc == 0;
        if (io->out_len == 0) {
            return 0;
        }
        if (io->in_len == 0 && dec->inside && made == 0) {
            return eof ? hr_codec_fail_early(err, "lz4") : 0;
        }
    }
}

static void frame_decode_end(void *ctx) {
    struct lz4_decoder *dec = ctx;
    if (dec != NULL) {
        LZ4F_freeDecompressionContext(dec->dctx);
        hr_free(dec);
    }
}

/* ---- framings under the name .lz4 ---- */

static bool frame_probe(const uint8_t *head, size_t len) {
    return (lz4_probe(head, len) && !hr_lz4_legacy_probe(head, len)) || lz4_skippable(head, len);
}

static int lz4_decode_begin(void **ctx, struct hr_error *err) {
    static const struct hr_sniff_choice choices[] = {
        {frame_probe, frame_decode_begin, frame_decode_step, frame_decode_end},
        {hr_lz4_legacy_probe, hr_lz4_legacy_begin, hr_lz4_legacy_step, hr_lz4_legacy_end},
        {hr_hadoop_probe, hr_lz4_hadoop_begin, hr_hadoop_decode_step, hr_hadoop_decode_end},
        {NULL, frame_decode_begin, frame_decode_step, frame_decode_end},
    };
    return hr_sniff_begin(choices, sizeof(choices) / sizeof(choices[0]), ctx, err);
}

static int lz4_decode_block(struct hr_slice in, uint8_t *out, size_t *out_len,
                            struct hr_error *err) {
    return hr_codec_stream_decode_block(&hr_codec_lz4, in, out, out_len, err);
}

/* ---- encoding ---- */

enum { LZ4_CHUNK = 256 << 10, LZ4_EDGES = 64 }; /* room for frame header and end mark */

struct lz4_encoder {
    struct hr_chunker chunker;
    LZ4F_cctx *cctx;
    int level;
};

static LZ4F_preferences_t lz4_prefs(int level) {
    LZ4F_preferences_t prefs = LZ4F_INIT_PREFERENCES;
    prefs.frameInfo.blockSizeID = LZ4F_max256KB;
    prefs.frameInfo.blockMode = LZ4F_blockIndependent;
    prefs.frameInfo.contentChecksumFlag = LZ4F_contentChecksumEnabled;
    prefs.compressionLevel = level;
    prefs.autoFlush = 1;
    return prefs;
}

static void lz4_encode_end(void *ctx) {
    struct lz4_encoder *enc = ctx;
    if (enc != NULL) {
        LZ4F_freeCompressionContext(enc->cctx);
        hr_chunker_release(&enc->chunker);
        hr_free(enc);
    }
}

static int lz4_encode_begin(void **ctx, int level, struct hr_error *err) {
    struct lz4_encoder *enc = hr_calloc(1, sizeof(*enc));
    if (enc == NULL) {
        return hr_fail(err, HR_E_NOMEM, "out of memory for a compressor");
    }
    enc->level = hr_codec_level(&hr_codec_lz4, level);
    LZ4F_preferences_t prefs = lz4_prefs(enc->level);
    size_t room = LZ4F_compressBound(LZ4_CHUNK, &prefs) + LZ4_EDGES;
    int rc = hr_chunker_init(&enc->chunker, LZ4_CHUNK, room, err);
#if LZ4_VERSION_NUMBER >= 10904
    if (rc == 0) {
        enc->cctx = LZ4F_createCompressionContext_advanced(lz4_mem, LZ4F_VERSION);
    }
#else
    if (rc == 0 && LZ4F_isError(LZ4F_createCompressionContext(&enc->cctx, LZ4F_VERSION))) {
        enc->cctx = NULL;
    }
#endif
    if (rc == 0 && enc->cctx == NULL) {
        rc = hr_fail(err, HR_E_NOMEM, "out of memory for a compressor");
    }
    if (rc != 0) {
        lz4_encode_end(enc);
        return rc;
    }
    *ctx = enc;
    return 0;
}

static int lz4_pack(void *ctx, const uint8_t *in, size_t len, bool first, bool last, uint8_t *out,
                    size_t *out_len, struct hr_error *err) {
    struct lz4_encoder *enc = ctx;
    size_t room = enc->chunker.room;
    size_t made = 0;
    size_t n = 0;
    if (first) {
        LZ4F_preferences_t prefs = lz4_prefs(enc->level);
        n = LZ4F_compressBegin(enc->cctx, out, room, &prefs);
        made = LZ4F_isError(n) ? 0 : n;
    }
    if (!LZ4F_isError(n) && len > 0) {
        n = LZ4F_compressUpdate(enc->cctx, out + made, room - made, in, len, NULL);
        made += LZ4F_isError(n) ? 0 : n;
    }
    if (!LZ4F_isError(n) && last) {
        n = LZ4F_compressEnd(enc->cctx, out + made, room - made, NULL);
        made += LZ4F_isError(n) ? 0 : n;
    }
    *out_len = made;
    return LZ4F_isError(n) ? lz4_fail(n, true, err) : 0;
}

static int lz4_encode_step(void *ctx, struct hr_codec_io *io, bool finish, struct hr_error *err) {
    static const struct hr_chunk_ops ops = {.pack = lz4_pack, .always_last = true};
    struct lz4_encoder *enc = ctx;
    return hr_chunker_step(&enc->chunker, &ops, enc, io, finish, err);
}

static size_t lz4_bound(size_t in_len) {
    LZ4F_preferences_t prefs = lz4_prefs(0);
    return LZ4F_compressFrameBound(in_len, &prefs);
}

static int lz4_encode_block(struct hr_slice in, int level, uint8_t *out, size_t *out_len,
                            struct hr_error *err) {
    LZ4F_preferences_t prefs = lz4_prefs(hr_codec_level(&hr_codec_lz4, level));
    size_t rc = LZ4F_compressFrame(out, lz4_bound(in.len), in.ptr, in.len, &prefs);
    if (LZ4F_isError(rc)) {
        return lz4_fail(rc, true, err);
    }
    *out_len = rc;
    return 0;
}

static const char *const lz4_suffixes[] = {".lz4", NULL};

const struct hr_codec hr_codec_lz4 = {
    .name = "lz4",
    .suffixes = lz4_suffixes,
    .flags = HR_CODEC_CONCAT | HR_CODEC_BLOCK | HR_CODEC_MEMBER | HR_CODEC_FORMS,
    .level_min = 1,
    .level_max = LZ4HC_CLEVEL_MAX,
    .level_default = 1,
    .probe = lz4_probe,
    .decode_begin = lz4_decode_begin,
    .decode_step = hr_sniff_step,
    .decode_end = hr_sniff_end,
    .encode_begin = lz4_encode_begin,
    .encode_step = lz4_encode_step,
    .encode_end = lz4_encode_end,
    .decode_block = lz4_decode_block,
    .bound = lz4_bound,
    .encode_block = lz4_encode_block,
};
