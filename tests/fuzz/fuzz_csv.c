/* tests/fuzz/fuzz_csv.c - CSV from any bytes under any options.
 *
 * The first bytes choose the dialect, the schema and the slices; the rest is the file. Two readings
 * with different machine forms and slice sizes must end alike and give the same rows; inference of
 * the same bytes must not crash.
 */
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "base/mem.h"
#include "format/format.h"
#include "support.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HEAD 4

static void require(bool ok) {
    if (!ok) {
        abort();
    }
}

static int skip_bad(void *user, const struct hr_reject *what, struct hr_error *err) {
    (void)err;
    *(int64_t *)user += what->line;
    return 0;
}

static struct hr_schema *schema_for(uint8_t pick) {
    static const enum hr_type_id kinds[] = {HR_T_I64, HR_T_F64,  HR_T_UTF8, HR_T_DATE32, HR_T_BOOL,
                                            HR_T_TS,  HR_T_NULL, HR_T_I8,   HR_T_BINARY};
    static const char *const names[] = {"a", "b", "c", "column_0", "column_1"};
    struct hr_schema *schema = hr_schema_new(5);
    for (size_t i = 0; schema != NULL && i < 5; i++) {
        struct hr_type type = hr_type(kinds[(pick + i * 2) % (sizeof(kinds) / sizeof(*kinds))]);
        type.unit = HR_U_US;
        require(hr_field_init(&schema->fields[i], names[i], strlen(names[i]), type, 0) == 0);
    }
    return schema;
}

/* The rows as text, and how it ended. */
static int read_all(const struct hr_format_opts *opts, const struct hr_read_params *params,
                    const uint8_t *data, size_t size, size_t chunk, struct hr_buf *out) {
    struct hr_source *src = hr_source_mem("fuzz", data, size, chunk);
    struct hr_reader *reader = NULL;
    struct hr_error err;
    require(src != NULL);
    int rc = hr_format_csv.open(src, opts, params, &reader, &err);
    while (rc == 0) {
        struct hr_batch *batch;
        rc = hr_reader_next(reader, &batch, &err);
        for (int64_t r = 0; rc == 0 && r < batch->len; r++) {
            for (int c = 0; c < batch->schema->n_fields; c++) {
                const struct hr_vec *vec = &batch->vecs[c];
                require(vec->len == batch->len);
                const bool null = vec->field->type.id == HR_T_NULL || !hr_vec_valid(vec, r);
                require(hr_buf_append_str(out, null ? "|-" : "|+", NULL) == 0);
                require(hr_vec_text(vec, r, out, NULL) == 0);
            }
        }
    }
    require(rc == HR_END || rc == HR_WIDEN || (rc < 0 && err.message[0] != '\0'));
    if (rc == HR_WIDEN) {
        require(reader->needs != NULL && !hr_schema_equal(reader->needs, params->want));
    }
    hr_reader_close(reader);
    hr_source_close(src);
    return rc;
}

static void compare(const struct hr_format_opts *opts, struct hr_read_params *params,
                    const uint8_t *data, size_t size, size_t chunk) {
    static const struct hr_cpu scalar = {0};
    struct hr_buf a;
    struct hr_buf b;
    int64_t bad_a = 0;
    int64_t bad_b = 0;
    hr_buf_init(&a, 0);
    hr_buf_init(&b, 0);
    params->reject_user = &bad_a;
    const int rc_a = read_all(opts, params, data, size, 0, &a);
    params->reject_user = &bad_b;
    hr_cpu_override(&scalar);
    const int rc_b = read_all(opts, params, data, size, chunk, &b);
    hr_cpu_override(NULL);
    require(rc_a == rc_b && bad_a == bad_b && hr_slice_eq(hr_buf_slice(&a), hr_buf_slice(&b)));
    hr_buf_release(&a);
    hr_buf_release(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static char delims[][4] = {",", "\t", ";", "||"};
    static char quote[] = "\"";
    static char none[] = "";
    static char slash[] = "\\";
    static char hash[] = "#";
    static char utf16[] = "utf-16";
    static char latin[] = "latin1";
    if (size < HEAD) {
        return 0;
    }
    const struct hr_format_opts opts = {.csv = {.delimiter = delims[data[0] & 3],
                                                .header = (data[0] & 4) == 0,
                                                .quote = data[0] & 8 ? none : quote,
                                                .escape = data[0] & 16 ? slash : NULL,
                                                .double_quote = (data[0] & 32) == 0,
                                                .comment = data[0] & 64 ? hash : NULL,
                                                .trim = (data[0] & 128) != 0,
                                                .encoding = (data[1] & 3) == 1   ? latin
                                                            : (data[1] & 3) == 2 ? utf16
                                                                                 : NULL,
                                                .skip_rows = (data[1] >> 2) & 1}};
    struct hr_schema *want = schema_for(data[2]);
    require(want != NULL);
    struct hr_read_params params = {.want = want,
                                    .split_end = -1,
                                    .want_all = (data[1] & 8) != 0,
                                    .misfit = (enum hr_misfit)((data[1] >> 4) & 3),
                                    .declared = (data[1] & 64) != 0,
                                    .want_rows = (data[1] & 128) != 0,
                                    .batch_rows = data[2] & 1 ? 3 : 0,
                                    .cell_max = 1 << 20,
                                    .reject = data[2] & 2 ? skip_bad : NULL};
    const size_t chunk = (size_t)data[3] + 1;
    compare(&opts, &params, data + HEAD, size - HEAD, chunk);
    struct hr_source *src = hr_source_mem("fuzz", data + HEAD, size - HEAD, chunk);
    const struct hr_infer_params ip = {.rows = 10, .types = true, .decimal = (data[2] & 4) != 0};
    struct hr_schema *schema = NULL;
    struct hr_error err;
    require(src != NULL);
    if (hr_format_csv.infer(src, &opts, &ip, &schema, &err) == 0) {
        hr_schema_unref(schema);
    }
    hr_source_close(src);
    hr_schema_unref(want);
    return 0;
}
