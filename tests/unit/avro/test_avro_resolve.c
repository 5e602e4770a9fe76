/* A reader's schema over a file: every way of resolving a column, with memory failing anywhere. */
#include "base/mem.h"
#include "format/avro/avro_internal.h"
#include "support.h"

#define RECORD(fields) "{\"type\":\"record\",\"name\":\"R\",\"fields\":[" fields "]}"
#define FIELD(name, type) "{\"name\":\"" name "\",\"type\":" type "}"
#define DEFAULT(name, type, value) "{\"name\":\"" name "\",\"type\":" type ",\"default\":" value "}"
#define ENUM(symbols) "{\"type\":\"enum\",\"name\":\"E\",\"symbols\":" symbols ",\"default\":\"Z\"}"

#define ARRAY(items) "{\"type\":\"array\",\"items\":" items "}"
#define MAP(values) "{\"type\":\"map\",\"values\":" values "}"

/* clang-format off */
static const char written[] = RECORD(
    FIELD("a", "\"int\"") ","
    FIELD("b", "[\"null\",\"string\"]") ","
    FIELD("c", ENUM("[\"A\",\"Z\"]")) ","
    FIELD("d", ARRAY("\"float\"")));

static const char readers[] = RECORD(
    "{\"name\":\"x\",\"type\":[\"null\",\"double\"],\"aliases\":[\"nothing\",\"a\"]},"
    FIELD("b", "[\"bytes\",\"null\",\"boolean\"]") ","
    FIELD("c", ENUM("[\"Z\"]")) ","
    FIELD("d", ARRAY("\"double\"")) ","
    DEFAULT("e", MAP("\"long\""), "{\"k\":5}") ","
    DEFAULT("f", "{\"type\":\"fixed\",\"name\":\"F\",\"size\":2}", "\"\\u0000\\u00ff\""));
/* clang-format on */

/* One row: 7, "hi", A, [0.5] */
static const uint8_t row[] = {14, 2, 4, 'h', 'i', 0, 2, 0, 0, 0, 0x3f, 0};

/* A container file of that row, twice. */
static void build_file(struct hr_buf *out) {
    static const uint8_t sync[16] = "0123456789abcdef";
    const size_t len = sizeof(written) - 1;
    assert_true(len < 64 * 128);
    const uint8_t head[] = {'O', 'b', 'j', 1, 2, 22};
    const uint8_t size[] = {(uint8_t)(0x80 | ((len * 2) & 0x7f)), (uint8_t)((len * 2) >> 7)};
    const uint8_t block[] = {4, (uint8_t)(4 * sizeof(row))};
    hr_buf_init(out, 1 << 16);
    assert_int_equal(hr_buf_append(out, head, sizeof(head), NULL), 0);
    assert_int_equal(hr_buf_append(out, "avro.schema", 11, NULL), 0);
    assert_int_equal(hr_buf_append(out, size, 2, NULL), 0);
    assert_int_equal(hr_buf_append(out, written, len, NULL), 0);
    assert_int_equal(hr_buf_append(out, "", 1, NULL), 0);
    assert_int_equal(hr_buf_append(out, sync, 16, NULL), 0);
    assert_int_equal(hr_buf_append(out, block, 2, NULL), 0);
    assert_int_equal(hr_buf_append(out, row, sizeof(row), NULL), 0);
    assert_int_equal(hr_buf_append(out, row, sizeof(row), NULL), 0);
    assert_int_equal(hr_buf_append(out, sync, 16, NULL), 0);
}

static int read_all(struct hr_source *src, const char *schema, struct hr_schema *want,
                    struct hr_buf *json, struct hr_error *err) {
    struct hr_format_opts opts = {0};
    const struct hr_read_params params = {.want = want, .want_rows = true};
    struct hr_reader *reader = NULL;
    struct hr_batch *batch;
    opts.avro.schema = (char *)(uintptr_t)schema;
    int rc = hr_format_avro.open(src, &opts, &params, &reader, err);
    while (rc == 0) {
        rc = hr_reader_next(reader, &batch, err);
        for (int64_t i = 0; rc == 0 && i < batch->len; i++) {
            assert_int_equal(batch->row_lines[i], i + 1);
            for (int k = 0; rc == 0 && k < batch->schema->n_fields; k++) {
                rc = hr_vec_json(&batch->vecs[k], i, json, err);
                rc = rc == 0 ? hr_buf_append(json, ";", 1, err) : rc;
            }
        }
    }
    hr_reader_close(reader);
    return rc == HR_END ? 0 : rc;
}

