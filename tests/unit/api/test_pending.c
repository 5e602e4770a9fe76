/* What waits while a load is unfinished: keys given out and not read, keys still to be given out,
 * as Olake's chunks; every allocation that fails. */
#include "api/pending.h"
#include "store/mem/mem_store.h"
#include "support.h"

#define AT(seconds) (INT64_C(1000000) * (seconds))

static struct hr_settings s;
static struct hr_error err;
static struct hr_store *store;
static struct hr_catalog catalog;
static struct hr_plan *plan;
static struct hr_pending pending;

static void put(const char *key, const char *text, int64_t seconds) {
    char etag[80];
    const struct hr_put_opts opts = {0};
    hr_mem_store_clock(store, AT(seconds));
    assert_rc(store->driver->put(store, key, hr_slice_str(text), &opts, etag, &err), 0, &err);
}

static int setup(void **state) {
    (void)state;
    const struct hr_store_conf conf = {.scheme = "mem", .bucket = "pending"};
    struct hr_stream *stream;
    hr_error_clear(&err);
    assert_rc(hr_store_open(&conf, &store, &err), 0, &err);
    assert_rc(hr_settings_init(&s, &err), 0, &err);
    s.cost.cost_limit_usd = 0;
    s.cost.max_files_per_run = 0;
    s.cost.max_data_size_gb = 0;
    s.files.stream_by = HR_STREAM_BY_FOLDER;
    s.work.task_objects = 2;
    assert_rc(hr_settings_set_text(&s, "uri", "mem:pending/", &err), 0, &err);
    assert_rc(hr_settings_finish(&s, &err), 0, &err);
    for (int i = 1; i <= 6; i++) {
        char key[] = "s/0.csv";
        key[2] = (char)('0' + i);
        put(key, "a\n1\n", 1000 + (i == 5 ? 500 : i));
    }
    put("t/1.csv", "a\n1\n", 9000);
    hr_catalog_init(&catalog);
    assert_rc(hr_catalog_add(&catalog, "s", "s3", &stream, &err), 0, &err);
    assert_rc(hr_catalog_add(&catalog, "t", "s3", &stream, &err), 0, &err);
    const struct hr_plan_conf plan_conf = {
        .store = store, .settings = &s, .catalog = &catalog, .no_schema = true};
    assert_rc(hr_plan_open(&plan_conf, &plan, &err), 0, &err);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    hr_pending_release(&pending);
    hr_plan_close(plan);
    hr_catalog_release(&catalog);
    hr_settings_release(&s);
    hr_store_close(store);
    hr_mem_store_drop("pending");
    return 0;
}

static void give(void) {
    struct hr_task *task;
    assert_rc(hr_plan_next(plan, &task, &err), 0, &err);
    assert_rc(hr_pending_given(&pending, task, &err), 0, &err);
    hr_task_free(task);
}

static void read_to(const char *const *keys, size_t count) {
    struct hr_input inputs[8] = {0};
    for (size_t i = 0; i < count; i++) {
        inputs[i].key = hr_strdup(keys[i]);
    }
    hr_pending_read(&pending, inputs, count);
    for (size_t i = 0; i < count; i++) {
        hr_free(inputs[i].key);
    }
}

static void expect(const char *want, int64_t want_newest) {
    json_t *chunks = NULL;
    int64_t newest = AT(1);
    assert_rc(hr_pending_chunks(&pending, plan, 0, &chunks, &newest, &err), 0, &err);
    char *text = json_dumps(chunks, JSON_COMPACT | JSON_SORT_KEYS);
    assert_string_equal(text, want);
    assert_int_equal(newest, want_newest);
    hr_free(text);
    json_decref(chunks);
}

static void test_given_and_ahead(void **state) {
    (void)state;
    expect("[{\"max\":24,\"min\":[\"s/1.csv\",\"s/2.csv\",\"s/3.csv\",\"s/4.csv\",\"s/5.csv\","
           "\"s/6.csv\"]}]",
           AT(1500));
    give();
    give();
    const char *const first[] = {"s/1.csv", "s/2.csv"};
    read_to(first, 2);
    expect("[{\"max\":16,\"min\":[\"s/3.csv\",\"s/4.csv\",\"s/5.csv\",\"s/6.csv\"]}]", AT(1500));
    const char *const gone_before[] = {"s/4.csv"}; /* 3 was gone when it was looked for */
    read_to(gone_before, 1);
    expect("[{\"max\":8,\"min\":[\"s/5.csv\",\"s/6.csv\"]}]", AT(1500));
    read_to(NULL, 0);
    give();
    const char *const last[] = {"s/5.csv", "s/6.csv"};
    read_to(last, 2);
    expect("[]", AT(1));
}

