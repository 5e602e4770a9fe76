/* pipeline/pipeline.c - workers, the ordered assembler and checkpoints (see pipeline.h).
 *
 * A ring of slots holds the tasks between the head (the next to be assembled) and the newest given
 * out. Workers fill slots in any order, the assembler empties them in order; a worker does not take
 * a task further than the ring reaches, which bounds what finished tasks hold in memory.
 */
#include "pipeline/pipeline.h"

#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "pipeline/work.h"

volatile int hr_cancelled = 0;

#define WORKERS_MAX 64
/* What a worker takes beside the blocks it has finished: a batch, and a row group being encoded. */
#define WORKER_MB 48
/* A checkpoint is begun anew at most so often because an object changed under it. */
#define REDOS_MAX 3

enum slot_state { SLOT_FREE, SLOT_RUNNING, SLOT_DONE };

struct slot {
    enum slot_state state;
    struct hr_task *task;
    struct hr_result result;
    atomic_bool head;
};

struct pipe {
    const struct hr_pipeline_conf *conf;
    struct hr_schema *current; /* union of the base and everything assembled so far */
    struct hr_run_counts counts;
    struct hr_held_blocks held;
    struct hr_judge judge;
    struct hr_input *inputs; /* since the last checkpoint */
    size_t n_inputs, inputs_cap;
    int64_t lines_before; /* of the open object, in front of its next split */
    int64_t border_end;   /* where the last split of the open object ended, -1 none */
    int64_t seq;          /* of the last task assembled, -1 none */
    char *lost;           /* key of an object that changed half way */
    int redos;            /* since the last checkpoint */
    struct {              /* what to go back to then */
        struct hr_run_counts counts;
        struct hr_judge judge;
        struct hr_null_counts nulls;
        struct hr_schema *schema;
    } before;

    pthread_mutex_t lock; /* slots, sequence numbers, current */
    pthread_cond_t changed;
    pthread_mutex_t plan_lock; /* next_task is called by one at a time */
    struct slot *ring;
    int64_t ring_size;
    int64_t given, head; /* sequence numbers */
    bool no_more, stop;
    bool between; /* what the sink has is whole and ends with a whole object: false from the first
                     byte of a task until all of it is there */
    int plan_rc;
    struct hr_error plan_err;
};

int hr_pipeline_workers(const struct hr_settings *settings) {
    int64_t n = settings->work.parallel_workers;
    if (!hr_settings_given(settings, "parallel_workers")) {
        const long cpus = sysconf(_SC_NPROCESSORS_ONLN);
        n = cpus > 0 && n > cpus ? cpus : n;
    }
    const int64_t most = settings->work.memory_limit_mb / WORKER_MB;
    n = n > most ? most : n;
    return n < 1 ? 1 : n > WORKERS_MAX ? WORKERS_MAX : (int)n;
}

/* ---- assembling ---- */

static int add_input(struct pipe *p, const struct hr_piece *piece, struct hr_error *err) {
    if (p->n_inputs == p->inputs_cap) {
        const size_t cap = p->inputs_cap ? p->inputs_cap * 2 : 64;
        struct hr_input *grown = hr_reallocarray(p->inputs, cap, sizeof(*grown));
        if (grown == NULL) {
            return hr_fail(err, HR_E_NOMEM, "could not keep the list of objects read");
        }
        p->inputs = grown;
        p->inputs_cap = cap;
    }
    struct hr_input *in = &p->inputs[p->n_inputs];
    *in = (struct hr_input){
        .key = hr_strdup(piece->key), .size = piece->size, .mtime_us = piece->mtime_us};
    if (in->key == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not keep the list of objects read");
    }
    memcpy(in->etag, piece->etag, sizeof(in->etag));
    p->n_inputs++;
    return 0;
}

static void forget_inputs(struct pipe *p) {
    for (size_t i = 0; i < p->n_inputs; i++) {
        hr_free(p->inputs[i].key);
    }
    p->n_inputs = 0;
}

/* Where the record behind this split starts. A split in which none starts does not know: it took
 * the first line end behind it for a record's, the one before it knows better. */
