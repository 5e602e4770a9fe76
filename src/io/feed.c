/* io/feed.c - the input of one task, fetched ahead across object borders.
 *
 * The reader (one worker) issues GETs from its own thread whenever it asks for bytes; answers come
 * on the store's I/O thread and only mark parts as done. A window of `parts_ahead` parts, or
 * `objects_ahead` small objects, is kept on its way in reading order, so a task of four thousand
 * small objects and one of a single big object run through the same lines. The reader gets the
 * part's buffer itself. For local stores nothing is fetched ahead: a read is a copy from the page
 * cache, done when it is needed, into a part that fits the caches. */
#include "io/feed.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/mem.h"

#define LOCAL_PART ((size_t)1 << 20)
#define SPARSE_WHOLE ((size_t)1 << 20)
#define FIRST_WINDOW ((size_t)64 << 10) /* of reads past a split's end, and of object sources */

int hr_feed_part_new(struct hr_feed *f, size_t split, int64_t offset, int64_t len,
                     struct feed_part **out, struct hr_error *err) {
    struct feed_part *part = hr_calloc(1, sizeof(*part));
    if (part == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not read '%s': out of memory", f->splits[split].key);
    }
    part->feed = f;
    part->split = split;
    part->offset = offset;
    part->len = len;
    *out = part;
    return 0;
}

static void part_free(struct hr_feed *f, struct feed_part *part) {
    hr_big_free(part->buf);
    hr_budget_give(f->budget, part->cap);
    hr_free(part);
}

/* On the I/O thread. */
static void part_done(struct hr_store_req *req) {
    struct feed_part *part = req->user;
    struct hr_feed *f = part->feed;
    pthread_mutex_lock(&f->lock);
    part->done = true;
    bool dropped = part->dropped;
    if (dropped) {
        part_free(f, part);
    }
    f->in_flight--;
    pthread_cond_signal(&f->cond);
    pthread_mutex_unlock(&f->lock);
}

int hr_feed_issue(struct hr_feed *f, struct feed_part *part, bool must, struct hr_error *err) {
    const struct hr_split *split = &f->splits[part->split];
    size_t len = (size_t)part->len;
    if (!must) {
        if (!hr_budget_try(f->budget, len)) {
            return HR_MORE;
        }
    } else if (f->held > 0) {
        hr_budget_force(f->budget, len);
    } else {
        hr_budget_wait(f->budget, len, &f->head);
    }
    size_t cap;
    part->buf = hr_big_alloc(len, &cap);
    if (part->buf == NULL) {
        hr_budget_give(f->budget, len);
        hr_fail(err, HR_E_NOMEM, "could not read '%s': out of memory", split->key);
        return HR_E_NOMEM;
    }
    part->cap = len;
    f->held += len;
    if (hr_feed_is_tail(f, split, part->offset, len) &&
        hr_store_kept(f->store, split->key, split->etag, part->offset, part->buf, len)) {
        part->req.got = part->len;
        part->done = true;
        return 0;
    }
    part->req = (struct hr_store_req){
        .kind = HR_REQ_GET,
        .key = split->key,
        .if_match = split->etag[0] ? split->etag : NULL,
        .offset = part->offset,
        .len = part->len,
        .buf = part->buf,
        .done = part_done,
        .user = part,
    };
    pthread_mutex_lock(&f->lock);
    f->in_flight++;
    pthread_mutex_unlock(&f->lock);
    f->store->driver->submit(f->store, &part->req);
    return 0;
}

int hr_feed_wait(struct hr_feed *f, struct feed_part *part, struct hr_error *err) {
    const struct hr_split *split = &f->splits[part->split];
    pthread_mutex_lock(&f->lock);
    while (!part->done) {
        pthread_cond_wait(&f->cond, &f->lock);
    }
    pthread_mutex_unlock(&f->lock);
    if (part->req.rc != 0) {
        if (err != NULL) {
            *err = part->req.err;
        }
        return part->req.rc;
    }
    if (part->req.got < part->len && split->size >= 0) {
        hr_fail(err, HR_E_CHANGED,
                "could not read '%s': it ends at byte %" PRId64 ", it had %" PRId64
                " when it was listed",
                split->key, part->offset + part->req.got, split->size);
        hr_error_object(err, split->key);
        return HR_E_CHANGED;
    }
    return 0;
}

