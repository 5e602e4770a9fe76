/* format/parquet/pq_arrow.c - what Arrow's writers say of types that Parquet has no name for.
 *
 * They leave their schema under the key ARROW:schema: an IPC Schema message in base64 (pq_warrow.c
 * writes one). A duration is an INT64 without annotation in the file; only there it says that it is
 * one, and in which unit. Nothing else is taken from it, and a message that cannot be followed is
 * ignored: the columns are integers then, as for any reader that does not know the key. */
#include "format/parquet/pq_schema.h"

#include "base/mem.h"

enum { FB_DURATION = 18, MESSAGE_SCHEMA = 1, DEPTH_MAX = 64 };

struct flat {
    const uint8_t *ptr;
    size_t len;
};

/* Little-endian number of `size` bytes; 0 outside of the buffer. */
static uint32_t number(const struct flat *f, size_t at, size_t size) {
    uint32_t v = 0;
    if (at > f->len || f->len - at < size) {
        return 0;
    }
    for (size_t i = 0; i < size; i++) {
        v |= (uint32_t)f->ptr[at + i] << (8 * i);
    }
    return v;
}

/* Where field `i` of the table at `at` stands; 0: it has none. */
static size_t slot(const struct flat *f, size_t at, unsigned i) {
    const int64_t place = (int64_t)at - (int32_t)number(f, at, 4); /* before the table or behind */
    if (at == 0 || place < 0) {
        return 0;
    }
    const size_t vtable = (size_t)place;
    if (number(f, vtable, 2) < 4 + 2 * (i + 1)) {
        return 0;
    }
    const uint32_t offset = number(f, vtable + 4 + 2 * (size_t)i, 2);
    return offset == 0 || offset >= f->len - at ? 0 : at + offset;
}

/* What field `i` refers to: a table, a string, a vector; 0: nothing. */
static size_t refers(const struct flat *f, size_t at, unsigned i) {
    const size_t from = slot(f, at, i);
    const uint32_t offset = from == 0 ? 0 : number(f, from, 4);
    return offset == 0 || offset >= f->len - from ? 0 : from + offset;
}

/* Table k of a vector of tables; 0: there are fewer. */
static size_t item(const struct flat *f, size_t vector, size_t k) {
    if (vector == 0 || k >= number(f, vector, 4) || k > f->len / 4) {
        return 0;
    }
    const size_t from = vector + 4 + 4 * k;
    const uint32_t offset = number(f, from, 4);
    return offset == 0 || from >= f->len || offset >= f->len - from ? 0 : from + offset;
}

static bool is_named(const struct flat *f, size_t table, const char *name) {
    const size_t text = refers(f, table, 0);
    const size_t len = text == 0 ? 0 : number(f, text, 4);
    return text != 0 && len == strlen(name) && text + 4 <= f->len && len <= f->len - text - 4 &&
           memcmp(f->ptr + text + 4, name, len) == 0;
}

static void apply(const struct flat *f, size_t table, struct hr_field *field, int depth);

/* Members by their names: some may not be wanted. */
static void apply_members(const struct flat *f, size_t children, struct hr_field *field,
                          int depth) {
    const size_t n = number(f, children, 4);
    for (int i = 0; i < field->n_children; i++) {
        size_t found = 0;
        /* Mostly in the same place. */
        for (size_t k = 0; k < n && k < f->len / 4 && found == 0; k++) {
            const size_t at = item(f, children, ((size_t)i + k) % n);
            found = is_named(f, at, field->children[i].name) ? at : 0;
        }
        apply(f, found, &field->children[i], depth);
    }
}

