/* format/parquet/pq_page.h - the pages of one column chunk, one after the other, decompressed.
 *
 * A chunk is read through a window of the file: whole when it is small, else a piece at a time, so
 * a row group of any size needs one window and one page per column. With page pruning only the byte
 * ranges that hold wanted pages are fetched.
 */
#ifndef HR_FORMAT_PARQUET_PQ_PAGE_H
#define HR_FORMAT_PARQUET_PQ_PAGE_H

#include "base/io.h"
#include "codec/codec.h"
#include "format/parquet/pq_meta.h"

/* A buffer that is replaced when it must grow; always HR_PAD readable and writable bytes behind its
 * capacity. Small ones come from the plain heap, so that thousands of small columns stay small. */
struct hr_pq_mem {
    uint8_t *ptr;
    size_t cap;
    bool big;
};
/* Room for `size` bytes, keeping the first `used`. */
int hr_pq_mem_need(struct hr_pq_mem *mem, size_t used, size_t size, struct hr_error *err);
void hr_pq_mem_release(struct hr_pq_mem *mem);

/* The file, with its last bytes (or all of them) already in memory. */
struct hr_pq_input {
    struct hr_source *src;
    struct hr_pq_mem tail;
    int64_t tail_offset; /* file offset of tail.ptr[0] */
    int64_t data_end;    /* where the footer starts: no page lies behind */
    int64_t size;
};
int hr_pq_input_read(struct hr_pq_input *in, int64_t offset, size_t len, uint8_t *dst,
                     struct hr_error *err);

struct hr_pq_page {
    struct hr_pq_page_header header;
    int64_t offset;      /* in the file, of the header */
    struct hr_slice rep; /* v2: level bytes; otherwise empty */
    struct hr_slice def;
    struct hr_slice
        body; /* v1 and dictionary: everything, v2: the values; HR_PAD readable behind */
};

struct hr_pq_chunk {
    struct hr_pq_input *in;
    const struct hr_range *ranges; /* to be fetched, ascending, borrowed */
    size_t n_ranges;
    int64_t end;  /* no page header starts at or after it */
    int64_t pos;  /* file offset of the next header (or, header read, of the payload) */
    int codec_id; /* enum hr_pq_codec */
    const struct hr_codec *codec;
    int verify_crc;     /* enum hr_verify_crc: WARN, ERROR or OFF */
    const char *object; /* what a warning names; borrowed */
    const char *column;
    bool crc_told;   /* one warning a chunk */
    size_t page_max; /* bytes a page may declare */
    size_t window_size;
    size_t ahead; /* bytes to hint at once as reading goes on; 0: all was hinted already */
    int64_t hinted_end;
    struct hr_pq_mem window;
    int64_t window_offset;
    size_t window_len;
    struct hr_pq_mem data; /* the decompressed page */
};

/* `ranges` cover the chunk (one range) or its wanted pages; the first page is at ranges[0].offset.
 * HR_E_UNSUPPORTED when the codec is not there. Buffers from an earlier chunk are kept. */
int hr_pq_chunk_open(struct hr_pq_chunk *chunk, struct hr_pq_input *in, int codec,
                     const struct hr_range *ranges, size_t n_ranges, struct hr_error *err);
void hr_pq_chunk_release(struct hr_pq_chunk *chunk);
/* Go on at this file offset. */
void hr_pq_chunk_seek(struct hr_pq_chunk *chunk, int64_t offset);
/* Read the next page's header; HR_END when the chunk is over. Then either body or skip. */
int hr_pq_chunk_header(struct hr_pq_chunk *chunk, struct hr_pq_page *page, struct hr_error *err);
/* Fetch, check and decompress the payload. Slices live until the next call on the chunk. */
int hr_pq_chunk_body(struct hr_pq_chunk *chunk, struct hr_pq_page *page, struct hr_error *err);
void hr_pq_chunk_skip(struct hr_pq_chunk *chunk, const struct hr_pq_page *page);

/* NULL: not a codec that can be read here. */
const struct hr_codec *hr_pq_codec_find(int codec);

#endif
