/* config/option.c - the engine behind option rows: text or JSON in, a typed field out.
 *
 * Every dialect, `--set` and the defaults end here, so there is one place that decides what a
 * boolean, a number or a list may look like. A value is parsed into struct opt_value first and
 * stored only when it is whole and in range: a refused value leaves the old one.
 */
#include "config/option.h"

#include <math.h>
#include <strings.h>

#include "base/mem.h"
#include "base/num.h"

struct opt_value {
    bool b;
    int64_t i;
    double d;
    uint64_t u;
    char *s;
    int e;
    struct hr_strlist list;
};

static void value_release(struct opt_value *v) {
    hr_free(v->s);
    v->s = NULL;
    hr_strlist_release(&v->list);
}

int hr_strlist_add(struct hr_strlist *list, const char *text) {
    char **items = hr_reallocarray(list->items, list->count + 1, sizeof *items);
    if (items == NULL) {
        return HR_E_NOMEM;
    }
    list->items = items;
    char *copy = hr_strdup(text);
    if (copy == NULL) {
        return HR_E_NOMEM;
    }
    list->items[list->count++] = copy;
    return 0;
}

void hr_strlist_release(struct hr_strlist *list) {
    for (size_t i = 0; i < list->count; i++) {
        hr_free(list->items[i]);
    }
    hr_free(list->items);
    list->items = NULL;
    list->count = 0;
}

static int nomem(struct hr_error *err) {
    return hr_fail(err, HR_E_NOMEM, "out of memory while reading options");
}

/* "option "x" cannot be "y": why"; a secret's value is left out. */
static int refuse(const struct hr_option *row, const char *text, const char *why,
                  struct hr_error *err) {
    char shown[120];
    if (row->flags & HR_OPT_SECRET) {
        return hr_fail(err, HR_E_CONFIG, "option \"%s\" has a value of the wrong kind: %s",
                       row->name, why);
    }
    hr_printable(hr_slice_str(text), 80, shown, sizeof shown);
    return hr_fail(err, HR_E_CONFIG, "option \"%s\" cannot be \"%s\": %s", row->name, shown, why);
}

/* ---- one value from text --------------------------------------------------------------------- */

static bool is_auto(const struct hr_option *row, const char *text) {
    return row->def && strcmp(row->def, "auto") == 0 && strcasecmp(text, "auto") == 0;
}

static int parse_bool(const struct hr_option *row, const char *text, bool *out,
                      struct hr_error *err) {
    static const char *const yes[] = {"true", "yes", "on", "1"};
    static const char *const no[] = {"false", "no", "off", "0"};
    for (size_t i = 0; i < HR_COUNTOF(yes); i++) {
        if (strcasecmp(text, yes[i]) == 0) {
            *out = true;
            return 0;
        }
        if (strcasecmp(text, no[i]) == 0) {
            *out = false;
            return 0;
        }
    }
    return refuse(row, text, "true or false is needed", err);
}

/* "a|b|c": index of text, -1 none. */
static int word_index(const char *words, const char *text) {
    size_t len = strlen(text);
    int index = 0;
    for (const char *p = words; p && *p; index++) {
        size_t n = strcspn(p, "|");
        if (n == len && strncasecmp(p, text, n) == 0) {
            return index;
        }
        p += n + (p[n] == '|');
    }
    return -1;
}

static int check_range(const struct hr_option *row, const char *text, double value,
                       struct hr_error *err) {
    if (!(row->flags & HR_OPT_RANGE) || (value >= row->min && value <= row->max)) {
        return 0;
    }
    char why[128];
    if (row->max >= 9e15) {
        snprintf(why, sizeof why, "%.15g or more is needed", row->min);
    } else {
        snprintf(why, sizeof why, "a value from %.15g to %.15g is needed", row->min, row->max);
    }
    return refuse(row, text, why, err);
}

