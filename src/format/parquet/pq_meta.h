/* format/parquet/pq_meta.h - the metadata of a Parquet file as plain structs, for reader and
 * writer.
 *
 * They mirror parquet.thrift (https://github.com/apache/parquet-format) field for field, leaving
 * out what nobody here needs. Conventions: an optional number that is absent is -1 (sizes, counts,
 * offsets) unless a has_ flag says otherwise; an optional byte string that is absent has ptr NULL
 * (present and empty: ptr not NULL, len 0); lists are pointer and count, in an arena when read.
 * Byte strings read from a file point into the caller's buffer, which must outlive the struct.
 */
#ifndef HR_FORMAT_PARQUET_PQ_META_H
#define HR_FORMAT_PARQUET_PQ_META_H

#include "base/arena.h"
#include "base/slice.h"

enum hr_pq_type {
    HR_PQ_BOOLEAN = 0,
    HR_PQ_INT32 = 1,
    HR_PQ_INT64 = 2,
    HR_PQ_INT96 = 3,
    HR_PQ_FLOAT = 4,
    HR_PQ_DOUBLE = 5,
    HR_PQ_BYTE_ARRAY = 6,
    HR_PQ_FIXED = 7 /* FIXED_LEN_BYTE_ARRAY */
};

enum hr_pq_repetition { HR_PQ_REQUIRED = 0, HR_PQ_OPTIONAL = 1, HR_PQ_REPEATED = 2 };

enum hr_pq_encoding {
    HR_PQ_PLAIN = 0,
    HR_PQ_PLAIN_DICTIONARY = 2,
    HR_PQ_RLE = 3,
    HR_PQ_BIT_PACKED = 4,
    HR_PQ_DELTA_BINARY_PACKED = 5,
    HR_PQ_DELTA_LENGTH_BYTE_ARRAY = 6,
    HR_PQ_DELTA_BYTE_ARRAY = 7,
    HR_PQ_RLE_DICTIONARY = 8,
    HR_PQ_BYTE_STREAM_SPLIT = 9
};

enum hr_pq_codec {
    HR_PQ_UNCOMPRESSED = 0,
    HR_PQ_SNAPPY = 1,
    HR_PQ_GZIP = 2,
    HR_PQ_LZO = 3,
    HR_PQ_BROTLI = 4,
    HR_PQ_LZ4 = 5, /* deprecated: Hadoop framing, or raw, or frame, as its writer pleased */
    HR_PQ_ZSTD = 6,
    HR_PQ_LZ4_RAW = 7
};

enum hr_pq_converted { /* ConvertedType; absent -1 */
                       HR_PQ_CONV_NONE = -1,
                       HR_PQ_CONV_UTF8 = 0,
                       HR_PQ_CONV_MAP = 1,
                       HR_PQ_CONV_MAP_KEY_VALUE = 2,
                       HR_PQ_CONV_LIST = 3,
                       HR_PQ_CONV_ENUM = 4,
                       HR_PQ_CONV_DECIMAL = 5,
                       HR_PQ_CONV_DATE = 6,
                       HR_PQ_CONV_TIME_MILLIS = 7,
                       HR_PQ_CONV_TIME_MICROS = 8,
                       HR_PQ_CONV_TIMESTAMP_MILLIS = 9,
                       HR_PQ_CONV_TIMESTAMP_MICROS = 10,
                       HR_PQ_CONV_UINT_8 = 11,
                       HR_PQ_CONV_UINT_16 = 12,
                       HR_PQ_CONV_UINT_32 = 13,
                       HR_PQ_CONV_UINT_64 = 14,
                       HR_PQ_CONV_INT_8 = 15,
                       HR_PQ_CONV_INT_16 = 16,
                       HR_PQ_CONV_INT_32 = 17,
                       HR_PQ_CONV_INT_64 = 18,
                       HR_PQ_CONV_JSON = 19,
                       HR_PQ_CONV_BSON = 20,
                       HR_PQ_CONV_INTERVAL = 21
};

