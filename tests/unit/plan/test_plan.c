/* Scan, samples, schemas and tasks over the store in memory: what is chosen and why the rest is
 * not, that a stream never comes twice, where tasks and checkpoints are cut, and that limits stop a
 * run before its first read. */
#include <stdlib.h>

#include "plan/sample.h"
#include "plan/select.h"
#include "store/mem/mem_store.h"
#include "support.h"

static struct hr_settings s;
static struct hr_error err;
static struct hr_store *store;

static int setup(void **state) {
    (void)state;
    struct hr_store_conf conf = {.scheme = "mem", .bucket = "plan"};
    hr_error_clear(&err);
    assert_rc(hr_store_open(&conf, &store, &err), 0, &err);
    hr_mem_store_clock(store, INT64_C(1700000000) * 1000000);
    assert_rc(hr_settings_init(&s, &err), 0, &err);
    s.cost.cost_limit_usd = 0;
    s.cost.max_files_per_run = 0;
    s.cost.max_data_size_gb = 0;
    assert_rc(hr_settings_set_text(&s, "uri", "mem:plan/data/", &err), 0, &err);
    assert_rc(hr_settings_finish(&s, &err), 0, &err);
    return 0;
}
static int teardown(void **state) {
    (void)state;
    hr_settings_release(&s);
    hr_store_close(store);
    hr_mem_store_drop("plan");
    return 0;
}

static void set(const char *name, const char *text) {
    assert_rc(hr_settings_set_text(&s, name, text, &err), 0, &err);
    assert_rc(hr_settings_finish(&s, &err), 0, &err);
}

static void put_bytes(const char *key, const void *bytes, size_t len) {
    char etag[80];
    struct hr_put_opts opts = {0};
    assert_rc(store->driver->put(store, key, hr_slice_of(bytes, len), &opts, etag, &err), 0, &err);
}
static void put(const char *key, const char *text) {
    put_bytes(key, text, strlen(text));
}
static void put_at(const char *key, const char *text, int64_t seconds) {
    hr_mem_store_clock(store, seconds * 1000000);
    put(key, text);
}

/* "stream:key stream:key" in scan order */
static void expect_scan(const struct hr_catalog *catalog, hr_fresh_fn fresh, const char *want,
                        struct hr_selection *selection) {
    struct hr_scan *scan = NULL;
    struct hr_scan_conf conf = {.store = store, .settings = &s, .catalog = catalog, .fresh = fresh};
    struct hr_buf got;
    const struct hr_object *object = NULL;
    hr_buf_init(&got, 0);
    assert_rc(hr_scan_open(&conf, &scan, &err), 0, &err);
    int rc = 0;
    while ((rc = hr_scan_next(scan, &object, &err)) == 0) {
        hr_buf_printf(&got, NULL, "%s%s:%s", got.len ? " " : "",
                      hr_scan_stream_name(scan, object->stream), object->key);
    }
    assert_rc(rc, HR_END, &err);
    assert_string_equal(hr_buf_cstr(&got), want);
    if (selection) {
        *selection = *hr_scan_selection(scan);
    }
    hr_buf_release(&got);
    hr_scan_close(scan);
}

static void test_steps_in_order(void **state) {
    (void)state;
    put("data/", "x");
    put("data/empty.csv", "");
    put("data/a.csv", "a\n1\n");
    put("data/sub/b.csv.gz", "zz");
    put("data/sub/c.parquet", "PAR1");
    put("data/sub/no_extension", "a\n");
    put("data/_SUCCESS", "ok");
    put("data/.crc", "ok");
    put("data/_headrace/x/manifest.csv", "ok");
    put("database/d.csv", "a\n1\n");
    struct hr_selection sel;
    expect_scan(NULL, NULL, ":data/a.csv :data/sub/b.csv.gz :data/sub/no_extension", &sel);
    assert_int_equal(sel.objects[HR_SKIP_NONE], 3);
    assert_int_equal(sel.objects[HR_SKIP_FOLDER], 1);
    assert_int_equal(sel.objects[HR_SKIP_EMPTY], 1);
    assert_int_equal(sel.objects[HR_SKIP_HIDDEN], 3);
    assert_int_equal(sel.objects[HR_SKIP_FORMAT], 1);
    set("compression", "none");
    expect_scan(NULL, NULL, ":data/a.csv :data/sub/no_extension", &sel);
    set("compression", "gzip");
    expect_scan(NULL, NULL, ":data/a.csv :data/sub/b.csv.gz :data/sub/no_extension", NULL);
    set("file_format", "auto");
    set("strict_extensions", "true");
    set("file_format", "csv");
    expect_scan(NULL, NULL, ":data/a.csv :data/sub/b.csv.gz", &sel);
    assert_int_equal(sel.objects[HR_SKIP_HIDDEN], 1); /* strict: names are taken as they are */
}

