/* http/http.c - the client: a queue in front of one thread that runs curl_multi.
 *
 * The thread takes what was submitted, keeps at most `connections` transfers going, and sleeps in
 * curl_multi_poll. While every transfer has much left to receive it first pauses a little: bytes
 * pile up in the sockets, and one wake-up moves many of them, which halves the CPU a byte costs.
 * For small objects and at the end of a part it does not pause, so nothing waits for the pause. */
#include "http/http.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/gate.h"
#include "base/mem.h"
#include "base/time.h"
#include "http/transfer.h"

#define PAUSE_NS 300000                /* before a poll, while large transfers flow */
#define PAUSE_REST ((size_t)384 << 10) /* bytes every transfer must still have to come */

struct hr_http {
    struct hr_http_conf conf; /* strings owned */
    CURLM *multi;
    CURLSH *share; /* TLS sessions; only the I/O thread uses it, so it needs no locks */
    bool wide;
    pthread_t thread;
    pthread_mutex_t lock; /* below it: */
    struct hr_http_req *queue, **queue_tail;
    bool stop, cancelled, abandoning, polling;

    /* The I/O thread's own. */
    struct hr_http_req *ready, **ready_tail;
    struct hr_http_req *delayed; /* by time */
    struct transfer *active, *idle;
    int n_active;
};

/* ---- requests ------------------------------------------------------------------------------- */

void hr_http_req_init(struct hr_http_req *req, size_t text_max) {
    hr_buf_init(&req->head, HR_HTTP_HEAD_MAX);
    hr_buf_init(&req->text, text_max ? text_max : (size_t)16 << 20);
}

void hr_http_req_release(struct hr_http_req *req) {
    hr_buf_release(&req->head);
    hr_buf_release(&req->text);
}

struct hr_slice hr_http_header(const struct hr_http_req *req, const char *name) {
    const char *p = (const char *)req->head.ptr;
    const char *end = p + req->head.len;
    size_t n = strlen(name);
    while (p < end) {
        const char *line_end = memchr(p, '\n', (size_t)(end - p));
        line_end = line_end ? line_end : end;
        if ((size_t)(line_end - p) > n && p[n] == ':' && strncasecmp(p, name, n) == 0) {
            const char *v = p + n + 1;
            while (v < line_end && (*v == ' ' || *v == '\t')) {
                v++;
            }
            while (line_end > v && (line_end[-1] == '\r' || line_end[-1] == ' ')) {
                line_end--;
            }
            return hr_slice_of(v, (size_t)(line_end - v));
        }
        p = line_end + 1;
    }
    return hr_slice_of("", 0);
}

/* Every request ends here. Not under the lock: `done` may submit again. */
static void finish(struct hr_http_req *req) {
    req->done(req);
}

static void finish_cancelled(struct hr_http_req *req) {
    req->rc = hr_fail(&req->err, HR_E_CANCELLED, "a request was interrupted");
    finish(req);
}

/* ---- the I/O thread ------------------------------------------------------------------------- */

static bool is_abandoned(const struct hr_http_req *req) {
    return __atomic_load_n(&req->abandoned, __ATOMIC_ACQUIRE);
}

static void release_transfer(struct hr_http *http, struct transfer *t) {
    struct transfer **link = &http->active;
    while (*link != t) {
        link = &(*link)->next;
    }
    *link = t->next;
    http->n_active--;
    t->next = http->idle;
    http->idle = t;
}

static void start(struct hr_http *http, struct hr_http_req *req) {
    if (is_abandoned(req)) {
        finish_cancelled(req);
        return;
    }
    struct transfer *t = http->idle;
    if (t != NULL) {
        http->idle = t->next;
    } else {
        t = hr_transfer_new(&http->conf, http->share, http->wide);
    }
    if (t == NULL || hr_transfer_begin(t, req) != 0) {
        if (t != NULL) {
            t->next = http->idle;
            http->idle = t;
        }
        req->rc = hr_fail(&req->err, HR_E_NOMEM, "could not send a request: out of memory");
        finish(req);
        return;
    }
    req->slot = t;
    t->next = http->active;
    http->active = t;
    http->n_active++;
    if (curl_multi_add_handle(http->multi, t->curl) != CURLM_OK) {
        release_transfer(http, t);
        req->rc = hr_fail(&req->err, HR_E_NOMEM, "could not send a request: out of memory");
        finish(req);
    }
}

static void delay(struct hr_http *http, struct hr_http_req *req) {
    struct hr_http_req **link = &http->delayed;
    while (*link != NULL && (*link)->not_before <= req->not_before) {
        link = &(*link)->next;
    }
    req->next = *link;
    *link = req;
}

static void make_ready(struct hr_http *http, struct hr_http_req *req) {
    req->next = NULL;
    *http->ready_tail = req;
    http->ready_tail = &req->next;
}

