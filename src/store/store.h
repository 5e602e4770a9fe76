/* store/store.h - SEAM store: buckets of objects, wherever they are.
 *
 * One folder per leaf (s3/ local/ mem/ stdio/), one `const struct hr_store_driver` each, one line
 * each in store_table.c. Level 3: base/, config/, http/, cred/.
 *
 * Keys are byte strings without NUL, at most 1024 bytes; no leading '/'. A store handle may be used
 * by any thread. Objects are listed in byte order of full keys. `local` serves a folder as a
 * bucket, ETag = size, mtime in ns and inode in hex; its multipart upload is a hidden `.tmp` file
 * beside the target and a no-clobber rename, so writers have one code path.
 */
#ifndef HR_STORE_STORE_H
#define HR_STORE_STORE_H

#include <stdatomic.h>

#include "base/io.h"

enum hr_store_caps {
    HR_CAP_RANGE = 1, /* ranged reads */
    HR_CAP_MULTIPART = 2,
    HR_CAP_COND_PUT = 4, /* If-None-Match / If-Match honoured on put and complete */
    HR_CAP_ORDERED = 8,  /* list comes in key order */
    HR_CAP_START_AFTER = 16,
    HR_CAP_LOCAL = 32 /* reads cost no round trip */
};

/* How to reach a bucket. Strings are borrowed during hr_store_open only. NULL / 0 = default. */
struct hr_store_conf {
    const char *scheme;       /* "s3", "file", "mem", "stdio" */
    const char *bucket;       /* s3: bucket; file: folder path; mem: instance name */
    const char *endpoint_url; /* s3 */
    const char *region;       /* NULL: the chain's, then us-east-1 */
    int path_style;           /* -1 auto (on with an endpoint_url or a dotted bucket), 0, 1 */
    bool insecure_tls;
    bool allow_ambient_credentials;
    bool anonymous;
    const char *ca_bundle, *proxy;
    const char *access_key_id, *secret_access_key, *session_token, *profile;
    const char *role_arn, *external_id, *role_session_name, *web_identity_token_file;
    int connections;             /* 0 auto (16) */
    int retry_count;             /* retries after the first attempt; -1: 5 */
    int timeout_seconds;         /* whole request without progress; 0: 300 */
    int max_requests_per_second; /* 0: no limit */
    int backoff_ms;              /* first back-off, 0: 100; full jitter, doubling, capped at 20 s */
    bool read_only;              /* file: do not create the folder */
    /* s3: encryption and canned ACL of every object written; NULL: the bucket's own */
    const char *sse, *kms_key_id, *acl;
    /* stdio: where a pipe's bytes are kept until they are read (NULL: $TMPDIR, else /tmp), and how
     * many at most (0: no limit) */
    const char *spill_dir;
    int64_t spill_max;
};

struct hr_object_info {
    int64_t size;
    int64_t mtime_us; /* LastModified, microseconds since the epoch; file: max(mtime, ctime) */
    char etag[80];    /* without the outer quotes; "" unknown */
};

struct hr_list_query {
    const char *prefix;      /* "" or NULL: all */
    const char *delimiter;   /* "/" or NULL */
    const char *start_after; /* keys greater than this; NULL */
    const char *token;       /* continuation of an earlier page; NULL: first page */
    int page_size;           /* 0: 1000 */
};
struct hr_list_item {
    const char *key; /* decoded; a common prefix ends with the delimiter */
    size_t key_len;
    bool is_prefix;
    struct hr_object_info info;
};
struct hr_list_page { /* hr_list_page_release frees it; may be reused for the next page */
    struct hr_list_item *items;
    size_t count;
    char *next_token; /* NULL: this was the last page */
    void *storage;
};

enum hr_put_cond {
    HR_PUT_ANY,
    HR_PUT_NEW,  /* If-None-Match: *; HR_E_EXISTS when there is one */
    HR_PUT_MATCH /* If-Match etag; HR_E_CHANGED when it differs or is gone */
};
struct hr_meta { /* user metadata of an object, e.g. headrace-commit */
    const char *name, *value;
};
struct hr_put_opts {
    enum hr_put_cond cond;
    const char *etag;         /* for HR_PUT_MATCH */
    const char *content_type; /* NULL: application/octet-stream */
    const struct hr_meta *meta;
    size_t n_meta;
    const char *sse, *kms_key_id, *acl, *storage_class, *tagging; /* NULL: not sent */
};
struct hr_part {
    int number; /* 1-based */
    char etag[80];
    int64_t size;
};
struct hr_upload { /* one unfinished multipart upload, from list_uploads */
    const char *key, *upload_id;
    int64_t initiated_us;
};

/* Requests by kind, as the client counted them; attempts count, retries also apart. */
struct hr_store_counters {
    uint64_t list, get, head, put, part, create, complete, abort, remove, other;
    uint64_t retries, throttled, bytes_in, bytes_out, connections;
};

/* Asynchronous request: filled by the caller, owned by the store until `done` was called (from the
 * I/O thread, or inline from submit for local stores). Failed attempts were already retried. */
enum hr_req_kind { HR_REQ_GET, HR_REQ_PART };
struct hr_store_req {
    enum hr_req_kind kind;
    const char *key;
    const char *if_match;  /* GET: ETag that must still hold (HR_E_CHANGED otherwise); NULL: any */
    int64_t offset, len;   /* GET: range; offset -1: the last len bytes (suffix) */
    uint8_t *buf;          /* GET: room for len; PART: the bytes */
    const char *upload_id; /* PART */
    int part_number;       /* PART; all parts but the last have equal size */
    int64_t part_offset;   /* PART: byte offset in the object */
    void (*done)(struct hr_store_req *req);
    void *user;
    /* results */
    int rc;
    struct hr_error err;
    int64_t got;                /* GET: bytes delivered (fewer than len only at the object's end) */
    struct hr_object_info info; /* GET: of the whole object; PART: etag */
    void *priv;                 /* the store's own, while it runs */
    bool abandoned;             /* the store's own */
    struct hr_store_req *next;
};

