/* cli/verb_help.c - help and version, from the tables. */
#include <curl/curl.h>
#include <string.h>

#include "cli/cli.h"
#include "config/render.h"

#define HR_VERSION "0.1.0"

static void print_flags(const struct hr_flag *flags, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (flags[i].hidden) {
            continue;
        }
        char left[64];
        snprintf(left, sizeof(left), "%s--%s%s%s", flags[i].letter ? "" : "    ", flags[i].name,
                 flags[i].value ? " " : "", flags[i].value ? flags[i].value : "");
        if (flags[i].letter) {
            printf("  -%c, %-26s %s\n", flags[i].letter, left, flags[i].text);
        } else {
            printf("  %-30s %s\n", left, flags[i].text);
        }
    }
}

static int help_verb(const char *name) {
    for (size_t i = 0; i < hr_verbs_count; i++) {
        const struct hr_verb *verb = &hr_verbs[i];
        if (strcmp(verb->name, name) != 0) {
            continue;
        }
        printf("headrace %s %s\n\n%s\n", verb->name, verb->usage, verb->text);
        if (verb->n_flags > 0) {
            printf("\nOptions:\n");
            print_flags(verb->flags, verb->n_flags);
        }
        printf("\nCommon options:\n");
        print_flags(hr_common_flags, hr_common_flags_count);
        return 0;
    }
    fprintf(stderr, "headrace: unknown verb '%s'\n", name);
    return 2;
}

/* Every option of a config and of --set, from its row: as text, or (for tools/gen-docs) as Markdown
 * or man macros. */
static int help_options(struct hr_cli *cli, const char *form) {
    struct hr_option_group groups[HR_SETTINGS_GROUPS_MAX];
    const size_t count = hr_settings_groups(groups);
    struct hr_error err;
    struct hr_buf text;
    hr_buf_init(&text, 0);
    hr_error_clear(&err);
    const int rc = strcmp(form, "md") == 0    ? hr_render_markdown(groups, count, &text, &err)
                   : strcmp(form, "man") == 0 ? hr_render_man(groups, count, &text, &err)
                                              : hr_render_help(groups, count, 0, &text, &err);
    if (rc == 0) {
        fputs(hr_buf_cstr(&text), stdout);
    }
    hr_buf_release(&text);
    return rc == 0 ? 0 : hr_cli_fail(cli, &err);
}

int hr_verb_help(struct hr_cli *cli) {
    if (cli->n_args > 0 && strncmp(cli->args[0], "options", 7) == 0) {
        return help_options(cli, cli->args[0][7] == '.' ? cli->args[0] + 8 : "");
    }
    if (cli->n_args > 0 && strcmp(cli->args[0], "man") == 0) {
        return hr_cli_man(cli, cli->n_args > 1 ? cli->args[1] : NULL);
    }
    if (cli->n_args > 0) {
        return help_verb(cli->args[0]);
    }
    printf("headrace moves records between S3-compatible object storage and everything else.\n\n"
           "usage: headrace VERB [options]\n\n");
    for (size_t i = 0; i < hr_verbs_count; i++) {
        printf("  %-18s %s\n", hr_verbs[i].name, hr_verbs[i].text);
    }
    printf("\n`headrace help VERB` shows a verb's options, `headrace help options` every "
           "setting of configs and --set, `headrace help man [VERB]` a "
           "manual page.\n");
    return 0;
}

static void print_table(const char *title, const char *name, const char *missing, bool json,
                        bool first) {
    if (json) {
        printf("%s{\"kind\":\"%s\",\"name\":\"%s\",\"usable\":%s}", first ? "" : ",", title, name,
               missing ? "false" : "true");
    } else if (missing != NULL) {
        printf("  %-8s %-14s not built in: %s\n", title, name, missing);
    } else {
        printf("  %-8s %s\n", title, name);
    }
}

int hr_verb_version(struct hr_cli *cli) {
    size_t n;
    bool first = true;
    if (cli->json) {
        printf("{\"version\":\"%s\",\"compiler\":\"%s\",\"libcurl\":\"%s\",\"parts\":[", HR_VERSION,
               __VERSION__, curl_version_info(CURLVERSION_NOW)->version);
    } else {
        printf("headrace %s\n  compiler %s\n  %s\n", HR_VERSION, __VERSION__, curl_version());
    }
    const struct hr_format *const *formats = hr_format_all(&n);
    for (size_t i = 0; i < n; i++) {
        print_table("format", formats[i]->name, formats[i]->missing, cli->json, first);
        first = false;
    }
    const struct hr_codec *const *codecs = hr_codec_all(&n);
    for (size_t i = 0; i < n; i++) {
        print_table("codec", codecs[i]->name, codecs[i]->missing, cli->json, first);
    }
    if (cli->json) {
        printf("]}\n");
    }
    return 0;
}