static int64_t known_end(const struct hr_piece *piece, const struct hr_piece_border *b,
                         int64_t before) {
    const bool none = piece->begin > 0 && b->first_record < 0 && before >= 0;
    return none || b->end_record < 0 ? before : b->end_record;
}

/* A later split guessed that it began outside quotes. The split before knows where its last record
 * ended; when the two disagree the task is run again from the true place. */
static bool borders_agree(struct pipe *p, const struct slot *slot) {
    int64_t end = p->border_end;
    for (size_t i = 0; i < slot->task->n_pieces; i++) {
        const struct hr_piece *piece = &slot->task->pieces[i];
        const struct hr_piece_border *b = &slot->result.borders[i];
        const int64_t stop = piece->end >= 0 ? piece->end : piece->size;
        /* No record found (-1) is a guess too: right only if the last one went to the end. */
        if (piece->begin > 0 && !piece->exact && end >= 0 &&
            (b->first_record >= 0 ? b->first_record != end : end < stop)) {
            return false;
        }
        end = piece->last ? -1 : known_end(piece, b, end);
    }
    return true;
}

/* A task that failed on its data may only have begun inside quotes: it is judged when it began
 * where the split before it ended. */
static bool failed_on_a_guess(const struct pipe *p, const struct slot *slot) {
    if (slot->result.rc >= 0 || hr_code_class(slot->result.rc) != HR_CLASS_DATA ||
        slot->result.borders == NULL || p->border_end < 0) {
        return false;
    }
    const struct hr_piece *piece = &slot->task->pieces[0];
    return piece->begin > 0 && !piece->exact &&
           slot->result.borders[0].first_record != p->border_end;
}

/* Lines of piece k's object that stand in front of its split. */
static int64_t lines_before(const struct pipe *p, const struct slot *slot, size_t k) {
    int64_t lines = p->lines_before;
    for (size_t i = 0; slot->result.borders != NULL && i < k && i < slot->task->n_pieces; i++) {
        const struct hr_piece_border *b = &slot->result.borders[i];
        lines = slot->task->pieces[i].last ? 0 : b->end_line > 0 ? lines + b->end_line - 1 : lines;
    }
    return lines;
}

static void remember_border(struct pipe *p, const struct slot *slot) {
    for (size_t i = 0; i < slot->task->n_pieces; i++) {
        const struct hr_piece *piece = &slot->task->pieces[i];
        const struct hr_piece_border *b = &slot->result.borders[i];
        p->border_end = piece->last ? -1 : known_end(piece, b, p->border_end);
    }
    p->lines_before = lines_before(p, slot, slot->task->n_pieces);
}

/* Readers count lines from where their split begins; here they become lines of the object. */
static void place_lines(const struct pipe *p, struct slot *slot) {
    struct hr_rejects *rejects = &slot->result.rejects;
    for (size_t i = 0; i < rejects->n; i++) {
        struct hr_kept_reject *kept = &rejects->items[i];
        if (kept->line > 0 && slot->task->pieces[kept->piece].begin > 0) {
            kept->line += lines_before(p, slot, kept->piece);
        }
    }
    if (slot->result.rc < 0 && slot->task->pieces[slot->result.piece].begin > 0) {
        hr_error_move_line(&slot->result.err, lines_before(p, slot, slot->result.piece));
    }
}

/* The task's schema must be what it would be had it started from `current`. */
static bool schema_settled(const struct pipe *p, const struct hr_result *r) {
    return hr_schema_equal(r->base, p->current) || hr_schema_equal(r->final, p->current);
}

/* From here the run goes on when an object changes half way. */
static int remember_place(struct pipe *p, struct hr_error *err) {
    p->redos = 0;
    p->before.counts = p->counts;
    p->before.judge = p->judge;
    hr_schema_unref(p->before.schema);
    p->before.schema = hr_schema_ref(p->current);
    return p->conf->nulls && p->conf->redo ? hr_nulls_copy(&p->before.nulls, p->conf->nulls, err)
                                           : 0;
}

