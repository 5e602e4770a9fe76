/* plan/settings_rows.c - one row per option of the native vocabulary, source side.
 *
 * Pure data: the text here is the text of --help, the man page, docs/OPTIONS.md and the JSON
 * Schema. An option whose behaviour is not built carries `missing`, so that it is refused with a
 * sentence and never accepted in silence.
 */
#include "plan/settings_rows.h"

#define FIELD(group, field_) .name = #field_, .offset = offsetof(struct group, field_)
#define AT_LEAST(low) .flags = HR_OPT_RANGE, .min = (low), .max = 9e15
#define RANGE(low, high) .flags = HR_OPT_RANGE, .min = (low), .max = (high)
#define HIDDEN_RANGE(low, high) .flags = HR_OPT_RANGE | HR_OPT_HIDDEN, .min = (low), .max = (high)
#define SINCE .since = "0.1"

#define OTHER_CREDENTIALS                                                                          \
    "Use static keys, a profile or the environment variables AWS_ACCESS_KEY_ID and "               \
    "AWS_SECRET_ACCESS_KEY."

const struct hr_option hr_rows_place[] = {
    {FIELD(hr_place, uri), .type = HR_OPT_STRING, .aliases = "path", SINCE,
     .text = "Where the data is, in one text: s3://BUCKET/FOLDER, file:FOLDER or a path."},
    {FIELD(hr_place, bucket), .type = HR_OPT_STRING, SINCE,
     .text = "The bucket. With an endpoint_url of file:FOLDER it is a folder beneath that."},
    {FIELD(hr_place, path_prefix), .type = HR_OPT_STRING, .def = "", .aliases = "prefix", SINCE,
     .text =
         "The folder in the bucket whose objects are read. \"data\" and \"data/\" both mean the "
         "folder data/, never database/."},
    {FIELD(hr_place, key), .type = HR_OPT_STRING, SINCE,
     .text = "One object instead of a folder: its key below path_prefix."},
    {FIELD(hr_place, region), .type = HR_OPT_STRING, .aliases = "aws_region", SINCE,
     .text = "The bucket's AWS region. Unset: AWS_REGION, the profile's, then us-east-1."},
    {FIELD(hr_place, endpoint_url), .type = HR_OPT_STRING, .aliases = "endpoint|s3_endpoint", SINCE,
     .text =
         "A server that speaks S3 (http://127.0.0.1:9000), or file:FOLDER, whose sub-folders are "
         "buckets; a relative FOLDER starts at the config file's."},
    {FIELD(hr_place, path_style), .type = HR_OPT_ENUM, .def = "auto", .values = "auto|true|false",
     SINCE,
     .text =
         "Put the bucket into the path instead of the host name. auto: with an endpoint_url and "
         "for buckets with a dot."},
    {FIELD(hr_place, use_ssl), .type = HR_OPT_BOOL, .def = "true", SINCE,
     .text = "Speak https to an endpoint_url that names no scheme."},
    {FIELD(hr_place, ca_bundle), .type = HR_OPT_STRING, SINCE,
     .text = "File of CA certificates to trust instead of the system's."},
    {FIELD(hr_place, insecure_tls), .type = HR_OPT_BOOL, .def = "false", SINCE,
     .text =
         "Do not verify the server's certificate. Anybody on the way can then read and change the "
         "data."},
    {FIELD(hr_place, proxy), .type = HR_OPT_STRING, SINCE,
     .text = "HTTP proxy for requests to the store."},
};
const size_t hr_rows_place_count = HR_COUNTOF(hr_rows_place);

