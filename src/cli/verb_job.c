/* cli/verb_job.c - the verbs of a connector: spec, check, discover, clear-destination. */
#include <string.h>
#include <unistd.h>

#include "api/watch.h"
#include "base/mem.h"
#include "base/num.h"
#include "cli/job.h"
#include "config/load.h"
#include "config/render.h"
#include "plan/select.h"
#include "state/state.h"

#define DISCOVER_WIDTH_MAX 64

static int put(const struct hr_buf *text) {
    return fwrite(text->ptr, 1, text->len, stdout) == text->len ? 0 : 1;
}

int hr_verb_spec(struct hr_cli *cli) {
    struct hr_error err;
    struct hr_buf text;
    const struct hr_dialect *dialect = hr_dialect_by_name(cli->dialect ? cli->dialect : "olake");
    hr_error_clear(&err);
    hr_buf_init(&text, 0);
    int rc = dialect ? 0
                     : hr_fail(&err, HR_E_USAGE, "could not find a dialect '%s'",
                               cli->dialect ? cli->dialect : "");
    if (rc == 0 && dialect->missing != NULL) {
        rc = hr_fail(&err, HR_E_CONFIG, "%s", dialect->missing);
    }
    if (rc == 0) {
        rc = dialect->spec(cli->destination_type, &text, &err);
    }
    int status = rc == 0 ? put(&text) : hr_cli_fail(cli, &err);
    hr_buf_release(&text);
    return status;
}

/* ---- check ---- */

/* Source: credentials, region, bucket, list, one ranged read. */
static int check_source(const struct hr_job *job, struct hr_error *err) {
    struct hr_store *store = NULL;
    struct hr_list_page page = {0};
    struct hr_selector *selector = NULL;
    int rc = hr_selector_new(&job->settings, &selector, err); /* patterns that do not compile */
    hr_selector_free(selector);
    if (rc == 0) {
        rc = hr_run_open_store(&job->settings, &job->settings.place, true, &store, err);
    }
    struct hr_watch *watch = rc == 0 ? hr_watch_start(hr_watch_cancel_store, store, NULL, 0) : NULL;
    if (rc == 0) {
        const struct hr_list_query q = {.prefix = job->settings.place.prefix, .page_size = 10};
        rc = store->driver->list(store, &q, &page, err);
    }
    for (size_t i = 0; rc == 0 && i < page.count; i++) {
        if (page.items[i].is_prefix || page.items[i].info.size == 0) {
            continue;
        }
        struct hr_buf bytes;
        hr_buf_init(&bytes, 4096);
        rc = hr_store_get(store, page.items[i].key, 0, 16, NULL, &bytes, NULL, err);
        hr_buf_release(&bytes);
        break;
    }
    if (rc == 0 && page.count == 0) {
        rc = hr_fail(err, HR_E_NO_OBJECT, "could not find anything in '%s/%s'", store->label,
                     job->settings.place.prefix ? job->settings.place.prefix : "");
        hr_error_hint(err, "check path_prefix: `headrace ls` shows what is there");
    }
    hr_watch_stop(watch);
    hr_list_page_release(&page);
    hr_store_close(store);
    return rc;
}

/* Destination: write, conditional write, read back, delete. */
static int check_destination(const struct hr_job *job, struct hr_error *err) {
    struct hr_store *store = NULL;
    char key[1100];
    char etag[80];
    int rc = hr_run_open_store(&job->settings, &job->settings.dest.place, false, &store, err);
    snprintf(key, sizeof(key), "%s_headrace/check-%ld",
             job->settings.dest.place.prefix ? job->settings.dest.place.prefix : "",
             (long)getpid());
    const struct hr_slice body = hr_slice_str("headrace checks that it can write here\n");
    const struct hr_put_opts fresh = {.cond = HR_PUT_NEW};
    if (rc == 0) {
        rc = store->driver->put(store, key, body, &fresh, etag, err);
    }
    if (rc == 0 && (store->caps & HR_CAP_COND_PUT) &&
        store->driver->put(store, key, body, &fresh, etag, NULL) != HR_E_EXISTS) {
        rc = hr_fail(err, HR_E_STORE, "could not rely on '%s': it ignores conditional writes",
                     store->label);
    }
    if (rc == 0) {
        rc = store->driver->remove(store, key, err);
    }
    hr_store_close(store);
    return rc;
}