static void check(const char *schema, const char *column, const char *text) {
    struct hr_buf file, json;
    struct hr_error err;
    struct hr_schema *want = NULL;
    build_file(&file);
    hr_buf_init(&json, 1 << 16);
    struct hr_source *src = hr_source_mem("a.avro", file.ptr, file.len, 0);
    if (column != NULL) {
        want = hr_schema_new(1);
        assert_int_equal(
            hr_field_init(&want->fields[0], column, strlen(column), hr_type(HR_T_UTF8), 0), 0);
    }
    assert_rc(read_all(src, schema, want, &json, &err), 0, &err);
    assert_string_equal(hr_buf_cstr(&json), text);
    hr_schema_unref(want);
    hr_source_close(src);
    hr_buf_release(&json);
    hr_buf_release(&file);
}

#define ONE "7.0;{\"bytes\":\"aGk=\",\"boolean\":null};\"Z\";[0.5];{\"k\":5};\"AP8=\";"

static void test_resolves(void **state) {
    (void)state;
    check(readers, NULL, ONE ONE);
    check(readers, "x", "7.0;7.0;");
    check(readers, "f", "\"AP8=\";\"AP8=\";"); /* nothing of the file is needed but its rows */
    check(NULL, "a", "7;7;");
}

static void refused(const char *schema, int code, const char *said) {
    struct hr_buf file, json;
    struct hr_error err;
    build_file(&file);
    hr_buf_init(&json, 1 << 16);
    struct hr_source *src = hr_source_mem("a.avro", file.ptr, file.len, 0);
    assert_rc(read_all(src, schema, NULL, &json, &err), code, &err);
    if (strstr(err.message, said) == NULL || strstr(err.message, "a.avro") == NULL) {
        fail_msg("'%s' does not say '%s'", err.message, said);
    }
    hr_source_close(src);
    hr_buf_release(&json);
    hr_buf_release(&file);
}

static void test_refuses(void **state) {
    (void)state;
    refused("nonsense", HR_E_CONFIG, "no JSON");
    refused(RECORD(FIELD("n", "\"int\"")), HR_E_SCHEMA, "no 'n'");
    refused(RECORD(FIELD("b", "\"int\"")), HR_E_SCHEMA, "int32");
    refused(RECORD(FIELD("d", "\"float\"")), HR_E_SCHEMA, "list");
    refused(RECORD(FIELD("c", "\"string\"")), HR_E_SCHEMA, "utf8");
    refused(RECORD(DEFAULT("n", "\"int\"", "1.5")), HR_E_CONFIG, "default of 'n'");
    refused(RECORD(DEFAULT("n", "\"int\"", "null")), HR_E_CONFIG, "default of 'n'");
    refused(RECORD(DEFAULT("n", "\"bytes\"", "\"\\u0100\"")), HR_E_CONFIG, "default of 'n'");
    refused(RECORD(FIELD("c", "{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"Q\"]}")),
            HR_E_SCHEMA, "symbol");
}

static void test_failing_memory(void **state) {
    (void)state;
    struct hr_buf file, json;
    build_file(&file);
    const int64_t live = hr_mem_live();
    int rc = 1;
    for (uint64_t nth = 1; rc != 0; nth++) {
        struct hr_error err;
        struct hr_source *src = hr_source_mem("a.avro", file.ptr, file.len, 0);
        hr_buf_init(&json, 1 << 16);
        hr_mem_fail_at(nth, 0);
        rc = read_all(src, readers, NULL, &json, &err);
        hr_mem_fail_at(0, 0);
        assert_true(rc == 0 || rc == HR_E_NOMEM);
        hr_buf_release(&json);
        hr_source_close(src);
        assert_int_equal(hr_mem_live(), live);
        assert_true(nth < 2000);
    }
    hr_buf_release(&file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resolves),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_failing_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
