/* transform/filter.c - parsing of row filters and their use for pruning (see filter.h). Negation is
 * pushed down while parsing, so the tree knows only AND, OR and leaf terms. */
#include "transform/filter_tree.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define FILTER_TEXT_MAX 65536u
#define FILTER_DEPTH_MAX 100
#define PRUNE_GROUPS_MAX 16u

/* ---- words ---- */

enum token_kind { TOK_END, TOK_NAME, TOK_QUOTED, TOK_TEXT, TOK_NUMBER, TOK_OP, TOK_PUNCT, TOK_BAD };

struct token {
    enum token_kind kind;
    size_t start, len; /* of the content */
};

struct parser {
    const char *text;
    size_t pos;
    int depth;
    struct token tok;
    struct hr_filter *filter;
    struct hr_error *err;
};

static bool name_byte(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '$' || (unsigned char)c >= 0x80;
}

static void scan_quoted(struct parser *p, char quote, enum token_kind kind) {
    const size_t start = ++p->pos;
    while (p->text[p->pos] != '\0') {
        if (p->text[p->pos] == quote) {
            if (p->text[p->pos + 1] != quote) {
                p->tok = (struct token){kind, start, p->pos - start};
                p->pos++;
                return;
            }
            p->pos++;
        }
        p->pos++;
    }
    p->tok = (struct token){TOK_BAD, start, 0};
}

static void scan_number(struct parser *p) {
    const size_t start = p->pos;
    p->pos += strspn(p->text + p->pos, "+-");
    while (name_byte(p->text[p->pos]) ||
           ((p->text[p->pos] == '-' || p->text[p->pos] == '+') &&
            (p->text[p->pos - 1] == 'e' || p->text[p->pos - 1] == 'E'))) {
        p->pos++;
    }
    p->tok = (struct token){TOK_NUMBER, start, p->pos - start};
}

static void next_token(struct parser *p) {
    p->pos += strspn(p->text + p->pos, " \t\r\n");
    const char c = p->text[p->pos];
    const size_t start = p->pos;
    if (c == '\0') {
        p->tok = (struct token){TOK_END, start, 0};
    } else if (c == '\'') {
        scan_quoted(p, '\'', TOK_TEXT);
    } else if (c == '"' || c == '`') {
        scan_quoted(p, c, TOK_QUOTED);
    } else if ((c >= '0' && c <= '9') || c == '-' || c == '+' ||
               (c == '.' && p->text[p->pos + 1] >= '0' && p->text[p->pos + 1] <= '9')) {
        scan_number(p);
    } else if (name_byte(c)) {
        while (name_byte(p->text[p->pos])) {
            p->pos++;
        }
        p->tok = (struct token){TOK_NAME, start, p->pos - start};
    } else if (strchr("=<>!", c) != NULL) {
        const bool two = p->text[p->pos + 1] == '=' || (c == '<' && p->text[p->pos + 1] == '>');
        p->pos += two ? 2 : 1;
        p->tok = (struct token){TOK_OP, start, p->pos - start};
    } else {
        p->pos++;
        p->tok = (struct token){strchr("(),", c) ? TOK_PUNCT : TOK_BAD, start, 1};
    }
}

static int syntax(struct parser *p, const char *wanted) {
    hr_fail(p->err, HR_E_USAGE, "could not read the filter at position %zu: expected %s",
            p->tok.start + 1, wanted);
    hr_error_detail(p->err, "filter: %.200s", p->text);
    hr_error_hint(p->err, "write for example: price >= 10 and (kind in ('a', 'b') or day between "
                          "'2024-01-01' and '2024-01-31')");
    return HR_E_USAGE;
}

static bool is_word(const struct parser *p, const char *word) {
    return p->tok.kind == TOK_NAME && p->tok.len == strlen(word) &&
           strncasecmp(p->text + p->tok.start, word, p->tok.len) == 0;
}

static bool take_word(struct parser *p, const char *word) {
    if (!is_word(p, word)) {
        return false;
    }
    next_token(p);
    return true;
}

static bool take_punct(struct parser *p, char c) {
    if (p->tok.kind != TOK_PUNCT || p->text[p->tok.start] != c) {
        return false;
    }
    next_token(p);
    return true;
}

/* ---- tree ---- */

static int no_memory(struct hr_error *err) {
    return hr_fail(err, HR_E_NOMEM, "could not allocate a filter");
}

