/* format/csv/csv_header.c - names of the file's columns.
 *
 * From the plan (splits), from csv_columns, from the first record, or made up: column_0, column_1 …
 * Empty names are made up too; a name met again gets _1, _2 … until it is unique.
 */
#include <stdio.h>
#include <strings.h>

#include "base/hash.h"
#include "base/utf8.h"
#include "codec/codec.h"
#include "format/csv/csv_internal.h"

void hr_csv_names_release(struct csv_names *names) {
    for (size_t i = 0; i < names->count; i++) {
        hr_free(names->items[i]);
    }
    hr_free(names->items);
    *names = (struct csv_names){0};
}

static int no_memory(struct hr_error *err) {
    return hr_fail(err, HR_E_NOMEM, "could not allocate the column names");
}

static int names_alloc(struct csv_names *names, size_t count, struct hr_error *err) {
    names->items = hr_calloc(count, sizeof(*names->items));
    names->count = names->items != NULL ? count : 0;
    return names->items != NULL ? 0 : no_memory(err);
}

static int set_name(struct csv_names *names, size_t i, const char *text, size_t len,
                    struct hr_error *err) {
    names->items[i] = hr_strndup(text, len);
    return names->items[i] != NULL ? 0 : no_memory(err);
}

static int made_up(struct csv_names *names, size_t i, struct hr_error *err) {
    char text[32];
    const int n = snprintf(text, sizeof(text), "column_%zu", i);
    return set_name(names, i, text, (size_t)n, err);
}

/* ---- uniqueness ---- */

/* Open addressing over name indexes; slots hold index + 1. `tried` counts the numbers given to
 * namesakes of a slot, so that ten thousand equal names are not tried anew each time. */
struct name_set {
    uint32_t *slots, *tried;
    size_t mask;
    const struct csv_names *names;
};

/* Slot that holds the name, or the free one it would go to. */
static size_t find_slot(const struct name_set *set, const char *name) {
    size_t at = (size_t)hr_hash64(name, strlen(name), 0) & set->mask;
    while (set->slots[at] != 0 && strcmp(set->names->items[set->slots[at] - 1], name) != 0) {
        at = (at + 1) & set->mask;
    }
    return at;
}

static int rename_one(const struct name_set *set, struct csv_names *names, size_t i,
                      struct hr_error *err) {
    const size_t size = strlen(names->items[i]) + 16;
    char *text = hr_malloc(size);
    if (text == NULL) {
        return no_memory(err);
    }
    uint32_t *tried = &set->tried[find_slot(set, names->items[i])];
    do {
        snprintf(text, size, "%s_%u", names->items[i], ++*tried);
    } while (set->slots[find_slot(set, text)] != 0);
    hr_free(names->items[i]);
    names->items[i] = text;
    return 0;
}

static bool small_and_unique(const struct csv_names *names) {
    if (names->count > 48) {
        return false;
    }
    for (size_t i = 1; i < names->count; i++) {
        for (size_t k = 0; k < i; k++) {
            if (names->items[i][0] == names->items[k][0] &&
                strcmp(names->items[i], names->items[k]) == 0) {
                return false;
            }
        }
    }
    return true;
}

static int make_unique(struct csv_names *names, struct hr_error *err) {
    if (small_and_unique(names)) {
        return 0;
    }
    size_t size = 64;
    while (size < names->count * 4) {
        size *= 2;
    }
    uint32_t *slots = hr_calloc(size * 2, sizeof(uint32_t));
    if (slots == NULL) {
        return no_memory(err);
    }
    const struct name_set set = {slots, slots + size, size - 1, names};
    /* First come the names as they are, so that a made one never takes a real one's place. */
    for (size_t i = 0; i < names->count; i++) {
        const size_t at = find_slot(&set, names->items[i]);
        if (set.slots[at] == 0) {
            set.slots[at] = (uint32_t)i + 1;
        }
    }
    int rc = 0;
    for (size_t i = 0; i < names->count && rc == 0; i++) {
        size_t at = find_slot(&set, names->items[i]);
        if (set.slots[at] == i + 1) {
            continue;
        }
        rc = rename_one(&set, names, i, err);
        at = find_slot(&set, names->items[i]);
        set.slots[at] = (uint32_t)i + 1;
    }
    hr_free(slots);
    return rc;
}

/* ---- sources of names ---- */

