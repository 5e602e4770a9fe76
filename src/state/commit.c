/* state/commit.c - staging and publishing of outputs (see commit.h). */
#include "state/commit.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "state/state.h"

#define DEFAULT_PART ((size_t)8 << 20)
#define PARTS_IN_FLIGHT 4

struct hr_output {
    struct hr_commit *commit;
    struct hr_output *next;
    char *key;
    char *upload_id;
    struct hr_upload_out *up;
    const struct hr_part *parts;
    size_t n_parts;
    int64_t rows, bytes;
    bool finished, published;
};

struct hr_commit {
    struct hr_commit_conf conf;
    char lineage[33];
    uint64_t seq;
    unsigned index;
    struct hr_output *outputs; /* in order of opening */
    struct hr_output **tail;
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
    commit->tail = &commit->outputs;
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

static void free_output(struct hr_output *output) {
    if (output->up != NULL) {
        hr_upload_close(output->up);
    }
    hr_free(output->key);
    hr_free(output->upload_id);
    hr_free(output);
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
    char token[128];
    snprintf(token, sizeof(token), "%s/%llu/%u", commit->lineage, (unsigned long long)commit->seq,
             commit->index);
    const struct hr_meta meta = {"headrace-commit", token};
    struct hr_put_opts put = commit->conf.put ? *commit->conf.put : (struct hr_put_opts){0};
    put.meta = &meta;
    put.n_meta = 1;
    int rc = store->driver->mp_create(store, key, &put, &output->upload_id, err);
    if (rc == 0) {
        rc = hr_upload_open(store, commit->conf.budget, key, output->upload_id,
                            commit->conf.part_size, PARTS_IN_FLIGHT, &output->up, err);
        if (rc != 0) {
            (void)store->driver->mp_abort(store, key, output->upload_id, NULL);
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
    const int rc =
        hr_upload_finish(output->up, &output->parts, &output->n_parts, &output->bytes, err);
    if (rc == 0) {
        output->rows = rows;
        output->finished = true;
    }
    return rc;
}

static void drop_output(struct hr_output *output) {
    struct hr_store *store = output->commit->conf.store;
    char *upload_id = output->upload_id;
    output->upload_id = NULL;
    if (output->up != NULL) { /* parts in flight must be gone before the abort */
        hr_upload_close(output->up);
        output->up = NULL;
    }
    if (!output->published && upload_id != NULL) {
        (void)store->driver->mp_abort(store, output->key, upload_id, NULL);
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
    const int rc = store->driver->mp_complete(store, output->key, output->upload_id, output->parts,
                                              output->n_parts, &put, etag, err);
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

int hr_commit_publish(struct hr_commit *commit, const struct hr_publish *what,
                      struct hr_error *err) {
    size_t n = 0;
    int rc = 0;
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
    for (struct hr_output *o = commit->outputs; rc == 0 && o != NULL; o = o->next) {
        rc = publish_one(commit, o, err);
    }
    if (rc != 0) {
        take_back(commit);
        return rc;
    }
    while (commit->outputs != NULL) {
        struct hr_output *o = commit->outputs;
        commit->outputs = o->next;
        commit->published[commit->n_published++] =
            (struct hr_published){.key = o->key, .rows = o->rows, .bytes = o->bytes};
        o->key = NULL;
        drop_output(o);
    }
    commit->tail = &commit->outputs;
    commit->seq++;
    commit->index = 0;
    return commit->conf.state ? hr_state_save(commit->conf.state, what->next_state, err) : 0;
}

const struct hr_published *hr_commit_published(const struct hr_commit *commit, size_t *out_count) {
    *out_count = commit->n_published;
    return commit->published;
}

void hr_commit_abort(struct hr_commit *commit) {
    while (commit->outputs != NULL) {
        struct hr_output *o = commit->outputs;
        commit->outputs = o->next;
        drop_output(o);
    }
    commit->tail = &commit->outputs;
    commit->index = 0;
}

void hr_commit_end(struct hr_commit *commit) {
    if (commit == NULL) {
        return;
    }
    hr_commit_abort(commit);
    forget_published(commit);
    hr_free(commit);
}
