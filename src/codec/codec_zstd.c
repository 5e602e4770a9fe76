/* codec/codec_zstd.c - Zstandard (RFC 8878) by libzstd: frames one after another, skippable frames
 * stepped over, content checksums verified where they are present, and a seek table's list of
 * frames too (zstd_seek.c). The window, and with it the memory a frame may ask for, is capped at
 * 128 MiB.
 *
 * Streams are written with a content checksum; blocks (pages, which have checks of their own)
 * without. */
#define ZSTD_STATIC_LINKING_ONLY /* custom allocators at creation */
#include "codec/leaves.h"
#include "codec/zstd_seek.h"

#include <zstd.h>
#include <zstd_errors.h>

enum { ZSTD_WINDOW_LOG = 27 };

static void *zstd_alloc(void *opaque, size_t size) {
    (void)opaque;
    return hr_malloc(size);
}

static void zstd_free(void *opaque, void *ptr) {
    (void)opaque;
    hr_free(ptr);
}

static const ZSTD_customMem zstd_mem = {.customAlloc = zstd_alloc, .customFree = zstd_free};

static bool zstd_probe(const uint8_t *head, size_t len) {
    return len >= 4 &&
           ((head[0] == 0x28 && head[1] == 0xb5 && head[2] == 0x2f && head[3] == 0xfd) ||
            ((head[0] & 0xf0) == 0x50 && head[1] == 0x2a && head[2] == 0x4d &&
             head[3] == 0x18)); /* a skippable frame comes first */
}

static int zstd_fail(size_t code, bool again, struct hr_error *err) {
    switch (ZSTD_getErrorCode(code)) {
    case ZSTD_error_memory_allocation: return hr_fail(err, HR_E_NOMEM, "out of memory for zstd");
    case ZSTD_error_prefix_unknown:
        return again ? hr_codec_fail_junk(err, "zstd")
                     : hr_fail(err, HR_E_CORRUPT, "the data does not start as a zstd stream");
    case ZSTD_error_frameParameter_windowTooLarge:
        hr_fail(err, HR_E_BOUND, "the zstd frame needs a window of more than %d MiB",
                1 << (ZSTD_WINDOW_LOG - 20));
        hr_error_hint(err, "compress it again without --long, or with --long=%d", ZSTD_WINDOW_LOG);
        return HR_E_BOUND;
    case ZSTD_error_dictionary_wrong:
        return hr_fail(err, HR_E_UNSUPPORTED, "the zstd frame needs a dictionary");
    case ZSTD_error_dstSize_tooSmall:
        return hr_fail(err, HR_E_CORRUPT, "the zstd block inflates to more than was announced");
    default: return hr_codec_fail_data(err, "zstd", ZSTD_getErrorName(code));
    }
}

/* ---- decoding ---- */

struct zstd_decoder {
    ZSTD_DCtx *dctx;
    bool any, inside; /* a frame ended before; a frame is open */
    struct hr_zstd_seek seek;
};

static int zstd_decode_begin(void **ctx, struct hr_error *err) {
    struct zstd_decoder *dec = hr_calloc(1, sizeof(*dec));
    if (dec == NULL) {
        return hr_fail(err, HR_E_NOMEM, "out of memory for a decompressor");
    }
    dec->dctx = ZSTD_createDCtx_advanced(zstd_mem);
    if (dec->dctx == NULL) {
        hr_free(dec);
        return hr_fail(err, HR_E_NOMEM, "out of memory for a decompressor");
    }
    ZSTD_DCtx_setParameter(dec->dctx, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG);
    *ctx = dec;
    return 0;
}

static int zstd_decode_step(void *ctx, struct hr_codec_io *io, bool eof, struct hr_error *err) {
    struct zstd_decoder *dec = ctx;
    for (;;) {
        if (io->in_len == 0 && !dec->inside) {
            if (!eof) {
                return 0;
            }
            const int end =
                dec->any ? hr_zstd_seek_end(&dec->seek, err) : hr_codec_fail_early(err, "zstd");
            return end ? end : HR_END;
        }
        ZSTD_inBuffer in = {.src = io->in, .size = io->in_len};
        ZSTD_outBuffer out = {.dst = io->out, .size = io->out_len};
        size_t rc = ZSTD_decompressStream(dec->dctx, &out, &in);
        io->in += in.pos;
        io->in_len -= in.pos;
        io->out += out.pos;
        io->out_len -= out.pos;
        if (ZSTD_isError(rc)) {
            return zstd_fail(rc, dec->any, err);
        }
        dec->inside = rc != 0;
        dec->any = dec->any || rc == 0;
        const int seek = hr_zstd_seek_watch(&dec->seek, in.src, in.pos, out.pos, rc == 0, err);
        if (seek != 0) {
            return seek;
        }
        if (io->out_len == 0) {
            return 0;
        }
        if (io->in_len == 0 && dec->inside) {
            return eof ? hr_codec_fail_early(err, "zstd") : 0;
        }
    }
}

static void zstd_decode_expect(void *ctx, const struct hr_codec_frames *frames) {
    struct zstd_decoder *dec = ctx;
    dec->seek.want = *frames;
}

static bool zstd_decode_met(const void *ctx) {
    const struct zstd_decoder *dec = ctx;
    return dec->seek.met;
}

