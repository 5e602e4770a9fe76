/* plan/catalog.c - streams and their columns as plain data: adding, finding, freeing. */
#include "plan/catalog.h"

#include "base/mem.h"

void hr_catalog_init(struct hr_catalog *catalog) {
    *catalog = (struct hr_catalog){0};
}

void hr_stream_clear_columns(struct hr_stream *stream) {
    for (size_t i = 0; i < stream->n_columns; i++) {
        hr_field_release(&stream->columns[i].field);
        hr_free(stream->columns[i].dest_name);
    }
    hr_free(stream->columns);
    stream->columns = NULL;
    stream->n_columns = 0;
    stream->has_schema = false;
}

static void release_stream(struct hr_stream *stream) {
    hr_stream_clear_columns(stream);
    hr_free(stream->name);
    hr_free(stream->namespace_);
    hr_free(stream->cursor_field);
    hr_strlist_release(&stream->primary_key);
    hr_strlist_release(&stream->chosen);
    hr_free(stream->dest_database);
    hr_free(stream->dest_table);
    hr_free(stream->partition_regex);
    hr_free(stream->filter_config);
    hr_free(stream->filter_text);
    hr_free(stream->extra);
    hr_free(stream->selected_extra);
}

void hr_catalog_release(struct hr_catalog *catalog) {
    for (size_t i = 0; i < catalog->count; i++) {
        release_stream(&catalog->streams[i]);
    }
    hr_free(catalog->streams);
    *catalog = (struct hr_catalog){0};
}

int hr_catalog_add(struct hr_catalog *catalog, const char *name, const char *namespace_,
                   struct hr_stream **out, struct hr_error *err) {
    struct hr_stream stream = {
        .name = hr_strdup(name),
        .namespace_ = hr_strdup(namespace_),
        .partition_regex = hr_strdup(""),
        .selected = true,
        .listed = true,
        .sync_mode = HR_SYNC_INCREMENTAL,
        .all_columns = true,
        .sync_new_columns = true,
        .normalization = HR_UNSET,
    };
    struct hr_stream *grown =
        hr_reallocarray(catalog->streams, catalog->count + 1, sizeof *catalog->streams);
    if (grown) {
        catalog->streams = grown;
    }
    if (grown == NULL || !stream.name || !stream.namespace_ || !stream.partition_regex) {
        release_stream(&stream);
        return hr_fail(err, HR_E_NOMEM, "out of memory for the catalog");
    }
    grown[catalog->count] = stream;
    *out = &grown[catalog->count++];
    return 0;
}

long hr_catalog_find(const struct hr_catalog *catalog, const char *name, size_t len) {
    for (size_t i = 0; i < catalog->count; i++) {
        if (strlen(catalog->streams[i].name) == len &&
            memcmp(catalog->streams[i].name, name, len) == 0) {
            return (long)i;
        }
    }
    return -1;
}

int hr_stream_add_column(struct hr_stream *stream, const struct hr_field *field,
                         const char *dest_name, int kind, struct hr_error *err) {
    struct hr_column *grown =
        hr_reallocarray(stream->columns, stream->n_columns + 1, sizeof *stream->columns);
    if (grown == NULL) {
        return hr_fail(err, HR_E_NOMEM, "out of memory for the columns of \"%s\"", stream->name);
    }
    stream->columns = grown;
    struct hr_column *column = &grown[stream->n_columns];
    *column = (struct hr_column){.selected = true, .kind = kind};
    if (hr_field_copy(&column->field, field)) {
        return hr_fail(err, HR_E_NOMEM, "out of memory for the columns of \"%s\"", stream->name);
    }
    column->dest_name = hr_strdup(dest_name ? dest_name : field->name);
    if (column->dest_name == NULL) {
        hr_field_release(&column->field);
        return hr_fail(err, HR_E_NOMEM, "out of memory for the columns of \"%s\"", stream->name);
    }
    stream->n_columns++;
    return 0;
}

