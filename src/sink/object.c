/* sink/object.c - files at the destination: blocks are strung together by the format's file writer
 * and staged through a commit. A new file starts when one is full or the schema changes; every cut
 * follows from the blocks alone, so the same input gives the same files. */
#include <stdio.h>
#include <string.h>

#include "sink/sink.h"

/* A footer this large (many row groups x columns) also ends a file. */
#define FOOTER_MAX ((size_t)16 << 20)

struct object_sink {
    struct hr_sink base;
    struct hr_object_sink_conf conf;
    char *prefix, *key;
    char *folder; /* of the open file, below prefix; NULL: "" */
    char ext[32];
    struct hr_schema *schema;
    struct hr_output *output; /* open file, NULL none */
    struct hr_file_writer *writer;
    int64_t file_rows;
    struct hr_quarantine *quarantine; /* NULL: none wanted */
    bool wrote;                       /* one key: a file was finished */
    struct {
        int64_t files, bytes, rows;
    } at_cut;
};

static int finish_file(struct object_sink *s, struct hr_error *err) {
    if (s->output == NULL) {
        return 0;
    }
    int rc = s->writer->ops->finish(s->writer, err);
    s->writer->ops->close(s->writer);
    s->writer = NULL;
    if (rc == 0) {
        rc = hr_output_finish(s->output, s->file_rows, err);
    }
    if (rc != 0) {
        hr_output_discard(s->output);
        s->output = NULL;
        return rc;
    }
    s->base.files++;
    s->base.bytes += hr_output_bytes(s->output);
    s->output = NULL;
    s->wrote = true;
    return 0;
}

static int start_file(struct object_sink *s, struct hr_error *err) {
    char path[1200];
    int rc = 0;
    if (s->key != NULL) {
        snprintf(path, sizeof(path), "%s", s->key);
    } else {
        char folder[1200];
        snprintf(folder, sizeof(folder), "%s%s", s->prefix, s->folder ? s->folder : "");
        rc = hr_commit_next_key(s->conf.commit, folder, s->ext, path, sizeof(path), err);
    }
    if (rc == 0) {
        rc = hr_commit_open_output(s->conf.commit, path, &s->output, err);
    }
    if (rc != 0) {
        return rc;
    }
    rc = s->conf.format->file_writer(s->schema, s->conf.write, hr_output_out(s->output), &s->writer,
                                     err);
    if (rc != 0) {
        hr_output_discard(s->output);
        s->output = NULL;
        return rc;
    }
    s->file_rows = 0;
    return 0;
}

static int object_schema(struct hr_sink *sink, struct hr_schema *schema, struct hr_error *err) {
    struct object_sink *s = (struct object_sink *)sink;
    if (s->schema != NULL && hr_schema_equal(s->schema, schema)) {
        return 0;
    }
    if (s->key != NULL && (s->output != NULL || s->wrote)) {
        return HR_WIDEN;
    }
    const int rc = finish_file(s, err);
    if (rc != 0) {
        return rc;
    }
    hr_schema_unref(s->schema);
    s->schema = hr_schema_ref(schema);
    return 0;
}

/* A file lies in one folder: blocks of another one end it. */
static int enter_folder(struct object_sink *s, const char *folder, struct hr_error *err) {
    if (strcmp(s->folder ? s->folder : "", folder) == 0) {
        return 0;
    }
    const int rc = finish_file(s, err);
    if (rc != 0) {
        return rc;
    }
    hr_free(s->folder);
    s->folder = hr_strdup(folder);
    return s->folder ? 0 : hr_fail(err, HR_E_NOMEM, "could not allocate a name");
}

static int object_expect(struct hr_sink *sink, const char *const *folders, size_t count,
                         struct hr_error *err) {
    const struct object_sink *s = (struct object_sink *)sink;
    char **whole = s->key == NULL ? hr_calloc(count + 1, sizeof(*whole)) : NULL;
    if (whole == NULL) {
        return s->key != NULL ? 0 : hr_fail(err, HR_E_NOMEM, "could not allocate names");
    }
    size_t n = 0;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        if (s->output != NULL && strcmp(s->folder ? s->folder : "", folders[i]) == 0) {
            continue; /* its file is open */
        }
        const size_t len = strlen(s->prefix) + strlen(folders[i]) + 1;
        whole[n] = hr_malloc(len);
        if (whole[n] == NULL) {
            rc = hr_fail(err, HR_E_NOMEM, "could not allocate names");
        } else {
            snprintf(whole[n++], len, "%s%s", s->prefix, folders[i]);
        }
    }
    if (rc == 0) {
        rc = hr_commit_reserve(s->conf.commit, (const char *const *)whole, n, s->ext, err);
    }
    for (size_t i = 0; i < n; i++) {
        hr_free(whole[i]);
    }
    hr_free(whole);
    return rc;
}

