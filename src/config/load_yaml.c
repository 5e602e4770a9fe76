/* config/load_yaml.c - one YAML document to JSON, over libyaml's events (YAML 1.1 syntax, YAML 1.2
 * core types, https://yaml.org/spec/1.2.2/#103-core-schema).
 *
 * Plain scalars become null, booleans and numbers as the core schema says, with one difference:
 * digits with a leading zero stay text, since 007 in a config is a name and not seven. Anchors and
 * aliases work; every value counts towards HR_CONFIG_NODES_MAX each time an alias repeats it, so a
 * document cannot grow beyond its bound. Tags other than !!str and merge keys are refused.
 */
#include <stdio.h>
#include <yaml.h>

#include "base/mem.h"
#include "base/num.h"
#include "config/load_internal.h"

#define ANCHORS_MAX 1000

struct anchor {
    char *name;
    json_t *value; /* a reference */
    size_t nodes;
};

struct yaml_ctx {
    yaml_parser_t parser;
    const char *name;
    struct anchor *anchors;
    size_t n_anchors;
    size_t nodes;
    struct hr_error *err;
};

static int fail_at(struct yaml_ctx *ctx, yaml_mark_t mark, const char *what) {
    int rc = hr_fail(ctx->err, HR_E_CONFIG, "could not read %s:%zu:%zu: %s", ctx->name,
                     mark.line + 1, mark.column + 1, what);
    hr_error_object(ctx->err, ctx->name);
    hr_error_place(ctx->err, (int64_t)mark.index, (int64_t)mark.line + 1, NULL);
    return rc;
}

static int fail_nomem(struct yaml_ctx *ctx) {
    return hr_fail(ctx->err, HR_E_NOMEM, "out of memory while reading \"%s\"", ctx->name);
}

static int next_event(struct yaml_ctx *ctx, yaml_event_t *event) {
    if (yaml_parser_parse(&ctx->parser, event)) {
        return 0;
    }
    if (ctx->parser.error == YAML_MEMORY_ERROR) {
        return fail_nomem(ctx);
    }
    char what[200];
    snprintf(what, sizeof what, "it is not valid YAML: %s",
             ctx->parser.problem ? ctx->parser.problem : "unreadable");
    return fail_at(ctx, ctx->parser.problem_mark, what);
}

static bool is_word(const char *text, size_t len, const char *word) {
    return len == strlen(word) && memcmp(text, word, len) == 0;
}

/* A plain scalar by the core schema; NULL with *oom false means: text. */
static json_t *typed_scalar(const char *text, size_t len) {
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL"};
    static const char *const yes[] = {"true", "True", "TRUE"};
    static const char *const no[] = {"false", "False", "FALSE"};
    for (size_t i = 0; i < sizeof nulls / sizeof *nulls; i++) {
        if (is_word(text, len, nulls[i])) {
            return json_null();
        }
    }
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) {
        if (is_word(text, len, yes[i])) {
            return json_true();
        }
        if (is_word(text, len, no[i])) {
            return json_false();
        }
    }
    size_t sign = len && (text[0] == '-' || text[0] == '+');
    bool leading_zero = len > sign + 1 && text[sign] == '0' && text[sign + 1] != '.';
    int64_t whole = 0;
    double real = 0;
    if (leading_zero || len == 0 || text[len - 1] < '0' || text[len - 1] > '9') {
        return NULL;
    }
    if (hr_parse_i64(text, len, &whole)) {
        return json_integer(whole);
    }
    if (hr_parse_double(text, len, false, &real) && memchr(text, '.', len)) {
        return json_real(real);
    }
    return NULL;
}

static int scalar_value(struct yaml_ctx *ctx, const yaml_event_t *event, json_t **out) {
    const char *text = (const char *)event->data.scalar.value;
    size_t len = event->data.scalar.length;
    const char *tag = (const char *)event->data.scalar.tag;
    if (tag && strcmp(tag, YAML_STR_TAG) != 0 && strcmp(tag, "!") != 0) {
        return fail_at(ctx, event->start_mark, "a YAML tag is not supported here");
    }
    if (!tag && event->data.scalar.plain_implicit &&
        event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE) {
        *out = typed_scalar(text, len);
        if (*out) {
            return 0;
        }
    }
    struct hr_buf buf;
    hr_buf_init(&buf, HR_CONFIG_SIZE_MAX);
    int rc = hr_config_expand(text, len, ctx->name, &buf, ctx->err);
    if (rc == 0) {
        *out = json_stringn(hr_buf_cstr(&buf), buf.len);
        if (*out == NULL) {
            rc = fail_at(ctx, event->start_mark, "a value is not valid UTF-8");
        }
    } else {
        hr_error_place(ctx->err, (int64_t)event->start_mark.index,
                       (int64_t)event->start_mark.line + 1, NULL);
    }
    hr_buf_release(&buf);
    return rc;
}

