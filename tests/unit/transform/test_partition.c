/* Partitions: paths and escapes, Olake's patterns, rows to folders, rows picked from columns, and
 * every allocation that fails. */
#include "support.h"

#include <stdio.h>
#include <string.h>

#include "base/time.h"
#include "tables.h"
#include "transform/partition.h"

static void check_escape(const char *value, size_t len, bool alone, const char *want) {
    struct hr_buf out;
    hr_buf_init(&out, 4096);
    assert_int_equal(hr_partition_escape(hr_slice_of(value, len), alone, &out, NULL), 0);
    assert_string_equal(hr_buf_cstr(&out), want);
    hr_buf_release(&out);
}

static void test_escapes(void **state) {
    (void)state;
    check_escape("plain text", 10, false, "plain text");
    check_escape("a/b\\c:d", 7, false, "a%2Fb%5Cc%3Ad");
    check_escape("50%=?*", 6, false, "50%25%3D%3F%2A");
    check_escape("\0\x1f\x7f", 3, false, "%00%1F%7F");
    check_escape("..", 2, true, "%2E.");
    check_escape("_x", 2, true, "%5Fx");
    check_escape("..", 2, false, "..");
    check_escape("\xc3\xbc", 2, false, "\xc3\xbc");
    check_escape("\xc3", 1, false, "%C3");
    check_escape("a\xff"
                 "b\xc3\xbc\xe2\x82",
                 7, false, "a%FFb\xc3\xbc%E2%82");
    check_escape("", 0, true, "");
}

static void check_time(const char *date, const char *want) {
    static const enum hr_granularity all[] = {HR_GRAN_YEAR, HR_GRAN_MONTH, HR_GRAN_WEEK,
                                              HR_GRAN_DAY, HR_GRAN_HOUR};
    int64_t seconds;
    int32_t nanos;
    bool zone;
    int digits;
    char text[128];
    size_t n = 0;
    assert_true(hr_parse_timestamp(date, strlen(date), &seconds, &nanos, &zone, &digits));
    for (size_t i = 0; i < HR_COUNTOF(all); i++) {
        n += hr_partition_time(seconds, all[i], text + n);
        text[n++] = ' ';
    }
    text[n - 1] = '\0';
    assert_string_equal(text, want);
}

static void test_granularities(void **state) {
    (void)state;
    check_time("1970-01-01T00:00:00Z", "1970 01 01 01 00");
    check_time("2024-12-30T23:59:59Z", "2024 12 01 30 23"); /* ISO week 1 of 2025 */
    check_time("2021-01-03T05:00:00Z", "2021 01 53 03 05");
    check_time("2016-01-04T05:00:00Z", "2016 01 01 04 05");
    check_time("1969-12-31T23:00:00Z", "1969 12 01 31 23");
    check_time("0099-06-15T12:00:00Z", "0099 06 25 15 12");
}

static struct hr_batch *sales(void) {
    static const char *const columns[] = {"id int64",     "country utf8", "at timestamp[us, utc]",
                                          "price double", "ok bool",      "tags list<int64>"};
    static const char *const countries[] = {"de", NULL, "a/b", "", "..", "de"};
    struct hr_schema *schema = test_schema(columns, HR_COUNTOF(columns));
    struct hr_batch *batch;
    assert_int_equal(hr_batch_new(schema, &batch, NULL), 0);
    hr_schema_unref(schema);
    for (int i = 0; i < 60; i++) {
        const char *country = countries[i % 6];
        assert_int_equal(hr_vec_append_i64(&batch->vecs[0], i, NULL), 0);
        if (country == NULL) {
            assert_int_equal(hr_vec_append_null(&batch->vecs[1], NULL), 0);
        } else {
            assert_int_equal(hr_vec_append_bytes(&batch->vecs[1], country, strlen(country), NULL),
                             0);
        }
        assert_int_equal(hr_vec_append_i64(&batch->vecs[2], i * 40000000000LL, NULL), 0);
        assert_int_equal(hr_vec_append_f64(&batch->vecs[3], i % 2 / 2.0, NULL), 0);
        assert_int_equal(hr_vec_append_i64(&batch->vecs[4], i % 4 == 0, NULL), 0);
        assert_int_equal(hr_vec_append_i64(&batch->vecs[5].children[0], i, NULL), 0);
        assert_int_equal(hr_vec_append_list_end(&batch->vecs[5], NULL), 0);
    }
    batch->len = 60;
    return batch;
}

