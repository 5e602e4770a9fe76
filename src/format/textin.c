/* format/textin.c - the sliding window over a text source, and its encodings.
 *
 * Bytes are copied once from the source's slice into the window (0.01 CPU-s/GB while both are in
 * cache); in return the window is contiguous across slice borders of any size, can be padded, and a
 * record that crosses its end is simply kept while more is appended. The window is read by the SIMD
 * index, so there are readable bytes on both sides.
 */
#include "format/textin.h"

#include <errno.h>
#include <iconv.h>
#include <strings.h>

#include "base/mem.h"

#define DEFAULT_MAX ((size_t)256 << 20)
#define FIRST_WINDOW ((size_t)320 << 10)

static bool is_utf8_name(const char *name) {
    return name == NULL || name[0] == '\0' || strcasecmp(name, "utf-8") == 0 ||
           strcasecmp(name, "utf8") == 0 || strcasecmp(name, "us-ascii") == 0 ||
           strcasecmp(name, "ascii") == 0 || strcasecmp(name, "utf-8-sig") == 0;
}

/* iconv names are few; these are what people write besides. */
static const char *iconv_name(const char *name) {
    static const char *const pairs[][2] = {
        {"latin-1", "ISO-8859-1"}, {"latin1", "ISO-8859-1"},   {"windows-1252", "CP1252"},
        {"cp-1252", "CP1252"},     {"shift-jis", "SHIFT_JIS"}, {"utf16", "UTF-16"},
        {"utf32", "UTF-32"},       {"utf-16-le", "UTF-16LE"},  {"utf-16-be", "UTF-16BE"}};
    for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
        if (strcasecmp(name, pairs[i][0]) == 0) {
            return pairs[i][1];
        }
    }
    return name;
}

/* 0: the byte is one whole character (n bytes of UTF-8 in out), EINVAL: it begins a longer one,
 * EILSEQ: it is none. */
static int one_byte(iconv_t cd, uint8_t byte, uint8_t out[8], size_t *n) {
    char in = (char)byte;
    char *from = &in;
    char *to = (char *)out;
    size_t left = 1;
    size_t room = 8;
    iconv(cd, NULL, NULL, NULL, NULL);
    const size_t rc = iconv(cd, &from, &left, &to, &room);
    *n = 8 - room;
    if (rc == (size_t)-1) {
        return errno;
    }
    return *n == 0 || *n > 4 ? EINVAL : 0;
}

/* Fill the table when the encoding is ASCII plus single bytes; false when it is anything else. */
static bool read_charset(iconv_t cd, struct hr_charset *set) {
    uint8_t out[8];
    size_t n;
    for (unsigned c = 1; c < 128; c++) {
        if (one_byte(cd, (uint8_t)c, out, &n) != 0 || n != 1 || out[0] != c) {
            return false;
        }
    }
    for (unsigned c = 128; c < 256; c++) {
        const int rc = one_byte(cd, (uint8_t)c, out, &n);
        if (rc != 0 && rc != EILSEQ) {
            return false;
        }
        set->len[c - 128] = rc == 0 ? (uint8_t)n : 0;
        set->holes |= rc != 0;
        memcpy(set->utf8[c - 128], out, 4);
    }
    return true;
}

static int unknown_encoding(const char *name, struct hr_error *err) {
    char shown[100];
    hr_fail(err, HR_E_CONFIG, "could not read the encoding \"%s\": this system does not know it",
            hr_printable(hr_slice_str(name), 80, shown, sizeof(shown)));
    hr_error_hint(err, "use a name that `iconv -l` lists, for example utf-8, latin1, cp1252, "
                       "utf-16 or shift_jis");
    return HR_E_CONFIG;
}

static int open_encoding(struct hr_textin *in, const char *name, struct hr_error *err) {
    in->encoding = name;
    if (is_utf8_name(name)) {
        return 0;
    }
    iconv_t cd = iconv_open("UTF-8", iconv_name(name));
    if (cd == (iconv_t)-1) {
        return errno == ENOMEM
                   ? hr_fail(err, HR_E_NOMEM, "could not open the encoding \"%s\"", name)
                   : unknown_encoding(name, err);
    }
    struct hr_charset *set = hr_calloc(1, sizeof(*set));
    if (set == NULL) {
        iconv_close(cd);
        return hr_fail(err, HR_E_NOMEM, "could not allocate a character table");
    }
    if (read_charset(cd, set)) {
        in->charset = set;
        iconv_close(cd);
        return 0;
    }
    hr_free(set);
    iconv(cd, NULL, NULL, NULL, NULL);
    in->cd = cd;
    return 0;
}

struct mark {
    uint8_t bytes[4];
    size_t len;
    const char *encoding;
};
static const struct mark MARKS[] = {{{0xff, 0xfe, 0, 0}, 4, "UTF-32LE"},
                                    {{0, 0, 0xfe, 0xff}, 4, "UTF-32BE"},
                                    {{0xff, 0xfe}, 2, "UTF-16LE"},
                                    {{0xfe, 0xff}, 2, "UTF-16BE"},
                                    {{0xef, 0xbb, 0xbf}, 3, "UTF-8"}};

