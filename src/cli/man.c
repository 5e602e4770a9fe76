/* cli/man.c - manual pages from the tables that also parse the command line: `headrace help man` is
 * headrace(1), `headrace help man VERB` headrace-VERB(1). man(7) macros on standard output; `make
 * install` writes them to files. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "config/render.h"

struct page {
    struct hr_buf text;
    struct hr_error *err;
    int rc; /* the first failure; nothing is written after it */
};

static void put(struct page *p, const char *text) {
    p->rc = p->rc ? p->rc : hr_buf_append_str(&p->text, text, p->err);
}

/* Text that is no macro. */
static void put_text(struct page *p, const char *text) {
    p->rc = p->rc ? p->rc : hr_render_roff(text, &p->text, p->err);
}

/* Text between two pieces of roff. */
static void put_between(struct page *p, const char *before, const char *text, const char *after) {
    put(p, before);
    put_text(p, text);
    put(p, after);
}

static void heading(struct page *p, const char *name, const char *text) {
    const char *dash = name[0] ? "\\-" : "";
    p->rc = p->rc
                ? p->rc
                : hr_buf_printf(&p->text, p->err, ".TH HEADRACE%s%s 1\n.SH NAME\nheadrace%s%s \\- ",
                                dash, name, dash, name);
    put_between(p, "", text, "\n");
}

static void flags(struct page *p, const struct hr_flag *rows, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (rows[i].hidden) {
            continue;
        }
        put(p, ".TP\n");
        if (rows[i].letter) {
            const char letter[2] = {rows[i].letter, '\0'};
            put_between(p, "\\fB\\-", letter, "\\fR, ");
        }
        put_between(p, "\\fB\\-\\-", rows[i].name, "\\fR");
        if (rows[i].value != NULL) {
            put_between(p, " \\fI", rows[i].value, "\\fR");
        }
        put_between(p, "\n", rows[i].text, "\n");
    }
}

static void verb_page(struct page *p, const struct hr_verb *verb) {
    heading(p, verb->name, verb->text);
    put(p, ".SH SYNOPSIS\n.B headrace ");
    put(p, verb->name);
    put_between(p, "\n", verb->usage, "\n");
    put_between(p, ".SH DESCRIPTION\n", verb->text, "\n");
    if (verb->n_flags > 0) {
        put(p, ".SH OPTIONS\n");
        flags(p, verb->flags, verb->n_flags);
    }
    put(p, ".SH COMMON OPTIONS\n");
    flags(p, hr_common_flags, hr_common_flags_count);
    put(p, ".SH SEE ALSO\n.BR headrace (1)\n");
}

/* What a script goes by; the codes behind them are in headrace/error.h. */
static void exit_statuses(struct page *p) {
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
        {"141", "the reader of standard output left, like head(1)"},
    };
    put(p, ".SH EXIT STATUS\n");
    for (size_t i = 0; i < HR_COUNTOF(rows); i++) {
        put_between(p, ".TP\n.B ", rows[i].status, "\n");
        put_between(p, "", rows[i].text, "\n");
    }
}

static void whole_page(struct page *p) {
    struct hr_option_group groups[HR_SETTINGS_GROUPS_MAX];
    const size_t count = hr_settings_groups(groups);
    heading(p, "", "move records between S3-compatible object storage and everything else");
    put(p, ".SH SYNOPSIS\n.B headrace\n.I VERB\n[options]\n.SH VERBS\n");
    for (size_t i = 0; i < hr_verbs_count; i++) {
        put(p, ".TP\n.B ");
        put(p, hr_verbs[i].name);
        put_between(p, "\n", hr_verbs[i].text, "\n");
    }
    put(p, ".SH COMMON OPTIONS\n");
    flags(p, hr_common_flags, hr_common_flags_count);
    exit_statuses(p);
    put(p, ".SH SETTINGS\nOf configs and of\n.BR \\-\\-set .\n");
    p->rc = p->rc ? p->rc : hr_render_man(groups, count, &p->text, p->err);
}

static const struct hr_verb *find_verb(const char *name) {
    for (size_t i = 0; i < hr_verbs_count; i++) {
        if (strcmp(hr_verbs[i].name, name) == 0) {
            return &hr_verbs[i];
        }
    }
    return NULL;
}

int hr_cli_man(struct hr_cli *cli, const char *name) {
    const struct hr_verb *verb = name != NULL ? find_verb(name) : NULL;
    struct hr_error err;
    struct page p = {.err = &err};
    if (name != NULL && verb == NULL) {
        fprintf(stderr, "headrace: unknown verb '%s'\n", name);
        return 2;
    }
    hr_error_clear(&err);
    hr_buf_init(&p.text, 0);
    if (verb != NULL) {
        verb_page(&p, verb);
    } else {
        whole_page(&p);
    }
    if (p.rc == 0) {
        fputs(hr_buf_cstr(&p.text), stdout);
    }
    hr_buf_release(&p.text);
    return p.rc == 0 ? 0 : hr_cli_fail(cli, &err);
}
