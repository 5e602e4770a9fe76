/* Any bytes as a config: parsed as JSON or YAML, then configured as every usable dialect's source
 * and destination and finished. Whatever comes out, nothing leaks and a refusal has a message. */
#include <stdlib.h>

#include "config/load.h"
#include "dialect/dialect.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int rc, const struct hr_error *err) {
    if (rc < 0 && (err->code != rc || err->message[0] == 0)) {
        abort();
    }
}

static void configure(const struct hr_dialect *dialect, const json_t *doc, bool destination) {
    struct hr_settings settings;
    struct hr_error err;
    hr_error_clear(&err);
    if (hr_settings_init(&settings, &err)) {
        return;
    }
    int rc = destination ? dialect->configure_destination(doc, "folder/c.json", &settings, &err)
                         : dialect->configure(doc, "folder/c.json", &settings, &err);
    if (rc == 0) {
        rc = hr_settings_finish(&settings, &err);
    }
    check(rc, &err);
    if (rc == 0 && destination) {
        struct hr_write_opts write;
        check(hr_settings_write_opts(&settings, &write, &err), &err);
    }
    hr_settings_release(&settings);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct hr_error err;
    json_t *doc = NULL;
    hr_error_clear(&err);
    if (size > 65536) {
        return 0;
    }
    int rc = hr_config_parse(hr_slice_of(data, size), "fuzz", HR_LOAD_ENV, &doc, &err);
    check(rc, &err);
    if (rc == 0) {
        const struct hr_dialect *found = NULL;
        check(hr_dialect_detect(doc, NULL, &found, &err), &err);
        configure(&hr_dialect_native, doc, false);
        configure(&hr_dialect_native, doc, true);
        configure(&hr_dialect_olake, doc, false);
        configure(&hr_dialect_olake, doc, true);
    }
    json_decref(doc);
    return 0;
}
