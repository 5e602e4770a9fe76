/* store/local/local_write.c - files that appear whole or not at all.
 *
 * Everything is written to a hidden name beside the target, ".NAME.TOKEN.RANDOM.tmp", synced, and
 * renamed; the folder is synced after. TOKEN is "put", or comes from the metadata headrace-commit
 * (LINEAGE-SEQ-INDEX-nonce), so that a later run finds the leftovers of a dead one by its lineage.
 * The hidden name is the upload id of a multipart upload; parts are written at their offset by any
 * number of threads. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "store/local/local.h"

#include "base/fault.h"
#include "base/mem.h"

#define NAME_ROOM 256
#define TOKEN_MAX 120

static int write_failed(struct hr_error *err, int errnum, const struct local_store *s,
                        const char *key) {
    int rc = hr_fail_errno(err, errnum, "could not write '%s' in %s", key, s->base.label);
    if (rc == HR_E_NOSPACE) {
        hr_error_hint(err,
                      "free space on the file system of '%s', or choose another destination; "
                      "nothing was left half-written under the final name",
                      s->path);
    }
    hr_error_object(err, key);
    return rc;
}

static int pwrite_all(int fd, const uint8_t *ptr, size_t len, int64_t offset) {
    if (hr_fault_no_space()) {
        return errno;
    }
    while (len > 0) {
        ssize_t n = pwrite(fd, ptr, len, offset);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return errno;
        }
        ptr += n;
        len -= (size_t)n;
        offset += n;
    }
    return 0;
}

static int sync_fd(int fd) {
    hr_fault_point();
    const int rc = hr_fault_no_space() ? -1 : fsync(fd);
    hr_fault_point();
    return rc;
}

/* ".NAME.TOKEN.RANDOM.tmp"; a NAME too long for that is cut. */
static void temporary_name(const char *name, const char *token, char out[NAME_ROOM]) {
    uint32_t salt = 0;
    char clean[TOKEN_MAX + 1];
    size_t n = 0;
    for (; token[n] != '\0' && n < TOKEN_MAX; n++) {
        char c = token[n];
        bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                     c == '_' || c == '-';
        clean[n] = plain ? c : '-';
    }
    clean[n] = '\0';
    if (getrandom(&salt, sizeof(salt), 0) != sizeof(salt)) {
        salt = (uint32_t)getpid();
    }
    int room = (int)(255 - (1 + 1 + n + 1 + 8 + 4));
    snprintf(out, NAME_ROOM, ".%.*s.%s.%08" PRIx32 ".tmp", room, name, clean, salt);
}

size_t hr_local_upload_name(const char *name) {
    size_t len = strlen(name);
    if (len < 16 || name[0] != '.' || strcmp(name + len - 4, ".tmp") != 0) {
        return 0;
    }
    size_t at = len - 4 - 9; /* the dot before RANDOM */
    if (name[at] != '.' || strspn(name + at + 1, "0123456789abcdef") != 8) {
        return 0;
    }
    while (at > 1 && name[at - 1] != '.') {
        at--;
    }
    return at > 2 ? at - 2 : 0;
}

/* Makes the hidden file; -> its descriptor, or an error code. */
static int create_temporary(const struct local_store *s, int parent, const char *key,
                            const char *name, const char *token, char out[NAME_ROOM],
                            struct hr_error *err) {
    for (int i = 0;; i++) {
        temporary_name(name, token, out);
        int fd = openat(parent, out, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
        if (fd >= 0) {
            return fd;
        }
        if (errno != EEXIST || i == 8) {
            return write_failed(err, errno, s, key);
        }
    }
}

static int rename_new(int parent, const char *from, const char *to) {
#if defined(SYS_renameat2)
    if (syscall(SYS_renameat2, parent, from, parent, to, 1 /* RENAME_NOREPLACE */) == 0) {
        return 0;
    }
    if (errno != ENOSYS && errno != EINVAL) {
        return -1;
    }
#endif
    /* A hard link does not replace either. */
    return linkat(parent, from, parent, to, 0) == 0 ? unlinkat(parent, from, 0) : -1;
}

static int check_match(const struct local_store *s, int parent, const char *name, const char *key,
                       const char *etag, struct hr_error *err) {
    struct stat st;
    struct hr_object_info now = {.etag = ""};
    if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        hr_local_info(&st, &now);
        if (etag != NULL && strcmp(now.etag, etag) == 0) {
            return 0;
        }
    }
    hr_fail(err, HR_E_CHANGED, "could not replace '%s' in %s: it is not the version expected", key,
            s->base.label);
    hr_error_object(err, key);
    return HR_E_CHANGED;
}

