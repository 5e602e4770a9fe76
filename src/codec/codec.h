/* codec/codec.h - SEAM codec: compressed bytes to bytes and back.
 *
 * One `static const struct hr_codec` per leaf (codec_gzip.c …), one line each in codec_table.c.
 * Level 2: includes base/ only.
 */
#ifndef HR_CODEC_CODEC_H
#define HR_CODEC_CODEC_H

#include "base/io.h"

enum hr_codec_flags {
    HR_CODEC_CONCAT = 1,   /* members may follow one another; the decoder reads them all */
    HR_CODEC_BLOCK = 2,    /* decode_block / encode_block work */
    HR_CODEC_NO_MAGIC = 4, /* cannot be told from its first bytes (brotli, raw blocks) */
    HR_CODEC_MEMBER = 8,   /* what encode_block makes is a whole stream with its checks */
    HR_CODEC_FORMS = 16    /* has stream forms that probe does not know (bare snappy, Hadoop's) */
};

/* One call of a streaming decoder or encoder: consume from in, produce to out. The codec moves the
 * pointers and counts. in has HR_PAD readable bytes behind it. */
struct hr_codec_io {
    const uint8_t *in;
    size_t in_len;
    uint8_t *out;
    size_t out_len;
};

/* Some whole frames of an object that ends with a list of all of them. */
struct hr_codec_frames {
    int64_t count;                /* 0: the object is read from its begin, there is nothing here */
    int64_t begin, end;           /* stored bytes of these frames */
    int64_t stop;                 /* stored: behind the last frame of the object */
    int64_t text_begin, text_end; /* begin and end in the inflated text */
    uint64_t hash;                /* of the sizes of each, in order */
};

struct hr_codec {
    const char *name;            /* "gzip" */
    const char *const *suffixes; /* {".gz", NULL} */
    unsigned flags;              /* enum hr_codec_flags */
    const char *missing;         /* not built in: the sentence why; NULL: usable */
    int level_min, level_max, level_default;

    /* True when the first bytes (as many as there are, up to 16) are this codec's. NULL: no magic.
     */
    bool (*probe)(const uint8_t *head, size_t len);

    /* Streaming decoder. decode_step returns 0 (call again: with more input when in_len is 0, with
     * more room when out_len is 0), HR_END when the stream is complete and, with `eof` (no input
     * follows io->in), nothing is left; junk behind the last member is HR_E_CORRUPT, so is a stream
     * that ends early (in_len == 0, eof, not complete). An empty input (0 bytes in all) is
     * HR_E_CORRUPT. Never blocks. Memory: a window, bounded. An error's message is the reason
     * alone, for the caller to put object and place around. */
    int (*decode_begin)(void **ctx, struct hr_error *err);
    int (*decode_step)(void *ctx, struct hr_codec_io *io, bool eof, struct hr_error *err);
    void (*decode_end)(void *ctx); /* NULL allowed */
    /* Seekable streams, else NULL. Before the first step: the input begins with these frames and
     * goes on to `stop`; frames of other sizes are HR_E_CORRUPT. met: all of them went by and were
     * right; what follows is not judged. */
    void (*decode_expect)(void *ctx, const struct hr_codec_frames *frames);
    bool (*decode_met)(const void *ctx);

    /* Streaming encoder. encode_step with finish: HR_END once everything was written. The output
     * depends on the input and the level alone, not on how the calls cut it. NULL: blocks only (a
     * bare block cannot be a file others would read). level 0: the default; others are clamped. */
    int (*encode_begin)(void **ctx, int level, struct hr_error *err);
    int (*encode_step)(void *ctx, struct hr_codec_io *io, bool finish, struct hr_error *err);
    void (*encode_end)(void *ctx);

    /* One-shot blocks (Parquet pages, whole members); NULL when HR_CODEC_BLOCK is not set.
     * decode_block: *out_len is the room (with HR_PAD writable behind) on entry, bytes produced on
     * return; input may be several members. Never writes more than room + HR_PAD. HR_E_CORRUPT when
     * it does not fit or the data is damaged. encode_block: out has at least bound(in_len) bytes.
     * Contexts are thread-local and reused. */
    int (*decode_block)(struct hr_slice in, uint8_t *out, size_t *out_len, struct hr_error *err);
    /* What the block says it inflates to, 0 when it does not say or is damaged. NULL: it never
     * says. */
    size_t (*block_len)(struct hr_slice in);
    size_t (*bound)(size_t in_len);
    int (*encode_block)(struct hr_slice in, int level, uint8_t *out, size_t *out_len,
                        struct hr_error *err);
};

