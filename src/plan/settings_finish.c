/* plan/settings_finish.c - checks that span options, and places: from bucket, prefix, endpoint or
 * URL to the scheme, root and prefix a store is opened and listed with.
 *
 * May run again after more options were set: everything it fills is recomputed from the options,
 * never from what an earlier run left.
 */
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/time.h"
#include "plan/settings.h"

/* ---- places ---------------------------------------------------------------------------------- */

static int nomem(struct hr_error *err) {
    return hr_fail(err, HR_E_NOMEM, "out of memory while reading options");
}

static void replace(char **slot, char *text) {
    hr_free(*slot);
    *slot = text;
}

/* "a" + "/" + "b", one slash between. */
static char *join(const char *a, const char *b) {
    struct hr_buf buf;
    while (b[0] == '.' && b[1] == '/') {
        b += 2;
    }
    if (strcmp(b, ".") == 0) {
        return hr_strdup(a);
    }
    if (strcmp(a, ".") == 0 && *b) {
        return hr_strdup(b);
    }
    hr_buf_init(&buf, 1u << 20);
    size_t len = strlen(a);
    while (len > 1 && a[len - 1] == '/') {
        len--;
    }
    while (*b == '/') {
        b++;
    }
    if (hr_buf_append(&buf, a, len, NULL) ||
        (len && a[len - 1] != '/' && hr_buf_append_byte(&buf, '/', NULL)) ||
        hr_buf_append_str(&buf, b, NULL)) {
        hr_buf_release(&buf);
        return NULL;
    }
    return hr_buf_detach(&buf);
}

/* "/data/" and "data" -> "data/"; "" and "/" -> "". */
static char *folder_text(const char *text) {
    while (*text == '/') {
        text++;
    }
    size_t len = strlen(text);
    while (len && text[len - 1] == '/') {
        len--;
    }
    char *out = hr_malloc(len + 2);
    if (out) {
        memcpy(out, text, len);
        if (len) {
            out[len++] = '/';
        }
        out[len] = 0;
    }
    return out;
}

static int check_bucket(const char *what, const char *bucket, struct hr_error *err) {
    if (*bucket && strchr(bucket, '/') == NULL && strcmp(bucket, ".") != 0 &&
        strcmp(bucket, "..") != 0) {
        return 0;
    }
    char shown[100];
    hr_printable(hr_slice_str(bucket), 80, shown, sizeof shown);
    int rc = hr_fail(err, HR_E_CONFIG, "the %sbucket cannot be \"%s\": it is not a bucket name",
                     what, shown);
    hr_error_hint(err, "Give the name alone; the folder goes into the path prefix.");
    return rc;
}

/* ${NAME} in a bucket is a variable that was not filled in: no bucket is called so. */
static int check_filled(const char *what, const char *bucket, struct hr_error *err) {
    if (strstr(bucket, "${") == NULL) {
        return check_bucket(what, bucket, err);
    }
    int rc = hr_fail(err, HR_E_CONFIG, "the %sbucket cannot be \"%.100s\": a variable stands in it",
                     what, bucket);
    hr_error_hint(err, "Variables are filled in in YAML files, and in JSON files with --env.");
    return rc;
}

static int resolve_endpoint(struct hr_place *place, struct hr_error *err) {
    replace(&place->endpoint, NULL);
    if (place->endpoint_url == NULL || *place->endpoint_url == 0) {
        return 0;
    }
    const char *url = place->endpoint_url;
    if (strstr(url, "://")) {
        if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0) {
            int rc = hr_fail(err, HR_E_CONFIG, "the endpoint cannot be \"%.120s\"", url);
            hr_error_hint(err, "Use http://HOST[:PORT], https://HOST[:PORT] or file:FOLDER.");
            return rc;
        }
        place->endpoint = hr_strdup(url);
    } else {
        struct hr_buf buf;
        hr_buf_init(&buf, 8192);
        if (hr_buf_printf(&buf, NULL, "http%s://%s", place->use_ssl ? "s" : "", url) == 0) {
            place->endpoint = hr_buf_detach(&buf);
        }
        hr_buf_release(&buf);
    }
    return place->endpoint ? 0 : nomem(err);
}

/* prefix and object from path_prefix and key. */
static int resolve_key(struct hr_place *place, struct hr_error *err) {
    replace(&place->object, NULL);
    replace(&place->maybe, NULL);
    replace(&place->prefix, folder_text(place->path_prefix ? place->path_prefix : ""));
    if (place->prefix == NULL) {
        return nomem(err);
    }
    if (place->key && *place->key) {
        const char *key = place->key + strspn(place->key, "/");
        place->object = *place->prefix ? join(place->prefix, key) : hr_strdup(key);
        return place->object ? 0 : nomem(err);
    }
    return 0;
}

