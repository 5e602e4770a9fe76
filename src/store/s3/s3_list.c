/* store/s3/s3_list.c - one page of ListObjectsV2. */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "store/page.h"
#include "store/s3/s3.h"

static int list_query(struct s3_op *op, const struct hr_list_query *q, struct hr_error *err) {
    char size[16];
    snprintf(size, sizeof(size), "%d",
             q->page_size > 0 && q->page_size < 1000 ? q->page_size : 1000);
    int rc = q->token ? hr_s3_op_param(op, "continuation-token", q->token, err) : 0;
    if (rc == 0 && q->delimiter != NULL && q->delimiter[0] != '\0') {
        rc = hr_s3_op_param(op, "delimiter", q->delimiter, err);
    }
    rc = rc ? rc : hr_s3_op_param(op, "encoding-type", "url", err);
    rc = rc ? rc : hr_s3_op_param(op, "list-type", "2", err);
    rc = rc ? rc : hr_s3_op_param(op, "max-keys", size, err);
    rc = rc ? rc : hr_s3_op_param(op, "prefix", q->prefix ? q->prefix : "", err);
    if (rc == 0 && q->start_after != NULL && q->start_after[0] != '\0' && q->token == NULL) {
        rc = hr_s3_op_param(op, "start-after", q->start_after, err);
    }
    return rc;
}

static int by_key(const void *pa, const void *pb) {
    const struct hr_list_item *a = pa;
    const struct hr_list_item *b = pb;
    int c = memcmp(a->key, b->key, a->key_len < b->key_len ? a->key_len : b->key_len);
    return c != 0 ? c : (a->key_len > b->key_len) - (a->key_len < b->key_len);
}

/* Answers hold objects and common prefixes apart, each in order; callers get one order. */
static void order_items(struct hr_list_page *page) {
    size_t prefixes = 0;
    for (size_t i = 0; i < page->count; i++) {
        prefixes += page->items[i].is_prefix;
    }
    if (prefixes > 0 && prefixes < page->count) {
        qsort(page->items, page->count, sizeof(page->items[0]), by_key);
    }
}

/* Tags first; what they do not understand is read whole. */
static int read_page(struct s3_op *op, const char *asked, struct hr_list_page *page,
                     struct hr_buf *token, struct hr_error *err) {
    struct hr_buf *text = &op->http.text;
    bool truncated = false;
    int rc = hr_buf_reserve(text, S3_SCAN_PAD, err);
    if (rc != 0) {
        return rc;
    }
    memset(text->ptr + text->len, 0, S3_SCAN_PAD);
    rc = hr_s3_scan_list(hr_buf_slice(text), page, token, &truncated, err);
    if (rc == HR_MORE) {
        rc = hr_s3_xml_list(hr_buf_slice(text), page, token, &truncated, err);
    }
    if (rc == 0 && truncated && token->len == 0) {
        rc = hr_fail(err, HR_E_STORE,
                     "could not list s3://%s: the server says there is more, but not how to ask",
                     op->s->bucket);
    }
    if (rc == 0 && truncated && asked != NULL && strlen(asked) == token->len &&
        memcmp(asked, token->ptr, token->len) == 0) {
        rc = hr_fail(err, HR_E_STORE,
                     "could not list s3://%s: the server answers with the same page for ever",
                     op->s->bucket);
        hr_error_hint(err, "check that endpoint_url names an S3 API, not a cache before it");
    }
    rc = rc ? rc : hr_page_finish(page, truncated ? hr_buf_cstr(token) : NULL, token->len, err);
    if (rc == 0) {
        order_items(page);
    }
    return rc;
}

int hr_s3_list(struct hr_store *store, const struct hr_list_query *q, struct hr_list_page *page,
               struct hr_error *err) {
    struct s3_op *op = hr_s3_op_new(s3_of(store), S3_LIST, "GET", NULL);
    if (op == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not list a bucket: out of memory");
    }
    struct hr_buf token;
    hr_buf_init(&token, 1 << 14);
    int rc = list_query(op, q, err);
    rc = rc ? rc : hr_s3_op_run(op, err);
    rc = rc ? rc : read_page(op, q->token, page, &token, err);
    hr_buf_release(&token);
    hr_s3_op_free(op);
    return rc;
}
