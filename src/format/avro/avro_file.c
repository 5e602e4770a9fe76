/* format/avro/avro_file.c - Avro's object container file (specification, "Object Container Files"):
 *
 *   "Obj" 1, a map of metadata (avro.schema, avro.codec), a 16-byte sync marker; then blocks, each
 *   a count of rows, a length in bytes, that many bytes, packed by the codec, and the marker again.
 *
 * Blocks are handed out where the source put them; only those that lie across two slices are copied
 * together. Lengths are checked against the object's size before anything is gathered. */
#include "format/avro/avro_file.h"

#include <stdio.h>

#include "base/hash.h"
#include "base/mem.h"
#include "format/avro/avro_decode.h"

/* ---- input ---- */

void hr_avro_input_init(struct hr_avro_input *in, struct hr_source *src, int64_t offset) {
    *in = (struct hr_avro_input){.src = src, .offset = offset};
}

void hr_avro_input_release(struct hr_avro_input *in) {
    hr_big_free(in->hold);
    in->hold = NULL;
}

static int input_pull(struct hr_avro_input *in, struct hr_error *err) {
    int rc = hr_source_next(in->src, &in->cur, err);
    if (rc == HR_END) {
        in->ended = true;
        in->cur.len = 0;
        rc = 0;
    }
    return rc;
}

/* Move up to n bytes from cur behind what is held. */
static int input_hold(struct hr_avro_input *in, size_t n, struct hr_error *err) {
    if (in->hold_at > 0) {
        in->hold_len -= in->hold_at;
        memmove(in->hold, in->hold + in->hold_at, in->hold_len);
        in->hold_at = 0;
    }
    n = n < in->cur.len ? n : in->cur.len;
    if (n == 0) {
        return 0;
    }
    if (in->hold_cap - in->hold_len < n) {
        size_t want = in->hold_len + n > 2 * in->hold_cap ? in->hold_len + n : 2 * in->hold_cap;
        size_t cap = 0;
        uint8_t *grown = hr_big_grow(in->hold, in->hold_len, want, &cap);
        if (grown == NULL) {
            return hr_fail(err, HR_E_NOMEM, "could not read '%s': out of memory", in->src->name);
        }
        in->hold = grown;
        in->hold_cap = cap;
    }
    memcpy(in->hold + in->hold_len, in->cur.ptr, n);
    in->hold_len += n;
    in->cur = hr_slice_of(in->cur.ptr + n, in->cur.len - n);
    return 0;
}

int hr_avro_input_peek(struct hr_avro_input *in, size_t want, struct hr_slice *out,
                       struct hr_error *err) {
    int rc = 0;
    for (;;) {
        size_t held = in->hold_len - in->hold_at;
        if (held == 0 && in->cur.len == 0 && !in->ended) {
            rc = input_pull(in, err);
        } else if (held == 0 && (in->cur.len >= want || in->ended)) {
            *out = in->cur;
            return 0;
        } else if (held >= want || (in->ended && in->cur.len == 0)) {
            *out = hr_slice_of(in->hold + in->hold_at, held);
            return 0;
        } else if (in->cur.len > 0) {
            rc = input_hold(in, want - held, err);
        } else {
            rc = input_pull(in, err);
        }
        if (rc != 0) {
            return rc;
        }
    }
}

void hr_avro_input_skip(struct hr_avro_input *in, size_t n) {
    in->offset += (int64_t)n;
    size_t held = in->hold_len - in->hold_at;
    size_t from_hold = n < held ? n : held;
    in->hold_at += from_hold;
    if (in->hold_at == in->hold_len) {
        in->hold_at = 0;
        in->hold_len = 0;
    }
    n -= from_hold;
    in->cur = hr_slice_of(in->cur.ptr + n, in->cur.len - n);
}

