/* api/run.c - common parts of runs (see run.h). */
#include "api/run.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/time.h"
#include "batch/member.h"

int hr_run_open_store(const struct hr_settings *settings, const struct hr_place *place,
                      bool read_only, struct hr_store **out, struct hr_error *err) {
    struct hr_store_conf conf;
    hr_settings_store_conf(settings, place, &conf);
    conf.read_only = read_only;
    return hr_store_open(&conf, out, err);
}

static bool on_s3(const struct hr_place *place) {
    return place->scheme != NULL && strcmp(place->scheme, "s3") == 0;
}

const struct hr_store_conf *hr_run_state_access(const struct hr_settings *settings,
                                                struct hr_store_conf *room) {
    const struct hr_place *place = on_s3(&settings->dest.place) ? &settings->dest.place
                                   : on_s3(&settings->place)    ? &settings->place
                                                                : NULL;
    if (place == NULL) {
        return NULL;
    }
    hr_settings_store_conf(settings, place, room);
    return room;
}

struct hr_budget *hr_run_budget(const struct hr_settings *settings) {
    /* Half for parts in flight; the other half is what decoders and encoders hold. */
    return hr_budget_new((size_t)settings->work.memory_limit_mb << 19);
}

void hr_run_lineage(const struct hr_settings *settings, char out[33]) {
    static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";
    if (settings->sync.lineage != NULL && settings->sync.lineage[0] != '\0') {
        snprintf(out, 33, "%s", settings->sync.lineage);
        return;
    }
    uint8_t noise[10];
    if (getrandom(noise, sizeof(noise), 0) != (ssize_t)sizeof(noise)) {
        const int64_t now = hr_monotonic_nanos() ^ hr_now_micros();
        memcpy(noise, &now, sizeof(now));
    }
    for (size_t i = 0; i < sizeof(noise); i++) {
        out[i] = alphabet[noise[i] & 31];
    }
    out[sizeof(noise)] = '\0';
}

int64_t hr_run_time_us(const struct hr_settings *settings) {
    return settings->sync.run_us >= 0 ? settings->sync.run_us : hr_now_micros();
}

int hr_run_filter(const struct hr_settings *settings, struct hr_filter **out,
                  struct hr_error *err) {
    struct hr_filter *rows = NULL;
    struct hr_filter *parquet = NULL;
    *out = NULL;
    int rc = 0;
    if (settings->sync.filter != NULL && settings->sync.filter[0] != '\0') {
        rc = hr_filter_parse(settings->sync.filter, &rows, err);
    }
    if (rc == 0 && settings->parquet.parquet_filters != NULL) {
        json_error_t at;
        json_t *json = json_loads(settings->parquet.parquet_filters, JSON_DECODE_ANY, &at);
        rc = json ? hr_filter_from_json(json, &parquet, err)
                  : hr_fail(err, HR_E_CONFIG, "could not read parquet_filters: %s", at.text);
        json_decref(json);
    }
    if (rc != 0) {
        hr_filter_free(rows);
        return rc;
    }
    return hr_filter_and(rows, parquet, out, err);
}

struct metadata_row {
    const char *name;
    int kind;
};

static const struct metadata_row METADATA[] = {{"_last_modified_time", HR_OUT_MTIME_TEXT},
                                               {"_file", HR_OUT_KEY},
                                               {"_line", HR_OUT_ROW},
                                               {"_row", HR_OUT_ROW},
                                               {"_offset", HR_OUT_OFFSET},
                                               {"_modified", HR_OUT_MTIME},
                                               {"_etag", HR_OUT_ETAG},
                                               {"_size", HR_OUT_SIZE},
                                               {"_row_id", HR_OUT_ROW_ID}};

static int add_metadata(struct hr_transform_spec *spec, const char *name, struct hr_error *err) {
    for (size_t i = 0; i < HR_COUNTOF(METADATA); i++) {
        if (strcmp(METADATA[i].name, name) == 0) {
            return hr_transform_spec_add(spec, name, METADATA[i].kind, NULL, NULL, 0, err);
        }
    }
    hr_fail(err, HR_E_CONFIG, "could not add a metadata column '%s': there is no such column",
            name);
    hr_error_hint(err, "known are _last_modified_time, _file, _line, _row, _offset, _modified, "
                       "_etag, _size, _row_id");
    return HR_E_CONFIG;
}

