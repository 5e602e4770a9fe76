/* format/csv/csv_cell.c - the text of one cell, exactly.
 *
 * A cell is quoted when its first byte (with csv_trim: its first byte that is no blank) is the
 * quote character. After the closing quote more text may follow and is taken as it is, as Python's
 * csv and pyarrow do: "abc"def is abcdef. A quote further inside an unquoted cell is an ordinary
 * byte.
 */
#include "format/csv/csv_internal.h"

bool hr_csv_escaped(const struct csv_dialect *d, const uint8_t *start, const uint8_t *at) {
    bool odd = false;
    while (d->escape >= 0 && at > start && at[-1] == d->escape) {
        odd = !odd;
        at--;
    }
    return odd;
}

static struct hr_slice trimmed(const struct csv_dialect *d, struct hr_slice s) {
    while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t') && s.ptr[0] != d->delim[0]) {
        s.ptr++;
        s.len--;
    }
    while (s.len > 0 && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t') &&
           !hr_csv_escaped(d, s.ptr, s.ptr + s.len - 1)) {
        s.len--;
    }
    return s;
}

static bool has(struct hr_slice s, int byte) {
    return byte >= 0 && s.len > 0 && memchr(s.ptr, byte, s.len) != NULL;
}

/* Copy without quotes and escapes. */
static int unquote(const struct csv_dialect *d, struct hr_slice cell, bool quoted,
                   struct hr_buf *out, struct hr_error *err) {
    const int rc = hr_buf_reserve(out, cell.len, err);
    if (rc != 0) {
        return rc;
    }
    uint8_t *p = out->ptr;
    bool inside = quoted;
    for (size_t i = quoted; i < cell.len; i++) {
        const uint8_t c = cell.ptr[i];
        if (c == d->escape && i + 1 < cell.len) {
            *p++ = cell.ptr[++i];
        } else if (inside && c == d->quote) {
            if (d->double_quote && i + 1 < cell.len && cell.ptr[i + 1] == d->quote) {
                *p++ = c;
                i++;
            } else {
                inside = false;
            }
        } else {
            *p++ = c;
        }
    }
    out->len = (size_t)(p - out->ptr);
    out->ptr[out->len] = '\0';
    return 0;
}

static bool is_ascii(struct hr_slice s) {
    uint8_t high = 0;
    for (size_t i = 0; i < s.len; i++) {
        high |= s.ptr[i];
    }
    return high < 0x80;
}

/* The text in `out` (possibly inside scratch) as UTF-8. */
static int translate(const struct hr_charset *set, struct hr_buf *scratch, struct hr_slice *out,
                     struct hr_error *err) {
    if (is_ascii(*out)) {
        return 0;
    }
    /* Behind what it may itself hold; the old text keeps its place when the buffer moves. */
    const bool inner = scratch->ptr != NULL && out->ptr == scratch->ptr;
    const size_t begin = inner ? scratch->len : 0;
    scratch->len = begin;
    int rc = hr_buf_reserve(scratch, out->len * 4, err);
    if (rc == 0) {
        const struct hr_slice from = inner ? hr_slice_of(scratch->ptr, out->len) : *out;
        rc = hr_charset_append(set, from, scratch, err);
    }
    if (rc == 0) {
        *out = hr_slice_of(scratch->ptr + begin, scratch->len - begin);
    }
    return rc;
}

int hr_csv_cell(const struct csv_dialect *d, const struct hr_charset *set, struct hr_slice cell,
                struct hr_buf *scratch, struct hr_slice *out, bool *quoted, struct hr_error *err) {
    hr_buf_clear(scratch);
    if (d->trim) {
        cell = trimmed(d, cell);
    }
    *quoted = d->quote >= 0 && cell.len > 0 && cell.ptr[0] == d->quote;
    *out = cell;
    int rc = 0;
    if (*quoted || has(cell, d->escape)) {
        const struct hr_slice inner =
            cell.len >= 2 ? hr_slice_of(cell.ptr + 1, cell.len - 2) : cell;
        if (*quoted && cell.len >= 2 && cell.ptr[cell.len - 1] == d->quote &&
            !has(inner, d->quote) && !has(inner, d->escape)) {
            *out = inner;
        } else {
            rc = unquote(d, cell, *quoted, scratch, err);
            *out = hr_buf_slice(scratch);
        }
    }
    return rc == 0 && set != NULL ? translate(set, scratch, out, err) : rc;
}
