/* Settings: names of every vocabulary, places from buckets, endpoints and URLs, and what is
 * refused. */
#include <sys/stat.h>

#include "plan/settings.h"
#include "support.h"

static struct hr_settings s;
static struct hr_error err;

static int setup(void **state) {
    (void)state;
    hr_error_clear(&err);
    assert_rc(hr_settings_init(&s, &err), 0, &err);
    return 0;
}
static int teardown(void **state) {
    (void)state;
    hr_settings_release(&s);
    return 0;
}

static void put(const char *name, const char *text) {
    assert_rc(hr_settings_set_text(&s, name, text, &err), 0, &err);
}

static void put_object(const char *json, int want) {
    json_t *doc = json_loads(json, 0, NULL);
    assert_non_null(doc);
    assert_rc(hr_settings_set_object(&s, doc, &err), want, &err);
    json_decref(doc);
}

static void test_seed_defaults(void **state) {
    (void)state;
    assert_string_equal(s.files.file_format, "csv");
    assert_null(s.files.compression);
    assert_true(s.cost.cost_limit_usd > 99.9 && s.cost.cost_limit_usd < 100.1);
    assert_int_equal(s.cost.max_files_per_run, 10000);
    assert_int_equal(s.work.batch_size, 10000);
    assert_int_equal(s.work.parallel_workers, 4);
    assert_true(s.place.use_ssl);
    assert_string_equal(s.place.path_prefix, "");
    assert_int_equal(s.dest.row_group_rows, 122880);
    assert_true(s.format.csv.header);
    assert_true(s.dest.csv.header);
}

static void test_every_row_is_well_made(void **state) {
    (void)state;
    struct hr_option_group groups[HR_SETTINGS_GROUPS_MAX];
    size_t count = hr_settings_groups(groups);
    size_t total = 0;
    for (size_t g = 0; g < count; g++) {
        for (size_t i = 0; i < groups[g].count; i++) {
            const struct hr_option *row = &groups[g].rows[i];
            assert_non_null(row->text);
            size_t len = strlen(row->text);
            assert_true(len > 3);
            assert_true(hr_option_is_default(row, (const char *)&s + groups[g].base));
            assert_true(row->type != HR_OPT_ENUM || (row->values && row->def));
        }
        total += groups[g].count;
    }
    assert_true(total < HR_SETTINGS_ROWS_MAX);
}

static void test_names(void **state) {
    (void)state;
    put("path_prefix", "data");
    put("csv_delimiter", ";");
    put("destination.file_format", "csv");
    put("dest.region", "eu-west-1");
    put("row_group_rows", "1000");
    put("json_array", "true");
    assert_true(s.dest.json.array); /* when reading it means nothing */
    assert_false(s.format.json.array);
    assert_string_equal(s.place.path_prefix, "data");
    assert_string_equal(s.format.csv.delimiter, ";");
    assert_string_equal(s.dest.file_format, "csv");
    assert_string_equal(s.files.file_format, "csv");
    assert_string_equal(s.dest.place.region, "eu-west-1");
    assert_null(s.place.region);
    assert_int_equal(s.dest.row_group_rows, 1000);
    assert_true(hr_settings_given(&s, "path_prefix"));
    assert_true(hr_settings_given(&s, "destination.file_format"));
    assert_false(hr_settings_given(&s, "file_format"));
    assert_false(hr_settings_given(&s, "no_such_thing"));
}

static void test_unknown_names(void **state) {
    (void)state;
    assert_rc(hr_settings_set_text(&s, "path_perfix", "x", &err), HR_E_CONFIG, &err);
    assert_string_equal(err.message, "unknown option \"path_perfix\"");
    assert_string_equal(err.hint, "Did you mean \"path_prefix\"?");
    assert_rc(hr_settings_set_text(&s, "destination.row_group_row", "1", &err), HR_E_CONFIG, &err);
    assert_string_equal(err.hint, "Did you mean \"destination.row_group_rows\"?");
    assert_rc(hr_settings_set_text(&s, "zzzzzzzzzzz", "1", &err), HR_E_CONFIG, &err);
}

