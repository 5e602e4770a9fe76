/* transform/partition.c - rows to folders (see partition.h).
 *
 * A row's partition values as bytes are looked up in a hash table; only values not seen since the
 * last flush are rendered to a path. Staged rows keep the number of their folder; a counting sort
 * brings them together when they are given out.
 */
#include "transform/partition.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/hash.h"

#define SLICE_ROWS 8192
#define HIDDEN                                                                                     \
    "\x01" /* first byte of a hidden column's name: no column of a file is taken for it */
#define VALUE_MAX ((size_t)1 << 20)

/* Byte strings to numbers: open addressing over entries in order of arrival. */
struct table {
    struct entry {
        uint64_t hash;
        size_t at;
        uint32_t len, value;
    } * entries;
    size_t count, cap;
    uint32_t *slots; /* entry + 1, 0 free */
    size_t n_slots;  /* a power of two */
    struct hr_buf bytes;
};

struct hr_partition {
    const struct hr_partition_spec *spec;
    struct hr_schema *full, *schema;
    size_t bytes_max;
    int *source_of;         /* per column of the files: column of the batches */
    int *term_column;       /* per term: column of the batches, -1 none */
    struct table raw, path; /* values as bytes, rendered paths; both to folder numbers */
    struct hr_arena arena;
    const char **folders;
    size_t n_folders, folders_cap;
    struct hr_batch *staged;
    uint32_t *folder_of; /* per staged row */
    size_t rows_cap;
    uint32_t last; /* folder of the row before */
    struct hr_buf key, last_key, text;
    /* giving out */
    bool draining;
    uint32_t *order;   /* staged rows by folder */
    size_t *starts;    /* per folder: its first in order; one more at the end */
    size_t folder, at; /* what comes next */
    struct hr_batch *out;
};

static int no_memory(struct hr_error *err) {
    return hr_fail(err, HR_E_NOMEM, "could not allocate the partitions");
}

/* ---- table ---- */

static void table_clear(struct table *t) {
    t->count = 0;
    hr_buf_clear(&t->bytes);
    if (t->n_slots > 0) {
        memset(t->slots, 0, t->n_slots * sizeof(*t->slots));
    }
}

static void table_release(struct table *t) {
    hr_free(t->entries);
    hr_free(t->slots);
    hr_buf_release(&t->bytes);
}

static void place(struct table *t, size_t entry) {
    size_t slot = t->entries[entry].hash & (t->n_slots - 1);
    while (t->slots[slot] != 0) {
        slot = (slot + 1) & (t->n_slots - 1);
    }
    t->slots[slot] = (uint32_t)entry + 1;
}

static int table_grow(struct table *t, struct hr_error *err) {
    if (t->count == t->cap) {
        const size_t cap = t->cap ? t->cap * 2 : 64;
        struct entry *entries = hr_reallocarray(t->entries, cap, sizeof(*entries));
        if (entries == NULL) {
            return no_memory(err);
        }
        t->entries = entries;
        t->cap = cap;
    }
    if ((t->count + 1) * 2 > t->n_slots) {
        const size_t n = t->n_slots ? t->n_slots * 2 : 128;
        uint32_t *slots = hr_calloc(n, sizeof(*slots));
        if (slots == NULL) {
            return no_memory(err);
        }
        hr_free(t->slots);
        t->slots = slots;
        t->n_slots = n;
        for (size_t i = 0; i < t->count; i++) {
            place(t, i);
        }
    }
    return 0;
}

static const struct entry *table_find(const struct table *t, struct hr_slice key, uint64_t hash) {
    for (size_t slot = hash & (t->n_slots - 1); t->n_slots > 0 && t->slots[slot] != 0;
         slot = (slot + 1) & (t->n_slots - 1)) {
        const struct entry *e = &t->entries[t->slots[slot] - 1];
        if (e->hash == hash && e->len == key.len &&
            (key.len == 0 || memcmp(t->bytes.ptr + e->at, key.ptr, key.len) == 0)) {
            return e;
        }
    }
    return NULL;
}

