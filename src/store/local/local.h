/* store/local/local.h - a folder as a bucket: what its files share. */
#ifndef HR_STORE_LOCAL_LOCAL_H
#define HR_STORE_LOCAL_LOCAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "store/store.h"

#define LOCAL_KEY_MAX 4095 /* PATH_MAX less its NUL */
#define LOCAL_IDLE_WALKS 8

struct local_walk;

struct local_store {
    struct hr_store base; /* first */
    int root;             /* the folder, open */
    char *path;           /* as given, for messages */
    atomic_bool cancelled;
    pthread_mutex_t lock; /* below it: */
    struct local_walk *idle[LOCAL_IDLE_WALKS];
    struct hr_store_counters counters;
};

static inline struct local_store *local_of(struct hr_store *store) {
    return (struct local_store *)(void *)store;
}

/* Adds n to one counter. */
void hr_local_count(struct local_store *s, uint64_t *counter, uint64_t n);
/* Fills size, time and ETag from a stat. */
void hr_local_info(const struct stat *st, struct hr_object_info *out);

/* ---- local_path.c */
/* A key a file can have: no empty, "." or ".." component, no component over 255 bytes. Otherwise
 * `code` with a sentence. */
int hr_local_check_key(const char *key, int code, struct hr_error *err);
/* mkdir -p on a path given by the user, syncing the parent of every folder made. */
int hr_local_make_root(const char *path, struct hr_error *err);
/* Opens the folder a key lives in, beneath the root and through no symbolic link, making it when
 * `create` is set; *out_name is the last component. Returns the descriptor or an error code (< 0).
 */
int hr_local_open_parent(struct local_store *s, const char *key, bool create, const char **out_name,
                         struct hr_error *err);
/* A name such a `.tmp` file has: hidden from listings. */
bool hr_local_is_hidden(const char *name);

/* ---- hr_local_list.c */
int hr_local_list(struct hr_store *store, const struct hr_list_query *q, struct hr_list_page *page,
                  struct hr_error *err);
int hr_local_mp_list(struct hr_store *store, const char *prefix,
                     int (*each)(void *user, const struct hr_upload *upload), void *user,
                     struct hr_error *err);
void hr_local_walk_free(struct local_walk *walk);

/* ---- local_write.c */
int hr_local_put(struct hr_store *store, const char *key, struct hr_slice body,
                 const struct hr_put_opts *opts, char etag_out[80], struct hr_error *err);
int hr_local_remove(struct hr_store *store, const char *key, struct hr_error *err);
int hr_local_mp_create(struct hr_store *store, const char *key, const struct hr_put_opts *opts,
                       char **out_upload_id, struct hr_error *err);
int hr_local_write_part(struct local_store *s, struct hr_store_req *req);
int hr_local_mp_complete(struct hr_store *store, const char *key, const char *upload_id,
                         const struct hr_part *parts, size_t n_parts,
                         const struct hr_put_opts *opts, char etag_out[80], struct hr_error *err);
int hr_local_mp_sync(struct hr_store *store, const char *key, const char *upload_id,
                     struct hr_error *err);
int hr_local_mp_abort(struct hr_store *store, const char *key, const char *upload_id,
                      struct hr_error *err);
/* ".NAME.TOKEN.RANDOM.tmp" -> length of NAME at name + 1; 0 when it is not a name of ours. */
size_t hr_local_upload_name(const char *name);

#endif
