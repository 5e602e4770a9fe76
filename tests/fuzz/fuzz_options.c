/* tests/fuzz/fuzz_options.c - any bytes as the text of options, as `--set` gives them: NAME=VALUE
 * on each line. Refused with a message, or a value that is shown as text and, set again from that,
 * is the same. Then everything that later reads an option's inside: a schema, filters, patterns. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "plan/sample.h"
#include "transform/filter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok) {
    if (!ok) {
        abort();
    }
}

/* Shown, set from what is shown, and shown again alike. */
static void round_trip(struct hr_settings *settings, const char *name) {
    struct hr_option_group groups[HR_SETTINGS_GROUPS_MAX];
    const size_t n = hr_settings_groups(groups);
    struct hr_buf first;
    struct hr_buf second;
    hr_buf_init(&first, 0);
    hr_buf_init(&second, 0);
    for (size_t g = 0; g < n; g++) {
        const struct hr_option *row = hr_option_find(groups[g].rows, groups[g].count, name);
        void *obj = (uint8_t *)settings + groups[g].base;
        if (row == NULL || (row->flags & HR_OPT_SECRET) != 0 ||
            !hr_option_get_text(row, obj, &first)) {
            continue;
        }
        if (hr_option_set_text(row, obj, hr_buf_cstr(&first), NULL) == 0) {
            must(hr_option_get_text(row, obj, &second));
            must(row->type == HR_OPT_LIST || row->type == HR_OPT_DOUBLE ||
                 hr_slice_eq(hr_buf_slice(&first), hr_buf_slice(&second)));
        }
        break;
    }
    hr_buf_release(&first);
    hr_buf_release(&second);
}

static void use(struct hr_settings *settings) {
    struct hr_error err;
    struct hr_write_opts write;
    struct hr_filter *filter = NULL;
    hr_error_clear(&err);
    const int rc = hr_settings_finish(settings, &err);
    must(rc == 0 || (err.code == rc && err.message[0] != '\0'));
    if (rc == 0) {
        (void)hr_settings_write_opts(settings, &write, &err);
    }
    struct hr_schema *schema = hr_schema_new(0);
    must(schema != NULL);
    (void)hr_schema_override(settings, &schema, &err);
    hr_schema_unref(schema);
    if (settings->sync.filter != NULL &&
        hr_filter_parse(settings->sync.filter, &filter, &err) == 0) {
        hr_filter_free(filter);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct hr_settings settings;
    struct hr_error err;
    if (size > 2000) {
        return 0;
    }
    hr_error_clear(&err);
    must(hr_settings_init(&settings, &err) == 0);
    char *text = hr_strndup((const char *)data, size);
    char *rest = text;
    int left = 8; /* lines, and refused ones count as four: the nearest name is looked for */
    for (char *line = strsep(&rest, "\n"); line != NULL && left > 0; line = strsep(&rest, "\n")) {
        left--;
        char *value = strchr(line, '=');
        if (value == NULL) {
            continue;
        }
        *value++ = '\0';
        hr_error_clear(&err);
        if (hr_settings_set_text(&settings, line, value, &err) == 0) {
            round_trip(&settings, line);
        } else {
            must(err.code < 0 && err.message[0] != '\0');
            left -= 3;
        }
    }
    use(&settings);
    hr_free(text);
    hr_settings_release(&settings);
    return 0;
}
