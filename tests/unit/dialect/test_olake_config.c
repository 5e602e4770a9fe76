/* Olake's source.json and destination.json: seed 000's files as printed, defaults per field, the
 * traps of the original, and what is refused. */
#include "dialect/dialect.h"
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

static void source(const char *json, int want) {
    json_t *doc = json_loads(json, 0, NULL);
    const struct hr_dialect *dialect = NULL;
    assert_non_null(doc);
    hr_settings_release(&s);
    assert_rc(hr_settings_init(&s, &err), 0, &err);
    assert_rc(hr_dialect_detect(doc, NULL, &dialect, &err), 0, &err);
    assert_string_equal(dialect->name, "olake");
    int rc = dialect->configure(doc, "/conf/source.json", &s, &err);
    rc = rc ? rc : hr_settings_finish(&s, &err);
    json_decref(doc);
    assert_rc(rc, want, &err);
}

static void destination(const char *json, int want) {
    json_t *doc = json_loads(json, 0, NULL);
    const struct hr_dialect *dialect = NULL;
    assert_non_null(doc);
    hr_settings_release(&s);
    assert_rc(hr_settings_init(&s, &err), 0, &err);
    assert_rc(hr_dialect_detect_destination(doc, &hr_dialect_olake, &dialect, &err), 0, &err);
    assert_string_equal(dialect->name, "olake");
    int rc = dialect->configure_destination(doc, "/conf/destination.json", &s, &err);
    json_decref(doc);
    assert_rc(rc, want, &err);
}

static void test_seed_examples(void **state) {
    (void)state;
    source(
        "{\"bucket_name\":\"your-bucket\",\"region\":\"us-east-1\",\"path_prefix\":\"data/json/\","
        "\"file_format\":\"json\",\"json\":{\"line_delimited\":true},\"compression\":\"gzip\","
        "\"max_threads\":5,\"retry_count\":3}",
        0);
    assert_string_equal(s.dialect, "olake");
    assert_string_equal(s.place.scheme, "s3");
    assert_string_equal(s.place.prefix, "data/json/");
    assert_string_equal(s.files.compression, "gzip");
    assert_int_equal(s.work.parallel_workers, 5);
    assert_int_equal(s.format.json.lines, 0);
    source(
        "{\"bucket_name\":\"your-bucket\",\"region\":\"us-east-1\",\"path_prefix\":\"data/csv/\","
        "\"file_format\":\"csv\",\"csv\":{\"has_header\":true,\"delimiter\":\",\"},"
        "\"max_threads\":5,\"retry_count\":3}",
        0);
    assert_true(s.format.csv.header);
    source("{\"bucket_name\":\"your-bucket\",\"region\":\"us-east-1\",\"path_prefix\":"
           "\"data/parquet/\",\"file_format\":\"parquet\",\"compression\":\"none\","
           "\"max_threads\":5,\"retry_count\":3}",
           0);
    assert_string_equal(s.files.compression, "none");
}

static void test_defaults(void **state) {
    (void)state;
    source("{\"bucket_name\":\"b\",\"file_format\":\"csv\"}", 0);
    assert_int_equal(s.work.parallel_workers, 10);
    assert_int_equal(s.work.retry_count, 3);
    assert_null(s.files.compression);
    assert_int_equal(s.files.stream_by, HR_STREAM_BY_FOLDER);
    assert_true(s.files.strict_extensions);
    assert_true(s.cost.cost_limit_usd < 1e-9);
    assert_int_equal(s.cost.max_files_per_run, 0);
    assert_true(s.format.json.nested_text);
    assert_false(s.format.json.flatten);
    assert_string_equal(s.place.prefix, "");
    source("{\"bucket_name\":\"b\",\"file_format\":\"csv\",\"max_threads\":0,\"retry_count\":-1,"
           "\"region\":\"\",\"endpoint\":\"\",\"compression\":\"\",\"path_prefix\":null}",
           0);
    assert_int_equal(s.work.parallel_workers, 10);
    assert_int_equal(s.work.retry_count, 3);
    source("{\"bucket_name\":\"b\",\"file_format\":\"csv\",\"max_threads\":\"7\"}", 0);
    assert_int_equal(s.work.parallel_workers, 7);
}

