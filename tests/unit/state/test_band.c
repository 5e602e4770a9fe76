/* Band, sweep and day sums, against a model that remembers everything. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "state/band.h"

#define SECOND 1000000LL
#define HOUR (3600 * SECOND)
#define DAY (24 * HOUR)
#define T0 (19782 * DAY)

static struct hr_object_info info_of(int64_t time_us, const char *etag) {
    struct hr_object_info info = {.size = 10, .mtime_us = time_us};
    snprintf(info.etag, sizeof(info.etag), "%s", etag);
    return info;
}

static bool fresh(struct hr_band *b, const char *key, int64_t t, const char *etag) {
    const struct hr_object_info info = info_of(t, etag);
    return hr_band_fresh(b, key, strlen(key), &info);
}

static void note(struct hr_band *b, const char *key, int64_t t, const char *etag) {
    const struct hr_object_info info = info_of(t, etag);
    assert_int_equal(hr_band_note(b, key, &info, NULL), 0);
}

/* Through JSON and back, as a new run would see it. */
static struct hr_band *reload(struct hr_band *b) {
    json_t *json = json_object();
    struct hr_band *again = NULL;
    struct hr_error err;
    assert_int_equal(hr_band_to_json(b, json, NULL), 0);
    char *text = json_dumps(json, 0);
    json_t *parsed = json_loads(text, 0, NULL);
    assert_rc(hr_band_from_json(parsed, 86400, "state.json", &again, &err), 0, &err);
    assert_int_equal(hr_band_entries(b), hr_band_entries(again));
    free(text);
    json_decref(json);
    json_decref(parsed);
    hr_band_free(b);
    return again;
}

static void new_is_not_yet_read(void **state) {
    (void)state;
    struct hr_band *b = NULL;
    assert_int_equal(hr_band_new(86400, &b, NULL), 0);
    hr_band_begin(b, T0 + DAY);
    assert_true(fresh(b, "a", T0, "1"));
    assert_true(fresh(b, "b", T0 - 10 * DAY, "1"));
    note(b, "a", T0, "1");
    note(b, "b", T0 - 10 * DAY, "1");
    assert_int_equal(hr_band_finish(b, NULL), 0);
    assert_int_equal(hr_band_watermark(b), T0);
    b = reload(b);
    hr_band_begin(b, T0 + 2 * DAY);
    assert_false(fresh(b, "a", T0, "1"));          /* read */
    assert_true(fresh(b, "a", T0, "2"));           /* replaced within the same second */
    assert_true(fresh(b, "late", T0 - HOUR, "1")); /* a late multipart: older than the newest */
    assert_true(fresh(b, "same", T0, "1"));        /* same second as the newest */
    assert_true(fresh(b, "future", T0 + 9999 * DAY, "1"));
    assert_false(fresh(b, "b", T0 - 10 * DAY, "1")); /* below the band */
    note(b, "future", T0 + 9999 * DAY, "1");
    assert_int_equal(hr_band_finish(b, NULL), 0);
    assert_int_equal(hr_band_watermark(b), T0 + 2 * DAY); /* never beyond the store's clock */
    b = reload(b);
    hr_band_begin(b, T0 + 3 * DAY);
    assert_false(fresh(b, "future", T0 + 9999 * DAY, "1"));
    assert_true(fresh(b, "future", T0 + 9999 * DAY, "2"));
    hr_band_free(b);
}

static int reported;
static char reported_day[32];
static void on_day(void *user, const char *day, int64_t kept, int64_t listed) {
    (void)user;
    (void)kept;
    (void)listed;
    reported++;
    snprintf(reported_day, sizeof(reported_day), "%s", day);
}

static void days_tell_moved_files(void **state) {
    (void)state;
    struct hr_band *b = NULL;
    assert_int_equal(hr_band_new(86400, &b, NULL), 0);
    hr_band_begin(b, T0 + DAY);
    note(b, "new", T0, "1");
    note(b, "old1", T0 - 5 * DAY, "1");
    note(b, "old2", T0 - 5 * DAY, "1");
    assert_int_equal(hr_band_finish(b, NULL), 0);
    b = reload(b);
    hr_band_begin(b, T0 + DAY);
    assert_false(fresh(b, "old1", T0 - 5 * DAY, "1"));
    assert_false(fresh(b, "old2", T0 - 5 * DAY, "1"));
    reported = 0;
    assert_int_equal(hr_band_differences(b, on_day, NULL), 0);
    b = reload(b);
    hr_band_begin(b, T0 + DAY);
    (void)fresh(b, "old1", T0 - 5 * DAY, "1");
    (void)fresh(b, "old2", T0 - 5 * DAY, "1");
    (void)fresh(b, "moved-in", T0 - 5 * DAY, "1");
    assert_int_equal(hr_band_differences(b, on_day, NULL), 1);
    assert_string_equal(reported_day, "2024-02-24");
    hr_band_begin(b, T0 + DAY);
    (void)fresh(b, "old1", T0 - 5 * DAY, "1"); /* deletions are not reported */
    assert_int_equal(hr_band_differences(b, on_day, NULL), 0);
    hr_band_free(b);
}