static void zstd_decode_end(void *ctx) {
    struct zstd_decoder *dec = ctx;
    if (dec != NULL) {
        ZSTD_freeDCtx(dec->dctx);
        hr_free(dec);
    }
}

/* ---- encoding ---- */

static int zstd_encode_begin(void **ctx, int level, struct hr_error *err) {
    ZSTD_CCtx *cctx = ZSTD_createCCtx_advanced(zstd_mem);
    if (cctx == NULL) {
        return hr_fail(err, HR_E_NOMEM, "out of memory for a compressor");
    }
    ZSTD_CCtx_setParameter(cctx, ZSTD_c_compressionLevel, hr_codec_level(&hr_codec_zstd, level));
    ZSTD_CCtx_setParameter(cctx, ZSTD_c_checksumFlag, 1);
    *ctx = cctx;
    return 0;
}

static int zstd_encode_step(void *ctx, struct hr_codec_io *io, bool finish, struct hr_error *err) {
    for (;;) {
        ZSTD_inBuffer in = {.src = io->in, .size = io->in_len};
        ZSTD_outBuffer out = {.dst = io->out, .size = io->out_len};
        /* The tail goes in by an ordinary step first: a frame begun with `end` would store its size
         * and so differ from the same bytes given in pieces. */
        bool last = finish && io->in_len == 0;
        size_t rc = ZSTD_compressStream2(ctx, &out, &in, last ? ZSTD_e_end : ZSTD_e_continue);
        io->in += in.pos;
        io->in_len -= in.pos;
        io->out += out.pos;
        io->out_len -= out.pos;
        if (ZSTD_isError(rc)) {
            return zstd_fail(rc, true, err);
        }
        if (last && rc == 0) {
            return HR_END;
        }
        if (io->out_len == 0 || (io->in_len == 0 && !finish)) {
            return 0;
        }
    }
}

static void zstd_encode_end(void *ctx) {
    ZSTD_freeCCtx(ctx);
}

/* ---- blocks ---- */

static _Thread_local struct hr_codec_local zstd_local;
static _Thread_local ZSTD_DCtx *block_dctx;
static _Thread_local ZSTD_CCtx *block_cctx;

static void zstd_local_release(void) {
    ZSTD_freeDCtx(block_dctx);
    ZSTD_freeCCtx(block_cctx);
    block_dctx = NULL;
    block_cctx = NULL;
}

static int zstd_decode_block(struct hr_slice in, uint8_t *out, size_t *out_len,
                             struct hr_error *err) {
    if (in.len == 0) {
        return hr_codec_fail_early(err, "zstd");
    }
    if (block_dctx == NULL) {
        block_dctx = ZSTD_createDCtx();
        if (block_dctx == NULL) {
            return hr_fail(err, HR_E_NOMEM, "out of memory for a decompressor");
        }
        hr_codec_local_keep(&zstd_local, zstd_local_release);
    }
    size_t rc = ZSTD_decompressDCtx(block_dctx, out, *out_len, in.ptr, in.len);
    if (ZSTD_isError(rc)) {
        return zstd_fail(rc, false, err);
    }
    *out_len = rc;
    return 0;
}

static size_t zstd_block_len(struct hr_slice in) {
    unsigned long long len = ZSTD_getFrameContentSize(in.ptr, in.len);
    return len == ZSTD_CONTENTSIZE_UNKNOWN || len == ZSTD_CONTENTSIZE_ERROR || len > SIZE_MAX
               ? 0
               : (size_t)len;
}

static size_t zstd_bound(size_t in_len) {
    return ZSTD_compressBound(in_len);
}

static int zstd_encode_block(struct hr_slice in, int level, uint8_t *out, size_t *out_len,
                             struct hr_error *err) {
    if (block_cctx == NULL) {
        block_cctx = ZSTD_createCCtx();
        if (block_cctx == NULL) {
            return hr_fail(err, HR_E_NOMEM, "out of memory for a compressor");
        }
        hr_codec_local_keep(&zstd_local, zstd_local_release);
    }
    size_t rc = ZSTD_compressCCtx(block_cctx, out, zstd_bound(in.len), in.ptr, in.len,
                                  hr_codec_level(&hr_codec_zstd, level));
    if (ZSTD_isError(rc)) {
        return zstd_fail(rc, false, err);
    }
    *out_len = rc;
    return 0;
}

static const char *const zstd_suffixes[] = {".zst", ".zstd", NULL};

const struct hr_codec hr_codec_zstd = {
    .name = "zstd",
    .suffixes = zstd_suffixes,
    .flags = HR_CODEC_CONCAT | HR_CODEC_BLOCK,
    .level_min = -7,
    .level_max = 19,
    .level_default = 3,
    .probe = zstd_probe,
    .decode_begin = zstd_decode_begin,
    .decode_step = zstd_decode_step,
    .decode_end = zstd_decode_end,
    .decode_expect = zstd_decode_expect,
    .decode_met = zstd_decode_met,
    .encode_begin = zstd_encode_begin,
    .encode_step = zstd_encode_step,
    .encode_end = zstd_encode_end,
    .decode_block = zstd_decode_block,
    .block_len = zstd_block_len,
    .bound = zstd_bound,
    .encode_block = zstd_encode_block,
};
