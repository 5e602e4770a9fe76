/* format/parquet/pq_enc_dict.c - builds the dictionary of a column chunk of numbers (byte arrays
 * are in pq_enc_dict_bytes.c).
 *
 * Integers whose whole range is small are looked up in a table over that range; all others in an
 * open-addressing hash table with the key inside the slot, so that a value seen before costs one
 * multiplication, one load and one compare. Numbers are given in order of first occurrence, so the
 * result depends on the values alone.
 */
#include "format/parquet/pq_enc_dict.h"

#include "base/cpu.h"

#define INLINE static inline __attribute__((always_inline))
#define SLOTS_FIRST 1024u
#define GOLDEN 0x9e3779b97f4a7c15ULL

struct slot {
    uint64_t key;
    uint64_t number; /* + 1; 0: empty */
};

struct work {
    struct hr_pqw_dict *dict;
    struct slot *slots;
    size_t mask;
    int shift; /* 64 - log2(slots) */
};

void hr_pqw_dict_release(struct hr_pqw_dict *dict) {
    hr_pqw_room_release(&dict->index);
    hr_pqw_room_release(&dict->values);
    hr_pqw_room_release(&dict->offsets);
    hr_pqw_room_release(&dict->table);
}

/* Rooms for the index and the first values. */
static int start(struct hr_pqw_dict *dict, size_t n, struct hr_error *err) {
    dict->count = 0;
    dict->index.len = dict->values.len = 0;
    int rc = hr_pqw_room_reserve(&dict->index, n * sizeof(uint32_t), err);
    return rc != 0 ? rc : hr_pqw_room_reserve(&dict->values, HR_PQW_DICT_BYTES + 8, err);
}

/* An empty slot must never look like the home of a key: key 0 lives at slot 0, whose empty key is
 * 1, and key 1 lives elsewhere. So the hot loop compares keys and nothing else. */
static int table_new(struct work *w, size_t slots, struct hr_error *err) {
    w->dict->table.len = 0;
    const int rc = hr_pqw_room_reserve(&w->dict->table, slots * sizeof(struct slot), err);
    if (rc != 0) {
        return rc;
    }
    w->slots = (struct slot *)(void *)w->dict->table.ptr;
    w->mask = slots - 1;
    w->shift = 64 - __builtin_ctzll(slots);
    memset(w->slots, 0, slots * sizeof(struct slot));
    w->slots[0].key = 1;
    return 0;
}

INLINE uint64_t value_at(const void *v, int width, size_t i) {
    uint64_t wide;
    uint32_t narrow;
    if (width == 8) {
        memcpy(&wide, (const uint8_t *)v + 8 * i, 8);
        return wide;
    }
    memcpy(&narrow, (const uint8_t *)v + 4 * i, 4);
    return narrow;
}

INLINE void value_add(struct hr_pqw_dict *dict, int width, uint64_t key) {
    if (width == 8) {
        memcpy(dict->values.ptr + dict->values.len, &key, 8);
    } else {
        const uint32_t narrow = (uint32_t)key;
        memcpy(dict->values.ptr + dict->values.len, &narrow, 4);
    }
    dict->values.len += (size_t)width;
    dict->count++;
}

/* The slot of a key: its own, or the empty one where it belongs. NULL after too many probes. */
static struct slot *find(const struct work *w, uint64_t key) {
    size_t at = (size_t)((key * GOLDEN) >> w->shift);
    for (unsigned probes = 0; probes < HR_PQW_DICT_PROBES; probes++) {
        if (w->slots[at].number == 0 || w->slots[at].key == key) {
            return &w->slots[at];
        }
        at = (at + 1) & w->mask;
    }
    return NULL;
}

/* Four times the slots; every value is placed again from the list of values. */
static int table_grow(struct work *w, int width, struct hr_error *err) {
    const int rc = table_new(w, (w->mask + 1) * 4, err);
    for (size_t i = 0; rc == 0 && i < w->dict->count; i++) {
        const uint64_t key = value_at(w->dict->values.ptr, width, i);
        struct slot *slot = find(w, key);
        if (slot == NULL) {
            return HR_END;
        }
        *slot = (struct slot){key, i + 1};
    }
    return rc;
}

/* The number + 1 of a key that is not at its home slot; 0 after too many probes. */
static uint64_t find_or_add(struct work *w, int width, uint64_t key) {
    struct slot *slot = find(w, key);
    if (slot == NULL) {
        return 0;
    }
    if (slot->number == 0) {
        value_add(w->dict, width, key);
        *slot = (struct slot){key, w->dict->count};
    }
    return slot->number;
}

