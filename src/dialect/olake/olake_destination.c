/* dialect/olake/olake_destination.c - destination.json: a Parquet writer to a folder or to S3.
 *
 * {"type": "PARQUET", "writer": {...}}. With s3_bucket the destination is S3, otherwise local_path.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "dialect/olake/olake.h"

static int set_text(struct hr_settings *settings, const struct hr_alias *alias, const json_t *value,
                    struct hr_error *err) {
    if (json_is_string(value) && json_string_length(value) == 0) {
        return 0;
    }
    return hr_settings_set_json(settings, alias->native, value, err);
}

/* A folder, whether it exists or not. */
static int set_local_path(struct hr_settings *settings, const struct hr_alias *alias,
                          const json_t *value, struct hr_error *err) {
    const char *path = json_string_value(value);
    if (path == NULL || *path == 0) {
        return 0;
    }
    json_t *uri = json_sprintf("file:%s%s", path, path[strlen(path) - 1] == '/' ? "" : "/");
    int rc = uri ? hr_settings_set_json(settings, alias->native, uri, err)
                 : hr_fail(err, HR_E_CONFIG, "option \"local_path\" is not valid UTF-8");
    json_decref(uri);
    return rc;
}

/* 0 and less mean the default. */
static int set_file_size(struct hr_settings *settings, const struct hr_alias *alias,
                         const json_t *value, struct hr_error *err) {
    if (json_is_number(value) && json_number_value(value) <= 0) {
        return 0;
    }
    return hr_settings_set_json(settings, alias->native, value, err);
}

#define TEXT_ROW(name_, native_, text_)                                                            \
    {                                                                                              \
        .row = {.name = name_, .type = HR_OPT_STRING, .text = text_}, .native = native_,           \
        .set = set_text                                                                            \
    }

static const struct hr_alias writer_rows[] = {
    {.row = {.name = "local_path", .type = HR_OPT_STRING, .text = "Folder to write to."},
     .native = "destination.uri",
     .set = set_local_path},
    TEXT_ROW("s3_bucket", "destination.bucket", "Bucket to write to, instead of local_path."),
    TEXT_ROW("s3_region", "destination.region", "Region of the bucket."),
    TEXT_ROW("s3_access_key", "destination.access_key_id",
             "Static access key. Without one: environment, profile, shared files."),
    {.row = {.name = "s3_secret_key",
             .type = HR_OPT_STRING,
             .flags = HR_OPT_SECRET,
             .text = "Secret of the static access key."},
     .native = "destination.secret_access_key",
     .set = set_text},
    TEXT_ROW("s3_path", "destination.path_prefix", "Folder in the bucket."),
    TEXT_ROW("s3_endpoint", "destination.endpoint_url",
             "Another server that speaks S3, or file:FOLDER."),
    {.row = {.name = "max_file_size_mb",
             .type = HR_OPT_DOUBLE,
             .def = "512",
             .unit = "MiB",
             .text = "A new file begins when one would grow larger."},
     .native = "destination.max_file_size_mb",
     .set = set_file_size},
};

const struct hr_alias *hr_olake_writer_rows(size_t *out_count) {
    *out_count = HR_COUNTOF(writer_rows);
    return writer_rows;
}

static int check_type(const json_t *config, struct hr_error *err) {
    const char *type = json_string_value(json_object_get(config, "type"));
    if (type && strcasecmp(type, "PARQUET") == 0) {
        return 0;
    }
    if (type && strcasecmp(type, "ICEBERG") == 0) {
        int rc = hr_fail(err, HR_E_CONFIG, "the destination type ICEBERG is not built yet");
        hr_error_hint(err, "Use PARQUET: a folder or bucket of Parquet files.");
        return rc;
    }
    char shown[60];
    hr_printable(hr_slice_str(type ? type : ""), 40, shown, sizeof shown);
    int rc = hr_fail(err, HR_E_CONFIG, "the destination type cannot be \"%s\"", shown);
    hr_error_hint(err, "Write {\"type\": \"PARQUET\", \"writer\": {...}}.");
    return rc;
}

static int check_members(const json_t *config, struct hr_error *err) {
    static const char *const known[] = {"type", "writer"};
    const char *name = NULL;
    json_t *value = NULL;
    json_object_foreach((json_t *)(uintptr_t)config, name, value) {
        if (strcmp(name, known[0]) != 0 && strcmp(name, known[1]) != 0) {
            char shown[80];
            hr_printable(hr_slice_str(name), 60, shown, sizeof shown);
            int rc =
                hr_fail(err, HR_E_CONFIG, "unknown key \"%s\" in the destination config", shown);
            const char *near = hr_nearest_name(name, known, HR_COUNTOF(known));
            hr_error_hint(err, near ? "Did you mean \"%s\"?" : "Its keys are type and writer.%s",
                          near ? near : "");
            return rc;
        }
    }
    return 0;
}

/* S3 when a bucket is named, else the folder; the other one's options do not disturb. */
static int choose_place(struct hr_settings *settings, struct hr_error *err) {
    struct hr_place *place = &settings->dest.place;
    if (place->bucket) {
        hr_free(place->uri);
        place->uri = NULL;
        settings->dest.type = HR_DEST_S3;
        return 0;
    }
    if (place->uri) {
        settings->dest.type = HR_DEST_LOCAL;
        return 0;
    }
    int rc = hr_fail(err, HR_E_CONFIG, "the destination names neither local_path nor s3_bucket");
    hr_error_hint(err, "Put one of them into \"writer\".");
    return rc;
}

int hr_olake_configure_destination(const json_t *config, const char *config_path,
                                   struct hr_settings *settings, struct hr_error *err) {
    (void)config_path;
    if (!json_is_object(config)) {
        return hr_fail(err, HR_E_CONFIG, "the destination config is not an object");
    }
    int rc = check_type(config, err);
    if (rc == 0) {
        rc = check_members(config, err);
    }
    const json_t *writer = json_object_get(config, "writer");
    if (rc == 0 && !json_is_object(writer)) {
        rc = hr_fail(err, HR_E_CONFIG, "the destination config has no \"writer\" object");
    }
    if (rc == 0) {
        rc = hr_alias_apply(writer_rows, HR_COUNTOF(writer_rows), writer, "Parquet writer", false,
                            settings, err);
    }
    return rc ? rc : choose_place(settings, err);
}

/* One to `most` digits and the character behind them; 0: something else. */
static size_t digits_then(const char *p, const char *end, int most, char then) {
    size_t n = 0;
    while (p + n < end && p[n] >= '0' && p[n] <= '9') {
        n++;
    }
    return n >= 1 && n <= (size_t)most && p + n < end && p[n] == then ? n + 1 : 0;
}

bool hr_olake_writes_file(const char *name, size_t len) {
    static const struct {
        int most;
        char then;
    } parts[] = {{4, '-'}, {2, '-'}, {2, '_'}, {2, '-'}, {2, '-'}, {2, '_'}};
    static const char ulid[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    const char *p = name;
    const char *end = name + len;
    for (size_t i = 0; i < HR_COUNTOF(parts); i++) {
        const size_t n = digits_then(p, end, parts[i].most, parts[i].then);
        if (n == 0) {
            return false;
        }
        p += n;
    }
    if (end - p != 26 + 8 || memcmp(p + 26, ".parquet", 8) != 0) {
        return false;
    }
    for (int i = 0; i < 26; i++) {
        if (p[i] == '\0' || strchr(ulid, p[i]) == NULL) {
            return false;
        }
    }
    return true;
}
