/* api/sync_internal.h - the inside of a sync, shared by sync.c and sync_state.c only. */
#ifndef HR_API_SYNC_INTERNAL_H
#define HR_API_SYNC_INTERNAL_H

#include <pthread.h>

#include "api/drift.h"
#include "api/pending.h"
#include "api/reselect.h"
#include "api/sync.h"
#include "api/watch.h"
#include "state/band.h"
#include "state/state.h"

/* What a run knows of one selected stream. */
struct hr_sync_table {
    struct hr_stream_state state; /* as read */
    struct hr_band *band;         /* NULL: not selected */
    char lineage[33];
    uint64_t seq;
    struct hr_reselect *reselect; /* its selections so far; NULL: not incremental */
    struct hr_schema *floor; /* columns of the last run, for a stream without a catalog's; NULL */
    bool backfill, dress, visited;
    bool begun; /* the band knows of this run's listing */
    bool wrote; /* the lineage has files at the destination */
};

struct hr_sync_run {
    const struct hr_sync_conf *conf;
    struct hr_store *src, *dst;
    struct hr_watch *watch;
    struct hr_budget *budget;
    struct hr_state *state;
    struct hr_store *state_store; /* its own, when it is on S3; NULL */
    struct hr_state_doc *doc;
    struct hr_sync_table *tables; /* one per catalog stream */
    struct hr_schema **floors;    /* theirs, for the plan; borrowed from the tables */
    struct hr_plan *plan;
    struct hr_task *pending;   /* first task of the next stream */
    struct hr_pending unread;  /* given to workers since the last checkpoint */
    pthread_mutex_t plan_lock; /* plan and unread: workers ask for tasks while a checkpoint looks
                                  ahead */
    int64_t run_us, list_ns;   /* list_ns: monotonic, when listing began */
    struct hr_summary *out;
    /* the stream that runs now */
    long current;
    struct hr_commit *commit;
    struct hr_sink *sink;
    struct hr_write_opts write;
    struct hr_put_opts put;
    struct hr_null_counts nulls;
};

static inline bool hr_sync_incremental(const struct hr_stream *stream) {
    return stream->sync_mode == HR_SYNC_INCREMENTAL;
}

/* A commit of the stream replaces what stands at the destination. */
static inline bool hr_sync_overwrites(const struct hr_stream *stream) {
    return !hr_sync_incremental(stream) && !stream->append_mode;
}

void hr_sync_warn(const struct hr_sync_run *s, const char *text);

/* Say what of the catalog has no effect. */
void hr_sync_warn_catalog(const struct hr_sync_run *s);
/* destination.mode is refused where the catalog says something else. */
int hr_sync_check_mode(const struct hr_sync_run *s, struct hr_error *err);
/* Two streams in one table are refused where one would take away what the other wrote. */
int hr_sync_check_tables(const struct hr_sync_run *s, struct hr_error *err);
/* The listing of the stream that runs now was read to its end; false: a limit left some of it. */
bool hr_sync_whole(const struct hr_sync_run *s);
/* s->tables: what the state says of every selected stream. */
int hr_sync_load_tables(struct hr_sync_run *s, struct hr_error *err);
/* Report days below the band that do not match the listing; how many. */
size_t hr_sync_report_days(struct hr_sync_run *s, struct hr_sync_table *t,
                           const struct hr_stream *stream);
/* The entry as it shall be after this commit; info NULL: nothing was read. Below the lock. */
int hr_sync_next_entry(struct hr_sync_run *s, struct hr_sync_table *t,
                       const struct hr_checkpoint_info *info, struct hr_stream_state *out,
                       struct hr_error *err);

#endif
