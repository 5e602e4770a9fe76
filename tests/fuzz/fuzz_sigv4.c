/* tests/fuzz/fuzz_sigv4.c - requests of any method, path, query and headers are signed: the
 * canonical form has its six parts, the signature is 64 hex digits and does not depend on the order
 * headers are given in; what is percent-encoded decodes to what it was. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cred/sigv4.h"
#include "store/s3/s3.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok) {
    if (!ok) {
        abort();
    }
}

static void round_trip(struct hr_slice text, bool keep_slash) {
    struct hr_buf out;
    hr_buf_init(&out, 0);
    must(hr_uri_encode(text, keep_slash, &out, NULL) == 0);
    char *back = hr_malloc(out.len + 1);
    const size_t n = hr_s3_decode_url(hr_buf_slice(&out), back);
    if (memchr(text.ptr, 0, text.len) == NULL) {
        must(n == text.len && memcmp(back, text.ptr, n) == 0);
    }
    hr_free(back);
    hr_buf_release(&out);
}

static void sign(struct hr_signer *signer, struct hr_sign_request *req) {
    struct hr_buf a;
    struct hr_buf b;
    hr_buf_init(&a, 0);
    hr_buf_init(&b, 0);
    must(hr_sigv4_canonical(req, &a, NULL) == 0 && a.len > 0);
    hr_buf_clear(&a);
    must(hr_sigv4_authorize(signer, req, &a, NULL) == 0);
    struct hr_sign_header turned[4];
    for (size_t i = 0; i < req->n_headers; i++) {
        turned[i] = req->headers[req->n_headers - 1 - i];
    }
    const struct hr_sign_header *given = req->headers;
    req->headers = turned;
    must(hr_sigv4_authorize(signer, req, &b, NULL) == 0);
    must(a.len == b.len && memcmp(a.ptr, b.ptr, a.len) == 0);
    must(a.len > 64 && strspn(hr_buf_cstr(&a) + a.len - 64, "0123456789abcdef") == 64);
    req->headers = given;
    hr_buf_clear(&a);
    hr_buf_clear(&b);
    must(hr_sigv4_presign(signer, req, 900, &a, &b, NULL) == 0);
    hr_buf_release(&a);
    hr_buf_release(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct hr_signer *signers[2];
    if (signers[0] == NULL) {
        signers[0] = hr_signer_new("AKID", "secret", NULL, "us-east-1", "s3");
        signers[1] = hr_signer_new("AKID", "secret", "to/k+en=", "eu-west-1", "sts");
        must(signers[0] != NULL && signers[1] != NULL);
    }
    if (size < 1 || size > 4096) {
        return 0;
    }
    round_trip(hr_slice_of(data, size), (data[0] & 1) != 0);
    /* path \n query \n value \n value */
    char *text = hr_strndup((const char *)data + 1, size - 1);
    char *rest = text;
    char *part[4] = {0};
    for (size_t i = 0; i < 4; i++) {
        part[i] = rest != NULL ? strsep(&rest, "\n") : part[i - 1];
    }
    const struct hr_sign_header headers[] = {{"host", hr_slice_str("lake.example")},
                                             {"x-amz-date", hr_slice_str(part[2])},
                                             {"range", hr_slice_str(part[3])}};
    struct hr_sign_request req = {.method = (data[0] & 2) != 0 ? "GET" : "PUT",
                                  .path = part[0],
                                  .query = part[1],
                                  .headers = headers,
                                  .n_headers = 3,
                                  .payload_hash = HR_UNSIGNED_PAYLOAD,
                                  .seconds = 1700000000 + data[0],
                                  .s3 = (data[0] & 4) != 0,
                                  .normalize = (data[0] & 8) != 0,
                                  .omit_token = (data[0] & 16) != 0};
    sign(signers[(data[0] & 32) != 0], &req);
    hr_free(text);
    return 0;
}
