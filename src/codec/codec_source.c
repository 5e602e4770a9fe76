/* codec/codec_source.c - a source that inflates another source, and whole-buffer compression.
 *
 * Sits between io/ (or memory) and the text formats: hr_source in, hr_source out, 256 KiB at a
 * time, which is what the converters' blocks and the L2 cache want. It owns the caps that stop
 * decompression bombs and puts object, codec and compressed offset around a leaf's reason. Slices
 * are always filled, so what a reader sees does not depend on how the network cut the bytes. */
#include "codec/leaves.h"

enum { SLICE = 256 << 10 };

struct codec_source {
    struct hr_source base;
    const struct hr_codec *codec;
    struct hr_source *inner;
    struct hr_codec_limits limits;
    void *ctx;
    struct hr_slice in; /* what inner gave and the codec has not taken */
    uint8_t *out;       /* SLICE bytes */
    uint64_t taken;     /* compressed bytes consumed */
    uint64_t made;      /* bytes produced */
    uint64_t begin;     /* of inner in its object */
    uint64_t skip;      /* bytes still to produce for nobody */
    bool inner_ended;
    int done; /* 0, HR_END or the error that every later call repeats */
    struct hr_error failed;
};

static const uint8_t nothing[HR_PAD];

/* Put object, codec and place around the leaf's reason. */
static int source_fail(struct codec_source *src, int code, struct hr_error *why) {
    struct hr_error *err = &src->failed;
    char reason[sizeof(why->message)];
    char hint[sizeof(why->hint)];
    memcpy(reason, why->message, sizeof(reason));
    memcpy(hint, why->hint, sizeof(hint));
    if (src->taken == 0 && src->inner_ended && src->in.len == 0) {
        hr_fail(err, code, "could not inflate '%s': it is empty, which no %s stream is",
                src->base.name, src->codec->name);
    } else {
        hr_fail(err, code, "could not inflate '%s': %.330s at compressed byte %llu", src->base.name,
                reason, (unsigned long long)(src->begin + src->taken));
    }
    if (hint[0] != '\0') {
        hr_error_hint(err, "%s", hint);
    } else if (src->made == 0 && strstr(reason, "does not start as") != NULL) {
        const bool sure = (src->codec->flags & (HR_CODEC_NO_MAGIC | HR_CODEC_FORMS)) == 0;
        hr_error_hint(err,
                      "if it is not compressed, rename it, or read it by its name with "
                      "compression=none%s%s%s",
                      sure ? "; with compression=" : "", sure ? src->codec->name : "",
                      sure ? " its first bytes decide, not the name" : "");
    }
    hr_error_object(err, src->base.name);
    return code;
}

static int source_check_caps(struct codec_source *src) {
    const struct hr_codec_limits *limits = &src->limits;
    struct hr_error *err = &src->failed;
    if (limits->output_max != 0 && src->made > limits->output_max) {
        hr_fail(err, HR_E_BOUND, "could not inflate '%s': it holds more than %llu bytes of text",
                src->base.name, (unsigned long long)limits->output_max);
        hr_error_hint(err, "raise max_inflated_gb if this object is to be trusted");
    } else if (src->made > limits->ratio_after &&
               src->made / limits->ratio > (src->taken > 0 ? src->taken : 1)) {
        hr_fail(
            err, HR_E_BOUND,
            "could not inflate '%s': %llu compressed bytes became %llu, more than %llu times as "
            "much",
            src->base.name, (unsigned long long)src->taken, (unsigned long long)src->made,
            (unsigned long long)limits->ratio);
        hr_error_hint(err, "raise max_inflate_ratio if this object is to be trusted");
    } else {
        return 0;
    }
    hr_error_object(err, src->base.name);
    return HR_E_BOUND;
}

/* More compressed bytes, when there are none left. */
static int source_pull(struct codec_source *src) {
    if (src->in.len > 0 || src->inner_ended) {
        return 0;
    }
    int rc = hr_source_next(src->inner, &src->in, &src->failed);
    if (rc == HR_END) {
        src->inner_ended = true;
        src->in = hr_slice_of(nothing, 0);
        rc = 0;
    }
    return rc;
}

