/* format/avro/avro_encode.c - batches to Avro blocks, and blocks to a container file.
 *
 * The encoder writes rows into Avro blocks of about 256 KiB, packed one by one and followed by the
 * sync marker, and hands them on in runs of about 8 MiB that can stand anywhere in a file. Marker
 * and schema depend on the columns and the codec alone, so blocks of any worker fit any file of
 * them, and the same rows give the same bytes. The file writer puts the header before the first
 * run. */
#include "base/cpu.h"
#include "base/hash.h"
#include "base/num.h"
#include "format/avro/avro_internal.h"

enum {
    BLOCK_BYTES = 256 << 10,
    RUN_BYTES = 8 << 20,
    NUMBER_ROOM = 10,
    SHORT = 32,
    SYNC_SEED = 0x41766f
};

/* ---- what encoder and file writer agree on ---- */

struct shape {
    struct hr_buf text; /* the schema */
    const char *codec_name;
    const struct hr_codec *codec; /* NULL: null */
    bool snappy;
    uint8_t sync[HR_AVRO_SYNC];
};

static int shape_codec(struct shape *shape, const struct hr_codec *codec, struct hr_error *err) {
    static const struct {
        const char *given, *packs, *avro;
    } codecs[] = {{"deflate-raw", "deflate-raw", "deflate"},
                  {"zlib", "deflate-raw", "deflate"},
                  {"gzip", "deflate-raw", "deflate"},
                  {"snappy", "snappy-raw", "snappy"},
                  {"snappy-raw", "snappy-raw", "snappy"},
                  {"zstd", "zstd", "zstandard"},
                  {"bzip2", "bzip2", "bzip2"}};
    shape->codec_name = "null";
    if (codec == NULL) {
        return 0;
    }
    for (size_t i = 0; i < HR_COUNTOF(codecs); i++) {
        if (strcmp(codecs[i].given, codec->name) == 0) {
            shape->codec_name = codecs[i].avro;
            shape->codec = hr_codec_by_name(codecs[i].packs, strlen(codecs[i].packs));
            shape->snappy = strcmp(codecs[i].avro, "snappy") == 0;
            return 0;
        }
    }
    hr_fail(err, HR_E_UNSUPPORTED,
            "could not write Avro packed by '%s': the format does not know it", codec->name);
    hr_error_hint(err, "codecs of Avro files: none, deflate, snappy, zstd, bzip2");
    return HR_E_UNSUPPORTED;
}

static int shape_init(struct shape *shape, const struct hr_schema *schema,
                      const struct hr_write_opts *opts, struct hr_error *err) {
    *shape = (struct shape){.codec = NULL};
    hr_buf_init(&shape->text, (size_t)64 << 20);
    int rc = shape_codec(shape, opts->codec, err);
    if (rc == 0) {
        rc = hr_avro_schema_text(schema, &shape->text, err);
    }
    if (rc != 0) {
        return rc;
    }
    uint64_t seed = hr_hash64(shape->codec_name, strlen(shape->codec_name), SYNC_SEED);
    struct hr_hash128 mark = hr_hash128(shape->text.ptr, shape->text.len, seed);
    memcpy(shape->sync, &mark.lo, 8);
    memcpy(shape->sync + 8, &mark.hi, 8);
    return 0;
}

static void shape_release(struct shape *shape) {
    hr_buf_release(&shape->text);
}

/* ---- a growing run of bytes ---- */

struct bytes {
    uint8_t *ptr; /* hr_big_alloc */
    size_t len, cap;
};

static int bytes_grow(struct bytes *b, size_t extra, struct hr_error *err) {
    size_t want = b->len + extra > 2 * b->cap ? b->len + extra : 2 * b->cap;
    size_t cap = 0;
    uint8_t *grown = hr_big_grow(b->ptr, b->len, want, &cap);
    if (grown == NULL) {
        return hr_fail(err, HR_E_NOMEM, "out of memory for %zu bytes of an Avro block", want);
    }
    b->ptr = grown;
    b->cap = cap;
    return 0;
}

