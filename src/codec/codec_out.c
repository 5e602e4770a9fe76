/* codec/codec_out.c - an out that compresses: bytes in, one compressed stream to the out below.
 *
 * The way back of codec_source.c. Most files are written as members that tasks compressed
 * (hr_codec_encode); this is for codecs whose members cannot follow one another, brotli above all.
 */
#include "codec/leaves.h"

enum { ROOM = 256 << 10 };

struct codec_out {
    struct hr_out base;
    const struct hr_codec *codec;
    struct hr_out *dst;
    void *ctx;
    uint8_t *room;
};

static int out_step(struct codec_out *o, const void *ptr, size_t len, bool finish,
                    struct hr_error *err) {
    struct hr_codec_io io = {.in = ptr, .in_len = len};
    int rc = 0;
    while (rc == 0 && (io.in_len > 0 || finish)) {
        io.out = o->room;
        io.out_len = ROOM;
        rc = o->codec->encode_step(o->ctx, &io, finish, err);
        size_t made = ROOM - io.out_len;
        if (rc >= 0 && made > 0) {
            int failed = hr_out_write(o->dst, o->room, made, err);
            rc = failed != 0 ? failed : rc;
        }
    }
    return rc == HR_END ? 0 : rc;
}

static int codec_out_write(struct hr_out *out, const void *ptr, size_t len, struct hr_error *err) {
    return out_step((struct codec_out *)out, ptr, len, false, err);
}

static void codec_out_close(struct hr_out *out) {
    struct codec_out *o = (struct codec_out *)out;
    if (o->ctx != NULL) {
        o->codec->encode_end(o->ctx);
    }
    hr_big_free(o->room);
    hr_free(o);
}

int hr_codec_out(const struct hr_codec *codec, int level, struct hr_out *dst, struct hr_out **out,
                 struct hr_error *err) {
    static const struct hr_out_ops ops = {.write = codec_out_write, .close = codec_out_close};
    if (codec->missing != NULL || codec->encode_begin == NULL) {
        return hr_fail(err, HR_E_UNSUPPORTED, "could not write a file packed by '%s': %s",
                       codec->name,
                       codec->missing != NULL ? codec->missing : "it packs single blocks only");
    }
    struct codec_out *o = hr_calloc(1, sizeof(*o));
    if (o == NULL) {
        return hr_fail(err, HR_E_NOMEM, "out of memory for a compressor");
    }
    o->base.ops = &ops;
    o->codec = codec;
    o->dst = dst;
    o->room = hr_big_alloc(ROOM, NULL);
    int rc = o->room != NULL ? codec->encode_begin(&o->ctx, level, err)
                             : hr_fail(err, HR_E_NOMEM, "out of memory for a compressor");
    if (rc != 0) {
        o->ctx = NULL;
        codec_out_close(&o->base);
        return rc;
    }
    *out = &o->base;
    return 0;
}

int hr_codec_out_finish(struct hr_out *out, struct hr_error *err) {
    static const uint8_t nothing[HR_PAD];
    return out_step((struct codec_out *)out, nothing, 0, true, err);
}