static struct hr_filter_node *new_node(struct hr_filter *f, enum hr_node_kind kind) {
    struct hr_filter_node *node = hr_arena_calloc(&f->arena, 1, sizeof(*node));
    if (node != NULL) {
        node->kind = kind;
    }
    return node;
}

static enum hr_cmp inverse(enum hr_cmp cmp) {
    switch (cmp) {
    case HR_CMP_EQ: return HR_CMP_NE;
    case HR_CMP_NE: return HR_CMP_EQ;
    case HR_CMP_LT: return HR_CMP_GE;
    case HR_CMP_LE: return HR_CMP_GT;
    case HR_CMP_GT: return HR_CMP_LE;
    case HR_CMP_GE: return HR_CMP_LT;
    case HR_CMP_NULL: return HR_CMP_NOT_NULL;
    default: return HR_CMP_NULL;
    }
}

/* The text of a name, text or number token, quotes undoubled. */
static char *token_text(struct parser *p) {
    char *out = hr_arena_alloc(&p->filter->arena, p->tok.len + 1);
    if (out == NULL) {
        return NULL;
    }
    const char quote = p->tok.kind == TOK_TEXT ? '\''
                       : p->tok.start > 0      ? p->text[p->tok.start - 1]
                                               : '\0';
    const bool quoted = p->tok.kind == TOK_TEXT || p->tok.kind == TOK_QUOTED;
    size_t n = 0;
    for (size_t i = 0; i < p->tok.len; i++) {
        out[n++] = p->text[p->tok.start + i];
        i += quoted && p->text[p->tok.start + i] == quote;
    }
    out[n] = '\0';
    return out;
}

static int parse_value(struct parser *p, const char **out) {
    if (p->tok.kind != TOK_TEXT && p->tok.kind != TOK_NUMBER && !is_word(p, "true") &&
        !is_word(p, "false")) {
        return syntax(p, "a number, 'text', true or false");
    }
    *out = token_text(p);
    if (*out == NULL) {
        return no_memory(p->err);
    }
    next_token(p);
    return 0;
}

static int add_column(struct hr_filter *f, const char *name, struct hr_error *err) {
    for (size_t i = 0; i < f->n_columns; i++) {
        if (strcmp(f->columns[i], name) == 0) {
            return 0;
        }
    }
    const char **grown = hr_arena_alloc(&f->arena, (f->n_columns + 1) * sizeof(*grown));
    if (grown == NULL) {
        return no_memory(err);
    }
    if (f->n_columns > 0) {
        memcpy(grown, f->columns, f->n_columns * sizeof(*grown));
    }
    grown[f->n_columns++] = name;
    f->columns = grown;
    return 0;
}

static int leaf(struct hr_filter *f, const char *column, enum hr_cmp cmp, const char *const *values,
                size_t count, struct hr_filter_node **out, struct hr_error *err) {
    struct hr_filter_node *node = new_node(f, HR_NODE_TERM);
    if (node == NULL || add_column(f, column, err) != 0) {
        return no_memory(err);
    }
    node->term = (struct hr_prune_term){column, cmp, values, count};
    *out = node;
    return 0;
}

static int join(struct hr_filter *f, enum hr_node_kind kind, struct hr_filter_node *a,
                struct hr_filter_node *b, struct hr_filter_node **out, struct hr_error *err) {
    struct hr_filter_node *node = new_node(f, kind);
    if (node == NULL) {
        return no_memory(err);
    }
    node->left = a;
    node->right = b;
    *out = node;
    return 0;
}

static int compare(struct parser *p, const char *column, enum hr_cmp cmp, const char *value,
                   struct hr_filter_node **out) {
    const char **values = hr_arena_alloc(&p->filter->arena, sizeof(*values));
    if (values == NULL) {
        return no_memory(p->err);
    }
    values[0] = value;
    return leaf(p->filter, column, cmp, values, 1, out, p->err);
}