/* The state, when one was named: it can be held, and its store honours conditions. */
static int check_state(const struct hr_cli *cli, const struct hr_job *job, struct hr_error *err) {
    struct hr_store_conf access;
    const struct hr_state_conf conf = {.path = cli->state,
                                       .access = hr_run_state_access(&job->settings, &access)};
    return hr_state_check(&conf, err);
}

int hr_verb_check(struct hr_cli *cli) {
    struct hr_error err;
    struct hr_job job = {0};
    struct hr_buf line;
    hr_error_clear(&err);
    hr_buf_init(&line, 1 << 16);
    job.without_config = cli->destination != NULL; /* a destination is checked by itself */
    int rc = hr_job_open(cli, &job, &err);
    const bool configured = rc == 0;
    if (rc == 0) {
        rc = cli->destination ? check_destination(&job, &err) : check_source(&job, &err);
    }
    if (rc == 0 && cli->state != NULL) {
        rc = check_state(cli, &job, &err);
    }
    char why[1500] = "";
    if (rc != 0) {
        snprintf(why, sizeof(why), "%s%s%s", err.message, err.hint[0] ? ". Hint: " : "", err.hint);
    }
    if (configured && job.dialect->message_status(rc == 0, rc == 0 ? NULL : why, hr_job_shape(cli),
                                                  &line, NULL) == 0) {
        put(&line);
    }
    int status = rc == 0 ? 0 : hr_cli_fail(cli, &err);
    /* Olake's platform reads the message and wants 1 for any failed check of a good config. */
    if (configured && rc != 0 && strcmp(job.dialect->name, "olake") == 0) {
        status = 1;
    }
    hr_buf_release(&line);
    hr_job_close(&job);
    return status;
}

/* ---- discover ---- */

static int merge_old(const struct hr_cli *cli, struct hr_job *job, struct hr_catalog *fresh,
                     struct hr_error *err) {
    if (cli->catalog == NULL) {
        return 0;
    }
    const int rc = hr_job_catalog(cli, job, err);
    return rc == 0 ? job->dialect->catalog_merge(&job->catalog, fresh, err) : rc;
}

/* A whole number of a flag; -1 (Olake's "default") and absent give `def`. */
static int flag_number(const char *flag, const char *text, int64_t def, int64_t *out,
                       struct hr_error *err) {
    *out = def;
    if (text == NULL || strcmp(text, "-1") == 0) {
        return 0;
    }
    if (hr_parse_i64(text, strlen(text), out) && *out > 0 && *out <= 1000000) {
        return 0;
    }
    hr_fail(err, HR_E_USAGE, "could not use %s '%.40s'", flag, text);
    hr_error_hint(err, "write a number from 1 to 1000000, or -1 for the default");
    return HR_E_USAGE;
}

static int discover(const struct hr_cli *cli, struct hr_job *job, struct hr_catalog *fresh,
                    struct hr_error *err) {
    struct hr_store *store = NULL;
    struct hr_selection selection;
    int64_t width;
    int64_t seconds;
    int rc = flag_number("--max-discover-threads", cli->discover_threads, 8, &width, err);
    if (rc == 0) {
        rc = flag_number("--timeout", cli->timeout, 300, &seconds, err);
    }
    if (rc == 0) {
        rc = hr_run_open_store(&job->settings, &job->settings.place, true, &store, err);
    }
    if (rc == 0) {
        struct hr_watch *watch = hr_watch_start(hr_watch_cancel_store, store, NULL, seconds);
        width = width < DISCOVER_WIDTH_MAX ? width : DISCOVER_WIDTH_MAX;
        rc = hr_discover(store, &job->settings, (int)width, fresh, &selection, err);
        if (hr_watch_stop(watch) && rc != 0) {
            rc = hr_fail(err, HR_E_TIMEOUT, "could not discover '%s' within %lld seconds",
                         store->label, (long long)seconds);
            hr_error_hint(err, "raise --timeout, or choose fewer files by path_prefix");
        }
    }
    if (rc == 0) {
        rc = job->dialect->catalog_dress(fresh, &job->settings, err);
    }
    if (rc == 0) {
        rc = merge_old(cli, job, fresh, err);
    }
    hr_store_close(store);
    return rc;
}

