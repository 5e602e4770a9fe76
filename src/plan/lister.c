/* plan/lister.c - every key below a prefix, in order, listed by several requests at a time.
 *
 * The key space is a list of ranges (start-after, end), each walked page by page with the store's
 * own continuation token. It begins as one range. Once its first page was cut, free threads split a
 * range in two: at a folder border when a delimiter listing showed folders, else at a guessed key
 * (lister_split.c). What a split costs at most is one request, so splits are counted against the
 * pages already listed (allowed_extras) and a flat listing stays within 1.05 times the pages it
 * needs. The reader takes pages from the first range; later ranges wait with theirs, bounded by
 * BUFFERED_PAGES_MAX. A store that does not honour start-after is listed in one range.
 *
 * Where the delimiter listing showed nothing but folders and they hold pages rather than keys, a
 * range is a run of folders, each asked for by its own prefix: a server that walks its disks (as
 * MinIO) walks on behind the border of a range it knows only the beginning of. What folders cost
 * beyond a plain listing, a last page each, is counted like splits; when too many are small, the
 * rest is walked plainly again.
 *
 * Width helps only where pages come as fast beside each other as alone. A server that walks its
 * disks for each range, or is short of processors, answers many requests later than one after
 * another; so the number of requests at a time starts at two, doubles while each round of pages
 * was quicker for it, and is halved when half as many would have given as much
 * (hr_list_pace_page).
 */
#include <pthread.h>
#include <string.h>

#include "base/mem.h"
#include "base/time.h"
#include "plan/lister_internal.h"

#define BUFFERED_PAGES_MAX 128
#define HEAD_PAGES_MAX 8
#define FOLDER_PROBES_MAX 4
#define WIDTH_MAX 32
#define FOLDER_PAGES 3 /* pages of a folder that is worth being asked for by itself */

struct page {
    struct hr_list_page list;
    size_t count; /* items of the range; later ones belong to the next */
    size_t next;  /* item to give */
    struct page *link;
};

struct range {
    char *start_after;  /* NULL: the beginning */
    char *end;          /* the last key it may give; NULL: open */
    bool before_end;    /* end itself is the next range's */
    size_t at, stop;    /* folders [at, stop), asked for one by one; at == stop: plainly */
    char *token;        /* of the next page */
    char *first, *last; /* first and last key of the newest page; NULL before it */
    struct page *pages, **tail;
    size_t buffered;
    bool busy, done;
    bool fresh;    /* its first page was not seen yet */
    bool from_top; /* the store ignores start-after: keys up to it are passed over here */
    int rc;
    struct hr_error err;
    struct range *link;
};

struct hr_lister {
    struct hr_lister_conf conf;
    int page_size;
    int width;
    struct range *head;
    struct page *current; /* the page an item was given from */
    struct hr_lister_stats stats;
    size_t buffered;

    char **folders; /* candidates for cuts, in order */
    size_t n_folders;
    bool only_folders; /* there were no keys between them, and the answer was whole */
    int probes;        /* delimiter listings asked */
    bool probed;       /* no more of them */
    uint64_t extras;   /* requests that a plain listing would not have needed, at most */
    double ahead;      /* pages between guesses; doubles as they hit */
    struct hr_list_pace pace;

    bool threaded, stop;
    pthread_mutex_t lock;
    pthread_cond_t work, ready;
    pthread_t threads[WIDTH_MAX];
    int n_threads;
};

/* ---- ranges ---------------------------------------------------------------------------------- */

static void free_page(struct page *page) {
    if (page) {
        hr_list_page_release(&page->list);
        hr_free(page);
    }
}

static void free_range(struct range *range) {
    while (range->pages) {
        struct page *page = range->pages;
        range->pages = page->link;
        free_page(page);
    }
    hr_free(range->start_after);
    hr_free(range->end);
    hr_free(range->token);
    hr_free(range->first);
    hr_free(range->last);
    hr_free(range);
}

static struct range *new_range(const char *start_after, const char *end) {
    struct range *range = hr_calloc(1, sizeof *range);
    if (range == NULL) {
        return NULL;
    }
    range->tail = &range->pages;
    range->fresh = true;
    range->start_after = hr_strdup(start_after);
    range->end = hr_strdup(end);
    if ((start_after && !range->start_after) || (end && !range->end)) {
        free_range(range);
        return NULL;
    }
    return range;
}

