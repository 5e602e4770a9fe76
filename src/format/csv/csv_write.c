/* format/csv/csv_write.c - batches to CSV or TSV text, RFC 4180 with LF line ends.
 *
 * The encoder renders rows into a raw block and cuts it behind the first row that fills it, so cuts
 * depend on the rows alone; each block is one member of the codec (gzip, zstd …), so blocks made by
 * different tasks can follow one another. The file writer puts the header in front of the first.
 *
 * Null is nothing, the empty text is "". A text is quoted when it holds a delimiter, a quote, CR or
 * LF, or reads like a null word. In a table of one column a null of a type that has no empty value
 * is "" too, because many readers pass over empty lines. Output is UTF-8 whatever csv_encoding
 * says.
 */
#include "base/num.h"
#include "base/time.h"
#include "format/csv/csv_internal.h"

#if HR_X86
#include <emmintrin.h>
#endif

#define BLOCK_BYTES ((size_t)8 << 20)
#define VALUE_ROOM 64 /* the longest number or date */
#define FIRST_BLOCK ((size_t)64 << 10)
#define QUOTES 18 /* two quotes, or what copy_plain writes too far */
#define SPECIALS 5

struct csv_writer {
    struct csv_dialect dialect;
    struct hr_csv_opts defaults; /* when the caller gives none */
    const struct hr_codec *codec;
    int level;
    bool always;
    uint8_t special[SPECIALS]; /* bytes that call for quotes; the first one again and again where
                                  they are fewer */
    unsigned n_special;
    bool special_byte[256];
    bool odd_numbers; /* some number or date may need quotes */
    bool odd_texts;   /* some text may need quotes for other reasons than its bytes */
    struct hr_schema *schema;
};

/* How a column is written, found once for each batch. */
enum put_as { AS_OTHER, AS_NUMBER, AS_I64, AS_F64, AS_DATE, AS_TEXT, AS_PLAIN_TEXT };

struct csv_encoder {
    struct hr_encoder base;
    struct csv_writer w;
    enum put_as *how; /* one for each column */
    size_t row_room;  /* what a row of anything but text takes at most */
    uint8_t *raw;     /* the block being filled */
    size_t len, cap, target;
    size_t hint; /* bytes to begin the next one with */
    int64_t rows;
    struct hr_buf scratch;
    struct hr_block *ready; /* [next, count) are finished */
    size_t next, count, ready_cap;
};

/* ---- what both have ---- */

static void add_special(struct csv_writer *w, int byte) {
    if (byte >= 0 && !w->special_byte[byte]) {
        w->special_byte[byte] = true;
        w->special[w->n_special++] = (uint8_t)byte;
    }
}

/* Numbers and dates, a few bytes long. */
static bool has_special(const struct csv_writer *w, const uint8_t *p, size_t len) {
    bool found = false;
    for (size_t i = 0; i < len; i++) {
        found |= w->special_byte[p[i]];
    }
    return found;
}

static int writer_init(struct csv_writer *w, struct hr_schema *schema,
                       const struct hr_write_opts *opts, const char *delimiter,
                       struct hr_error *err) {
    const struct hr_csv_opts *csv = opts->csv;
    if (csv == NULL) {
        w->defaults = (struct hr_csv_opts){.header = true, .double_quote = true};
        csv = &w->defaults;
    }
    const int rc = hr_csv_dialect_init(&w->dialect, csv, delimiter, err);
    if (rc != 0) {
        return rc;
    }
    const struct csv_dialect *d = &w->dialect;
    if (d->quote >= 0 && !d->double_quote && d->escape < 0) {
        hr_fail(err, HR_E_CONFIG, "could not write CSV without csv_double_quote and csv_escape");
        hr_error_hint(err, "set csv_escape, so that quotes inside fields can be written");
        return HR_E_CONFIG;
    }
    add_special(w, d->delim[0]);
    add_special(w, '\n');
    add_special(w, '\r');
    add_special(w, d->quote);
    add_special(w, d->escape);
    for (unsigned i = w->n_special; i < SPECIALS; i++) {
        w->special[i] = w->special[0];
    }
    static const char in_numbers[] = "0123456789+-.aefinT:Z ";
    w->odd_numbers = has_special(w, (const uint8_t *)in_numbers, sizeof(in_numbers) - 1) ||
                     d->comment >= 0 || csv->null_values.count > 0;
    w->odd_texts = d->comment >= 0 || csv->null_values.count > 0 || d->trim;
    const bool members = opts->codec != NULL && (opts->codec->flags & HR_CODEC_CONCAT) != 0;
    w->codec = members ? opts->codec : NULL; /* others pack the file as a whole */
    w->level = opts->codec_level;
    w->always = csv->always_quote && d->quote >= 0;
    w->schema = hr_schema_ref(schema);
    return 0;
}

