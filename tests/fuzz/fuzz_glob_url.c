/* tests/fuzz/fuzz_glob_url.c - glob patterns and locations from any bytes. Input: pattern, newline,
 * key. Both glob matchers must agree where both apply; a location parses or is refused. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_url(const char *text) {
    struct hr_url url;
    struct hr_error err;
    if (hr_url_parse(text, &url, &err) == 0) {
        if (url.scheme == NULL || url.bucket == NULL || url.key == NULL || !url.bucket[0]) {
            abort();
        }
        hr_url_release(&url);
    } else if (err.message[0] == '\0') {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size > 600) {
        return 0;
    }
    char *text = hr_malloc(size + 1);
    for (size_t i = 0; i < size; i++) {
        text[i] = (char)(data[i] ? data[i] : '?');
    }
    text[size] = '\0';
    try_url(text);
    char *key = strchr(text, '\n');
    if (key != NULL) {
        *key++ = '\0';
        size_t key_len = strlen(key);
        size_t n = strlen(text);
        bool plain = hr_glob_match(text, key, key_len);
        size_t literal = hr_glob_literal_prefix(text);
        if (plain && (key_len < literal || memcmp(key, text, literal) != 0)) {
            abort();
        }
        /* The same pattern as a group of one goes through the other matcher. A comma would make
         * it two, and a backslash or bracket could swallow the closing brace. */
        if (strpbrk(text, "{},\\[") == NULL) {
            char *braces = hr_malloc(n + 3);
            braces[0] = '{';
            memcpy(braces + 1, text, n);
            memcpy(braces + 1 + n, "}", 2);
            if (hr_glob_match(braces, key, key_len) != plain) {
                abort();
            }
            hr_free(braces);
        }
    }
    hr_free(text);
    return 0;
}
