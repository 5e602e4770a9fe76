/* tests/support/tables - generated tables for the tests of formats: every type, nulls, nesting. */
#ifndef HR_TEST_TABLES_H
#define HR_TEST_TABLES_H

#include "batch/vec.h"

/* A schema from "name type" texts as hr_field_parse_type reads them; a "!" in front of the type
 * makes the column not null; interval, enum and bson are understood besides. Fails the test on a
 * bad type. */
struct hr_schema *test_schema(const char *const *columns, size_t count);

/* Every type that batches know, flat and nested: about 50 columns. */
struct hr_schema *test_schema_all(void);
/* Without BSON, intervals and decimals over 38 digits, which not every program reads. */
struct hr_schema *test_schema_common(void);
/* Without times in seconds, which Parquet keeps as milliseconds. */
struct hr_schema *test_schema_no_seconds(void);

/* How the values of a column follow one another. */
enum test_values {
    TEST_FEW,    /* a handful of values in random order */
    TEST_MANY,   /* random */
    TEST_SORTED, /* ascending with repeats, common prefixes */
    TEST_RUNS,   /* long runs of equal values */
    TEST_VALUES_COUNT
};

/* Append `rows` random rows. Values and nulls depend on the seed and on each column's place, which
 * decides its enum test_values and its share of nulls: none, few, half, all. */
void test_fill(struct hr_batch *batch, int64_t rows, uint64_t *seed);
/* The same with one kind of values and nulls (in 256ths) for all columns. */
void test_fill_as(struct hr_batch *batch, int64_t rows, uint64_t *seed, enum test_values values,
                  int nulls);

/* All rows of src[from, to) as a fresh batch of the same schema. */
struct hr_batch *test_slice(const struct hr_batch *src, int64_t from, int64_t to);
/* Fails the test, naming column and row, unless the two hold the same values (NaN equals NaN; the
 * values behind nulls do not count). */
void test_assert_same(const struct hr_batch *a, const struct hr_batch *b);

#endif
