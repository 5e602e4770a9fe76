/* dialect/streams_read.c - streams.json to struct hr_catalog.
 *
 * Reads what Olake 0.9 writes, what its README prints (any namespace, most members absent) and what
 * streams_write.c writes. The document is untrusted: every member is checked for its kind, and an
 * error names the stream and the member.
 */
#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "dialect/lake_types.h"
#include "dialect/streams_file.h"

#define STREAMS_MAX 100000

struct reading {
    const char *name; /* of the file */
    const char *stream;
    struct hr_error *err;
};

static int bad(const struct reading *r, const char *what) {
    char stream[100];
    int rc;
    if (r->stream) {
        hr_printable(hr_slice_str(r->stream), 80, stream, sizeof stream);
        rc = hr_fail(r->err, HR_E_STATE, "could not read the catalog \"%s\": stream \"%s\": %s",
                     r->name, stream, what);
    } else {
        rc = hr_fail(r->err, HR_E_STATE, "could not read the catalog \"%s\": %s", r->name, what);
    }
    hr_error_object(r->err, r->name);
    return rc;
}

static int nomem(const struct reading *r) {
    return hr_fail(r->err, HR_E_NOMEM, "out of memory while reading the catalog \"%s\"", r->name);
}

/* A text member without NUL bytes; NULL in *out when absent or null. */
static int text_member(const struct reading *r, const json_t *object, const char *key,
                       const char **out) {
    const json_t *value = json_object_get(object, key);
    *out = NULL;
    if (value == NULL || json_is_null(value)) {
        return 0;
    }
    if (!json_is_string(value) || strlen(json_string_value(value)) != json_string_length(value)) {
        char what[100];
        snprintf(what, sizeof what, "\"%s\" must be a text", key);
        return bad(r, what);
    }
    *out = json_string_value(value);
    return 0;
}

static int copy_text(const struct reading *r, const json_t *object, const char *key, char **out) {
    const char *text = NULL;
    int rc = text_member(r, object, key, &text);
    if (rc || text == NULL) {
        return rc;
    }
    char *copy = hr_strdup(text);
    if (copy == NULL) {
        return nomem(r);
    }
    hr_free(*out);
    *out = copy;
    return 0;
}

/* An empty name is none: the default stays. */
static int copy_name(const struct reading *r, const json_t *object, const char *key, char **out) {
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL && text[0] == '\0' ? 0 : copy_text(r, object, key, out);
}

static int flag_member(const struct reading *r, const json_t *object, const char *key, int *out) {
    const json_t *value = json_object_get(object, key);
    if (value == NULL || json_is_null(value)) {
        return 0;
    }
    if (!json_is_boolean(value)) {
        char what[100];
        snprintf(what, sizeof what, "\"%s\" must be true or false", key);
        return bad(r, what);
    }
    *out = json_is_true(value) ? HR_YES : HR_NO;
    return 0;
}

static int text_list(const struct reading *r, const json_t *list, const char *key,
                     struct hr_strlist *out) {
    char what[120];
    if (list == NULL || json_is_null(list)) {
        return 0;
    }
    snprintf(what, sizeof what, "\"%s\" must be a list of texts", key);
    if (!json_is_array(list)) {
        return bad(r, what);
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        if (!json_is_string(item)) {
            return bad(r, what);
        }
        if (hr_strlist_add(out, json_string_value(item))) {
            return nomem(r);
        }
    }
    return 0;
}

static int compact_text(const struct reading *r, const json_t *json, char **out) {
    size_t len = json_dumpb(json, NULL, 0, JSON_COMPACT);
    char *text = len ? hr_malloc(len + 1) : NULL;
    if (text == NULL || json_dumpb(json, text, len, JSON_COMPACT) != len) {
        hr_free(text);
        return nomem(r);
    }
    text[len] = 0;
    hr_free(*out);
    *out = text;
    return 0;
}

/* JSON text of the members whose names are not in `known` (NULL-terminated); untouched without any.
 */
static int unknown_members(const struct reading *r, const json_t *object, const char *const *known,
                           char **out) {
    json_t *rest = json_object();
    const char *key = NULL;
    json_t *value = NULL;
    bool failed = rest == NULL;
    json_object_foreach((json_t *)(uintptr_t)object, key, value) {
        bool is_known = false;
        for (size_t i = 0; known[i]; i++) {
            is_known = is_known || strcmp(known[i], key) == 0;
        }
        failed = failed || (!is_known && json_object_set(rest, key, value));
    }
    int rc = failed ? nomem(r) : 0;
    if (rc == 0 && json_object_size(rest)) {
        rc = compact_text(r, rest, out);
    }
    json_decref(rest);
    return rc;
}

