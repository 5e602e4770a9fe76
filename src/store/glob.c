/* store/glob.c - glob patterns over object keys.
 *
 * Two matchers with one meaning. Without braces: backtracking with two saved points, the last `*`
 * and the last `**`; every retry moves one of them forward, so the work is bounded (pattern x key
 * squared at worst). With braces: the set of pattern positions that are alive is carried along the
 * key (a Thompson automaton), so nested and repeated alternatives cannot explode either. Both work
 * on code points; bytes that are not UTF-8 stand for themselves.
 *
 * Syntax: `*` any run without '/', `**` any run, `**` between slashes also no folder at all,
 * `?` one character that is not '/', `[a-z]` `[!a-z]` one of a class (never '/'), `{a,b}`
 * alternatives, `\x` the character x itself. An opening bracket or brace without its end is an
 * ordinary character. */
#include "store/store.h"

#define MAX_POSITIONS 4096 /* longer patterns match nothing */

/* One code point at text[0..end); bytes of broken sequences count as 0x110000 + byte. */
static uint32_t decode(const char *text, const char *end, size_t *len) {
    const uint8_t *p = (const uint8_t *)text;
    size_t left = (size_t)(end - text);
    *len = 1;
    if (p[0] < 0x80) {
        return p[0];
    }
    size_t need = p[0] >= 0xf0 ? 3 : p[0] >= 0xe0 ? 2 : p[0] >= 0xc2 ? 1 : 0;
    if (need == 0 || p[0] > 0xf4 || left <= need) {
        return 0x110000u + p[0];
    }
    uint32_t code = p[0] & (0x3fu >> need);
    for (size_t i = 1; i <= need; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0x110000u + p[0];
        }
        code = code << 6 | (p[i] & 0x3fu);
    }
    *len = need + 1;
    return code;
}

/* The end of the class that starts at p ('['): the byte behind its ']', or NULL when there is none.
 * A ']' right behind the opening is a member. */
static const char *class_end(const char *p, const char *end) {
    const char *q = p + 1;
    if (q < end && (*q == '!' || *q == '^')) {
        q++;
    }
    if (q < end && *q == ']') {
        q++;
    }
    while (q < end && *q != ']') {
        q += (*q == '\\' && q + 1 < end) ? 2 : 1;
    }
    return q < end ? q + 1 : NULL;
}

static uint32_t class_member(const char **q, const char *end) {
    size_t len;
    if (**q == '\\' && *q + 1 < end) {
        (*q)++;
    }
    uint32_t code = decode(*q, end, &len);
    *q += len;
    return code;
}

static bool class_has(const char *p, const char *after, uint32_t code) {
    const char *end = after - 1; /* at the ']' */
    const char *q = p + 1;
    bool negate = false;
    bool found = false;
    if (*q == '!' || *q == '^') {
        negate = true;
        q++;
    }
    while (q < end) {
        uint32_t low = class_member(&q, end);
        uint32_t high = low;
        if (q + 1 < end && *q == '-') {
            q++;
            high = class_member(&q, end);
        }
        found = found || (code >= low && code <= high);
    }
    return found != negate && code != '/';
}

/* Does the single-character element at p match code? *next is the element behind it. */
static bool element(const char *p, const char *end, uint32_t code, const char **next) {
    size_t len;
    if (*p == '?') {
        *next = p + 1;
        return code != '/';
    }
    if (*p == '[') {
        const char *after = class_end(p, end);
        if (after != NULL) {
            *next = after;
            return class_has(p, after, code);
        }
    }
    if (*p == '\\' && p + 1 < end) {
        p++;
    }
    uint32_t want = decode(p, end, &len);
    *next = p + len;
    return want == code;
}

/* What kind of star is at p, and where the pattern goes on. A `**` with a slash on both sides (or
 * the start of the pattern, or of an alternative, on the left) stands for whole folders, none
 * included. */
