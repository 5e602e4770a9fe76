/* state.json: what both programs write is read, what belongs to others keeps its bytes, and damage
 * is never taken for "no state". */
#include <stdlib.h>

#include "dialect/dialect.h"
#include "support.h"

static const struct hr_dialect *const d = &hr_dialect_olake;

static struct hr_state_doc *read_state(const char *text) {
    struct hr_error err;
    struct hr_state_doc *doc = NULL;
    hr_error_clear(&err);
    assert_rc(d->state_read(hr_slice_str(text), "state.json", &doc, &err), 0, &err);
    return doc;
}

static void get(const struct hr_state_doc *doc, const char *space, const char *stream,
                struct hr_stream_state *out) {
    struct hr_error err;
    assert_rc(d->state_get(doc, space, stream, out, &err), 0, &err);
}

static void written(const struct hr_state_doc *doc, struct hr_buf *out) {
    struct hr_error err;
    hr_buf_init(out, 0);
    assert_rc(d->state_write(doc, out, &err), 0, &err);
}

static void test_seed_state(void **state) {
    (void)state;
    struct hr_state_doc *doc = read_state(
        "{\n  \"type\": \"STREAM\",\n  \"streams\": [\n    { \"stream\": \"users\", "
        "\"state\": { \"_last_modified_time\": \"2025-01-01T00:00:00Z\", \"chunks\": [] } "
        "}\n  ]\n}\n");
    struct hr_stream_state s;
    get(doc, "s3", "users", &s);
    assert_true(s.present);
    assert_string_equal(s.cursor, "2025-01-01T00:00:00Z");
    assert_string_equal(s.cursor_field, "_last_modified_time");
    assert_int_equal(json_array_size(s.chunks), 0);
    assert_null(s.headrace);
    hr_stream_state_release(&s);
    get(doc, "s3", "orders", &s);
    assert_false(s.present);
    hr_stream_state_release(&s);
    d->state_free(doc);
}

static void test_empty_is_none(void **state) {
    (void)state;
    static const char *const texts[] = {"",
                                        "  \n",
                                        "{}",
                                        " { } \n",
                                        "{\"streams\":[]}",
                                        "{\"type\":\"STREAM\",\"version\":7,\"streams\":null}"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct hr_state_doc *doc = read_state(texts[i]);
        struct hr_stream_state s;
        get(doc, "s3", "users", &s);
        assert_false(s.present);
        hr_stream_state_release(&s);
        d->state_free(doc);
    }
}

static void test_damage_is_refused(void **state) {
    (void)state;
    static const char *const texts[] = {
        "null",
        "[]",
        "{\"streams\":{}}",
        "{\"streams\":[1]}",
        "{\"streams\":[{\"state\":{}}]}",
        "{\"streams\":[{\"stream\":\"a\",\"state\":[]}]}",
        "{\"type\":\"GLOBAL\",\"streams\":[]}",
        "{\"version\":8}",
        "{\"version\":\"7\"}",
        "{\"streams\":[],\"streams\":[]}",
        "{\"type\":\"STREAM\",\"stream\\u0073\":[{\"stream\":\"a\",\"state\":{}}]}",
        "{\"streams\":[",
        "streams: []",
        "{\"streams\":[{\"stream\":\"a\",\"state\":{\"_headrace\":7}}]}",
        "{\"streams\":[{\"stream\":\"a\",\"state\":{\"_headrace\":{\"v\":1}}}]}",
        "{\"streams\":[{\"stream\":\"a\",\"state\":{\"_headrace\":{\"v\":2}}}]}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct hr_error err;
        struct hr_state_doc *doc = NULL;
        hr_error_clear(&err);
        assert_rc(d->state_read(hr_slice_str(texts[i]), "state.json", &doc, &err), HR_E_STATE,
                  &err);
        assert_null(doc);
        assert_non_null(strstr(err.message, "state.json"));
    }
    static const char *const entries[] = {
        "{\"_last_modified_time\":5}",
        "{\"_last_modified_time\":\"soon\"}",
        "{\"chunks\":{}}",
        "{\"chunks\":[{\"min\":\"a\",\"max\":1}]}",
        "{\"chunks\":[{\"min\":[1],\"max\":1}]}",
    };
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++) {
        struct hr_error err;
        char text[300];
        struct hr_stream_state s;
        snprintf(text, sizeof text, "{\"streams\":[{\"stream\":\"a\",\"state\":%s}]}", entries[i]);
        struct hr_state_doc *doc = read_state(text);
        assert_rc(d->state_get(doc, "s3", "a", &s, &err), HR_E_STATE, &err);
        d->state_free(doc);
    }
}

