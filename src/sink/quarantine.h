/* sink/quarantine.h - bad records beside the rows they were among.
 *
 * One file per checkpoint, FOLDER/_quarantine/LINEAGE-SEQ-INDEX.jsonl, staged and published with
 * the rows of the same commit. A line is an object:
 *
 *   {"file":"data/a.csv","line":3,"byte_offset":120,"reason":"…","record":"2,x"}
 *
 * `line` (from 1) and `byte_offset` (in the inflated text) are left out where they are not known;
 * `record_base64` stands for `record` where the bytes are not UTF-8; `"truncated":true` says that
 * the record went on. Level 5. Used by the assembler's thread only.
 */
#ifndef HR_SINK_QUARANTINE_H
#define HR_SINK_QUARANTINE_H

#include "state/commit.h"

/* A rejected record, in task order. */
struct hr_rejected {
    const char *key;
    int64_t byte_offset, line; /* -1 unknown */
    const char *reason;
    struct hr_slice raw; /* its first bytes, with on_error quarantine; else empty */
    bool cut;            /* raw is not all of it */
};

struct hr_quarantine;
/* `folder` ("a/b/" or "") is where the rows go; copied. The commit is borrowed. */
int hr_quarantine_open(struct hr_commit *commit, const char *folder, struct hr_quarantine **out,
                       struct hr_error *err);
int hr_quarantine_add(struct hr_quarantine *q, const struct hr_rejected *what,
                      struct hr_error *err);
/* What was added is complete and can be published; the next one starts a new file. */
int hr_quarantine_finish(struct hr_quarantine *q, struct hr_error *err);
void hr_quarantine_discard(struct hr_quarantine *q); /* the open file */
void hr_quarantine_close(struct hr_quarantine *q);   /* discard, then free; NULL allowed */

#endif
