/* plan/settings.h - every option of a run in one struct, whatever vocabulary it was written in.
 *
 * The option groups of the project (place, credentials, files, ..., destination) and the rows of
 * the format leaves are concatenated here. A dialect's `configure` fills the struct through
 * hr_settings_set_json, `--set` and the verbs' flags through hr_settings_set_text;
 * hr_settings_finish checks what spans several options and resolves places. Level 5.
 *
 * A settings struct is filled by one thread, then only read: any number of threads may read it.
 */
#ifndef HR_PLAN_SETTINGS_H
#define HR_PLAN_SETTINGS_H

#include "format/format.h"
#include "store/store.h"

/* ---- one struct per group; the fields are the options of docs/OPTIONS.md ----------------------
 */

enum hr_path_style { HR_PATH_STYLE_AUTO, HR_PATH_STYLE_ON, HR_PATH_STYLE_OFF };

/* A bucket, a folder in it, and how to get in. Used for the source and for the destination. */
struct hr_place {
    char *uri; /* s3://bucket/folder, file:folder, mem:name/folder; instead of the four below */
    char *bucket;
    char *path_prefix; /* a folder; hr_settings_finish leaves the literal folder in `prefix` */
    char *key;         /* one object, below path_prefix */
    char *region;
    char *endpoint_url; /* http(s)://host[:port], or file:FOLDER: buckets are folders beneath it */
    int path_style;     /* enum hr_path_style */
    bool use_ssl;       /* for an endpoint_url without a scheme */
    char *ca_bundle;
    bool insecure_tls;
    char *proxy;

    char *access_key_id, *secret_access_key, *session_token, *profile;
    char *role_arn, *external_id, *role_session_name, *web_identity_token_file;
    bool anonymous, allow_ambient_credentials;

    /* Resolved by hr_settings_finish; NULL before, and NULL after when no place was given. */
    char *scheme; /* "s3", "file", "mem", "stdio" */
    char
        *root; /* what hr_store_conf.bucket gets: a bucket, or the path of the folder that is one */
    char *prefix;   /* "" or a folder ending in '/'; never starts with '/' */
    char *object;   /* full key when one object is meant (`key`), otherwise NULL */
    char *maybe;    /* a URL may name a folder or an object: the key to try when the folder `prefix`
                       turns    out to hold nothing; NULL otherwise */
    char *literal;  /* the key of a URL with glob characters as it was typed: an object of this very
                       name (a folder, when it ends in '/') is meant before the pattern */
    char *endpoint; /* endpoint_url with its scheme; NULL: the store's own */
};

enum hr_stream_by { HR_STREAM_BY_ALL, HR_STREAM_BY_FOLDER, HR_STREAM_BY_FILE };

struct hr_file_opts {
    char *file_format;              /* format name or "auto" */
    char *compression;              /* NULL: by extension, then magic; "none"; or a codec's name */
    struct hr_strlist file_pattern; /* globs, relative to the prefix; a leading '!' excludes */
    char *glob; /* the pattern of a URL, relative to the prefix: must match as well; no option */
    char *key_regex;             /* PCRE2, unanchored, over the full key */
    char *start_date, *end_date; /* object times, [start, end) */
    int stream_by;               /* enum hr_stream_by */
    bool strict_extensions;      /* only keys with the format's own extensions (Olake) */
    int64_t max_inflate_ratio;   /* bombs: see hr_codec_limits */
    double max_inflated_gb;      /* of one object; 0: none */
    /* filled by hr_settings_finish */
    int64_t start_us, end_us; /* microseconds; INT64_MIN / INT64_MAX when unset */
};

struct hr_cost_opts {
    double cost_limit_usd;     /* 0: none */
    int64_t max_files_per_run; /* 0: none */
    double max_data_size_gb;   /* 0: none */
    double dev_sampling;       /* 0: off; share of the files, by a seeded hash of the key */
    int64_t dev_max_files;     /* 0: off */
    int64_t dev_seed;
    char *price_sheet;
};

struct hr_partition_opts {
    struct hr_strlist partition_keys;
    char *partition_filter; /* JSON object */
    char *partition_pattern;
    bool partition_columns;
};

