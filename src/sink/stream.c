/* sink/stream.c - one file to a descriptor, and the sink that only counts. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "sink/sink.h"

struct fd_out {
    struct hr_out base;
    int fd;
};

static int fd_write(struct hr_out *out, const void *ptr, size_t len, struct hr_error *err) {
    const struct fd_out *fd = (const struct fd_out *)out;
    const uint8_t *p = ptr;
    while (len > 0) {
        const ssize_t n = write(fd->fd, p, len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return hr_fail_errno(err, errno, "could not write to standard output");
        }
        p += n;
        len -= (size_t)n;
    }
    return 0;
}

static void fd_close(struct hr_out *out) {
    (void)out;
}

struct stream_sink {
    struct hr_sink base;
    const struct hr_format *format;
    const struct hr_write_opts *write;
    struct fd_out out;
    struct hr_schema *schema;
    struct hr_file_writer *writer;
};

static int stream_schema(struct hr_sink *sink, struct hr_schema *schema, struct hr_error *err) {
    struct stream_sink *s = (struct stream_sink *)sink;
    if (s->schema != NULL && hr_schema_equal(s->schema, schema)) {
        return 0;
    }
    if (s->schema != NULL && s->out.base.written > 0) {
        hr_fail(err, HR_E_SCHEMA,
                "could not widen the schema: rows are on standard output already");
        hr_error_hint(err, "name the types beforehand with --set schema='{\"column\": \"utf8\"}', "
                           "or write to a file");
        return HR_E_SCHEMA;
    }
    if (s->writer != NULL) {
        s->writer->ops->close(s->writer);
        s->writer = NULL;
    }
    hr_schema_unref(s->schema);
    s->schema = hr_schema_ref(schema);
    return s->format->file_writer(schema, s->write, &s->out.base, &s->writer, err);
}

static int stream_put(struct hr_sink *sink, const char *folder, struct hr_block *block,
                      struct hr_error *err) {
    struct stream_sink *s = (struct stream_sink *)sink;
    const int rc = s->writer->ops->add(s->writer, block, err);
    s->base.rows += block->rows;
    hr_block_release(block);
    (void)folder; /* one file has no folders: the settings refuse them */
    return rc;
}

static int stream_cut(struct hr_sink *sink, struct hr_error *err) {
    struct stream_sink *s = (struct stream_sink *)sink;
    if (s->writer == NULL) {
        return 0;
    }
    const int rc = s->writer->ops->finish(s->writer, err);
    s->writer->ops->close(s->writer);
    s->writer = NULL;
    s->base.bytes = s->out.base.written;
    s->base.files = 1;
    return rc;
}

static int stream_rewind(struct hr_sink *sink, struct hr_error *err) {
    const struct stream_sink *s = (const struct stream_sink *)sink;
    if (s->out.base.written == 0 && s->base.rows == 0) {
        return 0;
    }
    return hr_fail(err, HR_E_CHANGED,
                   "could not read an object again: rows of it are on standard "
                   "output already");
}

static void stream_abort(struct hr_sink *sink) {
    struct stream_sink *s = (struct stream_sink *)sink;
    if (s->writer != NULL) {
        s->writer->ops->close(s->writer);
        s->writer = NULL;
    }
}

static void stream_close(struct hr_sink *sink) {
    struct stream_sink *s = (struct stream_sink *)sink;
    stream_abort(sink);
    hr_schema_unref(s->schema);
    hr_free(s);
}

/* Nowhere to keep it: it is counted by the caller. */
static int no_reject(struct hr_sink *sink, const struct hr_rejected *what, struct hr_error *err) {
    (void)sink;
    (void)what;
    (void)err;
    return 0;
}

int hr_sink_stream(int fd, const struct hr_format *format, const struct hr_write_opts *write,
                   struct hr_sink **out, struct hr_error *err) {
    static const struct hr_sink_ops ops = {.name = "stream",
                                           .schema = stream_schema,
                                           .put = stream_put,
                                           .reject = no_reject,
                                           .cut = stream_cut,
                                           .rewind = stream_rewind,
                                           .abort = stream_abort,
                                           .close = stream_close};
    static const struct hr_out_ops out_ops = {.write = fd_write, .close = fd_close};
    struct stream_sink *s = hr_calloc(1, sizeof(*s));
    *out = NULL;
    if (s == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate a destination");
    }
    s->base.ops = &ops;
    s->base.wants_blocks = true;
    s->format = format;
    s->write = write;
    s->out = (struct fd_out){.base = {.ops = &out_ops}, .fd = fd};
    *out = &s->base;
    return 0;
}

static int null_schema(struct hr_sink *sink, struct hr_schema *schema, struct hr_error *err) {
    (void)sink;
    (void)schema;
    (void)err;
    return 0;
}

static int null_put(struct hr_sink *sink, const char *folder, struct hr_block *block,
                    struct hr_error *err) {
    (void)folder;
    (void)err;
    sink->rows += block->rows;
    hr_block_release(block);
    return 0;
}

static int null_cut(struct hr_sink *sink, struct hr_error *err) {
    (void)sink;
    (void)err;
    return 0;
}

static int null_rewind(struct hr_sink *sink, struct hr_error *err) {
    (void)sink; /* it is never cut for good: rows are counted by the caller */
    (void)err;
    return 0;
}

static void null_abort(struct hr_sink *sink) {
    sink->rows = 0;
}

static void null_close(struct hr_sink *sink) {
    hr_free(sink);
}

int hr_sink_null(struct hr_sink **out, struct hr_error *err) {
    static const struct hr_sink_ops ops = {.name = "null",
                                           .schema = null_schema,
                                           .put = null_put,
                                           .reject = no_reject,
                                           .cut = null_cut,
                                           .rewind = null_rewind,
                                           .abort = null_abort,
                                           .close = null_close};
    struct hr_sink *sink = hr_calloc(1, sizeof(*sink));
    *out = sink;
    if (sink == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate a destination");
    }
    sink->ops = &ops;
    return 0;
}
