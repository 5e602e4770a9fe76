/* format/json/json_put.c - any JSON value into any column, exactly.
 *
 * What the engines of json_rows.h do not take themselves comes here: the token is read by
 * json_lex.c, then converted to the column's type or found not to fit. Nothing is converted that
 * would lose anything: 1.0 does not go into an integer, nanoseconds not into microseconds, a string
 * of digits not into a number. Nested columns recurse as deep as their type; text columns take any
 * value (numbers with their own digits, objects and arrays as compact JSON).
 */
#include "format/json/json_read.h"

#include <math.h>

#include "base/num.h"
#include "format/infer.h"

/* ---- scalars: true when the value fits ---- */

/* An integer that no decimal holds: inference calls it text, to keep its digits. */
static bool huge_integer(struct hr_slice text) {
    return text.len > 38 && text.len - (text.ptr[0] == '-') > 38 &&
           memchr(text.ptr, '.', text.len) == NULL && memchr(text.ptr, 'e', text.len) == NULL &&
           memchr(text.ptr, 'E', text.len) == NULL;
}

static bool put_float(struct hr_j_col *col, int64_t idx, const struct hr_j_token *t) {
    double v;
    if (t->kind == HR_J_NAN) {
        v = t->text.ptr[0] == 'N'   ? (double)NAN
            : t->text.ptr[0] == '-' ? -(double)INFINITY
                                    : (double)INFINITY;
    } else if (t->kind != HR_J_NUMBER || huge_integer(t->text) ||
               !hr_parse_double((const char *)t->text.ptr, t->text.len, false, &v)) {
        return false;
    }
    if (col->vec->field->type.id == HR_T_F64) {
        memcpy(col->data + (size_t)idx * sizeof(v), &v, sizeof(v));
        return true;
    }
    const float f = (float)v;
    if (isinf(f) && !isinf(v)) {
        return false;
    }
    memcpy(col->data + (size_t)idx * sizeof(f), &f, sizeof(f));
    return true;
}

/* Types of fixed width that have a text form; `kind` is what JSON writes it as. */
static bool put_fixed(struct hr_j_col *col, int64_t idx, const struct hr_j_token *t,
                      enum hr_j_token_kind kind) {
    const struct hr_type type = col->vec->field->type;
    uint8_t local[256];
    union hr_cell cell;
    struct hr_slice text = t->text;
    if (t->kind != kind) {
        return false;
    }
    if (kind == HR_J_STRING && t->escaped) {
        if (text.len > sizeof(local)) {
            return false;
        }
        text = hr_slice_of(local, hr_j_unescape(text, local));
    }
    if (!hr_infer_convert(type, (const char *)text.ptr, text.len,
                          col->times_utc ? HR_LENIENT_TIMES : 0, &cell)) {
        return false;
    }
    const size_t width = (size_t)hr_type_width(type);
    memcpy(col->data + (size_t)idx * width, &cell, width);
    return true;
}

static int base64_digit(uint8_t c) {
    return c >= 'A' && c <= 'Z'   ? c - 'A'
           : c >= 'a' && c <= 'z' ? c - 'a' + 26
           : c >= '0' && c <= '9' ? c - '0' + 52
           : c == '+'             ? 62
           : c == '/'             ? 63
                                  : -1;
}

/* RFC 4648 with padding, nothing else; returns the length or -1. dst may be text.ptr. */
static int64_t base64(struct hr_slice text, uint8_t *dst) {
    size_t n = 0;
    if (text.len % 4 != 0) {
        return -1;
    }
    for (size_t i = 0; i < text.len; i += 4) {
        const uint8_t *p = text.ptr + i;
        const bool last = i + 4 == text.len;
        const int pad = !last || p[3] != '=' ? 0 : p[2] != '=' ? 1 : 2;
        uint32_t v = 0;
        for (int k = 0; k < 4 - pad; k++) {
            const int d = base64_digit(p[k]);
            if (d < 0) {
                return -1;
            }
            v |= (uint32_t)d << (18 - 6 * k);
        }
        if (v & ((1u << (8 * pad)) - 1)) {
            return -1;
        }
        for (int k = 0; k < 3 - pad; k++) {
            dst[n++] = (uint8_t)(v >> (16 - 8 * k));
        }
    }
    return (int64_t)n;
}