static int table_add(struct table *t, struct hr_slice key, uint64_t hash, uint32_t value,
                     struct hr_error *err) {
    int rc = table_grow(t, err);
    if (rc == 0) {
        rc = hr_buf_append(&t->bytes, key.ptr, key.len, err);
    }
    if (rc == 0) {
        t->entries[t->count] =
            (struct entry){hash, t->bytes.len - key.len, (uint32_t)key.len, value};
        place(t, t->count++);
    }
    return rc;
}

/* ---- columns ---- */

static bool hidden(const char *name) {
    return name[0] == HIDDEN[0];
}

int hr_partition_columns(const struct hr_partition_spec *spec, struct hr_transform_spec *columns,
                         struct hr_error *err) {
    int rc = 0;
    for (size_t i = 0; rc == 0 && !spec->hive && i < spec->count; i++) {
        const char *column = spec->terms[i].column;
        bool have = column == NULL;
        for (size_t k = 0; !have && k < i; k++) {
            have = spec->terms[k].column != NULL && strcmp(spec->terms[k].column, column) == 0;
        }
        if (have) {
            continue;
        }
        struct hr_buf name;
        hr_buf_init(&name, 2048);
        rc = hr_buf_printf(&name, err, HIDDEN "%s", column);
        if (rc == 0) {
            rc = hr_transform_spec_add(columns, hr_buf_cstr(&name), HR_OUT_DATA, column, NULL, 0,
                                       err);
        }
        if (rc == 0) {
            columns->columns[columns->count - 1].hidden = true;
        }
        hr_buf_release(&name);
    }
    return rc;
}

/* By its name at the destination, else the file's column. */
static int find_column(const struct hr_schema *full, const char *name) {
    const int visible = hr_schema_find(full, name, strlen(name));
    for (int i = 0; visible < 0 && i < full->n_fields; i++) {
        if (hidden(full->fields[i].name) && strcmp(full->fields[i].name + 1, name) == 0) {
            return i;
        }
    }
    return visible;
}

static int bad_column(const struct hr_schema *full, const char *name, const char *why,
                      struct hr_error *err) {
    char names[240] = "";
    size_t n = 0;
    for (int i = 0; i < full->n_fields && n < sizeof(names) - 8; i++) {
        if (!hidden(full->fields[i].name)) {
            n += (size_t)snprintf(names + n, sizeof(names) - n, "%s%s", n > 0 ? ", " : "",
                                  full->fields[i].name);
        }
    }
    hr_fail(err, HR_E_CONFIG, "could not partition by '%s': %s", name, why);
    hr_error_hint(err, "columns are: %s", names);
    return HR_E_CONFIG;
}

static int find_terms(struct hr_partition *p, struct hr_error *err) {
    const struct hr_partition_spec *spec = p->spec;
    for (size_t i = 0; i < spec->count; i++) {
        const char *name = spec->terms[i].column;
        p->term_column[i] = -1;
        if (name == NULL) {
            continue;
        }
        const int k = find_column(p->full, name);
        if (k < 0 && spec->hive) {
            return bad_column(p->full, name, "there is no such column", err);
        }
        if (k >= 0 && hr_type_nested(p->full->fields[k].type)) {
            return bad_column(p->full, name, "it is nested", err);
        }
        p->term_column[i] = k;
    }
    return 0;
}

static bool leaves(const struct hr_partition *p, int column) {
    bool found = hidden(p->full->fields[column].name);
    for (size_t i = 0; p->spec->hive && i < p->spec->count; i++) {
        found = found || p->term_column[i] == column;
    }
    return found;
}

