/* Publishing a journal: every request denied or unanswered in turn, then finished by another run;
 * the newer manifest that stays; the run that was replaced. */
#include "support.h"

#include <stdio.h>
#include <string.h>

#include "state/state.h"
#include "store/mem/mem_store.h"

#define OUTPUTS 2

static struct { int at, calls, code; } nth;

static int fail_nth(void *user, enum hr_mem_op op, const char *key, struct hr_error *err) {
    (void)user;
    (void)op;
    return ++nth.calls == nth.at ? hr_fail(err, nth.code, "could not use '%s': injected", key) : 0;
}

static struct hr_store *open_mem(void) {
    struct hr_store *store;
    const struct hr_store_conf conf = {.scheme = "mem", .bucket = "publish"};
    struct hr_error err;
    hr_mem_store_drop("publish");
    assert_rc(hr_store_open(&conf, &store, &err), 0, &err);
    return store;
}

static void close_mem(struct hr_store *store) {
    hr_store_close(store);
    hr_mem_store_drop("publish");
}

static void put(struct hr_store *store, const char *key, const char *text) {
    char etag[80];
    const struct hr_put_opts any = {.cond = HR_PUT_ANY};
    assert_int_equal(store->driver->put(store, key, hr_slice_str(text), &any, etag, NULL), 0);
}

/* One staged output of `j`: five bytes in an upload that is not completed. */
static void stage(struct hr_store *store, struct hr_journal_output *o, int index, uint64_t seq) {
    char text[64];
    struct hr_error err;
    snprintf(text, sizeof(text), "t/abc-%06llu-%04d.csv", (unsigned long long)seq, index);
    o->key = hr_strdup(text);
    snprintf(text, sizeof(text), "abc/%llu/%d/0011", (unsigned long long)seq, index);
    o->token = hr_strdup(text);
    const struct hr_meta meta = {"headrace-commit", o->token};
    const struct hr_put_opts opts = {.meta = &meta, .n_meta = 1};
    assert_rc(store->driver->mp_create(store, o->key, &opts, &o->upload_id, &err), 0, &err);
    uint8_t bytes[] = "id\n1\n";
    struct hr_store_req req = {.kind = HR_REQ_PART,
                               .key = o->key,
                               .upload_id = o->upload_id,
                               .part_number = 1,
                               .buf = bytes,
                               .len = 5};
    assert_rc(hr_store_run(store, &req), 0, &req.err);
    o->parts = hr_calloc(1, sizeof(*o->parts));
    o->n_parts = 1;
    o->parts[0].number = 1;
    o->parts[0].size = 5;
    memcpy(o->parts[0].etag, req.info.etag, sizeof(req.info.etag));
    o->bytes = 5;
    o->rows = 1;
}

static struct hr_journal staged(struct hr_store *store, uint64_t seq) {
    char text[128];
    struct hr_journal j = {.destination = hr_strdup("mem:publish"),
                           .lineage = hr_strdup("abc"),
                           .folder = hr_strdup("t/"),
                           .seq = seq,
                           .n_outputs = OUTPUTS,
                           .n_removals = 1,
                           .archive = hr_strdup("{\"archive\":1}")};
    snprintf(text, sizeof(text), "{\"v\":2,\"seq\":%llu}", (unsigned long long)seq);
    j.manifest = hr_strdup(text);
    j.outputs = hr_calloc(OUTPUTS, sizeof(*j.outputs));
    for (int i = 0; i < OUTPUTS; i++) {
        stage(store, &j.outputs[i], i, seq);
    }
    j.removals = hr_calloc(1, sizeof(*j.removals));
    j.removals[0].key = hr_strdup("t/old.csv");
    j.removals[0].bytes = 3;
    put(store, "t/old.csv", "old");
    return j;
}

static bool there(struct hr_store *store, const char *key) {
    struct hr_object_info info;
    return hr_store_mem.stat(store, key, &info, NULL, NULL) == 0;
}

static bool reads(struct hr_store *store, const char *key, const char *want) {
    struct hr_buf text;
    struct hr_error err;
    hr_buf_init(&text, 0);
    assert_rc(hr_store_get(store, key, 0, -1, NULL, &text, NULL, &err), 0, &err);
    const bool same = strcmp(hr_buf_cstr(&text), want) == 0;
    hr_buf_release(&text);
    return same;
}

