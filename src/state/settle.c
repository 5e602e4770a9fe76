/* state/settle.c - keep or take back a commit left in doubt (see settle.h). */
#include "state/settle.h"

#include <string.h>

#include "base/mem.h"
#include "config/json_text.h"
#include "state/manifest.h"
#include "state/seal.h"

/* 0: it stands now; HR_END: it is gone; an error: the store did not say. */
static int publish_or_drop(const struct hr_journal_output *o, struct hr_store *store,
                           struct hr_error *err) {
    const struct hr_put_opts put = {.cond =
                                        store->caps & HR_CAP_COND_PUT ? HR_PUT_NEW : HR_PUT_ANY};
    char etag[80];
    enum hr_seen seen = hr_journal_look(o, store, err);
    if (seen == HR_SEEN_NOTHING) {
        (void)store->driver->mp_complete(store, o->key, o->upload_id, o->parts, o->n_parts, &put,
                                         etag, NULL);
        seen = hr_journal_look(o, store, err);
    }
    if (seen == HR_SEEN_UNKNOWN) {
        return err != NULL && err->code < 0 ? err->code : HR_E_INDOUBT;
    }
    return seen == HR_SEEN_OURS ? 0 : HR_END;
}

static void forget_output(struct hr_journal *j, size_t i) {
    hr_free(j->outputs[i].key);
    hr_free(j->outputs[i].upload_id);
    hr_free(j->outputs[i].token);
    hr_free(j->outputs[i].parts);
    memmove(&j->outputs[i], &j->outputs[i + 1], (j->n_outputs - i - 1) * sizeof(j->outputs[0]));
    j->n_outputs--;
}

/* Take one key out of the "outputs" of a sealed text. */
static int strike(char **text, const char *key, const char *name, struct hr_error *err) {
    if (*text == NULL) {
        return 0;
    }
    json_t *json = json_loads(*text, 0, NULL);
    json_t *outputs = json_object_get(json, "outputs");
    int rc = hr_manifest_check(json, name, err);
    for (size_t i = json_array_size(outputs); rc == 0 && i-- > 0;) {
        char *have = hr_json_bytes_copy(json_object_get(json_array_get(outputs, i), "key"));
        if (have != NULL && strcmp(have, key) == 0) {
            (void)json_array_remove(outputs, i);
        }
        hr_free(have);
    }
    struct hr_buf out;
    hr_buf_init(&out, (size_t)1 << 30);
    rc = rc == 0 ? hr_seal(json, err) : rc;
    rc = rc == 0 ? hr_json_text(json, &out, err) : rc;
    if (rc == 0) {
        char *fresh = hr_buf_detach(&out);
        rc = fresh ? 0 : hr_fail(err, HR_E_NOMEM, "could not allocate a manifest");
        if (rc == 0) {
            hr_free(*text);
            *text = fresh;
        }
    }
    hr_buf_release(&out);
    json_decref(json);
    return rc;
}

int hr_settle_keep(struct hr_state *state, struct hr_journal *j, enum hr_fit fit,
                   struct hr_store *store, struct hr_settlement *out, struct hr_error *err) {
    int rc = 0;
    size_t published;
    bool lost;
    *out = (struct hr_settlement){0};
    for (size_t i = 0; rc == 0 && i < j->n_outputs;) {
        rc = hr_state_hold(state, err);
        rc = rc == 0 ? publish_or_drop(&j->outputs[i], store, err) : rc;
        if (rc == 0) {
            out->visible++;
            i++;
        } else if (rc == HR_END) {
            out->missing++;
            rc = strike(&j->manifest, j->outputs[i].key, "manifest.json", err);
            rc = rc == 0 ? strike(&j->archive, j->outputs[i].key, "archive", err) : rc;
            (void)store->driver->mp_abort(store, j->outputs[i].key, j->outputs[i].upload_id, NULL);
            forget_output(j, i);
        }
    }
    if (rc == 0 && fit == HR_FIT_NEXT) { /* every output stands: manifest, archive, removals */
        rc = hr_journal_publish(j, store, state, &published, &lost, err);
        if (rc == 0) {
            rc = hr_state_save(state, hr_slice_of(j->next_state, j->next_state_len), err);
            out->state_saved = rc == 0;
        }
    }
    return rc == 0 ? hr_state_settled_all(state, err) : rc;
}

int hr_settle_take_back(struct hr_state *state, const struct hr_journal *j, struct hr_store *store,
                        struct hr_settlement *out, struct hr_error *err) {
    *out = (struct hr_settlement){0};
    const int rc = hr_journal_take_back(j, store, state, &out->removed, err);
    return rc == 0 ? hr_state_settled_all(state, err) : rc;
}
