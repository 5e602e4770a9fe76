/* state/publish.c - making a journal's outputs visible, once or again.
 *
 * Every step may have happened before a crash: a complete that answers "exists" or "no such upload"
 * is settled by looking at the object's token (its headrace-commit metadata; a local file's name is
 * token enough, as it carries lineage and SEQ).
 */
#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "state/state.h"

static int held(struct hr_state *holder, struct hr_error *err) {
    return holder ? hr_state_hold(holder, err) : 0;
}

enum hr_seen hr_journal_look(const struct hr_journal_output *o, struct hr_store *store,
                             struct hr_error *err) {
    struct hr_object_info info;
    struct hr_meta meta = {"headrace-commit", NULL};
    hr_fault_point();
    const int rc = store->driver->stat(store, o->key, &info, &meta, err);
    if (rc == HR_E_NO_OBJECT) {
        hr_error_clear(err);
        return HR_SEEN_NOTHING;
    }
    if (rc != 0) {
        return HR_SEEN_UNKNOWN;
    }
    bool ours = info.size == o->bytes;
    if (meta.value != NULL) {
        char *value;
        memcpy(&value, &meta.value, sizeof(value));
        ours = strcmp(value, o->token) == 0;
        hr_free(value);
    }
    return ours ? HR_SEEN_OURS : HR_SEEN_OTHER;
}

bool hr_journal_stands(const struct hr_journal_output *output, struct hr_store *store) {
    return hr_journal_look(output, store, NULL) == HR_SEEN_OURS;
}

/* An answer after which the object decides: it may have been published by this request or an
 * earlier one, or the upload is gone. Any other (a full disk, no access, no answer) leaves the
 * upload as it was, or the name not yet durable: the next run asks again. */
static bool object_decides(int rc) {
    return rc == HR_E_EXISTS || rc == HR_E_NO_OBJECT;
}

/* 0 published (now or earlier), HR_E_STORE lost, HR_E_EXISTS somebody else's, HR_E_INDOUBT. */
static int publish_output(const struct hr_journal *j, const struct hr_journal_output *o,
                          struct hr_store *store, bool *fresh, struct hr_error *err) {
    struct hr_error first;
    char etag[80];
    const struct hr_put_opts put = {
        .cond = j->replace || !(store->caps & HR_CAP_COND_PUT) ? HR_PUT_ANY : HR_PUT_NEW};
    hr_error_clear(&first);
    *fresh = false;
    hr_fault_point();
    const int rc = store->driver->mp_complete(store, o->key, o->upload_id, o->parts, o->n_parts,
                                              &put, etag, &first);
    hr_fault_point();
    if (rc == 0) {
        *fresh = true;
        return 0;
    }
    switch (hr_journal_look(o, store, err)) {
    case HR_SEEN_OURS:
        if (!object_decides(rc) && (store->caps & HR_CAP_LOCAL)) {
            break;
        }
        return 0;
    case HR_SEEN_OTHER:
        hr_fail(err, HR_E_EXISTS, "could not publish '%s': another object stands there", o->key);
        hr_error_hint(err, "another run wrote there; choose another folder or mode overwrite");
        return HR_E_EXISTS;
    case HR_SEEN_NOTHING:
        if (!object_decides(rc)) {
            break;
        }
        hr_fail(err, HR_E_STORE, "could not publish '%s': its upload is gone", o->key);
        hr_error_detail(err, "%s", first.message);
        hr_error_hint(err, "run again: its rows are loaded again");
        return HR_E_STORE;
    case HR_SEEN_UNKNOWN: break;
    }
    hr_fail(err, HR_E_INDOUBT, "could not settle the commit: no clear answer for '%s'", o->key);
    hr_error_detail(err, "%s", first.message);
    hr_error_hint(err, "run again when the store answers: the commit is finished then");
    return HR_E_INDOUBT;
}

