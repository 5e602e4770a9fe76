/* format/parquet/pq_write_internal.h - what the files of the Parquet writer share.
 *
 * put      pq_wput.c      batches -> per leaf column: values without nulls, levels
 * cut      pq_write.c    row groups, by rows and bytes
 * encode   pq_wchunk.c    one leaf -> column chunk: choose (pq_wchoose.c), statistics
 * (pq_wstats.c), pages (pq_wpage.c), bloom filter (pq_wbloom.c) file     pq_wfile.c     blocks +
 * footer; pq_wschema.c the schema, pq_warrow.c Arrow's copy
 */
#ifndef HR_FORMAT_PARQUET_PQ_WRITE_INTERNAL_H
#define HR_FORMAT_PARQUET_PQ_WRITE_INTERNAL_H

#include "base/arena.h"
#include "format/format.h"
#include "format/parquet/pq_enc_dict.h"
#include "format/parquet/pq_meta.h"
#include "format/parquet/pq_room.h"
#include "format/parquet/thrift.h"

/* ---- schema (pq_wschema.c) ----------------------------------------------------------------------
 */

/* How a leaf's values lie in memory until the row group is encoded. */
enum hr_pqw_keep {
    HR_PQW_KEEP_BOOL,  /* one byte, 0 or 1 */
    HR_PQW_KEEP_4,     /* INT32, FLOAT */
    HR_PQW_KEEP_8,     /* INT64, DOUBLE */
    HR_PQW_KEEP_FIXED, /* `width` bytes */
    HR_PQW_KEEP_BYTES  /* bytes back to back, uint32_t offsets */
};

/* How values compare in statistics. */
enum hr_pqw_sort {
    HR_PQW_SORT_NONE, /* no order: no minimum and maximum */
    HR_PQW_SORT_BOOL,
    HR_PQW_SORT_I32,
    HR_PQW_SORT_U32,
    HR_PQW_SORT_I64,
    HR_PQW_SORT_U64,
    HR_PQW_SORT_F16,
    HR_PQW_SORT_F32,
    HR_PQW_SORT_F64,
    HR_PQW_SORT_BYTES,  /* unsigned, lexicographic */
    HR_PQW_SORT_DECIMAL /* big-endian two's complement of equal width */
};

/* One node on the way from a column to a leaf. */
struct hr_pqw_step {
    uint8_t id;    /* enum hr_type_id */
    bool nullable; /* adds one definition level */
    uint8_t rep;   /* LIST, MAP: its repetition level */
    bool flat;     /* neither it nor anything below repeats: one level per value */
    int child;     /* which child comes next (STRUCT); 0 for LIST and MAP */
};

/* One leaf column of the file. Lives in the schema's arena. */
struct hr_pqw_leaf {
    const struct hr_field *field;
    int column; /* top-level column it belongs to */
    int type;   /* enum hr_pq_type */
    int width;  /* bytes of a kept value, FIXED too; 0 for byte arrays */
    enum hr_pqw_keep keep;
    enum hr_pqw_sort sort;
    bool utf8;  /* statistics are cut between characters */
    bool bloom; /* the user wants a bloom filter */
    uint8_t max_def, max_rep;
    struct hr_pqw_step *steps; /* [0] is the column itself, the last one the leaf */
    int n_steps;
    struct hr_slice *path; /* path_in_schema */
    int n_path;
    const char *name; /* the path with dots, for messages */
};

struct hr_pqw_wschema {
    struct hr_schema *schema; /* a reference */
    struct hr_arena arena;
    struct hr_pq_element *elements; /* depth first, [0] the root */
    int n_elements;
    struct hr_pqw_leaf *leaves;
    int n_leaves;
};

int hr_pqw_wschema_init(struct hr_pqw_wschema *ws, struct hr_schema *schema,
                        const struct hr_strlist *bloom_columns, struct hr_error *err);
void hr_pqw_wschema_release(struct hr_pqw_wschema *ws);
/* The list of SchemaElement as field `id` of the open struct. */
void hr_pqw_wschema_put(const struct hr_pqw_wschema *ws, struct hr_thrift_out *t, int id);

/* Arrow's IPC Schema message in base64, the value of the key ARROW:schema (pq_warrow.c). */
int hr_pqw_arrow_schema(const struct hr_schema *schema, struct hr_buf *out, struct hr_error *err);

/* ---- one leaf's rows (pq_wput.c)
 * ------------------------------------------------------------------- */

struct hr_pqw_col {
    const struct hr_pqw_leaf *leaf;
    size_t n_values; /* not null */
    size_t n_levels; /* nulls and empty lists too; equals the rows when max_rep is 0 */
    struct hr_pqw_room values;
    struct hr_pqw_room offsets; /* HR_PQW_KEEP_BYTES: n_values + 1, offsets[0] is 0 */
    /* max_def 1 and max_rep 0: a bitmap, 1 = valid, that exists only when has_nulls; otherwise,
     * with max_def > 0, one byte a level. */
    struct hr_pqw_room defs;
    bool has_nulls;
    struct hr_pqw_room reps; /* max_rep > 0: one byte a level */
};

