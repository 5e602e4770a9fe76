/* store/stdio/stdio_input.c - standard input that can be read in any order, any number of times.
 *
 * Columns are looked for before rows are read, Parquet begins at its end, tasks run beside each
 * other and a late value starts all over: none of that goes with a pipe. So a pipe is read to its
 * end first, into a nameless file on disk (base/spool.h) whose size spill_limit_gb bounds; a file
 * behind `<` is read where it lies, with no copy. */
#include "store/stdio/stdio_input.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/time.h"

#define PIECE ((size_t)256 << 10)

int hr_stdio_input_open(struct hr_stdio_input *in, const struct hr_store_conf *conf,
                        struct hr_error *err) {
    *in = (struct hr_stdio_input){.wake = {-1, -1}, .began_us = hr_now_micros()};
    in->closed = fcntl(STDIN_FILENO, F_GETFD) < 0; /* then one of the next is number 0 */
    in->dir = hr_strdup(conf->spill_dir ? conf->spill_dir : "");
    if (in->dir == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not open standard input: out of memory");
    }
    if (pipe(in->wake) != 0) {
        const int rc = hr_fail_errno(err, errno, "could not open standard input");
        hr_free(in->dir);
        return rc;
    }
    for (size_t i = 0; i < 2; i++) {
        (void)fcntl(in->wake[i], F_SETFD, FD_CLOEXEC);
        (void)fcntl(in->wake[i], F_SETFL, O_NONBLOCK);
    }
    in->spool = (struct hr_spool){.dir = in->dir, .max = conf->spill_max, .what = "standard input"};
    pthread_mutex_init(&in->lock, NULL);
    return 0;
}

void hr_stdio_input_close(struct hr_stdio_input *in) {
    hr_spool_close(&in->spool);
    close(in->wake[0]);
    close(in->wake[1]);
    pthread_mutex_destroy(&in->lock);
    hr_free(in->dir);
}

void hr_stdio_input_cancel(struct hr_stdio_input *in) {
    atomic_store(&in->cancelled, true);
    (void)!write(in->wake[1], "", 1);
}

static int interrupted(struct hr_error *err) {
    return hr_fail(err, HR_E_CANCELLED, "could not read standard input: interrupted");
}

/* Wait until there is something to read, or the end, or a cancel. */
static int wait_for_bytes(struct hr_stdio_input *in, struct hr_error *err) {
    struct pollfd fds[2] = {{.fd = STDIN_FILENO, .events = POLLIN},
                            {.fd = in->wake[0], .events = POLLIN}};
    while (!atomic_load(&in->cancelled)) {
        const int n = poll(fds, 2, -1);
        if (n < 0 && errno != EINTR) {
            return hr_fail_errno(err, errno, "could not read standard input");
        }
        if (n > 0 && fds[0].revents != 0) {
            return atomic_load(&in->cancelled) ? interrupted(err) : 0;
        }
    }
    return interrupted(err);
}

static int read_pipe(struct hr_stdio_input *in, uint8_t *room, struct hr_error *err) {
    for (;;) {
        int rc = wait_for_bytes(in, err);
        if (rc != 0) {
            return rc;
        }
        const ssize_t n = read(STDIN_FILENO, room, PIECE);
        if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
            continue;
        }
        if (n < 0) {
            return hr_fail_errno(err, errno, "could not read standard input");
        }
        if (n == 0) {
            in->size = in->spool.end;
            in->ready = true;
            return 0;
        }
        int64_t at;
        rc = hr_spool_append(&in->spool, hr_slice_of((const char *)room, (size_t)n), &at, err);
        if (rc != 0) {
            return rc;
        }
    }
}

static int64_t mtime_ns(const struct stat *st) {
    return (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
}

/* A file behind `<` is taken as it is now: asked again it may have another size. */
static bool take_file(struct hr_stdio_input *in) {
    struct stat st;
    const off_t base = in->ready ? (off_t)in->base : lseek(STDIN_FILENO, 0, SEEK_CUR);
    if (base < 0 || fstat(STDIN_FILENO, &st) != 0 || !S_ISREG(st.st_mode)) {
        return false;
    }
    in->base = base;
    in->size = st.st_size > base ? st.st_size - base : 0;
    in->changed = mtime_ns(&st);
    in->regular = in->ready = true;
    return true;
}

/* With the lock held. */
static int make_ready(struct hr_stdio_input *in, bool anew, struct hr_error *err) {
    if (in->ready && !(anew && in->regular)) {
        return 0;
    }
    if (in->closed) {
        return hr_fail_errno(err, EBADF, "could not read standard input");
    }
    if (take_file(in)) {
        return 0;
    }
    uint8_t *room = hr_malloc(PIECE);
    const int rc = room ? read_pipe(in, room, err)
                        : hr_fail(err, HR_E_NOMEM, "could not read standard input: out of memory");
    hr_free(room);
    return rc;
}

static void tell(const struct hr_stdio_input *in, struct hr_object_info *out) {
    *out = (struct hr_object_info){.size = in->size,
                                   .mtime_us = in->regular ? in->changed / 1000 : in->began_us};
}

int hr_stdio_input_stat(struct hr_stdio_input *in, struct hr_object_info *out,
                        struct hr_error *err) {
    pthread_mutex_lock(&in->lock);
    const int rc = make_ready(in, true, err);
    if (rc == 0) {
        tell(in, out);
    }
    pthread_mutex_unlock(&in->lock);
    return rc;
}

static int read_file(const struct hr_stdio_input *in, int64_t at, struct hr_store_req *req,
                     int64_t len) {
    struct stat st;
    while (req->got < len) {
        const ssize_t n = pread(STDIN_FILENO, req->buf + req->got, (size_t)(len - req->got),
                                in->base + at + req->got);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return hr_fail_errno(&req->err, errno, "could not read standard input");
        }
        if (n == 0) {
            break;
        }
        req->got += n;
    }
    if (fstat(STDIN_FILENO, &st) == 0 &&
        (mtime_ns(&st) != in->changed || st.st_size - in->base < in->size)) {
        return hr_fail(&req->err, HR_E_CHANGED,
                       "could not read standard input: the file changed while it was read");
    }
    return 0;
}

int hr_stdio_input_read(struct hr_stdio_input *in, struct hr_store_req *req) {
    if (atomic_load(&in->cancelled)) {
        return interrupted(&req->err);
    }
    pthread_mutex_lock(&in->lock);
    int rc = make_ready(in, false, &req->err);
    tell(in, &req->info);
    pthread_mutex_unlock(&in->lock);
    if (rc != 0) {
        return rc;
    }
    int64_t at = req->offset;
    if (at < 0) {
        at = in->size > req->len ? in->size - req->len : 0;
    }
    const int64_t left = in->size > at ? in->size - at : 0;
    const int64_t len = req->len < left ? req->len : left;
    if (in->regular) {
        return read_file(in, at, req, len);
    }
    if (len > 0) {
        rc = hr_spool_read(&in->spool, at, req->buf, (size_t)len, &req->err);
    }
    req->got = rc == 0 ? len : 0;
    return rc;
}