static inline int bytes_room(struct bytes *b, size_t extra, struct hr_error *err) {
    return hr_likely(b->cap - b->len >= extra) ? 0 : bytes_grow(b, extra, err);
}

/* Room for NUMBER_ROOM bytes must be there. Up to eight bytes are spread into their 7-bit groups at
 * once: how many a value takes is hard to foresee, so nothing branches on it. */
static inline void put_long(struct bytes *b, int64_t v) {
    uint64_t z = ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
    uint8_t *p = b->ptr + b->len;
    if (hr_likely(z >> 56 == 0)) {
        unsigned more = (63u - (unsigned)__builtin_clzll(z | 1)) / 7; /* bytes but the last */
        uint64_t w = (z & 0x0fffffffULL) | ((z & 0x00fffffff0000000ULL) << 4);
        w = (w & 0x00003fff00003fffULL) | ((w & 0x0fffc0000fffc000ULL) << 2);
        w = (w & 0x007f007f007f007fULL) | ((w & 0x3f803f803f803f80ULL) << 1);
        w |= 0x8080808080808080ULL & ((1ULL << (8 * more)) - 1);
        memcpy(p, &w, sizeof(w));
        b->len += more + 1;
        return;
    }
    while (z >= 0x80) {
        *p++ = (uint8_t)(z | 0x80);
        z >>= 7;
    }
    *p++ = (uint8_t)z;
    b->len = (size_t)(p - b->ptr);
}

static inline void put_raw(struct bytes *b, const void *ptr, size_t len) {
    if (len > 0) {
        memcpy(b->ptr + b->len, ptr, len);
        b->len += len;
    }
}

/* ---- values ---- */

struct avro_encoder {
    struct hr_encoder base;
    struct hr_schema *schema;
    struct shape shape;
    int level;
    int64_t run_rows_max;
    size_t run_bytes_max;
    struct bytes raw; /* rows of the Avro block being filled */
    int64_t raw_rows;
    struct bytes run; /* finished Avro blocks */
    int64_t run_rows;
    size_t run_raw; /* bytes before packing in the run */
    struct hr_block *ready;
    size_t n_ready, ready_cap, ready_at;
    int64_t row; /* of the batch, for messages */
};

static int value(struct avro_encoder *enc, const struct hr_vec *vec, int64_t i,
                 struct hr_error *err);

static int value_fail(struct avro_encoder *enc, const struct hr_vec *vec, int code,
                      struct hr_error *err, const char *why) {
    hr_fail(err, code, "could not write a value of column '%s' as Avro: %s", vec->field->name, why);
    hr_error_place(err, -1, enc->row + 1, vec->field->name);
    return code;
}

/* Little-endian two's complement of `width` bytes as the shortest big-endian one. */
static void put_decimal(struct bytes *b, const uint8_t *le, size_t width) {
    uint8_t sign = le[width - 1] & 0x80 ? 0xff : 0;
    size_t n = width;
    while (n > 1 && le[n - 1] == sign && ((le[n - 2] ^ sign) & 0x80) == 0) {
        n--;
    }
    put_long(b, (int64_t)n);
    for (size_t i = 0; i < n; i++) {
        b->ptr[b->len++] = le[n - 1 - i];
    }
}

static int put_text(struct avro_encoder *enc, struct hr_slice text, struct hr_error *err) {
    int rc = bytes_room(&enc->raw, text.len + NUMBER_ROOM, err);
    if (rc == 0) {
        put_long(&enc->raw, (int64_t)text.len);
        put_raw(&enc->raw, text.ptr, text.len);
    }
    return rc;
}