static bool is_folder(const char *root, const char *key) {
    struct stat st;
    char *path = join(root, key);
    bool folder = path && stat(path, &st) == 0 && S_ISDIR(st.st_mode);
    hr_free(path);
    return folder;
}

/* Does the name end like a file of some known format or codec? */
static bool looks_like_file(const char *key) {
    size_t cut = 0;
    size_t len = strlen(key);
    return hr_format_by_key(key, len) != NULL || hr_codec_by_key(key, len, &cut) != NULL;
}

/* Scheme, root, prefix and object from a URL without glob characters. */
static int resolve_url(struct hr_place *place, const char *text, struct hr_error *err) {
    struct hr_url url = {0};
    int rc = hr_url_parse(text, &url, err);
    if (rc) {
        return rc;
    }
    size_t len = strlen(url.key);
    bool local = strcmp(url.scheme, "file") == 0;
    bool folder = len == 0 || url.key[len - 1] == '/' || (local && is_folder(url.bucket, url.key));
    bool file = !folder && (looks_like_file(url.key) || strcmp(url.scheme, "stdio") == 0);
    replace(&place->object, NULL);
    replace(&place->maybe, NULL);
    bool whole = len > 0 && url.key[len - 1] == '/'; /* s3://b/a// has a folder without a name */
    replace(&place->prefix, whole ? hr_strdup(url.key) : folder_text(file ? "" : url.key));
    if (file) {
        place->object = hr_strdup(url.key);
    } else if (!folder) {
        place->maybe = hr_strdup(url.key);
    }
    bool ok = place->prefix && (!file || place->object) && (folder || file || place->maybe);
    replace(&place->scheme, url.scheme);
    replace(&place->root, url.bucket);
    url.scheme = url.bucket = NULL;
    hr_url_release(&url);
    return ok ? 0 : nomem(err);
}

static int check_keys(const char *what, const struct hr_place *place, struct hr_error *err) {
    bool id = place->access_key_id && *place->access_key_id;
    bool secret = place->secret_access_key && *place->secret_access_key;
    if (id == secret) {
        return 0;
    }
    int rc =
        hr_fail(err, HR_E_CONFIG,
                "the %saccess_key_id and secret_access_key must be given together; only the %s "
                "is there",
                what, id ? "access_key_id" : "secret_access_key");
    hr_error_hint(err, "Give both, or neither: then the environment, profile and shared files are "
                       "asked.");
    return rc;
}

static bool given(const char *text) {
    return text && *text;
}

static bool is_file_endpoint(const struct hr_place *place) {
    return given(place->endpoint_url) && strncmp(place->endpoint_url, "file:", 5) == 0;
}

/* file:FOLDER as an endpoint: a bucket is a folder beneath it; a relative one starts at the
 * config's. */
static int use_file_endpoint(const struct hr_settings *settings, struct hr_place *place,
                             const char *bucket, struct hr_error *err) {
    const char *folder = place->endpoint_url + strlen("file:");
    if (folder[0] == '/' && folder[1] == '/') {
        folder += 2;
    }
    const char *base = settings->config_dir ? settings->config_dir : ".";
    char *start = folder[0] == '/' ? hr_strdup(folder) : join(base, folder[0] ? folder : ".");
    char *root = start ? join(start, bucket) : NULL;
    char *scheme = hr_strdup("file");
    hr_free(start);
    if (root == NULL || scheme == NULL) {
        hr_free(root);
        hr_free(scheme);
        return nomem(err);
    }
    replace(&place->root, root);
    replace(&place->scheme, scheme);
    return 0;
}

static int use_bucket(const struct hr_settings *settings, const char *what, struct hr_place *place,
                      struct hr_error *err) {
    int rc = check_filled(what, place->bucket, err);
    if (rc == 0) {
        rc = resolve_key(place, err);
    }
    if (rc == 0 && is_file_endpoint(place)) {
        return use_file_endpoint(settings, place, place->bucket, err);
    }
    if (rc == 0) {
        replace(&place->scheme, hr_strdup("s3"));
        replace(&place->root, hr_strdup(place->bucket));
        rc = place->scheme && place->root ? resolve_endpoint(place, err) : nomem(err);
    }
    return rc;
}

