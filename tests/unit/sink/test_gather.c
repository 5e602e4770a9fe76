/* The gatherer: blocks reach the sink behind it folder by folder in the order they came, whether
 * they waited in memory or in the file; bounds; failures of memory, disk and the sink behind. */
#include "support.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "sink/sink.h"
#include "tables.h"

/* Writes down what it is told. */
struct recorder {
    struct hr_sink base;
    char text[60000];
    size_t n;
    int fail_after; /* puts; -1 never */
};
static struct recorder recorder;

static void note(const char *text) {
    const size_t len = strlen(text);
    assert_true(recorder.n + len + 1 < sizeof(recorder.text));
    memcpy(recorder.text + recorder.n, text, len + 1);
    recorder.n += len;
}

static int rec_schema(struct hr_sink *sink, struct hr_schema *schema, struct hr_error *err) {
    (void)sink;
    (void)schema;
    (void)err;
    note("schema ");
    return 0;
}

static int rec_put(struct hr_sink *sink, const char *folder, struct hr_block *block,
                   struct hr_error *err) {
    char text[200];
    snprintf(text, sizeof(text), "%s%.*s*%zu ", folder, 3, (const char *)block->data, block->len);
    for (size_t i = 3; i < block->len; i++) {
        assert_int_equal(block->data[i], block->data[2]);
    }
    note(text);
    sink->rows += block->rows;
    hr_block_release(block);
    return recorder.fail_after-- == 0 ? hr_fail(err, HR_E_NOSPACE, "full") : 0;
}

static int rec_cut(struct hr_sink *sink, struct hr_error *err) {
    (void)sink;
    (void)err;
    note("cut ");
    return 0;
}

static int rec_rewind(struct hr_sink *sink, struct hr_error *err) {
    (void)sink;
    (void)err;
    note("rewind ");
    return 0;
}

static void rec_abort(struct hr_sink *sink) {
    sink->rows = 0;
    note("abort ");
}

static void rec_close(struct hr_sink *sink) {
    (void)sink;
    note("close");
}

static struct hr_sink *behind(void) {
    static const struct hr_sink_ops ops = {.name = "recorder",
                                           .schema = rec_schema,
                                           .put = rec_put,
                                           .cut = rec_cut,
                                           .rewind = rec_rewind,
                                           .abort = rec_abort,
                                           .close = rec_close};
    memset(&recorder, 0, sizeof(recorder));
    recorder.base.ops = &ops;
    recorder.fail_after = -1;
    return &recorder.base;
}

/* Block number `n`: three digits, then filled up with the last one. */
static int put(struct hr_sink *sink, const char *folder, int n, size_t len, struct hr_error *err) {
    char digits[16];
    snprintf(digits, sizeof(digits), "%03d", n);
    struct hr_block block = {.len = len, .rows = 1};
    block.data = hr_big_alloc(len, NULL);
    if (block.data == NULL) {
        return HR_E_NOMEM;
    }
    memcpy(block.data, digits, 3);
    memset(block.data + 3, digits[2], len - 3);
    return sink->ops->put(sink, folder, &block, err);
}

static struct hr_gather_conf roomy(void) {
    return (struct hr_gather_conf){.behind = behind(),
                                   .memory = 1 << 20,
                                   .cost_max = (size_t)64 << 20,
                                   .max_file_bytes = 1 << 30,
                                   .max_folders = 100,
                                   .spill_dir = test_tmpdir()};
}

/* Six blocks for three folders, a cut, one more, a cut. */
static int run(const struct hr_gather_conf *conf, struct hr_error *err) {
    static const char *const columns[] = {"a int64"};
    static const char *const folders[] = {"b/", "a/", "b/", "", "a/", "b/"};
    struct hr_schema *schema = test_schema(columns, 1);
    struct hr_sink *sink = NULL;
    int rc = hr_sink_gather(conf, &sink, err);
    if (rc == 0) {
        rc = sink->ops->schema(sink, schema, err);
    }
    for (int i = 0; rc == 0 && i < 6; i++) {
        rc = put(sink, folders[i], i, 1000, err);
    }
    if (rc == 0) {
        rc = sink->ops->cut(sink, err);
    }
    if (rc == 0) {
        rc = put(sink, "c/", 7, 500, err);
    }
    if (rc == 0) {
        rc = sink->ops->cut(sink, err);
        assert_true(rc != 0 || sink->rows == 7);
    }
    hr_sink_close(sink);
    hr_schema_unref(schema);
    return rc;
}

static const char sorted[] = "schema b/000*1000 b/002*1000 b/005*1000 a/001*1000 a/004*1000 "
                             "003*1000 cut c/007*500 cut close";

static void test_folder_by_folder(void **state) {
    (void)state;
    struct hr_error err;
    struct hr_gather_conf conf = roomy();
    assert_rc(run(&conf, &err), 0, &err);
    assert_string_equal(recorder.text, sorted);
}

