/* format/parquet/pq_schema.c - builds columns, nodes and leaves from the depth-first schema list.
 *
 * One recursive walk per wanted column makes the hr_field tree (what the batch looks like) and the
 * hr_pq_node tree (how levels become it) side by side. Lists exist in four historical shapes and
 * maps in three; `list_shape` and `map_shape` decide which one a group is, by the
 * backward-compatibility rules of LogicalTypes.md. A group whose annotation does not fit its
 * children is read as a struct.
 */
#include "format/parquet/pq_schema.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/utf8.h"

#define HR_PQ_LEAVES_MAX 100000

/* The tree behind the flat list: for each element, where its subtree ends and its first leaf. */
struct tree {
    const struct hr_pq_file *file;
    const struct hr_parquet_opts *opts;
    bool int96_us;
    uint32_t *end;     /* index after the subtree of element i */
    uint32_t *ordinal; /* leaves before element i */
    struct hr_pq_schema *out;
    struct hr_error *err;
    const struct hr_pq_element *path[HR_PQ_DEPTH_MAX + 1];
    int depth;
    const struct hr_field *keep; /* what is wanted of the field being built; NULL: all of it */
};

/* A column of the file: its name, and the one it gets when another has that already. */
struct column_name {
    char *name, *made;
    size_t place;
};

struct levels {
    uint8_t def, rep; /* of the parent: what an existing parent slot has */
    uint8_t slot_def; /* of the enclosing list's element */
};

static int build_node(struct tree *t, uint32_t at, struct levels lv, bool element,
                      struct hr_field *field, struct hr_pq_node *node);

static const struct hr_pq_element *elem(const struct tree *t, uint32_t at) {
    return &t->file->schema[at];
}

/* ---- the tree ---------------------------------------------------------------------------------
 */

static int damaged(struct tree *t, const char *why) {
    hr_fail(t->err, HR_E_CORRUPT, "could not use the schema of a Parquet file: %s", why);
    hr_error_hint(t->err, "the file is damaged or its writer is: write it anew");
    return HR_E_CORRUPT;
}

/* Fill end and ordinal with one pass and an explicit stack of children still to come. */
static int measure(struct tree *t) {
    const size_t n = t->file->n_schema;
    uint32_t stack[HR_PQ_DEPTH_MAX + 2], open[HR_PQ_DEPTH_MAX + 2];
    int depth = 0;
    uint32_t leaves = 0;
    for (size_t i = 0; i < n; i++) {
        const struct hr_pq_element *e = elem(t, (uint32_t)i);
        if (i > 0 && depth == 0) {
            return damaged(t, "it has elements outside the tree");
        }
        if (e->type < -1 || e->type > HR_PQ_FIXED || e->num_children < 0 ||
            (e->type >= 0 && e->num_children > 0) || e->repetition > HR_PQ_REPEATED) {
            return damaged(t, "an element is of no known kind");
        }
        t->ordinal[i] = leaves;
        leaves += e->type >= 0;
        if (depth > HR_PQ_DEPTH_MAX) {
            return damaged(t, "it is nested too deep");
        }
        open[depth] = (uint32_t)i;
        stack[depth++] = (uint32_t)e->num_children;
        while (depth > 0 && stack[depth - 1] == 0) {
            t->end[open[--depth]] = (uint32_t)i + 1;
            if (depth > 0) {
                stack[depth - 1]--;
            }
        }
    }
    if (depth != 0 || n == 0 || elem(t, 0)->type >= 0) {
        return damaged(t, "its tree is not complete");
    }
    t->out->n_file_leaves = (int)leaves;
    return leaves > HR_PQ_LEAVES_MAX ? damaged(t, "it has over 100000 columns") : 0;
}

/* ---- shapes of lists and maps -----------------------------------------------------------------
 */

static bool is_list(const struct hr_pq_element *e) {
    return e->type < 0 && (e->logical.id == HR_PQ_LOG_LIST || e->converted == HR_PQ_CONV_LIST);
}

static bool is_map(const struct hr_pq_element *e) {
    return e->type < 0 && (e->logical.id == HR_PQ_LOG_MAP || e->converted == HR_PQ_CONV_MAP ||
                           e->converted == HR_PQ_CONV_MAP_KEY_VALUE);
}

