/* tests/unit/store/test_glob.c - patterns over keys, by both matchers; literal heads. */
#include <stdio.h>
#include <string.h>

#include "store/store.h"
#include "support.h"

static const struct {
    const char *pattern, *key;
    bool want;
} cases[] = {
    {"a.csv", "a.csv", true},
    {"a.csv", "a.csvx", false},
    {"a.csv", "xa.csv", false},
    {"*.csv", "a.csv", true},
    {"*.csv", ".csv", true},
    {"*.csv", "d/a.csv", false},
    {"**.csv", "d/a.csv", true},
    {"d/*", "d/", true},
    {"d/*", "d", false},
    {"*", "", true},
    {"*", "a/b", false},
    {"**", "a/b/c", true},
    {"logs/**/*.gz", "logs/x.gz", true},
    {"logs/**/*.gz", "logs/a/x.gz", true},
    {"logs/**/*.gz", "logs/a/b/c/x.gz", true},
    {"logs/**/*.gz", "logsx.gz", false},
    {"logs/**/*.gz", "logs/a/x.gzip", false},
    {"**/x", "x", true},
    {"**/x", "a/x", true},
    {"**/x", "ax", false},
    {"**/x", "a/bx", false},
    {"a/**", "a/", true},
    {"a/**", "a/b/c", true},
    {"a/**", "ab", false},
    {"a/**/b/**/c", "a/b/c", true},
    {"a/**/b/**/c", "a/x/b/y/z/c", true},
    {"a/**/b/**/c", "a/x/c/y/b", false},
    {"a**b", "a/x/b", true},
    {"a*b*c", "aXbYbZc", true},
    {"a*b*c", "aXbYcZ", false},
    {"*a/*b", "xa/yb", true},
    {"*a/*b", "aa/bb", true},
    {"*a/*b", "a/x/b", false},
    {"**a*b", "xaxxb", true},
    {"**a*b", "xa/axb", true},
    {"**a*b", "xa/xb", false},
    {"?.csv", "a.csv", true},
    {"?.csv", "/.csv", false},
    {"?.csv", "ab.csv", false},
    {"?x", "\xc3\xa9x", true},
    {"??x", "\xc3\xa9x", false},
    {"\xc3\xa9*", "\xc3\xa9t\xc3\xa9", true},
    {"?", "\xff", true},
    {"[a-c]x", "bx", true},
    {"[a-c]x", "dx", false},
    {"[!a-c]x", "dx", true},
    {"[^a-c]x", "ax", false},
    {"[!a-c]x", "/x", false},
    {"[]]x", "]x", true},
    {"[a-]x", "-x", true},
    {"[\xc3\xa0-\xc3\xbf]x", "\xc3\xa9x", true},
    {"[\xc3\xa0-\xc3\xbf]x", "ex", false},
    {"[ab", "[ab", true},
    {"[]", "[]", true},
    {"\\*", "*", true},
    {"\\*", "a", false},
    {"\\", "\\", true},
    {"a\\{b", "a{b", true},
    {"{a,b}.csv", "a.csv", true},
    {"{a,b}.csv", "b.csv", true},
    {"{a,b}.csv", "c.csv", false},
    {"{a,b}.csv", "ab.csv", false},
    {"{a,}b", "ab", true},
    {"{a,}b", "b", true},
    {"{}", "", true},
    {"x{}y", "xy", true},
    {"{a,b{c,d}}e", "ae", true},
    {"{a,b{c,d}}e", "bde", true},
    {"{a,b{c,d}}e", "be", false},
    {"{a,b", "{a,b", true},
    {"a}", "a}", true},
    {"a,b", "a,b", true},
    {"{a{b,c}", "{ac", true},
    {"{[,],x}y", ",y", true},
    {"{\\,,x}y", ",y", true},
    {"*.{csv,json}{,.gz}", "a.csv", true},
    {"*.{csv,json}{,.gz}", "a.json.gz", true},
    {"*.{csv,json}{,.gz}", "a.json.bz2", false},
    {"{**/,}x", "a/b/x", true},
    {"{**/*.a,**/*.b}", "q.b", true},
    {"{**/*.a,**/*.b}", "p/q.b", true},
    {"year={2025,2026}/**/*.parquet", "year=2026/m=1/x.parquet", true},
    {"year={2025,2026}/**/*.parquet", "year=2024/m=1/x.parquet", false},
    {"", "", true},
    {"", "a", false},
};

static void test_cases(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *key = cases[i].key;
        bool got = hr_glob_match(cases[i].pattern, key, strlen(key));
        if (got != cases[i].want) {
            print_error("'%s' on '%s'\n", cases[i].pattern, key);
        }
        assert_int_equal(got, cases[i].want);
        /* A pattern without anything that braces would change must mean the same within them. */
        if (strpbrk(cases[i].pattern, "{},\\[") == NULL) {
            char braces[200];
            snprintf(braces, sizeof(braces), "{%s}", cases[i].pattern);
            assert_int_equal(hr_glob_match(braces, key, strlen(key)), cases[i].want);
        }
    }
}

