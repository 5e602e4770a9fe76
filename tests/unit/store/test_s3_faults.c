/* tests/unit/store/test_s3_faults.c - the S3 client against a server that misbehaves on purpose:
 * what is tried again and how often, what is corrected, and what people read when it fails. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/time.h"
#include "store/store.h"
#include "support.h"

#include "fake_server.h"
#include "minio.h"

#define SECRET "verysecretkeyofmine"

struct env {
    struct fake_server *fake;
    struct hr_store *store;
    struct hr_error err;
    struct hr_buf buf;
    struct hr_object_info info;
};

static struct hr_store_conf conf_of(const char *url) {
    return (struct hr_store_conf){
        .scheme = "s3",
        .bucket = "lake",
        .endpoint_url = url,
        .region = "us-east-1",
        .path_style = -1,
        .access_key_id = "AKID",
        .secret_access_key = SECRET,
        .retry_count = 2,
        .backoff_ms = 1,
        .timeout_seconds = 600, /* nothing but test_timeout shall run into it */
    };
}

static void env_open(struct env *e) {
    memset(e, 0, sizeof(*e));
    hr_buf_init(&e->buf, 0);
    e->fake = fake_start();
    struct hr_store_conf conf = conf_of(fake_url(e->fake));
    assert_rc(hr_store_open(&conf, &e->store, &e->err), 0, &e->err);
}

static void env_close(struct env *e) {
    hr_store_close(e->store);
    fake_stop(e->fake);
    hr_buf_release(&e->buf);
}

static struct hr_store_counters counters(const struct env *e) {
    struct hr_store_counters c;
    e->store->driver->counters(e->store, &c);
    return c;
}

static int get(struct env *e, int64_t offset, int64_t len) {
    hr_buf_clear(&e->buf);
    int rc = hr_store_get(e->store, "k y", offset, len, NULL, &e->buf, &e->info, &e->err);
    char text[2600];
    hr_error_format(&e->err, text, sizeof(text));
    assert_null(strstr(text, SECRET));
    return rc;
}

static int list(struct env *e) {
    struct hr_list_page page = {0};
    struct hr_list_query q = {.prefix = "p"};
    int rc = e->store->driver->list(e->store, &q, &page, &e->err);
    hr_list_page_release(&page);
    return rc;
}

static int put(struct env *e, const char *body, const struct hr_put_opts *opts) {
    return e->store->driver->put(e->store, "k", hr_slice_str(body), opts, NULL, &e->err);
}

/* "0123456789" asked for by bytes=2-4. */
#define GOOD_HEADERS                                                                               \
    "Content-Range: bytes 2-4/10\r\nETag: \"abc\"\r\n"                                             \
    "Last-Modified: Fri, 20 Nov 2026 10:00:00 GMT\r\nDate: Sat, 21 Nov 2026 10:00:00 GMT\r\n"

static void good(struct env *e) {
    fake_answer(e->fake, 206, GOOD_HEADERS, "234");
}

static void assert_good(struct env *e, int retries) {
    assert_rc(get(e, 2, 3), 0, &e->err);
    assert_string_equal(hr_buf_cstr(&e->buf), "234");
    assert_int_equal(e->info.size, 10);
    assert_string_equal(e->info.etag, "abc");
    assert_int_equal(e->info.mtime_us, 1795168800000000LL);
    assert_int_equal(counters(e).retries, retries);
    assert_int_equal(counters(e).get, retries + 1);
}

static void assert_says(const char *text, const char *part) {
    if (strstr(text, part) == NULL) {
        print_error("'%s' does not say '%s'\n", text, part);
        fail();
    }
}

/* ---- tried again ---------------------------------------------------------------------------- */

static void test_plain(void **state) {
    (void)state;
    struct env e;
    char value[300];
    env_open(&e);
    good(&e);
    assert_good(&e, 0);
    assert_int_equal(e.store->driver->clock_us(e.store), 1795255200000000LL);
    assert_memory_equal(fake_request(e.fake, 0), "GET /lake/k%20y HTTP/1.1\r\n", 26);
    assert_string_equal(fake_header(e.fake, 0, "Range", value, sizeof(value)), "bytes=2-4");
    assert_says(fake_header(e.fake, 0, "Authorization", value, sizeof(value)),
                "AWS4-HMAC-SHA256 Credential=AKID/");
    assert_null(strstr(fake_request(e.fake, 0), SECRET));
    env_close(&e);
}

