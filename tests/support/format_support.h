/* tests/support/format_support.h - formats in tests: schemas by text, rows as text, readers over
 * memory in slices of any size. */
#ifndef HR_TEST_FORMAT_SUPPORT_H
#define HR_TEST_FORMAT_SUPPORT_H

#include "format/format.h"
#include "support.h"

/* "a: int64, b: utf8, c: timestamp[us, utc]" -> a schema the caller unrefs. */
struct hr_schema *test_schema_of(const char *text);
/* The reverse, into a static buffer. */
const char *test_schema_text(const struct hr_schema *schema);

/* One line per row, cells by '|', null as <null>, text as hr_vec_text shows it. */
void test_dump_batch(const struct hr_batch *batch, struct hr_buf *out);

/* Read all of `text` through the format. params->want may be NULL: inferred first. Rows go to `out`
 * (initialised here), the reader's counts to *counts (may be NULL). Returns the code next ended
 * with (HR_END, HR_WIDEN or an error). `needs`: text of the schema after HR_WIDEN, may be NULL. */
struct test_counts {
    int64_t rows, nulled, rejected, first_record, end_record, batches;
    char needs[2000];
};
int test_read_all(const struct hr_format *format, const struct hr_format_opts *opts,
                  const struct hr_read_params *params, struct hr_slice text, size_t chunk,
                  struct hr_buf *out, struct test_counts *counts, struct hr_error *err);

/* Two batches hold the same values? (values, nulls; not buffers) */
bool test_vec_equal(const struct hr_vec *a, const struct hr_vec *b);

#endif
