/* transform/partition_path.c - the path of partition_by and partition_regex: parsed once, its
 * values escaped and its times cut to a granularity (see partition.h).
 *
 * Olake's syntax: literal text with groups in braces. A group has three parts between commas,
 * blanks and quotes around them do not count: a column or now(), what stands for a null, and HH,
 * DD, WW (ISO week), MM, YYYY or nothing.
 */
#include <string.h>

#include "base/mem.h"
#include "base/time.h"
#include "base/utf8.h"
#include "transform/partition.h"

#define PATTERN_MAX 1000

/* ---- values ---- */

static bool must_escape(uint8_t c) {
    return c < 0x20 || c == 0x7f || strchr("\"#%'*/:=?\\{[]^", c) != NULL;
}

static int put_escaped(uint8_t c, struct hr_buf *out, struct hr_error *err) {
    static const char digits[] = "0123456789ABCDEF";
    const char text[3] = {'%', digits[c >> 4], digits[c & 15]};
    return hr_buf_append(out, text, sizeof(text), err);
}

int hr_partition_escape(struct hr_slice value, bool alone, struct hr_buf *out,
                        struct hr_error *err) {
    int rc = 0;
    size_t valid = hr_utf8_valid_len(value.ptr, value.len);
    for (size_t i = 0; rc == 0 && i < value.len; i++) {
        const uint8_t c = value.ptr[i];
        if (i > valid) { /* what follows the last bad byte */
            valid = i + hr_utf8_valid_len(value.ptr + i, value.len - i);
        }
        const bool hides = alone && i == 0 && (c == '.' || c == '_');
        rc = must_escape(c) || hides || i == valid ? put_escaped(c, out, err)
                                                   : hr_buf_append_byte(out, c, err);
    }
    return rc;
}

static int64_t floor_div(int64_t a, int64_t b) {
    return a / b - (a % b < 0);
}

/* ISO 8601: the week of the year that holds the week's Thursday. */
static int iso_week(int64_t days) {
    const int64_t weekday = days + 3 - floor_div(days + 3, 7) * 7; /* 0 is Monday */
    const int64_t thursday = days - weekday + 3;
    int64_t year;
    int month;
    int day;
    hr_civil_from_days(thursday, &year, &month, &day);
    return (int)((thursday - hr_days_from_civil(year, 1, 1)) / 7) + 1;
}

static size_t put_two(int v, char *out) {
    out[0] = (char)('0' + v / 10 % 10);
    out[1] = (char)('0' + v % 10);
    return 2;
}

size_t hr_partition_time(int64_t seconds, enum hr_granularity granularity, char *out) {
    const int64_t days = floor_div(seconds, 86400);
    int64_t year;
    int month;
    int day;
    hr_civil_from_days(days, &year, &month, &day);
    switch (granularity) {
    case HR_GRAN_HOUR: return put_two((int)((seconds - days * 86400) / 3600), out);
    case HR_GRAN_DAY: return put_two(day, out);
    case HR_GRAN_WEEK: return put_two(iso_week(days), out);
    case HR_GRAN_MONTH: return put_two(month, out);
    default: {
        char text[24];
        const size_t n = hr_format_date(days, text) - 6; /* without -MM-DD */
        memcpy(out, text, n);
        return n;
    }
    }
}

bool hr_partition_instant(const struct hr_vec *vec, int64_t row, int64_t *out_seconds) {
    static const int64_t per_second[] = {1, 1000, 1000000, 1000000000};
    const struct hr_type type = vec->field->type;
    if (type.id == HR_T_TS) {
        *out_seconds = floor_div(hr_vec_i64(vec, row), per_second[type.unit]);
        return true;
    }
    if (type.id == HR_T_DATE32) {
        *out_seconds = hr_vec_i64(vec, row) * 86400;
        return true;
    }
    if (type.id != HR_T_UTF8) {
        return false;
    }
    const struct hr_slice text = hr_vec_slice(vec, row);
    int32_t days;
    if (hr_parse_date((const char *)text.ptr, text.len, &days)) {
        *out_seconds = (int64_t)days * 86400;
        return true;
    }
    int32_t nanos;
    bool zone;
    int digits;
    return hr_parse_timestamp((const char *)text.ptr, text.len, out_seconds, &nanos, &zone,
                              &digits);
}

