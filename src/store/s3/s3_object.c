/* store/s3/s3_object.c - reading ranges, looking at, writing and removing one object. */
#include <inttypes.h>
#include <stdio.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/time.h"
#include "store/s3/s3.h"

#define SIGNED_BODY_MAX ((size_t)64 << 10) /* larger ones carry a CRC instead of a signed hash */

void hr_s3_etag(struct hr_slice value, char out[80]) {
    if (value.len >= 2 && value.ptr[0] == '"' && value.ptr[value.len - 1] == '"') {
        value.ptr++;
        value.len -= 2;
    }
    /* One that does not fit would never match: better none. */
    size_t n = value.len < 80 && memchr(value.ptr, 0, value.len) == NULL ? value.len : 0;
    memcpy(out, value.ptr, n);
    out[n] = '\0';
}

static bool parse_number(struct hr_slice text, int64_t *out) {
    int64_t v = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9' || v > INT64_MAX / 10 - 10) {
            return false;
        }
        v = v * 10 + (text.ptr[i] - '0');
    }
    *out = v;
    return text.len > 0;
}

/* "bytes 0-99/1234" or "bytes *" "/1234"; begin is -1 in the second form. */
static bool parse_content_range(struct hr_slice v, int64_t *begin, int64_t *end, int64_t *total) {
    const uint8_t *slash = memchr(v.ptr, '/', v.len);
    if (v.len < 8 || memcmp(v.ptr, "bytes ", 6) != 0 || slash == NULL) {
        return false;
    }
    size_t after = (size_t)(slash - v.ptr) + 1;
    if (!parse_number(hr_slice_of(v.ptr + after, v.len - after), total)) {
        return false;
    }
    struct hr_slice range = hr_slice_of(v.ptr + 6, (size_t)(slash - v.ptr) - 6);
    if (hr_slice_eq_str(range, "*")) {
        *begin = *end = -1;
        return true;
    }
    const uint8_t *dash = memchr(range.ptr, '-', range.len);
    if (dash == NULL) {
        return false;
    }
    size_t n = (size_t)(dash - range.ptr);
    return parse_number(hr_slice_of(range.ptr, n), begin) &&
           parse_number(hr_slice_of(dash + 1, range.len - n - 1), end);
}

static void fill_info(const struct s3_op *op, struct hr_object_info *info) {
    struct hr_slice modified = hr_http_header(&op->http, "last-modified");
    int64_t seconds;
    hr_s3_etag(hr_http_header(&op->http, "etag"), info->etag);
    info->mtime_us = hr_parse_http_date((const char *)modified.ptr, modified.len, &seconds)
                         ? seconds * 1000000
                         : 0;
}

/* ---- GET ------------------------------------------------------------------------------------ */

static enum s3_verdict wrong_range(struct s3_op *op, const struct hr_store_req *req) {
    struct hr_slice v = hr_http_header(&op->http, "content-range");
    char shown[100];
    hr_s3_fail(op, HR_E_STORE, "the answer is not the range asked for");
    hr_error_detail(&op->err,
                    "asked for %" PRId64 " bytes at %" PRId64 ", got %zu as Content-Range '%s'",
                    req->len, req->offset, op->http.got, hr_printable(v, 80, shown, sizeof(shown)));
    hr_error_hint(&op->err, "a proxy between here and the store may be at fault");
    return S3_RETRY;
}

/* A server that ignores Range sends all of it; right when all was wanted. */
static enum s3_verdict whole_answer(struct s3_op *op, struct hr_store_req *req) {
    int64_t got = (int64_t)op->http.got;
    if (req->offset > 0) {
        hr_s3_fail(op, HR_E_UNSUPPORTED, "the server ignores Range requests");
        return S3_FAILED;
    }
    req->got = got;
    req->info.size = got;
    return S3_DONE;
}

