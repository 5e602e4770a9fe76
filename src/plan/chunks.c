/* plan/chunks.c - Olake's chunks: the keys of a first load, packed greedily in key order up to 2
 * GiB. */
#include <jansson.h>

#include "plan/plan.h"

#define CHUNK_BYTES (INT64_C(2048) << 20)

static int nomem(struct hr_error *err) {
    return hr_fail(err, HR_E_NOMEM, "out of memory for the chunks of a stream");
}

int hr_chunks_add(json_t *chunks, const char *key, int64_t size, int64_t target,
                  struct hr_error *err) {
    size_t count = json_array_size(chunks);
    json_t *last = count ? json_array_get(chunks, count - 1) : NULL;
    int64_t bytes = last ? json_integer_value(json_object_get(last, "max")) : 0;
    target = target > 0 ? target : CHUNK_BYTES;
    if (last == NULL || bytes + size > target) {
        last = json_pack("{s[] sI}", "min", "max", (json_int_t)0);
        bytes = 0;
        if (last == NULL || json_array_append_new(chunks, last)) {
            return nomem(err);
        }
    }
    json_t *keys = json_object_get(last, "min");
    return json_array_append_new(keys, json_string(key)) ||
                   json_object_set_new(last, "max", json_integer(bytes + size))
               ? nomem(err)
               : 0;
}
