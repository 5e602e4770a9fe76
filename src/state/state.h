/* state/state.h - the state document of a pipeline: locked while a run holds it, recovered when a
 * run died, replaced only as a whole.
 *
 *   open: lock ─► read ─► recover (journal rolled forward or dropped, dead uploads aborted)
 *   hr_commit_publish: journal ─► publish ─► state ─► drop journal
 *   close: unlock
 *
 * The document's text belongs to a dialect; here it is bytes. Local state is PATH, PATH.lock,
 * PATH.journal and PATH.ledger. Level 5. One thread.
 */
#ifndef HR_STATE_STATE_H
#define HR_STATE_STATE_H

#include "store/store.h"

struct hr_state;

struct hr_state_conf {
    const char *path;       /* local file; created by the first commit. NULL: state on a store */
    struct hr_store *store; /* state on S3: the store and key; NULL with path */
    const char *key;
    struct hr_store *dst;    /* destination, for recovery; borrowed until close */
    const char *destination; /* its identity ("s3://bucket/prefix"): a journal for another one is
                                refused */
    bool read_only;          /* no lock, no recovery (state show, plan) */
};

/* HR_E_LOCKED: another run holds it. HR_E_STATE: the journal, ledger or control object cannot be
 * trusted. HR_E_INDOUBT: a commit could not be settled (`state resolve`). */
int hr_state_open(const struct hr_state_conf *conf, struct hr_state **out, struct hr_error *err);
/* The document as it is now; empty when there is none. Valid until the next publish. */
struct hr_slice hr_state_text(const struct hr_state *state);
const char *hr_state_name(const struct hr_state *state); /* path or URL, for messages */
/* Replace the document without outputs (reset, clear-destination). */
int hr_state_save(struct hr_state *state, struct hr_slice text, struct hr_error *err);
void hr_state_close(struct hr_state *state); /* NULL allowed */

#endif
