/* tests/fuzz/fuzz_s3_list.c - any bytes as a LIST answer: the tag scanner (both twins) and expat
 * never crash, and where both accept they agree. */
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "base/mem.h"
#include "store/page.h"
#include "store/s3/s3.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct result {
    int rc;
    struct hr_list_page page;
    struct hr_buf token;
    bool truncated;
};

static void finish(struct result *r) {
    if (r->rc == 0 && hr_page_finish(&r->page, NULL, 0, NULL) != 0) {
        abort();
    }
}

static void same(const struct result *a, const struct result *b) {
    if (a->rc != 0 || b->rc != 0) {
        return;
    }
    if (a->page.count != b->page.count || a->truncated != b->truncated ||
        strcmp(hr_buf_cstr(&a->token), hr_buf_cstr(&b->token)) != 0) {
        abort();
    }
    for (size_t i = 0; i < a->page.count; i++) {
        const struct hr_list_item *x = &a->page.items[i];
        const struct hr_list_item *y = &b->page.items[i];
        if (x->key_len != y->key_len || memcmp(x->key, y->key, x->key_len) != 0 ||
            x->is_prefix != y->is_prefix || x->info.size != y->info.size ||
            x->info.mtime_us != y->info.mtime_us || strcmp(x->info.etag, y->info.etag) != 0) {
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct hr_cpu scalar;
    struct result r[3];
    uint8_t *copy = hr_calloc(1, size + S3_SCAN_PAD);
    if (size > 0) {
        memcpy(copy, data, size);
    }
    struct hr_slice text = hr_slice_of(copy, size);
    memset(r, 0, sizeof(r));
    for (int i = 0; i < 3; i++) {
        hr_buf_init(&r[i].token, 1 << 14);
        hr_cpu_override(i == 1 ? &scalar : NULL);
        r[i].rc = i == 2 ? hr_s3_xml_list(text, &r[i].page, &r[i].token, &r[i].truncated, NULL)
                         : hr_s3_scan_list(text, &r[i].page, &r[i].token, &r[i].truncated, NULL);
        finish(&r[i]);
    }
    hr_cpu_override(NULL);
    if (r[0].rc != r[1].rc) {
        abort();
    }
    same(&r[0], &r[1]);
    same(&r[0], &r[2]);
    for (int i = 0; i < 3; i++) {
        hr_list_page_release(&r[i].page);
        hr_buf_release(&r[i].token);
    }
    hr_free(copy);
    return 0;
}