static void test_blocks_fill_per_field(void **state) {
    (void)state;
    source("{\"bucket_name\":\"b\",\"file_format\":\"csv\",\"csv\":{\"delimiter\":\";\"}}", 0);
    assert_true(s.format.csv.header);
    assert_string_equal(s.format.csv.delimiter, ";");
    source("{\"bucket_name\":\"b\",\"file_format\":\"csv\",\"csv\":{\"has_header\":false,"
           "\"skip_rows\":2,\"quote_character\":\"'\"}}",
           0);
    assert_false(s.format.csv.header);
    assert_int_equal(s.format.csv.skip_rows, 2);
    assert_string_equal(s.format.csv.quote, "'");
    assert_true(s.format.csv.delimiter == NULL || strcmp(s.format.csv.delimiter, ",") == 0);
    source("{\"bucket_name\":\"b\",\"file_format\":\"csv\",\"csv\":{\"quote_character\":"
           "\"\\\"\\\"\\\"\",\"delimiter\":\"\"}}",
           0);
    assert_string_equal(s.format.csv.quote, "\"");
    source("{\"bucket_name\":\"b\",\"file_format\":\"json\",\"json\":{},\"csv\":{},\"parquet\":{}}",
           0);
    assert_int_equal(s.format.json.lines, 0);
    source("{\"bucket_name\":\"b\",\"file_format\":\"json\",\"json\":{\"line_delimited\":false}}",
           0);
    assert_int_equal(s.format.json.lines, 0);
    source("{\"bucket_name\":\"b\",\"file_format\":\"parquet\",\"parquet\":{\"streaming_enabled\":"
           "false}}",
           0);
}

static void test_file_endpoint(void **state) {
    (void)state;
    source("{\"bucket_name\":\"lake\",\"file_format\":\"csv\",\"endpoint\":\"file:.\"}", 0);
    assert_string_equal(s.place.scheme, "file");
    assert_string_equal(s.place.root, "/conf/lake");
    source("{\"bucket_name\":\"lake\",\"file_format\":\"csv\",\"endpoint\":\"http://h:9000\"}", 0);
    assert_string_equal(s.place.endpoint, "http://h:9000");
}

static void test_pattern_and_extras(void **state) {
    (void)state;
    source("{\"bucket_name\":\"b\",\"file_format\":\"csv\",\"file_pattern\":\"2024-.*[.]csv$\","
           "\"stream_pattern\":\"x\",\"infer_files\":2,\"profile\":\"me\"}",
           0);
    assert_string_equal(s.files.key_regex, "2024-.*[.]csv$");
    assert_int_equal(s.schema.infer_files, 2);
    assert_string_equal(s.place.profile, "me");
}

static void expect_message(const char *json, const char *message, const char *hint) {
    source(json, HR_E_CONFIG);
    if (strstr(err.message, message) == NULL || (hint && strstr(err.hint, hint) == NULL)) {
        print_error("%s\n  got: %s | %s\n", json, err.message, err.hint);
        fail();
    }
}

