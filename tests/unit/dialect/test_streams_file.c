/* streams.json: the shape discover writes, what is tolerated on the way in, selections kept by
 * rediscovery, and differences. */
#include <stdlib.h>

#include "dialect/dialect.h"
#include "support.h"

static const struct hr_dialect *const d = &hr_dialect_olake;
static struct hr_settings s;
static struct hr_error err;

static int setup(void **state) {
    (void)state;
    hr_error_clear(&err);
    assert_rc(hr_settings_init(&s, &err), 0, &err);
    assert_rc(hr_settings_set_text(&s, "bucket", "My-Bucket", &err), 0, &err);
    assert_rc(hr_settings_finish(&s, &err), 0, &err);
    return 0;
}
static int teardown(void **state) {
    (void)state;
    hr_settings_release(&s);
    return 0;
}

static void read_catalog(const char *json, struct hr_catalog *out, int want) {
    json_error_t where;
    json_t *doc = json_loads(json, 0, &where);
    if (doc == NULL) {
        print_error("%s\n", where.text);
    }
    assert_non_null(doc);
    assert_rc(d->catalog_read(doc, "streams.json", &s, out, &err), want, &err);
    json_decref(doc);
}

static const char seed[] =
    "{\"selected_streams\":{\"data\":[{\"stream_name\":\"users\",\"partition_regex\":\"\"},"
    "{\"stream_name\":\"orders\",\"partition_regex\":\"\"}]},\"streams\":[{\"stream\":{\"name\":"
    "\"users\",\"namespace\":\"data\",\"supported_sync_modes\":[\"full_refresh\",\"incremental\"],"
    "\"cursor_field\":\"_last_modified_time\",\"sync_mode\":\"incremental\"}}]}";

static void test_seed_catalog(void **state) {
    (void)state;
    struct hr_catalog c;
    read_catalog(seed, &c, 0);
    assert_int_equal(c.count, 2);
    const struct hr_stream *users = &c.streams[0];
    assert_string_equal(users->name, "users");
    assert_string_equal(users->namespace_, "data");
    assert_true(users->selected);
    assert_true(users->listed);
    assert_false(users->has_schema);
    assert_int_equal(users->sync_mode, HR_SYNC_INCREMENTAL);
    assert_string_equal(users->cursor_field, "_last_modified_time");
    assert_int_equal(users->normalization, HR_UNSET); /* columns; only an explicit false is raw */
    assert_int_equal(users->n_columns, 4);            /* the added ones wait for the data's */
    assert_string_equal(c.streams[1].name, "orders");
    assert_false(c.streams[1].listed);
    assert_true(c.streams[1].selected);
    struct hr_buf folder;
    hr_buf_init(&folder, 0);
    assert_rc(d->stream_folder(users, &s, &folder, &err), 0, &err);
    assert_string_equal(hr_buf_cstr(&folder), "s3_my_bucket_data/users");
    hr_buf_release(&folder);
    hr_catalog_release(&c);
}

static void add_column(struct hr_stream *stream, const char *name, const char *type) {
    struct hr_field field = {0};
    assert_int_equal(hr_field_init(&field, name, strlen(name), hr_type(HR_T_UTF8), 0), 0);
    assert_rc(hr_field_parse_type(&field, type, &err), 0, &err);
    assert_rc(hr_stream_add_column(stream, &field, NULL, HR_COL_DATA, &err), 0, &err);
    hr_field_release(&field);
    stream->has_schema = true;
}

/* What hr_discover would give for two folders. */
static void discovered(struct hr_catalog *c) {
    struct hr_stream *stream = NULL;
    hr_catalog_init(c);
    assert_rc(hr_catalog_add(c, "Users-1", "s3", &stream, &err), 0, &err);
    add_column(stream, "id", "int64");
    add_column(stream, "Full Name", "string");
    add_column(stream, "full_name", "string");
    add_column(stream, "price", "decimal(12,2)");
    add_column(stream, "born", "date");
    add_column(stream, "seen", "timestamp[us, utc]");
    add_column(stream, "tags", "list<string>");
    add_column(stream, "_op_type", "string");
    assert_rc(hr_catalog_add(c, "orders", "s3", &stream, &err), 0, &err);
    add_column(stream, "n", "int32");
    assert_rc(d->catalog_dress(c, &s, &err), 0, &err);
}

