/* tests/unit/parquet/pq_drain.h - read a Parquet source to its end, checking that every batch is
 * well formed: what a consumer may rely on, whatever the file held. */
#ifndef HR_TEST_PQ_DRAIN_H
#define HR_TEST_PQ_DRAIN_H

#include "batch/vec.h"
#include "format/format.h"
#include "support.h"

struct drain_result {
    int rc; /* HR_END became 0 */
    int64_t rows;
    uint64_t sum; /* every value was touched */
    struct hr_error err;
};

static void drain_vec(const struct hr_vec *vec, struct drain_result *res) {
    const struct hr_type t = vec->field->type;
    int64_t nulls = 0;
    for (int64_t i = 0; vec->validity != NULL && i < vec->len; i++) {
        nulls += !hr_bit_get(vec->validity, i);
    }
    assert_int_equal(nulls, vec->nulls);
    if (hr_type_bytes(t) || t.id == HR_T_LIST || t.id == HR_T_MAP) {
        assert_true(vec->len == 0 || vec->offsets != NULL);
        int32_t before = 0;
        for (int64_t i = 0; i <= vec->len && vec->offsets != NULL; i++) {
            assert_true(vec->offsets[i] >= before);
            before = vec->offsets[i];
        }
        if (hr_type_bytes(t)) {
            assert_int_equal(before, vec->data_len);
            for (size_t i = 0; i < vec->data_len; i++) {
                res->sum += vec->data[i];
            }
        } else {
            assert_int_equal(before, vec->children[0].len);
        }
    } else if (t.id == HR_T_STRUCT) {
        for (int i = 0; i < vec->n_children; i++) {
            assert_int_equal(vec->children[i].len, vec->len);
        }
    } else {
        const size_t bytes = t.id == HR_T_BOOL ? ((size_t)vec->len + 7) / 8
                                               : (size_t)vec->len * (size_t)hr_type_width(t);
        for (size_t i = 0; i < bytes; i++) {
            res->sum += vec->data[i];
        }
    }
    for (int i = 0; i < vec->n_children; i++) {
        drain_vec(&vec->children[i], res);
    }
}

static inline struct drain_result drain(struct hr_source *src,
                                        const struct hr_read_params *params) {
    static const struct hr_format_opts opts;
    struct drain_result res = {0};
    struct hr_reader *reader = NULL;
    struct hr_batch *batch;
    res.rc = hr_format_parquet.open(src, &opts, params, &reader, &res.err);
    while (res.rc == 0) {
        res.rc = hr_reader_next(reader, &batch, &res.err);
        if (res.rc == 0) {
            assert_true(batch->len > 0);
            res.rows += batch->len;
            for (int i = 0; i < batch->schema->n_fields; i++) {
                assert_int_equal(batch->vecs[i].len, batch->len);
                drain_vec(&batch->vecs[i], &res);
            }
        }
    }
    hr_reader_close(reader);
    res.rc = res.rc == HR_END ? 0 : res.rc;
    return res;
}

#endif