/* Two columns of one name cannot be told apart by most readers of what is written. */
static int check_twice(const struct hr_strlist *columns, struct hr_error *err) {
    for (size_t i = 1; i < columns->count; i++) {
        for (size_t k = 0; k < i; k++) {
            if (strcmp(columns->items[i], columns->items[k]) == 0) {
                hr_fail(err, HR_E_USAGE, "could not choose column '%s' twice", columns->items[i]);
                hr_error_hint(err, "name each column once");
                return HR_E_USAGE;
            }
        }
    }
    return 0;
}

int hr_run_check_columns(const struct hr_transform_spec *spec, const struct hr_schema *schema,
                         struct hr_error *err) {
    for (size_t i = 0; i < spec->count; i++) {
        const struct hr_out_column *column = &spec->columns[i];
        const struct hr_field *stopped = NULL;
        struct hr_member member;
        if (column->kind != HR_OUT_DATA ||
            hr_member_find(schema, column->source, &member, &stopped)) {
            continue;
        }
        hr_fail(err, HR_E_USAGE, "could not find column '%s'", column->source);
        if (stopped != NULL && hr_type_nested(stopped->type)) {
            hr_error_hint(err,
                          "'%s' is a %s, and only members of structs are columns: choose it "
                          "whole",
                          stopped->name, stopped->type.id == HR_T_MAP ? "map" : "list");
            return HR_E_USAGE;
        }
        char names[240];
        size_t n = 0;
        names[0] = '\0';
        for (int k = 0; k < schema->n_fields && n < sizeof(names) - 8; k++) {
            n += (size_t)snprintf(names + n, sizeof(names) - n, "%s%s", k ? ", " : "",
                                  schema->fields[k].name);
        }
        hr_error_hint(err, "columns are: %s", names);
        return HR_E_USAGE;
    }
    return 0;
}

int hr_run_copy_spec(const struct hr_settings *settings, struct hr_transform_spec *spec,
                     struct hr_error *err) {
    const struct hr_strlist *columns = &settings->schema.columns;
    if (columns->count == 0) {
        columns = &settings->parquet.parquet_columns;
    }
    spec->all_data = columns->count == 0;
    spec->new_columns = spec->all_data && (settings->schema.schema == NULL ||
                                           settings->schema.schema_evolution == HR_EVOLVE_RESCUE);
    spec->misfit = hr_settings_misfit(settings);
    spec->members = true;
    int rc = check_twice(columns, err);
    for (size_t i = 0; rc == 0 && i < columns->count; i++) {
        rc = hr_transform_spec_add(spec, columns->items[i], HR_OUT_DATA, columns->items[i], NULL, 0,
                                   err);
    }
    const struct hr_strlist *extra = &settings->schema.metadata_columns;
    for (size_t i = 0; rc == 0 && i < extra->count; i++) {
        rc = add_metadata(spec, extra->items[i], err);
    }
    return rc;
}

void hr_run_add_counts(struct hr_run_counts *sum, const struct hr_run_counts *counts) {
    sum->objects += counts->objects;
    sum->bytes += counts->bytes;
    sum->rows_in += counts->rows_in;
    sum->rows_out += counts->rows_out;
    sum->nulled += counts->nulled;
    sum->rounded += counts->rounded;
    sum->rejected += counts->rejected;
    sum->deleted += counts->deleted;
    sum->replaced += counts->replaced;
}

struct hr_put_opts hr_run_put_opts(const struct hr_settings *settings) {
    const struct hr_dest *dest = &settings->dest;
    return (struct hr_put_opts){.storage_class = dest->storage_class, .tagging = dest->tags};
}