/* How many of the page's items are not above `key`. */
static size_t up_to(const struct hr_list_page *list, const char *key) {
    size_t low = 0;
    size_t high = list->count;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (strcmp(list->items[mid].key, key) <= 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

static void swap_text(char **slot, char *text) {
    hr_free(*slot);
    *slot = text;
}

/* How many of the page's items are the range's. */
static size_t up_to_end(const struct range *range, const struct hr_list_page *list) {
    if (range->end == NULL) {
        return list->count;
    }
    const size_t n = up_to(list, range->end);
    return n > 0 && range->before_end && strcmp(list->items[n - 1].key, range->end) == 0 ? n - 1
                                                                                         : n;
}

/* The store ignored start-after. When the range before still runs, it takes this one's keys over
 * and this one goes; otherwise this one stays and passes over what the others have. True: it is
 * gone. */
static bool fold_range(struct hr_lister *l, struct range *range) {
    struct range *before = l->head;
    while (before && before->link != range) {
        before = before->link;
    }
    l->stats.serial = true;
    if (before == NULL || before->done || before->at != range->at || before->stop != range->stop) {
        range->from_top = true;
        return false;
    }
    swap_text(&before->end, range->end);
    before->before_end = range->before_end;
    range->end = NULL;
    before->link = range->link;
    free_range(range);
    return true;
}

static void queue_page(struct hr_lister *l, struct range *range, struct page *page) {
    const struct hr_list_item *items = page->list.items;
    swap_text(&range->first, hr_strdup(items[page->next].key));
    swap_text(&range->last, hr_strdup(items[page->count - 1].key));
    l->stats.pages++;
    l->stats.keys += page->count - page->next;
    *range->tail = page;
    range->tail = &page->link;
    range->buffered++;
    l->buffered++;
}

/* Requests beyond the needed ones that the pages so far pay for. */
static uint64_t allowed_extras(const struct hr_lister *l) {
    uint64_t pages = l->stats.pages;
    if (l->n_folders) { /* not flat: be quicker about it, but not on a few pages */
        uint64_t most = (uint64_t)l->width + FOLDER_PROBES_MAX + pages / 8;
        return most < pages / 2 + 1 ? most : pages / 2 + 1;
    }
    return pages / 20;
}

/* The range's folder was listed to its end; true: it goes on with the next, or plainly behind this
 * one when folders cost too much. Lock held. */
static bool next_folder(struct hr_lister *l, struct range *range) {
    if (range->stop - range->at < 2) {
        return false;
    }
    if (l->extras < allowed_extras(l)) {
        l->extras++;
        range->at++;
        return true;
    }
    char *from = hr_strdup(l->folders[range->at]);
    char *end = range->stop < l->n_folders ? hr_strdup(l->folders[range->stop]) : NULL;
    if (from == NULL || (range->stop < l->n_folders && end == NULL)) {
        hr_free(from);
        hr_free(end);
        range->at++; /* costs requests, no keys */
        return true;
    }
    from[strlen(from) - 1] = '/' + 1; /* above every key of this folder, not above the next one */
    swap_text(&range->start_after, from);
    swap_text(&range->end, end);
    range->before_end = true;
    range->fresh = true;
    range->at = range->stop = 0;
    return true;
}

/* A page came for the range: cut it at the range's borders, queue it. Takes the page. Lock held. */
static void take_page(struct hr_lister *l, struct range *range, struct page *page) {
    struct hr_list_page *list = &page->list;
    range->busy = false;
    bool ignored = range->fresh && range->start_after && list->count &&
                   strcmp(list->items[0].key, range->start_after) <= 0;
    range->fresh = false;
    if (ignored && fold_range(l, range)) {
        free_page(page);
        return;
    }
    page->next = range->from_top ? up_to(list, range->start_after) : 0;
    page->count = up_to_end(range, list);
    const bool cut = page->count < list->count;
    swap_text(&range->token, hr_strdup(list->next_token));
    if (list->next_token && range->token == NULL) {
        range->rc = hr_fail(&range->err, HR_E_NOMEM, "out of memory while listing");
    }
    if (page->count <= page->next) {
        free_page(page);
    } else {
        queue_page(l, range, page);
    }
    range->done = cut || range->rc != 0 || (range->token == NULL && !next_folder(l, range));
}

/* One LIST for the range. Lock held on entry and return, given up in between. */
static void fetch(struct hr_lister *l, struct range *range) {
    struct page *page = hr_calloc(1, sizeof *page);
    struct hr_list_query query = {
        .prefix = range->at < range->stop ? l->folders[range->at] : l->conf.prefix,
        .start_after = range->token ? NULL : range->start_after,
        .token = range->token,
        .page_size = l->page_size,
    };
    struct hr_error err;
    hr_error_clear(&err);
    range->busy = true;
    l->stats.requests++;
    const int beside = ++l->pace.in_flight;
    const int64_t started = l->conf.clock();
    if (l->threaded) {
        pthread_mutex_unlock(&l->lock);
    }
    int rc = page ? l->conf.store->driver->list(l->conf.store, &query, &page->list, &err)
                  : hr_fail(&err, HR_E_NOMEM, "out of memory while listing");
    if (l->threaded) {
        pthread_mutex_lock(&l->lock);
    }
    l->pace.in_flight--;
    hr_list_pace_page(&l->pace, l->width, beside, l->conf.clock() - started);
    if (rc == 0) {
        take_page(l, range, page);
        return;
    }
    free_page(page);
    range->busy = false;
    range->done = true;
    range->rc = rc;
    range->err = err;
}

/* ---- splitting ------------------------------------------------------------------------------- */

/* Does the page's range of keys cross folders below the prefix? */
static bool crosses_folders(const struct hr_lister *l, const struct range *range) {
    size_t len = strlen(l->conf.prefix);
    return range->first && range->last &&
           (strchr(range->first + len, '/') || strchr(range->last + len, '/'));
}

static int keep_folders(struct hr_lister *l, const struct hr_list_page *list) {
    for (size_t i = 0; i < list->count; i++) {
        if (!list->items[i].is_prefix) {
            continue;
        }
        char **grown = hr_reallocarray(l->folders, l->n_folders + 1, sizeof *grown);
        char *copy = hr_strndup(list->items[i].key, list->items[i].key_len);
        if (grown) {
            l->folders = grown;
        }
        if (grown == NULL || copy == NULL) {
            hr_free(copy);
            return HR_E_NOMEM;
        }
        l->folders[l->n_folders++] = copy;
    }
    return 0;
}

/* Does the answer show all there is, and no keys but the prefix itself? */
static bool only_folders(const struct hr_list_page *list, const char *prefix) {
    for (size_t i = 0; i < list->count; i++) {
        if (!list->items[i].is_prefix && strcmp(list->items[i].key, prefix) != 0) {
            return false;
        }
    }
    return list->next_token == NULL;
}

/* Ask for the folders below the prefix; when there is but one, below that. Lock given up meanwhile.
 */
static void probe_folders(struct hr_lister *l) {
    char *prefix = hr_strdup(l->conf.prefix);
    l->probed = true;
    while (prefix && l->probes < FOLDER_PROBES_MAX && !l->stop) {
        struct hr_list_page list = {0};
        struct hr_list_query query = {
            .prefix = prefix, .delimiter = "/", .page_size = l->page_size};
        l->probes++;
        l->extras++;
        l->stats.requests++;
        pthread_mutex_unlock(&l->lock);
        int rc = l->conf.store->driver->list(l->conf.store, &query, &list, NULL);
        pthread_mutex_lock(&l->lock);
        bool one = rc == 0 && list.count == 1 && list.items[0].is_prefix && !list.next_token;
        if (rc == 0 && !one) { /* memory short: fewer candidates, nothing worse */
            l->only_folders = only_folders(&list, prefix) && keep_folders(l, &list) == 0;
        }
        swap_text(&prefix, one ? hr_strndup(list.items[0].key, list.items[0].key_len) : NULL);
        hr_list_page_release(&list);
    }
    hr_free(prefix);
}

/* The folder in the middle of those inside (last, end); NULL: none. */
static const char *middle_folder(const struct hr_lister *l, const struct range *range) {
    size_t low = 0;
    while (low < l->n_folders && strcmp(l->folders[low], range->last) <= 0) {
        low++;
    }
    size_t high = low;
    while (high < l->n_folders &&
           (range->end == NULL || strcmp(l->folders[high], range->end) < 0)) {
        high++;
    }
    return high > low ? l->folders[low + (high - low) / 2] : NULL;
}

/* Folders that begin up to `key`. */
static size_t folders_up_to(const struct hr_lister *l, const char *key) {
    size_t n = 0;
    while (n < l->n_folders && strcmp(l->folders[n], key) <= 0) {
        n++;
    }
    return n;
}

enum by_folder { BY_KEY, BY_FOLDER, NOT_YET };

/* How the rest of a plainly walked range is to be cut, going by the pages that folders took. */
static enum by_folder how_to_cut(const struct hr_lister *l, const struct range *range) {
    if (!l->only_folders || (range->end && !range->before_end) || range->last == NULL) {
        return BY_KEY;
    }
    const size_t begun = folders_up_to(l, range->last);
    const size_t stop = range->end ? folders_up_to(l, range->end) - 1 : l->n_folders;
    if (begun >= stop || l->stats.pages + 1 < begun * FOLDER_PAGES) {
        return BY_KEY;
    }
    return l->stats.pages < begun * FOLDER_PAGES ? NOT_YET : BY_FOLDER;
}

/* Insert `rest` behind the range, which ends where that begins. Takes both, either may be NULL. */
static bool put_rest(struct hr_lister *l, struct range *range, struct range *rest, char *end) {
    if (rest == NULL || end == NULL) {
        if (rest) {
            free_range(rest);
        }
        hr_free(end);
        return false;
    }
    swap_text(&range->end, end);
    rest->link = range->link;
    range->link = rest;
    l->extras++;
    l->stats.split = true;
    return true;
}

/* The folders from `at` on become a range of their own. */
static bool split_at_folder(struct hr_lister *l, struct range *range, size_t at, size_t stop) {
    struct range *rest = new_range(NULL, NULL);
    if (rest) {
        rest->at = at;
        rest->stop = stop;
    }
    if (!put_rest(l, range, rest, hr_strdup(l->folders[at]))) {
        return false;
    }
    range->before_end = true;
    range->stop = range->stop ? at : 0;
    return true;
}

/* Cut the range beyond what it has listed. False: it cannot be cut. */
static bool split_range(struct hr_lister *l, struct range *range) {
    char guess[HR_KEY_MAX];
    if (!range->done && range->stop - range->at > 1) {
        return split_at_folder(l, range, range->at + 1 + (range->stop - range->at - 1) / 2,
                               range->stop);
    }
    if (range->done || range->last == NULL || range->first == NULL) {
        return false;
    }
    const bool plain = range->at == range->stop;
    const enum by_folder how = plain ? how_to_cut(l, range) : BY_KEY;
    if (how != BY_KEY) {
        const size_t stop = range->end ? folders_up_to(l, range->end) - 1 : l->n_folders;
        return how == BY_FOLDER && split_at_folder(l, range, folders_up_to(l, range->last), stop);
    }
    const char *cut = plain ? middle_folder(l, range) : NULL;
    if (cut == NULL && hr_guess_split(range->first, range->last, range->end, l->ahead, guess)) {
        cut = guess;
        l->ahead *= range->end ? 1 : 2;
    }
    if (cut == NULL) {
        return false;
    }
    struct range *rest = new_range(cut, range->end);
    if (rest) {
        rest->before_end = range->before_end;
        rest->at = range->at;
        rest->stop = range->stop;
    }
    if (!put_rest(l, range, rest, hr_strdup(cut))) {
        return false;
    }
    range->before_end = false;
    return true;
}

/* A range worth a request now: the first that waits and has room. */
static struct range *pick(struct hr_lister *l) {
    if (l->pace.in_flight >= l->pace.allowed) {
        return NULL;
    }
    for (struct range *range = l->head; range; range = range->link) {
        if (range->busy || range->done) {
            continue;
        }
        bool head = range == l->head;
        if (head ? range->buffered < HEAD_PAGES_MAX
                 : l->buffered + HEAD_PAGES_MAX < BUFFERED_PAGES_MAX) {
            return range;
        }
    }
    return NULL;
}

static bool may_split(const struct hr_lister *l) {
    return !l->stats.serial && (l->conf.store->caps & HR_CAP_START_AFTER) && l->stats.pages > 1 &&
           l->buffered + HEAD_PAGES_MAX < BUFFERED_PAGES_MAX;
}

/* Make a new range out of the first one that can be cut. */
static bool split_some(struct hr_lister *l) {
    if (!may_split(l)) {
        return false;
    }
    struct range *first = l->head;
    while (first && (first->done || first->last == NULL)) {
        first = first->link;
    }
    if (first && !l->probed && crosses_folders(l, first)) {
        probe_folders(l);
        return true; /* things may have changed: look again */
    }
    if (l->extras >= allowed_extras(l)) {
        return false;
    }
    int open = 0;
    for (struct range *range = l->head; range; range = range->link) {
        open += !range->done;
    }
    if (open >= l->pace.allowed) {
        return false;
    }
    for (struct range *range = l->head; range; range = range->link) {
        if (split_range(l, range)) {
            return true;
        }
    }
    return false;
}

static void *lister_thread(void *user) {
    struct hr_lister *l = user;
    pthread_mutex_lock(&l->lock);
    while (!l->stop) {
        struct range *range = pick(l);
        if (range) {
            fetch(l, range);
            pthread_cond_broadcast(&l->ready);
            pthread_cond_broadcast(&l->work);
        } else if (!split_some(l)) {
            pthread_cond_wait(&l->work, &l->lock);
        }
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

/* ---- the reader ------------------------------------------------------------------------------ */

/* The next page of the first range, ranges that ended dropped. HR_END when all have. Lock held. */
static int next_page(struct hr_lister *l, struct hr_error *err) {
    for (;;) {
        struct range *range = l->head;
        if (range == NULL) {
            return HR_END;
        }
        if (range->pages) {
            l->current = range->pages;
            range->pages = l->current->link;
            if (range->pages == NULL) {
                range->tail = &range->pages;
            }
            range->buffered--;
            l->buffered--;
            return 0;
        }
        if (range->rc) {
            if (err) {
                *err = range->err;
            }
            return range->rc;
        }
        if (range->done) {
            l->head = range->link;
            free_range(range);
        } else if (!l->threaded) {
            fetch(l, range);
        } else {
            pthread_cond_wait(&l->ready, &l->lock);
        }
    }
}

int hr_lister_next(struct hr_lister *l, const struct hr_list_item **out, struct hr_error *err) {
    while (l->current == NULL || l->current->next == l->current->count) {
        free_page(l->current);
        l->current = NULL;
        if (l->threaded) {
            pthread_mutex_lock(&l->lock);
        }
        int rc = next_page(l, err);
        if (l->threaded) {
            pthread_cond_broadcast(&l->work);
            pthread_mutex_unlock(&l->lock);
        }
        if (rc) {
            return rc;
        }
    }
    *out = &l->current->list.items[l->current->next++];
    return 0;
}

void hr_lister_get_stats(struct hr_lister *l, struct hr_lister_stats *out) {
    if (l->threaded) {
        pthread_mutex_lock(&l->lock);
    }
    *out = l->stats;
    if (l->threaded) {
        pthread_mutex_unlock(&l->lock);
    }
}

/* ---- life ------------------------------------------------------------------------------------ */

static int start_threads(struct hr_lister *l, struct hr_error *err) {
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->work, NULL);
    pthread_cond_init(&l->ready, NULL);
    l->threaded = true;
    for (int i = 0; i < l->width; i++) {
        if (pthread_create(&l->threads[i], NULL, lister_thread, l)) {
            break;
        }
        l->n_threads++;
    }
    return l->n_threads ? 0 : hr_fail(err, HR_E_INTERNAL, "could not start a thread for listing");
}

int hr_lister_open(const struct hr_lister_conf *conf, struct hr_lister **out,
                   struct hr_error *err) {
    struct hr_lister *l = hr_calloc(1, sizeof *l);
    *out = NULL;
    if (l) {
        l->conf = *conf;
        l->conf.prefix = conf->prefix ? conf->prefix : "";
        l->conf.clock = conf->clock ? conf->clock : hr_monotonic_nanos;
        l->page_size = conf->page_size > 0 ? conf->page_size : 1000;
        l->width = conf->width > WIDTH_MAX ? WIDTH_MAX : conf->width;
        l->ahead = 8;
        l->pace.allowed = 2;
        l->head = new_range(NULL, NULL);
    }
    if (l == NULL || l->head == NULL) {
        hr_lister_close(l);
        return hr_fail(err, HR_E_NOMEM, "out of memory while listing");
    }
    int rc = l->width > 1 ? start_threads(l, err) : 0;
    if (rc) {
        hr_lister_close(l);
        return rc;
    }
    *out = l;
    return 0;
}

void hr_lister_close(struct hr_lister *l) {
    if (l == NULL) {
        return;
    }
    if (l->threaded) {
        pthread_mutex_lock(&l->lock);
        l->stop = true;
        pthread_cond_broadcast(&l->work);
        pthread_mutex_unlock(&l->lock);
        for (int i = 0; i < l->n_threads; i++) {
            pthread_join(l->threads[i], NULL);
        }
        pthread_cond_destroy(&l->ready);
        pthread_cond_destroy(&l->work);
        pthread_mutex_destroy(&l->lock);
    }
    while (l->head) {
        struct range *range = l->head;
        l->head = range->link;
        free_range(range);
    }
    for (size_t i = 0; i < l->n_folders; i++) {
        hr_free(l->folders[i]);
    }
    hr_free(l->folders);
    free_page(l->current);
    hr_free(l);
}