static void test_busy_then_good(void **state) {
    (void)state;
    static const struct {
        int status;
        const char *code;
    } cases[] = {{503, "SlowDown"},
                 {503, ""},
                 {500, "InternalError"},
                 {502, ""},
                 {504, ""},
                 {429, "TooManyRequests"},
                 {400, "RequestTimeout"},
                 {503, "ServiceUnavailable"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct env e;
        env_open(&e);
        if (cases[i].code[0]) {
            fake_error(e.fake, cases[i].status, "", cases[i].code);
        } else {
            fake_answer(e.fake, cases[i].status, "", "<html>busy</html>");
        }
        good(&e);
        assert_good(&e, 1);
        assert_int_equal(counters(&e).throttled, cases[i].status == 503 || cases[i].status == 429);
        env_close(&e);
    }
}

static void test_gives_up(void **state) {
    (void)state;
    struct env e;
    env_open(&e);
    fake_error(e.fake, 500, "", "InternalError");
    assert_rc(get(&e, 2, 3), HR_E_STORE, &e.err);
    assert_int_equal(fake_count(e.fake), 3);
    assert_says(e.err.message, "could not read 's3://lake/k y': the server failed inside");
    assert_says(e.err.detail, "500 InternalError: scripted InternalError (request R1)");
    assert_says(e.err.detail, "tried 3 times");
    assert_string_equal(e.err.object, "k y");
    env_close(&e);
}

static void test_cut_connections(void **state) {
    (void)state;
    static const char head[] = "HTTP/1.1 206 OK\r\n" GOOD_HEADERS "Content-Length: 3\r\n\r\n";
    static const struct {
        size_t len; /* of head + body that is sent */
        unsigned flags;
    } cases[] = {
        {0, FAKE_RESET},
        {0, FAKE_CLOSE},
        {9, FAKE_RESET},
        {40, FAKE_CLOSE},
        {sizeof(head) - 1, FAKE_RESET},
        {sizeof(head), FAKE_RESET},
        {sizeof(head), FAKE_CLOSE},
    };
    char all[400];
    snprintf(all, sizeof(all), "%s234", head);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct env e;
        env_open(&e);
        fake_raw(e.fake, cases[i].flags, 0, all, cases[i].len);
        good(&e);
        assert_good(&e, 1);
        env_close(&e);
    }
}

static void test_wrong_ranges(void **state) {
    (void)state;
    static const char *const wrong[] = {
        "Content-Range: bytes 0-2/10\r\n",
        "Content-Range: bytes 2-5/10\r\n",
        "Content-Range: bytes 3-5/10\r\n",
        "Content-Range: bytes 2-4/3\r\n",
        "Content-Range: bytes 2-4/\r\n",
        "Content-Range: bytes x-4/10\r\n",
        "Content-Range: bytes 4-2/10\r\n",
        "",
        "Content-Range: bytes 2-99999999999999999999/10\r\n",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct env e;
        env_open(&e);
        fake_answer(e.fake, 206, wrong[i], "234");
        good(&e);
        assert_good(&e, 1);
        env_close(&e);
    }
    struct env e;
    env_open(&e);
    fake_answer(e.fake, 206, wrong[0], "234");
    assert_rc(get(&e, 2, 3), HR_E_STORE, &e.err);
    assert_says(e.err.message, "not the range asked for");
    assert_says(e.err.detail, "bytes 0-2/10");
    /* Fewer bytes than wanted although the object has more. */
    fake_answer(e.fake, 206, "Content-Range: bytes 2-3/10\r\n", "23");
    assert_rc(get(&e, 2, 3), HR_E_STORE, &e.err);
    env_close(&e);
}

static void test_range_ignored(void **state) {
    (void)state;
    struct env e;
    env_open(&e);
    fake_answer(e.fake, 200, "", "0123456789");
    assert_rc(get(&e, 2, 3), HR_E_UNSUPPORTED, &e.err);
    assert_says(e.err.message, "ignores Range");
    assert_rc(get(&e, 2, 30), HR_E_UNSUPPORTED, &e.err);
    assert_rc(get(&e, 0, 10), 0, &e.err); /* all was wanted */
    assert_string_equal(hr_buf_cstr(&e.buf), "0123456789");
    assert_rc(get(&e, 0, 5), HR_E_UNSUPPORTED, &e.err);
    env_close(&e);
}

static void test_retry_after(void **state) {
    (void)state;
    struct env e;
    env_open(&e);
    fake_error(e.fake, 503, "Retry-After: 1\r\n", "SlowDown");
    good(&e);
    assert_good(&e, 1);
    assert_true(fake_time_ms(e.fake, 1) - fake_time_ms(e.fake, 0) >= 990);
    env_close(&e);
}

