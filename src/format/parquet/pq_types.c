/* format/parquet/pq_types.c - the Arrow type of a Parquet leaf: LogicalTypes.md as a table of
 * cases.
 *
 * A logical type we know wins over the converted type; annotations that are unknown or do not suit
 * the physical type are ignored, as the specification asks, and the bytes are given as they are.
 */
#include "format/parquet/pq_schema.h"

#include <string.h>

/* The annotation, in the vocabulary of logical types, whichever way it was written. */
static struct hr_pq_logical_type annotation(const struct hr_pq_element *e) {
    struct hr_pq_logical_type t = e->logical;
    if (t.id != HR_PQ_LOG_NONE && t.id != HR_PQ_LOG_OTHER) {
        return t;
    }
    t = (struct hr_pq_logical_type){.utc = true, .scale = e->scale, .precision = e->precision};
    switch (e->converted) {
    case HR_PQ_CONV_UTF8: t.id = HR_PQ_LOG_STRING; break;
    case HR_PQ_CONV_ENUM: t.id = HR_PQ_LOG_ENUM; break;
    case HR_PQ_CONV_JSON: t.id = HR_PQ_LOG_JSON; break;
    case HR_PQ_CONV_BSON: t.id = HR_PQ_LOG_BSON; break;
    case HR_PQ_CONV_DECIMAL: t.id = HR_PQ_LOG_DECIMAL; break;
    case HR_PQ_CONV_DATE: t.id = HR_PQ_LOG_DATE; break;
    case HR_PQ_CONV_TIME_MILLIS:
    case HR_PQ_CONV_TIME_MICROS:
        t.id = HR_PQ_LOG_TIME;
        t.unit = e->converted == HR_PQ_CONV_TIME_MILLIS ? HR_PQ_MILLIS : HR_PQ_MICROS;
        break;
    case HR_PQ_CONV_TIMESTAMP_MILLIS:
    case HR_PQ_CONV_TIMESTAMP_MICROS:
        t.id = HR_PQ_LOG_TIMESTAMP;
        t.unit = e->converted == HR_PQ_CONV_TIMESTAMP_MILLIS ? HR_PQ_MILLIS : HR_PQ_MICROS;
        break;
    case HR_PQ_CONV_UINT_8:
    case HR_PQ_CONV_UINT_16:
    case HR_PQ_CONV_UINT_32:
    case HR_PQ_CONV_UINT_64:
        t.id = HR_PQ_LOG_INTEGER;
        t.bit_width = 8 << (e->converted - HR_PQ_CONV_UINT_8);
        break;
    case HR_PQ_CONV_INT_8:
    case HR_PQ_CONV_INT_16:
    case HR_PQ_CONV_INT_32:
    case HR_PQ_CONV_INT_64:
        t.id = HR_PQ_LOG_INTEGER;
        t.bit_width = 8 << (e->converted - HR_PQ_CONV_INT_8);
        t.is_signed = true;
        break;
    default: break;
    }
    return t;
}

static void set(struct hr_type *type, struct hr_pq_leaf_info *out, enum hr_type_id id, int conv) {
    type->id = (uint8_t)id;
    out->conv = conv;
}

/* Decimal of any physical type; false when precision or scale make no sense. */
static bool decimal_type(const struct hr_pq_logical_type *t, bool as_double, const int conv[3],
                         struct hr_type *type, struct hr_pq_leaf_info *out) {
    if (t->precision < 1 || t->precision > 76 || t->scale < 0 || t->scale > t->precision) {
        return false;
    }
    out->scale = t->scale;
    if (as_double) {
        set(type, out, HR_T_F64, conv[2]);
        return true;
    }
    set(type, out, t->precision <= 38 ? HR_T_DEC128 : HR_T_DEC256,
        t->precision <= 38 ? conv[0] : conv[1]);
    type->precision = (int16_t)t->precision;
    type->scale = (int16_t)t->scale;
    return true;
}

static void int32_type(const struct hr_pq_logical_type *t, bool as_double, struct hr_type *type,
                       struct hr_pq_leaf_info *out) {
    static const int decimal[3] = {HR_PQ_C_I32_DEC128, HR_PQ_C_I32_DEC256, HR_PQ_C_I32_F64};
    set(type, out, HR_T_I32, HR_PQ_C_COPY);
    if (t->id == HR_PQ_LOG_INTEGER && t->bit_width == 8) {
        set(type, out, t->is_signed ? HR_T_I8 : HR_T_U8, HR_PQ_C_I32_I8);
    } else if (t->id == HR_PQ_LOG_INTEGER && t->bit_width == 16) {
        set(type, out, t->is_signed ? HR_T_I16 : HR_T_U16, HR_PQ_C_I32_I16);
    } else if (t->id == HR_PQ_LOG_INTEGER && t->bit_width == 32 && !t->is_signed) {
        set(type, out, HR_T_U32, HR_PQ_C_COPY);
    } else if (t->id == HR_PQ_LOG_DATE) {
        set(type, out, HR_T_DATE32, HR_PQ_C_COPY);
    } else if (t->id == HR_PQ_LOG_TIME && t->unit == HR_PQ_MILLIS) {
        set(type, out, HR_T_TIME32, HR_PQ_C_COPY);
        type->unit = HR_U_MS;
    } else if (t->id == HR_PQ_LOG_DECIMAL) {
        decimal_type(t, as_double, decimal, type, out);
    }
}

