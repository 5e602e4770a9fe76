/* format/parquet/pq_wput.c - takes rows of a batch into a leaf column: values without nulls in the
 * form the file needs (pq_wput_values.c), and the levels that say where nulls and lists were.
 *
 * Levels follow Dremel as Parquet defines it: the definition level counts how many of the optional
 * and repeated nodes on the way to the leaf are there, the repetition level says at which list a
 * value continues rather than starts (0: a new row). The walk goes down the leaf's steps over
 * ranges of elements, so flat columns are one step and a list of numbers one step per run of lists.
 */
#include "format/parquet/pq_wput.h"

/* ---- levels ---- */

static void set_bits(uint8_t *bits, size_t at, size_t n) {
    for (; n > 0 && (at & 7) != 0; at++, n--) {
        hr_bit_set(bits, (int64_t)at);
    }
    memset(bits + at / 8, 0xff, n / 8);
    for (at += n / 8 * 8, n %= 8; n > 0; at++, n--) {
        hr_bit_set(bits, (int64_t)at);
    }
}

/* Bytes of a bitmap are kept zero behind its last bit. */
static int bits_room(struct hr_pqw_col *col, size_t n, struct hr_error *err) {
    const size_t need = (col->n_levels + n + 7) / 8 + 16; /* 16: readers look ahead */
    if (col->defs.len < need) {
        const int rc = hr_pqw_room_reserve(&col->defs, need - col->defs.len, err);
        if (rc != 0) {
            return rc;
        }
        memset(col->defs.ptr + col->defs.len, 0, need - col->defs.len);
        col->defs.len = need;
    }
    return 0;
}

/* The first null: the bitmap comes to be, all ones so far. */
static int bits_begin(struct hr_pqw_col *col, size_t n, struct hr_error *err) {
    if (!col->has_nulls) {
        col->defs.len = 0;
        const int rc = bits_room(col, n, err);
        if (rc != 0) {
            return rc;
        }
        set_bits(col->defs.ptr, 0, col->n_levels);
        col->has_nulls = true;
        return 0;
    }
    return bits_room(col, n, err);
}

static void copy_bits(uint8_t *dst, size_t at, const uint8_t *src, size_t from, size_t n) {
    for (; n > 0 && (at & 7) != 0; at++, from++, n--) {
        if (hr_bit_get(src, (int64_t)from)) {
            hr_bit_set(dst, (int64_t)at);
        }
    }
    uint8_t *out = dst + at / 8;
    const uint8_t *in = src + from / 8;
    const unsigned shift = from & 7;
    if (shift == 0) {
        memcpy(out, in, n / 8);
    } else {
        for (size_t i = 0; i < n / 8; i++) {
            out[i] = (uint8_t)(in[i] >> shift | in[i + 1] << (8 - shift));
        }
    }
    const size_t done = n / 8 * 8;
    for (size_t i = done; i < n; i++) {
        if (hr_bit_get(src, (int64_t)(from + i))) {
            hr_bit_set(dst, (int64_t)(at + i));
        }
    }
}

/* n levels of the same definition; repetition `first` for the first, `rest` for the others. */
static int put_run(struct hr_pqw_col *col, size_t n, int def, int first, int rest,
                   struct hr_error *err) {
    const struct hr_pqw_leaf *leaf = col->leaf;
    int rc = 0;
    if (n == 0) {
        return 0;
    }
    if (leaf->max_rep > 0) {
        rc = hr_pqw_room_reserve(&col->reps, n, err);
        if (rc != 0) {
            return rc;
        }
        memset(col->reps.ptr + col->reps.len, rest, n);
        col->reps.ptr[col->reps.len] = (uint8_t)first;
        col->reps.len += n;
    }
    if (hr_pqw_flat(leaf)) {
        if (leaf->max_def == 1 && (def == 0 || col->has_nulls)) {
            rc = bits_begin(col, n, err);
            if (rc == 0 && def == 1) {
                set_bits(col->defs.ptr, col->n_levels, n);
            }
        }
    } else {
        rc = hr_pqw_room_reserve(&col->defs, n, err);
        if (rc == 0) {
            memset(col->defs.ptr + col->defs.len, def, n);
            col->defs.len += n;
        }
    }
    col->n_levels += rc == 0 ? n : 0;
    return rc;
}

/* n levels: def + 1 where the bit is set, else def. */
static int put_validity(struct hr_pqw_col *col, const uint8_t *bits, size_t from, size_t n, int def,
                        int first, int rest, struct hr_error *err) {
    int rc;
    if (hr_pqw_flat(col->leaf)) {
        rc = bits_begin(col, n, err);
        if (rc == 0) {
            copy_bits(col->defs.ptr, col->n_levels, bits, from, n);
            col->n_levels += n;
        }
        return rc;
    }
    const size_t at = col->defs.len;
    rc = put_run(col, n, def, first, rest, err);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        col->defs.ptr[at + i] = (uint8_t)(def + hr_bit_get(bits, (int64_t)(from + i)));
    }
    return rc;
}

/* ---- the walk ---- */

struct walk {
    struct hr_pqw_col *col;
    struct hr_error *err;
};

static int walk(const struct walk *w, const struct hr_vec *vec, int step, int64_t from, int64_t to,
                int first, int rest, int def);

static int null_where_none_may_be(const struct walk *w) {
    char name[120];
    hr_printable(hr_slice_str(w->col->leaf->name), 80, name, sizeof(name));
    const int rc =
        hr_fail(w->err, HR_E_SCHEMA,
                "could not write a null to Parquet column \"%s\": it is declared not null", name);
    hr_error_place(w->err, -1, -1, name);
    return rc;
}