static void test_timeout(void **state) {
    (void)state;
    struct env e;
    struct hr_store *store;
    env_open(&e);
    fake_raw(e.fake, FAKE_STALL, 0, "HTTP/1.1 206 OK\r\nContent-Le", 27);
    struct hr_store_conf conf = conf_of(fake_url(e.fake));
    conf.timeout_seconds = 1;
    conf.retry_count = 0;
    assert_rc(hr_store_open(&conf, &store, &e.err), 0, &e.err);
    int rc = hr_store_get(store, "k", 0, 3, NULL, &e.buf, &e.info, &e.err);
    assert_rc(rc, HR_E_TIMEOUT, &e.err);
    char place[40];
    snprintf(place, sizeof(place), "127.0.0.1:%d", fake_port(e.fake));
    assert_says(e.err.message, place);
    hr_store_close(store);
    env_close(&e);
}

static void test_error_in_200(void **state) {
    (void)state;
    struct env e;
    char etag[80];
    const struct hr_part part = {.number = 1, .etag = "e1 AAAAAAAAAAA=", .size = 3};
    static const char done[] = "\n   \n<?xml version=\"1.0\"?><CompleteMultipartUploadResult>"
                               "<ETag>&quot;final-1&quot;</ETag></CompleteMultipartUploadResult>";
    env_open(&e);
    fake_error(e.fake, 200, "", "InternalError");
    fake_answer(e.fake, 200, "", "   <Error><Code>SlowDown</Code></Error>");
    fake_answer(e.fake, 200, "", done);
    assert_rc(e.store->driver->mp_complete(e.store, "k", "id/+ ", &part, 1, NULL, etag, &e.err), 0,
              &e.err);
    assert_string_equal(etag, "final-1");
    assert_int_equal(counters(&e).retries, 2);
    assert_int_equal(counters(&e).complete, 3);
    assert_memory_equal(fake_request(e.fake, 2), "POST /lake/k?uploadId=id%2F%2B%20 HTTP", 38);
    assert_says(fake_request(e.fake, 2),
                "<Part><PartNumber>1</PartNumber><ETag>&quot;e1&quot;</ETag><ChecksumCRC64NVME>"
                "AAAAAAAAAAA=</ChecksumCRC64NVME></Part>");
    fake_error(e.fake, 200, "", "InvalidPart");
    assert_rc(e.store->driver->mp_complete(e.store, "k", "id", &part, 1, NULL, etag, &e.err),
              HR_E_NO_OBJECT, &e.err);
    assert_says(e.err.detail, "InvalidPart");
    assert_int_equal(counters(&e).complete, 4);
    fake_answer(e.fake, 200, "", "<CompleteMultipartUploadResult><ETag>");
    assert_rc(e.store->driver->mp_complete(e.store, "k", "id", &part, 1, NULL, etag, &e.err),
              HR_E_STORE, &e.err);
    env_close(&e);
}

static void test_put_is_tried_again(void **state) {
    (void)state;
    struct env e;
    struct hr_put_opts only_new = {.cond = HR_PUT_NEW};
    env_open(&e);
    fake_raw(e.fake, FAKE_RESET, 0, "", 0);
    fake_answer(e.fake, 200, "ETag: \"x\"\r\n", "");
    assert_rc(put(&e, "body", NULL), 0, &e.err);
    assert_int_equal(fake_count(e.fake), 2);
    assert_says(fake_request(e.fake, 1), "\r\n\r\nbody");
    /* The first answer was lost, so the object that is in the way may be ours. (On a connection
     * that was used before, libcurl itself would send again.) */
    env_close(&e);
    env_open(&e);
    fake_raw(e.fake, FAKE_RESET, 0, "", 0);
    fake_error(e.fake, 412, "", "PreconditionFailed");
    assert_rc(put(&e, "body", &only_new), HR_E_EXISTS, &e.err);
    assert_says(e.err.hint, "earlier attempt");
    fake_error(e.fake, 409, "", "ConditionalRequestConflict");
    fake_answer(e.fake, 200, "", "");
    assert_rc(put(&e, "body", &only_new), 0, &e.err);
    env_close(&e);
}

/* ---- corrected ------------------------------------------------------------------------------ */