static char *write_catalog(const struct hr_catalog *c) {
    struct hr_buf buf;
    hr_buf_init(&buf, 0);
    assert_rc(d->catalog_write(c, &s, &buf, &err), 0, &err);
    char *text = hr_buf_detach(&buf);
    hr_buf_release(&buf);
    return text;
}

static const json_t *at(const json_t *doc, size_t stream, const char *a, const char *b,
                        const char *c) {
    const json_t *v =
        json_object_get(json_array_get(json_object_get(doc, "streams"), stream), "stream");
    v = json_object_get(v, a);
    v = b ? json_object_get(v, b) : v;
    return c ? json_object_get(v, c) : v;
}

static void same_json(const json_t *got, const char *want) {
    json_t *w = json_loads(want, JSON_DECODE_ANY, NULL);
    assert_non_null(w);
    if (!json_equal(got, w)) {
        char *text = json_dumps(got, JSON_ENCODE_ANY);
        print_error("got %s\nwanted %s\n", text, want);
        free(text);
        fail();
    }
    json_decref(w);
}

static void test_shape_of_discover(void **state) {
    (void)state;
    struct hr_catalog c;
    discovered(&c);
    char *text = write_catalog(&c);
    json_t *doc = json_loads(text, 0, NULL);
    assert_non_null(doc);
    same_json(at(doc, 0, "name", NULL, NULL), "\"Users-1\"");
    same_json(at(doc, 0, "namespace", NULL, NULL), "\"s3\"");
    same_json(at(doc, 0, "destination_database", NULL, NULL), "\"s3_my_bucket:s3\"");
    same_json(at(doc, 0, "destination_table", NULL, NULL), "\"users_1\"");
    same_json(at(doc, 0, "supported_sync_modes", NULL, NULL), "[\"full_refresh\",\"incremental\"]");
    same_json(at(doc, 0, "available_cursor_fields", NULL, NULL), "[\"_last_modified_time\"]");
    same_json(at(doc, 0, "cursor_field", NULL, NULL), "\"_last_modified_time\"");
    same_json(at(doc, 0, "sync_mode", NULL, NULL), "\"incremental\"");
    same_json(at(doc, 0, "source_defined_primary_key", NULL, NULL), "[]");
    same_json(at(doc, 0, "type_schema", "properties", "id"),
              "{\"type\":[\"integer\",\"null\"],\"destination_column_name\":\"id\"}");
    same_json(at(doc, 0, "type_schema", "properties", "Full Name"),
              "{\"type\":[\"string\",\"null\"],\"destination_column_name\":\"full_name\"}");
    same_json(at(doc, 0, "type_schema", "properties", "full_name"),
              "{\"type\":[\"string\",\"null\"],\"destination_column_name\":\"full_name_2\"}");
    same_json(at(doc, 0, "type_schema", "properties", "tags"),
              "{\"type\":[\"array\",\"null\"],\"destination_column_name\":\"tags\"}");
    same_json(at(doc, 0, "type_schema", "properties", "seen"),
              "{\"type\":[\"timestamp_micro\",\"null\"],\"destination_column_name\":\"seen\"}");
    same_json(at(doc, 0, "type_schema", "properties", "_last_modified_time"),
              "{\"type\":[\"string\"],\"destination_column_name\":\"_last_modified_time\"}");
    same_json(at(doc, 0, "type_schema", "properties", "_op_type"),
              "{\"type\":[\"string\",\"null\"],\"destination_column_name\":\"_op_type\","
              "\"olake_column\":true}");
    const json_t *chosen = json_object_get(json_object_get(doc, "selected_streams"), "s3");
    assert_int_equal(json_array_size(chosen), 2);
    same_json(json_array_get(chosen, 1),
              "{\"partition_regex\":\"\",\"stream_name\":\"orders\",\"normalization\":true,"
              "\"use_source_column_names\":false,\"selected_columns\":{\"columns\":[\"n\","
              "\"_last_modified_time\",\"_olake_id\",\"_olake_timestamp\",\"_op_type\"],"
              "\"sync_new_columns\":true}}");
    json_decref(doc);
    hr_free(text);
    hr_catalog_release(&c);
}

