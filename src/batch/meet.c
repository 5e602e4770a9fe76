/* batch/meet.c - the lattice by which types widen.
 *
 *   null < bool
 *   null < int8 < int16 < int32 < int64 < decimal < double
 *   null < uint8 < … (an unsigned type meets the signed type twice its width)
 *   null < date < timestamp; finer units win, instants and wall times meet at utf8
 *   struct by field name, list and map by item; everything else meets at utf8
 */
#include <string.h>

#include "base/mem.h"
#include "batch/schema.h"

static bool is_signed(int id) {
    return id >= HR_T_I8 && id <= HR_T_I64;
}
static bool is_int(int id) {
    return id >= HR_T_I8 && id <= HR_T_U64;
}
static bool is_float(int id) {
    return id >= HR_T_F16 && id <= HR_T_F64;
}
static bool is_decimal(int id) {
    return id == HR_T_DEC128 || id == HR_T_DEC256;
}

static struct hr_type meet_ints(struct hr_type a, struct hr_type b) {
    if (is_signed(a.id) == is_signed(b.id)) {
        return hr_type(a.id > b.id ? a.id : b.id); /* a duration and a number: a number */
    }
    const struct hr_type s = is_signed(a.id) ? a : b;
    const struct hr_type u = is_signed(a.id) ? b : a;
    if (u.id == HR_T_U64) {
        return (struct hr_type){.id = HR_T_DEC128, .precision = 20};
    }
    const int up = HR_T_I8 + (u.id - HR_T_U8) + 1;
    return hr_type((enum hr_type_id)(up > s.id ? up : s.id));
}

static struct hr_type decimal_of(struct hr_type t) {
    static const int16_t digits[] = {3, 5, 10, 19, 3, 5, 10, 20};
    if (is_decimal(t.id)) {
        return t;
    }
    return (struct hr_type){.id = HR_T_DEC128, .precision = digits[t.id - HR_T_I8]};
}

static struct hr_type meet_decimals(struct hr_type a, struct hr_type b) {
    a = decimal_of(a);
    b = decimal_of(b);
    const int whole_a = a.precision - a.scale;
    const int whole_b = b.precision - b.scale;
    const int scale = a.scale > b.scale ? a.scale : b.scale;
    const int precision = (whole_a > whole_b ? whole_a : whole_b) + scale;
    const bool wide = a.id == HR_T_DEC256 || b.id == HR_T_DEC256;
    if (precision > 76 || (!wide && precision > 38)) {
        return hr_type(HR_T_F64);
    }
    return (struct hr_type){.id = (uint8_t)(wide ? HR_T_DEC256 : HR_T_DEC128),
                            .precision = (int16_t)precision,
                            .scale = (int16_t)scale};
}

static struct hr_type meet_floats(struct hr_type a, struct hr_type b) {
    if (is_float(a.id) && is_float(b.id)) {
        return a.id > b.id ? a : b;
    }
    return hr_type(HR_T_F64);
}

/* Date and timestamps; id HR_T_UTF8 when they do not go together. */
static struct hr_type meet_times(struct hr_type a, struct hr_type b) {
    if (a.id == HR_T_DATE32) {
        return b;
    }
    if (b.id == HR_T_DATE32) {
        return a;
    }
    if (a.id != b.id || a.utc != b.utc) {
        return hr_type(HR_T_UTF8);
    }
    return a.unit > b.unit ? a : b;
}

static struct hr_type meet_clock(struct hr_type a, struct hr_type b) {
    return a.unit > b.unit ? a : b;
}

static bool durations(struct hr_type a, struct hr_type b) {
    return a.id == HR_T_I64 && b.id == HR_T_I64 && a.ext == HR_EXT_DURATION &&
           b.ext == HR_EXT_DURATION;
}

