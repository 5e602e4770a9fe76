/* format/parquet/pq_enc_dict_bytes.c - builds the dictionary of a column chunk of byte arrays.
 *
 * A value of up to 16 bytes is its own hash key: two masked words that sit in the slot with the
 * length, so equal values are known by one compare without touching the dictionary. A longer one
 * is hashed, and compared with the dictionary's bytes when hash and length agree.
 */
#include "format/parquet/pq_enc_dict.h"

#include "base/cpu.h"
#include "base/hash.h"
#include "format/parquet/pq_enc_pack.h"

#define SLOTS_FIRST 512u
#define MIX1 0x9e3779b97f4a7c15ULL
#define MIX2 0xd6e8feb86659fd93ULL

struct slot {
    uint64_t lo, hi; /* the value itself, or its hash and 0 */
    uint32_t len;
    uint32_t number; /* + 1; 0: empty */
};

struct work {
    struct hr_pqw_dict *dict;
    struct slot *slots;
    size_t mask;
    int shift;
};

struct key {
    uint64_t lo, hi;
    uint32_t len;
};

/* Masks that keep the first len bytes of two little-endian words, len 0..16. */
static const uint64_t keep_lo[17] = {
    0,     0xff,  0xffff, 0xffffff, 0xffffffff, 0xffffffffff, 0xffffffffffff, ~0ULL >> 8, ~0ULL,
    ~0ULL, ~0ULL, ~0ULL,  ~0ULL,    ~0ULL,      ~0ULL,        ~0ULL,          ~0ULL};
static const uint64_t keep_hi[17] = {0,
                                     0,
                                     0,
                                     0,
                                     0,
                                     0,
                                     0,
                                     0,
                                     0,
                                     0xff,
                                     0xffff,
                                     0xffffff,
                                     0xffffffff,
                                     0xffffffffff,
                                     0xffffffffffff,
                                     ~0ULL >> 8,
                                     ~0ULL};