const struct hr_option hr_rows_credentials[] = {
    {FIELD(hr_place, access_key_id), .type = HR_OPT_STRING,
     .aliases = "access_key|aws_access_key_id", SINCE,
     .text = "Static access key, together with secret_access_key. Without one the environment, the "
             "profile and the shared files are asked."},
    {FIELD(hr_place, secret_access_key), .type = HR_OPT_STRING, .flags = HR_OPT_SECRET,
     .aliases = "secret_key|aws_secret_access_key", SINCE,
     .text = "Secret of the static access key."},
    {FIELD(hr_place, session_token), .type = HR_OPT_STRING, .flags = HR_OPT_SECRET,
     .aliases = "aws_session_token", SINCE, .text = "Session token of temporary keys."},
    {FIELD(hr_place, profile), .type = HR_OPT_STRING, .aliases = "aws_profile", SINCE,
     .text = "Profile in the shared config and credentials files."},
    {FIELD(hr_place, role_arn), .type = HR_OPT_STRING, SINCE, .text = "Role to assume.",
     .missing = OTHER_CREDENTIALS},
    {FIELD(hr_place, external_id), .type = HR_OPT_STRING, SINCE,
     .text = "External id for assuming the role.", .missing = OTHER_CREDENTIALS},
    {FIELD(hr_place, role_session_name), .type = HR_OPT_STRING, SINCE,
     .text = "Session name for assuming the role.", .missing = OTHER_CREDENTIALS},
    {FIELD(hr_place, web_identity_token_file), .type = HR_OPT_STRING, SINCE,
     .text = "File with a web identity token.", .missing = OTHER_CREDENTIALS},
    {FIELD(hr_place, anonymous), .type = HR_OPT_BOOL, .def = "false", SINCE,
     .text = "Do not sign requests: for public buckets."},
    {FIELD(hr_place, allow_ambient_credentials), .type = HR_OPT_BOOL, .def = "false", SINCE,
     .text = "Send container and instance credentials to an endpoint_url that is not AWS's own.",
     .missing = OTHER_CREDENTIALS},
};
const size_t hr_rows_credentials_count = HR_COUNTOF(hr_rows_credentials);

const struct hr_option hr_rows_files[] = {
    {FIELD(hr_file_opts, file_format), .type = HR_OPT_STRING, .def = "csv", .aliases = "format",
     SINCE,
     .text =
         "Format of the files: csv, tsv, json, jsonl, parquet, avro, text, or auto: by extension, "
         "then by the first bytes."},
    {FIELD(hr_file_opts, compression), .type = HR_OPT_STRING, SINCE,
     .text = "Unset: by extension, then by the first bytes. gzip, bzip2 or zstd: take its "
             "extension too, the first bytes decide and plain files are read as plain. lz4, snappy "
             "or brotli, which the first bytes may not tell: every file without another codec's "
             "extension is inflated. none: never inflate."},
    {FIELD(hr_file_opts, max_inflate_ratio), .type = HR_OPT_INT, .def = "1000", RANGE(1, 1e12),
     SINCE,
     .text = "Stop at a compressed object that grows more than so many times, once 256 MiB of it "
             "are out."},
    {FIELD(hr_file_opts, max_inflated_gb), .type = HR_OPT_DOUBLE, .def = "4096", RANGE(0, 1e9),
     .unit = "GB", SINCE,
     .text = "Stop at a compressed object that holds more than this. 0: no limit."},
    {FIELD(hr_file_opts, file_pattern), .type = HR_OPT_LIST, .aliases = "file_patterns|glob|globs",
     SINCE,
     .text = "Globs over the key below path_prefix, one of which must match: *, ?, [a-z] and {a,b} "
             "stay "
             "in a folder, ** crosses folders, a leading ! excludes."},
    {FIELD(hr_file_opts, key_regex), .type = HR_OPT_STRING, SINCE,
     .text = "Regular expression (PCRE2) that must match somewhere in the full key."},
    {FIELD(hr_file_opts, start_date), .type = HR_OPT_STRING, SINCE,
     .text = "Only objects modified at or after this time (2025-01-31 or 2025-01-31T12:00:00Z)."},
    {FIELD(hr_file_opts, end_date), .type = HR_OPT_STRING, SINCE,
     .text = "Only objects modified before this time."},
    {FIELD(hr_file_opts, stream_by), .type = HR_OPT_ENUM, .def = "all", .values = "all|folder|file",
     SINCE,
     .text =
         "What makes a stream: all objects together, each first folder below path_prefix, or each "
         "file."},
    {FIELD(hr_file_opts, strict_extensions), .type = HR_OPT_BOOL, .def = "false",
     .flags = HR_OPT_HIDDEN, SINCE,
     .text = "Take only keys that end in an extension of file_format."},
};
const size_t hr_rows_files_count = HR_COUNTOF(hr_rows_files);

