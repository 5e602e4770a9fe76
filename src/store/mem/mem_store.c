/* store/mem/mem_store.c - buckets in memory, for tests.
 *
 * Objects live in one sorted array under one mutex; bytes are copied in and out under it. With a
 * delay set, requests are answered by one thread from a queue, so that code written for remote
 * stores meets real asynchrony without a network. */
#include "store/mem/mem_store.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "base/time.h"
#include "store/page.h"

struct object {
    char *key;
    uint8_t *data;
    struct hr_object_info info;
    char *token; /* metadata headrace-commit */
};

struct upload {
    char *key, *id, *token;
    int64_t initiated_us;
    uint8_t *data;
    size_t size;
    struct upload *next;
};

struct instance {
    char *name;
    pthread_mutex_t lock;
    struct object *objects;
    size_t count, cap;
    struct upload *uploads;
    uint64_t serial; /* of ETags and upload ids */
    struct hr_mem_world world;
    struct instance *next;
};

struct mem_store {
    struct hr_store base; /* first */
    struct instance *in;
    pthread_mutex_t lock; /* below it: */
    pthread_cond_t cond;
    struct hr_store_counters counters;
    hr_mem_fault_fn fault;
    void *fault_user;
    int64_t clock_us, delay_us;
    bool cancelled, stop, threaded;
    struct hr_store_req *head, **tail;
    pthread_t thread;
};

static pthread_mutex_t all_lock = PTHREAD_MUTEX_INITIALIZER;
static struct instance *all;

static struct mem_store *mem_of(struct hr_store *store) {
    return (struct mem_store *)(void *)store;
}

static void object_release(struct object *o) {
    hr_free(o->key);
    hr_free(o->data);
    hr_free(o->token);
}

static void upload_free(struct upload *u) {
    hr_free(u->key);
    hr_free(u->id);
    hr_free(u->token);
    hr_free(u->data);
    hr_free(u);
}

static struct instance *instance_get(const char *name) {
    pthread_mutex_lock(&all_lock);
    struct instance *in = all;
    while (in != NULL && strcmp(in->name, name) != 0) {
        in = in->next;
    }
    if (in == NULL && (in = hr_calloc(1, sizeof(*in))) != NULL) {
        in->name = hr_strdup(name);
        if (in->name == NULL) {
            hr_free(in);
            in = NULL;
        } else {
            pthread_mutex_init(&in->lock, NULL);
            in->world.clock_us = -1;
            in->next = all;
            all = in;
        }
    }
    pthread_mutex_unlock(&all_lock);
    return in;
}

void hr_mem_store_drop(const char *name) {
    pthread_mutex_lock(&all_lock);
    struct instance **link = &all;
    while (*link != NULL && strcmp((*link)->name, name) != 0) {
        link = &(*link)->next;
    }
    struct instance *in = *link;
    if (in != NULL) {
        *link = in->next;
    }
    pthread_mutex_unlock(&all_lock);
    if (in == NULL) {
        return;
    }
    for (size_t i = 0; i < in->count; i++) {
        object_release(&in->objects[i]);
    }
    while (in->uploads != NULL) {
        struct upload *u = in->uploads;
        in->uploads = u->next;
        upload_free(u);
    }
    pthread_mutex_destroy(&in->lock);
    hr_free(in->objects);
    hr_free(in->name);
    hr_free(in);
}