enum star { STAR_NONE, STAR_NAME, STAR_ANY, STAR_FOLDERS };
static enum star star_at(const char *start, const char *p, const char *end, bool braces,
                         const char **next) {
    if (p >= end || *p != '*') {
        return STAR_NONE;
    }
    const char *q = p;
    while (q < end && *q == '*') {
        q++;
    }
    *next = q;
    if (q - p == 1) {
        return STAR_NAME;
    }
    bool begins = p == start || p[-1] == '/' || (braces && (p[-1] == '{' || p[-1] == ','));
    if (q < end && *q == '/' && begins) {
        *next = q + 1;
        return STAR_FOLDERS;
    }
    return STAR_ANY;
}

/* A point to come back to: the pattern behind the star, and the key where it was tried last. */
struct point {
    const char *pattern, *key;
    enum star kind;
};

/* Moves the star of a point over one more character (or folder). False: it cannot go further. */
static bool widen(struct point *pt, const char *key_end) {
    size_t len;
    if (pt->kind == STAR_NONE) {
        return false;
    }
    if (pt->kind == STAR_FOLDERS) {
        const char *slash = memchr(pt->key, '/', (size_t)(key_end - pt->key));
        if (slash == NULL) {
            pt->kind = STAR_NONE;
            return false;
        }
        pt->key = slash + 1;
        return true;
    }
    if (pt->key >= key_end || (pt->kind == STAR_NAME && *pt->key == '/')) {
        pt->kind = STAR_NONE;
        return false;
    }
    decode(pt->key, key_end, &len);
    pt->key += len;
    return true;
}

static bool match_plain(const char *pattern, const char *end, const char *key,
                        const char *key_end) {
    const char *p = pattern;
    const char *k = key;
    struct point name = {0};
    struct point any = {0};
    for (;;) {
        const char *next;
        enum star star = star_at(pattern, p, end, false, &next);
        if (star == STAR_NAME) {
            name = (struct point){next, k, star};
            p = next;
            continue;
        }
        if (star != STAR_NONE) {
            any = (struct point){next, k, star};
            name.kind = STAR_NONE;
            p = next;
            continue;
        }
        if (k == key_end && p == end) {
            return true;
        }
        if (k < key_end && p < end) {
            size_t len;
            uint32_t code = decode(k, key_end, &len);
            if (element(p, end, code, &next)) {
                p = next;
                k += len;
                continue;
            }
        }
        struct point *back = widen(&name, key_end) ? &name : NULL;
        if (back == NULL && widen(&any, key_end)) {
            back = &any;
            name.kind = STAR_NONE;
        }
        if (back == NULL) {
            return false;
        }
        p = back->pattern;
        k = back->key;
    }
}

/* ---- braces: a set of live positions ------------------------------------------------------- */

struct automaton {
    const char *start, *end;
    uint64_t now[MAX_POSITIONS / 64 + 1], then[MAX_POSITIONS / 64 + 1];
    uint16_t skip[MAX_POSITIONS]; /* at '{' its '}', at ',' of a group its '}'; 0 elsewhere */
    uint8_t role[MAX_POSITIONS];  /* 1 opens a group, 2 separates, 3 closes */
};

/* Pairs up braces, leaving unpaired ones ordinary. Bounded by the pattern's length squared only
 * for patterns made of nothing but opening braces. */
static void pair_braces(struct automaton *a) {
    size_t n = (size_t)(a->end - a->start);
    uint16_t open[64];
    size_t depth = 0;
    memset(a->role, 0, n);
    for (size_t i = 0; i < n; i++) {
        char c = a->start[i];
        if (c == '\\') {
            i++;
        } else if (c == '[') {
            const char *after = class_end(a->start + i, a->end);
            if (after != NULL) {
                i = (size_t)(after - a->start) - 1;
            }
        } else if (c == '{' && depth < 64) {
            open[depth++] = (uint16_t)i;
        } else if (c == ',' && depth > 0) {
            a->role[i] = 2; /* undone below when its group never closes */
            a->skip[i] = (uint16_t)open[depth - 1];
        } else if (c == '}' && depth > 0) {
            uint16_t o = open[--depth];
            a->role[o] = 1;
            a->role[i] = 3;
            a->skip[o] = (uint16_t)i;
            for (size_t j = o + 1u; j < i; j++) {
                if (a->role[j] == 2 && a->skip[j] == o) {
                    a->skip[j] = (uint16_t)i;
                    a->role[j] = 4; /* settled */
                }
            }
        }
    }
    for (size_t i = 0; i < n; i++) {
        a->role[i] = a->role[i] == 2 ? 0 : a->role[i] == 4 ? 2 : a->role[i];
    }
}

