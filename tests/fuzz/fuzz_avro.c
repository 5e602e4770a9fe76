/* tests/fuzz/fuzz_avro.c - any bytes as an Avro container file: read whole, read without any
 * column, and read in two splits. Nothing may crash or grow without bound, and where the whole is
 * read the others must find the same number of rows. */
#include <stdlib.h>

#include "format/format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Rows read, or -1 on an error. first, end: where the blocks read began and ended. */
static int64_t count_rows(const uint8_t *data, size_t size, const struct hr_read_params *params,
                          int64_t *first, int64_t *end) {
    struct hr_error err;
    struct hr_reader *reader = NULL;
    struct hr_batch *batch;
    int64_t rows = 0;
    size_t from = params->split_begin > 0 ? (size_t)params->split_begin - 1 : 0;
    struct hr_source *src = hr_source_mem("input", data + from, size - from, 1 + size % 301);
    if (src == NULL) {
        return -1;
    }
    src->size = (int64_t)size;
    int rc = hr_format_avro.open(src, NULL, params, &reader, &err);
    while (rc == 0) {
        rc = hr_reader_next(reader, &batch, &err);
        rows += rc == 0 ? batch->len : 0;
        if (rc == 0 && batch->len <= 0) {
            abort();
        }
    }
    if (rc == HR_E_INTERNAL || (rc < 0 && (err.code != rc || err.message[0] == '\0'))) {
        abort();
    }
    if (reader != NULL) {
        *first = reader->first_record;
        *end = reader->end_record;
    }
    hr_reader_close(reader);
    hr_source_close(src);
    return rc == HR_END ? rows : -1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const struct hr_read_params whole = {.split_end = -1, .batch_rows = 100, .want_rows = true};
    int64_t at = -1;
    int64_t end = -1;
    int64_t rows = count_rows(data, size, &whole, &at, &end);
    struct hr_schema *none = hr_schema_new(0);
    const struct hr_read_params bare = {.want = none, .split_end = -1};
    int64_t bare_rows = count_rows(data, size, &bare, &at, &end);
    if (rows >= 0 && bare_rows != rows) {
        abort();
    }
    hr_schema_unref(none);

    struct hr_layout layout = {0};
    struct hr_source *src = hr_source_mem("input", data, size, 0);
    if (src != NULL && hr_format_avro.layout(src, NULL, &layout, NULL) == 0 && size > 2) {
        struct hr_read_params part = {.split_end = (int64_t)size / 2};
        int64_t first = count_rows(data, size, &part, &at, &end);
        int64_t border = end;
        part.split_begin = part.split_end;
        part.split_end = -1;
        part.header = &layout.header;
        int64_t second = count_rows(data, size, &part, &at, &end);
        /* Where the second part guessed wrong, the borders tell and it would be read again. */
        bool agree = at < 0 || border < 0 || at == border;
        if (agree && rows >= 0 && first >= 0 && second >= 0 && first + second != rows) {
            abort();
        }
    }
    hr_layout_release(&layout);
    hr_source_close(src);
    return 0;
}
