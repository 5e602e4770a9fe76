/* tests/unit/avro/test_avro_schema.c - Avro schemas to columns: every type, unions, names and
 * namespaces, what is refused, and the text our writer makes. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>

#include "format/avro/avro_schema.h"

static int parse(const char *json, struct hr_avro_schema *out, struct hr_error *err) {
    return hr_avro_schema_parse(hr_slice_str(json), out, err);
}

/* The columns as "name: type, …", a "!" behind what may not be null. */
static void columns(const struct hr_schema *schema, struct hr_buf *out) {
    for (int i = 0; i < schema->n_fields; i++) {
        assert_int_equal(
            hr_buf_printf(out, NULL, "%s%s: ", i > 0 ? ", " : "", schema->fields[i].name), 0);
        assert_int_equal(hr_field_type_text(&schema->fields[i], out, NULL), 0);
        if (!schema->fields[i].nullable) {
            assert_int_equal(hr_buf_append_str(out, "!", NULL), 0);
        }
    }
}

static void check(const char *json, const char *want) {
    struct hr_avro_schema avro;
    struct hr_error err;
    struct hr_buf text;
    hr_buf_init(&text, 0);
    assert_rc(parse(json, &avro, &err), 0, &err);
    columns(avro.schema, &text);
    assert_string_equal(hr_buf_cstr(&text), want);
    hr_buf_release(&text);
    hr_avro_schema_release(&avro);
}

static void check_refused(const char *json, int code, const char *word) {
    struct hr_avro_schema avro;
    struct hr_error err;
    assert_int_equal(parse(json, &avro, &err), code);
    if (strstr(err.message, word) == NULL) {
        fail_msg("'%s' is not in: %s", word, err.message);
    }
    hr_avro_schema_release(&avro);
}

static void test_bare_types(void **state) {
    (void)state;
    static const char *const pairs[][2] = {
        {"\"null\"", "value: null"},
        {"\"boolean\"", "value: bool!"},
        {"\"int\"", "value: int32!"},
        {"{\"type\":\"long\"}", "value: int64!"},
        {"{\"type\":{\"type\":\"float\"}}", "value: float!"},
        {"[\"null\",\"double\"]", "value: double"},
        {"[\"bytes\",\"null\"]", "value: binary"},
        {"[\"string\"]", "value: utf8!"},
        {"[\"null\"]", "value: null"},
        {"[\"int\",\"long\"]", "value: int64!"},
        {"[\"null\",\"long\",\"int\"]", "value: int64"},
        {"{\"type\":\"array\",\"items\":[\"null\",\"int\"]}", "value: list<int32>!"},
        {"{\"type\":\"map\",\"values\":\"int\"}", "value: map<utf8, int32>!"},
        {"{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"]}", "value: utf8!"},
        {"{\"type\":\"fixed\",\"name\":\"F\",\"size\":3}", "value: fixed(3)!"},
        {"[\"int\",\"string\"]", "value: struct<int: int32, string: utf8>!"},
        {"[\"null\",\"float\",\"double\"]", "value: struct<float: float, double: double>"},
        {"[{\"type\":\"record\",\"name\":\"x.A\",\"fields\":[]},\"null\",\"int\"]",
         "value: struct<A: struct<>, int: int32>"},
    };
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        check(pairs[i][0], pairs[i][1]);
    }
}

