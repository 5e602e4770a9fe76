/* Whole jobs in one process, over stores in memory: memory that runs out at any allocation, a store
 * that fails, dies or loses an answer at any request. The run ends with an answer or an error and
 * leaks nothing; the next one makes the destination what one undisturbed run makes it: every row,
 * none twice, no upload left open.
 *
 * `make test` takes a sample of the places, `make soak` (HEADRACE_SOAK=1) every one. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/copy.h"
#include "api/sync.h"
#include "store/mem/mem_store.h"

#define T0 INT64_C(1700000000000000)
#define MINUTE INT64_C(60000000)
#define FILES 4
#define LINES 12
#define IDS_MAX (FILES * LINES * 2)
#define SAMPLE 30 /* places of each kind and shape in `make test` */

static const char *const buckets[] = {"lake", "out", "states", "shown"};

/* What kinds of jobs there are. `sets`: options as name, value, ..., NULL. */
struct shape {
    const char *name;
    int mode; /* enum hr_sync_mode */
    int workers;
    const char *regex; /* partitions; NULL none */
    int pad;           /* bytes more in the text of each row */
    const char *sets[16];
};

static const struct shape shapes[] = {
    {"append", HR_SYNC_INCREMENTAL, 1, NULL, 30000, {"checkpoint_mb", "1", "task_objects", "1"}},
    {"overwrite", HR_SYNC_FULL_REFRESH, 1, NULL, 0, {"task_objects", "2"}},
    {"jsonl",
     HR_SYNC_INCREMENTAL,
     2,
     NULL,
     0,
     {"destination.format", "jsonl", "destination.compression", "none", "task_objects", "1"}},
    {"csv.gz",
     HR_SYNC_FULL_REFRESH,
     2,
     NULL,
     0,
     {"destination.format", "csv", "destination.compression", "gzip", "task_objects", "1"}},
    {"partitions", HR_SYNC_INCREMENTAL, 1, "/p={part,none,}", 0, {"destination.format", "avro"}},
    {"quarantine",
     HR_SYNC_INCREMENTAL,
     1,
     NULL,
     0,
     {"on_error", "quarantine", "schema_evolution", "rescue"}},
};

/* ---- the world ---- */

static struct {
    int64_t at, seen; /* the place where it happens, places passed */
    bool dead;        /* nothing works after it */
    bool after;       /* the effect is there, the answer is lost */
} fault = {.at = -1};

static int hit(enum hr_mem_op op, const char *key, bool after, struct hr_error *err) {
    (void)op;
    if (after != fault.after && !(fault.dead && fault.seen >= fault.at && !after)) {
        return 0;
    }
    const int64_t n = after == fault.after ? ++fault.seen : fault.seen;
    if (fault.at > 0 && (n == fault.at || (fault.dead && n > fault.at))) {
        return hr_fail(err, HR_E_NETWORK, "could not use '%s': the connection was cut", key);
    }
    return 0;
}

static int before_op(void *user, enum hr_mem_op op, const char *key, struct hr_error *err) {
    (void)user;
    return hit(op, key, false, err);
}

static int after_op(void *user, enum hr_mem_op op, const char *key, struct hr_error *err) {
    (void)user;
    return hit(op, key, true, err);
}

static void set_clock(int64_t micros) {
    for (size_t i = 0; i < HR_COUNTOF(buckets); i++) {
        const struct hr_mem_world world = {before_op, after_op, NULL, micros};
        assert_int_equal(hr_mem_store_world(buckets[i], &world), 0);
    }
}

static struct hr_store *open_bucket(const char *name) {
    const struct hr_store_conf conf = {.scheme = "mem", .bucket = name};
    struct hr_store *store = NULL;
    struct hr_error err;
    assert_rc(hr_store_open(&conf, &store, &err), 0, &err);
    return store;
}

