/* A commit that a dead run left open, met by the next: finished, taken back, dropped or left to a
 * person, with the state in a file and in a store; what a person decides; what a commit takes back
 * by itself. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "state/commit.h"
#include "state/manifest.h"
#include "state/settle.h"
#include "state/state.h"
#include "store/mem/mem_store.h"

#define T0 INT64_C(1700000000000000)

static struct hr_error err;
static char state_file[300];
static struct hr_store *dst;

/* ---- a store that dies ---- */

static struct {
    int left; /* Completes that still work, -1: all */
    int lost; /* this Complete (counted from 1) finds its upload gone */
    int seen;
    bool silent;            /* nothing is answered any more */
    enum hr_mem_op refused; /* this operation is, for once */
    bool refuse;
} fault;

static int before_op(void *user, enum hr_mem_op op, const char *key, struct hr_error *e) {
    (void)user;
    if (fault.refuse && op == fault.refused) {
        fault.refuse = false;
        return hr_fail(e, HR_E_NETWORK, "could not use '%s': the connection was cut", key);
    }
    if (op == HR_MEM_COMPLETE && ++fault.seen == fault.lost) {
        return hr_fail(e, HR_E_NO_OBJECT, "could not find the upload of '%s'", key);
    }
    fault.silent |= op == HR_MEM_COMPLETE && fault.left == 0;
    fault.left -= op == HR_MEM_COMPLETE && fault.left > 0;
    return fault.silent ? hr_fail(e, HR_E_NETWORK, "could not use '%s': no answer", key) : 0;
}

static void heal(void) {
    memset(&fault, 0, sizeof(fault));
    fault.left = -1;
}

static void clock_is(int64_t micros) {
    static const char *const names[] = {"recovery", "recovery-state"};
    for (size_t i = 0; i < 2; i++) {
        const struct hr_mem_world world = {before_op, NULL, NULL, micros};
        assert_int_equal(hr_mem_store_world(names[i], &world), 0);
    }
}

/* A lease that nobody could give back has run out. */
static void later(void) {
    static int64_t now = T0;
    now += INT64_C(600000000);
    clock_is(now);
}

static int setup(void **state) {
    (void)state;
    const struct hr_store_conf conf = {.scheme = "mem", .bucket = "recovery"};
    hr_error_clear(&err);
    heal();
    clock_is(T0);
    snprintf(state_file, sizeof(state_file), "%s/state.json", test_tmpdir());
    remove(state_file);
    assert_rc(hr_store_open(&conf, &dst, &err), 0, &err);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    char path[340];
    hr_store_close(dst);
    hr_mem_store_drop("recovery");
    hr_mem_store_drop("recovery-state");
    static const char *const more[] = {"", ".lock", ".journal", ".ledger"};
    for (size_t i = 0; i < 4; i++) {
        snprintf(path, sizeof(path), "%s%s", state_file, more[i]);
        remove(path);
    }
    return 0;
}

/* ---- runs ---- */

static const char *const remote = "mem:recovery-state/p/state.json";

static int open_state(const char *path, const struct hr_state_conf *more, struct hr_state **out) {
    struct hr_state_conf conf = more ? *more : (struct hr_state_conf){.dst = dst};
    conf.path = path;
    conf.destination = dst->label;
    hr_error_clear(&err);
    return hr_state_open(&conf, out, &err);
}

static void write_output(struct hr_commit *commit, int number) {
    char name[80];
    char key[100];
    struct hr_output *out;
    hr_commit_next_name(commit, ".csv", name, sizeof(name));
    snprintf(key, sizeof(key), "t/%s", name);
    assert_rc(hr_commit_open_output(commit, key, &out, &err), 0, &err);
    assert_rc(hr_out_write(hr_output_out(out), "id\n1\n", 5, &err), 0, &err);
    assert_rc(hr_output_finish(out, number, &err), 0, &err);
}

static struct hr_commit *begin(struct hr_state *state, uint64_t seq, bool overwrite) {
    const struct hr_commit_conf conf = {.store = dst,
                                        .state = state,
                                        .lineage = "abc",
                                        .seq = seq,
                                        .folder = "t/",
                                        .overwrite = overwrite};
    struct hr_commit *commit;
    assert_rc(hr_commit_begin(&conf, &commit, &err), 0, &err);
    assert_int_equal(hr_commit_seq(commit), seq);
    return commit;
}

