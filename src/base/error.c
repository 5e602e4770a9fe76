/* base/error.c - the error record and the one table of codes (headrace/error.h). */
#include "headrace/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct code_row {
    int code;
    int exit_status;
    enum hr_error_class class_;
    const char *name;
    const char *sentence;
};

static const struct code_row CODES[] = {
#define X(name_, number, exit_, klass, text_)                                                      \
    {.code = (number),                                                                             \
     .exit_status = (exit_),                                                                       \
     .class_ = HR_CLASS_##klass,                                                                   \
     .name = #name_,                                                                               \
     .sentence = (text_)},
    HR_ERROR_TABLE(X)
#undef X
};

static const struct code_row *find_row(int code) {
    for (size_t i = 0; i < sizeof(CODES) / sizeof(CODES[0]); i++) {
        if (CODES[i].code == code) {
            return &CODES[i];
        }
    }
    return NULL;
}

const char *hr_code_name(int code) {
    static const char *const conditions[] = {"OK", "END", "MORE", "WIDEN"};
    if (code >= 0) {
        return code <= HR_WIDEN ? conditions[code] : "OK";
    }
    const struct code_row *row = find_row(code);
    return row ? row->name : "INTERNAL";
}

const char *hr_code_sentence(int code) {
    const struct code_row *row = find_row(code);
    return row ? row->sentence : (code >= 0 ? "done" : "internal error");
}

int hr_code_exit(int code) {
    const struct code_row *row = find_row(code);
    return row ? row->exit_status : (code >= 0 ? 0 : 1);
}

enum hr_error_class hr_code_class(int code) {
    const struct code_row *row = find_row(code);
    return row ? row->class_ : (code >= 0 ? HR_CLASS_NONE : HR_CLASS_INTERNAL);
}

void hr_error_clear(struct hr_error *err) {
    if (err == NULL) {
        return;
    }
    err->code = HR_OK;
    err->message[0] = err->detail[0] = err->hint[0] = err->object[0] = err->column[0] = '\0';
    err->byte_offset = -1;
    err->line = -1;
}

int hr_vfail(struct hr_error *err, int code, const char *format, va_list args) {
    if (err != NULL) {
        hr_error_clear(err);
        err->code = code;
        vsnprintf(err->message, sizeof(err->message), format, args);
    }
    return code;
}

int hr_fail(struct hr_error *err, int code, const char *format, ...) {
    va_list args;
    va_start(args, format);
    hr_vfail(err, code, format, args);
    va_end(args);
    return code;
}

static int code_of_errno(int errnum) {
    switch (errnum) {
    case ENOSPC:
    case EDQUOT: return HR_E_NOSPACE;
    case ENOENT:
    case ENOTDIR: return HR_E_NO_OBJECT;
    case EACCES:
    case EPERM:
    case EROFS: return HR_E_FORBIDDEN;
    case ENOMEM: return HR_E_NOMEM;
    case EEXIST: return HR_E_EXISTS;
    default: return HR_E_IO;
    }
}

int hr_fail_errno(struct hr_error *err, int errnum, const char *format, ...) {
    const int code = code_of_errno(errnum);
    if (err == NULL) {
        return code;
    }
    va_list args;
    va_start(args, format);
    hr_vfail(err, code, format, args);
    va_end(args);
    char text[128];
    const char *system_text = strerror_r(errnum, text, sizeof(text));
    const size_t used = strlen(err->message);
    snprintf(err->message + used, sizeof(err->message) - used, ": %s", system_text);
    if (code == HR_E_NOSPACE) {
        hr_error_hint(err, "free some space or choose another folder, then run again: nothing "
                           "half-written was published");
    }
    return code;
}

void hr_error_hint_damaged(struct hr_error *err) {
    if (err != NULL && err->code == HR_E_CORRUPT && err->hint[0] == '\0') {
        hr_error_hint(err, "the object is damaged: upload it again, or leave it out");
    }
}

void hr_error_hint(struct hr_error *err, const char *format, ...) {
    if (err == NULL) {
        return;
    }
    va_list args;
    va_start(args, format);
    vsnprintf(err->hint, sizeof(err->hint), format, args);
    va_end(args);
}

void hr_error_detail(struct hr_error *err, const char *format, ...) {
    if (err == NULL) {
        return;
    }
    va_list args;
    va_start(args, format);
    vsnprintf(err->detail, sizeof(err->detail), format, args);
    va_end(args);
}

/* Control bytes never reach a terminal through an error. */
static void copy_printable(char *dst, size_t size, const char *src) {
    size_t n = 0;
    for (; *src != '\0' && n + 5 < size; src++) {
        const unsigned char byte = (unsigned char)*src;
        if (byte < 0x20 || byte == 0x7f) {
            n += (size_t)snprintf(dst + n, size - n, "\\x%02x", byte);
        } else {
            dst[n++] = *src;
        }
    }
    dst[n] = '\0';
}

void hr_error_object(struct hr_error *err, const char *key) {
    if (err != NULL && err->object[0] == '\0' && key != NULL) {
        copy_printable(err->object, sizeof(err->object), key);
    }
}

void hr_error_place(struct hr_error *err, int64_t byte_offset, int64_t line, const char *column) {
    if (err == NULL) {
        return;
    }
    if (byte_offset >= 0) {
        err->byte_offset = byte_offset;
    }
    if (line >= 0) {
        err->line = line;
    }
    if (column != NULL) {
        copy_printable(err->column, sizeof(err->column), column);
    }
}

void hr_error_format(const struct hr_error *err, char *out, unsigned long size) {
    if (size == 0) {
        return;
    }
    size_t n = 0;
#define ADD(...)                                                                                   \
    do {                                                                                           \
        if (n < size) {                                                                            \
            n += (size_t)snprintf(out + n, size - n, __VA_ARGS__);                                 \
        }                                                                                          \
    } while (0)
    out[0] = '\0';
    ADD("%s", err->message[0] ? err->message : hr_code_sentence(err->code));
    if (err->object[0] != '\0' && strstr(err->message, err->object) == NULL) {
        ADD("\n  object: %s", err->object);
    }
    if (err->line >= 0) {
        ADD("\n  line: %lld", (long long)err->line);
    }
    if (err->byte_offset >= 0) {
        ADD("\n  byte: %lld", (long long)err->byte_offset);
    }
    if (err->column[0] != '\0') {
        ADD("\n  column: %s", err->column);
    }
    if (err->detail[0] != '\0') {
        ADD("\n  detail: %s", err->detail);
    }
    if (err->hint[0] != '\0') {
        ADD("\n  hint: %s", err->hint);
    }
#undef ADD
}

void hr_error_move_line(struct hr_error *err, int64_t before) {
    char was[40];
    char rest[sizeof(err->message)];
    if (err == NULL || err->line <= 0 || before <= 0) {
        return;
    }
    const int n = snprintf(was, sizeof(was), "line %lld", (long long)err->line);
    err->line += before;
    char *at = strstr(err->message, was);
    if (at == NULL || (at[n] >= '0' && at[n] <= '9')) {
        return;
    }
    snprintf(rest, sizeof(rest), "%s", at + n);
    snprintf(at, sizeof(err->message) - (size_t)(at - err->message), "line %lld%s",
             (long long)err->line, rest);
}
