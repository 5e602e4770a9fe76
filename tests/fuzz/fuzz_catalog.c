/* Any bytes as a catalog, a state and a task. What is accepted as a catalog is written and read
 * again with the same streams; what is accepted as a state takes a new entry and keeps being
 * readable. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "dialect/dialect.h"
#include "plan/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool what) {
    if (!what) {
        abort();
    }
}

static void try_catalog(const json_t *doc) {
    struct hr_settings settings;
    struct hr_catalog first;
    struct hr_catalog second;
    struct hr_error err;
    struct hr_buf text;
    hr_error_clear(&err);
    must(hr_settings_init(&settings, &err) == 0);
    const struct hr_dialect *d = &hr_dialect_olake;
    if (d->catalog_read(doc, "fuzz", &settings, &first, &err)) {
        must(err.code < 0 && err.message[0]);
        hr_settings_release(&settings);
        return;
    }
    hr_buf_init(&text, 0);
    must(d->catalog_write(&first, &settings, &text, &err) == 0);
    json_t *again = json_loadb((const char *)text.ptr, text.len, 0, NULL);
    must(again != NULL && d->catalog_read(again, "again", &settings, &second, &err) == 0);
    must(first.count == second.count);
    for (size_t i = 0; i < first.count; i++) {
        long at = hr_catalog_find(&second, first.streams[i].name, strlen(first.streams[i].name));
        must(at >= 0 && second.streams[at].selected == first.streams[i].selected);
        must(second.streams[at].n_columns == first.streams[i].n_columns);
    }
    must(d->catalog_merge(&first, &second, &err) == 0);
    json_decref(again);
    hr_buf_release(&text);
    hr_catalog_release(&first);
    hr_catalog_release(&second);
    hr_settings_release(&settings);
}

static void try_state(struct hr_slice text) {
    const struct hr_dialect *d = &hr_dialect_olake;
    struct hr_state_doc *doc = NULL;
    struct hr_error err;
    hr_error_clear(&err);
    if (d->state_read(text, "fuzz", &doc, &err)) {
        must(err.code == HR_E_STATE || err.code == HR_E_NOMEM);
        return;
    }
    struct hr_stream_state state;
    struct hr_buf out;
    hr_buf_init(&out, 0);
    if (d->state_get(doc, "s3", "users", &state, &err) == 0) {
        hr_stream_state_release(&state);
    }
    state = (struct hr_stream_state){.present = true, .cursor = hr_strdup("2025-01-01T00:00:00Z")};
    must(d->state_set(doc, "s3", "added by fuzz", &state, &err) == 0);
    hr_stream_state_release(&state);
    must(d->state_write(doc, &out, &err) == 0);
    d->state_free(doc);
    must(d->state_read(hr_buf_slice(&out), "again", &doc, &err) == 0);
    must(d->state_get(doc, "s3", "added by fuzz", &state, &err) == 0 && state.present);
    hr_stream_state_release(&state);
    d->state_free(doc);
    hr_buf_release(&out);
}

static void try_task(const json_t *doc) {
    struct hr_task *task = NULL;
    if (hr_task_from_json(doc, &task, NULL) == 0) {
        json_t *json = NULL;
        must(hr_task_to_json(task, &json, NULL) == 0);
        json_decref(json);
        hr_task_free(task);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size > 65536) {
        return 0;
    }
    try_state(hr_slice_of(data, size));
    json_t *doc = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
    if (doc) {
        try_catalog(doc);
        try_task(doc);
    }
    json_decref(doc);
    return 0;
}
