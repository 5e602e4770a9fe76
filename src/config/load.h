/* config/load.h - a JSON or YAML document from a file or stdin, checked and with variables filled
 * in.
 *
 * Level 1. Thread safe: no shared state.
 */
#ifndef HR_CONFIG_LOAD_H
#define HR_CONFIG_LOAD_H

#include <jansson.h>

#include "base/slice.h"

#define HR_CONFIG_SIZE_MAX (64u << 20) /* bytes of one document */
#define HR_CONFIG_DEPTH_MAX 64         /* nesting of one YAML document (jansson: 2048) */
#define HR_CONFIG_NODES_MAX 4000000    /* values of one YAML document, aliases counted each time */

enum hr_load_flags {
    HR_LOAD_ENV = 1,      /* substitute ${VAR} in JSON too (YAML always) */
    HR_LOAD_OPTIONAL = 2, /* a missing file is not an error: *out is NULL */
    HR_LOAD_EMPTY = 4     /* an empty or blank document gives NULL */
};

/* Read and parse. path "-" is stdin. JSON or YAML by content. Duplicate keys, more than
 * HR_CONFIG_SIZE_MAX bytes, YAML tags and merge keys are refused. Errors are HR_E_CONFIG
 * (HR_E_NO_OBJECT for a missing file is reported as HR_E_CONFIG too: the command line is wrong) and
 * name FILE:LINE:COLUMN. New reference. */
int hr_config_load(const char *path, unsigned flags, json_t **out, struct hr_error *err);
/* The same from memory; name is for messages. */
int hr_config_parse(struct hr_slice text, const char *name, unsigned flags, json_t **out,
                    struct hr_error *err);
/* Only the bytes (state files are read raw by their dialect). buf is initialised here. */
int hr_config_read(const char *path, unsigned flags, struct hr_buf *buf, struct hr_error *err);

/* Replace ${VAR} and ${VAR:-default} in every string of the document, in place. A variable that is
 * not set and has no default is an error; $$ gives one $. A string that was one single ${...} and
 * whose value reads as a number or boolean stays a string: options accept both. */
int hr_config_substitute(json_t *doc, const char *name, struct hr_error *err);

/* Folder part of a path ("." when it has none, or for "-"); hr_free. NULL: no memory. */
char *hr_config_dir(const char *path);

#endif
