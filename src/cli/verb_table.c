/* cli/verb_table.c - every verb and flag of the program. */
#include "cli/job.h"

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
    {"columns", 0, "A,B,…", FLAG(columns), false, false,
     "only these columns, in this order; a.b is member b of struct a"},
    {"partition-by", 0, "A,B,…", FLAG(partition_by), false, false,
     "write into folders A=…/B=… by these columns"},
    {"filter", 0, "EXPR", FLAG(filter), false, false,
     "only rows for which this holds, e.g. \"price >= 10 and kind in ('a','b')\""},
    {"format", 0, "FORMAT", FLAG(format), false, false,
     "format to write (default: by the extension; needed for -); where the destination's name says "
     "it, that of standard input"},
    {"json", 0, NULL, FLAG(json), false, false, "the summary as JSON on stderr"},
    {"summary", 0, "FILE", FLAG(summary), false, false, "write the summary as JSON to this file"},
};

static const struct hr_flag LOOK_FLAGS[] = {
    {"columns", 0, "A,B,…", FLAG(columns), false, false, "only these columns"},
    {"filter", 0, "EXPR", FLAG(filter), false, false, "only rows for which this holds"},
    {"json", 0, NULL, FLAG(json), false, false, "as JSON"},
};

static const struct hr_flag SCHEMA_FLAGS[] = {
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

static const struct hr_flag JOB_FLAGS[] = {
    {"config", 0, "FILE", FLAG(config), false, false,
     "the source's configuration (JSON or YAML, - is stdin)"},
    {"destination", 0, "FILE", FLAG(destination), false, false, "the destination's configuration"},
    {"catalog", 0, "FILE", FLAG(catalog), false, false, "the streams file that discover wrote"},
    {"streams", 0, "FILE", FLAG(catalog), false, false, "the same as --catalog"},
    {"state", 0, "FILE", FLAG(state), false, false,
     "state file, or s3://BUCKET/KEY (default: state.json beside the config)"},
    {"output", 'o', "FILE", FLAG(output), false, false,
     "where discover writes (default: streams.json beside the config)"},
    {"dialect", 0, "NAME", FLAG(dialect), false, false,
     "native or olake (default: by the config's keys)"},
    {"env", 0, NULL, FLAG(env), false, false, "substitute ${VAR} in JSON files too"},
    {"json", 0, NULL, FLAG(json), false, false, "the summary as JSON on stderr"},
    {"summary", 0, "FILE", FLAG(summary), false, false, "write the summary as JSON to this file"},
    {"no-save", 0, NULL, FLAG(no_save), false, false,
     "write files to the temporary folder, not beside the config"},
    {"destination-type", 0, "TYPE", FLAG(destination_type), false, false,
     "with spec: describe a destination (parquet)"},
    {"destination-database-prefix", 0, "TEXT", FLAG(destination_prefix), false, false,
     "first part of new destination databases"},
    {"difference", 0, "FILE", FLAG(difference), false, false,
     "with --streams: compare two catalogs"},
    {"max-discover-threads", 0, "N", FLAG(discover_threads), false, false,
     "with discover: objects looked into at once (8, at most 64)"},
    {"timeout", 0, "SECONDS", FLAG(timeout), false, false,
     "with discover: give up after so many seconds (300)"},
    {"encryption-key", 0, "TEXT", FLAG(encryption_key), false, false,
     "configs are sealed with this key, as Olake keeps them"},
    {"destination-buffer-size", 0, "N", FLAG(buffer_size), false, true, "accepted and ignored"},
};

static const struct hr_flag STATE_FLAGS[] = {
    {"state", 0, "FILE", FLAG(state), false, false, "the pipeline's state"},
    {"destination", 0, "FILE", FLAG(destination), false, false,
     "the destination's configuration (resolve needs it; reset and replay when a dead run left a "
     "commit open)"},
    {"stream", 0, "NAME", FLAG(stream), false, false, "with replay: the stream the object is in"},
    {"yes", 'y', NULL, FLAG(yes), false, false, "with reset: do it"},
    {"keep", 0, NULL, FLAG(keep), false, false,
     "with resolve: treat the commit as published and go on from it"},
    {"take-back", 0, NULL, FLAG(take_back), false, false,
     "with resolve: remove what is visible of the commit; its rows are read again"},
    {"config", 0, "FILE", FLAG(config), false, false,
     "the source's configuration, for its credentials and dialect"},
    {"dialect", 0, "NAME", FLAG(dialect), false, false, "native or olake"},
    {"env", 0, NULL, FLAG(env), false, false, "substitute ${VAR} in JSON files too"},
    {"json", 0, NULL, FLAG(json), false, false, "with show: as JSON"},
};

/* What gc and verify share. */
#define UPKEEP_FLAGS                                                                               \
    {                                                                                              \
        "destination",                                                                             \
        0,                                                                                         \
        "FILE",                                                                                    \
        FLAG(destination),                                                                         \
        false,                                                                                     \
        false,                                                                                     \
        "the destination's configuration"},                                                        \
        {"state",                                                                                  \
         0,                                                                                        \
         "FILE",                                                                                   \
         FLAG(state),                                                                              \
         false,                                                                                    \
         false,                                                                                    \
         "the pipeline's state: a file, or s3://BUCKET/KEY"},                                      \
        {"config",                                                                                 \
         0,                                                                                        \
         "FILE",                                                                                   \
         FLAG(config),                                                                             \
         false,                                                                                    \
         false,                                                                                    \
         "the source's configuration, for its credentials and dialect"},                           \
        {"dialect", 0, "NAME", FLAG(dialect), false, false, "native or olake"},                    \
        {"env", 0, NULL, FLAG(env), false, false, "substitute ${VAR} in JSON files too"}, {        \
        "json", 0, NULL, FLAG(json), false, false, "the report as JSON"                            \
    }

static const struct hr_flag GC_FLAGS[] = {
    UPKEEP_FLAGS,
    {"dry-run", 'n', NULL, FLAG(dry_run), false, false, "only say what would be removed"},
};

static const struct hr_flag VERIFY_FLAGS[] = {
    UPKEEP_FLAGS,
    {"stream", 0, "NAME", FLAG(stream), false, false, "only this stream"},
};

const struct hr_verb hr_verbs[] = {
    {"check", "--config FILE [--destination FILE] [--state FILE]",
     "prove access to a source or a destination, and to a state", JOB_FLAGS, HR_COUNTOF(JOB_FLAGS),
     0, 0, hr_verb_check},
    {"discover", "--config FILE [--streams OLD]",
     "find streams and their columns, write streams.json", JOB_FLAGS, HR_COUNTOF(JOB_FLAGS), 0, 0,
     hr_verb_discover},
    {"sync", "--config FILE --catalog FILE --destination FILE [--state FILE]",
     "bring what is new to the destination", JOB_FLAGS, HR_COUNTOF(JOB_FLAGS), 0, 0, hr_verb_sync},
    {"clear-destination", "--config FILE --catalog FILE --destination FILE",
     "remove the selected streams' tables and state", JOB_FLAGS, HR_COUNTOF(JOB_FLAGS), 0, 0,
     hr_verb_clear},
    {"spec", "[--dialect NAME]", "the connector specification (JSON Schema)", JOB_FLAGS,
     HR_COUNTOF(JOB_FLAGS), 0, 0, hr_verb_spec},
    {"state", "show|reset [STREAM] | replay KEY | resolve  --state FILE",
     "what was read; forget a stream; read an object again; settle a commit left in doubt",
     STATE_FLAGS, HR_COUNTOF(STATE_FLAGS), 1, 2, hr_verb_state},
    {"gc", "--destination FILE --state FILE [--dry-run]",
     "remove what dead runs left unfinished at the destination, and only that", GC_FLAGS,
     HR_COUNTOF(GC_FLAGS), 0, 0, hr_verb_gc},
    {"verify", "--destination FILE --state FILE [--stream NAME]",
     "is the destination what the runs wrote? exit 0 whole, 5 otherwise", VERIFY_FLAGS,
     HR_COUNTOF(VERIFY_FLAGS), 0, 0, hr_verb_verify},
    {"copy", "SRC... DST",
     "copy objects, folders or globs to one file, a folder, s3://, - or null:", COPY_FLAGS,
     HR_COUNTOF(COPY_FLAGS), 2, 10000, hr_verb_copy},
    {"ls", "URL", "list a folder, a bucket or what fits a glob", LS_FLAGS, HR_COUNTOF(LS_FLAGS), 1,
     1, hr_verb_ls},
    {"head", "URL...", "print the first 10 rows", LOOK_FLAGS, HR_COUNTOF(LOOK_FLAGS), 1, 1,
     hr_verb_head},
    {"schema", "URL", "print the columns and types", SCHEMA_FLAGS, HR_COUNTOF(SCHEMA_FLAGS), 1, 1,
     hr_verb_schema},
    {"count", "URL", "count rows", LOOK_FLAGS, HR_COUNTOF(LOOK_FLAGS), 1, 1, hr_verb_count},
    {"version", "", "version and what is built in", VERSION_FLAGS, HR_COUNTOF(VERSION_FLAGS), 0, 0,
     hr_verb_version},
    {"help", "[VERB | options | man [VERB]]",
     "this text, that of a verb, every setting, or a manual page", NULL, 0, 0, 2, hr_verb_help},
};
const size_t hr_verbs_count = HR_COUNTOF(hr_verbs);
