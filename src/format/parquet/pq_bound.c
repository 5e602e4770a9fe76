/* format/parquet/pq_bound.c - compares literals with statistics, carefully.
 *
 * The rules are those of parquet.thrift (ColumnOrder, Statistics): min_value and max_value count
 * only under an order that we know, the deprecated pair only where signed order is the right one,
 * bounds that are NaN not at all. Bounds may be shortened: they hold, but need not occur.
 */
#include "format/parquet/pq_bound.h"

#include <strings.h>

#include "base/time.h"

/* ---- columns ----------------------------------------------------------------------------------
 */

static int how_of(const struct hr_pq_element *e, struct hr_type type, int conv) {
    switch ((enum hr_type_id)type.id) {
    case HR_T_UTF8:
    case HR_T_BINARY:
        /* Geometry and the like have no order. */
        return e->logical.id == HR_PQ_LOG_GEOMETRY || e->logical.id == HR_PQ_LOG_GEOGRAPHY
                   ? HR_PQ_HOW_NONE
                   : HR_PQ_HOW_BYTES;
    case HR_T_DEC128: return HR_PQ_HOW_WIDE;
    case HR_T_DEC256:
    case HR_T_FIXED:
    case HR_T_NULL: return HR_PQ_HOW_NONE;
    default:
        return conv == HR_PQ_C_INT96_NS || conv == HR_PQ_C_INT96_US ? HR_PQ_HOW_NONE
                                                                    : HR_PQ_HOW_REAL;
    }
}

void hr_pq_pcolumn_init(struct hr_pq_pcolumn *c, const struct hr_pq_file *file, int ordinal,
                        const struct hr_pq_element *element) {
    const struct hr_parquet_opts opts = {0};
    struct hr_pq_leaf_info info = {0};
    *c = (struct hr_pq_pcolumn){.ordinal = ordinal, .element = element};
    hr_pq_leaf_type(element, &opts, false, &c->type, &info);
    c->how = how_of(element, c->type, info.conv);
    c->is_float = c->type.id == HR_T_F16 || c->type.id == HR_T_F32 || c->type.id == HR_T_F64;
    c->is_signed = c->how == HR_PQ_HOW_REAL && !(c->type.id >= HR_T_U8 && c->type.id <= HR_T_U64) &&
                   c->type.id != HR_T_F16;
    c->is_signed = c->is_signed || (c->how == HR_PQ_HOW_WIDE &&
                                    (element->type == HR_PQ_INT32 || element->type == HR_PQ_INT64));
    c->nullable = element->repetition == HR_PQ_OPTIONAL;
    c->order = (size_t)ordinal < file->n_column_orders ? file->column_orders[ordinal]
                                                       : HR_PQ_ORDER_UNDEFINED;
}

/* ---- literals ---------------------------------------------------------------------------------
 */

static bool parse_real(const char *text, size_t len, long double *out) {
    int64_t whole;
    uint64_t large;
    double real;
    if (hr_parse_i64(text, len, &whole)) {
        *out = (long double)whole;
        return true;
    }
    if (hr_parse_u64(text, len, &large)) {
        *out = (long double)large;
        return true;
    }
    if (!hr_parse_double(text, len, false, &real)) {
        return false;
    }
    *out = (long double)real;
    return true;
}

static bool parse_instant(struct hr_type t, const char *text, size_t len, long double *out) {
    static const long double per[] = {1, 1000, 1000000, 1000000000};
    int64_t seconds = 0, clock;
    int32_t nanos = 0, days;
    bool zone;
    int digits;
    if (t.id == HR_T_TIME32 || t.id == HR_T_TIME64) {
        *out =
            hr_parse_time(text, len, &clock) ? (long double)clock / (1000000000 / per[t.unit]) : 0;
        return hr_parse_time(text, len, &clock);
    }
    if (hr_parse_date(text, len, &days)) {
        seconds = (int64_t)days * 86400;
    } else if (!hr_parse_timestamp(text, len, &seconds, &nanos, &zone, &digits)) {
        return false;
    }
    const long double fraction = (long double)nanos / 1000000000;
    *out = t.id == HR_T_DATE32 ? ((long double)seconds + fraction) / 86400
                               : (long double)seconds * per[t.unit] + fraction * per[t.unit];
    return true;
}

static bool parse_bool(const char *text, long double *out) {
    const bool yes = strcasecmp(text, "true") == 0 || strcmp(text, "1") == 0;
    *out = yes;
    return yes || strcasecmp(text, "false") == 0 || strcmp(text, "0") == 0;
}

