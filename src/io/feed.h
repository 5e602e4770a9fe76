/* io/feed.h - what the files of the feed share: parts in order, blocks at chosen places. */
#ifndef HR_IO_FEED_H
#define HR_IO_FEED_H

#include <pthread.h>

#include "io/budget.h"
#include "io/io.h"

/* One GET and its buffer. Belongs to the feed: in its queue (bytes in order), among its blocks
 * (random reads), given to the reader, or dropped while still in flight. */
struct feed_part {
    struct hr_store_req req;
    struct hr_feed *feed;
    size_t split;
    int64_t offset, len;
    uint8_t *buf; /* NULL: not issued yet (a planned block) */
    size_t cap;   /* counted on the budget */
    bool done, dropped;
    int64_t wanted, used; /* block: bytes hinted, bytes read; all read: it can go */
    struct feed_part *next;
};

struct feed_source {       /* the hr_source of the current split */
    struct hr_source base; /* first */
    struct hr_feed *feed;
};

struct hr_feed {
    struct hr_store *store;
    struct hr_budget *budget;
    size_t part_size, window; /* window: first size of growing parts, none fetched before it is
                                 asked for; 0: all of part_size */
    int parts_ahead, objects_ahead;
    bool local;
    const struct hr_split *splits;
    size_t count;

    atomic_bool head;
    pthread_mutex_t lock; /* below it: done, dropped and in_flight; the rest is the reader's */
    pthread_cond_t cond;
    int in_flight;

    size_t current; /* index of the split being read + 1; 0: none yet */
    int64_t pos;    /* next's position in it */
    size_t grown;   /* size of the next growing part */
    size_t issue_split;
    int64_t issue_at;                    /* -1: at the split's begin */
    struct feed_part *head_part, **tail; /* issued in order, not yet given */
    int queued;
    struct feed_part *given;  /* bytes the reader holds */
    struct feed_part *whole;  /* the current split in one part, kept for read_at */
    struct feed_part *blocks; /* planned, in flight or there, in the order of the hints */
    struct feed_part *cache;  /* surroundings of the last small read */
    size_t held;              /* bytes of all buffers of this feed */
    struct feed_source src;
    struct hr_split one; /* hr_object_source: its only split */
    char *one_key;
};

static inline const struct hr_split *feed_split(const struct hr_feed *f) {
    return &f->splits[f->current - 1];
}
/* End of what is wanted of a split, -1 unknown. */
static inline int64_t split_end(const struct hr_split *s) {
    return s->end >= 0 && (s->size < 0 || s->end < s->size) ? s->end : s->size;
}

/* Whether a random split is fetched whole by one GET. What is left over of an object of which only
 * some is wanted must cost less than another round trip. */
bool hr_feed_fits_one_part(const struct hr_feed *f, const struct hr_split *s);

/* Where the tail of an object begins that is read at chosen places: fetched ahead, because formats
 * that are read so have their footer there. */
static inline int64_t hr_feed_tail(const struct hr_split *s) {
    const int64_t tail = (int64_t)64 << 10;
    return s->size > tail ? s->size - tail : 0;
}

/* Whether these bytes are that tail, of an object that is not fetched whole. */
static inline bool hr_feed_is_tail(const struct hr_feed *f, const struct hr_split *s,
                                   int64_t offset, size_t len) {
    return !f->local && offset > 0 && offset == hr_feed_tail(s) && s->size - offset == (int64_t)len;
}

/* The first part of the queue when it is the one at `offset` of the current split, else NULL. */
struct feed_part *hr_feed_pop(struct hr_feed *f, int64_t offset);

/* A part of a split, not issued. */
int hr_feed_part_new(struct hr_feed *f, size_t split, int64_t offset, int64_t len,
                     struct feed_part **out, struct hr_error *err);
/* Buffer and GET. `must`: get budget by waiting (or over the limit when this feed holds buffers
 * already, so that nobody waits while holding); else HR_MORE when there is none. */
int hr_feed_issue(struct hr_feed *f, struct feed_part *part, bool must, struct hr_error *err);
/* Until it came; its result. Fewer bytes than asked for are HR_E_CHANGED. */
int hr_feed_wait(struct hr_feed *f, struct feed_part *part, struct hr_error *err);
/* Gives a part back, now or when its GET has come back. NULL allowed. */
void hr_feed_drop(struct hr_feed *f, struct feed_part *part);
/* Issues what should be on its way in order. */
int hr_feed_run_ahead(struct hr_feed *f, bool must, struct hr_error *err);
/* The whole current split when it is fetched in one part; NULL otherwise. */
int hr_feed_take_whole(struct hr_feed *f, struct feed_part **out, struct hr_error *err);

/* ---- feed_random.c */
int hr_feed_read_at(struct hr_source *src, int64_t offset, size_t len, uint8_t *dst,
                    struct hr_error *err);
void hr_feed_hint(struct hr_source *src, const struct hr_range *ranges, size_t count);
void hr_feed_drop_blocks(struct hr_feed *f);

#endif