static int remember_anchor(struct yaml_ctx *ctx, const yaml_event_t *event,
                           const yaml_char_t *anchor, json_t *value, size_t nodes) {
    if (anchor == NULL) {
        return 0;
    }
    if (ctx->n_anchors == ANCHORS_MAX) {
        return fail_at(ctx, event->start_mark, "there are too many anchors");
    }
    struct anchor *grown = hr_reallocarray(ctx->anchors, ctx->n_anchors + 1, sizeof *ctx->anchors);
    if (grown == NULL) {
        return fail_nomem(ctx);
    }
    ctx->anchors = grown;
    char *name = hr_strdup((const char *)anchor);
    if (name == NULL) {
        return fail_nomem(ctx);
    }
    grown[ctx->n_anchors++] = (struct anchor){name, json_incref(value), nodes};
    return 0;
}

static int alias_value(struct yaml_ctx *ctx, const yaml_event_t *event, json_t **out) {
    const char *name = (const char *)event->data.alias.anchor;
    for (size_t i = ctx->n_anchors; i > 0; i--) {
        if (strcmp(ctx->anchors[i - 1].name, name) == 0) {
            ctx->nodes += ctx->anchors[i - 1].nodes;
            if (ctx->nodes > HR_CONFIG_NODES_MAX) {
                return fail_at(ctx, event->start_mark, "aliases make the document too large");
            }
            *out = json_incref(ctx->anchors[i - 1].value);
            return 0;
        }
    }
    return fail_at(ctx, event->start_mark, "an alias has no anchor");
}

static int parse_node(struct yaml_ctx *ctx, yaml_event_t *event, int depth, json_t **out);

static int parse_sequence(struct yaml_ctx *ctx, int depth, json_t **out) {
    json_t *list = json_array();
    if (list == NULL) {
        return fail_nomem(ctx);
    }
    for (;;) {
        yaml_event_t event;
        int rc = next_event(ctx, &event);
        if (rc) {
            json_decref(list);
            return rc;
        }
        if (event.type == YAML_SEQUENCE_END_EVENT) {
            yaml_event_delete(&event);
            *out = list;
            return 0;
        }
        json_t *item = NULL;
        rc = parse_node(ctx, &event, depth + 1, &item);
        yaml_event_delete(&event);
        if (rc == 0 && json_array_append_new(list, item)) {
            rc = fail_nomem(ctx);
        }
        if (rc) {
            json_decref(list);
            return rc;
        }
    }
}

/* One key and its value into the object. `event` is the key's. */
static int parse_member(struct yaml_ctx *ctx, yaml_event_t *event, int depth, json_t *object) {
    if (event->type != YAML_SCALAR_EVENT) {
        return fail_at(ctx, event->start_mark, "a key must be a text");
    }
    const char *key = (const char *)event->data.scalar.value;
    size_t len = event->data.scalar.length;
    if (strlen(key) != len) {
        return fail_at(ctx, event->start_mark, "a key contains a NUL byte");
    }
    if (strcmp(key, "<<") == 0) {
        return fail_at(ctx, event->start_mark, "merge keys (<<) are not supported");
    }
    if (json_object_get(object, key)) {
        char shown[100];
        char what[160];
        hr_printable(hr_slice_str(key), 80, shown, sizeof shown);
        snprintf(what, sizeof what, "the key \"%s\" stands there twice", shown);
        return fail_at(ctx, event->start_mark, what);
    }
    yaml_event_t value_event;
    int rc = next_event(ctx, &value_event);
    if (rc) {
        return rc;
    }
    json_t *value = NULL;
    rc = parse_node(ctx, &value_event, depth + 1, &value);
    yaml_event_delete(&value_event);
    if (rc == 0 && json_object_set_new(object, key, value)) {
        rc = fail_nomem(ctx);
    }
    return rc;
}

