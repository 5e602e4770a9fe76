/* plan/split.h - one large object to pieces; between split.c and plan.c. */
#ifndef HR_PLAN_SPLIT_H
#define HR_PLAN_SPLIT_H

#include "plan/object_queue.h"

struct hr_pieces {
    struct hr_piece *items; /* keys point to the object's, headers to layout */
    size_t count;
    struct hr_layout layout;
};
void hr_pieces_release(struct hr_pieces *pieces);

/* Whether an object is to go through hr_split_object instead of into a task with others: it is more
 * than `task_bytes`, or may be when inflated and could have a seek table. */
bool hr_split_wanted(const struct hr_codec *codec, int64_t size, int64_t task_bytes);

/* Cut an object of more than `task_bytes` where its format allows: text at byte positions, text in
 * seekable zstd between frames (then task_bytes are inflated ones), Parquet between row groups. One
 * piece when it cannot be cut. One or two small reads, counted by *reads. `file` numbers the
 * object. An object deleted meanwhile is one piece: the worker will find out. */
int hr_split_object(struct hr_store *store, const struct hr_settings *settings,
                    const struct hr_object *object, int64_t file, int64_t task_bytes,
                    struct hr_pieces *out, uint64_t *reads, struct hr_error *err);

#endif