/* ---- columns --------------------------------------------------------------------------------- */

/* "type": a name or a list of names. */
static int lake_type_of(const struct reading *r, const json_t *types, enum hr_lake_type *out) {
    size_t count = json_is_array(types) ? json_array_size(types) : 1;
    *out = HR_LAKE_NULL;
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_is_array(types) ? json_array_get(types, i) : types;
        int type = json_is_string(item) ? hr_lake_type_by_name(json_string_value(item)) : -1;
        if (type < 0) {
            char shown[80];
            char what[160];
            hr_printable(hr_slice_str(json_is_string(item) ? json_string_value(item) : "(no text)"),
                         60, shown, sizeof shown);
            snprintf(what, sizeof what, "a column has the unknown type \"%s\"", shown);
            return bad(r, what);
        }
        *out = hr_lake_type_meet(*out, (enum hr_lake_type)type);
    }
    return 0;
}

/* Our own, exact type, when the property carries one that does not contradict "type". */
static bool exact_type(const json_t *property, enum hr_lake_type lake, struct hr_field *field) {
    const char *text = json_string_value(json_object_get(property, HR_LAKE_TYPE_KEY));
    struct hr_field exact = {0};
    if (text == NULL || hr_field_init(&exact, field->name, strlen(field->name), field->type, 0)) {
        return false;
    }
    if (hr_field_parse_type(&exact, text, NULL) || hr_lake_from_field(&exact, false) != lake) {
        hr_field_release(&exact);
        return false;
    }
    exact.nullable = true;
    hr_field_release(field);
    *field = exact;
    return true;
}

static int read_column(const struct reading *r, const char *name, const json_t *property,
                       struct hr_stream *stream) {
    enum hr_lake_type lake = HR_LAKE_NULL;
    const char *dest = NULL;
    if (!json_is_object(property)) {
        return bad(r, "a column is not an object");
    }
    int rc = lake_type_of(r, json_object_get(property, "type"), &lake);
    if (rc == 0) {
        rc = text_member(r, property, "destination_column_name", &dest);
    }
    if (rc) {
        return rc;
    }
    struct hr_field field = {0};
    int kind = hr_streams_column_kind(name);
    if (hr_field_init(&field, name, strlen(name), hr_lake_to_type(lake), 0)) {
        return nomem(r);
    }
    if (kind == HR_COL_DATA) {
        exact_type(property, lake, &field);
    }
    char *made = dest && *dest ? hr_strdup(dest) : hr_lake_name(name, strlen(name));
    rc = made ? hr_stream_add_column(stream, &field, made, kind, r->err) : nomem(r);
    hr_free(made);
    hr_field_release(&field);
    return rc;
}

static int read_columns(const struct reading *r, const json_t *entry, struct hr_stream *stream) {
    const json_t *properties = json_object_get(json_object_get(entry, "type_schema"), "properties");
    const char *name = NULL;
    json_t *property = NULL;
    int rc = 0;
    if (properties && !json_is_object(properties) && !json_is_null(properties)) {
        return bad(r, "\"type_schema\" is not an object with \"properties\"");
    }
    json_object_foreach((json_t *)(uintptr_t)properties, name, property) {
        rc = read_column(r, name, property, stream);
        if (rc) {
            return rc;
        }
        stream->has_schema = stream->has_schema || hr_streams_column_kind(name) == HR_COL_DATA;
    }
    if (!stream->has_schema) {
        hr_stream_clear_columns(stream);
        return hr_streams_add_columns(stream, r->err);
    }
    return hr_streams_unique_names(stream, r->err);
}

/* ---- streams --------------------------------------------------------------------------------- */

static int read_sync_mode(const struct reading *r, const json_t *entry, int *out) {
    const char *mode = NULL;
    int rc = text_member(r, entry, "sync_mode", &mode);
    if (rc || mode == NULL || *mode == 0 || strcmp(mode, "incremental") == 0) {
        *out = HR_SYNC_INCREMENTAL;
        return rc;
    }
    if (strcmp(mode, "full_refresh") == 0) {
        *out = HR_SYNC_FULL_REFRESH;
        return 0;
    }
    char shown[60];
    char what[140];
    hr_printable(hr_slice_str(mode), 40, shown, sizeof shown);
    snprintf(what, sizeof what, "the sync mode \"%s\" is not one of full_refresh and incremental",
             shown);
    return bad(r, what);
}

