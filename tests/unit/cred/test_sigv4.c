/* tests/unit/cred/test_sigv4.c - the published signing vectors, step by step, and S3's own rules.
 */
#include <dirent.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/time.h"
#include "cred/sigv4.h"
#include "support.h"

#define MAX_HEADERS 20

struct vector {
    char dir[1500];
    char method[16];
    char *path, *query, *body;
    char names[MAX_HEADERS][64];
    char values[MAX_HEADERS][2048];
    struct hr_sign_header headers[MAX_HEADERS + 3];
    size_t n_headers;
    bool normalize, sign_body, omit_token;
    int expires;
    int64_t seconds;
    struct hr_signer *signer;
};

static void read_text(const struct vector *v, const char *name, struct hr_buf *buf) {
    char path[2000];
    snprintf(path, sizeof(path), "%s/%s", v->dir, name);
    test_read_file(path, buf);
    assert_int_equal(hr_buf_append_byte(buf, 0, NULL), 0);
    buf->len--;
}

static void expect_file(const struct vector *v, const char *name, const char *got) {
    struct hr_buf want;
    read_text(v, name, &want);
    if (strcmp(hr_buf_cstr(&want), got) != 0) {
        print_error("%s/%s\n", v->dir, name);
    }
    assert_string_equal(got, hr_buf_cstr(&want));
    hr_buf_release(&want);
}

static void read_context(struct vector *v) {
    char path[2000];
    snprintf(path, sizeof(path), "%s/context.json", v->dir);
    json_t *json = json_load_file(path, 0, NULL);
    assert_non_null(json);
    const json_t *keys = json_object_get(json, "credentials");
    const char *token = json_string_value(json_object_get(keys, "token"));
    const char *stamp = json_string_value(json_object_get(json, "timestamp"));
    int32_t nanos;
    bool zone;
    int digits;
    assert_true(hr_parse_timestamp(stamp, strlen(stamp), &v->seconds, &nanos, &zone, &digits));
    v->normalize = json_is_true(json_object_get(json, "normalize"));
    v->sign_body = json_is_true(json_object_get(json, "sign_body"));
    v->omit_token = json_is_true(json_object_get(json, "omit_session_token"));
    v->expires = (int)json_integer_value(json_object_get(json, "expiration_in_seconds"));
    v->signer = hr_signer_new(json_string_value(json_object_get(keys, "access_key_id")),
                              json_string_value(json_object_get(keys, "secret_access_key")), token,
                              json_string_value(json_object_get(json, "region")),
                              json_string_value(json_object_get(json, "service")));
    assert_non_null(v->signer);
    json_decref(json);
}

/* The request as its file has it: request line, headers (also folded ones), blank line, body. */
static void read_request(struct vector *v) {
    struct hr_buf buf;
    read_text(v, "request.txt", &buf);
    char *p = (char *)buf.ptr;
    char *eol = strchr(p, '\n');
    *eol = '\0';
    char *space = strchr(p, ' ');
    char *last = strrchr(p, ' ');
    *space = *last = '\0';
    snprintf(v->method, sizeof(v->method), "%s", p);
    char *mark = strchr(space + 1, '?');
    v->query = strdup(mark ? mark + 1 : "");
    if (mark != NULL) {
        *mark = '\0';
    }
    v->path = strdup(space + 1);
    for (p = eol + 1; *p != '\0' && *p != '\n'; p = eol + 1) {
        eol = strchr(p, '\n');
        if (eol == NULL) {
            eol = p + strlen(p) - 1;
        } else {
            *eol = '\0';
        }
        if (*p == ' ') {
            size_t used = strlen(v->values[v->n_headers - 1]);
            snprintf(v->values[v->n_headers - 1] + used, sizeof(v->values[0]) - used, "\n%s", p);
            continue;
        }
        char *colon = strchr(p, ':');
        *colon = '\0';
        for (char *c = p; *c != '\0'; c++) {
            *c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
        }
        snprintf(v->names[v->n_headers], sizeof(v->names[0]), "%s", p);
        snprintf(v->values[v->n_headers++], sizeof(v->values[0]), "%s", colon + 1);
    }
    v->body = strdup(*p == '\n' ? p + 1 : "");
    hr_buf_release(&buf);
    for (size_t i = 0; i < v->n_headers; i++) {
        v->headers[i] = (struct hr_sign_header){v->names[i], hr_slice_str(v->values[i])};
    }
}

static struct hr_sign_request request_of(const struct vector *v, char hash[65]) {
    uint8_t digest[32];
    hr_sha256(v->body, v->sign_body ? strlen(v->body) : 0, digest);
    hr_hex(digest, 32, hash);
    return (struct hr_sign_request){
        .method = v->method,
        .path = v->path,
        .query = v->query,
        .headers = v->headers,
        .n_headers = v->n_headers,
        .payload_hash = hash,
        .seconds = v->seconds,
        .normalize = v->normalize,
        .omit_token = v->omit_token,
    };
}