/* Scalars only. */
static struct hr_type meet_scalars(struct hr_type a, struct hr_type b) {
    if (durations(a, b)) {
        return meet_clock(a, b);
    }
    const bool num_a = is_int(a.id) || is_float(a.id) || is_decimal(a.id);
    const bool num_b = is_int(b.id) || is_float(b.id) || is_decimal(b.id);
    if (num_a && num_b) {
        if (is_float(a.id) || is_float(b.id)) {
            return meet_floats(a, b);
        }
        return is_int(a.id) && is_int(b.id) ? meet_ints(a, b) : meet_decimals(a, b);
    }
    const bool time_a = a.id == HR_T_DATE32 || a.id == HR_T_TS;
    const bool time_b = b.id == HR_T_DATE32 || b.id == HR_T_TS;
    if (time_a && time_b) {
        return meet_times(a, b);
    }
    const bool clock_a = a.id == HR_T_TIME32 || a.id == HR_T_TIME64;
    const bool clock_b = b.id == HR_T_TIME32 || b.id == HR_T_TIME64;
    if (clock_a && clock_b) {
        return meet_clock(a, b);
    }
    if ((a.id == HR_T_BINARY && b.id == HR_T_FIXED) ||
        (a.id == HR_T_FIXED && b.id == HR_T_BINARY) || (a.id == HR_T_FIXED && b.id == HR_T_FIXED)) {
        return hr_type(HR_T_BINARY);
    }
    return hr_type(HR_T_UTF8);
}

struct hr_type hr_type_meet(struct hr_type a, struct hr_type b) {
    if (b.id == HR_T_NULL) {
        return a;
    }
    if (a.id == HR_T_NULL) {
        return b;
    }
    if (hr_type_nested(a) || hr_type_nested(b)) {
        return hr_type(HR_T_UTF8);
    }
    if (!hr_type_equal(a, b)) {
        return meet_scalars(a, b);
    }
    if (a.ext != b.ext) {
        a.ext = HR_EXT_NONE;
    }
    return a;
}

