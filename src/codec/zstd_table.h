/* codec/zstd_table.h - the seek table at the end of a seekable zstd object, for the planner.
 *
 * The format is zstd_seekable_compression_format.md: a skippable frame of one entry per frame and a
 * foot. Nothing in it is believed: runs of frames carry what the table says of them, and the
 * decoder holds the frames to it (hr_codec_frames_source). */
#ifndef HR_CODEC_ZSTD_TABLE_H
#define HR_CODEC_ZSTD_TABLE_H

#include "codec/codec.h"

#define HR_ZSTD_TABLE_FOOT 9            /* bytes that end an object with a table */
#define HR_ZSTD_TABLE_FRAMES (4u << 20) /* no table of more frames is used */

/* A table that was checked: its entries add up to the bytes in front of it. */
struct hr_zstd_table {
    const uint8_t *entries; /* borrowed */
    uint32_t count, width;  /* frames; bytes of an entry */
    int64_t stored, text;   /* bytes of all frames, and inflated */
    /* where hr_zstd_table_run goes on */
    uint32_t next;
    int64_t next_stored, next_text;
};

/* Bytes of the table that an object with this foot ends with; 0: it has none that is used. */
size_t hr_zstd_table_len(const uint8_t foot[HR_ZSTD_TABLE_FOOT]);

/* False when these bytes, the last ones of an object of this size, are no table of all that is in
 * front of them. They are borrowed by *out. */
bool hr_zstd_table_open(struct hr_slice table, int64_t object_size, struct hr_zstd_table *out);

/* The next frames, up to text_max inflated bytes but at least one frame and two bytes, as are left
 * for the last one too. False: none is left. */
bool hr_zstd_table_run(struct hr_zstd_table *table, int64_t text_max, struct hr_codec_frames *out);

#endif
