/* base/arena.h - bump allocation for one task or one parse; everything is freed at once. */
#ifndef HR_BASE_ARENA_H
#define HR_BASE_ARENA_H

#include <stddef.h>

struct hr_arena_block;
struct hr_arena {
    struct hr_arena_block *head;
    size_t used;
    size_t max; /* total bytes allowed, 0 = 1 GiB */
};

void hr_arena_init(struct hr_arena *arena, size_t max);
void *hr_arena_alloc(struct hr_arena *arena,
                     size_t size); /* 16-byte aligned, not zeroed; NULL: no memory or over max */
void *hr_arena_calloc(struct hr_arena *arena, size_t count, size_t size);
char *hr_arena_strndup(struct hr_arena *arena, const char *text, size_t len);
void hr_arena_reset(struct hr_arena *arena);   /* forget all, keep the largest block */
void hr_arena_release(struct hr_arena *arena); /* free all */

#endif
