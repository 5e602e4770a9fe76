/* tests/fuzz/fuzz_select.c - which keys are read: globs, an expression and keys of any bytes. The
 * same question gets the same answer, and a chosen key is one that every step takes.
 *
 * Input: expression, newline, globs by comma, newline, folder, newline, key. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "plan/select.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok) {
    if (!ok) {
        abort();
    }
}

static bool set(struct hr_settings *settings, const char *name, const char *text) {
    struct hr_error err;
    hr_error_clear(&err);
    const int rc = text[0] != '\0' ? hr_settings_set_text(settings, name, text, &err) : 0;
    must(rc == 0 || err.message[0] != '\0');
    return rc == 0;
}

static void judge(const struct hr_settings *settings, const char *key, size_t len) {
    struct hr_selector *selector = NULL;
    struct hr_object first;
    struct hr_object second;
    struct hr_error err;
    const struct hr_list_item item = {.key = key, .key_len = len, .info = {.size = 7}};
    hr_error_clear(&err);
    if (hr_selector_new(settings, &selector, &err) != 0) {
        must(err.code == HR_E_CONFIG && err.message[0] != '\0');
        return;
    }
    const enum hr_skip why = hr_selector_judge(selector, &item, false, &first);
    must(why >= HR_SKIP_NONE && why < HR_SKIP_COUNT && hr_skip_name(why) != NULL);
    must(hr_selector_judge(selector, &item, false, &second) == why);
    must(first.format == second.format && first.codec == second.codec);
    must(why != HR_SKIP_NONE || len == 0 || key[len - 1] != '/');
    (void)hr_selector_judge(selector, &item, true, &second);
    hr_selector_free(selector);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct hr_settings settings;
    struct hr_error err;
    char *part[4];
    if (size > 600) {
        return 0;
    }
    hr_error_clear(&err);
    char *text = hr_strndup((const char *)data, size);
    char *rest = text;
    for (size_t i = 0; i < 4; i++) {
        char *one = rest != NULL ? strsep(&rest, "\n") : NULL;
        static char empty[1];
        part[i] = one != NULL ? one : empty;
    }
    must(hr_settings_init(&settings, &err) == 0);
    bool ok = set(&settings, "uri", "mem:lake") && set(&settings, "key_regex", part[0]) &&
              set(&settings, "file_pattern", part[1]) && set(&settings, "path_prefix", part[2]);
    if (ok && hr_settings_finish(&settings, &err) == 0) {
        char *prefix = hr_select_list_prefix(&settings);
        must(prefix != NULL);
        hr_free(prefix);
        judge(&settings, part[3], strlen(part[3]));
    }
    hr_settings_release(&settings);
    hr_free(text);
    return 0;
}
