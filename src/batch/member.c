/* batch/member.c - columns inside structs (see member.h): found by name, asked for from readers,
 * taken out of their struct. */
#include "batch/member.h"

#include <string.h>

/* Below `fields`, the rest of the path: the field of that very name first, then inside the structs
 * whose name it begins with. */
static bool find_in(const struct hr_field *fields, int n, const char *path, int level,
                    struct hr_member *out, const struct hr_field **stopped) {
    if (level >= HR_MEMBER_DEPTH_MAX) {
        return false;
    }
    for (int i = 0; i < n; i++) {
        if (strcmp(fields[i].name, path) == 0) {
            out->steps[level] = i;
            out->depth = level;
            out->field = &fields[i];
            return true;
        }
    }
    for (int i = 0; i < n; i++) {
        const size_t len = strlen(fields[i].name);
        if (strncmp(fields[i].name, path, len) != 0 || path[len] != '.') {
            continue;
        }
        if (fields[i].type.id != HR_T_STRUCT) {
            *stopped = &fields[i];
            continue;
        }
        out->steps[level] = i;
        if (find_in(fields[i].children, fields[i].n_children, path + len + 1, level + 1, out,
                    stopped)) {
            return true;
        }
    }
    return false;
}

bool hr_member_find(const struct hr_schema *schema, const char *path, struct hr_member *out,
                    const struct hr_field **stopped) {
    const struct hr_field *at = NULL;
    const bool found = find_in(schema->fields, schema->n_fields, path, 0, out, &at);
    if (stopped != NULL) {
        *stopped = at;
    }
    if (found) { /* the first step is the column */
        out->column = out->steps[0];
        memmove(out->steps, out->steps + 1, (size_t)out->depth * sizeof(out->steps[0]));
    }
    return found;
}

static void drop_children(struct hr_field *field) {
    for (int i = 0; i < field->n_children; i++) {
        hr_field_release(&field->children[i]);
    }
    hr_free(field->children);
    field->children = NULL;
    field->n_children = 0;
}

/* The child of this name, made when there is none. NULL: no memory. */
static struct hr_field *child_of(struct hr_field *want, const struct hr_field *have, bool *is_new) {
    for (int i = 0; i < want->n_children; i++) {
        if (strcmp(want->children[i].name, have->name) == 0) {
            *is_new = false;
            return &want->children[i];
        }
    }
    struct hr_field *grown =
        hr_reallocarray(want->children, (size_t)want->n_children + 1, sizeof(*grown));
    if (grown == NULL) {
        return NULL;
    }
    want->children = grown;
    if (hr_field_init(&grown[want->n_children], have->name, strlen(have->name), have->type, 0)) {
        return NULL;
    }
    *is_new = true;
    return &grown[want->n_children++];
}

int hr_member_keep(struct hr_field *want, bool is_new, const struct hr_field *have,
                   const struct hr_member *member) {
    for (int i = 0; i < member->depth; i++) {
        if (!is_new && want->n_children == 0) {
            return 0; /* whole already */
        }
        have = &have->children[member->steps[i]];
        want = child_of(want, have, &is_new);
        if (want == NULL) {
            return HR_E_NOMEM;
        }
    }
    drop_children(want);
    return 0;
}

/* bits &= the bitmap of `around`, both over `rows`. */
static void mask(uint8_t *bits, const uint8_t *around, int64_t rows) {
    for (int64_t i = 0; i < (rows + 7) / 8; i++) {
        bits[i] &= around[i];
    }
}

static int64_t count_nulls(const uint8_t *bits, int64_t rows) {
    int64_t valid = 0;
    for (int64_t i = 0; i < rows / 8; i++) {
        valid += __builtin_popcount(bits[i]);
    }
    for (int64_t i = rows / 8 * 8; i < rows; i++) {
        valid += hr_bit_get(bits, i);
    }
    return rows - valid;
}

int hr_member_view(const struct hr_vec *column, const struct hr_member *member,
                   const struct hr_field *field, struct hr_vec *out, uint8_t **bits,
                   struct hr_error *err) {
    const int64_t rows = column->len;
    const size_t bytes = (size_t)(rows + 7) / 8;
    const struct hr_vec *at = column;
    bool masked = false;
    for (int i = 0; i < member->depth; i++) {
        if (at->validity != NULL && !masked) {
            uint8_t *grown = hr_big_grow(*bits, 0, bytes + 1, NULL);
            if (grown == NULL) {
                return hr_fail(err, HR_E_NOMEM, "could not allocate a column");
            }
            *bits = grown;
            memset(*bits, 0xff, bytes);
            masked = true;
        }
        if (at->validity != NULL) {
            mask(*bits, at->validity, rows);
        }
        at = &at->children[member->steps[i]];
    }
    *out = *at;
    out->field = field;
    if (masked) {
        if (at->validity != NULL) {
            mask(*bits, at->validity, rows);
        }
        out->validity = *bits;
        out->nulls = count_nulls(*bits, rows);
    }
    return 0;
}
