/* The journal's bytes: there and back, damaged at every byte, cut at every byte, failing memory. */
#include "support.h"

#include <string.h>

#include "state/journal.h"

static struct hr_journal sample(void) {
    struct hr_journal j = {.destination = hr_strdup("s3://bucket"),
                           .lineage = hr_strdup("abc"),
                           .folder = hr_strdup("a/b/"),
                           .seq = 7,
                           .replace = false,
                           .n_outputs = 2,
                           .n_removals = 1,
                           .manifest = hr_strdup("{\"v\":1}"),
                           .next_state = hr_strdup("{\"type\":\"STREAM\"}"),
                           .next_state_len = 17};
    memset(j.prior, 'a', 32);
    memset(j.next, 'b', 32);
    j.outputs = hr_calloc(2, sizeof(*j.outputs));
    for (int i = 0; i < 2; i++) {
        struct hr_journal_output *o = &j.outputs[i];
        o->key = hr_strdup(i ? "a/b/\xff\xfe.parquet" : "a/b/plain.parquet"); /* keys are bytes */
        o->upload_id = hr_strdup("upload");
        o->token = hr_strdup("abc/7/0");
        o->n_parts = 1;
        o->parts = hr_calloc(1, sizeof(*o->parts));
        o->parts[0].number = 1;
        o->parts[0].size = 12345678901;
        memcpy(o->parts[0].etag, "etag crc", 9);
        o->rows = 5;
        o->bytes = 12345678901;
    }
    j.removals = hr_calloc(1, sizeof(*j.removals));
    j.removals[0].key = hr_strdup("a/b/old.parquet");
    j.removals[0].bytes = -1;
    return j;
}

static void there_and_back(void **state) {
    (void)state;
    struct hr_journal j = sample();
    struct hr_journal k;
    struct hr_buf bytes;
    struct hr_error err;
    hr_buf_init(&bytes, 0);
    assert_rc(hr_journal_write(&j, &bytes, &err), 0, &err);
    assert_rc(hr_journal_read(hr_buf_slice(&bytes), "x.journal", &k, &err), 0, &err);
    assert_string_equal(k.destination, "s3://bucket");
    assert_string_equal(k.folder, "a/b/");
    assert_int_equal(k.seq, 7);
    assert_int_equal(k.n_outputs, 2);
    assert_string_equal(k.outputs[1].key, "a/b/\xff\xfe.parquet");
    assert_string_equal(k.outputs[0].parts[0].etag, "etag crc");
    assert_int_equal(k.outputs[0].parts[0].size, 12345678901);
    assert_int_equal(k.removals[0].bytes, -1);
    assert_string_equal(k.manifest, "{\"v\":1}");
    assert_null(k.archive);
    assert_string_equal(k.next_state, "{\"type\":\"STREAM\"}");
    hr_journal_release(&k);
    hr_journal_release(&j);
    hr_buf_release(&bytes);
}

static void damage_is_never_taken_for_none(void **state) {
    (void)state;
    struct hr_journal j = sample();
    struct hr_journal k;
    struct hr_buf bytes;
    struct hr_error err;
    hr_buf_init(&bytes, 0);
    assert_int_equal(hr_journal_write(&j, &bytes, &err), 0);
    for (size_t i = 0; i < bytes.len; i++) {
        bytes.ptr[i] ^= 0x04;
        assert_int_equal(hr_journal_read(hr_buf_slice(&bytes), "x.journal", &k, &err), HR_E_STATE);
        assert_non_null(strstr(err.message, "x.journal"));
        assert_true(err.hint[0] != '\0');
        bytes.ptr[i] ^= 0x04;
        const struct hr_slice cut = {bytes.ptr, i};
        assert_int_equal(hr_journal_read(cut, "x.journal", &k, &err), HR_E_STATE);
    }
    hr_journal_release(&j);
    hr_buf_release(&bytes);
}

static void memory_fails(void **state) {
    (void)state;
    struct hr_journal j = sample();
    struct hr_buf bytes;
    hr_buf_init(&bytes, 0);
    assert_int_equal(hr_journal_write(&j, &bytes, NULL), 0);
    const int64_t live = hr_mem_live();
    int failed = 0;
    for (uint64_t nth = 1; nth < 40; nth++) {
        struct hr_journal k;
        struct hr_buf text;
        hr_buf_init(&text, 0);
        hr_mem_fail_at(nth, 0);
        const int wrote = hr_journal_write(&j, &text, NULL);
        hr_mem_fail_at(0, 0);
        assert_true(wrote == 0 ? hr_slice_eq(hr_buf_slice(&text), hr_buf_slice(&bytes))
                               : wrote < 0);
        hr_buf_release(&text);
        hr_mem_fail_at(nth, 0);
        const int rc = hr_journal_read(hr_buf_slice(&bytes), "x", &k, NULL);
        hr_mem_fail_at(0, 0);
        failed += rc != 0;
        if (rc == 0) {
            hr_journal_release(&k);
        }
        assert_int_equal(hr_mem_live(), live);
    }
    assert_true(failed > 10);
    hr_journal_release(&j);
    hr_buf_release(&bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(there_and_back),
                                       cmocka_unit_test(damage_is_never_taken_for_none),
                                       cmocka_unit_test(memory_fails)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