static inline bool hr_pqw_flat(const struct hr_pqw_leaf *leaf) {
    return leaf->max_rep == 0 && leaf->max_def <= 1;
}
static inline const uint32_t *hr_pqw_offsets(const struct hr_pqw_col *col) {
    return (const uint32_t *)(const void *)col->offsets.ptr;
}

/* Append rows [from, to) of the leaf's top-level column. HR_E_SCHEMA: a value that the declared
 * type cannot hold, a null where none may be. */
int hr_pqw_put(struct hr_pqw_col *col, const struct hr_vec *vec, int64_t from, int64_t to,
               struct hr_error *err);
void hr_pqw_col_clear(struct hr_pqw_col *col);
void hr_pqw_col_release(struct hr_pqw_col *col);

/* ---- statistics (pq_wstats.c)
 * ------------------------------------------------------------------------ */

#define HR_PQW_STAT_MAX 64u     /* longer byte strings are cut */
#define HR_PQW_STAT_WHOLE 1024u /* those that cannot be cut are given up to here */

/* Smallest and largest value of a run, by the order of the leaf. Numbers of 1, 4 and 8 bytes are
 * kept as their bits, byte arrays and FIXED as slices into the column's values. */
struct hr_pqw_minmax {
    bool any;      /* there is a value with an order: not null, not NaN */
    bool nan_only; /* values, but nothing except NaN */
    uint64_t lo, hi;
    struct hr_slice min, max;
};

/* Of values [from, from + n). */
void hr_pqw_minmax(const struct hr_pqw_col *col, size_t from, size_t n, struct hr_pqw_minmax *out);
/* True when the column's integers ascend (equal neighbours allowed); false for other types. */
bool hr_pqw_ascending(const struct hr_pqw_col *col);
/* Byte arrays and FIXED with a dictionary: of the values numbered index[0..n). `seen` has a mark
 * per dictionary entry, none of them equal to `mark` before. */
void hr_pqw_minmax_dict(const struct hr_pqw_leaf *leaf, const struct hr_pqw_dict *dict,
                        const uint32_t *index, size_t n, uint32_t *seen, uint32_t mark,
                        struct hr_pqw_minmax *out);
void hr_pqw_minmax_merge(const struct hr_pqw_leaf *leaf, struct hr_pqw_minmax *into,
                         const struct hr_pqw_minmax *other);

/* A bound as the file stores it: PLAIN, without a length. Long byte arrays are cut to
 * HR_PQW_STAT_MAX bytes, the upper bound made larger; `exact` says that they were not. Only when
 * m->any. */
struct hr_pqw_bound {
    uint8_t bytes[HR_PQW_STAT_WHOLE];
    struct hr_slice value; /* into bytes or the column's values; ptr NULL: no bound can be given */
    bool exact;
};
void hr_pqw_bound_min(const struct hr_pqw_leaf *leaf, const struct hr_pqw_minmax *m,
                      struct hr_pqw_bound *out);
void hr_pqw_bound_max(const struct hr_pqw_leaf *leaf, const struct hr_pqw_minmax *m,
                      struct hr_pqw_bound *out);
/* Order of two values that any minmax holds: negative, 0, positive. */
int hr_pqw_compare_min(const struct hr_pqw_leaf *leaf, const struct hr_pqw_minmax *a,
                       const struct hr_pqw_minmax *b);
int hr_pqw_compare_max(const struct hr_pqw_leaf *leaf, const struct hr_pqw_minmax *a,
                       const struct hr_pqw_minmax *b);

/* ---- blocks
 * ------------------------------------------------------------------------------------------ */

struct hr_pqw_page_place {
    int64_t offset; /* from the start of the block */
    int32_t size;   /* header included */
    int64_t first_row;
};

struct hr_pqw_chunk_meta { /* a ColumnMetaData whose offsets are relative to the block */
    int codec;             /* enum hr_pq_codec */
    int encoding;          /* of the data pages */
    int page_type;         /* of the data pages */
    bool dictionary;       /* there is a dictionary page, the first */
    bool sorted;           /* integers in ascending order, no nulls, not all equal */
    int64_t n_levels;
    int64_t byte_array_bytes;         /* BYTE_ARRAY: bytes of all values; else -1 */
    int64_t *rep_counts, *def_counts; /* levels of each height; NULL: the null count says it */
    int64_t uncompressed, compressed; /* headers included */
    int64_t offset;                   /* of the first page */
    int64_t data_offset;              /* of the first data page */
    struct hr_pqw_page_place *pages;  /* data pages */
    size_t n_pages;
    struct hr_slice stats;        /* Statistics, encoded; len 0: none */
    struct hr_slice column_index; /* ColumnIndex, encoded; len 0: none */
    int64_t bloom_offset;         /* -1: none */
    int32_t bloom_len;            /* header included */
};

struct hr_pqw_block_meta {
    struct hr_arena arena; /* holds the rest */
    int64_t rows;
    int n_chunks;
    struct hr_pqw_chunk_meta *chunks;
};

