/* store/s3/s3_scan.c - listings by their tags: one pass over '<', no XML parser.
 *
 * A ListBucketResult of ListObjectsV2 (Amazon S3 API reference) is flat: Contents with Key,
 * LastModified, ETag, Size; CommonPrefixes with Prefix; IsTruncated, NextContinuationToken. The
 * scanner stops at every '<', looks at the eight bytes behind it, and takes the text between a
 * known opening tag and its closing one. Whatever it does not know exactly like this (namespaces,
 * attributes, comments, CDATA, nesting, a KeyCount that differs) makes it give up with HR_MORE, and
 * expat decides; so being fast never means being wrong. */
#include <string.h>

#include "base/cpu.h"
#include "base/time.h"
#include "store/page.h"
#include "store/s3/s3.h"

#if HR_X86
#include <immintrin.h>
#endif

/* ---- text ----------------------------------------------------------------------------------- */

static int hex_value(uint8_t c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static size_t put_utf8(uint32_t code, char *dst) {
    uint8_t *d = (uint8_t *)dst;
    if (code < 0x80) {
        d[0] = (uint8_t)code;
        return 1;
    }
    if (code < 0x800) {
        d[0] = (uint8_t)(0xc0 | code >> 6);
        d[1] = (uint8_t)(0x80 | (code & 63));
        return 2;
    }
    if (code < 0x10000) {
        d[0] = (uint8_t)(0xe0 | code >> 12);
        d[1] = (uint8_t)(0x80 | (code >> 6 & 63));
        d[2] = (uint8_t)(0x80 | (code & 63));
        return 3;
    }
    d[0] = (uint8_t)(0xf0 | code >> 18);
    d[1] = (uint8_t)(0x80 | (code >> 12 & 63));
    d[2] = (uint8_t)(0x80 | (code >> 6 & 63));
    d[3] = (uint8_t)(0x80 | (code & 63));
    return 4;
}

/* Characters XML 1.0 allows (section 2.2). */
static bool xml_char(uint32_t c) {
    return c == 9 || c == 10 || c == 13 || (c >= 0x20 && c < 0xd800) ||
           (c >= 0xe000 && c <= 0x10ffff && c != 0xfffe && c != 0xffff);
}

/* One entity at p ('&'), decoded to dst; returns its length in the text, 0: not one. */
static size_t entity(const uint8_t *p, const uint8_t *end, char *dst, size_t *out) {
    static const struct {
        const char *name;
        char c;
    } known[] = {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        size_t n = strlen(known[i].name);
        if ((size_t)(end - p) >= n && memcmp(p, known[i].name, n) == 0) {
            dst[0] = known[i].c;
            *out = 1;
            return n;
        }
    }
    if (end - p < 4 || p[1] != '#') {
        return 0;
    }
    const uint8_t *q = p + 2;
    bool hex = *q == 'x';
    q += hex;
    uint32_t code = 0;
    const uint8_t *digits = q;
    for (; q < end && q - digits < 8 && *q != ';'; q++) {
        int v = hex_value(*q);
        if (v < 0 || (!hex && v > 9)) {
            return 0;
        }
        code = code * (hex ? 16 : 10) + (uint32_t)v;
    }
    if (q == end || *q != ';' || q == digits || !xml_char(code)) {
        return 0;
    }
    *out = put_utf8(code, dst);
    return (size_t)(q - p) + 1;
}

/* XML turns CR and CRLF into LF. */
static bool plain_byte(uint8_t c) {
    return c >= 0x20 || c == '\t' || c == '\n';
}

size_t hr_s3_decode_url(struct hr_slice text, char *dst) {
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (c == '+') {
            c = ' ';
        } else if (c == '%') {
            if (i + 2 >= text.len || hex_value(text.ptr[i + 1]) < 0 ||
                hex_value(text.ptr[i + 2]) < 0) {
                return SIZE_MAX;
            }
            c = (uint8_t)(hex_value(text.ptr[i + 1]) * 16 + hex_value(text.ptr[i + 2]));
            i += 2;
        }
        if (c == 0) {
            return SIZE_MAX;
        }
        dst[n++] = (char)c;
    }
    return n;
}