static int put_items(struct avro_encoder *enc, const struct hr_vec *vec, int64_t i,
                     struct hr_error *err) {
    const struct hr_vec *child = &vec->children[0];
    const int32_t from = vec->offsets[i];
    const int32_t end = vec->offsets[i + 1];
    const bool map = vec->field->type.id == HR_T_MAP;
    const bool text_keys = map && child->children[0].field->type.id == HR_T_UTF8;
    int rc = bytes_room(&enc->raw, NUMBER_ROOM, err);
    if (rc == 0 && end > from) {
        put_long(&enc->raw, end - from);
    }
    for (int32_t at = from; rc == 0 && at < end; at++) {
        if (text_keys) {
            rc = put_text(enc, hr_vec_slice(&child->children[0], at), err);
            rc = rc == 0 ? value(enc, &child->children[1], at, err) : rc;
        } else {
            rc = value(enc, child, at, err);
        }
    }
    rc = rc == 0 ? bytes_room(&enc->raw, NUMBER_ROOM, err) : rc;
    if (rc == 0) {
        put_long(&enc->raw, 0);
    }
    return rc;
}

static int put_float(struct avro_encoder *enc, const struct hr_vec *vec, int64_t i) {
    const struct hr_type type = vec->field->type;
    if (type.id == HR_T_F16) {
        float f = (float)hr_half_to_double((uint16_t)hr_vec_i64(vec, i));
        put_raw(&enc->raw, &f, sizeof(f));
    } else {
        size_t width = type.id == HR_T_F32 ? 4 : 8;
        put_raw(&enc->raw, vec->data + (size_t)i * width, width);
    }
    return 0;
}

/* Seconds are written as milliseconds, which Avro has a name for. */
static int put_time(struct avro_encoder *enc, const struct hr_vec *vec, int64_t i,
                    struct hr_error *err) {
    int64_t v = hr_vec_i64(vec, i);
    if (vec->field->type.unit == HR_U_S) {
        int64_t limit = vec->field->type.id == HR_T_TIME32 ? INT32_MAX : INT64_MAX;
        if (v > limit / 1000 || v < -(limit / 1000)) {
            return value_fail(enc, vec, HR_E_BOUND, err, "its milliseconds are out of range");
        }
        v *= 1000;
    }
    put_long(&enc->raw, v);
    return 0;
}

/* A value that is not null; room for a number is there. */
static int plain_value(struct avro_encoder *enc, const struct hr_vec *vec, int64_t i,
                       struct hr_error *err) {
    const struct hr_type type = vec->field->type;
    int rc = 0;
    switch ((enum hr_type_id)type.id) {
    case HR_T_NULL: return 0;
    case HR_T_BOOL: enc->raw.ptr[enc->raw.len++] = hr_bit_get(vec->data, i); return 0;
    case HR_T_I64: put_long(&enc->raw, ((const int64_t *)(const void *)vec->data)[i]); return 0;
    case HR_T_I32:
    case HR_T_DATE32: put_long(&enc->raw, ((const int32_t *)(const void *)vec->data)[i]); return 0;
    case HR_T_I8:
    case HR_T_I16:
    case HR_T_U8:
    case HR_T_U16:
    case HR_T_U32: put_long(&enc->raw, hr_vec_i64(vec, i)); return 0;
    case HR_T_TIME32:
    case HR_T_TIME64:
    case HR_T_TS: return put_time(enc, vec, i, err);
    case HR_T_F16:
    case HR_T_F32:
    case HR_T_F64: return put_float(enc, vec, i);
    case HR_T_UTF8:
    case HR_T_BINARY: return put_text(enc, hr_vec_slice(vec, i), err);
    case HR_T_U64: {
        uint8_t wide[16] = {0};
        memcpy(wide, vec->data + i * 8, 8);
        rc = bytes_room(&enc->raw, sizeof(wide) + NUMBER_ROOM, err);
        if (rc == 0) {
            put_decimal(&enc->raw, wide, sizeof(wide));
        }
        return rc;
    }
    case HR_T_DEC128:
    case HR_T_DEC256: {
        size_t width = type.id == HR_T_DEC128 ? 16 : 32;
        rc = bytes_room(&enc->raw, width + NUMBER_ROOM, err);
        if (rc == 0) {
            put_decimal(&enc->raw, vec->data + (size_t)i * width, width);
        }
        return rc;
    }
    case HR_T_FIXED:
        rc = bytes_room(&enc->raw, (size_t)type.width, err);
        if (rc == 0) {
            put_raw(&enc->raw, vec->data + (size_t)i * (size_t)type.width, (size_t)type.width);
        }
        return rc;
    case HR_T_LIST:
    case HR_T_MAP: return put_items(enc, vec, i, err);
    case HR_T_STRUCT:
        for (int c = 0; rc == 0 && c < vec->n_children; c++) {
            rc = value(enc, &vec->children[c], i, err);
        }
        return rc;
    default: return value_fail(enc, vec, HR_E_UNSUPPORTED, err, "it has no such type");
    }
}

