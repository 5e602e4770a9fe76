/* The control object of a state on S3: its bytes, who may claim it, lost answers, lost leases,
 * every request and every allocation failing. */
#include "support.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/time.h"
#include "state/control.h"
#include "state/state.h"
#include "store/mem/mem_store.h"

#define T0 INT64_C(1700000000000000)
#define KEY "s/state.json.control"

/* ---- a store whose PUTs misbehave ---- */

enum misbehaviour { GOOD, LOSE_ANSWER, LOSE_REQUEST, IGNORE_CONDITIONS };
static struct {
    enum misbehaviour how;
    int at, times; /* from the at-th PUT on (counted from 1), so many */
    int puts;
} bad;

static int bad_put(struct hr_store *store, const char *key, struct hr_slice body,
                   const struct hr_put_opts *opts, char etag_out[80], struct hr_error *err) {
    struct hr_put_opts changed = *opts;
    const bool now = ++bad.puts >= bad.at && bad.puts < bad.at + bad.times;
    if (now && bad.how == LOSE_REQUEST) {
        return hr_fail(err, HR_E_NETWORK, "could not write '%s': the connection was cut", key);
    }
    if (bad.how == IGNORE_CONDITIONS) {
        changed.cond = HR_PUT_ANY;
    }
    const int rc = hr_store_mem.put(store, key, body, &changed, etag_out, err);
    if (now && bad.how == LOSE_ANSWER) {
        memset(etag_out, 0, 80);
        return hr_fail(err, HR_E_NETWORK, "could not write '%s': the connection was cut", key);
    }
    return rc;
}

static struct hr_store *open_mem(void) {
    static struct hr_store_driver driver;
    struct hr_store *store;
    const struct hr_store_conf conf = {.scheme = "mem", .bucket = "control"};
    struct hr_error err;
    assert_rc(hr_store_open(&conf, &store, &err), 0, &err);
    driver = hr_store_mem;
    driver.put = bad_put;
    store->driver = &driver;
    hr_mem_store_clock(store, T0);
    return store;
}

static int fresh(void **state) {
    memset(&bad, 0, sizeof(bad));
    hr_mem_store_drop("control");
    *state = open_mem();
    return 0;
}

static int drop(void **state) {
    hr_store_close(*state);
    hr_mem_store_drop("control");
    return 0;
}

static struct hr_control_conf conf_of(struct hr_store *store) {
    return (struct hr_control_conf){.store = store,
                                    .key = KEY,
                                    .name = "mem:control/" KEY,
                                    .state_name = "mem:control/s/state.json",
                                    .lease_seconds = 60};
}

static struct hr_control *claim(struct hr_store *store) {
    struct hr_error err;
    struct hr_control *control;
    const struct hr_control_conf conf = conf_of(store);
    assert_rc(hr_control_claim(&conf, &control, &err), 0, &err);
    return control;
}

static int try_claim(struct hr_store *store, struct hr_error *err) {
    struct hr_control *control;
    const struct hr_control_conf conf = conf_of(store);
    const int rc = hr_control_claim(&conf, &control, err);
    assert_true(rc == 0 || control == NULL);
    hr_control_close(control);
    return rc;
}

/* The store's clock is set, but a claim counts our own time since it was read: seconds, when this
 * process was held up just there. */
static void assert_seconds(int64_t got, int64_t want, int64_t since_ns) {
    assert_in_range(got, want, want + (hr_monotonic_nanos() - since_ns) / 1000000000 + 1);
}

/* What stands there; release it. */
static void stored(struct hr_store *store, struct hr_control_doc *doc) {
    struct hr_buf bytes;
    struct hr_error err;
    hr_buf_init(&bytes, 0);
    hr_control_doc_init(doc);
    assert_rc(hr_store_get(store, KEY, 0, -1, NULL, &bytes, NULL, &err), 0, &err);
    assert_rc(hr_control_decode(hr_buf_slice(&bytes), KEY, doc, &err), 0, &err);
    hr_buf_release(&bytes);
}

