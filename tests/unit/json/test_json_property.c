/* tests/unit/json/test_json_property - generated records: the engines agree on every text, sound or
 * broken, however it is cut into slices; and on sound ones with another parser (jansson). */
#include <jansson.h>

#include "json_test.h"

static uint64_t pick(uint64_t *seed, uint64_t n) {
    return test_rand(seed) % n;
}

static void put(struct hr_buf *out, const char *text) {
    assert_int_equal(hr_buf_append_str(out, text, NULL), 0);
}

static void put_blank(struct hr_buf *out, uint64_t *seed) {
    static const char *const blanks[] = {"", "", "", "", " ", "  ", "\t", "\r"};
    put(out, blanks[pick(seed, HR_COUNTOF(blanks))]);
}

static void put_string(struct hr_buf *out, uint64_t *seed) {
    static const char *const parts[] = {"a",
                                        "bc",
                                        "\\n",
                                        "\\\"",
                                        "\\u00e9",
                                        "\\ud83d\\ude00",
                                        "\xc3\xa9",
                                        "\\u20ac",
                                        "\xe2\x82\xac",
                                        "plain text ",
                                        "{",
                                        ",\\\"k\\\":",
                                        "\\\\",
                                        "0123456789012345"};
    put(out, "\"");
    for (uint64_t n = pick(seed, 8); n > 0; n--) {
        put(out, parts[pick(seed, HR_COUNTOF(parts))]);
    }
    put(out, "\"");
}

static void put_number(struct hr_buf *out, uint64_t *seed) {
    const int64_t v = (int64_t)(test_rand(seed) >> pick(seed, 64));
    switch (pick(seed, 5)) {
    case 0: hr_buf_printf(out, NULL, "%lld", (long long)v); break;
    case 1: hr_buf_printf(out, NULL, "%d.%02d", (int)(v % 100000), (int)pick(seed, 100)); break;
    case 2:
        hr_buf_printf(out, NULL, "%d.%de%d", (int)(v % 10), (int)pick(seed, 1000000),
                      (int)pick(seed, 40) - 20);
        break;
    case 3: hr_buf_printf(out, NULL, "-%d.%d", (int)pick(seed, 1000), (int)pick(seed, 1000)); break;
    default: hr_buf_printf(out, NULL, "%d", (int)pick(seed, 10)); break;
    }
}

static void put_value(struct hr_buf *out, uint64_t *seed, int depth);

static void put_nested(struct hr_buf *out, uint64_t *seed, int depth, bool object) {
    put(out, object ? "{" : "[");
    put_blank(out, seed);
    const uint64_t n = pick(seed, 4);
    for (uint64_t i = 0; i < n; i++) {
        if (i > 0) {
            put(out, ",");
            put_blank(out, seed);
        }
        if (object) {
            hr_buf_printf(out, NULL, "\"n%d\"", (int)pick(seed, 5));
            put_blank(out, seed);
            put(out, ":");
            put_blank(out, seed);
        }
        put_value(out, seed, depth + 1);
        put_blank(out, seed);
    }
    put(out, object ? "}" : "]");
}

static void put_value(struct hr_buf *out, uint64_t *seed, int depth) {
    switch (pick(seed, depth < 3 ? 9 : 7)) {
    case 0: put(out, "null"); break;
    case 1: put(out, pick(seed, 2) ? "true" : "false"); break;
    case 2:
    case 3: put_number(out, seed); break;
    case 4:
    case 5: put_string(out, seed); break;
    case 6:
        hr_buf_printf(out, NULL, "\"20%02d-%02d-%02d\"", (int)pick(seed, 100),
                      (int)pick(seed, 12) + 1, (int)pick(seed, 28) + 1);
        break;
    case 7: put_nested(out, seed, depth, true); break;
    default: put_nested(out, seed, depth, false); break;
    }
}

/* Mostly one kind of value a key, as data has it. */
static void put_typed(struct hr_buf *out, uint64_t *seed, int key) {
    if (pick(seed, 12) == 0) {
        put_value(out, seed, 1);
        return;
    }
    switch (key) {
    case 0: hr_buf_printf(out, NULL, "%d", (int)pick(seed, 100000)); break;
    case 1:
        hr_buf_printf(out, NULL, "%d.%02d", (int)pick(seed, 100000), (int)pick(seed, 100));
        break;
    case 2: put_string(out, seed); break;
    case 3:
        hr_buf_printf(out, NULL, "\"1999-%02d-%02d\"", (int)pick(seed, 12) + 1,
                      (int)pick(seed, 28) + 1);
        break;
    case 4: put(out, pick(seed, 2) ? "true" : "false"); break;
    case 5: put_nested(out, seed, 1, true); break;
    default: put_nested(out, seed, 1, false); break;
    }
}

