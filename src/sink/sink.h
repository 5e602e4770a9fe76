/* sink/sink.h - SEAM sink: where encoded blocks go, in task order.
 *
 * object.c writes files through state/commit.h, gather.c sorts blocks by folder before it, stream.c
 * writes one file to standard output, null counts. Level 5. Used by the assembler's thread only.
 */
#ifndef HR_SINK_SINK_H
#define HR_SINK_SINK_H

#include "format/format.h"
#include "sink/quarantine.h"

struct hr_sink;
struct hr_sink_ops {
    const char *name;
    /* Blocks from now on have this schema. HR_WIDEN: a destination of one file already took rows of
     * another schema; the caller starts over with the wider one. */
    int (*schema)(struct hr_sink *sink, struct hr_schema *schema, struct hr_error *err);
    /* The folders that blocks will be put to next, one after another (see put). NULL: of no use. */
    int (*expect)(struct hr_sink *sink, const char *const *folders, size_t count,
                  struct hr_error *err);
    /* Take a block (ownership moves, also on failure) for this folder below the sink's own ("a/b/",
     * "" none; borrowed). Blocks on the network or disk. */
    int (*put)(struct hr_sink *sink, const char *folder, struct hr_block *block,
               struct hr_error *err);
    /* Keep a bad record beside the rows (on_error quarantine), in the order of the blocks. */
    int (*reject)(struct hr_sink *sink, const struct hr_rejected *what, struct hr_error *err);
    /* Finish open files; what was put so far is complete and can be published. */
    int (*cut)(struct hr_sink *sink, struct hr_error *err);
    /* Forget what was put since the last cut, as if it had never come. HR_E_CHANGED: it is visible
     * already. */
    int (*rewind)(struct hr_sink *sink, struct hr_error *err);
    /* Forget open files. */
    void (*abort)(struct hr_sink *sink);
    void (*close)(struct hr_sink *sink);
};
struct hr_sink {
    const struct hr_sink_ops *ops;
    bool wants_blocks; /* false: rows are only counted */
    int64_t files, bytes, rows;
};

static inline void hr_sink_close(struct hr_sink *sink) {
    if (sink != NULL) {
        sink->ops->close(sink);
    }
}

struct hr_object_sink_conf {
    struct hr_commit *commit;          /* borrowed */
    const struct hr_format *format;    /* with an encoder */
    const struct hr_write_opts *write; /* borrowed */
    const char *prefix;                /* folder for new files, "" or "a/b/"; copied */
    const char *key;                   /* one exact key instead of many files; NULL: many */
    int64_t max_file_bytes;
    bool quarantine; /* bad records will come */
    bool empty_file; /* no rows: still write one file with the schema (one key) */
};
int hr_sink_object(const struct hr_object_sink_conf *conf, struct hr_sink **out,
                   struct hr_error *err);
/* Before a sink of many files: brings blocks of the same folder together, which come in the order
 * of their tasks, so that a folder gets few files. What waits beyond `memory` bytes goes to a
 * nameless file in `spill_dir` (NULL: $TMPDIR, else /tmp); that changes no byte of the output.
 * Everything is handed on at a cut, a change of schema, and when waiting blocks' bookkeeping
 * reaches `cost_max` bytes; one folder alone when it has max_file_bytes. `behind` is taken over,
 * also on failure. HR_E_BOUND: more than max_folders between two cuts, more than spill_max bytes
 * (0: no bound) in the file. */
struct hr_gather_conf {
    struct hr_sink *behind;
    size_t memory, cost_max;
    int64_t max_file_bytes, max_folders, spill_max;
    const char *spill_dir; /* borrowed */
};
int hr_sink_gather(const struct hr_gather_conf *conf, struct hr_sink **out, struct hr_error *err);
/* One file to a descriptor (standard output). */
int hr_sink_stream(int fd, const struct hr_format *format, const struct hr_write_opts *write,
                   struct hr_sink **out, struct hr_error *err);
int hr_sink_null(struct hr_sink **out, struct hr_error *err);

/* Extension of files of this format and codec: ".parquet", ".csv.gz". Room 32. */
void hr_sink_extension(const struct hr_format *format, const struct hr_write_opts *write, char *out,
                       size_t size);

#endif