static enum s3_verdict check_get(struct s3_op *op) {
    struct hr_store_req *req = op->user;
    int64_t begin;
    int64_t end;
    int64_t total;
    int64_t got = (int64_t)op->http.got;
    fill_info(op, &req->info);
    if (op->http.status == 200) {
        return whole_answer(op, req);
    }
    if (got == 0 && req->offset < 0) { /* the end of an empty object, in MinIO's words */
        req->info.size = 0;
        return S3_DONE;
    }
    if (!parse_content_range(hr_http_header(&op->http, "content-range"), &begin, &end, &total) ||
        begin < 0 || end < begin || end >= total || end - begin + 1 != got) {
        return wrong_range(op, req);
    }
    int64_t want_begin = req->offset;
    if (want_begin < 0) {
        want_begin = total > req->len ? total - req->len : 0;
    }
    int64_t left = total - want_begin;
    if (begin != want_begin || got != (left < req->len ? left : req->len)) {
        return wrong_range(op, req);
    }
    req->got = got;
    req->info.size = total;
    return S3_DONE;
}

/* Behind the end, or an empty object: no bytes, but no failure. */
static bool behind_end(struct s3_op *op, struct hr_store_req *req) {
    int64_t begin;
    int64_t end;
    int64_t total;
    if (op->http.rc != 0 || op->http.status != 416) {
        return false;
    }
    req->got = 0;
    req->info = (struct hr_object_info){.size = 0};
    if (parse_content_range(hr_http_header(&op->http, "content-range"), &begin, &end, &total)) {
        req->info.size = total;
    }
    return true;
}

static void get_done(struct s3_op *op) {
    struct s3_store *s = op->s;
    struct hr_store_req *req = op->user;
    pthread_mutex_lock(&s->lock);
    req->priv = NULL;
    pthread_mutex_unlock(&s->lock);
    req->rc = op->rc;
    if (op->rc != 0 && behind_end(op, req)) {
        req->rc = 0;
    } else if (op->rc == HR_E_STORE && op->http.status == 200 && op->http.rc == HR_E_STORE) {
        hr_s3_fail(op, HR_E_UNSUPPORTED, "the server ignores Range requests");
        req->rc = op->rc;
    }
    if (req->rc != 0) {
        req->err = op->err;
    }
    hr_s3_op_free(op);
    req->done(req);
}

/* What a part is known by: its ETag and, behind a blank, its CRC, which completing must repeat. */
static void part_token(const struct s3_op *op, char out[80]) {
    hr_s3_etag(hr_http_header(&op->http, "etag"), out);
    size_t n = strlen(out);
    for (size_t i = 0; i < op->n_headers; i++) {
        if (strcmp(op->headers[i].name, S3_CRC_HEADER) == 0 && n + 2 + op->headers[i].len <= 80) {
            out[n] = ' ';
            memcpy(out + n + 1, op->names.ptr + op->headers[i].at, op->headers[i].len);
            out[n + 1 + op->headers[i].len] = '\0';
        }
    }
}

static void part_done(struct s3_op *op) {
    struct hr_store_req *req = op->user;
    pthread_mutex_lock(&op->s->lock);
    req->priv = NULL;
    pthread_mutex_unlock(&op->s->lock);
    req->rc = op->rc;
    if (op->rc != 0) {
        req->err = op->err;
    } else {
        part_token(op, req->info.etag);
    }
    hr_s3_op_free(op);
    req->done(req);
}

/* An integrity check of the body that costs next to nothing. */
static int checksum_header(struct s3_op *op, struct hr_error *err) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint64_t crc = hr_crc64nvme(0, op->http.body.ptr, op->http.body.len);
    char text[S3_CRC_DIGITS + 1];
    /* Eight bytes, big-endian, in base64: ten digits, an eleventh for the last four bits, '='. */
    for (int i = 0; i < 10; i++) {
        text[i] = digits[crc >> (58 - 6 * i) & 63];
    }
    text[10] = digits[(crc & 15) << 2];
    text[11] = '=';
    text[12] = '\0';
    return hr_s3_op_header(op, S3_CRC_HEADER, err, "%s", text);
}

static int prepare_get(struct s3_op *op, const struct hr_store_req *req, struct hr_error *err) {
    int rc = req->offset < 0 ? hr_s3_op_header(op, "range", err, "bytes=-%" PRId64, req->len)
                             : hr_s3_op_header(op, "range", err, "bytes=%" PRId64 "-%" PRId64,
                                               req->offset, req->offset + req->len - 1);
    if (rc == 0 && req->if_match != NULL) {
        op->conditional = true;
        rc = hr_s3_op_header(op, "if-match", err, "\"%s\"", req->if_match);
    }
    op->http.dst = req->buf;
    op->http.dst_len = (size_t)req->len;
    op->check = check_get;
    op->done = get_done;
    return rc;
}

