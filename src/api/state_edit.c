/* api/state_edit.c - what a state says, and the three changes a person may want: forget a stream,
 * read an object again, settle a commit left in doubt (see upkeep.h). */
#include <stdio.h>
#include <string.h>

#include "api/upkeep.h"
#include "base/mem.h"
#include "state/band.h"

#define LOOKBACK_ANY (-1) /* entries are kept as they are; the next run applies its own */
#define STATE_TEXT_MAX ((size_t)256 << 20)

void hr_upkeep_close(const struct hr_upkeep_conf *conf, struct hr_upkeep *u) {
    if (u->doc != NULL) {
        conf->dialect->state_free(u->doc);
    }
    hr_state_close(u->state);
    hr_store_close(u->dst);
    *u = (struct hr_upkeep){0};
}

int hr_upkeep_open(const struct hr_upkeep_conf *conf, enum hr_upkeep_mode mode,
                   struct hr_upkeep *out, struct hr_error *err) {
    *out = (struct hr_upkeep){0};
    int rc = 0;
    if (conf->destination) {
        rc = hr_run_open_store(conf->settings, &conf->settings->dest.place, true, &out->dst, err);
    }
    struct hr_store_conf access;
    const struct hr_state_conf state = {
        .path = conf->state_path,
        .dst = out->dst,
        .destination = out->dst ? out->dst->label : "",
        .read_only = mode == HR_UPKEEP_READ,
        .keep_open = mode == HR_UPKEEP_CLAIM,
        .access = hr_run_state_access(conf->settings, &access),
        .ask_when_lost = conf->settings->sync.lost_upload == HR_LOST_ASK,
        .lease_seconds = (int)conf->settings->sync.state_lease_seconds};
    if (rc == 0) {
        rc = hr_state_open(&state, &out->state, err);
    }
    if (rc == 0) {
        rc = conf->dialect->state_read(hr_state_text(out->state), hr_state_name(out->state),
                                       &out->doc, err);
    }
    if (rc != 0) {
        hr_upkeep_close(conf, out);
    }
    return rc;
}

static int save(const struct hr_upkeep_conf *conf, struct hr_upkeep *u, struct hr_error *err) {
    struct hr_buf text;
    hr_buf_init(&text, STATE_TEXT_MAX);
    int rc = conf->dialect->state_write(u->doc, &text, err);
    if (rc == 0) {
        rc = hr_state_save(u->state, hr_buf_slice(&text), err);
    }
    hr_buf_release(&text);
    return rc;
}

static bool wanted(const struct hr_upkeep_conf *conf, const char *stream) {
    return conf->stream == NULL || strcmp(conf->stream, stream) == 0;
}

static int no_stream(const struct hr_upkeep_conf *conf, struct hr_error *err) {
    hr_fail(err, HR_E_NO_STREAM, "could not find stream '%s' in the state \"%s\"", conf->stream,
            conf->state_path);
    hr_error_hint(err, "`headrace state show` lists the streams it knows");
    return HR_E_NO_STREAM;
}

/* ---- show ---- */

struct show {
    const struct hr_upkeep_conf *conf;
    const struct hr_upkeep *u;
    json_t *streams;
};

static json_t *time_or_null(int64_t us) {
    return us == INT64_MIN ? json_null() : json_integer(us);
}

static int add_own(const struct show *s, const struct hr_stream_state *entry, json_t *into,
                   struct hr_error *err) {
    const json_t *own = entry->headrace;
    const char *hash = json_string_value(json_object_get(own, "hash"));
    struct hr_band *band = NULL;
    int rc = hr_band_from_json(own, LOOKBACK_ANY, hr_state_name(s->u->state), &band, err);
    if (rc != 0) {
        return rc;
    }
    json_object_set(into, "lineage", json_object_get(own, "lineage"));
    json_object_set(into, "seq", json_object_get(own, "seq"));
    json_object_set_new(into, "watermark_us", time_or_null(hr_band_watermark(band)));
    json_object_set_new(into, "newest_us", time_or_null(hr_band_newest(band)));
    json_object_set_new(into, "band", json_integer((json_int_t)hr_band_entries(band)));
    json_object_set_new(into, "replay", json_integer((json_int_t)hr_band_replays(band)));
    json_object_set_new(into, "unfinished", json_boolean(hr_band_sweeping(band)));
    json_object_set_new(into, "other_program_ran",
                        json_boolean(hash == NULL || strcmp(hash, entry->hash) != 0));
    hr_band_free(band);
    return 0;
}

