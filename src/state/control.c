/* state/control.c - claiming, renewing and changing the control object (see control.h).
 *
 *   claim ─► prove that conditions hold ─► [ledger, journal, renewals …] ─► let go
 *
 * One mutex orders the writes of the run and of the renewing thread; each names the version before
 * it. Time only decides when a silent owner may be replaced: what a stopped process still believes
 * is settled by the condition on its next write, and hr_control_hold makes it write before it goes
 * on. The owner's idea of the end of its lease lies before everybody else's: it counts from before
 * the request and keeps a tenth back, others wait a second longer.
 */
#include "state/control.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/fault.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/time.h"

#define SECOND INT64_C(1000000000)
#define TRIES 5 /* of one write; each was retried by the store before */

struct hr_control {
    struct hr_control_conf conf;
    char nonce[33];
    uint64_t claim;
    pthread_mutex_t lock; /* below it: */
    pthread_cond_t wake;
    struct hr_control_doc doc; /* as it shall be there */
    char etag[80];             /* of the version there; "": none */
    int64_t date_s, date_at;   /* the store's clock, and ours (boot_nanos) when it said so */
    bool stop;
    bool silent; /* the last write was not answered: letting go would only wait once more */
    atomic_llong deadline; /* boot_nanos until which nobody else can have taken it */
    atomic_bool lost;
    pthread_t thread;
    bool threaded;
};

/* Counts on while the machine sleeps, as the store's clock does. */
static int64_t boot_nanos(void) {
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * SECOND + now.tv_nsec;
}

static void note_date(struct hr_control *c) {
    const int64_t us = c->conf.store->driver->clock_us(c->conf.store);
    c->date_s = (us > 0 ? us : hr_now_micros()) / 1000000;
    c->date_at = boot_nanos();
}

static int taken_over(struct hr_control *c, struct hr_error *err) {
    atomic_store(&c->lost, true);
    hr_fail(err, HR_E_LOCKED, "could not go on: another run took over the state '%s'",
            c->conf.state_name);
    hr_error_hint(err,
                  "this run was silent for longer than its lease of %d s (state_lease_seconds); "
                  "nothing was published after that, and the other run goes on from here",
                  c->conf.lease_seconds);
    return HR_E_LOCKED;
}

/* ---- one write ---- */

static int fetch(struct hr_control *c, struct hr_buf *out, char etag[80], struct hr_error *err) {
    struct hr_object_info info = {0};
    int rc = HR_E_CHANGED;
    for (int i = 0; i < TRIES && rc == HR_E_CHANGED; i++) { /* replaced between two ranges */
        hr_buf_clear(out);
        rc = hr_store_get(c->conf.store, c->conf.key, 0, -1, NULL, out, &info, err);
    }
    note_date(c);
    if (rc == 0 && info.etag[0] == '\0') {
        rc = hr_fail(err, HR_E_UNSUPPORTED, "could not use '%s': the store gives no ETag",
                     c->conf.name);
    }
    memcpy(etag, info.etag, 80);
    return rc;
}

/* A write was not plainly confirmed: what stands there? 0: it. HR_MORE: an earlier version of this
 * claim (or, while it is being created, nothing). HR_END: somebody else's. */
static int settle(struct hr_control *c, struct hr_slice ours, struct hr_error *err) {
    struct hr_buf bytes;
    struct hr_control_doc doc;
    char etag[80];
    hr_buf_init(&bytes, 0);
    hr_control_doc_init(&doc);
    int rc = fetch(c, &bytes, etag, err);
    if (rc == HR_E_NO_OBJECT) {
        rc = c->etag[0] == '\0' ? HR_MORE : HR_END;
    } else if (rc == 0 && !hr_slice_eq(hr_buf_slice(&bytes), ours)) {
        rc = hr_control_decode(hr_buf_slice(&bytes), c->conf.name, &doc, err);
        if (rc == 0) {
            rc = doc.claim == c->claim && strcmp(doc.nonce, c->nonce) == 0 ? HR_MORE : HR_END;
        }
        if (rc == HR_MORE) {
            memcpy(c->etag, etag, sizeof(etag));
        }
    } else if (rc == 0) {
        memcpy(c->etag, etag, sizeof(etag));
    }
    hr_control_doc_release(&doc);
    hr_buf_release(&bytes);
    return rc;
}

static int put(const struct hr_control *c, struct hr_slice bytes, const char *etag,
               char etag_out[80], struct hr_error *err) {
    const struct hr_put_opts opts = {.cond = etag[0] ? HR_PUT_MATCH : HR_PUT_NEW, .etag = etag};
    hr_fault_point();
    const int rc =
        c->conf.store->driver->put(c->conf.store, c->conf.key, bytes, &opts, etag_out, err);
    hr_fault_point();
    return rc;
}

