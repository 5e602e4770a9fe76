/* http/transfer.c - a request on a libcurl handle: options, callbacks, and what its end means.
 *
 * The handle keeps its options from request to request; only method, URL, headers and body change.
 * Bodies of good answers are copied once, from libcurl's buffer to where the caller wants them. */
#include "http/transfer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"

/* ---- addresses ------------------------------------------------------------------------------ */

static bool v4_refused(uint32_t ip) { /* host order */
    return (ip >> 16) == 0xa9fe       /* 169.254/16: link-local, cloud metadata */
           || ip == 0x646464c8        /* 100.100.100.200: Alibaba's */
           || ip == 0xa83f8110;       /* 168.63.129.16: Azure's */
}

static bool v6_refused(const struct in6_addr *a) {
    static const uint8_t aws[16] = {0xfd, 0x00, 0x0e, 0xc2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0x54};
    if (IN6_IS_ADDR_V4MAPPED(a)) {
        uint32_t ip;
        memcpy(&ip, a->s6_addr + 12, 4);
        return v4_refused(ntohl(ip));
    }
    return IN6_IS_ADDR_LINKLOCAL(a) || memcmp(a->s6_addr, aws, 16) == 0;
}

bool hr_http_address_refused(const char *host) {
    struct in_addr v4;
    struct in6_addr v6;
    char bare[64];
    size_t n = strlen(host);
    if (n >= 2 && host[0] == '[' && host[n - 1] == ']' && n < sizeof(bare)) {
        memcpy(bare, host + 1, n - 2);
        bare[n - 2] = '\0';
        char *zone = strchr(bare, '%');
        if (zone != NULL) {
            *zone = '\0';
        }
        host = bare;
    }
    if (inet_pton(AF_INET, host, &v4) == 1) {
        return v4_refused(ntohl(v4.s_addr));
    }
    return inet_pton(AF_INET6, host, &v6) == 1 && v6_refused(&v6);
}

/* Where the address is known, after DNS, no name can hide it any more. */
static curl_socket_t open_socket(void *user, curlsocktype purpose, struct curl_sockaddr *address) {
    struct transfer *t = user;
    (void)purpose;
    bool refused = false;
    if (address->family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, &address->addr, sizeof(in));
        refused = v4_refused(ntohl(in.sin_addr.s_addr));
    } else if (address->family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, &address->addr,
               sizeof(in6) < address->addrlen ? sizeof(in6) : address->addrlen);
        refused = v6_refused(&in6.sin6_addr);
    }
    if (refused) {
        t->refused = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* Bytes pile up in a large receive buffer, so that the paced poll of http.c finds much at once. */
static int set_socket(void *user, curl_socket_t fd, curlsocktype purpose) {
    static const int size = HR_HTTP_RECEIVE_BUFFER;
    (void)user;
    (void)purpose;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)); /* only an improvement */
    return CURL_SOCKOPT_OK;
}

/* ---- bytes ---------------------------------------------------------------------------------- */

static size_t on_header(char *ptr, size_t size, size_t count, void *user) {
    struct transfer *t = user;
    struct hr_http_req *req = t->req;
    size_t len = size * count;
    if (len >= 12 && memcmp(ptr, "HTTP/1.", 7) == 0) { /* also again behind a 100 Continue */
        hr_buf_clear(&req->head);
        req->status = (ptr[9] - '0') * 100 + (ptr[10] - '0') * 10 + (ptr[11] - '0');
        return len;
    }
    if (req->head.len + len > HR_HTTP_HEAD_MAX) {
        t->over_bound = true;
        return 0;
    }
    if (hr_buf_append(&req->head, ptr, len, NULL) != 0) {
        t->no_memory = true;
        return 0;
    }
    return len;
}

