/* api/reselect.c - earlier selections of a stream, asked one by one (see reselect.h).
 *
 *   {"selection": {…}, "since": us | null, "from": us, "told": true}
 *
 * Under a selection everything newer than `since` may have been read; null: everything. A selection
 * that replaces another one begins at the edge of the band. While a backfill is under way `from` is
 * where it began and `since` is null already: were it given up for another selection, what was read
 * is not read again.
 */
#include "api/reselect.h"

#include <string.h>

#include "base/mem.h"
#include "config/json_text.h"
#include "plan/select.h"

#define KEPT_MAX 32 /* with more nobody is asked: everything counts as read */

struct former {
    json_t *selection;
    int64_t since;
    char *prefix, *key;
    struct hr_settings *settings; /* ours but for what the selection says; borrows its strings */
    struct hr_strlist patterns;
    struct hr_selector *selector;
};

struct hr_reselect {
    struct former *formers; /* all but the present one */
    size_t n_formers;
    json_t *selection;   /* the present one */
    int64_t since, from; /* from INT64_MIN: no backfill is under way */
    bool told, changed, blind;
    uint64_t count;
};

static int no_memory(struct hr_error *err) {
    return hr_fail(err, HR_E_NOMEM, "could not allocate the selections");
}

static int damaged(const char *name, struct hr_error *err) {
    hr_fail(err, HR_E_STATE, "could not use the state in '%s': its list of selections is damaged",
            name);
    hr_error_object(err, name);
    hr_error_hint(err, "restore the file from a copy, or `headrace state reset` to read every "
                       "object again");
    return HR_E_STATE;
}

static json_t *time_json(int64_t us) {
    return us == INT64_MIN || us == INT64_MAX ? json_null() : json_integer(us);
}

static json_t *text_json(const char *text) {
    return text != NULL && *text != '\0' ? hr_json_bytes(text) : json_null();
}

static json_t *patterns_json(const struct hr_strlist *list) {
    json_t *out = json_array();
    for (size_t i = 0; out != NULL && i < list->count; i++) {
        if (json_array_append_new(out, hr_json_bytes(list->items[i])) != 0) {
            json_decref(out);
            out = NULL;
        }
    }
    return out;
}

static json_t *selection_json(const struct hr_settings *s, const char *place) {
    const struct hr_file_opts *f = &s->files;
    return json_pack("{s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:b,s:o,s:o}", "place", text_json(place),
                     "prefix", text_json(s->place.prefix), "key", text_json(s->place.key),
                     "patterns", patterns_json(&f->file_pattern), "glob", text_json(f->glob),
                     "regex", text_json(f->key_regex), "format", text_json(f->file_format),
                     "compression", text_json(f->compression), "strict", (int)f->strict_extensions,
                     "start", time_json(f->start_us), "end", time_json(f->end_us));
}

/* ---- reading ---- */

static bool get_time(const json_t *json, const char *name, int64_t absent, int64_t *out) {
    const json_t *value = json_object_get(json, name);
    *out = json_is_integer(value) ? json_integer_value(value) : absent;
    return value == NULL || json_is_null(value) || json_is_integer(value);
}

/* NULL with *bad: it is there and no text. */
static char *get_text(const json_t *json, const char *name, bool *bad) {
    const json_t *value = json_object_get(json, name);
    if (value == NULL || json_is_null(value)) {
        return NULL;
    }
    char *text = hr_json_bytes_copy(value);
    *bad = *bad || text == NULL;
    return text;
}

static void release_former(struct former *f) {
    json_decref(f->selection);
    hr_free(f->prefix);
    hr_free(f->key);
    hr_selector_free(f->selector);
    if (f->settings != NULL) {
        hr_free(f->settings->files.file_format);
        hr_free(f->settings->files.compression);
        hr_free(f->settings->files.key_regex);
        hr_free(f->settings);
    }
    hr_strlist_release(&f->patterns);
    *f = (struct former){0};
}

