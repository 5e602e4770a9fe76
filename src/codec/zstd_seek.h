/* codec/zstd_seek.h - watch a zstd stream go by and check its seek table.
 *
 * Private to codec/. The seekable format (zstd_seekable_compression_format.md) ends a file with a
 * skippable frame that lists the sizes of all frames. Every frame of a cut or patched file may be
 * whole; a table that lists others tells that some are missing. */
#ifndef HR_CODEC_ZSTD_SEEK_H
#define HR_CODEC_ZSTD_SEEK_H

#include "codec/codec.h"

struct hr_zstd_seek {
    uint64_t frames, frames_hash; /* whole data frames since the last table, and their sizes */
    bool foreign;                 /* skippable frames of others: the table may count them or not */
    /* the frame going by */
    uint8_t head[8];
    uint64_t taken, made;
    /* the table going by, read as entries of 8 and of 12 bytes until its end tells which */
    uint64_t entries_hash[2];
    uint8_t entry[2][12];
    uint8_t foot[9];
    /* Some frames of an object are read: what its table says of them. */
    struct hr_codec_frames want;
    uint64_t packed, text; /* of the frames that ended; inflated so far */
    bool met;              /* all of them went by and are what the table says */
};

/* The sizes of one more frame, into a hash of those before it (0 at first). */
uint64_t hr_zstd_seek_entry(uint64_t hash, uint32_t packed, uint32_t plain);

/* The decoder took `len` bytes of a frame at ptr and made `made`; `ended`: the frame is over. */
int hr_zstd_seek_watch(struct hr_zstd_seek *seek, const uint8_t *ptr, size_t len, size_t made,
                       bool ended, struct hr_error *err);
/* The stream is over between two frames: an error when some that are wanted did not come. */
int hr_zstd_seek_end(const struct hr_zstd_seek *seek, struct hr_error *err);

#endif