static void sweeps_resume(void **state) {
    (void)state;
    struct hr_band *b = NULL;
    assert_int_equal(hr_band_new(86400, &b, NULL), 0);
    hr_band_begin(b, T0);
    note(b, "a", T0 - 100 * DAY, "1");
    note(b, "b", T0 - HOUR, "1");
    assert_int_equal(hr_band_checkpoint(b, "b", NULL), 0);
    b = reload(b); /* killed here */
    assert_true(hr_band_sweeping(b));
    hr_band_begin(b, T0 + HOUR);
    assert_false(fresh(b, "a", T0 - 100 * DAY, "1"));
    assert_false(fresh(b, "b", T0 - HOUR, "1"));
    assert_true(fresh(b, "aa", T0, "1")); /* arrived since, sorts before the last key */
    assert_true(fresh(b, "c", T0 - 100 * DAY, "1"));
    note(b, "aa", T0, "1");
    note(b, "c", T0 - 100 * DAY, "1");
    assert_int_equal(hr_band_finish(b, NULL), 0);
    assert_false(hr_band_sweeping(b));
    b = reload(b);
    hr_band_begin(b, T0 + HOUR);
    assert_false(fresh(b, "a", T0 - 100 * DAY, "1"));
    assert_false(fresh(b, "aa", T0, "1"));
    assert_false(fresh(b, "b", T0 - HOUR, "1"));
    assert_false(fresh(b, "c", T0 - 100 * DAY, "1"));
    assert_int_equal(hr_band_differences(b, on_day, NULL), 0);
    hr_band_free(b);
}

/* Random objects with random times, runs cut at random places: every version is read exactly once,
 * as long as what arrives carries a time within the lookback. */
static void every_version_once(void **state) {
    (void)state;
    enum { N = 60 };
    uint64_t seed = 11;
    for (int round = 0; round < 300; round++) {
        struct {
            bool there;
            int64_t time;
            int version, read;
        } objects[N] = {{0}};
        struct hr_band *b = NULL;
        int64_t now = T0;
        assert_int_equal(hr_band_new(86400, &b, NULL), 0);
        for (int i = 0; i < N / 2; i++) { /* the first load may be of any age */
            objects[i].there = true;
            objects[i].time = now - (int64_t)(test_rand(&seed) % (400 * (uint64_t)DAY));
            objects[i].version = 1;
        }
        for (int run = 0; run < 12; run++) {
            const int64_t listed_at = now;
            hr_band_begin(b, listed_at);
            const int stop = test_rand(&seed) % 3 == 0 ? (int)(test_rand(&seed) % N) : N;
            bool finished = true;
            for (int i = 0; i < N; i++) {
                char key[16];
                char etag[16];
                snprintf(key, sizeof(key), "k%03d", i);
                snprintf(etag, sizeof(etag), "e%d", objects[i].version);
                if (!objects[i].there || !fresh(b, key, objects[i].time, etag)) {
                    continue;
                }
                if (i >= stop) {
                    finished = false;
                    break;
                }
                assert_true(objects[i].read < objects[i].version);
                objects[i].read = objects[i].version;
                note(b, key, objects[i].time, etag);
                assert_int_equal(hr_band_checkpoint(b, key, NULL), 0);
            }
            if (finished) {
                assert_int_equal(hr_band_finish(b, NULL), 0);
                for (int i = 0; i < N; i++) {
                    assert_int_equal(objects[i].read, objects[i].there ? objects[i].version : 0);
                }
            }
            b = reload(b);
            now += (int64_t)(test_rand(&seed) % (2 * (uint64_t)HOUR));
            for (int k = 0; k < 5; k++) { /* arrivals and replacements, whole seconds, a bit late */
                const int i = (int)(test_rand(&seed) % N);
                objects[i].there = true;
                objects[i].version++;
                objects[i].time =
                    (now - (int64_t)(test_rand(&seed) % (10 * (uint64_t)HOUR))) / SECOND * SECOND;
            }
        }
        hr_band_free(b);
    }
}

