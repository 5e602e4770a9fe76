/* Any bytes as the ledger of a local state: its keys are read or it is refused by name. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "state/state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char folder[64];

static void remove_folder(void) {
    char path[96];
    static const char *const names[] = {"/s.ledger", "/s.lock"};
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof(path), "%s%s", folder, names[i]);
        (void)unlink(path);
    }
    (void)rmdir(folder);
}

static int on_key(void *user, const char *key, struct hr_error *err) {
    (void)err;
    *(size_t *)user += strlen(key);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char path[96];
    struct hr_state *state = NULL;
    struct hr_error err;
    size_t total = 0;
    if (folder[0] == '\0') {
        snprintf(folder, sizeof(folder), "/tmp/headrace-fuzz-XXXXXX");
        if (mkdtemp(folder) == NULL) {
            abort();
        }
        atexit(remove_folder);
    }
    snprintf(path, sizeof(path), "%s/s.ledger", folder);
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(data, 1, size, file) != size || fclose(file) != 0) {
        abort();
    }
    snprintf(path, sizeof(path), "%s/s", folder);
    const struct hr_state_conf conf = {.path = path, .destination = "file:out", .keep_open = true};
    hr_error_clear(&err);
    if (hr_state_open(&conf, &state, &err) != 0) {
        abort(); /* nothing of the ledger was looked at yet */
    }
    const int rc = hr_state_each_intent(state, on_key, &total, &err);
    if (rc != 0 && (rc != HR_E_STATE || strstr(err.message, "s.ledger") == NULL)) {
        abort();
    }
    hr_state_close(state);
    return 0;
}
