/* cli/verb_gc.c - `headrace gc`: what dead runs left, removed and named. */
#include <string.h>

#include "api/upkeep.h"
#include "cli/job.h"

static void print_key(void *user, const char *key) {
    const struct hr_cli *cli = user;
    if (!cli->json) {
        printf("%s %s\n", cli->dry_run ? "would remove" : "removed", key);
    }
}

static void print_report(const struct hr_cli *cli, const struct hr_gc_report *r) {
    if (cli->json) {
        printf("{\"dry_run\":%s,\"removed\":%zu,\"rolled_forward\":%s,\"taken_back\":%s}\n",
               cli->dry_run ? "true" : "false", r->removed, r->rolled_forward ? "true" : "false",
               r->taken_back ? "true" : "false");
        return;
    }
    if (r->rolled_forward) {
        fprintf(stderr, "gc: %s\n",
                cli->dry_run ? "an unfinished commit would be finished first"
                             : "finished an unfinished commit");
    } else if (r->taken_back) {
        fprintf(stderr, "gc: forgot an unfinished commit that could not be finished\n");
    }
    if (!hr_cli_quiet(cli)) {
        fprintf(stderr, "gc: %zu staged files and unfinished uploads %s\n", r->removed,
                cli->dry_run ? "would be removed" : "removed");
    }
}

int hr_verb_gc(struct hr_cli *cli) {
    struct hr_error err;
    struct hr_job job;
    struct hr_gc_report report;
    hr_error_clear(&err);
    int rc = hr_job_open_state(cli, true, &job, &err);
    if (rc == 0) {
        const struct hr_upkeep_conf conf = {.state_path = job.state_path,
                                            .dialect = job.dialect,
                                            .settings = &job.settings,
                                            .destination = true};
        rc = hr_gc(&conf, cli->dry_run, print_key, cli, &report, &err);
    }
    if (rc == 0) {
        print_report(cli, &report);
    }
    hr_job_close(&job);
    return rc == 0 ? 0 : hr_cli_fail(cli, &err);
}
