/* config/load.c - files and stdin to JSON documents, JSON side and variables.
 *
 * A document that begins with { or [ is JSON, anything else YAML (load_yaml.c). Parser messages of
 * jansson quote the text near an error, which in a config may be a secret: that part is cut off,
 * the place is enough to find it.
 */
#include "config/load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "config/load_internal.h"

static const char *shown_name(const char *path) {
    return strcmp(path, "-") == 0 ? "standard input" : path;
}

static int read_all(int fd, const char *path, struct hr_buf *buf, struct hr_error *err) {
    for (;;) {
        int rc = hr_buf_reserve(buf, 64u << 10, err);
        if (rc == HR_E_BOUND) {
            return hr_fail(err, HR_E_CONFIG, "could not read \"%s\": it is over %u MiB",
                           shown_name(path), HR_CONFIG_SIZE_MAX >> 20);
        }
        if (rc) {
            return rc;
        }
        ssize_t n = read(fd, buf->ptr + buf->len, 64u << 10);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return hr_fail_errno(err, errno, "could not read \"%s\"", shown_name(path));
        }
        if (n == 0) {
            buf->ptr[buf->len] = 0;
            return 0;
        }
        buf->len += (size_t)n;
    }
}

int hr_config_read(const char *path, unsigned flags, struct hr_buf *buf, struct hr_error *err) {
    hr_buf_init(buf, HR_CONFIG_SIZE_MAX + (128u << 10));
    bool input = strcmp(path, "-") == 0;
    int fd = input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        if (errno == ENOENT && (flags & HR_LOAD_OPTIONAL)) {
            return HR_END;
        }
        int saved = errno;
        int rc = hr_fail_errno(err, saved, "could not open \"%s\"", path);
        if (saved == ENOENT && err) {
            err->code = HR_E_CONFIG;
        }
        return saved == ENOENT ? HR_E_CONFIG : rc;
    }
    int rc = read_all(fd, path, buf, err);
    if (!input) {
        close(fd);
    }
    if (rc) {
        hr_buf_release(buf);
    } else if (buf->len > HR_CONFIG_SIZE_MAX) {
        hr_buf_release(buf);
        rc = hr_fail(err, HR_E_CONFIG, "could not read \"%s\": it is over %u MiB", path,
                     HR_CONFIG_SIZE_MAX >> 20);
    }
    return rc;
}

/* ---- variables ------------------------------------------------------------------------------- */

/* Appends the value of the ${...} whose inside is text[0..len). */
static int expand_variable(const char *text, size_t len, struct hr_buf *out, const char *name,
                           struct hr_error *err) {
    char variable[128];
    size_t n = 0;
    while (n < len &&
           (text[n] == '_' || (text[n] >= 'A' && text[n] <= 'Z') ||
            (text[n] >= 'a' && text[n] <= 'z') || (n > 0 && text[n] >= '0' && text[n] <= '9'))) {
        n++;
    }
    bool has_default = len - n >= 2 && text[n] == ':' && text[n + 1] == '-';
    if (n == 0 || n >= sizeof variable || (n < len && !has_default)) {
        return hr_fail(err, HR_E_CONFIG,
                       "could not read \"%s\": ${...} holds a name that is not a variable's", name);
    }
    memcpy(variable, text, n);
    variable[n] = 0;
    const char *value = getenv(variable);
    if (has_default && (value == NULL || *value == 0)) {
        return hr_buf_append(out, text + n + 2, len - n - 2, err);
    }
    if (value == NULL) {
        int rc = hr_fail(err, HR_E_CONFIG,
                         "could not read \"%s\": the environment variable %s is not set", name,
                         variable);
        hr_error_hint(err, "Set it, or give a default: ${%s:-...}.", variable);
        return rc;
    }
    return hr_buf_append_str(out, value, err);
}

int hr_config_expand(const char *text, size_t len, const char *name, struct hr_buf *out,
                     struct hr_error *err) {
    size_t i = 0;
    while (i < len) {
        const char *dollar = memchr(text + i, '$', len - i);
        size_t plain = dollar ? (size_t)(dollar - text) - i : len - i;
        int rc = hr_buf_append(out, text + i, plain, err);
        i += plain;
        if (rc == 0 && i + 1 < len && text[i + 1] == '$') {
            rc = hr_buf_append_byte(out, '$', err);
            i += 2;
        } else if (rc == 0 && i + 1 < len && text[i + 1] == '{') {
            const char *end = memchr(text + i, '}', len - i);
            if (end == NULL) {
                return hr_fail(err, HR_E_CONFIG, "could not read \"%s\": a ${ has no }", name);
            }
            rc = expand_variable(text + i + 2, (size_t)(end - text) - i - 2, out, name, err);
            i = (size_t)(end - text) + 1;
        } else if (rc == 0 && i < len) {
            rc = hr_buf_append_byte(out, '$', err);
            i++;
        }
        if (rc) {
            return rc;
        }
    }
    return 0;
}

