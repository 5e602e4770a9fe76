/* tests/unit/codec/test_wild.c - files that other implementations packed
 * (tests/data/codec/make.py), read as streams in odd pieces and, where the codec has them, as
 * blocks; and what may not be read. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>

#include "codec/codec.h"

static struct hr_buf text, text100;
static int read_equal, refused;

static const struct hr_codec *codec_of(const char *name) {
    const struct hr_codec *codec = hr_codec_by_key(name, strlen(name), NULL);
    const char *dot = strrchr(name, '.');
    if (codec == NULL && dot != NULL) {
        codec = hr_codec_by_name(dot + 1, strlen(dot + 1));
    }
    return codec;
}

static int inflate(const struct hr_codec *codec, const char *name, const struct hr_buf *packed,
                   size_t chunk, struct hr_buf *out, struct hr_error *err) {
    struct hr_source *src = NULL;
    struct hr_source *inner = hr_source_mem(name, packed->ptr, packed->len, chunk);
    assert_non_null(inner);
    hr_buf_init(out, 0);
    int rc = hr_codec_source(codec, inner, NULL, &src, err);
    if (rc != 0) {
        hr_source_close(inner);
        return rc;
    }
    rc = hr_source_slurp(src, out, err);
    hr_source_close(src);
    return rc;
}

static void check_block(const struct hr_codec *codec, const struct hr_buf *packed,
                        const struct hr_buf *want) {
    struct hr_error err;
    uint8_t *out = malloc(want->len + HR_PAD);
    size_t made = want->len;
    assert_rc(codec->decode_block(hr_buf_slice(packed), out, &made, &err), 0, &err);
    assert_int_equal(made, want->len);
    assert_memory_equal(out, want->ptr, made);
    free(out);
}

static void one_file(const char *path, void *user) {
    (void)user;
    const char *name = strrchr(path, '/') + 1;
    const struct hr_codec *codec = codec_of(name);
    if (codec == NULL) { /* the script, the text */
        return;
    }
    struct hr_buf packed;
    test_read_file(path, &packed);
    const struct hr_buf *want = strncmp(name, "x100-", 5) == 0 ? &text100 : &text;
    bool bad = strncmp(name, "bad-", 4) == 0;
    static const size_t chunks[] = {0, 1, 2, 3, 7, 64, 1000};
    for (size_t i = 0; i < sizeof(chunks) / sizeof(chunks[0]); i++) {
        struct hr_buf out;
        struct hr_error err;
        int rc = inflate(codec, name, &packed, chunks[i], &out, &err);
        if (codec->missing != NULL) {
            assert_int_equal(rc, HR_E_UNSUPPORTED);
            assert_non_null(strstr(err.message, codec->missing));
        } else if (bad) {
            assert_true(rc == HR_E_CORRUPT || rc == HR_E_BOUND || rc == HR_E_UNSUPPORTED);
            assert_non_null(strstr(err.message, name));
        } else {
            if (rc != 0) {
                fprintf(stderr, "%s in pieces of %zu\n", name, chunks[i]);
            }
            assert_rc(rc, 0, &err);
            assert_int_equal(out.len, want->len);
            assert_memory_equal(out.ptr, want->ptr, out.len);
        }
        hr_buf_release(&out);
    }
    if (!bad && codec->missing == NULL && codec->decode_block != NULL) {
        check_block(codec, &packed, want);
    }
    read_equal += !bad && codec->missing == NULL;
    refused += bad || codec->missing != NULL;
    hr_buf_release(&packed);
}

static void test_every_file(void **state) {
    (void)state;
    test_read_file("tests/data/codec/text.txt", &text);
    hr_buf_init(&text100, 0);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(hr_buf_append(&text100, text.ptr, text.len, NULL), 0);
    }
    test_each_file("tests/data/codec", one_file, NULL);
    printf("codec files: %d read equal, %d refused as documented\n", read_equal, refused);
    assert_int_equal(read_equal, 25);
    assert_int_equal(refused, 9);
    hr_buf_release(&text);
    hr_buf_release(&text100);
    hr_codec_thread_release();
}

/* Parquet's LZ4 pages: Hadoop's framing, a bare block or a frame under one name. */
static void test_lz4_pages_as_found(void **state) {
    (void)state;
    static const char *const files[] = {"chunks.lz4-hadoop", "block.lz4-raw", "frames.lz4"};
    const struct hr_codec *codec = hr_codec_by_name("lz4-hadoop", 10);
    test_read_file("tests/data/codec/text.txt", &text);
    for (size_t i = 0; i < 3; i++) {
        char path[80];
        snprintf(path, sizeof(path), "tests/data/codec/%s", files[i]);
        struct hr_buf packed;
        test_read_file(path, &packed);
        check_block(codec, &packed, &text);
        hr_buf_release(&packed);
    }
    hr_buf_release(&text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_file),
        cmocka_unit_test(test_lz4_pages_as_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
