/* plan/split.c - large objects cut into pieces of about one task each.
 *
 * Text that nothing compresses is cut at even byte positions: the records that start in a range are
 * the piece's (the reader finds the first one, the assembler verifies). Text in seekable zstd is
 * cut between frames, which the table at its end lists. Parquet is cut between row groups, whose
 * sizes its footer tells. Whatever else stays whole. What the small read here learns, header and
 * codec, travels in the pieces so that workers do not read it again.
 */
#include "plan/split.h"

#include <string.h>

#include "base/mem.h"
#include "codec/zstd_table.h"
#include "plan/sample.h"

#define INFLATES 4               /* a compressed object is worth a look for a seek table */
#define TAIL ((int64_t)16 << 10) /* read at once: most tables are shorter */

void hr_pieces_release(struct hr_pieces *pieces) {
    hr_free(pieces->items);
    hr_layout_release(&pieces->layout);
    *pieces = (struct hr_pieces){0};
}

static int reserve(struct hr_pieces *out, size_t count, struct hr_error *err) {
    out->items = hr_calloc(count, sizeof *out->items);
    return out->items ? 0 : hr_fail(err, HR_E_NOMEM, "out of memory for the plan");
}

static int whole(const struct hr_piece *base, struct hr_pieces *out, struct hr_error *err) {
    int rc = reserve(out, 1, err);
    if (rc == 0) {
        out->items[0] = *base;
        out->count = 1;
    }
    return rc;
}

/* Even byte ranges, each at most task_bytes. */
static int by_bytes(const struct hr_piece *base, int64_t task_bytes, struct hr_pieces *out,
                    struct hr_error *err) {
    int64_t count = (base->size + task_bytes - 1) / task_bytes;
    int rc = reserve(out, (size_t)count, err);
    for (int64_t i = 0; i < count && rc == 0; i++) {
        struct hr_piece *piece = &out->items[i];
        *piece = *base;
        piece->begin = base->size / count * i;
        piece->end = i + 1 == count ? -1 : base->size / count * (i + 1);
        piece->first = i == 0;
        piece->last = i + 1 == count;
        piece->header = i > 0 && out->layout.has_header ? &out->layout.header : NULL;
    }
    out->count = rc ? 0 : (size_t)count;
    return rc;
}

/* ---- seekable zstd ---- */

static bool is_text(const struct hr_format *format) {
    return (format->flags & (HR_FMT_RANDOM | HR_FMT_SCHEMA)) == 0;
}

/* The object's seek table into *table, over *buf (to be freed). count 0: none that can be used. */
static int read_table(struct hr_store *store, const struct hr_sample *sample, uint8_t **buf,
                      struct hr_zstd_table *table, struct hr_error *err) {
    const int64_t size = sample->info.size;
    const size_t first = (size_t)(size < TAIL ? size : TAIL);
    struct hr_source *src = NULL;
    size_t len = 0;
    int rc = hr_object_source(store, sample->key, sample->info.etag, size, 0, &src, err);
    if (rc) {
        return rc;
    }
    uint8_t *tail = hr_malloc(first);
    rc = tail ? hr_source_read_at(src, size - (int64_t)first, first, tail, err)
              : hr_fail(err, HR_E_NOMEM, "out of memory for the plan");
    if (rc == 0 && first >= HR_ZSTD_TABLE_FOOT) {
        len = hr_zstd_table_len(tail + first - HR_ZSTD_TABLE_FOOT);
        len = (int64_t)len < size ? len : 0;
    }
    if (rc == 0 && len > first) {
        uint8_t *more = hr_malloc(len);
        rc = more ? hr_source_read_at(src, size - (int64_t)len, len - first, more, err)
                  : hr_fail(err, HR_E_NOMEM, "out of memory for the plan");
        if (rc == 0) {
            memcpy(more + len - first, tail, first);
        }
        hr_free(tail);
        tail = more;
    }
    hr_source_close(src);
    const size_t held = len > first ? len : first;
    if (rc == 0 && len > 0 &&
        !hr_zstd_table_open(hr_slice_of(tail + held - len, len), size, table)) {
        *table = (struct hr_zstd_table){0};
    }
    *buf = tail;
    return rc;
}

/* A table that promises more than may be inflated at all: the one stream says so where it is. */
static bool within_limits(const struct hr_zstd_table *table, const struct hr_file_opts *files) {
    return table->text <= ((int64_t)256 << 20) ||
           (table->text / files->max_inflate_ratio <= table->stored &&
            (files->max_inflated_gb <= 0 || (double)table->text <= files->max_inflated_gb * 1e9));
}

/* Runs of frames, each up to task_bytes of text. A piece's text begins one byte behind its frames'
 * first: the byte before is what tells whether a record starts there. */
static int by_frames(const struct hr_piece *base, int64_t task_bytes,
                     const struct hr_zstd_table *table, struct hr_pieces *out,
                     struct hr_error *err) {
    struct hr_codec_frames run;
    struct hr_zstd_table count = *table;
    struct hr_zstd_table walk = *table;
    size_t n = 0;
    while (hr_zstd_table_run(&count, task_bytes, &run)) {
        n++;
    }
    if (n == 1) { /* whole objects may be read again when they were replaced, frames may not */
        return whole(base, out, err);
    }
    const int rc = reserve(out, n, err);
    for (size_t i = 0; i < n && rc == 0; i++) {
        struct hr_piece *piece = &out->items[i];
        *piece = *base;
        hr_zstd_table_run(&walk, task_bytes, &piece->frames);
        piece->begin = i == 0 ? 0 : piece->frames.text_begin + 1;
        piece->end = i + 1 == n ? table->text : piece->frames.text_end + 1;
        piece->first = i == 0;
        piece->last = i + 1 == n;
        piece->header = i > 0 && out->layout.has_header ? &out->layout.header : NULL;
    }
    out->count = rc ? 0 : n;
    return rc;
}