void hr_feed_drop(struct hr_feed *f, struct feed_part *part) {
    if (part == NULL) {
        return;
    }
    f->held -= part->cap;
    if (part->buf == NULL) {
        hr_free(part);
        return;
    }
    pthread_mutex_lock(&f->lock);
    bool done = part->done;
    part->dropped = true;
    if (!done && f->store->driver->abandon != NULL) {
        f->store->driver->abandon(f->store, &part->req);
    }
    pthread_mutex_unlock(&f->lock);
    if (done) {
        part_free(f, part);
    }
}

/* ---- bytes in order ------------------------------------------------------------------------- */

bool hr_feed_fits_one_part(const struct hr_feed *f, const struct hr_split *s) {
    size_t most = f->part_size;
    if (s->sparse && most > SPARSE_WHOLE) {
        most = SPARSE_WHOLE;
    }
    return s->size >= 0 && (size_t)s->size <= most;
}

/* The next range in reading order that is to be fetched without being asked for. False: none. */
static bool next_range(struct hr_feed *f, int64_t *offset, int64_t *len) {
    for (; f->issue_split < f->count; f->issue_split++, f->issue_at = -1) {
        const struct hr_split *s = &f->splits[f->issue_split];
        int64_t end = split_end(s);
        const bool chosen = s->random && !hr_feed_fits_one_part(f, s);
        if (end < 0 || (chosen && f->local)) {
            continue; /* a stream, or read at chosen places without a round trip to save */
        }
        if (s->random) {
            end = s->size;
        }
        int64_t begin = chosen ? hr_feed_tail(s) : s->random ? 0 : s->begin;
        int64_t at = f->issue_at < 0 ? begin : f->issue_at;
        if (at >= end) {
            continue;
        }
        int64_t size = (int64_t)f->part_size;
        if (f->window > 0 && (int64_t)f->grown < size) {
            size = (int64_t)f->grown;
        }
        *offset = at;
        *len = chosen || end - at < size ? end - at : size;
        return true;
    }
    return false;
}

static bool room_ahead(const struct hr_feed *f, int64_t len) {
    if (f->queued == 0) {
        return true;
    }
    return f->window == 0 && !f->local && f->queued < f->objects_ahead &&
           f->held + (size_t)len <= (size_t)f->parts_ahead * f->part_size;
}

int hr_feed_run_ahead(struct hr_feed *f, bool must, struct hr_error *err) {
    int64_t offset;
    int64_t len;
    while (next_range(f, &offset, &len) && room_ahead(f, len)) {
        if (f->local && (f->queued > 0 || !must)) {
            break;
        }
        struct feed_part *part = NULL;
        int rc = hr_feed_part_new(f, f->issue_split, offset, len, &part, err);
        if (rc != 0) {
            return must && f->queued == 0 ? rc : 0;
        }
        rc = hr_feed_issue(f, part, must && f->queued == 0, err);
        if (rc != 0) {
            hr_free(part);
            return must && f->queued == 0 ? rc : 0;
        }
        f->issue_at = offset + len;
        if (f->window > 0 && f->grown < f->part_size) {
            f->grown *= 4;
        }
        *f->tail = part;
        f->tail = &part->next;
        f->queued++;
    }
    return 0;
}

/* The first part of the queue when it is the one at `offset` of the current split. It is not after
 * a failed read; then the reader goes on by demand. */
struct feed_part *hr_feed_pop(struct hr_feed *f, int64_t offset) {
    struct feed_part *part = f->head_part;
    if (part == NULL || part->split != f->current - 1 || part->offset != offset) {
        return NULL;
    }
    f->head_part = part->next;
    if (f->head_part == NULL) {
        f->tail = &f->head_part;
    }
    f->queued--;
    part->next = NULL;
    return part;
}

int hr_feed_take_whole(struct hr_feed *f, struct feed_part **out, struct hr_error *err) {
    const struct hr_split *s = feed_split(f);
    *out = f->whole;
    if (f->whole != NULL || !s->random || s->size <= 0 || !hr_feed_fits_one_part(f, s)) {
        return 0;
    }
    int rc = hr_feed_run_ahead(f, true, err);
    struct feed_part *part = rc == 0 ? hr_feed_pop(f, 0) : NULL;
    if (part == NULL) {
        return rc; /* it failed before: read_at goes its own way */
    }
    rc = hr_feed_wait(f, part, err);
    if (rc != 0) {
        hr_feed_drop(f, part);
        return rc;
    }
    *out = f->whole = part;
    return 0;
}

