/* cli/verb_table.c - every verb and flag of the program. */
#include "cli/cli.h"

#define FLAG(field) offsetof(struct hr_cli, field)

const struct hr_flag hr_common_flags[] = {
    {"set", 0, "NAME=VALUE", 0, true, false, "set any option of docs/OPTIONS.md; may be repeated"},
    {"workers", 0, "N", FLAG(workers), false, false,
     "tasks at once (default: one per processor, at most 4)"},
    {"memory", 0, "SIZE", FLAG(memory), false, false, "memory limit, for example 192M"},
    {"log-level", 0, "LEVEL", FLAG(log_level), false, false,
     "error, warn (default), info or debug"},
    {"log-format", 0, "FORMAT", FLAG(log_format), false, false, "text (default) or json"},
    {"progress", 0, "MODE", FLAG(progress), false, false, "auto (default), always, never or json"},
    {"insecure-tls", 0, NULL, FLAG(insecure_tls), false, false,
     "do not verify the server's certificate"},
    {"no-color", 0, NULL, FLAG(no_color), false, false, "plain text on a terminal too"},
    {"help", 'h', NULL, FLAG(help), false, false, "this text"},
    {"version", 'V', NULL, FLAG(version), false, false, "version and what is built in"},
};
const size_t hr_common_flags_count = HR_COUNTOF(hr_common_flags);

static const struct hr_flag COPY_FLAGS[] = {
    {"columns", 0, "A,B,…", FLAG(columns), false, false, "only these columns, in this order"},
    {"filter", 0, "EXPR", FLAG(filter), false, false,
     "only rows for which this holds, e.g. \"price >= 10 and kind in ('a','b')\""},
    {"format", 0, "FORMAT", FLAG(format), false, false,
     "format to write (default: by the extension; needed for -)"},
    {"json", 0, NULL, FLAG(json), false, false, "the summary as JSON on stderr"},
};

static const struct hr_flag LOOK_FLAGS[] = {
    {"columns", 0, "A,B,…", FLAG(columns), false, false, "only these columns"},
    {"filter", 0, "EXPR", FLAG(filter), false, false, "only rows for which this holds"},
    {"format", 'f', "FORMAT", FLAG(format), false, false, "format to print"},
    {"json", 0, NULL, FLAG(json), false, false, "as JSON"},
};

static const struct hr_flag LS_FLAGS[] = {
    {"recursive", 'r', NULL, FLAG(recursive), false, false,
     "every key below, not only this folder"},
    {"json", 0, NULL, FLAG(json), false, false, "one JSON object a line"},
};

static const struct hr_flag VERSION_FLAGS[] = {
    {"json", 0, NULL, FLAG(json), false, false, "as JSON"},
};

const struct hr_verb hr_verbs[] = {
    {"copy", "SRC... DST",
     "copy objects, folders or globs to one file, a folder, s3://, - or null:", COPY_FLAGS,
     HR_COUNTOF(COPY_FLAGS), 2, 10000, hr_verb_copy},
    {"ls", "URL", "list a folder or bucket", LS_FLAGS, HR_COUNTOF(LS_FLAGS), 1, 1, hr_verb_ls},
    {"head", "URL...", "print the first 10 rows", LOOK_FLAGS, HR_COUNTOF(LOOK_FLAGS), 1, 1,
     hr_verb_head},
    {"schema", "URL", "print the columns and types", LOOK_FLAGS, HR_COUNTOF(LOOK_FLAGS), 1, 1,
     hr_verb_schema},
    {"count", "URL", "count rows", LOOK_FLAGS, HR_COUNTOF(LOOK_FLAGS), 1, 1, hr_verb_count},
    {"version", "", "version and what is built in", VERSION_FLAGS, HR_COUNTOF(VERSION_FLAGS), 0, 0,
     hr_verb_version},
    {"help", "[VERB]", "this text, or that of a verb", NULL, 0, 0, 1, hr_verb_help},
};
const size_t hr_verbs_count = HR_COUNTOF(hr_verbs);