static int prepare_part(struct s3_op *op, const struct hr_store_req *req, struct hr_error *err) {
    char number[16];
    snprintf(number, sizeof(number), "%d", req->part_number);
    int rc = hr_s3_op_param(op, "partNumber", number, err);
    rc = rc ? rc : hr_s3_op_param(op, "uploadId", req->upload_id, err);
    op->http.body = hr_slice_of(req->buf, (size_t)req->len);
    op->done = part_done;
    return rc ? rc : checksum_header(op, err);
}

void hr_s3_submit(struct hr_store *store, struct hr_store_req *req) {
    struct s3_store *s = s3_of(store);
    bool part = req->kind == HR_REQ_PART;
    hr_error_clear(&req->err);
    req->got = 0;
    req->priv = NULL;
    if (!part && req->len == 0) {
        req->rc = 0;
        req->info = (struct hr_object_info){.size = -1};
        req->done(req);
        return;
    }
    struct s3_op *op = hr_s3_op_new(s, part ? S3_PART : S3_GET, part ? "PUT" : "GET", req->key);
    req->rc =
        op ? 0 : hr_fail(&req->err, HR_E_NOMEM, "could not use '%s': out of memory", req->key);
    if (req->rc == 0) {
        op->user = req;
        req->rc = part ? prepare_part(op, req, &req->err) : prepare_get(op, req, &req->err);
    }
    if (req->rc != 0) {
        hr_s3_op_free(op);
        req->done(req);
        return;
    }
    pthread_mutex_lock(&s->lock);
    req->priv = op;
    pthread_mutex_unlock(&s->lock);
    hr_s3_op_start(op);
}

void hr_s3_abandon(struct hr_store *store, struct hr_store_req *req) {
    struct s3_store *s = s3_of(store);
    pthread_mutex_lock(&s->lock);
    struct s3_op *op = req->priv;
    if (op != NULL) {
        hr_http_abandon(s->http, &op->http);
    }
    pthread_mutex_unlock(&s->lock);
}

/* ---- HEAD, DELETE --------------------------------------------------------------------------- */

/* HEAD answers have no body, so a refusal does not say why. One byte by GET does. */
static int ask_why(struct s3_store *s, const char *key, struct hr_error *err) {
    struct s3_op *op = hr_s3_op_new(s, S3_GET, "GET", key);
    if (op == NULL) {
        return HR_E_NOMEM;
    }
    int rc = hr_s3_op_header(op, "range", err, "bytes=0-0");
    rc = rc ? rc : hr_s3_op_run(op, err);
    hr_s3_op_free(op);
    return rc;
}

int hr_s3_stat(struct hr_store *store, const char *key, struct hr_object_info *out,
               struct hr_meta *meta_out, struct hr_error *err) {
    struct s3_store *s = s3_of(store);
    if (meta_out != NULL) {
        meta_out->value = NULL;
    }
    struct s3_op *op = hr_s3_op_new(s, S3_HEAD, "HEAD", key);
    if (op == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not look at '%s': out of memory", key);
    }
    int rc = hr_s3_op_run(op, err);
    int status = op->http.status;
    if (rc == 0) {
        struct hr_slice length = hr_http_header(&op->http, "content-length");
        fill_info(op, out);
        if (!parse_number(length, &out->size)) {
            out->size = -1;
        }
        if (meta_out != NULL) {
            char name[160];
            snprintf(name, sizeof(name), "x-amz-meta-%s", meta_out->name);
            struct hr_slice value = hr_http_header(&op->http, name);
            if (value.len > 0) {
                meta_out->value = hr_strndup((const char *)value.ptr, value.len);
                if (meta_out->value == NULL) {
                    rc = hr_fail(err, HR_E_NOMEM, "could not look at '%s': out of memory", key);
                }
            }
        }
    }
    hr_s3_op_free(op);
    if (rc != 0 && (status == 400 || status == 403 || status == 404 || status == 301)) {
        struct hr_error why;
        int second = ask_why(s, key, &why);
        /* 404 may also mean that the bucket is missing. */
        if (second != 0 && second != HR_E_NOMEM) {
            rc = second;
            if (err != NULL) {
                *err = why;
            }
        }
    }
    return rc;
}

