/* codec/leaves.c - what the codecs share: reasons in the same words, contexts kept per thread,
 * the chunker (a stream encoder from a block packer), the gather (a record that must be whole
 * before it is used), the LZ window and the sniffer.
 *
 * Flow: codec_source.c and the page readers call a leaf; the leaf calls these. */
#include "codec/leaves.h"

#include <pthread.h>

/* ---- errors ---- */

int hr_codec_fail_early(struct hr_error *err, const char *name) {
    hr_fail(err, HR_E_CORRUPT, "the %s stream ends early", name);
    hr_error_hint(err, "the object is truncated: upload it again, or leave it out");
    return HR_E_CORRUPT;
}

int hr_codec_fail_junk(struct hr_error *err, const char *name) {
    return hr_fail(err, HR_E_CORRUPT, "bytes that are no %s data follow the end of the %s stream",
                   name, name);
}

int hr_codec_fail_room(struct hr_error *err, const char *name, size_t room) {
    return hr_fail(err, HR_E_CORRUPT,
                   "the %s block inflates to more than the %zu bytes announced for it", name, room);
}

int hr_codec_fail_data(struct hr_error *err, const char *name, const char *why) {
    return hr_fail(err, HR_E_CORRUPT, "the %s data is damaged (%s)", name, why);
}

int hr_codec_level(const struct hr_codec *codec, int level) {
    if (level == 0) {
        return codec->level_default;
    }
    if (level < codec->level_min) {
        return codec->level_min;
    }
    return level > codec->level_max ? codec->level_max : level;
}

/* ---- contexts kept per thread ---- */

static pthread_key_t local_key;
static pthread_once_t local_once = PTHREAD_ONCE_INIT;
static _Thread_local struct hr_codec_local *local_list;

static void local_release_all(void *unused) {
    (void)unused;
    while (local_list != NULL) {
        struct hr_codec_local *local = local_list;
        local_list = local->next;
        local->next = NULL;
        local->release();
    }
}

static void local_make_key(void) {
    /* Without a key the contexts of an ended thread are lost: a leak of bounded size, no fault. */
    if (pthread_key_create(&local_key, local_release_all) != 0) {
        local_key = (pthread_key_t)-1;
    }
}

void hr_codec_local_keep(struct hr_codec_local *local, void (*release)(void)) {
    for (const struct hr_codec_local *at = local_list; at != NULL; at = at->next) {
        if (at == local) {
            return;
        }
    }
    local->release = release;
    local->next = local_list;
    local_list = local;
    pthread_once(&local_once, local_make_key);
    if (local_key != (pthread_key_t)-1) {
        (void)pthread_setspecific(local_key, &local_list);
    }
}

void hr_codec_thread_release(void) {
    local_release_all(NULL);
}

/* ---- the chunker ---- */

int hr_chunker_init(struct hr_chunker *chunker, size_t chunk, size_t room, struct hr_error *err) {
    size_t cap;
    *chunker = (struct hr_chunker){.chunk = chunk, .room = room};
    chunker->in = hr_big_alloc(chunk, &cap);
    chunker->out = hr_big_alloc(room, &cap);
    if (chunker->in == NULL || chunker->out == NULL) {
        hr_chunker_release(chunker);
        return hr_fail(err, HR_E_NOMEM, "out of memory for a compressor's buffers");
    }
    return 0;
}

void hr_chunker_release(struct hr_chunker *chunker) {
    hr_big_free(chunker->in);
    hr_big_free(chunker->out);
    chunker->in = NULL;
    chunker->out = NULL;
}

static void chunker_drain(struct hr_chunker *chunker, struct hr_codec_io *io) {
    size_t n = chunker->out_len - chunker->out_at;
    if (n > io->out_len) {
        n = io->out_len;
    }
    if (n > 0) {
        memcpy(io->out, chunker->out + chunker->out_at, n);
        io->out += n;
        io->out_len -= n;
        chunker->out_at += n;
    }
}

static void chunker_fill(struct hr_chunker *chunker, struct hr_codec_io *io) {
    size_t n = chunker->chunk - chunker->in_len;
    if (n > io->in_len) {
        n = io->in_len;
    }
    if (n > 0) {
        memcpy(chunker->in + chunker->in_len, io->in, n);
        io->in += n;
        io->in_len -= n;
        chunker->in_len += n;
    }
}