static void test_clock_corrected(void **state) {
    (void)state;
    struct env e;
    char value[40];
    env_open(&e);
    fake_error(e.fake, 403, "Date: Wed, 01 Jan 2031 00:00:00 GMT\r\n", "RequestTimeTooSkewed");
    good(&e);
    good(&e);
    assert_rc(get(&e, 2, 3), 0, &e.err);
    assert_int_equal(fake_count(e.fake), 2);
    fake_header(e.fake, 1, "x-amz-date", value, sizeof(value));
    assert_memory_equal(value, "20310101T0000", 13);
    assert_rc(get(&e, 2, 3), 0, &e.err); /* and it stays corrected */
    fake_header(e.fake, 2, "x-amz-date", value, sizeof(value));
    assert_memory_equal(value, "20310101T0000", 13);
    env_close(&e);
    env_open(&e); /* a server that is never content does not keep us busy */
    fake_error(e.fake, 403, "Date: Wed, 01 Jan 2031 00:00:00 GMT\r\n", "RequestTimeTooSkewed");
    assert_rc(get(&e, 2, 3), HR_E_AUTH, &e.err);
    assert_int_equal(fake_count(e.fake), 2);
    assert_says(e.err.hint, "clock");
    env_close(&e);
}

static const char wrong_region[] =
    "<Error><Code>AuthorizationHeaderMalformed</Code><Message>the region 'us-east-1' is wrong; "
    "expecting 'eu-west-3'</Message><Region>eu-west-3</Region></Error>";

static void test_region_corrected(void **state) {
    (void)state;
    struct env e;
    char value[400];
    env_open(&e);
    fake_answer(e.fake, 400, "", wrong_region);
    good(&e);
    good(&e);
    assert_rc(get(&e, 2, 3), 0, &e.err);
    assert_int_equal(fake_count(e.fake), 2);
    assert_says(fake_header(e.fake, 1, "Authorization", value, sizeof(value)), "/eu-west-3/s3/");
    assert_rc(get(&e, 2, 3), 0, &e.err);
    assert_says(fake_header(e.fake, 2, "Authorization", value, sizeof(value)), "/eu-west-3/s3/");
    env_close(&e);
    /* A server that refuses the region it named itself. */
    env_open(&e);
    fake_answer(e.fake, 400, "", wrong_region);
    fake_answer(e.fake, 400, "", wrong_region);
    assert_rc(get(&e, 2, 3), HR_E_REGION, &e.err);
    assert_int_equal(fake_count(e.fake), 2);
    assert_says(e.err.message, "asked in region 'eu-west-3', as the server wants");
    env_close(&e);
    /* Writing says so, and does not write elsewhere. */
    env_open(&e);
    fake_answer(e.fake, 400, "", wrong_region);
    assert_rc(put(&e, "x", NULL), HR_E_REGION, &e.err);
    assert_int_equal(fake_count(e.fake), 1);
    assert_says(e.err.message, "in region 'eu-west-3', not 'us-east-1'");
    assert_says(e.err.hint, "set region to 'eu-west-3'");
    env_close(&e);
    /* HEAD: the region comes as a header. */
    env_open(&e);
    fake_answer(e.fake, 301, "x-amz-bucket-region: eu-west-3\r\n", "");
    fake_answer(e.fake, 200, "ETag: \"h\"\r\n", "");
    assert_rc(e.store->driver->stat(e.store, "k", &e.info, NULL, &e.err), 0, &e.err);
    assert_string_equal(e.info.etag, "h");
    env_close(&e);
    /* A region with an odd name goes nowhere. */
    env_open(&e);
    fake_answer(e.fake, 400, "",
                "<Error><Code>AuthorizationHeaderMalformed</Code><Region>evil.example/</Region>"
                "</Error>");
    assert_rc(get(&e, 2, 3), HR_E_REGION, &e.err);
    assert_int_equal(fake_count(e.fake), 1);
    env_close(&e);
}

static void test_redirect_not_followed(void **state) {
    (void)state;
    struct env e;
    struct fake_server *other = fake_start();
    char headers[200];
    env_open(&e);
    fake_answer(other, 200, "", "gotcha");
    snprintf(headers, sizeof(headers), "Location: %s/lake/k\r\n", fake_url(other));
    fake_answer(e.fake, 307, headers,
                "<Error><Code>TemporaryRedirect</Code><Endpoint>other.example</Endpoint></Error>");
    assert_rc(get(&e, 0, 6), HR_E_REGION, &e.err);
    assert_says(e.err.hint, "other.example");
    assert_int_equal(fake_count(other), 0);
    fake_answer(e.fake, 302, headers, "");
    assert_rc(get(&e, 0, 6), HR_E_REGION, &e.err);
    assert_int_equal(fake_count(other), 0);
    fake_stop(other);
    env_close(&e);
}

/* ---- refused -------------------------------------------------------------------------------- */

