/* format/csv/csv_tokens.c - a window of text into records of cells.
 *
 * Three ways, each falling to the next, all with the same answer where they apply:
 *   regular   the index says every record has the header's number of cells: its array is used as it
 *             stands, nothing is copied;
 *   general   blank lines, ragged rows, bad UTF-8, a split's end: good records are copied into
 *             cell_starts/cell_ends, bad ones go to the reject callback;
 *   exact     quotes in odd places, an escape character, long delimiters, comments: cut byte by
 * byte. A window always begins at the start of a record. What is not a whole record stays for the
 * next.
 */
#include "format/csv/csv_internal.h"

#include <stdio.h>

#include "base/utf8.h"

/* Good records being collected in cell_starts/cell_ends. */
struct builder {
    struct csv_tokens *t;
    size_t start;  /* of the record being read */
    size_t fields; /* of it so far */
    size_t keep;   /* fields stored at most */
    size_t cells;  /* stored for good records */
    int64_t rows;
    size_t used;    /* bytes settled */
    bool stopped;   /* an error is pending, or the split ends here */
    size_t counted; /* bytes whose newlines are in `lines` */
    int64_t lines;
};

static int no_memory(struct hr_error *err, size_t bytes) {
    return hr_fail(err, HR_E_NOMEM, "could not allocate %zu bytes for the index of a CSV file",
                   bytes);
}

static int grow(uint32_t **ptr, size_t used, size_t need, size_t *cap, struct hr_error *err) {
    if (need * sizeof(uint32_t) <= *cap) {
        return 0;
    }
    size_t got;
    size_t want = *cap + *cap / 2;
    if (want < need * sizeof(uint32_t)) {
        want = need * sizeof(uint32_t);
    }
    uint8_t *grown = hr_big_grow(*ptr, used * sizeof(uint32_t), want, &got);
    if (grown == NULL) {
        return no_memory(err, want);
    }
    *ptr = (uint32_t *)(void *)grown;
    *cap = got;
    return 0;
}

/* Room for `need` cells in both arrays. */
static int grow_cells(struct csv_tokens *t, size_t used, size_t need, struct hr_error *err) {
    size_t cap = t->cells_cap;
    int rc = grow(&t->cell_starts, used, need, &cap, err);
    if (rc == 0) {
        size_t other = t->cells_cap;
        rc = grow(&t->cell_ends, used, need, &other, err);
        cap = other < cap ? other : cap;
    } else {
        cap = t->cells_cap;
    }
    if (rc == 0) {
        t->cells_cap = cap;
    }
    return rc;
}

/* ---- bad records ---- */

static int64_t line_at(struct builder *b, size_t at) {
    b->lines +=
        (int64_t)hr_csv_count(b->t->in.text + b->counted, at - b->counted, b->t->marks.newline);
    b->counted = at;
    return b->t->line + b->lines;
}

/* The record [b->start, next) is bad: tell, or stop in front of it. */
static void bad_record(struct builder *b, size_t next, const char *reason) {
    struct csv_tokens *t = b->t;
    if (t->sampling) {
        return;
    }
    size_t end = next < t->in.len ? next : t->in.len;
    while (end > b->start && (t->in.text[end - 1] == '\n' || t->in.text[end - 1] == '\r')) {
        end--;
    }
    const size_t len = end - b->start;
    const struct hr_reject what = {.byte_offset = t->in.base + (int64_t)b->start,
                                   .line = line_at(b, b->start),
                                   .reason = reason,
                                   .raw = {t->in.text + b->start, len < 65536 ? len : 65536}};
    int rc;
    if (t->reject != NULL) {
        rc = t->reject(t->reject_user, &what, &t->pending_err);
        t->rejected++;
        if (rc == 0) {
            return;
        }
    } else {
        char shown[100];
        rc = hr_fail(&t->pending_err, HR_E_FORMAT, "could not read the record at line %lld: %s",
                     (long long)what.line, reason);
        hr_error_detail(&t->pending_err, "the record begins: %s",
                        hr_printable(what.raw, 80, shown, sizeof(shown)));
        hr_error_hint(&t->pending_err,
                      "correct the file, or set on_error to skip or quarantine to go "
                      "on without such records");
        hr_error_place(&t->pending_err, what.byte_offset, what.line, NULL);
        hr_error_object(&t->pending_err, t->in.src->name);
    }
    t->pending = rc;
    b->stopped = true;
}