static const struct mark *find_mark(const uint8_t *head, size_t len) {
    for (size_t i = 0; i < sizeof(MARKS) / sizeof(*MARKS); i++) {
        if (len >= MARKS[i].len && memcmp(head, MARKS[i].bytes, MARKS[i].len) == 0) {
            return &MARKS[i];
        }
    }
    return NULL;
}

bool hr_textin_splittable(const struct hr_textin *in, const char *encoding) {
    return in->cd == NULL && (in->charset == NULL) == is_utf8_name(encoding);
}

bool hr_text_splittable(const char *encoding, const uint8_t *head, size_t len) {
    const struct mark *mark = find_mark(head, len);
    if (mark != NULL) {
        return mark->len == 3 && is_utf8_name(encoding);
    }
    struct hr_textin in = {0};
    if (open_encoding(&in, encoding, NULL) != 0) {
        return false;
    }
    const bool ok = in.cd == NULL;
    hr_textin_close(&in);
    return ok;
}

/* ---- the window ---- */

static int reserve(struct hr_textin *in, size_t need, struct hr_error *err) {
    if (need <= in->cap) {
        return 0;
    }
    if (need > in->max) {
        return hr_fail(err, HR_E_BOUND, "could not hold a record of more than %zu bytes", in->max);
    }
    size_t got;
    uint8_t *mem = hr_big_grow(in->mem, in->mem ? HR_PAD + in->len : 0, HR_PAD + need, &got);
    if (mem == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate %zu bytes for a window of text", need);
    }
    in->mem = mem;
    in->text = mem + HR_PAD;
    in->cap = got - HR_PAD;
    return 0;
}

/* Have a slice to take from, or src_end. */
static int next_slice(struct hr_textin *in, struct hr_error *err) {
    while (in->rest.len == 0 && !in->src_end) {
        const int rc = hr_source_next(in->src, &in->rest, err);
        if (rc < 0) {
            return rc;
        }
        if (rc == HR_END) {
            in->src_end = true;
            in->rest = hr_slice_of(NULL, 0);
        }
    }
    return 0;
}

static int take_raw(struct hr_textin *in, size_t need) {
    const size_t want = need - in->len;
    const size_t n = want < in->rest.len ? want : in->rest.len;
    if (n > 0) {
        memcpy(in->text + in->len, in->rest.ptr, n);
        in->rest.ptr += n;
        in->rest.len -= n;
        in->len += n;
    }
    in->eof = in->src_end && in->rest.len == 0;
    return 0;
}

static int bad_encoding(struct hr_textin *in, const char *what, struct hr_error *err) {
    hr_fail(err, HR_E_FORMAT, "could not decode the text as %s: %s at byte %lld", in->encoding,
            what, (long long)in->raw_offset);
    hr_error_place(err, in->raw_offset, -1, NULL);
    hr_error_hint(err, "set the encoding the file is really in");
    return HR_E_FORMAT;
}

/* Decode [*from, *from + *left) behind the window; returns 0, or EILSEQ. An incomplete character at
 * the end is left in place (EINVAL is not a fault here), so is what has no room. */
static int decode(struct hr_textin *in, const uint8_t **from, size_t *left) {
    char *to = (char *)in->text + in->len;
    size_t room = in->cap - in->len;
    char *src = (char *)(uintptr_t)*from; /* iconv's prototype lacks const */
    const size_t had = *left;
    const size_t rc = iconv(in->cd, &src, left, &to, &room);
    const int fault = rc == (size_t)-1 ? errno : 0;
    *from += had - *left;
    in->raw_offset += (int64_t)(had - *left);
    in->len = in->cap - room;
    return fault == EILSEQ ? EILSEQ : 0;
}

/* First finish a character that was cut by the slice border, byte by byte. */
static int decode_cut(struct hr_textin *in, struct hr_error *err) {
    while (in->cut_len > 0 && in->rest.len > 0 && in->cap - in->len >= 16) {
        if (in->cut_len == sizeof(in->cut)) {
            return bad_encoding(in, "an endless character", err);
        }
        in->cut[in->cut_len++] = *in->rest.ptr++;
        in->rest.len--;
        const uint8_t *from = in->cut;
        size_t left = in->cut_len;
        if (decode(in, &from, &left) != 0) {
            return bad_encoding(in, "a bad character", err);
        }
        memmove(in->cut, from, left);
        in->cut_len = left;
    }
    return 0;
}

static int take_decoded(struct hr_textin *in, struct hr_error *err) {
    int rc = decode_cut(in, err);
    if (rc != 0) {
        return rc;
    }
    if (in->rest.len > 0 && in->cut_len == 0) {
        const size_t before = in->len;
        if (decode(in, &in->rest.ptr, &in->rest.len) != 0) {
            return bad_encoding(in, "a bad character", err);
        }
        if (in->rest.len > 0 && in->rest.len < 16 && in->len == before) {
            memcpy(in->cut, in->rest.ptr, in->rest.len);
            in->cut_len = in->rest.len;
            in->rest.len = 0;
        }
    }
    if (!in->src_end || in->rest.len > 0) {
        return 0;
    }
    if (in->cut_len > 0) {
        return bad_encoding(in, "the text ends inside a character", err);
    }
    if (!in->flushed) {
        char *to = (char *)in->text + in->len;
        size_t room = in->cap - in->len;
        iconv(in->cd, NULL, NULL, &to, &room);
        in->len = in->cap - room;
        in->flushed = true;
    }
    in->eof = true;
    return 0;
}

