/* tests/unit/io/test_feed.c - the feed gives exactly the bytes of its splits, in order, from
 * stores that answer inline and from one that answers later; and lets go of all it took. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "io/io.h"
#include "store/mem/mem_store.h"
#include "support.h"

#define OBJECTS 12

enum kind { INLINE, DELAYED, FOLDER };
static const enum kind kinds[] = {INLINE, DELAYED, FOLDER};

struct lake {
    struct hr_store *store;
    uint8_t *data[OBJECTS];
    char key[OBJECTS][16];
    struct hr_split split[OBJECTS];
};

/* Objects of 0, 1, … bytes around the part size of 1000, and some larger. */
static const int64_t sizes[OBJECTS] = {0, 1, 999, 1000, 1001, 10, 20, 2500, 30, 12345, 70000, 7};

static void lake_open(struct lake *lake, enum kind kind) {
    struct hr_store_conf conf = {.scheme = "mem", .bucket = "feed"};
    struct hr_error err;
    uint64_t seed = 11;
    memset(lake, 0, sizeof(*lake));
    if (kind == FOLDER) {
        conf = (struct hr_store_conf){.scheme = "file", .bucket = test_tmpdir()};
    }
    assert_rc(hr_store_open(&conf, &lake->store, &err), 0, &err);
    if (kind == DELAYED) {
        assert_int_equal(hr_mem_store_delay(lake->store, 20), 0);
    }
    for (int i = 0; i < OBJECTS; i++) {
        snprintf(lake->key[i], sizeof(lake->key[i]), "k%02d", i);
        lake->data[i] = malloc((size_t)sizes[i] + 1);
        for (int64_t j = 0; j < sizes[i]; j++) {
            lake->data[i][j] = (uint8_t)test_rand(&seed);
        }
        struct hr_split *s = &lake->split[i];
        *s = (struct hr_split){.key = lake->key[i], .size = sizes[i], .end = -1};
        assert_rc(lake->store->driver->put(lake->store, s->key,
                                           hr_slice_of(lake->data[i], (size_t)sizes[i]), NULL,
                                           s->etag, &err),
                  0, &err);
    }
}

static void lake_close(struct lake *lake) {
    hr_store_close(lake->store);
    hr_mem_store_drop("feed");
    for (int i = 0; i < OBJECTS; i++) {
        free(lake->data[i]);
    }
}

static struct hr_feed_conf conf_of(const struct lake *lake, struct hr_budget *budget) {
    return (struct hr_feed_conf){
        .store = lake->store,
        .budget = budget,
        .part_size = 1000,
        .parts_ahead = 3,
        .objects_ahead = 4,
    };
}

/* Wait until the store has been asked so often, whenever its thread gets to it. */
static void wait_for_gets(const struct lake *lake, uint64_t want) {
    struct hr_store_counters counters;
    const struct timespec nap = {0, 1000000};
    for (;;) {
        lake->store->driver->counters(lake->store, &counters);
        if (counters.get >= want) {
            return;
        }
        nanosleep(&nap, NULL);
    }
}

/* Reads a source to its end and compares with object i from `begin` on. */
static void check_rest(const struct lake *lake, struct hr_source *src, int i, int64_t begin) {
    struct hr_slice got;
    struct hr_error err;
    int64_t at = begin;
    int rc;
    while ((rc = hr_source_next(src, &got, &err)) == 0) {
        assert_true(got.len > 0);
        assert_true(at + (int64_t)got.len <= sizes[i]);
        assert_memory_equal(got.ptr, lake->data[i] + at, got.len);
        at += (int64_t)got.len;
    }
    assert_rc(rc, HR_END, &err);
    assert_int_equal(at, sizes[i]);
    assert_int_equal(hr_source_next(src, &got, &err), HR_END);
}

