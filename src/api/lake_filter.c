/* api/lake_filter.c - filters of Olake's catalogs (see lake_filter.h).
 *
 *   filter_config  {"logical_operator": "And", "conditions": [{"column", "operator", "value"}]}
 *   filter         column OP value [and|or column OP value]   value: bare, "quoted" or 'quoted'
 */
#include "api/lake_filter.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/slice.h"

static bool is_given(const char *text) {
    return text != NULL && text[strspn(text, " \t\r\n")] != '\0';
}

/* ---- the text form ---- */

static const char *skip_blanks(const char *p) {
    return p + strspn(p, " \t\r\n");
}

/* A quoted text, or what goes on to a blank or one of `stop`. *out_text is NULL when there is none.
 */
static const char *take_word(const char *p, const char *stop, json_t **out_text) {
    const char quote = *p == '"' || *p == '\'' ? *p : '\0';
    const char *from = quote ? p + 1 : p;
    const char *end = from;
    while (*end != '\0' &&
           (quote ? *end != quote : !isspace((unsigned char)*end) && strchr(stop, *end) == NULL)) {
        end++;
    }
    const bool good = quote ? *end == quote : end > from;
    *out_text = good ? json_stringn(from, (size_t)(end - from)) : NULL;
    return good && quote ? end + 1 : end;
}

/* column OP value as {"column", "operator", "value"}; NULL: something else stands there. */
static const char *take_condition(const char *p, json_t **out) {
    static const char *const operators[] = {"!=", ">=", "<=", "=", ">", "<"};
    json_t *column = NULL;
    json_t *value = NULL;
    const char *op = NULL;
    *out = NULL;
    p = skip_blanks(take_word(skip_blanks(p), "!<>=()", &column));
    for (size_t i = 0; i < HR_COUNTOF(operators) && op == NULL; i++) {
        if (strncmp(p, operators[i], strlen(operators[i])) == 0) {
            op = operators[i];
        }
    }
    if (column != NULL && op != NULL) {
        p = take_word(skip_blanks(p + strlen(op)), "!<>=()", &value);
    }
    if (value != NULL) {
        *out = json_pack("{sO ss sO}", "column", column, "operator", op, "value", value);
    }
    json_decref(column);
    json_decref(value);
    return p;
}

/* One or two comparisons as a filter_config; NULL: it is not that simple. */
static json_t *config_of_text(const char *text) {
    json_t *first = NULL;
    json_t *second = NULL;
    const char *p = skip_blanks(take_condition(text, &first));
    const bool any = strncasecmp(p, "or", 2) == 0 && isspace((unsigned char)p[2]);
    const bool all = strncasecmp(p, "and", 3) == 0 && isspace((unsigned char)p[3]);
    if (first != NULL && (any || all)) {
        p = skip_blanks(take_condition(p + (any ? 2 : 3), &second));
    }
    json_t *out = NULL;
    if (first != NULL && *p == '\0' && (second != NULL || !(any || all))) {
        out = json_pack("{ss s[OO*]}", "logical_operator", any ? "Or" : "And", "conditions", first,
                        second);
    }
    json_decref(first);
    json_decref(second);
    return out;
}

/* ---- both ---- */

static int filter_of_config(const struct hr_stream *stream, const json_t *doc,
                            struct hr_filter **out, struct hr_error *err) {
    const json_t *conditions = json_object_get(doc, "conditions");
    const char *how = json_string_value(json_object_get(doc, "logical_operator"));
    if (doc == NULL || (conditions != NULL && !json_is_array(conditions))) {
        return hr_fail(err, HR_E_CONFIG, "could not read filter_config of stream '%s'",
                       stream->name);
    }
    const bool any = how != NULL && strcasecmp(how, "or") == 0;
    json_t *terms = json_array();
    size_t i;
    json_t *condition;
    json_array_foreach(conditions, i, condition) {
        json_t *term =
            json_pack("[O?,O?,O?]", json_object_get(condition, "column"),
                      json_object_get(condition, "operator"), json_object_get(condition, "value"));
        json_array_append_new(terms, any ? json_pack("[o]", term) : term);
    }
    const int rc = json_array_size(terms) > 0 ? hr_filter_from_json(terms, out, err) : 0;
    json_decref(terms);
    return rc;
}

int hr_lake_filter(const struct hr_stream *stream, struct hr_filter **out, struct hr_error *err) {
    *out = NULL;
    if (is_given(stream->filter_config)) {
        json_t *doc = json_loads(stream->filter_config, 0, NULL);
        const int rc = filter_of_config(stream, doc, out, err);
        json_decref(doc);
        return rc;
    }
    if (!is_given(stream->filter_text)) {
        return 0;
    }
    json_t *doc = config_of_text(stream->filter_text);
    if (doc == NULL) {
        return hr_filter_parse(stream->filter_text, out, err); /* our own language says more */
    }
    const int rc = filter_of_config(stream, doc, out, err);
    json_decref(doc);
    return rc;
}