static int header_fail(const struct csv_tokens *t, struct hr_error *err) {
    hr_error_place(err, t->in.base, t->line, NULL);
    hr_error_object(err, t->in.src->name);
    return HR_E_FORMAT;
}

/* The hint to a name that is none: what the file begins as, else `otherwise`. */
static void hint_other(const struct csv_tokens *t, size_t column, const char *otherwise,
                       struct hr_error *err) {
    const uint8_t *start = t->in.text + t->cell_starts[0];
    const size_t len = t->cell_ends[column] - t->cell_starts[0];
    const char *other = len >= 4 && memcmp(start, "PAR1", 4) == 0      ? "parquet"
                        : len >= 4 && memcmp(start, "Obj\x01", 4) == 0 ? "avro"
                                                                       : NULL;
    const struct hr_codec *codec = hr_codec_by_magic(start, len);
    if (other != NULL) {
        hr_error_hint(err, "it begins as a file of another format does: set file_format=%s", other);
    } else if (codec != NULL) {
        hr_error_hint(err, "it begins as %s data does: inflate the object once before",
                      codec->name);
    } else {
        hr_error_hint(err, "%s", otherwise);
    }
}

static int bad_name(const struct csv_tokens *t, size_t column, struct hr_error *err) {
    hr_fail(err, HR_E_FORMAT,
            "could not read the header at line %lld: name %zu is not valid %s text",
            (long long)t->line, column + 1, t->in.charset != NULL ? t->in.encoding : "UTF-8");
    hint_other(t, column, "set csv_encoding, for example latin1 or cp1252", err);
    return header_fail(t, err);
}

/* UTF-16 without its mark, or an archive: names without what follows a NUL would be wrong ones. */
static int nul_name(const struct csv_tokens *t, size_t column, struct hr_error *err) {
    hr_fail(err, HR_E_FORMAT, "could not read the header at line %lld: name %zu holds a NUL byte",
            (long long)t->line, column + 1);
    hint_other(t, column,
               "text in UTF-16 needs csv_encoding=utf-16le or utf-16be; anything else with such "
               "bytes is no CSV",
               err);
    return header_fail(t, err);
}

static bool begins(struct hr_slice text, const char *with) {
    const size_t n = strlen(with);
    return text.len >= n && strncasecmp((const char *)text.ptr, with, n) == 0;
}

/* Records of other formats would be read as a strange name and rows of one field, or none at all.
 */
static int check_header(const struct csv_tokens *t, size_t count, struct hr_error *err) {
    struct hr_slice text =
        hr_slice_of(t->in.text + t->cell_starts[0], t->cell_ends[count - 1] - t->cell_starts[0]);
    while (text.len > 0 && (*text.ptr == ' ' || *text.ptr == '\t')) {
        text = hr_slice_of(text.ptr + 1, text.len - 1);
    }
    const bool open = count == 1 && text.len == 1 && (*text.ptr == '{' || *text.ptr == '[');
    if (open || begins(text, "{\"") || begins(text, "[{")) {
        hr_fail(err, HR_E_FORMAT, "could not read the header at line %lld: it is JSON",
                (long long)t->line);
        hr_error_hint(err, "set file_format=json; where the file is CSV without a header set "
                           "csv_header=false");
        return header_fail(t, err);
    }
    if (text.len == 5 && begins(text, "sep=")) {
        const bool tab = text.ptr[4] == '\t';
        hr_fail(err, HR_E_FORMAT,
                "could not read the header at line %lld: it only names the delimiter, for Excel",
                (long long)t->line);
        hr_error_hint(err, "set csv_skip_rows=1 and csv_delimiter to \"%.*s\"", tab ? 2 : 1,
                      tab ? "\\t" : (const char *)text.ptr + 4);
        return header_fail(t, err);
    }
    const bool tag = text.len > 2 && text.ptr[0] == '<' && text.ptr[text.len - 1] == '>';
    const bool html = begins(text, "<!DOCTYPE html") || begins(text, "<html");
    if (tag || html || begins(text, "<?xml")) {
        hr_fail(err, HR_E_FORMAT, "could not read the header at line %lld: it is %s",
                (long long)t->line, html ? "HTML" : "XML");
        hr_error_hint(err, "XML is not read: look into the object, which may be an error page "
                           "saved in place of the data, or leave it out with file_pattern");
        return header_fail(t, err);
    }
    return 0;
}