static bool any_null(const struct hr_vec *vec, int64_t from, int64_t to) {
    if (vec->validity == NULL || vec->nulls == 0) {
        return false;
    }
    for (int64_t i = from; i < to; i++) {
        if (!hr_bit_get(vec->validity, i)) {
            return true;
        }
    }
    return false;
}

static int walk_leaf(const struct walk *w, const struct hr_vec *vec, bool nullable, int64_t from,
                     int64_t to, int first, int rest, int def) {
    const size_t n = (size_t)(to - from);
    int rc;
    if (vec->field->type.id == HR_T_NULL) {
        return put_run(w->col, n, def, first, rest, w->err);
    }
    if (!nullable || vec->validity == NULL || vec->nulls == 0) {
        if (!nullable && any_null(vec, from, to)) {
            return null_where_none_may_be(w);
        }
        rc = put_run(w->col, n, def + nullable, first, rest, w->err);
        return rc != 0 ? rc : hr_pqw_put_values(w->col, vec, from, to, w->err);
    }
    rc = put_validity(w->col, vec->validity, (size_t)from, n, def, first, rest, w->err);
    return rc != 0 ? rc : hr_pqw_put_valid_values(w->col, vec, from, to, w->err);
}

/* The end of the run of elements from i on that are all valid or all null. */
static int64_t validity_run(const struct hr_vec *vec, int64_t i, int64_t to, bool *valid) {
    if (vec->validity == NULL || vec->nulls == 0) {
        *valid = true;
        return to;
    }
    *valid = hr_bit_get(vec->validity, i);
    while (i < to && hr_bit_get(vec->validity, i) == *valid) {
        i++;
    }
    return i;
}

static int walk_struct(const struct walk *w, const struct hr_vec *vec, int step, int64_t from,
                       int64_t to, int first, int rest, int def) {
    const struct hr_pqw_step *s = &w->col->leaf->steps[step];
    int rc = 0;
    while (rc == 0 && from < to) {
        bool valid;
        const int64_t end = validity_run(vec, from, to, &valid);
        if (valid) {
            rc = walk(w, &vec->children[s->child], step + 1, from, end, first, rest,
                      def + s->nullable);
        } else if (!s->nullable) {
            rc = null_where_none_may_be(w);
        } else {
            rc = put_run(w->col, (size_t)(end - from), def, first, rest, w->err);
        }
        first = rest;
        from = end;
    }
    return rc;
}

/* Lists [from, to), none null or empty, one level per item: their items in one go, then the
 * repetition levels of the lists' first items. */
static int walk_full_lists(const struct walk *w, const struct hr_vec *vec, int step, int64_t from,
                           int64_t to, int first, int rest, int def) {
    const struct hr_pqw_step *s = &w->col->leaf->steps[step];
    const int32_t *offsets = vec->offsets;
    const size_t at = w->col->reps.len;
    const int rc = walk(w, &vec->children[0], step + 1, offsets[from], offsets[to], first, s->rep,
                        def + s->nullable + 1);
    if (rc == 0) {
        uint8_t *reps = w->col->reps.ptr + at;
        for (int64_t i = from + 1; i < to; i++) {
            reps[offsets[i] - offsets[from]] = (uint8_t)rest;
        }
    }
    return rc;
}

static int walk_list(const struct walk *w, const struct hr_vec *vec, int step, int64_t from,
                     int64_t to, int first, int rest, int def) {
    const struct hr_pqw_step *s = &w->col->leaf->steps[step];
    const bool items_flat = s[1].flat;
    int rc = 0;
    for (int64_t i = from; rc == 0 && i < to; first = rest) {
        if (!hr_vec_valid(vec, i)) {
            rc = s->nullable ? put_run(w->col, 1, def, first, rest, w->err)
                             : null_where_none_may_be(w);
            i++;
        } else if (vec->offsets[i] == vec->offsets[i + 1]) {
            rc = put_run(w->col, 1, def + s->nullable, first, rest, w->err);
            i++;
        } else {
            int64_t end = i + 1;
            while (items_flat && end < to && vec->offsets[end] < vec->offsets[end + 1] &&
                   hr_vec_valid(vec, end)) {
                end++;
            }
            rc = walk_full_lists(w, vec, step, i, end, first, rest, def);
            i = end;
        }
    }
    return rc;
}

static int walk(const struct walk *w, const struct hr_vec *vec, int step, int64_t from, int64_t to,
                int first, int rest, int def) {
    const struct hr_pqw_step *s = &w->col->leaf->steps[step];
    switch (s->id) {
    case HR_T_STRUCT: return walk_struct(w, vec, step, from, to, first, rest, def);
    case HR_T_LIST:
    case HR_T_MAP: return walk_list(w, vec, step, from, to, first, rest, def);
    default: return walk_leaf(w, vec, s->nullable, from, to, first, rest, def);
    }
}

int hr_pqw_put(struct hr_pqw_col *col, const struct hr_vec *vec, int64_t from, int64_t to,
               struct hr_error *err) {
    const struct walk w = {col, err};
    return from < to ? walk(&w, vec, 0, from, to, 0, 0, 0) : 0;
}

void hr_pqw_col_clear(struct hr_pqw_col *col) {
    col->n_values = col->n_levels = 0;
    col->values.len = col->offsets.len = col->defs.len = col->reps.len = 0;
    col->has_nulls = false;
}

void hr_pqw_col_release(struct hr_pqw_col *col) {
    hr_pqw_room_release(&col->values);
    hr_pqw_room_release(&col->offsets);
    hr_pqw_room_release(&col->defs);
    hr_pqw_room_release(&col->reps);
}