static void test_patterns(void **state) {
    (void)state;
    put("data/2023/a.csv", "1");
    put("data/2024/a.csv", "1");
    put("data/2024/b.csv", "1");
    put("data/2024/deep/c.csv", "1");
    set("file_pattern", "2024/*.csv");
    expect_scan(NULL, NULL, ":data/2024/a.csv :data/2024/b.csv", NULL);
    char *prefix = hr_select_list_prefix(&s);
    assert_string_equal(prefix, "data/2024/");
    hr_free(prefix);
    set("file_pattern", "**,!**/b.csv");
    expect_scan(NULL, NULL, ":data/2023/a.csv :data/2024/a.csv :data/2024/deep/c.csv", NULL);
    set("file_pattern", "!2024/**");
    expect_scan(NULL, NULL, ":data/2023/a.csv", NULL);
    set("file_pattern", "202{3,4}/a.csv");
    expect_scan(NULL, NULL, ":data/2023/a.csv :data/2024/a.csv", NULL);
    set("file_pattern", "");
    set("key_regex", "2024/.*[ac]\\.csv$");
    expect_scan(NULL, NULL, ":data/2024/a.csv :data/2024/deep/c.csv", NULL);
    set("key_regex", "(unclosed");
    struct hr_scan *scan = NULL;
    struct hr_scan_conf conf = {.store = store, .settings = &s};
    assert_rc(hr_scan_open(&conf, &scan, &err), HR_E_CONFIG, &err);
    set("key_regex", "^(a+)+$"); /* would run for ever without a bound */
    put("data/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!.csv", "1");
    expect_scan(NULL, NULL, "", NULL);
}

static void test_dates(void **state) {
    (void)state;
    put_at("data/a.csv", "1", 1735689600); /* 2025-01-01 */
    put_at("data/b.csv", "1", 1735776000); /* 2025-01-02 */
    put_at("data/c.csv", "1", 1735862400); /* 2025-01-03 */
    set("start_date", "2025-01-02");
    set("end_date", "2025-01-03");
    struct hr_selection sel;
    expect_scan(NULL, NULL, ":data/b.csv", &sel);
    assert_int_equal(sel.objects[HR_SKIP_DATE], 2);
}

static void test_streams_by_folder(void **state) {
    (void)state;
    put("data/users/1.csv", "1");
    put("data/users/deep/2.csv", "1");
    put("data/users-old/1.csv", "1");
    put("data/users.csv", "1");
    put("data/users", "1"); /* a file named like the folder: the same stream, and at once */
    put("data/orders/1.csv", "1");
    set("stream_by", "folder");
    expect_scan(NULL, NULL,
                "orders:data/orders/1.csv users-old:data/users-old/1.csv users.csv:data/users.csv "
                "users:data/users users:data/users/1.csv users:data/users/deep/2.csv",
                NULL);
    set("stream_by", "file");
    expect_scan(
        NULL, NULL,
        "orders/1.csv:data/orders/1.csv users:data/users users-old/1.csv:data/users-old/1.csv "
        "users.csv:data/users.csv users/1.csv:data/users/1.csv "
        "users/deep/2.csv:data/users/deep/2.csv",
        NULL);
}

static void test_no_stream_comes_twice(void **state) {
    (void)state;
    set("stream_by", "folder");
    uint64_t seed = 5;
    static const char *const parts[] = {"a", "a-", "a!", "a/", "b", "-", "/", "/x", "a.csv"};
    for (int round = 0; round < 200; round++) {
        char key[100] = "data/a";
        for (int i = 0; i < 4; i++) {
            size_t n = strlen(key);
            snprintf(key + n, sizeof key - n, "%s", parts[test_rand(&seed) % 9]);
        }
        put(key, "1");
    }
    struct hr_scan *scan = NULL;
    struct hr_scan_conf conf = {.store = store, .settings = &s};
    const struct hr_object *object = NULL;
    bool done[300] = {false};
    long current = -1;
    assert_rc(hr_scan_open(&conf, &scan, &err), 0, &err);
    while (hr_scan_next(scan, &object, &err) == 0) {
        if (object->stream != current) {
            assert_true(object->stream < 300);
            assert_false(done[object->stream]);
            current = object->stream;
            done[current] = true;
        }
    }
    hr_scan_close(scan);
}

