/* cli/job.c - files of a job into settings, catalog and paths (see job.h). */
#include "cli/job.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "config/load.h"
#include "cred/sealed.h"

static char *join(const char *folder, const char *name) {
    char *out = hr_malloc(strlen(folder) + strlen(name) + 2);
    if (out != NULL) {
        memcpy(out, folder, strlen(folder));
        memcpy(out + strlen(folder), "/", 1);
        memcpy(out + strlen(folder) + 1, name, strlen(name) + 1);
    }
    return out;
}

/* A source or destination config: plain, or sealed with --encryption-key. */
static int load_config(const struct hr_cli *cli, const char *path, json_t **out,
                       struct hr_error *err) {
    const unsigned flags = cli->env ? HR_LOAD_ENV : 0;
    const char *key = cli->encryption_key;
    if (key == NULL || key[strspn(key, " \t\r\n")] == '\0') {
        return hr_config_load(path, flags, out, err);
    }
    if (strncmp(key, "arn:aws:kms:", 12) == 0) {
        hr_fail(err, HR_E_CONFIG, "could not decrypt '%s': AWS KMS keys are not built yet", path);
        hr_error_hint(err, "decrypt it with `aws kms decrypt` and name the plain file, - is stdin");
        return HR_E_CONFIG;
    }
    struct hr_buf text;
    struct hr_buf plain;
    json_error_t at;
    hr_buf_init(&plain, HR_CONFIG_SIZE_MAX);
    int rc = hr_config_read(path, 0, &text, err);
    json_t *sealed =
        rc == 0 ? json_loadb((const char *)text.ptr, text.len, JSON_DECODE_ANY, &at) : NULL;
    if (rc == 0 && !json_is_string(sealed)) {
        rc = hr_fail(err, HR_E_CONFIG, "could not decrypt '%s': it is not one JSON string", path);
        hr_error_hint(err, "leave --encryption-key out for a config in plain text");
    }
    if (rc == 0) {
        rc = hr_unseal(key, hr_slice_of(json_string_value(sealed), json_string_length(sealed)),
                       &plain, err);
        hr_error_object(err, path);
    }
    if (rc == 0) {
        rc = hr_config_parse(hr_buf_slice(&plain), path, flags, out, err);
    }
    json_decref(sealed);
    if (plain.ptr != NULL) {
        explicit_bzero(plain.ptr, plain.len);
    }
    hr_buf_release(&plain);
    hr_buf_release(&text);
    return rc;
}

static int load_destination(const struct hr_cli *cli, struct hr_job *job, struct hr_error *err) {
    json_t *doc = NULL;
    const struct hr_dialect *dialect = NULL;
    int rc = load_config(cli, cli->destination, &doc, err);
    if (rc == 0) {
        rc = hr_dialect_detect_destination(doc, job->dialect, &dialect, err);
    }
    if (rc == 0) {
        rc = dialect->configure_destination(doc, cli->destination, &job->settings, err);
    }
    json_decref(doc);
    return rc;
}

static int set_paths(const struct hr_cli *cli, struct hr_job *job, struct hr_error *err) {
    const char *folder = cli->no_save ? getenv("TMPDIR") : NULL;
    if (cli->no_save && folder == NULL) {
        folder = "/tmp";
    }
    const char *beside = cli->config ? cli->config : cli->catalog ? cli->catalog : "-";
    job->folder = folder ? hr_strdup(folder) : hr_config_dir(beside);
    if (job->folder == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate a path");
    }
    job->catalog_path = cli->output ? hr_strdup(cli->output) : join(job->folder, "streams.json");
    job->state_path = cli->state ? hr_strdup(cli->state) : join(job->folder, "state.json");
    return job->catalog_path && job->state_path
               ? 0
               : hr_fail(err, HR_E_NOMEM, "could not allocate a path");
}

static int load_source(const struct hr_cli *cli, struct hr_job *job, struct hr_error *err) {
    json_t *doc = NULL;
    int rc = load_config(cli, cli->config, &doc, err);
    if (rc == 0) {
        rc = hr_dialect_detect(doc, cli->dialect, &job->dialect, err);
    }
    if (rc == 0) {
        rc = job->dialect->configure(doc, cli->config, &job->settings, err);
    }
    json_decref(doc);
    return rc;
}

/* A verb that needs no source: the dialect named, or the one whose verbs can be without. */
static int no_source(const struct hr_cli *cli, struct hr_job *job, struct hr_error *err) {
    const char *name = cli->dialect ? cli->dialect : "olake";
    job->dialect = hr_dialect_by_name(name);
    if (job->dialect == NULL || job->dialect->missing != NULL) {
        return hr_fail(err, HR_E_USAGE, "could not find a usable dialect '%s'", name);
    }
    return 0;
}

int hr_job_open(const struct hr_cli *cli, struct hr_job *job, struct hr_error *err) {
    const bool without = job->without_config && cli->config == NULL;
    *job = (struct hr_job){.without_config = job->without_config};
    hr_catalog_init(&job->catalog);
    if (cli->config == NULL && !without) {
        hr_fail(err, HR_E_USAGE, "could not start: --config is missing");
        hr_error_hint(err, "name the source's configuration file: --config source.json");
        return HR_E_USAGE;
    }
    int rc = set_paths(cli, job, err);
    if (rc == 0) {
        rc = hr_settings_init(&job->settings, err);
        job->have_settings = rc == 0;
    }
    if (rc == 0) {
        rc = without ? no_source(cli, job, err) : load_source(cli, job, err);
    }
    if (rc == 0 && cli->destination != NULL) {
        rc = load_destination(cli, job, err);
    }
    if (rc == 0) {
        rc = hr_cli_apply(cli, &job->settings, err); /* flags win over files */
    }
    if (rc == 0 && cli->destination_prefix != NULL) {
        rc = hr_settings_set_text(&job->settings, "database_prefix", cli->destination_prefix, err);
    }
    return rc == 0 ? hr_settings_finish(&job->settings, err) : rc;
}

