/* store/stdio/stdio_store.c - standard input and output as a bucket with the one object "-".
 *
 * Reading: any range, any number of times (stdio_input.c). Writing: one upload whose parts come in
 * order and are written at once; what was written cannot be taken back, so abort only stops. */
#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/time.h"
#include "store/page.h"
#include "store/stdio/stdio_input.h"

struct stdio_store {
    struct hr_store base; /* first */
    struct hr_stdio_input input;
    pthread_mutex_t lock; /* below it: */
    int64_t written;
    struct hr_store_counters counters;
};

static struct stdio_store *stdio_of(struct hr_store *store) {
    return (struct stdio_store *)(void *)store;
}

static int refuse(struct hr_error *err, const char *what) {
    return hr_fail(err, HR_E_UNSUPPORTED, "could not %s: standard input and output are streams",
                   what);
}

static int stdio_list(struct hr_store *store, const struct hr_list_query *q,
                      struct hr_list_page *page, struct hr_error *err) {
    struct hr_object_info info;
    const char *after = q->token ? q->token : q->start_after;
    int rc = hr_page_begin(page, 0, err);
    if (rc == 0 && (after == NULL || strcmp(after, "-") < 0) &&
        (q->prefix == NULL || strncmp("-", q->prefix, strlen(q->prefix)) == 0)) {
        rc = hr_stdio_input_stat(&stdio_of(store)->input, &info, err);
        rc = rc == 0 ? hr_page_add(page, "-", 1, false, &info, err) : rc;
    }
    return rc ? rc : hr_page_finish(page, NULL, 0, err);
}

static int stdio_stat(struct hr_store *store, const char *key, struct hr_object_info *out,
                      struct hr_meta *meta_out, struct hr_error *err) {
    (void)key;
    if (meta_out != NULL) {
        meta_out->value = NULL;
    }
    return hr_stdio_input_stat(&stdio_of(store)->input, out, err);
}

static int write_some(struct stdio_store *s, struct hr_store_req *req) {
    if (req->part_offset != s->written) {
        return refuse(&req->err, "write standard output out of order");
    }
    int64_t done = 0;
    while (done < req->len) {
        ssize_t n = write(STDOUT_FILENO, req->buf + done, (size_t)(req->len - done));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return hr_fail_errno(&req->err, errno, "could not write to standard output");
        }
        done += n;
    }
    s->written += done;
    s->counters.part++;
    s->counters.bytes_out += (uint64_t)done;
    return 0;
}

static void stdio_submit(struct hr_store *store, struct hr_store_req *req) {
    struct stdio_store *s = stdio_of(store);
    hr_error_clear(&req->err);
    req->got = 0;
    if (req->kind == HR_REQ_GET) {
        req->rc = hr_stdio_input_read(&s->input, req);
    }
    pthread_mutex_lock(&s->lock);
    if (req->kind == HR_REQ_GET) {
        s->counters.get++;
        s->counters.bytes_in += (uint64_t)req->got;
    } else if (atomic_load(&s->input.cancelled)) {
        req->rc = hr_fail(&req->err, HR_E_CANCELLED, "could not use '-': interrupted");
    } else {
        req->rc = write_some(s, req);
    }
    pthread_mutex_unlock(&s->lock);
    req->done(req);
}

static void stdio_cancel(struct hr_store *store) {
    hr_stdio_input_cancel(&stdio_of(store)->input);
}

static int stdio_put(struct hr_store *store, const char *key, struct hr_slice body,
                     const struct hr_put_opts *opts, char etag_out[80], struct hr_error *err) {
    (void)opts;
    struct stdio_store *s = stdio_of(store);
    struct hr_store_req *req = hr_calloc(1, sizeof(*req));
    if (req == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not write to standard output: out of memory");
    }
    req->kind = HR_REQ_PART;
    req->key = key;
    req->buf = (uint8_t *)(uintptr_t)body.ptr; /* only read from */
    req->len = (int64_t)body.len;
    pthread_mutex_lock(&s->lock);
    req->part_offset = s->written;
    pthread_mutex_unlock(&s->lock);
    int rc = hr_store_run(store, req);
    if (rc != 0 && err != NULL) {
        *err = req->err;
    }
    if (etag_out != NULL) {
        etag_out[0] = '\0';
    }
    hr_free(req);
    return rc;
}

