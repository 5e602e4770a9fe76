/* api/gc.c - what dead runs left at the destination, removed (see upkeep.h).
 *
 * Taking the state proves that no run of this pipeline is alive, and recovers: an open journal is
 * finished, what the ledger names is aborted. Then whatever is unfinished and carries one of the
 * state's lineages in its name is ours and dead: staged outputs LINEAGE-SEQ-INDEX, and half-written
 * manifests and archives in _headrace/LINEAGE/. Everything else belongs to somebody else.
 */
#include <stdio.h>
#include <string.h>

#include "api/upkeep.h"
#include "base/fault.h"
#include "base/mem.h"

struct found {
    char *key, *upload_id;
};

struct gc {
    const struct hr_upkeep_conf *conf;
    struct hr_upkeep u;
    char (*lineages)[33];
    size_t n_lineages;
    struct hr_journal journal; /* dry run: what it names would be published, not removed */
    const char *intent;        /* dry run: the ledger's key that is looked for now; NULL lineages */
    struct found *found;
    size_t n_found, cap_found;
    size_t n_intents; /* the first of found: those the ledger names */
};

static int no_memory(struct hr_error *err) {
    return hr_fail(err, HR_E_NOMEM, "could not allocate the list of what is left over");
}

static int add_lineage(void *user, const char *namespace_, const char *stream,
                       struct hr_error *err) {
    struct gc *g = user;
    struct hr_stream_state entry = {0};
    int rc = g->conf->dialect->state_get(g->u.doc, namespace_, stream, &entry, err);
    const char *lineage = json_string_value(json_object_get(entry.headrace, "lineage"));
    if (rc == 0 && lineage != NULL && lineage[0] != '\0' && strlen(lineage) < 33) {
        char(*grown)[33] = hr_reallocarray(g->lineages, g->n_lineages + 1, sizeof(*grown));
        rc = grown ? 0 : no_memory(err);
        if (rc == 0) {
            g->lineages = grown;
            snprintf(grown[g->n_lineages++], sizeof(grown[0]), "%s", lineage);
        }
    }
    hr_stream_state_release(&entry);
    return rc;
}