static void test_secrets(void **state) {
    (void)state;
    assert_rc(hr_settings_set_text(&s, "secret_access_key", "hunter2", &err), HR_E_USAGE, &err);
    assert_null(strstr(err.message, "hunter2"));
    assert_rc(hr_settings_set_text(&s, "dest.session_token", "hunter2", &err), HR_E_USAGE, &err);
    put_object("{\"bucket\":\"b\",\"access_key\":\"AK\",\"secret_key\":\"SK\"}", 0);
    assert_string_equal(s.place.secret_access_key, "SK");
    assert_rc(hr_settings_finish(&s, &err), 0, &err);
}

static void test_legacy_names(void **state) {
    (void)state;
    put_object("{\"prefix\":\"old\",\"path_prefix\":\"new\",\"format\":\"json\",\"bucket\":\"b\"}",
               0);
    assert_string_equal(s.place.path_prefix, "new");
    assert_string_equal(s.files.file_format, "json");
    teardown(NULL);
    setup(NULL);
    put_object("{\"path_prefix\":\"new\",\"prefix\":\"old\"}", 0);
    assert_string_equal(s.place.path_prefix, "new");
}

static void test_half_a_key_pair(void **state) {
    (void)state;
    put_object("{\"bucket\":\"b\",\"access_key_id\":\"AK\"}", 0);
    assert_rc(hr_settings_finish(&s, &err), HR_E_CONFIG, &err);
    assert_non_null(strstr(err.message, "together"));
}

static void expect_place(const struct hr_place *p, const char *scheme, const char *root,
                         const char *prefix) {
    assert_string_equal(p->scheme, scheme);
    assert_string_equal(p->root, root);
    assert_string_equal(p->prefix, prefix);
}

static void test_bucket_places(void **state) {
    (void)state;
    put("bucket", "lake");
    put("path_prefix", "/data/csv");
    put("endpoint_url", "minio:9000");
    put("use_ssl", "false");
    assert_rc(hr_settings_finish(&s, &err), 0, &err);
    expect_place(&s.place, "s3", "lake", "data/csv/");
    assert_string_equal(s.place.endpoint, "http://minio:9000");
    assert_null(s.place.object);
    struct hr_store_conf conf;
    hr_settings_store_conf(&s, &s.place, &conf);
    assert_string_equal(conf.bucket, "lake");
    assert_int_equal(conf.path_style, -1);
    assert_true(conf.read_only);
    put("key", "a/b.csv");
    put("path_prefix", "");
    put("endpoint_url", "");
    assert_rc(hr_settings_finish(&s, &err), 0, &err);
    assert_string_equal(s.place.object, "a/b.csv");
    assert_null(s.place.endpoint);
    put("endpoint_url", "ftp://x");
    assert_rc(hr_settings_finish(&s, &err), HR_E_CONFIG, &err);
}

static void test_bad_buckets(void **state) {
    (void)state;
    static const char *const names[] = {"s3://b", "a/b", "..", "/"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        put("bucket", names[i]);
        assert_rc(hr_settings_finish(&s, &err), HR_E_CONFIG, &err);
    }
}

static void test_file_endpoint(void **state) {
    (void)state;
    s.config_dir = hr_strdup("/conf");
    put("bucket", "lake");
    put("endpoint_url", "file:data");
    assert_rc(hr_settings_finish(&s, &err), 0, &err);
    expect_place(&s.place, "file", "/conf/data/lake", "");
    put("endpoint_url", "file:/abs/");
    assert_rc(hr_settings_finish(&s, &err), 0, &err);
    expect_place(&s.place, "file", "/abs/lake", "");
    put("endpoint_url", "file:");
    assert_rc(hr_settings_finish(&s, &err), 0, &err);
    assert_non_null(strstr(s.place.root, "/conf/"));
    put("dest.file_format", "jsonl");
    put("dest.bucket", "out");
    put("dest.endpoint_url", "file:data");
    put("dest.type", "s3");
    assert_rc(hr_settings_finish(&s, &err), 0, &err);
    assert_int_equal(s.dest.type, HR_DEST_LOCAL);
    assert_string_equal(s.dest.place.root, "/conf/data/out");
}

