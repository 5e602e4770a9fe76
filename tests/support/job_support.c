/* tests/support/job_support.c - see job_support.h. */
#include "job_support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/copy.h"
#include "api/sync.h"
#include "store/mem/mem_store.h"

#define IDS_MAX (JOB_FILES * JOB_LINES * 2)

const struct job_shape job_shapes[] = {
    {"append",
     HR_SYNC_INCREMENTAL,
     1,
     NULL,
     30000,
     false,
     {"checkpoint_mb", "1", "task_objects", "1"}},
    {"overwrite", HR_SYNC_FULL_REFRESH, 1, NULL, 0, false, {"task_objects", "2"}},
    {"jsonl",
     HR_SYNC_INCREMENTAL,
     2,
     NULL,
     0,
     false,
     {"destination.format", "jsonl", "destination.compression", "none", "task_objects", "1"}},
    {"csv.gz",
     HR_SYNC_FULL_REFRESH,
     2,
     NULL,
     0,
     false,
     {"destination.format", "csv", "destination.compression", "gzip", "task_objects", "1"}},
    {"partitions",
     HR_SYNC_INCREMENTAL,
     1,
     "/p={part,none,}",
     0,
     false,
     {"destination.format", "avro"}},
    {"quarantine",
     HR_SYNC_INCREMENTAL,
     1,
     NULL,
     0,
     true,
     {"on_error", "quarantine", "schema_evolution", "rescue"}},
};

const size_t job_shape_count = HR_COUNTOF(job_shapes);

struct hr_store *job_open(const char *uri) {
    const bool mem = strncmp(uri, "mem:", 4) == 0;
    const struct hr_store_conf conf = {.scheme = mem ? "mem" : "file",
                                       .bucket = strchr(uri, ':') + 1};
    struct hr_store *store = NULL;
    struct hr_error err;
    assert_rc(hr_store_open(&conf, &store, &err), 0, &err);
    return store;
}

void job_put_file(const struct job_place *place, const struct job_shape *shape, int file) {
    const size_t room = 4096 + (size_t)JOB_LINES * (size_t)shape->pad;
    char *text = malloc(room);
    struct hr_store *lake = job_open(place->lake);
    char key[60];
    char etag[80];
    struct hr_error err;
    const struct hr_put_opts any = {.cond = HR_PUT_ANY};
    size_t n = (size_t)snprintf(text, room, "id,part,amount,text\n");
    for (int i = 0; i < JOB_LINES; i++) {
        n += (size_t)snprintf(text + n, room - n, "%d,%c,%d%s,line %d%0*d\n", file * JOB_LINES + i,
                              'a' + i % 3, i * 7, file == 2 && i > 6 ? ".5" : "", i, shape->pad + 1,
                              0);
    }
    if (file < JOB_FILES && shape->bad) {
        n += (size_t)snprintf(text + n, room - n, "bad,x\n");
    }
    snprintf(key, sizeof(key), "data/ev/%02d.csv", file);
    assert_rc(
        lake->driver->put(lake, key, (struct hr_slice){(const uint8_t *)text, n}, &any, etag, &err),
        0, &err);
    hr_store_close(lake);
    free(text);
}

static int set_all(struct hr_settings *s, const struct job_place *place,
                   const struct job_shape *shape, struct hr_error *err) {
    char source[320];
    char destination[320];
    snprintf(source, sizeof(source), "%s/data/", place->lake);
    snprintf(destination, sizeof(destination), "%s/", place->out);
    const char *const common[] = {
        "uri",
        source,
        "destination.uri",
        destination,
        "file_format",
        "csv",
        "lineage",
        "abc",
        "stream_by",
        "folder",
        "state_lease_seconds",
        "60",
        "cost_limit_usd",
        "0",
    };
    int rc = hr_settings_init(s, err);
    for (size_t i = 0; rc == 0 && i < HR_COUNTOF(common); i += 2) {
        rc = hr_settings_set_text(s, common[i], common[i + 1], err);
    }
    for (size_t i = 0; rc == 0 && shape->sets[i] != NULL; i += 2) {
        rc = hr_settings_set_text(s, shape->sets[i], shape->sets[i + 1], err);
    }
    return rc == 0 ? hr_settings_finish(s, err) : rc;
}

