/* gc, verify and the changes of a state when memory runs out at every allocation: an answer or an
 * error, never a leak, and a state that is one of the two it may be. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/upkeep.h"
#include "state/band.h"
#include "state/commit.h"
#include "support.h"

struct place {
    char folder[400], state[440], uri[440];
    struct hr_settings settings;
    struct hr_upkeep_conf conf;
};

static const struct hr_dialect *const d = &hr_dialect_olake;

static struct hr_store *open_out(const struct place *p) {
    struct hr_store *store = NULL;
    struct hr_error err;
    assert_rc(hr_run_open_store(&p->settings, &p->settings.dest.place, false, &store, &err), 0,
              &err);
    return store;
}

/* The document after a commit of lineage abc, as a sync makes it. */
static void next_text(uint64_t seq, struct hr_buf *out) {
    struct hr_state_doc *doc = NULL;
    struct hr_band *band = NULL;
    struct hr_error err;
    char hash[33];
    const struct hr_object_info info = {.size = 1, .mtime_us = 1735689600000000, .etag = "e"};
    struct hr_stream_state s = {.present = true,
                                .cursor = hr_strdup("2025-01-01T00:00:00Z"),
                                .chunks = json_array(),
                                .headrace = json_object()};
    assert_int_equal(hr_band_new(86400, &band, NULL), 0);
    hr_band_begin(band, 1735689600000000);
    assert_int_equal(hr_band_note(band, "data/k", &info, NULL), 0);
    assert_int_equal(hr_band_finish(band, NULL), 0);
    assert_int_equal(hr_band_to_json(band, s.headrace, NULL), 0);
    hr_band_free(band);
    assert_rc(d->state_hash(&s, hash, &err), 0, &err);
    json_object_set_new(s.headrace, "hash", json_string(hash));
    json_object_set_new(s.headrace, "lineage", json_string("abc"));
    json_object_set_new(s.headrace, "seq", json_integer((json_int_t)seq));
    json_object_set_new(s.headrace, "wrote", json_true());
    assert_rc(d->state_read(hr_slice_str(""), "s", &doc, &err), 0, &err);
    assert_rc(d->state_set(doc, "s3", "events", &s, &err), 0, &err);
    hr_buf_init(out, 0);
    assert_rc(d->state_write(doc, out, &err), 0, &err);
    hr_stream_state_release(&s);
    d->state_free(doc);
}

/* Two commits of two files each; with `open` a third one is on paper only. */
static void make(struct place *p, bool open) {
    struct hr_error err;
    memset(p, 0, sizeof(*p));
    snprintf(p->folder, sizeof(p->folder), "%s", test_tmpdir());
    snprintf(p->state, sizeof(p->state), "%s.json", p->folder);
    assert_rc(hr_settings_init(&p->settings, &err), 0, &err);
    snprintf(p->uri, sizeof(p->uri), "%s/", p->folder);
    assert_rc(hr_settings_set_text(&p->settings, "destination.uri", p->uri, &err), 0, &err);
    assert_rc(hr_settings_finish(&p->settings, &err), 0, &err);
    p->conf = (struct hr_upkeep_conf){
        .state_path = p->state, .dialect = d, .settings = &p->settings, .destination = true};
    struct hr_store *store = open_out(p);
    struct hr_state *state = NULL;
    const struct hr_state_conf conf = {.path = p->state, .dst = store, .destination = store->label};
    assert_rc(hr_state_open(&conf, &state, &err), 0, &err);
    struct hr_commit *commit = NULL;
    const struct hr_commit_conf cc = {
        .store = store, .state = state, .lineage = "abc", .seq = 1, .folder = "t/"};
    assert_rc(hr_commit_begin(&cc, &commit, &err), 0, &err);
    for (uint64_t seq = 1; seq <= 2; seq++) {
        for (int i = 0; i < 2; i++) {
            char name[100];
            char key[120];
            struct hr_output *out = NULL;
            hr_commit_next_name(commit, ".jsonl", name, sizeof(name));
            snprintf(key, sizeof(key), "t/%s", name);
            assert_rc(hr_commit_open_output(commit, key, &out, &err), 0, &err);
            assert_rc(hr_out_write(hr_output_out(out), "{}\n", 3, &err), 0, &err);
            assert_rc(hr_output_finish(out, 1, &err), 0, &err);
        }
        struct hr_buf text;
        next_text(seq, &text);
        const struct hr_publish what = {.next_state = hr_buf_slice(&text)};
        assert_rc(hr_commit_publish(commit, &what, &err), 0, &err);
        hr_buf_release(&text);
    }
    hr_commit_end(commit);
    if (open) {
        struct hr_buf text;
        struct hr_journal j = {.destination = hr_strdup(store->label),
                               .lineage = hr_strdup("abc"),
                               .folder = hr_strdup("t/"),
                               .seq = 3,
                               .n_outputs = 1};
        next_text(3, &text);
        hr_state_hash(hr_state_text(state), j.prior);
        hr_state_hash(hr_buf_slice(&text), j.next);
        j.next_state = hr_strndup((const char *)text.ptr, text.len);
        j.next_state_len = text.len;
        j.outputs = hr_calloc(1, sizeof(*j.outputs));
        j.outputs[0] = (struct hr_journal_output){.key = hr_strdup("t/abc-000003-0000.jsonl"),
                                                  .upload_id = hr_strdup("gone"),
                                                  .token = hr_strdup("abc/3/0"),
                                                  .parts = hr_calloc(1, sizeof(struct hr_part)),
                                                  .bytes = 3};
        assert_rc(hr_state_write_journal(state, &j, &err), 0, &err);
        hr_journal_release(&j);
        hr_buf_release(&text);
    }
    hr_state_close(state);
    hr_store_close(store);
}

