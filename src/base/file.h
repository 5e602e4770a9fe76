/* base/file.h - small local files, whole and durable. Every step is a place where a test may kill
 * the process (fault.h). */
#ifndef HR_BASE_FILE_H
#define HR_BASE_FILE_H

#include "base/slice.h"

/* Append the file's bytes to out (bounded by out->max). HR_END: there is no such file. */
int hr_file_read(const char *path, struct hr_buf *out, struct hr_error *err);
/* Put `text` at path, all or nothing: PATH.tmp, fsync, rename, fsync of the folder. */
int hr_file_replace(const char *path, struct hr_slice text, struct hr_error *err);
/* Append to a descriptor and fsync it. `name` is for messages. */
int hr_file_append(int fd, struct hr_slice text, const char *name, struct hr_error *err);
/* Remove and sync the folder; absent is fine. */
int hr_file_remove(const char *path, struct hr_error *err);
int hr_file_sync_folder_of(const char *path, struct hr_error *err);
/* path + suffix, hr_free; NULL: no memory. */
char *hr_file_beside(const char *path, const char *suffix);

#endif
