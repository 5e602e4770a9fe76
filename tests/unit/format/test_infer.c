/* The inference ladder, one text at a time and by column, and texts into typed values. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "format/infer.h"
#include "support.h"

/* Type as the schema option spells it, for readable tables. */
static const char *spell(struct hr_type type) {
    static char text[80];
    struct hr_buf buf;
    struct hr_field field;
    hr_buf_init(&buf, 0);
    assert_int_equal(hr_field_init(&field, "x", 1, type, 0), 0);
    assert_int_equal(hr_field_type_text(&field, &buf, NULL), 0);
    snprintf(text, sizeof(text), "%s", hr_buf_cstr(&buf));
    hr_buf_release(&buf);
    hr_field_release(&field);
    return text;
}

static struct hr_type parse(const char *text) {
    struct hr_field field;
    assert_int_equal(hr_field_init(&field, "x", 1, hr_type(HR_T_NULL), 0), 0);
    assert_int_equal(hr_field_parse_type(&field, text, NULL), 0);
    const struct hr_type type = field.type;
    hr_field_release(&field);
    return type;
}

static void expect_type(const char *text, bool decimal, const char *want) {
    const struct hr_type type = hr_infer_text(text, strlen(text), decimal);
    if (!hr_type_equal(type, parse(want))) {
        fail_msg("'%s' is %s, wanted %s", text, spell(type), want);
    }
}

static void test_ladder(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"", "utf8"},
        {"0", "int64"},
        {"-0", "int64"},
        {"-7", "int64"},
        {"9223372036854775807", "int64"},
        {"-9223372036854775808", "int64"},
        {"9223372036854775808", "decimal(38,0)"},
        {"-9223372036854775809", "decimal(38,0)"},
        {"99999999999999999999999999999999999999", "decimal(38,0)"},
        {"999999999999999999999999999999999999999", "utf8"},
        {"007", "utf8"},
        {"-01", "utf8"},
        {"00.5", "utf8"},
        {"+5", "utf8"},
        {"0.5", "double"},
        {".5", "double"},
        {"5.", "double"},
        {"-1.5e-7", "double"},
        {"1e400", "utf8"},
        {"1e", "utf8"},
        {"1e+", "utf8"},
        {".", "utf8"},
        {"-", "utf8"},
        {"1.2.3", "utf8"},
        {"1,5", "utf8"},
        {"0x10", "utf8"},
        {"nan", "double"},
        {"-inf", "double"},
        {"Infinity", "double"},
        {"info", "utf8"},
        {"nano", "utf8"},
        {" 1", "utf8"},
        {"1 ", "utf8"},
        {"2024-02-29", "date32"},
        {"2023-02-29", "utf8"},
        {"2024-13-01", "utf8"},
        {"2024-01-15-ABC", "utf8"},
        {"2024-01-15T", "utf8"},
        {"2024-01-15 10:11:12", "timestamp[us]"},
        {"2024-01-15T10:11", "timestamp[us]"},
        {"2024-01-15T10:11:12.123456", "timestamp[us]"},
        {"2024-01-15T10:11:12.123456000", "timestamp[us]"},
        {"2024-01-15T10:11:12.123456789", "timestamp[ns]"},
        {"2524-01-15T10:11:12.123456789", "utf8"},
        {"2024-01-15T10:11:12Z", "timestamp[us, utc]"},
        {"2024-01-15T10:11:12.5+02:00", "timestamp[us, utc]"},
        {"10:11:12", "utf8"},
        {"true", "utf8"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        expect_type(cases[i][0], false, cases[i][1]);
    }
    expect_type("12.50", true, "decimal(4,2)");
    expect_type("0.05", true, "decimal(2,2)");
    expect_type("1e5", true, "double");
    expect_type("7", true, "int64");
    assert_int_equal(hr_infer_time("123", 3).id, HR_T_UTF8);
    assert_int_equal(hr_infer_time("2024-01-15", 10).id, HR_T_DATE32);
}

static struct hr_type column(bool decimal, const char *const *values) {
    struct hr_infer_column col = {.decimal = decimal};
    for (; *values != NULL; values++) {
        hr_infer_add(&col, *values, strlen(*values),
                     hr_infer_bool(*values, strlen(*values), NULL, NULL) >= 0);
    }
    return hr_infer_result(&col);
}