static void test_namespaces(void **state) {
    (void)state;
    struct hr_state_doc *doc = read_state(
        "{\"streams\":["
        "{\"stream\":\"a\",\"namespace\":\"other\",\"state\":{\"_last_modified_time\":"
        "\"2021-01-01T00:00:00Z\"}},"
        "{\"stream\":\"a\",\"state\":{\"_last_modified_time\":\"2022-01-01T00:00:00Z\"}},"
        "{\"stream\":\"a\",\"namespace\":\"s3\",\"state\":{\"_last_modified_time\":"
        "\"2023-01-01T00:00:00Z\"}},"
        "{\"stream\":\"b\",\"namespace\":\"data\",\"state\":{\"_last_modified_time\":"
        "\"2024-01-01T00:00:00Z\"}}]}");
    struct hr_stream_state s;
    get(doc, "s3", "a", &s);
    assert_string_equal(s.cursor, "2023-01-01T00:00:00Z");
    hr_stream_state_release(&s);
    get(doc, "third", "a", &s);
    assert_string_equal(s.cursor, "2022-01-01T00:00:00Z");
    hr_stream_state_release(&s);
    get(doc, "s3", "b", &s);
    assert_string_equal(s.cursor, "2024-01-01T00:00:00Z");
    hr_stream_state_release(&s);
    d->state_free(doc);
}

static void put(struct hr_state_doc *doc, const char *stream, const char *cursor,
                const char *chunks, const char *own) {
    struct hr_error err;
    struct hr_stream_state s = {.present = true};
    s.cursor = hr_strdup(cursor);
    s.chunks = chunks ? json_loads(chunks, 0, NULL) : NULL;
    s.headrace = own ? json_loads(own, 0, NULL) : NULL;
    assert_rc(d->state_set(doc, "s3", stream, &s, &err), 0, &err);
    hr_stream_state_release(&s);
}

static void test_new_state_has_olakes_shape(void **state) {
    (void)state;
    struct hr_state_doc *doc = read_state("");
    put(doc, "users", "2025-01-01T00:00:00Z", "[]", NULL);
    struct hr_buf buf;
    written(doc, &buf);
    assert_string_equal(hr_buf_cstr(&buf),
                        "{\"type\":\"STREAM\",\"version\":7,\"streams\":[{\"stream\":\"users\","
                        "\"namespace\":\"s3\",\"sync_mode\":\"\",\"state\":{"
                        "\"_last_modified_time\":\"2025-01-01T00:00:00Z\",\"chunks\":[]}}]}");
    hr_buf_release(&buf);
    d->state_free(doc);
}

static void test_others_keep_their_bytes(void **state) {
    (void)state;
    static const char other[] = "{ \"stream\" : \"o\\u0072ders\", \"x\": 1.10, \"state\": {\"k\": "
                                "[ 1e2, \"}]\\\"\" ]}}";
    char text[1000];
    snprintf(text, sizeof text,
             "{\"version\": 3, \"global\" : {\"a\" : 1.50},\n\"streams\": [ %s , "
             "{\"stream\":\"users\",\"mine\":1,\"state\":{\"odd\":true}} ], \"type\":\"STREAM\"}",
             other);
    struct hr_state_doc *doc = read_state(text);
    put(doc, "users", "2025-01-01T00:00:00Z", NULL, "{\"seq\":3}");
    struct hr_buf buf;
    written(doc, &buf);
    assert_non_null(strstr(hr_buf_cstr(&buf), other));
    assert_non_null(strstr(hr_buf_cstr(&buf), "\"global\":{\"a\" : 1.50}"));
    assert_non_null(strstr(hr_buf_cstr(&buf), "\"version\":3"));
    assert_non_null(strstr(hr_buf_cstr(&buf), "\"odd\":true"));
    assert_non_null(strstr(hr_buf_cstr(&buf), "\"mine\":1"));
    struct hr_state_doc *again = read_state(hr_buf_cstr(&buf));
    struct hr_stream_state s;
    get(again, "s3", "users", &s);
    assert_int_equal(json_integer_value(json_object_get(s.headrace, "seq")), 3);
    assert_string_equal(s.cursor, "2025-01-01T00:00:00Z");
    hr_stream_state_release(&s);
    get(again, "s3", "orders", &s); /* the escaped name is the same name */
    assert_true(s.present);
    hr_stream_state_release(&s);
    d->state_free(again);
    hr_buf_release(&buf);
    const struct hr_stream_state gone = {0};
    assert_int_equal(d->state_set(doc, "s3", "users", &gone, NULL), 0);
    written(doc, &buf);
    assert_null(strstr(hr_buf_cstr(&buf), "users"));
    assert_non_null(strstr(hr_buf_cstr(&buf), other));
    hr_buf_release(&buf);
    d->state_free(doc);
}