static int stdio_remove(struct hr_store *store, const char *key, struct hr_error *err) {
    (void)store;
    (void)key;
    return refuse(err, "remove '-'");
}

static int stdio_mp_create(struct hr_store *store, const char *key, const struct hr_put_opts *opts,
                           char **out_upload_id, struct hr_error *err) {
    (void)store;
    (void)key;
    (void)opts;
    *out_upload_id = hr_strdup("-");
    return *out_upload_id
               ? 0
               : hr_fail(err, HR_E_NOMEM, "could not write to standard output: out of memory");
}

static int stdio_mp_complete(struct hr_store *store, const char *key, const char *upload_id,
                             const struct hr_part *parts, size_t n_parts,
                             const struct hr_put_opts *opts, char etag_out[80],
                             struct hr_error *err) {
    (void)store;
    (void)key;
    (void)upload_id;
    (void)parts;
    (void)n_parts;
    (void)opts;
    (void)err;
    if (etag_out != NULL) {
        etag_out[0] = '\0';
    }
    return 0;
}

static int stdio_mp_abort(struct hr_store *store, const char *key, const char *upload_id,
                          struct hr_error *err) {
    (void)store;
    (void)key;
    (void)upload_id;
    (void)err;
    return 0;
}

static int stdio_mp_list(struct hr_store *store, const char *prefix,
                         int (*each)(void *user, const struct hr_upload *upload), void *user,
                         struct hr_error *err) {
    (void)store;
    (void)prefix;
    (void)each;
    (void)user;
    (void)err;
    return 0; /* nothing of a stream survives its program */
}

static int64_t stdio_clock(struct hr_store *store) {
    (void)store;
    return hr_now_micros();
}

static void stdio_counters(struct hr_store *store, struct hr_store_counters *out) {
    struct stdio_store *s = stdio_of(store);
    pthread_mutex_lock(&s->lock);
    *out = s->counters;
    pthread_mutex_unlock(&s->lock);
}

static void stdio_close(struct hr_store *store) {
    struct stdio_store *s = stdio_of(store);
    hr_stdio_input_close(&s->input);
    pthread_mutex_destroy(&s->lock);
    hr_free(s->base.label);
    hr_free(s);
}

static int stdio_open(const struct hr_store_conf *conf, struct hr_store **out,
                      struct hr_error *err) {
    struct stdio_store *s = hr_calloc(1, sizeof(*s));
    if (s == NULL || (s->base.label = hr_strdup("standard input")) == NULL) {
        hr_free(s);
        return hr_fail(err, HR_E_NOMEM, "could not open standard input and output: out of memory");
    }
    const int rc = hr_stdio_input_open(&s->input, conf, err);
    if (rc != 0) {
        hr_free(s->base.label);
        hr_free(s);
        return rc;
    }
    s->base.driver = &hr_store_stdio;
    s->base.caps = HR_CAP_RANGE | HR_CAP_MULTIPART | HR_CAP_ORDERED | HR_CAP_LOCAL;
    s->base.refs = 1;
    pthread_mutex_init(&s->lock, NULL);
    *out = &s->base;
    return 0;
}

static const char *const stdio_schemes[] = {"stdio", "-", NULL};

const struct hr_store_driver hr_store_stdio = {
    .name = "stdio",
    .schemes = stdio_schemes,
    .open = stdio_open,
    .close = stdio_close,
    .list = stdio_list,
    .stat = stdio_stat,
    .submit = stdio_submit,
    .cancel = stdio_cancel,
    .put = stdio_put,
    .remove = stdio_remove,
    .mp_create = stdio_mp_create,
    .mp_complete = stdio_mp_complete,
    .mp_abort = stdio_mp_abort,
    .mp_list = stdio_mp_list,
    .clock_us = stdio_clock,
    .counters = stdio_counters,
};
