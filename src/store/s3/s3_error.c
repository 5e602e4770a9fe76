/* store/s3/s3_error.c - what answers of an S3 server mean, for the program and for people.
 *
 * The error code in the body decides; where there is no body (HEAD, proxies) the status does. One
 * table holds every code we treat in a way of its own. Wrong regions and wrong clocks are corrected
 * once when the answer says how. */
#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/time.h"
#include "store/s3/s3.h"

static const struct {
    const char *verb;   /* "could not VERB" */
    const char *action; /* what an identity must be allowed */
} kinds[S3_KINDS] = {
    [S3_LIST] = {"list", "s3:ListBucket on the bucket"},
    [S3_GET] = {"read", "s3:GetObject on the object"},
    [S3_HEAD] = {"look at", "s3:GetObject on the object"},
    [S3_PUT] = {"write", "s3:PutObject on the object"},
    [S3_PART] = {"write", "s3:PutObject on the object"},
    [S3_CREATE] = {"start writing", "s3:PutObject on the object"},
    [S3_COMPLETE] = {"finish writing", "s3:PutObject on the object"},
    [S3_ABORT] = {"abort the upload of", "s3:AbortMultipartUpload on the object"},
    [S3_UPLOADS] = {"list the unfinished uploads of",
                    "s3:ListBucketMultipartUploads on the bucket"},
    [S3_REMOVE] = {"remove", "s3:DeleteObject on the object"},
};

const char *hr_s3_verb(enum s3_kind kind) {
    return kinds[kind].verb;
}

static void name_of(const struct s3_op *op, char *out, size_t size) {
    char key[100] = "";
    if (op->key != NULL) {
        hr_printable(hr_slice_str(op->key), 80, key, sizeof(key));
    }
    snprintf(out, size, "s3://%s%s%s", op->s->bucket, op->key ? "/" : "", key);
}

void hr_s3_fail(struct s3_op *op, int code, const char *format, ...) {
    char place[360];
    char reason[300];
    va_list args;
    va_start(args, format);
    vsnprintf(reason, sizeof(reason), format, args);
    va_end(args);
    name_of(op, place, sizeof(place));
    op->rc = hr_fail(&op->err, code, "could not %s '%s': %s", kinds[op->kind].verb, place, reason);
    if (op->key != NULL) {
        hr_error_object(&op->err, op->key);
    }
}

/* ---- bodies --------------------------------------------------------------------------------- */

bool hr_s3_is_error_body(const struct hr_buf *text) {
    /* Completing an upload may send blanks for minutes before it says how it went. */
    size_t i = 0;
    while (i < text->len && (text->ptr[i] <= ' ')) {
        i++;
    }
    struct hr_slice rest = hr_slice_of(text->ptr + i, text->len - i);
    if (rest.len >= 5 && memcmp(rest.ptr, "<?xml", 5) == 0) {
        const uint8_t *close = memmem(rest.ptr, rest.len, "?>", 2);
        if (close == NULL) {
            return false;
        }
        const uint8_t *end = rest.ptr + rest.len;
        close += 2;
        while (close < end && *close <= ' ') {
            close++;
        }
        rest = hr_slice_of(close, (size_t)(end - close));
    }
    return rest.len >= 6 && memcmp(rest.ptr, "<Error", 6) == 0 &&
           (rest.len == 6 || rest.ptr[6] == '>' || rest.ptr[6] <= ' ');
}

static int take_text(void *user, const char *parent, const char *name, struct hr_slice text) {
    struct s3_answer *a = user;
    const struct {
        const char *name;
        char *place;
        size_t size;
    } fields[] = {
        {"Code", a->code, sizeof(a->code)},
        {"Message", a->message, sizeof(a->message)},
        {"Region", a->region, sizeof(a->region)},
        {"Endpoint", a->endpoint, sizeof(a->endpoint)},
        {"RequestId", a->request_id, sizeof(a->request_id)},
    };
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (strcmp(parent, "Error") == 0 && strcmp(name, fields[i].name) == 0) {
            hr_printable(text, fields[i].size - 8, fields[i].place, fields[i].size);
        }
    }
    return 0;
}