int hr_journal_take_back(const struct hr_journal *j, struct hr_store *store,
                         struct hr_state *holder, size_t *out_removed, struct hr_error *err) {
    int rc = 0;
    *out_removed = 0;
    for (size_t i = 0; rc == 0 && i < j->n_outputs; i++) {
        rc = held(holder, err);
        if (rc != 0) {
            break;
        }
        const struct hr_journal_output *o = &j->outputs[i];
        const enum hr_seen found = j->replace ? HR_SEEN_NOTHING : hr_journal_look(o, store, NULL);
        if (found == HR_SEEN_OURS) {
            hr_fault_point();
            rc = store->driver->remove(store, o->key, err);
            *out_removed += rc == 0;
        } else if (found == HR_SEEN_UNKNOWN) {
            rc = hr_fail(err, HR_E_INDOUBT, "could not take back '%s': the store does not answer",
                         o->key);
        }
        (void)store->driver->mp_abort(store, o->key, o->upload_id, NULL);
    }
    return rc;
}

/* A run that died while it wrote this one file of a folder left it half written beside. */
static int sweep_half_written(const struct hr_journal *j, struct hr_store *store, const char *key,
                              struct hr_error *err) {
    size_t swept = 0;
    return j->resumed && (store->caps & HR_CAP_LOCAL)
               ? hr_state_abort_uploads(store, key, NULL, &swept, err)
               : 0;
}

static int put_text(struct hr_store *store, const char *key, struct hr_slice text,
                    const struct hr_put_opts *opts, struct hr_error *err) {
    char etag[80];
    hr_fault_point();
    const int rc = store->driver->put(store, key, text, opts, etag, err);
    hr_fault_point();
    return rc;
}

/* HR_END: what stands there is this text, or of a later commit. Otherwise opts says what to
 * replace.
 */
static int manifest_before(const struct hr_journal *j, struct hr_store *store, const char *key,
                           char etag[80], struct hr_put_opts *opts, struct hr_error *err) {
    struct hr_buf text;
    struct hr_object_info info = {0};
    hr_buf_init(&text, (size_t)256 << 20);
    int rc = hr_store_get(store, key, 0, -1, NULL, &text, &info, err);
    if (rc == HR_E_NO_OBJECT) {
        hr_error_clear(err);
        opts->cond = HR_PUT_NEW;
        rc = 0;
    } else if (rc == 0) {
        json_t *json = json_loadb(hr_buf_cstr(&text), text.len, 0, NULL);
        const json_int_t seq = json_integer_value(json_object_get(json, "seq"));
        json_decref(json);
        rc = hr_slice_eq_str(hr_buf_slice(&text), j->manifest) || seq > (json_int_t)j->seq ? HR_END
                                                                                           : 0;
        memcpy(etag, info.etag, 80);
        opts->cond = etag[0] != '\0' ? HR_PUT_MATCH : HR_PUT_ANY;
    }
    if (!(store->caps & HR_CAP_COND_PUT)) {
        opts->cond = HR_PUT_ANY;
    }
    hr_buf_release(&text);
    return rc;
}

/* A run that was stopped here, and replaced meanwhile, must not put an old manifest over the newer
 * one: files it does not name would never be replaced again. */
static int put_manifest(const struct hr_journal *j, struct hr_store *store, const char *key,
                        struct hr_error *err) {
    int rc = HR_E_CHANGED;
    for (int i = 0; i < 5 && (rc == HR_E_CHANGED || rc == HR_E_EXISTS || rc == HR_E_NO_OBJECT);
         i++) {
        char etag[80] = "";
        struct hr_put_opts opts = {.etag = etag, .content_type = "application/json"};
        rc = manifest_before(j, store, key, etag, &opts, err);
        if (rc == 0) {
            rc = put_text(store, key, hr_slice_str(j->manifest), &opts, err);
        }
    }
    return rc == HR_END ? 0 : rc;
}