/* Which of the 16 bytes at p are special, a bit for each. */
#if HR_X86
static inline unsigned special_bits(const struct csv_writer *w, const uint8_t *p) {
    const __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
    __m128i hit = _mm_cmpeq_epi8(v, _mm_set1_epi8((char)w->special[0]));
    for (unsigned s = 1; s < SPECIALS; s++) {
        hit = _mm_or_si128(hit, _mm_cmpeq_epi8(v, _mm_set1_epi8((char)w->special[s])));
    }
    return (unsigned)_mm_movemask_epi8(hit);
}
#else
static inline unsigned special_bits(const struct csv_writer *w, const uint8_t *p) {
    unsigned bits = 0;
    for (unsigned i = 0; i < 16; i++) {
        bits |= (unsigned)w->special_byte[p[i]] << i;
    }
    return bits;
}
#endif

/* Copy the text until a special byte shows up: true when there is none. Reads and writes up to 15
 * bytes behind it. */
static bool copy_plain(const struct csv_writer *w, const uint8_t *p, size_t len, uint8_t *out) {
    for (size_t i = 0; i < len; i += 16) {
        unsigned hit = special_bits(w, p + i);
        memcpy(out + i, p + i, 16);
        if (len - i < 16) {
            hit &= (1u << (len - i)) - 1;
        }
        if (hit != 0) {
            return false;
        }
    }
    return true;
}

static bool is_blank(uint8_t c) {
    return c == ' ' || c == '\t';
}

/* Quotes for other reasons than its bytes. */
static bool reads_otherwise(const struct csv_writer *w, const uint8_t *p, size_t len, bool first) {
    const struct csv_dialect *d = &w->dialect;
    return len == 0 || (d->opts->null_values.count > 0 && hr_csv_is_null(d, p, len)) ||
           (first && p[0] == d->comment) || (d->trim && (is_blank(p[0]) || is_blank(p[len - 1])));
}

/* p with quotes around, or with escapes where there are none; out has 2 * len + 2 bytes. */
static uint8_t *put_quoted(const struct csv_writer *w, const uint8_t *p, size_t len, uint8_t *out) {
    const struct csv_dialect *d = &w->dialect;
    if (d->quote >= 0) {
        *out++ = (uint8_t)d->quote;
    }
    if (d->quote >= 0 && d->escape < 0 && memchr(p, d->quote, len) == NULL) {
        memcpy(out, p, len); /* mostly it was the delimiter */
        out[len] = (uint8_t)d->quote;
        return out + len + 1;
    }
    for (size_t i = 0; i < len; i++) {
        if (p[i] == d->escape || (d->quote < 0 && w->special_byte[p[i]])) {
            *out++ = (uint8_t)d->escape;
        } else if (p[i] == d->quote) {
            *out++ = (uint8_t)(d->double_quote ? d->quote : d->escape);
        }
        *out++ = p[i];
    }
    if (d->quote >= 0) {
        *out++ = (uint8_t)d->quote;
    }
    return out;
}

static int cannot_quote(const struct hr_vec *vec, const uint8_t *p, size_t len,
                        struct hr_error *err) {
    char shown[100];
    hr_fail(err, HR_E_FORMAT, "could not write \"%s\" as CSV without quotes",
            hr_printable(hr_slice_of(p, len), 80, shown, sizeof(shown)));
    hr_error_hint(err, "set csv_quote or csv_escape, or another csv_delimiter");
    hr_error_place(err, -1, -1, vec != NULL ? vec->field->name : NULL);
    return HR_E_FORMAT;
}