/* The dialect of a state file is that of the destination's config: both shapes are one. */
static int state_dialect(const struct hr_cli *cli, struct hr_job *job, struct hr_error *err) {
    const char *name = cli->dialect ? cli->dialect : "olake";
    job->dialect = hr_dialect_by_name(name);
    if (job->dialect == NULL || job->dialect->missing != NULL || job->dialect->state_read == NULL) {
        hr_fail(err, HR_E_USAGE, "could not find a dialect '%s' that keeps a state file", name);
        hr_error_hint(err, "use native or olake, or leave --dialect out");
        return HR_E_USAGE;
    }
    return 0;
}

/* A state that is not there may be one that was never written, or a misspelt name; a run that was
 * killed before its first commit left the lock. */
static void warn_of_absent(const char *path) {
    char lock[4200];
    if (strstr(path, "://") != NULL || access(path, F_OK) == 0) {
        return;
    }
    snprintf(lock, sizeof(lock), "%s.lock", path);
    if (access(lock, F_OK) != 0) {
        hr_log(HR_LOG_WARN, "there is no state '%s': no run has used that name", path);
    }
}

int hr_job_open_state(const struct hr_cli *cli, bool destination, struct hr_job *job,
                      struct hr_error *err) {
    *job = (struct hr_job){0};
    hr_catalog_init(&job->catalog);
    if (cli->state == NULL) {
        hr_fail(err, HR_E_USAGE, "could not start: --state is missing");
        hr_error_hint(err, "name the pipeline's state file: --state state.json");
        return HR_E_USAGE;
    }
    if (destination && cli->destination == NULL) {
        hr_fail(err, HR_E_USAGE, "could not start: --destination is missing");
        hr_error_hint(err, "name the destination's configuration: --destination destination.json");
        return HR_E_USAGE;
    }
    warn_of_absent(cli->state);
    if (cli->config != NULL) {
        return hr_job_open(cli, job, err);
    }
    int rc = set_paths(cli, job, err);
    if (rc == 0) {
        rc = state_dialect(cli, job, err);
    }
    if (rc == 0) {
        rc = hr_settings_init(&job->settings, err);
        job->have_settings = rc == 0;
    }
    if (rc == 0 && cli->destination != NULL) {
        rc = load_destination(cli, job, err);
    }
    if (rc == 0) {
        rc = hr_cli_apply(cli, &job->settings, err);
    }
    return rc == 0 ? hr_settings_finish(&job->settings, err) : rc;
}

int hr_job_catalog(const struct hr_cli *cli, struct hr_job *job, struct hr_error *err) {
    json_t *doc = NULL;
    if (cli->catalog == NULL) {
        hr_fail(err, HR_E_USAGE, "could not start: --catalog is missing");
        hr_error_hint(err, "name the streams file that discover wrote: --catalog streams.json");
        return HR_E_USAGE;
    }
    int rc = hr_config_load(cli->catalog, 0, &doc, err);
    if (rc == 0) {
        hr_catalog_release(&job->catalog);
        rc = job->dialect->catalog_read(doc, cli->catalog, &job->settings, &job->catalog, err);
    }
    json_decref(doc);
    return rc;
}

void hr_job_close(struct hr_job *job) {
    if (job->have_settings) {
        hr_settings_release(&job->settings);
    }
    hr_catalog_release(&job->catalog);
    hr_free(job->folder);
    hr_free(job->state_path);
    hr_free(job->catalog_path);
}

int hr_job_write(const char *path, struct hr_slice text, struct hr_error *err) {
    if (strcmp(path, "-") == 0) {
        return fwrite(text.ptr, 1, text.len, stdout) == text.len
                   ? 0
                   : hr_fail_errno(err, errno, "could not write to standard output");
    }
    char *tmp = hr_malloc(strlen(path) + 5);
    if (tmp == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate a path");
    }
    memcpy(tmp, path, strlen(path));
    memcpy(tmp + strlen(path), ".tmp", 5);
    FILE *file = fopen(tmp, "wb");
    int rc = 0;
    if (file == NULL) {
        rc = hr_fail_errno(err, errno, "could not create '%s'", tmp);
    } else {
        const bool ok = fwrite(text.ptr, 1, text.len, file) == text.len && fflush(file) == 0 &&
                        fsync(fileno(file)) == 0;
        if (fclose(file) != 0 || !ok) {
            rc = hr_fail_errno(err, errno, "could not write '%s'", tmp);
        }
    }
    if (rc == 0 && rename(tmp, path) != 0) {
        rc = hr_fail_errno(err, errno, "could not replace '%s'", path);
    }
    if (rc != 0) {
        unlink(tmp);
    }
    hr_free(tmp);
    return rc;
}

enum hr_log_shape hr_job_shape(const struct hr_cli *cli) {
    return !cli->no_color && isatty(STDOUT_FILENO) ? HR_SHAPE_COLOUR : HR_SHAPE_PLAIN;
}
