/* plan/object_queue.c - chosen objects in one allocation each; a ring that grows. */
#include "plan/object_queue.h"

#include <string.h>

#include "base/mem.h"

static int grow(struct hr_object_queue *queue, struct hr_error *err) {
    size_t cap = queue->cap ? queue->cap * 2 : 256;
    struct hr_queued *items = hr_reallocarray(NULL, cap, sizeof *items);
    if (items == NULL) {
        return hr_fail(err, HR_E_NOMEM, "out of memory for the plan");
    }
    for (size_t i = 0; i < queue->count; i++) {
        items[i] = queue->items[(queue->head + i) % queue->cap];
    }
    hr_free(queue->items);
    queue->items = items;
    queue->cap = cap;
    queue->head = 0;
    return 0;
}

int hr_object_queue_push(struct hr_object_queue *queue, const struct hr_object *object,
                         struct hr_error *err) {
    if (queue->count == queue->cap) {
        int rc = grow(queue, err);
        if (rc) {
            return rc;
        }
    }
    size_t etag_len = strlen(object->info.etag);
    char *text = hr_malloc(object->key_len + etag_len + 2);
    if (text == NULL) {
        return hr_fail(err, HR_E_NOMEM, "out of memory for the plan");
    }
    memcpy(text, object->key, object->key_len);
    text[object->key_len] = 0;
    memcpy(text + object->key_len + 1, object->info.etag, etag_len + 1);
    queue->items[(queue->head + queue->count++) % queue->cap] = (struct hr_queued){
        .key = text,
        .key_len = (uint32_t)object->key_len,
        .codec_auto = object->codec_auto,
        .size = object->info.size,
        .mtime_us = object->info.mtime_us,
        .stream = object->stream,
        .format = object->format,
        .codec = object->codec,
    };
    return 0;
}

const struct hr_queued *hr_object_queue_at(const struct hr_object_queue *queue, size_t n) {
    return n < queue->count ? &queue->items[(queue->head + n) % queue->cap] : NULL;
}

void hr_object_queue_pop(struct hr_object_queue *queue) {
    hr_free(queue->items[queue->head].key);
    queue->head = (queue->head + 1) % queue->cap;
    queue->count--;
}

int hr_object_queue_move(struct hr_object_queue *to, struct hr_object_queue *from,
                         struct hr_error *err) {
    const int rc = to->count == to->cap ? grow(to, err) : 0;
    if (rc) {
        return rc;
    }
    to->items[(to->head + to->count++) % to->cap] = from->items[from->head];
    from->head = (from->head + 1) % from->cap;
    from->count--;
    return 0;
}

int hr_object_queue_move_back(struct hr_object_queue *to, struct hr_object_queue *from,
                              struct hr_error *err) {
    const int rc = to->count == to->cap ? grow(to, err) : 0;
    if (rc) {
        return rc;
    }
    to->head = (to->head + to->cap - 1) % to->cap;
    to->items[to->head] = from->items[(from->head + --from->count) % from->cap];
    to->count++;
    return 0;
}

int hr_queued_renew(struct hr_queued *object, const struct hr_object_info *info,
                    struct hr_error *err) {
    const size_t etag_len = strlen(info->etag);
    char *text = hr_realloc(object->key, (size_t)object->key_len + etag_len + 2);
    if (text == NULL) {
        return hr_fail(err, HR_E_NOMEM, "out of memory for the plan");
    }
    memcpy(text + object->key_len + 1, info->etag, etag_len + 1);
    object->key = text;
    object->size = info->size;
    object->mtime_us = info->mtime_us;
    return 0;
}

void hr_object_queue_release(struct hr_object_queue *queue) {
    while (queue->count) {
        hr_object_queue_pop(queue);
    }
    hr_free(queue->items);
    *queue = (struct hr_object_queue){0};
}

void hr_queued_object(const struct hr_queued *queued, struct hr_object *out) {
    *out = (struct hr_object){
        .key = queued->key,
        .key_len = queued->key_len,
        .info = {.size = queued->size, .mtime_us = queued->mtime_us},
        .stream = queued->stream,
        .format = queued->format,
        .codec = queued->codec,
        .codec_auto = queued->codec_auto,
    };
    snprintf(out->info.etag, sizeof out->info.etag, "%s", hr_queued_etag(queued));
}
