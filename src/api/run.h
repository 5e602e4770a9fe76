/* api/run.h - what copy and sync have in common: places opened, output columns, budgets, figures.
 * Level 8. */
#ifndef HR_API_RUN_H
#define HR_API_RUN_H

#include "pipeline/pipeline.h"

/* Figures of a finished (or failed) run, for summaries. */
struct hr_summary {
    struct hr_run_counts counts;
    int64_t files, bytes_out, rows_written;
    struct hr_store_counters src, dst, state; /* state: of one on S3 */
    struct hr_selection selection;
    double usd;
    double seconds;
    int64_t streams;
};

/* Open the store of a place (settings finished). */
int hr_run_open_store(const struct hr_settings *settings, const struct hr_place *place,
                      bool read_only, struct hr_store **out, struct hr_error *err);

/* How a state at `s3://…` is reached: as the destination is when that is S3, else as the source,
 * else by the environment alone. For hr_state_conf.access; strings are borrowed from the settings.
 * NULL: the environment. */
const struct hr_store_conf *hr_run_state_access(const struct hr_settings *settings,
                                                struct hr_store_conf *room);

/* Bytes of parts a run may hold, from memory_limit_mb. */
struct hr_budget *hr_run_budget(const struct hr_settings *settings);

/* A fresh lineage (10 letters and digits) or the one from the settings; room 33. */
void hr_run_lineage(const struct hr_settings *settings, char out[33]);

/* The run's one time: run_time, else the clock. Microseconds. */
int64_t hr_run_time_us(const struct hr_settings *settings);

/* Filter from `filter` and `parquet_filters`; NULL when there is none. */
int hr_run_filter(const struct hr_settings *settings, struct hr_filter **out, struct hr_error *err);

/* Output columns of a copy: `columns` or all, then metadata_columns. spec is zeroed by the caller.
 */
int hr_run_copy_spec(const struct hr_settings *settings, struct hr_transform_spec *spec,
                     struct hr_error *err);

/* Columns asked for by name must exist in `schema`: HR_E_USAGE naming those there are. */
int hr_run_check_columns(const struct hr_transform_spec *spec, const struct hr_schema *schema,
                         struct hr_error *err);

/* Add one run's counts to `sum`. */
void hr_run_add_counts(struct hr_run_counts *sum, const struct hr_run_counts *counts);

/* What destination options say of data files alone (manifests must stay readable, and no rule made
 * for data should remove them); the strings stay the settings'. */
struct hr_put_opts hr_run_put_opts(const struct hr_settings *settings);

/* Folders by the rows' values: the catalog's `regex`, else path_template, else partition_by; *out
 * NULL: none. Hidden columns the path needs are added to `spec`. */
int hr_run_partition(const struct hr_settings *settings, const char *regex, int64_t run_us,
                     struct hr_transform_spec *spec, struct hr_partition_spec **out,
                     struct hr_error *err);

/* The sink for files below `prefix` (key NULL) or at one key; with `gather` blocks come from many
 * folders (see sink/sink.h). */
int hr_run_object_sink(const struct hr_settings *settings, const struct hr_object_sink_conf *conf,
                       bool gather, struct hr_sink **out, struct hr_error *err);

/* With schema_evolution=rescue: give *schema (replaced by a wider one) and the output the column
 * _rescued_data. */
int hr_run_rescue(const struct hr_settings *settings, struct hr_schema **schema,
                  struct hr_transform_spec *spec, struct hr_error *err);

/* Add the counters of a store to `sum` (store may be NULL). */
void hr_run_add_counters(struct hr_store *store, struct hr_store_counters *sum);

#endif
