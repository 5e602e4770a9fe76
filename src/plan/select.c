/* plan/select.c - the selection steps of one key, in the order of the plan's counters: folder
 * markers, empty objects, hidden names, patterns, format and codec, date window.
 *
 * What a key says of its format is taken first: an extension of another known format is never read
 * as this one. Content is looked at later and only where the name leaves a question open.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "plan/select.h"

#include <pcre2.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

/* Work a pathological expression may do on one key. */
#define MATCH_LIMIT 1000000

struct hr_selector {
    const struct hr_settings *settings;
    const struct hr_format *format; /* NULL: auto */
    const struct hr_codec *codec;   /* named in the settings; NULL none */
    bool never_inflate;
    bool any_name; /* the glob of the URL turned out to be a folder's name */
    pcre2_code *regex;
    pcre2_match_data *match;
    pcre2_match_context *bounds;
    bool warned; /* of a key the expression could not be tried on */
};

const char *hr_skip_name(enum hr_skip why) {
    static const char *const names[HR_SKIP_COUNT] = {
        "chosen", "folder",    "empty",  "hidden", "pattern", "format",
        "date",   "partition", "stream", "state",  "limit",   "dev",
    };
    return names[why];
}

static int compile_regex(struct hr_selector *s, const char *text, struct hr_error *err) {
    int code = 0;
    PCRE2_SIZE offset = 0;
    s->regex = pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED,
                             PCRE2_UTF | PCRE2_MATCH_INVALID_UTF, &code, &offset, NULL);
    if (s->regex == NULL) {
        char why[120] = "";
        char shown[120];
        pcre2_get_error_message(code, (PCRE2_UCHAR *)why, sizeof why);
        hr_printable(hr_slice_str(text), 80, shown, sizeof shown);
        return hr_fail(err, HR_E_CONFIG,
                       "key_regex (file_pattern) \"%s\" is no regular expression: %s at offset %zu",
                       shown, why, offset);
    }
    (void)pcre2_jit_compile(s->regex, PCRE2_JIT_COMPLETE); /* without it matching is only slower */
    s->match = pcre2_match_data_create_from_pattern(s->regex, NULL);
    s->bounds = pcre2_match_context_create(NULL);
    if (s->match == NULL || s->bounds == NULL) {
        return hr_fail(err, HR_E_NOMEM, "out of memory for the key regex");
    }
    (void)pcre2_set_match_limit(s->bounds, MATCH_LIMIT);
    return 0;
}

int hr_selector_new(const struct hr_settings *settings, struct hr_selector **out,
                    struct hr_error *err) {
    const struct hr_file_opts *files = &settings->files;
    struct hr_selector *s = hr_calloc(1, sizeof *s);
    *out = NULL;
    if (s == NULL) {
        return hr_fail(err, HR_E_NOMEM, "out of memory for the selection");
    }
    s->settings = settings;
    if (strcmp(files->file_format, "auto") != 0) {
        s->format = hr_format_by_name(files->file_format, strlen(files->file_format));
    }
    if (files->compression && *files->compression) {
        s->never_inflate = strcmp(files->compression, "none") == 0;
        s->codec = hr_codec_by_name(files->compression, strlen(files->compression));
    }
    int rc = files->key_regex && *files->key_regex ? compile_regex(s, files->key_regex, err) : 0;
    if (rc) {
        hr_selector_free(s);
        return rc;
    }
    *out = s;
    return 0;
}

void hr_selector_free(struct hr_selector *s) {
    if (s) {
        pcre2_match_data_free(s->match);
        pcre2_match_context_free(s->bounds);
        pcre2_code_free(s->regex);
        hr_free(s);
    }
}

void hr_selector_any_name(struct hr_selector *s) {
    s->any_name = true;
}

/* ---- steps ----------------------------------------------------------------------------------- */

static const char *relative(const struct hr_selector *s, const struct hr_list_item *item) {
    size_t len = strlen(s->settings->place.prefix);
    return item->key_len >= len ? item->key + len : item->key;
}

/* Our own folders; and, where names alone do not say what is data, files that readers pass over. */
static bool is_hidden(const struct hr_selector *s, const char *rel) {
    static const char *const own[] = {"_headrace/", "_quarantine/"};
    const char *segment = rel;
    for (const char *slash = strchr(rel, '/'); slash; slash = strchr(segment, '/')) {
        for (size_t i = 0; i < HR_COUNTOF(own); i++) {
            if (strncmp(segment, own[i], strlen(own[i])) == 0) {
                return true;
            }
        }
        segment = slash + 1;
    }
    return !s->settings->files.strict_extensions && (*segment == '_' || *segment == '.');
}

static bool globs_take(const struct hr_strlist *globs, const char *rel) {
    size_t len = strlen(rel);
    bool taken = true;
    bool any = false;
    for (size_t i = 0; i < globs->count; i++) {
        const char *glob = globs->items[i];
        if (*glob == '!') {
            if (hr_glob_match(glob + 1, rel, len)) {
                return false;
            }
        } else {
            taken = any ? taken : false;
            any = true;
            taken = taken || hr_glob_match(glob, rel, len);
        }
    }
    return taken;
}