/* One text (with 15 readable bytes behind it) at *out, which has 2 * len + QUOTES bytes. */
static int put_text(const struct csv_writer *w, const struct hr_vec *vec, const uint8_t *p,
                    size_t len, bool first, uint8_t **out, struct hr_error *err) {
    const struct csv_dialect *d = &w->dialect;
    const bool special = !copy_plain(w, p, len, *out);
    if (!special && !w->always && !reads_otherwise(w, p, len, first)) {
        *out += len;
        return 0;
    }
    if (d->quote < 0 && special && d->escape < 0) {
        return cannot_quote(vec, p, len, err);
    }
    *out = put_quoted(w, p, len, *out);
    return 0;
}

/* ---- rows ---- */

static int grow(struct csv_encoder *e, size_t extra, struct hr_error *err) {
    const size_t begin = e->hint > FIRST_BLOCK ? e->hint : FIRST_BLOCK;
    size_t want = e->cap ? e->cap * 2 : begin;
    if (want < e->len + extra) {
        want = e->len + extra;
    }
    size_t got;
    uint8_t *grown = hr_big_grow(e->raw, e->len, want, &got);
    if (grown == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate %zu bytes of CSV", want);
    }
    e->raw = grown;
    e->cap = got;
    return 0;
}

/* Room for a text and for all in its row that is none. */
static inline int reserve(struct csv_encoder *e, size_t text, struct hr_error *err) {
    const size_t extra = text + e->row_room;
    return hr_likely(e->cap - e->len >= extra) ? 0 : grow(e, extra, err);
}

static int put_bytes(struct csv_encoder *e, const struct hr_vec *vec, struct hr_slice text,
                     bool first, struct hr_error *err) {
    int rc = reserve(e, text.len * 2 + QUOTES, err);
    if (rc == 0) {
        uint8_t *out = e->raw + e->len;
        rc = put_text(&e->w, vec, text.ptr, text.len, first, &out, err);
        e->len = (size_t)(out - e->raw);
    }
    return rc;
}

/* Types without a fast form: as hr_vec_text shows them. */
static int put_other(struct csv_encoder *e, const struct hr_vec *vec, int64_t row, bool first,
                     struct hr_error *err) {
    hr_buf_clear(&e->scratch);
    int rc = hr_vec_text(vec, row, &e->scratch, err);
    const size_t len = e->scratch.len;
    if (rc == 0) {
        rc = hr_buf_reserve(&e->scratch, 16, err); /* copy_plain reads behind the end */
    }
    if (rc == 0) {
        memset(e->scratch.ptr + len, 0, 16);
        rc = put_bytes(e, vec, hr_slice_of(e->scratch.ptr, len), first, err);
    }
    return rc;
}

/* The text has no special byte. */
static int put_plain(struct csv_encoder *e, const uint8_t *p, size_t len, struct hr_error *err) {
    const int rc = reserve(e, len + HR_PAD, err);
    if (rc != 0) {
        return rc;
    }
    uint8_t *out = e->raw + e->len;
    if (hr_likely(len <= HR_PAD)) { /* no call, and no guess at a length that changes */
        memcpy(out, p, HR_PAD);
    } else {
        memcpy(out, p, len);
    }
    e->len += len;
    return 0;
}

static int put_null(struct csv_encoder *e, const struct hr_vec *vec, bool first,
                    struct hr_error *err) {
    const uint8_t id = vec->field->type.id;
    const bool alone = e->w.schema->n_fields == 1 && id != HR_T_UTF8 && id != HR_T_BINARY &&
                       e->w.dialect.quote >= 0;
    return alone ? put_bytes(e, vec, hr_slice_of("", 0), first, err) : 0;
}