static void store_doc(struct hr_store *store, const struct hr_control_doc *doc) {
    struct hr_buf bytes;
    char etag[80];
    const struct hr_put_opts any = {.cond = HR_PUT_ANY};
    hr_buf_init(&bytes, 0);
    assert_int_equal(hr_control_encode(doc, &bytes, NULL), 0);
    assert_int_equal(hr_store_mem.put(store, KEY, hr_buf_slice(&bytes), &any, etag, NULL), 0);
    hr_buf_release(&bytes);
}

/* Another run's claim, until 60 s from T0, with work in it. */
static struct hr_control_doc others(void) {
    struct hr_control_doc doc;
    hr_control_doc_init(&doc);
    doc.claim = 7;
    doc.rev = 3;
    doc.until_s = T0 / 1000000 + 60;
    doc.lease_s = 60;
    doc.owner.pid = 4711;
    snprintf(doc.nonce, sizeof(doc.nonce), "%032d", 5);
    snprintf(doc.owner.host, sizeof(doc.owner.host), "el\"se\nwhere");
    snprintf(doc.owner.machine, sizeof(doc.owner.machine), "another boot/1");
    assert_int_equal(hr_buf_append_str(&doc.ledger, "0a0b 01234567\n", NULL), 0);
    assert_int_equal(hr_buf_append_str(&doc.journal, "HRJ1\nwork\n", NULL), 0);
    return doc;
}

/* ---- bytes ---- */

static void bytes_there_and_back(void **state) {
    (void)state;
    struct hr_control_doc doc = others();
    struct hr_control_doc back;
    struct hr_buf bytes;
    struct hr_error err;
    doc.written = true;
    hr_buf_init(&bytes, 0);
    hr_control_doc_init(&back);
    assert_rc(hr_control_encode(&doc, &bytes, &err), 0, &err);
    assert_rc(hr_control_decode(hr_buf_slice(&bytes), "x", &back, &err), 0, &err);
    assert_int_equal(back.claim, 7);
    assert_int_equal(back.until_s, doc.until_s);
    assert_string_equal(back.nonce, doc.nonce);
    assert_string_equal(back.owner.host, doc.owner.host);
    assert_true(back.written);
    assert_string_equal(hr_buf_cstr(&back.ledger), "0a0b 01234567\n");
    assert_string_equal(hr_buf_cstr(&back.journal), "HRJ1\nwork\n");
    hr_control_doc_release(&back);
    hr_control_doc_release(&doc);
    hr_buf_release(&bytes);
}

static void damage_is_refused(void **state) {
    (void)state;
    struct hr_control_doc doc = others();
    struct hr_control_doc back;
    struct hr_buf bytes;
    struct hr_error err;
    hr_buf_init(&bytes, 0);
    hr_control_doc_init(&back);
    assert_int_equal(hr_control_encode(&doc, &bytes, NULL), 0);
    for (size_t i = 0; i < bytes.len; i++) {
        const struct hr_slice cut = {bytes.ptr, i};
        bytes.ptr[i] ^= 0x04;
        assert_int_equal(hr_control_decode(hr_buf_slice(&bytes), "c.control", &back, &err),
                         HR_E_STATE);
        assert_non_null(strstr(err.message, "c.control"));
        assert_true(err.hint[0] != '\0');
        bytes.ptr[i] ^= 0x04;
        assert_int_equal(hr_control_decode(cut, "c.control", &back, &err), HR_E_STATE);
    }
    hr_control_doc_release(&back);
    hr_control_doc_release(&doc);
    hr_buf_release(&bytes);
}

/* ---- claims ---- */

static void one_at_a_time(void **state) {
    struct hr_store *store = *state;
    struct hr_error err;
    struct hr_control_doc doc;
    const int64_t before = hr_monotonic_nanos();
    struct hr_control *first = claim(store);
    assert_int_equal(try_claim(store, &err), HR_E_LOCKED);
    assert_non_null(strstr(err.message, "another run holds the state 'mem:control/s/state.json'"));
    const char *left = strstr(err.detail, "for ");
    assert_non_null(left);
    assert_non_null(strstr(left, " s more"));
    assert_seconds(strtoll(left + 4, NULL, 10), 61, before);
    hr_control_close(first);
    stored(store, &doc);
    assert_string_equal(doc.nonce, "");
    assert_int_equal(doc.claim, 1);
    hr_control_doc_release(&doc);
    assert_rc(try_claim(store, &err), 0, &err);
    stored(store, &doc);
    assert_int_equal(doc.claim, 2);
    hr_control_doc_release(&doc);
}

