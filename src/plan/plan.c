/* plan/plan.c - chosen objects to tasks.
 *
 * Objects are pulled from the scan into a queue: far enough to see what follows (a task says
 * whether it ends its checkpoint and stream), to sample a stream whose columns are unknown, or,
 * when a limit must be judged before the first read, to the end. Tasks are cut from the front of
 * the queue by bytes and count, checkpoints between objects by bytes, as Olake packs its chunks: an
 * object that would exceed the target starts a new one. All cuts depend on the objects' order and
 * sizes and on options alone.
 */
#include "plan/plan.h"

#include <string.h>

#include "base/mem.h"
#include "plan/object_queue.h"
#include "plan/sample.h"
#include "plan/select.h"
#include "plan/split.h"
#include "plan/task.h"

#define LOOKAHEAD_MAX 50000 /* objects of a stream seen before its schema is settled */

struct hr_plan {
    struct hr_plan_conf conf;
    struct hr_scan *scan;
    struct hr_object_queue queue;
    bool scan_ended;

    int64_t task_bytes, checkpoint_bytes;
    size_t task_objects;

    long stream; /* of the open checkpoint; -1 none */
    int64_t checkpoint, checkpoint_sum;
    int64_t file; /* number of the next object in the stream */
    int64_t seq;

    struct hr_pieces pieces; /* of the large object at the queue's front */
    size_t next_piece;
    struct hr_object_queue given; /* in tasks that are not done; see hr_plan_redo */

    struct hr_plan_totals totals;
};

/* ---- the queue ------------------------------------------------------------------------------- */

/* One more object from the scan; HR_END when there is none. */
static int pull(struct hr_plan *plan, struct hr_error *err) {
    const struct hr_object *object = NULL;
    if (plan->scan_ended) {
        return HR_END;
    }
    int rc = hr_scan_next(plan->scan, &object, err);
    plan->scan_ended = rc == HR_END;
    return rc ? rc : hr_object_queue_push(&plan->queue, object, err);
}

/* The nth object ahead; *out NULL when the selection has no more. */
static int look_ahead(struct hr_plan *plan, size_t n, const struct hr_queued **out,
                      struct hr_error *err) {
    int rc = 0;
    while (rc == 0 && plan->queue.count <= n) {
        rc = pull(plan, err);
    }
    *out = hr_object_queue_at(&plan->queue, n);
    return rc == HR_END ? 0 : rc;
}

/* ---- limits ---------------------------------------------------------------------------------- */

static uint64_t gets_of(const struct hr_plan *plan, int64_t bytes) {
    int64_t part = plan->conf.settings->work.part_size_mb << 20;
    return bytes <= part ? 1 : (uint64_t)((bytes + part - 1) / part);
}

static bool has_limits(const struct hr_cost_opts *cost) {
    return cost->cost_limit_usd > 0 || cost->max_files_per_run > 0 || cost->max_data_size_gb > 0;
}

static bool is_incremental(const struct hr_plan *plan, const struct hr_object *object) {
    const struct hr_catalog *catalog = plan->conf.catalog;
    return catalog && object->stream >= 0 && (size_t)object->stream < catalog->count
               ? catalog->streams[object->stream].sync_mode == HR_SYNC_INCREMENTAL
               : plan->conf.settings->sync.sync_mode == HR_SYNC_INCREMENTAL;
}

static int refuse_limit(const struct hr_cost_opts *cost, bool files, struct hr_error *err) {
    int rc = files ? hr_fail(err, HR_E_LIMIT,
                             "more than %lld files are chosen, which max_files_per_run forbids",
                             (long long)cost->max_files_per_run)
                   : hr_fail(err, HR_E_LIMIT,
                             "more than %.15g GiB are chosen, which max_data_size_gb forbids",
                             cost->max_data_size_gb);
    hr_error_hint(err, "Nothing was read. Raise the limit, choose fewer files, or sync "
                       "incrementally: that takes the first and goes on next time.");
    return rc;
}

