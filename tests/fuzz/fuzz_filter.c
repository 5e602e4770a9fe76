/* tests/fuzz/fuzz_filter.c - any bytes as a filter, as text and as JSON. What parses binds to a
 * table or is refused in words; what binds judges rows, each kept or not by itself: all rows at
 * once and one after the other give the same. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "table_support.h"
#include "transform/filter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ROWS = 19 };

static void must(bool ok) {
    if (!ok) {
        abort();
    }
}

/* Made once: its columns are those the dictionary names. */
static struct hr_batch *table(void) {
    static struct hr_batch *batch;
    if (batch == NULL) {
        uint64_t seed = 5;
        const struct test_table_conf conf = {.specials = true, .null_rate = 30};
        struct hr_schema *schema = test_schema_of(
            "a: int64, b: utf8, c: double, d: date, e: timestamp[us, utc], f: decimal(9,2), "
            "g: bool, h: binary, i: uint8, j: list<int32>, k: float, l: time[us], m: uint64");
        must(schema != NULL && hr_batch_new(schema, &batch, NULL) == 0);
        hr_schema_unref(schema);
        test_fill_batch(batch, ROWS, &conf, &seed);
    }
    return batch;
}

static void run(struct hr_filter *filter) {
    uint8_t whole[8 + HR_PAD];
    uint8_t single[8 + HR_PAD];
    struct hr_batch *batch = table();
    struct hr_bound_filter *bound = NULL;
    struct hr_error err;
    int64_t kept = 0;
    int64_t one = 0;
    int64_t sum = 0;
    size_t columns = 0;
    hr_error_clear(&err);
    (void)hr_filter_prune(filter);
    (void)hr_filter_columns(filter, &columns);
    if (hr_filter_bind(filter, batch->schema, &bound, &err) != 0) {
        must(err.code < 0 && err.message[0] != '\0');
        return;
    }
    const int rc = hr_bound_filter_run(bound, batch->vecs, batch->len, whole, &kept, &err);
    struct hr_batch *row = NULL;
    must(hr_batch_new(batch->schema, &row, NULL) == 0);
    for (int64_t i = 0; rc == 0 && i < batch->len; i++) {
        hr_batch_clear(row);
        for (int c = 0; c < batch->schema->n_fields; c++) {
            must(hr_vec_append_range(&row->vecs[c], &batch->vecs[c], i, 1, NULL) == 0);
        }
        must(hr_bound_filter_run(bound, row->vecs, 1, single, &one, NULL) == 0);
        must(one == hr_bit_get(single, 0) && one == hr_bit_get(whole, i));
        sum += one;
    }
    must(rc != 0 || sum == kept);
    hr_batch_free(row);
    hr_bound_filter_free(bound);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct hr_filter *filter = NULL;
    struct hr_error err;
    if (size > 4096) {
        return 0;
    }
    hr_error_clear(&err);
    char *text = hr_strndup((const char *)data, size);
    if (hr_filter_parse(text, &filter, &err) == 0) {
        run(filter);
        hr_filter_free(filter);
    } else {
        must(err.code < 0 && err.message[0] != '\0');
    }
    hr_free(text);
    json_t *json = json_loadb((const char *)data, size, JSON_DECODE_ANY, NULL);
    filter = NULL;
    if (json != NULL && hr_filter_from_json(json, &filter, &err) == 0 && filter != NULL) {
        run(filter);
    }
    if (json != NULL) {
        hr_filter_free(filter);
    }
    json_decref(json);
    return 0;
}