static bool named(struct hr_slice name, struct hr_slice parent, const char *suffix) {
    const size_t n = strlen(suffix);
    return name.len == parent.len + n && memcmp(name.ptr, parent.ptr, parent.len) == 0 &&
           memcmp(name.ptr + parent.len, suffix, n) == 0;
}

/* Of a LIST group: where its element is described. Returns false when this is no list after all.
 * *repeated_is_element: the repeated field itself is the element (two-level form). */
static bool list_shape(const struct tree *t, uint32_t at, bool *repeated_is_element) {
    const struct hr_pq_element *list = elem(t, at), *rep = elem(t, at + 1);
    if (list->num_children != 1 || rep->repetition != HR_PQ_REPEATED) {
        return false;
    }
    if (rep->type >= 0 || rep->num_children > 1) {
        *repeated_is_element = true;
        return true;
    }
    if (rep->num_children != 1) {
        return false;
    }
    *repeated_is_element = elem(t, at + 2)->repetition == HR_PQ_REPEATED ||
                           hr_slice_eq_str(rep->name, "array") ||
                           named(rep->name, list->name, "_tuple");
    return true;
}

/* A map is a group of one repeated group of key and value; without a value it is a list of keys. */
static bool map_shape(const struct tree *t, uint32_t at) {
    const struct hr_pq_element *map = elem(t, at), *rep = elem(t, at + 1);
    return map->num_children == 1 && rep->repetition == HR_PQ_REPEATED && rep->type < 0 &&
           (rep->num_children == 2 || rep->num_children == 1) &&
           elem(t, at + 2)->repetition != HR_PQ_REPEATED;
}

/* ---- nodes ------------------------------------------------------------------------------------
 */

static int no_memory(struct tree *t) {
    return hr_fail(t->err, HR_E_NOMEM, "could not allocate the schema of a Parquet file");
}

static int bad_name(struct tree *t, struct hr_slice name) {
    char text[100];
    hr_fail(t->err, HR_E_CORRUPT, "could not read column '%s': its name %s",
            hr_printable(name, 80, text, sizeof(text)),
            hr_utf8_valid(name.ptr, name.len) ? "has a zero byte" : "is no UTF-8 text");
    hr_error_hint(t->err, "the file is damaged or its writer is: write it anew");
    return HR_E_CORRUPT;
}

static int init_node(struct tree *t, const struct hr_pq_element *e, struct hr_type type,
                     int n_children, struct hr_field *field, struct hr_pq_node *node) {
    if (e->name.len > 0 &&
        (!hr_utf8_valid(e->name.ptr, e->name.len) || memchr(e->name.ptr, 0, e->name.len) != NULL)) {
        return bad_name(t, e->name);
    }
    if (hr_field_init(field, (const char *)e->name.ptr, e->name.len, type, n_children) != 0) {
        return no_memory(t);
    }
    field->field_id = e->has_field_id ? e->field_id : -1;
    node->n_children = 0;
    if (n_children > 0) {
        node->children = hr_calloc((size_t)n_children, sizeof(*node->children));
        if (node->children == NULL) {
            return no_memory(t);
        }
        node->n_children = n_children;
    }
    return 0;
}

static int leaf_path(struct tree *t, char **out) {
    struct hr_buf buf;
    char text[128];
    int rc = 0;
    hr_buf_init(&buf, 64 * 1024);
    for (int i = 0; i < t->depth && rc == 0; i++) {
        hr_printable(t->path[i]->name, 100, text, sizeof(text));
        rc = hr_buf_printf(&buf, t->err, "%s%s", i > 0 ? "." : "", text);
    }
    *out = rc == 0 ? hr_buf_detach(&buf) : NULL;
    hr_buf_release(&buf);
    return *out == NULL ? no_memory(t) : 0;
}

