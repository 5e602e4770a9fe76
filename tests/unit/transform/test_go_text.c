/* Go's %v and encoding/json: every expected text here was printed by Go 1.26 itself. */
#include "support.h"

#include <math.h>
#include <string.h>

#include "config/option.h"
#include "transform/go_text.h"

struct number_row {
    double value;
    const char *sprint, *json;
};

static const struct number_row DOUBLES[] = {
    {0, "0", "0"},
    {1, "1", "1"},
    {-1, "-1", "-1"},
    {2, "2", "2"},
    {0.10000000000000001, "0.1", "0.1"},
    {100000, "100000", "100000"},
    {999999, "999999", "999999"},
    {1000000, "1e+06", "1000000"},
    {123456, "123456", "123456"},
    {1234567, "1.234567e+06", "1234567"},
    {-2097152, "-2.097152e+06", "-2097152"},
    {12345678.5, "1.23456785e+07", "12345678.5"},
    {100000.5, "100000.5", "100000.5"},
    {999999.5, "999999.5", "999999.5"},
    {1000000.5, "1.0000005e+06", "1000000.5"},
    {1000000000000000, "1e+15", "1000000000000000"},
    {10000000000000000, "1e+16", "10000000000000000"},
    {1.2345678901234568e+17, "1.2345678901234568e+17", "123456789012345680"},
    {1e+20, "1e+20", "100000000000000000000"},
    {9.9999999999999895e+20, "9.99999999999999e+20", "999999999999999000000"},
    {1e+21, "1e+21", "1e+21"},
    {1.5e+21, "1.5e+21", "1.5e+21"},
    {1.2345678901234568e+20, "1.2345678901234568e+20", "123456789012345680000"},
    {0.0001, "0.0001", "0.0001"},
    {1.0000000000000001e-05, "1e-05", "0.00001"},
    {0.00012344999999999999, "0.00012345", "0.00012345"},
    {1.2345e-05, "1.2345e-05", "0.000012345"},
    {9.9999999999999995e-07, "1e-06", "0.000001"},
    {9.9900000000000009e-07, "9.99e-07", "9.99e-7"},
    {1.5e-09, "1.5e-09", "1.5e-9"},
    {1e-10, "1e-10", "1e-10"},
    {1e-100, "1e-100", "1e-100"},
    {4.9406564584124654e-324, "5e-324", "5e-324"},
    {1.7976931348623157e+308, "1.7976931348623157e+308", "1.7976931348623157e+308"},
    {1048576, "1.048576e+06", "1048576"},
    {16777216, "1.6777216e+07", "16777216"},
    {3.1415926535897931, "3.141592653589793", "3.141592653589793"},
};

static const struct number_row SINGLES[] = {
    {(double)16777216.0F, "1.6777216e+07", "16777216"},
    {(double)0.100000001F, "0.1", "0.1"},
    {(double)3.0000001e+10F, "3e+10", "30000000000"},
    {(double)1.00000001e-07F, "1e-07", "1e-7"},
    {(double)-2.5F, "-2.5", "-2.5"},
    {(double)3.40282347e+38F, "3.4028235e+38", "3.4028235e+38"},
};

struct time_row {
    int64_t us;
    const char *sprint, *json;
};

static const struct time_row TIMES[] = {
    {INT64_C(0), "1970-01-01 00:00:00 +0000 UTC", "\"1970-01-01T00:00:00Z\""},
    {INT64_C(1500000), "1970-01-01 00:00:01.5 +0000 UTC", "\"1970-01-01T00:00:01.5Z\""},
    {INT64_C(1709209801500000), "2024-02-29 12:30:01.5 +0000 UTC", "\"2024-02-29T12:30:01.5Z\""},
    {INT64_C(1709209801123456), "2024-02-29 12:30:01.123456 +0000 UTC",
     "\"2024-02-29T12:30:01.123456Z\""},
    {INT64_C(-1), "1969-12-31 23:59:59.999999 +0000 UTC", "\"1969-12-31T23:59:59.999999Z\""},
    {INT64_C(-62135596800000000), "0001-01-01 00:00:00 +0000 UTC", "\"0001-01-01T00:00:00Z\""},
    {INT64_C(253402300799999999), "9999-12-31 23:59:59.999999 +0000 UTC",
     "\"9999-12-31T23:59:59.999999Z\""},
};

