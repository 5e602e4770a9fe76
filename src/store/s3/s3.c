/* store/s3/s3.c - the S3 driver: opening a bucket, its row, its counters.
 *
 * A handle owns an HTTP client (one I/O thread), the credentials and the place. Opening asks the
 * server nothing. */
#include "store/s3/s3.h"

#include <stdio.h>
#include <sys/random.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/time.h"

static void s3_close(struct hr_store *store) {
    struct s3_store *s = s3_of(store);
    pthread_mutex_lock(&s->lock);
    s->closing = true;
    pthread_mutex_unlock(&s->lock);
    hr_http_free(s->http);
    hr_s3_pool_free(s);
    hr_s3_place_free(s->place);
    hr_s3_endpoint_release(&s->endpoint);
    hr_cred_release(&s->cred);
    pthread_mutex_destroy(&s->lock);
    hr_free(s->bucket);
    hr_free(s->sse);
    hr_free(s->kms_key_id);
    hr_free(s->acl);
    hr_free(s->base.label);
    hr_free(s);
}

static bool is_loopback(const char *authority) {
    return strncmp(authority, "127.", 4) == 0 || strncmp(authority, "[::1]", 5) == 0 ||
           strncmp(authority, "localhost", 9) == 0;
}

static int open_place(struct s3_store *s, const struct hr_store_conf *conf, struct hr_error *err) {
    const char *url = s->cred.endpoint_url;
    char aws[300];
    bool own = url == NULL;
    if (own) {
        snprintf(aws, sizeof(aws), "https://s3.%.200s.amazonaws.com", s->cred.region);
        url = aws;
    }
    int rc = hr_s3_endpoint_parse(url, &s->endpoint, err);
    if (rc != 0) {
        return rc;
    }
    s->endpoint.aws = own;
    s->path_style =
        conf->path_style == 1 || (conf->path_style < 0 && (!own || strchr(s->bucket, '.') != NULL));
    if (!own && s->cred.ambient) {
        hr_log(HR_LOG_INFO, "keys of %s are sent to %s", s->cred.source, s->endpoint.authority);
    }
    return hr_s3_place_new(&s->endpoint, s->cred.region, s->bucket, s->path_style, &s->cred,
                           &s->place, err);
}

static int open_http(struct s3_store *s, const struct hr_store_conf *conf, struct hr_error *err) {
    struct hr_http_conf http = {
        .connections = conf->connections,
        .timeout_seconds = conf->timeout_seconds,
        .insecure_tls = conf->insecure_tls,
        .ca_bundle = s->cred.ca_bundle,
        .proxy = conf->proxy,
    };
    if (conf->proxy == NULL && is_loopback(s->endpoint.authority)) {
        http.proxy = ""; /* whatever the environment says */
    }
    return hr_http_new(&http, &s->http, err);
}

static int s3_open(const struct hr_store_conf *conf, struct hr_store **out, struct hr_error *err) {
    const char *bucket = conf->bucket ? conf->bucket : "";
    int rc = hr_s3_check_bucket(bucket, err);
    if (rc != 0) {
        return rc;
    }
    struct s3_store *s = hr_calloc(1, sizeof(*s));
    if (s == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not open bucket '%s': out of memory", bucket);
    }
    pthread_mutex_init(&s->lock, NULL);
    s->base.driver = &hr_store_s3;
    s->base.caps =
        HR_CAP_RANGE | HR_CAP_MULTIPART | HR_CAP_COND_PUT | HR_CAP_ORDERED | HR_CAP_START_AFTER;
    s->base.refs = 1;
    s->retries = conf->retry_count >= 0 ? conf->retry_count : 5;
    s->backoff_ms = conf->backoff_ms > 0 ? conf->backoff_ms : 100;
    s->requests_per_second = conf->max_requests_per_second;
    if (getrandom(&s->random, sizeof(s->random), 0) != sizeof(s->random)) {
        s->random = (uint64_t)hr_monotonic_nanos();
    }
    s->bucket = hr_strdup(bucket);
    s->sse = hr_strdup(conf->sse);
    s->kms_key_id = hr_strdup(conf->kms_key_id);
    s->acl = hr_strdup(conf->acl);
    const bool copied = (conf->sse == NULL || s->sse != NULL) &&
                        (conf->kms_key_id == NULL || s->kms_key_id != NULL) &&
                        (conf->acl == NULL || s->acl != NULL);
    struct hr_buf label;
    hr_buf_init(&label, 0);
    rc = hr_buf_printf(&label, err, "s3://%s", bucket);
    s->base.label = rc == 0 ? hr_buf_detach(&label) : NULL;
    hr_buf_release(&label);
    if (s->bucket == NULL || s->base.label == NULL || !copied) {
        rc = hr_fail(err, HR_E_NOMEM, "could not open bucket '%s': out of memory", bucket);
    }
    const struct hr_cred_conf cred = {
        .access_key_id = conf->access_key_id,
        .secret_access_key = conf->secret_access_key,
        .session_token = conf->session_token,
        .profile = conf->profile,
        .role_arn = conf->role_arn,
        .web_identity_token_file = conf->web_identity_token_file,
        .anonymous = conf->anonymous,
        .region = conf->region,
        .endpoint_url = conf->endpoint_url,
        .ca_bundle = conf->ca_bundle,
    };
    rc = rc ? rc : hr_cred_resolve(&cred, &s->cred, err);
    rc = rc ? rc : open_place(s, conf, err);
    rc = rc ? rc : open_http(s, conf, err);
    if (rc != 0) {
        s3_close(&s->base);
        return rc;
    }
    *out = &s->base;
    return 0;
}

static void s3_cancel(struct hr_store *store) {
    struct s3_store *s = s3_of(store);
    pthread_mutex_lock(&s->lock);
    s->cancelled = true;
    pthread_mutex_unlock(&s->lock);
    hr_http_cancel(s->http);
}

static int64_t s3_clock(struct hr_store *store) {
    struct s3_store *s = s3_of(store);
    pthread_mutex_lock(&s->lock);
    int64_t us = s->date_us;
    pthread_mutex_unlock(&s->lock);
    return us;
}

static void s3_counters(struct hr_store *store, struct hr_store_counters *out) {
    struct s3_store *s = s3_of(store);
    pthread_mutex_lock(&s->lock);
    *out = s->counters;
    pthread_mutex_unlock(&s->lock);
}

static const char *const s3_schemes[] = {"s3", "s3a", "s3n", NULL};

const struct hr_store_driver hr_store_s3 = {
    .name = "s3",
    .schemes = s3_schemes,
    .open = s3_open,
    .close = s3_close,
    .list = hr_s3_list,
    .stat = hr_s3_stat,
    .submit = hr_s3_submit,
    .abandon = hr_s3_abandon,
    .cancel = s3_cancel,
    .put = hr_s3_put,
    .remove = hr_s3_remove,
    .mp_create = hr_s3_mp_create,
    .mp_complete = hr_s3_mp_complete,
    .mp_abort = hr_s3_mp_abort,
    .mp_list = hr_s3_mp_list,
    .clock_us = s3_clock,
    .counters = s3_counters,
};