/* a between x and y = a >= x and a <= y; negated: a < x or a > y. */
static int parse_between(struct parser *p, const char *column, bool negate,
                         struct hr_filter_node **out) {
    const char *low;
    const char *high;
    struct hr_filter_node *a;
    struct hr_filter_node *b;
    int rc = parse_value(p, &low);
    if (rc == 0 && !take_word(p, "and")) {
        rc = syntax(p, "'and'");
    }
    if (rc == 0) {
        rc = parse_value(p, &high);
    }
    if (rc == 0) {
        rc = compare(p, column, negate ? HR_CMP_LT : HR_CMP_GE, low, &a);
    }
    if (rc == 0) {
        rc = compare(p, column, negate ? HR_CMP_GT : HR_CMP_LE, high, &b);
    }
    return rc != 0 ? rc : join(p->filter, negate ? HR_NODE_OR : HR_NODE_AND, a, b, out, p->err);
}

/* a not in (x, y) = a != x and a != y. */
static int not_in(struct hr_filter *f, const char *column, const char *const *values, size_t count,
                  struct hr_filter_node **out, struct hr_error *err) {
    struct hr_filter_node *all = NULL;
    for (size_t i = 0; i < count; i++) {
        struct hr_filter_node *one = NULL;
        int rc = leaf(f, column, HR_CMP_NE, values + i, 1, &one, err);
        if (rc == 0 && all != NULL) {
            rc = join(f, HR_NODE_AND, all, one, &one, err);
        }
        if (rc != 0) {
            return rc;
        }
        all = one;
    }
    *out = all;
    return 0;
}

static int parse_in(struct parser *p, const char *column, bool negate,
                    struct hr_filter_node **out) {
    if (!take_punct(p, '(')) {
        return syntax(p, "'('");
    }
    const char **values = NULL;
    size_t count = 0;
    size_t cap = 0;
    do {
        if (count == cap) {
            cap = cap ? cap * 2 : 8;
            const char **grown = hr_arena_alloc(&p->filter->arena, cap * sizeof(*grown));
            if (grown == NULL) {
                return no_memory(p->err);
            }
            if (count > 0) {
                memcpy(grown, values, count * sizeof(*grown));
            }
            values = grown;
        }
        const int rc = parse_value(p, &values[count]);
        if (rc != 0) {
            return rc;
        }
        count++;
    } while (take_punct(p, ','));
    if (!take_punct(p, ')')) {
        return syntax(p, "',' or ')'");
    }
    return negate ? not_in(p->filter, column, values, count, out, p->err)
                  : leaf(p->filter, column, HR_CMP_IN, values, count, out, p->err);
}

static bool op_of(const char *text, size_t len, enum hr_cmp *out) {
    static const struct {
        const char *text;
        enum hr_cmp cmp;
    } ops[] = {{"=", HR_CMP_EQ}, {"==", HR_CMP_EQ}, {"!=", HR_CMP_NE}, {"<>", HR_CMP_NE},
               {"<", HR_CMP_LT}, {"<=", HR_CMP_LE}, {">", HR_CMP_GT},  {">=", HR_CMP_GE}};
    for (size_t i = 0; i < HR_COUNTOF(ops); i++) {
        if (strlen(ops[i].text) == len && memcmp(ops[i].text, text, len) == 0) {
            *out = ops[i].cmp;
            return true;
        }
    }
    return false;
}

static int parse_term(struct parser *p, bool negate, struct hr_filter_node **out) {
    if (p->tok.kind != TOK_NAME && p->tok.kind != TOK_QUOTED) {
        return syntax(p, "a column name");
    }
    const char *column = token_text(p);
    if (column == NULL) {
        return no_memory(p->err);
    }
    next_token(p);
    if (take_word(p, "is")) {
        const bool is_not = take_word(p, "not");
        if (!take_word(p, "null")) {
            return syntax(p, "'null'");
        }
        return leaf(p->filter, column, is_not != negate ? HR_CMP_NOT_NULL : HR_CMP_NULL, NULL, 0,
                    out, p->err);
    }
    if (take_word(p, "not")) {
        negate = !negate;
        if (!is_word(p, "between") && !is_word(p, "in")) {
            return syntax(p, "'between' or 'in'");
        }
    }
    if (take_word(p, "between")) {
        return parse_between(p, column, negate, out);
    }
    if (take_word(p, "in")) {
        return parse_in(p, column, negate, out);
    }
    enum hr_cmp cmp;
    if (p->tok.kind != TOK_OP || !op_of(p->text + p->tok.start, p->tok.len, &cmp)) {
        return syntax(p, "a comparison (= != < <= > >= between in is)");
    }
    next_token(p);
    const char *value;
    const int rc = parse_value(p, &value);
    return rc != 0 ? rc : compare(p, column, negate ? inverse(cmp) : cmp, value, out);
}

