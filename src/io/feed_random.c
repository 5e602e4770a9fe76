/* io/feed_random.c - reads at chosen places of the current split.
 *
 * Hinted ranges are merged over small gaps (a round trip costs more than the bytes between), cut
 * into parts, and fetched in the order of the hints with the feed's window on its way; a block goes
 * when all its hinted bytes were read. Reads without a hint go straight into the reader's memory,
 * small ones (footers, page headers) through a block of their surroundings. */
#include <stdlib.h>

#include "io/feed.h"

#include "base/mem.h"

#define GAP_REMOTE ((int64_t)1 << 20)
#define GAP_LOCAL ((int64_t)64 << 10)
#define SMALL ((int64_t)64 << 10)
#define DIRECT_AT_ONCE 8
#define MAX_RANGES ((size_t)1 << 20)

/* A hinted range, then a merged one. */
struct span {
    int64_t begin, end;
    int64_t wanted; /* hinted bytes in it */
    size_t order;   /* of its first hint */
};

static int by_begin(const void *pa, const void *pb) {
    const struct span *a = pa;
    const struct span *b = pb;
    return (a->begin > b->begin) - (a->begin < b->begin);
}

static int by_order(const void *pa, const void *pb) {
    const struct span *a = pa;
    const struct span *b = pb;
    if (a->order != b->order) {
        return a->order > b->order ? 1 : -1;
    }
    return by_begin(pa, pb);
}

/* Sorted spans, merged where the gap is small and the whole not larger than a part. Returns how
 * many remain. */
static size_t merge(struct span *spans, size_t n, int64_t gap, int64_t part_size) {
    size_t out = 0;
    for (size_t i = 1; i < n; i++) {
        struct span *last = &spans[out];
        const struct span *s = &spans[i];
        int64_t end = s->end > last->end ? s->end : last->end;
        if (s->begin <= last->end ||
            (s->begin - last->end <= gap && end - last->begin <= part_size)) {
            last->end = end;
            last->wanted += s->wanted;
            last->order = s->order < last->order ? s->order : last->order;
        } else {
            spans[++out] = *s;
        }
    }
    return out + 1;
}

static const struct feed_part *block_with(const struct hr_feed *f, int64_t offset) {
    for (const struct feed_part *b = f->blocks; b != NULL; b = b->next) {
        if (offset >= b->offset && offset < b->offset + b->len) {
            return b;
        }
    }
    return NULL;
}

/* Issues planned blocks while the window has room; those fetched and not read count. */
static void run_blocks(struct hr_feed *f) {
    const size_t limit = (size_t)f->parts_ahead * f->part_size;
    for (struct feed_part *b = f->blocks; b != NULL; b = b->next) {
        if (b->buf == NULL) {
            if ((f->held > 0 && f->held + (size_t)b->len > limit) ||
                hr_feed_issue(f, b, false, NULL) != 0) {
                return;
            }
        }
    }
}

/* Appends blocks for one merged span, a part at a time. */
static bool plan_span(struct hr_feed *f, struct feed_part ***tail, const struct span *s) {
    int64_t wanted = s->wanted;
    for (int64_t at = s->begin; at < s->end;) {
        int64_t len = s->end - at;
        len = len < (int64_t)f->part_size ? len : (int64_t)f->part_size;
        struct feed_part *b = NULL;
        if (hr_feed_part_new(f, f->current - 1, at, len, &b, NULL) != 0) {
            return false;
        }
        b->wanted = wanted < len ? wanted : len;
        wanted -= b->wanted;
        **tail = b;
        *tail = &b->next;
        at += len;
    }
    return true;
}

void hr_feed_hint(struct hr_source *src, const struct hr_range *ranges, size_t count) {
    struct hr_feed *f = ((struct feed_source *)(void *)src)->feed;
    const struct hr_split *s = feed_split(f);
    bool whole = f->whole != NULL || (s->random && hr_feed_fits_one_part(f, s));
    if (f->local || whole || s->size < 0 || count == 0 || count > MAX_RANGES) {
        return; /* nothing to gain */
    }
    struct span *spans = hr_reallocarray(NULL, count, sizeof(*spans));
    if (spans == NULL) {
        return; /* only advice */
    }
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        int64_t begin = ranges[i].offset;
        int64_t end =
            begin < 0 || ranges[i].len > s->size - begin ? s->size : begin + ranges[i].len;
        if (begin >= 0 && begin < end && block_with(f, begin) == NULL) {
            spans[n++] = (struct span){begin, end, end - begin, i};
        }
    }
    if (n > 0) {
        struct feed_part **tail = &f->blocks;
        while (*tail != NULL) {
            tail = &(*tail)->next;
        }
        qsort(spans, n, sizeof(*spans), by_begin);
        n = merge(spans, n, f->local ? GAP_LOCAL : GAP_REMOTE, (int64_t)f->part_size);
        qsort(spans, n, sizeof(*spans), by_order);
        for (size_t i = 0; i < n && plan_span(f, &tail, &spans[i]); i++) {
        }
    }
    hr_free(spans);
    run_blocks(f);
}