/* May the write have happened, or a condition have failed? */
static bool unclear(int rc) {
    return rc == HR_E_EXISTS || rc == HR_E_CHANGED || rc == HR_E_NO_OBJECT || rc == HR_E_STORE ||
           hr_code_class(rc) == HR_CLASS_TRANSIENT;
}

/* 0, HR_END (somebody else's version stands there) or an error: then nobody knows. */
static int write_bytes(struct hr_control *c, struct hr_slice bytes, struct hr_error *err) {
    for (int i = 1;; i++) {
        char etag[80] = "";
        struct hr_error unread;
        const int rc = put(c, bytes, c->etag, etag, err);
        if (rc == 0 && etag[0] != '\0') {
            note_date(c);
            memcpy(c->etag, etag, sizeof(etag));
            return 0;
        }
        if (rc != 0 && !unclear(rc)) {
            return rc;
        }
        const int found = settle(c, bytes, &unread);
        if (found == 0 || found == HR_END) {
            return found;
        }
        /* One more try where the store did not answer; a stale version may be put right often. */
        const bool silent = hr_code_class(rc) == HR_CLASS_TRANSIENT || rc == HR_E_STORE;
        if (found < 0 || i >= TRIES || (silent && i >= 2)) {
            return rc != 0 ? rc : hr_fail(err, HR_E_STORE, "could not write '%s'", c->conf.name);
        }
    }
}

/* Write c->doc, renewed. Called with the lock. HR_END: as write_bytes. */
static int write_doc(struct hr_control *c, struct hr_error *err) {
    struct hr_buf bytes;
    const int64_t asked = boot_nanos();
    hr_buf_init(&bytes, 0);
    c->doc.rev++;
    c->doc.lease_s = c->conf.lease_seconds;
    c->doc.until_s = c->date_s + (asked - c->date_at) / SECOND + c->conf.lease_seconds;
    int rc = hr_control_encode(&c->doc, &bytes, err);
    if (rc == 0) {
        rc = write_bytes(c, hr_buf_slice(&bytes), err);
    }
    c->silent = rc < 0 && hr_code_class(rc) == HR_CLASS_TRANSIENT;
    if (rc == 0) {
        atomic_store(&c->deadline, asked + c->conf.lease_seconds * SECOND / 10 * 9);
    }
    hr_buf_release(&bytes);
    return rc;
}

static int update(struct hr_control *c, struct hr_error *err) {
    if (atomic_load(&c->lost)) {
        return taken_over(c, err);
    }
    const int rc = write_doc(c, err);
    return rc == HR_END ? taken_over(c, err) : rc;
}

/* ---- claim ---- */

static int held_by_other(const struct hr_control *c, const struct hr_control_doc *doc,
                         struct hr_error *err) {
    char host[200];
    hr_fail(err, HR_E_LOCKED, "could not start: another run holds the state '%s'",
            c->conf.state_name);
    hr_error_detail(err, "process %lld on '%s', for %lld s more unless it renews its lease",
                    (long long)doc->owner.pid,
                    hr_printable(hr_slice_str(doc->owner.host), 64, host, sizeof(host)),
                    (long long)(doc->until_s + 1 - c->date_s));
    hr_error_hint(err, "wait for it to end (one that died elsewhere lets go when its lease runs "
                       "out), or give this pipeline a state of its own");
    return HR_E_LOCKED;
}

/* What stands there into c->doc (claim 0: nothing). HR_E_LOCKED: alive. */
static int look(struct hr_control *c, struct hr_error *err) {
    struct hr_buf bytes;
    hr_buf_init(&bytes, 0);
    hr_control_doc_release(&c->doc);
    hr_control_doc_init(&c->doc);
    int rc = fetch(c, &bytes, c->etag, err);
    if (rc == 0) {
        rc = hr_control_decode(hr_buf_slice(&bytes), c->conf.name, &c->doc, err);
    } else if (rc == HR_E_NO_OBJECT) {
        c->etag[0] = '\0';
        hr_error_clear(err);
        rc = 0;
    }
    hr_buf_release(&bytes);
    if (rc != 0 || c->doc.nonce[0] == '\0') {
        return rc;
    }
    const bool alive = c->date_s <= c->doc.until_s + 1 && !hr_owner_gone(&c->doc.owner);
    return alive ? held_by_other(c, &c->doc, err) : 0;
}

