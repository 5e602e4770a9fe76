/* dialect/olake/olake_source.c - source.json onto native options.
 *
 * Defaults are filled per field, also inside the csv, json and parquet blocks (the original fills
 * them only when a whole block is absent, and then fails on its own examples). Where the README and
 * the program differ the README holds: max_threads 10, `.gz` files read without asking.
 */
#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "config/load.h"
#include "dialect/olake/olake.h"

#define DEFAULT_THREADS 10
#define DEFAULT_RETRIES 3

/* ---- values that need more than a new name --------------------------------------------------- */

/* An empty text means: not given. */
static int set_text(struct hr_settings *settings, const struct hr_alias *alias, const json_t *value,
                    struct hr_error *err) {
    if (json_is_string(value) && json_string_length(value) == 0) {
        return 0;
    }
    return hr_settings_set_json(settings, alias->native, value, err);
}

/* 0 and less mean the default, as in the original. */
static int set_count(struct hr_settings *settings, const struct hr_alias *alias,
                     const json_t *value, struct hr_error *err) {
    int64_t number = 1;
    if (json_is_integer(value)) {
        number = json_integer_value(value);
    } else if (json_is_string(value)) {
        hr_parse_i64(json_string_value(value), json_string_length(value), &number);
    }
    if (number <= 0) {
        return hr_settings_set_text(settings, alias->native, alias->row.def, err);
    }
    return hr_settings_set_json(settings, alias->native, value, err);
}

static int set_compression(struct hr_settings *settings, const struct hr_alias *alias,
                           const json_t *value, struct hr_error *err) {
    const char *name = json_string_value(value);
    if (name && strcmp(name, "zip") == 0) {
        hr_log(HR_LOG_WARN, "compression \"zip\" has no effect: ZIP archives are not read");
        return 0;
    }
    if (name && *name && strcmp(name, "gzip") != 0 && strcmp(name, "none") != 0) {
        char shown[60];
        hr_printable(json_is_string(value) ? hr_slice_str(name) : hr_slice_str("?"), 40, shown,
                     sizeof shown);
        int rc = hr_fail(err, HR_E_CONFIG, "option \"compression\" cannot be \"%s\"", shown);
        hr_error_hint(err, "One of none, gzip, zip; leave it out to go by the files' names.");
        return rc;
    }
    return set_text(settings, alias, value, err);
}

/* One character; the README shows its default as three quotes in a row. */
static int set_quote(struct hr_settings *settings, const struct hr_alias *alias,
                     const json_t *value, struct hr_error *err) {
    const char *text = json_string_value(value);
    size_t len = text ? strlen(text) : 0;
    if (len == 0) {
        return 0;
    }
    for (size_t i = 1; i < len; i++) {
        if (text[i] != text[0]) {
            return hr_fail(err, HR_E_CONFIG,
                           "option \"csv.quote_character\" must be one character");
        }
    }
    json_t *one = json_stringn(text, 1);
    int rc = one ? hr_settings_set_json(settings, alias->native, one, err)
                 : hr_fail(err, HR_E_CONFIG,
                           "option \"csv.quote_character\" must be one ASCII character");
    json_decref(one);
    return rc;
}

static int set_unused(struct hr_settings *settings, const struct hr_alias *alias,
                      const json_t *value, struct hr_error *err) {
    (void)settings;
    (void)value;
    (void)err;
    hr_log(HR_LOG_DEBUG, "source key \"%s\" has no effect", alias->row.name);
    return 0;
}

/* ---- the rows -------------------------------------------------------------------------------- */

#define ROW(name_, type_, def_, text_)                                                             \
    .row = {.name = name_, .type = type_, .def = def_, .text = text_}

