/* store/local/local.c - a folder as a bucket: opening it, reading files, facts about them.
 *
 * Reads happen inline in submit: a page-cache read costs no round trip, so no thread and no queue
 * would help. Reading follows symbolic links (they are the user's own); writing never does. */
#include "store/local/local.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/time.h"

void hr_local_count(struct local_store *s, uint64_t *counter, uint64_t n) {
    pthread_mutex_lock(&s->lock);
    *counter += n;
    pthread_mutex_unlock(&s->lock);
}

void hr_local_info(const struct stat *st, struct hr_object_info *out) {
    int64_t mtime = (int64_t)st->st_mtim.tv_sec * 1000000 + st->st_mtim.tv_nsec / 1000;
    int64_t ctime = (int64_t)st->st_ctim.tv_sec * 1000000 + st->st_ctim.tv_nsec / 1000;
    out->size = st->st_size;
    out->mtime_us = mtime > ctime ? mtime : ctime;
    uint64_t ns = (uint64_t)st->st_mtim.tv_sec * 1000000000u + (uint64_t)st->st_mtim.tv_nsec;
    snprintf(out->etag, sizeof(out->etag), "%" PRIx64 "-%" PRIx64 "-%" PRIx64,
             (uint64_t)st->st_size, ns, (uint64_t)st->st_ino);
}

static int open_root(struct local_store *s, bool read_only, struct hr_error *err) {
    s->root = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->root < 0 && errno == ENOENT && !read_only) {
        int rc = hr_local_make_root(s->path, err);
        if (rc != 0) {
            return rc;
        }
        s->root = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    if (s->root >= 0) {
        return 0;
    }
    int e = errno;
    if (e == ENOENT) {
        hr_fail(err, HR_E_NO_BUCKET, "could not open folder '%s': it does not exist", s->path);
        hr_error_hint(err, "check the path; a relative one starts at the current folder, in a "
                           "config file at the folder of that file");
        return HR_E_NO_BUCKET;
    }
    if (e == ENOTDIR) {
        hr_fail(err, HR_E_NO_BUCKET, "could not open folder '%s': it is not a folder", s->path);
        hr_error_hint(err, "name the folder that holds the file");
        return HR_E_NO_BUCKET;
    }
    return hr_fail_errno(err, e, "could not open folder '%s'", s->path);
}

static void local_close(struct hr_store *store) {
    struct local_store *s = local_of(store);
    for (size_t i = 0; i < LOCAL_IDLE_WALKS; i++) {
        hr_local_walk_free(s->idle[i]);
    }
    if (s->root >= 0) {
        close(s->root);
    }
    pthread_mutex_destroy(&s->lock);
    hr_free(s->base.label);
    hr_free(s->path);
    hr_free(s);
}

static int local_open(const struct hr_store_conf *conf, struct hr_store **out,
                      struct hr_error *err) {
    if (conf->bucket == NULL || conf->bucket[0] == '\0') {
        return hr_fail(err, HR_E_CONFIG, "could not open a folder: none is named");
    }
    struct local_store *s = hr_calloc(1, sizeof(*s));
    if (s == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not open folder '%s': out of memory", conf->bucket);
    }
    pthread_mutex_init(&s->lock, NULL);
    s->root = -1;
    s->base.driver = &hr_store_local;
    s->base.caps = HR_CAP_RANGE | HR_CAP_MULTIPART | HR_CAP_COND_PUT | HR_CAP_ORDERED |
                   HR_CAP_START_AFTER | HR_CAP_LOCAL;
    s->base.refs = 1;
    struct hr_buf label;
    hr_buf_init(&label, 0);
    s->path = hr_strdup(conf->bucket);
    int rc = s->path ? hr_buf_printf(&label, err, "file:%s", s->path)
                     : hr_fail(err, HR_E_NOMEM, "could not open a folder: out of memory");
    if (rc == 0) {
        s->base.label = hr_buf_detach(&label);
        rc = s->base.label ? open_root(s, conf->read_only, err)
                           : hr_fail(err, HR_E_NOMEM, "could not open a folder: out of memory");
    }
    hr_buf_release(&label);
    if (rc != 0) {
        local_close(&s->base);
        return rc;
    }
    *out = &s->base;
    return 0;
}

/* A regular file open for reading; non-blocking, so that a pipe in the folder cannot hang us. */
static int open_file(struct local_store *s, const char *key, struct stat *st,
                     struct hr_error *err) {
    int rc = hr_local_check_key(key, HR_E_NO_OBJECT, err);
    if (rc != 0) {
        return rc;
    }
    int fd = openat(s->root, key, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        rc = hr_fail_errno(err, errno == ENOTDIR ? ENOENT : errno, "could not open '%s' in %s", key,
                           s->base.label);
    } else if (fstat(fd, st) != 0) {
        rc = hr_fail_errno(err, errno, "could not read '%s' in %s", key, s->base.label);
    } else if (!S_ISREG(st->st_mode)) {
        rc = hr_fail(err, HR_E_NO_OBJECT, "could not open '%s' in %s: it is not a regular file",
                     key, s->base.label);
        hr_error_hint(err, "pipes and devices are read as '-', from standard input");
    } else {
        return fd;
    }
    hr_error_object(err, key);
    if (fd >= 0) {
        close(fd);
    }
    return rc;
}