static void header_text(const struct s3_op *op, const char *name, char *out, size_t size) {
    struct hr_slice value = hr_http_header(&op->http, name);
    if (value.len > 0 && out[0] == '\0') {
        hr_printable(value, size - 8, out, size);
    }
}

static void read_answer(const struct s3_op *op, struct s3_answer *a) {
    *a = (struct s3_answer){.code = ""};
    const struct hr_buf *text = &op->http.text;
    size_t blank = 0;
    while (blank < text->len && text->ptr[blank] <= ' ') {
        blank++;
    }
    hr_s3_xml_read(hr_slice_of(text->ptr + blank, text->len - blank), "Error", take_text, NULL, a,
                   NULL);
    header_text(op, "x-amz-bucket-region", a->region, sizeof(a->region));
    header_text(op, "x-amz-request-id", a->request_id, sizeof(a->request_id));
}

/* ---- codes ---------------------------------------------------------------------------------- */

enum action { A_FAIL, A_RETRY, A_REGION, A_CLOCK };

struct known {
    const char *code;
    int hr_code;
    enum action action;
    const char *reason; /* NULL: the server's own message */
};

static const struct known known[] = {
    {"NoSuchKey", HR_E_NO_OBJECT, A_FAIL, "there is no such object"},
    {"NoSuchUpload", HR_E_NO_OBJECT, A_FAIL, "there is no such upload"},
    /* MinIO loses parts of an upload whose Complete was cut off by the client's death. */
    {"InvalidPart", HR_E_NO_OBJECT, A_FAIL, "a part of the upload is gone"},
    {"NoSuchBucket", HR_E_NO_BUCKET, A_FAIL, "the bucket does not exist"},
    {"InvalidBucketName", HR_E_CONFIG, A_FAIL, "the server refuses the bucket's name"},
    {"AccessDenied", HR_E_FORBIDDEN, A_FAIL, "access is denied"},
    {"AllAccessDisabled", HR_E_FORBIDDEN, A_FAIL, "all access to it is disabled"},
    {"AccountProblem", HR_E_FORBIDDEN, A_FAIL, NULL},
    {"InvalidObjectState", HR_E_FORBIDDEN, A_FAIL, "the object is archived and not restored"},
    {"InvalidAccessKeyId", HR_E_AUTH, A_FAIL, "the server does not know the access key id"},
    {"SignatureDoesNotMatch", HR_E_AUTH, A_FAIL, "the signature is wrong"},
    {"InvalidToken", HR_E_AUTH, A_FAIL, "the session token is not valid"},
    {"InvalidTokenId", HR_E_AUTH, A_FAIL, "the session token is not valid"},
    {"ExpiredToken", HR_E_AUTH, A_FAIL, "the session token has expired"},
    {"TokenRefreshRequired", HR_E_AUTH, A_FAIL, "the session token must be refreshed"},
    {"RequestTimeTooSkewed", HR_E_AUTH, A_CLOCK, "the clocks differ too much"},
    {"AuthorizationHeaderMalformed", HR_E_AUTH, A_REGION, NULL},
    {"AuthorizationQueryParametersError", HR_E_AUTH, A_REGION, NULL},
    {"PermanentRedirect", HR_E_REGION, A_REGION, NULL},
    {"TemporaryRedirect", HR_E_REGION, A_REGION, NULL},
    {"IllegalLocationConstraintException", HR_E_REGION, A_REGION, NULL},
    {"SlowDown", HR_E_THROTTLED, A_RETRY, "the server asks to slow down"},
    {"SlowDownRead", HR_E_THROTTLED, A_RETRY, "the server asks to slow down"},
    {"SlowDownWrite", HR_E_THROTTLED, A_RETRY, "the server asks to slow down"},
    {"Throttling", HR_E_THROTTLED, A_RETRY, "the server asks to slow down"},
    {"ThrottlingException", HR_E_THROTTLED, A_RETRY, "the server asks to slow down"},
    {"RequestLimitExceeded", HR_E_THROTTLED, A_RETRY, "the server asks to slow down"},
    {"BandwidthLimitExceeded", HR_E_THROTTLED, A_RETRY, "the server asks to slow down"},
    {"TooManyRequests", HR_E_THROTTLED, A_RETRY, "the server asks to slow down"},
    {"ServiceUnavailable", HR_E_THROTTLED, A_RETRY, "the server is not available now"},
    {"XMinioServerNotInitialized", HR_E_THROTTLED, A_RETRY, "the server is still starting"},
    {"InternalError", HR_E_STORE, A_RETRY, "the server failed inside"},
    {"InternalServerError", HR_E_STORE, A_RETRY, "the server failed inside"},
    {"RequestTimeout", HR_E_TIMEOUT, A_RETRY, "the server waited too long for the request"},
    {"IncompleteBody", HR_E_NETWORK, A_RETRY, "the server did not get the whole body"},
    {"BadDigest", HR_E_STORE, A_RETRY, "the bytes were damaged on the way"},
    {"XAmzContentChecksumMismatch", HR_E_STORE, A_RETRY, "the bytes were damaged on the way"},
    {"OperationAborted", HR_E_STORE, A_RETRY, "a conflicting operation is under way"},
    {"ConditionalRequestConflict", HR_E_STORE, A_RETRY, "a conflicting operation is under way"},
    {"XMinioStorageFull", HR_E_NOSPACE, A_FAIL, "the server's disks are full"},
    {"QuotaExceeded", HR_E_NOSPACE, A_FAIL, "the quota is used up"},
    {"XMinioAdminBucketQuotaExceeded", HR_E_NOSPACE, A_FAIL, "the bucket's quota is used up"},
    {"KeyTooLongError", HR_E_UNSUPPORTED, A_FAIL, "the key is longer than the server allows"},
    {"NotImplemented", HR_E_UNSUPPORTED, A_FAIL, "the server does not support this"},
    {"MethodNotAllowed", HR_E_UNSUPPORTED, A_FAIL, "the server does not support this"},
};