static int put_records(const struct hr_journal *j, struct hr_store *store, struct hr_error *err) {
    const struct hr_put_opts any = {.cond = HR_PUT_ANY, .content_type = "application/json"};
    struct hr_buf key;
    hr_buf_init(&key, 2048);
    int rc = hr_buf_printf(&key, err, "%s_headrace/%s/manifest.json", j->folder, j->lineage);
    if (rc == 0) {
        rc = sweep_half_written(j, store, hr_buf_cstr(&key), err);
    }
    if (rc == 0) {
        rc = put_manifest(j, store, hr_buf_cstr(&key), err);
    }
    hr_buf_clear(&key);
    if (rc == 0 && j->archive != NULL) {
        rc = hr_buf_printf(&key, err, "%s_headrace/%s/commit-%06llu.json", j->folder, j->lineage,
                           (unsigned long long)j->seq);
        if (rc == 0) {
            rc = sweep_half_written(j, store, hr_buf_cstr(&key), err);
        }
        if (rc == 0) {
            rc = put_text(store, hr_buf_cstr(&key), hr_slice_str(j->archive), &any, err);
        }
    }
    hr_buf_release(&key);
    return rc;
}

/* Only what still has the size the manifest knew: a file somebody replaced is not ours to remove.
 */
static int remove_old(const struct hr_journal_removal *r, struct hr_store *store,
                      struct hr_error *err) {
    struct hr_object_info info;
    const int rc = store->driver->stat(store, r->key, &info, NULL, err);
    if (rc == HR_E_NO_OBJECT) {
        return 0;
    }
    if (rc != 0) {
        return rc;
    }
    if (r->bytes >= 0 && r->bytes != info.size) {
        hr_log(HR_LOG_WARN, "left '%s': it was changed since it was written", r->key);
        return 0;
    }
    hr_fault_point();
    const int removed = store->driver->remove(store, r->key, err);
    hr_fault_point();
    return removed;
}

/* Manifest and archive, then what the commit replaces goes. */
static int publish_rest(const struct hr_journal *j, struct hr_store *store, struct hr_state *holder,
                        struct hr_error *err) {
    int rc = 0;
    if (j->manifest != NULL && j->folder != NULL) {
        rc = held(holder, err);
        if (rc == 0) {
            rc = put_records(j, store, err);
        }
    }
    for (size_t i = 0; rc == 0 && i < j->n_removals; i++) {
        rc = held(holder, err);
        if (rc == 0) {
            rc = remove_old(&j->removals[i], store, err);
        }
    }
    return rc;
}

/* A dead run made some of it visible, the rest is gone: rows that somebody may have read are not
 * taken back by ourselves. */
static int partly_lost(const struct hr_journal *j, size_t visible, struct hr_error *err) {
    hr_fail(
        err, HR_E_INDOUBT,
        "could not settle commit %llu of lineage '%s': %zu of its %zu objects have been visible "
        "since an earlier run, the upload of another is gone",
        (unsigned long long)j->seq, j->lineage, visible, j->n_outputs);
    hr_error_hint(err,
                  "look with `headrace state resolve`, then settle it with --take-back (all its "
                  "rows are read again) or --keep");
    return HR_E_INDOUBT;
}

int hr_journal_publish(const struct hr_journal *j, struct hr_store *store, struct hr_state *holder,
                       size_t *out_published, bool *out_lost, struct hr_error *err) {
    int rc = 0;
    size_t before = 0; /* visible already, by an earlier try */
    *out_published = 0;
    *out_lost = false;
    for (size_t i = 0; rc == 0 && i < j->n_outputs; i++) {
        bool fresh = false;
        rc = held(holder, err);
        if (rc == 0) {
            rc = publish_output(j, &j->outputs[i], store, &fresh, err);
        }
        *out_published += rc == 0 && fresh;
        before += rc == 0 && !fresh;
    }
    if (rc == HR_E_STORE || rc == HR_E_EXISTS) {
        struct hr_error again;
        size_t removed;
        if (j->resumed && j->ask && before > 0) {
            return partly_lost(j, before, err);
        }
        const int back = hr_journal_take_back(j, store, holder, &removed, &again);
        if (back != 0) {
            if (err != NULL) {
                *err = again;
            }
            return back;
        }
        *out_lost = true;
        return rc;
    }
    return rc == 0 ? publish_rest(j, store, holder, err) : rc;
}