/* "folder:ids folder:ids" of everything staged; the first column of the files is id. */
static int drain(struct hr_partition *p, char *out, size_t size, struct hr_error *err) {
    const char *before = NULL;
    size_t n = 0;
    out[0] = '\0';
    for (;;) {
        const char *folder;
        const struct hr_batch *batch;
        bool last;
        const int rc = hr_partition_next(p, &folder, &batch, &last, err);
        if (rc != 0) {
            return rc == HR_END ? 0 : rc;
        }
        n += (size_t)snprintf(out + n, size - n, "%s%s:", before ? " " : "", folder);
        const bool id = batch->schema->fields[0].type.id == HR_T_I64;
        for (int64_t i = 0; id && i < batch->len; i++) {
            n += (size_t)snprintf(out + n, size - n, "%lld,",
                                  (long long)hr_vec_i64(&batch->vecs[0], i));
        }
        before = folder;
    }
}

static int by(const char *const *names, size_t count, int64_t max, struct hr_batch *batch,
              char *out, size_t size, struct hr_error *err) {
    char *items[8];
    for (size_t i = 0; i < count; i++) {
        memcpy(&items[i], &names[i], sizeof(items[i]));
    }
    const struct hr_strlist list = {.items = items, .count = count};
    struct hr_partition_spec *spec = NULL;
    struct hr_partition *p = NULL;
    int rc = hr_partition_by(&list, max, &spec, err);
    if (rc == 0) {
        rc = hr_partition_new(spec, batch->schema, 1, &p, err);
    }
    for (int i = 0; rc == 0 && i < 2; i++) { /* staged twice: nothing is left of the first time */
        rc = hr_partition_put(p, batch, err);
        assert_true(rc != 0 || hr_partition_full(p));
        if (rc == 0) {
            rc = drain(p, out, size, err);
        }
    }
    hr_partition_free(p);
    hr_partition_spec_free(spec);
    return rc;
}

static void test_hive(void **state) {
    (void)state;
    struct hr_batch *batch = sales();
    static const char *const names[] = {"country", "ok"};
    char text[20000];
    struct hr_error err;
    assert_rc(by(names, 2, 100, batch, text, sizeof(text), &err), 0, &err);
    assert_string_equal(
        text,
        "country=de/ok=true/:0,12,24,36,48, "
        "country=__HIVE_DEFAULT_PARTITION__/ok=false/:1,3,7,9,13,15,19,21,25,27,31,33,37,39,43,45,"
        "49,51,55,57, country=a%2Fb/ok=false/:2,14,26,38,50, country=../ok=true/:4,16,28,40,52, "
        "country=de/ok=false/:5,6,11,17,18,23,29,30,35,41,42,47,53,54,59, "
        "country=a%2Fb/ok=true/:8,20,32,44,56, country=../ok=false/:10,22,34,46,58,");
    hr_batch_free(batch);
}