static struct hr_stream *add_stream(struct hr_catalog *c, const char *name, bool selected) {
    struct hr_stream *stream = NULL;
    assert_rc(hr_catalog_add(c, name, "s3", &stream, &err), 0, &err);
    stream->selected = selected;
    return stream;
}

static bool not_one(void *user, long stream, const struct hr_list_item *item) {
    (void)user;
    (void)stream;
    return strstr(item->key, "1.csv") == NULL;
}

static void test_selected_streams(void **state) {
    (void)state;
    put("data/a/1.csv", "1");
    put("data/a/2.csv", "1");
    put("data/b/1.csv", "1");
    put("data/c.csv", "1");
    put("data/new/1.csv", "1");
    set("stream_by", "folder");
    struct hr_catalog c;
    struct hr_selection sel;
    hr_catalog_init(&c);
    add_stream(&c, "a", true);
    add_stream(&c, "b", true);
    add_stream(&c, "c.csv", true);
    expect_scan(&c, NULL, "a:data/a/1.csv a:data/a/2.csv b:data/b/1.csv c.csv:data/c.csv", &sel);
    assert_int_equal(sel.objects[HR_SKIP_STREAM], 1); /* "new" is in no catalog */
    expect_scan(&c, not_one, "a:data/a/2.csv c.csv:data/c.csv", &sel);
    assert_int_equal(sel.objects[HR_SKIP_STATE], 2);
    c.streams[0].selected = false; /* now each selected stream is listed alone */
    expect_scan(&c, NULL, "b:data/b/1.csv c.csv:data/c.csv", &sel);
    assert_int_equal(sel.objects[HR_SKIP_STREAM], 0);
    hr_catalog_release(&c);
}

static void test_single_objects(void **state) {
    (void)state;
    put("data/x.json", "{}");
    put("data/_hidden.csv", "1");
    put("thing", "a\n1\n");
    char *glob = NULL;
    assert_rc(hr_place_set_url(&s.place, "mem:plan/data/x.json", &glob, &err), 0, &err);
    assert_rc(hr_settings_finish(&s, &err), 0, &err);
    expect_scan(NULL, NULL, ":data/x.json", NULL); /* csv is only the default */
    assert_rc(hr_place_set_url(&s.place, "mem:plan/data/_hidden.csv", &glob, &err), 0, &err);
    assert_rc(hr_settings_finish(&s, &err), 0, &err);
    expect_scan(NULL, NULL, ":data/_hidden.csv", NULL);
    assert_rc(hr_place_set_url(&s.place, "mem:plan/thing", &glob, &err), 0, &err);
    assert_rc(hr_settings_finish(&s, &err), 0, &err);
    expect_scan(NULL, NULL, ":thing", NULL);
    assert_rc(hr_place_set_url(&s.place, "mem:plan/absent.csv", &glob, &err), 0, &err);
    assert_rc(hr_settings_finish(&s, &err), 0, &err);
    struct hr_scan *scan = NULL;
    struct hr_scan_conf conf = {.store = store, .settings = &s};
    const struct hr_object *object = NULL;
    assert_rc(hr_scan_open(&conf, &scan, &err), 0, &err);
    assert_rc(hr_scan_next(scan, &object, &err), HR_E_NO_OBJECT, &err);
    hr_scan_close(scan);
}

static void scan_url(const char *url, const char *want) {
    hr_free(s.files.glob);
    s.files.glob = NULL;
    assert_rc(hr_place_set_url(&s.place, url, &s.files.glob, &err), 0, &err);
    assert_rc(hr_settings_finish(&s, &err), 0, &err);
    expect_scan(NULL, NULL, want, NULL);
}

