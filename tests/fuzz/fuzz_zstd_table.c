/* tests/fuzz/fuzz_zstd_table.c - any bytes as a seek table, behind four that say how much text a
 * run may have: what is accepted is cut into runs without a gap. */
#include <stdlib.h>
#include <string.h>

#include "codec/zstd_table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 4 + HR_ZSTD_TABLE_FOOT) {
        return 0;
    }
    const int64_t text_max = 1 + (data[0] | data[1] << 8 | data[2] << 16);
    const size_t len = hr_zstd_table_len(data + size - HR_ZSTD_TABLE_FOOT);
    struct hr_slice bytes = {data + 4, size - 4};
    struct hr_zstd_table table;
    if (len == 0 || len > bytes.len) {
        if (hr_zstd_table_open(bytes, (int64_t)1 << 50, &table)) {
            abort();
        }
        return 0;
    }
    bytes = (struct hr_slice){bytes.ptr + bytes.len - len, len};
    /* What is in front of the table is as long as the table says, as far as that can be. */
    int64_t stored = 0;
    const size_t width = (data[size - 5] & 0x80) != 0 ? 12 : 8;
    for (size_t at = 8; at + HR_ZSTD_TABLE_FOOT < len; at += width) {
        uint32_t packed;
        memcpy(&packed, bytes.ptr + at, sizeof packed);
        stored += packed;
    }
    if (hr_zstd_table_open(bytes, stored + (int64_t)len + 1, &table)) {
        abort();
    }
    if (!hr_zstd_table_open(bytes, stored + (int64_t)len, &table)) {
        return 0;
    }
    struct hr_codec_frames run;
    int64_t frames = 0;
    int64_t at = 0;
    int64_t text = 0;
    while (hr_zstd_table_run(&table, text_max, &run)) {
        if (run.begin != at || run.end <= at || run.text_begin != text || run.count < 1 ||
            run.stop != stored || (run.text_end - text < 2 && table.text >= 2)) {
            abort();
        }
        frames += run.count;
        at = run.end;
        text = run.text_end;
    }
    if (frames != table.count || at != stored || text != table.text) {
        abort();
    }
    return 0;
}
