/* format/parquet/pq_page.c - walks the pages of a column chunk: window, header, CRC, decompression.
 *
 * Called by pq_leaf.c. Every size a header declares is checked before memory is asked for: the
 * compressed size against the file, the uncompressed size against the page bound and against what
 * the codec could possibly make of that many bytes.
 */
#include "format/parquet/pq_page.h"

#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "format/format.h"

#define HEADER_FIRST 256u
#define HEADER_MAX (8u << 20) /* statistics inside may be long; longer is damage */
#define MEM_BIG 32768u

static const uint8_t nothing[HR_PAD]; /* an empty slice that may be over-read */

/* ---- buffers ----------------------------------------------------------------------------------
 */

int hr_pq_mem_need(struct hr_pq_mem *mem, size_t used, size_t size, struct hr_error *err) {
    size_t cap = size;
    uint8_t *ptr;
    if (mem->ptr != NULL && size <= mem->cap) {
        return 0;
    }
    const bool big = size >= MEM_BIG;
    ptr = big ? hr_big_alloc(size, &cap) : hr_malloc(size + HR_PAD);
    if (ptr == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate %zu bytes for a Parquet page", size);
    }
    if (used > 0) {
        memcpy(ptr, mem->ptr, used);
    }
    if (!big) {
        memset(ptr + size, 0, HR_PAD);
    }
    hr_pq_mem_release(mem);
    *mem = (struct hr_pq_mem){.ptr = ptr, .cap = cap, .big = big};
    return 0;
}

void hr_pq_mem_release(struct hr_pq_mem *mem) {
    if (mem->big) {
        hr_big_free(mem->ptr);
    } else {
        hr_free(mem->ptr);
    }
    *mem = (struct hr_pq_mem){0};
}

int hr_pq_input_read(struct hr_pq_input *in, int64_t offset, size_t len, uint8_t *dst,
                     struct hr_error *err) {
    if (offset < 0 || len > (uint64_t)in->size || offset > in->size - (int64_t)len) {
        return hr_fail(err, HR_E_CORRUPT,
                       "could not read %zu bytes at byte %lld: the file has only %lld bytes", len,
                       (long long)offset, (long long)in->size);
    }
    if (offset >= in->tail_offset) {
        memcpy(dst, in->tail.ptr + (offset - in->tail_offset), len);
        return 0;
    }
    const int64_t before =
        in->tail_offset - offset; /* what reaches into the tail is here already */
    const size_t fetch = before < (int64_t)len ? (size_t)before : len;
    memcpy(dst + fetch, in->tail.ptr, len - fetch);
    return hr_source_read_at(in->src, offset, fetch, dst, err);
}

/* ---- codecs -----------------------------------------------------------------------------------
 */

const struct hr_codec *hr_pq_codec_find(int codec) {
    static const char *const names[] = {NULL,     "snappy-raw", "gzip", NULL,
                                        "brotli", "lz4-hadoop", "zstd", "lz4-raw"};
    if (codec < 0 || (size_t)codec >= sizeof(names) / sizeof(names[0]) || names[codec] == NULL) {
        return NULL;
    }
    const struct hr_codec *found = hr_codec_by_name(names[codec], strlen(names[codec]));
    return found != NULL && found->missing == NULL && found->decode_block != NULL ? found : NULL;
}

/* The most a codec can make of n bytes; a page that declares more is damaged. */
static uint64_t most_of(int codec, uint64_t n) {
    switch (codec) {
    case HR_PQ_SNAPPY: return n * 32 + 64; /* a 3-byte copy gives at most 64 */
    case HR_PQ_GZIP: return n * 1100 + 4096;
    case HR_PQ_LZ4:
    case HR_PQ_LZ4_RAW: return n * 260 + 64;
    default: return UINT64_MAX;
    }
}

static int decode(const struct hr_codec *codec, struct hr_slice in, uint8_t *out, size_t expected,
                  struct hr_error *err) {
    size_t got = expected;
    int rc = codec->decode_block(in, out, &got, err);
    if (rc == 0 && got != expected) {
        rc = hr_fail(err, HR_E_CORRUPT,
                     "the page holds %zu bytes after decompression, its header says %zu", got,
                     expected);
    }
    return rc;
}