static int read_patterns(const json_t *list, struct hr_strlist *out) {
    for (size_t i = 0; i < json_array_size(list); i++) {
        char *text = hr_json_bytes_copy(json_array_get(list, i));
        const int rc = text ? hr_strlist_add(out, text) : HR_E_STATE;
        hr_free(text);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

/* A selector that judges as it did then. */
static int read_former(const struct hr_reselect_conf *conf, const json_t *selection, int64_t since,
                       struct former *out, struct hr_error *err) {
    bool bad = !json_is_object(selection) ||
               !json_is_array(json_object_get(selection, "patterns")) ||
               !json_is_boolean(json_object_get(selection, "strict"));
    out->selection = json_incref((json_t *)(uintptr_t)selection);
    out->since = since;
    out->settings = hr_malloc(sizeof(*out->settings));
    if (out->settings == NULL) {
        return no_memory(err);
    }
    *out->settings = *conf->settings;
    struct hr_file_opts *f = &out->settings->files;
    out->prefix = get_text(selection, "prefix", &bad);
    out->key = get_text(selection, "key", &bad);
    f->file_format = get_text(selection, "format", &bad);
    f->compression = get_text(selection, "compression", &bad);
    f->key_regex = get_text(selection, "regex", &bad);
    f->strict_extensions = json_is_true(json_object_get(selection, "strict"));
    bad = bad || f->file_format == NULL || !get_time(selection, "start", INT64_MIN, &f->start_us) ||
          !get_time(selection, "end", INT64_MAX, &f->end_us);
    if (!bad && out->prefix == NULL && (out->prefix = hr_strdup("")) == NULL) {
        return no_memory(err);
    }
    bad = bad || read_patterns(json_object_get(selection, "patterns"), &out->patterns) != 0;
    if (bad) {
        return damaged(conf->state_name, err);
    }
    f->file_pattern = out->patterns;
    out->settings->place.prefix = out->prefix;
    return hr_selector_new(out->settings, &out->selector, err);
}

/* One entry of the list: the present selection's, or a former one's. */
static int read_entry(const struct hr_reselect_conf *conf, const json_t *entry, bool last,
                      struct hr_reselect *r, struct hr_error *err) {
    const json_t *selection = json_object_get(entry, "selection");
    int64_t since;
    int64_t from;
    if (!get_time(entry, "since", INT64_MIN, &since) ||
        !get_time(entry, "from", INT64_MIN, &from)) {
        return damaged(conf->state_name, err);
    }
    if (json_equal(selection, r->selection)) {
        r->since = since;
        r->from = last ? from : INT64_MIN;
        r->told = json_is_true(json_object_get(entry, "told"));
        r->changed = !last;
        return 0;
    }
    return read_former(conf, selection, since, &r->formers[r->n_formers++], err);
}

static int read_kept(const struct hr_reselect_conf *conf, struct hr_reselect *r,
                     struct hr_error *err) {
    const size_t n = json_array_size(conf->kept);
    if (!json_is_array(conf->kept) || n == 0 || n > KEPT_MAX) {
        return damaged(conf->state_name, err);
    }
    r->changed = true;
    r->since = conf->edge_us;
    r->formers = hr_calloc(n, sizeof(*r->formers));
    int rc = r->formers ? 0 : no_memory(err);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        rc = read_entry(conf, json_array_get(conf->kept, i), i + 1 == n, r, err);
    }
    r->blind = r->n_formers + 1 >= KEPT_MAX;
    return rc;
}

int hr_reselect_new(const struct hr_reselect_conf *conf, struct hr_reselect **out,
                    struct hr_error *err) {
    struct hr_reselect *r = hr_calloc(1, sizeof(*r));
    *out = NULL;
    if (r == NULL) {
        return no_memory(err);
    }
    r->since = r->from = INT64_MIN;
    r->selection = selection_json(conf->settings, conf->place);
    int rc = r->selection ? 0 : no_memory(err);
    if (rc == 0 && conf->kept != NULL) {
        rc = read_kept(conf, r, err);
    }
    if (rc != 0) {
        hr_reselect_free(r);
        return rc;
    }
    if (conf->all_read) {
        r->since = r->from = INT64_MIN;
    }
    if (conf->backfill && r->since != INT64_MIN && !r->blind) {
        r->from = r->since;
        r->since = INT64_MIN;
    }
    *out = r;
    return 0;
}

bool hr_reselect_changed(const struct hr_reselect *r) {
    return r->changed;
}

bool hr_reselect_takes(const struct hr_reselect *r) {
    return r->from != INT64_MIN;
}

uint64_t hr_reselect_count(const struct hr_reselect *r) {
    return r->count;
}

/* ---- asking ---- */

static bool may_have_taken(const struct former *f, const struct hr_list_item *item) {
    struct hr_object object;
    if (f->since != INT64_MIN && item->info.mtime_us <= f->since) {
        return false;
    }
    const size_t n = strlen(f->prefix);
    if (item->key_len < n || memcmp(item->key, f->prefix, n) != 0) {
        return false;
    }
    if (f->key != NULL) { /* one object, named by the user */
        const size_t k = strlen(f->key);
        return item->key_len >= k && memcmp(item->key + item->key_len - k, f->key, k) == 0;
    }
    switch (hr_selector_judge(f->selector, item, false, &object)) {
    case HR_SKIP_PATTERN:
    case HR_SKIP_FORMAT:
    case HR_SKIP_DATE: return false;
    default: return true;
    }
}

bool hr_reselect_unread(void *user, const char *key, size_t key_len,
                        const struct hr_object_info *info) {
    struct hr_reselect *r = user;
    const int64_t since = r->from != INT64_MIN ? r->from : r->since;
    if (r->blind || since == INT64_MIN || info->mtime_us > since) {
        return false;
    }
    const struct hr_list_item item = {.key = key, .key_len = key_len, .info = *info};
    for (size_t i = 0; i < r->n_formers; i++) {
        if (may_have_taken(&r->formers[i], &item)) {
            return false;
        }
    }
    r->count++;
    return true;
}

bool hr_reselect_finish(struct hr_reselect *r) {
    const bool tell = r->count > 0 && r->from == INT64_MIN && !r->told;
    r->from = INT64_MIN;
    r->told = r->told || tell;
    return tell;
}

/* ---- writing ---- */

static int add_entry(json_t *list, json_t *selection, int64_t since, int64_t from, bool told) {
    json_t *entry = json_pack("{s:O,s:o,s:b}", "selection", selection, "since", time_json(since),
                              "told", (int)told);
    int bad = entry == NULL;
    if (!bad && from != INT64_MIN) {
        bad = json_object_set_new(entry, "from", json_integer(from)) != 0;
    }
    if (bad) {
        json_decref(entry);
        return HR_E_NOMEM;
    }
    return json_array_append_new(list, entry);
}

json_t *hr_reselect_to_json(const struct hr_reselect *r) {
    json_t *list = json_array();
    int bad = list == NULL;
    /* The oldest goes where there are too many: nothing is taken from then on. */
    const size_t first = r->n_formers + 1 > KEPT_MAX ? r->n_formers + 1 - KEPT_MAX : 0;
    for (size_t i = first; !bad && i < r->n_formers; i++) {
        bad = add_entry(list, r->formers[i].selection, r->formers[i].since, INT64_MIN, true) != 0;
    }
    bad = bad || add_entry(list, r->selection, r->since, r->from, r->told) != 0;
    if (bad) {
        json_decref(list);
        return NULL;
    }
    return list;
}

void hr_reselect_free(struct hr_reselect *r) {
    if (r == NULL) {
        return;
    }
    for (size_t i = 0; i < r->n_formers; i++) {
        release_former(&r->formers[i]);
    }
    hr_free(r->formers);
    json_decref(r->selection);
    hr_free(r);
}