int hr_avro_input_pass(struct hr_avro_input *in, int64_t n, struct hr_error *err) {
    while (n > 0) {
        struct hr_slice bytes;
        int rc = hr_avro_input_peek(in, 1, &bytes, err);
        if (rc != 0 || bytes.len == 0) {
            return rc != 0 ? rc : HR_END;
        }
        size_t step = (int64_t)bytes.len < n ? bytes.len : (size_t)n;
        hr_avro_input_skip(in, step);
        n -= (int64_t)step;
    }
    return 0;
}

/* ---- header ---- */

/* A walk through the header's bytes; `p` NULL: more bytes are needed. */
struct walk {
    const char *name;
    const uint8_t *p, *end;
};

static int header_bad(const char *name, const char *why, struct hr_error *err) {
    hr_fail(err, HR_E_CORRUPT, "could not read '%s': its Avro header is damaged (%s)", name, why);
    hr_error_hint_damaged(err);
    hr_error_object(err, name);
    return HR_E_CORRUPT;
}

/* 0, HR_MORE when the bytes end first, or an error. */
static int walk_long(struct walk *w, int64_t *out, struct hr_error *err) {
    uint8_t copy[10] = {0};
    size_t left = (size_t)(w->end - w->p);
    size_t n = left < sizeof(copy) ? left : sizeof(copy);
    size_t used = 0;
    if (n > 0) {
        memcpy(copy, w->p, n);
    }
    while (used < n && (copy[used] & 0x80)) {
        used++;
    }
    if (used == n) {
        return n < sizeof(copy) ? HR_MORE : header_bad(w->name, "a number is too long", err);
    }
    uint8_t padded[32] = {0};
    memcpy(padded, copy, n);
    const uint8_t *next = hr_avro_long(padded, out);
    if (next == NULL) {
        return header_bad(w->name, "a number is too long", err);
    }
    w->p += used + 1;
    return 0;
}

static int walk_bytes(struct walk *w, struct hr_slice *out, struct hr_error *err) {
    int64_t len = 0;
    int rc = walk_long(w, &len, err);
    if (rc != 0) {
        return rc;
    }
    if (len < 0 || len > HR_AVRO_HEADER_MAX) {
        return header_bad(w->name, "an impossible length", err);
    }
    if (w->end - w->p < len) {
        return HR_MORE;
    }
    *out = hr_slice_of(w->p, (size_t)len);
    w->p += len;
    return 0;
}

static int walk_entry(struct walk *w, struct hr_avro_header *h, struct hr_error *err) {
    struct hr_slice key;
    struct hr_slice value;
    int rc = walk_bytes(w, &key, err);
    if (rc == 0) {
        rc = walk_bytes(w, &value, err);
    }
    if (rc == 0 && hr_slice_eq_str(key, "avro.schema")) {
        h->schema = value;
    } else if (rc == 0 && hr_slice_eq_str(key, "avro.codec")) {
        h->codec_name = value;
    }
    return rc;
}

static int check_magic(const char *name, struct hr_slice bytes, struct hr_error *err) {
    size_t n = bytes.len < 3 ? bytes.len : 3;
    int rc = 0;
    if (memcmp(bytes.ptr, "Obj", n) != 0) {
        rc = hr_fail(err, HR_E_FORMAT, "could not read '%s': it is no Avro container file", name);
        hr_error_hint(err, "check the format of the file (file_format)");
    } else if (bytes.len < 4) {
        return HR_MORE;
    } else if (bytes.ptr[3] == 0) {
        rc = hr_fail(err, HR_E_UNSUPPORTED,
                     "could not read '%s': it is in the container format of Avro before 1.3", name);
        hr_error_hint(err, "rewrite it with a current Avro library");
    } else if (bytes.ptr[3] != 1) {
        rc = hr_fail(err, HR_E_UNSUPPORTED,
                     "could not read '%s': it is an Avro container of version %u", name,
                     bytes.ptr[3]);
    }
    if (rc != 0) {
        hr_error_object(err, name);
    }
    return rc;
}

