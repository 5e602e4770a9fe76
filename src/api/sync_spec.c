/* api/sync_spec.c - from a catalog entry to what the transform does (see sync_spec.h). */
#include "api/sync_spec.h"

#include <stdlib.h>
#include <string.h>

#include "api/lake_filter.h"
#include "base/mem.h"

static bool is_olake(const struct hr_sync_conf *conf) {
    return strcmp(conf->dialect->name, "olake") == 0;
}

static bool md5_ids(const struct hr_sync_conf *conf) {
    return conf->settings->sync.olake_ids == 1;
}

static int own_column(const struct hr_sync_conf *conf, struct hr_transform_spec *spec, int kind,
                      const char *name, bool backfill, int64_t run_us, struct hr_error *err) {
    switch (kind) {
    case HR_COL_LAST_MODIFIED:
        return hr_transform_spec_add(spec, name, HR_OUT_MTIME_TEXT, NULL, NULL, 0, err);
    case HR_COL_OLAKE_ID: {
        const int id = md5_ids(conf) ? HR_OUT_OLAKE_MD5 : HR_OUT_ROW_ID;
        return hr_transform_spec_add(spec, name, id, NULL, NULL, 0, err);
    }
    case HR_COL_OLAKE_TIMESTAMP:
        return hr_transform_spec_add(spec, name, HR_OUT_TIME, NULL, NULL, run_us, err);
    case HR_COL_OP_TYPE:
        return hr_transform_spec_add(spec, name, HR_OUT_TEXT, NULL, backfill ? "r" : "u", 0, err);
    default: return hr_transform_spec_add(spec, name, HR_OUT_NULL_TIME, NULL, NULL, 0, err);
    }
}

struct own_row {
    int kind;
    const char *name;
};

static int drop_column(struct hr_transform_spec *spec, const char *name, struct hr_error *err) {
    char **grown =
        hr_reallocarray(spec->drop.items, spec->drop.count + 1, sizeof(*spec->drop.items));
    char *copy = hr_strdup(name);
    if (grown != NULL) {
        spec->drop.items = grown;
    }
    if (grown == NULL || copy == NULL) {
        hr_free(copy);
        return hr_fail(err, HR_E_NOMEM, "could not allocate the output columns");
    }
    grown[spec->drop.count++] = copy;
    return 0;
}

/* Olake's raw form: five columns in name order. */
static int raw_form(const struct hr_sync_conf *conf, const struct hr_stream *stream,
                    struct hr_transform_spec *spec, bool backfill, int64_t run_us,
                    struct hr_error *err) {
    static const struct own_row rows[] = {{HR_COL_CDC_TIMESTAMP, "_cdc_timestamp"},
                                          {HR_COL_OLAKE_ID, "_olake_id"},
                                          {HR_COL_OLAKE_TIMESTAMP, "_olake_timestamp"},
                                          {HR_COL_OP_TYPE, "_op_type"}};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < HR_COUNTOF(rows); i++) {
        rc = own_column(conf, spec, rows[i].kind, rows[i].name, backfill, run_us, err);
    }
    for (size_t i = 0; rc == 0 && i < stream->n_columns; i++) {
        const struct hr_column *c = &stream->columns[i];
        if (!c->selected && (c->kind == HR_COL_DATA || c->kind == HR_COL_LAST_MODIFIED)) {
            rc = drop_column(spec, c->field.name, err);
        }
    }
    spec->new_columns = stream->all_columns || stream->sync_new_columns;
    return rc == 0 ? hr_transform_spec_add(spec, "data", HR_OUT_RAW_JSON, NULL, NULL, 0, err) : rc;
}

static int columns_form(const struct hr_sync_conf *conf, const struct hr_stream *stream,
                        struct hr_transform_spec *spec, bool backfill, int64_t run_us,
                        struct hr_error *err) {
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < stream->n_columns; i++) {
        const struct hr_column *c = &stream->columns[i];
        const char *name = stream->use_source_names ? c->field.name : c->dest_name;
        if (!c->selected) {
            rc = c->kind == HR_COL_DATA ? drop_column(spec, c->field.name, err) : 0;
        } else if (c->kind == HR_COL_DATA) {
            rc = hr_transform_spec_add(spec, name, HR_OUT_DATA, c->field.name, NULL, 0, err);
        } else {
            rc = own_column(conf, spec, c->kind, name, backfill, run_us, err);
        }
    }
    spec->all_data = spec->new_columns = stream->all_columns || stream->sync_new_columns;
    if (rc == 0 && spec->count == 0 && !spec->all_data) {
        rc = hr_fail(err, HR_E_CONFIG,
                     "could not sync stream '%s': none of its selected_columns is a column of it",
                     stream->name);
        hr_error_hint(err, "name columns of the stream under selected_columns, or leave "
                           "selected_columns out to write all; headrace discover lists them");
    }
    return rc;
}