static int value(struct avro_encoder *enc, const struct hr_vec *vec, int64_t i,
                 struct hr_error *err) {
    int rc = bytes_room(&enc->raw, 1 + NUMBER_ROOM, err);
    if (rc != 0) {
        return rc;
    }
    bool null = !hr_vec_valid(vec, i);
    if (vec->field->nullable && vec->field->type.id != HR_T_NULL) {
        enc->raw.ptr[enc->raw.len++] = null ? 0 : 2; /* branch 0 or 1, zigzag */
        if (null) {
            return 0;
        }
    } else if (hr_unlikely(null) && vec->field->type.id != HR_T_NULL) {
        return value_fail(enc, vec, HR_E_SCHEMA, err, "it is null and the column may not be");
    }
    return plain_value(enc, vec, i, err);
}

/* ---- blocks and runs ---- */

static int pack(struct avro_encoder *enc, struct bytes *out, struct hr_error *err) {
    const struct hr_codec *codec = enc->shape.codec;
    struct hr_slice raw = hr_slice_of(enc->raw.ptr, enc->raw.len);
    size_t bound = codec != NULL ? codec->bound(raw.len) + 4 : raw.len;
    struct bytes packed = {.ptr = NULL};
    int rc = bytes_room(&packed, bound + 1, err);
    if (rc == 0 && codec == NULL) {
        put_raw(&packed, raw.ptr, raw.len);
    } else if (rc == 0) {
        rc = codec->encode_block(raw, enc->level, packed.ptr, &packed.len, err);
    }
    if (rc == 0 && enc->shape.snappy) {
        uint32_t crc = hr_crc32(0, raw.ptr, raw.len);
        for (int shift = 24; shift >= 0; shift -= 8) {
            packed.ptr[packed.len++] = (uint8_t)(crc >> shift);
        }
    }
    if (rc == 0) {
        rc = bytes_room(out, packed.len + 2 * NUMBER_ROOM + HR_AVRO_SYNC, err);
    }
    if (rc == 0) {
        put_long(out, enc->raw_rows);
        put_long(out, (int64_t)packed.len);
        put_raw(out, packed.ptr, packed.len);
        put_raw(out, enc->shape.sync, HR_AVRO_SYNC);
    }
    hr_big_free(packed.ptr);
    return rc;
}

static int close_block(struct avro_encoder *enc, struct hr_error *err) {
    if (enc->raw_rows == 0) {
        return 0;
    }
    int rc = pack(enc, &enc->run, err);
    if (rc == 0) {
        enc->run_rows += enc->raw_rows;
        enc->run_raw += enc->raw.len;
        enc->raw.len = 0;
        enc->raw_rows = 0;
    }
    return rc;
}

