/* format/format.h - SEAM format: bytes to batches and batches to bytes.
 *
 * One folder per leaf (csv/ json/ text/ parquet/ avro/), one `const struct hr_format` each, one
 * line each in format_table.c. Level 3: may include base/, batch/, config/, codec/.
 *
 * Reading: open a reader on a source, call next until HR_END. Text formats convert into the schema
 * they are given (`want`); self-describing formats (Parquet, Avro) give their own schema, narrowed
 * to the wanted columns, and transform/ aligns it.
 * Writing happens in two places: an *encoder* runs inside a task and turns batches into *blocks*
 * (a Parquet row group, a gzip member of CSV, lines of JSON) that do not depend on where in a file
 * they will stand; a *file writer* runs in the assembler and strings blocks together with header
 * and footer. Same batches and options give the same bytes.
 */
#ifndef HR_FORMAT_FORMAT_H
#define HR_FORMAT_FORMAT_H

#include "base/io.h"
#include "batch/predicate.h"
#include "batch/vec.h"
#include "codec/codec.h"
#include "config/option.h"

/* ---- options: each leaf has the rows for its struct (hr_csv_options[] …) ------------------- */

struct hr_csv_opts {
    char *delimiter;   /* one or more bytes; NULL: "," ("\t" for tsv); "\\t" is a tab */
    bool header;       /* first record holds names */
    char *encoding;    /* iconv name, "utf-8"; a BOM wins */
    char *quote;       /* one byte or "" for none */
    char *escape;      /* one byte or NULL */
    bool double_quote; /* "" inside quotes is one quote */
    int64_t skip_rows; /* physical lines before the header */
    int64_t skip_rows_after_header;
    struct hr_strlist
        null_values; /* default: the empty text; a quoted empty cell of a text column is "" */
    struct hr_strlist true_values, false_values; /* default true/false any case */
    struct hr_strlist columns;                   /* names, instead of or over the header */
    char *comment; /* lines starting with this byte are skipped; NULL none */
    bool trim;     /* cut blanks around unquoted cells */
    /* writing */
    bool always_quote;
};

struct hr_json_opts {
    int lines;         /* 0 auto, 1 lines, 2 document (array, object, concatenated) */
    bool flatten;      /* nested objects become dotted columns */
    int64_t max_depth; /* flatten depth (default 10) */
    char *separator;   /* "." */
    bool allow_nan;    /* NaN, Infinity, -Infinity accepted */
    bool nested_text;  /* nested values as JSON text columns (what infer answers for objects and
                          lists) */
    /* writing */
    bool array; /* one JSON array per file instead of lines */
};

enum hr_verify_crc { HR_CRC_WARN, HR_CRC_ERROR, HR_CRC_OFF, HR_CRC_TRUE, HR_CRC_FALSE };

struct hr_parquet_opts { /* reading */
    bool decimal_as_double;
    int verify_crc; /* enum hr_verify_crc */
    int int96_unit; /* 0 auto: us for files of Spark, else ns; 1 ns; 2 us */
};

struct hr_avro_opts { /* reading */
    char *schema;     /* JSON of the reader's schema; NULL: files are read as they were written */
};

struct hr_write_opts {
    const struct hr_codec
        *codec;      /* page codec for Parquet and Avro, whole-stream codec for text; NULL none */
    int codec_level; /* 0: the codec's default */
    int64_t row_group_rows;   /* 122880 */
    uint64_t row_group_bytes; /* 64 MiB, before encoding; also the text block size (8 MiB) */
    uint64_t page_bytes;      /* 1 MiB */
    bool dictionary, statistics, page_index, page_crc;
    bool classic;        /* encodings: classic (dictionary + plain only) */
    int parquet_version; /* 1 or 2: data page version */
    struct hr_strlist bloom_columns;
    struct hr_csv_opts *csv; /* borrowed; NULL: defaults */
    struct hr_json_opts *json;
};

/* ---- reading ------------------------------------------------------------------------------- */

/* A record that cannot be read at all (bad JSON, ragged row). */
struct hr_reject {
    int64_t byte_offset, line;
    const char *reason;
    struct hr_slice raw; /* at most 64 KiB of the record */
};

struct hr_read_params {
    struct hr_schema *want; /* text: schema to convert into, required. Self-describing: columns
                               wanted by name (types ignored), NULL all; a struct with children:
                               only those of it, as far as the format can */
    bool want_all; /* text: a column of the file that `want` lacks is a misfit (WIDEN: HR_WIDEN);
                      otherwise extra columns are skipped */
    enum hr_misfit misfit;
    int64_t batch_rows; /* at most this many rows a batch (0: 8192); also cut at about 8 MiB */
    bool want_rows;     /* fill batch->row_offsets and row_lines */
    size_t cell_max;    /* 0: 128 MiB */
    int json_depth_max; /* 0: 256 */

