/* cli/cli.h - the program: verbs, flags, what is printed. Level 9.
 *
 * A verb is one row of verb_table.c and one function; a flag is one row of a flag table. Parsing,
 * `help VERB` and completions come from the rows. */
#ifndef HR_CLI_CLI_H
#define HR_CLI_CLI_H

#include <stdio.h>

#include "api/run.h"
#include "base/log.h"

enum hr_progress_mode { HR_PROGRESS_AUTO, HR_PROGRESS_ALWAYS, HR_PROGRESS_NEVER, HR_PROGRESS_JSON };

/* Everything a command line can say. Strings point into argv. */
struct hr_cli {
    const struct hr_verb *verb;
    const char **args; /* positional */
    size_t n_args;
    const char **sets; /* --set name=value, in order */
    size_t n_sets;

    const char *config, *catalog, *destination, *state, *dialect, *output, *format;
    const char *columns, *filter, *log_level, *log_format, *progress, *memory, *workers;
    const char *destination_type, *destination_prefix, *difference, *timeout, *buffer_size;
    const char *discover_threads, *encryption_key, *summary, *partition_by;
    bool yes, keep, take_back, dry_run;
    const char *stream;
    bool json, recursive, no_save, env, insecure_tls, no_color, help, version;
};

struct hr_flag {
    const char *name;  /* "config" for --config */
    char letter;       /* 'o' for -o, 0 none */
    const char *value; /* name of the value, NULL: a switch */
    size_t offset;     /* into struct hr_cli: const char * or bool; SET: appended to sets */
    bool is_set;
    bool hidden;
    const char *text;
};

struct hr_verb {
    const char *name;
    const char *usage; /* "SRC... DST [options]" */
    const char *text;  /* one sentence */
    const struct hr_flag *flags;
    size_t n_flags;
    size_t min_args, max_args;
    /* Returns an exit status. */
    int (*run)(struct hr_cli *cli);
};

extern const struct hr_verb hr_verbs[];
extern const size_t hr_verbs_count;
extern const struct hr_flag hr_common_flags[];
extern const size_t hr_common_flags_count;

/* Print an error to stderr ("headrace: …") and answer its exit status. */
int hr_cli_fail(const struct hr_cli *cli, const struct hr_error *err);

/* Settings with --set, --workers, --memory, --insecure-tls, --filter, --columns applied, not
 * finished yet. */
int hr_cli_settings(const struct hr_cli *cli, struct hr_settings *out, struct hr_error *err);
/* The flags alone, onto settings that exist. */
int hr_cli_apply(const struct hr_cli *cli, struct hr_settings *settings, struct hr_error *err);
/* The same, for one URL of a command line: place, pattern, format by content, no limits. */
int hr_cli_url_settings(const struct hr_cli *cli, const char *url, struct hr_settings *out,
                        struct hr_error *err);
/* Set a default without marking it as given. */
int hr_cli_default(struct hr_settings *settings, const char *name, const char *text,
                   struct hr_error *err);

/* Progress on stderr while a run goes on. */
struct hr_cli_progress;
struct hr_cli_progress *hr_cli_progress_start(const struct hr_cli *cli,
                                              struct hr_progress *progress, const char *what);
void hr_cli_progress_stop(struct hr_cli_progress *p); /* NULL allowed */
/* The closing lines on stderr. */
int hr_cli_summary(const struct hr_cli *cli, const struct hr_summary *s, const char *what,
                   struct hr_error *err);
bool hr_cli_quiet(const struct hr_cli *cli);

/* "1.5 MB", "12 kB": decimal units. */
void hr_cli_size(double bytes, char *out, size_t size);

/* A manual page on stdout; NULL: of the program, else of this verb. Returns the exit status. */
int hr_cli_man(struct hr_cli *cli, const char *name);

int hr_verb_copy(struct hr_cli *cli);
int hr_verb_ls(struct hr_cli *cli);
int hr_verb_head(struct hr_cli *cli);
int hr_verb_schema(struct hr_cli *cli);
int hr_verb_count(struct hr_cli *cli);
int hr_verb_help(struct hr_cli *cli);
int hr_verb_version(struct hr_cli *cli);

#endif