static int checkpoint(struct pipe *p, bool last, struct hr_error *err) {
    int rc = hr_judge_ratio(&p->judge, p->conf, p->counts.rows_in, err);
    if (rc == 0) {
        rc = p->conf->sink->ops->cut(p->conf->sink, err);
    }
    if (rc == 0 && p->conf->checkpoint != NULL) {
        const struct hr_checkpoint_info info = {p->inputs, p->n_inputs, &p->counts,
                                                p->seq,    last,        p->current};
        rc = p->conf->checkpoint(p->conf->user, &info, err);
    }
    if (rc == 0) {
        forget_inputs(p);
        rc = remember_place(p, err);
    }
    return rc;
}

static void show_progress(const struct pipe *p, const struct hr_run_counts *c) {
    struct hr_progress *progress = p->conf->progress;
    if (progress != NULL) {
        atomic_fetch_add(&progress->bytes_in, c->bytes);
        atomic_fetch_add(&progress->objects, c->objects);
        atomic_fetch_add(&progress->rows_in, c->rows_in);
        atomic_fetch_add(&progress->rows_out, c->rows_out);
    }
}

static void add_counts(struct pipe *p, const struct hr_run_counts *c) {
    p->counts.objects += c->objects;
    p->counts.bytes += c->bytes;
    p->counts.rows_in += c->rows_in;
    p->counts.rows_out += c->rows_out;
    p->counts.nulled += c->nulled;
    p->counts.deleted += c->deleted;
    p->counts.replaced += c->replaced;
    show_progress(p, c);
}

static int count_nulls(struct pipe *p, const struct hr_result *r, struct hr_error *err) {
    return p->conf->nulls == NULL ? 0
                                  : hr_nulls_add(p->conf->nulls, r->null_schema, r->nulls,
                                                 r->rounded, r->counts.rows_out, err);
}

static int deliver(struct pipe *p, struct slot *slot, struct hr_error *err) {
    struct hr_sink *sink = p->conf->sink;
    struct hr_result *r = &slot->result;
    int rc = hr_judge_task(&p->judge, p->conf, slot->task, &r->rejects, err);
    p->counts.rejected = p->judge.count;
    if (rc == 0) {
        rc = count_nulls(p, r, err);
    }
    if (rc == 0 && r->seen != NULL && hr_schema_see(p->conf->seen, r->seen) != 0) {
        rc = hr_fail(err, HR_E_NOMEM, "could not allocate a schema");
    }
    if (rc == 0) {
        rc = sink->ops->schema(sink, r->out_schema, err);
    }
    for (size_t i = 0; rc == 0 && i < r->n_blocks; i++) {
        struct hr_block block;
        rc = hr_result_take_block(r, i, &block, err);
        rc = rc == 0 ? sink->ops->put(sink, r->folders[i], &block, err) : rc;
    }
    if (rc == 0 && !sink->wants_blocks) {
        sink->rows += r->counts.rows_out;
    }
    for (size_t i = 0; rc == 0 && p->conf->checkpoint != NULL && i < slot->task->n_pieces; i++) {
        if (slot->task->pieces[i].last && !r->gone[i]) {
            rc = add_input(p, &slot->task->pieces[i], err);
        }
    }
    return rc;
}

/* A task's error is the run's. An object that is not what it was may be read again. */
static int failed(struct pipe *p, const struct hr_result *r, struct hr_error *err) {
    if (err != NULL) {
        *err = r->err;
    }
    if (r->rc == HR_E_CHANGED || r->rc == HR_E_NO_OBJECT) {
        hr_free(p->lost);
        p->lost = hr_strdup(r->err.object);
        return HR_E_CHANGED;
    }
    return r->rc;
}

