/* api/sync_spec.c - from a catalog entry to what the transform does (see sync_spec.h). */
#include "api/sync_spec.h"

#include <string.h>
#include <strings.h>

#include "base/mem.h"

static bool is_olake(const struct hr_sync_conf *conf) {
    return strcmp(conf->dialect->name, "olake") == 0;
}

static int own_column(const struct hr_sync_conf *conf, struct hr_transform_spec *spec, int kind,
                      const char *name, bool backfill, int64_t run_us, struct hr_error *err) {
    switch (kind) {
    case HR_COL_LAST_MODIFIED:
        return hr_transform_spec_add(spec, name, HR_OUT_MTIME_TEXT, NULL, NULL, 0, err);
    case HR_COL_OLAKE_ID: {
        const int id = conf->settings->sync.olake_ids == 1 ? HR_OUT_OLAKE_MD5 : HR_OUT_ROW_ID;
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

/* Olake's raw form: five columns in name order. */
static int raw_form(const struct hr_sync_conf *conf, struct hr_transform_spec *spec, bool backfill,
                    int64_t run_us, struct hr_error *err) {
    static const struct own_row rows[] = {{HR_COL_CDC_TIMESTAMP, "_cdc_timestamp"},
                                          {HR_COL_OLAKE_ID, "_olake_id"},
                                          {HR_COL_OLAKE_TIMESTAMP, "_olake_timestamp"},
                                          {HR_COL_OP_TYPE, "_op_type"}};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < HR_COUNTOF(rows); i++) {
        rc = own_column(conf, spec, rows[i].kind, rows[i].name, backfill, run_us, err);
    }
    spec->new_columns = true;
    return rc == 0 ? hr_transform_spec_add(spec, "data", HR_OUT_RAW_JSON, NULL, NULL, 0, err) : rc;
}

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

/* {"logical_operator": "And|Or", "conditions": [{column, operator, value}]} as filter terms. */
static int filter_of(const struct hr_stream *stream, struct hr_filter **out, struct hr_error *err) {
    *out = NULL;
    if (stream->filter_config == NULL || stream->filter_config[0] == '\0') {
        return 0;
    }
    json_error_t at;
    json_t *doc = json_loads(stream->filter_config, 0, &at);
    json_t *conditions = json_object_get(doc, "conditions");
    const char *how = json_string_value(json_object_get(doc, "logical_operator"));
    if (doc == NULL || (conditions != NULL && !json_is_array(conditions))) {
        json_decref(doc);
        return hr_fail(err, HR_E_CONFIG, "could not read filter_config of stream '%s'",
                       stream->name);
    }
    const bool any = how != NULL && strcasecmp(how, "or") == 0;
    json_t *terms = json_array();
    size_t i;
    json_t *condition;
    json_array_foreach(conditions, i, condition) {
        json_t *term =
            json_pack("[O?,O?,O?]", json_object_get(condition, "column"),
                      json_object_get(condition, "operator"), json_object_get(condition, "value"));
        json_array_append_new(terms, any ? json_pack("[o]", term) : term);
    }
    int rc = 0;
    if (json_array_size(terms) > 0) {
        rc = hr_filter_from_json(terms, out, err);
    }
    json_decref(terms);
    json_decref(doc);
    return rc;
}

int hr_sync_spec(const struct hr_sync_conf *conf, const struct hr_stream *stream, bool dress,
                 bool backfill, int64_t run_us, struct hr_transform_spec *spec,
                 struct hr_filter **filter, struct hr_error *err) {
    static const enum hr_misfit misfits[] = {[HR_EVOLVE_WIDEN] = HR_MISFIT_WIDEN,
                                             [HR_EVOLVE_RESCUE] = HR_MISFIT_RESCUE,
                                             [HR_EVOLVE_STRICT] = HR_MISFIT_STRICT,
                                             [HR_EVOLVE_IGNORE] = HR_MISFIT_IGNORE};
    spec->misfit = misfits[conf->settings->schema.schema_evolution];
    spec->nested_text = is_olake(conf);
    spec->olake_normalize = is_olake(conf) && !stream->use_source_names;
    *filter = NULL;
    int rc;
    if (stream->normalization == HR_NO) {
        rc = raw_form(conf, spec, backfill, run_us, err);
    } else {
        rc = columns_form(conf, stream, spec, backfill, run_us, err);
        if (rc == 0 && dress) {
            rc = dress_spec(conf, stream, spec, backfill, run_us, err);
        }
        if (rc == 0) {
            rc = filter_of(stream, filter, err);
        }
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

/* Columns that are not written may be needed by the raw form, a filter or the path of a row. */
static bool is_read(const struct hr_stream *stream, const struct hr_column *c) {
    return c->kind == HR_COL_DATA &&
           (c->selected || stream->normalization == HR_NO || stream->filter_config != NULL ||
            (stream->partition_regex != NULL && stream->partition_regex[0] != '\0'));
}

int hr_sync_read_schema(const struct hr_stream *stream, struct hr_schema **out,
                        struct hr_error *err) {
    int n = 0;
    *out = NULL;
    for (size_t i = 0; i < stream->n_columns; i++) {
        const struct hr_column *c = &stream->columns[i];
        n += is_read(stream, c);
    }
    struct hr_schema *schema = hr_schema_new(n);
    int rc = schema ? 0 : HR_E_NOMEM;
    int k = 0;
    for (size_t i = 0; rc == 0 && i < stream->n_columns; i++) {
        const struct hr_column *c = &stream->columns[i];
        if (is_read(stream, c)) {
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
