/* state/journal.c - the journal's bytes (see journal.h). State files are untrusted input: framed,
 * checked against their checksum first, every member's type checked. */
#include "state/journal.h"

#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "config/json_text.h"

#define MAGIC "HRJ1\n"
#define OUTPUTS_MAX 1000000u
#define PARTS_MAX 10000u

void hr_journal_release(struct hr_journal *j) {
    for (size_t i = 0; i < j->n_outputs; i++) {
        hr_free(j->outputs[i].key);
        hr_free(j->outputs[i].upload_id);
        hr_free(j->outputs[i].token);
        hr_free(j->outputs[i].parts);
    }
    for (size_t i = 0; i < j->n_removals; i++) {
        hr_free(j->removals[i].key);
    }
    hr_free(j->outputs);
    hr_free(j->removals);
    hr_free(j->destination);
    hr_free(j->lineage);
    hr_free(j->folder);
    hr_free(j->manifest);
    hr_free(j->archive);
    hr_free(j->next_state);
    *j = (struct hr_journal){0};
}

static int no_memory(struct hr_error *err) {
    return hr_fail(err, HR_E_NOMEM, "could not allocate the journal");
}

/* ---- writing ---- */

static json_t *output_json(const struct hr_journal_output *o) {
    json_t *parts = json_array();
    for (size_t i = 0; parts != NULL && i < o->n_parts; i++) {
        json_array_append_new(parts, json_pack("[i,s,I]", o->parts[i].number, o->parts[i].etag,
                                               (json_int_t)o->parts[i].size));
    }
    char crc[17];
    hr_crc64_text(o->crc64, crc);
    return json_pack("{s:o,s:s,s:s,s:o,s:I,s:I,s:s}", "key", hr_json_bytes(o->key), "upload",
                     o->upload_id, "token", o->token, "parts", parts, "rows", (json_int_t)o->rows,
                     "bytes", (json_int_t)o->bytes, "crc64", crc);
}

static json_t *body_json(const struct hr_journal *j) {
    json_t *outputs = json_array();
    json_t *removals = json_array();
    int bad = outputs == NULL || removals == NULL;
    for (size_t i = 0; !bad && i < j->n_outputs; i++) {
        bad |= json_array_append_new(outputs, output_json(&j->outputs[i]));
    }
    for (size_t i = 0; !bad && i < j->n_removals; i++) {
        bad |= json_array_append_new(removals, json_pack("[o,I]", hr_json_bytes(j->removals[i].key),
                                                         (json_int_t)j->removals[i].bytes));
    }
    if (bad) {
        json_decref(outputs);
        json_decref(removals);
        return NULL;
    }
    return json_pack("{s:i,s:s,s:s,s:s?,s:I,s:s,s:s,s:b,s:o,s:o,s:s?,s:s?,s:s%}", "v", 1,
                     "destination", j->destination, "lineage", j->lineage, "folder", j->folder,
                     "seq", (json_int_t)j->seq, "prior", j->prior, "next", j->next, "replace",
                     (int)j->replace, "outputs", outputs, "removals", removals, "manifest",
                     j->manifest, "archive", j->archive, "state",
                     j->next_state ? j->next_state : "", j->next_state_len);
}

static void checksum(const char *text, size_t len, char out[33]) {
    hr_hash128_text(text, len, 0x4a4e4c, out);
}

int hr_journal_write(const struct hr_journal *j, struct hr_buf *out, struct hr_error *err) {
    struct hr_buf text;
    hr_buf_init(&text, (size_t)1 << 30);
    json_t *json = body_json(j);
    int rc = hr_json_text(json, &text, err);
    json_decref(json);
    if (rc == 0) {
        char sum[33];
        checksum(hr_buf_cstr(&text), text.len, sum);
        rc = hr_buf_printf(out, err, MAGIC "%s\n%zu\n", sum, text.len);
    }
    if (rc == 0) {
        rc = hr_buf_append(out, text.ptr, text.len, err);
    }
    if (rc == 0) {
        rc = hr_buf_append_byte(out, '\n', err);
    }
    hr_buf_release(&text);
    return rc;
}

/* ---- reading ---- */

static int damaged(const char *name, const char *what, struct hr_error *err) {
    hr_fail(err, HR_E_STATE, "could not use the journal '%s': %s", name, what);
    hr_error_hint(
        err, "a commit may be half published: restore the file from a copy; if there is none, look "
             "at the newest files of the table before you remove it and run again");
    return HR_E_STATE;
}

static int read_parts(const json_t *parts, struct hr_journal_output *o) {
    const size_t n = json_array_size(parts);
    if (!json_is_array(parts) || n > PARTS_MAX) {
        return -1;
    }
    o->parts = hr_calloc(n, sizeof(*o->parts));
    if (o->parts == NULL) {
        return HR_E_NOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        const json_t *part = json_array_get(parts, i);
        const char *etag = json_string_value(json_array_get(part, 1));
        if (etag == NULL || strlen(etag) >= sizeof(o->parts[i].etag) ||
            !json_is_integer(json_array_get(part, 0)) ||
            !json_is_integer(json_array_get(part, 2))) {
            return -1;
        }
        o->parts[i].number = (int)json_integer_value(json_array_get(part, 0));
        o->parts[i].size = json_integer_value(json_array_get(part, 2));
        memcpy(o->parts[i].etag, etag, strlen(etag) + 1);
    }
    o->n_parts = n;
    return 0;
}