static void test_refused(void **state) {
    (void)state;
    struct hr_batch *batch = sales();
    char text[20000];
    struct hr_error err;
    static const char *const absent[] = {"nope"};
    static const char *const nested[] = {"tags"};
    static const char *const all[] = {"id", "country", "at", "price", "ok"};
    static const char *const id[] = {"id"};
    assert_int_equal(by(absent, 1, 9, batch, text, sizeof(text), &err), HR_E_CONFIG);
    assert_non_null(strstr(err.hint, "id, country, at, price, ok, tags"));
    assert_int_equal(by(nested, 1, 9, batch, text, sizeof(text), &err), HR_E_CONFIG);
    assert_int_equal(by(all, 5, 100, batch, text, sizeof(text), &err), 0);
    assert_int_equal(by(id, 1, 59, batch, text, sizeof(text), &err), HR_E_BOUND);
    assert_int_equal(by(id, 1, 60, batch, text, sizeof(text), &err), 0);
    struct hr_partition_spec *spec;
    assert_int_equal(hr_partition_regex("/a/../{id,,}", 0, 9, &spec, &err), HR_E_CONFIG);
    assert_int_equal(hr_partition_regex("/a\\b", 0, 9, &spec, &err), HR_E_CONFIG);
    assert_int_equal(hr_partition_regex("/a\x7f/{id,,}", 0, 9, &spec, &err), HR_E_CONFIG);
    assert_int_equal(hr_partition_regex("_headrace/{id,,}", 0, 9, &spec, &err), HR_E_CONFIG);
    assert_int_equal(hr_partition_regex("", 0, 9, &spec, &err), 0);
    assert_null(spec);
    hr_batch_free(batch);
}

static int regex(const char *pattern, struct hr_batch *batch, char *out, size_t size,
                 struct hr_error *err) {
    struct hr_partition_spec *spec = NULL;
    struct hr_partition *p = NULL;
    int rc = hr_partition_regex(pattern, 1714980000LL * 1000000, 1000, &spec, err);
    if (rc == 0) {
        rc = hr_partition_new(spec, batch->schema, (size_t)1 << 30, &p, err);
    }
    if (rc == 0) {
        rc = hr_partition_put(p, batch, err);
        assert_true(rc != 0 || !hr_partition_full(p));
    }
    if (rc == 0) {
        rc = drain(p, out, size, err);
    }
    hr_partition_free(p);
    hr_partition_spec_free(spec);
    return rc;
}

static void check_first(const char *pattern, const char *want) {
    struct hr_batch *batch = sales();
    char text[20000];
    struct hr_error err;
    batch->len = 1; /* one row: de, 1970-01-01 00:00, 0.0, true */
    assert_rc(regex(pattern, batch, text, sizeof(text), &err), 0, &err);
    assert_string_equal(text, want);
    hr_batch_free(batch);
}

static void test_patterns(void **state) {
    (void)state;
    check_first("/{country,x,}/", "de/:0,");
    check_first("c={'country', \"x\" ,''}//d={at,,DD}", "c=de/d=01/:0,");
    check_first("{at,,YYYY}{at,,MM}/{at,,HH}", "197001/00/:0,");
    check_first("{at,,}", "1970-01-01 00%3A00%3A00Z/:0,");
    check_first("{absent,,}/{absent,a/b,}", "default_absent/a%2Fb/:0,");
    check_first("x{absent,short}y", "xy/:0,");
    check_first("{}{absent", "{absent/:0,");
    check_first("{now(),,YYYY}-{now(),,MM}-{now(),,DD}-{now(),,HH}", "2024-05-06-07/:0,");
    check_first("{country,x,YYYY}", "de/:0,"); /* no time: as it is */
    check_first("{price,x,}", "0.0/:0,");
    check_first("fixed", "fixed/:0,");
    check_first("{absent,..,}", "%2E./:0,");
}

static void test_pattern_over_rows(void **state) {
    (void)state;
    struct hr_batch *batch = sales();
    char text[20000];
    struct hr_error err;
    assert_rc(regex("{country,none,}", batch, text, sizeof(text), &err), 0, &err);
    assert_non_null(strstr(text, "de/:0,5,6,11,"));
    assert_non_null(strstr(text, "none/:1,3,7,9,")); /* null and empty */
    assert_non_null(strstr(text, "%2E./:4,10,"));
    assert_non_null(strstr(text, "a%2Fb/:2,8,"));
    /* times of one month are one folder, whatever their hour */
    assert_rc(regex("{at,,MM}", batch, text, sizeof(text), &err), 0, &err);
    assert_int_equal(strncmp(text, "01/:0,1,2,", 10), 0);
    assert_null(strstr(text, " "));
    hr_batch_free(batch);
}

