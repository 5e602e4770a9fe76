/* dialect/state_file.c - state.json: found, read, changed for one stream, written.
 *
 * The file belongs to two programs. What is not the stream being set is kept as raw text and
 * written back as it was: other streams' entries, `global`, members nobody here knows. A file that
 * cannot be read is an error and never "no state": that would load everything again. Our own part
 * of an entry names its stream and is sealed (state/seal.h), and no seal may stand anywhere else,
 * so that a damaged name of a member cannot make an entry look as if we had never been there.
 */
#include "dialect/state_file.h"

#include <stdio.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/time.h"
#include "config/json_text.h"
#include "dialect/json_span.h"
#include "state/seal.h"

#define CURSOR_KEY "_last_modified_time"

struct state_entry {
    char *raw;                  /* JSON text of the whole entry */
    json_t *json;               /* the same, parsed */
    const char *stream, *space; /* inside json; space NULL: none */
};

struct state_member { /* of the top level, except "streams" */
    char *key;        /* with quotes */
    char *raw;
};

struct hr_state_doc {
    char *name; /* of the file, for messages */
    struct state_entry *entries;
    size_t n_entries;
    struct state_member *members;
    size_t n_members;
};

static int nomem(struct hr_error *err) {
    return hr_fail(err, HR_E_NOMEM, "out of memory for the state");
}

static int bad(const struct hr_state_doc *doc, const char *what, struct hr_error *err) {
    int rc = hr_fail(err, HR_E_STATE, "could not read the state \"%s\": %s", doc->name, what);
    hr_error_object(err, doc->name);
    hr_error_hint(err, "Restore it from a backup, or remove it to load everything again.");
    return rc;
}

/* Our own part is damaged, but what the other program sees of the entry is not. */
static int bad_part(const struct hr_state_doc *doc, const char *stream, const char *what,
                    struct hr_error *err) {
    char shown[120];
    int rc = hr_fail(err, HR_E_STATE,
                     "could not use the state \"%s\": \"" HR_STATE_OWN_KEY "\" of stream '%s' %s",
                     doc->name, hr_printable(hr_slice_str(stream), 80, shown, sizeof shown), what);
    hr_error_object(err, doc->name);
    hr_error_hint(err, "Restore the file from a backup. Without one: remove the member "
                       "\"" HR_STATE_OWN_KEY "\" and the stream's cursor alone says what was read, "
                       "or `headrace state reset` to load the stream again.");
    return rc;
}

void hr_stream_state_release(struct hr_stream_state *state) {
    hr_free(state->cursor_field);
    hr_free(state->cursor);
    json_decref(state->chunks);
    json_decref(state->headrace);
    *state = (struct hr_stream_state){0};
}

static void release_entry(struct state_entry *entry) {
    hr_free(entry->raw);
    json_decref(entry->json);
    *entry = (struct state_entry){0};
}

void hr_state_file_free(struct hr_state_doc *doc) {
    if (doc == NULL) {
        return;
    }
    for (size_t i = 0; i < doc->n_entries; i++) {
        release_entry(&doc->entries[i]);
    }
    for (size_t i = 0; i < doc->n_members; i++) {
        hr_free(doc->members[i].key);
        hr_free(doc->members[i].raw);
    }
    hr_free(doc->entries);
    hr_free(doc->members);
    hr_free(doc->name);
    hr_free(doc);
}

/* ---- reading --------------------------------------------------------------------------------- */

/* Takes over raw and json, also when it fails. */
static int add_entry(struct hr_state_doc *doc, char *raw, json_t *json, struct hr_error *err) {
    struct state_entry *grown =
        hr_reallocarray(doc->entries, doc->n_entries + 1, sizeof *doc->entries);
    if (grown) {
        doc->entries = grown;
    }
    if (grown == NULL || raw == NULL || json == NULL) {
        hr_free(raw);
        json_decref(json);
        return nomem(err);
    }
    grown[doc->n_entries++] = (struct state_entry){
        .raw = raw,
        .json = json,
        .stream = json_string_value(json_object_get(json, "stream")),
        .space = json_string_value(json_object_get(json, "namespace")),
    };
    return 0;
}