/* Takes the queue over. Returns what was asked of the client as a whole. */
static void take_queue(struct hr_http *http, bool *stop, bool *cancelled, bool *abandoning) {
    pthread_mutex_lock(&http->lock);
    struct hr_http_req *req = http->queue;
    http->queue = NULL;
    http->queue_tail = &http->queue;
    *stop = http->stop;
    *cancelled = http->cancelled || http->stop;
    *abandoning = http->abandoning;
    http->abandoning = false;
    pthread_mutex_unlock(&http->lock);
    int64_t now = 0;
    while (req != NULL) {
        struct hr_http_req *next = req->next;
        if (req->not_before != 0 && now == 0) {
            now = hr_monotonic_nanos();
        }
        if (req->not_before > now) {
            delay(http, req);
        } else {
            make_ready(http, req);
        }
        req = next;
    }
    if (http->delayed != NULL) {
        now = hr_monotonic_nanos();
        while (http->delayed != NULL && http->delayed->not_before <= now) {
            req = http->delayed;
            http->delayed = req->next;
            make_ready(http, req);
        }
    }
}

/* Ends those in the list that are not wanted any more (all: the client was cancelled). */
static void sweep_list(struct hr_http_req **list, struct hr_http_req ***tail, bool all) {
    struct hr_http_req *gone = NULL;
    struct hr_http_req **link = list;
    while (*link != NULL) {
        struct hr_http_req *req = *link;
        if (all || is_abandoned(req)) {
            *link = req->next;
            req->next = gone;
            gone = req;
        } else {
            link = &req->next;
        }
    }
    if (tail != NULL) {
        *tail = link;
    }
    while (gone != NULL) {
        struct hr_http_req *next = gone->next;
        finish_cancelled(gone);
        gone = next;
    }
}

static void sweep(struct hr_http *http, bool all) {
    sweep_list(&http->ready, &http->ready_tail, all);
    sweep_list(&http->delayed, NULL, all);
    for (struct transfer *t = http->active; t != NULL;) {
        struct transfer *next = t->next;
        struct hr_http_req *req = t->req;
        if (all || is_abandoned(req)) {
            curl_multi_remove_handle(http->multi, t->curl);
            release_transfer(http, t);
            t->req = NULL;
            finish_cancelled(req);
        }
        t = next;
    }
}

static void collect(struct hr_http *http) {
    CURLMsg *msg;
    int left;
    while ((msg = curl_multi_info_read(http->multi, &left)) != NULL) {
        if (msg->msg != CURLMSG_DONE) {
            continue;
        }
        char *private_ = NULL;
        CURLcode code = msg->data.result;
        curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &private_);
        struct transfer *t = (struct transfer *)(void *)private_;
        struct hr_http_req *req = t->req;
        hr_transfer_end(t, code);
        curl_multi_remove_handle(http->multi, t->curl);
        release_transfer(http, t);
        finish(req);
    }
}

/* Much left to come on every connection: a pause costs nobody anything. */
static bool may_pause(const struct hr_http *http) {
    for (const struct transfer *t = http->active; t != NULL; t = t->next) {
        if (t->req->dst == NULL || t->req->dst_len - t->req->got < PAUSE_REST) {
            return false;
        }
    }
    return http->active != NULL;
}

static void wait_for_work(struct hr_http *http) {
    int timeout_ms = 1000;
    if (may_pause(http)) {
        struct timespec pause = {0, PAUSE_NS};
        nanosleep(&pause, NULL);
    }
    if (http->delayed != NULL) {
        int64_t ns = http->delayed->not_before - hr_monotonic_nanos();
        int64_t ms = ns > 0 ? ns / 1000000 + 1 : 0;
        timeout_ms = ms < timeout_ms ? (int)ms : timeout_ms;
    }
    pthread_mutex_lock(&http->lock);
    bool work = http->queue != NULL || http->stop || http->abandoning;
    http->polling = !work;
    pthread_mutex_unlock(&http->lock);
    if (!work) {
        curl_multi_poll(http->multi, NULL, 0, timeout_ms, NULL);
        pthread_mutex_lock(&http->lock);
        http->polling = false;
        pthread_mutex_unlock(&http->lock);
    }
}

static void *io_thread(void *arg) {
    struct hr_http *http = arg;
    int limit = http->conf.connections > 0 ? http->conf.connections : 16;
    for (;;) {
        bool stop;
        bool cancelled;
        bool abandoning;
        int running;
        take_queue(http, &stop, &cancelled, &abandoning);
        if (cancelled || abandoning) {
            sweep(http, cancelled);
        }
        while (http->ready != NULL && http->n_active < limit) {
            struct hr_http_req *req = http->ready;
            http->ready = req->next;
            if (http->ready == NULL) {
                http->ready_tail = &http->ready;
            }
            start(http, req);
        }
        curl_multi_perform(http->multi, &running);
        collect(http);
        if (stop && http->active == NULL && http->ready == NULL && http->delayed == NULL) {
            break;
        }
        if (http->ready == NULL || http->n_active >= limit) {
            wait_for_work(http);
        }
    }
    return NULL;
}

/* ---- from any thread ------------------------------------------------------------------------ */