static void test_whole_objects(void **state) {
    (void)state;
    for (size_t k = 0; k < 3; k++) {
        struct lake lake;
        struct hr_feed *feed;
        struct hr_error err;
        const struct hr_split *split;
        struct hr_source *src;
        lake_open(&lake, kinds[k]);
        struct hr_budget *budget = hr_budget_new(100000);
        struct hr_feed_conf conf = conf_of(&lake, budget);
        assert_rc(hr_feed_open(&conf, lake.split, OBJECTS, &feed, &err), 0, &err);
        for (int i = 0; i < OBJECTS; i++) {
            assert_rc(hr_feed_next(feed, &split, &src, &err), 0, &err);
            assert_ptr_equal(split, &lake.split[i]);
            assert_string_equal(src->name, lake.key[i]);
            assert_int_equal(src->size, sizes[i]);
            check_rest(&lake, src, i, 0);
            hr_source_close(src);
        }
        assert_int_equal(hr_feed_next(feed, &split, &src, &err), HR_END);
        hr_feed_close(feed);
        assert_int_equal(hr_budget_used(budget), 0);
        assert_true(hr_budget_peak(budget) <= 4000);
        hr_budget_free(budget);
        lake_close(&lake);
    }
}

/* Ranges: what is wanted comes cut at its end, what lies behind on demand. */
static void test_ranges_and_overrun(void **state) {
    (void)state;
    for (size_t k = 0; k < 3; k++) {
        struct lake lake;
        struct hr_feed *feed;
        struct hr_error err;
        const struct hr_split *split;
        struct hr_source *src;
        struct hr_slice got;
        lake_open(&lake, kinds[k]);
        struct hr_feed_conf conf = conf_of(&lake, NULL);
        struct hr_split splits[4] = {lake.split[10], lake.split[10], lake.split[10], lake.split[7]};
        splits[0].end = 3500;
        splits[1].begin = 3500;
        splits[1].end = 3501;
        splits[2].begin = 69999;
        splits[3].begin = 2500; /* at the end already */
        assert_rc(hr_feed_open(&conf, splits, 4, &feed, &err), 0, &err);
        assert_rc(hr_feed_next(feed, &split, &src, &err), 0, &err);
        int64_t at = 0;
        while (at < 3500) {
            assert_rc(hr_source_next(src, &got, &err), 0, &err);
            assert_memory_equal(got.ptr, lake.data[10] + at, got.len);
            at += (int64_t)got.len;
        }
        assert_int_equal(at, 3500);
        check_rest(&lake, src, 10, 3500);
        assert_rc(hr_feed_next(feed, &split, &src, &err), 0, &err);
        check_rest(&lake, src, 10, 3500);
        assert_rc(hr_feed_next(feed, &split, &src, &err), 0, &err);
        check_rest(&lake, src, 10, 69999);
        assert_rc(hr_feed_next(feed, &split, &src, &err), 0, &err);
        assert_int_equal(hr_source_next(src, &got, &err), HR_END);
        hr_feed_close(feed);
        lake_close(&lake);
    }
}

static void test_random_reads(void **state) {
    (void)state;
    uint64_t seed = 5;
    uint8_t *buf = malloc(70000);
    for (size_t k = 0; k < 3; k++) {
        struct lake lake;
        struct hr_feed *feed;
        struct hr_error err;
        const struct hr_split *split;
        struct hr_source *src;
        struct hr_slice all;
        lake_open(&lake, kinds[k]);
        struct hr_budget *budget = hr_budget_new(5000);
        struct hr_feed_conf conf = conf_of(&lake, budget);
        for (int i = 0; i < OBJECTS; i++) {
            lake.split[i].random = true;
        }
        assert_rc(hr_feed_open(&conf, lake.split, OBJECTS, &feed, &err), 0, &err);
        for (int i = 0; i < OBJECTS; i++) {
            assert_rc(hr_feed_next(feed, &split, &src, &err), 0, &err);
            assert_true(src->random);
            for (int round = 0; round < 60; round++) {
                struct hr_range ranges[5];
                int n = (int)(test_rand(&seed) % 6);
                for (int j = 0; j < n; j++) {
                    int64_t at = (int64_t)(test_rand(&seed) % (uint64_t)(sizes[i] + 1));
                    int64_t len = (int64_t)(test_rand(&seed) % (uint64_t)(sizes[i] - at + 1));
                    ranges[j] = (struct hr_range){at, round % 2 ? len : len % 500};
                }
                if (round % 3 != 0) {
                    hr_source_hint(src, ranges, (size_t)n);
                }
                for (int j = 0; j < n; j++) {
                    assert_rc(
                        hr_source_read_at(src, ranges[j].offset, (size_t)ranges[j].len, buf, &err),
                        0, &err);
                    assert_memory_equal(buf, lake.data[i] + ranges[j].offset,
                                        (size_t)ranges[j].len);
                }
            }
            assert_rc(hr_source_read_at(src, sizes[i], 1, buf, &err), HR_E_CORRUPT, &err);
            assert_rc(hr_source_read_at(src, -1, 1, buf, &err), HR_E_CORRUPT, &err);
            if (i % 2 == 0 && sizes[i] > 0) {
                assert_rc(hr_source_next(src, &all, &err), 0, &err);
                assert_memory_equal(all.ptr, lake.data[i], all.len);
            }
        }
        hr_feed_close(feed);
        assert_int_equal(hr_budget_used(budget), 0);
        hr_budget_free(budget);
        lake_close(&lake);
    }
    free(buf);
}

