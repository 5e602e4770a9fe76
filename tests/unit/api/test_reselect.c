/* Selections kept in the state: what none of them took is unread, whatever one may have taken
 * counts as read; the list as JSON, damaged JSON, many selections, every allocation that fails. */
#include "api/reselect.h"
#include "support.h"

#define EDGE INT64_C(1000)

static struct hr_error err;
static struct hr_settings s;
static json_t *kept;

static int setup(void **state) {
    (void)state;
    hr_error_clear(&err);
    assert_rc(hr_settings_init(&s, &err), 0, &err);
    assert_rc(hr_settings_set_text(&s, "uri", "mem:m/d", &err), 0, &err);
    assert_rc(hr_settings_set_text(&s, "file_format", "csv", &err), 0, &err);
    assert_rc(hr_settings_finish(&s, &err), 0, &err);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    hr_settings_release(&s);
    json_decref(kept);
    kept = NULL;
    return 0;
}

static void regex(const char *text) {
    hr_free(s.files.key_regex);
    s.files.key_regex = hr_strdup(text);
}

static struct hr_reselect *open_with(bool backfill, int64_t edge) {
    const struct hr_reselect_conf conf = {.settings = &s,
                                          .place = "mem:m",
                                          .kept = kept,
                                          .state_name = "state.json",
                                          .edge_us = edge,
                                          .backfill = backfill};
    struct hr_reselect *r = NULL;
    assert_rc(hr_reselect_new(&conf, &r, &err), 0, &err);
    return r;
}

/* What the state holds after this run. */
static void save(struct hr_reselect *r) {
    json_decref(kept);
    kept = hr_reselect_to_json(r);
    assert_non_null(kept);
    hr_reselect_free(r);
}

static bool unread(struct hr_reselect *r, const char *key, int64_t us) {
    const struct hr_object_info info = {.size = 1, .mtime_us = us};
    return hr_reselect_unread(r, key, strlen(key), &info);
}

static void test_what_no_selection_took(void **state) {
    (void)state;
    regex("/a");
    struct hr_reselect *r = open_with(false, INT64_MIN);
    assert_false(hr_reselect_changed(r));
    assert_false(unread(r, "d/a.csv", 1));
    save(r);
    regex("/[ab]");
    r = open_with(false, EDGE);
    assert_true(hr_reselect_changed(r));
    assert_false(hr_reselect_takes(r));
    assert_false(unread(r, "d/a.csv", 1));        /* the first one took it */
    assert_true(unread(r, "d/b.csv", EDGE));      /* never selected */
    assert_false(unread(r, "d/b.csv", EDGE + 1)); /* the second one sees it as new */
    assert_true(unread(r, "e/a.csv", 1));         /* outside the first one's prefix */
    assert_true(unread(r, "d/a.json", 1));        /* another format */
    assert_true(hr_reselect_finish(r));
    assert_false(hr_reselect_finish(r)); /* told */
    save(r);
    r = open_with(true, 5 * EDGE);
    assert_false(hr_reselect_changed(r));
    assert_true(hr_reselect_takes(r));
    assert_true(unread(r, "d/b.csv", EDGE)); /* from where the second one began, not from now */
    assert_false(unread(r, "d/b.csv", EDGE + 1));
    save(r); /* interrupted */
    r = open_with(false, 5 * EDGE);
    assert_true(hr_reselect_takes(r));
    assert_false(hr_reselect_finish(r));
    save(r);
    r = open_with(true, 9 * EDGE);
    assert_false(hr_reselect_takes(r)); /* all of it is read */
    assert_false(unread(r, "d/b.csv", 1));
    save(r);
}

static void test_given_up_in_the_middle(void **state) {
    (void)state;
    regex("/a");
    save(open_with(false, INT64_MIN));
    regex("/b");
    struct hr_reselect *r = open_with(true, EDGE);
    assert_true(unread(r, "d/b.csv", 1));
    save(r);
    regex("/[abc]");
    r = open_with(true, EDGE);
    assert_false(unread(r, "d/b.csv", 1)); /* may have been read */
    assert_true(unread(r, "d/c.csv", 1));
    save(r);
}

static void test_too_many(void **state) {
    (void)state;
    for (int i = 0; i < 100; i++) {
        char text[16];
        snprintf(text, sizeof(text), "/a%d", i);
        regex(text);
        struct hr_reselect *r = open_with(true, EDGE);
        if (i > 40) {
            assert_false(unread(r, "d/z.csv", 1));
        }
        save(r);
    }
    assert_in_range(json_array_size(kept), 30, 32);
}

static void test_dates_and_globs(void **state) {
    (void)state;
    assert_int_equal(hr_strlist_add(&s.files.file_pattern, "x*.csv"), 0);
    s.files.start_us = 500;
    save(open_with(false, INT64_MIN));
    s.files.start_us = INT64_MIN;
    struct hr_reselect *r = open_with(false, EDGE);
    assert_true(unread(r, "d/x1.csv", 499));
    assert_false(unread(r, "d/x1.csv", 500));
    assert_true(unread(r, "d/y1.csv", 500));
    save(r);
}

static void test_damage_is_refused(void **state) {
    (void)state;
    static const char *const texts[] = {
        "{}",
        "[]",
        "[1]",
        "[{\"since\":null}]",
        "[{\"selection\":{},\"since\":null}]",
        "[{\"selection\":{\"format\":\"csv\",\"patterns\":[],\"strict\":false},\"since\":\"x\"}]",
        "[{\"selection\":{\"format\":\"csv\",\"patterns\":[1],\"strict\":false},\"since\":1}]",
        "[{\"selection\":{\"format\":\"csv\",\"patterns\":[],\"strict\":1},\"since\":1}]",
        "[{\"selection\":{\"format\":7,\"patterns\":[],\"strict\":false},\"since\":1}]",
        ("[{\"selection\":{\"format\":\"csv\",\"patterns\":[],\"strict\":false,\"start\":\"x\"},"
         "\"since\":1}]"),
    };
    for (size_t i = 0; i < HR_COUNTOF(texts); i++) {
        struct hr_reselect *r = NULL;
        json_t *json = json_loads(texts[i], 0, NULL);
        const struct hr_reselect_conf conf = {.settings = &s,
                                              .place = "mem:m",
                                              .kept = json,
                                              .state_name = "state.json",
                                              .edge_us = EDGE};
        assert_non_null(json);
        assert_int_equal(hr_reselect_new(&conf, &r, &err), HR_E_STATE);
        assert_non_null(strstr(err.message, "state.json"));
        assert_null(r);
        json_decref(json);
    }
}

static void test_every_allocation_may_fail(void **state) {
    (void)state;
    regex("/a");
    assert_int_equal(hr_strlist_add(&s.files.file_pattern, "x*.csv"), 0);
    save(open_with(false, INT64_MIN));
    regex("/b");
    int rc = HR_E_NOMEM;
    for (uint64_t n = 1; rc != 0; n++) {
        struct hr_reselect *r = NULL;
        const struct hr_reselect_conf conf = {.settings = &s,
                                              .place = "mem:m",
                                              .kept = kept,
                                              .state_name = "state.json",
                                              .edge_us = EDGE};
        assert_true(n < 10000);
        hr_mem_fail_at(n, 0);
        rc = hr_reselect_new(&conf, &r, &err);
        hr_mem_fail_at(0, 0);
        assert_true((rc == 0) == (r != NULL));
        hr_reselect_free(r);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_what_no_selection_took),
        TEST(test_given_up_in_the_middle),
        TEST(test_too_many),
        TEST(test_dates_and_globs),
        TEST(test_damage_is_refused),
        TEST(test_every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
