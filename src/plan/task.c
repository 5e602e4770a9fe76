/* plan/task.c - tasks as blocks of memory and as JSON.
 *
 * A task owns an arena that holds its pieces, keys and headers, so it can travel between threads
 * and is freed at once. The JSON form carries everything a worker elsewhere needs; it is checked on
 * the way in like any input.
 */
#include "plan/task.h"

#include <string.h>

#include "base/mem.h"

#define TASK_BYTES_MAX ((size_t)256 << 20)
#define PIECES_MAX 10000000

static int nomem(struct hr_error *err) {
    return hr_fail(err, HR_E_NOMEM, "out of memory for a task");
}

int hr_task_new(struct hr_task **out, struct hr_error *err) {
    struct hr_task *task = hr_calloc(1, sizeof *task);
    struct hr_arena *arena = hr_calloc(1, sizeof *arena);
    if (task == NULL || arena == NULL) {
        hr_free(task);
        hr_free(arena);
        return nomem(err);
    }
    hr_arena_init(arena, TASK_BYTES_MAX);
    task->arena = arena;
    *out = task;
    return 0;
}

void hr_task_free(struct hr_task *task) {
    if (task) {
        hr_arena_release(task->arena);
        hr_free(task->arena);
        hr_free(task);
    }
}

/* Doubles the room at every power of two, so that nobody has to remember the capacity. */
static int grow_pieces(struct hr_task *task, struct hr_error *err) {
    size_t n = task->n_pieces;
    if (n && (n & (n - 1)) != 0) {
        return 0;
    }
    struct hr_piece *grown = hr_arena_alloc(task->arena, (n ? n * 2 : 1) * sizeof *grown);
    if (grown == NULL) {
        return nomem(err);
    }
    if (n) {
        memcpy(grown, task->pieces, n * sizeof *grown);
    }
    task->pieces = grown;
    return 0;
}

int64_t hr_piece_stored(const struct hr_piece *piece) {
    if (piece->frames.count > 0) { /* the table behind the frames goes with the last */
        return (piece->last ? piece->size : piece->frames.end) - piece->frames.begin;
    }
    return (piece->end < 0 ? piece->size : piece->end) - piece->begin;
}

static int copy_header(struct hr_arena *arena, const struct hr_strlist *from,
                       const struct hr_strlist **out, struct hr_error *err) {
    struct hr_strlist *list = hr_arena_calloc(arena, 1, sizeof *list);
    char **items = hr_arena_calloc(arena, from->count ? from->count : 1, sizeof *items);
    if (list == NULL || items == NULL) {
        return nomem(err);
    }
    for (size_t i = 0; i < from->count; i++) {
        items[i] = hr_arena_strndup(arena, from->items[i], strlen(from->items[i]));
        if (items[i] == NULL) {
            return nomem(err);
        }
    }
    list->items = items;
    list->count = from->count;
    *out = list;
    return 0;
}

