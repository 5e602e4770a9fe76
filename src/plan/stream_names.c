/* plan/stream_names.c - a small open-addressing table from stream names to numbers. */
#include "plan/stream_names.h"

#include "base/hash.h"
#include "base/mem.h"

static size_t slot_of(const struct hr_stream_names *names, struct hr_slice name) {
    size_t mask = names->n_slots - 1;
    size_t at = (size_t)hr_hash64(name.ptr, name.len, 0) & mask;
    while (names->slots[at] && !hr_slice_eq_str(name, names->names[names->slots[at] - 1])) {
        at = (at + 1) & mask;
    }
    return at;
}

static int grow(struct hr_stream_names *names, struct hr_error *err) {
    size_t n_slots = names->n_slots ? names->n_slots * 2 : 64;
    char **grown = hr_reallocarray(names->names, n_slots / 2, sizeof *grown);
    uint32_t *slots = hr_calloc(n_slots, sizeof *slots);
    if (grown) {
        names->names = grown;
    }
    if (grown == NULL || slots == NULL) {
        hr_free(slots);
        return hr_fail(err, HR_E_NOMEM, "out of memory for stream names");
    }
    hr_free(names->slots);
    names->slots = slots;
    names->n_slots = n_slots;
    names->cap = n_slots / 2;
    for (size_t i = 0; i < names->count; i++) {
        slots[slot_of(names, hr_slice_str(names->names[i]))] = (uint32_t)i + 1;
    }
    return 0;
}

int hr_stream_names_find(struct hr_stream_names *names, struct hr_slice name, bool add, long *out,
                         struct hr_error *err) {
    *out = -1;
    if (names->n_slots) {
        uint32_t found = names->slots[slot_of(names, name)];
        if (found) {
            *out = (long)found - 1;
            return 0;
        }
    }
    if (!add) {
        return 0;
    }
    if (names->count == names->cap) {
        int rc = grow(names, err);
        if (rc) {
            return rc;
        }
    }
    char *copy = hr_strndup((const char *)name.ptr, name.len);
    if (copy == NULL) {
        return hr_fail(err, HR_E_NOMEM, "out of memory for stream names");
    }
    names->slots[slot_of(names, name)] = (uint32_t)names->count + 1;
    names->names[names->count] = copy;
    *out = (long)names->count++;
    return 0;
}

const char *hr_stream_names_get(const struct hr_stream_names *names, long number) {
    return number >= 0 && (size_t)number < names->count ? names->names[number] : NULL;
}

void hr_stream_names_release(struct hr_stream_names *names) {
    for (size_t i = 0; i < names->count; i++) {
        hr_free(names->names[i]);
    }
    hr_free(names->names);
    hr_free(names->slots);
    *names = (struct hr_stream_names){0};
}