/* Object number `file`: its rows, and a line of another shape or type here and there. */
static void put_file(struct hr_store *lake, const struct shape *shape, int file) {
    const size_t room = 4096 + (size_t)LINES * (size_t)shape->pad;
    char *text = malloc(room);
    char key[60];
    char etag[80];
    struct hr_error err;
    const struct hr_put_opts any = {.cond = HR_PUT_ANY};
    size_t n = (size_t)snprintf(text, room, "id,part,amount,text\n");
    for (int i = 0; i < LINES; i++) {
        n += (size_t)snprintf(text + n, room - n, "%d,%c,%d%s,line %d%0*d\n", file * LINES + i,
                              'a' + i % 3, i * 7, file == 2 && i > 6 ? ".5" : "", i, shape->pad + 1,
                              0);
    }
    if (file < FILES && strcmp(shape->name, "quarantine") == 0) {
        n += (size_t)snprintf(text + n, room - n, "bad,x\n");
    }
    snprintf(key, sizeof(key), "data/ev/%02d.csv", file);
    assert_rc(
        lake->driver->put(lake, key, (struct hr_slice){(const uint8_t *)text, n}, &any, etag, &err),
        0, &err);
    free(text);
}

static void make_world(const struct shape *shape) {
    set_clock(T0);
    struct hr_store *lake = open_bucket("lake");
    for (int file = 0; file < FILES; file++) {
        put_file(lake, shape, file);
    }
    hr_store_close(lake);
    set_clock(T0 + 60 * MINUTE);
}

static void drop_world(void) {
    for (size_t i = 0; i < HR_COUNTOF(buckets); i++) {
        hr_mem_store_drop(buckets[i]);
    }
}

/* ---- the job ---- */

static int set_all(struct hr_settings *s, const struct shape *shape, struct hr_error *err) {
    static const char *const common[] = {"uri",
                                         "mem:lake/data/",
                                         "destination.uri",
                                         "mem:out/",
                                         "file_format",
                                         "csv",
                                         "lineage",
                                         "abc",
                                         "cost_limit_usd",
                                         "0",
                                         "stream_by",
                                         "folder",
                                         "state_lease_seconds",
                                         "60"};
    int rc = hr_settings_init(s, err);
    for (size_t i = 0; rc == 0 && i < HR_COUNTOF(common); i += 2) {
        rc = hr_settings_set_text(s, common[i], common[i + 1], err);
    }
    for (size_t i = 0; rc == 0 && shape->sets[i] != NULL; i += 2) {
        rc = hr_settings_set_text(s, shape->sets[i], shape->sets[i + 1], err);
    }
    return rc == 0 ? hr_settings_finish(s, err) : rc;
}

static int run_job(const struct shape *shape, struct hr_error *err) {
    struct hr_settings settings;
    struct hr_catalog catalog;
    struct hr_stream *stream = NULL;
    struct hr_summary summary = {0};
    hr_error_clear(err);
    hr_catalog_init(&catalog);
    int rc = set_all(&settings, shape, err);
    if (rc == 0) {
        rc = hr_catalog_add(&catalog, "ev", "s3", &stream, err);
    }
    if (rc == 0) {
        stream->sync_mode = shape->mode;
        stream->normalization = HR_YES;
    }
    if (rc == 0 && shape->regex != NULL) {
        hr_free(stream->partition_regex);
        stream->partition_regex = hr_strdup(shape->regex);
        rc = stream->partition_regex ? 0 : hr_fail(err, HR_E_NOMEM, "could not copy a regex");
    }
    if (rc == 0) {
        const struct hr_sync_conf conf = {.settings = &settings,
                                          .dialect = &hr_dialect_olake,
                                          .catalog = &catalog,
                                          .state_path = "mem:states/p/state.json",
                                          .workers = shape->workers};
        rc = hr_sync(&conf, &summary, err);
    }
    hr_catalog_release(&catalog);
    hr_settings_release(&settings);
    return rc;
}

/* ---- what came out ---- */

