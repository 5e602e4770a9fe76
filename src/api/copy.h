/* api/copy.h - any objects to any place: the shortest way through the pipeline. Level 8. */
#ifndef HR_API_COPY_H
#define HR_API_COPY_H

#include "api/run.h"

/* One source: settings whose place (and pattern) is it. */
struct hr_copy_conf {
    struct hr_settings *sources; /* finished; the first also holds destination, filter, columns … */
    size_t n_sources;
    bool drain;    /* null: read, convert, forget */
    int stream_fd; /* >= 0: one file to this descriptor */
    int workers;
    struct hr_progress *progress;
};

/* Everything or nothing: files become visible after the last row. HR_E_NO_OBJECT when nothing
 * matched. */
int hr_copy(const struct hr_copy_conf *conf, struct hr_summary *out, struct hr_error *err);

#endif
