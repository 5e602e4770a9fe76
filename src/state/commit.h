/* state/commit.h - exactly once into plain files: stage, journal, publish, state.
 *
 * A commit collects staged outputs (multipart uploads to their final keys, not completed; for
 * folders hidden `.tmp` files) and makes them visible all together:
 *
 *   begin ─► open_output … output_finish (any number) ─► publish ─► (next commit, SEQ + 1)
 *                                                    └► abort
 *
 * With a `struct hr_state` the ledger names every upload before it is created, the journal is
 * written before the first output is published and the state file after the last: what semantics
 * calls "exactly once into plain files". Without one (`copy`) outputs are staged and published, and
 * a crash leaves nothing visible but may leave an unfinished upload behind. Level 5.
 *
 * One thread at a time.
 */
#ifndef HR_STATE_COMMIT_H
#define HR_STATE_COMMIT_H

#include "io/io.h"

struct hr_state; /* state/state.h; NULL: none */

/* One object that was read. */
struct hr_input {
    char *key;
    char etag[80];
    int64_t size, mtime_us;
};

struct hr_commit_conf {
    struct hr_store *store;   /* destination */
    struct hr_budget *budget; /* parts in flight are taken from it; NULL: unbounded */
    struct hr_state *state;   /* NULL: a plain copy */
    const char *lineage;      /* at most 32 bytes [a-z0-9]; borrowed during begin */
    uint64_t seq;
    size_t part_size;   /* 0: 8 MiB */
    bool replace;       /* outputs may overwrite what is there (one key, mode replace) */
    bool overwrite;     /* the publish removes what earlier commits of this folder's manifest wrote,
                           minus what it writes itself */
    const char *folder; /* folder of the outputs ("a/b/"): where the manifest belongs; borrowed
                           during begin; NULL: no manifest */
    const struct hr_put_opts *put; /* encryption, tags …; NULL none; borrowed until the end */
    /* With overwrite: names of files that another program wrote into this table; what bears one
     * goes too. NULL: none are known. */
    bool (*also_owns)(const char *name, size_t len);
};

struct hr_commit;
int hr_commit_begin(const struct hr_commit_conf *conf, struct hr_commit **out,
                    struct hr_error *err);
uint64_t hr_commit_seq(const struct hr_commit *commit);

/* LINEAGE-SEQ-INDEX.ext, INDEX counting up from 0 with every call. */
void hr_commit_next_name(struct hr_commit *commit, const char *ext, char *out, size_t size);

/* Key of the next output in this folder ("a/b/", "" none): folder and the next name, or the one
 * reserved for it. HR_E_CONFIG: longer than 1024 bytes. */
int hr_commit_next_key(struct hr_commit *commit, const char *folder, const char *ext, char *out,
                       size_t size, struct hr_error *err);
/* Outputs in these folders come next, one in each (the same folder may stand there again): their
 * names are drawn now, and the ledger names them all in one write. A name that is not taken before
 * the publish is never used. Without a state nothing is done. */
int hr_commit_reserve(struct hr_commit *commit, const char *const *folders, size_t count,
                      const char *ext, struct hr_error *err);

/* Start an output at this final key. The key must be free unless `replace`. Errors: HR_E_FORBIDDEN,
 * HR_E_NOSPACE, HR_E_EXISTS … */
struct hr_output;
int hr_commit_open_output(struct hr_commit *commit, const char *key, struct hr_output **out,
                          struct hr_error *err);
struct hr_out *hr_output_out(struct hr_output *output); /* where its bytes go */
int64_t hr_output_bytes(const struct hr_output *output);
/* All bytes are written: send the rest and keep it staged. */
int hr_output_finish(struct hr_output *output, int64_t rows, struct hr_error *err);
/* Drop it (before or after finish). */
void hr_output_discard(struct hr_output *output);

/* What a checkpoint makes permanent. */
struct hr_publish {
    struct hr_slice next_state;    /* whole next state document; empty without state */
    const struct hr_input *inputs; /* read in this commit, for the journal archive */
    size_t n_inputs;
};
/* Make every finished output visible, then the state. HR_E_INDOUBT when it could not be settled.
 * The commit is empty afterwards and its SEQ one higher. */
int hr_commit_publish(struct hr_commit *commit, const struct hr_publish *what,
                      struct hr_error *err);
/* Outputs made visible by the last publish. Valid until the next one. */
struct hr_published {
    const char *key;
    int64_t rows, bytes;
};
const struct hr_published *hr_commit_published(const struct hr_commit *commit, size_t *out_count);
/* Outputs opened after a mark (or since the last publish) can be forgotten alone: their uploads are
 * aborted, their names given again. */
void hr_commit_mark(struct hr_commit *commit);
void hr_commit_rollback(struct hr_commit *commit);
/* Forget everything staged (uploads aborted, `.tmp` removed). */
void hr_commit_abort(struct hr_commit *commit);
/* abort, then free. NULL allowed. */
void hr_commit_end(struct hr_commit *commit);

#endif
