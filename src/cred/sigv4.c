/* cred/sigv4.c - AWS Signature Version 4.
 *
 * canonical request -> its hash in the string to sign -> HMAC with a key derived from the secret,
 * the day, the region and the service. The key changes once a day, so it is kept. Steps are apart
 * so that the published test vectors can be checked one by one. */
#include "cred/sigv4.h"

#include <openssl/crypto.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/time.h"
#include "cred/secret.h"

#define ALGORITHM "AWS4-HMAC-SHA256"
#define MAX_PARAMS 256

struct hr_signer {
    char *access_key_id, *region, *service;
    struct hr_secret secret, token;
    pthread_mutex_t lock; /* below it: */
    char day[9];
    uint8_t key[32];
};

struct hr_signer *hr_signer_new(const char *access_key_id, const char *secret, const char *token,
                                const char *region, const char *service) {
    struct hr_signer *s = hr_calloc(1, sizeof(*s));
    if (s == NULL) {
        return NULL;
    }
    pthread_mutex_init(&s->lock, NULL);
    s->access_key_id = hr_strdup(access_key_id);
    s->region = hr_strdup(region);
    s->service = hr_strdup(service);
    bool ok = hr_secret_set(&s->secret, secret) && hr_secret_set(&s->token, token);
    if (!ok || s->access_key_id == NULL || s->region == NULL || s->service == NULL) {
        hr_signer_free(s);
        return NULL;
    }
    return s;
}

void hr_signer_free(struct hr_signer *s) {
    if (s != NULL) {
        OPENSSL_cleanse(s->key, sizeof(s->key));
        hr_secret_release(&s->secret);
        hr_secret_release(&s->token);
        hr_free(s->access_key_id);
        hr_free(s->region);
        hr_free(s->service);
        pthread_mutex_destroy(&s->lock);
        hr_free(s);
    }
}

const char *hr_signer_token(const struct hr_signer *s) {
    return s->token.text;
}

/* ---- encoding ------------------------------------------------------------------------------- */

static bool unreserved(uint8_t c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

int hr_uri_encode(struct hr_slice text, bool keep_slash, struct hr_buf *out, struct hr_error *err) {
    static const char hex[] = "0123456789ABCDEF";
    int rc = hr_buf_reserve(out, text.len * 3, err);
    if (rc != 0) {
        return rc;
    }
    uint8_t *p = out->ptr + out->len;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (unreserved(c) || (c == '/' && keep_slash)) {
            *p++ = c;
        } else {
            *p++ = '%';
            *p++ = (uint8_t)hex[c >> 4];
            *p++ = (uint8_t)hex[c & 15];
        }
    }
    out->len = (size_t)(p - out->ptr);
    out->ptr[out->len] = '\0';
    return 0;
}