int hr_partition_value(const struct hr_vec *vec, int64_t row, enum hr_granularity granularity,
                       struct hr_buf *out, struct hr_error *err) {
    int64_t seconds;
    char text[24];
    if (granularity != HR_GRAN_NONE && hr_partition_instant(vec, row, &seconds)) {
        return hr_buf_append(out, text, hr_partition_time(seconds, granularity, text), err);
    }
    return hr_vec_text(vec, row, out, err);
}

/* ---- terms ---- */

static int no_memory(struct hr_error *err) {
    return hr_fail(err, HR_E_NOMEM, "could not allocate the partitions");
}

static struct hr_partition_term *add_term(struct hr_partition_spec *spec) {
    struct hr_partition_term *grown =
        hr_reallocarray(spec->terms, spec->count + 1, sizeof(*spec->terms));
    if (grown == NULL) {
        return NULL;
    }
    spec->terms = grown;
    grown[spec->count] = (struct hr_partition_term){0};
    return &grown[spec->count++];
}

static int add_literal(struct hr_partition_spec *spec, const char *text, size_t len,
                       struct hr_error *err) {
    if (len == 0) {
        return 0;
    }
    struct hr_partition_term *term = add_term(spec);
    if (term == NULL) {
        return no_memory(err);
    }
    term->literal = hr_strndup(text, len);
    return term->literal ? 0 : no_memory(err);
}

static int add_column(struct hr_partition_spec *spec, struct hr_slice name,
                      struct hr_slice fallback, enum hr_granularity granularity,
                      struct hr_error *err) {
    struct hr_partition_term *term = add_term(spec);
    if (term == NULL) {
        return no_memory(err);
    }
    term->column = hr_strndup((const char *)name.ptr, name.len);
    term->fallback = hr_strndup((const char *)fallback.ptr, fallback.len);
    term->granularity = granularity;
    return term->column && term->fallback ? 0 : no_memory(err);
}

void hr_partition_spec_free(struct hr_partition_spec *spec) {
    if (spec == NULL) {
        return;
    }
    for (size_t i = 0; i < spec->count; i++) {
        hr_free(spec->terms[i].literal);
        hr_free(spec->terms[i].column);
        hr_free(spec->terms[i].fallback);
    }
    hr_free(spec->terms);
    hr_free(spec);
}

int hr_partition_by(const struct hr_strlist *columns, int64_t max_folders,
                    struct hr_partition_spec **out, struct hr_error *err) {
    struct hr_buf text;
    struct hr_partition_spec *spec = hr_calloc(1, sizeof(*spec));
    *out = NULL;
    if (spec == NULL) {
        return no_memory(err);
    }
    spec->hive = true;
    spec->max_folders = max_folders;
    hr_buf_init(&text, 4096);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < columns->count; i++) {
        const struct hr_slice name = hr_slice_str(columns->items[i]);
        hr_buf_clear(&text);
        rc = i > 0 ? hr_buf_append_byte(&text, '/', err) : 0;
        if (rc == 0) {
            rc = hr_partition_escape(name, true, &text, err);
        }
        if (rc == 0) {
            rc = hr_buf_append_byte(&text, '=', err);
        }
        if (rc == 0) {
            rc = add_literal(spec, hr_buf_cstr(&text), text.len, err);
        }
        if (rc == 0) {
            rc = add_column(spec, name, hr_slice_str(HR_PARTITION_NULL), HR_GRAN_NONE, err);
        }
    }
    hr_buf_release(&text);
    if (rc != 0) {
        hr_partition_spec_free(spec);
        return rc;
    }
    *out = spec;
    return 0;
}

/* ---- Olake's syntax ---- */

static struct hr_slice trimmed(const char *text, size_t len) {
    while (len > 0 && strchr(" \t'\"", text[0]) != NULL) {
        text++;
        len--;
    }
    while (len > 0 && strchr(" \t'\"", text[len - 1]) != NULL) {
        len--;
    }
    return hr_slice_of(text, len);
}

static enum hr_granularity granularity_of(struct hr_slice text) {
    static const struct {
        const char *name;
        enum hr_granularity value;
    } names[] = {{"HH", HR_GRAN_HOUR},
                 {"DD", HR_GRAN_DAY},
                 {"WW", HR_GRAN_WEEK},
                 {"MM", HR_GRAN_MONTH},
                 {"YYYY", HR_GRAN_YEAR}};
    for (size_t i = 0; i < HR_COUNTOF(names); i++) {
        if (hr_slice_eq_str(text, names[i].name)) {
            return names[i].value;
        }
    }
    return HR_GRAN_NONE;
}

