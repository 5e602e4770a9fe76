/* plan/plan.h - from a bucket to an ordered list of tasks.
 *
 *   hr_lister ─► hr_scan ─► (hr_sampler ─► hr_infer_jobs) ─► hr_plan
 *   keys in      objects     samples        schema            tasks
 *   key order    by stream
 *
 * Everything is pulled and bounded: a plan over any number of keys holds the listing's look-ahead,
 * the task being packed and, only when a limit must be judged before the first read, the objects up
 * to it. Every cut depends on listing order and options alone, so the same input gives the same
 * tasks. Level 5.
 *
 * Thread safety: an object of this header belongs to one thread; listing and inference start
 * threads of their own and join them in close.
 */
#ifndef HR_PLAN_PLAN_H
#define HR_PLAN_PLAN_H

#include "io/io.h"
#include "plan/catalog.h"
#include "plan/settings.h"

/* ---- listing --------------------------------------------------------------------------------- */

struct hr_lister_conf {
    struct hr_store *store;
    const char *prefix; /* every key below it; "" all. Borrowed until close */
    int width;          /* LIST requests at once; <= 1: one after another in the caller's thread */
    int page_size;      /* 0: 1000 */
    int64_t (*clock)(void); /* nanoseconds that only grow; NULL: the machine's. Decides the width */
};

struct hr_lister_stats {
    uint64_t requests; /* LIST requests sent */
    uint64_t pages;    /* answers that held keys of the result */
    uint64_t keys;
    bool split;  /* the key space was listed in several ranges at once */
    bool serial; /* the store ignores start-after: one after another */
};

/* All keys below a prefix in byte order, whatever the width. The first page is asked flat; when it
 * is cut, the key space is split at folder borders or at guessed keys, each range walked with
 * start-after. A flat listing costs at most 1.05 x ceil(keys / page) requests. */
struct hr_lister;
int hr_lister_open(const struct hr_lister_conf *conf, struct hr_lister **out, struct hr_error *err);
/* The next key, valid until the next call; HR_END. Blocks on the store. */
int hr_lister_next(struct hr_lister *lister, const struct hr_list_item **out, struct hr_error *err);
void hr_lister_get_stats(struct hr_lister *lister, struct hr_lister_stats *out);
void hr_lister_close(struct hr_lister *lister); /* NULL allowed */

/* ---- selection ------------------------------------------------------------------------------- */

/* Why an object was not chosen, in the order in which the questions are asked. */
enum hr_skip {
    HR_SKIP_NONE,    /* chosen */
    HR_SKIP_FOLDER,  /* key ends in '/' */
    HR_SKIP_EMPTY,   /* size 0 */
    HR_SKIP_HIDDEN,  /* name starts with '_' or '.', or lies in _headrace/ or _quarantine/ */
    HR_SKIP_PATTERN, /* file_pattern, key_regex */
    HR_SKIP_FORMAT,  /* another format, an archive, an unknown kind of file */
    HR_SKIP_DATE,    /* start_date, end_date */
    HR_SKIP_PARTITION,
    HR_SKIP_STREAM, /* belongs to a stream that is not selected */
    HR_SKIP_STATE,  /* read before */
    HR_SKIP_LIMIT,  /* max_files_per_run, max_data_size_gb: left for the next run */
    HR_SKIP_DEV,    /* dev_max_files, dev_sampling */
    HR_SKIP_COUNT
};
const char *hr_skip_name(enum hr_skip why); /* "pattern" */

struct hr_selection { /* index: enum hr_skip; [HR_SKIP_NONE] is what was chosen */
    uint64_t objects[HR_SKIP_COUNT];
    uint64_t bytes[HR_SKIP_COUNT];
};

/* One chosen object. */
struct hr_object {
    const char *key;
    size_t key_len;
    struct hr_object_info info;
    long stream;                    /* index into the catalog; discover: running number */
    const struct hr_format *format; /* NULL: by magic when it is opened */
    const struct hr_codec *codec;   /* NULL: none known from the name */
    bool codec_auto;                /* look at the first bytes for a codec when codec is NULL */
};

/* Decides whether a chosen object is new. Returns true to read it. Called in scan order. */
typedef bool (*hr_fresh_fn)(void *user, long stream, const struct hr_list_item *item);

struct hr_scan_conf {
    struct hr_store *store;
    const struct hr_settings *settings; /* finished; borrowed until close */
    const struct hr_catalog *catalog;   /* NULL: every stream found is taken (discover) */
    hr_fresh_fn fresh;                  /* NULL: everything is new */
    void *fresh_user;
    int list_width; /* 0: 8, or 1 for local stores */
};

/* The chosen objects of a run, stream by stream: all objects of one stream follow one another in
 * key order, streams follow in the order of their names as folders ("a/" after "a-b/"). */
struct hr_scan;
/* Is there an object of the place's literal name (see struct hr_place), or anything below it when
 * it ends in '/'? *out false without such a name, and where the store will not say. */
