/* store/s3/s3_xml.c - reads whole XML answers with expat: error bodies, rare answers, and listings
 * of a shape the tag scanner does not know.
 *
 * No DTD, so no entities of the server's making: a document with one is refused. Depth, text and
 * names are bounded. */
#include <expat.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/time.h"
#include "store/page.h"
#include "store/s3/s3.h"

#define DEPTH_MAX 16
#define NAME_MAX_ 64
#define TEXT_MAX ((size_t)64 << 10)

struct reader {
    XML_Parser parser;
    const char *root;
    s3_xml_fn fn;
    s3_xml_end_fn end;
    void *user;
    char names[DEPTH_MAX + 1][NAME_MAX_];
    bool had_children[DEPTH_MAX + 1];
    int depth;
    struct hr_buf text;
    int rc;
    bool refused;
};

static const char *local_name(const char *name) {
    const char *colon = strrchr(name, ':');
    return colon ? colon + 1 : name;
}

static void stop(struct reader *r, int rc) {
    r->rc = rc;
    XML_StopParser(r->parser, XML_FALSE);
}

static void on_start(void *user, const char *name, const char **attributes) {
    struct reader *r = user;
    (void)attributes;
    name = local_name(name);
    if (r->depth == DEPTH_MAX || (r->depth == 0 && r->root && strcmp(name, r->root) != 0)) {
        r->refused = true;
        stop(r, HR_E_STORE);
        return;
    }
    r->had_children[r->depth] = true;
    r->depth++;
    strncpy(r->names[r->depth], name, NAME_MAX_ - 1);
    r->names[r->depth][NAME_MAX_ - 1] = '\0';
    r->had_children[r->depth] = false;
    hr_buf_clear(&r->text);
}

static void on_text(void *user, const char *ptr, int len) {
    struct reader *r = user;
    int rc = hr_buf_append(&r->text, ptr, (size_t)len, NULL);
    if (rc != 0) {
        stop(r, rc == HR_E_NOMEM ? rc : HR_E_STORE);
    }
}

static void on_end(void *user, const char *name) {
    struct reader *r = user;
    (void)name;
    int rc;
    if (r->had_children[r->depth]) {
        rc = r->end ? r->end(r->user, r->names[r->depth]) : 0;
    } else {
        rc = r->fn(r->user, r->depth > 1 ? r->names[r->depth - 1] : "", r->names[r->depth],
                   hr_buf_slice(&r->text));
    }
    hr_buf_clear(&r->text);
    r->depth--;
    if (rc != 0) {
        stop(r, rc);
    }
}

static void on_doctype(void *user, const char *name, const char *system_id, const char *public_id,
                       int internal) {
    struct reader *r = user;
    (void)name;
    (void)system_id;
    (void)public_id;
    (void)internal;
    r->refused = true;
    stop(r, HR_E_STORE);
}

int hr_s3_xml_read(struct hr_slice text, const char *root, s3_xml_fn fn, s3_xml_end_fn end,
                   void *user, struct hr_error *err) {
    static const XML_Memory_Handling_Suite memory = {hr_malloc, hr_realloc, hr_free};
    struct reader *r = hr_calloc(1, sizeof(*r));
    if (r == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not read an answer: out of memory");
    }
    r->root = root;
    r->fn = fn;
    r->end = end;
    r->user = user;
    hr_buf_init(&r->text, TEXT_MAX);
    r->parser = XML_ParserCreate_MM("UTF-8", &memory, NULL);
    int rc = HR_E_NOMEM;
    if (r->parser != NULL) {
        XML_SetUserData(r->parser, r);
        XML_SetElementHandler(r->parser, on_start, on_end);
        XML_SetCharacterDataHandler(r->parser, on_text);
        XML_SetStartDoctypeDeclHandler(r->parser, on_doctype);
        bool ok = text.len < (size_t)1 << 30 &&
                  XML_Parse(r->parser, (const char *)text.ptr, (int)text.len, 1) == XML_STATUS_OK;
        bool no_memory = XML_GetErrorCode(r->parser) == XML_ERROR_NO_MEMORY;
        rc = r->rc ? r->rc : ok ? 0 : no_memory ? HR_E_NOMEM : HR_E_STORE;
        XML_ParserFree(r->parser);
    }
    if (rc == HR_E_NOMEM) {
        hr_fail(err, rc, "could not read an answer: out of memory");
    } else if (rc == HR_E_STORE) {
        hr_fail(err, rc, "could not understand an answer: it is not the XML of S3");
        hr_error_hint(err, "check that endpoint_url names an S3 API");
    }
    hr_buf_release(&r->text);
    hr_free(r);
    return rc;
}

