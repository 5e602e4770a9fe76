/* base/fault.c - counting and killing at marked places (see fault.h). */
#include "base/fault.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static atomic_int armed; /* 0 off, 1 counting, 2 killing */
static atomic_long reached;
static long kill_at;

static void report(void) {
    fprintf(stderr, "fault points: %ld\n", atomic_load(&reached));
}

int hr_fault_arm(const char *text) {
    if (text == NULL || text[0] == '\0') {
        return 0;
    }
    if (strcmp(text, "count") == 0) {
        atexit(report);
        atomic_store(&armed, 1);
        return 0;
    }
    if (strncmp(text, "kill:", 5) != 0) {
        return -1;
    }
    kill_at = strtol(text + 5, NULL, 10);
    atomic_store(&armed, 2);
    return kill_at > 0 ? 0 : -1;
}

void hr_fault_point(void) {
    const int mode = atomic_load_explicit(&armed, memory_order_relaxed);
    if (mode == 0) {
        return;
    }
    if (atomic_fetch_add(&reached, 1) + 1 == kill_at && mode == 2) {
        raise(SIGKILL);
    }
}