static void test_globs_of_urls(void **state) {
    (void)state;
    static const char *const keys[] = {
        "!n.csv",      "a,b1.csv", "a1.csv",         "a[1].csv",   "b1.csv",     "c*.csv",
        "c2.csv",      "d1/p.csv", "d[1]/_hide.csv", "d[1]/q.csv", "e\\f.csv",   "d[1]x.csv",
        "{a,b}/r.csv", "/s.csv",   "//t.csv",        "u/./v.csv",  "u/../w.csv", "x%2F+ y.csv",
    };
    for (size_t i = 0; i < HR_COUNTOF(keys); i++) {
        put(keys[i], "1");
    }
    scan_url("mem:plan/?1.csv", ":a1.csv :b1.csv");
    scan_url("mem:plan/a,b*.csv", ":a,b1.csv"); /* a comma is no list */
    scan_url("mem:plan/!*.csv", ":!n.csv");     /* nothing is excluded */
    scan_url("mem:plan/[ab]1.csv", ":a1.csv :b1.csv");
    scan_url("mem:plan/a[1].csv", ":a[1].csv"); /* names that are there are names */
    scan_url("mem:plan/c*.csv", ":c*.csv");
    scan_url("mem:plan/e\\f.csv", ":e\\f.csv");
    scan_url("mem:plan/d[1]/", ":d[1]/q.csv");
    scan_url("mem:plan/{a,b}/r.csv", ":{a,b}/r.csv");
    scan_url("mem:plan/a\\[1\\].csv", ":a[1].csv"); /* so are those behind backslashes */
    scan_url("mem:plan/c\\**.csv", ":c*.csv");
    scan_url("mem:plan/d?/", ":d1/p.csv"); /* a pattern of folders */
    scan_url("mem:plan//s.csv", ":/s.csv");
    scan_url("mem:plan///t.csv", "://t.csv");
    scan_url("mem:plan/u/./v.csv", ":u/./v.csv");
    scan_url("mem:plan/u/../w.csv", ":u/../w.csv");
    scan_url("mem:plan/x%2F+ y.csv", ":x%2F+ y.csv");
    scan_url("mem:plan//", "://t.csv :/s.csv"); /* folders without a name are folders */
    set("file_pattern", "!b*");                 /* the option and the glob must both agree */
    scan_url("mem:plan/?1.csv", ":a1.csv");
}

static void test_development_limits(void **state) {
    (void)state;
    for (int i = 0; i < 200; i++) {
        char key[40];
        snprintf(key, sizeof key, "data/%03d.csv", i);
        put(key, "1");
    }
    struct hr_selection a;
    struct hr_scan *scan = NULL;
    struct hr_scan_conf conf = {.store = store, .settings = &s};
    const struct hr_object *object = NULL;
    set("dev_sampling", "0.25");
    uint64_t chosen[2] = {0, 0};
    for (int round = 0; round < 2; round++) { /* the same files every time */
        assert_rc(hr_scan_open(&conf, &scan, &err), 0, &err);
        while (hr_scan_next(scan, &object, &err) == 0) {
            chosen[round] = chosen[round] * 31 + strtoull(object->key + 5, NULL, 10);
        }
        a = *hr_scan_selection(scan);
        hr_scan_close(scan);
    }
    assert_int_equal(chosen[0], chosen[1]);
    assert_true(a.objects[HR_SKIP_NONE] > 20 && a.objects[HR_SKIP_NONE] < 90);
    set("dev_sampling", "0");
    set("dev_max_files", "2");
    expect_scan(NULL, NULL, ":data/000.csv :data/001.csv", &a);
    assert_int_equal(a.objects[HR_SKIP_DEV], 198);
}

/* ---- samples and schemas --------------------------------------------------------------------- */

static size_t sample_numbers(size_t objects, size_t newest, int64_t files, size_t *out) {
    struct hr_sampler *sampler = hr_sampler_new(files);
    for (size_t i = 0; i < objects; i++) {
        char key[40];
        snprintf(key, sizeof key, "%08zu", i);
        struct hr_object object = {
            .key = key, .key_len = 8, .info = {.mtime_us = i == newest ? 5 : 1}};
        assert_rc(hr_sampler_add(sampler, &object, &err), 0, &err);
    }
    const struct hr_sample *samples = NULL;
    size_t n = hr_sampler_choose(sampler, &samples);
    for (size_t i = 0; i < n; i++) {
        out[i] = (size_t)strtoull(samples[i].key, NULL, 10);
        assert_true(i == 0 || out[i] > out[i - 1]);
    }
    hr_sampler_free(sampler);
    return n;
}

static void test_samples(void **state) {
    (void)state;
    size_t got[64];
    for (size_t objects = 1; objects < 500; objects += 7) {
        for (int64_t files = 1; files <= 8; files++) {
            size_t newest = objects * 2 / 3;
            size_t n = sample_numbers(objects, newest, files, got);
            assert_true(n >= 1 && n <= (size_t)files);
            assert_int_equal(got[0], 0);
            if (objects <= (size_t)files) {
                assert_int_equal(n, objects);
            }
            if (files > 1) {
                bool has_newest = false;
                for (size_t i = 0; i < n; i++) {
                    has_newest = has_newest || got[i] == newest;
                }
                assert_true(has_newest);
            }
            if (files == 5 && objects > 100) { /* spread: something late is looked at */
                assert_true(n >= 4);
                assert_true(got[n - 1] >= objects / 2);
            }
        }
    }
}