static void int64_type(const struct hr_pq_logical_type *t, bool as_double, struct hr_type *type,
                       struct hr_pq_leaf_info *out) {
    static const int decimal[3] = {HR_PQ_C_I64_DEC128, HR_PQ_C_I64_DEC256, HR_PQ_C_I64_F64};
    static const uint8_t units[4] = {0, HR_U_MS, HR_U_US, HR_U_NS};
    const bool unit = t->unit >= HR_PQ_MILLIS && t->unit <= HR_PQ_NANOS;
    set(type, out, HR_T_I64, HR_PQ_C_COPY);
    if (t->id == HR_PQ_LOG_INTEGER && !t->is_signed && t->bit_width == 64) {
        set(type, out, HR_T_U64, HR_PQ_C_COPY);
    } else if (t->id == HR_PQ_LOG_TIME && unit && t->unit != HR_PQ_MILLIS) {
        set(type, out, HR_T_TIME64, HR_PQ_C_COPY);
        type->unit = units[t->unit];
    } else if (t->id == HR_PQ_LOG_TIMESTAMP && unit) {
        set(type, out, HR_T_TS, HR_PQ_C_COPY);
        type->unit = units[t->unit];
        type->utc = t->utc;
    } else if (t->id == HR_PQ_LOG_DECIMAL) {
        decimal_type(t, as_double, decimal, type, out);
    }
}

static const int be_decimal[3] = {HR_PQ_C_BE_DEC128, HR_PQ_C_BE_DEC256, HR_PQ_C_BE_F64};

static void bytes_type(const struct hr_pq_logical_type *t, bool as_double, struct hr_type *type,
                       struct hr_pq_leaf_info *out) {
    set(type, out, HR_T_BINARY, HR_PQ_C_BYTES);
    switch (t->id) {
    case HR_PQ_LOG_STRING: type->id = HR_T_UTF8; break;
    case HR_PQ_LOG_ENUM:
        type->id = HR_T_UTF8;
        type->ext = HR_EXT_ENUM;
        break;
    case HR_PQ_LOG_JSON:
        type->id = HR_T_UTF8;
        type->ext = HR_EXT_JSON;
        break;
    case HR_PQ_LOG_BSON: type->ext = HR_EXT_BSON; break;
    case HR_PQ_LOG_DECIMAL: decimal_type(t, as_double, be_decimal, type, out); break;
    default: break;
    }
}

static void fixed_type(const struct hr_pq_element *e, const struct hr_pq_logical_type *t,
                       bool as_double, struct hr_type *type, struct hr_pq_leaf_info *out) {
    set(type, out, HR_T_FIXED, HR_PQ_C_COPY);
    type->width = e->type_length;
    if (t->id == HR_PQ_LOG_DECIMAL && decimal_type(t, as_double, be_decimal, type, out)) {
        type->width = 0;
    } else if (t->id == HR_PQ_LOG_FLOAT16 && e->type_length == 2) {
        set(type, out, HR_T_F16, HR_PQ_C_COPY);
        type->width = 0;
    } else if (t->id == HR_PQ_LOG_UUID && e->type_length == 16) {
        type->ext = HR_EXT_UUID;
    } else if (e->converted == HR_PQ_CONV_INTERVAL && e->type_length == 12) {
        type->ext = HR_EXT_INTERVAL;
    }
}

void hr_pq_leaf_type(const struct hr_pq_element *e, const struct hr_parquet_opts *opts,
                     bool int96_us, struct hr_type *type, struct hr_pq_leaf_info *out) {
    static const uint32_t widths[] = {0, 4, 8, 12, 4, 8, 0, 0};
    const struct hr_pq_logical_type t = annotation(e);
    *type = (struct hr_type){0};
    out->phys_width = e->type == HR_PQ_FIXED ? (uint32_t)e->type_length : widths[e->type];
    if (t.id == HR_PQ_LOG_UNKNOWN) {
        set(type, out, HR_T_NULL, HR_PQ_C_NULL);
        return;
    }
    switch (e->type) {
    case HR_PQ_BOOLEAN: set(type, out, HR_T_BOOL, HR_PQ_C_BOOL); break;
    case HR_PQ_INT32: int32_type(&t, opts->decimal_as_double, type, out); break;
    case HR_PQ_INT64: int64_type(&t, opts->decimal_as_double, type, out); break;
    case HR_PQ_INT96:
        set(type, out, HR_T_TS, int96_us ? HR_PQ_C_INT96_US : HR_PQ_C_INT96_NS);
        type->unit = int96_us ? HR_U_US : HR_U_NS;
        break;
    case HR_PQ_FLOAT: set(type, out, HR_T_F32, HR_PQ_C_COPY); break;
    case HR_PQ_DOUBLE: set(type, out, HR_T_F64, HR_PQ_C_COPY); break;
    case HR_PQ_BYTE_ARRAY: bytes_type(&t, opts->decimal_as_double, type, out); break;
    default: fixed_type(e, &t, opts->decimal_as_double, type, out); break;
    }
    out->out_width = (uint32_t)hr_type_width(*type);
}

/* Spark's keys: .version since 2.4.6, .sql.parquet.row.metadata in every version. */
static bool is_sparks(struct hr_slice key) {
    static const char begin[] = "org.apache.spark.";
    const size_t n = sizeof(begin) - 1;
    return key.len > n && memcmp(key.ptr, begin, n) == 0;
}

bool hr_pq_int96_is_micros(const struct hr_pq_file *file) {
    for (size_t i = 0; i < file->n_key_values; i++) {
        if (is_sparks(file->key_values[i].key)) {
            return true;
        }
    }
    return false;
}
