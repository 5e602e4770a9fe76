/* io/budget.c - the bytes that feeds and uploads of one run may hold.
 *
 * Waiting is safe because the head-of-line task never waits: it goes over the limit, by its parts
 * in flight at most, and thereby always gives back in the end. */
#include "io/budget.h"

#include <pthread.h>

#include "base/mem.h"

struct hr_budget {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    size_t limit, used, peak;
};

struct hr_budget *hr_budget_new(size_t limit) {
    struct hr_budget *b = hr_calloc(1, sizeof(*b));
    if (b != NULL) {
        pthread_mutex_init(&b->lock, NULL);
        pthread_cond_init(&b->cond, NULL);
        b->limit = limit;
    }
    return b;
}

void hr_budget_free(struct hr_budget *b) {
    if (b != NULL) {
        pthread_cond_destroy(&b->cond);
        pthread_mutex_destroy(&b->lock);
        hr_free(b);
    }
}

/* budget.h promises const readers; the lock is not part of the value. */
static size_t read_locked(const struct hr_budget *b, const size_t *value) {
    pthread_mutex_t *lock = (pthread_mutex_t *)(uintptr_t)&b->lock;
    pthread_mutex_lock(lock);
    size_t v = *value;
    pthread_mutex_unlock(lock);
    return v;
}

size_t hr_budget_used(const struct hr_budget *b) {
    return read_locked(b, &b->used);
}

size_t hr_budget_peak(const struct hr_budget *b) {
    return read_locked(b, &b->peak);
}

static void take(struct hr_budget *b, size_t bytes) {
    b->used += bytes;
    b->peak = b->used > b->peak ? b->used : b->peak;
}

static bool fits(const struct hr_budget *b, size_t bytes) {
    return b->used == 0 || (b->used <= b->limit && bytes <= b->limit - b->used);
}

bool hr_budget_try(struct hr_budget *b, size_t bytes) {
    if (b == NULL) {
        return true;
    }
    pthread_mutex_lock(&b->lock);
    bool ok = fits(b, bytes);
    if (ok) {
        take(b, bytes);
    }
    pthread_mutex_unlock(&b->lock);
    return ok;
}

void hr_budget_force(struct hr_budget *b, size_t bytes) {
    if (b != NULL) {
        pthread_mutex_lock(&b->lock);
        take(b, bytes);
        pthread_mutex_unlock(&b->lock);
    }
}

void hr_budget_wait(struct hr_budget *b, size_t bytes, const atomic_bool *go) {
    if (b == NULL) {
        return;
    }
    pthread_mutex_lock(&b->lock);
    while (!fits(b, bytes) && !atomic_load(go)) {
        pthread_cond_wait(&b->cond, &b->lock);
    }
    take(b, bytes);
    pthread_mutex_unlock(&b->lock);
}

void hr_budget_give(struct hr_budget *b, size_t bytes) {
    if (b != NULL) {
        pthread_mutex_lock(&b->lock);
        b->used -= bytes;
        pthread_cond_broadcast(&b->cond);
        pthread_mutex_unlock(&b->lock);
    }
}

void hr_budget_wake(struct hr_budget *b) {
    if (b != NULL) {
        pthread_mutex_lock(&b->lock);
        pthread_cond_broadcast(&b->cond);
        pthread_mutex_unlock(&b->lock);
    }
}