static int take(struct hr_control *c, struct hr_error *err) {
    int rc = HR_END;
    for (int i = 0; i < TRIES && rc == HR_END; i++) { /* two may claim a dead one: one wins */
        rc = look(c, err);
        if (rc != 0) {
            return rc;
        }
        const bool dead = c->doc.nonce[0] != '\0';
        c->claim = ++c->doc.claim;
        memcpy(c->doc.nonce, c->nonce, sizeof(c->nonce));
        hr_owner_self(&c->doc.owner);
        rc = write_doc(c, err);
        if (rc == 0 && dead) {
            hr_log(HR_LOG_WARN, "took over the state '%s' from a run that ended without letting go",
                   c->conf.state_name);
        }
    }
    if (rc == HR_END) {
        rc = hr_fail(err, HR_E_LOCKED, "could not start: other runs keep taking the state '%s'",
                     c->conf.state_name);
        hr_error_hint(err, "let one run at a time use it");
    }
    return rc;
}

static int ignores_conditions(const struct hr_control *c, struct hr_error *err) {
    hr_fail(err, HR_E_CONFIG, "could not keep the state '%s': its store ignores conditional writes",
            c->conf.state_name);
    hr_error_hint(err, "two runs could overwrite each other there; keep the state in a local file, "
                       "or on a store that honours If-Match and If-None-Match on PUT");
    return HR_E_CONFIG;
}

/* Two writes that must fail: of what stands there already, so that a store that lets them through
 * loses nothing by it. */
static int prove(struct hr_control *c, struct hr_error *err) {
    struct hr_buf bytes;
    char etag[80];
    hr_buf_init(&bytes, 0);
    int rc = hr_control_encode(&c->doc, &bytes, err);
    if (rc == 0) {
        rc = put(c, hr_buf_slice(&bytes), "", etag, err);
        rc = rc == HR_E_EXISTS                   ? 0
             : rc == 0 || rc == HR_E_UNSUPPORTED ? ignores_conditions(c, err)
                                                 : rc;
    }
    if (rc == 0) {
        rc = put(c, hr_buf_slice(&bytes), "00000000000000000000000000000000", etag, err);
        rc = rc == HR_E_CHANGED                  ? 0
             : rc == 0 || rc == HR_E_UNSUPPORTED ? ignores_conditions(c, err)
                                                 : rc;
    }
    hr_buf_release(&bytes);
    if (rc == 0) {
        hr_error_clear(err);
    } else if (rc == HR_E_CONFIG && c->claim == 1) {
        (void)c->conf.store->driver->remove(c->conf.store, c->conf.key, NULL);
        atomic_store(&c->lost, true); /* nothing to let go of */
    }
    return rc;
}

/* ---- renewal ---- */

