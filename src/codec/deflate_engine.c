/* codec/deflate_engine.c - RFC 1951 deflate, bare or wrapped as zlib (RFC 1950) or gzip (RFC 1952):
 * the machinery under codec_gzip.c and codec_deflate.c.
 *
 * Streams are inflated by ISA-L: 2.5 times zlib's speed, a fixed state of about 90 KB, checksums
 * included. Whole blocks go through libdeflate, which is faster still but needs all input and all
 * output in memory. Both verify the wrapper's checksum. Compression is libdeflate's alone: its
 * output does not depend on the CPU it runs on, ISA-L's does.
 *
 * ISA-L reads ahead up to 8 bytes into a bit buffer. gzip's 8-byte trailer always covers that;
 * behind zlib's 4 bytes and behind bare deflate some of it may be left over, which only matters in
 * that it is junk: nothing may follow. */
#include "codec/deflate_engine.h"
#include "codec/gzip_header.h"

#include <isa-l/igzip_lib.h>
#include <libdeflate.h>

static const char *wrap_name(enum hr_deflate_wrap wrap) {
    return wrap == HR_WRAP_GZIP ? "gzip" : wrap == HR_WRAP_ZLIB ? "zlib" : "deflate";
}

/* ---- streams ---- */

enum inflate_at {
    AT_START,   /* before the first member */
    AT_HEADER,  /* inside a gzip header */
    AT_MEMBER,  /* inside one */
    AT_BETWEEN, /* a member ended */
    AT_ZEROS    /* padding behind the last gzip member, as tapes and some writers leave it */
};

struct inflate_ctx {
    struct inflate_state state;
    enum hr_deflate_wrap wrap;
    enum inflate_at at;
    bool again; /* a member ended before this one */
    struct hr_gzip_header header;
};

int hr_inflate_begin(enum hr_deflate_wrap wrap, void **ctx, struct hr_error *err) {
    struct inflate_ctx *inf = hr_malloc(sizeof(*inf));
    if (inf == NULL) {
        return hr_fail(err, HR_E_NOMEM, "out of memory for a decompressor");
    }
    isal_inflate_init(&inf->state);
    inf->wrap = wrap;
    inf->at = AT_START;
    inf->again = false;
    *ctx = inf;
    return 0;
}

void hr_inflate_end(void *ctx) {
    hr_free(ctx);
}

static int inflate_fail(const struct inflate_ctx *inf, int code, struct hr_error *err) {
    const char *name = wrap_name(inf->wrap);
    switch (code) {
    case ISAL_INVALID_WRAPPER:
        return hr_fail(err, HR_E_CORRUPT, "the data does not start as a %s stream", name);
    case ISAL_UNSUPPORTED_METHOD:
        return hr_codec_fail_data(err, name, "unknown compression method in the header");
    case ISAL_INCORRECT_CHECKSUM: return hr_codec_fail_data(err, name, "the checksum is wrong");
    case ISAL_NEED_DICT:
        return hr_fail(err, HR_E_UNSUPPORTED, "the %s stream needs a preset dictionary", name);
    case ISAL_INVALID_LOOKBACK:
        return hr_codec_fail_data(err, name, "a reference before the start");
    default: return hr_codec_fail_data(err, name, "an invalid deflate block");
    }
}

/* Run ISA-L over what io has. 0, or an error. */
static int inflate_run(struct inflate_ctx *inf, struct hr_codec_io *io, struct hr_error *err) {
    struct inflate_state *state = &inf->state;
    const size_t most = (size_t)1 << 30;
    uint32_t in = (uint32_t)(io->in_len < most ? io->in_len : most);
    uint32_t out = (uint32_t)(io->out_len < most ? io->out_len : most);
    state->next_in = (uint8_t *)(uintptr_t)io->in;
    state->avail_in = in;
    state->next_out = io->out;
    state->avail_out = out;
    int rc = isal_inflate(state);
    io->out += out - state->avail_out;
    io->out_len -= out - state->avail_out;
    uint32_t left = state->avail_in;
    if (left > in) { /* given back more than this call's input: it follows the end */
        return hr_codec_fail_junk(err, wrap_name(inf->wrap));
    }
    io->in += in - left;
    io->in_len -= in - left;
    if (rc < 0 || rc == ISAL_NEED_DICT) {
        return inflate_fail(inf, rc, err);
    }
    return 0;
}

static int inflate_between(struct inflate_ctx *inf, struct hr_codec_io *io, struct hr_error *err) {
    if (inf->wrap != HR_WRAP_GZIP) {
        return hr_codec_fail_junk(err, wrap_name(inf->wrap));
    }
    if (io->in[0] == 0) {
        inf->at = AT_ZEROS;
        return 0;
    }
    inf->at = AT_START;
    inf->again = true;
    return 0;
}

static int inflate_zeros(struct hr_codec_io *io, struct hr_error *err) {
    while (io->in_len > 0) {
        if (io->in[0] != 0) {
            return hr_codec_fail_junk(err, "gzip");
        }
        io->in++;
        io->in_len--;
    }
    return 0;
}

