/* tests/unit/parquet/pq_canon.h - rows as the canonical text that the corpus's expectations hash.
 *
 * The form is described in expected.json of the parquet-testing corpus: one JSON array per row,
 * floats as bit patterns, decimals, dates and times tagged. Written for tests only, apart from the
 * library's own printing, so that one cannot hide a fault of the other. */
#ifndef HR_TEST_PQ_CANON_H
#define HR_TEST_PQ_CANON_H

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>

#include "base/num.h"
#include "batch/vec.h"
#include "format/format.h"
#include "support.h"

static void canon_value(const struct hr_vec *vec, int64_t i, struct hr_buf *out);

static void canon_text(struct hr_slice s, struct hr_buf *out) {
    hr_buf_append_byte(out, '"', NULL);
    for (size_t i = 0; i < s.len; i++) {
        const uint8_t c = s.ptr[i];
        const char *names = "btn\0fr"; /* 8.. */
        if (c == '"' || c == '\\') {
            hr_buf_append_byte(out, '\\', NULL);
            hr_buf_append_byte(out, c, NULL);
        } else if (c >= 8 && c <= 13 && c != 11) {
            hr_buf_append_byte(out, '\\', NULL);
            hr_buf_append_byte(out, (uint8_t)names[c - 8], NULL);
        } else if (c < 0x20) {
            hr_buf_printf(out, NULL, "\\u%04x", c);
        } else {
            hr_buf_append_byte(out, c, NULL);
        }
    }
    hr_buf_append_byte(out, '"', NULL);
}

static void canon_hex(struct hr_slice s, struct hr_buf *out) {
    hr_buf_append_str(out, "\"x:", NULL);
    for (size_t i = 0; i < s.len; i++) {
        hr_buf_printf(out, NULL, "%02x", s.ptr[i]);
    }
    hr_buf_append_byte(out, '"', NULL);
}

static void canon_double(double v, struct hr_buf *out) {
    uint64_t bits;
    memcpy(&bits, &v, 8);
    if (v != v) {
        hr_buf_append_str(out, "\"f:nan\"", NULL);
    } else {
        hr_buf_printf(out, NULL, "\"f:%016" PRIx64 "\"", bits);
    }
}

static void canon_i128(hr_i128 v, struct hr_buf *out) {
    char text[64];
    int n = 0;
    const bool neg = v < 0;
    hr_u128 u = neg ? -(hr_u128)v : (hr_u128)v;
    do {
        text[n++] = (char)('0' + (int)(u % 10));
        u /= 10;
    } while (u > 0);
    if (neg) {
        hr_buf_append_byte(out, '-', NULL);
    }
    while (n > 0) {
        hr_buf_append_byte(out, (uint8_t)text[--n], NULL);
    }
}

/* Unscaled value times 10^factor digits of zero: timestamps beyond 64 bits of nanoseconds. */
static void canon_time(const char *tag, int64_t v, int unit, struct hr_buf *out) {
    static const int64_t to_nanos[] = {1000000000, 1000000, 1000, 1};
    hr_buf_printf(out, NULL, "\"%s:", tag);
    canon_i128((hr_i128)v * to_nanos[unit], out);
    hr_buf_append_byte(out, '"', NULL);
}

static void canon_decimal(const struct hr_vec *vec, int64_t i, struct hr_buf *out) {
    char text[128];
    size_t n;
    if (vec->field->type.id == HR_T_DEC128) {
        hr_i128 v;
        memcpy(&v, vec->data + i * 16, 16);
        n = hr_format_decimal(v, vec->field->type.scale, text);
    } else {
        uint64_t w[4];
        memcpy(w, vec->data + i * 32, 32);
        n = hr_format_decimal256(w, vec->field->type.scale, text);
    }
    hr_buf_append_str(out, "\"d:", NULL);
    hr_buf_append(out, text, n, NULL);
    hr_buf_append_byte(out, '"', NULL);
}

static bool canon_utf8(struct hr_slice s) {
    for (size_t i = 0; i < s.len;) {
        const uint8_t c = s.ptr[i];
        const size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
        if ((c >= 0x80 && c < 0xc2) || i + n > s.len) {
            return false;
        }
        for (size_t k = 1; k < n; k++) {
            if ((s.ptr[i + k] & 0xc0) != 0x80) {
                return false;
            }
        }
        i += n;
    }
    return true;
}

static void canon_nested(const struct hr_vec *vec, int64_t i, struct hr_buf *out) {
    if (vec->field->type.id == HR_T_STRUCT) {
        hr_buf_append_byte(out, '{', NULL);
        for (int k = 0; k < vec->n_children; k++) {
            hr_buf_append_str(out, k > 0 ? "," : "", NULL);
            canon_text(hr_slice_str(vec->children[k].field->name), out);
            hr_buf_append_byte(out, ':', NULL);
            canon_value(&vec->children[k], i, out);
        }
        hr_buf_append_byte(out, '}', NULL);
        return;
    }
    hr_buf_append_byte(out, '[', NULL);
    for (int32_t k = vec->offsets[i]; k < vec->offsets[i + 1]; k++) {
        hr_buf_append_str(out, k > vec->offsets[i] ? "," : "", NULL);
        if (vec->field->type.id == HR_T_MAP) { /* whatever the file calls its fields */
            hr_buf_append_str(out, "{\"key\":", NULL);
            canon_value(&vec->children[0].children[0], k, out);
            hr_buf_append_str(out, ",\"value\":", NULL);
            canon_value(&vec->children[0].children[1], k, out);
            hr_buf_append_byte(out, '}', NULL);
        } else {
            canon_value(&vec->children[0], k, out);
        }
    }
    hr_buf_append_byte(out, ']', NULL);
}