static void lease_runs_out_by_the_stores_clock(void **state) {
    struct hr_store *store = *state;
    struct hr_control_doc doc = others();
    struct hr_error err;
    store_doc(store, &doc);
    hr_control_doc_release(&doc);
    hr_mem_store_clock(store, T0 + 61 * INT64_C(1000000)); /* a second is given on top */
    assert_int_equal(try_claim(store, &err), HR_E_LOCKED);
    assert_non_null(strstr(err.detail, "process 4711 on 'el\"se\\x0awhere'"));
    hr_mem_store_clock(store, T0 + 62 * INT64_C(1000000));
    const int64_t before = hr_monotonic_nanos();
    struct hr_control *control = claim(store);
    /* What the dead run left is there for recovery. */
    assert_true(hr_slice_eq_str(hr_control_ledger(control), "0a0b 01234567\n"));
    assert_true(hr_slice_eq_str(hr_control_journal(control), "HRJ1\nwork\n"));
    stored(store, &doc);
    assert_int_equal(doc.claim, 8);
    assert_seconds(doc.until_s, T0 / 1000000 + 62 + 60, before);
    hr_control_doc_release(&doc);
    hr_control_close(control);
}

static void a_process_that_is_gone_is_not_waited_for(void **state) {
    struct hr_store *store = *state;
    struct hr_control_doc doc = others();
    struct hr_error err;
    int alive[2];
    assert_int_equal(pipe(alive), 0);
    const pid_t child = fork();
    if (child == 0) {
        char byte;
        close(alive[1]);
        _exit(read(alive[0], &byte, 1) < 0); /* until the parent is done with it */
    }
    hr_owner_self(&doc.owner);
    const int64_t own_start = doc.owner.start;
    doc.owner.pid = child;
    doc.owner.start = own_start + 1000000; /* not the one that had this number */
    assert_true(hr_owner_gone(&doc.owner));
    doc.owner.pid = getpid();
    doc.owner.start = own_start;
    assert_false(hr_owner_gone(&doc.owner));
    store_doc(store, &doc);
    assert_int_equal(try_claim(store, &err), HR_E_LOCKED);
    close(alive[0]);
    close(alive[1]);
    int status;
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
    doc.owner.pid = child;
    assert_true(hr_owner_gone(&doc.owner)); /* dead, not yet waited for */
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(hr_owner_gone(&doc.owner));
    snprintf(doc.owner.machine, sizeof(doc.owner.machine), "another boot/1");
    assert_false(hr_owner_gone(&doc.owner));
    hr_owner_self(&doc.owner);
    doc.owner.pid = child;
    store_doc(store, &doc);
    hr_control_doc_release(&doc);
    assert_rc(try_claim(store, &err), 0, &err);
}

static void whoever_was_replaced_writes_nothing(void **state) {
    struct hr_store *store = *state;
    struct hr_error err;
    struct hr_control_doc doc;
    struct hr_control *first = claim(store);
    assert_rc(hr_control_add_ledger(first, hr_slice_str("aa\n"), &err), 0, &err);
    hr_mem_store_clock(store, T0 + 100 * INT64_C(1000000));
    struct hr_control *second = claim(store);
    assert_int_equal(hr_control_set_journal(first, hr_slice_str("old"), &err), HR_E_LOCKED);
    assert_non_null(strstr(err.message, "another run took over the state"));
    assert_non_null(strstr(err.hint, "60 s"));
    assert_int_equal(hr_control_hold(first, &err), HR_E_LOCKED);
    assert_int_equal(hr_control_drop(first, true, true, &err), HR_E_LOCKED);
    hr_control_close(first);
    assert_rc(hr_control_hold(second, &err), 0, &err);
    stored(store, &doc);
    assert_string_equal(hr_buf_cstr(&doc.ledger), "aa\n");
    assert_int_equal(doc.journal.len, 0);
    assert_true(doc.nonce[0] != '\0'); /* first did not let go of what is second's */
    hr_control_doc_release(&doc);
    hr_control_close(second);
}

