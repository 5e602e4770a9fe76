/* transform/filter_run.c - filters bound to a schema and run over columns. Literals are converted
 * once to the column's own form; a term then is one tight loop into a byte mask. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/num.h"
#include "base/time.h"
#include "transform/filter_tree.h"

/* How a term compares, chosen by the column's type. */
enum value_kind { VAL_INT, VAL_REAL, VAL_WIDE, VAL_BYTES };

struct literal {
    int64_t i;
    long double real; /* exact for every int64, uint64 and double */
    hr_i128 wide;     /* DEC128 at the column's scale */
    struct hr_slice bytes;
};

struct bound_node {
    enum hr_node_kind kind;
    int left, right; /* indices */
    int column;
    enum hr_cmp cmp;
    enum value_kind how;
    struct literal *values;
    size_t count;
    uint8_t *mask;
    size_t mask_cap;
};

struct hr_bound_filter {
    struct hr_arena arena;
    struct bound_node *nodes;
    int n_nodes;
    int root;
};

static int not_of_type(const struct hr_field *field, const char *text, struct hr_error *err) {
    struct hr_buf type;
    hr_buf_init(&type, 4096);
    (void)hr_field_type_text(field, &type, NULL);
    hr_fail(err, HR_E_USAGE, "could not compare column '%s' (%s) with '%.80s'", field->name,
            hr_buf_cstr(&type), text);
    hr_buf_release(&type);
    return HR_E_USAGE;
}

static bool parse_real(const char *text, size_t len, struct literal *out) {
    int64_t whole;
    uint64_t large;
    double real;
    if (hr_parse_i64(text, len, &whole)) {
        out->real = (long double)whole;
        return true;
    }
    if (hr_parse_u64(text, len, &large)) { /* every uint64 is exact too */
        out->real = (long double)large;
        return true;
    }
    if (!hr_parse_double(text, len, true, &real)) {
        return false;
    }
    out->real = (long double)real;
    return true;
}

static bool parse_bool(const char *text, int64_t *out) {
    *out = strcasecmp(text, "true") == 0 || strcmp(text, "1") == 0;
    return *out || strcasecmp(text, "false") == 0 || strcmp(text, "0") == 0;
}

/* A date or time literal in the column's unit; finer parts make it a real number. */
static bool parse_instant(struct hr_type t, const char *text, size_t len, struct literal *out) {
    static const long double per[] = {1, 1000, 1000000, 1000000000};
    int64_t seconds = 0;
    int32_t nanos = 0;
    int32_t days;
    bool zone;
    int digits;
    if (t.id == HR_T_TIME32 || t.id == HR_T_TIME64) {
        int64_t clock;
        if (!hr_parse_time(text, len, &clock)) {
            return false;
        }
        out->real = (long double)clock / (1000000000 / per[t.unit]);
        return true;
    }
    if (hr_parse_date(text, len, &days)) {
        seconds = (int64_t)days * 86400;
    } else if (!hr_parse_timestamp(text, len, &seconds, &nanos, &zone, &digits)) {
        return false;
    }
    if (t.id == HR_T_DATE32) {
        out->real = ((long double)seconds + (long double)nanos / 1e9L) / 86400;
    } else {
        out->real =
            (long double)seconds * per[t.unit] + (long double)nanos / (1000000000 / per[t.unit]);
    }
    return true;
}

