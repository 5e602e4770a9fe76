/* store/local/local_list.c - listing a folder in byte order of full keys, a page at a time.
 *
 * A walk goes down folder by folder; in each it loads a sorted window of names, where a folder
 * sorts as "name/", so that "a-b" comes before "a/b" as it does in S3. A folder with more names
 * than a window is read again for the next one: memory is bounded by windows x depth, whatever the
 * number of files. Between pages a walk waits in the store under the token its last page gave; a
 * token nobody waits for (an older one, a restarted program) starts a walk behind that key.
 *
 * Token: 'k' or 'p' (the last item was a key, a common prefix) and then that key. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/local/local.h"

#include "base/log.h"
#include "base/mem.h"
#include "store/page.h"

#define WINDOW 131072u /* names of one folder in memory */
#define MAX_DEPTH 512

struct entry {
    uint32_t at; /* in names; NUL-terminated */
    uint32_t len;
    bool folder; /* the name ends with '/' */
};

struct level {
    struct hr_buf names;
    struct entry *entries;
    size_t count, cap, next;
    size_t base_len; /* of the walk's path down to this folder, with its slash */
    bool more;       /* names behind the window were left out */
    dev_t dev;
    ino_t ino;
};

struct local_walk {
    struct local_store *s;
    bool temporaries; /* look at hidden upload files instead of the others */
    bool folders;     /* delimiter "/": do not go down */
    struct hr_buf path;
    struct level **levels;
    size_t depth, cap;
    int fd; /* of the deepest level, -1: to be opened again */
    char *prefix, *after;
    bool after_subtree; /* skip all below `after`, which ends with a slash */
    char *token;        /* while idle */
};

static void level_free(struct level *level) {
    if (level != NULL) {
        hr_buf_release(&level->names);
        hr_free(level->entries);
        hr_free(level);
    }
}

void hr_local_walk_free(struct local_walk *w) {
    if (w == NULL) {
        return;
    }
    while (w->depth > 0) {
        level_free(w->levels[--w->depth]);
    }
    if (w->fd >= 0) {
        close(w->fd);
    }
    hr_free(w->levels);
    hr_buf_release(&w->path);
    hr_free(w->prefix);
    hr_free(w->after);
    hr_free(w->token);
    hr_free(w);
}

static int compare_names(const char *a, size_t a_len, const char *b, size_t b_len) {
    int c = memcmp(a, b, a_len < b_len ? a_len : b_len);
    return c != 0 ? c : (a_len > b_len) - (a_len < b_len);
}

static int compare_entries(const void *pa, const void *pb, void *user) {
    const struct entry *a = pa;
    const struct entry *b = pb;
    const char *names = user;
    return compare_names(names + a->at, a->len, names + b->at, b->len);
}

static void sort_level(struct level *level) {
    if (level->count > 1) {
        qsort_r(level->entries, level->count, sizeof(level->entries[0]), compare_entries,
                level->names.ptr);
    }
}

/* Keeps the smallest half and moves its names to a fresh buffer. */
static int cut_window(struct level *level, struct hr_error *err) {
    struct hr_buf kept;
    sort_level(level);
    level->count = WINDOW;
    level->more = true;
    hr_buf_init(&kept, 0);
    for (size_t i = 0; i < level->count; i++) {
        struct entry *e = &level->entries[i];
        uint32_t at = (uint32_t)kept.len;
        int rc = hr_buf_append(&kept, level->names.ptr + e->at, e->len + 1u, err);
        if (rc != 0) {
            hr_buf_release(&kept);
            return rc;
        }
        e->at = at;
    }
    hr_buf_release(&level->names);
    level->names = kept;
    return 0;
}

static int add_entry(struct level *level, const char *name, size_t len, bool folder,
                     struct hr_error *err) {
    if (level->count == 2 * WINDOW) {
        int rc = cut_window(level, err);
        if (rc != 0) {
            return rc;
        }
    }
    if (level->more) { /* already behind the window? */
        const struct entry *last = &level->entries[WINDOW - 1];
        if (compare_names(name, len, (const char *)level->names.ptr + last->at, last->len) > 0) {
            return 0;
        }
    }
    if (level->count == level->cap) {
        size_t cap = level->cap ? level->cap * 2 : 64;
        struct entry *entries = hr_reallocarray(level->entries, cap, sizeof(*entries));
        if (entries == NULL) {
            return hr_fail(err, HR_E_NOMEM, "could not list a folder: out of memory");
        }
        level->entries = entries;
        level->cap = cap;
    }
    struct entry *e = &level->entries[level->count];
    *e = (struct entry){(uint32_t)level->names.len, (uint32_t)len, folder};
    int rc = hr_buf_append(&level->names, name, len + 1, err);
    level->count += rc == 0;
    return rc;
}

