/* store/s3/s3_op.c - one request and its retries.
 *
 * An op says what to ask; every attempt builds URL and headers anew and signs them with the time of
 * that attempt, so a retry after minutes is not stale. Answers are judged on the I/O thread; what
 * is worth trying again is submitted again with a time before which it is not sent: exponential
 * back-off with full jitter, or what Retry-After asks for. */
#include "store/s3/s3.h"

#include <stdio.h>

#include "base/gate.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/time.h"

#define POOL_MAX 64
#define BACKOFF_CAP_MS 20000
#define RETRY_AFTER_CAP_S 60
#define EMPTY_HASH "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

/* ---- making an op --------------------------------------------------------------------------- */

struct s3_op *hr_s3_op_new(struct s3_store *s, enum s3_kind kind, const char *method,
                           const char *key) {
    pthread_mutex_lock(&s->lock);
    struct s3_op *op = s->pool;
    if (op != NULL) {
        s->pool = op->next;
        s->pooled--;
    }
    pthread_mutex_unlock(&s->lock);
    if (op == NULL) {
        op = hr_calloc(1, sizeof(*op));
        if (op == NULL) {
            return NULL;
        }
        hr_http_req_init(&op->http, 0);
        hr_buf_init(&op->query, 1 << 16);
        hr_buf_init(&op->names, 1 << 16);
        hr_buf_init(&op->lines, 1 << 18);
    }
    hr_buf_clear(&op->query);
    hr_buf_clear(&op->names);
    op->s = s;
    op->kind = kind;
    op->method = method;
    op->key = key;
    op->n_headers = 0;
    op->sign_body = false;
    op->cond = HR_PUT_ANY;
    op->conditional = false;
    op->check = NULL;
    op->done = NULL;
    op->user = NULL;
    op->attempt = 0;
    op->lost_answer = op->clock_fixed = op->region_fixed = false;
    op->rc = 0;
    op->next = NULL;
    hr_error_clear(&op->err);
    op->http.method = method;
    op->http.body = hr_slice_of(NULL, 0);
    op->http.dst = NULL;
    op->http.dst_len = 0;
    op->http.not_before = 0;
    op->http.abandoned = false;
    return op;
}

static void op_destroy(struct s3_op *op) {
    hr_http_req_release(&op->http);
    hr_buf_release(&op->query);
    hr_buf_release(&op->names);
    hr_buf_release(&op->lines);
    hr_free(op);
}

void hr_s3_op_free(struct s3_op *op) {
    if (op == NULL) {
        return;
    }
    struct s3_store *s = op->s;
    pthread_mutex_lock(&s->lock);
    bool keep = s->pooled < POOL_MAX && !s->closing;
    if (keep) {
        op->next = s->pool;
        s->pool = op;
        s->pooled++;
    }
    pthread_mutex_unlock(&s->lock);
    if (!keep) {
        op_destroy(op);
    }
}

void hr_s3_pool_free(struct s3_store *s) {
    while (s->pool != NULL) {
        struct s3_op *op = s->pool;
        s->pool = op->next;
        op_destroy(op);
    }
}

int hr_s3_op_header(struct s3_op *op, const char *name, struct hr_error *err, const char *format,
                    ...) {
    char text[2048];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof(text) || op->n_headers == S3_HEADERS_MAX) {
        return hr_fail(err, HR_E_BOUND, "could not send a request: header '%s' is too long", name);
    }
    for (int i = 0; i < n; i++) {
        if ((unsigned char)text[i] < ' ' || text[i] == 127) {
            return hr_fail(err, HR_E_CONFIG,
                           "could not send a request: header '%s' holds a control character", name);
        }
    }
    op->headers[op->n_headers].name = name;
    op->headers[op->n_headers].at = op->names.len;
    op->headers[op->n_headers].len = (size_t)n;
    int rc = hr_buf_append(&op->names, text, (size_t)n, err);
    op->n_headers += rc == 0;
    return rc;
}