static void set_url(const char *url, const char *want_glob) {
    char *glob = NULL;
    assert_rc(hr_place_set_url(&s.place, url, &glob, &err), 0, &err);
    if (want_glob) {
        assert_string_equal(glob, want_glob);
    } else {
        assert_null(glob);
    }
    hr_free(glob);
    assert_rc(hr_settings_finish(&s, &err), 0, &err);
}

static void test_urls(void **state) {
    (void)state;
    set_url("s3://b/logs/**/*.csv.gz", "**/*.csv.gz");
    expect_place(&s.place, "s3", "b", "logs/");
    set_url("s3://b/logs/2024*/x.csv", "2024*/x.csv");
    expect_place(&s.place, "s3", "b", "logs/");
    set_url("s3://b", NULL);
    expect_place(&s.place, "s3", "b", "");
    set_url("s3://b/data/", NULL);
    expect_place(&s.place, "s3", "b", "data/");
    assert_null(s.place.maybe);
    set_url("s3://b/data", NULL);
    expect_place(&s.place, "s3", "b", "data/");
    assert_string_equal(s.place.maybe, "data");
    set_url("s3://b/data/x.csv.gz", NULL);
    assert_string_equal(s.place.object, "data/x.csv.gz");
    set_url("mem:m/data/", NULL);
    expect_place(&s.place, "mem", "m", "data/");
    set_url("s3://b/x\\[1\\].csv", NULL);
    assert_string_equal(s.place.object, "x[1].csv");
    set_url("s3://b/x\\*/y*.csv", "x\\*/y*.csv");
    expect_place(&s.place, "s3", "b", "");
    set_url("s3://b/d*/", "d*/**");
    assert_rc(hr_place_set_url(&s.place, "s3://b/*.csv", NULL, &err), HR_E_USAGE, &err);
    assert_rc(hr_place_set_url(&s.dest.place, "s3://b/a[1]\\*{x}.csv", NULL, &err), 0, &err);
    assert_string_equal(s.dest.place.uri, "s3://b/a[1]*{x}.csv");
}

static void test_local_urls(void **state) {
    (void)state;
    char path[400];
    const char *dir = test_tmpdir();
    snprintf(path, sizeof path, "%s/folder.csv", dir);
    mkdir(path, 0755);
    set_url(path, NULL); /* a folder that exists is one, whatever its name */
    assert_null(s.place.object);
    assert_null(s.place.maybe);
    assert_string_equal(s.place.prefix, "folder.csv/");
    snprintf(path, sizeof path, "%s/file.csv", dir);
    test_write_file(path, "a\n", 2);
    set_url(path, NULL);
    assert_string_equal(s.place.object, "file.csv");
    assert_string_equal(s.place.root, dir);
}