size_t hr_s3_decode_text(struct hr_slice text, bool url, char *dst) {
    if (text.len == 0) {
        return 0; /* of an element without text there may be no pointer either */
    }
    const uint8_t *p = text.ptr;
    const uint8_t *end = p + text.len;
    size_t n = 0;
    while (p < end) {
        if (*p == '&') {
            size_t out;
            size_t used = entity(p, end, dst + n, &out);
            if (used == 0) {
                return SIZE_MAX;
            }
            p += used;
            n += out;
        } else if (!plain_byte(*p)) {
            return SIZE_MAX;
        } else {
            dst[n++] = (char)*p++;
        }
    }
    return url ? hr_s3_decode_url(hr_slice_of(dst, n), dst) : n;
}

/* Value of a hex digit + 1, 0: not one. */
static const uint8_t hex_plus_1[256] = {
    ['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
    ['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
    ['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
};

#define EACH(c) (0x0101010101010101ULL * (c))

/* A bit in every byte that is zero (exact up to and including the first such byte). */
static uint64_t zeros(uint64_t v) {
    return (v - EACH(1)) & ~v & EACH(0x80);
}

/* Which of eight bytes need a closer look: '&', control bytes and, in url, '%' and '+'. */
static uint64_t specials(uint64_t w, bool url) {
    uint64_t found = zeros(w ^ EACH('&')) | ((w - EACH(0x20)) & ~w & EACH(0x80));
    return url ? found | zeros(w ^ EACH('%')) | zeros(w ^ EACH('+')) : found;
}

/* Copies text, decoding %XX and '+' when asked. May read and write 8 bytes past the end. SIZE_MAX:
 * an entity, a control byte or broken encoding, for the careful way to look at. */
static size_t copy_decoded(const uint8_t *p, size_t len, bool url, char *dst) {
    const uint8_t *end = p + len;
    char *d = dst;
    while (p < end) {
        uint64_t w;
        memcpy(&w, p, 8);
        memcpy(d, &w, 8);
        uint64_t found = specials(w, url);
        size_t n = found ? (size_t)__builtin_ctzll(found) / 8 : 8;
        if (n >= (size_t)(end - p)) {
            d += end - p;
            break;
        }
        p += n;
        d += n;
        if (n == 8) {
            continue;
        }
        if (*p == '+') {
            *d++ = ' ';
            p++;
        } else if (*p == '%' && end - p > 2) {
            unsigned high = hex_plus_1[p[1]];
            unsigned low = hex_plus_1[p[2]];
            unsigned code = (high - 1) * 16 + (low - 1);
            if (high == 0 || low == 0 || code == 0) {
                return SIZE_MAX;
            }
            *d++ = (char)code;
            p += 3;
        } else {
            return SIZE_MAX;
        }
    }
    return (size_t)(d - dst);
}

static bool two_digits(const uint8_t *p, int *out) {
    *out = (p[0] - '0') * 10 + (p[1] - '0');
    return p[0] >= '0' && p[0] <= '9' && p[1] >= '0' && p[1] <= '9';
}

/* YYYY-MM-DDThh:mm:ss.mmmZ is what every server writes; others go the long way. */
int64_t hr_s3_parse_time(struct hr_slice text) {
    const uint8_t *p = text.ptr;
    int century;
    int year;
    int month;
    int day;
    int hour;
    int minute;
    int second;
    if (text.len >= 20 && text.ptr[text.len - 1] == 'Z' && p[4] == '-' && p[7] == '-' &&
        p[10] == 'T' && p[13] == ':' && p[16] == ':' && two_digits(p, &century) &&
        two_digits(p + 2, &year) && two_digits(p + 5, &month) && two_digits(p + 8, &day) &&
        two_digits(p + 11, &hour) && two_digits(p + 14, &minute) && two_digits(p + 17, &second) &&
        month >= 1 && month <= 12 && day >= 1 && day <= 31 && hour < 24 && minute < 60 &&
        second < 61) {
        int64_t micros = 0;
        int64_t unit = 100000;
        size_t i = 19;
        if (p[i] == '.') {
            for (i = 20; i < text.len - 1 && p[i] >= '0' && p[i] <= '9'; i++, unit /= 10) {
                micros += (p[i] - '0') * unit;
            }
        }
        if (i == text.len - 1) {
            int64_t days = hr_days_from_civil(century * 100 + year, month, day);
            return ((days * 24 + hour) * 60 + minute) * 60000000 + second * 1000000LL + micros;
        }
    }
    int64_t seconds;
    int32_t nanos;
    bool zone;
    int digits;
    if (hr_parse_timestamp((const char *)p, text.len, &seconds, &nanos, &zone, &digits)) {
        return seconds * 1000000 + nanos / 1000;
    }
    return 0;
}

/* ---- tags ----------------------------------------------------------------------------------- */

enum state { S_START, S_ROOT, S_CONTENTS, S_PREFIXES, S_AFTER };

/* The text element that is open: what will happen at its closing tag. */
enum field {
    F_NONE,
    F_KEY,
    F_TIME,
    F_ETAG,
    F_SIZE,
    F_PREFIX,
    F_TRUNCATED,
    F_TOKEN,
    F_COUNT,
    F_CLASS,
    F_SKIP
};

struct scan {
    const uint8_t *end;
    struct hr_list_page *page;
    struct hr_buf *token;
    bool *truncated;
    bool url;
    enum state state;
    enum field field;
    const uint8_t *text; /* of the open field */
    const uint8_t *name; /* F_SKIP: the tag's name */
    size_t name_len;
    unsigned seen; /* fields of this Contents */
    size_t owner;  /* inside <Owner>: skipped */
    int64_t count; /* KeyCount, -1 unknown */
    struct hr_list_item *item;
    size_t key_len;
    uint8_t day[10]; /* of the last LastModified, as text, */
    int64_t day_us;  /* and as a time */
    int rc;
};

/* Eight bytes as one number, so that a tag is one compare. */
#define TAG8(a, b, c, d, e, f, g, h)                                                               \
    ((uint64_t)(a) | (uint64_t)(b) << 8 | (uint64_t)(c) << 16 | (uint64_t)(d) << 24 |              \
     (uint64_t)(e) << 32 | (uint64_t)(f) << 40 | (uint64_t)(g) << 48 | (uint64_t)(h) << 56)
#define MASK4 0xffffffffULL
#define MASK5 0xffffffffffULL
#define MASK6 0xffffffffffffULL

static uint64_t load8(const uint8_t *p) {
    uint64_t w;
    memcpy(&w, p, 8);
    return w;
}

static bool give_up(struct scan *s) {
    s->rc = HR_MORE;
    return false;
}

static bool failed(struct scan *s) {
    s->rc = HR_E_NOMEM;
    return false;
}

/* Broken text must not pass just because nobody wants it. */
static bool plain_text(const uint8_t *p, const uint8_t *end) {
    while (p < end) {
        uint64_t found = specials(load8(p), false);
        size_t n = found ? (size_t)__builtin_ctzll(found) / 8 : 8;
        if (n == 8 || n >= (size_t)(end - p)) {
            p += 8;
            continue;
        }
        p += n;
        char scratch[4];
        size_t out;
        size_t used = *p == '&' ? entity(p, end, scratch, &out) : plain_byte(*p);
        if (used == 0) {
            return false;
        }
        p += used;
    }
    return true;
}

static bool open_field(struct scan *s, enum field field, const uint8_t *text) {
    if (s->field != F_NONE || text > s->end) {
        return give_up(s);
    }
    s->field = field;
    s->text = text;
    return true;
}

/* Decodes key or prefix into the page. */
static bool take_key(struct scan *s, const uint8_t *close) {
    char *place;
    size_t len = (size_t)(close - s->text);
    s->item = hr_page_reserve(s->page, len + 8, &place);
    if (s->item == NULL) {
        return failed(s);
    }
    s->key_len = copy_decoded(s->text, len, s->url, place);
    if (s->key_len == SIZE_MAX) {
        s->key_len = hr_s3_decode_text(hr_slice_of(s->text, len), s->url, place);
    }
    return s->key_len == SIZE_MAX || s->key_len == 0 ? give_up(s) : true;
}

static bool take_number(struct scan *s, const uint8_t *close, int64_t *out) {
    int64_t v = 0;
    size_t len = (size_t)(close - s->text);
    if (len == 0 || len > 18) {
        return give_up(s);
    }
    for (size_t i = 0; i < len; i++) {
        if (s->text[i] < '0' || s->text[i] > '9') {
            return give_up(s);
        }
        v = v * 10 + (s->text[i] - '0');
    }
    *out = v;
    return true;
}

static bool take_etag(struct scan *s, const uint8_t *close) {
    struct hr_object_info *info = &s->item->info;
    const uint8_t *p = s->text;
    size_t len = (size_t)(close - p);
    if (len >= 12 && memcmp(p, "&#34;", 5) == 0 && memcmp(close - 5, "&#34;", 5) == 0) {
        p += 5;
        len -= 10;
    } else if (len >= 12 && memcmp(p, "&quot;", 6) == 0 && memcmp(close - 6, "&quot;", 6) == 0) {
        p += 6;
        len -= 12;
    } else if (len >= 2 && p[0] == '"' && close[-1] == '"') {
        p++;
        len -= 2;
    }
    if (len + 8 >= sizeof(info->etag) || copy_decoded(p, len, false, info->etag) == SIZE_MAX ||
        memchr(p, '"', len) != NULL) {
        return give_up(s);
    }
    info->etag[len] = '\0';
    return true;
}

/* Most objects of a page are of the same few days, so the calendar is asked once for each. */
static bool take_time(struct scan *s, const uint8_t *close) {
    const uint8_t *p = s->text;
    int64_t *out = &s->item->info.mtime_us;
    int h;
    int m;
    int sec;
    if (close - p == 24 && memcmp(p, s->day, 10) == 0 && p[10] == 'T' && p[13] == ':' &&
        p[16] == ':' && p[19] == '.' && p[23] == 'Z' && two_digits(p + 11, &h) && h < 24 &&
        two_digits(p + 14, &m) && m < 60 && two_digits(p + 17, &sec) && sec < 60) {
        int millis = (p[20] - '0') * 100 + (p[21] - '0') * 10 + (p[22] - '0');
        if (millis >= 0 && millis <= 999 && p[20] <= '9' && p[21] <= '9' && p[22] <= '9') {
            *out = s->day_us + ((h * 60 + m) * 60 + sec) * 1000000LL + millis * 1000LL;
            return true;
        }
    }
    *out = hr_s3_parse_time(hr_slice_of(p, (size_t)(close - p)));
    if (close - p == 24 && *out != 0) {
        memcpy(s->day, p, 10);
        s->day_us = *out - (*out % 86400000000LL + 86400000000LL) % 86400000000LL;
    }
    return true;
}

static bool take_token(struct scan *s, const uint8_t *close) {
    size_t len = (size_t)(close - s->text);
    hr_buf_clear(s->token);
    if (hr_buf_reserve(s->token, len, NULL) != 0) {
        return failed(s);
    }
    len = hr_s3_decode_text(hr_slice_of(s->text, len), false, (char *)s->token->ptr);
    if (len == SIZE_MAX) {
        return give_up(s);
    }
    s->token->len = len;
    s->token->ptr[len] = '\0';
    return true;
}

static bool take_truncated(struct scan *s, const uint8_t *close) {
    struct hr_slice text = hr_slice_of(s->text, (size_t)(close - s->text));
    *s->truncated = hr_slice_eq_str(text, "true");
    return *s->truncated || hr_slice_eq_str(text, "false") ? true : give_up(s);
}

/* At the closing tag of the open field. */
static bool close_field(struct scan *s, enum field field, const uint8_t *close) {
    if (s->field != field) {
        return give_up(s);
    }
    s->field = F_NONE;
    if (field <= F_SIZE) {
        unsigned bit = 1u << field;
        if (s->seen & bit) {
            return give_up(s);
        }
        s->seen |= bit;
    }
    switch (field) {
    case F_KEY: return take_key(s, close);
    case F_TIME: return take_time(s, close);
    case F_ETAG: return take_etag(s, close);
    case F_SIZE: return take_number(s, close, &s->item->info.size);
    case F_PREFIX:
        if (!take_key(s, close)) {
            return false;
        }
        s->item->info = (struct hr_object_info){.size = 0};
        hr_page_commit(s->page, s->key_len, true);
        return true;
    case F_TRUNCATED: return take_truncated(s, close);
    case F_TOKEN: return take_token(s, close);
    case F_COUNT: return take_number(s, close, &s->count);
    case F_CLASS: return plain_text(s->text, close) ? true : give_up(s);
    default: return true;
    }
}

/* A text element we have no use for: <Name>text</Name>, <Name/> or, in Contents, <Owner> with such
 * elements inside. */
static bool other_tag(struct scan *s, const uint8_t *tag) {
    const uint8_t *gt = memchr(tag, '>', (size_t)(s->end - tag));
    if (gt == NULL || *tag == '!' || *tag == '?' || gt == tag) {
        return give_up(s);
    }
    size_t len = (size_t)(gt - tag);
    for (size_t i = 0; i < len; i++) {
        uint8_t c = tag[i];
        bool name =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9' && i > 0);
        if (!name && !(c == '/' && (i == 0 || i == len - 1))) {
            return give_up(s);
        }
    }
    if (tag[0] == '/') {
        if (len == 6 && memcmp(tag, "/Owner", 6) == 0 && s->owner == 1 && s->field == F_NONE) {
            s->owner = 0;
            return true;
        }
        if (s->field != F_SKIP || len - 1 != s->name_len ||
            memcmp(tag + 1, s->name, s->name_len) != 0) {
            return give_up(s);
        }
        s->field = F_NONE;
        return plain_text(s->text, tag - 1) ? true : give_up(s);
    }
    if (s->field != F_NONE || s->state == S_START || s->state == S_AFTER) {
        return give_up(s);
    }
    if (tag[len - 1] == '/') {
        return len > 1 ? true : give_up(s);
    }
    if (len == 5 && memcmp(tag, "Owner", 5) == 0) {
        s->owner++;
        return s->state == S_CONTENTS && s->owner == 1 ? true : give_up(s);
    }
    s->name = tag;
    s->name_len = len;
    return open_field(s, F_SKIP, gt + 1);
}

static bool open_root(struct scan *s, const uint8_t *tag) {
    const uint8_t *gt = memchr(tag, '>', (size_t)(s->end - tag));
    if (gt == NULL || s->state != S_START || gt - tag < 16 ||
        memcmp(tag, "ListBucketResult", 16) != 0) {
        return give_up(s);
    }
    /* At most the one attribute xmlns="…". */
    const uint8_t *p = tag + 16;
    if (p < gt) {
        if (gt - p < 9 || memcmp(p, " xmlns=\"", 8) != 0 || gt[-1] != '"' ||
            memchr(p + 8, '"', (size_t)(gt - 1 - (p + 8))) != NULL ||
            memchr(p, '&', (size_t)(gt - p)) != NULL || memchr(p, '<', (size_t)(gt - p)) != NULL) {
            return give_up(s);
        }
        for (; p < gt; p++) {
            if (!plain_byte(*p) || *p >= 0x80) {
                return give_up(s);
            }
        }
    }
    s->state = S_ROOT;
    return true;
}

static bool change(struct scan *s, enum state from, enum state to, const uint8_t *tag,
                   const char *rest) {
    if (s->state != from || s->field != F_NONE || s->owner != 0 ||
        (size_t)(s->end - tag) < strlen(rest) || memcmp(tag, rest, strlen(rest)) != 0) {
        return give_up(s);
    }
    s->state = to;
    return true;
}

static bool begin_contents(struct scan *s, const uint8_t *tag) {
    s->seen = 0;
    return change(s, S_ROOT, S_CONTENTS, tag, "Contents>");
}

static bool end_contents(struct scan *s, const uint8_t *tag) {
    const unsigned need = 1u << F_KEY | 1u << F_SIZE;
    if ((s->seen & need) != need) {
        return give_up(s);
    }
    if (!(s->seen & 1u << F_TIME)) {
        s->item->info.mtime_us = 0;
    }
    if (!(s->seen & 1u << F_ETAG)) {
        s->item->info.etag[0] = '\0';
    }
    hr_page_commit(s->page, s->key_len, false);
    return change(s, S_CONTENTS, S_ROOT, tag, "/Contents>");
}

/* Tags in Contents. The key comes first everywhere; another order is for expat. */
static bool tag_in_contents(struct scan *s, const uint8_t *tag) {
    uint64_t w = load8(tag);
    if (s->owner == 0) {
        if ((w & MASK4) == TAG8('K', 'e', 'y', '>', 0, 0, 0, 0)) {
            return open_field(s, F_KEY, tag + 4);
        }
        if ((w & MASK5) == TAG8('/', 'K', 'e', 'y', '>', 0, 0, 0)) {
            return close_field(s, F_KEY, tag - 1);
        }
        if (!(s->seen & 1u << F_KEY)) {
            return give_up(s);
        }
        if ((w & MASK5) == TAG8('S', 'i', 'z', 'e', '>', 0, 0, 0)) {
            return open_field(s, F_SIZE, tag + 5);
        }
        if ((w & MASK6) == TAG8('/', 'S', 'i', 'z', 'e', '>', 0, 0)) {
            return close_field(s, F_SIZE, tag - 1);
        }
        if ((w & MASK5) == TAG8('E', 'T', 'a', 'g', '>', 0, 0, 0)) {
            return open_field(s, F_ETAG, tag + 5);
        }
        if ((w & MASK6) == TAG8('/', 'E', 'T', 'a', 'g', '>', 0, 0)) {
            return close_field(s, F_ETAG, tag - 1);
        }
        if (w == TAG8('L', 'a', 's', 't', 'M', 'o', 'd', 'i') && memcmp(tag + 8, "fied>", 5) == 0) {
            return open_field(s, F_TIME, tag + 13);
        }
        if (w == TAG8('/', 'L', 'a', 's', 't', 'M', 'o', 'd') &&
            memcmp(tag + 8, "ified>", 6) == 0) {
            return close_field(s, F_TIME, tag - 1);
        }
        if (w == TAG8('/', 'C', 'o', 'n', 't', 'e', 'n', 't')) {
            return end_contents(s, tag);
        }
        if (w == TAG8('S', 't', 'o', 'r', 'a', 'g', 'e', 'C') && memcmp(tag + 8, "lass>", 5) == 0) {
            return open_field(s, F_CLASS, tag + 13);
        }
        if (w == TAG8('/', 'S', 't', 'o', 'r', 'a', 'g', 'e') &&
            memcmp(tag + 8, "Class>", 6) == 0) {
            return close_field(s, F_CLASS, tag - 1);
        }
    }
    return other_tag(s, tag);
}

static bool starts(const struct scan *s, const uint8_t *tag, const char *name) {
    size_t n = strlen(name);
    return (size_t)(s->end - tag) >= n && memcmp(tag, name, n) == 0;
}

static bool tag_in_prefixes(struct scan *s, const uint8_t *tag) {
    if (starts(s, tag, "Prefix>")) {
        s->seen++;
        return s->seen == 1 ? open_field(s, F_PREFIX, tag + 7) : give_up(s);
    }
    if (starts(s, tag, "/Prefix>")) {
        return close_field(s, F_PREFIX, tag - 1);
    }
    return s->seen == 1 ? change(s, S_PREFIXES, S_ROOT, tag, "/CommonPrefixes>") : give_up(s);
}

/* Tags directly below the root. */
static bool tag_in_root(struct scan *s, const uint8_t *tag) {
    static const struct {
        const char *name;
        enum field field;
    } fields[] = {
        {"IsTruncated>", F_TRUNCATED}, {"NextContinuationToken>", F_TOKEN}, {"KeyCount>", F_COUNT}};
    if (load8(tag) == TAG8('C', 'o', 'n', 't', 'e', 'n', 't', 's')) {
        return begin_contents(s, tag);
    }
    if (starts(s, tag, "CommonPrefixes>")) {
        s->seen = 0;
        return change(s, S_ROOT, S_PREFIXES, tag, "CommonPrefixes>");
    }
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (starts(s, tag, fields[i].name)) {
            return open_field(s, fields[i].field, tag + strlen(fields[i].name));
        }
        if (tag[0] == '/' && starts(s, tag + 1, fields[i].name)) {
            return close_field(s, fields[i].field, tag - 1);
        }
    }
    if (starts(s, tag, "/ListBucketResult>")) {
        return change(s, S_ROOT, S_AFTER, tag, "/ListBucketResult>");
    }
    return other_tag(s, tag);
}

/* At every '<'; `tag` is the byte behind it. False ends the scan, s->rc says why. */
static inline bool at_tag(struct scan *s, const uint8_t *tag) {
    switch (s->state) {
    case S_CONTENTS: return tag_in_contents(s, tag);
    case S_ROOT: return tag_in_root(s, tag);
    case S_PREFIXES: return tag_in_prefixes(s, tag);
    case S_START: return open_root(s, tag);
    case S_AFTER: break;
    }
    return give_up(s);
}

/* ---- the pass over '<' ---------------------------------------------------------------------- */

static void pass_scalar(struct scan *s, const uint8_t *p) {
    while (p < s->end && (p = memchr(p, '<', (size_t)(s->end - p))) != NULL) {
        if (!at_tag(s, p + 1)) {
            return;
        }
        p++;
    }
}

#if HR_X86
HR_TARGET_AVX2 static void pass_avx2(struct scan *s, const uint8_t *p) {
    const __m256i lt = _mm256_set1_epi8('<');
    while (s->end - p >= 64) {
        __m256i a = _mm256_loadu_si256((const __m256i *)(const void *)p);
        __m256i b = _mm256_loadu_si256((const __m256i *)(const void *)(p + 32));
        uint64_t mask = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(a, lt)) |
                        (uint64_t)(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(b, lt)) << 32;
        while (mask != 0) {
            if (!at_tag(s, p + _tzcnt_u64(mask) + 1)) {
                return;
            }
            mask = _blsr_u64(mask);
        }
        p += 64;
    }
    pass_scalar(s, p);
}
#endif

/* Where the root starts; NULL when the prolog is not the usual one. */
static const uint8_t *skip_prolog(const uint8_t *p, const uint8_t *end) {
    static const char bom[] = "\xef\xbb\xbf";
    if (end - p >= 3 && memcmp(p, bom, 3) == 0) {
        p += 3;
    }
    if (end - p >= 5 && memcmp(p, "<?xml", 5) == 0) {
        const uint8_t *close = memmem(p, (size_t)(end - p), "?>", 2);
        /* Another encoding than UTF-8 is for expat, which knows some. */
        if (close == NULL || close - p > 64 ||
            (memmem(p, (size_t)(close - p), "encoding", 8) != NULL &&
             memmem(p, (size_t)(close - p), "UTF-8", 5) == NULL)) {
            return NULL;
        }
        p = close + 2;
    }
    while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t')) {
        p++;
    }
    return p < end && *p == '<' ? p : NULL;
}