int hr_s3_op_param(struct s3_op *op, const char *name, const char *value, struct hr_error *err) {
    int rc = op->query.len > 0 ? hr_buf_append_byte(&op->query, '&', err) : 0;
    rc = rc ? rc : hr_buf_append_str(&op->query, name, err);
    rc = rc ? rc : hr_buf_append_byte(&op->query, '=', err);
    return rc ? rc : hr_uri_encode(hr_slice_str(value), false, &op->query, err);
}

/* ---- one attempt ---------------------------------------------------------------------------- */

/* Everything the request line and the headers need, in one buffer: pieces are remembered by offset
 * until it stops moving. */
struct build {
    size_t at[HR_HTTP_HEADERS_MAX];
    size_t n;
};

static int add_line(struct s3_op *op, struct build *b, const char *name, struct hr_slice value) {
    if (b->n == HR_HTTP_HEADERS_MAX) {
        return HR_E_INTERNAL;
    }
    b->at[b->n++] = op->lines.len;
    int rc = hr_buf_append_str(&op->lines, name, NULL);
    rc = rc ? rc : hr_buf_append(&op->lines, ": ", 2, NULL);
    rc = rc ? rc : hr_buf_append(&op->lines, value.ptr, value.len, NULL);
    return rc ? rc : hr_buf_append_byte(&op->lines, '\0', NULL);
}

static const char *payload_hash(const struct s3_op *op, char out[65]) {
    if (op->http.body.len == 0) {
        return EMPTY_HASH;
    }
    if (!op->sign_body) {
        return HR_UNSIGNED_PAYLOAD;
    }
    uint8_t digest[32];
    hr_sha256(op->http.body.ptr, op->http.body.len, digest);
    hr_hex(digest, sizeof(digest), out);
    return out;
}

/* Signs and writes the header lines. `path` is an offset into lines. */
static int sign_headers(struct s3_op *op, struct build *b, size_t path, int64_t skew) {
    struct hr_sign_header headers[S3_HEADERS_MAX + 4];
    size_t n = 0;
    char date[20];
    char hash[65];
    struct s3_place *place = op->place;
    int rc = 0;
    headers[n++] = (struct hr_sign_header){"host", hr_slice_str(place->host)};
    for (size_t i = 0; i < op->n_headers; i++) {
        struct hr_slice value = hr_slice_of(op->names.ptr + op->headers[i].at, op->headers[i].len);
        headers[n++] = (struct hr_sign_header){op->headers[i].name, value};
    }
    if (place->signer != NULL) {
        int64_t seconds = hr_now_micros() / 1000000 + skew;
        const char *payload = payload_hash(op, hash);
        const char *token = hr_signer_token(place->signer);
        date[hr_format_amz_date(seconds, date)] = '\0';
        headers[n++] = (struct hr_sign_header){"x-amz-content-sha256", hr_slice_str(payload)};
        headers[n++] = (struct hr_sign_header){"x-amz-date", hr_slice_str(date)};
        if (token != NULL) {
            headers[n++] = (struct hr_sign_header){"x-amz-security-token", hr_slice_str(token)};
        }
        struct hr_buf auth;
        hr_buf_init(&auth, 0);
        struct hr_sign_request req = {
            .method = op->method,
            .path = (const char *)op->lines.ptr + path,
            .query = hr_buf_cstr(&op->query),
            .headers = headers,
            .n_headers = n,
            .payload_hash = payload,
            .seconds = seconds,
            .s3 = true,
        };
        rc = hr_sigv4_authorize(place->signer, &req, &auth, NULL);
        rc = rc ? rc : add_line(op, b, "Authorization", hr_buf_slice(&auth));
        hr_buf_release(&auth);
    }
    for (size_t i = 1; i < n && rc == 0; i++) { /* libcurl sends Host itself */
        rc = add_line(op, b, headers[i].name, headers[i].value);
    }
    return rc;
}

