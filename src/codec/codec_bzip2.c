/* codec/codec_bzip2.c - bzip2 by libbz2: streams one after another (what pbzip2 writes), block CRCs
 * verified by the library. Written as one stream of 900 KB blocks. */
#include "codec/leaves.h"

#include <bzlib.h>

static bool bzip2_probe(const uint8_t *head, size_t len) {
    static const uint8_t block[] = {0x31, 0x41, 0x59, 0x26, 0x53, 0x59};
    static const uint8_t end[] = {0x17, 0x72, 0x45, 0x38, 0x50, 0x90};
    if (len < 4 || memcmp(head, "BZh", 3) != 0 || head[3] < '1' || head[3] > '9') {
        return false;
    }
    size_t n = len - 4 < 6 ? len - 4 : 6;
    return memcmp(head + 4, block, n) == 0 || memcmp(head + 4, end, n) == 0;
}

static void *bz_alloc(void *opaque, int count, int size) {
    (void)opaque;
    return count < 0 || size < 0 ? NULL : hr_calloc((size_t)count, (size_t)size);
}

static void bz_free(void *opaque, void *ptr) {
    (void)opaque;
    hr_free(ptr);
}

struct bzip2_ctx {
    bz_stream bz;
    bool open;  /* bz is initialised */
    bool any;   /* decoding: a stream ended before */
    bool ended; /* encoding: all was written */
};

static int bzip2_fail(const struct bzip2_ctx *ctx, int code, struct hr_error *err) {
    switch (code) {
    case BZ_MEM_ERROR: return hr_fail(err, HR_E_NOMEM, "out of memory for bzip2");
    case BZ_DATA_ERROR_MAGIC:
        return ctx->any ? hr_codec_fail_junk(err, "bzip2")
                        : hr_fail(err, HR_E_CORRUPT, "the data does not start as a bzip2 stream");
    case BZ_DATA_ERROR: return hr_codec_fail_data(err, "bzip2", "a block's checksum or coding");
    default: return hr_fail(err, HR_E_INTERNAL, "bzip2 answered %d", code);
    }
}

/* Give bz the pointers of io and take them back: libbz2 counts in unsigned int. */
static void bzip2_lend(bz_stream *bz, const struct hr_codec_io *io) {
    const size_t most = (size_t)1 << 30;
    bz->next_in = (char *)(uintptr_t)io->in;
    bz->avail_in = (unsigned)(io->in_len < most ? io->in_len : most);
    bz->next_out = (char *)io->out;
    bz->avail_out = (unsigned)(io->out_len < most ? io->out_len : most);
}

static void bzip2_take(const bz_stream *bz, struct hr_codec_io *io) {
    size_t used = (size_t)((const uint8_t *)bz->next_in - io->in);
    size_t made = (size_t)((uint8_t *)bz->next_out - io->out);
    io->in += used;
    io->in_len -= used;
    io->out += made;
    io->out_len -= made;
}

/* ---- decoding ---- */

static int bzip2_decode_begin(void **out, struct hr_error *err) {
    struct bzip2_ctx *ctx = hr_calloc(1, sizeof(*ctx));
    if (ctx == NULL) {
        return hr_fail(err, HR_E_NOMEM, "out of memory for a decompressor");
    }
    ctx->bz.bzalloc = bz_alloc;
    ctx->bz.bzfree = bz_free;
    *out = ctx;
    return 0;
}

static int bzip2_decode_step(void *ptr, struct hr_codec_io *io, bool eof, struct hr_error *err) {
    struct bzip2_ctx *ctx = ptr;
    for (;;) {
        if (!ctx->open) {
            if (io->in_len == 0) {
                return !eof ? 0 : ctx->any ? HR_END : hr_codec_fail_early(err, "bzip2");
            }
            int rc = BZ2_bzDecompressInit(&ctx->bz, 0, 0);
            if (rc != BZ_OK) {
                return bzip2_fail(ctx, rc, err);
            }
            ctx->open = true;
        }
        if (io->out_len == 0) {
            return 0;
        }
        bzip2_lend(&ctx->bz, io);
        int rc = BZ2_bzDecompress(&ctx->bz);
        bzip2_take(&ctx->bz, io);
        if (rc == BZ_STREAM_END) {
            BZ2_bzDecompressEnd(&ctx->bz);
            ctx->open = false;
            ctx->any = true;
        } else if (rc != BZ_OK) {
            return bzip2_fail(ctx, rc, err);
        } else if (io->out_len == 0) {
            return 0;
        } else if (io->in_len == 0) {
            return eof ? hr_codec_fail_early(err, "bzip2") : 0;
        }
    }
}