/* Reading past the split's end, or an object of unknown size: fetched on demand. */
static int next_demand(struct hr_feed *f, struct hr_slice *out, struct hr_error *err) {
    const struct hr_split *s = feed_split(f);
    if (s->size >= 0 && f->pos >= s->size) {
        return HR_END;
    }
    int64_t len = (int64_t)(s->size < 0 ? f->part_size : f->grown);
    if (s->size >= 0 && s->size - f->pos < len) {
        len = s->size - f->pos;
    }
    struct feed_part *part = NULL;
    int rc = hr_feed_part_new(f, f->current - 1, f->pos, len, &part, err);
    if (rc != 0) {
        return rc;
    }
    rc = hr_feed_issue(f, part, true, err);
    if (rc != 0) {
        hr_free(part);
        return rc;
    }
    rc = hr_feed_wait(f, part, err);
    if (rc != 0 || part->req.got == 0) {
        hr_feed_drop(f, part);
        return rc ? rc : HR_END;
    }
    f->grown = f->grown * 2 < f->part_size ? f->grown * 2 : f->part_size;
    f->given = part;
    *out = hr_slice_of(part->buf, (size_t)part->req.got);
    f->pos += part->req.got;
    return 0;
}

static int source_next(struct hr_source *src, struct hr_slice *out, struct hr_error *err) {
    struct hr_feed *f = ((struct feed_source *)(void *)src)->feed;
    const struct hr_split *s = feed_split(f);
    struct feed_part *part;
    hr_feed_drop(f, f->given);
    f->given = NULL;
    int rc = hr_feed_take_whole(f, &part, err);
    if (rc != 0) {
        return rc;
    }
    if (part != NULL) {
        if (f->pos >= s->size) {
            return HR_END;
        }
        *out = hr_slice_of(part->buf + f->pos, (size_t)(s->size - f->pos));
        f->pos = s->size;
        return 0;
    }
    int64_t end = split_end(s);
    if (end < 0 || f->pos >= end || s->random) {
        hr_feed_run_ahead(f, false, NULL);
        return next_demand(f, out, err);
    }
    rc = hr_feed_run_ahead(f, true, err);
    if (rc != 0) {
        return rc;
    }
    part = hr_feed_pop(f, f->pos);
    if (part == NULL) {
        return next_demand(f, out, err);
    }
    rc = hr_feed_wait(f, part, err);
    if (rc != 0) {
        hr_feed_drop(f, part);
        return rc;
    }
    f->given = part;
    f->pos += part->len;
    *out = hr_slice_of(part->buf, (size_t)part->len);
    return 0;
}

/* Closing a split's source is optional; the feed lets go of it at the next split. */
static void source_close(struct hr_source *src) {
    (void)src;
}

static const struct hr_source_ops source_ops = {
    .next = source_next,
    .read_at = hr_feed_read_at,
    .hint = hr_feed_hint,
    .close = source_close,
};

/* ---- life ----------------------------------------------------------------------------------- */

/* Lets go of everything fetched for splits up to the current one. */
static void leave_split(struct hr_feed *f) {
    hr_feed_drop(f, f->given);
    hr_feed_drop(f, f->whole);
    hr_feed_drop(f, f->cache);
    f->given = f->whole = f->cache = NULL;
    hr_feed_drop_blocks(f);
    while (f->head_part != NULL && f->head_part->split < f->current) {
        struct feed_part *part = f->head_part;
        f->head_part = part->next;
        f->queued--;
        hr_feed_drop(f, part);
    }
    if (f->head_part == NULL) {
        f->tail = &f->head_part;
    }
}