/* Runs of row groups, each up to task_bytes of stored bytes (a larger group alone). */
static int by_groups(const struct hr_piece *base, int64_t task_bytes, struct hr_pieces *out,
                     struct hr_error *err) {
    const struct hr_layout *layout = &out->layout;
    int rc = reserve(out, (size_t)layout->n_groups, err);
    int64_t sum = 0;
    for (int64_t g = 0; g < layout->n_groups && rc == 0; g++) {
        if (out->count == 0 || sum + layout->group_bytes[g] > task_bytes) {
            out->items[out->count] = *base;
            out->items[out->count].group_begin = g;
            out->items[out->count].first = g == 0;
            out->items[out->count].last = false;
            out->count++;
            sum = 0;
        }
        sum += layout->group_bytes[g];
        out->items[out->count - 1].group_end = g + 1;
    }
    if (rc == 0) {
        out->items[out->count - 1].last = true;
    }
    return rc;
}

/* The number of a record's line is not known without those before it: one task reads all. */
static bool wants_lines(const struct hr_settings *settings) {
    const struct hr_strlist *columns = &settings->schema.metadata_columns;
    bool found = false;
    for (size_t i = 0; i < columns->count; i++) {
        found |= strcmp(columns->items[i], "_line") == 0 || strcmp(columns->items[i], "_row") == 0;
    }
    return found;
}

/* Reads the object's layout; base learns the format and that no codec is to be looked for. */
static int read_layout(struct hr_store *store, const struct hr_settings *settings,
                       const struct hr_sample *sample, struct hr_piece *base, struct hr_layout *out,
                       struct hr_error *err) {
    struct hr_source *src = NULL;
    const struct hr_format *format = NULL;
    int rc = hr_open_sample(store, settings, sample, 0, &format, &src, err);
    if (rc) {
        return rc;
    }
    base->format = format;
    const bool seen = src->size == sample->info.size || base->codec != NULL;
    if (seen && format->layout) {
        rc = format->layout(src, &settings->format, out, err);
        hr_error_object(rc ? err : NULL, sample->key);
        base->codec_auto = false;
    }
    hr_source_close(src);
    return rc;
}

bool hr_split_wanted(const struct hr_codec *codec, int64_t size, int64_t task_bytes) {
    const bool seekable = codec != NULL && codec->decode_expect != NULL;
    return size > (seekable ? task_bytes / INFLATES : task_bytes);
}

/* Reads what it takes to know the cuts, and makes them. */
static int cut(struct hr_store *store, const struct hr_settings *settings,
               const struct hr_sample *sample, struct hr_piece *base, int64_t task_bytes,
               struct hr_pieces *out, uint64_t *reads, struct hr_error *err) {
    struct hr_zstd_table table = {0};
    uint8_t *buf = NULL;
    int rc = 0;
    if (base->codec) {
        ++*reads;
        rc = read_table(store, sample, &buf, &table, err);
        if (rc || table.count < 2 || table.text <= task_bytes ||
            !within_limits(&table, &settings->files)) {
            hr_free(buf);
            return rc ? rc : whole(base, out, err);
        }
    }
    ++*reads;
    rc = read_layout(store, settings, sample, base, &out->layout, err);
    const bool splits = out->layout.splittable && base->format &&
                        !(base->format->flags & HR_FMT_RANDOM) && !wants_lines(settings);
    if (rc) {
        hr_free(buf);
        return rc;
    }
    if (base->codec) {
        rc = splits && is_text(base->format) ? by_frames(base, task_bytes, &table, out, err)
                                             : whole(base, out, err);
    } else if (out->layout.n_groups > 1) {
        rc = by_groups(base, task_bytes, out, err);
    } else {
        rc = splits ? by_bytes(base, task_bytes, out, err) : whole(base, out, err);
    }
    hr_free(buf);
    return rc;
}

int hr_split_object(struct hr_store *store, const struct hr_settings *settings,
                    const struct hr_object *object, int64_t file, int64_t task_bytes,
                    struct hr_pieces *out, uint64_t *reads, struct hr_error *err) {
    struct hr_sample sample = {
        .key = (char *)(uintptr_t)object->key, /* hr_sample owns, this one borrows */
        .info = object->info,
        .format = object->format,
        .codec = object->codec,
        .codec_auto = object->codec_auto,
    };
    struct hr_piece base;
    *out = (struct hr_pieces){0};
    hr_sample_piece(&sample, &base);
    base.file = file;
    const bool never = !hr_split_wanted(object->codec, object->info.size, task_bytes) ||
                       (object->codec && object->codec->decode_expect == NULL) ||
                       (object->format && object->format->layout == NULL) ||
                       (object->codec && object->format && !is_text(object->format));
    if (never) {
        return whole(&base, out, err);
    }
    struct hr_error why;
    hr_error_clear(&why);
    int rc = cut(store, settings, &sample, &base, task_bytes, out, reads, &why);
    if (rc == HR_E_NO_OBJECT || rc == HR_E_CHANGED) {
        return whole(&base, out, err);
    }
    if (rc) {
        if (err) {
            *err = why;
        }
        hr_pieces_release(out);
    }
    return rc;
}
