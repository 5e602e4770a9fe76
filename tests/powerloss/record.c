/* tests/powerloss/record.c - preloaded into the program: what it does to files, in order.
 *
 * HEADRACE_RECORD names a log, HEADRACE_RECORD_ROOT a folder. Every call that changes something
 * below the folder and succeeds becomes one line of the log, its paths relative to the folder:
 *
 *   create PATH · mkdir PATH · write PATH OFFSET LENGTH · truncate PATH LENGTH · sync PATH ·
 *   rename FROM TO · link FROM TO · unlink PATH
 *
 * fields are separated by tabs; the bytes of writes go to LOG.data, one after another. From that
 * the tests make what a disk may hold after a power cut (tests/integration/powerloss.py). The
 * program's own calls by number (openat2, renameat2) come through syscall(). One lock keeps the log
 * in the order in which things happened.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char root[PATH_MAX];
static size_t root_len;
static int log_fd = -1, data_fd = -1;

static long (*real_syscall)(long, ...);
static int (*real_open)(const char *, int, ...);
static int (*real_openat)(int, const char *, int, ...);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static int (*real_fsync)(int);
static int (*real_ftruncate)(int, off_t);
static int (*real_rename)(const char *, const char *);
static int (*real_renameat)(int, const char *, int, const char *);
static int (*real_linkat)(int, const char *, int, const char *, int);
static int (*real_unlink)(const char *);
static int (*real_unlinkat)(int, const char *, int);
static int (*real_mkdirat)(int, const char *, mode_t);

static void *find(const char *name) {
    void *found = dlsym(RTLD_NEXT, name);
    if (found == NULL) {
        abort();
    }
    return found;
}

#define FIND(name)                                                                                 \
    do {                                                                                           \
        void *found = find(#name);                                                                 \
        memcpy(&real_##name, &found, sizeof(found));                                               \
    } while (0)

__attribute__((constructor)) static void start(void) {
    FIND(syscall);
    FIND(open);
    FIND(openat);
    FIND(write);
    FIND(pwrite);
    FIND(fsync);
    FIND(ftruncate);
    FIND(rename);
    FIND(renameat);
    FIND(linkat);
    FIND(unlink);
    FIND(unlinkat);
    FIND(mkdirat);
    const char *log = getenv("HEADRACE_RECORD");
    const char *folder = getenv("HEADRACE_RECORD_ROOT");
    char data[PATH_MAX];
    if (log == NULL || folder == NULL || realpath(folder, root) == NULL) {
        return;
    }
    root_len = strlen(root);
    snprintf(data, sizeof(data), "%s.data", log);
    log_fd = real_open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    data_fd = real_open(data, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log_fd < 0 || data_fd < 0) {
        abort();
    }
}

/* ---- names ---- */

static bool of_fd(int fd, char out[PATH_MAX]) {
    char link[64];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    const ssize_t n = readlink(link, out, PATH_MAX - 1);
    out[n > 0 ? n : 0] = '\0';
    return n > 0;
}

static bool join(const char *folder, const char *name, char out[PATH_MAX]) {
    return snprintf(out, PATH_MAX, "%s/%s", folder, name) < PATH_MAX;
}

/* Absolute, without looking at the last component, which may not exist. */
static bool absolute(int dir, const char *path, char out[PATH_MAX]) {
    char base[PATH_MAX];
    char *slash;
    if (path[0] == '/') {
        snprintf(out, PATH_MAX, "%s", path);
    } else {
        if (dir == AT_FDCWD ? getcwd(base, sizeof(base)) == NULL : !of_fd(dir, base)) {
            return false;
        }
        if (!join(base, path, out)) {
            return false;
        }
    }
    slash = strrchr(out, '/');
    char last[NAME_MAX + 2];
    char folder[PATH_MAX];
    snprintf(last, sizeof(last), "%s", slash + 1);
    *slash = '\0';
    if (realpath(out[0] ? out : "/", folder) == NULL) {
        return false;
    }
    const bool named = strcmp(last, ".") != 0 && last[0] != '\0';
    return named ? join(folder, last, out) : snprintf(out, PATH_MAX, "%s", folder) < PATH_MAX;
}

/* Relative to the root; NULL: outside. */
static const char *inside(const char *path) {
    if (log_fd < 0 || strncmp(path, root, root_len) != 0) {
        return NULL;
    }
    return path[root_len] == '\0' ? "." : path[root_len] == '/' ? path + root_len + 1 : NULL;
}

__attribute__((format(printf, 1, 2))) static void line(const char *format, ...) {
    char text[2 * PATH_MAX + 100];
    va_list args;
    va_start(args, format);
    const int n = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (real_write(log_fd, text, (size_t)n) != n) {
        abort();
    }
}

static void one(const char *what, int dir, const char *name) {
    char path[PATH_MAX];
    const int kept = errno;
    if (absolute(dir, name, path) && inside(path) != NULL) {
        line("%s\t%s\n", what, inside(path));
    }
    errno = kept;
}

static void two(const char *what, int dir, const char *from, int to_dir, const char *to) {
    char a[PATH_MAX];
    char b[PATH_MAX];
    const int kept = errno;
    if (absolute(dir, from, a) && absolute(to_dir, to, b) && inside(a) != NULL &&
        inside(b) != NULL) {
        line("%s\t%s\t%s\n", what, inside(a), inside(b));
    }
    errno = kept;
}

static void bytes(int fd, const void *ptr, size_t len, off_t offset) {
    char path[PATH_MAX];
    const int kept = errno;
    if (of_fd(fd, path) && inside(path) != NULL) {
        if (real_write(data_fd, ptr, len) != (ssize_t)len) {
            abort();
        }
        line("write\t%s\t%lld\t%zu\n", inside(path), (long long)offset, len);
    }
    errno = kept;
}

