/* sink/gather.c - blocks of one folder brought together before they are written (see sink.h).
 *
 * Tasks give their blocks folder by folder, again and again; a file is written in one go. So blocks
 * wait here, per folder in order of arrival, until a cut. Their bytes are held in memory up to a
 * bound, then all of them are appended to a nameless temporary file and read back when their turn
 * comes; what a block needs beside its bytes (its place, Parquet's row group metadata) stays in
 * memory and is bounded by handing everything on early, which depends on the blocks alone.
 */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/spool.h"
#include "sink/sink.h"

#define BLOCK_COST 4096 /* bookkeeping of one block, about */
#define COLUMN_COST 256 /* and of each of its columns */
#define TELL_MIN 64     /* folders the sink behind hears of at once, at least */

struct kept {
    struct hr_block block; /* data NULL: in the file */
    int64_t at;            /* place in the file */
    struct kept *next;
};

struct folder {
    char *name;
    uint64_t hash;
    struct kept *first, **last;
    int64_t bytes;
};

struct gather {
    struct hr_sink base;
    struct hr_gather_conf conf;
    struct hr_schema *schema;
    struct folder *folders; /* in order of arrival */
    size_t n_folders, folders_cap;
    uint32_t *slots; /* folder + 1 by hash, 0 free */
    size_t n_slots;
    size_t held; /* bytes in memory */
    size_t cost;
    struct hr_spool spool;
};

static int no_memory(struct hr_error *err) {
    return hr_fail(err, HR_E_NOMEM, "could not allocate the output's folders");
}

static void free_kept(struct kept *k) {
    hr_block_release(&k->block);
    hr_free(k);
}

/* ---- folders ---- */

static void place(struct gather *g, size_t folder) {
    size_t slot = g->folders[folder].hash & (g->n_slots - 1);
    while (g->slots[slot] != 0) {
        slot = (slot + 1) & (g->n_slots - 1);
    }
    g->slots[slot] = (uint32_t)folder + 1;
}

static int grow(struct gather *g, struct hr_error *err) {
    if (g->n_folders == g->folders_cap) {
        const size_t cap = g->folders_cap ? g->folders_cap * 2 : 64;
        struct folder *grown = hr_reallocarray(g->folders, cap, sizeof(*grown));
        if (grown == NULL) {
            return no_memory(err);
        }
        for (size_t i = 0; i < g->n_folders; i++) { /* an empty list points into its folder */
            grown[i].last = grown[i].first == NULL ? &grown[i].first : grown[i].last;
        }
        g->folders = grown;
        g->folders_cap = cap;
    }
    if ((g->n_folders + 1) * 2 <= g->n_slots) {
        return 0;
    }
    const size_t n = g->n_slots ? g->n_slots * 2 : 128;
    uint32_t *slots = hr_calloc(n, sizeof(*slots));
    if (slots == NULL) {
        return no_memory(err);
    }
    hr_free(g->slots);
    g->slots = slots;
    g->n_slots = n;
    for (size_t i = 0; i < g->n_folders; i++) {
        place(g, i);
    }
    return 0;
}

static int find_folder(struct gather *g, const char *name, struct folder **out,
                       struct hr_error *err) {
    const uint64_t hash = hr_hash64(name, strlen(name), 0);
    for (size_t slot = hash & (g->n_slots - 1); g->n_slots > 0 && g->slots[slot] != 0;
         slot = (slot + 1) & (g->n_slots - 1)) {
        struct folder *f = &g->folders[g->slots[slot] - 1];
        if (f->hash == hash && strcmp(f->name, name) == 0) {
            *out = f;
            return 0;
        }
    }
    if (g->n_folders >= (size_t)g->conf.max_folders) {
        hr_fail(err, HR_E_BOUND, "could not partition: more than %lld folders at a time",
                (long long)g->conf.max_folders);
        hr_error_hint(err, "partition by a column with fewer values, or raise "
                           "destination.max_partitions");
        return HR_E_BOUND;
    }
    const int rc = grow(g, err);
    if (rc != 0) {
        return rc;
    }
    struct folder *f = &g->folders[g->n_folders];
    *f = (struct folder){.name = hr_strdup(name), .hash = hash};
    if (f->name == NULL) {
        return no_memory(err);
    }
    f->last = &f->first;
    place(g, g->n_folders++);
    *out = f;
    return 0;
}

