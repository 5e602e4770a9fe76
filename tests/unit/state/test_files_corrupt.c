/* Journal, ledger, manifest and the local state's files, damaged: refused with the file's name and
 * a way out, or read as what they were; never "there is none". */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "state/manifest.h"
#include "state/seal.h"
#include "state/state.h"
#include "support.h"

static const uint8_t flips[] = {0x01, 0x02, 0x10, 0x20, 0x80, 0xff};

static struct hr_store *open_folder(const char *folder) {
    const struct hr_store_conf conf = {.scheme = "file", .bucket = folder};
    struct hr_store *store = NULL;
    struct hr_error err;
    assert_rc(hr_store_open(&conf, &store, &err), 0, &err);
    return store;
}

static struct hr_state *open_state(const char *path, struct hr_store *dst, bool keep,
                                   struct hr_error *err) {
    const struct hr_state_conf conf = {
        .path = path, .dst = dst, .destination = "file:out", .keep_open = keep};
    struct hr_state *state = NULL;
    hr_error_clear(err);
    return hr_state_open(&conf, &state, err) == 0 ? state : NULL;
}

struct keys {
    size_t count;
    bool strange;
};

static int on_key(void *user, const char *key, struct hr_error *err) {
    struct keys *k = user;
    char want[64];
    (void)err;
    snprintf(want, sizeof(want), "a/b/lineage-00000%zu-0000.parquet", k->count++);
    k->strange |= strcmp(want, key) != 0;
    return 0;
}

static void every_byte_of_a_ledger(void **state) {
    (void)state;
    enum { KEYS = 3 };
    char path[600];
    char ledger[620];
    struct hr_error err;
    struct hr_buf text;
    struct hr_store *store = open_folder(test_tmpdir());
    snprintf(path, sizeof(path), "%s/ledger.json", test_tmpdir());
    snprintf(ledger, sizeof(ledger), "%s.ledger", path);
    struct hr_state *s = open_state(path, store, true, &err);
    assert_non_null(s);
    for (size_t i = 0; i < KEYS; i++) {
        char key[64];
        snprintf(key, sizeof(key), "a/b/lineage-00000%zu-0000.parquet", i);
        assert_rc(hr_state_intent(s, (const char *const[]){key}, 1, &err), 0, &err);
    }
    hr_state_close(s);
    test_read_file(ledger, &text);
    int refused = 0;
    for (size_t i = 0; i < text.len; i++) {
        for (size_t k = 0; k <= sizeof(flips); k++) { /* the last: cut here */
            const bool cut = k == sizeof(flips);
            text.ptr[i] ^= cut ? 0 : flips[k];
            test_write_file(ledger, text.ptr, cut ? i : text.len);
            text.ptr[i] ^= cut ? 0 : flips[k];
            s = open_state(path, store, true, &err);
            assert_non_null(s);
            struct keys keys = {0};
            const int rc = hr_state_each_intent(s, on_key, &keys, &err);
            assert_false(keys.strange);
            if (rc != 0) {
                assert_int_equal(rc, HR_E_STATE);
                assert_non_null(strstr(err.message, ledger));
                assert_true(err.hint[0] != '\0');
                refused++;
            } else if (!cut) {
                assert_int_equal(keys.count, KEYS); /* only the end of the last line */
            }
            hr_state_close(s);
        }
    }
    assert_true(refused >= (int)(sizeof(flips) * (text.len - 1)));
    /* Power loss leaves a tail that was never synced: nothing was created for it. */
    static const char tails[][12] = {"", "6c", "\0\0\0\0\0\0\0\0\0\0\0"};
    for (size_t i = 0; i < 3; i++) {
        struct hr_buf torn;
        hr_buf_init(&torn, 0);
        assert_int_equal(hr_buf_append(&torn, text.ptr, text.len, NULL), 0);
        assert_int_equal(hr_buf_append(&torn, tails[i], i == 2 ? 11 : strlen(tails[i]), NULL), 0);
        test_write_file(ledger, torn.ptr, torn.len);
        s = open_state(path, store, true, &err);
        struct keys keys = {0};
        assert_rc(hr_state_each_intent(s, on_key, &keys, &err), 0, &err);
        assert_int_equal(keys.count, KEYS);
        hr_state_close(s);
        hr_buf_release(&torn);
    }
    hr_buf_release(&text);
    hr_store_close(store);
}