static void conditions_that_are_ignored(void **state) {
    struct hr_store *store = *state;
    struct hr_error err;
    struct hr_object_info info;
    bad.how = IGNORE_CONDITIONS;
    assert_int_equal(try_claim(store, &err), HR_E_CONFIG);
    assert_non_null(strstr(err.message, "ignores conditional writes"));
    assert_int_equal(store->driver->stat(store, KEY, &info, NULL, NULL), HR_E_NO_OBJECT);
    bad.how = GOOD;
    hr_mem_store_without(store, HR_CAP_COND_PUT);
    assert_int_equal(try_claim(store, &err), HR_E_CONFIG);
}

static void renewed_while_it_is_held(void **state) {
    struct hr_store *store = *state;
    struct hr_control *control;
    struct hr_control_doc doc;
    struct hr_error err;
    struct hr_control_conf conf = conf_of(store);
    conf.lease_seconds = 1;
    assert_rc(hr_control_claim(&conf, &control, &err), 0, &err);
    uint64_t rev = 0;
    for (int i = 0; i < 20000 && rev < 3; i++) { /* the thread needs two thirds of a second */
        usleep(10000);
        stored(store, &doc);
        rev = doc.rev;
        hr_control_doc_release(&doc);
    }
    assert_true(rev >= 3);
    assert_rc(hr_control_hold(control, &err), 0, &err);
    hr_control_close(control);
}

/* ---- a whole life, disturbed ---- */

/* Claim, ledger, journal, drop, let go; the first failure. *journaled: that write was confirmed. */
static int life(struct hr_store *store, bool *journaled, struct hr_error *err) {
    struct hr_control *control;
    const struct hr_control_conf conf = conf_of(store);
    *journaled = false;
    int rc = hr_control_claim(&conf, &control, err);
    if (rc == 0) {
        rc = hr_control_add_ledger(control, hr_slice_str("aa\n"), err);
    }
    if (rc == 0) {
        rc = hr_control_add_ledger(control, hr_slice_str("bb\n"), err);
    }
    if (rc == 0) {
        rc = hr_control_set_journal(control, hr_slice_str("journal"), err);
        *journaled = rc == 0;
    }
    if (rc == 0) {
        assert_true(hr_slice_eq_str(hr_control_journal(control), "journal"));
        rc = hr_control_drop(control, true, true, err);
    }
    if (rc == 0) {
        assert_int_equal(hr_control_journal(control).len, 0);
        assert_int_equal(hr_control_ledger(control).len, 0);
    }
    hr_control_close(control);
    return rc;
}

/* PUTs of an undisturbed life: claim, two proofs, two intents, journal, drop, let go. */
#define LIFE_PUTS 8

static void every_answer_lost(void **state) {
    struct hr_store *store = *state;
    struct hr_error err;
    struct hr_control_doc doc;
    bool journaled;
    assert_rc(life(store, &journaled, &err), 0, &err);
    assert_int_equal(bad.puts, LIFE_PUTS);
    for (int how = LOSE_ANSWER; how <= LOSE_REQUEST; how++) {
        for (int at = 1; at <= LIFE_PUTS; at++) {
            bad.how = (enum misbehaviour)how;
            bad.at = at;
            bad.times = 1;
            bad.puts = 0;
            const int rc = life(store, &journaled, &err);
            const bool proof = at == 2 || at == 3;
            /* Reading tells what happened; what did not is done again. Proofs are not. */
            assert_rc(rc, proof ? HR_E_NETWORK : 0, &err);
            bad.how = GOOD;
            stored(store, &doc);
            assert_string_equal(doc.nonce, "");
            assert_int_equal(doc.ledger.len + doc.journal.len, 0);
            hr_control_doc_release(&doc);
        }
    }
}

