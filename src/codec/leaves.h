/* codec/leaves.h - what the leaves share: their declarations for the table, contexts kept per
 * thread, and the two drivers from which block codecs become streams and streams become blocks.
 *
 * Private to codec/. A leaf's error message is a reason alone ("the gzip stream ends early");
 * whoever called it puts object and place around it (codec_source.c, the page readers).
 */
#ifndef HR_CODEC_LEAVES_H
#define HR_CODEC_LEAVES_H

#include "base/mem.h"
#include "codec/codec.h"

extern const struct hr_codec hr_codec_gzip, hr_codec_zlib, hr_codec_deflate_raw, hr_codec_bzip2,
    hr_codec_zstd, hr_codec_lz4, hr_codec_lz4_raw, hr_codec_lz4_hadoop, hr_codec_snappy,
    hr_codec_snappy_raw, hr_codec_snappy_hadoop, hr_codec_brotli;

/* A bare snappy block (length varint and elements) that says it inflates to `len` bytes. False: it
 * is damaged; what `out` holds is undefined then. Writes nothing beyond out + len. */
bool hr_snappy_block(struct hr_slice in, uint8_t *out, size_t len);

/* ---- errors ---- */

/* "the NAME stream ends early", with the hint that the object is truncated. */
int hr_codec_fail_early(struct hr_error *err, const char *name);
/* "bytes follow the end of the NAME stream". */
int hr_codec_fail_junk(struct hr_error *err, const char *name);
/* "the block does not fit the N bytes announced for it". */
int hr_codec_fail_room(struct hr_error *err, const char *name, size_t room);
/* "the NAME data is damaged: WHY". */
int hr_codec_fail_data(struct hr_error *err, const char *name, const char *why);

/* The level to use: 0 is the default, others are clamped into the codec's range. */
int hr_codec_level(const struct hr_codec *codec, int level);

/* ---- contexts kept per thread ----
 * A leaf declares `static _Thread_local struct hr_codec_local`, and calls keep once it holds a
 * library context in this thread; release is called when the thread ends or asks for it. */
struct hr_codec_local {
    struct hr_codec_local *next;
    void (*release)(void);
};
void hr_codec_local_keep(struct hr_codec_local *local, void (*release)(void));

/* ---- a stream from a block packer ----
 * Collects input into pieces of a fixed size, packs each whole piece, hands the result out. What
 * comes out depends on the bytes alone, never on how they were cut into calls. */
struct hr_chunker {
    size_t chunk; /* bytes of a piece */
    uint8_t *in;  /* chunk bytes */
    size_t in_len;
    uint8_t *out; /* room bytes */
    size_t room;
    size_t out_len, out_at;
    bool any, finished; /* a piece was packed; the tail was written */
};
struct hr_chunk_ops {
    /* Pack in[0..len) to out (room is what init was given), *out_len bytes made. `first`: nothing
     * was packed before, `last`: nothing follows. With `last` len may be 0, but only when nothing
     * was packed before or `always_last` is set. */
    int (*pack)(void *ctx, const uint8_t *in, size_t len, bool first, bool last, uint8_t *out,
                size_t *out_len, struct hr_error *err);
    bool always_last; /* an end mark is needed although the input ended at a piece border */
};
int hr_chunker_init(struct hr_chunker *chunker, size_t chunk, size_t room, struct hr_error *err);
void hr_chunker_release(struct hr_chunker *chunker);
/* The body of an encode_step. */
int hr_chunker_step(struct hr_chunker *chunker, const struct hr_chunk_ops *ops, void *ctx,
                    struct hr_codec_io *io, bool finish, struct hr_error *err);

/* ---- input that must be whole before it can be used ---- */

/* Collects exactly `want` bytes from io. True once they are there; then *out is where they lie,
 * either in io->in (nothing was copied) or in the gather's own memory; valid until the next call.
 */
struct hr_gather {
    struct hr_buf buf;
};
enum hr_gather_state { HR_GATHER_DONE, HR_GATHER_MORE, HR_GATHER_FAILED };
enum hr_gather_state hr_gather_take(struct hr_gather *gather, struct hr_codec_io *io, size_t want,
                                    const uint8_t **out, struct hr_error *err);

/* ---- output that did not fit ---- */

struct hr_held {
    const uint8_t *ptr; /* the decoder's memory */
    size_t len, at;
};
/* Hand on what fits into io; true while some is left. */
bool hr_held_drain(struct hr_held *held, struct hr_codec_io *io);