static int parse_number(const struct hr_option *row, const char *text, struct opt_value *out,
                        struct hr_error *err) {
    if (is_auto(row, text)) {
        return 0;
    }
    size_t len = strlen(text);
    if (row->type == HR_OPT_INT) {
        double whole = 0;
        if (!hr_parse_i64(text, len, &out->i)) {
            if (!hr_parse_double(text, len, false, &whole) || floor(whole) != whole ||
                fabs(whole) > 9e15) {
                return refuse(row, text, "a whole number is needed", err);
            }
            out->i = (int64_t)whole;
        }
        return check_range(row, text, (double)out->i, err);
    }
    if (row->type == HR_OPT_SIZE) {
        if (!hr_parse_size(text, &out->u)) {
            return refuse(row, text, "a size such as 1048576, 64K or 8M is needed", err);
        }
        return check_range(row, text, (double)out->u, err);
    }
    if (!hr_parse_double(text, len, false, &out->d) || !isfinite(out->d)) {
        return refuse(row, text, "a number is needed", err);
    }
    return check_range(row, text, out->d, err);
}

/* Length up to the next comma that is not inside {} or [], as globs have them. */
static size_t item_length(const char *text) {
    int depth = 0;
    size_t n = 0;
    for (; text[n] && (depth > 0 || text[n] != ','); n++) {
        depth += text[n] == '{' || text[n] == '[';
        depth -= (text[n] == '}' || text[n] == ']') && depth > 0;
    }
    return depth > 0 ? strcspn(text, ",") : n;
}

static int parse_comma_list(const char *text, struct hr_strlist *out, struct hr_error *err) {
    while (*text) {
        size_t n = item_length(text);
        size_t from = 0;
        size_t to = n;
        while (from < to && (text[from] == ' ' || text[from] == '\t')) {
            from++;
        }
        while (to > from && (text[to - 1] == ' ' || text[to - 1] == '\t')) {
            to--;
        }
        char *item = hr_strndup(text + from, to - from);
        int rc = item ? hr_strlist_add(out, item) : HR_E_NOMEM;
        hr_free(item);
        if (rc) {
            return nomem(err);
        }
        text += n + (text[n] == ',');
    }
    return 0;
}

static int parse_json_value(const struct hr_option *row, const json_t *json, struct opt_value *out,
                            struct hr_error *err);

static int parse_list(const struct hr_option *row, const char *text, struct opt_value *out,
                      struct hr_error *err) {
    if (text[strspn(text, " \t")] != '[') {
        return parse_comma_list(text, &out->list, err);
    }
    json_t *json = json_loads(text, 0, NULL);
    if (!json_is_array(json)) {
        json_decref(json);
        return parse_comma_list(text, &out->list, err); /* a glob such as [a-z]*.csv */
    }
    int rc = parse_json_value(row, json, out, err);
    json_decref(json);
    return rc;
}

