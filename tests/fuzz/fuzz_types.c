/* tests/fuzz/fuzz_types.c - any bytes as the names of two types: what is taken is written and read
 * again to the same type; what two types meet at holds both. The rest of the input is the option
 * `schema`. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "batch/schema.h"
#include "plan/sample.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok) {
    if (!ok) {
        abort();
    }
}

static bool parse(struct hr_field *field, const char *text) {
    struct hr_error err;
    hr_error_clear(&err);
    must(hr_field_init(field, "x", 1, hr_type(HR_T_NULL), 0) == 0);
    if (hr_field_parse_type(field, text, &err) == 0) {
        return true;
    }
    must(err.code < 0 && err.message[0] != '\0');
    return false;
}

static void again(const struct hr_field *field) {
    struct hr_field other;
    struct hr_buf text;
    hr_buf_init(&text, 0);
    must(hr_field_type_text(field, &text, NULL) == 0);
    must(parse(&other, hr_buf_cstr(&text)));
    must(hr_field_equal(field, &other));
    hr_field_release(&other);
    hr_buf_release(&text);
}

static void meet(const struct hr_field *a, const struct hr_field *b) {
    struct hr_field out = {0};
    struct hr_field back = {0};
    must(hr_field_meet(a, b, &out) == 0);
    must(hr_field_meet(&out, a, &back) == 0);
    must(hr_type_equal(out.type, back.type)); /* nothing is gained by meeting it again */
    hr_field_release(&back);
    hr_field_release(&out);
    if (hr_field_fits(a, b)) {
        must(!hr_field_fits(b, a) || hr_type_equal(a->type, b->type) || hr_type_nested(a->type));
    }
}

static void try_option(const char *text) {
    struct hr_settings settings;
    struct hr_schema *schema = hr_schema_new(1);
    struct hr_error err;
    hr_error_clear(&err);
    must(schema != NULL && hr_settings_init(&settings, &err) == 0);
    must(hr_field_init(&schema->fields[0], "x", 1, hr_type(HR_T_UTF8), 0) == 0);
    int rc = hr_settings_set_text(&settings, "schema", text, &err);
    if (rc == 0) {
        rc = hr_schema_override(&settings, &schema, &err);
    }
    must(rc == 0 || err.message[0] != '\0');
    hr_schema_unref(schema);
    hr_settings_release(&settings);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct hr_field a;
    struct hr_field b;
    if (size > 2000) {
        return 0;
    }
    char *text = hr_strndup((const char *)data, size);
    char *second = strchr(text, '\n');
    if (second != NULL) {
        *second++ = '\0';
    }
    const bool first_ok = parse(&a, text);
    const bool second_ok = parse(&b, second != NULL ? second : "int32");
    if (first_ok) {
        again(&a);
    }
    if (first_ok && second_ok) {
        meet(&a, &b);
        meet(&b, &a);
    }
    if (second != NULL) {
        try_option(second);
    }
    hr_field_release(&a);
    hr_field_release(&b);
    hr_free(text);
    return 0;
}