static struct hr_feed *feed_new(const struct hr_feed_conf *conf, const struct hr_split *splits,
                                size_t count) {
    struct hr_feed *f = hr_calloc(1, sizeof(*f));
    if (f == NULL) {
        return NULL;
    }
    f->store = conf->store;
    f->budget = conf->budget;
    f->local = (conf->store->caps & HR_CAP_LOCAL) != 0;
    f->part_size = conf->part_size ? conf->part_size : (size_t)8 << 20;
    if (f->local && f->part_size > LOCAL_PART) {
        f->part_size = LOCAL_PART;
    }
    f->parts_ahead = conf->parts_ahead > 0 ? conf->parts_ahead : 3;
    f->objects_ahead = conf->objects_ahead > 0 ? conf->objects_ahead : 32;
    f->splits = splits;
    f->count = count;
    f->issue_at = -1;
    f->tail = &f->head_part;
    f->src.base.ops = &source_ops;
    f->src.feed = f;
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->cond, NULL);
    return f;
}

int hr_feed_open(const struct hr_feed_conf *conf, const struct hr_split *splits, size_t count,
                 struct hr_feed **out, struct hr_error *err) {
    *out = feed_new(conf, splits, count);
    if (*out == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not open the input of a task: out of memory");
    }
    hr_feed_run_ahead(*out, false, NULL);
    return 0;
}

int hr_feed_next(struct hr_feed *f, const struct hr_split **out_split, struct hr_source **out,
                 struct hr_error *err) {
    (void)err; /* troubles of an object show when it is read */
    leave_split(f);
    if (f->current == f->count) {
        return HR_END;
    }
    const struct hr_split *s = &f->splits[f->current++];
    if (f->issue_split < f->current - 1) { /* what was not read is not fetched either */
        f->issue_split = f->current - 1;
        f->issue_at = -1;
    }
    f->pos = s->begin;
    f->grown = f->window > 0 ? f->window : FIRST_WINDOW;
    if (f->grown > f->part_size) {
        f->grown = f->part_size;
    }
    f->src.base.name = s->key;
    f->src.base.size = s->size;
    f->src.base.random = s->size >= 0 && (f->store->caps & HR_CAP_RANGE) != 0;
    if (f->window == 0) {
        hr_feed_run_ahead(f, false, NULL);
    }
    *out_split = s;
    *out = &f->src.base;
    return 0;
}

void hr_feed_set_head(struct hr_feed *f) {
    atomic_store(&f->head, true);
    hr_budget_wake(f->budget);
}

void hr_feed_close(struct hr_feed *f) {
    if (f == NULL) {
        return;
    }
    f->current = f->count;
    leave_split(f);
    pthread_mutex_lock(&f->lock);
    while (f->in_flight > 0) {
        pthread_cond_wait(&f->cond, &f->lock);
    }
    pthread_mutex_unlock(&f->lock);
    pthread_cond_destroy(&f->cond);
    pthread_mutex_destroy(&f->lock);
    hr_free(f->one_key);
    hr_free(f);
}

/* ---- one object ----------------------------------------------------------------------------- */

static void object_close(struct hr_source *src) {
    hr_feed_close(((struct feed_source *)(void *)src)->feed);
}

static const struct hr_source_ops object_ops = {
    .next = source_next,
    .read_at = hr_feed_read_at,
    .hint = hr_feed_hint,
    .close = object_close,
};

int hr_object_source(struct hr_store *store, const char *key, const char *etag, int64_t size,
                     size_t window, struct hr_source **out, struct hr_error *err) {
    struct hr_object_info info = {.size = size};
    const struct hr_split *split;
    if (size < 0 && (store->caps & HR_CAP_RANGE) != 0) {
        int rc = store->driver->stat(store, key, &info, NULL, err);
        if (rc != 0) {
            return rc;
        }
    }
    if (etag != NULL) {
        snprintf(info.etag, sizeof(info.etag), "%s", etag);
    }
    const struct hr_feed_conf conf = {.store = store, .parts_ahead = 1};
    struct hr_feed *f = feed_new(&conf, NULL, 0);
    if (f == NULL || (f->one_key = hr_strdup(key)) == NULL) {
        hr_feed_close(f);
        return hr_fail(err, HR_E_NOMEM, "could not read '%s': out of memory", key);
    }
    f->one = (struct hr_split){.key = f->one_key, .size = info.size, .end = -1};
    memcpy(f->one.etag, info.etag, sizeof(f->one.etag));
    f->splits = &f->one;
    f->count = 1;
    f->window = window ? window : FIRST_WINDOW;
    f->src.base.ops = &object_ops;
    return hr_feed_next(f, &split, out, err);
}
