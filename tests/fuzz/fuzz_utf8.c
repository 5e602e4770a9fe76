/* tests/fuzz/fuzz_utf8.c - how much of any bytes is valid UTF-8: the vector code, the plain code
 * and a decoder by the book agree, and nothing beyond the end is read. */
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "base/mem.h"
#include "base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Bytes of the sequence at p (RFC 3629), 0: there is none. */
static size_t sequence(const uint8_t *p, size_t left) {
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const uint8_t c = p[0];
    const size_t n = c < 0x80 ? 1 : c < 0xc0 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf8 ? 4 : 0;
    if (n < 2 || n > left) {
        return n == 1 ? 1 : 0;
    }
    uint32_t code = c & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
        code = code << 6 | (p[i] & 0x3fu);
    }
    const bool surrogate = code >= 0xd800 && code < 0xe000;
    return code < least[n] || code > 0x10ffff || surrogate ? 0 : n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct hr_cpu scalar;
    size_t want = 0;
    size_t n;
    while (want < size && (n = sequence(data + want, size - want)) > 0) {
        want += n;
    }
    uint8_t *copy = hr_malloc(size); /* exactly: reading on is seen */
    if (size > 0) {
        memcpy(copy, data, size);
    }
    const size_t fast = hr_utf8_valid_len(copy, size);
    hr_cpu_override(&scalar);
    const size_t plain = hr_utf8_valid_len(copy, size);
    hr_cpu_override(NULL);
    if (fast != want || plain != want) {
        abort();
    }
    hr_free(copy);
    return 0;
}
