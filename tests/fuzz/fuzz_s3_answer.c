/* tests/fuzz/fuzz_s3_answer.c - any bytes as what an S3 server answers when it refuses: status,
 * headers and body, judged. Whatever comes, there is a verdict and, when it failed, a sentence
 * without the secret; the same bytes go through the readers of XML, dates, ETags and percent
 * encoding. Input: four bytes that choose, headers, an empty line, the body. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/s3/s3.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char bucket[] = "lake";
static char region[] = "us-east-1";
static char access_key[] = "AKID";

static void must(bool ok) {
    if (!ok) {
        abort();
    }
}

static struct s3_store *store(void) {
    static struct s3_store s;
    if (s.bucket == NULL) {
        pthread_mutex_init(&s.lock, NULL);
        s.bucket = bucket;
        s.cred.access_key_id = access_key;
        s.cred.region = region;
        must(hr_s3_endpoint_parse("http://127.0.0.1:9000", &s.endpoint, NULL) == 0);
    }
    hr_s3_place_free(s.place);
    s.place = NULL;
    must(hr_s3_place_new(&s.endpoint, region, bucket, true, &s.cred, &s.place, NULL) == 0);
    s.skew_s = 0;
    return &s;
}

static int each(void *user, const char *parent, const char *name, struct hr_slice text) {
    char out[256];
    const size_t n = hr_s3_decode_text(text.len < 200 ? text : hr_slice_of(text.ptr, 200),
                                       (*(size_t *)user & 1) != 0, out);
    must(n == SIZE_MAX || n <= 200);
    (void)hr_s3_parse_time(text);
    must(parent != NULL && name != NULL);
    return ++*(size_t *)user > 10000;
}

static void judge(const uint8_t *pick, struct hr_slice head, struct hr_slice body) {
    static const int statuses[] = {200, 301, 307, 400, 401, 403, 404, 405, 408,
                                   409, 412, 416, 429, 500, 501, 503, 507, 999};
    struct s3_store *s = store();
    struct s3_op *op = hr_s3_op_new(s, (enum s3_kind)(pick[0] % S3_KINDS), "GET",
                                    (pick[3] & 1) != 0 ? "k y\xff" : NULL);
    must(op != NULL);
    op->http.status = statuses[pick[1] % (sizeof(statuses) / sizeof(statuses[0]))];
    op->cond = (enum hr_put_cond)(pick[2] % 3);
    op->place = s->place;
    op->lost_answer = (pick[3] & 2) != 0;
    hr_buf_clear(&op->http.head);
    hr_buf_clear(&op->http.text);
    hr_error_clear(&op->err);
    if (hr_buf_append(&op->http.head, head.ptr, head.len, NULL) == 0 &&
        hr_buf_append(&op->http.text, body.ptr, body.len, NULL) == 0) {
        (void)hr_s3_is_error_body(&op->http.text);
        const enum s3_verdict verdict = hr_s3_judge(op);
        char text[2600];
        must(verdict != S3_DONE);
        must(verdict == S3_AGAIN || (op->rc < 0 && op->err.message[0] != '\0'));
        hr_error_format(&op->err, text, sizeof(text));
        must(strlen(text) < sizeof(text));
    }
    hr_s3_op_free(op);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char etag[80];
    size_t count = 0;
    if (size < 4 || size > 16384) {
        return 0;
    }
    const uint8_t *gap = memmem(data + 4, size - 4, "\r\n\r\n", 4);
    const size_t head = gap != NULL ? (size_t)(gap - data) - 2 : 0;
    const struct hr_slice body = hr_slice_of(data + 4 + head, size - 4 - head);
    judge(data, hr_slice_of(data + 4, head), body);
    count = data[3];
    (void)hr_s3_xml_read(body, NULL, each, NULL, &count, NULL);
    hr_s3_etag(body, etag);
    must(strlen(etag) < sizeof(etag));
    char *name = hr_strndup((const char *)body.ptr, body.len);
    (void)hr_http_address_refused(name);
    struct s3_endpoint endpoint;
    if (hr_s3_endpoint_parse(name, &endpoint, NULL) == 0) {
        must(strpbrk(endpoint.authority, "/?#@ ") == NULL);
        hr_s3_endpoint_release(&endpoint);
    }
    (void)hr_s3_check_bucket(name, NULL);
    hr_free(name);
    return 0;
}
