/* format/infer.h - the type of a text, and texts into typed columns: shared by csv, json and text.
 *
 * Seam-level code of format/: leaves may include it. The ladder (docs/internals/inference.md):
 *   null -> bool (words) -> int64 -> decimal(38,0) when too big -> double -> date
 *        -> timestamp[us] (with an offset: UTC; [ns] when digits 7..9 of the fraction are used) ->
 * utf8 A number with a leading zero ("007", "-01.5") or a plus sign stays text, so nothing is lost;
 * "0", "0.5" and "-0" are numbers. A text that only starts like a date is text. Blanks are not cut
 * here.
 */
#ifndef HR_FORMAT_INFER_H
#define HR_FORMAT_INFER_H

#include "base/num.h"
#include "batch/vec.h"
#include "config/option.h"

/* Type of one non-null text, words for bool aside. `decimal`: numbers with a fraction are
 * decimal(p,s) with their own digits instead of double. An empty text is utf8. */
struct hr_type hr_infer_text(const char *text, size_t len, bool decimal);
/* The date and timestamp rungs only (JSON strings: "123" stays text there): DATE32, TS or UTF8. */
struct hr_type hr_infer_time(const char *text, size_t len);

/* What one column has shown so far. Zero it (= {0}) to start. */
struct hr_infer_column {
    int64_t values; /* not null */
    int64_t nulls;
    int64_t words;      /* values that are a word for true or false */
    struct hr_type met; /* meet of the others' and the words' types, words taken as text */
    bool decimal;       /* set by the caller */
};
/* One value; `word`: it is one of the words for true and false. */
void hr_infer_add(struct hr_infer_column *column, const char *text, size_t len, bool word);
/* The column's type: NULL when every value was null. Decimals get room: precision 18, else 38. */
struct hr_type hr_infer_result(const struct hr_infer_column *column);

/* The words for true and false. Empty lists: "true" and "false". Compared without case (ASCII).
 * Returns 1 true, 0 false, -1 neither. */
int hr_infer_bool(const char *text, size_t len, const struct hr_strlist *true_values,
                  const struct hr_strlist *false_values);

/* Room for one value of any fixed-width type, aligned. */
union hr_cell {
    int64_t i64;
    double f64;
    float f32;
    hr_i128 i128;
    uint64_t words[4];
    uint8_t bytes[64];
};

enum hr_leniency {
    HR_LENIENT_NUMBERS = 1, /* 007 and +5 are numbers, 1e3 is a decimal */
    HR_LENIENT_TIMES = 2    /* a time without an offset counts as UTC in a column of instants */
};

/* One text as a value of a fixed-width type, laid out as in a column (hr_type_width bytes at the
 * front of *out). False: the text is no value of this type. `lenient`: the type was not inferred
 * from these texts, so more is taken than inference would call a value of it. A number too large
 * for the type, and in a column of doubles an integer of more than 38 digits, is none. A date is a
 * timestamp at midnight. nan, inf and infinity (any case) are doubles. FIXED: UUID text for ext
 * UUID (width 16), else base64 of exactly `width` (at most 64) bytes. BOOL, UTF8, BINARY and nested
 * types are not for this function: false. */
bool hr_infer_convert(struct hr_type type, const char *text, size_t len, unsigned lenient,
                      union hr_cell *out);

/* Append a text to a column of any scalar type: 0 and the value is there, HR_MORE and nothing was
 * appended (a misfit), or a negative error. BOOL takes true and false in any case; BINARY is
 * base64; UTF8 must be valid UTF-8 already. */
int hr_infer_append(struct hr_vec *vec, const char *text, size_t len, unsigned lenient,
                    struct hr_error *err);

#endif