static int show_stream(void *user, const char *namespace_, const char *stream,
                       struct hr_error *err) {
    struct show *s = user;
    struct hr_stream_state entry = {0};
    if (!wanted(s->conf, stream)) {
        return 0;
    }
    int rc = s->conf->dialect->state_get(s->u->doc, namespace_, stream, &entry, err);
    if (rc != 0) {
        return rc;
    }
    json_t *out =
        json_pack("{s:s,s:s,s:s?,s:I}", "stream", stream, "namespace", namespace_, "cursor",
                  entry.cursor, "chunks", (json_int_t)json_array_size(entry.chunks));
    rc = out ? 0 : hr_fail(err, HR_E_NOMEM, "could not allocate the state");
    if (rc == 0 && entry.headrace != NULL) {
        rc = add_own(s, &entry, out, err);
    }
    json_array_append_new(s->streams, out);
    hr_stream_state_release(&entry);
    return rc;
}

static int show_journal(const struct hr_upkeep *u, json_t *into, struct hr_error *err) {
    static const char *const fits[] = {NULL, "next", "done", "stale"};
    struct hr_journal journal;
    enum hr_fit fit;
    const int rc = hr_state_journal(u->state, &journal, &fit, err);
    if (rc == 0 && fit != HR_FIT_NONE) {
        json_object_set_new(into, "open_commit",
                            json_pack("{s:s,s:I,s:I,s:s,s:s}", "lineage", journal.lineage, "seq",
                                      (json_int_t)journal.seq, "objects",
                                      (json_int_t)journal.n_outputs, "destination",
                                      journal.destination, "fit", fits[fit]));
    }
    hr_journal_release(&journal);
    return rc;
}

int hr_state_show(const struct hr_upkeep_conf *conf, json_t **out, struct hr_error *err) {
    struct hr_upkeep u;
    *out = NULL;
    int rc = hr_upkeep_open(conf, HR_UPKEEP_READ, &u, err);
    if (rc != 0) {
        return rc;
    }
    struct show s = {conf, &u, json_array()};
    json_t *doc = json_pack("{s:s,s:O}", "state", hr_state_name(u.state), "streams", s.streams);
    rc = doc ? 0 : hr_fail(err, HR_E_NOMEM, "could not allocate the state");
    if (rc == 0) {
        rc = conf->dialect->state_each(u.doc, show_stream, &s, err);
    }
    if (rc == 0 && conf->stream != NULL && json_array_size(s.streams) == 0) {
        rc = no_stream(conf, err);
    }
    if (rc == 0) {
        rc = show_journal(&u, doc, err);
    }
    json_decref(s.streams);
    if (rc != 0) {
        json_decref(doc);
        doc = NULL;
    }
    *out = doc;
    hr_upkeep_close(conf, &u);
    return rc;
}

/* ---- one entry, found by its stream's name ---- */

struct find {
    const struct hr_upkeep_conf *conf;
    size_t count;
    char namespace_[256], stream[1100]; /* the last one found */
};

static int find_stream(void *user, const char *namespace_, const char *stream,
                       struct hr_error *err) {
    struct find *f = user;
    if (!wanted(f->conf, stream)) {
        return 0;
    }
    const int a = snprintf(f->namespace_, sizeof(f->namespace_), "%s", namespace_);
    const int b = snprintf(f->stream, sizeof(f->stream), "%s", stream);
    f->count++;
    return a < (int)sizeof(f->namespace_) && b < (int)sizeof(f->stream)
               ? 0
               : hr_fail(err, HR_E_STATE,
                         "could not use the state \"%s\": a stream's name is too "
                         "long",
                         f->conf->state_path);
}

/* ---- reset ---- */

int hr_state_reset(const struct hr_upkeep_conf *conf, size_t *out_streams, struct hr_error *err) {
    struct hr_upkeep u;
    const struct hr_stream_state none = {0};
    *out_streams = 0;
    int rc = hr_upkeep_open(conf, HR_UPKEEP_RECOVER, &u, err);
    if (rc != 0) {
        return rc;
    }
    for (;;) {
        struct find f = {.conf = conf};
        rc = conf->dialect->state_each(u.doc, find_stream, &f, err);
        if (rc != 0 || f.count == 0) {
            break;
        }
        rc = conf->dialect->state_set(u.doc, f.namespace_, f.stream, &none, err);
        if (rc != 0) {
            break;
        }
        ++*out_streams;
    }
    if (rc == 0 && conf->stream != NULL && *out_streams == 0) {
        rc = no_stream(conf, err);
    }
    if (rc == 0 && *out_streams > 0) {
        rc = save(conf, &u, err);
    }
    hr_upkeep_close(conf, &u);
    return rc;
}

/* ---- replay ---- */

static int which_stream(const struct hr_upkeep_conf *conf, const struct hr_upkeep *u,
                        struct find *f, struct hr_error *err) {
    *f = (struct find){.conf = conf};
    const int rc = conf->dialect->state_each(u->doc, find_stream, f, err);
    if (rc != 0 || f->count == 1) {
        return rc;
    }
    if (f->count == 0 && conf->stream != NULL) {
        return no_stream(conf, err);
    }
    hr_fail(err, f->count ? HR_E_USAGE : HR_E_NO_STREAM,
            "could not mark the key: the state \"%s\" knows %zu streams", conf->state_path,
            f->count);
    hr_error_hint(err, f->count ? "name one with --stream"
                                : "nothing was read yet, so there is nothing to read again");
    return f->count ? HR_E_USAGE : HR_E_NO_STREAM;
}