/* A small object that is read at chosen places costs one GET, a large one as many as its merged
 * ranges have parts. */
static void test_request_counts(void **state) {
    (void)state;
    struct lake lake;
    struct hr_feed *feed;
    struct hr_error err;
    const struct hr_split *split;
    struct hr_source *src;
    struct hr_store_counters before;
    struct hr_store_counters after;
    uint8_t buf[5000];
    lake_open(&lake, DELAYED);
    struct hr_feed_conf conf = conf_of(&lake, NULL);
    lake.split[2].random = lake.split[10].random = true;
    struct hr_split splits[2] = {lake.split[2], lake.split[10]};
    lake.store->driver->counters(lake.store, &before);
    assert_rc(hr_feed_open(&conf, splits, 2, &feed, &err), 0, &err);
    assert_rc(hr_feed_next(feed, &split, &src, &err), 0, &err);
    for (int i = 0; i < 20; i++) {
        assert_rc(hr_source_read_at(src, i * 10, 10, buf, &err), 0, &err);
    }
    lake.store->driver->counters(lake.store, &after);
    assert_int_equal(after.get - before.get, 1);
    assert_rc(hr_feed_next(feed, &split, &src, &err), 0, &err);
    before = after;
    const struct hr_range ranges[] = {{100, 200}, {500, 100}, {900, 50}, {5000, 2500}};
    hr_source_hint(src, ranges, 4);
    for (int i = 0; i < 4; i++) {
        assert_rc(hr_source_read_at(src, ranges[i].offset, (size_t)ranges[i].len, buf, &err), 0,
                  &err);
        assert_memory_equal(buf, lake.data[10] + ranges[i].offset, (size_t)ranges[i].len);
    }
    lake.store->driver->counters(lake.store, &after);
    assert_int_equal(after.get - before.get, 1 + 1 + 3); /* the tail, the ranges */
    hr_feed_close(feed);
    lake_close(&lake);
}

/* Only a part of it is wanted: an object over 1 MiB is not fetched whole, one up to it is. */
static void test_sparse_objects(void **state) {
    (void)state;
    struct lake lake;
    struct hr_feed *feed;
    struct hr_error err;
    const struct hr_split *split;
    struct hr_source *src;
    struct hr_store_counters before;
    struct hr_store_counters after;
    uint8_t buf[100];
    lake_open(&lake, DELAYED);
    const size_t sizes_of[2] = {(size_t)1 << 20, ((size_t)1 << 20) + 1};
    struct hr_split splits[2];
    uint8_t *zeros = calloc(1, sizes_of[1]);
    for (int i = 0; i < 2; i++) {
        splits[i] = (struct hr_split){.key = i == 0 ? "whole" : "parts",
                                      .size = (int64_t)sizes_of[i],
                                      .end = -1,
                                      .random = true,
                                      .sparse = true};
        assert_rc(lake.store->driver->put(lake.store, splits[i].key,
                                          hr_slice_of(zeros, sizes_of[i]), NULL, NULL, &err),
                  0, &err);
    }
    const struct hr_feed_conf conf = {.store = lake.store};
    lake.store->driver->counters(lake.store, &before);
    assert_rc(hr_feed_open(&conf, splits, 2, &feed, &err), 0, &err);
    for (int i = 0; i < 2; i++) {
        assert_rc(hr_feed_next(feed, &split, &src, &err), 0, &err);
        assert_rc(hr_source_read_at(src, 10, sizeof(buf), buf, &err), 0, &err);
        assert_rc(hr_source_read_at(src, split->size - 10, 10, buf, &err), 0, &err);
    }
    /* the first whole; the tail of the second and the surroundings of byte 10 */
    lake.store->driver->counters(lake.store, &after);
    assert_int_equal(after.get - before.get, 1 + 2);
    assert_true(after.bytes_in - before.bytes_in <= (1 << 20) + 2 * 65536);
    hr_feed_close(feed);
    free(zeros);
    lake_close(&lake);
}