static void test_types_survive(void **state) {
    (void)state;
    struct hr_catalog c;
    struct hr_catalog back;
    discovered(&c);
    char *text = write_catalog(&c);
    read_catalog(text, &back, 0);
    assert_int_equal(back.count, 2);
    for (size_t i = 0; i < c.streams[0].n_columns; i++) {
        const struct hr_column *a = &c.streams[0].columns[i];
        const struct hr_column *b = &back.streams[0].columns[i];
        assert_string_equal(a->field.name, b->field.name); /* in the order of the file */
        assert_string_equal(a->dest_name, b->dest_name);
        assert_int_equal(a->kind, b->kind);
        assert_true(b->selected);
        if (a->field.type.id == HR_T_LIST) {
            assert_int_equal(b->field.type.id, HR_T_UTF8);
            assert_int_equal(b->field.type.ext, HR_EXT_JSON);
        } else {
            assert_true(hr_type_equal(a->field.type, b->field.type));
        }
    }
    hr_free(text);
    hr_catalog_release(&back);
    /* Olake's own types: all numbers doubles, dates instants, nothing of ours in the file. */
    s.sync.olake_types = true;
    text = write_catalog(&c);
    assert_null(strstr(text, "headrace"));
    read_catalog(text, &back, 0);
    assert_int_equal(hr_stream_column(&back.streams[0], "id")->field.type.id, HR_T_F64);
    assert_int_equal(hr_stream_column(&back.streams[0], "price")->field.type.id, HR_T_F64);
    assert_int_equal(hr_stream_column(&back.streams[0], "born")->field.type.id, HR_T_TS);
    hr_free(text);
    hr_catalog_release(&back);
    hr_catalog_release(&c);
}

static enum hr_type_id type_of(const char *types, const char *own) {
    char json[500];
    struct hr_catalog c;
    snprintf(json, sizeof json,
             "{\"streams\":[{\"stream\":{\"name\":\"a\",\"type_schema\":{\"properties\":{\"x\":"
             "{\"type\":%s%s%s%s}}}}}]}",
             types, own ? ",\"headrace_type\":\"" : "", own ? own : "", own ? "\"" : "");
    read_catalog(json, &c, 0);
    enum hr_type_id id = (enum hr_type_id)c.streams[0].columns[0].field.type.id;
    hr_catalog_release(&c);
    return id;
}

static void test_type_sets_meet(void **state) {
    (void)state;
    assert_int_equal(type_of("[\"null\",\"integer\"]", NULL), HR_T_I64);
    assert_int_equal(type_of("\"boolean\"", NULL), HR_T_BOOL);
    assert_int_equal(type_of("[\"boolean\",\"integer_small\"]", NULL), HR_T_I32);
    assert_int_equal(type_of("[\"number_small\",\"integer\"]", NULL), HR_T_F64);
    assert_int_equal(type_of("[\"number_small\"]", NULL), HR_T_F32);
    assert_int_equal(type_of("[\"timestamp\",\"timestamp_nano\"]", NULL), HR_T_TS);
    assert_int_equal(type_of("[\"timestamp\",\"integer\"]", NULL), HR_T_UTF8);
    assert_int_equal(type_of("[\"object\",\"integer\"]", NULL), HR_T_UTF8);
    assert_int_equal(type_of("[\"null\"]", NULL), HR_T_UTF8);
    assert_int_equal(type_of("[\"unknown\"]", NULL), HR_T_UTF8);
    assert_int_equal(type_of("[]", NULL), HR_T_UTF8);
    assert_int_equal(type_of("[\"timestamp\"]", "date"), HR_T_DATE32);
    assert_int_equal(type_of("[\"string\"]", "date"), HR_T_UTF8); /* edited by hand: "type" wins */
    assert_int_equal(type_of("[\"number\"]", "rubbish"), HR_T_F64);
}