static void canon_value(const struct hr_vec *vec, int64_t i, struct hr_buf *out) {
    const struct hr_type t = vec->field->type;
    if (!hr_vec_valid(vec, i) || t.id == HR_T_NULL) {
        hr_buf_append_str(out, "null", NULL);
        return;
    }
    switch ((enum hr_type_id)t.id) {
    case HR_T_BOOL:
        hr_buf_append_str(out, hr_bit_get(vec->data, i) ? "true" : "false", NULL);
        break;
    case HR_T_U64: {
        uint64_t v;
        memcpy(&v, vec->data + i * 8, 8);
        hr_buf_printf(out, NULL, "%" PRIu64, v);
        break;
    }
    case HR_T_F16: {
        uint16_t v;
        memcpy(&v, vec->data + i * 2, 2);
        canon_double(hr_half_to_double(v), out);
        break;
    }
    case HR_T_F32: {
        float v;
        memcpy(&v, vec->data + i * 4, 4);
        canon_double((double)v, out);
        break;
    }
    case HR_T_F64: {
        double v;
        memcpy(&v, vec->data + i * 8, 8);
        canon_double(v, out);
        break;
    }
    case HR_T_DEC128:
    case HR_T_DEC256: canon_decimal(vec, i, out); break;
    case HR_T_UTF8:
        if (canon_utf8(hr_vec_slice(vec, i))) {
            canon_text(hr_vec_slice(vec, i), out);
        } else {
            canon_hex(hr_vec_slice(vec, i), out);
        }
        break;
    case HR_T_BINARY: canon_hex(hr_vec_slice(vec, i), out); break;
    case HR_T_FIXED: canon_hex(hr_slice_of(vec->data + i * t.width, (size_t)t.width), out); break;
    case HR_T_DATE32: hr_buf_printf(out, NULL, "\"date:%" PRId64 "\"", hr_vec_i64(vec, i)); break;
    case HR_T_TIME32:
    case HR_T_TIME64: canon_time("time", hr_vec_i64(vec, i), t.unit, out); break;
    case HR_T_TS: canon_time("ts", hr_vec_i64(vec, i), t.unit, out); break;
    case HR_T_LIST:
    case HR_T_STRUCT:
    case HR_T_MAP: canon_nested(vec, i, out); break;
    default: hr_buf_printf(out, NULL, "%" PRId64, hr_vec_i64(vec, i)); break;
    }
}

static void canon_row(const struct hr_batch *batch, int64_t i, struct hr_buf *out) {
    hr_buf_append_byte(out, '[', NULL);
    for (int k = 0; k < batch->schema->n_fields; k++) {
        hr_buf_append_str(out, k > 0 ? "," : "", NULL);
        canon_value(&batch->vecs[k], i, out);
    }
    hr_buf_append_str(out, "]\n", NULL);
}

/* What a file reads to. */
struct canon_result {
    int rc;
    int64_t rows;
    int columns;
    char sha256[65];
    struct hr_error err;
};

static void canon_sha(EVP_MD_CTX *md, char *hex) {
    uint8_t digest[32];
    unsigned len;
    EVP_DigestFinal_ex(md, digest, &len);
    for (int i = 0; i < 32; i++) {
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    }
}

/* Read all of a source; never fails the test. */
static inline struct canon_result canon_read(struct hr_source *src,
                                             const struct hr_format_opts *opts,
                                             const struct hr_read_params *params) {
    struct canon_result res = {.columns = -1};
    struct hr_reader *reader = NULL;
    struct hr_batch *batch;
    struct hr_buf text;
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    EVP_DigestInit_ex(md, EVP_sha256(), NULL);
    hr_buf_init(&text, (size_t)4 << 30);
    res.rc = hr_format_parquet.open(src, opts, params, &reader, &res.err);
    if (res.rc == 0) {
        res.columns = reader->schema->n_fields;
        while ((res.rc = hr_reader_next(reader, &batch, &res.err)) == 0) {
            res.rows += batch->len;
            hr_buf_clear(&text);
            for (int64_t i = 0; i < batch->len; i++) {
                canon_row(batch, i, &text);
            }
            EVP_DigestUpdate(md, text.ptr, text.len);
        }
        res.rc = res.rc == HR_END ? 0 : res.rc;
    }
    canon_sha(md, res.sha256);
    hr_reader_close(reader);
    hr_buf_release(&text);
    EVP_MD_CTX_free(md);
    return res;
}

#endif