enum hr_pq_logical { /* field id in the LogicalType union */
                     HR_PQ_LOG_NONE = 0,
                     HR_PQ_LOG_STRING = 1,
                     HR_PQ_LOG_MAP = 2,
                     HR_PQ_LOG_LIST = 3,
                     HR_PQ_LOG_ENUM = 4,
                     HR_PQ_LOG_DECIMAL = 5,
                     HR_PQ_LOG_DATE = 6,
                     HR_PQ_LOG_TIME = 7,
                     HR_PQ_LOG_TIMESTAMP = 8,
                     HR_PQ_LOG_INTEGER = 10,
                     HR_PQ_LOG_UNKNOWN = 11, /* always null */
                     HR_PQ_LOG_JSON = 12,
                     HR_PQ_LOG_BSON = 13,
                     HR_PQ_LOG_UUID = 14,
                     HR_PQ_LOG_FLOAT16 = 15,
                     HR_PQ_LOG_VARIANT = 16,
                     HR_PQ_LOG_GEOMETRY = 17,
                     HR_PQ_LOG_GEOGRAPHY = 18,
                     HR_PQ_LOG_OTHER = 255 /* written by a newer library: to be ignored */
};

enum hr_pq_time_unit { HR_PQ_MILLIS = 1, HR_PQ_MICROS = 2, HR_PQ_NANOS = 3 };

struct hr_pq_logical_type {
    int id;                   /* enum hr_pq_logical */
    int unit;                 /* TIME, TIMESTAMP: enum hr_pq_time_unit, 0 unknown */
    bool utc;                 /* TIME, TIMESTAMP: isAdjustedToUTC */
    bool is_signed;           /* INTEGER */
    int bit_width;            /* INTEGER: 8, 16, 32, 64 */
    int32_t scale, precision; /* DECIMAL */
};

struct hr_pq_element {   /* SchemaElement */
    int type;            /* enum hr_pq_type, -1: a group */
    int32_t type_length; /* FIXED: bytes of a value */
    int repetition;      /* enum hr_pq_repetition, -1 absent (the root) */
    struct hr_slice name;
    int32_t num_children;
    int converted;            /* enum hr_pq_converted */
    int32_t scale, precision; /* 0 absent */
    int32_t field_id;
    bool has_field_id;
    struct hr_pq_logical_type logical;
};

struct hr_pq_stats {          /* Statistics */
    struct hr_slice max, min; /* deprecated pair, signed order */
    int64_t null_count, distinct_count, nan_count;
    struct hr_slice max_value, min_value;
    int8_t max_exact, min_exact; /* 1 true, 0 false, -1 absent */
};

struct hr_pq_key_value {
    struct hr_slice key, value; /* value.ptr NULL: absent */
};

struct hr_pq_page_encoding_stats {
    int page_type, encoding;
    int32_t count;
};

struct hr_pq_size_stats {
    int64_t bytes;        /* of all values of a BYTE_ARRAY, as if without encoding; -1: not told */
    int64_t *reps, *defs; /* how many levels of each height; NULL: not told */
    size_t n_reps, n_defs;
};

struct hr_pq_column { /* ColumnChunk with its ColumnMetaData */
    struct hr_slice file_path;
    int64_t file_offset;
    bool has_meta;  /* the meta_data field was there */
    bool encrypted; /* crypto_metadata or encrypted_column_metadata was there */

    int type;       /* enum hr_pq_type */
    int *encodings; /* enum hr_pq_encoding */
    size_t n_encodings;
    struct hr_slice *path; /* path_in_schema */
    size_t n_path;
    int codec; /* enum hr_pq_codec */
    int64_t num_values;
    int64_t total_uncompressed_size, total_compressed_size;
    struct hr_pq_key_value *key_values;
    size_t n_key_values;
    int64_t data_page_offset;
    int64_t index_page_offset;
    int64_t dictionary_page_offset;
    bool has_stats;
    struct hr_pq_stats stats;
    struct hr_pq_page_encoding_stats *encoding_stats;
    size_t n_encoding_stats;
    int64_t bloom_filter_offset;
    int32_t bloom_filter_length;
    struct hr_pq_size_stats sizes;

    int64_t offset_index_offset;
    int32_t offset_index_length;
    int64_t column_index_offset;
    int32_t column_index_length;
};

struct hr_pq_sorting {
    int32_t column_idx;
    bool descending, nulls_first;
};

struct hr_pq_row_group {
    struct hr_pq_column *columns;
    size_t n_columns;
    int64_t total_byte_size;
    int64_t num_rows;
    struct hr_pq_sorting *sorting;
    size_t n_sorting;
    int64_t file_offset;
    int64_t total_compressed_size;
    int32_t ordinal; /* -1 absent */
    int64_t stored;  /* what its columns take in the file, as far as it says */
};