/* Records with keys k0..k6, in order or shuffled, some missing, some twice. */
static void put_record(struct hr_buf *out, uint64_t *seed, bool tidy) {
    const char *colon = tidy ? ":" : " : ";
    bool first = true;
    put(out, "{");
    for (int k = 0; k < 7; k++) {
        int key = k;
        if (pick(seed, 10) == 0) {
            continue;
        }
        if (pick(seed, 10) == 0) {
            key = (int)pick(seed, 9);
        }
        if (!tidy) {
            put_blank(out, seed);
        }
        hr_buf_printf(out, NULL, "%s\"%s%d\"%s", first ? "" : ",", pick(seed, 40) ? "k" : "\\u006b",
                      key, colon);
        first = false;
        put_typed(out, seed, key);
    }
    put(out, "}");
}

static void put_text(struct hr_buf *out, uint64_t *seed) {
    const uint64_t form = pick(seed, 4); /* lines, array, concatenated, over lines */
    const bool tidy = pick(seed, 2) != 0;
    if (form == 1) {
        put(out, "[");
    }
    for (uint64_t n = 1 + pick(seed, 12), i = 0; i < n; i++) {
        if (form == 1 && i > 0) {
            put(out, ", ");
        }
        if (form == 3) {
            put(out, "\n");
        }
        put_record(out, seed, tidy);
        put(out, form == 0 ? "\n" : form == 3 ? "\n\n" : "");
    }
    if (form == 1) {
        put(out, "]\n");
    }
}

/* ---- engines agree ---- */

static void same(const struct reading *a, const struct reading *b, const struct hr_buf *text) {
    char want[2000] = "";
    char got[2000] = "";
    if (a->needs != NULL && b->needs != NULL) {
        schema_text(a->needs, want, sizeof(want));
        schema_text(b->needs, got, sizeof(got));
    }
    if (a->rc != b->rc || a->n_rows != b->n_rows || a->rejected != b->rejected ||
        a->nulled != b->nulled || a->end_record != b->end_record || strcmp(want, got) != 0 ||
        strcmp(hr_buf_cstr(&a->rows), hr_buf_cstr(&b->rows)) != 0 ||
        strcmp(hr_buf_cstr(&a->rejects), hr_buf_cstr(&b->rejects)) != 0 ||
        (a->rc < 0 && (a->err.byte_offset != b->err.byte_offset || a->err.line != b->err.line ||
                       strcmp(a->err.message, b->err.message) != 0))) {
        printf("TEXT %s\nrc %d rows\n%s\nrejects %s\nneeds %s\n%s\nrc %d rows\n%s\nrejects "
               "%s\nneeds %s\n%s\n",
               hr_buf_cstr(text), a->rc, hr_buf_cstr(&a->rows), hr_buf_cstr(&a->rejects), want,
               a->rc < 0 ? a->err.message : "", b->rc, hr_buf_cstr(&b->rows),
               hr_buf_cstr(&b->rejects), got, b->rc < 0 ? b->err.message : "");
        fail_msg("engines or slices disagree");
    }
}

static void agree(const struct hr_buf *text, struct how how, uint64_t *seed) {
    struct hr_schema *want;
    struct hr_error err;
    how.engine = engines[0];
    how.chunk = 0;
    if (infer_text(text->ptr, text->len, how, &want, &err) != 0) {
        want = schema_of("k0: int64, k1: double, k2: utf8, k3: date, @k5: utf8, k6: list<int64>");
    }
    struct reading first = read_text(text->ptr, text->len, want, how);
    const size_t chunks[] = {0, 1, 1 + pick(seed, 80), 1 + pick(seed, text->len + 1)};
    for (size_t e = 0; e < n_engines(); e++) {
        for (size_t c = 0; c < HR_COUNTOF(chunks); c++) {
            how.engine = engines[e];
            how.chunk = chunks[c];
            struct reading r = read_text(text->ptr, text->len, want, how);
            same(&first, &r, text);
            reading_release(&r);
        }
    }
    reading_release(&first);
    hr_schema_unref(want);
}