void hr_feed_drop_blocks(struct hr_feed *f) {
    while (f->blocks != NULL) {
        struct feed_part *b = f->blocks;
        f->blocks = b->next;
        hr_feed_drop(f, b);
    }
}

static void unlink_block(struct hr_feed *f, struct feed_part *block) {
    struct feed_part **link = &f->blocks;
    while (*link != block) {
        link = &(*link)->next;
    }
    *link = block->next;
    hr_feed_drop(f, block);
}

/* Copies from a block, fetching it first when it was only planned; lets it go when it is used up.
 */
static int read_block(struct hr_feed *f, struct feed_part *b, int64_t offset, size_t len,
                      uint8_t *dst, size_t *got, struct hr_error *err) {
    int rc = 0;
    if (b->buf == NULL) {
        rc = hr_feed_issue(f, b, true, err);
    }
    rc = rc ? rc : hr_feed_wait(f, b, err);
    if (rc != 0) {
        unlink_block(f, b);
        return rc;
    }
    int64_t n = b->offset + b->len - offset;
    *got = (int64_t)len < n ? len : (size_t)n;
    memcpy(dst, b->buf + (offset - b->offset), *got);
    b->used += (int64_t)*got;
    if (b->used >= b->wanted) {
        unlink_block(f, b);
        run_blocks(f);
    }
    return 0;
}

/* Several GETs straight into dst. */
static int read_direct(struct hr_feed *f, int64_t offset, size_t len, uint8_t *dst,
                       struct hr_error *err);

struct direct {
    struct hr_store_req req;
    struct hr_feed *feed;
    bool done;
};

static void direct_done(struct hr_store_req *req) {
    struct direct *d = req->user;
    struct hr_feed *f = d->feed;
    pthread_mutex_lock(&f->lock);
    d->done = true;
    f->in_flight--;
    pthread_cond_signal(&f->cond);
    pthread_mutex_unlock(&f->lock);
}

static int direct_wait(struct hr_feed *f, struct direct *d, struct hr_error *err) {
    pthread_mutex_lock(&f->lock);
    while (!d->done) {
        pthread_cond_wait(&f->cond, &f->lock);
    }
    pthread_mutex_unlock(&f->lock);
    if (d->req.rc != 0) {
        if (err != NULL) {
            *err = d->req.err;
        }
        return d->req.rc;
    }
    if (d->req.got < d->req.len) {
        hr_fail(err, HR_E_CHANGED, "could not read '%s': it is shorter than when it was listed",
                d->req.key);
        hr_error_object(err, d->req.key);
        return HR_E_CHANGED;
    }
    return 0;
}

static int read_direct(struct hr_feed *f, int64_t offset, size_t len, uint8_t *dst,
                       struct hr_error *err) {
    const struct hr_split *s = feed_split(f);
    size_t parts = (len + f->part_size - 1) / f->part_size;
    size_t at_once = parts < DIRECT_AT_ONCE ? parts : DIRECT_AT_ONCE;
    if (f->local) { /* no round trips to overlap */
        parts = at_once = 1;
    }
    struct direct *d = hr_calloc(at_once, sizeof(*d));
    if (d == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not read '%s': out of memory", s->key);
    }
    int rc = 0;
    for (size_t i = 0; i < parts + at_once; i++) {
        struct direct *slot = &d[i % at_once];
        if (i >= at_once && i - at_once < parts && slot->feed != NULL) {
            int one = direct_wait(f, slot, rc == 0 ? err : NULL);
            rc = rc ? rc : one;
            slot->feed = NULL;
        }
        if (i < parts && rc == 0) {
            size_t at = f->local ? 0 : i * f->part_size;
            size_t n = f->local || len - at < f->part_size ? len - at : f->part_size;
            *slot = (struct direct){.feed = f};
            slot->req = (struct hr_store_req){
                .kind = HR_REQ_GET,
                .key = s->key,
                .if_match = s->etag[0] ? s->etag : NULL,
                .offset = offset + (int64_t)at,
                .len = (int64_t)n,
                .buf = dst + at,
                .done = direct_done,
                .user = slot,
            };
            pthread_mutex_lock(&f->lock);
            f->in_flight++;
            pthread_mutex_unlock(&f->lock);
            f->store->driver->submit(f->store, &slot->req);
        }
    }
    hr_free(d);
    return rc;
}

static bool cached(const struct hr_feed *f, int64_t offset) {
    return f->cache != NULL && offset >= f->cache->offset &&
           offset < f->cache->offset + f->cache->len;
}

