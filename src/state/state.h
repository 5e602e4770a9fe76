/* state/state.h - the state document of a pipeline: held by one run at a time, recovered when a
 * run died, replaced only as a whole.
 *
 *   open: claim ─► read ─► recover (journal rolled forward or dropped, dead uploads aborted)
 *   commit: ledger intents ─► stage ─► journal ─► publish ─► state ─► drop journal and ledger
 *   close: let go
 *
 * The document's text belongs to a dialect; here it is bytes. A local state is PATH, PATH.lock,
 * PATH.journal and PATH.ledger. A state on S3 is the object at its URL and the control object
 * URL.control with claim, ledger and journal (control.h). Level 4. One thread.
 */
#ifndef HR_STATE_STATE_H
#define HR_STATE_STATE_H

#include "state/journal.h"
#include "store/store.h"

struct hr_state;

struct hr_state_conf {
    const char *path;        /* local file, or s3://BUCKET/KEY; created by the first commit */
    struct hr_store *dst;    /* destination, for recovery; borrowed until close; NULL: a journal
                                that is still open is an error */
    const char *destination; /* its identity ("s3://bucket"): a journal for another is refused */
    bool read_only;          /* no lock, no recovery (state show, plan) */
    bool keep_open; /* claimed, but journal and ledger are left as they are (state resolve) */
    /* How a state on S3 is reached: endpoint, keys, TLS …; scheme and bucket are those of `path`.
     * Borrowed during open. NULL: what the environment says. */
    const struct hr_store_conf *access;
    /* Called with the store of a state on S3 when it is opened, and with NULL before it is closed:
     * who interrupts a run must reach it too. NULL: nobody asks. */
    void (*store_is)(void *user, struct hr_store *store);
    void *user;
    bool ask_when_lost; /* an upload of a dead run's commit is gone, others are visible: stop in
                           doubt; else take them back, their rows are read again */
    int lease_seconds;  /* state on S3: how long a silent run keeps it; 0: 60 */
};

/* What recovery did, for the log and the kill tests. */
struct hr_recovery {
    bool rolled_forward, dropped;
    size_t published, aborted;
};

/* HR_E_LOCKED: another run holds it. HR_E_STATE: journal or ledger cannot be trusted, or belong to
 * another destination. HR_E_INDOUBT: a commit could not be settled. HR_E_CONFIG: the store of the
 * state ignores conditional writes. */
int hr_state_open(const struct hr_state_conf *conf, struct hr_state **out, struct hr_error *err);
/* Could a run use it? Takes and lets go of the claim, reads the document; recovers nothing. conf as
 * for open, without a destination. */
int hr_state_check(const struct hr_state_conf *conf, struct hr_error *err);
/* The document as it is now; empty when there is none. Valid until the next change. */
struct hr_slice hr_state_text(const struct hr_state *state);
const char *hr_state_name(const struct hr_state *state); /* path or URL, for messages */
const struct hr_recovery *hr_state_recovery(const struct hr_state *state);
const char *hr_state_destination(const struct hr_state *state);
/* Hash of a document as the journal holds it. */
void hr_state_hash(struct hr_slice text, char out[33]);
/* Replace the document without outputs (reset, clear-destination). */
int hr_state_save(struct hr_state *state, struct hr_slice text, struct hr_error *err);
/* Is it still ours? HR_E_LOCKED when another run took it over (a lease that ran out while this
 * process was stopped): nothing may be published any more. Asks the store only when the lease is
 * about to run out unrenewed. */
int hr_state_hold(struct hr_state *state, struct hr_error *err);
void hr_state_close(struct hr_state *state); /* NULL allowed */

/* ---- a commit that a dead run left open ---- */

/* How an open journal fits the document. */
enum hr_fit {
    HR_FIT_NONE, /* there is no journal */
    HR_FIT_NEXT, /* the document is the one before the commit: it can be rolled forward */
    HR_FIT_DONE, /* the document is the one after it */
    HR_FIT_STALE /* neither: somebody replaced the document since */
};
/* Read the open journal; out is released by the caller, empty with HR_FIT_NONE. HR_E_STATE: it is
 * damaged, or of another destination. */
int hr_state_journal(struct hr_state *state, struct hr_journal *out, enum hr_fit *out_fit,
                     struct hr_error *err);
/* Every key the ledger names: uploads that a dead run created or was about to create. */
int hr_state_each_intent(struct hr_state *state,
                         int (*each)(void *user, const char *key, struct hr_error *err), void *user,
                         struct hr_error *err);
/* Forget the journal and sweep what the ledger names (after a commit was settled by hand). */
int hr_state_settled_all(struct hr_state *state, struct hr_error *err);

/* ---- for state/commit.c ---- */

/* Durably note, in one write, that uploads to these keys may be created from now on. */
int hr_state_intent(struct hr_state *state, const char *const *keys, size_t count,
                    struct hr_error *err);
/* Journal on disk: from here on the commit is rolled forward. */
int hr_state_write_journal(struct hr_state *state, const struct hr_journal *journal,
                           struct hr_error *err);
/* Forget journal and ledger: the commit is in the state, or was taken back. */
int hr_state_settled(struct hr_state *state, struct hr_error *err);
/* Make the journal's outputs visible, then manifest, archive and removals. Idempotent: what is done
 * is recognised by its token. `holder` (NULL: nobody's) must still be held before every step.
 * *out_published counts what this call completed. HR_E_STORE with *out_lost: an upload is gone;
 * nothing of the commit is left visible. HR_E_INDOUBT: the store did not say. HR_E_LOCKED: the
 * state was taken over. */
int hr_journal_publish(const struct hr_journal *journal, struct hr_store *store,
                       struct hr_state *holder, size_t *out_published, bool *out_lost,
                       struct hr_error *err);

/* Abort every upload whose key starts with `prefix` and whose file name starts with `lineage`-.
 * NULL lineage: uploads to exactly this key. */
int hr_state_abort_uploads(struct hr_store *store, const char *prefix, const char *lineage,
                           size_t *out_aborted, struct hr_error *err);

#endif
