/* transform/go_text.c - Go's %v and encoding/json (see go_text.h).
 *
 * Both begin with the shortest digits that read back to the same number and differ in when they
 * write an exponent: strconv's 'g' below 1e-4 and from 1e6 on, with two digits or more, JSON below
 * 1e-6 and from 1e21 on, where 1e-09 is 1e-9. Every form here is held to what Go itself printed
 * (tests/unit/transform/test_go_text.c).
 */
#include "transform/go_text.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "base/time.h"
#include "base/utf8.h"

#define SPRINT_DEPTH_MAX 256

/* Shortest decimal digits of a finite positive number and the place of its point. */
struct digits {
    char text[40];
    int count;
    int point; /* value = 0.d1d2d3… × 10^point */
};

static void shortest(double abs, bool single, struct digits *d) {
    char text[48];
    const size_t n =
        single ? hr_format_float((float)abs, false, text) : hr_format_double(abs, false, text);
    int exponent = 0;
    int before = -1; /* digits in front of the point */
    d->count = 0;
    for (size_t i = 0; i < n; i++) {
        if (text[i] == 'e') {
            text[n] = '\0';
            exponent = (int)strtol(text + i + 1, NULL, 10);
            break;
        }
        if (text[i] == '.') {
            before = d->count;
        } else {
            d->text[d->count++] = text[i];
        }
    }
    d->point = (before < 0 ? d->count : before) + exponent;
    int zeros = 0;
    while (zeros < d->count - 1 && d->text[zeros] == '0') {
        zeros++;
    }
    memmove(d->text, d->text + zeros, (size_t)(d->count - zeros));
    d->count -= zeros;
    d->point -= zeros;
    while (d->count > 1 && d->text[d->count - 1] == '0') {
        d->count--;
    }
}

/* -d.ddde±dd */
static size_t put_exponent(const struct digits *d, char *out) {
    size_t n = 0;
    int exponent = d->point - 1;
    out[n++] = d->text[0];
    if (d->count > 1) {
        out[n++] = '.';
        memcpy(out + n, d->text + 1, (size_t)d->count - 1);
        n += (size_t)d->count - 1;
    }
    out[n++] = 'e';
    out[n++] = exponent < 0 ? '-' : '+';
    exponent = abs(exponent);
    if (exponent >= 100) {
        out[n++] = (char)('0' + exponent / 100);
    }
    out[n++] = (char)('0' + exponent / 10 % 10);
    out[n++] = (char)('0' + exponent % 10);
    return n;
}

static size_t put_plain(const struct digits *d, char *out) {
    size_t n = 0;
    if (d->point <= 0) {
        out[n++] = '0';
    }
    for (int i = 0; i < d->point; i++) {
        out[n++] = i < d->count ? d->text[i] : '0';
    }
    if (d->count > d->point) {
        out[n++] = '.';
        for (int i = d->point; i < 0; i++) {
            out[n++] = '0';
        }
        const int from = d->point > 0 ? d->point : 0;
        memcpy(out + n, d->text + from, (size_t)(d->count - from));
        n += (size_t)(d->count - from);
    }
    return n;
}

/* %v of a number; room 64. */
static size_t sprint_double(double v, bool single, char *out) {
    struct digits d;
    size_t n = 0;
    if (isnan(v) || isinf(v)) {
        memcpy(out, isnan(v) ? "NaN" : v < 0 ? "-Inf" : "+Inf", 4);
        return isnan(v) ? 3 : 4;
    }
    if (signbit(v)) {
        out[n++] = '-';
    }
    if (fpclassify(v) == FP_ZERO) {
        out[n++] = '0';
        return n;
    }
    shortest(fabs(v), single, &d);
    const int exponent = d.point - 1;
    return n +
           (exponent < -4 || exponent >= 6 ? put_exponent(&d, out + n) : put_plain(&d, out + n));
}

/* encoding/json of a finite number; room 64. */
static size_t json_double(double v, bool single, char *out) {
    struct digits d;
    size_t n = 0;
    if (signbit(v)) {
        out[n++] = '-';
    }
    if (fpclassify(v) == FP_ZERO) {
        out[n++] = '0';
        return n;
    }
    shortest(fabs(v), single, &d);
    if (d.point - 1 >= -6 && d.point - 1 < 21) {
        return n + put_plain(&d, out + n);
    }
    n += put_exponent(&d, out + n);
    if (out[n - 4] == 'e' && out[n - 3] == '-' && out[n - 2] == '0') { /* 1e-09 is 1e-9 */
        out[n - 2] = out[n - 1];
        n--;
    }
    return n;
}

/* ---- nested values and JSON texts, as Go prints what it decoded from them ---- */