static const struct hr_alias source_rows[] = {
    {.row = {.name = "bucket_name",
             .type = HR_OPT_STRING,
             .flags = HR_OPT_REQUIRED,
             .text = "Bucket to read."},
     .native = "bucket"},
    {ROW("region", HR_OPT_STRING, NULL,
         "AWS region of the bucket. Without one the environment or profile says, then us-east-1."),
     .native = "region", .set = set_text},
    {ROW("path_prefix", HR_OPT_STRING, NULL,
         "Folder whose sub-folders are the streams; a file directly in it is a stream of its own."),
     .native = "path_prefix", .set = set_text},
    {.row =
         {.name = "file_format",
          .type = HR_OPT_ENUM,
          .values = "csv|json|parquet|xml",
          .flags = HR_OPT_REQUIRED,
          .missing_values = "xml",
          .missing = "Use csv, json or parquet.",
          .text =
              "Format of the files. Only keys with its extensions are read (.csv; .json, .jsonl, "
              ".ndjson; .parquet, .pq), also compressed."},
     .native = "file_format"},
    {ROW("access_key_id", HR_OPT_STRING, NULL,
         "Static access key, together with secret_access_key. Neither: environment, profile, "
         "shared "
         "files."),
     .native = "access_key_id", .set = set_text},
    {.row = {.name = "secret_access_key",
             .type = HR_OPT_STRING,
             .flags = HR_OPT_SECRET,
             .text = "Secret of the static access key."},
     .native = "secret_access_key",
     .set = set_text},
    {ROW("endpoint", HR_OPT_STRING, NULL,
         "Another server that speaks S3 (MinIO, LocalStack), or file:FOLDER, beneath which buckets "
         "are "
         "folders."),
     .native = "endpoint_url", .set = set_text},
    {ROW("max_threads", HR_OPT_INT, "10", "Workers. 0 and less: the default."),
     .native = "parallel_workers", .set = set_count},
    {ROW("retry_count", HR_OPT_INT, "3",
         "Attempts after the first one that failed for a passing reason. 0 and less: the default."),
     .native = "retry_count", .set = set_count},
    {ROW("compression", HR_OPT_STRING, NULL,
         "gzip or none instead of what the files' names and first bytes say."),
     .native = "compression", .set = set_compression},
    {ROW("file_pattern", HR_OPT_STRING, NULL,
         "Regular expression that must match somewhere in the full key."),
     .native = "key_regex", .set = set_text},
    {.row = {.name = "stream_pattern",
             .type = HR_OPT_STRING,
             .flags = HR_OPT_HIDDEN,
             .text = "Accepted; the original does not use it either."},
     .set = set_unused},

    {ROW("delimiter", HR_OPT_STRING, ",", "Field delimiter."), .block = "csv",
     .native = "csv_delimiter", .set = set_text},
    {ROW("has_header", HR_OPT_BOOL, "true", "The first row holds the names."), .block = "csv",
     .native = "csv_header"},
    {.row = {.name = "skip_rows",
             .type = HR_OPT_INT,
             .def = "0",
             .flags = HR_OPT_RANGE,
             .min = 0,
             .max = 9e15,
             .text = "Lines to skip before the header."},
     .block = "csv",
     .native = "csv_skip_rows"},
    {ROW("quote_character", HR_OPT_STRING, "\"", "Quote character."), .block = "csv",
     .native = "csv_quote", .set = set_quote},

    {ROW("line_delimited", HR_OPT_BOOL, "true",
         "Accepted; lines, arrays, single and concatenated objects are told apart by content."),
     .block = "json"},
    {ROW("streaming_enabled", HR_OPT_BOOL, "true", "Accepted; Parquet is always read by ranges."),
     .block = "parquet"},
    {.row = {.name = "row_identifier",
             .type = HR_OPT_STRING,
             .flags = HR_OPT_HIDDEN,
             .text = "XML is not read yet."},
     .block = "xml",
     .set = set_unused},
};

const struct hr_alias *hr_olake_source_rows(size_t *out_count) {
    *out_count = HR_COUNTOF(source_rows);
    return source_rows;
}

int hr_olake_detect(const json_t *config) {
    return json_object_get(config, "bucket_name") ? 100 : 0;
}

/* The words of the original for null; an empty field is null too. */
static int fill_null_words(struct hr_strlist *words) {
    static const char *const texts[] = {"", "null", "NULL", "Null"};
    int rc = 0;
    for (size_t i = 0; i < HR_COUNTOF(texts) && rc == 0; i++) {
        rc = hr_strlist_add(words, texts[i]);
    }
    return rc;
}

/* What an Olake source means without saying it. */
static int fill_defaults(struct hr_settings *settings, struct hr_error *err) {
    settings->cost.cost_limit_usd = 0;
    settings->cost.max_files_per_run = 0;
    settings->cost.max_data_size_gb = 0;
    settings->work.parallel_workers = DEFAULT_THREADS;
    settings->work.retry_count = DEFAULT_RETRIES;
    settings->files.stream_by = HR_STREAM_BY_FOLDER;
    settings->files.strict_extensions = true;
    settings->sync.sync_mode = HR_SYNC_INCREMENTAL;
    settings->format.json.flatten = false;
    settings->format.json.nested_text = true;
    hr_free(settings->sync.cursor_field);
    settings->sync.cursor_field = hr_strdup("_last_modified_time");
    return settings->sync.cursor_field && fill_null_words(&settings->format.csv.null_values) == 0
               ? 0
               : hr_fail(err, HR_E_NOMEM, "out of memory while reading the source config");
}

static int require(const json_t *config, const char *key, const char *why, struct hr_error *err) {
    const json_t *value = json_object_get(config, key);
    if (json_is_string(value) && json_string_length(value)) {
        return 0;
    }
    return hr_fail(err, HR_E_CONFIG, "%s", why);
}

int hr_olake_configure(const json_t *config, const char *config_path, struct hr_settings *settings,
                       struct hr_error *err) {
    settings->dialect = "olake";
    hr_free(settings->config_dir);
    settings->config_dir = hr_config_dir(config_path);
    int rc = settings->config_dir
                 ? fill_defaults(settings, err)
                 : hr_fail(err, HR_E_NOMEM, "out of memory while reading the source config");
    if (rc == 0) {
        rc = hr_alias_apply(source_rows, HR_COUNTOF(source_rows), config, "Olake source", true,
                            settings, err);
    }
    if (rc == 0) {
        rc = require(config, "bucket_name", "bucket_name is required", err);
    }
    if (rc == 0) {
        rc = require(config, "file_format", "file_format is required ([csv json parquet])", err);
        if (rc) {
            hr_error_hint(err, "add \"file_format\": \"csv\" (or json, parquet) to the config");
        }
    }
    return rc;
}
