/* tests/unit/avro/test_avro_oracle.c - files that fastavro wrote (tests/data/avro/make.py) and the
 * files of the avro-interop corpus, read to the values that other readers found. */
#include "support.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>

#include "base/hash.h"
#include "format/format.h"

static int read_equal, refused, counted;

/* ---- comparing a value with what the oracle says ---- */

static bool same_value(const struct hr_vec *vec, int64_t i, const json_t *want);

static bool same_bytes(struct hr_slice got, const char *want) {
    char hex[4096];
    if (want == NULL || strncmp(want, "x:", 2) != 0 || got.len * 2 + 1 > sizeof(hex)) {
        return false;
    }
    hr_hex(got.ptr, got.len, hex);
    return strcmp(hex, want + 2) == 0;
}

static bool same_text(const struct hr_vec *vec, int64_t i, const char *want) {
    struct hr_buf buf;
    hr_buf_init(&buf, 0);
    assert_int_equal(hr_vec_text(vec, i, &buf, NULL), 0);
    bool same = want != NULL && hr_slice_eq_str(hr_buf_slice(&buf), want);
    hr_buf_release(&buf);
    return same;
}

static bool same_list(const struct hr_vec *vec, int64_t i, const json_t *want) {
    int32_t from = vec->offsets[i];
    int32_t count = vec->offsets[i + 1] - from;
    bool same = json_is_array(want) && json_array_size(want) == (size_t)count;
    for (int32_t k = 0; same && k < count; k++) {
        same = same_value(&vec->children[0], from + k, json_array_get(want, (size_t)k));
    }
    return same;
}

static bool same_map(const struct hr_vec *vec, int64_t i, const json_t *want) {
    const struct hr_vec *entries = &vec->children[0];
    int32_t from = vec->offsets[i];
    int32_t count = vec->offsets[i + 1] - from;
    bool same = json_is_object(want) && json_object_size(want) == (size_t)count;
    for (int32_t k = from; same && k < from + count; k++) {
        char key[100] = "";
        struct hr_slice text = hr_vec_slice(&entries->children[0], k);
        memcpy(key, text.ptr, text.len);
        same = same_value(&entries->children[1], k, json_object_get(want, key));
    }
    return same;
}

static bool same_struct(const struct hr_vec *vec, int64_t i, const json_t *want) {
    bool record = json_is_object(want);
    for (int c = 0; record && c < vec->n_children; c++) {
        record = json_object_get(want, vec->children[c].field->name) != NULL;
    }
    int set = 0;
    bool same = true;
    for (int c = 0; c < vec->n_children; c++) {
        const struct hr_vec *child = &vec->children[c];
        if (record) {
            same = same && same_value(child, i, json_object_get(want, child->field->name));
        } else if (hr_vec_valid(child, i)) { /* a union: its one branch */
            same = same && same_value(child, i, want);
            set++;
        }
    }
    return same && (record || set == 1);
}

static bool same_value(const struct hr_vec *vec, int64_t i, const json_t *want) {
    if (want == NULL) {
        return false;
    }
    if (vec->field->type.id == HR_T_NULL || !hr_vec_valid(vec, i)) {
        return json_is_null(want);
    }
    const char *text = json_string_value(want);
    switch ((enum hr_type_id)vec->field->type.id) {
    case HR_T_BOOL: return json_is_boolean(want) && hr_vec_i64(vec, i) == json_is_true(want);
    case HR_T_F32:
        return ((const float *)(const void *)vec->data)[i] == (float)json_number_value(want);
    case HR_T_F64: return ((const double *)(const void *)vec->data)[i] == json_number_value(want);
    case HR_T_UTF8: return text != NULL && hr_slice_eq_str(hr_vec_slice(vec, i), text);
    case HR_T_BINARY: return same_bytes(hr_vec_slice(vec, i), text);
    case HR_T_FIXED: {
        size_t width = (size_t)vec->field->type.width;
        return same_bytes(hr_slice_of(vec->data + (size_t)i * width, width), text);
    }
    case HR_T_DEC128:
    case HR_T_DEC256: return same_text(vec, i, text);
    case HR_T_LIST: return same_list(vec, i, want);
    case HR_T_MAP: return same_map(vec, i, want);
    case HR_T_STRUCT: return same_struct(vec, i, want);
    default: return json_is_integer(want) && hr_vec_i64(vec, i) == json_integer_value(want);
    }
}

/* ---- a file ---- */

static bool same_row(const struct hr_batch *batch, int64_t i, const json_t *want) {
    bool bare = batch->schema->n_fields == 1 && strcmp(batch->schema->fields[0].name, "value") == 0;
    bool same = true;
    for (int c = 0; c < batch->schema->n_fields; c++) {
        const char *name = batch->schema->fields[c].name;
        same = same && same_value(&batch->vecs[c], i, bare ? want : json_object_get(want, name));
    }
    return same;
}

