/* state/control_text.c - the control object's bytes (see control.h). Untrusted input: framed,
 * checked against its checksum first, every member's type and every length checked. */
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "base/hash.h"
#include "base/mem.h"
#include "state/backend.h"
#include "state/control.h"

#define MAGIC "HRC1 "
#define HEAD_LEN (sizeof(MAGIC) - 1 + 32 + 1) /* first line with its newline */
#define LINE_MAX ((size_t)4096)

void hr_control_doc_init(struct hr_control_doc *doc) {
    *doc = (struct hr_control_doc){0};
    hr_buf_init(&doc->ledger, HR_LEDGER_MAX);
    hr_buf_init(&doc->journal, HR_LEDGER_MAX);
}

void hr_control_doc_release(struct hr_control_doc *doc) {
    hr_buf_release(&doc->ledger);
    hr_buf_release(&doc->journal);
}

static void checksum(const uint8_t *ptr, size_t len, char out[33]) {
    hr_hash128_text(ptr, len, 0x435452, out);
}

/* ---- writing ---- */

int hr_control_encode(const struct hr_control_doc *doc, struct hr_buf *out, struct hr_error *err) {
    char sum[33];
    hr_buf_clear(out);
    int rc =
        hr_buf_printf(out, err, MAGIC "%032d\n{\"claim\":%llu,\"rev\":%llu,\"owner\":\"%s\",", 0,
                      (unsigned long long)doc->claim, (unsigned long long)doc->rev, doc->nonce);
    if (rc == 0) {
        rc = hr_buf_printf(out, err, "\"until\":%lld,\"lease\":%lld,\"pid\":%lld,\"start\":%lld,",
                           (long long)doc->until_s, (long long)doc->lease_s,
                           (long long)doc->owner.pid, (long long)doc->owner.start);
    }
    if (rc == 0) {
        rc = hr_buf_append_str(out, "\"host\":", err);
    }
    if (rc == 0) {
        rc = hr_buf_append_json(out, hr_slice_str(doc->owner.host), err);
    }
    if (rc == 0) {
        rc = hr_buf_append_str(out, ",\"machine\":", err);
    }
    if (rc == 0) {
        rc = hr_buf_append_json(out, hr_slice_str(doc->owner.machine), err);
    }
    if (rc == 0) {
        rc = hr_buf_printf(out, err, ",\"written\":%s,\"ledger\":%zu,\"journal\":%zu}\n",
                           doc->written ? "true" : "false", doc->ledger.len, doc->journal.len);
    }
    if (rc == 0) {
        rc = hr_buf_append(out, doc->ledger.ptr, doc->ledger.len, err);
    }
    if (rc == 0) {
        rc = hr_buf_append(out, doc->journal.ptr, doc->journal.len, err);
    }
    if (rc == 0) {
        checksum(out->ptr + HEAD_LEN, out->len - HEAD_LEN, sum);
        memcpy(out->ptr + sizeof(MAGIC) - 1, sum, 32);
    }
    return rc;
}

/* ---- reading ---- */

static int damaged(const char *name, const char *what, struct hr_error *err) {
    hr_fail(err, HR_E_STATE, "could not use the control object '%s': %s", name, what);
    hr_error_hint(err, "a commit may be half published: restore an earlier version of the object; "
                       "if there is none, look at the newest files of the table before you remove "
                       "it and run again");
    return HR_E_STATE;
}

static bool whole(const json_t *line, const char *name, int64_t *out) {
    const json_t *value = json_object_get(line, name);
    *out = json_integer_value(value);
    return json_is_integer(value) && *out >= 0;
}

static bool text(const json_t *line, const char *name, char *out, size_t size) {
    const char *value = json_string_value(json_object_get(line, name));
    if (value == NULL || strlen(value) >= size) {
        return false;
    }
    memcpy(out, value, strlen(value) + 1);
    return true;
}

/* The second line; lengths of ledger and journal apart. */
static bool read_line(const json_t *line, struct hr_control_doc *doc, int64_t *ledger,
                      int64_t *journal) {
    int64_t claim;
    int64_t rev;
    const bool good = whole(line, "claim", &claim) && whole(line, "rev", &rev) &&
                      text(line, "owner", doc->nonce, sizeof(doc->nonce)) &&
                      whole(line, "until", &doc->until_s) && whole(line, "lease", &doc->lease_s) &&
                      whole(line, "pid", &doc->owner.pid) &&
                      whole(line, "start", &doc->owner.start) &&
                      text(line, "host", doc->owner.host, sizeof(doc->owner.host)) &&
                      text(line, "machine", doc->owner.machine, sizeof(doc->owner.machine)) &&
                      whole(line, "ledger", ledger) && whole(line, "journal", journal);
    doc->claim = good ? (uint64_t)claim : 0;
    doc->rev = good ? (uint64_t)rev : 0;
    doc->written = json_is_true(json_object_get(line, "written"));
    return good && json_is_boolean(json_object_get(line, "written"));
}

int hr_control_decode(struct hr_slice bytes, const char *name, struct hr_control_doc *doc,
                      struct hr_error *err) {
    char sum[33];
    int64_t ledger = 0;
    int64_t journal = 0;
    if (bytes.len <= HEAD_LEN || memcmp(bytes.ptr, MAGIC, sizeof(MAGIC) - 1) != 0) {
        return damaged(name, "it is not one", err);
    }
    checksum(bytes.ptr + HEAD_LEN, bytes.len - HEAD_LEN, sum);
    if (memcmp(bytes.ptr + sizeof(MAGIC) - 1, sum, 32) != 0 || bytes.ptr[HEAD_LEN - 1] != '\n') {
        return damaged(name, "its checksum is wrong", err);
    }
    const uint8_t *line = bytes.ptr + HEAD_LEN;
    const size_t rest = bytes.len - HEAD_LEN;
    const uint8_t *end = memchr(line, '\n', rest < LINE_MAX ? rest : LINE_MAX);
    json_t *json = end ? json_loadb((const char *)line, (size_t)(end - line), 0, NULL) : NULL;
    const bool good = json != NULL && read_line(json, doc, &ledger, &journal);
    json_decref(json);
    const size_t tail = end ? rest - (size_t)(end - line) - 1 : 0;
    if (!good || (uint64_t)ledger > tail || (uint64_t)journal != tail - (size_t)ledger) {
        return damaged(name, "a part of it is missing", err);
    }
    hr_buf_clear(&doc->ledger);
    hr_buf_clear(&doc->journal);
    int rc = hr_buf_append(&doc->ledger, end + 1, (size_t)ledger, err);
    if (rc == 0) {
        rc = hr_buf_append(&doc->journal, end + 1 + ledger, (size_t)journal, err);
    }
    return rc;
}
