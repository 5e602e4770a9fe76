/* tests/fuzz/fuzz_infer.c - any bytes as a file nobody has named: codec and format are told by the
 * first bytes, columns by a sample, and every format's inference is tried on them too. An answer is
 * a schema that a reader of the same bytes takes, or an error in words; the same in any slices,
 * unless a codec finds damage in them sooner or later. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format_support.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct hr_source *source_of(const uint8_t *data, size_t size, size_t chunk) {
    const struct hr_codec_limits limits = {.output_max = 4 << 20};
    const struct hr_codec *codec = hr_codec_by_magic(data, size);
    struct hr_source *src = hr_source_mem("fuzz", data, size, chunk);
    struct hr_source *inflated = NULL;
    if (codec == NULL || codec->missing != NULL) {
        return src;
    }
    if (hr_codec_source(codec, src, &limits, &inflated, NULL) != 0) {
        abort();
    }
    return inflated;
}

static int infer(const struct hr_format *format, const struct hr_format_opts *opts,
                 const struct hr_infer_params *params, const uint8_t *data, size_t size,
                 size_t chunk, struct hr_schema **out) {
    struct hr_error err;
    hr_error_clear(&err);
    struct hr_source *src = source_of(data, size, chunk);
    const int rc = format->infer(src, opts, params, out, &err);
    hr_source_close(src);
    if (rc > 0 || (rc < 0 && err.message[0] == '\0') || (rc == 0) != (*out != NULL)) {
        fprintf(stderr, "fuzz_infer: %s answers %d\n", format->name, rc);
        abort();
    }
    return rc;
}

/* Its rows in those columns: read, or an error in words. */
static void read_some(const struct hr_format *format, const struct hr_format_opts *opts,
                      struct hr_schema *schema, const uint8_t *data, size_t size) {
    const struct hr_read_params params = {
        .want = schema, .want_all = true, .split_end = -1, .group_end = -1, .cell_max = 1 << 20};
    struct hr_reader *reader = NULL;
    struct hr_batch *batch;
    struct hr_error err;
    int64_t rows = 0;
    hr_error_clear(&err);
    struct hr_source *src = source_of(data, size, 0);
    int rc = format->open(src, opts, &params, &reader, &err);
    while (rc == 0 && rows < 100000) {
        rc = hr_reader_next(reader, &batch, &err);
        rows += rc == 0 ? batch->len : 0;
    }
    if (rc < 0 && err.message[0] == '\0') {
        abort();
    }
    hr_reader_close(reader);
    hr_source_close(src);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    size_t count = 0;
    const struct hr_format *const *formats = hr_format_all(&count);
    const struct hr_infer_params params = {
        .rows = 20, .types = true, .decimal = size % 3 == 0, .bytes_max = 1 << 16};
    struct hr_format_opts opts;
    if (hr_format_opts_init(&opts, NULL) != 0) {
        abort();
    }
    const struct hr_format *told = hr_format_by_probe(data, size);
    for (size_t i = 0; i < count; i++) {
        struct hr_schema *a = NULL;
        struct hr_schema *b = NULL;
        if (formats[i]->missing != NULL) {
            continue;
        }
        const bool random = (formats[i]->flags & HR_FMT_RANDOM) != 0;
        const int rc = infer(formats[i], &opts, &params, data, size, 0, &a);
        const int again =
            infer(formats[i], &opts, &params, data, size, random ? 0 : 1 + size % 29, &b);
        const bool packed = hr_codec_by_magic(data, size) != NULL;
        if (!packed && (rc != again || (rc == 0 && !hr_schema_equal(a, b)))) {
            fprintf(stderr, "fuzz_infer: %s: %d and %d in other slices\n", formats[i]->name, rc,
                    again);
            abort();
        }
        if (rc == 0 && formats[i] == told) {
            read_some(told, &opts, a, data, size);
        }
        hr_schema_unref(a);
        hr_schema_unref(b);
    }
    hr_format_opts_release(&opts);
    return 0;
}