/* What a directory entry is: 1 folder, 0 file, -1 neither (or gone). */
static int entry_kind(int fd, const struct dirent *d) {
    struct stat st;
    if (d->d_type == DT_DIR) {
        return 1;
    }
    if (d->d_type == DT_REG) {
        return 0;
    }
    if ((d->d_type != DT_LNK && d->d_type != DT_UNKNOWN) || fstatat(fd, d->d_name, &st, 0) != 0) {
        return -1;
    }
    return S_ISDIR(st.st_mode) ? 1 : S_ISREG(st.st_mode) ? 0 : -1;
}

/* Where names of this folder must start, and behind which they must come; NULL: no bound. */
struct bounds {
    const char *prefix; /* rest of the walk's prefix, "" none */
    size_t prefix_len;
    const char *after;
    size_t after_len;
    bool subtree; /* all below `after` is done as well */
};

static bool wanted(const struct bounds *b, const char *name, size_t len, bool folder) {
    size_t n = len < b->prefix_len ? len : b->prefix_len;
    if (memcmp(name, b->prefix, n) != 0 || (len < b->prefix_len && !folder)) {
        return false;
    }
    if (b->after == NULL || compare_names(name, len, b->after, b->after_len) > 0) {
        return true;
    }
    bool below = folder && b->after_len >= len && memcmp(name, b->after, len) == 0;
    return below && !(b->subtree && b->after_len == len);
}

/* Reads the folder open at fd into the level's window, sorted. */
static int load(struct local_walk *w, struct level *level, int fd, const struct bounds *b,
                struct hr_error *err) {
    int dup_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    DIR *dir = dup_fd >= 0 ? fdopendir(dup_fd) : NULL;
    if (dir == NULL) {
        int rc = hr_fail_errno(err, errno, "could not list folder '%s' in %s",
                               hr_buf_cstr(&w->path), w->s->base.label);
        if (dup_fd >= 0) {
            close(dup_fd);
        }
        return rc;
    }
    rewinddir(dir);
    level->count = level->next = 0;
    level->more = false;
    hr_buf_clear(&level->names);
    int rc = 0;
    while (rc == 0) {
        errno = 0;
        struct dirent *d = readdir(dir);
        if (d == NULL) {
            if (errno != 0) {
                rc = hr_fail_errno(err, errno, "could not list folder '%s' in %s",
                                   hr_buf_cstr(&w->path), w->s->base.label);
            }
            break;
        }
        if (d->d_name[0] == '.' && (d->d_name[1] == '\0' || strcmp(d->d_name, "..") == 0)) {
            continue;
        }
        int kind = entry_kind(fd, d);
        bool hidden = hr_local_is_hidden(d->d_name);
        if (kind < 0 || (hidden && kind == 1) || (kind == 0 && hidden != w->temporaries)) {
            continue;
        }
        char name[sizeof(d->d_name) + 1];
        size_t len = strlen(d->d_name);
        memcpy(name, d->d_name, len + 1);
        if (kind == 1) {
            name[len++] = '/';
            name[len] = '\0';
        }
        if (wanted(b, name, len, kind == 1)) {
            rc = add_entry(level, name, len, kind == 1, err);
        }
    }
    closedir(dir);
    if (rc == 0) {
        sort_level(level);
        if (level->count > WINDOW) {
            level->count = WINDOW;
            level->more = true;
        }
    }
    return rc;
}

static int open_folder(const struct local_walk *w) {
    const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    return w->path.len == 0 ? openat(w->s->root, ".", flags)
                            : openat(w->s->root, hr_buf_cstr(&w->path), flags);
}

/* The bounds that apply in the folder w->path. False: nothing in it is wanted. */
static bool folder_bounds(const struct local_walk *w, struct bounds *b) {
    size_t base = w->path.len;
    const char *path = hr_buf_cstr(&w->path);
    *b = (struct bounds){.prefix = ""};
    if (!w->temporaries && strlen(w->prefix) > base) {
        b->prefix = w->prefix + base;
        b->prefix_len = strlen(b->prefix);
    }
    if (w->after == NULL) {
        return true;
    }
    size_t after_len = strlen(w->after);
    if (after_len >= base && memcmp(w->after, path, base) == 0) {
        b->after = w->after + base;
        b->after_len = after_len - base;
        b->subtree = w->after_subtree;
        return !(b->subtree && b->after_len == 0);
    }
    return compare_names(path, base, w->after, after_len) > 0;
}