static int publish(struct hr_commit *commit, const char *next) {
    const struct hr_publish what = {.next_state = hr_slice_str(next)};
    hr_error_clear(&err);
    return hr_commit_publish(commit, &what, &err);
}

/* Commit 1 is done; commit 2 of two files dies when `visible` of them are. */
static void die_publishing(const char *path, int visible) {
    struct hr_state *state;
    assert_rc(open_state(path, NULL, &state), 0, &err);
    struct hr_commit *commit = begin(state, 1, false);
    write_output(commit, 1);
    assert_rc(publish(commit, "first"), 0, &err);
    size_t count;
    const struct hr_published *done = hr_commit_published(commit, &count);
    assert_int_equal(count, 1);
    assert_string_equal(done->key, "t/abc-000001-0000.csv");
    write_output(commit, 1);
    write_output(commit, 2);
    fault.left = visible;
    assert_rc(publish(commit, "second"), HR_E_INDOUBT, &err);
    hr_commit_end(commit);
    hr_state_close(state);
    heal();
    later();
}

static bool stands(const char *key) {
    struct hr_object_info info;
    return dst->driver->stat(dst, key, &info, NULL, NULL) == 0;
}

static int count_upload(void *user, const struct hr_upload *upload) {
    (void)upload;
    ++*(int *)user;
    return 0;
}

static void expect(struct hr_state *state, const char *text, bool first, bool second) {
    int open = 0;
    assert_true(hr_slice_eq_str(hr_state_text(state), text));
    assert_int_equal(stands("t/abc-000002-0000.csv"), first);
    assert_int_equal(stands("t/abc-000002-0001.csv"), second);
    assert_rc(dst->driver->mp_list(dst, "", count_upload, &open, &err), 0, &err);
    assert_int_equal(open, 0);
}

/* ---- tests ---- */

static const char *path_of(void **state) {
    return *state != NULL ? remote : state_file;
}

static void rolls_forward(void **fixture) {
    const char *path = path_of(fixture);
    for (int visible = 0; visible < 2; visible++) {
        struct hr_state *state;
        die_publishing(path, visible);
        assert_rc(open_state(path, NULL, &state), 0, &err);
        assert_true(hr_state_recovery(state)->rolled_forward);
        assert_int_equal(hr_state_recovery(state)->published, 2 - visible);
        expect(state, "second", true, true);
        hr_state_close(state);
        teardown(NULL);
        setup(NULL);
    }
}

/* An upload is gone. Nothing or something visible: taken back, read again; with ask_when_lost
 * something visible is a person's to decide. */
static void lost_upload(void **fixture) {
    const char *path = path_of(fixture);
    struct hr_state *state;
    for (int visible = 0; visible < 2; visible++) {
        die_publishing(path, visible);
        fault.lost = visible + 1; /* the first Complete finds what is visible */
        const struct hr_state_conf ask = {.dst = dst, .ask_when_lost = true};
        if (visible > 0) {
            assert_rc(open_state(path, &ask, &state), HR_E_INDOUBT, &err);
            assert_non_null(strstr(err.message, "1 of its 2 objects"));
            assert_true(stands("t/abc-000002-0000.csv"));
            fault.seen = 0;
            later();
        }
        assert_rc(open_state(path, visible > 0 ? NULL : &ask, &state), 0, &err);
        assert_true(hr_state_recovery(state)->dropped);
        expect(state, "first", false, false);
        hr_state_close(state);
        teardown(NULL);
        setup(NULL);
    }
}

/* Somebody put another state there: without a visible file the commit is forgotten, else nobody
 * knows whether those rows are counted. */
static void state_replaced(void **fixture) {
    (void)fixture;
    struct hr_state *state;
    die_publishing(state_file, 0);
    test_write_file(state_file, "other", 5);
    assert_rc(open_state(state_file, NULL, &state), 0, &err);
    assert_true(hr_state_recovery(state)->dropped);
    expect(state, "other", false, false);
    hr_state_close(state);
    teardown(NULL);
    setup(NULL);
    die_publishing(state_file, 1);
    test_write_file(state_file, "other", 5);
    assert_rc(open_state(state_file, NULL, &state), HR_E_INDOUBT, &err);
    assert_non_null(strstr(err.hint, "state resolve"));
    assert_true(stands("t/abc-000002-0000.csv"));
    fault.silent = true;
    assert_rc(open_state(state_file, NULL, &state), HR_E_NETWORK, &err);
}