static int add_member(struct hr_state_doc *doc, struct hr_slice key, struct hr_slice raw,
                      struct hr_error *err) {
    struct state_member *grown =
        hr_reallocarray(doc->members, doc->n_members + 1, sizeof *doc->members);
    if (grown == NULL) {
        return nomem(err);
    }
    doc->members = grown;
    struct state_member *member = &grown[doc->n_members];
    member->key = hr_strndup((const char *)key.ptr, key.len);
    member->raw = hr_strndup((const char *)raw.ptr, raw.len);
    doc->n_members++;
    return member->key && member->raw ? 0 : nomem(err);
}

/* 1: our own part of the entry is there and whole, 0: there is none. */
static int check_part(const struct hr_state_doc *doc, const struct state_entry *entry,
                      struct hr_error *err) {
    const json_t *own = json_object_get(json_object_get(entry->json, "state"), HR_STATE_OWN_KEY);
    if (own == NULL) {
        return 0;
    }
    const json_t *version = json_object_get(own, "v");
    if (json_is_integer(version) && json_integer_value(version) != HR_STATE_OWN_VERSION) {
        return bad_part(doc, entry->stream, "was written by another version of headrace", err);
    }
    int rc = json_is_object(own) ? hr_seal_check(own, err) : HR_E_STATE;
    if (rc == HR_E_STATE) {
        return bad_part(doc, entry->stream, "is damaged: its checksum does not match", err);
    }
    const char *stream = json_string_value(json_object_get(own, "stream"));
    const char *space = json_string_value(json_object_get(own, "namespace"));
    if (rc == 0 && (stream == NULL || strcmp(stream, entry->stream) != 0 || space == NULL ||
                    entry->space == NULL || strcmp(space, entry->space) != 0)) {
        return bad_part(doc, entry->stream, "belongs to another stream", err);
    }
    return rc == 0 ? 1 : rc;
}

/* Every seal of the text stands where our own part of an entry is. */
static int check_parts(const struct hr_state_doc *doc, struct hr_slice text, struct hr_error *err) {
    size_t parts = 0;
    for (size_t i = 0; i < doc->n_entries; i++) {
        const int rc = check_part(doc, &doc->entries[i], err);
        if (rc < 0) {
            return rc;
        }
        parts += (size_t)rc;
    }
    return parts == hr_seal_count(text)
               ? 0
               : bad(doc, "what headrace kept in it is not where it was written", err);
}

static int read_entries(struct hr_state_doc *doc, struct hr_slice raw, const json_t *streams,
                        struct hr_error *err) {
    struct hr_json_walk walk;
    struct hr_slice key;
    struct hr_slice item;
    if (json_is_null(streams)) {
        return 0;
    }
    if (!json_is_array(streams) || !hr_json_walk_begin(&walk, raw)) {
        return bad(doc, "\"streams\" is not a list", err);
    }
    for (size_t i = 0; hr_json_walk_next(&walk, &key, &item); i++) {
        json_t *json = json_array_get(streams, i);
        const json_t *stream = json_object_get(json, "stream");
        const json_t *space = json_object_get(json, "namespace");
        const json_t *state = json_object_get(json, "state");
        if (!json_is_string(stream) || (space && !json_is_string(space) && !json_is_null(space)) ||
            (state && !json_is_object(state) && !json_is_null(state))) {
            return bad(doc, "an entry of \"streams\" is not {\"stream\": ..., \"state\": {...}}",
                       err);
        }
        int rc =
            add_entry(doc, hr_strndup((const char *)item.ptr, item.len), json_incref(json), err);
        if (rc) {
            return rc;
        }
    }
    return 0;
}

static int check_head(const struct hr_state_doc *doc, const json_t *json, struct hr_error *err) {
    const json_t *type = json_object_get(json, "type");
    const json_t *version = json_object_get(json, "version");
    if (type == NULL && json_object_get(json, "streams") == NULL && json_object_size(json) > 0) {
        /* Some other document, which the next commit would replace. */
        int rc = bad(doc, "it has neither \"type\" nor \"streams\"", err);
        hr_error_hint(err, "name the pipeline's state file; one that does not exist yet is made");
        return rc;
    }
    if (type && (!json_is_string(type) || strcmp(json_string_value(type), "STREAM") != 0)) {
        return bad(doc, "its type is not STREAM", err);
    }
    if (version && (!json_is_integer(version) || json_integer_value(version) < 0)) {
        return bad(doc, "its version is not a number", err);
    }
    if (version && json_integer_value(version) > HR_STATE_VERSION) {
        char what[80];
        snprintf(what, sizeof what, "its version is above %d: a newer program wrote it",
                 HR_STATE_VERSION);
        return bad(doc, what, err);
    }
    return 0;
}

