/* base/fault.h - places where a test may kill the process: before and after every step that changes
 * something outside it (a request, an fsync, a rename, an unlink). Costs one load when not armed.
 */
#ifndef HR_BASE_FAULT_H
#define HR_BASE_FAULT_H

/* "kill:N": SIGKILL at the Nth place reached, counted from 1. "count": write "fault points: N" to
 * standard error when the process ends. NULL or "": off. Called once by the program, from
 * HEADRACE_FAULT. Returns -1 for a text that is neither. */
int hr_fault_arm(const char *text);

void hr_fault_point(void);

#endif
