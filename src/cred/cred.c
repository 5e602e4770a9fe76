/* cred/cred.c - the chain of providers.
 *
 * Each provider is a row: what it is called and a function that finds keys, finds nothing (HR_END)
 * or fails. Region, endpoint and CA bundle are looked up beside it, each on its own, in the same
 * places. Files are read whole (bounded), their values copied out, the text wiped. */
#include "cred/cred.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cred/ini.h"
#include "cred/sigv4.h"

#define FILE_MAX (1u << 20)
#define KEY_MAX HR_SIGN_KEY_MAX

struct chain {
    const struct hr_cred_conf *conf;
    struct hr_cred *out;
    const char *profile; /* its name; never NULL */
    bool profile_asked;  /* named by somebody, so it must exist */
    bool profile_found;
    /* Of the profile, from both files. */
    struct hr_secret access_key_id, secret, token, region, endpoint_url, ca_bundle;
    struct hr_secret role_arn, web_identity, process, sso;
    char credentials_path[1024], config_path[1024];
};

static const char *env(const struct chain *c, const char *name) {
    const char *value = c->conf->env ? c->conf->env(c->conf->env_user, name) : getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

static bool given(const char *text) {
    return text != NULL && text[0] != '\0';
}

static int no_memory(struct hr_error *err) {
    return hr_fail(err, HR_E_NOMEM, "could not look for credentials: out of memory");
}

/* ---- shared files --------------------------------------------------------------------------- */

struct file_scan {
    struct chain *c;
    bool config; /* sections are named "profile NAME" */
    bool no_memory;
};

/* Is this section the profile's? In the config file its name has "profile" in front, but default
 * may stand alone. */
static bool is_profile(const struct file_scan *scan, struct hr_slice section) {
    const char *name = scan->c->profile;
    if (!scan->config || strcmp(name, "default") == 0) {
        if (hr_slice_eq_str(section, name)) {
            return true;
        }
    }
    if (!scan->config || section.len < 9 || memcmp(section.ptr, "profile", 7) != 0 ||
        (section.ptr[7] != ' ' && section.ptr[7] != '\t')) {
        return false;
    }
    size_t at = 8;
    while (at < section.len && (section.ptr[at] == ' ' || section.ptr[at] == '\t')) {
        at++;
    }
    return hr_slice_eq_str(hr_slice_of(section.ptr + at, section.len - at), name);
}

static int take_setting(void *user, struct hr_slice section, struct hr_slice key,
                        struct hr_slice value) {
    struct file_scan *scan = user;
    struct chain *c = scan->c;
    const struct {
        const char *name;
        struct hr_secret *place;
    } known[] = {
        {"aws_access_key_id", &c->access_key_id},
        {"aws_secret_access_key", &c->secret},
        {"aws_session_token", &c->token},
        {"region", &c->region},
        {"endpoint_url", &c->endpoint_url},
        {"ca_bundle", &c->ca_bundle},
        {"role_arn", &c->role_arn},
        {"web_identity_token_file", &c->web_identity},
        {"credential_process", &c->process},
        {"sso_session", &c->sso},
        {"sso_start_url", &c->sso},
        {"s3.endpoint_url", &c->endpoint_url},
    };
    if (!is_profile(scan, section)) {
        return 0;
    }
    c->profile_found = true;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        /* The credentials file is read first and wins. */
        if (hr_slice_eq_str(key, known[i].name) && known[i].place->text == NULL && value.len > 0) {
            known[i].place->text = hr_strndup((const char *)value.ptr, value.len);
            scan->no_memory = known[i].place->text == NULL;
            return scan->no_memory ? HR_E_NOMEM : 0;
        }
    }
    return 0;
}

/* Reads one file if it is there. */
static int read_file(struct chain *c, const char *path, bool config, struct hr_error *err) {
    struct file_scan scan = {.c = c, .config = config};
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) {
        return 0;
    }
    if (fd < 0 || fstat(fd, &st) != 0) {
        int e = errno;
        if (fd >= 0) {
            close(fd);
        }
        hr_fail(err, HR_E_CONFIG, "could not read '%s': %s", path, strerror(e));
        return HR_E_CONFIG;
    }
    if (!S_ISREG(st.st_mode) || st.st_size > FILE_MAX) {
        close(fd);
        return hr_fail(err, HR_E_CONFIG,
                       "could not read '%s': it is not a file of at most %u bytes", path, FILE_MAX);
    }
    size_t size = (size_t)st.st_size;
    char *text = hr_malloc(size + 1);
    size_t got = 0;
    while (text != NULL && got < size) {
        ssize_t n = read(fd, text + got, size - got);
        if (n <= 0) {
            break;
        }
        got += (size_t)n;
    }
    close(fd);
    if (text == NULL) {
        return no_memory(err);
    }
    hr_ini_each(hr_slice_of(text, got), take_setting, &scan);
    explicit_bzero(text, size);
    hr_free(text);
    return scan.no_memory ? no_memory(err) : 0;
}

