/* codec/gzip_header.c - the header of a gzip member, which may arrive in any pieces: ten fixed
 * bytes, then by flags an extra field, a name, a comment and a checksum of all that (RFC 1952).
 * Names and comments are passed over, not kept. */
#include "codec/gzip_header.h"

#include "base/hash.h"
#include "codec/leaves.h"

enum { FHCRC = 2, FEXTRA = 4, FNAME = 8, FCOMMENT = 16, RESERVED = 0xe0 };
enum part {
    MAGIC_1,
    MAGIC_2,
    METHOD,
    FLAGS,
    REST,
    EXTRA_LEN,
    EXTRA,
    NAME,
    COMMENT,
    CHECKSUM,
    DONE
};

/* The part after the one just completed; those the flags leave out are passed over. */
static void next_part(struct hr_gzip_header *h) {
    static const uint8_t need[] = {[EXTRA_LEN] = FEXTRA, [EXTRA] = FEXTRA,   [NAME] = FNAME,
                                   [COMMENT] = FCOMMENT, [CHECKSUM] = FHCRC, [DONE] = 0};
    do {
        h->at++;
    } while (h->at != DONE && h->at > REST &&
             ((h->flags & need[h->at]) == 0 || (h->at == EXTRA && h->left == 0)));
    if (h->at == REST) {
        h->left = 6; /* time, extra flags, system: no matter */
    } else if (h->at == EXTRA_LEN || h->at == CHECKSUM) {
        h->left = 2;
        h->word = 0;
    }
}

static int one_byte(struct hr_gzip_header *h, uint8_t byte, bool again, struct hr_error *err) {
    static const uint8_t magic[] = {0x1f, 0x8b};
    bool part_done = true;
    switch ((enum part)h->at) {
    case MAGIC_1:
    case MAGIC_2:
        if (byte != magic[h->at]) {
            return again ? hr_codec_fail_junk(err, "gzip")
                         : hr_fail(err, HR_E_CORRUPT, "the data does not start as a gzip stream");
        }
        break;
    case METHOD:
        if (byte != 8) {
            return hr_codec_fail_data(err, "gzip", "an unknown compression method");
        }
        break;
    case FLAGS:
        if (byte & RESERVED) {
            return hr_codec_fail_data(err, "gzip", "unknown flags in the header");
        }
        h->flags = byte;
        break;
    case EXTRA_LEN:
    case CHECKSUM:
        h->word = (uint16_t)(h->word | byte << (h->left == 2 ? 0 : 8));
        part_done = --h->left == 0;
        if (part_done && h->at == CHECKSUM && h->word != (h->crc & 0xffff)) {
            return hr_codec_fail_data(err, "gzip", "the header's checksum is wrong");
        }
        if (part_done && h->at == EXTRA_LEN) {
            h->left = h->word;
        }
        break;
    case REST:
    case EXTRA: part_done = --h->left == 0; break;
    case NAME:
    case COMMENT: part_done = byte == 0; break;
    case DONE: break;
    }
    if (h->at != CHECKSUM) {
        h->crc = hr_crc32(h->crc, &byte, 1);
    }
    if (part_done) {
        next_part(h);
    }
    return 0;
}

int hr_gzip_header_take(struct hr_gzip_header *header, const uint8_t **in, size_t *in_len,
                        bool again, struct hr_error *err) {
    while (header->at != DONE) {
        if (*in_len == 0) {
            return 0;
        }
        int rc = one_byte(header, **in, again, err);
        if (rc != 0) {
            return rc;
        }
        (*in)++;
        (*in_len)--;
    }
    return 1;
}
