/* cli/job.h - what the dialect verbs share: config, destination, catalog and state files loaded and
 * turned into settings. */
#ifndef HR_CLI_JOB_H
#define HR_CLI_JOB_H

#include "api/sync.h"
#include "cli/cli.h"

struct hr_job {
    struct hr_settings settings;
    bool have_settings;
    const struct hr_dialect *dialect;
    struct hr_catalog catalog;
    char *folder; /* of the config file: where streams.json, state.json and stats.json go */
    char *state_path;
    char *catalog_path; /* where discover writes */
};

/* Load --config (required) and, when given, --destination; apply --set and friends; finish. */
int hr_job_open(const struct hr_cli *cli, struct hr_job *job, struct hr_error *err);
/* Load --catalog / --streams. */
int hr_job_catalog(const struct hr_cli *cli, struct hr_job *job, struct hr_error *err);
void hr_job_close(struct hr_job *job);

/* Write text to a file whole or not at all. */
int hr_job_write(const char *path, struct hr_slice text, struct hr_error *err);

/* How Olake's platform wants lines: colour on a console. */
enum hr_log_shape hr_job_shape(const struct hr_cli *cli);

int hr_verb_spec(struct hr_cli *cli);
int hr_verb_check(struct hr_cli *cli);
int hr_verb_discover(struct hr_cli *cli);
int hr_verb_sync(struct hr_cli *cli);
int hr_verb_clear(struct hr_cli *cli);
int hr_verb_state(struct hr_cli *cli);
int hr_verb_docs(struct hr_cli *cli);

#endif