static void wake(struct hr_http *http, bool polling) {
    if (polling) {
        curl_multi_wakeup(http->multi);
    }
}

void hr_http_submit(struct hr_http *http, struct hr_http_req *req) {
    hr_error_clear(&req->err);
    hr_buf_clear(&req->head);
    hr_buf_clear(&req->text);
    req->rc = 0;
    req->hopeless = false;
    req->status = 0;
    req->got = 0;
    req->connects = 0;
    req->slot = NULL;
    req->next = NULL;
    pthread_mutex_lock(&http->lock);
    *http->queue_tail = req;
    http->queue_tail = &req->next;
    bool polling = http->polling;
    http->polling = false; /* one wake-up is enough */
    pthread_mutex_unlock(&http->lock);
    wake(http, polling);
}

void hr_http_abandon(struct hr_http *http, struct hr_http_req *req) {
    __atomic_store_n(&req->abandoned, true, __ATOMIC_RELEASE);
    pthread_mutex_lock(&http->lock);
    http->abandoning = true;
    bool polling = http->polling;
    http->polling = false;
    pthread_mutex_unlock(&http->lock);
    wake(http, polling);
}

void hr_http_cancel(struct hr_http *http) {
    pthread_mutex_lock(&http->lock);
    http->cancelled = true;
    http->abandoning = true;
    bool polling = http->polling;
    http->polling = false;
    pthread_mutex_unlock(&http->lock);
    wake(http, polling);
}

static void open_gate(struct hr_http_req *req) {
    hr_gate_open(req->user);
}

int hr_http_run(struct hr_http *http, struct hr_http_req *req) {
    struct hr_gate gate;
    hr_gate_init(&gate);
    req->done = open_gate;
    req->user = &gate;
    hr_http_submit(http, req);
    hr_gate_pass(&gate);
    return req->rc;
}

/* ---- life ----------------------------------------------------------------------------------- */

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static CURLcode curl_ready;

static void init_curl(void) {
    curl_ready = curl_global_init(CURL_GLOBAL_DEFAULT);
}

static void http_release(struct hr_http *http) {
    while (http->idle != NULL) {
        struct transfer *t = http->idle;
        http->idle = t->next;
        hr_transfer_free(t);
    }
    if (http->multi != NULL) {
        curl_multi_cleanup(http->multi);
    }
    if (http->share != NULL) {
        curl_share_cleanup(http->share);
    }
    pthread_mutex_destroy(&http->lock);
    hr_free((char *)(uintptr_t)http->conf.ca_bundle);
    hr_free((char *)(uintptr_t)http->conf.proxy);
    hr_free(http);
}

/* Does the system grant the receive buffer we want? Asking for more than its limit would set one
 * smaller than it grows to by itself. */
static bool wide_buffers_granted(void) {
    char line[32] = "";
    FILE *file = fopen("/proc/sys/net/core/rmem_max", "re");
    if (file == NULL) {
        return false;
    }
    bool ok =
        fgets(line, sizeof(line), file) != NULL && strtol(line, NULL, 10) >= HR_HTTP_RECEIVE_BUFFER;
    fclose(file);
    return ok;
}

/* The I/O thread takes no signals: they are the program's business. */
static bool start_thread(struct hr_http *http) {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool ok = pthread_create(&http->thread, NULL, io_thread, http) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return ok;
}

int hr_http_new(const struct hr_http_conf *conf, struct hr_http **out, struct hr_error *err) {
    *out = NULL;
    pthread_once(&curl_once, init_curl);
    struct hr_http *http = curl_ready == CURLE_OK ? hr_calloc(1, sizeof(*http)) : NULL;
    if (http == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not start the HTTP client: out of memory");
    }
    pthread_mutex_init(&http->lock, NULL);
    http->queue_tail = &http->queue;
    http->ready_tail = &http->ready;
    http->conf = *conf;
    http->conf.ca_bundle = hr_strdup(conf->ca_bundle);
    http->conf.proxy = hr_strdup(conf->proxy);
    http->multi = curl_multi_init();
    http->share = curl_share_init();
    http->wide = wide_buffers_granted();
    bool ok = http->multi != NULL && http->share != NULL &&
              (conf->ca_bundle == NULL || http->conf.ca_bundle != NULL) &&
              (conf->proxy == NULL || http->conf.proxy != NULL);
    if (ok) {
        long keep = conf->connections > 0 ? conf->connections : 16;
        curl_share_setopt(http->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
        curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, keep);
        curl_multi_setopt(http->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
    }
    if (!ok || !start_thread(http)) {
        http_release(http);
        return hr_fail(err, HR_E_NOMEM, "could not start the HTTP client: out of memory");
    }
    *out = http;
    return 0;
}

void hr_http_free(struct hr_http *http) {
    if (http == NULL) {
        return;
    }
    pthread_mutex_lock(&http->lock);
    http->stop = true;
    pthread_mutex_unlock(&http->lock);
    curl_multi_wakeup(http->multi);
    pthread_join(http->thread, NULL);
    http_release(http);
}