/* Without a destination nothing can be settled: said, with a way out; looking only is allowed. */
static void no_destination(void **fixture) {
    const char *path = path_of(fixture);
    struct hr_state *state;
    const struct hr_state_conf none = {0};
    const struct hr_state_conf look = {.read_only = true};
    struct hr_journal journal;
    enum hr_fit fit;
    die_publishing(path, 1);
    assert_rc(open_state(path, &none, &state), HR_E_STATE, &err);
    assert_non_null(strstr(err.hint, "--destination"));
    later();
    assert_rc(open_state(path, &look, &state), 0, &err);
    assert_rc(hr_state_journal(state, &journal, &fit, &err), 0, &err);
    assert_int_equal(fit, HR_FIT_NEXT);
    assert_int_equal(journal.n_outputs, 2);
    hr_journal_release(&journal);
    hr_state_close(state);
    assert_rc(open_state(path, NULL, &state), 0, &err);
    expect(state, "second", true, true);
    hr_state_close(state);
    assert_rc(open_state(path, &look, &state), 0, &err);
    assert_rc(hr_state_journal(state, &journal, &fit, &err), 0, &err);
    assert_int_equal(fit, HR_FIT_NONE);
    hr_state_close(state);
}

/* A run that died while it staged: its ledger needs the destination too. */
static void ledger_alone(void **fixture) {
    const char *path = path_of(fixture);
    struct hr_state *state;
    const struct hr_state_conf none = {0};
    assert_rc(open_state(path, NULL, &state), 0, &err);
    struct hr_commit *commit = begin(state, 1, false);
    write_output(commit, 1);
    fault.silent = true; /* neither aborted nor let go */
    hr_commit_end(commit);
    hr_state_close(state);
    heal();
    later();
    assert_rc(open_state(path, &none, &state), HR_E_STATE, &err);
    later();
    assert_rc(open_state(path, NULL, &state), 0, &err);
    assert_int_equal(hr_state_recovery(state)->aborted, 1);
    expect(state, "", false, false);
    hr_state_close(state);
}

/* Resolved by hand: kept without the object that is lost, which leaves manifest and archive. */
static void kept_without_the_lost(void **fixture) {
    const char *path = path_of(fixture);
    struct hr_state *state;
    struct hr_journal journal;
    struct hr_settlement done;
    enum hr_fit fit;
    json_t *manifest;
    const struct hr_state_conf by_hand = {.dst = dst, .keep_open = true};
    die_publishing(path, 0);
    assert_rc(open_state(path, &by_hand, &state), 0, &err);
    assert_rc(hr_state_journal(state, &journal, &fit, &err), 0, &err);
    fault.silent = true;
    assert_true(hr_settle_keep(state, &journal, fit, dst, &done, &err) < 0);
    heal();
    hr_state_close(state);
    hr_journal_release(&journal);
    later();
    assert_rc(open_state(path, &by_hand, &state), 0, &err);
    assert_rc(hr_state_journal(state, &journal, &fit, &err), 0, &err);
    fault.lost = 1;
    assert_rc(hr_settle_keep(state, &journal, fit, dst, &done, &err), 0, &err);
    assert_int_equal(done.visible, 1);
    assert_int_equal(done.missing, 1);
    assert_true(done.state_saved);
    expect(state, "second", false, true);
    hr_journal_release(&journal);
    hr_state_close(state);
    assert_rc(hr_manifest_load(dst, "t/", "abc", &manifest, &err), 0, &err);
    assert_int_equal(json_array_size(json_object_get(manifest, "outputs")), 2);
    json_decref(manifest);
    assert_rc(hr_manifest_read(dst, "t/_headrace/abc/commit-000002.json", &manifest, &err), 0,
              &err);
    assert_int_equal(json_array_size(json_object_get(manifest, "outputs")), 1);
    json_decref(manifest);
}