/* Would one more object break max_files_per_run (1) or max_data_size_gb (2)? */
static int breaks_limit(const struct hr_plan *plan, uint64_t objects, uint64_t bytes) {
    const struct hr_cost_opts *cost = &plan->conf.settings->cost;
    if (cost->max_files_per_run > 0 && objects > (uint64_t)cost->max_files_per_run) {
        return 1;
    }
    return cost->max_data_size_gb > 0 && (double)bytes > cost->max_data_size_gb * (1 << 30) ? 2 : 0;
}

static int check_cost(const struct hr_plan *plan, uint64_t gets, uint64_t bytes,
                      struct hr_error *err) {
    const struct hr_cost_opts *cost = &plan->conf.settings->cost;
    double usd = hr_price_usd(cost->price_sheet, gets, 0, bytes);
    if (!(cost->cost_limit_usd > 0) || usd <= cost->cost_limit_usd) {
        return 0;
    }
    int rc = hr_fail(err, HR_E_LIMIT, "Operation cost $%.2f exceeds limit $%.2f", usd,
                     cost->cost_limit_usd);
    hr_error_hint(err, "Nothing was read. Raise cost_limit_usd or choose fewer files.");
    return rc;
}

/* The whole selection into the queue, as far as the limits allow. */
static int collect_all(struct hr_plan *plan, struct hr_error *err) {
    const struct hr_object *object = NULL;
    uint64_t objects = 0;
    uint64_t bytes = 0;
    uint64_t gets = 0;
    bool full = false;
    int rc = 0;
    while ((rc = hr_scan_next(plan->scan, &object, err)) == 0) {
        uint64_t size = (uint64_t)object->info.size;
        int broken = breaks_limit(plan, objects + 1, bytes + size);
        if (broken && !is_incremental(plan, object)) {
            return refuse_limit(&plan->conf.settings->cost, broken == 1, err);
        }
        full = full || broken;
        if (full) {
            hr_scan_leave(plan->scan, object->stream, object->info.size);
            continue;
        }
        objects++;
        bytes += size;
        gets += gets_of(plan, object->info.size);
        rc = hr_object_queue_push(&plan->queue, object, err);
        if (rc) {
            return rc;
        }
    }
    plan->scan_ended = rc == HR_END;
    return rc == HR_END ? check_cost(plan, gets, bytes, err) : rc;
}

/* ---- schemas --------------------------------------------------------------------------------- */

static int sample_ahead(struct hr_plan *plan, long stream, struct hr_sampler *sampler,
                        struct hr_error *err) {
    const struct hr_queued *queued = NULL;
    int rc = 0;
    for (size_t n = 0; n < LOOKAHEAD_MAX && rc == 0; n++) {
        rc = look_ahead(plan, n, &queued, err);
        if (rc || queued == NULL || queued->stream != stream) {
            break;
        }
        struct hr_object object;
        hr_queued_object(queued, &object);
        rc = hr_sampler_add(sampler, &object, err);
    }
    return rc;
}

/* Columns for a stream that has none, from the objects ahead. */
static int settle_schema(struct hr_plan *plan, long stream, struct hr_error *err) {
    struct hr_stream *entry = &plan->conf.catalog->streams[stream];
    if (entry->has_schema || plan->conf.no_schema) {
        return 0;
    }
    const struct hr_schema *floor = plan->conf.floors ? plan->conf.floors[stream] : NULL;
    if (floor && plan->conf.settings->schema.schema_evolution != HR_EVOLVE_WIDEN) {
        return hr_stream_set_schema(entry, floor, err);
    }
    struct hr_sampler *sampler = hr_sampler_new(plan->conf.settings->schema.infer_files);
    struct hr_infer_job job = {.floor = floor};
    int rc = sampler ? sample_ahead(plan, stream, sampler, err)
                     : hr_fail(err, HR_E_NOMEM, "out of memory for samples");
    if (rc == 0) {
        job.n_samples = hr_sampler_choose(sampler, &job.samples);
        plan->totals.plan_reads += job.n_samples;
        rc = hr_infer_jobs(plan->conf.store, plan->conf.settings, &job, 1, (int)job.n_samples, err);
    }
    if (rc == 0 && job.rc) {
        if (err) {
            *err = job.err;
        }
        rc = job.rc;
    }
    if (rc == 0 && job.schema) {
        rc = hr_stream_set_schema(entry, job.schema, err);
    }
    hr_schema_unref(job.schema);
    hr_sampler_free(sampler);
    return rc;
}