/* Reads all rows; want NULL: only counted. */
static int64_t check_rows(const char *path, const struct hr_buf *bytes, size_t chunk,
                          const json_t *want) {
    struct hr_error err;
    struct hr_reader *reader = NULL;
    struct hr_batch *batch;
    int64_t rows = 0;
    int rc;
    struct hr_source *src = hr_source_mem(path, bytes->ptr, bytes->len, chunk);
    const struct hr_read_params params = {.split_end = -1, .batch_rows = 7};
    assert_rc(hr_format_avro.open(src, NULL, &params, &reader, &err), 0, &err);
    while ((rc = hr_reader_next(reader, &batch, &err)) == 0) {
        for (int64_t i = 0; want != NULL && i < batch->len; i++) {
            if (!same_row(batch, i, json_array_get(want, (size_t)(rows + i)))) {
                fail_msg("%s: row %lld differs", path, (long long)(rows + i));
            }
        }
        rows += batch->len;
    }
    assert_rc(rc, HR_END, &err);
    hr_reader_close(reader);
    hr_source_close(src);
    return rows;
}

static void check_refused(const char *path, const struct hr_buf *bytes, const char *word) {
    struct hr_error err;
    struct hr_reader *reader = NULL;
    struct hr_source *src = hr_source_mem(path, bytes->ptr, bytes->len, 0);
    const struct hr_read_params params = {.split_end = -1};
    int rc = hr_format_avro.open(src, NULL, &params, &reader, &err);
    assert_true(rc == HR_E_UNSUPPORTED || rc == HR_E_BOUND);
    if (strstr(err.message, word) == NULL) {
        fail_msg("%s: '%s' is not in: %s", path, word, err.message);
    }
    assert_string_equal(err.object, path);
    hr_source_close(src);
}

/* ---- fastavro's files ---- */

static void one_file(const char *path, void *user) {
    (void)user;
    size_t len = strlen(path);
    if (len < 5 || strcmp(path + len - 5, ".avro") != 0) {
        return;
    }
    char expected[300];
    const char *name = strrchr(path, '/') + 1;
    snprintf(expected, sizeof(expected), "%.*s.json",
             (int)(name - path + (strchr(name, '.') - name)), path);
    json_t *json = json_load_file(expected, 0, NULL);
    assert_non_null(json);
    struct hr_buf bytes;
    test_read_file(path, &bytes);
    const char *word = json_string_value(json_object_get(json, "refused"));
    const json_t *records = json_object_get(json, "records");
    if (word != NULL) {
        check_refused(path, &bytes, word);
        refused++;
    } else {
        for (size_t chunk = 0; chunk < 300; chunk = chunk * 4 + 1) {
            assert_int_equal(check_rows(path, &bytes, chunk, records), json_array_size(records));
        }
        read_equal++;
    }
    hr_buf_release(&bytes);
    json_decref(json);
}

static void test_fastavro(void **state) {
    (void)state;
    read_equal = refused = 0;
    test_each_file("tests/data/avro", one_file, NULL);
    printf("files of fastavro: %d read equal, %d refused as documented\n", read_equal, refused);
    assert_int_equal(read_equal, 12);
    assert_int_equal(refused, 3);
}

/* ---- the corpus ---- */

static void corpus_file(const char *name, const json_t *facts) {
    char relative[300];
    snprintf(relative, sizeof(relative), "avro-interop/%s", name);
    const char *path = test_corpus(relative);
    assert_non_null(path);
    struct hr_buf bytes;
    test_read_file(path, &bytes);
    const json_t *rows = json_object_get(facts, "rows");
    if (rows == NULL) {
        check_refused(path, &bytes, "before 1.3");
        refused++;
    } else {
        const json_t *records = json_object_get(facts, "records");
        assert_int_equal(check_rows(path, &bytes, 100, records), json_integer_value(rows));
        counted += records == NULL;
        read_equal += records != NULL;
    }
    hr_buf_release(&bytes);
}

static void test_corpus_files(void **state) {
    (void)state;
    const char *path = test_corpus("avro-interop/expected.json");
    if (path == NULL) {
        test_skip_corpus("avro-interop", 15);
        return;
    }
    read_equal = refused = counted = 0;
    json_t *json = json_load_file(path, 0, NULL);
    assert_non_null(json);
    const char *name;
    json_t *facts;
    json_object_foreach(json_object_get(json, "files"), name, facts) {
        corpus_file(name, facts);
    }
    json_decref(json);
    printf("avro-interop: %d read equal, %d by number of rows, %d refused as documented\n",
           read_equal, counted, refused);
    assert_int_equal(read_equal + counted + refused, 15);
    assert_int_equal(refused, 1);
}

static int teardown(void **state) {
    (void)state;
    hr_codec_thread_release();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fastavro),
        cmocka_unit_test(test_corpus_files),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