static int read_outputs(const json_t *outputs, struct hr_journal *j) {
    const size_t n = json_array_size(outputs);
    if (!json_is_array(outputs) || n > OUTPUTS_MAX) {
        return -1;
    }
    j->outputs = hr_calloc(n, sizeof(*j->outputs));
    if (j->outputs == NULL) {
        return HR_E_NOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        const json_t *item = json_array_get(outputs, i);
        struct hr_journal_output *o = &j->outputs[i];
        j->n_outputs = i + 1;
        o->key = hr_json_bytes_copy(json_object_get(item, "key"));
        o->upload_id = hr_strdup(json_string_value(json_object_get(item, "upload")));
        o->token = hr_strdup(json_string_value(json_object_get(item, "token")));
        o->rows = json_integer_value(json_object_get(item, "rows"));
        o->bytes = json_integer_value(json_object_get(item, "bytes"));
        const char *crc = json_string_value(json_object_get(item, "crc64"));
        if (o->key == NULL || o->upload_id == NULL || o->token == NULL ||
            !hr_crc64_parse(crc, &o->crc64)) {
            return -1;
        }
        const int rc = read_parts(json_object_get(item, "parts"), o);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

static int read_removals(const json_t *removals, struct hr_journal *j) {
    const size_t n = json_array_size(removals);
    if (!json_is_array(removals) || n > OUTPUTS_MAX) {
        return -1;
    }
    j->removals = hr_calloc(n, sizeof(*j->removals));
    if (j->removals == NULL) {
        return HR_E_NOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        const json_t *item = json_array_get(removals, i);
        const json_t *bytes = json_array_get(item, 1);
        j->n_removals = i + 1;
        j->removals[i].key = hr_json_bytes_copy(json_array_get(item, 0));
        j->removals[i].bytes = json_integer_value(bytes);
        if (j->removals[i].key == NULL || !json_is_integer(bytes)) {
            return -1;
        }
    }
    return 0;
}

static int read_body(const json_t *json, struct hr_journal *j) {
    const char *prior = json_string_value(json_object_get(json, "prior"));
    const char *next = json_string_value(json_object_get(json, "next"));
    const json_t *state = json_object_get(json, "state");
    const json_t *seq = json_object_get(json, "seq");
    if (json_integer_value(json_object_get(json, "v")) != 1 || prior == NULL || next == NULL ||
        strlen(prior) != 32 || strlen(next) != 32 || !json_is_string(state) ||
        !json_is_integer(seq) || json_integer_value(seq) < 0) {
        return -1;
    }
    memcpy(j->prior, prior, 33);
    memcpy(j->next, next, 33);
    j->seq = (uint64_t)json_integer_value(seq);
    j->replace = json_is_true(json_object_get(json, "replace"));
    j->destination = hr_strdup(json_string_value(json_object_get(json, "destination")));
    j->lineage = hr_strdup(json_string_value(json_object_get(json, "lineage")));
    j->folder = hr_strdup(json_string_value(json_object_get(json, "folder")));
    j->manifest = hr_strdup(json_string_value(json_object_get(json, "manifest")));
    j->archive = hr_strdup(json_string_value(json_object_get(json, "archive")));
    j->next_state = hr_strdup(json_string_value(state));
    j->next_state_len = json_string_length(state);
    if (j->destination == NULL || j->lineage == NULL || j->next_state == NULL) {
        return -1;
    }
    const int rc = read_outputs(json_object_get(json, "outputs"), j);
    return rc == 0 ? read_removals(json_object_get(json, "removals"), j) : rc;
}

int hr_journal_read(struct hr_slice bytes, const char *name, struct hr_journal *out,
                    struct hr_error *err) {
    const size_t head = strlen(MAGIC) + 33;
    *out = (struct hr_journal){0};
    if (bytes.len < head + 3 || memcmp(bytes.ptr, MAGIC, strlen(MAGIC)) != 0 ||
        bytes.ptr[head - 1] != '\n') {
        return damaged(name, "it is cut short or is not a journal", err);
    }
    size_t len = 0;
    size_t at = head;
    while (at < bytes.len && bytes.ptr[at] >= '0' && bytes.ptr[at] <= '9' && len < bytes.len) {
        len = len * 10 + (size_t)(bytes.ptr[at++] - '0');
    }
    if (at >= bytes.len || bytes.ptr[at] != '\n' || len != bytes.len - at - 2 ||
        bytes.ptr[bytes.len - 1] != '\n') {
        return damaged(name, "it is cut short", err);
    }
    const char *body = (const char *)bytes.ptr + at + 1;
    char sum[33];
    checksum(body, len, sum);
    if (memcmp(sum, bytes.ptr + strlen(MAGIC), 32) != 0) {
        return damaged(name, "its checksum does not match", err);
    }
    json_t *json = json_loadb(body, len, 0, NULL);
    const int rc = json ? read_body(json, out) : -1;
    json_decref(json);
    if (rc == 0) {
        return 0;
    }
    hr_journal_release(out);
    return rc == HR_E_NOMEM ? no_memory(err)
                            : damaged(name, "its contents are not a journal's", err);
}
