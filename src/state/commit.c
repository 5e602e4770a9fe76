/* state/commit.c - staging and publishing of outputs (see commit.h). */
#include "state/commit.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/fault.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/time.h"
#include "config/json_text.h"
#include "state/manifest.h"
#include "state/reserved.h"
#include "state/seal.h"
#include "state/state.h"

#define DEFAULT_PART ((size_t)8 << 20)
#define PARTS_IN_FLIGHT 3
#define AHEAD_MAX 256 /* names drawn ahead for files of one folder */
#define KEY_MAX 1024  /* S3's limit */

struct hr_output {
    struct hr_commit *commit;
    struct hr_output *next;
    char *key;
    char *upload_id;
    char token[96];
    struct hr_upload_out *up;
    struct hr_part *parts; /* once finished */
    size_t n_parts;
    int64_t rows, bytes;
    uint64_t crc64;
    bool finished, published;
};

struct hr_commit {
    struct hr_commit_conf conf;
    char lineage[33];
    char *folder;
    json_t *manifest; /* of this lineage, loaded at the first publish with a folder */
    uint64_t seq;
    unsigned index;
    struct hr_reserved reserved; /* drawn and in the ledger, not opened yet */
    char *noted;                 /* key taken from there last */
    char *last_folder;           /* of the key given last, and how many in a row were in it */
    size_t row;
    uint64_t nonce; /* of this run: an object of the same name by another run is not ours */
    struct hr_output *outputs; /* in order of opening */
    struct hr_output **tail;
    unsigned marked, marked_index; /* outputs and index at the last mark */
    bool loose; /* an upload may be open that nobody has the id of: the ledger knows its key */
    struct hr_published *published;
    size_t n_published;
};

int hr_commit_begin(const struct hr_commit_conf *conf, struct hr_commit **out,
                    struct hr_error *err) {
    *out = NULL;
    struct hr_commit *commit = hr_calloc(1, sizeof(*commit));
    if (commit == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate a commit");
    }
    commit->conf = *conf;
    snprintf(commit->lineage, sizeof(commit->lineage), "%s", conf->lineage);
    commit->conf.lineage = commit->lineage;
    if (commit->conf.part_size == 0) {
        commit->conf.part_size = DEFAULT_PART;
    }
    commit->seq = conf->seq;
    if (getrandom(&commit->nonce, sizeof(commit->nonce), 0) != sizeof(commit->nonce)) {
        commit->nonce = (uint64_t)hr_monotonic_nanos();
    }
    commit->tail = &commit->outputs;
    commit->folder = hr_strdup(conf->folder);
    if (conf->folder != NULL && commit->folder == NULL) {
        hr_free(commit);
        return hr_fail(err, HR_E_NOMEM, "could not allocate a commit");
    }
    *out = commit;
    return 0;
}

uint64_t hr_commit_seq(const struct hr_commit *commit) {
    return commit->seq;
}

void hr_commit_next_name(struct hr_commit *commit, const char *ext, char *out, size_t size) {
    snprintf(out, size, "%s-%06llu-%04u%s", commit->lineage, (unsigned long long)commit->seq,
             commit->index++, ext);
}

/* Before it is in the ledger, which holds no longer one. */
static int check_key(const char *folder, const char *name, struct hr_error *err) {
    if (strlen(folder) + strlen(name) <= KEY_MAX) {
        return 0;
    }
    return hr_fail(err, HR_E_CONFIG, "could not name a file: '%.80s…' is over %d bytes", folder,
                   KEY_MAX);
}

int hr_commit_reserve(struct hr_commit *commit, const char *const *folders, size_t count,
                      const char *ext, struct hr_error *err) {
    if (commit->conf.state == NULL || count == 0) {
        return 0;
    }
    const char **keys = hr_calloc(count, sizeof(*keys));
    int rc = keys ? 0 : hr_fail(err, HR_E_NOMEM, "could not allocate names");
    for (size_t i = 0; rc == 0 && i < count; i++) {
        char name[160];
        hr_commit_next_name(commit, ext, name, sizeof(name));
        rc = check_key(folders[i], name, err);
        if (rc == 0) {
            rc = hr_reserved_add(&commit->reserved, folders[i], name, err);
        }
        keys[i] = rc == 0 ? commit->reserved.items[commit->reserved.count - 1].key : NULL;
    }
    if (rc == 0) {
        rc = hr_state_intent(commit->conf.state, keys, count, err);
    }
    if (rc != 0) { /* nothing stands behind these names */
        hr_reserved_clear(&commit->reserved);
    }
    hr_free(keys);
    return rc;
}

