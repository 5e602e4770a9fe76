/* io/upload.c - bytes collected into parts and sent in the background.
 *
 * One part is being filled, up to `parts_in_flight` are on their way. A part waits for budget only
 * while another of this upload is on its way (which will come back), so an upload always moves on.
 * For local stores a part is written by the caller's own thread, from the caller's own memory when
 * it brings a whole part at once. */
#include "io/io.h"

#include <pthread.h>

#include "base/hash.h"
#include "base/mem.h"
#include "io/budget.h"

#define LOCAL_PART ((size_t)1 << 20)
#define MAX_PARTS 10000 /* S3's limit */

struct up_part {
    struct hr_store_req req;
    struct hr_upload_out *up;
    uint8_t *buf;
    size_t len;
    struct up_part *next;
};

struct hr_upload_out {
    struct hr_out base; /* first */
    struct hr_store *store;
    struct hr_budget *budget;
    char *key, *upload_id;
    size_t part_size;
    int in_flight_max;
    bool local, finished;
    struct up_part *filling;
    int64_t offset; /* of the part being filled */
    uint64_t crc;   /* of the bytes before it */
    int numbered;   /* parts made so far */

    pthread_mutex_t lock; /* below it: */
    pthread_cond_t cond;
    int in_flight;
    struct up_part *idle;
    struct hr_part *parts;
    size_t n_parts, cap_parts;
    int rc; /* first failure */
    struct hr_error err;
};

static int up_write(struct hr_out *out, const void *ptr, size_t len, struct hr_error *err);

/* Closing the out only stops writing; the upload is closed by hr_upload_close. */
static void up_out_close(struct hr_out *out) {
    (void)out;
}

static const struct hr_out_ops up_ops = {.write = up_write, .close = up_out_close};

static int no_memory(const struct hr_upload_out *up, struct hr_error *err) {
    hr_fail(err, HR_E_NOMEM, "could not write '%s': out of memory", up->key);
    return HR_E_NOMEM;
}

int hr_upload_open(struct hr_store *store, struct hr_budget *budget, const char *key,
                   const char *upload_id, size_t part_size, int parts_in_flight,
                   struct hr_upload_out **out, struct hr_error *err) {
    *out = NULL;
    struct hr_upload_out *up = hr_calloc(1, sizeof(*up));
    if (up == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not write '%s': out of memory", key);
    }
    pthread_mutex_init(&up->lock, NULL);
    pthread_cond_init(&up->cond, NULL);
    up->base.ops = &up_ops;
    up->store = store;
    up->budget = budget;
    up->local = (store->caps & HR_CAP_LOCAL) != 0;
    up->part_size = part_size ? part_size : (size_t)8 << 20;
    if (up->local && up->part_size > LOCAL_PART) {
        up->part_size = LOCAL_PART;
    }
    up->in_flight_max = parts_in_flight > 0 ? parts_in_flight : 4;
    up->key = hr_strdup(key);
    up->upload_id = hr_strdup(upload_id);
    if (up->key == NULL || up->upload_id == NULL) {
        hr_upload_close(up);
        return hr_fail(err, HR_E_NOMEM, "could not write '%s': out of memory", key);
    }
    *out = up;
    return 0;
}

struct hr_out *hr_upload_as_out(struct hr_upload_out *up) {
    return &up->base;
}

static void give_buffer(struct hr_upload_out *up, struct up_part *part) {
    if (part->buf != NULL) {
        hr_big_free(part->buf);
        hr_budget_give(up->budget, up->part_size);
        part->buf = NULL;
    }
}

/* On the I/O thread, or inline for local stores. */
static void part_done(struct hr_store_req *req) {
    struct up_part *part = req->user;
    struct hr_upload_out *up = part->up;
    pthread_mutex_lock(&up->lock);
    if (req->rc != 0 && up->rc == 0) {
        up->rc = req->rc;
        up->err = req->err;
    } else if (req->rc == 0) {
        memcpy(up->parts[req->part_number - 1].etag, req->info.etag, sizeof(req->info.etag));
    }
    give_buffer(up, part);
    part->next = up->idle;
    up->idle = part;
    up->in_flight--;
    pthread_cond_signal(&up->cond);
    pthread_mutex_unlock(&up->lock);
}

/* A numbered slot in the list of parts; waits for a free place in flight. */
static int enter_part(struct hr_upload_out *up, size_t len, struct hr_error *err) {
    int rc = 0;
    if (up->numbered == MAX_PARTS && !up->local) {
        rc = hr_fail(err, HR_E_BOUND, "could not write '%s': it needs more than %d parts", up->key,
                     MAX_PARTS);
        hr_error_hint(err, "set part_size_mb higher or max_file_size_mb lower");
        return rc;
    }
    pthread_mutex_lock(&up->lock);
    while (up->in_flight >= up->in_flight_max && up->rc == 0) {
        pthread_cond_wait(&up->cond, &up->lock);
    }
    if (up->rc != 0) {
        rc = up->rc;
        if (err != NULL) {
            *err = up->err;
        }
    } else if (up->n_parts == up->cap_parts) {
        size_t cap = up->cap_parts ? up->cap_parts * 2 : 16;
        struct hr_part *parts = hr_reallocarray(up->parts, cap, sizeof(*parts));
        if (parts == NULL) {
            rc = no_memory(up, err);
        } else {
            up->parts = parts;
            up->cap_parts = cap;
        }
    }
    if (rc == 0) {
        up->parts[up->n_parts++] = (struct hr_part){.number = ++up->numbered, .size = (int64_t)len};
        up->in_flight++;
    }
    pthread_mutex_unlock(&up->lock);
    return rc;
}