static int dress_spec(const struct hr_sync_conf *conf, const struct hr_stream *stream,
                      struct hr_transform_spec *spec, bool backfill, int64_t run_us,
                      struct hr_error *err) {
    static const struct own_row rows[] = {{HR_COL_LAST_MODIFIED, "_last_modified_time"},
                                          {HR_COL_OLAKE_ID, "_olake_id"},
                                          {HR_COL_OLAKE_TIMESTAMP, "_olake_timestamp"},
                                          {HR_COL_OP_TYPE, "_op_type"}};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < (is_olake(conf) ? HR_COUNTOF(rows) : 1); i++) {
        if (hr_stream_column(stream, rows[i].name) != NULL) {
            continue;
        }
        rc = own_column(conf, spec, rows[i].kind, rows[i].name, backfill, run_us, err);
    }
    return rc;
}

static int compare_texts(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* What Olake's ids are made of: the primary key's columns by name, or the record; its numbers are
 * doubles unless a Parquet file says more. */
static int id_spec(const struct hr_sync_conf *conf, const struct hr_stream *stream,
                   struct hr_transform_spec *spec, struct hr_error *err) {
    for (size_t i = 0; i < stream->primary_key.count; i++) {
        if (hr_strlist_add(&spec->id_keys, stream->primary_key.items[i]) != 0) {
            return hr_fail(err, HR_E_NOMEM, "could not allocate the primary key");
        }
    }
    if (spec->id_keys.count > 1) {
        qsort(spec->id_keys.items, spec->id_keys.count, sizeof(char *), compare_texts);
    }
    const char *format = conf->settings->files.file_format;
    spec->text_numbers = strcmp(format, "csv") == 0 || strcmp(format, "json") == 0;
    return 0;
}

int hr_sync_spec(const struct hr_sync_conf *conf, const struct hr_stream *stream, bool dress,
                 bool backfill, int64_t run_us, struct hr_transform_spec *spec,
                 struct hr_filter **filter, struct hr_error *err) {
    spec->misfit = hr_settings_misfit(conf->settings);
    spec->nested_text = is_olake(conf);
    spec->olake_normalize = is_olake(conf) && !stream->use_source_names;
    *filter = NULL;
    int rc;
    if (stream->normalization == HR_NO) {
        rc = raw_form(conf, stream, spec, backfill, run_us, err);
    } else {
        rc = columns_form(conf, stream, spec, backfill, run_us, err);
        if (rc == 0 && dress) {
            rc = dress_spec(conf, stream, spec, backfill, run_us, err);
        }
    }
    if (rc == 0 && md5_ids(conf)) {
        rc = id_spec(conf, stream, spec, err);
    }
    if (rc == 0) {
        rc = hr_lake_filter(stream, filter, err);
    }
    if (rc == 0) {
        struct hr_filter *common;
        rc = hr_run_filter(conf->settings, &common, err);
        if (rc == 0) {
            rc = hr_filter_and(*filter, common, filter, err);
        }
    }
    spec->filter = *filter;
    return rc;
}

static bool is_given(const char *text) {
    return text != NULL && text[0] != '\0';
}

/* An unselected column has its place too then, and is not rescued. */
static bool rescues(const struct hr_sync_conf *conf) {
    return conf->settings->schema.schema_evolution == HR_EVOLVE_RESCUE;
}

/* Columns that are not written may be needed by Olake's ids, a filter or the path of a row. */
static bool is_read(const struct hr_sync_conf *conf, const struct hr_stream *stream,
                    const struct hr_column *c) {
    return c->kind == HR_COL_DATA &&
           (c->selected || md5_ids(conf) || rescues(conf) || is_given(stream->filter_config) ||
            is_given(stream->filter_text) || is_given(stream->partition_regex) ||
            is_given(conf->settings->dest.path_template));
}

int hr_sync_read_schema(const struct hr_sync_conf *conf, const struct hr_stream *stream,
                        struct hr_schema **out, struct hr_error *err) {
    int n = 0;
    *out = NULL;
    for (size_t i = 0; i < stream->n_columns; i++) {
        const struct hr_column *c = &stream->columns[i];
        n += is_read(conf, stream, c);
    }
    struct hr_schema *schema = hr_schema_new(n);
    int rc = schema ? 0 : HR_E_NOMEM;
    int k = 0;
    for (size_t i = 0; rc == 0 && i < stream->n_columns; i++) {
        const struct hr_column *c = &stream->columns[i];
        if (is_read(conf, stream, c)) {
            rc = hr_field_copy(&schema->fields[k], &c->field);
            schema->fields[k++].nullable = true;
        }
    }
    if (rc != 0) {
        hr_schema_unref(schema);
        return hr_fail(err, HR_E_NOMEM, "could not allocate a schema");
    }
    *out = schema;
    return 0;
}