/* The footers of the objects to come are on their way before they are asked for, once each. */
static void test_tails_ahead(void **state) {
    (void)state;
    enum { N = 4, SIZE = 200000, TAIL = 65536 };
    struct lake lake;
    struct hr_feed *feed;
    struct hr_error err;
    const struct hr_split *split;
    struct hr_source *src;
    struct hr_store_counters counters;
    struct hr_split splits[N];
    char keys[N][8];
    uint8_t *bytes = malloc(SIZE);
    uint8_t *buf = malloc(TAIL);
    uint64_t seed = 5;
    lake_open(&lake, DELAYED);
    for (int i = 0; i < SIZE; i++) {
        bytes[i] = (uint8_t)test_rand(&seed);
    }
    for (int i = 0; i < N; i++) {
        snprintf(keys[i], sizeof(keys[i]), "t%d", i);
        splits[i] = (struct hr_split){.key = keys[i], .size = SIZE, .end = -1, .random = true};
        assert_rc(lake.store->driver->put(lake.store, keys[i], hr_slice_of(bytes, SIZE), NULL, NULL,
                                          &err),
                  0, &err);
    }
    const struct hr_feed_conf conf = {.store = lake.store, .part_size = 100000};
    assert_rc(hr_feed_open(&conf, splits, N, &feed, &err), 0, &err);
    wait_for_gets(&lake, N);
    for (int i = 0; i < N; i++) {
        assert_rc(hr_feed_next(feed, &split, &src, &err), 0, &err);
        assert_rc(hr_source_read_at(src, SIZE - TAIL, TAIL, buf, &err), 0, &err);
        assert_memory_equal(buf, bytes + SIZE - TAIL, TAIL);
        assert_rc(hr_source_read_at(src, SIZE - 8, 8, buf, &err), 0, &err);
        assert_memory_equal(buf, bytes + SIZE - 8, 8);
        lake.store->driver->counters(lake.store, &counters);
        assert_int_equal(counters.get, N);
    }
    hr_feed_close(feed);
    free(bytes);
    free(buf);
    lake_close(&lake);
}

/* An object looked at by the planner costs the bytes it asks for, not those from its beginning. */
static void test_object_source_is_lazy(void **state) {
    (void)state;
    struct lake lake;
    struct hr_error err;
    struct hr_source *src;
    struct hr_slice got;
    struct hr_store_counters before;
    struct hr_store_counters after;
    uint8_t buf[100];
    lake_open(&lake, DELAYED);
    lake.store->driver->counters(lake.store, &before);
    assert_rc(hr_object_source(lake.store, "k10", NULL, 70000, 1000, &src, &err), 0, &err);
    lake.store->driver->counters(lake.store, &after);
    assert_int_equal(after.get, before.get);
    assert_rc(hr_source_read_at(src, 69900, 100, buf, &err), 0, &err);
    assert_memory_equal(buf, lake.data[10] + 69900, 100);
    lake.store->driver->counters(lake.store, &after);
    assert_int_equal(after.get - before.get, 1);
    assert_true(after.bytes_in - before.bytes_in <= 65536);
    before = after;
    assert_rc(hr_source_next(src, &got, &err), 0, &err);
    assert_int_equal(got.len, 1000);
    assert_memory_equal(got.ptr, lake.data[10], 1000);
    lake.store->driver->counters(lake.store, &after);
    assert_int_equal(after.get - before.get, 1);
    hr_source_close(src);
    lake_close(&lake);
}

