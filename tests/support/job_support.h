/* tests/support/job_support.h - one small pipeline of CSV files, run whole in this process: its
 * files, the sync, the rows that came out. */
#ifndef HR_TEST_JOB_SUPPORT_H
#define HR_TEST_JOB_SUPPORT_H

#include "store/store.h"
#include "support.h"

#define JOB_FILES 4
#define JOB_LINES 12

/* One kind of job. */
struct job_shape {
    const char *name;
    int mode; /* enum hr_sync_mode */
    int workers;
    const char *regex;    /* partitions; NULL none */
    int pad;              /* bytes more in the text of each row */
    bool bad;             /* a record that is none in each file */
    const char *sets[16]; /* options as name, value, ..., NULL */
};
extern const struct job_shape job_shapes[];
extern const size_t job_shape_count;

/* Where it runs: "mem:lake", "mem:out" or "file:/folder/lake" ...; the path of the state. */
struct job_place {
    char lake[300], out[300], state[300];
};

/* A store of such a place, opened. */
struct hr_store *job_open(const char *uri);
/* Write file number `file` with its JOB_LINES rows, whose ids go on from the file before. */
void job_put_file(const struct job_place *place, const struct job_shape *shape, int file);
/* One sync. */
int job_sync(const struct job_place *place, const struct job_shape *shape, struct hr_error *err);
/* Every row of the first `files` files is at the destination once, and no upload is open; `what`
 * and `at` say in the failure's text where we are. */
void job_expect(const struct job_place *place, const struct job_shape *shape, int files,
                const char *what, int64_t at);

#endif