/* `--difference OTHER`: offline comparison of two catalogs. */
static int difference(const struct hr_cli *cli, struct hr_job *job, struct hr_error *err) {
    struct hr_cli other = *cli;
    struct hr_job second = {.without_config = true};
    struct hr_catalog out;
    struct hr_buf text;
    hr_buf_init(&text, 0);
    hr_catalog_init(&out);
    other.catalog = cli->difference;
    int rc = hr_job_catalog(cli, job, err);
    if (rc == 0) {
        rc = hr_job_open(&other, &second, err);
    }
    if (rc == 0) {
        rc = hr_job_catalog(&other, &second, err);
    }
    if (rc == 0) {
        rc = job->dialect->catalog_difference(&job->catalog, &second.catalog, &out, err);
    }
    if (rc == 0) {
        rc = job->dialect->catalog_write(&out, &job->settings, &text, err);
    }
    if (rc == 0) {
        char *folder = cli->no_save ? hr_strdup(job->folder) : hr_config_dir(cli->catalog);
        char path[4096];
        snprintf(path, sizeof(path), "%s/difference_streams.json", folder ? folder : ".");
        hr_free(folder);
        rc = hr_job_write(path, hr_buf_slice(&text), err);
    }
    hr_buf_release(&text);
    hr_catalog_release(&out);
    hr_job_close(&second);
    return rc;
}

int hr_verb_discover(struct hr_cli *cli) {
    struct hr_error err;
    struct hr_job job = {0};
    struct hr_catalog fresh;
    struct hr_buf text;
    struct hr_buf line;
    hr_error_clear(&err);
    hr_catalog_init(&fresh);
    hr_buf_init(&text, 0);
    hr_buf_init(&line, 0);
    job.without_config = cli->difference != NULL; /* two files are compared */
    int rc = hr_job_open(cli, &job, &err);
    if (rc == 0 && cli->difference != NULL) {
        rc = difference(cli, &job, &err);
    } else if (rc == 0) {
        rc = discover(cli, &job, &fresh, &err);
        if (rc == 0) {
            rc = job.dialect->catalog_write(&fresh, &job.settings, &text, &err);
        }
        if (rc == 0 && (job.dialect->flags & HR_DIALECT_STREAMS_FILE)) {
            rc = hr_job_write(job.catalog_path, hr_buf_slice(&text), &err);
        }
        if (rc == 0) {
            rc = job.dialect->message_catalog(hr_buf_slice(&text), hr_job_shape(cli), &line, &err);
        }
        if (rc == 0) {
            put(&line);
        }
    }
    const int status = rc == 0 ? 0 : hr_cli_fail(cli, &err);
    hr_buf_release(&text);
    hr_buf_release(&line);
    hr_catalog_release(&fresh);
    hr_job_close(&job);
    return status;
}

int hr_verb_clear(struct hr_cli *cli) {
    struct hr_error err;
    struct hr_job job = {0};
    int64_t removed = 0;
    hr_error_clear(&err);
    job.without_config = cli->catalog != NULL; /* tables are named there */
    int rc = hr_job_open(cli, &job, &err);
    if (rc == 0 && cli->destination == NULL) {
        rc = hr_fail(&err, HR_E_USAGE, "could not start: --destination is missing");
    }
    if (rc == 0) {
        rc = hr_job_catalog(cli, &job, &err);
    }
    if (rc == 0) {
        const struct hr_sync_conf conf = {.settings = &job.settings,
                                          .dialect = job.dialect,
                                          .catalog = &job.catalog,
                                          .state_path = job.state_path};
        rc = hr_sync_clear(&conf, &removed, &err);
    }
    if (rc == 0 && !hr_cli_quiet(cli)) {
        fprintf(stderr, "clear-destination: %lld files removed\n", (long long)removed);
    }
    hr_job_close(&job);
    return rc == 0 ? 0 : hr_cli_fail(cli, &err);
}
