/* state/owner.c - which process holds a claim, so that one killed on this machine need not be
 * waited for (see control.h).
 *
 * A claim of another machine can only run out. One of this boot and this pid namespace belongs to a
 * process that the kernel can be asked about: gone, or another one under its number, is dead.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "state/control.h"

static size_t read_small(const char *path, char *out, size_t size) {
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, out, size - 1);
    if (fd >= 0) {
        close(fd);
    }
    n = n < 0 ? 0 : n;
    out[n] = '\0';
    return (size_t)n;
}

/* proc(5), /proc/PID/stat: state is field 3, starttime field 22; the name before them may hold
 * anything, so they are counted from its last ')'. */
static bool process_facts(int64_t pid, char *state, int64_t *start) {
    char path[64];
    char text[1024];
    snprintf(path, sizeof(path), "/proc/%lld/stat", (long long)pid);
    read_small(path, text, sizeof(text));
    const char *p = strrchr(text, ')');
    if (p == NULL || p[1] != ' ') {
        return false;
    }
    *state = p[2];
    for (int field = 2; field < 22 && p != NULL; field++) {
        p = strchr(p + 1, ' ');
    }
    if (p == NULL) {
        return false;
    }
    *start = strtoll(p + 1, NULL, 10);
    return true;
}

void hr_owner_self(struct hr_owner *out) {
    char boot[64];
    struct stat space;
    char state;
    *out = (struct hr_owner){.pid = getpid()};
    if (gethostname(out->host, sizeof(out->host) - 1) != 0) {
        out->host[0] = '\0';
    }
    read_small("/proc/sys/kernel/random/boot_id", boot, sizeof(boot));
    boot[strcspn(boot, "\n")] = '\0';
    if (boot[0] != '\0' && stat("/proc/self/ns/pid", &space) == 0 &&
        process_facts(out->pid, &state, &out->start)) {
        snprintf(out->machine, sizeof(out->machine), "%.40s/%llu", boot,
                 (unsigned long long)space.st_ino);
    }
}

bool hr_owner_gone(const struct hr_owner *owner) {
    struct hr_owner self;
    char state;
    int64_t start;
    hr_owner_self(&self);
    if (owner->machine[0] == '\0' || strcmp(owner->machine, self.machine) != 0 || owner->pid <= 0 ||
        owner->pid > INT32_MAX) {
        return false;
    }
    if (kill((pid_t)owner->pid, 0) != 0) {
        return errno == ESRCH; /* EPERM: it lives */
    }
    return process_facts(owner->pid, &state, &start) &&
           (state == 'Z' || state == 'X' || start != owner->start);
}
