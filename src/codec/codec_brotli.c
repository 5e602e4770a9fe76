/* codec/codec_brotli.c - brotli (RFC 7932) by libbrotli. The format has no magic, no checksum and
 * no members: the stream says itself where it ends and nothing may follow. The window is at most 16
 * MiB (large-window streams are refused by the library). */
#include "codec/leaves.h"

#include <brotli/decode.h>
#include <brotli/encode.h>

static void *brotli_alloc(void *opaque, size_t size) {
    (void)opaque;
    return hr_malloc(size);
}

static void brotli_free(void *opaque, void *ptr) {
    (void)opaque;
    hr_free(ptr);
}

/* ---- decoding ---- */

struct brotli_decoder {
    BrotliDecoderState *state;
    bool ended;
};

static int brotli_decode_begin(void **ctx, struct hr_error *err) {
    struct brotli_decoder *dec = hr_calloc(1, sizeof(*dec));
    if (dec == NULL) {
        return hr_fail(err, HR_E_NOMEM, "out of memory for a decompressor");
    }
    dec->state = BrotliDecoderCreateInstance(brotli_alloc, brotli_free, NULL);
    if (dec->state == NULL) {
        hr_free(dec);
        return hr_fail(err, HR_E_NOMEM, "out of memory for a decompressor");
    }
    *ctx = dec;
    return 0;
}

static int brotli_fail(const struct brotli_decoder *dec, struct hr_error *err) {
    BrotliDecoderErrorCode code = BrotliDecoderGetErrorCode(dec->state);
    if (code <= BROTLI_DECODER_ERROR_ALLOC_CONTEXT_MODES &&
        code >= BROTLI_DECODER_ERROR_ALLOC_BLOCK_TYPE_TREES) {
        return hr_fail(err, HR_E_NOMEM, "out of memory for brotli");
    }
    return hr_codec_fail_data(err, "brotli", BrotliDecoderErrorString(code));
}

static int brotli_decode_step(void *ctx, struct hr_codec_io *io, bool eof, struct hr_error *err) {
    struct brotli_decoder *dec = ctx;
    if (!dec->ended) {
        BrotliDecoderResult rc = BrotliDecoderDecompressStream(dec->state, &io->in_len, &io->in,
                                                               &io->out_len, &io->out, NULL);
        switch (rc) {
        case BROTLI_DECODER_RESULT_ERROR: return brotli_fail(dec, err);
        case BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT: return 0;
        case BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT:
            return eof ? hr_codec_fail_early(err, "brotli") : 0;
        case BROTLI_DECODER_RESULT_SUCCESS: dec->ended = true; break;
        }
    }
    if (io->in_len > 0) {
        return hr_codec_fail_junk(err, "brotli");
    }
    return eof ? HR_END : 0;
}

static void brotli_decode_end(void *ctx) {
    struct brotli_decoder *dec = ctx;
    if (dec != NULL) {
        BrotliDecoderDestroyInstance(dec->state);
        hr_free(dec);
    }
}

static int brotli_decode_block(struct hr_slice in, uint8_t *out, size_t *out_len,
                               struct hr_error *err) {
    return hr_codec_stream_decode_block(&hr_codec_brotli, in, out, out_len, err);
}

/* ---- encoding ---- */

static int brotli_encode_begin(void **ctx, int level, struct hr_error *err) {
    BrotliEncoderState *state = BrotliEncoderCreateInstance(brotli_alloc, brotli_free, NULL);
    if (state == NULL) {
        return hr_fail(err, HR_E_NOMEM, "out of memory for a compressor");
    }
    uint32_t quality = (uint32_t)hr_codec_level(&hr_codec_brotli, level);
    BrotliEncoderSetParameter(state, BROTLI_PARAM_QUALITY, quality);
    *ctx = state;
    return 0;
}

static int brotli_encode_step(void *ctx, struct hr_codec_io *io, bool finish,
                              struct hr_error *err) {
    for (;;) {
        /* The tail goes in by an ordinary step first, so that the output does not depend on how the
         * input was cut. */
        bool last = finish && io->in_len == 0;
        if (!BrotliEncoderCompressStream(ctx,
                                         last ? BROTLI_OPERATION_FINISH : BROTLI_OPERATION_PROCESS,
                                         &io->in_len, &io->in, &io->out_len, &io->out, NULL)) {
            return hr_fail(err, HR_E_NOMEM, "out of memory for brotli");
        }
        if (BrotliEncoderIsFinished(ctx)) {
            return HR_END;
        }
        if (io->out_len == 0 || (io->in_len == 0 && !finish)) {
            return 0;
        }
    }
}

static void brotli_encode_end(void *ctx) {
    BrotliEncoderDestroyInstance(ctx);
}

static size_t brotli_bound(size_t in_len) {
    size_t bound = BrotliEncoderMaxCompressedSize(in_len);
    return bound != 0 ? bound : in_len + in_len / 1024 + 1024;
}

static int brotli_encode_block(struct hr_slice in, int level, uint8_t *out, size_t *out_len,
                               struct hr_error *err) {
    size_t made = brotli_bound(in.len);
    int quality = hr_codec_level(&hr_codec_brotli, level);
    if (!BrotliEncoderCompress(quality, BROTLI_DEFAULT_WINDOW, BROTLI_MODE_GENERIC, in.len, in.ptr,
                               &made, out)) {
        return hr_fail(err, HR_E_NOMEM, "out of memory for brotli");
    }
    *out_len = made;
    return 0;
}

static const char *const brotli_suffixes[] = {".br", ".brotli", NULL};

const struct hr_codec hr_codec_brotli = {
    .name = "brotli",
    .suffixes = brotli_suffixes,
    .flags = HR_CODEC_BLOCK | HR_CODEC_NO_MAGIC | HR_CODEC_MEMBER,
    .level_min = 1,
    .level_max = 11,
    .level_default = 5,
    .decode_begin = brotli_decode_begin,
    .decode_step = brotli_decode_step,
    .decode_end = brotli_decode_end,
    .encode_begin = brotli_encode_begin,
    .encode_step = brotli_encode_step,
    .encode_end = brotli_encode_end,
    .decode_block = brotli_decode_block,
    .bound = brotli_bound,
    .encode_block = brotli_encode_block,
};