static void test_hash_sees_what_olake_sees(void **state) {
    (void)state;
    struct hr_error err;
    struct hr_state_doc *doc = read_state("");
    struct hr_stream_state s = {.present = true};
    char before[33];
    s.cursor = hr_strdup("2025-01-01T00:00:00Z");
    s.chunks = json_loads("[{\"min\":[\"a\"],\"max\":3}]", 0, NULL);
    assert_rc(d->state_hash(&s, before, &err), 0, &err);
    s.headrace = json_pack("{ss}", "hash", before);
    assert_rc(d->state_set(doc, "s3", "a", &s, &err), 0, &err);
    struct hr_stream_state back;
    get(doc, "s3", "a", &back);
    assert_string_equal(back.hash, before);
    hr_stream_state_release(&back);
    hr_free(s.cursor);
    s.cursor = hr_strdup("2025-01-01T00:00:01Z"); /* the other program moved the cursor */
    assert_rc(d->state_set(doc, "s3", "a", &s, &err), 0, &err);
    get(doc, "s3", "a", &back);
    assert_string_not_equal(back.hash, before);
    hr_stream_state_release(&back);
    hr_stream_state_release(&s);
    d->state_free(doc);
}

static void test_every_cut_is_an_answer(void **state) {
    (void)state;
    static const char text[] =
        "{\"type\":\"STREAM\",\"version\":7,\"streams\":[{\"stream\":\"a\",\"namespace\":\"s3\","
        "\"sync_mode\":\"\",\"state\":{\"_last_modified_time\":\"2025-01-01T00:00:00Z\",\"chunks\":"
        "[{\"min\":[\"k\"],\"max\":1}],\"_headrace\":{\"v\":1}}}]}";
    for (size_t len = 1; len < sizeof text - 1; len++) {
        struct hr_error err;
        struct hr_state_doc *doc = NULL;
        assert_rc(d->state_read(hr_slice_of(text, len), "s", &doc, &err), HR_E_STATE, &err);
    }
}

static void test_no_memory(void **state) {
    (void)state;
    json_set_alloc_funcs(hr_malloc, hr_free);
    int64_t live = hr_mem_live();
    for (uint64_t nth = 1; nth < 500; nth++) {
        struct hr_state_doc *doc = NULL;
        struct hr_stream_state s = {0};
        struct hr_buf out;
        hr_buf_init(&out, 0);
        hr_mem_fail_at(nth, 0);
        int rc = d->state_read(hr_slice_str("{\"a\":[1],\"streams\":[{\"stream\":\"a\",\"state\":{"
                                            "\"_last_modified_time\":\"2025-01-01T00:00:00Z\","
                                            "\"chunks\":[]}}]}"),
                               "s", &doc, NULL);
        rc = rc ? rc : d->state_get(doc, "s3", "a", &s, NULL);
        rc = rc ? rc : d->state_set(doc, "s3", "a", &s, NULL);
        rc = rc ? rc : d->state_set(doc, "s3", "b", &s, NULL);
        rc = rc ? rc : d->state_write(doc, &out, NULL);
        bool reached = hr_mem_count() >= nth;
        hr_mem_fail_at(0, 0);
        hr_stream_state_release(&s);
        d->state_free(doc);
        hr_buf_release(&out);
        /* jansson does not always say that memory was what it lacked. */
        assert_true(rc == 0 || rc == HR_E_NOMEM || rc == HR_E_STATE);
        assert_int_equal(hr_mem_live(), live);
        if (!reached) {
            assert_int_equal(rc, 0);
            break;
        }
    }
    json_set_alloc_funcs(malloc, free);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seed_state),
        cmocka_unit_test(test_empty_is_none),
        cmocka_unit_test(test_damage_is_refused),
        cmocka_unit_test(test_namespaces),
        cmocka_unit_test(test_new_state_has_olakes_shape),
        cmocka_unit_test(test_others_keep_their_bytes),
        cmocka_unit_test(test_hash_sees_what_olake_sees),
        cmocka_unit_test(test_every_cut_is_an_answer),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
