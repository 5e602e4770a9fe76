/* cli/man.c - manual pages from the tables that also parse the command line: `headrace help man` is
 * headrace(1), `headrace help man VERB` headrace-VERB(1). man(7) macros on standard output; `make
 * install` writes them to files. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "config/render.h"

/* A leading dot or quote and every backslash would be commands. */
static void roff(const char *text) {
    if (*text == '.' || *text == '\'') {
        fputs("\\&", stdout);
    }
    for (; *text != '\0'; text++) {
        if (*text == '\\') {
            fputs("\\e", stdout);
        } else if (*text == '-') {
            fputs("\\-", stdout);
        } else {
            putchar(*text);
        }
    }
}

static void heading(const char *name, const char *text) {
    printf(".TH HEADRACE%s%s 1\n.SH NAME\nheadrace%s%s \\- ", name[0] ? "\\-" : "", name,
           name[0] ? "\\-" : "", name);
    roff(text);
    putchar('\n');
}

static void flags(const struct hr_flag *rows, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (rows[i].hidden) {
            continue;
        }
        printf(".TP\n");
        if (rows[i].letter) {
            printf("\\fB\\-%c\\fR, ", rows[i].letter);
        }
        printf("\\fB\\-\\-");
        roff(rows[i].name);
        printf("\\fR");
        if (rows[i].value != NULL) {
            printf(" \\fI");
            roff(rows[i].value);
            printf("\\fR");
        }
        putchar('\n');
        roff(rows[i].text);
        putchar('\n');
    }
}

static void verb_page(const struct hr_verb *verb) {
    heading(verb->name, verb->text);
    printf(".SH SYNOPSIS\n.B headrace %s\n", verb->name);
    roff(verb->usage);
    printf("\n.SH DESCRIPTION\n");
    roff(verb->text);
    putchar('\n');
    if (verb->n_flags > 0) {
        printf(".SH OPTIONS\n");
        flags(verb->flags, verb->n_flags);
    }
    printf(".SH COMMON OPTIONS\n");
    flags(hr_common_flags, hr_common_flags_count);
    printf(".SH SEE ALSO\n.BR headrace (1)\n");
}

/* What a script goes by; the codes behind them are in headrace/error.h. */
static void exit_statuses(void) {
    static const struct {
        const char *status, *text;
    } rows[] = {
        {"0", "done"},
        {"1", "failed while running (network, store, disk)"},
        {"2", "the command line, a config or a state is wrong"},
        {"3", "not authenticated or not allowed"},
        {"4", "bucket, object or stream not found"},
        {"5", "data could not be read as its format, or breaks the contract"},
        {"6", "a cost, size or file limit stopped it; the state is resumable"},
        {"7", "another run holds the state"},
        {"130, 143", "interrupted; the state is resumable"},
    };
    printf(".SH EXIT STATUS\n");
    for (size_t i = 0; i < HR_COUNTOF(rows); i++) {
        printf(".TP\n.B %s\n", rows[i].status);
        roff(rows[i].text);
        putchar('\n');
    }
}

static int whole_page(struct hr_cli *cli) {
    struct hr_option_group groups[HR_SETTINGS_GROUPS_MAX];
    const size_t count = hr_settings_groups(groups);
    struct hr_error err;
    struct hr_buf text;
    hr_buf_init(&text, 0);
    hr_error_clear(&err);
    const int rc = hr_render_man(groups, count, &text, &err);
    if (rc != 0) {
        hr_buf_release(&text);
        return hr_cli_fail(cli, &err);
    }
    heading("", "move records between S3-compatible object storage and everything else");
    printf(".SH SYNOPSIS\n.B headrace\n.I VERB\n[options]\n.SH VERBS\n");
    for (size_t i = 0; i < hr_verbs_count; i++) {
        printf(".TP\n.B %s\n", hr_verbs[i].name);
        roff(hr_verbs[i].text);
        putchar('\n');
    }
    printf(".SH COMMON OPTIONS\n");
    flags(hr_common_flags, hr_common_flags_count);
    exit_statuses();
    printf(".SH SETTINGS\nOf configs and of\n.BR \\-\\-set .\n%s", hr_buf_cstr(&text));
    hr_buf_release(&text);
    return 0;
}

int hr_cli_man(struct hr_cli *cli, const char *name) {
    if (name == NULL) {
        return whole_page(cli);
    }
    for (size_t i = 0; i < hr_verbs_count; i++) {
        if (strcmp(hr_verbs[i].name, name) == 0) {
            verb_page(&hr_verbs[i]);
            return 0;
        }
    }
    fprintf(stderr, "headrace: unknown verb '%s'\n", name);
    return 2;
}