struct text_row {
    const char *json, *sprint;
};

static const struct text_row TEXTS[] = {
    {"{\"b\":1,\"a\":[1,2.5,\"x\",null,true],\"c\":{}}", "map[a:[1 2.5 x <nil> true] b:1 c:map[]]"},
    {"[]", "[]"},
    {"{}", "map[]"},
    {"[[],{\"k\":\"v w\"}]", "[[] map[k:v w]]"},
    {"12345678", "1.2345678e+07"},
    {"{\"n\":9007199254740993}", "map[n:9.007199254740992e+15]"},
    {"\"text\"", "text"},
    {"null", "<nil>"},
    {"not json", "not json"},
};

/* A vector of one value of this type. */
static void one(struct hr_vec *vec, struct hr_field *field, struct hr_type type) {
    memset(field, 0, sizeof(*field));
    assert_int_equal(hr_field_init(field, "v", 1, type, 0), 0);
    assert_int_equal(hr_vec_init(vec, field, NULL), 0);
}

static void check(struct hr_vec *vec, struct hr_field *field, bool as_doubles, const char *sprint,
                  const char *json) {
    struct hr_buf out;
    hr_buf_init(&out, 1 << 20);
    assert_int_equal(hr_go_sprint(vec, 0, as_doubles, &out, NULL), 0);
    assert_string_equal(hr_buf_cstr(&out), sprint);
    if (json != NULL) {
        hr_buf_clear(&out);
        assert_int_equal(hr_buf_append_byte(&out, 'x', NULL), 0); /* what stands before stays */
        assert_int_equal(hr_go_json(vec, 0, &out, NULL), 0);
        assert_string_equal(hr_buf_cstr(&out) + 1, json);
    }
    hr_buf_release(&out);
    hr_vec_release(vec);
    hr_field_release(field);
}

static void check_number(int id, double value, const char *sprint, const char *json) {
    struct hr_vec vec;
    struct hr_field field;
    one(&vec, &field, hr_type((enum hr_type_id)id));
    assert_int_equal(hr_vec_append_f64(&vec, value, NULL), 0);
    check(&vec, &field, false, sprint, json);
}

static void test_numbers(void **state) {
    (void)state;
    for (size_t i = 0; i < HR_COUNTOF(DOUBLES); i++) {
        check_number(HR_T_F64, DOUBLES[i].value, DOUBLES[i].sprint, DOUBLES[i].json);
    }
    for (size_t i = 0; i < HR_COUNTOF(SINGLES); i++) {
        check_number(HR_T_F32, SINGLES[i].value, SINGLES[i].sprint, SINGLES[i].json);
    }
    check_number(HR_T_F64, -0.0, "-0", "-0");
    check_number(HR_T_F64, (double)NAN, "NaN", "null");
    check_number(HR_T_F64, -(double)INFINITY, "-Inf", "null");
    check_number(HR_T_F64, (double)INFINITY, "+Inf", "null");
}

static void check_integer(int id, int64_t value, bool as_doubles, const char *sprint,
                          const char *json) {
    struct hr_vec vec;
    struct hr_field field;
    one(&vec, &field, hr_type((enum hr_type_id)id));
    assert_int_equal(hr_vec_append_i64(&vec, value, NULL), 0);
    check(&vec, &field, as_doubles, sprint, json);
}

/* From text files the original reads integers as doubles; records keep their digits here. */
static void test_integers(void **state) {
    (void)state;
    check_integer(HR_T_I64, 1234567, false, "1234567", "1234567");
    check_integer(HR_T_I64, 1234567, true, "1.234567e+06", "1234567");
    check_integer(HR_T_I64, 9007199254740993, true, "9.007199254740992e+15", "9007199254740993");
    check_integer(HR_T_I32, -5, true, "-5", "-5");
    check_integer(HR_T_DATE32, 19782, false, "2024-02-29 00:00:00 +0000 UTC",
                  "\"2024-02-29T00:00:00Z\"");
}