static size_t on_body(char *ptr, size_t size, size_t count, void *user) {
    struct transfer *t = user;
    struct hr_http_req *req = t->req;
    size_t len = size * count;
    bool good = req->status >= 200 && req->status < 300;
    if (good && req->dst != NULL) {
        if (len > req->dst_len - req->got) {
            t->too_long = true;
            return 0;
        }
        memcpy(req->dst + req->got, ptr, len);
        req->got += len;
        return len;
    }
    size_t keep = len;
    if (!good && req->text.len + keep > HR_HTTP_ERROR_MAX) {
        keep = HR_HTTP_ERROR_MAX - req->text.len;
    }
    int rc = hr_buf_append(&req->text, ptr, keep, NULL);
    if (rc != 0) {
        t->no_memory = rc == HR_E_NOMEM;
        t->over_bound = rc != HR_E_NOMEM;
        return 0;
    }
    return len;
}

/* ---- options -------------------------------------------------------------------------------- */

static void set_constants(struct transfer *t, const struct hr_http_conf *conf, CURLSH *share,
                          bool wide) {
    CURL *c = t->curl;
    curl_easy_setopt(c, CURLOPT_PRIVATE, t);
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, t->error);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_NOPROGRESS, 1L);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(c, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(c, CURLOPT_USERAGENT, "headrace");
    curl_easy_setopt(c, CURLOPT_BUFFERSIZE, 128L << 10);
    curl_easy_setopt(c, CURLOPT_UPLOAD_BUFFERSIZE, 512L << 10);
    curl_easy_setopt(c, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(c, CURLOPT_MAXAGE_CONN, 20L); /* S3 closes idle connections early */
    curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(c, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, t);
    if (wide) {
        curl_easy_setopt(c, CURLOPT_SOCKOPTFUNCTION, set_socket);
    }
    curl_easy_setopt(c, CURLOPT_SHARE, share);
    curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, conf->insecure_tls ? 0L : 1L);
    curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, conf->insecure_tls ? 0L : 2L);
    if (conf->ca_bundle != NULL) {
        curl_easy_setopt(c, CURLOPT_CAINFO, conf->ca_bundle);
    }
    if (conf->proxy != NULL) {
        curl_easy_setopt(c, CURLOPT_PROXY, conf->proxy);
    }
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS,
                     (long)(conf->connect_ms > 0 ? conf->connect_ms : 5000));
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME,
                     (long)(conf->timeout_seconds > 0 ? conf->timeout_seconds : 300));
}

struct transfer *hr_transfer_new(const struct hr_http_conf *conf, CURLSH *share, bool wide) {
    struct transfer *t = hr_calloc(1, sizeof(*t));
    if (t == NULL) {
        return NULL;
    }
    t->curl = curl_easy_init();
    if (t->curl == NULL) {
        hr_free(t);
        return NULL;
    }
    set_constants(t, conf, share, wide);
    return t;
}

void hr_transfer_free(struct transfer *t) {
    if (t != NULL) {
        curl_easy_cleanup(t->curl);
        hr_free(t);
    }
}

/* libcurl only reads the list, so its nodes can be ours and no line is copied. */
static void set_headers(struct transfer *t, const struct hr_http_req *req) {
    static char no_accept[] = "Accept:";
    static char no_expect[] = "Expect:";
    static char no_type[] = "Content-Type:"; /* libcurl would call every body a form */
    size_t n = 0;
    bool typed = false;
    for (; n < req->n_headers; n++) {
        t->lines[n].data = (char *)(uintptr_t)req->headers[n];
        typed = typed || strncasecmp(req->headers[n], no_type, sizeof(no_type) - 1) == 0;
    }
    if (!typed) {
        t->lines[n++].data = no_type;
    }
    t->lines[n++].data = no_accept;
    t->lines[n++].data = no_expect;
    for (size_t i = 0; i < n; i++) {
        t->lines[i].next = i + 1 < n ? &t->lines[i + 1] : NULL;
    }
    curl_easy_setopt(t->curl, CURLOPT_HTTPHEADER, &t->lines[0]);
}

