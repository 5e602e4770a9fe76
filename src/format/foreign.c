/* format/foreign.c - files of formats that are not read here, known by their first bytes.
 *
 * Asked only after every format has declined (plan/piece_source.c): a CSV file may begin with "ORC"
 * as well. Codecs that are not built in (xz, zip) are in codec_table.c. The name goes into the
 * refusal, so that the user need not guess a file_format that could not help.
 */
#include <string.h>

#include "format/format.h"

#define MAGIC(text) text, sizeof(text) - 1

static const struct {
    const char *magic;
    size_t len, at;
    struct hr_foreign what;
} FOREIGN[] = {
    {MAGIC("ORC"), 0, {"an ORC file", "rewrite it as Parquet"}},
    {MAGIC("ARROW1\0\0"), 0, {"an Arrow (Feather) file", "rewrite it as Parquet"}},
    {MAGIC("\xff\xff\xff\xff"), 0, {"an Arrow stream", "rewrite it as Parquet"}},
    {MAGIC("FEA1"), 0, {"a Feather file", "rewrite it as Parquet"}},
    {MAGIC("SEQ\4"), 0, {"a Hadoop sequence file", "rewrite it as Avro or Parquet"}},
    {MAGIC("SEQ\5"), 0, {"a Hadoop sequence file", "rewrite it as Avro or Parquet"}},
    {MAGIC("SEQ\6"), 0, {"a Hadoop sequence file", "rewrite it as Avro or Parquet"}},
    {MAGIC("RCF\1"), 0, {"an RCFile", "rewrite it as Parquet"}},
    {MAGIC("ustar"), 257, {"a tar archive", "unpack it first"}},
    {MAGIC("7z\xbc\xaf\x27\x1c"), 0, {"a 7z archive", "unpack it first"}},
    {MAGIC("SQLite format 3\0"), 0, {"an SQLite database", "export its tables as CSV"}},
    {MAGIC("\x89HDF\r\n"), 0, {"an HDF5 file", "export it as Parquet or CSV"}},
};

const struct hr_foreign *hr_format_foreign(const uint8_t *head, size_t len) {
    for (size_t i = 0; i < HR_COUNTOF(FOREIGN); i++) {
        const size_t end = FOREIGN[i].at + FOREIGN[i].len;
        if (len >= end && memcmp(head + FOREIGN[i].at, FOREIGN[i].magic, FOREIGN[i].len) == 0) {
            return &FOREIGN[i].what;
        }
    }
    return NULL;
}
