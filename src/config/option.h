/* config/option.h - option rows: from one row come parsing, defaults, validation, --help, the man
 * page, the JSON specification and docs/OPTIONS.md.
 *
 * A leaf owns its rows and a struct the rows point into by offset; the centre (plan/settings.c)
 * concatenates groups. Level 1: includes base/ only.
 */
#ifndef HR_CONFIG_OPTION_H
#define HR_CONFIG_OPTION_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

/* INT, DOUBLE and SIZE rows whose `def` is "auto" take the text "auto" and store 0 for it.
 * Storage at `offset`: BOOL bool · INT int64_t · DOUBLE double · SIZE uint64_t (bytes, "8M") ·
 * STRING char* (owned, NULL unset) · ENUM int (index into values) · LIST struct hr_strlist (JSON
 * array of text or comma list) · JSON char* (any JSON value as compact text, owned, NULL unset). */
enum hr_opt_type {
    HR_OPT_BOOL,
    HR_OPT_INT,
    HR_OPT_DOUBLE,
    HR_OPT_SIZE,
    HR_OPT_STRING,
    HR_OPT_ENUM,
    HR_OPT_LIST,
    HR_OPT_JSON
};

enum hr_opt_flags {
    HR_OPT_SECRET = 1, /* never printed, wiped after use, refused on the command line */
    HR_OPT_HIDDEN = 2, /* for tests and repair: not in --help */
    HR_OPT_REQUIRED = 4,
    HR_OPT_RANGE = 8,   /* min and max apply */
    HR_OPT_WRITING = 16 /* matters when writing only: its bare name is the destination's */
};

struct hr_strlist {
    char **items;
    size_t count;
};

struct hr_option {
    const char *name;
    enum hr_opt_type type;
    size_t offset;      /* into the group's struct */
    const char *def;    /* default as text, NULL: unset / zero */
    const char *values; /* ENUM: "a|b|c" in index order */
    double min, max;    /* with HR_OPT_RANGE */
    unsigned flags;
    const char *unit;    /* "bytes", "seconds", NULL */
    const char *aliases; /* legacy names, "prefix|folder"; the name itself wins over them */
    const char *depends; /* "file_format=csv", NULL */
    const char *since;   /* "0.1" */
    const char *text;    /* one or two sentences for people; never NULL */
    const char *missing; /* known but not built yet: what to do instead. Setting the option to
                            anything but its default is refused with this; NULL: works */
    const char *missing_values; /* ENUM: only these values ("a|b") are not built; with `missing` */
};

struct hr_option_group {
    const char *name;  /* "csv" */
    const char *title; /* "CSV and TSV" */
    const struct hr_option *rows;
    size_t count;
    size_t base; /* offset of the group's struct in the settings struct */
};

#define HR_COUNTOF(a) (sizeof(a) / sizeof((a)[0]))

/* Fill one group's struct with its defaults. */
int hr_options_defaults(const struct hr_option *rows, size_t count, void *obj,
                        struct hr_error *err);
/* Free what the rows own inside obj. */
void hr_options_release(const struct hr_option *rows, size_t count, void *obj);
/* Set one option from a JSON value (numbers and booleans given as strings are accepted) or text. */
int hr_option_set_json(const struct hr_option *row, void *obj, const json_t *value,
                       struct hr_error *err);
int hr_option_set_text(const struct hr_option *row, void *obj, const char *text,
                       struct hr_error *err);
/* Row by name or alias, NULL when unknown. */
const struct hr_option *hr_option_find(const struct hr_option *rows, size_t count,
                                       const char *name);
/* The value as it is now, as text for people ("***" for a secret that is set); false: unset. */
bool hr_option_get_text(const struct hr_option *row, const void *obj, struct hr_buf *out);
/* True when the value is the row's default. */
bool hr_option_is_default(const struct hr_option *row, const void *obj);
/* The nearest of `names` to `name` (edit distance with swaps; case, _ and - ignored); NULL when
 * none is near enough to be a slip of the pen. */
const char *hr_nearest_name(const char *name, const char *const *names, size_t count);

/* Copy `text` to the end of the list. 0 or HR_E_NOMEM. */
int hr_strlist_add(struct hr_strlist *list, const char *text);
void hr_strlist_release(struct hr_strlist *list);

#endif