/* ---- building records cell by cell ---- */

static int add_cell(struct builder *b, size_t start, size_t end, struct hr_error *err) {
    struct csv_tokens *t = b->t;
    const size_t at = b->cells + b->fields;
    if (b->fields < b->keep) {
        const int rc = grow_cells(t, at, at + 1, err);
        if (rc != 0) {
            return rc;
        }
        t->cell_starts[at] = (uint32_t)start;
        t->cell_ends[at] = (uint32_t)end;
    }
    if (++b->fields > CSV_COLUMNS_MAX) {
        const int64_t line = line_at(b, b->start);
        hr_fail(err, HR_E_BOUND,
                "could not read the record at line %lld: it has more than %u fields",
                (long long)line, CSV_COLUMNS_MAX);
        hr_error_hint(err, "check csv_delimiter");
        hr_error_place(err, t->in.base + (int64_t)b->start, line, NULL);
        hr_error_object(err, t->in.src->name);
        return HR_E_BOUND;
    }
    return 0;
}

static bool is_blank(const struct csv_dialect *d, uint8_t c) {
    return (c == ' ' || c == '\t') && c != d->delim[0];
}

static bool blank_line(const struct builder *b, size_t end) {
    const struct csv_tokens *t = b->t;
    for (size_t i = b->start; i < end; i++) {
        if (!(t->d->trim && is_blank(t->d, t->in.text[i]))) {
            return false;
        }
    }
    return true;
}

static bool text_ok(const struct csv_tokens *t, struct hr_slice cell) {
    return t->in.charset != NULL ? hr_charset_valid(t->in.charset, cell)
                                 : hr_utf8_valid(cell.ptr, cell.len);
}

/* Why the record is bad, in `why`; false when it is good. */
static bool find_fault(struct builder *b, char *why, size_t size) {
    struct csv_tokens *t = b->t;
    if (b->fields != t->n_columns) {
        snprintf(why, size, "it has %zu field%s where %zu %s expected", b->fields,
                 b->fields == 1 ? "" : "s", t->n_columns, t->n_columns == 1 ? "is" : "are");
        return true;
    }
    for (size_t c = 0; c < b->fields; c++) {
        const uint32_t start = t->cell_starts[b->cells + c];
        const uint32_t end = t->cell_ends[b->cells + c];
        if (end - start > t->cell_max) {
            snprintf(why, size, "its field %zu is longer than %zu bytes", c + 1, t->cell_max);
            return true;
        }
        if ((t->text_columns == NULL || t->text_columns[c]) &&
            !text_ok(t, hr_slice_of(t->in.text + start, end - start))) {
            snprintf(why, size, "its field %zu is not valid %s text (see csv_encoding)", c + 1,
                     t->in.charset != NULL ? t->in.encoding : "UTF-8");
            return true;
        }
    }
    return false;
}

/* The record whose cells were added ends; the next begins at `next`. */
static void end_record(struct builder *b, size_t content_end, size_t next) {
    char why[160];
    const bool skip = b->fields == 1 && b->t->n_columns != 1 && blank_line(b, content_end);
    if (!skip && find_fault(b, why, sizeof(why))) {
        bad_record(b, next, why);
        if (b->stopped) {
            return;
        }
    } else if (!skip) {
        b->cells += b->fields;
        b->rows++;
    }
    b->used = next;
}

/* Where a record ends without the CR of a CRLF; an escaped CR is data. */
static size_t without_cr(const struct csv_tokens *t, size_t start, size_t end) {
    const uint8_t *text = t->in.text;
    return t->marks.newline == '\n' && end > start && text[end - 1] == '\r' &&
                   !hr_csv_escaped(t->d, text + start, text + end - 1)
               ? end - 1
               : end;
}

