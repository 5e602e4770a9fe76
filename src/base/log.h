/* base/log.h - library code reports, the program decides where it goes. Default: nowhere. */
#ifndef HR_BASE_LOG_H
#define HR_BASE_LOG_H

enum hr_log_level { HR_LOG_ERROR, HR_LOG_WARN, HR_LOG_INFO, HR_LOG_DEBUG };

typedef void (*hr_log_fn)(void *user, enum hr_log_level level, const char *text);

void hr_log_set(hr_log_fn fn, void *user, enum hr_log_level max_level); /* program start only */
int hr_log_enabled(enum hr_log_level level);
void hr_log(enum hr_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
