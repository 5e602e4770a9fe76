/* transform/partition.h - which folder each row of an output batch belongs to.
 *
 *   spec (once a run)                  partition (one per worker)
 *   partition_by: a,b ─┐               put: rows are staged, each with the number of its folder
 *   partition_regex  ──┴─► terms ───►  full: enough bytes are staged
 *                                      next: the staged rows, folder by folder
 *
 * partition_by writes Hive's `name=value` folders, which readers turn back into columns, so those
 * columns leave the files (as DuckDB and Spark do). Olake's partition_regex is a path with groups
 * `{column, default, granularity}`; its columns stay in the files.
 *
 * Values are untrusted. They are escaped as Hive and Spark escape them, %XX for control bytes,
 * bytes that are not UTF-8, slashes, colons, quotes, brackets and = ? # % * ^ (the list is in
 * partition_path.c). So a value never opens a folder, and one that would be a whole name of its own
 * never is "", ".", ".." or hidden from readers (a first '_' or '.'). Which rows share a folder and
 * in which order folders follow depends on the rows and on `bytes_max` alone. Level 3.
 */
#ifndef HR_TRANSFORM_PARTITION_H
#define HR_TRANSFORM_PARTITION_H

#include "transform/transform.h"

#define HR_PARTITION_NULL "__HIVE_DEFAULT_PARTITION__" /* null and empty values of partition_by */
#define HR_PARTITION_NAME_MAX 255                      /* bytes of one folder's name */
#define HR_PARTITION_PATH_MAX 800                      /* bytes of all folders of one row */

enum hr_granularity {
    HR_GRAN_NONE,
    HR_GRAN_HOUR,
    HR_GRAN_DAY,
    HR_GRAN_WEEK, /* ISO 8601 */
    HR_GRAN_MONTH,
    HR_GRAN_YEAR
};

struct hr_partition_term {
    char *literal;  /* text of the path, may hold '/'; NULL: a value */
    char *column;   /* its name at the destination or, failing that, in the files */
    char *fallback; /* what a null becomes */
    enum hr_granularity granularity;
};

/* Read-only while partitions use it. */
struct hr_partition_spec {
    struct hr_partition_term *terms;
    size_t count;
    bool hive; /* partition_by: columns leave the files, a missing column is an error */
    int64_t max_folders;
};

/* Hive folders of these columns, in this order. max_folders: more at a time is HR_E_BOUND. */
int hr_partition_by(const struct hr_strlist *columns, int64_t max_folders,
                    struct hr_partition_spec **out, struct hr_error *err);
/* Olake's path. now() is run_us. A group of fewer than three parts is nothing, as there; a
 * blank default is `default_COLUMN`. *out is NULL when the path is empty. HR_E_CONFIG: a "..".
 */
int hr_partition_regex(const char *text, int64_t run_us, int64_t max_folders,
                       struct hr_partition_spec **out, struct hr_error *err);
void hr_partition_spec_free(struct hr_partition_spec *spec); /* NULL allowed */
/* Make the transform hand over the columns of the files that the path needs, hidden behind the
 * others: partition_regex may name columns that are not written. */
int hr_partition_columns(const struct hr_partition_spec *spec, struct hr_transform_spec *columns,
                         struct hr_error *err);

/* Append an escaped value to a path that ends in a folder's name so far. `alone`: the value
 * begins the name. */
int hr_partition_escape(struct hr_slice value, bool alone, struct hr_buf *out,
                        struct hr_error *err);
/* The text of a value at a granularity (none: as CSV shows it; also when it is not a time). */
int hr_partition_value(const struct hr_vec *vec, int64_t row, enum hr_granularity granularity,
                       struct hr_buf *out, struct hr_error *err);
/* A granularity of this instant (seconds since the epoch), without NUL. Room 24. */
size_t hr_partition_time(int64_t seconds, enum hr_granularity granularity, char *out);
/* The instant of a value that is a time or a text that holds one. */
bool hr_partition_instant(const struct hr_vec *vec, int64_t row, int64_t *out_seconds);

struct hr_partition;
/* `full`: the transform's output schema. bytes_max: bytes of staged rows after which `full`
 * holds. HR_E_CONFIG: partition_by names no column, a nested one, or every one. */
int hr_partition_new(const struct hr_partition_spec *spec, struct hr_schema *full, size_t bytes_max,
                     struct hr_partition **out, struct hr_error *err);
void hr_partition_free(struct hr_partition *p);                      /* NULL allowed */
struct hr_schema *hr_partition_schema(const struct hr_partition *p); /* of the files; borrowed */
void hr_partition_reset(struct hr_partition *p);                     /* forget staged rows */
/* Stage the rows of a batch with schema `full`. HR_E_BOUND: too many folders, a name too long.
 */
int hr_partition_put(struct hr_partition *p, const struct hr_batch *batch, struct hr_error *err);
bool hr_partition_full(const struct hr_partition *p);
/* The next rows of the next folder ("a=1/b=2/", "" none), both valid until the next call;
 * *last: the folder has no more. HR_END: nothing is staged any more. */
int hr_partition_next(struct hr_partition *p, const char **folder, const struct hr_batch **out,
                      bool *last, struct hr_error *err);

#endif