static bool past_split(const struct csv_tokens *t, size_t at) {
    return t->split_end >= 0 && t->in.base + (int64_t)at >= t->split_end;
}

/* ---- the exact engine ---- */

#define CUT SIZE_MAX /* the window ends before the cell does */

/* Behind the closing quote of the cell whose opening quote is at `at`. */
static size_t exact_quoted(const struct csv_tokens *t, size_t at, size_t limit) {
    const struct csv_dialect *d = t->d;
    const uint8_t *text = t->in.text;
    for (size_t p = at + 1; p < limit; p++) {
        if (text[p] == d->escape) {
            p++;
        } else if (text[p] == d->quote) {
            if (p + 1 >= limit) {
                return CUT;
            }
            if (!d->double_quote || text[p + 1] != d->quote) {
                return p + 1;
            }
            p++;
        }
    }
    return CUT;
}

static bool delim_at(const struct csv_tokens *t, size_t p, size_t limit) {
    const struct csv_dialect *d = t->d;
    return t->in.text[p] == d->delim[0] &&
           (d->delim_len == 1 ||
            (d->delim_len <= limit - p && memcmp(t->in.text + p, d->delim, d->delim_len) == 0));
}

/* Where the cell at `at` ends: at a delimiter or newline, or CUT (*open_quote: inside quotes that
 * opened there, otherwise untouched). */
static size_t exact_cell(const struct csv_tokens *t, size_t at, size_t limit, size_t *open_quote) {
    const struct csv_dialect *d = t->d;
    const uint8_t *text = t->in.text;
    size_t p = at;
    if (d->quote >= 0) {
        while (d->trim && p < limit && is_blank(d, text[p])) {
            p++;
        }
        if (p < limit && text[p] == d->quote) {
            const size_t open = p;
            p = exact_quoted(t, p, limit);
            if (p == CUT) {
                *open_quote = open;
                return CUT;
            }
        }
    }
    for (; p < limit; p++) {
        if (text[p] == d->escape) {
            p++;
        } else if (text[p] == t->marks.newline || delim_at(t, p, limit)) {
            return p;
        }
    }
    return CUT;
}

/* Cells of the record at `at` into the builder. Returns where the next begins; CUT. */
static int exact_record(struct builder *b, size_t at, size_t limit, size_t *next,
                        size_t *open_quote, struct hr_error *err) {
    const struct csv_tokens *t = b->t;
    b->start = at;
    b->fields = 0;
    for (;;) {
        size_t end = exact_cell(t, at, limit, open_quote);
        const bool escaped = end == CUT && t->in.eof && *open_quote == CUT;
        if (escaped) { /* the last newline was escaped: data, unless it is ours */
            end = limit == t->in.len ? limit : limit - 1;
        }
        if (end == CUT) {
            *next = CUT;
            return 0;
        }
        const bool last = escaped || t->in.text[end] == t->marks.newline;
        const int rc = add_cell(b, at, last && !escaped ? without_cr(t, at, end) : end, err);
        if (rc != 0) {
            return rc;
        }
        if (last) {
            *next = end < limit ? end + 1 : limit;
            return 0;
        }
        at = end + t->d->delim_len;
    }
}

static size_t comment_line(const struct csv_tokens *t, size_t at, size_t limit) {
    if (t->d->comment < 0 || t->in.text[at] != t->d->comment) {
        return CUT;
    }
    const uint8_t *end = memchr(t->in.text + at, t->marks.newline, limit - at);
    return end != NULL ? (size_t)(end - t->in.text) + 1 : limit + 1;
}

static int unterminated(struct builder *b, size_t open_quote, struct hr_error *err) {
    const struct csv_tokens *t = b->t;
    const int64_t line = line_at(b, open_quote);
    hr_fail(err, HR_E_CORRUPT, "could not find the end of the quoted field that opens at line %lld",
            (long long)line);
    hr_error_hint(err,
                  "the file was cut short or a quote is missing; if quotes mean nothing in this "
                  "file set csv_quote to \"\"");
    hr_error_place(err, t->in.base + (int64_t)open_quote, line, NULL);
    hr_error_object(err, t->in.src->name);
    return HR_E_CORRUPT;
}

