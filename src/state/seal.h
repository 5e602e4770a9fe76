/* state/seal.h - a checksum inside a JSON object, over everything else in it.
 *
 * Our part of state.json, manifests and the archive of commits lie where other programs and people
 * reach them; a changed byte in them must be noticed, not believed. Member "seal" holds
 * "headrace2-" and 32 hex digits of hash128 over the object's compact text with sorted keys, the
 * member itself left out, so whitespace and the order of members may change. Level 4.
 */
#ifndef HR_STATE_SEAL_H
#define HR_STATE_SEAL_H

#include <jansson.h>

#include "base/slice.h"

/* Put the seal in, or renew it. HR_E_NOMEM. */
int hr_seal(json_t *object, struct hr_error *err);
/* 0: it holds. HR_E_STATE: there is none, it is of another version, or something was changed; no
 * message is made, the caller knows the file. HR_E_NOMEM. */
int hr_seal_check(const json_t *object, struct hr_error *err);
/* How many seals stand in a text: more than were found where they belong means that a member's
 * name was damaged. */
size_t hr_seal_count(struct hr_slice text);

#endif