static bool pattern_takes(struct hr_selector *s, const struct hr_list_item *item, const char *rel) {
    const struct hr_file_opts *files = &s->settings->files;
    if (files->glob && !s->any_name && !hr_glob_match(files->glob, rel, strlen(rel))) {
        return false;
    }
    if (!globs_take(&files->file_pattern, rel)) {
        return false;
    }
    if (s->regex == NULL) {
        return true;
    }
    const int rc =
        pcre2_match(s->regex, (PCRE2_SPTR)item->key, item->key_len, 0, 0, s->match, s->bounds);
    if (rc < PCRE2_ERROR_NOMATCH && !s->warned) {
        char why[120] = "";
        char shown[120];
        pcre2_get_error_message(rc, (PCRE2_UCHAR *)why, sizeof why);
        hr_printable(hr_slice_of(item->key, item->key_len), 80, shown, sizeof shown);
        hr_log(HR_LOG_WARN, "could not try key_regex on '%s', which is not read: %s", shown, why);
        s->warned = true;
    }
    return rc >= 0;
}

/* json and jsonl are one family: framing is found from content. */
static bool same_family(const struct hr_format *a, const struct hr_format *b) {
    bool a_json = a == &hr_format_json || a == &hr_format_jsonl;
    bool b_json = b == &hr_format_json || b == &hr_format_jsonl;
    return a == b || (a_json && b_json);
}

/* The format the object is read as; false: it is another kind of file. */
static bool choose_format(const struct hr_selector *s, const struct hr_list_item *item,
                          bool by_name, struct hr_object *out) {
    const struct hr_format *by_key = hr_format_by_key(item->key, item->key_len);
    if (by_name && s->format) {
        bool said = hr_settings_given(s->settings, "file_format");
        out->format = said || by_key == NULL ? s->format : by_key;
        return out->format->missing == NULL;
    }
    if (s->format == NULL) {
        out->format = by_key;
        return by_key == NULL || by_key->missing == NULL;
    }
    out->format = s->format;
    if (by_key == NULL || (by_key == &hr_format_text && s->format != &hr_format_text)) {
        return !s->settings->files.strict_extensions;
    }
    return same_family(by_key, s->format);
}

/* Do the first bytes always tell whether something is a stream of the codec? */
static bool tells_itself(const struct hr_codec *codec) {
    return (codec->flags & (HR_CODEC_NO_MAGIC | HR_CODEC_FORMS)) == 0;
}

/* How the object is inflated; false: it cannot be, or must not. */
static bool choose_codec(const struct hr_selector *s, const struct hr_list_item *item, bool by_name,
                         struct hr_object *out) {
    size_t cut = 0;
    bool inside = out->format && (out->format->flags & HR_FMT_CODEC_INSIDE);
    const struct hr_codec *told = s->codec;
    out->codec = hr_codec_by_key(item->key, item->key_len, &cut);
    if (out->codec && by_name && (s->never_inflate || inside)) {
        out->codec = NULL; /* the end of this one name is known to say nothing */
    } else if (out->codec && told == out->codec && tells_itself(told)) {
        out->codec = NULL; /* told so for all files: a plain one among them is read as plain */
    } else if (!out->codec && told && !tells_itself(told) && !inside) {
        out->codec = told; /* nothing else says so */
        return true;
    } else if (out->codec) {
        return out->codec->missing == NULL && !s->never_inflate && !inside;
    }
    out->codec_auto = !s->never_inflate && !inside;
    return true;
}

enum hr_skip hr_selector_judge(struct hr_selector *s, const struct hr_list_item *item, bool by_name,
                               struct hr_object *out) {
    const struct hr_file_opts *files = &s->settings->files;
    const char *rel = relative(s, item);
    *out = (struct hr_object){.key = item->key, .key_len = item->key_len, .info = item->info};
    if (item->is_prefix || (item->key_len && item->key[item->key_len - 1] == '/')) {
        return HR_SKIP_FOLDER;
    }
    if (item->info.size == 0) {
        return HR_SKIP_EMPTY;
    }
    if (!by_name && is_hidden(s, rel)) {
        return HR_SKIP_HIDDEN;
    }
    if (!by_name && !pattern_takes(s, item, rel)) {
        return HR_SKIP_PATTERN;
    }
    if (!choose_format(s, item, by_name, out) || !choose_codec(s, item, by_name, out)) {
        return HR_SKIP_FORMAT;
    }
    if (item->info.mtime_us < files->start_us || item->info.mtime_us >= files->end_us) {
        return HR_SKIP_DATE;
    }
    return HR_SKIP_NONE;
}

char *hr_select_list_prefix(const struct hr_settings *settings) {
    const struct hr_strlist *globs = &settings->files.file_pattern;
    const char *only = NULL;
    size_t positive = 0;
    for (size_t i = 0; i < globs->count; i++) {
        if (globs->items[i][0] != '!') {
            only = globs->items[i];
            positive++;
        }
    }
    if (settings->files.glob) {
        only = settings->files.glob;
        positive = 1;
    }
    size_t literal = positive == 1 ? hr_glob_literal_prefix(only) : 0;
    size_t len = strlen(settings->place.prefix);
    char *prefix = hr_malloc(len + literal + 1);
    if (prefix) {
        memcpy(prefix, settings->place.prefix, len);
        memcpy(prefix + len, only ? only : "", literal);
        prefix[len + literal] = 0;
    }
    return prefix;
}