static void test_auth_errors(void **state) {
    (void)state;
    static const struct {
        const char *code;
        int want;
        const char *hint;
    } cases[] = {
        {"InvalidAccessKeyId", HR_E_AUTH, "check access_key_id"},
        {"SignatureDoesNotMatch", HR_E_AUTH, "check secret_access_key"},
        {"ExpiredToken", HR_E_AUTH, "temporary keys"},
        {"AccessDenied", HR_E_FORBIDDEN, "s3:GetObject"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct env e;
        env_open(&e);
        fake_error(e.fake, 403, "", cases[i].code);
        assert_rc(get(&e, 2, 3), cases[i].want, &e.err);
        assert_int_equal(fake_count(e.fake), 1); /* trying again would not help */
        assert_says(e.err.hint, cases[i].hint);
        assert_says(e.err.hint, "the configuration");
        env_close(&e);
    }
}

static void test_missing_permission(void **state) {
    (void)state;
    struct env e;
    env_open(&e);
    fake_error(e.fake, 403, "", "AccessDenied");
    assert_rc(list(&e), HR_E_FORBIDDEN, &e.err);
    assert_says(e.err.message, "could not list 's3://lake'");
    assert_says(e.err.hint, "s3:ListBucket");
    assert_rc(put(&e, "x", NULL), HR_E_FORBIDDEN, &e.err);
    assert_says(e.err.hint, "s3:PutObject");
    assert_rc(e.store->driver->remove(e.store, "k", &e.err), HR_E_FORBIDDEN, &e.err);
    assert_says(e.err.hint, "s3:DeleteObject");
    assert_rc(e.store->driver->stat(e.store, "k", &e.info, NULL, &e.err), HR_E_FORBIDDEN, &e.err);
    assert_says(e.err.hint, "s3:GetObject");
    env_close(&e);
}

static void test_missing_things(void **state) {
    (void)state;
    struct env e;
    env_open(&e);
    fake_error(e.fake, 404, "", "NoSuchBucket");
    assert_rc(list(&e), HR_E_NO_BUCKET, &e.err);
    assert_says(e.err.hint, "bucket 'lake'");
    assert_rc(e.store->driver->stat(e.store, "k", &e.info, NULL, &e.err), HR_E_NO_BUCKET, &e.err);
    fake_error(e.fake, 404, "", "NoSuchKey");
    assert_rc(get(&e, 2, 3), HR_E_NO_OBJECT, &e.err);
    fake_error(e.fake, 412, "", "PreconditionFailed");
    assert_rc(get(&e, 2, 3), HR_E_CHANGED, &e.err);
    fake_error(e.fake, 507, "", "XMinioStorageFull");
    assert_rc(put(&e, "x", NULL), HR_E_NOSPACE, &e.err);
    fake_error(e.fake, 416, "Content-Range: bytes */2\r\n", "InvalidRange");
    assert_rc(get(&e, 2, 3), 0, &e.err);
    assert_int_equal(e.buf.len, 0);
    assert_int_equal(e.info.size, 2);
    env_close(&e);
}

/* ---- not an S3 server ----------------------------------------------------------------------- */

static int open_and_list(const char *url, struct hr_error *err) {
    struct hr_store *store;
    struct hr_store_conf conf = conf_of(url);
    struct hr_list_page page = {0};
    struct hr_list_query q = {0};
    int rc = hr_store_open(&conf, &store, err);
    if (rc == 0) {
        rc = store->driver->list(store, &q, &page, err);
        hr_list_page_release(&page);
        hr_store_close(store);
    }
    return rc;
}

static void test_wrong_servers(void **state) {
    (void)state;
    struct hr_error err;
    char url[80];
    char place[40];
    int refusing;
    int port = test_refusing_port(&refusing);
    snprintf(url, sizeof(url), "http://127.0.0.1:%d", port);
    snprintf(place, sizeof(place), "127.0.0.1:%d", port);
    assert_rc(open_and_list(url, &err), HR_E_NETWORK, &err);
    close(refusing);
    assert_says(err.message, place);
    assert_says(err.message, "refused");
    assert_says(err.hint, "endpoint_url");
    /* A web page. */
    struct env e;
    env_open(&e);
    fake_answer(e.fake, 200, "", "<html><body><p>Welcome</p></body></html>");
    assert_rc(list(&e), HR_E_STORE, &e.err);
    assert_says(e.err.hint, "S3 API");
    fake_answer(e.fake, 200, "", "");
    assert_rc(list(&e), HR_E_STORE, &e.err);
    fake_answer(e.fake, 400, "", "Client sent an HTTP request to an HTTPS server.\n");
    assert_rc(list(&e), HR_E_CONFIG, &e.err);
    assert_says(e.err.hint, "https://");
    /* TLS spoken to a plain server. */
    snprintf(url, sizeof(url), "https://127.0.0.1:%d", fake_port(e.fake));
    fake_raw(e.fake, FAKE_CLOSE | FAKE_NO_READ, 0, "HTTP/1.1 400 Bad Request\r\n\r\n", 28);
    assert_rc(open_and_list(url, &err), HR_E_NETWORK, &err);
    assert_says(err.message, "TLS");
    assert_says(err.hint, "http://");
    env_close(&e);
    /* Something that is not HTTP. */
    env_open(&e);
    fake_raw(e.fake, FAKE_CLOSE, 0, "\x15\x03\x01\x00\x02\x02\x0a", 7);
    assert_rc(list(&e), HR_E_NETWORK, &e.err);
    assert_int_equal(fake_count(e.fake), 1);
    assert_says(e.err.message, "HTTP/1");
    env_close(&e);
    /* A label of more than 63 bytes: no name server is asked. */
    assert_rc(
        open_and_list("http://no-such-host-0123456789-0123456789-0123456789-0123456789-0123456789"
                      ".invalid",
                      &err),
        HR_E_NETWORK, &err);
    assert_says(err.message, "no-such-host-0123456789");
}

static void test_bad_endpoints(void **state) {
    (void)state;
    static const char *const bad[] = {
        "ftp://host",
        "http://",
        "http://user:" SECRET "@host",
        "http://host/?x=1",
        "http://ho st",
        "http://ho\nst",
        "http://169.254.169.254",
        "http://169.254.1.2:80/",
        "http://[fe80::1]",
        "http://[fe80::1%25eth0]:9000",
        "http://[::ffff:169.254.169.254]",
        "http://[fd00:ec2::254]",
        "http://100.100.100.200",
        "http://168.63.129.16",
    };
    struct hr_error err;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_rc(open_and_list(bad[i], &err), HR_E_CONFIG, &err);
        assert_null(strstr(err.message, SECRET));
    }
    /* Names and odd spellings that only turn into such an address on the way. */
    static const char *const hidden[] = {"http://2852039166", "http://0xa9fea9fe",
                                         "http://169.254.43518"};
    for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++) {
        assert_rc(open_and_list(hidden[i], &err), HR_E_CONFIG, &err);
        assert_says(err.message, "link-local");
    }
}

