/* api/verify.c - is the destination what the runs wrote? (see upkeep.h)
 *
 * What was written is told by the archive: beside a stream's files, _headrace/LINEAGE/ holds one
 * commit-NNNNNN.json per commit, each naming the one before it, and the manifest names the last. So
 * the chain is walked back from the manifest to the first commit, or to the last overwrite; its
 * outputs are what must be there. One listing of the destination says what is: every object whose
 * name starts with one of our lineages. Then each is read once and its bytes are summed.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "api/upkeep.h"
#include "base/hash.h"
#include "base/mem.h"
#include "config/json_text.h"
#include "state/manifest.h"

struct object { /* one that is there */
    char *key;
    int64_t size;
    bool expected;
};

struct objects {
    struct object *items;
    size_t count, cap;
};

struct stream { /* of the state */
    char name[256];
    char lineage[33];
    uint64_t seq;
    bool wrote;
    char *folder;           /* of its manifest; NULL: none was found */
    struct objects files;   /* LINEAGE-… anywhere below the destination */
    struct objects records; /* …_headrace/LINEAGE/… */
};

struct verify {
    const struct hr_upkeep_conf *conf;
    struct hr_upkeep u;
    struct stream *streams;
    size_t n_streams;
    struct hr_journal open; /* a commit that is not settled: its objects are nobody's fault */
    void (*problem)(void *user, const char *text);
    void *user;
    struct hr_verify_report *out;
};

static int no_memory(struct hr_error *err) {
    return hr_fail(err, HR_E_NOMEM, "could not allocate the list of objects");
}

__attribute__((format(printf, 2, 3))) static void report(struct verify *v, const char *format,
                                                         ...) {
    char text[2400];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    v->out->problems++;
    if (v->problem != NULL) {
        v->problem(v->user, text);
    }
}

/* ---- what is there ---- */

static int add_stream(void *user, const char *namespace_, const char *name, struct hr_error *err) {
    struct verify *v = user;
    struct hr_stream_state entry = {0};
    if (v->conf->stream != NULL && strcmp(v->conf->stream, name) != 0) {
        return 0;
    }
    int rc = v->conf->dialect->state_get(v->u.doc, namespace_, name, &entry, err);
    const char *lineage = json_string_value(json_object_get(entry.headrace, "lineage"));
    if (rc == 0 && lineage != NULL && lineage[0] != '\0' && strlen(lineage) < 33) {
        struct stream *grown = hr_reallocarray(v->streams, v->n_streams + 1, sizeof(*grown));
        rc = grown ? 0 : no_memory(err);
        if (rc == 0) {
            v->streams = grown;
            struct stream *s = &grown[v->n_streams++];
            *s = (struct stream){
                .seq = (uint64_t)json_integer_value(json_object_get(entry.headrace, "seq")),
                .wrote = json_is_true(json_object_get(entry.headrace, "wrote"))};
            snprintf(s->name, sizeof(s->name), "%s", name);
            snprintf(s->lineage, sizeof(s->lineage), "%s", lineage);
        }
    }
    hr_stream_state_release(&entry);
    return rc;
}

static int add_object(struct objects *list, const struct hr_list_item *item, struct hr_error *err) {
    if (list->count == list->cap) {
        const size_t cap = list->cap ? list->cap * 2 : 64;
        struct object *grown = hr_reallocarray(list->items, cap, sizeof(*grown));
        if (grown == NULL) {
            return no_memory(err);
        }
        list->items = grown;
        list->cap = cap;
    }
    struct object *o = &list->items[list->count];
    *o = (struct object){hr_strndup(item->key, item->key_len), item->info.size, false};
    list->count += o->key != NULL;
    return o->key ? 0 : no_memory(err);
}

/* FOLDER/_headrace/LINEAGE/NAME: the length of FOLDER/ in *out. */
static bool is_record(const char *key, size_t len, const char *lineage, size_t *out) {
    static const char mark[] = "_headrace/";
    const size_t n = strlen(lineage);
    const char *slash = memrchr(key, '/', len);
    const size_t whole = sizeof(mark) - 1 + n;
    if (slash == NULL || (size_t)(slash - key) < whole) {
        return false;
    }
    const char *at = slash - whole;
    *out = (size_t)(at - key);
    return (at == key || at[-1] == '/') && memcmp(at, mark, sizeof(mark) - 1) == 0 &&
           memcmp(at + sizeof(mark) - 1, lineage, n) == 0;
}

