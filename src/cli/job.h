/* cli/job.h - what the dialect verbs share: config, destination, catalog and state files loaded and
 * turned into settings. */
#ifndef HR_CLI_JOB_H
#define HR_CLI_JOB_H

#include "api/sync.h"
#include "cli/cli.h"

struct hr_job {
    struct hr_settings settings;
    bool have_settings;
    bool without_config; /* set before hr_job_open by verbs that can do without --config */
    const struct hr_dialect *dialect;
    struct hr_catalog catalog;
    char *folder; /* of the config file: where streams.json, state.json and stats.json go */
    char *state_path;
    char *catalog_path; /* where discover writes */
};

/* Load --config (required unless `without_config`: then the dialect is the one named, or Olake's,
 * and there is no source) and, when given, --destination; apply --set and friends; finish. */
int hr_job_open(const struct hr_cli *cli, struct hr_job *job, struct hr_error *err);
/* The same for verbs that need no source: --state (required), and --destination when given
 * (`destination`: required); --config is read too when given. */
int hr_job_open_state(const struct hr_cli *cli, bool destination, struct hr_job *job,
                      struct hr_error *err);
/* Load --catalog / --streams. */
int hr_job_catalog(const struct hr_cli *cli, struct hr_job *job, struct hr_error *err);
void hr_job_close(struct hr_job *job);

/* Write text to a file whole or not at all. */
int hr_job_write(const char *path, struct hr_slice text, struct hr_error *err);

/* Olake's stats.json in `folder`: written every two seconds from the figures while it lives, and
 * once more by the stop. NULL: no memory or no thread. */
struct hr_cli_stats;
struct hr_cli_stats *hr_cli_stats_start(const char *folder, struct hr_progress *figures,
                                        int writers);
void hr_cli_stats_stop(struct hr_cli_stats *stats, bool finished); /* NULL allowed */

/* How Olake's platform wants lines: colour on a console. */
enum hr_log_shape hr_job_shape(const struct hr_cli *cli);

int hr_verb_spec(struct hr_cli *cli);
int hr_verb_check(struct hr_cli *cli);
int hr_verb_discover(struct hr_cli *cli);
int hr_verb_sync(struct hr_cli *cli);
int hr_verb_clear(struct hr_cli *cli);
int hr_verb_state(struct hr_cli *cli);
int hr_verb_gc(struct hr_cli *cli);
int hr_verb_verify(struct hr_cli *cli);

#endif