/* The footer that the planner has read is not fetched again, unless the object was replaced; that
 * nothing can be kept only costs the request. */
static void test_tails_kept(void **state) {
    (void)state;
    enum { SIZE = 70000, TAIL = 65536 };
    uint8_t *buf = malloc(TAIL);
    for (uint64_t nth = 0; nth < 8; nth++) { /* which allocation of keeping fails; 0 none */
        struct lake lake;
        struct hr_error err;
        struct hr_store_counters before, after;
        lake_open(&lake, DELAYED);
        struct hr_split split = lake.split[10];
        split.random = true;
        lake.store->driver->counters(lake.store, &before);
        hr_mem_fail_at(nth > 0 ? nth : 0, 0);
        hr_store_keep(lake.store, split.key, split.etag, SIZE - TAIL, lake.data[10] + SIZE - TAIL,
                      TAIL);
        const bool kept = nth == 0 || hr_mem_count() < nth;
        hr_mem_fail_at(0, 0);
        for (int round = 0; round < 4; round++) { /* planner, worker, worker, worker later */
            struct hr_feed *feed = NULL;
            struct hr_source *src;
            const struct hr_split *at;
            const struct hr_feed_conf conf = {.store = lake.store, .part_size = 67000};
            if (round == 3) {
                split.etag[1] ^= 1; /* as of another version */
            }
            if (round == 0) {
                assert_rc(hr_object_source(lake.store, split.key, split.etag, SIZE, 0, &src, &err),
                          0, &err);
            } else {
                assert_rc(hr_feed_open(&conf, &split, 1, &feed, &err), 0, &err);
                assert_rc(hr_feed_next(feed, &at, &src, &err), 0, &err);
            }
            int rc = hr_source_read_at(src, SIZE - TAIL, TAIL, buf, &err);
            if (round < 3) {
                assert_rc(rc, 0, &err);
                assert_memory_equal(buf, lake.data[10] + SIZE - TAIL, TAIL);
            } else {
                assert_rc(rc, HR_E_CHANGED, &err);
            }
            if (round == 0) {
                hr_source_close(src);
            }
            hr_feed_close(feed);
            lake.store->driver->counters(lake.store, &after);
            assert_int_equal(after.get - before.get, (kept ? 0 : 1) + (round == 3));
        }
        lake_close(&lake);
    }
    free(buf);
}

static void test_window_in_flight(void **state) {
    (void)state;
    struct lake lake;
    struct hr_feed *feed;
    struct hr_error err;
    const struct hr_split *split;
    struct hr_source *src;
    struct hr_store_counters counters;
    struct timespec nap = {0, 100000000};
    lake_open(&lake, DELAYED);
    struct hr_feed_conf conf = conf_of(&lake, NULL);
    struct hr_split splits[8];
    for (int i = 0; i < 8; i++) {
        splits[i] = lake.split[5 + i % 2]; /* 10 and 20 bytes */
    }
    assert_rc(hr_feed_open(&conf, splits, 8, &feed, &err), 0, &err);
    assert_rc(hr_feed_next(feed, &split, &src, &err), 0, &err);
    wait_for_gets(&lake, 4);
    nanosleep(&nap, NULL); /* for more of them to show */
    lake.store->driver->counters(lake.store, &counters);
    assert_int_equal(counters.get, 4); /* objects_ahead, nothing read yet */
    hr_feed_close(feed);
    lake_close(&lake);
}

/* ---- trouble -------------------------------------------------------------------------------- */