/* One turn of the codec. 0, HR_END or an error, kept in `failed`. */
static int source_turn(struct codec_source *src, struct hr_codec_io *io) {
    int rc = source_pull(src);
    if (rc != 0) {
        return rc;
    }
    struct hr_error why;
    hr_error_clear(&why);
    io->in = src->in.ptr;
    io->in_len = src->in.len;
    size_t room = io->out_len;
    rc = src->codec->decode_step(src->ctx, io, src->inner_ended, &why);
    size_t used = src->in.len - io->in_len;
    src->in = hr_slice_of(io->in, io->in_len);
    src->taken += used;
    src->made += room - io->out_len;
    if (rc < 0) {
        return source_fail(src, rc, &why);
    }
    if (rc == 0 && used == 0 && room == io->out_len && (io->in_len > 0 || src->inner_ended)) {
        hr_fail(&why, HR_E_INTERNAL, "the %s codec stands still", src->codec->name);
        return source_fail(src, HR_E_INTERNAL, &why);
    }
    int cap = source_check_caps(src);
    return cap != 0 ? cap : rc;
}

static int fill_slice(struct codec_source *src, struct hr_slice *out, struct hr_error *err) {
    struct hr_codec_io io = {.out = src->out, .out_len = SLICE};
    while (src->done == 0 && io.out_len > 0) {
        src->done = source_turn(src, &io);
    }
    if (io.out_len < SLICE && src->done != HR_E_BOUND) {
        *out = hr_slice_of(src->out, SLICE - io.out_len);
        return 0;
    }
    if (src->done < 0 && err != NULL) {
        *err = src->failed;
    }
    return src->done;
}

static int codec_source_next(struct hr_source *base, struct hr_slice *out, struct hr_error *err) {
    struct codec_source *src = (struct codec_source *)base;
    int rc = fill_slice(src, out, err);
    while (rc == 0 && src->skip > 0) {
        const size_t most = src->skip < out->len ? (size_t)src->skip : out->len;
        src->skip -= most;
        *out = hr_slice_of(out->ptr + most, out->len - most);
        if (out->len == 0) {
            rc = fill_slice(src, out, err);
        }
    }
    return rc;
}

static void codec_source_close(struct hr_source *base) {
    struct codec_source *src = (struct codec_source *)base;
    src->codec->decode_end(src->ctx);
    hr_source_close(src->inner);
    hr_big_free(src->out);
    hr_free(src);
}

static const struct hr_source_ops ops = {.next = codec_source_next, .close = codec_source_close};

int hr_codec_source(const struct hr_codec *codec, struct hr_source *inner,
                    const struct hr_codec_limits *limits, struct hr_source **out,
                    struct hr_error *err) {
    int rc = 0;
    if (codec->missing != NULL || codec->decode_begin == NULL) {
        rc = hr_fail(err, HR_E_UNSUPPORTED, "could not read '%s': %s", inner->name,
                     codec->missing != NULL ? codec->missing : "the codec has no streams");
        hr_error_object(err, inner->name);
        return rc;
    }
    struct codec_source *src = hr_calloc(1, sizeof(*src));
    if (src == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not inflate '%s': out of memory", inner->name);
    }
    size_t cap = 0;
    src->out = hr_big_alloc(SLICE, &cap);
    rc = src->out == NULL
             ? hr_fail(err, HR_E_NOMEM, "could not inflate '%s': out of memory", inner->name)
             : codec->decode_begin(&src->ctx, err);
    if (rc != 0) {
        hr_big_free(src->out);
        hr_free(src);
        return rc;
    }
    src->base = (struct hr_source){.ops = &ops, .name = inner->name, .size = -1};
    src->codec = codec;
    src->inner = inner;
    src->in = hr_slice_of(nothing, 0);
    if (limits != NULL) {
        src->limits = *limits;
    }
    src->limits.ratio = src->limits.ratio != 0 ? src->limits.ratio : 1000;
    if (src->limits.ratio_after == 0) {
        src->limits.ratio_after = (uint64_t)256 << 20;
    }
    *out = &src->base;
    return 0;
}

