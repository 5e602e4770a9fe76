/* transform/filter_tree.h - the parsed filter, shared by parsing (filter.c) and running
 * (filter_run.c); nobody else includes it. */
#ifndef HR_TRANSFORM_FILTER_TREE_H
#define HR_TRANSFORM_FILTER_TREE_H

#include "transform/filter.h"

enum hr_node_kind { HR_NODE_AND, HR_NODE_OR, HR_NODE_TERM };

struct hr_filter_node {
    enum hr_node_kind kind;
    struct hr_filter_node *left, *right; /* AND, OR */
    struct hr_prune_term term;           /* TERM */
};

struct hr_filter {
    struct hr_arena arena;
    struct hr_filter_node *root;
    const char **columns;
    size_t n_columns;
    const struct hr_prune *prune;
};

#endif