/* Gives the synced hidden file its final name, durably. */
static int publish(const struct local_store *s, int parent, const char *hidden, const char *name,
                   const char *key, const struct hr_put_opts *opts, struct hr_error *err) {
    enum hr_put_cond cond = opts ? opts->cond : HR_PUT_ANY;
    if (cond == HR_PUT_MATCH) {
        int rc = check_match(s, parent, name, key, opts->etag, err);
        if (rc != 0) {
            return rc;
        }
    }
    int done = cond == HR_PUT_NEW ? rename_new(parent, hidden, name)
                                  : renameat(parent, hidden, parent, name);
    if (done != 0 && errno == EEXIST) {
        hr_fail(err, HR_E_EXISTS, "could not create '%s' in %s: it already exists", key,
                s->base.label);
        hr_error_object(err, key);
        return HR_E_EXISTS;
    }
    if (done != 0 || sync_fd(parent) != 0) {
        return write_failed(err, errno, s, key);
    }
    return 0;
}

static int stat_etag(const struct local_store *s, int fd, const char *key, char etag_out[80],
                     struct hr_error *err) {
    struct stat st;
    struct hr_object_info info;
    if (etag_out == NULL) {
        return 0;
    }
    if (fstat(fd, &st) != 0) {
        return write_failed(err, errno, s, key);
    }
    hr_local_info(&st, &info);
    memcpy(etag_out, info.etag, 80);
    return 0;
}

static int cancelled(const struct local_store *s, const char *key, struct hr_error *err) {
    return atomic_load(&s->cancelled)
               ? hr_fail(err, HR_E_CANCELLED, "could not use '%s': interrupted", key)
               : 0;
}

int hr_local_put(struct hr_store *store, const char *key, struct hr_slice body,
                 const struct hr_put_opts *opts, char etag_out[80], struct hr_error *err) {
    struct local_store *s = local_of(store);
    const char *name;
    char hidden[NAME_ROOM];
    int rc = cancelled(s, key, err);
    if (rc != 0) {
        return rc;
    }
    int parent = hr_local_open_parent(s, key, true, &name, err);
    if (parent < 0) {
        return parent;
    }
    int fd = create_temporary(s, parent, key, name, "put", hidden, err);
    if (fd < 0) {
        close(parent);
        return fd;
    }
    int e = pwrite_all(fd, body.ptr, body.len, 0);
    if (e == 0 && sync_fd(fd) != 0) {
        e = errno;
    }
    rc = e ? write_failed(err, e, s, key) : publish(s, parent, hidden, name, key, opts, err);
    if (rc == 0) {
        rc = stat_etag(s, fd, key, etag_out, err);
    } else {
        unlinkat(parent, hidden, 0);
    }
    close(fd);
    close(parent);
    hr_local_count(s, &s->counters.put, 1);
    hr_local_count(s, &s->counters.bytes_out, body.len);
    return rc;
}

int hr_local_remove(struct hr_store *store, const char *key, struct hr_error *err) {
    struct local_store *s = local_of(store);
    const char *name;
    int rc = cancelled(s, key, err);
    if (rc != 0) {
        return rc;
    }
    hr_local_count(s, &s->counters.remove, 1);
    int parent = hr_local_open_parent(s, key, false, &name, err);
    if (parent == HR_E_NO_OBJECT) {
        hr_error_clear(err);
        return 0; /* no such folder: gone already */
    }
    if (parent < 0) {
        return parent;
    }
    if (unlinkat(parent, name, 0) != 0 && errno != ENOENT) {
        rc = hr_fail_errno(err, errno, "could not remove '%s' from %s", key, s->base.label);
        hr_error_object(err, key);
    } else if (sync_fd(parent) != 0) {
        rc = hr_fail_errno(err, errno, "could not remove '%s' from %s", key, s->base.label);
    }
    close(parent);
    return rc;
}

/* ---- multipart ------------------------------------------------------------------------------ */

int hr_local_mp_create(struct hr_store *store, const char *key, const struct hr_put_opts *opts,
                       char **out_upload_id, struct hr_error *err) {
    struct local_store *s = local_of(store);
    const char *name;
    const char *token = "upload";
    char hidden[NAME_ROOM];
    int rc = cancelled(s, key, err);
    *out_upload_id = NULL;
    if (rc != 0) {
        return rc;
    }
    for (size_t i = 0; opts != NULL && i < opts->n_meta; i++) {
        if (strcmp(opts->meta[i].name, "headrace-commit") == 0) {
            token = opts->meta[i].value;
        }
    }
    hr_local_count(s, &s->counters.create, 1);
    int parent = hr_local_open_parent(s, key, true, &name, err);
    if (parent < 0) {
        return parent;
    }
    int fd = create_temporary(s, parent, key, name, token, hidden, err);
    if (fd < 0) {
        rc = fd;
    } else {
        close(fd);
        *out_upload_id = hr_strdup(hidden);
        if (*out_upload_id == NULL) {
            unlinkat(parent, hidden, 0);
            rc = hr_fail(err, HR_E_NOMEM, "could not write '%s': out of memory", key);
        }
    }
    close(parent);
    return rc;
}