/* KEY is FOLDER/LINEAGE-… or FOLDER/_headrace/LINEAGE/NAME. */
static bool is_ours(const struct gc *g, const char *key) {
    static const char folder[] = "_headrace/";
    const char *slash = strrchr(key, '/');
    const char *name = slash ? slash + 1 : key;
    for (size_t i = 0; i < g->n_lineages; i++) {
        const char *lineage = g->lineages[i];
        const size_t n = strlen(lineage);
        if (strncmp(name, lineage, n) == 0 && name[n] == '-') {
            return true;
        }
        const size_t whole = sizeof(folder) - 1 + n; /* "_headrace/LINEAGE" before the slash */
        const char *at = slash != NULL && (size_t)(slash - key) >= whole ? slash - whole : NULL;
        if (at != NULL && (at == key || at[-1] == '/') &&
            memcmp(at, folder, sizeof(folder) - 1) == 0 &&
            memcmp(at + sizeof(folder) - 1, lineage, n) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_journaled(const struct gc *g, const struct hr_upload *upload) {
    for (size_t i = 0; i < g->journal.n_outputs; i++) {
        if (strcmp(g->journal.outputs[i].key, upload->key) == 0 &&
            strcmp(g->journal.outputs[i].upload_id, upload->upload_id) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_listed(const struct gc *g, const struct hr_upload *upload) {
    for (size_t i = 0; i < g->n_intents; i++) {
        if (strcmp(g->found[i].key, upload->key) == 0 &&
            strcmp(g->found[i].upload_id, upload->upload_id) == 0) {
            return true;
        }
    }
    return false;
}

/* Uploads are collected first: removing while listing would let a page skip some. */
static int collect(void *user, const struct hr_upload *upload) {
    struct gc *g = user;
    const bool ours = g->intent ? strcmp(upload->key, g->intent) == 0 : is_ours(g, upload->key);
    if (!ours || is_journaled(g, upload) || (g->intent == NULL && is_listed(g, upload))) {
        return 0;
    }
    if (g->n_found == g->cap_found) {
        const size_t cap = g->cap_found ? g->cap_found * 2 : 64;
        struct found *grown = hr_reallocarray(g->found, cap, sizeof(*grown));
        if (grown == NULL) {
            return HR_E_NOMEM;
        }
        g->found = grown;
        g->cap_found = cap;
    }
    struct found *f = &g->found[g->n_found++];
    *f = (struct found){hr_strdup(upload->key), hr_strdup(upload->upload_id)};
    return f->key && f->upload_id ? 0 : HR_E_NOMEM;
}

static int list_uploads(struct gc *g, const char *prefix, struct hr_error *err) {
    struct hr_store *store = g->u.dst;
    if (store->driver->mp_list == NULL) {
        return 0;
    }
    const int rc = store->driver->mp_list(store, prefix, collect, g, err);
    return rc == HR_E_NO_OBJECT || rc == 0 ? 0 : rc == HR_E_NOMEM ? no_memory(err) : rc;
}

static int list_intent(void *user, const char *key, struct hr_error *err) {
    struct gc *g = user;
    g->intent = key;
    const int rc = list_uploads(g, key, err);
    g->intent = NULL;
    g->n_intents = g->n_found;
    return rc;
}

/* What opening did not do: tell of it. */
static int look_at_open(struct gc *g, struct hr_gc_report *out, struct hr_error *err) {
    enum hr_fit fit;
    int rc = hr_state_journal(g->u.state, &g->journal, &fit, err);
    if (rc == 0 && fit != HR_FIT_NONE) {
        out->open_seq = g->journal.seq;
        out->rolled_forward = fit == HR_FIT_NEXT;
        if (fit == HR_FIT_STALE) { /* its uploads would be aborted */
            hr_journal_release(&g->journal);
        }
    }
    return rc == 0 ? hr_state_each_intent(g->u.state, list_intent, g, err) : rc;
}

static int remove_found(struct gc *g, void (*each)(void *user, const char *key), void *user,
                        bool dry_run, struct hr_gc_report *out, struct hr_error *err) {
    struct hr_store *store = g->u.dst;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < g->n_found; i++) {
        if (!dry_run) {
            rc = hr_state_hold(g->u.state, err);
            hr_fault_point();
            rc = rc == 0
                     ? store->driver->mp_abort(store, g->found[i].key, g->found[i].upload_id, err)
                     : rc;
            hr_fault_point();
        }
        if (rc == 0) {
            out->removed++;
            if (each != NULL) {
                each(user, g->found[i].key);
            }
        }
    }
    return rc;
}

static void release(struct gc *g) {
    for (size_t i = 0; i < g->n_found; i++) {
        hr_free(g->found[i].key);
        hr_free(g->found[i].upload_id);
    }
    hr_free(g->found);
    hr_free(g->lineages);
    hr_journal_release(&g->journal);
    hr_upkeep_close(g->conf, &g->u);
}

int hr_gc(const struct hr_upkeep_conf *conf, bool dry_run,
          void (*each)(void *user, const char *key), void *user, struct hr_gc_report *out,
          struct hr_error *err) {
    struct gc g = {.conf = conf};
    *out = (struct hr_gc_report){0};
    int rc = hr_upkeep_open(conf, dry_run ? HR_UPKEEP_CLAIM : HR_UPKEEP_RECOVER, &g.u, err);
    if (rc == 0 && dry_run) {
        rc = look_at_open(&g, out, err);
    } else if (rc == 0) {
        const struct hr_recovery *done = hr_state_recovery(g.u.state);
        out->rolled_forward = done->rolled_forward;
        out->taken_back = done->dropped;
        out->removed = done->aborted;
    }
    if (rc == 0) {
        rc = conf->dialect->state_each(g.u.doc, add_lineage, &g, err);
    }
    if (rc == 0 && g.n_lineages > 0) {
        const char *prefix = conf->settings->dest.place.prefix;
        rc = list_uploads(&g, prefix ? prefix : "", err);
    }
    if (rc == 0) {
        rc = remove_found(&g, each, user, dry_run, out, err);
    }
    release(&g);
    return rc;
}
