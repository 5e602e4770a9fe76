/* base/log.c - the log callback. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

static struct {
    hr_log_fn fn;
    void *user;
    enum hr_log_level max_level;
} sink;

void hr_log_set(hr_log_fn fn, void *user, enum hr_log_level max_level) {
    sink.fn = fn;
    sink.user = user;
    sink.max_level = max_level;
}

int hr_log_enabled(enum hr_log_level level) {
    return sink.fn != NULL && level <= sink.max_level;
}

void hr_log(enum hr_log_level level, const char *format, ...) {
    if (!hr_log_enabled(level)) {
        return;
    }
    char text[2048];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    sink.fn(sink.user, level, text);
}