static void file_path(const struct chain *c, const char *variable, const char *name,
                      char out[1024]) {
    const char *path = env(c, variable);
    const char *home = env(c, "HOME");
    if (path != NULL && path[0] == '~' && path[1] == '/' && home != NULL) {
        snprintf(out, 1024, "%s%s", home, path + 1);
    } else if (path != NULL) {
        snprintf(out, 1024, "%s", path);
    } else if (home != NULL) {
        snprintf(out, 1024, "%s/.aws/%s", home, name);
    } else {
        out[0] = '\0';
    }
}

static int read_profile(struct chain *c, struct hr_error *err) {
    file_path(c, "AWS_SHARED_CREDENTIALS_FILE", "credentials", c->credentials_path);
    file_path(c, "AWS_CONFIG_FILE", "config", c->config_path);
    int rc = c->credentials_path[0] ? read_file(c, c->credentials_path, false, err) : 0;
    if (rc == 0 && c->config_path[0]) {
        rc = read_file(c, c->config_path, true, err);
    }
    if (rc == 0 && c->profile_asked && !c->profile_found) {
        char shown[100];
        hr_fail(err, HR_E_CONFIG, "could not find profile '%s'",
                hr_printable(hr_slice_str(c->profile), 80, shown, sizeof(shown)));
        hr_error_hint(err, "looked in '%s' and '%s'", c->credentials_path, c->config_path);
        rc = HR_E_CONFIG;
    }
    return rc;
}

/* ---- providers ------------------------------------------------------------------------------ */

/* Takes a pair over, or says which half is missing. */
static int take_pair(struct chain *c, const char *id, const char *secret, const char *token,
                     const char *id_name, const char *secret_name, const char *where, bool ambient,
                     struct hr_error *err) {
    if (!given(id) && !given(secret)) {
        return HR_END;
    }
    if (!given(id) || !given(secret)) {
        hr_fail(err, HR_E_CONFIG, "could not use the keys of %s: %s is set, but %s is not", where,
                given(id) ? id_name : secret_name, given(id) ? secret_name : id_name);
        hr_error_hint(err, "set both, or neither to use the next place of the chain");
        return HR_E_CONFIG;
    }
    if (strlen(id) > KEY_MAX || strlen(secret) > KEY_MAX) {
        return hr_fail(err, HR_E_CONFIG, "could not use the keys of %s: one has over %d bytes",
                       where, KEY_MAX);
    }
    c->out->access_key_id = hr_strdup(id);
    if (c->out->access_key_id == NULL || !hr_secret_set(&c->out->secret, secret) ||
        !hr_secret_set(&c->out->token, token)) {
        return no_memory(err);
    }
    snprintf(c->out->source, sizeof(c->out->source), "%s", where);
    c->out->ambient = ambient;
    return 0;
}

static int from_config(struct chain *c, struct hr_error *err) {
    const struct hr_cred_conf *k = c->conf;
    return take_pair(c, k->access_key_id, k->secret_access_key, k->session_token, "access_key_id",
                     "secret_access_key", "the configuration", false, err);
}

static int from_environment(struct chain *c, struct hr_error *err) {
    if (given(c->conf->profile)) {
        return HR_END; /* asked for by name */
    }
    return take_pair(c, env(c, "AWS_ACCESS_KEY_ID"), env(c, "AWS_SECRET_ACCESS_KEY"),
                     env(c, "AWS_SESSION_TOKEN"), "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
                     "the environment", true, err);
}

static int from_profile(struct chain *c, struct hr_error *err) {
    char where[160];
    char shown[90];
    hr_printable(hr_slice_str(c->profile), 80, shown, sizeof(shown));
    snprintf(where, sizeof(where), "profile '%s'", shown);
    int rc = take_pair(c, c->access_key_id.text, c->secret.text, c->token.text, "aws_access_key_id",
                       "aws_secret_access_key", where, true, err);
    if (rc != HR_END) {
        return rc;
    }
    const char *needs = c->role_arn.text       ? "role_arn"
                        : c->web_identity.text ? "web_identity_token_file"
                        : c->process.text      ? "credential_process"
                        : c->sso.text          ? "sso_session"
                                               : NULL;
    if (needs != NULL) {
        hr_fail(err, HR_E_CONFIG, "could not use %s: its %s is not supported yet", where, needs);
        hr_error_hint(err, "give a profile with aws_access_key_id and aws_secret_access_key, or "
                           "put temporary keys into the environment");
        return HR_E_CONFIG;
    }
    return HR_END;
}

static const struct hr_cred_row rows[] = {
    {"configuration", NULL},
    {"environment", NULL},
    {"profile", NULL},
    {"web identity", "exchanging a web identity token at STS is not built in yet"},
    {"assume role", "assuming a role at STS is not built in yet"},
    {"container", "credentials of ECS and EKS containers are not built in yet"},
    {"instance", "credentials of EC2 instances are not built in yet"},
};
/* Beside the rows: how each finds keys. */
static int (*const find[])(struct chain *c, struct hr_error *err) = {
    from_config, from_environment, from_profile, NULL, NULL, NULL, NULL,
};
#define N_PROVIDERS (sizeof(rows) / sizeof(rows[0]))
_Static_assert(N_PROVIDERS == sizeof(find) / sizeof(find[0]), "a function for every row");