static int convert(const struct hr_field *field, const char *text, struct bound_node *node,
                   struct literal *out, struct hr_error *err) {
    const struct hr_type t = field->type;
    const size_t len = strlen(text);
    bool ok = true;
    out->bytes = hr_slice_of(text, len);
    switch ((enum hr_type_id)t.id) {
    case HR_T_BOOL:
        node->how = VAL_REAL;
        ok = parse_bool(text, &out->i);
        out->real = (long double)out->i;
        break;
    case HR_T_DATE32:
    case HR_T_TIME32:
    case HR_T_TIME64:
    case HR_T_TS:
        node->how = VAL_REAL;
        ok = parse_instant(t, text, len, out);
        break;
    case HR_T_DEC128:
        node->how = VAL_WIDE;
        ok = hr_parse_decimal(text, len, 38, t.scale, &out->wide);
        if (!ok) { /* more digits than the column has: compare as real numbers */
            ok = parse_real(text, len, out);
            node->how = VAL_REAL;
        }
        break;
    case HR_T_UTF8:
    case HR_T_BINARY: node->how = VAL_BYTES; break;
    case HR_T_DEC256:
    case HR_T_FIXED:
    case HR_T_LIST:
    case HR_T_STRUCT:
    case HR_T_MAP: return not_of_type(field, text, err);
    case HR_T_NULL: node->how = VAL_BYTES; break;
    default:
        node->how = VAL_REAL;
        ok = parse_real(text, len, out);
        break;
    }
    return ok ? 0 : not_of_type(field, text, err);
}

static int unknown_column(const struct hr_schema *schema, const char *name, struct hr_error *err) {
    char list[240];
    size_t n = 0;
    list[0] = '\0';
    for (int i = 0; i < schema->n_fields && n + 8 < sizeof(list); i++) {
        const int wrote =
            snprintf(list + n, sizeof(list) - n, "%s%s", i ? ", " : "", schema->fields[i].name);
        n += (size_t)wrote;
    }
    hr_fail(err, HR_E_USAGE, "could not filter by column '%s': there is no such column", name);
    hr_error_hint(err, "columns are: %s", list);
    return HR_E_USAGE;
}

static int bind_term(struct hr_bound_filter *b, const struct hr_prune_term *term,
                     const struct hr_schema *schema, struct bound_node *node,
                     struct hr_error *err) {
    node->column = hr_schema_find(schema, term->column, strlen(term->column));
    if (node->column < 0) {
        return unknown_column(schema, term->column, err);
    }
    node->cmp = term->cmp;
    node->count = term->count;
    node->values = hr_arena_calloc(&b->arena, term->count, sizeof(*node->values));
    if (node->values == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate a filter");
    }
    bool real = false;
    for (size_t i = 0; i < term->count; i++) {
        const int rc =
            convert(&schema->fields[node->column], term->values[i], node, &node->values[i], err);
        if (rc != 0) {
            return rc;
        }
        real = real || node->how == VAL_REAL;
    }
    if (real && schema->fields[node->column].type.id == HR_T_DEC128) {
        node->how = VAL_REAL; /* one literal needed it: all of them use it */
        for (size_t i = 0; i < term->count; i++) {
            (void)parse_real(term->values[i], strlen(term->values[i]), &node->values[i]);
        }
    }
    return 0;
}

static int count_nodes(const struct hr_filter_node *node) {
    return node->kind == HR_NODE_TERM ? 1 : 1 + count_nodes(node->left) + count_nodes(node->right);
}

static int bind_node(struct hr_bound_filter *b, const struct hr_filter_node *src,
                     const struct hr_schema *schema, int *out, struct hr_error *err) {
    const int index = b->n_nodes++;
    b->nodes[index].kind = src->kind;
    *out = index;
    if (src->kind == HR_NODE_TERM) {
        return bind_term(b, &src->term, schema, &b->nodes[index], err);
    }
    int rc = bind_node(b, src->left, schema, &b->nodes[index].left, err);
    return rc == 0 ? bind_node(b, src->right, schema, &b->nodes[index].right, err) : rc;
}

int hr_filter_bind(const struct hr_filter *filter, const struct hr_schema *schema,
                   struct hr_bound_filter **out, struct hr_error *err) {
    *out = NULL;
    struct hr_bound_filter *b = hr_calloc(1, sizeof(*b));
    if (b == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate a filter");
    }
    hr_arena_init(&b->arena, (size_t)16 << 20);
    b->nodes = hr_arena_calloc(&b->arena, (size_t)count_nodes(filter->root), sizeof(*b->nodes));
    int rc = b->nodes ? bind_node(b, filter->root, schema, &b->root, err)
                      : hr_fail(err, HR_E_NOMEM, "could not allocate a filter");
    if (rc != 0) {
        hr_bound_filter_free(b);
        return rc;
    }
    *out = b;
    return 0;
}

