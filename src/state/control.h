/* state/control.h - the control object of a state on S3: who holds it and until when, the ledger
 * and the journal, in one object that is only ever changed by If-Match.
 *
 * The state at s3://B/state.json stays the plain document; s3://B/state.json.control is this:
 *
 *   "HRC1 " 32 hex digits of hash128 over all that follows this line "\n"
 *   one line of JSON: claim, rev, owner, until, lease, whether the state has been written, ledger
 *     and journal (bytes of each), and on which machine and process the owner is "\n"
 *   the ledger, then the journal, as local files have them
 *
 * A run claims it (claim number one higher, a nonce of its own as owner, until = the store's Date +
 * lease), renews it in a thread every third of the lease, and lets go of it at its end. Every write
 * is conditional on the version written before; where the answer was lost or is 412, the object is
 * read and the nonce decides. Level 4.
 */
#ifndef HR_STATE_CONTROL_H
#define HR_STATE_CONTROL_H

#include "base/slice.h"
#include "store/store.h"

/* ---- the process behind a claim ---- */

struct hr_owner {
    char machine[96];   /* boot id and pid namespace; "" unknown */
    char host[64];      /* for messages */
    int64_t pid, start; /* start: the kernel's start time of the process */
};
void hr_owner_self(struct hr_owner *out);
/* True only when it is certain: same boot, same pid namespace, and no such process any more. */
bool hr_owner_gone(const struct hr_owner *owner);

/* ---- its bytes ---- */

struct hr_control_doc {
    uint64_t claim, rev;
    char nonce[33];           /* "": nobody holds it */
    int64_t until_s, lease_s; /* store's clock, seconds since the epoch */
    struct hr_owner owner;
    bool written;                  /* the state has been written: an empty one is a damaged one */
    struct hr_buf ledger, journal; /* empty: none */
};
void hr_control_doc_init(struct hr_control_doc *doc);
void hr_control_doc_release(struct hr_control_doc *doc);
/* Replaces what is in out. */
int hr_control_encode(const struct hr_control_doc *doc, struct hr_buf *out, struct hr_error *err);
/* doc must be initialised; name is for messages. HR_E_STATE: damaged. */
int hr_control_decode(struct hr_slice bytes, const char *name, struct hr_control_doc *doc,
                      struct hr_error *err);

/* ---- holding it ---- */

struct hr_control;
struct hr_control_conf {
    struct hr_store *store; /* borrowed; used from the renewing thread too */
    const char *key;        /* of the control object; borrowed */
    const char *name;       /* URL of it, for messages; borrowed */
    const char *state_name; /* URL of the state, for messages; borrowed */
    int lease_seconds;      /* at least 1 */
};
/* Take it, a dead owner's ledger and journal with it. HR_E_LOCKED: a live run holds it.
 * HR_E_CONFIG: the store ignores conditions. */
int hr_control_claim(const struct hr_control_conf *conf, struct hr_control **out,
                     struct hr_error *err);
/* See hr_state_hold. */
int hr_control_hold(struct hr_control *control, struct hr_error *err);
/* Views of what it holds, valid until the next change. */
struct hr_slice hr_control_ledger(const struct hr_control *control);
struct hr_slice hr_control_journal(const struct hr_control *control);
/* Each is one conditional write. HR_E_LOCKED: taken over by another run. A failed one changes
 * nothing here; whether it did there is settled by the next. */
int hr_control_add_ledger(struct hr_control *control, struct hr_slice line, struct hr_error *err);
int hr_control_set_journal(struct hr_control *control, struct hr_slice bytes, struct hr_error *err);
int hr_control_drop(struct hr_control *control, bool journal, bool ledger, struct hr_error *err);
/* The state document has been written, by this run (kept with the next write) or an earlier one. */
void hr_control_mark_written(struct hr_control *control);
bool hr_control_written(const struct hr_control *control);
/* Let go, keep ledger and journal for the next run, free. NULL allowed. */
void hr_control_close(struct hr_control *control);

#endif
