/* bench/micro/bench_text.h - what the benchmarks of text formats share: the clock, a file in memory
 * and a source that hands it out in slices of 256 KiB, as a decoder would. */
#ifndef HR_BENCH_TEXT_H
#define HR_BENCH_TEXT_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/io.h"
#include "base/mem.h"

#define SLICE ((size_t)256 << 10)

static double cpu_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Slices of a file in memory, handed out without a copy. */
struct slices {
    struct hr_source base;
    const uint8_t *ptr;
    size_t len, at;
};

static int slices_next(struct hr_source *src, struct hr_slice *out, struct hr_error *err) {
    struct slices *s = (struct slices *)(void *)src;
    (void)err;
    if (s->at == s->len) {
        return HR_END;
    }
    const size_t n = s->len - s->at < SLICE ? s->len - s->at : SLICE;
    *out = hr_slice_of(s->ptr + s->at, n);
    s->at += n;
    return 0;
}

static void slices_close(struct hr_source *src) {
    (void)src;
}

static const struct hr_source_ops slices_ops = {.next = slices_next, .close = slices_close};

static struct slices source_of(const uint8_t *ptr, size_t len) {
    return (struct slices){.base = {.ops = &slices_ops, .name = "bench", .size = (int64_t)len},
                           .ptr = ptr,
                           .len = len};
}

static uint8_t *load(const char *path, size_t *len) {
    FILE *file = fopen(path, "rb");
    struct stat st;
    if (file == NULL || fstat(fileno(file), &st) != 0) {
        return NULL;
    }
    *len = (size_t)st.st_size;
    uint8_t *ptr = hr_big_alloc(*len, NULL);
    if (ptr != NULL && fread(ptr, 1, *len, file) != *len) {
        ptr = NULL;
    }
    fclose(file);
    return ptr;
}

static int die(const struct hr_error *err) {
    char text[2000];
    hr_error_format(err, text, sizeof(text));
    fprintf(stderr, "%s\n", text);
    return 1;
}

#endif
