/* plan/settings.c - the option groups as one: look up a name in all of them, set it, remember that
 * it was set.
 *
 * The groups are tables of rows (settings_rows*.c and each format leaf's own); this file only adds
 * up offsets. Rows are numbered through all groups, which is how given_bits remembers them. Checks
 * that span options and the resolving of places are in settings_finish.c.
 */
#include "plan/settings.h"

#include "base/mem.h"
#include "plan/settings_rows.h"

static void add_group(struct hr_option_group *out, size_t *count, const char *name,
                      const char *title, const struct hr_option *rows, size_t n_rows, size_t base) {
    out[(*count)++] = (struct hr_option_group){name, title, rows, n_rows, base};
}

/* A format leaf's rows, when the leaf is built in and has some. */
static void add_format(struct hr_option_group *out, size_t *count, const char *format,
                       const char *name, const char *title, size_t base) {
    const struct hr_format *leaf = hr_format_by_name(format, strlen(format));
    if (leaf && leaf->n_options) {
        add_group(out, count, name, title, leaf->options, leaf->n_options, base);
    }
}

#define AT(field) offsetof(struct hr_settings, field)

size_t hr_settings_groups(struct hr_option_group out[HR_SETTINGS_GROUPS_MAX]) {
    size_t n = 0;
    add_group(out, &n, "place", "Place", hr_rows_place, hr_rows_place_count, AT(place));
    add_group(out, &n, "credentials", "Credentials", hr_rows_credentials, hr_rows_credentials_count,
              AT(place));
    add_group(out, &n, "files", "Files", hr_rows_files, hr_rows_files_count, AT(files));
    add_group(out, &n, "cost", "Cost and size", hr_rows_cost, hr_rows_cost_count, AT(cost));
    add_group(out, &n, "partitions", "Partitions", hr_rows_partitions, hr_rows_partitions_count,
              AT(partitions));
    add_group(out, &n, "work", "Work", hr_rows_work, hr_rows_work_count, AT(work));
    add_format(out, &n, "csv", "csv", "CSV and TSV", AT(format.csv));
    add_format(out, &n, "json", "json", "JSON and JSONL", AT(format.json));
    add_format(out, &n, "parquet", "parquet", "Parquet", AT(format.parquet));
    add_format(out, &n, "avro", "avro", "Avro", AT(format.avro));
    add_group(out, &n, "parquet_scan", "Parquet columns", hr_rows_parquet_scan,
              hr_rows_parquet_scan_count, AT(parquet));
    add_group(out, &n, "schema", "Schema and bad records", hr_rows_schema, hr_rows_schema_count,
              AT(schema));
    add_group(out, &n, "sync", "Sync", hr_rows_sync, hr_rows_sync_count, AT(sync));
    add_group(out, &n, "destination", "Destination", hr_rows_dest, hr_rows_dest_count, AT(dest));
    add_group(out, &n, "destination-place", "Destination: place", hr_rows_place,
              hr_rows_place_count, AT(dest.place));
    add_group(out, &n, "destination-credentials", "Destination: credentials", hr_rows_credentials,
              hr_rows_credentials_count, AT(dest.place));
    add_format(out, &n, "csv", "destination-csv", "Destination: CSV and TSV", AT(dest.csv));
    add_format(out, &n, "json", "destination-json", "Destination: JSON and JSONL", AT(dest.json));
    return n;
}

/* ---- finding a row --------------------------------------------------------------------------- */

struct found_row {
    const struct hr_option *row;
    void *obj;
    size_t number; /* through all groups */
};

static bool is_dest_group(const struct hr_option_group *group) {
    return strncmp(group->name, "destination", 11) == 0;
}

/* A leaf may call its row "delimiter": "csv_delimiter" finds it in the group csv. */
static const struct hr_option *find_in_group(const struct hr_option_group *group,
                                             const char *name) {
    const struct hr_option *row = hr_option_find(group->rows, group->count, name);
    const char *leaf = is_dest_group(group) && group->name[11] ? group->name + 12 : group->name;
    size_t len = strlen(leaf);
    if (row == NULL && strncmp(name, leaf, len) == 0 && name[len] == '_') {
        row = hr_option_find(group->rows, group->count, name + len + 1);
    }
    return row;
}

/* Strips "destination." or "dest."; *only_dest says whether it was there. */
static const char *bare_name(const char *name, bool *only_dest) {
    static const char *const prefixes[] = {"destination.", "dest."};
    for (size_t i = 0; i < HR_COUNTOF(prefixes); i++) {
        size_t len = strlen(prefixes[i]);
        if (strncmp(name, prefixes[i], len) == 0) {
            *only_dest = true;
            return name + len;
        }
    }
    *only_dest = false;
    return name;
}