int hr_s3_remove(struct hr_store *store, const char *key, struct hr_error *err) {
    struct s3_op *op = hr_s3_op_new(s3_of(store), S3_REMOVE, "DELETE", key);
    if (op == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not remove '%s': out of memory", key);
    }
    int rc = hr_s3_op_run(op, err);
    hr_s3_op_free(op);
    if (rc == HR_E_NO_OBJECT) {
        hr_error_clear(err);
        rc = 0;
    }
    return rc;
}

/* ---- PUT ------------------------------------------------------------------------------------ */

static bool plain_name(const char *name) {
    for (const char *c = name; *c != '\0'; c++) {
        if (!((*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') || *c == '-' || *c == '_')) {
            return false;
        }
    }
    return name[0] != '\0' && strlen(name) < 100;
}

/* Metadata headers have names of the caller's; the text must outlive the op, so the one we use is
 * known here. */
static const char *meta_header(const char *name) {
    static const char *const ours[] = {"x-amz-meta-headrace-commit", "x-amz-meta-headrace-owner",
                                       "x-amz-meta-headrace-lease"};
    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
        if (strcmp(ours[i] + strlen("x-amz-meta-"), name) == 0) {
            return ours[i];
        }
    }
    return NULL;
}

int hr_s3_put_headers(struct s3_op *op, const struct hr_put_opts *opts, struct hr_error *err) {
    int rc = 0;
    const struct {
        const char *name, *value;
    } headers[] = {
        {"content-type",
         opts && opts->content_type ? opts->content_type : "application/octet-stream"},
        {"x-amz-server-side-encryption", opts && opts->sse ? opts->sse : op->s->sse},
        {"x-amz-server-side-encryption-aws-kms-key-id",
         opts && opts->kms_key_id ? opts->kms_key_id : op->s->kms_key_id},
        {"x-amz-acl", opts && opts->acl ? opts->acl : op->s->acl},
        {"x-amz-storage-class", opts ? opts->storage_class : NULL},
        {"x-amz-tagging", opts ? opts->tagging : NULL},
    };
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]) && rc == 0; i++) {
        if (headers[i].value != NULL && headers[i].value[0] != '\0') {
            rc = hr_s3_op_header(op, headers[i].name, err, "%s", headers[i].value);
        }
    }
    for (size_t i = 0; opts != NULL && i < opts->n_meta && rc == 0; i++) {
        const char *name = plain_name(opts->meta[i].name) ? meta_header(opts->meta[i].name) : NULL;
        rc = name ? hr_s3_op_header(op, name, err, "%s", opts->meta[i].value)
                  : hr_fail(err, HR_E_INTERNAL, "could not write '%s': metadata '%s' is not known",
                            op->key, opts->meta[i].name);
    }
    return rc;
}

int hr_s3_condition(struct s3_op *op, const struct hr_put_opts *opts, struct hr_error *err) {
    op->cond = opts ? opts->cond : HR_PUT_ANY;
    if (op->cond == HR_PUT_ANY) {
        return 0;
    }
    return op->cond == HR_PUT_NEW
               ? hr_s3_op_header(op, "if-none-match", err, "*")
               : hr_s3_op_header(op, "if-match", err, "\"%s\"", opts->etag ? opts->etag : "");
}

int hr_s3_put(struct hr_store *store, const char *key, struct hr_slice body,
              const struct hr_put_opts *opts, char etag_out[80], struct hr_error *err) {
    struct s3_op *op = hr_s3_op_new(s3_of(store), S3_PUT, "PUT", key);
    if (op == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not write '%s': out of memory", key);
    }
    op->http.body = body;
    op->sign_body = body.len <= SIGNED_BODY_MAX;
    int rc = hr_s3_put_headers(op, opts, err);
    rc = rc ? rc : hr_s3_condition(op, opts, err);
    rc = rc || op->sign_body ? rc : checksum_header(op, err);
    rc = rc ? rc : hr_s3_op_run(op, err);
    if (rc == 0 && etag_out != NULL) {
        hr_s3_etag(hr_http_header(&op->http, "etag"), etag_out);
    }
    hr_s3_op_free(op);
    return rc;
}