static int walk_header(struct walk *w, struct hr_avro_header *h, struct hr_error *err) {
    int rc = check_magic(w->name, hr_slice_of(w->p, (size_t)(w->end - w->p)), err);
    int64_t count = 0;
    w->p += rc == 0 ? 4 : 0;
    while (rc == 0) {
        rc = walk_long(w, &count, err);
        if (rc != 0 || count == 0) {
            break;
        }
        if (count < 0) { /* then the run's length in bytes follows */
            int64_t bytes = 0;
            rc = walk_long(w, &bytes, err);
            count = count == INT64_MIN ? INT64_MAX : -count;
        }
        for (int64_t i = 0; i < count && rc == 0; i++) { /* each takes two bytes at least */
            rc = walk_entry(w, h, err);
        }
    }
    if (rc != 0) {
        return rc;
    }
    if (w->end - w->p < HR_AVRO_SYNC) {
        return HR_MORE;
    }
    memcpy(h->sync, w->p, HR_AVRO_SYNC);
    w->p += HR_AVRO_SYNC;
    return 0;
}

/* From the codec's name in the metadata to a codec. */
static int header_codec(const char *name, struct hr_avro_header *h, struct hr_error *err) {
    static const struct {
        const char *avro, *codec;
    } codecs[] = {{"deflate", "deflate-raw"},
                  {"snappy", "snappy-raw"},
                  {"zstandard", "zstd"},
                  {"bzip2", "bzip2"},
                  {"xz", "xz"}};
    if (h->codec_name.len == 0 || hr_slice_eq_str(h->codec_name, "null")) {
        return 0;
    }
    for (size_t i = 0; i < sizeof(codecs) / sizeof(codecs[0]); i++) {
        if (hr_slice_eq_str(h->codec_name, codecs[i].avro)) {
            h->codec = hr_codec_by_name(codecs[i].codec, strlen(codecs[i].codec));
        }
    }
    if (h->codec == NULL || h->codec->missing != NULL) {
        char shown[80];
        hr_printable(h->codec_name, 40, shown, sizeof(shown));
        hr_fail(err, HR_E_UNSUPPORTED, "could not read '%s': its blocks are packed by '%s'%s%s",
                name, shown, h->codec != NULL ? "; " : "",
                h->codec != NULL ? h->codec->missing : "");
        hr_error_hint(err, "codecs of Avro files: null, deflate, snappy, zstandard, bzip2");
        hr_error_object(err, name);
        return HR_E_UNSUPPORTED;
    }
    h->snappy = strcmp(h->codec->name, "snappy-raw") == 0;
    return 0;
}

/* Copy the header out, so that it outlives the source's slices, and take it apart for good. */
int hr_avro_header_parse(const char *name, struct hr_slice bytes, struct hr_avro_header *out,
                         struct hr_error *err) {
    *out = (struct hr_avro_header){.len = bytes.len};
    out->bytes = hr_malloc(bytes.len);
    if (out->bytes == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not read '%s': out of memory", name);
    }
    if (bytes.len > 0) {
        memcpy(out->bytes, bytes.ptr, bytes.len);
    }
    struct walk w = {.name = name, .p = out->bytes, .end = out->bytes + bytes.len};
    int rc = walk_header(&w, out, err);
    if (rc == HR_MORE || (rc == 0 && w.p != w.end)) {
        rc = header_bad(name, "cut short", err);
    }
    if (rc == 0 && out->schema.ptr == NULL) {
        rc = header_bad(name, "it has no avro.schema", err);
    }
    return rc == 0 ? header_codec(name, out, err) : rc;
}