const struct hr_cred_row *hr_cred_row(size_t i) {
    return i < N_PROVIDERS ? &rows[i] : NULL;
}

static int nothing_found(const struct chain *c, struct hr_error *err) {
    hr_fail(err, HR_E_AUTH, "could not find credentials for S3");
    hr_error_detail(err,
                    "looked at access_key_id, AWS_ACCESS_KEY_ID, and profile '%s' of '%s' and '%s'",
                    c->profile, c->credentials_path, c->config_path);
    hr_error_hint(err, "set access_key_id and secret_access_key, AWS_ACCESS_KEY_ID and "
                       "AWS_SECRET_ACCESS_KEY, or a profile; for a public bucket set anonymous");
    return HR_E_AUTH;
}

static int find_keys(struct chain *c, struct hr_error *err) {
    if (c->conf->anonymous) {
        snprintf(c->out->source, sizeof(c->out->source), "nobody (anonymous)");
        return 0;
    }
    if (given(c->conf->role_arn) || given(c->conf->web_identity_token_file)) {
        bool role = given(c->conf->role_arn);
        hr_fail(err, HR_E_CONFIG, "could not use %s: %s",
                role ? "role_arn" : "web_identity_token_file", rows[role ? 4 : 3].missing);
        hr_error_hint(err, "give keys of a user, or temporary keys with a session token");
        return HR_E_CONFIG;
    }
    for (size_t i = 0; i < N_PROVIDERS; i++) {
        int rc = find[i] ? find[i](c, err) : HR_END;
        if (rc != HR_END) {
            return rc;
        }
    }
    return nothing_found(c, err);
}

/* ---- where ---------------------------------------------------------------------------------- */

static const char *first_of(const char *a, const char *b, const char *d, const char *e) {
    return given(a) ? a : given(b) ? b : given(d) ? d : given(e) ? e : NULL;
}

static int find_place(struct chain *c, struct hr_error *err) {
    const struct hr_cred_conf *k = c->conf;
    const char *region =
        first_of(k->region, env(c, "AWS_REGION"), env(c, "AWS_DEFAULT_REGION"), c->region.text);
    const char *ignore = env(c, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
    bool ambient = ignore == NULL || strcmp(ignore, "true") != 0;
    const char *endpoint = first_of(k->endpoint_url, ambient ? env(c, "AWS_ENDPOINT_URL_S3") : NULL,
                                    ambient ? env(c, "AWS_ENDPOINT_URL") : NULL,
                                    ambient ? c->endpoint_url.text : NULL);
    const char *bundle = first_of(k->ca_bundle, env(c, "AWS_CA_BUNDLE"), c->ca_bundle.text, NULL);
    c->out->region = hr_strdup(region ? region : "us-east-1");
    c->out->endpoint_url = hr_strdup(endpoint);
    c->out->ca_bundle = hr_strdup(bundle);
    bool ok = c->out->region != NULL && (endpoint == NULL || c->out->endpoint_url != NULL) &&
              (bundle == NULL || c->out->ca_bundle != NULL);
    return ok ? 0 : no_memory(err);
}

int hr_cred_resolve(const struct hr_cred_conf *conf, struct hr_cred *out, struct hr_error *err) {
    struct chain c = {.conf = conf, .out = out};
    *out = (struct hr_cred){0};
    c.profile = given(conf->profile) ? conf->profile : env(&c, "AWS_PROFILE");
    c.profile_asked = c.profile != NULL;
    c.profile = c.profile ? c.profile : "default";
    int rc = read_profile(&c, err);
    if (rc == HR_E_CONFIG && !c.profile_asked && (conf->anonymous || given(conf->access_key_id))) {
        hr_error_clear(err); /* files nobody asked for */
        rc = 0;
    }
    rc = rc ? rc : find_keys(&c, err);
    rc = rc ? rc : find_place(&c, err);
    struct hr_secret *all[] = {&c.access_key_id, &c.secret,    &c.token,    &c.region,
                               &c.endpoint_url,  &c.ca_bundle, &c.role_arn, &c.web_identity,
                               &c.process,       &c.sso};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        hr_secret_release(all[i]);
    }
    if (rc != 0) {
        hr_cred_release(out);
    }
    return rc;
}

void hr_cred_release(struct hr_cred *cred) {
    hr_free(cred->access_key_id);
    hr_secret_release(&cred->secret);
    hr_secret_release(&cred->token);
    hr_free(cred->region);
    hr_free(cred->endpoint_url);
    hr_free(cred->ca_bundle);
    cred->access_key_id = cred->region = cred->endpoint_url = cred->ca_bundle = NULL;
}