static void test_logical_types(void **state) {
    (void)state;
#define L(type, name) "{\"type\":\"" type "\",\"logicalType\":\"" name "\"}"
#define D(type, p, s)                                                                              \
    "{\"type\":\"" type                                                                            \
    "\",\"name\":\"F\",\"size\":5,\"logicalType\":\"decimal\",\"precision\":" p ",\"scale\":" s    \
    "}"
    static const char *const pairs[][2] = {
        {L("int", "date"), "value: date!"},
        {L("int", "time-millis"), "value: time[ms]!"},
        {L("long", "time-micros"), "value: time[us]!"},
        {L("long", "timestamp-millis"), "value: timestamp[ms, utc]!"},
        {L("long", "timestamp-micros"), "value: timestamp[us, utc]!"},
        {L("long", "timestamp-nanos"), "value: timestamp[ns, utc]!"},
        {L("long", "local-timestamp-millis"), "value: timestamp[ms]!"},
        {L("long", "local-timestamp-micros"), "value: timestamp[us]!"},
        {L("long", "local-timestamp-nanos"), "value: timestamp[ns]!"},
        {L("int", "timestamp-millis"), "value: int32!"}, /* on the wrong type: ignored */
        {L("string", "uuid"), "value: utf8!"},
        {L("string", "date"), "value: utf8!"},
        {L("long", "moon-phase"), "value: int64!"},
        {D("bytes", "38", "2"), "value: decimal(38,2)!"},
        {D("bytes", "76", "76"), "value: decimal(76,76)!"},
        {D("bytes", "77", "0"), "value: binary!"},
        {D("bytes", "4", "5"), "value: binary!"},
        {D("bytes", "0", "0"), "value: binary!"},
        {D("fixed", "11", "0"), "value: decimal(11,0)!"},
        {D("fixed", "12", "0"), "value: fixed(5)!"}, /* five bytes hold eleven digits */
        {"{\"type\":\"fixed\",\"name\":\"u\",\"size\":16,\"logicalType\":\"uuid\"}",
         "value: uuid!"},
        {"{\"type\":\"fixed\",\"name\":\"d\",\"size\":12,\"logicalType\":\"duration\"}",
         "value: fixed(12)!"},
    };
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        check(pairs[i][0], pairs[i][1]);
    }
}

static void test_names(void **state) {
    (void)state;
    /* A name is looked up in the namespace around it, and bare when it is not there. */
    check("{\"type\":\"record\",\"name\":\"R\",\"namespace\":\"n\",\"fields\":["
          "{\"name\":\"a\",\"type\":{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[]}},"
          "{\"name\":\"b\",\"type\":\"E\"},{\"name\":\"c\",\"type\":\"n.E\"},"
          "{\"name\":\"d\",\"type\":{\"type\":\"E\"}}]}",
          "a: utf8!, b: utf8!, c: utf8!, d: utf8!");
    check("{\"type\":\"record\",\"name\":\"o.R\",\"fields\":["
          "{\"name\":\"a\",\"type\":{\"type\":\"record\",\"name\":\"p.S\",\"fields\":["
          "{\"name\":\"x\",\"type\":{\"type\":\"fixed\",\"name\":\"F\",\"size\":1}}]}},"
          "{\"name\":\"b\",\"type\":\"p.F\"},{\"name\":\"c\",\"type\":\"p.S\"}]}",
          "a: struct<x: fixed(1)>!, b: fixed(1)!, c: struct<x: fixed(1)>!");
    /* Some exporters define a name twice: each stands for itself. */
    check("{\"type\":\"record\",\"name\":\"R\",\"fields\":["
          "{\"name\":\"a\",\"type\":{\"type\":\"record\",\"name\":\"S\",\"fields\":[]}},"
          "{\"name\":\"b\",\"type\":{\"type\":\"record\",\"name\":\"S\",\"fields\":["
          "{\"name\":\"x\",\"type\":\"int\"}]}}]}",
          "a: struct<>!, b: struct<x: int32>!");
    check_refused("\"Nowhere\"", HR_E_CORRUPT, "unknown type 'Nowhere'");
}

static void test_refused(void **state) {
    (void)state;
    check_refused("", HR_E_CORRUPT, "is no JSON");
    check_refused("{\"type\":", HR_E_CORRUPT, "is no JSON");
    check_refused("7", HR_E_CORRUPT, "neither text, object nor list");
    check_refused("{}", HR_E_CORRUPT, "neither text, object nor list");
    check_refused("[]", HR_E_CORRUPT, "no branches");
    check_refused("[[\"int\"]]", HR_E_CORRUPT, "directly in a union");
    check_refused("{\"type\":\"record\",\"fields\":[]}", HR_E_CORRUPT, "no name");
    check_refused("{\"type\":\"record\",\"name\":\"r\"}", HR_E_CORRUPT, "no list of fields");
    check_refused("{\"type\":\"record\",\"name\":\"r\",\"fields\":[{\"type\":\"int\"}]}",
                  HR_E_CORRUPT, "a field has no name");
    check_refused("{\"type\":\"record\",\"name\":\"r\",\"fields\":[7]}", HR_E_CORRUPT,
                  "a field has no name");
    check_refused("{\"type\":\"fixed\",\"name\":\"f\"}", HR_E_CORRUPT, "no size");
    check_refused("{\"type\":\"fixed\",\"name\":\"f\",\"size\":-1}", HR_E_CORRUPT, "no size");
    check_refused("{\"type\":\"enum\",\"name\":\"e\",\"symbols\":[1]}", HR_E_CORRUPT, "no text");
    check_refused("{\"type\":\"record\",\"name\":\"T\",\"fields\":[{\"name\":\"t\",\"type\":"
                  "[\"null\",{\"type\":\"array\",\"items\":\"T\"}]}]}",
                  HR_E_UNSUPPORTED, "'T' contains itself");
}