static int parse_or(struct parser *p, bool negate, struct hr_filter_node **out);

static int parse_not(struct parser *p, bool negate, struct hr_filter_node **out) {
    while (take_word(p, "not")) {
        negate = !negate;
    }
    if (!take_punct(p, '(')) {
        return parse_term(p, negate, out);
    }
    if (++p->depth > FILTER_DEPTH_MAX) {
        return syntax(p, "fewer than 100 nested parentheses");
    }
    int rc = parse_or(p, negate, out);
    p->depth--;
    if (rc == 0 && !take_punct(p, ')')) {
        rc = syntax(p, "')'");
    }
    return rc;
}

/* De Morgan: under a negation AND becomes OR and the other way round. */
static int parse_and(struct parser *p, bool negate, struct hr_filter_node **out) {
    int rc = parse_not(p, negate, out);
    while (rc == 0 && take_word(p, "and")) {
        struct hr_filter_node *right;
        rc = parse_not(p, negate, &right);
        if (rc == 0) {
            rc = join(p->filter, negate ? HR_NODE_OR : HR_NODE_AND, *out, right, out, p->err);
        }
    }
    return rc;
}

static int parse_or(struct parser *p, bool negate, struct hr_filter_node **out) {
    int rc = parse_and(p, negate, out);
    while (rc == 0 && take_word(p, "or")) {
        struct hr_filter_node *right;
        rc = parse_and(p, negate, &right);
        if (rc == 0) {
            rc = join(p->filter, negate ? HR_NODE_AND : HR_NODE_OR, *out, right, out, p->err);
        }
    }
    return rc;
}

/* ---- pruning ---- */

/* A growing disjunction of conjunctions; every group holds pointers to leaf terms. */
struct dnf {
    struct {
        struct hr_prune_term terms[32];
        size_t count;
    } groups[PRUNE_GROUPS_MAX];
    size_t count;
};

static bool to_dnf(const struct hr_filter_node *node, struct dnf *out);

static bool cross(const struct dnf *a, const struct dnf *b, struct dnf *out) {
    out->count = 0;
    for (size_t i = 0; i < a->count; i++) {
        for (size_t k = 0; k < b->count; k++) {
            const size_t n = a->groups[i].count + b->groups[k].count;
            if (out->count == PRUNE_GROUPS_MAX || n > 32) {
                return false;
            }
            memcpy(out->groups[out->count].terms, a->groups[i].terms,
                   a->groups[i].count * sizeof(struct hr_prune_term));
            memcpy(out->groups[out->count].terms + a->groups[i].count, b->groups[k].terms,
                   b->groups[k].count * sizeof(struct hr_prune_term));
            out->groups[out->count++].count = n;
        }
    }
    return true;
}

static bool to_dnf(const struct hr_filter_node *node, struct dnf *out) {
    if (node->kind == HR_NODE_TERM) {
        out->count = 1;
        out->groups[0].terms[0] = node->term;
        out->groups[0].count = 1;
        return true;
    }
    struct dnf *sides = hr_calloc(2, sizeof(*sides));
    bool ok = sides != NULL && to_dnf(node->left, &sides[0]) && to_dnf(node->right, &sides[1]);
    if (ok && node->kind == HR_NODE_AND) {
        ok = cross(&sides[0], &sides[1], out);
    } else if (ok) {
        ok = sides[0].count + sides[1].count <= PRUNE_GROUPS_MAX;
        if (ok) {
            *out = sides[0];
            memcpy(out->groups + out->count, sides[1].groups,
                   sides[1].count * sizeof(sides[1].groups[0]));
            out->count += sides[1].count;
        }
    }
    hr_free(sides);
    return ok;
}

