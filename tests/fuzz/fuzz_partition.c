/* Paths of partitions from hostile patterns and values: whatever comes in, a path stays below its
 * folder and every name in it is one a file system and a store take.
 *
 * Input: pattern NUL value. Values are cut into three rows of a text and a binary column. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "transform/partition.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds, const char *what) {
    if (!holds) {
        fprintf(stderr, "broken: %s\n", what);
        abort();
    }
}

static void check_path(const char *path, bool hive) {
    const size_t len = strlen(path);
    must(len <= HR_PARTITION_PATH_MAX + 1, "path too long");
    must(path[0] != '/', "absolute path");
    must(len == 0 || path[len - 1] == '/', "path is not closed");
    while (*path != '\0') {
        const size_t n = strcspn(path, "/");
        must(n > 0, "empty name");
        must(n <= HR_PARTITION_NAME_MAX, "name too long");
        must(path[0] != '.', "hidden name");
        must(!hive || memchr(path, '=', n) != NULL, "no name=value");
        for (size_t i = 0; i < n; i++) {
            must((uint8_t)path[i] >= 0x20 && path[i] != '\\' && path[i] != 0x7f,
                 "byte that should be escaped");
        }
        path += n + 1;
    }
}

static struct hr_batch *make_batch(const uint8_t *value, size_t len) {
    struct hr_schema *schema = hr_schema_new(3);
    struct hr_batch *batch = NULL;
    must(schema != NULL, "no memory");
    must(hr_field_init(&schema->fields[0], "a", 1, hr_type(HR_T_UTF8), 0) == 0 &&
             hr_field_init(&schema->fields[1], "b", 1, hr_type(HR_T_BINARY), 0) == 0 &&
             hr_field_init(&schema->fields[2], "n", 1, hr_type(HR_T_I64), 0) == 0,
         "no memory");
    must(hr_batch_new(schema, &batch, NULL) == 0, "no memory");
    hr_schema_unref(schema);
    for (size_t i = 0; i < 3; i++) {
        const size_t at = len * i / 3;
        const size_t n = len * (i + 1) / 3 - at;
        must(hr_vec_append_bytes(&batch->vecs[0], value + at, n, NULL) == 0 &&
                 hr_vec_append_bytes(&batch->vecs[1], value, at + n, NULL) == 0 &&
                 hr_vec_append_i64(&batch->vecs[2], (int64_t)at, NULL) == 0,
             "no memory");
    }
    batch->len = 3;
    return batch;
}

static void run(const struct hr_partition_spec *spec, const struct hr_batch *batch) {
    struct hr_partition *p = NULL;
    int64_t rows = 0;
    if (hr_partition_new(spec, batch->schema, 1, &p, NULL) != 0) {
        return;
    }
    if (hr_partition_put(p, batch, NULL) == 0) {
        const char *folder;
        const struct hr_batch *out;
        bool last;
        while (hr_partition_next(p, &folder, &out, &last, NULL) == 0) {
            check_path(folder, spec->hive);
            rows += out->len;
        }
        must(rows == batch->len, "rows were lost");
    }
    hr_partition_free(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const uint8_t *end = memchr(data, 0, size);
    const size_t pattern_len = end ? (size_t)(end - data) : size;
    char *pattern = hr_strndup((const char *)data, pattern_len);
    struct hr_batch *batch = make_batch(end ? end + 1 : data, end ? size - pattern_len - 1 : 0);
    struct hr_partition_spec *spec = NULL;
    must(pattern != NULL, "no memory");
    if (hr_partition_regex(pattern, 1700000000000000, 100, &spec, NULL) == 0 && spec != NULL) {
        run(spec, batch);
    }
    hr_partition_spec_free(spec);
    char a[] = "a";
    char b[] = "b";
    char *names[] = {a, b};
    const struct hr_strlist list = {.items = names, .count = 2};
    must(hr_partition_by(&list, 100, &spec, NULL) == 0, "partition_by failed");
    run(spec, batch);
    hr_partition_spec_free(spec);
    hr_batch_free(batch);
    hr_free(pattern);
    return 0;
}
