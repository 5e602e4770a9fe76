/* format/infer.c - what type a text is, and texts into typed values.
 *
 * Inference and conversion are two views of one rule: a text fits a column when the type inference
 * gives it meets the column's type without widening it. Only columns whose type a person or a
 * catalog declared read more leniently.
 */
#include "format/infer.h"

#include <math.h>

#include "base/time.h"

/* The shape of a decimal number. */
struct number {
    bool ok;
    bool canonical; /* no plus sign, no leading zero */
    bool point, exponent;
    int whole;    /* digits before the point, leading zeros not counted */
    int fraction; /* digits behind it */
};

static bool is_digit(char c) {
    return (unsigned char)(c - '0') <= 9;
}

static size_t skip_digits(const char *text, size_t at, size_t len) {
    while (at < len && is_digit(text[at])) {
        at++;
    }
    return at;
}

/* [+-]?digits*[.digits*][(e|E)[+-]?digits+], at least one digit in front of the exponent. */
static struct number shape_of(const char *text, size_t len) {
    struct number n = {0};
    size_t at = len > 0 && (text[0] == '-' || text[0] == '+');
    const bool plus = at && text[0] == '+';
    const size_t first = at;
    at = skip_digits(text, at, len);
    const size_t whole = at - first;
    size_t zeros = 0;
    while (zeros < whole && text[first + zeros] == '0') {
        zeros++;
    }
    size_t fraction = 0;
    if (at < len && text[at] == '.') {
        n.point = true;
        const size_t start = at + 1;
        at = skip_digits(text, start, len);
        fraction = at - start;
    }
    if (whole + fraction == 0 || whole + fraction > 100000) {
        return n;
    }
    if (at < len && (text[at] == 'e' || text[at] == 'E')) {
        n.exponent = true;
        at++;
        at += at < len && (text[at] == '+' || text[at] == '-');
        const size_t start = at;
        at = skip_digits(text, at, len);
        if (at == start) {
            return n;
        }
    }
    n.ok = at == len;
    n.canonical = !plus && (whole <= 1 || zeros == 0);
    n.whole = (int)(whole - zeros);
    n.fraction = (int)fraction;
    return n;
}

static bool is_special(const char *text, size_t len) {
    double unused;
    const size_t sign = len > 0 && text[0] == '-';
    return len - sign >= 3 && len - sign <= 8 &&
           ((text[sign] | 32) == 'n' || (text[sign] | 32) == 'i') &&
           hr_parse_double(text, len, true, &unused);
}

static struct hr_type infer_number(const char *text, size_t len, struct number n, bool decimal) {
    if (!n.point && !n.exponent) {
        int64_t unused;
        if (n.whole <= 18 || hr_parse_i64(text, len, &unused)) {
            return hr_type(HR_T_I64);
        }
        return n.whole <= 38 ? (struct hr_type){.id = HR_T_DEC128, .precision = 38}
                             : hr_type(HR_T_UTF8);
    }
    if (decimal && !n.exponent && n.whole + n.fraction <= 38) {
        const int digits = n.whole + n.fraction;
        return (struct hr_type){.id = HR_T_DEC128,
                                .precision = (int16_t)(digits ? digits : 1),
                                .scale = (int16_t)n.fraction};
    }
    double unused;
    return hr_parse_double(text, len, false, &unused) ? hr_type(HR_T_F64) : hr_type(HR_T_UTF8);
}

static bool ns_in_range(int64_t seconds, int32_t nanos, int64_t *out) {
    return !__builtin_mul_overflow(seconds, (int64_t)1000000000, out) &&
           !__builtin_add_overflow(*out, (int64_t)nanos, out);
}

struct hr_type hr_infer_time(const char *text, size_t len) {
    const struct hr_type none = hr_type(HR_T_UTF8);
    int32_t days;
    if (len < 10 || len > 40 || !is_digit(text[0]) || text[4] != '-') {
        return none;
    }
    if (len == 10) {
        return hr_parse_date(text, len, &days) ? hr_type(HR_T_DATE32) : none;
    }
    int64_t seconds;
    int64_t unused;
    int32_t nanos;
    bool zone;
    int digits;
    if (!hr_parse_timestamp(text, len, &seconds, &nanos, &zone, &digits)) {
        return none;
    }
    struct hr_type type = {.id = HR_T_TS, .unit = HR_U_US, .utc = zone};
    if (nanos % 1000 != 0) {
        if (!ns_in_range(seconds, nanos, &unused)) {
            return none;
        }
        type.unit = HR_U_NS;
    }
    return type;
}

