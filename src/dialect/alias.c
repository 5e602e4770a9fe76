/* dialect/alias.c - walks a config of another vocabulary and sets native options through its rows.
 */
#include "dialect/alias.h"

#include <stdio.h>

#include "base/mem.h"
#include "config/render.h"

/* A place to parse a value into only to see whether it is good. */
union scratch {
    bool b;
    int64_t i;
    double d;
    uint64_t u;
    char *s;
    int e;
    struct hr_strlist list;
};

int hr_alias_check(const struct hr_alias *alias, const json_t *value, struct hr_error *err) {
    union scratch scratch;
    struct hr_option row = alias->row;
    memset(&scratch, 0, sizeof scratch);
    row.offset = 0;
    int rc = hr_option_set_json(&row, &scratch, value, err);
    hr_options_release(&row, 1, &scratch);
    return rc;
}

static bool same_block(const char *a, const char *b) {
    return a == b || (a && b && strcmp(a, b) == 0);
}

static const struct hr_alias *find_alias(const struct hr_alias *rows, size_t count,
                                         const char *block, const char *name) {
    for (size_t i = 0; i < count; i++) {
        if (same_block(rows[i].block, block) && hr_option_find(&rows[i].row, 1, name)) {
            return &rows[i];
        }
    }
    return NULL;
}

static bool is_block(const struct hr_alias *rows, size_t count, const char *name) {
    for (size_t i = 0; i < count; i++) {
        if (rows[i].block && strcmp(rows[i].block, name) == 0) {
            return true;
        }
    }
    return false;
}

static int fail_unknown(const struct hr_alias *rows, size_t count, const char *block,
                        const char *name, const char *title, struct hr_error *err) {
    const char *names[256];
    char shown[100];
    size_t n = 0;
    for (size_t i = 0; i < count && n < HR_COUNTOF(names); i++) {
        bool first = block == NULL && rows[i].block &&
                     (i == 0 || !same_block(rows[i].block, rows[i - 1].block));
        if (same_block(rows[i].block, block)) {
            names[n++] = rows[i].row.name;
        } else if (first) {
            names[n++] = rows[i].block;
        }
    }
    hr_printable(hr_slice_str(name), 80, shown, sizeof shown);
    int rc = hr_fail(err, HR_E_CONFIG, "unknown key \"%s%s%s\" in the %s config",
                     block ? block : "", block ? "." : "", shown, title);
    const char *near = hr_nearest_name(name, names, n);
    if (near) {
        hr_error_hint(err, "Did you mean \"%s%s%s\"?", block ? block : "", block ? "." : "", near);
    } else {
        hr_error_hint(err, "`headrace spec --dialect NAME` lists the keys of native and olake.");
    }
    return rc;
}

static int apply_one(const struct hr_alias *alias, const json_t *value,
                     struct hr_settings *settings, struct hr_error *err) {
    if (json_is_null(value)) {
        return 0; /* not given */
    }
    int rc = hr_alias_check(alias, value, err);
    const bool told = rc != 0;
    if (rc == 0 && alias->set) {
        rc = alias->set(settings, alias, value, err);
    } else if (rc == 0 && alias->native) {
        rc = hr_settings_set_json(settings, alias->native, value, err);
    }
    if (rc != 0 && !told && alias->native && strcmp(alias->native, alias->row.name) != 0) {
        hr_error_detail(err, "the config's key is \"%s%s%s\"", alias->block ? alias->block : "",
                        alias->block ? "." : "", alias->row.name);
    }
    return rc;
}

/* The exact name of a source option of the native vocabulary. */
static bool is_native(const char *name) {
    struct hr_option_group groups[HR_SETTINGS_GROUPS_MAX];
    size_t count = hr_settings_groups(groups);
    for (size_t g = 0; g < count; g++) {
        for (size_t i = 0; i < groups[g].count; i++) {
            if (strncmp(groups[g].name, "destination", 11) != 0 &&
                strcmp(groups[g].rows[i].name, name) == 0) {
                return true;
            }
        }
    }
    return false;
}

static int apply_block(const struct hr_alias *rows, size_t count, const json_t *object,
                       const char *block, const char *title, struct hr_settings *settings,
                       struct hr_error *err) {
    const char *name = NULL;
    json_t *value = NULL;
    json_object_foreach((json_t *)(uintptr_t)object, name, value) {
        const struct hr_alias *alias = find_alias(rows, count, block, name);
        int rc = alias ? apply_one(alias, value, settings, err)
                       : fail_unknown(rows, count, block, name, title, err);
        if (rc) {
            return rc;
        }
    }
    return 0;
}

int hr_alias_apply(const struct hr_alias *rows, size_t count, const json_t *config,
                   const char *title, bool native_too, struct hr_settings *settings,
                   struct hr_error *err) {
    const char *name = NULL;
    json_t *value = NULL;
    if (!json_is_object(config)) {
        return hr_fail(err, HR_E_CONFIG, "the %s config is not an object", title);
    }
    json_object_foreach((json_t *)(uintptr_t)config, name, value) {
        const struct hr_alias *alias = find_alias(rows, count, NULL, name);
        int rc = 0;
        if (alias) {
            rc = apply_one(alias, value, settings, err);
        } else if (is_block(rows, count, name) && json_is_object(value)) {
            rc = apply_block(rows, count, value, name, title, settings, err);
        } else if (is_block(rows, count, name)) {
            rc = json_is_null(value)
                     ? 0
                     : hr_fail(err, HR_E_CONFIG, "\"%s\" in the %s config must be an object", name,
                               title);
        } else if (native_too && is_native(name)) {
            rc = hr_settings_set_json(settings, name, value, err);
        } else {
            rc = fail_unknown(rows, count, NULL, name, title, err);
        }
        if (rc) {
            return rc;
        }
    }
    return 0;
}

json_t *hr_alias_schema(const struct hr_alias *rows, size_t count, const char *block) {
    json_t *properties = json_object();
    int order = 0;
    for (size_t i = 0; i < count && properties; i++) {
        if (!same_block(rows[i].block, block) || (rows[i].row.flags & HR_OPT_HIDDEN)) {
            continue;
        }
        if (json_object_set_new(properties, rows[i].row.name,
                                hr_render_schema_property(&rows[i].row, order++))) {
            json_decref(properties);
            return NULL;
        }
    }
    return properties;
}