static bool find_row(struct hr_settings *settings, const char *name, struct found_row *out) {
    struct hr_option_group groups[HR_SETTINGS_GROUPS_MAX];
    size_t count = hr_settings_groups(groups);
    bool only_dest = false;
    size_t number = 0;
    name = bare_name(name, &only_dest);
    for (size_t g = 0; g < count; g++) {
        const bool dest = is_dest_group(&groups[g]);
        const struct hr_option *row = only_dest && !dest ? NULL : find_in_group(&groups[g], name);
        if (row && (dest || !(row->flags & HR_OPT_WRITING))) {
            out->row = row;
            out->obj = (char *)settings + groups[g].base;
            out->number = number + (size_t)(row - groups[g].rows);
            return true;
        }
        number += groups[g].count;
    }
    return false;
}

/* The nearest known name, written into `out` with its destination prefix; false: none is near. */
static bool suggest(const char *name, char *out, size_t size) {
    struct hr_option_group groups[HR_SETTINGS_GROUPS_MAX];
    const char *names[HR_SETTINGS_ROWS_MAX];
    size_t count = hr_settings_groups(groups);
    size_t n = 0;
    bool only_dest = false;
    const char *bare = bare_name(name, &only_dest);
    for (size_t g = 0; g < count; g++) {
        for (size_t i = 0; i < groups[g].count && n < HR_SETTINGS_ROWS_MAX; i++) {
            if (only_dest == is_dest_group(&groups[g]) &&
                !(groups[g].rows[i].flags & HR_OPT_HIDDEN)) {
                names[n++] = groups[g].rows[i].name;
            }
        }
    }
    const char *near = hr_nearest_name(bare, names, n);
    if (near == NULL) {
        return false;
    }
    snprintf(out, size, "%s%s", only_dest ? "destination." : "", near);
    return true;
}

static int fail_unknown(const char *name, struct hr_error *err) {
    char shown[100];
    char near[100];
    hr_printable(hr_slice_str(name), 80, shown, sizeof shown);
    int rc = hr_fail(err, HR_E_CONFIG, "unknown option \"%s\"", shown);
    if (suggest(name, near, sizeof near)) {
        hr_error_hint(err, "Did you mean \"%s\"?", near);
    } else {
        hr_error_hint(err, "\"headrace help options\" lists all of them.");
    }
    return rc;
}

/* ---- setting --------------------------------------------------------------------------------- */

static void mark_given(struct hr_settings *settings, size_t number) {
    if (number < HR_SETTINGS_ROWS_MAX) {
        settings->given_bits[number / 64] |= UINT64_C(1) << (number % 64);
    }
}

bool hr_settings_given(const struct hr_settings *settings, const char *name) {
    struct found_row found;
    /* find_row only adds offsets to the pointer: nothing is written through it here. */
    if (!find_row((struct hr_settings *)(uintptr_t)settings, name, &found) ||
        found.number >= HR_SETTINGS_ROWS_MAX) {
        return false;
    }
    return (settings->given_bits[found.number / 64] >> (found.number % 64)) & 1;
}

int hr_settings_set_json(struct hr_settings *settings, const char *name, const json_t *value,
                         struct hr_error *err) {
    struct found_row found;
    if (!find_row(settings, name, &found)) {
        return fail_unknown(name, err);
    }
    int rc = hr_option_set_json(found.row, found.obj, value, err);
    if (rc == 0 && !json_is_null(value)) {
        mark_given(settings, found.number);
    }
    return rc;
}

int hr_settings_set_text(struct hr_settings *settings, const char *name, const char *text,
                         struct hr_error *err) {
    struct found_row found;
    if (!find_row(settings, name, &found)) {
        return fail_unknown(name, err);
    }
    if (found.row->flags & HR_OPT_SECRET) {
        int rc = hr_fail(err, HR_E_USAGE, "option \"%s\" is not taken from the command line",
                         found.row->name);
        hr_error_hint(err, "Other users can read command lines. Put it into the config file, an "
                           "environment variable or a profile.");
        return rc;
    }
    int rc = hr_option_set_text(found.row, found.obj, text, err);
    if (rc == 0) {
        mark_given(settings, found.number);
    }
    return rc;
}

int hr_settings_set_object(struct hr_settings *settings, const json_t *object,
                           struct hr_error *err) {
    const char *name = NULL;
    json_t *value = NULL;
    json_t *members = (json_t *)(uintptr_t)object; /* jansson iterates only over non-const */
    json_object_foreach(members, name, value) {
        struct found_row found;
        if (!find_row(settings, name, &found)) {
            return fail_unknown(name, err);
        }
        bool only_dest = false;
        const char *bare = bare_name(name, &only_dest);
        bool legacy = strcmp(bare, found.row->name) != 0;
        if (legacy && json_object_get(object, found.row->name)) {
            continue; /* the new name wins */
        }
        int rc = hr_settings_set_json(settings, name, value, err);
        if (rc) {
            return rc;
        }
    }
    return 0;
}

