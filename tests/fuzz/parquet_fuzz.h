/* tests/fuzz/parquet_fuzz.h - a Parquet file read from memory in batches of any size: how it ended,
 * how many rows, and a sum of every value with its place, for targets to compare. */
#ifndef PARQUET_FUZZ_H
#define PARQUET_FUZZ_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ROWS_MAX 100000 /* a few bytes can stand for any number of nulls */

struct outcome {
    int rc;
    int64_t rows;
    uint64_t sum;
    bool cut; /* stopped at ROWS_MAX */
};

static void must(bool ok, const char *what) {
    if (!ok) {
        fprintf(stderr, "broken: %s\n", what);
        abort();
    }
}

static uint64_t mix(uint64_t sum, uint64_t value) {
    return (sum ^ value) * UINT64_C(0x9e3779b97f4a7c15) + 1;
}

/* Fold one value into the sum; also what must hold of every column. */
static uint64_t fold(const struct hr_vec *vec, int64_t i, uint64_t sum) {
    const struct hr_type t = vec->field->type;
    if (!hr_vec_valid(vec, i) || t.id == HR_T_NULL) {
        return mix(sum, 1);
    }
    if (t.id == HR_T_BOOL) {
        return mix(sum, 2 + hr_bit_get(vec->data, i));
    }
    if (t.id == HR_T_STRUCT) {
        for (int c = 0; c < vec->n_children; c++) {
            sum = fold(&vec->children[c], i, sum);
        }
        return mix(sum, 5);
    }
    if (vec->offsets != NULL) {
        must(vec->offsets[i] >= 0 && vec->offsets[i] <= vec->offsets[i + 1], "offsets go back");
        for (int32_t k = vec->offsets[i]; k < vec->offsets[i + 1]; k++) {
            sum = vec->n_children > 0 ? fold(&vec->children[0], k, sum) : mix(sum, vec->data[k]);
        }
        return mix(sum, 6);
    }
    const size_t width = (size_t)hr_type_width(t);
    for (size_t k = 0; k < width; k++) {
        sum = mix(sum, vec->data[(size_t)i * width + k]);
    }
    return sum;
}

static void check_lengths(const struct hr_vec *vec) {
    const bool list = vec->field->type.id == HR_T_LIST || vec->field->type.id == HR_T_MAP;
    for (int c = 0; c < vec->n_children; c++) {
        must(vec->children[c].len == (list ? vec->offsets[vec->len] : vec->len),
             "a child has another length");
        check_lengths(&vec->children[c]);
    }
}

static struct outcome read_all(const uint8_t *data, size_t size, int64_t batch_rows,
                               const struct hr_prune *prune) {
    const struct hr_format_opts opts = {0};
    const struct hr_read_params params = {
        .group_end = -1, .batch_rows = batch_rows, .cell_max = 1 << 20, .prune = prune};
    struct outcome o = {0};
    struct hr_error err;
    struct hr_reader *reader = NULL;
    struct hr_batch *batch;
    struct hr_source *src = hr_source_mem("fuzz", data, size, 0);
    must(src != NULL, "no source");
    o.rc = hr_format_parquet.open(src, &opts, &params, &reader, &err);
    while (o.rc == 0 && !o.cut) {
        o.rc = hr_reader_next(reader, &batch, &err);
        for (int c = 0; o.rc == 0 && c < batch->schema->n_fields; c++) {
            must(batch->vecs[c].len == batch->len && batch->len > 0, "a column of another length");
            check_lengths(&batch->vecs[c]);
            for (int64_t i = 0; i < batch->len; i++) {
                const uint64_t place = ((uint64_t)o.rows + (uint64_t)i) * 1000 + (uint64_t)c;
                o.sum += fold(&batch->vecs[c], i, place);
            }
        }
        o.rows += o.rc == 0 ? batch->len : 0;
        o.cut = o.rows > ROWS_MAX;
    }
    must(o.rc >= 0 || err.message[0] != '\0', "an error without words");
    hr_reader_close(reader);
    hr_source_close(src);
    return o;
}

#endif