static int close_run(struct avro_encoder *enc, struct hr_error *err) {
    int rc = close_block(enc, err);
    if (rc != 0 || enc->run_rows == 0) {
        return rc;
    }
    if (enc->n_ready == enc->ready_cap) {
        size_t cap = enc->ready_cap != 0 ? enc->ready_cap * 2 : 8;
        struct hr_block *grown = hr_reallocarray(enc->ready, cap, sizeof(*grown));
        if (grown == NULL) {
            return hr_fail(err, HR_E_NOMEM, "out of memory for a list of blocks");
        }
        enc->ready = grown;
        enc->ready_cap = cap;
    }
    enc->ready[enc->n_ready++] =
        (struct hr_block){.data = enc->run.ptr, .len = enc->run.len, .rows = enc->run_rows};
    enc->run = (struct bytes){.ptr = NULL};
    enc->run_rows = 0;
    enc->run_raw = 0;
    return 0;
}

static int avro_put(struct hr_encoder *base, const struct hr_batch *batch, struct hr_error *err) {
    struct avro_encoder *enc = (struct avro_encoder *)base;
    int rc = 0;
    for (int64_t row = 0; rc == 0 && row < batch->len; row++) {
        enc->row = row;
        for (int c = 0; rc == 0 && c < enc->schema->n_fields; c++) {
            rc = value(enc, &batch->vecs[c], row, err);
        }
        enc->raw_rows++;
        if (rc == 0 && enc->raw.len >= BLOCK_BYTES) {
            rc = close_block(enc, err);
        }
        /* Cuts depend on rows and their bytes alone, not on how batches carried them. */
        if (rc == 0 && (enc->run_rows + enc->raw_rows >= enc->run_rows_max ||
                        enc->run_raw >= enc->run_bytes_max)) {
            rc = close_run(enc, err);
        }
    }
    return rc;
}

static int avro_finish(struct hr_encoder *base, struct hr_error *err) {
    return close_run((struct avro_encoder *)base, err);
}

static int avro_pop(struct hr_encoder *base, struct hr_block *out, struct hr_error *err) {
    struct avro_encoder *enc = (struct avro_encoder *)base;
    (void)err;
    if (enc->ready_at == enc->n_ready) {
        enc->ready_at = 0;
        enc->n_ready = 0;
        return HR_END;
    }
    *out = enc->ready[enc->ready_at++];
    return 0;
}

static void avro_reset(struct hr_encoder *base) {
    struct avro_encoder *enc = (struct avro_encoder *)base;
    while (enc->ready_at < enc->n_ready) {
        hr_block_release(&enc->ready[enc->ready_at++]);
    }
    enc->ready_at = 0;
    enc->n_ready = 0;
    enc->raw.len = 0;
    enc->raw_rows = 0;
    enc->run.len = 0;
    enc->run_rows = 0;
    enc->run_raw = 0;
}

static void avro_close(struct hr_encoder *base) {
    struct avro_encoder *enc = (struct avro_encoder *)base;
    avro_reset(base);
    hr_big_free(enc->raw.ptr);
    hr_big_free(enc->run.ptr);
    hr_free(enc->ready);
    shape_release(&enc->shape);
    hr_schema_unref(enc->schema);
    hr_free(enc);
}

int hr_avro_encoder(struct hr_schema *schema, const struct hr_write_opts *opts,
                    struct hr_encoder **out, struct hr_error *err) {
    static const struct hr_encoder_ops ops = {.put = avro_put,
                                              .finish = avro_finish,
                                              .pop = avro_pop,
                                              .reset = avro_reset,
                                              .close = avro_close};
    struct avro_encoder *enc = hr_calloc(1, sizeof(*enc));
    if (enc == NULL) {
        return hr_fail(err, HR_E_NOMEM, "out of memory for an encoder");
    }
    enc->base.ops = &ops;
    enc->schema = hr_schema_ref(schema);
    enc->level = opts->codec_level;
    enc->run_rows_max = opts->row_group_rows > 0 ? opts->row_group_rows : 122880;
    enc->run_bytes_max = opts->row_group_bytes > 0 && opts->row_group_bytes < RUN_BYTES
                             ? (size_t)opts->row_group_bytes
                             : RUN_BYTES;
    int rc = shape_init(&enc->shape, schema, opts, err);
    if (rc != 0) {
        avro_close(&enc->base);
        return rc;
    }
    *out = &enc->base;
    return 0;
}