static void bzip2_decode_end(void *ptr) {
    struct bzip2_ctx *ctx = ptr;
    if (ctx == NULL) {
        return;
    }
    if (ctx->open) {
        BZ2_bzDecompressEnd(&ctx->bz);
    }
    hr_free(ctx);
}

static int bzip2_decode_block(struct hr_slice in, uint8_t *out, size_t *out_len,
                              struct hr_error *err) {
    return hr_codec_stream_decode_block(&hr_codec_bzip2, in, out, out_len, err);
}

/* ---- encoding ---- */

static int bzip2_encode_begin(void **out, int level, struct hr_error *err) {
    struct bzip2_ctx *ctx = hr_calloc(1, sizeof(*ctx));
    if (ctx == NULL) {
        return hr_fail(err, HR_E_NOMEM, "out of memory for a compressor");
    }
    ctx->bz.bzalloc = bz_alloc;
    ctx->bz.bzfree = bz_free;
    int rc = BZ2_bzCompressInit(&ctx->bz, hr_codec_level(&hr_codec_bzip2, level), 0, 0);
    if (rc != BZ_OK) {
        rc = bzip2_fail(ctx, rc, err);
        hr_free(ctx);
        return rc;
    }
    *out = ctx;
    return 0;
}

static int bzip2_encode_step(void *ptr, struct hr_codec_io *io, bool finish, struct hr_error *err) {
    struct bzip2_ctx *ctx = ptr;
    while (!ctx->ended) {
        if (io->out_len == 0 || (io->in_len == 0 && !finish)) {
            return 0;
        }
        bzip2_lend(&ctx->bz, io);
        bool last = finish && ctx->bz.avail_in == io->in_len;
        int rc = BZ2_bzCompress(&ctx->bz, last ? BZ_FINISH : BZ_RUN);
        bzip2_take(&ctx->bz, io);
        if (rc == BZ_STREAM_END) {
            ctx->ended = true;
        } else if (rc != BZ_RUN_OK && rc != BZ_FINISH_OK) {
            return bzip2_fail(ctx, rc, err);
        }
    }
    return HR_END;
}

static void bzip2_encode_end(void *ptr) {
    struct bzip2_ctx *ctx = ptr;
    if (ctx != NULL) {
        BZ2_bzCompressEnd(&ctx->bz);
        hr_free(ctx);
    }
}

static size_t bzip2_bound(size_t in_len) {
    return in_len + in_len / 100 + 601; /* the library's manual: 1% + 600 */
}

static int bzip2_encode_block(struct hr_slice in, int level, uint8_t *out, size_t *out_len,
                              struct hr_error *err) {
    void *ctx = NULL;
    int rc = bzip2_encode_begin(&ctx, level, err);
    if (rc != 0) {
        return rc;
    }
    size_t room = bzip2_bound(in.len);
    struct hr_codec_io io = {.in = in.ptr, .in_len = in.len, .out = out, .out_len = room};
    rc = bzip2_encode_step(ctx, &io, true, err);
    bzip2_encode_end(ctx);
    if (rc != HR_END) {
        return rc == 0 ? hr_fail(err, HR_E_INTERNAL, "bzip2 output is over its bound") : rc;
    }
    *out_len = room - io.out_len;
    return 0;
}

static const char *const bzip2_suffixes[] = {".bz2", ".bzip2", NULL};

const struct hr_codec hr_codec_bzip2 = {
    .name = "bzip2",
    .suffixes = bzip2_suffixes,
    .flags = HR_CODEC_CONCAT | HR_CODEC_BLOCK | HR_CODEC_MEMBER,
    .level_min = 1,
    .level_max = 9,
    .level_default = 9,
    .probe = bzip2_probe,
    .decode_begin = bzip2_decode_begin,
    .decode_step = bzip2_decode_step,
    .decode_end = bzip2_decode_end,
    .encode_begin = bzip2_encode_begin,
    .encode_step = bzip2_encode_step,
    .encode_end = bzip2_encode_end,
    .decode_block = bzip2_decode_block,
    .bound = bzip2_bound,
    .encode_block = bzip2_encode_block,
};