static inline int put_value(struct csv_encoder *e, const struct hr_vec *vec, enum put_as how,
                            int64_t row, bool first, struct hr_error *err) {
    if (vec->field->type.id == HR_T_NULL || !hr_vec_valid(vec, row)) {
        return put_null(e, vec, first, err);
    }
    char *out = (char *)e->raw + e->len;
    size_t n = 0;
    switch (how) {
    case AS_PLAIN_TEXT: {
        const struct hr_slice text = hr_vec_slice(vec, row);
        return text.len > 0 ? put_plain(e, text.ptr, text.len, err)
                            : put_bytes(e, vec, text, first, err);
    }
    case AS_TEXT: return put_bytes(e, vec, hr_vec_slice(vec, row), first, err);
    case AS_I64: n = hr_format_i64(((const int64_t *)(const void *)vec->data)[row], out); break;
    case AS_F64:
        n = hr_format_double(((const double *)(const void *)vec->data)[row], true, out);
        break;
    case AS_DATE: n = hr_format_date(((const int32_t *)(const void *)vec->data)[row], out); break;
    case AS_NUMBER: n = hr_format_i64(hr_vec_i64(vec, row), out); break;
    case AS_OTHER:
    default: return put_other(e, vec, row, first, err);
    }
    const uint8_t *text = (const uint8_t *)out;
    if (e->w.odd_numbers &&
        (has_special(&e->w, text, n) || reads_otherwise(&e->w, text, n, first))) {
        return put_other(e, vec, row, first, err);
    }
    e->len += n;
    return 0;
}

static int put_row(struct csv_encoder *e, const struct hr_batch *batch, int64_t row,
                   struct hr_error *err) {
    const struct csv_dialect *d = &e->w.dialect;
    const int n = batch->schema->n_fields;
    int rc = reserve(e, 0, err);
    for (int c = 0; rc == 0 && c < n; c++) {
        if (c > 0) {
            memcpy(e->raw + e->len, d->delim, CSV_DELIM_MAX);
            e->len += d->delim_len;
        }
        rc = put_value(e, &batch->vecs[c], e->how[c], row, c == 0, err);
    }
    if (rc == 0) {
        e->raw[e->len++] = '\n';
    }
    return rc;
}

/* No text of the column's has a special byte in it. */
static bool all_plain(const struct csv_writer *w, const struct hr_vec *vec, int64_t rows) {
    if (w->always || w->odd_texts || rows == 0) {
        return false;
    }
    const size_t len = (size_t)(vec->offsets[rows] - vec->offsets[0]);
    const uint8_t *p = len > 0 ? vec->data + vec->offsets[0] : NULL;
    for (size_t i = 0; i < len; i += 16) {
        unsigned hit = special_bits(w, p + i);
        if (len - i < 16) {
            hit &= (1u << (len - i)) - 1;
        }
        if (hit != 0) {
            return false;
        }
    }
    return true;
}

static enum put_as how_to_put(const struct csv_writer *w, const struct hr_vec *vec, int64_t rows) {
    if (vec->field->type.id == HR_T_UTF8) {
        return all_plain(w, vec, rows) ? AS_PLAIN_TEXT : AS_TEXT;
    }
    if (w->always) {
        return AS_OTHER;
    }
    switch ((enum hr_type_id)vec->field->type.id) {
    case HR_T_I8:
    case HR_T_I16:
    case HR_T_I32:
    case HR_T_U8:
    case HR_T_U16:
    case HR_T_U32: return AS_NUMBER;
    case HR_T_I64: return AS_I64;
    case HR_T_F64: return AS_F64;
    case HR_T_DATE32: return AS_DATE;
    default: return AS_OTHER;
    }
}

/* ---- blocks ---- */

/* The codec's one member of `in`, in a buffer of its own. */
static int compress(const struct csv_writer *w, struct hr_slice in, struct hr_block *out,
                    struct hr_error *err) {
    struct hr_buf buf;
    hr_buf_init(&buf, (size_t)4 << 30);
    int rc =
        hr_codec_encode(w->codec, w->level ? w->level : w->codec->level_default, in, &buf, err);
    if (rc == 0) {
        out->data = hr_big_alloc(buf.len, NULL);
        rc = out->data != NULL ? 0 : hr_fail(err, HR_E_NOMEM, "could not allocate a block of CSV");
    }
    if (rc == 0) {
        memcpy(out->data, buf.ptr, buf.len);
        out->len = buf.len;
    }
    hr_buf_release(&buf);
    return rc;
}