/* Take the head's result: run it again where it was made on a wrong guess, then hand it on. */
static int assemble(struct pipe *p, struct hr_worker *own, struct slot *slot,
                    struct hr_error *err) {
    struct hr_result *r = &slot->result;
    const bool guessed = failed_on_a_guess(p, slot);
    const bool exact = !guessed && (r->rc != 0 || borders_agree(p, slot));
    if (guessed || (r->rc == 0 && (!exact || !schema_settled(p, r)))) {
        if (!exact) {
            for (size_t i = 0; i < slot->task->n_pieces; i++) {
                if (slot->task->pieces[i].begin > 0 && p->border_end >= 0) {
                    slot->task->pieces[i].begin = p->border_end;
                    slot->task->pieces[i].exact = true;
                    break;
                }
            }
        }
        hr_result_release(r);
        hr_work_task(own, slot->task, p->current, r);
    }
    place_lines(p, slot);
    if (r->rc != 0) {
        return failed(p, r, err);
    }
    pthread_mutex_lock(&p->lock);
    if (!hr_schema_equal(p->current, r->final)) {
        hr_schema_unref(p->current);
        p->current = hr_schema_ref(r->final);
    }
    pthread_mutex_unlock(&p->lock);
    p->between = false;
    int rc = deliver(p, slot, err);
    if (rc == 0) {
        add_counts(p, &r->counts);
        remember_border(p, slot);
        p->seq = slot->task->seq;
        /* Without a callback nothing is published in between: a destination of one file goes on. */
        if (slot->task->ends_checkpoint && !slot->task->ends_stream &&
            p->conf->checkpoint != NULL) {
            rc = checkpoint(p, false, err);
        }
    }
    p->between = rc == 0 && slot->task->pieces[slot->task->n_pieces - 1].last;
    return rc;
}

/* ---- one thread ---- */

static int run_inline(struct pipe *p, struct hr_error *err) {
    struct hr_worker worker = {.conf = p->conf, .held = &p->held};
    struct slot slot = {.head = true};
    worker.head = &slot.head;
    int rc = 0;
    while (rc == 0) {
        if (hr_cancelled) {
            rc = hr_fail(err, HR_E_CANCELLED, "interrupted");
            break;
        }
        rc = p->conf->next_task(p->conf->task_user, &slot.task, err);
        if (rc != 0) {
            break;
        }
        hr_work_task(&worker, slot.task, p->current, &slot.result);
        rc = assemble(p, &worker, &slot, err);
        hr_result_release(&slot.result);
        hr_task_free(slot.task);
    }
    hr_worker_release(&worker);
    return rc == HR_END ? 0 : rc;
}

/* ---- many threads ---- */

/* A task and its slot, or NULL when there is nothing more for this worker. Takes both locks: tasks
 * are numbered in the order the plan gives them. */
static struct slot *take_task(struct pipe *p, struct hr_schema **base) {
    struct slot *slot = NULL;
    pthread_mutex_lock(&p->plan_lock);
    pthread_mutex_lock(&p->lock);
    while (!p->stop && !p->no_more && p->given - p->head >= p->ring_size) {
        pthread_mutex_unlock(&p->plan_lock);
        pthread_cond_wait(&p->changed, &p->lock);
        pthread_mutex_unlock(&p->lock);
        pthread_mutex_lock(&p->plan_lock);
        pthread_mutex_lock(&p->lock);
    }
    const bool go = !p->stop && !p->no_more;
    pthread_mutex_unlock(&p->lock);
    if (go) {
        struct hr_task *task = NULL;
        struct hr_error err;
        hr_error_clear(&err);
        const int rc =
            hr_cancelled ? HR_E_CANCELLED : p->conf->next_task(p->conf->task_user, &task, &err);
        pthread_mutex_lock(&p->lock);
        if (rc == 0) {
            slot = &p->ring[p->given % p->ring_size];
            slot->state = SLOT_RUNNING;
            slot->task = task;
            slot->head = p->given == p->head;
            p->given++;
            *base = hr_schema_ref(p->current);
        } else {
            p->no_more = true;
            p->plan_rc = rc == HR_END ? 0 : rc;
            p->plan_err = err;
            pthread_cond_broadcast(&p->changed);
        }
        pthread_mutex_unlock(&p->lock);
    }
    pthread_mutex_unlock(&p->plan_lock);
    return slot;
}