static void test_replaced_and_deleted(void **state) {
    (void)state;
    for (size_t k = 0; k < 3; k++) {
        struct lake lake;
        struct hr_feed *feed;
        struct hr_error err;
        const struct hr_split *split;
        struct hr_source *src;
        struct hr_slice got;
        lake_open(&lake, kinds[k]);
        struct hr_feed_conf conf = conf_of(&lake, NULL);
        assert_rc(
            lake.store->driver->put(lake.store, "k09", hr_slice_str("replaced"), NULL, NULL, &err),
            0, &err);
        assert_rc(lake.store->driver->remove(lake.store, "k07", &err), 0, &err);
        assert_rc(hr_feed_open(&conf, &lake.split[7], 4, &feed, &err), 0, &err);
        assert_rc(hr_feed_next(feed, &split, &src, &err), 0, &err);
        assert_rc(hr_source_next(src, &got, &err), HR_E_NO_OBJECT, &err);
        assert_string_equal(err.object, "k07");
        assert_rc(hr_feed_next(feed, &split, &src, &err), 0, &err);
        check_rest(&lake, src, 8, 0);
        assert_rc(hr_feed_next(feed, &split, &src, &err), 0, &err);
        assert_rc(hr_source_next(src, &got, &err), HR_E_CHANGED, &err);
        assert_string_equal(err.object, "k09");
        assert_rc(hr_feed_next(feed, &split, &src, &err), 0, &err);
        check_rest(&lake, src, 10, 0);
        hr_feed_close(feed);
        lake_close(&lake);
    }
}

static void test_shrunk_without_etag(void **state) {
    (void)state;
    for (size_t k = 0; k < 3; k++) {
        struct lake lake;
        struct hr_feed *feed;
        struct hr_error err;
        const struct hr_split *split;
        struct hr_source *src;
        struct hr_slice got;
        lake_open(&lake, kinds[k]);
        struct hr_feed_conf conf = conf_of(&lake, NULL);
        struct hr_split s = lake.split[3];
        s.etag[0] = '\0';
        s.size += 5;
        assert_rc(hr_feed_open(&conf, &s, 1, &feed, &err), 0, &err);
        assert_rc(hr_feed_next(feed, &split, &src, &err), 0, &err);
        int rc;
        while ((rc = hr_source_next(src, &got, &err)) == 0) {
        }
        assert_rc(rc, HR_E_CHANGED, &err);
        hr_feed_close(feed);
        lake_close(&lake);
    }
}

/* Closing with parts in flight, at every point of the reading. */
static void test_close_early(void **state) {
    (void)state;
    for (size_t k = 0; k < 3; k++) {
        struct lake lake;
        lake_open(&lake, kinds[k]);
        struct hr_budget *budget = hr_budget_new(3000);
        struct hr_feed_conf conf = conf_of(&lake, budget);
        for (int steps = 0; steps < 30; steps++) {
            struct hr_feed *feed;
            struct hr_error err;
            const struct hr_split *split;
            struct hr_source *src = NULL;
            struct hr_slice got;
            assert_rc(hr_feed_open(&conf, lake.split, OBJECTS, &feed, &err), 0, &err);
            for (int i = 0; i < steps; i++) {
                if (src == NULL || hr_source_next(src, &got, &err) != 0 || i % 5 == 4) {
                    assert_true(hr_feed_next(feed, &split, &src, &err) >= 0);
                }
            }
            hr_feed_close(feed);
            assert_int_equal(hr_budget_used(budget), 0);
        }
        hr_budget_free(budget);
        lake_close(&lake);
    }
}

struct starving {
    struct hr_feed *feed;
    atomic_bool reading, done;
    int rc;
};

static void *read_one(void *arg) {
    struct starving *s = arg;
    struct hr_slice got;
    struct hr_error err;
    const struct hr_split *split;
    struct hr_source *src;
    hr_feed_next(s->feed, &split, &src, &err);
    atomic_store(&s->reading, true);
    s->rc = hr_source_next(src, &got, &err);
    atomic_store(&s->done, true);
    return NULL;
}

/* A feed without budget waits until it is head of line, and then goes over the limit. */
static void test_head_of_line(void **state) {
    (void)state;
    struct lake lake;
    struct hr_feed *first;
    struct hr_error err;
    const struct hr_split *split;
    struct hr_source *src;
    struct hr_slice got;
    struct timespec nap = {0, 50000000};
    pthread_t thread;
    lake_open(&lake, DELAYED);
    struct hr_budget *budget = hr_budget_new(1000);
    struct hr_feed_conf conf = conf_of(&lake, budget);
    assert_rc(hr_feed_open(&conf, &lake.split[10], 1, &first, &err), 0, &err);
    assert_rc(hr_feed_next(first, &split, &src, &err), 0, &err);
    assert_rc(hr_source_next(src, &got, &err), 0, &err); /* holds the whole budget */
    struct starving s = {0};
    assert_rc(hr_feed_open(&conf, &lake.split[9], 1, &s.feed, &err), 0, &err);
    assert_int_equal(pthread_create(&thread, NULL, read_one, &s), 0);
    while (!atomic_load(&s.reading)) {
        nanosleep(&nap, NULL);
    }
    nanosleep(&nap, NULL);
    assert_false(atomic_load(&s.done));
    hr_feed_set_head(s.feed);
    pthread_join(thread, NULL);
    assert_int_equal(s.rc, 0);
    assert_true(hr_budget_peak(budget) > 1000);
    hr_feed_close(s.feed);
    hr_feed_close(first);
    assert_int_equal(hr_budget_used(budget), 0);
    hr_budget_free(budget);
    lake_close(&lake);
}

