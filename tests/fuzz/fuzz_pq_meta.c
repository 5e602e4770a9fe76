/* tests/fuzz/fuzz_pq_meta.c - any bytes as each struct of Parquet's metadata: the footer without a
 * file around it (then its columns, its bounds and what a filter makes of them), page headers, page
 * indexes, the header of a Bloom filter. The first byte chooses; refused in words or whole. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "format/parquet/pq_bound.h"
#include "format/parquet/pq_prune.h"
#include "format/parquet/pq_schema.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok) {
    if (!ok) {
        abort();
    }
}

/* Statistics of every chunk against a literal. */
static void try_bounds(const struct hr_pq_file *file, const struct hr_pq_schema *schema) {
    static const char *const literals[] = {"7", "2024-02-29", "x"};
    uint8_t room[32];
    for (int i = 0; i < schema->n_leaves; i++) {
        struct hr_pq_pcolumn column;
        struct hr_pq_value value;
        struct hr_slice plain;
        hr_pq_pcolumn_init(&column, file, schema->leaves[i].ordinal, schema->leaves[i].element);
        const char *text = literals[i % 3];
        if (!hr_pq_literal(&column, text, &value)) {
            continue;
        }
        (void)hr_pq_plain_bytes(&column, &value, room, &plain);
        struct hr_pq_term term = {
            .column = column, .cmp = HR_CMP_LE, .values = &value, .texts = &text, .count = 1};
        for (size_t g = 0; g < file->n_groups; g++) {
            struct hr_pq_bounds bounds;
            if ((size_t)column.ordinal < file->groups[g].n_columns) {
                hr_pq_chunk_bounds(&column, &file->groups[g].columns[column.ordinal], &bounds);
                (void)hr_pq_may_match(&term, &bounds);
            }
        }
    }
}

static void try_file(struct hr_slice in, struct hr_arena *arena) {
    struct hr_pq_file file;
    struct hr_pq_schema schema = {0};
    struct hr_error err;
    const struct hr_parquet_opts opts = {0};
    hr_error_clear(&err);
    if (hr_pq_file_decode(in, arena, &file, &err) != 0) {
        must(err.code < 0 && err.message[0] != '\0');
        return;
    }
    (void)hr_pq_int96_is_micros(&file);
    if (hr_pq_schema_build(&file, &opts, NULL, &schema, &err) != 0) {
        must(err.code < 0 && err.message[0] != '\0');
        return;
    }
    must(schema.n_leaves <= schema.n_file_leaves);
    struct hr_buf text;
    hr_buf_init(&text, 0);
    for (int i = 0; i < schema.schema->n_fields; i++) {
        must(hr_field_type_text(&schema.schema->fields[i], &text, NULL) == 0);
    }
    hr_buf_release(&text);
    try_bounds(&file, &schema);
    hr_pq_schema_release(&schema);
}

static void try_indexes(struct hr_slice in, struct hr_arena *arena) {
    struct hr_pq_offset_index offsets;
    struct hr_pq_column_index index;
    struct hr_error err;
    hr_error_clear(&err);
    must(hr_pq_offset_index_decode(in, arena, &offsets, &err) == 0 || err.message[0] != '\0');
    if (hr_pq_column_index_decode(in, arena, &index, &err) != 0) {
        return;
    }
    const struct hr_pq_element element = {.type = HR_PQ_INT32, .converted = HR_PQ_CONV_NONE};
    struct hr_pq_file file = {0};
    struct hr_pq_pcolumn column;
    hr_pq_pcolumn_init(&column, &file, 0, &element);
    for (size_t i = 0; i < index.n_pages; i++) {
        struct hr_pq_bounds bounds;
        hr_pq_page_bounds(&column, &index, i, 10, &bounds);
    }
}

static void try_headers(struct hr_slice in) {
    struct hr_pq_page_header page;
    struct hr_pq_bloom_header bloom;
    struct hr_error err;
    size_t used = 0;
    hr_error_clear(&err);
    int rc = hr_pq_page_header_decode(in, &page, &used, &err);
    must(rc == HR_MORE || (rc == 0 && used <= in.len) || (rc < 0 && err.message[0] != '\0'));
    rc = hr_pq_bloom_header_decode(in, &bloom, &used, &err);
    must(rc == HR_MORE || (rc == 0 && used <= in.len) || rc < 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct hr_arena arena;
    if (size < 1 || size > 16384) {
        return 0;
    }
    uint8_t *copy = hr_malloc(size - 1); /* exactly: reading on is seen */
    if (size > 1) {
        memcpy(copy, data + 1, size - 1);
    }
    const struct hr_slice in = hr_slice_of(copy, size - 1);
    hr_arena_init(&arena, (size_t)64 << 20);
    switch (data[0] % 3) {
    case 0: try_file(in, &arena); break;
    case 1: try_indexes(in, &arena); break;
    default: try_headers(in); break;
    }
    hr_arena_release(&arena);
    hr_free(copy);
    return 0;
}