void hr_bound_filter_free(struct hr_bound_filter *b) {
    if (b == NULL) {
        return;
    }
    for (int i = 0; i < b->n_nodes; i++) {
        hr_big_free(b->nodes[i].mask);
    }
    hr_arena_release(&b->arena);
    hr_free(b);
}

/* ---- running ---- */

static bool holds(enum hr_cmp cmp, int order) {
    switch (cmp) {
    case HR_CMP_IN:
    case HR_CMP_EQ: return order == 0;
    case HR_CMP_NE: return order != 0;
    case HR_CMP_LT: return order < 0;
    case HR_CMP_LE: return order <= 0;
    case HR_CMP_GT: return order > 0;
    default: return order >= 0;
    }
}

static long double real_at(const struct hr_vec *vec, int64_t i) {
    switch ((enum hr_type_id)vec->field->type.id) {
    case HR_T_F64: return (long double)((const double *)(const void *)vec->data)[i];
    case HR_T_F32: return (long double)((const float *)(const void *)vec->data)[i];
    case HR_T_F16:
        return (long double)hr_half_to_double(((const uint16_t *)(const void *)vec->data)[i]);
    case HR_T_U64: return (long double)((const uint64_t *)(const void *)vec->data)[i];
    case HR_T_DEC128: {
        hr_i128 v;
        memcpy(&v, vec->data + i * 16, sizeof(v));
        long double scale = 1;
        for (int k = 0; k < vec->field->type.scale; k++) {
            scale *= 10;
        }
        return (long double)v / scale;
    }
    default: return (long double)hr_vec_i64(vec, i);
    }
}

/* Order of value i against a literal; 2: not comparable (NaN). */
static int order_of(const struct bound_node *n, const struct hr_vec *vec, int64_t i,
                    const struct literal *lit) {
    if (n->how == VAL_REAL) {
        const long double v = real_at(vec, i);
        return v < lit->real ? -1 : v > lit->real ? 1 : v >= lit->real ? 0 : 2;
    }
    if (n->how == VAL_WIDE) {
        hr_i128 v;
        memcpy(&v, vec->data + i * 16, sizeof(v));
        return v < lit->wide ? -1 : v > lit->wide;
    }
    const struct hr_slice s = hr_vec_slice(vec, i);
    const size_t common = s.len < lit->bytes.len ? s.len : lit->bytes.len;
    const int c = common ? memcmp(s.ptr, lit->bytes.ptr, common) : 0;
    return c != 0                   ? (c < 0 ? -1 : 1) /* memcmp may say 2 */
           : s.len < lit->bytes.len ? -1
                                    : s.len > lit->bytes.len;
}

static void run_term(struct bound_node *n, const struct hr_vec *vec, int64_t rows) {
    const bool is_null_type = vec->field->type.id == HR_T_NULL;
    for (int64_t i = 0; i < rows; i++) {
        const bool valid = !is_null_type && hr_vec_valid(vec, i);
        bool keep = false;
        if (n->cmp == HR_CMP_NULL || n->cmp == HR_CMP_NOT_NULL) {
            keep = valid == (n->cmp == HR_CMP_NOT_NULL);
        } else if (valid) {
            for (size_t k = 0; k < n->count && !keep; k++) {
                const int order = order_of(n, vec, i, &n->values[k]);
                keep = order == 2 ? n->cmp == HR_CMP_NE : holds(n->cmp, order);
            }
        }
        n->mask[i] = keep;
    }
}

