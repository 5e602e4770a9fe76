/* dialect/native/native.c - the native vocabulary: options under their own (or legacy) names,
 * catalog and state in the shape Olake's have.
 */
#include <stdio.h>

#include "base/mem.h"
#include "config/json_text.h"
#include "config/load.h"
#include "config/render.h"
#include "dialect/dialect.h"
#include "dialect/state_file.h"
#include "dialect/streams_file.h"

/* A config of this dialect names its place with `bucket` or `uri` and nothing that only others
 * have. */
static int native_detect(const json_t *config) {
    if (json_object_get(config, "bucket") == NULL && json_object_get(config, "uri") == NULL) {
        return 0;
    }
    return json_object_get(config, "connector") ? 0 : 50;
}

static int set_config_dir(struct hr_settings *settings, const char *config_path,
                          struct hr_error *err) {
    char *dir = hr_config_dir(config_path);
    if (dir == NULL) {
        return hr_fail(err, HR_E_NOMEM, "out of memory while reading the config");
    }
    hr_free(settings->config_dir);
    settings->config_dir = dir;
    return 0;
}

static int native_configure(const json_t *config, const char *config_path,
                            struct hr_settings *settings, struct hr_error *err) {
    if (!json_is_object(config)) {
        return hr_fail(err, HR_E_CONFIG, "the config is not an object");
    }
    settings->dialect = "native";
    int rc = set_config_dir(settings, config_path, err);
    if (rc == 0) {
        rc = hr_settings_set_object(settings, config, err);
    }
    if (rc == 0 && settings->place.bucket == NULL && settings->place.uri == NULL) {
        rc = hr_fail(err, HR_E_CONFIG, "the config names no bucket");
        hr_error_hint(err, "Set \"bucket\" (and \"path_prefix\"), or \"uri\".");
    }
    return rc;
}

/* Every member is a destination option; the prefix is added to its name. */
static int native_configure_destination(const json_t *config, const char *config_path,
                                        struct hr_settings *settings, struct hr_error *err) {
    const char *name = NULL;
    json_t *value = NULL;
    json_t *renamed = json_object();
    int rc = json_is_object(config)
                 ? 0
                 : hr_fail(err, HR_E_CONFIG, "the destination config is not an object");
    json_object_foreach((json_t *)(uintptr_t)config, name, value) {
        char full[160];
        snprintf(full, sizeof full, "destination.%.120s", name);
        if (rc == 0 && json_object_set(renamed, full, value)) {
            rc = hr_fail(err, HR_E_NOMEM, "out of memory while reading the destination config");
        }
    }
    if (rc == 0 && settings->config_dir == NULL) {
        rc = set_config_dir(settings, config_path, err);
    }
    if (rc == 0) {
        rc = hr_settings_set_object(settings, renamed, err);
    }
    json_decref(renamed);
    return rc;
}

static int native_spec(const char *destination, struct hr_buf *out, struct hr_error *err) {
    struct hr_option_group groups[HR_SETTINGS_GROUPS_MAX];
    struct hr_option_group chosen[HR_SETTINGS_GROUPS_MAX];
    size_t count = hr_settings_groups(groups);
    size_t n = 0;
    for (size_t g = 0; g < count; g++) {
        bool of_destination = strncmp(groups[g].name, "destination", 11) == 0;
        if (of_destination == (destination != NULL)) {
            chosen[n++] = groups[g];
        }
    }
    json_t *schema = hr_render_schema(chosen, n);
    int rc = schema && hr_json_dump(schema, JSON_INDENT(2), out, NULL) == 0
                 ? hr_buf_append_byte(out, '\n', err)
                 : hr_fail(err, HR_E_NOMEM, "out of memory for the specification");
    json_decref(schema);
    return rc;
}

/* The only stream of a config goes straight into the destination's folder, others below it by name.
 */
static int native_stream_folder(const struct hr_stream *stream, const struct hr_settings *settings,
                                struct hr_buf *out, struct hr_error *err) {
    if (settings->files.stream_by == HR_STREAM_BY_ALL) {
        return 0;
    }
    return hr_buf_append_str(out, stream->dest_table ? stream->dest_table : stream->name, err);
}

static int append_message(json_t *message, struct hr_buf *out, struct hr_error *err) {
    int rc = message && hr_json_dump(message, JSON_COMPACT, out, NULL) == 0
                 ? hr_buf_append_byte(out, '\n', err)
                 : hr_fail(err, HR_E_NOMEM, "out of memory for a message");
    json_decref(message);
    return rc;
}

static int native_message_catalog(struct hr_slice catalog_text, enum hr_log_shape shape,
                                  struct hr_buf *out, struct hr_error *err) {
    (void)shape;
    json_t *catalog = json_loadb((const char *)catalog_text.ptr, catalog_text.len, 0, NULL);
    return append_message(json_pack("{ss so}", "type", "CATALOG", "catalog", catalog), out, err);
}

static int native_message_status(bool ok, const char *why, enum hr_log_shape shape,
                                 struct hr_buf *out, struct hr_error *err) {
    (void)shape;
    json_t *message = json_pack("{ss s{ss ss*}}", "type", "CONNECTION_STATUS", "connectionStatus",
                                "status", ok ? "SUCCEEDED" : "FAILED", "message", ok ? NULL : why);
    return append_message(message, out, err);
}

const struct hr_dialect hr_dialect_native = {
    .name = "native",
    .title = "headrace",
    .flags = HR_DIALECT_STREAMS_FILE | HR_DIALECT_STATE_FILE,
    .detect = native_detect,
    .configure = native_configure,
    .configure_destination = native_configure_destination,
    .spec = native_spec,
    .catalog_dress = hr_streams_dress,
    .catalog_read = hr_streams_read,
    .catalog_write = hr_streams_write,
    .catalog_merge = hr_streams_merge,
    .catalog_difference = hr_streams_difference,
    .stream_folder = native_stream_folder,
    .state_read = hr_state_file_read,
    .state_get = hr_state_file_get,
    .state_set = hr_state_file_set,
    .state_write = hr_state_file_write,
    .state_each = hr_state_file_each,
    .state_hash = hr_state_file_hash,
    .state_free = hr_state_file_free,
    .message_catalog = native_message_catalog,
    .message_status = native_message_status,
};