static int parse_json_text(const struct hr_option *row, const char *text, struct opt_value *out,
                           struct hr_error *err) {
    json_t *json =
        json_loads(text, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    if (json == NULL) {
        return refuse(row, text, "a JSON value is needed", err);
    }
    int rc = parse_json_value(row, json, out, err);
    json_decref(json);
    return rc;
}

static int parse_text(const struct hr_option *row, const char *text, struct opt_value *out,
                      struct hr_error *err) {
    switch (row->type) {
    case HR_OPT_BOOL: return parse_bool(row, text, &out->b, err);
    case HR_OPT_INT:
    case HR_OPT_DOUBLE:
    case HR_OPT_SIZE: return parse_number(row, text, out, err);
    case HR_OPT_STRING: out->s = hr_strdup(text); return out->s ? 0 : nomem(err);
    case HR_OPT_ENUM:
        out->e = word_index(row->values, text);
        if (out->e < 0) {
            char why[320];
            snprintf(why, sizeof why, "one of %.300s is needed", row->values);
            return refuse(row, text, why, err);
        }
        return 0;
    case HR_OPT_LIST: return parse_list(row, text, out, err);
    case HR_OPT_JSON: return parse_json_text(row, text, out, err);
    }
    return hr_fail(err, HR_E_INTERNAL, "option \"%s\" has no type", row->name);
}

/* ---- one value from JSON --------------------------------------------------------------------- */

/* A scalar as the text a person would have written; NULL for arrays and objects (and lack of
 * memory). */
static char *scalar_text(const json_t *json) {
    char number[40];
    switch (json_typeof(json)) {
    case JSON_STRING: return hr_strndup(json_string_value(json), json_string_length(json));
    case JSON_TRUE: return hr_strdup("true");
    case JSON_FALSE: return hr_strdup("false");
    case JSON_INTEGER:
        number[hr_format_i64(json_integer_value(json), number)] = 0;
        return hr_strdup(number);
    case JSON_REAL:
        number[hr_format_double(json_real_value(json), false, number)] = 0;
        return hr_strdup(number);
    default: return NULL;
    }
}

static int list_from_array(const struct hr_option *row, const json_t *json, struct hr_strlist *out,
                           struct hr_error *err) {
    for (size_t i = 0; i < json_array_size(json); i++) {
        const json_t *item = json_array_get(json, i);
        if (json_is_array(item) || json_is_object(item) || json_is_null(item)) {
            return hr_fail(err, HR_E_CONFIG,
                           "option \"%s\" needs a list of texts, but item %zu is not one",
                           row->name, i + 1);
        }
        char *text = scalar_text(item);
        int rc = text ? hr_strlist_add(out, text) : HR_E_NOMEM;
        hr_free(text);
        if (rc) {
            return nomem(err);
        }
    }
    return 0;
}

static int compact_json(const json_t *json, char **out, struct hr_error *err) {
    size_t len = json_dumpb(json, NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY);
    char *text = len ? hr_malloc(len + 1) : NULL;
    if (text == NULL || json_dumpb(json, text, len, JSON_COMPACT | JSON_ENCODE_ANY) != len) {
        hr_free(text);
        return nomem(err);
    }
    text[len] = 0;
    *out = text;
    return 0;
}

static int parse_json_value(const struct hr_option *row, const json_t *json, struct opt_value *out,
                            struct hr_error *err) {
    if (row->type == HR_OPT_JSON) {
        return compact_json(json, &out->s, err);
    }
    if (row->type == HR_OPT_LIST && json_is_array(json)) {
        return list_from_array(row, json, &out->list, err);
    }
    if (json_is_array(json) || json_is_object(json)) {
        return hr_fail(err, HR_E_CONFIG, "option \"%s\" cannot be %s", row->name,
                       json_is_array(json) ? "a list" : "an object");
    }
    if (json_is_string(json) && strlen(json_string_value(json)) != json_string_length(json)) {
        return hr_fail(err, HR_E_CONFIG, "option \"%s\" contains a NUL byte", row->name);
    }
    char *text = scalar_text(json);
    if (text == NULL) {
        return nomem(err);
    }
    int rc = parse_text(row, text, out, err);
    hr_free(text);
    return rc;
}

/* ---- storing --------------------------------------------------------------------------------- */

static void *field_of(const struct hr_option *row, void *obj) {
    return (char *)obj + row->offset;
}
static const void *field_of_const(const struct hr_option *row, const void *obj) {
    return (const char *)obj + row->offset;
}

/* Moves the value into the field; what the field owned is freed. */
static void store(const struct hr_option *row, void *obj, struct opt_value *v) {
    void *field = field_of(row, obj);
    switch (row->type) {
    case HR_OPT_BOOL: *(bool *)field = v->b; break;
    case HR_OPT_INT: *(int64_t *)field = v->i; break;
    case HR_OPT_DOUBLE: *(double *)field = v->d; break;
    case HR_OPT_SIZE: *(uint64_t *)field = v->u; break;
    case HR_OPT_ENUM: *(int *)field = v->e; break;
    case HR_OPT_STRING:
    case HR_OPT_JSON:
        if (row->flags & HR_OPT_SECRET) {
            hr_free_secret(*(char **)field);
        } else {
            hr_free(*(char **)field);
        }
        *(char **)field = v->s;
        v->s = NULL;
        break;
    case HR_OPT_LIST:
        hr_strlist_release(field);
        *(struct hr_strlist *)field = v->list;
        v->list = (struct hr_strlist){0};
        break;
    }
}

static bool list_equal(const struct hr_strlist *a, const struct hr_strlist *b) {
    if (a->count != b->count) {
        return false;
    }
    for (size_t i = 0; i < a->count; i++) {
        if (strcmp(a->items[i], b->items[i]) != 0) {
            return false;
        }
    }
    return true;
}

static bool same_value(const struct hr_option *row, const struct opt_value *a, const void *field) {
    switch (row->type) {
    case HR_OPT_BOOL: return a->b == *(const bool *)field;
    case HR_OPT_INT: return a->i == *(const int64_t *)field;
    case HR_OPT_DOUBLE: return !(a->d < *(const double *)field) && !(a->d > *(const double *)field);
    case HR_OPT_SIZE: return a->u == *(const uint64_t *)field;
    case HR_OPT_ENUM: return a->e == *(const int *)field;
    case HR_OPT_STRING:
    case HR_OPT_JSON: {
        const char *text = *(char *const *)field;
        return (a->s == NULL || text == NULL) ? a->s == text : strcmp(a->s, text) == 0;
    }
    case HR_OPT_LIST: return list_equal(&a->list, field);
    }
    return false;
}

static int default_value(const struct hr_option *row, struct opt_value *out, struct hr_error *err) {
    *out = (struct opt_value){0};
    if (row->def == NULL) {
        return 0;
    }
    int rc = parse_text(row, row->def, out, err);
    if (rc) {
        value_release(out);
    }
    return rc;
}

/* A value that asks for something known but not built is refused with the row's sentence. */
static int check_built(const struct hr_option *row, const struct opt_value *v,
                       struct hr_error *err) {
    if (row->missing == NULL) {
        return 0;
    }
    if (row->missing_values) {
        char word[64];
        const char *p = row->values;
        for (int i = 0; i < v->e && p; i++) {
            p = strchr(p, '|');
            p = p ? p + 1 : NULL;
        }
        snprintf(word, sizeof word, "%.*s", p ? (int)strcspn(p, "|") : 0, p ? p : "");
        if (word_index(row->missing_values, word) < 0) {
            return 0;
        }
        int rc = hr_fail(err, HR_E_CONFIG, "option \"%s\" cannot be \"%s\": that is not built yet",
                         row->name, word);
        hr_error_hint(err, "%s", row->missing);
        return rc;
    }
    struct opt_value def;
    int rc = default_value(row, &def, err);
    if (rc) {
        return rc;
    }
    struct opt_value probe = *v;
    const void *field = row->type == HR_OPT_BOOL     ? (const void *)&probe.b
                        : row->type == HR_OPT_INT    ? (const void *)&probe.i
                        : row->type == HR_OPT_DOUBLE ? (const void *)&probe.d
                        : row->type == HR_OPT_SIZE   ? (const void *)&probe.u
                        : row->type == HR_OPT_ENUM   ? (const void *)&probe.e
                        : row->type == HR_OPT_LIST   ? (const void *)&probe.list
                                                     : (const void *)&probe.s;
    if (!same_value(row, &def, field)) {
        rc = hr_fail(err, HR_E_CONFIG, "option \"%s\" is not built yet", row->name);
        hr_error_hint(err, "%s", row->missing);
    }
    value_release(&def);
    return rc;
}

static int finish_set(const struct hr_option *row, void *obj, int rc, struct opt_value *v,
                      struct hr_error *err) {
    if (rc == 0) {
        rc = check_built(row, v, err);
    }
    if (rc == 0) {
        store(row, obj, v);
    }
    value_release(v);
    return rc;
}

int hr_option_set_json(const struct hr_option *row, void *obj, const json_t *value,
                       struct hr_error *err) {
    struct opt_value v = {0};
    if (json_is_null(value) && row->type != HR_OPT_JSON) {
        int rc = default_value(row, &v, err); /* null means: not given */
        return finish_set(row, obj, rc, &v, err);
    }
    int rc = parse_json_value(row, value, &v, err);
    return finish_set(row, obj, rc, &v, err);
}

int hr_option_set_text(const struct hr_option *row, void *obj, const char *text,
                       struct hr_error *err) {
    struct opt_value v = {0};
    int rc = parse_text(row, text, &v, err);
    return finish_set(row, obj, rc, &v, err);
}

int hr_options_defaults(const struct hr_option *rows, size_t count, void *obj,
                        struct hr_error *err) {
    for (size_t i = 0; i < count; i++) {
        struct opt_value v;
        int rc = default_value(&rows[i], &v, err);
        if (rc) {
            hr_options_release(rows, i, obj);
            return rc;
        }
        /* The struct is not initialised yet: nothing of it may be freed. */
        memset(field_of(&rows[i], obj), 0,
               rows[i].type == HR_OPT_LIST   ? sizeof(struct hr_strlist)
               : rows[i].type == HR_OPT_BOOL ? sizeof(bool)
               : rows[i].type == HR_OPT_ENUM ? sizeof(int)
                                             : sizeof(int64_t));
        store(&rows[i], obj, &v);
        value_release(&v);
    }
    return 0;
}

void hr_options_release(const struct hr_option *rows, size_t count, void *obj) {
    for (size_t i = 0; i < count; i++) {
        struct opt_value none = {0};
        if (rows[i].type == HR_OPT_STRING || rows[i].type == HR_OPT_JSON ||
            rows[i].type == HR_OPT_LIST) {
            store(&rows[i], obj, &none);
        }
    }
}

const struct hr_option *hr_option_find(const struct hr_option *rows, size_t count,
                                       const char *name) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp(rows[i].name, name) == 0) {
            return &rows[i];
        }
    }
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(name);
        for (const char *p = rows[i].aliases; p && *p;) {
            size_t n = strcspn(p, "|");
            if (n == len && memcmp(p, name, n) == 0) {
                return &rows[i];
            }
            p += n + (p[n] == '|');
        }
    }
    return NULL;
}