static void test_selected_columns(void **state) {
    (void)state;
    struct hr_catalog c;
    read_catalog("{\"selected_streams\":{\"s3\":[{\"stream_name\":\"a\",\"normalization\":false,"
                 "\"append_mode\":true,\"selected_columns\":{\"columns\":[\"x\"],"
                 "\"sync_new_columns\":false},\"filter_config\":{\"logical_operator\":\"And\","
                 "\"conditions\":[]},\"later\":5}]},\"streams\":[{\"stream\":{\"name\":\"a\","
                 "\"type_schema\":{\"properties\":{\"x\":{\"type\":[\"integer\"]},\"y\":{\"type\":"
                 "[\"string\"]}}},\"sync_mode\":\"full_refresh\",\"cursor_field\":\"p:q\"}}]}",
                 &c, 0);
    const struct hr_stream *a = &c.streams[0];
    assert_true(a->columns[0].selected);
    assert_false(a->columns[1].selected);
    assert_false(a->sync_new_columns);
    assert_int_equal(a->normalization, HR_NO);
    assert_true(a->append_mode);
    assert_int_equal(a->sync_mode, HR_SYNC_FULL_REFRESH);
    assert_string_equal(a->cursor_field, "p");
    assert_string_equal(a->filter_config, "{\"logical_operator\":\"And\",\"conditions\":[]}");
    char *text = write_catalog(&c);
    assert_non_null(strstr(text, "\"later\": 5")); /* members nobody knows stay */
    hr_free(text);
    hr_catalog_release(&c);
    /* Columns not known yet: the list counts when they are. */
    read_catalog("{\"selected_streams\":{\"s3\":[{\"stream_name\":\"a\",\"selected_columns\":{"
                 "\"columns\":[\"x\"],\"sync_new_columns\":false}}]},\"streams\":[]}",
                 &c, 0);
    struct hr_schema *schema = hr_schema_new(2);
    assert_int_equal(hr_field_init(&schema->fields[0], "x", 1, hr_type(HR_T_I64), 0), 0);
    assert_int_equal(hr_field_init(&schema->fields[1], "y", 1, hr_type(HR_T_I64), 0), 0);
    assert_rc(hr_stream_set_schema(&c.streams[0], schema, &err), 0, &err);
    hr_schema_unref(schema);
    assert_true(hr_stream_column(&c.streams[0], "x")->selected);
    assert_false(hr_stream_column(&c.streams[0], "y")->selected);
    hr_catalog_release(&c);
}

static void test_all_selected_without_a_selection(void **state) {
    (void)state;
    struct hr_catalog c;
    read_catalog("{\"streams\":[{\"stream\":{\"name\":\"a\"}},{\"stream\":{\"name\":\"b\"}}]}", &c,
                 0);
    assert_true(c.streams[0].selected && c.streams[1].selected);
    hr_catalog_release(&c);
    read_catalog("{\"selected_streams\":{},\"streams\":[{\"stream\":{\"name\":\"a\"}}]}", &c, 0);
    assert_false(c.streams[0].selected);
    hr_catalog_release(&c);
    read_catalog("{\"type\":\"CATALOG\",\"catalog\":{\"streams\":[{\"stream\":{\"name\":\"a\"}}]}}",
                 &c, 0);
    assert_int_equal(c.count, 1);
    hr_catalog_release(&c);
}

static void test_bad_catalogs(void **state) {
    (void)state;
    static const char *const texts[] = {
        "{}",
        "{\"streams\":{}}",
        "{\"streams\":[1]}",
        "{\"streams\":[{\"stream\":{}}]}",
        "{\"streams\":[{\"stream\":{\"name\":\"\"}}]}",
        "{\"streams\":[{\"stream\":{\"name\":\"a\"}},{\"stream\":{\"name\":\"a\"}}]}",
        "{\"streams\":[{\"stream\":{\"name\":\"a\",\"sync_mode\":\"cdc\"}}]}",
        "{\"streams\":[{\"stream\":{\"name\":\"a\",\"type_schema\":{\"properties\":[]}}}]}",
        "{\"streams\":[{\"stream\":{\"name\":\"a\",\"type_schema\":{\"properties\":{\"x\":1}}}}]}",
        "{\"streams\":[{\"stream\":{\"name\":\"a\",\"type_schema\":{\"properties\":{\"x\":{"
        "\"type\":"
        "[\"int\"]}}}}}]}",
        "{\"selected_streams\":[],\"streams\":[]}",
        "{\"selected_streams\":{\"s3\":{}},\"streams\":[]}",
        "{\"selected_streams\":{\"s3\":[{}]},\"streams\":[]}",
        "{\"selected_streams\":{\"s3\":[{\"stream_name\":\"a\"},{\"stream_name\":\"a\"}]},"
        "\"streams\":[]}",
        "{\"selected_streams\":{\"s3\":[{\"stream_name\":\"a\",\"normalization\":\"x\"}]},"
        "\"streams\":[]}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct hr_catalog c;
        read_catalog(texts[i], &c, HR_E_STATE);
        assert_non_null(strstr(err.message, "streams.json"));
    }
}