static void taken_back_by_hand(void **fixture) {
    const char *path = path_of(fixture);
    struct hr_state *state;
    struct hr_journal journal;
    struct hr_settlement done;
    enum hr_fit fit;
    const struct hr_state_conf by_hand = {.dst = dst, .keep_open = true};
    die_publishing(path, 1);
    assert_rc(open_state(path, &by_hand, &state), 0, &err);
    assert_rc(hr_state_journal(state, &journal, &fit, &err), 0, &err);
    fault.refuse = true;
    fault.refused = HR_MEM_STAT;
    assert_rc(hr_settle_take_back(state, &journal, dst, &done, &err), HR_E_INDOUBT, &err);
    assert_rc(hr_settle_take_back(state, &journal, dst, &done, &err), 0, &err);
    assert_int_equal(done.removed, 1);
    expect(state, "first", false, false);
    hr_journal_release(&journal);
    hr_state_close(state);
}

/* A check claims and reads; it settles nothing, and says when somebody else holds the state. */
static void checked(void **fixture) {
    const char *path = path_of(fixture);
    const struct hr_state_conf conf = {.path = path};
    struct hr_state *state;
    hr_error_clear(&err);
    assert_rc(hr_state_check(&conf, &err), 0, &err);
    assert_rc(open_state(path, NULL, &state), 0, &err);
    assert_rc(hr_state_check(&conf, &err), HR_E_LOCKED, &err);
    hr_state_close(state);
    assert_rc(hr_state_check(&conf, &err), 0, &err);
}

/* A file that another program changed behind the run's back is not written over. */
static void changed_below(void **fixture) {
    (void)fixture;
    struct hr_state *state;
    assert_rc(open_state(state_file, NULL, &state), 0, &err);
    assert_rc(hr_state_save(state, hr_slice_str("mine"), &err), 0, &err);
    test_write_file(state_file, "theirs", 6);
    assert_true(hr_state_save(state, hr_slice_str("mine again"), &err) < 0);
    hr_state_close(state);
    assert_rc(open_state(state_file, NULL, &state), 0, &err);
    expect(state, "theirs", false, false);
    hr_state_close(state);
}

/* ---- commits ---- */

static void rolled_back(void **fixture) {
    const char *path = path_of(fixture);
    struct hr_state *state;
    assert_rc(open_state(path, NULL, &state), 0, &err);
    struct hr_commit *commit = begin(state, 2, false);
    write_output(commit, 1);
    hr_commit_mark(commit);
    write_output(commit, 2);
    write_output(commit, 3);
    hr_commit_rollback(commit);
    write_output(commit, 4); /* under the name of the first that was dropped */
    assert_rc(publish(commit, "next"), 0, &err);
    size_t count;
    const struct hr_published *done = hr_commit_published(commit, &count);
    assert_int_equal(count, 2);
    assert_int_equal(done[1].rows, 4);
    expect(state, "next", true, true);
    assert_false(stands("t/abc-000002-0002.csv"));
    assert_rc(publish(commit, "last"), 0, &err); /* nothing written: one step */
    expect(state, "last", true, true);
    hr_commit_end(commit);
    hr_state_close(state);
}

static void still_open(void **fixture) {
    (void)fixture;
    struct hr_state *state;
    struct hr_output *out;
    assert_rc(open_state(state_file, NULL, &state), 0, &err);
    struct hr_commit *commit = begin(state, 2, false);
    assert_rc(hr_commit_open_output(commit, "t/half.csv", &out, &err), 0, &err);
    assert_rc(publish(commit, "next"), HR_E_INTERNAL, &err);
    hr_commit_end(commit);
    expect(state, "", false, false);
    hr_state_close(state);
}

/* Create was refused, or done and not answered: the ledger knows the key, and it is swept. */
static void created_unheard(void **fixture) {
    const char *path = path_of(fixture);
    struct hr_state *state;
    struct hr_output *out;
    assert_rc(open_state(path, NULL, &state), 0, &err);
    for (int good = 0; good < 2; good++) {
        struct hr_commit *commit = begin(state, 2, false);
        char *id = NULL;
        const struct hr_put_opts none = {0};
        fault.refuse = true;
        fault.refused = HR_MEM_CREATE;
        assert_rc(hr_commit_open_output(commit, "t/unheard.csv", &out, &err), HR_E_NETWORK, &err);
        assert_rc(dst->driver->mp_create(dst, "t/unheard.csv", &none, &id, &err), 0, &err);
        hr_free(id);
        if (good) {
            write_output(commit, 1);
            write_output(commit, 2);
            assert_rc(publish(commit, "next"), 0, &err);
        }
        hr_commit_end(commit);
        expect(state, good ? "next" : "", good, good);
    }
    hr_state_close(state);
}

static bool ends_in_old(const char *name, size_t len) {
    return len > 4 && memcmp(name + len - 4, ".old", 4) == 0;
}