/* ---- calls ---- */

static int opened(int dir, const char *name, int flags, int (*call)(int, const char *, int, mode_t),
                  mode_t mode) {
    struct stat st;
    pthread_mutex_lock(&lock);
    const bool writes = (flags & (O_CREAT | O_TRUNC)) != 0;
    const bool there = writes && fstatat(dir, name, &st, 0) == 0;
    const int fd = call(dir, name, flags, mode);
    if (fd >= 0 && writes && !there) {
        one("create", dir, name);
    } else if (fd >= 0 && (flags & O_TRUNC) != 0) {
        char path[PATH_MAX];
        if (of_fd(fd, path) && inside(path) != NULL) {
            line("truncate\t%s\t0\n", inside(path));
        }
    }
    pthread_mutex_unlock(&lock);
    return fd;
}

static int call_open(int dir, const char *name, int flags, mode_t mode) {
    (void)dir;
    return real_open(name, flags, mode);
}

static int call_openat(int dir, const char *name, int flags, mode_t mode) {
    return real_openat(dir, name, flags, mode);
}

int open(const char *name, int flags, ...) {
    va_list args;
    va_start(args, flags);
    const mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
    va_end(args);
    return opened(AT_FDCWD, name, flags, call_open, mode);
}

int openat(int dir, const char *name, int flags, ...) {
    va_list args;
    va_start(args, flags);
    const mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
    va_end(args);
    return opened(dir, name, flags, call_openat, mode);
}

ssize_t write(int fd, const void *ptr, size_t len) {
    struct stat st;
    pthread_mutex_lock(&lock);
    const bool file = log_fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    const off_t at = !file                                  ? 0
                     : (fcntl(fd, F_GETFL) & O_APPEND) != 0 ? st.st_size
                                                            : lseek(fd, 0, SEEK_CUR);
    const ssize_t n = real_write(fd, ptr, len);
    if (file && n > 0) {
        bytes(fd, ptr, (size_t)n, at);
    }
    pthread_mutex_unlock(&lock);
    return n;
}

ssize_t pwrite(int fd, const void *ptr, size_t len, off_t offset) {
    pthread_mutex_lock(&lock);
    const ssize_t n = real_pwrite(fd, ptr, len, offset);
    if (n > 0) {
        bytes(fd, ptr, (size_t)n, offset);
    }
    pthread_mutex_unlock(&lock);
    return n;
}

int fsync(int fd) {
    char path[PATH_MAX];
    pthread_mutex_lock(&lock);
    const int rc = real_fsync(fd);
    if (rc == 0 && of_fd(fd, path) && inside(path) != NULL) {
        line("sync\t%s\n", inside(path));
    }
    pthread_mutex_unlock(&lock);
    return rc;
}

int fdatasync(int fd) {
    return fsync(fd);
}

int ftruncate(int fd, off_t size) {
    char path[PATH_MAX];
    pthread_mutex_lock(&lock);
    const int rc = real_ftruncate(fd, size);
    if (rc == 0 && of_fd(fd, path) && inside(path) != NULL) {
        line("truncate\t%s\t%lld\n", inside(path), (long long)size);
    }
    pthread_mutex_unlock(&lock);
    return rc;
}

static int renamed(int rc, int dir, const char *from, int to_dir, const char *to) {
    if (rc == 0) {
        two("rename", dir, from, to_dir, to);
    }
    pthread_mutex_unlock(&lock);
    return rc;
}

int rename(const char *from, const char *to) {
    pthread_mutex_lock(&lock);
    return renamed(real_rename(from, to), AT_FDCWD, from, AT_FDCWD, to);
}

int renameat(int dir, const char *from, int to_dir, const char *to) {
    pthread_mutex_lock(&lock);
    return renamed(real_renameat(dir, from, to_dir, to), dir, from, to_dir, to);
}

int linkat(int dir, const char *from, int to_dir, const char *to, int flags) {
    pthread_mutex_lock(&lock);
    const int rc = real_linkat(dir, from, to_dir, to, flags);
    if (rc == 0) {
        two("link", dir, from, to_dir, to);
    }
    pthread_mutex_unlock(&lock);
    return rc;
}

int unlinkat(int dir, const char *name, int flags) {
    pthread_mutex_lock(&lock);
    const int rc = real_unlinkat(dir, name, flags);
    if (rc == 0) {
        one("unlink", dir, name);
    }
    pthread_mutex_unlock(&lock);
    return rc;
}

int unlink(const char *name) {
    pthread_mutex_lock(&lock);
    const int rc = real_unlink(name);
    if (rc == 0) {
        one("unlink", AT_FDCWD, name);
    }
    pthread_mutex_unlock(&lock);
    return rc;
}

int mkdirat(int dir, const char *name, mode_t mode) {
    pthread_mutex_lock(&lock);
    const int rc = real_mkdirat(dir, name, mode);
    if (rc == 0) {
        one("mkdir", dir, name);
    }
    pthread_mutex_unlock(&lock);
    return rc;
}

/* A call by number: at most six arguments, of which only a rename is of interest. */
long syscall(long number, ...) {
    long a[6];
    va_list args;
    va_start(args, number);
    for (int i = 0; i < 6; i++) {
        a[i] = va_arg(args, long);
    }
    va_end(args);
    pthread_mutex_lock(&lock);
    const long rc = real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
#ifdef SYS_renameat2
    if (number == SYS_renameat2 && rc == 0) {
        two("rename", (int)a[0], (const char *)a[1], (int)a[2], (const char *)a[3]);
    }
#endif
    pthread_mutex_unlock(&lock);
    return rc;
}
