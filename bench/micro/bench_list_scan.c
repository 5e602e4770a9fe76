/* bench/micro/bench_list_scan.c - reading a LIST page of 1,000 keys: tag scanner (both twins) and
 * expat, beside the floors. Prints `name value unit [floor]`. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/cpu.h"
#include "base/mem.h"
#include "store/page.h"
#include "store/s3/s3.h"

enum { KEYS = 1000, ROUNDS = 300, RUNS = 5 };

static double cpu_now(void) {
    struct timespec ts;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

/* A page as MinIO writes it; keys with '=' come percent-encoded. */
static void make_page(struct hr_buf *out) {
    hr_buf_append_str(out,
                      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult "
                      "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>lake</Name>"
                      "<Prefix>many/</Prefix><KeyCount>1000</KeyCount><MaxKeys>1000</MaxKeys>"
                      "<IsTruncated>false</IsTruncated>",
                      NULL);
    for (int i = 0; i < KEYS; i++) {
        hr_buf_printf(out, NULL,
                      "<Contents><Key>many/year%%3D2026/month%%3D%02d/day%%3D%02d/"
                      "part-%05d.csv</Key><LastModified>2026-11-20T12:34:%02d.123Z</LastModified>"
                      "<ETag>&#34;%032x&#34;</ETag><Size>%d</Size>"
                      "<StorageClass>STANDARD</StorageClass></Contents>",
                      i % 12, i % 28, i, i % 60, (unsigned)i * 2654435761u, i * 7);
    }
    hr_buf_append_str(out, "<EncodingType>url</EncodingType></ListBucketResult>", NULL);
}

typedef int (*reader)(struct hr_slice text, struct hr_list_page *page, struct hr_buf *token,
                      bool *truncated, struct hr_error *err);

static double measure(reader read, struct hr_slice text, int rounds) {
    struct hr_list_page page = {0};
    struct hr_buf token;
    struct hr_error err;
    double best = 1e9;
    hr_buf_init(&token, 0);
    for (int run = 0; run < RUNS; run++) {
        double start = cpu_now();
        for (int i = 0; i < rounds; i++) {
            bool truncated;
            if (read(text, &page, &token, &truncated, &err) != 0 || page.count != KEYS) {
                exit(1);
            }
            hr_page_finish(&page, NULL, 0, &err);
        }
        double took = cpu_now() - start;
        best = took < best ? took : best;
    }
    hr_list_page_release(&page);
    hr_buf_release(&token);
    return best / rounds / KEYS * 1e9;
}

int main(void) {
    static const struct hr_cpu scalar;
    struct hr_buf text;
    hr_buf_init(&text, 0);
    make_page(&text);
    hr_buf_reserve(&text, S3_SCAN_PAD, NULL);
    memset(text.ptr + text.len, 0, S3_SCAN_PAD);
    printf("list_scan.tags %.1f ns/key 17.9\n",
           measure(hr_s3_scan_list, hr_buf_slice(&text), ROUNDS));
    hr_cpu_override(&scalar);
    printf("list_scan.tags_scalar %.1f ns/key\n",
           measure(hr_s3_scan_list, hr_buf_slice(&text), ROUNDS));
    hr_cpu_override(NULL);
    printf("list_scan.expat %.1f ns/key 724\n",
           measure(hr_s3_xml_list, hr_buf_slice(&text), ROUNDS / 10));
    hr_buf_release(&text);
    return 0;
}