static void test_refusals(void **state) {
    (void)state;
    expect_message("{\"bucket_name\":\"b\"}", "file_format is required", NULL);
    expect_message("{\"bucket_name\":\"\",\"file_format\":\"csv\"}", "bucket_name is required",
                   NULL);
    expect_message("{\"bucket_name\":\"b\",\"file_format\":\"xml\"}", "not built yet", "csv");
    expect_message("{\"bucket_name\":\"b\",\"file_format\":\"orc\"}", "file_format", NULL);
    expect_message("{\"bucket_name\":\"b\",\"file_format\":\"csv\",\"max_thread\":1}",
                   "unknown key \"max_thread\"", "\"max_threads\"");
    expect_message("{\"bucket_name\":\"b\",\"file_format\":\"csv\",\"csv\":{\"delimeter\":1}}",
                   "unknown key \"csv.delimeter\"", "\"csv.delimiter\"");
    expect_message("{\"bucket_name\":\"b\",\"file_format\":\"csv\",\"csv\":3}", "must be an object",
                   NULL);
    expect_message("{\"bucket_name\":\"b\",\"file_format\":\"csv\",\"csv\":{\"has_header\":\"x\"}}",
                   "has_header", NULL);
    expect_message("{\"bucket_name\":\"b\",\"file_format\":\"csv\",\"csv\":{\"skip_rows\":-1}}",
                   "skip_rows", NULL);
    expect_message("{\"bucket_name\":\"b\",\"file_format\":\"csv\",\"compression\":\"rar\"}",
                   "compression", "gzip");
    expect_message("{\"bucket_name\":\"b\",\"file_format\":\"csv\",\"access_key_id\":\"a\"}",
                   "together", NULL);
    expect_message("{\"bucket_name\":\"b\",\"file_format\":\"csv\",\"csv\":{\"quote_character\":"
                   "\"ab\"}}",
                   "one character", NULL);
    expect_message("{\"bucket_name\":\"b\",\"file_format\":\"csv\",\"partition_keys\":[\"a\"]}",
                   "not built yet", NULL);
}

static void test_destinations(void **state) {
    (void)state;
    destination("{\"type\":\"PARQUET\",\"writer\":{\"local_path\":\"/out\",\"s3_bucket\":\"\","
                "\"s3_region\":\"\",\"s3_access_key\":\"\",\"s3_secret_key\":\"\",\"s3_path\":"
                "\"prefix\",\"s3_endpoint\":\"\",\"max_file_size_mb\":256.5}}",
                0);
    assert_int_equal(s.dest.type, HR_DEST_LOCAL);
    assert_string_equal(s.dest.place.uri, "file:/out/");
    assert_true(s.dest.max_file_size_mb > 256 && s.dest.max_file_size_mb < 257);
    destination("{\"type\":\"PARQUET\",\"writer\":{\"local_path\":\"/out\",\"s3_bucket\":\"b\","
                "\"s3_region\":\"eu\",\"s3_path\":\"p/q\",\"s3_access_key\":\"A\","
                "\"s3_secret_key\":\"S\",\"s3_endpoint\":\"http://h:1\"}}",
                0);
    assert_int_equal(s.dest.type, HR_DEST_S3);
    assert_null(s.dest.place.uri);
    assert_string_equal(s.dest.place.bucket, "b");
    assert_string_equal(s.dest.place.path_prefix, "p/q");
    assert_true(s.dest.max_file_size_mb > 511 && s.dest.max_file_size_mb < 513);
    destination("{\"type\":\"ICEBERG\",\"writer\":{}}", HR_E_CONFIG);
    assert_non_null(strstr(err.message, "ICEBERG is not built yet"));
    destination("{\"type\":\"PARQUET\",\"writer\":{}}", HR_E_CONFIG);
    destination("{\"type\":\"CSV\",\"writer\":{\"local_path\":\"x\"}}", HR_E_CONFIG);
    destination("{\"type\":\"PARQUET\",\"writer\":{\"local_pth\":\"x\"}}", HR_E_CONFIG);
    assert_non_null(strstr(err.hint, "local_path"));
    destination("{\"typ\":\"PARQUET\",\"writer\":{\"local_path\":\"x\"}}", HR_E_CONFIG);
}