static void type_is(const struct hr_stream *stream, const char *column, enum hr_type_id id) {
    const struct hr_column *found = hr_stream_column(stream, column);
    assert_non_null(found);
    assert_int_equal(found->field.type.id, id);
}

static void test_discover(void **state) {
    (void)state;
    put("data/users/1.csv", "id,name,none\n1,a,\n");
    put("data/users/2.csv", "id,name,late\n2.5,b,2024-01-01\n");
    put("data/orders/1.csv", "n\n7\n");
    set("stream_by", "folder");
    struct hr_catalog c;
    for (int width = 1; width <= 4; width += 3) {
        assert_rc(hr_discover(store, &s, width, &c, NULL, &err), 0, &err);
        assert_int_equal(c.count, 2);
        assert_string_equal(c.streams[0].name, "orders");
        assert_string_equal(c.streams[1].name, "users");
        type_is(&c.streams[1], "id", HR_T_F64);
        type_is(&c.streams[1], "name", HR_T_UTF8);
        type_is(&c.streams[1], "none", HR_T_UTF8);
        type_is(&c.streams[1], "late", HR_T_DATE32);
        type_is(&c.streams[0], "n", HR_T_I64);
        hr_catalog_release(&c);
    }
    set("schema", "{\"n\": \"decimal(9,2)\", \"added\": \"bool\"}");
    assert_rc(hr_discover(store, &s, 1, &c, NULL, &err), 0, &err);
    type_is(&c.streams[0], "n", HR_T_DEC128);
    type_is(&c.streams[0], "added", HR_T_BOOL);
    hr_catalog_release(&c);
    set("schema", "{\"n\": \"no type\"}");
    int rc = hr_discover(store, &s, 1, &c, NULL, &err);
    assert_true(rc < 0);
    set("schema", "{}");
    set("max_columns", "2");
    assert_rc(hr_discover(store, &s, 1, &c, NULL, &err), HR_E_BOUND, &err);
}

static void test_discover_nothing(void **state) {
    (void)state;
    struct hr_catalog c;
    assert_rc(hr_discover(store, &s, 1, &c, NULL, &err), HR_E_NO_OBJECT, &err);
    assert_non_null(strstr(err.message, "data/"));
    put("data/x.parquet", "PAR1");
    assert_rc(hr_discover(store, &s, 1, &c, NULL, &err), HR_E_NO_OBJECT, &err);
    assert_non_null(strstr(err.detail, "1 format"));
}

/* ---- tasks ----------------------------------------------------------------------------------- */

static void columns_known(struct hr_stream *stream) {
    struct hr_schema *schema = hr_schema_new(0);
    assert_rc(hr_stream_set_schema(stream, schema, &err), 0, &err);
    hr_schema_unref(schema);
}

/* "stream.checkpoint[name name]! " with ! ending a checkpoint and # a stream. */
static void expect_plan(struct hr_catalog *c, const char *want, struct hr_plan_totals *totals) {
    struct hr_plan_conf conf = {.store = store, .settings = &s, .catalog = c};
    struct hr_plan *plan = NULL;
    struct hr_task *task = NULL;
    struct hr_buf got;
    int64_t seq = 0;
    hr_buf_init(&got, 0);
    assert_rc(hr_plan_open(&conf, &plan, &err), 0, &err);
    int rc = 0;
    while ((rc = hr_plan_next(plan, &task, &err)) == 0) {
        assert_int_equal(task->seq, seq++);
        hr_buf_printf(&got, NULL, "%s%s.%lld[", got.len ? " " : "", c->streams[task->stream].name,
                      (long long)task->checkpoint);
        for (size_t i = 0; i < task->n_pieces; i++) {
            const struct hr_piece *p = &task->pieces[i];
            hr_buf_printf(&got, NULL, "%s%s", i ? " " : "", strrchr(p->key, '/') + 1);
            if (p->begin || p->end >= 0) {
                hr_buf_printf(&got, NULL, "@%lld-%lld", (long long)p->begin, (long long)p->end);
            }
        }
        hr_buf_printf(&got, NULL, "]%s%s", task->ends_checkpoint ? "!" : "",
                      task->ends_stream ? "#" : "");
        hr_task_free(task);
    }
    assert_rc(rc, HR_END, &err);
    assert_string_equal(hr_buf_cstr(&got), want);
    if (totals) {
        hr_plan_get_totals(plan, totals);
    }
    hr_buf_release(&got);
    hr_plan_close(plan);
}