static void test_destination(void **state) {
    (void)state;
    put("dest.uri", "file:/out/");
    put("dest.file_format", "jsonl");
    assert_rc(hr_settings_finish(&s, &err), 0, &err);
    assert_int_equal(s.dest.type, HR_DEST_LOCAL);
    put("dest.type", "s3");
    assert_rc(hr_settings_finish(&s, &err), HR_E_CONFIG, &err);
    put("dest.type", "local");
    put("dest.file_format", "text");
    int rc = hr_settings_finish(&s, &err);
    assert_int_equal(rc, HR_E_CONFIG);
    put("dest.file_format", "parqet");
    assert_rc(hr_settings_finish(&s, &err), HR_E_CONFIG, &err);
    put("dest.file_format", "jsonl");
    struct hr_write_opts write;
    assert_rc(hr_settings_write_opts(&s, &write, &err), 0, &err);
    assert_string_equal(write.codec->name, "gzip");
    put("dest.compression", "none");
    assert_rc(hr_settings_write_opts(&s, &write, &err), 0, &err);
    assert_null(write.codec);
    put("dest.file_format", "parquet");
    put("dest.compression", "zstd");
    put("dest.row_group_mb", "3");
    put("dest.parquet_version", "1");
    put("dest.encodings", "classic");
    assert_rc(hr_settings_write_opts(&s, &write, &err), 0, &err);
    assert_string_equal(write.codec->name, "zstd");
    assert_int_equal(write.row_group_bytes, 3 << 20);
    assert_int_equal(write.parquet_version, 1);
    assert_true(write.classic);
    put("dest.compression", "rar");
    assert_rc(hr_settings_write_opts(&s, &write, &err), HR_E_CONFIG, &err);
}

static void test_moments(void **state) {
    (void)state;
    put("start_date", "2025-01-31");
    put("end_date", "2025-02-01T06:00:00Z");
    put("run_time", "1970-01-01T00:00:01Z");
    assert_rc(hr_settings_finish(&s, &err), 0, &err);
    assert_int_equal(s.files.end_us - s.files.start_us, INT64_C(30) * 3600 * 1000000);
    assert_int_equal(s.sync.run_us, 1000000);
    put("end_date", "2025-01-31");
    assert_rc(hr_settings_finish(&s, &err), HR_E_CONFIG, &err);
    put("end_date", "yesterday");
    assert_rc(hr_settings_finish(&s, &err), HR_E_CONFIG, &err);
}

static void test_not_built_is_said(void **state) {
    (void)state;
    put_object("{\"partition_filter\":{\"year\":\"2024\"}}", HR_E_CONFIG);
    assert_non_null(strstr(err.message, "not built yet"));
    put_object("{\"role_arn\":\"arn:x\"}", HR_E_CONFIG);
    put("cursor_field", "updated_at");
    assert_rc(hr_settings_finish(&s, &err), HR_E_CONFIG, &err);
}

static void test_no_memory(void **state) {
    (void)state;
    hr_settings_release(&s);
    int64_t live = hr_mem_live();
    for (uint64_t nth = 1; nth < 400; nth++) {
        hr_mem_fail_at(nth, 0);
        int rc = hr_settings_init(&s, NULL);
        rc = rc ? rc : hr_settings_set_text(&s, "bucket", "b", NULL);
        rc = rc ? rc : hr_settings_set_text(&s, "path_prefix", "p", NULL);
        rc = rc ? rc : hr_settings_set_text(&s, "endpoint_url", "h:1", NULL);
        rc = rc ? rc : hr_settings_set_text(&s, "dest.file_format", "jsonl", NULL);
        rc = rc ? rc : hr_place_set_url(&s.dest.place, "s3://b/x", NULL, NULL);
        rc = rc ? rc : hr_settings_finish(&s, NULL);
        bool reached = hr_mem_count() >= nth;
        hr_mem_fail_at(0, 0);
        hr_settings_release(&s);
        assert_true(rc == 0 || rc == HR_E_NOMEM);
        assert_int_equal(hr_mem_live(), live);
        if (!reached) {
            assert_int_equal(rc, 0);
            break;
        }
    }
    setup(NULL);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_seed_defaults),
        TEST(test_every_row_is_well_made),
        TEST(test_names),
        TEST(test_unknown_names),
        TEST(test_secrets),
        TEST(test_legacy_names),
        TEST(test_half_a_key_pair),
        TEST(test_bucket_places),
        TEST(test_bad_buckets),
        TEST(test_file_endpoint),
        TEST(test_urls),
        TEST(test_local_urls),
        TEST(test_destination),
        TEST(test_moments),
        TEST(test_not_built_is_said),
        TEST(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
