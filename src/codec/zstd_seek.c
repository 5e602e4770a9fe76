/* codec/zstd_seek.c - a zstd stream's seek table is checked against the frames that came by.
 *
 * codec_zstd.c shows every byte it hands to libzstd; only the heads of frames and the table itself
 * are looked at, and nothing is kept but two hashes, so a table of any length costs no memory. */
#include "codec/zstd_seek.h"

#include "base/hash.h"
#include "codec/leaves.h"

enum { FOOT = 9, WITH_CHECKSUMS = 0x80 };

static uint32_t le32(const uint8_t *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

uint64_t hr_zstd_seek_entry(uint64_t hash, uint32_t packed, uint32_t plain) {
    return hr_hash_u64(hash ^ ((uint64_t)packed << 32 | plain)) + 1;
}

static bool is_skippable(const struct hr_zstd_seek *seek) {
    return (le32(seek->head) & 0xfffffff0u) == 0x184d2a50u;
}

static bool is_table(const struct hr_zstd_seek *seek) {
    return le32(seek->head) == 0x184d2a5eu;
}

/* One byte of a skippable frame's content, `at` bytes from its begin. */
static void table_byte(struct hr_zstd_seek *seek, uint64_t at, uint8_t byte) {
    const uint64_t entries_end = le32(seek->head + 4) < FOOT ? 0 : le32(seek->head + 4) - FOOT;
    if (at >= entries_end) {
        seek->foot[at - entries_end < FOOT ? at - entries_end : 0] = byte;
        return;
    }
    for (int i = 0; i < 2; i++) {
        const uint64_t width = i == 0 ? 8 : 12;
        seek->entry[i][at % width] = byte;
        if (at % width == width - 1) {
            seek->entries_hash[i] = hr_zstd_seek_entry(seek->entries_hash[i], le32(seek->entry[i]),
                                                       le32(seek->entry[i] + 4));
        }
    }
}

static int table_check(const struct hr_zstd_seek *seek, struct hr_error *err) {
    const uint64_t listed = le32(seek->foot);
    const int wide = (seek->foot[4] & WITH_CHECKSUMS) != 0;
    const bool ours = le32(seek->head + 4) >= FOOT && le32(seek->foot + 5) == 0x8f92eab1u &&
                      le32(seek->head + 4) == listed * (wide ? 12u : 8u) + FOOT;
    if (!ours || seek->foreign) {
        return 0;
    }
    if (listed != seek->frames) {
        hr_fail(err, HR_E_CORRUPT, "the seek table lists %llu zstd frames, %llu are there",
                (unsigned long long)listed, (unsigned long long)seek->frames);
    } else if (seek->entries_hash[wide] != seek->frames_hash) {
        hr_fail(err, HR_E_CORRUPT, "the seek table lists zstd frames of other sizes");
    } else {
        return 0;
    }
    hr_error_hint(err, "the object is damaged: upload it again, or leave it out");
    return HR_E_CORRUPT;
}

static int not_as_listed(struct hr_error *err) {
    hr_fail(err, HR_E_CORRUPT, "the seek table lists zstd frames of other sizes");
    hr_error_hint(err, "the object is damaged: upload it again, or leave it out");
    return HR_E_CORRUPT;
}

/* One of the frames that are wanted ended, skippable ones among them: the table lists every byte.
 */
static int wanted_end(struct hr_zstd_seek *seek, struct hr_error *err) {
    const struct hr_codec_frames *want = &seek->want;
    seek->packed += seek->taken;
    seek->frames_hash =
        hr_zstd_seek_entry(seek->frames_hash, (uint32_t)seek->taken, (uint32_t)seek->made);
    seek->frames++;
    seek->taken = seek->made = 0;
    if (seek->frames < (uint64_t)want->count) {
        return 0;
    }
    seek->met = seek->frames_hash == want->hash &&
                seek->packed == (uint64_t)(want->end - want->begin) &&
                seek->text == (uint64_t)(want->text_end - want->text_begin);
    return seek->met ? 0 : not_as_listed(err);
}

static int frame_end(struct hr_zstd_seek *seek, struct hr_error *err) {
    int rc = 0;
    if (is_table(seek)) {
        rc = table_check(seek, err);
        /* Of files strung together each has a table of its own frames; a second one is not judged,
         * as it may mean all of them. */
        seek->foreign = true;
        seek->frames = seek->frames_hash = 0;
    } else if (is_skippable(seek)) {
        seek->foreign = true;
    } else {
        seek->frames_hash =
            hr_zstd_seek_entry(seek->frames_hash, (uint32_t)seek->taken, (uint32_t)seek->made);
        seek->frames++;
    }
    seek->taken = seek->made = 0;
    seek->entries_hash[0] = seek->entries_hash[1] = 0;
    return rc;
}

int hr_zstd_seek_watch(struct hr_zstd_seek *seek, const uint8_t *ptr, size_t len, size_t made,
                       bool ended, struct hr_error *err) {
    if (seek->want.count > 0) {
        if (seek->met) {
            return 0; /* frames behind those wanted: whoever wants them judges them */
        }
        seek->taken += len;
        seek->made += made;
        seek->text += made;
        if (seek->text > (uint64_t)(seek->want.text_end - seek->want.text_begin)) {
            return not_as_listed(err);
        }
        return ended ? wanted_end(seek, err) : 0;
    }
    size_t i = 0;
    for (; i < len && seek->taken + i < sizeof(seek->head); i++) {
        seek->head[seek->taken + i] = ptr[i];
    }
    if (seek->taken + len > sizeof(seek->head) && is_table(seek)) {
        for (; i < len; i++) {
            table_byte(seek, seek->taken + i - sizeof(seek->head), ptr[i]);
        }
    }
    seek->taken += len;
    seek->made += made;
    return ended ? frame_end(seek, err) : 0;
}

int hr_zstd_seek_end(const struct hr_zstd_seek *seek, struct hr_error *err) {
    return seek->want.count > 0 && !seek->met ? not_as_listed(err) : 0;
}