/* What readers may skip by. Made with the filter and never changed: workers share it. */
static int make_prune(struct hr_filter *filter, struct hr_error *err) {
    filter->prune = NULL;
    struct dnf *dnf = hr_calloc(1, sizeof(*dnf));
    if (dnf == NULL) {
        return no_memory(err);
    }
    if (!to_dnf(filter->root, dnf)) {
        hr_free(dnf);
        return 0; /* too wide to prune by */
    }
    struct hr_prune *prune = hr_arena_alloc(&filter->arena, sizeof(*prune));
    struct hr_prune_and *groups = hr_arena_alloc(&filter->arena, dnf->count * sizeof(*groups));
    bool ok = prune != NULL && groups != NULL;
    for (size_t i = 0; ok && i < dnf->count; i++) {
        const size_t bytes = dnf->groups[i].count * sizeof(struct hr_prune_term);
        struct hr_prune_term *terms = hr_arena_alloc(&filter->arena, bytes);
        ok = terms != NULL;
        if (ok) {
            memcpy(terms, dnf->groups[i].terms, bytes);
            groups[i] = (struct hr_prune_and){terms, dnf->groups[i].count};
        }
    }
    if (ok) {
        *prune = (struct hr_prune){groups, dnf->count};
        filter->prune = prune;
    }
    hr_free(dnf);
    return ok ? 0 : no_memory(err);
}

/* ---- life ---- */

static struct hr_filter *new_filter(void) {
    struct hr_filter *filter = hr_calloc(1, sizeof(*filter));
    if (filter != NULL) {
        hr_arena_init(&filter->arena, (size_t)16 << 20);
    }
    return filter;
}

void hr_filter_free(struct hr_filter *filter) {
    if (filter != NULL) {
        hr_arena_release(&filter->arena);
        hr_free(filter);
    }
}

int hr_filter_parse(const char *text, struct hr_filter **out, struct hr_error *err) {
    *out = NULL;
    if (strlen(text) > FILTER_TEXT_MAX) {
        return hr_fail(err, HR_E_USAGE, "could not read a filter of more than %u bytes",
                       FILTER_TEXT_MAX);
    }
    struct hr_filter *filter = new_filter();
    if (filter == NULL) {
        return no_memory(err);
    }
    struct parser p = {.text = text, .filter = filter, .err = err};
    next_token(&p);
    int rc = parse_or(&p, false, &filter->root);
    if (rc == 0 && p.tok.kind != TOK_END) {
        rc = syntax(&p, "'and', 'or' or the end");
    }
    if (rc == 0) {
        rc = make_prune(filter, err);
    }
    if (rc != 0) {
        hr_filter_free(filter);
        return rc;
    }
    *out = filter;
    return 0;
}

/* ---- JSON form ---- */

static int json_value(struct hr_filter *f, const json_t *v, const char **out,
                      struct hr_error *err) {
    char local[64];
    const char *text = local;
    if (json_is_string(v)) {
        text = json_string_value(v);
    } else if (json_is_integer(v)) {
        snprintf(local, sizeof(local), "%lld", (long long)json_integer_value(v));
    } else if (json_is_real(v)) {
        snprintf(local, sizeof(local), "%.17g", json_real_value(v));
    } else if (json_is_boolean(v)) {
        text = json_is_true(v) ? "true" : "false";
    } else {
        return hr_fail(err, HR_E_CONFIG,
                       "could not use a filter value that is not text, a number or a boolean");
    }
    *out = hr_arena_strndup(&f->arena, text, strlen(text));
    return *out ? 0 : no_memory(err);
}

static int json_values(struct hr_filter *f, const json_t *v, const char *const **out, size_t *count,
                       struct hr_error *err) {
    const size_t n = json_is_array(v) ? json_array_size(v) : 1;
    const char **values = hr_arena_alloc(&f->arena, n * sizeof(*values));
    if (values == NULL) {
        return no_memory(err);
    }
    for (size_t i = 0; i < n; i++) {
        const int rc = json_value(f, json_is_array(v) ? json_array_get(v, i) : v, &values[i], err);
        if (rc != 0) {
            return rc;
        }
    }
    *out = values;
    *count = n;
    return 0;
}

static int bad_json(struct hr_error *err) {
    hr_fail(err, HR_E_CONFIG, "could not read the filters: a term is [\"column\", \"op\", value]");
    hr_error_hint(err, "ops are = != < <= > >= in \"not in\"; a list of lists of terms is an OR of "
                       "ANDs");
    return HR_E_CONFIG;
}

