/* state/state.c - the state document: claim, read, recover, replace (see state.h), wherever it
 * lives (backend.h).
 *
 * Ledger: one line "KEYHEX CHECKSUM\n" per upload that may be created, many in one write, durable
 * before the request; the checksum covers the destination too. A last line without its end is what
 * a crash leaves in a file and names nothing that was created; any other damaged line is refused.
 */
#include "state/state.h"

#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "state/backend.h"

struct hr_state {
    struct hr_store *dst; /* destination; borrowed */
    char *destination;
    const struct hr_state_backend *backend;
    void *place; /* the backend's own */
    struct hr_state_names names;
    struct hr_buf text;
    char known[33];     /* hash of the document when it was read or written last */
    bool ask_when_lost; /* see struct hr_state_conf */
    struct hr_recovery recovery;
};

void hr_state_hash(struct hr_slice text, char out[33]) {
    hr_hash128_text(text.ptr ? (const void *)text.ptr : "", text.len, 0, out);
}

struct hr_slice hr_state_text(const struct hr_state *s) {
    return hr_buf_slice(&s->text);
}

const char *hr_state_name(const struct hr_state *s) {
    return s->names.state;
}

const struct hr_recovery *hr_state_recovery(const struct hr_state *s) {
    return &s->recovery;
}

const char *hr_state_destination(const struct hr_state *s) {
    return s->destination;
}

int hr_state_hold(struct hr_state *s, struct hr_error *err) {
    return s->backend->hold ? s->backend->hold(s->place, err) : 0;
}

/* ---- document ---- */

int hr_state_changed(const char *name, struct hr_error *err) {
    hr_fail(err, HR_E_LOCKED, "could not save the state '%s': it changed while this run held it",
            name);
    hr_error_hint(err, "see who else writes it; nothing of it was overwritten");
    return HR_E_LOCKED;
}

static int load_text(struct hr_state *s, struct hr_error *err) {
    const int rc = s->backend->read(s->place, &s->text, err);
    hr_state_hash(hr_buf_slice(&s->text), s->known);
    return rc == HR_END ? 0 : rc;
}

int hr_state_save(struct hr_state *s, struct hr_slice text, struct hr_error *err) {
    struct hr_buf copy; /* text may be a view of s->text */
    hr_buf_init(&copy, HR_STATE_MAX);
    int rc = hr_buf_append(&copy, text.ptr, text.len, err);
    if (rc == 0) {
        rc = s->backend->write(s->place, hr_buf_slice(&copy), s->known, err);
    }
    if (rc != 0) {
        hr_buf_release(&copy);
        return rc;
    }
    hr_buf_release(&s->text);
    s->text = copy;
    hr_state_hash(hr_buf_slice(&s->text), s->known);
    return 0;
}

/* ---- ledger ---- */

static uint32_t line_sum(const struct hr_state *s, const char *hex, size_t len) {
    const uint64_t seed = hr_hash64(s->destination, strlen(s->destination), 0x4c44);
    return (uint32_t)hr_hash64(hex, len, seed);
}

static int add_line(const struct hr_state *s, const char *key, struct hr_buf *lines,
                    struct hr_error *err) {
    const size_t n = strlen(key);
    const size_t at = lines->len;
    int rc = hr_buf_reserve(lines, 2 * n + 16, err);
    if (rc == 0) {
        hr_hex((const uint8_t *)key, n, (char *)lines->ptr + at);
        lines->len += 2 * n;
        rc =
            hr_buf_printf(lines, err, " %08x\n", line_sum(s, (const char *)lines->ptr + at, 2 * n));
    }
    return rc;
}

int hr_state_intent(struct hr_state *s, const char *const *keys, size_t count,
                    struct hr_error *err) {
    struct hr_buf lines;
    int rc = 0;
    hr_buf_init(&lines, HR_LEDGER_MAX);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        rc = add_line(s, keys[i], &lines, err);
    }
    if (rc == 0 && count > 0) {
        rc = s->backend->add_ledger(s->place, hr_buf_slice(&lines), err);
    }
    hr_buf_release(&lines);
    return rc;
}

