/* http/transfer.h - one transfer at a time on one libcurl handle. For http/ itself. */
#ifndef HR_HTTP_TRANSFER_H
#define HR_HTTP_TRANSFER_H

#include <curl/curl.h>

#include "http/http.h"

#define HR_HTTP_PLACE_MAX 280
#define HR_HTTP_RECEIVE_BUFFER (4 << 20)

/* A libcurl handle with its constant options set, reused for one request after another. */
struct transfer {
    CURL *curl;
    struct hr_http_req *req;
    struct curl_slist lines[HR_HTTP_HEADERS_MAX + 3];
    bool refused, too_long, no_memory, over_bound;
    char error[CURL_ERROR_SIZE];
    struct transfer *next;
};

/* share: TLS sessions of all handles. wide: large receive buffers. NULL: no memory. */
struct transfer *hr_transfer_new(const struct hr_http_conf *conf, CURLSH *share, bool wide);
void hr_transfer_free(struct transfer *t);
/* Sets the request's options; 0 or HR_E_NOMEM. */
int hr_transfer_begin(struct transfer *t, struct hr_http_req *req);
/* Fills the request's results from what libcurl says. */
void hr_transfer_end(struct transfer *t, CURLcode code);

#endif