/* Files of one folder follow one another: twice as many names are drawn each time, so that the
 * ledger is written some twenty times for thousands of files, and never names more than twice of
 * what there are. */
static int reserve_row(struct hr_commit *commit, const char *folder, const char *ext,
                       struct hr_error *err) {
    const char *folders[AHEAD_MAX];
    if (commit->last_folder == NULL || strcmp(commit->last_folder, folder) != 0) {
        hr_free(commit->last_folder);
        commit->last_folder = hr_strdup(folder);
        commit->row = 0;
        if (commit->last_folder == NULL) {
            return hr_fail(err, HR_E_NOMEM, "could not allocate a name");
        }
    }
    const size_t n = commit->row < 1 ? 1 : commit->row > AHEAD_MAX ? AHEAD_MAX : commit->row;
    for (size_t i = 0; i < n; i++) {
        folders[i] = folder;
    }
    commit->row += n;
    return hr_commit_reserve(commit, folders, n, ext, err);
}

int hr_commit_next_key(struct hr_commit *commit, const char *folder, const char *ext, char *out,
                       size_t size, struct hr_error *err) {
    int rc = 0;
    hr_free(commit->noted);
    commit->noted = NULL;
    if (commit->conf.state == NULL) {
        char name[160];
        hr_commit_next_name(commit, ext, name, sizeof(name));
        snprintf(out, size, "%s%s", folder, name);
        return check_key(folder, name, err);
    }
    commit->noted = hr_reserved_take(&commit->reserved, folder);
    if (commit->noted == NULL) {
        rc = reserve_row(commit, folder, ext, err);
        commit->noted = rc == 0 ? hr_reserved_take(&commit->reserved, folder) : NULL;
    }
    snprintf(out, size, "%s", commit->noted ? commit->noted : "");
    return rc;
}

/* The ledger names the key, and the claim is still ours: what is created now somebody will find. */
static int note_key(struct hr_commit *commit, const char *key, struct hr_error *err) {
    if (commit->conf.state == NULL) {
        return 0;
    }
    return commit->noted != NULL && strcmp(commit->noted, key) == 0
               ? hr_state_hold(commit->conf.state, err)
               : hr_state_intent(commit->conf.state, &key, 1, err);
}

static void forget_names(struct hr_commit *commit) {
    hr_reserved_clear(&commit->reserved);
    hr_free(commit->noted);
    hr_free(commit->last_folder);
    commit->noted = commit->last_folder = NULL;
    commit->row = 0;
}

static void free_output(struct hr_output *output) {
    if (output->up != NULL) {
        hr_upload_close(output->up);
    }
    hr_free(output->key);
    hr_free(output->upload_id);
    hr_free(output->parts);
    hr_free(output);
}

static void abort_upload(struct hr_commit *commit, const char *key, const char *upload_id) {
    struct hr_store *store = commit->conf.store;
    const int rc = store->driver->mp_abort(store, key, upload_id, NULL);
    commit->loose |= rc != 0 && rc != HR_E_NO_OBJECT;
}

