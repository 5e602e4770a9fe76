/* store/s3/s3.h - what the files of the S3 client share.
 *
 * s3_place: where the bucket is. s3_op: one request with its retries. s3_error: what answers mean.
 * s3_object, s3_multipart, hr_s3_list: the calls. s3_scan, s3_xml: reading XML, fast and whole.
 */
#ifndef HR_STORE_S3_S3_H
#define HR_STORE_S3_S3_H

#include <pthread.h>

#include "cred/cred.h"
#include "cred/sigv4.h"
#include "http/http.h"
#include "store/store.h"

/* ---- place ---------------------------------------------------------------------------------- */

/* Where requests go, fixed while it is in use; a corrected region makes a new one. */
struct s3_place {
    char *region;
    char *origin;             /* "https://bucket.s3.eu-west-1.amazonaws.com", no slash at the end */
    char *host;               /* as in the Host header */
    char *path;               /* what stands before "/KEY": "", or "/bucket" */
    struct hr_signer *signer; /* NULL: anonymous */
    struct s3_place *older;   /* kept: requests may still use it */
};

struct s3_endpoint { /* parts of endpoint_url */
    char *scheme;    /* "http", "https" */
    char *authority; /* host[:port] */
    char *base;      /* path before the bucket, "" or "/x" */
    bool aws;        /* AWS itself: the host follows the region */
};

int hr_s3_endpoint_parse(const char *url, struct s3_endpoint *out, struct hr_error *err);
void hr_s3_endpoint_release(struct s3_endpoint *ep);
int hr_s3_check_bucket(const char *bucket, struct hr_error *err);
int hr_s3_place_new(const struct s3_endpoint *ep, const char *region, const char *bucket,
                    bool path_style, const struct hr_cred *cred, struct s3_place **out,
                    struct hr_error *err);
void hr_s3_place_free(struct s3_place *place); /* the older ones as well */

/* ---- store ---------------------------------------------------------------------------------- */

enum s3_kind {
    S3_LIST,
    S3_GET,
    S3_HEAD,
    S3_PUT,
    S3_PART,
    S3_CREATE,
    S3_COMPLETE,
    S3_ABORT,
    S3_UPLOADS,
    S3_REMOVE,
    S3_KINDS
};

struct s3_op;
struct s3_store {
    struct hr_store base; /* first */
    struct hr_http *http;
    struct hr_cred cred;
    struct s3_endpoint endpoint;
    char *bucket;
    char *sse, *kms_key_id, *acl; /* of every object written; NULL: not sent */
    bool path_style;
    int retries, backoff_ms, requests_per_second;
    pthread_mutex_t lock; /* below it: */
    struct s3_place *place;
    struct hr_store_counters counters;
    struct s3_op *pool; /* ops to be used again, with their buffers */
    int pooled;
    int64_t skew_s;  /* what the server's clock is ahead of ours */
    int64_t date_us; /* Date of the newest answer */
    int64_t slot_ns; /* when the next request may go out */
    uint64_t random;
    bool cancelled, closing;
};

static inline struct s3_store *s3_of(struct hr_store *store) {
    return (struct s3_store *)(void *)store;
}

/* ---- op ------------------------------------------------------------------------------------- */

#define S3_HEADERS_MAX 16
#define S3_CRC_HEADER "x-amz-checksum-crc64nvme"
#define S3_CRC_DIGITS 12 /* in base64 */

/* What an answer leads to. */
enum s3_verdict {
    S3_DONE,
    S3_FAILED,
    S3_RETRY, /* after a pause, if retries are left */
    S3_AGAIN  /* at once: the clock or the region was corrected */
};

struct s3_op {
    struct hr_http_req http;
    struct s3_store *s;
    enum s3_kind kind;
    const char *method;
    const char *key;     /* borrowed; NULL: the bucket itself */
    struct hr_buf query; /* encoded, without '?' */
    struct hr_buf names; /* texts of headers below */
    struct {
        const char *name; /* lower case, static */
        size_t at, len;   /* value in names */
    } headers[S3_HEADERS_MAX];
    size_t n_headers;
    bool sign_body; /* hash the body (small ones); else UNSIGNED-PAYLOAD */
    enum hr_put_cond cond;
    bool conditional; /* an If-Match on reading */
    /* Judges a good answer; fills op->rc and err when it does not return S3_DONE. NULL: fine. */
    enum s3_verdict (*check)(struct s3_op *op);
    void (*done)(struct s3_op *op);
    void *user;

    int attempt;
    bool lost_answer; /* an earlier attempt may have taken effect */
    bool clock_fixed, region_fixed;
    struct s3_place *place; /* of this attempt */
    struct hr_buf lines;    /* URL and header lines of this attempt */
    int rc;
    struct hr_error err;
    struct s3_op *next;
};

/* A fresh op for a request on key (or the bucket). NULL: no memory. */
struct s3_op *hr_s3_op_new(struct s3_store *s, enum s3_kind kind, const char *method,
                           const char *key);