static int hex_value(uint8_t c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Re-encodes text that may be encoded already, in the canonical way. */
static int reencode(struct hr_slice text, struct hr_buf *out, struct hr_error *err) {
    int rc = 0;
    for (size_t i = 0; i < text.len && rc == 0; i++) {
        uint8_t c = text.ptr[i];
        if (c == '%' && i + 2 < text.len && hex_value(text.ptr[i + 1]) >= 0 &&
            hex_value(text.ptr[i + 2]) >= 0) {
            c = (uint8_t)(hex_value(text.ptr[i + 1]) * 16 + hex_value(text.ptr[i + 2]));
            i += 2;
        }
        rc = hr_uri_encode(hr_slice_of(&c, 1), false, out, err);
    }
    return rc;
}

/* ---- canonical request ---------------------------------------------------------------------- */

/* Removes ".", ".." and empty segments, as RFC 3986 section 5.2.4 does, and doubled slashes. */
static int normal_path(const char *path, struct hr_buf *out, struct hr_error *err) {
    int rc = 0;
    size_t end = 0; /* of the text that stays */
    bool slash = false;
    for (const char *p = path; *p != '\0' && rc == 0;) {
        size_t n = strcspn(p, "/");
        bool up = n == 2 && p[0] == '.' && p[1] == '.';
        bool here = n == 0 || (n == 1 && p[0] == '.');
        slash = p[n] == '/' || up || here;
        if (up) {
            while (end > 0 && out->ptr[end - 1] != '/') {
                end--;
            }
            end -= end > 0;
            out->len = end;
        } else if (!here) {
            rc = hr_buf_append_byte(out, '/', err);
            rc = rc ? rc : hr_buf_append(out, p, n, err);
            end = out->len;
        }
        p += n + (p[n] == '/');
    }
    if (rc == 0 && (out->len == 0 || slash)) {
        rc = hr_buf_append_byte(out, '/', err);
    }
    return rc;
}

static int canonical_path(const struct hr_sign_request *req, struct hr_buf *out,
                          struct hr_error *err) {
    if (req->s3) {
        return hr_buf_append_str(out, req->path[0] ? req->path : "/", err);
    }
    struct hr_buf normal;
    hr_buf_init(&normal, 0);
    int rc = req->normalize ? normal_path(req->path, &normal, err)
                            : hr_buf_append_str(&normal, req->path[0] ? req->path : "/", err);
    rc = rc ? rc : hr_uri_encode(hr_buf_slice(&normal), true, out, err);
    hr_buf_release(&normal);
    return rc;
}

struct param {
    struct hr_slice name, value; /* encoded */
    size_t name_at, value_at;    /* in the buffer, while it may move */
};

static int compare_slices(struct hr_slice a, struct hr_slice b) {
    int c = memcmp(a.ptr, b.ptr, a.len < b.len ? a.len : b.len);
    return c != 0 ? c : (a.len > b.len) - (a.len < b.len);
}

static int compare_params(const void *pa, const void *pb) {
    const struct param *a = pa;
    const struct param *b = pb;
    int c = compare_slices(a->name, b->name);
    return c != 0 ? c : compare_slices(a->value, b->value);
}

/* Sorted by name, then value; every parameter with a '='. */
static int canonical_query(const char *query, struct hr_buf *out, struct hr_error *err) {
    struct param params[MAX_PARAMS];
    size_t n = 0;
    struct hr_buf text;
    hr_buf_init(&text, 0);
    int rc = hr_buf_reserve(&text, strlen(query), err);
    for (const char *p = query; *p != '\0' && rc == 0;) {
        size_t len = strcspn(p, "&");
        const char *eq = memchr(p, '=', len);
        size_t name_len = eq ? (size_t)(eq - p) : len;
        if (n == MAX_PARAMS) {
            rc = hr_fail(err, HR_E_BOUND, "could not sign a request: it has over %d parameters",
                         MAX_PARAMS);
            break;
        }
        if (len > 0) {
            struct param *q = &params[n++];
            q->name_at = text.len;
            rc = reencode(hr_slice_of(p, name_len), &text, err);
            q->name.len = text.len - q->name_at;
            q->value_at = text.len;
            if (rc == 0 && eq != NULL) {
                rc = reencode(hr_slice_of(eq + 1, len - name_len - 1), &text, err);
            }
            q->value.len = text.len - q->value_at;
        }
        p += len + (p[len] == '&');
    }
    for (size_t i = 0; i < n && rc == 0; i++) {
        params[i].name.ptr = text.ptr + params[i].name_at;
        params[i].value.ptr = text.ptr + params[i].value_at;
    }
    if (rc == 0 && n > 1) {
        qsort(params, n, sizeof(params[0]), compare_params);
    }
    for (size_t i = 0; i < n && rc == 0; i++) {
        rc = i ? hr_buf_append_byte(out, '&', err) : 0;
        rc = rc ? rc : hr_buf_append(out, params[i].name.ptr, params[i].name.len, err);
        rc = rc ? rc : hr_buf_append_byte(out, '=', err);
        rc = rc ? rc : hr_buf_append(out, params[i].value.ptr, params[i].value.len, err);
    }
    hr_buf_release(&text);
    return rc;
}

/* Indexes of the headers in order of name; equal names keep their order. */
static size_t order_headers(const struct hr_sign_request *req, uint8_t order[HR_SIGN_HEADERS_MAX]) {
    size_t n = req->n_headers < HR_SIGN_HEADERS_MAX ? req->n_headers : HR_SIGN_HEADERS_MAX;
    for (size_t i = 0; i < n; i++) {
        size_t j = i;
        while (j > 0 && strcmp(req->headers[order[j - 1]].name, req->headers[i].name) > 0) {
            order[j] = order[j - 1];
            j--;
        }
        order[j] = (uint8_t)i;
    }
    return n;
}

/* Blanks at the ends go, runs of them inside become one. */
static int trimmed(struct hr_slice value, struct hr_buf *out, struct hr_error *err) {
    bool blank = false;
    bool any = false;
    int rc = 0;
    for (size_t i = 0; i < value.len && rc == 0; i++) {
        uint8_t c = value.ptr[i];
        if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
            blank = any;
            continue;
        }
        if (blank) {
            rc = hr_buf_append_byte(out, ' ', err);
            blank = false;
        }
        rc = rc ? rc : hr_buf_append_byte(out, c, err);
        any = true;
    }
    return rc;
}

