/* format/json/json_lex.c - the tokens of RFC 8259, checked exactly.
 *
 * The general half of the JSON reader: every byte it passes over has been checked (grammar,
 * escapes, UTF-8, control characters), values nobody wants included. The engines of json_rows.h
 * take the common shapes themselves and come here for everything else. Nesting is walked with one
 * bit a level, so depth costs no stack.
 */
#include "format/json/json_lex.h"

#include "base/mem.h"

#define NEAR_END 64 /* no check looks further ahead than this */

int hr_j_lex_init(struct hr_j_lex *lex, int depth_max, struct hr_error *err) {
    *lex = (struct hr_j_lex){.depth_max = depth_max > 0 ? depth_max : 256};
    lex->open = hr_calloc((size_t)lex->depth_max / 64 + 2, sizeof(*lex->open));
    return lex->open ? 0 : hr_fail(err, HR_E_NOMEM, "could not allocate a JSON reader");
}

void hr_j_lex_release(struct hr_j_lex *lex) {
    hr_free(lex->open);
    lex->open = NULL;
}

const uint8_t *hr_j_bad(struct hr_j_lex *lex, const uint8_t *at, const char *why) {
    lex->status = !lex->eof && lex->end - at < NEAR_END ? HR_J_MORE : HR_J_BAD;
    if (lex->eof && at >= lex->end) {
        return hr_j_cut(lex, why);
    }
    lex->at = at;
    lex->why = why;
    return NULL;
}

const uint8_t *hr_j_cut(struct hr_j_lex *lex, const char *why) {
    lex->status = lex->eof ? HR_J_CUT : HR_J_MORE;
    lex->at = lex->end;
    lex->why = why;
    return NULL;
}

const uint8_t *hr_j_fail(struct hr_j_lex *lex, int rc) {
    lex->status = HR_J_ERROR;
    lex->rc = rc;
    return NULL;
}

const uint8_t *hr_j_too_deep(struct hr_j_lex *lex, const uint8_t *at) {
    hr_j_bad(lex, at, "objects and arrays are nested too deep");
    if (lex->status == HR_J_BAD) {
        lex->status = HR_J_BOUND;
    }
    return NULL;
}

/* ---- UTF-8 ---- */

/* Length of the sequence at p, 0 when it is none. */
static size_t utf8_len(const uint8_t *p, size_t left) {
    const uint8_t c = p[0];
    if (c < 0xc2 || c > 0xf4) {
        return 0;
    }
    const size_t n = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    if (left < n || (p[1] & 0xc0) != 0x80 || (n > 2 && (p[2] & 0xc0) != 0x80) ||
        (n > 3 && (p[3] & 0xc0) != 0x80)) {
        return 0;
    }
    /* overlong forms, surrogates, beyond U+10FFFF */
    if ((c == 0xe0 && p[1] < 0xa0) || (c == 0xed && p[1] > 0x9f) || (c == 0xf0 && p[1] < 0x90) ||
        (c == 0xf4 && p[1] > 0x8f)) {
        return 0;
    }
    return n;
}