/* ---- one-shot blocks from a stream ---- */

int hr_codec_stream_decode_block(const struct hr_codec *codec, struct hr_slice in, uint8_t *out,
                                 size_t *out_len, struct hr_error *err);

/* Hadoop's framing around any raw block codec: big-endian lengths of the whole and of each chunk.
 */
struct hr_hadoop_ops {
    const char *name;
    /* Bytes the chunk will inflate to, or 0 when the codec cannot tell; SIZE_MAX: damaged. */
    size_t (*inflated)(struct hr_slice in);
    int (*inflate)(struct hr_slice in, uint8_t *out, size_t *out_len, struct hr_error *err);
    size_t (*bound)(size_t in_len);
    int (*deflate)(struct hr_slice in, int level, uint8_t *out, size_t *out_len,
                   struct hr_error *err);
};
int hr_hadoop_decode_begin(const struct hr_hadoop_ops *ops, void **ctx, struct hr_error *err);
int hr_hadoop_decode_step(void *ctx, struct hr_codec_io *io, bool eof, struct hr_error *err);
void hr_hadoop_decode_end(void *ctx);
int hr_hadoop_encode_begin(const struct hr_hadoop_ops *ops, int level, void **ctx,
                           struct hr_error *err);
int hr_hadoop_encode_step(void *ctx, struct hr_codec_io *io, bool finish, struct hr_error *err);
void hr_hadoop_encode_end(void *ctx);
size_t hr_hadoop_bound(const struct hr_hadoop_ops *ops, size_t in_len);
int hr_hadoop_encode_block(const struct hr_hadoop_ops *ops, struct hr_slice in, int level,
                           uint8_t *out, size_t *out_len, struct hr_error *err);
/* True when the first bytes can be Hadoop's framing (at least 8 are needed). */
bool hr_hadoop_probe(const uint8_t *head, size_t len);
/* Decoders of .lz4 and .snappy objects that Hadoop wrote. */
int hr_lz4_hadoop_begin(void **ctx, struct hr_error *err);
int hr_snappy_hadoop_begin(void **ctx, struct hr_error *err);
/* The legacy frame under the name .lz4. */
bool hr_lz4_legacy_probe(const uint8_t *head, size_t len);
int hr_lz4_legacy_begin(void **ctx, struct hr_error *err);
int hr_lz4_legacy_step(void *ctx, struct hr_codec_io *io, bool eof, struct hr_error *err);
void hr_lz4_legacy_end(void *ctx);
/* And of bare snappy blocks under that name. */
int hr_snappy_bare_begin(void **ctx, struct hr_error *err);
int hr_snappy_bare_step(void *ctx, struct hr_codec_io *io, bool eof, struct hr_error *err);
void hr_snappy_bare_end(void *ctx);

/* ---- LZ77 sequences as a stream ---- */

/* The last 64 KiB of output, so that a raw block can be decoded in bounded memory: neither lz4 nor
 * any snappy encoder refers further back. */
enum { HR_LZ_WINDOW = 1 << 16 };
struct hr_lz {
    uint64_t total; /* bytes made so far */
    uint8_t ring[HR_LZ_WINDOW];
};
/* Move up to *left literal bytes from io->in to io->out. */
void hr_lz_literals(struct hr_lz *lz, struct hr_codec_io *io, uint64_t *left);
/* Repeat up to *left bytes from `distance` back; the caller has checked hr_lz_reaches. */
void hr_lz_copy(struct hr_lz *lz, struct hr_codec_io *io, uint32_t distance, uint64_t *left);
static inline bool hr_lz_reaches(const struct hr_lz *lz, uint64_t distance) {
    return distance != 0 && distance <= lz->total && distance <= HR_LZ_WINDOW;
}

/* ---- one name, several framings as found in the wild ---- */

/* Looks at the first bytes and hands over to one of the decoders. */
struct hr_sniff_choice {
    bool (*probe)(const uint8_t *head, size_t len); /* NULL: always */
    int (*begin)(void **ctx, struct hr_error *err);
    int (*step)(void *ctx, struct hr_codec_io *io, bool eof, struct hr_error *err);
    void (*end)(void *ctx);
};
int hr_sniff_begin(const struct hr_sniff_choice *choices, size_t n, void **ctx,
                   struct hr_error *err);
int hr_sniff_step(void *ctx, struct hr_codec_io *io, bool eof, struct hr_error *err);
void hr_sniff_end(void *ctx);

#endif
