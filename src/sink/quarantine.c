/* sink/quarantine.c - bad records as lines of JSON in the commit of the rows (see quarantine.h).
 * The file is opened by the first record, so that a clean run leaves no trace of it. */
#include "sink/quarantine.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"

#define LINE_MAX_BYTES ((size_t)1 << 20) /* 64 KiB of record, six times that when escaped */

struct hr_quarantine {
    struct hr_commit *commit;
    char *folder;
    struct hr_output *output; /* NULL: none open */
    int64_t lines;
    struct hr_buf line;
};

int hr_quarantine_open(struct hr_commit *commit, const char *folder, struct hr_quarantine **out,
                       struct hr_error *err) {
    struct hr_quarantine *q = hr_calloc(1, sizeof(*q));
    *out = NULL;
    if (q != NULL) {
        q->commit = commit;
        q->folder = hr_strdup(folder);
        hr_buf_init(&q->line, LINE_MAX_BYTES);
    }
    if (q == NULL || q->folder == NULL) {
        hr_quarantine_close(q);
        return hr_fail(err, HR_E_NOMEM, "could not allocate a quarantine");
    }
    *out = q;
    return 0;
}

static int open_file(struct hr_quarantine *q, struct hr_error *err) {
    char name[160];
    char key[1200];
    hr_commit_next_name(q->commit, ".jsonl", name, sizeof(name));
    if (snprintf(key, sizeof(key), "%s_quarantine/%s", q->folder, name) > 1024) {
        return hr_fail(err, HR_E_CONFIG, "could not name a file: '%.80s…' is over 1024 bytes", key);
    }
    q->lines = 0;
    return hr_commit_open_output(q->commit, key, &q->output, err);
}

static int append_base64(struct hr_buf *buf, struct hr_slice raw, struct hr_error *err) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    int rc = hr_buf_append_byte(buf, '"', err);
    for (size_t i = 0; rc == 0 && i < raw.len; i += 3) {
        const size_t left = raw.len - i;
        const uint32_t bits = (uint32_t)raw.ptr[i] << 16 |
                              (left > 1 ? (uint32_t)raw.ptr[i + 1] << 8 : 0) |
                              (left > 2 ? (uint32_t)raw.ptr[i + 2] : 0);
        const char quad[4] = {digits[bits >> 18], digits[bits >> 12 & 63],
                              left > 1 ? digits[bits >> 6 & 63] : '=',
                              left > 2 ? digits[bits & 63] : '='};
        rc = hr_buf_append(buf, quad, sizeof(quad), err);
    }
    return rc == 0 ? hr_buf_append_byte(buf, '"', err) : rc;
}

static int append_text(struct hr_buf *buf, const char *name, const char *text,
                       struct hr_error *err) {
    int rc = hr_buf_append_str(buf, name, err);
    return rc == 0 ? hr_buf_append_json(buf, hr_slice_of(text, strlen(text)), err) : rc;
}

static int append_number(struct hr_buf *buf, const char *name, int64_t number,
                         struct hr_error *err) {
    return number < 0 ? 0 : hr_buf_printf(buf, err, "%s%lld", name, (long long)number);
}

static int render(struct hr_buf *line, const struct hr_rejected *what, struct hr_error *err) {
    struct hr_slice raw = what->raw;
    const size_t valid = hr_utf8_valid_len(raw.ptr, raw.len);
    if (what->cut && valid + 4 > raw.len) {
        raw.len = valid; /* cut inside a character */
    }
    hr_buf_clear(line);
    int rc = append_text(line, "{\"file\":", what->key, err);
    if (rc == 0) {
        rc = append_number(line, ",\"line\":", what->line, err);
    }
    if (rc == 0) {
        rc = append_number(line, ",\"byte_offset\":", what->byte_offset, err);
    }
    if (rc == 0) {
        rc = append_text(line, ",\"reason\":", what->reason, err);
    }
    if (rc == 0 && valid >= raw.len) {
        rc = hr_buf_append_str(line, ",\"record\":", err);
        rc = rc == 0 ? hr_buf_append_json(line, raw, err) : rc;
    } else if (rc == 0) {
        rc = hr_buf_append_str(line, ",\"record_base64\":", err);
        rc = rc == 0 ? append_base64(line, raw, err) : rc;
    }
    return rc == 0 ? hr_buf_append_str(line, what->cut ? ",\"truncated\":true}\n" : "}\n", err)
                   : rc;
}

int hr_quarantine_add(struct hr_quarantine *q, const struct hr_rejected *what,
                      struct hr_error *err) {
    int rc = render(&q->line, what, err);
    if (rc == 0 && q->output == NULL) {
        rc = open_file(q, err);
    }
    if (rc == 0) {
        rc = hr_out_write(hr_output_out(q->output), q->line.ptr, q->line.len, err);
        q->lines++;
    }
    return rc;
}

int hr_quarantine_finish(struct hr_quarantine *q, struct hr_error *err) {
    if (q->output == NULL) {
        return 0;
    }
    const int rc = hr_output_finish(q->output, q->lines, err);
    if (rc != 0) {
        hr_output_discard(q->output);
    }
    q->output = NULL;
    return rc;
}

void hr_quarantine_discard(struct hr_quarantine *q) {
    if (q->output != NULL) {
        hr_output_discard(q->output);
        q->output = NULL;
    }
}

void hr_quarantine_close(struct hr_quarantine *q) {
    if (q != NULL) {
        hr_quarantine_discard(q);
        hr_buf_release(&q->line);
        hr_free(q->folder);
        hr_free(q);
    }
}
