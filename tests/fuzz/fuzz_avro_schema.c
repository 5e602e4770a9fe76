/* tests/fuzz/fuzz_avro_schema.c - any bytes as the schema of an Avro file, and those behind a
 * newline as the one it is to be read with: refused with a reason, or columns whose own schema
 * parses to the same columns again; a default the reader gives is a value of its type. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "format/avro/avro_resolve.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok) {
    if (!ok) {
        abort();
    }
}

/* Our own text of the columns gives the columns back. */
static void again(struct hr_schema *schema) {
    struct hr_avro_schema second;
    struct hr_buf text;
    struct hr_error err;
    hr_error_clear(&err);
    hr_buf_init(&text, 0);
    if (hr_avro_schema_text(schema, &text, &err) == 0) {
        must(hr_avro_schema_parse(hr_buf_slice(&text), &second, &err) == 0);
        must(second.schema->n_fields == schema->n_fields);
        for (int i = 0; i < schema->n_fields; i++) {
            must(strcmp(second.schema->fields[i].name, schema->fields[i].name) == 0);
            must(hr_type_equal(second.schema->fields[i].type, schema->fields[i].type));
        }
        hr_avro_schema_release(&second);
    } else {
        must(err.code < 0 && err.message[0] != '\0');
    }
    hr_buf_release(&text);
}

static void resolve(const struct hr_avro_schema *file, const char *json) {
    struct hr_avro_resolver r;
    struct hr_error err;
    hr_error_clear(&err);
    if (hr_avro_resolver_init(&r, json, file, &err) != 0) {
        must(err.code < 0 && err.message[0] != '\0');
    } else {
        const struct hr_schema *schema = r.reader.schema;
        struct hr_batch *batch = NULL;
        must(hr_batch_new(r.reader.schema, &batch, NULL) == 0);
        for (int i = 0; i < schema->n_fields; i++) {
            if (r.links[i].from < 0) {
                const int rc = hr_avro_resolve(&r.links[i], &batch->vecs[i], NULL, 3, &err);
                must(rc < 0 || batch->vecs[i].len == 3);
            }
        }
        hr_batch_free(batch);
    }
    hr_avro_resolver_release(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct hr_avro_schema schema;
    struct hr_error err;
    if (size > 16384) {
        return 0;
    }
    hr_error_clear(&err);
    const uint8_t *end = memchr(data, '\n', size);
    const size_t len = end != NULL ? (size_t)(end - data) : size;
    if (hr_avro_schema_parse(hr_slice_of(data, len), &schema, &err) == 0) {
        must(schema.schema != NULL && schema.nodes > 0);
        again(schema.schema);
        if (end != NULL) {
            char *json = hr_strndup((const char *)end + 1, size - len - 1);
            resolve(&schema, json);
            hr_free(json);
        }
    } else {
        must(err.code < 0 && err.message[0] != '\0');
    }
    hr_avro_schema_release(&schema);
    return 0;
}