static char *big_text(size_t len) {
    char *text = malloc(len + 1);
    memset(text, 'x', len);
    text[len] = 0;
    return text;
}

static void put_sized(const char *key, size_t len) {
    char *text = big_text(len);
    for (size_t i = 9; i < len; i += 10) {
        text[i] = '\n';
    }
    put_bytes(key, text, len);
    free(text);
}

static void test_packing(void **state) {
    (void)state;
    static const size_t kib = 1024;
    set("stream_by", "folder");
    set("task_mb", "1");
    set("task_objects", "3");
    set("checkpoint_mb", "2");
    for (int i = 0; i < 7; i++) {
        char key[40];
        snprintf(key, sizeof key, "data/a/%d.csv", i);
        put_sized(key, 400 * kib);
    }
    for (int i = 0; i < 5; i++) {
        char key[40];
        snprintf(key, sizeof key, "data/b/%d.csv", i);
        put(key, "x\n");
    }
    struct hr_catalog c;
    struct hr_plan_totals totals;
    hr_catalog_init(&c);
    columns_known(add_stream(&c, "a", true));
    columns_known(add_stream(&c, "b", true));
    expect_plan(&c,
                "a.0[0.csv 1.csv] a.0[2.csv 3.csv] a.0[4.csv]! a.1[5.csv 6.csv]!# "
                "b.0[0.csv 1.csv 2.csv] b.0[3.csv 4.csv]!#",
                &totals);
    assert_int_equal(totals.objects, 12);
    assert_int_equal(totals.tasks, 6);
    assert_int_equal(totals.checkpoints, 3);
    assert_int_equal(totals.plan_reads, 0);
    assert_int_equal(totals.read_requests, 12);
    assert_int_equal(totals.list_requests, 1);
    assert_true(totals.complete);
    hr_catalog_release(&c);
}

static void test_large_objects(void **state) {
    (void)state;
    set("stream_by", "folder");
    set("task_mb", "1");
    set("checkpoint_mb", "4");
    put("data/a/0.csv", "x\n1\n");
    put_sized("data/a/1.csv.gz", 3 << 20); /* compressed: one piece, its own task */
    put("data/a/2.csv", "x\n1\n");
    put_sized("data/a/3.csv.gz", 5 << 20); /* over a checkpoint: one of its own */
    put("data/a/4.csv", "x\n1\n");
    struct hr_catalog c;
    hr_catalog_init(&c);
    columns_known(add_stream(&c, "a", true));
    expect_plan(&c, "a.0[0.csv] a.0[1.csv.gz] a.0[2.csv]! a.1[3.csv.gz]! a.2[4.csv]!#", NULL);
    hr_catalog_release(&c);
}

static void test_splits(void **state) {
    (void)state;
    if (hr_format_csv.layout == NULL) {
        print_message("SKIPPED 1 case: the CSV leaf says no layout\n");
        return;
    }
    set("stream_by", "folder");
    set("task_mb", "1");
    char *text = big_text(2500000);
    for (size_t i = 9; i < 2500000; i += 10) {
        text[i] = '\n';
    }
    memcpy(text, "first,two\n", 10);
    put_bytes("data/a/1.csv", text, 2500000);
    free(text);
    struct hr_catalog c;
    hr_catalog_init(&c);
    columns_known(add_stream(&c, "a", true));
    expect_plan(&c, "a.0[1.csv@0-833333] a.0[1.csv@833333-1666666] a.0[1.csv@1666666--1]!#", NULL);
    struct hr_plan_conf conf = {.store = store, .settings = &s, .catalog = &c};
    struct hr_plan *plan = NULL;
    struct hr_task *task = NULL;
    assert_rc(hr_plan_open(&conf, &plan, &err), 0, &err);
    assert_rc(hr_plan_next(plan, &task, &err), 0, &err);
    assert_null(task->pieces[0].header);
    assert_true(task->pieces[0].first && !task->pieces[0].last);
    hr_task_free(task);
    assert_rc(hr_plan_next(plan, &task, &err), 0, &err);
    assert_string_equal(task->pieces[0].header->items[1], "two");
    assert_false(task->pieces[0].codec_auto);
    json_t *json = NULL;
    struct hr_task *back = NULL;
    assert_rc(hr_task_to_json(task, &json, &err), 0, &err);
    assert_rc(hr_task_from_json(json, &back, &err), 0, &err);
    assert_string_equal(back->pieces[0].key, task->pieces[0].key);
    assert_string_equal(back->pieces[0].etag, task->pieces[0].etag);
    assert_int_equal(back->pieces[0].begin, 833333);
    assert_int_equal(back->pieces[0].end, 1666666);
    assert_ptr_equal(back->pieces[0].format, task->pieces[0].format);
    assert_string_equal(back->pieces[0].header->items[0], "first");
    json_decref(json);
    hr_task_free(back);
    hr_task_free(task);
    hr_plan_close(plan);
    hr_catalog_release(&c);
}