static void *worker_main(void *arg) {
    struct pipe *p = arg;
    struct hr_worker worker = {.conf = p->conf, .held = &p->held};
    for (;;) {
        struct hr_schema *base = NULL;
        struct slot *slot = take_task(p, &base);
        if (slot == NULL) {
            break;
        }
        worker.head = &slot->head;
        hr_work_task(&worker, slot->task, base, &slot->result);
        hr_schema_unref(base);
        pthread_mutex_lock(&p->lock);
        slot->state = SLOT_DONE;
        pthread_cond_broadcast(&p->changed);
        pthread_mutex_unlock(&p->lock);
    }
    hr_worker_release(&worker);
    return NULL;
}

/* Wait for the head to be done. NULL: all tasks are assembled. */
static struct slot *wait_head(struct pipe *p) {
    struct slot *slot = NULL;
    pthread_mutex_lock(&p->lock);
    for (;;) {
        struct slot *head = &p->ring[p->head % p->ring_size];
        if (p->head < p->given && head->state == SLOT_DONE) {
            slot = head;
            break;
        }
        if (p->head == p->given && p->no_more) {
            break;
        }
        if (p->head < p->given) {
            head->head = true;
        }
        pthread_cond_wait(&p->changed, &p->lock);
    }
    pthread_mutex_unlock(&p->lock);
    return slot;
}

static void free_slot(struct pipe *p, struct slot *slot) {
    hr_result_release(&slot->result);
    hr_task_free(slot->task);
    pthread_mutex_lock(&p->lock);
    slot->task = NULL;
    slot->state = SLOT_FREE;
    slot->head = false;
    p->head++;
    if (p->head < p->given) {
        p->ring[p->head % p->ring_size].head = true;
    }
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
}

static void stop_workers(struct pipe *p) {
    pthread_mutex_lock(&p->lock);
    p->stop = true;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
}

static int run_threads(struct pipe *p, struct hr_error *err) {
    pthread_t threads[WORKERS_MAX];
    int started = 0;
    int rc = 0;
    /* One finished task may wait per worker beyond those running. */
    p->ring_size = p->conf->workers + 1;
    p->ring = hr_calloc((size_t)p->ring_size, sizeof(*p->ring));
    if (p->ring == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate the task ring");
    }
    while (started < p->conf->workers &&
           pthread_create(&threads[started], NULL, worker_main, p) == 0) {
        started++;
    }
    if (started == 0) {
        hr_free(p->ring);
        return hr_fail(err, HR_E_INTERNAL, "could not start a worker thread");
    }
    struct hr_worker own = {.conf = p->conf, .held = &p->held}; /* for tasks that must run again */
    atomic_bool head = true;
    own.head = &head;
    struct slot *slot;
    while (rc == 0 && (slot = wait_head(p)) != NULL) {
        rc = assemble(p, &own, slot, err);
        if (rc == 0) {
            free_slot(p, slot);
        }
    }
    stop_workers(p);
    for (int i = 0; i < started; i++) {
        pthread_join(threads[i], NULL);
    }
    hr_worker_release(&own);
    for (int64_t i = p->head; i < p->given; i++) {
        struct slot *left = &p->ring[i % p->ring_size];
        hr_result_release(&left->result);
        hr_task_free(left->task);
    }
    hr_free(p->ring);
    if (rc == 0 && p->plan_rc != 0) {
        rc = p->plan_rc;
        if (err != NULL) {
            *err = p->plan_err;
        }
        if (rc == HR_E_CANCELLED) {
            hr_fail(err, rc, "interrupted");
        }
    }
    return rc;
}

