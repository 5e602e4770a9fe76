/* cli/main.c - the program's entry: parse, signals, log, run the verb. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "config/option.h"

static int last_signal;

/* First: stop at the next safe point. Second: now; what is staged is swept by the next run. */
static void on_signal(int number) {
    if (hr_cancelled) {
        _exit(number == SIGTERM ? 143 : 130);
    }
    hr_cancelled = 1;
    last_signal = number;
}

static void log_text(void *user, enum hr_log_level level, const char *text) {
    static const char *const names[] = {"error", "warn", "info", "debug"};
    (void)user;
    fprintf(stderr, "headrace: %s: %s\n", names[level], text);
}

static void log_json(void *user, enum hr_log_level level, const char *text) {
    static const char *const names[] = {"error", "warn", "info", "debug"};
    struct hr_buf line;
    (void)user;
    hr_buf_init(&line, 1 << 16);
    if (hr_buf_append_json(&line, hr_slice_str(text), NULL) == 0) {
        fprintf(stderr, "{\"level\":\"%s\",\"message\":%s}\n", names[level], hr_buf_cstr(&line));
    }
    hr_buf_release(&line);
}

static int usage_error(const char *before, const char *what, const char *after) {
    fprintf(stderr,
            "headrace: %s'%s'%s\n  hint: `headrace help` lists the verbs, `headrace help VERB` its "
            "options\n",
            before, what, after);
    return 2;
}

static const struct hr_flag *find_flag(const struct hr_verb *verb, const char *name, size_t len,
                                       char letter) {
    const struct hr_flag *tables[2] = {verb ? verb->flags : NULL, hr_common_flags};
    const size_t counts[2] = {verb ? verb->n_flags : 0, hr_common_flags_count};
    for (int t = 0; t < 2; t++) {
        for (size_t i = 0; i < counts[t]; i++) {
            const struct hr_flag *flag = &tables[t][i];
            if (letter ? flag->letter == letter
                       : strlen(flag->name) == len && memcmp(flag->name, name, len) == 0) {
                return flag;
            }
        }
    }
    return NULL;
}

static const struct hr_verb *find_verb(const char *name) {
    for (size_t i = 0; i < hr_verbs_count; i++) {
        if (strcmp(hr_verbs[i].name, name) == 0) {
            return &hr_verbs[i];
        }
    }
    return NULL;
}

static void store_flag(struct hr_cli *cli, const struct hr_flag *flag, const char *value) {
    char *place = (char *)cli + flag->offset;
    if (flag->is_set) {
        cli->sets[cli->n_sets++] = value;
    } else if (flag->value == NULL) {
        const bool on = true;
        memcpy(place, &on, sizeof(on));
    } else {
        memcpy(place, &value, sizeof(value));
    }
}

/* A verb or flag nobody knows; the nearest known one is named. */
static int unknown(const char *what, const char *arg, const char *dashes, const char *nearest) {
    fprintf(stderr, "headrace: unknown %s '%s'\n", what, arg);
    if (nearest != NULL) {
        fprintf(stderr, "  hint: did you mean '%s%s'?\n", dashes, nearest);
    } else {
        fputs("  hint: `headrace help` lists the verbs, `headrace help VERB` its options\n",
              stderr);
    }
    return 2;
}

static int unknown_verb(const char *arg) {
    const char *names[32];
    const size_t n = hr_verbs_count < HR_COUNTOF(names) ? hr_verbs_count : HR_COUNTOF(names);
    for (size_t i = 0; i < n; i++) {
        names[i] = hr_verbs[i].name;
    }
    return unknown("verb", arg, "", hr_nearest_name(arg, names, n));
}

static int unknown_flag(const struct hr_verb *verb, const char *arg) {
    const char *names[64];
    char typed[64];
    size_t n = 0;
    for (size_t i = 0; i < hr_common_flags_count && n < HR_COUNTOF(names); i++) {
        names[n++] = hr_common_flags[i].name;
    }
    for (size_t i = 0; verb != NULL && i < verb->n_flags && n < HR_COUNTOF(names); i++) {
        names[n++] = verb->flags[i].name;
    }
    if (arg[1] != '-') {
        return unknown("option", arg, "--", NULL);
    }
    snprintf(typed, sizeof(typed), "%.*s", (int)strcspn(arg + 2, "="), arg + 2);
    return unknown("option", arg, "--", hr_nearest_name(typed, names, n));
}

/* One argument that begins with '-'. *i moves over a separate value. */
static int parse_flag(struct hr_cli *cli, int argc, char **argv, int *i) {
    const char *arg = argv[*i];
    const bool is_long = arg[1] == '-';
    const char *name = arg + (is_long ? 2 : 1);
    const char *equals = is_long ? strchr(name, '=') : NULL;
    const size_t len = equals ? (size_t)(equals - name) : strlen(name);
    const struct hr_flag *flag = is_long
                                     ? find_flag(cli->verb, name, len, 0)
                                     : (len == 1 ? find_flag(cli->verb, NULL, 0, name[0]) : NULL);
    if (flag == NULL) {
        return unknown_flag(cli->verb, arg);
    }
    const char *value = equals ? equals + 1 : NULL;
    if (flag->value != NULL && value == NULL) {
        if (*i + 1 >= argc) {
            return usage_error("option ", arg, " needs a value");
        }
        value = argv[++*i];
    } else if (flag->value == NULL && value != NULL) {
        return usage_error("option ", arg, " takes no value");
    }
    store_flag(cli, flag, value);
    return 0;
}