/* ---- packing --------------------------------------------------------------------------------- */

static bool starts_checkpoint(const struct hr_plan *plan, const struct hr_queued *object) {
    return plan->checkpoint_sum > 0 && plan->checkpoint_sum + object->size > plan->checkpoint_bytes;
}

/* Say what the task ends, from what comes after it. */
static int close_task(struct hr_plan *plan, struct hr_task *task, struct hr_error *err) {
    const struct hr_queued *next = NULL;
    int rc = look_ahead(plan, 0, &next, err);
    if (rc) {
        return rc;
    }
    bool goes_on = plan->next_piece < plan->pieces.count;
    task->ends_stream = !goes_on && (next == NULL || next->stream != task->stream);
    task->ends_checkpoint = task->ends_stream || (!goes_on && starts_checkpoint(plan, next));
    task->seq = plan->seq++;
    plan->totals.tasks++;
    plan->totals.checkpoints += task->ends_checkpoint;
    return 0;
}

static int64_t piece_bytes(const struct hr_plan *plan, const struct hr_piece *piece) {
    if (piece->group_end >= 0 && plan->pieces.layout.group_bytes) {
        int64_t sum = 0;
        for (int64_t g = piece->group_begin; g < piece->group_end; g++) {
            sum += plan->pieces.layout.group_bytes[g];
        }
        return sum;
    }
    return hr_piece_stored(piece);
}

static int add_piece(struct hr_plan *plan, struct hr_task *task, const struct hr_piece *piece,
                     struct hr_error *err) {
    int rc = hr_task_add(task, piece, err);
    int64_t bytes = piece_bytes(plan, piece);
    if (rc == 0) {
        task->bytes += bytes;
        plan->totals.read_requests += gets_of(plan, bytes);
    }
    return rc;
}

/* The object at the front is taken into the plan: numbered, counted, shown. */
static int take_front(struct hr_plan *plan, struct hr_error *err) {
    struct hr_object object;
    struct hr_queued *front = &plan->queue.items[plan->queue.head];
    hr_queued_object(front, &object);
    front->seq = plan->seq;
    front->checkpoint = plan->checkpoint;
    front->file = plan->file;
    int rc = plan->conf.chosen ? plan->conf.chosen(plan->conf.chosen_user, &object, err) : 0;
    plan->checkpoint_sum += object.info.size;
    plan->file++;
    plan->totals.objects++;
    plan->totals.bytes += (uint64_t)object.info.size;
    return rc;
}

/* The object at the front is in tasks whole. */
static int leave_front(struct hr_plan *plan, struct hr_error *err) {
    if (plan->conf.redo) {
        return hr_object_queue_move(&plan->given, &plan->queue, err);
    }
    hr_object_queue_pop(&plan->queue);
    return 0;
}

static void whole_piece(const struct hr_queued *queued, int64_t file, struct hr_piece *out) {
    struct hr_object object;
    hr_queued_object(queued, &object);
    struct hr_sample sample = {
        .key = queued->key,
        .info = object.info,
        .format = object.format,
        .codec = object.codec,
        .codec_auto = object.codec_auto,
    };
    hr_sample_piece(&sample, out);
    out->file = file;
}

/* The next piece of the large object is a task of its own. */
static int piece_task(struct hr_plan *plan, struct hr_task *task, struct hr_error *err) {
    int rc = add_piece(plan, task, &plan->pieces.items[plan->next_piece], err);
    if (rc == 0 && ++plan->next_piece == plan->pieces.count) {
        plan->next_piece = 0;
        hr_pieces_release(&plan->pieces);
        rc = leave_front(plan, err);
    }
    return rc;
}

/* Cut the large object at the front and give its first piece. */
static int begin_large(struct hr_plan *plan, struct hr_task *task, struct hr_error *err) {
    struct hr_object object;
    hr_queued_object(hr_object_queue_at(&plan->queue, 0), &object);
    int rc = hr_split_object(plan->conf.store, plan->conf.settings, &object, plan->file,
                             plan->task_bytes, &plan->pieces, &plan->totals.plan_reads, err);
    if (rc == 0) {
        rc = take_front(plan, err);
    }
    return rc ? rc : piece_task(plan, task, err);
}