/* Names: gzip bzip2 zstd lz4 (frame) snappy (framed) brotli, and for pages and odd files
 * deflate-raw, lz4-raw, lz4-hadoop, snappy-raw, snappy-hadoop, zlib; xz, lzma, zip, compress and
 * lzo are rows with `missing`. Aliases: gz, bz2, zst, zstandard, br, and a few more. Letter case
 * and
 * '_' for '-' do not matter. */
const struct hr_codec *hr_codec_by_name(const char *name, size_t len); /* NULL: unknown */
/* By the last suffix of a key (".gz", any case); out_suffix_len (NULL allowed): how much to cut to
 * see the inner name. The row may be one with `missing`. */
const struct hr_codec *hr_codec_by_key(const char *key, size_t len, size_t *out_suffix_len);
const struct hr_codec *hr_codec_by_magic(const uint8_t *head, size_t len);
const struct hr_codec *const *hr_codec_all(size_t *out_count);

/* Decode a block that does not say how long it is: *buf (hr_big_alloc, may be NULL, *cap its
 * capacity) is grown as needed, to at most `max` bytes; HR_E_BOUND when that is not enough. What
 * *buf held is lost. */
int hr_codec_decode_grow(const struct hr_codec *codec, struct hr_slice in, size_t max,
                         uint8_t **buf, size_t *cap, size_t *out_len, struct hr_error *err);

/* Free what this thread keeps for decode_block and encode_block; also done when a thread ends. */
void hr_codec_thread_release(void);

/* Bounds on what a stream may grow to. */
struct hr_codec_limits {
    uint64_t ratio;       /* output/input once ratio_after bytes are out; 0 = 1000 */
    uint64_t ratio_after; /* 0 = 256 MiB */
    uint64_t output_max;  /* 0 = none */
};

/* A source that decodes `inner` (which it owns and closes). Slices of 256 KiB but for the last, cut
 * without regard to how inner's bytes arrive. Errors name the object, the codec and the compressed
 * byte offset; what was decoded before an error is handed out first. limits NULL: the defaults.
 * HR_E_UNSUPPORTED with the codec's sentence when it is missing. On failure inner is not closed. */
int hr_codec_source(const struct hr_codec *codec, struct hr_source *inner,
                    const struct hr_codec_limits *limits, struct hr_source **out,
                    struct hr_error *err);

/* The same for some frames of an object: inner begins at frames->begin and goes on to frames->stop,
 * the source at byte `text_at` of the inflated text (frames->text_begin or later). HR_E_UNSUPPORTED
 * when the codec is not seekable. */
int hr_codec_frames_source(const struct hr_codec *codec, struct hr_source *inner,
                           const struct hr_codec_limits *limits,
                           const struct hr_codec_frames *frames, int64_t text_at,
                           struct hr_source **out, struct hr_error *err);
/* Inflates on until every one of `frames` was found to be what was listed; an error when one is
 * not. For a source of hr_codec_frames_source whose reader needs no more of it. */
int hr_codec_frames_settle(struct hr_source *src, struct hr_error *err);

/* An out that compresses what it takes, as one stream, into dst, which it borrows: for codecs
 * without HR_CODEC_CONCAT, whose file must be one stream. hr_codec_out_finish writes the end of the
 * stream; close alone does not. HR_E_UNSUPPORTED when the codec has no streams to write. */
int hr_codec_out(const struct hr_codec *codec, int level, struct hr_out *dst, struct hr_out **out,
                 struct hr_error *err);
int hr_codec_out_finish(struct hr_out *out, struct hr_error *err);

/* Compress all of `in` as one stream appended to out. With HR_CODEC_CONCAT several such results may
 * follow one another in a file. */
int hr_codec_encode(const struct hr_codec *codec, int level, struct hr_slice in, struct hr_buf *out,
                    struct hr_error *err);

#endif