/* Goes down into the folder w->path. A folder that vanished or is an ancestor of itself (by a
 * symbolic link) counts as empty. */
static int descend(struct local_walk *w, struct hr_error *err) {
    struct bounds b;
    struct stat st;
    if (!folder_bounds(w, &b)) {
        return 0;
    }
    if (w->depth == MAX_DEPTH) {
        return hr_fail(err, HR_E_BOUND, "could not list %s: folders are nested more than %d deep",
                       w->s->base.label, MAX_DEPTH);
    }
    int fd = open_folder(w);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) {
        return 0;
    }
    if (fd < 0 || fstat(fd, &st) != 0) {
        int rc = hr_fail_errno(err, errno, "could not list folder '%s' in %s",
                               hr_buf_cstr(&w->path), w->s->base.label);
        if (fd >= 0) {
            close(fd);
        }
        return rc;
    }
    for (size_t i = 0; i < w->depth; i++) {
        if (w->levels[i]->dev == st.st_dev && w->levels[i]->ino == st.st_ino) {
            hr_log(HR_LOG_WARN, "skipped folder '%s': a symbolic link makes it its own ancestor",
                   hr_buf_cstr(&w->path));
            close(fd);
            return 0;
        }
    }
    struct level *level = hr_calloc(1, sizeof(*level));
    int rc = level ? 0 : hr_fail(err, HR_E_NOMEM, "could not list a folder: out of memory");
    if (rc == 0 && w->depth == w->cap) {
        size_t cap = w->cap ? w->cap * 2 : 8;
        struct level **levels = hr_reallocarray(w->levels, cap, sizeof(struct level *));
        if (levels == NULL) {
            rc = hr_fail(err, HR_E_NOMEM, "could not list a folder: out of memory");
        } else {
            w->levels = levels;
            w->cap = cap;
        }
    }
    if (rc == 0) {
        hr_buf_init(&level->names, 0);
        level->base_len = w->path.len;
        level->dev = st.st_dev;
        level->ino = st.st_ino;
        rc = load(w, level, fd, &b, err);
    }
    if (rc != 0) {
        close(fd);
        level_free(level);
        return rc;
    }
    if (w->fd >= 0) {
        close(w->fd);
    }
    w->fd = fd;
    w->levels[w->depth++] = level;
    return 0;
}

static void ascend(struct local_walk *w) {
    level_free(w->levels[--w->depth]);
    if (w->fd >= 0) {
        close(w->fd);
        w->fd = -1;
    }
    if (w->depth > 0) {
        w->path.len = w->levels[w->depth - 1]->base_len;
        w->path.ptr[w->path.len] = '\0';
    }
}

/* The window is used up but the folder has more: read it again from its last name. */
static int reload(struct local_walk *w, struct level *level, struct hr_error *err) {
    struct bounds b;
    struct hr_buf last;
    const struct entry *e = &level->entries[level->count - 1];
    hr_buf_init(&last, 0);
    int rc = hr_buf_append(&last, level->names.ptr + e->at, e->len, err);
    if (rc == 0) {
        folder_bounds(w, &b);
        b.after = hr_buf_cstr(&last);
        b.after_len = last.len;
        b.subtree = true;
        rc = load(w, level, w->fd, &b, err);
    }
    hr_buf_release(&last);
    return rc;
}

/* Is there any listed file below the folder open at fd (taken over)? S3 has no empty folders. */
static bool has_file(int fd, int depth) {
    bool found = false;
    DIR *dir = fdopendir(fd);
    if (dir == NULL) {
        close(fd);
        return true; /* unreadable: listing it will say so */
    }
    for (int pass = 0; pass < 2 && !found; pass++) {
        struct dirent *d;
        rewinddir(dir);
        while (!found && (d = readdir(dir)) != NULL) {
            if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0 ||
                hr_local_is_hidden(d->d_name)) {
                continue;
            }
            int kind = entry_kind(fd, d);
            if (pass == 0 && kind == 0) {
                found = true;
            } else if (pass == 1 && kind == 1 && depth > 0) {
                /* A link is taken for full: following it could go round in circles. */
                int child = d->d_type == DT_LNK
                                ? -1
                                : openat(fd, d->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                found = d->d_type == DT_LNK || (child >= 0 && has_file(child, depth - 1));
            }
        }
    }
    closedir(dir);
    return found;
}

