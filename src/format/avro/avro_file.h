/* format/avro/avro_file.h - the object container file: header, blocks, sync markers. */
#ifndef HR_AVRO_FILE_H
#define HR_AVRO_FILE_H

#include "base/io.h"
#include "codec/codec.h"

enum { HR_AVRO_SYNC = 16, HR_AVRO_HEADER_MAX = 64 << 20, HR_AVRO_BLOCK_MAX = 512 << 20 };
/* What a block may inflate to: 1000 times its size, but 64 MiB in any case and 1 GiB at most. */
#define HR_AVRO_INFLATED_MAX ((size_t)1 << 30)
#define HR_AVRO_INFLATED_FREE ((size_t)64 << 20)

/* Bytes of a source, made contiguous where a record of them is needed. */
struct hr_avro_input {
    struct hr_source *src; /* borrowed */
    struct hr_slice cur;   /* what src gave last and was not used */
    uint8_t *hold;         /* what had to be put together; comes before cur */
    size_t hold_at, hold_len, hold_cap;
    int64_t offset; /* in the object, of the next byte */
    bool ended;
};
void hr_avro_input_init(struct hr_avro_input *in, struct hr_source *src, int64_t offset);
void hr_avro_input_release(struct hr_avro_input *in);
/* Try to have `want` bytes in one place: *out and how many there are, fewer only at the end of the
 * source. HR_PAD bytes behind them are readable. */
int hr_avro_input_peek(struct hr_avro_input *in, size_t want, struct hr_slice *out,
                       struct hr_error *err);
/* Pass over n bytes that were peeked. */
void hr_avro_input_skip(struct hr_avro_input *in, size_t n);

/* Pass over n bytes in whatever pieces they come; HR_END when there are fewer. */
int hr_avro_input_pass(struct hr_avro_input *in, int64_t n, struct hr_error *err);

struct hr_avro_header {
    uint8_t *bytes; /* all of it, the sync marker at its end; hr_malloc */
    size_t len;
    struct hr_slice schema; /* inside bytes */
    struct hr_slice codec_name;
    const struct hr_codec *codec; /* NULL: null */
    bool snappy;                  /* blocks end with a CRC-32 */
    uint8_t sync[HR_AVRO_SYNC];
};
/* Read a header from the start of a file. Messages name the object. */
int hr_avro_header_read(struct hr_avro_input *in, struct hr_avro_header *out, struct hr_error *err);
/* The same from bytes kept at plan time; name for messages. */
int hr_avro_header_parse(const char *name, struct hr_slice bytes, struct hr_avro_header *out,
                         struct hr_error *err);
void hr_avro_header_release(struct hr_avro_header *header);

/* One block as stored. */
struct hr_avro_block {
    int64_t offset; /* in the object */
    int64_t rows;
    struct hr_slice data; /* not inflated; at least 16 bytes behind it are readable */
    size_t total;         /* bytes in the file, sync marker included */
};
/* Look at the block that starts `lead` bytes ahead; HR_END when the file ends there. Nothing is
 * skipped; the data is good until the next peek. */
int hr_avro_block_peek(struct hr_avro_input *in, const struct hr_avro_header *header, size_t lead,
                       struct hr_avro_block *out, struct hr_error *err);
/* Move to the first place at or after `from` (>= in->offset) where the sync marker's bytes stand;
 * it is not skipped. HR_END: there is none. */
int hr_avro_find_sync(struct hr_avro_input *in, const struct hr_avro_header *header, int64_t from,
                      struct hr_error *err);

/* Inflate a block's data; *out lies in `buf` (hr_big_alloc, grown, freed by the caller) or is the
 * data itself. */
int hr_avro_inflate(const struct hr_avro_header *header, const char *name,
                    const struct hr_avro_block *block, uint8_t **buf, size_t *buf_cap,
                    struct hr_slice *out, struct hr_error *err);

#endif