static int read_members(struct hr_state_doc *doc, struct hr_slice text, const json_t *json,
                        struct hr_error *err) {
    struct hr_json_walk walk;
    struct hr_slice key;
    struct hr_slice value;
    bool found = false;
    int rc = check_head(doc, json, err);
    if (rc == 0 && !hr_json_walk_begin(&walk, text)) {
        rc = bad(doc, "it is not an object", err);
    }
    while (rc == 0 && hr_json_walk_next(&walk, &key, &value)) {
        const bool streams = hr_slice_eq_str(key, "\"streams\"");
        found = found || streams;
        rc = streams ? read_entries(doc, value, json_object_get(json, "streams"), err)
                     : add_member(doc, key, value, err);
    }
    if (rc == 0 && !found && json_object_get(json, "streams") != NULL) {
        rc = bad(doc, "the name \"streams\" is written with escapes", err); /* not "no streams" */
    }
    return rc;
}

static bool is_blank(struct hr_slice text) {
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != ' ' && text.ptr[i] != '\t' && text.ptr[i] != '\n' &&
            text.ptr[i] != '\r') {
            return false;
        }
    }
    return true;
}

int hr_state_file_read(struct hr_slice text, const char *name, struct hr_state_doc **out,
                       struct hr_error *err) {
    struct hr_state_doc *doc = hr_calloc(1, sizeof *doc);
    *out = NULL;
    if (doc == NULL || (doc->name = hr_strdup(name)) == NULL) {
        hr_free(doc);
        return nomem(err);
    }
    if (is_blank(text)) {
        *out = doc;
        return 0;
    }
    if (memchr(text.ptr, 0, text.len)) { /* jansson passes over some */
        int refused = bad(doc, "it contains a NUL byte", err);
        hr_state_file_free(doc);
        return refused;
    }
    json_error_t where;
    json_t *json = json_loadb((const char *)text.ptr, text.len, JSON_REJECT_DUPLICATES, &where);
    int rc = 0;
    if (json == NULL && json_error_code(&where) == json_error_out_of_memory) {
        rc = nomem(err);
    } else if (!json_is_object(json)) {
        char what[120];
        snprintf(what, sizeof what, "it is not a JSON object (line %d, column %d)",
                 json ? 1 : where.line, json ? 1 : where.column);
        rc = bad(doc, what, err);
    } else {
        rc = read_members(doc, text, json, err);
    }
    if (rc == 0) {
        rc = check_parts(doc, text, err);
    }
    json_decref(json);
    if (rc) {
        hr_state_file_free(doc);
        return rc;
    }
    *out = doc;
    return 0;
}

/* ---- one stream ------------------------------------------------------------------------------ */

/* The entry with this namespace, else one without a namespace, else any of that name: -1 none. */
static long find_entry(const struct hr_state_doc *doc, const char *space, const char *stream) {
    long best = -1;
    int best_rank = 0;
    for (size_t i = 0; i < doc->n_entries; i++) {
        const struct state_entry *entry = &doc->entries[i];
        if (strcmp(entry->stream, stream) != 0) {
            continue;
        }
        int rank = entry->space == NULL ? 2 : strcmp(entry->space, space) == 0 ? 3 : 1;
        if (rank > best_rank) {
            best = (long)i;
            best_rank = rank;
        }
    }
    return best;
}

static bool good_chunk(const json_t *chunk) {
    const json_t *keys = json_object_get(chunk, "min");
    if (!json_is_array(keys) || !json_is_number(json_object_get(chunk, "max"))) {
        return false;
    }
    for (size_t i = 0; i < json_array_size(keys); i++) {
        if (!json_is_string(json_array_get(keys, i))) {
            return false;
        }
    }
    return true;
}

static int get_chunks(const struct hr_state_doc *doc, json_t *state, struct hr_stream_state *out,
                      struct hr_error *err) {
    json_t *chunks = json_object_get(state, "chunks");
    if (chunks == NULL || json_is_null(chunks)) {
        return 0;
    }
    if (!json_is_array(chunks)) {
        return bad(doc, "\"chunks\" is not a list", err);
    }
    for (size_t i = 0; i < json_array_size(chunks); i++) {
        if (!good_chunk(json_array_get(chunks, i))) {
            return bad(doc, "an entry of \"chunks\" is not {\"min\": [keys], \"max\": bytes}", err);
        }
    }
    out->chunks = json_incref(chunks);
    return 0;
}

