/* state/state_local.c - a state in local files: PATH, PATH.lock (flock, never removed),
 * PATH.journal and PATH.ledger (see backend.h). The kernel lets go of the lock when the process
 * ends, however it ends. Once a document was written the lock file is not empty any more: a
 * document that is there but blank was cut then, and is not taken for a new pipeline's. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "state/backend.h"

struct local {
    char *path, *journal, *ledger, *lock;
    int lock_fd, ledger_fd;
};

static void local_close(void *self) {
    struct local *l = self;
    if (l->ledger_fd >= 0) {
        close(l->ledger_fd);
    }
    if (l->lock_fd >= 0) {
        close(l->lock_fd); /* the lock file stays: removing it would race with its next owner */
    }
    hr_free(l->path);
    hr_free(l->journal);
    hr_free(l->ledger);
    hr_free(l->lock);
    hr_free(l);
}

/* "file:PATH" as everywhere else, or a path. */
static int plain_path(const char *text, char **out, struct hr_error *err) {
    struct hr_url url = {0};
    struct hr_buf path;
    hr_buf_init(&path, 0);
    int rc = 0;
    if (strncmp(text, "file:", 5) != 0) {
        rc = hr_buf_append_str(&path, text, err);
    } else {
        rc = hr_url_parse(text, &url, err);
        if (rc == 0) {
            rc = hr_buf_printf(&path, err, "%s/%s", url.bucket, url.key);
        }
    }
    *out = rc == 0 ? hr_buf_detach(&path) : NULL;
    hr_url_release(&url);
    hr_buf_release(&path);
    return rc == 0 && *out == NULL ? hr_fail(err, HR_E_NOMEM, "could not allocate the state") : rc;
}

static int local_open(const struct hr_state_conf *conf, void **out, struct hr_state_names *names,
                      struct hr_error *err) {
    struct local *l = hr_calloc(1, sizeof(*l));
    if (l == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate the state");
    }
    l->lock_fd = l->ledger_fd = -1;
    const int rc = plain_path(conf->path, &l->path, err);
    if (rc != 0) {
        local_close(l);
        return rc;
    }
    l->journal = hr_file_beside(l->path, ".journal");
    l->ledger = hr_file_beside(l->path, ".ledger");
    l->lock = hr_file_beside(l->path, ".lock");
    if (l->journal == NULL || l->ledger == NULL || l->lock == NULL) {
        local_close(l);
        return hr_fail(err, HR_E_NOMEM, "could not allocate the state");
    }
    *names = (struct hr_state_names){l->path, l->journal, l->ledger};
    *out = l;
    return 0;
}

/* What a run that died left half written; the names are ours alone while the lock is held. */
static void sweep_temporaries(const struct local *l) {
    const char *const names[] = {l->path, l->journal};
    for (size_t i = 0; i < 2; i++) {
        char *name = hr_file_beside(names[i], ".tmp");
        if (name != NULL) {
            (void)unlink(name);
        }
        hr_free(name);
    }
}

static int local_claim(void *self, struct hr_error *err) {
    struct local *l = self;
    l->lock_fd = open(l->lock, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    int rc = 0;
    if (l->lock_fd < 0) {
        rc = hr_fail_errno(err, errno, "could not open the lock '%s'", l->lock);
    } else if (flock(l->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        rc =
            hr_fail(err, HR_E_LOCKED, "could not start: another run holds the state '%s'", l->path);
        hr_error_hint(err, "wait for it to end, or give this pipeline a state file of its own");
    }
    if (rc == 0) {
        sweep_temporaries(l);
    }
    return rc;
}

static bool is_blank(struct hr_slice text) {
    size_t i = 0;
    while (i < text.len && memchr(" \t\r\n", text.ptr[i], 4) != NULL) {
        i++;
    }
    return i == text.len;
}

static int local_read(void *self, struct hr_buf *out, struct hr_error *err) {
    const struct local *l = self;
    struct stat st;
    const int rc = hr_file_read(l->path, out, err);
    if (rc != 0 || !is_blank(hr_buf_slice(out)) || stat(l->lock, &st) != 0 || st.st_size == 0) {
        return rc;
    }
    hr_fail(err, HR_E_STATE, "could not use the state '%s': it is empty, but was not before",
            l->path);
    hr_error_object(err, l->path);
    hr_error_hint(err, "restore it from a backup; to load everything again remove it");
    return HR_E_STATE;
}

/* The first document is there. Without this mark only the check above is lost. */
static void mark_written(const struct local *l) {
    struct stat st;
    static const char mark[] = "written\n";
    if (fstat(l->lock_fd, &st) == 0 && st.st_size == 0 &&
        write(l->lock_fd, mark, sizeof(mark) - 1) < 0) {
        hr_log(HR_LOG_DEBUG, "could not mark '%s'", l->lock);
    }
}

static int local_read_journal(void *self, struct hr_buf *out, struct hr_error *err) {
    return hr_file_read(((struct local *)self)->journal, out, err);
}

static int local_read_ledger(void *self, struct hr_buf *out, struct hr_error *err) {
    return hr_file_read(((struct local *)self)->ledger, out, err);
}

/* Somebody may write the file without taking the lock: what is not ours is not overwritten. */
static int local_write(void *self, struct hr_slice text, const char *prior, struct hr_error *err) {
    const struct local *l = self;
    struct hr_buf now;
    char hash[33];
    hr_buf_init(&now, HR_STATE_MAX);
    const int rc = hr_file_read(l->path, &now, err);
    hr_state_hash(hr_buf_slice(&now), hash);
    hr_buf_release(&now);
    if (rc < 0) {
        return rc;
    }
    if (strcmp(hash, prior) != 0) {
        return hr_state_changed(l->path, err);
    }
    const int replaced = hr_file_replace(l->path, text, err);
    if (replaced == 0) {
        mark_written(l);
    }
    return replaced;
}

static int local_write_journal(void *self, struct hr_slice bytes, struct hr_error *err) {
    return hr_file_replace(((struct local *)self)->journal, bytes, err);
}

static int local_add_ledger(void *self, struct hr_slice line, struct hr_error *err) {
    struct local *l = self;
    if (l->ledger_fd < 0) {
        l->ledger_fd = open(l->ledger, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
        const int rc = l->ledger_fd < 0
                           ? hr_fail_errno(err, errno, "could not open the ledger '%s'", l->ledger)
                           : hr_file_sync_folder_of(l->ledger, err);
        if (rc != 0) {
            return rc;
        }
    }
    return hr_file_append(l->ledger_fd, line, l->ledger, err);
}

static int local_drop(void *self, bool journal, bool ledger, struct hr_error *err) {
    struct local *l = self;
    int rc = journal ? hr_file_remove(l->journal, err) : 0;
    if (ledger && l->ledger_fd >= 0) {
        close(l->ledger_fd);
        l->ledger_fd = -1;
    }
    return rc == 0 && ledger ? hr_file_remove(l->ledger, err) : rc;
}

const struct hr_state_backend hr_state_local = {
    .open = local_open,
    .claim = local_claim,
    .read = local_read,
    .read_journal = local_read_journal,
    .read_ledger = local_read_ledger,
    .write = local_write,
    .write_journal = local_write_journal,
    .add_ledger = local_add_ledger,
    .drop = local_drop,
    .close = local_close,
};
