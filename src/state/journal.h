/* state/journal.h - one commit on paper: what will be published, written before anything is.
 *
 * File: "HRJ1\n", 32 hex digits of hash128 over the body, "\n", decimal length, "\n", the body
 * (JSON),
 * "\n". Anything else is refused, never taken as "none". Level 4.
 */
#ifndef HR_STATE_JOURNAL_H
#define HR_STATE_JOURNAL_H

#include <jansson.h>

#include "io/io.h"

/* One output of a commit. */
struct hr_journal_output {
    char *key, *upload_id, *token; /* token: value of headrace-commit */
    struct hr_part *parts;
    size_t n_parts;
    int64_t rows, bytes;
    uint64_t crc64; /* CRC-64/NVME of the bytes as they were sent */
};

struct hr_journal_removal {
    char *key;
    int64_t bytes; /* size it was written with; another size is not ours. -1: any */
};

struct hr_journal {
    char *destination; /* identity of the store and folder */
    char *lineage, *folder;
    uint64_t seq;
    char prior[33], next[33]; /* hashes of the state before and after */
    bool replace;             /* outputs may overwrite */
    struct hr_journal_output *outputs;
    size_t n_outputs;
    struct hr_journal_removal *removals;
    size_t n_removals;
    char *manifest;   /* text of the manifest after the commit; NULL: none is kept */
    char *archive;    /* text for the archive (inputs and outputs); NULL none */
    char *next_state; /* whole next state document */
    size_t next_state_len;
    bool resumed; /* not in the file: a later run goes on with it, so what is visible may have been
                     read by somebody */
    bool ask;     /* not in the file: that is a reason to stop and ask */
};

void hr_journal_release(struct hr_journal *journal);
/* As bytes for the file. */
int hr_journal_write(const struct hr_journal *journal, struct hr_buf *out, struct hr_error *err);
/* From the file's bytes; name for messages. HR_E_STATE: not whole, or not a journal. */
int hr_journal_read(struct hr_slice bytes, const char *name, struct hr_journal *out,
                    struct hr_error *err);

/* What stands at an output's key: decided by its token (its headrace-commit metadata), on folders
 * by the size, as the name carries lineage and SEQ. UNKNOWN: no clear answer, see err. */
enum hr_seen { HR_SEEN_OURS, HR_SEEN_OTHER, HR_SEEN_NOTHING, HR_SEEN_UNKNOWN };
enum hr_seen hr_journal_look(const struct hr_journal_output *output, struct hr_store *store,
                             struct hr_error *err);
/* Remove what this commit made visible, where it is ours, and abort the rest. `holder` as in
 * hr_journal_publish. */
struct hr_state;
int hr_journal_take_back(const struct hr_journal *journal, struct hr_store *store,
                         struct hr_state *holder, size_t *out_removed, struct hr_error *err);

/* Whether this output (its key, token and bytes) is visible already: settles a complete whose
 * answer was lost. False also when the store does not answer. */
bool hr_journal_stands(const struct hr_journal_output *output, struct hr_store *store);

#endif