/* The next item: its key is w->path, valid until the next call. HR_END at the end. */
static int walk_next(struct local_walk *w, bool *is_prefix, struct hr_object_info *info,
                     struct hr_error *err) {
    while (w->depth > 0) {
        struct level *level = w->levels[w->depth - 1];
        w->path.len = level->base_len;
        if (w->path.ptr != NULL) {
            w->path.ptr[w->path.len] = '\0';
        }
        if (level->next == level->count && !level->more) {
            ascend(w);
            continue;
        }
        if (w->fd < 0 && (w->fd = open_folder(w)) < 0) {
            if (errno == ENOENT || errno == ENOTDIR) { /* deleted while we were below */
                ascend(w);
                continue;
            }
            return hr_fail_errno(err, errno, "could not list folder '%s' in %s",
                                 hr_buf_cstr(&w->path), w->s->base.label);
        }
        int rc;
        if (level->next == level->count) {
            rc = reload(w, level, err);
            if (rc != 0) {
                return rc;
            }
            continue;
        }
        const struct entry *e = &level->entries[level->next++];
        const char *name = (const char *)level->names.ptr + e->at;
        rc = hr_buf_append(&w->path, name, e->len, err);
        if (rc != 0) {
            return rc;
        }
        if (w->path.len > LOCAL_KEY_MAX) {
            return hr_fail(err, HR_E_BOUND, "could not list %s: a path has more than %d bytes",
                           w->s->base.label, LOCAL_KEY_MAX);
        }
        struct stat st;
        if (e->folder && !w->folders) {
            rc = descend(w, err);
            if (rc != 0) {
                return rc;
            }
        } else if (e->folder) {
            int fd = openat(w->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
            if (fd >= 0 && has_file(fd, 64)) {
                *is_prefix = true;
                *info = (struct hr_object_info){.size = 0};
                return 0;
            }
        } else if (fstatat(w->fd, name, &st, 0) == 0 && S_ISREG(st.st_mode)) {
            *is_prefix = false;
            hr_local_info(&st, info);
            return 0;
        }
    }
    return HR_END;
}

static int walk_new(struct local_store *s, const char *prefix, const char *after, bool subtree,
                    bool folders, bool temporaries, struct local_walk **out, struct hr_error *err) {
    struct local_walk *w = hr_calloc(1, sizeof(*w));
    if (w == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not list %s: out of memory", s->base.label);
    }
    w->s = s;
    w->fd = -1;
    w->folders = folders;
    w->temporaries = temporaries;
    w->after_subtree = subtree;
    hr_buf_init(&w->path, 1 << 16);
    w->prefix = hr_strdup(prefix ? prefix : "");
    w->after = hr_strdup(after);
    int rc = 0;
    if (w->prefix == NULL || (after != NULL && w->after == NULL)) {
        rc = hr_fail(err, HR_E_NOMEM, "could not list %s: out of memory", s->base.label);
    }
    if (rc == 0) {
        const char *slash = strrchr(w->prefix, '/');
        size_t base = slash ? (size_t)(slash - w->prefix) + 1 : 0;
        rc = hr_buf_append(&w->path, w->prefix, base, err);
        if (rc == 0 && base > 0) {
            /* A prefix no path can have lists nothing; "a/../b" must not leave the root. */
            w->path.ptr[base - 1] = '\0';
            bool possible = hr_local_check_key(hr_buf_cstr(&w->path), HR_E_NO_OBJECT, NULL) == 0;
            w->path.ptr[base - 1] = '/';
            rc = possible ? descend(w, err) : 0;
        } else if (rc == 0) {
            rc = descend(w, err);
        }
    }
    if (rc != 0) {
        hr_local_walk_free(w);
        return rc;
    }
    *out = w;
    return 0;
}

/* The idle walk that gave this token for this question, taken out of the store; NULL: none. */
static struct local_walk *take_idle(struct local_store *s, const struct hr_list_query *q,
                                    bool folders) {
    struct local_walk *found = NULL;
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < LOCAL_IDLE_WALKS && found == NULL; i++) {
        struct local_walk *w = s->idle[i];
        if (w != NULL && strcmp(w->token, q->token) == 0 && w->folders == folders &&
            strcmp(w->prefix, q->prefix ? q->prefix : "") == 0) {
            found = w;
            s->idle[i] = NULL;
        }
    }
    pthread_mutex_unlock(&s->lock);
    return found;
}

