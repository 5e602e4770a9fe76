/* format/parquet/pq_nested.c - lists, maps and structs from definition and repetition levels.
 *
 * A nested column is read some rows at a time: every leaf below it appends its values and leaves
 * the levels of those rows behind; then each node above turns the levels of its first leaf into its
 * own buffers (see pq_schema.h for when an entry opens a slot). Siblings must come out equally
 * long.
 */
#include "format/parquet/pq_leaf.h"

#define ROWS_FIRST 128u
#define ROWS_MAX 4096u
#define BYTES_SMALL ((size_t)256 << 10) /* a step below it: the next may take twice the rows */
#define BYTES_MANY ((size_t)1 << 30)    /* bound of a step of several rows; of one row: cell_max */

/* ---- one node ---------------------------------------------------------------------------------
 */

static int damaged(const struct hr_pq_leaf *leaf, const char *why, struct hr_error *err) {
    return hr_pq_leaf_blame(leaf, hr_fail(err, HR_E_CORRUPT, "%s", why), err);
}

static bool opens_slot(const struct hr_pq_node *node, uint8_t def, uint8_t rep) {
    return (rep <= node->slot_rep) & (def >= node->slot_def);
}

struct counts {
    size_t slots, nulls;
};

static struct counts count_slots(const struct hr_pq_node *node, const struct hr_pq_leaf *leaf) {
    const uint8_t *def = leaf->sub_def.ptr, *rep = leaf->sub_rep.ptr;
    struct counts c = {0, 0};
    if (leaf->info->max_rep == node->slot_rep) { /* no list below: rep says nothing */
        c.slots = hr_pq_count_ge(def, leaf->sub_len, node->slot_def);
        c.nulls = c.slots - hr_pq_count_ge(def, leaf->sub_len, node->valid_def);
        return c;
    }
    for (size_t i = 0; i < leaf->sub_len; i++) {
        const bool slot = opens_slot(node, def[i], rep[i]);
        c.slots += slot;
        c.nulls += slot & (def[i] < node->valid_def);
    }
    return c;
}

/* Append the slots' validity; a bitmap is made only when there is a null. */
static int push_slots(const struct hr_pq_node *node, const struct hr_pq_leaf *leaf, struct counts c,
                      struct hr_vec *vec, struct hr_error *err) {
    const uint8_t *def = leaf->sub_def.ptr, *rep = leaf->sub_rep.ptr;
    if (c.nulls > 0) {
        int rc = hr_vec_need_validity(vec, c.slots, err);
        int64_t at = vec->len;
        if (rc != 0) {
            return rc;
        }
        hr_pq_set_bits(vec->validity, (size_t)at, c.slots, true);
        for (size_t i = 0; i < leaf->sub_len; i++) {
            const bool slot = opens_slot(node, def[i], rep[i]);
            if (slot && def[i] < node->valid_def) {
                hr_bit_clear(vec->validity, at);
            }
            at += slot;
        }
    } else if (vec->validity != NULL) {
        hr_pq_set_bits(vec->validity, (size_t)vec->len, c.slots, true);
    }
    vec->len += (int64_t)c.slots;
    vec->nulls += (int64_t)c.nulls;
    return 0;
}

static int struct_slots(const struct hr_pq_node *node, const struct hr_pq_leaf *leaf,
                        struct hr_vec *vec, struct hr_error *err) {
    const struct counts c = count_slots(node, leaf);
    int rc = hr_vec_reserve(vec, c.slots, err);
    return rc == 0 ? push_slots(node, leaf, c, vec, err) : rc;
}

static int list_slots(const struct hr_pq_node *node, const struct hr_pq_leaf *leaf,
                      struct hr_vec *vec, struct hr_error *err) {
    const uint8_t *def = leaf->sub_def.ptr, *rep = leaf->sub_rep.ptr;
    const struct counts c = count_slots(node, leaf);
    int rc = hr_vec_reserve(vec, c.slots + 1, err);
    if (rc != 0) {
        return rc;
    }
    uint32_t items = (uint32_t)vec->offsets[vec->len];
    if ((uint64_t)items + leaf->sub_len > INT32_MAX) {
        return hr_pq_leaf_blame(
            leaf, hr_fail(err, HR_E_BOUND, "a batch would hold over 2^31 list items"), err);
    }
    /* Every entry writes where the next slot begins; only one that opens it moves on. */
    int32_t *offset = vec->offsets + vec->len;
    unsigned stray = 0; /* a further element of a list that has none */
    for (size_t i = 0; i < leaf->sub_len; i++) {
        *offset = (int32_t)items;
        offset += opens_slot(node, def[i], rep[i]);
        items += (rep[i] <= node->slot_rep + 1u) & (def[i] >= node->elem_def);
        stray |= (rep[i] == node->slot_rep + 1u) & (def[i] < node->elem_def);
    }
    if (stray != 0) {
        return damaged(leaf, "its levels contradict each other", err);
    }
    *offset = (int32_t)items;
    return push_slots(node, leaf, c, vec, err);
}