int hr_transfer_begin(struct transfer *t, struct hr_http_req *req) {
    CURL *c = t->curl;
    t->req = req;
    t->refused = t->too_long = t->no_memory = t->over_bound = false;
    t->error[0] = '\0';
    if (curl_easy_setopt(c, CURLOPT_URL, req->url) != CURLE_OK) {
        return HR_E_NOMEM;
    }
    set_headers(t, req);
    CURLcode code = CURLE_OK;
    bool put = strcmp(req->method, "PUT") == 0;
    if (put || strcmp(req->method, "POST") == 0) {
        /* A body in memory, for PUT too: with a read callback libcurl 7.88 hangs when it sends a
         * body again because a reused connection had been closed. */
        curl_easy_setopt(c, CURLOPT_POST, 1L);
        curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)req->body.len);
        curl_easy_setopt(c, CURLOPT_POSTFIELDS, req->body.ptr ? (const char *)req->body.ptr : "");
        code = curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, put ? "PUT" : NULL);
    } else {
        curl_easy_setopt(c, CURLOPT_HTTPGET, 1L);
        bool head = strcmp(req->method, "HEAD") == 0;
        curl_easy_setopt(c, CURLOPT_NOBODY, head ? 1L : 0L);
        bool plain = head || strcmp(req->method, "GET") == 0;
        code = curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, plain ? NULL : req->method);
    }
    return code == CURLE_OK ? 0 : HR_E_NOMEM;
}

/* ---- the end -------------------------------------------------------------------------------- */

/* host:port of the request, for messages. */
static void place_of(const struct hr_http_req *req, char out[HR_HTTP_PLACE_MAX]) {
    const char *host = strstr(req->url, "://");
    host = host ? host + 3 : req->url;
    size_t n = strcspn(host, "/?#");
    bool tls = strncmp(req->url, "https:", 6) == 0;
    const char *bracket = memchr(host, ']', n);
    const char *from = bracket ? bracket : host;
    bool port = memchr(from, ':', (size_t)(host + n - from)) != NULL;
    snprintf(out, HR_HTTP_PLACE_MAX, "%.*s%s", (int)(n < 250 ? n : 250), host,
             port  ? ""
             : tls ? ":443"
                   : ":80");
}

/* libcurl names whom it tried ("Failed to connect to HOST port 3128 after …"): somebody other than
 * the server is a proxy, of the options or the environment. */
static bool was_proxy(const struct transfer *t, const char *place) {
    const char *colon = strrchr(place, ':');
    const char *port = strstr(t->error, " port ");
    const char *host = strstr(t->error, "connect to ");
    if (colon == NULL || port == NULL || host == NULL) {
        return false;
    }
    const size_t host_len = (size_t)(colon - place);
    const size_t port_len = strlen(colon + 1);
    host += strlen("connect to ");
    port += strlen(" port ");
    const bool same_port = strncmp(port, colon + 1, port_len) == 0 && port[port_len] == ' ';
    const bool same_host =
        *place == '[' || (strncasecmp(host, place, host_len) == 0 && host[host_len] == ' ');
    return !same_port || !same_host;
}

static int connect_failed(struct transfer *t, const char *place, struct hr_error *err) {
    long os = 0;
    curl_easy_getinfo(t->curl, CURLINFO_OS_ERRNO, &os);
    if (t->refused) {
        t->req->hopeless = true;
        hr_fail(err, HR_E_CONFIG,
                "could not connect to %s: its address is link-local or a metadata service", place);
        hr_error_hint(err, "such addresses are refused as endpoints; check endpoint_url");
        return HR_E_CONFIG;
    }
    if (was_proxy(t, place)) {
        hr_fail(err, HR_E_NETWORK, "could not connect to the proxy for %s: %s", place, t->error);
        hr_error_hint(err, "check the option proxy and the environment's https_proxy and "
                           "http_proxy; no_proxy names hosts that need none");
        return HR_E_NETWORK;
    }
    hr_fail(err, HR_E_NETWORK, "could not connect to %s: %s", place,
            os != 0 ? strerror((int)os) : t->error);
    hr_error_hint(err, "check endpoint_url, and that the server is running and can be reached "
                       "from here (firewall, proxy)");
    return HR_E_NETWORK;
}

