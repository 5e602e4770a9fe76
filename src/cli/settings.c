/* cli/settings.c - flags of the command line as settings. */
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "cli/cli.h"

int hr_cli_default(struct hr_settings *settings, const char *name, const char *text,
                   struct hr_error *err) {
    if (hr_settings_given(settings, name)) {
        return 0;
    }
    uint64_t bits[HR_COUNTOF(settings->given_bits)];
    memcpy(bits, settings->given_bits, sizeof(bits));
    const int rc = hr_settings_set_text(settings, name, text, err);
    memcpy(settings->given_bits, bits, sizeof(bits));
    return rc;
}

static int apply_set(struct hr_settings *settings, const char *text, struct hr_error *err) {
    const char *equals = strchr(text, '=');
    if (equals == NULL) {
        return hr_fail(err, HR_E_USAGE, "could not use --set '%s': it is NAME=VALUE", text);
    }
    char *name = hr_strndup(text, (size_t)(equals - text));
    if (name == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate an option");
    }
    const int rc = hr_settings_set_text(settings, name, equals + 1, err);
    hr_free(name);
    return rc;
}

/* --memory 192M -> memory_limit_mb. */
static int apply_memory(struct hr_settings *settings, const char *text, struct hr_error *err) {
    uint64_t bytes;
    char mb[32];
    if (!hr_parse_size(text, &bytes) || bytes < (uint64_t)32 << 20) {
        hr_fail(err, HR_E_USAGE, "could not use --memory '%s'", text);
        hr_error_hint(err, "write a size of at least 32M, for example --memory 192M");
        return HR_E_USAGE;
    }
    snprintf(mb, sizeof(mb), "%llu", (unsigned long long)(bytes >> 20));
    return hr_settings_set_text(settings, "memory_limit_mb", mb, err);
}

int hr_cli_apply(const struct hr_cli *cli, struct hr_settings *out, struct hr_error *err) {
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < cli->n_sets; i++) {
        rc = apply_set(out, cli->sets[i], err);
    }
    if (rc == 0 && cli->workers != NULL) {
        rc = hr_settings_set_text(out, "parallel_workers", cli->workers, err);
    }
    if (rc == 0 && cli->memory != NULL) {
        rc = apply_memory(out, cli->memory, err);
    }
    if (rc == 0 && cli->insecure_tls) {
        rc = hr_settings_set_text(out, "insecure_tls", "true", err);
    }
    if (rc == 0 && cli->filter != NULL) {
        rc = hr_settings_set_text(out, "filter", cli->filter, err);
    }
    if (rc == 0 && cli->columns != NULL) {
        rc = hr_settings_set_text(out, "columns", cli->columns, err);
    }
    return rc;
}

int hr_cli_settings(const struct hr_cli *cli, struct hr_settings *out, struct hr_error *err) {
    int rc = hr_settings_init(out, err);
    if (rc != 0) {
        return rc;
    }
    rc = hr_cli_apply(cli, out, err);
    if (rc != 0) {
        hr_settings_release(out);
    }
    return rc;
}

int hr_cli_url_settings(const struct hr_cli *cli, const char *url, struct hr_settings *out,
                        struct hr_error *err) {
    static const char *const defaults[][2] = {
        {"file_format", "auto"}, {"json_flatten", "false"},  {"json_nested_text", "false"},
        {"cost_limit_usd", "0"}, {"max_files_per_run", "0"}, {"max_data_size_gb", "0"},
        {"stream_by", "all"}};
    int rc = hr_cli_settings(cli, out, err);
    if (rc != 0) {
        return rc;
    }
    char *glob = NULL;
    rc = hr_place_set_url(&out->place, url, &glob, err);
    for (size_t i = 0; rc == 0 && i < HR_COUNTOF(defaults); i++) {
        rc = hr_cli_default(out, defaults[i][0], defaults[i][1], err);
    }
    if (rc == 0) {
        rc = hr_settings_finish(out, err);
    }
    out->files.glob = glob;
    if (rc != 0) {
        hr_settings_release(out);
    }
    return rc;
}
