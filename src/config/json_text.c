/* config/json_text.c - jansson's dump into hr_buf, so that its heap is not ours to free. */
#include "config/json_text.h"

static int append(const char *bytes, size_t len, void *user) {
    return hr_buf_append(user, bytes, len, NULL) == 0 ? 0 : -1;
}

int hr_json_text(const json_t *json, struct hr_buf *out, struct hr_error *err) {
    if (json == NULL || json_dump_callback(json, append, out, JSON_COMPACT) != 0) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate a document");
    }
    return 0;
}
