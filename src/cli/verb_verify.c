/* cli/verb_verify.c - `headrace verify`: is the destination what the runs wrote? */
#include <string.h>

#include "api/upkeep.h"
#include "cli/job.h"

#define EXIT_NOT_WHOLE 5

struct listener {
    const struct hr_cli *cli;
    json_t *problems; /* with --json */
};

static void print_problem(void *user, const char *text) {
    struct listener *l = user;
    if (l->cli->json) {
        json_array_append_new(l->problems, json_string(text));
    } else {
        printf("%s\n", text);
    }
}

static void print_report(const struct hr_cli *cli, const struct hr_verify_report *r,
                         json_t *problems) {
    if (cli->json) {
        json_t *doc =
            json_pack("{s:b,s:I,s:I,s:I,s:I,s:I,s:O}", "whole", (int)(r->problems == 0), "streams",
                      (json_int_t)r->streams, "commits", (json_int_t)r->commits, "objects",
                      (json_int_t)r->objects, "bytes", (json_int_t)r->bytes, "rows",
                      (json_int_t)r->rows, "problems", problems);
        json_dumpf(doc, stdout, JSON_COMPACT);
        printf("\n");
        json_decref(doc);
        return;
    }
    char size[32];
    hr_cli_size((double)r->bytes, size, sizeof(size));
    fprintf(stderr, "verify: %zu streams, %zu commits, %zu objects (%s), %lld rows: %s\n",
            r->streams, r->commits, r->objects, size, (long long)r->rows,
            r->problems ? "not whole" : "whole");
}

int hr_verb_verify(struct hr_cli *cli) {
    struct hr_error err;
    struct hr_job job;
    struct hr_verify_report report = {0};
    struct listener listener = {cli, json_array()};
    hr_error_clear(&err);
    int rc = hr_job_open_state(cli, true, &job, &err);
    if (rc == 0) {
        const struct hr_upkeep_conf conf = {.state_path = job.state_path,
                                            .dialect = job.dialect,
                                            .settings = &job.settings,
                                            .destination = true,
                                            .stream = cli->stream};
        rc = hr_verify(&conf, print_problem, &listener, &report, &err);
    }
    if (rc == 0) {
        print_report(cli, &report, listener.problems);
    }
    json_decref(listener.problems);
    hr_job_close(&job);
    return rc != 0 ? hr_cli_fail(cli, &err) : report.problems > 0 ? EXIT_NOT_WHOLE : 0;
}