static bool in_set(const uint64_t *set, size_t i) {
    return set[i / 64] >> (i % 64) & 1;
}

/* Marks position i unless it is marked; it is then expanded once. */
static void push(uint64_t *set, uint16_t *stack, size_t *depth, size_t i) {
    if (!in_set(set, i)) {
        set[i / 64] |= 1ULL << (i % 64);
        stack[(*depth)++] = (uint16_t)i;
    }
}

/* Adds position i and all that is reached from it without a character. */
static void add(const struct automaton *a, uint64_t *set, size_t i) {
    uint16_t stack[MAX_POSITIONS + 1];
    size_t depth = 0;
    size_t n = (size_t)(a->end - a->start);
    push(set, stack, &depth, i);
    while (depth > 0) {
        i = stack[--depth];
        if (i == n) {
            continue;
        }
        const char *next;
        if (a->role[i] == 1) { /* '{': every alternative starts here */
            size_t last = a->skip[i];
            push(set, stack, &depth, i + 1);
            for (size_t j = i + 1; j < last; j++) {
                if (a->role[j] == 2 && a->skip[j] == last) {
                    push(set, stack, &depth, j + 1);
                }
            }
        } else if (a->role[i] == 2) { /* end of an alternative */
            push(set, stack, &depth, a->skip[i] + 1u);
        } else if (a->role[i] == 3) {
            push(set, stack, &depth, i + 1);
        } else if (star_at(a->start, a->start + i, a->end, true, &next) != STAR_NONE) {
            push(set, stack, &depth, (size_t)(next - a->start));
        }
    }
}

/* Moves the live position i over one character into `then`. */
static void advance(struct automaton *a, size_t i, uint32_t code) {
    const char *next;
    const char *p = a->start + i;
    if (a->role[i] != 0) {
        return;
    }
    switch (star_at(a->start, p, a->end, true, &next)) {
    case STAR_NONE:
        if (element(p, a->end, code, &next)) {
            add(a, a->then, (size_t)(next - a->start));
        }
        break;
    case STAR_FOLDERS:
        /* The star itself stays alive, but what follows it only behind a slash. */
        a->then[i / 64] |= 1ULL << (i % 64);
        if (code == '/') {
            add(a, a->then, (size_t)(next - a->start));
        }
        break;
    case STAR_NAME:
        if (code != '/') {
            add(a, a->then, i);
        }
        break;
    case STAR_ANY: add(a, a->then, i); break;
    }
}

static bool match_braces(const char *pattern, const char *end, const char *key,
                         const char *key_end) {
    struct automaton a;
    size_t n = (size_t)(end - pattern);
    size_t words = n / 64 + 1;
    a.start = pattern;
    a.end = end;
    pair_braces(&a);
    memset(a.now, 0, words * 8);
    add(&a, a.now, 0);
    for (const char *k = key; k < key_end;) {
        size_t len;
        uint32_t code = decode(k, key_end, &len);
        uint64_t alive = 0;
        memset(a.then, 0, words * 8);
        for (size_t w = 0; w < words; w++) {
            for (uint64_t bits = a.now[w]; bits != 0; bits &= bits - 1) {
                size_t i = w * 64 + (size_t)__builtin_ctzll(bits);
                if (i < n) {
                    advance(&a, i, code);
                }
            }
        }
        for (size_t w = 0; w < words; w++) {
            alive |= a.now[w] = a.then[w];
        }
        if (alive == 0) {
            return false;
        }
        k += len;
    }
    return in_set(a.now, n);
}

bool hr_glob_match(const char *pattern, const char *key, size_t key_len) {
    size_t n = strlen(pattern);
    if (n >= MAX_POSITIONS) {
        return false;
    }
    if (memchr(pattern, '{', n) == NULL) {
        return match_plain(pattern, pattern + n, key, key + key_len);
    }
    return match_braces(pattern, pattern + n, key, key + key_len);
}

size_t hr_glob_literal_prefix(const char *pattern) {
    return strcspn(pattern, "*?[{\\");
}
