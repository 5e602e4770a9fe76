/* api/pending.c - given out and not read yet: a queue of keys, and the plan's queue behind it (see
 * pending.h).
 */
#include "api/pending.h"

#include <string.h>

#include "base/mem.h"

static int nomem(struct hr_error *err) {
    return hr_fail(err, HR_E_NOMEM, "could not keep the keys that are being read");
}

/* Room for one more at the end; what was read at the front is given up first. */
static int make_room(struct hr_pending *p, struct hr_error *err) {
    if (p->head + p->count < p->cap) {
        return 0;
    }
    if (p->head > p->cap / 2) {
        memmove(p->items, p->items + p->head, p->count * sizeof(*p->items));
        p->head = 0;
        return 0;
    }
    const size_t cap = p->cap ? p->cap * 2 : 64;
    struct hr_pending_key *grown = hr_reallocarray(p->items, cap, sizeof(*grown));
    if (grown == NULL) {
        return nomem(err);
    }
    p->items = grown;
    p->cap = cap;
    return 0;
}

int hr_pending_given(struct hr_pending *pending, const struct hr_task *task, struct hr_error *err) {
    for (size_t i = 0; i < task->n_pieces; i++) {
        const struct hr_piece *piece = &task->pieces[i];
        if (!piece->first) {
            continue;
        }
        const int rc = make_room(pending, err);
        char *key = rc == 0 ? hr_strdup(piece->key) : NULL;
        if (key == NULL) {
            return rc ? rc : nomem(err);
        }
        pending->items[pending->head + pending->count++] =
            (struct hr_pending_key){key, piece->size, piece->mtime_us};
    }
    return 0;
}

void hr_pending_read(struct hr_pending *pending, const struct hr_input *inputs, size_t count) {
    size_t done = 0;
    if (count == 0) {
        return; /* every object was gone: they may as well be looked for again */
    }
    for (size_t i = 0; i < pending->count; i++) {
        if (strcmp(pending->items[pending->head + i].key, inputs[count - 1].key) == 0) {
            done = i + 1;
        }
    }
    for (size_t i = 0; i < done; i++) {
        hr_free(pending->items[pending->head + i].key);
    }
    pending->head += done;
    pending->count -= done;
}

struct collecting {
    json_t *chunks;
    int64_t newest_us;
};

static int add_object(void *user, const struct hr_object *object, struct hr_error *err) {
    struct collecting *c = user;
    if (object->info.mtime_us > c->newest_us) {
        c->newest_us = object->info.mtime_us;
    }
    return hr_chunks_add(c->chunks, object->key, object->info.size, 0, err);
}

int hr_pending_chunks(const struct hr_pending *pending, struct hr_plan *plan, long stream,
                      json_t **out_chunks, int64_t *newest_us, struct hr_error *err) {
    struct collecting c = {.chunks = json_array(), .newest_us = *newest_us};
    struct hr_error bound;
    int rc = c.chunks ? 0 : nomem(err);
    *out_chunks = NULL;
    hr_error_clear(&bound);
    for (size_t i = 0; rc == 0 && i < pending->count; i++) {
        const struct hr_pending_key *k = &pending->items[pending->head + i];
        const struct hr_object object = {
            .key = k->key,
            .key_len = strlen(k->key),
            .info = {.size = k->size, .mtime_us = k->mtime_us},
        };
        rc = add_object(&c, &object, err);
    }
    if (rc == 0) {
        rc = hr_plan_ahead(plan, stream, HR_PENDING_MAX, add_object, &c, &bound);
        if (rc == HR_E_BOUND || rc == HR_E_CANCELLED) { /* interrupted while it lists on */
            json_decref(c.chunks);
            c.chunks = NULL;
            rc = 0;
        } else if (rc != 0 && err != NULL) {
            *err = bound;
        }
    }
    if (rc != 0) {
        json_decref(c.chunks);
        return rc;
    }
    *out_chunks = c.chunks;
    *newest_us = c.chunks != NULL ? c.newest_us : *newest_us;
    return 0;
}

void hr_pending_release(struct hr_pending *pending) {
    for (size_t i = 0; i < pending->count; i++) {
        hr_free(pending->items[pending->head + i].key);
    }
    hr_free(pending->items);
    *pending = (struct hr_pending){0};
}
