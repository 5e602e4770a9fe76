/* tests/fuzz/fuzz_aws_ini.c - the shared credentials and config files are other people's bytes. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cred/ini.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int each(void *user, struct hr_slice section, struct hr_slice key, struct hr_slice value) {
    size_t *count = user;
    volatile uint8_t sum = 0; /* touch every byte handed out */
    for (size_t i = 0; i < section.len; i++) {
        sum = (uint8_t)(sum + section.ptr[i]);
    }
    for (size_t i = 0; i < key.len; i++) {
        sum = (uint8_t)(sum + key.ptr[i]);
    }
    for (size_t i = 0; i < value.len; i++) {
        sum = (uint8_t)(sum + value.ptr[i]);
    }
    if (key.len == 0) {
        abort();
    }
    return ++*count > 100000 ? 1 : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    size_t count = 0;
    uint8_t *copy = hr_malloc(size);
    if (size > 0) {
        memcpy(copy, data, size);
    }
    hr_ini_each(hr_slice_of(copy, size), each, &count);
    hr_free(copy);
    return 0;
}
