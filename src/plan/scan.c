/* plan/scan.c - the chosen objects of a run, stream by stream.
 *
 * Pulls keys from listers (one over the whole prefix, or one for each selected stream when only
 * some are), judges each (select.c), finds its stream and counts why the others were left out. Keys
 * come in byte order, where a file "a" stands before "a-b/x" but the folder "a/" after it; so that
 * a stream never comes twice, a file directly below the prefix is held back until its name followed
 * by '/' has been reached.
 */
#include <string.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "plan/select.h"
#include "plan/stream_names.h"

#define HELD_MAX 2048 /* names that are each a beginning of the next: at most a key's length */

/* An object copied out of a page. */
struct held {
    char *key;
    size_t key_len;
    struct hr_object_info info;
};

/* One thing to list: a prefix, or one object by its key. */
struct target {
    char *text;
    bool object;
    bool quiet;   /* an object that need not be there */
    bool by_name; /* the user named this object */
};

struct hr_scan {
    struct hr_scan_conf conf;
    struct hr_selector *selector;
    struct hr_stream_names names;
    struct target *targets;
    size_t n_targets, target;
    struct hr_lister *lister;
    struct hr_lister_stats done_stats; /* of closed listers */
    int width;

    struct held *held; /* a stack: later ones come out first */
    size_t n_held;
    struct held given;           /* what the last object pointed into */
    struct hr_list_item pending; /* waits until held objects below it are out */
    bool have_pending;
    bool draining; /* the target's keys are all seen */
    uint64_t seen; /* listed keys of the target */
    bool tried_maybe;

    struct hr_selection total;
    struct hr_selection *streams;
    size_t n_streams;
    struct hr_object object;
    int64_t chosen;
};

/* ---- what to list ---------------------------------------------------------------------------- */

static int nomem(struct hr_error *err) {
    return hr_fail(err, HR_E_NOMEM, "out of memory while listing");
}

/* Takes over text (NULL: no memory). */
static int add_target(struct hr_scan *scan, char *text, bool object, bool quiet, bool by_name,
                      struct hr_error *err) {
    struct target *grown =
        text ? hr_reallocarray(scan->targets, scan->n_targets + 1, sizeof *grown) : NULL;
    if (grown == NULL) {
        hr_free(text);
        return nomem(err);
    }
    scan->targets = grown;
    grown[scan->n_targets++] = (struct target){text, object, quiet, by_name};
    return 0;
}

static char *concat(const char *a, const char *b, const char *c) {
    size_t a_len = strlen(a);
    size_t b_len = strlen(b);
    size_t c_len = strlen(c);
    char *out = hr_malloc(a_len + b_len + c_len + 1);
    if (out) {
        memcpy(out, a, a_len);
        memcpy(out + a_len, b, b_len);
        memcpy(out + a_len + b_len, c, c_len + 1);
    }
    return out;
}

/* Streams that are folders can be listed alone; worth it when most are not wanted. */
static bool list_by_stream(const struct hr_scan *scan) {
    const struct hr_catalog *catalog = scan->conf.catalog;
    size_t selected = 0;
    if (catalog == NULL || scan->conf.settings->files.stream_by != HR_STREAM_BY_FOLDER) {
        return false;
    }
    for (size_t i = 0; i < catalog->count; i++) {
        selected += catalog->streams[i].selected;
    }
    return selected < catalog->count && selected <= 64;
}

/* Selected streams in the order a whole listing would give them: by name followed by '/'. */
static int stream_targets(struct hr_scan *scan, struct hr_error *err) {
    const struct hr_catalog *catalog = scan->conf.catalog;
    const char *prefix = scan->conf.settings->place.prefix;
    const char *last = "";
    for (;;) {
        char *next = NULL;
        const struct hr_stream *stream = NULL;
        for (size_t i = 0; i < catalog->count; i++) {
            char *name = concat(catalog->streams[i].name, "/", "");
            if (name == NULL) {
                hr_free(next);
                return nomem(err);
            }
            if (catalog->streams[i].selected && strcmp(name, last) > 0 &&
                (next == NULL || strcmp(name, next) < 0)) {
                hr_free(next);
                next = name;
                stream = &catalog->streams[i];
            } else {
                hr_free(name);
            }
        }
        if (stream == NULL) {
            return 0;
        }
        size_t len = strlen(stream->name);
        hr_free(next);
        int rc = 0;
        if (hr_format_by_key(stream->name, len) || !scan->conf.settings->files.strict_extensions) {
            rc = add_target(scan, concat(prefix, stream->name, ""), true, true, false, err);
        }
        if (rc == 0) {
            rc = add_target(scan, concat(prefix, stream->name, "/"), false, false, false, err);
        }
        if (rc) {
            return rc;
        }
        last = scan->targets[scan->n_targets - 1].text + strlen(prefix);
    }
}