static void apply(const struct flat *f, size_t table, struct hr_field *field, int depth) {
    if (table == 0 || depth > DEPTH_MAX) {
        return;
    }
    const size_t children = refers(f, table, 5);
    const size_t type_number = slot(f, table, 2);
    switch ((enum hr_type_id)field->type.id) {
    case HR_T_I64:
        if (type_number != 0 && number(f, type_number, 1) == FB_DURATION) {
            const size_t unit = slot(f, refers(f, table, 3), 0);
            const uint32_t v = unit == 0 ? HR_U_MS : number(f, unit, 2); /* the default is ms */
            if (v <= HR_U_NS) {
                field->type.unit = (uint8_t)v;
                field->type.ext = HR_EXT_DURATION;
            }
        }
        break;
    case HR_T_STRUCT:
        if (children != 0) {
            apply_members(f, children, field, depth + 1);
        }
        break;
    case HR_T_LIST: apply(f, item(f, children, 0), &field->children[0], depth + 1); break;
    case HR_T_MAP: { /* entries, then key and value, whatever they are called */
        const size_t pairs = refers(f, item(f, children, 0), 5);
        for (int i = 0; i < 2; i++) {
            apply(f, item(f, pairs, (size_t)i), &field->children[0].children[i], depth + 1);
        }
        break;
    }
    default: break;
    }
}

static int digit(uint8_t c) {
    return c >= 'A' && c <= 'Z'   ? c - 'A'
           : c >= 'a' && c <= 'z' ? c - 'a' + 26
           : c >= '0' && c <= '9' ? c - '0' + 52
           : c == '+'             ? 62
           : c == '/'             ? 63
                                  : -1;
}

/* Up to the first byte that is no digit (the padding). How many bytes it made. */
static size_t from_base64(struct hr_slice in, uint8_t *out) {
    uint32_t bits = 0;
    int have = 0;
    size_t n = 0;
    for (size_t i = 0; i < in.len && digit(in.ptr[i]) >= 0; i++) {
        bits = bits << 6 | (uint32_t)digit(in.ptr[i]);
        have += 6;
        if (have >= 8) {
            have -= 8;
            out[n++] = (uint8_t)(bits >> have);
        }
    }
    return n;
}

static struct hr_slice stored_schema(const struct hr_pq_file *file) {
    for (size_t i = 0; i < file->n_key_values; i++) {
        if (hr_slice_eq_str(file->key_values[i].key, "ARROW:schema")) {
            return file->key_values[i].value;
        }
    }
    return hr_slice_of(NULL, 0);
}

int hr_pq_arrow_open(const struct hr_pq_file *file, struct hr_pq_arrow *out, struct hr_error *err) {
    const struct hr_slice text = stored_schema(file);
    *out = (struct hr_pq_arrow){0};
    if (text.ptr == NULL || text.len < 16) {
        return 0;
    }
    out->bytes = hr_malloc(text.len);
    if (out->bytes == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate the Arrow schema of a Parquet file");
    }
    const size_t made = from_base64(text, out->bytes);
    const struct flat head = {out->bytes, made};
    const size_t skip = number(&head, 0, 4) == 0xffffffff ? 8 : 4; /* old writers have no mark */
    if (made <= skip) {
        return 0;
    }
    const struct flat f = {out->bytes + skip, made - skip};
    const uint32_t root = number(&f, 0, 4);
    const size_t message = root < f.len ? root : 0;
    const size_t kind = slot(&f, message, 1);
    out->skip = skip;
    out->len = f.len;
    out->fields = kind != 0 && number(&f, kind, 1) == MESSAGE_SCHEMA
                      ? refers(&f, refers(&f, message, 2), 1)
                      : 0;
    return 0;
}

void hr_pq_arrow_apply(const struct hr_pq_arrow *arrow, size_t column, struct hr_field *field) {
    if (arrow->fields != 0) {
        const struct flat f = {arrow->bytes + arrow->skip, arrow->len};
        const size_t table = item(&f, arrow->fields, column);
        apply(&f, is_named(&f, table, field->name) ? table : 0, field, 0);
    }
}

void hr_pq_arrow_close(struct hr_pq_arrow *arrow) {
    hr_free(arrow->bytes);
    *arrow = (struct hr_pq_arrow){0};
}
