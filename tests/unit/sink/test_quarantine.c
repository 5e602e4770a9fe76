/* The quarantine in a commit: lines of JSON, one file a cut, nothing left when memory runs out. */
#include "support.h"

#include <stdio.h>

#include "sink/sink.h"

static const struct hr_rejected records[] = {
    {.key = "a.csv",
     .byte_offset = 12,
     .line = 3,
     .reason = "short \"row\"",
     .raw = {(const uint8_t *)"2", 1}},
    {.key = "b\xc3\xa9.csv",
     .byte_offset = -1,
     .line = -1,
     .reason = "r",
     .raw = {(const uint8_t *)"\xff\x00z\n", 4}},
    {.key = "c",
     .byte_offset = 0,
     .line = 1,
     .reason = "r",
     .raw = {(const uint8_t *)"a\xc3", 2},
     .cut = true},
};

/* A bucket of its own: what an interrupted publish left in another one is not its business. */
static struct hr_store *open_store(int number) {
    char bucket[32];
    snprintf(bucket, sizeof(bucket), "quarantine%d", number);
    const struct hr_store_conf conf = {.scheme = "mem", .bucket = bucket};
    struct hr_error err;
    struct hr_store *store = NULL;
    assert_rc(hr_store_open(&conf, &store, &err), 0, &err);
    return store;
}

static int run(struct hr_store *store, struct hr_error *err) {
    const struct hr_commit_conf conf = {.store = store, .lineage = "l", .seq = 1};
    struct hr_commit *commit = NULL;
    struct hr_quarantine *q = NULL;
    int rc = hr_commit_begin(&conf, &commit, err);
    if (rc == 0) {
        rc = hr_quarantine_open(commit, "t/", &q, err);
    }
    for (size_t i = 0; rc == 0 && i < HR_COUNTOF(records); i++) {
        rc = hr_quarantine_add(q, &records[i], err);
        if (rc == 0 && i == 1) {
            rc = hr_quarantine_finish(q, err);
        }
    }
    if (rc == 0) {
        rc = hr_quarantine_finish(q, err);
    }
    if (rc == 0) {
        rc = hr_quarantine_finish(q, err); /* nothing open: nothing to do */
    }
    if (rc == 0) {
        rc = hr_commit_publish(commit, &(struct hr_publish){0}, err);
    }
    hr_quarantine_close(q);
    hr_commit_end(commit);
    return rc;
}

static void assert_object(struct hr_store *store, const char *key, const char *text) {
    struct hr_error err;
    struct hr_buf buf;
    struct hr_object_info info;
    hr_buf_init(&buf, 0);
    assert_rc(store->driver->stat(store, key, &info, NULL, &err), 0, &err);
    assert_rc(hr_store_get(store, key, 0, info.size, NULL, &buf, NULL, &err), 0, &err);
    assert_string_equal(hr_buf_cstr(&buf), text);
    hr_buf_release(&buf);
}

static void test_lines(void **state) {
    (void)state;
    struct hr_error err;
    struct hr_store *store = open_store(0);
    assert_rc(run(store, &err), 0, &err);
    assert_object(store, "t/_quarantine/l-000001-0000.jsonl",
                  "{\"file\":\"a.csv\",\"line\":3,\"byte_offset\":12,\"reason\":\"short "
                  "\\\"row\\\"\",\"record\":\"2\"}\n"
                  "{\"file\":\"b\xc3\xa9.csv\",\"reason\":\"r\",\"record_base64\":\"/wB6Cg==\"}\n");
    assert_object(store, "t/_quarantine/l-000001-0001.jsonl",
                  "{\"file\":\"c\",\"line\":1,\"byte_offset\":0,\"reason\":\"r\",\"record\":\"a\","
                  "\"truncated\":true}\n");
    hr_store_close(store);
}

static void test_no_memory(void **state) {
    (void)state;
    bool finished = false;
    for (uint64_t nth = 1; !finished && nth < 500; nth++) {
        struct hr_error err;
        struct hr_store *store = open_store((int)nth);
        hr_mem_fail_at(nth, 0);
        const int rc = run(store, &err);
        finished = hr_mem_count() < nth;
        hr_mem_fail_at(0, 0);
        assert_true(finished ? rc == 0 : rc == HR_E_NOMEM);
        hr_store_close(store); /* its bucket lives on; leaks are the sanitizer's to find */
    }
    assert_true(finished);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
