/* store/page.h - building one listing page. For the leaves of store/.
 *
 * Memory of the page is kept between pages, so a long listing allocates only for its first. */
#ifndef HR_STORE_PAGE_H
#define HR_STORE_PAGE_H

#include "store/store.h"

/* Empties the page, keeping its memory; keys of at most `text_bytes` in all will be added (a guess
 * is fine). HR_E_NOMEM. */
int hr_page_begin(struct hr_list_page *page, size_t text_bytes, struct hr_error *err);
/* Appends one item; the key is copied. */
int hr_page_add(struct hr_list_page *page, const char *key, size_t key_len, bool is_prefix,
                const struct hr_object_info *info, struct hr_error *err);
/* Room for one more key of at most `max_len` bytes, to be written in place (a decoder). Then
 * hr_page_commit with the length used. NULL: no memory. */
struct hr_list_item *hr_page_reserve(struct hr_list_page *page, size_t max_len, char **out_text);
void hr_page_commit(struct hr_list_page *page, size_t key_len, bool is_prefix);
/* Items become readable. token NULL: the last page; copied. */
int hr_page_finish(struct hr_list_page *page, const char *token, size_t token_len,
                   struct hr_error *err);

#endif
