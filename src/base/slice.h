/* base/slice.h - the two byte types: hr_slice is a view, hr_buf owns and has a hard maximum. */
#ifndef HR_BASE_SLICE_H
#define HR_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "headrace/error.h"

/* A view of bytes somebody else owns. Never assumes a NUL. */
struct hr_slice {
    const uint8_t *ptr;
    size_t len;
};

static inline struct hr_slice hr_slice_of(const void *ptr, size_t len) {
    return (struct hr_slice){(const uint8_t *)ptr, len};
}
static inline struct hr_slice hr_slice_str(const char *text) {
    return (struct hr_slice){(const uint8_t *)text, text ? strlen(text) : 0};
}
static inline bool hr_slice_eq(struct hr_slice a, struct hr_slice b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}
static inline bool hr_slice_eq_str(struct hr_slice a, const char *text) {
    return hr_slice_eq(a, hr_slice_str(text));
}

/* An owned, growing byte string. `max` bounds it for ever; `ptr[len]` is always readable and, once
 * anything was appended, NUL, so a buf of text can be used as a C string. */
struct hr_buf {
    uint8_t *ptr; /* NULL until the first append */
    size_t len;
    size_t cap;
    size_t max; /* 0 means 1 GiB */
};

void hr_buf_init(struct hr_buf *buf, size_t max);
void hr_buf_release(struct hr_buf *buf); /* frees; the buf may be used again */
static inline void hr_buf_clear(struct hr_buf *buf) {
    buf->len = 0; /* keeps the memory */
    if (buf->ptr != NULL) {
        buf->ptr[0] = '\0';
    }
}
/* Room for `extra` more bytes (plus NUL). HR_E_BOUND over max, HR_E_NOMEM. */
int hr_buf_reserve(struct hr_buf *buf, size_t extra, struct hr_error *err);
int hr_buf_append(struct hr_buf *buf, const void *ptr, size_t len, struct hr_error *err);
int hr_buf_append_str(struct hr_buf *buf, const char *text, struct hr_error *err);
int hr_buf_append_byte(struct hr_buf *buf, uint8_t byte, struct hr_error *err);
int hr_buf_printf(struct hr_buf *buf, struct hr_error *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* JSON string with quotes: escapes what must be, invalid UTF-8 becomes U+FFFD. */
int hr_buf_append_json(struct hr_buf *buf, struct hr_slice text, struct hr_error *err);
/* Text as a C string that the caller owns (hr_free); the buf is empty afterwards. NULL: no memory.
 */
char *hr_buf_detach(struct hr_buf *buf);
static inline struct hr_slice hr_buf_slice(const struct hr_buf *buf) {
    return (struct hr_slice){buf->ptr, buf->len};
}
static inline const char *hr_buf_cstr(const struct hr_buf *buf) {
    return buf->ptr ? (const char *)buf->ptr : "";
}

/* Copy at most `max` bytes of untrusted text into out (size bytes) with control bytes and invalid
 * UTF-8 shown as \xNN; always NUL-terminated; "…" marks a cut. Returns out. For messages. */
char *hr_printable(struct hr_slice text, size_t max, char *out, size_t size);

#endif