static const struct known *find_code(const char *code) {
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(code, known[i].code) == 0) {
            return &known[i];
        }
    }
    return NULL;
}

/* Where the body says nothing we know. */
static struct known by_status(const struct s3_op *op) {
    int status = op->http.status;
    switch (status) {
    case 401: return (struct known){"", HR_E_AUTH, A_FAIL, "the keys are not accepted"};
    case 403: return (struct known){"", HR_E_FORBIDDEN, A_FAIL, "access is denied"};
    case 404:
        return op->key ? (struct known){"", HR_E_NO_OBJECT, A_FAIL, "there is no such object"}
                       : (struct known){"", HR_E_NO_BUCKET, A_FAIL, "the bucket does not exist"};
    case 408: return (struct known){"", HR_E_TIMEOUT, A_RETRY, "the server waited too long"};
    case 409:
        return (struct known){"", HR_E_STORE, A_RETRY, "a conflicting operation is under way"};
    case 429:
    case 503: return (struct known){"", HR_E_THROTTLED, A_RETRY, "the server asks to slow down"};
    case 507: return (struct known){"", HR_E_NOSPACE, A_FAIL, "the server has no space left"};
    case 501:
    case 405:
        return (struct known){"", HR_E_UNSUPPORTED, A_FAIL, "the server does not support this"};
    default: break;
    }
    if (status >= 500) {
        return (struct known){"", HR_E_STORE, A_RETRY, "the server failed"};
    }
    if (status >= 300 && status < 400) {
        return (struct known){"", HR_E_REGION, A_REGION, NULL};
    }
    return (struct known){"", HR_E_STORE, A_FAIL, NULL};
}

