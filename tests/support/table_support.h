/* tests/support/table_support.h - random tables for property tests. */
#ifndef HR_TEST_TABLE_SUPPORT_H
#define HR_TEST_TABLE_SUPPORT_H

#include "format_support.h"

/* How wild the values are. */
struct test_table_conf {
    bool specials; /* NaN and infinities */
    int null_rate; /* percent; column i of every third is without nulls, one in seven all null */
};

/* Fill an empty batch with `rows` random values of its schema's types; deterministic in *seed. */
void test_fill_batch(struct hr_batch *batch, int64_t rows, const struct test_table_conf *conf,
                     uint64_t *seed);

/* Encode the batches (a put each, in order) into a whole file. */
void test_write_file_of(const struct hr_format *format, struct hr_schema *schema,
                        const struct hr_write_opts *opts, struct hr_batch *const *batches,
                        size_t count, struct hr_buf *out);

#endif