/* "primary:secondary" names two; files have only the first. */
static int read_cursor(const struct reading *r, const json_t *entry, struct hr_stream *stream) {
    const char *cursor = NULL;
    int rc = text_member(r, entry, "cursor_field", &cursor);
    if (rc) {
        return rc;
    }
    size_t len = cursor ? strcspn(cursor, ":") : 0;
    stream->cursor_field = len ? hr_strndup(cursor, len) : hr_strdup(HR_LAKE_CURSOR);
    return stream->cursor_field ? 0 : nomem(r);
}

static int read_stream(const struct reading *r, const json_t *entry, struct hr_stream *stream) {
    static const char *const known[] = {"name",
                                        "namespace",
                                        "type_schema",
                                        "sync_mode",
                                        "cursor_field",
                                        "supported_sync_modes",
                                        "source_defined_primary_key",
                                        "available_cursor_fields",
                                        "destination_database",
                                        "destination_table",
                                        "default_stream_properties",
                                        NULL};
    int rc = read_sync_mode(r, entry, &stream->sync_mode);
    if (rc == 0) {
        rc = read_cursor(r, entry, stream);
    }
    if (rc == 0) {
        rc = text_list(r, json_object_get(entry, "source_defined_primary_key"),
                       "source_defined_primary_key", &stream->primary_key);
    }
    if (rc == 0) {
        rc = copy_name(r, entry, "destination_database", &stream->dest_database);
    }
    if (rc == 0) {
        rc = copy_name(r, entry, "destination_table", &stream->dest_table);
    }
    if (rc == 0) {
        rc = unknown_members(r, entry, known, &stream->extra);
    }
    return rc ? rc : read_columns(r, entry, stream);
}

static int read_streams(struct reading *r, const json_t *list, struct hr_catalog *out) {
    if (!json_is_array(list)) {
        return bad(r, "\"streams\" must be a list");
    }
    if (json_array_size(list) > STREAMS_MAX) {
        return bad(r, "there are too many streams");
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        const json_t *entry = json_object_get(item, "stream");
        const char *name = NULL;
        const char *space = NULL;
        r->stream = NULL;
        entry = entry ? entry : item;
        if (!json_is_object(entry)) {
            return bad(r, "an entry of \"streams\" is not an object");
        }
        int rc = text_member(r, entry, "name", &name);
        if (rc == 0 && (name == NULL || *name == 0)) {
            rc = bad(r, "an entry of \"streams\" has no name");
        }
        r->stream = name;
        if (rc == 0) {
            rc = text_member(r, entry, "namespace", &space);
        }
        if (rc == 0 && hr_catalog_find(out, name, strlen(name)) >= 0) {
            rc = bad(r, "it stands there twice");
        }
        struct hr_stream *stream = NULL;
        if (rc == 0) {
            rc = hr_catalog_add(out, name, space ? space : HR_LAKE_NAMESPACE, &stream, r->err);
        }
        if (rc == 0) {
            rc = read_stream(r, entry, stream);
        }
        if (rc) {
            return rc;
        }
    }
    r->stream = NULL;
    return 0;
}

/* ---- selection ------------------------------------------------------------------------------- */

static int read_selected_columns(const struct reading *r, const json_t *entry,
                                 struct hr_stream *stream) {
    const json_t *selected = json_object_get(entry, "selected_columns");
    if (selected == NULL || json_is_null(selected)) {
        return 0;
    }
    if (!json_is_object(selected)) {
        return bad(r, "\"selected_columns\" is not an object");
    }
    int sync_new = HR_NO;
    int rc = flag_member(r, selected, "sync_new_columns", &sync_new);
    if (rc == 0 && json_is_array(json_object_get(selected, "columns"))) {
        rc = text_list(r, json_object_get(selected, "columns"), "columns", &stream->chosen);
        stream->all_columns = false;
        stream->sync_new_columns = sync_new == HR_YES;
        hr_stream_apply_selection(stream, false);
    }
    return rc;
}