static void expect_column(const char *want, bool decimal, const char *const *values) {
    const struct hr_type type = column(decimal, values);
    if (!hr_type_equal(type, parse(want))) {
        fail_msg("column of '%s' … is %s, wanted %s", values[0], spell(type), want);
    }
}

static void test_columns(void **state) {
    (void)state;
    assert_int_equal(column(false, (const char *[]){NULL}).id, HR_T_NULL);
    expect_column("bool", false, (const char *[]){"true", "FALSE", NULL});
    expect_column("utf8", false, (const char *[]){"true", "1", NULL});
    expect_column("int64", false, (const char *[]){"1", "-2", NULL});
    expect_column("double", false, (const char *[]){"1", "2.5", "nan", NULL});
    expect_column("utf8", false, (const char *[]){"1", "007", NULL});
    expect_column("decimal(38,0)", false, (const char *[]){"1", "9999999999999999999", NULL});
    expect_column("timestamp[us]", false,
                  (const char *[]){"2024-01-01", "2024-01-01 00:00:01", NULL});
    expect_column("utf8", false,
                  (const char *[]){"2024-01-01T00:00:00Z", "2024-01-01T00:00:00", NULL});
    expect_column("decimal(18,3)", true, (const char *[]){"12.5", "0.125", NULL});
    expect_column("decimal(38,2)", true, (const char *[]){"12.55", "1234567890123456789.1", NULL});
    expect_column("double", true, (const char *[]){"12.55", "1e9", NULL});
}

static bool convert(const char *type, const char *text, bool declared, union hr_cell *out) {
    memset(out, 0, sizeof(*out));
    const unsigned lenient = declared ? HR_LENIENT_NUMBERS | HR_LENIENT_TIMES : 0;
    return hr_infer_convert(parse(type), text, strlen(text), lenient, out);
}

static void test_integers(void **state) {
    (void)state;
    union hr_cell cell;
    assert_true(convert("int8", "-128", false, &cell));
    assert_int_equal((int8_t)cell.bytes[0], -128);
    assert_false(convert("int8", "128", false, &cell));
    assert_true(convert("uint8", "255", false, &cell));
    assert_false(convert("uint8", "-1", false, &cell));
    assert_true(convert("uint64", "18446744073709551615", false, &cell));
    assert_true((uint64_t)cell.i64 == UINT64_MAX);
    assert_false(convert("int64", "007", false, &cell));
    assert_true(convert("int64", "007", true, &cell));
    assert_int_equal(cell.i64, 7);
    assert_false(convert("int64", "+7", false, &cell));
    assert_true(convert("int64", "+7", true, &cell));
    assert_false(convert("int64", "7.0", true, &cell));
    assert_false(convert("int64", "", true, &cell));
}

static void test_fractions(void **state) {
    (void)state;
    union hr_cell cell;
    assert_true(convert("double", "0.1", false, &cell));
    assert_true(cell.f64 == 0.1);
    assert_true(convert("double", "NaN", false, &cell));
    assert_true(isnan(cell.f64));
    assert_false(convert("double", "1e400", false, &cell)); /* not infinity */
    assert_false(convert("double", "-1e400", true, &cell));
    assert_false(convert("float", "1e39", false, &cell));
    assert_true(convert("float", "3.4028235e38", false, &cell));
    assert_true(convert("float", "-inf", false, &cell));
    /* More digits than decimals have: text to inference, a rounded number to a declared column. */
    assert_false(convert("double", "9999999999999999999999999999999999999999", false, &cell));
    assert_true(convert("double", "9999999999999999999999999999999999999999", true, &cell));
    assert_true(convert("double", "99999999999999999999999999999999999999", false, &cell));
    assert_true(convert("float", "3.5", false, &cell));
    assert_true((double)cell.f32 == 3.5);
    assert_true(convert("decimal(9,2)", "-12.5", false, &cell));
    assert_true(cell.i128 == -1250);
    assert_false(convert("decimal(9,2)", "12.505", false, &cell));
    assert_true(convert("decimal(9,2)", "12.500", false, &cell));
    assert_false(convert("decimal(4,2)", "123.45", false, &cell));
    assert_false(convert("decimal(9,2)", "1e3", false, &cell));
    assert_true(convert("decimal(9,2)", "1e3", true, &cell));
    assert_true(cell.i128 == 100000);
    const struct hr_type wide = {.id = HR_T_DEC256, .precision = 76, .scale = 2};
    const char *text = "-1000000000000000000000000000000000000000000.5"; /* -10^42 - 0.5 */
    assert_true(hr_infer_convert(wide, text, strlen(text), false, &cell));
    char back[100];
    const size_t n = hr_format_decimal256(cell.words, 2, back);
    assert_int_equal(n, strlen(text) + 1);
    assert_memory_equal(back, text, strlen(text));
    assert_false(hr_infer_convert(wide, "1.234", 5, false, &cell));
}

