/* state/state_remote.c - a state in an object store (see backend.h): the document is the object at
 * the URL, so that whoever expects it finds it there; claim, ledger and journal are its control
 * object (control.h).
 *
 * The document too is only replaced under the condition that it is the version read or written
 * last. A run that was stopped and replaced meets that condition, or the one on the control object,
 * with its next write. The store is reached by a handle of its own: its answers give the lease its
 * clock, and a destination that stalls must not keep the lease from being renewed.
 */
#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "base/mem.h"
#include "state/backend.h"
#include "state/control.h"

#define DEFAULT_LEASE_S 60
#define KEY_MAX ((size_t)1024)

struct remote {
    struct hr_store *store;
    struct hr_url url;
    char *name, *control_name, *control_key;
    int lease_seconds;
    struct hr_control *control;
    char etag[80]; /* of the document; "": none */
    void (*store_is)(void *user, struct hr_store *store);
    void *user;
};

static void remote_close(void *self) {
    struct remote *r = self;
    hr_control_close(r->control);
    if (r->store_is != NULL) {
        r->store_is(r->user, NULL);
    }
    hr_store_close(r->store);
    hr_url_release(&r->url);
    hr_free(r->name);
    hr_free(r->control_name);
    hr_free(r->control_key);
    hr_free(r);
}

static char *with_suffix(const char *text) {
    const size_t n = strlen(text) + sizeof(".control");
    char *out = hr_malloc(n);
    if (out != NULL) {
        snprintf(out, n, "%s.control", text);
    }
    return out;
}

static int open_parts(struct remote *r, const struct hr_state_conf *conf, struct hr_error *err) {
    int rc = hr_url_parse(conf->path, &r->url, err);
    if (rc != 0) {
        return rc;
    }
    const size_t n = strlen(r->url.key);
    if (n == 0 || r->url.key[n - 1] == '/' || n + sizeof(".control") > KEY_MAX) {
        char shown[200];
        hr_fail(err, HR_E_USAGE, "could not use the state '%s': it must name one object",
                hr_printable(hr_slice_str(conf->path), 150, shown, sizeof(shown)));
        hr_error_hint(err, "write s3://BUCKET/FOLDER/state.json");
        return HR_E_USAGE;
    }
    r->lease_seconds = conf->lease_seconds > 0 ? conf->lease_seconds : DEFAULT_LEASE_S;
    r->name = hr_strdup(conf->path);
    r->control_name = with_suffix(conf->path);
    r->control_key = with_suffix(r->url.key);
    if (r->name == NULL || r->control_name == NULL || r->control_key == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate the state");
    }
    struct hr_store_conf store =
        conf->access ? *conf->access : (struct hr_store_conf){.path_style = -1, .retry_count = -1};
    store.scheme = r->url.scheme;
    store.bucket = r->url.bucket;
    store.read_only = false;
    /* A request that hangs must not eat up the lease. */
    if (store.timeout_seconds == 0 || store.timeout_seconds > r->lease_seconds) {
        store.timeout_seconds = r->lease_seconds < 10 ? 10 : r->lease_seconds;
    }
    rc = hr_store_open(&store, &r->store, err);
    if (rc == 0 && conf->store_is != NULL) {
        r->store_is = conf->store_is;
        r->user = conf->user;
        r->store_is(r->user, r->store);
    }
    return rc;
}

static int remote_open(const struct hr_state_conf *conf, void **out, struct hr_state_names *names,
                       struct hr_error *err) {
    struct remote *r = hr_calloc(1, sizeof(*r));
    if (r == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate the state");
    }
    const int rc = open_parts(r, conf, err);
    if (rc != 0) {
        remote_close(r);
        return rc;
    }
    *names = (struct hr_state_names){r->name, r->control_name, r->control_name};
    *out = r;
    return 0;
}

static int remote_claim(void *self, struct hr_error *err) {
    struct remote *r = self;
    const struct hr_control_conf conf = {.store = r->store,
                                         .key = r->control_key,
                                         .name = r->control_name,
                                         .state_name = r->name,
                                         .lease_seconds = r->lease_seconds};
    return hr_control_claim(&conf, &r->control, err);
}

static int remote_hold(void *self, struct hr_error *err) {
    struct remote *r = self;
    return r->control ? hr_control_hold(r->control, err) : 0;
}

/* ---- the document ---- */

static int fetch(struct remote *r, struct hr_buf *out, struct hr_object_info *info,
                 struct hr_error *err) {
    int rc = HR_E_CHANGED;
    for (int i = 0; i < 5 && rc == HR_E_CHANGED; i++) { /* replaced between two ranges */
        hr_buf_clear(out);
        *info = (struct hr_object_info){0};
        rc = hr_store_get(r->store, r->url.key, 0, -1, NULL, out, info, err);
    }
    return rc;
}

static int remote_read(void *self, struct hr_buf *out, struct hr_error *err) {
    struct remote *r = self;
    struct hr_object_info info;
    int rc = fetch(r, out, &info, err);
    if (rc == HR_E_NO_OBJECT) {
        hr_error_clear(err);
        rc = HR_END;
    }
    memcpy(r->etag, rc == 0 ? info.etag : "", rc == 0 ? sizeof(r->etag) : 1);
    if (rc == 0 && out->len == 0 && r->control != NULL && hr_control_written(r->control)) {
        rc = hr_fail(err, HR_E_STATE,
                     "could not use the state '%s': it is empty, but was not before", r->name);
        hr_error_object(err, r->name);
        hr_error_hint(err, "restore an earlier version; to load everything again remove it");
    }
    return rc;
}