static int find_child(const struct hr_field *parent, const char *name) {
    for (int i = 0; i < parent->n_children; i++) {
        if (strcmp(parent->children[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

/* Fields of a in order, those they share met; then fields only b has. */
static int meet_children(const struct hr_field *a, const struct hr_field *b, struct hr_field *out) {
    int extra = 0;
    for (int i = 0; i < b->n_children; i++) {
        extra += find_child(a, b->children[i].name) < 0;
    }
    int rc = hr_field_init(out, a->name, strlen(a->name), a->type, a->n_children + extra);
    out->field_id = a->field_id;
    int n = 0;
    for (int i = 0; rc == 0 && i < a->n_children; i++) {
        const int k = find_child(b, a->children[i].name);
        if (k >= 0) {
            rc = hr_field_meet(&a->children[i], &b->children[k], &out->children[n++]);
        } else {
            rc = hr_field_copy(&out->children[n], &a->children[i]);
            out->children[n++].nullable = true;
        }
    }
    for (int i = 0; rc == 0 && i < b->n_children; i++) {
        if (find_child(a, b->children[i].name) < 0) {
            rc = hr_field_copy(&out->children[n], &b->children[i]);
            out->children[n++].nullable = true;
        }
    }
    if (rc != 0) {
        hr_field_release(out);
    }
    return rc;
}

static int copy_nullable(const struct hr_field *src, const struct hr_field *other, bool nullable,
                         struct hr_field *out) {
    int rc = hr_field_copy(out, src);
    if (rc == 0) {
        out->nullable = nullable;
        if (other->field_id >= 0 && out->field_id < 0) {
            out->field_id = other->field_id;
        }
        if (strcmp(out->name, other->name) != 0 && src != other) {
            /* The first operand names the column. */
            char *name = hr_strdup(other->name);
            if (name == NULL) {
                hr_field_release(out);
                return HR_E_NOMEM;
            }
            hr_free(out->name);
            out->name = name;
        }
    }
    return rc;
}

int hr_field_meet(const struct hr_field *a, const struct hr_field *b, struct hr_field *out) {
    const bool nullable =
        a->nullable || b->nullable || a->type.id == HR_T_NULL || b->type.id == HR_T_NULL;
    int rc;
    if (b->type.id == HR_T_NULL) {
        return copy_nullable(a, a, nullable, out);
    }
    if (a->type.id == HR_T_NULL) {
        return copy_nullable(b, a, nullable, out);
    }
    if (hr_type_nested(a->type) && a->type.id == b->type.id) {
        if (a->type.id == HR_T_STRUCT) {
            rc = meet_children(a, b, out);
        } else {
            rc = hr_field_init(out, a->name, strlen(a->name), a->type, 1);
            if (rc == 0) {
                rc = hr_field_meet(&a->children[0], &b->children[0], &out->children[0]);
            }
            if (rc != 0) {
                hr_field_release(out);
            }
        }
    } else {
        struct hr_type type = a->type;
        if (hr_type_nested(a->type) || hr_type_nested(b->type)) {
            type = hr_type(HR_T_UTF8);
        } else if (!hr_type_equal(a->type, b->type)) {
            type = meet_scalars(a->type, b->type);
        } else if (a->type.ext != b->type.ext) {
            type.ext = HR_EXT_NONE;
        }
        rc = hr_field_init(out, a->name, strlen(a->name), type, 0);
        out->field_id = a->field_id;
    }
    if (rc == 0) {
        out->nullable = nullable;
    }
    return rc;
}

/* A schema is a struct without a name; borrow its fields to reuse the field rule. */
static struct hr_field as_struct(const struct hr_schema *schema) {
    static char empty[1] = "";
    return (struct hr_field){.name = empty,
                             .type = {.id = HR_T_STRUCT},
                             .field_id = -1,
                             .n_children = schema->n_fields,
                             .children = schema->fields};
}

int hr_schema_meet(const struct hr_schema *a, const struct hr_schema *b, struct hr_schema **out) {
    const struct hr_field fa = as_struct(a);
    const struct hr_field fb = as_struct(b);
    struct hr_field met;
    *out = NULL;
    int rc = meet_children(&fa, &fb, &met);
    if (rc != 0) {
        return rc;
    }
    struct hr_schema *schema = hr_schema_new(met.n_children);
    if (schema == NULL) {
        hr_field_release(&met);
        return HR_E_NOMEM;
    }
    if (met.n_children > 0) {
        memcpy(schema->fields, met.children, (size_t)met.n_children * sizeof(*met.children));
    }
    hr_free(met.children);
    hr_free(met.name);
    *out = schema;
    return 0;
}

static bool int_fits(struct hr_type from, struct hr_type to) {
    if (is_int(to.id)) {
        return hr_type_equal(meet_ints(from, to), to);
    }
    if (is_decimal(to.id)) {
        return decimal_of(from).precision <= to.precision - to.scale;
    }
    if (to.id == HR_T_F64) {
        return from.id != HR_T_I64 && from.id != HR_T_U64;
    }
    return to.id == HR_T_F32 &&
           (from.id == HR_T_I8 || from.id == HR_T_I16 || from.id == HR_T_U8 || from.id == HR_T_U16);
}

static bool scalar_fits(struct hr_type from, struct hr_type to) {
    if (hr_type_equal(from, to) || from.id == HR_T_NULL || to.id == HR_T_UTF8) {
        return true;
    }
    if (durations(from, to)) {
        return to.unit >= from.unit;
    }
    if (is_int(from.id)) {
        return int_fits(from, to);
    }
    if (is_float(from.id)) {
        return is_float(to.id) && to.id >= from.id;
    }
    if (is_decimal(from.id)) {
        return is_decimal(to.id) && to.scale >= from.scale &&
               to.precision - to.scale >= from.precision - from.scale;
    }
    if (from.id == HR_T_DATE32) {
        return to.id == HR_T_TS;
    }
    if (from.id == HR_T_TS) {
        return to.id == HR_T_TS && from.utc == to.utc && to.unit >= from.unit;
    }
    if (from.id == HR_T_TIME32 || from.id == HR_T_TIME64) {
        return (to.id == HR_T_TIME32 || to.id == HR_T_TIME64) && to.unit >= from.unit;
    }
    return (from.id == HR_T_FIXED || from.id == HR_T_UTF8) && to.id == HR_T_BINARY;
}

bool hr_field_fits(const struct hr_field *from, const struct hr_field *to) {
    if (from->nullable && !to->nullable) {
        return false;
    }
    if (!hr_type_nested(from->type)) {
        return !hr_type_nested(to->type) ? scalar_fits(from->type, to->type)
                                         : from->type.id == HR_T_NULL;
    }
    if (to->type.id == HR_T_UTF8) {
        return true;
    }
    if (from->type.id != to->type.id) {
        return false;
    }
    if (from->type.id != HR_T_STRUCT) {
        return hr_field_fits(&from->children[0], &to->children[0]);
    }
    for (int i = 0; i < from->n_children; i++) {
        const int k = find_child(to, from->children[i].name);
        if (k < 0 || !hr_field_fits(&from->children[i], &to->children[k])) {
            return false;
        }
    }
    return true;
}

int hr_schema_see(struct hr_schema **met, struct hr_schema *one) {
    struct hr_schema *both = NULL;
    if (*met == NULL) {
        *met = hr_schema_ref(one);
        return 0;
    }
    if (*met == one || hr_schema_equal(*met, one)) {
        return 0;
    }
    const int rc = hr_schema_meet(*met, one, &both);
    if (rc == 0) {
        hr_schema_unref(*met);
        *met = both;
    }
    return rc;
}