static int canonical_headers(const struct hr_sign_request *req, struct hr_buf *out,
                             struct hr_error *err) {
    uint8_t order[HR_SIGN_HEADERS_MAX];
    size_t n = order_headers(req, order);
    const char *last = "";
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0; i++) {
        const struct hr_sign_header *h = &req->headers[order[i]];
        if (strcmp(h->name, last) == 0) {
            rc = hr_buf_append_byte(out, ',', err);
        } else {
            rc = last[0] ? hr_buf_append_byte(out, '\n', err) : 0;
            rc = rc ? rc : hr_buf_append_str(out, h->name, err);
            rc = rc ? rc : hr_buf_append_byte(out, ':', err);
            last = h->name;
        }
        rc = rc ? rc : trimmed(h->value, out, err);
    }
    return rc ? rc : hr_buf_append_str(out, last[0] ? "\n" : "", err);
}

static int signed_headers(const struct hr_sign_request *req, const char *separator,
                          struct hr_buf *out, struct hr_error *err) {
    uint8_t order[HR_SIGN_HEADERS_MAX];
    size_t n = order_headers(req, order);
    const char *last = "";
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0; i++) {
        const char *name = req->headers[order[i]].name;
        if (strcmp(name, last) != 0) {
            rc = last[0] ? hr_buf_append_str(out, separator, err) : 0;
            rc = rc ? rc : hr_buf_append_str(out, name, err);
            last = name;
        }
    }
    return rc;
}

int hr_sigv4_canonical(const struct hr_sign_request *req, struct hr_buf *out,
                       struct hr_error *err) {
    int rc = hr_buf_reserve(out, 768, err);
    rc = rc ? rc : hr_buf_append_str(out, req->method, err);
    rc = rc ? rc : hr_buf_append_byte(out, '\n', err);
    rc = rc ? rc : canonical_path(req, out, err);
    rc = rc ? rc : hr_buf_append_byte(out, '\n', err);
    rc = rc || req->query[0] == '\0' ? rc : canonical_query(req->query, out, err);
    rc = rc ? rc : hr_buf_append_byte(out, '\n', err);
    rc = rc ? rc : canonical_headers(req, out, err);
    rc = rc ? rc : hr_buf_append_byte(out, '\n', err);
    rc = rc ? rc : signed_headers(req, ";", out, err);
    rc = rc ? rc : hr_buf_append_byte(out, '\n', err);
    return rc ? rc : hr_buf_append_str(out, req->payload_hash, err);
}

/* ---- signature ------------------------------------------------------------------------------ */

int hr_sigv4_string_to_sign(const struct hr_signer *s, int64_t seconds, struct hr_slice canonical,
                            struct hr_buf *out, struct hr_error *err) {
    char date[20];
    char hash[65];
    uint8_t digest[32];
    size_t n = hr_format_amz_date(seconds, date);
    date[n] = '\0';
    hr_sha256(canonical.ptr, canonical.len, digest);
    hr_hex(digest, 32, hash);
    return hr_buf_printf(out, err, ALGORITHM "\n%s\n%.8s/%s/%s/aws4_request\n%s", date, date,
                         s->region, s->service, hash);
}

static void hmac(const uint8_t *key, size_t len, const char *text, uint8_t out[32]) {
    hr_hmac_sha256(key, len, text, strlen(text), out);
}

