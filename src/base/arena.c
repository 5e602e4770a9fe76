/* base/arena.c - bump allocation in growing blocks. */
#include "base/arena.h"

#include <stdint.h>
#include <string.h>

#include "base/mem.h"

#define ARENA_FIRST 4096u
#define ARENA_DEFAULT_MAX ((size_t)1 << 30)

struct hr_arena_block {
    struct hr_arena_block *next;
    size_t size; /* usable bytes */
    size_t used;
    _Alignas(16) uint8_t bytes[];
};

void hr_arena_init(struct hr_arena *arena, size_t max) {
    *arena = (struct hr_arena){.max = max ? max : ARENA_DEFAULT_MAX};
}

static struct hr_arena_block *add_block(struct hr_arena *arena, size_t need) {
    /* as much again as is in use */
    size_t size = arena->used > ARENA_FIRST ? arena->used : ARENA_FIRST;
    if (size > (size_t)1 << 20) {
        size = (size_t)1 << 20;
    }
    if (size < need) {
        size = need;
    }
    struct hr_arena_block *block = hr_malloc(sizeof(*block) + size);
    if (block == NULL) {
        return NULL;
    }
    block->next = arena->head;
    block->size = size;
    block->used = 0;
    arena->head = block;
    return block;
}

void *hr_arena_alloc(struct hr_arena *arena, size_t size) {
    const size_t need = (size + 15) & ~(size_t)15;
    if (need < size || need > arena->max || arena->used > arena->max - need) {
        return NULL;
    }
    struct hr_arena_block *block = arena->head;
    if (block == NULL || block->size - block->used < need) {
        block = add_block(arena, need);
        if (block == NULL) {
            return NULL;
        }
    }
    void *ptr = block->bytes + block->used;
    block->used += need;
    arena->used += need;
    return ptr;
}

void *hr_arena_calloc(struct hr_arena *arena, size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        return NULL;
    }
    void *ptr = hr_arena_alloc(arena, bytes);
    if (ptr != NULL) {
        memset(ptr, 0, bytes);
    }
    return ptr;
}

char *hr_arena_strndup(struct hr_arena *arena, const char *text, size_t len) {
    char *copy = hr_arena_alloc(arena, len + 1);
    if (copy != NULL) {
        memcpy(copy, text, len);
        copy[len] = '\0';
    }
    return copy;
}

void hr_arena_reset(struct hr_arena *arena) {
    struct hr_arena_block *keep = NULL;
    struct hr_arena_block *block = arena->head;
    while (block != NULL) {
        struct hr_arena_block *next = block->next;
        if (keep == NULL || block->size > keep->size) {
            hr_free(keep);
            keep = block;
        } else {
            hr_free(block);
        }
        block = next;
    }
    if (keep != NULL) {
        keep->next = NULL;
        keep->used = 0;
    }
    arena->head = keep;
    arena->used = 0;
}

void hr_arena_release(struct hr_arena *arena) {
    while (arena->head != NULL) {
        struct hr_arena_block *next = arena->head->next;
        hr_free(arena->head);
        arena->head = next;
    }
    arena->used = 0;
}
