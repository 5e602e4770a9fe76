/* format/parquet/parquet.c - the Parquet leaf of the format seam: its name, options and slots.
 *
 * Reading starts in pq_reader.c, writing in pq_write.c.
 */
#include "format/parquet/pq_layout.h"
#include "format/parquet/pq_reader.h"
#include "format/parquet/pq_write.h"

static const char *const suffixes[] = {".parquet", ".parq", ".pq", NULL};

const struct hr_option hr_parquet_options[] = {
    {.name = "parquet_decimal_as_double",
     .type = HR_OPT_BOOL,
     .offset = offsetof(struct hr_parquet_opts, decimal_as_double),
     .def = "false",
     .since = "0.1",
     .text = "Read decimal columns of Parquet files as double, losing digits beyond the 15th."},
    {.name = "parquet_verify_crc",
     .type = HR_OPT_ENUM,
     .offset = offsetof(struct hr_parquet_opts, verify_crc),
     .def = "warn",
     .values = "warn|error|off|true|false",
     .since = "0.1",
     .text =
         "Checksums of Parquet pages that have one. warn: a wrong one is told with its page and "
         "column, the values are taken as they decode; error (or true): it ends the run; off "
         "(or false): they are not looked at."},
    {.name = "parquet_int96_unit",
     .type = HR_OPT_ENUM,
     .offset = offsetof(struct hr_parquet_opts, int96_unit),
     .def = "auto",
     .values = "auto|ns|us",
     .since = "0.1",
     .text =
         "Unit of INT96 timestamps: nanoseconds reach only the years 1677 to 2262, microseconds "
         "drop finer digits. auto: microseconds for files written by Spark, which has no finer "
         "ones, else nanoseconds."},
};
const size_t hr_parquet_options_count = HR_COUNTOF(hr_parquet_options);

static int probe(const uint8_t *head, size_t len) {
    return len >= 4 && (memcmp(head, "PAR1", 4) == 0 || memcmp(head, "PARE", 4) == 0) ? 100 : 0;
}

const struct hr_format hr_format_parquet = {
    .name = "parquet",
    .suffixes = suffixes,
    .flags = HR_FMT_RANDOM | HR_FMT_SPLIT | HR_FMT_SCHEMA | HR_FMT_PROJECT | HR_FMT_STATS |
             HR_FMT_CODEC_INSIDE,
    .options = hr_parquet_options,
    .n_options = HR_COUNTOF(hr_parquet_options),
    .probe = probe,
    .infer = hr_parquet_infer,
    .open = hr_parquet_reader_open,
    .encoder = hr_parquet_encoder_open,
    .file_writer = hr_parquet_file_writer_open,
    .layout = hr_parquet_layout,
};