/* ---- life ------------------------------------------------------------------------------------ */

static void release_place(struct hr_place *place) {
    hr_free(place->scheme);
    hr_free(place->root);
    hr_free(place->prefix);
    hr_free(place->object);
    hr_free(place->maybe);
    hr_free(place->literal);
    hr_free(place->endpoint);
    place->scheme = place->root = place->prefix = place->object = NULL;
    place->maybe = place->literal = place->endpoint = NULL;
}

int hr_settings_init(struct hr_settings *settings, struct hr_error *err) {
    struct hr_option_group groups[HR_SETTINGS_GROUPS_MAX];
    size_t count = hr_settings_groups(groups);
    memset(settings, 0, sizeof *settings);
    for (size_t g = 0; g < count; g++) {
        int rc = hr_options_defaults(groups[g].rows, groups[g].count,
                                     (char *)settings + groups[g].base, err);
        if (rc) {
            hr_settings_release(settings);
            return rc;
        }
    }
    settings->files.start_us = INT64_MIN;
    settings->files.end_us = INT64_MAX;
    settings->sync.run_us = -1;
    return 0;
}

void hr_settings_release(struct hr_settings *settings) {
    struct hr_option_group groups[HR_SETTINGS_GROUPS_MAX];
    size_t count = hr_settings_groups(groups);
    for (size_t g = 0; g < count; g++) {
        hr_options_release(groups[g].rows, groups[g].count, (char *)settings + groups[g].base);
    }
    release_place(&settings->place);
    release_place(&settings->dest.place);
    hr_free(settings->files.glob);
    hr_free(settings->config_dir);
    memset(settings, 0, sizeof *settings);
}

void hr_settings_store_conf(const struct hr_settings *settings, const struct hr_place *place,
                            struct hr_store_conf *out) {
    const struct hr_work_opts *work = &settings->work;
    *out = (struct hr_store_conf){
        .scheme = place->scheme,
        .bucket = place->root,
        .endpoint_url = place->endpoint,
        .region = place->region,
        .path_style =
            place->path_style == HR_PATH_STYLE_AUTO ? -1 : place->path_style == HR_PATH_STYLE_ON,
        .insecure_tls = place->insecure_tls,
        .allow_ambient_credentials = place->allow_ambient_credentials,
        .anonymous = place->anonymous,
        .ca_bundle = place->ca_bundle,
        .proxy = place->proxy,
        .access_key_id = place->access_key_id,
        .secret_access_key = place->secret_access_key,
        .session_token = place->session_token,
        .profile = place->profile,
        .role_arn = place->role_arn,
        .external_id = place->external_id,
        .role_session_name = place->role_session_name,
        .web_identity_token_file = place->web_identity_token_file,
        .connections = (int)work->connections,
        .retry_count = (int)work->retry_count,
        .timeout_seconds = (int)work->timeout_seconds,
        .max_requests_per_second =
            (int)(work->max_requests_per_second > 1000000 ? 1000000
                                                          : work->max_requests_per_second),
        .read_only = place == &settings->place,
        .spill_dir = work->spill_dir,
        .spill_max = (int64_t)(work->spill_limit_gb * (1 << 30)),
    };
    if (place == &settings->dest.place) {
        const struct hr_dest *dest = &settings->dest;
        out->sse = dest->server_side_encryption;
        out->kms_key_id = dest->kms_key_id;
        out->acl = dest->acl;
        if (out->sse == NULL && out->kms_key_id != NULL) {
            out->sse = "aws:kms";
        }
    }
}

enum hr_misfit hr_settings_misfit(const struct hr_settings *settings) {
    static const enum hr_misfit by_option[] = {[HR_EVOLVE_WIDEN] = HR_MISFIT_WIDEN,
                                               [HR_EVOLVE_RESCUE] = HR_MISFIT_RESCUE,
                                               [HR_EVOLVE_STRICT] = HR_MISFIT_STRICT,
                                               [HR_EVOLVE_IGNORE] = HR_MISFIT_IGNORE};
    return by_option[settings->schema.schema_evolution];
}

bool hr_settings_quarantines(const struct hr_settings *settings) {
    return settings->schema.on_error == HR_ON_ERROR_QUARANTINE;
}

void hr_settings_infer_params(const struct hr_settings *settings, struct hr_infer_params *out) {
    *out = (struct hr_infer_params){
        .rows = settings->schema.infer_rows,
        .types = settings->schema.infer_types,
        .decimal = settings->schema.infer_decimal,
    };
}