static void test_bad_configuration(void **state) {
    (void)state;
    struct hr_error err;
    struct hr_store *store;
    struct hr_store_conf conf = conf_of("http://127.0.0.1:1");
    static const char *const buckets[] = {"", "a/b", "a b", "..", "a?b", "b\xc3\xbc"};
    for (size_t i = 0; i < sizeof(buckets) / sizeof(buckets[0]); i++) {
        conf.bucket = buckets[i];
        assert_rc(hr_store_open(&conf, &store, &err), HR_E_CONFIG, &err);
    }
    conf = conf_of("http://127.0.0.1:1");
    conf.region = "eu west";
    assert_rc(hr_store_open(&conf, &store, &err), HR_E_CONFIG, &err);
    conf = conf_of("http://127.0.0.1:1");
    conf.secret_access_key = NULL;
    assert_rc(hr_store_open(&conf, &store, &err), HR_E_CONFIG, &err);
    assert_says(err.message, "secret_access_key");
    conf.secret_access_key = SECRET;
    conf.access_key_id = "";
    assert_rc(hr_store_open(&conf, &store, &err), HR_E_CONFIG, &err);
    assert_null(strstr(err.message, SECRET));
    conf = conf_of("http://127.0.0.1:1");
    conf.scheme = "gs";
    assert_rc(hr_store_open(&conf, &store, &err), HR_E_CONFIG, &err);
    assert_says(err.hint, "storage.googleapis.com");
    conf.scheme = "nfs4";
    assert_rc(hr_store_open(&conf, &store, &err), HR_E_CONFIG, &err);
}

/* ---- what is sent --------------------------------------------------------------------------- */

