/* tests/unit/codec/test_table.c - finding a codec by name, key and first bytes. */
#include "support.h"

#include "codec/codec.h"

static const char *by_name(const char *name) {
    const struct hr_codec *codec = hr_codec_by_name(name, strlen(name));
    return codec != NULL ? codec->name : "(none)";
}

static const char *by_key(const char *key, size_t *suffix) {
    *suffix = 0;
    const struct hr_codec *codec = hr_codec_by_key(key, strlen(key), suffix);
    return codec != NULL ? codec->name : "(none)";
}

static const char *by_magic(const char *head, size_t len) {
    const struct hr_codec *codec = hr_codec_by_magic((const uint8_t *)head, len);
    return codec != NULL ? codec->name : "(none)";
}

static void test_names(void **state) {
    (void)state;
    static const char *const pairs[][2] = {
        {"gzip", "gzip"},
        {"GZ", "gzip"},
        {"bz2", "bzip2"},
        {"zst", "zstd"},
        {"Zstandard", "zstd"},
        {"br", "brotli"},
        {"snappy", "snappy"},
        {"snappy_raw", "snappy-raw"},
        {"SNAPPY-HADOOP", "snappy-hadoop"},
        {"lz4_raw", "lz4-raw"},
        {"lz4-frame", "lz4"},
        {"lz4-hadoop", "lz4-hadoop"},
        {"deflate-raw", "deflate-raw"},
        {"zlib", "zlib"},
        {"xz", "xz"},
        {"lzma", "lzma"},
        {"zip", "zip"},
        {"", "(none)"},
        {"gzi", "(none)"},
        {"gzipp", "(none)"},
        {"none", "(none)"},
    };
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        assert_string_equal(by_name(pairs[i][0]), pairs[i][1]);
    }
}

static void test_keys(void **state) {
    (void)state;
    size_t cut;
    assert_string_equal(by_key("a/b.csv.gz", &cut), "gzip");
    assert_int_equal(cut, 3);
    assert_string_equal(by_key("a/B.JSONL.ZST", &cut), "zstd");
    assert_int_equal(cut, 4);
    assert_string_equal(by_key("x.tsv.bz2", &cut), "bzip2");
    assert_string_equal(by_key("x.json.br", &cut), "brotli");
    assert_string_equal(by_key("x.lz4", &cut), "lz4");
    assert_string_equal(by_key("x.csv.snappy", &cut), "snappy");
    assert_string_equal(by_key("x.xz", &cut), "xz");
    assert_string_equal(by_key("x.csv.Z", &cut), "compress");
    assert_string_equal(by_key("a.gz/b", &cut), "(none)");
    assert_string_equal(by_key("a/gz", &cut), "(none)");
    assert_string_equal(by_key("x.csv", &cut), "(none)");
    assert_string_equal(by_key("x.", &cut), "(none)");
    assert_string_equal(by_key("", &cut), "(none)");
}

static void test_magic(void **state) {
    (void)state;
    assert_string_equal(by_magic("\x1f\x8b\x08\0", 4), "gzip");
    assert_string_equal(by_magic("BZh91AY&SY", 10), "bzip2");
    assert_string_equal(by_magic("BZh9,1,2", 8), "(none)"); /* a CSV of Bosnian zip codes, say */
    assert_string_equal(by_magic("\x28\xb5\x2f\xfd", 4), "zstd");
    assert_string_equal(by_magic("\x04\x22\x4d\x18", 4), "lz4");
    assert_string_equal(by_magic("\xff\x06\0\0sNaPpY", 10), "snappy");
    assert_string_equal(by_magic("\xfd"
                                 "7zXZ\0",
                                 6),
                        "xz");
    assert_string_equal(by_magic("PK\x03\x04", 4), "zip");
    assert_string_equal(by_magic("a,b,c\n1,2,3\n", 12), "(none)");
    assert_string_equal(by_magic("\x1f", 1), "(none)");
    assert_string_equal(by_magic("", 0), "(none)");
}

/* Every row is either usable or says why not, and its probe reads no further than it may. */
static void test_rows(void **state) {
    (void)state;
    size_t count = 0;
    const struct hr_codec *const *all = hr_codec_all(&count);
    for (size_t i = 0; i < count; i++) {
        const struct hr_codec *codec = all[i];
        assert_true(codec->missing != NULL || codec->decode_begin != NULL);
        assert_true(((codec->flags & HR_CODEC_BLOCK) != 0) == (codec->decode_block != NULL));
        assert_true((codec->probe == NULL) >= ((codec->flags & HR_CODEC_NO_MAGIC) != 0));
        assert_ptr_equal(hr_codec_by_name(codec->name, strlen(codec->name)), codec);
        for (size_t len = 0; codec->probe != NULL && len <= 16; len++) {
            uint8_t *head = hr_calloc(1, len);
            assert_false(codec->probe(head, len));
            hr_free(head);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_magic),
        cmocka_unit_test(test_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