int hr_commit_open_output(struct hr_commit *commit, const char *key, struct hr_output **out,
                          struct hr_error *err) {
    *out = NULL;
    struct hr_store *store = commit->conf.store;
    struct hr_output *output = hr_calloc(1, sizeof(*output));
    if (output != NULL) {
        output->key = hr_strdup(key);
    }
    if (output == NULL || output->key == NULL) {
        hr_free(output);
        return hr_fail(err, HR_E_NOMEM, "could not allocate an output");
    }
    snprintf(output->token, sizeof(output->token), "%s/%llu/%u/%016llx", commit->lineage,
             (unsigned long long)commit->seq, commit->index, (unsigned long long)commit->nonce);
    const struct hr_meta meta = {"headrace-commit", output->token};
    struct hr_put_opts put = commit->conf.put ? *commit->conf.put : (struct hr_put_opts){0};
    put.meta = &meta;
    put.n_meta = 1;
    int rc = note_key(commit, key, err);
    if (rc != 0) {
        free_output(output);
        return rc;
    }
    hr_fault_point();
    rc = store->driver->mp_create(store, key, &put, &output->upload_id, err);
    hr_fault_point();
    if (rc != 0) {
        commit->loose = true; /* the answer may be all that was lost */
    } else {
        rc = hr_upload_open(store, commit->conf.budget, key, output->upload_id,
                            commit->conf.part_size, PARTS_IN_FLIGHT, &output->up, err);
        if (rc != 0) {
            abort_upload(commit, key, output->upload_id);
        }
    }
    if (rc != 0) {
        free_output(output);
        return rc;
    }
    output->commit = commit;
    *commit->tail = output;
    commit->tail = &output->next;
    *out = output;
    return 0;
}

struct hr_out *hr_output_out(struct hr_output *output) {
    return hr_upload_as_out(output->up);
}

int64_t hr_output_bytes(const struct hr_output *output) {
    return output->finished ? output->bytes : hr_upload_as_out(output->up)->written;
}

int hr_output_finish(struct hr_output *output, int64_t rows, struct hr_error *err) {
    const struct hr_store *store = output->commit->conf.store;
    hr_fault_point();
    const struct hr_part *sent;
    int rc = hr_upload_finish(output->up, &sent, &output->n_parts, &output->bytes, err);
    hr_fault_point();
    if (rc == 0 && output->commit->conf.state != NULL && store->driver->mp_sync != NULL) {
        rc =
            store->driver->mp_sync(output->commit->conf.store, output->key, output->upload_id, err);
    }
    hr_fault_point();
    if (rc == 0) {
        output->parts = hr_calloc(output->n_parts, sizeof(*output->parts));
        rc = output->parts ? 0 : hr_fail(err, HR_E_NOMEM, "could not allocate an output");
    }
    if (rc == 0) {
        memcpy(output->parts, sent, output->n_parts * sizeof(*output->parts));
        output->rows = rows;
        output->crc64 = hr_upload_crc64(output->up);
        output->finished = true;
        hr_upload_close(output->up); /* a commit may hold thousands of outputs */
        output->up = NULL;
    }
    return rc;
}

static void drop_output(struct hr_output *output) {
    char *upload_id = output->upload_id;
    output->upload_id = NULL;
    if (output->up != NULL) { /* parts in flight must be gone before the abort */
        hr_upload_close(output->up);
        output->up = NULL;
    }
    if (!output->published && upload_id != NULL) {
        abort_upload(output->commit, output->key, upload_id);
    }
    hr_free(upload_id);
    free_output(output);
}

void hr_output_discard(struct hr_output *output) {
    struct hr_commit *commit = output->commit;
    struct hr_output **link = &commit->outputs;
    while (*link != output) {
        link = &(*link)->next;
    }
    *link = output->next;
    if (commit->tail == &output->next) {
        commit->tail = link;
    }
    drop_output(output);
}

static void forget_published(struct hr_commit *commit) {
    for (size_t i = 0; i < commit->n_published; i++) {
        char *key;
        memcpy(&key, &commit->published[i].key, sizeof(key));
        hr_free(key);
    }
    hr_free(commit->published);
    commit->published = NULL;
    commit->n_published = 0;
}

