/* api/watch.c - a thread that waits for an interrupt or a deadline (see watch.h). */
#include "api/watch.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "base/mem.h"
#include "base/time.h"

#define LOOK_NS 100000000LL   /* how often it looks */
#define GRACE_NS 3000000000LL /* what a destination has to end well */

struct hr_watch {
    void (*cancel_sources)(void *user);
    void *user;
    struct hr_store *dst, *also;
    int64_t deadline; /* monotonic; INT64_MAX never */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t stop_cond;
    bool stop, late;
};

void hr_watch_cancel_store(void *user) {
    struct hr_store *store = user;
    if (store->driver->cancel != NULL) {
        store->driver->cancel(store);
    }
}

static void cancel_sources(struct hr_watch *w) {
    if (w->cancel_sources != NULL) {
        w->cancel_sources(w->user);
    }
    w->cancel_sources = NULL;
}

static void cancel_destination(struct hr_watch *w) {
    if (w->dst != NULL) {
        hr_watch_cancel_store(w->dst);
    }
    if (w->also != NULL) {
        hr_watch_cancel_store(w->also);
    }
    w->dst = w->also = NULL;
}

/* Until the next look. Below the lock. */
static void rest(struct hr_watch *w) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += LOOK_NS;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_cond_timedwait(&w->stop_cond, &w->lock, &until);
}

static void *watch_main(void *arg) {
    struct hr_watch *w = arg;
    int64_t interrupted = 0;
    pthread_mutex_lock(&w->lock);
    while (!w->stop) {
        const int64_t now = hr_monotonic_nanos();
        if (hr_cancelled && interrupted == 0) {
            interrupted = now;
            cancel_sources(w);
        }
        if (interrupted != 0 && now - interrupted >= GRACE_NS) {
            cancel_destination(w);
        }
        if (now >= w->deadline && !w->late) {
            w->late = true;
            cancel_sources(w);
            cancel_destination(w);
        }
        rest(w);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

static void release(struct hr_watch *w) {
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->stop_cond);
    hr_free(w);
}

struct hr_watch *hr_watch_start(void (*cancel_sources_fn)(void *user), void *user,
                                struct hr_store *dst, int64_t deadline_s) {
    struct hr_watch *w = hr_calloc(1, sizeof(*w));
    if (w == NULL) {
        return NULL;
    }
    w->cancel_sources = cancel_sources_fn;
    w->user = user;
    w->dst = dst;
    w->deadline = deadline_s > 0 && deadline_s < INT64_MAX / 2000000000
                      ? hr_monotonic_nanos() + deadline_s * 1000000000
                      : INT64_MAX;
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->stop_cond, &attr);
    pthread_condattr_destroy(&attr);
    sigset_t all;
    sigset_t before;
    sigfillset(&all); /* signals are for the main thread */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int rc = pthread_create(&w->thread, NULL, watch_main, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0) {
        release(w);
        return NULL;
    }
    return w;
}

void hr_watch_also(struct hr_watch *watch, struct hr_store *store) {
    if (watch != NULL) {
        pthread_mutex_lock(&watch->lock);
        watch->also = store;
        pthread_mutex_unlock(&watch->lock);
    }
}

bool hr_watch_stop(struct hr_watch *watch) {
    if (watch == NULL) {
        return false;
    }
    pthread_mutex_lock(&watch->lock);
    watch->stop = true;
    pthread_cond_signal(&watch->stop_cond);
    pthread_mutex_unlock(&watch->lock);
    pthread_join(watch->thread, NULL);
    const bool late = watch->late;
    release(watch);
    return late;
}