static uint64_t fold(uint64_t a, uint64_t b) {
    const hr_u128 product = (hr_u128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* 17 bytes and more. */
static uint64_t hash_long(const uint8_t *p, size_t len) {
    uint64_t h = len * MIX2;
    const uint8_t *last = p + len - 16;
    for (; p < last; p += 16) {
        h = fold(hr_pqw_get64(p) ^ h ^ MIX1, hr_pqw_get64(p + 8) ^ MIX2);
    }
    return fold(hr_pqw_get64(last) ^ h ^ MIX1, hr_pqw_get64(last + 8) ^ MIX2);
}

HR_PQW_INLINE struct key key_of(const uint8_t *p, uint32_t len) {
    if (hr_likely(len <= 16)) { /* reads 16 bytes: columns have HR_PAD behind them */
        return (struct key){hr_pqw_get64(p) & keep_lo[len], hr_pqw_get64(p + 8) & keep_hi[len],
                            len};
    }
    return (struct key){hash_long(p, len), 0, len};
}

HR_PQW_INLINE size_t home_of(struct key key, int shift) {
    return (size_t)((((key.lo ^ key.len) * MIX1) ^ ((key.hi ^ (key.lo >> 32)) * MIX2)) * MIX1 >>
                    shift);
}

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
    return 0;
}

static uint32_t *offsets_of(const struct work *w) {
    return (uint32_t *)(void *)w->dict->offsets.ptr;
}

HR_PQW_INLINE bool same(const struct work *w, const struct slot *slot, struct key key,
                        const uint8_t *p) {
    if (slot->lo != key.lo || slot->hi != key.hi || slot->len != key.len || slot->number == 0) {
        return false;
    }
    return key.len <= 16 ||
           memcmp(w->dict->values.ptr + offsets_of(w)[slot->number - 1], p, key.len) == 0;
}

/* The slot of a value: its own, or the empty one where it belongs. NULL after too many probes. */
static struct slot *find(const struct work *w, struct key key, const uint8_t *p) {
    size_t at = home_of(key, w->shift);
    for (unsigned probes = 0; probes < HR_PQW_DICT_PROBES; probes++) {
        if (w->slots[at].number == 0 || same(w, &w->slots[at], key, p)) {
            return &w->slots[at];
        }
        at = (at + 1) & w->mask;
    }
    return NULL;
}

static int table_grow(struct work *w, struct hr_error *err) {
    const int rc = table_new(w, (w->mask + 1) * 4, err);
    const uint32_t *offsets = offsets_of(w);
    for (size_t i = 0; rc == 0 && i < w->dict->count; i++) {
        const uint8_t *p = w->dict->values.ptr + offsets[i];
        const struct key key = key_of(p, offsets[i + 1] - offsets[i]);
        struct slot *slot = find(w, key, p);
        if (slot == NULL) {
            return HR_END;
        }
        *slot = (struct slot){key.lo, key.hi, key.len, (uint32_t)i + 1};
    }
    return rc;
}

/* The number + 1 of a value that is not at its home slot; 0: no slot, or the dictionary is full. */
static uint32_t find_or_add(struct work *w, struct key key, const uint8_t *p) {
    struct hr_pqw_dict *dict = w->dict;
    struct slot *slot = find(w, key, p);
    if (slot == NULL || slot->number != 0) {
        return slot == NULL ? 0 : slot->number;
    }
    if (key.len > HR_PQW_DICT_BYTES || dict->values.len > HR_PQW_DICT_BYTES - key.len) {
        return 0;
    }
    memcpy(dict->values.ptr + dict->values.len, p, key.len);
    dict->values.len += key.len;
    dict->count++;
    offsets_of(w)[dict->count] = (uint32_t)dict->values.len;
    dict->offsets.len = (dict->count + 1) * sizeof(uint32_t);
    *slot = (struct slot){key.lo, key.hi, key.len, (uint32_t)dict->count};
    return slot->number;
}

struct column {
    const uint8_t *bytes;
    const uint32_t *offsets; /* NULL: width */
    size_t width;
};

/* Values [from, to); stops behind the value that passes count_max or does not fit (*full). */
HR_PQW_INLINE size_t run_body(struct work *w, const struct column *c, bool fixed, size_t from,
                              size_t to, size_t count_max, bool *full) {
    uint32_t *index = (uint32_t *)(void *)w->dict->index.ptr;
    const int shift = w->shift;
    for (size_t i = from; i < to; i++) {
        const uint8_t *p = c->bytes + (fixed ? i * c->width : c->offsets[i]);
        const uint32_t len = (uint32_t)(fixed ? c->width : c->offsets[i + 1] - c->offsets[i]);
        const struct key key = key_of(p, len);
        const struct slot *home = &w->slots[home_of(key, shift)];
        uint32_t number = home->number;
        if (hr_unlikely(!same(w, home, key, p))) {
            number = find_or_add(w, key, p);
            *full = number == 0;
            if (*full || w->dict->count > count_max) {
                index[i] = number - 1;
                return i + 1;
            }
        }
        index[i] = number - 1;
    }
    return to;
}

static size_t run_fixed(struct work *w, const struct column *c, size_t from, size_t to, size_t max,
                        bool *full) {
    return run_body(w, c, true, from, to, max, full);
}

static size_t run_bytes(struct work *w, const struct column *c, size_t from, size_t to, size_t max,
                        bool *full) {
    return run_body(w, c, false, from, to, max, full);
}

static size_t at_most(size_t a, size_t b) {
    return a < b ? a : b;
}

static int start(struct work *w, size_t n, size_t count_max, struct hr_error *err) {
    struct hr_pqw_dict *dict = w->dict;
    dict->count = 0;
    dict->index.len = dict->values.len = dict->offsets.len = 0;
    int rc = hr_pqw_room_reserve(&dict->index, n * sizeof(uint32_t), err);
    rc = rc != 0 ? rc : hr_pqw_room_reserve(&dict->values, HR_PQW_DICT_BYTES, err);
    rc =
        rc != 0 ? rc : hr_pqw_room_reserve(&dict->offsets, (count_max + 2) * sizeof(uint32_t), err);
    rc = rc != 0 ? rc : table_new(w, SLOTS_FIRST, err);
    if (rc == 0) {
        offsets_of(w)[0] = 0;
        dict->offsets.len = sizeof(uint32_t);
    }
    return rc;
}

int hr_pqw_dict_bytes(struct hr_pqw_dict *dict, const uint8_t *bytes, const uint32_t *offsets,
                      size_t width, size_t n, const struct hr_pqw_dict_limit *limit,
                      struct hr_error *err) {
    struct work w = {.dict = dict};
    const struct column c = {bytes, offsets, width};
    /* Empty and one-byte values could make a short page of very many entries: bounded as well. */
    const size_t count_max = at_most(at_most(limit->count_max, n), HR_PQW_DICT_BYTES / 4);
    int rc = start(&w, n, count_max, err);
    size_t done = 0;
    while (rc == 0 && done < n) {
        const bool sample = done < HR_PQW_DICT_SAMPLE;
        const size_t to = sample ? at_most(n, HR_PQW_DICT_SAMPLE) : n;
        const size_t max = sample ? at_most(limit->sample_max, count_max) : count_max;
        bool full = false;
        done = (offsets == NULL ? run_fixed : run_bytes)(&w, &c, done, to, at_most(max, w.mask / 2),
                                                         &full);
        if (full || dict->count > max) {
            return HR_END;
        }
        if (dict->count > w.mask / 2) {
            rc = table_grow(&w, err);
        }
    }
    return rc;
}