struct hr_type hr_infer_text(const char *text, size_t len, bool decimal) {
    if (len == 0) {
        return hr_type(HR_T_UTF8);
    }
    const char c = text[0];
    if (is_digit(c) || c == '-' || c == '.') {
        const struct number n = shape_of(text, len);
        if (n.ok && n.canonical) {
            return infer_number(text, len, n, decimal);
        }
        if (is_digit(c)) {
            return n.ok ? hr_type(HR_T_UTF8) : hr_infer_time(text, len);
        }
    }
    return is_special(text, len) ? hr_type(HR_T_F64) : hr_type(HR_T_UTF8);
}

void hr_infer_add(struct hr_infer_column *column, const char *text, size_t len, bool word) {
    column->values++;
    column->words += word;
    if (column->met.id != HR_T_UTF8) {
        column->met = hr_type_meet(column->met, hr_infer_text(text, len, column->decimal));
    }
}

struct hr_type hr_infer_result(const struct hr_infer_column *column) {
    if (column->values == 0) {
        return hr_type(HR_T_NULL);
    }
    if (column->words == column->values) {
        return hr_type(HR_T_BOOL);
    }
    struct hr_type type = column->met;
    if (type.id == HR_T_DEC128) {
        type.precision = type.precision <= 18 ? 18 : 38;
    }
    return type;
}

static bool equal_nocase(const char *text, size_t len, const char *word) {
    size_t i = 0;
    for (; i < len && word[i] != '\0'; i++) {
        char a = text[i];
        char b = word[i];
        a = (char)(a >= 'A' && a <= 'Z' ? a | 32 : a);
        b = (char)(b >= 'A' && b <= 'Z' ? b | 32 : b);
        if (a != b) {
            return false;
        }
    }
    return i == len && word[i] == '\0';
}

static bool listed(const char *text, size_t len, const struct hr_strlist *list, const char *def) {
    if (list == NULL || list->count == 0) {
        return equal_nocase(text, len, def);
    }
    for (size_t i = 0; i < list->count; i++) {
        if (equal_nocase(text, len, list->items[i])) {
            return true;
        }
    }
    return false;
}

int hr_infer_bool(const char *text, size_t len, const struct hr_strlist *true_values,
                  const struct hr_strlist *false_values) {
    if (listed(text, len, true_values, "true")) {
        return 1;
    }
    return listed(text, len, false_values, "false") ? 0 : -1;
}

/* ---- conversion ---- */

static bool convert_int(struct hr_type type, const char *text, size_t len, union hr_cell *out) {
    if (type.id == HR_T_U64) {
        uint64_t u;
        if (!hr_parse_u64(text, len, &u)) {
            return false;
        }
        out->i64 = (int64_t)u;
        return true;
    }
    static const struct {
        int64_t min, max;
    } range[] = {{INT8_MIN, INT8_MAX},   {INT16_MIN, INT16_MAX}, {INT32_MIN, INT32_MAX},
                 {INT64_MIN, INT64_MAX}, {0, UINT8_MAX},         {0, UINT16_MAX},
                 {0, UINT32_MAX}};
    int64_t v;
    if (!hr_parse_i64(text, len, &v) || v < range[type.id - HR_T_I8].min ||
        v > range[type.id - HR_T_I8].max) {
        return false;
    }
    out->i64 = v; /* little endian: the low bytes are the narrow value */
    return true;
}

/* From here on the nearest value of the narrow type is infinity. */
#define F32_END 0x1.ffffffp127
#define F16_END 65520.0

/* IEEE binary16, round to nearest even; overflow gives infinity. */
static uint16_t half_of(double v) {
    const float f = (float)v;
    uint32_t bits;
    memcpy(&bits, &f, sizeof(bits));
    const uint16_t sign = (uint16_t)((bits >> 16) & 0x8000);
    const uint32_t rest = bits & 0x7fffffff;
    if (rest >= 0x7f800000) {
        return (uint16_t)(sign | (rest > 0x7f800000 ? 0x7e00 : 0x7c00));
    }
    if (rest >= 0x477ff000) {
        return (uint16_t)(sign | 0x7c00);
    }
    if (rest < 0x38800000) { /* subnormal half: count in steps of 2^-24 */
        return (uint16_t)(sign | (uint16_t)nearbyint(fabs((double)f) * 16777216.0));
    }
    const uint32_t rounded = rest + 0xfff + ((rest >> 13) & 1);
    return (uint16_t)(sign | (uint16_t)((rounded - 0x38000000) >> 13));
}

