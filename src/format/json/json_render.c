/* format/json/json_render.c - values of columns as JSON text (RFC 8259).
 *
 * The common types are written straight into the block; what is rare goes through hr_vec_json, with
 * which all of this agrees byte for byte.
 */
#include "format/json/json_render.h"

#include <math.h>

#include "base/cpu.h"
#include "base/num.h"
#include "base/time.h"
#if HR_X86
#include <immintrin.h>
#endif

#define ROOM_FIRST ((size_t)256 << 10)
#define SCALAR_ROOM 128

int hr_j_text_init(struct hr_j_text *text, struct hr_error *err) {
    *text = (struct hr_j_text){.copy_plain = hr_cpu_get()->avx2 ? hr_j_copy_plain_avx2
                                                                : hr_j_copy_plain_scalar};
    hr_buf_init(&text->scratch, (size_t)INT32_MAX);
    const int rc = hr_j_lex_init(&text->lex, 0, err);
    text->lex.newlines = true;
    text->lex.eof = true;
    return rc;
}

void hr_j_text_release(struct hr_j_text *text) {
    hr_big_free(text->ptr);
    text->ptr = NULL;
    text->len = text->cap = 0;
    hr_buf_release(&text->scratch);
    hr_j_lex_release(&text->lex);
}

int hr_j_text_grow(struct hr_j_text *text, size_t extra, struct hr_error *err) {
    const size_t need = text->len + extra;
    size_t want = text->cap + text->cap / 2;
    want = want < need ? need : want;
    const size_t first = text->first > ROOM_FIRST ? text->first : ROOM_FIRST;
    want = want < first ? first : want;
    size_t cap;
    uint8_t *grown = hr_big_grow(text->ptr, text->len, want, &cap);
    if (grown == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate %zu bytes of JSON", want);
    }
    text->ptr = grown;
    text->cap = cap;
    return 0;
}

/* ---- strings ---- */

size_t hr_j_copy_plain_scalar(uint8_t *dst, const uint8_t *src, size_t len) {
    size_t i = 0;
    while (i < len && src[i] >= 0x20 && src[i] < 0x80 && src[i] != '"' && src[i] != '\\') {
        dst[i] = src[i];
        i++;
    }
    return i;
}

#if HR_X86
HR_TARGET_AVX2 size_t hr_j_copy_plain_avx2(uint8_t *dst, const uint8_t *src, size_t len) {
    for (size_t i = 0; i < len; i += 32) {
        const __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)(src + i));
        _mm256_storeu_si256((__m256i *)(void *)(dst + i), v);
        /* as signed bytes, control and non-ASCII bytes are both below the blank */
        const __m256i low = _mm256_cmpgt_epi8(_mm256_set1_epi8(0x20), v);
        const __m256i quote = _mm256_cmpeq_epi8(v, _mm256_set1_epi8('"'));
        const __m256i slash = _mm256_cmpeq_epi8(v, _mm256_set1_epi8('\\'));
        const uint32_t stop =
            (uint32_t)_mm256_movemask_epi8(_mm256_or_si256(low, _mm256_or_si256(quote, slash)));
        if (stop != 0) {
            const size_t at = i + _tzcnt_u32(stop);
            return at < len ? at : len;
        }
    }
    return len;
}
#else
size_t hr_j_copy_plain_avx2(uint8_t *dst, const uint8_t *src, size_t len) {
    return hr_j_copy_plain_scalar(dst, src, len);
}
#endif