/* Takes an idle part, or makes one. Its buffer is the caller's matter. */
static struct up_part *take_part(struct hr_upload_out *up) {
    pthread_mutex_lock(&up->lock);
    struct up_part *part = up->idle;
    if (part != NULL) {
        up->idle = part->next;
    }
    pthread_mutex_unlock(&up->lock);
    if (part == NULL && (part = hr_calloc(1, sizeof(*part))) != NULL) {
        part->up = up;
    }
    return part;
}

static void put_back(struct hr_upload_out *up, struct up_part *part) {
    pthread_mutex_lock(&up->lock);
    give_buffer(up, part);
    part->next = up->idle;
    up->idle = part;
    pthread_mutex_unlock(&up->lock);
}

/* Sends len bytes at ptr as the next part; the part object is taken over. */
static int send_part(struct hr_upload_out *up, struct up_part *part, const uint8_t *ptr, size_t len,
                     struct hr_error *err) {
    int rc = enter_part(up, len, err);
    if (rc != 0) {
        put_back(up, part);
        return rc;
    }
    part->req = (struct hr_store_req){
        .kind = HR_REQ_PART,
        .key = up->key,
        .upload_id = up->upload_id,
        .part_number = up->numbered,
        .part_offset = up->offset,
        .buf = (uint8_t *)(uintptr_t)ptr, /* a part's buffer is only read */
        .len = (int64_t)len,
        .done = part_done,
        .user = part,
    };
    up->offset += (int64_t)len;
    up->crc = hr_crc64nvme(up->crc, ptr, len);
    up->store->driver->submit(up->store, &part->req);
    if (!up->local) {
        return 0;
    }
    pthread_mutex_lock(&up->lock);
    rc = up->rc;
    if (rc != 0 && err != NULL) {
        *err = up->err;
    }
    pthread_mutex_unlock(&up->lock);
    return rc;
}

/* A part to fill. Waits for budget only while parts of ours are on their way. */
static int begin_part(struct hr_upload_out *up, struct hr_error *err) {
    struct up_part *part = take_part(up);
    if (part == NULL) {
        return no_memory(up, err);
    }
    bool got = hr_budget_try(up->budget, up->part_size);
    while (!got) {
        pthread_mutex_lock(&up->lock);
        int before = up->in_flight;
        while (before > 0 && up->in_flight == before) {
            pthread_cond_wait(&up->cond, &up->lock);
        }
        pthread_mutex_unlock(&up->lock);
        got = hr_budget_try(up->budget, up->part_size);
        if (!got && before == 0) {
            hr_budget_force(up->budget, up->part_size);
            got = true;
        }
    }
    size_t cap;
    part->len = 0;
    part->buf = hr_big_alloc(up->part_size, &cap);
    if (part->buf == NULL) {
        hr_budget_give(up->budget, up->part_size);
        put_back(up, part);
        return no_memory(up, err);
    }
    up->filling = part;
    return 0;
}

static int up_write(struct hr_out *out, const void *ptr, size_t len, struct hr_error *err) {
    struct hr_upload_out *up = (struct hr_upload_out *)(void *)out;
    const uint8_t *p = ptr;
    int rc = 0;
    while (len > 0 && rc == 0) {
        if (up->local && up->filling == NULL && len >= up->part_size) {
            struct up_part *part = take_part(up);
            rc = part ? send_part(up, part, p, len, err) : no_memory(up, err);
            return rc;
        }
        if (up->filling == NULL && (rc = begin_part(up, err)) != 0) {
            break;
        }
        struct up_part *part = up->filling;
        size_t n = up->part_size - part->len < len ? up->part_size - part->len : len;
        memcpy(part->buf + part->len, p, n);
        part->len += n;
        p += n;
        len -= n;
        if (part->len == up->part_size) {
            up->filling = NULL;
            rc = send_part(up, part, part->buf, part->len, err);
        }
    }
    return rc;
}

int hr_upload_finish(struct hr_upload_out *up, const struct hr_part **parts, size_t *n_parts,
                     int64_t *bytes, struct hr_error *err) {
    int rc = 0;
    if (up->filling == NULL && up->numbered == 0) {
        rc = begin_part(up, err); /* an empty object is one empty part */
    }
    if (rc == 0 && up->filling != NULL) {
        struct up_part *part = up->filling;
        up->filling = NULL;
        rc = send_part(up, part, part->buf, part->len, err);
    }
    pthread_mutex_lock(&up->lock);
    while (up->in_flight > 0) {
        pthread_cond_wait(&up->cond, &up->lock);
    }
    if (rc == 0 && up->rc != 0) {
        rc = up->rc;
        if (err != NULL) {
            *err = up->err;
        }
    }
    pthread_mutex_unlock(&up->lock);
    *parts = up->parts;
    *n_parts = up->n_parts;
    *bytes = up->offset;
    return rc;
}

uint64_t hr_upload_crc64(const struct hr_upload_out *up) {
    return up->crc;
}

void hr_upload_close(struct hr_upload_out *up) {
    if (up == NULL) {
        return;
    }
    pthread_mutex_lock(&up->lock);
    while (up->in_flight > 0) {
        pthread_cond_wait(&up->cond, &up->lock);
    }
    pthread_mutex_unlock(&up->lock);
    if (up->filling != NULL) {
        put_back(up, up->filling);
    }
    while (up->idle != NULL) {
        struct up_part *part = up->idle;
        up->idle = part->next;
        hr_free(part);
    }
    pthread_cond_destroy(&up->cond);
    pthread_mutex_destroy(&up->lock);
    hr_free(up->parts);
    hr_free(up->key);
    hr_free(up->upload_id);
    hr_free(up);
}
