/* base/spool.h - bytes that wait on disk for their turn: a nameless temporary file. */
#ifndef HR_BASE_SPOOL_H
#define HR_BASE_SPOOL_H

#include <stdbool.h>

#include "base/slice.h"

/* Used by one thread. The file is made when the first bytes come and is gone with the process. */
struct hr_spool {
    const char *dir;  /* folder of the file, borrowed; NULL or "": $TMPDIR, else /tmp */
    const char *what; /* what is kept, for messages; NULL: "output that waits" */
    int64_t max;      /* most bytes in it, 0: no limit */
    int64_t end;      /* bytes in it */
    bool made;
    int fd;
}; /* all zeros but dir and max: empty */

/* Append; *out_at is the place to read them from. HR_E_BOUND: over max; an error of the file system
 * names the folder. */
int hr_spool_append(struct hr_spool *spool, struct hr_slice bytes, int64_t *out_at,
                    struct hr_error *err);
/* The len bytes at a place that hr_spool_append gave. */
int hr_spool_read(const struct hr_spool *spool, int64_t at, uint8_t *dst, size_t len,
                  struct hr_error *err);
/* Forget all bytes and give their space back; the spool can be used again. */
void hr_spool_empty(struct hr_spool *spool);
void hr_spool_close(struct hr_spool *spool);

#endif