static int substitute_string(json_t *value, const char *name, struct hr_error *err) {
    const char *text = json_string_value(value);
    size_t len = json_string_length(value);
    if (memchr(text, '$', len) == NULL) {
        return 0;
    }
    struct hr_buf out;
    hr_buf_init(&out, HR_CONFIG_SIZE_MAX);
    int rc = hr_config_expand(text, len, name, &out, err);
    if (rc == 0 && json_string_setn(value, hr_buf_cstr(&out), out.len)) {
        rc = hr_fail(err, HR_E_CONFIG,
                     "could not read \"%s\": a variable's value is not valid UTF-8", name);
    }
    hr_buf_release(&out);
    return rc;
}

int hr_config_substitute(json_t *doc, const char *name, struct hr_error *err) {
    int rc = 0;
    if (json_is_string(doc)) {
        return substitute_string(doc, name, err);
    }
    for (size_t i = 0; json_is_array(doc) && rc == 0 && i < json_array_size(doc); i++) {
        rc = hr_config_substitute(json_array_get(doc, i), name, err);
    }
    if (json_is_object(doc)) {
        const char *key = NULL;
        json_t *value = NULL;
        json_object_foreach(doc, key, value) {
            rc = hr_config_substitute(value, name, err);
            if (rc) {
                break;
            }
        }
    }
    return rc;
}

/* ---- parsing --------------------------------------------------------------------------------- */

static int parse_json(struct hr_slice text, const char *name, json_t **out, struct hr_error *err) {
    json_error_t where;
    json_t *doc = json_loadb((const char *)text.ptr, text.len, JSON_REJECT_DUPLICATES, &where);
    if (doc) {
        *out = doc;
        return 0;
    }
    if (json_error_code(&where) == json_error_out_of_memory) {
        return hr_fail(err, HR_E_NOMEM, "out of memory while reading \"%s\"", name);
    }
    char *near = strstr(where.text, " near ");
    if (near) {
        *near = 0;
    }
    char shown[160];
    hr_printable(hr_slice_str(where.text), 140, shown, sizeof shown);
    int rc = hr_fail(err, HR_E_CONFIG, "could not read %s:%d:%d: it is not valid JSON: %s", name,
                     where.line, where.column, shown);
    hr_error_object(err, name);
    hr_error_place(err, where.position, where.line, NULL);
    return rc;
}

int hr_config_parse(struct hr_slice text, const char *name, unsigned flags, json_t **out,
                    struct hr_error *err) {
    *out = NULL;
    if (text.len >= 3 && memcmp(text.ptr, "\xEF\xBB\xBF", 3) == 0) {
        text = hr_slice_of(text.ptr + 3, text.len - 3);
    }
    size_t blank = 0;
    while (blank < text.len && (text.ptr[blank] == ' ' || text.ptr[blank] == '\t' ||
                                text.ptr[blank] == '\r' || text.ptr[blank] == '\n')) {
        blank++;
    }
    if (blank == text.len) {
        return (flags & HR_LOAD_EMPTY)
                   ? 0
                   : hr_fail(err, HR_E_CONFIG, "could not read \"%s\": it is empty", name);
    }
    if (text.len > HR_CONFIG_SIZE_MAX) {
        return hr_fail(err, HR_E_CONFIG, "could not read \"%s\": it is over %u MiB", name,
                       HR_CONFIG_SIZE_MAX >> 20);
    }
    if (memchr(text.ptr, 0, text.len)) { /* jansson passes over some */
        return hr_fail(err, HR_E_CONFIG, "could not read \"%s\": it contains a NUL byte", name);
    }
    if (text.ptr[blank] != '{' && text.ptr[blank] != '[') {
        return hr_config_parse_yaml(text, name, out, err);
    }
    int rc = parse_json(text, name, out, err);
    if (rc == 0 && (flags & HR_LOAD_ENV)) {
        rc = hr_config_substitute(*out, name, err);
        if (rc) {
            json_decref(*out);
            *out = NULL;
        }
    }
    return rc;
}

int hr_config_load(const char *path, unsigned flags, json_t **out, struct hr_error *err) {
    struct hr_buf buf;
    *out = NULL;
    int rc = hr_config_read(path, flags, &buf, err);
    if (rc) {
        hr_buf_release(&buf);
        return rc == HR_END ? 0 : rc;
    }
    rc = hr_config_parse(hr_buf_slice(&buf), shown_name(path), flags, out, err);
    explicit_bzero(buf.ptr, buf.len); /* configs hold secrets */
    hr_buf_release(&buf);
    return rc;
}

char *hr_config_dir(const char *path) {
    const char *slash = path ? strrchr(path, '/') : NULL;
    if (slash == NULL) {
        return hr_strdup(".");
    }
    return slash == path ? hr_strdup("/") : hr_strndup(path, (size_t)(slash - path));
}
