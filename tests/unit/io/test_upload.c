/* tests/unit/io/test_upload.c - what is written comes out as one object, in parts of equal size,
 * whatever the sizes of the writes; failures show, buffers come back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/io.h"
#include "store/mem/mem_store.h"
#include "support.h"

enum kind { INLINE, DELAYED, FOLDER };

static struct hr_store *open_kind(enum kind kind) {
    struct hr_store_conf conf = {.scheme = "mem", .bucket = "up"};
    struct hr_store *store;
    struct hr_error err;
    if (kind == FOLDER) {
        conf = (struct hr_store_conf){.scheme = "file", .bucket = test_tmpdir()};
    }
    assert_rc(hr_store_open(&conf, &store, &err), 0, &err);
    if (kind == DELAYED) {
        assert_int_equal(hr_mem_store_delay(store, 50), 0);
    }
    return store;
}

/* Writes `size` bytes in pieces of up to `piece`, completes, reads back and compares. */
static void round_trip(struct hr_store *store, size_t size, size_t piece, size_t part_size,
                       uint64_t seed) {
    uint8_t *data = malloc(size + 1);
    struct hr_error err;
    struct hr_upload_out *up;
    const struct hr_part *parts;
    size_t n_parts;
    int64_t bytes;
    char *id = NULL;
    struct hr_buf back;
    struct hr_budget *budget = hr_budget_new(3 * part_size);
    for (size_t i = 0; i < size; i++) {
        data[i] = (uint8_t)test_rand(&seed);
    }
    assert_rc(store->driver->mp_create(store, "o", NULL, &id, &err), 0, &err);
    assert_rc(hr_upload_open(store, budget, "o", id, part_size, 2, &up, &err), 0, &err);
    struct hr_out *out = hr_upload_as_out(up);
    for (size_t at = 0; at < size;) {
        size_t n = 1 + test_rand(&seed) % piece;
        n = n < size - at ? n : size - at;
        assert_rc(hr_out_write(out, data + at, n, &err), 0, &err);
        at += n;
    }
    assert_int_equal(out->written, size);
    assert_rc(hr_upload_finish(up, &parts, &n_parts, &bytes, &err), 0, &err);
    assert_int_equal(bytes, size);
    assert_true(n_parts >= 1);
    int64_t sum = 0;
    for (size_t i = 0; i < n_parts; i++) {
        assert_int_equal(parts[i].number, i + 1);
        assert_true(parts[i].etag[0] != '\0');
        if ((store->caps & HR_CAP_LOCAL) == 0 && i + 1 < n_parts) {
            assert_int_equal(parts[i].size, part_size);
        }
        sum += parts[i].size;
    }
    assert_int_equal(sum, size);
    assert_rc(store->driver->mp_complete(store, "o", id, parts, n_parts, NULL, NULL, &err), 0,
              &err);
    hr_upload_close(up);
    hr_buf_init(&back, 0);
    assert_rc(hr_store_get(store, "o", 0, -1, NULL, &back, NULL, &err), 0, &err);
    assert_int_equal(back.len, size);
    if (size > 0) {
        assert_memory_equal(back.ptr, data, size);
    }
    assert_int_equal(hr_budget_used(budget), 0);
    assert_true(hr_budget_peak(budget) <= 3 * part_size);
    hr_budget_free(budget);
    hr_buf_release(&back);
    hr_free(id);
    free(data);
}

static void test_round_trips(void **state) {
    (void)state;
    for (enum kind kind = INLINE; kind <= FOLDER; kind++) {
        struct hr_store *store = open_kind(kind);
        static const size_t sizes[] = {0, 1, 999, 1000, 1001, 2000, 5555, 20000};
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
            round_trip(store, sizes[i], 1 + 37 * i * i, 1000, i);
            round_trip(store, sizes[i], 5000, 1000, i + 100);
        }
        hr_store_close(store);
        hr_mem_store_drop("up");
    }
}