const struct hr_option hr_rows_cost[] = {
    {FIELD(hr_cost_opts, cost_limit_usd), .type = HR_OPT_DOUBLE, .def = "100", AT_LEAST(0),
     .unit = "USD", SINCE,
     .text = "Refuse a run whose planned requests and bytes cost more. 0: no limit."},
    {FIELD(hr_cost_opts, max_files_per_run), .type = HR_OPT_INT, .def = "10000", AT_LEAST(0), SINCE,
     .text = "Most objects one run reads: an incremental run takes the first in key order and says "
             "what "
             "remains, a full refresh refuses. 0: no limit."},
    {FIELD(hr_cost_opts, max_data_size_gb), .type = HR_OPT_DOUBLE, .def = "1000", AT_LEAST(0),
     .unit = "GiB", SINCE,
     .text = "Most stored bytes one run reads, judged like max_files_per_run. 0: no limit."},
    {FIELD(hr_cost_opts, dev_sampling), .type = HR_OPT_DOUBLE, .def = "0", RANGE(0, 1), SINCE,
     .text =
         "Read only this share of the files, chosen by a seeded hash of the key: the same files "
         "every time. 0: off."},
    {FIELD(hr_cost_opts, dev_max_files), .type = HR_OPT_INT, .def = "0", AT_LEAST(0), SINCE,
     .text = "Read only the first so many chosen files. 0: off."},
    {FIELD(hr_cost_opts, dev_seed), .type = HR_OPT_INT, .def = "0", SINCE,
     .text = "Seed of dev_sampling."},
    {FIELD(hr_cost_opts, price_sheet), .type = HR_OPT_STRING, .def = "seed", SINCE,
     .text = "Prices for the cost estimate. seed: 0.0004 USD per GB read and per 1000 GET.",
     .missing = "Use seed."},
};
const size_t hr_rows_cost_count = HR_COUNTOF(hr_rows_cost);

#define NO_PARTITIONS                                                                              \
    "Name the folder in path_prefix or use file_pattern, for example year=2024/**."

const struct hr_option hr_rows_partitions[] = {
    {FIELD(hr_partition_opts, partition_keys), .type = HR_OPT_LIST, SINCE,
     .text = "Names of the partition columns in the keys.", .missing = NO_PARTITIONS},
    {FIELD(hr_partition_opts, partition_filter), .type = HR_OPT_JSON, SINCE,
     .text = "Values the partitions must have: {\"year\": \"2024\", \"month\": [\"01\", \"02\"]}.",
     .missing = NO_PARTITIONS},
    {FIELD(hr_partition_opts, partition_pattern), .type = HR_OPT_STRING, SINCE,
     .text = "Partitions in other keys: {region}/{date:%Y-%m-%d}.", .missing = NO_PARTITIONS},
    {FIELD(hr_partition_opts, partition_columns), .type = HR_OPT_BOOL, .def = "true", SINCE,
     .text = "Add the partitions as columns.", .missing = "Partitions are not columns yet."},
};
const size_t hr_rows_partitions_count = HR_COUNTOF(hr_rows_partitions);