/* ---- hints ---------------------------------------------------------------------------------- */

static void auth_hint(struct s3_op *op, const struct s3_answer *a) {
    const struct hr_cred *cred = &op->s->cred;
    const char *what = "check access_key_id and secret_access_key";
    if (strcmp(a->code, "InvalidAccessKeyId") == 0) {
        what = "check access_key_id (and that the endpoint is the one the key belongs to)";
    } else if (strcmp(a->code, "SignatureDoesNotMatch") == 0) {
        what = "check secret_access_key";
    } else if (strstr(a->code, "Token") != NULL) {
        what = "get new temporary keys, or check session_token";
    } else if (strcmp(a->code, "RequestTimeTooSkewed") == 0) {
        what = "set this machine's clock";
    }
    hr_error_hint(&op->err, "%s; the keys came from %s", what, cred->source);
}

static void hint(struct s3_op *op, const struct s3_answer *a) {
    const struct s3_store *s = op->s;
    switch (op->rc) {
    case HR_E_AUTH: auth_hint(op, a); break;
    case HR_E_FORBIDDEN:
        if (s->cred.access_key_id == NULL) {
            hr_error_hint(&op->err,
                          "the bucket is not public: give keys instead of anonymous, "
                          "allowed to do %s",
                          kinds[op->kind].action);
        } else {
            hr_error_hint(&op->err, "the identity behind the keys of %s needs %s", s->cred.source,
                          kinds[op->kind].action);
        }
        break;
    case HR_E_NO_BUCKET:
        hr_error_hint(&op->err,
                      "check the spelling of bucket '%s' and that %s is the right "
                      "endpoint",
                      s->bucket, op->place->origin);
        break;
    case HR_E_REGION:
        if (a->region[0] != '\0' && strcmp(a->region, op->place->region) != 0) {
            hr_error_hint(&op->err, "set region to '%s'", a->region);
        } else if (a->endpoint[0] != '\0') {
            hr_error_hint(&op->err, "the server names another endpoint: '%s'", a->endpoint);
        } else {
            hr_error_hint(&op->err, "check region (now '%s') and endpoint_url", op->place->region);
        }
        break;
    case HR_E_THROTTLED:
        hr_error_hint(&op->err, "lower connections or max_requests_per_second, or raise "
                                "retry_count");
        break;
    case HR_E_NOSPACE: hr_error_hint(&op->err, "make room on the server, or choose another"); break;
    case HR_E_EXISTS:
        if (op->lost_answer) {
            hr_error_hint(&op->err,
                          "an earlier attempt, whose answer was lost, may have written it");
        }
        break;
    default: break;
    }
}

/* ---- corrections ---------------------------------------------------------------------------- */

/* The server's clock rules: take the difference from its Date, once. */
static bool fix_clock(struct s3_op *op) {
    struct hr_slice date = hr_http_header(&op->http, "date");
    int64_t seconds;
    if (op->clock_fixed || date.len == 0 ||
        !hr_parse_http_date((const char *)date.ptr, date.len, &seconds)) {
        return false;
    }
    op->clock_fixed = true;
    int64_t skew = seconds - hr_now_micros() / 1000000;
    pthread_mutex_lock(&op->s->lock);
    op->s->skew_s = skew;
    pthread_mutex_unlock(&op->s->lock);
    hr_log(HR_LOG_WARN,
           "this machine's clock differs from that of %s by %lld s; requests are "
           "signed with the server's time",
           op->place->host, (long long)-skew);
    return true;
}

/* Only what reads is sent again to another region by itself: bytes must not end up in a place the
 * user did not name. */
static bool reads(enum s3_kind kind) {
    return kind == S3_LIST || kind == S3_GET || kind == S3_HEAD;
}

