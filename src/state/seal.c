/* state/seal.c - sealing of JSON objects (see seal.h). */
#include "state/seal.h"

#include <string.h>

#include "base/hash.h"
#include "config/json_text.h"

#define MARK "headrace2-"
#define MARK_LEN (sizeof(MARK) - 1)
#define SEAL_LEN (MARK_LEN + 32)
#define TEXT_MAX ((size_t)1 << 30)

static int seal_of(const json_t *object, char out[SEAL_LEN + 1], struct hr_error *err) {
    struct hr_buf text;
    hr_buf_init(&text, TEXT_MAX);
    json_t *rest = hr_json_copy(object); /* shallow: only a member is dropped */
    (void)json_object_del(rest, "seal");
    const int bad = hr_json_dump(rest, JSON_COMPACT | JSON_SORT_KEYS, &text, NULL) != 0;
    json_decref(rest);
    if (!bad) {
        memcpy(out, MARK, MARK_LEN);
        hr_hash128_text(hr_buf_cstr(&text), text.len, 0x5345414c, out + MARK_LEN);
    }
    hr_buf_release(&text);
    return bad ? hr_fail(err, HR_E_NOMEM, "could not allocate a checksum") : 0;
}

int hr_seal(json_t *object, struct hr_error *err) {
    char text[SEAL_LEN + 1];
    const int rc = seal_of(object, text, err);
    if (rc != 0) {
        return rc;
    }
    return json_object_set_new(object, "seal", json_string(text)) == 0
               ? 0
               : hr_fail(err, HR_E_NOMEM, "could not allocate a checksum");
}

int hr_seal_check(const json_t *object, struct hr_error *err) {
    char want[SEAL_LEN + 1];
    const char *have = json_string_value(json_object_get(object, "seal"));
    if (have == NULL) {
        return HR_E_STATE;
    }
    const int rc = seal_of(object, want, err);
    if (rc != 0) {
        return rc;
    }
    return strcmp(have, want) == 0 ? 0 : HR_E_STATE;
}

/* A whole string that begins with the mark and is as long as a seal, whatever stands behind it. */
static bool is_seal(const char *p) {
    return memcmp(p, MARK, MARK_LEN) == 0 && p[SEAL_LEN] == '"' &&
           memchr(p + MARK_LEN, '"', SEAL_LEN - MARK_LEN) == NULL;
}

size_t hr_seal_count(struct hr_slice text) {
    size_t n = 0;
    const char *p = (const char *)text.ptr;
    const char *end = p + text.len;
    while (p != NULL && (size_t)(end - p) >= SEAL_LEN + 2) {
        p = memchr(p, '"', (size_t)(end - p) - SEAL_LEN - 1);
        if (p == NULL) {
            break;
        }
        p++;
        n += is_seal(p);
    }
    return n;
}