/* The hidden file of an upload: its folder in *out_parent, the result its descriptor. */
static int open_upload(struct local_store *s, const char *key, const char *upload_id,
                       int *out_parent, const char **out_name, struct hr_error *err) {
    if (hr_local_upload_name(upload_id) == 0 || strchr(upload_id, '/') != NULL) {
        return hr_fail(err, HR_E_NO_OBJECT, "could not find the upload of '%s': '%s' is not one",
                       key, upload_id);
    }
    int parent = hr_local_open_parent(s, key, false, out_name, err);
    if (parent < 0) {
        return parent;
    }
    int fd = openat(parent, upload_id, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        const int e = errno;
        /* A run that died may have renamed it without syncing the folder. */
        if (e == ENOENT) {
            (void)sync_fd(parent);
        }
        fd = hr_fail_errno(err, e, "could not find the upload of '%s' in %s ('%s')", key,
                           s->base.label, upload_id);
        hr_error_object(err, key);
        close(parent);
        return fd;
    }
    *out_parent = parent;
    return fd;
}

int hr_local_write_part(struct local_store *s, struct hr_store_req *req) {
    int parent;
    const char *name;
    int fd = open_upload(s, req->key, req->upload_id, &parent, &name, &req->err);
    if (fd < 0) {
        return fd;
    }
    int e = pwrite_all(fd, req->buf, (size_t)req->len, req->part_offset);
    close(parent);
    if (close(fd) != 0 && e == 0) { /* network file systems tell of a full disk here */
        e = errno;
    }
    pthread_mutex_lock(&s->lock);
    s->counters.part++;
    s->counters.bytes_out += (uint64_t)req->len;
    pthread_mutex_unlock(&s->lock);
    if (e != 0) {
        return write_failed(&req->err, e, s, req->key);
    }
    snprintf(req->info.etag, sizeof(req->info.etag), "%d-%" PRIx64, req->part_number,
             (uint64_t)req->len);
    return 0;
}

static int check_size(const struct local_store *s, int fd, const char *key,
                      const struct hr_part *parts, size_t n_parts, struct hr_error *err) {
    struct stat st;
    int64_t want = 0;
    for (size_t i = 0; i < n_parts; i++) {
        want += parts[i].size;
    }
    if (fstat(fd, &st) != 0) {
        return write_failed(err, errno, s, key);
    }
    if (st.st_size != want) {
        hr_fail(err, HR_E_STORE,
                "could not complete '%s' in %s: the file has %" PRId64 " bytes, its parts %" PRId64,
                key, s->base.label, (int64_t)st.st_size, want);
        hr_error_object(err, key);
        return HR_E_STORE;
    }
    return 0;
}

int hr_local_mp_complete(struct hr_store *store, const char *key, const char *upload_id,
                         const struct hr_part *parts, size_t n_parts,
                         const struct hr_put_opts *opts, char etag_out[80], struct hr_error *err) {
    struct local_store *s = local_of(store);
    int parent;
    const char *name;
    int rc = cancelled(s, key, err);
    if (rc != 0) {
        return rc;
    }
    hr_local_count(s, &s->counters.complete, 1);
    int fd = open_upload(s, key, upload_id, &parent, &name, err);
    if (fd < 0) {
        return fd;
    }
    rc = check_size(s, fd, key, parts, n_parts, err);
    if (rc == 0 && sync_fd(fd) != 0) {
        rc = write_failed(err, errno, s, key);
    }
    if (rc == 0) {
        rc = publish(s, parent, upload_id, name, key, opts, err);
    }
    if (rc == 0) {
        rc = stat_etag(s, fd, key, etag_out, err);
    }
    close(fd);
    close(parent);
    return rc;
}

int hr_local_mp_sync(struct hr_store *store, const char *key, const char *upload_id,
                     struct hr_error *err) {
    struct local_store *s = local_of(store);
    int parent = -1;
    const char *name;
    int fd = open_upload(s, key, upload_id, &parent, &name, err);
    if (fd < 0) {
        return fd;
    }
    int rc = sync_fd(fd) != 0 || sync_fd(parent) != 0 ? write_failed(err, errno, s, key) : 0;
    close(fd);
    close(parent);
    return rc;
}

int hr_local_mp_abort(struct hr_store *store, const char *key, const char *upload_id,
                      struct hr_error *err) {
    struct local_store *s = local_of(store);
    const char *name;
    if (hr_local_upload_name(upload_id) == 0 || strchr(upload_id, '/') != NULL) {
        return hr_fail(err, HR_E_NO_OBJECT, "could not find the upload of '%s': '%s' is not one",
                       key, upload_id);
    }
    hr_local_count(s, &s->counters.abort, 1);
    int parent = hr_local_open_parent(s, key, false, &name, err);
    if (parent == HR_E_NO_OBJECT) {
        hr_error_clear(err);
        return 0;
    }
    if (parent < 0) {
        return parent;
    }
    int rc = 0;
    if (unlinkat(parent, upload_id, 0) != 0 && errno != ENOENT) {
        rc = hr_fail_errno(err, errno, "could not remove the upload of '%s' in %s", key,
                           s->base.label);
    }
    close(parent);
    return rc;
}