static int mark(const struct hr_upkeep_conf *conf, struct hr_upkeep *u, const struct find *f,
                const char *key, struct hr_replay_report *out, struct hr_error *err) {
    struct hr_stream_state entry = {0};
    struct hr_band *band = NULL;
    int rc = conf->dialect->state_get(u->doc, f->namespace_, f->stream, &entry, err);
    const json_t *own = entry.headrace;
    const char *hash = json_string_value(json_object_get(own, "hash"));
    if (rc == 0 && (hash == NULL || strcmp(hash, entry.hash) != 0)) {
        hr_fail(err, HR_E_STATE, "could not mark the key: another program wrote stream '%s' last",
                f->stream);
        hr_error_hint(err, "run sync once: it takes over what that program read");
        rc = HR_E_STATE;
    }
    if (rc == 0) {
        rc = hr_band_from_json(own, LOOKBACK_ANY, hr_state_name(u->state), &band, err);
    }
    if (rc == 0) {
        out->known = hr_band_knows(band, key, strlen(key));
        rc = hr_band_replay(band, key, strlen(key), err);
    }
    if (rc == 0) {
        out->marks = hr_band_replays(band);
        rc = hr_band_to_json(band, entry.headrace, err);
    }
    if (rc == 0) {
        rc = conf->dialect->state_set(u->doc, f->namespace_, f->stream, &entry, err);
    }
    hr_band_free(band);
    hr_stream_state_release(&entry);
    return rc;
}

int hr_state_replay(const struct hr_upkeep_conf *conf, const char *key,
                    struct hr_replay_report *out, struct hr_error *err) {
    struct hr_upkeep u;
    struct find f;
    *out = (struct hr_replay_report){.stream = conf->stream};
    int rc = hr_upkeep_open(conf, HR_UPKEEP_RECOVER, &u, err);
    if (rc != 0) {
        return rc;
    }
    rc = which_stream(conf, &u, &f, err);
    if (rc == 0) {
        rc = mark(conf, &u, &f, key, out, err);
    }
    if (rc == 0) {
        rc = save(conf, &u, err);
    }
    hr_upkeep_close(conf, &u);
    return rc;
}

/* ---- resolve ---- */

static int settle(struct hr_upkeep *u, struct hr_journal *j, enum hr_fit fit, enum hr_resolve what,
                  struct hr_settlement *out, struct hr_error *err) {
    if (what == HR_RESOLVE_LOOK) {
        return 0;
    }
    if (fit == HR_FIT_DONE) { /* the state counts it: taking it back would lose its rows */
        if (what == HR_RESOLVE_TAKE_BACK) {
            hr_fail(err, HR_E_USAGE, "could not take back commit %llu: the state holds it already",
                    (unsigned long long)j->seq);
            hr_error_hint(err, "use --keep; to read its inputs again: headrace state replay");
            return HR_E_USAGE;
        }
        return hr_state_settled_all(u->state, err);
    }
    return what == HR_RESOLVE_KEEP ? hr_settle_keep(u->state, j, fit, u->dst, out, err)
                                   : hr_settle_take_back(u->state, j, u->dst, out, err);
}

int hr_state_resolve(const struct hr_upkeep_conf *conf, enum hr_resolve what,
                     void (*each)(void *user, const struct hr_journal_output *output,
                                  enum hr_seen seen),
                     void *user, struct hr_resolve_report *out, struct hr_error *err) {
    struct hr_upkeep u;
    struct hr_journal journal;
    *out = (struct hr_resolve_report){.fit = HR_FIT_NONE};
    int rc = hr_upkeep_open(conf, HR_UPKEEP_CLAIM, &u, err);
    if (rc != 0) {
        return rc;
    }
    rc = hr_state_journal(u.state, &journal, &out->fit, err);
    if (rc == 0 && out->fit != HR_FIT_NONE) {
        out->seq = journal.seq;
        out->outputs = journal.n_outputs;
        snprintf(out->lineage, sizeof(out->lineage), "%s", journal.lineage);
        for (size_t i = 0; i < journal.n_outputs; i++) {
            const enum hr_seen seen = hr_journal_look(&journal.outputs[i], u.dst, NULL);
            out->visible += seen == HR_SEEN_OURS;
            if (each != NULL) {
                each(user, &journal.outputs[i], seen);
            }
        }
        rc = settle(&u, &journal, out->fit, what, &out->done, err);
    }
    hr_journal_release(&journal);
    hr_upkeep_close(conf, &u);
    return rc;
}