static struct how random_how(uint64_t *seed) {
    struct how how = how_default();
    how.json.nested_text = pick(seed, 2) != 0;
    how.json.flatten = pick(seed, 2) != 0;
    how.json.max_depth = (int64_t)pick(seed, 3);
    how.params.want_all = pick(seed, 2) != 0;
    how.params.misfit = (enum hr_misfit)pick(seed, 4);
    how.params.want_rows = pick(seed, 2) != 0;
    how.params.batch_rows = pick(seed, 3) == 0 ? 3 : 0;
    how.rejects = pick(seed, 2) != 0;
    return how;
}

static void engines_agree(void **state) {
    (void)state;
    uint64_t seed = 1;
    for (int round = 0; round < 400; round++) {
        struct hr_buf text;
        hr_buf_init(&text, 0);
        put_text(&text, &seed);
        agree(&text, random_how(&seed), &seed);
        for (uint64_t n = pick(&seed, 4); n > 0; n--) { /* and broken */
            static const char junk[] = "{}[]\",:\\ntfe-0.\n\x80\x00\x1f u1";
            text.ptr[pick(&seed, text.len)] = (uint8_t)junk[pick(&seed, sizeof(junk))];
            agree(&text, random_how(&seed), &seed);
        }
        hr_buf_release(&text);
    }
}

/* ---- jansson agrees ---- */

static void check_cell(const struct hr_field *field, const json_t *ours, const json_t *theirs) {
    if (theirs == NULL || json_is_null(theirs)) {
        assert_true(json_is_null(ours));
    } else if (field->type.id == HR_T_F64) {
        assert_true(json_is_number(theirs));
        const double a = json_number_value(ours);
        const double b = json_number_value(theirs);
        assert_memory_equal(&a, &b, sizeof(a));
    } else if (field->type.id == HR_T_UTF8 && field->type.ext == HR_EXT_NONE &&
               !json_is_string(theirs)) {
        json_t *inside = json_loads(json_string_value(ours), JSON_DECODE_ANY, NULL);
        assert_non_null(inside);
        assert_true(json_equal(inside, theirs));
        json_decref(inside);
    } else if (!json_equal(ours, theirs)) {
        fail_msg("%s: %s is not %s", field->name, json_dumps(ours, JSON_ENCODE_ANY),
                 json_dumps(theirs, JSON_ENCODE_ANY));
    }
}

/* Keys that only one side has must be null on ours. */
static void check_record(const struct hr_schema *schema, const char *ours_text,
                         const char *theirs_text) {
    json_error_t why;
    json_t *ours = json_loads(ours_text, JSON_ALLOW_NUL | JSON_DISABLE_EOF_CHECK, &why);
    json_t *theirs = json_loads(theirs_text, JSON_ALLOW_NUL | JSON_DISABLE_EOF_CHECK, &why);
    assert_non_null(ours);
    assert_non_null(theirs);
    for (int i = 0; i < schema->n_fields; i++) {
        const char *name = schema->fields[i].name;
        check_cell(&schema->fields[i], json_object_get(ours, name), json_object_get(theirs, name));
    }
    const char *name;
    json_t *value;
    json_object_foreach(theirs, name, value) {
        assert_true(hr_schema_find(schema, name, strlen(name)) >= 0);
    }
    json_decref(ours);
    json_decref(theirs);
}

static void jansson_agrees(void **state) {
    (void)state;
    uint64_t seed = 7;
    for (int round = 0; round < 300; round++) {
        struct hr_buf text;
        struct hr_schema *schema;
        struct hr_error err;
        struct how how = how_default();
        hr_buf_init(&text, 0);
        const bool tidy = pick(&seed, 2) != 0;
        for (int i = 0; i < 12; i++) {
            put_record(&text, &seed, tidy);
            put(&text, "\n");
        }
        how.engine = engines[pick(&seed, n_engines())];
        assert_rc(infer_text(text.ptr, text.len, how, &schema, &err), 0, &err);
        struct reading r = read_text(text.ptr, text.len, schema, how);
        assert_rc(r.rc, HR_END, &r.err);
        assert_int_equal(r.n_rows, 12);
        const char *ours = hr_buf_cstr(&r.rows);
        const char *theirs = hr_buf_cstr(&text);
        for (int i = 0; i < 12; i++) {
            check_record(schema, ours, theirs);
            ours = strchr(ours, '\n') + 1;
            theirs = strchr(theirs, '\n') + 1;
        }
        reading_release(&r);
        hr_schema_unref(schema);
        hr_buf_release(&text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(engines_agree),
                                       cmocka_unit_test(jansson_agrees)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