static int json_term(struct hr_filter *f, const json_t *term, struct hr_filter_node **out,
                     struct hr_error *err) {
    const char *column = json_string_value(json_array_get(term, 0));
    const char *op = json_string_value(json_array_get(term, 1));
    if (json_array_size(term) != 3 || column == NULL || op == NULL) {
        return bad_json(err);
    }
    const char *name = hr_arena_strndup(&f->arena, column, strlen(column));
    const char *const *values = NULL;
    size_t count = 0;
    int rc = name ? json_values(f, json_array_get(term, 2), &values, &count, err) : no_memory(err);
    if (rc != 0) {
        return rc;
    }
    if (strcasecmp(op, "in") == 0 && count > 0) {
        return leaf(f, name, HR_CMP_IN, values, count, out, err);
    }
    if (strcasecmp(op, "not in") == 0 && count > 0) {
        return not_in(f, name, values, count, out, err);
    }
    enum hr_cmp cmp;
    if (count != 1 || !op_of(op, strlen(op), &cmp)) {
        return bad_json(err);
    }
    return leaf(f, name, cmp, values, 1, out, err);
}

static int json_group(struct hr_filter *f, const json_t *list, struct hr_filter_node **out,
                      struct hr_error *err) {
    struct hr_filter_node *all = NULL;
    for (size_t i = 0; i < json_array_size(list); i++) {
        struct hr_filter_node *one = NULL;
        int rc = json_term(f, json_array_get(list, i), &one, err);
        if (rc == 0 && all != NULL) {
            rc = join(f, HR_NODE_AND, all, one, &one, err);
        }
        if (rc != 0) {
            return rc;
        }
        all = one;
    }
    *out = all;
    return all ? 0 : bad_json(err);
}

int hr_filter_from_json(const json_t *json, struct hr_filter **out, struct hr_error *err) {
    *out = NULL;
    if (!json_is_array(json) || json_array_size(json) == 0) {
        return bad_json(err);
    }
    struct hr_filter *filter = new_filter();
    if (filter == NULL) {
        return no_memory(err);
    }
    const json_t *first = json_array_get(json, 0);
    const bool groups = json_is_array(first) && json_is_array(json_array_get(first, 0));
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < (groups ? json_array_size(json) : 1); i++) {
        struct hr_filter_node *one = NULL;
        rc = json_group(filter, groups ? json_array_get(json, i) : json, &one, err);
        if (rc == 0 && filter->root != NULL) {
            rc = join(filter, HR_NODE_OR, filter->root, one, &one, err);
        }
        filter->root = one;
    }
    if (rc == 0) {
        rc = make_prune(filter, err);
    }
    if (rc != 0) {
        hr_filter_free(filter);
        return rc;
    }
    *out = filter;
    return 0;
}

/* ---- use ---- */

/* Deep copy of a tree into another filter's arena. */
static struct hr_filter_node *copy_node(struct hr_filter *f, const struct hr_filter_node *src) {
    struct hr_filter_node *node = new_node(f, src->kind);
    if (node == NULL) {
        return NULL;
    }
    if (src->kind != HR_NODE_TERM) {
        node->left = copy_node(f, src->left);
        node->right = copy_node(f, src->right);
        return node->left && node->right ? node : NULL;
    }
    const char **values = hr_arena_alloc(&f->arena, src->term.count * sizeof(*values));
    const char *name = hr_arena_strndup(&f->arena, src->term.column, strlen(src->term.column));
    if (values == NULL || name == NULL || add_column(f, name, NULL) != 0) {
        return NULL;
    }
    for (size_t i = 0; i < src->term.count; i++) {
        const char *v = src->term.values[i];
        values[i] = hr_arena_strndup(&f->arena, v, strlen(v));
        if (values[i] == NULL) {
            return NULL;
        }
    }
    node->term = (struct hr_prune_term){name, src->term.cmp, values, src->term.count};
    return node;
}

int hr_filter_and(struct hr_filter *a, struct hr_filter *b, struct hr_filter **out,
                  struct hr_error *err) {
    if (a == NULL || b == NULL) {
        *out = a ? a : b;
        return 0;
    }
    *out = NULL;
    struct hr_filter_node *right = copy_node(a, b->root);
    int rc = right ? join(a, HR_NODE_AND, a->root, right, &a->root, err) : no_memory(err);
    hr_filter_free(b);
    if (rc == 0) {
        rc = make_prune(a, err);
    }
    if (rc != 0) {
        hr_filter_free(a);
        return rc;
    }
    *out = a;
    return 0;
}

const char *const *hr_filter_columns(const struct hr_filter *filter, size_t *out_count) {
    *out_count = filter->n_columns;
    return filter->columns;
}

const struct hr_prune *hr_filter_prune(const struct hr_filter *filter) {
    return filter->prune;
}