static void drop_blocks(struct folder *f) {
    while (f->first != NULL) {
        struct kept *k = f->first;
        f->first = k->next;
        free_kept(k);
    }
    f->last = &f->first;
    f->bytes = 0;
}

/* Everything was handed on, or is forgotten. */
static void empty(struct gather *g) {
    for (size_t i = 0; i < g->n_folders; i++) {
        drop_blocks(&g->folders[i]);
        hr_free(g->folders[i].name);
    }
    g->n_folders = 0;
    g->held = 0;
    g->cost = 0;
    if (g->n_slots > 0) {
        memset(g->slots, 0, g->n_slots * sizeof(*g->slots));
    }
    hr_spool_empty(&g->spool);
}

/* ---- the file ---- */

static int write_block(struct gather *g, struct kept *k, struct hr_error *err) {
    const int rc =
        hr_spool_append(&g->spool, hr_slice_of(k->block.data, k->block.len), &k->at, err);
    if (rc == 0) {
        hr_big_free(k->block.data);
        k->block.data = NULL;
    }
    return rc;
}

static int read_block(struct gather *g, struct kept *k, struct hr_error *err) {
    k->block.data = hr_big_alloc(k->block.len, NULL);
    if (k->block.data == NULL) {
        return no_memory(err);
    }
    return hr_spool_read(&g->spool, k->at, k->block.data, k->block.len, err);
}

static int spill(struct gather *g, struct hr_error *err) {
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < g->n_folders; i++) {
        for (struct kept *k = g->folders[i].first; rc == 0 && k != NULL; k = k->next) {
            if (k->block.data != NULL) {
                rc = write_block(g, k, err);
            }
        }
    }
    g->held = 0;
    return rc;
}

/* ---- handing on ---- */

static size_t cost_of(const struct gather *g) {
    return BLOCK_COST + (g->schema ? (size_t)g->schema->n_fields * COLUMN_COST : 0);
}

static int hand_on(struct gather *g, struct folder *f, struct hr_error *err) {
    struct hr_sink *behind = g->conf.behind;
    int rc = 0;
    while (rc == 0 && f->first != NULL) {
        struct kept *k = f->first;
        const bool held = k->block.data != NULL;
        rc = held ? 0 : read_block(g, k, err);
        if (rc != 0) {
            break;
        }
        f->first = k->next;
        g->held -= held ? k->block.len : 0;
        g->cost -= cost_of(g);
        rc = behind->ops->put(behind, f->name, &k->block, err);
        k->block = (struct hr_block){0};
        free_kept(k);
    }
    if (f->first == NULL) {
        f->last = &f->first;
    }
    f->bytes = 0;
    return rc;
}

/* Tell the sink behind of folders [from, to) that have blocks. */
static int tell(struct gather *g, size_t from, size_t to, struct hr_error *err) {
    struct hr_sink *behind = g->conf.behind;
    const char **names = behind->ops->expect ? hr_calloc(to - from + 1, sizeof(*names)) : NULL;
    if (names == NULL) {
        return behind->ops->expect ? no_memory(err) : 0;
    }
    size_t n = 0;
    for (size_t i = from; i < to; i++) {
        if (g->folders[i].first != NULL) {
            names[n++] = g->folders[i].name;
        }
    }
    const int rc = behind->ops->expect(behind, names, n, err);
    hr_free(names);
    return rc;
}

/* The sink behind hears of the folders ahead, of twice as many each time: it notes their files
 * before it makes them, and what it wrote of it is written again with each note. */
static int hand_all_on(struct gather *g, struct hr_error *err) {
    int rc = 0;
    size_t told = 0;
    for (size_t i = 0; rc == 0 && i < g->n_folders; i++) {
        if (i == told) {
            told += told < TELL_MIN ? TELL_MIN : told;
            told = told < g->n_folders ? told : g->n_folders;
            rc = tell(g, i, told, err);
        }
        if (rc == 0) {
            rc = hand_on(g, &g->folders[i], err);
        }
    }
    if (rc == 0) {
        empty(g);
    }
    return rc;
}

