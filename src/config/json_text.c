/* config/json_text.c - jansson's dump into hr_buf, so that its heap is not ours to free. */
#include "config/json_text.h"

#include <string.h>

#include "base/hash.h"
#include "base/mem.h"

static int append(const char *bytes, size_t len, void *user) {
    return hr_buf_append(user, bytes, len, NULL) == 0 ? 0 : -1;
}

int hr_json_text(const json_t *json, struct hr_buf *out, struct hr_error *err) {
    if (json == NULL || json_dump_callback(json, append, out, JSON_COMPACT) != 0) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate a document");
    }
    return 0;
}

json_t *hr_json_bytes(const char *text) {
    json_t *plain = json_string(text); /* NULL: not UTF-8 */
    if (plain != NULL) {
        return plain;
    }
    const size_t n = strlen(text);
    char *hex = hr_malloc(2 * n + 1);
    if (hex == NULL) {
        return NULL;
    }
    hr_hex((const uint8_t *)text, n, hex);
    json_t *object = json_pack("{s:s}", "hex", hex);
    hr_free(hex);
    return object;
}

char *hr_json_bytes_copy(const json_t *value) {
    if (json_is_string(value)) {
        return hr_strdup(json_string_value(value));
    }
    const char *hex = json_string_value(json_object_get(value, "hex"));
    if (hex == NULL || strlen(hex) % 2 != 0) {
        return NULL;
    }
    const size_t n = strlen(hex) / 2;
    char *out = hr_calloc(n + 1, 1);
    if (out != NULL && hr_unhex(hex, (uint8_t *)out, n) != 0) {
        hr_free(out);
        return NULL;
    }
    return out;
}
