/* format/avro/avro_decode.c - Avro's binary encoding (specification, "Binary Encoding") straight
 * into columns.
 *
 * A block's rows come one after another, each a run of values in schema order without any marks, so
 * decoding walks the node tree once per row. Room for the rows of a batch is made beforehand; a
 * value is then a read, a store and a count. Bounds: the bytes of a block are followed by HR_PAD
 * readable bytes, so a number (at most 10 bytes) is read first and checked against the end after;
 * everything longer is checked before. Counts of items are checked against the bytes that remain.
 *
 * Columns nobody wants have no vec and are skipped by the same walk. */
#include "format/avro/avro_decode.h"

#include "base/cpu.h"
#include "base/num.h"
#include "base/utf8.h"

enum { ROOM_STEP = 4096 };

static const uint8_t *value(struct hr_avro_decoder *dec, struct hr_avro_node *node,
                            const uint8_t *p);
static const uint8_t *skip(struct hr_avro_decoder *dec, struct hr_avro_node *node,
                           const uint8_t *p);

/* ---- failures ---- */

__attribute__((format(printf, 3, 4), cold)) static const uint8_t *
bad(struct hr_avro_decoder *dec, int code, const char *format, ...) {
    va_list args;
    va_start(args, format);
    dec->rc = hr_vfail(dec->err, code, format, args);
    va_end(args);
    return NULL;
}

__attribute__((cold)) static const uint8_t *cut_short(struct hr_avro_decoder *dec) {
    return bad(dec, HR_E_CORRUPT, "the value goes beyond the end of its block");
}

__attribute__((cold)) static const uint8_t *failed(struct hr_avro_decoder *dec, int rc) {
    dec->rc = rc; /* the error is filled already */
    return NULL;
}

/* ---- numbers ---- */