static void *renew(void *arg) {
    struct hr_control *c = arg;
    bool failed = false;
    pthread_mutex_lock(&c->lock);
    while (!c->stop && !atomic_load(&c->lost)) {
        struct timespec at;
        clock_gettime(CLOCK_MONOTONIC, &at);
        const int64_t pause = c->conf.lease_seconds * SECOND / (failed ? 12 : 3);
        const int64_t then = (int64_t)at.tv_sec * SECOND + at.tv_nsec + pause;
        at.tv_sec = (time_t)(then / SECOND);
        at.tv_nsec = (long)(then % SECOND);
        if (pthread_cond_timedwait(&c->wake, &c->lock, &at) != 0 && !c->stop) {
            failed = update(c, NULL) != 0; /* a silent store: the next hold says so */
        }
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

static int start_thread(struct hr_control *c, struct hr_error *err) {
    if (pthread_create(&c->thread, NULL, renew, c) != 0) {
        return hr_fail(err, HR_E_NOMEM, "could not start a thread to renew the lease of '%s'",
                       c->conf.state_name);
    }
    c->threaded = true;
    return 0;
}

static int draw_nonce(struct hr_control *c, struct hr_error *err) {
    uint8_t noise[16];
    if (getrandom(noise, sizeof(noise), 0) != (ssize_t)sizeof(noise)) {
        return hr_fail(err, HR_E_INTERNAL, "could not draw a random number");
    }
    hr_hex(noise, sizeof(noise), c->nonce);
    return 0;
}

int hr_control_claim(const struct hr_control_conf *conf, struct hr_control **out,
                     struct hr_error *err) {
    *out = NULL;
    struct hr_control *c = hr_calloc(1, sizeof(*c));
    if (c == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate the control object");
    }
    pthread_condattr_t monotonic;
    c->conf = *conf;
    hr_control_doc_init(&c->doc);
    pthread_mutex_init(&c->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&c->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    int rc =
        (conf->store->caps & HR_CAP_COND_PUT) ? draw_nonce(c, err) : ignores_conditions(c, err);
    if (rc == 0) {
        rc = take(c, err);
    }
    const bool taken = rc == 0;
    if (rc == 0) {
        rc = prove(c, err);
    }
    if (rc == 0) {
        rc = start_thread(c, err);
    }
    if (rc != 0) {
        atomic_store(&c->lost, atomic_load(&c->lost) || !taken);
        hr_control_close(c);
        return rc;
    }
    *out = c;
    return 0;
}

/* ---- while it is held ---- */

int hr_control_hold(struct hr_control *c, struct hr_error *err) {
    if (atomic_load(&c->lost)) {
        return taken_over(c, err);
    }
    if (boot_nanos() < atomic_load(&c->deadline)) {
        return 0;
    }
    pthread_mutex_lock(&c->lock);
    const int rc = update(c, err);
    pthread_mutex_unlock(&c->lock);
    return rc;
}

struct hr_slice hr_control_ledger(const struct hr_control *c) {
    return hr_buf_slice(&c->doc.ledger);
}

struct hr_slice hr_control_journal(const struct hr_control *c) {
    return hr_buf_slice(&c->doc.journal);
}

int hr_control_add_ledger(struct hr_control *c, struct hr_slice line, struct hr_error *err) {
    pthread_mutex_lock(&c->lock);
    const size_t before = c->doc.ledger.len;
    int rc = hr_buf_append(&c->doc.ledger, line.ptr, line.len, err);
    if (rc == 0) {
        rc = update(c, err);
    }
    if (rc != 0) {
        c->doc.ledger.len = before;
    }
    pthread_mutex_unlock(&c->lock);
    return rc;
}

/* Write with these instead of what it holds; they are taken over, or released. */
static int exchange(struct hr_control *c, struct hr_buf ledger, struct hr_buf journal,
                    struct hr_error *err) {
    struct hr_buf old_ledger = c->doc.ledger;
    struct hr_buf old_journal = c->doc.journal;
    c->doc.ledger = ledger;
    c->doc.journal = journal;
    const int rc = update(c, err);
    if (rc != 0) {
        c->doc.ledger = old_ledger;
        c->doc.journal = old_journal;
        old_ledger = ledger;
        old_journal = journal;
    }
    if (old_ledger.ptr != c->doc.ledger.ptr) {
        hr_buf_release(&old_ledger);
    }
    if (old_journal.ptr != c->doc.journal.ptr) {
        hr_buf_release(&old_journal);
    }
    return rc;
}

int hr_control_set_journal(struct hr_control *c, struct hr_slice bytes, struct hr_error *err) {
    struct hr_buf journal;
    hr_buf_init(&journal, c->doc.journal.max);
    int rc = hr_buf_append(&journal, bytes.ptr, bytes.len, err);
    if (rc != 0) {
        hr_buf_release(&journal);
        return rc;
    }
    pthread_mutex_lock(&c->lock);
    rc = exchange(c, c->doc.ledger, journal, err);
    pthread_mutex_unlock(&c->lock);
    return rc;
}

int hr_control_drop(struct hr_control *c, bool journal, bool ledger, struct hr_error *err) {
    int rc = 0;
    pthread_mutex_lock(&c->lock);
    struct hr_buf no_ledger = c->doc.ledger;
    struct hr_buf no_journal = c->doc.journal;
    if (ledger) {
        hr_buf_init(&no_ledger, c->doc.ledger.max);
    }
    if (journal) {
        hr_buf_init(&no_journal, c->doc.journal.max);
    }
    if (no_ledger.len != c->doc.ledger.len || no_journal.len != c->doc.journal.len) {
        rc = exchange(c, no_ledger, no_journal, err);
    }
    pthread_mutex_unlock(&c->lock);
    return rc;
}

void hr_control_mark_written(struct hr_control *c) {
    pthread_mutex_lock(&c->lock);
    c->doc.written = true;
    pthread_mutex_unlock(&c->lock);
}

bool hr_control_written(const struct hr_control *c) {
    return c->doc.written;
}

void hr_control_close(struct hr_control *c) {
    if (c == NULL) {
        return;
    }
    if (c->threaded) {
        pthread_mutex_lock(&c->lock);
        c->stop = true;
        pthread_cond_signal(&c->wake);
        pthread_mutex_unlock(&c->lock);
        pthread_join(c->thread, NULL);
    }
    if (!atomic_load(&c->lost)) {
        c->doc.nonce[0] = '\0';
        if (c->silent || write_doc(c, NULL) != 0) {
            hr_log(HR_LOG_WARN,
                   "could not let go of the state '%s': it is free when its lease "
                   "runs out",
                   c->conf.state_name);
        }
    }
    hr_control_doc_release(&c->doc);
    pthread_cond_destroy(&c->wake);
    pthread_mutex_destroy(&c->lock);
    hr_free(c);
}