enum hr_pq_order {
    HR_PQ_ORDER_UNDEFINED = 0, /* no column_orders in the file, or one we do not know */
    HR_PQ_ORDER_TYPE = 1,      /* TYPE_ORDER */
    HR_PQ_ORDER_IEEE754 = 2,
    HR_PQ_ORDER_INT96 = 3
};

struct hr_pq_file { /* FileMetaData */
    int32_t version;
    struct hr_pq_element *schema; /* depth first, [0] is the root */
    size_t n_schema;
    int64_t num_rows;
    struct hr_pq_row_group *groups;
    size_t n_groups;
    struct hr_pq_key_value *key_values;
    size_t n_key_values;
    struct hr_slice created_by;
    uint8_t *column_orders; /* enum hr_pq_order, one per leaf; NULL: absent */
    size_t n_column_orders;
    bool encrypted; /* encryption_algorithm was there: plaintext footer of an encrypted file */
};

enum hr_pq_page_type {
    HR_PQ_DATA_PAGE = 0,
    HR_PQ_INDEX_PAGE = 1,
    HR_PQ_DICTIONARY_PAGE = 2,
    HR_PQ_DATA_PAGE_V2 = 3
};

struct hr_pq_page_header {
    int type; /* enum hr_pq_page_type; other values may be met and are to be skipped */
    int32_t uncompressed_size, compressed_size; /* without this header */
    bool has_crc;
    uint32_t crc;
    /* DataPageHeader, DictionaryPageHeader, DataPageHeaderV2 share what they can. */
    int32_t num_values;
    int encoding;
    int def_encoding, rep_encoding; /* v1 only */
    bool sorted;                    /* dictionary only */
    int32_t num_nulls, num_rows;    /* v2 only */
    int32_t def_len, rep_len;       /* v2 only */
    bool compressed;                /* v2 only; true elsewhere */
    bool has_stats;
    struct hr_pq_stats stats;
};

struct hr_pq_page_location {
    int64_t offset;
    int32_t compressed_size; /* header included */
    int64_t first_row;
};

struct hr_pq_offset_index {
    struct hr_pq_page_location *pages;
    size_t n_pages;
};

enum hr_pq_boundary { HR_PQ_UNORDERED = 0, HR_PQ_ASCENDING = 1, HR_PQ_DESCENDING = 2 };

struct hr_pq_column_index {
    size_t n_pages;
    bool *null_pages;
    struct hr_slice *min_values, *max_values;
    int boundary_order;
    int64_t *null_counts; /* NULL: absent */
};

struct hr_pq_bloom_header {
    int32_t num_bytes;
    bool known; /* block split, XXH64, uncompressed: the only kind there is */
};

/* ---- reading (pq_meta.c, pq_meta_page.c) --------------------------------------------------------
 * Each decodes one struct from the start of `in` (compact protocol). All checked: counts against
 * the bytes that remain, required fields present. HR_E_CORRUPT with a message that says which
 * struct; the caller adds object and place. */
int hr_pq_file_decode(struct hr_slice in, struct hr_arena *arena, struct hr_pq_file *out,
                      struct hr_error *err);
/* The same, but of row groups outside [begin, end) the columns are checked and not kept: a footer
 * may name millions of them. */
int hr_pq_file_decode_groups(struct hr_slice in, int64_t begin, int64_t end, struct hr_arena *arena,
                             struct hr_pq_file *out, struct hr_error *err);
/* HR_MORE: `in` ended inside the header (more bytes may help). *used: bytes of the header. */
int hr_pq_page_header_decode(struct hr_slice in, struct hr_pq_page_header *out, size_t *used,
                             struct hr_error *err);
int hr_pq_offset_index_decode(struct hr_slice in, struct hr_arena *arena,
                              struct hr_pq_offset_index *out, struct hr_error *err);
int hr_pq_column_index_decode(struct hr_slice in, struct hr_arena *arena,
                              struct hr_pq_column_index *out, struct hr_error *err);
int hr_pq_bloom_header_decode(struct hr_slice in, struct hr_pq_bloom_header *out, size_t *used,
                              struct hr_error *err);

/* Names for messages: "INT32", "DELTA_BINARY_PACKED", "SNAPPY"; unknown numbers give "unknown". */
const char *hr_pq_type_name(int type);
const char *hr_pq_encoding_name(int encoding);
const char *hr_pq_codec_name(int codec);

#endif
