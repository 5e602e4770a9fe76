/* base/mem.c - the one door to the heap, and the pool of large buffers.
 *
 * Large buffers are mapped in size classes (2^n and 1.5 x 2^n), advised to be huge pages from 1 MiB
 * on, and kept for reuse when freed: fresh 4 KiB pages cost as much as parsing CSV does, reused
 * ones nothing. A header of one cache line in front of each buffer holds its class.
 */
#include "base/mem.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static atomic_uint_fast64_t alloc_count;
static atomic_int_fast64_t alloc_live;
static atomic_uint_fast64_t fail_nth;
static atomic_int fail_sticky;

static bool must_fail(void) {
    const uint64_t n = atomic_fetch_add_explicit(&alloc_count, 1, memory_order_relaxed) + 1;
    const uint64_t nth = atomic_load_explicit(&fail_nth, memory_order_relaxed);
    if (nth == 0) {
        return false;
    }
    return n == nth || (n > nth && atomic_load_explicit(&fail_sticky, memory_order_relaxed) != 0);
}

void hr_mem_fail_at(uint64_t nth, int sticky) {
    atomic_store(&alloc_count, 0);
    atomic_store(&fail_sticky, sticky);
    atomic_store(&fail_nth, nth);
}

uint64_t hr_mem_count(void) {
    return atomic_load(&alloc_count);
}

int64_t hr_mem_live(void) {
    return atomic_load(&alloc_live);
}

static void *counted(void *ptr) {
    if (ptr != NULL) {
        atomic_fetch_add_explicit(&alloc_live, 1, memory_order_relaxed);
    }
    return ptr;
}

void *hr_malloc(size_t size) {
    return must_fail() ? NULL : counted(malloc(size ? size : 1));
}

void *hr_calloc(size_t count, size_t size) {
    return must_fail() ? NULL : counted(calloc(count ? count : 1, size ? size : 1));
}

void *hr_realloc(void *ptr, size_t size) {
    if (must_fail()) {
        return NULL;
    }
    void *grown = realloc(ptr, size ? size : 1);
    return ptr == NULL ? counted(grown) : grown;
}

void *hr_reallocarray(void *ptr, size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        return NULL;
    }
    return hr_realloc(ptr, bytes);
}

void hr_free(void *ptr) {
    if (ptr != NULL) {
        atomic_fetch_sub_explicit(&alloc_live, 1, memory_order_relaxed);
        free(ptr);
    }
}

char *hr_strndup(const char *text, size_t len) {
    char *copy = hr_malloc(len + 1);
    if (copy != NULL) {
        memcpy(copy, text, len);
        copy[len] = '\0';
    }
    return copy;
}

char *hr_strdup(const char *text) {
    return text ? hr_strndup(text, strlen(text)) : NULL;
}

void hr_free_secret(char *text) {
    if (text != NULL) {
        explicit_bzero(text, strlen(text));
        hr_free(text);
    }
}

/* ---- large buffers ---- */

#define BIG_MIN_SHIFT 12u            /* 4 KiB: wide tables have many small columns */
#define BIG_MAPPED ((size_t)1 << 16) /* classes from here on are mapped, smaller ones are heap */
#define BIG_CLASSES 58u
#define BIG_HEADER 64u
#define BIG_HUGE ((size_t)1 << 20)

struct big_header {
    struct big_header *next;
    size_t mapped; /* bytes of the mapping */
    unsigned class_;
};
_Static_assert(sizeof(struct big_header) <= BIG_HEADER, "the header fits its cache line");

static pthread_mutex_t big_lock = PTHREAD_MUTEX_INITIALIZER;
static struct big_header *big_free_lists[BIG_CLASSES];
static size_t big_cached_bytes;
static size_t big_cached_max = (size_t)64 << 20; /* kept for reuse at most */
static atomic_size_t big_used_bytes;

/* Class sizes alternate 2^n and 1.5 x 2^n, so at most a third of a buffer is waste. */
static size_t class_size(unsigned class_) {
    const size_t base = (size_t)1 << (BIG_MIN_SHIFT + class_ / 2);
    return class_ % 2 ? base + base / 2 : base;
}

static unsigned class_for(size_t size) {
    unsigned class_ = 0;
    while (class_ < BIG_CLASSES && class_size(class_) < size) {
        class_++;
    }
    return class_;
}

static void *big_user(struct big_header *header) {
    return (uint8_t *)header + BIG_HEADER;
}

static size_t big_capacity(const struct big_header *header) {
    return class_size(header->class_);
}

