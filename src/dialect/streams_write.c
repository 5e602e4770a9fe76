/* dialect/streams_write.c - struct hr_catalog to streams.json, and what a discovered catalog needs
 * before that: Olake's added columns, destination names, modes.
 *
 * The shape is Olake 0.9's: selected_streams by namespace, then streams[] with type_schema. Columns
 * keep the order of the files.
 */
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/mem.h"
#include "config/json_text.h"
#include "dialect/lake_types.h"
#include "dialect/streams_file.h"
#include "plan/stream_names.h"

static int nomem(struct hr_error *err) {
    return hr_fail(err, HR_E_NOMEM, "out of memory for the catalog");
}

/* ---- added columns --------------------------------------------------------------------------- */

struct added_column {
    const char *name;
    int kind;
    enum hr_type_id type;
};

static const struct added_column added_columns[] = {
    {HR_LAKE_CURSOR, HR_COL_LAST_MODIFIED, HR_T_UTF8},
    {"_olake_id", HR_COL_OLAKE_ID, HR_T_UTF8},
    {"_olake_timestamp", HR_COL_OLAKE_TIMESTAMP, HR_T_TS},
    {"_op_type", HR_COL_OP_TYPE, HR_T_UTF8},
};

int hr_streams_column_kind(const char *name) {
    for (size_t i = 0; i < HR_COUNTOF(added_columns); i++) {
        if (strcmp(added_columns[i].name, name) == 0) {
            return added_columns[i].kind;
        }
    }
    return strcmp(name, "_cdc_timestamp") == 0 ? HR_COL_CDC_TIMESTAMP : HR_COL_DATA;
}

int hr_streams_add_columns(struct hr_stream *stream, struct hr_error *err) {
    for (size_t i = 0; i < HR_COUNTOF(added_columns); i++) {
        const struct added_column *added = &added_columns[i];
        struct hr_type type = hr_type(added->type);
        if (added->type == HR_T_TS) {
            type.unit = HR_U_US;
            type.utc = 1;
        }
        struct hr_field field = {0};
        if (hr_field_init(&field, added->name, strlen(added->name), type, 0)) {
            return nomem(err);
        }
        field.nullable = added->kind != HR_COL_LAST_MODIFIED;
        int rc = hr_stream_add_column(stream, &field, NULL, added->kind, err);
        hr_field_release(&field);
        if (rc) {
            return rc;
        }
    }
    return 0;
}

