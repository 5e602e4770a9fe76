/* api/watch.h - interrupts and deadlines reach what waits for a store.
 *
 * The pipeline looks at hr_cancelled between batches; a request that waits for a slow store looks
 * at nothing. While a watch lives, one thread looks for both: when the run is interrupted the
 * source fails every request with CANCELLED at once, the destination after a grace, in which an
 * open checkpoint is published or taken back. Level 8.
 */
#ifndef HR_API_WATCH_H
#define HR_API_WATCH_H

#include "pipeline/pipeline.h"

struct hr_watch;

/* cancel_sources: called on the watch's thread to cancel what is read from, at most once. dst:
 * borrowed until the stop; NULL none. deadline_s: after so many seconds both are cancelled; 0:
 * never. NULL: no memory or no thread, then nothing is watched. */
struct hr_watch *hr_watch_start(void (*cancel_sources)(void *user), void *user,
                                struct hr_store *dst, int64_t deadline_s);
/* One more store that is cancelled like the destination (where the state is); NULL takes it back.
 * watch NULL allowed. */
void hr_watch_also(struct hr_watch *watch, struct hr_store *store);
/* The usual cancel_sources: `user` is the struct hr_store. */
void hr_watch_cancel_store(void *user);
/* True when the deadline cancelled something. NULL allowed. */
bool hr_watch_stop(struct hr_watch *watch);

#endif
