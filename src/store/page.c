/* store/page.c - building one listing page: items in one array, all keys in one block of text.
 *
 * While a page is built the text may move, so items hold only the length of their key, which lie
 * behind each other in item order; hr_page_finish sets the pointers. */
#include "store/page.h"

#include "base/mem.h"

struct page_mem {
    size_t items_cap;
    size_t text_cap, text_len;
    char *text;
};

int hr_page_begin(struct hr_list_page *page, size_t text_bytes, struct hr_error *err) {
    struct page_mem *mem = page->storage;
    page->count = 0;
    hr_free(page->next_token);
    page->next_token = NULL;
    if (mem == NULL) {
        mem = hr_calloc(1, sizeof(*mem));
        if (mem == NULL) {
            return hr_fail(err, HR_E_NOMEM, "could not build a listing: out of memory");
        }
        page->storage = mem;
    }
    mem->text_len = 0;
    if (text_bytes > mem->text_cap) {
        char *text = hr_malloc(text_bytes);
        if (text == NULL) {
            return hr_fail(err, HR_E_NOMEM, "could not build a listing: out of memory");
        }
        hr_free(mem->text);
        mem->text = text;
        mem->text_cap = text_bytes;
    }
    return 0;
}

static bool grow_text(struct page_mem *mem, size_t extra) {
    if (mem->text_cap - mem->text_len >= extra) {
        return true;
    }
    size_t cap = mem->text_cap * 2 + extra;
    char *text = hr_realloc(mem->text, cap);
    if (text == NULL) {
        return false;
    }
    mem->text = text;
    mem->text_cap = cap;
    return true;
}

struct hr_list_item *hr_page_reserve(struct hr_list_page *page, size_t max_len, char **out_text) {
    struct page_mem *mem = page->storage;
    if (page->count == mem->items_cap) {
        size_t cap = mem->items_cap ? mem->items_cap * 2 : 64;
        struct hr_list_item *items = hr_reallocarray(page->items, cap, sizeof(*items));
        if (items == NULL) {
            return NULL;
        }
        page->items = items;
        mem->items_cap = cap;
    }
    if (!grow_text(mem, max_len + 1)) {
        return NULL;
    }
    *out_text = mem->text + mem->text_len;
    return &page->items[page->count];
}

void hr_page_commit(struct hr_list_page *page, size_t key_len, bool is_prefix) {
    struct page_mem *mem = page->storage;
    struct hr_list_item *item = &page->items[page->count++];
    item->key = NULL;
    item->key_len = key_len;
    item->is_prefix = is_prefix;
    mem->text_len += key_len;
    mem->text[mem->text_len++] = '\0';
}

int hr_page_add(struct hr_list_page *page, const char *key, size_t key_len, bool is_prefix,
                const struct hr_object_info *info, struct hr_error *err) {
    char *text;
    struct hr_list_item *item = hr_page_reserve(page, key_len, &text);
    if (item == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not build a listing: out of memory");
    }
    memcpy(text, key, key_len);
    item->info = *info;
    hr_page_commit(page, key_len, is_prefix);
    return 0;
}

int hr_page_finish(struct hr_list_page *page, const char *token, size_t token_len,
                   struct hr_error *err) {
    struct page_mem *mem = page->storage;
    const char *text = mem->text;
    for (size_t i = 0; i < page->count; i++) {
        page->items[i].key = text;
        text += page->items[i].key_len + 1;
    }
    if (token != NULL) {
        page->next_token = hr_strndup(token, token_len);
        if (page->next_token == NULL) {
            return hr_fail(err, HR_E_NOMEM, "could not build a listing: out of memory");
        }
    }
    return 0;
}

void hr_list_page_release(struct hr_list_page *page) {
    struct page_mem *mem = page->storage;
    if (mem != NULL) {
        hr_free(mem->text);
        hr_free(mem);
    }
    hr_free(page->items);
    hr_free(page->next_token);
    *page = (struct hr_list_page){0};
}