/* Go back to the last checkpoint; 0: the run may be tried again. */
static int start_again(struct pipe *p, struct hr_error *err) {
    if (p->conf->redo == NULL || p->lost[0] == '\0') {
        return HR_E_CHANGED;
    }
    if (p->redos++ == REDOS_MAX) {
        hr_fail(err, HR_E_CHANGED, "could not read '%s': it was replaced again and again, %d times",
                p->lost, REDOS_MAX + 1);
        hr_error_object(err, p->lost);
        hr_error_hint(err, "run again when nobody writes to it; what was read before is saved");
        return HR_E_CHANGED;
    }
    bool gone = false;
    int rc = p->conf->sink->ops->rewind(p->conf->sink, err);
    if (rc == 0) {
        rc = p->conf->redo(p->conf->user, p->lost, &gone, err);
    }
    if (rc != 0) {
        return rc;
    }
    hr_log(HR_LOG_INFO, "'%s' was %s while it was read: back to the last checkpoint", p->lost,
           gone ? "deleted" : "replaced");
    struct hr_run_counts undone = p->counts;
    undone.bytes = p->before.counts.bytes - undone.bytes;
    undone.objects = p->before.counts.objects - undone.objects;
    undone.rows_in = p->before.counts.rows_in - undone.rows_in;
    undone.rows_out = p->before.counts.rows_out - undone.rows_out;
    show_progress(p, &undone);
    if (p->conf->nulls != NULL) {
        rc = hr_nulls_copy(p->conf->nulls, &p->before.nulls, err);
    }
    p->counts = p->before.counts;
    p->judge = p->before.judge;
    p->counts.deleted += gone;
    p->counts.replaced += !gone;
    p->before.counts = p->counts;
    forget_inputs(p);
    hr_schema_unref(p->current);
    p->current = hr_schema_ref(p->before.schema);
    p->border_end = -1;
    p->lines_before = 0;
    p->between = false;
    p->given = p->head = 0;
    p->no_more = p->stop = false;
    p->plan_rc = 0;
    return rc;
}

/* After an interrupt of the reading side: what was read need not be read again. Whatever this
 * cannot publish is taken back, as it would be without. */
static int cut_short(struct pipe *p, struct hr_error *err) {
    struct hr_error why;
    hr_error_clear(&why);
    if (!p->conf->cut_when_interrupted || !p->between || p->n_inputs == 0) {
        return HR_E_CANCELLED;
    }
    const int rc = checkpoint(p, false, &why);
    if (rc == HR_E_INDOUBT && err != NULL) {
        *err = why;
    }
    return rc == HR_E_INDOUBT ? rc : HR_E_CANCELLED;
}

int hr_pipeline_run(const struct hr_pipeline_conf *conf, struct hr_run_counts *counts,
                    struct hr_schema **out_schema, struct hr_error *err) {
    struct pipe p = {
        .conf = conf, .current = hr_schema_ref(conf->read_schema), .border_end = -1, .seq = -1};
    /* Half of the memory; less where rows wait for their partitions beside them. */
    const size_t memory = (size_t)conf->settings->work.memory_limit_mb << 20;
    p.held.max = conf->partition != NULL ? memory / 4 : memory / 2;
    hr_big_keep(memory / 3);
    pthread_mutex_init(&p.lock, NULL);
    pthread_mutex_init(&p.plan_lock, NULL);
    pthread_cond_init(&p.changed, NULL);
    /* A run without rows still tells the sink its schema: an empty file has columns too. */
    struct hr_worker shape = {.conf = conf};
    int rc = hr_transform_new(conf->spec, p.current, &shape.transform, err);
    if (rc == 0) {
        rc = hr_work_partition(&shape, err);
    }
    if (rc == 0) {
        rc = conf->sink->ops->schema(conf->sink, hr_work_out_schema(&shape), err);
    }
    hr_worker_release(&shape);
    if (rc == 0) {
        rc = remember_place(&p, err);
    }
    while (rc == 0) {
        rc = conf->workers > 1 ? run_threads(&p, err) : run_inline(&p, err);
        if (rc != HR_E_CHANGED || p.lost == NULL) {
            break;
        }
        rc = start_again(&p, err);
        hr_free(p.lost);
        p.lost = NULL;
    }
    if (rc == 0 && !conf->more_follows) {
        rc = checkpoint(&p, true, err);
    } else if (rc == HR_E_CANCELLED) {
        rc = cut_short(&p, err);
    }
    forget_inputs(&p);
    hr_free(p.inputs);
    hr_free(p.lost);
    hr_schema_unref(p.before.schema);
    hr_nulls_release(&p.before.nulls);
    *counts = p.counts;
    *out_schema = p.current;
    pthread_cond_destroy(&p.changed);
    pthread_mutex_destroy(&p.plan_lock);
    pthread_mutex_destroy(&p.lock);
    return rc;
}
