/* Doing planned work again: objects of tasks that are not done come back in order, the changed one
 * as it is now or not at all, with the same numbers as the first time; every allocation that fails
 * on the way. */
#include <stdlib.h>

#include "plan/plan.h"
#include "store/mem/mem_store.h"
#include "support.h"

static struct hr_settings s;
static struct hr_error err;
static struct hr_store *store;
static struct hr_catalog catalog;
static struct hr_plan *plan;

static void put_sized(const char *key, size_t len) {
    char etag[80];
    const struct hr_put_opts opts = {0};
    char *text = malloc(len);
    for (size_t i = 0; i < len; i++) {
        text[i] = i % 10 == 9 ? '\n' : 'x';
    }
    assert_rc(store->driver->put(store, key, hr_slice_of(text, len), &opts, etag, &err), 0, &err);
    free(text);
}

static void set(const char *name, const char *text) {
    assert_rc(hr_settings_set_text(&s, name, text, &err), 0, &err);
}

/* Two streams: a of 3 small, a large (3 tasks) and a small object, b of one; checkpoints of 2 MiB.
 */
static int setup(void **state) {
    (void)state;
    const struct hr_store_conf conf = {.scheme = "mem", .bucket = "redo"};
    hr_error_clear(&err);
    assert_rc(hr_store_open(&conf, &store, &err), 0, &err);
    hr_mem_store_clock(store, INT64_C(1700000000) * 1000000);
    assert_rc(hr_settings_init(&s, &err), 0, &err);
    set("uri", "mem:redo/data/");
    set("stream_by", "folder");
    set("cost_limit_usd", "0");
    set("max_files_per_run", "0");
    set("max_data_size_gb", "0");
    set("task_mb", "1");
    set("checkpoint_mb", "2");
    assert_rc(hr_settings_finish(&s, &err), 0, &err);
    for (int i = 0; i < 3; i++) {
        char key[40];
        snprintf(key, sizeof(key), "data/a/%d.csv", i);
        put_sized(key, 800000);
    }
    put_sized("data/a/3.csv", 2500000);
    put_sized("data/a/4.csv", 1000);
    put_sized("data/b/5.csv", 1000);
    hr_catalog_init(&catalog);
    for (int i = 0; i < 2; i++) {
        struct hr_stream *stream;
        struct hr_schema *schema = hr_schema_new(0);
        assert_rc(hr_catalog_add(&catalog, i ? "b" : "a", "s3", &stream, &err), 0, &err);
        stream->selected = true;
        assert_rc(hr_stream_set_schema(stream, schema, &err), 0, &err);
        hr_schema_unref(schema);
    }
    const struct hr_plan_conf plan_conf = {
        .store = store, .settings = &s, .catalog = &catalog, .redo = true};
    assert_rc(hr_plan_open(&plan_conf, &plan, &err), 0, &err);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    hr_plan_close(plan);
    hr_catalog_release(&catalog);
    hr_settings_release(&s);
    hr_store_close(store);
    hr_mem_store_drop("redo");
    return 0;
}

/* The next `count` tasks as "seq:stream.checkpoint[file@begin …]!#"; "end" after the last. */
static void expect(int count, const char *want) {
    struct hr_buf got;
    hr_buf_init(&got, 0);
    for (int n = 0; n < count; n++) {
        struct hr_task *task;
        const int rc = hr_plan_next(plan, &task, &err);
        if (rc == HR_END) {
            hr_buf_printf(&got, NULL, "%send", got.len ? " " : "");
            continue;
        }
        assert_rc(rc, 0, &err);
        hr_buf_printf(&got, NULL, "%s%lld:%s.%lld[", got.len ? " " : "", (long long)task->seq,
                      catalog.streams[task->stream].name, (long long)task->checkpoint);
        for (size_t i = 0; i < task->n_pieces; i++) {
            const struct hr_piece *p = &task->pieces[i];
            hr_buf_printf(&got, NULL, "%s%c#%lld", i ? " " : "", strrchr(p->key, '/')[1],
                          (long long)p->file);
            if (p->begin || p->end >= 0) {
                hr_buf_printf(&got, NULL, "@%lld", (long long)p->begin);
            }
        }
        hr_buf_printf(&got, NULL, "]%s%s", task->ends_checkpoint ? "!" : "",
                      task->ends_stream ? "#" : "");
        hr_task_free(task);
    }
    assert_string_equal(hr_buf_cstr(&got), want);
    hr_buf_release(&got);
}

#define WHOLE                                                                                      \
    "0:a.0[0#0] 1:a.0[1#1]! 2:a.1[2#2]! 3:a.2[3#3@0] 4:a.2[3#3@833333] 5:a.2[3#3@1666666]! "       \
    "6:a.3[4#4]!# 7:b.0[5#0]!# end"