struct hr_store;
struct hr_kept;
struct hr_store_driver {
    const char *name;           /* "s3" */
    const char *const *schemes; /* {"s3", "s3a", NULL} */
    const char *missing;        /* known but not built */
    int (*open)(const struct hr_store_conf *conf, struct hr_store **out, struct hr_error *err);
    void (*close)(struct hr_store *store);
    /* One page. Blocks. HR_E_NO_BUCKET, HR_E_FORBIDDEN, HR_E_REGION (hint names the right one). */
    int (*list)(struct hr_store *store, const struct hr_list_query *q, struct hr_list_page *page,
                struct hr_error *err);
    /* meta_out NULL, or {name, -}: its value is filled (hr_free) or NULL. */
    int (*stat)(struct hr_store *store, const char *key, struct hr_object_info *out,
                struct hr_meta *meta_out, struct hr_error *err);
    void (*submit)(struct hr_store *store, struct hr_store_req *req);
    /* Optional: nobody wants this running request any more. `done` is still called, soon; the
     * request must not have been given back yet. */
    void (*abandon)(struct hr_store *store, struct hr_store_req *req);
    /* Every running and later request fails with CANCELLED. */
    void (*cancel)(struct hr_store *store);
    int (*put)(struct hr_store *store, const char *key, struct hr_slice body,
               const struct hr_put_opts *opts, char etag_out[80], struct hr_error *err);
    int (*remove)(struct hr_store *store, const char *key,
                  struct hr_error *err); /* absent is fine */
    /* Multipart. create answers an upload id (hr_free). */
    int (*mp_create)(struct hr_store *store, const char *key, const struct hr_put_opts *opts,
                     char **out_upload_id, struct hr_error *err);
    int (*mp_complete)(struct hr_store *store, const char *key, const char *upload_id,
                       const struct hr_part *parts, size_t n_parts, const struct hr_put_opts *opts,
                       char etag_out[80],
                       struct hr_error *err); /* HR_E_EXISTS, HR_E_NO_OBJECT: no such upload */
    /* Optional: make the parts sent so far survive a power cut (a store that answers only after
     * that has none). */
    int (*mp_sync)(struct hr_store *store, const char *key, const char *upload_id,
                   struct hr_error *err);
    int (*mp_abort)(struct hr_store *store, const char *key, const char *upload_id,
                    struct hr_error *err); /* absent is fine */
    int (*mp_list)(struct hr_store *store, const char *prefix,
                   int (*each)(void *user, const struct hr_upload *upload), void *user,
                   struct hr_error *err);
    /* The store's clock: Date of the newest answer, microseconds; 0 when none was seen yet. */
    int64_t (*clock_us)(struct hr_store *store);
    void (*counters)(struct hr_store *store, struct hr_store_counters *out);
};
struct hr_store {
    const struct hr_store_driver *driver;
    unsigned caps;
    char *label; /* "s3://bucket" or "file:/path", for messages */
    int refs;
    _Atomic(struct hr_kept *) kept; /* of hr_store_keep; zero at first */
};

int hr_store_open(const struct hr_store_conf *conf, struct hr_store **out, struct hr_error *err);
void hr_store_close(struct hr_store *store); /* NULL allowed */
void hr_list_page_release(struct hr_list_page *page);

/* Keep a copy of the end of an object that will be asked for again (footers), with the ETag it was
 * read under; the few newest stay. Best effort, any thread. kept: true when `out` got the bytes. */
void hr_store_keep(struct hr_store *store, const char *key, const char *etag, int64_t offset,
                   const uint8_t *bytes, size_t len);
bool hr_store_kept(struct hr_store *store, const char *key, const char *etag, int64_t offset,
                   uint8_t *out, size_t len);
void hr_kept_free(struct hr_kept *kept); /* hr_store_close does; NULL allowed */

/* Submit and wait; returns req->rc. Uses req->done and req->user. */
int hr_store_run(struct hr_store *store, struct hr_store_req *req);

/* Synchronous read of a range into buf (appended); offset -1: suffix of len; len -1: to the end. */
int hr_store_get(struct hr_store *store, const char *key, int64_t offset, int64_t len,
                 const char *if_match, struct hr_buf *buf, struct hr_object_info *info,
                 struct hr_error *err);

/* s3://bucket/prefix, file:///abs, file:rel, /abs, ./rel, rel, mem:name/prefix, "-" -> scheme,
 * bucket and key, all hr_free'd by the caller. For files the bucket is the longest folder part
 * without glob characters and the key the rest. */
struct hr_url {
    char *scheme, *bucket, *key;
};
int hr_url_parse(const char *text, struct hr_url *out, struct hr_error *err);
void hr_url_release(struct hr_url *url);

/* Glob over keys: * (not '/'), ** (any), ?, [a-z], {a,b}; a pattern starting with '!' is the
 * caller's business. */
bool hr_glob_match(const char *pattern, const char *key, size_t key_len);
size_t hr_glob_literal_prefix(const char *pattern); /* bytes before the first special one */

extern const struct hr_store_driver hr_store_s3, hr_store_local, hr_store_mem, hr_store_stdio;

#endif
