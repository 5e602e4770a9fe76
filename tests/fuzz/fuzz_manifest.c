/* Any bytes as a manifest or an archive: refused, or whole in every member that is used; never a
 * crash. The bytes are tried as they are and sealed, so that what lies behind the seal is reached.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "config/json_text.h"
#include "state/manifest.h"
#include "state/seal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_one(const json_t *json) {
    struct hr_error err;
    hr_error_clear(&err);
    if (hr_manifest_check(json, "fuzz", &err) != 0) {
        if (err.code >= 0 || err.message[0] == '\0') {
            abort();
        }
        return;
    }
    const json_t *outputs = json_object_get(json, "outputs");
    for (size_t i = 0; i < json_array_size(outputs); i++) {
        char *key = hr_json_bytes_copy(json_object_get(json_array_get(outputs, i), "key"));
        hr_free(key);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    (void)hr_seal_count(hr_slice_of(data, size));
    json_t *json = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
    try_one(json);
    if (json_is_object(json) && hr_seal(json, NULL) == 0) {
        try_one(json);
    }
    json_decref(json);
    return 0;
}