void hr_s3_op_free(struct s3_op *op); /* back to the pool */
/* Adds a signed header; formats like printf. The name must be static. */
int hr_s3_op_header(struct s3_op *op, const char *name, struct hr_error *err, const char *format,
                    ...) __attribute__((format(printf, 4, 5)));
/* Appends "name=value" to the query, the value encoded. In order of name. */
int hr_s3_op_param(struct s3_op *op, const char *name, const char *value, struct hr_error *err);
void hr_s3_op_start(struct s3_op *op);
void hr_s3_pool_free(struct s3_store *s);
/* Start and wait; returns op->rc, copies its error. */
int hr_s3_op_run(struct s3_op *op, struct hr_error *err);

/* ---- errors --------------------------------------------------------------------------------- */

/* What an error body said. */
struct s3_answer {
    char code[64], message[200], region[64], endpoint[200], request_id[80];
};
/* Judges an answer that is not good: fills op->rc and op->err. */
enum s3_verdict hr_s3_judge(struct s3_op *op);
/* An <Error> inside a 200. */
bool hr_s3_is_error_body(const struct hr_buf *text);
/* "read", "list" …: for "could not … 's3://b/k'" */
const char *hr_s3_verb(enum s3_kind kind);
/* Fills op->rc and op->err with "could not VERB 'PLACE': REASON". */
void hr_s3_fail(struct s3_op *op, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- XML ------------------------------------------------------------------------------------ */

/* One element with text and no children, by expat: its name (without a namespace prefix), its
 * parent's, its text. Non-zero ends the reading. */
typedef int (*s3_xml_fn)(void *user, const char *parent, const char *name, struct hr_slice text);
/* Called with the closing of every element that had children. */
typedef int (*s3_xml_end_fn)(void *user, const char *name);
/* HR_E_STORE when the text is not XML (or over the bounds), fn's result, else 0. root: the name of
 * the outermost element, NULL: any. */
int hr_s3_xml_read(struct hr_slice text, const char *root, s3_xml_fn fn, s3_xml_end_fn end,
                   void *user, struct hr_error *err);

/* A ListBucketResult into a page: by tags, or whole. The fast one answers HR_MORE when the text is
 * not of the plain shape it knows; then the other decides. It looks up to S3_SCAN_PAD bytes past
 * the text, which must be readable. token receives the continuation token. hr_page_finish is left
 * to the caller. */
#define S3_SCAN_PAD 64
int hr_s3_scan_list(struct hr_slice text, struct hr_list_page *page, struct hr_buf *token,
                    bool *truncated, struct hr_error *err);
int hr_s3_xml_list(struct hr_slice text, struct hr_list_page *page, struct hr_buf *token,
                   bool *truncated, struct hr_error *err);
/* Decodes entities and, with `url`, percent encoding and '+', in place of dst (len bytes at most).
 * Returns the length, or SIZE_MAX when the text is broken or holds a NUL. */
size_t hr_s3_decode_text(struct hr_slice text, bool url, char *dst);
/* Decodes only percent encoding. Same result. */
size_t hr_s3_decode_url(struct hr_slice text, char *dst);
/* LastModified; 0 when it is not a time. */
int64_t hr_s3_parse_time(struct hr_slice text);

/* ---- calls ---------------------------------------------------------------------------------- */

int hr_s3_list(struct hr_store *store, const struct hr_list_query *q, struct hr_list_page *page,
               struct hr_error *err);
int hr_s3_stat(struct hr_store *store, const char *key, struct hr_object_info *out,
               struct hr_meta *meta_out, struct hr_error *err);
void hr_s3_submit(struct hr_store *store, struct hr_store_req *req);
void hr_s3_abandon(struct hr_store *store, struct hr_store_req *req);
int hr_s3_put(struct hr_store *store, const char *key, struct hr_slice body,
              const struct hr_put_opts *opts, char etag_out[80], struct hr_error *err);
int hr_s3_remove(struct hr_store *store, const char *key, struct hr_error *err);
int hr_s3_mp_create(struct hr_store *store, const char *key, const struct hr_put_opts *opts,
                    char **out_upload_id, struct hr_error *err);
int hr_s3_mp_complete(struct hr_store *store, const char *key, const char *upload_id,
                      const struct hr_part *parts, size_t n_parts, const struct hr_put_opts *opts,
                      char etag_out[80], struct hr_error *err);
int hr_s3_mp_abort(struct hr_store *store, const char *key, const char *upload_id,
                   struct hr_error *err);
int hr_s3_mp_list(struct hr_store *store, const char *prefix,
                  int (*each)(void *user, const struct hr_upload *upload), void *user,
                  struct hr_error *err);

/* Headers that PUT and create share: type, encryption, class, metadata. */
int hr_s3_put_headers(struct s3_op *op, const struct hr_put_opts *opts, struct hr_error *err);
/* If-None-Match or If-Match, as PUT and complete take it. */
int hr_s3_condition(struct s3_op *op, const struct hr_put_opts *opts, struct hr_error *err);
/* ETag header of an answer, quotes removed. */
void hr_s3_etag(struct hr_slice value, char out[80]);

#endif
