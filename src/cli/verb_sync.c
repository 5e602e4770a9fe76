/* cli/verb_sync.c - `headrace sync` and `headrace state`. */
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/job.h"
#include "config/load.h"
#include "state/state.h"

struct account {
    const struct hr_cli *cli;
    size_t streams;
};

static void stream_done(void *user, const struct hr_stream *stream,
                        const struct hr_run_counts *counts, int64_t files) {
    struct account *a = user;
    a->streams++;
    if (hr_cli_quiet(a->cli) || a->cli->json) {
        return;
    }
    if (counts->objects == 0 && counts->deleted == 0) {
        fprintf(stderr, "  %s: nothing new\n", stream->name);
        return;
    }
    char size[32];
    hr_cli_size((double)counts->bytes, size, sizeof(size));
    fprintf(stderr, "  %s: %lld objects (%s), %lld rows -> %lld files\n", stream->name,
            (long long)counts->objects, size, (long long)counts->rows_out, (long long)files);
}

static void warn_text(void *user, const char *text) {
    (void)user;
    hr_log(HR_LOG_WARN, "%s", text);
}

int hr_verb_sync(struct hr_cli *cli) {
    struct hr_error err;
    struct hr_job job = {0};
    struct hr_summary summary = {0};
    struct hr_progress progress = {0};
    struct account account = {.cli = cli};
    hr_error_clear(&err);
    int rc = hr_job_open(cli, &job, &err);
    if (rc == 0 && cli->destination == NULL) {
        rc = hr_fail(&err, HR_E_USAGE, "could not start: --destination is missing");
        hr_error_hint(&err, "name the destination's configuration: --destination destination.json");
    }
    if (rc == 0) {
        rc = hr_job_catalog(cli, &job, &err);
    }
    if (rc == 0) {
        const struct hr_sync_conf conf = {.settings = &job.settings,
                                          .dialect = job.dialect,
                                          .catalog = &job.catalog,
                                          .state_path = job.state_path,
                                          .workers = hr_pipeline_workers(&job.settings),
                                          .progress = &progress,
                                          .stream_done = stream_done,
                                          .warn = warn_text,
                                          .user = &account};
        struct hr_cli_stats *stats = strcmp(job.dialect->name, "olake") == 0
                                         ? hr_cli_stats_start(job.folder, &progress, conf.workers)
                                         : NULL;
        struct hr_cli_progress *shown = hr_cli_progress_start(cli, &progress, "sync");
        rc = hr_sync(&conf, &summary, &err);
        hr_cli_progress_stop(shown);
        hr_cli_stats_stop(stats, rc == 0);
    }
    const int status = rc == 0 ? 0 : hr_cli_fail(cli, &err);
    if (rc == 0) {
        hr_cli_summary(cli, &summary, "sync");
    }
    hr_job_close(&job);
    return status;
}

/* ---- state ---- */

static int show_entry(const struct hr_stream_state *entry, const char *name) {
    const json_t *own = entry->headrace;
    const char *lineage = json_string_value(json_object_get(own, "lineage"));
    printf("%-24s cursor %s", name, entry->cursor ? entry->cursor : "none");
    if (entry->chunks != NULL && json_array_size(entry->chunks) > 0) {
        printf(", %zu chunks pending", json_array_size(entry->chunks));
    }
    if (own != NULL) {
        const char *band = json_string_value(json_object_get(own, "band"));
        printf(", commit %s-%lld, %zu keys in the band%s", lineage ? lineage : "?",
               (long long)json_integer_value(json_object_get(own, "seq")),
               band ? strlen(band) / 24 : 0, json_object_get(own, "sweep") ? ", unfinished" : "");
    }
    printf("\n");
    return 0;
}

/* Names of the streams in the document, both shapes of Olake's. */
static int each_stream(const struct hr_dialect *dialect, const struct hr_state *state,
                       const struct hr_state_doc *doc, const char *only, struct hr_error *err) {
    json_t *json = NULL;
    int rc = hr_config_parse(hr_state_text(state), hr_state_name(state), HR_LOAD_EMPTY, &json, err);
    size_t i;
    json_t *item;
    json_array_foreach(json_object_get(json, "streams"), i, item) {
        const char *name = json_string_value(json_object_get(item, "stream"));
        const char *space = json_string_value(json_object_get(item, "namespace"));
        struct hr_stream_state entry = {0};
        if (rc != 0 || name == NULL || (only != NULL && strcmp(only, name) != 0)) {
            continue;
        }
        rc = dialect->state_get(doc, space ? space : "s3", name, &entry, err);
        if (rc == 0) {
            rc = show_entry(&entry, name);
        }
        hr_stream_state_release(&entry);
    }
    json_decref(json);
    return rc;
}

static int reset(const struct hr_dialect *dialect, struct hr_state *state, struct hr_state_doc *doc,
                 const char *name, struct hr_error *err) {
    struct hr_buf text;
    const struct hr_stream_state none = {0};
    hr_buf_init(&text, (size_t)256 << 20);
    int rc = dialect->state_set(doc, "s3", name, &none, err);
    if (rc == 0) {
        rc = dialect->state_write(doc, &text, err);
    }
    if (rc == 0) {
        rc = hr_state_save(state, hr_buf_slice(&text), err);
    }
    hr_buf_release(&text);
    return rc;
}

int hr_verb_state(struct hr_cli *cli) {
    struct hr_error err;
    struct hr_state *state = NULL;
    struct hr_state_doc *doc = NULL;
    const struct hr_dialect *dialect = hr_dialect_by_name(cli->dialect ? cli->dialect : "olake");
    const char *what = cli->args[0];
    const char *name = cli->n_args > 1 ? cli->args[1] : NULL;
    const bool show = strcmp(what, "show") == 0;
    hr_error_clear(&err);
    int rc = 0;
    if (dialect == NULL || dialect->missing != NULL) {
        rc = hr_fail(&err, HR_E_USAGE, "could not find a usable dialect '%s'", cli->dialect);
    } else if (!show && (strcmp(what, "reset") != 0 || name == NULL)) {
        rc = hr_fail(&err, HR_E_USAGE, "could not do 'state %s'", what);
        hr_error_hint(&err, "write: headrace state show|reset [STREAM] --state state.json (reset "
                            "needs a stream)");
    } else if (cli->state == NULL) {
        rc = hr_fail(&err, HR_E_USAGE, "could not start: --state is missing");
    }
    const struct hr_state_conf conf = {.path = cli->state, .destination = "", .read_only = show};
    if (rc == 0) {
        rc = hr_state_open(&conf, &state, &err);
    }
    if (rc == 0) {
        rc = dialect->state_read(hr_state_text(state), hr_state_name(state), &doc, &err);
    }
    if (rc == 0) {
        rc = show ? each_stream(dialect, state, doc, name, &err)
                  : reset(dialect, state, doc, name, &err);
    }
    if (doc != NULL) {
        dialect->state_free(doc);
    }
    hr_state_close(state);
    return rc == 0 ? 0 : hr_cli_fail(cli, &err);
}