int hr_task_add(struct hr_task *task, const struct hr_piece *piece, struct hr_error *err) {
    int rc = grow_pieces(task, err);
    if (rc) {
        return rc;
    }
    struct hr_piece *own = &task->pieces[task->n_pieces];
    *own = *piece;
    own->key = hr_arena_strndup(task->arena, piece->key, strlen(piece->key));
    if (own->key == NULL) {
        return nomem(err);
    }
    if (piece->header) {
        rc = copy_header(task->arena, piece->header, &own->header, err);
    }
    task->n_pieces += rc == 0;
    return rc;
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static json_t *header_json(const struct hr_strlist *header) {
    json_t *list = json_array();
    for (size_t i = 0; i < header->count && list; i++) {
        if (json_array_append_new(list, json_string(header->items[i]))) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *piece_json(const struct hr_piece *p) {
    json_t *json = json_pack(
        "{ss ss sI sI ss* ss* sb sI sI sI sI sI sb sb sb}", "key", p->key, "etag", p->etag, "size",
        (json_int_t)p->size, "mtime_us", (json_int_t)p->mtime_us, "format",
        p->format ? p->format->name : NULL, "codec", p->codec ? p->codec->name : NULL, "codec_auto",
        p->codec_auto, "begin", (json_int_t)p->begin, "end", (json_int_t)p->end, "group_begin",
        (json_int_t)p->group_begin, "group_end", (json_int_t)p->group_end, "file",
        (json_int_t)p->file, "first", p->first, "last", p->last, "exact", p->exact);
    const struct hr_codec_frames *f = &p->frames;
    if (json && f->count > 0 &&
        json_object_set_new(json, "frames",
                            json_pack("{sI sI sI sI sI sI sI}", "count", (json_int_t)f->count,
                                      "begin", (json_int_t)f->begin, "end", (json_int_t)f->end,
                                      "stop", (json_int_t)f->stop, "text_begin",
                                      (json_int_t)f->text_begin, "text_end",
                                      (json_int_t)f->text_end, "hash", (json_int_t)f->hash))) {
        json_decref(json);
        return NULL;
    }
    if (json && p->header && json_object_set_new(json, "header", header_json(p->header))) {
        json_decref(json);
        return NULL;
    }
    return json;
}

int hr_task_to_json(const struct hr_task *task, json_t **out, struct hr_error *err) {
    json_t *pieces = json_array();
    for (size_t i = 0; i < task->n_pieces && pieces; i++) {
        if (json_array_append_new(pieces, piece_json(&task->pieces[i]))) {
            json_decref(pieces);
            pieces = NULL;
        }
    }
    *out = pieces ? json_pack("{sI sI sI sI sb sb so}", "seq", (json_int_t)task->seq, "checkpoint",
                              (json_int_t)task->checkpoint, "stream", (json_int_t)task->stream,
                              "bytes", (json_int_t)task->bytes, "ends_checkpoint",
                              task->ends_checkpoint, "ends_stream", task->ends_stream, "pieces",
                              pieces)
                  : NULL;
    return *out ? 0 : nomem(err);
}

static int bad(const char *what, struct hr_error *err) {
    return hr_fail(err, HR_E_CONFIG, "could not read a task: \"%s\" is missing or wrong", what);
}

static int get_int(const json_t *object, const char *name, int64_t low, int64_t *out,
                   struct hr_error *err) {
    const json_t *value = json_object_get(object, name);
    if (!json_is_integer(value) || json_integer_value(value) < low) {
        return bad(name, err);
    }
    *out = json_integer_value(value);
    return 0;
}

static int get_names(const json_t *object, struct hr_piece *piece, struct hr_error *err) {
    const char *format = json_string_value(json_object_get(object, "format"));
    const char *codec = json_string_value(json_object_get(object, "codec"));
    const char *etag = json_string_value(json_object_get(object, "etag"));
    piece->key = json_string_value(json_object_get(object, "key"));
    if (piece->key == NULL || *piece->key == 0) {
        return bad("key", err);
    }
    if (etag == NULL || strlen(etag) >= sizeof piece->etag) {
        return bad("etag", err);
    }
    memcpy(piece->etag, etag, strlen(etag) + 1);
    piece->format = format ? hr_format_by_name(format, strlen(format)) : NULL;
    piece->codec = codec ? hr_codec_by_name(codec, strlen(codec)) : NULL;
    if ((format && piece->format == NULL) || (codec && piece->codec == NULL)) {
        return bad(format && piece->format == NULL ? "format" : "codec", err);
    }
    piece->codec_auto = json_is_true(json_object_get(object, "codec_auto"));
    piece->first = json_is_true(json_object_get(object, "first"));
    piece->last = json_is_true(json_object_get(object, "last"));
    piece->exact = json_is_true(json_object_get(object, "exact"));
    return 0;
}

static int get_frames(const json_t *object, struct hr_piece *piece, struct hr_error *err) {
    struct hr_codec_frames *f = &piece->frames;
    int64_t hash = 0;
    const struct {
        const char *name;
        int64_t low;
        int64_t *out;
    } fields[] = {
        {"count", 1, &f->count},
        {"begin", 0, &f->begin},
        {"end", 0, &f->end},
        {"stop", 0, &f->stop},
        {"text_begin", 0, &f->text_begin},
        {"text_end", 0, &f->text_end},
        {"hash", INT64_MIN, &hash},
    };
    for (size_t i = 0; i < HR_COUNTOF(fields); i++) {
        int rc = get_int(object, fields[i].name, fields[i].low, fields[i].out, err);
        if (rc) {
            return rc;
        }
    }
    f->hash = (uint64_t)hash;
    const bool placed = f->begin < f->end && f->end <= f->stop && f->stop <= piece->size &&
                        f->text_begin <= f->text_end && f->text_begin <= piece->begin &&
                        piece->begin <= piece->end;
    const bool seekable = piece->codec && piece->codec->decode_expect && piece->format &&
                          !(piece->format->flags & (HR_FMT_RANDOM | HR_FMT_SCHEMA));
    return placed && seekable ? 0 : bad("frames", err);
}

static int get_numbers(const json_t *object, struct hr_piece *piece, struct hr_error *err) {
    const struct {
        const char *name;
        int64_t low;
        int64_t *out;
    } fields[] = {
        {"size", 0, &piece->size},
        {"mtime_us", INT64_MIN, &piece->mtime_us},
        {"begin", 0, &piece->begin},
        {"end", -1, &piece->end},
        {"group_begin", 0, &piece->group_begin},
        {"group_end", -1, &piece->group_end},
        {"file", 0, &piece->file},
    };
    int rc = 0;
    for (size_t i = 0; i < HR_COUNTOF(fields) && rc == 0; i++) {
        rc = get_int(object, fields[i].name, fields[i].low, fields[i].out, err);
    }
    if (rc == 0 && json_object_get(object, "frames")) {
        return get_frames(json_object_get(object, "frames"), piece, err);
    }
    if (rc == 0 && (piece->begin > piece->size || piece->end > piece->size ||
                    (piece->end >= 0 && piece->end < piece->begin))) {
        rc = bad("end", err);
    }
    return rc;
}

static int add_piece(struct hr_task *task, const json_t *object, struct hr_error *err) {
    struct hr_piece piece = {0};
    struct hr_strlist header = {0};
    int rc = get_names(object, &piece, err);
    if (rc == 0) {
        rc = get_numbers(object, &piece, err);
    }
    const json_t *names = json_object_get(object, "header");
    for (size_t i = 0; i < json_array_size(names) && rc == 0; i++) {
        const char *name = json_string_value(json_array_get(names, i));
        rc = name == NULL ? bad("header", err) : hr_strlist_add(&header, name) ? nomem(err) : 0;
    }
    if (rc == 0 && json_is_array(names)) {
        piece.header = &header;
    }
    if (rc == 0) {
        rc = hr_task_add(task, &piece, err);
    }
    hr_strlist_release(&header);
    return rc;
}

int hr_task_from_json(const json_t *json, struct hr_task **out, struct hr_error *err) {
    const json_t *pieces = json_object_get(json, "pieces");
    struct hr_task *task = NULL;
    int64_t stream = 0;
    *out = NULL;
    if (!json_is_array(pieces) || json_array_size(pieces) > PIECES_MAX) {
        return bad("pieces", err);
    }
    int rc = hr_task_new(&task, err);
    if (rc == 0) {
        rc = get_int(json, "seq", 0, &task->seq, err);
    }
    if (rc == 0) {
        rc = get_int(json, "checkpoint", 0, &task->checkpoint, err);
    }
    if (rc == 0) {
        rc = get_int(json, "stream", 0, &stream, err);
    }
    if (rc == 0) {
        rc = get_int(json, "bytes", 0, &task->bytes, err);
    }
    for (size_t i = 0; i < json_array_size(pieces) && rc == 0; i++) {
        rc = add_piece(task, json_array_get(pieces, i), err);
    }
    if (rc) {
        hr_task_free(task);
        return rc;
    }
    task->stream = (long)stream;
    task->ends_checkpoint = json_is_true(json_object_get(json, "ends_checkpoint"));
    task->ends_stream = json_is_true(json_object_get(json, "ends_stream"));
    *out = task;
    return 0;
}