/* ---- bytes ---- */

/* 1 fits, 0 does not, negative error. */
static int put_binary(struct hr_json *json, struct hr_j_col *col, int64_t idx,
                      const struct hr_j_token *t) {
    if (t->kind != HR_J_STRING) {
        return 0;
    }
    int rc = hr_j_col_bytes(col, idx, t->text.len, json->frame.lex.err);
    if (rc != 0) {
        return rc;
    }
    uint8_t *dst = col->data + col->offsets[idx];
    struct hr_slice text = t->text;
    if (t->escaped) { /* "\/" */
        text = hr_slice_of(dst, hr_j_unescape(text, dst));
    }
    const int64_t n = base64(text, dst); /* in place: writing stays behind reading */
    if (n < 0) {
        return 0;
    }
    col->offsets[idx + 1] = col->offsets[idx] + (int32_t)n;
    return 1;
}

static int put_utf8(struct hr_json *json, struct hr_j_col *col, int64_t idx,
                    const struct hr_j_token *t) {
    struct hr_slice text = t->text;
    const bool quoted = t->kind == HR_J_STRING && col->vec->field->type.ext == HR_EXT_JSON;
    const bool no_json = t->kind == HR_J_NAN && col->vec->field->type.ext == HR_EXT_JSON;
    if (quoted) {
        text = hr_slice_of(text.ptr - 1, text.len + 2);
    }
    const int rc = hr_j_col_bytes(col, idx, HR_J_COMPACT_ROOM(text.len), json->frame.lex.err);
    if (rc != 0) {
        return rc;
    }
    uint8_t *dst = col->data + col->offsets[idx];
    size_t n = text.len;
    if (t->kind == HR_J_STRING && t->escaped && !quoted) {
        n = hr_j_unescape(text, dst);
    } else if (t->blanks || no_json) {
        n = hr_j_compact(text, dst);
    } else {
        memcpy(dst, text.ptr, n);
    }
    col->offsets[idx + 1] = col->offsets[idx] + (int32_t)n;
    return 1;
}

static int put_token(struct hr_json *json, struct hr_j_col *col, int64_t idx,
                     const struct hr_j_token *t) {
    if (t->kind == HR_J_NULL) {
        const int rc = hr_j_col_null(col, idx, json->frame.lex.err);
        return rc ? rc : 1;
    }
    switch ((enum hr_type_id)col->vec->field->type.id) {
    case HR_T_BOOL:
        if (t->kind == HR_J_TRUE) {
            hr_bit_set(col->data, idx);
        } else {
            hr_bit_clear(col->data, idx);
        }
        return t->kind == HR_J_TRUE || t->kind == HR_J_FALSE;
    case HR_T_I8:
    case HR_T_I16:
    case HR_T_I32:
    case HR_T_I64:
    case HR_T_U8:
    case HR_T_U16:
    case HR_T_U32:
    case HR_T_U64:
    case HR_T_DEC128:
    case HR_T_DEC256: return put_fixed(col, idx, t, HR_J_NUMBER);
    case HR_T_F32:
    case HR_T_F64: return put_float(col, idx, t);
    case HR_T_UTF8: return put_utf8(json, col, idx, t);
    case HR_T_BINARY: return put_binary(json, col, idx, t);
    case HR_T_FIXED:
    case HR_T_DATE32:
    case HR_T_TIME32:
    case HR_T_TIME64:
    case HR_T_TS: return put_fixed(col, idx, t, HR_J_STRING);
    default: return 0; /* NULL: no value fits; nested: a scalar does not */
    }
}

/* ---- nested ---- */

/* A value inside a nested one did not fit: null here, and the whole value is judged later. */
static int inner_misfit(struct hr_json *json, struct hr_j_col *col, int64_t idx,
                        const uint8_t *at) {
    hr_j_col_reset(col, idx);
    if (json->params->misfit == HR_MISFIT_IGNORE) {
        json->record_nulled++;
    } else if (json->inner == NULL) {
        json->inner = at;
    }
    return hr_j_col_null(col, idx, json->frame.lex.err);
}