/* Codec number 5 was written in three framings: Hadoop's blocks, bare blocks, LZ4 frames. */
static int decode_lz4(const struct hr_codec *first, struct hr_slice in, uint8_t *out,
                      size_t expected, struct hr_error *err) {
    static const char *const others[] = {"lz4-raw", "lz4"};
    int rc = decode(first, in, out, expected, err);
    for (size_t i = 0; i < 2 && rc == HR_E_CORRUPT; i++) {
        const struct hr_codec *codec = hr_codec_by_name(others[i], strlen(others[i]));
        if (codec != NULL && codec->decode_block != NULL &&
            decode(codec, in, out, expected, NULL) == 0) {
            hr_error_clear(err);
            rc = 0;
        }
    }
    return rc;
}

/* ---- chunk ------------------------------------------------------------------------------------
 */

int hr_pq_chunk_open(struct hr_pq_chunk *chunk, struct hr_pq_input *in, int codec,
                     const struct hr_range *ranges, size_t n_ranges, struct hr_error *err) {
    chunk->in = in;
    chunk->codec_id = codec;
    chunk->codec = hr_pq_codec_find(codec);
    chunk->ranges = ranges;
    chunk->n_ranges = n_ranges;
    chunk->window_len = 0;
    chunk->window_offset = 0;
    chunk->pos = chunk->end = 0;
    chunk->hinted_end = n_ranges > 0 ? ranges[0].offset + (int64_t)chunk->ahead : 0;
    if (codec != HR_PQ_UNCOMPRESSED && chunk->codec == NULL) {
        int rc = hr_fail(err, HR_E_UNSUPPORTED, "compression %s (%d) is not supported",
                         hr_pq_codec_name(codec), codec);
        hr_error_hint(err, "rewrite the file with snappy, zstd, gzip, lz4_raw or brotli");
        return rc;
    }
    if (n_ranges > 0) {
        chunk->pos = ranges[0].offset;
        chunk->end = ranges[n_ranges - 1].offset + ranges[n_ranges - 1].len;
    }
    return 0;
}

void hr_pq_chunk_release(struct hr_pq_chunk *chunk) {
    hr_pq_mem_release(&chunk->window);
    hr_pq_mem_release(&chunk->data);
}

void hr_pq_chunk_seek(struct hr_pq_chunk *chunk, int64_t offset) {
    chunk->pos = offset;
}

/* How far it makes sense to fetch from `pos` on: to the end of its range. */
static int64_t fetch_end(const struct hr_pq_chunk *chunk) {
    int64_t end = chunk->end;
    for (size_t i = 0; i < chunk->n_ranges; i++) {
        const struct hr_range *r = &chunk->ranges[i];
        if (chunk->pos >= r->offset && chunk->pos < r->offset + r->len) {
            end = r->offset + r->len;
        }
    }
    return end < chunk->in->data_end ? end : chunk->in->data_end;
}

/* About to read [begin, read_end): hint the next stretch once the last one is half used up. */
static void hint_on(struct hr_pq_chunk *chunk, int64_t begin, int64_t read_end) {
    const int64_t step = (int64_t)chunk->ahead, end = fetch_end(chunk);
    if (step == 0 || read_end < chunk->hinted_end - step / 2) {
        return;
    }
    const int64_t from = chunk->hinted_end > begin ? chunk->hinted_end : begin;
    int64_t to = read_end > from + step ? read_end : from + step;
    to = to < end || end < read_end ? to : end;
    to = to < chunk->in->data_end ? to : chunk->in->data_end;
    if (to > from) {
        const struct hr_range next = {from, to - from};
        hr_source_hint(chunk->in->src, &next, 1);
        chunk->hinted_end = to;
    }
}

/* Make [pos, pos + need) part of the window (the caller checked it against data_end). More is
 * fetched when the range goes on: a window's worth, keeping what is there already. */
