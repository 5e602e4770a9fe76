/* tests/unit/store/test_s3_scan.c - listings by tags and by expat: the same pages, from documents
 * of many shapes; and what the scanner must leave to expat. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "store/page.h"
#include "store/s3/s3.h"
#include "support.h"

struct result {
    int rc;
    struct hr_list_page page;
    struct hr_buf token;
    bool truncated;
};

static void read_with(int reader, struct hr_slice text, struct result *r) {
    static const struct hr_cpu scalar;
    /* Exactly the bytes promised: sanitizers see a read beyond them. */
    uint8_t *copy = calloc(1, text.len + S3_SCAN_PAD);
    memcpy(copy, text.ptr, text.len);
    memset(r, 0, sizeof(*r));
    hr_buf_init(&r->token, 1 << 14);
    struct hr_slice own = hr_slice_of(copy, text.len);
    hr_cpu_override(reader == 1 ? &scalar : NULL);
    r->rc = reader == 2 ? hr_s3_xml_list(own, &r->page, &r->token, &r->truncated, NULL)
                        : hr_s3_scan_list(own, &r->page, &r->token, &r->truncated, NULL);
    hr_cpu_override(NULL);
    if (r->rc == 0) {
        hr_page_finish(&r->page, NULL, 0, NULL);
    }
    free(copy);
}

static void release(struct result *r) {
    hr_list_page_release(&r->page);
    hr_buf_release(&r->token);
}

static void assert_same(const struct result *a, const struct result *b) {
    assert_int_equal(a->page.count, b->page.count);
    assert_int_equal(a->truncated, b->truncated);
    assert_string_equal(hr_buf_cstr(&a->token), hr_buf_cstr(&b->token));
    for (size_t i = 0; i < a->page.count; i++) {
        const struct hr_list_item *x = &a->page.items[i];
        const struct hr_list_item *y = &b->page.items[i];
        assert_int_equal(x->key_len, y->key_len);
        assert_memory_equal(x->key, y->key, x->key_len);
        assert_int_equal(x->is_prefix, y->is_prefix);
        assert_int_equal(x->info.size, y->info.size);
        assert_int_equal(x->info.mtime_us, y->info.mtime_us);
        assert_string_equal(x->info.etag, y->info.etag);
    }
}

/* All three readers on one document; fast: the scanner must not give up on it. */
static void check(const char *text, bool fast) {
    struct result r[3];
    for (int i = 0; i < 3; i++) {
        read_with(i, hr_slice_str(text), &r[i]);
    }
    if (r[0].rc != (fast ? 0 : HR_MORE)) {
        print_error("scanner says %d on\n%s\n", r[0].rc, text);
    }
    assert_int_equal(r[0].rc, fast ? 0 : HR_MORE);
    assert_int_equal(r[1].rc, r[0].rc);
    if (fast) {
        assert_int_equal(r[2].rc, 0);
        assert_same(&r[0], &r[2]);
        assert_same(&r[1], &r[2]);
    }
    for (int i = 0; i < 3; i++) {
        release(&r[i]);
    }
}

#define HEAD                                                                                       \
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"                                                 \
    "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>b</Name>"           \
    "<Prefix>p&amp;q</Prefix><KeyCount>%d</KeyCount><MaxKeys>1000</MaxKeys><Delimiter/>"
#define ONE                                                                                        \
    "<Contents><Key>a</Key><LastModified>2026-11-20T01:02:03.456Z</LastModified>"                  \
    "<ETag>&quot;e&quot;</ETag><Size>7</Size></Contents>"
#define TAIL "</ListBucketResult>"

