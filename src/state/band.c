/* state/band.c - band, sweep and day sums (see band.h).
 *
 * Entries live in an open-addressing table of (key hash, ETag hash, time). Day sums are two small
 * sorted arrays: what state says was read, and what this listing showed. Keys marked for reading
 * again are a sorted list of hashes: the mark works below the band too, where no entry is kept.
 */
#include "state/band.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/time.h"

#define DAY_US (86400LL * 1000000)
#define MINUTE_US (60LL * 1000000)
#define ENTRY_BYTES 18u
#define DAYS_MAX 200000u /* 500 years */
#define ENTRIES_MAX ((size_t)64 << 20)
#define REPLAY_MAX 1000000u
#define ETAG_MASK 0x00ffffffffffffffULL

struct entry {
    uint64_t key;  /* 0: free */
    uint64_t etag; /* 56 bits */
    int64_t time_us;
};

struct day_sum {
    int64_t day;
    int64_t count;
    uint64_t lo, hi; /* 128-bit sum, wrapping */
};

struct days {
    struct day_sum *items;
    size_t count, cap;
};

struct hr_band {
    int64_t lookback_us; /* -1: for ever */
    int64_t watermark;   /* INT64_MIN: nothing read yet */
    int64_t newest;
    int64_t edge; /* at or before it no keys were kept, whatever lookback says now */
    struct entry *table;
    size_t table_size, used; /* size is a power of two */
    struct days kept, listed;
    bool sweeping;
    int64_t sweep_upper;
    char *sweep_key;
    bool adopted;
    bool failed; /* memory ran out where no error could be given */
    int64_t adopted_us;
    uint64_t *pending; /* key hashes, sorted when first asked */
    size_t n_pending;
    bool pending_sorted;
    uint64_t *replay; /* key hashes marked for reading again, sorted */
    size_t n_replay;
    bool (*unread)(void *user, const char *key, size_t key_len, const struct hr_object_info *info);
    void *unread_user;
    bool take_unread;
};

static int no_memory(struct hr_error *err) {
    return hr_fail(err, HR_E_NOMEM, "could not allocate the incremental state");
}

static uint64_t key_hash(const char *key, size_t len) {
    const uint64_t h = hr_hash64(key, len, 1);
    return h ? h : 1;
}

/* What tells one version of an object from another: the ETag, else size and time. */
static uint64_t etag_hash(const struct hr_object_info *info) {
    if (info->etag[0] != '\0') {
        return hr_hash64(info->etag, strlen(info->etag), 2) & ETAG_MASK;
    }
    const int64_t both[2] = {info->size, info->mtime_us};
    return hr_hash64(both, sizeof(both), 3) & ETAG_MASK;
}

int hr_band_new(int64_t lookback_seconds, struct hr_band **out, struct hr_error *err) {
    struct hr_band *band = hr_calloc(1, sizeof(*band));
    *out = band;
    if (band == NULL) {
        return no_memory(err);
    }
    band->lookback_us = lookback_seconds < 0 ? -1 : lookback_seconds * 1000000;
    band->watermark = band->newest = band->edge = INT64_MIN;
    return 0;
}

void hr_band_free(struct hr_band *band) {
    if (band == NULL) {
        return;
    }
    hr_big_free(band->table);
    hr_free(band->kept.items);
    hr_free(band->listed.items);
    hr_free(band->sweep_key);
    hr_free(band->pending);
    hr_free(band->replay);
    hr_free(band);
}

/* ---- table ---- */

static struct entry *find_entry(const struct hr_band *band, uint64_t key) {
    if (band->table_size == 0) {
        return NULL;
    }
    size_t i = key & (band->table_size - 1);
    while (band->table[i].key != 0 && band->table[i].key != key) {
        i = (i + 1) & (band->table_size - 1);
    }
    return &band->table[i];
}

static int grow_table(struct hr_band *band, struct hr_error *err) {
    const size_t size = band->table_size ? band->table_size * 2 : 1024;
    if (size > ENTRIES_MAX * 2) {
        hr_fail(err, HR_E_BOUND, "could not keep more than %zu keys in the band", ENTRIES_MAX);
        hr_error_hint(err, "lower lookback_seconds");
        return HR_E_BOUND;
    }
    struct entry *table = hr_big_alloc(size * sizeof(*table), NULL);
    if (table == NULL) {
        return no_memory(err);
    }
    memset(table, 0, size * sizeof(*table));
    struct entry *old = band->table;
    const size_t old_size = band->table_size;
    band->table = table;
    band->table_size = size;
    for (size_t i = 0; i < old_size; i++) {
        if (old[i].key != 0) {
            *find_entry(band, old[i].key) = old[i];
        }
    }
    hr_big_free(old);
    return 0;
}