int hr_scan_literal(struct hr_store *store, const struct hr_place *place, bool *out,
                    struct hr_error *err);
int hr_scan_open(const struct hr_scan_conf *conf, struct hr_scan **out, struct hr_error *err);
/* The next object, valid until the next call; HR_END. Errors are those of listing. */
int hr_scan_next(struct hr_scan *scan, const struct hr_object **out, struct hr_error *err);
/* Name of a stream number that hr_scan_next gave when there is no catalog. */
const char *hr_scan_stream_name(const struct hr_scan *scan, long stream);
const struct hr_selection *hr_scan_selection(const struct hr_scan *scan);
/* Of one stream; NULL when no object of it was seen. */
const struct hr_selection *hr_scan_stream_selection(const struct hr_scan *scan, long stream);
void hr_scan_lister_stats(const struct hr_scan *scan, struct hr_lister_stats *out);
void hr_scan_close(struct hr_scan *scan);

/* Name of the stream a key belongs to, "" for stream_by=all. The slice lies inside key. */
struct hr_slice hr_stream_of_key(int stream_by, const char *prefix, const char *key,
                                 size_t key_len);

/* ---- samples and inference ------------------------------------------------------------------- */

struct hr_sample {
    char *key; /* owned */
    struct hr_object_info info;
    const struct hr_format *format;
    const struct hr_codec *codec;
    bool codec_auto;
};

/* Chooses `infer_files` objects of a stream while they go by: the first, the last by time, the rest
 * spread evenly in key order. Holds at most 64 of them. */
struct hr_sampler;
struct hr_sampler *hr_sampler_new(int64_t files); /* NULL: no memory */
int hr_sampler_add(struct hr_sampler *sampler, const struct hr_object *object,
                   struct hr_error *err);
/* The samples in key order; owned by the sampler. */
size_t hr_sampler_choose(struct hr_sampler *sampler, const struct hr_sample **out);
void hr_sampler_free(struct hr_sampler *sampler);

/* One schema to find. */
struct hr_infer_job {
    const struct hr_sample *samples; /* borrowed */
    size_t n_samples;
    bool keep_nested; /* structs and lists stay; otherwise, with json.nested_text, JSON text */
    const struct hr_schema *floor; /* columns known before: these come first and only widen; NULL */
    struct hr_schema *schema;      /* result, a reference; NULL when there was nothing to look at */
    int rc;                        /* result of this job */
    struct hr_error err;
};
/* Run the jobs `width` objects at a time. A job's schema is the meet of its samples' schemas in key
 * order; columns that never had a value become utf8. Never reads a whole large object. Returns 0
 * even when jobs failed (see their rc), errors only for lack of memory. */
int hr_infer_jobs(struct hr_store *store, const struct hr_settings *settings,
                  struct hr_infer_job *jobs, size_t count, int width, struct hr_error *err);

/* Open one object as decoded bytes: reads, looks for a codec when codec_auto, wraps. format NULL in
 * the sample: by probing, HR_E_FORMAT when nothing fits; *out_format is what it is then. window:
 * bytes of the first GET, 0: 64 KiB. */
int hr_open_sample(struct hr_store *store, const struct hr_settings *settings,
                   const struct hr_sample *sample, size_t window,
                   const struct hr_format **out_format, struct hr_source **out,
                   struct hr_error *err);

/* List a source and infer every stream found: what `discover` does. Streams in scan order,
 * selected, with data columns only (a dialect adds its own). HR_E_NO_OBJECT when nothing was found:
 * the message says what was there instead. */
int hr_discover(struct hr_store *store, const struct hr_settings *settings, int width,
                struct hr_catalog *out, struct hr_selection *selection, struct hr_error *err);

/* ---- tasks ----------------------------------------------------------------------------------- */

/* One piece of input. */
struct hr_piece {
    const char *key;
    char etag[80];
    int64_t size, mtime_us;
    const struct hr_format *format; /* NULL: probe when opened */
    const struct hr_codec *codec;
    bool codec_auto;
    int64_t begin, end;              /* bytes [begin, end) of the object; end -1: to its end */
    int64_t group_begin, group_end;  /* Parquet row groups; group_end -1: all */
    int64_t file;                    /* number of the object in its stream, from 0 */
    bool first, last;                /* first and last piece of its object */
    struct hr_codec_frames frames;   /* count > 0: begin and end are bytes of the inflated text, and
                                        these are the frames that text begin - 1 starts */
    bool exact;                      /* a record starts exactly at begin: no guess (set when a
                                        wrong guess is run again) */
    const struct hr_strlist *header; /* text piece that does not begin at 0: column names; NULL */
};