/* Small objects until the task is full or something ends. */
static int fill_task(struct hr_plan *plan, struct hr_task *task, struct hr_error *err) {
    for (;;) {
        const struct hr_queued *object = NULL;
        int rc = look_ahead(plan, 0, &object, err);
        if (rc || object == NULL || object->stream != task->stream) {
            return rc;
        }
        const bool large = hr_split_wanted(object->codec, object->size, plan->task_bytes);
        bool fits =
            task->n_pieces == 0 || (!large && task->bytes + object->size <= plan->task_bytes &&
                                    task->n_pieces < plan->task_objects);
        if (!fits || (task->n_pieces && starts_checkpoint(plan, object))) {
            return 0;
        }
        if (large) {
            return begin_large(plan, task, err); /* the task is empty: it did not fit otherwise */
        }
        struct hr_piece piece;
        whole_piece(object, plan->file, &piece);
        rc = add_piece(plan, task, &piece, err);
        if (rc == 0) {
            rc = take_front(plan, err);
        }
        if (rc == 0) {
            rc = leave_front(plan, err);
        }
        if (rc) {
            return rc;
        }
    }
}

/* Stream and checkpoint of the task that starts with this object. */
static int begin_task(struct hr_plan *plan, const struct hr_queued *object, struct hr_task *task,
                      struct hr_error *err) {
    int rc = 0;
    if (object->stream != plan->stream) {
        plan->stream = object->stream;
        plan->checkpoint = 0;
        plan->checkpoint_sum = 0;
        plan->file = 0;
        rc = settle_schema(plan, object->stream, err);
    } else if (starts_checkpoint(plan, object)) {
        plan->checkpoint++;
        plan->checkpoint_sum = 0;
    }
    task->stream = plan->stream;
    task->checkpoint = plan->checkpoint;
    return rc;
}

int hr_plan_next(struct hr_plan *plan, struct hr_task **out, struct hr_error *err) {
    struct hr_task *task = NULL;
    const struct hr_queued *object = NULL;
    *out = NULL;
    int rc = look_ahead(plan, 0, &object, err);
    if (rc == 0 && object == NULL) {
        plan->totals.complete = true;
        return HR_END;
    }
    if (rc == 0) {
        rc = hr_task_new(&task, err);
    }
    if (rc == 0 && plan->next_piece) {
        task->stream = plan->stream;
        task->checkpoint = plan->checkpoint;
        rc = piece_task(plan, task, err);
    } else if (rc == 0) {
        rc = begin_task(plan, object, task, err);
        if (rc == 0) {
            rc = fill_task(plan, task, err);
        }
    }
    if (rc == 0) {
        rc = close_task(plan, task, err);
    }
    if (rc) {
        hr_task_free(task);
        return rc;
    }
    *out = task;
    return 0;
}

int hr_plan_ahead(struct hr_plan *plan, long stream, size_t limit,
                  int (*each)(void *user, const struct hr_object *object, struct hr_error *err),
                  void *user, struct hr_error *err) {
    /* A large object stays at the front until its last piece is given out. */
    const size_t from = plan->next_piece > 0 ? 1 : 0;
    for (size_t n = from;; n++) {
        const struct hr_queued *queued = NULL;
        struct hr_object object;
        int rc = look_ahead(plan, n, &queued, err);
        if (rc || queued == NULL || queued->stream != stream) {
            return rc;
        }
        if (n - from >= limit) {
            return hr_fail(err, HR_E_BOUND, "more than %zu objects are waiting", limit);
        }
        hr_queued_object(queued, &object);
        rc = each(user, &object, err);
        if (rc) {
            return rc;
        }
    }
}

/* ---- doing it again -------------------------------------------------------------------------- */

void hr_plan_done(struct hr_plan *plan, int64_t seq) {
    while (plan->given.count > 0 && hr_object_queue_at(&plan->given, 0)->seq <= seq) {
        hr_object_queue_pop(&plan->given);
    }
}