int hr_avro_header_read(struct hr_avro_input *in, struct hr_avro_header *out,
                        struct hr_error *err) {
    const char *name = in->src->name;
    *out = (struct hr_avro_header){.bytes = NULL};
    for (size_t want = 4096;; want *= 2) {
        struct hr_slice bytes;
        int rc = hr_avro_input_peek(in, want, &bytes, err);
        if (rc != 0) {
            return rc;
        }
        if (bytes.len == 0) {
            return header_bad(name, "the file is empty", err);
        }
        struct walk w = {.name = name, .p = bytes.ptr, .end = bytes.ptr + bytes.len};
        struct hr_avro_header scratch = {.bytes = NULL};
        rc = walk_header(&w, &scratch, err);
        if (rc == 0) {
            size_t len = (size_t)(w.p - bytes.ptr);
            rc = hr_avro_header_parse(name, hr_slice_of(bytes.ptr, len), out, err);
            hr_avro_input_skip(in, len);
            return rc;
        }
        if (rc != HR_MORE) {
            return rc;
        }
        if (bytes.len < want) {
            return header_bad(name, "the file ends inside it", err);
        }
        want = want > bytes.len ? want : bytes.len; /* what is in one place costs nothing to see */
        if (want >= HR_AVRO_HEADER_MAX) {
            return header_bad(name, "it is longer than 64 MiB", err);
        }
    }
}

void hr_avro_header_release(struct hr_avro_header *header) {
    hr_free(header->bytes);
    header->bytes = NULL;
}

/* ---- blocks ---- */

__attribute__((format(printf, 5, 6))) static int block_bad(const struct hr_avro_input *in,
                                                           int64_t at, int code,
                                                           struct hr_error *err, const char *format,
                                                           ...) {
    char why[200];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(why, sizeof(why), format, args);
    va_end(args);
    hr_fail(err, code, "could not read '%s': the block at byte %lld %s", in->src->name,
            (long long)at, why);
    hr_error_hint_damaged(err);
    hr_error_object(err, in->src->name);
    hr_error_place(err, at, -1, NULL);
    return code;
}

static int block_cut(const struct hr_avro_input *in, int64_t at, struct hr_error *err) {
    block_bad(in, at, HR_E_CORRUPT, err, "is cut short");
    hr_error_hint(err, "the object is truncated: upload it again, or leave it out");
    return HR_E_CORRUPT;
}

/* The two numbers a block starts with; *head: the bytes they take. */
static int block_head(const struct hr_avro_input *in, struct hr_slice bytes, int64_t at,
                      int64_t *rows, int64_t *len, size_t *head, struct hr_error *err) {
    struct walk w = {.name = in->src->name, .p = bytes.ptr, .end = bytes.ptr + bytes.len};
    int rc = walk_long(&w, rows, NULL);
    rc = rc == 0 ? walk_long(&w, len, NULL) : rc;
    if (rc != 0) {
        return rc == HR_MORE
                   ? block_cut(in, at, err)
                   : block_bad(in, at, HR_E_CORRUPT, err, "does not start with its lengths");
    }
    *head = (size_t)(w.p - bytes.ptr);
    if (*rows < 0 || *len < 0) {
        return block_bad(in, at, HR_E_CORRUPT, err, "has a negative length");
    }
    int64_t remain = in->src->size >= 0 ? in->src->size - at - (int64_t)*head : INT64_MAX;
    if (*len > remain - HR_AVRO_SYNC) {
        block_bad(in, at, HR_E_CORRUPT, err, "claims %lld bytes where %lld remain", (long long)*len,
                  (long long)remain);
        hr_error_hint(err, "the object is truncated or damaged: upload it again, or leave it out");
        return HR_E_CORRUPT;
    }
    if (*len > HR_AVRO_BLOCK_MAX) {
        return block_bad(in, at, HR_E_BOUND, err, "claims %lld bytes, over the bound of %d",
                         (long long)*len, HR_AVRO_BLOCK_MAX);
    }
    return 0;
}

