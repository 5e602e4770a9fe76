/* tests/fuzz/fuzz_control.c - the control object of a state on S3 is untrusted: never a crash, a
 * leak or a hang. The input stands behind a first line with the right checksum, so that what is
 * past it is reached; and alone, as it is. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/hash.h"
#include "state/control.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void decode(struct hr_slice bytes) {
    struct hr_control_doc doc;
    struct hr_buf again;
    hr_control_doc_init(&doc);
    hr_buf_init(&again, 0);
    if (hr_control_decode(bytes, "fuzz", &doc, NULL) == 0) {
        (void)hr_owner_gone(&doc.owner);
        (void)hr_control_encode(&doc, &again, NULL);
    }
    hr_buf_release(&again);
    hr_control_doc_release(&doc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const struct hr_hash128 h = hr_hash128(data, size, 0x435452);
    struct hr_buf framed;
    hr_buf_init(&framed, 0);
    decode(hr_slice_of(data, size));
    uint8_t raw[16];
    char sum[33];
    memcpy(raw, &h.hi, 8);
    memcpy(raw + 8, &h.lo, 8);
    hr_hex(raw, 16, sum);
    if (hr_buf_printf(&framed, NULL, "HRC1 %s\n", sum) == 0 &&
        hr_buf_append(&framed, data, size, NULL) == 0) {
        decode(hr_buf_slice(&framed));
    }
    hr_buf_release(&framed);
    return 0;
}
