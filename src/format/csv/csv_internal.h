/* format/csv/csv_internal.h - the parts of the CSV leaf and how they meet.
 *
 *   csv_dialect  options made ready            csv_index    SIMD pass: where cells end
 *   csv_tokens   window -> records of cells    csv_cell     one cell's text, exactly
 *   csv_convert  cells -> typed columns        csv_header   names and their columns
 *   csv_reader   the seam's reader             csv_sample   inference
 *   csv_write    encoder and file writer       csv.c        options, probe, the seam's struct
 *
 * docs/internals/csv.md tells the story.
 */
#ifndef HR_CSV_INTERNAL_H
#define HR_CSV_INTERNAL_H

#include "base/cpu.h"
#include "format/format.h"
#include "format/infer.h"
#include "format/textin.h"

#define CSV_WINDOW ((size_t)256 << 10) /* bytes indexed at a time: text and index stay in L2 */
#define CSV_COLUMNS_MAX 10000u
#define CSV_DELIM_MAX 16u

/* ---- dialect ------------------------------------------------------------------------------- */

struct csv_dialect {
    uint8_t delim[CSV_DELIM_MAX];
    size_t delim_len;
    int quote, escape, comment; /* a byte, or -1 */
    bool double_quote, trim, header;
    bool indexable;       /* the SIMD index can cut it: one-byte delimiter, no escape, no comment */
    bool empty_null;      /* an empty unquoted cell of a text column is null */
    bool null_plain;      /* no null word begins like a number, so number kernels need not ask */
    bool bool_plain;      /* the words are the default ones and no null word is one of them */
    uint64_t null_lens;   /* bit n: some null word has n bytes (bit 63: 63 or more) */
    uint64_t null_firsts; /* bit c & 63: some null word begins with c */
    int64_t skip_rows, skip_after;
    const struct hr_csv_opts *opts;
};

/* Check and compile the options. HR_E_CONFIG names the option that is wrong. */
int hr_csv_dialect_init(struct csv_dialect *d, const struct hr_csv_opts *opts,
                        const char *delimiter, struct hr_error *err);
/* The delimiter and others are given as UTF-8; in a one-byte encoding they are that byte. */
int hr_csv_dialect_charset(struct csv_dialect *d, const struct hr_charset *set,
                           struct hr_error *err);
/* Is this text one of the null words? */
bool hr_csv_is_null(const struct csv_dialect *d, const uint8_t *ptr, size_t len);

/* ---- index --------------------------------------------------------------------------------- */

struct csv_marks {
    uint8_t delim, quote, newline;
    bool quoting; /* false: quotes mean nothing */
};

/* Carried from one call to the next over the same window. */
struct csv_index_state {
    uint64_t inside;   /* all ones while inside quotes */
    uint64_t boundary; /* bit 0: the byte before ended a cell, or was a quote, or there was none */
    uint64_t closed;   /* bit 0: the byte before closed a quote */
    uint64_t odd;      /* non-zero: a quote where RFC 4180 has none was seen */
    uint64_t high;     /* non-zero: bytes >= 0x80 were seen */
    size_t ends;       /* entries written */
    size_t newlines;   /* of these, records' ends (newlines outside quotes) */
    size_t all_newlines; /* newlines inside quotes included */
};
#define CSV_INDEX_START ((struct csv_index_state){.boundary = 1})

/* Write where cells end (offsets of delimiters and newlines outside quotes) for text[from, to) to
 * `ends` (the start of the array; entries go to ends[state->ends …]; room for to - from + 64 more).
 * `from` is a multiple of 64 away from the window's start; at most 63 bytes behind `to` are read.
 */
typedef void (*csv_index_fn)(const uint8_t *text, size_t from, size_t to,
                             const struct csv_marks *marks, uint32_t *ends,
                             struct csv_index_state *state);
void hr_csv_index_scalar(const uint8_t *text, size_t from, size_t to, const struct csv_marks *marks,
                         uint32_t *ends, struct csv_index_state *state);
void hr_csv_index_avx2(const uint8_t *text, size_t from, size_t to, const struct csv_marks *marks,
                       uint32_t *ends, struct csv_index_state *state);
void hr_csv_index_avx512(const uint8_t *text, size_t from, size_t to, const struct csv_marks *marks,
                         uint32_t *ends, struct csv_index_state *state);
csv_index_fn hr_csv_index_pick(void);
/* How often `byte` is in the text. */
size_t hr_csv_count(const uint8_t *text, size_t len, uint8_t byte);

/* ---- tokens -------------------------------------------------------------------------------- */

/* The good records of one window. Cell c of record r is text[start, end) with
 * start = starts[r * stride + c] + delta and end = ends[r * stride + c]. */
