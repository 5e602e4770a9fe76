/* config/json_text.c - jansson's dump into hr_buf, so that its heap is not ours to free. */
#include "config/json_text.h"

#include <string.h>

#include "base/hash.h"
#include "base/mem.h"

/* jansson (2.14) passes over a failure while it writes the name of a member: it is kept here. */
struct text_out {
    struct hr_buf *buf;
    bool failed;
};

static int append(const char *bytes, size_t len, void *user) {
    struct text_out *out = user;
    out->failed = out->failed || hr_buf_append(out->buf, bytes, len, NULL) != 0;
    return out->failed ? -1 : 0;
}

int hr_json_dump(const json_t *json, size_t flags, struct hr_buf *out, struct hr_error *err) {
    struct text_out text = {out, false};
    if (json == NULL || json_dump_callback(json, append, &text, flags) != 0 || text.failed) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate a document");
    }
    return 0;
}

int hr_json_text(const json_t *json, struct hr_buf *out, struct hr_error *err) {
    return hr_json_dump(json, JSON_COMPACT, out, err);
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

static json_t *only_if(json_t *copy, bool whole) {
    if (copy != NULL && !whole) {
        json_decref(copy);
        return NULL;
    }
    return copy;
}

json_t *hr_json_copy(const json_t *json) {
    json_t *copy = json_copy((json_t *)(uintptr_t)json);
    return only_if(copy, json_is_object(json) ? json_object_size(copy) == json_object_size(json)
                                              : json_array_size(copy) == json_array_size(json));
}

json_t *hr_json_deep_copy(const json_t *json) {
    json_t *copy = json_deep_copy(json);
    return only_if(copy, json_equal(copy, json));
}
