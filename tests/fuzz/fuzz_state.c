/* Any bytes as a state document and its own part: refused with a message, or every stream it has
 * can be read, changed, written and read again. Own parts are tried as they are and sealed anew, so
 * that bands behind the seal are reached. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "dialect/dialect.h"
#include "state/band.h"
#include "state/seal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool what) {
    if (!what) {
        abort();
    }
}

struct seen {
    const struct hr_state_doc *doc;
    size_t streams;
};

static int on_stream(void *user, const char *space, const char *stream, struct hr_error *err) {
    struct seen *s = user;
    struct hr_stream_state entry;
    struct hr_band *band = NULL;
    s->streams++;
    if (hr_dialect_olake.state_get(s->doc, space, stream, &entry, err) != 0) {
        return 0;
    }
    must(entry.present);
    if (entry.headrace != NULL &&
        hr_band_from_json(entry.headrace, 86400, "fuzz", &band, NULL) == 0) {
        (void)hr_band_replay(band, "key", 3, NULL);
        hr_band_begin(band, 0);
        (void)hr_band_finish(band, NULL);
        json_t *again = json_object();
        must(hr_band_to_json(band, again, NULL) == 0);
        json_decref(again);
        hr_band_free(band);
    }
    hr_stream_state_release(&entry);
    return 0;
}

static void try_text(struct hr_slice text) {
    const struct hr_dialect *d = &hr_dialect_olake;
    struct hr_state_doc *doc = NULL;
    struct hr_error err;
    struct hr_buf out;
    hr_error_clear(&err);
    if (d->state_read(text, "fuzz", &doc, &err) != 0) {
        must(err.code < 0 && err.message[0] != '\0');
        return;
    }
    struct seen first = {doc, 0};
    must(d->state_each(doc, on_stream, &first, &err) == 0);
    hr_buf_init(&out, 0);
    must(d->state_write(doc, &out, &err) == 0);
    d->state_free(doc);
    must(d->state_read(hr_buf_slice(&out), "again", &doc, &err) == 0);
    struct seen second = {doc, 0};
    must(d->state_each(doc, on_stream, &second, &err) == 0);
    must(first.streams == second.streams);
    d->state_free(doc);
    hr_buf_release(&out);
}

/* Renew every seal of the document. */
static char *sealed(const uint8_t *data, size_t size) {
    json_t *doc = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
    size_t i;
    json_t *entry;
    json_array_foreach(json_object_get(doc, "streams"), i, entry) {
        json_t *own = json_object_get(json_object_get(entry, "state"), "_headrace");
        if (json_is_object(own)) {
            (void)hr_seal(own, NULL);
        }
    }
    char *text = json_dumps(doc, JSON_COMPACT);
    json_decref(doc);
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size > 65536) {
        return 0;
    }
    try_text(hr_slice_of(data, size));
    char *text = sealed(data, size);
    if (text != NULL) {
        try_text(hr_slice_str(text));
        free(text);
    }
    return 0;
}