static bool convert_float(struct hr_type type, const char *text, size_t len, bool special,
                          union hr_cell *out) {
    double v;
    if (!hr_parse_double(text, len, special, &v)) {
        return false;
    }
    if (!special && type.id != HR_T_F64 && fabs(v) >= (type.id == HR_T_F32 ? F32_END : F16_END)) {
        return false;
    }
    if (type.id == HR_T_F64) {
        out->f64 = v;
    } else if (type.id == HR_T_F32) {
        out->f32 = (float)v;
    } else {
        const uint16_t half = half_of(v);
        memcpy(out->bytes, &half, sizeof(half));
    }
    return true;
}

/* words = words * 10 + digit; false on overflow of 256 bits. */
static bool times_ten(uint64_t words[4], unsigned digit) {
    hr_u128 carry = digit;
    for (int i = 0; i < 4; i++) {
        carry += (hr_u128)words[i] * 10;
        words[i] = (uint64_t)carry;
        carry >>= 64;
    }
    return carry == 0;
}

/* Digits at any place of the text, `scale` behind the point; zeros are added, only zeros dropped.
 */
static bool convert_dec256(struct hr_type type, const char *text, size_t len, struct number n,
                           union hr_cell *out) {
    if (n.exponent || n.whole > type.precision - type.scale) {
        return false;
    }
    uint64_t words[4] = {0};
    int fraction = 0;
    bool point = false;
    for (size_t i = 0; i < len; i++) {
        point |= text[i] == '.';
        if (!is_digit(text[i])) {
            continue;
        }
        if (point && fraction == type.scale) {
            if (text[i] != '0') {
                return false;
            }
            continue;
        }
        fraction += point;
        if (!times_ten(words, (unsigned)(text[i] - '0'))) {
            return false;
        }
    }
    for (; fraction < type.scale; fraction++) {
        if (!times_ten(words, 0)) {
            return false;
        }
    }
    if ((words[3] >> 63) != 0) {
        return false;
    }
    if (text[0] == '-') {
        hr_u128 carry = 1;
        for (int i = 0; i < 4; i++) {
            carry += (uint64_t)~words[i];
            words[i] = (uint64_t)carry;
            carry >>= 64;
        }
    }
    memcpy(out->words, words, sizeof(words));
    return true;
}

static bool convert_number(struct hr_type type, const char *text, size_t len, unsigned lenient,
                           union hr_cell *out) {
    const bool declared = (lenient & HR_LENIENT_NUMBERS) != 0;
    const struct number n = shape_of(text, len);
    const bool floating = type.id == HR_T_F16 || type.id == HR_T_F32 || type.id == HR_T_F64;
    if (!n.ok) {
        return floating && is_special(text, len) && convert_float(type, text, len, true, out);
    }
    if (!n.canonical && !declared) {
        return false;
    }
    if (floating) {
        const bool too_exact = !n.point && !n.exponent && n.whole > 38 && !declared;
        return !too_exact && convert_float(type, text, len, false, out);
    }
    if (type.id == HR_T_DEC256) {
        return convert_dec256(type, text, len, n, out);
    }
    if (type.id == HR_T_DEC128) {
        hr_i128 v;
        /* Exponents are for declared columns, and short: a long one would only cost time. */
        if ((n.exponent && (!declared || len > 64)) ||
            !hr_parse_decimal(text, len, type.precision, type.scale, &v)) {
            return false;
        }
        out->i128 = v;
        return true;
    }
    return !n.point && !n.exponent && convert_int(type, text, len, out);
}

/* A time without an offset is read as UTC in a column of instants only where a catalog says so (as
 * Olake's and Spark's mean it); an offset never disappears into a column of wall times. */
static bool convert_timestamp(struct hr_type type, const char *text, size_t len, bool lenient,
                              union hr_cell *out) {
    static const int32_t step[] = {1000000000, 1000000, 1000, 1}; /* ns per unit */
    int64_t seconds;
    int32_t nanos = 0;
    int32_t days;
    bool zone = type.utc;
    int digits;
    if (len == 10 && hr_parse_date(text, len, &days)) {
        seconds = (int64_t)days * 86400;
    } else if (!hr_parse_timestamp(text, len, &seconds, &nanos, &zone, &digits)) {
        return false;
    }
    if (zone ? !type.utc : type.utc && !lenient) {
        return false;
    }
    if (nanos % step[type.unit] != 0) {
        return false;
    }
    if (type.unit == HR_U_NS) {
        return ns_in_range(seconds, nanos, &out->i64);
    }
    const int64_t per = 1000000000 / step[type.unit];
    out->i64 = seconds * per + nanos / step[type.unit];
    return true;
}

static bool convert_time(struct hr_type type, const char *text, size_t len, union hr_cell *out) {
    static const int64_t step[] = {1000000000, 1000000, 1000, 1};
    int64_t nanos;
    if (!hr_parse_time(text, len, &nanos) || nanos % step[type.unit] != 0) {
        return false;
    }
    out->i64 = nanos / step[type.unit];
    return true;
}