/* The write was not plainly confirmed. 0: it stands there. HR_MORE: the version before does. */
static int settle(struct remote *r, struct hr_slice text, struct hr_error *err) {
    struct hr_buf now;
    struct hr_object_info info;
    hr_buf_init(&now, HR_STATE_MAX);
    int rc = fetch(r, &now, &info, err);
    if (rc == HR_E_NO_OBJECT) {
        rc = r->etag[0] == '\0' ? HR_MORE : hr_state_changed(r->name, err);
    } else if (rc == 0 && hr_slice_eq(hr_buf_slice(&now), text)) {
        memcpy(r->etag, info.etag, sizeof(r->etag));
    } else if (rc == 0) {
        rc = strcmp(info.etag, r->etag) == 0 ? HR_MORE : hr_state_changed(r->name, err);
    }
    hr_buf_release(&now);
    return rc;
}

static int write_document(struct remote *r, struct hr_slice text, struct hr_error *err) {
    for (int i = 0;; i++) {
        char etag[80] = "";
        struct hr_error unread;
        int rc = remote_hold(r, err);
        if (rc != 0) {
            return rc;
        }
        const struct hr_put_opts opts = {.cond = r->etag[0] ? HR_PUT_MATCH : HR_PUT_NEW,
                                         .etag = r->etag,
                                         .content_type = "application/json"};
        hr_fault_point();
        rc = r->store->driver->put(r->store, r->url.key, text, &opts, etag, err);
        hr_fault_point();
        if (rc == 0 && etag[0] != '\0') {
            memcpy(r->etag, etag, sizeof(etag));
            return 0;
        }
        const int found = settle(r, text, &unread);
        if (found == 0) {
            return 0;
        }
        if (found == HR_E_LOCKED) {
            return hr_state_changed(r->name, err);
        }
        if (found < 0 || i == 1) {
            return rc != 0 ? rc : hr_fail(err, HR_E_STORE, "could not write '%s'", r->name);
        }
    }
}

static int remote_write(void *self, struct hr_slice text, const char *prior, struct hr_error *err) {
    struct remote *r = self;
    (void)prior; /* the ETag says the same without a request */
    const int rc = write_document(r, text, err);
    if (rc == 0 && r->control != NULL) {
        hr_control_mark_written(r->control);
    }
    return rc;
}

/* ---- ledger and journal ---- */

static int copy_part(struct hr_slice part, struct hr_buf *out, struct hr_error *err) {
    return part.len == 0 ? HR_END : hr_buf_append(out, part.ptr, part.len, err);
}

/* Looking only: what the control object says now, whoever holds it. */
static int peek(struct remote *r, bool journal, struct hr_buf *out, struct hr_error *err) {
    struct hr_buf bytes;
    struct hr_control_doc doc;
    hr_buf_init(&bytes, 0);
    hr_control_doc_init(&doc);
    int rc = hr_store_get(r->store, r->control_key, 0, -1, NULL, &bytes, NULL, err);
    if (rc == HR_E_NO_OBJECT) {
        hr_error_clear(err);
        rc = HR_END;
    }
    if (rc == 0) {
        rc = hr_control_decode(hr_buf_slice(&bytes), r->control_name, &doc, err);
    }
    if (rc == 0) {
        rc = copy_part(hr_buf_slice(journal ? &doc.journal : &doc.ledger), out, err);
    }
    hr_control_doc_release(&doc);
    hr_buf_release(&bytes);
    return rc;
}

static int remote_read_journal(void *self, struct hr_buf *out, struct hr_error *err) {
    struct remote *r = self;
    return r->control ? copy_part(hr_control_journal(r->control), out, err)
                      : peek(r, true, out, err);
}

static int remote_read_ledger(void *self, struct hr_buf *out, struct hr_error *err) {
    struct remote *r = self;
    return r->control ? copy_part(hr_control_ledger(r->control), out, err)
                      : peek(r, false, out, err);
}

static int remote_write_journal(void *self, struct hr_slice bytes, struct hr_error *err) {
    return hr_control_set_journal(((struct remote *)self)->control, bytes, err);
}

static int remote_add_ledger(void *self, struct hr_slice line, struct hr_error *err) {
    return hr_control_add_ledger(((struct remote *)self)->control, line, err);
}

static int remote_drop(void *self, bool journal, bool ledger, struct hr_error *err) {
    return hr_control_drop(((struct remote *)self)->control, journal, ledger, err);
}

const struct hr_state_backend hr_state_remote = {
    .open = remote_open,
    .claim = remote_claim,
    .hold = remote_hold,
    .read = remote_read,
    .read_journal = remote_read_journal,
    .read_ledger = remote_read_ledger,
    .write = remote_write,
    .write_journal = remote_write_journal,
    .add_ledger = remote_add_ledger,
    .drop = remote_drop,
    .close = remote_close,
};