/* All whole records of the window, byte by byte. HR_MORE: not even one. */
static int cut_exact(struct builder *b, size_t limit, struct hr_error *err) {
    struct csv_tokens *t = b->t;
    size_t at = 0;
    while (at < limit && !b->stopped) {
        if (past_split(t, at)) {
            b->stopped = true;
            break;
        }
        size_t next = comment_line(t, at, limit);
        if (next != CUT) {
            if (next > limit) {
                break; /* the comment is not over yet */
            }
            b->used = at = next;
            continue;
        }
        size_t open_quote = CUT;
        const int rc = exact_record(b, at, limit, &next, &open_quote, err);
        if (rc != 0) {
            return rc;
        }
        if (next == CUT) {
            if (b->used == 0 && t->in.eof) {
                return unterminated(b, open_quote, err);
            }
            break;
        }
        end_record(b, without_cr(t, at, next - 1), next);
        at = next;
    }
    return b->used == 0 && !b->stopped ? HR_MORE : 0;
}

/* ---- the index's way ---- */

/* Index the window until it has whole records, in steps that bound the array. */
static int index_window(struct csv_tokens *t, size_t limit, struct csv_index_state *s,
                        struct hr_error *err) {
    *s = CSV_INDEX_START;
    for (size_t at = 0; at < limit && s->newlines == 0 && s->odd == 0;) {
        const size_t to = limit - at > CSV_WINDOW ? at + CSV_WINDOW : limit;
        const int rc = grow(&t->ends, 1 + s->ends, 1 + s->ends + (to - at) + 64, &t->ends_cap, err);
        if (rc != 0) {
            return rc;
        }
        t->index(t->in.text, at, to, &t->marks, t->ends + 1, s);
        if (s->newlines == 0 && s->ends > CSV_COLUMNS_MAX) {
            s->odd = 1; /* the exact engine finds the words for it */
        }
        at = to;
    }
    return 0;
}

/* Entries up to the last newline. */
static size_t whole_entries(const struct csv_tokens *t, size_t n) {
    while (n > 0 && t->in.text[t->ends[n]] != t->marks.newline) {
        n--;
    }
    return n;
}

/* Is every record n_columns cells? Then note CRLF line ends. HR_MORE: no. */
static int check_regular(struct csv_tokens *t, size_t n, const struct csv_index_state *s,
                         struct hr_error *err) {
    const size_t k = t->n_columns;
    const size_t rows = n / k;
    const uint8_t *text = t->in.text;
    const uint32_t *ends = t->ends + 1;
    if (n % k != 0 || s->newlines != rows) {
        return HR_MORE;
    }
    bool carriage = false;
    for (size_t r = 0, i = k - 1; r < rows; r++, i += k) {
        const uint32_t end = ends[i];
        if (text[end] != t->marks.newline) {
            return HR_MORE;
        }
        carriage |= text[(int64_t)end - 1] == '\r'; /* there is padding in front of the window */
    }
    t->rows.last_ends = NULL;
    if (!carriage || t->marks.newline != '\n') {
        return 0;
    }
    const int rc = grow(&t->last, 0, rows, &t->last_cap, err);
    if (rc != 0) {
        return rc;
    }
    size_t start = 0;
    for (size_t r = 0, i = k - 1; r < rows; r++, i += k) {
        const uint32_t end = ends[i];
        const size_t from = k > 1 ? (size_t)ends[i - 1] + 1 : start;
        t->last[r] = (uint32_t)without_cr(t, from, end);
        start = (size_t)end + 1;
    }
    t->rows.last_ends = t->last;
    return 0;
}