static int bad_ledger(const struct hr_state *s, struct hr_error *err) {
    hr_fail(err, HR_E_STATE,
            "could not use the ledger '%s': a line is damaged or belongs to another destination "
            "than '%s'",
            s->names.ledger, s->destination);
    hr_error_hint(err,
                  "start with the destination it belongs to, or remove it and run `headrace gc`, "
                  "which finds unfinished uploads by their names");
    return HR_E_STATE;
}

/* One line "HEX SUM": the key into out. */
static bool parse_line(const struct hr_state *s, const char *line, size_t len, char *key,
                       size_t size) {
    if (len < 10 || line[len - 9] != ' ' || (len - 9) % 2 != 0 || (len - 9) / 2 >= size) {
        return false;
    }
    char sum[9];
    char hex[2100];
    snprintf(sum, sizeof(sum), "%08x", line_sum(s, line, len - 9));
    if (memcmp(sum, line + len - 8, 8) != 0 || len - 9 >= sizeof(hex)) {
        return false;
    }
    memcpy(hex, line, len - 9);
    hex[len - 9] = '\0';
    key[(len - 9) / 2] = '\0';
    return hr_unhex(hex, (uint8_t *)key, (len - 9) / 2) == 0;
}

struct abort_one {
    struct hr_store *store;
    const char *prefix, *lineage;
    size_t count;
    struct hr_error *err;
};

static int abort_upload(void *user, const struct hr_upload *upload) {
    struct abort_one *a = user;
    bool match = strcmp(upload->key, a->prefix) == 0;
    if (a->lineage != NULL) {
        const char *slash = strrchr(upload->key, '/');
        const char *name = slash ? slash + 1 : upload->key;
        const size_t n = strlen(a->lineage);
        match = strncmp(name, a->lineage, n) == 0 && name[n] == '-';
    }
    if (!match) {
        return 0;
    }
    hr_fault_point();
    const int rc = a->store->driver->mp_abort(a->store, upload->key, upload->upload_id, a->err);
    hr_fault_point();
    a->count += rc == 0;
    return rc;
}

int hr_state_abort_uploads(struct hr_store *store, const char *prefix, const char *lineage,
                           size_t *out_aborted, struct hr_error *err) {
    struct abort_one a = {store, prefix, lineage, 0, err};
    if (store->driver->mp_list == NULL) {
        return 0;
    }
    const int rc = store->driver->mp_list(store, prefix, abort_upload, &a, err);
    *out_aborted += a.count;
    return rc == HR_E_NO_OBJECT ? 0 : rc;
}

int hr_state_each_intent(struct hr_state *s,
                         int (*each)(void *user, const char *key, struct hr_error *err), void *user,
                         struct hr_error *err) {
    struct hr_buf lines;
    hr_buf_init(&lines, HR_LEDGER_MAX);
    int rc = s->backend->read_ledger(s->place, &lines, err);
    if (rc == HR_END) {
        rc = 0;
    }
    const char *p = (const char *)lines.ptr;
    const char *end = p + lines.len;
    while (rc == 0 && p != NULL && p < end) {
        const char *newline = memchr(p, '\n', (size_t)(end - p));
        const size_t len = newline ? (size_t)(newline - p) : (size_t)(end - p);
        char key[1100];
        if (parse_line(s, p, len, key, sizeof(key)) ||
            (newline == NULL && parse_line(s, p, len - 1, key, sizeof(key)))) {
            rc = each(user, key, err);
        } else if (newline != NULL) {
            rc = bad_ledger(s, err);
        } /* else torn: the request was never made */
        p += len + 1;
    }
    hr_buf_release(&lines);
    return rc;
}

static int abort_intent(void *user, const char *key, struct hr_error *err) {
    struct hr_state *s = user;
    return hr_state_abort_uploads(s->dst, key, NULL, &s->recovery.aborted, err);
}

static int needs_destination(const struct hr_state *s, const char *name, struct hr_error *err) {
    hr_fail(err, HR_E_STATE, "could not go on: '%s' was left by a run that died", name);
    hr_error_object(err, s->names.state);
    hr_error_hint(err, "name the destination with --destination, or run sync first: what the run "
                       "left there is settled then");
    return HR_E_STATE;
}

