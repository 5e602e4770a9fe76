/* Whole jobs in one process, over stores in memory: memory that runs out at any allocation, a store
 * that fails, dies or loses an answer at any request. The run ends with an answer or an error and
 * leaks nothing; the next one makes the destination what one undisturbed run makes it: every row,
 * none twice, no upload left open.
 *
 * `make test` takes a sample of the places, `make soak` (HEADRACE_SOAK=1) every one. */
#include "job_support.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "config/option.h"
#include "store/mem/mem_store.h"

#define T0 INT64_C(1700000000000000)
#define MINUTE INT64_C(60000000)
#define SAMPLE 30 /* places of each kind and shape in `make test` */

static const char *const buckets[] = {"lake", "out", "states"};
static const struct job_place place_of = {"mem:lake", "mem:out", "mem:states/p/state.json"};

/* ---- the world ---- */

static struct {
    atomic_long seen; /* places passed */
    long at;          /* the place where it happens; -1: nowhere */
    bool dead;        /* nothing works after it */
    bool after;       /* the effect is there, the answer is lost */
} fault = {.at = -1};

static int hit(enum hr_mem_op op, const char *key, bool after, struct hr_error *err) {
    (void)op;
    const bool counted = after == fault.after;
    const long n = counted ? atomic_fetch_add(&fault.seen, 1) + 1 : atomic_load(&fault.seen);
    if (fault.at > 0 && ((counted && n == fault.at) || (fault.dead && n > fault.at) ||
                         (fault.dead && !counted && !after && n == fault.at))) {
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

static void make_world(const struct job_shape *shape) {
    set_clock(T0);
    for (int file = 0; file < JOB_FILES; file++) {
        job_put_file(&place_of, shape, file);
    }
    set_clock(T0 + 60 * MINUTE);
}

static void drop_world(void) {
    for (size_t i = 0; i < HR_COUNTOF(buckets); i++) {
        hr_mem_store_drop(buckets[i]);
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
        fault.at = (long)place;
        atomic_store(&fault.seen, 0);
        fault.dead = kind->dead;
        fault.after = kind->after;
    }
}

static int64_t disarm(const struct kind *kind) {
    const int64_t seen = kind->memory ? (int64_t)hr_mem_count() : atomic_load(&fault.seen);
    hr_mem_fail_at(0, 0);
    fault.at = -1;
    fault.dead = fault.after = false;
    return seen;
}

/* Load, disturbed at `place` (0: not at all; answers how many places there are), go on, check; then
 * one more object and the same again with the disturbance there. */
static void live(const struct job_shape *shape, const struct kind *kind, int64_t place,
                 int64_t places[2]) {
    struct hr_error err;
    const int64_t before = hr_mem_live();
    make_world(shape);
    int64_t now = T0 + 60 * MINUTE;
    for (int load = 0; load < 2; load++) {
        arm(kind, place);
        const int rc = job_sync(&place_of, shape, &err);
        places[load] = disarm(kind);
        assert_true(rc <= 0);
        if (place == 0) {
            assert_rc(rc, 0, &err);
        }
        set_clock(now += 10 * MINUTE); /* the lease of a run that could not let go has run out */
        if (rc != 0) {
            assert_rc(job_sync(&place_of, shape, &err), 0, &err);
        }
        job_expect(&place_of, shape, JOB_FILES + load, kind->name, place);
        if (load == 0) {
            job_put_file(&place_of, shape, JOB_FILES);
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
    for (size_t i = 0; i < job_shape_count; i++) {
        int64_t places[2];
        int64_t now[2];
        live(&job_shapes[i], kind, 0, places); /* once in peace: pools are filled */
        live(&job_shapes[i], kind, 0, places);
        const int64_t most = places[0] > places[1] ? places[0] : places[1];
        const int64_t step = getenv("HEADRACE_SOAK") || most < SAMPLE ? 1 : most / SAMPLE;
        int64_t tried = 0;
        for (int64_t place = 1 + (int64_t)i % step; place <= most; place += step) {
            live(&job_shapes[i], kind, place, now);
            tried++;
        }
        print_message("%s: %s: %lld of %lld places\n", kind->name, job_shapes[i].name,
                      (long long)tried, (long long)most);
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
