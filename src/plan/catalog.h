/* plan/catalog.h - the streams of a run: names, columns, what is selected, how each is synced.
 *
 * A dialect reads and writes it in its own shape (streams.json, configured catalog); planning,
 * transform and pipeline only know this one. Level 5. Not thread safe while it is filled.
 */
#ifndef HR_PLAN_CATALOG_H
#define HR_PLAN_CATALOG_H

#include "batch/schema.h"
#include "config/option.h"
#include "plan/settings.h"

/* Where a column's values come from. */
enum hr_column_kind {
    HR_COL_DATA,          /* from the file */
    HR_COL_LAST_MODIFIED, /* `_last_modified_time`: the object's time, text YYYY-MM-DDTHH:MM:SSZ */
    HR_COL_OLAKE_ID,      /* `_olake_id`: text */
    HR_COL_OLAKE_TIMESTAMP, /* `_olake_timestamp`: timestamp[us, utc], the run's time */
    HR_COL_OP_TYPE,         /* `_op_type`: "r" for a first load, "u" for what came later */
    HR_COL_CDC_TIMESTAMP    /* `_cdc_timestamp`: always null here */
};

struct hr_column {
    struct hr_field field; /* name, type, nullable: as the file has it */
    char *dest_name;       /* name at the destination; never NULL */
    bool selected;
    int kind; /* enum hr_column_kind */
};

enum hr_tristate { HR_UNSET = -1, HR_NO = 0, HR_YES = 1 };

struct hr_stream {
    char *name;
    char *namespace_; /* "s3"; never NULL */
    bool selected;
    bool listed;        /* stands in streams[] (a selected stream may be missing there) */
    int sync_mode;      /* enum hr_sync_mode */
    char *cursor_field; /* NULL: none */
    struct hr_strlist primary_key;

    bool has_schema; /* columns are known; otherwise infer before the first read */
    struct hr_column *columns;
    size_t n_columns;
    bool sync_new_columns;    /* a column the catalog does not know is written too */
    bool all_columns;         /* no selection was given: every column, known or new */
    struct hr_strlist chosen; /* otherwise the names that were listed */

    char *dest_database, *dest_table; /* NULL: none given */
    int normalization;                /* enum hr_tristate; NO: Olake's raw five-column form */
    bool append_mode;
    bool use_source_names; /* columns keep their own names at the destination */
    char *partition_regex; /* "" none */
    char *filter_config;   /* JSON text or NULL */
    char *filter_text;     /* Olake's legacy `filter`, or NULL */
    char *extra;           /* JSON object with members nobody here knows, kept for writing; NULL */
    char *selected_extra;  /* the same for the entry in selected_streams */
};

struct hr_catalog {
    struct hr_stream *streams; /* in the order of the file; in key order from discover */
    size_t count;
};

void hr_catalog_init(struct hr_catalog *catalog);
void hr_catalog_release(struct hr_catalog *catalog);

/* Append a stream with defaults (selected, incremental, all columns); the pointer is valid until
 * the next add. */
int hr_catalog_add(struct hr_catalog *catalog, const char *name, const char *namespace_,
                   struct hr_stream **out, struct hr_error *err);
/* Index by name, -1 none. Namespaces do not distinguish streams of one source. */
long hr_catalog_find(const struct hr_catalog *catalog, const char *name, size_t len);

/* Append a column. field is copied; dest_name NULL: the field's name. */
int hr_stream_add_column(struct hr_stream *stream, const struct hr_field *field,
                         const char *dest_name, int kind, struct hr_error *err);
/* Replace the data columns by those of a schema (in front of the added ones, which stay; a data
 * column with the name of an added one is left out), apply the selection and set has_schema. */
int hr_stream_set_schema(struct hr_stream *stream, const struct hr_schema *schema,
                         struct hr_error *err);
/* The columns read from files (HR_COL_DATA) as a schema: all of them, or those selected. */
int hr_stream_schema(const struct hr_stream *stream, bool only_selected, struct hr_schema **out,
                     struct hr_error *err);
/* Set `selected` of every column from chosen, all_columns and sync_new_columns; a column listed in
 * `chosen` or, when the catalog did not know it, covered by sync_new_columns is selected. */
void hr_stream_apply_selection(struct hr_stream *stream, bool columns_are_new);
/* Name at the destination: dest_name, or its own where the stream keeps source names. */
const char *hr_column_output_name(const struct hr_stream *stream, const struct hr_column *column);
const struct hr_column *hr_stream_column(const struct hr_stream *stream, const char *name);
void hr_stream_clear_columns(struct hr_stream *stream);

#endif
