/* batch/rounded.c - counts what is lost where integers and decimals meet at double (see rounded.h).
 * The conversion itself is cast.c's; it runs over all rows of a column, and this only beside it
 * where the types say that something may be lost. */
#include "batch/rounded.h"

#include <stdio.h>
#include <string.h>

#define EXACT_INTEGER (INT64_C(1) << 53)
#define EXACT_DIGITS 15 /* every decimal of so many digits comes back */

static bool integer_lost(const struct hr_vec *src, int64_t i) {
    const int64_t v = hr_vec_i64(src, i);
    if (src->field->type.id == HR_T_U64) {
        const uint64_t u = (uint64_t)v;
        const double d = (double)u;
        return u > (uint64_t)EXACT_INTEGER && (d >= 18446744073709551616.0 || (uint64_t)d != u);
    }
    if (v >= -EXACT_INTEGER && v <= EXACT_INTEGER) {
        return false;
    }
    const double d = (double)v;
    return d >= 9223372036854775808.0 || (int64_t)d != v;
}

/* Text of a decimal without sign, and without zeros in front: both sides in one form. */
static const char *bare(const char *text) {
    while (*text == '-' || (*text == '0' && text[1] >= '0' && text[1] <= '9')) {
        text++;
    }
    return text;
}

static bool decimal_lost(const struct hr_vec *src, int64_t i, struct hr_buf *text) {
    char back[512];
    hr_buf_clear(text);
    if (hr_vec_text(src, i, text, NULL) != 0) {
        return false;
    }
    snprintf(back, sizeof(back), "%.*f", src->field->type.scale, hr_vec_f64(src, i));
    return strcmp(bare(hr_buf_cstr(text)), bare(back)) != 0;
}

static int64_t count_scalar(const struct hr_vec *src) {
    const struct hr_type t = src->field->type;
    const bool decimal = t.id == HR_T_DEC128 || t.id == HR_T_DEC256;
    int64_t lost = 0;
    if (t.id != HR_T_I64 && t.id != HR_T_U64 && !(decimal && t.precision > EXACT_DIGITS)) {
        return 0;
    }
    struct hr_buf text;
    hr_buf_init(&text, 512);
    for (int64_t i = 0; i < src->len; i++) {
        if (hr_vec_valid(src, i)) {
            lost += decimal ? decimal_lost(src, i, &text) : integer_lost(src, i);
        }
    }
    hr_buf_release(&text);
    return lost;
}

int64_t hr_vec_count_rounded(const struct hr_vec *src, const struct hr_field *to) {
    const struct hr_field *from = src->field;
    if (to->type.id == HR_T_F64) {
        return count_scalar(src);
    }
    if (from->type.id != to->type.id || !hr_type_nested(to->type)) {
        return 0;
    }
    int64_t lost = 0;
    for (int c = 0; c < to->n_children; c++) {
        for (int k = 0; k < src->n_children; k++) {
            const bool same = to->type.id != HR_T_STRUCT ||
                              strcmp(from->children[k].name, to->children[c].name) == 0;
            if (same) {
                lost += hr_vec_count_rounded(&src->children[k], &to->children[c]);
                break;
            }
        }
    }
    return lost;
}