static int use_uri(const struct hr_settings *settings, const char *what, struct hr_place *place,
                   struct hr_error *err) {
    if (given(place->bucket) || given(place->key)) {
        return hr_fail(err, HR_E_CONFIG, "the %suri cannot stand beside a bucket or a key", what);
    }
    int rc = resolve_url(place, place->uri, err);
    if (rc || strcmp(place->scheme, "s3") != 0) {
        return rc;
    }
    if (is_file_endpoint(place)) {
        char *bucket = place->root;
        place->root = NULL;
        rc = use_file_endpoint(settings, place, bucket, err);
        hr_free(bucket);
        return rc;
    }
    return resolve_endpoint(place, err);
}

/* what: "" or "destination's ", for messages. Without uri and bucket the place stays unresolved. */
static int resolve_place(const struct hr_settings *settings, const char *what,
                         struct hr_place *place, struct hr_error *err) {
    int rc = check_keys(what, place, err);
    replace(&place->scheme, NULL);
    replace(&place->root, NULL);
    if (rc == 0 && given(place->uri)) {
        rc = use_uri(settings, what, place, err);
    } else if (rc == 0 && given(place->bucket)) {
        rc = use_bucket(settings, what, place, err);
    }
    return rc;
}

/* ---- the rest -------------------------------------------------------------------------------- */

static int check_format(const char *what, const char *name, const struct hr_format **out,
                        struct hr_error *err) {
    const struct hr_format *format = hr_format_by_name(name, strlen(name));
    if (out) {
        *out = format;
    }
    if (format && format->missing == NULL) {
        return 0;
    }
    if (format) {
        return hr_fail(err, HR_E_CONFIG, "the %sfile format \"%s\" cannot be used: %s", what,
                       format->name, format->missing);
    }
    char shown[80];
    hr_printable(hr_slice_str(name), 60, shown, sizeof shown);
    int rc = hr_fail(err, HR_E_CONFIG, "unknown %sfile format \"%s\"", what, shown);
    hr_error_hint(err, "Formats: csv, tsv, json, jsonl, parquet, avro, text.");
    return rc;
}

static int check_codec(const char *what, const char *name, struct hr_error *err) {
    if (name == NULL || *name == 0 || strcmp(name, "none") == 0) {
        return 0;
    }
    const struct hr_codec *codec = hr_codec_by_name(name, strlen(name));
    if (codec && codec->missing == NULL) {
        return 0;
    }
    char shown[80];
    hr_printable(hr_slice_str(name), 60, shown, sizeof shown);
    if (codec) {
        return hr_fail(err, HR_E_CONFIG, "the %scompression \"%s\" cannot be used: %s", what, shown,
                       codec->missing);
    }
    int rc = hr_fail(err, HR_E_CONFIG, "unknown %scompression \"%s\"", what, shown);
    hr_error_hint(err, "Codecs: gzip, bzip2, zstd, lz4, snappy, brotli, or none.");
    return rc;
}

/* A date or a time as microseconds; without a zone it is UTC. */
static int parse_moment(const char *option, const char *text, int64_t unset, int64_t *out,
                        struct hr_error *err) {
    int32_t days = 0;
    int32_t nanos = 0;
    int64_t seconds = 0;
    bool zone = false;
    int digits = 0;
    *out = unset;
    if (!given(text)) {
        return 0;
    }
    size_t len = strlen(text);
    if (hr_parse_date(text, len, &days)) {
        *out = (int64_t)days * 86400 * 1000000;
        return 0;
    }
    if (hr_parse_timestamp(text, len, &seconds, &nanos, &zone, &digits)) {
        *out = seconds * 1000000 + nanos / 1000;
        return 0;
    }
    char shown[80];
    hr_printable(hr_slice_str(text), 60, shown, sizeof shown);
    int rc = hr_fail(err, HR_E_CONFIG, "option \"%s\" cannot be \"%s\"", option, shown);
    hr_error_hint(err, "Write 2025-01-31 or 2025-01-31T12:00:00Z.");
    return rc;
}

