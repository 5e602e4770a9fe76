/* plan/object_queue.h - chosen objects waiting to be packed: an owned first-in-first-out queue. */
#ifndef HR_PLAN_OBJECT_QUEUE_H
#define HR_PLAN_OBJECT_QUEUE_H

#include "plan/plan.h"

struct hr_queued {
    char *key; /* the ETag stands behind its NUL */
    uint32_t key_len;
    bool codec_auto;
    int64_t size, mtime_us;
    long stream;
    const struct hr_format *format;
    const struct hr_codec *codec;
    /* once it is in a task: */
    int64_t seq, checkpoint, file; /* of its first task; of the stream */
};

struct hr_object_queue { /* zeroed is empty */
    struct hr_queued *items;
    size_t head, count, cap;
};

int hr_object_queue_push(struct hr_object_queue *queue, const struct hr_object *object,
                         struct hr_error *err);
/* The nth from the front, borrowed until it is popped; NULL: there are not so many. */
const struct hr_queued *hr_object_queue_at(const struct hr_object_queue *queue, size_t n);
static inline const char *hr_queued_etag(const struct hr_queued *object) {
    return object->key + object->key_len + 1;
}
void hr_object_queue_pop(struct hr_object_queue *queue); /* frees the front */
/* The front of `from` to the end of `to`; the end of `from` to the front of `to`. */
int hr_object_queue_move(struct hr_object_queue *to, struct hr_object_queue *from,
                         struct hr_error *err);
int hr_object_queue_move_back(struct hr_object_queue *to, struct hr_object_queue *from,
                              struct hr_error *err);
/* Give an object the facts of another version. */
int hr_queued_renew(struct hr_queued *object, const struct hr_object_info *info,
                    struct hr_error *err);
void hr_object_queue_release(struct hr_object_queue *queue);
/* The same as a struct hr_object, pointing into the queue. */
void hr_queued_object(const struct hr_queued *queued, struct hr_object *out);

#endif
