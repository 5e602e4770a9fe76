/* state/reserved.c - a queue of names, taken by folder (see reserved.h). Whoever reserves takes in
 * the same order, so the head is nearly always the one; anything else is a search. */
#include "state/reserved.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

int hr_reserved_add(struct hr_reserved *r, const char *folder, const char *name,
                    struct hr_error *err) {
    if (r->count == r->cap) {
        const size_t cap = r->cap ? r->cap * 2 : 16;
        struct hr_reserved_key *grown = hr_reallocarray(r->items, cap, sizeof(*grown));
        if (grown == NULL) {
            return hr_fail(err, HR_E_NOMEM, "could not allocate a name");
        }
        r->items = grown;
        r->cap = cap;
    }
    const size_t folder_len = strlen(folder);
    const size_t n = folder_len + strlen(name) + 1;
    char *key = hr_malloc(n);
    if (key == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate a name");
    }
    snprintf(key, n, "%s%s", folder, name);
    r->items[r->count++] = (struct hr_reserved_key){key, folder_len};
    return 0;
}

char *hr_reserved_take(struct hr_reserved *r, const char *folder) {
    const size_t len = strlen(folder);
    char *found = NULL;
    for (size_t i = r->head; found == NULL && i < r->count; i++) {
        struct hr_reserved_key *item = &r->items[i];
        if (item->key != NULL && item->folder_len == len && memcmp(item->key, folder, len) == 0) {
            found = item->key;
            item->key = NULL;
        }
    }
    while (r->head < r->count && r->items[r->head].key == NULL) {
        r->head++;
    }
    if (r->head == r->count) {
        r->head = r->count = 0;
    }
    return found;
}

void hr_reserved_clear(struct hr_reserved *r) {
    for (size_t i = r->head; i < r->count; i++) {
        hr_free(r->items[i].key);
    }
    r->head = r->count = 0;
}

void hr_reserved_release(struct hr_reserved *r) {
    hr_reserved_clear(r);
    hr_free(r->items);
    *r = (struct hr_reserved){0};
}