static bool fix_region(struct s3_op *op, const struct s3_answer *a) {
    struct s3_store *s = op->s;
    struct s3_place *place;
    if (op->region_fixed || !reads(op->kind) || a->region[0] == '\0' ||
        strcmp(a->region, op->place->region) == 0 ||
        hr_s3_place_new(&s->endpoint, a->region, s->bucket, s->path_style, &s->cred, &place,
                        NULL) != 0) {
        return false;
    }
    op->region_fixed = true;
    pthread_mutex_lock(&s->lock);
    bool first = s->place == op->place;
    if (first) {
        place->older = s->place;
        s->place = place;
    }
    pthread_mutex_unlock(&s->lock);
    if (!first) {
        hr_s3_place_free(place); /* another request was quicker */
        return true;
    }
    hr_log(HR_LOG_WARN, "bucket '%s' is in region '%s', not '%s': set region to save a request",
           s->bucket, place->region, place->older->region);
    return true;
}

/* ---- judgement ------------------------------------------------------------------------------ */

static bool says_tls_wanted(const struct s3_op *op) {
    const struct hr_buf *t = &op->http.text;
    return op->http.status == 400 && t->len > 0 &&
           (memmem(t->ptr, t->len, "HTTP request to an HTTPS server", 31) != NULL ||
            memmem(t->ptr, t->len, "plain HTTP request was sent to HTTPS port", 41) != NULL);
}

static enum s3_verdict precondition(struct s3_op *op) {
    if (op->cond == HR_PUT_NEW) {
        hr_s3_fail(op, HR_E_EXISTS, "it already exists");
    } else if (op->cond == HR_PUT_MATCH) {
        hr_s3_fail(op, HR_E_CHANGED, "it is not the version expected");
    } else {
        hr_s3_fail(op, HR_E_CHANGED, "the object was replaced since it was listed");
    }
    hint(op, &(struct s3_answer){.code = ""});
    return S3_FAILED;
}

enum s3_verdict hr_s3_judge(struct s3_op *op) {
    struct s3_answer a;
    int status = op->http.status;
    if (status == 412) {
        return precondition(op);
    }
    read_answer(op, &a);
    const struct known *found = find_code(a.code);
    struct known k = found ? *found : by_status(op);
    if (k.hr_code == HR_E_NO_OBJECT && op->cond == HR_PUT_MATCH && op->kind == S3_PUT) {
        return precondition(op); /* If-Match on an object that is gone */
    }
    if ((k.action == A_CLOCK && fix_clock(op)) || (k.action == A_REGION && fix_region(op, &a))) {
        return S3_AGAIN;
    }
    if (k.action == A_REGION && strcmp(a.region, op->place->region) == 0) {
        hr_s3_fail(op, HR_E_REGION, "it was asked in region '%s', as the server wants, and refused",
                   a.region);
    } else if (k.action == A_REGION && a.region[0] != '\0') {
        k.hr_code = HR_E_REGION;
        hr_s3_fail(op, k.hr_code, "the bucket is in region '%s', not '%s'", a.region,
                   op->place->region);
    } else if (says_tls_wanted(op)) {
        hr_s3_fail(op, HR_E_CONFIG, "%s speaks TLS, the request was plain HTTP", op->place->host);
        hr_error_hint(&op->err, "write https:// in endpoint_url, or set use_ssl to true");
        return S3_FAILED;
    } else if (k.reason != NULL) {
        hr_s3_fail(op, k.hr_code, "%s", k.reason);
    } else {
        hr_s3_fail(op, k.hr_code, "%s",
                   a.message[0]           ? a.message
                   : k.action == A_REGION ? "the server redirects to another place"
                                          : "the server refuses the request");
    }
    hr_error_detail(&op->err, "the server answered %d%s%s%s%s%s%s%s", status, a.code[0] ? " " : "",
                    a.code, a.message[0] ? ": " : "", a.message,
                    a.request_id[0] ? " (request " : "", a.request_id, a.request_id[0] ? ")" : "");
    hint(op, &a);
    if (k.action == A_RETRY) {
        op->lost_answer = op->lost_answer || status >= 500;
        return S3_RETRY;
    }
    return S3_FAILED;
}