    /* Text: `want` was declared by a person or a catalog, not inferred: 007 and +5 are numbers
     * there instead of misfits (see format/infer.h). */
    bool declared;
    bool times_utc;     /* a time without an offset counts as UTC in a column of instants */
    bool infer_text;    /* a column `want` lacks is utf8, whatever it holds (infer_types: false) */
    bool infer_decimal; /* a number that does not fit widens to a decimal before a double */

    /* Splits. Text: the source's first byte is object byte `split_begin` - 1 (or 0 when split_begin
     * is 0); records that START in [split_begin, split_end) are read; split_end -1: to the end.
     * When split_begin > 0 the reader skips to the first record start at or after it, guessing that
     * it is outside quotes; with `split_exact` the record starts exactly at split_begin, no guess.
     * A split with split_begin > 0 has no header: `header` gives the names.
     * Parquet: row groups [group_begin, group_end); group_end -1: all. Avro: blocks whose sync
     * marker starts in the range, the source beginning as for text; `header` is layout's. */
    int64_t split_begin, split_end;
    bool split_exact;
    int64_t group_begin, group_end;
    const struct hr_strlist *header; /* text: column names found at plan time, NULL: read them.
                                        Avro splits with split_begin > 0: layout's header */
    const struct hr_prune *prune;    /* NULL: none */

    /* A bad record. Return 0 to go on (it is dropped), an error to stop with. NULL: fail. */
    int (*reject)(void *user, const struct hr_reject *what, struct hr_error *err);
    void *reject_user;
};

struct hr_format_opts { /* borrowed by readers for their life */
    struct hr_csv_opts csv;
    struct hr_json_opts json;
    struct hr_parquet_opts parquet;
    struct hr_avro_opts avro;
};

struct hr_reader;
struct hr_reader_ops {
    /* The next rows: a batch the reader owns, valid until the next call. Never an empty batch.
     * 0, HR_END, HR_WIDEN (reader->needs holds the meet of `want` and what was met; the reader is
     * finished), or an error that names object, line or row group, column and offending text. */
    int (*next)(struct hr_reader *reader, struct hr_batch **out, struct hr_error *err);
    void (*close)(struct hr_reader *reader); /* does not close the source */
};
struct hr_reader {
    const struct hr_reader_ops *ops;
    struct hr_schema *schema; /* of the batches */
    struct hr_schema *needs;  /* after HR_WIDEN, owned by the reader */
    int64_t first_record;     /* text splits: byte where the first record started, -1 none */
    int64_t end_record;       /* text splits, after HR_END: byte where the next record starts */
    int64_t end_line;         /* and the number of its line, as this reader counts them: the line at
                                 which it began is 1; 0 not counted */
    int64_t rows, nulled, rejected; /* counted so far */
};

/* What the planner must know of one large object to cut it into splits, from one small read (a
 * footer; the first 64 KiB of a text). */
struct hr_layout {
    bool splittable; /* text: records can be found from any byte (encoding and framing allow
                        it); false: the object is one split */
    bool has_header;
    struct hr_strlist header; /* text with a header: its names, for splits that do not begin at 0.
                                 Avro: one item, the bytes of the file's header in hex */
    int64_t n_groups;         /* Parquet: row groups in the file */
    int64_t *group_bytes;     /* Parquet: stored bytes of each, all columns; hr_malloc */
    int64_t *group_rows;      /* Parquet: rows of each; hr_malloc */
};
void hr_layout_release(struct hr_layout *layout);

/* Sampling. */
struct hr_infer_params {
    int64_t rows;     /* at most so many records (1000) */
    bool types;       /* false: every text value is utf8 */
    bool decimal;     /* decimals instead of doubles */
    size_t bytes_max; /* look at no more than this (0: 4 MiB) */
};

/* ---- writing ------------------------------------------------------------------------------- */

/* A finished run of rows: bytes that can stand anywhere in a file of this format. */
struct hr_block {
    uint8_t *data; /* hr_big_alloc */
    size_t len;
    int64_t rows;
    void *meta; /* the format's own (column chunk metadata …) */
    void (*free_meta)(void *meta);
};
void hr_block_release(struct hr_block *block);

struct hr_encoder;
struct hr_encoder_ops {
    /* Take the rows; the batch's schema equals the encoder's. Blocks are cut by rows and bytes. */
    int (*put)(struct hr_encoder *enc, const struct hr_batch *batch, struct hr_error *err);
    /* No more rows: the rest becomes a block. */
    int (*finish)(struct hr_encoder *enc, struct hr_error *err);
    /* Pop a finished block (ownership moves); HR_END when none is ready. */
    int (*pop)(struct hr_encoder *enc, struct hr_block *out, struct hr_error *err);
    /* Forget all rows and blocks, keep buffers: ready for the next task. */
    void (*reset)(struct hr_encoder *enc);
    void (*close)(struct hr_encoder *enc);
};
struct hr_encoder {
    const struct hr_encoder_ops *ops;
};