/* URL and header lines of this attempt. */
static int build(struct s3_op *op, int64_t skew) {
    struct build b = {.n = 0};
    struct s3_place *place = op->place;
    hr_buf_clear(&op->lines);
    /* The path alone, for signing, then the whole URL. */
    int rc = hr_buf_append_str(&op->lines, place->path, NULL);
    rc = rc ? rc : hr_buf_append_byte(&op->lines, '/', NULL);
    if (rc == 0 && op->key != NULL) {
        rc = hr_uri_encode(hr_slice_str(op->key), true, &op->lines, NULL);
    }
    rc = rc ? rc : hr_buf_append_byte(&op->lines, '\0', NULL);
    size_t url = op->lines.len;
    rc = rc ? rc : hr_buf_append_str(&op->lines, place->origin, NULL);
    if (rc == 0) {
        rc = hr_buf_reserve(&op->lines, url, NULL); /* the source may not move */
        rc = rc ? rc : hr_buf_append(&op->lines, op->lines.ptr, url - 1, NULL);
    }
    if (rc == 0 && op->query.len > 0) {
        rc = hr_buf_append_byte(&op->lines, '?', NULL);
        rc = rc ? rc : hr_buf_append(&op->lines, op->query.ptr, op->query.len, NULL);
    }
    rc = rc ? rc : hr_buf_append_byte(&op->lines, '\0', NULL);
    rc = rc ? rc : sign_headers(op, &b, 0, skew);
    if (rc != 0) {
        return rc;
    }
    op->http.url = (const char *)op->lines.ptr + url;
    op->http.n_headers = b.n;
    for (size_t i = 0; i < b.n; i++) {
        op->http.headers[i] = (const char *)op->lines.ptr + b.at[i];
    }
    return 0;
}

static uint64_t *counter_of(struct s3_store *s, enum s3_kind kind) {
    struct hr_store_counters *c = &s->counters;
    switch (kind) {
    case S3_LIST:
    case S3_UPLOADS: return &c->list;
    case S3_GET: return &c->get;
    case S3_HEAD: return &c->head;
    case S3_PUT: return &c->put;
    case S3_PART: return &c->part;
    case S3_CREATE: return &c->create;
    case S3_COMPLETE: return &c->complete;
    case S3_ABORT: return &c->abort;
    case S3_REMOVE: return &c->remove;
    default: return &c->other;
    }
}

static void op_answered(struct hr_http_req *http);

/* Builds, signs and submits one attempt that is not sent before `at` (0: at once). */
static void attempt(struct s3_op *op, int64_t at) {
    struct s3_store *s = op->s;
    pthread_mutex_lock(&s->lock);
    op->place = s->place;
    int64_t skew = s->skew_s;
    bool cancelled = s->cancelled;
    (*counter_of(s, op->kind))++;
    s->counters.retries += op->attempt > 0;
    s->counters.bytes_out += op->http.body.len;
    if (s->requests_per_second > 0) {
        int64_t now = hr_monotonic_nanos();
        int64_t slot = s->slot_ns > now ? s->slot_ns : now;
        slot = slot > at ? slot : at;
        s->slot_ns = slot + 1000000000 / s->requests_per_second;
        at = slot > now ? slot : at;
    }
    pthread_mutex_unlock(&s->lock);
    if (cancelled) {
        hr_s3_fail(op, HR_E_CANCELLED, "interrupted");
        op->done(op);
        return;
    }
    if (build(op, skew) != 0) {
        hr_s3_fail(op, HR_E_NOMEM, "out of memory");
        op->done(op);
        return;
    }
    op->http.not_before = at;
    op->http.done = op_answered;
    op->http.user = op;
    hr_http_submit(s->http, &op->http);
}

void hr_s3_op_start(struct s3_op *op) {
    attempt(op, 0);
}

/* ---- answers -------------------------------------------------------------------------------- */

/* SplitMix64. */
static uint64_t next_random(struct s3_store *s) {
    pthread_mutex_lock(&s->lock);
    s->random += 0x9e3779b97f4a7c15ULL;
    uint64_t z = s->random;
    pthread_mutex_unlock(&s->lock);
    return hr_hash_u64(z);
}