static inline uint64_t load64(const uint8_t *p) {
    uint64_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

#define ONES 0x0101010101010101ULL
#define HIGHS 0x8080808080808080ULL

const uint8_t *hr_j_utf8_bad(const uint8_t *p, const uint8_t *end) {
    while (p < end) {
        if (end - p >= 8 && (load64(p) & HIGHS) == 0) {
            p += 8;
            continue;
        }
        if (*p < 0x80) {
            p++;
            continue;
        }
        const size_t n = utf8_len(p, (size_t)(end - p));
        if (n == 0) {
            return p;
        }
        p += n;
    }
    return NULL;
}

/* ---- strings ---- */

static bool is_hex(uint8_t c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Over plain ASCII: no quote, backslash, control byte or lead byte among the eight. */
static const uint8_t *plain_run(const uint8_t *p, const uint8_t *end) {
    while (end - p >= 8) {
        const uint64_t v = load64(p);
        const uint64_t quote = v ^ (ONES * '"');
        const uint64_t slash = v ^ (ONES * '\\');
        const uint64_t hit = ((v - ONES * 0x20) | (quote - ONES) | (slash - ONES) | v) & HIGHS;
        if (hit != 0) {
            break;
        }
        p += 8;
    }
    return p;
}

/* The escape at p (on the backslash). */
static const uint8_t *escape(struct hr_j_lex *lex, const uint8_t *p) {
    if (lex->end - p < 2) {
        return hr_j_cut(lex, "a string is not closed");
    }
    switch (p[1]) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't': return p + 2;
    case 'u': break;
    default: return hr_j_bad(lex, p, "an escape that JSON does not have");
    }
    for (int i = 2; i < 6; i++) {
        if (p + i >= lex->end) {
            return hr_j_cut(lex, "a string is not closed");
        }
        if (!is_hex(p[i])) {
            return hr_j_bad(lex, p, "\\u is not followed by four hex digits");
        }
    }
    return p + 6;
}

const uint8_t *hr_j_string(struct hr_j_lex *lex, const uint8_t *p, struct hr_j_token *out) {
    const uint8_t *start = p;
    const uint8_t *end = lex->end;
    out->kind = HR_J_STRING;
    out->escaped = false;
    for (;;) {
        p = plain_run(p, end);
        if (p >= end) {
            return hr_j_cut(lex, "a string is not closed");
        }
        const uint8_t c = *p;
        if (c == '"') {
            out->text = hr_slice_of(start, (size_t)(p - start));
            return p + 1;
        }
        if (c == '\\') {
            out->escaped = true;
            p = escape(lex, p);
            if (p == NULL) {
                return NULL;
            }
        } else if (c < 0x20) {
            return hr_j_bad(lex, p,
                            c == '\n' ? "a line ends inside a string"
                                      : "a control character inside a string");
        } else if (c < 0x80) {
            p++;
        } else {
            const size_t n = utf8_len(p, (size_t)(end - p));
            if (n == 0) {
                return hr_j_bad(lex, p, "text is not valid UTF-8");
            }
            p += n;
        }
    }
}

static unsigned hex4(const uint8_t *p) {
    unsigned v = 0;
    for (int i = 0; i < 4; i++) {
        const unsigned c = p[i];
        v = v << 4 | (c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return v;
}

static uint8_t *put_utf8(uint8_t *dst, unsigned cp) {
    if (cp < 0x80) {
        *dst++ = (uint8_t)cp;
    } else if (cp < 0x800) {
        *dst++ = (uint8_t)(0xc0 | cp >> 6);
        *dst++ = (uint8_t)(0x80 | (cp & 0x3f));
    } else if (cp < 0x10000) {
        *dst++ = (uint8_t)(0xe0 | cp >> 12);
        *dst++ = (uint8_t)(0x80 | (cp >> 6 & 0x3f));
        *dst++ = (uint8_t)(0x80 | (cp & 0x3f));
    } else {
        *dst++ = (uint8_t)(0xf0 | cp >> 18);
        *dst++ = (uint8_t)(0x80 | (cp >> 12 & 0x3f));
        *dst++ = (uint8_t)(0x80 | (cp >> 6 & 0x3f));
        *dst++ = (uint8_t)(0x80 | (cp & 0x3f));
    }
    return dst;
}

/* \uXXXX at p, possibly a pair; *dst moves; returns behind it. */
static const uint8_t *unicode_escape(const uint8_t *p, const uint8_t *end, uint8_t **dst) {
    unsigned cp = hex4(p + 2);
    p += 6;
    if (cp >= 0xd800 && cp <= 0xdbff && end - p >= 6 && p[0] == '\\' && p[1] == 'u') {
        const unsigned low = hex4(p + 2);
        if (low >= 0xdc00 && low <= 0xdfff) {
            *dst = put_utf8(*dst, 0x10000 + ((cp - 0xd800) << 10) + (low - 0xdc00));
            return p + 6;
        }
    }
    if (cp >= 0xd800 && cp <= 0xdfff) {
        cp = 0xfffd;
    }
    *dst = put_utf8(*dst, cp);
    return p;
}

size_t hr_j_unescape(struct hr_slice raw, uint8_t *dst) {
    const uint8_t *p = raw.ptr;
    const uint8_t *end = raw.ptr + raw.len;
    uint8_t *out = dst;
    while (p < end) {
        const uint8_t *slash = memchr(p, '\\', (size_t)(end - p));
        const size_t run = (size_t)((slash ? slash : end) - p);
        memmove(out, p, run);
        out += run;
        p += run;
        if (slash == NULL) {
            break;
        }
        if (p[1] == 'u') {
            p = unicode_escape(p, end, &out);
            continue;
        }
        const uint8_t c = p[1];
        *out++ = c == 'b'   ? '\b'
                 : c == 'f' ? '\f'
                 : c == 'n' ? '\n'
                 : c == 'r' ? '\r'
                 : c == 't' ? '\t'
                            : c;
        p += 2;
    }
    return (size_t)(out - dst);
}

/* ---- numbers and words ---- */

static bool is_digit(const uint8_t *p, const uint8_t *end) {
    return p < end && (unsigned)*p - '0' <= 9;
}

static const uint8_t *word(struct hr_j_lex *lex, const uint8_t *p, const char *text, size_t len) {
    for (size_t i = 0; i < len; i++) {
        if (p + i >= lex->end) {
            return hr_j_cut(lex, "a word is cut off");
        }
        if (p[i] != (uint8_t)text[i]) {
            return hr_j_bad(lex, p, "a word that is not true, false or null");
        }
    }
    return p + len;
}

static const uint8_t *number(struct hr_j_lex *lex, const uint8_t *p, struct hr_j_token *out) {
    const uint8_t *start = p;
    const uint8_t *end = lex->end;
    out->kind = HR_J_NUMBER;
    out->integer = true;
    p += *p == '-';
    if (lex->allow_nan && p < end && *p == 'I') {
        out->kind = HR_J_NAN;
        p = word(lex, p, "Infinity", 8);
        out->text = hr_slice_of(start, p ? (size_t)(p - start) : 0);
        return p;
    }
    if (!is_digit(p, end)) {
        return p >= end ? hr_j_cut(lex, "a number is cut off")
                        : hr_j_bad(lex, p, "a number without digits");
    }
    if (*p == '0' && is_digit(p + 1, end)) {
        return hr_j_bad(lex, p, "a number with leading zeros");
    }
    while (is_digit(p, end)) {
        p++;
    }
    if (p < end && *p == '.') {
        out->integer = false;
        if (!is_digit(++p, end)) {
            return p >= end ? hr_j_cut(lex, "a number is cut off")
                            : hr_j_bad(lex, p, "no digit follows the point of a number");
        }
        while (is_digit(p, end)) {
            p++;
        }
    }
    if (p < end && (*p | 0x20) == 'e') {
        out->integer = false;
        p++;
        p += p < end && (*p == '+' || *p == '-');
        if (!is_digit(p, end)) {
            return p >= end ? hr_j_cut(lex, "a number is cut off")
                            : hr_j_bad(lex, p, "a number without exponent digits");
        }
        while (is_digit(p, end)) {
            p++;
        }
    }
    if (p >= end && !lex->eof) {
        return hr_j_cut(lex, "a number is cut off");
    }
    out->text = hr_slice_of(start, (size_t)(p - start));
    return p;
}

int hr_j_kind(const struct hr_j_lex *lex, const uint8_t *p) {
    switch (*p) {
    case '"': return HR_J_STRING;
    case '{': return HR_J_OBJECT;
    case '[': return HR_J_ARRAY;
    case 'n': return HR_J_NULL;
    case 't': return HR_J_TRUE;
    case 'f': return HR_J_FALSE;
    case 'N':
    case 'I': return lex->allow_nan ? (int)HR_J_NAN : -1;
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9': return HR_J_NUMBER;
    default: return -1;
    }
}

static const uint8_t *scalar(struct hr_j_lex *lex, const uint8_t *p, struct hr_j_token *out) {
    const uint8_t *start = p;
    const int kind = hr_j_kind(lex, p);
    switch (kind) {
    case HR_J_STRING: return hr_j_string(lex, p + 1, out);
    case HR_J_NUMBER: return number(lex, p, out);
    case HR_J_NULL: p = word(lex, p, "null", 4); break;
    case HR_J_TRUE: p = word(lex, p, "true", 4); break;
    case HR_J_FALSE: p = word(lex, p, "false", 5); break;
    case HR_J_NAN: p = *p == 'N' ? word(lex, p, "NaN", 3) : word(lex, p, "Infinity", 8); break;
    default: return hr_j_bad(lex, p, "a value was expected");
    }
    if (p != NULL) {
        out->kind = (enum hr_j_token_kind)kind;
        out->text = hr_slice_of(start, (size_t)(p - start));
    }
    return p;
}

/* ---- nested values ---- */

/* Blanks inside a nested value; notes that there were some. */
static const uint8_t *inner_blank(struct hr_j_lex *lex, const uint8_t *p, struct hr_j_token *out) {
    if (p<lex->end && * p> ' ') {
        return p;
    }
    const uint8_t *next = hr_j_blank(lex, p);
    out->blanks |= next != p;
    return next;
}

/* "key" : with p where the key must stand. */
static const uint8_t *key(struct hr_j_lex *lex, const uint8_t *p, struct hr_j_token *out) {
    struct hr_j_token name;
    if (p >= lex->end || *p != '"') {
        return p >= lex->end ? hr_j_cut(lex, "an object is not closed")
                             : hr_j_bad(lex, p, "a key in quotes was expected");
    }
    p = hr_j_string(lex, p + 1, &name);
    if (p == NULL) {
        return NULL;
    }
    p = inner_blank(lex, p, out);
    if (p >= lex->end || *p != ':') {
        return p >= lex->end ? hr_j_cut(lex, "an object is not closed")
                             : hr_j_bad(lex, p, "':' was expected behind a key");
    }
    return inner_blank(lex, p + 1, out);
}

static bool bit(const uint64_t *bits, int i) {
    return bits[i >> 6] >> (i & 63) & 1;
}

/* Opening bracket at p: push, and stand where the first item must begin or on the closing one. */
static const uint8_t *push(struct hr_j_lex *lex, const uint8_t *p, int *depth,
                           struct hr_j_token *out) {
    if (lex->depth + *depth >= lex->depth_max) {
        return hr_j_too_deep(lex, p);
    }
    const uint64_t mask = 1ULL << (*depth & 63);
    if (*p == '{') {
        lex->open[*depth >> 6] |= mask;
    } else {
        lex->open[*depth >> 6] &= ~mask;
    }
    ++*depth;
    return inner_blank(lex, p + 1, out);
}

/* Behind an item: over ',' to the next item, or over closing brackets until depth is 0. Returns
 * where the next value begins. */
static const uint8_t *after_item(struct hr_j_lex *lex, const uint8_t *p, int *depth,
                                 struct hr_j_token *out) {
    while (*depth > 0) {
        const bool object = bit(lex->open, *depth - 1);
        p = inner_blank(lex, p, out);
        if (p >= lex->end) {
            return hr_j_cut(lex, object ? "an object is not closed" : "an array is not closed");
        }
        if (*p == ',') {
            p = inner_blank(lex, p + 1, out);
            return object ? key(lex, p, out) : p;
        }
        if (*p != (object ? '}' : ']')) {
            return hr_j_bad(lex, p,
                            object ? "',' or '}' was expected in an object"
                                   : "',' or ']' was expected in an array");
        }
        p++;
        --*depth;
    }
    return p;
}

static const uint8_t *nested(struct hr_j_lex *lex, const uint8_t *p, struct hr_j_token *out) {
    const uint8_t *start = p;
    int depth = 0;
    out->blanks = false;
    do {
        if (p >= lex->end) {
            return hr_j_cut(lex, "a value is missing");
        }
        if (*p == '{' || *p == '[') {
            const uint8_t close = *p == '{' ? '}' : ']';
            p = push(lex, p, &depth, out);
            if (p == NULL) {
                return NULL;
            }
            if (p < lex->end && *p == close) {
                p++;
                depth--;
                p = after_item(lex, p, &depth, out);
            } else if (close == '}') {
                p = key(lex, p, out);
            }
        } else {
            struct hr_j_token item;
            p = scalar(lex, p, &item);
            if (p == NULL) {
                return NULL;
            }
            out->blanks |= item.kind == HR_J_NAN;
            p = after_item(lex, p, &depth, out);
        }
        if (p == NULL) {
            return NULL;
        }
    } while (depth > 0);
    out->text = hr_slice_of(start, (size_t)(p - start));
    return p;
}

const uint8_t *hr_j_value(struct hr_j_lex *lex, const uint8_t *p, struct hr_j_token *out) {
    if (p >= lex->end) {
        return hr_j_cut(lex, "a value is missing");
    }
    out->blanks = false;
    out->escaped = false;
    if (*p != '{' && *p != '[') {
        return scalar(lex, p, out);
    }
    out->kind = *p == '{' ? HR_J_OBJECT : HR_J_ARRAY;
    return nested(lex, p, out);
}

size_t hr_j_compact(struct hr_slice raw, uint8_t *dst) {
    const uint8_t *p = raw.ptr;
    const uint8_t *end = raw.ptr + raw.len;
    uint8_t *out = dst;
    while (p < end) {
        const uint8_t c = *p;
        if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
            p++;
        } else if (c == 'N' || c == 'I' || (c == '-' && end - p > 1 && p[1] == 'I')) {
            memcpy(out, "null", 4);
            out += 4;
            p += c == 'N' ? 3 : c == 'I' ? 8 : 9;
        } else if (c != '"') {
            *out++ = c;
            p++;
        } else {
            const uint8_t *from = p++;
            while (*p != '"') {
                p += *p == '\\' ? 2 : 1;
            }
            p++;
            memmove(out, from, (size_t)(p - from));
            out += p - from;
        }
    }
    return (size_t)(out - dst);
}