/* `depth` arrays in one another. */
static char *nested(int depth) {
    struct hr_buf buf;
    hr_buf_init(&buf, 0);
    for (int i = 0; i < depth; i++) {
        assert_int_equal(hr_buf_append_str(&buf, "{\"type\":\"array\",\"items\":", NULL), 0);
    }
    assert_int_equal(hr_buf_append_str(&buf, "\"int\"", NULL), 0);
    for (int i = 0; i < depth; i++) {
        assert_int_equal(hr_buf_append_byte(&buf, '}', NULL), 0);
    }
    return hr_buf_detach(&buf);
}

static void test_bounds(void **state) {
    (void)state;
    char *json = nested(64);
    struct hr_avro_schema avro;
    struct hr_error err;
    assert_rc(parse(json, &avro, &err), 0, &err);
    hr_avro_schema_release(&avro);
    hr_free(json);
    json = nested(65);
    check_refused(json, HR_E_BOUND, "deeper than 64");
    hr_free(json);
    json = nested(1000);
    check_refused(json, HR_E_BOUND, "deeper than 64");
    hr_free(json);
    /* Ten records, each of ten of the one before: a billion columns in a kilobyte. */
    struct hr_buf buf;
    hr_buf_init(&buf, 0);
    const char *type = "\"int\"";
    assert_int_equal(
        hr_buf_append_str(&buf, "{\"type\":\"record\",\"name\":\"top\",\"fields\":[", NULL), 0);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(
            hr_buf_printf(
                &buf, NULL,
                "%s{\"name\":\"f%d\",\"type\":{\"type\":\"record\",\"name\":\"r%d\",\"fields\":[",
                i > 0 ? "," : "", i, i),
            0);
        char last[16];
        snprintf(last, sizeof(last), "\"r%d\"", i - 1);
        for (int k = 0; k < 10; k++) {
            assert_int_equal(hr_buf_printf(&buf, NULL, "%s{\"name\":\"k%d\",\"type\":%s}",
                                           k > 0 ? "," : "", k, i > 0 ? last : type),
                             0);
        }
        assert_int_equal(hr_buf_append_str(&buf, "]}}", NULL), 0);
    }
    assert_int_equal(hr_buf_append_str(&buf, "]}", NULL), 0);
    check_refused(hr_buf_cstr(&buf), HR_E_BOUND, "more than 40000");
    hr_buf_release(&buf);
}

static void test_failing_memory(void **state) {
    (void)state;
    const char *json = "{\"type\":\"record\",\"name\":\"R\",\"fields\":["
                       "{\"name\":\"a\",\"type\":[\"null\",{\"type\":\"enum\",\"name\":\"E\","
                       "\"symbols\":[\"A\"]}]},"
                       "{\"name\":\"b\",\"type\":{\"type\":\"map\",\"values\":[\"int\",\"E\"]}},"
                       "{\"name\":\"c\",\"type\":{\"type\":\"array\",\"items\":\"string\"}}]}";
    int64_t live = hr_mem_live();
    int rc = 1;
    for (uint64_t nth = 1; rc != 0; nth++) {
        struct hr_avro_schema avro;
        hr_mem_fail_at(nth, 0);
        rc = parse(json, &avro, NULL);
        hr_mem_fail_at(0, 0);
        assert_true(rc == 0 || rc == HR_E_NOMEM);
        hr_avro_schema_release(&avro);
        assert_int_equal(hr_mem_live(), live);
        assert_true(nth < 200);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bare_types), cmocka_unit_test(test_logical_types),
        cmocka_unit_test(test_names),      cmocka_unit_test(test_refused),
        cmocka_unit_test(test_bounds),     cmocka_unit_test(test_failing_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