/* ---- encoding one chunk (pq_wchunk.c, pq_wpage.c, pq_wchoose.c)
 * ---------------------------------- */

/* What decides the bytes, from hr_write_opts. */
struct hr_pqw_conf {
    const struct hr_codec *codec; /* NULL: none */
    int codec_id;                 /* enum hr_pq_codec */
    int level;
    int64_t group_rows;
    uint64_t group_bytes;
    size_t page_bytes;
    bool dictionary, statistics, page_index, page_crc;
    bool classic;          /* dictionary and plain only */
    bool v2;               /* data pages v2 */
    bool plain_dictionary; /* name the dictionary encoding as format version 1 did */
};
int hr_pqw_conf_init(struct hr_pqw_conf *conf, const struct hr_write_opts *opts,
                     struct hr_error *err);

/* One data page to be: whole rows. */
struct hr_pqw_cut {
    size_t level, n_levels;
    size_t value, n_values;
    int64_t row, n_rows;
    struct hr_pqw_minmax minmax;
};

/* Buffers of one encoder, used by one chunk after the other. */
struct hr_pqw_scratch {
    struct hr_pqw_dict dict;
    struct hr_pqw_room cuts;   /* struct hr_pqw_cut */
    struct hr_pqw_room seen;   /* uint32_t per dictionary entry */
    struct hr_pqw_room levels; /* encoded levels of a page */
    struct hr_pqw_room body;   /* encoded values of a page */
    struct hr_pqw_room whole;  /* levels and values of a v1 page */
    struct hr_pqw_room trial;  /* samples, encoded and compressed */
    struct hr_pqw_room tmp;    /* lengths and prefixes */
    struct hr_buf thrift;
};
void hr_pqw_scratch_release(struct hr_pqw_scratch *s);

/* Encode the column as the next chunk of the block; `data` is the block so far. Arrays and strings
 * of *meta go to the arena. */
int hr_pqw_chunk(const struct hr_pqw_conf *conf, const struct hr_pqw_col *col,
                 struct hr_pqw_scratch *s, struct hr_pqw_room *data, struct hr_arena *arena,
                 struct hr_pqw_chunk_meta *meta, struct hr_error *err);

/* Cut the chunk into data pages (pq_wcut.c); fills `room`, *out of them. minmax is left zero. */
int hr_pqw_cut_pages(const struct hr_pqw_conf *conf, const struct hr_pqw_col *col,
                     struct hr_pqw_room *room, size_t *out, struct hr_error *err);

/* The data pages' encoding (pq_wchoose.c); when it is a dictionary encoding, s->dict is filled.
 * `whole` is the smallest and largest value of the chunk (numbers only). */
int hr_pqw_choose(const struct hr_pqw_conf *conf, const struct hr_pqw_col *col,
                  const struct hr_pqw_minmax *whole, struct hr_pqw_scratch *s, int *out,
                  struct hr_error *err);

/* About how many distinct values the chunk has (pq_wsample.c), from HR_PQW_SAMPLE_MIN on. */
#define HR_PQW_SAMPLE_MIN 4096u
size_t hr_pqw_distinct(const struct hr_pqw_col *col);
/* About how many values of 4 or 8 bytes differ from the one before; n_values > 0. */
size_t hr_pqw_changes(const struct hr_pqw_col *col);

/* Values [from, from + n) in `encoding`; *out points into the column or into `room`. */
int hr_pqw_encode_values(const struct hr_pqw_col *col, struct hr_pqw_scratch *s,
                         struct hr_pqw_room *room, int encoding, size_t from, size_t n,
                         struct hr_slice *out, struct hr_error *err);

/* Whether to use the chunk's codec. */
enum hr_pqw_compress {
    HR_PQW_COMPRESS_NO,
    HR_PQW_COMPRESS_TRY, /* keep the result when it is smaller by a sixteenth or more */
    HR_PQW_COMPRESS_MUST
};
struct hr_pqw_page {
    int type; /* enum hr_pq_page_type */
    int encoding;
    size_t n_levels, n_values;
    int64_t n_rows;
    struct hr_slice levels; /* encoded: repetition, then definition; in v1 with their lengths */
    size_t rep_len;         /* v2: bytes of `levels` that are repetition */
    struct hr_slice values;
    enum hr_pqw_compress compress;
    /* results */
    bool compressed;
    size_t raw_size, size; /* header included */
};
/* Append one page to `data` (pq_wpage.c). */
int hr_pqw_page(const struct hr_pqw_conf *conf, struct hr_pqw_scratch *s, struct hr_pqw_room *data,
                struct hr_pqw_page *page, struct hr_error *err);

/* ---- bloom filter (pq_wbloom.c)
 * -------------------------------------------------------------------- */

/* Append header and filter of all values of the column to `data`; with `dict` of its entries. */
int hr_pqw_bloom(const struct hr_pqw_col *col, const struct hr_pqw_dict *dict,
                 struct hr_pqw_scratch *s, struct hr_pqw_room *data, struct hr_error *err);

#endif