static int compare_ids(const void *a, const void *b) {
    return *(const int *)a - *(const int *)b;
}

/* The ids of every visible row, by a copy to JSON lines. */
static size_t read_ids(const char *format, int *ids) {
    struct hr_settings settings;
    struct hr_summary summary = {0};
    struct hr_error err;
    struct hr_buf text;
    char pattern[40];
    size_t n = 0;
    hr_error_clear(&err);
    hr_mem_store_drop("shown");
    snprintf(pattern, sizeof(pattern), "**/*.%s", format);
    assert_rc(hr_settings_init(&settings, &err), 0, &err);
    assert_rc(hr_settings_set_text(&settings, "uri", "mem:out/", &err), 0, &err);
    assert_rc(hr_settings_set_text(&settings, "file_pattern", pattern, &err), 0, &err);
    assert_rc(hr_settings_set_text(&settings, "file_format", "auto", &err), 0, &err);
    assert_rc(hr_settings_set_text(&settings, "destination.format", "jsonl", &err), 0, &err);
    assert_rc(hr_settings_set_text(&settings, "destination.compression", "none", &err), 0, &err);
    assert_rc(hr_settings_set_text(&settings, "destination.uri", "mem:shown/all.jsonl", &err), 0,
              &err);
    assert_rc(hr_settings_finish(&settings, &err), 0, &err);
    const struct hr_copy_conf conf = {
        .sources = &settings, .n_sources = 1, .stream_fd = -1, .workers = 1};
    assert_rc(hr_copy(&conf, &summary, &err), 0, &err);
    hr_settings_release(&settings);
    struct hr_store *shown = open_bucket("shown");
    hr_buf_init(&text, 0);
    assert_rc(hr_store_get(shown, "all.jsonl", 0, -1, NULL, &text, NULL, &err), 0, &err);
    for (const char *at = hr_buf_cstr(&text); (at = strstr(at, "\"id\":")) != NULL; at += 5) {
        assert_true(n < IDS_MAX);
        ids[n++] = atoi(at + 5);
    }
    hr_buf_release(&text);
    hr_store_close(shown);
    qsort(ids, n, sizeof(*ids), compare_ids);
    return n;
}

static int count_upload(void *user, const struct hr_upload *upload) {
    (void)upload;
    ++*(int *)user;
    return 0;
}

static const char *format_of(const struct shape *shape) {
    for (size_t i = 0; shape->sets[i] != NULL; i += 2) {
        if (strcmp(shape->sets[i], "destination.format") == 0) {
            return strcmp(shape->sets[i + 1], "csv") == 0 ? "csv.gz" : shape->sets[i + 1];
        }
    }
    return "parquet";
}

static void expect_rows(const struct shape *shape, int files, const char *kind, int64_t place) {
    int ids[IDS_MAX];
    const size_t n = read_ids(format_of(shape), ids);
    bool right = n == (size_t)(files * LINES);
    for (size_t i = 0; right && i < n; i++) {
        right = ids[i] == (int)i;
    }
    if (!right) {
        fail_msg("%s, %s at place %lld: %zu rows of %d", shape->name, kind, (long long)place, n,
                 files * LINES);
    }
    int open = 0;
    struct hr_error err;
    struct hr_store *out = open_bucket("out");
    assert_rc(out->driver->mp_list(out, "", count_upload, &open, &err), 0, &err);
    hr_store_close(out);
    if (open != 0) {
        fail_msg("%s, %s at place %lld: %d uploads are open", shape->name, kind, (long long)place,
                 open);
    }
}

/* ---- one disturbed life of a pipeline ---- */

struct kind {
    const char *name;
    bool memory, sticky, dead, after;
};

static void arm(const struct kind *kind, int64_t place) {
    if (kind->memory) {
        hr_mem_fail_at((uint64_t)place, kind->sticky);
    } else {
        fault.at = place;
        fault.seen = 0;
        fault.dead = kind->dead;
        fault.after = kind->after;
    }
}