bool hr_pq_literal(const struct hr_pq_pcolumn *c, const char *text, struct hr_pq_value *out) {
    const size_t len = strlen(text);
    *out = (struct hr_pq_value){.bytes = hr_slice_of(text, len)};
    switch (c->how) {
    case HR_PQ_HOW_BYTES: return true;
    case HR_PQ_HOW_WIDE: return hr_parse_decimal(text, len, 38, c->type.scale, &out->wide);
    case HR_PQ_HOW_REAL: break;
    default: return false;
    }
    switch ((enum hr_type_id)c->type.id) {
    case HR_T_BOOL: return parse_bool(text, &out->real);
    case HR_T_DATE32:
    case HR_T_TIME32:
    case HR_T_TIME64:
    case HR_T_TS: return parse_instant(c->type, text, len, &out->real);
    default: return parse_real(text, len, &out->real);
    }
}

/* ---- values of statistics ---------------------------------------------------------------------
 */

static bool stat_real(const struct hr_pq_pcolumn *c, struct hr_slice raw, long double *out) {
    int32_t i32;
    int64_t i64;
    float f32;
    double f64;
    uint16_t f16;
    switch (c->element->type) {
    case HR_PQ_BOOLEAN: *out = raw.len == 1 && raw.ptr[0] != 0; return raw.len == 1;
    case HR_PQ_INT32:
        if (raw.len != 4) {
            return false;
        }
        memcpy(&i32, raw.ptr, 4);
        *out = c->is_signed ? (long double)i32 : (long double)(uint32_t)i32;
        return true;
    case HR_PQ_INT64:
        if (raw.len != 8) {
            return false;
        }
        memcpy(&i64, raw.ptr, 8);
        *out = c->is_signed ? (long double)i64 : (long double)(uint64_t)i64;
        return true;
    case HR_PQ_FLOAT:
        if (raw.len != 4) {
            return false;
        }
        memcpy(&f32, raw.ptr, 4);
        *out = (long double)f32;
        return f32 == f32;
    case HR_PQ_DOUBLE:
        if (raw.len != 8) {
            return false;
        }
        memcpy(&f64, raw.ptr, 8);
        *out = (long double)f64;
        return f64 == f64;
    default: /* FLOAT16 */
        if (raw.len != 2) {
            return false;
        }
        memcpy(&f16, raw.ptr, 2);
        f64 = hr_half_to_double(f16);
        *out = (long double)f64;
        return f64 == f64;
    }
}

static bool stat_wide(const struct hr_pq_pcolumn *c, struct hr_slice raw, hr_i128 *out) {
    int32_t i32;
    int64_t i64;
    if (c->element->type == HR_PQ_INT32 || c->element->type == HR_PQ_INT64) {
        const bool narrow = c->element->type == HR_PQ_INT32;
        if (raw.len != (narrow ? 4u : 8u)) {
            return false;
        }
        memcpy(narrow ? (void *)&i32 : (void *)&i64, raw.ptr, raw.len);
        *out = narrow ? i32 : i64;
        return true;
    }
    if (raw.len == 0 || raw.len > 16) {
        return false;
    }
    hr_u128 v = raw.ptr[0] & 0x80 ? ~(hr_u128)0 : 0;
    for (size_t i = 0; i < raw.len; i++) {
        v = v << 8 | raw.ptr[i];
    }
    *out = (hr_i128)v;
    return true;
}

bool hr_pq_stat_value(const struct hr_pq_pcolumn *c, struct hr_slice raw, struct hr_pq_value *out) {
    *out = (struct hr_pq_value){.bytes = raw};
    if (raw.ptr == NULL) {
        return false;
    }
    switch (c->how) {
    case HR_PQ_HOW_REAL: return stat_real(c, raw, &out->real);
    case HR_PQ_HOW_WIDE: return stat_wide(c, raw, &out->wide);
    default: return c->how == HR_PQ_HOW_BYTES;
    }
}

int hr_pq_value_order(const struct hr_pq_pcolumn *c, const struct hr_pq_value *a,
                      const struct hr_pq_value *b) {
    if (c->how == HR_PQ_HOW_REAL) {
        return (a->real > b->real) - (a->real < b->real);
    }
    if (c->how == HR_PQ_HOW_WIDE) {
        return (a->wide > b->wide) - (a->wide < b->wide);
    }
    const size_t common = a->bytes.len < b->bytes.len ? a->bytes.len : b->bytes.len;
    const int order = common > 0 ? memcmp(a->bytes.ptr, b->bytes.ptr, common) : 0;
    return order != 0 ? order : (a->bytes.len > b->bytes.len) - (a->bytes.len < b->bytes.len);
}

/* ---- bounds -----------------------------------------------------------------------------------
 */

static bool order_known(const struct hr_pq_pcolumn *c) {
    return c->order == HR_PQ_ORDER_TYPE || (c->order == HR_PQ_ORDER_IEEE754 && c->is_float);
}