static int publish_one(struct hr_commit *commit, struct hr_output *output, struct hr_error *err) {
    struct hr_store *store = commit->conf.store;
    struct hr_put_opts put = commit->conf.put ? *commit->conf.put : (struct hr_put_opts){0};
    put.cond = commit->conf.replace || !(store->caps & HR_CAP_COND_PUT) ? HR_PUT_ANY : HR_PUT_NEW;
    char etag[80];
    int rc = store->driver->mp_complete(store, output->key, output->upload_id, output->parts,
                                        output->n_parts, &put, etag, err);
    if (rc != 0) {
        const struct hr_journal_output o = {
            .key = output->key, .token = output->token, .bytes = output->bytes};
        rc = hr_journal_stands(&o, store) ? 0 : rc;
    }
    if (rc == 0) {
        output->published = true;
    } else if (rc == HR_E_EXISTS && err != NULL && err->hint[0] == '\0') {
        hr_error_hint(err, "another run wrote there; choose another folder or mode overwrite");
    }
    return rc;
}

/* Undo the outputs of this publish that are visible already. */
static void take_back(struct hr_commit *commit) {
    struct hr_store *store = commit->conf.store;
    if (commit->conf.replace) {
        return; /* what stood there is gone: the new object is whole, leave it */
    }
    for (struct hr_output *o = commit->outputs; o != NULL; o = o->next) {
        if (o->published) {
            (void)store->driver->remove(store, o->key, NULL);
        }
    }
}

/* Every output is finished and the list of what was published has room. */
static int prepare_publish(struct hr_commit *commit, struct hr_error *err) {
    size_t n = 0;
    forget_published(commit);
    for (struct hr_output *o = commit->outputs; o != NULL; o = o->next) {
        if (!o->finished) {
            return hr_fail(err, HR_E_INTERNAL, "could not publish '%s': it is still open", o->key);
        }
        n++;
    }
    if (n > 0) {
        commit->published = hr_calloc(n, sizeof(*commit->published));
        if (commit->published == NULL) {
            return hr_fail(err, HR_E_NOMEM, "could not allocate the list of outputs");
        }
    }
    return 0;
}

/* Move the outputs to the list of published ones and count on. */
static void finish_publish(struct hr_commit *commit) {
    while (commit->outputs != NULL) {
        struct hr_output *o = commit->outputs;
        commit->outputs = o->next;
        o->published = true;
        commit->published[commit->n_published++] =
            (struct hr_published){.key = o->key, .rows = o->rows, .bytes = o->bytes};
        o->key = NULL;
        drop_output(o);
    }
    commit->tail = &commit->outputs;
    forget_names(commit);
    commit->seq++;
    commit->index = 0;
    commit->marked = commit->marked_index = 0;
}

static int publish_plain(struct hr_commit *commit, struct hr_error *err) {
    int rc = 0;
    for (struct hr_output *o = commit->outputs; rc == 0 && o != NULL; o = o->next) {
        rc = publish_one(commit, o, err);
    }
    if (rc != 0) {
        take_back(commit);
    }
    return rc;
}

/* ---- with a state ---- */

static int no_memory(struct hr_error *err) {
    return hr_fail(err, HR_E_NOMEM, "could not allocate the journal");
}

static int journal_outputs(const struct hr_commit *commit, struct hr_journal *j,
                           struct hr_error *err) {
    size_t n = 0;
    for (const struct hr_output *o = commit->outputs; o != NULL; o = o->next) {
        n++;
    }
    j->outputs = hr_calloc(n, sizeof(*j->outputs));
    if (j->outputs == NULL) {
        return no_memory(err);
    }
    for (const struct hr_output *o = commit->outputs; o != NULL; o = o->next) {
        struct hr_journal_output *to = &j->outputs[j->n_outputs++];
        to->key = hr_strdup(o->key);
        to->upload_id = hr_strdup(o->upload_id);
        to->token = hr_strdup(o->token);
        to->parts = hr_calloc(o->n_parts, sizeof(*to->parts));
        if (to->key == NULL || to->upload_id == NULL || to->token == NULL || to->parts == NULL) {
            return no_memory(err);
        }
        if (o->n_parts > 0) {
            memcpy(to->parts, o->parts, o->n_parts * sizeof(*to->parts));
        }
        to->n_parts = o->n_parts;
        to->rows = o->rows;
        to->bytes = o->bytes;
        to->crc64 = o->crc64;
    }
    return 0;
}