int job_sync(const struct job_place *place, const struct job_shape *shape, struct hr_error *err) {
    struct hr_settings settings;
    struct hr_catalog catalog;
    struct hr_stream *stream = NULL;
    struct hr_summary summary = {0};
    hr_error_clear(err);
    hr_catalog_init(&catalog);
    int rc = set_all(&settings, place, shape, err);
    if (rc == 0) {
        rc = hr_catalog_add(&catalog, "ev", "s3", &stream, err);
    }
    if (rc == 0) {
        stream->sync_mode = shape->mode;
        stream->normalization = HR_YES;
    }
    if (rc == 0 && shape->regex != NULL) {
        hr_free(stream->partition_regex);
        stream->partition_regex = hr_strdup(shape->regex);
        rc = stream->partition_regex ? 0 : hr_fail(err, HR_E_NOMEM, "could not copy a regex");
    }
    if (rc == 0) {
        const struct hr_sync_conf conf = {.settings = &settings,
                                          .dialect = &hr_dialect_olake,
                                          .catalog = &catalog,
                                          .state_path = place->state,
                                          .workers = shape->workers};
        rc = hr_sync(&conf, &summary, err);
    }
    hr_catalog_release(&catalog);
    hr_settings_release(&settings);
    return rc;
}

static int compare_ids(const void *a, const void *b) {
    return *(const int *)a - *(const int *)b;
}

/* The ids of every visible row, by a copy to JSON lines. */
static size_t read_ids(const struct job_place *place, const char *format, int *ids) {
    char source[320];
    struct hr_settings settings;
    struct hr_summary summary = {0};
    struct hr_error err;
    struct hr_buf text;
    char pattern[40];
    size_t n = 0;
    hr_error_clear(&err);
    snprintf(source, sizeof(source), "%s/", place->out);
    snprintf(pattern, sizeof(pattern), "**/*.%s", format);
    assert_rc(hr_settings_init(&settings, &err), 0, &err);
    assert_rc(hr_settings_set_text(&settings, "uri", source, &err), 0, &err);
    assert_rc(hr_settings_set_text(&settings, "file_pattern", pattern, &err), 0, &err);
    assert_rc(hr_settings_set_text(&settings, "file_format", "auto", &err), 0, &err);
    assert_rc(hr_settings_set_text(&settings, "destination.format", "jsonl", &err), 0, &err);
    assert_rc(hr_settings_set_text(&settings, "destination.compression", "none", &err), 0, &err);
    assert_rc(hr_settings_set_text(&settings, "destination.uri", "mem:shown/all.jsonl", &err), 0,
              &err);
    assert_rc(hr_settings_finish(&settings, &err), 0, &err);
    const struct hr_copy_conf conf = {
        .sources = &settings, .n_sources = 1, .stream_fd = -1, .workers = 1};
    assert_rc(hr_copy(&conf, &summary, &err), 0, &err);
    hr_settings_release(&settings);
    struct hr_store *shown = job_open("mem:shown");
    hr_buf_init(&text, 0);
    assert_rc(hr_store_get(shown, "all.jsonl", 0, -1, NULL, &text, NULL, &err), 0, &err);
    for (const char *at = hr_buf_cstr(&text); (at = strstr(at, "\"id\":")) != NULL; at += 5) {
        assert_true(n < IDS_MAX);
        ids[n++] = (int)strtol(at + 5, NULL, 10);
    }
    hr_buf_release(&text);
    hr_store_close(shown);
    hr_mem_store_drop("shown");
    qsort(ids, n, sizeof(*ids), compare_ids);
    return n;
}

static int count_upload(void *user, const struct hr_upload *upload) {
    (void)upload;
    ++*(int *)user;
    return 0;
}

static const char *format_of(const struct job_shape *shape) {
    for (size_t i = 0; shape->sets[i] != NULL; i += 2) {
        if (strcmp(shape->sets[i], "destination.format") == 0) {
            return strcmp(shape->sets[i + 1], "csv") == 0 ? "csv.gz" : shape->sets[i + 1];
        }
    }
    return "parquet";
}

void job_expect(const struct job_place *place, const struct job_shape *shape, int files,
                const char *what, int64_t at) {
    int ids[IDS_MAX];
    const size_t n = read_ids(place, format_of(shape), ids);
    bool right = n == (size_t)(files * JOB_LINES);
    for (size_t i = 0; right && i < n; i++) {
        right = ids[i] == (int)i;
    }
    if (!right) {
        fail_msg("%s, %s at place %lld: %zu rows of %d", shape->name, what, (long long)at, n,
                 files * JOB_LINES);
    }
    int open = 0;
    struct hr_error err;
    struct hr_store *out = job_open(place->out);
    assert_rc(out->driver->mp_list(out, "", count_upload, &open, &err), 0, &err);
    hr_store_close(out);
    if (open != 0) {
        fail_msg("%s, %s at place %lld: %d uploads are open", shape->name, what, (long long)at,
                 open);
    }
}