static int add_now(struct hr_partition_spec *spec, int64_t run_us, enum hr_granularity granularity,
                   struct hr_error *err) {
    char text[48];
    const int64_t seconds = floor_div(run_us, 1000000);
    const size_t n = granularity != HR_GRAN_NONE
                         ? hr_partition_time(seconds, granularity, text)
                         : hr_format_timestamp(seconds, 0, 0, 'T', "Z", text);
    struct hr_buf escaped;
    hr_buf_init(&escaped, 256);
    int rc = hr_partition_escape(hr_slice_of(text, n), false, &escaped, err);
    if (rc == 0) {
        rc = add_literal(spec, hr_buf_cstr(&escaped), escaped.len, err);
    }
    hr_buf_release(&escaped);
    return rc;
}

/* The inside of one pair of braces. */
static int add_group(struct hr_partition_spec *spec, const char *text, size_t len, int64_t run_us,
                     struct hr_error *err) {
    struct hr_slice part[3];
    size_t at = 0;
    for (int i = 0; i < 3; i++) {
        if (at > len) {
            return 0; /* fewer than three parts: nothing */
        }
        const char *comma = memchr(text + at, ',', len - at);
        const size_t end = comma ? (size_t)(comma - text) : len;
        part[i] = trimmed(text + at, end - at);
        at = end + 1;
    }
    const enum hr_granularity granularity = granularity_of(part[2]);
    if (hr_slice_eq_str(part[0], "now()")) {
        return add_now(spec, run_us, granularity, err);
    }
    if (part[1].len > 0) {
        return add_column(spec, part[0], part[1], granularity, err);
    }
    struct hr_buf fallback;
    hr_buf_init(&fallback, PATTERN_MAX + 16);
    int rc =
        hr_buf_printf(&fallback, err, "default_%.*s", (int)part[0].len, (const char *)part[0].ptr);
    if (rc == 0) {
        rc = add_column(spec, part[0], hr_buf_slice(&fallback), granularity, err);
    }
    hr_buf_release(&fallback);
    return rc;
}

/* Folders of the pattern itself must stay below the table's. */
static int check_pattern(const char *text, struct hr_error *err) {
    const char *at = text;
    bool bad = strlen(text) > PATTERN_MAX;
    while (!bad && *at != '\0') {
        const size_t n = strcspn(at, "/");
        bad = (n == 1 && at[0] == '.') || (n == 2 && at[0] == '.' && at[1] == '.') ||
              (n == 9 && memcmp(at, "_headrace", 9) == 0);
        for (size_t i = 0; i < n; i++) {
            bad = bad || (uint8_t)at[i] < 0x20 || at[i] == 0x7f || at[i] == '\\';
        }
        at += n + (at[n] == '/');
    }
    if (!bad) {
        return 0;
    }
    char shown[120];
    hr_fail(err, HR_E_CONFIG, "could not use the path '%s' of the output",
            hr_printable(hr_slice_str(text), 80, shown, sizeof(shown)));
    hr_error_hint(err,
                  "partition_regex or path_template is at most %d bytes of folder names, none of "
                  "them '.', '..' or _headrace, without backslashes and control characters",
                  PATTERN_MAX);
    return HR_E_CONFIG;
}

int hr_partition_regex(const char *text, int64_t run_us, int64_t max_folders,
                       struct hr_partition_spec **out, struct hr_error *err) {
    *out = NULL;
    int rc = check_pattern(text, err);
    if (rc != 0) {
        return rc;
    }
    struct hr_partition_spec *spec = hr_calloc(1, sizeof(*spec));
    if (spec == NULL) {
        return no_memory(err);
    }
    spec->max_folders = max_folders;
    while (rc == 0 && *text != '\0') {
        const char *open = strchr(text, '{');
        const char *close = open ? strchr(open, '}') : NULL;
        const size_t literal = close ? (size_t)(open - text) : strlen(text);
        rc = add_literal(spec, text, literal, err);
        text += literal;
        if (rc == 0 && close != NULL) {
            rc = add_group(spec, open + 1, (size_t)(close - open) - 1, run_us, err);
            text = close + 1;
        }
    }
    if (rc != 0 || spec->count == 0) {
        hr_partition_spec_free(spec);
        return rc;
    }
    *out = spec;
    return 0;
}
