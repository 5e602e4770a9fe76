/* tests/unit/cred/test_cred.c - where keys, region and endpoint come from, in which order, and what
 * is said when half of them is missing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cred/cred.h"
#include "cred/ini.h"
#include "support.h"

struct variable {
    const char *name, *value;
};

static const char *lookup(void *user, const char *name) {
    for (const struct variable *v = user; v->name != NULL; v++) {
        if (strcmp(v->name, name) == 0) {
            return v->value;
        }
    }
    return NULL;
}

static int resolve(struct hr_cred_conf conf, const struct variable *env, struct hr_cred *out,
                   struct hr_error *err) {
    conf.env = lookup;
    conf.env_user = (void *)(uintptr_t)env;
    int rc = hr_cred_resolve(&conf, out, err);
    char text[2600];
    if (rc != 0) { /* secrets never show, whatever went wrong */
        hr_error_format(err, text, sizeof(text));
        assert_null(strstr(text, "s3cr3t"));
    }
    return rc;
}

static const char *write_file(const char *name, const char *text) {
    static char paths[8][600];
    static int turn;
    char *path = paths[turn++ % 8];
    snprintf(path, sizeof(paths[0]), "%s/%s", test_tmpdir(), name);
    test_write_file(path, text, strlen(text));
    return path;
}

static const struct variable nothing[] = {{"HOME", "/nonexistent"}, {NULL, NULL}};

static void test_order(void **state) {
    (void)state;
    struct hr_cred cred;
    struct hr_error err;
    const char *credentials = write_file("credentials", "[default]\n"
                                                        "aws_access_key_id = FILEKEY\n"
                                                        "aws_secret_access_key = s3cr3tfile\n"
                                                        "[other]\n"
                                                        "aws_access_key_id=OTHERKEY\n"
                                                        "aws_secret_access_key=s3cr3tother\n"
                                                        "aws_session_token=t0ken\n");
    const char *config = write_file("config", "[default]\nregion = eu-central-1\n"
                                              "[profile other]\n"
                                              "region=ap-south-1\n"
                                              "endpoint_url = http://profile:9000\n"
                                              "ca_bundle=/ca.pem\n");
    struct variable env[] = {{"AWS_ACCESS_KEY_ID", "ENVKEY"},
                             {"AWS_SECRET_ACCESS_KEY", "s3cr3tenv"},
                             {"AWS_SHARED_CREDENTIALS_FILE", credentials},
                             {"AWS_CONFIG_FILE", config},
                             {"AWS_REGION", ""},
                             {"AWS_PROFILE", ""},
                             {NULL, NULL}};
    /* 1. the configuration */
    struct hr_cred_conf own = {.access_key_id = "OWN", .secret_access_key = "s3cr3t"};
    assert_rc(resolve(own, env, &cred, &err), 0, &err);
    assert_string_equal(cred.access_key_id, "OWN");
    assert_string_equal(cred.secret.text, "s3cr3t");
    assert_string_equal(cred.region, "eu-central-1");
    assert_false(cred.ambient);
    hr_cred_release(&cred);
    /* 2. the environment */
    assert_rc(resolve((struct hr_cred_conf){0}, env, &cred, &err), 0, &err);
    assert_string_equal(cred.access_key_id, "ENVKEY");
    assert_null(cred.token.text);
    assert_true(cred.ambient);
    assert_null(cred.endpoint_url);
    hr_cred_release(&cred);
    /* a profile named by hand comes before it, one named by the environment does not */
    assert_rc(resolve((struct hr_cred_conf){.profile = "other"}, env, &cred, &err), 0, &err);
    assert_string_equal(cred.access_key_id, "OTHERKEY");
    assert_string_equal(cred.token.text, "t0ken");
    assert_string_equal(cred.region, "ap-south-1");
    assert_string_equal(cred.endpoint_url, "http://profile:9000");
    assert_string_equal(cred.ca_bundle, "/ca.pem");
    assert_string_equal(cred.source, "profile 'other'");
    hr_cred_release(&cred);
    env[5].value = "other";
    assert_rc(resolve((struct hr_cred_conf){0}, env, &cred, &err), 0, &err);
    assert_string_equal(cred.access_key_id, "ENVKEY");
    assert_string_equal(cred.region, "ap-south-1");
    hr_cred_release(&cred);
    /* 3. the profile */
    env[0].value = env[1].value = "";
    assert_rc(resolve((struct hr_cred_conf){0}, env, &cred, &err), 0, &err);
    assert_string_equal(cred.access_key_id, "OTHERKEY");
    hr_cred_release(&cred);
    env[5].value = NULL;
    assert_rc(resolve((struct hr_cred_conf){0}, env, &cred, &err), 0, &err);
    assert_string_equal(cred.access_key_id, "FILEKEY");
    hr_cred_release(&cred);
}