/* Integers and dates against whole literals: the common case, without calls in the loop. */
static bool run_fast(struct bound_node *n, const struct hr_vec *vec, int64_t rows) {
    const int width = hr_type_width(vec->field->type);
    const int id = vec->field->type.id;
    const bool int_like = (id >= HR_T_I32 && id <= HR_T_I64) || id == HR_T_DATE32 || id == HR_T_TS;
    if (!int_like || n->how != VAL_REAL || n->count != 1 || vec->validity != NULL ||
        n->cmp > HR_CMP_GE) {
        return false;
    }
    const long double lit = n->values[0].real;
    if (!(lit > -9e18L && lit < 9e18L) || (long double)(int64_t)lit < lit ||
        (long double)(int64_t)lit > lit) {
        return false;
    }
    const int64_t v = (int64_t)lit;
    uint8_t *mask = n->mask;
#define LOOP(type, op)                                                                             \
    do {                                                                                           \
        const type *p = (const type *)(const void *)vec->data;                                     \
        for (int64_t i = 0; i < rows; i++) {                                                       \
            mask[i] = (int64_t)p[i] op v;                                                          \
        }                                                                                          \
    } while (0)
#define BOTH(op)                                                                                   \
    do {                                                                                           \
        if (width == 4) {                                                                          \
            LOOP(int32_t, op);                                                                     \
        } else {                                                                                   \
            LOOP(int64_t, op);                                                                     \
        }                                                                                          \
    } while (0)
    switch (n->cmp) {
    case HR_CMP_EQ: BOTH(==); break;
    case HR_CMP_NE: BOTH(!=); break;
    case HR_CMP_LT: BOTH(<); break;
    case HR_CMP_LE: BOTH(<=); break;
    case HR_CMP_GT: BOTH(>); break;
    default: BOTH(>=); break;
    }
#undef BOTH
#undef LOOP
    return true;
}

static int run_node(struct hr_bound_filter *b, int index, const struct hr_vec *vecs, int64_t rows,
                    struct hr_error *err) {
    struct bound_node *n = &b->nodes[index];
    if (n->mask_cap < (size_t)rows) {
        hr_big_free(n->mask);
        n->mask = hr_big_alloc((size_t)rows, &n->mask_cap);
        if (n->mask == NULL) {
            n->mask_cap = 0;
            return hr_fail(err, HR_E_NOMEM, "could not allocate a filter mask");
        }
    }
    if (n->kind == HR_NODE_TERM) {
        if (!run_fast(n, &vecs[n->column], rows)) {
            run_term(n, &vecs[n->column], rows);
        }
        return 0;
    }
    int rc = run_node(b, n->left, vecs, rows, err);
    if (rc == 0) {
        rc = run_node(b, n->right, vecs, rows, err);
    }
    if (rc != 0) {
        return rc;
    }
    const uint8_t *x = b->nodes[n->left].mask;
    const uint8_t *y = b->nodes[n->right].mask;
    uint8_t *mask = n->mask;
    if (n->kind == HR_NODE_AND) {
        for (int64_t i = 0; i < rows; i++) {
            mask[i] = x[i] & y[i];
        }
    } else {
        for (int64_t i = 0; i < rows; i++) {
            mask[i] = x[i] | y[i];
        }
    }
    return 0;
}

int hr_bound_filter_run(struct hr_bound_filter *b, const struct hr_vec *vecs, int64_t rows,
                        uint8_t *keep, int64_t *out_kept, struct hr_error *err) {
    const int rc = run_node(b, b->root, vecs, rows, err);
    if (rc != 0) {
        return rc;
    }
    const uint8_t *mask = b->nodes[b->root].mask;
    int64_t kept = 0;
    memset(keep, 0, (size_t)(rows + 7) / 8);
    for (int64_t i = 0; i < rows; i++) {
        keep[i >> 3] = (uint8_t)(keep[i >> 3] | (mask[i] << (i & 7)));
        kept += mask[i];
    }
    *out_kept = kept;
    return 0;
}