static int object_put(struct hr_sink *sink, const char *folder, struct hr_block *block,
                      struct hr_error *err) {
    struct object_sink *s = (struct object_sink *)sink;
    int rc = enter_folder(s, folder, err);
    if (rc == 0 && s->output == NULL) {
        rc = start_file(s, err);
    }
    if (rc == 0) {
        rc = s->writer->ops->add(s->writer, block, err);
    }
    if (rc == 0) {
        s->file_rows += block->rows;
        s->base.rows += block->rows;
        const size_t pending = s->writer->ops->pending(s->writer);
        if (s->key == NULL &&
            (hr_output_bytes(s->output) + (int64_t)pending >= s->conf.max_file_bytes ||
             pending >= FOOTER_MAX)) {
            rc = finish_file(s, err);
        }
    }
    hr_block_release(block);
    return rc;
}

static int object_reject(struct hr_sink *sink, const struct hr_rejected *what,
                         struct hr_error *err) {
    struct object_sink *s = (struct object_sink *)sink;
    return s->quarantine ? hr_quarantine_add(s->quarantine, what, err) : 0;
}

static int object_cut(struct hr_sink *sink, struct hr_error *err) {
    struct object_sink *s = (struct object_sink *)sink;
    int rc = 0;
    if (s->conf.empty_file && s->key != NULL && !s->wrote && s->output == NULL &&
        s->schema != NULL) {
        rc = start_file(s, err);
    }
    if (rc == 0) {
        rc = finish_file(s, err);
    }
    if (rc == 0 && s->quarantine != NULL) {
        rc = hr_quarantine_finish(s->quarantine, err);
    }
    if (rc == 0) {
        hr_commit_mark(s->conf.commit);
        s->at_cut.files = s->base.files;
        s->at_cut.bytes = s->base.bytes;
        s->at_cut.rows = s->base.rows;
    }
    return rc;
}

static void drop_open(struct object_sink *s) {
    if (s->writer != NULL) {
        s->writer->ops->close(s->writer);
        s->writer = NULL;
    }
    if (s->output != NULL) {
        hr_output_discard(s->output);
        s->output = NULL;
    }
    if (s->quarantine != NULL) {
        hr_quarantine_discard(s->quarantine);
    }
}

static int object_rewind(struct hr_sink *sink, struct hr_error *err) {
    struct object_sink *s = (struct object_sink *)sink;
    (void)err;
    drop_open(s);
    hr_commit_rollback(s->conf.commit);
    s->wrote = false; /* a destination of one file is cut at its end only */
    s->base.files = s->at_cut.files;
    s->base.bytes = s->at_cut.bytes;
    s->base.rows = s->at_cut.rows;
    return 0;
}

static void object_abort(struct hr_sink *sink) {
    struct object_sink *s = (struct object_sink *)sink;
    drop_open(s);
    hr_schema_unref(s->schema);
    s->schema = NULL;
    s->wrote = false;
    s->base.files = s->base.bytes = s->base.rows = 0;
}

static void object_close(struct hr_sink *sink) {
    struct object_sink *s = (struct object_sink *)sink;
    object_abort(sink);
    hr_quarantine_close(s->quarantine);
    hr_free(s->prefix);
    hr_free(s->folder);
    hr_free(s->key);
    hr_free(s);
}

void hr_sink_extension(const struct hr_format *format, const struct hr_write_opts *write, char *out,
                       size_t size) {
    const char *suffix = format->suffixes[0];
    const bool whole = write->codec != NULL && !(format->flags & HR_FMT_CODEC_INSIDE);
    snprintf(out, size, "%s%s", suffix, whole ? write->codec->suffixes[0] : "");
}

int hr_sink_object(const struct hr_object_sink_conf *conf, struct hr_sink **out,
                   struct hr_error *err) {
    static const struct hr_sink_ops ops = {.name = "object",
                                           .schema = object_schema,
                                           .expect = object_expect,
                                           .put = object_put,
                                           .reject = object_reject,
                                           .cut = object_cut,
                                           .rewind = object_rewind,
                                           .abort = object_abort,
                                           .close = object_close};
    *out = NULL;
    struct object_sink *s = hr_calloc(1, sizeof(*s));
    if (s == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate a destination");
    }
    s->base.ops = &ops;
    s->base.wants_blocks = true;
    s->conf = *conf;
    s->prefix = hr_strdup(conf->prefix ? conf->prefix : "");
    s->key = hr_strdup(conf->key);
    if (s->prefix == NULL || (conf->key != NULL && s->key == NULL)) {
        object_close(&s->base);
        return hr_fail(err, HR_E_NOMEM, "could not allocate a destination");
    }
    if (conf->quarantine) {
        /* Beside the one file, or at the head of the folder. */
        const char *place = s->key ? s->key : s->prefix;
        const char *slash = strrchr(place, '/');
        char folder[1100];
        snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - place) + 1 : 0, place);
        const int rc = hr_quarantine_open(conf->commit, folder, &s->quarantine, err);
        if (rc != 0) {
            object_close(&s->base);
            return rc;
        }
    }
    hr_sink_extension(conf->format, conf->write, s->ext, sizeof(s->ext));
    *out = &s->base;
    return 0;
}