static void test_long_values(void **state) {
    (void)state;
    struct hr_batch *batch = sales();
    struct hr_error err;
    char text[20000];
    char value[400];
    static const char *const names[] = {"country"};
    hr_batch_clear(batch);
    for (int i = 0; i < 2; i++) {
        memset(value, '/', sizeof(value)); /* escapes triple */
        value[399] = (char)('a' + i);
        assert_int_equal(hr_vec_append_i64(&batch->vecs[0], i, NULL), 0);
        assert_int_equal(hr_vec_append_bytes(&batch->vecs[1], value, sizeof(value), NULL), 0);
        for (int k = 2; k < 6; k++) {
            assert_int_equal(hr_vec_append_null(&batch->vecs[k], NULL), 0);
        }
    }
    batch->len = 2;
    assert_int_equal(by(names, 1, 9, batch, text, sizeof(text), &err), HR_E_BOUND);
    assert_string_equal(err.column, "country");
    assert_rc(regex("{country,,}", batch, text, sizeof(text), &err), 0, &err);
    const char *second = strchr(text, ' ');
    assert_non_null(second); /* two folders: the hash tells them apart */
    assert_non_null(strchr(text, '~'));
    assert_int_equal((strchr(text, '~') - text) % 3, 0); /* not cut inside an escape */
    hr_batch_free(batch);
}

static void test_rows_picked(void **state) {
    (void)state;
    struct hr_schema *schema = test_schema_all();
    uint64_t seed = 7;
    struct hr_batch *src;
    struct hr_batch *dst;
    struct hr_batch *want;
    assert_int_equal(hr_batch_new(schema, &src, NULL), 0);
    assert_int_equal(hr_batch_new(schema, &dst, NULL), 0);
    assert_int_equal(hr_batch_new(schema, &want, NULL), 0);
    test_fill(src, 500, &seed);
    uint32_t rows[300];
    for (size_t i = 0; i < HR_COUNTOF(rows); i++) {
        rows[i] = (uint32_t)(test_rand(&seed) % 500);
    }
    for (int c = 0; c < schema->n_fields; c++) {
        for (size_t i = 0; i < HR_COUNTOF(rows); i++) {
            assert_int_equal(hr_vec_append_range(&want->vecs[c], &src->vecs[c], rows[i], 1, NULL),
                             0);
        }
        assert_int_equal(hr_vec_append_rows(&dst->vecs[c], &src->vecs[c], rows, 100, NULL), 0);
        assert_int_equal(hr_vec_append_rows(&dst->vecs[c], &src->vecs[c], rows + 100, 200, NULL),
                         0);
        assert_int_equal(dst->vecs[c].nulls, want->vecs[c].nulls);
    }
    dst->len = want->len = HR_COUNTOF(rows);
    test_assert_same(dst, want);
    hr_batch_free(src);
    hr_batch_free(dst);
    hr_batch_free(want);
    hr_schema_unref(schema);
}

static void test_allocations_fail(void **state) {
    (void)state;
    struct hr_batch *batch = sales();
    static const char *const names[] = {"country", "ok"};
    char text[20000];
    struct hr_error err;
    const int64_t live = hr_mem_live();
    for (int what = 0; what < 2; what++) {
        int rc = HR_E_NOMEM;
        for (uint64_t nth = 1; rc != 0; nth++) {
            hr_mem_fail_at(nth, 0);
            rc = what == 0 ? by(names, 2, 100, batch, text, sizeof(text), &err)
                           : regex("{at,,MM}/{country,x,}", batch, text, sizeof(text), &err);
            hr_mem_fail_at(0, 0);
            assert_true(rc == 0 || rc == HR_E_NOMEM);
            assert_int_equal(hr_mem_live(), live);
            assert_true(nth < 1000);
        }
    }
    hr_batch_free(batch);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_granularities),
        cmocka_unit_test(test_hive),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_patterns),
        cmocka_unit_test(test_pattern_over_rows),
        cmocka_unit_test(test_long_values),
        cmocka_unit_test(test_rows_picked),
        cmocka_unit_test(test_allocations_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