static bool name_taken(const struct hr_stream *stream, size_t before, const char *name) {
    for (size_t i = 0; i < stream->n_columns; i++) {
        bool earlier = i < before || stream->columns[i].kind != HR_COL_DATA;
        if (earlier && i != before && strcasecmp(stream->columns[i].dest_name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* Rename column i until its destination name is its own: name_2, name_3 … */
static int make_unique(struct hr_stream *stream, size_t i, struct hr_error *err) {
    struct hr_column *column = &stream->columns[i];
    struct hr_buf buf;
    int rc = 0;
    hr_buf_init(&buf, 1u << 20);
    for (int n = 2; rc == 0 && n < 100000; n++) {
        hr_buf_clear(&buf);
        rc = hr_buf_printf(&buf, err, "%s_%d", *column->dest_name ? column->dest_name : "_", n);
        if (rc == 0 && !name_taken(stream, i, hr_buf_cstr(&buf))) {
            break;
        }
    }
    char *name = rc ? NULL : hr_buf_detach(&buf);
    hr_buf_release(&buf);
    if (name == NULL) {
        return rc ? rc : nomem(err);
    }
    hr_free(column->dest_name);
    column->dest_name = name;
    return 0;
}

int hr_streams_unique_names(struct hr_stream *stream, struct hr_error *err) {
    for (size_t i = 0; i < stream->n_columns; i++) {
        const struct hr_column *column = &stream->columns[i];
        if (column->kind != HR_COL_DATA ||
            (*column->dest_name && !name_taken(stream, i, column->dest_name))) {
            continue;
        }
        int rc = make_unique(stream, i, err);
        if (rc) {
            return rc;
        }
    }
    return 0;
}

static int normalise_columns(struct hr_stream *stream, struct hr_error *err) {
    for (size_t i = 0; i < stream->n_columns; i++) {
        struct hr_column *column = &stream->columns[i];
        char *name = hr_lake_name(column->field.name, strlen(column->field.name));
        if (name == NULL) {
            return nomem(err);
        }
        hr_free(column->dest_name);
        column->dest_name = name;
    }
    return hr_streams_unique_names(stream, err);
}

/* "s3_my_bucket:s3" */
static char *database_name(const struct hr_stream *stream, const struct hr_settings *settings) {
    const char *bucket = settings->place.bucket;
    if (bucket == NULL) {
        bucket = settings->place.root ? settings->place.root : "";
        const char *slash = strrchr(bucket, '/');
        bucket = slash ? slash + 1 : bucket;
    }
    const char *first = settings->sync.database_prefix;
    char *plain = hr_lake_name(bucket, strlen(bucket));
    char *prefix = hr_lake_name(first, strlen(first));
    struct hr_buf buf;
    hr_buf_init(&buf, 1u << 20);
    int rc = plain && prefix
                 ? hr_buf_printf(&buf, NULL, "%s_%s:%s", prefix, plain, stream->namespace_)
                 : HR_E_NOMEM;
    hr_free(plain);
    hr_free(prefix);
    char *name = rc ? NULL : hr_buf_detach(&buf);
    hr_buf_release(&buf);
    return name;
}

static int replace_text(char **slot, char *text, struct hr_error *err) {
    if (text == NULL) {
        return nomem(err);
    }
    hr_free(*slot);
    *slot = text;
    return 0;
}

static int dress_stream(struct hr_stream *stream, const struct hr_settings *settings,
                        struct hr_error *err) {
    stream->normalization = HR_YES;
    stream->sync_mode = HR_SYNC_INCREMENTAL;
    int rc = replace_text(&stream->namespace_, hr_strdup(HR_LAKE_NAMESPACE), err);
    if (rc == 0) {
        rc = replace_text(&stream->cursor_field, hr_strdup(HR_LAKE_CURSOR), err);
    }
    if (rc == 0) {
        rc = replace_text(&stream->dest_database, database_name(stream, settings), err);
    }
    if (rc == 0) {
        rc = replace_text(&stream->dest_table, hr_lake_name(stream->name, strlen(stream->name)),
                          err);
    }
    struct hr_schema *schema = NULL;
    if (rc == 0) {
        rc = hr_stream_schema(stream, false, &schema, err);
    }
    if (rc == 0) {
        hr_stream_clear_columns(stream);
        rc = hr_streams_add_columns(stream, err);
    }
    if (rc == 0) {
        rc = hr_stream_set_schema(stream, schema, err); /* leaves out what would collide */
    }
    hr_schema_unref(schema);
    return rc ? rc : normalise_columns(stream, err);
}

/* The stream's place at the destination, with another table: "DATABASE/TABLE", "…/TABLE_2". */
static int place_name(const struct hr_stream *stream, int n, struct hr_buf *out,
                      struct hr_error *err) {
    const char *database = stream->dest_database ? stream->dest_database : "";
    hr_buf_clear(out);
    return n == 1 ? hr_buf_printf(out, err, "%s/%s", database, stream->dest_table)
                  : hr_buf_printf(out, err, "%s/%s_%d", database, stream->dest_table, n);
}

/* The first of NAME, NAME_2, NAME_3 … that nobody has. */
static int claim_table(struct hr_stream_names *taken, struct hr_stream *stream, struct hr_buf *name,
                       struct hr_error *err) {
    for (int n = 1;; n++) {
        long found = -1;
        int rc = place_name(stream, n, name, err);
        if (rc == 0) {
            rc = hr_stream_names_find(taken, hr_buf_slice(name), false, &found, err);
        }
        if (rc == 0 && found < 0) {
            rc = hr_stream_names_find(taken, hr_buf_slice(name), true, &found, err);
            const char *table = strrchr(hr_buf_cstr(name), '/') + 1;
            return rc || n == 1 ? rc : replace_text(&stream->dest_table, hr_strdup(table), err);
        }
        if (rc) {
            return rc;
        }
    }
}

int hr_streams_unique_tables(struct hr_catalog *catalog, const bool *fixed, struct hr_error *err) {
    struct hr_stream_names taken = {0};
    struct hr_buf name;
    long number = -1;
    int rc = 0;
    hr_buf_init(&name, 1u << 20);
    for (size_t i = 0; fixed && i < catalog->count && rc == 0; i++) {
        if (fixed[i] && catalog->streams[i].dest_table) {
            rc = place_name(&catalog->streams[i], 1, &name, err);
            rc = rc ? rc : hr_stream_names_find(&taken, hr_buf_slice(&name), true, &number, err);
        }
    }
    for (size_t i = 0; i < catalog->count && rc == 0; i++) {
        if (!(fixed && fixed[i]) && catalog->streams[i].dest_table) {
            rc = claim_table(&taken, &catalog->streams[i], &name, err);
        }
    }
    hr_buf_release(&name);
    hr_stream_names_release(&taken);
    return rc;
}

int hr_streams_dress(struct hr_catalog *catalog, const struct hr_settings *settings,
                     struct hr_error *err) {
    for (size_t i = 0; i < catalog->count; i++) {
        int rc = dress_stream(&catalog->streams[i], settings, err);
        if (rc) {
            return rc;
        }
    }
    return hr_streams_unique_tables(catalog, NULL, err);
}

int hr_streams_folder(const struct hr_stream *stream, const struct hr_settings *settings,
                      struct hr_buf *out, struct hr_error *err) {
    if (stream->dest_database == NULL && settings->place.bucket == NULL &&
        settings->place.root == NULL) {
        hr_fail(err, HR_E_CONFIG, "could not name the database of stream '%s'", stream->name);
        hr_error_hint(err, "the catalog has no destination_database for it: add --config");
        return HR_E_CONFIG;
    }
    char *database =
        stream->dest_database ? hr_strdup(stream->dest_database) : database_name(stream, settings);
    const char *table = stream->dest_table ? stream->dest_table : stream->name;
    char *database_plain = database ? hr_lake_name(database, strlen(database)) : NULL;
    char *table_plain = hr_lake_name(table, strlen(table));
    int rc = database_plain && table_plain
                 ? hr_buf_printf(out, err, "%s/%s", database_plain, table_plain)
                 : nomem(err);
    hr_free(database);
    hr_free(database_plain);
    hr_free(table_plain);
    return rc;
}

/* ---- writing --------------------------------------------------------------------------------- */

/* Types that a catalog name cannot carry without loss. */
static bool needs_exact_type(const struct hr_field *field) {
    switch ((enum hr_type_id)field->type.id) {
    case HR_T_U64:
    case HR_T_DEC128:
    case HR_T_DEC256:
    case HR_T_DATE32:
    case HR_T_TIME32:
    case HR_T_TIME64:
    case HR_T_BINARY: return true;
    case HR_T_FIXED: return field->type.ext != HR_EXT_UUID;
    case HR_T_TS: return !field->type.utc; /* Olake's timestamps are instants */
    default: return false;
    }
}

static json_t *property_json(const struct hr_column *column, bool loose) {
    json_t *types = json_array();
    enum hr_lake_type lake = hr_lake_from_field(&column->field, loose);
    bool json_text = column->field.type.id == HR_T_UTF8 && column->field.type.ext == HR_EXT_JSON;
    if (json_text) {
        lake = HR_LAKE_OBJECT;
    }
    int rc = json_array_append_new(types, json_string(hr_lake_type_name(lake)));
    if (rc == 0 && column->field.nullable) {
        rc = json_array_append_new(types, json_string("null"));
    }
    json_t *property =
        rc ? NULL
           : json_pack("{sO ss}", "type", types, "destination_column_name", column->dest_name);
    json_decref(types);
    if (property && column->kind != HR_COL_DATA && column->kind != HR_COL_LAST_MODIFIED) {
        rc = json_object_set_new(property, "olake_column", json_true());
    }
    if (property && rc == 0 && column->kind == HR_COL_DATA && !loose &&
        needs_exact_type(&column->field)) {
        struct hr_buf text;
        hr_buf_init(&text, 4096);
        rc = hr_field_type_text(&column->field, &text, NULL);
        if (rc == 0) {
            rc = json_object_set_new(property, HR_LAKE_TYPE_KEY, json_string(hr_buf_cstr(&text)));
        }
        hr_buf_release(&text);
    }
    if (rc) {
        json_decref(property);
        return NULL;
    }
    return property;
}

static json_t *properties_json(const struct hr_stream *stream, bool loose) {
    json_t *properties = json_object();
    for (size_t i = 0; i < stream->n_columns && properties; i++) {
        const struct hr_column *column = &stream->columns[i];
        if (column->kind != HR_COL_CDC_TIMESTAMP &&
            json_object_set_new(properties, column->field.name, property_json(column, loose))) {
            json_decref(properties);
            return NULL;
        }
    }
    return properties;
}

static json_t *list_json(const struct hr_strlist *list) {
    json_t *out = json_array();
    for (size_t i = 0; i < list->count && out; i++) {
        if (json_array_append_new(out, json_string(list->items[i]))) {
            json_decref(out);
            return NULL;
        }
    }
    return out;
}

/* Put the members of a JSON object text that are not there yet. */
static int add_extra(json_t *object, const char *text) {
    json_t *extra = text ? json_loads(text, 0, NULL) : NULL;
    int rc = text && extra == NULL ? -1 : 0;
    if (extra) {
        rc = json_object_update_missing(object, extra);
    }
    json_decref(extra);
    return rc;
}

static json_t *stream_json(const struct hr_stream *stream, bool loose) {
    json_t *entry = json_pack(
        "{ss ss s{so} s[ss] so s[s] ss ss ss* ss* s{sb sb}}", "name", stream->name, "namespace",
        stream->namespace_, "type_schema", "properties", properties_json(stream, loose),
        "supported_sync_modes", "full_refresh", "incremental", "source_defined_primary_key",
        list_json(&stream->primary_key), "available_cursor_fields", HR_LAKE_CURSOR, "cursor_field",
        stream->cursor_field ? stream->cursor_field : HR_LAKE_CURSOR, "sync_mode",
        stream->sync_mode == HR_SYNC_FULL_REFRESH ? "full_refresh" : "incremental",
        "destination_database", stream->dest_database, "destination_table", stream->dest_table,
        "default_stream_properties", "normalization", 1, "append_mode", 0);
    if (entry && add_extra(entry, stream->extra)) {
        json_decref(entry);
        return NULL;
    }
    return entry ? json_pack("{so}", "stream", entry) : NULL;
}

static json_t *chosen_json(const struct hr_stream *stream) {
    json_t *names = json_array();
    for (size_t i = 0; i < stream->n_columns && names; i++) {
        if (stream->columns[i].selected &&
            json_array_append_new(names, json_string(stream->columns[i].field.name))) {
            json_decref(names);
            return NULL;
        }
    }
    return names;
}

static json_t *selected_json(const struct hr_stream *stream) {
    json_t *entry = json_pack("{ss ss}", "partition_regex", stream->partition_regex, "stream_name",
                              stream->name);
    int rc = entry ? 0 : -1;
    if (rc == 0 && stream->normalization != HR_UNSET) {
        rc = json_object_set_new(entry, "normalization",
                                 json_boolean(stream->normalization == HR_YES));
    }
    if (rc == 0 && stream->append_mode) {
        rc = json_object_set_new(entry, "append_mode", json_true());
    }
    if (rc == 0) {
        rc = json_object_set_new(entry, "use_source_column_names",
                                 json_boolean(stream->use_source_names));
    }
    if (rc == 0 && stream->filter_text) {
        rc = json_object_set_new(entry, "filter", json_string(stream->filter_text));
    }
    if (rc == 0 && stream->filter_config) {
        rc =
            json_object_set_new(entry, "filter_config", json_loads(stream->filter_config, 0, NULL));
    }
    if (rc == 0 && stream->has_schema) {
        rc = json_object_set_new(entry, "selected_columns",
                                 json_pack("{so sb}", "columns", chosen_json(stream),
                                           "sync_new_columns", stream->sync_new_columns));
    }
    if (rc == 0) {
        rc = add_extra(entry, stream->selected_extra);
    }
    if (rc) {
        json_decref(entry);
        return NULL;
    }
    return entry;
}

static int add_selected(json_t *selected, const struct hr_stream *stream) {
    json_t *list = json_object_get(selected, stream->namespace_);
    if (list == NULL) {
        if (json_object_set_new(selected, stream->namespace_, json_array())) {
            return -1;
        }
        list = json_object_get(selected, stream->namespace_);
    }
    return json_array_append_new(list, selected_json(stream));
}

int hr_streams_write(const struct hr_catalog *catalog, const struct hr_settings *settings,
                     struct hr_buf *out, struct hr_error *err) {
    bool loose = settings && settings->sync.olake_types;
    json_t *selected = json_object();
    json_t *streams = json_array();
    int rc = selected && streams ? 0 : -1;
    for (size_t i = 0; i < catalog->count && rc == 0; i++) {
        const struct hr_stream *stream = &catalog->streams[i];
        if (stream->selected) {
            rc = add_selected(selected, stream);
        }
        if (rc == 0 && stream->listed) {
            rc = json_array_append_new(streams, stream_json(stream, loose));
        }
    }
    json_t *doc =
        rc ? NULL : json_pack("{sO sO}", "selected_streams", selected, "streams", streams);
    if (doc) {
        rc = hr_json_dump(doc, JSON_INDENT(2), out, NULL);
    }
    if (doc == NULL || rc || hr_buf_append_byte(out, '\n', NULL)) {
        rc = nomem(err);
    }
    json_decref(doc);
    json_decref(selected);
    json_decref(streams);
    return rc;
}