int hr_scan_literal(struct hr_store *store, const struct hr_place *place, bool *out,
                    struct hr_error *err) {
    const char *key = place->literal;
    struct hr_list_page page = {0};
    *out = false;
    if (key == NULL || *key == 0) {
        return 0;
    }
    /* One request: to be told that an object is not there takes two (a HEAD cannot say why). */
    const struct hr_list_query q = {.prefix = key, .page_size = 1};
    int rc = store->driver->list(store, &q, &page, err);
    *out = rc == 0 && page.count > 0 &&
           (key[strlen(key) - 1] == '/' || strcmp(page.items[0].key, key) == 0);
    hr_list_page_release(&page);
    if (rc != HR_E_NOMEM && rc != HR_E_CANCELLED && rc != HR_E_NETWORK && rc != HR_E_TIMEOUT &&
        rc != HR_E_THROTTLED && rc != HR_E_STORE) {
        hr_error_clear(err); /* may not ask, no such bucket: the listing says it better */
        rc = 0;
    }
    return rc;
}

/* A name with glob characters that is there as it was typed, like those a shell found for a
 * pattern of its own, is that object or folder; *done then. */
static int literal_target(struct hr_scan *scan, bool *done, struct hr_error *err) {
    const struct hr_place *place = &scan->conf.settings->place;
    const char *key = place->literal;
    int rc = hr_scan_literal(scan->conf.store, place, done, err);
    if (rc || !*done) {
        return rc;
    }
    bool folder = key[strlen(key) - 1] == '/';
    if (folder) {
        hr_selector_any_name(scan->selector);
    }
    if (strpbrk(key, "*?")) {
        char shown[200];
        hr_printable(hr_slice_str(key), 160, shown, sizeof shown);
        hr_log(HR_LOG_WARN, "'%s' is the name of %s, which alone is read, not a pattern", shown,
               folder ? "a folder" : "an object");
    }
    return add_target(scan, hr_strdup(key), !folder, false, !folder, err);
}

static int make_targets(struct hr_scan *scan, struct hr_error *err) {
    const struct hr_place *place = &scan->conf.settings->place;
    bool done = false;
    int rc = literal_target(scan, &done, err);
    if (rc || done) {
        return rc;
    }
    if (place->object) {
        return add_target(scan, hr_strdup(place->object), true, false, true, err);
    }
    if (list_by_stream(scan)) {
        return stream_targets(scan, err);
    }
    return add_target(scan, hr_select_list_prefix(scan->conf.settings), false, false, false, err);
}

static void add_stats(struct hr_lister_stats *to, const struct hr_lister_stats *from) {
    to->requests += from->requests;
    to->pages += from->pages;
    to->keys += from->keys;
    to->split = to->split || from->split;
    to->serial = to->serial || from->serial;
}

static void close_lister(struct hr_scan *scan) {
    if (scan->lister) {
        struct hr_lister_stats stats;
        hr_lister_get_stats(scan->lister, &stats);
        add_stats(&scan->done_stats, &stats);
        hr_lister_close(scan->lister);
        scan->lister = NULL;
    }
}

/* ---- raw items ------------------------------------------------------------------------------- */

/* One object by its key, as if it had been listed. */
static int stat_target(struct hr_scan *scan, const struct target *target, struct hr_list_item *out,
                       struct hr_error *err) {
    struct hr_store *store = scan->conf.store;
    *out = (struct hr_list_item){.key = target->text, .key_len = strlen(target->text)};
    int rc = store->driver->stat(store, target->text, &out->info, NULL, err);
    if (rc == HR_E_NO_OBJECT && target->quiet) {
        hr_error_clear(err);
        return HR_END;
    }
    return rc;
}

