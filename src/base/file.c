/* base/file.c - small local files, whole and durable (see file.h). */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/mem.h"

#define CHUNK ((size_t)1 << 16)

char *hr_file_beside(const char *path, const char *suffix) {
    const size_t n = strlen(path) + strlen(suffix) + 1;
    char *out = hr_malloc(n);
    if (out != NULL) {
        snprintf(out, n, "%s%s", path, suffix);
    }
    return out;
}

int hr_file_read(const char *path, struct hr_buf *out, struct hr_error *err) {
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT ? HR_END : hr_fail_errno(err, errno, "could not open '%s'", path);
    }
    int rc = 0;
    for (;;) {
        rc = hr_buf_reserve(out, CHUNK, err);
        if (rc != 0) {
            break;
        }
        const ssize_t n = read(fd, out->ptr + out->len, CHUNK);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            rc = hr_fail_errno(err, errno, "could not read '%s'", path);
        }
        if (n <= 0) {
            out->ptr[out->len] = '\0'; /* as after every append */
            break;
        }
        out->len += (size_t)n;
    }
    close(fd);
    return rc;
}

static int sync_fd(int fd) {
    return hr_fault_no_space() ? -1 : fsync(fd);
}

int hr_file_sync_folder_of(const char *path, struct hr_error *err) {
    char *copy = hr_strdup(path);
    if (copy == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate a name");
    }
    const int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = 0;
    hr_fault_point();
    if (fd < 0 || sync_fd(fd) != 0) {
        rc = hr_fail_errno(err, errno, "could not sync the folder of '%s'", path);
    }
    hr_fault_point();
    if (fd >= 0) {
        close(fd);
    }
    hr_free(copy);
    return rc;
}

static int write_all(int fd, struct hr_slice text, const char *name, struct hr_error *err) {
    size_t done = 0;
    if (hr_fault_no_space()) {
        return hr_fail_errno(err, errno, "could not write '%s'", name);
    }
    while (done < text.len) {
        const ssize_t n = write(fd, text.ptr + done, text.len - done);
        if (n < 0 && errno != EINTR) {
            return hr_fail_errno(err, errno, "could not write '%s'", name);
        }
        done += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

int hr_file_append(int fd, struct hr_slice text, const char *name, struct hr_error *err) {
    hr_fault_point();
    const int rc = write_all(fd, text, name, err);
    hr_fault_point();
    if (rc == 0 && sync_fd(fd) != 0) {
        return hr_fail_errno(err, errno, "could not sync '%s'", name);
    }
    hr_fault_point();
    return rc;
}

int hr_file_replace(const char *path, struct hr_slice text, struct hr_error *err) {
    char *tmp = hr_file_beside(path, ".tmp");
    if (tmp == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate a name");
    }
    hr_fault_point();
    const int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    int rc = fd < 0 ? hr_fail_errno(err, errno, "could not create '%s'", tmp) : 0;
    if (rc == 0) {
        rc = write_all(fd, text, tmp, err);
    }
    hr_fault_point();
    if (rc == 0 && sync_fd(fd) != 0) {
        rc = hr_fail_errno(err, errno, "could not sync '%s'", tmp);
    }
    if (fd >= 0 && close(fd) != 0 && rc == 0) {
        rc = hr_fail_errno(err, errno, "could not write '%s'", tmp);
    }
    hr_fault_point();
    if (rc == 0 && rename(tmp, path) != 0) {
        rc = hr_fail_errno(err, errno, "could not replace '%s'", path);
    }
    hr_fault_point();
    if (rc != 0 && fd >= 0) {
        unlink(tmp);
    }
    hr_free(tmp);
    return rc == 0 ? hr_file_sync_folder_of(path, err) : rc;
}

int hr_file_remove(const char *path, struct hr_error *err) {
    hr_fault_point();
    if (unlink(path) != 0) {
        return errno == ENOENT ? 0 : hr_fail_errno(err, errno, "could not remove '%s'", path);
    }
    hr_fault_point();
    return hr_file_sync_folder_of(path, err);
}