static int parse_mapping(struct yaml_ctx *ctx, int depth, json_t **out) {
    json_t *object = json_object();
    if (object == NULL) {
        return fail_nomem(ctx);
    }
    for (;;) {
        yaml_event_t event;
        int rc = next_event(ctx, &event);
        if (rc == 0 && event.type == YAML_MAPPING_END_EVENT) {
            yaml_event_delete(&event);
            *out = object;
            return 0;
        }
        if (rc == 0) {
            rc = parse_member(ctx, &event, depth, object);
            yaml_event_delete(&event);
        }
        if (rc) {
            json_decref(object);
            return rc;
        }
    }
}

static bool foreign_tag(const yaml_char_t *tag, const char *own) {
    return tag && strcmp((const char *)tag, own) != 0 && strcmp((const char *)tag, "!") != 0;
}

static int parse_node(struct yaml_ctx *ctx, yaml_event_t *event, int depth, json_t **out) {
    if (depth > HR_CONFIG_DEPTH_MAX) {
        return fail_at(ctx, event->start_mark, "it is nested too deeply");
    }
    if (++ctx->nodes > HR_CONFIG_NODES_MAX) {
        return fail_at(ctx, event->start_mark, "it holds too many values");
    }
    size_t before = ctx->nodes;
    const yaml_char_t *anchor = NULL;
    int rc = 0;
    switch (event->type) {
    case YAML_ALIAS_EVENT: return alias_value(ctx, event, out);
    case YAML_SCALAR_EVENT:
        anchor = event->data.scalar.anchor;
        rc = scalar_value(ctx, event, out);
        break;
    case YAML_SEQUENCE_START_EVENT:
        anchor = event->data.sequence_start.anchor;
        rc = foreign_tag(event->data.sequence_start.tag, YAML_SEQ_TAG)
                 ? fail_at(ctx, event->start_mark, "a YAML tag is not supported here")
                 : parse_sequence(ctx, depth, out);
        break;
    case YAML_MAPPING_START_EVENT:
        anchor = event->data.mapping_start.anchor;
        rc = foreign_tag(event->data.mapping_start.tag, YAML_MAP_TAG)
                 ? fail_at(ctx, event->start_mark, "a YAML tag is not supported here")
                 : parse_mapping(ctx, depth, out);
        break;
    default: return fail_at(ctx, event->start_mark, "a value is missing");
    }
    if (rc == 0) {
        rc = remember_anchor(ctx, event, anchor, *out, ctx->nodes - before + 1);
        if (rc) {
            json_decref(*out);
            *out = NULL;
        }
    }
    return rc;
}

/* Stream start, document start, the node, document end, stream end. */
static int parse_stream(struct yaml_ctx *ctx, json_t **out) {
    for (;;) {
        yaml_event_t event;
        int rc = next_event(ctx, &event);
        if (rc) {
            return rc;
        }
        yaml_event_type_t type = event.type;
        if (type == YAML_DOCUMENT_START_EVENT && *out) {
            rc = fail_at(ctx, event.start_mark, "a second document begins; one is allowed");
        } else if (type != YAML_STREAM_START_EVENT && type != YAML_DOCUMENT_START_EVENT &&
                   type != YAML_DOCUMENT_END_EVENT && type != YAML_STREAM_END_EVENT) {
            rc = parse_node(ctx, &event, 0, out);
        }
        yaml_event_delete(&event);
        if (rc || type == YAML_STREAM_END_EVENT) {
            return rc;
        }
    }
}

int hr_config_parse_yaml(struct hr_slice text, const char *name, json_t **out,
                         struct hr_error *err) {
    struct yaml_ctx ctx = {.name = name, .err = err};
    *out = NULL;
    if (!yaml_parser_initialize(&ctx.parser)) {
        return fail_nomem(&ctx);
    }
    yaml_parser_set_input_string(&ctx.parser, text.ptr, text.len);
    int rc = parse_stream(&ctx, out);
    if (rc == 0 && *out == NULL) {
        rc = hr_fail(err, HR_E_CONFIG, "could not read \"%s\": it holds no document", name);
    }
    if (rc) {
        json_decref(*out);
        *out = NULL;
    }
    for (size_t i = 0; i < ctx.n_anchors; i++) {
        hr_free(ctx.anchors[i].name);
        json_decref(ctx.anchors[i].value);
    }
    hr_free(ctx.anchors);
    yaml_parser_delete(&ctx.parser);
    return rc;
}