int hr_chunker_step(struct hr_chunker *chunker, const struct hr_chunk_ops *ops, void *ctx,
                    struct hr_codec_io *io, bool finish, struct hr_error *err) {
    for (;;) {
        chunker_drain(chunker, io);
        if (chunker->out_at < chunker->out_len) {
            return 0; /* more room, please */
        }
        if (chunker->finished) {
            return HR_END;
        }
        chunker_fill(chunker, io);
        /* A whole piece is packed only once something follows it or the end is known, so that the
         * packer can be told which piece is the last one. */
        bool last = finish && io->in_len == 0;
        if (!last && (chunker->in_len < chunker->chunk || io->in_len == 0)) {
            return 0;
        }
        if (last && chunker->in_len == 0 && chunker->any && !ops->always_last) {
            chunker->finished = true;
            continue;
        }
        size_t made = 0;
        int rc = ops->pack(ctx, chunker->in, chunker->in_len, !chunker->any, last, chunker->out,
                           &made, err);
        if (rc != 0) {
            return rc;
        }
        chunker->in_len = 0;
        chunker->out_at = 0;
        chunker->out_len = made;
        chunker->any = true;
        chunker->finished = last;
    }
}

/* ---- the gather ---- */

bool hr_held_drain(struct hr_held *held, struct hr_codec_io *io) {
    size_t n = held->len - held->at;
    n = n < io->out_len ? n : io->out_len;
    if (n > 0) {
        memcpy(io->out, held->ptr + held->at, n);
        io->out += n;
        io->out_len -= n;
        held->at += n;
    }
    return held->at < held->len;
}

enum hr_gather_state hr_gather_take(struct hr_gather *gather, struct hr_codec_io *io, size_t want,
                                    const uint8_t **out, struct hr_error *err) {
    if (gather->buf.len == 0 && io->in_len >= want) {
        *out = io->in;
        io->in += want;
        io->in_len -= want;
        return HR_GATHER_DONE;
    }
    size_t n = want - gather->buf.len;
    if (n > io->in_len) {
        n = io->in_len;
    }
    /* Grows with what has come, not with what a header claims. */
    if (n > 0 && hr_buf_append(&gather->buf, io->in, n, err) != 0) {
        return HR_GATHER_FAILED;
    }
    io->in += n;
    io->in_len -= n;
    if (gather->buf.len < want) {
        return HR_GATHER_MORE;
    }
    *out = gather->buf.ptr;
    gather->buf.len = 0; /* the bytes are handed out: hr_buf_clear would write on them */
    return HR_GATHER_DONE;
}

/* ---- one-shot blocks from a stream ---- */

int hr_codec_stream_decode_block(const struct hr_codec *codec, struct hr_slice in, uint8_t *out,
                                 size_t *out_len, struct hr_error *err) {
    void *ctx = NULL;
    int rc = codec->decode_begin(&ctx, err);
    if (rc != 0) {
        return rc;
    }
    struct hr_codec_io io = {.in = in.ptr, .in_len = in.len, .out = out, .out_len = *out_len};
    uint8_t over; /* one byte beyond the room tells "does not fit" from "just fits" */
    bool spare = false;
    do {
        if (io.out_len == 0 && !spare) {
            spare = true;
            io.out = &over;
            io.out_len = 1;
        }
        rc = codec->decode_step(ctx, &io, true, err);
        if (rc >= 0 && spare && io.out_len == 0) {
            rc = hr_codec_fail_room(err, codec->name, *out_len);
        }
    } while (rc == 0);
    codec->decode_end(ctx);
    if (rc != HR_END) {
        return rc;
    }
    *out_len = spare ? *out_len : *out_len - io.out_len;
    return 0;
}

/* ---- the LZ window ---- */

static void lz_remember(struct hr_lz *lz, const uint8_t *ptr, size_t n) {
    while (n > 0) {
        size_t at = (size_t)(lz->total % HR_LZ_WINDOW);
        size_t run = HR_LZ_WINDOW - at;
        run = run < n ? run : n;
        memcpy(lz->ring + at, ptr, run);
        lz->total += run;
        ptr += run;
        n -= run;
    }
}