static void put(const char *key, const char *text) {
    char etag[80];
    const struct hr_put_opts any = {.cond = HR_PUT_ANY};
    assert_rc(dst->driver->put(dst, key, hr_slice_str(text), &any, etag, &err), 0, &err);
}

/* An overwrite removes what this and other lineages wrote, and what another program did by its
 * names; not what somebody changed since, nor what is nobody's. */
static void overwrites(void **fixture) {
    const char *path = path_of(fixture);
    struct hr_state *state;
    assert_rc(open_state(path, NULL, &state), 0, &err);
    struct hr_commit_conf conf = {
        .store = dst, .state = state, .lineage = "other", .seq = 1, .folder = "t/"};
    struct hr_commit *commit;
    assert_rc(hr_commit_begin(&conf, &commit, &err), 0, &err);
    write_output(commit, 1);
    write_output(commit, 1);
    assert_rc(publish(commit, "other"), 0, &err);
    hr_commit_end(commit);
    put("t/part-1.old", "x");
    put("t/nobody.csv", "y");
    put("t/other-000001-0001.csv", "somebody was here");
    conf.lineage = "abc";
    conf.overwrite = true;
    conf.also_owns = ends_in_old;
    assert_rc(hr_commit_begin(&conf, &commit, &err), 0, &err);
    write_output(commit, 1);
    assert_rc(publish(commit, "ours"), 0, &err);
    hr_commit_end(commit);
    hr_state_close(state);
    assert_true(stands("t/abc-000001-0000.csv"));
    assert_true(stands("t/nobody.csv"));
    assert_true(stands("t/other-000001-0001.csv"));
    assert_false(stands("t/other-000001-0000.csv"));
    assert_false(stands("t/part-1.old"));
    assert_false(stands("t/_headrace/other/manifest.json"));
}

/* Without a state: an object in the way is named with a remedy. */
static void in_the_way(void **fixture) {
    (void)fixture;
    struct hr_commit *commit = begin(NULL, 2, false);
    write_output(commit, 1);
    put("t/abc-000002-0000.csv", "theirs");
    assert_rc(publish(commit, ""), HR_E_EXISTS, &err);
    assert_true(err.hint[0] != '\0');
    hr_commit_end(commit);
}

/* Uploads of one lineage go, those of others and other names stay. */
static void aborted_by_lineage(void **fixture) {
    (void)fixture;
    static const char *const keys[] = {"t/abc-000001-0000.csv", "t/abcd-000001-0000.csv",
                                       "t/sub/abc-000002-0000.csv", "u/abc-000001-0000.csv"};
    size_t aborted = 0;
    int open = 0;
    for (size_t i = 0; i < 4; i++) {
        char *id;
        const struct hr_put_opts none = {0};
        assert_rc(dst->driver->mp_create(dst, keys[i], &none, &id, &err), 0, &err);
        hr_free(id);
    }
    assert_rc(hr_state_abort_uploads(dst, "t/", "abc", &aborted, &err), 0, &err);
    assert_int_equal(aborted, 2);
    assert_rc(dst->driver->mp_list(dst, "", count_upload, &open, &err), 0, &err);
    assert_int_equal(open, 2);
}

#define LOCAL(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
#define REMOTE(test)                                                                               \
    { #test " (state on a store)", test, setup, teardown, (void *)(uintptr_t)1 }

int main(void) {
    const struct CMUnitTest tests[] = {
        LOCAL(rolls_forward),
        REMOTE(rolls_forward),
        LOCAL(lost_upload),
        REMOTE(lost_upload),
        LOCAL(state_replaced),
        LOCAL(no_destination),
        REMOTE(no_destination),
        LOCAL(ledger_alone),
        REMOTE(ledger_alone),
        LOCAL(kept_without_the_lost),
        REMOTE(kept_without_the_lost),
        LOCAL(taken_back_by_hand),
        REMOTE(taken_back_by_hand),
        LOCAL(checked),
        REMOTE(checked),
        LOCAL(changed_below),
        LOCAL(rolled_back),
        REMOTE(rolled_back),
        LOCAL(still_open),
        LOCAL(created_unheard),
        REMOTE(created_unheard),
        LOCAL(overwrites),
        REMOTE(overwrites),
        LOCAL(in_the_way),
        LOCAL(aborted_by_lineage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
