/* base/gate.h - one thread waits for one thing that another thread does: a gate is shut, opened
 * once, passed once. */
#ifndef HR_BASE_GATE_H
#define HR_BASE_GATE_H

#include <pthread.h>
#include <stdbool.h>

struct hr_gate {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool open;
};

static inline void hr_gate_init(struct hr_gate *gate) {
    pthread_mutex_init(&gate->lock, NULL);
    pthread_cond_init(&gate->cond, NULL);
    gate->open = false;
}

static inline void hr_gate_open(struct hr_gate *gate) {
    pthread_mutex_lock(&gate->lock);
    gate->open = true;
    pthread_cond_signal(&gate->cond);
    pthread_mutex_unlock(&gate->lock);
}

/* Wait until it is open; the gate is gone afterwards. */
static inline void hr_gate_pass(struct hr_gate *gate) {
    pthread_mutex_lock(&gate->lock);
    while (!gate->open) {
        pthread_cond_wait(&gate->cond, &gate->lock);
    }
    pthread_mutex_unlock(&gate->lock);
    pthread_cond_destroy(&gate->cond);
    pthread_mutex_destroy(&gate->lock);
}

#endif