static void test_half(void **state) {
    (void)state;
    const struct hr_type half = hr_type(HR_T_F16);
    for (unsigned bits = 0; bits < 0x10000; bits++) {
        const double v = hr_half_to_double((uint16_t)bits);
        if (isnan(v)) {
            continue;
        }
        char text[40];
        const size_t n = hr_format_double(v, true, text);
        union hr_cell cell;
        assert_true(hr_infer_convert(half, text, n, true, &cell));
        uint16_t got;
        memcpy(&got, cell.bytes, 2);
        assert_int_equal(got, bits);
    }
}

static void test_times(void **state) {
    (void)state;
    union hr_cell cell;
    assert_true(convert("date32", "1970-01-02", false, &cell));
    assert_int_equal(cell.i64, 1);
    assert_true(convert("timestamp[us]", "1970-01-02", false, &cell));
    assert_int_equal(cell.i64, 86400000000LL);
    assert_true(convert("timestamp[ms]", "1969-12-31 23:59:59.5", false, &cell));
    assert_int_equal(cell.i64, -500);
    assert_false(convert("timestamp[ms]", "1970-01-01 00:00:00.0001", false, &cell));
    assert_false(convert("timestamp[us]", "1970-01-01 00:00:00Z", false, &cell));
    /* Not UTC just because the column is: inference would call both together text. */
    assert_false(convert("timestamp[us, utc]", "1970-01-01 00:00:00", false, &cell));
    assert_true(convert("timestamp[us, utc]", "1970-01-01", false, &cell));
    assert_true(convert("timestamp[us, utc]", "1970-01-01 00:00:00", true, &cell));
    assert_true(convert("timestamp[us, utc]", "1970-01-01 01:00:00+01:00", false, &cell));
    assert_int_equal(cell.i64, 0);
    assert_false(convert("timestamp[ns]", "2524-01-01 00:00:00", false, &cell));
    assert_true(convert("time[ms]", "00:00:01.5", false, &cell));
    assert_int_equal(cell.i64, 1500);
    assert_false(convert("time[s]", "00:00:01.5", false, &cell));
}

static void test_bytes(void **state) {
    (void)state;
    struct hr_type uuid = {.id = HR_T_FIXED, .width = 16, .ext = HR_EXT_UUID};
    union hr_cell cell;
    const char *text = "00112233-4455-6677-8899-aAbBcCdDeEfF";
    assert_true(hr_infer_convert(uuid, text, 36, false, &cell));
    assert_int_equal(cell.bytes[15], 0xff);
    assert_false(hr_infer_convert(uuid, "0011223344556677-8899-aAbBcCdDeEfF--", 36, false, &cell));
    struct hr_field field;
    struct hr_vec vec;
    assert_int_equal(hr_field_init(&field, "b", 1, hr_type(HR_T_BINARY), 0), 0);
    assert_int_equal(hr_vec_init(&vec, &field, NULL), 0);
    static const char *const good[] = {"", "TQ==", "TWE=", "TWFu", "TWFuTQ=="};
    static const char *const bad[] = {
        "T", "TQ=", "TQ=A", "T===", "TR==", "TWF=", "TW!u", "TQ==TWFu"};
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(hr_infer_append(&vec, good[i], strlen(good[i]), false, NULL), 0);
        assert_int_equal(hr_vec_slice(&vec, (int64_t)i).len, i);
    }
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(hr_infer_append(&vec, bad[i], strlen(bad[i]), false, NULL), HR_MORE);
    }
    assert_int_equal(vec.len, 5);
    hr_vec_release(&vec);
    hr_field_release(&field);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ladder),   cmocka_unit_test(test_columns),
        cmocka_unit_test(test_integers), cmocka_unit_test(test_fractions),
        cmocka_unit_test(test_half),     cmocka_unit_test(test_times),
        cmocka_unit_test(test_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