/* Is the text of the records valid as a whole? */
static bool valid_window(const struct csv_tokens *t, const struct csv_index_state *s, size_t used) {
    if (s->high == 0) {
        return true;
    }
    const size_t len = used < t->in.len ? used : t->in.len;
    return t->in.charset != NULL ? !t->in.charset->holes : hr_utf8_valid(t->in.text, len);
}

/* The index as it is, when nothing speaks against it. HR_MORE: something does. */
static int cut_regular(struct csv_tokens *t, size_t n, const struct csv_index_state *s,
                       struct hr_error *err) {
    const size_t used = (size_t)t->ends[n] + 1;
    if (past_split(t, used - 1) || used > t->cell_max || !valid_window(t, s, used)) {
        return HR_MORE;
    }
    const int rc = check_regular(t, n, s, err);
    if (rc != 0) {
        return rc;
    }
    t->rows.count = (int64_t)(n / t->n_columns);
    t->rows.used = used;
    t->rows.lines = s->all_newlines == s->newlines
                        ? t->rows.count
                        : (int64_t)hr_csv_count(t->in.text, used, t->marks.newline);
    return 0;
}

static int cut_general(struct builder *b, size_t n, struct hr_error *err) {
    struct csv_tokens *t = b->t;
    size_t start = 0;
    for (size_t i = 0; i < n; i++) {
        const size_t end = t->ends[1 + i];
        if (b->fields == 0) {
            if (past_split(t, start)) {
                b->stopped = true;
                break;
            }
            b->start = start;
        }
        const bool last = t->in.text[end] == t->marks.newline;
        const int rc = add_cell(b, start, last ? without_cr(t, start, end) : end, err);
        if (rc != 0) {
            return rc;
        }
        start = end + 1;
        if (last) {
            end_record(b, without_cr(t, b->start, end), start);
            if (b->stopped) {
                break;
            }
            b->fields = 0;
        }
    }
    return 0;
}

/* ---- one window ---- */

static void take_builder(struct csv_tokens *t, struct builder *b) {
    t->rows.count = b->rows;
    t->rows.starts = t->cell_starts;
    t->rows.ends = t->cell_ends;
    t->rows.delta = 0;
    t->rows.last_ends = NULL;
    t->rows.used = b->used;
    t->rows.lines = line_at(b, b->used < t->in.len ? b->used : t->in.len) - t->line;
    t->finished |= b->stopped && t->pending == 0;
}

/* Records of the window into t->rows. HR_MORE: it holds no whole one. */
static int cut_window(struct csv_tokens *t, struct hr_error *err) {
    struct csv_index_state s = {.odd = 1};
    size_t limit = t->in.len;
    size_t n = 0;
    t->rows = (struct csv_rows){.stride = t->n_columns, .line = t->line};
    if (t->in.eof && t->in.text[limit - 1] != t->marks.newline) {
        t->in.text[limit++] = t->marks.newline; /* into the padding */
    }
    if (t->d->indexable && !t->exact_only) {
        const int rc = index_window(t, limit, &s, err);
        if (rc != 0) {
            return rc;
        }
        n = whole_entries(t, s.ends);
        if (n == 0 && s.odd == 0 && !t->in.eof) {
            return HR_MORE;
        }
    }
    struct builder b = {.t = t, .keep = t->n_columns};
    int rc;
    if (s.odd != 0 || n == 0) {
        rc = cut_exact(&b, limit, err);
    } else {
        rc = cut_regular(t, n, &s, err);
        if (rc == 0) {
            t->ends[0] = UINT32_MAX; /* the first cell starts at -1 + 1 */
            t->rows.starts = t->ends;
            t->rows.ends = t->ends + 1;
            t->rows.delta = 1;
            t->rows.ascii = s.high == 0;
            return 0;
        }
        if (rc == HR_MORE) {
            rc = cut_general(&b, n, err);
        }
    }
    if (rc == 0) {
        take_builder(t, &b);
    }
    return rc;
}

static void forget_window(struct csv_tokens *t) {
    const size_t used = t->rows.used < t->in.len ? t->rows.used : t->in.len;
    hr_textin_drop(&t->in, used);
    t->line += t->rows.lines;
    t->rows = (struct csv_rows){0};
}

