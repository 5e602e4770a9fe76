/* format/csv/csv_dialect.c - the csv options, checked once and made ready for the engines. */
#include <ctype.h>

#include "format/csv/csv_internal.h"

static int wrong(struct hr_error *err, const char *option, const char *why, const char *hint) {
    hr_fail(err, HR_E_CONFIG, "could not use %s: %s", option, why);
    hr_error_hint(err, "%s", hint);
    return HR_E_CONFIG;
}

static int hex(char c) {
    return c >= '0' && c <= '9'                 ? c - '0'
           : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
                                                : -1;
}

/* Bytes of an option's text: \t, \\ and \xNN stand for what cannot be typed. -1: too long. */
static int unescape(const char *text, uint8_t *out, size_t room) {
    size_t n = 0;
    for (; *text != '\0'; text++) {
        if (n == room) {
            return -1;
        }
        uint8_t c = (uint8_t)*text;
        if (c == '\\' && text[1] == 't') {
            c = '\t';
            text++;
        } else if (c == '\\' && text[1] == '\\') {
            text++;
        } else if (c == '\\' && text[1] == 'x' && hex(text[2]) >= 0 && hex(text[3]) >= 0) {
            c = (uint8_t)(hex(text[2]) << 4 | hex(text[3]));
            text += 3;
        }
        out[n++] = c;
    }
    return (int)n;
}

/* One byte or none; NULL and "" are none. */
static int one_byte(const char *text, const char *option, int *out, struct hr_error *err) {
    uint8_t bytes[4];
    *out = -1;
    if (text == NULL || text[0] == '\0') {
        return 0;
    }
    if (unescape(text, bytes, sizeof(bytes)) != 1) {
        return wrong(err, option, "it must be one byte", "give a single ASCII character, or \"\"");
    }
    *out = bytes[0];
    return 0;
}

static bool contains(const struct csv_dialect *d, int byte) {
    return byte >= 0 && memchr(d->delim, byte, d->delim_len) != NULL;
}

static bool is_newline(int byte) {
    return byte == '\n' || byte == '\r';
}

/* As a quote or escape it would hide inside numbers and words that are read as they stand. */
static bool in_values(int byte) {
    return byte > 0 && byte < 128 && (isalnum(byte) || strchr("+-.:", byte) != NULL);
}

static int check(const struct csv_dialect *d, struct hr_error *err) {
    const char *hint = "choose characters that do not stand for something else";
    if (contains(d, '\n') || contains(d, '\r')) {
        return wrong(err, "csv_delimiter", "it must not contain a line end", hint);
    }
    if (contains(d, d->quote)) {
        return wrong(err, "csv_delimiter", "it contains the quote character", hint);
    }
    if (contains(d, d->escape)) {
        return wrong(err, "csv_delimiter", "it contains the escape character", hint);
    }
    if (is_newline(d->quote) || is_newline(d->escape) || is_newline(d->comment)) {
        return wrong(err, "csv_quote, csv_escape or csv_comment", "it is a line end", hint);
    }
    if (in_values(d->quote) || in_values(d->escape)) {
        return wrong(err, in_values(d->quote) ? "csv_quote" : "csv_escape",
                     "it may stand in numbers, dates and words", hint);
    }
    if (d->comment >= 0 && (d->comment == d->quote || contains(d, d->comment))) {
        return wrong(err, "csv_comment", "it is also the quote or delimiter", hint);
    }
    if (d->skip_rows < 0 || d->skip_after < 0) {
        return wrong(err, "csv_skip_rows", "it is negative", "give 0 or more");
    }
    return 0;
}