static int get_cursor(const struct hr_state_doc *doc, const json_t *state,
                      struct hr_stream_state *out, struct hr_error *err) {
    const json_t *value = json_object_get(state, CURSOR_KEY);
    int64_t seconds = 0;
    int32_t nanos = 0;
    bool zone = false;
    int digits = 0;
    if (value == NULL || json_is_null(value)) {
        return 0;
    }
    if (!json_is_string(value) ||
        !hr_parse_timestamp(json_string_value(value), json_string_length(value), &seconds, &nanos,
                            &zone, &digits)) {
        return bad(doc, "\"" CURSOR_KEY "\" is not a time", err);
    }
    out->cursor_field = hr_strdup(CURSOR_KEY);
    out->cursor = hr_strdup(json_string_value(value));
    return out->cursor && out->cursor_field ? 0 : nomem(err);
}

int hr_state_file_get(const struct hr_state_doc *doc, const char *namespace_, const char *stream,
                      struct hr_stream_state *out, struct hr_error *err) {
    *out = (struct hr_stream_state){0};
    long index = find_entry(doc, namespace_, stream);
    if (index < 0) {
        return hr_state_file_hash(out, out->hash, err);
    }
    json_t *state = json_object_get(doc->entries[index].json, "state");
    json_t *own = json_object_get(state, HR_STATE_OWN_KEY);
    out->present = true;
    int rc = get_cursor(doc, state, out, err);
    if (rc == 0) {
        rc = get_chunks(doc, state, out, err);
    }
    if (rc == 0 && own && !json_is_object(own)) {
        rc = bad(doc, "\"" HR_STATE_OWN_KEY "\" is not an object", err);
    }
    if (rc == 0) {
        out->headrace = json_incref(own);
        rc = hr_state_file_hash(out, out->hash, err);
    }
    if (rc) {
        hr_stream_state_release(out);
    }
    return rc;
}

int hr_state_file_each(const struct hr_state_doc *doc,
                       int (*each)(void *user, const char *namespace_, const char *stream,
                                   struct hr_error *err),
                       void *user, struct hr_error *err) {
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < doc->n_entries; i++) {
        const struct state_entry *e = &doc->entries[i];
        rc = each(user, e->space ? e->space : "", e->stream, err);
    }
    return rc;
}

int hr_state_file_hash(const struct hr_stream_state *state, char out[33], struct hr_error *err) {
    json_t *seen = json_pack("{ss? sO?}", "cursor", state->cursor, "chunks", state->chunks);
    size_t len = seen ? json_dumpb(seen, NULL, 0, JSON_COMPACT | JSON_SORT_KEYS) : 0;
    char *text = len ? hr_malloc(len) : NULL;
    if (text == NULL || json_dumpb(seen, text, len, JSON_COMPACT | JSON_SORT_KEYS) != len) {
        hr_free(text);
        json_decref(seen);
        return nomem(err);
    }
    struct hr_hash128 hash = hr_hash128(text, len, 0);
    uint8_t bytes[16];
    for (int i = 0; i < 8; i++) {
        bytes[i] = (uint8_t)(hash.hi >> (56 - 8 * i));
        bytes[8 + i] = (uint8_t)(hash.lo >> (56 - 8 * i));
    }
    hr_hex(bytes, sizeof bytes, out);
    hr_free(text);
    json_decref(seen);
    return 0;
}

/* ---- changing -------------------------------------------------------------------------------- */

static int set_member(json_t *object, const char *key, json_t *value) {
    if (value == NULL) {
        json_object_del(object, key);
        return 0;
    }
    return json_object_set(object, key, value);
}

/* Our own part with its stream's name and its seal. New reference. */
static json_t *seal_part(const char *space, const char *stream, const json_t *own) {
    json_t *part = hr_json_copy(own);
    const int bad = json_object_set_new(part, "v", json_integer(HR_STATE_OWN_VERSION)) != 0 ||
                    json_object_set_new(part, "namespace", json_string(space)) != 0 ||
                    json_object_set_new(part, "stream", json_string(stream)) != 0 ||
                    hr_seal(part, NULL) != 0;
    if (bad) {
        json_decref(part);
        return NULL;
    }
    return part;
}

