/* dialect/dialect_table.c - the one list of dialects, and which of them a config is written in.
 *
 * Dialects that are known but not built stand here with their keys and a sentence, so that their
 * configs are answered with what they are and not with "unknown option".
 */
#include <stdio.h>

#include "dialect/dialect.h"

static bool has(const json_t *config, const char *key) {
    return json_object_get(config, key) != NULL;
}

static int detect_sqlflow(const json_t *config) {
    bool pipeline = has(config, "sources") || has(config, "destinations");
    bool legacy = has(config, "bucket") && (has(config, "prefix") || has(config, "format") ||
                                            has(config, "access_key") || has(config, "secret_key"));
    if (pipeline || has(config, "connector")) {
        return 90;
    }
    return legacy ? 40 : 0; /* below native, which takes the legacy names too */
}

static int detect_airbyte_source(const json_t *config) {
    return has(config, "streams") && has(config, "bucket") ? 90 : 0;
}

static int detect_airbyte_destination(const json_t *config) {
    return has(config, "s3_bucket_name") ? 90 : 0;
}

static bool text_is(const json_t *config, const char *key, const char *value) {
    const char *text = json_string_value(json_object_get(config, key));
    return text && strcmp(text, value) == 0;
}

static int detect_fivetran(const json_t *config) {
    bool auth = text_is(config, "auth_type", "IAM_ROLE") ||
                text_is(config, "auth_type", "ACCESS_KEY") ||
                text_is(config, "auth_type", "PUBLIC_BUCKET");
    return auth || has(config, "files") || has(config, "access_key_secret") ? 90 : 0;
}

static int detect_multiwoven(const json_t *config) {
    return has(config, "auth_type") && (has(config, "access_id") || has(config, "arn")) ? 95 : 0;
}

#define NOT_BUILT(what)                                                                            \
    "The " what " is not built yet. Write the config with the native names "                       \
    "(\"headrace help options\") or as an Olake source."

static const struct hr_dialect dialect_sqlflow = {
    .name = "sqlflow",
    .title = "SQLFlow S3 connector",
    .missing = NOT_BUILT("SQLFlow dialect"),
    .detect = detect_sqlflow,
};
static const struct hr_dialect dialect_airbyte_source = {
    .name = "airbyte-source",
    .title = "Airbyte S3 source",
    .missing = NOT_BUILT("Airbyte source"),
    .detect = detect_airbyte_source,
};
static const struct hr_dialect dialect_airbyte_destination = {
    .name = "airbyte-destination",
    .title = "Airbyte S3 destination",
    .missing = NOT_BUILT("Airbyte destination"),
    .detect = detect_airbyte_destination,
};
static const struct hr_dialect dialect_fivetran = {
    .name = "fivetran",
    .title = "Fivetran S3 source",
    .missing = NOT_BUILT("Fivetran dialect"),
    .detect = detect_fivetran,
};
static const struct hr_dialect dialect_multiwoven = {
    .name = "multiwoven",
    .title = "AI Squared (Multiwoven) S3",
    .missing = NOT_BUILT("AI Squared dialect"),
    .detect = detect_multiwoven,
};

static const struct hr_dialect *const dialects[] = {
    &dialect_airbyte_destination, &dialect_airbyte_source, &dialect_fivetran, &dialect_multiwoven,
    &hr_dialect_native,           &hr_dialect_olake,       &dialect_sqlflow,
};

const struct hr_dialect *const *hr_dialect_all(size_t *out_count) {
    *out_count = HR_COUNTOF(dialects);
    return dialects;
}

const struct hr_dialect *hr_dialect_by_name(const char *name) {
    for (size_t i = 0; i < HR_COUNTOF(dialects); i++) {
        if (strcmp(dialects[i]->name, name) == 0) {
            return dialects[i];
        }
    }
    return NULL;
}

static int usable(const struct hr_dialect *dialect, const struct hr_dialect **out,
                  struct hr_error *err) {
    if (dialect->missing) {
        return hr_fail(err, HR_E_CONFIG, "%s", dialect->missing);
    }
    *out = dialect;
    return 0;
}

static int by_force(const char *forced, const struct hr_dialect **out, struct hr_error *err) {
    const struct hr_dialect *dialect = hr_dialect_by_name(forced);
    char shown[60];
    if (dialect) {
        return usable(dialect, out, err);
    }
    int rc = hr_fail(err, HR_E_USAGE, "unknown dialect \"%s\"",
                     hr_printable(hr_slice_str(forced), 40, shown, sizeof shown));
    hr_error_hint(err, "Dialects: native, olake.");
    return rc;
}

/* Nobody knows the config: perhaps the key that would have told is misspelt. */
static int fail_unknown(const json_t *config, struct hr_error *err) {
    static const char *const telling[] = {"bucket", "bucket_name", "uri"};
    const char *key = NULL;
    json_t *value = NULL;
    int rc = hr_fail(err, HR_E_CONFIG, "could not tell what kind of config this is");
    hr_error_hint(err, "It needs \"bucket\" (or \"uri\"), or \"bucket_name\" for an Olake source; "
                       "--dialect forces one.");
    json_object_foreach((json_t *)(uintptr_t)config, key, value) {
        const char *near = hr_nearest_name(key, telling, HR_COUNTOF(telling));
        if (near) {
            char shown[60];
            hr_error_hint(err, "Did you mean \"%s\" instead of \"%s\"?", near,
                          hr_printable(hr_slice_str(key), 40, shown, sizeof shown));
        }
    }
    return rc;
}

int hr_dialect_detect(const json_t *config, const char *forced, const struct hr_dialect **out,
                      struct hr_error *err) {
    const struct hr_dialect *best = NULL;
    int best_score = 0;
    if (forced && *forced) {
        return by_force(forced, out, err);
    }
    for (size_t i = 0; i < HR_COUNTOF(dialects); i++) {
        int score = dialects[i]->detect(config);
        if (score > best_score) {
            best = dialects[i];
            best_score = score;
        }
    }
    return best ? usable(best, out, err) : fail_unknown(config, err);
}

int hr_dialect_detect_destination(const json_t *config, const struct hr_dialect *source,
                                  const struct hr_dialect **out, struct hr_error *err) {
    if (has(config, "writer")) {
        return usable(&hr_dialect_olake, out, err);
    }
    if (has(config, "s3_bucket_name")) {
        return usable(&dialect_airbyte_destination, out, err);
    }
    if (source && source->configure_destination && !has(config, "uri") && !has(config, "bucket")) {
        return usable(source, out, err);
    }
    return usable(&hr_dialect_native, out, err);
}