static int put(struct hr_buf *out, const char *text, struct hr_error *err) {
    return hr_buf_append(out, text, strlen(text), err);
}

static int sprint_json(const json_t *value, int depth, struct hr_buf *out, struct hr_error *err);

static int compare_keys(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* map[a:1 b:2], keys in order. */
static int sprint_object(const json_t *object, int depth, struct hr_buf *out,
                         struct hr_error *err) {
    const size_t count = json_object_size(object);
    const char **keys = hr_malloc((count ? count : 1) * sizeof(*keys));
    const char *key;
    json_t *value;
    size_t n = 0;
    if (keys == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate the keys of an object");
    }
    json_object_foreach((json_t *)(uintptr_t)object, key, value) {
        keys[n++] = key;
    }
    qsort(keys, n, sizeof(*keys), compare_keys);
    int rc = put(out, "map[", err);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        rc = i > 0 ? hr_buf_append_byte(out, ' ', err) : 0;
        if (rc == 0) {
            rc = put(out, keys[i], err);
        }
        if (rc == 0) {
            rc = hr_buf_append_byte(out, ':', err);
        }
        if (rc == 0) {
            rc = sprint_json(json_object_get(object, keys[i]), depth + 1, out, err);
        }
    }
    hr_free(keys);
    return rc == 0 ? hr_buf_append_byte(out, ']', err) : rc;
}

static int sprint_array(const json_t *array, int depth, struct hr_buf *out, struct hr_error *err) {
    int rc = hr_buf_append_byte(out, '[', err);
    for (size_t i = 0; rc == 0 && i < json_array_size(array); i++) {
        rc = i > 0 ? hr_buf_append_byte(out, ' ', err) : 0;
        if (rc == 0) {
            rc = sprint_json(json_array_get(array, i), depth + 1, out, err);
        }
    }
    return rc == 0 ? hr_buf_append_byte(out, ']', err) : rc;
}

static int sprint_json(const json_t *value, int depth, struct hr_buf *out, struct hr_error *err) {
    char text[64];
    if (depth > SPRINT_DEPTH_MAX) {
        return hr_fail(err, HR_E_BOUND, "could not print a value nested deeper than %d levels",
                       SPRINT_DEPTH_MAX);
    }
    switch (json_typeof(value)) {
    case JSON_OBJECT: return sprint_object(value, depth, out, err);
    case JSON_ARRAY: return sprint_array(value, depth, out, err);
    case JSON_STRING:
        return hr_buf_append(out, json_string_value(value), json_string_length(value), err);
    case JSON_INTEGER:
    case JSON_REAL:
        return hr_buf_append(out, text, sprint_double(json_number_value(value), false, text), err);
    case JSON_TRUE: return put(out, "true", err);
    case JSON_FALSE: return put(out, "false", err);
    default: return put(out, "<nil>", err);
    }
}

/* A nested value, or a text column that holds JSON. What does not parse is printed as it is. */
static int sprint_nested(const struct hr_vec *vec, int64_t i, struct hr_buf *out,
                         struct hr_error *err) {
    const size_t before = out->len;
    json_error_t at;
    int rc = hr_vec_json(vec, i, out, err);
    if (rc != 0) {
        return rc;
    }
    json_t *value = json_loadb((const char *)out->ptr + before, out->len - before,
                               JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL, &at);
    if (value == NULL) {
        return json_error_code(&at) == json_error_out_of_memory
                   ? hr_fail(err, HR_E_NOMEM, "could not allocate a nested value")
                   : 0;
    }
    out->len = before;
    rc = sprint_json(value, 0, out, err);
    json_decref(value);
    return rc;
}

/* ---- one value ---- */

static bool is_float(int id) {
    return id == HR_T_F16 || id == HR_T_F32 || id == HR_T_F64;
}

static bool is_integer(int id) {
    return id == HR_T_I8 || id == HR_T_I16 || id == HR_T_I32 || id == HR_T_I64 || id == HR_T_U8 ||
           id == HR_T_U16 || id == HR_T_U32 || id == HR_T_U64;
}

/* A decimal by way of its digits. */
static int sprint_decimal(const struct hr_vec *vec, int64_t i, struct hr_buf *out,
                          struct hr_error *err) {
    const size_t before = out->len;
    char text[64];
    double v = 0;
    const int rc = hr_vec_text(vec, i, out, err);
    if (rc != 0 ||
        !hr_parse_double((const char *)out->ptr + before, out->len - before, false, &v)) {
        return rc;
    }
    out->len = before;
    return hr_buf_append(out, text, sprint_double(v, false, text), err);
}

/* Go writes the fraction digits a time needs, the text behind `from` in groups of three. Whatever
 * follows the seconds (a zone, a quote) is cut off. */