int hr_avro_block_peek(struct hr_avro_input *in, const struct hr_avro_header *header, size_t lead,
                       struct hr_avro_block *out, struct hr_error *err) {
    struct hr_slice bytes;
    int64_t at = in->offset + (int64_t)lead;
    int rc = hr_avro_input_peek(in, lead + 20, &bytes, err);
    if (rc != 0) {
        return rc;
    }
    if (bytes.len <= lead) {
        return HR_END;
    }
    int64_t rows = 0;
    int64_t len = 0;
    size_t head = 0;
    rc = block_head(in, hr_slice_of(bytes.ptr + lead, bytes.len - lead), at, &rows, &len, &head,
                    err);
    if (rc != 0) {
        return rc;
    }
    size_t total = head + (size_t)len + HR_AVRO_SYNC;
    rc = hr_avro_input_peek(in, lead + total, &bytes, err);
    if (rc != 0) {
        return rc;
    }
    if (bytes.len < lead + total) {
        return block_cut(in, at, err);
    }
    const uint8_t *data = bytes.ptr + lead + head;
    if (memcmp(data + len, header->sync, HR_AVRO_SYNC) != 0) {
        return block_bad(in, at, HR_E_CORRUPT, err, "is not followed by the file's sync marker");
    }
    *out = (struct hr_avro_block){
        .offset = at, .rows = rows, .data = hr_slice_of(data, (size_t)len), .total = total};
    return 0;
}

int hr_avro_find_sync(struct hr_avro_input *in, const struct hr_avro_header *header, int64_t from,
                      struct hr_error *err) {
    int rc = hr_avro_input_pass(in, from - in->offset, err);
    while (rc == 0) {
        struct hr_slice bytes;
        rc = hr_avro_input_peek(in, HR_AVRO_SYNC, &bytes, err);
        if (rc != 0 || bytes.len < HR_AVRO_SYNC) {
            return rc != 0 ? rc : HR_END;
        }
        const uint8_t *hit = memmem(bytes.ptr, bytes.len, header->sync, HR_AVRO_SYNC);
        if (hit == NULL) {
            hr_avro_input_skip(in, bytes.len - HR_AVRO_SYNC + 1);
            continue;
        }
        hr_avro_input_skip(in, (size_t)(hit - bytes.ptr));
        return 0;
    }
    return rc;
}

/* ---- inflating ---- */

static int inflate_fail(const char *name, const struct hr_avro_block *block, int code,
                        const struct hr_error *why, struct hr_error *err) {
    hr_fail(err, code, "could not read '%s': the block at byte %lld: %.300s", name,
            (long long)block->offset, why->message);
    hr_error_hint_damaged(err);
    hr_error_object(err, name);
    hr_error_place(err, block->offset, -1, NULL);
    return code;
}

/* Snappy blocks end with the CRC-32 of what they hold, big-endian. */
static int check_crc(struct hr_slice packed, struct hr_slice plain, struct hr_error *err) {
    const uint8_t *p = packed.ptr + packed.len - 4;
    uint32_t want = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
    return hr_crc32(0, plain.ptr, plain.len) == want
               ? 0
               : hr_fail(err, HR_E_CORRUPT, "the checksum of the snappy data is wrong");
}

int hr_avro_inflate(const struct hr_avro_header *header, const char *name,
                    const struct hr_avro_block *block, uint8_t **buf, size_t *buf_cap,
                    struct hr_slice *out, struct hr_error *err) {
    if (header->codec == NULL) {
        *out = block->data;
        return 0;
    }
    struct hr_error why;
    hr_error_clear(&why);
    struct hr_slice packed = block->data;
    size_t len = 0;
    int rc = 0;
    if (header->snappy && packed.len < 4) {
        rc = hr_fail(&why, HR_E_CORRUPT, "the snappy data is cut short");
    } else {
        packed.len -= header->snappy ? 4 : 0;
        size_t max =
            packed.len > HR_AVRO_INFLATED_MAX / 1000 ? HR_AVRO_INFLATED_MAX : packed.len * 1000;
        max = max > HR_AVRO_INFLATED_FREE ? max : HR_AVRO_INFLATED_FREE;
        rc = hr_codec_decode_grow(header->codec, packed, max, buf, buf_cap, &len, &why);
    }
    *out = hr_slice_of(*buf, len);
    if (rc == 0 && header->snappy) {
        rc = check_crc(block->data, *out, &why);
    }
    return rc == 0 ? 0 : inflate_fail(name, block, rc, &why, err);
}
