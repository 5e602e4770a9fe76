/* base/io.h - the byte interfaces: hr_source is read by codecs and formats, hr_out is written.
 *
 * io/ implements both over a store, codec/ wraps a source in a decoding source, tests implement
 * them over memory. A source or out is used by one thread at a time. */
#ifndef HR_BASE_IO_H
#define HR_BASE_IO_H

#include "base/slice.h"

struct hr_range {
    int64_t offset;
    int64_t len;
};

struct hr_source;

struct hr_source_ops {
    /* The next bytes in order, in any amount > 0; HR_END at the end (again on every later call).
     * The bytes, and HR_PAD readable (undefined) bytes behind them, live until the next call on
     * this source. The bytes may be overwritten by the caller. Blocks on the network or disk. */
    int (*next)(struct hr_source *src, struct hr_slice *out, struct hr_error *err);
    /* Exactly len bytes at offset into dst. HR_E_CORRUPT when the object ends before. NULL: this
     * source is a stream (caller checks hr_source.random). Independent of next's position. */
    int (*read_at)(struct hr_source *src, int64_t offset, size_t len, uint8_t *dst,
                   struct hr_error *err);
    /* Advice: these ranges will be read soon, in this order. Optional, never fails. */
    void (*hint)(struct hr_source *src, const struct hr_range *ranges, size_t count);
    /* Release everything, the source itself included. */
    void (*close)(struct hr_source *src);
};

struct hr_source {
    const struct hr_source_ops *ops;
    const char *name; /* object key or path, for messages; lives as long as the source */
    int64_t size;     /* bytes in all, -1 unknown (a decoded stream) */
    bool random;      /* read_at works */
};

static inline int hr_source_next(struct hr_source *src, struct hr_slice *out,
                                 struct hr_error *err) {
    return src->ops->next(src, out, err);
}
static inline int hr_source_read_at(struct hr_source *src, int64_t offset, size_t len, uint8_t *dst,
                                    struct hr_error *err) {
    return src->ops->read_at(src, offset, len, dst, err);
}
static inline void hr_source_hint(struct hr_source *src, const struct hr_range *ranges,
                                  size_t count) {
    if (src->ops->hint) {
        src->ops->hint(src, ranges, count);
    }
}
static inline void hr_source_close(struct hr_source *src) {
    if (src) {
        src->ops->close(src);
    }
}

/* A source over memory the caller keeps alive. `chunk` limits what next gives at once (0: all), so
 * that tests can split at every byte; with chunk the bytes are copied into an exactly sized buffer
 * (+ HR_PAD), so sanitizers see an over-read beyond the pad. NULL: no memory. */
struct hr_source *hr_source_mem(const char *name, const void *ptr, size_t len, size_t chunk);

/* Read all that is left of a stream into buf (bounded by buf->max). */
int hr_source_slurp(struct hr_source *src, struct hr_buf *buf, struct hr_error *err);

struct hr_out;
struct hr_out_ops {
    /* Take all len bytes or fail. May block. */
    int (*write)(struct hr_out *out, const void *ptr, size_t len, struct hr_error *err);
    /* Release without finishing; what finishing means belongs to the implementation. */
    void (*close)(struct hr_out *out);
};
struct hr_out {
    const struct hr_out_ops *ops;
    int64_t written; /* bytes taken so far, kept by hr_out_write */
};
static inline int hr_out_write(struct hr_out *out, const void *ptr, size_t len,
                               struct hr_error *err) {
    int rc = out->ops->write(out, ptr, len, err);
    if (rc == 0) {
        out->written += (int64_t)len;
    }
    return rc;
}
static inline void hr_out_close(struct hr_out *out) {
    if (out) {
        out->ops->close(out);
    }
}

/* An out that appends to a buf the caller owns. NULL: no memory. */
struct hr_out *hr_out_buf(struct hr_buf *buf);

#endif