/* A window twice as long, because not even one record fitted. */
static int fill_more(struct csv_tokens *t, struct hr_error *err) {
    const size_t len = t->in.len;
    const size_t want = len * 2 > CSV_WINDOW ? len * 2 : CSV_WINDOW;
    const size_t room = t->in.max - 2 * HR_PAD;
    if (len >= room) {
        hr_fail(err, HR_E_BOUND,
                "could not read the record at line %lld: it is longer than %zu bytes",
                (long long)t->line, room);
        hr_error_hint(err,
                      "a quote may be missing its end; if quotes mean nothing in this file set "
                      "csv_quote to \"\"");
        hr_error_place(err, t->in.base, t->line, NULL);
        hr_error_object(err, t->in.src->name);
        return HR_E_BOUND;
    }
    return hr_textin_fill(&t->in, want < room ? want : room, err);
}

int hr_csv_tokens_next(struct csv_tokens *t, struct hr_error *err) {
    for (;;) {
        forget_window(t);
        if (t->pending != 0) {
            if (err != NULL) {
                *err = t->pending_err;
            }
            t->finished = true;
            return t->pending;
        }
        if (t->finished || past_split(t, 0)) {
            t->finished = true;
            return HR_END;
        }
        int rc = hr_textin_fill(&t->in, CSV_WINDOW, err);
        if (rc == 0 && t->in.len == 0) {
            t->finished = true;
            return HR_END;
        }
        while (rc == 0 && (rc = cut_window(t, err)) == HR_MORE) {
            rc = fill_more(t, err);
        }
        if (rc != 0 || t->rows.count > 0) {
            return rc;
        }
    }
}

int hr_csv_tokens_record(struct csv_tokens *t, size_t *count, struct hr_error *err) {
    int rc = hr_textin_fill(&t->in, CSV_WINDOW, err);
    for (;;) {
        if (rc != 0) {
            return rc;
        }
        if (t->in.len == 0) {
            return HR_END;
        }
        size_t limit = t->in.len;
        if (t->in.eof && t->in.text[limit - 1] != t->marks.newline) {
            t->in.text[limit++] = t->marks.newline;
        }
        struct builder b = {.t = t, .keep = CSV_COLUMNS_MAX + 1};
        size_t open_quote = CUT;
        size_t next = comment_line(t, 0, limit);
        const bool comment = next != CUT;
        if (!comment) {
            rc = exact_record(&b, 0, limit, &next, &open_quote, err);
        } else if (next > limit) {
            next = CUT;
        }
        if (rc == 0 && next == CUT && t->in.eof) {
            return unterminated(&b, open_quote, err);
        }
        if (rc == 0 && next == CUT) {
            rc = fill_more(t, err);
            continue;
        }
        t->record_end = next;
        *count = b.fields;
        if (rc != 0 ||
            !(comment || (b.fields == 1 && blank_line(&b, without_cr(t, 0, next - 1))))) {
            return rc;
        }
        hr_csv_tokens_forget(t);
        rc = hr_textin_fill(&t->in, CSV_WINDOW, err);
    }
}

void hr_csv_tokens_forget(struct csv_tokens *t) {
    const size_t used = t->record_end < t->in.len ? t->record_end : t->in.len;
    t->line += (int64_t)hr_csv_count(t->in.text, used, t->marks.newline);
    hr_textin_drop(&t->in, used);
    t->record_end = 0;
}

int hr_csv_tokens_skip(struct csv_tokens *t, int64_t n, struct hr_error *err) {
    int rc = 0;
    while (rc == 0 && n > 0) {
        rc = hr_textin_fill(&t->in, CSV_WINDOW, err);
        if (rc != 0 || t->in.len == 0) {
            break;
        }
        const uint8_t *end = memchr(t->in.text, t->marks.newline, t->in.len);
        if (end != NULL) {
            t->line++;
            n--;
        }
        hr_textin_drop(&t->in, end != NULL ? (size_t)(end - t->in.text) + 1 : t->in.len);
    }
    return rc;
}