/* Patterns made to explode a naive matcher end quickly here. */
static void test_bounded(void **state) {
    (void)state;
    char key[1001];
    char pattern[3000] = "";
    memset(key, 'a', 1000);
    key[1000] = '\0';
    for (int i = 0; i < 60; i++) {
        strncat(pattern, "*a", sizeof(pattern) - strlen(pattern) - 1);
    }
    strncat(pattern, "b", sizeof(pattern) - strlen(pattern) - 1);
    assert_false(hr_glob_match(pattern, key, 1000));
    pattern[0] = '\0';
    for (int i = 0; i < 60; i++) {
        strncat(pattern, "{a,aa,aaa}", sizeof(pattern) - strlen(pattern) - 1);
    }
    assert_true(hr_glob_match(pattern, key, 100));
    strncat(pattern, "b", sizeof(pattern) - strlen(pattern) - 1);
    assert_false(hr_glob_match(pattern, key, 100));
    pattern[0] = '\0';
    for (int i = 0; i < 250; i++) {
        strncat(pattern, "**{", sizeof(pattern) - strlen(pattern) - 1);
    }
    assert_false(hr_glob_match(pattern, key, 1000));
    char huge[5000];
    memset(huge, '*', sizeof(huge) - 1);
    huge[sizeof(huge) - 1] = '\0';
    assert_false(hr_glob_match(huge, key, 1000)); /* over the bound: matches nothing */
}

static void test_literal_prefix(void **state) {
    (void)state;
    assert_int_equal(hr_glob_literal_prefix("a/b/*.csv"), 4);
    assert_int_equal(hr_glob_literal_prefix("a/b"), 3);
    assert_int_equal(hr_glob_literal_prefix("{a,b}"), 0);
    assert_int_equal(hr_glob_literal_prefix("a\\*b"), 1);
    assert_int_equal(hr_glob_literal_prefix("ab[c]"), 2);
    assert_int_equal(hr_glob_literal_prefix("ab?"), 2);
}

static const struct {
    const char *text, *scheme, *bucket, *key;
} urls[] = {
    {"s3://bucket/a/b.csv", "s3", "bucket", "a/b.csv"},
    {"s3://bucket", "s3", "bucket", ""},
    {"s3://bucket/", "s3", "bucket", ""},
    {"s3a://bucket/x", "s3", "bucket", "x"},
    {"s3://bucket//x", "s3", "bucket", "/x"},
    {"s3://bucket/a b%20+?*", "s3", "bucket", "a b%20+?*"},
    {"/data/in/a.csv", "file", "/data/in", "a.csv"},
    {"/a.csv", "file", "/", "a.csv"},
    {"/data/in/", "file", "/data/in", ""},
    {"/data//in///a", "file", "/data//in", "a"},
    {"rel/a.csv", "file", "rel", "a.csv"},
    {"a.csv", "file", ".", "a.csv"},
    {"./a.csv", "file", ".", "a.csv"},
    {"../up/a.csv", "file", "../up", "a.csv"},
    {".", "file", ".", ""},
    {"..", "file", "..", ""},
    {"a/..", "file", "a/..", ""},
    {"/", "file", "/", ""},
    {"data/*/x.csv", "file", "data", "*/x.csv"},
    {"data/y=2026*/x.csv", "file", "data", "y=2026*/x.csv"},
    {"*.csv", "file", ".", "*.csv"},
    {"/**/x", "file", "/", "**/x"},
    {"file:///data/a.csv", "file", "/data", "a.csv"},
    {"file://localhost/data/a.csv", "file", "/data", "a.csv"},
    {"file:rel/a.csv", "file", "rel", "a.csv"},
    {"file:/data/a", "file", "/data", "a"},
    {"mem:name/k/1", "mem", "name", "k/1"},
    {"mem://name/k", "mem", "name", "k"},
    {"-", "stdio", "-", "-"},
    {"./a:b", "file", ".", "a:b"},
    {"dir/a:b", "file", "dir", "a:b"},
};

static void test_urls(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        struct hr_url url;
        struct hr_error err;
        assert_rc(hr_url_parse(urls[i].text, &url, &err), 0, &err);
        assert_string_equal(url.scheme, urls[i].scheme);
        assert_string_equal(url.bucket, urls[i].bucket);
        assert_string_equal(url.key, urls[i].key);
        hr_url_release(&url);
    }
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"", "empty"},
        {"s3://", "no bucket"},
        {"s3:///key", "no bucket"},
        {"s3:bucket/key", "scheme"},
        {"gs://bucket/x", "not built in"},
        {"https://example.org/x.csv", "not built in"},
        {"ftp4://x", "not known"},
        {"file://server/share", "host"},
        {"file:", "no path"},
        {"mem:", "no instance"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct hr_url url;
        struct hr_error err;
        assert_rc(hr_url_parse(bad[i].text, &url, &err), HR_E_CONFIG, &err);
        if (strstr(err.message, bad[i].says) == NULL) {
            print_error("%s: %s\n", bad[i].text, err.message);
        }
        assert_non_null(strstr(err.message, bad[i].says));
        assert_null(url.scheme);
    }
}

static void test_no_memory(void **state) {
    (void)state;
    for (uint64_t nth = 1; nth <= 3; nth++) {
        struct hr_url url;
        struct hr_error err;
        int64_t live = hr_mem_live();
        hr_mem_fail_at(nth, 0);
        assert_rc(hr_url_parse("s3://b/k", &url, &err), HR_E_NOMEM, &err);
        hr_mem_fail_at(0, 0);
        assert_int_equal(hr_mem_live(), live);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),          cmocka_unit_test(test_bounded),
        cmocka_unit_test(test_literal_prefix), cmocka_unit_test(test_urls),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
