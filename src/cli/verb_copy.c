/* cli/verb_copy.c - `headrace copy SRC... DST`. */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/copy.h"
#include "base/mem.h"
#include "cli/cli.h"

/* A folder that exists already is a folder, with or without the slash. */
static char *folder_url(const char *url) {
    struct stat st;
    const size_t n = strlen(url);
    if (n == 0 || url[n - 1] == '/' || strstr(url, "://") != NULL || stat(url, &st) != 0 ||
        !S_ISDIR(st.st_mode)) {
        return hr_strdup(url);
    }
    char *with = hr_malloc(n + 2);
    if (with != NULL) {
        memcpy(with, url, n);
        memcpy(with + n, "/", 2);
    }
    return with;
}

static int set_format_by_key(struct hr_settings *s, const char *dst, struct hr_error *err) {
    const size_t n = strlen(dst);
    if (n > 0 && dst[n - 1] == '/') {
        return 0; /* a folder: parquet, or what was said */
    }
    size_t suffix = 0;
    const struct hr_codec *codec = hr_codec_by_key(dst, n, &suffix);
    const bool told = hr_settings_given(s, "destination.file_format");
    const struct hr_format *format = told ? hr_settings_dest_format(s) : hr_format_by_key(dst, n);
    if (format == NULL && told) {
        return 0; /* an unknown name, which is said where all settings are checked */
    }
    if (format == NULL) {
        hr_fail(err, HR_E_USAGE, "could not tell from '%s' which format to write", dst);
        hr_error_hint(err, "name it with --format, end the name in .parquet, .csv, .jsonl …, or "
                           "end it in '/' for a folder");
        return HR_E_USAGE;
    }
    int rc = told ? 0 : hr_settings_set_text(s, "destination.file_format", format->name, err);
    if (rc == 0 && !hr_settings_given(s, "destination.compression") &&
        !(format->flags & HR_FMT_CODEC_INSIDE)) {
        rc = hr_settings_set_text(s, "destination.compression", codec ? codec->name : "none", err);
    }
    return rc;
}

/* --format says what is written, unless the name written to says so itself: then it is the format
 * of standard input. */
static bool format_is_of_input(const struct hr_cli *cli) {
    const char *dst = cli->args[cli->n_args - 1];
    const struct hr_format *by_key = hr_format_by_key(dst, strlen(dst));
    bool input = false;
    for (size_t i = 0; i + 1 < cli->n_args; i++) {
        input = input || strcmp(cli->args[i], "-") == 0;
    }
    return input && cli->format != NULL && by_key != NULL && strcmp(dst, "-") != 0 &&
           by_key != hr_format_by_name(cli->format, strlen(cli->format));
}

/* Standard input is there once. */
static int check_input(const struct hr_cli *cli, struct hr_error *err) {
    int seen = 0;
    for (size_t i = 0; i + 1 < cli->n_args; i++) {
        seen += strcmp(cli->args[i], "-") == 0;
    }
    if (seen > 1) {
        hr_fail(err, HR_E_USAGE, "could not read standard input twice");
        hr_error_hint(err, "write - once among the sources");
        return HR_E_USAGE;
    }
    return 0;
}

/* Destination into the first source's settings. */
static int set_destination(const struct hr_cli *cli, struct hr_settings *s,
                           struct hr_copy_conf *conf, struct hr_error *err) {
    const char *dst = cli->args[cli->n_args - 1];
    int rc = 0;
    if (strcmp(dst, "null:") == 0) {
        conf->drain = true;
        return 0;
    }
    if (cli->format != NULL && !format_is_of_input(cli)) {
        rc = hr_settings_set_text(s, "destination.file_format", cli->format, err);
    }
    if (rc == 0 && cli->partition_by != NULL) {
        rc = hr_settings_set_text(s, "destination.partition_by", cli->partition_by, err);
    }
    if (rc == 0 && strcmp(dst, "-") == 0) {
        conf->stream_fd = STDOUT_FILENO;
        if (cli->format == NULL) {
            return hr_fail(err, HR_E_USAGE, "could not write to -: say the format with --format");
        }
        rc = hr_settings_set_text(s, "destination.type", "stdout", err);
        if (rc == 0 && !hr_settings_given(s, "destination.compression") &&
            strcmp(cli->format, "parquet") != 0 && strcmp(cli->format, "avro") != 0) {
            rc = hr_settings_set_text(s, "destination.compression", "none", err);
        }
        return rc == 0 ? hr_settings_finish(s, err) : rc;
    }
    char *url = folder_url(dst);
    if (url == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate a name");
    }
    if (rc == 0) {
        rc = hr_place_set_url(&s->dest.place, url, NULL, err);
    }
    if (rc == 0) {
        rc = set_format_by_key(s, url, err);
    }
    hr_free(url);
    return rc == 0 ? hr_settings_finish(s, err) : rc;
}

static int set_source(const struct hr_cli *cli, const char *arg, struct hr_settings *s,
                      struct hr_error *err) {
    char *url = folder_url(arg);
    int rc = url ? hr_cli_url_settings(cli, url, s, err)
                 : hr_fail(err, HR_E_NOMEM, "could not allocate a name");
    hr_free(url);
    if (rc == 0 && strcmp(arg, "-") == 0 && format_is_of_input(cli)) {
        rc = hr_settings_set_text(s, "file_format", cli->format, err);
        rc = rc == 0 ? hr_settings_finish(s, err) : rc;
        if (rc != 0) {
            hr_settings_release(s);
        }
    }
    return rc;
}

int hr_verb_copy(struct hr_cli *cli) {
    struct hr_error err;
    struct hr_summary summary = {0};
    struct hr_progress progress = {0};
    const size_t n = cli->n_args - 1;
    struct hr_copy_conf conf = {.stream_fd = -1, .progress = &progress};
    hr_error_clear(&err);
    conf.sources = hr_calloc(n, sizeof(*conf.sources));
    int rc = conf.sources ? check_input(cli, &err)
                          : hr_fail(&err, HR_E_NOMEM, "could not allocate settings");
    while (rc == 0 && conf.n_sources < n) {
        rc = set_source(cli, cli->args[conf.n_sources], &conf.sources[conf.n_sources], &err);
        conf.n_sources += rc == 0;
    }
    if (rc == 0) {
        rc = set_destination(cli, &conf.sources[0], &conf, &err);
    }
    if (rc == 0) {
        conf.workers = hr_pipeline_workers(&conf.sources[0]);
        struct hr_cli_progress *shown = hr_cli_progress_start(cli, &progress, "copy");
        rc = hr_copy(&conf, &summary, &err);
        hr_cli_progress_stop(shown);
    }
    if (rc == 0) {
        rc = hr_cli_summary(cli, &summary, "copy", &err);
    }
    const int status = rc == 0 ? 0 : hr_cli_fail(cli, &err);
    for (size_t i = 0; i < conf.n_sources; i++) {
        hr_settings_release(&conf.sources[i]);
    }
    hr_free(conf.sources);
    return status;
}
