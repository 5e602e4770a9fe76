/* store/mem/mem_store.h - the store in memory, for tests: faults on demand and a clock to set.
 *
 * Instances are process-wide and named: what one handle writes another of the same name reads, also
 * after a close, until the instance is dropped. */
#ifndef HR_STORE_MEM_MEM_STORE_H
#define HR_STORE_MEM_MEM_STORE_H

#include "store/store.h"

/* What is about to happen, for a fault hook. */
enum hr_mem_op {
    HR_MEM_LIST,
    HR_MEM_GET,
    HR_MEM_STAT,
    HR_MEM_PUT,
    HR_MEM_REMOVE,
    HR_MEM_CREATE,
    HR_MEM_PART,
    HR_MEM_COMPLETE,
    HR_MEM_ABORT,
    HR_MEM_UPLOADS
};
/* Non-zero (an error code, err filled) makes the call fail with it, without effect. Called under
 * no lock, from the thread of the call. */
typedef int (*hr_mem_fault_fn)(void *user, enum hr_mem_op op, const char *key,
                               struct hr_error *err);

void hr_mem_store_fault(struct hr_store *store, hr_mem_fault_fn fn, void *user);
/* The same for handles that others open: every handle of the instance, from now until the drop.
 * `after` is asked when a change was made: an error then is an answer that was lost. Either may be
 * NULL. Time of their writes: `clock_us`, -1 the real clock. */
struct hr_mem_world {
    hr_mem_fault_fn before, after;
    void *user;
    int64_t clock_us;
};
int hr_mem_store_world(const char *name, const struct hr_mem_world *world);
/* Time of later writes, microseconds; -1: the real clock. */
void hr_mem_store_clock(struct hr_store *store, int64_t micros);
/* Takes capabilities away (HR_CAP_…), to see what callers do without. */
void hr_mem_store_without(struct hr_store *store, unsigned caps);
/* Answer reads from a thread of its own after `micros`, in the order asked, as a remote store would
 * (it is then not HR_CAP_LOCAL any more). Call before the first request. */
int hr_mem_store_delay(struct hr_store *store, int64_t micros);
/* Forget an instance and all in it; no handle may be open. */
void hr_mem_store_drop(const char *name);

#endif
