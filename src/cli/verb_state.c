/* cli/verb_state.c - `headrace state show|reset|replay|resolve`: a pipeline's state, for people. */
#include <string.h>

#include "api/upkeep.h"
#include "base/time.h"
#include "cli/job.h"

static struct hr_upkeep_conf upkeep_of(const struct hr_cli *cli, const struct hr_job *job) {
    return (struct hr_upkeep_conf){.state_path = job->state_path,
                                   .dialect = job->dialect,
                                   .settings = &job->settings,
                                   .destination = cli->destination != NULL,
                                   .stream = cli->stream};
}

/* ---- show ---- */

static void print_time(const char *name, const json_t *us) {
    char text[48];
    if (!json_is_integer(us)) {
        return;
    }
    const size_t n = hr_format_timestamp(json_integer_value(us) / 1000000, 0, 0, 'T', "Z", text);
    text[n] = '\0';
    printf("  %-10s %s\n", name, text);
}

static void print_stream(const json_t *s) {
    const char *cursor = json_string_value(json_object_get(s, "cursor"));
    const json_int_t chunks = json_integer_value(json_object_get(s, "chunks"));
    const json_int_t replay = json_integer_value(json_object_get(s, "replay"));
    printf("%s\n  %-10s %s\n", json_string_value(json_object_get(s, "stream")), "cursor",
           cursor ? cursor : "none");
    if (json_object_get(s, "lineage") == NULL) {
        printf("  %-10s by another program; headrace was not here yet\n", "written");
    } else {
        print_time("watermark", json_object_get(s, "watermark_us"));
        printf("  %-10s %lld keys\n", "band",
               (long long)json_integer_value(json_object_get(s, "band")));
        printf("  %-10s %s, commit %lld\n", "lineage",
               json_string_value(json_object_get(s, "lineage")),
               (long long)json_integer_value(json_object_get(s, "seq")));
    }
    if (json_is_true(json_object_get(s, "unfinished"))) {
        printf("  %-10s a load is unfinished: the next sync goes on with it\n", "note");
    }
    if (json_is_true(json_object_get(s, "other_program_ran"))) {
        printf("  %-10s another program wrote the entry last: its cursor wins\n", "note");
    }
    if (chunks > 0) {
        printf("  %-10s %lld pending\n", "chunks", (long long)chunks);
    }
    if (replay > 0) {
        printf("  %-10s %lld keys are marked to be read again\n", "replay", (long long)replay);
    }
}

static void print_open(const json_t *open) {
    static const char *const texts[][2] = {
        {"next", "the next sync finishes it"},
        {"done", "the state holds it already; the next sync tidies up"},
        {"stale", "the state was replaced since: see `headrace state resolve`"}};
    const char *fit = json_string_value(json_object_get(open, "fit"));
    for (size_t i = 0; i < HR_COUNTOF(texts); i++) {
        if (strcmp(texts[i][0], fit) == 0) {
            printf("open commit %s-%06lld of %lld objects for %s: %s\n",
                   json_string_value(json_object_get(open, "lineage")),
                   (long long)json_integer_value(json_object_get(open, "seq")),
                   (long long)json_integer_value(json_object_get(open, "objects")),
                   json_string_value(json_object_get(open, "destination")), texts[i][1]);
        }
    }
}

static int show(const struct hr_cli *cli, struct hr_upkeep_conf *conf, struct hr_error *err) {
    json_t *doc;
    conf->destination = false; /* nothing is asked of the destination */
    conf->stream = cli->n_args > 1 ? cli->args[1] : cli->stream;
    const int rc = hr_state_show(conf, &doc, err);
    if (rc != 0) {
        return rc;
    }
    if (cli->json) {
        json_dumpf(doc, stdout, JSON_INDENT(2));
        printf("\n");
    } else {
        size_t i;
        json_t *s;
        json_array_foreach(json_object_get(doc, "streams"), i, s) {
            print_stream(s);
        }
        if (i == 0) {
            printf("nothing was read yet\n");
        }
        if (json_object_get(doc, "open_commit") != NULL) {
            print_open(json_object_get(doc, "open_commit"));
        }
    }
    json_decref(doc);
    return 0;
}

/* ---- reset, replay ---- */

static int reset(const struct hr_cli *cli, struct hr_upkeep_conf *conf, struct hr_error *err) {
    size_t streams;
    conf->stream = cli->n_args > 1 ? cli->args[1] : cli->stream;
    if (!cli->yes) {
        hr_fail(err, HR_E_USAGE, "could not forget %s%s: it was not confirmed",
                conf->stream ? "stream " : "every stream", conf->stream ? conf->stream : "");
        hr_error_hint(err, "add --yes; the next sync reads every object again, and in append mode "
                           "writes rows a second time that are at the destination already");
        return HR_E_USAGE;
    }
    const int rc = hr_state_reset(conf, &streams, err);
    if (rc == 0 && !hr_cli_quiet(cli)) {
        fprintf(stderr, "state: %zu stream%s forgotten\n", streams, streams == 1 ? "" : "s");
    }
    return rc;
}

