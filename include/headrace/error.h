/* headrace/error.h - result codes and the error record every call can fill.
 *
 * Functions return int: 0 is success, positive values are conditions that are not errors (end of
 * data, a wider type is needed), negative values are errors. The last parameter of a function that
 * can fail is a caller-owned `struct hr_error *err`; NULL is allowed everywhere and means "only the
 * code interests me". Nothing in it is allocated, so it can live on the stack and be copied.
 */
#ifndef HEADRACE_ERROR_H
#define HEADRACE_ERROR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What kind of trouble a code is; decides retry and wording, not only the exit status. */
enum hr_error_class {
    HR_CLASS_NONE,
    HR_CLASS_CALLER,    /* command line or config */
    HR_CLASS_DATA,      /* bytes that are not what they claim */
    HR_CLASS_AUTH,      /* not authenticated, not allowed */
    HR_CLASS_MISSING,   /* bucket, object, stream not there */
    HR_CLASS_LIMIT,     /* a limit the user set or defaulted to */
    HR_CLASS_TRANSIENT, /* trying again may help */
    HR_CLASS_SYSTEM,    /* disk, network, store: trying again unlikely to help */
    HR_CLASS_INTERNAL   /* our bug, or out of memory */
};

/* X(name, number, exit status, class, sentence) */
#define HR_ERROR_TABLE(X)                                                                          \
    X(NOMEM, -1, 1, INTERNAL, "out of memory")                                                     \
    X(INTERNAL, -2, 1, INTERNAL, "internal error")                                                 \
    X(USAGE, -3, 2, CALLER, "the command line is wrong")                                           \
    X(CONFIG, -4, 2, CALLER, "the configuration is wrong")                                         \
    X(AUTH, -5, 3, AUTH, "not authenticated")                                                      \
    X(FORBIDDEN, -6, 3, AUTH, "not allowed")                                                       \
    X(NO_BUCKET, -7, 4, MISSING, "bucket not found")                                               \
    X(NO_OBJECT, -8, 4, MISSING, "object not found")                                               \
    X(NO_STREAM, -9, 4, MISSING, "stream not found")                                               \
    X(FORMAT, -10, 5, DATA, "data could not be read as its format")                                \
    X(CORRUPT, -11, 5, DATA, "data is damaged or cut short")                                       \
    X(SCHEMA, -12, 5, DATA, "data breaks the schema")                                              \
    X(UNSUPPORTED, -13, 5, DATA, "a feature that is not supported")                                \
    X(BOUND, -14, 5, DATA, "a value is over a safety bound")                                       \
    X(LIMIT, -15, 6, LIMIT, "a cost, size or file limit stopped the run")                          \
    X(LOCKED, -16, 7, CALLER, "another run holds the state")                                       \
    X(STATE, -17, 2, CALLER, "a state, journal or catalog file cannot be trusted")                 \
    X(NETWORK, -18, 1, TRANSIENT, "network error")                                                 \
    X(TIMEOUT, -19, 1, TRANSIENT, "timed out")                                                     \
    X(THROTTLED, -20, 1, TRANSIENT, "the store asks to slow down")                                 \
    X(STORE, -21, 1, TRANSIENT, "the store failed")                                                \
    X(IO, -22, 1, SYSTEM, "input/output error")                                                    \
    X(NOSPACE, -23, 1, SYSTEM, "no space left")                                                    \
    X(CHANGED, -24, 1, SYSTEM, "the object changed while it was read")                             \
    X(EXISTS, -25, 1, SYSTEM, "the target already exists")                                         \
    X(REGION, -26, 3, CALLER, "the bucket is in another region")                                   \
    X(INDOUBT, -27, 1, SYSTEM, "a commit could not be settled")                                    \
    X(CANCELLED, -28, 130, SYSTEM, "interrupted")                                                  \
    X(BAD_RECORDS, -29, 5, DATA, "too many bad records")

enum hr_code {
#define X(name, number, exit_status, class_, sentence) HR_E_##name = number,
    HR_ERROR_TABLE(X)
#undef X
        HR_OK = 0,
    HR_END = 1,  /* no more data; not an error */
    HR_MORE = 2, /* more input or more output room is needed */
    HR_WIDEN = 3 /* a value needs a wider schema than the one given */
};

/* One failure. Text fields are NUL-terminated UTF-8, cut when too long, never NULL.
 * Untrusted text (keys, cells) is stored escaped: no control bytes. */
struct hr_error {
    int code;            /* enum hr_code */
    char message[512];   /* what could not be done, to what, why; no final stop */
    char detail[256];    /* more facts, may be empty */
    char hint[320];      /* what to do about it, may be empty */
    char object[1040];   /* object key or path, may be empty */
    char column[136];    /* column name, may be empty */
    int64_t byte_offset; /* in the inflated object, -1 unknown */
    int64_t line;        /* 1-based physical line or row number, -1 unknown */
};

/* Reset to "no error". NULL allowed. */
void hr_error_clear(struct hr_error *err);

/* Fill code and message (printf style), clear the rest; returns code, so
 * `return hr_fail(err, HR_E_FORMAT, "…")` reads well. err may be NULL. */
int hr_fail(struct hr_error *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int hr_vfail(struct hr_error *err, int code, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));
/* errno as one of ours (ENOSPC and EDQUOT are NOSPACE, ENOENT NO_OBJECT, EACCES FORBIDDEN …); the
 * system's text is appended to the message. */
int hr_fail_errno(struct hr_error *err, int errnum, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Add facts to an error already filled. All tolerate err == NULL. */
void hr_error_hint(struct hr_error *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The remedy for a damaged object, where the code is HR_E_CORRUPT and no hint was given. */
void hr_error_hint_damaged(struct hr_error *err);
void hr_error_detail(struct hr_error *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void hr_error_object(struct hr_error *err, const char *key); /* only when not set yet */
/* -1 / NULL leave a field as it is. */
void hr_error_place(struct hr_error *err, int64_t byte_offset, int64_t line, const char *column);
/* The line was counted from a place `before` lines into the object: correct it, in the message too.
 */
void hr_error_move_line(struct hr_error *err, int64_t before);

/* Table look-ups. Unknown codes answer as INTERNAL. */
const char *hr_code_name(int code); /* "FORMAT" */
const char *hr_code_sentence(int code);
int hr_code_exit(int code); /* process exit status, 0 for codes >= 0 */
enum hr_error_class hr_code_class(int code);

/* One text for people: message, place, detail, hint, each on its own line; cut to `size`. */
void hr_error_format(const struct hr_error *err, char *out, unsigned long size);

#ifdef __cplusplus
}
#endif
#endif