/* ---- the tree ---------------------------------------------------------------------------------
 */

static int assemble(const struct hr_pq_node *node, const struct hr_pq_leaf *leaves,
                    struct hr_vec *vec, struct hr_error *err) {
    const struct hr_pq_leaf *leaf = &leaves[node->leaf];
    int rc = 0;
    if (node->kind == HR_PQ_N_LEAF) {
        return 0;
    }
    rc = node->kind == HR_PQ_N_STRUCT ? struct_slots(node, leaf, vec, err)
                                      : list_slots(node, leaf, vec, err);
    for (int i = 0; i < node->n_children && rc == 0; i++) {
        rc = assemble(&node->children[i], leaves, &vec->children[i], err);
        const int64_t want =
            node->kind == HR_PQ_N_STRUCT ? vec->len : (int64_t)vec->offsets[vec->len];
        if (rc == 0 && vec->children[i].len != want) {
            rc = damaged(&leaves[node->children[i].leaf],
                         "its levels do not agree with those of its sibling columns", err);
        }
    }
    if (rc == 0 && node->kind == HR_PQ_N_MAP && vec->children[0].children[0].nulls > 0) {
        rc = damaged(leaf, "a map has a null key", err);
    }
    return rc;
}

/* Read `rows` rows of every leaf below the node into its column. */
static int read_leaves(const struct hr_pq_node *node, struct hr_pq_leaf *leaves, struct hr_vec *vec,
                       size_t rows, size_t *bytes, struct hr_error *err) {
    if (node->kind == HR_PQ_N_LEAF) {
        struct hr_pq_leaf *leaf = &leaves[node->leaf];
        const size_t before = vec->data_len;
        int rc =
            hr_pq_leaf_read_nested(leaf, vec, rows, rows > 1 ? BYTES_MANY : leaf->cell_max, err);
        *bytes += vec->data_len - before + leaf->sub_len * (leaf->info->out_width + 4u);
        return rc;
    }
    int rc = 0;
    for (int i = 0; i < node->n_children && rc == 0; i++) {
        rc = read_leaves(&node->children[i], leaves, &vec->children[i], rows, bytes, err);
    }
    return rc;
}

static int rows_ready(const struct hr_pq_node *node, struct hr_pq_leaf *leaves, size_t *rows,
                      struct hr_error *err) {
    int rc = 0;
    for (int i = node->leaf; i < node->leaf + node->n_leaves && rc == 0; i++) {
        size_t ready;
        rc = hr_pq_leaf_rows_ready(&leaves[i], &ready, err);
        *rows = ready < *rows ? ready : *rows;
    }
    return rc;
}

int hr_pq_nested_read(const struct hr_pq_node *node, struct hr_pq_leaf *leaves, struct hr_vec *vec,
                      size_t n, size_t stop_bytes, size_t *got, struct hr_error *err) {
    size_t done = 0, total = 0, step = ROWS_FIRST;
    int rc = 0;
    while (done < n && rc == 0 && (done == 0 || total < stop_bytes)) {
        size_t rows = n - done < step ? n - done : step, bytes = 0;
        rc = rows_ready(node, leaves, &rows, err);
        if (rc == 0) {
            rc = read_leaves(node, leaves, vec, rows, &bytes, err);
        }
        if (rc == 0) {
            rc = assemble(node, leaves, vec, err);
        }
        done += rows;
        total += bytes;
        if (bytes < BYTES_SMALL && step < ROWS_MAX) {
            step *= 2;
        } else if (bytes > 16 * BYTES_SMALL) {
            step = step / 8 > 0 ? step / 8 : 1;
        }
    }
    *got = done;
    return rc;
}
