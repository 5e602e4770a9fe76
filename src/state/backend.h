/* state/backend.h - where a state lives: local files (state_local.c) or an object store
 * (state_remote.c). What is common to all places, recovery above all, is state.c. Internal to
 * state/.
 */
#ifndef HR_STATE_BACKEND_H
#define HR_STATE_BACKEND_H

#include "state/state.h"

#define HR_STATE_MAX ((size_t)256 << 20) /* bytes of a state document */
#define HR_LEDGER_MAX ((size_t)1 << 30)  /* bytes of a journal or ledger */

/* Names for messages; the backend owns the strings. */
struct hr_state_names {
    const char *state, *journal, *ledger;
};

struct hr_state_backend {
    /* Nothing is asked of the place yet. names is filled when it answers 0. */
    int (*open)(const struct hr_state_conf *conf, void **out, struct hr_state_names *names,
                struct hr_error *err);
    int (*claim)(void *self, struct hr_error *err); /* HR_E_LOCKED */
    int (*hold)(void *self, struct hr_error *err);  /* NULL: what was claimed stays ours */
    /* Appends to out (bounded by out->max). HR_END: there is none. */
    int (*read)(void *self, struct hr_buf *out, struct hr_error *err);
    int (*read_journal)(void *self, struct hr_buf *out, struct hr_error *err);
    int (*read_ledger)(void *self, struct hr_buf *out, struct hr_error *err);
    /* Replace the document. prior: hash of it as read or written last; another one found there is
     * HR_E_LOCKED. */
    int (*write)(void *self, struct hr_slice text, const char *prior, struct hr_error *err);
    int (*write_journal)(void *self, struct hr_slice bytes, struct hr_error *err);
    int (*add_ledger)(void *self, struct hr_slice line, struct hr_error *err);
    int (*drop)(void *self, bool journal, bool ledger, struct hr_error *err); /* absent is fine */
    void (*close)(void *self); /* lets go of the claim */
};

extern const struct hr_state_backend hr_state_local, hr_state_remote;

/* The one error for a document that somebody else replaced. */
int hr_state_changed(const char *name, struct hr_error *err);

#endif
