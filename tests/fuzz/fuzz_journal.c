/* tests/fuzz/fuzz_journal.c - journal files and bands are untrusted: never a crash, a leak or a
 * hang. */
#include <stddef.h>
#include <stdint.h>

#include "state/band.h"
#include "state/journal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct hr_journal journal;
    if (hr_journal_read(hr_slice_of(data, size), "fuzz", &journal, NULL) == 0) {
        hr_journal_release(&journal);
    }
    json_t *json = json_loadb((const char *)data, size, 0, NULL);
    struct hr_band *band = NULL;
    if (json != NULL && hr_band_from_json(json, 86400, "fuzz", &band, NULL) == 0) {
        hr_band_begin(band, 0);
        (void)hr_band_finish(band, NULL);
        hr_band_free(band);
    }
    json_decref(json);
    return 0;
}