static int build_leaf(struct tree *t, uint32_t at, struct levels lv, struct hr_field *field,
                      struct hr_pq_node *node) {
    const struct hr_pq_element *e = elem(t, at);
    struct hr_pq_leaf_info *leaf = &t->out->leaves[t->out->n_leaves];
    struct hr_type type;
    if (e->type == HR_PQ_FIXED && (e->type_length <= 0 || e->type_length > (1 << 27))) {
        return damaged(t, "a fixed-length column has no usable length");
    }
    *leaf = (struct hr_pq_leaf_info){.ordinal = (int)t->ordinal[at], .element = e};
    hr_pq_leaf_type(e, t->opts, t->int96_us, &type, leaf);
    leaf->max_def = lv.def;
    leaf->max_rep = lv.rep;
    leaf->slot_def = lv.slot_def;
    leaf->nested = t->depth > 1 || lv.rep > 0;
    leaf->field = field;
    node->kind = HR_PQ_N_LEAF;
    node->leaf = t->out->n_leaves++;
    node->n_leaves = 1;
    int rc = init_node(t, e, type, 0, field, node);
    return rc != 0 ? rc : leaf_path(t, &leaf->path);
}

/* Names are C strings in the batch: what follows a NUL byte is not part of them. */
static const struct hr_field *find_field(const struct hr_field *fields, int n,
                                         struct hr_slice name) {
    const char *text = (const char *)name.ptr;
    const size_t len = strnlen(text, name.len);
    for (int i = 0; i < n; i++) {
        if (strlen(fields[i].name) == len && memcmp(fields[i].name, text, len) == 0) {
            return &fields[i];
        }
    }
    return NULL;
}

/* Members of a struct: all, or those that `keep` names; where the file has none of them, the first,
 * as a struct without members says nothing. */
static int build_struct(struct tree *t, uint32_t at, struct levels lv, struct hr_field *field,
                        struct hr_pq_node *node) {
    const struct hr_pq_element *e = elem(t, at);
    const struct hr_field *keep = t->keep;
    const bool some = keep != NULL && keep->n_children > 0;
    int n = 0;
    uint32_t child = at + 1;
    if (e->num_children == 0) {
        char text[100];
        return hr_fail(t->err, HR_E_UNSUPPORTED,
                       "could not read column '%s': a group without fields has no values",
                       hr_printable(e->name, 80, text, sizeof(text)));
    }
    node->kind = HR_PQ_N_STRUCT;
    node->leaf = t->out->n_leaves;
    for (int i = 0; i < e->num_children; i++, child = t->end[child]) {
        n += !some || find_field(keep->children, keep->n_children, elem(t, child)->name) != NULL;
    }
    const bool none = n == 0;
    n += none;
    int rc = init_node(t, e, hr_type(HR_T_STRUCT), n, field, node);
    child = at + 1;
    for (int i = 0, k = 0; rc == 0 && k < n; i++, child = t->end[child]) {
        t->keep = some ? find_field(keep->children, keep->n_children, elem(t, child)->name) : NULL;
        if (!some || none || t->keep != NULL) {
            rc = build_node(t, child, lv, false, &field->children[k], &node->children[k]);
            k++;
        }
    }
    t->keep = keep;
    node->n_leaves = t->out->n_leaves - node->leaf;
    return rc;
}

/* Files call these fields "element", "array", "bag" …; in batches they have one name each, so that
 * equal types are equal whoever wrote them. */
static int rename_field(struct tree *t, struct hr_field *field, const char *name) {
    char *copy = hr_strdup(name);
    if (copy == NULL) {
        return no_memory(t);
    }
    hr_free(field->name);
    field->name = copy;
    return 0;
}

/* Levels inside the repeated field of a list or map that exists at lv; all of an item is read. */
static struct levels inside(struct tree *t, struct levels lv, struct hr_pq_node *node) {
    t->keep = NULL;
    node->elem_def = (uint8_t)(lv.def + 1);
    return (struct levels){
        .def = node->elem_def, .rep = (uint8_t)(lv.rep + 1), .slot_def = node->elem_def};
}