static void test_headers_sent(void **state) {
    (void)state;
    struct env e;
    char value[400];
    struct hr_store *store;
    env_open(&e);
    fake_answer(e.fake, 200, "ETag: \"x\"\r\n", "");
    struct hr_meta meta = {"headrace-commit", "l/1/2/n"};
    struct hr_put_opts opts = {
        .content_type = "text/csv",
        .meta = &meta,
        .n_meta = 1,
        .sse = "aws:kms",
        .kms_key_id = "key-1",
        .acl = "bucket-owner-full-control",
        .storage_class = "STANDARD_IA",
        .tagging = "a=b&c=d",
    };
    assert_rc(put(&e, "body", &opts), 0, &e.err);
    static const struct {
        const char *name, *want;
    } headers[] = {
        {"content-type", "text/csv"},
        {"x-amz-meta-headrace-commit", "l/1/2/n"},
        {"x-amz-server-side-encryption", "aws:kms"},
        {"x-amz-server-side-encryption-aws-kms-key-id", "key-1"},
        {"x-amz-acl", "bucket-owner-full-control"},
        {"x-amz-storage-class", "STANDARD_IA"},
        {"x-amz-tagging", "a=b&c=d"},
        {"content-length", "4"},
    };
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        assert_string_equal(fake_header(e.fake, 0, headers[i].name, value, sizeof(value)),
                            headers[i].want);
    }
    opts.content_type = "text/csv\r\nx-evil: 1";
    assert_rc(put(&e, "body", &opts), HR_E_CONFIG, &e.err);
    assert_int_equal(fake_count(e.fake), 1);
    /* A temporary identity, and none. */
    struct hr_store_conf conf = conf_of(fake_url(e.fake));
    conf.session_token = "tok/en==";
    assert_rc(hr_store_open(&conf, &store, &e.err), 0, &e.err);
    assert_rc(store->driver->remove(store, "k", &e.err), 0, &e.err);
    hr_store_close(store);
    assert_string_equal(fake_header(e.fake, 1, "x-amz-security-token", value, sizeof(value)),
                        "tok/en==");
    conf.anonymous = true;
    assert_rc(hr_store_open(&conf, &store, &e.err), 0, &e.err);
    assert_rc(store->driver->remove(store, "k", &e.err), 0, &e.err);
    hr_store_close(store);
    assert_string_equal(fake_header(e.fake, 2, "Authorization", value, sizeof(value)), "");
    env_close(&e);
}

static void test_list_answers(void **state) {
    (void)state;
    struct env e;
    env_open(&e);
    fake_answer(e.fake, 200, "",
                "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>");
    assert_rc(list(&e), HR_E_STORE, &e.err);
    assert_says(e.err.message, "there is more");
    /* The page that was asked for leads to itself. */
    fake_answer(e.fake, 200, "",
                "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t"
                "</NextContinuationToken></ListBucketResult>");
    const struct hr_list_query again = {.token = "t"};
    struct hr_list_page page = {0};
    assert_rc(e.store->driver->list(e.store, &again, &page, &e.err), HR_E_STORE, &e.err);
    assert_says(e.err.message, "the same page for ever");
    hr_list_page_release(&page);
    static const char *const broken[] = {
        "<ListBucketResult><Contents></ListBucketResult>",
        "<ListBucketResult><Contents><Key>k</Key></Contents></ListBucketResult>",
        "<ListBucketResult><Contents><Key>k</Key><Size>x</Size></Contents></ListBucketResult>",
        "<ListBucketResult><Contents><Key>k%zz</Key><Size>1</Size></Contents>"
        "<EncodingType>url</EncodingType></ListBucketResult>",
        "<ListBucketResult><Contents><Key>k%00</Key><Size>1</Size></Contents>"
        "<EncodingType>url</EncodingType></ListBucketResult>",
        "<!DOCTYPE x [<!ENTITY y \"z\">]><ListBucketResult></ListBucketResult>",
        "<ListBucketResult>",
    };
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        fake_answer(e.fake, 200, "", broken[i]);
        assert_rc(list(&e), HR_E_STORE, &e.err);
    }
    env_close(&e);
}

static void test_rate_limit(void **state) {
    (void)state;
    struct env e;
    struct hr_store *store;
    env_open(&e);
    fake_answer(e.fake, 204, "", "");
    struct hr_store_conf conf = conf_of(fake_url(e.fake));
    conf.max_requests_per_second = 20;
    assert_rc(hr_store_open(&conf, &store, &e.err), 0, &e.err);
    /* Measured here, from before the first call: a slow machine can only make it longer. */
    const int64_t before = hr_monotonic_nanos();
    for (int i = 0; i < 5; i++) {
        assert_rc(store->driver->remove(store, "k", &e.err), 0, &e.err);
    }
    assert_true(hr_monotonic_nanos() - before >= 4 * 50 * 1000000LL - 5000000);
    hr_store_close(store);
    env_close(&e);
}

/* ---- cancelled ------------------------------------------------------------------------------ */

static void *cancel_soon(void *arg) {
    struct hr_store *store = arg;
    struct timespec ts = {0, 100000000};
    nanosleep(&ts, NULL);
    store->driver->cancel(store);
    return NULL;
}

