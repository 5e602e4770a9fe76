/* plan/stream_names.h - stream names to numbers, in the order they were first seen. */
#ifndef HR_PLAN_STREAM_NAMES_H
#define HR_PLAN_STREAM_NAMES_H

#include "base/slice.h"

struct hr_stream_names { /* zeroed is empty */
    char **names;
    size_t count, cap;
    uint32_t *slots; /* number + 1, 0 free; a power of two of them */
    size_t n_slots;
};

/* Number of a name, -1 when unknown; with `add` it then gets the next number. */
int hr_stream_names_find(struct hr_stream_names *names, struct hr_slice name, bool add, long *out,
                         struct hr_error *err);
const char *hr_stream_names_get(const struct hr_stream_names *names, long number); /* NULL: none */
void hr_stream_names_release(struct hr_stream_names *names);

#endif