static int pread_all(int fd, uint8_t *buf, int64_t offset, int64_t len, int64_t *got) {
    *got = 0;
    while (*got < len) {
        ssize_t n = pread(fd, buf + *got, (size_t)(len - *got), offset + *got);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return errno;
        }
        if (n == 0) {
            break;
        }
        *got += n;
    }
    return 0;
}

static int changed(const struct hr_store_req *req, const char *now, struct hr_error *err) {
    hr_fail(err, HR_E_CHANGED, "could not read '%s': the file changed while it was read", req->key);
    hr_error_detail(err, "version %s was expected, %s is there", req->if_match ? req->if_match : "",
                    now);
    hr_error_object(err, req->key);
    return HR_E_CHANGED;
}

static int read_range(struct local_store *s, struct hr_store_req *req) {
    struct stat st;
    int fd = open_file(s, req->key, &st, &req->err);
    if (fd < 0) {
        return fd;
    }
    int rc = 0;
    struct hr_object_info after;
    hr_local_info(&st, &req->info);
    if (req->if_match != NULL && strcmp(req->if_match, req->info.etag) != 0) {
        rc = changed(req, req->info.etag, &req->err);
        goto out;
    }
    int64_t offset = req->offset;
    if (offset < 0) {
        offset = st.st_size > req->len ? st.st_size - req->len : 0;
    }
    int e = pread_all(fd, req->buf, offset, req->len, &req->got);
    if (e != 0) {
        rc = hr_fail_errno(&req->err, e, "could not read '%s' in %s", req->key, s->base.label);
        hr_error_place(&req->err, offset + req->got, -1, NULL);
        hr_error_object(&req->err, req->key);
        goto out;
    }
    /* Written to while we read: the bytes may be a mixture. */
    if (fstat(fd, &st) == 0) {
        hr_local_info(&st, &after);
        if (strcmp(after.etag, req->info.etag) != 0) {
            rc = changed(req, after.etag, &req->err);
        }
    }
out:
    close(fd);
    return rc;
}

static void local_submit(struct hr_store *store, struct hr_store_req *req) {
    struct local_store *s = local_of(store);
    hr_error_clear(&req->err);
    req->got = 0;
    if (atomic_load_explicit(&s->cancelled, memory_order_relaxed)) {
        req->rc = hr_fail(&req->err, HR_E_CANCELLED, "could not use '%s': interrupted", req->key);
    } else if (req->kind == HR_REQ_PART) {
        req->rc = hr_local_write_part(s, req);
    } else {
        req->rc = read_range(s, req);
        pthread_mutex_lock(&s->lock);
        s->counters.get++;
        s->counters.bytes_in += (uint64_t)req->got;
        pthread_mutex_unlock(&s->lock);
    }
    req->done(req);
}

static void local_cancel(struct hr_store *store) {
    atomic_store(&local_of(store)->cancelled, true);
}

static int local_stat(struct hr_store *store, const char *key, struct hr_object_info *out,
                      struct hr_meta *meta_out, struct hr_error *err) {
    struct local_store *s = local_of(store);
    struct stat st;
    if (meta_out != NULL) {
        meta_out->value = NULL; /* files carry no metadata; a published name is the proof here */
    }
    hr_local_count(s, &s->counters.head, 1);
    int fd = open_file(s, key, &st, err);
    if (fd < 0) {
        return fd;
    }
    close(fd);
    hr_local_info(&st, out);
    return 0;
}

static int64_t local_clock(struct hr_store *store) {
    (void)store;
    return hr_now_micros();
}

static void local_counters(struct hr_store *store, struct hr_store_counters *out) {
    struct local_store *s = local_of(store);
    pthread_mutex_lock(&s->lock);
    *out = s->counters;
    pthread_mutex_unlock(&s->lock);
}

static const char *const local_schemes[] = {"file", "local", NULL};

const struct hr_store_driver hr_store_local = {
    .name = "local",
    .schemes = local_schemes,
    .open = local_open,
    .close = local_close,
    .list = hr_local_list,
    .stat = local_stat,
    .submit = local_submit,
    .cancel = local_cancel,
    .put = hr_local_put,
    .remove = hr_local_remove,
    .mp_create = hr_local_mp_create,
    .mp_complete = hr_local_mp_complete,
    .mp_abort = hr_local_mp_abort,
    .mp_sync = hr_local_mp_sync,
    .mp_list = hr_local_mp_list,
    .clock_us = local_clock,
    .counters = local_counters,
};