const struct hr_option hr_rows_work[] = {
    {FIELD(hr_work_opts, batch_size), .type = HR_OPT_INT, .def = "10000", RANGE(1, 1000000),
     .unit = "rows", SINCE, .text = "Most rows handed on at once."},
    {FIELD(hr_work_opts, parallel_workers), .type = HR_OPT_INT, .def = "4", RANGE(1, 256),
     .aliases = "max_threads", SINCE,
     .text = "Workers that decode and encode at the same time; one for each 48 MiB of "
             "memory_limit_mb at most."},
    {FIELD(hr_work_opts, memory_limit_mb), .type = HR_OPT_INT, .def = "192", RANGE(32, 1048576),
     .unit = "MiB", SINCE,
     .text = "Memory for buffers of the whole run; what of the output waits beyond half of it "
             "goes to spill_dir."},
    {FIELD(hr_work_opts, spill_dir), .type = HR_OPT_STRING, SINCE,
     .text =
         "Folder for output that waits and does not fit into memory: of partitions, of one large "
         "object; and for what comes through a pipe (-). Unset: $TMPDIR, else /tmp."},
    {FIELD(hr_work_opts, spill_limit_gb), .type = HR_OPT_DOUBLE, .def = "0", AT_LEAST(0),
     .unit = "GiB", SINCE, .text = "Most bytes in spill_dir. 0: no limit."},
    {FIELD(hr_work_opts, part_size_mb), .type = HR_OPT_INT, .def = "8", RANGE(1, 64), .unit = "MiB",
     SINCE, .text = "Bytes of one ranged read and of one upload part (uploads: at least 5)."},
    {FIELD(hr_work_opts, connections), .type = HR_OPT_INT, .def = "auto", RANGE(0, 1024), SINCE,
     .text = "Connections to the store."},
    {FIELD(hr_work_opts, max_requests_per_second), .type = HR_OPT_INT, .def = "0", AT_LEAST(0),
     SINCE, .text = "Most requests a second. 0: no limit."},
    {FIELD(hr_work_opts, retry_count), .type = HR_OPT_INT, .def = "5", RANGE(0, 100),
     .aliases = "max_retries", SINCE,
     .text = "Attempts after the first one that failed for a passing reason."},
    {FIELD(hr_work_opts, timeout_seconds), .type = HR_OPT_INT, .def = "300", RANGE(1, 86400),
     .unit = "seconds", SINCE, .text = "How long a request may stay without progress."},
    {FIELD(hr_work_opts, task_mb), .type = HR_OPT_INT, .def = "64", HIDDEN_RANGE(1, 4096),
     .unit = "MiB", SINCE,
     .text = "Stored bytes of one task. Part of what decides the output's cuts."},
    {FIELD(hr_work_opts, task_objects), .type = HR_OPT_INT, .def = "4096", HIDDEN_RANGE(1, 1000000),
     SINCE, .text = "Objects of one task. Part of what decides the output's cuts."},
    {FIELD(hr_work_opts, checkpoint_mb), .type = HR_OPT_INT, .def = "2048",
     HIDDEN_RANGE(1, 1048576), .unit = "MiB", SINCE,
     .text = "Stored bytes after which a run commits, between objects."},
};
const size_t hr_rows_work_count = HR_COUNTOF(hr_rows_work);

const struct hr_option hr_rows_parquet_scan[] = {
    {FIELD(hr_parquet_scan_opts, parquet_columns), .type = HR_OPT_LIST, SINCE,
     .text =
         "Columns to read from Parquet files; the others are not fetched. a.b is member b of the "
         "struct a, unless a column has that name. Empty: all."},
    {FIELD(hr_parquet_scan_opts, parquet_filters), .type = HR_OPT_JSON, SINCE,
     .text = "Conditions [[\"column\", \">=\", value], ...]; a list of lists is OR of ANDs."},
};
const size_t hr_rows_parquet_scan_count = HR_COUNTOF(hr_rows_parquet_scan);

const struct hr_option hr_rows_schema[] = {
    {FIELD(hr_schema_opts, columns), .type = HR_OPT_LIST, SINCE,
     .text = "Columns to write, in this order; a.b is member b of the struct a. Empty: all."},
    {FIELD(hr_schema_opts, schema), .type = HR_OPT_JSON, SINCE,
     .text = "Names and types instead of inferred ones: {\"id\": \"int64\", \"price\": "
             "\"decimal(12,2)\"}. Columns it does not name are inferred."},
    {FIELD(hr_schema_opts, infer_files), .type = HR_OPT_INT, .def = "5", RANGE(1, 64), SINCE,
     .text = "Files looked at for names and types: the first, the last by time, the rest spread."},
    {FIELD(hr_schema_opts, infer_rows), .type = HR_OPT_INT, .def = "1000", RANGE(1, 1000000),
     .unit = "rows", SINCE, .text = "Rows looked at in each of them."},
    {FIELD(hr_schema_opts, infer_types), .type = HR_OPT_BOOL, .def = "true", SINCE,
     .text = "Find types in text files; false reads every value as text."},
    {FIELD(hr_schema_opts, infer_decimal), .type = HR_OPT_BOOL, .def = "false", SINCE,
     .text = "Infer exact decimals instead of doubles."},
    {FIELD(hr_schema_opts, schema_evolution), .type = HR_OPT_ENUM, .def = "widen",
     .values = "widen|rescue|strict|ignore", SINCE,
     .text = "A value or column that does not fit: widen the output, rescue it into _rescued_data, "
             "fail (strict), or write null (ignore)."},
    {FIELD(hr_schema_opts, on_error), .type = HR_OPT_ENUM, .def = "fail",
     .values = "fail|skip|quarantine", SINCE,
     .text = "A record that cannot be read: fail, skip and count it, or put it into a file of "
             "_quarantine/ at the destination."},
    {FIELD(hr_schema_opts, max_errors), .type = HR_OPT_INT, .def = "0", AT_LEAST(0), SINCE,
     .text =
         "With on_error=skip or quarantine: most bad records before the run fails. 0: no limit."},
    {FIELD(hr_schema_opts, max_error_ratio), .type = HR_OPT_DOUBLE, .def = "0", RANGE(0, 1), SINCE,
     .text = "With on_error=skip or quarantine: largest share of bad records before the run fails. "
             "0: no limit."},
    {FIELD(hr_schema_opts, metadata_columns), .type = HR_OPT_LIST, SINCE,
     .text = "Columns about the object to add: _last_modified_time, _file, _line, _row, _offset, "
             "_modified, _etag, _size, _row_id."},
    {FIELD(hr_schema_opts, max_columns), .type = HR_OPT_INT, .def = "10000", RANGE(1, 1000000),
     SINCE,
     .text = "Most columns of a stream; more is an error. Of CSV and JSON 10000 are read at "
             "most."},
};
const size_t hr_rows_schema_count = HR_COUNTOF(hr_rows_schema);

