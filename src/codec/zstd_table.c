/* codec/zstd_table.c - reads the seek table of a seekable zstd object: the planner (plan/split.c)
 * gives the object's last bytes and gets runs of frames, one for each task. */
#include "codec/zstd_table.h"

#include "codec/zstd_seek.h"

enum { HEAD = 8, WITH_CHECKSUMS = 0x80, RESERVED = 0x7c };

static uint32_t le32(const uint8_t *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint32_t entry_width(const uint8_t *foot) {
    return (foot[4] & WITH_CHECKSUMS) != 0 ? 12 : 8;
}

size_t hr_zstd_table_len(const uint8_t foot[HR_ZSTD_TABLE_FOOT]) {
    const uint32_t count = le32(foot);
    if (le32(foot + 5) != 0x8f92eab1u || (foot[4] & RESERVED) != 0 || count == 0 ||
        count > HR_ZSTD_TABLE_FRAMES) {
        return 0;
    }
    return HEAD + (size_t)count * entry_width(foot) + HR_ZSTD_TABLE_FOOT;
}

bool hr_zstd_table_open(struct hr_slice table, int64_t object_size, struct hr_zstd_table *out) {
    if (table.len < HEAD + HR_ZSTD_TABLE_FOOT || object_size < (int64_t)table.len) {
        return false;
    }
    const uint8_t *foot = table.ptr + table.len - HR_ZSTD_TABLE_FOOT;
    if (hr_zstd_table_len(foot) != table.len || le32(table.ptr) != 0x184d2a5eu ||
        le32(table.ptr + 4) != table.len - HEAD) {
        return false;
    }
    *out = (struct hr_zstd_table){
        .entries = table.ptr + HEAD, .count = le32(foot), .width = entry_width(foot)};
    for (uint32_t i = 0; i < out->count; i++) { /* 2^22 entries below 2^32: no overflow */
        const uint8_t *entry = out->entries + (size_t)i * out->width;
        if (le32(entry) == 0) {
            return false;
        }
        out->stored += le32(entry);
        out->text += le32(entry + 4);
    }
    return out->stored == object_size - (int64_t)table.len;
}

bool hr_zstd_table_run(struct hr_zstd_table *table, int64_t text_max, struct hr_codec_frames *out) {
    *out = (struct hr_codec_frames){.begin = table->next_stored,
                                    .end = table->next_stored,
                                    .stop = table->stored,
                                    .text_begin = table->next_text,
                                    .text_end = table->next_text};
    for (; table->next < table->count; table->next++) {
        const uint8_t *entry = table->entries + (size_t)table->next * table->width;
        const uint32_t packed = le32(entry);
        const uint32_t plain = le32(entry + 4);
        const int64_t text = out->text_end - out->text_begin;
        if (text + plain > text_max && text >= 2 && table->text - out->text_end >= 2) {
            break;
        }
        out->count++;
        out->end += packed;
        out->text_end += plain;
        out->hash = hr_zstd_seek_entry(out->hash, packed, plain);
    }
    table->next_stored = out->end;
    table->next_text = out->text_end;
    return out->count > 0;
}