static void note_null(struct csv_dialect *d, const char *word) {
    const size_t n = strlen(word);
    const unsigned char c = (unsigned char)word[0];
    d->null_lens |= (uint64_t)1 << (n < 63 ? n : 63);
    d->null_firsts |= (uint64_t)1 << (c & 63);
    if (n == 0) {
        d->empty_null = true;
    } else if ((c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.') {
        d->null_plain = false;
    }
    if (hr_infer_bool(word, n, &d->opts->true_values, &d->opts->false_values) >= 0) {
        d->bool_plain = false;
    }
}

static void read_words(struct csv_dialect *d) {
    const struct hr_strlist *nulls = &d->opts->null_values;
    d->null_plain = true;
    d->bool_plain = d->opts->true_values.count == 0 && d->opts->false_values.count == 0;
    if (nulls->count == 0) {
        d->null_lens = 1;
        d->empty_null = true;
    }
    for (size_t i = 0; i < nulls->count; i++) {
        note_null(d, nulls->items[i]);
    }
}

int hr_csv_dialect_init(struct csv_dialect *d, const struct hr_csv_opts *opts,
                        const char *delimiter, struct hr_error *err) {
    *d = (struct csv_dialect){.opts = opts,
                              .double_quote = opts->double_quote,
                              .trim = opts->trim,
                              .header = opts->header,
                              .skip_rows = opts->skip_rows,
                              .skip_after = opts->skip_rows_after_header};
    const char *text = opts->delimiter != NULL && opts->delimiter[0] ? opts->delimiter : delimiter;
    const int n = unescape(text, d->delim, CSV_DELIM_MAX);
    if (n < 0) {
        return wrong(err, "csv_delimiter", "it is longer than 16 bytes", "give a shorter one");
    }
    d->delim_len = (size_t)n;
    int rc = one_byte(opts->quote != NULL ? opts->quote : "\"", "csv_quote", &d->quote, err);
    if (rc == 0) {
        rc = one_byte(opts->escape, "csv_escape", &d->escape, err);
    }
    if (rc == 0) {
        rc = one_byte(opts->comment, "csv_comment", &d->comment, err);
    }
    if (rc == 0) {
        rc = check(d, err);
    }
    if (d->escape >= 0 && d->escape == d->quote) {
        d->escape = -1; /* "" inside quotes by another name */
        d->double_quote = true;
    }
    read_words(d);
    d->indexable =
        d->delim_len == 1 && d->escape < 0 && d->comment < 0 && (d->double_quote || d->quote < 0);
    return rc;
}

int hr_csv_dialect_charset(struct csv_dialect *d, const struct hr_charset *set,
                           struct hr_error *err) {
    uint8_t out[CSV_DELIM_MAX];
    size_t n = 0;
    for (size_t i = 0; i < d->delim_len;) {
        int byte = d->delim[i] < 128 ? d->delim[i] : -1;
        size_t len = 1;
        for (int c = 0; c < 128 && byte < 0; c++) {
            len = set->len[c];
            if (len > 0 && len <= d->delim_len - i &&
                memcmp(d->delim + i, set->utf8[c], len) == 0) {
                byte = c + 128;
            }
        }
        if (byte < 0) {
            return wrong(err, "csv_delimiter", "csv_encoding does not have that character",
                         "choose a delimiter that the file's encoding has");
        }
        out[n++] = (uint8_t)byte;
        i += len;
    }
    memcpy(d->delim, out, n);
    d->indexable = d->indexable || (n == 1 && d->delim_len > 1 && d->escape < 0 && d->comment < 0 &&
                                    (d->double_quote || d->quote < 0));
    d->delim_len = n;
    return 0;
}

bool hr_csv_is_null(const struct csv_dialect *d, const uint8_t *ptr, size_t len) {
    if (((d->null_lens >> (len < 63 ? len : 63)) & 1) == 0) {
        return false;
    }
    const struct hr_strlist *nulls = &d->opts->null_values;
    if (len == 0) {
        return d->empty_null;
    }
    for (size_t i = 0; i < nulls->count; i++) {
        if (strlen(nulls->items[i]) == len && memcmp(nulls->items[i], ptr, len) == 0) {
            return true;
        }
    }
    return false;
}