static void a_ledger_of_another_destination(void **state) {
    (void)state;
    char path[600];
    struct hr_error err;
    struct hr_store *store = open_folder(test_tmpdir());
    snprintf(path, sizeof(path), "%s/other.json", test_tmpdir());
    struct hr_state *s = open_state(path, store, true, &err);
    assert_rc(hr_state_intent(s, (const char *const[]){"k"}, 1, &err), 0, &err);
    hr_state_close(s);
    const struct hr_state_conf conf = {.path = path, .dst = store, .destination = "file:elsewhere"};
    assert_int_equal(hr_state_open(&conf, &s, &err), HR_E_STATE);
    assert_non_null(strstr(err.message, "other.json.ledger"));
    assert_true(err.hint[0] != '\0');
    hr_store_close(store);
}

static void a_journal_of_another_version_or_place(void **state) {
    (void)state;
    char path[600];
    char file[620];
    struct hr_error err;
    struct hr_buf bytes;
    struct hr_store *store = open_folder(test_tmpdir());
    struct hr_journal j = {.destination = hr_strdup("file:elsewhere"),
                           .lineage = hr_strdup("abc"),
                           .next_state = hr_strdup("{}"),
                           .next_state_len = 2,
                           .seq = 1};
    memset(j.prior, 'a', 32);
    memset(j.next, 'b', 32);
    hr_buf_init(&bytes, 0);
    assert_int_equal(hr_journal_write(&j, &bytes, NULL), 0);
    snprintf(path, sizeof(path), "%s/version.json", test_tmpdir());
    snprintf(file, sizeof(file), "%s.journal", path);
    test_write_file(file, bytes.ptr, bytes.len);
    assert_null(open_state(path, store, false, &err));
    assert_int_equal(err.code, HR_E_STATE);
    assert_non_null(strstr(err.message, "version.json.journal"));
    assert_non_null(strstr(err.message, "file:elsewhere"));
    bytes.ptr[3] = '2'; /* HRJ2 */
    test_write_file(file, bytes.ptr, bytes.len);
    assert_null(open_state(path, store, false, &err));
    assert_int_equal(err.code, HR_E_STATE);
    assert_non_null(strstr(err.message, "version.json.journal"));
    assert_true(err.hint[0] != '\0');
    hr_journal_release(&j);
    hr_buf_release(&bytes);
    hr_store_close(store);
}

/* Missing is a new pipeline, also blank before the first commit; blank after it is damage. */
static void a_state_cut_to_nothing(void **state) {
    (void)state;
    static const char *const blanks[] = {"", " ", "\n\t\r "};
    char path[600];
    struct hr_error err;
    struct hr_store *store = open_folder(test_tmpdir());
    snprintf(path, sizeof(path), "%s/blank.json", test_tmpdir());
    test_write_file(path, "", 0);
    struct hr_state *s = open_state(path, store, false, &err);
    assert_non_null(s);
    assert_rc(hr_state_save(s, hr_slice_str("{\"streams\":[]}"), &err), 0, &err);
    hr_state_close(s);
    for (size_t i = 0; i < 3; i++) {
        test_write_file(path, blanks[i], strlen(blanks[i]));
        assert_null(open_state(path, store, false, &err));
        assert_int_equal(err.code, HR_E_STATE);
        assert_non_null(strstr(err.message, "blank.json"));
        assert_true(err.hint[0] != '\0');
    }
    remove(path); /* on purpose */
    s = open_state(path, store, false, &err);
    assert_non_null(s);
    hr_state_close(s);
    hr_store_close(store);
}

static json_t *sample_manifest(void) {
    json_t *m = json_pack("{s:i,s:s,s:i,s:[{s:s,s:i,s:i,s:s}]}", "v", 2, "lineage", "abc", "seq", 3,
                          "outputs", "key", "t/abc-000003-0000.parquet", "bytes", 100, "rows", 7,
                          "crc64", "0123456789abcdef");
    assert_int_equal(hr_seal(m, NULL), 0);
    return m;
}

