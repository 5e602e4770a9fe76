/* cred/ini.h - the format of AWS's shared config and credentials files. */
#ifndef HR_CRED_INI_H
#define HR_CRED_INI_H

#include "base/slice.h"

/* One setting. The section is what stands between the brackets, blanks at the ends removed;
 * settings indented below another one come as "outer.inner". Non-zero ends the reading. */
typedef int (*hr_ini_fn)(void *user, struct hr_slice section, struct hr_slice key,
                         struct hr_slice value);

/* Reads all settings in order. Lines that are neither a section, a setting nor a comment are
 * skipped: other programs write these files too. Returns what fn returned last. */
int hr_ini_each(struct hr_slice text, hr_ini_fn fn, void *user);

#endif