int hr_inflate_step(void *ctx, struct hr_codec_io *io, bool eof, struct hr_error *err) {
    static const uint8_t flags[] = {[HR_WRAP_RAW] = ISAL_DEFLATE,
                                    [HR_WRAP_ZLIB] = ISAL_ZLIB,
                                    [HR_WRAP_GZIP] = ISAL_GZIP_NO_HDR_VER};
    struct inflate_ctx *inf = ctx;
    for (;;) {
        int rc = 0;
        if (inf->at == AT_MEMBER) {
            if (io->out_len == 0) {
                return 0;
            }
            rc = inflate_run(inf, io, err);
            if (rc != 0) {
                return rc;
            }
            if (inf->state.block_state == ISAL_BLOCK_FINISH) {
                inf->at = AT_BETWEEN;
                if (inf->state.read_in_length >= 8) {
                    return hr_codec_fail_junk(err, wrap_name(inf->wrap));
                }
            } else if (io->out_len == 0) {
                return 0;
            } else if (io->in_len == 0) {
                return eof ? hr_codec_fail_early(err, wrap_name(inf->wrap)) : 0;
            }
            continue;
        }
        if (io->in_len == 0) {
            if (!eof) {
                return 0;
            }
            return inf->at < AT_MEMBER ? hr_codec_fail_early(err, wrap_name(inf->wrap)) : HR_END;
        }
        if (inf->at == AT_START) {
            isal_inflate_reset(&inf->state);
            inf->state.crc_flag = flags[inf->wrap];
            inf->at = inf->wrap == HR_WRAP_GZIP ? AT_HEADER : AT_MEMBER;
            hr_gzip_header_start(&inf->header);
        } else if (inf->at == AT_HEADER) {
            rc = hr_gzip_header_take(&inf->header, &io->in, &io->in_len, inf->again, err);
            if (rc == 1) {
                inf->at = AT_MEMBER;
                rc = 0;
            }
        } else if (inf->at == AT_BETWEEN) {
            rc = inflate_between(inf, io, err);
        } else {
            rc = inflate_zeros(io, err);
        }
        if (rc != 0) {
            return rc;
        }
    }
}

/* ---- blocks ---- */

static _Thread_local struct hr_codec_local deflate_local;
static _Thread_local struct libdeflate_decompressor *inflater;
static _Thread_local struct libdeflate_compressor *deflater;
static _Thread_local int deflater_level;

static void deflate_local_release(void) {
    libdeflate_free_decompressor(inflater);
    libdeflate_free_compressor(deflater);
    inflater = NULL;
    deflater = NULL;
}

int hr_inflate_block(enum hr_deflate_wrap wrap, struct hr_slice in, size_t *in_used, uint8_t *out,
                     size_t *out_len, struct hr_error *err) {
    if (inflater == NULL) {
        inflater = libdeflate_alloc_decompressor();
        if (inflater == NULL) {
            return hr_fail(err, HR_E_NOMEM, "out of memory for a decompressor");
        }
        hr_codec_local_keep(&deflate_local, deflate_local_release);
    }
    size_t room = *out_len;
    enum libdeflate_result rc;
    if (wrap == HR_WRAP_GZIP) {
        rc = libdeflate_gzip_decompress_ex(inflater, in.ptr, in.len, out, room, in_used, out_len);
    } else if (wrap == HR_WRAP_ZLIB) {
        rc = libdeflate_zlib_decompress_ex(inflater, in.ptr, in.len, out, room, in_used, out_len);
    } else {
        rc =
            libdeflate_deflate_decompress_ex(inflater, in.ptr, in.len, out, room, in_used, out_len);
    }
    if (rc == LIBDEFLATE_INSUFFICIENT_SPACE) {
        return hr_codec_fail_room(err, wrap_name(wrap), room);
    }
    if (rc != LIBDEFLATE_SUCCESS) {
        return hr_codec_fail_data(err, wrap_name(wrap), "cut short, invalid or a wrong checksum");
    }
    return 0;
}

size_t hr_deflate_bound(enum hr_deflate_wrap wrap, size_t in_len) {
    /* libdeflate's own figure without a context holds for every level; 18 is gzip's frame. */
    (void)wrap;
    return libdeflate_gzip_compress_bound(NULL, in_len);
}

int hr_deflate_block(enum hr_deflate_wrap wrap, struct hr_slice in, int level, uint8_t *out,
                     size_t *out_len, struct hr_error *err) {
    if (deflater == NULL || deflater_level != level) {
        libdeflate_free_compressor(deflater);
        deflater = libdeflate_alloc_compressor(level);
        if (deflater == NULL) {
            return hr_fail(err, HR_E_NOMEM, "out of memory for a compressor");
        }
        deflater_level = level;
        hr_codec_local_keep(&deflate_local, deflate_local_release);
    }
    size_t room = hr_deflate_bound(wrap, in.len);
    if (wrap == HR_WRAP_GZIP) {
        *out_len = libdeflate_gzip_compress(deflater, in.ptr, in.len, out, room);
    } else if (wrap == HR_WRAP_ZLIB) {
        *out_len = libdeflate_zlib_compress(deflater, in.ptr, in.len, out, room);
    } else {
        *out_len = libdeflate_deflate_compress(deflater, in.ptr, in.len, out, room);
    }
    if (*out_len == 0) {
        return hr_fail(err, HR_E_INTERNAL, "%s output is over its bound", wrap_name(wrap));
    }
    return 0;
}

uint32_t hr_adler32(const uint8_t *ptr, size_t len) {
    return libdeflate_adler32(1, ptr, len);
}
