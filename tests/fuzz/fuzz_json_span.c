/* tests/fuzz/fuzz_json_span.c - the walk over a JSON text a parser has accepted: as many members as
 * the parser found, and each span parses to the very value the parser has. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "config/json_text.h"
#include "dialect/json_span.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok) {
    if (!ok) {
        abort();
    }
}

static json_t *value_of(struct hr_slice text) {
    return json_loadb((const char *)text.ptr, text.len, JSON_DECODE_ANY, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct hr_json_walk walk;
    struct hr_slice key;
    struct hr_slice value;
    size_t n = 0;
    if (size > 65536 || memchr(data, 0, size) != NULL) {
        return 0;
    }
    json_t *doc = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
    if (doc == NULL) {
        return 0;
    }
    must(hr_json_walk_begin(&walk, hr_slice_of(data, size)));
    while (hr_json_walk_next(&walk, &key, &value)) {
        json_t *name = json_is_object(doc) ? value_of(key) : NULL;
        json_t *got = value_of(value);
        const json_t *want = json_is_object(doc) ? json_object_getn(doc, json_string_value(name),
                                                                    json_string_length(name))
                                                 : json_array_get(doc, n);
        must(got != NULL && want != NULL && json_equal(got, want));
        json_decref(name);
        json_decref(got);
        n++;
    }
    must(n == (json_is_object(doc) ? json_object_size(doc) : json_array_size(doc)));
    json_t *copy = hr_json_deep_copy(doc);
    must(copy != NULL && json_equal(copy, doc));
    json_decref(copy);
    json_decref(doc);
    return 0;
}