static int fill(struct hr_pq_chunk *chunk, size_t need, struct hr_error *err) {
    const int64_t from = chunk->pos;
    size_t keep = 0;
    if (from >= chunk->window_offset && from <= chunk->window_offset + (int64_t)chunk->window_len) {
        keep = chunk->window_len - (size_t)(from - chunk->window_offset);
    }
    if (keep >= need) {
        return 0;
    }
    const int64_t most = fetch_end(chunk) - from;
    size_t want =
        most > (int64_t)chunk->window_size ? chunk->window_size : (size_t)(most > 0 ? most : 0);
    want = want > need ? want : need;
    /* What is there stays where it is when the rest fits behind it, else it moves to the front. */
    size_t at = keep > 0 ? (size_t)(from - chunk->window_offset) : 0;
    if (at > 0 && at + want > chunk->window.cap) {
        memmove(chunk->window.ptr, chunk->window.ptr + at, keep);
        at = 0;
    }
    chunk->window_offset = from - (int64_t)at;
    chunk->window_len = at + keep;
    int rc = hr_pq_mem_need(&chunk->window, at + keep, at + want, err);
    if (rc == 0) {
        hint_on(chunk, from + (int64_t)keep, from + (int64_t)want);
        rc = hr_pq_input_read(chunk->in, from + (int64_t)keep, want - keep,
                              chunk->window.ptr + at + keep, err);
    }
    if (rc == 0) {
        chunk->window_len = at + want;
    }
    return rc;
}

static const uint8_t *window_at(const struct hr_pq_chunk *chunk, int64_t pos) {
    return chunk->window.ptr + (pos - chunk->window_offset);
}

int hr_pq_chunk_header(struct hr_pq_chunk *chunk, struct hr_pq_page *page, struct hr_error *err) {
    const int64_t room = chunk->in->data_end - chunk->pos;
    size_t need = HEADER_FIRST, used = 0;
    int rc;
    if (chunk->pos >= chunk->end || room <= 0) {
        return HR_END;
    }
    page->offset = chunk->pos;
    do {
        need = need < (uint64_t)room ? need : (size_t)room;
        rc = fill(chunk, need, err);
        if (rc != 0) {
            return rc;
        }
        /* The window may reach further than asked: let the decoder see all of it. */
        const size_t have = chunk->window_len - (size_t)(chunk->pos - chunk->window_offset);
        need = have > need ? have : need;
        rc = hr_pq_page_header_decode(hr_slice_of(window_at(chunk, chunk->pos), need),
                                      &page->header, &used, err);
        if (rc == HR_MORE && (need >= (uint64_t)room || need >= HEADER_MAX)) {
            rc = hr_fail(err, HR_E_CORRUPT, "the page header at byte %lld is cut short",
                         (long long)page->offset);
        }
        need *= 4;
    } while (rc == HR_MORE);
    chunk->pos += (int64_t)used;
    return rc;
}

void hr_pq_chunk_skip(struct hr_pq_chunk *chunk, const struct hr_pq_page *page) {
    chunk->pos += page->header.compressed_size;
}

static int check_sizes(const struct hr_pq_chunk *chunk, const struct hr_pq_page *page,
                       struct hr_error *err) {
    const struct hr_pq_page_header *h = &page->header;
    const uint64_t stored = (uint64_t)h->compressed_size, full = (uint64_t)h->uncompressed_size;
    if ((int64_t)stored > chunk->in->data_end - chunk->pos) {
        return hr_fail(err, HR_E_CORRUPT,
                       "the page at byte %lld says it has %llu bytes, the file "
                       "holds only %lld of them",
                       (long long)page->offset, (unsigned long long)stored,
                       (long long)(chunk->in->data_end - chunk->pos));
    }
    if ((int64_t)stored > chunk->end - chunk->pos) {
        return hr_fail(err, HR_E_CORRUPT, "the page at byte %lld ends %lld bytes behind its chunk",
                       (long long)page->offset,
                       (long long)(chunk->pos + (int64_t)stored - chunk->end));
    }
    if (stored > chunk->page_max || full > chunk->page_max) {
        int rc = hr_fail(err, HR_E_BOUND,
                         "the page at byte %lld needs %llu bytes of memory, the bound is %zu",
                         (long long)page->offset,
                         (unsigned long long)(full > stored ? full : stored), chunk->page_max);
        hr_error_hint(err, "raise the bound on cell size if the file can be trusted");
        return rc;
    }
    if (stored > 0 && full > most_of(chunk->codec_id, stored)) {
        return hr_fail(err, HR_E_CORRUPT,
                       "the page at byte %lld says that %llu bytes of %s decompress to %llu",
                       (long long)page->offset, (unsigned long long)stored,
                       hr_pq_codec_name(chunk->codec_id), (unsigned long long)full);
    }
    return 0;
}