struct hr_file_writer;
struct hr_file_writer_ops {
    int (*add)(struct hr_file_writer *fw, const struct hr_block *block, struct hr_error *err);
    /* Footer, closing bracket, end of stream. The out is not closed. */
    int (*finish)(struct hr_file_writer *fw, struct hr_error *err);
    /* Bytes finish would still add, roughly (footer and index so far). */
    size_t (*pending)(const struct hr_file_writer *fw);
    void (*close)(struct hr_file_writer *fw);
};
struct hr_file_writer {
    const struct hr_file_writer_ops *ops;
};

/* ---- the seam ------------------------------------------------------------------------------ */

enum hr_format_flags {
    HR_FMT_RANDOM = 1,       /* wants read_at (Parquet) */
    HR_FMT_SPLIT = 2,        /* uncompressed objects can be split by byte range or group */
    HR_FMT_SCHEMA = 4,       /* schema inside the file */
    HR_FMT_PROJECT = 8,      /* unwanted columns cost (almost) nothing */
    HR_FMT_STATS = 16,       /* prune works */
    HR_FMT_CODEC_INSIDE = 32 /* compresses by itself (Parquet, Avro): no whole-stream codec */
};

struct hr_format {
    const char *name;            /* "csv" */
    const char *const *suffixes; /* {".csv", NULL} */
    unsigned flags;
    const char *missing;             /* known but not built: the sentence why; NULL: usable */
    const struct hr_option *options; /* the leaf's rows */
    size_t n_options;

    /* 0..100: how much the first bytes look like this format. */
    int (*probe)(const uint8_t *head, size_t len);
    /* Schema of one object from a sample, never reading more than needed. opts borrowed. */
    int (*infer)(struct hr_source *src, const struct hr_format_opts *opts,
                 const struct hr_infer_params *params, struct hr_schema **out,
                 struct hr_error *err);
    /* The source is borrowed until close. params and opts are borrowed until close. */
    int (*open)(struct hr_source *src, const struct hr_format_opts *opts,
                const struct hr_read_params *params, struct hr_reader **out, struct hr_error *err);
    /* Writing; NULL: read only. opts borrowed until close. */
    int (*encoder)(struct hr_schema *schema, const struct hr_write_opts *opts,
                   struct hr_encoder **out, struct hr_error *err);
    int (*file_writer)(struct hr_schema *schema, const struct hr_write_opts *opts,
                       struct hr_out *dst, struct hr_file_writer **out, struct hr_error *err);

    /* How an object may be split. Text reads at most the first 64 KiB (uncompressed; the caller
     * knows the codec already), Parquet the footer. NULL: objects of this format are not split. */
    int (*layout)(struct hr_source *src, const struct hr_format_opts *opts, struct hr_layout *out,
                  struct hr_error *err);
};

const struct hr_format *hr_format_by_name(const char *name, size_t len); /* jsonl, tsv, txt … too */
/* By key, looking through a codec suffix (".csv.gz"). NULL: unknown. */
const struct hr_format *hr_format_by_key(const char *key, size_t len);
const struct hr_format *hr_format_by_probe(const uint8_t *head, size_t len);

/* What a file is that no format here reads, and the remedy; NULL: unknown. Both complete "it is …"
 * and a hint. Ask only when hr_format_by_probe knew nothing. */
struct hr_foreign {
    const char *what, *remedy;
};
const struct hr_foreign *hr_format_foreign(const uint8_t *head, size_t len);
const struct hr_format *const *hr_format_all(size_t *out_count);

/* Fill with the rows' defaults / free. */
int hr_format_opts_init(struct hr_format_opts *opts, struct hr_error *err);
void hr_format_opts_release(struct hr_format_opts *opts);
void hr_write_opts_init(struct hr_write_opts *opts); /* the documented defaults */

static inline int hr_reader_next(struct hr_reader *r, struct hr_batch **out, struct hr_error *err) {
    return r->ops->next(r, out, err);
}
static inline void hr_reader_close(struct hr_reader *r) {
    if (r) {
        r->ops->close(r);
    }
}

/* The leaves, named here so that tests can reach one without the table. tsv is csv with another
 * default delimiter; jsonl is json with lines. */
extern const struct hr_format hr_format_csv, hr_format_tsv, hr_format_json, hr_format_jsonl,
    hr_format_text, hr_format_parquet, hr_format_avro;
extern const struct hr_option hr_csv_options[], hr_json_options[], hr_parquet_options[],
    hr_avro_options[];
extern const size_t hr_csv_options_count, hr_json_options_count, hr_parquet_options_count,
    hr_avro_options_count;

#endif