int hr_run_partition(const struct hr_settings *settings, const char *regex, int64_t run_us,
                     struct hr_transform_spec *spec, struct hr_partition_spec **out,
                     struct hr_error *err) {
    const struct hr_dest *dest = &settings->dest;
    const bool by = dest->partition_by.count > 0;
    const char *path = regex != NULL && regex[0] != '\0' ? regex : dest->path_template;
    int rc = 0;
    *out = NULL;
    if (by && dest->path_template != NULL) {
        hr_fail(err, HR_E_CONFIG, "could not use path_template and partition_by at once");
        hr_error_hint(err, "write name={column,none,} into path_template");
        return HR_E_CONFIG;
    }
    if (path != NULL) {
        rc = hr_partition_regex(path, run_us, dest->max_partitions, out, err);
    } else if (by) {
        rc = hr_partition_by(&dest->partition_by, dest->max_partitions, out, err);
    }
    return rc == 0 && *out != NULL ? hr_partition_columns(*out, spec, err) : rc;
}

int hr_run_object_sink(const struct hr_settings *settings, const struct hr_object_sink_conf *conf,
                       bool gather, struct hr_sink **out, struct hr_error *err) {
    struct hr_sink *files = NULL;
    const size_t memory = (size_t)settings->work.memory_limit_mb << 20;
    *out = NULL;
    struct hr_object_sink_conf object = *conf;
    object.quarantine = hr_settings_quarantines(settings);
    const int rc = hr_sink_object(&object, &files, err);
    if (rc != 0 || !gather) {
        *out = files;
        return rc;
    }
    const struct hr_gather_conf behind = {.behind = files,
                                          .memory = memory / 8,
                                          .cost_max = memory / 4,
                                          .max_file_bytes = conf->max_file_bytes,
                                          .max_folders = settings->dest.max_partitions,
                                          .spill_max =
                                              (int64_t)(settings->work.spill_limit_gb * (1 << 30)),
                                          .spill_dir = settings->work.spill_dir};
    return hr_sink_gather(&behind, out, err);
}

static bool names(const struct hr_transform_spec *spec, const char *name) {
    for (size_t i = 0; i < spec->count; i++) {
        if (strcmp(spec->columns[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

int hr_run_rescue(const struct hr_settings *settings, struct hr_schema **schema,
                  struct hr_transform_spec *spec, struct hr_error *err) {
    static const char name[] = HR_RESCUED_NAME;
    if (settings->schema.schema_evolution != HR_EVOLVE_RESCUE) {
        return 0;
    }
    int rc = 0;
    if (hr_schema_find(*schema, name, strlen(name)) < 0) {
        struct hr_schema *wider = hr_schema_new((*schema)->n_fields + 1);
        rc = wider ? 0 : HR_E_NOMEM;
        for (int i = 0; rc == 0 && i < (*schema)->n_fields; i++) {
            rc = hr_field_copy(&wider->fields[i], &(*schema)->fields[i]);
        }
        if (rc == 0) {
            rc = hr_field_init(&wider->fields[(*schema)->n_fields], name, strlen(name),
                               hr_type(HR_T_UTF8), 0);
        }
        if (rc != 0) {
            hr_schema_unref(wider);
            return hr_fail(err, HR_E_NOMEM, "could not allocate a schema");
        }
        wider->fields[(*schema)->n_fields].nullable = true;
        hr_schema_unref(*schema);
        *schema = wider;
    }
    return spec->all_data || names(spec, name)
               ? 0
               : hr_transform_spec_add(spec, name, HR_OUT_DATA, name, NULL, 0, err);
}

void hr_run_add_counters(struct hr_store *store, struct hr_store_counters *sum) {
    if (store == NULL) {
        return;
    }
    struct hr_store_counters c;
    store->driver->counters(store, &c);
    sum->list += c.list;
    sum->get += c.get;
    sum->head += c.head;
    sum->put += c.put;
    sum->part += c.part;
    sum->create += c.create;
    sum->complete += c.complete;
    sum->abort += c.abort;
    sum->remove += c.remove;
    sum->other += c.other;
    sum->retries += c.retries;
    sum->throttled += c.throttled;
    sum->bytes_in += c.bytes_in;
    sum->bytes_out += c.bytes_out;
    sum->connections += c.connections;
}