/* ---- listings ------------------------------------------------------------------------------- */

struct listing {
    struct hr_list_page *page;
    struct hr_buf *token;
    bool *truncated;
    bool url; /* keys are percent-encoded */
    struct hr_buf key;
    struct hr_object_info info;
    bool has_key;
    struct hr_error *err;
};

static int find_encoding(void *user, const char *parent, const char *name, struct hr_slice text) {
    bool *url = user;
    if (strcmp(parent, "ListBucketResult") == 0 && strcmp(name, "EncodingType") == 0) {
        *url = hr_slice_eq_str(text, "url");
    }
    return 0;
}

/* expat resolved the entities already. */
static int add_item(struct listing *l, struct hr_slice key, bool is_prefix) {
    char *place;
    struct hr_list_item *item = hr_page_reserve(l->page, key.len, &place);
    if (item == NULL) {
        return hr_fail(l->err, HR_E_NOMEM, "could not build a listing: out of memory");
    }
    size_t len = key.len;
    if (l->url) {
        len = hr_s3_decode_url(key, place);
    } else if (memchr(key.ptr, 0, key.len) == NULL) {
        memcpy(place, key.ptr, key.len);
    } else {
        len = SIZE_MAX;
    }
    if (len == SIZE_MAX || len == 0) {
        return HR_E_STORE;
    }
    item->info = is_prefix ? (struct hr_object_info){.size = 0} : l->info;
    hr_page_commit(l->page, len, is_prefix);
    return 0;
}

static int list_text(void *user, const char *parent, const char *name, struct hr_slice text) {
    struct listing *l = user;
    if (strcmp(parent, "ListBucketResult") == 0) {
        if (strcmp(name, "IsTruncated") == 0) {
            *l->truncated = hr_slice_eq_str(text, "true");
        } else if (strcmp(name, "NextContinuationToken") == 0) {
            hr_buf_clear(l->token);
            return hr_buf_append(l->token, text.ptr, text.len, l->err);
        }
    } else if (strcmp(parent, "CommonPrefixes") == 0 && strcmp(name, "Prefix") == 0) {
        return add_item(l, text, true);
    } else if (strcmp(parent, "Contents") == 0) {
        if (strcmp(name, "Key") == 0) {
            hr_buf_clear(&l->key);
            l->has_key = true;
            return hr_buf_append(&l->key, text.ptr, text.len, l->err);
        }
        if (strcmp(name, "Size") == 0) {
            uint64_t size = 0;
            for (size_t i = 0; i < text.len; i++) {
                if (text.ptr[i] < '0' || text.ptr[i] > '9' || size > INT64_MAX / 16) {
                    return HR_E_STORE;
                }
                size = size * 10 + (text.ptr[i] - '0');
            }
            l->info.size = text.len ? (int64_t)size : -1;
        } else if (strcmp(name, "LastModified") == 0) {
            l->info.mtime_us = hr_s3_parse_time(text);
        } else if (strcmp(name, "ETag") == 0) {
            hr_s3_etag(text, l->info.etag);
        }
    }
    return 0;
}

static int list_end(void *user, const char *name) {
    struct listing *l = user;
    if (strcmp(name, "Contents") != 0) {
        return 0;
    }
    int rc =
        l->has_key && l->info.size >= 0 ? add_item(l, hr_buf_slice(&l->key), false) : HR_E_STORE;
    l->has_key = false;
    l->info = (struct hr_object_info){.size = -1};
    return rc;
}

int hr_s3_xml_list(struct hr_slice text, struct hr_list_page *page, struct hr_buf *token,
                   bool *truncated, struct hr_error *err) {
    struct listing l = {.page = page, .token = token, .truncated = truncated, .err = err};
    *truncated = false;
    hr_buf_clear(token);
    hr_buf_init(&l.key, TEXT_MAX);
    l.info.size = -1;
    int rc = hr_s3_xml_read(text, "ListBucketResult", find_encoding, NULL, &l.url, err);
    rc = rc ? rc : hr_page_begin(page, 0, err);
    rc = rc ? rc : hr_s3_xml_read(text, "ListBucketResult", list_text, list_end, &l, err);
    hr_buf_release(&l.key);
    return rc;
}
