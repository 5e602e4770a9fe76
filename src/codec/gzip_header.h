/* codec/gzip_header.h - a gzip member's header (RFC 1952 section 2.3), byte by byte. Private to the
 * deflate engine: ISA-L's own parser loses the header's checksum when a call ends inside it. */
#ifndef HR_CODEC_GZIP_HEADER_H
#define HR_CODEC_GZIP_HEADER_H

#include "base/slice.h"

struct hr_gzip_header {
    uint8_t at; /* which part comes next */
    uint8_t flags;
    uint16_t left; /* bytes still to pass in this part */
    uint16_t word; /* a little-endian number being read */
    uint32_t crc;  /* of the header so far */
};

/* Take bytes from *in; 1: the header is complete, 0: more are needed, or an error. `again`: a
 * member ended before this one. */
int hr_gzip_header_take(struct hr_gzip_header *header, const uint8_t **in, size_t *in_len,
                        bool again, struct hr_error *err);
static inline void hr_gzip_header_start(struct hr_gzip_header *header) {
    *header = (struct hr_gzip_header){.at = 0};
}

#endif
