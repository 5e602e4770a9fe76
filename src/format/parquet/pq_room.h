/* format/parquet/pq_room.h - a growing large buffer, the writer's unit of memory: grown by half,
 * never shrunk, reused from row group to row group. HR_PAD bytes behind the capacity are spare. */
#ifndef HR_FORMAT_PARQUET_PQ_ROOM_H
#define HR_FORMAT_PARQUET_PQ_ROOM_H

#include "base/mem.h"
#include "base/slice.h"

struct hr_pqw_room {
    uint8_t *ptr; /* hr_big_alloc; NULL until first used */
    size_t len, cap;
};

/* Room for `extra` more bytes behind len. HR_E_NOMEM. */
static inline int hr_pqw_room_reserve(struct hr_pqw_room *room, size_t extra,
                                      struct hr_error *err) {
    if (extra <= room->cap - room->len) {
        return 0;
    }
    size_t want = room->len + extra;
    if (room->ptr != NULL && want < room->cap + room->cap / 2) {
        want = room->cap + room->cap / 2;
    }
    size_t cap = 0;
    uint8_t *grown = room->ptr == NULL ? hr_big_alloc(want, &cap)
                                       : hr_big_grow(room->ptr, room->len, want, &cap);
    if (grown == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate %zu bytes to write Parquet", want);
    }
    room->ptr = grown;
    room->cap = cap;
    return 0;
}

static inline void hr_pqw_room_release(struct hr_pqw_room *room) {
    hr_big_free(room->ptr);
    *room = (struct hr_pqw_room){0};
}

#endif
