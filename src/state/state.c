/* state/state.c - the state document: claim, read, recover, replace (see state.h), wherever it
 * lives (backend.h).
 *
 * Ledger: one line "KEYHEX CHECKSUM\n" per upload about to be created, durable before the request.
 * A torn last line is what a crash leaves in a file and names nothing that was created; a damaged
 * line before it is refused.
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
    char known[33]; /* hash of the document when it was read or written last */
    struct hr_recovery recovery;
};

void hr_state_hash(struct hr_slice text, char out[33]) {
    const struct hr_hash128 h = hr_hash128(text.ptr ? (const void *)text.ptr : "", text.len, 0);
    uint8_t raw[16];
    memcpy(raw, &h.hi, 8);
    memcpy(raw + 8, &h.lo, 8);
    hr_hex(raw, 16, out);
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

static uint32_t line_sum(const char *hex, size_t len) {
    return (uint32_t)hr_hash64(hex, len, 0x4c44);
}

int hr_state_intent(struct hr_state *s, const char *key, struct hr_error *err) {
    struct hr_buf line;
    hr_buf_init(&line, 8192);
    const size_t n = strlen(key);
    int rc = hr_buf_reserve(&line, 2 * n + 16, err);
    if (rc == 0) {
        hr_hex((const uint8_t *)key, n, (char *)line.ptr);
        line.len = 2 * n;
        rc = hr_buf_printf(&line, err, " %08x\n", line_sum((const char *)line.ptr, 2 * n));
    }
    if (rc == 0) {
        rc = s->backend->add_ledger(s->place, hr_buf_slice(&line), err);
    }
    hr_buf_release(&line);
    return rc;
}

static int bad_ledger(const struct hr_state *s, struct hr_error *err) {
    hr_fail(err, HR_E_STATE, "could not use the ledger '%s': a line is damaged", s->names.ledger);
    hr_error_hint(
        err, "remove it after you have aborted the unfinished uploads of the destination by hand");
    return HR_E_STATE;
}

/* One line "HEX SUM": the key into out. */
static bool parse_line(const char *line, size_t len, char *key, size_t size) {
    if (len < 10 || line[len - 9] != ' ' || (len - 9) % 2 != 0 || (len - 9) / 2 >= size) {
        return false;
    }
    char sum[9];
    char hex[2100];
    snprintf(sum, sizeof(sum), "%08x", line_sum(line, len - 9));
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

/* Uploads of a run that died: abort those that are still open. */
static int sweep_ledger(struct hr_state *s, struct hr_error *err) {
    struct hr_buf lines;
    hr_buf_init(&lines, HR_LEDGER_MAX);
    int rc = s->backend->read_ledger(s->place, &lines, err);
    if (rc != 0) {
        hr_buf_release(&lines);
        return rc == HR_END ? 0 : rc;
    }
    const char *p = (const char *)lines.ptr;
    const char *end = p + lines.len;
    while (rc == 0 && p != NULL && p < end) {
        const char *newline = memchr(p, '\n', (size_t)(end - p));
        char key[1100];
        if (newline == NULL) {
            break; /* torn: the request was never made */
        }
        if (!parse_line(p, (size_t)(newline - p), key, sizeof(key))) {
            rc = bad_ledger(s, err);
        } else if (s->dst == NULL) {
            rc = hr_fail(err, HR_E_STATE,
                         "could not clean up after a dead run without its "
                         "destination");
        } else {
            rc = hr_state_abort_uploads(s->dst, key, NULL, &s->recovery.aborted, err);
        }
        p = newline + 1;
    }
    hr_buf_release(&lines);
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

static int roll_forward(struct hr_state *s, const struct hr_journal *j, struct hr_error *err) {
    bool lost;
    if (s->dst == NULL) {
        hr_fail(err, HR_E_STATE, "could not go on: the journal '%s' holds an unfinished commit",
                s->names.journal);
        hr_error_hint(err, "run sync first: it finishes the commit");
        return HR_E_STATE;
    }
    int rc = hr_journal_publish(j, s->dst, s, &s->recovery.published, &lost, err);
    if (lost) { /* taken back: the rows are planned again */
        s->recovery.dropped = true;
        hr_log(HR_LOG_WARN, "an unfinished commit was taken back: an upload of it is gone");
        return 0;
    }
    if (rc == 0) {
        rc = hr_state_save(s, hr_slice_of(j->next_state, j->next_state_len), err);
    }
    s->recovery.rolled_forward = rc == 0;
    return rc;
}

static int recover_journal(struct hr_state *s, struct hr_error *err) {
    struct hr_buf bytes;
    struct hr_journal journal = {0};
    hr_buf_init(&bytes, HR_LEDGER_MAX);
    int rc = s->backend->read_journal(s->place, &bytes, err);
    if (rc == HR_END) {
        hr_buf_release(&bytes);
        return 0;
    }
    if (rc == 0) {
        rc = hr_journal_read(hr_buf_slice(&bytes), s->names.journal, &journal, err);
    }
    if (rc == 0 && s->dst != NULL && strcmp(journal.destination, s->destination) != 0) {
        rc = hr_fail(err, HR_E_STATE,
                     "could not use the journal '%s': it belongs to the destination '%s', not '%s'",
                     s->names.journal, journal.destination, s->destination);
        hr_error_hint(err, "start with the destination it belongs to, so that its commit is "
                           "finished first");
    }
    if (rc == 0 && strcmp(journal.next, s->known) == 0) {
        s->recovery.dropped = true; /* the state holds it already */
    } else if (rc == 0 && strcmp(journal.prior, s->known) == 0) {
        rc = roll_forward(s, &journal, err);
    } else if (rc == 0) {
        s->recovery.dropped = true;
        hr_log(HR_LOG_WARN, "dropped the unfinished commit of '%s': the state was replaced since",
               s->names.journal);
        for (size_t i = 0; s->dst != NULL && i < journal.n_outputs; i++) {
            (void)s->dst->driver->mp_abort(s->dst, journal.outputs[i].key,
                                           journal.outputs[i].upload_id, NULL);
        }
    }
    hr_journal_release(&journal);
    hr_buf_release(&bytes);
    return rc == 0 ? s->backend->drop(s->place, true, false, err) : rc;
}

/* ---- life ---- */

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
    if (rc == 0 && !conf->read_only) {
        rc = recover_journal(s, err);
    }
    if (rc == 0 && !conf->read_only) {
        rc = sweep_ledger(s, err);
    }
    return rc;
}

int hr_state_open(const struct hr_state_conf *conf, struct hr_state **out, struct hr_error *err) {
    *out = NULL;
    struct hr_state *s = hr_calloc(1, sizeof(*s));
    if (s == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate the state");
    }
    s->dst = conf->dst;
    s->backend = &hr_state_local;
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