/* ---- opening ---- */

/* Lines end at LF (with or without a CR in front) unless the first window has CRs and no LF outside
 * quotes; a lone CR in a file of LFs is data. */
static uint8_t find_newline(const struct csv_tokens *t, bool guess) {
    const uint8_t *text = t->in.text;
    const uint8_t *lf = memchr(text, '\n', t->in.len);
    if (memchr(text, '\r', lf != NULL ? (size_t)(lf - text) : t->in.len) == NULL) {
        return '\n';
    }
    if (guess && lf == NULL) {
        return '\r'; /* which of the CRs stand in quotes nobody knows here */
    }
    bool inside = false;
    bool carriage = false;
    for (size_t i = 0; i < t->in.len; i++) {
        inside ^= t->d->quote >= 0 && text[i] == t->d->quote;
        if (text[i] == '\n' && !inside) {
            return '\n';
        }
        carriage |= text[i] == '\r' && !inside;
    }
    return carriage ? '\r' : '\n';
}

/* To the first record that starts at or after the split's begin. */
static int enter_split(struct csv_tokens *t, bool exact, struct hr_error *err) {
    if (exact) {
        hr_textin_drop(&t->in, t->in.len > 0);
        return 0;
    }
    const int rc = hr_csv_tokens_skip(t, 1, err);
    t->line = 1;
    return rc;
}

int hr_csv_tokens_open(struct csv_tokens *t, struct hr_source *src, struct csv_dialect *d,
                       const struct hr_read_params *params, struct hr_error *err) {
    const int64_t begin = params->split_begin;
    *t = (struct csv_tokens){.d = d,
                             .index = hr_csv_index_pick(),
                             .cell_max = params->cell_max ? params->cell_max : (size_t)128 << 20,
                             .split_end = params->split_end,
                             .line = 1,
                             .reject = params->reject,
                             .reject_user = params->reject_user};
    int rc = hr_textin_open(&t->in, src, d->opts->encoding, begin > 0 ? begin - 1 : 0,
                            t->cell_max + 4 * CSV_WINDOW, err);
    if (rc == 0 && t->in.charset != NULL) {
        rc = hr_csv_dialect_charset(d, t->in.charset, err);
    }
    if (rc == 0 && t->in.cd != NULL && (begin > 0 || params->split_end >= 0)) {
        hr_fail(err, HR_E_UNSUPPORTED, "could not read a part of a file in %s: only whole ones",
                t->in.encoding);
        hr_error_object(err, src->name);
        rc = HR_E_UNSUPPORTED;
    }
    if (rc == 0) {
        rc = hr_textin_fill(&t->in, CSV_WINDOW, err);
    }
    if (rc == 0) {
        t->marks = (struct csv_marks){.delim = d->delim[0],
                                      .quote = (uint8_t)(d->quote >= 0 ? d->quote : 0),
                                      .newline = find_newline(t, begin > 0 && !params->split_exact),
                                      .quoting = d->quote >= 0};
        rc = begin > 0 ? enter_split(t, params->split_exact, err) : 0;
    }
    if (rc != 0) {
        hr_csv_tokens_close(t);
    }
    return rc;
}

void hr_csv_tokens_close(struct csv_tokens *t) {
    hr_textin_close(&t->in);
    hr_big_free(t->ends);
    hr_big_free(t->cell_starts);
    hr_big_free(t->cell_ends);
    hr_big_free(t->last);
    t->ends = t->cell_starts = t->cell_ends = t->last = NULL;
}

int64_t hr_csv_row_offset(const struct csv_tokens *t, int64_t row) {
    return t->in.base + csv_start(&t->rows, row, 0);
}

int64_t hr_csv_row_line(const struct csv_tokens *t, int64_t row) {
    return t->rows.line +
           (int64_t)hr_csv_count(t->in.text, csv_start(&t->rows, row, 0), t->marks.newline);
}