static int sort_item(struct verify *v, const struct hr_list_item *item, struct hr_error *err) {
    const char *slash = memrchr(item->key, '/', item->key_len);
    const char *name = slash ? slash + 1 : item->key;
    for (size_t i = 0; i < v->n_streams; i++) {
        struct stream *s = &v->streams[i];
        const size_t n = strlen(s->lineage);
        size_t folder;
        if (strncmp(name, s->lineage, n) == 0 && name[n] == '-') {
            return add_object(&s->files, item, err);
        }
        if (is_record(item->key, item->key_len, s->lineage, &folder)) {
            if (s->folder == NULL) {
                s->folder = hr_strndup(item->key, folder);
                if (s->folder == NULL) {
                    return no_memory(err);
                }
            }
            return add_object(&s->records, item, err);
        }
    }
    return 0;
}

static int list_all(struct verify *v, struct hr_error *err) {
    struct hr_list_page page = {0};
    char *token = NULL;
    int rc = 0;
    do {
        const struct hr_list_query q = {.prefix = v->conf->settings->dest.place.prefix,
                                        .token = token};
        rc = v->u.dst->driver->list(v->u.dst, &q, &page, err);
        for (size_t i = 0; rc == 0 && i < page.count; i++) {
            rc = sort_item(v, &page.items[i], err);
        }
        hr_free(token);
        token = rc == 0 ? hr_strdup(page.next_token) : NULL;
    } while (token != NULL);
    hr_list_page_release(&page);
    return rc;
}