/* The schema of the files: without hidden columns and those that became folders. */
static int make_schema(struct hr_partition *p, struct hr_error *err) {
    struct hr_schema *schema = hr_schema_new(p->full->n_fields);
    if (schema == NULL) {
        return no_memory(err);
    }
    p->schema = schema;
    int n = 0;
    int rc = 0;
    for (int i = 0; rc == 0 && i < p->full->n_fields; i++) {
        if (!leaves(p, i)) {
            rc = hr_field_copy(&schema->fields[n], &p->full->fields[i]);
            p->source_of[n] = i;
            n += rc == 0;
        }
    }
    schema->n_fields = n;
    if (rc != 0) {
        return no_memory(err);
    }
    if (n == 0 && p->spec->hive) {
        return bad_column(p->full, p->spec->terms[1].column,
                          "no column would be left for the files", err);
    }
    return 0;
}

int hr_partition_new(const struct hr_partition_spec *spec, struct hr_schema *full, size_t bytes_max,
                     struct hr_partition **out, struct hr_error *err) {
    *out = NULL;
    struct hr_partition *p = hr_calloc(1, sizeof(*p));
    if (p == NULL) {
        return no_memory(err);
    }
    p->spec = spec;
    p->full = hr_schema_ref(full);
    p->bytes_max = bytes_max;
    hr_arena_init(&p->arena, 0);
    hr_buf_init(&p->raw.bytes, (size_t)1 << 30);
    hr_buf_init(&p->path.bytes, (size_t)1 << 30);
    hr_buf_init(&p->key, (size_t)1 << 30);
    hr_buf_init(&p->last_key, (size_t)1 << 30);
    hr_buf_init(&p->text, (size_t)1 << 30);
    p->source_of = hr_calloc((size_t)full->n_fields + 1, sizeof(*p->source_of));
    p->term_column = hr_calloc(spec->count + 1, sizeof(*p->term_column));
    int rc = p->source_of && p->term_column ? 0 : no_memory(err);
    if (rc == 0) {
        rc = find_terms(p, err);
    }
    if (rc == 0) {
        rc = make_schema(p, err);
    }
    if (rc == 0) {
        rc = hr_batch_new(p->schema, &p->staged, err);
    }
    if (rc == 0) {
        rc = hr_batch_new(p->schema, &p->out, err);
    }
    if (rc != 0) {
        hr_partition_free(p);
        return rc;
    }
    *out = p;
    return 0;
}

void hr_partition_free(struct hr_partition *p) {
    if (p == NULL) {
        return;
    }
    table_release(&p->raw);
    table_release(&p->path);
    hr_arena_release(&p->arena);
    hr_buf_release(&p->key);
    hr_buf_release(&p->last_key);
    hr_buf_release(&p->text);
    hr_batch_free(p->staged);
    hr_batch_free(p->out);
    hr_free(p->folders);
    hr_free(p->starts);
    hr_big_free(p->folder_of);
    hr_big_free(p->order);
    hr_free(p->source_of);
    hr_free(p->term_column);
    hr_schema_unref(p->schema);
    hr_schema_unref(p->full);
    hr_free(p);
}

struct hr_schema *hr_partition_schema(const struct hr_partition *p) {
    return p->schema;
}

void hr_partition_reset(struct hr_partition *p) {
    table_clear(&p->raw);
    table_clear(&p->path);
    hr_arena_reset(&p->arena);
    hr_buf_clear(&p->last_key);
    hr_batch_clear(p->staged);
    p->n_folders = 0;
    p->draining = false;
}

/* ---- one row ---- */