static void check_header_form(struct vector *v) {
    char hash[65];
    char date[20];
    char signature[65];
    struct hr_error err;
    struct hr_buf canonical;
    struct hr_buf text;
    struct hr_buf auth;
    struct hr_buf want;
    struct hr_sign_request req = request_of(v, hash);
    size_t n = v->n_headers;
    date[hr_format_amz_date(v->seconds, date)] = '\0';
    v->headers[n++] = (struct hr_sign_header){"x-amz-date", hr_slice_str(date)};
    if (hr_signer_token(v->signer) != NULL && !v->omit_token) {
        v->headers[n++] = (struct hr_sign_header){"x-amz-security-token",
                                                  hr_slice_str(hr_signer_token(v->signer))};
    }
    if (v->sign_body) {
        v->headers[n++] = (struct hr_sign_header){"x-amz-content-sha256", hr_slice_str(hash)};
    }
    req.n_headers = n;
    hr_buf_init(&canonical, 0);
    hr_buf_init(&text, 0);
    hr_buf_init(&auth, 0);
    assert_rc(hr_sigv4_canonical(&req, &canonical, &err), 0, &err);
    expect_file(v, "header-canonical-request.txt", hr_buf_cstr(&canonical));
    assert_rc(hr_sigv4_string_to_sign(v->signer, v->seconds, hr_buf_slice(&canonical), &text, &err),
              0, &err);
    expect_file(v, "header-string-to-sign.txt", hr_buf_cstr(&text));
    hr_sigv4_signature(v->signer, v->seconds, hr_buf_slice(&text), signature);
    expect_file(v, "header-signature.txt", signature);
    assert_rc(hr_sigv4_authorize(v->signer, &req, &auth, &err), 0, &err);
    read_text(v, "header-signed-request.txt", &want);
    char *line = strstr(hr_buf_cstr(&want), "Authorization:");
    assert_non_null(line);
    *strchr(line, '\n') = '\0';
    assert_string_equal(hr_buf_cstr(&auth), line + 14);
    hr_buf_release(&want);
    hr_buf_release(&canonical);
    hr_buf_release(&text);
    hr_buf_release(&auth);
}