/* Decompress `in` to `expected` bytes and point *out at them; uncompressed bytes stay put. */
static int inflate(struct hr_pq_chunk *chunk, struct hr_slice in, size_t expected, bool compressed,
                   struct hr_slice *out, struct hr_error *err) {
    if (!compressed || chunk->codec_id == HR_PQ_UNCOMPRESSED) {
        *out = in;
        return 0;
    }
    if (in.len == 0) { /* some writers store nothing for nothing */
        *out = in;
        return expected == 0 ? 0
                             : hr_fail(err, HR_E_CORRUPT,
                                       "a page is empty but says it holds %zu "
                                       "bytes",
                                       expected);
    }
    int rc = hr_pq_mem_need(&chunk->data, 0, expected, err);
    if (rc != 0) {
        return rc;
    }
    rc = chunk->codec_id == HR_PQ_LZ4 ? decode_lz4(chunk->codec, in, chunk->data.ptr, expected, err)
                                      : decode(chunk->codec, in, chunk->data.ptr, expected, err);
    *out = hr_slice_of(chunk->data.ptr, expected);
    return rc;
}

static int split_v2(struct hr_pq_chunk *chunk, struct hr_pq_page *page, struct hr_slice stored,
                    struct hr_error *err) {
    const struct hr_pq_page_header *h = &page->header;
    const int64_t levels = (int64_t)h->rep_len + h->def_len;
    if (h->rep_len < 0 || h->def_len < 0 || levels > (int64_t)stored.len ||
        levels > h->uncompressed_size) {
        return hr_fail(err, HR_E_CORRUPT, "the levels of the page at byte %lld do not fit it",
                       (long long)page->offset);
    }
    page->rep = hr_slice_of(stored.ptr, (size_t)h->rep_len);
    page->def = hr_slice_of(stored.ptr + h->rep_len, (size_t)h->def_len);
    const struct hr_slice values = hr_slice_of(stored.ptr + levels, stored.len - (size_t)levels);
    return inflate(chunk, values, (size_t)(h->uncompressed_size - levels), h->compressed,
                   &page->body, err);
}

/* Writers of wrong checksums exist, so by default the page is still read, and its reader told. */
static int wrong_crc(struct hr_pq_chunk *chunk, const struct hr_pq_page *page,
                     struct hr_error *err) {
    if (chunk->verify_crc == HR_CRC_ERROR) {
        hr_fail(err, HR_E_CORRUPT, "the checksum of the page at byte %lld is wrong",
                (long long)page->offset);
        hr_error_hint(err, "get a good copy; --set parquet_verify_crc=warn reads it nevertheless");
        return HR_E_CORRUPT;
    }
    if (!chunk->crc_told) {
        chunk->crc_told = true;
        hr_log(HR_LOG_WARN,
               "'%.200s': the checksum of the page at byte %lld of column '%.100s' is wrong: its "
               "values may be damaged (parquet_verify_crc=error stops there)",
               chunk->object, (long long)page->offset, chunk->column);
    }
    return 0;
}

int hr_pq_chunk_body(struct hr_pq_chunk *chunk, struct hr_pq_page *page, struct hr_error *err) {
    const struct hr_pq_page_header *h = &page->header;
    const size_t stored_len = (size_t)h->compressed_size;
    page->rep = page->def = page->body = hr_slice_of(nothing, 0);
    int rc = check_sizes(chunk, page, err);
    if (rc == 0) {
        rc = fill(chunk, stored_len, err);
    }
    if (rc != 0) {
        return rc;
    }
    const struct hr_slice stored = hr_slice_of(window_at(chunk, chunk->pos), stored_len);
    chunk->pos += (int64_t)stored_len;
    if (chunk->verify_crc != HR_CRC_OFF && h->has_crc &&
        hr_crc32(0, stored.ptr, stored.len) != h->crc) {
        rc = wrong_crc(chunk, page, err);
        if (rc != 0) {
            return rc;
        }
    }
    if (h->type == HR_PQ_DATA_PAGE_V2) {
        return split_v2(chunk, page, stored, err);
    }
    return inflate(chunk, stored, (size_t)h->uncompressed_size, true, &page->body, err);
}
