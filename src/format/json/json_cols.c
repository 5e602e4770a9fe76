/* format/json/json_cols.c - storage of the columns a JSON reader fills.
 *
 * Values are written at positions the caller knows (the row; for items of lists the end of the list
 * so far), not appended, so a record that turns out bad or incomplete is forgotten by simply
 * writing over it. Only cleared null bits have to be put back. Lengths reach the vecs when a batch
 * ends or when a buffer has to grow.
 */
#include "format/json/json_read.h"

static bool is_list(const struct hr_j_col *col) {
    return col->vec->field->type.id == HR_T_LIST || col->vec->field->type.id == HR_T_MAP;
}

static uint8_t kind_of(struct hr_type type) {
    switch (type.id) {
    case HR_T_I64: return HR_JC_I64;
    case HR_T_F64: return HR_JC_F64;
    case HR_T_UTF8: return type.ext == HR_EXT_JSON ? HR_JC_OTHER : HR_JC_UTF8;
    case HR_T_DATE32: return HR_JC_DATE;
    case HR_T_BOOL: return HR_JC_BOOL;
    default: return HR_JC_OTHER;
    }
}

int hr_j_cols_bind(struct hr_json *json, struct hr_j_col *cols, struct hr_vec *vecs, int n) {
    for (int i = 0; i < n; i++) {
        struct hr_j_col *col = &cols[i];
        *col = (struct hr_j_col){.vec = &vecs[i],
                                 .kind = kind_of(vecs[i].field->type),
                                 .times_utc = json->params->times_utc,
                                 .n_children = vecs[i].n_children};
        if (col->n_children == 0) {
            continue;
        }
        col->children =
            hr_arena_calloc(&json->arena, (size_t)col->n_children, sizeof(*col->children));
        if (col->children == NULL) {
            return HR_E_NOMEM;
        }
        int rc = hr_j_cols_bind(json, col->children, vecs[i].children, col->n_children);
        if (rc == 0 && vecs[i].field->type.id == HR_T_STRUCT) {
            rc = hr_j_shape_struct(json, col);
        }
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

/* Pointers as the vec has them now. */
static void rebind(struct hr_j_col *col) {
    struct hr_vec *vec = col->vec;
    col->data = vec->data;
    col->offsets = vec->offsets;
    col->validity = vec->validity;
    col->cap = vec->data_cap < INT32_MAX ? vec->data_cap : INT32_MAX;
}

static void set_bits(uint8_t *bits, int64_t from, int64_t to) {
    for (; from < to && (from & 7) != 0; from++) {
        hr_bit_set(bits, from);
    }
    if (from < to) {
        memset(bits + (from >> 3), 0xff, (size_t)((to + 7) >> 3) - (size_t)(from >> 3));
    }
}

/* Beginning of the items of value idx. */
static int64_t items_at(const struct hr_j_col *col, int64_t idx) {
    return idx == 0 || col->offsets == NULL ? 0 : col->offsets[idx];
}

void hr_j_col_finish(struct hr_j_col *col, int64_t len) {
    struct hr_vec *vec = col->vec;
    const struct hr_type type = vec->field->type;
    vec->len = len;
    vec->nulls = 0;
    if (type.id == HR_T_NULL) {
        vec->nulls = len;
    } else if (vec->validity != NULL) {
        for (int64_t i = 0; i < (len + 7) >> 3; i++) {
            vec->nulls += 8 - __builtin_popcount(vec->validity[i]);
        }
        for (int64_t i = len; i < ((len + 7) & ~(int64_t)7); i++) {
            vec->nulls -= !hr_bit_get(vec->validity, i);
        }
    }
    if (hr_type_bytes(type)) {
        vec->data_len = (size_t)items_at(col, len);
    }
    for (int i = 0; i < col->n_children; i++) {
        hr_j_col_finish(&col->children[i], is_list(col) ? items_at(col, len) : len);
    }
}

int hr_j_col_room(struct hr_j_col *col, int64_t used, int64_t rows, struct hr_error *err) {
    struct hr_vec *vec = col->vec;
    if (rows <= col->room) {
        return 0;
    }
    const int64_t grown = rows < 2 * col->room ? 2 * col->room : rows;
    hr_j_col_finish(col, used);
    int rc = hr_vec_reserve(vec, (size_t)(grown - used), err);
    if (rc == 0 && vec->validity != NULL) {
        set_bits(vec->validity, used, grown);
    }
    rebind(col);
    for (int i = 0; rc == 0 && !is_list(col) && i < col->n_children; i++) {
        rc = hr_j_col_room(&col->children[i], used, rows, err);
    }
    if (rc == 0) {
        col->room = grown;
    }
    return rc;
}

int hr_j_col_bytes(struct hr_j_col *col, int64_t idx, size_t extra, struct hr_error *err) {
    struct hr_vec *vec = col->vec;
    vec->data_len = (size_t)col->offsets[idx];
    const int rc = hr_vec_reserve_bytes(vec, extra, err);
    rebind(col);
    return rc;
}

int hr_j_col_null(struct hr_j_col *col, int64_t idx, struct hr_error *err) {
    struct hr_vec *vec = col->vec;
    const struct hr_type type = vec->field->type;
    if (type.id == HR_T_NULL) {
        return 0;
    }
    if (vec->validity == NULL) {
        vec->len = idx;
        const int rc = hr_vec_need_validity(vec, (size_t)(col->room - idx), err);
        if (rc != 0) {
            return rc;
        }
        set_bits(vec->validity, 0, col->room);
        rebind(col);
    }
    hr_bit_clear(col->validity, idx);
    if (col->high <= idx) {
        col->high = idx + 1;
    }
    if (col->offsets != NULL) {
        col->offsets[idx + 1] = col->offsets[idx];
        return 0;
    }
    if (type.id == HR_T_BOOL) {
        hr_bit_clear(col->data, idx);
    }
    const size_t width = (size_t)hr_type_width(type);
    if (width > 0) {
        memset(col->data + (size_t)idx * width, 0, width);
    }
    int rc = 0;
    for (int i = 0; rc == 0 && i < col->n_children; i++) {
        rc = hr_j_col_null(&col->children[i], idx, err);
    }
    return rc;
}

void hr_j_col_reset(struct hr_j_col *col, int64_t idx) {
    if (col->high > idx) {
        set_bits(col->validity, idx, col->high);
        col->high = idx;
    }
    for (int i = 0; i < col->n_children; i++) {
        hr_j_col_reset(&col->children[i], is_list(col) ? items_at(col, idx) : idx);
    }
}

int hr_j_scope_fill(struct hr_json *json, struct hr_j_scope *scope) {
    if (scope->set == scope->n_cols) {
        return 0;
    }
    for (int i = 0; i < scope->n_cols; i++) {
        struct hr_j_col *col = &scope->cols[i];
        const int rc =
            col->stamp == scope->id ? 0 : hr_j_col_null(col, scope->idx, json->frame.lex.err);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}
