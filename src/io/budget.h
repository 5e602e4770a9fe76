/* io/budget.h - taking from and giving to a hr_budget. For io/ itself. */
#ifndef HR_IO_BUDGET_H
#define HR_IO_BUDGET_H

#include <stdatomic.h>

#include "io/io.h"

/* All tolerate budget == NULL: no limit, nothing counted. */

/* Takes when there is room, at once. */
bool hr_budget_try(struct hr_budget *budget, size_t bytes);
/* Takes, over the limit if need be: for those that must move on. */
void hr_budget_force(struct hr_budget *budget, size_t bytes);
/* Takes, waiting for room until *go becomes true (then over the limit). A taker larger than the
 * whole budget waits until nothing else is out. */
void hr_budget_wait(struct hr_budget *budget, size_t bytes, const atomic_bool *go);
void hr_budget_give(struct hr_budget *budget, size_t bytes);
/* Makes waiters look at their `go` again. */
void hr_budget_wake(struct hr_budget *budget);

#endif