static void test_detection(void **state) {
    (void)state;
    static const struct {
        const char *json, *name;
    } cases[] = {
        {"{\"bucket\":\"b\",\"path_prefix\":\"x\"}", "native"},
        {"{\"bucket\":\"b\",\"prefix\":\"x\",\"format\":\"csv\"}", "native"},
        {"{\"uri\":\"s3://b\"}", "native"},
        {"{\"bucket_name\":\"b\"}", "olake"},
        {"{\"sources\":{\"a\":{\"connector\":\"s3\"}}}", NULL},
        {"{\"streams\":[],\"bucket\":\"b\"}", NULL},
        {"{\"s3_bucket_name\":\"b\"}", NULL},
        {"{\"bucket\":\"b\",\"auth_type\":\"IAM_ROLE\"}", NULL},
        {"{\"bucket\":\"b\",\"auth_type\":\"user\",\"access_id\":\"a\"}", NULL},
        {"{\"nothing\":1}", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *doc = json_loads(cases[i].json, 0, NULL);
        const struct hr_dialect *dialect = NULL;
        int rc = hr_dialect_detect(doc, NULL, &dialect, &err);
        json_decref(doc);
        assert_rc(rc, cases[i].name ? 0 : HR_E_CONFIG, &err);
        if (cases[i].name) {
            assert_string_equal(dialect->name, cases[i].name);
        }
    }
    json_t *doc = json_loads("{\"bucket_nam\":\"b\"}", 0, NULL);
    const struct hr_dialect *found = NULL;
    assert_rc(hr_dialect_detect(doc, NULL, &found, &err), HR_E_CONFIG, &err);
    assert_non_null(strstr(err.hint, "\"bucket_name\""));
    assert_rc(hr_dialect_detect(doc, "olake", &found, &err), 0, &err);
    assert_ptr_equal(found, &hr_dialect_olake);
    assert_rc(hr_dialect_detect(doc, "fivetran", &found, &err), HR_E_CONFIG, &err);
    assert_rc(hr_dialect_detect(doc, "elsewhere", &found, &err), HR_E_USAGE, &err);
    json_decref(doc);
    size_t count = 0;
    const struct hr_dialect *const *all = hr_dialect_all(&count);
    assert_int_equal(count, 7);
    for (size_t i = 0; i < count; i++) {
        assert_ptr_equal(hr_dialect_by_name(all[i]->name), all[i]);
        assert_true(all[i]->missing || (all[i]->configure && all[i]->spec && all[i]->state_read));
    }
}

static void test_spec(void **state) {
    (void)state;
    struct hr_buf buf;
    hr_buf_init(&buf, 0);
    assert_rc(hr_dialect_olake.spec(NULL, &buf, &err), 0, &err);
    json_t *doc = json_loads(hr_buf_cstr(&buf), 0, NULL);
    const json_t *schema = json_object_get(doc, "jsonschema");
    const json_t *props = json_object_get(schema, "properties");
    assert_non_null(json_object_get(props, "bucket_name"));
    assert_null(json_object_get(props, "delimiter"));
    assert_int_equal(
        json_integer_value(json_object_get(json_object_get(props, "max_threads"), "default")), 10);
    const json_t *one = json_object_get(
        json_object_get(json_object_get(schema, "dependencies"), "file_format"), "oneOf");
    assert_int_equal(json_array_size(one), 3);
    assert_non_null(json_object_get(json_object_get(doc, "uischema"), "secret_access_key"));
    json_decref(doc);
    hr_buf_clear(&buf);
    assert_rc(hr_dialect_olake.spec("parquet", &buf, &err), 0, &err);
    assert_non_null(strstr(hr_buf_cstr(&buf), "s3_bucket"));
    hr_buf_clear(&buf);
    assert_rc(hr_dialect_olake.spec("iceberg", &buf, &err), HR_E_USAGE, &err);
    hr_buf_clear(&buf);
    assert_rc(hr_dialect_native.spec(NULL, &buf, &err), 0, &err);
    assert_non_null(strstr(hr_buf_cstr(&buf), "cost_limit_usd"));
    assert_null(strstr(hr_buf_cstr(&buf), "row_group_rows"));
    hr_buf_release(&buf);
}

static void test_messages(void **state) {
    (void)state;
    struct hr_buf buf;
    hr_buf_init(&buf, 0);
    assert_rc(hr_dialect_olake.message_status(true, NULL, HR_SHAPE_PLAIN, &buf, &err), 0, &err);
    assert_string_equal(hr_buf_cstr(&buf),
                        "{\"connectionStatus\":{\"status\":\"SUCCEEDED\"},\"type\":"
                        "\"CONNECTION_STATUS\"}\n");
    hr_buf_clear(&buf);
    assert_rc(hr_dialect_olake.message_status(false, "no \"way\"", HR_SHAPE_PLAIN, &buf, &err), 0,
              &err);
    assert_string_equal(hr_buf_cstr(&buf),
                        "{\"connectionStatus\":{\"message\":\"no \\\"way\\\"\",\"status\":"
                        "\"FAILED\"},\"type\":\"CONNECTION_STATUS\"}\n");
    hr_buf_clear(&buf);
    assert_rc(hr_dialect_olake.message_catalog(hr_slice_str("{\"streams\": []}\n"), HR_SHAPE_COLOUR,
                                               &buf, &err),
              0, &err);
    assert_non_null(
        strstr(hr_buf_cstr(&buf), "{\"catalog\":{\"streams\":[]},\"type\":\"CATALOG\"}"));
    assert_int_equal(buf.ptr[0], 27);
    hr_buf_release(&buf);
}

/* YYYY-M-D_H-M-S_ULID.parquet, without leading zeros, and nothing like it. */
static void test_names_of_its_files(void **state) {
    (void)state;
    static const char *const its[] = {"2025-1-2_3-4-5_01JGXR3M9V5T8W2K4N6P7Q0ZAB.parquet",
                                      "2025-12-31_23-59-59_01JGXR3M9V5T8W2K4N6P7Q0ZAB.parquet",
                                      "2025-01-02_03-04-05_00000000000000000000000000.parquet"};
    static const char *const not_its[] = {"",
                                          "x.parquet",
                                          "2025-1-2_3-4-5_.parquet",
                                          "2025-1-2_3-4-5_01JGXR3M9V5T8W2K4N6P7Q0ZA.parquet",
                                          "2025-1-2_3-4-5_01JGXR3M9V5T8W2K4N6P7Q0ZABC.parquet",
                                          "2025-1-2_3-4-5_01JGXR3M9V5T8W2K4N6P7Q0ZAI.parquet",
                                          "2025-1-2_3-4-5_01jgxr3m9v5t8w2k4n6p7q0zab.parquet",
                                          "2025-1-2_3-4-5_01JGXR3M9V5T8W2K4N6P7Q0ZAB.csv",
                                          "20250-1-2_3-4-5_01JGXR3M9V5T8W2K4N6P7Q0ZAB.parquet",
                                          "2025-1-2-3-4-5_01JGXR3M9V5T8W2K4N6P7Q0ZAB.parquet",
                                          "2025-1-2_3-4-_01JGXR3M9V5T8W2K4N6P7Q0ZAB.parquet",
                                          "y2025-1-2_3-4-5_01JGXR3M9V5T8W2K4N6P7Q0ZAB.parquet"};
    for (size_t i = 0; i < HR_COUNTOF(its); i++) {
        assert_true(hr_dialect_olake.writes_file(its[i], strlen(its[i])));
        for (size_t cut = 0; cut < strlen(its[i]); cut++) {
            assert_false(hr_dialect_olake.writes_file(its[i], cut));
        }
    }
    for (size_t i = 0; i < HR_COUNTOF(not_its); i++) {
        assert_false(hr_dialect_olake.writes_file(not_its[i], strlen(not_its[i])));
    }
    assert_false(
        hr_dialect_olake.writes_file("2025-1-2_3-4-5_01JGXR3M9V5T8W2K4N6P7Q0Z\0B.parquet", 49));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_seed_examples), TEST(test_defaults),           TEST(test_blocks_fill_per_field),
        TEST(test_file_endpoint), TEST(test_pattern_and_extras), TEST(test_refusals),
        TEST(test_destinations),  TEST(test_detection),          TEST(test_spec),
        TEST(test_messages),      TEST(test_names_of_its_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