struct csv_rows {
    int64_t count;
    const uint32_t *starts, *ends;
    uint32_t delta;
    size_t stride;
    /* The last column where line ends are CRLF: compact, stride 1, delta as above. NULL: as others.
     */
    const uint32_t *last_ends;
    size_t used;   /* bytes of the window the records take (skipped lines included) */
    int64_t line;  /* line of the window's first byte */
    int64_t lines; /* physical lines in `used` */
    bool ascii;    /* no byte >= 0x80 in it */
};

struct csv_tokens {
    struct hr_textin in;
    struct csv_dialect *d;
    struct csv_marks marks;
    csv_index_fn index;
    bool exact_only;          /* tests: never use the index */
    size_t n_columns;         /* cells a good record has */
    const bool *text_columns; /* which must be valid text; NULL: all */
    size_t cell_max;
    int64_t split_end;    /* object offset, -1 none */
    struct csv_rows rows; /* of the current window */
    uint32_t *ends;       /* the index: [0] stands in front of the window, entries from [1] */
    size_t ends_cap;      /* bytes */
    uint32_t *cell_starts, *cell_ends; /* the general path's own copy of good records */
    size_t cells_cap;                  /* bytes of each */
    uint32_t *last;                    /* last column's ends where lines end in CRLF */
    size_t last_cap;                   /* bytes */
    int64_t line;
    bool finished;
    size_t record_end; /* of hr_csv_tokens_record's record */
    int pending;       /* an error to give after the rows in front of it */
    struct hr_error pending_err;
    int64_t rejected;
    bool sampling; /* bad records are passed over without a word */
    int (*reject)(void *user, const struct hr_reject *what, struct hr_error *err);
    void *reject_user;
};

/* Open the window; find out how lines end; skip to the first record of the split. */
int hr_csv_tokens_open(struct csv_tokens *t, struct hr_source *src, struct csv_dialect *d,
                       const struct hr_read_params *params, struct hr_error *err);
void hr_csv_tokens_close(struct csv_tokens *t);
/* Skip n physical lines. */
int hr_csv_tokens_skip(struct csv_tokens *t, int64_t n, struct hr_error *err);
/* Find the next record by the exact engine (for the header; blank and comment lines are passed):
 * *count cells at t->cell_starts and t->cell_ends of the window. HR_END: there is none. The record
 * stays in front until hr_csv_tokens_forget drops it. */
int hr_csv_tokens_record(struct csv_tokens *t, size_t *count, struct hr_error *err);
void hr_csv_tokens_forget(struct csv_tokens *t);
/* The next window with at least one good record in t->rows (the one before is forgotten), HR_END.
 */
int hr_csv_tokens_next(struct csv_tokens *t, struct hr_error *err);
/* Object offset and line of a record of the current window. */
int64_t hr_csv_row_offset(const struct csv_tokens *t, int64_t row);
int64_t hr_csv_row_line(const struct csv_tokens *t, int64_t row);

static inline uint32_t csv_start(const struct csv_rows *rows, int64_t row, size_t column) {
    return rows->starts[(size_t)row * rows->stride + column] + rows->delta;
}
static inline uint32_t csv_end(const struct csv_rows *rows, int64_t row, size_t column) {
    return rows->last_ends != NULL && column + 1 == rows->stride
               ? rows->last_ends[row]
               : rows->ends[(size_t)row * rows->stride + column];
}

/* ---- cells --------------------------------------------------------------------------------- */

/* Does an escape character stand in front of `at`, itself not escaped? The cell begins at `start`.
 */
bool hr_csv_escaped(const struct csv_dialect *d, const uint8_t *start, const uint8_t *at);

/* The text of a cell: unquoted, unescaped, trimmed, translated to UTF-8. Points into the cell or
 * into `scratch` (cleared by the call). *quoted: it stood in quotes. */
int hr_csv_cell(const struct csv_dialect *d, const struct hr_charset *set, struct hr_slice cell,
                struct hr_buf *scratch, struct hr_slice *out, bool *quoted, struct hr_error *err);

/* ---- conversion kernels -------------------------------------------------------------------- */

/* Up to 64 cells of one column. */
struct csv_run {
    const uint8_t *text;
    const uint32_t *starts, *ends;
    uint32_t delta;
    size_t start_stride, end_stride;
    unsigned count; /* 1..64 */
};
/* Where a run of text is written. */
struct csv_text_out {
    uint8_t *data;
    size_t pos, cap;    /* bytes used, bytes there (HR_PAD more behind) */
    int32_t *offsets;   /* offsets[i + 1] is written for cell i */
    uint64_t slow_lens; /* cells of these lengths (bit 63: longer too) that begin with one of these
                           bytes (bit c & 63) are left to the exact path */
    uint64_t slow_firsts;
    int quote;
};
/* Each answers which cells it left to the exact path (bit i: cell i), empty ones among them. */
struct csv_kernels {
    uint64_t (*i64)(const struct csv_run *run, int64_t *out);
    uint64_t (*f64)(const struct csv_run *run, double *out);
    /* value * 10^scale as an integer; exact or left. */
    uint64_t (*dec)(const struct csv_run *run, int scale, int64_t *out);
    uint64_t (*date)(const struct csv_run *run, int32_t *out);
    /* In units of 1/per_second s; `utc`: with Z, else without a zone. */
    uint64_t (*ts)(const struct csv_run *run, bool utc, int64_t per_second, int64_t *out);
    /* Cells [from, count) until one needs the exact path or room; returns its number. Bits of
     * *empty are set for cells that are empty and not quoted. */
    unsigned (*text)(const struct csv_run *run, unsigned from, struct csv_text_out *out,
                     uint64_t *empty);
};
extern const struct csv_kernels hr_csv_kernels_scalar;
#if HR_X86
/* The first `count` cells, a multiple of 8 (0 too), of a run whose ends + 0 is starts + 1 and whose
 * strides are one. */