static void check_published(struct hr_store *store, const struct hr_journal *j) {
    for (size_t i = 0; i < j->n_outputs; i++) {
        assert_true(hr_journal_stands(&j->outputs[i], store));
        assert_true(reads(store, j->outputs[i].key, "id\n1\n"));
    }
    assert_true(reads(store, "t/_headrace/abc/manifest.json", j->manifest));
    assert_true(there(store, "t/_headrace/abc/commit-000003.json"));
    assert_false(there(store, "t/old.csv"));
}

/* Whatever request fails and however, the next run finishes; nothing was shown that is not whole.
 */
static void every_request_fails_once(void **state) {
    (void)state;
    static const int codes[] = {HR_E_NETWORK, HR_E_FORBIDDEN, HR_E_NOSPACE, HR_E_STORE};
    for (size_t c = 0; c < sizeof(codes) / sizeof(codes[0]); c++) {
        for (nth.at = 1;; nth.at++) {
            struct hr_store *store = open_mem();
            struct hr_journal j = staged(store, 3);
            struct hr_error err;
            size_t published;
            bool lost;
            nth.calls = 0;
            nth.code = codes[c];
            hr_mem_store_fault(store, fail_nth, NULL);
            const int rc = hr_journal_publish(&j, store, NULL, &published, &lost, &err);
            hr_mem_store_fault(store, NULL, NULL);
            assert_false(lost);
            assert_true(rc <= 0);
            if (rc != 0) {
                j.resumed = true;
                assert_rc(hr_journal_publish(&j, store, NULL, &published, &lost, &err), 0, &err);
                assert_false(lost);
            }
            check_published(store, &j);
            hr_journal_release(&j);
            close_mem(store);
            if (nth.calls < nth.at) {
                assert_int_equal(nth.at, 8); /* 2 completes, 3 for records, 2 for the removal */
                assert_int_equal(rc, 0);
                break;
            }
        }
    }
}

static void every_allocation_fails(void **state) {
    (void)state;
    struct hr_store *store = open_mem();
    int failed = 0;
    for (uint64_t at = 1; at < 60; at++) {
        struct hr_journal j = staged(store, 3 + at);
        size_t published;
        bool lost;
        hr_mem_fail_at(at, 0);
        const int rc = hr_journal_publish(&j, store, NULL, &published, &lost, NULL);
        hr_mem_fail_at(0, 0);
        failed += rc != 0;
        if (rc != 0 && !lost) {
            j.resumed = true;
            assert_int_equal(hr_journal_publish(&j, store, NULL, &published, &lost, NULL), 0);
        }
        for (size_t i = 0; i < OUTPUTS; i++) {
            assert_int_equal(hr_journal_stands(&j.outputs[i], store), !lost);
        }
        hr_journal_release(&j);
    }
    assert_true(failed > 5);
    close_mem(store);
}

static void a_newer_manifest_stays(void **state) {
    (void)state;
    struct hr_store *store = open_mem();
    struct hr_journal j = staged(store, 3);
    struct hr_error err;
    size_t published;
    bool lost;
    static const char key[] = "t/_headrace/abc/manifest.json";
    put(store, key, "{\"v\":2,\"seq\":4}");
    assert_rc(hr_journal_publish(&j, store, NULL, &published, &lost, &err), 0, &err);
    assert_true(reads(store, key, "{\"v\":2,\"seq\":4}"));
    put(store, key, "{\"v\":2,\"seq\":2}");
    assert_rc(hr_journal_publish(&j, store, NULL, &published, &lost, &err), 0, &err);
    assert_true(reads(store, key, "{\"v\":2,\"seq\":3}"));
    put(store, key, "not a manifest");
    assert_rc(hr_journal_publish(&j, store, NULL, &published, &lost, &err), 0, &err);
    assert_true(reads(store, key, "{\"v\":2,\"seq\":3}"));
    hr_journal_release(&j);
    close_mem(store);
}