int hr_textin_fill(struct hr_textin *in, size_t need, struct hr_error *err) {
    /* A decoder needs room for one more character to make progress. */
    int rc = reserve(in, need + (in->cd != NULL ? 64 : 0), err);
    while (rc == 0 && in->len < need && !in->eof) {
        rc = next_slice(in, err);
        if (rc == 0) {
            rc = in->cd != NULL ? take_decoded(in, err) : take_raw(in, need);
        }
    }
    if (rc < 0) {
        hr_error_object(err, in->src->name);
    }
    return rc;
}

void hr_textin_drop(struct hr_textin *in, size_t n) {
    in->base += (int64_t)n;
    in->len -= n;
    if (n > 0 && in->len > 0) {
        memmove(in->text, in->text + n, in->len);
    }
}

/* Look at the first bytes as they are; what is no mark goes through the encoding after all. */
static int open_head(struct hr_textin *in, const char *encoding, struct hr_error *err) {
    int rc = hr_textin_fill(in, 4, err);
    if (rc != 0) {
        return rc;
    }
    const struct mark *mark = find_mark(in->text, in->len);
    const size_t skip = mark != NULL ? mark->len : 0;
    rc = open_encoding(in, mark != NULL ? mark->encoding : encoding, err);
    if (rc != 0) {
        return rc;
    }
    in->raw_offset = (int64_t)skip;
    if (in->cd == NULL) {
        hr_textin_drop(in, skip);
        return 0;
    }
    /* Too few bytes for any one-byte guess to matter: they go in front of the stream again. */
    in->cut_len = 0;
    uint8_t head[4];
    const size_t n = in->len - skip;
    memcpy(head, in->text + skip, n);
    in->len = 0;
    in->base = 0;
    in->eof = false;
    for (size_t i = 0; i < n && rc == 0; i++) {
        struct hr_slice keep = in->rest;
        in->rest = hr_slice_of(head + i, 1);
        if (in->cut_len > 0) {
            rc = decode_cut(in, err);
        } else {
            rc = decode(in, &in->rest.ptr, &in->rest.len) != 0
                     ? bad_encoding(in, "a bad character", err)
                     : 0;
            if (in->rest.len > 0) {
                in->cut[0] = head[i];
                in->cut_len = 1;
            }
        }
        in->rest = keep;
    }
    if (rc < 0) {
        hr_error_object(err, in->src->name);
    }
    return rc;
}

int hr_textin_open(struct hr_textin *in, struct hr_source *src, const char *encoding, int64_t base,
                   size_t max, struct hr_error *err) {
    *in = (struct hr_textin){.src = src, .base = base, .max = max ? max : DEFAULT_MAX};
    size_t first = FIRST_WINDOW;
    if (src->size >= 0 && (size_t)src->size < first) {
        first = (size_t)src->size + 64;
    }
    if (first + HR_PAD > in->max) {
        in->max = first + HR_PAD;
    }
    int rc = reserve(in, first, err);
    if (rc == 0) {
        memset(in->mem, 0, HR_PAD);
        rc = base == 0 ? open_head(in, encoding, err) : open_encoding(in, encoding, err);
    }
    if (rc != 0) {
        hr_textin_close(in);
    }
    return rc;
}

void hr_textin_close(struct hr_textin *in) {
    if (in->cd != NULL) {
        iconv_close(in->cd);
    }
    hr_free(in->charset);
    hr_big_free(in->mem);
    *in = (struct hr_textin){0};
}

/* ---- one-byte encodings ---- */

bool hr_charset_valid(const struct hr_charset *set, struct hr_slice text) {
    for (size_t i = 0; i < text.len && set->holes; i++) {
        if (text.ptr[i] >= 128 && set->len[text.ptr[i] - 128] == 0) {
            return false;
        }
    }
    return true;
}

int hr_charset_append(const struct hr_charset *set, struct hr_slice text, struct hr_buf *out,
                      struct hr_error *err) {
    int rc = hr_buf_reserve(out, text.len * 4, err);
    if (rc != 0) {
        return rc;
    }
    uint8_t *p = out->ptr + out->len;
    for (size_t i = 0; i < text.len; i++) {
        const uint8_t c = text.ptr[i];
        if (c < 128) {
            *p++ = c;
            continue;
        }
        const uint8_t n = set->len[c - 128];
        if (n == 0) {
            return hr_fail(err, HR_E_FORMAT, "could not decode the byte 0x%02x in this encoding",
                           c);
        }
        memcpy(p, set->utf8[c - 128], n);
        p += n;
    }
    out->len = (size_t)(p - out->ptr);
    out->ptr[out->len] = '\0';
    return 0;
}