/* The same task given out again (a checkpoint was redone) does not stay behind. */
static void test_given_twice(void **state) {
    (void)state;
    struct hr_task *task;
    assert_rc(hr_plan_next(plan, &task, &err), 0, &err);
    assert_rc(hr_pending_given(&pending, task, &err), 0, &err);
    assert_rc(hr_pending_given(&pending, task, &err), 0, &err);
    hr_task_free(task);
    const char *const both[] = {"s/1.csv", "s/2.csv"};
    read_to(both, 2);
    expect("[{\"max\":16,\"min\":[\"s/3.csv\",\"s/4.csv\",\"s/5.csv\",\"s/6.csv\"]}]", AT(1500));
}

static int count_ahead(void *user, const struct hr_object *object, struct hr_error *e) {
    (void)object;
    (void)e;
    ++*(size_t *)user;
    return 0;
}

static void test_too_many(void **state) {
    (void)state;
    size_t seen = 0;
    assert_rc(hr_plan_ahead(plan, 0, 5, count_ahead, &seen, &err), HR_E_BOUND, &err);
    assert_int_equal(seen, 5);
    seen = 0;
    assert_rc(hr_plan_ahead(plan, 0, 6, count_ahead, &seen, &err), 0, &err);
    assert_int_equal(seen, 6); /* the other stream's object is not of them */
}

static void test_memory(void **state) {
    (void)state;
    struct hr_task *task;
    size_t ahead = 0;
    assert_rc(hr_plan_next(plan, &task, &err), 0, &err);
    /* The listing has ended: a plan whose listing failed is not asked again. */
    assert_rc(hr_plan_ahead(plan, 0, 100, count_ahead, &ahead, &err), 0, &err);
    assert_int_equal(ahead, 4);
    int rc = HR_E_NOMEM;
    for (uint64_t n = 1; rc == HR_E_NOMEM && n < 1000; n++) {
        json_t *chunks = NULL;
        int64_t newest = AT(1);
        hr_pending_release(&pending);
        hr_mem_fail_at(n, 0);
        rc = hr_pending_given(&pending, task, &err);
        if (rc == 0) {
            rc = hr_pending_chunks(&pending, plan, 0, &chunks, &newest, &err);
        }
        hr_mem_fail_at(0, 0);
        assert_true(rc == 0 || rc == HR_E_NOMEM);
        assert_true(rc == 0 || chunks == NULL);
        json_decref(chunks);
    }
    assert_int_equal(rc, 0);
    expect("[{\"max\":24,\"min\":[\"s/1.csv\",\"s/2.csv\",\"s/3.csv\",\"s/4.csv\",\"s/5.csv\","
           "\"s/6.csv\"]}]",
           AT(1500));
    hr_task_free(task);
}

static int cancel_lists(void *user, enum hr_mem_op op, const char *key, struct hr_error *error) {
    (void)user;
    return op == HR_MEM_LIST ? hr_fail(error, HR_E_CANCELLED, "could not list '%s'", key) : 0;
}

/* Interrupted while the listing goes on: what waits cannot be named, what was read can be kept. */
static void test_a_cancelled_listing(void **state) {
    (void)state;
    enum { KEYS = 2500 };
    struct hr_task *task;
    json_t *chunks = json_array();
    int64_t newest = AT(1);
    for (int i = 0; i < KEYS; i++) {
        char key[32];
        snprintf(key, sizeof(key), "s/z%05d.csv", i);
        put(key, "a\n1\n", 1000);
    }
    hr_plan_close(plan);
    const struct hr_plan_conf conf = {
        .store = store, .settings = &s, .catalog = &catalog, .no_schema = true, .list_width = 1};
    assert_rc(hr_plan_open(&conf, &plan, &err), 0, &err);
    assert_rc(hr_plan_next(plan, &task, &err), 0, &err);
    assert_rc(hr_pending_given(&pending, task, &err), 0, &err);
    hr_task_free(task);
    hr_mem_store_fault(store, cancel_lists, NULL);
    json_decref(chunks);
    assert_rc(hr_pending_chunks(&pending, plan, 0, &chunks, &newest, &err), 0, &err);
    assert_null(chunks);
    assert_int_equal(newest, AT(1));
    hr_mem_store_fault(store, NULL, NULL);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_a_cancelled_listing),
        TEST(test_given_and_ahead),
        TEST(test_given_twice),
        TEST(test_too_many),
        TEST(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