static void append_key(struct hr_buf *buf, uint64_t *seed, bool url) {
    static const char *const pieces[] = {"a", "b/",      "=", "+", "%",  "&",  "<",
                                         ">", "\"",      "'", " ", "é",  "日", "\x01",
                                         "~", "longer-", "x", ".", "..", "\t", "0123456789abcdef",
                                         "/", "#",       ";"};
    struct hr_buf raw;
    hr_buf_init(&raw, 0);
    hr_buf_append_str(&raw, "k", NULL);
    for (size_t n = test_rand(seed) % 12; n > 0; n--) {
        const char *piece = pieces[test_rand(seed) % (sizeof(pieces) / sizeof(pieces[0]))];
        if (url || (piece[0] != 1 && piece[0] != '\t')) {
            hr_buf_append_str(&raw, piece, NULL);
        }
    }
    for (size_t i = 0; i < raw.len; i++) {
        uint8_t c = raw.ptr[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '/' || c == '.';
        if (url && c == ' ' && test_rand(seed) % 2) {
            hr_buf_append_byte(buf, '+', NULL);
        } else if (url && !plain) {
            hr_buf_printf(buf, NULL, test_rand(seed) % 2 ? "%%%02X" : "%%%02x", c);
        } else if (c == '&') {
            hr_buf_append_str(buf, "&amp;", NULL);
        } else if (c == '<') {
            hr_buf_append_str(buf, test_rand(seed) % 2 ? "&lt;" : "&#60;", NULL);
        } else if (c == '"' && test_rand(seed) % 2) {
            hr_buf_append_str(buf, "&#x22;", NULL);
        } else {
            hr_buf_append_byte(buf, c, NULL);
        }
    }
    hr_buf_release(&raw);
}

static void test_generated(void **state) {
    (void)state;
    static const char *const quotes[] = {"&quot;", "&#34;", "\""};
    uint64_t seed = 77;
    for (int round = 0; round < 400; round++) {
        struct hr_buf doc;
        bool url = round % 2;
        int n = (int)(test_rand(&seed) % 20);
        int prefixes = (int)(test_rand(&seed) % 5);
        hr_buf_init(&doc, 0);
        hr_buf_printf(&doc, NULL, HEAD, n + prefixes);
        hr_buf_printf(&doc, NULL, "<IsTruncated>%s</IsTruncated>", round % 3 ? "false" : "true");
        if (round % 3 == 0) {
            hr_buf_append_str(&doc, "<NextContinuationToken>1/a+b&amp;c==</NextContinuationToken>",
                              NULL);
        }
        for (int i = 0; i < n; i++) {
            const char *q = quotes[test_rand(&seed) % 3];
            hr_buf_append_str(&doc, "<Contents><Key>", NULL);
            append_key(&doc, &seed, url);
            hr_buf_printf(&doc, NULL, "</Key><LastModified>20%02d-%02d-%02dT%02d:%02d:%02d%s",
                          (int)(test_rand(&seed) % 60), 1 + (int)(test_rand(&seed) % 12),
                          1 + (int)(test_rand(&seed) % 28), (int)(test_rand(&seed) % 24),
                          (int)(test_rand(&seed) % 60), (int)(test_rand(&seed) % 60),
                          test_rand(&seed) % 4 ? ".123Z" : "Z");
            hr_buf_printf(&doc, NULL, "</LastModified><ETag>%s%016" PRIx64 "-%d%s</ETag>", q,
                          test_rand(&seed), i, q);
            hr_buf_printf(&doc, NULL, "<Size>%" PRIu64 "</Size>", test_rand(&seed) >> 8);
            hr_buf_append_str(&doc,
                              i % 3 ? "<StorageClass>STANDARD</StorageClass>"
                                    : "<Owner><ID>x</ID><DisplayName>y z</DisplayName></Owner>"
                                      "<ChecksumAlgorithm>CRC32</ChecksumAlgorithm>",
                              NULL);
            hr_buf_append_str(&doc, i % 2 ? "</Contents>" : "</Contents>\n  ", NULL);
        }
        for (int i = 0; i < prefixes; i++) {
            hr_buf_append_str(&doc, "<CommonPrefixes><Prefix>", NULL);
            append_key(&doc, &seed, url);
            hr_buf_append_str(&doc, "/</Prefix></CommonPrefixes>", NULL);
        }
        hr_buf_append_str(&doc, url ? "<EncodingType>url</EncodingType>" : "", NULL);
        hr_buf_append_str(&doc, TAIL "\n", NULL);
        check(hr_buf_cstr(&doc), true);
        hr_buf_release(&doc);
    }
}

static void test_shapes(void **state) {
    (void)state;
    check("<ListBucketResult></ListBucketResult>", true);
    check("<ListBucketResult><IsTruncated>false</IsTruncated>" ONE TAIL, true);
    check("\xef\xbb\xbf<?xml version='1.0'?><ListBucketResult>" ONE ONE TAIL, true);
    /* Left to expat, which reads or refuses them. */
    static const char *const careful[] = {
        "<ListBucketResult/>",
        "<s3:ListBucketResult xmlns:s3=\"x\">" ONE "</s3:ListBucketResult>",
        "<ListBucketResult a=\"1\" b=\"2\">" ONE TAIL,
        "<ListBucketResult><!-- <Key>x</Key> -->" ONE TAIL,
        "<ListBucketResult><Contents><Key><![CDATA[a]]></Key><Size>1</Size></Contents>" TAIL,
        "<ListBucketResult><Contents><Size>1</Size><Key>late</Key></Contents>" TAIL,
        "<ListBucketResult><Contents><Key a=\"b\">k</Key><Size>1</Size></Contents>" TAIL,
        "<ListBucketResult><Contents><Key>k</Key ><Size>1</Size></Contents>" TAIL,
        "<ListBucketResult><Contents><Key>k</Key><Key>l</Key><Size>1</Size></Contents>" TAIL,
        "<ListBucketResult><Contents><Key></Key><Size>1</Size></Contents>" TAIL,
        "<ListBucketResult><Contents><Key>k\r</Key><Size>1</Size></Contents>" TAIL,
        "<ListBucketResult><Contents><Key>k</Key><Size>-1</Size></Contents>" TAIL,
        "<ListBucketResult><Contents><Key>k</Key></Contents>" TAIL,
        "<ListBucketResult><KeyCount>2</KeyCount>" ONE TAIL,
        "<ListBucketResult><IsTruncated>true</IsTruncated>" ONE TAIL,
        "<ListBucketResult><IsTruncated>perhaps</IsTruncated>" ONE TAIL,
        "<ListBucketResult>" ONE TAIL "<x/>",
        "<ListBucketResult>" ONE,
        "<ListBucketResult><Contents><Key>a",
        "<ListBucketResult><CommonPrefixes></CommonPrefixes>" TAIL,
        "<ListBucketResult><CommonPrefixes><Prefix>a/</Prefix><Prefix>b/</Prefix>"
        "</CommonPrefixes>" TAIL,
        "<ListBucketResult><Other><Inner>x</Inner></Other>" ONE TAIL,
        "<ListBucketResult><Other>&undefined;</Other>" ONE TAIL,
        "<Error><Code>x</Code></Error>",
        "",
    };
    for (size_t i = 0; i < sizeof(careful) / sizeof(careful[0]); i++) {
        check(careful[i], false);
    }
}

static void test_every_cut(void **state) {
    (void)state;
    char doc[2000];
    int n = snprintf(doc, sizeof(doc), HEAD, 2);
    snprintf(doc + n, sizeof(doc) - (size_t)n, "%s%s%s", ONE, ONE, TAIL);
    check(doc, true);
    for (size_t len = strlen(doc) - 1; len > 0; len--) {
        doc[len] = '\0';
        check(doc, false);
    }
}

static void test_times(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t want;
    } cases[] = {
        {"1970-01-01T00:00:00.000Z", 0},
        {"1969-12-31T23:59:59.500Z", -500000},
        {"2026-11-20T12:34:56.789Z", 1795178096789000},
        {"2026-11-20T12:34:56Z", 1795178096000000},
        {"2026-11-20T12:34:56.123456789Z", 1795178096123456},
        {"2026-11-20T12:34:56+00:00", 1795178096000000},
        {"2026-13-20T12:34:56Z", 0},
        {"yesterday", 0},
        {"", 0},
        {"2026-11-20T12:34:5", 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(hr_s3_parse_time(hr_slice_str(cases[i].text)), cases[i].want);
    }
}

static void test_no_memory(void **state) {
    (void)state;
    char doc[2000];
    int n = snprintf(doc, sizeof(doc), HEAD, 1);
    snprintf(doc + n, sizeof(doc) - (size_t)n, "%s%s", ONE, TAIL);
    for (int reader = 0; reader < 3; reader += 2) {
        bool finished = false;
        for (uint64_t nth = 1; !finished; nth++) {
            struct result r;
            int64_t live = hr_mem_live();
            hr_mem_fail_at(nth, 0);
            read_with(reader, hr_slice_str(doc), &r);
            finished = hr_mem_count() < nth;
            hr_mem_fail_at(0, 0);
            assert_int_equal(r.rc, finished ? 0 : HR_E_NOMEM);
            release(&r);
            assert_int_equal(hr_mem_live(), live);
            assert_true(nth < 200);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_generated), cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_every_cut), cmocka_unit_test(test_times),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