static void a_store_that_stays_away(void **state) {
    struct hr_store *store = *state;
    struct hr_error err;
    struct hr_control_doc doc;
    bool journaled;
    for (int at = 1; at <= LIFE_PUTS; at++) {
        hr_mem_store_clock(store, T0 + at * INT64_C(1000000000)); /* the last lease is over */
        bad.how = LOSE_REQUEST;
        bad.at = at;
        bad.times = 1000;
        bad.puts = 0;
        const int rc = life(store, &journaled, &err);
        assert_int_equal(rc, at == LIFE_PUTS ? 0 : HR_E_NETWORK);
        assert_int_equal(journaled, at >= 7);
        bad.how = GOOD;
        if (at > 1) {
            /* Whatever was confirmed stands; what was not does not. */
            stored(store, &doc);
            assert_int_equal(doc.journal.len > 0, at == 7);
            assert_int_equal(doc.ledger.len, at == 5 ? 3 : at == 6 || at == 7 ? 6 : 0);
            assert_true(doc.nonce[0] != '\0');
            hr_control_doc_release(&doc);
        }
        hr_mem_store_clock(store, T0 + at * INT64_C(1000000000) + INT64_C(500000000));
        assert_rc(life(store, &journaled, &err), 0, &err);
    }
}

static struct { int at, calls; } nth;

static int fail_nth(void *user, enum hr_mem_op op, const char *key, struct hr_error *err) {
    (void)user;
    (void)op;
    return ++nth.calls == nth.at ? hr_fail(err, HR_E_FORBIDDEN, "could not use '%s': denied", key)
                                 : 0;
}

static void every_request_denied(void **state) {
    struct hr_store *store = *state;
    struct hr_error err;
    bool journaled;
    int failed = 0;
    hr_mem_store_fault(store, fail_nth, NULL);
    for (nth.at = 1;; nth.at++) {
        nth.calls = 0;
        const int rc = life(store, &journaled, &err);
        if (nth.calls < nth.at) {
            break;
        }
        assert_true(rc == HR_E_FORBIDDEN || (rc == 0 && nth.calls == nth.at)); /* letting go */
        failed += rc != 0;
        hr_mem_store_clock(store, T0 + nth.at * INT64_C(1000000000));
    }
    assert_int_equal(failed, LIFE_PUTS); /* the GET of the claim, every PUT but the last */
    hr_mem_store_fault(store, NULL, NULL);
}

static void every_allocation_fails(void **state) {
    struct hr_store *store = *state;
    bool journaled;
    int failed = 0;
    assert_int_equal(life(store, &journaled, NULL), 0);
    for (uint64_t at = 1; at < 400; at++) {
        hr_mem_store_clock(store, T0 + (int64_t)at * INT64_C(1000000000));
        hr_mem_fail_at(at, 0);
        const int rc = life(store, &journaled, NULL);
        hr_mem_fail_at(0, 0);
        failed += rc != 0;
        if (rc == 0 && at > 200) {
            break;
        }
    }
    assert_true(failed > 10);
    /* The object is as whole as ever. */
    struct hr_error err;
    hr_mem_store_clock(store, T0 + INT64_C(1000000000000));
    assert_rc(life(store, &journaled, &err), 0, &err);
}

static void life_leaks_nothing(void **state) {
    struct hr_store *store = *state;
    bool journaled;
    assert_int_equal(life(store, &journaled, NULL), 0);
    const int64_t live = hr_mem_live();
    for (uint64_t at = 1; at < 60; at++) {
        hr_mem_store_clock(store, T0 + (int64_t)at * INT64_C(1000000000));
        hr_mem_fail_at(at, 0);
        (void)life(store, &journaled, NULL);
        hr_mem_fail_at(0, 0);
    }
    hr_mem_store_clock(store, T0 + INT64_C(1000000000000));
    assert_int_equal(life(store, &journaled, NULL), 0);
    /* The object's own bytes are in memory too, and its numbers have grown by a few digits. */
    assert_true(hr_mem_live() - live < 200);
}

/* ---- as a state ---- */

static int open_state(struct hr_state **out, bool read_only, struct hr_error *err) {
    const struct hr_state_conf conf = {
        .path = "mem:control/s/state.json", .destination = "", .read_only = read_only};
    return hr_state_open(&conf, out, err);
}