static uint64_t load64(const uint8_t *p) {
    uint64_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

/* Two bytes and more, whose number is hard to foresee: find the end in one word, then squeeze the
 * 7-bit groups together. */
static inline const uint8_t *long_varint(const uint8_t *p, uint64_t *out) {
    uint64_t word = load64(p);
    uint64_t ends = ~word & 0x8080808080808080ULL;
    if (hr_likely(ends != 0)) {
        unsigned bits = (unsigned)__builtin_ctzll(ends) + 1;
        word &= UINT64_MAX >> (64 - bits);
        word = (word & 0x007f007f007f007fULL) | ((word & 0x7f007f007f007f00ULL) >> 1);
        word = (word & 0x00003fff00003fffULL) | ((word & 0x3fff00003fff0000ULL) >> 2);
        word = (word & 0x000000000fffffffULL) | ((word & 0x0fffffff00000000ULL) >> 4);
        *out = word;
        return p + bits / 8;
    }
    uint64_t v = 0;
    for (int i = 0; i < 8; i++) {
        v |= (uint64_t)(p[i] & 0x7f) << (7 * i);
    }
    v |= (uint64_t)(p[8] & 0x7f) << 56;
    if ((p[8] & 0x80) == 0) {
        *out = v;
        return p + 9;
    }
    if (p[9] > 1) {
        return NULL;
    }
    *out = v | (uint64_t)p[9] << 63;
    return p + 10;
}

static inline const uint8_t *varint(const uint8_t *p, uint64_t *out) {
    if (hr_likely(p[0] < 0x80)) {
        *out = p[0];
        return p + 1;
    }
    return long_varint(p, out);
}

static inline int64_t unzigzag(uint64_t v) {
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

const uint8_t *hr_avro_long(const uint8_t *p, int64_t *out) {
    uint64_t v = 0;
    p = varint(p, &v);
    *out = unzigzag(v);
    return p;
}

/* A number inside the block. */
static inline const uint8_t *number(struct hr_avro_decoder *dec, const uint8_t *p, int64_t *out) {
    uint64_t v = 0;
    const uint8_t *next = varint(p, &v);
    *out = unzigzag(v);
    if (hr_unlikely(next == NULL || next > dec->end)) {
        return next == NULL && dec->end - p >= 10
                   ? bad(dec, HR_E_CORRUPT, "a number takes more than 64 bits")
                   : cut_short(dec);
    }
    return next;
}

/* ---- stores ---- */

static inline void set_valid(const struct hr_avro_node *node) {
    if (node->bits) {
        hr_bit_set(node->vec->validity, node->vec->len);
    }
}

static inline void store(const struct hr_avro_node *node, const void *v, size_t width) {
    struct hr_vec *vec = node->vec;
    memcpy(vec->data + (size_t)vec->len * width, v, width);
    set_valid(node);
    vec->len++;
}

static const uint8_t *null_value(struct hr_avro_decoder *dec, const struct hr_avro_node *node,
                                 const uint8_t *p) {
    struct hr_vec *vec = node->vec;
    if (node->width > 0) {
        memset(vec->data + (size_t)vec->len * node->width, 0, node->width);
    } else if (node->kind == HR_AVRO_BYTES || node->kind == HR_AVRO_ENUM) {
        vec->offsets[vec->len + 1] = (int32_t)vec->data_len;
    } else {
        int rc = hr_vec_append_null(vec, dec->err);
        return rc == 0 ? p : failed(dec, rc);
    }
    hr_bit_clear(vec->validity, vec->len);
    vec->len++;
    vec->nulls++;
    return p;
}

static const uint8_t *put_bytes(struct hr_avro_decoder *dec, const struct hr_avro_node *node,
                                const uint8_t *src, size_t len) {
    struct hr_vec *vec = node->vec;
    if (hr_unlikely(vec->data_cap - vec->data_len < len || vec->data_len + len > INT32_MAX)) {
        int rc = hr_vec_reserve_bytes(vec, len, dec->err);
        if (rc != 0) {
            return failed(dec, rc);
        }
    }
    if (len <= 16 && vec->data != NULL) { /* both sides have a pad */
        memcpy(vec->data + vec->data_len, src, 16);
    } else if (len > 0) {
        memcpy(vec->data + vec->data_len, src, len);
    }
    vec->data_len += len;
    vec->offsets[vec->len + 1] = (int32_t)vec->data_len;
    set_valid(node);
    vec->len++;
    dec->bytes += len;
    return src + len;
}

/* ---- lengths ---- */

static inline const uint8_t *byte_length(struct hr_avro_decoder *dec, const uint8_t *p,
                                         size_t *out) {
    int64_t len = 0;
    p = number(dec, p, &len);
    if (hr_unlikely(p != NULL && (uint64_t)len > (uint64_t)(dec->end - p))) {
        return len < 0 ? bad(dec, HR_E_CORRUPT, "a length is negative")
                       : bad(dec, HR_E_CORRUPT, "a length of %lld bytes where %lld remain",
                             (long long)len, (long long)(dec->end - p));
    }
    *out = (size_t)len;
    return p;
}

__attribute__((cold)) static const uint8_t *too_long(struct hr_avro_decoder *dec, size_t len) {
    bad(dec, HR_E_BOUND, "a value of %zu bytes is over the bound of %zu", len, dec->cell_max);
    hr_error_hint(dec->err, "raise the bound on the size of a cell if this file is to be trusted");
    return NULL;
}

/* The head of one run of items: how many (0: the end), and for a run that says so its bytes (-1
 * not). */
static const uint8_t *run_head(struct hr_avro_decoder *dec, const uint8_t *p, uint64_t item_min,
                               uint64_t *count, int64_t *bytes) {
    int64_t n = 0;
    *bytes = -1;
    p = number(dec, p, &n);
    if (p != NULL && n < 0) {
        size_t len = 0;
        if (n == INT64_MIN) {
            return bad(dec, HR_E_CORRUPT, "a count of items is out of range");
        }
        n = -n;
        p = byte_length(dec, p, &len);
        *bytes = (int64_t)len;
    }
    if (p == NULL) {
        return NULL;
    }
    uint64_t remain = (uint64_t)(dec->end - p);
    *count = (uint64_t)n;
    if (item_min > 0 && *count > remain / item_min) {
        return bad(dec, HR_E_CORRUPT, "%llu items where %llu bytes remain",
                   (unsigned long long)*count, (unsigned long long)remain);
    }
    if (item_min == 0) {
        dec->weightless += *count;
        if (*count > HR_AVRO_WEIGHTLESS_MAX || dec->weightless > HR_AVRO_WEIGHTLESS_MAX) {
            return bad(dec, HR_E_BOUND, "more than %d items that take no bytes",
                       HR_AVRO_WEIGHTLESS_MAX);
        }
    }
    return p;
}

/* ---- decimals ---- */

/* Big-endian two's complement of any length to `width` bytes little-endian; false: does not fit. */
static bool widen_decimal(const uint8_t *src, size_t len, uint8_t *dst, size_t width) {
    uint8_t fill = len > 0 && (src[0] & 0x80) ? 0xff : 0;
    while (len > width) {
        if (src[0] != fill) {
            return false;
        }
        src++;
        len--;
    }
    if (len == width && len > 0 && ((src[0] ^ fill) & 0x80)) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        dst[i] = src[len - 1 - i];
    }
    memset(dst + len, fill, width - len);
    return true;
}

static bool within_precision(const struct hr_type type, const uint8_t *value_le) {
    if (type.id != HR_T_DEC128) {
        return true;
    }
    hr_i128 v;
    hr_u128 limit = 1;
    memcpy(&v, value_le, sizeof(v));
    for (int i = 0; i < type.precision; i++) {
        limit *= 10;
    }
    hr_u128 size = v < 0 ? -(hr_u128)v : (hr_u128)v;
    return size < limit;
}

static const uint8_t *decimal(struct hr_avro_decoder *dec, const struct hr_avro_node *node,
                              const uint8_t *p, size_t len) {
    const struct hr_type type = node->vec->field->type;
    uint8_t wide[32];
    bool fits;
    if (type.id == HR_T_U64) { /* our writer's decimal(20) */
        fits = widen_decimal(p, len, wide, 16) && load64(wide + 8) == 0;
    } else {
        fits = widen_decimal(p, len, wide, node->width) && within_precision(type, wide);
    }
    if (!fits) {
        return bad(dec, HR_E_CORRUPT, "a decimal of %zu bytes has more digits than its precision",
                   len);
    }
    store(node, wide, node->width);
    return p + len;
}

/* ---- numbers in other widths ---- */

static bool fits_width(enum hr_type_id id, int64_t v) {
    switch (id) {
    case HR_T_I8: return v >= INT8_MIN && v <= INT8_MAX;
    case HR_T_U8: return v >= 0 && v <= UINT8_MAX;
    case HR_T_I16: return v >= INT16_MIN && v <= INT16_MAX;
    case HR_T_U16: return v >= 0 && v <= UINT16_MAX;
    case HR_T_U32: return v >= 0 && v <= UINT32_MAX;
    default: return v >= INT32_MIN && v <= INT32_MAX;
    }
}

static const uint8_t *narrow(struct hr_avro_decoder *dec, const struct hr_avro_node *node,
                             const uint8_t *p) {
    int64_t v = 0;
    p = number(dec, p, &v);
    if (p == NULL) {
        return NULL;
    }
    if (node->kind == HR_AVRO_THOUSAND) {
        v /= 1000;
    } else if (!fits_width(node->vec->field->type.id, v)) {
        return bad(dec, HR_E_CORRUPT, "%lld is out of the range of its type", (long long)v);
    }
    store(node, &v, node->width); /* little endian: the low bytes are the narrow value */
    return p;
}

/* binary32 to binary16; exact for what once was a binary16, otherwise rounded to zero. */
static uint16_t half_of(uint32_t bits) {
    uint32_t sign = bits >> 16 & 0x8000;
    int32_t exponent = (int32_t)(bits >> 23 & 0xff);
    uint32_t fraction = bits & 0x7fffff;
    if (exponent == 0xff) {
        return (uint16_t)(sign | 0x7c00 | (fraction >> 13) | (fraction != 0 ? 0x200 : 0));
    }
    exponent -= 127 - 15;
    if (exponent >= 31) {
        return (uint16_t)(sign | 0x7c00);
    }
    if (exponent <= 0) {
        int32_t shift = 14 - exponent;
        return (uint16_t)(sign | (shift > 24 ? 0 : (fraction | 0x800000) >> shift));
    }
    return (uint16_t)(sign | (uint32_t)exponent << 10 | fraction >> 13);
}

/* ---- nested values ---- */

static int reserve_node(struct hr_avro_node *node, size_t extra, struct hr_error *err) {
    if (node->vec == NULL) {
        return 0;
    }
    int rc = hr_vec_reserve(node->vec, extra, err);
    if (rc == 0 && node->bits) {
        rc = hr_vec_need_validity(node->vec, extra, err);
    }
    if (node->kind == HR_AVRO_RECORD) {
        for (int32_t i = 0; rc == 0 && i < node->n_children; i++) {
            rc = reserve_node(&node->children[i], extra, err);
        }
    }
    return rc;
}

static const uint8_t *record(struct hr_avro_decoder *dec, struct hr_avro_node *node,
                             const uint8_t *p) {
    for (int32_t i = 0; i < node->n_children && p != NULL; i++) {
        struct hr_avro_node *child = &node->children[i];
        p = child->vec != NULL ? value(dec, child, p) : skip(dec, child, p);
    }
    if (p != NULL) {
        set_valid(node);
        node->vec->len++;
    }
    return p;
}

/* `count` items of a list or map, room made in steps as they come. */
static const uint8_t *items(struct hr_avro_decoder *dec, struct hr_avro_node *node,
                            const uint8_t *p, uint64_t count) {
    struct hr_vec *entries = &node->vec->children[0];
    struct hr_avro_node *child = &node->children[0];
    struct hr_vec *keys = node->kind == HR_AVRO_MAP ? &entries->children[0] : NULL;
    struct hr_avro_node key = {.kind = HR_AVRO_BYTES, .vec = keys};
    while (count > 0) {
        uint64_t step = count < ROOM_STEP ? count : ROOM_STEP;
        int rc = reserve_node(child, (size_t)step, dec->err);
        if (rc == 0 && keys != NULL) {
            rc = hr_vec_reserve(keys, (size_t)step, dec->err);
        }
        if (rc != 0) {
            return failed(dec, rc);
        }
        dec->bytes += step * 8;
        for (uint64_t i = 0; i < step && p != NULL; i++) {
            size_t len = 0;
            if (keys != NULL) {
                p = byte_length(dec, p, &len);
                p = p != NULL ? put_bytes(dec, &key, p, len) : NULL;
                entries->len++;
            }
            p = p != NULL ? value(dec, child, p) : NULL;
        }
        if (p == NULL) {
            return NULL;
        }
        count -= step;
    }
    return p;
}

static const uint8_t *list(struct hr_avro_decoder *dec, struct hr_avro_node *node,
                           const uint8_t *p) {
    uint64_t item_min = node->children[0].min_bytes + (node->kind == HR_AVRO_MAP ? 1u : 0u);
    struct hr_vec *vec = node->vec;
    uint64_t count = 0;
    int64_t bytes;
    do {
        p = run_head(dec, p, item_min, &count, &bytes);
        const uint8_t *begin = p;
        p = p != NULL ? items(dec, node, p, count) : NULL;
        if (p != NULL && bytes >= 0 && p - begin != bytes) { /* who skips it goes by what it says */
            return bad(dec, HR_E_CORRUPT, "%lld bytes of items where their list says %lld",
                       (long long)(p - begin), (long long)bytes);
        }
    } while (p != NULL && count > 0);
    if (p == NULL) {
        return NULL;
    }
    if (vec->children[0].len > INT32_MAX) {
        return bad(dec, HR_E_BOUND, "more than 2^31 items in one batch");
    }
    vec->offsets[vec->len + 1] = (int32_t)vec->children[0].len;
    set_valid(node);
    vec->len++;
    return p;
}

/* A union of several types: the branch met gets the value, its sisters a null. */
static const uint8_t *members(struct hr_avro_decoder *dec, struct hr_avro_node *node,
                              const uint8_t *p) {
    int64_t branch = 0;
    p = number(dec, p, &branch);
    if (p == NULL) {
        return NULL;
    }
    if (branch < 0 || branch >= (int64_t)node->fixed) {
        return bad(dec, HR_E_CORRUPT, "branch %lld of a union that has %u", (long long)branch,
                   node->fixed);
    }
    int32_t pick = node->members[branch];
    if (pick < 0) {
        int rc = hr_vec_append_null(node->vec, dec->err);
        return rc == 0 ? p : failed(dec, rc);
    }
    for (int32_t i = 0; i < node->n_children; i++) {
        int rc = i == pick ? reserve_node(&node->children[i], 1, dec->err)
                           : hr_vec_append_null(node->children[i].vec, dec->err);
        if (rc != 0) {
            return failed(dec, rc);
        }
    }
    p = value(dec, &node->children[pick], p);
    set_valid(node);
    node->vec->len++;
    return p;
}

/* ---- one value ---- */

static const uint8_t *enumerated(struct hr_avro_decoder *dec, const struct hr_avro_node *node,
                                 const uint8_t *p) {
    int64_t v = 0;
    p = number(dec, p, &v);
    if (p == NULL) {
        return NULL;
    }
    if ((uint64_t)v >= node->fixed) {
        return bad(dec, HR_E_CORRUPT, "symbol %lld of an enum that has %u", (long long)v,
                   node->fixed);
    }
    struct hr_slice symbol = node->symbols[v];
    struct hr_vec *vec = node->vec;
    int rc = hr_vec_reserve_bytes(vec, symbol.len, dec->err);
    if (rc != 0) {
        return failed(dec, rc);
    }
    if (symbol.len > 0) {
        memcpy(vec->data + vec->data_len, symbol.ptr, symbol.len);
    }
    vec->data_len += symbol.len;
    vec->offsets[vec->len + 1] = (int32_t)vec->data_len;
    set_valid(node);
    vec->len++;
    dec->bytes += symbol.len;
    return p;
}

static const uint8_t *boolean(struct hr_avro_decoder *dec, const struct hr_avro_node *node,
                              const uint8_t *p) {
    struct hr_vec *vec = node->vec;
    if (p >= dec->end) {
        return cut_short(dec);
    }
    if (*p > 1) {
        return bad(dec, HR_E_CORRUPT, "byte %u for a boolean", *p);
    }
    if (*p) {
        hr_bit_set(vec->data, vec->len);
    } else {
        hr_bit_clear(vec->data, vec->len);
    }
    set_valid(node);
    vec->len++;
    return p + 1;
}

static const uint8_t *fixed_bytes(struct hr_avro_decoder *dec, const struct hr_avro_node *node,
                                  const uint8_t *p) {
    if ((size_t)(dec->end - p) < node->fixed) {
        return cut_short(dec);
    }
    if (node->kind == HR_AVRO_DEC_FIXED) {
        return decimal(dec, node, p, node->fixed);
    }
    dec->bytes += node->fixed;
    if (node->fixed > 0) {
        store(node, p, node->fixed);
    } else {
        store(node, "", 0);
    }
    return p + node->fixed;
}

static const uint8_t *half(struct hr_avro_decoder *dec, const struct hr_avro_node *node,
                           const uint8_t *p) {
    uint32_t bits;
    if (dec->end - p < 4) {
        return cut_short(dec);
    }
    memcpy(&bits, p, sizeof(bits));
    uint16_t h = half_of(bits);
    store(node, &h, sizeof(h));
    return p + 4;
}

static const uint8_t *null_type(struct hr_avro_decoder *dec, const struct hr_avro_node *node,
                                const uint8_t *p) {
    int rc = hr_vec_append_null(node->vec, dec->err);
    return rc == 0 ? p : failed(dec, rc);
}

/* The kinds that are rare enough to stay out of value's way. */
static const uint8_t *rare_value(struct hr_avro_decoder *dec, struct hr_avro_node *node,
                                 const uint8_t *p) {
    size_t len = 0;
    switch ((enum hr_avro_kind)node->kind) {
    case HR_AVRO_NARROW:
    case HR_AVRO_THOUSAND: return narrow(dec, node, p);
    case HR_AVRO_HALF: return half(dec, node, p);
    case HR_AVRO_FIXED:
    case HR_AVRO_DEC_FIXED: return fixed_bytes(dec, node, p);
    case HR_AVRO_DEC_BYTES:
        p = byte_length(dec, p, &len);
        return p != NULL ? decimal(dec, node, p, len) : NULL;
    case HR_AVRO_ENUM: return enumerated(dec, node, p);
    case HR_AVRO_ARRAY:
    case HR_AVRO_MAP:
    case HR_AVRO_PAIRS: return list(dec, node, p);
    case HR_AVRO_UNION: return members(dec, node, p);
    default: return null_type(dec, node, p);
    }
}

static const uint8_t *value(struct hr_avro_decoder *dec, struct hr_avro_node *node,
                            const uint8_t *p) {
    if (node->n_branches > 0) {
        int64_t branch = 0;
        p = number(dec, p, &branch);
        if (hr_unlikely(p == NULL)) {
            return NULL;
        }
        if (hr_unlikely((uint64_t)branch >= (uint64_t)node->n_branches)) {
            return bad(dec, HR_E_CORRUPT, "branch %lld of a union that has %d", (long long)branch,
                       node->n_branches);
        }
        if (branch == node->null_branch) {
            return null_value(dec, node, p);
        }
    }
    int64_t v = 0;
    size_t len = 0;
    switch ((enum hr_avro_kind)node->kind) {
    case HR_AVRO_INT:
        p = number(dec, p, &v);
        if (hr_unlikely(p == NULL)) {
            return NULL;
        }
        if (hr_unlikely(v != (int32_t)v)) {
            return bad(dec, HR_E_CORRUPT, "%lld is out of the range of an int", (long long)v);
        }
        store(node, &v, 4);
        return p;
    case HR_AVRO_LONG:
        p = number(dec, p, &v);
        if (hr_likely(p != NULL)) {
            store(node, &v, 8);
        }
        return p;
    case HR_AVRO_DOUBLE:
        if (hr_unlikely(dec->end - p < 8)) {
            return cut_short(dec);
        }
        store(node, p, 8);
        return p + 8;
    case HR_AVRO_FLOAT:
        if (hr_unlikely(dec->end - p < 4)) {
            return cut_short(dec);
        }
        store(node, p, 4);
        return p + 4;
    case HR_AVRO_BYTES:
        p = byte_length(dec, p, &len);
        if (hr_unlikely(p == NULL)) {
            return NULL;
        }
        return hr_likely(len <= dec->cell_max) ? put_bytes(dec, node, p, len) : too_long(dec, len);
    case HR_AVRO_BOOL: return boolean(dec, node, p);
    case HR_AVRO_RECORD: return record(dec, node, p);
    default: return rare_value(dec, node, p);
    }
}

/* ---- skipping ---- */

/* Past a number: its end is found without a branch on its length. */
static inline const uint8_t *skip_number(struct hr_avro_decoder *dec, const uint8_t *p) {
    uint64_t ends = ~load64(p) & 0x8080808080808080ULL;
    int64_t v = 0;
    if (hr_unlikely(ends == 0)) {
        return number(dec, p, &v);
    }
    p += ((unsigned)__builtin_ctzll(ends) >> 3) + 1;
    return hr_likely(p <= dec->end) ? p : cut_short(dec);
}

static const uint8_t *skip_bytes(struct hr_avro_decoder *dec, const uint8_t *p, size_t len) {
    return (size_t)(dec->end - p) < len ? cut_short(dec) : p + len;
}

static const uint8_t *skip_list(struct hr_avro_decoder *dec, struct hr_avro_node *node,
                                const uint8_t *p) {
    bool map = node->kind == HR_AVRO_MAP;
    uint64_t item_min = node->children[0].min_bytes + (map ? 1u : 0u);
    uint64_t count = 0;
    int64_t bytes;
    do {
        size_t len = 0;
        p = run_head(dec, p, item_min, &count, &bytes);
        if (p != NULL && bytes >= 0) {
            p += bytes; /* was checked against the end */
            continue;
        }
        for (uint64_t i = 0; i < count && p != NULL; i++) {
            if (map) {
                p = byte_length(dec, p, &len);
                p = p != NULL ? p + len : NULL;
            }
            p = p != NULL ? skip(dec, &node->children[0], p) : NULL;
        }
    } while (p != NULL && count > 0);
    return p;
}

static const uint8_t *skip(struct hr_avro_decoder *dec, struct hr_avro_node *node,
                           const uint8_t *p) {
    int64_t v = 0;
    size_t len = 0;
    if (node->n_branches > 0 || node->kind == HR_AVRO_UNION) {
        int64_t limit = node->kind == HR_AVRO_UNION ? (int64_t)node->fixed : node->n_branches;
        p = number(dec, p, &v);
        if (p == NULL || v < 0 || v >= limit) {
            return p == NULL ? NULL : bad(dec, HR_E_CORRUPT, "a branch a union does not have");
        }
        if (node->kind == HR_AVRO_UNION) {
            int32_t pick = node->members[v];
            return pick < 0 ? p : skip(dec, &node->children[pick], p);
        }
        if (v == node->null_branch) {
            return p;
        }
    }
    switch ((enum hr_avro_kind)node->kind) {
    case HR_AVRO_NULL: return p;
    case HR_AVRO_BOOL: return skip_bytes(dec, p, 1);
    case HR_AVRO_FLOAT:
    case HR_AVRO_HALF: return skip_bytes(dec, p, 4);
    case HR_AVRO_DOUBLE: return skip_bytes(dec, p, 8);
    case HR_AVRO_FIXED:
    case HR_AVRO_DEC_FIXED: return skip_bytes(dec, p, node->fixed);
    case HR_AVRO_BYTES:
    case HR_AVRO_DEC_BYTES: p = byte_length(dec, p, &len); return p != NULL ? p + len : NULL;
    case HR_AVRO_RECORD:
        for (int32_t i = 0; i < node->n_children && p != NULL; i++) {
            p = skip(dec, &node->children[i], p);
        }
        return p;
    case HR_AVRO_ARRAY:
    case HR_AVRO_MAP:
    case HR_AVRO_PAIRS: return skip_list(dec, node, p);
    default: return skip_number(dec, p);
    }
}

/* ---- rows ---- */

static void bind_node(struct hr_avro_node *node, struct hr_vec *vec);

/* Members nobody wants have no vec. */
static void bind_members(struct hr_avro_node *node, struct hr_vec *vec) {
    int k = 0;
    for (int32_t i = 0; i < node->n_children; i++) {
        if (!node->children[i].skipped) {
            bind_node(&node->children[i], &vec->children[k++]);
        }
    }
}

static void bind_node(struct hr_avro_node *node, struct hr_vec *vec) {
    node->vec = vec;
    switch ((enum hr_avro_kind)node->kind) {
    case HR_AVRO_RECORD: bind_members(node, vec); break;
    case HR_AVRO_UNION:
        for (int32_t i = 0; i < node->n_children; i++) {
            bind_node(&node->children[i], &vec->children[i]);
        }
        break;
    case HR_AVRO_ARRAY:
    case HR_AVRO_PAIRS: bind_node(&node->children[0], &vec->children[0]); break;
    case HR_AVRO_MAP: bind_node(&node->children[0], &vec->children[0].children[1]); break;
    default: break;
    }
}

void hr_avro_bind(struct hr_avro_node *root, struct hr_batch *batch, const int *columns) {
    for (int32_t i = 0; i < root->n_children; i++) {
        if (columns[i] >= 0) {
            bind_node(&root->children[i], &batch->vecs[columns[i]]);
        }
    }
}

int hr_avro_reserve(struct hr_avro_node *root, size_t rows, struct hr_error *err) {
    int rc = 0;
    for (int32_t i = 0; rc == 0 && i < root->n_children; i++) {
        rc = reserve_node(&root->children[i], rows, err);
    }
    return rc;
}

int hr_avro_decode_rows(struct hr_avro_decoder *dec, struct hr_avro_node *root, int64_t rows,
                        size_t bytes_max, int64_t *done, struct hr_error *err) {
    const uint8_t *p = dec->at;
    int64_t row = 0;
    dec->err = err;
    dec->rc = 0;
    while (row < rows && dec->bytes < bytes_max) {
        for (int32_t i = 0; i < root->n_children; i++) {
            struct hr_avro_node *node = &root->children[i];
            p = node->vec != NULL ? value(dec, node, p) : skip(dec, node, p);
            if (hr_unlikely(p == NULL)) {
                dec->column = i;
                *done = row;
                return dec->rc;
            }
        }
        row++;
    }
    dec->at = p;
    *done = row;
    return 0;
}

int hr_avro_skip_rows(struct hr_avro_decoder *dec, struct hr_avro_node *root, int64_t rows,
                      struct hr_error *err) {
    const uint8_t *p = dec->at;
    dec->err = err;
    dec->rc = 0;
    for (int64_t row = 0; row < rows && p != NULL; row++) {
        p = skip(dec, root, p);
    }
    dec->at = p;
    return p == NULL ? dec->rc : 0;
}

/* ---- the end of a batch ---- */

/* All values are UTF-8 when their concatenation is and none starts inside a sequence. */
static int64_t first_bad_text(const struct hr_vec *vec) {
    bool whole = hr_utf8_valid(vec->data, vec->data_len);
    for (int64_t i = 0; i < vec->len; i++) {
        size_t from = (size_t)vec->offsets[i];
        size_t len = (size_t)vec->offsets[i + 1] - from;
        if (len > 0 &&
            (whole ? (vec->data[from] & 0xc0) == 0x80 : !hr_utf8_valid(vec->data + from, len))) {
            return i;
        }
    }
    return -1;
}

static int check_text(const struct hr_vec *vec, int64_t *row, struct hr_error *err) {
    if (vec->data_len == 0) {
        return 0;
    }
    *row = first_bad_text(vec);
    if (*row < 0) {
        return 0;
    }
    char shown[200];
    hr_printable(hr_vec_slice(vec, *row), 80, shown, sizeof(shown));
    return hr_fail(err, HR_E_CORRUPT, "the text '%s' is not valid UTF-8", shown);
}

static int finish_node(const struct hr_avro_node *node, int64_t *row, struct hr_error *err) {
    struct hr_vec *vec = node->vec;
    if (vec == NULL) {
        return 0;
    }
    if (node->bits && vec->nulls == 0) {
        hr_big_free(vec->validity);
        vec->validity = NULL;
        vec->validity_cap = 0;
    }
    int rc = 0;
    *row = -1;
    if (node->kind == HR_AVRO_BYTES && vec->field->type.id == HR_T_UTF8) {
        return check_text(vec, row, err);
    }
    if (node->kind == HR_AVRO_MAP) {
        rc = check_text(&vec->children[0].children[0], row, err);
    }
    for (int32_t i = 0; rc == 0 && i < node->n_children; i++) {
        rc = finish_node(&node->children[i], row, err);
    }
    if (rc != 0) {
        *row = -1; /* of a nested value, which says little */
    }
    return rc;
}

int hr_avro_finish_batch(struct hr_avro_node *root, int *column, int64_t *row,
                         struct hr_error *err) {
    for (int32_t i = 0; i < root->n_children; i++) {
        int rc = finish_node(&root->children[i], row, err);
        if (rc != 0) {
            *column = i;
            return rc;
        }
    }
    return 0;
}
