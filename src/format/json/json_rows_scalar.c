/* format/json/json_rows_scalar.c - the predicting engine for any machine: the primitives in plain
 * C, eight bytes at a time where that helps. The twin of json_rows_avx2.c. */
#include "base/cpu.h"
#include "base/time.h"
#include "format/json/json_read.h"

#define JK(name) name##_scalar
#define JT

static const double POW10[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                               1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};

#define ONES 0x0101010101010101ULL
#define HIGHS 0x8080808080808080ULL

static inline uint64_t load64_scalar(const uint8_t *p) {
    uint64_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

/* Plain ASCII without quote, backslash and control bytes. */
static inline bool plain_eight(uint64_t v) {
    const uint64_t quote = v ^ (ONES * '"');
    const uint64_t slash = v ^ (ONES * '\\');
    return (((v - ONES * 0x20) | (quote - ONES) | (slash - ONES) | v) & HIGHS) == 0;
}

static inline bool same_bytes_scalar(const uint8_t *p, const struct hr_j_slot *slot) {
    const size_t len = slot->pattern_len < HR_J_PATTERN ? slot->pattern_len : HR_J_PATTERN;
    return memcmp(p, slot->pattern, len) == 0;
}

/* Over a string of plain ASCII; NULL when it holds anything else or does not end before `end`. */
static inline const uint8_t *pass_string_scalar(const uint8_t *p, const uint8_t *end) {
    while (end - p >= 8 && plain_eight(load64_scalar(p))) {
        p += 8;
    }
    while (p < end && *p >= 0x20 && *p < 0x80 && *p != '"' && *p != '\\') {
        p++;
    }
    return p < end && *p == '"' ? p + 1 : NULL;
}

static inline const uint8_t *take_string_scalar(const struct hr_json *json, struct hr_j_col *col,
                                                int64_t idx, const uint8_t *p) {
    const uint8_t *end = json->frame.lex.end;
    const uint8_t *start = p;
    p = p < end ? pass_string_scalar(p, end) : NULL;
    if (p == NULL) {
        return NULL;
    }
    const size_t len = (size_t)(p - start) - 1;
    const size_t at = (size_t)col->offsets[idx];
    if (col->cap == 0 || len > col->cap - at) {
        return NULL;
    }
    memcpy(col->data + at, start, len);
    col->offsets[idx + 1] = (int32_t)(at + len);
    return p;
}

static inline bool digit_scalar(uint8_t c) {
    return (unsigned)c - '0' <= 9;
}

/* Up to 16 digits at p; returns how many, 0 when none, too many or a leading zero. */
static inline int digits_scalar(const uint8_t *p, uint64_t *v) {
    int n = 0;
    while (n < 16 && digit_scalar(p[n])) {
        *v = *v * 10 + (unsigned)(p[n] - '0');
        n++;
    }
    return n;
}

static inline const uint8_t *take_i64_scalar(const uint8_t *p, int64_t *out) {
    const bool minus = *p == '-';
    uint64_t v = 0;
    p += minus;
    const int n = digits_scalar(p, &v);
    if (n == 0 || n == 16 || (n > 1 && *p == '0') || p[n] == '.' || (p[n] | 0x20) == 'e') {
        return NULL;
    }
    *out = minus ? -(int64_t)v : (int64_t)v;
    return p + n;
}

static inline const uint8_t *take_f64_scalar(const uint8_t *p, double *out) {
    const bool minus = *p == '-';
    uint64_t v = 0;
    p += minus;
    const int whole = digits_scalar(p, &v);
    int fraction = 0;
    const uint8_t *q = p + whole;
    if (whole == 0 || whole == 16 || (whole > 1 && *p == '0')) {
        return NULL;
    }
    if (*q == '.') {
        q++;
        while (whole + fraction < 16 && digit_scalar(*q)) {
            v = v * 10 + (unsigned)(*q++ - '0');
            fraction++;
        }
        if (fraction == 0 || whole + fraction == 16) {
            return NULL;
        }
    }
    if ((*q | 0x20) == 'e') {
        return NULL;
    }
    /* at most 15 digits and 10^15: both exact, so the quotient is the correctly rounded value */
    const double d = (double)(int64_t)v / POW10[fraction];
    *out = minus ? -d : d;
    return q;
}

static inline const uint8_t *take_date_scalar(const uint8_t *p, int32_t *out) {
    return *p == '"' && p[11] == '"' && hr_parse_date((const char *)p + 1, 10, out) ? p + 12 : NULL;
}

#include "format/json/json_rows.h"

const struct hr_j_engine hr_j_engine_scalar = {
    .name = "scalar", .object = object_scalar, .scalar = scalar_within_scalar, .predict = true};