static int cut_block(struct csv_encoder *e, struct hr_error *err) {
    if (e->rows == 0) {
        return 0;
    }
    if (e->count == e->ready_cap) {
        const size_t cap = e->ready_cap ? e->ready_cap * 2 : 8;
        struct hr_block *grown = hr_reallocarray(e->ready, cap, sizeof(*grown));
        if (grown == NULL) {
            return hr_fail(err, HR_E_NOMEM, "could not allocate room for blocks of CSV");
        }
        e->ready = grown;
        e->ready_cap = cap;
    }
    struct hr_block block = {.rows = e->rows};
    if (e->w.codec != NULL) {
        const int rc = compress(&e->w, hr_slice_of(e->raw, e->len), &block, err);
        if (rc != 0) {
            return rc;
        }
    } else {
        block.data = e->raw;
        block.len = e->len;
        e->hint = e->len + e->len / 16; /* the next one will be like it: no growing in steps */
        e->raw = NULL;
        e->cap = 0;
    }
    e->len = 0;
    e->rows = 0;
    e->ready[e->count++] = block;
    return 0;
}

static int encoder_put(struct hr_encoder *enc, const struct hr_batch *batch, struct hr_error *err) {
    struct csv_encoder *e = (struct csv_encoder *)enc;
    int rc = 0;
    for (int c = 0; c < batch->schema->n_fields; c++) {
        e->how[c] = how_to_put(&e->w, &batch->vecs[c], batch->len);
    }
    for (int64_t r = 0; rc == 0 && r < batch->len; r++) {
        rc = put_row(e, batch, r, err);
        e->rows++;
        if (rc == 0 && e->len >= e->target) {
            rc = cut_block(e, err);
        }
    }
    return rc;
}

static int encoder_finish(struct hr_encoder *enc, struct hr_error *err) {
    return cut_block((struct csv_encoder *)enc, err);
}

static int encoder_pop(struct hr_encoder *enc, struct hr_block *out, struct hr_error *err) {
    struct csv_encoder *e = (struct csv_encoder *)enc;
    (void)err;
    if (e->next == e->count) {
        e->next = e->count = 0;
        return HR_END;
    }
    *out = e->ready[e->next++];
    return 0;
}

static void encoder_reset(struct hr_encoder *enc) {
    struct csv_encoder *e = (struct csv_encoder *)enc;
    while (e->next < e->count) {
        hr_block_release(&e->ready[e->next++]);
    }
    e->next = e->count = 0;
    e->len = 0;
    e->rows = 0;
}

static void encoder_close(struct hr_encoder *enc) {
    struct csv_encoder *e = (struct csv_encoder *)enc;
    encoder_reset(enc);
    hr_big_free(e->raw);
    hr_buf_release(&e->scratch);
    hr_free(e->ready);
    hr_free(e->how);
    hr_schema_unref(e->w.schema);
    hr_free(e);
}

static const struct hr_encoder_ops ENCODER = {.put = encoder_put,
                                              .finish = encoder_finish,
                                              .pop = encoder_pop,
                                              .reset = encoder_reset,
                                              .close = encoder_close};

int hr_csv_encoder(struct hr_schema *schema, const struct hr_write_opts *opts,
                   const char *delimiter, struct hr_encoder **out, struct hr_error *err) {
    struct csv_encoder *e = hr_calloc(1, sizeof(*e));
    *out = NULL;
    if (e == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate a CSV encoder");
    }
    e->base.ops = &ENCODER;
    e->target = opts->row_group_bytes > 0 && opts->row_group_bytes < BLOCK_BYTES
                    ? (size_t)opts->row_group_bytes
                    : BLOCK_BYTES;
    const size_t n = (size_t)schema->n_fields;
    e->row_room = n * (VALUE_ROOM + CSV_DELIM_MAX) + CSV_DELIM_MAX + 1;
    e->how = hr_calloc(n + 1, sizeof(*e->how));
    int rc = e->how != NULL ? 0 : hr_fail(err, HR_E_NOMEM, "could not allocate a CSV encoder");
    rc = rc == 0 ? writer_init(&e->w, schema, opts, delimiter, err) : rc;
    if (rc != 0) {
        encoder_close(&e->base);
        return rc;
    }
    *out = &e->base;
    return 0;
}

/* ---- files ---- */

struct csv_file {
    struct hr_file_writer base;
    struct csv_writer w;
    struct hr_out *dst;
    struct hr_out *packed; /* dst for a codec that makes one stream of the file, NULL otherwise */
    bool begun;
};

