/* state/state.c - the local state document: lock, read, replace (see state.h). */
#include "state/state.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/mem.h"

#define STATE_MAX ((size_t)256 << 20)

struct hr_state {
    struct hr_state_conf conf;
    char *path;
    int lock_fd;
    struct hr_buf text;
    struct hr_hash128 on_disk; /* of the file when it was read or written last */
};

static char *beside(const char *path, const char *suffix) {
    char *out = NULL;
    const size_t n = strlen(path) + strlen(suffix) + 1;
    out = hr_malloc(n);
    if (out != NULL) {
        snprintf(out, n, "%s%s", path, suffix);
    }
    return out;
}

static int take_lock(struct hr_state *s, struct hr_error *err) {
    char *name = beside(s->path, ".lock");
    if (name == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate a name");
    }
    s->lock_fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    int rc = 0;
    if (s->lock_fd < 0) {
        rc = hr_fail_errno(err, errno, "could not open the lock '%s'", name);
    } else if (flock(s->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        rc =
            hr_fail(err, HR_E_LOCKED, "could not start: another run holds the state '%s'", s->path);
        hr_error_hint(err, "wait for it to end, or give this pipeline a state file of its own");
    }
    hr_free(name);
    return rc;
}

static int read_file(const char *path, struct hr_buf *out, struct hr_error *err) {
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT ? 0
                               : hr_fail_errno(err, errno, "could not open the state '%s'", path);
    }
    int rc = 0;
    for (;;) {
        rc = hr_buf_reserve(out, 1 << 16, err);
        if (rc != 0) {
            break;
        }
        const ssize_t n = read(fd, out->ptr + out->len, 1 << 16);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            rc = hr_fail_errno(err, errno, "could not read the state '%s'", path);
        }
        if (n <= 0) {
            break;
        }
        out->len += (size_t)n;
    }
    close(fd);
    return rc;
}

static struct hr_hash128 hash_of(const struct hr_buf *buf) {
    return hr_hash128(buf->ptr ? (const void *)buf->ptr : "", buf->len, 0);
}

int hr_state_open(const struct hr_state_conf *conf, struct hr_state **out, struct hr_error *err) {
    *out = NULL;
    if (conf->path == NULL) {
        hr_fail(err, HR_E_CONFIG, "could not keep the state on a store: only files are supported");
        hr_error_hint(err, "give --state a local path");
        return HR_E_CONFIG;
    }
    struct hr_state *s = hr_calloc(1, sizeof(*s));
    if (s == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate the state");
    }
    s->conf = *conf;
    s->lock_fd = -1;
    hr_buf_init(&s->text, STATE_MAX);
    s->path = hr_strdup(conf->path);
    int rc = s->path ? 0 : hr_fail(err, HR_E_NOMEM, "could not allocate the state");
    if (rc == 0 && !conf->read_only) {
        rc = take_lock(s, err);
    }
    if (rc == 0) {
        rc = read_file(s->path, &s->text, err);
    }
    if (rc != 0) {
        hr_state_close(s);
        return rc;
    }
    s->on_disk = hash_of(&s->text);
    *out = s;
    return 0;
}

struct hr_slice hr_state_text(const struct hr_state *state) {
    return hr_buf_slice(&state->text);
}

const char *hr_state_name(const struct hr_state *state) {
    return state->path;
}

/* Somebody wrote the file without taking the lock: do not overwrite what is not ours. */
static int unchanged(struct hr_state *s, struct hr_error *err) {
    struct hr_buf now;
    hr_buf_init(&now, STATE_MAX);
    int rc = read_file(s->path, &now, err);
    const struct hr_hash128 h = hash_of(&now);
    if (rc == 0 && (h.lo != s->on_disk.lo || h.hi != s->on_disk.hi)) {
        rc = hr_fail(err, HR_E_LOCKED,
                     "could not save the state '%s': it changed while this run "
                     "held it",
                     s->path);
        hr_error_hint(err, "see who else writes it; nothing of it was overwritten");
    }
    hr_buf_release(&now);
    return rc;
}

static int sync_folder(const char *path, struct hr_error *err) {
    char *copy = hr_strdup(path);
    if (copy == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate a name");
    }
    const int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = 0;
    if (fd < 0 || fsync(fd) != 0) {
        rc = hr_fail_errno(err, errno, "could not sync the folder of '%s'", path);
    }
    if (fd >= 0) {
        close(fd);
    }
    hr_free(copy);
    return rc;
}

static int write_all(int fd, struct hr_slice text, const char *name, struct hr_error *err) {
    size_t done = 0;
    while (done < text.len) {
        const ssize_t n = write(fd, text.ptr + done, text.len - done);
        if (n < 0 && errno != EINTR) {
            return hr_fail_errno(err, errno, "could not write '%s'", name);
        }
        done += n > 0 ? (size_t)n : 0;
    }
    if (fsync(fd) != 0) {
        return hr_fail_errno(err, errno, "could not sync '%s'", name);
    }
    return 0;
}

int hr_state_save(struct hr_state *s, struct hr_slice text, struct hr_error *err) {
    char *tmp = beside(s->path, ".tmp");
    if (tmp == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate a name");
    }
    int rc = unchanged(s, err);
    const int fd = rc == 0 ? open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644) : -1;
    if (rc == 0 && fd < 0) {
        rc = hr_fail_errno(err, errno, "could not create '%s'", tmp);
    }
    if (rc == 0) {
        rc = write_all(fd, text, tmp, err);
    }
    if (fd >= 0) {
        close(fd);
    }
    if (rc == 0 && rename(tmp, s->path) != 0) {
        rc = hr_fail_errno(err, errno, "could not replace the state '%s'", s->path);
    }
    if (rc == 0) {
        rc = sync_folder(s->path, err);
    } else if (fd >= 0) {
        unlink(tmp);
    }
    if (rc == 0) {
        hr_buf_clear(&s->text);
        rc = hr_buf_append(&s->text, text.ptr, text.len, err);
        s->on_disk = hash_of(&s->text);
    }
    hr_free(tmp);
    return rc;
}

void hr_state_close(struct hr_state *s) {
    if (s == NULL) {
        return;
    }
    if (s->lock_fd >= 0) {
        close(s->lock_fd); /* the lock file stays: removing it would race with its next owner */
    }
    hr_buf_release(&s->text);
    hr_free(s->path);
    hr_free(s);
}