struct hr_work_opts {
    int64_t batch_size;
    int64_t parallel_workers;
    int64_t memory_limit_mb;
    char *spill_dir;
    double spill_limit_gb;
    int64_t part_size_mb;
    int64_t connections;             /* 0: auto */
    int64_t max_requests_per_second; /* 0: no limit */
    int64_t retry_count;
    int64_t timeout_seconds;
    int64_t task_mb;       /* 64: stored bytes of one task */
    int64_t task_objects;  /* 4096: objects of one task */
    int64_t checkpoint_mb; /* 2048: stored bytes of one checkpoint */
};

struct hr_parquet_scan_opts {
    struct hr_strlist parquet_columns;
    char *parquet_filters; /* JSON: [["col", ">=", v], ...]; nested lists are OR of ANDs */
};

enum hr_evolution { HR_EVOLVE_WIDEN, HR_EVOLVE_RESCUE, HR_EVOLVE_STRICT, HR_EVOLVE_IGNORE };
enum hr_on_error { HR_ON_ERROR_FAIL, HR_ON_ERROR_SKIP, HR_ON_ERROR_QUARANTINE };

struct hr_schema_opts {
    struct hr_strlist columns; /* wanted columns, in output order; empty: all */
    char *schema; /* JSON object or list: names and types, as hr_field_parse_type reads */
    int64_t infer_files;
    int64_t infer_rows;
    bool infer_types;
    bool infer_decimal;
    int schema_evolution; /* enum hr_evolution */
    int on_error;         /* enum hr_on_error */
    int64_t max_errors;   /* 0: none */
    double max_error_ratio;
    struct hr_strlist metadata_columns;
    int64_t max_columns;
};

enum hr_sync_mode { HR_SYNC_FULL_REFRESH, HR_SYNC_INCREMENTAL };

enum hr_lost_upload { HR_LOST_TAKE_BACK, HR_LOST_ASK };

struct hr_sync_opts {
    int sync_mode; /* enum hr_sync_mode */
    char *cursor_field;
    int64_t lookback_seconds; /* -1: for ever */
    bool backfill;            /* read old objects that only a changed selection takes */
    int64_t state_lease_seconds;
    int lost_upload; /* enum hr_lost_upload */
    struct hr_strlist primary_key;
    char *filter;
    char *run_time; /* ISO 8601; hr_settings_finish puts it into run_us */
    char *lineage;
    bool allow_empty;
    bool olake_types;
    char *database_prefix;
    int olake_ids;  /* 0 hash of object and position, 1 Olake's MD5 of the values */
    int64_t run_us; /* -1: the clock */
};

enum hr_dest_type { HR_DEST_NONE, HR_DEST_LOCAL, HR_DEST_S3, HR_DEST_STDOUT };
enum hr_dest_mode { HR_MODE_APPEND, HR_MODE_OVERWRITE, HR_MODE_ERROR, HR_MODE_REPLACE };

struct hr_dest {
    int type; /* enum hr_dest_type; NONE: from the place's scheme */
    struct hr_place place;
    char *file_format; /* "parquet" */
    char *compression; /* NULL: snappy for Parquet, gzip for text */
    int64_t compression_level;
    int mode; /* enum hr_dest_mode */
    struct hr_strlist partition_by;
    int64_t max_partitions;
    char *path_template;
    char *file_name_template;
    double max_file_size_mb;
    int64_t row_group_rows;
    int64_t row_group_mb;
    int encodings; /* 0 auto, 1 classic */
    int64_t page_size_kb;
    bool dictionary, page_index, page_crc, statistics;
    struct hr_strlist bloom_filter_columns;
    int parquet_version; /* 0: "1", 1: "2" (index into the row's values) */
    bool flatten;
    char *server_side_encryption, *kms_key_id, *acl, *storage_class, *tags, *checksum;
    struct hr_csv_opts csv; /* how text is written; destination.csv_* */
    struct hr_json_opts json;
};

/* Room for all rows of all groups in given_bits below. */
#define HR_SETTINGS_ROWS_MAX 512

struct hr_settings {
    const char *dialect; /* name of the dialect that configured it; static text; NULL: none */
    char *config_dir;    /* folder that relative file: endpoints start from; NULL: "." */

