/* base/slice.c - the owning byte buffer and safe printing of untrusted bytes. */
#include "base/slice.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"

#define BUF_DEFAULT_MAX ((size_t)1 << 30)

void hr_buf_init(struct hr_buf *buf, size_t max) {
    *buf = (struct hr_buf){.max = max};
}

void hr_buf_release(struct hr_buf *buf) {
    hr_free(buf->ptr);
    buf->ptr = NULL;
    buf->len = buf->cap = 0;
}

int hr_buf_reserve(struct hr_buf *buf, size_t extra, struct hr_error *err) {
    const size_t max = buf->max ? buf->max : BUF_DEFAULT_MAX;
    if (extra > max || buf->len > max - extra) {
        return hr_fail(err, HR_E_BOUND, "could not grow a buffer over its bound of %zu bytes", max);
    }
    const size_t need = buf->len + extra + 1;
    if (need <= buf->cap) {
        return 0;
    }
    size_t cap = buf->cap + buf->cap / 2;
    if (cap < need) {
        cap = need < 64 ? 64 : need;
    }
    if (cap > max + 1) {
        cap = max + 1;
    }
    uint8_t *grown = hr_realloc(buf->ptr, cap);
    if (grown == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate %zu bytes", cap);
    }
    buf->ptr = grown;
    buf->cap = cap;
    return 0;
}

int hr_buf_append(struct hr_buf *buf, const void *ptr, size_t len, struct hr_error *err) {
    const int rc = hr_buf_reserve(buf, len, err);
    if (rc != 0) {
        return rc;
    }
    if (len > 0) {
        memcpy(buf->ptr + buf->len, ptr, len);
    }
    buf->len += len;
    buf->ptr[buf->len] = '\0';
    return 0;
}

int hr_buf_append_str(struct hr_buf *buf, const char *text, struct hr_error *err) {
    return hr_buf_append(buf, text, strlen(text), err);
}

int hr_buf_append_byte(struct hr_buf *buf, uint8_t byte, struct hr_error *err) {
    return hr_buf_append(buf, &byte, 1, err);
}

int hr_buf_printf(struct hr_buf *buf, struct hr_error *err, const char *format, ...) {
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    const int len = vsnprintf(NULL, 0, format, args);
    int rc = len < 0 ? HR_E_INTERNAL : hr_buf_reserve(buf, (size_t)len, err);
    if (rc == 0) {
        vsnprintf((char *)buf->ptr + buf->len, (size_t)len + 1, format, again);
        buf->len += (size_t)len;
    }
    va_end(again);
    va_end(args);
    return rc;
}

char *hr_buf_detach(struct hr_buf *buf) {
    if (buf->ptr == NULL && hr_buf_append(buf, "", 0, NULL) != 0) {
        return NULL;
    }
    char *text = (char *)buf->ptr;
    buf->ptr = NULL;
    buf->len = buf->cap = 0;
    return text;
}

/* Length of the valid UTF-8 sequence at p (1..4), or 0. RFC 3629: no surrogates, no overlongs. */
static size_t utf8_len(const uint8_t *p, size_t left) {
    const uint8_t c = p[0];
    if (c < 0x80) {
        return 1;
    }
    const size_t n = c >= 0xc2 && c <= 0xdf   ? 2
                     : (c & 0xf0) == 0xe0     ? 3
                     : c >= 0xf0 && c <= 0xf4 ? 4
                                              : 0;
    if (n == 0 || left < n) {
        return 0;
    }
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    if ((c == 0xe0 && p[1] < 0xa0) || (c == 0xed && p[1] > 0x9f) || (c == 0xf0 && p[1] < 0x90) ||
        (c == 0xf4 && p[1] > 0x8f)) {
        return 0;
    }
    return n;
}

static int append_json_escape(struct hr_buf *buf, uint8_t byte, struct hr_error *err) {
    static const char short_names[] = {
        ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
    if (byte == '"' || byte == '\\') {
        const char text[2] = {'\\', (char)byte};
        return hr_buf_append(buf, text, 2, err);
    }
    if (byte < sizeof(short_names) && short_names[byte] != 0) {
        const char text[2] = {'\\', short_names[byte]};
        return hr_buf_append(buf, text, 2, err);
    }
    return hr_buf_printf(buf, err, "\\u%04x", byte);
}

int hr_buf_append_json(struct hr_buf *buf, struct hr_slice text, struct hr_error *err) {
    int rc = hr_buf_append_byte(buf, '"', err);
    size_t start = 0;
    size_t i = 0;
    while (rc == 0 && i < text.len) {
        const uint8_t byte = text.ptr[i];
        if (byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\') {
            i++;
            continue;
        }
        const size_t n = byte >= 0x80 ? utf8_len(text.ptr + i, text.len - i) : 0;
        if (n > 0) {
            i += n;
            continue;
        }
        rc = hr_buf_append(buf, text.ptr + start, i - start, err);
        if (rc == 0) {
            rc = byte >= 0x80 ? hr_buf_append(buf, "\xef\xbf\xbd", 3, err)
                              : append_json_escape(buf, byte, err);
        }
        start = ++i;
    }
    if (rc == 0) {
        rc = hr_buf_append(buf, text.ptr + start, i - start, err);
    }
    return rc == 0 ? hr_buf_append_byte(buf, '"', err) : rc;
}

char *hr_printable(struct hr_slice text, size_t max, char *out, size_t size) {
    static const char cut_mark[] = "\xe2\x80\xa6";
    size_t n = 0;
    size_t i = 0;
    if (size == 0) {
        return out;
    }
    while (i < text.len && i < max && n + 8 < size) {
        const size_t len = utf8_len(text.ptr + i, text.len - i);
        if (len == 0 || (len == 1 && (text.ptr[i] < 0x20 || text.ptr[i] == 0x7f)) ||
            (len == 2 && text.ptr[i] == 0xc2 && text.ptr[i + 1] < 0xa0)) {
            n += (size_t)snprintf(out + n, size - n, "\\x%02x", text.ptr[i]);
            i++;
        } else {
            memcpy(out + n, text.ptr + i, len);
            n += len;
            i += len;
        }
    }
    if (i < text.len && n + sizeof(cut_mark) <= size) {
        memcpy(out + n, cut_mark, sizeof(cut_mark) - 1);
        n += sizeof(cut_mark) - 1;
    }
    out[n] = '\0';
    return out;
}