int hr_codec_frames_source(const struct hr_codec *codec, struct hr_source *inner,
                           const struct hr_codec_limits *limits,
                           const struct hr_codec_frames *frames, int64_t text_at,
                           struct hr_source **out, struct hr_error *err) {
    if (codec->decode_expect == NULL) {
        hr_fail(err, HR_E_UNSUPPORTED, "could not read '%s' by frames: %s has none", inner->name,
                codec->name);
        hr_error_object(err, inner->name);
        return HR_E_UNSUPPORTED;
    }
    const int rc = hr_codec_source(codec, inner, limits, out, err);
    if (rc == 0) {
        struct codec_source *src = (struct codec_source *)*out;
        codec->decode_expect(src->ctx, frames);
        src->begin = (uint64_t)frames->begin;
        if (text_at > frames->text_begin) {
            src->skip = (uint64_t)(text_at - frames->text_begin);
        }
    }
    return rc;
}

int hr_codec_frames_settle(struct hr_source *base, struct hr_error *err) {
    struct codec_source *src = (struct codec_source *)base;
    struct hr_slice slice;
    int rc = 0;
    while (rc == 0 && !src->codec->decode_met(src->ctx)) {
        rc = fill_slice(src, &slice, err);
    }
    return rc == HR_END ? 0 : rc; /* the decoder lets no stream end before its frames are met */
}

/* ---- whole buffers ---- */

static int encode_stream(const struct hr_codec *codec, int level, struct hr_slice in,
                         struct hr_buf *out, struct hr_error *err) {
    void *ctx = NULL;
    const size_t before = out->len;
    int rc = codec->encode_begin(&ctx, level, err);
    if (rc != 0) {
        return rc;
    }
    struct hr_codec_io io = {.in = in.ptr != NULL ? in.ptr : nothing, .in_len = in.len};
    size_t room = in.len / 4 + 4096;
    do {
        rc = hr_buf_reserve(out, room, err);
        if (rc != 0) {
            break;
        }
        io.out = out->ptr + out->len;
        io.out_len = room;
        rc = codec->encode_step(ctx, &io, true, err);
        out->len += room - io.out_len;
    } while (rc == 0);
    codec->encode_end(ctx);
    if (rc != HR_END) {
        out->len = before;
        return rc;
    }
    return 0;
}

int hr_codec_decode_grow(const struct hr_codec *codec, struct hr_slice in, size_t max,
                         uint8_t **buf, size_t *cap, size_t *out_len, struct hr_error *err) {
    size_t told = codec->block_len != NULL ? codec->block_len(in) : 0;
    size_t room = told != 0 ? told : in.len > max / 4 ? max : in.len * 4;
    room = room > *cap ? room : *cap;
    room = room > 65536 ? room : 65536;
    for (;;) {
        room = room < max ? room : max;
        if (*cap < room) {
            hr_big_free(*buf);
            *cap = 0;
            *buf = hr_big_alloc(room, cap);
            if (*buf == NULL) {
                return hr_fail(err, HR_E_NOMEM, "out of memory for %zu inflated bytes", room);
            }
        }
        *out_len = room;
        int rc = codec->decode_block(in, *buf, out_len, err);
        /* Too little room and damaged data look alike to some libraries: trying with more room
         * settles it, a handful of times at most. */
        if (rc != HR_E_CORRUPT) {
            return rc;
        }
        if (room == max) {
            *out_len = 0;
            return rc;
        }
        room = room > max / 4 ? max : room * 4;
    }
}

int hr_codec_encode(const struct hr_codec *codec, int level, struct hr_slice in, struct hr_buf *out,
                    struct hr_error *err) {
    if (codec->missing != NULL) {
        return hr_fail(err, HR_E_UNSUPPORTED, "could not compress: %s", codec->missing);
    }
    if (codec->encode_begin != NULL && (codec->flags & HR_CODEC_MEMBER) == 0) {
        return encode_stream(codec, level, in, out, err);
    }
    if (in.ptr == NULL) {
        in.ptr = nothing;
    }
    int rc = hr_buf_reserve(out, codec->bound(in.len), err);
    if (rc != 0) {
        return rc;
    }
    size_t made = 0;
    rc = codec->encode_block(in, level, out->ptr + out->len, &made, err);
    if (rc == 0) {
        out->len += made;
    }
    return rc;
}
