/* tests/fuzz/codec_fuzz.h - the body of every codec's fuzz target: any bytes are decoded as a
 * stream in odd pieces and as a block; neither may crash, grow beyond its caps or stand still, and
 * where both accept the input they must agree. CODEC_FUZZ_NAME is defined by the target. */
#ifndef CODEC_FUZZ_H
#define CODEC_FUZZ_H

#include <stdlib.h>

#include "base/mem.h"
#include "codec/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What the stream makes of the input; the return code of the last call. */
static int codec_fuzz_stream(const struct hr_codec *codec, const uint8_t *data, size_t size,
                             struct hr_buf *out) {
    const struct hr_codec_limits limits = {.output_max = 4 << 20};
    struct hr_source *src = NULL;
    struct hr_error err;
    struct hr_source *inner = hr_source_mem("input", data, size, 1 + size % 61);
    if (inner == NULL) {
        return HR_E_NOMEM;
    }
    int rc = hr_codec_source(codec, inner, &limits, &src, &err);
    if (rc != 0) {
        hr_source_close(inner);
        return rc;
    }
    struct hr_slice slice;
    while ((rc = hr_source_next(src, &slice, &err)) == 0) {
        if (slice.len == 0 || hr_buf_append(out, slice.ptr, slice.len, NULL) != 0) {
            abort();
        }
    }
    if (rc == HR_E_INTERNAL || (rc < 0 && err.message[0] == '\0')) {
        abort();
    }
    hr_source_close(src);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const struct hr_codec *codec = hr_codec_by_name(CODEC_FUZZ_NAME, strlen(CODEC_FUZZ_NAME));
    struct hr_buf stream;
    hr_buf_init(&stream, 0);
    int rc = codec_fuzz_stream(codec, data, size, &stream);

    size_t room = 1 << 20;
    uint8_t *copy = malloc(size);
    uint8_t *block = malloc(room + HR_PAD);
    if (size > 0) {
        memcpy(copy, data, size);
    }
    size_t made = room;
    int block_rc = codec->decode_block(hr_slice_of(copy, size), block, &made, NULL);
    if (block_rc == 0 && made > room) {
        abort();
    }
    if (block_rc == 0 && rc == HR_END &&
        (made != stream.len || (made > 0 && memcmp(block, stream.ptr, made) != 0))) {
        abort();
    }
    free(copy);
    free(block);
    hr_buf_release(&stream);
    return 0;
}

#endif