/* Uploads of a run that died: abort those that are still open. */
static int sweep_ledger(struct hr_state *s, struct hr_error *err) {
    if (s->dst == NULL) {
        struct hr_buf lines;
        hr_buf_init(&lines, HR_LEDGER_MAX);
        const int rc = s->backend->read_ledger(s->place, &lines, err);
        hr_buf_release(&lines);
        return rc == 0 ? needs_destination(s, s->names.ledger, err) : rc == HR_END ? 0 : rc;
    }
    const int rc = hr_state_each_intent(s, abort_intent, s, err);
    return rc == 0 ? s->backend->drop(s->place, false, true, err) : rc;
}

/* ---- journal ---- */

int hr_state_write_journal(struct hr_state *s, const struct hr_journal *journal,
                           struct hr_error *err) {
    struct hr_buf bytes;
    hr_buf_init(&bytes, HR_LEDGER_MAX);
    int rc = hr_journal_write(journal, &bytes, err);
    if (rc == 0) {
        rc = s->backend->write_journal(s->place, hr_buf_slice(&bytes), err);
    }
    hr_buf_release(&bytes);
    return rc;
}

int hr_state_settled(struct hr_state *s, struct hr_error *err) {
    return s->backend->drop(s->place, true, true, err);
}

int hr_state_settled_all(struct hr_state *s, struct hr_error *err) {
    const int rc = s->backend->drop(s->place, true, false, err);
    return rc == 0 ? sweep_ledger(s, err) : rc;
}

static int wrong_destination(const struct hr_state *s, const struct hr_journal *j,
                             struct hr_error *err) {
    hr_fail(err, HR_E_STATE,
            "could not use the journal '%s': it belongs to the destination '%s', not '%s'",
            s->names.journal, j->destination, s->destination);
    hr_error_hint(err, "start with the destination it belongs to, so that its commit is "
                       "finished first");
    return HR_E_STATE;
}

int hr_state_journal(struct hr_state *s, struct hr_journal *out, enum hr_fit *out_fit,
                     struct hr_error *err) {
    struct hr_buf bytes;
    *out = (struct hr_journal){0};
    *out_fit = HR_FIT_NONE;
    hr_buf_init(&bytes, HR_LEDGER_MAX);
    int rc = s->backend->read_journal(s->place, &bytes, err);
    if (rc == 0) {
        rc = hr_journal_read(hr_buf_slice(&bytes), s->names.journal, out, err);
    }
    hr_buf_release(&bytes);
    if (rc == 0 && s->dst != NULL && strcmp(out->destination, s->destination) != 0) {
        rc = wrong_destination(s, out, err);
        hr_journal_release(out);
    }
    if (rc != 0) {
        return rc == HR_END ? 0 : rc;
    }
    *out_fit = strcmp(out->next, s->known) == 0    ? HR_FIT_DONE
               : strcmp(out->prior, s->known) == 0 ? HR_FIT_NEXT
                                                   : HR_FIT_STALE;
    return 0;
}

static int roll_forward(struct hr_state *s, struct hr_journal *j, struct hr_error *err) {
    bool lost;
    j->resumed = true;
    j->ask = s->ask_when_lost;
    int rc = hr_journal_publish(j, s->dst, s, &s->recovery.published, &lost, err);
    if (lost) { /* taken back: the rows are planned again */
        s->recovery.dropped = true;
        hr_log(HR_LOG_WARN,
               "the unfinished commit %llu of lineage '%s' was taken back, as an upload of it is "
               "gone: "
               "its rows are read again and written under the same names",
               (unsigned long long)j->seq, j->lineage);
        return 0;
    }
    if (rc == 0) {
        rc = hr_state_save(s, hr_slice_of(j->next_state, j->next_state_len), err);
    }
    s->recovery.rolled_forward = rc == 0;
    return rc;
}

/* The state was replaced since the journal was written. Nothing visible: forget it. Otherwise only
 * a person knows whether the state that is there counts those rows. */