static bool is_chosen(const struct hr_stream *stream, const char *name) {
    for (size_t i = 0; i < stream->chosen.count; i++) {
        if (strcmp(stream->chosen.items[i], name) == 0) {
            return true;
        }
    }
    return false;
}

void hr_stream_apply_selection(struct hr_stream *stream, bool columns_are_new) {
    for (size_t i = 0; i < stream->n_columns; i++) {
        struct hr_column *column = &stream->columns[i];
        column->selected = stream->all_columns || is_chosen(stream, column->field.name) ||
                           (columns_are_new && stream->sync_new_columns);
    }
}

/* Number of columns that do not come from the file, moved to *out; the data columns are freed. */
static int take_added(struct hr_stream *stream, struct hr_column **out, size_t *out_count) {
    size_t count = 0;
    for (size_t i = 0; i < stream->n_columns; i++) {
        count += stream->columns[i].kind != HR_COL_DATA;
    }
    struct hr_column *added = hr_calloc(count ? count : 1, sizeof *added);
    if (added == NULL) {
        return HR_E_NOMEM;
    }
    size_t n = 0;
    for (size_t i = 0; i < stream->n_columns; i++) {
        if (stream->columns[i].kind != HR_COL_DATA) {
            added[n++] = stream->columns[i];
            stream->columns[i] = (struct hr_column){0};
        }
    }
    hr_stream_clear_columns(stream);
    *out = added;
    *out_count = count;
    return 0;
}

static bool has_name(const struct hr_column *columns, size_t count, const char *name) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp(columns[i].field.name, name) == 0) {
            return true;
        }
    }
    return false;
}

int hr_stream_set_schema(struct hr_stream *stream, const struct hr_schema *schema,
                         struct hr_error *err) {
    struct hr_column *added = NULL;
    size_t n_added = 0;
    int rc = take_added(stream, &added, &n_added);
    for (int i = 0; i < schema->n_fields && rc == 0; i++) {
        if (!has_name(added, n_added, schema->fields[i].name)) {
            rc = hr_stream_add_column(stream, &schema->fields[i], NULL, HR_COL_DATA, err);
        }
    }
    for (size_t i = 0; i < n_added; i++) {
        if (rc == 0) {
            rc = hr_stream_add_column(stream, &added[i].field, added[i].dest_name, added[i].kind,
                                      err);
        }
        hr_field_release(&added[i].field);
        hr_free(added[i].dest_name);
    }
    hr_free(added);
    if (rc) {
        return hr_fail(err, HR_E_NOMEM, "out of memory for the columns of \"%s\"", stream->name);
    }
    hr_stream_apply_selection(stream, true);
    stream->has_schema = true;
    return 0;
}

const char *hr_column_output_name(const struct hr_stream *stream, const struct hr_column *column) {
    return stream->use_source_names ? column->field.name : column->dest_name;
}

static bool wanted(const struct hr_column *column, bool only_selected) {
    return column->kind == HR_COL_DATA && (column->selected || !only_selected);
}

int hr_stream_schema(const struct hr_stream *stream, bool only_selected, struct hr_schema **out,
                     struct hr_error *err) {
    int count = 0;
    for (size_t i = 0; i < stream->n_columns; i++) {
        count += wanted(&stream->columns[i], only_selected);
    }
    struct hr_schema *schema = hr_schema_new(count);
    int n = 0;
    int rc = schema ? 0 : HR_E_NOMEM;
    for (size_t i = 0; i < stream->n_columns && rc == 0; i++) {
        if (wanted(&stream->columns[i], only_selected)) {
            rc = hr_field_copy(&schema->fields[n++], &stream->columns[i].field);
        }
    }
    if (rc) {
        hr_schema_unref(schema);
        return hr_fail(err, HR_E_NOMEM, "out of memory for the schema of \"%s\"", stream->name);
    }
    *out = schema;
    return 0;
}

const struct hr_column *hr_stream_column(const struct hr_stream *stream, const char *name) {
    for (size_t i = 0; i < stream->n_columns; i++) {
        if (strcmp(stream->columns[i].field.name, name) == 0) {
            return &stream->columns[i];
        }
    }
    return NULL;
}