/* Listings come in byte order of keys. */
static struct object *find_object(const struct objects *list, const char *key) {
    size_t low = 0;
    size_t high = list->count;
    while (low < high) {
        const size_t mid = (low + high) / 2;
        const int c = strcmp(list->items[mid].key, key);
        if (c == 0) {
            return &list->items[mid];
        }
        if (c < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return NULL;
}

/* ---- one object ---- */

static int sum_bytes(struct hr_source *src, uint64_t *crc, int64_t *bytes, struct hr_error *err) {
    struct hr_slice piece;
    int rc;
    *crc = 0;
    *bytes = 0;
    while ((rc = hr_source_next(src, &piece, err)) == 0) {
        *crc = hr_crc64nvme(*crc, piece.ptr, piece.len);
        *bytes += (int64_t)piece.len;
    }
    return rc == HR_END ? 0 : rc;
}

/* Rows by the footer; -1: this format has none that tells. */
static int footer_rows(struct verify *v, const char *key, int64_t size, int64_t *out,
                       struct hr_error *err) {
    const struct hr_format *format = hr_format_by_key(key, strlen(key));
    struct hr_format_opts opts;
    struct hr_source *src = NULL;
    struct hr_layout layout = {0};
    *out = -1;
    if (format == NULL || format->layout == NULL || !(format->flags & HR_FMT_RANDOM)) {
        return 0;
    }
    int rc = hr_format_opts_init(&opts, err);
    if (rc != 0) {
        return rc;
    }
    rc = hr_object_source(v->u.dst, key, NULL, size, 0, &src, err);
    if (rc == 0) {
        rc = format->layout(src, &opts, &layout, err);
    }
    if (rc == 0) {
        *out = 0;
        for (int64_t i = 0; i < layout.n_groups; i++) {
            *out += layout.group_rows[i];
        }
    }
    hr_layout_release(&layout);
    hr_source_close(src);
    hr_format_opts_release(&opts);
    return rc;
}

static bool is_fault_of_bytes(int rc) {
    return hr_code_class(rc) == HR_CLASS_DATA;
}

static int check_rows(struct verify *v, const char *key, int64_t size, int64_t want,
                      struct hr_error *err) {
    int64_t rows;
    const int rc = footer_rows(v, key, size, &rows, err);
    if (rc != 0 && is_fault_of_bytes(rc)) {
        report(v, "changed: '%s' cannot be read: %s", key, err->message);
        hr_error_clear(err);
        return 0;
    }
    if (rc == 0 && rows >= 0 && rows != want) {
        report(v, "changed: '%s' holds %lld rows, %lld were written", key, (long long)rows,
               (long long)want);
    }
    return rc;
}

/* Bad records put aside are not rows of the table. */
static bool is_quarantined(const char *key) {
    static const char folder[] = "_quarantine/";
    const char *at = strstr(key, folder);
    return at != NULL && (at == key || at[-1] == '/');
}

static int check_bytes(struct verify *v, const char *key, const json_t *facts, int64_t size,
                       struct hr_error *err) {
    struct hr_source *src = NULL;
    uint64_t crc = 0;
    uint64_t want;
    int64_t bytes = 0;
    int rc = hr_object_source(v->u.dst, key, NULL, size, 0, &src, err);
    if (rc == 0) {
        rc = sum_bytes(src, &crc, &bytes, err);
    }
    hr_source_close(src);
    if (rc == HR_E_NO_OBJECT) {
        hr_error_clear(err);
        report(v, "missing: '%s' went away while it was read", key);
        return 0;
    }
    if (rc != 0) {
        return rc;
    }
    v->out->bytes += bytes;
    if (!is_quarantined(key)) {
        v->out->rows += json_integer_value(json_object_get(facts, "rows"));
    }
    if (!hr_crc64_parse(json_string_value(json_object_get(facts, "crc64")), &want) || crc != want) {
        char have[17];
        hr_crc64_text(crc, have);
        report(v, "changed: '%s' has checksum %s, written was %s", key, have,
               json_string_value(json_object_get(facts, "crc64")));
        return 0;
    }
    return check_rows(v, key, size, json_integer_value(json_object_get(facts, "rows")), err);
}

static int check_object(struct verify *v, const struct stream *s, const json_t *facts,
                        struct hr_error *err) {
    char *key = hr_json_bytes_copy(json_object_get(facts, "key"));
    const int64_t bytes = json_integer_value(json_object_get(facts, "bytes"));
    int rc = key ? 0 : no_memory(err);
    struct object *o = key ? find_object(&s->files, key) : NULL;
    if (rc == 0 && o == NULL) {
        report(v, "missing: '%s' (%lld bytes, %lld rows)", key, (long long)bytes,
               (long long)json_integer_value(json_object_get(facts, "rows")));
    } else if (rc == 0) {
        o->expected = true;
        v->out->objects++;
        if (o->size != bytes) {
            report(v, "changed: '%s' has %lld bytes, %lld were written", key, (long long)o->size,
                   (long long)bytes);
        } else {
            rc = check_bytes(v, key, facts, bytes, err);
        }
    }
    hr_free(key);
    return rc;
}

/* ---- the archive ---- */

/* One record of FOLDER/_headrace/LINEAGE/; *out NULL: it is not there, or damaged and reported. */
static int read_record(struct verify *v, struct stream *s, const char *name, json_t **out,
                       struct hr_error *err) {
    struct hr_buf key;
    hr_buf_init(&key, 8192);
    *out = NULL;
    int rc = hr_buf_printf(&key, err, "%s_headrace/%s/%s", s->folder, s->lineage, name);
    struct object *o = rc == 0 ? find_object(&s->records, hr_buf_cstr(&key)) : NULL;
    if (rc == 0 && o == NULL) {
        report(v, "missing: '%s'", hr_buf_cstr(&key));
    } else if (rc == 0) {
        o->expected = true;
        rc = hr_manifest_read(v->u.dst, hr_buf_cstr(&key), out, err);
        const char *lineage = json_string_value(json_object_get(*out, "lineage"));
        if (rc == HR_E_STATE) {
            report(v, "damaged: %s", err->message);
            hr_error_clear(err);
            rc = 0;
        } else if (rc == 0 && strcmp(lineage, s->lineage) != 0) {
            report(v, "damaged: '%s' belongs to lineage %s", hr_buf_cstr(&key), lineage);
            json_decref(*out);
            *out = NULL;
        }
    }
    hr_buf_release(&key);
    return rc;
}

static json_t *facts_of(const json_t *outputs, const json_t *key) {
    for (size_t i = 0; i < json_array_size(outputs); i++) {
        json_t *facts = json_array_get(outputs, i);
        if (json_equal(json_object_get(facts, "key"), key)) {
            return facts;
        }
    }
    return NULL;
}

/* Both lists are in the order they were written: the manifest is its commits strung together. Only
 * when it is not are the two searched for what differs. */
static void compare_lists(struct verify *v, const struct stream *s, const json_t *manifest,
                          const json_t *written) {
    const json_t *listed = json_object_get(manifest, "outputs");
    if (json_equal(listed, written)) {
        return;
    }
    for (size_t i = 0; i < json_array_size(written); i++) {
        const json_t *facts = json_array_get(written, i);
        const json_t *key = json_object_get(facts, "key");
        const json_t *other = facts_of(listed, key);
        if (other == NULL || !json_equal(other, facts)) {
            report(v, "damaged: the manifest of stream '%s' and its commits differ on '%s'",
                   s->name,
                   json_is_string(key) ? json_string_value(key) : "a key that is not text");
        }
    }
    if (json_array_size(listed) != json_array_size(written)) {
        report(v, "damaged: the manifest of stream '%s' names %zu objects, its commits %zu",
               s->name, json_array_size(listed), json_array_size(written));
    }
}

/* One link of the chain: its outputs, last first, onto `back`; *seq becomes the link before, 0
 * none. False: it is missing or not what it says. */
static int walk_one(struct verify *v, struct stream *s, json_t *back, json_int_t *seq, bool *ok,
                    struct hr_error *err) {
    char name[48];
    json_t *record;
    snprintf(name, sizeof(name), "commit-%06llu.json", (unsigned long long)*seq);
    int rc = read_record(v, s, name, &record, err);
    *ok = rc == 0 && record != NULL;
    if (!*ok) {
        return rc;
    }
    const json_int_t before = json_integer_value(json_object_get(record, "before"));
    const json_t *outputs = json_object_get(record, "outputs");
    v->out->commits++;
    for (size_t i = json_array_size(outputs); rc == 0 && i-- > 0;) {
        rc = json_array_append(back, json_array_get(outputs, i)) == 0 ? 0 : no_memory(err);
    }
    if (json_integer_value(json_object_get(record, "seq")) != *seq || before >= *seq) {
        report(v, "damaged: '%s' of stream '%s' is another commit's", name, s->name);
        *ok = false;
    }
    *seq = json_is_true(json_object_get(record, "overwrite")) ? 0 : before;
    json_decref(record);
    return rc;
}

/* Walk back from the manifest; *written: outputs in the order of commits. Not *whole: a link is
 * missing, then the manifest alone says what was written. */
static int walk_chain(struct verify *v, struct stream *s, const json_t *manifest, json_t *written,
                      bool *whole, struct hr_error *err) {
    json_int_t seq = json_integer_value(json_object_get(manifest, "seq"));
    json_t *back = json_array();
    int rc = back ? 0 : no_memory(err);
    *whole = true;
    while (rc == 0 && *whole && seq > 0) {
        rc = walk_one(v, s, back, &seq, whole, err);
    }
    for (size_t i = json_array_size(back); rc == 0 && i-- > 0;) {
        rc = json_array_append(written, json_array_get(back, i)) == 0 ? 0 : no_memory(err);
    }
    json_decref(back);
    return rc;
}

/* Commits behind the manifest's last one: the manifest was put back to an older one. */
static void late_records(struct verify *v, const struct stream *s, json_int_t last) {
    for (size_t i = 0; i < s->records.count; i++) {
        const char *name = strrchr(s->records.items[i].key, '/') + 1;
        unsigned long long seq;
        char tail;
        if (sscanf(name, "commit-%llu.jso%c", &seq, &tail) == 2 && tail == 'n' &&
            seq > (unsigned long long)last && seq != v->open.seq) {
            report(v, "extra: '%s' is of a commit the manifest does not know",
                   s->records.items[i].key);
        }
    }
}

static bool is_open(const struct verify *v, const char *key) {
    for (size_t i = 0; i < v->open.n_outputs; i++) {
        if (strcmp(v->open.outputs[i].key, key) == 0) {
            return true;
        }
    }
    return false;
}

static int check_stream(struct verify *v, struct stream *s, struct hr_error *err) {
    json_t *manifest = NULL;
    json_t *written = json_array();
    bool whole = false;
    int rc = written ? 0 : no_memory(err);
    v->out->streams++;
    if (rc == 0 && s->folder == NULL && s->wrote) {
        report(v, "missing: stream '%s' has no manifest at the destination (lineage %s)", s->name,
               s->lineage);
    } else if (rc == 0 && s->folder != NULL) {
        rc = read_record(v, s, "manifest.json", &manifest, err);
    }
    if (rc == 0 && manifest != NULL) {
        const json_int_t last = json_integer_value(json_object_get(manifest, "seq"));
        if ((uint64_t)last > s->seq && v->open.seq != (uint64_t)last) {
            report(v,
                   "state: stream '%s' is at commit %llu, its files at %lld: the state is older "
                   "than the destination, the next sync would write rows again",
                   s->name, (unsigned long long)s->seq, (long long)last);
        }
        rc = walk_chain(v, s, manifest, written, &whole, err);
        late_records(v, s, last);
    }
    if (rc == 0 && whole) {
        compare_lists(v, s, manifest, written);
    }
    const json_t *expected = whole ? written : json_object_get(manifest, "outputs");
    for (size_t i = 0; rc == 0 && i < json_array_size(expected); i++) {
        rc = check_object(v, s, json_array_get(expected, i), err);
    }
    for (size_t i = 0; rc == 0 && i < s->files.count; i++) {
        const struct object *o = &s->files.items[i];
        if (!o->expected && !is_open(v, o->key)) {
            report(v, "extra: '%s' (%lld bytes) carries our lineage, but no commit wrote it",
                   o->key, (long long)o->size);
        }
    }
    json_decref(manifest);
    json_decref(written);
    return rc;
}

static void free_objects(struct objects *list) {
    for (size_t i = 0; i < list->count; i++) {
        hr_free(list->items[i].key);
    }
    hr_free(list->items);
}

static void release(struct verify *v) {
    for (size_t i = 0; i < v->n_streams; i++) {
        free_objects(&v->streams[i].files);
        free_objects(&v->streams[i].records);
        hr_free(v->streams[i].folder);
    }
    hr_free(v->streams);
    hr_journal_release(&v->open);
    hr_upkeep_close(v->conf, &v->u);
}

int hr_verify(const struct hr_upkeep_conf *conf, void (*problem)(void *user, const char *text),
              void *user, struct hr_verify_report *out, struct hr_error *err) {
    struct verify v = {.conf = conf, .problem = problem, .user = user, .out = out};
    enum hr_fit fit;
    *out = (struct hr_verify_report){0};
    int rc = hr_upkeep_open(conf, HR_UPKEEP_CLAIM, &v.u, err);
    if (rc == 0) {
        rc = hr_state_journal(v.u.state, &v.open, &fit, err);
    }
    if (rc == 0 && fit != HR_FIT_NONE) {
        report(&v, "unfinished: commit %llu of lineage %s; run sync or gc first",
               (unsigned long long)v.open.seq, v.open.lineage);
    }
    if (rc == 0) {
        rc = conf->dialect->state_each(v.u.doc, add_stream, &v, err);
    }
    if (rc == 0 && v.n_streams == 0) {
        hr_fail(err, HR_E_NO_STREAM, "could not verify: the state \"%s\" knows no %s%s",
                conf->state_path, conf->stream ? "stream " : "stream that was synced",
                conf->stream ? conf->stream : "");
        hr_error_hint(err, "`headrace state show` lists the streams it knows");
        rc = HR_E_NO_STREAM;
    }
    if (rc == 0) {
        rc = list_all(&v, err);
    }
    for (size_t i = 0; rc == 0 && i < v.n_streams; i++) {
        rc = check_stream(&v, &v.streams[i], err);
    }
    release(&v);
    return rc;
}