static const uint8_t *put_item(struct hr_json *json, struct hr_j_col *item, int64_t k,
                               const uint8_t *p) {
    struct hr_j_lex *lex = &json->frame.lex;
    int rc = k >= INT32_MAX - 1
                 ? hr_fail(lex->err, HR_E_BOUND, "could not hold 2^31 list items in one batch")
             : k >= item->room ? hr_j_col_room(item, k, k + 1 < 1024 ? 1024 : k + 1, lex->err)
                               : 0;
    if (rc != 0) {
        return hr_j_fail(lex, rc);
    }
    const uint8_t *q = json->engine->scalar(json, item, k, p);
    if (q != NULL) {
        return q;
    }
    bool fits;
    q = hr_j_put(json, item, k, p, &fits);
    if (q != NULL && !fits) {
        rc = inner_misfit(json, item, k, p);
    }
    return rc == 0 ? q : hr_j_fail(lex, rc);
}

static const uint8_t *put_list(struct hr_json *json, struct hr_j_col *col, int64_t idx,
                               const uint8_t *p) {
    struct hr_j_lex *lex = &json->frame.lex;
    struct hr_j_col *item = &col->children[0];
    int64_t k = col->offsets[idx];
    p = hr_j_blank(lex, p + 1);
    bool more = !(p < lex->end && *p == ']');
    while (more) {
        p = put_item(json, item, k, p);
        if (p == NULL) {
            return NULL;
        }
        k++;
        p = hr_j_blank(lex, p);
        if (p >= lex->end) {
            return hr_j_cut(lex, "an array is not closed");
        }
        if (*p != ',' && *p != ']') {
            return hr_j_bad(lex, p, "',' or ']' was expected in an array");
        }
        more = *p == ',';
        if (more) {
            p = hr_j_blank(lex, p + 1);
        }
    }
    col->offsets[idx + 1] = (int32_t)k;
    return p + 1;
}

/* A key of a map: its text, or what that text says when keys are numbers. */
static int put_map_key(struct hr_json *json, struct hr_j_col *col, int64_t idx,
                       struct hr_j_token *key) {
    const uint8_t id = col->vec->field->type.id;
    if (id != HR_T_UTF8 && id != HR_T_BINARY && !key->escaped && key->text.len > 0) {
        const uint8_t c = key->text.ptr[0];
        if (id >= HR_T_I8 && id <= HR_T_DEC256 && (c == '-' || (c >= '0' && c <= '9'))) {
            key->kind = HR_J_NUMBER;
            key->integer = true;
        } else if (id == HR_T_BOOL) {
            key->kind = hr_slice_eq_str(key->text, "true")    ? HR_J_TRUE
                        : hr_slice_eq_str(key->text, "false") ? HR_J_FALSE
                                                              : HR_J_STRING;
        }
    }
    return put_token(json, col, idx, key);
}

static const uint8_t *put_entry(struct hr_json *json, struct hr_j_col *entries, int64_t k,
                                const uint8_t *p) {
    struct hr_j_lex *lex = &json->frame.lex;
    struct hr_j_token key = {0};
    if (p >= lex->end || *p != '"') {
        return p >= lex->end ? hr_j_cut(lex, "an object is not closed")
                             : hr_j_bad(lex, p, "a key in quotes was expected");
    }
    const uint8_t *at = p;
    p = hr_j_string(lex, p + 1, &key);
    p = p ? hr_j_blank(lex, p) : NULL;
    if (p == NULL || p >= lex->end || *p != ':') {
        return p == NULL       ? NULL
               : p >= lex->end ? hr_j_cut(lex, "an object is not closed")
                               : hr_j_bad(lex, p, "':' was expected behind a key");
    }
    int rc = k >= INT32_MAX - 1
                 ? hr_fail(lex->err, HR_E_BOUND, "could not hold 2^31 map entries in one batch")
             : k >= entries->room ? hr_j_col_room(entries, k, k + 1 < 1024 ? 1024 : k + 1, lex->err)
                                  : 0;
    if (rc == 0) {
        const int fits = put_map_key(json, &entries->children[0], k, &key);
        rc = fits < 0 ? fits : fits == 0 ? inner_misfit(json, &entries->children[0], k, at) : 0;
    }
    if (rc != 0) {
        return hr_j_fail(lex, rc);
    }
    bool fits = true;
    at = hr_j_blank(lex, p + 1);
    p = hr_j_put(json, &entries->children[1], k, at, &fits);
    if (p != NULL && !fits) {
        rc = inner_misfit(json, &entries->children[1], k, at);
    }
    return rc == 0 ? p : hr_j_fail(lex, rc);
}