static void take_figures(struct gather *g) {
    g->base.files = g->conf.behind->files;
    g->base.bytes = g->conf.behind->bytes;
    g->base.rows = g->conf.behind->rows;
}

/* ---- the seam ---- */

static int gather_schema(struct hr_sink *sink, struct hr_schema *schema, struct hr_error *err) {
    struct gather *g = (struct gather *)sink;
    if (g->schema != NULL && hr_schema_equal(g->schema, schema)) {
        return 0;
    }
    int rc = hand_all_on(g, err);
    if (rc == 0) {
        rc = g->conf.behind->ops->schema(g->conf.behind, schema, err);
    }
    if (rc == 0) {
        hr_schema_unref(g->schema);
        g->schema = hr_schema_ref(schema);
    }
    return rc;
}

static int gather_put(struct hr_sink *sink, const char *name, struct hr_block *block,
                      struct hr_error *err) {
    struct gather *g = (struct gather *)sink;
    struct folder *f = NULL;
    struct kept *k = hr_calloc(1, sizeof(*k));
    int rc = k ? find_folder(g, name, &f, err) : no_memory(err);
    if (rc != 0) {
        hr_free(k);
        hr_block_release(block);
        return rc;
    }
    k->block = *block;
    *f->last = k;
    f->last = &k->next;
    f->bytes += (int64_t)block->len;
    g->held += block->len;
    g->cost += cost_of(g);
    if (f->bytes >= g->conf.max_file_bytes) {
        rc = hand_on(g, f, err);
    } else if (g->cost >= g->conf.cost_max) {
        rc = hand_all_on(g, err);
    } else if (g->held > g->conf.memory) {
        rc = spill(g, err);
    }
    take_figures(g);
    return rc;
}

static int gather_cut(struct hr_sink *sink, struct hr_error *err) {
    struct gather *g = (struct gather *)sink;
    int rc = hand_all_on(g, err);
    if (rc == 0) {
        rc = g->conf.behind->ops->cut(g->conf.behind, err);
    }
    take_figures(g);
    return rc;
}

static int gather_rewind(struct hr_sink *sink, struct hr_error *err) {
    struct gather *g = (struct gather *)sink;
    empty(g);
    const int rc = g->conf.behind->ops->rewind(g->conf.behind, err);
    take_figures(g);
    return rc;
}

static void gather_abort(struct hr_sink *sink) {
    struct gather *g = (struct gather *)sink;
    empty(g);
    hr_schema_unref(g->schema);
    g->schema = NULL;
    g->conf.behind->ops->abort(g->conf.behind);
    take_figures(g);
}

static int gather_reject(struct hr_sink *sink, const struct hr_rejected *what,
                         struct hr_error *err) {
    struct gather *g = (struct gather *)sink;
    return g->conf.behind->ops->reject(g->conf.behind, what, err);
}

static void gather_close(struct hr_sink *sink) {
    struct gather *g = (struct gather *)sink;
    empty(g);
    hr_spool_close(&g->spool);
    hr_schema_unref(g->schema);
    hr_free(g->folders);
    hr_free(g->slots);
    g->conf.behind->ops->close(g->conf.behind);
    hr_free(g);
}

int hr_sink_gather(const struct hr_gather_conf *conf, struct hr_sink **out, struct hr_error *err) {
    static const struct hr_sink_ops ops = {.name = "gather",
                                           .schema = gather_schema,
                                           .put = gather_put,
                                           .reject = gather_reject,
                                           .cut = gather_cut,
                                           .rewind = gather_rewind,
                                           .abort = gather_abort,
                                           .close = gather_close};
    struct gather *g = hr_calloc(1, sizeof(*g));
    *out = NULL;
    if (g == NULL) {
        conf->behind->ops->close(conf->behind);
        return hr_fail(err, HR_E_NOMEM, "could not allocate a destination");
    }
    g->base.ops = &ops;
    g->base.wants_blocks = true;
    g->conf = *conf;
    g->spool = (struct hr_spool){.dir = conf->spill_dir, .max = conf->spill_max};
    *out = &g->base;
    return 0;
}