static void done(struct place *p) {
    remove(p->state);
    hr_settings_release(&p->settings);
}

/* ---- the jobs, each with one answer ---- */

static int do_verify(const struct place *p, struct hr_error *err) {
    struct hr_verify_report r;
    const int rc = hr_verify(&p->conf, NULL, NULL, &r, err);
    if (rc == 0) {
        assert_int_equal(r.problems, 0);
        assert_int_equal(r.objects, 4);
        assert_int_equal(r.commits, 2);
    }
    return rc;
}

static int do_show(const struct place *p, struct hr_error *err) {
    json_t *out = NULL;
    const int rc = hr_state_show(&p->conf, &out, err);
    assert_true((out != NULL) == (rc == 0));
    json_decref(out);
    return rc;
}

static int do_gc(const struct place *p, struct hr_error *err) {
    struct hr_gc_report r;
    char left[460];
    snprintf(left, sizeof(left), "%s/t/.abc-000009-0000.jsonl.abc-9-0.0123abcd.tmp", p->folder);
    test_write_file(left, "x", 1);
    const int rc = hr_gc(&p->conf, false, NULL, NULL, &r, err);
    if (rc == 0) {
        assert_int_equal(r.removed, 1);
    }
    return rc;
}

static int do_replay(const struct place *p, struct hr_error *err) {
    struct hr_replay_report r;
    const int rc = hr_state_replay(&p->conf, "data/k", &r, err);
    if (rc == 0) {
        assert_true(r.known);
        assert_int_equal(r.marks, 1);
    }
    return rc;
}

static int do_dry(const struct place *p, struct hr_error *err) {
    struct hr_gc_report r;
    const int rc = hr_gc(&p->conf, true, NULL, NULL, &r, err);
    if (rc == 0) {
        assert_int_equal(r.open_seq, 3);
    }
    return rc;
}

static int do_look(const struct place *p, struct hr_error *err) {
    struct hr_resolve_report r;
    const int rc = hr_state_resolve(&p->conf, HR_RESOLVE_LOOK, NULL, NULL, &r, err);
    if (rc == 0) {
        assert_int_equal(r.seq, 3);
        assert_int_equal(r.visible, 0);
    }
    return rc;
}

static void fails_everywhere(int (*job)(const struct place *p, struct hr_error *err), bool open) {
    struct place p;
    struct hr_error err;
    make(&p, open);
    assert_rc(job(&p, &err), 0, &err); /* once in peace: pools are filled */
    int failed = 0;
    bool over = false;
    for (uint64_t nth = 1; !over && nth < 2000; nth++) {
        const int64_t live = hr_mem_live();
        hr_error_clear(&err);
        hr_mem_fail_at(nth, 0);
        const int rc = job(&p, &err);
        hr_mem_fail_at(0, 0);
        assert_int_equal(hr_mem_live(), live);
        assert_true(rc <= 0);
        failed += rc != 0;
        over = rc == 0 && nth > 500; /* far behind the last allocation */
        assert_rc(job(&p, &err), 0, &err);
    }
    assert_true(failed > 10);
    done(&p);
}

static void verify_without_memory(void **state) {
    (void)state;
    fails_everywhere(do_verify, false);
}

static void show_without_memory(void **state) {
    (void)state;
    fails_everywhere(do_show, false);
}

static void gc_without_memory(void **state) {
    (void)state;
    fails_everywhere(do_gc, false);
    fails_everywhere(do_dry, true);
}

static void replay_without_memory(void **state) {
    (void)state;
    fails_everywhere(do_replay, false);
}

static void look_without_memory(void **state) {
    (void)state;
    fails_everywhere(do_look, true);
}

/* An upload that is gone, nothing visible: kept, its object is missing; taken back, nothing is. */
static void resolve_both_ways(void **state) {
    (void)state;
    for (int keep = 0; keep < 2; keep++) {
        struct place p;
        struct hr_error err;
        struct hr_resolve_report r;
        json_t *shown = NULL;
        make(&p, true);
        assert_rc(hr_state_resolve(&p.conf, keep ? HR_RESOLVE_KEEP : HR_RESOLVE_TAKE_BACK, NULL,
                                   NULL, &r, &err),
                  0, &err);
        assert_int_equal(r.done.missing, keep);
        assert_int_equal(r.done.state_saved, keep);
        assert_rc(hr_state_show(&p.conf, &shown, &err), 0, &err);
        const json_t *stream = json_array_get(json_object_get(shown, "streams"), 0);
        assert_int_equal(json_integer_value(json_object_get(stream, "seq")), keep ? 3 : 2);
        assert_null(json_object_get(shown, "open_commit"));
        json_decref(shown);
        assert_rc(hr_state_resolve(&p.conf, HR_RESOLVE_KEEP, NULL, NULL, &r, &err), 0, &err);
        assert_int_equal(r.fit, HR_FIT_NONE);
        done(&p);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verify_without_memory), cmocka_unit_test(show_without_memory),
        cmocka_unit_test(gc_without_memory),     cmocka_unit_test(replay_without_memory),
        cmocka_unit_test(look_without_memory),   cmocka_unit_test(resolve_both_ways)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