/* A LIST group (or a bare repeated field, where the group and the repeated field are the same). */
static int build_list(struct tree *t, uint32_t at, struct levels lv, struct hr_field *field,
                      struct hr_pq_node *node, uint32_t item, bool item_is_repeated) {
    node->kind = HR_PQ_N_LIST;
    node->leaf = t->out->n_leaves;
    int rc = init_node(t, elem(t, at), hr_type(HR_T_LIST), 1, field, node);
    if (rc == 0) {
        rc = build_node(t, item, inside(t, lv, node), item_is_repeated, &field->children[0],
                        &node->children[0]);
    }
    if (rc == 0) {
        rc = rename_field(t, &field->children[0], "item");
    }
    node->n_leaves = t->out->n_leaves - node->leaf;
    return rc;
}

static int build_map(struct tree *t, uint32_t at, struct levels lv, struct hr_field *field,
                     struct hr_pq_node *node) {
    node->kind = HR_PQ_N_MAP;
    node->leaf = t->out->n_leaves;
    int rc = init_node(t, elem(t, at), hr_type(HR_T_MAP), 1, field, node);
    if (rc == 0) {
        rc = build_node(t, at + 1, inside(t, lv, node), true, &field->children[0],
                        &node->children[0]);
    }
    if (rc == 0) { /* some writers say "optional"; a null key is refused where it is met */
        struct hr_field *entries = &field->children[0];
        entries->children[0].nullable = false;
        rc = rename_field(t, entries, "entries");
        rc = rc == 0 ? rename_field(t, &entries->children[0], "key") : rc;
        rc = rc == 0 ? rename_field(t, &entries->children[1], "value") : rc;
    }
    node->n_leaves = t->out->n_leaves - node->leaf;
    return rc;
}

/* The node for an annotated or plain group, or a leaf, once its own repetition is accounted for. */
static int build_value(struct tree *t, uint32_t at, struct levels lv, struct hr_field *field,
                       struct hr_pq_node *node) {
    const struct hr_pq_element *e = elem(t, at);
    bool repeated_is_element;
    if (e->type >= 0) {
        return build_leaf(t, at, lv, field, node);
    }
    if (is_list(e) && list_shape(t, at, &repeated_is_element)) {
        return build_list(t, at, lv, field, node, repeated_is_element ? at + 1 : at + 2,
                          repeated_is_element);
    }
    if (is_map(e) && map_shape(t, at)) {
        if (elem(t, at + 1)->num_children == 2) {
            return build_map(t, at, lv, field, node);
        }
        return build_list(t, at, lv, field, node, at + 2, false);
    }
    return build_struct(t, at, lv, field, node);
}

/* `element`: this repeated field is the element of the list already opened around it. */
static int build_node(struct tree *t, uint32_t at, struct levels lv, bool element,
                      struct hr_field *field, struct hr_pq_node *node) {
    const struct hr_pq_element *e = elem(t, at);
    const bool repeated = e->repetition == HR_PQ_REPEATED && !element;
    const bool optional = e->repetition == HR_PQ_OPTIONAL;
    int rc;
    if (t->depth >= HR_PQ_DEPTH_MAX || lv.def >= 250) {
        return damaged(t, "it is nested too deep");
    }
    t->path[t->depth++] = e;
    node->slot_rep = lv.rep;
    node->slot_def = lv.slot_def;
    lv.def = (uint8_t)(lv.def + optional);
    node->valid_def = lv.def;
    if (repeated &&
        (is_list(e) || e->logical.id == HR_PQ_LOG_MAP || e->converted == HR_PQ_CONV_MAP)) {
        return damaged(t, "a group that is a list or map is repeated itself");
    }
    if (repeated) { /* no LIST around it: a required list of required elements */
        t->depth--;
        rc = build_list(t, at, lv, field, node, at, true);
        t->depth++;
    } else {
        rc = build_value(t, at, lv, field, node);
    }
    field->nullable = optional || (node->kind == HR_PQ_N_LEAF && field->type.id == HR_T_NULL);
    t->depth--;
    return rc;
}

/* ---- the whole --------------------------------------------------------------------------------
 */

static bool wanted(const struct hr_schema *want, const char *name) {
    return want == NULL || hr_schema_find(want, name, strlen(name)) >= 0;
}

static int by_name(const void *a, const void *b) {
    const struct column_name *x = a, *y = b;
    const int order = strcmp(x->name, y->name);
    return order != 0 ? order : (x->place > y->place) - (x->place < y->place);
}

