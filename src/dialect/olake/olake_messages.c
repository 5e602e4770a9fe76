/* dialect/olake/olake_messages.c - CATALOG and CONNECTION_STATUS lines.
 *
 * The payload is one JSON object with sorted keys on one line. On a console the original puts a
 * coloured time and level in front; programs look for the object.
 */
#include "base/time.h"
#include "config/json_text.h"
#include "dialect/olake/olake.h"

/* Takes over the message (NULL: no memory). */
static int append_line(json_t *message, const char *level, enum hr_log_shape shape,
                       struct hr_buf *out, struct hr_error *err) {
    int rc = message ? 0 : hr_fail(err, HR_E_NOMEM, "out of memory for a message");
    if (rc == 0 && shape == HR_SHAPE_COLOUR) {
        char when[48];
        size_t len = hr_format_timestamp(hr_now_micros() / 1000000, 0, 0, 'T', "Z", when);
        rc = hr_buf_printf(out, err, "\033[90m%.*s\033[0m \033[32m%s \033[0m ", (int)len, when,
                           level);
    }
    if (rc == 0 && hr_json_dump(message, JSON_COMPACT | JSON_SORT_KEYS, out, NULL)) {
        rc = hr_fail(err, HR_E_NOMEM, "out of memory for a message");
    }
    json_decref(message);
    return rc ? rc : hr_buf_append_byte(out, '\n', err);
}

int hr_olake_message_catalog(struct hr_slice catalog_text, enum hr_log_shape shape,
                             struct hr_buf *out, struct hr_error *err) {
    json_t *catalog = json_loadb((const char *)catalog_text.ptr, catalog_text.len, 0, NULL);
    json_t *message = catalog ? json_pack("{so ss}", "catalog", catalog, "type", "CATALOG") : NULL;
    return append_line(message, "INFO", shape, out, err);
}

int hr_olake_message_status(bool ok, const char *why, enum hr_log_shape shape, struct hr_buf *out,
                            struct hr_error *err) {
    json_t *message = ok ? json_pack("{s{ss} ss}", "connectionStatus", "status", "SUCCEEDED",
                                     "type", "CONNECTION_STATUS")
                         : json_pack("{s{ss ss} ss}", "connectionStatus", "message", why, "status",
                                     "FAILED", "type", "CONNECTION_STATUS");
    return append_line(message, "INFO", shape, out, err);
}