static void trim_time(struct hr_buf *out, size_t from) {
    size_t end = from + 19; /* 2024-02-29 12:30:01, longer with a year beyond 9999 */
    while (end < out->len && out->ptr[end] != '.' && out->ptr[end] != 'Z' && out->ptr[end] != '"') {
        end++;
    }
    if (end < out->len && out->ptr[end] == '.') {
        const size_t dot = end++;
        while (end < out->len && out->ptr[end] >= '0' && out->ptr[end] <= '9') {
            end++;
        }
        while (end > dot + 1 && out->ptr[end - 1] == '0') {
            end--;
        }
        end = end == dot + 1 ? dot : end;
    }
    out->len = end < out->len ? end : out->len;
}

/* 2024-02-29 12:30:01.5 +0000 UTC */
static int sprint_time(const struct hr_vec *vec, int64_t i, struct hr_buf *out,
                       struct hr_error *err) {
    const size_t before = out->len;
    const int rc = hr_vec_text(vec, i, out, err);
    if (rc != 0) {
        return rc;
    }
    if (vec->field->type.id == HR_T_DATE32) {
        return put(out, " 00:00:00 +0000 UTC", err);
    }
    trim_time(out, before);
    return put(out, " +0000 UTC", err);
}

/* Whole seconds: what the original keeps of a time of day. */
static int sprint_time_of_day(const struct hr_vec *vec, int64_t i, struct hr_buf *out,
                              struct hr_error *err) {
    static const int64_t per[] = {1, 1000, 1000000, 1000000000};
    char text[32];
    return hr_buf_append(out, text,
                         hr_format_i64(hr_vec_i64(vec, i) / per[vec->field->type.unit], text), err);
}

int hr_go_sprint(const struct hr_vec *vec, int64_t i, bool as_doubles, struct hr_buf *out,
                 struct hr_error *err) {
    const struct hr_type t = vec->field->type;
    char text[64];
    if (t.id == HR_T_NULL || !hr_vec_valid(vec, i)) {
        return put(out, "<nil>", err);
    }
    if (is_float(t.id) || (as_doubles && is_integer(t.id))) {
        const size_t n = sprint_double(hr_vec_f64(vec, i), t.id == HR_T_F32, text);
        return hr_buf_append(out, text, n, err);
    }
    switch ((enum hr_type_id)t.id) {
    case HR_T_DEC128:
    case HR_T_DEC256: return sprint_decimal(vec, i, out, err);
    case HR_T_DATE32:
    case HR_T_TS: return sprint_time(vec, i, out, err);
    case HR_T_TIME32:
    case HR_T_TIME64: return sprint_time_of_day(vec, i, out, err);
    case HR_T_LIST:
    case HR_T_STRUCT:
    case HR_T_MAP: return sprint_nested(vec, i, out, err);
    case HR_T_UTF8:
        return t.ext == HR_EXT_JSON ? sprint_nested(vec, i, out, err)
                                    : hr_vec_text(vec, i, out, err);
    case HR_T_BINARY: {
        const struct hr_slice s = hr_vec_slice(vec, i);
        return hr_utf8_valid(s.ptr, s.len) ? hr_buf_append(out, s.ptr, s.len, err)
                                           : hr_vec_text(vec, i, out, err);
    }
    default: return hr_vec_text(vec, i, out, err);
    }
}

int hr_go_json(const struct hr_vec *vec, int64_t i, struct hr_buf *out, struct hr_error *err) {
    const struct hr_type t = vec->field->type;
    char text[64];
    if (t.id == HR_T_NULL || !hr_vec_valid(vec, i)) {
        return put(out, "null", err);
    }
    if (is_float(t.id)) {
        const double v = hr_vec_f64(vec, i);
        if (!isfinite(v)) {
            return put(out, "null", err);
        }
        return hr_buf_append(out, text, json_double(v, t.id == HR_T_F32, text), err);
    }
    if (t.id == HR_T_BINARY) {
        const struct hr_slice s = hr_vec_slice(vec, i);
        return hr_utf8_valid(s.ptr, s.len) ? hr_buf_append_json(out, s, err)
                                           : hr_vec_json(vec, i, out, err);
    }
    const size_t before = out->len;
    const int rc = hr_vec_json(vec, i, out, err);
    if (rc != 0 || (t.id != HR_T_DATE32 && t.id != HR_T_TS)) {
        return rc;
    }
    if (t.id == HR_T_DATE32) {
        out->len--; /* the quote: a date is its midnight */
        return put(out, "T00:00:00Z\"", err);
    }
    trim_time(out, before + 1);
    return put(out, "Z\"", err); /* a time without zone is UTC */
}
