/* io/io.h - bytes of objects, fetched ahead, and bytes to objects, sent in parts.
 *
 * Level 4: base/, store/, codec/ (for nothing but naming). All large buffers are parts of one size
 * from hr_big_alloc, counted on the run's budget.
 */
#ifndef HR_IO_IO_H
#define HR_IO_IO_H

#include "store/store.h"

/* A budget of bytes shared by all feeds and uploads of a run. A taker may wait for bytes to come
 * back; the head-of-line task (see feed `head`) never waits, so nothing deadlocks. */
struct hr_budget;
struct hr_budget *hr_budget_new(size_t limit);
void hr_budget_free(struct hr_budget *budget);
size_t hr_budget_used(const struct hr_budget *budget);
size_t hr_budget_peak(const struct hr_budget *budget);

/* One piece of input: a whole object, a byte range of one, or (random) an object to be read at
 * chosen places. */
struct hr_split {
    const char *key;
    char etag[80];      /* If-Match of every request; "" none */
    int64_t size;       /* of the whole object */
    int64_t begin, end; /* bytes wanted by `next`; end -1: to the end; reading past `end` is allowed
                           and fetched on demand (a record that crosses the cut) */
    bool random; /* do not fetch ahead by yourself, but for the last 64 KiB; read_at and hint say
                    what is needed. Objects up to 1 part are fetched whole with one GET */
    bool
        sparse; /* random: only some of it is wanted, so objects over 1 MiB are not fetched whole */
    void *user;
};

struct hr_feed_conf {
    struct hr_store *store;
    struct hr_budget *budget;
    size_t part_size;  /* bytes of one GET, 8 MiB */
    int parts_ahead;   /* parts in flight or waiting for one feed (3) */
    int objects_ahead; /* small objects in flight at once for one feed (32) */
};

/* The input of one task: an ordered list of splits, whose bytes are fetched ahead across split
 * borders while the worker decodes. Used by one thread. */
struct hr_feed;
int hr_feed_open(const struct hr_feed_conf *conf, const struct hr_split *splits, size_t count,
                 struct hr_feed **out, struct hr_error *err);
/* The next split's source, or HR_END. The source belongs to the feed, closing it is optional and
 * cheap; the one before must not be used any more. Errors name the object; HR_E_CHANGED: replaced
 * since it was listed, HR_E_NO_OBJECT: deleted (the feed can go on to the next split). */
int hr_feed_next(struct hr_feed *feed, const struct hr_split **out_split, struct hr_source **out,
                 struct hr_error *err);
void hr_feed_set_head(
    struct hr_feed *feed);                /* this task is the head of line: never wait for budget */
void hr_feed_close(struct hr_feed *feed); /* cancels what is in flight, waits for it */

/* A single object as a source, for plan-time reads (footers, samples). Nothing is fetched before it
 * is asked for; `next` takes `window` bytes per GET (0: 64 KiB), growing to part size. */
int hr_object_source(struct hr_store *store, const char *key, const char *etag, int64_t size,
                     size_t window, struct hr_source **out, struct hr_error *err);

/* An object being written: bytes are collected into parts and sent in the background; nothing is
 * visible at the key until the upload is completed. `finish` sends the last part and waits; then
 * `parts` and `upload_id` are what mp_complete needs. close without finish aborts the upload unless
 * `keep` was called. */
struct hr_upload_out;
int hr_upload_open(struct hr_store *store, struct hr_budget *budget, const char *key,
                   const char *upload_id, /* from mp_create; copied */
                   size_t part_size, int parts_in_flight, struct hr_upload_out **out,
                   struct hr_error *err);
struct hr_out *hr_upload_as_out(struct hr_upload_out *up);
int hr_upload_finish(struct hr_upload_out *up, const struct hr_part **parts, size_t *n_parts,
                     int64_t *bytes, struct hr_error *err);
uint64_t
hr_upload_crc64(const struct hr_upload_out *up); /* CRC-64/NVME of all bytes, after finish */
void hr_upload_close(
    struct hr_upload_out *up); /* waits for parts in flight; does not abort at the store */

#endif