/* The unit of work: everything in it lives in one allocation block, owned by the task. */
struct hr_task {
    int64_t seq;        /* in the plan, from 0 */
    int64_t checkpoint; /* in the stream, from 0; whole objects only */
    long stream;        /* index into the catalog */
    int64_t bytes;      /* stored bytes of its pieces */
    size_t n_pieces;
    struct hr_piece *pieces;
    bool ends_checkpoint; /* the last task of its checkpoint */
    bool ends_stream;     /* the last task of its stream */
    struct hr_arena *arena;
};
void hr_task_free(struct hr_task *task); /* NULL allowed */
/* Stored bytes that are a piece's own; row groups are not counted out. */
int64_t hr_piece_stored(const struct hr_piece *piece);
/* A source for a piece: decoded, its format known (by probing when the piece's is NULL). The source
 * must be closed; `inner` is not closed by it. src->size is the object's when nothing inflates,
 * else -1. */
int hr_piece_source(const struct hr_settings *settings, const struct hr_piece *piece,
                    struct hr_source *inner, const struct hr_format **out_format,
                    struct hr_source **out, struct hr_error *err);
/* A task as JSON (new reference) and back: what `plan --tasks` prints and a Spark partition
 * carries. */
int hr_task_to_json(const struct hr_task *task, json_t **out, struct hr_error *err);
int hr_task_from_json(const json_t *json, struct hr_task **out, struct hr_error *err);

struct hr_plan_conf {
    struct hr_store *store;
    const struct hr_settings *settings;
    struct hr_catalog *catalog; /* streams without a schema get one before their first task */
    hr_fresh_fn fresh;
    void *fresh_user;
    int list_width;
    /* One per stream of the catalog, or NULL: columns of an earlier run, which a stream without a
     * schema keeps (borrowed). With `widen` they meet what is inferred, otherwise they are what the
     * files must fit. */
    struct hr_schema *const *floors;
    bool no_schema; /* do not infer (count, ls) */
    bool redo;      /* remember what is in tasks until hr_plan_done, for hr_plan_redo */
    /* Known work in place of a listing (Olake's pending chunks come through `fresh`); unused: NULL
     */
    /* Called for every chosen object in scan order before its task is given out (manifests, `plan
     * --json`). Optional; an error stops the plan. */
    int (*chosen)(void *user, const struct hr_object *object, struct hr_error *err);
    void *chosen_user;
};

struct hr_plan_totals {
    uint64_t objects, bytes, tasks, checkpoints;
    uint64_t list_requests;
    uint64_t plan_reads;    /* GETs spent on footers, headers and samples so far */
    uint64_t read_requests; /* GETs the tasks handed out so far will make */
    double usd;             /* by the price sheet, of all of them */
    bool complete;          /* the listing has ended: the figures are exact */
};

struct hr_plan;
/* Opens the listing. When a limit (max_files_per_run, max_data_size_gb, cost_limit_usd) applies,
 * the whole selection is listed here and judged: a full refresh over it is HR_E_LIMIT, an
 * incremental run takes the first in key order (the rest is counted as HR_SKIP_LIMIT); cost always
 * refuses. */
int hr_plan_open(const struct hr_plan_conf *conf, struct hr_plan **out, struct hr_error *err);
/* The next task (owned by the caller) or HR_END. Tasks of one stream follow one another; a stream
 * with nothing to read has none. May read footers and samples. */
int hr_plan_next(struct hr_plan *plan, struct hr_task **out, struct hr_error *err);
/* Every object of `stream` that is chosen and in no task yet, in key order: the listing is read on
 * to the stream's end. Not while hr_plan_next runs. HR_E_BOUND: more than `limit` objects; what
 * `each` was given is then only the beginning. An object whose first piece is in a task is in it.
 */
int hr_plan_ahead(struct hr_plan *plan, long stream, size_t limit,
                  int (*each)(void *user, const struct hr_object *object, struct hr_error *err),
                  void *user, struct hr_error *err);
/* Tasks up to this `seq` are done for good. */
void hr_plan_done(struct hr_plan *plan, int64_t seq);
/* All tasks given out since hr_plan_done are void: their objects are given out again, in the same
 * order. The object of this key is looked at again first (one HEAD): it is read as it is now, or,
 * *out_gone, left out when it is deleted or empty. */
int hr_plan_redo(struct hr_plan *plan, const char *changed, bool *out_gone, struct hr_error *err);
void hr_plan_get_totals(const struct hr_plan *plan, struct hr_plan_totals *out);
const struct hr_scan *hr_plan_scan(const struct hr_plan *plan);
void hr_plan_close(struct hr_plan *plan);

/* Append a key to a list of Olake's chunks, [{"min": [keys], "max": bytes}, ...]: an object of
 * `target` bytes or more gets a chunk of its own, one that would exceed the target starts a new
 * chunk. target 0: 2 GiB, Olake's; the plan's checkpoints are cut by the same rule. */
int hr_chunks_add(json_t *chunks, const char *key, int64_t size, int64_t target,
                  struct hr_error *err);

/* Price of requests and bytes by the sheet named in the settings ("seed": 0.0004 USD per GB read
 * and per 1000 GET). */
double hr_price_usd(const char *sheet, uint64_t gets, uint64_t lists, uint64_t bytes);

#endif