void hr_pq_chunk_bounds(const struct hr_pq_pcolumn *c, const struct hr_pq_column *chunk,
                        struct hr_pq_bounds *out) {
    const struct hr_pq_stats *s = &chunk->stats;
    *out = (struct hr_pq_bounds){.values = chunk->num_values, .nulls = c->nullable ? -1 : 0};
    if (!chunk->has_stats) {
        return;
    }
    if (c->nullable && s->null_count >= 0 && s->null_count <= chunk->num_values) {
        out->nulls = s->null_count;
    }
    out->all_null = out->nulls >= 0 && out->nulls == chunk->num_values;
    out->no_nan = !c->is_float || s->nan_count == 0;
    struct hr_slice min = s->min_value, max = s->max_value;
    if (!order_known(c) || (min.ptr == NULL && max.ptr == NULL)) {
        if (!c->is_signed) {
            return;
        }
        min = s->min;
        max = s->max;
    }
    out->has_min = hr_pq_stat_value(c, min, &out->min);
    out->has_max = hr_pq_stat_value(c, max, &out->max);
    if (c->is_float && !(out->has_min && out->has_max)) {
        out->has_min = out->has_max = false; /* one NaN bound puts the other in doubt */
    }
    if (out->has_min && out->has_max && hr_pq_value_order(c, &out->min, &out->max) > 0) {
        out->has_min = out->has_max = false; /* nonsense from a faulty writer */
    }
}

void hr_pq_page_bounds(const struct hr_pq_pcolumn *c, const struct hr_pq_column_index *index,
                       size_t i, int64_t rows, struct hr_pq_bounds *out) {
    *out = (struct hr_pq_bounds){.values = rows, .nulls = c->nullable ? -1 : 0};
    if (index->null_pages[i]) {
        /* Writers without statistics have called every page a null page: believe it only where
         * the count agrees. */
        out->all_null =
            c->nullable && (index->null_counts == NULL || index->null_counts[i] == rows);
        return;
    }
    if (c->nullable && index->null_counts != NULL && index->null_counts[i] >= 0) {
        out->nulls = index->null_counts[i];
    }
    out->no_nan = !c->is_float;
    if (!order_known(c)) {
        return;
    }
    out->has_min = hr_pq_stat_value(c, index->min_values[i], &out->min);
    out->has_max = hr_pq_stat_value(c, index->max_values[i], &out->max);
    if ((c->is_float && !(out->has_min && out->has_max)) ||
        (out->has_min && out->has_max && hr_pq_value_order(c, &out->min, &out->max) > 0)) {
        out->has_min = out->has_max = false;
    }
}

/* ---- matching ---------------------------------------------------------------------------------
 */

static bool value_in_bounds(const struct hr_pq_pcolumn *c, const struct hr_pq_bounds *b,
                            const struct hr_pq_value *v) {
    return !(b->has_min && hr_pq_value_order(c, v, &b->min) < 0) &&
           !(b->has_max && hr_pq_value_order(c, v, &b->max) > 0);
}

static bool any_in_bounds(const struct hr_pq_term *term, const struct hr_pq_bounds *b) {
    for (size_t i = 0; i < term->count; i++) {
        if (value_in_bounds(&term->column, b, &term->values[i])) {
            return true;
        }
    }
    return false;
}

/* Whether all values are surely the one literal (bounds that meet leave no room for others). */
static bool only_value(const struct hr_pq_term *term, const struct hr_pq_bounds *b) {
    return b->no_nan && b->has_min && b->has_max &&
           hr_pq_value_order(&term->column, &b->min, &term->values[0]) == 0 &&
           hr_pq_value_order(&term->column, &b->max, &term->values[0]) == 0;
}

bool hr_pq_may_match(const struct hr_pq_term *term, const struct hr_pq_bounds *b) {
    const struct hr_pq_pcolumn *c = &term->column;
    const struct hr_pq_value *v = term->values;
    if (term->cmp == HR_CMP_NULL) {
        return b->nulls != 0;
    }
    if (b->all_null) {
        return false; /* nothing compares with null */
    }
    switch (term->cmp) {
    case HR_CMP_EQ:
    case HR_CMP_IN: return any_in_bounds(term, b);
    case HR_CMP_NE: return !only_value(term, b);
    case HR_CMP_LT: return !(b->has_min && hr_pq_value_order(c, &b->min, v) >= 0);
    case HR_CMP_LE: return !(b->has_min && hr_pq_value_order(c, &b->min, v) > 0);
    case HR_CMP_GT: return !(b->has_max && hr_pq_value_order(c, &b->max, v) <= 0);
    case HR_CMP_GE: return !(b->has_max && hr_pq_value_order(c, &b->max, v) < 0);
    default: return true; /* NOT_NULL: not all are null */
    }
}
