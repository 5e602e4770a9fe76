/* store/url.c - the places a user can name: s3://bucket/key, file:path, plain paths, mem:name/key
 * and "-".
 *
 * Purely by syntax, nothing is looked up. No percent-decoding: keys and paths are byte strings, and
 * a '%' in them is a '%'. */
#include "base/mem.h"
#include "store/store_table.h"

#define MAX_URL 8192

/* Length of "scheme" in "scheme:rest", 0 when the text does not start with one. */
static size_t scheme_len(const char *text) {
    size_t n = 0;
    while ((text[n] >= 'a' && text[n] <= 'z') || (text[n] >= 'A' && text[n] <= 'Z') ||
           (n > 0 && ((text[n] >= '0' && text[n] <= '9') || text[n] == '+' || text[n] == '-' ||
                      text[n] == '.'))) {
        n++;
    }
    return text[n] == ':' ? n : 0;
}

static int fill(struct hr_url *out, const char *scheme, const char *bucket, size_t bucket_len,
                const char *key, struct hr_error *err) {
    out->scheme = hr_strdup(scheme);
    out->bucket = hr_strndup(bucket, bucket_len);
    out->key = hr_strdup(key);
    if (out->scheme == NULL || out->bucket == NULL || out->key == NULL) {
        hr_url_release(out);
        return hr_fail(err, HR_E_NOMEM, "could not read a location: out of memory");
    }
    return 0;
}

/* bucket/key behind an authority. */
static int parse_bucket(const char *text, const char *rest, const char *scheme, const char *what,
                        struct hr_url *out, struct hr_error *err) {
    size_t n = strcspn(rest, "/");
    if (n == 0) {
        char shown[100];
        hr_fail(err, HR_E_CONFIG, "could not read the location '%s': no %s is named",
                hr_printable(hr_slice_str(text), 80, shown, sizeof(shown)), what);
        hr_error_hint(err, "write %s",
                      strcmp(scheme, "s3") == 0 ? "s3://BUCKET/KEY" : "mem:NAME/KEY");
        return HR_E_CONFIG;
    }
    return fill(out, scheme, rest, n, rest[n] == '/' ? rest + n + 1 : rest + n, err);
}

/* The folder part reaches to the last slash before the first glob character; a last component of
 * "." or ".." is a folder too. */
static int parse_path(const char *path, struct hr_url *out, struct hr_error *err) {
    size_t literal = hr_glob_literal_prefix(path);
    size_t cut = literal;
    while (cut > 0 && path[cut - 1] != '/') {
        cut--;
    }
    const char *key = path + cut;
    if (strcmp(key, ".") == 0 || strcmp(key, "..") == 0) {
        return fill(out, "file", path, strlen(path), "", err);
    }
    if (cut == 0) {
        return fill(out, "file", ".", 1, key, err);
    }
    size_t folder = cut;
    while (folder > 1 && path[folder - 1] == '/') {
        folder--;
    }
    return fill(out, "file", path, folder, key, err);
}

static int unknown_scheme(const char *text, size_t n, struct hr_error *err) {
    char shown[100];
    const struct hr_store_driver *driver = hr_store_driver_find(text, n);
    hr_fail(err, HR_E_CONFIG, "could not read the location '%s': its scheme is not %s",
            hr_printable(hr_slice_str(text), 80, shown, sizeof(shown)),
            driver ? "built in" : "known");
    if (driver != NULL && driver->missing != NULL) {
        hr_error_hint(err, "%s", driver->missing);
    } else {
        hr_error_hint(err, "known are s3://, file: and plain paths, mem: and -; a file whose name "
                           "has a colon is written ./NAME");
    }
    return HR_E_CONFIG;
}

int hr_url_parse(const char *text, struct hr_url *out, struct hr_error *err) {
    *out = (struct hr_url){0};
    size_t len = strlen(text);
    if (len == 0) {
        return hr_fail(err, HR_E_CONFIG, "could not read a location: it is empty");
    }
    if (len > MAX_URL) {
        return hr_fail(err, HR_E_CONFIG,
                       "could not read a location: it has %zu bytes, more than %d", len, MAX_URL);
    }
    if (strcmp(text, "-") == 0) {
        return fill(out, "stdio", "-", 1, "-", err);
    }
    size_t n = scheme_len(text);
    if (n == 0) {
        return parse_path(text, out, err);
    }
    const char *rest = text + n + 1;
    bool authority = rest[0] == '/' && rest[1] == '/';
    if (authority && (strncmp(text, "s3:", 3) == 0 || strncmp(text, "s3a:", 4) == 0 ||
                      strncmp(text, "s3n:", 4) == 0)) {
        return parse_bucket(text, rest + 2, "s3", "bucket", out, err);
    }
    if (strncmp(text, "file:", 5) == 0) {
        if (authority && strncmp(rest + 2, "localhost/", 10) == 0) {
            rest += 11;
        } else if (authority && rest[2] == '/') {
            rest += 2;
        } else if (authority) {
            char shown[100];
            hr_fail(err, HR_E_CONFIG, "could not read the location '%s': it names a host",
                    hr_printable(hr_slice_str(text), 80, shown, sizeof(shown)));
            hr_error_hint(err, "write file:///ABSOLUTE/PATH or file:RELATIVE/PATH");
            return HR_E_CONFIG;
        }
        if (rest[0] == '\0') {
            return hr_fail(err, HR_E_CONFIG,
                           "could not read the location 'file:': no path follows");
        }
        return parse_path(rest, out, err);
    }
    if (strncmp(text, "mem:", 4) == 0) {
        return parse_bucket(text, authority ? rest + 2 : rest, "mem", "instance", out, err);
    }
    return unknown_scheme(text, n, err);
}

void hr_url_release(struct hr_url *url) {
    hr_free(url->scheme);
    hr_free(url->bucket);
    hr_free(url->key);
    *url = (struct hr_url){0};
}