/* Between reading the manifest and replacing it another run replaces it, once or for ever. */
static int replaced;
static int replace_manifest(void *user, enum hr_mem_op op, const char *key, struct hr_error *err) {
    struct hr_store *store = user;
    (void)err;
    if (op == HR_MEM_PUT && strstr(key, "manifest.json") != NULL && replaced < nth.at) {
        char text[64];
        snprintf(text, sizeof(text), "{\"v\":2,\"seq\":%d}", nth.code + replaced++);
        hr_mem_store_fault(store, NULL, NULL);
        put(store, key, text);
        hr_mem_store_fault(store, replace_manifest, store);
    }
    return 0;
}

static void a_manifest_replaced_meanwhile(void **state) {
    (void)state;
    static const char key[] = "t/_headrace/abc/manifest.json";
    static const struct {
        int times, seq, rc;
        const char *left;
    } cases[] = {{1, 2, 0, "{\"v\":2,\"seq\":3}"}, /* an older one: ours replaces it */
                 {1, 4, 0, "{\"v\":2,\"seq\":4}"}, /* a newer one stays */
                 {100, -100, HR_E_CHANGED, NULL}}; /* for ever: the next run tries again */
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hr_store *store = open_mem();
        struct hr_journal j = staged(store, 3);
        struct hr_error err;
        size_t published;
        bool lost;
        put(store, key, "{\"v\":2,\"seq\":1}");
        replaced = 0;
        nth.at = cases[i].times;
        nth.code = cases[i].seq;
        hr_mem_store_fault(store, replace_manifest, store);
        assert_rc(hr_journal_publish(&j, store, NULL, &published, &lost, &err), cases[i].rc, &err);
        hr_mem_store_fault(store, NULL, NULL);
        assert_true(cases[i].left == NULL || reads(store, key, cases[i].left));
        hr_journal_release(&j);
        close_mem(store);
    }
}

/* The same name by another run: its token is not ours, so it is neither taken for published nor
 * removed when the rest is taken back. */
static void what_another_run_published(void **state) {
    (void)state;
    struct hr_store *store = open_mem();
    struct hr_journal j = staged(store, 3);
    struct hr_error err;
    size_t published;
    bool lost;
    char etag[80];
    const struct hr_meta meta = {"headrace-commit", "abc/3/1/ffff"};
    const struct hr_put_opts theirs = {.cond = HR_PUT_NEW, .meta = &meta, .n_meta = 1};
    assert_int_equal(
        store->driver->put(store, j.outputs[1].key, hr_slice_str("id\n2\n"), &theirs, etag, NULL),
        0);
    assert_int_equal(hr_journal_publish(&j, store, NULL, &published, &lost, &err), HR_E_EXISTS);
    assert_true(lost);
    assert_false(there(store, j.outputs[0].key)); /* taken back */
    assert_true(reads(store, j.outputs[1].key, "id\n2\n"));
    assert_true(there(store, "t/old.csv"));
    hr_journal_release(&j);
    close_mem(store);
}

/* Taken over by another run: not one request more to the destination. */
static void a_run_that_was_replaced(void **state) {
    (void)state;
    struct hr_store *store = open_mem();
    struct hr_journal j = staged(store, 3);
    struct hr_error err;
    struct hr_state *first;
    size_t published;
    bool lost;
    const struct hr_state_conf conf = {.path = "mem:publish/state.json", .destination = ""};
    assert_rc(hr_state_open(&conf, &first, &err), 0, &err);
    assert_int_equal(store->driver->remove(store, "state.json.control", NULL), 0);
    assert_int_equal(hr_state_intent(first, (const char *const[]){"t/x"}, 1, &err), HR_E_LOCKED);
    assert_int_equal(hr_state_hold(first, &err), HR_E_LOCKED);
    nth.calls = nth.at = 0;
    hr_mem_store_fault(store, fail_nth, NULL);
    assert_int_equal(hr_journal_publish(&j, store, first, &published, &lost, &err), HR_E_LOCKED);
    hr_mem_store_fault(store, NULL, NULL);
    assert_int_equal(nth.calls, 0);
    assert_false(lost);
    hr_state_close(first);
    hr_journal_release(&j);
    close_mem(store);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_request_fails_once),
                                       cmocka_unit_test(every_allocation_fails),
                                       cmocka_unit_test(a_newer_manifest_stays),
                                       cmocka_unit_test(a_manifest_replaced_meanwhile),
                                       cmocka_unit_test(what_another_run_published),
                                       cmocka_unit_test(a_run_that_was_replaced)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
