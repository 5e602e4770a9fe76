/* format/json/json_lex.h - the tokens of RFC 8259, checked exactly.
 *
 * Every function takes a position and returns the position behind what it read, or NULL with the
 * reason in the lexer. Input is a window [.., end) of a longer text: reaching `end` before `eof`
 * asks for more input (HR_J_MORE) and the caller tries the whole record again with a longer window,
 * so no function keeps state between windows. HR_PAD undefined bytes behind `end` may be read but
 * never decide anything. Level 3, private to this folder.
 */
#ifndef HR_FORMAT_JSON_LEX_H
#define HR_FORMAT_JSON_LEX_H

#include "base/slice.h"

enum hr_j_status {
    HR_J_MORE = 1, /* ran into the end of the window */
    HR_J_BAD,      /* not JSON: `at` and `why` say where and what */
    HR_J_CUT,      /* the text ended inside a value */
    HR_J_BOUND,    /* over a bound: `at` and `why` */
    HR_J_ERROR     /* `rc`: out of memory and the like; the caller's err is filled */
};

struct hr_j_lex {
    const uint8_t *end;
    bool eof;       /* nothing follows end */
    bool newlines;  /* a newline inside a record is a blank (documents), not its end (lines) */
    bool allow_nan; /* NaN, Infinity and -Infinity are values */
    int depth;      /* objects and arrays open around the position */
    int depth_max;
    uint64_t *open; /* scratch of hr_j_skip: one bit a level, set = object; depth_max + 64 bits */
    /* the answer when a function returns NULL */
    enum hr_j_status status;
    const uint8_t *at;
    const char *why; /* static text */
    int rc;
    struct hr_error *err;
};

int hr_j_lex_init(struct hr_j_lex *lex, int depth_max, struct hr_error *err);
void hr_j_lex_release(struct hr_j_lex *lex);

/* Set the answer and return NULL. An error close to the end of a window that goes on may stem from
 * bytes behind the window: it counts as HR_J_MORE. */
const uint8_t *hr_j_bad(struct hr_j_lex *lex, const uint8_t *at, const char *why);
const uint8_t *hr_j_cut(struct hr_j_lex *lex, const char *why); /* position == end */
const uint8_t *hr_j_fail(struct hr_j_lex *lex, int rc);
const uint8_t *hr_j_too_deep(struct hr_j_lex *lex, const uint8_t *at);

/* Over blanks; stops at `end` at the latest. Never NULL. */
static inline const uint8_t *hr_j_blank(const struct hr_j_lex *lex, const uint8_t *p) {
    while (p < lex->end &&
           (*p == ' ' || *p == '\t' || *p == '\r' || (*p == '\n' && lex->newlines))) {
        p++;
    }
    return p;
}

enum hr_j_token_kind {
    HR_J_NULL,
    HR_J_FALSE,
    HR_J_TRUE,
    HR_J_NUMBER,
    HR_J_NAN, /* NaN, Infinity, -Infinity */
    HR_J_STRING,
    HR_J_OBJECT,
    HR_J_ARRAY
};

/* One value. text: the raw bytes; of a string what stands between the quotes. */
struct hr_j_token {
    enum hr_j_token_kind kind;
    struct hr_slice text;
    bool integer; /* NUMBER without fraction and exponent */
    bool escaped; /* STRING with a backslash */
    bool blanks;  /* OBJECT, ARRAY: holds blanks or NaN, is not compact */
};

/* The kind of value that begins at p, by its first byte; -1 none. */
int hr_j_kind(const struct hr_j_lex *lex, const uint8_t *p);
/* A whole value of any kind, checked, nested ones without recursion. */
const uint8_t *hr_j_value(struct hr_j_lex *lex, const uint8_t *p, struct hr_j_token *out);
/* The rest of a string whose opening quote stands before p; returns behind the closing quote. */
const uint8_t *hr_j_string(struct hr_j_lex *lex, const uint8_t *p, struct hr_j_token *out);

/* Decode the escapes of a checked string; returns the length, never more than raw.len. A lone
 * surrogate becomes U+FFFD. */
size_t hr_j_unescape(struct hr_slice raw, uint8_t *dst);
/* Copy a checked value without its blanks, NaN and infinities as null; returns the length. dst has
 * room for HR_J_COMPACT_ROOM(raw.len). */
#define HR_J_COMPACT_ROOM(len) ((len) + (len) / 3 + 8)
size_t hr_j_compact(struct hr_slice raw, uint8_t *dst);

/* The first byte that is not valid UTF-8 (RFC 3629), NULL when all is. */
const uint8_t *hr_j_utf8_bad(const uint8_t *p, const uint8_t *end);

#endif
