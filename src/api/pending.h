/* api/pending.h - what an unfinished load of a stream still has to read, as Olake's `chunks`.
 *
 * While a load goes on, our own part of the state knows how far it came (band, sweep). Another
 * program that takes over knows only cursor and chunks: the cursor says that everything up to it is
 * read, but for the keys in chunks. So at every checkpoint but the last both are written from what
 * was given to workers and not read yet, and from what is still to be given out. Level 8. The
 * caller locks.
 */
#ifndef HR_API_PENDING_H
#define HR_API_PENDING_H

#include <jansson.h>

#include "plan/plan.h"
#include "state/commit.h"

/* More waiting objects than this are not written: then the entry has neither cursor nor chunks,
 * which tells Olake to begin again. */
#define HR_PENDING_MAX 100000

struct hr_pending_key {
    char *key;
    int64_t size, mtime_us;
};

struct hr_pending { /* zeroed is empty */
    struct hr_pending_key *items;
    size_t head, count, cap; /* in the order they were given out */
};

/* A task goes to a worker. */
int hr_pending_given(struct hr_pending *pending, const struct hr_task *task, struct hr_error *err);
/* A checkpoint ends: these inputs, and whatever was given out before the last of them, are done. */
void hr_pending_read(struct hr_pending *pending, const struct hr_input *inputs, size_t count);
/* Chunks of all that waits, and the newest of their times (unchanged when there is none).
 * *out_chunks is NULL with 0 when more waits than HR_PENDING_MAX, or the listing was cancelled. */
int hr_pending_chunks(const struct hr_pending *pending, struct hr_plan *plan, long stream,
                      json_t **out_chunks, int64_t *newest_us, struct hr_error *err);
void hr_pending_release(struct hr_pending *pending);

#endif
