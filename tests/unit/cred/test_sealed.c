/* Sealed configs: what Go's crypto/cipher made is opened; every byte changed, every allocation
 * failed and every wrong form is refused. */
#include "cred/sealed.h"
#include "support.h"

#include <string.h>

/* Key "open sesame", nonce 00..0b, plain {"type":"PARQUET","writer":{"local_path":"out"}}. */
static const char sealed[] = "AAECAwQFBgcICQoLIU42gpSBNs3XF9b7PufGafNUqWX95s52DY+xh4uBWIsMk4zh4Sa2"
                             "bmfiEMWLxJgeOvM8VOd9AfSDDXcSXMhr8g==";
static const char plain[] = "{\"type\":\"PARQUET\",\"writer\":{\"local_path\":\"out\"}}";

static int open_it(const char *key, const char *text, size_t len, struct hr_buf *out) {
    struct hr_error err;
    hr_error_clear(&err);
    hr_buf_init(out, 1 << 16);
    return hr_unseal(key, hr_slice_of(text, len), out, &err);
}

static void test_opens(void **state) {
    (void)state;
    struct hr_buf out;
    assert_int_equal(open_it("open sesame", sealed, sizeof(sealed) - 1, &out), 0);
    assert_string_equal(hr_buf_cstr(&out), plain);
    hr_buf_release(&out);
    assert_int_equal(open_it("open sesamE", sealed, sizeof(sealed) - 1, &out), HR_E_CONFIG);
    assert_int_equal(out.len, 0); /* nothing that is not proven comes out */
    hr_buf_release(&out);
}

static void test_every_change_is_seen(void **state) {
    (void)state;
    char text[sizeof(sealed)];
    for (size_t i = 0; i < sizeof(sealed) - 1; i++) {
        struct hr_buf out;
        memcpy(text, sealed, sizeof(text));
        text[i] = text[i] == 'A' ? 'B' : 'A';
        assert_int_equal(open_it("open sesame", text, sizeof(text) - 1, &out), HR_E_CONFIG);
        hr_buf_release(&out);
        assert_int_equal(open_it("open sesame", sealed, i, &out), HR_E_CONFIG);
        hr_buf_release(&out);
    }
}

static void test_other_forms(void **state) {
    (void)state;
    static const char *const texts[] = {"",     "=",    "====",       "AAAA",
                                        "A===", "AA=A", "not base64", "\xff"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct hr_buf out;
        assert_int_equal(open_it("k", texts[i], strlen(texts[i]), &out), HR_E_CONFIG);
        hr_buf_release(&out);
    }
}

static void test_memory(void **state) {
    (void)state;
    for (uint64_t n = 1; n < 50; n++) {
        struct hr_buf out;
        hr_mem_fail_at(n, 0);
        const int rc = open_it("open sesame", sealed, sizeof(sealed) - 1, &out);
        hr_mem_fail_at(0, 0);
        hr_buf_release(&out);
        if (rc == 0) {
            return;
        }
        assert_int_equal(rc, HR_E_NOMEM);
    }
    fail();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_opens),
        cmocka_unit_test(test_every_change_is_seen),
        cmocka_unit_test(test_other_forms),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