static int put_entry(struct hr_band *band, uint64_t key, uint64_t etag, int64_t time_us,
                     struct hr_error *err) {
    if ((band->used + 1) * 10 > band->table_size * 7) {
        const int rc = grow_table(band, err);
        if (rc != 0) {
            return rc;
        }
    }
    struct entry *e = find_entry(band, key);
    band->used += e->key == 0;
    *e = (struct entry){key, etag, time_us};
    return 0;
}

size_t hr_band_entries(const struct hr_band *band) {
    return band->used;
}

/* ---- days ---- */

static int64_t day_of(int64_t time_us) {
    return time_us >= 0 ? time_us / DAY_US : -((-time_us + DAY_US - 1) / DAY_US);
}

/* The day's sum, made when it is new; NULL: no memory. */
static struct day_sum *day_at(struct days *days, int64_t day) {
    size_t low = 0;
    size_t high = days->count;
    while (low < high) {
        const size_t mid = (low + high) / 2;
        if (days->items[mid].day < day) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    if (low < days->count && days->items[low].day == day) {
        return &days->items[low];
    }
    if (days->count == days->cap) {
        const size_t cap = days->cap ? days->cap * 2 : 64;
        struct day_sum *grown = hr_reallocarray(days->items, cap, sizeof(*grown));
        if (grown == NULL || cap > DAYS_MAX * 2) {
            return NULL;
        }
        days->items = grown;
        days->cap = cap;
    }
    memmove(&days->items[low + 1], &days->items[low], (days->count - low) * sizeof(*days->items));
    days->items[low] = (struct day_sum){.day = day};
    days->count++;
    return &days->items[low];
}

static int add_to_day(struct days *days, int64_t time_us, uint64_t key, uint64_t etag) {
    struct day_sum *d = day_at(days, day_of(time_us));
    if (d == NULL) {
        return HR_E_NOMEM;
    }
    const uint64_t both[2] = {key, etag};
    const struct hr_hash128 h = hr_hash128(both, sizeof(both), 4);
    d->count++;
    d->lo += h.lo;
    d->hi += h.hi + (d->lo < h.lo);
    return 0;
}

/* ---- asking ---- */

void hr_band_adopt(struct hr_band *band, int64_t cursor_us) {
    band->adopted = true;
    band->adopted_us = cursor_us;
    band->watermark = band->newest = cursor_us;
    band->sweeping = false;
}

int hr_band_mark_pending(struct hr_band *band, const char *key, size_t key_len,
                         struct hr_error *err) {
    if ((band->n_pending & (band->n_pending - 1)) == 0) {
        const size_t cap = band->n_pending ? band->n_pending * 2 : 1;
        uint64_t *grown = hr_reallocarray(band->pending, cap, sizeof(*grown));
        if (grown == NULL) {
            return no_memory(err);
        }
        band->pending = grown;
    }
    band->pending[band->n_pending++] = key_hash(key, key_len);
    band->pending_sorted = false;
    return 0;
}

static int compare_u64(const void *a, const void *b) {
    const uint64_t x = *(const uint64_t *)a;
    const uint64_t y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static bool is_pending(struct hr_band *band, uint64_t key) {
    if (band->n_pending == 0) {
        return false;
    }
    if (!band->pending_sorted) {
        qsort(band->pending, band->n_pending, sizeof(*band->pending), compare_u64);
        band->pending_sorted = true;
    }
    return bsearch(&key, band->pending, band->n_pending, sizeof(key), compare_u64) != NULL;
}

/* Where the key's mark is or belongs. */
static size_t replay_at(const struct hr_band *band, uint64_t key) {
    size_t low = 0;
    size_t high = band->n_replay;
    while (low < high) {
        const size_t mid = (low + high) / 2;
        if (band->replay[mid] < key) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

static bool is_replay(const struct hr_band *band, uint64_t key) {
    const size_t at = replay_at(band, key);
    return at < band->n_replay && band->replay[at] == key;
}

static int mark_replay(struct hr_band *band, uint64_t key, struct hr_error *err) {
    const size_t at = replay_at(band, key);
    if (at < band->n_replay && band->replay[at] == key) {
        return 0;
    }
    if (band->n_replay >= REPLAY_MAX) {
        hr_fail(err, HR_E_BOUND, "could not mark more than %u keys for reading again", REPLAY_MAX);
        hr_error_hint(err, "reset the stream: then all of it is read again");
        return HR_E_BOUND;
    }
    uint64_t *grown = hr_reallocarray(band->replay, band->n_replay + 1, sizeof(*grown));
    if (grown == NULL) {
        return no_memory(err);
    }
    band->replay = grown;
    memmove(grown + at + 1, grown + at, (band->n_replay - at) * sizeof(*grown));
    grown[at] = key;
    band->n_replay++;
    return 0;
}

static void unmark_replay(struct hr_band *band, uint64_t key) {
    const size_t at = replay_at(band, key);
    band->n_replay--;
    memmove(band->replay + at, band->replay + at + 1,
            (band->n_replay - at) * sizeof(*band->replay));
}

int hr_band_replay(struct hr_band *band, const char *key, size_t key_len, struct hr_error *err) {
    return mark_replay(band, key_hash(key, key_len), err);
}

void hr_band_unread(struct hr_band *band,
                    bool (*unread)(void *user, const char *key, size_t key_len,
                                   const struct hr_object_info *info),
                    void *user, bool take) {
    band->unread = unread;
    band->unread_user = user;
    band->take_unread = take;
}

bool hr_band_adopted(const struct hr_band *band) {
    return band->adopted;
}

int64_t hr_band_edge(const struct hr_band *band) {
    if (band->watermark == INT64_MIN || band->lookback_us < 0) {
        return band->watermark == INT64_MIN ? INT64_MIN : band->edge;
    }
    const int64_t edge = band->watermark - band->lookback_us;
    return edge > band->edge ? edge : band->edge;
}

bool hr_band_knows(const struct hr_band *band, const char *key, size_t key_len) {
    const struct entry *e = find_entry(band, key_hash(key, key_len));
    return e != NULL && e->key != 0;
}

size_t hr_band_replays(const struct hr_band *band) {
    return band->n_replay;
}

void hr_band_begin(struct hr_band *band, int64_t list_us) {
    band->listed.count = 0;
    if (!band->sweeping) {
        band->sweeping = true;
        band->sweep_upper = list_us;
        hr_free(band->sweep_key);
        band->sweep_key = NULL;
    }
}

static bool in_band(const struct hr_band *band, int64_t reference, int64_t time_us) {
    return reference == INT64_MIN ||
           (time_us > band->edge &&
            (band->lookback_us < 0 || time_us > reference - band->lookback_us));
}

/* The keys below are forgotten with this finish; a longer lookback does not bring them back. */
static void move_edge(struct hr_band *band) {
    const int64_t edge = band->watermark - band->lookback_us;
    if (band->lookback_us >= 0 && edge > band->edge) {
        band->edge = edge;
    }
}

/* Where the watermark would stand if the sweep ended now. It only grows, so whatever lies in the
 * final band lay in the band of every earlier reference too. */
static int64_t reference(const struct hr_band *band) {
    const int64_t mark = band->newest < band->sweep_upper ? band->newest : band->sweep_upper;
    return mark > band->watermark ? mark : band->watermark;
}

/* The first sweep keeps no entries for old objects: the last key done stands for them. */
static bool swept(const struct hr_band *band, const char *key, size_t key_len, int64_t time_us) {
    if (band->sweep_key == NULL || band->watermark != INT64_MIN ||
        in_band(band, reference(band), time_us)) {
        return false;
    }
    const size_t n = strlen(band->sweep_key);
    const int c = memcmp(key, band->sweep_key, key_len < n ? key_len : n);
    return c < 0 || (c == 0 && key_len <= n);
}

/* After another program ran: what it read is remembered as if we had. */
static bool adopt_or_read(struct hr_band *band, uint64_t key, uint64_t etag, int64_t time_us) {
    if (is_pending(band, key) || time_us / 1000000 > band->adopted_us / 1000000) {
        return true;
    }
    const int rc = in_band(band, band->adopted_us, time_us)
                       ? put_entry(band, key, etag, time_us, NULL)
                       : add_to_day(&band->kept, time_us, key, etag);
    band->failed = band->failed || rc != 0;
    return false;
}

/* Read before, but only its day's sum and the sweep's mark remember it. */
static bool read_below(const struct hr_band *band, const char *key, size_t key_len,
                       int64_t time_us) {
    return band->watermark == INT64_MIN ? swept(band, key, key_len, time_us)
                                        : !in_band(band, band->watermark, time_us);
}

bool hr_band_fresh(struct hr_band *band, const char *key, size_t key_len,
                   const struct hr_object_info *info) {
    const uint64_t k = key_hash(key, key_len);
    const uint64_t etag = etag_hash(info);
    const struct entry *e = find_entry(band, k);
    if (is_replay(band, k)) {
        if ((e == NULL || e->key == 0) && read_below(band, key, key_len, info->mtime_us)) {
            (void)add_to_day(&band->listed, info->mtime_us, k, etag);
        }
        return true;
    }
    if (band->adopted && (e == NULL || e->key == 0)) {
        return adopt_or_read(band, k, etag, info->mtime_us);
    }
    if (e != NULL && e->key != 0) {
        return e->etag != etag;
    }
    if (band->watermark == INT64_MIN) {
        return !swept(band, key, key_len, info->mtime_us);
    }
    if (in_band(band, band->watermark, info->mtime_us)) {
        return true;
    }
    if (band->unread != NULL && band->unread(band->unread_user, key, key_len, info)) {
        return band->take_unread;
    }
    /* Without memory for the sums the day is not compared: nothing is lost by it. */
    (void)add_to_day(&band->listed, info->mtime_us, k, etag);
    return false;
}

int hr_band_note(struct hr_band *band, const char *key, const struct hr_object_info *info,
                 struct hr_error *err) {
    const uint64_t k = key_hash(key, strlen(key));
    const uint64_t etag = etag_hash(info);
    if (is_replay(band, k)) {
        unmark_replay(band, k);
        if (!hr_band_knows(band, key, strlen(key)) &&
            read_below(band, key, strlen(key), info->mtime_us)) {
            return 0; /* its day's sum holds it already */
        }
    }
    if (info->mtime_us > band->newest) {
        band->newest = info->mtime_us;
    }
    if (band->watermark != INT64_MIN || in_band(band, reference(band), info->mtime_us)) {
        return put_entry(band, k, etag, info->mtime_us, err);
    }
    band->edge = info->mtime_us > band->edge ? info->mtime_us : band->edge;
    return add_to_day(&band->kept, info->mtime_us, k, etag) == 0 ? 0 : no_memory(err);
}

int hr_band_checkpoint(struct hr_band *band, const char *last_key, struct hr_error *err) {
    if (band->failed) {
        return no_memory(err);
    }
    /* A resumed sweep may first read what was replaced behind the mark: it never moves back. */
    if (band->sweep_key != NULL && strcmp(band->sweep_key, last_key) >= 0) {
        return 0;
    }
    char *copy = hr_strdup(last_key);
    if (copy == NULL) {
        return no_memory(err);
    }
    hr_free(band->sweep_key);
    band->sweep_key = copy;
    return 0;
}

/* Entries that fell below the band become part of their day's sum. */
static int fold_old_entries(struct hr_band *band, struct hr_error *err) {
    struct entry *old = band->table;
    const size_t old_size = band->table_size;
    int rc = 0;
    band->table = NULL;
    band->table_size = band->used = 0;
    for (size_t i = 0; rc == 0 && i < old_size; i++) {
        if (old[i].key == 0) {
            continue;
        }
        if (in_band(band, band->watermark, old[i].time_us)) {
            rc = put_entry(band, old[i].key, old[i].etag, old[i].time_us, err);
        } else if (add_to_day(&band->kept, old[i].time_us, old[i].key, old[i].etag) != 0) {
            rc = no_memory(err);
        }
    }
    hr_big_free(old);
    return rc;
}

int hr_band_finish(struct hr_band *band, struct hr_error *err) {
    if (band->failed) {
        return no_memory(err);
    }
    if (!band->sweeping) {
        return 0;
    }
    band->watermark = reference(band);
    band->sweeping = false;
    band->adopted = false;
    band->n_pending = 0;
    hr_free(band->sweep_key);
    band->sweep_key = NULL;
    if (band->watermark == INT64_MIN) {
        return 0;
    }
    move_edge(band);
    return fold_old_entries(band, err);
}

bool hr_band_sweeping(const struct hr_band *band) {
    return band->sweeping;
}

int64_t hr_band_newest(const struct hr_band *band) {
    return band->newest;
}

int64_t hr_band_watermark(const struct hr_band *band) {
    return band->watermark;
}

size_t hr_band_differences(struct hr_band *band,
                           void (*each)(void *user, const char *day, int64_t kept, int64_t listed),
                           void *user) {
    size_t n = 0;
    for (size_t i = 0; band->watermark != INT64_MIN && i < band->listed.count; i++) {
        const struct day_sum *have = &band->listed.items[i];
        struct day_sum *kept = day_at(&band->kept, have->day);
        if (kept == NULL ||
            (kept->count == have->count && kept->lo == have->lo && kept->hi == have->hi)) {
            continue;
        }
        if (have->count >= kept->count) { /* fewer are deletions: nothing was missed */
            char day[24];
            day[hr_format_date(have->day, day)] = '\0';
            each(user, day, kept->count, have->count);
            n++;
        }
        *kept = *have; /* said once */
    }
    return n;
}

/* ---- JSON ---- */

static const char B64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static char *encode64(const uint8_t *in, size_t len) { /* len is a multiple of 3 */
    char *out = hr_malloc(len / 3 * 4 + 1);
    if (out == NULL) {
        return NULL;
    }
    char *p = out;
    for (size_t i = 0; i + 2 < len; i += 3) {
        const uint32_t v = (uint32_t)in[i] << 16 | (uint32_t)in[i + 1] << 8 | in[i + 2];
        *p++ = B64[v >> 18];
        *p++ = B64[(v >> 12) & 63];
        *p++ = B64[(v >> 6) & 63];
        *p++ = B64[v & 63];
    }
    *p = '\0';
    return out;
}

static int digit64(char c) {
    const char *at = c ? strchr(B64, c) : NULL;
    return at ? (int)(at - B64) : -1;
}

static bool decode64(const char *in, size_t len, uint8_t *out) {
    for (size_t i = 0; i < len; i += 4) {
        uint32_t v = 0;
        for (size_t k = 0; k < 4; k++) {
            const int d = digit64(in[i + k]);
            if (d < 0) {
                return false;
            }
            v = v << 6 | (uint32_t)d;
        }
        *out++ = (uint8_t)(v >> 16);
        *out++ = (uint8_t)(v >> 8);
        *out++ = (uint8_t)v;
    }
    return true;
}

static int compare_entries(const void *a, const void *b) {
    const uint64_t x = ((const struct entry *)a)->key;
    const uint64_t y = ((const struct entry *)b)->key;
    return x < y ? -1 : x > y;
}

/* Minutes are counted from the oldest entry, so 24 bits reach 31 years. */
static int64_t band_base(const struct hr_band *band) {
    int64_t base = INT64_MAX;
    for (size_t i = 0; i < band->table_size; i++) {
        if (band->table[i].key != 0 && band->table[i].time_us < base) {
            base = band->table[i].time_us;
        }
    }
    return base == INT64_MAX ? 0 : base / MINUTE_US;
}

static char *pack_entries(const struct hr_band *band, int64_t base) {
    struct entry *sorted = hr_malloc(band->used * sizeof(*sorted));
    uint8_t *bytes = hr_malloc(band->used * ENTRY_BYTES);
    char *text = NULL;
    if (sorted != NULL && bytes != NULL) {
        size_t n = 0;
        for (size_t i = 0; i < band->table_size; i++) {
            if (band->table[i].key != 0) {
                sorted[n++] = band->table[i];
            }
        }
        qsort(sorted, n, sizeof(*sorted), compare_entries);
        for (size_t i = 0; i < n; i++) {
            uint8_t *p = bytes + i * ENTRY_BYTES;
            /* Rounded up: an entry never looks older than it is. */
            int64_t minute = (sorted[i].time_us + MINUTE_US - 1) / MINUTE_US - base;
            minute = minute < 0 ? 0 : minute > 0xffffff ? 0xffffff : minute;
            memcpy(p, &sorted[i].key, 8);
            memcpy(p + 8, &sorted[i].etag, 7);
            memcpy(p + 15, &minute, 3);
        }
        text = encode64(bytes, n * ENTRY_BYTES);
    }
    hr_free(sorted);
    hr_free(bytes);
    return text;
}

static json_t *time_json(int64_t us) {
    return us == INT64_MIN ? json_null() : json_integer(us);
}

static json_t *days_json(const struct days *days) {
    json_t *object = json_object();
    for (size_t i = 0; object != NULL && i < days->count; i++) {
        const struct day_sum *d = &days->items[i];
        char day[24];
        char hex[33];
        uint8_t raw[16];
        day[hr_format_date(d->day, day)] = '\0';
        memcpy(raw, &d->hi, 8);
        memcpy(raw + 8, &d->lo, 8);
        hr_hex(raw, 16, hex);
        if (json_object_set_new(object, day, json_pack("[I,s]", (json_int_t)d->count, hex)) != 0) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

static int replay_json(const struct hr_band *band, json_t *into) {
    if (band->n_replay == 0) {
        (void)json_object_del(into, "replay");
        return 0;
    }
    json_t *list = json_array();
    int bad = list == NULL;
    for (size_t i = 0; !bad && i < band->n_replay; i++) {
        char hex[17];
        uint8_t raw[8];
        memcpy(raw, &band->replay[i], 8);
        hr_hex(raw, 8, hex);
        bad = json_array_append_new(list, json_string(hex));
    }
    return json_object_set_new(into, "replay", list) != 0 || bad;
}

int hr_band_to_json(const struct hr_band *band, json_t *into, struct hr_error *err) {
    const int64_t base = band_base(band);
    char *packed = pack_entries(band, base);
    int bad = packed == NULL || replay_json(band, into) != 0;
    bad |= json_object_set_new(into, "watermark", time_json(band->watermark));
    bad |= json_object_set_new(into, "newest", time_json(band->newest));
    bad |= json_object_set_new(into, "edge", time_json(band->edge));
    bad |= json_object_set_new(into, "base", json_integer(base));
    bad |= json_object_set_new(into, "band", json_string(packed ? packed : ""));
    bad |= json_object_set_new(into, "days", days_json(&band->kept));
    if (band->sweeping && band->sweep_key != NULL) {
        /* Keys are bytes; JSON text is UTF-8: hex keeps them exact. */
        const size_t n = strlen(band->sweep_key);
        char *hex = hr_malloc(2 * n + 1);
        if (hex != NULL) {
            hr_hex((const uint8_t *)band->sweep_key, n, hex);
            bad |= json_object_set_new(
                into, "sweep",
                json_pack("{s:I,s:s}", "upper", (json_int_t)band->sweep_upper, "key", hex));
        }
        bad |= hex == NULL;
        hr_free(hex);
    } else {
        (void)json_object_del(into, "sweep");
    }
    hr_free(packed);
    return bad ? no_memory(err) : 0;
}

static int bad_state(const char *name, const char *what, struct hr_error *err) {
    hr_fail(err, HR_E_STATE, "could not use the state in '%s': %s is damaged", name, what);
    hr_error_hint(err, "restore the file from a copy, or `headrace state reset` to read every "
                       "object again");
    return HR_E_STATE;
}

static bool get_time(const json_t *json, const char *name, int64_t *out) {
    const json_t *v = json_object_get(json, name);
    if (json_is_null(v)) {
        *out = INT64_MIN;
        return true;
    }
    *out = json_integer_value(v);
    return json_is_integer(v);
}

static int load_entries(struct hr_band *band, const char *text, int64_t base, const char *name,
                        struct hr_error *err) {
    const size_t len = strlen(text);
    if (len % (ENTRY_BYTES / 3 * 4) != 0) {
        return bad_state(name, "the band", err);
    }
    const size_t n = len / (ENTRY_BYTES / 3 * 4);
    uint8_t *bytes = hr_malloc(n * ENTRY_BYTES);
    int rc = bytes ? 0 : no_memory(err);
    if (rc == 0 && !decode64(text, len, bytes)) {
        rc = bad_state(name, "the band", err);
    }
    uint64_t before = 0;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        uint64_t key = 0;
        uint64_t etag = 0;
        int64_t minute = 0;
        memcpy(&key, bytes + i * ENTRY_BYTES, 8);
        memcpy(&etag, bytes + i * ENTRY_BYTES + 8, 7);
        memcpy(&minute, bytes + i * ENTRY_BYTES + 15, 3);
        if (key <= before) {
            rc = bad_state(name, "the order of the band", err);
            break;
        }
        before = key;
        rc = put_entry(band, key, etag, (base + minute) * MINUTE_US, err);
    }
    hr_free(bytes);
    return rc;
}

static int load_days(struct hr_band *band, const json_t *days, const char *name,
                     struct hr_error *err) {
    const char *day;
    json_t *pair;
    if (!json_is_object(days) || json_object_size(days) > DAYS_MAX) {
        return bad_state(name, "the list of days", err);
    }
    json_object_foreach((json_t *)(uintptr_t)days, day, pair) {
        int32_t number;
        uint8_t raw[16];
        const char *hex = json_string_value(json_array_get(pair, 1));
        const json_t *count = json_array_get(pair, 0);
        if (!hr_parse_date(day, strlen(day), &number) || hex == NULL || strlen(hex) != 32 ||
            hr_unhex(hex, raw, 16) != 0 || !json_is_integer(count)) {
            return bad_state(name, "a day sum", err);
        }
        struct day_sum *d = day_at(&band->kept, number);
        if (d == NULL) {
            return no_memory(err);
        }
        d->count = json_integer_value(count);
        memcpy(&d->hi, raw, 8);
        memcpy(&d->lo, raw + 8, 8);
    }
    return 0;
}

static int load_sweep(struct hr_band *band, const json_t *sweep, const char *name,
                      struct hr_error *err) {
    if (sweep == NULL) {
        return 0;
    }
    const char *hex = json_string_value(json_object_get(sweep, "key"));
    const json_t *upper = json_object_get(sweep, "upper");
    const size_t n = hex ? strlen(hex) / 2 : 0;
    if (hex == NULL || !json_is_integer(upper) || n > 4096) {
        return bad_state(name, "the sweep", err);
    }
    band->sweep_key = hr_calloc(n + 1, 1);
    if (band->sweep_key == NULL) {
        return no_memory(err);
    }
    if (hr_unhex(hex, (uint8_t *)band->sweep_key, n) != 0) {
        return bad_state(name, "the sweep", err);
    }
    band->sweeping = true;
    band->sweep_upper = json_integer_value(upper);
    return 0;
}

static int load_replay(struct hr_band *band, const json_t *list, const char *name,
                       struct hr_error *err) {
    if (list == NULL) {
        return 0;
    }
    if (!json_is_array(list) || json_array_size(list) > REPLAY_MAX) {
        return bad_state(name, "the list of keys to read again", err);
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *hex = json_string_value(json_array_get(list, i));
        uint8_t raw[8];
        uint64_t key;
        if (hex == NULL || hr_unhex(hex, raw, 8) != 0) {
            return bad_state(name, "the list of keys to read again", err);
        }
        memcpy(&key, raw, 8);
        const int rc = mark_replay(band, key, err);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

int hr_band_from_json(const json_t *json, int64_t lookback_seconds, const char *name,
                      struct hr_band **out, struct hr_error *err) {
    struct hr_band *band;
    int rc = hr_band_new(lookback_seconds, &band, err);
    if (rc != 0) {
        return rc;
    }
    const json_t *base = json_object_get(json, "base");
    const char *packed = json_string_value(json_object_get(json, "band"));
    if (!get_time(json, "watermark", &band->watermark) ||
        !get_time(json, "newest", &band->newest) ||
        (json_object_get(json, "edge") != NULL && !get_time(json, "edge", &band->edge)) ||
        !json_is_integer(base) || packed == NULL ||
        llabs(json_integer_value(base)) > INT64_MAX / MINUTE_US / 2) {
        rc = bad_state(name, "its own part", err);
    }
    if (rc == 0) {
        rc = load_entries(band, packed, json_integer_value(base), name, err);
    }
    if (rc == 0) {
        rc = load_days(band, json_object_get(json, "days"), name, err);
    }
    if (rc == 0) {
        rc = load_sweep(band, json_object_get(json, "sweep"), name, err);
    }
    if (rc == 0) {
        rc = load_replay(band, json_object_get(json, "replay"), name, err);
    }
    if (rc != 0) {
        hr_band_free(band);
        return rc;
    }
    *out = band;
    return 0;
}