static void test_cancel(void **state) {
    (void)state;
    for (int waiting = 0; waiting < 2; waiting++) {
        struct env e;
        pthread_t thread;
        env_open(&e);
        if (waiting) { /* for the time of the next attempt */
            fake_error(e.fake, 503, "Retry-After: 50\r\n", "SlowDown");
        } else { /* for an answer */
            fake_raw(e.fake, FAKE_STALL, 0, "", 0);
        }
        assert_int_equal(pthread_create(&thread, NULL, cancel_soon, e.store), 0);
        assert_rc(get(&e, 0, 3), HR_E_CANCELLED, &e.err);
        pthread_join(thread, NULL);
        assert_rc(list(&e), HR_E_CANCELLED, &e.err);
        env_close(&e);
    }
}

struct flag {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool done;
};

static void raise_flag(struct hr_store_req *req) {
    struct flag *flag = req->user;
    pthread_mutex_lock(&flag->lock);
    flag->done = true;
    pthread_cond_signal(&flag->cond);
    pthread_mutex_unlock(&flag->lock);
}

static void test_abandon(void **state) {
    (void)state;
    for (int waiting = 0; waiting < 2; waiting++) {
        struct env e;
        struct flag flag = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false};
        uint8_t buf[10];
        struct timespec ts = {0, 50000000};
        env_open(&e);
        if (waiting) {
            fake_error(e.fake, 503, "Retry-After: 50\r\n", "SlowDown");
        } else {
            fake_raw(e.fake, FAKE_STALL, 0, "", 0);
        }
        good(&e);
        struct hr_store_req req = {.key = "k", .len = 10, .buf = buf, .done = raise_flag};
        req.user = &flag;
        e.store->driver->submit(e.store, &req);
        while (fake_count(e.fake) == 0) {
            nanosleep(&ts, NULL);
        }
        e.store->driver->abandon(e.store, &req);
        pthread_mutex_lock(&flag.lock);
        while (!flag.done) {
            pthread_cond_wait(&flag.cond, &flag.lock);
        }
        pthread_mutex_unlock(&flag.lock);
        assert_rc(req.rc, HR_E_CANCELLED, &req.err);
        assert_rc(get(&e, 2, 3), 0, &e.err); /* others go on */
        env_close(&e);
    }
}

static void test_no_memory(void **state) {
    (void)state;
    struct env e;
    bool finished = false;
    env_open(&e);
    good(&e);
    struct hr_store_conf conf = conf_of(fake_url(e.fake));
    conf.retry_count = 0;
    for (uint64_t nth = 1; !finished && nth < 400; nth++) {
        int64_t live = hr_mem_live();
        struct hr_store *store = NULL;
        struct hr_error err;
        struct hr_buf buf;
        hr_buf_init(&buf, 0);
        hr_mem_fail_at(nth, 0);
        int rc = hr_store_open(&conf, &store, &err);
        if (rc == 0) {
            rc = hr_store_get(store, "k", 2, 3, NULL, &buf, NULL, &err);
        }
        finished = hr_mem_count() < nth;
        hr_mem_fail_at(0, 0);
        assert_true(finished ? rc == 0 : rc == HR_E_NOMEM);
        hr_buf_release(&buf);
        hr_store_close(store);
        assert_int_equal(hr_mem_live(), live);
    }
    assert_true(finished);
    env_close(&e);
}

int main(void) {
    int64_t live = hr_mem_live();
    setenv("HOME", "/nonexistent", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_busy_then_good),
        cmocka_unit_test(test_gives_up),
        cmocka_unit_test(test_cut_connections),
        cmocka_unit_test(test_wrong_ranges),
        cmocka_unit_test(test_range_ignored),
        cmocka_unit_test(test_retry_after),
        cmocka_unit_test(test_timeout),
        cmocka_unit_test(test_error_in_200),
        cmocka_unit_test(test_put_is_tried_again),
        cmocka_unit_test(test_clock_corrected),
        cmocka_unit_test(test_region_corrected),
        cmocka_unit_test(test_redirect_not_followed),
        cmocka_unit_test(test_auth_errors),
        cmocka_unit_test(test_missing_permission),
        cmocka_unit_test(test_missing_things),
        cmocka_unit_test(test_wrong_servers),
        cmocka_unit_test(test_bad_endpoints),
        cmocka_unit_test(test_bad_configuration),
        cmocka_unit_test(test_headers_sent),
        cmocka_unit_test(test_list_answers),
        cmocka_unit_test(test_rate_limit),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_abandon),
        cmocka_unit_test(test_no_memory),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (failed == 0 && hr_mem_live() != live) {
        fprintf(stderr, "%lld blocks leaked\n", (long long)(hr_mem_live() - live));
        failed = 1;
    }
    return failed;
}