static int finish_dest(struct hr_settings *settings, struct hr_error *err) {
    static const char *const names[] = {"auto", "local", "s3", "stdout"};
    struct hr_dest *dest = &settings->dest;
    const char *scheme = dest->place.scheme;
    int found = scheme == NULL                 ? HR_DEST_NONE
                : strcmp(scheme, "file") == 0  ? HR_DEST_LOCAL
                : strcmp(scheme, "stdio") == 0 ? HR_DEST_STDOUT
                                               : HR_DEST_S3;
    bool file_bucket =
        found == HR_DEST_LOCAL && dest->type == HR_DEST_S3 && is_file_endpoint(&dest->place);
    if (dest->type != HR_DEST_NONE && found != HR_DEST_NONE && found != dest->type &&
        !file_bucket) {
        return hr_fail(err, HR_E_CONFIG, "the destination's type is %s, but its place is %s",
                       names[dest->type], names[found]);
    }
    if (dest->type == HR_DEST_LOCAL && found == HR_DEST_NONE) {
        int rc = hr_fail(err, HR_E_CONFIG, "the destination names no folder");
        hr_error_hint(err, "Set uri to a folder.");
        return rc;
    }
    if (found != HR_DEST_NONE) {
        dest->type = found;
    }
    if (dest->type == HR_DEST_NONE) {
        return 0; /* there is no destination: discover, ls, null: */
    }
    const struct hr_format *format = NULL;
    int rc = check_format("destination's ", dest->file_format, &format, err);
    if (rc == 0 && format->encoder == NULL) {
        rc = hr_fail(err, HR_E_CONFIG, "the format \"%s\" can be read, not written", format->name);
    }
    return rc ? rc : check_codec("destination's ", dest->compression, err);
}

static int finish_source(struct hr_settings *settings, struct hr_error *err) {
    struct hr_file_opts *files = &settings->files;
    int rc = 0;
    if (strcmp(files->file_format, "auto") != 0) {
        rc = check_format("", files->file_format, NULL, err);
    }
    if (rc == 0) {
        rc = check_codec("", files->compression, err);
    }
    if (rc == 0) {
        rc = parse_moment("start_date", files->start_date, INT64_MIN, &files->start_us, err);
    }
    if (rc == 0) {
        rc = parse_moment("end_date", files->end_date, INT64_MAX, &files->end_us, err);
    }
    if (rc == 0 && files->start_us >= files->end_us) {
        rc = hr_fail(err, HR_E_CONFIG, "end_date is not after start_date: no file can match");
    }
    return rc;
}

int hr_settings_finish(struct hr_settings *settings, struct hr_error *err) {
    struct hr_sync_opts *sync = &settings->sync;
    int rc = resolve_place(settings, "", &settings->place, err);
    if (rc == 0) {
        rc = resolve_place(settings, "destination's ", &settings->dest.place, err);
    }
    if (rc == 0) {
        rc = finish_source(settings, err);
    }
    if (rc == 0) {
        rc = finish_dest(settings, err);
    }
    if (rc == 0) {
        rc = parse_moment("run_time", sync->run_time, -1, &sync->run_us, err);
    }
    if (rc == 0 && given(sync->cursor_field) &&
        strcmp(sync->cursor_field, "_last_modified_time") != 0) {
        rc = hr_fail(err, HR_E_CONFIG, "the cursor \"%.80s\" is a column, which is not built yet",
                     sync->cursor_field);
        hr_error_hint(err, "Use _last_modified_time: files that were not read before.");
    }
    return rc;
}

const struct hr_format *hr_settings_dest_format(const struct hr_settings *settings) {
    const char *name = settings->dest.file_format;
    return name ? hr_format_by_name(name, strlen(name)) : NULL;
}

int hr_settings_write_opts(const struct hr_settings *settings, struct hr_write_opts *out,
                           struct hr_error *err) {
    const struct hr_dest *dest = &settings->dest;
    const struct hr_format *format = hr_settings_dest_format(settings);
    const char *codec = dest->compression;
    if (format == NULL) {
        return check_format("destination's ", dest->file_format, NULL, err);
    }
    if (!given(codec)) {
        codec = (format->flags & HR_FMT_CODEC_INSIDE) ? "snappy" : "gzip";
    }
    hr_write_opts_init(out);
    out->codec = strcmp(codec, "none") == 0 ? NULL : hr_codec_by_name(codec, strlen(codec));
    if (out->codec == NULL && strcmp(codec, "none") != 0) {
        return check_codec("destination's ", codec, err);
    }
    out->codec_level = (int)dest->compression_level;
    out->row_group_rows = dest->row_group_rows;
    if (format->flags & HR_FMT_CODEC_INSIDE) {
        out->row_group_bytes = (uint64_t)dest->row_group_mb << 20;
    }
    out->page_bytes = (uint64_t)dest->page_size_kb << 10;
    out->dictionary = dest->dictionary;
    out->statistics = dest->statistics;
    out->page_index = dest->page_index;
    out->page_crc = dest->page_crc;
    out->classic = dest->encodings == 1;
    out->parquet_version = dest->parquet_version + 1;
    out->bloom_columns = dest->bloom_filter_columns;
    out->csv = (struct hr_csv_opts *)(uintptr_t)&dest->csv;
    out->json = (struct hr_json_opts *)(uintptr_t)&dest->json;
    return 0;
}