static int64_t disarm(const struct kind *kind) {
    const int64_t seen = kind->memory ? (int64_t)hr_mem_count() : fault.seen;
    hr_mem_fail_at(0, 0);
    memset(&fault, 0, sizeof(fault));
    fault.at = -1;
    return seen;
}

/* Load, disturbed at `place` (0: not at all; answers how many places there are), go on, check; then
 * one more object and the same again with the disturbance there. */
static void live(const struct shape *shape, const struct kind *kind, int64_t place,
                 int64_t places[2]) {
    struct hr_error err;
    const int64_t before = hr_mem_live();
    make_world(shape);
    int64_t now = T0 + 60 * MINUTE;
    for (int load = 0; load < 2; load++) {
        arm(kind, place);
        const int rc = run_job(shape, &err);
        places[load] = disarm(kind);
        assert_true(rc <= 0);
        if (place == 0) {
            assert_rc(rc, 0, &err);
        }
        set_clock(now += 10 * MINUTE); /* the lease of a run that could not let go has run out */
        if (rc != 0) {
            assert_rc(run_job(shape, &err), 0, &err);
        }
        expect_rows(shape, FILES + load, kind->name, place);
        if (load == 0) {
            struct hr_store *lake = open_bucket("lake");
            put_file(lake, shape, FILES);
            hr_store_close(lake);
            set_clock(now += 10 * MINUTE);
        }
    }
    drop_world();
    if (hr_mem_live() != before) {
        fail_msg("%s, %s at place %lld: %lld blocks leaked", shape->name, kind->name,
                 (long long)place, (long long)(hr_mem_live() - before));
    }
}

static void everywhere(const struct kind *kind) {
    for (size_t i = 0; i < HR_COUNTOF(shapes); i++) {
        int64_t places[2];
        int64_t now[2];
        live(&shapes[i], kind, 0, places); /* once in peace: pools are filled */
        live(&shapes[i], kind, 0, places);
        const int64_t most = places[0] > places[1] ? places[0] : places[1];
        const int64_t step = getenv("HEADRACE_SOAK") || most < SAMPLE ? 1 : most / SAMPLE;
        int64_t tried = 0;
        for (int64_t place = 1 + (int64_t)i % step; place <= most; place += step) {
            live(&shapes[i], kind, place, now);
            tried++;
        }
        print_message("%s: %s: %lld of %lld places\n", kind->name, shapes[i].name, (long long)tried,
                      (long long)most);
        assert_true(tried > 5);
    }
}

/* After a failure the next test still has a world of its own. */
static int clean(void **state) {
    (void)state;
    disarm(&(struct kind){.memory = true});
    drop_world();
    return 0;
}

static void test_memory_fails_once(void **state) {
    (void)state;
    everywhere(&(struct kind){.name = "an allocation fails", .memory = true});
}

static void test_memory_is_gone(void **state) {
    (void)state;
    everywhere(&(struct kind){.name = "memory is gone", .memory = true, .sticky = true});
}

static void test_request_fails(void **state) {
    (void)state;
    everywhere(&(struct kind){.name = "a request fails"});
}

static void test_store_dies(void **state) {
    (void)state;
    everywhere(&(struct kind){.name = "the store dies", .dead = true});
}

static void test_answer_lost(void **state) {
    (void)state;
    everywhere(&(struct kind){.name = "an answer is lost", .after = true});
}

static void test_answer_lost_and_dead(void **state) {
    (void)state;
    everywhere(&(struct kind){.name = "an answer is the last", .after = true, .dead = true});
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_memory_fails_once, clean),
        cmocka_unit_test_teardown(test_memory_is_gone, clean),
        cmocka_unit_test_teardown(test_request_fails, clean),
        cmocka_unit_test_teardown(test_store_dies, clean),
        cmocka_unit_test_teardown(test_answer_lost, clean),
        cmocka_unit_test_teardown(test_answer_lost_and_dead, clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