static bool writes_key(const struct hr_journal *j, const char *key) {
    for (size_t i = 0; i < j->n_outputs; i++) {
        if (strcmp(j->outputs[i].key, key) == 0) {
            return true;
        }
    }
    return false;
}

static int add_removal(struct hr_journal *j, const char *key, int64_t bytes, struct hr_error *err) {
    if (writes_key(j, key)) {
        return 0;
    }
    struct hr_journal_removal *grown =
        hr_reallocarray(j->removals, j->n_removals + 1, sizeof(*grown));
    if (grown == NULL) {
        return no_memory(err);
    }
    j->removals = grown;
    grown[j->n_removals] = (struct hr_journal_removal){hr_strdup(key), bytes};
    return grown[j->n_removals++].key ? 0 : no_memory(err);
}

/* Overwrite of a table that another program kept: its files, known by their names. */
static int plan_foreign_removals(struct hr_commit *commit, struct hr_journal *j,
                                 struct hr_error *err) {
    struct hr_store *store = commit->conf.store;
    struct hr_list_page page = {0};
    char *token = NULL;
    int rc = 0;
    do {
        const struct hr_list_query q = {.prefix = commit->folder, .token = token};
        rc = store->driver->list(store, &q, &page, err);
        for (size_t i = 0; rc == 0 && i < page.count; i++) {
            const struct hr_list_item *item = &page.items[i];
            const char *name = item->key + item->key_len;
            while (name > item->key && name[-1] != '/') {
                name--;
            }
            if (commit->conf.also_owns(name, (size_t)(item->key + item->key_len - name))) {
                rc = add_removal(j, item->key, item->info.size, err);
            }
        }
        hr_free(token);
        token = rc == 0 ? page.next_token : NULL;
        if (rc == 0) {
            page.next_token = NULL;
        }
        hr_list_page_release(&page);
    } while (rc == 0 && token != NULL);
    hr_free(token);
    return rc;
}

/* Overwrite: what any lineage's manifest in this folder names goes, and other lineages' manifests.
 */
static int plan_removals(struct hr_commit *commit, struct hr_journal *j, struct hr_error *err) {
    json_t *all = NULL;
    int rc = hr_manifest_load_all(commit->conf.store, commit->folder, &all, err);
    for (size_t i = 0; rc == 0 && i < json_array_size(all); i++) {
        const json_t *manifest = json_array_get(all, i);
        const json_t *outputs = json_object_get(manifest, "outputs");
        const char *lineage = json_string_value(json_object_get(manifest, "lineage"));
        for (size_t k = 0; rc == 0 && k < json_array_size(outputs); k++) {
            const json_t *o = json_array_get(outputs, k);
            char *key = hr_json_bytes_copy(json_object_get(o, "key"));
            rc = key ? add_removal(j, key, json_integer_value(json_object_get(o, "bytes")), err)
                     : no_memory(err);
            hr_free(key);
        }
        if (rc == 0 && (lineage == NULL || strcmp(lineage, commit->lineage) != 0)) {
            rc = add_removal(j, json_string_value(json_object_get(manifest, "manifest")), -1, err);
        }
    }
    json_decref(all);
    return rc == 0 && commit->conf.also_owns != NULL ? plan_foreign_removals(commit, j, err) : rc;
}

/* A sealed document as text that the journal owns. */
static int sealed_text(json_t *json, char **out, struct hr_error *err) {
    struct hr_buf text;
    hr_buf_init(&text, (size_t)1 << 30);
    int rc = json ? hr_seal(json, err) : no_memory(err);
    if (rc == 0) {
        rc = hr_json_text(json, &text, err);
    }
    if (rc == 0) {
        *out = hr_buf_detach(&text);
        rc = *out ? 0 : no_memory(err);
    }
    hr_buf_release(&text);
    return rc;
}

/* What manifest and archive say of one output. */
static json_t *output_facts(const struct hr_journal_output *o) {
    char crc[17];
    hr_crc64_text(o->crc64, crc);
    return json_pack("{s:o,s:I,s:I,s:s}", "key", hr_json_bytes(o->key), "bytes",
                     (json_int_t)o->bytes, "rows", (json_int_t)o->rows, "crc64", crc);
}