/* Position of the first object whose key is not below `key`; *found: it is that key. */
static size_t lower_bound(const struct instance *in, const char *key, bool *found) {
    size_t low = 0;
    size_t high = in->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (strcmp(in->objects[mid].key, key) < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    *found = low < in->count && strcmp(in->objects[low].key, key) == 0;
    return low;
}

static int64_t now_of(struct mem_store *s) {
    pthread_mutex_lock(&s->lock);
    int64_t now = s->clock_us;
    pthread_mutex_unlock(&s->lock);
    pthread_mutex_lock(&s->in->lock);
    now = now >= 0 ? now : s->in->world.clock_us;
    pthread_mutex_unlock(&s->in->lock);
    return now >= 0 ? now : hr_now_micros();
}

static struct hr_mem_world world_of(struct mem_store *s) {
    pthread_mutex_lock(&s->in->lock);
    const struct hr_mem_world world = s->in->world;
    pthread_mutex_unlock(&s->in->lock);
    return world;
}

/* Cancellation, then the fault hooks; counts the call. */
static int enter(struct mem_store *s, enum hr_mem_op op, const char *key, uint64_t *counter,
                 struct hr_error *err) {
    pthread_mutex_lock(&s->lock);
    bool cancelled = s->cancelled;
    hr_mem_fault_fn fault = s->fault;
    void *user = s->fault_user;
    (*counter)++;
    pthread_mutex_unlock(&s->lock);
    if (cancelled) {
        return hr_fail(err, HR_E_CANCELLED, "could not use '%s': interrupted", key);
    }
    const int rc = fault ? fault(user, op, key, err) : 0;
    const struct hr_mem_world world = world_of(s);
    return rc == 0 && world.before ? world.before(world.user, op, key, err) : rc;
}

/* What was changed is changed; the caller may not be told. */
static int leave(struct mem_store *s, enum hr_mem_op op, const char *key, int rc,
                 struct hr_error *err) {
    const struct hr_mem_world world = world_of(s);
    return rc == 0 && world.after ? world.after(world.user, op, key, err) : rc;
}

static int missing(const struct mem_store *s, const char *key, struct hr_error *err) {
    hr_fail(err, HR_E_NO_OBJECT, "could not find '%s' in %s", key, s->base.label);
    hr_error_object(err, key);
    return HR_E_NO_OBJECT;
}

static int no_memory(struct hr_error *err, const char *key) {
    return hr_fail(err, HR_E_NOMEM, "could not store '%s': out of memory", key);
}

/* ---- reading -------------------------------------------------------------------------------- */

static int mem_list(struct hr_store *store, const struct hr_list_query *q,
                    struct hr_list_page *page, struct hr_error *err) {
    struct mem_store *s = mem_of(store);
    struct instance *in = s->in;
    const char *prefix = q->prefix ? q->prefix : "";
    const char *delim = q->delimiter && q->delimiter[0] ? q->delimiter : NULL;
    const char *after = q->token ? q->token + 1 : q->start_after;
    size_t want = q->page_size > 0 ? (size_t)q->page_size : 1000;
    size_t prefix_len = strlen(prefix);
    int rc = enter(s, HR_MEM_LIST, prefix, &s->counters.list, err);
    rc = rc ? rc : hr_page_begin(page, 0, err);
    if (rc != 0) {
        return rc;
    }
    struct hr_buf token;
    bool found;
    hr_buf_init(&token, 0);
    pthread_mutex_lock(&in->lock);
    size_t i = lower_bound(in, prefix, &found);
    if (after != NULL && strcmp(after, prefix) >= 0) {
        i = lower_bound(in, after, &found);
        i += found;
        if (q->token && q->token[0] == 'p') { /* behind a common prefix */
            size_t n = strlen(after);
            while (i < in->count && strncmp(in->objects[i].key, after, n) == 0) {
                i++;
            }
        }
    }
    bool more = false;
    while (rc == 0 && i < in->count && strncmp(in->objects[i].key, prefix, prefix_len) == 0) {
        if (page->count == want) {
            more = true;
            break;
        }
        const struct object *o = &in->objects[i++];
        const char *cut = delim ? strstr(o->key + prefix_len, delim) : NULL;
        size_t len = cut ? (size_t)(cut - o->key) + strlen(delim) : strlen(o->key);
        struct hr_object_info none = {0};
        rc = hr_page_add(page, o->key, len, cut != NULL, cut ? &none : &o->info, err);
        hr_buf_clear(&token);
        rc = rc ? rc : hr_buf_printf(&token, err, "%c%.*s", cut ? 'p' : 'k', (int)len, o->key);
        while (cut != NULL && i < in->count && strncmp(in->objects[i].key, o->key, len) == 0) {
            i++;
        }
    }
    pthread_mutex_unlock(&in->lock);
    if (rc == 0) {
        rc = hr_page_finish(page, more ? hr_buf_cstr(&token) : NULL, token.len, err);
    }
    hr_buf_release(&token);
    return rc;
}

static int mem_stat(struct hr_store *store, const char *key, struct hr_object_info *out,
                    struct hr_meta *meta_out, struct hr_error *err) {
    struct mem_store *s = mem_of(store);
    bool found;
    if (meta_out != NULL) {
        meta_out->value = NULL;
    }
    int rc = enter(s, HR_MEM_STAT, key, &s->counters.head, err);
    if (rc != 0) {
        return rc;
    }
    pthread_mutex_lock(&s->in->lock);
    size_t at = lower_bound(s->in, key, &found);
    if (!found) {
        rc = missing(s, key, err);
    } else {
        const struct object *o = &s->in->objects[at];
        *out = o->info;
        if (meta_out != NULL && o->token != NULL &&
            strcmp(meta_out->name, "headrace-commit") == 0) {
            meta_out->value = hr_strdup(o->token);
            rc = meta_out->value ? 0 : no_memory(err, key);
        }
    }
    pthread_mutex_unlock(&s->in->lock);
    return rc;
}

static int read_object(struct mem_store *s, struct hr_store_req *req) {
    bool found;
    int rc = enter(s, HR_MEM_GET, req->key, &s->counters.get, &req->err);
    if (rc != 0) {
        return rc;
    }
    pthread_mutex_lock(&s->in->lock);
    size_t at = lower_bound(s->in, req->key, &found);
    if (!found) {
        rc = missing(s, req->key, &req->err);
        goto out;
    }
    const struct object *o = &s->in->objects[at];
    if (req->if_match != NULL && strcmp(req->if_match, o->info.etag) != 0) {
        rc = hr_fail(&req->err, HR_E_CHANGED, "could not read '%s': the object was replaced",
                     req->key);
        hr_error_object(&req->err, req->key);
        goto out;
    }
    int64_t offset = req->offset;
    if (offset < 0) {
        offset = o->info.size > req->len ? o->info.size - req->len : 0;
    }
    int64_t n = offset < o->info.size ? o->info.size - offset : 0;
    n = n < req->len ? n : req->len;
    if (n > 0) {
        memcpy(req->buf, o->data + offset, (size_t)n);
    }
    req->got = n;
    req->info = o->info;
out:
    pthread_mutex_unlock(&s->in->lock);
    pthread_mutex_lock(&s->lock);
    s->counters.bytes_in += (uint64_t)req->got;
    pthread_mutex_unlock(&s->lock);
    return rc;
}

/* ---- writing -------------------------------------------------------------------------------- */

/* Puts an object under its key, taking data and token over on success. Called with in->lock. */
static int insert(struct mem_store *s, const char *key, uint8_t *data, size_t size, char *token,
                  int64_t now, const struct hr_put_opts *opts, char etag_out[80],
                  struct hr_error *err) {
    struct instance *in = s->in;
    bool found;
    size_t at = lower_bound(in, key, &found);
    enum hr_put_cond cond = opts ? opts->cond : HR_PUT_ANY;
    if (cond == HR_PUT_NEW && found) {
        hr_fail(err, HR_E_EXISTS, "could not create '%s' in %s: it already exists", key,
                s->base.label);
        hr_error_object(err, key);
        return HR_E_EXISTS;
    }
    if (cond == HR_PUT_MATCH &&
        (!found || strcmp(in->objects[at].info.etag, opts->etag ? opts->etag : "") != 0)) {
        hr_fail(err, HR_E_CHANGED, "could not replace '%s' in %s: it is not the version expected",
                key, s->base.label);
        hr_error_object(err, key);
        return HR_E_CHANGED;
    }
    if (!found) {
        char *name = hr_strdup(key);
        if (name == NULL) {
            return no_memory(err, key);
        }
        if (in->count == in->cap) {
            size_t cap = in->cap ? in->cap * 2 : 16;
            struct object *grown = hr_reallocarray(in->objects, cap, sizeof(*grown));
            if (grown == NULL) {
                hr_free(name);
                return no_memory(err, key);
            }
            in->objects = grown;
            in->cap = cap;
        }
        memmove(&in->objects[at + 1], &in->objects[at], (in->count - at) * sizeof(struct object));
        in->count++;
        in->objects[at] = (struct object){.key = name};
    }
    struct object *o = &in->objects[at];
    hr_free(o->data);
    hr_free(o->token);
    o->data = data;
    o->token = token;
    o->info.size = (int64_t)size;
    o->info.mtime_us = now;
    snprintf(o->info.etag, sizeof(o->info.etag), "m%" PRIu64, ++in->serial);
    if (etag_out != NULL) {
        memcpy(etag_out, o->info.etag, 80);
    }
    return 0;
}

/* A copy of the metadata we keep; *out NULL when there is none. */
static int copy_token(const struct hr_put_opts *opts, char **out) {
    *out = NULL;
    for (size_t i = 0; opts != NULL && i < opts->n_meta; i++) {
        if (strcmp(opts->meta[i].name, "headrace-commit") == 0 && *out == NULL) {
            *out = hr_strdup(opts->meta[i].value);
            return *out ? 0 : HR_E_NOMEM;
        }
    }
    return 0;
}

static int mem_put(struct hr_store *store, const char *key, struct hr_slice body,
                   const struct hr_put_opts *opts, char etag_out[80], struct hr_error *err) {
    struct mem_store *s = mem_of(store);
    char *token = NULL;
    int rc = enter(s, HR_MEM_PUT, key, &s->counters.put, err);
    if (rc != 0) {
        return rc;
    }
    uint8_t *data = hr_malloc(body.len);
    if (data == NULL || copy_token(opts, &token) != 0) {
        hr_free(data);
        return no_memory(err, key);
    }
    if (body.len > 0) {
        memcpy(data, body.ptr, body.len);
    }
    int64_t now = now_of(s);
    pthread_mutex_lock(&s->in->lock);
    rc = insert(s, key, data, body.len, token, now, opts, etag_out, err);
    pthread_mutex_unlock(&s->in->lock);
    if (rc != 0) {
        hr_free(data);
        hr_free(token);
    }
    pthread_mutex_lock(&s->lock);
    s->counters.bytes_out += body.len;
    pthread_mutex_unlock(&s->lock);
    return leave(s, HR_MEM_PUT, key, rc, err);
}

static int mem_remove(struct hr_store *store, const char *key, struct hr_error *err) {
    struct mem_store *s = mem_of(store);
    bool found;
    int rc = enter(s, HR_MEM_REMOVE, key, &s->counters.remove, err);
    if (rc != 0) {
        return rc;
    }
    pthread_mutex_lock(&s->in->lock);
    size_t at = lower_bound(s->in, key, &found);
    if (found) {
        object_release(&s->in->objects[at]);
        s->in->count--;
        memmove(&s->in->objects[at], &s->in->objects[at + 1],
                (s->in->count - at) * sizeof(struct object));
    }
    pthread_mutex_unlock(&s->in->lock);
    return leave(s, HR_MEM_REMOVE, key, 0, err);
}

static int mem_mp_create(struct hr_store *store, const char *key, const struct hr_put_opts *opts,
                         char **out_upload_id, struct hr_error *err) {
    struct mem_store *s = mem_of(store);
    char id[40];
    *out_upload_id = NULL;
    int rc = enter(s, HR_MEM_CREATE, key, &s->counters.create, err);
    if (rc != 0) {
        return rc;
    }
    struct upload *u = hr_calloc(1, sizeof(*u));
    if (u == NULL) {
        return no_memory(err, key);
    }
    u->initiated_us = now_of(s);
    pthread_mutex_lock(&s->in->lock);
    snprintf(id, sizeof(id), "u%" PRIu64, ++s->in->serial);
    u->key = hr_strdup(key);
    u->id = hr_strdup(id);
    *out_upload_id = hr_strdup(id);
    if (u->key == NULL || u->id == NULL || *out_upload_id == NULL ||
        copy_token(opts, &u->token) != 0) {
        upload_free(u);
        rc = no_memory(err, key);
    } else {
        u->next = s->in->uploads;
        s->in->uploads = u;
    }
    pthread_mutex_unlock(&s->in->lock);
    rc = leave(s, HR_MEM_CREATE, key, rc, err);
    if (rc != 0) {
        hr_free(*out_upload_id);
        *out_upload_id = NULL;
    }
    return rc;
}

/* The link that points to an upload, NULL: none such. Called with in->lock. */
static struct upload **find_upload(struct instance *in, const char *key, const char *id) {
    for (struct upload **link = &in->uploads; *link != NULL; link = &(*link)->next) {
        if (strcmp((*link)->id, id) == 0 && strcmp((*link)->key, key) == 0) {
            return link;
        }
    }
    return NULL;
}

static int no_upload(const struct mem_store *s, const char *key, const char *id,
                     struct hr_error *err) {
    hr_fail(err, HR_E_NO_OBJECT, "could not find upload '%s' of '%s' in %s", id, key,
            s->base.label);
    hr_error_object(err, key);
    return HR_E_NO_OBJECT;
}

static int write_part(struct mem_store *s, struct hr_store_req *req) {
    int rc = enter(s, HR_MEM_PART, req->key, &s->counters.part, &req->err);
    if (rc != 0) {
        return rc;
    }
    size_t end = (size_t)(req->part_offset + req->len);
    pthread_mutex_lock(&s->in->lock);
    struct upload **link = find_upload(s->in, req->key, req->upload_id);
    if (link == NULL) {
        rc = no_upload(s, req->key, req->upload_id, &req->err);
    } else {
        struct upload *u = *link;
        if (end > u->size) {
            uint8_t *data = hr_realloc(u->data, end);
            if (data == NULL) {
                rc = no_memory(&req->err, req->key);
            } else {
                memset(data + u->size, 0, end - u->size);
                u->data = data;
                u->size = end;
            }
        }
        if (rc == 0 && req->len > 0) {
            memcpy(u->data + req->part_offset, req->buf, (size_t)req->len);
        }
        snprintf(req->info.etag, sizeof(req->info.etag), "part%d", req->part_number);
    }
    pthread_mutex_unlock(&s->in->lock);
    pthread_mutex_lock(&s->lock);
    s->counters.bytes_out += (uint64_t)req->len;
    pthread_mutex_unlock(&s->lock);
    return leave(s, HR_MEM_PART, req->key, rc, &req->err);
}

static int mem_mp_complete(struct hr_store *store, const char *key, const char *upload_id,
                           const struct hr_part *parts, size_t n_parts,
                           const struct hr_put_opts *opts, char etag_out[80],
                           struct hr_error *err) {
    struct mem_store *s = mem_of(store);
    int64_t want = 0;
    int rc = enter(s, HR_MEM_COMPLETE, key, &s->counters.complete, err);
    if (rc != 0) {
        return rc;
    }
    for (size_t i = 0; i < n_parts; i++) {
        want += parts[i].size;
    }
    pthread_mutex_lock(&s->in->lock);
    struct upload **link = find_upload(s->in, key, upload_id);
    if (link == NULL) {
        rc = no_upload(s, key, upload_id, err);
    } else if ((int64_t)(*link)->size != want) {
        rc = hr_fail(err, HR_E_STORE, "could not complete '%s': parts are missing", key);
    } else {
        struct upload *u = *link;
        rc = insert(s, key, u->data, u->size, u->token, u->initiated_us, opts, etag_out, err);
        if (rc == 0) {
            *link = u->next;
            u->data = NULL;
            u->token = NULL;
            upload_free(u);
        }
    }
    pthread_mutex_unlock(&s->in->lock);
    return leave(s, HR_MEM_COMPLETE, key, rc, err);
}

static int mem_mp_abort(struct hr_store *store, const char *key, const char *upload_id,
                        struct hr_error *err) {
    struct mem_store *s = mem_of(store);
    int rc = enter(s, HR_MEM_ABORT, key, &s->counters.abort, err);
    if (rc != 0) {
        return rc;
    }
    pthread_mutex_lock(&s->in->lock);
    struct upload **link = find_upload(s->in, key, upload_id);
    if (link != NULL) {
        struct upload *u = *link;
        *link = u->next;
        upload_free(u);
    }
    pthread_mutex_unlock(&s->in->lock);
    return leave(s, HR_MEM_ABORT, key, 0, err);
}

static int mem_mp_list(struct hr_store *store, const char *prefix,
                       int (*each)(void *user, const struct hr_upload *upload), void *user,
                       struct hr_error *err) {
    struct mem_store *s = mem_of(store);
    prefix = prefix ? prefix : "";
    int rc = enter(s, HR_MEM_UPLOADS, prefix, &s->counters.list, err);
    for (size_t skip = 0; rc == 0; skip++) {
        /* One at a time, so that `each` may call the store. */
        size_t i = 0;
        char *key = NULL;
        char *id = NULL;
        struct hr_upload up = {0};
        pthread_mutex_lock(&s->in->lock);
        for (struct upload *u = s->in->uploads; u != NULL; u = u->next) {
            if (strncmp(u->key, prefix, strlen(prefix)) == 0 && i++ == skip) {
                key = hr_strdup(u->key);
                id = hr_strdup(u->id);
                up = (struct hr_upload){key, id, u->initiated_us};
                rc = key && id ? 0 : no_memory(err, u->key);
                break;
            }
        }
        pthread_mutex_unlock(&s->in->lock);
        bool end = key == NULL && rc == 0;
        if (rc == 0 && !end) {
            rc = each(user, &up);
        }
        hr_free(key);
        hr_free(id);
        if (end) {
            break;
        }
    }
    return rc;
}

/* ---- requests, life ------------------------------------------------------------------------- */

static void answer(struct mem_store *s, struct hr_store_req *req) {
    hr_error_clear(&req->err);
    req->got = 0;
    req->rc = req->kind == HR_REQ_PART ? write_part(s, req) : read_object(s, req);
    req->done(req);
}

static void *serve(void *arg) {
    struct mem_store *s = arg;
    pthread_mutex_lock(&s->lock);
    for (;;) {
        while (s->head == NULL && !s->stop) {
            pthread_cond_wait(&s->cond, &s->lock);
        }
        struct hr_store_req *req = s->head;
        if (req == NULL) {
            break;
        }
        s->head = req->next;
        if (s->head == NULL) {
            s->tail = &s->head;
        }
        struct timespec nap = {s->delay_us / 1000000, s->delay_us % 1000000 * 1000};
        pthread_mutex_unlock(&s->lock);
        nanosleep(&nap, NULL);
        answer(s, req);
        pthread_mutex_lock(&s->lock);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

static void mem_submit(struct hr_store *store, struct hr_store_req *req) {
    struct mem_store *s = mem_of(store);
    if (!s->threaded) {
        answer(s, req);
        return;
    }
    pthread_mutex_lock(&s->lock);
    req->next = NULL;
    *s->tail = req;
    s->tail = &req->next;
    pthread_cond_signal(&s->cond);
    pthread_mutex_unlock(&s->lock);
}

static void mem_cancel(struct hr_store *store) {
    struct mem_store *s = mem_of(store);
    pthread_mutex_lock(&s->lock);
    s->cancelled = true;
    pthread_mutex_unlock(&s->lock);
}

static int64_t mem_clock(struct hr_store *store) {
    return now_of(mem_of(store));
}

static void mem_counters(struct hr_store *store, struct hr_store_counters *out) {
    struct mem_store *s = mem_of(store);
    pthread_mutex_lock(&s->lock);
    *out = s->counters;
    pthread_mutex_unlock(&s->lock);
}

static void mem_close(struct hr_store *store) {
    struct mem_store *s = mem_of(store);
    if (s->threaded) {
        pthread_mutex_lock(&s->lock);
        s->stop = true;
        pthread_cond_signal(&s->cond);
        pthread_mutex_unlock(&s->lock);
        pthread_join(s->thread, NULL);
    }
    pthread_cond_destroy(&s->cond);
    pthread_mutex_destroy(&s->lock);
    hr_free(s->base.label);
    hr_free(s);
}

static int mem_open(const struct hr_store_conf *conf, struct hr_store **out, struct hr_error *err) {
    const char *name = conf->bucket ? conf->bucket : "";
    struct hr_buf label;
    hr_buf_init(&label, 0);
    struct mem_store *s = hr_calloc(1, sizeof(*s));
    if (s == NULL || hr_buf_printf(&label, err, "mem:%s", name) != 0 ||
        (s->in = instance_get(name)) == NULL) {
        hr_free(s);
        hr_buf_release(&label);
        return hr_fail(err, HR_E_NOMEM, "could not open mem:%s: out of memory", name);
    }
    s->base.driver = &hr_store_mem;
    s->base.caps = HR_CAP_RANGE | HR_CAP_MULTIPART | HR_CAP_COND_PUT | HR_CAP_ORDERED |
                   HR_CAP_START_AFTER | HR_CAP_LOCAL;
    s->base.refs = 1;
    s->base.label = hr_buf_detach(&label);
    s->clock_us = -1;
    s->tail = &s->head;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->cond, NULL);
    if (s->base.label == NULL) {
        mem_close(&s->base);
        return hr_fail(err, HR_E_NOMEM, "could not open mem:%s: out of memory", name);
    }
    *out = &s->base;
    return 0;
}

void hr_mem_store_fault(struct hr_store *store, hr_mem_fault_fn fn, void *user) {
    struct mem_store *s = mem_of(store);
    pthread_mutex_lock(&s->lock);
    s->fault = fn;
    s->fault_user = user;
    pthread_mutex_unlock(&s->lock);
}

int hr_mem_store_world(const char *name, const struct hr_mem_world *world) {
    struct instance *in = instance_get(name);
    if (in == NULL) {
        return HR_E_NOMEM;
    }
    pthread_mutex_lock(&in->lock);
    in->world = *world;
    pthread_mutex_unlock(&in->lock);
    return 0;
}

void hr_mem_store_clock(struct hr_store *store, int64_t micros) {
    struct mem_store *s = mem_of(store);
    pthread_mutex_lock(&s->lock);
    s->clock_us = micros;
    pthread_mutex_unlock(&s->lock);
}

void hr_mem_store_without(struct hr_store *store, unsigned caps) {
    store->caps &= ~caps;
}

int hr_mem_store_delay(struct hr_store *store, int64_t micros) {
    struct mem_store *s = mem_of(store);
    s->delay_us = micros;
    s->base.caps &= ~(unsigned)HR_CAP_LOCAL;
    s->threaded = pthread_create(&s->thread, NULL, serve, s) == 0;
    return s->threaded ? 0 : HR_E_NOMEM;
}

static const char *const mem_schemes[] = {"mem", NULL};

const struct hr_store_driver hr_store_mem = {
    .name = "mem",
    .schemes = mem_schemes,
    .open = mem_open,
    .close = mem_close,
    .list = mem_list,
    .stat = mem_stat,
    .submit = mem_submit,
    .cancel = mem_cancel,
    .put = mem_put,
    .remove = mem_remove,
    .mp_create = mem_mp_create,
    .mp_complete = mem_mp_complete,
    .mp_abort = mem_mp_abort,
    .mp_list = mem_mp_list,
    .clock_us = mem_clock,
    .counters = mem_counters,
};
