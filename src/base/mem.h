/* base/mem.h - the one door to the heap.
 *
 * Every allocation of the project goes through here, so that a test can make the Nth one fail and
 * can count what is still alive. Sizes of 0 are allowed and give a unique pointer. */
#ifndef HR_BASE_MEM_H
#define HR_BASE_MEM_H

#include <stddef.h>
#include <stdint.h>

void *hr_malloc(size_t size);               /* NULL when out of memory */
void *hr_calloc(size_t count, size_t size); /* zeroed; overflow of the product gives NULL */
void *hr_realloc(void *ptr, size_t size);   /* like realloc; the old block lives on failure */
void *hr_reallocarray(void *ptr, size_t count, size_t size);
void hr_free(void *ptr);                        /* NULL allowed */
char *hr_strdup(const char *text);              /* NULL gives NULL */
char *hr_strndup(const char *text, size_t len); /* copies len bytes, adds NUL */

/* Free and wipe: for secrets. */
void hr_free_secret(char *text);

/* Tests only: fail allocation number `nth` (1-based, counted from this call, all threads), once,
 * or with `sticky` that one and all after it. 0 turns it off. */
void hr_mem_fail_at(uint64_t nth, int sticky);
uint64_t hr_mem_count(void); /* allocations since the last hr_mem_fail_at */
int64_t hr_mem_live(void);   /* blocks allocated and not freed */

/* ---- large buffers --------------------------------------------------------------------------
 * Buffers of 4 KiB and more that live for a batch, a part or a page. They come from size classes
 * (powers of two and 1.5 x powers of two), are backed by huge pages from 1 MiB on, are reused
 * without zeroing and carry HR_PAD readable and writable bytes after the capacity, so SIMD code
 * may over-read and over-write that far. Thread safe. */
#define HR_PAD 64u

void *hr_big_alloc(size_t size,
                   size_t *out_capacity); /* capacity >= size; NULL when out of memory */
void hr_big_free(void *ptr);              /* NULL allowed */
void *hr_big_grow(void *ptr, size_t used, size_t size,
                  size_t *out_capacity); /* keeps `used` bytes */
size_t hr_big_in_use(void);              /* bytes handed out now, all threads */
size_t hr_big_cached(void);              /* bytes kept for reuse */
void hr_big_keep(size_t bytes);          /* keep at most so many of them (64 MiB unless told) */
void hr_big_trim(void);                  /* give cached buffers back to the system */

#endif
