/* api/upkeep.h - jobs that look after a pipeline between its runs: what its state says, what was
 * left lying about, whether the destination is what the runs wrote. Level 8.
 *
 * All of them take the state as a run does, so a run that is alive is HR_E_LOCKED (show reads
 * without). `docs/internals/commit.md` says what they rely on.
 */
#ifndef HR_API_UPKEEP_H
#define HR_API_UPKEEP_H

#include "api/run.h"
#include "dialect/dialect.h"
#include "state/settle.h"

struct hr_upkeep_conf {
    const char *state_path;
    const struct hr_dialect *dialect;   /* whose shape the state file has */
    const struct hr_settings *settings; /* finished; also say how a state on S3 is reached */
    bool destination;                   /* settings name one, which may be asked */
    const char *stream;                 /* only this one; NULL all */
};

/* ---- gc.c ---- */

struct hr_gc_report {
    bool rolled_forward; /* an open commit was finished first (or would be, with dry_run) */
    bool taken_back;     /* an open commit could not be finished and was forgotten */
    uint64_t open_seq;   /* of that commit; 0 none */
    size_t removed;      /* unfinished uploads and staged files, of recovery and of the sweep */
};
/* Remove staged files and unfinished uploads that dead runs of this pipeline left, and only those:
 * what the ledger names and what carries one of the state's lineages in its name. An open journal
 * is recovered first. dry_run: only tell. `each` (NULL none) is told every key. */
int hr_gc(const struct hr_upkeep_conf *conf, bool dry_run,
          void (*each)(void *user, const char *key), void *user, struct hr_gc_report *out,
          struct hr_error *err);

/* ---- verify.c ---- */

struct hr_verify_report {
    size_t streams, commits, objects, problems;
    int64_t bytes;
    int64_t rows; /* of the tables; bad records in the quarantine are not counted */
};
/* Read every object that the archive of commits names and compare size, checksum and (Parquet)
 * rows; look for objects of our lineages that no commit names, and for commits that are missing.
 * Each problem is one sentence. 0 also when there are problems: see the report. */
int hr_verify(const struct hr_upkeep_conf *conf, void (*problem)(void *user, const char *text),
              void *user, struct hr_verify_report *out, struct hr_error *err);

/* ---- state_edit.c ---- */

/* What the state says, as a JSON object; new reference. Asks nothing of the destination. */
int hr_state_show(const struct hr_upkeep_conf *conf, json_t **out, struct hr_error *err);
/* Forget conf->stream, or all. */
int hr_state_reset(const struct hr_upkeep_conf *conf, size_t *out_streams, struct hr_error *err);

struct hr_replay_report {
    const char *stream; /* borrowed: conf->stream, or NULL when there is just one */
    bool known;         /* the key's version was in the band */
    size_t marks;       /* keys marked in this stream now */
};
/* Mark one object of a stream to be read again by the next sync. Without conf->stream the state
 * must have just one. */
int hr_state_replay(const struct hr_upkeep_conf *conf, const char *key,
                    struct hr_replay_report *out, struct hr_error *err);

enum hr_resolve { HR_RESOLVE_LOOK, HR_RESOLVE_KEEP, HR_RESOLVE_TAKE_BACK };
struct hr_resolve_report {
    enum hr_fit fit; /* HR_FIT_NONE: nothing is open, nothing was done */
    uint64_t seq;
    char lineage[33];
    size_t outputs, visible;
    struct hr_settlement done;
};
/* The commit a dead run left open: `each` is told every object and what stands at its key; then it
 * is kept or taken back as asked. */
int hr_state_resolve(const struct hr_upkeep_conf *conf, enum hr_resolve what,
                     void (*each)(void *user, const struct hr_journal_output *output,
                                  enum hr_seen seen),
                     void *user, struct hr_resolve_report *out, struct hr_error *err);

/* Shared by the three: state and document, and the destination when settings name one. */
struct hr_upkeep {
    struct hr_store *dst;
    struct hr_state *state;
    struct hr_state_doc *doc;
};
enum hr_upkeep_mode { HR_UPKEEP_READ, HR_UPKEEP_CLAIM, HR_UPKEEP_RECOVER };
int hr_upkeep_open(const struct hr_upkeep_conf *conf, enum hr_upkeep_mode mode,
                   struct hr_upkeep *out, struct hr_error *err);
void hr_upkeep_close(const struct hr_upkeep_conf *conf, struct hr_upkeep *u);

#endif
