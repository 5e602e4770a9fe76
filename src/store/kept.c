/* store/kept.c - ends of objects that were fetched once and will be asked for again.
 *
 * Footers lie there: the planner reads those of its samples and of the objects it cuts into pieces,
 * and a worker needs each again for every piece. The few newest are kept with the store they came
 * from, known by key, ETag and place, so that what was replaced since is fetched anew. */
#include <pthread.h>
#include <string.h>

#include "base/mem.h"
#include "store/store.h"

#define KEPT 8 /* of at most 64 KiB each, as io/ asks for them */

struct kept_end {
    char *key;
    char etag[80];
    int64_t offset;
    uint8_t *bytes;
    size_t len;
};

struct hr_kept {
    pthread_mutex_t lock;
    struct kept_end ends[KEPT];
    unsigned next;
};

static void release_end(struct kept_end *end) {
    hr_free(end->key);
    hr_free(end->bytes);
    *end = (struct kept_end){0};
}

void hr_kept_free(struct hr_kept *kept) {
    if (kept != NULL) {
        for (size_t i = 0; i < KEPT; i++) {
            release_end(&kept->ends[i]);
        }
        pthread_mutex_destroy(&kept->lock);
        hr_free(kept);
    }
}

/* The store's, made when it is first wanted; NULL: no memory. */
static struct hr_kept *kept_of(struct hr_store *store) {
    struct hr_kept *kept = atomic_load(&store->kept);
    if (kept != NULL) {
        return kept;
    }
    struct hr_kept *made = hr_calloc(1, sizeof(*made));
    if (made == NULL) {
        return NULL;
    }
    pthread_mutex_init(&made->lock, NULL);
    if (!atomic_compare_exchange_strong(&store->kept, &kept, made)) {
        hr_kept_free(made); /* another thread was quicker */
        return kept;
    }
    return made;
}

/* Lock held. */
static struct kept_end *find(struct hr_kept *kept, const char *key, const char *etag,
                             int64_t offset, size_t len) {
    for (size_t i = 0; i < KEPT; i++) {
        struct kept_end *end = &kept->ends[i];
        if (end->key != NULL && end->offset == offset && end->len == len &&
            strcmp(end->etag, etag) == 0 && strcmp(end->key, key) == 0) {
            return end;
        }
    }
    return NULL;
}

void hr_store_keep(struct hr_store *store, const char *key, const char *etag, int64_t offset,
                   const uint8_t *bytes, size_t len) {
    struct hr_kept *kept = etag[0] != '\0' ? kept_of(store) : NULL;
    struct kept_end end = {.offset = offset, .len = len};
    if (kept == NULL || strlen(etag) >= sizeof(end.etag)) {
        return;
    }
    end.key = hr_strdup(key);
    end.bytes = hr_malloc(len > 0 ? len : 1);
    if (end.key == NULL || end.bytes == NULL) {
        release_end(&end);
        return; /* it will be fetched again, nothing worse */
    }
    memcpy(end.etag, etag, strlen(etag) + 1);
    memcpy(end.bytes, bytes, len);
    pthread_mutex_lock(&kept->lock);
    struct kept_end *place = find(kept, key, etag, offset, len);
    place = place != NULL ? place : &kept->ends[kept->next++ % KEPT];
    struct kept_end old = *place;
    *place = end;
    pthread_mutex_unlock(&kept->lock);
    release_end(&old);
}

bool hr_store_kept(struct hr_store *store, const char *key, const char *etag, int64_t offset,
                   uint8_t *out, size_t len) {
    struct hr_kept *kept = atomic_load(&store->kept);
    if (kept == NULL || etag[0] == '\0') {
        return false;
    }
    pthread_mutex_lock(&kept->lock);
    const struct kept_end *end = find(kept, key, etag, offset, len);
    if (end != NULL) {
        memcpy(out, end->bytes, len);
    }
    pthread_mutex_unlock(&kept->lock);
    return end != NULL;
}