static bool is_name(const struct column_name *sorted, size_t n, const char *name) {
    const struct column_name key = {.name = (char *)(uintptr_t)name, .place = SIZE_MAX};
    size_t low = 0;
    for (size_t high = n; low < high;) {
        const size_t middle = low + (high - low) / 2;
        if (by_name(&sorted[middle], &key) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low > 0 && strcmp(sorted[low - 1].name, name) == 0;
}

/* Few readers can tell two columns of one name apart, and no JSON: a name met again gets _1, _2 …,
 * whichever is free, as in CSV (and in DuckDB). names[i].name is replaced. */
static int make_unique(struct tree *t, struct column_name *names, size_t n) {
    struct column_name *sorted = hr_calloc(n, sizeof(*sorted));
    if (sorted == NULL) {
        return no_memory(t);
    }
    memcpy(sorted, names, n * sizeof(*sorted));
    qsort(sorted, n, sizeof(*sorted), by_name);
    int rc = 0;
    unsigned number = 0;
    for (size_t i = 1; rc == 0 && i < n; i++) {
        number = strcmp(sorted[i].name, sorted[i - 1].name) == 0 ? number + 1 : 0;
        if (number == 0) {
            continue;
        }
        const size_t len = strlen(sorted[i].name);
        char *made = hr_malloc(len + 12);
        for (; made != NULL; number++) {
            snprintf(made, len + 12, "%s_%u", sorted[i].name, number);
            if (!is_name(sorted, n, made)) {
                break;
            }
        }
        rc = made != NULL ? 0 : no_memory(t);
        names[sorted[i].place].made = made;
    }
    hr_free(sorted);
    return rc;
}

/* The names of the root's columns, each once. *out: hr_free'd with its items by release_names. */
static int column_names(struct tree *t, size_t n, struct column_name **out) {
    struct column_name *names = *out = hr_calloc(n, sizeof(*names));
    int rc = names != NULL ? 0 : no_memory(t);
    uint32_t at = 1;
    for (size_t i = 0; rc == 0 && i < n; i++, at = t->end[at]) {
        const struct hr_slice name = elem(t, at)->name;
        names[i].place = i;
        names[i].name =
            hr_strndup((const char *)name.ptr, strnlen((const char *)name.ptr, name.len));
        rc = names[i].name != NULL ? 0 : no_memory(t);
    }
    return rc == 0 ? make_unique(t, names, n) : rc;
}

static void release_names(struct column_name *names, size_t n) {
    for (size_t i = 0; names != NULL && i < n; i++) {
        hr_free(names[i].name);
        hr_free(names[i].made);
    }
    hr_free(names);
}

static int build_columns(struct tree *t, const struct hr_schema *want) {
    struct hr_pq_schema *out = t->out;
    const size_t all = (size_t)elem(t, 0)->num_children;
    struct column_name *names = NULL;
    int n = 0;
    struct hr_pq_arrow arrow = {0};
    int rc = column_names(t, all, &names);
    rc = rc == 0 ? hr_pq_arrow_open(t->file, &arrow, t->err) : rc;
    for (size_t i = 0; rc == 0 && i < all; i++) {
        n += wanted(want, names[i].made ? names[i].made : names[i].name);
    }
    if (rc == 0) {
        out->schema = hr_schema_new(n);
        out->nodes = hr_calloc((size_t)n, sizeof(*out->nodes));
        out->leaves = hr_calloc((size_t)out->n_file_leaves, sizeof(*out->leaves));
        rc = out->schema && out->nodes && out->leaves ? 0 : no_memory(t);
    }
    uint32_t at = 1;
    for (size_t i = 0, column = 0; rc == 0 && i < all; i++, at = t->end[at]) {
        const char *name = names[i].made ? names[i].made : names[i].name;
        if (wanted(want, name)) {
            const struct levels top = {0};
            struct hr_field *field = &out->schema->fields[column];
            t->keep = want ? &want->fields[hr_schema_find(want, name, strlen(name))] : NULL;
            rc = build_node(t, at, top, false, field, &out->nodes[column++]);
            if (rc == 0) {
                hr_pq_arrow_apply(&arrow, i, field);
            }
            if (rc == 0 && names[i].made != NULL) {
                rc = rename_field(t, field, name);
            }
        }
    }
    release_names(names, all);
    hr_pq_arrow_close(&arrow);
    return rc;
}

int hr_pq_schema_build(const struct hr_pq_file *file, const struct hr_parquet_opts *opts,
                       const struct hr_schema *want, struct hr_pq_schema *out,
                       struct hr_error *err) {
    struct tree t = {.file = file, .opts = opts, .out = out, .err = err};
    *out = (struct hr_pq_schema){0};
    t.int96_us = opts->int96_unit == 2 || (opts->int96_unit == 0 && hr_pq_int96_is_micros(file));
    t.end = hr_calloc(file->n_schema, sizeof(*t.end));
    t.ordinal = hr_calloc(file->n_schema, sizeof(*t.ordinal));
    int rc = t.end == NULL || t.ordinal == NULL ? no_memory(&t) : measure(&t);
    if (rc == 0) {
        rc = build_columns(&t, want);
    }
    hr_free(t.end);
    hr_free(t.ordinal);
    if (rc != 0) {
        hr_pq_schema_release(out);
    }
    return rc;
}

static void release_node(struct hr_pq_node *node) {
    for (int i = 0; i < node->n_children; i++) {
        release_node(&node->children[i]);
    }
    hr_free(node->children);
}

void hr_pq_schema_release(struct hr_pq_schema *schema) {
    if (schema->nodes != NULL && schema->schema != NULL) {
        for (int i = 0; i < schema->schema->n_fields; i++) {
            release_node(&schema->nodes[i]);
        }
    }
    for (int i = 0; schema->leaves != NULL && i < schema->n_leaves; i++) {
        hr_free(schema->leaves[i].path);
    }
    hr_free(schema->nodes);
    hr_free(schema->leaves);
    hr_schema_unref(schema->schema);
    *schema = (struct hr_pq_schema){0};
}

/* A walk through the schema for leaves of one dotted name. */
struct leaf_search {
    const struct hr_pq_file *file;
    size_t at; /* next element */
    int ordinal, found, ordinal_found;
    bool members; /* look into structs */
    struct hr_pq_found_leaf *out;
};

static void search_group(struct leaf_search *s, int32_t children, const char *rest, bool nullable,
                         int depth);

/* One element and what is below it. rest: what its name has to be or begin; NULL: pass over. */
static void search_element(struct leaf_search *s, const char *rest, bool nullable, int depth) {
    const struct hr_pq_element *e = &s->file->schema[s->at++];
    const bool once = rest != NULL && e->repetition != HR_PQ_REPEATED;
    nullable = nullable || e->repetition == HR_PQ_OPTIONAL;
    if (e->type >= 0) {
        if (once && hr_slice_eq_str(e->name, rest)) {
            s->found++;
            s->ordinal_found = s->ordinal;
            *s->out = (struct hr_pq_found_leaf){e, nullable, depth > 0};
        }
        s->ordinal++;
        return;
    }
    const bool inside = once && s->members && !is_list(e) && !is_map(e) &&
                        strlen(rest) > e->name.len && rest[e->name.len] == '.' &&
                        memcmp(rest, e->name.ptr, e->name.len) == 0;
    search_group(s, e->num_children, inside ? rest + e->name.len + 1 : NULL, nullable, depth + 1);
}

static void search_group(struct leaf_search *s, int32_t children, const char *rest, bool nullable,
                         int depth) {
    for (int32_t i = 0; i < children && s->at < s->file->n_schema; i++) {
        search_element(s, rest, nullable, depth);
    }
}

int hr_pq_schema_find_leaf(const struct hr_pq_file *file, const char *name, bool members,
                           struct hr_pq_found_leaf *out) {
    struct leaf_search s = {.file = file, .at = 1, .members = members, .out = out};
    search_group(&s, file->n_schema > 0 ? file->schema[0].num_children : 0, name, false, 0);
    return s.found == 1 ? s.ordinal_found : -1; /* two of that name: cannot tell */
}