static int base64_digit(uint8_t c) {
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Padded base64 into out (room 3 bytes per 4 of text); length, or -1. */
static int64_t base64(const char *text, size_t len, uint8_t *out) {
    if (len % 4 != 0) {
        return -1;
    }
    size_t n = 0;
    for (size_t i = 0; i < len; i += 4) {
        const size_t pad = i + 4 < len ? 0 : (size_t)(text[i + 3] == '=') + (text[i + 2] == '=');
        uint32_t v = 0;
        for (size_t k = 0; k < 4; k++) {
            const int d = k < 4 - pad ? base64_digit((uint8_t)text[i + k]) : 0;
            if (d < 0) {
                return -1;
            }
            v = v << 6 | (uint32_t)d;
        }
        if ((pad == 1 && (v & 0xff) != 0) || (pad == 2 && (v & 0xffff) != 0) ||
            (pad == 2 && text[i + 3] != '=')) {
            return -1;
        }
        out[n++] = (uint8_t)(v >> 16);
        if (pad < 2) {
            out[n++] = (uint8_t)(v >> 8);
        }
        if (pad < 1) {
            out[n++] = (uint8_t)v;
        }
    }
    return (int64_t)n;
}

static int hex_digit(char c) {
    return is_digit(c) ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

static bool convert_uuid(const char *text, size_t len, union hr_cell *out) {
    size_t n = 0;
    if (len != 36) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (text[i] != '-') {
                return false;
            }
            continue;
        }
        const int high = hex_digit(text[i]);
        const int low = hex_digit(text[++i]);
        if (high < 0 || low < 0) {
            return false;
        }
        out->bytes[n++] = (uint8_t)(high << 4 | low);
    }
    return true;
}

bool hr_infer_convert(struct hr_type type, const char *text, size_t len, unsigned lenient,
                      union hr_cell *out) {
    switch ((enum hr_type_id)type.id) {
    case HR_T_I8:
    case HR_T_I16:
    case HR_T_I32:
    case HR_T_I64:
    case HR_T_U8:
    case HR_T_U16:
    case HR_T_U32:
    case HR_T_U64:
    case HR_T_F16:
    case HR_T_F32:
    case HR_T_F64:
    case HR_T_DEC128:
    case HR_T_DEC256: return convert_number(type, text, len, lenient, out);
    case HR_T_DATE32: {
        int32_t days;
        const bool ok = hr_parse_date(text, len, &days);
        out->i64 = ok ? days : 0;
        return ok;
    }
    case HR_T_TS: return convert_timestamp(type, text, len, (lenient & HR_LENIENT_TIMES) != 0, out);
    case HR_T_TIME32:
    case HR_T_TIME64: return convert_time(type, text, len, out);
    case HR_T_FIXED:
        if (type.ext == HR_EXT_UUID && type.width == 16) {
            return convert_uuid(text, len, out);
        }
        return len <= 84 && type.width <= 64 && len == ((size_t)type.width + 2) / 3 * 4 &&
               base64(text, len, out->bytes) == type.width;
    default: return false;
    }
}

static int append_base64(struct hr_vec *vec, const char *text, size_t len, struct hr_error *err) {
    int rc = hr_vec_reserve(vec, 1, err);
    if (rc == 0) {
        rc = hr_vec_reserve_bytes(vec, len, err);
    }
    if (rc != 0) {
        return rc;
    }
    const int64_t n = base64(text, len, vec->data + vec->data_len);
    if (n < 0) {
        return HR_MORE;
    }
    vec->data_len += (size_t)n;
    vec->offsets[vec->len + 1] = (int32_t)vec->data_len;
    if (vec->validity != NULL) {
        hr_bit_set(vec->validity, vec->len);
    }
    vec->len++;
    return 0;
}

int hr_infer_append(struct hr_vec *vec, const char *text, size_t len, unsigned lenient,
                    struct hr_error *err) {
    const struct hr_type type = vec->field->type;
    if (type.id == HR_T_UTF8) {
        return hr_vec_append_bytes(vec, text, len, err);
    }
    if (type.id == HR_T_BINARY) {
        return append_base64(vec, text, len, err);
    }
    if (type.id == HR_T_BOOL) {
        const int word = hr_infer_bool(text, len, NULL, NULL);
        return word < 0 ? HR_MORE : hr_vec_append_i64(vec, word, err);
    }
    union hr_cell cell;
    if (!hr_infer_convert(type, text, len, lenient, &cell)) {
        return HR_MORE;
    }
    return hr_vec_append_bytes(vec, cell.bytes, (size_t)hr_type_width(type), err);
}