static size_t put_escape(uint8_t *dst, uint8_t c) {
    static const char names[0x20] = {
        ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
    static const char hex[] = "0123456789abcdef";
    dst[0] = '\\';
    if (c >= 0x20 || names[c] != 0) {
        dst[1] = c >= 0x20 ? c : (uint8_t)names[c];
        return 2;
    }
    memcpy(dst + 1, "u00", 3);
    dst[4] = (uint8_t)hex[c >> 4];
    dst[5] = (uint8_t)hex[c & 15];
    return 6;
}

typedef size_t (*copy_fn)(uint8_t *dst, const uint8_t *src, size_t len);

/* The rest of a string behind its plain beginning: escapes and non-ASCII text. */
static int string_rest(struct hr_j_text *text, copy_fn copy_plain, const uint8_t *p,
                       const uint8_t *end, struct hr_error *err) {
    const int rc = hr_j_text_room(text, 6 * (size_t)(end - p) + 1 + HR_PAD, err);
    if (rc != 0) {
        return rc;
    }
    const uint8_t *bad = hr_j_utf8_bad(p, end);
    uint8_t *dst = text->ptr + text->len;
    while (p < end) {
        const uint8_t c = *p;
        if (p == bad) {
            memcpy(dst, "\xef\xbf\xbd", 3);
            dst += 3;
            bad = hr_j_utf8_bad(++p, end);
        } else if (c >= 0x80) {
            *dst++ = c;
            p++;
        } else if (c < 0x20 || c == '"' || c == '\\') {
            dst += put_escape(dst, c);
            p++;
        } else {
            const size_t n = copy_plain(dst, p, (size_t)(end - p));
            dst += n;
            p += n;
        }
    }
    *dst++ = '"';
    text->len = (size_t)(dst - text->ptr);
    return 0;
}

static int put_string(struct hr_j_text *text, copy_fn copy_plain, struct hr_slice s,
                      struct hr_error *err) {
    const int rc = hr_j_text_room(text, s.len + 2, err);
    if (rc != 0) {
        return rc;
    }
    uint8_t *dst = text->ptr + text->len;
    *dst++ = '"';
    const size_t n = s.len ? copy_plain(dst, s.ptr, s.len) : 0;
    text->len += n + 1;
    if (n < s.len) {
        return string_rest(text, copy_plain, s.ptr + n, s.ptr + s.len, err);
    }
    dst[n] = '"';
    text->len++;
    return 0;
}

int hr_j_text_string(struct hr_j_text *text, struct hr_slice s, struct hr_error *err) {
    return put_string(text, text->copy_plain, s, err);
}

/* Names and other text without padding behind it. */
static int put_name(struct hr_j_text *text, struct hr_slice s, struct hr_error *err) {
    return put_string(text, hr_j_copy_plain_scalar, s, err);
}

/* Text of a JSON column: embedded when it is JSON. */
static int json_text(struct hr_j_text *text, struct hr_slice s, struct hr_error *err) {
    struct hr_j_token token;
    struct hr_j_lex *lex = &text->lex;
    lex->end = s.ptr + s.len;
    const uint8_t *p = s.len ? hr_j_blank(lex, s.ptr) : NULL;
    const uint8_t *q = p ? hr_j_value(lex, p, &token) : NULL;
    if (q == NULL || hr_j_blank(lex, q) != lex->end) {
        return hr_j_text_string(text, s, err);
    }
    const struct hr_slice value = hr_slice_of(p, (size_t)(q - p));
    const int rc = hr_j_text_room(text, HR_J_COMPACT_ROOM(value.len), err);
    if (rc != 0) {
        return rc;
    }
    if (token.blanks) {
        text->len += hr_j_compact(value, text->ptr + text->len);
    } else {
        memcpy(text->ptr + text->len, value.ptr, value.len);
        text->len += value.len;
    }
    return 0;
}

/* ---- scalars of bounded length; 0: not one of these ---- */

/* "YYYY-MM-DD" for the years of four digits; 0 otherwise. */
static size_t put_date(uint8_t *dst, int32_t days) {
    if (days < -719162 || days > 2932896) { /* 0001-01-01 .. 9999-12-31 */
        return 0;
    }
    dst[0] = '"';
    hr_format_date(days, (char *)dst + 1);
    dst[11] = '"';
    return 12;
}

static size_t put_double(uint8_t *dst, double v) {
    if (!isfinite(v)) {
        memcpy(dst, "null", 4);
        return 4;
    }
    return hr_format_double(v, true, (char *)dst);
}

static size_t put_scalar(uint8_t *dst, const struct hr_vec *vec, int64_t i) {
    const struct hr_type type = vec->field->type;
    switch ((enum hr_type_id)type.id) {
    case HR_T_I8:
    case HR_T_I16:
    case HR_T_I32:
    case HR_T_I64:
    case HR_T_U8:
    case HR_T_U16:
    case HR_T_U32: return hr_format_i64(hr_vec_i64(vec, i), (char *)dst);
    case HR_T_U64: return hr_format_u64((uint64_t)hr_vec_i64(vec, i), (char *)dst);
    case HR_T_F64: return put_double(dst, ((const double *)(const void *)vec->data)[i]);
    case HR_T_DATE32: return put_date(dst, ((const int32_t *)(const void *)vec->data)[i]);
    case HR_T_BOOL:
        memcpy(dst, hr_bit_get(vec->data, i) ? "true" : "false", 5);
        return hr_bit_get(vec->data, i) ? 4 : 5;
    case HR_T_DEC128: {
        hr_i128 v;
        memcpy(&v, vec->data + i * 16, sizeof(v));
        return hr_format_decimal(v, type.scale, (char *)dst);
    }
    default: return 0;
    }
}

/* ---- nested ---- */

static void put_byte(struct hr_j_text *text, uint8_t c) {
    text->ptr[text->len++] = c; /* within HR_PAD: every value makes room for itself first */
}

static int list(struct hr_j_text *text, const struct hr_vec *vec, int64_t i, struct hr_error *err) {
    int rc = hr_j_text_room(text, 2, err);
    if (rc != 0) {
        return rc;
    }
    put_byte(text, '[');
    for (int32_t k = vec->offsets[i]; rc == 0 && k < vec->offsets[i + 1]; k++) {
        if (k > vec->offsets[i]) {
            put_byte(text, ',');
        }
        rc = hr_j_text_value(text, &vec->children[0], k, err);
        rc = rc ? rc : hr_j_text_room(text, 2, err);
    }
    put_byte(text, ']');
    return rc;
}

static int structure(struct hr_j_text *text, const struct hr_vec *vec, int64_t i,
                     struct hr_error *err) {
    int rc = hr_j_text_room(text, 2, err);
    if (rc != 0) {
        return rc;
    }
    put_byte(text, '{');
    for (int c = 0; rc == 0 && c < vec->n_children; c++) {
        if (c > 0) {
            put_byte(text, ',');
        }
        rc = put_name(text, hr_slice_str(vec->children[c].field->name), err);
        rc = rc ? rc : hr_j_text_room(text, 1, err);
        if (rc == 0) {
            put_byte(text, ':');
            rc = hr_j_text_value(text, &vec->children[c], i, err);
        }
        rc = rc ? rc : hr_j_text_room(text, 2, err);
    }
    put_byte(text, '}');
    return rc;
}

static int entry(struct hr_j_text *text, const struct hr_vec *entries, int64_t k,
                 struct hr_error *err) {
    hr_buf_clear(&text->scratch);
    int rc = hr_vec_text(&entries->children[0], k, &text->scratch, err);
    rc = rc ? rc : put_name(text, hr_buf_slice(&text->scratch), err);
    rc = rc ? rc : hr_j_text_room(text, 8, err);
    if (rc != 0) {
        return rc;
    }
    put_byte(text, ':');
    if (entries->n_children > 1) {
        return hr_j_text_value(text, &entries->children[1], k, err);
    }
    memcpy(text->ptr + text->len, "null", 4);
    text->len += 4;
    return 0;
}

static int map(struct hr_j_text *text, const struct hr_vec *vec, int64_t i, struct hr_error *err) {
    int rc = hr_j_text_room(text, 2, err);
    if (rc != 0) {
        return rc;
    }
    put_byte(text, '{');
    for (int32_t k = vec->offsets[i]; rc == 0 && k < vec->offsets[i + 1]; k++) {
        if (k > vec->offsets[i]) {
            put_byte(text, ',');
        }
        rc = entry(text, &vec->children[0], k, err);
        rc = rc ? rc : hr_j_text_room(text, 2, err);
    }
    put_byte(text, '}');
    return rc;
}

static int rare(struct hr_j_text *text, const struct hr_vec *vec, int64_t i, struct hr_error *err) {
    hr_buf_clear(&text->scratch);
    int rc = hr_vec_json(vec, i, &text->scratch, err);
    rc = rc ? rc : hr_j_text_room(text, text->scratch.len, err);
    if (rc == 0) {
        memcpy(text->ptr + text->len, text->scratch.ptr, text->scratch.len);
        text->len += text->scratch.len;
    }
    return rc;
}

/* Room for SCALAR_ROOM was made. */
static inline int put_value(struct hr_j_text *text, const struct hr_vec *vec, int64_t i,
                            struct hr_error *err) {
    const struct hr_type type = vec->field->type;
    uint8_t *dst = text->ptr + text->len;
    if (type.id == HR_T_NULL || !hr_vec_valid(vec, i)) {
        memcpy(dst, "null", 4);
        text->len += 4;
        return 0;
    }
    if (type.id == HR_T_I64) {
        text->len += hr_format_i64(((const int64_t *)(const void *)vec->data)[i], (char *)dst);
        return 0;
    }
    if (type.id == HR_T_UTF8) {
        return type.ext == HR_EXT_JSON ? json_text(text, hr_vec_slice(vec, i), err)
                                       : hr_j_text_string(text, hr_vec_slice(vec, i), err);
    }
    const size_t n = put_scalar(dst, vec, i);
    if (n > 0) {
        text->len += n;
        return 0;
    }
    return type.id == HR_T_LIST     ? list(text, vec, i, err)
           : type.id == HR_T_STRUCT ? structure(text, vec, i, err)
           : type.id == HR_T_MAP    ? map(text, vec, i, err)
                                    : rare(text, vec, i, err);
}

int hr_j_text_value(struct hr_j_text *text, const struct hr_vec *vec, int64_t i,
                    struct hr_error *err) {
    const int rc = hr_j_text_room(text, SCALAR_ROOM, err);
    return rc ? rc : put_value(text, vec, i, err);
}

int hr_j_text_row(struct hr_j_text *text, const struct hr_j_key *keys, const struct hr_vec *vecs,
                  int n, int64_t row, struct hr_error *err) {
    for (int c = 0; c < n; c++) {
        const struct hr_j_key key = keys[c];
        int rc = hr_j_text_room(text, key.len + SCALAR_ROOM, err);
        if (rc != 0) {
            return rc;
        }
        uint8_t *dst = text->ptr + text->len;
        memcpy(dst, key.ptr, 32); /* most keys: no call for so little */
        if (key.len > 32) {
            memcpy(dst + 32, key.ptr + 32, key.len - 32);
        }
        text->len += key.len;
        rc = put_value(text, &vecs[c], row, err);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}