static void test_object_source(void **state) {
    (void)state;
    for (size_t k = 0; k < 3; k++) {
        struct lake lake;
        struct hr_source *src;
        struct hr_error err;
        uint8_t buf[8];
        lake_open(&lake, kinds[k]);
        for (int i = 0; i < OBJECTS; i++) {
            int64_t size = i % 2 ? sizes[i] : -1;
            const char *etag = i % 3 ? lake.split[i].etag : NULL;
            assert_rc(hr_object_source(lake.store, lake.key[i], etag, size, 64, &src, &err), 0,
                      &err);
            assert_int_equal(src->size, sizes[i]);
            if (sizes[i] >= 8) {
                assert_rc(hr_source_read_at(src, sizes[i] - 8, 8, buf, &err), 0, &err);
                assert_memory_equal(buf, lake.data[i] + sizes[i] - 8, 8);
            }
            check_rest(&lake, src, i, 0);
            hr_source_close(src);
        }
        assert_rc(hr_object_source(lake.store, "nope", NULL, -1, 0, &src, &err), HR_E_NO_OBJECT,
                  &err);
        lake_close(&lake);
    }
}

static void test_no_memory(void **state) {
    (void)state;
    for (size_t k = 0; k < 2; k++) { /* stores that answer in this thread: counting is exact */
        struct lake lake;
        lake_open(&lake, k ? FOLDER : INLINE);
        struct hr_budget *budget = hr_budget_new(100000);
        struct hr_feed_conf conf = conf_of(&lake, budget);
        lake.split[4].random = true;
        bool finished = false;
        for (uint64_t nth = 1; !finished; nth++) {
            struct hr_feed *feed = NULL;
            struct hr_error err;
            const struct hr_split *split;
            struct hr_source *src;
            struct hr_slice got;
            uint8_t buf[16];
            int64_t live = hr_mem_live();
            hr_mem_fail_at(nth, 0);
            int rc = hr_feed_open(&conf, &lake.split[3], 4, &feed, &err);
            while (rc == 0 && (rc = hr_feed_next(feed, &split, &src, &err)) == 0) {
                rc = split->random ? hr_source_read_at(src, 100, 16, buf, &err) : 0;
                while (rc == 0) {
                    rc = hr_source_next(src, &got, &err);
                }
                rc = rc == HR_END ? 0 : rc;
            }
            finished = hr_mem_count() < nth;
            hr_mem_fail_at(0, 0);
            assert_true(rc == HR_E_NOMEM || (finished && rc == HR_END));
            hr_feed_close(feed);
            assert_int_equal(hr_mem_live(), live);
            assert_int_equal(hr_budget_used(budget), 0);
            assert_true(nth < 1000);
        }
        hr_budget_free(budget);
        lake_close(&lake);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_objects),
        cmocka_unit_test(test_ranges_and_overrun),
        cmocka_unit_test(test_random_reads),
        cmocka_unit_test(test_request_counts),
        cmocka_unit_test(test_sparse_objects),
        cmocka_unit_test(test_tails_ahead),
        cmocka_unit_test(test_object_source_is_lazy),
        cmocka_unit_test(test_window_in_flight),
        cmocka_unit_test(test_replaced_and_deleted),
        cmocka_unit_test(test_shrunk_without_etag),
        cmocka_unit_test(test_close_early),
        cmocka_unit_test(test_head_of_line),
        cmocka_unit_test(test_object_source),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_tails_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
