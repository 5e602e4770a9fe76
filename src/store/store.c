/* store/store.c - what every store shares: opening by scheme, a synchronous read over submit.
 *
 * Sits between callers that want one call and drivers that only know asynchronous reads. */
#include "store/store.h"

#include "base/gate.h"
#include "base/mem.h"
#include "store/store_table.h"

/* The first GET of a read to the end: most files asked for that way are small, and its answer
 * tells the size of the rest. */
#define FIRST_READ (1 << 20)

int hr_store_open(const struct hr_store_conf *conf, struct hr_store **out, struct hr_error *err) {
    const char *scheme = conf->scheme ? conf->scheme : "s3";
    const struct hr_store_driver *driver = hr_store_driver_find(scheme, strlen(scheme));
    *out = NULL;
    if (driver == NULL) {
        char shown[100];
        hr_fail(err, HR_E_CONFIG, "could not open a store of scheme '%s': it is not known",
                hr_printable(hr_slice_str(scheme), 80, shown, sizeof(shown)));
        hr_error_hint(err, "known are s3://, file: and plain paths, mem: and -");
        return HR_E_CONFIG;
    }
    if (driver->missing != NULL) {
        hr_fail(err, HR_E_CONFIG, "could not open a store of scheme '%s'", scheme);
        hr_error_hint(err, "%s", driver->missing);
        return HR_E_CONFIG;
    }
    return driver->open(conf, out, err);
}

void hr_store_close(struct hr_store *store) {
    if (store != NULL) {
        hr_kept_free(atomic_exchange(&store->kept, NULL));
        store->driver->close(store);
    }
}

static void open_gate(struct hr_store_req *req) {
    hr_gate_open(req->user);
}

int hr_store_run(struct hr_store *store, struct hr_store_req *req) {
    struct hr_gate gate;
    hr_gate_init(&gate);
    req->done = open_gate;
    req->user = &gate;
    store->driver->submit(store, req);
    hr_gate_pass(&gate);
    return req->rc;
}

/* Appends one range; *got tells how much came. */
static int get_range(struct hr_store *store, const char *key, int64_t offset, int64_t len,
                     const char *if_match, struct hr_buf *buf, int64_t *got,
                     struct hr_object_info *info, struct hr_error *err) {
    *got = 0;
    int rc = hr_buf_reserve(buf, (size_t)len, err);
    if (rc != 0) {
        hr_error_object(err, key);
        return rc;
    }
    struct hr_store_req *req = hr_calloc(1, sizeof(*req));
    if (req == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not read '%s': out of memory", key);
    }
    req->kind = HR_REQ_GET;
    req->key = key;
    req->if_match = if_match;
    req->offset = offset;
    req->len = len;
    req->buf = buf->ptr + buf->len;
    rc = hr_store_run(store, req);
    if (rc == 0) {
        buf->len += (size_t)req->got;
        buf->ptr[buf->len] = 0;
        *got = req->got;
        *info = req->info;
    } else if (err != NULL) {
        *err = req->err;
    }
    hr_free(req);
    return rc;
}

/* From offset to the end of an object of unknown size: a first range tells the size. Once that is
 * known the rest must come from the same version. */
static int get_to_end(struct hr_store *store, const char *key, int64_t offset, const char *if_match,
                      struct hr_buf *buf, struct hr_object_info *info, struct hr_error *err) {
    char etag[80] = "";
    for (;;) {
        int64_t got = 0;
        int64_t want = FIRST_READ;
        if (etag[0] != '\0') {
            if_match = etag;
            want = info->size - offset;
        }
        int rc = get_range(store, key, offset, want, if_match, buf, &got, info, err);
        if (rc != 0) {
            return rc;
        }
        offset += got;
        if (got < want || offset == info->size) {
            return 0;
        }
        memcpy(etag, info->etag, sizeof(etag));
    }
}

int hr_store_get(struct hr_store *store, const char *key, int64_t offset, int64_t len,
                 const char *if_match, struct hr_buf *buf, struct hr_object_info *info,
                 struct hr_error *err) {
    struct hr_object_info scratch = {0};
    if (info == NULL) {
        info = &scratch;
    }
    if (len < 0) {
        return get_to_end(store, key, offset < 0 ? 0 : offset, if_match, buf, info, err);
    }
    int64_t got = 0;
    return get_range(store, key, offset, len, if_match, buf, &got, info, err);
}