static void test_places(void **state) {
    (void)state;
    struct hr_cred cred;
    struct hr_error err;
    struct variable env[] = {{"HOME", "/nonexistent"},
                             {"AWS_DEFAULT_REGION", "eu-west-1"},
                             {"AWS_REGION", "eu-west-2"},
                             {"AWS_ENDPOINT_URL", "http://all:1"},
                             {"AWS_ENDPOINT_URL_S3", "http://s3:1"},
                             {"AWS_CA_BUNDLE", "/bundle.pem"},
                             {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", ""},
                             {NULL, NULL}};
    struct hr_cred_conf conf = {.anonymous = true};
    assert_rc(resolve(conf, env, &cred, &err), 0, &err);
    assert_null(cred.access_key_id);
    assert_string_equal(cred.region, "eu-west-2");
    assert_string_equal(cred.endpoint_url, "http://s3:1");
    assert_string_equal(cred.ca_bundle, "/bundle.pem");
    hr_cred_release(&cred);
    env[2].value = env[4].value = NULL;
    assert_rc(resolve(conf, env, &cred, &err), 0, &err);
    assert_string_equal(cred.region, "eu-west-1");
    assert_string_equal(cred.endpoint_url, "http://all:1");
    hr_cred_release(&cred);
    env[6].value = "true";
    assert_rc(resolve(conf, env, &cred, &err), 0, &err);
    assert_null(cred.endpoint_url);
    hr_cred_release(&cred);
    conf.region = "own-1";
    conf.endpoint_url = "http://own";
    conf.ca_bundle = "/own.pem";
    assert_rc(resolve(conf, env, &cred, &err), 0, &err);
    assert_string_equal(cred.region, "own-1");
    assert_string_equal(cred.endpoint_url, "http://own");
    assert_string_equal(cred.ca_bundle, "/own.pem");
    hr_cred_release(&cred);
    conf = (struct hr_cred_conf){.anonymous = true};
    assert_rc(resolve(conf, nothing, &cred, &err), 0, &err);
    assert_string_equal(cred.region, "us-east-1");
    hr_cred_release(&cred);
}

static void assert_refused(struct hr_cred_conf conf, const struct variable *env, int want,
                           const char *says) {
    struct hr_cred cred;
    struct hr_error err;
    assert_rc(resolve(conf, env, &cred, &err), want, &err);
    char text[2600];
    hr_error_format(&err, text, sizeof(text));
    if (strstr(text, says) == NULL) {
        print_error("%s\n", text);
    }
    assert_non_null(strstr(text, says));
    assert_null(cred.access_key_id);
    assert_null(cred.secret.text);
}

static void test_half_pairs(void **state) {
    (void)state;
    assert_refused((struct hr_cred_conf){.access_key_id = "A"}, nothing, HR_E_CONFIG,
                   "secret_access_key is not");
    assert_refused((struct hr_cred_conf){.secret_access_key = "s3cr3t"}, nothing, HR_E_CONFIG,
                   "access_key_id is not");
    const struct variable half[] = {
        {"HOME", "/nonexistent"}, {"AWS_SECRET_ACCESS_KEY", "s3cr3t"}, {NULL, NULL}};
    assert_refused((struct hr_cred_conf){0}, half, HR_E_CONFIG, "AWS_ACCESS_KEY_ID is not");
    const char *file = write_file("credentials", "[default]\naws_access_key_id=A\n");
    const struct variable in_file[] = {
        {"AWS_SHARED_CREDENTIALS_FILE", file}, {"HOME", "/nonexistent"}, {NULL, NULL}};
    assert_refused((struct hr_cred_conf){0}, in_file, HR_E_CONFIG, "aws_secret_access_key is not");
}

static void test_refusals(void **state) {
    (void)state;
    assert_refused((struct hr_cred_conf){0}, nothing, HR_E_AUTH, "could not find credentials");
    assert_refused((struct hr_cred_conf){0}, nothing, HR_E_AUTH, "/nonexistent/.aws/credentials");
    assert_refused((struct hr_cred_conf){.profile = "gone"}, nothing, HR_E_CONFIG,
                   "could not find profile 'gone'");
    assert_refused((struct hr_cred_conf){.role_arn = "arn:aws:iam::1:role/x"}, nothing, HR_E_CONFIG,
                   "not built in yet");
    const char *config = write_file("config", "[profile r]\nrole_arn = arn:x\nsource_profile=y\n"
                                              "[profile p]\ncredential_process=run me\n");
    const struct variable env[] = {
        {"AWS_CONFIG_FILE", config}, {"HOME", "/nonexistent"}, {NULL, NULL}};
    assert_refused((struct hr_cred_conf){.profile = "r"}, env, HR_E_CONFIG, "role_arn");
    assert_refused((struct hr_cred_conf){.profile = "p"}, env, HR_E_CONFIG, "credential_process");
    /* A folder in the place of the file: an error, but not for those who need no file. */
    const struct variable folder[] = {
        {"AWS_CONFIG_FILE", test_tmpdir()}, {"HOME", "/nonexistent"}, {NULL, NULL}};
    assert_refused((struct hr_cred_conf){0}, folder, HR_E_CONFIG, "could not read");
    struct hr_cred cred;
    struct hr_error err;
    struct hr_cred_conf own = {.access_key_id = "OWN", .secret_access_key = "s3cr3t"};
    assert_rc(resolve(own, folder, &cred, &err), 0, &err);
    hr_cred_release(&cred);
    char long_key[400];
    memset(long_key, 'x', sizeof(long_key) - 1);
    long_key[sizeof(long_key) - 1] = '\0';
    assert_refused((struct hr_cred_conf){.access_key_id = "A", .secret_access_key = long_key},
                   nothing, HR_E_CONFIG, "over");
}

static void test_rows(void **state) {
    (void)state;
    size_t n = 0;
    for (const struct hr_cred_row *row; (row = hr_cred_row(n)) != NULL; n++) {
        assert_non_null(row->name);
        assert_true((n < 3) == (row->missing == NULL));
    }
    assert_int_equal(n, 7);
}

/* ---- the file format ------------------------------------------------------------------------ */

static int collect(void *user, struct hr_slice section, struct hr_slice key,
                   struct hr_slice value) {
    struct hr_buf *out = user;
    return hr_buf_printf(out, NULL, "%.*s|%.*s|%.*s\n", (int)section.len, (const char *)section.ptr,
                         (int)key.len, (const char *)key.ptr, (int)value.len,
                         (const char *)value.ptr);
}

static void test_ini(void **state) {
    (void)state;
    struct hr_buf out;
    hr_buf_init(&out, 0);
    const char *text = "# a comment\r\n"
                       "before = 1\n"
                       "[ default ] ; note\n"
                       "key = value with = sign # and note\n"
                       "tight=v#not a note\n"
                       "   \n"
                       "nonsense\n"
                       "= none\n"
                       "[profile x]\r\n"
                       "s3 =\n"
                       "  endpoint_url = http://h\n"
                       "\tregion=r\n"
                       "after=2\r\n"
                       "  indented = 3\n"
                       "[broken\n"
                       "lost=1\n"
                       "last=x";
    assert_int_equal(hr_ini_each(hr_slice_str(text), collect, &out), 0);
    assert_string_equal(hr_buf_cstr(&out), "|before|1\n"
                                           "default|key|value with = sign\n"
                                           "default|tight|v#not a note\n"
                                           "profile x|s3|\n"
                                           "profile x|s3.endpoint_url|http://h\n"
                                           "profile x|s3.region|r\n"
                                           "profile x|after|2\n"
                                           "profile x|indented|3\n"
                                           "|lost|1\n"
                                           "|last|x\n");
    hr_buf_release(&out);
}

static void test_no_memory(void **state) {
    (void)state;
    const char *file = write_file("credentials", "[default]\naws_access_key_id=A\n"
                                                 "aws_secret_access_key=s3cr3t\n"
                                                 "region=r\nendpoint_url=u\n");
    const struct variable env[] = {{"AWS_SHARED_CREDENTIALS_FILE", file},
                                   {"HOME", "/nonexistent"},
                                   {"AWS_CA_BUNDLE", "/x"},
                                   {NULL, NULL}};
    bool finished = false;
    for (uint64_t nth = 1; !finished; nth++) {
        struct hr_cred cred;
        struct hr_error err;
        int64_t live = hr_mem_live();
        hr_mem_fail_at(nth, 0);
        int rc = resolve((struct hr_cred_conf){0}, env, &cred, &err);
        finished = hr_mem_count() < nth;
        hr_mem_fail_at(0, 0);
        assert_true(finished ? rc == 0 : rc == HR_E_NOMEM);
        hr_cred_release(&cred);
        assert_int_equal(hr_mem_live(), live);
        assert_true(nth < 100);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),      cmocka_unit_test(test_places),
        cmocka_unit_test(test_half_pairs), cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_rows),       cmocka_unit_test(test_ini),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