static int parse_args(struct hr_cli *cli, int argc, char **argv) {
    bool only_args = false;
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i];
        if (!only_args && strcmp(arg, "--") == 0) {
            only_args = true;
        } else if (!only_args && arg[0] == '-' && arg[1] != '\0') {
            const int rc = parse_flag(cli, argc, argv, &i);
            if (rc != 0) {
                return rc;
            }
        } else if (cli->verb == NULL) {
            cli->verb = find_verb(arg);
            if (cli->verb == NULL) {
                return unknown_verb(arg);
            }
        } else {
            cli->args[cli->n_args++] = arg;
        }
    }
    return 0;
}

static int start_log(const struct hr_cli *cli) {
    static const char *const levels[] = {"error", "warn", "info", "debug"};
    enum hr_log_level level = HR_LOG_WARN;
    if (cli->log_level != NULL) {
        size_t i = 0;
        while (i < 4 && strcmp(levels[i], cli->log_level) != 0) {
            i++;
        }
        if (i == 4) {
            return usage_error("unknown log level ", cli->log_level, "");
        }
        level = (enum hr_log_level)i;
    }
    if (cli->log_format != NULL && strcmp(cli->log_format, "text") != 0 &&
        strcmp(cli->log_format, "json") != 0) {
        return usage_error("option --log-format is text or json, not ", cli->log_format, "");
    }
    static const char *const modes[] = {"auto", "always", "never", "json"};
    size_t mode = 0;
    while (cli->progress != NULL && mode < 4 && strcmp(modes[mode], cli->progress) != 0) {
        mode++;
    }
    if (mode == 4) {
        return usage_error("option --progress is auto, always, never or json, not ", cli->progress,
                           "");
    }
    const bool json = cli->log_format != NULL && strcmp(cli->log_format, "json") == 0;
    hr_log_set(json ? log_json : log_text, NULL, level);
    return 0;
}

static void start_signals(void) {
    struct sigaction action = {.sa_handler = on_signal};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* Nobody reads standard output any more: `headrace ls … | head` has what it wanted. */
static bool reader_left(void) {
    struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};
    return poll(&out, 1, 0) > 0 && (out.revents & POLLERR) != 0;
}

int hr_cli_fail(const struct hr_cli *cli, const struct hr_error *err) {
    char text[3000];
    (void)cli;
    if (err->code == HR_E_IO && strstr(err->message, "standard output") && reader_left()) {
        return 128 + SIGPIPE; /* as if the signal had come, without a word */
    }
    hr_error_format(err, text, sizeof(text));
    fprintf(stderr, "headrace: %s\n", text);
    /* Connections that end with the run may be noticed first; a commit cut off in the middle is
     * finished by the next run. */
    if (last_signal != 0 && (err->code == HR_E_CANCELLED || err->code == HR_E_NETWORK ||
                             err->code == HR_E_TIMEOUT || err->code == HR_E_INDOUBT)) {
        return last_signal == SIGTERM ? 143 : 130;
    }
    return hr_code_exit(err->code);
}

int main(int argc, char **argv) {
    struct hr_cli cli = {0};
    const size_t n = (size_t)argc + 1;
    cli.args = hr_calloc(n, sizeof(*cli.args));
    cli.sets = hr_calloc(n, sizeof(*cli.sets));
    if (cli.args == NULL || cli.sets == NULL) {
        return 1;
    }
    int status =
        hr_fault_arm(getenv("HEADRACE_FAULT")) == 0
            ? parse_args(&cli, argc, argv)
            : usage_error("HEADRACE_FAULT is not kill:N or count: ", getenv("HEADRACE_FAULT"), "");
    if (status == 0) {
        status = start_log(&cli);
    }
    if (status == 0) {
        start_signals();
        if (cli.version) {
            status = hr_verb_version(&cli);
        } else if (cli.verb == NULL || cli.help) {
            if (cli.verb != NULL) {
                cli.args[0] = cli.verb->name;
                cli.n_args = 1;
            }
            status = hr_verb_help(&cli);
        } else if (cli.n_args < cli.verb->min_args || cli.n_args > cli.verb->max_args) {
            fprintf(stderr, "headrace: usage: headrace %s %s\n", cli.verb->name, cli.verb->usage);
            status = 2;
        } else {
            status = cli.verb->run(&cli);
        }
    }
    hr_free(cli.args);
    hr_free(cli.sets);
    if (fflush(stdout) != 0 && status == 0 && reader_left()) {
        status = 128 + SIGPIPE;
    } else if (ferror(stdout) && status == 0) {
        fprintf(stderr, "headrace: could not write to standard output: %s\n", strerror(errno));
        status = 1;
    }
    return status;
}
