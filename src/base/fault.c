/* base/fault.c - counting, killing and full disks at marked places (see fault.h). */
#include "base/fault.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum mode { MODE_OFF, MODE_COUNT, MODE_KILL, MODE_STOP, MODE_NO_SPACE };

static atomic_int armed; /* enum mode */
static atomic_long reached, written;
static long fault_at;

static void report(void) {
    fprintf(stderr, "fault points: %ld\nfault writes: %ld\n", atomic_load(&reached),
            atomic_load(&written));
}

static int arm_at(const char *number, enum mode mode) {
    fault_at = strtol(number, NULL, 10);
    atomic_store(&armed, mode);
    return fault_at > 0 ? 0 : -1;
}

int hr_fault_arm(const char *text) {
    atomic_store(&reached, 0);
    atomic_store(&written, 0);
    if (text == NULL || text[0] == '\0') {
        atomic_store(&armed, MODE_OFF);
        return 0;
    }
    if (strcmp(text, "count") == 0) {
        atexit(report);
        atomic_store(&armed, MODE_COUNT);
        return 0;
    }
    if (strncmp(text, "kill:", 5) == 0) {
        return arm_at(text + 5, MODE_KILL);
    }
    if (strncmp(text, "stop:", 5) == 0) {
        return arm_at(text + 5, MODE_STOP);
    }
    return strncmp(text, "nospace:", 8) == 0 ? arm_at(text + 8, MODE_NO_SPACE) : -1;
}

void hr_fault_point(void) {
    const int mode = atomic_load_explicit(&armed, memory_order_relaxed);
    if (mode == MODE_OFF) {
        return;
    }
    if (atomic_fetch_add(&reached, 1) + 1 == fault_at && mode != MODE_NO_SPACE) {
        raise(mode == MODE_STOP ? SIGSTOP : SIGKILL);
    }
}

bool hr_fault_no_space(void) {
    const int mode = atomic_load_explicit(&armed, memory_order_relaxed);
    if (mode == MODE_OFF || atomic_fetch_add(&written, 1) + 1 < fault_at || mode != MODE_NO_SPACE) {
        return false;
    }
    errno = ENOSPC;
    return true;
}