/* What tells partitions apart, as bytes; a time only down to the hour when it is cut anyway. */
static int row_key(struct hr_partition *p, const struct hr_batch *batch, int64_t row,
                   struct hr_error *err) {
    hr_buf_clear(&p->key);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < p->spec->count; i++) {
        if (p->term_column[i] < 0) {
            continue;
        }
        const struct hr_vec *vec = &batch->vecs[p->term_column[i]];
        const struct hr_type type = vec->field->type;
        const bool time = p->spec->terms[i].granularity != HR_GRAN_NONE && !hr_type_bytes(type);
        const bool valid = type.id != HR_T_NULL && hr_vec_valid(vec, row);
        int64_t number;
        rc = hr_buf_append_byte(&p->key, valid, err);
        if (rc != 0 || !valid) {
            continue;
        }
        if (time && hr_partition_instant(vec, row, &number)) {
            number = number / 3600 - (number % 3600 < 0);
            rc = hr_buf_append(&p->key, &number, sizeof(number), err);
        } else if (hr_type_bytes(type)) {
            const struct hr_slice text = hr_vec_slice(vec, row);
            rc = hr_buf_append(&p->key, &text.len, sizeof(text.len), err);
            if (rc == 0) {
                rc = hr_buf_append(&p->key, text.ptr, text.len, err);
            }
        } else if (type.id == HR_T_BOOL) {
            rc = hr_buf_append_byte(&p->key, hr_bit_get(vec->data, row), err);
        } else {
            const size_t width = (size_t)hr_type_width(type);
            rc = hr_buf_append(&p->key, vec->data + (size_t)row * width, width, err);
        }
    }
    return rc;
}

static int too_long(const struct hr_partition_term *term, struct hr_slice value,
                    struct hr_error *err) {
    char shown[120];
    hr_fail(err, HR_E_BOUND, "could not partition by '%s': the value '%s' is too long for a folder",
            term->column, hr_printable(value, 60, shown, sizeof(shown)));
    hr_error_place(err, -1, -1, term->column);
    hr_error_hint(err, "a folder's name holds %d bytes; partition by another column",
                  HR_PARTITION_NAME_MAX);
    return HR_E_BOUND;
}

/* Append a term's value to `out`. Where the column stays in the file a long value is cut and made
 * distinct by its hash; where the folder is all that is left of it, that would lose data. */
static int put_value(struct hr_partition *p, const struct hr_batch *batch, int64_t row, size_t i,
                     struct hr_buf *out, struct hr_error *err) {
    const struct hr_partition_term *term = &p->spec->terms[i];
    const struct hr_vec *vec = p->term_column[i] < 0 ? NULL : &batch->vecs[p->term_column[i]];
    const bool alone = out->len == 0 || out->ptr[out->len - 1] == '/';
    hr_buf_clear(&p->text);
    int rc = 0;
    if (vec != NULL && vec->field->type.id != HR_T_NULL && hr_vec_valid(vec, row)) {
        rc = hr_partition_value(vec, row, term->granularity, &p->text, err);
    }
    if (rc != 0) {
        return rc;
    }
    struct hr_slice value = hr_buf_slice(&p->text);
    if (value.len == 0) { /* null, or text that would be no name */
        return hr_partition_escape(hr_slice_str(term->fallback), alone && term->fallback[0] == '.',
                                   out, err);
    }
    const size_t before = out->len;
    const struct hr_slice head = {value.ptr, value.len > VALUE_MAX ? VALUE_MAX : value.len};
    rc = hr_partition_escape(head, alone, out, err);
    const size_t name_max = HR_PARTITION_NAME_MAX - 65; /* "name=" or literals around it */
    if (rc != 0 || out->len - before <= name_max) {
        return rc;
    }
    if (p->spec->hive) {
        return too_long(term, value, err);
    }
    out->len = before + 100;
    while (out->len > before && (out->ptr[out->len] & 0xc0) == 0x80) {
        out->len--; /* not inside a character … */
    }
    for (int back = 1; back <= 2 && out->len >= before + 2; back++) {
        if (out->ptr[out->len - (size_t)back] == '%') {
            out->len -= (size_t)back; /* … nor inside an escape */
            break;
        }
    }
    const struct hr_hash128 hash = hr_hash128(value.ptr, value.len, 0);
    return hr_buf_printf(out, err, "~%016llx%016llx", (unsigned long long)hash.hi,
                         (unsigned long long)hash.lo);
}

/* Drop empty names, close the path with one '/'. A name that begins with '.' can only come from the
 * pattern's own text. */