static int read_selected(const struct reading *r, const json_t *entry, struct hr_stream *stream) {
    static const char *const known[] = {"stream_name",
                                        "partition_regex",
                                        "normalization",
                                        "use_source_column_names",
                                        "selected_columns",
                                        "append_mode",
                                        "filter",
                                        "filter_config",
                                        NULL};
    int append = HR_NO;
    int source_names = HR_NO;
    stream->selected = true;
    int rc = copy_text(r, entry, "partition_regex", &stream->partition_regex);
    if (rc == 0) {
        rc = flag_member(r, entry, "normalization", &stream->normalization);
    }
    if (rc == 0) {
        rc = flag_member(r, entry, "use_source_column_names", &source_names);
    }
    if (rc == 0) {
        rc = flag_member(r, entry, "append_mode", &append);
    }
    if (rc == 0) {
        rc = copy_text(r, entry, "filter", &stream->filter_text);
    }
    const json_t *filter = json_object_get(entry, "filter_config");
    if (rc == 0 && filter && !json_is_null(filter)) {
        rc = json_is_object(filter) ? compact_text(r, filter, &stream->filter_config)
                                    : bad(r, "\"filter_config\" is not an object");
    }
    stream->append_mode = append == HR_YES;
    stream->use_source_names = source_names == HR_YES;
    if (rc == 0) {
        rc = unknown_members(r, entry, known, &stream->selected_extra);
    }
    return rc ? rc : read_selected_columns(r, entry, stream);
}

/* One entry below a namespace of "selected_streams". */
static int read_selection_entry(struct reading *r, const char *space, const json_t *entry,
                                struct hr_catalog *out) {
    const char *name = NULL;
    r->stream = NULL;
    if (!json_is_object(entry)) {
        return bad(r, "an entry of \"selected_streams\" is not an object");
    }
    int rc = text_member(r, entry, "stream_name", &name);
    if (rc == 0 && (name == NULL || *name == 0)) {
        rc = bad(r, "an entry of \"selected_streams\" has no stream_name");
    }
    if (rc) {
        return rc;
    }
    r->stream = name;
    long index = hr_catalog_find(out, name, strlen(name));
    struct hr_stream *stream = index >= 0 ? &out->streams[index] : NULL;
    if (stream && stream->selected) {
        return bad(r, "it is selected twice");
    }
    if (stream == NULL) {
        char shown[100];
        hr_log(HR_LOG_WARN,
               "stream \"%s\" is selected but not described in \"%s\": its columns "
               "are inferred",
               hr_printable(hr_slice_str(name), 80, shown, sizeof shown), r->name);
        rc = hr_catalog_add(out, name, space, &stream, r->err);
        if (rc == 0) {
            stream->listed = false;
            rc = read_stream(r, entry, stream);
        }
    }
    return rc ? rc : read_selected(r, entry, stream);
}

static int read_selection(struct reading *r, const json_t *selected, struct hr_catalog *out) {
    const char *space = NULL;
    json_t *entries = NULL;
    if (selected == NULL || json_is_null(selected)) {
        return 0; /* all of them */
    }
    if (!json_is_object(selected)) {
        return bad(r, "\"selected_streams\" must be an object of lists");
    }
    for (size_t i = 0; i < out->count; i++) {
        out->streams[i].selected = false;
    }
    json_object_foreach((json_t *)(uintptr_t)selected, space, entries) {
        if (!json_is_array(entries) && !json_is_null(entries)) {
            return bad(r, "\"selected_streams\" must be an object of lists");
        }
        for (size_t i = 0; i < json_array_size(entries); i++) {
            int rc = read_selection_entry(r, space, json_array_get(entries, i), out);
            if (rc) {
                return rc;
            }
        }
    }
    r->stream = NULL;
    return 0;
}

int hr_streams_read(const json_t *doc, const char *name, const struct hr_settings *settings,
                    struct hr_catalog *out, struct hr_error *err) {
    struct reading r = {.name = name, .err = err};
    (void)settings;
    hr_catalog_init(out);
    if (json_is_object(json_object_get(doc, "catalog"))) {
        doc = json_object_get(doc, "catalog"); /* a CATALOG message that was saved whole */
    }
    if (!json_is_object(doc)) {
        return bad(&r, "it is not an object");
    }
    const json_t *streams = json_object_get(doc, "streams");
    const json_t *selected = json_object_get(doc, "selected_streams");
    if (streams == NULL && selected == NULL) {
        int rc = bad(&r, "it has neither \"streams\" nor \"selected_streams\"");
        hr_error_hint(err, "\"headrace discover --config ...\" writes one.");
        return rc;
    }
    int rc = streams && !json_is_null(streams) ? read_streams(&r, streams, out) : 0;
    if (rc == 0) {
        rc = read_selection(&r, selected, out);
    }
    if (rc) {
        hr_catalog_release(out);
    }
    return rc;
}
