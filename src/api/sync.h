/* api/sync.h - the main job: a source's selected streams to a destination, resumable. Level 8. */
#ifndef HR_API_SYNC_H
#define HR_API_SYNC_H

#include "api/run.h"
#include "dialect/dialect.h"

struct hr_sync_conf {
    struct hr_settings *settings; /* source and destination configured and finished */
    const struct hr_dialect *dialect;
    struct hr_catalog *catalog;
    const char *state_path;
    int workers;
    struct hr_progress *progress;
    /* A stream ended (also one with nothing new). */
    void (*stream_done)(void *user, const struct hr_stream *stream,
                        const struct hr_run_counts *counts, int64_t files);
    /* Something the user should know that is not an error. */
    void (*warn)(void *user, const char *text);
    void *user;
};

/* Sync every selected stream. State is saved at every checkpoint, so whatever stops a run, the next
 * one goes on from there. */
int hr_sync(const struct hr_sync_conf *conf, struct hr_summary *out, struct hr_error *err);

/* Remove what a stream has at the destination and forget its state (Olake's clear-destination). */
int hr_sync_clear(const struct hr_sync_conf *conf, int64_t *out_removed, struct hr_error *err);

/* Folder of a stream at the destination, "prefix/database/table/"; hr_free. NULL: see err. */
char *hr_sync_folder(const struct hr_sync_conf *conf, const struct hr_stream *stream,
                     struct hr_error *err);

#endif