static void redo(const char *key, bool want_gone) {
    bool gone = !want_gone;
    assert_rc(hr_plan_redo(plan, key, &gone, &err), 0, &err);
    assert_int_equal(gone, want_gone);
}

static void test_everything_again(void **state) {
    (void)state;
    struct hr_plan_totals totals;
    expect(9, WHOLE);
    redo("data/a/3.csv", false); /* it is what it was */
    expect(9, WHOLE);
    hr_plan_get_totals(plan, &totals);
    assert_int_equal(totals.objects, 6);
    assert_int_equal(totals.tasks, 8);
    assert_true(totals.complete);
}

static void test_in_the_middle_of_an_object(void **state) {
    (void)state;
    expect(5, "0:a.0[0#0] 1:a.0[1#1]! 2:a.1[2#2]! 3:a.2[3#3@0] 4:a.2[3#3@833333]");
    hr_plan_done(plan, 2);
    put_sized("data/a/3.csv", 1900000);
    redo("data/a/3.csv", false);
    expect(5, "3:a.2[3#3@0] 4:a.2[3#3@950000] 5:a.2[4#4]!# 6:b.0[5#0]!# end");
    hr_plan_done(plan, 6);
    redo("data/a/3.csv", false); /* nothing is left to do again */
    expect(1, "end");
}

static void test_deleted(void **state) {
    (void)state;
    expect(5, "0:a.0[0#0] 1:a.0[1#1]! 2:a.1[2#2]! 3:a.2[3#3@0] 4:a.2[3#3@833333]");
    hr_plan_done(plan, 1);
    assert_rc(store->driver->remove(store, "data/a/3.csv", &err), 0, &err);
    redo("data/a/3.csv", true);
    expect(3, "2:a.1[2#2 4#3]!# 3:b.0[5#0]!# end");
}

static void test_the_last_of_its_stream_deleted(void **state) {
    (void)state;
    expect(8, "0:a.0[0#0] 1:a.0[1#1]! 2:a.1[2#2]! 3:a.2[3#3@0] 4:a.2[3#3@833333] "
              "5:a.2[3#3@1666666]! 6:a.3[4#4]!# 7:b.0[5#0]!#");
    hr_plan_done(plan, 5);
    assert_rc(store->driver->remove(store, "data/a/4.csv", &err), 0, &err);
    redo("data/a/4.csv", true);
    expect(2, "6:b.0[5#0]!# end"); /* the stream ended at its last checkpoint */
}

static void test_one_that_grew_and_one_that_is_empty(void **state) {
    (void)state;
    expect(2, "0:a.0[0#0] 1:a.0[1#1]!");
    put_sized("data/a/1.csv", 2000000);
    redo("data/a/1.csv", false);
    expect(4, "0:a.0[0#0]! 1:a.1[1#1@0] 2:a.1[1#1@1000000]! 3:a.2[2#2]!");
    put_sized("data/a/2.csv", 0);
    redo("data/a/2.csv", true);
    expect(3, "0:a.0[0#0]! 1:a.1[1#1@0] 2:a.1[1#1@1000000]!");
}

static void test_a_store_that_does_not_answer(void **state) {
    (void)state;
    bool gone;
    expect(2, "0:a.0[0#0] 1:a.0[1#1]!");
    store->driver->cancel(store);
    assert_int_equal(hr_plan_redo(plan, "data/a/1.csv", &gone, &err), HR_E_CANCELLED);
}

static void test_no_memory(void **state) {
    int rc = HR_E_NOMEM;
    for (uint64_t nth = 1; rc != 0; nth++) {
        bool gone = false;
        if (nth > 1) {
            setup(state);
        }
        expect(5, "0:a.0[0#0] 1:a.0[1#1]! 2:a.1[2#2]! 3:a.2[3#3@0] 4:a.2[3#3@833333]");
        hr_mem_fail_at(nth, 0);
        rc = hr_plan_redo(plan, "data/a/3.csv", &gone, &err);
        hr_mem_fail_at(0, 0);
        assert_true(rc == 0 || rc == HR_E_NOMEM);
        if (rc != 0) {
            teardown(state);
        }
        assert_true(nth < 100);
    }
    expect(9, WHOLE);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_everything_again),
        TEST(test_in_the_middle_of_an_object),
        TEST(test_deleted),
        TEST(test_the_last_of_its_stream_deleted),
        TEST(test_one_that_grew_and_one_that_is_empty),
        TEST(test_a_store_that_does_not_answer),
        TEST(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