/* Fetches the surroundings of a small read: from it on, or the object's tail when it is near. */
static int fill_cache(struct hr_feed *f, int64_t offset, struct hr_error *err) {
    const struct hr_split *s = feed_split(f);
    int64_t begin = s->size - SMALL < offset ? s->size - SMALL : offset;
    begin = begin < 0 ? 0 : begin;
    int64_t len = s->size - begin < SMALL ? s->size - begin : SMALL;
    struct feed_part *part = NULL;
    hr_feed_drop(f, f->cache);
    f->cache = NULL;
    int rc = hr_feed_part_new(f, f->current - 1, begin, len, &part, err);
    if (rc != 0) {
        return rc;
    }
    rc = hr_feed_issue(f, part, true, err);
    if (rc != 0) {
        hr_free(part);
        return rc;
    }
    rc = hr_feed_wait(f, part, err);
    if (rc != 0) {
        hr_feed_drop(f, part);
        return rc;
    }
    f->cache = part;
    return 0;
}

/* The tail, when it was fetched ahead and is wanted now, becomes the cache. */
static int take_tail(struct hr_feed *f, int64_t offset, struct hr_error *err) {
    const struct hr_split *s = feed_split(f);
    if (!s->random || offset < hr_feed_tail(s) || cached(f, offset)) {
        return 0;
    }
    struct feed_part *part = hr_feed_pop(f, hr_feed_tail(s));
    if (part == NULL) {
        return 0;
    }
    const int rc = hr_feed_wait(f, part, err);
    if (rc != 0) {
        hr_feed_drop(f, part);
        return rc;
    }
    hr_feed_drop(f, f->cache);
    f->cache = part;
    hr_feed_run_ahead(f, false, NULL);
    return 0;
}

/* One step of a read: as many bytes as one place has. */
static int read_step(struct hr_feed *f, int64_t offset, size_t len, uint8_t *dst, size_t *got,
                     struct hr_error *err) {
    for (struct feed_part *b = f->blocks; b != NULL; b = b->next) {
        if (offset >= b->offset && offset < b->offset + b->len) {
            return read_block(f, b, offset, len, dst, got, err);
        }
        if (b->offset > offset && b->offset - offset < (int64_t)len) {
            len = (size_t)(b->offset - offset); /* the rest is in that block */
        }
    }
    if (!cached(f, offset) && (int64_t)len < SMALL) {
        int rc = fill_cache(f, offset, err);
        if (rc != 0) {
            return rc;
        }
    }
    if (cached(f, offset)) {
        int64_t n = f->cache->offset + f->cache->len - offset;
        *got = (int64_t)len < n ? len : (size_t)n;
        memcpy(dst, f->cache->buf + (offset - f->cache->offset), *got);
        return 0;
    }
    *got = len;
    return read_direct(f, offset, len, dst, err);
}

int hr_feed_read_at(struct hr_source *src, int64_t offset, size_t len, uint8_t *dst,
                    struct hr_error *err) {
    struct hr_feed *f = ((struct feed_source *)(void *)src)->feed;
    const struct hr_split *s = feed_split(f);
    struct feed_part *whole;
    if (s->size < 0) {
        hr_fail(err, HR_E_UNSUPPORTED, "could not read '%s' at a chosen place: it is a stream",
                s->key);
        hr_error_object(err, s->key);
        return HR_E_UNSUPPORTED;
    }
    if (offset < 0 || offset > s->size || len > (uint64_t)(s->size - offset)) {
        hr_fail(err, HR_E_CORRUPT,
                "could not read '%s': %zu bytes at offset %lld are wanted, it has %lld", s->key,
                len, (long long)offset, (long long)s->size);
        hr_error_object(err, s->key);
        hr_error_place(err, offset, -1, NULL);
        return HR_E_CORRUPT;
    }
    int rc = hr_feed_take_whole(f, &whole, err);
    if (rc == 0 && whole != NULL) {
        if (len > 0) {
            memcpy(dst, whole->buf + offset, len);
        }
        return 0;
    }
    rc = rc == 0 ? take_tail(f, offset, err) : rc;
    /* The planner's read of a footer: workers read it again. */
    const bool keep = f->window > 0 && hr_feed_is_tail(f, s, offset, len);
    if (rc == 0 && keep && hr_store_kept(f->store, s->key, s->etag, offset, dst, len)) {
        return 0;
    }
    for (size_t at = 0; rc == 0 && at < len;) {
        size_t got = 0;
        rc = read_step(f, offset + (int64_t)at, len - at, dst + at, &got, err);
        at += got;
    }
    if (rc == 0 && keep) {
        hr_store_keep(f->store, s->key, s->etag, offset, dst, len);
    }
    return rc;
}