static struct big_header *take_cached(unsigned class_) {
    pthread_mutex_lock(&big_lock);
    struct big_header *header = big_free_lists[class_];
    if (header != NULL) {
        big_free_lists[class_] = header->next;
        big_cached_bytes -= header->mapped;
    }
    pthread_mutex_unlock(&big_lock);
    return header;
}

static void unmap(struct big_header *header) {
    if (class_size(header->class_) + BIG_HEADER + HR_PAD < BIG_MAPPED) {
        free(header);
    } else {
        munmap(header, header->mapped);
    }
}

static struct big_header *map_new(unsigned class_) {
    const size_t need = class_size(class_) + BIG_HEADER + HR_PAD;
    const size_t mapped = (need + 4095) & ~(size_t)4095;
    void *ptr;
    if (need < BIG_MAPPED) {
        ptr = aligned_alloc(BIG_HEADER, mapped);
        if (ptr == NULL) {
            return NULL;
        }
    } else {
        ptr = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (ptr == MAP_FAILED) {
            return NULL;
        }
        /* The kernel gives huge pages for the aligned middle. */
        if (mapped >= BIG_HUGE) {
            madvise(ptr, mapped, MADV_HUGEPAGE);
        }
    }
    struct big_header *header = ptr;
    header->mapped = mapped;
    header->class_ = class_;
    return header;
}

void *hr_big_alloc(size_t size, size_t *out_capacity) {
    if (must_fail()) {
        return NULL;
    }
    const unsigned class_ = class_for(size);
    if (class_ >= BIG_CLASSES || size > ((size_t)1 << 40)) {
        return NULL;
    }
    struct big_header *header = take_cached(class_);
    if (header == NULL) {
        header = map_new(class_);
    }
    if (header == NULL) {
        return NULL;
    }
    header->next = NULL;
    atomic_fetch_add_explicit(&big_used_bytes, header->mapped, memory_order_relaxed);
    atomic_fetch_add_explicit(&alloc_live, 1, memory_order_relaxed);
    if (out_capacity != NULL) {
        *out_capacity = big_capacity(header);
    }
    return big_user(header);
}

static struct big_header *header_of(void *ptr) {
    return (struct big_header *)(void *)((uint8_t *)ptr - BIG_HEADER);
}

void hr_big_free(void *ptr) {
    if (ptr == NULL) {
        return;
    }
    struct big_header *header = header_of(ptr);
    const size_t mapped = header->mapped;
    atomic_fetch_sub_explicit(&big_used_bytes, mapped, memory_order_relaxed);
    atomic_fetch_sub_explicit(&alloc_live, 1, memory_order_relaxed);
    bool keep = false;
    pthread_mutex_lock(&big_lock);
    if (big_cached_bytes + mapped <= big_cached_max) {
        header->next = big_free_lists[header->class_];
        big_free_lists[header->class_] = header;
        big_cached_bytes += mapped;
        keep = true;
    }
    pthread_mutex_unlock(&big_lock);
    if (!keep) {
        unmap(header);
    }
}

void *hr_big_grow(void *ptr, size_t used, size_t size, size_t *out_capacity) {
    if (ptr != NULL && big_capacity(header_of(ptr)) >= size) {
        if (out_capacity != NULL) {
            *out_capacity = big_capacity(header_of(ptr));
        }
        return ptr;
    }
    void *grown = hr_big_alloc(size, out_capacity);
    if (grown != NULL && ptr != NULL) {
        memcpy(grown, ptr, used);
        hr_big_free(ptr);
    }
    return grown;
}

size_t hr_big_in_use(void) {
    return atomic_load(&big_used_bytes);
}

size_t hr_big_cached(void) {
    pthread_mutex_lock(&big_lock);
    const size_t bytes = big_cached_bytes;
    pthread_mutex_unlock(&big_lock);
    return bytes;
}

void hr_big_keep(size_t bytes) {
    pthread_mutex_lock(&big_lock);
    big_cached_max = bytes;
    pthread_mutex_unlock(&big_lock);
}

void hr_big_trim(void) {
    pthread_mutex_lock(&big_lock);
    for (unsigned i = 0; i < BIG_CLASSES; i++) {
        while (big_free_lists[i] != NULL) {
            struct big_header *header = big_free_lists[i];
            big_free_lists[i] = header->next;
            unmap(header);
        }
    }
    big_cached_bytes = 0;
    pthread_mutex_unlock(&big_lock);
}