static void adopts_another_program(void **state) {
    (void)state;
    struct hr_band *b = NULL;
    assert_int_equal(hr_band_new(86400, &b, NULL), 0);
    hr_band_adopt(b, T0 + SECOND - 1);
    assert_int_equal(hr_band_mark_pending(b, "p", 1, NULL), 0);
    assert_int_equal(hr_band_mark_pending(b, "q", 1, NULL), 0);
    hr_band_begin(b, T0 + DAY);
    assert_false(fresh(b, "a", T0, "1"));
    assert_false(fresh(b, "z", T0 - 50 * DAY, "1"));
    assert_true(fresh(b, "p", T0 - DAY, "1"));
    assert_true(fresh(b, "new", T0 + SECOND, "1"));
    note(b, "p", T0 - DAY, "1");
    note(b, "new", T0 + SECOND, "1");
    assert_int_equal(hr_band_finish(b, NULL), 0);
    b = reload(b);
    hr_band_begin(b, T0 + DAY);
    assert_false(fresh(b, "a", T0, "1"));
    assert_false(fresh(b, "p", T0 - DAY, "1"));
    assert_false(fresh(b, "new", T0 + SECOND, "1"));
    assert_true(fresh(b, "late", T0, "1"));
    hr_band_free(b);
}

/* Inside the band and below it, known or not: read once more, and the days still agree. */
static void replay_reads_again_once(void **state) {
    (void)state;
    static const struct {
        const char *key;
        int64_t time;
    } objects[] = {{"a-old", T0 - 50 * DAY}, {"b-new", T0 - HOUR}, {"c-old", T0 - 50 * DAY}};
    struct hr_band *b = NULL;
    assert_int_equal(hr_band_new(86400, &b, NULL), 0);
    hr_band_begin(b, T0);
    for (int i = 0; i < 3; i++) {
        note(b, objects[i].key, objects[i].time, "1");
    }
    assert_int_equal(hr_band_finish(b, NULL), 0);
    b = reload(b);
    assert_false(hr_band_knows(b, "a-old", 5));
    assert_true(hr_band_knows(b, "b-new", 5));
    assert_int_equal(hr_band_replay(b, "a-old", 5, NULL), 0);
    assert_int_equal(hr_band_replay(b, "b-new", 5, NULL), 0);
    assert_int_equal(hr_band_replay(b, "b-new", 5, NULL), 0);
    assert_int_equal(hr_band_replays(b), 2);
    for (int run = 0; run < 3; run++) { /* the first run dies: the marks stay */
        b = reload(b);
        hr_band_begin(b, T0 + HOUR);
        for (int i = 0; i < 3; i++) {
            const bool again = fresh(b, objects[i].key, objects[i].time, "1");
            assert_int_equal(again, run < 2 && i < 2);
            if (again && run == 1) {
                note(b, objects[i].key, objects[i].time, "1");
            }
        }
        if (run > 0) {
            assert_int_equal(hr_band_differences(b, on_day, NULL), 0);
            assert_int_equal(hr_band_finish(b, NULL), 0);
            assert_int_equal(hr_band_replays(b), 0);
        } else {
            struct hr_band *fresh_start = NULL;
            json_t *json = json_object();
            assert_int_equal(hr_band_to_json(b, json, NULL), 0);
            json_object_del(json, "sweep");
            assert_int_equal(hr_band_from_json(json, 86400, "s", &fresh_start, NULL), 0);
            json_decref(json);
            hr_band_free(b);
            b = fresh_start;
        }
    }
    hr_band_free(b);
}

static void damage_is_refused(void **state) {
    (void)state;
    static const char *const bad[] = {
        "{}",
        "{\"watermark\":1,\"newest\":1,\"base\":0,\"band\":\"abc\",\"days\":{}}",
        "{\"watermark\":\"x\",\"newest\":1,\"base\":0,\"band\":\"\",\"days\":{}}",
        "{\"watermark\":1,\"newest\":1,\"base\":9223372036854775807,\"band\":\"\",\"days\":{}}",
        "{\"watermark\":1,\"newest\":1,\"base\":0,\"band\":\"\",\"days\":[]}",
        "{\"watermark\":1,\"newest\":1,\"base\":0,\"band\":\"\",\"days\":{\"x\":[1,\"00\"]}}",
        "{\"watermark\":1,\"newest\":1,\"base\":0,\"band\":\"????????????????????????\",\"days\":{}"
        "}",
        "{\"watermark\":1,\"newest\":1,\"base\":0,\"band\":\"AAAAAAAAAAAAAAAAAAAAAAAA\",\"days\":{}"
        "}",
        "{\"watermark\":1,\"newest\":1,\"base\":0,\"band\":\"\",\"days\":{},\"sweep\":{\"key\":"
        "\"zz\",\"upper\":1}}",
        "{\"watermark\":1,\"newest\":1,\"base\":0,\"band\":\"\",\"days\":{},\"replay\":[\"x\"]}",
        "{\"watermark\":1,\"newest\":1,\"base\":0,\"band\":\"\",\"days\":{},\"replay\":{}}",
        "{\"watermark\":1,\"newest\":1,\"base\":0,\"band\":\"\",\"days\":{},\"sweep\":3}"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct hr_band *b = NULL;
        struct hr_error err;
        json_t *json = json_loads(bad[i], 0, NULL);
        assert_non_null(json);
        assert_int_equal(hr_band_from_json(json, 86400, "state.json", &b, &err), HR_E_STATE);
        assert_non_null(strstr(err.message, "state.json"));
        json_decref(json);
    }
}