static int header_names(struct csv_tokens *t, struct csv_names *names, size_t count,
                        struct hr_error *err) {
    struct hr_buf scratch;
    hr_buf_init(&scratch, 0);
    int rc = count > 0 ? check_header(t, count, err) : 0;
    rc = rc == 0 ? names_alloc(names, count, err) : rc;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        struct hr_slice text;
        bool quoted;
        const struct hr_slice cell =
            hr_slice_of(t->in.text + t->cell_starts[i], t->cell_ends[i] - t->cell_starts[i]);
        if (t->in.charset != NULL ? !hr_charset_valid(t->in.charset, cell)
                                  : !hr_utf8_valid(cell.ptr, cell.len)) {
            rc = bad_name(t, i, err);
            break;
        }
        rc = hr_csv_cell(t->d, t->in.charset, cell, &scratch, &text, &quoted, err);
        if (rc == 0 && text.len > 0 && memchr(text.ptr, 0, text.len) != NULL) {
            rc = nul_name(t, i, err);
        } else if (rc == 0) {
            rc = text.len > 0 ? set_name(names, i, (const char *)text.ptr, text.len, err)
                              : made_up(names, i, err);
        }
    }
    hr_buf_release(&scratch);
    return rc;
}

/* csv_columns over what there is; the rest keeps its names. */
static int given_names(const struct csv_tokens *t, struct csv_names *names, struct hr_error *err) {
    const struct hr_strlist *given = &t->d->opts->columns;
    if (given->count > names->count) {
        hr_fail(err, HR_E_CONFIG,
                "could not name the columns: csv_columns has %zu names, the file has "
                "%zu columns",
                given->count, names->count);
        hr_error_hint(err, "give as many names as there are columns, or fewer");
        hr_error_object(err, t->in.src->name);
        return HR_E_CONFIG;
    }
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < given->count; i++) {
        hr_free(names->items[i]);
        rc = set_name(names, i, given->items[i], strlen(given->items[i]), err);
    }
    return rc;
}

static int planned_names(struct csv_names *names, const struct hr_strlist *header,
                         struct hr_error *err) {
    int rc = names_alloc(names, header->count, err);
    for (size_t i = 0; rc == 0 && i < header->count; i++) {
        rc = set_name(names, i, header->items[i], strlen(header->items[i]), err);
    }
    return rc;
}

/* Skip what stands in front of the first record and find the names. */
static int read_names(struct csv_tokens *t, const struct hr_read_params *params,
                      struct csv_names *out, struct hr_error *err) {
    const struct csv_dialect *d = t->d;
    const bool first = params->split_begin <= 0;
    size_t count = 0;
    if (!first && d->header && params->header == NULL) {
        return hr_fail(err, HR_E_INTERNAL, "a split of a CSV file was opened without its header");
    }
    int rc = first ? hr_csv_tokens_skip(t, d->skip_rows, err) : 0;
    const bool look = params->header == NULL || (first && d->header);
    if (rc == 0 && look) {
        rc = hr_csv_tokens_record(t, &count, err);
    }
    if (rc == HR_END && params->header == NULL) {
        return HR_END;
    }
    const bool ended = rc == HR_END;
    rc = ended ? 0 : rc;
    if (rc == 0 && params->header != NULL) {
        rc = planned_names(out, params->header, err);
    } else if (rc == 0 && d->header && first) {
        rc = header_names(t, out, count, err);
        rc = rc == 0 ? given_names(t, out, err) : rc;
    } else if (rc == 0) {
        rc = names_alloc(out, count, err);
        for (size_t i = 0; rc == 0 && i < count; i++) {
            rc = made_up(out, i, err);
        }
        rc = rc == 0 ? given_names(t, out, err) : rc;
    }
    if (rc == 0 && first && d->header && !ended) {
        hr_csv_tokens_forget(t);
    }
    return rc == 0 && first ? hr_csv_tokens_skip(t, d->skip_after, err) : rc;
}

int hr_csv_names_read(struct csv_tokens *t, const struct hr_read_params *params,
                      struct csv_names *out, struct hr_error *err) {
    *out = (struct csv_names){0};
    int rc = read_names(t, params, out, err);
    if (rc == 0) {
        rc = make_unique(out, err);
    }
    if (rc != 0) {
        hr_csv_names_release(out);
    }
    t->n_columns = out->count;
    return rc;
}