static int replay(const struct hr_cli *cli, struct hr_upkeep_conf *conf, struct hr_error *err) {
    struct hr_replay_report report;
    char shown[300];
    if (cli->n_args < 2) {
        hr_fail(err, HR_E_USAGE, "could not mark an object: its key is missing");
        hr_error_hint(err, "write: headrace state replay KEY --state state.json");
        return HR_E_USAGE;
    }
    const int rc = hr_state_replay(conf, cli->args[1], &report, err);
    if (rc == 0 && !hr_cli_quiet(cli)) {
        fprintf(stderr,
                "state: the next sync reads '%s' again%s; in append mode its rows are written a "
                "second time\n",
                hr_printable(hr_slice_str(cli->args[1]), 240, shown, sizeof(shown)),
                report.known ? ""
                             : " if it is there (its version is not kept: it is older than the "
                               "lookback, or was never read)");
    }
    return rc;
}

/* ---- resolve ---- */

static void print_output(void *user, const struct hr_journal_output *output, enum hr_seen seen) {
    static const char *const texts[] = {[HR_SEEN_OURS] = "visible",
                                        [HR_SEEN_OTHER] = "another object stands there",
                                        [HR_SEEN_NOTHING] = "not visible",
                                        [HR_SEEN_UNKNOWN] = "no clear answer"};
    (void)user;
    printf("  %-14s %s (%lld rows, %lld bytes)\n", texts[seen], output->key,
           (long long)output->rows, (long long)output->bytes);
}

static void print_resolved(const struct hr_resolve_report *r, enum hr_resolve what) {
    const struct hr_settlement *d = &r->done;
    if (r->fit == HR_FIT_NONE) {
        printf("no commit is open\n");
    } else if (what == HR_RESOLVE_LOOK) {
        printf("%zu of %zu objects of commit %s-%06llu are visible%s\n"
               "--keep treats it as published, --take-back removes what is visible\n",
               r->visible, r->outputs, r->lineage, (unsigned long long)r->seq,
               r->fit == HR_FIT_STALE
                   ? "; the state was replaced since and may or may not count them"
               : r->fit == HR_FIT_DONE ? "; the state holds it already"
                                       : "");
    } else if (what == HR_RESOLVE_TAKE_BACK) {
        printf("taken back: %zu objects removed; what the state does not hold is read again\n",
               d->removed);
    } else {
        printf("kept: %zu objects%s\n", d->visible,
               d->state_saved || r->fit == HR_FIT_DONE
                   ? ", and the state holds them"
                   : "; the state stays as it is, rows it does not hold are written again");
        if (d->missing > 0) {
            printf(
                "%zu objects could not be published and their rows are not there: the archive of "
                "the commit names its inputs, mark those with `headrace state replay`\n",
                d->missing);
        }
    }
}

static int resolve(const struct hr_cli *cli, const struct hr_upkeep_conf *conf,
                   struct hr_error *err) {
    struct hr_resolve_report report;
    const enum hr_resolve what = cli->keep        ? HR_RESOLVE_KEEP
                                 : cli->take_back ? HR_RESOLVE_TAKE_BACK
                                                  : HR_RESOLVE_LOOK;
    if (cli->keep && cli->take_back) {
        return hr_fail(err, HR_E_USAGE, "could not do both --keep and --take-back");
    }
    const int rc = hr_state_resolve(conf, what, print_output, NULL, &report, err);
    if (rc == 0) {
        print_resolved(&report, what);
    }
    return rc;
}

int hr_verb_state(struct hr_cli *cli) {
    struct hr_error err;
    struct hr_job job;
    const char *what = cli->args[0];
    hr_error_clear(&err);
    int rc = hr_job_open_state(cli, strcmp(what, "resolve") == 0, &job, &err);
    struct hr_upkeep_conf conf = upkeep_of(cli, &job);
    if (rc == 0 && strcmp(what, "show") == 0) {
        rc = show(cli, &conf, &err);
    } else if (rc == 0 && strcmp(what, "reset") == 0) {
        rc = reset(cli, &conf, &err);
    } else if (rc == 0 && strcmp(what, "replay") == 0) {
        rc = replay(cli, &conf, &err);
    } else if (rc == 0 && strcmp(what, "resolve") == 0) {
        rc = resolve(cli, &conf, &err);
    } else if (rc == 0) {
        rc = hr_fail(&err, HR_E_USAGE, "could not do 'state %s'", what);
        hr_error_hint(&err, "show, reset, replay or resolve; see `headrace help state`");
    }
    hr_job_close(&job);
    return rc == 0 ? 0 : hr_cli_fail(cli, &err);
}