static int tidy(struct hr_buf *path, struct hr_error *err) {
    size_t n = 0;
    size_t name = 0;
    bool bad = false;
    for (size_t i = 0; i < path->len; i++) {
        if (path->ptr[i] == '/' && n == name) {
            continue;
        }
        bad = bad || (n == name && path->ptr[i] == '.');
        path->ptr[n++] = path->ptr[i];
        if (path->ptr[i] == '/') {
            bad = bad || n - 1 - name > HR_PARTITION_NAME_MAX;
            name = n;
        }
    }
    path->len = n;
    bad = bad || n - name > HR_PARTITION_NAME_MAX || n > HR_PARTITION_PATH_MAX;
    if (!bad) {
        return n > name ? hr_buf_append_byte(path, '/', err) : 0;
    }
    char shown[120];
    hr_fail(err, HR_E_BOUND, "could not write to the folder '%s'",
            hr_printable(hr_buf_slice(path), 80, shown, sizeof(shown)));
    hr_error_hint(err,
                  "a folder's name holds %d bytes and does not begin with '.', all names of a "
                  "path hold %d; partition by fewer or shorter columns",
                  HR_PARTITION_NAME_MAX, HR_PARTITION_PATH_MAX);
    return HR_E_BOUND;
}

static int add_folder(struct hr_partition *p, struct hr_slice path, struct hr_error *err) {
    if (p->n_folders >= (size_t)p->spec->max_folders) {
        hr_fail(err, HR_E_BOUND, "could not partition: more than %lld folders at a time",
                (long long)p->spec->max_folders);
        hr_error_hint(err, "partition by a column with fewer values, or raise "
                           "destination.max_partitions");
        return HR_E_BOUND;
    }
    if (p->n_folders == p->folders_cap) {
        const size_t cap = p->folders_cap ? p->folders_cap * 2 : 64;
        const char **grown = hr_reallocarray(p->folders, cap, sizeof(*grown));
        if (grown == NULL) {
            return no_memory(err);
        }
        p->folders = grown;
        p->folders_cap = cap;
    }
    const char *copy = hr_arena_strndup(&p->arena, (const char *)path.ptr, path.len);
    if (copy == NULL) {
        return no_memory(err);
    }
    p->folders[p->n_folders++] = copy;
    return 0;
}

/* A row with values not seen yet: its path may still be known (1 and "1", two times of a day). */
static int new_folder(struct hr_partition *p, const struct hr_batch *batch, int64_t row,
                      uint32_t *out, struct hr_error *err) {
    struct hr_buf path;
    hr_buf_init(&path, VALUE_MAX * 16);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < p->spec->count; i++) {
        const struct hr_partition_term *term = &p->spec->terms[i];
        rc = term->literal ? hr_buf_append_str(&path, term->literal, err)
                           : put_value(p, batch, row, i, &path, err);
    }
    if (rc == 0) {
        rc = tidy(&path, err);
    }
    if (rc == 0) {
        const struct hr_slice text = hr_slice_of(hr_buf_cstr(&path), path.len);
        const uint64_t hash = hr_hash64(text.ptr, text.len, 0);
        const struct entry *known = table_find(&p->path, text, hash);
        *out = known ? known->value : (uint32_t)p->n_folders;
        if (known == NULL) {
            rc = add_folder(p, text, err);
            if (rc == 0) {
                rc = table_add(&p->path, text, hash, *out, err);
            }
        }
    }
    hr_buf_release(&path);
    return rc;
}

static int folder_of_row(struct hr_partition *p, const struct hr_batch *batch, int64_t row,
                         uint32_t *out, struct hr_error *err) {
    int rc = row_key(p, batch, row, err);
    if (rc != 0) {
        return rc;
    }
    const struct hr_slice key = hr_slice_of(hr_buf_cstr(&p->key), p->key.len);
    if (p->n_folders > 0 && hr_slice_eq(key, hr_buf_slice(&p->last_key))) {
        *out = p->last;
        return 0;
    }
    const uint64_t hash = hr_hash64(key.ptr, key.len, 0);
    const struct entry *known = table_find(&p->raw, key, hash);
    if (known != NULL) {
        *out = known->value;
    } else {
        rc = new_folder(p, batch, row, out, err);
        if (rc == 0) {
            rc = table_add(&p->raw, key, hash, *out, err);
        }
    }
    const struct hr_buf swap = p->last_key;
    p->last_key = p->key;
    p->key = swap;
    p->last = *out;
    return rc;
}

