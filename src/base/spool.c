/* base/spool.c - bytes that wait on disk (see spool.h): where a task or a folder of the output has
 * more finished blocks than memory is meant to hold, they are put here and read back in order. */
#include "base/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char *folder_of(const struct hr_spool *spool) {
    const char *dir = spool->dir;
    if (dir == NULL || dir[0] == '\0') {
        dir = getenv("TMPDIR");
    }
    return dir != NULL && dir[0] != '\0' ? dir : "/tmp";
}

static const char *what_of(const struct hr_spool *spool) {
    return spool->what ? spool->what : "output that waits";
}

static int failed(const struct hr_spool *spool, int errnum, struct hr_error *err) {
    const int rc =
        hr_fail_errno(err, errnum, "could not keep %s in '%s'", what_of(spool), folder_of(spool));
    hr_error_hint(err, "set spill_dir to a folder with room%s",
                  spool->what ? "" : ", or raise memory_limit_mb");
    return rc;
}

static int make_file(struct hr_spool *spool, struct hr_error *err) {
    if (spool->made) {
        return 0;
    }
#ifdef O_TMPFILE
    spool->fd = open(folder_of(spool), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    spool->made = spool->fd >= 0;
    if (spool->made) {
        return 0;
    }
#endif
    char name[1200];
    const int n = snprintf(name, sizeof(name), "%s/.headrace-XXXXXX", folder_of(spool));
    if (n < 0 || (size_t)n >= sizeof(name)) {
        return failed(spool, ENAMETOOLONG, err);
    }
    spool->fd = mkostemp(name, O_CLOEXEC);
    if (spool->fd < 0) {
        return failed(spool, errno, err);
    }
    unlink(name);
    spool->made = true;
    return 0;
}

int hr_spool_append(struct hr_spool *spool, struct hr_slice bytes, int64_t *out_at,
                    struct hr_error *err) {
    if (spool->max > 0 && spool->end + (int64_t)bytes.len > spool->max) {
        hr_fail(err, HR_E_BOUND, "could not keep %s: spill_limit_gb is used up", what_of(spool));
        hr_error_hint(err, "raise spill_limit_gb%s", spool->what ? "" : " or memory_limit_mb");
        return HR_E_BOUND;
    }
    const int rc = make_file(spool, err);
    if (rc != 0) {
        return rc;
    }
    size_t done = 0;
    while (done < bytes.len) {
        const ssize_t n =
            pwrite(spool->fd, bytes.ptr + done, bytes.len - done, spool->end + (int64_t)done);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return failed(spool, errno, err);
        }
        done += (size_t)n;
    }
    *out_at = spool->end;
    spool->end += (int64_t)bytes.len;
    return 0;
}

int hr_spool_read(const struct hr_spool *spool, int64_t at, uint8_t *dst, size_t len,
                  struct hr_error *err) {
    size_t done = 0;
    while (done < len) {
        const ssize_t n = pread(spool->fd, dst + done, len - done, at + (int64_t)done);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return failed(spool, n < 0 ? errno : EIO, err);
        }
        done += (size_t)n;
    }
    return 0;
}

void hr_spool_empty(struct hr_spool *spool) {
    if (spool->made) {
        (void)!ftruncate(spool->fd, 0);
    }
    spool->end = 0;
}

void hr_spool_close(struct hr_spool *spool) {
    if (spool->made) {
        close(spool->fd);
    }
    spool->made = false;
    spool->end = 0;
}
