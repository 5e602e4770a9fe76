/* tests/fuzz/fuzz_text.c - lines from any bytes in several encodings: read whole, in tiny slices
 * and in two splits, the lines must be the same; bad ones are counted alike. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format_support.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int count_bad(void *user, const struct hr_reject *what, struct hr_error *err) {
    (void)what;
    (void)err;
    ++*(int64_t *)user;
    return 0;
}

static int read_part(const struct hr_format_opts *opts, struct hr_slice file, int64_t begin,
                     int64_t end, size_t chunk, struct hr_buf *out, int64_t *bad) {
    struct hr_schema *schema = hr_schema_new(1);
    struct hr_error err;
    struct hr_reader *reader = NULL;
    struct hr_batch *batch;
    if (schema == NULL ||
        hr_field_init(&schema->fields[0], "line", 4, hr_type(HR_T_UTF8), 0) != 0) {
        abort();
    }
    const struct hr_read_params params = {.want = schema,
                                          .split_begin = begin,
                                          .split_end = end,
                                          .cell_max = 1 << 20,
                                          .reject = count_bad,
                                          .reject_user = bad};
    const size_t skip = begin > 0 ? (size_t)begin - 1 : 0;
    struct hr_source *src = hr_source_mem("fuzz", file.ptr + skip, file.len - skip, chunk);
    hr_error_clear(&err);
    int rc = hr_format_text.open(src, opts, &params, &reader, &err);
    while (rc == 0 && (rc = hr_reader_next(reader, &batch, &err)) == 0) {
        for (int64_t i = 0; i < batch->len; i++) {
            const struct hr_slice line = hr_vec_slice(&batch->vecs[0], i);
            if (hr_buf_append(out, line.ptr, line.len, NULL) != 0 ||
                hr_buf_append_byte(out, '\n', NULL) != 0) {
                abort();
            }
        }
    }
    if (rc < 0 && err.message[0] == '\0') {
        abort();
    }
    hr_reader_close(reader);
    hr_source_close(src);
    hr_schema_unref(schema);
    return rc;
}

static void same(const struct hr_buf *a, const struct hr_buf *b) {
    if (!hr_slice_eq(hr_buf_slice(a), hr_buf_slice(b))) {
        fprintf(stderr, "fuzz_text: two readings differ\n");
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static char encodings[][12] = {"utf-8", "latin1", "utf-16", "shift_jis"};
    if (size < 2) {
        return 0;
    }
    const struct hr_format_opts opts = {.csv = {.encoding = encodings[data[0] & 3]}};
    const struct hr_slice file = hr_slice_of(data + 2, size - 2);
    struct hr_buf whole, pieces, parts;
    int64_t bad[3] = {0};
    hr_buf_init(&whole, 0);
    hr_buf_init(&pieces, 0);
    hr_buf_init(&parts, 0);
    const int rc = read_part(&opts, file, 0, -1, 0, &whole, &bad[0]);
    const int again = read_part(&opts, file, 0, -1, 1 + data[1] % 17, &pieces, &bad[1]);
    if (rc != again || bad[0] != bad[1]) {
        fprintf(stderr, "fuzz_text: %d and %d, %lld and %lld bad\n", rc, again, (long long)bad[0],
                (long long)bad[1]);
        abort();
    }
    if (rc == HR_END) {
        same(&whole, &pieces);
    }
    /* Splits are for what layout allows. */
    struct hr_layout layout = {0};
    struct hr_source *src = hr_source_mem("fuzz", file.ptr, file.len, 0);
    if (file.len > 4 && rc == HR_END && hr_format_text.layout(src, &opts, &layout, NULL) == 0 &&
        layout.splittable) {
        const int64_t at = 4 + (int64_t)(data[1] * 7u % (file.len - 4)); /* behind any mark */
        const int first = read_part(&opts, file, 0, at, 3, &parts, &bad[2]);
        const int second = read_part(&opts, file, at, -1, 0, &parts, &bad[2]);
        if (first != HR_END || second != HR_END || bad[2] != bad[0]) {
            fprintf(stderr, "fuzz_text: splits end with %d and %d\n", first, second);
            abort();
        }
        same(&whole, &parts);
    }
    hr_layout_release(&layout);
    hr_source_close(src);
    hr_buf_release(&whole);
    hr_buf_release(&pieces);
    hr_buf_release(&parts);
    return 0;
}
