/* What a million objects in the band cost: 25 MB in the state file, 64 MiB of memory while it is
 * loaded, and the same after a reload. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "state/band.h"

#define OBJECTS 1000000
#define T0 (INT64_C(1700000000) * 1000000)

static void object_at(int i, char key[80], struct hr_object_info *info) {
    snprintf(key, 80, "lake/events/year=2024/month=%02d/part-%08d.parquet", i % 12, i);
    *info = (struct hr_object_info){.size = i, .mtime_us = T0 + (int64_t)(i % 80000) * 1000000};
    snprintf(info->etag, sizeof(info->etag), "%032x", (unsigned)i * 2654435761U);
}

static void million_objects(void **state) {
    (void)state;
    struct hr_band *band = NULL;
    struct hr_error err;
    struct hr_object_info info;
    char key[80];
    const size_t before = hr_big_in_use();
    assert_rc(hr_band_new(86400, &band, &err), 0, &err);
    hr_band_begin(band, T0 + INT64_C(86400) * 1000000);
    for (int i = 0; i < OBJECTS; i++) {
        object_at(i, key, &info);
        assert_rc(hr_band_note(band, key, &info, &err), 0, &err);
    }
    assert_rc(hr_band_finish(band, &err), 0, &err);
    assert_int_equal(hr_band_entries(band), OBJECTS);
    const size_t loaded = hr_big_in_use() - before;
    assert_true(loaded <= (size_t)64 << 20);

    json_t *json = json_object();
    assert_rc(hr_band_to_json(band, json, &err), 0, &err);
    char *text = json_dumps(json, JSON_COMPACT);
    print_message("%d objects: %zu bytes of state, %zu bytes of memory\n", OBJECTS, strlen(text),
                  loaded);
    assert_true(strlen(text) <= 25000000);
    hr_band_free(band);
    free(text);
    assert_rc(hr_band_from_json(json, 86400, "state.json", &band, &err), 0, &err);
    json_decref(json);
    assert_true(hr_big_in_use() - before <= (size_t)64 << 20);
    hr_band_begin(band, T0 + INT64_C(2) * 86400 * 1000000);
    for (int i = 0; i < OBJECTS; i += 1000) {
        object_at(i, key, &info);
        assert_false(hr_band_fresh(band, key, strlen(key), &info));
        info.etag[0] = 'x';
        assert_true(hr_band_fresh(band, key, strlen(key), &info));
    }
    hr_band_free(band);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(million_objects)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