/* ---- URLs of the command line ---------------------------------------------------------------- */

/* Has the key a character with a meaning in patterns that no backslash took away? */
static bool has_pattern(const char *key, const char *special) {
    for (; *key; key++) {
        if (*key == '\\' && key[1]) {
            key++;
        } else if (strchr(special, *key)) {
            return true;
        }
    }
    return false;
}

/* Take the backslashes out that stand before one of `before`, NULL: before anything. */
static void unescape(char *key, const char *before) {
    char *to = key;
    for (const char *from = key; *from; from++) {
        from += *from == '\\' && from[1] && (before == NULL || strchr(before, from[1]));
        *to++ = *from;
    }
    *to = 0;
}

/* Cut a key with glob characters into its literal folder and the pattern below it; what a pattern
 * that ends in '/' means is all in such folders. */
static int cut_glob(struct hr_url *url, char **out_glob, struct hr_error *err) {
    size_t literal = hr_glob_literal_prefix(url->key);
    while (literal && url->key[literal - 1] != '/') {
        literal--;
    }
    size_t len = strlen(url->key + literal);
    char *glob = hr_malloc(len + 3);
    if (glob == NULL) {
        return nomem(err);
    }
    memcpy(glob, url->key + literal, len + 1);
    if (len && glob[len - 1] == '/') {
        memcpy(glob + len, "**", 3);
    }
    url->key[literal] = 0;
    *out_glob = glob;
    return 0;
}

/* A place to write to: brackets and braces are names, of which folders of real lakes are full. */
static int refuse_glob(struct hr_url *url, struct hr_error *err) {
    if (has_pattern(url->key, "*?")) {
        hr_fail(err, HR_E_USAGE, "a glob cannot stand here: \"%.200s\"", url->key);
        hr_error_hint(err, "one place is written to; for a name with such a character put a "
                           "backslash before it");
        return HR_E_USAGE;
    }
    unescape(url->key, "*?[]{}\\");
    return 0;
}

/* The URL put together again, as resolve_url reads it. */
static char *url_text(const struct hr_url *url) {
    struct hr_buf buf;
    hr_buf_init(&buf, 1u << 20);
    bool s3 = strcmp(url->scheme, "s3") == 0;
    bool mem = strcmp(url->scheme, "mem") == 0;
    size_t len = strlen(url->bucket);
    int rc = s3 || mem ? hr_buf_printf(&buf, NULL, "%s%s/%s", s3 ? "s3://" : "mem:", url->bucket,
                                       url->key)
                       : hr_buf_printf(&buf, NULL, "file:%s%s%s", url->bucket,
                                       len && url->bucket[len - 1] == '/' ? "" : "/", url->key);
    char *text = rc ? NULL : hr_buf_detach(&buf);
    hr_buf_release(&buf);
    return text;
}

int hr_place_set_url(struct hr_place *place, const char *url, char **out_glob,
                     struct hr_error *err) {
    struct hr_url parsed = {0};
    char *glob = NULL;
    char *literal = NULL;
    char *uri = NULL;
    int rc = hr_url_parse(url, &parsed, err);
    if (rc) {
        return rc;
    }
    bool special = parsed.key[hr_glob_literal_prefix(parsed.key)] != 0;
    if (special && out_glob == NULL) {
        rc = refuse_glob(&parsed, err);
    } else if (special) {
        bool folder = strcmp(parsed.scheme, "file") == 0 && is_folder(parsed.bucket, parsed.key);
        literal = folder ? folder_text(parsed.key) : hr_strdup(parsed.key);
        rc = literal ? 0 : nomem(err);
        if (rc == 0 && has_pattern(parsed.key, "*?[{")) {
            rc = cut_glob(&parsed, &glob, err);
        } else {
            unescape(parsed.key, NULL);
        }
    }
    if (rc == 0) {
        uri = special ? url_text(&parsed) : hr_strdup(url);
        rc = uri ? 0 : nomem(err);
    }
    if (rc == 0) {
        replace(&place->uri, uri);
        replace(&place->bucket, NULL);
        replace(&place->key, NULL);
        replace(&place->literal, literal);
        literal = NULL;
        if (out_glob) {
            *out_glob = glob;
            glob = NULL;
        }
    }
    hr_free(literal);
    hr_free(glob);
    hr_url_release(&parsed);
    return rc;
}
