/* plan/settings_rows_dest.c - one row per option of a destination. Its place and credentials use
 * the source's rows over another struct. */
#include "plan/settings_rows.h"

#define FIELD(field_) .name = #field_, .offset = offsetof(struct hr_dest, field_), .since = "0.1"
#define RANGE(low, high) .flags = HR_OPT_RANGE, .min = (low), .max = (high)

const struct hr_option hr_rows_dest[] = {
    {FIELD(type), .type = HR_OPT_ENUM, .def = "auto", .values = "auto|local|s3|stdout",
     .text = "Kind of destination. auto: from uri."},
    {FIELD(file_format), .type = HR_OPT_STRING, .def = "parquet", .aliases = "format",
     .text = "Format to write: parquet, csv, tsv, json, jsonl."},
    {FIELD(compression), .type = HR_OPT_STRING,
     .text = "Codec: for Parquet snappy (default), zstd, gzip, lz4, brotli or none; for text gzip "
             "(default), zstd, ... or none."},
    {FIELD(compression_level), .type = HR_OPT_INT, .def = "0", RANGE(0, 22),
     .text = "Level of the codec. 0: its own default."},
    {FIELD(mode), .type = HR_OPT_ENUM, .def = "append", .values = "append|overwrite|error|replace",
     .text =
         "append adds files, overwrite replaces what this stream wrote before, error refuses when "
         "something is there, replace writes one object over the old one."},
    {FIELD(partition_by), .type = HR_OPT_LIST,
     .text = "Columns whose values become folders, name=value; they are left out of the files."},
    {FIELD(max_partitions), .type = HR_OPT_INT, .def = "10000", RANGE(1, 10000000),
     .unit = "folders",
     .text = "Most folders of one commit by partition_by or partition_regex; more is an error."},
    {FIELD(path_template), .type = HR_OPT_STRING,
     .text =
         "Folders below the destination, like year={at,none,YYYY}/{now(),,MM}: literal text and "
         "groups of a column (or now()), what stands for null, and YYYY, MM, WW, DD, HH or "
         "nothing. The columns stay in the files."},
    {FIELD(file_name_template), .type = HR_OPT_STRING, .text = "Names of the output files.",
     .missing = "Files are named LINEAGE-SEQ-INDEX, by which recovery, gc and verify know them; "
                "folders can be chosen with path_template."},
    {FIELD(max_file_size_mb), .type = HR_OPT_DOUBLE, .def = "512", RANGE(1, 5e6), .unit = "MiB",
     .text = "A new file begins when one would grow larger."},
    {FIELD(row_group_rows), .type = HR_OPT_INT, .def = "122880", RANGE(1, 100000000),
     .unit = "rows", .text = "Most rows of a Parquet row group."},
    {FIELD(row_group_mb), .type = HR_OPT_INT, .def = "64", RANGE(1, 1024), .unit = "MiB",
     .text = "Most bytes of a row group before encoding."},
    {FIELD(encodings), .type = HR_OPT_ENUM, .def = "auto", .values = "auto|classic",
     .text =
         "Parquet encodings: the smallest for each column, or only dictionary and plain for old "
         "readers."},
    {FIELD(page_size_kb), .type = HR_OPT_INT, .def = "1024", RANGE(4, 65536), .unit = "KiB",
     .text = "Size of a Parquet data page."},
    {FIELD(dictionary), .type = HR_OPT_BOOL, .def = "true", .text = "Use dictionaries in Parquet."},
    {FIELD(page_index), .type = HR_OPT_BOOL, .def = "true",
     .text = "Write the page index, by which readers skip pages."},
    {FIELD(page_crc), .type = HR_OPT_BOOL, .def = "false",
     .text = "Write a checksum for every Parquet page."},
    {FIELD(bloom_filter_columns), .type = HR_OPT_LIST,
     .text =
         "Columns that get a Bloom filter, by which readers skip row groups when they look for "
         "one value. A member of a nested column is named by its path, a.b; names that a stream "
         "lacks are ignored."},
    {FIELD(statistics), .type = HR_OPT_BOOL, .def = "true",
     .text = "Write smallest and largest values, by which readers skip row groups."},
    {FIELD(parquet_version), .type = HR_OPT_ENUM, .def = "2", .values = "1|2",
     .text = "Version of Parquet data pages."},
    {FIELD(flatten), .type = HR_OPT_BOOL, .def = "false",
     .text = "Write nested objects as dotted columns.",
     .missing = "Nested values are written as JSON text."},
    {FIELD(server_side_encryption), .type = HR_OPT_STRING,
     .text = "Encryption at rest of every object written: AES256, aws:kms or aws:kms:dsse."},
    {FIELD(kms_key_id), .type = HR_OPT_STRING,
     .text = "KMS key of the encryption; alone it means aws:kms."},
    {FIELD(acl), .type = HR_OPT_STRING,
     .text = "Canned ACL of every object written, like bucket-owner-full-control."},
    {FIELD(storage_class), .type = HR_OPT_STRING,
     .text = "Storage class of data files, like STANDARD_IA."},
    {FIELD(tags), .type = HR_OPT_STRING, .text = "Tags of data files: a=b&c=d."},
    {FIELD(checksum), .type = HR_OPT_STRING, .text = "Checksum algorithm of uploads.",
     .missing = "Parts are checked by the store's own means."},
};
const size_t hr_rows_dest_count = HR_COUNTOF(hr_rows_dest);
