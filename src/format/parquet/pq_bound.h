/* format/parquet/pq_bound.h - values of statistics and literals, comparable; what a term can match.
 *
 * Three ways to compare cover every column that can be pruned: real numbers (long double holds
 * every int64, uint64, float and double exactly), unscaled decimals, and bytes.
 */
#ifndef HR_FORMAT_PARQUET_PQ_BOUND_H
#define HR_FORMAT_PARQUET_PQ_BOUND_H

#include "base/num.h"
#include "format/format.h"
#include "format/parquet/pq_schema.h"

enum hr_pq_how { HR_PQ_HOW_NONE, HR_PQ_HOW_REAL, HR_PQ_HOW_WIDE, HR_PQ_HOW_BYTES };

struct hr_pq_value {
    long double real;
    hr_i128 wide;
    struct hr_slice bytes;
};

/* One column as far as pruning is concerned. */
struct hr_pq_pcolumn {
    int ordinal;
    const struct hr_pq_element *element;
    struct hr_type type;
    int how;        /* enum hr_pq_how; NONE: only null terms */
    bool is_signed; /* deprecated min/max can be trusted */
    bool is_float;
    bool nullable;
    uint8_t order; /* enum hr_pq_order */
};

/* What is known about a run of rows of one column. */
struct hr_pq_bounds {
    bool has_min, has_max;

    struct hr_pq_value min, max;
    int64_t values; /* rows, -1 unknown */
    int64_t nulls;  /* -1 unknown */
    bool all_null;
    bool no_nan; /* known to hold no NaN */
};

struct hr_pq_term {
    struct hr_pq_pcolumn column;
    enum hr_cmp cmp;
    struct hr_pq_value *values;
    const char **texts;
    size_t count;
};

/* How columns of this element compare; false when terms on it can only ask for nulls. */
void hr_pq_pcolumn_init(struct hr_pq_pcolumn *c, const struct hr_pq_file *file, int ordinal,
                        const struct hr_pq_element *element);
/* A literal of a filter; false: it does not fit the column, the term cannot prune. */
bool hr_pq_literal(const struct hr_pq_pcolumn *c, const char *text, struct hr_pq_value *out);
/* A value as PLAIN encoding has it (byte arrays without their length); false: damaged or NaN. */
bool hr_pq_stat_value(const struct hr_pq_pcolumn *c, struct hr_slice raw, struct hr_pq_value *out);
int hr_pq_value_order(const struct hr_pq_pcolumn *c, const struct hr_pq_value *a,
                      const struct hr_pq_value *b);
/* Bounds of a column chunk from its statistics. */
void hr_pq_chunk_bounds(const struct hr_pq_pcolumn *c, const struct hr_pq_column *chunk,
                        struct hr_pq_bounds *out);
/* Of page i with so many rows, from the column index. */
void hr_pq_page_bounds(const struct hr_pq_pcolumn *c, const struct hr_pq_column_index *index,
                       size_t i, int64_t rows, struct hr_pq_bounds *out);
/* False only when no row within the bounds can make the term true. */
bool hr_pq_may_match(const struct hr_pq_term *term, const struct hr_pq_bounds *bounds);

/* ---- pq_bloom.c ---- */

/* Whether a block of a split block filter (8 little-endian words) may hold the hash. */
bool hr_pq_bloom_block_has(const uint8_t block[32], uint64_t hash);
static inline uint64_t hr_pq_bloom_block_of(uint64_t hash, uint32_t n_blocks) {
    return ((hash >> 32) * n_blocks) >> 32;
}
/* The bytes of a literal in PLAIN encoding, as a filter hashes them; false: not certain. room 32.
 */
bool hr_pq_plain_bytes(const struct hr_pq_pcolumn *c, const struct hr_pq_value *value,
                       uint8_t room[32], struct hr_slice *out);

#endif