    struct hr_place place;
    struct hr_file_opts files;
    struct hr_cost_opts cost;
    struct hr_partition_opts partitions;
    struct hr_work_opts work;
    struct hr_format_opts format;
    struct hr_parquet_scan_opts parquet;
    struct hr_schema_opts schema;
    struct hr_sync_opts sync;
    struct hr_dest dest;

    uint64_t
        given_bits[HR_SETTINGS_ROWS_MAX / 64]; /* options that were set, see hr_settings_given */
};

/* All groups in the order of docs/OPTIONS.md, the format leaves' rows among them; returns how many.
 * The base of each group is the offset of its struct in struct hr_settings. Destination groups have
 * names that start with "destination". */
#define HR_SETTINGS_GROUPS_MAX 24
size_t hr_settings_groups(struct hr_option_group out[HR_SETTINGS_GROUPS_MAX]);

/* Fill with defaults. On failure nothing needs releasing. */
int hr_settings_init(struct hr_settings *settings, struct hr_error *err);
/* Free everything, wipe secrets. Tolerates a zeroed struct. */
void hr_settings_release(struct hr_settings *settings);

/* Set one option. A name is an option's name or legacy name ("path_prefix", "prefix"); a name that
 * starts with "destination." (or "dest.") means the destination's, a bare name the source's or,
 * when only the destination has it, that ("row_group_rows"). Unknown: HR_E_CONFIG, the hint names
 * the nearest known one. */
int hr_settings_set_json(struct hr_settings *settings, const char *name, const json_t *value,
                         struct hr_error *err);
/* The same from text, as `--set name=value` gives it. Secrets are refused (HR_E_USAGE): what stands
 * on a command line is seen by every process. */
int hr_settings_set_text(struct hr_settings *settings, const char *name, const char *text,
                         struct hr_error *err);
/* Set every member of a JSON object. An option given under its own name and a legacy name takes the
 * own name's value. */
int hr_settings_set_object(struct hr_settings *settings, const json_t *object,
                           struct hr_error *err);
/* Was the option set by anybody (not only defaulted)? */
bool hr_settings_given(const struct hr_settings *settings, const char *name);

/* Check what spans options (half a key pair, s3 without a bucket, dates, format and codec names)
 * and fill the resolved fields: place.scheme/root/prefix, dest.place.…, dest.type, files.start_us,
 * sync.run_us. May be called again after more was set. The source is left unresolved when no place
 * was given. */
int hr_settings_finish(struct hr_settings *settings, struct hr_error *err);

/* What hr_store_open needs. Strings are borrowed from the settings. */
void hr_settings_store_conf(const struct hr_settings *settings, const struct hr_place *place,
                            struct hr_store_conf *out);
/* What encoders need. Strings and csv/json options are borrowed from the settings. HR_E_CONFIG when
 * the codec is unknown or not usable with the destination's format. */
int hr_settings_write_opts(const struct hr_settings *settings, struct hr_write_opts *out,
                           struct hr_error *err);
/* The destination's format; NULL only before hr_settings_finish. */
const struct hr_format *hr_settings_dest_format(const struct hr_settings *settings);
/* sync/schema/work options as the readers take them. */
void hr_settings_infer_params(const struct hr_settings *settings, struct hr_infer_params *out);
enum hr_misfit hr_settings_misfit(const struct hr_settings *settings); /* schema_evolution */
bool hr_settings_quarantines(const struct hr_settings *settings);      /* on_error */

/* Put a URL of the command line into a place: s3://bucket/key, file:…, a path, mem:name/…; "-" is
 * stdio. A key that ends in '/', an empty one and an existing local folder are folders; one with
 * the suffix of a known format or codec is an object; anything else is tried as a folder, then as
 * an object. Glob characters: the folder before them is the place and *out_glob (hr_free) the
 * pattern relative to it, NULL without; `literal` keeps the key. A backslash takes the meaning from
 * the character behind it. With out_glob NULL (a place to write to) '[' and '{' are ordinary, '*'
 * and '?' without a backslash HR_E_USAGE. */
int hr_place_set_url(struct hr_place *place, const char *url, char **out_glob,
                     struct hr_error *err);

#endif