/* The key of the day `day` (YYYYMMDD). */
static void day_key(struct hr_signer *s, const char *day, uint8_t out[32]) {
    pthread_mutex_lock(&s->lock);
    if (strcmp(s->day, day) != 0) {
        char first[HR_SIGN_KEY_MAX + 8];
        const char *secret = s->secret.text ? s->secret.text : "";
        snprintf(first, sizeof(first), "AWS4%s", secret);
        hmac((const uint8_t *)first, strlen(first), day, s->key);
        OPENSSL_cleanse(first, sizeof(first));
        hmac(s->key, 32, s->region, s->key);
        hmac(s->key, 32, s->service, s->key);
        hmac(s->key, 32, "aws4_request", s->key);
        memcpy(s->day, day, sizeof(s->day));
    }
    memcpy(out, s->key, 32);
    pthread_mutex_unlock(&s->lock);
}

void hr_sigv4_signature(struct hr_signer *s, int64_t seconds, struct hr_slice string_to_sign,
                        char out[65]) {
    char day[20];
    uint8_t key[32];
    uint8_t digest[32];
    hr_format_amz_date(seconds, day);
    day[8] = '\0';
    day_key(s, day, key);
    hr_hmac_sha256(key, sizeof(key), string_to_sign.ptr, string_to_sign.len, digest);
    OPENSSL_cleanse(key, sizeof(key));
    hr_hex(digest, 32, out);
}

/* Canonical request in, hex signature out. */
static int sign(struct hr_signer *s, const struct hr_sign_request *req, struct hr_buf *canonical,
                char out[65], struct hr_error *err) {
    struct hr_buf text;
    hr_buf_init(&text, 0);
    int rc = hr_sigv4_canonical(req, canonical, err);
    rc = rc ? rc : hr_sigv4_string_to_sign(s, req->seconds, hr_buf_slice(canonical), &text, err);
    if (rc == 0) {
        hr_sigv4_signature(s, req->seconds, hr_buf_slice(&text), out);
    }
    hr_buf_release(&text);
    return rc;
}

int hr_sigv4_authorize(struct hr_signer *s, const struct hr_sign_request *req, struct hr_buf *out,
                       struct hr_error *err) {
    struct hr_buf canonical;
    char signature[65];
    char date[20];
    hr_buf_init(&canonical, 0);
    hr_format_amz_date(req->seconds, date);
    int rc = sign(s, req, &canonical, signature, err);
    rc = rc ? rc
            : hr_buf_printf(out, err,
                            ALGORITHM " Credential=%s/%.8s/%s/%s/aws4_request, "
                                      "SignedHeaders=",
                            s->access_key_id, date, s->region, s->service);
    rc = rc ? rc : signed_headers(req, ";", out, err);
    rc = rc ? rc : hr_buf_printf(out, err, ", Signature=%s", signature);
    hr_buf_release(&canonical);
    return rc;
}

int hr_sigv4_presign(struct hr_signer *s, const struct hr_sign_request *req, int expires,
                     struct hr_buf *out, struct hr_buf *canonical, struct hr_error *err) {
    struct hr_sign_request with = *req;
    struct hr_buf own;
    char signature[65];
    char date[20];
    hr_buf_init(&own, 0);
    canonical = canonical ? canonical : &own;
    size_t n = hr_format_amz_date(req->seconds, date);
    date[n] = '\0';
    int rc = hr_buf_append_str(out, req->query, err);
    rc = rc ? rc
            : hr_buf_printf(out, err,
                            "%sX-Amz-Algorithm=" ALGORITHM
                            "&X-Amz-Credential=%s%%2F%.8s%%2F%s%%2F%s%%2Faws4_request"
                            "&X-Amz-Date=%s&X-Amz-SignedHeaders=",
                            req->query[0] ? "&" : "", s->access_key_id, date, s->region, s->service,
                            date);
    rc = rc ? rc : signed_headers(req, "%3B", out, err);
    rc = rc ? rc : hr_buf_printf(out, err, "&X-Amz-Expires=%d", expires);
    for (int signing = 1; signing >= 0 && rc == 0; signing--) {
        if (s->token.text != NULL && (signing == 1) != req->omit_token) {
            rc = hr_buf_append_str(out, "&X-Amz-Security-Token=", err);
            rc = rc ? rc : hr_uri_encode(hr_slice_str(s->token.text), false, out, err);
        }
        if (signing == 1 && rc == 0) {
            with.query = hr_buf_cstr(out);
            rc = sign(s, &with, canonical, signature, err);
        }
    }
    rc = rc ? rc : hr_buf_printf(out, err, "&X-Amz-Signature=%s", signature);
    hr_buf_release(&own);
    return rc;
}