/* The next item of all targets, in listing order; HR_END at the end of one target. */
static int next_item(struct hr_scan *scan, struct hr_list_item *out, struct hr_error *err) {
    const struct target *target = &scan->targets[scan->target];
    if (target->object) {
        return scan->seen++ ? HR_END : stat_target(scan, target, out, err);
    }
    if (scan->lister == NULL) {
        struct hr_lister_conf conf = {
            .store = scan->conf.store, .prefix = target->text, .width = scan->width};
        int rc = hr_lister_open(&conf, &scan->lister, err);
        if (rc) {
            return rc;
        }
    }
    const struct hr_list_item *item = NULL;
    int rc = hr_lister_next(scan->lister, &item, err);
    if (rc == 0) {
        *out = *item;
        scan->seen++;
    }
    return rc;
}

/* A URL that named neither a folder nor a file for sure: nothing in the folder, so try the object.
 */
static int try_maybe(struct hr_scan *scan, struct hr_error *err) {
    const char *maybe = scan->conf.settings->place.maybe;
    if (maybe == NULL || scan->tried_maybe || scan->done_stats.keys) {
        return HR_END;
    }
    scan->tried_maybe = true;
    /* Of a path the system says best what is wrong: not there, a pipe, no permission. */
    bool quiet = (scan->conf.store->caps & HR_CAP_LOCAL) == 0;
    return add_target(scan, hr_strdup(maybe), true, quiet, true, err);
}

/* On to the next target: 0, or HR_END after the last. */
static int next_target(struct hr_scan *scan, struct hr_error *err) {
    close_lister(scan);
    scan->seen = 0;
    scan->draining = false;
    scan->target++;
    if (scan->target < scan->n_targets) {
        return 0;
    }
    return try_maybe(scan, err);
}

/* ---- holding files back ---------------------------------------------------------------------- */

static const char *below_prefix(const struct hr_scan *scan, const char *key) {
    size_t len = strlen(scan->conf.settings->place.prefix);
    return strlen(key) >= len ? key + len : key;
}

static bool must_hold(const struct hr_scan *scan, const struct hr_list_item *item) {
    return scan->conf.settings->files.stream_by == HR_STREAM_BY_FOLDER &&
           !scan->targets[scan->target].object &&
           strchr(below_prefix(scan, item->key), '/') == NULL && scan->n_held < HELD_MAX;
}

static int hold(struct hr_scan *scan, const struct hr_list_item *item, struct hr_error *err) {
    struct held *grown = hr_reallocarray(scan->held, scan->n_held + 1, sizeof *grown);
    char *key = hr_strndup(item->key, item->key_len);
    if (grown) {
        scan->held = grown;
    }
    if (grown == NULL || key == NULL) {
        hr_free(key);
        return nomem(err);
    }
    grown[scan->n_held++] = (struct held){key, item->key_len, item->info};
    return 0;
}

/* Does the held name followed by '/' come before the item's key (or, for a file, its name and '/')?
 */
static bool held_is_due(const struct hr_scan *scan, const struct hr_list_item *item) {
    if (scan->n_held == 0 || scan->draining) {
        return scan->n_held > 0;
    }
    const struct held *top = &scan->held[scan->n_held - 1];
    int order = strncmp(top->key, item->key, top->key_len);
    unsigned char next = (unsigned char)(order ? 0 : item->key[top->key_len]);
    return order ? order < 0 : next >= '/';
}

/* Takes the top of the stack out; it lives until the next call. */
static void give_held(struct hr_scan *scan, struct hr_list_item *out) {
    hr_free(scan->given.key);
    scan->given = scan->held[--scan->n_held];
    *out = (struct hr_list_item){
        .key = scan->given.key, .key_len = scan->given.key_len, .info = scan->given.info};
}