static int fail_part(void *user, enum hr_mem_op op, const char *key, struct hr_error *err) {
    int *left = user;
    if (op == HR_MEM_PART && (*left)-- == 0) {
        return hr_fail(err, HR_E_NETWORK, "could not write '%s': cable pulled", key);
    }
    return 0;
}

static void test_failed_part(void **state) {
    (void)state;
    for (enum kind kind = INLINE; kind <= DELAYED; kind++) {
        for (int nth = 0; nth < 6; nth++) {
            struct hr_store *store = open_kind(kind);
            struct hr_error err;
            struct hr_upload_out *up;
            const struct hr_part *parts;
            size_t n_parts;
            int64_t bytes;
            char *id = NULL;
            char block[700] = "x";
            int left = nth;
            struct hr_budget *budget = hr_budget_new(2000);
            hr_mem_store_fault(store, fail_part, &left);
            assert_rc(store->driver->mp_create(store, "o", NULL, &id, &err), 0, &err);
            assert_rc(hr_upload_open(store, budget, "o", id, 1000, 3, &up, &err), 0, &err);
            int rc = 0;
            for (int i = 0; i < 8 && rc == 0; i++) {
                rc = hr_out_write(hr_upload_as_out(up), block, sizeof(block), &err);
            }
            if (rc == 0) {
                rc = hr_upload_finish(up, &parts, &n_parts, &bytes, &err);
            }
            assert_rc(rc, HR_E_NETWORK, &err);
            assert_non_null(strstr(err.message, "cable pulled"));
            hr_upload_close(up);
            assert_int_equal(hr_budget_used(budget), 0);
            hr_budget_free(budget);
            hr_free(id);
            hr_store_close(store);
            hr_mem_store_drop("up");
        }
    }
}

static void test_no_memory(void **state) {
    (void)state;
    for (int k = 0; k < 2; k++) {
        struct hr_store *store = open_kind(k ? FOLDER : INLINE);
        struct hr_budget *budget = hr_budget_new(10000);
        char block[2500] = "y";
        bool finished = false;
        for (uint64_t nth = 1; !finished; nth++) {
            struct hr_error err;
            struct hr_upload_out *up = NULL;
            const struct hr_part *parts;
            size_t n_parts;
            int64_t bytes;
            char *id = NULL;
            hr_mem_fail_at(nth, 0);
            int rc = store->driver->mp_create(store, "o", NULL, &id, &err);
            if (rc == 0) {
                rc = hr_upload_open(store, budget, "o", id, 1000, 3, &up, &err);
            }
            for (int i = 0; i < 3 && rc == 0; i++) {
                rc = hr_out_write(hr_upload_as_out(up), block, i ? 700 : sizeof(block), &err);
            }
            if (rc == 0) {
                rc = hr_upload_finish(up, &parts, &n_parts, &bytes, &err);
            }
            if (rc == 0) {
                rc = store->driver->mp_complete(store, "o", id, parts, n_parts, NULL, NULL, &err);
            }
            finished = hr_mem_count() < nth;
            hr_mem_fail_at(0, 0);
            assert_true(finished ? rc == 0 : rc == HR_E_NOMEM);
            hr_upload_close(up);
            if (!finished && id != NULL) {
                assert_rc(store->driver->mp_abort(store, "o", id, &err), 0, &err);
            }
            hr_free(id);
            assert_int_equal(hr_budget_used(budget), 0);
            assert_true(nth < 1000);
        }
        hr_budget_free(budget);
        hr_store_close(store);
        hr_mem_store_drop("up");
    }
}

int main(void) {
    int64_t live = hr_mem_live();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trips),
        cmocka_unit_test(test_failed_part),
        cmocka_unit_test(test_no_memory),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (failed == 0 && hr_mem_live() != live) {
        fprintf(stderr, "%lld blocks leaked\n", (long long)(hr_mem_live() - live));
        failed = 1;
    }
    return failed;
}