/* ---- batches ---- */

int hr_partition_put(struct hr_partition *p, const struct hr_batch *batch, struct hr_error *err) {
    const size_t before = (size_t)p->staged->len;
    const size_t need = before + (size_t)batch->len;
    if (need > p->rows_cap) {
        size_t got;
        uint32_t *grown = hr_big_grow(p->folder_of, before * sizeof(*grown),
                                      (need + need / 2) * sizeof(*grown), &got);
        if (grown == NULL) {
            return no_memory(err);
        }
        p->folder_of = grown;
        p->rows_cap = got / sizeof(*grown);
    }
    int rc = 0;
    for (int64_t i = 0; rc == 0 && i < batch->len; i++) {
        rc = folder_of_row(p, batch, i, &p->folder_of[before + (size_t)i], err);
    }
    for (int i = 0; rc == 0 && i < p->schema->n_fields; i++) {
        rc = hr_vec_append_range(&p->staged->vecs[i], &batch->vecs[p->source_of[i]], 0, batch->len,
                                 err);
    }
    if (rc == 0) {
        p->staged->len += batch->len;
    }
    return rc;
}

bool hr_partition_full(const struct hr_partition *p) {
    return hr_batch_bytes(p->staged) + p->raw.bytes.len + p->path.bytes.len >= p->bytes_max;
}

static int sort_rows(struct hr_partition *p, struct hr_error *err) {
    const size_t rows = (size_t)p->staged->len;
    uint32_t *order = hr_big_grow(p->order, 0, (rows + 1) * sizeof(*order), NULL);
    p->order = order ? order : p->order;
    hr_free(p->starts);
    p->starts = hr_calloc(p->n_folders + 2, sizeof(*p->starts));
    if (order == NULL || p->starts == NULL) {
        return no_memory(err);
    }
    /* Counted two places on, summed up, used as cursors one place on: starts[f] is left over. */
    for (size_t i = 0; i < rows; i++) {
        p->starts[p->folder_of[i] + 2]++;
    }
    for (size_t f = 2; f <= p->n_folders + 1; f++) {
        p->starts[f] += p->starts[f - 1];
    }
    for (size_t i = 0; i < rows; i++) {
        p->order[p->starts[p->folder_of[i] + 1]++] = (uint32_t)i;
    }
    p->folder = p->at = 0;
    p->draining = true;
    return 0;
}

int hr_partition_next(struct hr_partition *p, const char **folder, const struct hr_batch **out,
                      bool *last, struct hr_error *err) {
    int rc = 0;
    if (p->staged->len == 0) {
        return HR_END;
    }
    if (!p->draining) {
        rc = sort_rows(p, err);
    }
    if (rc == 0 && p->at == (size_t)p->staged->len) {
        hr_partition_reset(p);
        return HR_END;
    }
    if (rc != 0) {
        return rc;
    }
    const size_t end = p->starts[p->folder + 1];
    const size_t n = end - p->at < SLICE_ROWS ? end - p->at : SLICE_ROWS;
    hr_batch_clear(p->out);
    for (int i = 0; rc == 0 && i < p->schema->n_fields; i++) {
        rc = hr_vec_append_rows(&p->out->vecs[i], &p->staged->vecs[i], p->order + p->at, n, err);
    }
    if (rc != 0) {
        return rc;
    }
    p->out->len = (int64_t)n;
    *folder = p->folders[p->folder];
    *out = p->out;
    p->at += n;
    *last = p->at == end;
    p->folder += *last;
    return 0;
}
