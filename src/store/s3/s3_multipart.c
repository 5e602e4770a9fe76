/* store/s3/s3_multipart.c - uploads in parts: create, complete, abort, and the unfinished ones.
 *
 * Parts themselves go through submit (s3_object.c). An upload is created with a CRC64 over the
 * whole object, which parts and completion carry on, so that no part has to be hashed with anything
 * dear. */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "store/s3/s3.h"

#define BODY_MAX ((size_t)4 << 20) /* 10,000 parts need under 2 MiB */

/* One text of an answer. */
struct wanted {
    const char *parent, *name;
    char *out;
};

static int take_one(void *user, const char *parent, const char *name, struct hr_slice text) {
    struct wanted *w = user;
    if (strcmp(parent, w->parent) == 0 && strcmp(name, w->name) == 0 && w->out == NULL) {
        w->out = hr_strndup((const char *)text.ptr, text.len);
        return w->out ? 0 : HR_E_NOMEM;
    }
    return 0;
}

static struct hr_slice body_of(const struct s3_op *op) {
    const struct hr_buf *text = &op->http.text;
    size_t i = 0;
    while (i < text->len && text->ptr[i] <= ' ') {
        i++;
    }
    return hr_slice_of(text->ptr + i, text->len - i);
}

int hr_s3_mp_create(struct hr_store *store, const char *key, const struct hr_put_opts *opts,
                    char **out_upload_id, struct hr_error *err) {
    struct wanted w = {"InitiateMultipartUploadResult", "UploadId", NULL};
    *out_upload_id = NULL;
    struct s3_op *op = hr_s3_op_new(s3_of(store), S3_CREATE, "POST", key);
    if (op == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not write '%s': out of memory", key);
    }
    int rc = hr_s3_op_param(op, "uploads", "", err);
    rc = rc ? rc : hr_s3_put_headers(op, opts, err);
    rc = rc ? rc : hr_s3_op_header(op, "x-amz-checksum-algorithm", err, "CRC64NVME");
    rc = rc ? rc : hr_s3_op_header(op, "x-amz-checksum-type", err, "FULL_OBJECT");
    rc = rc ? rc : hr_s3_op_run(op, err);
    rc = rc ? rc : hr_s3_xml_read(body_of(op), w.parent, take_one, NULL, &w, err);
    if (rc == 0 && (w.out == NULL || w.out[0] == '\0')) {
        rc = hr_fail(err, HR_E_STORE, "could not write '%s': the server gave no upload id", key);
    }
    hr_s3_op_free(op);
    if (rc != 0) {
        hr_free(w.out);
        return rc;
    }
    *out_upload_id = w.out;
    return 0;
}

static int complete_body(const struct hr_part *parts, size_t n_parts, struct hr_buf *out,
                         struct hr_error *err) {
    int rc = hr_buf_append_str(out, "<CompleteMultipartUpload>", err);
    for (size_t i = 0; i < n_parts && rc == 0; i++) {
        /* "ETAG CRC", see part_token */
        const char *etag = parts[i].etag;
        size_t n = strcspn(etag, " ");
        rc = hr_buf_printf(out, err,
                           "<Part><PartNumber>%d</PartNumber><ETag>&quot;%.*s&quot;</ETag>",
                           parts[i].number, (int)n, etag);
        if (rc == 0 && etag[n] == ' ') {
            rc = hr_buf_printf(out, err, "<ChecksumCRC64NVME>%s</ChecksumCRC64NVME>", etag + n + 1);
        }
        rc = rc ? rc : hr_buf_append_str(out, "</Part>", err);
    }
    return rc ? rc : hr_buf_append_str(out, "</CompleteMultipartUpload>", err);
}

int hr_s3_mp_complete(struct hr_store *store, const char *key, const char *upload_id,
                      const struct hr_part *parts, size_t n_parts, const struct hr_put_opts *opts,
                      char etag_out[80], struct hr_error *err) {
    struct wanted w = {"CompleteMultipartUploadResult", "ETag", NULL};
    struct hr_buf body;
    hr_buf_init(&body, BODY_MAX);
    struct s3_op *op = hr_s3_op_new(s3_of(store), S3_COMPLETE, "POST", key);
    if (op == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not write '%s': out of memory", key);
    }
    int rc = complete_body(parts, n_parts, &body, err);
    op->http.body = hr_buf_slice(&body);
    op->sign_body = true;
    rc = rc ? rc : hr_s3_op_param(op, "uploadId", upload_id, err);
    rc = rc ? rc : hr_s3_op_header(op, "content-type", err, "application/xml");
    rc = rc ? rc : hr_s3_condition(op, opts, err);
    rc = rc ? rc : hr_s3_op_run(op, err);
    rc = rc ? rc : hr_s3_xml_read(body_of(op), w.parent, take_one, NULL, &w, err);
    if (rc == 0 && etag_out != NULL) {
        hr_s3_etag(hr_slice_str(w.out ? w.out : ""), etag_out);
    }
    hr_free(w.out);
    hr_s3_op_free(op);
    hr_buf_release(&body);
    return rc;
}