/* Parks a walk for the next page; the oldest one gives way. */
static void give_idle(struct local_store *s, struct local_walk *w, const char *token) {
    hr_free(w->token);
    w->token = hr_strdup(token);
    if (w->token == NULL) {
        hr_local_walk_free(w);
        return;
    }
    pthread_mutex_lock(&s->lock);
    struct local_walk *old = s->idle[LOCAL_IDLE_WALKS - 1];
    for (size_t i = LOCAL_IDLE_WALKS - 1; i > 0; i--) {
        s->idle[i] = s->idle[i - 1];
    }
    s->idle[0] = w;
    pthread_mutex_unlock(&s->lock);
    hr_local_walk_free(old);
}

static int find_walk(struct local_store *s, const struct hr_list_query *q, bool folders,
                     struct local_walk **out, struct hr_error *err) {
    if (q->token == NULL) {
        return walk_new(s, q->prefix, q->start_after && q->start_after[0] ? q->start_after : NULL,
                        false, folders, false, out, err);
    }
    if (q->token[0] != 'k' && q->token[0] != 'p') {
        return hr_fail(err, HR_E_INTERNAL, "could not list %s: a continuation token is not ours",
                       s->base.label);
    }
    *out = take_idle(s, q, folders);
    return *out
               ? 0
               : walk_new(s, q->prefix, q->token + 1, q->token[0] == 'p', folders, false, out, err);
}

int hr_local_list(struct hr_store *store, const struct hr_list_query *q, struct hr_list_page *page,
                  struct hr_error *err) {
    struct local_store *s = local_of(store);
    struct local_walk *w = NULL;
    struct hr_buf token;
    bool folders = q->delimiter != NULL && q->delimiter[0] != '\0';
    size_t want = q->page_size > 0 ? (size_t)q->page_size : 1000;
    hr_buf_init(&token, 1 << 16);
    if (atomic_load(&s->cancelled)) {
        return hr_fail(err, HR_E_CANCELLED, "could not list %s: interrupted", s->base.label);
    }
    if (folders && strcmp(q->delimiter, "/") != 0) {
        return hr_fail(err, HR_E_UNSUPPORTED, "could not list %s: a folder's only delimiter is '/'",
                       s->base.label);
    }
    hr_local_count(s, &s->counters.list, 1);
    int rc = find_walk(s, q, folders, &w, err);
    if (rc == 0) {
        rc = hr_page_begin(page, 0, err);
    }
    while (rc == 0 && page->count < want) {
        struct hr_object_info info;
        bool is_prefix;
        rc = walk_next(w, &is_prefix, &info, err);
        if (rc == 0) {
            rc = hr_page_add(page, hr_buf_cstr(&w->path), w->path.len, is_prefix, &info, err);
        }
        if (rc == 0 && page->count == want) {
            rc = hr_buf_printf(&token, err, "%c%s", is_prefix ? 'p' : 'k', hr_buf_cstr(&w->path));
        }
    }
    bool ended = rc == HR_END;
    if (rc >= 0) {
        rc = hr_page_finish(page, ended ? NULL : hr_buf_cstr(&token), token.len, err);
    }
    if (rc == 0 && !ended) {
        give_idle(s, w, page->next_token);
    } else {
        hr_local_walk_free(w);
    }
    hr_buf_release(&token);
    return rc;
}

int hr_local_mp_list(struct hr_store *store, const char *prefix,
                     int (*each)(void *user, const struct hr_upload *upload), void *user,
                     struct hr_error *err) {
    struct local_store *s = local_of(store);
    struct local_walk *w = NULL;
    struct hr_object_info info;
    bool is_prefix;
    int rc = walk_new(s, prefix, NULL, false, false, true, &w, err);
    while (rc == 0 && (rc = walk_next(w, &is_prefix, &info, err)) == 0) {
        /* ".../.NAME.TOKEN.RANDOM.tmp" is an upload of ".../NAME" */
        const char *path = hr_buf_cstr(&w->path);
        const char *name = path + w->levels[w->depth - 1]->base_len;
        size_t base = (size_t)(name - path);
        size_t len = hr_local_upload_name(name);
        char key[LOCAL_KEY_MAX + 1];
        if (len == 0) {
            continue;
        }
        memcpy(key, path, base);
        memcpy(key + base, name + 1, len);
        key[base + len] = '\0';
        if (strncmp(key, w->prefix, strlen(w->prefix)) == 0) {
            struct hr_upload up = {.key = key, .upload_id = name, .initiated_us = info.mtime_us};
            rc = each(user, &up);
        }
    }
    hr_local_walk_free(w);
    return rc == HR_END ? 0 : rc;
}
