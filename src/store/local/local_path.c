/* store/local/local_path.c - from keys to files beneath the root, and never out of it.
 *
 * Writing resolves the folder of a key with openat2(RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS) where
 * the kernel has it, else one openat(O_NOFOLLOW) per component, so that neither ".." nor a planted
 * symbolic link leads outside. Every folder made is made durable: its parent is synced. */
#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__linux__) && defined(SYS_openat2)
#include <linux/openat2.h>
#endif

#include "store/local/local.h"

#include "base/mem.h"

int hr_local_check_key(const char *key, int code, struct hr_error *err) {
    const char *why = NULL;
    char shown[100];
    size_t total = strlen(key);
    if (total == 0 || total > LOCAL_KEY_MAX) {
        why = total ? "the path is too long" : "the name is empty";
    }
    for (const char *p = key; why == NULL;) {
        size_t n = strcspn(p, "/");
        if (n == 0) {
            why = "a path component is empty";
        } else if ((n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.')) {
            why = "'.' and '..' cannot be components of a key";
        } else if (n > 255) {
            why = "a path component has more than 255 bytes";
        }
        if (p[n] == '\0') {
            break;
        }
        p += n + 1;
    }
    if (why == NULL) {
        return 0;
    }
    hr_fail(err, code, "could not use '%s' as the name of a file: %s",
            hr_printable(hr_slice_str(key), 80, shown, sizeof(shown)), why);
    hr_error_object(err, key);
    return code;
}

bool hr_local_is_hidden(const char *name) {
    if (name[0] != '.') {
        return false;
    }
    size_t n = strlen(name);
    return (n > 4 && strcmp(name + n - 4, ".tmp") == 0) || strncmp(name, ".headrace-", 10) == 0;
}

/* The folder `name` in parent, made when missing; takes parent over. -1 and errno. */
static int enter(int parent, const char *name, int flags, bool create) {
    int child = openat(parent, name, flags);
    if (child < 0 && errno == ENOENT && create) {
        /* Another thread may make it first; then it is ours as well. */
        if ((mkdirat(parent, name, 0777) == 0 || errno == EEXIST) && fsync(parent) == 0) {
            child = openat(parent, name, flags);
        }
    }
    int e = errno;
    close(parent);
    errno = e;
    return child;
}

int hr_local_make_root(const char *path, struct hr_error *err) {
    char *copy = hr_strdup(path);
    if (copy == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not make folder '%s': out of memory", path);
    }
    int rc = 0;
    const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    int dir = open(path[0] == '/' ? "/" : ".", flags);
    char *save = NULL;
    for (char *name = strtok_r(copy, "/", &save); name != NULL && dir >= 0;
         name = strtok_r(NULL, "/", &save)) {
        dir = enter(dir, name, flags, true);
    }
    if (dir < 0) {
        rc = hr_fail_errno(err, errno, "could not make folder '%s'", path);
        hr_error_hint(err, "make it by hand or choose a place you may write to");
    } else {
        close(dir);
    }
    hr_free(copy);
    return rc;
}

/* Opens folder `path` (len bytes, no trailing slash) beneath dir in one step; -1 with ENOSYS when
 * the kernel cannot. */
static int open_beneath(int dir, const char *path) {
#if defined(__linux__) && defined(SYS_openat2)
    struct open_how how = {
        .flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };
    return (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
#else
    (void)dir;
    (void)path;
    errno = ENOSYS;
    return -1;
#endif
}

/* The same one component at a time; makes what is missing. */
static int open_by_component(int root, char *path, bool create) {
    int dir = fcntl(root, F_DUPFD_CLOEXEC, 0);
    char *save = NULL;
    for (char *name = strtok_r(path, "/", &save); name != NULL && dir >= 0;
         name = strtok_r(NULL, "/", &save)) {
        dir = enter(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW, create);
    }
    return dir;
}

int hr_local_open_parent(struct local_store *s, const char *key, bool create, const char **out_name,
                         struct hr_error *err) {
    int rc = hr_local_check_key(key, HR_E_UNSUPPORTED, err);
    if (rc != 0) {
        return rc;
    }
    const char *slash = strrchr(key, '/');
    *out_name = slash ? slash + 1 : key;
    if (slash == NULL) {
        int fd = fcntl(s->root, F_DUPFD_CLOEXEC, 0);
        return fd >= 0 ? fd : hr_fail_errno(err, errno, "could not open %s", s->base.label);
    }
    char *path = hr_strndup(key, (size_t)(slash - key));
    if (path == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not open the folder of '%s': out of memory", key);
    }
    int fd = open_beneath(s->root, path);
    if (fd < 0 && (errno == ENOSYS || errno == EPERM || errno == EINVAL || errno == EAGAIN ||
                   (errno == ENOENT && create))) {
        fd = open_by_component(s->root, path, create);
    }
    if (fd < 0) {
        int e = errno;
        fd = hr_fail_errno(err, e, "could not open the folder of '%s' in %s", key, s->base.label);
        if (e == ELOOP || e == EXDEV) {
            hr_error_hint(err, "a symbolic link is on the way; files are written beneath the "
                               "folder only");
        } else if (e == ENOTDIR) {
            hr_error_hint(err, "a file, or a symbolic link, has the name of a folder on the way");
        }
        hr_error_object(err, key);
    }
    hr_free(path);
    return fd;
}