int hr_s3_mp_abort(struct hr_store *store, const char *key, const char *upload_id,
                   struct hr_error *err) {
    struct s3_op *op = hr_s3_op_new(s3_of(store), S3_ABORT, "DELETE", key);
    if (op == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not abort the upload of '%s': out of memory", key);
    }
    int rc = hr_s3_op_param(op, "uploadId", upload_id, err);
    rc = rc ? rc : hr_s3_op_run(op, err);
    hr_s3_op_free(op);
    if (rc == HR_E_NO_OBJECT) {
        hr_error_clear(err);
        rc = 0;
    }
    return rc;
}

/* ---- unfinished uploads --------------------------------------------------------------------- */

struct uploads {
    int (*each)(void *user, const struct hr_upload *upload);
    void *user;
    bool url, truncated;
    struct hr_buf key, id, key_marker, id_marker;
    int64_t initiated_us;
    struct hr_error *err;
};

static int find_encoding(void *user, const char *parent, const char *name, struct hr_slice text) {
    bool *url = user;
    if (strcmp(parent, "ListMultipartUploadsResult") == 0 && strcmp(name, "EncodingType") == 0) {
        *url = hr_slice_eq_str(text, "url");
    }
    return 0;
}

static int keep(struct uploads *u, struct hr_buf *buf, struct hr_slice text, bool encoded) {
    hr_buf_clear(buf);
    int rc = hr_buf_append(buf, text.ptr, text.len, u->err);
    if (rc == 0 && encoded && u->url) {
        size_t n = hr_s3_decode_url(text, (char *)buf->ptr);
        if (n == SIZE_MAX) {
            return HR_E_STORE;
        }
        buf->len = n;
        buf->ptr[n] = '\0';
    }
    return rc;
}

static int upload_text(void *user, const char *parent, const char *name, struct hr_slice text) {
    struct uploads *u = user;
    if (strcmp(parent, "Upload") == 0) {
        if (strcmp(name, "Key") == 0) {
            return keep(u, &u->key, text, true);
        }
        if (strcmp(name, "UploadId") == 0) {
            return keep(u, &u->id, text, false);
        }
        if (strcmp(name, "Initiated") == 0) {
            u->initiated_us = hr_s3_parse_time(text);
        }
    } else if (strcmp(parent, "ListMultipartUploadsResult") == 0) {
        if (strcmp(name, "IsTruncated") == 0) {
            u->truncated = hr_slice_eq_str(text, "true");
        } else if (strcmp(name, "NextKeyMarker") == 0) {
            return keep(u, &u->key_marker, text, true);
        } else if (strcmp(name, "NextUploadIdMarker") == 0) {
            return keep(u, &u->id_marker, text, false);
        }
    }
    return 0;
}

static int upload_end(void *user, const char *name) {
    struct uploads *u = user;
    if (strcmp(name, "Upload") != 0) {
        return 0;
    }
    struct hr_upload up = {hr_buf_cstr(&u->key), hr_buf_cstr(&u->id), u->initiated_us};
    return u->each(u->user, &up);
}

/* One page; markers of the next are left in u. */
static int uploads_page(struct s3_store *s, const char *prefix, struct uploads *u,
                        struct hr_error *err) {
    struct s3_op *op = hr_s3_op_new(s, S3_UPLOADS, "GET", NULL);
    if (op == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not list uploads: out of memory");
    }
    int rc = hr_s3_op_param(op, "encoding-type", "url", err);
    if (rc == 0 && u->key_marker.len > 0) {
        rc = hr_s3_op_param(op, "key-marker", hr_buf_cstr(&u->key_marker), err);
    }
    rc = rc ? rc : hr_s3_op_param(op, "prefix", prefix ? prefix : "", err);
    if (rc == 0 && u->id_marker.len > 0) {
        rc = hr_s3_op_param(op, "upload-id-marker", hr_buf_cstr(&u->id_marker), err);
    }
    rc = rc ? rc : hr_s3_op_param(op, "uploads", "", err);
    rc = rc ? rc : hr_s3_op_run(op, err);
    u->truncated = u->url = false;
    hr_buf_clear(&u->key_marker);
    hr_buf_clear(&u->id_marker);
    const char *root = "ListMultipartUploadsResult";
    rc = rc ? rc : hr_s3_xml_read(body_of(op), root, find_encoding, NULL, &u->url, err);
    rc = rc ? rc : hr_s3_xml_read(body_of(op), root, upload_text, upload_end, u, err);
    hr_s3_op_free(op);
    return rc;
}

int hr_s3_mp_list(struct hr_store *store, const char *prefix,
                  int (*each)(void *user, const struct hr_upload *upload), void *user,
                  struct hr_error *err) {
    struct uploads u = {.each = each, .user = user, .err = err};
    struct hr_buf *bufs[] = {&u.key, &u.id, &u.key_marker, &u.id_marker};
    for (size_t i = 0; i < 4; i++) {
        hr_buf_init(bufs[i], 1 << 16);
    }
    int rc;
    do {
        rc = uploads_page(s3_of(store), prefix, &u, err);
    } while (rc == 0 && u.truncated && u.key_marker.len > 0);
    for (size_t i = 0; i < 4; i++) {
        hr_buf_release(bufs[i]);
    }
    return rc;
}
