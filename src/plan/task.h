/* plan/task.h - building tasks; between task.c and plan.c. */
#ifndef HR_PLAN_TASK_H
#define HR_PLAN_TASK_H

#include "base/arena.h"
#include "plan/plan.h"

/* An empty task. */
int hr_task_new(struct hr_task **out, struct hr_error *err);
/* Append a piece; key and header are copied into the task. */
int hr_task_add(struct hr_task *task, const struct hr_piece *piece, struct hr_error *err);

#endif
