/* base/fault.h - places where a test may kill the process: before and after every step that changes
 * something outside it (a request, an fsync, a rename, an unlink); and writes and syncs of files
 * that a test may let fail as on a full disk. Costs one load when not armed.
 */
#ifndef HR_BASE_FAULT_H
#define HR_BASE_FAULT_H

#include <stdbool.h>

/* "kill:N": SIGKILL at the Nth place reached, counted from 1. "stop:N": SIGSTOP there. "nospace:N":
 * from the Nth write or sync of a file on, the disk is full. "count": write "fault points: N" and
 * "fault writes: N" to standard error when the process ends. NULL or "": off. Counting begins anew.
 * The program calls it once, with HEADRACE_FAULT. Returns -1 for a text that is none of these. */
int hr_fault_arm(const char *text);

void hr_fault_point(void);

/* True: act as if the write or sync that comes next had failed; errno is ENOSPC. */
bool hr_fault_no_space(void);

#endif
