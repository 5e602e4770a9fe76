/* tests/fuzz/fuzz_parquet - any bytes as a Parquet file: read in large batches by the vector
 * kernels and in tiny batches by the portable ones, both must end alike and see the same values;
 * read with a filter for pruning, nothing may break. */
#include "base/cpu.h"
#include "parquet_fuzz.h"

/* A filter on the file's first column, so that statistics and indexes are looked at. */
static void read_pruned(const uint8_t *data, size_t size) {
    static const char *const values[] = {"1", "7"};
    const struct hr_format_opts opts = {0};
    const struct hr_infer_params infer = {0};
    struct hr_schema *schema = NULL;
    struct hr_source *src = hr_source_mem("fuzz", data, size, 0);
    must(src != NULL, "no source");
    if (hr_format_parquet.infer(src, &opts, &infer, &schema, NULL) == 0) {
        for (int c = 0; c < schema->n_fields && c < 4; c++) {
            const struct hr_prune_term terms[] = {
                {schema->fields[c].name, HR_CMP_IN, values, 2},
                {schema->fields[c].name, size % 2 ? HR_CMP_GE : HR_CMP_LT, values, 1},
            };
            const struct hr_prune_and and_ = {terms, size % 3 ? 1 : 2};
            const struct hr_prune prune = {&and_, 1};
            read_all(data, size, 0, &prune);
        }
    }
    hr_schema_unref(schema);
    hr_source_close(src);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct hr_cpu scalar = {0};
    const struct outcome a = read_all(data, size, 0, NULL);
    hr_cpu_override(&scalar);
    const struct outcome b = read_all(data, size, 5, NULL);
    hr_cpu_override(NULL);
    if (a.rc == HR_END) {
        must(b.rc == HR_END && a.rows == b.rows && a.sum == b.sum, "two reads, two results");
    } else if (!a.cut) {
        must(b.rc < 0 || b.cut, "an error in large batches only");
    }
    read_pruned(data, size);
    return 0;
}