/* The queue's front as it is now; popped when there is nothing to read any more. */
static int renew_front(struct hr_plan *plan, bool *gone, struct hr_error *err) {
    struct hr_queued *front = &plan->queue.items[plan->queue.head];
    struct hr_object_info info = {0};
    struct hr_store *store = plan->conf.store;
    const int rc = store->driver->stat(store, front->key, &info, NULL, err);
    if (rc != 0 && rc != HR_E_NO_OBJECT) {
        return rc;
    }
    if (rc == 0 && info.size > 0) {
        return hr_queued_renew(front, &info, err);
    }
    hr_error_clear(err);
    *gone = true;
    hr_object_queue_pop(&plan->queue);
    return 0;
}

/* Plan on as before this object came into a task. */
static void go_back_to(struct hr_plan *plan, const struct hr_queued *object) {
    plan->totals.tasks -= (uint64_t)(plan->seq - object->seq);
    plan->seq = object->seq;
    plan->stream = object->stream;
    plan->checkpoint = object->checkpoint;
    plan->checkpoint_sum = 0;
    plan->file = object->file;
}

/* The queue's front is planned again. */
static int take_back(struct hr_plan *plan, const char *changed, bool *gone, struct hr_error *err) {
    const struct hr_queued *front = hr_object_queue_at(&plan->queue, 0);
    plan->totals.objects--;
    plan->totals.bytes -= (uint64_t)front->size;
    go_back_to(plan, front);
    return strcmp(front->key, changed) == 0 ? renew_front(plan, gone, err) : 0;
}

int hr_plan_redo(struct hr_plan *plan, const char *changed, bool *out_gone, struct hr_error *err) {
    int rc = 0;
    *out_gone = false;
    plan->totals.complete = false;
    if (plan->next_piece > 0) { /* the large object at the front was begun */
        plan->next_piece = 0;
        hr_pieces_release(&plan->pieces);
        rc = take_back(plan, changed, out_gone, err);
    }
    while (rc == 0 && plan->given.count > 0) {
        rc = hr_object_queue_move_back(&plan->queue, &plan->given, err);
        if (rc == 0) {
            rc = take_back(plan, changed, out_gone, err);
        }
    }
    return rc;
}

/* ---- life ------------------------------------------------------------------------------------ */

int hr_plan_open(const struct hr_plan_conf *conf, struct hr_plan **out, struct hr_error *err) {
    struct hr_plan *plan = hr_calloc(1, sizeof *plan);
    const struct hr_work_opts *work = &conf->settings->work;
    *out = NULL;
    if (plan == NULL) {
        return hr_fail(err, HR_E_NOMEM, "out of memory for the plan");
    }
    plan->conf = *conf;
    plan->stream = -1;
    plan->task_bytes = work->task_mb << 20;
    plan->task_objects = (size_t)work->task_objects;
    plan->checkpoint_bytes = work->checkpoint_mb << 20;
    struct hr_scan_conf scan = {
        .store = conf->store,
        .settings = conf->settings,
        .catalog = conf->catalog,
        .fresh = conf->fresh,
        .fresh_user = conf->fresh_user,
        .list_width = conf->list_width,
    };
    int rc = hr_scan_open(&scan, &plan->scan, err);
    if (rc == 0 && has_limits(&conf->settings->cost)) {
        rc = collect_all(plan, err);
    }
    if (rc) {
        hr_plan_close(plan);
        return rc;
    }
    *out = plan;
    return 0;
}

void hr_plan_get_totals(const struct hr_plan *plan, struct hr_plan_totals *out) {
    struct hr_lister_stats stats;
    *out = plan->totals;
    hr_scan_lister_stats(plan->scan, &stats);
    out->list_requests = stats.requests;
    out->usd = hr_price_usd(plan->conf.settings->cost.price_sheet,
                            out->read_requests + out->plan_reads, out->list_requests, out->bytes);
}

const struct hr_scan *hr_plan_scan(const struct hr_plan *plan) {
    return plan->scan;
}

void hr_plan_close(struct hr_plan *plan) {
    if (plan) {
        hr_pieces_release(&plan->pieces);
        hr_object_queue_release(&plan->queue);
        hr_object_queue_release(&plan->given);
        hr_scan_close(plan->scan);
        hr_free(plan);
    }
}