static void test_rediscovery_keeps_choices(void **state) {
    (void)state;
    struct hr_catalog old;
    struct hr_catalog fresh;
    read_catalog(
        "{\"selected_streams\":{\"s3\":[{\"stream_name\":\"Users-1\",\"partition_regex\":"
        "\"/p\",\"selected_columns\":{\"columns\":[\"id\",\"_olake_id\"],"
        "\"sync_new_columns\":false}}]},\"streams\":[{\"stream\":{\"name\":\"Users-1\","
        "\"sync_mode\":\"full_refresh\",\"destination_table\":\"people\","
        "\"source_defined_primary_key\":[\"id\"],\"type_schema\":{\"properties\":{\"id\":"
        "{\"type\":[\"integer\"],\"destination_column_name\":\"the_id\"},\"price\":{\"type\":"
        "[\"number\"]}}}}},{\"stream\":{\"name\":\"vanished\"}}]}",
        &old, 0);
    discovered(&fresh);
    assert_rc(d->catalog_merge(&old, &fresh, &err), 0, &err);
    assert_int_equal(fresh.count, 2);
    const struct hr_stream *users = &fresh.streams[0];
    assert_true(users->selected);
    assert_int_equal(users->sync_mode, HR_SYNC_FULL_REFRESH);
    assert_string_equal(users->dest_table, "people");
    assert_string_equal(users->partition_regex, "/p");
    assert_string_equal(users->primary_key.items[0], "id");
    assert_string_equal(hr_stream_column(users, "id")->dest_name, "the_id");
    assert_true(hr_stream_column(users, "id")->selected);
    assert_false(hr_stream_column(users, "price")->selected);
    assert_false(hr_stream_column(users, "born")->selected); /* new, sync_new_columns is false */
    assert_false(fresh.streams[1].selected);                 /* a new stream is listed only */
    hr_catalog_release(&old);
    hr_catalog_release(&fresh);
}

static void test_difference(void **state) {
    (void)state;
    struct hr_catalog old;
    struct hr_catalog now;
    struct hr_catalog diff;
    discovered(&old);
    discovered(&now);
    assert_rc(d->catalog_difference(&old, &now, &diff, &err), 0, &err);
    assert_int_equal(diff.count, 0);
    hr_catalog_release(&diff);
    now.streams[1].sync_mode = HR_SYNC_FULL_REFRESH;
    hr_free(now.streams[1].dest_table);
    now.streams[1].dest_table = hr_strdup("other");
    assert_rc(d->catalog_difference(&old, &now, &diff, &err), 0, &err);
    assert_int_equal(diff.count, 1);
    assert_string_equal(diff.streams[0].name, "orders");
    assert_string_equal(diff.streams[0].dest_table, "orders"); /* the old name stays */
    assert_int_equal(diff.streams[0].n_columns, now.streams[1].n_columns);
    hr_catalog_release(&diff);
    old.streams[0].selected = false;
    assert_rc(d->catalog_difference(&old, &now, &diff, &err), 0, &err);
    assert_int_equal(diff.count, 2);
    hr_catalog_release(&diff);
    hr_catalog_release(&old);
    hr_catalog_release(&now);
}

static void test_no_memory(void **state) {
    (void)state;
    json_t *doc = json_loads(seed, 0, NULL);
    int64_t live = hr_mem_live();
    for (uint64_t nth = 1; nth < 500; nth++) {
        struct hr_catalog c;
        struct hr_catalog diff = {0};
        struct hr_buf out;
        hr_buf_init(&out, 0);
        hr_mem_fail_at(nth, 0);
        int rc = d->catalog_read(doc, "c", &s, &c, NULL);
        bool have = rc == 0;
        rc = rc ? rc : d->catalog_dress(&c, &s, NULL);
        rc = rc ? rc : d->catalog_merge(&c, &c, NULL);
        rc = rc ? rc : d->catalog_difference(&diff, &c, &diff, NULL);
        rc = rc ? rc : d->catalog_write(&c, &s, &out, NULL);
        bool reached = hr_mem_count() >= nth;
        hr_mem_fail_at(0, 0);
        if (have) {
            hr_catalog_release(&c);
        }
        hr_catalog_release(&diff);
        hr_buf_release(&out);
        assert_true(rc == 0 || rc == HR_E_NOMEM);
        assert_int_equal(hr_mem_live(), live);
        if (!reached) {
            assert_int_equal(rc, 0);
            break;
        }
    }
    json_decref(doc);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_seed_catalog),     TEST(test_shape_of_discover),
        TEST(test_types_survive),    TEST(test_type_sets_meet),
        TEST(test_selected_columns), TEST(test_all_selected_without_a_selection),
        TEST(test_bad_catalogs),     TEST(test_rediscovery_keeps_choices),
        TEST(test_difference),       TEST(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
