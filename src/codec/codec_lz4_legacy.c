/* codec/codec_lz4_legacy.c - the lz4 legacy frame (`lz4 -l`, lz4_Frame_format.md "Legacy frame"),
 * read only, under the name .lz4: codec_lz4.c hands over to it by the magic number.
 *
 * A magic number, then blocks: uint32 little-endian compressed length and a bare lz4 block of at
 * most 8 MiB of text. There is no end mark and no checksum; the stream ends with the input, so a
 * cut between two blocks cannot be noticed. Another magic number instead of a length begins the
 * next stream. */
#include "codec/leaves.h"

#include <lz4.h>

enum { LEGACY_BLOCK = 8 << 20, LEGACY_MAX = LZ4_COMPRESSBOUND(LEGACY_BLOCK) };

static const uint8_t legacy_magic[4] = {0x02, 0x21, 0x4c, 0x18};

struct legacy_decoder {
    bool any;      /* the magic number was seen */
    uint32_t want; /* bytes of the block, 0: a length or a magic number comes next */
    struct hr_gather gather;
    uint8_t *out; /* LEGACY_BLOCK bytes, once a block has come */
    struct hr_held held;
};

bool hr_lz4_legacy_probe(const uint8_t *head, size_t len) {
    return len >= 4 && memcmp(head, legacy_magic, 4) == 0;
}

int hr_lz4_legacy_begin(void **ctx, struct hr_error *err) {
    struct legacy_decoder *dec = hr_calloc(1, sizeof(*dec));
    if (dec == NULL) {
        return hr_fail(err, HR_E_NOMEM, "out of memory for a decompressor");
    }
    hr_buf_init(&dec->gather.buf, LEGACY_MAX + 16);
    *ctx = dec;
    return 0;
}

void hr_lz4_legacy_end(void *ctx) {
    struct legacy_decoder *dec = ctx;
    if (dec != NULL) {
        hr_buf_release(&dec->gather.buf);
        hr_big_free(dec->out);
        hr_free(dec);
    }
}

static int legacy_block(struct legacy_decoder *dec, const uint8_t *block, struct hr_error *err) {
    if (dec->out == NULL) {
        dec->out = hr_big_alloc(LEGACY_BLOCK, NULL);
        if (dec->out == NULL) {
            return hr_fail(err, HR_E_NOMEM, "out of memory for a decompressor");
        }
    }
    const int made = LZ4_decompress_safe((const char *)block, (char *)dec->out, (int)dec->want,
                                         (int)LEGACY_BLOCK);
    if (made < 0) {
        return hr_codec_fail_data(err, "lz4", "an invalid block");
    }
    dec->want = 0;
    dec->held = (struct hr_held){.ptr = dec->out, .len = (size_t)made};
    return 0;
}

/* A magic number or a length. */
static int legacy_word(struct legacy_decoder *dec, const uint8_t *p, struct hr_error *err) {
    if (hr_lz4_legacy_probe(p, 4)) {
        dec->any = true;
        return 0;
    }
    dec->want = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
    return dec->want == 0 || dec->want > LEGACY_MAX
               ? hr_codec_fail_data(err, "lz4", "an impossible block length")
               : 0;
}

int hr_lz4_legacy_step(void *ctx, struct hr_codec_io *io, bool eof, struct hr_error *err) {
    struct legacy_decoder *dec = ctx;
    for (;;) {
        if (hr_held_drain(&dec->held, io) || io->out_len == 0) {
            return 0;
        }
        if (io->in_len == 0) {
            if (!eof) {
                return 0;
            }
            return dec->any && dec->want == 0 && dec->gather.buf.len == 0
                       ? HR_END
                       : hr_codec_fail_early(err, "lz4");
        }
        const uint8_t *piece = NULL;
        switch (hr_gather_take(&dec->gather, io, dec->want != 0 ? dec->want : 4, &piece, err)) {
        case HR_GATHER_FAILED: return HR_E_NOMEM;
        case HR_GATHER_MORE: continue;
        case HR_GATHER_DONE: break;
        }
        const int rc =
            dec->want != 0 ? legacy_block(dec, piece, err) : legacy_word(dec, piece, err);
        if (rc != 0) {
            return rc;
        }
    }
}