void hr_lz_literals(struct hr_lz *lz, struct hr_codec_io *io, uint64_t *left) {
    size_t n = io->in_len < io->out_len ? io->in_len : io->out_len;
    n = *left < n ? (size_t)*left : n;
    if (n == 0) {
        return;
    }
    memcpy(io->out, io->in, n);
    lz_remember(lz, io->in, n);
    io->in += n;
    io->in_len -= n;
    io->out += n;
    io->out_len -= n;
    *left -= n;
}

void hr_lz_copy(struct hr_lz *lz, struct hr_codec_io *io, uint32_t distance, uint64_t *left) {
    while (*left > 0 && io->out_len > 0) {
        size_t from = (size_t)((lz->total - distance) % HR_LZ_WINDOW);
        size_t n = HR_LZ_WINDOW - from;
        n = n < distance ? n : distance; /* what exists so far; an overlap repeats it */
        n = n < io->out_len ? n : io->out_len;
        n = *left < n ? (size_t)*left : n;
        memcpy(io->out, lz->ring + from, n);
        lz_remember(lz, io->out, n);
        io->out += n;
        io->out_len -= n;
        *left -= n;
    }
}

/* ---- the sniffer ---- */

struct sniff {
    const struct hr_sniff_choice *choices;
    size_t n_choices;
    const struct hr_sniff_choice *chosen; /* NULL while looking */
    void *ctx;
    uint8_t head[16 + HR_PAD];
    size_t have, fed;
};

int hr_sniff_begin(const struct hr_sniff_choice *choices, size_t n, void **ctx,
                   struct hr_error *err) {
    struct sniff *sniff = hr_calloc(1, sizeof(*sniff));
    if (sniff == NULL) {
        return hr_fail(err, HR_E_NOMEM, "out of memory for a decompressor");
    }
    sniff->choices = choices;
    sniff->n_choices = n;
    *ctx = sniff;
    return 0;
}

static int sniff_choose(struct sniff *sniff, struct hr_error *err) {
    const struct hr_sniff_choice *choice = sniff->choices;
    while (choice->probe != NULL && !choice->probe(sniff->head, sniff->have)) {
        choice++; /* the last choice has no probe */
    }
    int rc = choice->begin(&sniff->ctx, err);
    if (rc == 0) {
        sniff->chosen = choice;
    }
    return rc;
}

int hr_sniff_step(void *ctx, struct hr_codec_io *io, bool eof, struct hr_error *err) {
    struct sniff *sniff = ctx;
    if (sniff->chosen == NULL) {
        size_t n = sizeof(sniff->head) - HR_PAD - sniff->have;
        n = n < io->in_len ? n : io->in_len;
        if (n > 0) {
            memcpy(sniff->head + sniff->have, io->in, n);
            sniff->have += n;
            io->in += n;
            io->in_len -= n;
        }
        if (sniff->have < sizeof(sniff->head) - HR_PAD && !(eof && io->in_len == 0)) {
            return 0;
        }
        int rc = sniff_choose(sniff, err);
        if (rc != 0) {
            return rc;
        }
    }
    while (sniff->fed < sniff->have) {
        struct hr_codec_io part = {.in = sniff->head + sniff->fed,
                                   .in_len = sniff->have - sniff->fed,
                                   .out = io->out,
                                   .out_len = io->out_len};
        bool end = eof && io->in_len == 0;
        int rc = sniff->chosen->step(sniff->ctx, &part, end, err);
        sniff->fed = sniff->have - part.in_len;
        io->out = part.out;
        io->out_len = part.out_len;
        if (rc != 0 || (part.in_len > 0 && part.out_len == 0)) {
            return rc;
        }
    }
    return sniff->chosen->step(sniff->ctx, io, eof, err);
}

void hr_sniff_end(void *ctx) {
    struct sniff *sniff = ctx;
    if (sniff == NULL) {
        return;
    }
    if (sniff->chosen != NULL) {
        sniff->chosen->end(sniff->ctx);
    }
    hr_free(sniff);
}