static json_t *outputs_facts(const struct hr_journal *j, json_t *into) {
    int bad = into == NULL;
    for (size_t i = 0; !bad && i < j->n_outputs; i++) {
        bad = json_array_append_new(into, output_facts(&j->outputs[i]));
    }
    return bad ? NULL : into;
}

/* The manifest after this commit, as text in the journal and as JSON kept for the next one. */
static int next_manifest(struct hr_commit *commit, struct hr_journal *j, json_t **out,
                         json_int_t *before, struct hr_error *err) {
    if (commit->manifest == NULL) {
        const int rc = hr_manifest_load(commit->conf.store, commit->folder, commit->lineage,
                                        &commit->manifest, err);
        if (rc != 0) {
            return rc;
        }
    }
    *before = json_integer_value(json_object_get(commit->manifest, "seq"));
    json_t *manifest = hr_json_deep_copy(commit->manifest);
    json_t *outputs = json_object_get(manifest, "outputs");
    if (commit->conf.overwrite) {
        (void)json_array_clear(outputs);
    }
    int rc = outputs_facts(j, outputs) != NULL &&
                     json_object_set_new(manifest, "seq", json_integer((json_int_t)j->seq)) == 0
                 ? sealed_text(manifest, &j->manifest, err)
                 : no_memory(err);
    if (rc != 0) {
        json_decref(manifest);
        return rc;
    }
    *out = manifest;
    return 0;
}

/* What was read and written in this commit, for `verify` and for people. `before` is the SEQ of the
 * commit before it that has an archive, 0 none: commits without outputs leave numbers out. */
static int archive_text(const struct hr_commit *commit, struct hr_journal *j, json_int_t before,
                        const struct hr_publish *what, struct hr_error *err) {
    json_t *inputs = json_array();
    int bad = inputs == NULL;
    for (size_t i = 0; !bad && i < what->n_inputs; i++) {
        const struct hr_input *in = &what->inputs[i];
        bad = json_array_append_new(
            inputs, json_pack("{s:o,s:o,s:I}", "key", hr_json_bytes(in->key), "etag",
                              hr_json_bytes(in->etag), "size", (json_int_t)in->size));
    }
    json_t *outputs = bad ? NULL : outputs_facts(j, json_array());
    json_t *json =
        json_pack("{s:i,s:s,s:I,s:I,s:b,s:o,s:o}", "v", 2, "lineage", commit->lineage, "seq",
                  (json_int_t)j->seq, "before", before, "overwrite", (int)commit->conf.overwrite,
                  "outputs", outputs, "inputs", bad ? NULL : inputs);
    const int rc = sealed_text(json, &j->archive, err);
    json_decref(json);
    return rc;
}

static int fill_journal(struct hr_commit *commit, const struct hr_publish *what,
                        struct hr_journal *j, json_t **manifest, struct hr_error *err) {
    struct hr_state *state = commit->conf.state;
    j->destination = hr_strdup(hr_state_destination(state));
    j->lineage = hr_strdup(commit->lineage);
    j->folder = hr_strdup(commit->folder);
    j->next_state = hr_strndup((const char *)what->next_state.ptr, what->next_state.len);
    j->next_state_len = what->next_state.len;
    j->seq = commit->seq;
    j->replace = commit->conf.replace;
    if (j->destination == NULL || j->lineage == NULL || j->next_state == NULL ||
        (j->folder == NULL && commit->folder != NULL)) {
        return no_memory(err);
    }
    hr_state_hash(hr_state_text(state), j->prior);
    hr_state_hash(what->next_state, j->next);
    int rc = journal_outputs(commit, j, err);
    if (rc != 0 || commit->folder == NULL || (j->n_outputs == 0 && !commit->conf.overwrite)) {
        return rc;
    }
    json_int_t before = 0;
    if (commit->conf.overwrite) {
        rc = plan_removals(commit, j, err);
    }
    if (rc == 0) {
        rc = next_manifest(commit, j, manifest, &before, err);
    }
    if (rc == 0) {
        rc = archive_text(commit, j, before, what, err);
    }
    return rc;
}

