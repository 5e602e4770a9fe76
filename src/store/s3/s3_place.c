/* store/s3/s3_place.c - where a bucket is: endpoint, host, path and the signer of its region. */
#include "store/s3/s3.h"

#include <ctype.h>

#include "base/mem.h"

static int bad_endpoint(const char *url, const char *why, struct hr_error *err) {
    /* Only up to an '@': what stands before it may be a password. */
    char shown[100];
    const char *at = strrchr(url, '@');
    hr_fail(err, HR_E_CONFIG, "could not use endpoint_url '%s%s': %s", at ? "…" : "",
            hr_printable(hr_slice_str(at ? at : url), 80, shown, sizeof(shown)), why);
    hr_error_hint(err, "write it as https://HOST or http://HOST:PORT");
    return HR_E_CONFIG;
}

static bool host_char(char c) {
    return isalnum((unsigned char)c) || strchr(".-_:[]%", c) != NULL;
}

int hr_s3_endpoint_parse(const char *url, struct s3_endpoint *out, struct hr_error *err) {
    *out = (struct s3_endpoint){0};
    const char *sep = strstr(url, "://");
    const char *rest = sep ? sep + 3 : url;
    const char *scheme = "https";
    if (sep != NULL && strncmp(url, "http://", 7) == 0) {
        scheme = "http";
    } else if (sep != NULL && strncmp(url, "https://", 8) != 0) {
        return bad_endpoint(url, "its scheme is neither http nor https", err);
    }
    size_t host = strcspn(rest, "/?#");
    size_t base = strcspn(rest + host, "?#");
    if (memchr(rest, '@', host) != NULL) {
        return bad_endpoint(url, "it holds a user name or password", err);
    }
    if (host == 0 || host > 255 || rest[host + base] != '\0') {
        return bad_endpoint(url, host == 0 || host > 255 ? "it names no host" : "it has a query",
                            err);
    }
    for (size_t i = 0; i < host; i++) {
        if (!host_char(rest[i])) {
            return bad_endpoint(url, "its host has a character that hosts cannot have", err);
        }
    }
    for (size_t i = host; i < host + base; i++) {
        if ((unsigned char)rest[i] <= ' ' || (unsigned char)rest[i] > '~' || rest[i] == '%') {
            return bad_endpoint(url, "its path has a character that needs encoding", err);
        }
    }
    while (base > 0 && rest[host + base - 1] == '/') {
        base--;
    }
    out->scheme = hr_strdup(scheme);
    out->authority = hr_strndup(rest, host);
    out->base = hr_strndup(rest + host, base);
    if (out->scheme == NULL || out->authority == NULL || out->base == NULL) {
        hr_s3_endpoint_release(out);
        return hr_fail(err, HR_E_NOMEM, "could not use endpoint_url: out of memory");
    }
    /* The host without its port must not be an address we refuse. */
    char name[256];
    size_t n = rest[0] == '[' ? strcspn(rest, "]") + 1 : strcspn(rest, ":/?#");
    memcpy(name, rest, n < host ? n : host);
    name[n < host ? n : host] = '\0';
    if (hr_http_address_refused(name)) {
        hr_s3_endpoint_release(out);
        return bad_endpoint(url, "link-local addresses and metadata services are refused", err);
    }
    return 0;
}

void hr_s3_endpoint_release(struct s3_endpoint *ep) {
    hr_free(ep->scheme);
    hr_free(ep->authority);
    hr_free(ep->base);
    *ep = (struct s3_endpoint){0};
}

int hr_s3_check_bucket(const char *bucket, struct hr_error *err) {
    size_t n = strlen(bucket);
    bool ok = n >= 1 && n <= 255 && strcmp(bucket, ".") != 0 && strcmp(bucket, "..") != 0;
    for (size_t i = 0; i < n && ok; i++) {
        ok = isalnum((unsigned char)bucket[i]) || strchr("-._", bucket[i]) != NULL;
    }
    if (ok) {
        return 0;
    }
    char shown[100];
    hr_fail(err, HR_E_CONFIG, "could not use '%s' as the name of a bucket",
            hr_printable(hr_slice_str(bucket), 80, shown, sizeof(shown)));
    hr_error_hint(err, "a bucket's name has letters, digits, '-', '.' and '_' only; what follows "
                       "it belongs into path_prefix or key");
    return HR_E_CONFIG;
}