/* Is what stands at p inside an object or a prefix? Then the next tag of either is a closing one.
 */
static bool is_inside_item(const uint8_t *p, const uint8_t *end) {
    static const char *const tags[] = {"Contents>", "CommonPrefixes>"};
    const uint8_t *first = NULL;
    for (size_t i = 0; i < 2; i++) {
        const size_t n = strlen(tags[i]);
        const uint8_t *at = p;
        while ((at = memmem(at, (size_t)(end - at), tags[i], n)) != NULL && at[-1] != '<' &&
               at[-1] != '/') {
            at += n;
        }
        first = at != NULL && (first == NULL || at < first) ? at : first;
    }
    return first != NULL && first[-1] == '/';
}

/* Says the list so itself, in these bytes of it? end: of the whole list. */
static bool says_url(const uint8_t *p, size_t len, const uint8_t *end) {
    static const char tag[] = "<EncodingType>url</EncodingType>";
    const size_t n = sizeof(tag) - 1;
    const uint8_t *stop = p + len;
    for (int tries = 0; tries < 16; tries++) { /* no server writes it into an object even once */
        p = memmem(p, (size_t)(stop - p), tag, n);
        if (p == NULL) {
            break;
        }
        p += n;
        if (!is_inside_item(p, end)) {
            return true;
        }
    }
    return false;
}

