/* cred/ini.c - reads AWS's shared config and credentials files.
 *
 * The format (AWS SDKs and tools reference guide, "Format of the config file"): sections in
 * brackets, `key = value` lines, comments from '#' or ';' at the start of a line or behind a blank,
 * and settings nested one level by indentation. */
#include "cred/ini.h"

static bool is_blank(uint8_t c) {
    return c == ' ' || c == '\t' || c == '\r';
}

static struct hr_slice trim(struct hr_slice s) {
    while (s.len > 0 && is_blank(s.ptr[0])) {
        s.ptr++;
        s.len--;
    }
    while (s.len > 0 && is_blank(s.ptr[s.len - 1])) {
        s.len--;
    }
    return s;
}

/* Cuts a comment that follows a blank. */
static struct hr_slice without_comment(struct hr_slice value) {
    for (size_t i = 1; i < value.len; i++) {
        if ((value.ptr[i] == '#' || value.ptr[i] == ';') && is_blank(value.ptr[i - 1])) {
            value.len = i;
            break;
        }
    }
    return trim(value);
}

/* "outer.inner" in a fixed place; longer names are not ours. */
static struct hr_slice nested(struct hr_slice outer, struct hr_slice inner, char *buf,
                              size_t size) {
    if (outer.len + 1 + inner.len > size) {
        return hr_slice_of("", 0);
    }
    memcpy(buf, outer.ptr, outer.len);
    buf[outer.len] = '.';
    memcpy(buf + outer.len + 1, inner.ptr, inner.len);
    return hr_slice_of(buf, outer.len + 1 + inner.len);
}

int hr_ini_each(struct hr_slice text, hr_ini_fn fn, void *user) {
    struct hr_slice section = hr_slice_of("", 0);
    struct hr_slice outer = hr_slice_of("", 0);
    char both[256];
    int rc = 0;
    while (text.len > 0 && rc == 0) {
        const uint8_t *nl = memchr(text.ptr, '\n', text.len);
        struct hr_slice line = hr_slice_of(text.ptr, nl ? (size_t)(nl - text.ptr) : text.len);
        size_t step = line.len + (nl != NULL);
        text.ptr += step;
        text.len -= step;
        bool indented = line.len > 0 && is_blank(line.ptr[0]);
        line = trim(line);
        if (line.len == 0 || line.ptr[0] == '#' || line.ptr[0] == ';') {
            continue;
        }
        if (line.ptr[0] == '[') {
            const uint8_t *end = memchr(line.ptr, ']', line.len);
            section = end ? trim(hr_slice_of(line.ptr + 1, (size_t)(end - line.ptr) - 1))
                          : hr_slice_of("", 0);
            outer.len = 0;
            continue;
        }
        const uint8_t *eq = memchr(line.ptr, '=', line.len);
        if (eq == NULL || eq == line.ptr) {
            continue;
        }
        struct hr_slice key = trim(hr_slice_of(line.ptr, (size_t)(eq - line.ptr)));
        struct hr_slice value =
            without_comment(hr_slice_of(eq + 1, line.len - (size_t)(eq - line.ptr) - 1));
        if (indented && outer.len > 0) {
            key = nested(outer, key, both, sizeof(both));
        } else {
            outer = value.len == 0 ? key : hr_slice_of("", 0);
        }
        if (key.len > 0) {
            rc = fn(user, section, key, value);
        }
    }
    return rc;
}