static void test_tasks_from_bad_json(void **state) {
    (void)state;
    static const char good[] =
        "{\"seq\":0,\"checkpoint\":0,\"stream\":0,\"bytes\":4,\"pieces\":[{\"key\":\"k\",\"etag\":"
        "\"e\",\"size\":4,\"mtime_us\":1,\"begin\":0,\"end\":-1,\"group_begin\":0,\"group_end\":-1,"
        "\"file\":0}]}";
    struct hr_task *task = NULL;
    json_t *json = json_loads(good, 0, NULL);
    assert_rc(hr_task_from_json(json, &task, &err), 0, &err);
    hr_task_free(task);
    static const char *const members[] = {"seq", "checkpoint", "stream", "bytes", "pieces"};
    for (size_t i = 0; i < 5; i++) {
        json_t *copy = json_deep_copy(json);
        json_object_del(copy, members[i]);
        assert_rc(hr_task_from_json(copy, &task, &err), HR_E_CONFIG, &err);
        json_decref(copy);
    }
    static const char *const piece[] = {"key", "etag", "size", "begin", "end", "file"};
    for (size_t i = 0; i < 6; i++) {
        json_t *copy = json_deep_copy(json);
        json_object_set_new(json_array_get(json_object_get(copy, "pieces"), 0), piece[i],
                            json_real(-7.5));
        assert_rc(hr_task_from_json(copy, &task, &err), HR_E_CONFIG, &err);
        json_decref(copy);
    }
    json_decref(json);
    assert_rc(hr_task_from_json(NULL, &task, &err), HR_E_CONFIG, &err);
}

static void test_schema_before_first_task(void **state) {
    (void)state;
    put("data/a/1.csv", "id\n1\n");
    put("data/a/2.csv", "id\nx\n");
    put("data/b/1.csv", "n\n1\n");
    set("stream_by", "folder");
    struct hr_catalog c;
    hr_catalog_init(&c);
    add_stream(&c, "a", true);
    add_stream(&c, "b", true);
    struct hr_plan_conf conf = {.store = store, .settings = &s, .catalog = &c};
    struct hr_plan *plan = NULL;
    struct hr_task *task = NULL;
    assert_rc(hr_plan_open(&conf, &plan, &err), 0, &err);
    assert_rc(hr_plan_next(plan, &task, &err), 0, &err);
    assert_true(c.streams[0].has_schema);
    type_is(&c.streams[0], "id", HR_T_UTF8);
    hr_task_free(task);
    assert_rc(hr_plan_next(plan, &task, &err), 0, &err);
    type_is(&c.streams[1], "n", HR_T_I64);
    hr_task_free(task);
    hr_plan_close(plan);
    hr_catalog_release(&c);
}