static void test_spilled(void **state) {
    (void)state;
    struct hr_error err;
    struct hr_gather_conf conf = roomy();
    for (size_t memory = 0; memory < 5000; memory += 700) {
        conf.memory = memory;
        conf.behind = behind();
        assert_rc(run(&conf, &err), 0, &err);
        assert_string_equal(recorder.text, sorted);
    }
    DIR *dir = opendir(test_tmpdir()); /* the file has no name */
    assert_non_null(dir);
    for (const struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
        assert_int_equal(e->d_name[0], '.');
        assert_true(strlen(e->d_name) <= 2);
    }
    closedir(dir);
}

static void test_bounds(void **state) {
    (void)state;
    struct hr_error err;
    struct hr_gather_conf conf = roomy();
    conf.max_folders = 2;
    assert_int_equal(run(&conf, &err), HR_E_BOUND);
    conf = roomy();
    conf.memory = 0;
    conf.spill_max = 2500;
    assert_int_equal(run(&conf, &err), HR_E_BOUND);
    assert_non_null(strstr(err.message, "spill_limit_gb"));
    conf = roomy();
    conf.memory = 0;
    conf.spill_dir = "/nonexistent/folder";
    assert_true(run(&conf, &err) < 0);
    assert_non_null(strstr(err.hint, "spill_dir"));
    /* bookkeeping: written out early, nothing lost */
    conf = roomy();
    conf.cost_max = 3 * 4352;
    assert_rc(run(&conf, &err), 0, &err);
    assert_string_equal(recorder.text,
                        "schema b/000*1000 b/002*1000 a/001*1000 003*1000 a/004*1000 b/005*1000 "
                        "cut c/007*500 cut close");
    /* a full file goes at once, the others wait */
    conf = roomy();
    conf.max_file_bytes = 2000;
    assert_rc(run(&conf, &err), 0, &err);
    assert_string_equal(recorder.text,
                        "schema b/000*1000 b/002*1000 a/001*1000 a/004*1000 b/005*1000 003*1000 "
                        "cut c/007*500 cut close");
}

static void test_abort_forgets(void **state) {
    (void)state;
    struct hr_error err;
    const int64_t live = hr_mem_live();
    struct hr_gather_conf conf = roomy();
    struct hr_sink *sink;
    conf.memory = 1500;
    assert_rc(hr_sink_gather(&conf, &sink, &err), 0, &err);
    for (int i = 0; i < 200; i++) {
        char folder[20];
        snprintf(folder, sizeof(folder), "f%d/", i % 90);
        assert_rc(put(sink, folder, i, 100, &err), 0, &err);
    }
    sink->ops->abort(sink);
    assert_rc(put(sink, "x/", 1, 10, &err), 0, &err);
    assert_rc(sink->ops->cut(sink, &err), 0, &err);
    assert_rc(put(sink, "y/", 2, 20, &err), 0, &err);
    assert_rc(sink->ops->rewind(sink, &err), 0, &err);
    assert_rc(put(sink, "z/", 3, 30, &err), 0, &err);
    assert_rc(sink->ops->cut(sink, &err), 0, &err);
    assert_string_equal(recorder.text, "abort x/001*10 cut rewind z/003*30 cut ");
    hr_sink_close(sink);
    assert_int_equal(hr_mem_live(), live);
}

static void test_failures(void **state) {
    (void)state;
    struct hr_error err;
    const int64_t live = hr_mem_live();
    for (int after = 0; after < 7; after++) {
        struct hr_gather_conf conf = roomy();
        conf.memory = 1500;
        recorder.fail_after = after;
        assert_int_equal(run(&conf, &err), HR_E_NOSPACE);
        assert_int_equal(hr_mem_live(), live);
    }
    for (size_t memory = 0; memory <= 1 << 20; memory += 1 << 20) {
        int rc = HR_E_NOMEM;
        for (uint64_t nth = 1; rc != 0; nth++) {
            struct hr_gather_conf conf = roomy();
            conf.memory = memory;
            hr_mem_fail_at(nth, 0);
            struct hr_sink *sink = NULL; /* without the schema, which the helper must be given */
            rc = hr_sink_gather(&conf, &sink, &err);
            for (int i = 0; rc == 0 && i < 70; i++) {
                char folder[20];
                snprintf(folder, sizeof(folder), "f%d/", i);
                rc = put(sink, folder, i, 100, &err);
            }
            if (rc == 0) {
                rc = sink->ops->cut(sink, &err);
            }
            hr_sink_close(sink);
            hr_mem_fail_at(0, 0);
            assert_true(rc == 0 || rc == HR_E_NOMEM);
            assert_int_equal(hr_mem_live(), live);
            assert_true(nth < 2000);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_folder_by_folder), cmocka_unit_test(test_spilled),
        cmocka_unit_test(test_bounds),           cmocka_unit_test(test_abort_forgets),
        cmocka_unit_test(test_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