static int drop_stale(struct hr_state *s, const struct hr_journal *j, struct hr_error *err) {
    size_t visible = 0;
    for (size_t i = 0; i < j->n_outputs; i++) {
        const enum hr_seen seen = hr_journal_look(&j->outputs[i], s->dst, err);
        if (seen == HR_SEEN_UNKNOWN) {
            return err && err->code < 0 ? err->code : HR_E_INDOUBT;
        }
        visible += seen == HR_SEEN_OURS;
    }
    if (visible > 0) {
        hr_fail(err, HR_E_INDOUBT,
                "could not settle commit %llu of '%s': the state was replaced since it began, and "
                "%zu of its %zu objects are visible",
                (unsigned long long)j->seq, s->names.journal, visible, j->n_outputs);
        hr_error_hint(err, "look with `headrace state resolve`, then settle it with --keep or "
                           "--take-back");
        return HR_E_INDOUBT;
    }
    s->recovery.dropped = true;
    hr_log(HR_LOG_WARN, "dropped the unfinished commit of '%s': the state was replaced since",
           s->names.journal);
    for (size_t i = 0; i < j->n_outputs; i++) {
        (void)s->dst->driver->mp_abort(s->dst, j->outputs[i].key, j->outputs[i].upload_id, NULL);
    }
    return 0;
}

static int recover_journal(struct hr_state *s, struct hr_error *err) {
    struct hr_journal journal;
    enum hr_fit fit;
    int rc = hr_state_journal(s, &journal, &fit, err);
    if (rc != 0 || fit == HR_FIT_NONE) {
        return rc;
    }
    if (fit == HR_FIT_DONE) {
        s->recovery.dropped = true; /* the state holds it already */
    } else if (s->dst == NULL) {
        rc = needs_destination(s, s->names.journal, err);
    } else {
        rc = fit == HR_FIT_NEXT ? roll_forward(s, &journal, err) : drop_stale(s, &journal, err);
    }
    hr_journal_release(&journal);
    return rc == 0 ? s->backend->drop(s->place, true, false, err) : rc;
}

/* ---- life ---- */

/* "mem:…" and whatever is a URL is a store (or an unknown one, which it will say); all else is a
 * file. */
static const struct hr_state_backend *backend_of(const char *path) {
    const size_t n = strspn(path, "abcdefghijklmnopqrstuvwxyz0123456789+-.");
    const bool file = strncmp(path, "file:", 5) == 0;
    const bool url = strncmp(path, "mem:", 4) == 0 || (n > 0 && strncmp(path + n, "://", 3) == 0);
    return url && !file ? &hr_state_remote : &hr_state_local;
}

static int open_parts(struct hr_state *s, const struct hr_state_conf *conf, struct hr_error *err) {
    s->destination = hr_strdup(conf->destination);
    if (s->destination == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate the state");
    }
    int rc = s->backend->open(conf, &s->place, &s->names, err);
    if (rc == 0 && !conf->read_only) {
        rc = s->backend->claim(s->place, err);
    }
    if (rc == 0) {
        rc = load_text(s, err);
    }
    if (rc == 0 && !conf->read_only && !conf->keep_open) {
        rc = recover_journal(s, err);
    }
    if (rc == 0 && !conf->read_only && !conf->keep_open) {
        rc = sweep_ledger(s, err);
    }
    return rc;
}

int hr_state_check(const struct hr_state_conf *conf, struct hr_error *err) {
    const struct hr_state_backend *backend = backend_of(conf->path);
    struct hr_state_names names;
    struct hr_buf text;
    void *place = NULL;
    hr_buf_init(&text, HR_STATE_MAX);
    int rc = backend->open(conf, &place, &names, err);
    if (rc == 0) {
        rc = backend->claim(place, err);
    }
    if (rc == 0) {
        rc = backend->read(place, &text, err);
    }
    if (place != NULL) {
        backend->close(place);
    }
    hr_buf_release(&text);
    return rc == HR_END ? 0 : rc;
}

int hr_state_open(const struct hr_state_conf *conf, struct hr_state **out, struct hr_error *err) {
    *out = NULL;
    struct hr_state *s = hr_calloc(1, sizeof(*s));
    if (s == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate the state");
    }
    s->dst = conf->dst;
    s->ask_when_lost = conf->ask_when_lost;
    s->backend = backend_of(conf->path);
    hr_buf_init(&s->text, HR_STATE_MAX);
    const int rc = open_parts(s, conf, err);
    if (rc != 0) {
        hr_state_close(s);
        return rc;
    }
    *out = s;
    return 0;
}

void hr_state_close(struct hr_state *s) {
    if (s == NULL) {
        return;
    }
    if (s->place != NULL) {
        s->backend->close(s->place);
    }
    hr_buf_release(&s->text);
    hr_free(s->destination);
    hr_free(s);
}