/* AWS's own host for a region. */
static int aws_authority(const char *region, struct hr_buf *out, struct hr_error *err) {
    const char *suffix = strncmp(region, "cn-", 3) == 0 ? "amazonaws.com.cn" : "amazonaws.com";
    return hr_buf_printf(out, err, "s3.%s.%s", region, suffix);
}

static int fill_place(struct s3_place *p, const struct s3_endpoint *ep, const char *bucket,
                      bool path_style, struct hr_error *err) {
    struct hr_buf host;
    struct hr_buf origin;
    struct hr_buf path;
    hr_buf_init(&host, 0);
    hr_buf_init(&origin, 0);
    hr_buf_init(&path, 0);
    int rc = path_style ? 0 : hr_buf_printf(&host, err, "%s.", bucket);
    rc = rc        ? rc
         : ep->aws ? aws_authority(p->region, &host, err)
                   : hr_buf_append_str(&host, ep->authority, err);
    rc = rc ? rc : hr_buf_printf(&origin, err, "%s://%s", ep->scheme, hr_buf_cstr(&host));
    rc = rc ? rc : hr_buf_append_str(&path, ep->base, err);
    if (rc == 0 && path_style) {
        rc = hr_buf_printf(&path, err, "/%s", bucket);
    }
    if (rc == 0) {
        /* Default ports are not sent in the Host header, nor signed. */
        const char *port = strcmp(ep->scheme, "https") == 0 ? ":443" : ":80";
        size_t n = strlen(port);
        if (host.len > n && memcmp(host.ptr + host.len - n, port, n) == 0) {
            host.len -= n;
            host.ptr[host.len] = '\0';
        }
        p->host = hr_buf_detach(&host);
        p->origin = hr_buf_detach(&origin);
        p->path = path.len > 0 ? hr_buf_detach(&path) : hr_strdup("");
        if (p->host == NULL || p->origin == NULL || p->path == NULL) {
            rc = hr_fail(err, HR_E_NOMEM, "could not open a bucket: out of memory");
        }
    }
    hr_buf_release(&host);
    hr_buf_release(&origin);
    hr_buf_release(&path);
    return rc;
}

int hr_s3_place_new(const struct s3_endpoint *ep, const char *region, const char *bucket,
                    bool path_style, const struct hr_cred *cred, struct s3_place **out,
                    struct hr_error *err) {
    struct s3_place *p = hr_calloc(1, sizeof(*p));
    *out = NULL;
    if (p == NULL || (p->region = hr_strdup(region)) == NULL) {
        hr_free(p);
        return hr_fail(err, HR_E_NOMEM, "could not open a bucket: out of memory");
    }
    for (const char *c = region; *c != '\0'; c++) {
        if (!isalnum((unsigned char)*c) && *c != '-') {
            char shown[100];
            hr_s3_place_free(p);
            hr_fail(err, HR_E_CONFIG, "could not use '%s' as the name of a region",
                    hr_printable(hr_slice_str(region), 80, shown, sizeof(shown)));
            return HR_E_CONFIG;
        }
    }
    int rc = fill_place(p, ep, bucket, path_style, err);
    if (rc == 0 && cred->access_key_id != NULL) {
        p->signer =
            hr_signer_new(cred->access_key_id, cred->secret.text, cred->token.text, region, "s3");
        if (p->signer == NULL) {
            rc = hr_fail(err, HR_E_NOMEM, "could not open a bucket: out of memory");
        }
    }
    if (rc != 0) {
        hr_s3_place_free(p);
        return rc;
    }
    *out = p;
    return 0;
}

void hr_s3_place_free(struct s3_place *p) {
    while (p != NULL) {
        struct s3_place *older = p->older;
        hr_signer_free(p->signer);
        hr_free(p->region);
        hr_free(p->origin);
        hr_free(p->host);
        hr_free(p->path);
        hr_free(p);
        p = older;
    }
}