static void the_document_is_plain(void **state) {
    struct hr_store *store = *state;
    struct hr_state *run;
    struct hr_state *other;
    struct hr_error err;
    struct hr_buf text;
    hr_buf_init(&text, 0);
    hr_mem_store_clock(store, -1);
    assert_rc(open_state(&run, false, &err), 0, &err);
    assert_int_equal(hr_state_text(run).len, 0);
    assert_int_equal(open_state(&other, false, &err), HR_E_LOCKED);
    assert_rc(hr_state_save(run, hr_slice_str("{\"a\":1}"), &err), 0, &err);
    assert_rc(hr_state_save(run, hr_slice_str("{\"a\":2}"), &err), 0, &err);
    assert_rc(hr_store_get(store, "s/state.json", 0, -1, NULL, &text, NULL, &err), 0, &err);
    assert_string_equal(hr_buf_cstr(&text), "{\"a\":2}");
    assert_rc(open_state(&other, true, &err), 0, &err); /* looking needs no claim */
    assert_true(hr_slice_eq_str(hr_state_text(other), "{\"a\":2}"));
    hr_state_close(other);
    hr_state_close(run);
    hr_buf_release(&text);
}

static void what_others_wrote_stays(void **state) {
    struct hr_store *store = *state;
    struct hr_state *run;
    struct hr_error err;
    struct hr_buf text;
    char etag[80];
    const struct hr_put_opts any = {.cond = HR_PUT_ANY};
    hr_buf_init(&text, 0);
    hr_mem_store_clock(store, -1);
    for (int there = 0; there < 2; there++) { /* it was absent, it was there */
        assert_rc(open_state(&run, false, &err), 0, &err);
        assert_int_equal(
            hr_store_mem.put(store, "s/state.json", hr_slice_str("theirs"), &any, etag, NULL), 0);
        assert_int_equal(hr_state_save(run, hr_slice_str("ours"), &err), HR_E_LOCKED);
        assert_non_null(strstr(err.message, "it changed while this run held it"));
        hr_state_close(run);
    }
    assert_rc(open_state(&run, false, &err), 0, &err);
    assert_true(hr_slice_eq_str(hr_state_text(run), "theirs"));
    assert_rc(hr_state_save(run, hr_slice_str("ours"), &err), 0, &err);
    hr_state_close(run);
    /* Cut to nothing is damage; removed is a wish. */
    assert_int_equal(hr_store_mem.put(store, "s/state.json", hr_slice_str(""), &any, etag, NULL),
                     0);
    assert_int_equal(open_state(&run, false, &err), HR_E_STATE);
    assert_int_equal(store->driver->remove(store, "s/state.json", NULL), 0);
    assert_rc(open_state(&run, false, &err), 0, &err);
    hr_state_close(run);
    hr_buf_release(&text);
}

static void a_url_that_is_no_object(void **state) {
    (void)state;
    static const char *const urls[] = {"mem:control", "mem:control/", "mem:control/folder/"};
    for (size_t i = 0; i < 3; i++) {
        struct hr_state *run;
        struct hr_error err;
        const struct hr_state_conf conf = {.path = urls[i], .destination = ""};
        assert_int_equal(hr_state_open(&conf, &run, &err), HR_E_USAGE);
        assert_non_null(strstr(err.message, urls[i]));
    }
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, fresh, drop)

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(bytes_there_and_back),
                                       cmocka_unit_test(damage_is_refused),
                                       WITH_STORE(one_at_a_time),
                                       WITH_STORE(lease_runs_out_by_the_stores_clock),
                                       WITH_STORE(a_process_that_is_gone_is_not_waited_for),
                                       WITH_STORE(whoever_was_replaced_writes_nothing),
                                       WITH_STORE(conditions_that_are_ignored),
                                       WITH_STORE(renewed_while_it_is_held),
                                       WITH_STORE(every_answer_lost),
                                       WITH_STORE(a_store_that_stays_away),
                                       WITH_STORE(every_request_denied),
                                       WITH_STORE(every_allocation_fails),
                                       WITH_STORE(life_leaks_nothing),
                                       WITH_STORE(the_document_is_plain),
                                       WITH_STORE(what_others_wrote_stays),
                                       WITH_STORE(a_url_that_is_no_object)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