static void test_times(void **state) {
    (void)state;
    for (size_t i = 0; i < HR_COUNTOF(TIMES); i++) {
        for (uint8_t utc = 0; utc < 2; utc++) {
            struct hr_vec vec;
            struct hr_field field;
            one(&vec, &field, (struct hr_type){.id = HR_T_TS, .unit = HR_U_US, .utc = utc});
            assert_int_equal(hr_vec_append_i64(&vec, TIMES[i].us, NULL), 0);
            check(&vec, &field, false, TIMES[i].sprint, TIMES[i].json);
        }
    }
}

static void check_bytes(struct hr_type type, const char *text, size_t len, const char *sprint,
                        const char *json) {
    struct hr_vec vec;
    struct hr_field field;
    one(&vec, &field, type);
    assert_int_equal(hr_vec_append_bytes(&vec, text, len, NULL), 0);
    check(&vec, &field, false, sprint, json);
}

static void test_texts(void **state) {
    (void)state;
    struct hr_type type = hr_type(HR_T_UTF8);
    check_bytes(type, "a|b <", 5, "a|b <", "\"a|b <\"");
    check_bytes(hr_type(HR_T_BINARY), "ab", 2, "ab", "\"ab\"");
    check_bytes(hr_type(HR_T_BINARY), "\xff\xfe", 2, "//4=", "\"//4=\"");
    type.ext = HR_EXT_JSON;
    for (size_t i = 0; i < HR_COUNTOF(TEXTS); i++) {
        check_bytes(type, TEXTS[i].json, strlen(TEXTS[i].json), TEXTS[i].sprint, NULL);
    }
}

static void test_null(void **state) {
    (void)state;
    struct hr_vec vec;
    struct hr_field field;
    one(&vec, &field, hr_type(HR_T_I64));
    assert_int_equal(hr_vec_append_null(&vec, NULL), 0);
    check(&vec, &field, true, "<nil>", "null");
}

/* Deeper than any document may be: an error, not the end of the stack. */
static void test_deep(void **state) {
    (void)state;
    char text[1200];
    struct hr_vec vec;
    struct hr_field field;
    struct hr_type type = hr_type(HR_T_UTF8);
    struct hr_buf out;
    struct hr_error err;
    type.ext = HR_EXT_JSON;
    memset(text, '[', 600);
    memset(text + 600, ']', 600);
    one(&vec, &field, type);
    assert_int_equal(hr_vec_append_bytes(&vec, text, sizeof(text), NULL), 0);
    hr_buf_init(&out, 1 << 20);
    hr_error_clear(&err);
    assert_rc(hr_go_sprint(&vec, 0, false, &out, &err), HR_E_BOUND, &err);
    hr_buf_release(&out);
    hr_vec_release(&vec);
    hr_field_release(&field);
}

/* Every allocation fails once: an error or the right text, nothing leaks. */
static void test_memory(void **state) {
    (void)state;
    static const char json[] = "{\"b\":1,\"a\":[1,\"x\"]}";
    struct hr_vec vec;
    struct hr_field field;
    struct hr_type type = hr_type(HR_T_UTF8);
    type.ext = HR_EXT_JSON;
    one(&vec, &field, type);
    assert_int_equal(hr_vec_append_bytes(&vec, json, sizeof(json) - 1, NULL), 0);
    for (uint64_t n = 1; n < 200; n++) {
        struct hr_buf out;
        hr_buf_init(&out, 1 << 20);
        hr_mem_fail_at(n, 0);
        const int rc = hr_go_sprint(&vec, 0, false, &out, NULL);
        hr_mem_fail_at(0, 0);
        if (rc == 0 && strcmp(hr_buf_cstr(&out), "map[a:[1 x] b:1]") == 0) {
            hr_buf_release(&out);
            break;
        }
        assert_int_equal(rc, HR_E_NOMEM);
        hr_buf_release(&out);
        assert_true(n < 199);
    }
    hr_vec_release(&vec);
    hr_field_release(&field);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers), cmocka_unit_test(test_integers),
        cmocka_unit_test(test_times),   cmocka_unit_test(test_texts),
        cmocka_unit_test(test_null),    cmocka_unit_test(test_deep),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