const struct hr_option hr_rows_sync[] = {
    {FIELD(hr_sync_opts, sync_mode), .type = HR_OPT_ENUM, .def = "full_refresh",
     .values = "full_refresh|incremental", SINCE,
     .text = "Read everything, or only what was not read before."},
    {FIELD(hr_sync_opts, cursor_field), .type = HR_OPT_STRING, SINCE,
     .text = "What incremental goes by. _last_modified_time: the objects' own times."},
    {FIELD(hr_sync_opts, lookback_seconds), .type = HR_OPT_INT, .def = "86400", RANGE(-1, 9e15),
     .unit = "seconds", SINCE,
     .text =
         "How far below the newest time read every object is remembered one by one. -1: for ever."},
    {FIELD(hr_sync_opts, backfill), .type = HR_OPT_BOOL, .def = "false", SINCE,
     .text =
         "After prefix, patterns, format or dates changed: read objects older than the lookback "
         "too that no earlier selection can have taken. Others count as read."},
    {FIELD(hr_sync_opts, state_lease_seconds), .type = HR_OPT_INT, .def = "60", RANGE(1, 86400),
     .unit = "seconds", SINCE,
     .text = "State on S3: how long a run that went silent keeps others out. Renewed at a third."},
    {FIELD(hr_sync_opts, lost_upload), .type = HR_OPT_ENUM, .def = "take_back",
     .values = "take_back|ask", SINCE,
     .text =
         "A run was killed while it published several files, some are visible, and the store lost "
         "the upload of another (MinIO does so): take the visible ones back and read their rows "
         "again, or stop and ask for `state resolve`."},
    {FIELD(hr_sync_opts, primary_key), .type = HR_OPT_LIST, SINCE,
     .text = "Columns that identify a row."},
    {FIELD(hr_sync_opts, filter), .type = HR_OPT_STRING, SINCE,
     .text = "Condition rows must meet: comparisons, between, in, and, or."},
    {FIELD(hr_sync_opts, run_time), .type = HR_OPT_STRING, .flags = HR_OPT_HIDDEN, SINCE,
     .text = "The run's one time, instead of the clock's."},
    {FIELD(hr_sync_opts, lineage), .type = HR_OPT_STRING, .flags = HR_OPT_HIDDEN, SINCE,
     .text = "Name part of new output objects, instead of a drawn one."},
    {FIELD(hr_sync_opts, allow_empty), .type = HR_OPT_BOOL, .def = "false", .flags = HR_OPT_HIDDEN,
     SINCE, .text = "Let an overwrite from an empty selection remove what was there."},
    {FIELD(hr_sync_opts, database_prefix), .type = HR_OPT_STRING, .def = "s3", SINCE,
     .text = "First part of the destination database in new catalogs: PREFIX_BUCKET:s3."},
    {FIELD(hr_sync_opts, olake_ids), .type = HR_OPT_ENUM, .def = "hash", .values = "hash|md5",
     SINCE,
     .text = "How `_olake_id` is made: `hash` of object, version and position (stable, fast), or "
             "`md5` of the values as Olake makes it."},
    {FIELD(hr_sync_opts, olake_types), .type = HR_OPT_BOOL, .def = "false", SINCE,
     .text = "Catalog types as Olake's own program infers them: every number a double, dates as "
             "timestamps."},
};
const size_t hr_rows_sync_count = HR_COUNTOF(hr_rows_sync);