static bool is_url_encoded(struct hr_slice text) {
    const size_t near = 2048;
    const uint8_t *end = text.ptr + text.len;
    if (text.len <= 2 * near) {
        return text.len > 0 && says_url(text.ptr, text.len, end);
    }
    return says_url(text.ptr, near, end) || says_url(end - near, near, end) ||
           says_url(text.ptr, text.len, end);
}

int hr_s3_scan_list(struct hr_slice text, struct hr_list_page *page, struct hr_buf *token,
                    bool *truncated, struct hr_error *err) {
    struct scan s = {
        .end = text.ptr + text.len,
        .page = page,
        .token = token,
        .truncated = truncated,
        .count = -1,
    };
    *truncated = false;
    hr_buf_clear(token);
    const uint8_t *begin = skip_prolog(text.ptr, s.end);
    if (begin == NULL) {
        return HR_MORE;
    }
    int rc = hr_page_begin(page, text.len / 4 + 64, err);
    if (rc != 0) {
        return rc;
    }
    s.url = is_url_encoded(text);
#if HR_X86
    if (hr_cpu_get()->avx2) {
        pass_avx2(&s, begin);
    } else {
        pass_scalar(&s, begin);
    }
#else
    pass_scalar(&s, begin);
#endif
    if (s.rc == HR_E_NOMEM) {
        return hr_fail(err, HR_E_NOMEM, "could not read a listing: out of memory");
    }
    bool whole = s.rc == 0 && s.state == S_AFTER && (*truncated == (token->len > 0));
    return whole && (s.count < 0 || s.count == (int64_t)page->count) ? 0 : HR_MORE;
}