static void test_limits(void **state) {
    (void)state;
    for (int i = 0; i < 10; i++) {
        char key[40];
        snprintf(key, sizeof key, "data/a/%d.csv", i);
        put(key, "x\n1\n");
    }
    set("stream_by", "folder");
    set("max_files_per_run", "4");
    struct hr_catalog c;
    hr_catalog_init(&c);
    struct hr_stream *a = add_stream(&c, "a", true);
    columns_known(a);
    struct hr_plan_conf conf = {.store = store, .settings = &s, .catalog = &c};
    struct hr_plan *plan = NULL;
    struct hr_store_counters before;
    struct hr_store_counters after;
    store->driver->counters(store, &before);
    a->sync_mode = HR_SYNC_FULL_REFRESH;
    assert_rc(hr_plan_open(&conf, &plan, &err), HR_E_LIMIT, &err);
    a->sync_mode = HR_SYNC_INCREMENTAL;
    expect_plan(&c, "a.0[0.csv 1.csv 2.csv 3.csv]!#", NULL);
    assert_rc(hr_plan_open(&conf, &plan, &err), 0, &err);
    assert_int_equal(hr_scan_selection(hr_plan_scan(plan))->objects[HR_SKIP_LIMIT], 6);
    assert_int_equal(hr_scan_selection(hr_plan_scan(plan))->objects[HR_SKIP_NONE], 4);
    hr_plan_close(plan);
    set("max_files_per_run", "10");
    expect_plan(&c, "a.0[0.csv 1.csv 2.csv 3.csv 4.csv 5.csv 6.csv 7.csv 8.csv 9.csv]!#", NULL);
    set("cost_limit_usd", "0.000001");
    assert_rc(hr_plan_open(&conf, &plan, &err), HR_E_LIMIT, &err);
    assert_non_null(strstr(err.message, "Operation cost $0.00 exceeds limit $0.00"));
    set("cost_limit_usd", "1");
    set("max_data_size_gb", "0.00000001");
    assert_rc(hr_plan_open(&conf, &plan, &err), 0, &err); /* 10.7 bytes: two objects */
    assert_int_equal(hr_scan_selection(hr_plan_scan(plan))->objects[HR_SKIP_NONE], 2);
    hr_plan_close(plan);
    store->driver->counters(store, &after);
    assert_int_equal(before.get, after.get); /* nothing was read */
    hr_catalog_release(&c);
    assert_true(hr_price_usd("seed", 1000, 5, 1 << 30) > 0.00079);
    assert_true(hr_price_usd("seed", 1000, 5, 1 << 30) < 0.00081);
}

static void test_chunks(void **state) {
    (void)state;
    json_t *chunks = json_array();
    static const int64_t sizes[] = {4, 5, 2, 10, 1, 9, 0, 12};
    for (size_t i = 0; i < 8; i++) {
        char key[8];
        snprintf(key, sizeof key, "%zu", i);
        assert_rc(hr_chunks_add(chunks, key, sizes[i], 10, &err), 0, &err);
    }
    char *text = json_dumps(chunks, JSON_COMPACT);
    assert_string_equal(text,
                        "[{\"min\":[\"0\",\"1\"],\"max\":9},{\"min\":[\"2\"],\"max\":2},"
                        "{\"min\":[\"3\"],\"max\":10},{\"min\":[\"4\",\"5\",\"6\"],\"max\":10},"
                        "{\"min\":[\"7\"],\"max\":12}]");
    free(text);
    json_decref(chunks);
}

static void test_no_memory(void **state) {
    (void)state;
    put("data/a/1.csv", "id,b\n1,x\n");
    put("data/a/2.csv", "id,b\n2,y\n");
    put("data/b", "id\n1\n");
    put("data/c/1.csv", "id\n1\n");
    set("stream_by", "folder");
    for (uint64_t nth = 1; nth < 3000; nth += nth < 300 ? 1 : 7) {
        struct hr_catalog c;
        struct hr_plan *plan = NULL;
        struct hr_task *task = NULL;
        int64_t live = hr_mem_live();
        hr_mem_fail_at(nth, 0);
        int rc = hr_discover(store, &s, 1, &c, NULL, NULL);
        bool have = rc == 0;
        if (rc == 0) {
            hr_stream_clear_columns(&c.streams[0]); /* to be inferred again */
            struct hr_plan_conf conf = {.store = store, .settings = &s, .catalog = &c};
            rc = hr_plan_open(&conf, &plan, NULL);
        }
        while (rc == 0 && (rc = hr_plan_next(plan, &task, NULL)) == 0) {
            hr_task_free(task);
        }
        bool reached = hr_mem_count() >= nth;
        hr_mem_fail_at(0, 0);
        hr_plan_close(plan);
        if (have) {
            hr_catalog_release(&c);
        }
        if (rc != HR_END && rc != HR_E_NOMEM) {
            print_error("allocation %d gave %d\n", (int)nth, rc);
        }

        assert_true(rc == HR_END || rc == HR_E_NOMEM);
        assert_int_equal(hr_mem_live(), live);
        if (!reached) {
            assert_int_equal(rc, HR_END);
            break;
        }
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_steps_in_order),
        TEST(test_patterns),
        TEST(test_dates),
        TEST(test_streams_by_folder),
        TEST(test_no_stream_comes_twice),
        TEST(test_selected_streams),
        TEST(test_single_objects),
        TEST(test_globs_of_urls),
        TEST(test_development_limits),
        TEST(test_samples),
        TEST(test_discover),
        TEST(test_discover_nothing),
        TEST(test_packing),
        TEST(test_large_objects),
        TEST(test_splits),
        TEST(test_tasks_from_bad_json),
        TEST(test_schema_before_first_task),
        TEST(test_limits),
        TEST(test_chunks),
        TEST(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
