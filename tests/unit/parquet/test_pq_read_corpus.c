/* Every file of the parquet-testing corpus: read to the agreed values, or refused as documented. */
#include <jansson.h>
#include <stdlib.h>

#include "pq_canon.h"

static const char corpus[] = "parquet-testing";

struct tally {
    int equal, refused, wrong;
};

static struct hr_source *load(const char *name, struct hr_buf *buf) {
    char relative[512];
    snprintf(relative, sizeof(relative), "%s/%s", corpus, name);
    test_read_file(test_corpus(relative), buf);
    struct hr_source *src = hr_source_mem(name, buf->ptr, buf->len, 0);
    assert_non_null(src);
    return src;
}

static void complain(struct tally *t, const char *name, const char *what,
                     const struct canon_result *res) {
    char text[3000] = "";
    if (res->rc < 0) {
        hr_error_format(&res->err, text, sizeof(text));
    }
    printf("WRONG %s: %s (rc %d, %lld rows, sha %s)\n%s\n", name, what, res->rc,
           (long long)res->rows, res->sha256, text);
    t->wrong++;
}

/* What these files must do where the readers do not decide it. */
static bool must_refuse(const char *name) {
    static const char *const names[] = {
        "bad_data/ARROW-GH-45185.parquet",          /* repetition levels start inside a row */
        "bad_data/ARROW-RS-GH-6229-LEVELS.parquet", /* too few repetition levels */
        "data/large_string_map.brotli.parquet",     /* cells of 1 GiB are over the bound */
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(name, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

static const char *expected_sha(const char *name, json_t *entry) {
    const char *sha = json_string_value(json_object_get(entry, "sha256"));
    json_t *spec = json_object_get(entry, "verdict_by_specification");
    if (spec != NULL) {
        sha = json_string_value(json_object_get(spec, "sha256"));
    }
    if (sha == NULL && strstr(name, "byte_stream_split_extended") != NULL) {
        sha = json_string_value(json_object_get(
            json_object_get(json_object_get(entry, "readers"), "pyarrow"), "sha256"));
    }
    if (sha == NULL && strstr(name, "incorrect_map_schema") != NULL) {
        sha = json_string_value(json_object_get(
            json_object_get(json_object_get(entry, "readers"), "duckdb"), "sha256"));
    }
    return sha;
}

static void check_file(struct tally *t, const char *name, json_t *entry, int64_t batch_rows) {
    const char *verdict = json_string_value(json_object_get(entry, "verdict"));
    const struct hr_format_opts opts = {0};
    const struct hr_read_params params = {.group_end = -1, .batch_rows = batch_rows};
    struct hr_buf buf;
    struct hr_source *src = load(name, &buf);
    struct canon_result res = canon_read(src, &opts, &params);
    if (strcmp(verdict, "refused_by_all") == 0 || must_refuse(name)) {
        if (res.rc >= 0) {
            complain(t, name, "was read, must be refused", &res);
        } else if (res.err.message[0] == '\0' || hr_code_class(res.rc) != HR_CLASS_DATA) {
            complain(t, name, "was refused without a reason", &res);
        } else {
            t->refused++;
        }
    } else {
        const char *sha = expected_sha(name, entry);
        json_int_t rows = json_integer_value(json_object_get(entry, "rows"));
        if (res.rc < 0) {
            complain(t, name, "was refused, must be read", &res);
        } else if (sha == NULL || strcmp(sha, res.sha256) != 0 || rows != res.rows) {
            complain(t, name, "reads to other values", &res);
        } else {
            t->equal++;
        }
    }
    hr_source_close(src);
    hr_buf_release(&buf);
}

static void check_all(int64_t batch_rows) {
    struct tally t = {0};
    char path[512];
    snprintf(path, sizeof(path), "%s/expected.json", corpus);
    const char *expected = test_corpus(path);
    if (expected == NULL) {
        test_skip_corpus(corpus, 96);
        return;
    }
    json_t *root = json_load_file(expected, 0, NULL);
    assert_non_null(root);
    const char *name;
    json_t *entry;
    json_object_foreach(json_object_get(root, "files"), name, entry) {
        check_file(&t, name, entry, batch_rows);
    }
    printf("parquet-testing, batches of %lld rows: %d read equal, %d refused as documented, %d "
           "wrong\n",
           (long long)batch_rows, t.equal, t.refused, t.wrong);
    assert_int_equal(t.wrong, 0);
    assert_int_equal(t.equal + t.refused, (int)json_object_size(json_object_get(root, "files")));
    json_decref(root);
}

static void test_corpus_whole_batches(void **state) {
    (void)state;
    check_all(0);
}

static void test_corpus_small_batches(void **state) {
    (void)state;
    check_all(7);
}

/* Two cells of 1 GiB: over the bound above, right under a larger one (some 5 GiB of memory). */
static void test_huge_cells(void **state) {
    (void)state;
    const char *soak = getenv("HEADRACE_SOAK");
    const struct hr_format_opts opts = {0};
    const struct hr_read_params params = {
        .group_end = -1, .batch_rows = 1, .cell_max = (size_t)1200 << 20};
    struct hr_buf buf;
    if (soak == NULL || soak[0] != '1' || test_corpus(corpus) == NULL) {
        printf("SKIPPED 1 case: cells of 1 GiB are read with HEADRACE_SOAK=1\n");
        return;
    }
    struct hr_source *src = load("data/large_string_map.brotli.parquet", &buf);
    struct canon_result res = canon_read(src, &opts, &params);
    assert_rc(res.rc, 0, &res.err);
    assert_int_equal(res.rows, 2);
    assert_string_equal(res.sha256,
                        "b2b97b3d3abab474aa762f93c42688d6bc69bfa9a8c47282c75e741815971875");
    hr_source_close(src);
    hr_buf_release(&buf);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_corpus_whole_batches),
        cmocka_unit_test(test_corpus_small_batches),
        cmocka_unit_test(test_huge_cells),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
