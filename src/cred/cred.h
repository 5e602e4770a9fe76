/* cred/cred.h - who we are and where we go: keys, region, endpoint, from the places AWS's own tools
 * look in.
 *
 * Order: the configuration's own keys; the environment; the profile of the shared files. A profile
 * named in the configuration comes before the environment. Half a pair of keys is an error wherever
 * it is found, never passed over. Level 2: base/, http/.
 */
#ifndef HR_CRED_CRED_H
#define HR_CRED_CRED_H

#include "base/slice.h"
#include "cred/secret.h"

/* Strings are borrowed during hr_cred_resolve. NULL: not given. */
struct hr_cred_conf {
    const char *access_key_id, *secret_access_key, *session_token, *profile;
    const char *role_arn, *web_identity_token_file;
    bool anonymous;
    const char *region, *endpoint_url, *ca_bundle;
    /* Environment; NULL: the process's own. Tests give another. */
    const char *(*env)(void *user, const char *name);
    void *env_user;
};

struct hr_cred {
    char *access_key_id; /* NULL: anonymous */
    struct hr_secret secret, token;
    char *region;       /* never NULL */
    char *endpoint_url; /* NULL: AWS itself */
    char *ca_bundle;    /* NULL: the system's */
    char source[160];   /* where the keys came from, for messages */
    bool ambient;       /* keys not from the configuration itself */
};

/* HR_E_CONFIG: half a pair, an unknown profile, a file that cannot be read, a provider that is not
 * built in; HR_E_AUTH: nothing was found (the hint says where was looked). */
int hr_cred_resolve(const struct hr_cred_conf *conf, struct hr_cred *out, struct hr_error *err);
void hr_cred_release(struct hr_cred *cred);

/* The chain as rows, for `doctor`: name, and why it is not built (NULL: it is). NULL behind the
 * last. */
struct hr_cred_row {
    const char *name, *missing;
};
const struct hr_cred_row *hr_cred_row(size_t i);

#endif