/* The next item in stream order; HR_END when all targets are done. */
static int next_in_order(struct hr_scan *scan, struct hr_list_item *out, struct hr_error *err) {
    for (;;) {
        if ((scan->have_pending || scan->draining) && held_is_due(scan, &scan->pending)) {
            give_held(scan, out);
            return 0;
        }
        if (scan->have_pending) {
            scan->have_pending = false;
            if (!must_hold(scan, &scan->pending)) {
                *out = scan->pending;
                return 0;
            }
            int rc = hold(scan, &scan->pending, err);
            if (rc) {
                return rc;
            }
            continue;
        }
        if (scan->target >= scan->n_targets) {
            return HR_END;
        }
        int rc = scan->draining ? HR_END : next_item(scan, &scan->pending, err);
        scan->have_pending = rc == 0;
        if (rc == HR_END && !scan->draining) {
            scan->draining = true;
        } else if (rc == HR_END) {
            rc = next_target(scan, err);
            if (rc) {
                return rc;
            }
        } else if (rc) {
            return rc;
        }
    }
}

/* ---- choosing -------------------------------------------------------------------------------- */

static int count(struct hr_scan *scan, long stream, enum hr_skip why, int64_t size,
                 struct hr_error *err) {
    scan->total.objects[why]++;
    scan->total.bytes[why] += (uint64_t)size;
    if (stream < 0) {
        return 0;
    }
    if ((size_t)stream >= scan->n_streams) {
        size_t grown_count = (size_t)stream + 16;
        struct hr_selection *grown = hr_reallocarray(scan->streams, grown_count, sizeof *grown);
        if (grown == NULL) {
            return nomem(err);
        }
        memset(grown + scan->n_streams, 0, (grown_count - scan->n_streams) * sizeof *grown);
        scan->streams = grown;
        scan->n_streams = grown_count;
    }
    scan->streams[stream].objects[why]++;
    scan->streams[stream].bytes[why] += (uint64_t)size;
    return 0;
}

struct hr_slice hr_stream_of_key(int stream_by, const char *prefix, const char *key,
                                 size_t key_len) {
    size_t len = strlen(prefix);
    if (stream_by == HR_STREAM_BY_ALL || key_len < len) {
        return hr_slice_of(key, 0);
    }
    const char *rel = key + len;
    size_t rel_len = key_len - len;
    const char *slash = stream_by == HR_STREAM_BY_FOLDER ? memchr(rel, '/', rel_len) : NULL;
    return hr_slice_of(rel, slash ? (size_t)(slash - rel) : rel_len);
}

/* Index of the key's stream; -1: not wanted. Without a catalog every stream gets a number. */
static int stream_of(struct hr_scan *scan, const struct hr_list_item *item, long *out,
                     struct hr_error *err) {
    const struct hr_catalog *catalog = scan->conf.catalog;
    const struct hr_settings *settings = scan->conf.settings;
    struct hr_slice name = hr_stream_of_key(settings->files.stream_by, settings->place.prefix,
                                            item->key, item->key_len);
    if (catalog && settings->files.stream_by == HR_STREAM_BY_ALL) {
        *out = catalog->count ? 0 : -1;
    } else {
        int rc = hr_stream_names_find(&scan->names, name, catalog == NULL, out, err);
        if (rc) {
            return rc;
        }
    }
    if (catalog && *out >= 0 && !catalog->streams[*out].selected) {
        *out = -1;
    }
    return 0;
}

static bool in_sample(const struct hr_cost_opts *cost, const struct hr_list_item *item) {
    if (!(cost->dev_sampling > 0) || cost->dev_sampling >= 1) {
        return true;
    }
    uint64_t hash = hr_hash64(item->key, item->key_len, (uint64_t)cost->dev_seed);
    return (double)(hash >> 11) * 0x1p-53 < cost->dev_sampling;
}

/* The steps after format and date: stream, state, development limits. */
static enum hr_skip judge_rest(struct hr_scan *scan, const struct hr_list_item *item, long stream) {
    const struct hr_cost_opts *cost = &scan->conf.settings->cost;
    if (stream < 0) {
        return HR_SKIP_STREAM;
    }
    if (scan->conf.fresh && !scan->conf.fresh(scan->conf.fresh_user, stream, item)) {
        return HR_SKIP_STATE;
    }
    if (!in_sample(cost, item) || (cost->dev_max_files && scan->chosen >= cost->dev_max_files)) {
        return HR_SKIP_DEV;
    }
    return HR_SKIP_NONE;
}

