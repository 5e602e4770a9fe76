/* plan/select.h - which keys are read and as what: the steps that need nothing but the key, its
 * size and its time. */
#ifndef HR_PLAN_SELECT_H
#define HR_PLAN_SELECT_H

#include "plan/plan.h"

struct hr_selector;
/* settings borrowed until free. HR_E_CONFIG for a regex that does not compile. */
int hr_selector_new(const struct hr_settings *settings, struct hr_selector **out,
                    struct hr_error *err);
void hr_selector_free(struct hr_selector *selector); /* NULL allowed */

/* The glob of the URL counts no more: what it names is a folder, listed by its own prefix. */
void hr_selector_any_name(struct hr_selector *selector);

/* Judge one listed object; on HR_SKIP_NONE out's format and codec are filled. by_name: the object
 * was named itself, so hidden names and patterns do not count. Not thread safe. */
enum hr_skip hr_selector_judge(struct hr_selector *selector, const struct hr_list_item *item,
                               bool by_name, struct hr_object *out);

/* The prefix to list: the place's folder and the literal head of the only glob, up to its last '/'.
 * hr_free; NULL: no memory. */
char *hr_select_list_prefix(const struct hr_settings *settings);

/* A chosen object is left for a later run after all: count it as HR_SKIP_LIMIT. */
void hr_scan_leave(struct hr_scan *scan, long stream, int64_t size);

#endif