/* Full jitter: anything up to the exponential bound. */
static int64_t backoff_ns(struct s3_op *op) {
    int64_t bound = (int64_t)op->s->backoff_ms << (op->attempt < 16 ? op->attempt : 16);
    bound = bound < BACKOFF_CAP_MS ? bound : BACKOFF_CAP_MS;
    int64_t ns = (int64_t)(next_random(op->s) % ((uint64_t)bound * 1000000 + 1));
    struct hr_slice after = hr_http_header(&op->http, "retry-after");
    int64_t seconds = 0;
    for (size_t i = 0; i < after.len && i < 6 && after.ptr[i] >= '0' && after.ptr[i] <= '9'; i++) {
        seconds = seconds * 10 + (after.ptr[i] - '0');
    }
    seconds = seconds < RETRY_AFTER_CAP_S ? seconds : RETRY_AFTER_CAP_S;
    return ns + seconds * 1000000000;
}

/* What every answer tells, good or bad. */
static void note_answer(struct s3_op *op) {
    struct s3_store *s = op->s;
    struct hr_slice date = hr_http_header(&op->http, "date");
    int64_t seconds;
    bool dated = date.len > 0 && hr_parse_http_date((const char *)date.ptr, date.len, &seconds);
    pthread_mutex_lock(&s->lock);
    s->counters.bytes_in += op->http.got + op->http.text.len;
    s->counters.connections += (uint64_t)op->http.connects;
    s->counters.throttled += op->http.status == 503 || op->http.status == 429;
    if (dated && seconds * 1000000 > s->date_us) {
        s->date_us = seconds * 1000000;
    }
    pthread_mutex_unlock(&s->lock);
}

static enum s3_verdict transport_failed(struct s3_op *op) {
    struct hr_http_req *http = &op->http;
    bool again = !http->hopeless && (http->rc == HR_E_NETWORK || http->rc == HR_E_TIMEOUT);
    op->lost_answer = op->lost_answer || again;
    hr_s3_fail(op, http->rc, "%s",
               strncmp(http->err.message, "could not ", 10) == 0 ? http->err.message + 10
                                                                 : http->err.message);
    if (http->err.hint[0] != '\0') {
        hr_error_hint(&op->err, "%s", http->err.hint);
    }
    return again ? S3_RETRY : S3_FAILED;
}

static void op_answered(struct hr_http_req *http) {
    struct s3_op *op = http->user;
    enum s3_verdict verdict = S3_DONE;
    op->rc = 0;
    hr_error_clear(&op->err);
    note_answer(op);
    if (http->rc != 0) {
        verdict = transport_failed(op);
    } else if (http->status >= 200 && http->status < 300 &&
               !(http->status == 200 && http->dst == NULL && hr_s3_is_error_body(&http->text))) {
        verdict = op->check ? op->check(op) : S3_DONE;
    } else {
        verdict = hr_s3_judge(op);
    }
    bool again = verdict == S3_AGAIN || verdict == S3_RETRY;
    if (again && __atomic_load_n(&http->abandoned, __ATOMIC_ACQUIRE)) {
        /* Abandoned between two attempts: what the last one said is nobody's business. */
        op->rc = hr_fail(&op->err, HR_E_CANCELLED, "a request was interrupted");
        op->done(op);
        return;
    }
    if (verdict == S3_AGAIN) {
        attempt(op, 0);
        return;
    }
    if (verdict == S3_RETRY && op->attempt < op->s->retries) {
        int64_t at = hr_monotonic_nanos() + backoff_ns(op);
        op->attempt++;
        attempt(op, at);
        return;
    }
    if (verdict == S3_RETRY && op->attempt > 0) {
        char before[sizeof(op->err.detail)];
        memcpy(before, op->err.detail, sizeof(before));
        hr_error_detail(&op->err, "%s%stried %d times", before, before[0] ? "; " : "",
                        op->attempt + 1);
    }
    op->done(op);
}

/* ---- waiting -------------------------------------------------------------------------------- */

static void open_gate(struct s3_op *op) {
    hr_gate_open(op->user);
}

int hr_s3_op_run(struct s3_op *op, struct hr_error *err) {
    struct hr_gate gate;
    hr_gate_init(&gate);
    op->done = open_gate;
    op->user = &gate;
    hr_s3_op_start(op);
    hr_gate_pass(&gate);
    if (op->rc != 0 && err != NULL) {
        *err = op->err;
    }
    return op->rc;
}
