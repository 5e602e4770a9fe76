/* store/stdio/stdio_input.h - standard input that can be read in any order, any number of times. */
#ifndef HR_STORE_STDIO_INPUT_H
#define HR_STORE_STDIO_INPUT_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/spool.h"
#include "store/store.h"

struct hr_stdio_input {
    pthread_mutex_t lock; /* one thread reads the pipe, others wait for it */
    struct hr_spool spool;
    char *dir;       /* the spool's */
    bool closed;     /* the program was started without standard input */
    bool ready;      /* size is known */
    bool regular;    /* a file: read where it lies, from `base` on */
    int64_t base;    /* offset at which the program was given the file */
    int64_t size;    /* bytes from there */
    int64_t changed; /* a file's mtime in ns when its size was taken */
    int64_t began_us;
    int wake[2]; /* written to by a cancel: wakes a read that waits */
    atomic_bool cancelled;
};

/* conf: spill_dir, spill_max. Nothing is read yet. */
int hr_stdio_input_open(struct hr_stdio_input *in, const struct hr_store_conf *conf,
                        struct hr_error *err);
void hr_stdio_input_close(struct hr_stdio_input *in);
/* Size and time. A pipe is read to its end first, into a nameless file of the spill folder. Blocks;
 * HR_E_CANCELLED; HR_E_BOUND over spill_max. Any thread. */
int hr_stdio_input_stat(struct hr_stdio_input *in, struct hr_object_info *out,
                        struct hr_error *err);
/* What req asks for; HR_E_CHANGED when a file was written to since its size was taken. Any thread.
 */
int hr_stdio_input_read(struct hr_stdio_input *in, struct hr_store_req *req);
/* Whoever waits, and all who come later, get HR_E_CANCELLED. */
void hr_stdio_input_cancel(struct hr_stdio_input *in);

#endif
