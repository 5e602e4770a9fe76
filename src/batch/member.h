/* batch/member.h - columns inside structs by their dotted names: `a.b.c`. Level 1.
 *
 * A column whose own name is the whole text wins at every level; names may hold dots themselves.
 * Lists and maps are not looked into: which of their items would it be. */
#ifndef HR_BATCH_MEMBER_H
#define HR_BATCH_MEMBER_H

#include "batch/vec.h"

enum { HR_MEMBER_DEPTH_MAX = 64 };

struct hr_member {
    int column;                     /* of the schema */
    int depth;                      /* steps below it, 0: the column itself */
    int steps[HR_MEMBER_DEPTH_MAX]; /* child of the struct at each level */
    const struct hr_field *field;   /* what is named; lives with the schema */
};

/* False when there is none; then, with `stopped` not NULL, *stopped is the list, map or scalar at
 * which the path ends too early (NULL: the first name is unknown already). */
bool hr_member_find(const struct hr_schema *schema, const char *path, struct hr_member *out,
                    const struct hr_field **stopped);

/* Make `want` (a field of the same name as have's column) ask for the member: structs in it have
 * only the children asked for, one without children is wanted whole. `want` starts as a struct
 * without children and is new; is_new says so. 0 or HR_E_NOMEM. */
int hr_member_keep(struct hr_field *want, bool is_new, const struct hr_field *have,
                   const struct hr_member *member);

/* The member's values for every row of `column`: a borrowed copy of its vec, null where a struct
 * around it is null; *bits (hr_big_alloc, grown, the caller's) holds the bitmap when one had to be
 * made. `field` becomes the vec's. */
int hr_member_view(const struct hr_vec *column, const struct hr_member *member,
                   const struct hr_field *field, struct hr_vec *out, uint8_t **bits,
                   struct hr_error *err);

#endif