static int header_text(const struct csv_writer *w, struct hr_buf *out, struct hr_error *err) {
    const struct csv_dialect *d = &w->dialect;
    int rc = 0;
    for (int i = 0; rc == 0 && d->header && i < w->schema->n_fields; i++) {
        const char *name = w->schema->fields[i].name;
        const size_t len = strlen(name);
        struct hr_buf padded;
        hr_buf_init(&padded, 0);
        rc = hr_buf_append(&padded, name, len, err);
        rc = rc == 0 ? hr_buf_append(&padded, (const char[16]){0}, 16, err) : rc;
        rc = rc == 0 ? hr_buf_reserve(out, len * 2 + CSV_DELIM_MAX + 1 + QUOTES, err) : rc;
        if (rc == 0) {
            uint8_t *p = out->ptr + out->len;
            memcpy(p, d->delim, i > 0 ? d->delim_len : 0);
            p += i > 0 ? d->delim_len : 0;
            rc = put_text(w, NULL, padded.ptr, len, i == 0, &p, err);
            out->len = (size_t)(p - out->ptr);
        }
        hr_buf_release(&padded);
    }
    return rc == 0 && d->header ? hr_buf_append_byte(out, '\n', err) : rc;
}

/* The header, as a member of its own. Nothing to say still makes a member: no codec takes an empty
 * file. */
static int begin_file(struct csv_file *f, bool empty, struct hr_error *err) {
    struct hr_buf text;
    struct hr_block block = {0};
    if (f->begun) {
        return 0;
    }
    f->begun = true;
    hr_buf_init(&text, 0);
    int rc = header_text(&f->w, &text, err);
    if (rc == 0 && f->w.codec != NULL && (text.len > 0 || empty)) {
        rc = compress(&f->w, hr_buf_slice(&text), &block, err);
        rc = rc == 0 ? hr_out_write(f->dst, block.data, block.len, err) : rc;
    } else if (rc == 0 && text.len > 0) {
        rc = hr_out_write(f->dst, text.ptr, text.len, err);
    }
    hr_block_release(&block);
    hr_buf_release(&text);
    return rc;
}

static int file_add(struct hr_file_writer *fw, const struct hr_block *block, struct hr_error *err) {
    struct csv_file *f = (struct csv_file *)fw;
    const int rc = begin_file(f, false, err);
    return rc == 0 && block->len > 0 ? hr_out_write(f->dst, block->data, block->len, err) : rc;
}

static int file_finish(struct hr_file_writer *fw, struct hr_error *err) {
    struct csv_file *f = (struct csv_file *)fw;
    const int rc = begin_file(f, true, err);
    return rc == 0 && f->packed != NULL ? hr_codec_out_finish(f->packed, err) : rc;
}

static size_t file_pending(const struct hr_file_writer *fw) {
    (void)fw;
    return 0;
}

static void file_close(struct hr_file_writer *fw) {
    struct csv_file *f = (struct csv_file *)fw;
    hr_out_close(f->packed);
    hr_schema_unref(f->w.schema);
    hr_free(f);
}

static const struct hr_file_writer_ops FILE_OPS = {
    .add = file_add, .finish = file_finish, .pending = file_pending, .close = file_close};

int hr_csv_file_writer(struct hr_schema *schema, const struct hr_write_opts *opts,
                       const char *delimiter, struct hr_out *dst, struct hr_file_writer **out,
                       struct hr_error *err) {
    struct csv_file *f = hr_calloc(1, sizeof(*f));
    *out = NULL;
    if (f == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate a CSV file writer");
    }
    f->base.ops = &FILE_OPS;
    f->dst = dst;
    int rc = writer_init(&f->w, schema, opts, delimiter, err);
    if (rc != 0) {
        hr_free(f);
        return rc;
    }
    if (opts->codec != NULL && f->w.codec == NULL) {
        rc = hr_codec_out(opts->codec, opts->codec_level, dst, &f->packed, err);
        f->dst = f->packed;
    }
    if (rc != 0) {
        file_close(&f->base);
        return rc;
    }
    *out = &f->base;
    return 0;
}