/* Values [from, to); stops behind the value that passes count_max or has no slot (*full). */
INLINE size_t hash_run(struct work *w, const void *v, int width, size_t from, size_t to,
                       size_t count_max, bool *full) {
    uint32_t *index = (uint32_t *)(void *)w->dict->index.ptr;
    const struct slot *slots = w->slots;
    const int shift = w->shift;
    for (size_t i = from; i < to; i++) {
        const uint64_t key = value_at(v, width, i);
        const struct slot *home = &slots[(size_t)((key * GOLDEN) >> shift)];
        uint64_t number = home->number;
        if (hr_unlikely(home->key != key)) {
            number = find_or_add(w, width, key);
            *full = number == 0;
            if (hr_unlikely(*full || w->dict->count > count_max)) {
                index[i] = (uint32_t)number - 1;
                return i + 1;
            }
        }
        index[i] = (uint32_t)number - 1;
    }
    return to;
}

static size_t at_most(size_t a, size_t b) {
    return a < b ? a : b;
}

INLINE int hash_body(struct hr_pqw_dict *dict, const void *v, int width, size_t n,
                     const struct hr_pqw_dict_limit *limit, struct hr_error *err) {
    struct work w = {.dict = dict};
    const size_t count_max = at_most(limit->count_max, HR_PQW_DICT_BYTES / (size_t)width);
    int rc = start(dict, n, err);
    rc = rc != 0 ? rc : table_new(&w, SLOTS_FIRST, err);
    size_t done = 0;
    while (rc == 0 && done < n) {
        const bool sample = done < HR_PQW_DICT_SAMPLE;
        const size_t to = sample ? at_most(n, HR_PQW_DICT_SAMPLE) : n;
        const size_t max = sample ? at_most(limit->sample_max, count_max) : count_max;
        bool full = false;
        done = hash_run(&w, v, width, done, to, at_most(max, w.mask / 2), &full);
        if (full || dict->count > max) {
            return HR_END;
        }
        if (dict->count > w.mask / 2) {
            rc = table_grow(&w, width, err);
        }
    }
    return rc;
}

int hr_pqw_dict_hash(struct hr_pqw_dict *dict, const void *v, int width, size_t n,
                     const struct hr_pqw_dict_limit *limit, struct hr_error *err) {
    return width == 8 ? hash_body(dict, v, 8, n, limit, err) : hash_body(dict, v, 4, n, limit, err);
}

/* ---- the direct table ---- */

INLINE size_t direct_run(struct hr_pqw_dict *dict, const void *v, int width, size_t from, size_t to,
                         uint64_t min, size_t count_max) {
    uint32_t *index = (uint32_t *)(void *)dict->index.ptr;
    uint32_t *table = (uint32_t *)(void *)dict->table.ptr;
    for (size_t i = from; i < to; i++) {
        const uint64_t key = value_at(v, width, i);
        const size_t at =
            width == 8 ? (size_t)(key - min) : (size_t)((uint32_t)key - (uint32_t)min);
        uint32_t number = table[at];
        if (hr_unlikely(number == 0)) {
            value_add(dict, width, key);
            number = (uint32_t)dict->count;
            table[at] = number;
            if (hr_unlikely(dict->count > count_max)) {
                return i;
            }
        }
        index[i] = number - 1;
    }
    return to;
}

INLINE int direct_body(struct hr_pqw_dict *dict, const void *v, int width, size_t n, uint64_t min,
                       uint64_t range, const struct hr_pqw_dict_limit *limit,
                       struct hr_error *err) {
    const size_t count_max = at_most(limit->count_max, HR_PQW_DICT_BYTES / (size_t)width);
    const size_t table = ((size_t)range + 1) * sizeof(uint32_t);
    int rc = start(dict, n, err);
    dict->table.len = 0;
    rc = rc != 0 ? rc : hr_pqw_room_reserve(&dict->table, table, err);
    if (rc != 0) {
        return rc;
    }
    memset(dict->table.ptr, 0, table);
    const size_t sample = at_most(n, HR_PQW_DICT_SAMPLE);
    direct_run(dict, v, width, 0, sample, min, at_most(limit->sample_max, count_max));
    if (dict->count > at_most(limit->sample_max, count_max)) {
        return HR_END;
    }
    direct_run(dict, v, width, sample, n, min, count_max);
    return dict->count > count_max ? HR_END : 0;
}

int hr_pqw_dict_direct(struct hr_pqw_dict *dict, const void *v, int width, size_t n, uint64_t min,
                       uint64_t range, const struct hr_pqw_dict_limit *limit,
                       struct hr_error *err) {
    return width == 8 ? direct_body(dict, v, 8, n, min, range, limit, err)
                      : direct_body(dict, v, 4, n, min, range, limit, err);
}
