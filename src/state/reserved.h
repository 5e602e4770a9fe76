/* state/reserved.h - names of outputs that are drawn, and noted in the ledger, before their turn.
 *
 * A name says lineage, SEQ and INDEX, so it is known before the first byte of its file; what a
 * ledger says of many of them is one write. Names wait here by folder until an output takes them.
 * Internal to state/. One thread.
 */
#ifndef HR_STATE_RESERVED_H
#define HR_STATE_RESERVED_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

struct hr_reserved_key {
    char *key; /* NULL: taken */
    size_t folder_len;
};
struct hr_reserved {
    struct hr_reserved_key *items;
    size_t count, cap;
    size_t head; /* all before are taken */
};

/* One more name in this folder ("a/b/", "" none). */
int hr_reserved_add(struct hr_reserved *r, const char *folder, const char *name,
                    struct hr_error *err);
/* The first name kept for this folder, for the caller to hr_free; NULL: there is none. */
char *hr_reserved_take(struct hr_reserved *r, const char *folder);
/* Forget all that wait. */
void hr_reserved_clear(struct hr_reserved *r);
void hr_reserved_release(struct hr_reserved *r);

#endif