uint64_t hr_csv_eight_i64(const struct csv_run *run, unsigned count, int64_t *out);
uint64_t hr_csv_eight_f64(const struct csv_run *run, unsigned count, double *out);
uint64_t hr_csv_eight_dec(const struct csv_run *run, unsigned count, int scale, int64_t *out);
uint64_t hr_csv_eight_date(const struct csv_run *run, unsigned count, int32_t *out);
extern const struct csv_kernels hr_csv_kernels_avx2;
extern const struct csv_kernels hr_csv_kernels_avx512;
#endif
const struct csv_kernels *hr_csv_kernels_pick(void);

/* ---- columns ------------------------------------------------------------------------------- */

struct csv_column {
    int file;                    /* column of the file, -1 none */
    struct hr_type type;         /* wanted */
    struct hr_type need;         /* NULL: fits so far; otherwise what it must become */
    struct hr_infer_column seen; /* NULL columns and columns `want` lacks */
    struct hr_vec *vec;          /* NULL: a column `want` lacks */
    const char *name;
};

/* A value put aside for _rescued_data. */
struct csv_rescue {
    int64_t row; /* in the batch */
    int column;
    size_t at, len; /* in rescued text */
};

struct csv_convert {
    const struct csv_dialect *d;
    const struct csv_kernels *kernels;
    const struct hr_read_params *params;
    struct csv_tokens *tokens;
    struct hr_buf scratch;
    int64_t nulled;
    bool widen; /* some column's need was set */
    struct {
        int64_t row; /* in the window; -1 none */
        int column;
        struct hr_error err;
    } strict; /* the first misfit in row order */
    struct csv_rescue *rescues;
    size_t n_rescues, rescues_cap;
    struct hr_buf rescued;
    int64_t batch_row; /* rows of the batch in front of this run */
};

/* Convert rows [from, from + count) of the current window and append them to column->vec. */
int hr_csv_convert(struct csv_convert *cv, struct csv_column *column, int number, int64_t from,
                   int64_t count, struct hr_error *err);
/* A column the schema lacks: note its type (widen), or its values (rescue). */
int hr_csv_convert_extra(struct csv_convert *cv, struct csv_column *column, int number,
                         int64_t from, int64_t count, struct hr_error *err);
/* Append the batch's rescued values (rows 0..rows) to the _rescued_data column. */
int hr_csv_rescue_rows(struct csv_convert *cv, const struct csv_column *columns, struct hr_vec *vec,
                       int64_t rows, struct hr_error *err);
void hr_csv_convert_release(struct csv_convert *cv);

/* ---- header -------------------------------------------------------------------------------- */

/* Names of the file's columns, in order. */
struct csv_names {
    char **items;
    size_t count;
};
void hr_csv_names_release(struct csv_names *names);
/* Read past the header (or look at the first record) and name the columns. */
int hr_csv_names_read(struct csv_tokens *t, const struct hr_read_params *params,
                      struct csv_names *out, struct hr_error *err);

/* ---- the seam's slots ---------------------------------------------------------------------- */

int hr_csv_open(struct hr_source *src, const struct hr_format_opts *opts,
                const struct hr_read_params *params, const char *delimiter, struct hr_reader **out,
                struct hr_error *err);
int hr_csv_infer(struct hr_source *src, const struct hr_format_opts *opts,
                 const struct hr_infer_params *params, const char *delimiter,
                 struct hr_schema **out, struct hr_error *err);
int hr_csv_layout(struct hr_source *src, const struct hr_format_opts *opts, const char *delimiter,
                  struct hr_layout *out, struct hr_error *err);
int hr_csv_encoder(struct hr_schema *schema, const struct hr_write_opts *opts,
                   const char *delimiter, struct hr_encoder **out, struct hr_error *err);
int hr_csv_file_writer(struct hr_schema *schema, const struct hr_write_opts *opts,
                       const char *delimiter, struct hr_out *dst, struct hr_file_writer **out,
                       struct hr_error *err);

#endif