static const uint8_t *put_map(struct hr_json *json, struct hr_j_col *col, int64_t idx,
                              const uint8_t *p) {
    struct hr_j_lex *lex = &json->frame.lex;
    int64_t k = col->offsets[idx];
    p = hr_j_blank(lex, p + 1);
    bool more = !(p < lex->end && *p == '}');
    while (more) {
        p = put_entry(json, &col->children[0], k, p);
        if (p == NULL) {
            return NULL;
        }
        k++;
        p = hr_j_blank(lex, p);
        if (p >= lex->end) {
            return hr_j_cut(lex, "an object is not closed");
        }
        if (*p != ',' && *p != '}') {
            return hr_j_bad(lex, p, "',' or '}' was expected in an object");
        }
        more = *p == ',';
        if (more) {
            p = hr_j_blank(lex, p + 1);
        }
    }
    col->offsets[idx + 1] = (int32_t)k;
    return p + 1;
}

static const uint8_t *put_struct(struct hr_json *json, struct hr_j_col *col, int64_t idx,
                                 const uint8_t *p) {
    struct hr_j_scope scope = {
        .id = ++json->ids, .idx = idx, .cols = col->children, .n_cols = col->n_children};
    p = json->engine->object(json, &scope, col->shape, p);
    if (p == NULL) {
        return NULL;
    }
    const int rc = hr_j_scope_fill(json, &scope);
    return rc == 0 ? p : hr_j_fail(&json->frame.lex, rc);
}

const uint8_t *hr_j_put(struct hr_json *json, struct hr_j_col *col, int64_t idx, const uint8_t *p,
                        bool *fits) {
    struct hr_j_lex *lex = &json->frame.lex;
    const uint8_t id = col->vec->field->type.id;
    *fits = true;
    if (p < lex->end &&
        ((*p == '{' && (id == HR_T_STRUCT || id == HR_T_MAP)) || (*p == '[' && id == HR_T_LIST))) {
        if (lex->depth >= lex->depth_max) {
            return hr_j_too_deep(lex, p);
        }
        lex->depth++;
        p = id == HR_T_LIST  ? put_list(json, col, idx, p)
            : id == HR_T_MAP ? put_map(json, col, idx, p)
                             : put_struct(json, col, idx, p);
        lex->depth--;
        return p;
    }
    struct hr_j_token token;
    p = hr_j_value(lex, p, &token);
    if (p == NULL) {
        return NULL;
    }
    const int rc = put_token(json, col, idx, &token);
    *fits = rc > 0;
    return rc >= 0 ? p : hr_j_fail(lex, rc);
}

/* ---- slots ---- */

void hr_j_claim_again(struct hr_json *json, struct hr_j_scope *scope, struct hr_j_col *col) {
    hr_j_col_reset(col, scope->idx);
    for (size_t i = json->n_misfits; i-- > 0;) { /* the last value of a repeated key counts */
        if (json->misfits[i].col == col) {
            json->misfits[i] = json->misfits[--json->n_misfits];
        }
    }
}

