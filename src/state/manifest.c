/* state/manifest.c - reading manifests (see manifest.h). They are untrusted input. */
#include "state/manifest.h"

#include <string.h>

#include "base/mem.h"
#include "state/seal.h"

#define MANIFEST_MAX ((size_t)256 << 20)

static int damaged(const char *key, const char *what, struct hr_error *err) {
    hr_fail(err, HR_E_STATE, "could not use '%s': %s", key, what);
    hr_error_object(err, key);
    hr_error_hint(err,
                  "restore it from a copy; without one remove it: the next commit starts a new "
                  "one, and files it named stay where they are, also when the table is "
                  "overwritten");
    return HR_E_STATE;
}

int hr_manifest_check(const json_t *json, const char *key, struct hr_error *err) {
    const json_t *version = json_object_get(json, "v");
    if (!json_is_object(json)) {
        return damaged(key, "it is not a JSON object", err);
    }
    if (json_is_integer(version) && json_integer_value(version) != 2) {
        return damaged(key, "another version of headrace wrote it", err);
    }
    const int rc = hr_seal_check(json, err);
    if (rc == HR_E_STATE) {
        return damaged(key, "its checksum does not match", err);
    }
    const json_t *outputs = json_object_get(json, "outputs");
    bool ok = json_is_integer(version) && json_is_array(outputs) &&
              json_is_string(json_object_get(json, "lineage")) &&
              json_is_integer(json_object_get(json, "seq"));
    for (size_t i = 0; ok && i < json_array_size(outputs); i++) {
        const json_t *o = json_array_get(outputs, i);
        const json_t *name = json_object_get(o, "key");
        ok = (json_is_string(name) || json_is_object(name)) &&
             json_is_integer(json_object_get(o, "bytes"));
    }
    return rc != 0 ? rc : ok ? 0 : damaged(key, "its contents are not a manifest's", err);
}

int hr_manifest_read(struct hr_store *store, const char *key, json_t **out, struct hr_error *err) {
    struct hr_buf text;
    hr_buf_init(&text, MANIFEST_MAX);
    *out = NULL;
    int rc = hr_store_get(store, key, 0, -1, NULL, &text, NULL, err);
    if (rc == 0) {
        json_error_t where;
        *out = json_loadb(hr_buf_cstr(&text), text.len, JSON_REJECT_DUPLICATES, &where);
        rc = *out == NULL && json_error_code(&where) == json_error_out_of_memory
                 ? hr_fail(err, HR_E_NOMEM, "could not allocate a manifest")
                 : hr_manifest_check(*out, key, err);
    }
    hr_buf_release(&text);
    if (rc != 0) {
        json_decref(*out);
        *out = NULL;
    }
    return rc;
}

int hr_manifest_load(struct hr_store *store, const char *folder, const char *lineage, json_t **out,
                     struct hr_error *err) {
    struct hr_buf key;
    struct hr_object_info info;
    hr_buf_init(&key, 4096);
    *out = NULL;
    int rc = hr_buf_printf(&key, err, "%s_headrace/%s/manifest.json", folder, lineage);
    if (rc == 0) {
        rc = store->driver->stat(store, hr_buf_cstr(&key), &info, NULL, err);
    }
    if (rc == HR_E_NO_OBJECT) {
        hr_error_clear(err);
        *out = json_pack("{s:i,s:s,s:I,s:[]}", "v", 2, "lineage", lineage, "seq", (json_int_t)0,
                         "outputs");
        rc = *out ? 0 : hr_fail(err, HR_E_NOMEM, "could not allocate a manifest");
    } else if (rc == 0) {
        rc = hr_manifest_read(store, hr_buf_cstr(&key), out, err);
    }
    hr_buf_release(&key);
    return rc;
}

int hr_manifest_load_all(struct hr_store *store, const char *folder, json_t **out,
                         struct hr_error *err) {
    struct hr_list_page page = {0};
    struct hr_buf prefix;
    char *token = NULL;
    static const char tail[] = "/manifest.json";
    hr_buf_init(&prefix, 4096);
    *out = json_array();
    int rc = *out ? hr_buf_printf(&prefix, err, "%s_headrace/", folder)
                  : hr_fail(err, HR_E_NOMEM, "could not allocate manifests");
    while (rc == 0) {
        const struct hr_list_query q = {.prefix = hr_buf_cstr(&prefix), .token = token};
        rc = store->driver->list(store, &q, &page, err);
        for (size_t i = 0; rc == 0 && i < page.count; i++) {
            const char *key = page.items[i].key;
            const size_t n = page.items[i].key_len;
            json_t *one = NULL;
            if (n < sizeof(tail) || strcmp(key + n - sizeof(tail) + 1, tail) != 0) {
                continue;
            }
            rc = hr_manifest_read(store, key, &one, err);
            if (rc == 0) {
                json_object_set_new(one, "manifest", json_string(key));
                json_array_append_new(*out, one);
            }
        }
        hr_free(token);
        token = rc == 0 ? hr_strdup(page.next_token) : NULL;
        if (token == NULL) {
            break;
        }
    }
    hr_list_page_release(&page);
    hr_buf_release(&prefix);
    if (rc != 0) {
        json_decref(*out);
        *out = NULL;
    }
    return rc;
}

int hr_manifest_look(struct hr_store *store, const char *folder, const char *lineage, bool *own,
                     bool *others, struct hr_error *err) {
    struct hr_buf key;
    struct hr_object_info info;
    json_t *all = NULL;
    *own = *others = false;
    hr_buf_init(&key, 8192);
    int rc = hr_buf_printf(&key, err, "%s_headrace/%s/manifest.json", folder, lineage);
    if (rc == 0) {
        rc = store->driver->stat(store, hr_buf_cstr(&key), &info, NULL, err);
    }
    if (rc == HR_E_NO_OBJECT) {
        hr_error_clear(err);
        rc = hr_manifest_load_all(store, folder, &all, err);
        *others = rc == 0 && json_array_size(all) > 0;
    } else {
        *own = rc == 0;
    }
    json_decref(all);
    hr_buf_release(&key);
    return rc;
}
