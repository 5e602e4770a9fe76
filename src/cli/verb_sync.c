/* cli/verb_sync.c - `headrace sync`. */
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
    if (rc == 0) {
        rc = hr_cli_summary(cli, &summary, "sync", &err);
    }
    const int status = rc == 0 ? 0 : hr_cli_fail(cli, &err);
    hr_job_close(&job);
    return status;
}