bool hr_option_is_default(const struct hr_option *row, const void *obj) {
    struct opt_value def;
    if (default_value(row, &def, NULL)) {
        return false;
    }
    bool same = same_value(row, &def, field_of_const(row, obj));
    value_release(&def);
    return same;
}

static bool list_text(const struct hr_strlist *list, struct hr_buf *out) {
    for (size_t i = 0; i < list->count; i++) {
        if ((i && hr_buf_append_byte(out, ',', NULL)) ||
            hr_buf_append_str(out, list->items[i], NULL)) {
            return false;
        }
    }
    return list->count > 0;
}

bool hr_option_get_text(const struct hr_option *row, const void *obj, struct hr_buf *out) {
    const void *field = field_of_const(row, obj);
    char number[40];
    switch (row->type) {
    case HR_OPT_BOOL:
        return hr_buf_append_str(out, *(const bool *)field ? "true" : "false", NULL) == 0;
    case HR_OPT_INT:
        return hr_buf_append(out, number, hr_format_i64(*(const int64_t *)field, number), NULL) ==
               0;
    case HR_OPT_SIZE:
        return hr_buf_append(out, number, hr_format_u64(*(const uint64_t *)field, number), NULL) ==
               0;
    case HR_OPT_DOUBLE:
        return hr_buf_append(out, number, hr_format_double(*(const double *)field, false, number),
                             NULL) == 0;
    case HR_OPT_ENUM: {
        const char *p = row->values;
        for (int i = 0; i < *(const int *)field && p; i++) {
            p = strchr(p, '|');
            p = p ? p + 1 : NULL;
        }
        return p && hr_buf_append(out, p, strcspn(p, "|"), NULL) == 0;
    }
    case HR_OPT_STRING:
    case HR_OPT_JSON: {
        const char *text = *(char *const *)field;
        if (text == NULL) {
            return false;
        }
        return hr_buf_append_str(out, (row->flags & HR_OPT_SECRET) ? "***" : text, NULL) == 0;
    }
    case HR_OPT_LIST: return list_text(field, out);
    }
    return false;
}