static void every_byte_of_a_manifest(void **state) {
    (void)state;
    json_t *m = sample_manifest();
    char *text = json_dumps(m, JSON_COMPACT);
    const size_t len = strlen(text);
    char key[] = "t/_headrace/abc/manifest.json";
    char folder[400];
    char path[600];
    struct hr_error err;
    snprintf(folder, sizeof(folder), "%s", test_tmpdir());
    struct hr_store *store = open_folder(folder);
    struct hr_put_opts put = {.cond = HR_PUT_ANY};
    char etag[80];
    json_t *out = NULL;
    assert_rc(hr_manifest_check(m, key, &err), 0, &err);
    for (size_t i = 0; i < len; i++) {
        for (size_t k = 0; k < sizeof(flips); k++) {
            text[i] = (char)(text[i] ^ (char)flips[k]);
            json_t *changed = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
            hr_error_clear(&err);
            assert_int_equal(hr_manifest_check(changed, key, &err), HR_E_STATE);
            assert_non_null(strstr(err.message, key));
            assert_true(err.hint[0] != '\0');
            json_decref(changed);
            text[i] = (char)(text[i] ^ (char)flips[k]);
        }
        json_t *cut = json_loadb(text, i, JSON_REJECT_DUPLICATES, NULL);
        assert_int_equal(hr_manifest_check(cut, key, &err), HR_E_STATE);
        json_decref(cut);
    }
    /* Through a store, whole and cut. */
    assert_rc(store->driver->put(store, key, hr_slice_of(text, len), &put, etag, &err), 0, &err);
    assert_rc(hr_manifest_load(store, "t/", "abc", &out, &err), 0, &err);
    assert_int_equal(json_integer_value(json_object_get(out, "seq")), 3);
    json_decref(out);
    snprintf(path, sizeof(path), "%s/%s", folder, key);
    test_write_file(path, text, len / 2);
    assert_int_equal(hr_manifest_load(store, "t/", "abc", &out, &err), HR_E_STATE);
    assert_null(out);
    bool own = false;
    bool others = true;
    assert_int_equal(hr_manifest_look(store, "t/", "abc", &own, &others, &err), 0);
    assert_true(own && !others);
    assert_int_equal(hr_manifest_look(store, "u/", "abc", &own, &others, &err), 0);
    assert_true(!own && !others); /* nothing is there at all */
    test_write_file(path, text, len);
    assert_int_equal(hr_manifest_look(store, "t/", "other", &own, &others, &err), 0);
    assert_true(!own && others);
    free(text);
    json_decref(m);
    hr_store_close(store);
}

static void a_seal_holds_what_it_covers(void **state) {
    (void)state;
    json_t *m = sample_manifest();
    assert_int_equal(hr_seal_check(m, NULL), 0);
    json_object_set_new(m, "rows", json_integer(1));
    assert_int_equal(hr_seal_check(m, NULL), HR_E_STATE);
    assert_int_equal(hr_seal(m, NULL), 0); /* renewed */
    assert_int_equal(hr_seal_check(m, NULL), 0);
    char *text = json_dumps(m, JSON_INDENT(2));
    assert_int_equal(hr_seal_count(hr_slice_str(text)), 1);
    assert_int_equal(hr_seal_count(hr_slice_str("\"headrace2-\"")), 0);
    /* One cut short, and a quote where its own would have been. */
    assert_int_equal(hr_seal_count(hr_slice_str(
                         "[{\"seal\":\"headrace2-e9fa2ee401cbb8343485fc5dff\"}],\"streams\":[]}")),
                     0);
    assert_int_equal(hr_seal_count(hr_slice_str("")), 0);
    free(text);
    for (uint64_t nth = 1; nth < 6; nth++) {
        const int64_t live = hr_mem_live();
        struct hr_error err;
        hr_mem_fail_at(nth, 0);
        const int rc = hr_seal_check(m, &err);
        hr_mem_fail_at(0, 0);
        assert_true(rc == 0 || rc == HR_E_NOMEM);
        assert_int_equal(hr_mem_live(), live);
    }
    json_decref(m);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_byte_of_a_ledger),
                                       cmocka_unit_test(a_ledger_of_another_destination),
                                       cmocka_unit_test(a_journal_of_another_version_or_place),
                                       cmocka_unit_test(a_state_cut_to_nothing),
                                       cmocka_unit_test(every_byte_of_a_manifest),
                                       cmocka_unit_test(a_seal_holds_what_it_covers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