/* A store without ETags: size and time tell versions apart. */
static void versions_without_etags(void **state) {
    (void)state;
    struct hr_band *b = NULL;
    struct hr_object_info info = info_of(T0, "");
    assert_int_equal(hr_band_new(86400, &b, NULL), 0);
    hr_band_begin(b, T0 + DAY);
    assert_int_equal(hr_band_note(b, "k", &info, NULL), 0);
    assert_int_equal(hr_band_finish(b, NULL), 0);
    b = reload(b);
    hr_band_begin(b, T0 + DAY);
    assert_false(hr_band_fresh(b, "k", 1, &info));
    info.size++;
    assert_true(hr_band_fresh(b, "k", 1, &info));
    info.size--;
    info.mtime_us += SECOND;
    assert_true(hr_band_fresh(b, "k", 1, &info));
    hr_band_free(b);
}

/* Everything a run asks of a band, through JSON and back: an answer or an error at whatever
 * allocation fails, never a wrong band. */
static int whole_life(struct hr_error *err) {
    struct hr_band *b = NULL;
    struct hr_band *again = NULL;
    json_t *json = json_object();
    int rc = json ? hr_band_new(86400, &b, err) : HR_E_NOMEM;
    if (rc == 0) {
        hr_band_adopt(b, T0 - 40 * DAY);
        rc = hr_band_mark_pending(b, "p", 1, err);
        hr_band_begin(b, T0);
    }
    for (int i = 0; rc == 0 && i < 60; i++) {
        char key[16];
        snprintf(key, sizeof(key), "k%02d", i);
        const struct hr_object_info info = info_of(T0 - (60 - i) * DAY, "e");
        if (hr_band_fresh(b, key, strlen(key), &info)) {
            rc = hr_band_note(b, key, &info, err);
        }
        rc = rc == 0 && i % 20 == 19 ? hr_band_checkpoint(b, key, err) : rc;
    }
    rc = rc == 0 ? hr_band_replay(b, "r", 1, err) : rc;
    rc = rc == 0 ? hr_band_to_json(b, json, err) : rc;
    rc = rc == 0 ? hr_band_from_json(json, 86400, "s", &again, err) : rc;
    rc = rc == 0 ? hr_band_finish(again, err) : rc;
    if (rc == 0) {
        assert_int_equal(hr_band_replays(again), 1);
        assert_true(hr_band_newest(again) == T0 - DAY);
    }
    json_decref(json);
    hr_band_free(b);
    hr_band_free(again);
    return rc;
}

static void life_without_memory(void **state) {
    (void)state;
    struct hr_error err;
    int failed = 0;
    assert_rc(whole_life(&err), 0, &err);
    bool over = false;
    for (uint64_t nth = 1; !over; nth++) {
        const int64_t live = hr_mem_live();
        hr_mem_fail_at(nth, 0);
        const int rc = whole_life(&err);
        over = hr_mem_count() < nth;
        hr_mem_fail_at(0, 0);
        assert_rc(rc, rc == 0 ? 0 : HR_E_NOMEM, &err);
        assert_int_equal(hr_mem_live(), live);
        failed += rc != 0;
    }
    assert_true(failed > 10);
}

static void memory_fails(void **state) {
    (void)state;
    for (uint64_t nth = 1; nth < 25; nth++) {
        const int64_t live = hr_mem_live();
        struct hr_band *b = NULL;
        hr_mem_fail_at(nth, 0);
        int rc = hr_band_new(86400, &b, NULL);
        if (rc == 0) {
            hr_band_begin(b, T0);
            for (int i = 0; rc == 0 && i < 900; i++) {
                char key[16];
                snprintf(key, sizeof(key), "k%d", i);
                const struct hr_object_info info = info_of(T0 - i * HOUR, "e");
                rc = hr_band_note(b, key, &info, NULL);
            }
            rc = rc == 0 ? hr_band_finish(b, NULL) : rc;
        }
        hr_mem_fail_at(0, 0);
        hr_band_free(b);
        assert_int_equal(hr_mem_live(), live);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_is_not_yet_read),    cmocka_unit_test(days_tell_moved_files),
        cmocka_unit_test(sweeps_resume),          cmocka_unit_test(every_version_once),
        cmocka_unit_test(adopts_another_program), cmocka_unit_test(replay_reads_again_once),
        cmocka_unit_test(damage_is_refused),      cmocka_unit_test(versions_without_etags),
        cmocka_unit_test(life_without_memory),    cmocka_unit_test(memory_fails)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