static int tls_failed(struct transfer *t, CURLcode code, const char *place, struct hr_error *err) {
    hr_fail(err, HR_E_NETWORK, "could not make a TLS connection to %s: %s", place,
            t->error[0] ? t->error : curl_easy_strerror(code));
    t->req->hopeless = true;
    if (strstr(t->error, "wrong version number") != NULL ||
        strstr(t->error, "packet length too long") != NULL ||
        strstr(t->error, "unexpected message") != NULL) {
        hr_error_hint(err, "the server seems to speak plain HTTP: write http:// in endpoint_url, "
                           "or set use_ssl to false");
    } else if (code == CURLE_PEER_FAILED_VERIFICATION) {
        hr_error_hint(err, "its certificate is not trusted here; name the authority's file with "
                           "ca_bundle (or AWS_CA_BUNDLE)");
    } else if (code == CURLE_SSL_CACERT_BADFILE) {
        hr_error_hint(err, "the file named by ca_bundle (or AWS_CA_BUNDLE) cannot be read");
    } else {
        t->req->hopeless = false; /* a cut connection during the handshake */
    }
    return HR_E_NETWORK;
}

static int body_refused(const struct transfer *t, const char *place, struct hr_error *err) {
    if (t->no_memory) {
        return hr_fail(err, HR_E_NOMEM, "could not read the answer of %s: out of memory", place);
    }
    if (t->too_long) {
        return hr_fail(err, HR_E_STORE,
                       "could not use the answer of %s: it is longer than asked for", place);
    }
    return hr_fail(err, HR_E_BOUND,
                   "could not read the answer of %s: it is over the bound of %zu bytes", place,
                   t->req->text.max);
}

static int not_http(struct transfer *t, const char *place, struct hr_error *err) {
    t->req->hopeless = true;
    hr_fail(err, HR_E_NETWORK, "could not talk to %s: it does not answer in HTTP/1", place);
    if (strncmp(t->req->url, "http:", 5) == 0) {
        hr_error_hint(err, "if it speaks TLS, write https:// in endpoint_url; if its port is a "
                           "console's, use the port of the S3 API");
    }
    return HR_E_NETWORK;
}

static int explain(struct transfer *t, CURLcode code, struct hr_error *err) {
    char place[HR_HTTP_PLACE_MAX];
    place_of(t->req, place);
    switch (code) {
    case CURLE_COULDNT_CONNECT: return connect_failed(t, place, err);
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        hr_fail(err, HR_E_NETWORK, "could not find the address of %s: %s",
                code == CURLE_COULDNT_RESOLVE_PROXY ? "the proxy" : place, t->error);
        hr_error_hint(err, "check the spelling of endpoint_url%s and that DNS works here",
                      code == CURLE_COULDNT_RESOLVE_PROXY ? " and proxy" : "");
        return HR_E_NETWORK;
    case CURLE_OPERATION_TIMEDOUT:
        return hr_fail(err, HR_E_TIMEOUT, "could not finish a request to %s: %s", place, t->error);
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR: return tls_failed(t, code, place, err);
    case CURLE_WRITE_ERROR: return body_refused(t, place, err);
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY: return not_http(t, place, err);
    case CURLE_URL_MALFORMAT:
        t->req->hopeless = true;
        hr_fail(err, HR_E_CONFIG, "could not use the address of %s: %s", place, t->error);
        return HR_E_CONFIG;
    case CURLE_OUT_OF_MEMORY:
        return hr_fail(err, HR_E_NOMEM, "could not send a request to %s: out of memory", place);
    case CURLE_PARTIAL_FILE:
        return hr_fail(err, HR_E_NETWORK, "could not read the whole answer of %s: %s", place,
                       t->error);
    default:
        return hr_fail(err, HR_E_NETWORK, "could not finish a request to %s: %s", place,
                       t->error[0] ? t->error : curl_easy_strerror(code));
    }
}

void hr_transfer_end(struct transfer *t, CURLcode code) {
    struct hr_http_req *req = t->req;
    long connects = 0;
    curl_off_t first = 0;
    curl_off_t total = 0;
    curl_easy_getinfo(t->curl, CURLINFO_NUM_CONNECTS, &connects);
    curl_easy_getinfo(t->curl, CURLINFO_STARTTRANSFER_TIME_T, &first);
    curl_easy_getinfo(t->curl, CURLINFO_TOTAL_TIME_T, &total);
    req->connects = (int)connects;
    req->first_byte_ns = first * 1000;
    req->total_ns = total * 1000;
    req->rc = code == CURLE_OK ? 0 : explain(t, code, &req->err);
    t->req = NULL;
}
