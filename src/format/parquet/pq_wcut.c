/* format/parquet/pq_wcut.c - where a column chunk is cut into data pages: after so many rows or so
 * many bytes of values, always between rows, so that the page index can find rows. Depends on the
 * values alone, not on how they are encoded. */
#include "format/parquet/pq_write_internal.h"

#define PAGE_ROWS                                                                                  \
    20480u /* what a reader of single rows has to decode at most; a multiple of 128                \
            */

static size_t ones(const uint8_t *bits, size_t from, size_t n) {
    size_t sum = 0;
    for (; n > 0 && (from & 7) != 0; from++, n--) {
        sum += hr_bit_get(bits, (int64_t)from);
    }
    for (; n >= 64; from += 64, n -= 64) {
        uint64_t word;
        memcpy(&word, bits + from / 8, 8);
        sum += (size_t)__builtin_popcountll(word);
    }
    for (; n > 0; from++, n--) {
        sum += hr_bit_get(bits, (int64_t)from);
    }
    return sum;
}

/* Bytes of values [from, from + n) as PLAIN would lay them. */
static size_t plain_size(const struct hr_pqw_col *col, size_t from, size_t n) {
    if (col->leaf->keep == HR_PQW_KEEP_BYTES) {
        const uint32_t *offsets = hr_pqw_offsets(col);
        return n == 0 ? 0 : 4 * n + offsets[from + n] - offsets[from];
    }
    return n * (size_t)col->leaf->width;
}

static size_t values_of(const struct hr_pqw_col *col, size_t level, size_t n) {
    return col->has_nulls ? ones(col->defs.ptr, level, n) : n;
}

/* max_rep 0, max_def 0 or 1: every level is a row; the largest page within the bounds, at least one
 * row, by bisection. */
static void flat_cut(const struct hr_pqw_col *col, size_t page_bytes, struct hr_pqw_cut *cut) {
    const size_t left = col->n_levels - cut->level;
    size_t rows = left < PAGE_ROWS ? left : PAGE_ROWS;
    size_t values = values_of(col, cut->level, rows);
    if (plain_size(col, cut->value, values) > page_bytes) {
        size_t low = 1, high = rows; /* low fits (or must do), high does not */
        while (high - low > 1) {
            const size_t middle = low + (high - low) / 2;
            const size_t n = values_of(col, cut->level, middle);
            if (plain_size(col, cut->value, n) > page_bytes) {
                high = middle;
            } else {
                low = middle;
            }
        }
        rows = low;
        values = values_of(col, cut->level, rows);
    }
    cut->n_levels = rows;
    cut->n_values = values;
    cut->n_rows = (int64_t)rows;
}

/* Levels kept as bytes: row by row. */
static void level_cut(const struct hr_pqw_col *col, size_t page_bytes, struct hr_pqw_cut *cut) {
    const uint8_t *defs = col->defs.ptr, *reps = col->leaf->max_rep > 0 ? col->reps.ptr : NULL;
    const uint8_t max_def = col->leaf->max_def;
    size_t level = cut->level, values = 0, rows = 0;
    while (level < col->n_levels && rows < PAGE_ROWS) {
        size_t end = level, more = 0;
        do {
            more += defs[end] == max_def;
            end++;
        } while (reps != NULL && end < col->n_levels && reps[end] > 0);
        if (rows > 0 &&
            plain_size(col, cut->value, values + more) + (end - cut->level) / 4 > page_bytes) {
            break;
        }
        values += more;
        level = end;
        rows++;
    }
    cut->n_levels = level - cut->level;
    cut->n_values = values;
    cut->n_rows = (int64_t)rows;
}

int hr_pqw_cut_pages(const struct hr_pqw_conf *conf, const struct hr_pqw_col *col,
                     struct hr_pqw_room *room, size_t *out, struct hr_error *err) {
    struct hr_pqw_cut cut = {0};
    room->len = 0;
    *out = 0;
    while (cut.level < col->n_levels) {
        const int rc = hr_pqw_room_reserve(room, sizeof(cut), err);
        if (rc != 0) {
            return rc;
        }
        if (hr_pqw_flat(col->leaf)) {
            flat_cut(col, conf->page_bytes, &cut);
        } else {
            level_cut(col, conf->page_bytes, &cut);
        }
        memcpy(room->ptr + room->len, &cut, sizeof(cut));
        room->len += sizeof(cut);
        ++*out;
        cut.level += cut.n_levels;
        cut.value += cut.n_values;
        cut.row += cut.n_rows;
    }
    return 0;
}