/* ---- the file ---- */

struct avro_file_writer {
    struct hr_file_writer base;
    struct hr_out *dst;
    struct shape shape;
    bool begun;
};

static int append_entry(struct hr_buf *buf, const char *key, struct hr_slice text,
                        struct hr_error *err) {
    uint8_t small[2 * NUMBER_ROOM];
    struct bytes number = {.ptr = small, .cap = sizeof(small)};
    put_long(&number, (int64_t)strlen(key));
    int rc = hr_buf_append(buf, small, number.len, err);
    rc = rc == 0 ? hr_buf_append_str(buf, key, err) : rc;
    number.len = 0;
    put_long(&number, (int64_t)text.len);
    rc = rc == 0 ? hr_buf_append(buf, small, number.len, err) : rc;
    return rc == 0 ? hr_buf_append(buf, text.ptr, text.len, err) : rc;
}

static int write_header(struct avro_file_writer *fw, struct hr_error *err) {
    struct hr_buf buf;
    if (fw->begun) {
        return 0;
    }
    hr_buf_init(&buf, (size_t)128 << 20);
    int rc = hr_buf_append(&buf, "Obj\1\4", 5, err); /* magic, a run of two entries */
    rc = rc == 0 ? append_entry(&buf, "avro.codec", hr_slice_str(fw->shape.codec_name), err) : rc;
    rc = rc == 0 ? append_entry(&buf, "avro.schema", hr_buf_slice(&fw->shape.text), err) : rc;
    rc = rc == 0 ? hr_buf_append_byte(&buf, 0, err) : rc;
    rc = rc == 0 ? hr_buf_append(&buf, fw->shape.sync, HR_AVRO_SYNC, err) : rc;
    rc = rc == 0 ? hr_out_write(fw->dst, buf.ptr, buf.len, err) : rc;
    hr_buf_release(&buf);
    fw->begun = rc == 0;
    return rc;
}

static int file_add(struct hr_file_writer *base, const struct hr_block *block,
                    struct hr_error *err) {
    struct avro_file_writer *fw = (struct avro_file_writer *)base;
    int rc = write_header(fw, err);
    return rc == 0 ? hr_out_write(fw->dst, block->data, block->len, err) : rc;
}

static int file_finish(struct hr_file_writer *base, struct hr_error *err) {
    return write_header((struct avro_file_writer *)base, err);
}

static size_t file_pending(const struct hr_file_writer *base) {
    const struct avro_file_writer *fw = (const struct avro_file_writer *)base;
    return fw->begun ? 0 : fw->shape.text.len + 64;
}

static void file_close(struct hr_file_writer *base) {
    struct avro_file_writer *fw = (struct avro_file_writer *)base;
    shape_release(&fw->shape);
    hr_free(fw);
}

int hr_avro_file_writer(struct hr_schema *schema, const struct hr_write_opts *opts,
                        struct hr_out *dst, struct hr_file_writer **out, struct hr_error *err) {
    static const struct hr_file_writer_ops ops = {
        .add = file_add, .finish = file_finish, .pending = file_pending, .close = file_close};
    struct avro_file_writer *fw = hr_calloc(1, sizeof(*fw));
    if (fw == NULL) {
        return hr_fail(err, HR_E_NOMEM, "out of memory for a file writer");
    }
    fw->base.ops = &ops;
    fw->dst = dst;
    int rc = shape_init(&fw->shape, schema, opts, err);
    if (rc != 0) {
        file_close(&fw->base);
        return rc;
    }
    *out = &fw->base;
    return 0;
}
