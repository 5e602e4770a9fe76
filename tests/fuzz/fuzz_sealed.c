/* tests/fuzz/fuzz_sealed.c - any bytes as an encrypted config: opened with its key or refused with
 * a message, and nothing but what was sealed comes out. Input: key, newline, base64. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cred/sealed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct hr_error err;
    struct hr_buf out;
    const uint8_t *end = memchr(data, '\n', size);
    if (end == NULL || size > 8192) {
        return 0;
    }
    hr_error_clear(&err);
    hr_buf_init(&out, 0);
    const size_t key_len = (size_t)(end - data);
    char *key = hr_strndup((const char *)data, key_len);
    const size_t len = size - key_len - 1;
    uint8_t *copy = hr_malloc(len); /* exactly: reading on is seen */
    if (len > 0) {
        memcpy(copy, end + 1, len);
    }
    const int rc = hr_unseal(key, hr_slice_of(copy, len), &out, &err);
    if (rc != 0 && (rc >= 0 || err.message[0] == '\0' || out.len != 0)) {
        abort();
    }
    if (rc == 0 && out.len > len) {
        abort();
    }
    hr_free(copy);
    hr_free(key);
    hr_buf_release(&out);
    return 0;
}