/* The entry as it will be written: members nobody here knows stay. */
static json_t *new_entry(const json_t *old, const char *space, const char *stream,
                         const struct hr_stream_state *state) {
    json_t *entry = old ? hr_json_deep_copy(old)
                        : json_pack("{ss ss ss s{}}", "stream", stream, "namespace", space,
                                    "sync_mode", "", "state");
    json_t *cursor = state->cursor ? json_string(state->cursor) : NULL;
    json_t *own = state->headrace ? seal_part(space, stream, state->headrace) : NULL;
    int rc = entry && (!state->cursor || cursor) && (!state->headrace || own) ? 0 : -1;
    if (rc == 0) {
        rc = json_object_set_new(entry, "namespace", json_string(space));
    }
    if (rc == 0 && !json_is_object(json_object_get(entry, "state"))) {
        rc = json_object_set_new(entry, "state", json_object());
    }
    json_t *body = rc ? NULL : json_object_get(entry, "state");
    if (rc == 0) {
        rc = set_member(body, CURSOR_KEY, cursor);
    }
    if (rc == 0) {
        rc = set_member(body, "chunks", state->chunks);
    }
    if (rc == 0) {
        rc = set_member(body, HR_STATE_OWN_KEY, own);
    }
    json_decref(cursor);
    json_decref(own);
    if (rc) {
        json_decref(entry);
        return NULL;
    }
    return entry;
}

static char *compact_text(const json_t *json) {
    size_t len = json ? json_dumpb(json, NULL, 0, JSON_COMPACT) : 0;
    char *text = len ? hr_malloc(len + 1) : NULL;
    if (text && json_dumpb(json, text, len, JSON_COMPACT) != len) {
        hr_free(text);
        return NULL;
    }
    if (text) {
        text[len] = 0;
    }
    return text;
}

int hr_state_file_set(struct hr_state_doc *doc, const char *namespace_, const char *stream,
                      const struct hr_stream_state *state, struct hr_error *err) {
    long index = find_entry(doc, namespace_, stream);
    if (!state->present) {
        if (index >= 0) {
            release_entry(&doc->entries[index]);
            memmove(&doc->entries[index], &doc->entries[index + 1],
                    (doc->n_entries - (size_t)index - 1) * sizeof *doc->entries);
            doc->n_entries--;
        }
        return 0;
    }
    json_t *entry =
        new_entry(index < 0 ? NULL : doc->entries[index].json, namespace_, stream, state);
    char *raw = compact_text(entry);
    if (index < 0) {
        return add_entry(doc, raw, entry, err);
    }
    if (raw == NULL) {
        json_decref(entry);
        return nomem(err);
    }
    release_entry(&doc->entries[index]);
    doc->entries[index] = (struct state_entry){
        .raw = raw,
        .json = entry,
        .stream = json_string_value(json_object_get(entry, "stream")),
        .space = json_string_value(json_object_get(entry, "namespace")),
    };
    return 0;
}

int hr_state_file_write(const struct hr_state_doc *doc, struct hr_buf *out, struct hr_error *err) {
    int rc = 0;
    if (doc->n_members == 0) {
        rc = hr_buf_printf(out, err, "{\"type\":\"STREAM\",\"version\":%d,", HR_STATE_VERSION);
    } else {
        rc = hr_buf_append_byte(out, '{', err);
    }
    for (size_t i = 0; i < doc->n_members && rc == 0; i++) {
        rc = hr_buf_printf(out, err, "%s:", doc->members[i].key);
        if (rc == 0) {
            rc = hr_buf_append_str(out, doc->members[i].raw, err);
        }
        if (rc == 0) {
            rc = hr_buf_append_byte(out, ',', err);
        }
    }
    if (rc == 0) {
        rc = hr_buf_append_str(out, "\"streams\":[", err);
    }
    for (size_t i = 0; i < doc->n_entries && rc == 0; i++) {
        if (i) {
            rc = hr_buf_append_byte(out, ',', err);
        }
        if (rc == 0) {
            rc = hr_buf_append_str(out, doc->entries[i].raw, err);
        }
    }
    return rc ? rc : hr_buf_append_str(out, "]}", err);
}