/* Nothing of the ledger is needed any more, except for uploads that nobody has the id of. */
static int settle(struct hr_commit *commit, struct hr_error *err) {
    struct hr_state *state = commit->conf.state;
    const int rc = commit->loose ? hr_state_settled_all(state, err) : hr_state_settled(state, err);
    commit->loose &= rc != 0;
    return rc;
}

/* The parts in flight are done; only ids and part lists are needed from here on. */
static int publish_journaled(struct hr_commit *commit, const struct hr_publish *what,
                             struct hr_error *err) {
    struct hr_state *state = commit->conf.state;
    struct hr_journal journal = {0};
    json_t *manifest = NULL;
    size_t published;
    bool lost = false;
    if (commit->outputs == NULL && !commit->conf.overwrite) {
        return hr_state_save(state, what->next_state, err); /* one atomic step needs no journal */
    }
    int rc = fill_journal(commit, what, &journal, &manifest, err);
    if (rc == 0) {
        rc = hr_state_write_journal(state, &journal, err);
    }
    bool journaled = rc == 0;
    if (rc == 0) {
        rc = hr_journal_publish(&journal, commit->conf.store, state, &published, &lost, err);
    }
    if (rc == 0) {
        rc = hr_state_save(state, what->next_state, err);
    }
    commit->loose |= lost; /* what was taken back may have uploads that did not answer */
    if (journaled && (rc == 0 || lost)) {
        const int settled = settle(commit, rc == 0 ? err : NULL);
        rc = rc == 0 ? settled : rc;
        journaled = settled != 0;
    }
    if (rc == 0) {
        json_decref(commit->manifest);
        commit->manifest = manifest;
        manifest = NULL;
    } else if (journaled) {
        /* The journal stands: the next run finishes what this one could not. Nothing of it may be
         * aborted now. */
        for (struct hr_output *o = commit->outputs; o != NULL; o = o->next) {
            o->published = true;
        }
        commit->conf.state = NULL;
    }
    json_decref(manifest);
    hr_journal_release(&journal);
    return rc;
}

int hr_commit_publish(struct hr_commit *commit, const struct hr_publish *what,
                      struct hr_error *err) {
    int rc = prepare_publish(commit, err);
    if (rc == 0) {
        rc = commit->conf.state ? publish_journaled(commit, what, err) : publish_plain(commit, err);
    }
    if (rc == 0) {
        finish_publish(commit);
    }
    return rc;
}

const struct hr_published *hr_commit_published(const struct hr_commit *commit, size_t *out_count) {
    *out_count = commit->n_published;
    return commit->published;
}

void hr_commit_mark(struct hr_commit *commit) {
    commit->marked = 0;
    for (const struct hr_output *o = commit->outputs; o != NULL; o = o->next) {
        commit->marked++;
    }
    commit->marked_index = commit->index;
}

void hr_commit_rollback(struct hr_commit *commit) {
    struct hr_output **link = &commit->outputs;
    for (size_t i = 0; i < commit->marked; i++) {
        link = &(*link)->next;
    }
    while (*link != NULL) {
        struct hr_output *o = *link;
        *link = o->next;
        drop_output(o);
    }
    commit->tail = link;
    forget_names(commit);
    commit->index = commit->marked_index;
}

void hr_commit_abort(struct hr_commit *commit) {
    bool any = commit->outputs != NULL;
    while (commit->outputs != NULL) {
        struct hr_output *o = commit->outputs;
        commit->outputs = o->next;
        drop_output(o);
    }
    any |= commit->loose;
    if (commit->conf.state != NULL && any) {
        (void)settle(commit, NULL);
    }
    commit->tail = &commit->outputs;
    forget_names(commit);
    commit->index = 0;
    commit->marked = commit->marked_index = 0;
}

void hr_commit_end(struct hr_commit *commit) {
    if (commit == NULL) {
        return;
    }
    hr_commit_abort(commit);
    forget_published(commit);
    json_decref(commit->manifest);
    hr_reserved_release(&commit->reserved);
    hr_free(commit->folder);
    hr_free(commit);
}