int hr_scan_next(struct hr_scan *scan, const struct hr_object **out, struct hr_error *err) {
    for (;;) {
        struct hr_list_item item;
        long stream = -1;
        int rc = next_in_order(scan, &item, err);
        if (rc) {
            return rc;
        }
        bool by_name = scan->targets[scan->target].by_name;
        enum hr_skip why = hr_selector_judge(scan->selector, &item, by_name, &scan->object);
        if (why == HR_SKIP_NONE) {
            rc = stream_of(scan, &item, &stream, err);
        }
        if (why == HR_SKIP_NONE && rc == 0) {
            why = judge_rest(scan, &item, stream);
        }
        if (rc == 0) {
            rc = count(scan, stream, why, item.info.size, err);
        }
        if (rc) {
            return rc;
        }
        if (why == HR_SKIP_NONE) {
            scan->chosen++;
            scan->object.stream = stream;
            *out = &scan->object;
            return 0;
        }
    }
}

/* ---- life ------------------------------------------------------------------------------------ */

static int fill_names(struct hr_scan *scan, struct hr_error *err) {
    const struct hr_catalog *catalog = scan->conf.catalog;
    for (size_t i = 0; catalog && i < catalog->count; i++) {
        long index = -1;
        int rc = hr_stream_names_find(&scan->names, hr_slice_str(catalog->streams[i].name), true,
                                      &index, err);
        if (rc) {
            return rc;
        }
        if (index != (long)i) {
            return hr_fail(err, HR_E_STATE, "stream \"%.80s\" stands in the catalog twice",
                           catalog->streams[i].name);
        }
    }
    return 0;
}

int hr_scan_open(const struct hr_scan_conf *conf, struct hr_scan **out, struct hr_error *err) {
    struct hr_scan *scan = hr_calloc(1, sizeof *scan);
    *out = NULL;
    if (scan == NULL) {
        return nomem(err);
    }
    scan->conf = *conf;
    scan->width = conf->list_width                          ? conf->list_width
                  : (conf->store->caps & HR_CAP_LOCAL) != 0 ? 1
                                                            : 8;
    int rc = hr_selector_new(conf->settings, &scan->selector, err);
    if (rc == 0) {
        rc = fill_names(scan, err);
    }
    if (rc == 0) {
        rc = make_targets(scan, err);
    }
    if (rc) {
        hr_scan_close(scan);
        return rc;
    }
    *out = scan;
    return 0;
}

const char *hr_scan_stream_name(const struct hr_scan *scan, long stream) {
    return hr_stream_names_get(&scan->names, stream);
}

const struct hr_selection *hr_scan_selection(const struct hr_scan *scan) {
    return &scan->total;
}

const struct hr_selection *hr_scan_stream_selection(const struct hr_scan *scan, long stream) {
    return stream >= 0 && (size_t)stream < scan->n_streams ? &scan->streams[stream] : NULL;
}

void hr_scan_lister_stats(const struct hr_scan *scan, struct hr_lister_stats *out) {
    *out = scan->done_stats;
    if (scan->lister) {
        struct hr_lister_stats now;
        hr_lister_get_stats(scan->lister, &now);
        add_stats(out, &now);
    }
}

void hr_scan_leave(struct hr_scan *scan, long stream, int64_t size) {
    struct hr_selection *both[] = {&scan->total, &scan->streams[stream]};
    for (size_t i = 0; i < HR_COUNTOF(both); i++) {
        both[i]->objects[HR_SKIP_NONE]--;
        both[i]->bytes[HR_SKIP_NONE] -= (uint64_t)size;
        both[i]->objects[HR_SKIP_LIMIT]++;
        both[i]->bytes[HR_SKIP_LIMIT] += (uint64_t)size;
    }
}

void hr_scan_close(struct hr_scan *scan) {
    if (scan == NULL) {
        return;
    }
    close_lister(scan);
    hr_selector_free(scan->selector);
    hr_stream_names_release(&scan->names);
    for (size_t i = 0; i < scan->n_targets; i++) {
        hr_free(scan->targets[i].text);
    }
    for (size_t i = 0; i < scan->n_held; i++) {
        hr_free(scan->held[i].key);
    }
    hr_free(scan->targets);
    hr_free(scan->held);
    hr_free(scan->given.key);
    hr_free(scan->streams);
    hr_free(scan);
}