static int compare_text(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Parameters of a query in one order, so that two queries can be compared as sets. */
static void sorted_query(const char *query, struct hr_buf *out) {
    char *copy = strdup(query);
    char *save = NULL;
    char *list[64];
    size_t n = 0;
    for (char *p = strtok_r(copy, "&", &save); p != NULL; p = strtok_r(NULL, "&", &save)) {
        list[n++] = p;
    }
    qsort(list, n, sizeof(list[0]), compare_text);
    hr_buf_clear(out);
    for (size_t i = 0; i < n; i++) {
        hr_buf_printf(out, NULL, "%s\n", list[i]);
    }
    free(copy);
}

static void check_query_form(struct vector *v) {
    char hash[65];
    struct hr_error err;
    struct hr_buf canonical;
    struct hr_buf text;
    struct hr_buf query;
    struct hr_buf want;
    struct hr_buf got_set;
    struct hr_buf want_set;
    struct hr_sign_request req = request_of(v, hash);
    hr_buf_init(&canonical, 0);
    hr_buf_init(&text, 0);
    hr_buf_init(&query, 0);
    hr_buf_init(&got_set, 0);
    hr_buf_init(&want_set, 0);
    assert_rc(hr_sigv4_presign(v->signer, &req, v->expires, &query, &canonical, &err), 0, &err);
    expect_file(v, "query-canonical-request.txt", hr_buf_cstr(&canonical));
    assert_rc(hr_sigv4_string_to_sign(v->signer, v->seconds, hr_buf_slice(&canonical), &text, &err),
              0, &err);
    expect_file(v, "query-string-to-sign.txt", hr_buf_cstr(&text));
    const char *signature = strstr(hr_buf_cstr(&query), "X-Amz-Signature=");
    assert_non_null(signature);
    expect_file(v, "query-signature.txt", signature + 16);
    read_text(v, "query-signed-request.txt", &want);
    char *mark = strchr(hr_buf_cstr(&want), '?');
    assert_non_null(mark);
    *strstr(mark, " HTTP/1.1") = '\0';
    sorted_query(mark + 1, &want_set);
    sorted_query(hr_buf_cstr(&query), &got_set);
    assert_string_equal(hr_buf_cstr(&got_set), hr_buf_cstr(&want_set));
    hr_buf_release(&want);
    hr_buf_release(&got_set);
    hr_buf_release(&want_set);
    hr_buf_release(&canonical);
    hr_buf_release(&text);
    hr_buf_release(&query);
}

static void run_vector(const char *dir) {
    struct vector *v = calloc(1, sizeof(*v));
    snprintf(v->dir, sizeof(v->dir), "%s", dir);
    read_context(v);
    read_request(v);
    check_header_form(v);
    check_query_form(v);
    hr_signer_free(v->signer);
    free(v->path);
    free(v->query);
    free(v->body);
    free(v);
}

/* Every folder of `root` with a context.json is a vector. */
static int run_folder(const char *root) {
    struct dirent **names = NULL;
    int count = 0;
    int n = scandir(root, &names, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        if (names[i]->d_name[0] != '.') {
            char dir[1500];
            snprintf(dir, sizeof(dir), "%s/%s", root, names[i]->d_name);
            run_vector(dir);
            count++;
        }
        free(names[i]);
    }
    free(names);
    return count;
}

static void test_corpus_vectors(void **state) {
    (void)state;
    const char *root = test_corpus("aws-sigv4/v4");
    if (root == NULL) {
        test_skip_corpus("aws-sigv4", 38);
        return;
    }
    char copy[4096];
    snprintf(copy, sizeof(copy), "%s", root);
    int count = run_folder(copy);
    printf("aws-sigv4: %d vectors, header and query form\n", count);
    assert_true(count >= 38);
}

static void test_own_vectors(void **state) {
    (void)state;
    assert_int_equal(run_folder("tests/data/sigv4"), 3);
}

/* The example of the S3 API reference, "Signature Calculations for the Authorization Header":
 * GET of a range, and PUT with a key that holds a dollar sign. */
static void test_s3_examples(void **state) {
    (void)state;
    struct hr_signer *s =
        hr_signer_new("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", NULL,
                      "us-east-1", "s3");
    const char *empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    struct hr_sign_header headers[] = {
        {"host", hr_slice_str("examplebucket.s3.amazonaws.com")},
        {"range", hr_slice_str("bytes=0-9")},
        {"x-amz-content-sha256", hr_slice_str(empty)},
        {"x-amz-date", hr_slice_str("20130524T000000Z")},
    };
    struct hr_sign_request req = {
        .method = "GET",
        .path = "/test.txt",
        .query = "",
        .headers = headers,
        .n_headers = 4,
        .payload_hash = empty,
        .seconds = 1369353600,
        .s3 = true,
    };
    struct hr_buf auth;
    struct hr_error err;
    hr_buf_init(&auth, 0);
    assert_rc(hr_sigv4_authorize(s, &req, &auth, &err), 0, &err);
    assert_string_equal(
        hr_buf_cstr(&auth),
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
        "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, "
        "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
    hr_buf_clear(&auth);
    struct hr_sign_header list[] = {
        {"x-amz-date", hr_slice_str("20130524T000000Z")},
        {"x-amz-content-sha256", hr_slice_str(empty)},
        {"host", hr_slice_str("examplebucket.s3.amazonaws.com")},
    };
    req.path = "/";
    req.query = "prefix=J&max-keys=2";
    req.headers = list;
    req.n_headers = 3;
    assert_rc(hr_sigv4_authorize(s, &req, &auth, &err), 0, &err);
    assert_non_null(strstr(hr_buf_cstr(&auth),
                           "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"));
    hr_buf_release(&auth);
    hr_signer_free(s);
}

/* The key is kept for a day and no longer. */
static void test_day_change(void **state) {
    (void)state;
    struct hr_signer *kept = hr_signer_new("A", "secret", NULL, "r", "s3");
    char first[65];
    char second[65];
    char again[65];
    char fresh[65];
    hr_sigv4_signature(kept, 86399, hr_slice_str("x"), first);
    hr_sigv4_signature(kept, 86400, hr_slice_str("x"), second);
    hr_sigv4_signature(kept, 86399, hr_slice_str("x"), again);
    struct hr_signer *other = hr_signer_new("A", "secret", NULL, "r", "s3");
    hr_sigv4_signature(other, 86400, hr_slice_str("x"), fresh);
    assert_string_not_equal(first, second);
    assert_string_equal(first, again);
    assert_string_equal(second, fresh);
    hr_signer_free(kept);
    hr_signer_free(other);
}

static void test_no_memory(void **state) {
    (void)state;
    struct hr_sign_header headers[] = {{"host", hr_slice_str("h")}};
    struct hr_sign_request req = {
        .method = "GET",
        .path = "/a b/../c",
        .query = "b=2&a=%20",
        .headers = headers,
        .n_headers = 1,
        .payload_hash = HR_UNSIGNED_PAYLOAD,
        .normalize = true,
    };
    bool finished = false;
    for (uint64_t nth = 1; !finished && nth < 200; nth++) {
        struct hr_buf out;
        struct hr_error err;
        int64_t live = hr_mem_live();
        hr_buf_init(&out, 0);
        hr_mem_fail_at(nth, 0);
        struct hr_signer *s = hr_signer_new("A", "secret", "token", "r", "s3");
        int rc = s ? hr_sigv4_authorize(s, &req, &out, &err) : HR_E_NOMEM;
        if (rc == 0) {
            hr_buf_clear(&out);
            rc = hr_sigv4_presign(s, &req, 60, &out, NULL, &err);
        }
        finished = hr_mem_count() < nth;
        hr_mem_fail_at(0, 0);
        assert_true(finished ? rc == 0 : rc == HR_E_NOMEM);
        hr_buf_release(&out);
        hr_signer_free(s);
        assert_int_equal(hr_mem_live(), live);
    }
    assert_true(finished);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_corpus_vectors), cmocka_unit_test(test_own_vectors),
        cmocka_unit_test(test_s3_examples),    cmocka_unit_test(test_day_change),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
