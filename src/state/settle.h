/* state/settle.h - a commit left in doubt, settled by a person (state resolve). Level 4.
 *
 * Recovery goes forward or back by itself wherever that is the only right answer. What it cannot
 * decide is docs/internals/commit.md's "What recovery cannot decide"; then one of these two is
 * called with the journal that hr_state_journal read, on a state opened with keep_open.
 */
#ifndef HR_STATE_SETTLE_H
#define HR_STATE_SETTLE_H

#include "state/state.h"

struct hr_settlement {
    size_t visible; /* objects of the commit that stand now */
    size_t removed; /* take-back: objects that were removed */
    size_t missing; /* keep: objects that could not be published; their rows are not there */
    bool state_saved;
};

/* Treat it as published: complete what can be completed, keep what is visible, write manifest and
 * archive without what is missing; with HR_FIT_NEXT the state moves on, with any other the state
 * stays as somebody made it. Changes the journal's outputs. HR_E_INDOUBT: the store did not say. */
int hr_settle_keep(struct hr_state *state, struct hr_journal *journal, enum hr_fit fit,
                   struct hr_store *store, struct hr_settlement *out, struct hr_error *err);
/* Remove what is visible of it and abort the rest; the state stays as it is, so that what it does
 * not count is read again. */
int hr_settle_take_back(struct hr_state *state, const struct hr_journal *journal,
                        struct hr_store *store, struct hr_settlement *out, struct hr_error *err);

#endif
