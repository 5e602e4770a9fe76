/* http/http.h - HTTP/1.1 requests in bulk: one thread, many connections, libcurl underneath.
 *
 * A client owns one I/O thread that runs all transfers of its users; connections, DNS answers and
 * TLS sessions are reused. Any thread may submit; `done` is called on the I/O thread. Redirects are
 * never followed, TLS is verified, link-local addresses (where cloud machines keep their metadata
 * services) are refused whatever name leads there. What is worth trying again is decided by the
 * caller; a request can be given a time before which it is not sent.
 */
#ifndef HR_HTTP_HTTP_H
#define HR_HTTP_HTTP_H

#include "base/slice.h"

struct hr_http;

/* Strings are borrowed until hr_http_new returns. 0 / NULL: the default. */
struct hr_http_conf {
    int connections;     /* at once (16) */
    int timeout_seconds; /* without any progress (300) */
    int connect_ms;      /* to connect, TLS included (5,000) */
    bool insecure_tls;   /* do not verify certificates */
    const char *ca_bundle;
    const char *proxy; /* URL; "": none; NULL: as the environment says */
};

#define HR_HTTP_HEADERS_MAX 24
#define HR_HTTP_HEAD_MAX (64u << 10)  /* bytes of answer headers kept */
#define HR_HTTP_ERROR_MAX (64u << 10) /* bytes kept of the body of an error answer */

/* One request. Filled by the caller, who also owns it; untouched while it runs. A request may be
 * submitted again from its own `done`. */
struct hr_http_req {
    const char *method;                       /* GET PUT POST HEAD DELETE */
    const char *url;                          /* sent as it is: no path is normalised */
    const char *headers[HR_HTTP_HEADERS_MAX]; /* "Name: value" */
    size_t n_headers;
    struct hr_slice body;
    uint8_t *dst;       /* the body of a 2xx answer goes straight here; NULL: into text */
    size_t dst_len;     /* a longer body ends the transfer with HR_E_STORE */
    int64_t not_before; /* hr_monotonic_nanos; 0: now */
    void (*done)(struct hr_http_req *req);
    void *user;

    /* Results. */
    int rc; /* 0: an answer came, whatever its status. NETWORK, TIMEOUT, CANCELLED, CONFIG (address
               refused, URL broken), STORE (answer longer than asked for), BOUND, NOMEM */
    struct hr_error err;
    bool hopeless; /* rc is NETWORK, but trying again will not help: TLS, wrong protocol */
    int status;
    size_t got;         /* bytes in dst */
    struct hr_buf head; /* answer headers; see hr_http_header */
    struct hr_buf
        text; /* body; an error answer's is cut at HR_HTTP_ERROR_MAX. The caller sets text.max */
    int connects; /* new connections it took */
    int64_t first_byte_ns, total_ns;

    bool abandoned; /* the client's own from here */
    struct hr_http_req *next;
    void *slot;
};

/* Buffers of a request that is otherwise zero; _release frees them. text_max: most bytes of a body
 * that goes to text (0: 16 MiB). */
void hr_http_req_init(struct hr_http_req *req, size_t text_max);
void hr_http_req_release(struct hr_http_req *req);

int hr_http_new(const struct hr_http_conf *conf, struct hr_http **out, struct hr_error *err);
/* Cancels what still runs (its `done` is called) and ends the thread. NULL allowed. Not from the
 * I/O thread. */
void hr_http_free(struct hr_http *http);
void hr_http_submit(struct hr_http *http, struct hr_http_req *req);
/* Submit and wait. Uses done and user. Not from the I/O thread. */
int hr_http_run(struct hr_http *http, struct hr_http_req *req);
/* End one request soon, with CANCELLED, unless it is done already. It must not have been freed. */
void hr_http_abandon(struct hr_http *http, struct hr_http_req *req);
/* All that run and all later ones end with CANCELLED. */
void hr_http_cancel(struct hr_http *http);

/* Value of an answer's header, blanks around it removed; empty when absent. Name in lower case. */
struct hr_slice hr_http_header(const struct hr_http_req *req, const char *name);

/* Is this text a literal address headrace refuses to talk to (link-local, metadata service)? Names
 * are checked when they have been resolved. */
bool hr_http_address_refused(const char *host);

#endif