/* The value of a key whose column was claimed, or that has none. */
static const uint8_t *unknown_value(struct hr_json *json, const struct hr_j_scope *scope,
                                    struct hr_j_slot *slot, const uint8_t *p) {
    struct hr_j_lex *lex = &json->frame.lex;
    struct hr_j_token token;
    const uint8_t *q = hr_j_value(lex, p, &token);
    if (q == NULL || !json->params->want_all) {
        return q;
    }
    if (scope->cols == json->cols) {
        const int rc = hr_j_misfit_add(json, slot, NULL, &token, p);
        return rc == 0 ? q : hr_j_fail(lex, rc);
    }
    if (json->params->misfit == HR_MISFIT_IGNORE) {
        json->record_nulled++;
    } else if (json->inner == NULL) {
        json->inner = p;
    }
    return q;
}

static struct hr_j_token whole(const struct hr_j_lex *lex, const uint8_t *p, const uint8_t *q) {
    struct hr_j_token token = {.kind = (enum hr_j_token_kind)hr_j_kind(lex, p),
                               .text = hr_slice_of(p, (size_t)(q - p)),
                               .blanks = true};
    if (token.kind == HR_J_STRING) {
        token.text = hr_slice_of(p + 1, (size_t)(q - p) - 2);
        token.escaped = memchr(token.text.ptr, '\\', token.text.len) != NULL;
    } else if (token.kind == HR_J_NUMBER) {
        token.integer = memchr(p, '.', token.text.len) == NULL &&
                        memchr(p, 'e', token.text.len) == NULL &&
                        memchr(p, 'E', token.text.len) == NULL;
        token.kind = *p == '-' && p[1] == 'I' ? HR_J_NAN : HR_J_NUMBER;
    }
    return token;
}

const uint8_t *hr_j_slot_value(struct hr_json *json, struct hr_j_scope *scope,
                               struct hr_j_shape *shape, struct hr_j_slot *slot, const uint8_t *p) {
    struct hr_j_lex *lex = &json->frame.lex;
    struct hr_j_col *col = slot->col;
    p = hr_j_blank(lex, p); /* a predicted key may be followed by more blanks than last time */
    if (slot->flat && p < lex->end && *p == '{') {
        if (slot->child == NULL && hr_j_shape_child(json, shape, slot) != 0) {
            return hr_j_fail(lex, hr_fail(lex->err, HR_E_NOMEM, "could not allocate a JSON key"));
        }
        if (lex->depth >= lex->depth_max) {
            return hr_j_too_deep(lex, p);
        }
        lex->depth++;
        p = json->engine->object(json, scope, slot->child, p);
        lex->depth--;
        return p;
    }
    if (col == NULL) {
        return unknown_value(json, scope, slot, p);
    }
    hr_j_claim(json, scope, col);
    const bool record = scope->cols == json->cols;
    bool fits;
    const uint8_t *q = hr_j_put(json, col, scope->idx, p, &fits);
    if (q == NULL || (fits && !(record && json->inner != NULL))) {
        return q;
    }
    int rc;
    if (record) {
        const struct hr_j_token token = whole(lex, p, q);
        hr_j_col_reset(col, scope->idx);
        rc = hr_j_col_null(col, scope->idx, lex->err);
        rc = rc ? rc : hr_j_misfit_add(json, slot, col, &token, json->inner ? json->inner : p);
        json->inner = NULL;
    } else {
        rc = inner_misfit(json, col, scope->idx, p);
    }
    return rc == 0 ? q : hr_j_fail(lex, rc);
}

/* ---- the general engine ---- */

static const uint8_t *general_object(struct hr_json *json, struct hr_j_scope *scope,
                                     struct hr_j_shape *shape, const uint8_t *p) {
    struct hr_j_link behind = {0};
    struct hr_j_link *link = &shape->first;
    for (;;) {
        struct hr_j_slot *slot;
        p = hr_j_key(json, shape, link, p, &slot);
        if (p == NULL || slot == NULL) {
            return p;
        }
        p = hr_j_slot_value(json, scope, shape, slot, p);
        if (p == NULL) {
            return NULL;
        }
        link = &behind;
    }
}

static const uint8_t *general_scalar(struct hr_json *json, struct hr_j_col *col, int64_t idx,
                                     const uint8_t *p) {
    (void)json;
    (void)col;
    (void)idx;
    (void)p;
    return NULL;
}

const struct hr_j_engine hr_j_engine_general = {
    .name = "general", .object = general_object, .scalar = general_scalar};
