/* plan/split.c - large objects cut into pieces of about one task each.
 *
 * Text that nothing compresses is cut at even byte positions: the records that start in a range are
 * the piece's (the reader finds the first one, the assembler verifies). Parquet is cut between row
 * groups, whose sizes its footer tells. Whatever else stays whole. What the small read here learns,
 * header and codec, travels in the pieces so that workers do not read it again.
 */
#include "plan/split.h"

#include <string.h>

#include "base/mem.h"
#include "plan/sample.h"

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
    bool plain = src->size == sample->info.size;
    if (plain && format->layout) {
        rc = format->layout(src, &settings->format, out, err);
        hr_error_object(rc ? err : NULL, sample->key);
        base->codec_auto = false;
    }
    hr_source_close(src);
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
    bool never = object->info.size <= task_bytes || object->codec ||
                 (object->format && object->format->layout == NULL);
    if (never) {
        return whole(&base, out, err);
    }
    struct hr_error why;
    hr_error_clear(&why);
    ++*reads;
    int rc = read_layout(store, settings, &sample, &base, &out->layout, &why);
    if (rc == HR_E_NO_OBJECT || rc == HR_E_CHANGED) {
        return whole(&base, out, err);
    }
    if (rc) {
        if (err) {
            *err = why;
        }
        hr_pieces_release(out);
        return rc;
    }
    if (out->layout.n_groups > 1) {
        rc = by_groups(&base, task_bytes, out, err);
    } else if (out->layout.splittable && base.format && !(base.format->flags & HR_FMT_RANDOM) &&
               !wants_lines(settings)) {
        rc = by_bytes(&base, task_bytes, out, err);
    } else {
        rc = whole(&base, out, err);
    }
    if (rc) {
        hr_pieces_release(out);
    }
    return rc;
}
