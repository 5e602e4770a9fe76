/* cred/sigv4.h - AWS Signature Version 4, in a header or as a presigned query.
 *
 * Source of the format: AWS Identity and Access Management user guide, "AWS Signature Version 4 for
 * API requests". S3 differs from other services: the path is signed as it is sent (encoded once,
 * not normalised).
 */
#ifndef HR_CRED_SIGV4_H
#define HR_CRED_SIGV4_H

#include "base/slice.h"

#define HR_UNSIGNED_PAYLOAD "UNSIGNED-PAYLOAD"
#define HR_SIGN_HEADERS_MAX 32
#define HR_SIGN_KEY_MAX 256 /* bytes of a secret */

/* An identity bound to a region and a service, with the signing key of the day kept. Thread safe.
 */
struct hr_signer;
/* Strings are copied, the secret (at most HR_SIGN_KEY_MAX bytes) is wiped when freed. token may be
 * NULL. NULL: no memory. */
struct hr_signer *hr_signer_new(const char *access_key_id, const char *secret, const char *token,
                                const char *region, const char *service);
void hr_signer_free(struct hr_signer *signer); /* NULL allowed */
/* The session token, to be sent as x-amz-security-token; NULL: none. */
const char *hr_signer_token(const struct hr_signer *signer);

struct hr_sign_header {
    const char *name; /* lower case */
    struct hr_slice value;
};

struct hr_sign_request {
    const char *method;
    const char *path;                     /* as in the request line, up to '?' */
    const char *query;                    /* behind the '?', "" none */
    const struct hr_sign_header *headers; /* all of them are signed; any order, doubles allowed */
    size_t n_headers;
    const char *payload_hash; /* hex SHA-256 of the body, or HR_UNSIGNED_PAYLOAD */
    int64_t seconds;          /* time of signing, since the epoch */
    bool s3;                  /* S3's rules for the path */
    bool normalize;           /* other services: resolve "." "..", "//" in it */
    bool omit_token;          /* presigned: the session token is sent, but not signed */
};

/* The three steps. `authorization` is the value of the Authorization header; the headers named by
 * the request must be sent exactly as given. HR_E_NOMEM. */
int hr_sigv4_canonical(const struct hr_sign_request *req, struct hr_buf *out, struct hr_error *err);
int hr_sigv4_string_to_sign(const struct hr_signer *signer, int64_t seconds,
                            struct hr_slice canonical, struct hr_buf *out, struct hr_error *err);
void hr_sigv4_signature(struct hr_signer *signer, int64_t seconds, struct hr_slice string_to_sign,
                        char out[65]);

/* All in one. */
int hr_sigv4_authorize(struct hr_signer *signer, const struct hr_sign_request *req,
                       struct hr_buf *out, struct hr_error *err);
/* The query of a presigned request (what stands behind '?'), valid for `expires` seconds. The
 * canonical query is left in *canonical_query when it is not NULL (tests). */
int hr_sigv4_presign(struct hr_signer *signer, const struct hr_sign_request *req, int expires,
                     struct hr_buf *out, struct hr_buf *canonical, struct hr_error *err);

/* Percent-encodes all but A-Z a-z 0-9 - . _ ~ and, with keep_slash, '/'. */
int hr_uri_encode(struct hr_slice text, bool keep_slash, struct hr_buf *out, struct hr_error *err);

#endif
